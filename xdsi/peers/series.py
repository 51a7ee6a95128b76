"""The instances of a series out of one answer, which costs most archives far less than one each.

They come in any order. One that is wanted now is passed on while it comes; those wanted later wait
on disk. Whatever is wrong with the answer ends it: what is still missing is then asked for singly,
also the rest of the one that is passed on, and what is said there counts.
"""

import weakref
from array import array
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xdsi.model.messages import Octets, Reader
from xdsi.peers.scratch import NoRoom, Region, Room, Scratch
from xdsi.peers.wado import Parts
from xdsi.plug import ArchiveError

_BLOCK = 256 * 1024


class SeriesAnswer:
    """One answer with all of a series; any number of threads may use it.

    parts: the answer
    wanted: transfer syntax by SOP Instance UID of those that will be taken, None where any will do
    room: for those that come too early
    """

    def __init__(self, parts: Parts, wanted: Mapping[str, str | None], room: Room) -> None:
        self._parts, self._wanted, self._room = parts, dict(wanted), room
        self._early: dict[str, tuple[int, int]] = {}  # where they lie: start and size
        self._spooled: list[Scratch] = []
        self._is_busy = self._is_over = False
        self._guard = Lock()
        weakref.finalize(self, _close, parts, self._spooled)

    def take(self, uid: str, singly: Callable[[], Reader]) -> Reader | None:
        """A reader of an instance; None when it must be asked for singly.

        singly: does so, and raises ArchiveError
        """
        with self._guard:
            if uid in self._early:
                start, size = self._early.pop(uid)
                return Region(self._spooled[0], start, size, owner=self)
            if self._is_over or self._is_busy or uid not in self._wanted:
                return None
            try:
                return self._found(uid, singly)
            except (ArchiveError, NoRoom):
                self._end()
                return None

    def _found(self, uid: str, singly: Callable[[], Reader]) -> Reader | None:
        while (part := self._parts.next()) is not None:
            syntax = self._wanted.pop(part.uid, "")
            if part.uid == uid:
                if syntax not in (None, part.syntax):
                    return None
                self._is_busy = True
                return Passing(self, singly)
            if syntax in (None, part.syntax):
                self._spool(part.uid)
        self._end()
        return None

    def _spool(self, uid: str) -> None:
        if not self._spooled:
            self._spooled.append(Scratch(self._room))
        (file,) = self._spooled
        start = file.size
        while block := self._parts.read(_BLOCK):
            file.append(block)
        self._early[uid] = start, file.size - start

    def _end(self) -> None:
        self._is_over = True
        self._parts.close()

    def read(self, n: int, /) -> Octets:
        """Of the instance that is passed on. Raises ArchiveError."""
        try:
            return self._parts.read(n)
        except ArchiveError:
            with self._guard:
                self._end()
            raise

    def passed(self) -> None:
        """The instance that is passed on is not read any more."""
        with self._guard:
            self._is_busy = False


_OWN = AESGCM(AESGCM.generate_key(128))  # of this process; no tag ever leaves it


class _Trail:
    """Knows the octets again that went by.

    Each block's tag (GMAC) begins the next one's. That costs a tenth of a hash, and less than to
    begin a seal for each small instance (bench: wado-rs-orthanc).
    """

    def __init__(self) -> None:
        self._mark, self._sizes = bytes(16), array("Q")

    def note(self, block: Octets) -> None:
        self._mark = _OWN.encrypt(self._mark[:12], b"", block)
        self._sizes.append(len(block))

    def leads_along(self, reader: Reader) -> bool:
        """Whether the same octets come from there."""
        again = _Trail()
        for size in self._sizes:
            got = bytearray()
            while len(got) < size and (block := reader.read(size - len(got))):
                got += block
            again.note(bytes(got))
        return again._mark == self._mark


class Answer(Protocol):
    """Instances that come one after the other; `read` raises ArchiveError."""

    def read(self, n: int, /) -> Octets: ...
    def passed(self) -> None: ...


class Passing:
    """A reader of the instance that comes at the moment.

    singly: asks for it alone, and raises ArchiveError
    """

    def __init__(self, answer: Answer, singly: Callable[[], Reader]) -> None:
        self._answer, self._singly = answer, singly
        self._rest: Reader | None = None  # what comes instead, once the answer has broken off
        self._is_closed = False
        self._trail = _Trail()
        # Noted when it turns out not to be the last: most images are a block or two.
        self._last: Octets = b""

    def read(self, n: int, /) -> Octets:
        if self._is_closed:
            raise OSError("read after it was closed")
        if self._rest is None:
            try:
                block = self._answer.read(n)
            except ArchiveError:
                self._note_last()
                self._rest = self._again()
            else:
                if block:
                    self._note_last()
                self._last = block
                return block
        return self._rest.read(n)

    def _note_last(self) -> None:
        if self._last:
            self._trail.note(self._last)
            self._last = b""

    def _again(self) -> Reader:
        """The same instance, asked for singly, behind what was read of it. Raises OSError."""
        try:
            reader = self._singly()
        except ArchiveError as error:
            raise OSError(f"the archive did not send it to its end: {error}") from error
        try:
            if not self._trail.leads_along(reader):
                raise OSError("the archive sends other octets when it is asked again")
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        if self._rest is not None:
            self._rest.close()
        if not self._is_closed:
            self._is_closed, self._last = True, b""
            self._answer.passed()


def _close(parts: Parts, spooled: list[Scratch]) -> None:
    parts.close()
    for file in spooled:
        file.close()
