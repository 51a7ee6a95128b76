"""The staging area: documents while they are received (SEC-T-001 to SEC-T-004, design section 5).

Each process stages in a folder of its own, whose lock file it holds for as long as it lives. Where
the file system knows O_TMPFILE a staged document has no name at all, so a crash leaves nothing.
Elsewhere, and when many descriptors are held already, it has a random name that no client chose.
"""

import fcntl
import hashlib
import logging
import math
import os
import resource
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from xdsi.files import disk
from xdsi.files.disk import Disk, FileReader
from xdsi.files.hashing import Digests
from xdsi.files.seals import Seal
from xdsi.model.errors import XDSRepositoryError
from xdsi.model.messages import Reader, Staged, as_bytes

_log = logging.getLogger("xdsi.files")

LOCK = "lock"
_CHUNK = 1 << 20
# Octets after which writing to the disk begins, beside what still comes: the final sync of a large
# document else takes a sixth of its time (bench: iti41-large).
_SYNC = 8 << 20


class StagedDocument:
    """A received document: hashed, synced, not yet published. Without a name it stays open."""

    __slots__ = ("_area", "_fd", "name", "seal", "sha1", "sha256", "size")

    def __init__(
        self, area: "StagingArea", fd: int, name: str, size: int, digests: Sequence[str]
    ) -> None:
        self._area, self._fd, self.name, self.size = area, fd, name, size
        self.sha1, self.sha256, self.seal = digests

    def open(self) -> Reader:
        """Its bytes from the start. Raises OSError, also when it was published or discarded."""
        area = self._area
        if self.name:
            flags = os.O_RDONLY | os.O_NOFOLLOW
            return FileReader(area.disk.open(self.name, flags, dir_fd=area.fd), area.disk)
        return FileReader(os.dup(self._fd), area.disk)

    def file(self) -> BinaryIO:
        """The same, to be read in any order; the caller closes it. Raises OSError."""
        area = self._area
        flags = os.O_RDONLY | os.O_NOFOLLOW
        if self.name:
            return os.fdopen(area.disk.open(self.name, flags, dir_fd=area.fd), "rb")
        # a position of its own, which a copy of the descriptor has not
        return os.fdopen(area.disk.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY), "rb")

    def publish(self, name: str, folder: int) -> None:
        """Give it its final name in the folder with that descriptor. Raises OSError.

        Only links: the folder's own sync is the caller's, once for all documents of a submission.
        """
        area = self._area
        if self.name:
            area.disk.rename(self.name, name, src_dir_fd=area.fd, dst_dir_fd=folder)
            self.name = ""
        else:
            # linkat() needs a directory descriptor on the right-hand side to follow /proc/self/fd.
            area.disk.link(f"/proc/self/fd/{self._fd}", name, dst_dir_fd=folder)

    def discard(self) -> None:
        """Release descriptor and name. Never raises; a published document stays."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            disk.close(fd)
            self._area.held(-1)
        if self.name:
            name, self.name = self.name, ""
            self._area.drop(name)


class IncomingDocument:
    """A document being received: `xdsi.plug.StagingFile`. Used by one thread at a time."""

    def __init__(self, area: "StagingArea", fd: int, name: str) -> None:
        self._area, self._fd, self._name = area, fd, name
        self._size = self._synced = 0
        sha1 = hashlib.sha1(usedforsecurity=False)
        self._digests = Digests(area.hashing, sha1, hashlib.sha256(), Seal())

    def write(self, data: bytes, /) -> None:
        """Append. Raises XDSRepositoryOutOfResources or XDSRepositoryError, and is gone then."""
        limit = self._area.limit
        if self._size + len(data) > limit:
            self.discard()
            raise XDSRepositoryError(
                "document", f"larger than the limit of {limit} octets", rule="SEC-T-040"
            )
        try:
            self._digests.update(data)
            disk.write_all(self._area.disk, self._fd, data)
        except OSError as error:
            self.discard()
            raise disk.failure(error, "writing") from error
        self._size += len(data)
        if self._size - self._synced >= _SYNC:
            disk.begin_sync(self._fd, self._synced, self._size - self._synced)
            self._synced = self._size

    def finish(self) -> StagedDocument:
        """What was received, on the disk. Raises as `write`."""
        area = self._area
        try:
            # Once only: after a failed sync the kernel may have dropped the pages, and a second
            # one would call lost data safe.
            area.disk.fsync(self._fd)
        except OSError as error:
            self.discard()
            raise disk.failure(error, "syncing") from error
        fd, name = self._fd, self._name
        self._fd, self._name = -1, ""
        if name:
            disk.close(fd)
            fd = -1
            area.held(-1)
        return StagedDocument(area, fd, name, self._size, self._digests.hex())

    def discard(self) -> None:
        """Forget it. Never raises; does nothing after `finish`."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            disk.close(fd)
            self._area.held(-1)
        if self._name:
            name, self._name = self._name, ""
            self._area.drop(name)


