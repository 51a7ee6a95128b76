"""Threads that work for the event loop, handed over to as cheaply as can be.

An executor of the standard library makes two futures, a lock and a chain of callbacks for each
piece of work, and wakes whichever thread has waited longest. Blocks of documents go to a thread and
back a thousand times a second; here the loop keeps the accounts alone, and the thread that was busy
last, whose caches are warm, is the first to get more (bench: gateway-large, rad69-ct).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, cast

T = TypeVar("T")
_Future = asyncio.Future[Any]
_Job = tuple[Callable[[], Any], _Future]


class Flow:
    """At most `most` threads, started when they are needed.

    All methods but `close` are for the thread of the event loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._waiting: deque[_Job] = deque()

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have something done; what has not begun when the future is cancelled never is."""
        job = (work, asyncio.get_running_loop().create_future())
        if self._idle:
            self._idle.pop().line.put(job)
        elif len(self._threads) < self._most:
            worker = _Worker(self)
            self._threads.append(worker)
            worker.line.put(job)
            worker.start()
        else:
            self._waiting.append(job)
        return cast("asyncio.Future[T]", job[1])

    def close(self) -> None:
        """Wait for what is being done. Blocks; what waits for a thread is cancelled."""
        for _, future in tuple(self._waiting):
            future.get_loop().call_soon_threadsafe(future.cancel)
        for worker in self._threads:
            worker.line.put(None)
        for worker in self._threads:
            worker.join()

    def _done(
        self, worker: "_Worker", future: _Future, result: Any, error: BaseException | None
    ) -> None:
        """A worker has come to the end of a job."""
        while self._waiting:
            job = self._waiting.popleft()
            if not job[1].cancelled():
                worker.line.put(job)
                break
        else:
            self._idle.append(worker)
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


class _Worker(Thread):
    """line: its next job; None: there will be no more"""

    def __init__(self, flow: Flow) -> None:
        super().__init__(name="flow", daemon=True)
        self.line: SimpleQueue[_Job | None] = SimpleQueue()
        self._flow = flow

    def run(self) -> None:
        while (job := self.line.get()) is not None:
            work, future = job
            result, error = None, None
            try:
                result = None if future.cancelled() else work()
            except BaseException as raised:  # noqa: BLE001 - told to whoever waits
                error = raised
            loop = future.get_loop()
            loop.call_soon_threadsafe(self._flow._done, self, future, result, error)
            del job, work, future, result, error  # a thread that waits holds no document
