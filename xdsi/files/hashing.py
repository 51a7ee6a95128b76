"""Hashing beside the work that brings the bytes, in their order and in bounded memory."""

from collections import deque
from concurrent.futures import Executor, Future
from threading import Condition, Lock

from xdsi.files.seals import Hash

# Below this a second thread costs more than it saves (64 KiB hash in 70 µs).
_WORTH_A_THREAD = 64 << 10
# Octets that may wait while those before them are hashed: with fewer the hashing thread, which has
# most to do, waits for the disk and for what comes (bench: iti41-large). All streams share what may
# wait (SEC-T-041; bench: memory).
_MOST, _ALL = 2 << 20, 4 << 20


class _Turns:
    """How many streams are being hashed at the moment, in this process."""

    def __init__(self) -> None:
        self._count, self._guard = 0, Lock()

    def add(self, number: int) -> None:
        with self._guard:
            self._count += number

    @property
    def share(self) -> int:
        """Octets of one that may wait."""
        return min(_MOST, _ALL // max(1, self._count))


_turns = _Turns()


class Digests:
    """Several hashes of one stream. Fed by one thread at a time.

    hashes: new ones
    threads: do the hashing; nothing else in them may wait for it
    """

    def __init__(self, threads: Executor, *hashes: Hash) -> None:
        self._hashes = hashes
        self._threads = threads
        self._waiting: deque[bytes] = deque()
        self._size = 0  # of what waits or is being hashed
        self._changed = Condition()
        self._turn: Future[None] | None = None  # of a thread, until it has hashed all that waited

    def update(self, data: bytes) -> None:
        """The next octets. Waits while too many of those before them are not hashed."""
        with self._changed:
            is_waiting = self._turn is not None or len(data) >= _WORTH_A_THREAD
            if is_waiting:
                self._waiting.append(data)
                self._size += len(data)
                if self._turn is None:
                    self._turn = self._threads.submit(self._run)
                    _turns.add(1)
        if is_waiting:
            self._wait(_turns.share)
        else:
            self._add(data)

    def settle(self) -> None:
        """Wait until all octets so far are hashed."""
        self._wait(0)

    def hex(self) -> tuple[str, ...]:
        """The hashes of all octets, once, in the order in which they were given."""
        self.settle()
        return tuple(each.hexdigest() for each in self._hashes)

    def _wait(self, most: int) -> None:
        """Until no more than that waits. What no thread has begun with is hashed here then: all
        are busy with other streams.
        """
        with self._changed:
            if self._size <= most:
                return
            turn = self._turn
        if turn is not None and turn.cancel():
            self._run()
        with self._changed:
            self._changed.wait_for(lambda: self._size <= most)

    def _run(self) -> None:
        """A turn: all that waits, and what comes meanwhile."""
        while (data := self._next()) is not None:
            self._add(data)
            with self._changed:
                self._size -= len(data)
                self._changed.notify()

    def _next(self) -> bytes | None:
        with self._changed:
            if self._waiting:
                return self._waiting.popleft()
            self._turn = None
            _turns.add(-1)
            return None

    def _add(self, data: bytes) -> None:
        for each in self._hashes:
            each.update(data)
