"""The index: large studies, and whether the database goes by its indexes."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, text

from tests.actors.imaging.studies import instance
from xdsi.actors.imaging.index import MIGRATIONS, Index
from xdsi.actors.imaging.indexing import Addition
from xdsi.actors.imaging.schema import METADATA
from xdsi.units import Units, migrate
from xdsi.wire.archived import Archived, archived, study_of

INSTANCES = 20_000


def sample(tmp_path: Any) -> Archived:
    file = tmp_path / "one.dcm"
    file.write_bytes(instance())
    with file.open("rb") as opened:
        return archived(opened)


@pytest.fixture
def index(database: str, engines: Callable[..., Engine]) -> Iterator[Index]:
    engine = engines(database)
    migrate(engine, MIGRATIONS)
    index = Index(engine, patience=60)
    yield index
    index.close()


def addition(one: Archived, number: int, study: str = "1.2.3") -> Addition:
    series = f"{study}.{number // 500}"
    return Addition(
        replace(
            one,
            study_instance_uid=study,
            series_instance_uid=series,
            sop_instance_uid=f"{series}.{number}",
            series_number=number // 500,
            instance_number=number,
        ),
        f"{number:034x}" if study == "1.2.3" else f"f{number:033x}",
        size=1000,
        sha256="0" * 64,
        seal="",
    )


def test_states_of_studies(index: Index, tmp_path: Any) -> None:
    """Another mark for every change; in pages, so that any number of studies can be looked at."""
    one = sample(tmp_path)
    assert list(index.states(None)) == []
    many = [addition(replace(one), number, f"1.2.3.{number}") for number in range(1, 702)]
    index.add([replace(each, name=f"{at:034x}") for at, each in enumerate(many)])
    first = {each.study_instance_uid: each for each in index.states(None)}
    assert len(first) == 701
    assert {each.changed is not None for each in first.values()} == {True}
    now = max(each.changed or 0 for each in first.values())
    assert len(list(index.states(now - 60))) == 701
    assert list(index.states(now + 3600)) == []
    index.add([replace(addition(one, 9000, "1.2.3.1"), name="a" * 34)])
    index.remove("1.2.3.2")
    index.remove("1.2.3.1", instance="1.2.3.1.0.1")
    second = {each.study_instance_uid: each for each in index.states(None)}
    assert first.keys() - second.keys() == {"1.2.3.2"}
    assert {uid for uid in second if second[uid].mark != first[uid].mark} == {"1.2.3.1"}


@pytest.mark.proves("IMG-012", "IMG-014")
def test_what_is_corrected_or_exchanged_changes_the_mark(index: Index, tmp_path: Any) -> None:
    """Though as many are there as before, and rows may get the numbers of removed ones."""
    one = sample(tmp_path)

    def mark() -> str:
        (state,) = index.states(None)
        return state.mark

    first, last = addition(one, 1), addition(one, 2)
    index.add([first, last])
    marks = [mark()]
    index.add([replace(last, name="c" * 34, replaces=last.name)])
    marks.append(mark())
    index.remove("1.2.3", instance=last.instance.sop_instance_uid)
    index.add([replace(addition(one, 3), name="d" * 34)])
    marks.append(mark())
    assert len(set(marks)) == 3
    assert {each.mark for each in index.states(0)} == {marks[-1]}


@contextmanager
def plans(index: Index) -> Iterator[list[str]]:
    """The plan of every statement that reads or changes rows, as the database tells it."""
    engine: Engine = index._units.engine
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    found: list[str] = []

    def look(
        connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object
    ) -> None:
        if re.match(r"(SELECT|DELETE|UPDATE)\b", statement):
            other = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
            other.execute(explain + statement, parameters)
            found.append("\n".join(str(row[-1]) for row in other.fetchall()))

    def fetched(self: Any, prepared: Any, values: Any) -> Any:
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            rows = driver.execute(explain + prepared.sql, prepared._bound(values)).fetchall()
            found.append("\n".join(str(row[-1]) for row in rows))
        return fetch(self, prepared, values)

    fetch = Units.fetch
    event.listen(engine, "before_cursor_execute", look)
    try:
        with patch.object(Units, "fetch", fetched):
            yield found
    finally:
        event.remove(engine, "before_cursor_execute", look)


def test_a_study_of_20000_instances_is_indexed_and_found(index: Index, tmp_path: Any) -> None:
    one = sample(tmp_path)
    for start in range(0, INSTANCES, 1_000):
        late, spare = index.add([addition(one, n) for n in range(start, start + 1_000)])
        assert (late, spare) == (frozenset(), ())
    index.add([addition(one, n, f"1.2.4.{n}") for n in range(500)])
    with index._units.engine.begin() as connection:
        connection.execute(text("ANALYZE"))

    found = index.shared("1.2.3", None, None)
    assert [each.sop_instance_uid for each in found] == [
        f"1.2.3.{n // 500}.{n}" for n in range(INSTANCES)
    ]
    headers = index.headers("1.2.3")
    assert len(headers) == INSTANCES
    assert study_of(headers[:1]).study_instance_uid == one.study_instance_uid
    with plans(index) as seen:
        wanted = {f"1.2.3.7.{n}" for n in range(3_500, 3_520)}
        assert len(index.shared("1.2.3", "1.2.3.7", wanted)) == 20
        assert len(index.shared("1.2.3", "1.2.3.7", None)) == 500
        assert len(index.shared("1.2.4.9", None, None)) == 1
        assert len(index.headers("1.2.4.9")) == 1
        assert len(index.find(wanted)) == 20
        assert index.named("0" * 10 + "5") == []
        index.fail(f"{7:034x}", 5)
        assert len(index.remove("1.2.4.9")) == 1
        assert len(index.remove("1.2.3", "1.2.3.7", "1.2.3.7.3500")) == 1
    assert len(seen) >= 15
    scanned = [plan for plan in seen if re.search(r"\bSCAN (?!CONSTANT)|Seq Scan on", plan)]
    tables = {
        table
        for plan in scanned
        for table in re.findall(r"(?:SCAN|Seq Scan on) (\w+)", plan)
        if table not in ("rejection", "study")  # nearly empty here
    }
    assert tables == set(), "\n\n".join(scanned)


def test_rows_taken_by_somebody_else_are_left_out(index: Index, tmp_path: Any) -> None:
    one = sample(tmp_path)
    first, second = addition(one, 1), addition(one, 2)
    index.add([first])
    uid = first.instance.sop_instance_uid
    late, spare = index.add([replace(first, name="a" * 34), second])
    assert (late, spare) == ({uid}, ())
    stale = replace(first, name="b" * 34, replaces="c" * 34)
    assert index.add([stale]) == ({uid}, ())
    assert index.add([replace(stale, replaces=first.name)]) == (frozenset(), (first.name,))
    gone = replace(addition(one, 3), replaces="d" * 34)
    assert index.add([gone]) == ({gone.instance.sop_instance_uid}, ())
    assert {each.name for each in index.named("")} == {"b" * 34, second.name}


def test_migrations_make_the_tables_of_the_schema(
    database: str, engines: Callable[..., Engine]
) -> None:
    engine = engines(database)
    migrate(engine, MIGRATIONS)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": MIGRATIONS.version_table}
        )
        assert compare_metadata(context, METADATA) == []
