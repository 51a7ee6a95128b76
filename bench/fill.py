"""A registry with many entries, quickly: rows of one real ITI-42 submission, copied with new ids.

One submission is registered by the registry itself; its rows are read back from every table and
inserted again with other numbers, UUIDs, uniqueIds and patients, in columns and fragments alike.
So the rows are what ITI-42 writes, whatever that is. What need not be unique (ids of nested
objects, reference ids) stays the same. The patients take turns, so that the entries of each lie
as far from each other as can be.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import node, samples
from xdsi import app
from xdsi.plug import Call
from xdsi.standard.transactions import REGISTER

DATABASE = "registry.db"
PER_SUBMISSION = 2  # entries: a report and its manifest
# not a number that `fill` gives
_TEMPLATE_PATIENT = 9_999_999
_BATCH = 500  # submissions inserted together

# table -> columns that hold numbers of objects
_NUMBERS = {
    "object": ("id", "submission"),
    "fragment": ("object",),
    "association": ("id", "source", "target"),
    "object_value": ("object",),
    "unique_id": (),
}
_ROWS = {
    "object": "SELECT * FROM object WHERE submission = :set",
    "fragment": "SELECT * FROM fragment WHERE object IN (SELECT id FROM object "
    "WHERE submission = :set)",
    "association": "SELECT * FROM association WHERE id IN (SELECT id FROM object "
    "WHERE submission = :set)",
    "object_value": "SELECT * FROM object_value WHERE object IN (SELECT id FROM object "
    "WHERE submission = :set)",
    "unique_id": "SELECT * FROM unique_id WHERE value IN (SELECT unique_id FROM object "
    "WHERE submission = :set)",
}
Ids = Sequence[str]


@dataclass(frozen=True, slots=True)
class _Cell:
    """What stands in a column: a number of an object, the patient, text with ids in it, or as is.

    pieces: of text or bytes around the ids; which: positions of those ids
    """

    value: Any
    is_number: bool = False
    is_patient: bool = False
    pieces: tuple[Any, ...] = ()
    which: tuple[int, ...] = ()

    def filled(self, shift: int, patient: int, ids: Ids, encoded: Sequence[bytes]) -> Any:
        if self.is_number:
            return self.value + shift
        if self.is_patient:
            return None if self.value is None else patient
        if not self.which:
            return self.value
        source: Sequence[Any] = encoded if isinstance(self.value, bytes) else ids
        found = [self.pieces[0]]
        for at, piece in zip(self.which, self.pieces[1:], strict=True):
            found += source[at], piece
        return self.pieces[0][:0].join(found)


@dataclass(frozen=True, slots=True)
class Template:
    """The rows of one submission. first: lowest number of its objects; count: of its objects."""

    tables: dict[str, tuple[tuple[_Cell, ...], ...]]
    uuids: tuple[str, ...]
    unique_ids: tuple[str, ...]
    first: int

    @classmethod
    def read(cls, database: sqlite3.Connection, submission_set: str) -> "Template":
        """submission_set: its uniqueId."""
        (number,) = database.execute(
            "SELECT submission FROM object WHERE unique_id = ?", (submission_set,)
        ).fetchone()
        found: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
        for table, statement in _ROWS.items():
            cursor = database.execute(statement, {"set": number})
            found[table] = ([each[0] for each in cursor.description], cursor.fetchall())
        columns, objects = found["object"]
        uuid, unique = columns.index("uuid"), columns.index("unique_id")
        uuids = tuple(row[uuid] for row in objects)
        unique_ids = tuple(row[unique] for row in objects if row[unique])
        ids = (*uuids, *unique_ids)
        tables = {
            table: tuple(
                tuple(
                    _cell(table, name, value, ids) for name, value in zip(names, row, strict=True)
                )
                for row in rows
            )
            for table, (names, rows) in found.items()
        }
        return cls(tables, uuids, unique_ids, min(row[columns.index("id")] for row in objects))

    @property
    def count(self) -> int:
        return len(self.uuids)

    def rows(self, first: int, patient: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """(table, row) of a copy whose objects are numbered from `first` on."""
        ids = [uuid4().urn for _ in self.uuids] + [samples.new_oid() for _ in self.unique_ids]
        encoded = [each.encode() for each in ids]
        for table, rows in self.tables.items():
            for row in rows:
                yield (
                    table,
                    tuple([c.filled(first - self.first, patient, ids, encoded) for c in row]),
                )


def _cell(table: str, column: str, value: Any, ids: Ids) -> _Cell:
    if column in _NUMBERS[table]:
        return _Cell(value, is_number=True)
    if column == "patient":
        return _Cell(value, is_patient=True)
    if not isinstance(value, str | bytes):
        return _Cell(value)
    pieces: list[Any] = [value]
    which: list[int] = []
    for at, id_ in enumerate(ids):
        token: Any = id_.encode() if isinstance(value, bytes) else id_
        split: list[Any] = []
        between: list[int] = []
        # the ids found so far stand between the pieces; new ones come inside a piece
        for position, piece in enumerate(pieces):
            parts = piece.split(token)
            split += parts
            between += [at] * (len(parts) - 1)
            if position < len(which):
                between.append(which[position])
        pieces, which = split, between
    return _Cell(value, pieces=tuple(pieces), which=tuple(which))


def template(folder: Path) -> Template:
    """Register one submission in the node of a folder, and its rows."""
    sent = samples.submission(samples.patient(_TEMPLATE_PATIENT), PER_SUBMISSION)
    one = replace(sent, entries=tuple(samples.received(each) for each in sent.entries))
    actors = app.actors(node.made(folder))
    try:
        routes = (route for actor in actors for route in actor.routes)
        register = next(each.handler for each in routes if each.transaction is REGISTER)
        register(one, Call.internal())
    finally:
        for actor in reversed(actors):
            actor.close()
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        return Template.read(database, str(one.submission_set.unique_id))


def fill(folder: Path, entries: int, patient_entries: int) -> int:
    """Make a registry in a folder with so many entries; the number of its patients.

    Patients are `samples.patient(0)` and on, each with `patient_entries` entries.
    """
    made = template(folder)
    patients = entries // patient_entries
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            database.execute(f"PRAGMA {pragma}")
        numbers = _patients(database, patients)
        (last,) = database.execute("SELECT max(id) FROM object").fetchone()
        copies = (
            made.rows(last + 1 + at * made.count, numbers[at % patients])
            for at in range(entries // PER_SUBMISSION)
        )
        database.execute("BEGIN")
        while batch := list(islice(copies, _BATCH)):
            insert(database, (row for copy in batch for row in copy))
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")
    return patients


def _patients(database: sqlite3.Connection, count: int) -> list[int]:
    """Patients as ITI-42 admits them."""
    (last,) = database.execute("SELECT max(id) FROM patient").fetchone()
    (state,) = database.execute("SELECT state FROM patient WHERE id = ?", (last,)).fetchone()
    numbers = [last + 1 + at for at in range(count)]
    database.executemany(
        "INSERT INTO patient (id, cx, state) VALUES (?, ?, ?)",
        ((number, str(samples.patient(at)), state) for at, number in enumerate(numbers)),
    )
    return numbers


def insert(database: sqlite3.Connection, rows: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    """Insert (table, row) by hand, table by table."""
    by_table: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _NUMBERS}
    for table, row in rows:
        by_table[table].append(row)
    for table, found in by_table.items():
        if found:
            places = ",".join("?" * len(found[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", found)
