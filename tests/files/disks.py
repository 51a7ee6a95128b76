"""A disk that fails when told."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class HookedDisk:
    """The module `os` with `before(call)` called before each named call."""

    CALLS = frozenset({"open", "write", "pread", "fsync", "link", "rename", "unlink"})

    def __init__(self, before: Callable[[str], None]) -> None:
        self.before = before

    def __getattr__(self, name: str) -> Any:
        if name not in self.CALLS:
            return getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self.before(name)
            return getattr(os, name)(*arguments, **options)

        return call


@dataclass
class FailingDisk:
    """Gives an error at the n-th call, counted from `arm`, or at every call of one name.

    seen: the calls since then
    """

    seen: list[str] = field(default_factory=list)
    at: int = 0
    number: int = errno.EIO
    name: str = ""

    def arm(self, at: int = 0, number: int = errno.EIO, name: str = "") -> None:
        self.seen.clear()
        self.at, self.number, self.name = at, number, name

    def disk(self) -> HookedDisk:
        return HookedDisk(self._before)

    def _before(self, name: str) -> None:
        self.seen.append(name)
        if len(self.seen) == self.at or name == self.name:
            raise OSError(self.number, os.strerror(self.number))
