"""Every stored document read and held against its record (SEC-T-007, SEC-T-185)."""

from collections.abc import Iterator
from dataclasses import dataclass

from repository.holdings import Holdings
from repository.ledger import Blob
from xdsi.files.blobs import PREFIXES, Mismatch, VerifyingReader

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checked:
    """problem: what is wrong with the document, None for a good one."""

    blob: Blob
    problem: str | None


def verify(holdings: Holdings) -> Iterator[Checked]:
    """Read every document, by its SHA-256, which takes no key.

    Wrong ones are not delivered from then on, good ones are again.
    Raises as the ledger.
    """
    for prefix in PREFIXES:
        for blob in holdings.ledger.named(prefix):
            yield _checked(blob, holdings)


def _checked(blob: Blob, holdings: Holdings) -> Checked:
    try:
        _read(blob, holdings)
    except OSError as error:
        if isinstance(error, (Mismatch, FileNotFoundError)):
            holdings.custody.withhold(blob, error)
        return Checked(blob, error.strerror or "unreadable")
    if blob.failing_until is not None:
        holdings.ledger.recover(blob.name)
    return Checked(blob, None)


def _read(blob: Blob, holdings: Holdings) -> None:
    source = holdings.store.open(blob.name)
    reader = VerifyingReader(source, blob.size, blob.sha256, _unheard)
    try:
        while reader.read(_CHUNK):
            pass
    finally:
        reader.close()


def _unheard(error: OSError) -> None:
    """The error is raised as well."""
