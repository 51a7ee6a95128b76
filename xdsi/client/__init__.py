"""Clients of an XDS domain: a Document Source and a Document Consumer.

    with DocumentSource("https://…/repository") as source:
        source.provide(request)                                         # ITI-41
    with DocumentConsumer("https://…/registry", {oid: "https://…/repository"}) as consumer:
        entries = consumer.find_documents(patient)                      # ITI-18
        for received in consumer.retrieve(entries, into=folder): ...    # ITI-43

Documents go from files and into files; none is held in memory. A Failure is raised as an
ExceptionGroup of the errors that came, silence as NoAnswer.
Source: ITI TF-1 10.1.1.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from mimetypes import guess_extension
from pathlib import Path
from types import TracebackType
from typing import Self

from xdsi.model.errors import XDSError, XDSUnknownRepositoryId, refuse
from xdsi.model.messages import (
    Content,
    DocumentRequest,
    ProvideRequest,
    QueryAnswer,
    QueryRequest,
    Reader,
    RegistryAnswer,
    RetrieveAnswer,
    RetrieveRequest,
    Staged,
    Submission,
)
from xdsi.model.objects import DocumentEntry, Slot
from xdsi.model.values import CX
from xdsi.peers.caller import Caller
from xdsi.peers.errors import PeerError as NoAnswer
from xdsi.peers.session import Tls, open_session
from xdsi.peers.spool import Spool, SpooledDocument, SpoolFile, sweep
from xdsi.plug import Call
from xdsi.standard import queries, urns
from xdsi.standard.queries import StoredQuery
from xdsi.standard.transactions import PROVIDE_AND_REGISTER, RETRIEVE, STORED_QUERY, UPDATE
from xdsi.wire import parameters

__all__ = ["DocumentConsumer", "DocumentSource", "MetadataSource", "NoAnswer", "Received", "Tls"]

_CHUNK = 1 << 20
_HOUR = 3600.0
_BATCH = 1000  # documents of one request: nobody takes more than our own default (SEC-T-042)


class _Client:
    """Kept connections, released at the end of the `with` block."""

    def __init__(self, tls: Tls) -> None:
        self._session = open_session(tls)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class DocumentSource(_Client):
    """Submits documents to one repository, whose address is given."""

    def __init__(self, repository: str, tls: Tls = Tls()) -> None:
        super().__init__(tls)
        self._provide = Caller(PROVIDE_AND_REGISTER, repository, self._session)

    def provide(self, request: ProvideRequest) -> tuple[XDSError, ...]:
        """ITI-41: submit, return the warnings.

        Raises an ExceptionGroup of XDSErrors for a Failure, NoAnswer when the outcome is unknown
        (the identical request may be sent again), OSError when a file cannot be read.
        """
        answer: RegistryAnswer = self._provide(request, Call.internal(_HOUR))
        refuse(answer.errors, "the repository refused the submission")
        return answer.errors


class MetadataSource(_Client):
    """Changes metadata at one registry (Document Administrator)."""

    def __init__(self, registry: str, tls: Tls = Tls()) -> None:
        super().__init__(tls)
        self._update = Caller(UPDATE, registry, self._session)

    def update(self, submission: Submission) -> tuple[XDSError, ...]:
        """ITI-57: the warnings. Raises an ExceptionGroup of XDSErrors for a Failure, NoAnswer."""
        answer: RegistryAnswer = self._update(submission, Call.internal())
        refuse(answer.errors, "the registry refused the update")
        return answer.errors


@dataclass(frozen=True, slots=True)
class Received:
    """One retrieved document.

    path: where it lies; size in octets, sha1 as lower-case hex, both of what arrived
    entry: its metadata, if it was asked for by entry
    """

    request: DocumentRequest
    mime_type: str
    path: Path
    size: int
    sha1: str
    entry: DocumentEntry | None = None

    @property
    def is_as_registered(self) -> bool:
        """Size and hash agree with the metadata; delayed assembly is not compared (RET-051)."""
        entry = self.entry
        if entry is None or entry.hash is None or entry.size is None:
            return True
        if entry.size.problem is not None:
            return False
        if entry.hash.lower == urns.EMPTY_SHA1 and int(entry.size) == 0:
            return True
        return entry.hash.lower == self.sha1 and int(entry.size) == self.size


class DocumentConsumer(_Client):
    """Finds documents at one registry and retrieves them from its repositories.

    repositories: repositoryUniqueId -> address
    gateway: address of an Initiating Gateway, for documents of other repositories with a home
    told: gets errors and warnings of answers that have something all the same
    """

    def __init__(
        self,
        registry: str,
        repositories: Mapping[str, str],
        tls: Tls = Tls(),
        *,
        gateway: str | None = None,
        told: Callable[[XDSError], None] = lambda _error: None,
    ) -> None:
        super().__init__(tls)
        self._told = told
        self._query = Caller(STORED_QUERY, registry, self._session)
        self._repositories, self._gateway = dict(repositories), gateway

    def query(self, request: QueryRequest) -> QueryAnswer:
        """ITI-18. Raises an ExceptionGroup for a Failure; a partial answer keeps its errors."""
        answer: QueryAnswer = self._query(request, Call.internal())
        if answer.status == urns.FAILURE:
            refuse(answer.errors, "the registry refused the query")
        return answer

    def find_documents(
        self, patient: CX, statuses: Iterable[str] = (urns.APPROVED,)
    ) -> tuple[DocumentEntry, ...]:
        """FindDocuments as LeafClass: the entries of one patient."""
        return self._entries(queries.FIND_DOCUMENTS, patient, statuses)

    def find_by_reference(
        self, patient: CX, study: str, statuses: Iterable[str] = (urns.APPROVED,)
    ) -> tuple[DocumentEntry, ...]:
        """FindDocumentsByReferenceId: the entries that name an imaging study (IMG-045)."""
        wanted = parameters.many(
            "$XDSDocumentEntryReferenceIdList", (f"{study}^^^^{urns.STUDY_INSTANCE_UID}",)
        )
        return self._entries(queries.FIND_DOCUMENTS_BY_REFERENCE_ID, patient, statuses, wanted)

    def _entries(
        self, query: StoredQuery, patient: CX, statuses: Iterable[str], *more: Slot
    ) -> tuple[DocumentEntry, ...]:
        slots = (
            parameters.single("$XDSDocumentEntryPatientId", str(patient)),
            parameters.many("$XDSDocumentEntryStatus", statuses),
            *more,
        )
        answer = self.query(QueryRequest(query.id, slots))
        for each in answer.errors:
            self._told(each)
        return tuple(each for each in answer.objects if isinstance(each, DocumentEntry))

    def knows(self, repository: str) -> bool:
        """Whether it knows the address of a repository, by its repositoryUniqueId."""
        return repository in self._repositories

    def retrieve(
        self,
        entries: Iterable[DocumentEntry],
        into: Path,
        *,
        moved: Callable[[int], None] = lambda _octets: None,
    ) -> Iterator[Received]:
        """ITI-43: fetch the documents of entries into a folder, by as few requests as limits allow.

        moved: is told how many octets of documents have arrived since it was called last
        Documents that a repository does not deliver are raised as an ExceptionGroup after all
        others have been yielded; each error's location is the DocumentUniqueId.
        """
        sweep(into)
        wanted: dict[tuple[str, str | None], dict[str, DocumentEntry]] = {}
        for entry in entries:
            source = str(entry.repository_unique_id), _home(entry)
            wanted.setdefault(source, {})[str(entry.unique_id)] = entry
        missing: list[XDSError] = []
        for (repository, home), documents in wanted.items():
            address = self._repositories.get(repository, self._gateway if home else None)
            if address is None:
                problem = f"no address is known of its repository {repository}"
                missing += (
                    XDSUnknownRepositoryId(f"document {each}", problem, location=each)
                    for each in documents
                )
                continue
            ids = list(documents)
            for at in range(0, len(ids), _BATCH):
                batch = {each: documents[each] for each in ids[at : at + _BATCH]}
                with _Arrivals(into, moved) as arrivals:
                    yield from self._fetch(address, repository, batch, arrivals, missing)
        refuse(missing, "not everything was delivered")

    def _fetch(
        self,
        address: str,
        repository: str,
        documents: Mapping[str, DocumentEntry],
        arrivals: "_Arrivals",
        missing: list[XDSError],
    ) -> Iterator[Received]:
        requests = tuple(
            DocumentRequest(repository, each, _home(entry)) for each, entry in documents.items()
        )
        retrieve = Caller(RETRIEVE, address, self._session, spool=arrivals)
        answer: RetrieveAnswer = retrieve(RetrieveRequest(requests), Call.internal(_HOUR))
        missing += answer.errors
        for each in answer.documents:
            document_id = each.request.document_unique_id
            path, size, sha1 = arrivals.settle(each.content, document_id, each.mime_type)
            entry = documents.get(document_id)
            yield Received(each.request, each.mime_type, path, size, sha1, entry)


class _Arriving:
    """A document while it is received."""

    def __init__(self, arrivals: "_Arrivals", file: SpoolFile) -> None:
        self._arrivals, self._file = arrivals, file

    def write(self, data: bytes, /) -> None:
        self._file.write(data)
        self._arrivals.moved(len(data))

    def finish(self) -> Staged:
        staged = self._file.finish()
        if isinstance(staged, SpooledDocument):
            self._arrivals.staged[staged.open] = staged
        return staged

    def discard(self) -> None:
        self._file.discard()


class _Arrivals:
    """Received documents on their way into a folder: each is written once, then linked.

    staged: what arrived, by the function that opens it, which is all that an answer shows
    """

    def __init__(self, into: Path, moved: Callable[[int], None]) -> None:
        self._into, self.moved = into, moved
        self._spool = Spool(into)
        self.staged: dict[Callable[[], Reader], SpooledDocument] = {}

    def create(self) -> _Arriving:
        return _Arriving(self, self._spool.create())

    def discard(self, staged: Iterable[Staged], /) -> None:
        self._spool.discard(staged)

    def settle(self, content: Content, document_id: str, mime_type: str) -> tuple[Path, int, str]:
        """Give a document its place: path, size in octets, SHA-1 as lower-case hex."""
        path = _free_path(self._into, document_id, mime_type)
        staged = self.staged.get(content.open)
        if staged is not None:
            with suppress(OSError):  # a file system without links: copied below
                os.link(staged.path, path)
                return path, staged.size, staged.sha1
        return path, *_save(content, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()


def _home(entry: DocumentEntry) -> str | None:
    return None if entry.home is None else str(entry.home)


def _free_path(folder: Path, document_id: str, mime_type: str) -> Path:
    """A new file name made from, but never steered by, what the other side said."""
    stem = re.sub(r"[^A-Za-z0-9.-]", "_", document_id).strip(".-")[:100] or "document"
    kind = mime_type.split(";")[0].strip()
    suffix = {"application/dicom": ".dcm"}.get(kind) or guess_extension(kind) or ".bin"
    numbered = (f"{stem}{'' if n == 0 else f'-{n}'}{suffix}" for n in count())
    return next(path for name in numbered if not (path := folder / name).exists())


def _save(content: Content, path: Path) -> tuple[int, str]:
    """Copy a document; its size in octets and SHA-1 as lower-case hex."""
    sha1, size = hashlib.sha1(usedforsecurity=False), 0
    reader = content.open()
    try:
        with path.open("xb") as file:
            while chunk := reader.read(_CHUNK):
                file.write(chunk)
                sha1.update(chunk)
                size += len(chunk)
    finally:
        reader.close()
    return size, sha1.hexdigest()
