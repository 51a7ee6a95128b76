"""Requests and answers of the transactions.

An answer's status follows from its content (ITI TF-3 4.2.4.2): see `status` of each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from xdsi.model.discovery import DiscoveryAnswer, DiscoveryRequest
from xdsi.model.errors import XDSError
from xdsi.model.identity import Acknowledgement, IdentityMessage
from xdsi.model.objects import (
    Association,
    DocumentEntry,
    Folder,
    Fragment,
    ObjectRef,
    RegistryObject,
    Slot,
    SubmissionSet,
)
from xdsi.standard import urns

# of a document: what is cut out of a larger piece need not be copied
Octets = bytes | memoryview


class Reader(Protocol):
    """An open document. `read` gives at most n octets, none at the end; may raise OSError."""

    def read(self, n: int, /) -> Octets: ...
    def close(self) -> None: ...


def as_bytes(octets: Octets) -> bytes:
    """The same, without a copy where a view shows all there is, as it mostly does."""
    if isinstance(octets, memoryview):
        whole = octets.obj
        return whole if isinstance(whole, bytes) and len(whole) == octets.nbytes else bytes(octets)
    return octets


class Content(NamedTuple):
    """The bytes of one document, opened when they are needed.

    size: octets if known beforehand; None makes the transfer chunked
    open: a new reader; it raises OSError at the latest with the last octet when the bytes are not
        the promised ones, and whoever sends must then never finish cleanly (SEC-T-029)
    """

    size: int | None
    open: Callable[[], Reader]


class Staged(Protocol):
    """One received document in the staging area of the actor that will keep it.

    size in octets; sha1 and sha256 as lower-case hex. Discarded after the request unless a
    handler has published it.
    """

    @property
    def size(self) -> int: ...
    @property
    def sha1(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    def open(self) -> Reader: ...


@dataclass(frozen=True, slots=True)
class Submission:
    """Content of one SubmitObjectsRequest, objects in the order received.

    findings: what the reader could not put into the model (slots twice, unknown schemes,
        packages without label …), each an XDSRegistryMetadataError
    """

    submission_sets: tuple[SubmissionSet, ...] = ()
    entries: tuple[DocumentEntry, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()
    findings: tuple[XDSError, ...] = ()

    @property
    def submission_set(self) -> SubmissionSet:
        """The one set; ask only after the structure rules have passed (REG-050)."""
        return self.submission_sets[0]


@dataclass(frozen=True, slots=True)
class Document:
    """A submitted document. id: `xds:Document/@id`, equal to its entry's id (REG-003).

    content: `Staged` where it was received, `Content` where we are the source
    """

    id: str
    content: Staged | Content


@dataclass(frozen=True, slots=True)
class ProvideRequest:
    """ITI-41. strays: Content-IDs of attachments that no Document names (REG-021)."""

    submission: Submission
    documents: tuple[Document, ...] = ()
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveRequest:
    """ITI-62. ids: in the order received, as sent.

    scope: deletionScope; None where not sent; has_query: objects are chosen by an AdhocQuery
    """

    ids: tuple[str, ...] = ()
    scope: str | None = None
    has_query: bool = False


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """Of submissions, updates and removals: Failure with the first error, else Success."""

    errors: tuple[XDSError, ...] = ()

    @property
    def status(self) -> str:
        failed = any(not error.is_warning for error in self.errors)
        return urns.FAILURE if failed else urns.SUCCESS


def status_with_partial(found: tuple[object, ...] | bool, errors: tuple[XDSError, ...]) -> str:
    """Of an answer that may hold some of what was asked for, and errors for the rest (RET-017)."""
    if all(error.is_warning for error in errors):
        return urns.SUCCESS
    return urns.PARTIAL_SUCCESS if found else urns.FAILURE


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """ITI-18, ITI-51. parameters: slots as received, values undecoded (`xdsi.wire.parameters`)."""

    query_id: str
    parameters: tuple[Slot, ...] = ()
    return_type: str | None = "LeafClass"
    home: str | None = None


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """ITI-18, ITI-51: objects, or errors; both only from gateways (SQ-067).

    is_partial: beside the errors somebody answered well, if only that there is nothing (XC-055)
    """

    objects: tuple[RegistryObject | ObjectRef | Fragment, ...] = ()
    errors: tuple[XDSError, ...] = ()
    is_partial: bool = False

    @property
    def status(self) -> str:
        return status_with_partial(self.objects or self.is_partial, self.errors)


class DocumentRequest(NamedTuple):
    """Which document: RET-004."""

    repository_unique_id: str
    document_unique_id: str
    home: str | None = None


@dataclass(frozen=True, slots=True)
class RetrieveRequest:
    """ITI-43. documents: in the order asked, duplicates as sent (RET-021)."""

    documents: tuple[DocumentRequest, ...]


class RetrievedDocument(NamedTuple):
    """One DocumentResponse (RET-011); the ids of the request are echoed."""

    request: DocumentRequest
    mime_type: str
    content: Content
    new_repository_unique_id: str | None = None
    new_document_unique_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetrieveAnswer:
    """ITI-43: a plan; the documents stream after it. Status as RET-017."""

    documents: tuple[RetrievedDocument, ...] = ()
    errors: tuple[XDSError, ...] = ()

    @property
    def status(self) -> str:
        return status_with_partial(self.documents, self.errors)


Request = (
    Submission
    | ProvideRequest
    | QueryRequest
    | RetrieveRequest
    | RemoveRequest
    | IdentityMessage
    | DiscoveryRequest
)
Answer = RegistryAnswer | QueryAnswer | RetrieveAnswer | Acknowledgement | DiscoveryAnswer
