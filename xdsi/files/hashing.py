"""Hashing beside the work that brings the bytes, in their order and in bounded memory."""

import hashlib
from concurrent.futures import Executor, Future

# Below this a second thread costs more than it saves (64 KiB hash in 70 µs).
_WORTH_A_THREAD = 64 << 10


class Digests:
    """Several hashes of one stream. Fed by one thread at a time.

    At most one chunk is with another thread: more makes no transfer faster, and would be held by
    each of them (SEC-T-041).
    threads: do the hashing; nothing else in them may wait for it
    """

    def __init__(self, threads: Executor, *names: str) -> None:
        self._hashes = tuple(hashlib.new(name, usedforsecurity=False) for name in names)
        self._threads = threads
        self._handed: bytes | None = None  # until somebody begins with it
        self._running: Future[None] | None = None

    def update(self, data: bytes) -> None:
        """The next octets. Waits while those before them are hashed."""
        self.settle()
        if len(data) < _WORTH_A_THREAD:
            self._add(data)
            return
        self._handed = data
        self._running = self._threads.submit(self._run)

    def relieve(self) -> None:
        """Hash here what no thread has begun: then all are busy with other streams."""
        if self._running is not None and self._running.cancel():
            self._running = None
            self._run()

    def settle(self) -> None:
        """Wait until all octets so far are hashed."""
        self.relieve()
        if self._running is not None:
            self._running.result()
            self._running = None

    def hex(self) -> tuple[str, ...]:
        """The hashes of all octets so far, lower-case, in the order of their names."""
        self.settle()
        return tuple(each.hexdigest() for each in self._hashes)

    def _run(self) -> None:
        data, self._handed = self._handed, None
        assert data is not None  # noqa: S101 - handed over once, run once
        self._add(data)

    def _add(self, data: bytes) -> None:
        for each in self._hashes:
            each.update(data)
