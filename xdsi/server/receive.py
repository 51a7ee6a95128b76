"""Requests on their way in: body, multipart, documents into staging.

The event loop only collects chunks (`Incoming`); a worker thread takes them in batches, splits
multipart bodies, takes inline documents out of envelopes and writes documents to the actor's
staging (`Intake`). While one batch is worked on the next is collected, never more: a slow disk
slows the sender down. Memory per request: two batches and the envelope.
Source: ITI TF-2 V.8; SEC-T-018, SEC-T-032, SEC-T-034, SEC-T-038 to SEC-T-041, SEC-T-090 to
SEC-T-097; RET-062, RET-063.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from xdsi.config import Limits
from xdsi.model.errors import SoapFault
from xdsi.plug import Actor, Call
from xdsi.server import front, record
from xdsi.server.dispatch import Dispatcher, Opened
from xdsi.server.documents import Documents
from xdsi.server.exchange import Exchange, Reply
from xdsi.server.faults import HttpError
from xdsi.wire import inline, mime
from xdsi.wire.inline import InlineDocuments
from xdsi.wire.media import MediaType, Packaging, media_type
from xdsi.wire.mime import MimeLimits, PartData, PartStart
from xdsi.wire.safexml import XmlLimits

# Octets handed to a worker thread at once. Time goes by the batch and memory by its size, so all
# that come in at a moment share the most (bench: iti41-large, memory).
MOST, LEAST = 1024 * 1024, 256 * 1024
_SMALL = 64 * 1024  # an envelope up to this size is looked at as a whole

Receive = Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class Incoming:
    """The body of one request as the loop gets it, with the patience a client may expect.

    length: its Content-Length, None without
    is_done: the last octet has come
    """

    receive: Receive
    limits: Limits
    exchange: Exchange
    length: int | None = None
    is_done: bool = False
    _got: int = 0
    _left: float = field(init=False)
    _window: int = 0

    def __post_init__(self) -> None:
        # The grace, then the first window in which the rate counts (SEC-T-032).
        self._left = 2 * self.limits.body_grace

    async def batch(self, most: int) -> list[bytes]:
        """The next chunks, up to the one with which they are `most` octets, or what is left.

        Less at the beginning: what is refused there is refused before much of it has come.

        Raises HttpError 408 when the client is slower than the rate allows, 400 when the body
        breaks off.
        """
        octets = min(most, max(LEAST, self._got // 4))
        chunks: list[bytes] = []
        size = 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._left) as clock:
                while size < octets and not self.is_done:
                    chunk = await self._chunk()
                    if chunk:
                        chunks.append(chunk)
                        size += len(chunk)
                        self._window += len(chunk)
                        if self._window >= self.limits.body_rate * self.limits.body_grace:
                            began, self._window = loop.time(), 0
                            self._left = self.limits.body_grace
                            clock.reschedule(began + self._left)
        except TimeoutError:
            raise HttpError(408, "the body comes too slowly; send it again") from None
        # Only waiting for the client counts, not the time until the next batch is asked for.
        self._left -= loop.time() - began
        return chunks

    async def drop(self, octets: int, seconds: float) -> None:
        """Read past what still comes, so that the client gets to see its answer."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_done and octets > 0:
                    octets -= len(await self._chunk())
        except (TimeoutError, HttpError):
            return

    async def _chunk(self) -> bytes:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            self.is_done = True
            raise HttpError(400, "the body ends too early or its chunks are malformed")
        data: bytes = message.get("body", b"")
        self._got += len(data)
        self.exchange.bytes_in = self._got
        # The message that tells the end need not be waited for when the length is known.
        self.is_done = self._got == self.length or not message.get("more_body", False)
        return data


class Presence:
    """Tells whether the client has gone away. Looked for from the first question on.

    It can be known only once the whole body has come; until then the answer is no.
    """

    __slots__ = ("_incoming", "_is_gone", "_loop", "_watching")

    def __init__(self, incoming: Incoming) -> None:
        self._loop, self._incoming = asyncio.get_running_loop(), incoming
        self._is_gone = False
        self._watching: asyncio.Task[None] | None = None

    def __call__(self) -> bool:
        """May be called in any thread."""
        if self._watching is None and self._incoming.is_done:
            self._loop.call_soon_threadsafe(self._start)
        return self._is_gone

    def _start(self) -> None:
        if self._watching is None:
            self._watching = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._incoming.receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True

    def stop(self) -> None:
        """Look no longer."""
        if self._watching is not None:
            self._watching.cancel()


