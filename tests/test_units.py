"""Units of work on both databases: all or nothing, durable, run again after a lost race."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import ProgrammingError

from tests.databases import PostgreSQL
from xdsi.model.errors import (
    XDSError,
    XDSRegistryBusy,
    XDSRegistryError,
    XDSRegistryMetadataError,
    XDSRegistryOutOfResources,
)
from xdsi.units import (
    Faults,
    LostRace,
    Migrations,
    Prepared,
    SchemaMismatch,
    Units,
    UnusableDatabase,
    engine,
    migrate,
    pending,
    require_current,
)
from xdsi.units.work import _Job, control

FAULTS = Faults(XDSRegistryBusy, XDSRegistryOutOfResources, XDSRegistryError)
TABLE = Table(
    "thing",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("count", Integer, nullable=False, server_default="0"),
)

REFUSED = "XDSRegistryMetadataError: refused"

Made = Callable[..., Units[Connection]]


def put(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(TABLE.insert(), {"name": name})
        return name

    return work


def names(units: Units[Connection]) -> list[str]:
    return sorted(row[0] for row in units.rows(select(TABLE.c.name)))


def fetched(units: Units[Connection], *wanted: str) -> list[str]:
    """Those of the names that are there."""
    statement = select(TABLE.c.name).where(TABLE.c.name.in_([bindparam("a"), bindparam("b")]))
    prepared = Prepared.of(statement, units.engine.dialect)
    values = dict(zip("ab", [*wanted, "", ""], strict=False))
    return sorted(row[0] for row in units.fetch(prepared, values))


@pytest.fixture
def make(engines: Callable[..., Engine]) -> Iterator[Made]:
    """Units on a database with one table, whose unit is the connection."""
    made: list[Units[Connection]] = []

    def make(url: str, **options: Any) -> Units[Connection]:
        settings = {k: options.pop(k) for k in ("clock", "patience") if k in options}
        one = engines(url, **options)
        TABLE.metadata.create_all(one)
        made.append(Units(one, lambda connection, _now: connection, FAULTS, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def units(make: Made, database: str) -> Units[Connection]:
    return make(database)


def test_a_work_is_committed_and_its_result_returned(units: Units[Connection]) -> None:
    assert units.run(put("a")) == "a"
    assert names(units) == ["a"]


@pytest.mark.proves("REG-130")
def test_an_exception_undoes_its_work_alone(units: Units[Connection]) -> None:
    def work(connection: Connection) -> None:
        put("lost")(connection)
        raise XDSRegistryMetadataError("2.25.1", "refused")

    units.run(put("kept"))
    with pytest.raises(XDSRegistryMetadataError):
        units.run(work)
    assert names(units) == ["kept"]
    units.run(put("lost"))  # its key is free again
    assert names(units) == ["kept", "lost"]


def test_a_prepared_select_reads_as_any_other(units: Units[Connection]) -> None:
    hostile = "x' OR '1'='1"
    for name in ("a", "c", hostile):
        units.run(put(name))
    assert fetched(units, "a", hostile) == ["a", hostile]
    assert fetched(units, "b") == []
    with pytest.raises(Exception, match="nowhere") as caught:
        units.fetch(Prepared("SELECT 1 FROM nowhere", (), {}), {})
    assert not isinstance(caught.value, XDSRegistryError | XDSRegistryBusy)
    assert fetched(units, "c") == ["c"]


def test_several_selects_share_a_connection(units: Units[Connection]) -> None:
    units.run(put("a"))
    with units.read() as connection:
        for _ in range(2):
            assert connection.execute(select(TABLE.c.name)).scalars().all() == ["a"]


@pytest.mark.proves("SEC-T-045")
def test_a_shared_connection_has_the_same_faults(make: Made, sqlite: str) -> None:
    units = make(sqlite, statement_seconds=0.1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n"
    with pytest.raises(XDSRegistryBusy), units.read() as connection:
        connection.execute(text(endless))


def test_the_clock_of_a_unit_is_the_one_given(
    database: str, engines: Callable[..., Engine]
) -> None:
    then = datetime(2024, 1, 2, tzinfo=UTC)
    units = Units(engines(database), lambda _connection, now: now, FAULTS, clock=lambda: then)
    assert units.run(lambda now: now) == then
    units.close()


@pytest.mark.proves("SEC-T-011", "SEC-T-013")
def test_a_lost_unique_key_race_runs_the_work_again(units: Units[Connection]) -> None:
    units.run(put("taken"))
    wanted = iter(["taken", "taken", "free"])
    assert units.run(lambda connection: put(next(wanted))(connection)) == "free"
    assert names(units) == ["free", "taken"]


@pytest.mark.proves("SEC-T-013", "REG-134", "REG-162")
def test_after_five_lost_races_the_caller_is_told_to_come_back(units: Units[Connection]) -> None:
    runs: list[None] = []

    def work(connection: Connection) -> None:
        runs.append(None)
        put(f"a{len(runs)}")(connection)
        raise LostRace

    with pytest.raises(XDSRegistryBusy):
        units.run(work)
    assert len(runs) == 5
    assert names(units) == []


def test_a_mistake_in_a_statement_is_not_blamed_on_the_database(
    units: Units[Connection],
) -> None:
    with pytest.raises(ProgrammingError if units.engine.name == "postgresql" else Exception) as e:
        units.run(lambda connection: connection.execute(text("SELECT 1 FROM nowhere")))
    assert not isinstance(e.value, XDSRegistryError | XDSRegistryBusy)
    units.run(put("still"))
    assert names(units) == ["still"]


@pytest.mark.proves("SEC-T-013")
def test_a_deadlock_is_run_again(make: Made, postgresql: str) -> None:
    units = make(postgresql)
    units.run(lambda connection: connection.execute(TABLE.insert(), [{"name": n} for n in "ab"]))
    both, runs = threading.Barrier(2, timeout=5), []

    def work(first: str, second: str) -> Callable[[Connection], None]:
        def one(connection: Connection) -> None:
            is_first_run = threading.get_ident() not in runs
            runs.append(threading.get_ident())
            for name in (first, second):
                connection.execute(
                    TABLE.update().where(TABLE.c.name == name).values(count=TABLE.c.count + 1)
                )
                if name == first and is_first_run:
                    both.wait()

        return one

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(units.run, work(*order)) for order in ("ab", "ba")]:
            each.result()
    assert len(runs) == 3
    assert {row[0] for row in units.rows(select(TABLE.c.count))} == {2}


@pytest.mark.proves("SEC-T-045")
def test_a_statement_has_its_time(make: Made, database: str) -> None:
    units = make(database, statement_seconds=0.3)
    endless = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT count(*) FROM n",
        "postgresql": "SELECT pg_sleep(30)",
    }[units.engine.name]
    for run in (
        lambda: units.rows(text(endless)),
        lambda: units.fetch(Prepared(endless, (), {}), {}),
        lambda: units.run(lambda connection: connection.execute(text(endless))),
    ):
        began = time.monotonic()
        with pytest.raises(XDSRegistryBusy):
            run()
        assert time.monotonic() - began < 5
    units.run(put("after"))
    assert names(units) == ["after"]


@pytest.mark.proves("SEC-T-045")
def test_waiting_for_a_row_has_its_time(make: Made, postgresql: str) -> None:
    units = make(postgresql, statement_seconds=0.3)
    units.run(put("a"))
    change = TABLE.update().values(count=1)
    with units.engine.connect() as other, other.begin():
        other.exec_driver_sql("BEGIN")
        other.execute(change)
        with pytest.raises(XDSRegistryBusy):
            units.run(lambda connection: connection.execute(change))
        other.exec_driver_sql("ROLLBACK")
    units.run(lambda connection: connection.execute(change))


@pytest.mark.parametrize("is_planned_anew", [False, True])
def test_postgresql_keeps_no_plan_of_what_is_planned_anew(
    make: Made, postgresql: str, is_planned_anew: bool
) -> None:
    units = make(postgresql)
    units.run(put("a"))
    dialect = units.engine.dialect
    wanted = select(TABLE.c.name).where(TABLE.c.name == bindparam("name"))
    statement = Prepared.of(wanted, dialect, is_planned_anew=is_planned_anew)
    kept = Prepared.of(text("SELECT count(*) FROM pg_prepared_statements"), dialect)
    assert [units.fetch(statement, {"name": "a"}) for _ in range(8)] == [[("a",)]] * 8
    assert units.fetch(kept, {}) == [(0 if is_planned_anew else 1,)]


# group commit at SQLite


class Rendezvous:
    """Lets works queue behind one that waits inside its unit."""

    def __init__(self, units: Units[Connection]) -> None:
        self.units, self.begun, self.go = units, threading.Event(), threading.Event()

    def first(self, connection: Connection) -> str:
        self.begun.set()
        assert self.go.wait(10)
        return put("first")(connection)

    def run(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        """Result or exception of `first` and of each work, all done in one group."""
        with ThreadPoolExecutor(len(works) + 1) as pool:
            futures = [pool.submit(self.units.run, self.first)]
            assert self.begun.wait(10)
            for work in works:
                waiting = len(self.units._waiting)
                futures.append(pool.submit(self.units.run, work))
                while len(self.units._waiting) == waiting:
                    time.sleep(0.001)
            self.go.set()
            return [each.exception() or each.result() for each in futures]


@pytest.fixture
def group(make: Made, sqlite: str) -> Rendezvous:
    return Rendezvous(make(sqlite, patience=30.0))


@pytest.fixture
def controls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What begins and ends transactions, from now on."""
    seen: list[str] = []

    def noted(connection: Connection, statement: str) -> None:
        seen.append(statement)
        control(connection, statement)

    monkeypatch.setattr("xdsi.units.work.control", noted)
    return seen


