"""Stored queries as SELECTs: a query's row and the shape of its arguments give one statement.

The shape says which parameters are there, how many AND groups each has, and for how many values a
group has room (a power of two; the last value is repeated to fill it); never the values, which are
always bound. One statement per shape is kept, so a query like an earlier one costs no compilation.
A plan says which objects come back: what the parameters select, and for some queries what hangs on
it. Each plan is one statement and so has one view of the data (SEC-T-002).
Source: ITI TF-2 3.18.4.1.2.3 (SQ-030 to SQ-039, SQ-055, SQ-060, SQ-140 to SQ-171).
"""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, and_, bindparam, select, union

from registry.arguments import Argument, is_pattern
from registry.conditions import NO_VALUES, Conditions, GroupShape, Shape, column_of
from registry.schema import ASSOCIATION_TYPES, Kind, association, fragment, object_, patient
from xdsi.standard import queries, urns
from xdsi.standard.queries import Comparison, StoredQuery
from xdsi.units import Prepared, room

SHAPES = 512  # statements kept

_HAS_MEMBER = ASSOCIATION_TYPES[urns.HAS_MEMBER]

# what an answer is written from
LEAF = (
    object_.c.kind,
    object_.c.status,
    object_.c.last_update_time,
    object_.c.availability,
    patient.c.cx,
    fragment.c.start,
    fragment.c.body,
)
REF = (object_.c.uuid,)


class Searches:
    """The statements of one database."""

    def __init__(self, dialect: Dialect) -> None:
        self._prepared = lru_cache(SHAPES)(lambda *shape: _prepared(dialect, *shape))

    def search(
        self,
        query: StoredQuery,
        arguments: Mapping[str, Argument],
        numbers: Callable[[Collection[tuple[str, str]]], list[int]],
        limit: int,
        is_leaf: bool,
        hides_offline: bool = True,
    ) -> tuple[Prepared, dict[str, Any]]:
        """The SELECT for a query and the values for it.

        numbers: of those codes that are known
        limit: rows at most; ask for one more than may be answered
        is_leaf: rows as `LEAF`, else as `REF`
        hides_offline: level 1 does (SQ-191)
        """
        shape: list[tuple[str, tuple[GroupShape, ...]]] = []
        values: dict[str, Any] = {"limit": limit}
        for name, argument in arguments.items():
            groups = [
                _bind(values, f"{name}{at}", argument.parameter.test, group, numbers)
                for at, group in enumerate(argument.groups)
            ]
            shape.append((name, tuple(groups)))
        return self._prepared(query.id, tuple(shape), is_leaf, hides_offline), values


def _bind(
    values: dict[str, Any],
    bind: str,
    test: Comparison,
    group: tuple[Any, ...],
    numbers: Callable[[Collection[tuple[str, str]]], list[int]],
) -> GroupShape:
    """The shape of a group, whose values are put into `values`."""
    exact: tuple[Any, ...] = group
    patterns: tuple[str, ...] = ()
    if test in NO_VALUES:
        return 0, 0
    if test is Comparison.CODE:
        exact = tuple(numbers(group))
    elif test is Comparison.LIKE:
        exact = tuple(each for each in group if not is_pattern(each))
        patterns = tuple(each for each in group if is_pattern(each))
    binds = room(len(exact))
    for number in range(binds):
        values[f"{bind}_{number}"] = exact[min(number, len(exact) - 1)]
    for number, each in enumerate(patterns):
        values[f"{bind}_like{number}"] = each.replace("\\", "\\\\")
    return binds, len(patterns)


def _prepared(
    dialect: Dialect, query_id: str, shape: Shape, is_leaf: bool, hides_offline: bool
) -> Prepared:
    query = queries.EVERY_QUERY[query_id]
    conditions = Conditions(query, dict(shape), hides_offline)
    # some codes are on every second object and others on one: no plan is good for both
    is_planned_anew = bool(conditions.leading)
    statement = _statement(query, conditions, is_leaf)
    return Prepared.of(statement, dialect, is_planned_anew=is_planned_anew)


