"""What the arguments of a stored query demand of the objects of a kind, as conditions of a SELECT.

Values are always bound; which parameters there are, and how many values, is the shape.
Source: ITI TF-2 3.18.4.1.2.3 (SQ-030 to SQ-039, SQ-191 to SQ-196).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
)

from registry.schema import (
    AVAILABILITIES,
    KIND_OF,
    Many,
    PatientState,
    Status,
    association,
    object_,
    object_value,
    patient,
)
from xdsi.standard import queries, urns
from xdsi.standard.queries import Comparison, Parameter, StoredQuery

# one for each AND group: (room for exact values, number of patterns)
GroupShape = tuple[int, int]
# parameter -> its groups
Shape = tuple[tuple[str, tuple[GroupShape, ...]], ...]

_KINDS = MappingProxyType({model.__name__: kind for model, kind in KIND_OF.items()})
_ONLINE, _OFFLINE = AVAILABILITIES[urns.ONLINE], AVAILABILITIES[urns.OFFLINE]

# tests without values in the statement: one shapes it, the other comes after it
NO_VALUES = frozenset({Comparison.LEVEL, Comparison.CONTENT})


class Conditions:
    """What the arguments of one query demand of the objects of a kind."""

    def __init__(
        self,
        query: StoredQuery,
        shape: Mapping[str, tuple[GroupShape, ...]],
        hides_offline: bool,
    ) -> None:
        self.query, self.shape, self.hides_offline = query, shape, hides_offline
        # a level that hides nothing; those that hide leave no trace in the shape
        self.hides = not any(
            each.test is Comparison.LEVEL and each.name in shape for each in query.parameters
        )
        # what stands for the patients, where none are named, and so leads to the objects
        patients, *others = query.some or ("",)
        self.leading = frozenset() if patients in shape else frozenset(others)

    def shown(self, kind: str, table: Any) -> list[ColumnElement[bool]]:
        """What level 1 shows of the objects of a kind (SQ-191, SQ-193)."""
        if not self.hides:
            return []
        if kind == queries.ENTRY:
            shown = [table.c.is_current.is_(True)]
            if self.hides_offline:
                shown.append(table.c.availability.is_distinct_from(_OFFLINE))
            return shown
        if kind == queries.FOLDER:
            return [table.c.is_current.is_(True), table.c.status == Status.APPROVED]
        return []

    def links(self, *columns: Any) -> Any:
        """SELECT from `association`, limited to the statuses that count (SQ-191, SQ-195)."""
        link = object_.alias()
        tests = [link.c.status == Status.APPROVED] if self.hides else []
        for parameter in self.query.parameters:
            if parameter.kind == queries.ASSOCIATION and parameter.test is Comparison.STATUS:
                if parameter.name in self.shape:
                    tests.append(self.values(parameter.name, link.c.status))
                else:
                    tests.append(link.c.status == Status.APPROVED)
        made = select(*columns).select_from(association)
        return made.join(link, link.c.id == association.c.id).where(*tests) if tests else made

    def on(self, kind: str, table: Any = object_) -> ColumnElement[bool]:
        """All demands on the objects of a kind that the query selects by parameters."""
        demands = [table.c.kind == _KINDS[kind], *self.shown(kind, table)]
        for parameter in self.query.parameters:
            if parameter.kind in (kind, "") and parameter.test not in NO_VALUES:
                groups = self.shape.get(parameter.name)
                if groups is not None:
                    is_leading = parameter.name in self.leading
                    demands += (
                        _test(parameter, f"{parameter.name}{at}", group, table, is_leading)
                        for at, group in enumerate(groups)
                    )
                elif parameter.test is Comparison.TYPE:
                    demands.append(table.c.is_on_demand.is_(False))
        return and_(*demands)

    def values(self, name: str, column: Any) -> ColumnElement[bool]:
        """The one group of a parameter that the plan compares with a column itself."""
        ((binds, _),) = self.shape[name]
        return _equal(column, name + "0", binds)


def _equal(column: Any, bind: str, binds: int) -> ColumnElement[bool]:
    """The column is one of the values bound."""
    if binds == 0:
        return false()
    values = [bindparam(f"{bind}_{number}", type_=column.type) for number in range(binds)]
    found: ColumnElement[bool] = column == values[0] if binds == 1 else column.in_(values)
    return found


def _test(
    parameter: Parameter, bind: str, group: GroupShape, table: Any, is_leading: bool
) -> ColumnElement[bool]:
    binds, patterns = group
    name, test = parameter.attribute, parameter.test
    if test is Comparison.PATIENT:
        found = select(patient.c.id).where(
            _equal(patient.c.cx, bind, binds), patient.c.state == PatientState.ACTIVE
        )
        is_of: ColumnElement[bool] = (
            table.c.patient.in_(found)
            if parameter.is_many
            else table.c.patient == found.scalar_subquery()
        )
        return is_of
    if test is Comparison.TYPE:
        return _equal(table.c.is_on_demand, bind, binds)
    if test is Comparison.AVAILABILITY:
        return _equal(func.coalesce(table.c.availability, _ONLINE), bind, binds)
    if many := Many.__members__.get(name.upper()):
        column = object_value.c.code if test is Comparison.CODE else object_value.c.text
        # written out: an index on some attributes alone is only for statements that name them
        is_found = and_(
            object_value.c.attribute == literal_column(str(int(many))),
            _match(column, bind, binds, patterns),
        )
        if is_leading:
            leads: ColumnElement[bool] = table.c.id.in_(
                select(object_value.c.object).where(is_found)
            )
            return leads
        return exists().where(object_value.c.object == table.c.id, is_found)
    column = table.c[column_of(parameter)]
    # an object without the time is not excluded (SQ-032, SQ-033)
    if test is Comparison.SINCE:
        return or_(column.is_(None), column >= bindparam(bind + "_0"))
    if test is Comparison.BEFORE:
        return or_(column.is_(None), column < bindparam(bind + "_0"))
    return _equal(column, bind, binds)


_COLUMNS = MappingProxyType({"entry_uuid": "uuid", "logical_id": "lid"})


def column_of(parameter: Parameter) -> str:
    """Of `object`, where the attribute of a parameter stands."""
    return _COLUMNS.get(parameter.attribute, parameter.attribute)


def _match(column: Any, bind: str, binds: int, patterns: int) -> ColumnElement[bool]:
    """Exact values or patterns; a backslash in a pattern is data (SQ-038)."""
    tests = [_equal(column, bind, binds)] if binds or not patterns else []
    tests += (
        column.like(bindparam(f"{bind}_like{number}"), escape="\\") for number in range(patterns)
    )
    return or_(*tests)
