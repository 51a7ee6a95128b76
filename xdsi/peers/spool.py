"""Received documents on disk, for as long as somebody works with them.

A spool's lock file is held for as long as its process lives: what nobody holds was left by one that
was killed, and is swept.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from weakref import finalize

from xdsi.model.errors import XDSRepositoryOutOfResources
from xdsi.model.messages import Reader, Staged
from xdsi.peers.scratch import NoRoom, Room

_PREFIX, _LOCK, _DOCUMENTS = "xdsi-spool-", "lock", "documents"


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
        self._whole = TemporaryDirectory(prefix=_PREFIX, dir=parent)
        self._lock = open(Path(self._whole.name, _LOCK), "wb")  # noqa: SIM115
        with suppress(OSError):  # a file system without locks: nobody will sweep it
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.folder = os.path.join(self._whole.name, _DOCUMENTS)
        os.mkdir(self.folder, 0o700)  # from now on it may be swept; no sooner, as it is locked
        self.room = Room(limit, self.folder)

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
        _remove(Path(self._whole.name))
        self._whole.cleanup()
        self._lock.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(parent: Path) -> None:
    """Remove the spools in a folder whose processes live no more. Never raises."""
    found = [each for each in parent.glob(f"{_PREFIX}*") if not each.is_symlink()]
    for spool in found:
        with suppress(OSError), open(spool / _LOCK, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (spool / _DOCUMENTS).is_dir():  # else its owner is just starting
                _remove(spool)


def _remove(spool: Path) -> None:
    """The documents first: while there is one, there is a lock to sweep it by."""
    for each in (spool / _DOCUMENTS, spool):
        shutil.rmtree(each, ignore_errors=True)


def _full(error: OSError) -> XDSRepositoryOutOfResources:
    return XDSRepositoryOutOfResources("spool", f"cannot be written: {error.strerror}")
