"""Every stored query of ITI-18 and ITI-51, and ITI-42, in several sizes on both databases."""

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import make_url

from bench import generate, messages, samples
from bench.courses import CT, REPORTS, Course
from bench.fill import PER_SUBMISSION
from bench.generate import Filled
from bench.measure import Figures, Line, Report, Sizes, compared, percentile, take_turns
from bench.query import Answer, answering
from bench.submit import rate
from registry.schema import Kind, Status
from tests.databases import PostgreSQL
from xdsi import app
from xdsi.config import Config, Registry
from xdsi.model.messages import QueryRequest, Submission
from xdsi.model.objects import Code, Slot
from xdsi.plug import Call, Handler
from xdsi.standard import queries, urns
from xdsi.standard.queries import StoredQuery
from xdsi.standard.transactions import REGISTER
from xdsi.wire.parameters import many, single

ROW = "iti18-all"
KINDS = ("SQLite", "PostgreSQL")
_HEAVY = 9_500_000  # number of the patient with many documents
_HEAVY_SET = 100  # of them in one submission
_HEAVY_SECONDS = 1.0
_HEAVY_TIMES = 20
_POSTGRESQL = ("shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min")
_SUCCESS, _TOO_MANY = urns.SUCCESS.encode(), b"XDSTooManyResults"
# of a few documents of that patient alone, in a registry of any size
_RARE = Code.of("rare", "1.2.3.4.5.8", "Rare")
_LEAF = (b"<rim:ExtrinsicObject ", b"<rim:RegistryPackage ", b"<rim:Association ")


