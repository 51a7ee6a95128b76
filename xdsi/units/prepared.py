"""Statements in the words of one database, past SQLAlchemy's own execution.

For the few that must be fast: executed so, they cost half the time or less.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, cast

from sqlalchemy import ClauseElement, ColumnElement, Dialect, bindparam
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement whose values the driver takes and gives as they are.

    names: of its values in order, where the driver counts them; empty where it names them
    values: those that the statement itself brings
    is_planned_anew: PostgreSQL looks at the values each time; else a statement that is asked often
        gets one plan for any values, with nothing to plan afterwards
    """

    sql: str
    names: tuple[str, ...]
    values: Mapping[str, Any]
    is_planned_anew: bool = False

    @classmethod
    def of(
        cls,
        statement: Executable,
        dialect: Dialect,
        columns: Collection[str] | None = None,
        *,
        is_planned_anew: bool = False,
    ) -> "Prepared":
        """Any statement. Lists have one bind for each value.

        columns: those that an INSERT fills; None for all
        """
        compiled = cast(
            SQLCompiler,
            cast(ClauseElement, statement).compile(
                dialect=dialect, column_keys=None if columns is None else list(columns)
            ),
        )
        given = {name: value for name, value in compiled.params.items() if value is not None}
        is_asked_for = is_planned_anew and dialect.name == "postgresql"
        return cls(str(compiled), tuple(compiled.positiontup or ()), given, is_asked_for)

    def rows(self, connection: Any, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All rows that it returns. connection: the driver's. Raises the driver's errors."""
        options = {"prepare": False} if self.is_planned_anew else {}
        found = connection.execute(self.sql, self._bound(values), **options).fetchall()
        return cast(list[tuple[Any, ...]], found)

    def change(self, connection: Any, values: Mapping[str, Any]) -> int:
        """How many rows an UPDATE or DELETE has changed. Raises the driver's errors."""
        changed: int = connection.execute(self.sql, self._bound(values)).rowcount
        return changed

    def insert(self, connection: Any, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows, each with a value for every name. Raises the driver's errors."""
        cursor = connection.cursor()
        cursor.executemany(self.sql, [self._bound(row) for row in rows])
        cursor.close()

    def _bound(self, values: Mapping[str, Any]) -> Any:
        merged = {**self.values, **values}
        return [merged[name] for name in self.names] if self.names else merged


def room(count: int) -> int:
    """How many binds a list of values gets: a power of two, so that few statements serve all."""
    return 1 << (count - 1).bit_length() if count else 0


def among(column: ColumnElement[Any], binds: int) -> ColumnElement[bool]:
    """The column is one of `binds` values, which a Listing gives."""
    return column.in_([bindparam(name, type_=column.type) for name in _names(binds)])


def listed(values: Collection[Any]) -> dict[str, Any]:
    """The binds of `among` for these, at least one; the last places repeat a value."""
    filled = chain(values, repeat(next(iter(values))))
    return dict(zip(_names(room(len(values))), filled, strict=False))


class Listing:
    """A statement over a list of values, prepared once for each power of two of them.

    make: the statement with room for so many, see `among`
    """

    def __init__(self, make: Callable[[int], Executable]) -> None:
        self._prepared = lru_cache(64)(lambda binds, dialect: Prepared.of(make(binds), dialect))

    def of(self, values: Collection[Any], dialect: Dialect) -> tuple[Prepared, dict[str, Any]]:
        """The statement and its binds. values: at least one"""
        return self._prepared(room(len(values)), dialect), listed(values)


@lru_cache(64)
def _names(binds: int) -> tuple[str, ...]:
    return tuple(f"v{number}" for number in range(binds))