@pytest.mark.proves("SEC-T-001")
def test_works_that_wait_share_one_commit(group: Rendezvous, controls: list[str]) -> None:
    assert group.run([put(name) for name in "abc"]) == ["first", "a", "b", "c"]
    assert (controls.count("BEGIN IMMEDIATE"), controls.count("COMMIT")) == (1, 1)
    assert names(group.units) == ["a", "b", "c", "first"]


@pytest.mark.proves("REG-130")
def test_a_failing_work_does_not_spoil_its_group(group: Rendezvous) -> None:
    def fail(connection: Connection) -> None:
        put("lost")(connection)
        raise XDSRegistryMetadataError("refused")

    results = group.run([put("a"), fail, put("b")])
    assert [str(each) for each in results] == [
        "first",
        "a",
        "XDSRegistryMetadataError: refused",
        "b",
    ]
    assert names(group.units) == ["a", "b", "first"]


@pytest.mark.proves("SEC-T-001", "SEC-T-002")
def test_nobody_is_answered_before_the_commit(
    make: Made, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = make(sqlite, patience=30.0)
    group = Rendezvous(units)
    at_commit, go = threading.Event(), threading.Event()

    def slow(connection: Connection, statement: str) -> None:
        if statement == "COMMIT":
            at_commit.set()
            assert go.wait(10)
        control(connection, statement)

    def fail(connection: Connection) -> None:
        raise XDSRegistryMetadataError("refused")

    monkeypatch.setattr("xdsi.units.work.control", slow)
    with ThreadPoolExecutor(1) as pool:
        ended: list[str] = []

        def noted(work: Callable[[Connection], Any]) -> Callable[[], None]:
            def run() -> None:
                with suppress(XDSRegistryMetadataError):
                    units.run(work)
                ended.append("x")

            return run

        threads = [threading.Thread(target=noted(work)) for work in (put("b"), fail)]
        leader = pool.submit(units.run, group.first)
        assert group.begun.wait(10)
        for thread in threads:
            thread.start()
        while len(units._waiting) < 2:
            time.sleep(0.001)
        group.go.set()
        assert at_commit.wait(10)
        time.sleep(0.05)
        assert ended == []
        assert not leader.done()
        assert names(units) == []  # no reader sees any of it either
        go.set()
        for thread in threads:
            thread.join(10)
        assert leader.result() == "first"
    assert ended == ["x", "x"]


def failing(monkeypatch: pytest.MonkeyPatch, statement: str, times: int, code: int) -> None:
    """Make the driver refuse a statement of the writer, with an SQLite result code."""
    import sqlite3

    left = [None] * times

    def fail(connection: Connection, given: str) -> None:
        if given == statement and left:
            left.pop()
            error = sqlite3.OperationalError("broken")
            error.sqlite_errorcode = code
            raise error
        control(connection, given)

    monkeypatch.setattr("xdsi.units.work.control", fail)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(13, XDSRegistryOutOfResources, id="disk full"),
        pytest.param(10, XDSRegistryError, id="i/o error"),
        pytest.param(5, XDSRegistryBusy, id="busy"),
    ],
)
@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
@pytest.mark.proves("SEC-T-001", "SEC-T-016", "REG-134", "REG-169")
def test_when_the_commit_fails_all_fail_and_nothing_is_kept(
    group: Rendezvous,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    code: int,
    expected: type[Exception],
) -> None:
    failing(monkeypatch, statement, 1, code)
    if statement == "COMMIT":
        results = group.run([put("a"), put("b")])
        assert [type(each) for each in results] == [expected] * 3
    else:
        with pytest.raises(expected):
            group.units.run(put("a"))
    assert names(group.units) == []
    group.units.run(put("a"))  # works again by itself
    assert names(group.units) == ["a"]


