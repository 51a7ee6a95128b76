"""Queries against a plain reference in Python, on whatever hypothesis comes up with."""

import re
from datetime import datetime, timedelta
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import selection
from registry.arguments import PATTERN_WILDCARDS
from tests import samples
from tests.registry.conftest import Maker, Registry
from tests.registry.test_iti18 import FIND, of
from xdsi.model.objects import Author
from xdsi.model.values import DTM, XCN
from xdsi.wire.parameters import many, number

PLENTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LETTERS = st.text("aAé\\'%_(),", min_size=1, max_size=6)


def like(pattern: str) -> re.Pattern[str]:
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(each, re.escape(each)) for each in pattern), re.DOTALL)


@pytest.fixture(scope="module")
def names(sqlite_registry: Registry) -> tuple[Maker, list[str]]:
    """A patient whose entries each have an author of another name."""
    make = Maker(samples.new_patient())
    names = [
        *("^" + name for name in ("a", "A", "aa", "aé", "é", "\\", "a\\", "%", "a%", "_", "'")),
        *("^" + name for name in ("''", "(a)", "a,A", "a_A", "éa'", "\\%", "\\_")),
    ]
    for name in names:
        entry = make.entry(authors=(Author(persons=(XCN(name),)),))
        sqlite_registry.register(make.submission([entry]))
    return make, names


@PLENTY
@given(patterns=st.lists(LETTERS, min_size=1, max_size=3))
@pytest.mark.proves("SQ-038", "SEC-T-121")
def test_patterns_match_as_in_the_reference(
    sqlite_registry: Registry, names: tuple[Maker, list[str]], patterns: list[str]
) -> None:
    make, stored = names
    given = ["^" + each for each in patterns if each.count("%") <= PATTERN_WILDCARDS]
    slots = of(make.patient, many("$XDSDocumentEntryAuthorPerson", given))
    found = sqlite_registry.find(FIND, *slots)
    persons = sorted(str(each.authors[0].persons[0]) for each in found)  # type: ignore[union-attr]
    wanted = [name for name in stored if any(like(each).fullmatch(name) for each in given)]
    assert persons == sorted(wanted)


@given(pattern=LETTERS, text=LETTERS | st.text("aA", max_size=6))
@pytest.mark.proves("SQ-038")
def test_patterns_in_python_match_as_in_the_reference(pattern: str, text: str) -> None:
    matches = like(pattern).fullmatch(text) is not None
    assert selection.like(pattern, text) == matches
    assert selection.like("%" + pattern + "%", text + pattern.replace("%", "")) or "_" in pattern


@pytest.mark.proves("SEC-T-121")
def test_no_pattern_takes_long() -> None:
    began = monotonic()
    for _ in range(100):
        assert not selection.like("%" + "a%" * 7 + "b", "a" * 256)
    assert monotonic() - began < 1


INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2024, 2, 28)).map(
    lambda when: when.strftime("%Y%m%d%H%M%S")
)
TIMES = st.tuples(INSTANTS, st.sampled_from([4, 6, 8, 10, 12, 14])).map(lambda t: t[0][: t[1]])


@pytest.fixture(scope="module")
def times(sqlite_registry: Registry) -> tuple[Maker, list[str | None]]:
    """A patient whose entries began at times of every precision."""
    make = Maker(samples.new_patient())
    begin = datetime(2024, 1, 1)
    times: list[str | None] = [None]
    for step in range(30):
        when = (begin + timedelta(hours=step * 47)).strftime("%Y%m%d%H%M%S")
        times.append(when[: 4 + 2 * (step % 6)])
    for each in times:
        start = DTM(each) if each else None
        entry = make.entry(service_start_time=start, service_stop_time=None)
        sqlite_registry.register(make.submission([entry]))
    return make, times


@PLENTY
@given(since=st.none() | TIMES, before=st.none() | TIMES)
@pytest.mark.proves("SQ-030", "SQ-031", "SQ-032")
def test_ranges_select_as_in_the_reference(
    sqlite_registry: Registry,
    times: tuple[Maker, list[str | None]],
    since: str | None,
    before: str | None,
) -> None:
    make, stored = times
    name = "$XDSDocumentEntryServiceStartTime"
    slots = [number(name + end, each) for end, each in (("From", since), ("To", before)) if each]
    found = sqlite_registry.find(FIND, *of(make.patient, *slots))
    starts = [str(each.service_start_time or "") for each in found]  # type: ignore[union-attr]

    def full(text: str) -> str:
        month, day = text[4:6] or "01", text[6:8] or "01"
        return text[:4] + month + day + text[8:].ljust(6, "0")

    wanted = [
        each or ""
        for each in stored
        if each is None
        or (
            (since is None or full(since) <= full(each))
            and (before is None or full(each) < full(before))
        )
    ]
    assert sorted(starts) == sorted(wanted)
