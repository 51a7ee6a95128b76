"""Several processes on one socket: start them, replace those that die, end them together.

The first process serves nothing itself; it is small and touches no database. Workers are forked
from it before anything else has been opened.
Source: SEC-T-019, SEC-T-020.
"""

import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from xdsi.server import log

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_LOOK = 0.2  # seconds between looks at pipes and children
_PAUSE = 1.0  # seconds before a worker is started again that did not become ready
_MARGIN = 5.0  # seconds a worker may take beyond the drain time before it is killed


class WorkerFailed(Exception):
    """A worker ended before it was ready for the first time; it has told why itself."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process needs of the first one.

    ready: to be called when it listens
    lifeline: descriptor that becomes readable when the first process is gone
    """

    ready: Callable[[], None]
    lifeline: int


@dataclass(slots=True)
class _Child:
    pid: int
    pipe: int
    is_ready: bool = False


def supervise(
    count: int,
    listeners: Sequence[socket.socket],
    on_ready: Callable[[], None],
    drain_seconds: float,
) -> Worker | None:
    """Fork `count` workers and look after them until SIGTERM or SIGINT.

    Returns a Worker in each of them, at once, and None in the first process when all have ended.
    on_ready: called in the first process once all of them listen
    Raises WorkerFailed in the first process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    lifeline, alive = os.pipe()
    children: list[_Child] = []
    try:
        for _ in range(count):
            if (worker := _fork(children, lifeline, alive, before)) is not None:
                return worker
        if (worker := _watch(children, lifeline, alive, before, on_ready)) is not None:
            return worker
        for listener in listeners:
            listener.close()
        _end(children, drain_seconds + _MARGIN)
    except WorkerFailed:
        _end(children, _MARGIN)
        raise
    os.close(lifeline)
    os.close(alive)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return None


def _fork(
    children: list[_Child], lifeline: int, alive: int, mask: set[signal.Signals | int]
) -> Worker | None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        os.set_blocking(reading, False)
        children.append(_Child(pid, reading))
        return None
    for descriptor in (alive, reading, *(child.pipe for child in children)):
        os.close(descriptor)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return Worker(lambda: _tell(writing), lifeline)


def _tell(writing: int) -> None:
    os.write(writing, b"+")
    os.close(writing)


def _watch(
    children: list[_Child],
    lifeline: int,
    alive: int,
    mask: set[signal.Signals | int],
    on_ready: Callable[[], None],
) -> Worker | None:
    """Until a signal asks to end; a Worker in a worker that replaces another."""
    wanted, is_told = len(children), False
    start_at = 0.0
    while True:
        received = signal.sigtimedwait(_SIGNALS, _LOOK)
        if received is not None and received.si_signo != signal.SIGCHLD:
            return None
        for child in children:
            child.is_ready = child.is_ready or _has_told(child)
        for child in [each for each in children if _has_ended(each)]:
            children.remove(child)
            os.close(child.pipe)
            if not is_told:
                raise WorkerFailed("a worker could not start; it has told why above")
            log.event("worker died", pid=child.pid)
            start_at = 0.0 if child.is_ready else monotonic() + _PAUSE
        if not is_told and all(child.is_ready for child in children):
            is_told = True
            on_ready()
        while len(children) < wanted and monotonic() >= start_at:
            if (worker := _fork(children, lifeline, alive, mask)) is not None:
                return worker


def _has_told(child: _Child) -> bool:
    try:
        return os.read(child.pipe, 1) == b"+"
    except BlockingIOError:
        return False


def _has_ended(child: _Child) -> bool:
    return os.waitpid(child.pid, os.WNOHANG)[0] != 0


def _end(children: list[_Child], seconds: float) -> None:
    """Ask all to end, wait so long, then make them."""
    for child in children:
        os.kill(child.pid, signal.SIGTERM)
    until = monotonic() + seconds
    while children and monotonic() < until:
        signal.sigtimedwait((signal.SIGCHLD,), _LOOK)
        children[:] = [child for child in children if not _has_ended(child)]
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
