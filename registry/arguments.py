"""The slots of a query as the arguments of its parameters, checked against the query's row.

Source: ITI TF-2 3.18.4.1.2.3 (SQ-020 to SQ-054, SEC-T-043, SEC-T-121).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from registry.schema import ASSOCIATION_TYPES, AVAILABILITIES, STATUS_OF, comparable
from xdsi.model.errors import (
    XDSError,
    XDSRegistryError,
    XDSStoredQueryMissingParam,
    XDSStoredQueryParamNumber,
    refuse,
)
from xdsi.model.objects import Slot
from xdsi.model.values import CX, DTM
from xdsi.standard import urns
from xdsi.standard.queries import EVERY_QUERY, Comparison, Parameter, StoredQuery
from xdsi.wire import parameters

PATTERN_WILDCARDS = 8  # SEC-T-121
LISTS = 2  # full lists in one query; more would make statements of any size
PATTERNS = 100  # a bound on the work of one statement; exact values are not counted


@dataclass(frozen=True, slots=True)
class Argument:
    """Values of one parameter.

    groups: one per Slot; their values are OR-ed, the groups AND-ed (SQ-034, SQ-035). A value is
    of the kind that the parameter's test compares with: text, (code, scheme), Status, and so on
    """

    parameter: Parameter
    groups: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How queries are read.

    slots, values: at most in one query, and in one list
    is_lenient: as `Policy.is_lenient` of ITI-18 (SQ-026)
    ignored: names of parameters that count as unknown
    """

    slots: int
    values: int
    is_lenient: bool = False
    ignored: frozenset[str] = frozenset()


def arguments(query: StoredQuery, slots: tuple[Slot, ...], bounds: Bounds) -> dict[str, Argument]:
    """Arguments by parameter name; optional ones that are absent or empty are left out.

    Unknown parameters are ignored (SQ-040). Raises all findings at once.
    """
    if len(slots) > bounds.slots:
        raise XDSRegistryError(
            query.name, f"{len(slots)} slots, allowed are {bounds.slots}", rule="SEC-T-043"
        )
    known = _parameters(query.id)
    given: dict[str, list[Slot]] = {}
    for slot in slots:
        if (name := slot.name.strip()) in known and name not in bounds.ignored:
            given.setdefault(name, []).append(slot)
    found: list[XDSError] = []
    read: dict[str, Argument] = {}
    for name, own in given.items():
        try:
            if groups := _groups(known[name], own, bounds):
                read[name] = Argument(known[name], groups)
        except XDSError as error:
            found.append(error)
    total = sum(len(group) for each in read.values() for group in each.groups)
    if total > LISTS * bounds.values:
        raise XDSRegistryError(
            query.name,
            f"{total} values in all lists, allowed are {LISTS * bounds.values}; split the query",
            rule="SEC-T-043",
        )
    broken = {each.what for each in found}
    for name, parameter in known.items():
        if parameter.is_required and name not in read and name not in broken:
            is_invalid = name in given and parameter.test is Comparison.STATUS
            problem = f"required by {query.name}, missing or without a valid value"
            rule = "SQ-054" if is_invalid else "SQ-051"
            found.append(XDSStoredQueryMissingParam(name, problem, rule=rule))
    found += _either(query, read, broken)
    if query.some and not (read.keys() | broken) & set(query.some):
        names = ", ".join(query.some)
        problem = "at least one of them is required"
        found.append(XDSStoredQueryMissingParam(names, problem, rule="SQ-182"))
    refuse(found, "query refused")
    return read


@cache
def _parameters(query_id: str) -> dict[str, Parameter]:
    return {each.name: each for each in EVERY_QUERY[query_id].parameters}


def _either(query: StoredQuery, read: dict[str, Argument], broken: set[str]) -> Iterator[XDSError]:
    """SQ-053. broken: parameters that were given but could not be read."""
    if not query.either:
        return
    names = " and ".join(query.either)
    count = sum(name in read for name in query.either)
    if count > 1:
        yield XDSStoredQueryParamNumber(names, "give only one of them", rule="SQ-053")
    elif count == 0 and broken.isdisjoint(query.either):
        yield XDSStoredQueryMissingParam(names, "one of them is required", rule="SQ-053")


