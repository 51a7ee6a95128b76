"""Answers on their way to the client, as fast as it reads and no faster.

Blocks are made in worker threads, some ahead of those being sent. Whatever breaks off stays
broken: the end of the body is never sent then, and the server below cuts the connection
(SEC-T-029, SEC-T-161).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from xdsi.server.answer import batch
from xdsi.server.exchange import Exchange, Reply
from xdsi.server.faults import NotRead
from xdsi.server.flow import Flow
from xdsi.server.receive import Presence

SLICE = 1024 * 1024  # octets of a ready answer handed to the connection at once

Send = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How one request is answered.

    presence: tells when the client has gone away, which `send` does not
    flow: threads that make the blocks
    patience: seconds a block may wait for the client to read
    """

    send: Send
    exchange: Exchange
    presence: Presence
    flow: Flow
    patience: float

    async def reply(self, reply: Reply, *, closes: bool) -> None:
        """Send an answer; closes: say that the connection ends behind it.

        Raises NotRead when the client stops reading, and what a streamed body raises.
        """
        exchange, body = self.exchange, reply.body
        exchange.http = reply.status
        headers = [
            *reply.headers,
            (b"x-request-id", exchange.ticket.encode()),
            (b"server", b"xdsi"),  # else the parser below puts its own name there
        ]
        if reply.size is not None:
            headers.append((b"content-length", str(reply.size).encode()))
        if closes:
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if not isinstance(body, bytes):
            await self._stream(reply.first, body)
        elif exchange.method == "HEAD":
            await self._end(b"")
        elif len(body) <= SLICE:
            exchange.bytes_out = len(body)
            await self._end(body)
        else:
            slices = (body[at : at + SLICE] for at in range(0, len(body), SLICE))
            await self._stream(next(slices), slices)

    async def _stream(self, first: bytes, blocks: Iterator[bytes]) -> None:
        """Send a block and all that follow it, reading ahead by one turn."""
        loop = asyncio.get_running_loop()
        take = partial(batch, blocks)
        ahead = self.flow.run(take)
        turn = [first]
        try:
            async with asyncio.timeout(None) as waiting:
                while turn:
                    if self.presence():
                        raise NotRead
                    waiting.reschedule(loop.time() + self.patience)
                    while turn:  # what is sent is let go, while the next turn is made
                        self.exchange.bytes_out += await self._send(turn.pop(0))
                    waiting.reschedule(None)
                    if turn := await ahead:
                        ahead = self.flow.run(take)
            await self._end(b"")
        except TimeoutError:
            if waiting.expired():
                raise NotRead from None
            raise
        finally:
            await asyncio.wait((ahead,))
            if close := getattr(blocks, "close", None):
                await self.flow.run(close)

    async def _send(self, block: bytes) -> int:
        await self.send({"type": "http.response.body", "body": block, "more_body": True})
        return len(block)

    async def _end(self, body: bytes) -> None:
        await self.send({"type": "http.response.body", "body": body})