@pytest.mark.proves("SEC-T-016")
def test_a_work_that_takes_the_transaction_with_it_leaves_the_others_whole(
    group: Rendezvous,
) -> None:
    def spoil(connection: Connection) -> None:
        put("lost")(connection)
        connection.exec_driver_sql("ROLLBACK")
        raise XDSRegistryMetadataError("refused")

    results = group.run([put("a"), spoil, put("b")])
    assert [str(each) for each in results] == [
        "first",
        "a",
        "XDSRegistryMetadataError: refused",
        "b",
    ]
    assert names(group.units) == ["a", "b", "first"]


def test_an_interrupt_in_the_leader_leaves_the_others_whole(group: Rendezvous) -> None:
    def interrupted(connection: Connection) -> None:
        put("lost")(connection)
        raise KeyboardInterrupt

    group.first = lambda connection: (  # type: ignore[method-assign]
        group.begun.set(),
        group.go.wait(10),
        interrupted(connection),
    )
    results = group.run([put("a"), put("b")])
    assert isinstance(results[0], KeyboardInterrupt)
    assert results[1:] == ["a", "b"]
    assert names(group.units) == ["a", "b"]


def test_whoever_gets_no_turn_in_time_is_told_so_and_leaves_nothing(
    make: Made, sqlite: str
) -> None:
    units = make(sqlite, patience=0.1)
    group = Rendezvous(units)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(units.run, group.first)
        assert group.begun.wait(10)
        with pytest.raises(XDSRegistryBusy):
            units.run(put("late"))
        group.go.set()
        assert leader.result() == "first"
    assert names(units) == ["first"]


