"""Listening: granian around the application, in this process or in several.

The socket is ours: bound before anything starts, so that a taken port is a plain sentence, and
shared by all workers, so that a worker that dies takes no waiting connection with it.
SIGTERM and SIGINT stop accepting, finish what is in flight, then return (SEC-T-019).
"""

import asyncio
import ctypes
import errno
import gc
import ipaddress
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from math import ceil

import uvloop
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server as Embedded

from xdsi.config import Address, Limits, Server
from xdsi.plug import Actor, Feed
from xdsi.server import log, record
from xdsi.server.app import Application, Node, application
from xdsi.server.mllp import Mllp
from xdsi.server.workers import WorkerFailed, supervise

_BACKLOG = 2048
_CONNECTIONS = 16_384  # open at a time, idle ones included (SEC-T-050)
# Of a connection; above the header limit so that we can answer 431. As much comes in one chunk at
# most, and time goes by the chunk: a large upload reaches 0.74 of its floor with 256 KiB and 0.82
# with this, while eight at once grow by 9 and 8 MiB; with 512 KiB they grow by up to 16, and it is
# hardly faster (bench: iti41-large, memory).
_READ_BUFFER = 384 * 1024
_START_SECONDS = 0.1
# Heaps of the C library. Left alone it makes one for each thread, and what was freed in one serves
# no thread of another: after large documents in both directions 4 to 8 MiB more stay.
_HEAPS = 2
# Blocks of documents come and go all the time. Left alone the C library gives their memory back
# whenever it is free, and the kernel fills it with zeros whenever it is asked for: a third of what
# it costs to pass images on (bench: rad69-archive); the peak may be 5 MiB higher for it. Octets
# that are kept for the next ones; and of a block that never is.
_KEPT, _LARGE = 16 << 20, 4 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h

FEED = "registry.feed_"  # keys of the address of the HL7 v2 feed begin so

Build = Callable[[], Sequence[Actor]]


class CannotServe(Exception):
    """The node cannot listen; the text says why and what to do."""


