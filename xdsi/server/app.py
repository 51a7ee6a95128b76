"""The ASGI application: one request from its headers to the end of its answer.

Everything that may block runs in pools of threads: `work` for handlers, `waiting` for those that
wait for nodes of others, `flow` for the batches of bodies and answers, so that documents keep
moving while handlers wait.
"""

import asyncio
from asyncio import FIRST_COMPLETED
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from xdsi.config import Limits, Server
from xdsi.model.errors import is_given_up
from xdsi.model.web import WebError
from xdsi.plug import Actor, ArchiveError, Call, Stranger
from xdsi.server import faults, front, log, pages, resources
from xdsi.server.dispatch import Dispatcher
from xdsi.server.exchange import Exchange, Reply
from xdsi.server.faults import Busy, HttpError
from xdsi.server.flow import Flow
from xdsi.server.front import Head
from xdsi.server.metrics import Metrics
from xdsi.server.receive import LEAST, MOST, Incoming, Intake, Presence, Receive
from xdsi.server.record import Recorder
from xdsi.server.send import Outgoing, Send
from xdsi.wire import media

_FLOW_THREADS = 8
_LINGER = (64 * 1024 * 1024, 2.0)  # octets, seconds: see Incoming.drop
_WAITING = 8  # bodies that may still be coming in, per request that may be worked on
_HELD = 32  # times the longest envelope: memory for those that come in, of all together
_SHARE = 4  # one address may send this part of them
_READY_SECONDS = 5.0
_TRIES = 4  # of an answer whose first documents fail one after the other
# What failed is mostly remembered, and left out when the same is asked for again.
_UNREAD = "what is asked for is known, but could not be read; ask again for what else there is"

T = TypeVar("T")
Application = Callable[[Any, Receive, Send], Awaitable[None]]


def application(actors: Sequence[Actor], server: Server, limits: Limits) -> "Node":
    """The ASGI application that serves these actors.

    server: its public_url stands in contracts; where it is empty the listening address does
    """
    return Node(actors, server, limits)


