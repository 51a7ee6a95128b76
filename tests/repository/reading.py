"""Looking at a repository from outside and inside."""

import os
from contextlib import suppress
from pathlib import Path

from repository import iti43
from repository.holdings import Holdings
from tests.repository.ports import CALL
from xdsi.files.blobs import PREFIXES
from xdsi.model.messages import Content, DocumentRequest, RetrieveAnswer, RetrieveRequest


def retrieve(holdings: Holdings, *unique_ids: str, repository: str = "") -> RetrieveAnswer:
    """ITI-43 for documents of this repository."""
    of = repository or holdings.unique_id
    asked = tuple(DocumentRequest(of, unique_id) for unique_id in unique_ids)
    return iti43.retrieve(RetrieveRequest(asked), CALL, holdings)


def everything(content: Content, step: int = 1 << 16) -> bytes:
    """All octets of a document. Raises OSError as the reader does."""
    reader = content.open()
    try:
        return b"".join(iter(lambda: reader.read(step), b""))
    finally:
        reader.close()


def served(holdings: Holdings, unique_id: str) -> bytes | None:
    """The document as ITI-43 gives it, None where it is an error."""
    answer = retrieve(holdings, unique_id)
    return everything(answer.documents[0].content) if answer.documents else None


def names(holdings: Holdings) -> set[str]:
    """Of all published documents."""
    return {name for prefix in PREFIXES for name in holdings.store.names(prefix)}


def recorded(holdings: Holdings) -> set[str]:
    """Names in the ledger."""
    return {blob.name for blob in holdings.ledger.named("")}


def staged(holdings: Holdings) -> list[Path]:
    """Files in any staging folder."""
    found = holdings.staging.root.rglob("*")
    return [path for path in found if path.is_file() and path.name != "lock"]


def file(holdings: Holdings, unique_id: str) -> Path:
    """Where the document lies."""
    name = holdings.ledger.find([unique_id])[unique_id].name
    (path,) = holdings.staging.root.parent.rglob(name)
    return path


def descriptors(holdings: Holdings) -> list[str]:
    """What this process holds open in the store; SQLite's files are another matter."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sorted(each for each in found if each.startswith(str(holdings.staging.root.parent)))
