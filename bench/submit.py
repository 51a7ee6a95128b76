"""ITI-41 of one small document, everything synced, with one writer and with several."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from statistics import median
from time import perf_counter

from bench import fill, messages, node, samples
from bench.fill import Template
from bench.load import load
from bench.measure import KIB, Line, Report, Sizes, compared, take_turns
from xdsi import app
from xdsi.model.messages import ProvideRequest
from xdsi.plug import Call, Handler
from xdsi.standard.transactions import PROVIDE_AND_REGISTER

ROW = "iti41"
_SIZE = 20 * KIB
_PATIENTS = 50


def small(sizes: Sizes, folder: Path, report: Report) -> None:
    """Submissions a second: floor, one writer, several writers, and over HTTP."""
    ours = folder / "node"
    node.made(ours)
    with _providing(ours) as provide:
        first = _request(0)
        provide(first, Call.internal())
        by_hand = _floor(ours, folder / "floor", first)

        def handled(writers: int) -> float:
            requests = [_request(at) for at in range(writers * sizes.submissions)]
            calls = [partial(provide, each, Call.internal()) for each in requests]
            return rate(calls, writers)

        arms = (
            partial(rate, [by_hand] * sizes.submissions, 1),
            partial(handled, 1),
            partial(handled, sizes.writers),
        )
        for arm in arms:
            arm()
        report.tell(f"ITI-41 of 20 KiB, {sizes.submission_rounds} rounds")
        rounds = take_turns(arms, sizes.submission_rounds)
    work, unit = "ITI-41 of one 20 KiB document, synced, one writer", "submissions/s"
    report.add(compared(ROW, work, unit, [(floor, one) for floor, one, _ in rounds], 0.4))
    pairs = [(one, several) for _, one, several in rounds]
    work = f"… {sizes.writers} writers, against one"
    report.add(compared(ROW, work, unit, pairs, 1.0))
    _over_http(ours, sizes, report, median(floor for floor, _, _ in rounds))


def _over_http(folder: Path, sizes: Sizes, report: Report, floor: float) -> None:
    with node.node(folder) as server:
        for connections in (1, sizes.writers):
            count = connections * sizes.submissions
            rates = []
            for _ in range(3):
                requests = [
                    messages.provide_message(samples.patient(at % _PATIENTS), _SIZE)[0].whole()
                    for at in range(count)
                ]
                rates.append(load(server.port, connections, requests, folder).rate)
            ours = median(rates)
            work = f"… over HTTP, MTOM, connections: {connections}"
            report.add(Line(ROW, work, "submissions/s", floor, ours, ours / floor))


@contextmanager
def _providing(folder: Path) -> Iterator[Handler]:
    """ITI-41 in this process."""
    actors = app.actors(node.config(folder))
    routes = (route for actor in actors for route in actor.routes)
    try:
        yield next(each.handler for each in routes if each.transaction is PROVIDE_AND_REGISTER)
    finally:
        for each in reversed(actors):
            each.close()


def _request(number: int) -> ProvideRequest:
    patient = samples.patient(number % _PATIENTS)
    return samples.provide(patient, _SIZE, messages.block(_SIZE))


def rate(calls: Sequence[Callable[[], object]], writers: int) -> float:
    """Calls a second, shared out among so many threads."""
    if writers == 1:
        started = perf_counter()
        for call in calls:
            call()
    else:
        with ThreadPoolExecutor(writers) as threads:
            started = perf_counter()
            # list: raises what a call has raised
            list(threads.map(lambda call: call(), calls))
    return len(calls) / (perf_counter() - started)


def _floor(ours: Path, folder: Path, first: ProvideRequest) -> Callable[[], None]:
    """File, sync, folder sync, and the rows of that submission by hand in two commits.

    Both databases have the node's tables and indices, and its promises (WAL, synchronous FULL).
    """
    node.made(folder)
    one = first.submission
    with closing(sqlite3.connect(ours / fill.DATABASE)) as database:
        template = Template.read(database, str(one.submission_set.unique_id))
        for_floor = [(table, row) for table in ("patient", "code") for row in _all(database, table)]
    with closing(sqlite3.connect(ours / "repository.db")) as database:
        blob, claim = _all(database, "blob")[0], _all(database, "claim")[0]
    registry, ledger = _opened(folder / fill.DATABASE), _opened(folder / "repository.db")
    for table, row in for_floor:
        _insert(registry, table, row)
    (patient,) = registry.execute("SELECT min(id) FROM patient").fetchone()
    content = messages.block(_SIZE)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    number = 0

    def submit() -> None:
        nonlocal number
        number += 1
        name = token_hex(17)
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place)
        os.write(file, content)
        os.fsync(file)
        os.close(file)
        os.fsync(place)
        ledger.execute("BEGIN IMMEDIATE")
        _insert(ledger, "blob", (number, samples.new_oid(), name, *blob[3:]))
        _insert(ledger, "claim", (token_hex(16), number, *claim[2:]))
        ledger.execute("COMMIT")
        rows = list(template.rows(number * template.count, patient))
        registry.execute("BEGIN IMMEDIATE")
        fill.insert(registry, rows)
        registry.execute("COMMIT")

    return submit


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    return database


def _all(database: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return database.execute(f"SELECT * FROM {table}").fetchall()


def _insert(database: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    places = ",".join("?" * len(row))
    database.execute(f"INSERT INTO {table} VALUES ({places})", row)
