"""Migrations: one version table per actor, one node at a time, all steps or none.

The scripts lie in the package of the actor that owns the tables; no alembic.ini, no env.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, Engine, text

LOCK_SECONDS = 60  # how long a node waits for another one that migrates


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of one actor. name: as in the configuration, for texts.

    location: folder that holds `versions/`
    """

    name: str
    location: Path

    @property
    def version_table(self) -> str:
        return f"{self.name}_version"

    @property
    def scripts(self) -> ScriptDirectory:
        return ScriptDirectory(str(self.location))


class SchemaMismatch(Exception):
    """The tables are not those of this version; the text names the command that helps."""


def pending(engine: Engine, migrations: Migrations) -> tuple[str, ...]:
    """The steps that `migrate` would take, as `id title`, first one first.

    Raises SchemaMismatch when a newer version has been here.
    """
    with engine.connect() as connection:
        return _missing(
            MigrationContext.configure(connection, opts=_options(migrations)), migrations
        )


def require_current(engine: Engine, migrations: Migrations) -> None:
    """Raises SchemaMismatch unless the tables are exactly those of this version."""
    if steps := pending(engine, migrations):
        raise SchemaMismatch(
            f"{migrations.name}: the database lacks: {'; '.join(steps)}; run: xdsi migrate"
        )


def migrate(engine: Engine, migrations: Migrations, *, dry_run: bool = False) -> tuple[str, ...]:
    """Bring the tables to this version and return the steps taken, as `id title`.

    dry_run: really take the steps, then undo them
    Raises SchemaMismatch when a newer version has been here; then nothing is changed.
    """
    with _alone(engine, migrations, dry_run) as connection:
        options = {**_options(migrations), "fn": _upgrade(migrations)}
        context = MigrationContext.configure(connection, opts=options)
        steps = _missing(context, migrations)
        if steps:
            with Operations.context(context):
                context.run_migrations()
        return steps


def _options(migrations: Migrations) -> dict[str, Any]:
    return {"version_table": migrations.version_table, "render_as_batch": True}


def _upgrade(migrations: Migrations) -> Any:
    scripts = migrations.scripts
    return lambda heads, _context: scripts._upgrade_revs("head", heads)


def _missing(context: MigrationContext, migrations: Migrations) -> tuple[str, ...]:
    scripts, here = migrations.scripts, context.get_current_heads()
    try:
        steps = tuple(scripts.iterate_revisions("head", here or "base"))
    except RevisionError:
        raise SchemaMismatch(
            f"{migrations.name}: the database was migrated by a newer version "
            f"({', '.join(here)} is unknown here); install that version of xdsi"
        ) from None
    return tuple(f"{step.revision} {step.doc}" for step in reversed(steps))


@contextmanager
def _alone(engine: Engine, migrations: Migrations, dry_run: bool) -> Iterator[Connection]:
    """A transaction that no other node's migration can share; undone for a dry run."""
    values = {"key": lock_key(migrations), "milliseconds": int(LOCK_SECONDS * 1000)}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # its settings are of no use to anybody else
        if engine.dialect.name == "sqlite":  # a step may take its time
            connection.connection.dbapi_connection.set_progress_handler(None, 0)  # type: ignore[union-attr]
        for statement in _BEGIN[engine.dialect.name]:
            connection.execute(text(statement.format(**values)))
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("ROLLBACK" if dry_run else "COMMIT")


def lock_key(migrations: Migrations) -> int:
    """The advisory lock of PostgreSQL that a migration of these tables holds."""
    return crc32(migrations.version_table.encode())


# PostgreSQL: the lock is held until the end of the transaction
_BEGIN = {
    "sqlite": ("PRAGMA busy_timeout = {milliseconds}", "BEGIN IMMEDIATE"),
    "postgresql": (
        "BEGIN",
        "SET LOCAL lock_timeout = {milliseconds}",
        "SET LOCAL statement_timeout = 0",
        "SELECT pg_advisory_xact_lock({key})",
    ),
}
