"""What one answer takes from an archive, in the order it is sent.

What the archive says against it should be known before anything is sent. So of a series that is
wanted as a whole, all of which come in one answer, the first such answer is asked for while ours is
planned. Otherwise the first few instances are, and then the next few while one is sent, so that the
way to the archive and its own work cost no time; their bytes wait on the line. Where neither the
series nor any of the first few can be had, none of the others is promised. Nothing is asked ahead
where an instance takes long to send, and what waited for long is asked for anew: the archive might
give up on it.
"""

import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from time import monotonic

from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content, Reader
from xdsi.peers.scratch import NoRoom, Region, Room, Scratch
from xdsi.peers.series import SeriesAnswer
from xdsi.peers.wado import Parts
from xdsi.plug import ArchiveError, Call

AHEAD = 4  # instances asked for beside the one that is sent
_BRISK = 1.0  # seconds; sending one takes longer: nothing is asked ahead
_STALE = 10.0  # seconds an answer may wait on the line
_BLOCK = 256 * 1024

Planned = tuple[HeldInstance, Call]


@dataclass(frozen=True, slots=True)
class _Waiting:
    answer: Future[Reader]
    since: float = field(default_factory=monotonic)

    def close(self) -> None:
        """Whenever it comes."""
        self.answer.add_done_callback(_close)


@dataclass(frozen=True, slots=True)
class _Begun:
    """The answer with a series that waits on the line."""

    series: str
    parts: Parts
    since: float = field(default_factory=monotonic)


class Delivery:
    """Instances of one answer, as they were planned. Any number of threads may use it.

    one: asks for an instance; all_of: for a whole series, of which so many are wanted, None where
        that would not pay; both raise ArchiveError
    wanted: how many of the series of an instance are going to be wanted, as far as it is known
    threads: wait for what is asked ahead; room: for what is spooled
    """

    def __init__(
        self,
        one: Callable[[HeldInstance, Call], Reader],
        all_of: Callable[[HeldInstance, int, Call], Parts | None],
        wanted: Callable[[HeldInstance], int],
        threads: Executor,
        room: Room,
    ) -> None:
        self._one, self._all_of, self._wanted = one, all_of, wanted
        self._threads, self._room = threads, room
        self._planned: list[Planned] = []
        self._waiting: dict[int, _Waiting] = {}
        self._begun: list[_Begun] = []  # one at most
        self._next, self._taken = 0, -1.0
        self._series: dict[str, SeriesAnswer | None] = {}
        self._refused: dict[str, ArchiveError] = {}  # the first series, if it could not be had
        self._failed = 0  # of the first few
        self._spooled: list[Scratch] = []  # one file for all, once there is something
        self._guard, self._spooling, self._choosing = Lock(), Lock(), Lock()
        weakref.finalize(self, _close_all, self._waiting, self._begun, self._spooled)

    def stream(self, instance: HeldInstance, call: Call) -> Content:
        """Content that is passed on while it comes. Raises ArchiveError."""
        with self._guard:
            index = len(self._planned)
            self._planned.append((instance, call))
        if index == 0:
            self._begin(instance, call)
        if index < AHEAD and not self._begun:
            self._ask(index)
        elif self._failed == AHEAD and instance.series_instance_uid in self._refused:
            raise self._refused[instance.series_instance_uid].with_traceback(None)
        return Content(None, partial(self._open, index))

    def _begin(self, first: HeldInstance, call: Call) -> None:
        series = first.series_instance_uid
        try:
            parts = self._all_of(first, self._wanted(first), call)
        except ArchiveError as error:
            self._series[series], self._refused[series] = None, error
        else:
            if parts is not None:
                self._begun.append(_Begun(series, parts))

    def _ask(self, index: int) -> None:
        answer: Future[Reader] = Future()
        try:
            answer.set_result(self._one(*self._planned[index]))
        except ArchiveError:
            self._failed += 1
            raise
        with self._guard:
            self._waiting[index] = _Waiting(answer)

    def spool(self, instance: HeldInstance, call: Call) -> Content:
        """Content that lies here before anything is sent; streamed when there is no room.

        Raises ArchiveError.
        """
        with self._spooling:
            try:
                if not self._spooled:
                    self._spooled.append(Scratch(self._room))
                (file,) = self._spooled
                start = file.size
                try:
                    copied(self._one(instance, call), file)
                except BaseException:
                    file.cut(start)
                    raise
            except NoRoom:
                return self.stream(instance, call)
            size = file.size - start
            return Content(size, partial(self._region, start, size))

    def _region(self, start: int, size: int) -> Reader:
        return Region(self._spooled[0], start, size, owner=self)

    def _open(self, index: int) -> Reader:
        """Raises OSError."""
        with self._guard:
            mine = self._waiting.pop(index, None)
        if mine is None and (reader := self._of_series(index)) is not None:
            return reader
        if index >= AHEAD:
            self._ask_ahead(index)
        try:
            if mine is not None:
                if monotonic() - mine.since < _STALE:
                    return mine.answer.result()
                mine.close()
            return self._one(*self._planned[index])
        except ArchiveError as error:
            raise OSError(f"the archive did not send it: {error}") from error

    def _of_series(self, index: int) -> Reader | None:
        """Out of the answer with all of its series, if there is one."""
        instance, call = self._planned[index]
        series = instance.series_instance_uid
        with self._choosing:
            if series not in self._series:
                self._series[series] = None
                rest = [each for each, _ in self._planned[index:]]
                left = [each for each in rest if each.series_instance_uid == series]
                with suppress(ArchiveError):
                    parts = self._whole(instance, len(left), call)
                    if parts is not None:
                        syntaxes = {
                            each.sop_instance_uid: each.transfer_syntax_uid for each in left
                        }
                        self._series[series] = SeriesAnswer(parts, syntaxes, self._room)
        answer = self._series[series]
        if answer is None:
            return None
        return answer.take(instance.sop_instance_uid, partial(self._one, instance, call))

    def _whole(self, instance: HeldInstance, number: int, call: Call) -> Parts | None:
        if self._begun and self._begun[0].series == instance.series_instance_uid:
            begun = self._begun.pop()
            if monotonic() - begun.since < _STALE:
                return begun.parts
            begun.parts.close()
        return self._all_of(instance, number, call)

    def _ask_ahead(self, index: int) -> None:
        with self._guard:
            now = monotonic()
            if now - self._taken < _BRISK:
                last = min(index + AHEAD + 1, len(self._planned))
                for each in range(max(index + 1, self._next), last):
                    if each not in self._waiting:
                        answer = self._threads.submit(self._one, *self._planned[each])
                        self._waiting[each] = _Waiting(answer)
            self._next, self._taken = max(self._next, index + 1), now


def copied(reader: Reader, file: Scratch) -> None:
    """Append an instance to a file and close its reader. Raises ArchiveError, NoRoom."""
    try:
        while block := reader.read(_BLOCK):
            file.append(block)
    except NoRoom:
        raise
    except OSError as error:
        raise ArchiveError(str(error)) from error
    finally:
        reader.close()


def _close(answer: Future[Reader]) -> None:
    if not answer.cancelled() and answer.exception() is None:
        answer.result().close()


def _close_all(waiting: dict[int, _Waiting], begun: list[_Begun], spooled: list[Scratch]) -> None:
    """Nobody has a content or a reader of the answer any more; it may have been cut short."""
    for each in waiting.values():
        each.close()
    for one in begun:
        one.parts.close()
    for file in spooled:
        file.close()
