"""Documents that failed while they were sent.

The status of an answer leaves before its documents do. One that fails then ends the transfer with
a cut, and is kept back for a while: the same request, repeated, gets an error for it and all
others. Each process remembers its own.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from xdsi.model.errors import is_given_up, shown
from xdsi.model.messages import Content, Octets, Reader
from xdsi.plug import ArchiveError

_log = logging.getLogger("xdsi.files")

PAUSE = 60.0  # seconds
_MOST = 10_000  # remembered at a time; the oldest go first

Key = tuple[str, ...]  # its id, and what else tells it from others


@dataclass(frozen=True, slots=True)
class Failing:
    """What is kept back, by when it may be tried again."""

    clock: Callable[[], float] = monotonic
    _until: dict[Key, float] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def __contains__(self, key: Key) -> bool:
        return self._until.get(key, 0.0) > self.clock()

    def note(self, key: Key, error: Exception) -> None:
        """Keep a document back from now on, unless who asked for it has gone."""
        if is_given_up(error):
            return
        _log.error("%s: %s; not delivered", shown(key[0]), error)
        with self._guard:
            self._until.pop(key, None)
            while len(self._until) >= _MOST:
                del self._until[next(iter(self._until))]
            self._until[key] = self.clock() + PAUSE

    def watched(self, content: Content, key: Key) -> Content:
        """The same content; when it fails, that is noted."""
        return Content(content.size, _Watch(self, content, key).open)


@dataclass(frozen=True, slots=True)
class _Watch:
    """A content whose failure is noted. Small: an answer has thousands (bench: memory-images)."""

    failing: Failing
    content: Content
    key: Key

    def open(self) -> "_Watched":
        try:
            return _Watched(self.content.open(), self.content.size, self._report)
        except OSError as error:
            self._report(error)
            raise
        except ArchiveError as error:
            self._report(error)
            raise OSError(str(error)) from error

    def _report(self, error: Exception) -> None:
        self.failing.note(self.key, error)


@dataclass(slots=True)
class _Watched:
    """A reader whose failure is reported, and that ends only after the promised octets."""

    source: Reader
    left: int | None
    report: Callable[[Exception], None]

    def read(self, n: int, /) -> Octets:
        try:
            block = self.source.read(n)
            if self.left is not None:
                self.left -= len(block)
                if self.left < 0 or (self.left and not block):
                    raise OSError("its size is not the one that was promised")
        except OSError as error:
            self.report(error)
            raise
        except ArchiveError as error:
            self.report(error)
            raise OSError(str(error)) from error
        return block

    def close(self) -> None:
        self.source.close()