@pytest.mark.proves("REG-130")
def test_a_leader_sees_to_its_own_work_though_a_full_group_goes_first(
    make: Made, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = make(sqlite)
    monkeypatch.setattr("xdsi.units.work.LARGEST_GROUP", 2)
    units._waiting.extend(_Job(put(name)) for name in "abc")
    assert units.run(put("own")) == "own"
    assert names(units) == ["a", "b", "c", "own"]


@pytest.mark.proves("REG-130", "REG-132")
def test_a_work_without_a_connection_is_not_done_later(make: Made, sqlite: str) -> None:
    units = make(sqlite, connections=1, statement_seconds=0.2)
    with units.engine.connect(), units.engine.connect(), pytest.raises(XDSError):
        units.run(put("refused"))
    units.run(put("later"))
    assert names(units) == ["later"]


def test_many_writers_lose_nothing(units: Units[Connection]) -> None:
    with ThreadPoolExecutor(8) as pool:
        wanted = [f"{i:03}" for i in range(200)]
        assert list(pool.map(lambda name: units.run(put(name)), wanted)) == wanted
    assert names(units) == wanted


CRASH = """
import os, sys
from sqlalchemy import text
from tests.test_units import FAULTS, TABLE, put
from xdsi.units import Units, engine
url, point = sys.argv[1:]
one = engine(url)
TABLE.metadata.create_all(one)
units = Units(one, lambda connection, now: connection, FAULTS)
units.run(put("answered"))
print("answered", flush=True)
def work(connection):
    put("unanswered")(connection)
    os._exit(9)
units.run(work)
"""


@pytest.mark.proves("SEC-T-001")
def test_what_was_answered_survives_a_crash_and_nothing_else(
    sqlite: str, engines: Callable[..., Engine], root: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CRASH, sqlite, "work"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert (ended.returncode, ended.stdout) == (9, "answered\n"), ended.stderr
    with engines(sqlite).connect() as connection:
        assert connection.execute(select(TABLE.c.name)).scalars().all() == ["answered"]


# engines


@pytest.mark.proves("SEC-T-014")
def test_sqlite_is_set_to_keep_what_it_commits(sqlite: str, engines: Callable[..., Engine]) -> None:
    with engines(sqlite).connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def reconnect(one: Engine) -> None:
    """New connections for as long as a reload of the settings may take."""
    for _ in range(50):
        one.connect().close()
        one.pool.dispose()
        time.sleep(0.02)


@pytest.mark.proves("SEC-T-014")
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_forgetful_postgresql_is_refused(
    postgresql_server: PostgreSQL, postgresql: str, engines: Callable[..., Engine], setting: str
) -> None:
    reset = f"ALTER SYSTEM RESET {setting}"
    postgresql_server.execute(f"ALTER SYSTEM SET {setting} = off")
    postgresql_server.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(UnusableDatabase, match=setting):
            reconnect(engines(postgresql))
    finally:
        postgresql_server.execute(reset)
        postgresql_server.execute("SELECT pg_reload_conf()")
    for _ in range(100):
        try:
            engines(postgresql).connect().close()
            break
        except UnusableDatabase:
            time.sleep(0.05)
    else:
        pytest.fail("still refused after the setting is back")


def test_text_compares_by_byte(units: Units[Connection]) -> None:
    like = TABLE.c.name.like("a%", escape="\\")
    units.run(lambda connection: connection.execute(TABLE.insert(), [{"name": n} for n in "abBA"]))
    assert [row[0] for row in units.rows(select(TABLE.c.name).where(like))] == ["a"]
    assert [row[0] for row in units.rows(select(TABLE.c.name).order_by(TABLE.c.name))] == [
        "A",
        "B",
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("sqlite://", "file", id="sqlite in memory"),
        pytest.param("mysql://host/name", "not supported", id="other product"),
    ],
)
def test_unusable_addresses_are_named(url: str, says: str) -> None:
    with pytest.raises(UnusableDatabase, match=says):
        engine(url)


def test_a_relative_file_lies_in_the_folder_given(
    tmp_path: Path, engines: Callable[..., Engine]
) -> None:
    engines("sqlite:///here.db", folder=tmp_path).connect().close()
    assert (tmp_path / "here.db").exists()


@pytest.mark.proves("SEC-T-173")
def test_the_password_comes_from_a_file_of_the_owner_alone(
    postgresql_server: PostgreSQL,
    postgresql: str,
    tmp_path: Path,
    engines: Callable[..., Engine],
) -> None:
    given: list[str] = []
    file = tmp_path / "password"
    file.write_text("one\n")
    file.chmod(0o640)
    one = engines(postgresql, password_file=file)
    event.listen(one, "do_connect", lambda *each: given.append(each[3]["password"]))
    with pytest.raises(UnusableDatabase, match="chmod 600"):
        one.connect()
    file.chmod(0o600)
    one.connect().close()
    one.pool.dispose()
    file.write_text("two\n")  # rotated: the next connection reads it
    one.connect().close()
    assert given == ["one", "two"]
    assert "two" not in repr(one.url)


@pytest.mark.proves("SEC-T-045")
def test_a_postgresql_without_a_free_connection_is_busy(
    postgresql_server: PostgreSQL, postgresql: str, engines: Callable[..., Engine]
) -> None:
    role = "crowded"
    postgresql_server.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    address = postgresql.replace("postgres@", f"{role}@")
    one = engines(address)
    try:
        with one.connect():
            units = Units(engines(address), lambda connection, now: connection, FAULTS)
            with pytest.raises(XDSRegistryBusy, match="no connection or no answer"):
                units.rows(text("SELECT 1"))
    finally:
        one.dispose()
        postgresql_server.execute(f"DROP ROLE {role}")


@pytest.mark.proves("SEC-T-017")
def test_a_lost_server_is_an_error_within_five_seconds_and_comes_back_by_itself(
    make: Made, own_postgresql: PostgreSQL
) -> None:
    units = make(own_postgresql.create())
    units.run(put("before"))
    own_postgresql.stop()
    try:
        for attempt in (
            lambda: names(units),
            lambda: fetched(units),
            lambda: units.run(put("during")),
        ):
            began = time.monotonic()
            with pytest.raises(XDSRegistryError, match="cannot be reached"):
                attempt()
            assert time.monotonic() - began < 5
    finally:
        own_postgresql.start()
    units.run(put("after"))
    assert names(units) == ["after", "before"]


@pytest.mark.proves("SEC-T-017")
def test_a_restart_between_two_requests_goes_unnoticed(
    make: Made, own_postgresql: PostgreSQL
) -> None:
    units = make(own_postgresql.create())
    units.run(put("before"))
    for attempt in (
        lambda: names(units),
        lambda: fetched(units),
        lambda: units.run(put("after")),
    ):
        own_postgresql.stop()
        own_postgresql.start()
        attempt()
    assert names(units) == ["after", "before"]


@pytest.mark.proves("SEC-T-008")
def test_a_commit_without_answer_says_that_the_outcome_is_unknown(
    make: Made, postgresql: str
) -> None:
    units = make(postgresql)

    def work(connection: Connection) -> None:
        put("a")(connection)
        connection.connection.dbapi_connection.close()  # type: ignore[union-attr]

    with pytest.raises(XDSRegistryError, match="unknown"):
        units.run(work)


# migrations

FIRST = '''"""{doc}"""
from alembic import op
import sqlalchemy as sa
revision, down_revision = {revision!r}, {down!r}
def upgrade() -> None:
    {body}
'''


@pytest.fixture
def scripts(tmp_path: Path) -> Callable[..., Migrations]:
    """Migrations made of (revision, body) pairs, in that order."""

    def write(*steps: tuple[str, str]) -> Migrations:
        folder = tmp_path / f"migrations{len(steps)}"
        (folder / "versions").mkdir(parents=True)
        down = None
        for revision, body in steps:
            source = FIRST.format(doc=f"step {revision}", revision=revision, down=down, body=body)
            (folder / "versions" / f"{revision}.py").write_text(source)
            down = revision
        return Migrations("registry", folder)

    return write


ONE = ("0001", "op.create_table('one', sa.Column('id', sa.Integer, primary_key=True))")
TWO = (
    "0002",
    "with op.batch_alter_table('one') as t: t.add_column(sa.Column('two', sa.Text))",
)
BROKEN = ("0003", "op.create_table('three', sa.Column('id', sa.Integer)); op.execute('nonsense')")


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_migrations_bring_an_empty_database_to_the_head(
    database: str, engines: Callable[..., Engine], scripts: Callable[..., Migrations]
) -> None:
    one, steps = engines(database), scripts(ONE, TWO)
    assert pending(one, steps) == ("0001 step 0001", "0002 step 0002")
    with pytest.raises(SchemaMismatch, match="xdsi migrate"):
        require_current(one, steps)
    assert migrate(one, steps) == ("0001 step 0001", "0002 step 0002")
    require_current(one, steps)
    assert migrate(one, steps) == ()
    assert tables(one) == {"one", "registry_version"}


def test_a_dry_run_changes_nothing(
    database: str, engines: Callable[..., Engine], scripts: Callable[..., Migrations]
) -> None:
    one = engines(database)
    assert migrate(one, scripts(ONE), dry_run=True) == ("0001 step 0001",)
    assert tables(one) == set()


def test_a_failed_step_undoes_all_of_them(
    database: str, engines: Callable[..., Engine], scripts: Callable[..., Migrations]
) -> None:
    one = engines(database)
    with pytest.raises(Exception, match="nonsense"):
        migrate(one, scripts(ONE, TWO, BROKEN))
    assert tables(one) == set()


def test_a_database_of_a_newer_version_is_refused(
    database: str, engines: Callable[..., Engine], scripts: Callable[..., Migrations]
) -> None:
    one, older = engines(database), scripts(ONE)
    migrate(one, scripts(ONE, TWO))
    for attempt in (require_current, migrate, pending):
        with pytest.raises(SchemaMismatch, match="newer"):
            attempt(one, older)


def test_a_step_may_take_longer_than_a_statement(
    database: str, engines: Callable[..., Engine], scripts: Callable[..., Migrations]
) -> None:
    one = engines(database, statement_seconds=0.1)
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) "
        "SELECT count(*) FROM n",
        "postgresql": "SELECT pg_sleep(0.3)",
    }[one.dialect.name]
    began = time.monotonic()
    assert migrate(one, scripts(ONE, ("0002", f"op.execute({slow!r})")))
    assert time.monotonic() - began > 0.1


def test_one_node_at_a_time_migrates(
    database: str, engines: Callable[..., Engine], scripts: Callable[..., Migrations]
) -> None:
    steps = scripts(ONE, TWO)
    nodes = [engines(database) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda node: migrate(node, steps), nodes))
    assert sorted(map(len, taken)) == [0, 0, 0, 2]
