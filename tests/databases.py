"""Databases for tests: SQLite files and a private PostgreSQL server.

A test that takes `database` runs on both; one that takes `sqlite` or `postgresql` on that one.
Each test gets an empty database of its own. The server listens on a unix socket in a temporary
folder alone, under an account that is not root, and is stopped by its own process id.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from xdsi.units import engine

ACCOUNT = "postgres"


class PostgreSQL:
    """A server of our own. `start` and `stop` may alternate within a test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.names = folder, folder / "data", count()
        self.account: str | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.account = ACCOUNT
            os.chown(folder, pwd.getpwnam(ACCOUNT).pw_uid, pwd.getpwnam(ACCOUNT).pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", ACCOUNT, "-A", "trust", "-E", "UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        path = shutil.which(program)
        assert path
        subprocess.run(
            [path, *arguments],
            cwd=self.folder,
            user=self.account,
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )

    def start(self, *settings: str) -> None:
        options = [
            "listen_addresses=''",
            f"unix_socket_directories='{self.folder}'",
            "shared_buffers=32MB",
            "max_connections=200",
            "deadlock_timeout=100ms",
            *settings,
        ]
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"),
                  "-o", " ".join(f"-c {option}" for option in options), "start")  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def execute(self, statement: str) -> None:
        with psycopg.connect(
            host=str(self.folder), user=ACCOUNT, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def create(self) -> str:
        """URL of a new database."""
        name = f"test{next(self.names)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{ACCOUNT}@/{name}?host={self.folder}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """The one that tests share; whoever stops one takes `own_postgresql`."""
    with _running() as server:
        yield server


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    """A server of the test's own, running."""
    with _running() as server:
        yield server


@contextmanager
def _running() -> Iterator[PostgreSQL]:
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("needs pg_ctl: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="xdsi-pg-"))
    server = PostgreSQL(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    """Makes engines as `xdsi.units.engine` does and disposes of them after the test."""
    made: list[Engine] = []

    def make(url: str, **options: object) -> Engine:
        made.append(engine(url, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgresql(postgresql_server: PostgreSQL) -> str:
    return postgresql_server.create()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """URL of an empty database, on each kind in turn."""
    url: str = request.getfixturevalue(request.param)
    return url
