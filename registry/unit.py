"""One unit of work of the registry: what a submission must know, and what it changes.

Rows that a decision depends on are locked (SEC-T-012; SQLite has one writer and needs no locks), in
the order of their ids, so that most works meet without a deadlock. The statements are made once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Select,
    Table,
    bindparam,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from registry.schema import (
    ASSOCIATION_TYPES,
    Kind,
    PatientState,
    Status,
    association,
    code,
    fragment,
    object_,
    object_value,
    patient,
    unique_id,
)
from xdsi.model.errors import XDSRegistryBusy, XDSRegistryError, XDSRegistryOutOfResources
from xdsi.standard import urns
from xdsi.units import Faults, Listing, LostRace, Prepared, Units, among


@dataclass(frozen=True, slots=True)
class StoredPatient:
    """A row of `patient`."""

    id: int
    cx: str
    state: PatientState

    @property
    def is_active(self) -> bool:
        return self.state == PatientState.ACTIVE


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the registry. cx: of its patient, merges taken into account (REG-085)."""

    id: int
    uuid: str
    kind: Kind
    status: Status
    is_on_demand: bool
    cx: str | None
    lid: str = ""
    version: int = 1
    is_current: bool = True
    unique_id: str | None = None

    @property
    def is_approved(self) -> bool:
        return self.status == Status.APPROVED


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a uniqueId. sha1 and size: of Stable entries."""

    value: str
    kind: Kind
    sha1: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Tie:
    """A stored association as numbers. type: of `ASSOCIATION_TYPES`"""

    id: int
    type: int
    source: int
    target: int
    status: Status


@dataclass(frozen=True, slots=True)
class Link:
    """A stored association. source: the object it comes from; target: number of the other end."""

    id: int
    source: Stored
    target: int


# The patient is looked up behind the lock: a row joined to one that a merge has just changed would
# be that of before the wait (PostgreSQL).
_STORED = (
    object_.c.id,
    object_.c.uuid,
    object_.c.kind,
    object_.c.status,
    object_.c.is_on_demand,
    select(patient.c.cx)
    .where(patient.c.id == object_.c.patient)
    .correlate(object_)
    .scalar_subquery(),
    object_.c.lid,
    object_.c.version,
    object_.c.is_current,
    object_.c.unique_id,
)


def _in(column: Any, name: str) -> Any:
    return column.in_(bindparam(name, expanding=True))


def _patients(binds: int) -> Select[Any]:
    return (
        select(patient.c.id, patient.c.cx, patient.c.state)
        .where(among(patient.c.cx, binds))
        .order_by(patient.c.id)
        .with_for_update(read=True)
    )


def _objects(binds: int, column: Any = object_.c.uuid) -> Select[Any]:
    return (
        select(*_STORED)
        .where(among(column, binds))
        .order_by(object_.c.id)
        .with_for_update(of=object_)
    )


def _current(binds: int) -> Select[Any]:
    return _objects(binds, object_.c.lid).where(object_.c.is_current.is_(True))


def _numbered(binds: int) -> Select[Any]:
    return _objects(binds, object_.c.id)


def _ties(binds: int, *columns: Any) -> Select[Any]:
    columns = columns or (association.c.source, association.c.target)
    return (
        select(*association.c, object_.c.status)
        .join(object_, object_.c.id == association.c.id)
        .where(or_(*(among(column, binds) for column in columns)))
        .order_by(association.c.id)
    )


def _claims(binds: int) -> Select[Any]:
    return (
        select(unique_id.c.value, unique_id.c.kind, unique_id.c.sha1, unique_id.c.size)
        .where(among(unique_id.c.value, binds))
        .order_by(unique_id.c.value)
        .with_for_update(read=True)
    )


_PATIENTS, _OBJECTS, _CLAIMS = Listing(_patients), Listing(_objects), Listing(_claims)
_CURRENT, _NUMBERED = Listing(_current), Listing(_numbered)
_LIDS = Listing(lambda binds: select(object_.c.lid).where(among(object_.c.lid, binds)))
_TIES, _TIES_BY_ID = Listing(_ties), Listing(lambda binds: _ties(binds, association.c.id))


@lru_cache(64)
def _insert(table: Table, dialect: Dialect) -> Prepared:
    return Prepared.of(table.insert(), dialect)


_OUTGOING = select(association.c.source).where(
    _in(association.c.source, "objects"), _in(association.c.type, "types")
)
# associations that lead to an object, with the object they come from
_LINK = object_.alias("link")
_INCOMING = (
    select(association.c.id, association.c.target, *_STORED)
    .select_from(
        association.join(_LINK, _LINK.c.id == association.c.id).join(
            object_, object_.c.id == association.c.source
        )
    )
    .where(_in(association.c.target, "objects"), _in(association.c.type, "types"))
    .where(_LINK.c.status == Status.APPROVED)
    .order_by(object_.c.id)
    .with_for_update(of=object_)
)
_DEPRECATE = (
    update(object_)
    .where(_in(object_.c.id, "objects"), object_.c.status == Status.APPROVED)
    .values(status=Status.DEPRECATED)
)
_SUPERSEDE = (
    update(object_)
    .where(_in(object_.c.id, "objects"))
    .values(is_current=False, status=Status.DEPRECATED)
)
_MARK = update(object_).where(_in(object_.c.id, "objects")).values(status=bindparam("to"))
_RESTATE = (
    update(unique_id)
    .where(unique_id.c.value == bindparam("of"))
    .values(sha1=bindparam("hash"), size=bindparam("octets"))
)
_TOUCH = (
    update(object_)
    # never back: on PostgreSQL a work that began earlier may come later
    .where(_in(object_.c.id, "objects"), object_.c.last_update_time < bindparam("time"))
    .values(last_update_time=bindparam("time"))
)
# numbers of coded values
BATCH = 1_000  # pairs in one statement; databases bound the number of binds
CODES = select(code.c.id, code.c.code, code.c.scheme).where(
    tuple_(code.c.code, code.c.scheme).in_(bindparam("values", expanding=True))
)
_INSERT: Mapping[str, Any] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
)
# numbers for new objects, without a round trip for each
_RESERVE = MappingProxyType(
    {
        "sqlite": Prepared(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "SELECT coalesce((SELECT max(id) FROM object), 0) + i FROM n",
            ("count",),
            {},
        ),
        "postgresql": Prepared(
            "SELECT nextval(pg_get_serial_sequence('object', 'id')) "
            "FROM generate_series(1, %(count)s)",
            (),
            {},
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Unit:
    """The registry's tables inside one transaction. now: UTC, the only clock of a work."""

    connection: Connection
    now: datetime

    @property
    def _driver(self) -> Any:
        return self.connection.connection.dbapi_connection

    def patients(self, values: Collection[str]) -> dict[str, StoredPatient]:
        """Known patients among identifiers, kept from being merged until the end."""
        return {
            cx: StoredPatient(id_, cx, PatientState(state))
            for id_, cx, state in self._rows(_PATIENTS, values)
        }

    def admit(self, values: Collection[str]) -> None:
        """Make patients known that are not."""
        rows = [{"cx": value, "state": PatientState.ACTIVE} for value in sorted(values)]
        self.connection.execute(
            _INSERT[self.connection.dialect.name](patient).on_conflict_do_nothing(), rows
        )

    def objects(self, uuids: Collection[str]) -> dict[str, Stored]:
        """Objects by UUID; nobody else changes them until the end."""
        found = (_stored(*row) for row in self._rows(_OBJECTS, uuids))
        return {each.uuid: each for each in found}

    def current(self, lids: Collection[str]) -> dict[str, Stored]:
        """Latest versions by logical id; nobody else changes them until the end.

        Raises LostRace when another work has made a later one meanwhile.
        """
        found = {each.lid: each for each in self._all(_CURRENT, lids)}
        missing = [each for each in lids if each not in found]
        if any(self._all(_CURRENT, missing)):
            raise LostRace
        return found

    def lids(self, uuids: Collection[str]) -> frozenset[str]:
        """Those of the UUIDs that are the logical id of an object."""
        return frozenset(lid for (lid,) in self._rows(_LIDS, uuids))

    def numbered(self, ids: Collection[int]) -> dict[int, Stored]:
        """Objects by number; nobody else changes them until the end."""
        return {each.id: each for each in self._all(_NUMBERED, sorted(ids))}

    def ties(self, objects: Collection[int]) -> list[Tie]:
        """All associations with an end among the objects."""
        found = {each.id: each for each in self._all_ties(_TIES, objects)}
        return [found[id_] for id_ in sorted(found)]

    def associations(self, ids: Collection[int]) -> dict[int, Tie]:
        """Associations by number."""
        return {each.id: each for each in self._all_ties(_TIES_BY_ID, ids)}

    def _all(self, listing: Listing, values: Collection[Any]) -> Iterator[Stored]:
        for some in _batches(values):
            yield from (_stored(*row) for row in self._rows(listing, some))

    def _all_ties(self, listing: Listing, values: Collection[int]) -> Iterator[Tie]:
        for some in _batches(values):
            for id_, type_, source, target, status in self._rows(listing, some):
                yield Tie(id_, type_, source, target, Status(status))

    def claims(self, values: Collection[str]) -> dict[str, Claim]:
        """Holders of uniqueIds."""
        return {
            value: Claim(value, Kind(kind), sha1, size)
            for value, kind, sha1, size in self._rows(_CLAIMS, values)
        }

    def transformations(self, objects: Collection[int]) -> frozenset[int]:
        """Those of the objects that were made from another one by XFRM or XFRM_RPLC."""
        types = [ASSOCIATION_TYPES[each] for each in (urns.XFRM, urns.XFRM_RPLC)]
        if not objects:
            return frozenset()
        found = self.connection.execute(_OUTGOING, {"objects": list(objects), "types": types})
        return frozenset(found.scalars())

    def incoming(self, objects: Collection[int], types: Iterable[str]) -> list[Link]:
        """Approved associations of these types that lead to one of the objects.

        The objects they come from are kept from changing until the end.
        """
        if not objects:
            return []
        found = self.connection.execute(
            _INCOMING,
            {"objects": list(objects), "types": [ASSOCIATION_TYPES[each] for each in types]},
        )
        return [Link(row[0], _stored(*tuple(row)[2:]), row[1]) for row in found]

    def deprecate(self, objects: Collection[int]) -> None:
        """Approved objects become Deprecated. Raises LostRace if one of them no longer was."""
        found = self.connection.execute(_DEPRECATE, {"objects": list(objects)})
        if found.rowcount != len(objects):
            raise LostRace

    def supersede(self, objects: Collection[int]) -> None:
        """Latest versions become earlier ones, and Deprecated."""
        if objects:
            self.connection.execute(_SUPERSEDE, {"objects": list(objects)})

    def mark(self, objects: Collection[int], status: Status) -> None:
        """Set the status of objects."""
        if objects:
            self.connection.execute(_MARK, {"objects": list(objects), "to": status})

    def restate(self, value: str, sha1: str | None, size: int | None) -> None:
        """What a uniqueId stands for from now on."""
        self.connection.execute(_RESTATE, {"of": value, "hash": sha1, "octets": size})

    def touch(self, folders: Collection[int], time: str) -> None:
        """Set lastUpdateTime of folders."""
        if folders:
            self.connection.execute(_TOUCH, {"objects": list(folders), "time": time})

    def reserve(self, count: int) -> Sequence[int]:
        """Numbers for new objects."""
        reserve = _RESERVE[self.connection.dialect.name]
        return [row[0] for row in reserve.rows(self._driver, {"count": count})]

    def insert(
        self,
        objects: Sequence[Mapping[str, Any]],
        fragments: Sequence[Mapping[str, Any]],
        associations: Sequence[Mapping[str, Any]],
        values: Sequence[Mapping[str, Any]],
        claims: Sequence[Mapping[str, Any]],
    ) -> None:
        """Rows of the tables of the same names; `claims` go to `unique_id`."""
        for table, rows in (
            (unique_id, claims),
            (object_, objects),
            (fragment, fragments),
            (association, associations),
            (object_value, values),
        ):
            if rows:
                _insert(table, self.connection.dialect).insert(self._driver, rows)

    def intern(self, values: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Numbers of (code, scheme), given to those that are new."""
        rows = [{"code": each[0], "scheme": each[1]} for each in sorted(values)]
        self.connection.execute(
            _INSERT[self.connection.dialect.name](code).on_conflict_do_nothing(), rows
        )
        pairs = list(values)
        return {
            (row.code, row.scheme): row.id
            for at in range(0, len(pairs), BATCH)
            for row in self.connection.execute(CODES, {"values": pairs[at : at + BATCH]})
        }

    def _rows(self, listing: Listing, values: Collection[Any]) -> Iterable[tuple[Any, ...]]:
        if not values:
            return ()
        statement, given = listing.of(values, self.connection.dialect)
        return statement.rows(self._driver, given)


def _batches(values: Collection[Any]) -> Iterator[list[Any]]:
    listed = list(values)
    return (listed[at : at + BATCH] for at in range(0, len(listed), BATCH))


# what the caller is told when the database fails
FAULTS = Faults(XDSRegistryBusy, XDSRegistryOutOfResources, XDSRegistryError)


def open_units(
    engine: Engine, seconds: float = 5.0, clock: Callable[[], datetime] | None = None
) -> Units[Unit]:
    """The registry's units of work. seconds: longest time of a statement, for texts and waiting."""
    given = {} if clock is None else {"clock": clock}
    return Units(engine, Unit, FAULTS, patience=seconds, **given)


def _stored(
    id_: int,
    uuid: str,
    kind: int,
    status: int,
    is_on_demand: bool | None,
    cx: str | None,
    lid: str,
    version: int,
    is_current: bool,
    unique_id: str | None,
) -> Stored:
    first = id_, uuid, Kind(kind), Status(status), bool(is_on_demand), cx
    return Stored(*first, lid, version, bool(is_current), unique_id)
