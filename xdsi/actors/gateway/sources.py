"""Several sources behind one answer.

What is asked for goes to its sources at the same time; their answers become one, in which nothing
is hidden: whatever was asked for comes, or has an error that names it (XC-042). Answers of remote
sources are not trusted to keep to that.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from xdsi.files.failing import Failing, Key
from xdsi.model.errors import (
    XDSError,
    XDSMissingHomeCommunityId,
    XDSRepositoryError,
    XDSTooManyResults,
    XDSUnknownCommunity,
    XDSUnknownRepositoryId,
    findings,
    relocated,
    shown,
)
from xdsi.model.messages import DocumentRequest, RetrieveAnswer, RetrievedDocument
from xdsi.model.values import HomeCommunityId
from xdsi.plug import Handler

Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Relayed:
    """A source elsewhere, whose documents are passed on.

    alone: where no other source is asked: they may go on while they come
    beside: where others are asked as well: what fails must be known before the answer begins, and
        none may wait on its line until all others have been sent
    """

    alone: Handler
    beside: Handler


Source = Handler | Relayed


class Directory(Protocol):
    """Who has which document.

    pool: where several are asked; limit: documents of one request
    failing: documents that broke off lately
    """

    @property
    def pool(self) -> Executor: ...
    @property
    def limit(self) -> int: ...
    @property
    def failing(self) -> Failing: ...
    def source_of(self, document: DocumentRequest, /) -> tuple[Hashable, Source] | XDSError:
        """What tells its source from others, and whom to ask; or why nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Repositories, or imaging sources, of one community; handlers: by repositoryUniqueId."""

    home: HomeCommunityId
    handlers: Mapping[str, Source]
    pool: Executor
    limit: int
    failing: Failing = field(default_factory=Failing)

    def source_of(self, document: DocumentRequest) -> tuple[Hashable, Source] | XDSError:
        """XC-038, XC-043."""
        uid, repository = document.document_unique_id, document.repository_unique_id
        if document.home is None:
            return without_home(document)
        if document.home != str(self.home):
            return XDSUnknownCommunity(
                f"{shown(uid)} HomeCommunityId",
                f"not a community of this gateway, which serves {self.home}",
                value=document.home,
                rule="XC-038",
                location=uid,
            )
        if repository not in self.handlers:
            return XDSUnknownRepositoryId(
                f"{shown(uid)} RepositoryUniqueId",
                "none of this community",
                value=repository,
                rule="XC-043",
                location=uid,
            )
        return repository, self.handlers[repository]


def without_home(document: DocumentRequest) -> XDSError:
    """Between communities every document is asked for with its home (XC-038, XC-051)."""
    uid = document.document_unique_id
    problem = "required, missing; repeat the home of the entry or of the manifest's entry"
    return XDSMissingHomeCommunityId(
        f"{shown(uid)} HomeCommunityId", problem, rule="XC-038", location=uid
    )


def gathered(
    wanted: Sequence[Asked],
    document_of: Callable[[Asked], DocumentRequest],
    ask: Callable[[Handler, Sequence[Asked]], RetrieveAnswer],
    sources: Directory,
) -> RetrieveAnswer:
    """One answer to a request for documents of several sources (XC-041, IMG-133).

    wanted: in the order asked, duplicates as sent
    ask: one source for what it is asked
    Documents come source by source, each in the order of its answer: so they can be passed on as
    they come. Locations of errors are the ids of documents.
    Raises XDSTooManyResults above the limit.
    """
    if len(wanted) > sources.limit:
        raise XDSTooManyResults(
            f"{len(wanted)} DocumentRequests",
            f"more than the limit of {sources.limit}; ask in several requests",
            rule="SEC-T-042",
        )
    errors: list[XDSError] = []
    groups: dict[Hashable, list[Asked]] = {}
    handlers: dict[Hashable, Source] = {}
    for each in dict.fromkeys(wanted):
        document = document_of(each)
        source = sources.source_of(document)
        if isinstance(source, XDSError):
            errors.append(source)
        elif _key(document) in sources.failing:
            errors.append(_broke_off(document))
        else:
            key, handlers[key] = source
            groups.setdefault(key, []).append(each)

    def answer(key: Hashable) -> RetrieveAnswer:
        group, source = groups[key], handlers[key]
        if isinstance(source, Relayed):
            source = source.alone if len(groups) == 1 else source.beside
        try:
            found = ask(source, group)
        except (XDSError, ExceptionGroup) as error:
            found = RetrieveAnswer(errors=findings(error))
        return _complete([document_of(each) for each in group], found)

    # one source is asked in this thread: that is the common case, and costs no other
    answers = map(answer, groups) if len(groups) < 2 else sources.pool.map(answer, groups)
    came: list[RetrievedDocument] = []
    for found in answers:
        came += found.documents
        errors += found.errors
    watch = sources.failing.watched
    documents = (one._replace(content=watch(one.content, _key(one.request))) for one in came)
    return RetrieveAnswer(tuple(documents), tuple(errors))


def _key(document: DocumentRequest) -> Key:
    return document.document_unique_id, document.repository_unique_id, document.home or ""


def _broke_off(document: DocumentRequest) -> XDSError:
    uid = document.document_unique_id
    problem = "its source broke off while it was sent; it is asked for again in a minute"
    return XDSRepositoryError(shown(uid), problem, rule="XC-068", location=uid)


def _complete(asked: Sequence[DocumentRequest], answer: RetrieveAnswer) -> RetrieveAnswer:
    """The answer of one source, with a document or an error for all that it was asked.

    What it was not asked is left out. The ids of the request are those of the answer (XC-019).
    """
    wanted: dict[str, list[DocumentRequest]] = {}
    for one in asked:
        wanted.setdefault(one.document_unique_id, []).append(one)
    came: dict[DocumentRequest, RetrievedDocument] = {}
    for each in answer.documents:
        request = _of_request(each.request, wanted.get(each.request.document_unique_id, ()))
        if request is not None:
            came.setdefault(request, each._replace(request=request))
    errors, others, told = list[XDSError](), list[XDSError](), set[str]()
    for error in answer.errors:
        uid = _document(error.location, wanted)
        if not uid:
            others.append(error)
            continue
        errors.append(_about(error, uid))
        if not error.is_warning:
            told.add(uid)
    missing = (each.document_unique_id for each in asked if each not in came)
    silent = [uid for uid in missing if uid not in told]
    return RetrieveAnswer(tuple(came.values()), (*errors, *_of_all(others, silent)))


def _of_request(
    answered: DocumentRequest, asked: Sequence[DocumentRequest]
) -> DocumentRequest | None:
    """Which one it is that was asked for; some do not repeat the repository as it was sent."""
    repository = answered.repository_unique_id
    same = (each for each in asked if each.repository_unique_id == repository)
    return next(same, asked[0] if len(asked) == 1 else None)


def _of_all(errors: Sequence[XDSError], silent: Sequence[str]) -> Iterator[XDSError]:
    """Errors that name no document; the first one is that of all documents without one."""
    failures = (each for each in errors if not each.is_warning)
    cause = next(failures, None) if silent else None
    for uid in silent:
        yield _about(cause or _unsaid(), uid)
    for each in errors:
        if each is not cause:
            yield relocated(each, "")


def _unsaid() -> XDSError:
    problem = "it was neither sent nor refused by its source; tell the operator"
    return XDSRepositoryError("document", problem, rule="XC-042")


def _document(location: str, wanted: Mapping[str, object]) -> str:
    """Which document an error is about: its id alone, or behind a homeCommunityId (XC-018)."""
    texts = (location, location.partition(" ")[2], location.rpartition(" ")[2])
    return next((text for text in texts if text in wanted), "")


def _about(error: XDSError, uid: str) -> XDSError:
    """The error of one document, which its text names as well (IMG-136)."""
    context = error.context
    is_named = uid in context or shown(uid) in context  # where it is long it was cut
    return relocated(error, uid, context if is_named else f"{shown(uid)}: {context}")
