"""How long this process has been seeing something that should not stay.

The wall clock may step by hours, and what it dates would look old at once; what is deleted for its
age is therefore timed here, from the first sight (SEC-T-021). A restart begins anew.
"""

import time
from collections.abc import Iterable


class Sightings:
    """For one thread. Remembers no more than the last look at each place."""

    def __init__(self) -> None:
        self._first: dict[str, dict[str, float]] = {}

    def look(self, place: str, seen: Iterable[str]) -> dict[str, float]:
        """Seconds for which each of those was seen at every look at this place."""
        now = time.monotonic()
        before = self._first.get(place, {})
        first = self._first[place] = {each: before.get(each, now) for each in seen}
        return {each: now - since for each, since in first.items()}
