"""Numbers of coded values.

A number is given in a transaction of its own and remembered only after its commit, so that nothing
is remembered that a rolled back submission took with it.
"""

from collections.abc import Collection, Mapping

from registry.schema import comparable
from registry.unit import CODES, Unit
from xdsi.units import Units

LARGEST = 100_000  # remembered at most; an affinity domain has some thousands

Pair = tuple[str, str]


class Codes:
    """Numbers of (code, scheme) in one database."""

    def __init__(self, units: Units[Unit]) -> None:
        self._units = units
        self._numbers: dict[Pair, int] = {}

    def interned(self, pairs: Collection[Pair]) -> Mapping[Pair, int]:
        """Numbers of all of these, given to those that are new."""
        numbers = self._remembered(pairs)
        if missing := {_key(pair) for pair in pairs} - numbers.keys():
            numbers |= self._remember(self._units.run(lambda unit: unit.intern(missing)))
        return {pair: numbers[_key(pair)] for pair in pairs}

    def known(self, pairs: Collection[Pair]) -> list[int]:
        """Numbers of those that have one."""
        numbers = self._remembered(pairs)
        if missing := {_key(pair) for pair in pairs} - numbers.keys():
            found = self._units.rows(CODES, {"values": list(missing)})
            numbers |= self._remember({(row.code, row.scheme): row.id for row in found})
        return [numbers[key] for key in map(_key, pairs) if key in numbers]

    def _remembered(self, pairs: Collection[Pair]) -> dict[Pair, int]:
        """A copy: what is remembered may be thrown away by another thread at any time."""
        numbers = self._numbers
        return {key: numbers[key] for pair in pairs if (key := _key(pair)) in numbers}

    def _remember(self, numbers: Mapping[Pair, int]) -> Mapping[Pair, int]:
        if len(self._numbers) > LARGEST:
            self._numbers = {}
        self._numbers.update(numbers)
        return numbers


def _key(pair: Pair) -> Pair:
    return comparable(pair[0]), comparable(pair[1])