def _groups(
    parameter: Parameter, slots: Iterable[Slot], bounds: Bounds
) -> tuple[tuple[Any, ...], ...]:
    """Values of each slot that has any. Raises XDSError."""
    groups = []
    name = parameter.name
    for slot in slots:
        try:
            literals = parameters.literals(slot, is_lenient=bounds.is_lenient)
        except parameters.ParameterError as error:
            raise XDSRegistryError(name, error.problem, rule="SQ-020") from error
        if bounds.is_lenient and parameter.test is Comparison.CODE:
            literals = tuple(code for each in literals for code in _several(each))
        # in a long Value of a lenient reading
        if any(len(each) > parameters.VALUE_LENGTH for each in literals):
            problem = f"a text of more than {parameters.VALUE_LENGTH} characters"
            raise XDSRegistryError(name, problem, rule="SQ-020")
        if len(literals) > bounds.values:
            problem = f"{len(literals)} values, allowed are {bounds.values}"
            raise XDSRegistryError(name, problem, rule="SEC-T-043")
        if len(literals) > 1 and not parameter.is_many:
            problem = f"takes one value, got {len(literals)}"
            raise XDSStoredQueryParamNumber(name, problem, rule="SQ-052")
        if literals:
            groups.append(_READ[parameter.test](name, literals))
    if len(groups) > 1 and not parameter.is_and_able:
        problem = "stands in several slots; put its values into one"
        raise XDSStoredQueryParamNumber(name, problem, rule="SQ-036")
    # of statuses and entry types what is not valid is ignored (SQ-054); no such association
    # type selects nothing (SQ-161)
    is_kept = parameter.test is Comparison.ASSOCIATION_TYPE
    return tuple(group for group in groups if group or is_kept)


def _several(literal: str) -> list[str]:
    """The codes in one text; a comma in a single code is part of it."""
    return literal.split(",") if literal.count("^^") > 1 else [literal]


def _texts(_name: str, literals: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(comparable, literals))


def _patients(name: str, literals: tuple[str, ...]) -> tuple[str, ...]:
    for each in literals:
        if (problem := CX(each).problem) is not None:
            raise XDSRegistryError(name, problem, value=each, rule="SQ-042")
    return _texts(name, literals)


def _codes(name: str, literals: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parameters.code_and_scheme(name, each.strip()) for each in literals)
    except parameters.ParameterError as error:
        raise XDSRegistryError(name, error.problem, rule="SQ-027") from error


def _times(name: str, literals: tuple[str, ...]) -> tuple[str, ...]:
    for each in literals:
        if (problem := DTM(each.strip()).problem) is not None:
            raise XDSRegistryError(name, problem, value=each, rule="SQ-029")
    return tuple(DTM(each.strip()).earliest for each in literals)


def _patterns(name: str, literals: tuple[str, ...]) -> tuple[str, ...]:
    """Not trimmed: a blank in a pattern is a blank."""
    patterns = 0
    for each in literals:
        if each.count("%") > PATTERN_WILDCARDS:
            problem = f"more than {PATTERN_WILDCARDS} percent signs"
            raise XDSRegistryError(name, problem, value=each, rule="SEC-T-121")
        patterns += is_pattern(each)
    if patterns > PATTERNS:
        problem = f"{patterns} patterns, allowed are {PATTERNS}"
        raise XDSRegistryError(name, problem, rule="SEC-T-121")
    return tuple(map(comparable, literals))


def _level(name: str, literals: tuple[str, ...]) -> tuple[int, ...]:
    """Nothing for level 1, which is what a query without the parameter has."""
    if literals[0].strip() not in ("1", "2"):
        raise XDSRegistryError(name, "expected 1 or 2", value=literals[0], rule="SQ-190")
    return (2,) if literals[0].strip() == "2" else ()


def is_pattern(value: str) -> bool:
    """Whether a value of a LIKE parameter has wildcards (SQ-038)."""
    return "%" in value or "_" in value


def _valid(choices: Any) -> Any:
    """Reads values of a closed list; others are ignored (SQ-054)."""

    def read(_name: str, literals: tuple[str, ...]) -> tuple[Any, ...]:
        found = (choices.get(each.strip()) for each in literals)
        return tuple(dict.fromkeys(each for each in found if each is not None))

    return read


_READ = MappingProxyType(
    {
        Comparison.PATIENT: _patients,
        Comparison.TEXT: _texts,
        Comparison.CODE: _codes,
        Comparison.LIKE: _patterns,
        Comparison.CONTENT: _patterns,
        Comparison.SINCE: _times,
        Comparison.BEFORE: _times,
        Comparison.STATUS: _valid(STATUS_OF),
        # whether On-Demand
        Comparison.TYPE: _valid({urns.STABLE_DOCUMENT: False, urns.ON_DEMAND_DOCUMENT: True}),
        Comparison.ASSOCIATION_TYPE: _valid(ASSOCIATION_TYPES),
        Comparison.LEVEL: _level,
        Comparison.AVAILABILITY: _valid(AVAILABILITIES),
    }
)
