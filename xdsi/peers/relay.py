"""Documents of a partner's answer, passed on while they come.

The envelope comes first and is read as a whole; documents then wait on the line until somebody
reads them. Whoever reads one takes the next octets off the line; those of another document go to
the disk meanwhile, so that any order is good and only the partner's own needs no disk. Who reads
slowly holds the partner up, and no octet more is in memory.
Source: XC-048, XC-068, IMG-138, IMG-175; design.md section 4 (plan, then stream).
"""

import os
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import RLock
from time import monotonic

import requests

from xdsi.model.errors import SoapFault
from xdsi.peers.errors import reason
from xdsi.peers.incoming import Incoming
from xdsi.peers.scratch import NoRoom, Room, Scratch
from xdsi.peers.session import Body, Patience

_CHUNK = 512 * 1024  # octets taken off the line at once (bench: gateway-large)
_READS = 16  # so often at most behind the last document


_BROKEN = (OSError, SoapFault)


@dataclass(slots=True, eq=False)
class _Document:
    """What has come of one and was not read.

    early: where its first octets lie on disk; promised: octets it says it has
    """

    early: tuple[int, int] = (0, 0)  # start and size
    waiting: deque[bytes] = field(default_factory=deque)
    promised: int | None = None
    is_named: bool = True
    has_begun: bool = False
    is_whole: bool = False
    is_read: bool = False


class Arrived:
    """What has come of all documents: the sink of an answer. Knows nothing of the line."""

    def __init__(self, room: Room) -> None:
        self.documents: dict[str, _Document] = {}
        self.scratch: list[Scratch] = []  # one file for all, once there is something
        self._room = room
        self._current = _Document()
        self._waiting: list[_Document] = []  # with octets in memory, in the order they came

    def begin(self, content_id: str | None, size: int | None, /) -> None:
        nameless = _Document(is_named=False)
        document = nameless if content_id is None else self.document(content_id)
        # nobody can name one without Content-ID (RET-064), or a second one with the same
        self._current = nameless if document.has_begun else document
        self._current.has_begun, self._current.promised = True, size
        self._waiting.append(self._current)

    def document(self, content_id: str) -> _Document:
        return self.documents.setdefault(content_id, _Document())

    def write(self, data: bytes, /) -> None:
        self._current.waiting.append(data)

    def end(self) -> None:
        self._current.is_whole = True

    def put_aside(self, wanted: _Document | None) -> None:
        """Whatever waits in memory and is not wanted now goes to the disk. Raises NoRoom."""
        for each in self._waiting:
            if each is not wanted:
                self._put_aside(each)
        self._waiting = [each for each in self._waiting if each.waiting or not each.is_whole]

    def _put_aside(self, document: _Document) -> None:
        if not document.is_named:
            document.waiting.clear()
        while document.waiting:
            if not self.scratch:
                self.scratch.append(Scratch(self._room))
            (file,) = self.scratch
            end = file.size
            start, size = document.early
            try:
                file.append(document.waiting[0])
            except NoRoom:
                with suppress(OSError):
                    file.cut(end)
                raise
            size += len(document.waiting.popleft())
            document.early = (end if size == file.size - end else start, size)


class Relay:
    """The documents of one answer; any number of threads may read them.

    response: its head was read; incoming: fed here, with `arrived` as its sink
    is_over: nothing more comes; failure: why not all documents came, "" when they did
    The line is closed when nobody has the relay or a document of it any more.
    """

    def __init__(
        self, response: requests.Response, incoming: Incoming, arrived: Arrived, patience: Patience
    ) -> None:
        self.failure = ""
        self._response, self._incoming, self._arrived = response, incoming, arrived
        self._body, self._patience, self._stopped = Body(response, patience), patience, monotonic()
        self.is_over = False
        self._unread = 0
        self._guard = RLock()
        weakref.finalize(self, _close, response, arrived.scratch)

    def until(self, is_there: Callable[[], bool]) -> None:
        """Read on until that is so, or the end. Raises what goes wrong on the line or in it."""
        while not is_there() and not self.is_over:
            self._more(None)

    def fetch(self) -> None:
        """Put all documents on disk, as far as there is room.

        What is not there then will come later, or not at all if there is a `failure`.
        """
        with self._guard:
            try:
                self.until(lambda: False)
                self._arrived.put_aside(None)
            except NoRoom:
                return
            except _BROKEN as error:
                self.failure = _why(error)
                self._end()

    def get(self, content_id: str) -> "Part":
        """A document, whether it has come or not."""
        self._unread += 1
        return Part(self, self._arrived.document(content_id))

    def _more(self, wanted: _Document | None) -> None:
        self._arrived.put_aside(wanted)
        self._patience.rested(monotonic() - self._stopped)
        try:
            if chunk := self._body.read1(_CHUNK):
                self._incoming.feed(chunk)
            else:
                self.is_over = True
                self._incoming.close()
        finally:
            self._stopped = monotonic()

    def take(self, document: _Document, n: int) -> bytes:
        """The next octets of a document, b"" behind it. Raises OSError."""
        with self._guard:
            try:
                while not document.early[1] and not document.waiting and not document.is_whole:
                    if self.is_over:
                        raise OSError(self.failure or "the answer ended before it")
                    self._more(document)
            except _BROKEN as error:
                self._end()
                raise OSError(f"the answer broke off: {_why(error)}") from error
            if document.early[1]:
                start, size = document.early
                block = os.pread(self._arrived.scratch[0].fileno(), min(n, size), start)
                document.early = (start + len(block), size - len(block))
                return block
            if document.waiting:
                block = document.waiting.popleft()
                if len(block) > n:
                    document.waiting.appendleft(block[n:])
                return block[:n]
            if not document.is_read:
                document.is_read = True
                self._unread -= 1
                self._finish()
            return b""

    def _end(self) -> None:
        self.is_over = True
        self._response.close()

    def _finish(self) -> None:
        """Behind the last document: read what little follows, so that the connection is kept."""
        if self._unread:
            return
        try:
            for _ in range(_READS):
                if self.is_over:
                    return
                self._more(None)
        except _BROKEN:
            self._end()


@dataclass(frozen=True, slots=True)
class Part:
    """One document. size: octets; None while it is not there as a whole and has not told"""

    relay: Relay
    document: _Document

    @property
    def size(self) -> int | None:
        document = self.document
        if not document.is_whole:
            return None if self.relay.is_over else document.promised
        return document.early[1] + sum(map(len, document.waiting))

    def open(self) -> "Part":
        """Its octets, for one reader."""
        return self

    def read(self, n: int, /) -> bytes:
        return self.relay.take(self.document, n)

    def close(self) -> None:
        """The line goes on to what comes next."""


def _why(error: Exception) -> str:
    if isinstance(error, SoapFault):
        return error.reason
    text = reason(error)
    return str(error) if text == type(error).__name__ else text


def _close(response: requests.Response, scratch: list[Scratch]) -> None:
    response.close()
    for each in scratch:
        each.close()
