"""The ledger on both databases."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar
from unittest.mock import patch

import pytest
from sqlalchemy import Engine, inspect, select

from repository.ledger import FOREVER, MIGRATIONS, Blob, Ledger
from repository.schema import BLOB, CLAIM, METADATA
from xdsi.model.errors import XDSError, XDSNonIdenticalHash, XDSRepositoryBusy, XDSRepositoryError
from xdsi.units import Prepared, migrate

T = TypeVar("T")


@pytest.fixture
def db(database: str, engines: Callable[..., Engine]) -> Engine:
    made = engines(database)
    migrate(made, MIGRATIONS)
    return made


@pytest.fixture
def ledger(db: Engine) -> Iterator[Ledger]:
    ledger = Ledger(db)
    yield ledger
    ledger.close()


def blob(name: str = "01", unique_id: str = "1.2.3", content: str = "a") -> Blob:
    return Blob(unique_id, name, 3, content * 40, content * 64, "text/plain")


def identical(old: Blob, new: Blob) -> Iterator[XDSError]:
    if old.sha256 != new.sha256:
        yield XDSNonIdenticalHash(context=new.document_unique_id)


def until_free(act: Callable[[], T]) -> T:
    """What it returns once it is not refused as busy any more."""
    for _ in range(20):
        try:
            return act()
        except XDSRepositoryBusy:
            continue
    return act()


def states(db: Engine) -> list[str]:
    with db.connect() as connection:
        return sorted(connection.execute(select(CLAIM.c.state)).scalars())


def test_the_migrations_make_the_tables_of_the_code(db: Engine) -> None:
    found = inspect(db)
    for table in METADATA.tables.values():
        columns = {
            c["name"]: (c["nullable"], str(c["type"])) for c in found.get_columns(table.name)
        }
        assert columns == {c.name: (c.nullable, c.type.compile(db.dialect)) for c in table.columns}
        indexes = {tuple(i["column_names"]) for i in found.get_indexes(table.name)}
        indexes |= {tuple(u["column_names"]) for u in found.get_unique_constraints(table.name)}
        expected = {tuple(c.name for c in index.columns) for index in table.indexes}
        expected |= {(c.name,) for c in table.columns if c.unique}
        assert indexes == expected


@pytest.mark.proves("REG-030", "REG-031")
def test_a_claimed_document_is_found_before_it_is_registered(ledger: Ledger) -> None:
    ledger.claim("9.9", [blob("01", "1.1"), blob("02", "1.2")], identical)
    assert ledger.find(["1.1", "1.2", "1.3"]) == {
        "1.1": blob("01", "1.1"),
        "1.2": blob("02", "1.2"),
    }
    assert ledger.find([]) == {}


def test_many_documents_are_found_in_one_query(db: Engine, ledger: Ledger) -> None:
    blobs = [blob(f"{n:04}", f"1.{n}") for n in range(1000)]
    ledger.claim("9.9", blobs, identical)
    with patch.object(Prepared, "rows", autospec=True, side_effect=Prepared.rows) as asked:
        assert len(ledger.find(f"1.{n}" for n in range(1100))) == 1000
    assert asked.call_count == 1


@pytest.mark.proves("REG-030", "SEC-T-008")
def test_an_identical_document_is_claimed_again_and_stored_once(ledger: Ledger) -> None:
    first, spare = ledger.claim("9.1", [blob("01")], identical)
    assert spare == ()
    second, spare = ledger.claim("9.2", [blob("02")], identical)
    assert spare == ("02",)
    assert ledger.release(first) == ()
    assert ledger.find(["1.2.3"])["1.2.3"].name == "01"
    assert ledger.release(second) == ("01",)
    assert ledger.find(["1.2.3"]) == {}
    assert ledger.release(second) == ()


@pytest.mark.proves("REG-025", "SEC-T-005")
def test_other_octets_under_a_known_uniqueid_change_nothing(ledger: Ledger) -> None:
    ledger.claim("9.1", [blob("01")], identical)
    with pytest.raises(ExceptionGroup) as caught:
        ledger.claim("9.2", [blob("02", "0.1"), blob("03", content="b")], identical)
    assert [str(error) for error in caught.value.exceptions] == ["XDSNonIdenticalHash: 1.2.3"]
    assert ledger.find(["1.2.3", "0.1"]) == {"1.2.3": blob("01")}
    assert len(ledger.open_claims(time.time() + 9)) == 1


@pytest.mark.proves("REG-163")
def test_a_ledger_that_another_holds_is_busy(
    database: str, db: Engine, engines: Callable[..., Engine]
) -> None:
    """No other process gets a turn; what was asked for can be asked again."""
    holds = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN; LOCK TABLE blob IN EXCLUSIVE MODE"}
    ledger = Ledger(engines(database, statement_seconds=0.3), patience=0.3)
    with db.connect() as other:
        other.exec_driver_sql(holds[db.name])
        with pytest.raises(XDSRepositoryBusy, match="nothing was changed, try again later"):
            ledger.claim("9.1", [blob()], identical)
        other.exec_driver_sql("ROLLBACK")
    assert ledger.find(["1.2.3"]) == {}
    ledger.claim("9.1", [blob()], identical)
    assert ledger.find(["1.2.3"]) == {"1.2.3": blob()}
    ledger.close()


def test_success_is_written_with_the_next_claims(db: Engine, ledger: Ledger) -> None:
    first, _ = ledger.claim("9.1", [blob("01", "1.1")], identical)
    ledger.hold(first)
    assert states(db) == ["open"]
    ledger.claim("9.2", [blob("02", "1.2")], identical)
    assert states(db) == ["held", "open"]


def test_success_outlives_a_failed_write_and_a_refused_claim(db: Engine, ledger: Ledger) -> None:
    first, _ = ledger.claim("9.1", [blob("01", "1.1")], identical)
    ledger.hold(first)
    with pytest.raises(ExceptionGroup):
        ledger.claim("9.2", [blob("02", "1.1", "b")], identical)
    assert states(db) == ["open"]
    ledger.flush()
    ledger.flush()
    assert states(db) == ["held"]


@pytest.mark.proves("SEC-T-003")
@pytest.mark.parametrize("how", ["flush", "claim"])
def test_a_success_whose_claims_are_gone_is_an_alarm(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    gone, _ = ledger.claim("9.1", [blob("01", "1.1"), blob("02", "1.2")], identical)
    ledger.release(gone)
    good, _ = ledger.claim("9.2", [blob("03", "1.3"), blob("04", "1.4")], identical)
    for key in (gone, good):
        ledger.hold(key)
        ledger.leave(key)
    ledger.flush() if how == "flush" else ledger.claim("9.3", [blob("05", "1.5")], identical)
    (alarm,) = caplog.records
    assert (alarm.levelname, alarm.getMessage()[:8]) == ("ERROR", "2 claims")
    assert gone in alarm.getMessage()
    ledger.flush()
    assert len(caplog.records) == 1


def test_a_submission_runs_until_it_is_left_and_written(ledger: Ledger) -> None:
    key, _ = ledger.claim("9.1", [blob()], identical)
    assert ledger.is_running(key)
    ledger.hold(key)
    ledger.leave(key)
    assert ledger.is_running(key), "Success is not written yet"
    ledger.flush()
    assert not ledger.is_running(key)
    with pytest.raises(ExceptionGroup):
        ledger.claim("9.2", [blob(content="b")], identical)
    assert ledger._running == {}


def test_closing_writes_what_is_held(db: Engine) -> None:
    ledger = Ledger(db)
    key, _ = ledger.claim("9.1", [blob()], identical)
    ledger.hold(key)
    ledger.close()
    assert states(db) == ["held"]


def test_open_claims_are_told_oldest_first_and_settled_one_by_one(
    db: Engine, ledger: Ledger
) -> None:
    key, _ = ledger.claim("9.1", [blob("01", "1.1"), blob("02", "1.2")], identical)
    assert ledger.open_claims(time.time() - 5) == ()
    one, two = sorted(
        ledger.open_claims(time.time() + 5), key=lambda claim: claim.document_unique_id
    )
    assert (one.key, one.submission, one.document_unique_id) == (key, "9.1", "1.1")
    assert abs(one.opened - time.time()) < 60
    ledger.keep(one.key, one.blob_id)
    assert ledger.release(two.key, two.blob_id) == ("02",)
    assert states(db) == ["held"]
    assert ledger.open_claims(time.time() + 5) == ()
    assert ledger.find(["1.1", "1.2"]) == {"1.1": blob("01", "1.1")}


@pytest.mark.proves("RET-037")
def test_a_failing_document_is_marked_until_it_proves_good(ledger: Ledger) -> None:
    ledger.claim("9.1", [blob()], identical)
    ledger.fail("01", 1000)
    found = ledger.find(["1.2.3"])["1.2.3"]
    assert (found.is_failing(999), found.is_failing(1000)) == (True, False)
    ledger.fail("01")
    assert ledger.find(["1.2.3"])["1.2.3"].is_failing(time.time() * 100)
    ledger.recover("01")
    assert not ledger.find(["1.2.3"])["1.2.3"].is_failing(0)


def test_good_octets_sent_again_take_the_place_of_lost_ones(ledger: Ledger) -> None:
    ledger.claim("9.1", [blob("01")], identical)
    ledger.fail("01")
    _, spare = ledger.claim("9.2", [blob("02")], identical)
    assert spare == ("01",)
    assert ledger.find(["1.2.3"]) == {"1.2.3": blob("02")}


def test_records_are_listed_by_the_beginning_of_their_names(ledger: Ledger) -> None:
    names = ["00a", "01", "01f", "02", "1", "f0"]
    ledger.claim("9.1", [blob(name, f"1.{at}") for at, name in enumerate(names)], identical)
    assert [each.name for each in ledger.named("01")] == ["01", "01f"]
    assert [each.name for each in ledger.named("")] == names


def test_the_store_is_bound_once(ledger: Ledger) -> None:
    assert (ledger.identity(), ledger.is_empty()) == (None, True)
    assert ledger.identify("one") == "one"
    assert ledger.identify("two") == "one"
    assert ledger.identity() == "one"
    ledger.claim("9.1", [blob()], identical)
    assert not ledger.is_empty()


@pytest.mark.proves("SEC-T-005", "SEC-T-011")
def test_of_many_different_documents_under_one_uniqueid_one_is_kept(
    db: Engine, ledger: Ledger
) -> None:
    other = Ledger(db) if db.dialect.name == "postgresql" else ledger
    start = threading.Barrier(8)

    def send(n: int) -> str | None:
        start.wait()
        try:
            (ledger, other)[n % 2].claim(f"9.{n}", [blob(f"{n:02}", content=f"{n}")], identical)
        except ExceptionGroup:
            return None
        return f"{n:02}"

    for round_ in range(10):
        with ThreadPoolExecutor(8) as threads:
            winners = [name for name in threads.map(send, range(8)) if name]
        assert len(winners) == 1, round_
        assert ledger.find(["1.2.3"])["1.2.3"].name == winners[0]
        (claim,) = ledger.open_claims(time.time() + 5)
        assert ledger.release(claim.key) == (winners[0],)
    if other is not ledger:
        other.close()


@pytest.mark.proves("SEC-T-003")
def test_claims_and_releases_at_once_never_lose_a_claimed_document(
    db: Engine, ledger: Ledger
) -> None:
    """Two documents claimed and released in opposite order by many: no deadlock gets through.

    Who has lost five races in a row is told so, has changed nothing and tries again (SEC-T-013).
    """
    files: set[str] = set()
    guard = threading.Lock()
    failures: list[str] = []

    def work(n: int) -> None:
        for turn in range(12):
            names = [f"{n:02}{turn:02}{at}" for at in "ab"]
            blobs = [blob(names[0], "1.1"), blob(names[1], "1.2")]
            with guard:
                files.update(names)
            in_order = blobs[:: 1 if n % 2 else -1]
            key, spare = until_free(partial(ledger.claim, f"9.{n}.{turn}", in_order, identical))
            with guard:
                files.difference_update(spare)
            for unique_id in ("1.1", "1.2"):
                found = ledger.find([unique_id]).get(unique_id)
                with guard:
                    if found is None or found.name not in files:
                        failures.append(f"{unique_id} is claimed but not there")
            free = until_free(partial(ledger.release, key))
            with guard:
                files.difference_update(free)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert failures == []
    assert files == set(), "every file is told to be removed exactly when nobody claims it"
    with db.connect() as connection:
        assert connection.execute(select(BLOB.c.id)).all() == []
    assert states(db) == []


@pytest.mark.proves("SEC-T-017")
def test_a_lost_ledger_is_an_error_of_the_repository(
    database: str, engines: Callable[..., Engine]
) -> None:
    ledger = Ledger(engines(database.replace("test", "absent/test")))
    for act in (
        lambda: ledger.find(["1"]),
        lambda: ledger.claim("9", [blob()], identical),
        lambda: ledger.release("x"),
        ledger.identity,
    ):
        with pytest.raises(XDSRepositoryError, match="database"):
            act()
    ledger.close()


def test_forever_is_later_than_now() -> None:
    assert replace(blob(), failing_until=FOREVER).is_failing(time.time() + 1e9)