@dataclass(frozen=True, slots=True)
class Asked:
    """A filled registry. answer: envelope in, envelope out; octets: of its database."""

    filled: Filled
    answer: Answer
    register: Handler
    config: Config
    octets: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A query as consumers ask it.

    is_steady: found by what few objects have, a patient or a code, so that its time is not to grow
        with the registry
    slots: of a patient's number, a course's ids and a random choice
    may_be_many: so that a registry of some size refuses
    """

    name: str
    query: StoredQuery
    is_steady: bool
    slots: Callable[["_One"], tuple[Slot, ...]]
    may_be_many: bool = False

    def envelope(self, one: "_One") -> bytes:
        return messages.query_envelope(QueryRequest(self.query.id, self.slots(one)))


@dataclass(frozen=True, slots=True)
class _One:
    """One patient of a filled registry, and whatever of theirs is asked for."""

    filled: Filled
    number: int
    choose: random.Random

    @property
    def patient(self) -> str:
        return str(samples.patient(self.number))

    def several(self, name: str) -> Slot:
        """This patient and the two after it."""
        numbers = {(self.number + more) % self.filled.patients for more in range(3)}
        return many(name, (str(samples.patient(each)) for each in sorted(numbers)))

    def uuid(self, kind: Kind, status: Status | None = None) -> str:
        return self._id([row[2] for row in self._objects(kind, status)])

    def unique_id(self, kind: Kind) -> str:
        return self._id([row[3] for row in self._objects(kind) if row[3] is not None])

    def reference(self) -> str:
        return self._id(self.filled.references)

    def _objects(self, kind: Kind, status: Status | None = None) -> list[Any]:
        return [
            row
            for row in self.filled.objects
            if row[0] == kind and (status is None or row[1] == status)
        ]

    def _id(self, places: Sequence[int]) -> str:
        return self.filled.ids.of(self.number, self.choose.choice(places))


_ENTRY, _SET, _FOLDER = Kind.DOCUMENT_ENTRY, Kind.SUBMISSION_SET, Kind.FOLDER
_DE, _SS = "$XDSDocumentEntry", "$XDSSubmissionSet"


def _approved(name: str) -> Slot:
    return many(name, (urns.APPROVED,))


def _find(one: _One) -> tuple[Slot, ...]:
    return single(_DE + "PatientId", one.patient), _approved(_DE + "Status")


def _narrow(one: _One) -> tuple[Slot, ...]:
    return (
        *_find(one),
        many(_DE + "ClassCode", ("REPORTS^^1.3.6.1.4.1.19376.1.2.6.1",)),
        many(_DE + "EventCodeList", ("CT^^1.2.840.10008.2.16.4", "MR^^1.2.840.10008.2.16.4")),
        many(_DE + "ConfidentialityCode", ("N^^2.16.840.1.113883.5.25",)),
        many(_DE + "AuthorPerson", ("%^Example%", "%^Muster%", "%^Invented%", "%^Sample%")),
        single(_DE + "ServiceStartTimeFrom", "2015"),
        single(_DE + "ServiceStartTimeTo", "2035"),
    )


def _all(one: _One) -> tuple[Slot, ...]:
    statuses = (_DE + "Status", _SS + "Status", "$XDSFolderStatus")
    return single("$patientId", one.patient), *map(_approved, statuses)


def _of_several(one: _One) -> tuple[Slot, ...]:
    return one.several(_DE + "PatientId"), _approved(_DE + "Status")


def _reference(one: _One) -> Slot:
    # of the two ids of a study the pattern fits whichever it is
    return many(_DE + "ReferenceIdList", (f"%{one.reference()}^%",))


def _coded(name: str, code: Code) -> Callable[[_One], tuple[Slot, ...]]:
    value = f"{code.code}^^{code.scheme}"
    return lambda _: (_approved(_DE + "Status"), many(_DE + name, (value,)))


def _of_anybody(one: _One) -> tuple[Slot, ...]:
    number = one.reference()
    either = (f"{number}^^^&1.2.3.4.5.6&ISO^{urns.ACCESSION}",
              f"1.2.3.45.{number}^^^^{urns.STUDY_INSTANCE_UID}")  # fmt: skip
    return _approved(_DE + "Status"), many(_DE + "ReferenceIdList", either)


def _named(name: str, kind: Kind, *more: Slot) -> Callable[[_One], tuple[Slot, ...]]:
    return lambda one: (many(name, (one.uuid(kind),)), *more)


def _numbered(name: str, kind: Kind) -> Callable[[_One], tuple[Slot, ...]]:
    return lambda one: (many(name, (one.unique_id(kind),)),)


_RELATIONS = many("$AssociationTypes", (urns.RPLC, urns.APND))
SHAPES = (
    Shape("FindDocuments", queries.FIND_DOCUMENTS, True, _find),
    Shape("FindDocuments, narrowed", queries.FIND_DOCUMENTS, True, _narrow),
    Shape("FindSubmissionSets", queries.FIND_SUBMISSION_SETS, True, lambda one: (
        single(_SS + "PatientId", one.patient), _approved(_SS + "Status"))),
    Shape("FindFolders", queries.FIND_FOLDERS, True, lambda one: (
        single("$XDSFolderPatientId", one.patient), _approved("$XDSFolderStatus"))),
    Shape("GetAll", queries.GET_ALL, True, _all),
    Shape("FindDocumentsByReferenceId", queries.FIND_DOCUMENTS_BY_REFERENCE_ID, True,
          lambda one: (*_find(one), _reference(one))),
    Shape("FindDocumentsByTitle", queries.FIND_DOCUMENTS_BY_TITLE, True, lambda one: (
        *_find(one), many(_DE + "Title", ("Invented study of 20%",)))),
    Shape("FindDocumentsForMultiplePatients", queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, True,
          _of_several),
    Shape("FindFoldersForMultiplePatients", queries.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS, True,
          lambda one: (one.several("$XDSFolderPatientId"), _approved("$XDSFolderStatus"))),
    Shape("FindDocumentsByReferenceIdForMultiplePatients",
          queries.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS, True,
          lambda one: (*_of_several(one), _reference(one))),
    Shape("FindDocumentsForMultiplePatients, nobody named, rare class code",
          queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, True, _coded("ClassCode", _RARE)),
    Shape("FindDocumentsForMultiplePatients, nobody named, rare event code",
          queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, True, _coded("EventCodeList", _RARE)),
    Shape("FindDocumentsForMultiplePatients, nobody named, common class code",
          queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, False, _coded("ClassCode", REPORTS), True),
    Shape("FindDocumentsForMultiplePatients, nobody named, common event code",
          queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS, False, _coded("EventCodeList", CT), True),
    Shape("FindDocumentsByReferenceIdForMultiplePatients, nobody named",
          queries.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS, True, _of_anybody),
    Shape("GetDocuments", queries.GET_DOCUMENTS, False, _named(_DE + "EntryUUID", _ENTRY)),
    Shape("GetDocuments by uniqueId", queries.GET_DOCUMENTS, False,
          _numbered(_DE + "UniqueId", _ENTRY)),
    Shape("GetFolders", queries.GET_FOLDERS, False, _named("$XDSFolderEntryUUID", _FOLDER)),
    Shape("GetAssociations", queries.GET_ASSOCIATIONS, False, _named("$uuid", _ENTRY)),
    Shape("GetDocumentsAndAssociations", queries.GET_DOCUMENTS_AND_ASSOCIATIONS, False,
          _named(_DE + "EntryUUID", _ENTRY)),
    Shape("GetSubmissionSets", queries.GET_SUBMISSION_SETS, False, _named("$uuid", _ENTRY)),
    Shape("GetSubmissionSetAndContents", queries.GET_SUBMISSION_SET_AND_CONTENTS, False,
          lambda one: (single(_SS + "EntryUUID", one.uuid(_SET)),)),
    Shape("GetFolderAndContents", queries.GET_FOLDER_AND_CONTENTS, False,
          lambda one: (single("$XDSFolderEntryUUID", one.uuid(_FOLDER)),)),
    Shape("GetFoldersForDocument", queries.GET_FOLDERS_FOR_DOCUMENT, False,
          lambda one: (single(_DE + "EntryUUID", one.uuid(_ENTRY)),)),
    Shape("GetRelatedDocuments", queries.GET_RELATED_DOCUMENTS, False,
          lambda one: (single(_DE + "EntryUUID", one.uuid(_ENTRY, Status.DEPRECATED)),
                       _RELATIONS)),
)  # fmt: skip


def scale(sizes: Sizes, folder: Path, report: Report) -> None:
    """The lines of one database after the other; its registries of all sizes are asked in turn."""
    for kind in KINDS:
        if kind == "PostgreSQL" and shutil.which("initdb") is None:
            report.tell("no PostgreSQL here: only SQLite is measured")
            continue
        with ExitStack() as stack:
            place = folder / kind
            place.mkdir()
            make: Callable[[Path], str] = _file
            if kind == "PostgreSQL":
                server = stack.enter_context(_server(folder))
                make = partial(_database, server)
            registries = {
                size: stack.enter_context(_registry(make, place / str(size), size, sizes, report))
                for size in sizes.scale
            }
            _sizes(kind, registries, report)
            _queries(kind, registries, sizes, report)
            _many_documents(kind, registries, sizes, report)
            _registrations(kind, registries, sizes, report)
        shutil.rmtree(place)


def _file(folder: Path) -> str:
    return f"sqlite:///{folder / 'registry.db'}"


def _database(server: PostgreSQL, _folder: Path) -> str:
    return server.create()


@contextmanager
def _server(folder: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL of our own, near the folder where its account may go there."""
    is_open = os.geteuid() != 0 or all(each.stat().st_mode & 0o001 for each in folder.parents)
    near = folder.parent.parent if is_open else None
    place = Path(tempfile.mkdtemp(prefix="xdsi-bench-pg-", dir=near))
    try:
        server = PostgreSQL(place)
        server.start(*_POSTGRESQL)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(place)