def _statement(query: StoredQuery, conditions: Conditions, is_leaf: bool) -> Select[Any]:
    chosen = _PLANS.get(query.name, _found)(conditions)
    statement = select(*(LEAF if is_leaf else REF))
    if is_leaf:
        # an association has no patient
        is_outer = queries.ASSOCIATION in query.returns
        joined = object_.join(patient, patient.c.id == object_.c.patient, isouter=is_outer)
        statement = statement.select_from(joined.join(fragment))
    return statement.where(chosen).order_by(object_.c.id).limit(bindparam("limit"))


# plans: which objects of `object` come back


def _found(given: Conditions) -> ColumnElement[bool]:
    """The objects that the parameters select, of the one kind that the query returns.

    A code may be that of half the registry, so what it leads to ends with the limit, before
    anything is sorted or read.
    """
    (kind,) = given.query.returns
    if given.leading:
        return _among(_ids(given, kind).limit(bindparam("limit")))
    return given.on(kind)


def _ids(given: Conditions, kind: str) -> Any:
    """Numbers of the objects of a kind that the parameters select."""
    table = object_.alias()
    return select(table.c.id).where(given.on(kind, table))


def _among(*selects: Any) -> ColumnElement[bool]:
    chosen: ColumnElement[bool] = object_.c.id.in_(
        selects[0] if len(selects) == 1 else union(*selects)
    )
    return chosen


def _rows(name: str, made: Any) -> Any:
    """A part of a plan that is used several times. Its one column is `id`."""
    return made.cte(name)


def _all_of(part: Any) -> Any:
    return select(part.c.id)


def _get_all(given: Conditions) -> ColumnElement[bool]:
    """SQ-147: associations with at least one end among the objects found."""
    kinds = (queries.ENTRY, queries.SET, queries.FOLDER)
    found = _rows("found", union(*(_ids(given, kind) for kind in kinds)))
    return _among(_all_of(found), *_associations_of(given, _all_of(found)))


def _associations_of(given: Conditions, ids: Any) -> tuple[Any, Any]:
    links = given.links(association.c.id)
    return links.where(association.c.source.in_(ids)), links.where(association.c.target.in_(ids))


def _get_associations(given: Conditions) -> ColumnElement[bool]:
    table = object_.alias()
    ids = select(table.c.id).where(given.values("$uuid", table.c.uuid))
    return _among(*_associations_of(given, ids))


def _get_documents_and_associations(given: Conditions) -> ColumnElement[bool]:
    found = _rows("found", _ids(given, queries.ENTRY))
    return _among(_all_of(found), *_associations_of(given, _all_of(found)))


def _get_submission_sets(given: Conditions) -> ColumnElement[bool]:
    """SQ-154, SQ-164: the sets, and their HasMembers to the ids given."""
    table, sets = object_.alias(), object_.alias()
    ids = select(table.c.id).where(given.values("$uuid", table.c.uuid))
    members = _rows(
        "members",
        given.links(association.c.id, association.c.source)
        .join(sets, sets.c.id == association.c.source)
        .where(
            association.c.target.in_(ids),
            association.c.type == _HAS_MEMBER,
            sets.c.kind == Kind.SUBMISSION_SET,
        ),
    )
    return _among(_all_of(members), select(members.c.source))


def _members(given: Conditions, part: Any) -> Any:
    """HasMembers that start at one of a part: `id` and `target`."""
    return given.links(association.c.id, association.c.target).where(
        association.c.source.in_(_all_of(part)), association.c.type == _HAS_MEMBER
    )


def _targets(members: Any, condition: Callable[[Any], ColumnElement[bool]]) -> Any:
    table = object_.alias()
    return select(table.c.id).where(table.c.id.in_(select(members.c.target)), condition(table))


