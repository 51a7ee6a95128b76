"""Database engines: connections that promise what Success promises.

Text compares by byte on both databases: the tables of an actor say COLLATE "C" for PostgreSQL,
SQLite compares so by itself, and LIKE is made to.
Source: SEC-T-014, SEC-T-017, SEC-T-045, SEC-T-173.
"""

import math
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shlex import quote
from time import monotonic
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

CONNECT_SECONDS = 3  # leaves room inside the 5 s of SEC-T-017
UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_MAPPED = 256 << 20  # octets of a SQLite file
_ADDRESS = "use sqlite:///file.db or postgresql+psycopg://user@host/name"

# SQLite counts virtual machine steps: about a millisecond between two looks at the clock
_STEPS = 20_000


class UnusableDatabase(Exception):
    """The database, or its password file, must not be used as it is; the text says why.

    setting: the key of the configuration that is to blame
    """

    def __init__(self, problem: str, setting: str = "database") -> None:
        super().__init__(problem)
        self.setting = setting


def engine(
    url: str,
    password_file: Path | None = None,
    *,
    folder: Path | None = None,
    statement_seconds: float = 5.0,
    connections: int = 20,
) -> Engine:
    """An engine whose connections are in AUTOCOMMIT until a unit of work begins.

    url: `sqlite:///file.db` or `postgresql+psycopg://user@host/name`
    password_file: read for every new connection, so a rotated password needs no restart
    folder: where a relative SQLite file name starts
    statement_seconds: longest time of one statement (SEC-T-045)
    connections: kept open at most; as many again for a moment
    Nothing is opened yet. The first connection raises UnusableDatabase when the server may lose
    what it has committed. Raises UnusableDatabase.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UnusableDatabase(f"no address of a database; {_ADDRESS}") from None
    known: dict[str, Callable[[URL], dict[str, Any]]] = {
        "sqlite": lambda url: {"url": _anchored(url, folder)},
        "postgresql": _postgresql,
    }
    options = known.get(parsed.get_backend_name())
    if options is None:
        raise UnusableDatabase(f"{parsed.drivername}: not supported; {_ADDRESS}")
    made = create_engine(
        **options(parsed),
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        max_overflow=connections,
        pool_timeout=statement_seconds,
        # the connection used last has what it needs in its caches
        pool_use_lifo=True,
        # texts of errors stay free of values, which may be patient data
        hide_parameters=True,
    )
    if made.dialect.name == "sqlite":
        _prepare_sqlite(made, statement_seconds)
    else:
        _prepare_postgresql(made, statement_seconds, password_file)
    return made


def _anchored(url: URL, folder: Path | None) -> URL:
    if not url.database or url.database == ":memory:":
        raise UnusableDatabase("sqlite: needs a file, as in sqlite:///registry.db")
    return url.set(database=str((folder or Path()) / url.database))


def _postgresql(url: URL) -> dict[str, Any]:
    if url.drivername != "postgresql+psycopg":
        url = url.set(drivername="postgresql+psycopg")
    # a peer that vanished without a word is noticed inside the 5 s of SEC-T-017
    network = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
    }
    return {"url": url, "connect_args": network}


def _prepare_sqlite(engine: Engine, statement_seconds: float) -> None:
    @event.listens_for(engine, "do_connect")
    def make(_dialect: Any, _record: Any, arguments: Any, _options: Any) -> None:
        # what SQLite makes beside it has its rights; where it cannot be made SQLite says so
        with suppress(OSError):
            os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "case_sensitive_like = ON",
            f"busy_timeout = {int(statement_seconds * 1000)}",
            "temp_store = MEMORY",
            # pages are read where the system's cache holds them, instead of copied for each
            # connection, which cost half the time of a query for 20 entries (bench: iti18)
            f"mmap_size = {_MAPPED}",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        info = record.info
        info["until"], info["seconds"] = math.inf, statement_seconds
        connection.set_progress_handler(lambda: monotonic() > info["until"], _STEPS)

    @event.listens_for(engine, "before_cursor_execute")
    def start(connection: Any, *_: Any) -> None:
        start_statement(connection)


def start_statement(connection: Any) -> None:
    """The time of a statement begins that goes to the driver itself.

    connection: as the pool gives it. PostgreSQL looks at its own clock.
    """
    info = connection.info
    if (seconds := info.get("seconds")) is not None:
        info["until"] = monotonic() + seconds


def _prepare_postgresql(
    engine: Engine, statement_seconds: float, password_file: Path | None
) -> None:
    if password_file is not None:

        @event.listens_for(engine, "do_connect")
        def authenticate(_dialect: Any, _record: Any, _args: Any, options: dict[str, Any]) -> None:
            options["password"] = _secret(password_file)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(UNSAFE),)
            )
            unsafe = [name for name, setting in cursor.fetchall() if UNSAFE[name] == setting]
            if unsafe:
                raise UnusableDatabase(
                    f"PostgreSQL runs with {' and '.join(f'{name} = off' for name in unsafe)} "
                    "and may lose what it has committed; switch it on"
                )
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, false), "
                "set_config('TimeZone', 'UTC', false), "
                # the default is that of a turning disk, for which PostgreSQL would rather read
                # whole tables than some rows by index: three times the time of GetAll in a
                # registry of 10,000 entries (bench: iti18-all)
                "set_config('random_page_cost', '1.1', false)",
                (str(int(statement_seconds * 1000)),),
            )


def _secret(file: Path) -> str:
    """The first line of a file that nobody but its owner may read."""
    setting = "password_file"
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UnusableDatabase(
                f"{file}: others may read this password; chmod 600 {quote(str(file))}", setting
            )
        password = file.read_text().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise UnusableDatabase(
            f"{file}: {reason}; give a file with the password in its first line", setting
        ) from error
    if not password:
        raise UnusableDatabase(
            f"{file}: its first line is empty; write the password there", setting
        )
    return password