class Intake:
    """One request as worker threads take it in: `feed` in order, `finish` once, then `discard`.

    keep: whether envelope and documents are wanted for the record
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        actor: Actor,
        media: MediaType,
        limits: Limits,
        exchange: Exchange,
        *,
        keep: bool = False,
    ) -> None:
        self._dispatcher, self._exchange, self._limits = dispatcher, exchange, limits
        self._documents = Documents(actor, limits)
        if not any(route.transaction.carries_documents for route in actor.routes):
            self._documents.is_wanted = False  # what its staging takes comes another way
        self._charset = media.charset
        self._keep = keep
        self._envelope: list[bytes] = []
        self._size = 0
        self._most = self._left = front.largest(actor, exchange.packaging, limits)
        self._opened: Opened | None = None
        self._inline: InlineDocuments | None = None
        self._scanner: mime.Scanner | None = None
        self._in_root = False
        self._is_root_whole = False
        self._is_enough = False
        if exchange.packaging is Packaging.MTOM:
            parts = MimeLimits(limits.parts, limits.part_header_block, limits.part_headers)
            self._scanner = mime.mtom_scanner(media, parts)

    def feed(self, chunks: Iterable[bytes]) -> bool:
        """Take the next chunks; true when nothing that may follow can change the answer.

        Raises SoapFault.
        """
        for chunk in chunks:
            # Whatever it is: blanks in base64 and what follows the last part lead to no event.
            self._left -= len(chunk)
            # An inline document that is refused is read past, so that its envelope can be
            # answered; as much again may follow.
            is_refused = self._documents.refusal is not None
            if self._left < (-self._most if is_refused else 0):
                raise SoapFault("Sender", f"the body is above the limit of {self._most} octets")
            if self._scanner is None:
                self._root(chunk)
            else:
                for event in self._scanner.feed(chunk):
                    self._part(event)
        self._is_enough = (
            self._documents.refusal is not None
            and self._opened is not None
            and self._opened.route.transaction.carries_documents
        )
        return self._is_enough

    @property
    def held(self) -> int:
        """Octets of the envelope in memory."""
        return self._size

    def finish(self, call: Call) -> Reply:
        """The answer to the whole request, or to as much of it as `feed` found enough.

        Raises SoapFault and whatever is no finding.
        """
        if not self._is_enough:
            if self._scanner is None:
                self._end_root()
            else:
                for event in self._scanner.close():
                    self._part(event)
        opened, documents = self._open(), self._documents
        carries = opened.route.transaction.carries_documents
        if self._keep:
            self._exchange.parts = record.parts(documents.parts, self._exchange.ticket)
        return self._dispatcher.answer(
            opened, documents.parts, call, documents.refusal if carries else None
        )

    def discard(self) -> None:
        """Release staging and whatever is open. Never raises."""
        self._documents.discard()

    def _part(self, event: mime.Event) -> None:
        if isinstance(event, PartData):
            if self._in_root:
                self._root(bytes(event.data))
            else:
                self._documents.write(event.data)
        elif isinstance(event, PartStart):
            self._in_root = event.is_root
            if not event.is_root:
                self._other_part(event)
            elif event.content_type is not None:
                self._charset = media_type(event.content_type).charset
        elif self._in_root:
            self._end_root()
        else:
            self._documents.end()

    def _other_part(self, event: PartStart) -> None:
        if self._is_root_whole and self._opened is None:
            # Known early: a bad envelope is refused, and documents nobody wants are not kept.
            carries = self._open().route.transaction.carries_documents
            self._documents.is_wanted = self._documents.is_wanted and carries
        if event.content_id is None:
            raise SoapFault("Sender", f"part {event.index + 1} has no Content-ID")
        self._documents.start(event.content_id)

    def _root(self, data: bytes) -> None:
        """The next bytes of the envelope; inline documents are taken out of a big one."""
        if self._inline is not None:
            self._inlined(self._inline.feed(data))
        elif self._documents.is_wanted and self._size + len(data) > _SMALL:
            self._envelope.append(data)
            self._separate()
        else:
            self._kept(data)

    def _end_root(self) -> None:
        if self._inline is None and self._documents.is_wanted:
            whole = b"".join(self._envelope)
            self._envelope = [whole]
            # A small envelope without documents needs no pre-pass.
            if inline.may_hold_documents(whole):
                self._separate()
        if self._inline is not None:
            self._inlined(self._inline.close())
            self._inline = None
        self._is_root_whole = True

    def _separate(self) -> None:
        """Take inline documents out of the envelope from its beginning on."""
        limits = self._limits
        self._inline = InlineDocuments(
            XmlLimits(envelope=limits.envelope, depth=limits.depth, text=limits.text),
            documents=limits.parts,
        )
        whole = b"".join(self._envelope)
        self._envelope.clear()
        self._size = 0
        self._inlined(self._inline.feed(whole))

    def _inlined(self, events: Iterable[inline.Event]) -> None:
        documents = self._documents
        for event in events:
            if isinstance(event, inline.Kept):
                self._kept(event.data)
            elif isinstance(event, inline.DocumentData):
                documents.write(event.data)
            elif isinstance(event, inline.DocumentStart):
                documents.start(event.cid)
            else:
                documents.end()

    def _kept(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limits.envelope:
            raise SoapFault("Sender", f"the envelope is above {self._limits.envelope} bytes")
        self._envelope.append(data)

    def _open(self) -> Opened:
        if self._opened is None:
            envelope = b"".join(self._envelope)
            self._envelope.clear()
            if self._keep:
                self._exchange.request = envelope
            self._opened = self._dispatcher.open(envelope, self._charset, self._exchange)
        return self._opened
