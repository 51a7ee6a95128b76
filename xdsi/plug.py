"""What actors are made of and what the server, the callers and the assembly know of them.

A transaction is a row (`xdsi.standard.transactions`), a codec pair bound here, and one handler
`(request, call) -> answer`. A local handler and a remote caller have the same signature.
Handlers raise `XDSError` (or an ExceptionGroup of them) for a Failure; they return errors only
where the transaction knows a partial success.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from time import monotonic
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

from xdsi.model.errors import XDSError
from xdsi.model.identity import Demographics
from xdsi.model.imaging import HeldInstance, ImagingRequest, RenderedAnswer, RenderedRequest
from xdsi.model.messages import Answer, Content, Request, Staged
from xdsi.model.study import StudyHeader
from xdsi.model.values import CX
from xdsi.model.web import WebAnswer, WebRequest
from xdsi.standard import transactions
from xdsi.standard.transactions import Transaction
from xdsi.wire import (
    discovery,
    ebrs,
    imagingretrieve,
    patientfeed,
    provide,
    query,
    remove,
    renderedretrieve,
    retrieve,
    submit,
    unread,
)
from xdsi.wire.body import Body, Element, Parts


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks: from certificate and assertion; anonymous until security is configured."""

    name: str = "anonymous"


ANONYMOUS = Subject()


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Call:
    """Circumstances of one request; handlers pass it on to whatever they call.

    ticket: names the request in answers, logs and X-Request-Id
    deadline: `time.monotonic()` value after which nobody waits for the answer
    cancelled: true once the caller has gone away
    peer: address of the caller, for logs
    """

    ticket: str
    deadline: float
    cancelled: Callable[[], bool] = _never
    subject: Subject = ANONYMOUS
    partner: str | None = None
    peer: str = ""

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - monotonic())

    @classmethod
    def internal(cls, seconds: float = 60.0) -> "Call":
        """A call nobody outside asked for: timers, the command line, tests."""
        return cls(ticket=uuid4().hex, deadline=monotonic() + seconds)


Handler = Callable[[Any, Call], Any]


@dataclass(frozen=True, slots=True)
class Codec:
    """Both directions of both messages of a transaction, and the answer that only fails.

    read_unread: instead of `read_answer` for those who pass on what is answered
    """

    read_request: Callable[[Element, Parts], Request | ImagingRequest | RenderedRequest]
    write_request: Callable[[Any], Body]
    read_answer: Callable[[Element, Parts], Answer | RenderedAnswer]
    write_answer: Callable[[Any], Body]
    failure: Callable[[tuple[XDSError, ...]], Answer | RenderedAnswer]
    read_unread: Callable[[Element, unread.Answer], Answer] | None = None


