"""Disk space for what must lie somewhere between a partner and a client."""

import io
import os
from dataclasses import dataclass, field
from tempfile import mkstemp
from threading import RLock
from typing import BinaryIO

from xdsi.model.messages import Octets


class NoRoom(OSError):
    """All the space there may be is taken, or the disk is full."""


@dataclass(slots=True)
class Room:
    """How much all scratch files of an owner may hold together, in octets, and where they lie.

    folder: None: where temporary files go
    """

    limit: int
    folder: str | None = None
    taken: int = 0
    # a file may be found forgotten while room is taken for another
    _lock: RLock = field(default_factory=RLock)

    def take(self, size: int) -> None:
        """Reserve. Raises NoRoom."""
        with self._lock:
            if self.taken + size > self.limit:
                raise NoRoom(f"more than {self.limit} bytes in temporary files")
            self.taken += size

    def give(self, size: int) -> None:
        with self._lock:
            self.taken -= size


class Scratch(io.FileIO):
    """A temporary file without a name: gone when it is closed.

    Raises NoRoom when it is made or written to and there is no space for it.
    """

    def __init__(self, room: Room) -> None:
        self._room, self._size = room, 0
        try:
            handle, name = mkstemp(prefix="xdsi-", dir=room.folder)
        except OSError as error:
            raise NoRoom(f"no temporary file can be made: {error.strerror}") from error
        os.unlink(name)
        super().__init__(handle, "r+")

    def append(self, data: Octets) -> None:
        """Write all of it behind what is there."""
        self._room.take(len(data))
        self._size += len(data)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            raise NoRoom(f"a temporary file cannot be written: {error.strerror}") from error

    def cut(self, size: int) -> None:
        """Forget everything from this octet on."""
        self.truncate(size)
        self.seek(size)
        self._room.give(self._size - size)
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def close(self) -> None:
        if not self.closed:
            self._room.give(self._size)
        super().close()


@dataclass(slots=True)
class Region:
    """A reader of `left` octets of a scratch file from `at` on; many may read at once.

    owner: closes the file once nobody refers to it
    """

    file: Scratch
    at: int
    left: int
    owner: object

    def read(self, n: int, /) -> bytes:
        block = os.pread(self.file.fileno(), min(n, self.left), self.at)
        self.at += len(block)
        self.left -= len(block)
        return block

    def close(self) -> None:
        pass


def readable(file: Scratch) -> BinaryIO:
    """The file from its start, as a stream to be read in any order; it closes the file."""
    file.seek(0)
    return io.BufferedReader(file)