@contextmanager
def _registry(
    make: Callable[[Path], str], folder: Path, entries: int, sizes: Sizes, report: Report
) -> Iterator[Asked]:
    folder.mkdir()
    settings = Registry(database=make(folder), unknown_patients="admit")
    config = Config(registry=settings, folder=folder)
    app.migrate(config)
    report.tell(f"filling a registry with {entries:,} entries on {settings.database.split(':')[0]}")
    filled = generate.fill(config, entries, sizes.patient_entries)
    octets = _octets(settings.database)
    with generate.registering(config) as register:
        for each in _heavy(sizes.patient_documents):
            register(each, Call.internal())
    actors = app.actors(config)
    try:
        (actor,) = actors
        route = next(each for each in actor.routes if each.transaction is REGISTER)
        yield Asked(filled, answering(actor), route.handler, config, octets)
    finally:
        for each in actors:
            each.close()


def _octets(url: str) -> int:
    """What a database takes on the disk."""
    if url.startswith("sqlite"):
        return os.path.getsize(str(make_url(url).database))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])


def _heavy(documents: int) -> Iterator[Submission]:
    """The submissions of one patient with so many Approved documents, none of them filed."""
    of = samples.patient(_HEAVY)
    for at in range(0, documents, _HEAVY_SET):
        sent = samples.submission(of, min(_HEAVY_SET, documents - at))
        rare = {"class_code": _RARE, "event_codes": (_RARE,)} if at == 0 else {}
        yield Submission(
            sent.submission_sets,
            tuple(replace(samples.received(each), **rare) for each in sent.entries),
            (),
            sent.associations,
        )


