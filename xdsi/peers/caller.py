"""A remote actor as a function: `(request, call) -> answer`, like a local handler.

The codec of the transaction builds the body and reads the answer. Whatever is wrong with
connection or answer becomes one `PeerError`, or the IHE code that says so to those who asked us.
Source: WS-030 to WS-036, WS-050 to WS-063, REG-035, SEC-T-048, SEC-T-166, SEC-T-167.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from math import inf
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from zeep.plugins import Plugin

from xdsi.config import Limits
from xdsi.model.errors import (
    SoapFault,
    XDSError,
    XDSRegistryNotAvailable,
    XDSRepositoryError,
    XDSRepositoryOutOfResources,
    shown,
)
from xdsi.model.imaging import ImagingRequest, RenderedRequest
from xdsi.model.messages import RetrieveAnswer, RetrieveRequest
from xdsi.peers import outgoing
from xdsi.peers.binding import Binding, bind
from xdsi.peers.errors import BrokenAnswer, Faulted, PeerError, Unreachable, is_stale, reason
from xdsi.peers.incoming import Incoming, Kept, Sink, xml_limits
from xdsi.peers.relay import Arrived, Relay
from xdsi.peers.scratch import NoRoom, Room
from xdsi.peers.session import Body, CutOff, Patience, post
from xdsi.plug import CODECS, Call, Codec, Staging
from xdsi.standard import namespaces as ns
from xdsi.standard import transactions, urns
from xdsi.standard.namespaces import tag
from xdsi.standard.transactions import HL7_V3, Transaction
from xdsi.wire import media, soap, unread
from xdsi.wire.body import Parts
from xdsi.wire.media import MediaType, Packaging, UnsupportedMediaType, packaging
from xdsi.wire.soap import ReceivedFault

CHUNK = 256 * 1024  # bytes taken from the answer at once

# what the one who asked us is told when the partner gives no answer, and the rule behind it; others
# get the PeerError
Unavailable = tuple[type[XDSError], str]
UNAVAILABLE: dict[str, Unavailable] = {
    transactions.REGISTER.id: (XDSRegistryNotAvailable, "REG-035")
}
# Only questions may be asked again by themselves when a kept connection turns out to be closed.
REPEATABLE = frozenset(
    each.id
    for each in (
        transactions.STORED_QUERY,
        transactions.MULTI_PATIENT_QUERY,
        transactions.RETRIEVE,
        transactions.RETRIEVE_IMAGING,
        transactions.RETRIEVE_RENDERED,
        transactions.CROSS_GATEWAY_QUERY,
        transactions.CROSS_GATEWAY_RETRIEVE,
        transactions.CROSS_GATEWAY_RETRIEVE_IMAGING,
    )
)

_STATUSES = (urns.SUCCESS, urns.FAILURE, urns.PARTIAL_SUCCESS)
_REGISTRY_RESPONSE = tag(ns.RS, "RegistryResponse")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a partner may take (SEC-T-048).

    connect: until the connection stands
    pause: without any progress; for answers with documents also until their first byte
    """

    connect: float = 5.0
    pause: float = 30.0


@dataclass(frozen=True, slots=True)
class Relaying:
    """How documents are passed on. is_fetched: they are put on disk first; room: for that"""

    room: Room
    is_fetched: bool = False


