"""How the databases answer the queries: by index, never by looking at every row of a table."""

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.databases import PostgreSQL
from tests.registry import plans
from tests.registry.conftest import Registry


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A filled and analyzed registry."""
    folder: Path = tmp_path_factory.mktemp("plans")
    url = f"sqlite:///{folder / 'registry.db'}"
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        url = server.create()
    made = plans.filled(url, folder)
    yield made
    made.dispose()


@pytest.mark.optional("another version of a database may plan otherwise")
def test_plans_are_those_that_are_kept(filled: Engine) -> None:
    """Read the difference; where the new plan is as good, renew the file by the command in it."""
    kept = plans.file(filled).read_text()
    version = plans.version(filled)
    if not kept.startswith(f"{version}."):
        pytest.skip(f"the plans kept are of {kept.partition('.')[0]}, here is {version}")
    found = plans.text(filled)
    difference = list(unified_diff(kept.splitlines(), found.splitlines(), "kept", "now", n=8))
    assert not difference, "\n".join([*difference, f"to renew: {plans.RENEW}"])


def test_no_plan_looks_at_every_row(filled: Engine) -> None:
    found = {
        (shape.name, is_generic): steps
        for shape in plans.statements()
        for is_generic in (True, False)
        if (steps := plans.scans(plans.plan(filled, shape, is_generic=is_generic)))
    }
    assert found == {}


def test_no_plan_of_an_sqlite_nobody_analyzed_looks_at_every_row(
    sqlite_registry: Registry,
) -> None:
    found = {
        shape.name: steps
        for shape in plans.statements()
        if (steps := plans.scans(plans.plan(sqlite_registry.engine, shape)))
    }
    assert found == {}


def test_every_query_has_its_plans() -> None:
    names = [each.name for each in plans.statements()]
    assert len(set(names)) == len(names)
    for query in plans.EVERY_QUERY.values():
        parameters = {
            name for shape in plans.shapes() if shape.query is query for name in shape.given
        }
        assert parameters == {each.name for each in query.parameters}


@pytest.mark.parametrize(
    ("steps", "is_scan"),
    [
        (["SEARCH object_2 USING INDEX object_by_patient (patient=?)"], False),
        (["SCAN members"], False),
        (["SCAN object_2"], True),
        (["SCAN association USING COVERING INDEX association_by_source"], True),
        (["  ->  Seq Scan on object object_1", "        Filter: (kind = $1)"], True),
        (["  ->  CTE Scan on found"], False),
        (["->  Index Scan using object_pkey on object", "      Index Cond: (id = $1)"], False),
        (["->  Index Scan using object_pkey on object", "->  Sort"], True),
        (["->  Index Only Scan using object_pkey on object"], True),
        (["->  Bitmap Index Scan on object_by_patient", "      Index Cond: (kind = $1)"], False),
    ],
)
def test_a_scan_is_found(steps: list[str], is_scan: bool) -> None:
    assert bool(plans.scans(steps)) == is_scan
