"""The index of the embedded archive in its database.

A row stands for a file that is published already; whoever replaces or removes rows gets the names
of files that nothing refers to any more.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Engine,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from xdsi.actors.imaging.indexing import (
    LIST,
    Addition,
    Unit,
    delete_,
    insert_,
    lists,
    locked,
    prune,
    unit_of,
)
from xdsi.actors.imaging.schema import HEADER, IMAGE_STORE, INSTANCE, REJECTION, SERIES, STUDY
from xdsi.model.errors import XDSRepositoryBusy, XDSRepositoryError, XDSRepositoryOutOfResources
from xdsi.model.imaging import HeldInstance
from xdsi.model.study import StudyState
from xdsi.units import Faults, Migrations, Prepared, Units, among, listed, room

MIGRATIONS = Migrations("imaging", Path(__file__).parent / "migrations")
FAULTS = Faults(XDSRepositoryBusy, XDSRepositoryOutOfResources, XDSRepositoryError)


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance as indexed: `xdsi.files.custody.Record` for its file."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    frames: int
    name: str
    size: int
    sha256: str
    start: int
    seal: str | None = None
    failing_until: int | None = None

    @property
    def checksum(self) -> str:
        return self.seal or self.sha256

    @property
    def unique_id(self) -> str:
        return self.sop_instance_uid

    @property
    def is_failing(self) -> bool:
        return _is_failing(self.failing_until)


def _selected(*columns: Any) -> Select[Any]:
    joined = INSTANCE.join(SERIES, SERIES.c.id == INSTANCE.c.series_id)
    return select(*columns).select_from(joined.join(STUDY, STUDY.c.id == SERIES.c.study_id))


_ENTRIES = _selected(
    STUDY.c.study_instance_uid,
    SERIES.c.series_instance_uid,
    INSTANCE.c.sop_instance_uid,
    INSTANCE.c.sop_class_uid,
    INSTANCE.c.transfer_syntax_uid,
    INSTANCE.c.frames,
    INSTANCE.c.name,
    INSTANCE.c.size,
    INSTANCE.c.sha256,
    INSTANCE.c.start,
    INSTANCE.c.seal,
    INSTANCE.c.failing_until,
)
_IS_REJECTED = exists().where(
    REJECTION.c.sop_instance_uid == INSTANCE.c.sop_instance_uid,
    REJECTION.c.study_instance_uid == STUDY.c.study_instance_uid,
)
# No more than is passed on: an answer has thousands (bench: memory-images).
_SHARED = (
    _selected(
        SERIES.c.series_instance_uid,
        INSTANCE.c.sop_instance_uid,
        INSTANCE.c.sop_class_uid,
        INSTANCE.c.transfer_syntax_uid,
        INSTANCE.c.size,
        INSTANCE.c.frames,
        INSTANCE.c.name,
        func.coalesce(INSTANCE.c.seal, INSTANCE.c.sha256),
        INSTANCE.c.failing_until,
    )
    .where(~_IS_REJECTED)
    .order_by(
        SERIES.c.number,
        SERIES.c.series_instance_uid,
        INSTANCE.c.number,
        INSTANCE.c.sop_instance_uid,
    )
)


def _shared(has_series: bool, binds: int) -> Select[Any]:
    """Of a study, of one series of it, and of as many instances; 0: all."""
    statement = _SHARED.where(STUDY.c.study_instance_uid == bindparam("study"))
    if has_series:
        statement = statement.where(SERIES.c.series_instance_uid == bindparam("series"))
    if binds:
        statement = statement.where(among(INSTANCE.c.sop_instance_uid, binds))
    return statement


_WITH_HEADER = _selected(INSTANCE.c.sop_instance_uid, HEADER.c.content).join(
    HEADER, HEADER.c.instance_id == INSTANCE.c.id
)
_HEADERS = _WITH_HEADER.where(STUDY.c.study_instance_uid == bindparam("study"))
_NOTES = _WITH_HEADER.where(
    INSTANCE.c.id.in_(
        select(REJECTION.c.note_id).where(REJECTION.c.study_instance_uid == bindparam("study"))
    ),
    STUDY.c.study_instance_uid != bindparam("study"),
)
# the stamps of the notes, of whatever study, that take something of a study back
_NOTE = INSTANCE.alias("note")
_TAKEN_BACK = (
    select(func.sum(_NOTE.c.stamp))
    .select_from(REJECTION)
    .join(_NOTE, _NOTE.c.id == REJECTION.c.note_id)
    .where(REJECTION.c.study_instance_uid == STUDY.c.study_instance_uid)
    .scalar_subquery()
    .label("taken_back")
)
_STATES = (
    select(
        STUDY.c.id,
        STUDY.c.study_instance_uid,
        func.count().label("number"),
        func.sum(INSTANCE.c.stamp).label("stamps"),
        _TAKEN_BACK,
        func.max(INSTANCE.c.stored).label("stored"),
    )
    .select_from(STUDY)
    .join(SERIES, SERIES.c.study_id == STUDY.c.id)
    .join(INSTANCE, INSTANCE.c.series_id == SERIES.c.id)
    .where(STUDY.c.id > bindparam("after"))
    .group_by(STUDY.c.id, STUDY.c.study_instance_uid)
    .order_by(STUDY.c.id)
    .limit(LIST)
)
_HAVE_GAINED = or_(
    STUDY.c.id.in_(
        select(SERIES.c.study_id)
        .join(INSTANCE, INSTANCE.c.series_id == SERIES.c.id)
        .where(INSTANCE.c.stored >= bindparam("since"))
    ),
    STUDY.c.study_instance_uid.in_(
        select(REJECTION.c.study_instance_uid)
        .join(INSTANCE, INSTANCE.c.id == REJECTION.c.note_id)
        .where(INSTANCE.c.stored >= bindparam("since"))
    ),
)


class Index:
    """`xdsi.files.custody.Records`. Every method raises XDSRepositoryBusy,
    XDSRepositoryOutOfResources or XDSRepositoryError when the database does not do its part.
    """

    def __init__(self, engine: Engine, *, patience: float = 5.0) -> None:
        self._units = Units(engine, unit_of, FAULTS, patience=patience)
        self._shared = lru_cache(
            lambda has_series, binds: Prepared.of(_shared(has_series, binds), engine.dialect)
        )

    def find(self, sop_instance_uids: Iterable[str]) -> dict[str, Entry]:
        """What is kept of these, rejected or not, by SOP Instance UID."""
        found = (
            _entry(row)
            for some in lists(tuple(sop_instance_uids))
            for row in self._units.rows(_ENTRIES.where(INSTANCE.c.sop_instance_uid.in_(some)))
        )
        return {each.sop_instance_uid: each for each in found}

    def shared(
        self, study: str, series: str | None, wanted: Collection[str] | None
    ) -> list[HeldInstance]:
        """The instances of a study that no note rejects, by series and instance number.

        key: what `read_key` takes
        """
        given = {"study": study}
        if series is not None:
            given["series"] = series
        if wanted is None or len(wanted) > LIST:
            statement = self._shared(series is not None, 0)
        elif wanted:
            statement = self._shared(series is not None, room(len(wanted)))
            given |= listed(wanted)
        else:
            return []
        rows = self._units.fetch(statement, given)
        same: dict[str, str] = {}  # one object for each UID that several have
        return [
            HeldInstance(
                study,
                same.setdefault(series_uid, series_uid),
                uid,
                same.setdefault(sop_class, sop_class),
                same.setdefault(syntax, syntax),
                size,
                frames,
                key_of(name, checksum, until),
            )
            for series_uid, uid, sop_class, syntax, size, frames, name, checksum, until in rows
            if wanted is None or uid in wanted
        ]

    def headers(self, study: str) -> list[tuple[str, bytes]]:
        """SOP Instance UID and header of each instance of a study, rejected ones among them."""
        return self._headers(_HEADERS, study)

    def notes(self, study: str) -> list[tuple[str, bytes]]:
        """The same of the notes in other studies that reject instances of a study."""
        return self._headers(_NOTES, study)

    def _headers(self, statement: Select[Any], study: str) -> list[tuple[str, bytes]]:
        rows: Sequence[Sequence[Any]] = self._units.rows(statement, {"study": study})
        return [(uid, header) for uid, header in rows]

    def states(self, since: float | None) -> Iterator[StudyState]:
        """How studies stand: those that gained an instance since then, None: all."""
        statement, values = _STATES, {"after": 0}
        if since is not None:
            statement, values["since"] = _STATES.where(_HAVE_GAINED), int(since)
        while rows := self._units.rows(statement, values):
            for row in rows:
                values["after"] = row.id
                yield StudyState(row.study_instance_uid, _mark(row), row.stored)

    def add(self, additions: Sequence[Addition]) -> tuple[frozenset[str], tuple[str, ...]]:
        """Index files, all in one step, each with an instance of its own.

        Returns SOP Instance UIDs left out, because somebody else has indexed or replaced them
        since they were looked for; and the names of files replaced.
        """

        def work(unit: Unit) -> tuple[frozenset[str], tuple[str, ...]]:
            known = locked(unit, [each.instance.sop_instance_uid for each in additions])
            late = frozenset(
                uid
                for uid, expected in ((e.instance.sop_instance_uid, e.replaces) for e in additions)
                if known.get(uid) != expected
            )
            taken = [each for each in additions if each.instance.sop_instance_uid not in late]
            spare = [each.replaces for each in taken if each.replaces is not None]
            left = delete_(unit, INSTANCE.c.name.in_(spare)) if spare else set()
            if taken:
                insert_(unit, taken)
            prune(unit, left)
            return late, tuple(spare)

        return self._units.run(work)

    def remove(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> tuple[str, ...]:
        """Forget a study, a series or an instance of it; names of the files that go with it."""
        conditions = [STUDY.c.study_instance_uid == study]
        if series is not None:
            conditions.append(SERIES.c.series_instance_uid == series)
        if instance is not None:
            conditions.append(INSTANCE.c.sop_instance_uid == instance)
        chosen = (
            select(INSTANCE.c.id, INSTANCE.c.name)
            .join(SERIES, SERIES.c.id == INSTANCE.c.series_id)
            .join(STUDY, STUDY.c.id == SERIES.c.study_id)
            .where(*conditions)
            .order_by(INSTANCE.c.sop_instance_uid)
            .with_for_update(of=INSTANCE)
        )

        def work(unit: Unit) -> tuple[str, ...]:
            rows = unit.connection.execute(chosen).all()
            left: set[int] = set()
            for some in lists([row.id for row in rows]):
                left |= delete_(unit, INSTANCE.c.id.in_(some))
            prune(unit, left)
            return tuple(row.name for row in rows)

        return self._units.run(work)

    def fail(self, name: str, until: int) -> None:
        """Do not deliver this file before that time (seconds since 1970)."""
        self._units.run(
            lambda unit: unit.connection.execute(
                update(INSTANCE).where(INSTANCE.c.name == name).values(failing_until=until)
            ).close()
        )

    def named(self, prefix: str) -> list[Entry]:
        """Those whose file's name begins with `prefix` (hex digits)."""
        # "g" follows every hex digit
        within = and_(INSTANCE.c.name >= prefix, INSTANCE.c.name < prefix + "g")
        return [_entry(row) for row in self._units.rows(_ENTRIES.where(within))]

    def identity(self) -> str | None:
        """Of the store it belongs to; None for a new index."""
        rows = self._units.rows(select(IMAGE_STORE.c.identity))
        return rows[0][0] if rows else None

    def identify(self, identity: str) -> str:
        """Bind a new index to a store; the identity it has, which another node may have given."""

        def work(unit: Unit) -> str:
            given: str | None = unit.connection.execute(select(IMAGE_STORE.c.identity)).scalar()
            if given is None:
                unit.connection.execute(insert(IMAGE_STORE).values(only=1, identity=identity))
            return given or identity

        return self._units.run(work)

    def is_empty(self) -> bool:
        """Whether it has no record of any file."""
        return not self._units.rows(select(INSTANCE.c.id).limit(1))

    def close(self) -> None:
        """Let go of the database; the engine stays its maker's."""
        self._units.close()


def _mark(row: Any) -> str:
    # a study that nobody takes anything back of keeps the mark it had before there were stamps
    taken = f"/{row.taken_back}" if row.taken_back else ""
    return f"{row.number}/{row.stamps}{taken}"


def _is_failing(until: int | None) -> bool:
    return until is not None and time.time() < until


def key_of(name: str, checksum: str, failing_until: int | None) -> str:
    """What it takes to give a file out; "" for one that is kept back."""
    return "" if _is_failing(failing_until) else f"{name}/{checksum}"


def read_key(key: str) -> tuple[str, str]:
    """Name and checksum."""
    name, _, checksum = key.partition("/")
    return name, checksum


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(*row)