class Caller:
    """One transaction at one partner.

    transaction: its row
    address: http or https URL from the configuration, without user and query
    session: from `open_session`, shared by all callers of the same TLS settings
    spool: where received documents go; without it they are thrown away
    relay: documents are passed on while they come, or fetched first as far as there is room; then
        one that does not come is an error of the answer, not of the call
    unavailable: error raised instead of any PeerError, and its rule; default from `UNAVAILABLE`
    codec: instead of that of the transaction
    plugins: zeep plugins, which see the envelope's head and the answer's envelope
    """

    def __init__(
        self,
        transaction: Transaction,
        address: str,
        session: requests.Session,
        *,
        pace: Pace = Pace(),
        spool: Staging | None = None,
        relay: Relaying | None = None,
        limits: Limits = Limits(),
        unavailable: Unavailable | None = None,
        codec: Codec | None = None,
        plugins: Sequence[Plugin] = (),
    ) -> None:
        url = urlsplit(address)
        if url.scheme not in ("http", "https") or not url.hostname or url.username is not None:
            raise ValueError(f"{address} is no http or https address of a partner")
        self.transaction, self.pace, self.limits = transaction, pace, limits
        self.spool, self.relay = spool, relay
        self.unavailable = unavailable or UNAVAILABLE.get(transaction.id)
        self._codec = codec or CODECS[transaction.id]
        self._binding: Binding = bind(transaction.operation, address, session, plugins)

    @property
    def address(self) -> str:
        return self._binding.address

    def __call__(self, request: Any, call: Call) -> Any:
        """Ask the partner and wait for its answer.

        Documents of the answer lie in the spool until its owner discards them.
        Raises PeerError, or `unavailable` with the PeerError as its cause; OSError when a
        document to be sent cannot be read; what the spool raises when it is full.
        """
        try:
            return self._ask(request, call)
        except PeerError as error:
            if self.unavailable is None:
                raise
            kind, rule = self.unavailable
            told = kind(
                self.transaction.id,
                f"no answer: {error.problem}; the same message may be sent again",
                rule=rule,
            )
            told.fault = error.fault.code if isinstance(error, Faulted) else ""
            raise told from error

    def _ask(self, request: Any, call: Call) -> Any:
        message_id = uuid4().urn
        try:
            patience = self._patience(call)
            try:
                response = self._post(request, message_id, patience)
            except requests.ConnectionError as error:
                if self.transaction.id not in REPEATABLE or not is_stale(error):
                    raise
                patience = self._patience(call)
                response = self._post(request, message_id, patience)
        except TimeoutError as error:
            raise Unreachable(self.address, str(error)) from None
        except requests.RequestException as error:
            raise Unreachable(self.address, reason(error)) from error
        except outgoing.SourceFailed as error:
            raise OSError(f"a document cannot be sent: {error}") from error
        try:
            try:
                kind = self._media_type(response)
                if self.relay is not None and packaging(kind) is Packaging.MTOM:
                    return self._passed_on(
                        self.relay, response, kind, request, patience, message_id
                    )
                with closing(response):
                    return self._received(response, kind, request, patience, message_id)
            except BaseException:
                response.close()
                raise
        except SoapFault as error:
            raise BrokenAnswer(self.address, error.reason) from error
        except ReceivedFault as error:
            raise Faulted(self.address, error) from error
        except CutOff as error:
            raise Unreachable(self.address, f"cut off, {reason(error)}") from error
        except NoRoom as error:
            raise XDSRepositoryOutOfResources(
                self.transaction.id,
                f"documents that come before it is said which have no room here ({error}); "
                "ask for fewer, or later",
                rule="SEC-T-018",
            ) from error

    def _patience(self, call: Call) -> Patience:
        """Simple SOAP ends with the call; documents may take long as long as they move."""
        if not call.remaining:
            raise Unreachable(self.address, "no time left to ask")
        if not self.transaction.is_mtom:
            return Patience(call.deadline, self.pace.pause, cancelled=call.cancelled)
        return Patience(
            inf,
            self.pace.pause,
            grace=self.limits.body_grace,
            rate=self.limits.body_rate,
            cancelled=call.cancelled,
        )

    def _post(self, request: Any, message_id: str, patience: Patience) -> requests.Response:
        binding = self._binding
        head = soap.open_envelope(
            action=binding.action,
            message_id=message_id,
            to=self.address,
            reply_to=ns.WSA_ANONYMOUS,
        )
        # asked for as it is: a packed answer could unfold to any size
        headers = {"Accept-Encoding": "identity", "User-Agent": "xdsi"}
        head, headers = binding.egress(head, headers)
        body = self._codec.write_request(request)
        packed = (
            outgoing.mtom(head, body)
            if self.transaction.is_mtom
            else outgoing.simple(head, body, binding.soap_action)
        )
        headers["Content-Type"] = packed.content_type
        data = outgoing.outgoing(packed.pieces, patience)
        return post(binding.session, self.address, data, headers, patience, self.pace.connect)

    def _media_type(self, response: requests.Response) -> MediaType:
        """That of the answer, if it can be one."""
        status, given = response.status_code, response.headers.get("Content-Type", "")
        if 300 <= status < 400:
            raise BrokenAnswer(self.address, f"HTTP {status}; redirects are never followed")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BrokenAnswer(self.address, "a packed answer, though none was asked for")
        try:
            kind = media.media_type(given)
            packaging(kind)
        except UnsupportedMediaType:
            text = f"{shown(given, 80)}" if given else "no Content-Type"
            raise BrokenAnswer(
                self.address,
                f"HTTP {status} with {text}, not a SOAP 1.2 answer; is the address right?",
            ) from None
        return kind

    def _incoming(self, kind: MediaType, sink: Sink, request: Any) -> Incoming:
        return Incoming(
            kind,
            sink,
            self.limits,
            documents=self._documents(request),
            may_hold_documents=self.transaction.is_mtom,
        )

    def _received(
        self,
        response: requests.Response,
        kind: MediaType,
        request: Any,
        patience: Patience,
        message_id: str,
    ) -> Any:
        """The answer once all of it is here."""
        kept = Kept(self.spool)
        try:
            incoming = self._incoming(kind, kept, request)
            if self.transaction.is_mtom:
                patience.moving()
            body = Body(response, patience)
            while chunk := body.read(CHUNK):
                incoming.feed(chunk)
            incoming.close()
            return self._answer(response, incoming, kept.parts, message_id)
        except BaseException:
            kept.discard()
            raise

    def _passed_on(
        self,
        relaying: Relaying,
        response: requests.Response,
        kind: MediaType,
        request: Any,
        patience: Patience,
        message_id: str,
    ) -> Any:
        """The answer once its envelope is here; its documents come when they are read."""
        arrived = Arrived(relaying.room)
        incoming = self._incoming(kind, arrived, request)
        relay = Relay(response, incoming, arrived, patience)
        patience.moving()
        relay.until(lambda: incoming.envelope is not None)
        if relaying.is_fetched:
            relay.fetch()
        # each part may have come or not; only their contents are taken, which need no size
        answer = self._answer(response, incoming, cast(Parts, relay), message_id)
        if relay.is_over and isinstance(answer, RetrieveAnswer):
            return self._without_lost(answer, relay.failure)
        return answer

    def _without_lost(self, answer: RetrieveAnswer, failure: str) -> RetrieveAnswer:
        """What came as a whole, and an error for each that did not (IMG-140)."""
        kind, rule = self.unavailable or (XDSRepositoryError, "XC-070")
        errors = (
            kind(
                shown(uid),
                f"the answer broke off before it came: {failure}" if failure else "it did not come",
                rule=rule,
                location=uid,
            )
            for each in answer.documents
            if each.content.size is None
            for uid in (each.request.document_unique_id,)
        )
        whole = tuple(each for each in answer.documents if each.content.size is not None)
        return RetrieveAnswer(whole, (*answer.errors, *errors))

    def _answer(
        self, response: requests.Response, incoming: Incoming, parts: Parts, message_id: str
    ) -> Any:
        read_unread = self._codec.read_unread
        is_whole = read_unread is None or self._binding.has_plugins  # they may look at all of it
        came = (unread.whole if is_whole else unread.parse)(
            incoming.envelope or b"", charset=incoming.charset, limits=xml_limits(self.limits)
        )
        envelope = soap.read_response(self._binding.ingress(came.root, response.headers))
        if response.status_code != HTTPStatus.OK:
            raise BrokenAnswer(self.address, f"HTTP {response.status_code} without a SOAP fault")
        if envelope.relates_to not in (None, message_id):
            raise BrokenAnswer(self.address, "the answer to another message")
        if envelope.body.tag != self.transaction.answer_tag:
            name = envelope.body.tag.rpartition("}")[2]
            raise BrokenAnswer(self.address, f"{shown(name, 80)} is no answer of this transaction")
        self._check_status(envelope.body)
        if read_unread is not None:
            return read_unread(envelope.body, came)
        return self._codec.read_answer(envelope.body, parts)

    def _check_status(self, body: Any) -> None:
        """A status nobody knows must never pass for Success."""
        if self.transaction in HL7_V3:
            return  # their codecs take no unknown word for it
        response = body if body.get("status") else next(iter(body), body)
        status = response.get("status", "")
        knows_partial = self.transaction.answer_tag != _REGISTRY_RESPONSE  # REG-010
        if status not in _STATUSES or (status == urns.PARTIAL_SUCCESS and not knows_partial):
            raise BrokenAnswer(self.address, f"the status {shown(status, 80)} is none it may have")

    @staticmethod
    def _documents(request: Any) -> int:
        """How many documents the answer may have (SEC-T-039)."""
        match request:
            case RetrieveRequest():
                return len(request.documents)
            case ImagingRequest() | RenderedRequest():
                return len(request.instances)
        return 0