def _sizes(kind: str, registries: dict[int, Asked], report: Report) -> None:
    found = {size: asked.octets / asked.filled.entries for size, asked in registries.items()}
    figures = tuple(Figures(f"{size:,} entries", {"octets": each}) for size, each in found.items())
    work = f"{kind}: database per entry, its share of sets, folders, associations included"
    report.add(Line(ROW, work, "octets", None, found[max(found)], None, figures=figures))


def _queries(kind: str, registries: dict[int, Asked], sizes: Sizes, report: Report) -> None:
    smallest, *_, largest = sorted(registries)
    for shape in SHAPES:
        report.tell(f"{kind}: {shape.name}")
        seen = {size: _seen(shape, asked) for size, asked in registries.items()}
        # the same choices at each start; other patients in each round
        choose = random.Random(18)
        count = max(1, sizes.scale_queries // (10 if shape.may_be_many else 1))
        # what is asked first pays for statements
        _round(shape, registries, count, choose)
        took = [_round(shape, registries, count, choose) for _ in range(sizes.scale_rounds)]
        rounds = [
            (percentile(again[smallest], 0.95), percentile(again[largest], 0.95))
            for _, again in took
        ]
        figures = tuple(
            Figures(
                f"{size:,} entries",
                {
                    **_shares(one for _, again in took for one in again[size]),
                    "first p95": percentile([one for new, _ in took for one in new[size]], 0.95),
                    **seen[size],
                },
            )
            for size in registries
        )
        work = f"{kind}: {shape.name}, {largest:,} entries against {smallest:,}"
        demand = 1.5 if shape.is_steady else None
        report.add(compared(ROW, work, "ms (p95)", rounds, demand, is_most=True, figures=figures))


Took = dict[int, list[float]]


def _round(
    shape: Shape, registries: dict[int, Asked], count: int, choose: random.Random
) -> tuple[Took, Took]:
    """Milliseconds of so many queries in each registry, and of the same queries asked again.

    The registries take turns with every query: what else the machine does meets all of them. What
    is asked the first time may have to be read from the disk, all the more the larger the registry.
    """
    envelopes = [
        (size, _envelope(shape, asked, choose))
        for _ in range(count)
        for size, asked in registries.items()
    ]
    found: list[Took] = []
    for _ in range(2):
        took: Took = {size: [] for size in registries}
        for size, envelope in envelopes:
            took[size].append(_milliseconds(registries[size].answer, envelope))
        found.append(took)
    first, again = found
    return first, again


def _shares(values: Iterable[float]) -> dict[str, float]:
    known = list(values)
    return {f"p{share}": percentile(known, share / 100) for share in (50, 95, 99)}


def _envelope(shape: Shape, asked: Asked, choose: random.Random) -> bytes:
    return shape.envelope(_One(asked.filled, choose.randrange(asked.filled.patients), choose))


def _milliseconds(answer: Answer, envelope: bytes) -> float:
    started = perf_counter()
    answer(envelope)
    return (perf_counter() - started) * 1000


def _seen(shape: Shape, asked: Asked) -> dict[str, float]:
    """Objects and octets of an answer, the mean of some. Raises RuntimeError if they are none."""
    choose = random.Random(7)
    answers = [asked.answer(_envelope(shape, asked, choose)) for _ in range(20)]
    objects = [sum(each.count(tag) for tag in _LEAF) for each in answers]
    expected = (_SUCCESS, _TOO_MANY) if shape.may_be_many else (_SUCCESS,)
    is_answered = all(any(each in answer for each in expected) for answer in answers)
    if not is_answered or not (any(objects) or shape.may_be_many):
        raise RuntimeError(f"{shape.name}: no answer, or nothing found in any")
    count = len(answers)
    return {"objects": sum(objects) / count, "octets": sum(map(len, answers)) / count}


def _many_documents(kind: str, registries: dict[int, Asked], sizes: Sizes, report: Report) -> None:
    envelope = messages.query(samples.patient(_HEAVY))
    largest = max(registries)
    figures = []
    for size, asked in registries.items():
        found = asked.answer(envelope).count(_LEAF[0])
        if found != sizes.patient_documents:
            raise RuntimeError(f"{found} documents of {sizes.patient_documents}")
        took = [_milliseconds(asked.answer, envelope) / 1000 for _ in range(_HEAVY_TIMES)]
        values = _shares(took)
        figures.append(Figures(f"{size:,} entries", {**values, "objects": found}))
        if size == largest:
            worst = values["p95"]
    work = f"{kind}: FindDocuments, {sizes.patient_documents:,} LeafClass of one patient"
    report.add(
        Line(
            ROW,
            f"{work}, {largest:,} entries",
            "s (p95)",
            _HEAVY_SECONDS,
            worst,
            worst / _HEAVY_SECONDS,
            1.0,
            is_most=True,
            figures=tuple(figures),
        )
    )


def _registrations(kind: str, registries: dict[int, Asked], sizes: Sizes, report: Report) -> None:
    """Last: they change the registries."""
    for size in (min(registries), max(registries)):
        asked = registries[size]
        report.tell(f"{kind}: ITI-42 at {size:,} entries")
        with _by_hand(asked) as by_hand:

            def ours(writers: int, asked: Asked = asked) -> float:
                sent = [_submission() for _ in range(sizes.submissions * writers)]
                calls = [partial(asked.register, each, Call.internal()) for each in sent]
                return rate(calls, writers)

            floor = partial(rate, [by_hand] * sizes.submissions, 1)
            arms = (floor, partial(ours, 1), partial(ours, sizes.writers))
            for arm in arms:
                arm()
            rounds = take_turns(arms, sizes.submission_rounds)
        work = f"{kind}: ITI-42 of {PER_SUBMISSION} entries, synced, one writer, {size:,} entries"
        pairs = [(hand, one) for hand, one, _ in rounds]
        report.add(compared(ROW, work, "submissions/s", pairs, 0.4))
        pairs = [(one, several) for _, one, several in rounds]
        report.add(
            compared(ROW, f"… {sizes.writers} writers, against one", "submissions/s", pairs, 1.0)
        )


def _submission() -> Submission:
    of = samples.patient(random.randrange(100))
    (sent,) = Course(of, PER_SUBMISSION, random.randrange(8)).submissions()
    return sent


@contextmanager
def _by_hand(asked: Asked) -> Iterator[Callable[[], None]]:
    """The rows of one submission by hand in one synced commit."""
    rows = generate.copies_of_one(asked.config, asked.register, PER_SUBMISSION)
    assert asked.config.registry is not None
    url = asked.config.registry.database
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as file:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                file.execute(f"PRAGMA {pragma}")

            def insert() -> None:
                file.execute("BEGIN IMMEDIATE")
                (last,) = file.execute("SELECT max(id) FROM object").fetchone()
                for table, found in rows(last + 1).items():
                    file.executemany(_insert(table, found, "?"), found)
                file.execute("COMMIT")

            yield insert
        return
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:

        def insert_there() -> None:
            with server.transaction(), server.cursor() as cursor:
                cursor.execute(
                    "SELECT nextval(pg_get_serial_sequence('object', 'id')) "
                    "FROM generate_series(1, %s)",
                    (rows.count,),
                )
                first = min(row[0] for row in cursor.fetchall())
                for table, found in rows(first).items():
                    cursor.executemany(_insert(table, found, "%s").encode(), found)

        yield insert_there


def _insert(table: str, rows: Sequence[Sequence[Any]], place: str) -> str:
    return f"INSERT INTO {table} VALUES ({','.join([place] * len(rows[0]))})"
