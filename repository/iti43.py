"""Retrieve Document Set [ITI-43].

The answer is a plan; the documents stream after it. What can be known beforehand is: that a
document is there, has its size and is not known to be damaged, and for small ones that the bytes
are right. The rest is checked while it streams, and then the transfer is cut, never ended.
"""

import time
from collections.abc import Mapping
from functools import partial

from repository.holdings import Holdings
from repository.ledger import Blob
from xdsi.model.errors import (
    XDSDocumentUniqueIdError,
    XDSError,
    XDSRepositoryError,
    XDSTooManyResults,
    XDSUnknownRepositoryId,
    shown,
)
from xdsi.model.messages import (
    Content,
    DocumentRequest,
    RetrieveAnswer,
    RetrievedDocument,
    RetrieveRequest,
)
from xdsi.model.values import Identifier
from xdsi.plug import Call

# Documents up to this size are read once before the answer begins, so that a damaged one becomes
# an error of its own instead of a cut; all of a request together no more than the second figure.
_CHECKED_BEFORE = 256 << 10
_CHECKED_TOGETHER = 16 << 20


def retrieve(request: RetrieveRequest, call: Call, holdings: Holdings) -> RetrieveAnswer:
    """The documents asked for, each once, in the order asked (ITI TF-2 3.43.4.1.3, RET-021).

    Raises XDSTooManyResults above the limit and XDSRepositoryError when the ledger is lost.
    """
    limit = holdings.limits.retrieve_documents
    if len(request.documents) > limit:
        raise XDSTooManyResults(
            f"{len(request.documents)} DocumentRequests",
            f"more than the limit of {limit}; ask in several requests",
            rule="SEC-T-042",
        )
    wanted: dict[tuple[str, str], DocumentRequest] = {}
    for each in request.documents:
        wanted.setdefault((each.repository_unique_id, each.document_unique_id), each)
    blobs = holdings.ledger.find(
        {
            document
            for repository, document in wanted
            if repository == holdings.unique_id and Identifier(document).problem is None
        }
    )
    documents: list[RetrievedDocument] = []
    errors: list[XDSError] = []
    room = _CHECKED_TOGETHER
    for each in wanted.values():
        try:
            blob = _found(each, blobs, holdings)
            if blob.size <= min(_CHECKED_BEFORE, room):
                room -= blob.size
                _check(blob, holdings)
        except XDSError as error:
            errors.append(error)
        else:
            content = Content(blob.size, partial(holdings.custody.open, blob))
            documents.append(RetrievedDocument(each, blob.mime_type, content))
    return RetrieveAnswer(tuple(documents), tuple(errors))


def _found(asked: DocumentRequest, blobs: Mapping[str, Blob], holdings: Holdings) -> Blob:
    """The blob, with a file of its size. Raises the document's error (RET-030, 031, 037)."""
    location = asked.document_unique_id
    if asked.repository_unique_id != holdings.unique_id:
        raise XDSUnknownRepositoryId(
            f"{shown(location)} RepositoryUniqueId",
            f"not this repository, which is {holdings.unique_id}",
            value=asked.repository_unique_id,
            rule="RET-031",
            location=location,
        )
    blob = blobs.get(asked.document_unique_id)
    if blob is None:
        raise XDSDocumentUniqueIdError(
            "DocumentUniqueId",
            "not available here",
            value=location,
            rule="RET-030",
            location=location,
        )
    if blob.is_failing(time.time()):
        raise _unsound(blob)
    try:
        holdings.custody.see(blob)
    except OSError as error:
        raise _unsound(blob) from error
    return blob


def _check(blob: Blob, holdings: Holdings) -> None:
    """Read it all. Raises XDSRepositoryError when its bytes are not the recorded ones."""
    try:
        holdings.custody.check(blob)
    except OSError as error:
        raise _unsound(blob) from error


def _unsound(blob: Blob) -> XDSRepositoryError:
    return XDSRepositoryError(
        blob.document_unique_id,
        "is stored, but its bytes cannot be delivered unchanged; tell the operator",
        rule="RET-037",
        location=blob.document_unique_id,
    )