class StagingArea:
    """The staging folder of this process: `xdsi.plug.Staging`.

    root: folder of all processes' staging folders, on the file system of the store
    limit: octets of one document (SEC-T-040)
    hashing: threads for hashing
    unnamed: use O_TMPFILE; None finds out
    """

    def __init__(
        self,
        root: Path,
        limit: int,
        hashing: Executor,
        *,
        unnamed: bool | None = None,
        calls: Disk = os,
    ) -> None:
        self.root, self.limit, self.hashing, self.disk = root, limit, hashing, calls
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = root / secrets.token_hex(16)
        self.folder.mkdir(mode=0o700)
        self.fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self._lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=self.fd)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.unnamed = self._can_be_unnamed() if unnamed is None else unnamed
        # An unnamed document costs a descriptor until it is published, and one submission may
        # bring 1,000 of them: the rest of the process must keep its share.
        self._budget = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4
        self._held, self._counting = 0, Lock()

    def _can_be_unnamed(self) -> bool:
        name = secrets.token_hex(16)
        try:
            fd = os.open(self.folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        except OSError:
            return False
        try:
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=self.fd)
            os.unlink(name, dir_fd=self.fd)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def create(self) -> IncomingDocument:
        """A new document. Raises XDSRepositoryOutOfResources or XDSRepositoryError."""
        try:
            if self.unnamed and self._held < self._budget:
                name = ""
                fd = self.disk.open(str(self.folder), os.O_TMPFILE | os.O_RDWR, 0o600)
            else:
                name = secrets.token_hex(16)
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                fd = self.disk.open(name, flags, 0o600, dir_fd=self.fd)
        except OSError as error:
            raise disk.failure(error, "opening a new document") from error
        self.held(1)
        return IncomingDocument(self, fd, name)

    def stage(self, opened: Callable[[], Reader]) -> StagedDocument:
        """A document of a caller in this process, staged. Raises as `create` and `write`."""
        incoming = self.create()
        try:
            source = opened()
            try:
                while data := source.read(_CHUNK):
                    incoming.write(as_bytes(data))
            finally:
                source.close()
            return incoming.finish()
        except OSError as error:
            raise disk.failure(error, "reading the document") from error
        finally:
            incoming.discard()

    def discard(self, staged: Iterable[Staged], /) -> None:
        """Release what was staged here; what was published stays. Never raises."""
        for each in staged:
            if isinstance(each, StagedDocument):
                each.discard()

    def held(self, change: int) -> None:
        """Count descriptors held for documents."""
        with self._counting:
            self._held += change

    def drop(self, name: str) -> None:
        """Remove a named document; what cannot be removed now is swept later."""
        try:
            self.disk.unlink(name, dir_fd=self.fd)
        except OSError:
            _log.warning("a staged document could not be removed", exc_info=True)

    def sweep(self, older: float) -> int:
        """Remove what dead processes left and nobody touched for `older` seconds; how many files.

        A folder whose lock is held belongs to a process that lives and is not looked into.
        """
        return sum(
            _sweep(folder, time.time() - older)
            for folder in self.root.iterdir()
            if folder != self.folder and folder.is_dir() and not folder.is_symlink()
        )

    def close(self) -> None:
        """Release the lock and all that is staged here."""
        if self.fd < 0:
            return
        os.close(self._lock)
        os.close(self.fd)
        self.fd = -1
        _sweep(self.folder, math.inf)


def _sweep(folder: Path, before: float) -> int:
    """Remove files last written before the time `before` (epoch) from a folder nobody locks."""
    count = 0
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0  # its owner is just starting, or another process has just swept it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        others = [each for each in folder.iterdir() if each.name != LOCK]
        old = [each for each in others if each.lstat().st_mtime < before]
        is_done = len(old) == len(others) and (folder / LOCK).stat().st_mtime < before
        for each in old:
            each.unlink()
            count += 1
        if is_done:
            (folder / LOCK).unlink()
            folder.rmdir()
    except BlockingIOError:
        pass
    except OSError:
        _log.warning("a staging folder could not be swept", exc_info=True)
    finally:
        os.close(lock)
    return count