_SUBMIT = Codec(
    submit.submission_from_xml,
    submit.submission_to_xml,
    ebrs.answer_from_xml,
    ebrs.answer_to_xml,
    ebrs.failure,
)
_QUERY = Codec(
    query.query_from_xml,
    query.query_to_xml,
    query.answer_from_xml,
    query.answer_to_xml,
    query.failure,
)
_RETRIEVE = Codec(
    retrieve.retrieve_from_xml,
    retrieve.retrieve_to_xml,
    retrieve.answer_from_xml,
    retrieve.answer_to_xml,
    retrieve.failure,
)
_RETRIEVE_IMAGING = Codec(
    imagingretrieve.imaging_from_xml,
    imagingretrieve.imaging_to_xml,
    retrieve.answer_from_xml,
    retrieve.answer_to_xml,
    retrieve.failure,
)
UNREAD_QUERY = replace(_QUERY, read_unread=query.unread_answer)
CODECS = MappingProxyType(
    {
        transactions.REGISTER.id: _SUBMIT,
        transactions.UPDATE.id: _SUBMIT,
        transactions.REGISTER_ON_DEMAND.id: _SUBMIT,
        transactions.RESTRICTED_UPDATE.id: _SUBMIT,
        transactions.STORED_QUERY.id: _QUERY,
        transactions.MULTI_PATIENT_QUERY.id: _QUERY,
        transactions.CROSS_GATEWAY_QUERY.id: _QUERY,
        transactions.REMOVE_METADATA.id: Codec(
            remove.remove_from_xml,
            remove.remove_to_xml,
            ebrs.answer_from_xml,
            ebrs.answer_to_xml,
            ebrs.failure,
        ),
        transactions.PROVIDE_AND_REGISTER.id: Codec(
            provide.provide_from_xml,
            provide.provide_to_xml,
            ebrs.answer_from_xml,
            ebrs.answer_to_xml,
            ebrs.failure,
        ),
        **{
            row.id: Codec(
                patientfeed.message_from_xml,
                patientfeed.message_to_xml,
                patientfeed.acknowledgement_from_xml,
                patientfeed.acknowledgement_to_xml,
                patientfeed.failure,
            )
            for row in transactions.PATIENT_FEED
        },
        transactions.PATIENT_DISCOVERY.id: Codec(
            discovery.query_from_xml,
            discovery.query_to_xml,
            discovery.answer_from_xml,
            discovery.answer_to_xml,
            discovery.failure,
        ),
        transactions.RETRIEVE.id: _RETRIEVE,
        transactions.CROSS_GATEWAY_RETRIEVE.id: _RETRIEVE,
        transactions.RETRIEVE_IMAGING.id: _RETRIEVE_IMAGING,
        transactions.CROSS_GATEWAY_RETRIEVE_IMAGING.id: _RETRIEVE_IMAGING,
        transactions.RETRIEVE_RENDERED.id: Codec(
            renderedretrieve.rendered_from_xml,
            renderedretrieve.rendered_to_xml,
            renderedretrieve.answer_from_xml,
            renderedretrieve.answer_to_xml,
            renderedretrieve.failure,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Route:
    """A transaction and the function that answers it.

    located: gives each error the location that leaves with it, whoever raised or answered it
    """

    transaction: Transaction
    handler: Handler
    located: Callable[[XDSError], XDSError] | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """Who takes the HL7 v2 messages of the node's MLLP listener [ITI-8].

    handler: from an IdentityEvent to an Acknowledgement; raises XDSError as all handlers do
    senders: `application|facility` that are heard; none: anybody (PIF-005)
    """

    handler: Handler
    senders: tuple[str, ...] = ()


class StagingFile(Protocol):
    """A document while it is received. Every call may block on the disk: never on a loop.

    `write` and `finish` raise XDSRepositoryOutOfResources or XDSRepositoryError; afterwards, and
    after `discard`, nothing is left. `finish` gives what was staged, hashed and synced to disk.
    """

    def write(self, data: bytes, /) -> None: ...
    def finish(self) -> Staged: ...
    def discard(self) -> None: ...


class Staging(Protocol):
    """Where the server puts received documents: a port that the repository fills."""

    def create(self) -> StagingFile:
        """A new file. Raises XDSRepositoryOutOfResources."""

    def discard(self, staged: Iterable[Staged], /) -> None:
        """Remove what no handler has published. Never raises."""


class ArchiveError(Exception):
    """An archive does not answer, or not as it should; one line for log and caller."""


class ArchiveBusy(ArchiveError):
    """Not now: the archive is busy, or must fetch it first; asked again later it may answer."""


class StudyUnclear(ArchiveError):
    """What it holds by one Study Instance UID makes no one study: it is of several patients, or one
    UID stands for two things. Asked again it is the same."""


# SOP Instance UIDs and Part 10 files in any order, each read before the next is asked for
Whole = Iterable[tuple[str, Content]]


class Archive(Protocol):
    """Where the instances of an imaging source lie: its own store, or an archive elsewhere.

    Every call may block. Each raises ArchiveError when the archive cannot be asked.
    """

    def instances(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call, /
    ) -> Sequence[HeldInstance]:
        """What it holds of a study, or of one series, by series and instance number.

        wanted: SOP Instance UIDs; None: all. Nothing for what it does not know.
        """

    def whole(self, study: str, series: str | None, call: Call, /) -> Whole | None:
        """All of a study or series as it comes; None where it is to be told of first."""

    def open(self, instance: HeldInstance, call: Call, /) -> Content:
        """The Part 10 file as stored, known to be there as far as that costs no transfer.

        Raises OSError for one that is known to be damaged. The content's `open` raises it as
        `Content` says.
        """

    def file(self, instance: HeldInstance, call: Call, /) -> BinaryIO:
        """The same to be read in any order, fetched first if it must be; the caller closes it.

        Raises OSError when its bytes are not those that were stored.
        """

    def study(self, study: str, call: Call, /) -> StudyHeader | None:
        """The headers of a study, as a manifest needs them; None for one it does not know."""


@dataclass(frozen=True, slots=True)
class WebRoute:
    """What answers a request in plain HTTP.

    transaction: its id, for log and metrics
    handler: raises `xdsi.model.web.WebError` for a request it refuses
    """

    transaction: str
    handler: Callable[[WebRequest, Call], WebAnswer]


@dataclass(frozen=True, slots=True)
class Resource:
    """A service in plain HTTP, for all paths below one.

    path: `/dicom-web`; the longest that fits wins
    methods: others are answered with 405; HEAD is answered as GET, without the body
    route: chosen before the body is read; raises WebError where nothing is served
    """

    path: str
    methods: tuple[str, ...]
    route: Callable[[WebRequest], WebRoute]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of an actor for /metrics. name: with `_total` at its end where it only grows"""

    name: str
    about: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Stranger(Exception):
    """Who calls is none of those that may; the text says why, for the log alone."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor of the node.

    path: where its SOAP transactions are served, e.g. `/registry`
    contract: name of its WSDL in `xdsi.wsdl`
    resources: what it serves in plain HTTP
    staging: given if it takes documents
    feed: given if it takes HL7 v2 messages
    demographics: what a registry was told of a patient; None for one it does not know
    waits: whether its handlers mostly wait for nodes of others; these take no thread, and not more
        than half of the requests at a time, from other actors
    caller: given if only partners may call: from the certificate that a proxy in front passes on,
        PEM in percent-encoding, to the partner's title; raises Stranger
    admit: raises XDSError before a body is read, e.g. when the disk is full (SEC-T-018)
    ready: empty when it can work, else what is wrong, in one line each
    notes: what is worth knowing though it can work, in one line each
    measures: figures of its own
    run: background work while the node serves (timers); None without
    close: releases what the actor holds
    """

    name: str
    path: str
    contract: str
    routes: tuple[Route, ...]
    resources: tuple[Resource, ...] = ()
    staging: Staging | None = None
    feed: Feed | None = None
    demographics: Callable[[CX], Demographics | None] | None = None
    waits: bool = False
    caller: Callable[[str | None], str] | None = None
    admit: Callable[[], None] | None = None
    ready: Callable[[], tuple[str, ...]] = tuple
    notes: Callable[[], tuple[str, ...]] = tuple
    measures: Callable[[], Iterable[Measure]] = tuple
    run: Callable[[], AbstractContextManager[None]] | None = None
    close: Callable[[], None] = field(default=lambda: None)
