"""HL7 v2 over MLLP: connections that bring one message after the other, each answered in turn.

Messages are handled like requests: in the same threads, counted and logged alike. What is no frame
ends its connection, since nothing behind it can be told apart.
Source: ITI TF-2 3.8, C.2 (PIF-010, PIF-017, PIF-055); SEC-T-019, SEC-T-032, SEC-T-161.
"""

import asyncio
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from xdsi.config import Limits, Server
from xdsi.model.identity import Acknowledgement
from xdsi.plug import Feed
from xdsi.server import faults, log
from xdsi.server.app import Node
from xdsi.server.exchange import MLLP, Exchange
from xdsi.server.faults import Busy
from xdsi.server.front import Proxies
from xdsi.standard import hl7
from xdsi.standard.transactions import PATIENT_IDENTITY_FEED
from xdsi.wire.hl7v2 import Header, Refused, acknowledgement_to_er7, header_of
from xdsi.wire.mllp import BrokenFrame, Frames, framed

_BLOCK = 64 * 1024
_HANDSHAKE_SECONDS = 10.0
_SEND_SECONDS = 10.0
_LINGER_SECONDS = 2.0


class Mllp:
    """The feed of one process."""

    def __init__(self, feed: Feed, node: Node, server: Server, limits: Limits) -> None:
        """Raises OSError when the certificate cannot be used."""
        self._feed, self._node, self._limits = feed, node, limits
        self._context = _context(server)
        self._is_mutual = server.client_ca is not None
        self._proxies = Proxies(server.proxies)
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def start(self, listener: socket.socket) -> None:
        """Accept connections. listener: bound and not blocking; closed by `stop`."""
        seconds = None if self._context is None else _HANDSHAKE_SECONDS
        self._listening = await asyncio.start_server(
            self._serve,
            sock=listener,
            limit=_BLOCK,
            ssl=self._context,
            ssl_handshake_timeout=seconds,
        )

    async def stop(self, seconds: float) -> None:
        """Accept no more, close what is idle, and answer what was received."""
        self._is_stopping = True
        if self._listening is not None:
            self._listening.close()
        for task in self._open - self._busy:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)

    def admits(self, peer: str) -> bool:
        """Certificates let in; without them the machine itself and the proxies in front."""
        return self._is_mutual or self._proxies.admits(peer)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as one
        peer = (writer.get_extra_info("peername") or ("0.0.0.0",))[0]  # noqa: S104 - gone already
        is_full = len(self._open) >= self._limits.feed_connections
        if self._is_stopping or is_full or not self.admits(peer):
            log.event("feed connection refused", peer=peer, open=len(self._open))
            writer.close()
            return
        self._open.add(task)
        try:
            await _Conversation(self, reader, writer, peer, task).hold()
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the other side has gone away, or the node stops
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_SEND_SECONDS):
                    await writer.wait_closed()
            writer.transport.abort()


class _Conversation:
    """One connection."""

    def __init__(
        self,
        mllp: Mllp,
        reader: StreamReader,
        writer: StreamWriter,
        peer: str,
        task: asyncio.Task[None],
    ) -> None:
        self._mllp, self._reader, self._writer = mllp, reader, writer
        self._peer, self._task = peer, task

    async def hold(self) -> None:
        """Until either side ends it. Raises OSError when the connection breaks."""
        limits = self._mllp._limits
        frames = Frames(limits.feed_message)
        began: float | None = None
        while not self._mllp._is_stopping:
            until = monotonic() + limits.feed_idle if began is None else began + limits.feed_seconds
            try:
                async with asyncio.timeout(max(0.0, until - monotonic())):
                    data = await self._reader.read(_BLOCK)
            except TimeoutError:
                if began is not None:
                    self._tell(f"a message took longer than {limits.feed_seconds:g} s")
                return
            if not data:
                if began is not None:
                    self._tell("ended inside a message")
                return
            try:
                for message in frames.feed(data):
                    began = None
                    await self._take(message)
            except BrokenFrame as error:
                self._tell(error.problem)
                if error.begun:
                    await self._refuse(error)
                    await self._linger()
                return
            if not frames.is_begun:
                began = None
            elif began is None:
                began = monotonic()

    def _tell(self, problem: str) -> None:
        log.event("feed connection closed", peer=self._peer, problem=problem)

    async def _take(self, message: bytes) -> None:
        """One message and its acknowledgement."""
        header = header_of(message)
        exchange = self._exchange(message, header.field(10))
        node, feed = self._mllp._node, self._mllp._feed
        self._mllp._busy.add(self._task)
        try:
            try:
                work = partial(faults.fed, feed, message, header, exchange)
                answer = await node.perform(exchange, work)
            except Busy:
                problem = "too much in flight; send the message again"
                answer = Refused(hl7.INTERNAL, problem, is_rejected=True)
                faults.note_refusal(answer, exchange)
            await self._send(header, answer, exchange)
        finally:
            await node.finished(exchange)
            self._mllp._busy.discard(self._task)

    async def _refuse(self, error: BrokenFrame) -> None:
        """Answer what had begun, as far as its header says who it is from."""
        header = header_of(error.begun)
        answer = Refused(hl7.SEGMENT_SEQUENCE, f"frame: {error.problem}", is_rejected=True)
        exchange = self._exchange(error.begun, header.field(10))
        faults.note_refusal(answer, exchange)
        try:
            await self._send(header, answer, exchange)
        finally:
            await self._mllp._node.finished(exchange)

    async def _linger(self) -> None:
        """Read what is still coming: closed over it, the answer would be lost on its way."""
        with suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(_BLOCK):
                    pass

    def _exchange(self, message: bytes, control_id: str) -> Exchange:
        exchange = Exchange(MLLP, peer=self._peer)
        exchange.request = message
        exchange.transaction, exchange.bytes_in = PATIENT_IDENTITY_FEED, len(message)
        exchange.ids = (control_id,) if control_id else ()
        return exchange

    async def _send(
        self, header: Header, answer: Acknowledgement | Refused, exchange: Exchange
    ) -> None:
        control_id = exchange.ticket[:20]  # MSH-10 of old versions is no longer
        written = acknowledgement_to_er7(header, answer, datetime.now(UTC), control_id)
        exchange.answer, exchange.bytes_out = (written,), len(written)
        self._writer.write(framed(written))
        async with asyncio.timeout(_SEND_SECONDS):
            await self._writer.drain()


def _context(server: Server) -> ssl.SSLContext | None:
    """TLS as the node speaks it: from 1.2 on, clients of the configured authority alone."""
    if server.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server.certificate, server.key)
    if server.client_ca is not None:
        context.load_verify_locations(server.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
