"""What a repository checks in a submission, in the order of REG-020 to REG-026.

Each function yields its findings; the handler raises them together. Anything else about metadata
is the registry's business (REG-027).
"""

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator

from repository.ledger import Blob
from xdsi.config import Limits
from xdsi.model.errors import (
    XDSError,
    XDSMissingDocument,
    XDSMissingDocumentMetadata,
    XDSNonIdenticalHash,
    XDSNonIdenticalSize,
    XDSRepositoryDuplicateUniqueIdInMessage,
    XDSRepositoryError,
    XDSRepositoryMetadataError,
)
from xdsi.model.messages import Document, ProvideRequest, Staged, Submission
from xdsi.model.objects import DocumentEntry, Folder, SubmissionSet


def pairs(request: ProvideRequest) -> tuple[tuple[DocumentEntry, Document], ...]:
    """Each entry with its document, in the order of the entries; what has no partner is left out.

    An id used twice pairs in the order sent, so that no document can stand for two entries.
    """
    waiting: defaultdict[str, deque[Document]] = defaultdict(deque)
    for document in request.documents:
        waiting[document.id].append(document)
    return tuple(
        (entry, waiting[entry.entry_uuid].popleft())
        for entry in request.submission.entries
        if waiting[entry.entry_uuid]
    )


def partners(request: ProvideRequest) -> Iterator[XDSError]:
    """REG-020, REG-021: one document per entry, one entry per document and attachment."""
    documents = Counter(document.id for document in request.documents)
    entries = Counter(entry.entry_uuid for entry in request.submission.entries)
    for id_ in entries - documents:
        yield XDSMissingDocument(
            f"{id_} DocumentEntry",
            "came without its document; send a Document with this id",
            rule="REG-020",
            location=id_,
        )
    for id_ in documents - entries:
        yield XDSMissingDocumentMetadata(
            f"{id_} Document",
            "belongs to no DocumentEntry; send an ExtrinsicObject with this id",
            rule="REG-021",
            location=id_,
        )
    for stray in request.strays:
        yield XDSMissingDocumentMetadata(
            "attachment",
            "belongs to no Document; name it in an xop:Include",
            value=stray,
            rule="REG-021",
            location=stray,
        )


def content(entry: DocumentEntry, received: Staged) -> Iterator[XDSError]:
    """REG-022, REG-023: a submitted hash or size is that of the received octets."""
    what = f"{entry.entry_uuid} DocumentEntry"
    if entry.hash is not None and entry.hash.lower != received.sha1:
        yield XDSRepositoryMetadataError(
            f"{what}.hash",
            f"not the SHA-1 of the received octets, which is {received.sha1}",
            value=str(entry.hash),
            rule="REG-022",
            location=entry.entry_uuid,
        )
    if entry.size is not None and (entry.size.problem or int(entry.size) != received.size):
        yield XDSRepositoryMetadataError(
            f"{what}.size",
            f"not the number of received octets, which is {received.size}",
            value=str(entry.size),
            rule="REG-023",
            location=entry.entry_uuid,
        )


def identifier(entry: DocumentEntry) -> Iterator[XDSError]:
    """SEC-T-112: the document can be stored under its uniqueId.

    The one attribute the repository cannot leave to the registry, since it keeps documents by it.
    """
    what = f"{entry.entry_uuid} DocumentEntry.uniqueId"
    if entry.unique_id is None:
        yield XDSRepositoryMetadataError(
            what, "required, missing", rule="REG-070", location=entry.entry_uuid
        )
    elif problem := entry.unique_id.problem:
        yield XDSRepositoryMetadataError(
            what,
            problem,
            value=str(entry.unique_id),
            rule="SEC-T-112",
            location=entry.entry_uuid,
        )


def source(submission: Submission, allowed: Collection[str]) -> Iterator[XDSError]:
    """REG-024: the submission comes from a source that may. allowed: empty for every one."""
    for each in submission.submission_sets if allowed else ():
        if str(each.source_id) not in allowed:
            yield XDSRepositoryMetadataError(
                f"{each.entry_uuid} SubmissionSet.sourceId",
                "no source of this repository; ask its operator to list yours",
                value=str(each.source_id or ""),
                rule="REG-024",
                location=each.entry_uuid,
            )


def duplicates(submission: Submission) -> Iterator[XDSError]:
    """REG-026: no uniqueId twice in one message, whatever carries it."""
    carriers: tuple[DocumentEntry | SubmissionSet | Folder, ...] = (
        *submission.entries,
        *submission.submission_sets,
        *submission.folders,
    )
    counts = Counter(str(each.unique_id) for each in carriers if each.unique_id is not None)
    for unique_id, count in counts.items():
        if count > 1:
            yield XDSRepositoryDuplicateUniqueIdInMessage(
                unique_id, f"uniqueId of {count} objects of this message", rule="REG-026"
            )


def differences(known: Blob, new: Blob, location: str) -> Iterator[XDSError]:
    """REG-025: a uniqueId already stored has the same octets; both errors, never only one."""
    if known.size != new.size:
        yield XDSNonIdenticalSize(context=new.document_unique_id, location=location)
    if (known.sha1, known.sha256) != (new.sha1, new.sha256):
        yield XDSNonIdenticalHash(context=new.document_unique_id, location=location)


def extent(received: Iterable[Staged], limits: Limits) -> Iterator[XDSError]:
    """SEC-T-040: the documents together; each alone was counted while it was received."""
    total = sum(each.size for each in received)
    if total > limits.submission:
        yield XDSRepositoryError(
            "submission",
            f"documents of {total} octets, more than the limit of {limits.submission}; "
            "send them in several submissions",
            rule="SEC-T-040",
        )


def unreadable(submission: Submission) -> Iterator[XDSError]:
    """SEC-T-105: what could not be put into the model cannot be sent on to a remote registry.

    Warnings of it (REG-077) stay warnings: the answer tells them.
    """
    for finding in submission.findings:
        if finding.is_warning:
            yield finding
            continue
        yield XDSRepositoryMetadataError(context=finding.context, location=finding.location)