class Node:
    """See `application`. One per process and event loop."""

    def __init__(self, actors: Sequence[Actor], server: Server, limits: Limits) -> None:
        self._actors, self._server, self._limits = tuple(actors), server, limits
        self._soap = {actor.path: (actor, Dispatcher(actor, limits)) for actor in actors}
        self._resources = resources.table(actors)
        self._pages: dict[str, Callable[[], Awaitable[Reply]]] = {
            pages.LIVE: self._live,
            pages.READY: self._ready,
            pages.METRICS: self._metrics,
        }
        self._work = ThreadPoolExecutor(limits.threads, "work")
        self._waiting = ThreadPoolExecutor(limits.threads, "waiting")
        self._flow = Flow(_FLOW_THREADS)
        # a database that does not answer must not take the threads of others
        self._health = ThreadPoolExecutor(1, "health")
        self._recorder = Recorder.of(server)
        self._metrics_of = Metrics(actors)
        self._in_flight = self._waiting_in_flight = 0
        most = _WAITING * limits.in_flight
        self._coming = _Coming(most, most // _SHARE, _HELD * limits.envelope)
        self._proxies = front.Proxies(server.proxies)
        self.is_draining = False

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        head = Head.of(scope)
        exchange = Exchange(head.method, head.path, self._proxies.peer(head))
        exchange.is_plain, exchange.head = head.method != "POST", head.headers
        incoming = Incoming(receive, self._limits, exchange, head.length)
        slot, presence = _Slot(self), Presence(incoming)
        patience = 2 * self._limits.body_grace
        outgoing = Outgoing(send, exchange, presence, self._flow, patience)
        try:
            reply = await faults.settled(
                self._reply(head, exchange, incoming, slot, presence), exchange
            )
            closes = not incoming.is_done and head.method == "POST"
            await faults.sent(outgoing.reply(reply, closes=closes), exchange)
        finally:
            presence.stop()
            self._metrics_of.count(exchange)
            if exchange.http != 200 or head.path not in self._pages:
                log.request_line(exchange)  # not for each look at health or metrics
            try:
                if self._recorder is not None and head.method == "POST" and head.path in self._soap:
                    # With the slot, which bounds what waits to be written.
                    await self._flow.run(partial(self._recorder.keep, exchange))
            finally:
                slot.leave()
        if not incoming.is_done and not head.all(b"expect"):
            await incoming.drop(*_LINGER)

    async def perform(self, exchange: Exchange, work: Callable[[Call], T]) -> T:
        """Do what came by another listener, under the limits of requests. Raises Busy."""
        slot = _Slot(self)
        try:
            slot.take()
            until = monotonic() + self._limits.request_seconds
            call = Call(exchange.ticket, until, peer=exchange.peer)
            return await asyncio.get_running_loop().run_in_executor(self._work, work, call)
        finally:
            slot.leave()

    async def finished(self, exchange: Exchange) -> None:
        """Count, log and record what came by another listener."""
        self._metrics_of.count(exchange)
        log.request_line(exchange)
        if self._recorder is not None:
            await self._flow.run(partial(self._recorder.keep, exchange))

    def rest(self) -> None:
        """Take no more work, and wait for what is still running. Blocks."""
        for pool in (self._work, self._waiting, self._health):
            pool.shutdown(wait=True, cancel_futures=True)
        self._flow.close()

    async def _reply(
        self,
        head: Head,
        exchange: Exchange,
        incoming: Incoming,
        slot: "_Slot",
        presence: Presence,
    ) -> Reply:
        front.check(head, self._limits)
        if (page := self._pages.get(head.path)) is not None:
            front.check_page(head)
            return await page()
        is_soap = head.path in self._soap
        resource = None if is_soap else resources.find(self._resources, head.path)
        if not is_soap and resource is None:
            raise HttpError(404, "nothing is served at this path")
        if self._server.client_ca is None and not self._proxies.admits(head.peer):
            raise HttpError(403, "callers come through the proxy in front of this node")
        intake: Intake | resources.Intake
        actor = self._soap[head.path][0] if resource is None else resource[0]
        exchange.partner = self._partner(actor, head)
        if resource is None:
            _, dispatcher = self._soap[head.path]
            if head.method in ("GET", "HEAD"):
                found = pages.contract(actor, head.query, self._server.public_url)
                if found is not None:
                    return found
            kind = front.check_message(head, actor, self._limits)
            exchange.packaging = media.packaging(kind)
            intake = Intake(
                dispatcher, actor, kind, self._limits, exchange, keep=self._recorder is not None
            )
        else:
            exchange.is_plain = True
            intake = resources.Intake(*resource, head, self._limits, exchange)
        call = partial(
            Call,
            ticket=exchange.ticket,
            cancelled=presence,
            peer=exchange.peer,
            partner=exchange.partner,
        )
        loop = asyncio.get_running_loop()
        is_handed_over = False
        try:
            with self._coming.body(exchange.peer) as holds:
                chunks = await self._received(intake, incoming, holds)
            # Only now: who sends slowly keeps nobody else from being answered (SEC-T-161).
            slot.take(waits=actor.waits)
            made = call(deadline=monotonic() + self._limits.request_seconds)
            pool = self._waiting if actor.waits else self._work
            finishing = loop.run_in_executor(pool, _finish, intake, chunks, made)
            is_handed_over = True
            return await finishing
        finally:
            if not is_handed_over:
                await self._flow.run(intake.discard)

    def _partner(self, actor: Actor, head: Head) -> str | None:
        """Who calls, where the actor serves partners alone. Raises HttpError 403."""
        if actor.caller is None:
            return None
        try:
            return actor.caller(self._proxies.certificate(head))
        except Stranger as error:
            log.event("stranger", peer=self._proxies.peer(head), path=head.path, why=str(error))
            raise HttpError(403, "only partners are served here, by their certificates") from None

    async def _received(
        self,
        intake: Intake | resources.Intake,
        incoming: Incoming,
        holds: Callable[[int], None],
    ) -> list[bytes]:
        """Take the body in; its last chunks, which are not fed yet."""
        loop = asyncio.get_running_loop()
        chunks = await incoming.batch(self._coming.share)
        while not incoming.is_done:
            feeding = self._flow.run(partial(intake.feed, chunks))
            following = loop.create_task(incoming.batch(self._coming.share))
            try:
                await asyncio.wait((feeding, following), return_when=FIRST_COMPLETED)
                if feeding.done() and feeding.result():
                    return []
                chunks = await following
            finally:
                following.cancel()
                await asyncio.gather(feeding, following, return_exceptions=True)
            if feeding.result():
                break
            holds(intake.held)
        return chunks

    async def _live(self) -> Reply:
        return pages.live()

    async def _ready(self) -> Reply:
        loop = asyncio.get_running_loop()
        asking = partial(pages.ready, self._actors, is_draining=self.is_draining)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                return await loop.run_in_executor(self._health, asking)
        except TimeoutError:
            raise HttpError(503, "an actor does not say whether it is ready") from None

    async def _metrics(self) -> Reply:
        self._metrics_of.in_flight.set(self._in_flight)
        return pages.metrics(self._metrics_of.text())


class _Coming:
    """The bodies that are still coming in.

    most, each: how many of them, in all and from one address
    memory: octets that all may hold together; those that come in one batch do not count
    """

    __slots__ = ("_each", "_held", "_memory", "_most", "_of", "_total")

    def __init__(self, most: int, each: int, memory: int) -> None:
        self._most, self._each, self._memory = most, each, memory
        self._total = self._held = 0
        self._of: Counter[str] = Counter()

    @property
    def share(self) -> int:
        """Octets of a batch."""
        return max(LEAST, MOST // max(1, self._total))

    @contextmanager
    def body(self, peer: str) -> Iterator[Callable[[int], None]]:
        """While a body comes in; gives a function to be told what it holds by now, in octets.

        Both raise Busy when there is too much.
        """
        held = 0

        def holds(octets: int) -> None:
            nonlocal held
            self._held += octets - held
            held = octets
            if self._held > self._memory:
                raise Busy

        if self._total >= self._most or self._of[peer] >= self._each:
            raise Busy
        self._total += 1
        self._of[peer] += 1
        try:
            yield holds
        finally:
            self._held -= held
            self._total -= 1
            self._of[peer] -= 1
            if not self._of[peer]:
                del self._of[peer]  # who has gone leaves no trace


class _Slot:
    """One of the requests that may be worked on at a time (SEC-T-049)."""

    __slots__ = ("_is_taken", "_node", "_waits")

    def __init__(self, node: Node) -> None:
        self._node, self._is_taken, self._waits = node, False, False

    def take(self, *, waits: bool = False) -> None:
        """Raises Busy when there is none left. waits: see `Actor`"""
        node, most = self._node, self._node._limits.in_flight
        if node._in_flight >= most or (waits and node._waiting_in_flight >= max(1, most // 2)):
            raise Busy
        node._in_flight += 1
        node._waiting_in_flight += waits
        self._is_taken, self._waits = True, waits

    def leave(self) -> None:
        if self._is_taken:
            self._node._in_flight -= 1
            self._node._waiting_in_flight -= self._waits
            self._is_taken = False


def _finish(intake: Intake | resources.Intake, chunks: Sequence[bytes], call: Call) -> Reply:
    """The last step of a request in its worker thread; staging is left clean."""
    try:
        if not call.remaining:
            raise Busy  # it waited for a thread until nobody waited for it
        intake.feed(chunks)
        reply = intake.finish(call)
        if isinstance(reply.body, bytes):
            return reply
        try:
            return _begun(reply, call)
        except (OSError, ArchiveError) as error:
            if isinstance(intake, Intake):
                raise
            log.event("unread", ticket=call.ticket, why=str(error))
            raise WebError(503, _UNREAD, ("Retry-After", "1")) from error
    finally:
        intake.discard()


def _begun(reply: Reply, call: Call) -> Reply:
    """The same with its first octets. A document that cannot even be opened is told by an error of
    the answer, or by a fault, not by a broken connection.
    """
    for left in reversed(range(_TRIES)):
        if isinstance(reply.body, bytes):
            break
        try:
            return replace(reply, first=next(reply.body, b""), again=None)
        except (OSError, ArchiveError) as error:
            is_over = not left or not call.remaining or is_given_up(error)
            if reply.again is None or is_over:
                raise
            reply = reply.again()
    return reply
