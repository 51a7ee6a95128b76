"""What an actor that keeps files does by itself, at the start and by timer."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from threading import Event, Thread

from xdsi.files.blobs import PREFIXES

_log = logging.getLogger("xdsi.files")

# how long it takes to compare the whole store with its records, one subfolder after the other
ROUND = 1800.0


def shares(seconds: float) -> Iterator[tuple[str, ...]]:
    """The subfolders to compare each time, when there is a time every `seconds`; never ends."""
    prefixes = cycle(PREFIXES)
    share = min(len(PREFIXES), math.ceil(len(PREFIXES) * seconds / ROUND))
    while True:
        yield tuple(islice(prefixes, share))


@contextmanager
def running(
    actor: str, seconds: float, steps: Callable[[], Iterable[Callable[[], object]]]
) -> Iterator[None]:
    """Take the steps in a thread, at once and every `seconds`, whatever becomes of each."""
    stop = Event()
    thread = Thread(target=_run, args=(actor, seconds, steps, stop), name=actor, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # A question to a silent partner may outlast this; the thread ends with the process.
        thread.join(timeout=5)


def _run(
    actor: str, seconds: float, steps: Callable[[], Iterable[Callable[[], object]]], stop: Event
) -> None:
    while True:
        for step in steps():
            if stop.is_set():
                return
            try:
                step()
            except Exception:  # noqa: BLE001 (a timer must outlive every failure of its work)
                _log.exception("background work of the %s failed; tried again later", actor)
        if stop.wait(seconds):
            return
