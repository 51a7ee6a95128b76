"""Registries of any size on SQLite and PostgreSQL, from courses that ITI-42 has registered.

A few courses (`bench.courses`) are registered by the registry itself. Their rows are read back from
every table and copied for so many patients with other numbers, UUIDs, uniqueIds, reference ids and
patients, in columns and fragments alike; so the rows are what ITI-42 writes, whatever that is.
Patients take turns: what each of them has lies as far apart as can be, as it does where patients
come and go for years. PostgreSQL takes the rows by COPY and makes its indices and checks its
foreign keys afterwards.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.engine import URL

from bench import samples
from bench.courses import DIGITS, VARIANTS, Course
from registry.schema import PatientState
from registry.schema import metadata as tables
from xdsi import app
from xdsi.config import Config
from xdsi.model.values import CX
from xdsi.plug import Call, Handler
from xdsi.standard.transactions import REGISTER
from xdsi.units import engine

# patients of the courses that are copied, apart from those of the copies
_FIRST_TEMPLATE = 9_000_000
_OWN = "submission = :number"
_OF_OBJECTS = f"IN (SELECT id FROM object WHERE {_OWN})"
# table -> (columns that hold numbers of objects, rows of one submission)
_TABLES = {
    "unique_id": ((), f"value IN (SELECT unique_id FROM object WHERE {_OWN})"),
    "object": (("id", "submission"), _OWN),
    "fragment": (("object",), f"object {_OF_OBJECTS}"),
    "association": (("id", "source", "target"), f"id {_OF_OBJECTS}"),
    "object_value": (("object",), f"object {_OF_OBJECTS}"),
}
_BATCH = 1_000  # submissions inserted together
Rows = dict[str, list[list[Any]]]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row to be copied.

    constants: what stays; numbers, patients, texts: what is put at which position of it
    """

    table: str
    constants: list[Any]
    numbers: tuple[tuple[int, int], ...]
    patients: tuple[int, ...]
    # (position, text with a place for each id, positions of those ids)
    texts: tuple[tuple[int, str | bytes, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One submission of a course: how many objects it brings, and the rows of each variant."""

    count: int
    rows: tuple[tuple[_Row, ...], ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """What is an object's own, by its place in the course: kind, and UUID, uniqueId or digits."""

    kinds: tuple[str, ...]

    def of(self, patient_: int, at: int) -> str:
        """The same at each call."""
        found = blake2b(b"%d.%d" % (patient_, at), digest_size=16).hexdigest()
        if self.kinds[at] == "uuid":
            return (
                f"urn:uuid:{found[:8]}-{found[8:12]}-4{found[13:16]}-8{found[17:20]}-{found[20:]}"
            )
        if self.kinds[at] == "oid":
            return f"2.25.1{int(found, 16) % 10**37:037}"
        return f"{int(found, 16) % 10**DIGITS:0{DIGITS}}"


@dataclass(frozen=True, slots=True)
class Filled:
    """A registry that was filled. patients: `samples.patient(0)` and on; entries: in all.

    objects: (kind, status, uuid, unique_id) of a patient's objects, as places in `ids`
    """

    patients: int
    entries: int
    ids: Ids
    objects: tuple[tuple[int, int, int, int | None], ...]
    references: tuple[int, ...]


def fill(config: Config, entries: int, patient_entries: int) -> Filled:
    """Fill the empty registry of a configuration; its database is migrated before.

    Raises ValueError unless `entries` is so many times `patient_entries`.
    """
    if entries % patient_entries:
        raise ValueError(f"{entries} entries are not so many for each patient")
    with registering(config) as register:
        sets = [
            _registered(register, samples.patient(_FIRST_TEMPLATE + at), patient_entries, at)
            for at in range(VARIANTS)
        ]
    patients = entries // patient_entries
    with _engine(config) as engine:
        courses = [_Read.of(engine, each) for each in sets]
        with engine.connect() as connection:
            first = connection.execute(text("SELECT max(id) + 1 FROM object")).scalar_one()
            before = connection.execute(text("SELECT max(id) + 1 FROM patient")).scalar_one()
        url, load = engine.url, _LOAD[engine.dialect.name]
    made = courses[0]
    if any(course.shape != made.shape for course in courses):
        raise RuntimeError("the courses differ in their structure")
    steps = tuple(
        Step(count, tuple(course.rows[at] for course in courses))
        for at, count in enumerate(made.counts)
    )
    load(url, _patients(patients, before), _copies(steps, made.ids, patients, first, before))
    return Filled(patients, entries, made.ids, made.objects, made.references)


@contextmanager
def registering(config: Config) -> Iterator[Handler]:
    """ITI-42 of a node in this process."""
    actors = app.actors(config)
    routes = (route for actor in actors for route in actor.routes)
    try:
        yield next(each.handler for each in routes if each.transaction is REGISTER)
    finally:
        for each in reversed(actors):
            each.close()


@contextmanager
def _engine(config: Config) -> Iterator[Engine]:
    assert config.registry is not None
    made = engine(config.registry.database, folder=config.folder)
    try:
        yield made
    finally:
        made.dispose()


def _registered(register: Handler, of: CX, entries: int, variant: int) -> list[str]:
    """UUIDs of the sets of a course, once it is registered."""
    found = []
    for each in Course(of, entries, variant).submissions():
        register(each, Call.internal())
        found.append(each.submission_set.entry_uuid)
    return found


@dataclass(frozen=True, slots=True)
class _Read:
    """A course as it lies in the tables, by submission."""

    ids: Ids
    counts: tuple[int, ...]
    rows: tuple[tuple[_Row, ...], ...]
    objects: tuple[tuple[int, int, int, int | None], ...]
    references: tuple[int, ...]

    @property
    def shape(self) -> object:
        return (
            self.ids,
            self.counts,
            [[(row.table, row.numbers, row.patients) for row in step] for step in self.rows],
            self.objects,
        )

    @classmethod
    def of(cls, engine: Engine, sets: Sequence[str]) -> "_Read":
        """sets: UUIDs of its submission sets, in order."""
        found: list[dict[str, list[Any]]] = []
        with engine.connect() as connection:
            for uuid in sets:
                number = connection.execute(
                    text("SELECT id FROM object WHERE uuid = :uuid"), {"uuid": uuid}
                ).scalar_one()
                found.append({
                    name: list(
                        connection.execute(
                            tables.tables[name]
                            .select()
                            .where(text(condition))
                            .order_by(*tables.tables[name].primary_key),
                            {"number": number},
                        )
                    )
                    for name, (_, condition) in _TABLES.items()
                })  # fmt: skip
        objects = [row for step in found for row in sorted(step["object"], key=lambda r: r.id)]
        kinds = dict.fromkeys((row.uuid for row in objects), "uuid")
        kinds |= dict.fromkeys((row.unique_id for row in objects if row.unique_id), "oid")
        digits = (
            number
            for step in found
            for row in step["object_value"]
            for number in re.findall(rf"\d{{{DIGITS}}}", row.text or "")
        )
        kinds |= dict.fromkeys(digits, "digits")
        place = {token: at for at, token in enumerate(kinds)}
        places = {row.id: at for at, row in enumerate(objects)}
        make = _maker(places, place)
        return cls(
            Ids(tuple(kinds.values())),
            tuple(len(step["object"]) for step in found),
            tuple(
                tuple(make(name, row) for name, rows in step.items() for row in rows)
                for step in found
            ),
            tuple(
                (row.kind, row.status, place[row.uuid], place.get(row.unique_id)) for row in objects
            ),
            tuple(at for at, kind in enumerate(kinds.values()) if kind == "digits"),
        )


def _maker(numbers: dict[int, int], ids: dict[str, int]) -> Callable[[str, Any], _Row]:
    """Makes rows to be copied. numbers: id of an object -> its place; ids: the same of its ids."""
    # the longest first: no id may be taken for a piece of another
    pattern = "|".join(re.escape(each) for each in sorted(ids, key=len, reverse=True))
    for_text, for_bytes = re.compile(pattern), re.compile(pattern.encode())

    def make(table: str, row: Any) -> _Row:
        columns, _ = _TABLES[table]
        constants, places, patients = list(row), [], []
        texts: list[tuple[int, str | bytes, tuple[int, ...]]] = []
        for at, (name, value) in enumerate(row._mapping.items()):
            if name in columns:
                places.append((at, numbers[value]))
            elif table == "object" and name == "patient" and value is not None:
                patients.append(at)
            elif isinstance(value, bytes):
                which = tuple(ids[each.decode()] for each in for_bytes.findall(value))
                texts.append((at, for_bytes.sub(b"%s", value.replace(b"%", b"%%")), which))
            elif isinstance(value, str) and (words := for_text.findall(value)):
                which = tuple(ids[each] for each in words)
                texts.append((at, for_text.sub("%s", value.replace("%", "%%")), which))
        return _Row(table, constants, tuple(places), tuple(patients), tuple(texts))

    return make


@dataclass(slots=True)
class OneMore:
    """Rows of one submission, with other ids at each call. count: of its objects."""

    _step: Step
    _ids: Ids
    _patient: int
    _number: int = 0

    @property
    def count(self) -> int:
        return self._step.count

    def __call__(self, first: int) -> Rows:
        """By table; the objects are numbered from `first` on."""
        # ids are a function of patient and place: each call is another patient to them
        self._number += 1
        copies = _copies((self._step,), self._ids, 1, first, self._patient, -self._number)
        return next(_batches(copies))


def copies_of_one(config: Config, register: Handler, entries: int) -> OneMore:
    """Copies of the first submission of a course, for a patient that it makes known."""
    of = samples.patient(_FIRST_TEMPLATE + VARIANTS)
    sets = _registered(register, of, entries, 0)
    with _engine(config) as engine:
        read = _Read.of(engine, sets[:1])
        with engine.connect() as connection:
            number = connection.execute(
                text("SELECT id FROM patient WHERE cx = :cx"), {"cx": str(of)}
            ).scalar_one()
    return OneMore(Step(read.counts[0], read.rows[:1]), read.ids, number)


def _copies(
    steps: Sequence[Step],
    ids: Ids,
    patients: int,
    first: int,
    first_patient: int,
    seed: int = 0,
) -> Iterator[list[tuple[str, list[Any]]]]:
    """(table, row) of each submission of each patient, step by step.

    first: number of the first object; first_patient: of the first patient
    seed: ids are those of the patient of that number and the following
    """
    # place of an object in the course -> number of the first patient's, and of those between two
    base: list[tuple[int, int]] = []
    for step in steps:
        base += ((first + at, step.count) for at in range(step.count))
        first += step.count * patients
    for step in steps:
        texts = (each for rows in step.rows for row in rows for each in row.texts)
        used = sorted({at for _, _, which in texts for at in which})
        for number in range(patients):
            own = {at: ids.of(seed + number, at) for at in used}
            encoded = {at: each.encode() for at, each in own.items()}
            made = []
            for row in step.rows[number % len(step.rows)]:
                values = row.constants.copy()
                for at, place in row.numbers:
                    start, between = base[place]
                    values[at] = start + number * between
                for at in row.patients:
                    values[at] = first_patient + number
                for at, pattern, which in row.texts:
                    if isinstance(pattern, bytes):
                        values[at] = pattern % tuple([encoded[each] for each in which])
                    else:
                        values[at] = pattern % tuple([own[each] for each in which])
                made.append((row.table, values))
            yield made


def _patients(count: int, first: int) -> Iterator[list[Any]]:
    for at in range(count):
        yield [first + at, str(samples.patient(at)), int(PatientState.ACTIVE), None]


def _batches(copies: Iterable[list[tuple[str, list[Any]]]]) -> Iterator[Rows]:
    waiting = iter(copies)
    while some := list(islice(waiting, _BATCH)):
        rows: Rows = {name: [] for name in _TABLES}
        for copy in some:
            for table, row in copy:
                rows[table].append(row)
        yield rows


def _load_sqlite(
    url: URL, patients: Iterator[list[Any]], copies: Iterable[list[tuple[str, list[Any]]]]
) -> None:
    with closing(sqlite3.connect(str(url.database), isolation_level=None)) as database:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("BEGIN")
        database.executemany("INSERT INTO patient VALUES (?, ?, ?, ?)", patients)
        for rows in _batches(copies):
            for table, found in rows.items():
                if found:
                    places = ",".join("?" * len(found[0]))
                    database.executemany(f"INSERT INTO {table} VALUES ({places})", found)
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")


def _load_postgresql(
    url: URL, patients: Iterator[list[Any]], copies: Iterable[list[tuple[str, list[Any]]]]
) -> None:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        with connection.transaction():
            again = _without_indices(connection)
            _copy(connection, "patient", patients)
            for rows in _batches(copies):
                for table, found in rows.items():
                    _copy(connection, table, found)
            for statement in again:
                connection.execute(statement.encode())
            for table in ("object", "patient"):
                connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "
                    f"(SELECT max(id) FROM {table}))".encode()
                )
        connection.execute("VACUUM ANALYZE")


_LOAD = {"sqlite": _load_sqlite, "postgresql": _load_postgresql}


def _copy(connection: psycopg.Connection[Any], table: str, rows: Iterable[list[Any]]) -> None:
    types = [
        row[0]
        for row in connection.execute(
            "SELECT udt_name FROM information_schema.columns "
            "WHERE table_name = %s AND table_schema = 'public' ORDER BY ordinal_position",
            (table,),
        )
    ]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy,
    ):
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _without_indices(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop indices and constraints; the statements that make them again."""
    names = ["patient", *_TABLES]
    constraints = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('p', 'u', 'f') "
        "ORDER BY contype <> 'f'",
        (names,),
    ).fetchall()
    for table, name, _ in constraints:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE".encode())
    indices = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)", (names,)
    ).fetchall()
    for name, _ in indices:
        connection.execute(f"DROP INDEX {name}".encode())
    # keys first: foreign keys refer to them
    return [each for _, each in indices] + [
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {what}"
        for table, name, what in reversed(constraints)
    ]