def _get_submission_set_and_contents(given: Conditions) -> ColumnElement[bool]:
    """SQ-160: no association is returned unless both its ends are."""
    own = _rows("own", _ids(given, queries.SET))
    members = _rows("members", _members(given, own))
    entries = _rows("entries", _targets(members, lambda table: given.on(queries.ENTRY, table)))
    folders = _rows("folders", _targets(members, lambda table: _is_folder(given, table)))
    objects = _rows("objects", union(_all_of(own), _all_of(entries), _all_of(folders)))
    filings = _rows(
        "filings",
        given.links(association.c.id).where(
            association.c.id.in_(select(members.c.target)),
            association.c.source.in_(_all_of(objects)),
            association.c.target.in_(_all_of(objects)),
        ),
    )
    contents = _rows("contents", union(_all_of(objects), _all_of(filings)))
    links = select(members.c.id).where(members.c.target.in_(_all_of(contents)))
    return _among(_all_of(contents), links)


def _get_folder_and_contents(given: Conditions) -> ColumnElement[bool]:
    own = _rows("own", _ids(given, queries.FOLDER))
    members = _rows("members", _members(given, own))
    entries = _rows("entries", _targets(members, lambda table: given.on(queries.ENTRY, table)))
    links = select(members.c.id).where(members.c.target.in_(_all_of(entries)))
    return _among(_all_of(own), _all_of(entries), links)


def _get_folders_for_document(given: Conditions) -> ColumnElement[bool]:
    holders = given.links(association.c.source).where(
        association.c.target.in_(_ids(given, queries.ENTRY)), association.c.type == _HAS_MEMBER
    )
    return and_(_is_folder(given, object_), object_.c.id.in_(holders))


def _is_folder(given: Conditions, table: Any) -> ColumnElement[bool]:
    return and_(table.c.kind == Kind.FOLDER, *given.shown(queries.FOLDER, table))


def _get_related_documents(given: Conditions) -> ColumnElement[bool]:
    """SQ-161, SQ-163, SQ-166: one step, and only where both ends are entries of the types asked."""
    own = _rows("own", _ids_given(given))
    source, target = object_.alias(), object_.alias()
    # one part for each end: an OR of both would make PostgreSQL look at every association
    links = _rows(
        "links",
        union(
            *(
                given.links(association.c.id, association.c.source, association.c.target)
                .join(source, source.c.id == association.c.source)
                .join(target, target.c.id == association.c.target)
                .where(
                    end.in_(_all_of(own)),
                    given.values("$AssociationTypes", association.c.type),
                    *(_is_entry_of_type(given, table) for table in (source, target)),
                )
                for end in (association.c.source, association.c.target)
            )
        ),
    )
    return _among(_all_of(links), select(links.c.source), select(links.c.target))


def _ids_given(given: Conditions) -> Any:
    """Numbers of the entries named by UUID or uniqueId, whatever their type."""
    table = object_.alias()
    named = (
        given.values(each.name, table.c[column_of(each)])
        for each in given.query.parameters
        if each.name in given.query.either and each.name in given.shape
    )
    return select(table.c.id).where(table.c.kind == Kind.DOCUMENT_ENTRY, *named)


def _is_entry_of_type(given: Conditions, table: Any) -> ColumnElement[bool]:
    type_ = next(each for each in given.query.parameters if each.test is Comparison.TYPE)
    is_entry = and_(table.c.kind == Kind.DOCUMENT_ENTRY, *given.shown(queries.ENTRY, table))
    if type_.name not in given.shape:
        return and_(is_entry, table.c.is_on_demand.is_(False))
    return and_(is_entry, given.values(type_.name, table.c.is_on_demand))


_PLANS: Mapping[str, Callable[[Conditions], ColumnElement[bool]]] = MappingProxyType(
    {
        queries.GET_ALL.name: _get_all,
        queries.GET_ASSOCIATIONS.name: _get_associations,
        queries.GET_DOCUMENTS_AND_ASSOCIATIONS.name: _get_documents_and_associations,
        queries.GET_SUBMISSION_SETS.name: _get_submission_sets,
        queries.GET_SUBMISSION_SET_AND_CONTENTS.name: _get_submission_set_and_contents,
        queries.GET_FOLDER_AND_CONTENTS.name: _get_folder_and_contents,
        queries.GET_FOLDERS_FOR_DOCUMENT.name: _get_folders_for_document,
        queries.GET_RELATED_DOCUMENTS.name: _get_related_documents,
    }
)
