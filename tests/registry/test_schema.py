"""The tables: migrations and `registry.schema` say the same."""

from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from registry import MIGRATIONS, schema
from registry.lifecycle import _CODES, _MANY, _TEXTS, _TIMES
from tests.registry.conftest import Registry
from xdsi.standard import queries, urns
from xdsi.units import migrate, pending, require_current


def test_migrations_make_the_tables_of_the_schema(
    database: str, engines: Callable[..., Engine]
) -> None:
    engine = engines(database)
    migrate(engine, MIGRATIONS)
    require_current(engine, MIGRATIONS)
    assert pending(engine, MIGRATIONS) == ()
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _, name, *rest: name != "registry_version",
            },
        )
        assert compare_metadata(context, schema.metadata) == []


def test_text_is_compared_by_byte_on_postgresql(postgresql_registry: Registry) -> None:
    with postgresql_registry.engine.connect() as connection:
        other = connection.execute(
            text(
                "SELECT a.attrelid::regclass, a.attname FROM pg_attribute a "
                "JOIN pg_class t ON t.oid = a.attrelid AND t.relkind = 'r' "
                "JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public' "
                "WHERE a.attcollation NOT IN (0, 'pg_catalog.\"C\"'::regcollation) "
                "AND t.relname <> 'registry_version'"
            )
        ).fetchall()
    assert other == []


@pytest.mark.proves("SEC-T-011")
def test_constraints_carry_the_rules(registry: Registry) -> None:
    found = inspect(registry.engine)
    unique = {tuple(each["column_names"]) for each in found.get_unique_constraints("object")}
    assert unique == {("uuid",), ("lid", "version")}
    assert found.get_pk_constraint("unique_id")["constrained_columns"] == ["value"]
    assert {tuple(i["column_names"]) for i in found.get_indexes("association")} == {
        ("source", "type"),
        ("target", "type"),
    }


def test_every_association_type_and_status_has_a_number() -> None:
    assert set(schema.ASSOCIATION_TYPES) == urns.RELATIONSHIPS | {urns.HAS_MEMBER}
    assert set(schema.STATUS_OF) == urns.STATUSES
    assert len(set(schema.ASSOCIATION_TYPES.values())) == len(schema.ASSOCIATION_TYPES)


def test_every_parameter_of_a_query_has_its_column() -> None:
    columns = {each.name for each in schema.object_.columns}
    kept = {
        kind.__name__: {*_CODES[kind], *_TIMES[kind], *_TEXTS[kind], *dict(_MANY[kind])}
        for kind in schema.KIND_OF
    }
    always = {"entry_uuid", "patient_id", "status", "object_type", "last_update_time"}
    always |= {"logical_id", "availability", "level"}
    for query in queries.EVERY_QUERY.values():
        for parameter in query.parameters:
            name = parameter.attribute
            elsewhere = (queries.Comparison.ASSOCIATION_TYPE, queries.Comparison.CONTENT)
            if name in always or parameter.test in elsewhere:
                continue
            assert name in kept[parameter.kind], (query.name, parameter.name)
            assert name in columns or name.upper() in schema.Many.__members__