def serve(
    build: Build,
    server: Server,
    limits: Limits,
    *,
    on_ready: Callable[[str], None],
    feed: Address | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; returns when everything in flight is finished.

    build: makes the actors; called in each process that serves, after it was started
    feed: where HL7 v2 messages are taken, for the actor that has a feed
    on_ready: called once with the base address when the node listens
    Raises CannotServe, and what `build` raises. Call it in the main thread.
    """
    check_exposure(server)
    if feed is not None:
        check_exposure(replace(server, host=feed.host), FEED)
    check_record(server)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(Address(server.host, server.port), "server."))
        feeding = None
        if feed is not None:
            feeding = stack.enter_context(_listen(feed, FEED))
        address = _address(server, listener)
        server = replace(server, public_url=server.public_url or address)
        _raise_descriptor_limit()
        ready: Callable[[], None] = partial(on_ready, address)
        lifeline = None
        if server.workers > 1:
            try:
                listeners = [each for each in (listener, feeding) if each is not None]
                worker = supervise(server.workers, listeners, ready, limits.drain_seconds)
            except WorkerFailed as error:
                raise CannotServe(str(error)) from error
            if worker is None:
                return
            ready, lifeline = worker.ready, worker.lifeline
        # its loop hands over between threads at half the cost (bench: gateway-large, rad69-archive)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(listener, feeding, build, server, limits, ready, lifeline))


async def _run(
    listener: socket.socket,
    feeding: socket.socket | None,
    build: Build,
    server: Server,
    limits: Limits,
    on_ready: Callable[[], None],
    lifeline: int | None,
) -> None:
    """Serve in this process.

    lifeline: descriptor that becomes readable when the process that started this one is gone
    """
    loop = asyncio.get_running_loop()
    _tune_heaps()
    with ExitStack() as stack:
        actors = build()
        for actor in actors:
            stack.callback(actor.close)
        try:
            node = application(actors, server, limits)
        except OSError as error:
            raise _no_record(server, error) from error
        for actor in actors:
            if actor.run is not None:
                stack.enter_context(actor.run())
        http = _Listening(node, listener, server, limits)
        feeds = [_feed(actor.feed, node, server, limits) for actor in actors if actor.feed]
        log.install()
        gc.collect()
        gc.freeze()  # what stands now stays: the collector need not look at it again
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        if lifeline is not None:
            loop.add_reader(lifeline, stopping.set)
        if feeding is not None:
            for mllp in feeds:
                await mllp.start(feeding)
        serving = asyncio.create_task(http.serve())
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait((serving,), timeout=_START_SECONDS)
        if not serving.done():
            on_ready()
            await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
            raise CannotServe("the HTTP server stopped by itself; see the log above")
        node.is_draining = True
        log.event("stopping", seconds=limits.drain_seconds)
        http.stop()  # type: ignore[no-untyped-call]
        until = loop.time() + limits.drain_seconds
        ending = (asyncio.create_task(each.stop(limits.drain_seconds)) for each in feeds)
        await asyncio.wait((serving, *ending), timeout=limits.drain_seconds)
        # Handlers whose caller has gone away end with the others or not at all.
        resting = asyncio.create_task(asyncio.to_thread(node.rest))
        left = max(0.0, until - loop.time()) if serving.done() else 0.0
        await asyncio.wait((resting,), timeout=left)
        if not resting.done():
            log.event("stopped", unfinished="requests were cut after the drain time")
            os._exit(0)


def _feed(feed: Feed, node: Node, server: Server, limits: Limits) -> Mllp:
    try:
        return Mllp(feed, node, server, limits)
    except OSError as error:
        raise _no_certificate(error) from error


class _Listening(Embedded):
    """granian on a socket of our own."""

    def __init__(
        self, node: Application, listener: socket.socket, server: Server, limits: Limits
    ) -> None:
        try:
            super().__init__(
                node,
                address=server.host,
                port=server.port,
                interface=Interfaces.ASGINL,
                http=HTTPModes.http1,
                websockets=False,
                backlog=_BACKLOG,
                backpressure=_CONNECTIONS,
                http1_settings=HTTP1Settings(
                    header_read_timeout=ceil(limits.header_seconds * 1000),
                    max_buffer_size=_READ_BUFFER,
                ),
                log_enabled=False,
                ssl_cert=server.certificate,
                ssl_key=server.key,
                ssl_protocol_min=SSLProtocols.tls12,
                ssl_ca=server.client_ca,
                ssl_client_verify=server.client_ca is not None,
            )
        except (OSError, ValueError) as error:
            raise _no_certificate(error) from error
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # granian owns the descriptor from here on and closes it when it stops accepting
        self._shd = SocketHolder(  # type: ignore[call-arg, assignment]
            self._listener.detach(), False, _BACKLOG
        )
        self._ssp = None


def _no_certificate(error: Exception) -> CannotServe:
    return CannotServe(f"server.certificate, server.key: cannot be used: {error}")


def check_exposure(server: Server, prefix: str = "server.") -> None:
    """Raises CannotServe when strangers could reach the node. prefix: of the key of its host."""
    if server.client_ca is not None or server.proxies or _is_loopback(server.host):
        return
    lack = "no TLS" if server.certificate is None else "no client_ca to know partners by"
    raise CannotServe(
        f"{prefix}host: {server.host} can be reached by others, and there is {lack}; give "
        "certificate, key and client_ca, or name the proxies in front that end TLS in "
        "proxies, or listen on 127.0.0.1"
    )


def check_record(server: Server) -> None:
    """Raises CannotServe when others could read what is recorded."""
    if server.record is not None:
        try:
            record.check(server.record)
        except OSError as error:
            raise _no_record(server, error) from error


def check_port(server: Server, prefix: str = "server.") -> None:
    """Raises CannotServe when the node could not listen now. prefix: of the keys of its address."""
    _listen(Address(server.host, server.port), prefix).close()


def _no_record(server: Server, error: OSError) -> CannotServe:
    return CannotServe(f"server.record: {server.record}: {error.strerror}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_HELPS = {
    errno.EADDRINUSE: "another program uses it, or this node runs already; choose another port",
    errno.EACCES: "choose a port above 1023, or give the node's user the right to this one",
    errno.EADDRNOTAVAIL: "give an address of this machine as host",
}


def _listen(at: Address, prefix: str) -> socket.socket:
    """The bound and listening socket. prefix: of the keys of its address. Raises CannotServe."""
    where = f"{at.host}:{at.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            at.host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotServe(
            f"{prefix}host: {where} is no address of this machine ({error.strerror}); "
            "give one of its own, or 0.0.0.0 for all"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # its connections inherit it; else the end of every tenth answer on a kept connection waits
        # 40 ms for the client's system to acknowledge what stands before it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        helps = _HELPS.get(error.errno or 0, "choose another host or port")
        raise CannotServe(
            f"{prefix}port: cannot listen on {where}: {error.strerror}; {helps}"
        ) from error
    listener.setblocking(False)
    return listener


def _address(server: Server, listener: socket.socket) -> str:
    scheme = "https" if server.certificate is not None else "http"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"


def _tune_heaps() -> None:
    """Before threads start. Only glibc has heaps of threads, and a call to bound them."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _HEAPS)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def _raise_descriptor_limit() -> None:
    """As many descriptors as this user may have: each connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS * 2 if hard == resource.RLIM_INFINITY else min(_CONNECTIONS * 2, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
