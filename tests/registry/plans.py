"""How a database would answer the stored queries, shape by shape, and look patients up.

    python -m tests.registry.plans

asks SQLite and PostgreSQL anew and writes the files that test_plans.py compares with.
"""

import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, select

from bench import generate
from registry import discovery
from registry.arguments import Argument
from registry.schema import demographics, other_id, patient
from registry.search import Searches
from tests.registry import race
from xdsi import app
from xdsi.config import Config, Registry
from xdsi.standard.queries import EVERY_QUERY, Comparison, StoredQuery
from xdsi.units import Listing, Prepared, engine

FOLDER = Path(__file__).parent / "plans"
RENEW = "python -m tests.registry.plans"
# Many patients with few documents, so that an index is worth its while for every table; few enough
# rows that PostgreSQL looks at all of them when it gathers its statistics.
ENTRIES, PATIENT_ENTRIES = 4_800, 4
_TABLES = (
    *("object", "association", "fragment", "patient", "object_value", "code", "unique_id"),
    *("demographics", "other_id"),
)

_VALUES: Mapping[Comparison, tuple[Any, ...]] = {
    Comparison.PATIENT: ("x",),
    Comparison.TEXT: ("x", "y", "z"),
    Comparison.CODE: (("x", "s"), ("y", "s"), ("z", "s")),
    Comparison.LIKE: ("x", "y%"),
    Comparison.SINCE: ("2024",),
    Comparison.BEFORE: ("2025",),
    Comparison.STATUS: (1, 0),
    Comparison.TYPE: (True, False),
    Comparison.ASSOCIATION_TYPE: (2, 4),
    Comparison.LEVEL: (2,),
    Comparison.AVAILABILITY: (1, 2),
    Comparison.CONTENT: ("x%", "y"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A statement as a consumer may cause it.

    name: of the query, the parameter it is asked by, and what else is given
    """

    name: str
    query: StoredQuery
    given: Mapping[str, Argument]
    is_leaf: bool

    def prepared(self, of: Engine) -> tuple[Prepared, dict[str, Any]]:
        searches = Searches(of.dialect)
        return searches.search(self.query, self.given, _numbers, 5_001, self.is_leaf)


def shapes() -> Iterator[Shape]:
    """Every query: what it requires, by each of an either pair or of some; with one value and with
    several, and with everything that may be given besides; as LeafClass and as ObjectRef.
    """
    for query in EVERY_QUERY.values():
        needed = [each.name for each in query.parameters if each.is_required]
        others = {each.name for each in query.parameters} - {*query.either, *query.some}
        for by in (*query.either, *query.some) or ("",):
            names = [*needed, *([by] if by else [])]
            more = [each.name for each in query.parameters if each.name in others | {by}]
            for title, some, is_many in (
                ("", names, False),
                (", several values", names, True),
                (", everything", more, True),
            ):
                given = {
                    each.name: _argument(each, is_many, is_leading=each.name == by)
                    for each in query.parameters
                    if each.name in some
                }
                for is_leaf in (True, False):
                    form = "LeafClass" if is_leaf else "ObjectRef"
                    name = f"{query.name}{by and f' by {by}'}{title}, {form}"
                    yield Shape(name, query, given, is_leaf)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A statement of patient discovery."""

    name: str
    listing: Listing
    values: tuple[Any, ...]

    def prepared(self, of: Engine) -> tuple[Prepared, dict[str, Any]]:
        prepared, given = self.listing.of(self.values, of.dialect)
        return prepared, {**given, "limit": 5_001}


LOOKUPS = (
    Lookup("patients by birth date", discovery.BORN, ("19700102",)),
    Lookup("patients by birth date, several values", discovery.BORN, ("19700102", "19700201")),
    Lookup("patients by identifier", discovery.KNOWN_AS, ("x",)),
    Lookup("patients by identifier, several values", discovery.KNOWN_AS, ("x", "y", "z")),
    Lookup("patients by other identifier", discovery.KNOWN_ELSEWHERE_AS, ("x",)),
    Lookup("patients by other identifier, several values", discovery.KNOWN_ELSEWHERE_AS,
           ("x", "y", "z")),
    Lookup("other identifiers", discovery.OTHER_IDS, (1,)),
    Lookup("other identifiers, several values", discovery.OTHER_IDS, (1, 2, 3)),
)  # fmt: skip


def statements() -> Iterator[Shape | Lookup]:
    yield from shapes()
    yield from LOOKUPS


def _numbers(codes: Collection[tuple[str, str]]) -> list[int]:
    """Of codes that are rare: one that half the objects have is not worth an index."""
    return list(range(1_000_000, 1_000_000 + len(codes)))


def _argument(parameter: Any, is_many: bool, is_leading: bool) -> Argument:
    """is_leading: the objects are found by it, so there is no pattern, which no index leads to."""
    values = _VALUES[parameter.test]
    if is_leading:
        values = tuple(each for each in values if each != "y%")
    group = values if is_many and parameter.is_many else values[:1]
    groups = 2 if is_many and parameter.is_and_able else 1
    return Argument(parameter, (group,) * groups)


def filled(url: str, folder: Path) -> Engine:
    """An engine on a registry whose tables are filled and analyzed."""
    config = Config(registry=Registry(database=url, unknown_patients="admit"), folder=folder)
    app.migrate(config)
    generate.fill(config, ENTRIES, PATIENT_ENTRIES)
    made = engine(url, statement_seconds=60)
    with made.begin() as connection:
        numbers = connection.execute(select(patient.c.id)).scalars().all()
        people = [
            {"patient": number, "family": f"Family{number}", "birth_date": f"{19000101 + number}"}
            for number in numbers
        ]
        connection.execute(demographics.insert(), people)
        ids = [{"patient": number, "cx": f"{number}^^^&1.2.3&ISO"} for number in numbers]
        connection.execute(other_id.insert(), ids)
    with made.connect() as connection:
        if made.dialect.name == "postgresql":
            connection.exec_driver_sql("SET default_statistics_target = 1000")
        connection.exec_driver_sql("ANALYZE")
    return made


def version(of: Engine) -> str:
    """What plans may differ by."""
    with of.connect() as connection:
        if of.dialect.name == "sqlite":
            return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}"
        found = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return f"PostgreSQL {str(found).partition('.')[0]}"


def plan(of: Engine, shape: Shape | Lookup, *, is_generic: bool = True) -> list[str]:
    """The steps of a plan, indented, without figures.

    is_generic: PostgreSQL's plan for any values, which a statement gets that is asked often; else
    the one for these values
    """
    prepared, values = shape.prepared(of)
    with of.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        if of.dialect.name == "sqlite":
            return _tree(
                driver.execute(
                    f"EXPLAIN QUERY PLAN {prepared.sql}", prepared._bound(values)
                ).fetchall()
            )
        if is_generic and not prepared.is_planned_anew:
            return _generic(driver, prepared)
        rows = driver.execute(f"EXPLAIN (COSTS OFF) {prepared.sql}", prepared._bound(values))
        return [row[0] for row in rows.fetchall()]


def _tree(rows: list[tuple[int, int, int, str]]) -> list[str]:
    """rows: (id, id of the parent, nothing, what is done)."""
    depths = {0: -1}
    lines = []
    for number, parent, _, what in rows:
        depths[number] = depths[parent] + 1
        # subqueries are counted through the whole statement
        lines.append("  " * depths[number] + re.sub(r"SUBQUERY \d+", "SUBQUERY", what))
    return lines


def _generic(driver: psycopg.Connection[Any], prepared: Prepared) -> list[str]:
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        names.append(found[1])
        return f"${len(names)}"

    sql = re.sub(r"%%|%\(([^)]+)\)s", place, prepared.sql)
    nothing = ", ".join(["NULL"] * len(names))
    driver.execute("SET plan_cache_mode = force_generic_plan")
    driver.execute(f"PREPARE shape AS {sql}".encode())
    rows = driver.execute(f"EXPLAIN (COSTS OFF) EXECUTE shape({nothing})".encode()).fetchall()
    driver.execute("DEALLOCATE shape")
    driver.execute("RESET plan_cache_mode")
    return [row[0] for row in rows]


def scans(steps: list[str]) -> list[str]:
    """Steps that look at every row of a table or of an index of it."""
    found = []
    for at, step in enumerate(steps):
        words = step.replace("->", "").split()
        if words[0] == "SCAN" and words[1].rstrip("_0123456789") in _TABLES:
            found.append(step)
        if "Seq Scan on" in step and words[words.index("on") + 1] in _TABLES:
            found.append(step)
        if (
            "Index" in words
            and "Scan" in words
            and "Index Cond" not in "".join(steps[at + 1 : at + 2])
        ):
            found.append(step)
    return found


def text(of: Engine) -> str:
    """The file of one database."""
    parts = [f"{version(of)}. To renew: {RENEW}\n"]
    for shape in statements():
        is_kept = isinstance(shape, Lookup) or shape.is_leaf
        if is_kept and ", several" not in shape.name:
            parts.append(f"\n== {shape.name}\n" + "\n".join(plan(of, shape)) + "\n")
    return "".join(parts)


def file(of: Engine) -> Path:
    return FOLDER / f"{of.dialect.name}.txt"


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for kind in ("sqlite", "postgresql"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder / 'registry.db'}"
            if kind == "postgresql":
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xdsi-pg-")))
                url = stack.enter_context(race.postgresql(place)).create()
            of = filled(url, folder)
            stack.callback(of.dispose)
            file(of).write_text(text(of))
            print(file(of))
    return 0


if __name__ == "__main__":
    sys.exit(main())
