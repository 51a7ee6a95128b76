"""Received documents on disk, for as long as somebody works with them."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from weakref import finalize

from xdsi.model.errors import XDSRepositoryOutOfResources
from xdsi.model.messages import Reader, Staged
from xdsi.peers.scratch import NoRoom, Room


@dataclass(frozen=True, slots=True, weakref_slot=True)
class SpooledDocument:
    """One received document; size in octets, hashes as lower-case hex.

    Its file goes when it is discarded, at the latest when nothing refers to it any more: an answer
    that is passed on has nobody who could say that it is done with.
    """

    path: Path
    size: int
    sha1: str
    sha256: str

    def open(self) -> Reader:
        """Its bytes from the start. Raises OSError once it is discarded."""
        return self.path.open("rb", buffering=0)


class SpoolFile:
    """A document while it is received; made by `Spool.create`."""

    def __init__(self, spool: "Spool") -> None:
        self._spool, self._size = spool, 0
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._file = NamedTemporaryFile(dir=spool.folder, delete=False, buffering=0)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Append. Raises XDSRepositoryOutOfResources; nothing is left then."""
        try:
            self._spool.take(len(data))
            self._size += len(data)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.discard()
            raise _full(error) from error
        except XDSRepositoryOutOfResources:
            self.discard()
            raise
        self._sha1.update(data)
        self._sha256.update(data)

    def finish(self) -> Staged:
        """The document; not synced, since it does not outlive the process."""
        self._file.close()
        document = SpooledDocument(
            Path(self._file.name), self._size, self._sha1.hexdigest(), self._sha256.hexdigest()
        )
        finalize(document, self._spool.remove, self._file.name, self._size).atexit = False
        return document

    def discard(self) -> None:
        """Remove what was written. Never raises."""
        self._file.close()
        self._spool.remove(self._file.name, self._size)
        self._size = 0


class Spool:
    """A folder of received documents, bounded, emptied at the end of its `with` block.

    parent: where the folder is made; None: where temporary files go
    limit: octets of all documents in it together
    room: the same for documents without a name
    Any number of threads may use it.
    """

    def __init__(self, parent: Path | None = None, limit: int = 8 << 30) -> None:
        self._folder = TemporaryDirectory(prefix="xdsi-spool-", dir=parent)
        self.room = Room(limit, self._folder.name)

    @property
    def folder(self) -> str:
        return self._folder.name

    def create(self) -> SpoolFile:
        """A new document. Raises XDSRepositoryOutOfResources."""
        try:
            return SpoolFile(self)
        except OSError as error:
            raise _full(error) from error

    def discard(self, staged: Iterable[Staged]) -> None:
        """Remove documents nobody needs any more. Never raises."""
        for each in staged:
            if isinstance(each, SpooledDocument):
                self.remove(str(each.path), each.size)

    def take(self, size: int) -> None:
        """Reserve room. Raises XDSRepositoryOutOfResources."""
        try:
            self.room.take(size)
        except NoRoom as error:
            raise XDSRepositoryOutOfResources(
                "spool", f"more than {self.room.limit} bytes of received documents; ask for fewer"
            ) from error

    def remove(self, name: str, size: int) -> None:
        """Give back a document's room. Never raises."""
        with suppress(OSError):
            os.unlink(name)
            self.room.give(size)

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _full(error: OSError) -> XDSRepositoryOutOfResources:
    return XDSRepositoryOutOfResources("spool", f"cannot be written: {error.strerror}")
