"""The system calls documents depend on, and what their failures mean to a caller."""

import ctypes
import errno
import logging
import os
from typing import Protocol

from xdsi.model.errors import XDSError, XDSRepositoryError, XDSRepositoryOutOfResources

_log = logging.getLogger("xdsi.files")

# SEC-T-016: these end with time or an operator's help; everything else is the disk itself.
_RESOURCES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Disk(Protocol):
    """The module `os` is one; tests give one whose n-th call fails (SEC-T-181)."""

    def open(self, path: str, flags: int, mode: int = ..., *, dir_fd: int | None = ...) -> int: ...
    def write(self, fd: int, data: memoryview, /) -> int: ...
    def pread(self, fd: int, length: int, offset: int, /) -> bytes: ...
    def fsync(self, fd: int) -> None: ...
    def link(
        self, src: str, dst: str, *, src_dir_fd: int | None = ..., dst_dir_fd: int | None = ...
    ) -> None: ...
    def rename(
        self, src: str, dst: str, *, src_dir_fd: int | None = ..., dst_dir_fd: int | None = ...
    ) -> None: ...
    def unlink(self, path: str, *, dir_fd: int | None = ...) -> None: ...


class FileReader:
    """An open file with a position of its own. Owns the descriptor."""

    def __init__(self, fd: int, disk: Disk) -> None:
        self._fd, self._disk, self._position = fd, disk, 0

    def read(self, n: int, /) -> bytes:
        data = self._disk.pread(self._fd, n, self._position)
        self._position += len(data)
        return data

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            close(fd)


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Write every octet; a disk that is nearly full takes some and then refuses."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]


_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux has it
_WRITE = 2  # SYNC_FILE_RANGE_WRITE


def begin_sync(fd: int, start: int, length: int) -> None:
    """Have the kernel write these octets to the disk from now on; does not wait for it.

    Only so that less is left for `fsync`, which alone makes data safe and tells failures: as with
    the kernel's own writing in the background, none is lost for not being looked at here.
    """
    if _sync_file_range is not None:
        _sync_file_range(fd, ctypes.c_int64(start), ctypes.c_int64(length), _WRITE)


def close(fd: int) -> None:
    """Close without a word: what counts was synced before, or is thrown away."""
    try:
        os.close(fd)
    except OSError:
        _log.warning("a descriptor could not be closed", exc_info=True)


def failure(error: OSError, doing: str) -> XDSError:
    """The error a caller is told when the store failed while `doing` something (SEC-T-016).

    Says what kind of failure, never a path (SEC-T-057).
    """
    what = errno.errorcode.get(error.errno or 0, "unknown error")
    if error.errno in _RESOURCES:
        return XDSRepositoryOutOfResources(
            "document store",
            f"{doing} failed ({what}); nothing was kept, try again later",
            rule="SEC-T-016",
        )
    return XDSRepositoryError(
        "document store", f"{doing} failed ({what}); nothing was kept", rule="SEC-T-016"
    )
