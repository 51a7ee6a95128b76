"""migrate, check and serve on both kinds of database, as an operator meets them."""

import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

import registry
from tests.cli.conftest import Run, program
from tests.databases import PostgreSQL
from tests.node import change, init
from xdsi.config import load
from xdsi.units.migrations import lock_key

USER, PASSWORD = "locked", "an invented secret"


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A node whose databases are still empty; both actors share the one on PostgreSQL."""
    made = init(tmp_path / "a node")
    if request.param == "sqlite":
        for file in made.parent.glob("*.db*"):
            file.unlink()
        return made
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    return at_server(made, server.create())


def at_server(config: Path, url: str) -> Path:
    text = re.sub(r"(?m)^database = .*$", lambda _: f'database = "{url}"', config.read_text())
    config.write_text(text)
    return config


def url(config: Path, name: str = "registry") -> str:
    section = getattr(load(config), name)
    address: str = section.database
    return address.replace(":///", f":///{config.parent}/") if "sqlite" in address else address


def test_migrate_says_what_it_would_do_does_it_once_and_is_safe_to_repeat(
    call: Run, config: Path, engines: Callable[..., Engine]
) -> None:
    said = call("migrate", "--config", config, "--dry-run")
    steps = said.out.splitlines()
    assert said.code == 0
    assert {step.split()[2] for step in steps} == {"registry", "repository", "imaging"}
    assert all(re.fullmatch(r"would run \w+ \w+ .+", step) for step in steps)
    one = engines(url(config))
    assert inspect(one).get_table_names() == []
    assert call("migrate", "--config", config).out == said.out.replace("would run", "ran")
    assert "registry_version" in inspect(one).get_table_names()
    for options in ((), ("--dry-run",)):
        again = call("migrate", "--config", config, *options)
        assert (again.code, again.out) == (0, "nothing to do: every database is at this version\n")


def test_of_several_nodes_that_migrate_at_once_one_does_the_work_and_all_end_well(
    call: Run, config: Path
) -> None:
    wanted = sorted(call("migrate", "--config", config, "--dry-run").out.splitlines())
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: program("migrate", "--config", config), range(4)))
    assert [(each.code, each.err) for each in ended] == [(0, "")] * 4
    lines = [line for each in ended for line in each.out.splitlines()]
    taken = sorted(line for line in lines if not line.startswith("nothing to do"))
    assert taken == [line.replace("would run", "ran") for line in wanted]
    assert call("check", "--config", config).code == 0


def test_migrate_tells_who_waits_too_long_for_another_what_to_do(
    call: Run, config: Path, engines: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdsi.units.migrations.LOCK_SECONDS", 0.2)
    one = engines(url(config))
    lock = {
        "sqlite": "BEGIN IMMEDIATE",
        "postgresql": f"SELECT pg_advisory_lock({lock_key(registry.MIGRATIONS)})",
    }
    with one.connect() as other:
        other.exec_driver_sql(lock[one.dialect.name])
        said = call("migrate", "--config", config)
    assert said.code == 2
    assert "registry.database: " in said.complaint
    assert "another `xdsi migrate`" in said.complaint


@pytest.mark.parametrize("name", ["registry", "repository"])
def test_serve_refuses_older_and_newer_tables_and_names_the_way_out(
    call: Run, config: Path, engines: Callable[..., Engine], name: str
) -> None:
    said = call("serve", "--config", config)
    assert said.code == 2 and "registry: the database lacks" in said.complaint
    command = shlex.split(said.complaint.partition("run: ")[2])
    assert command == ["xdsi", "migrate", "--config", str(config)]
    assert call(*command[1:]).code == 0
    assert call("check", "--config", config).code == 0
    with engines(url(config, name)).connect() as connection:
        connection.exec_driver_sql(f"UPDATE {name}_version SET version_num = '9999'")
    for action, code in (("serve", 2), ("migrate", 2), ("check", 1)):
        said = call(action, "--config", config)
        assert said.code == code
        assert f"{name}: the database was migrated by a newer version (9999" in said.complaint
        assert "install that version of xdsi" in said.complaint


@pytest.fixture
def locked(postgresql_server: PostgreSQL) -> Iterator[str]:
    """URL of a database whose user needs a password."""
    rules = postgresql_server.data / "pg_hba.conf"
    before = rules.read_text()
    postgresql_server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
    address = postgresql_server.create()
    name = address.split("@/")[1].partition("?")[0]
    postgresql_server.execute(f"ALTER DATABASE {name} OWNER TO {USER}")

    def let_in(text: str) -> None:
        rules.write_text(text)
        postgresql_server.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)

    let_in(f"local all {USER} scram-sha-256\n{before}")
    yield address.replace("postgres@/", f"{USER}@/")
    let_in(before)
    postgresql_server.execute(f"DROP DATABASE {name}")
    postgresql_server.execute(f"DROP ROLE {USER}")


@pytest.mark.proves("SEC-T-173")
def test_a_password_stands_in_its_file_alone(call: Run, locked: str, tmp_path: Path) -> None:
    config = at_server(init(tmp_path / "a node"), locked)
    said = call("check", "--config", config)
    assert said.code == 1
    assert [line.split(": ")[1] for line in said.err.splitlines()] == [
        "registry.password_file",
        "repository.password_file",
        "imaging.password_file",
    ]
    assert said.err.count("chmod 600 that file, and name it here") == 3
    text = config.read_text().replace("# password_file = ", "password_file = ")
    config.write_text(
        re.sub(r"(\[(repository|imaging)\])", r'\1\npassword_file = "database.password"', text)
    )
    file = config.parent / "database.password"
    for content, mode, words in (
        (None, 0, f"{file}: No such file or directory; give a file with the password"),
        ("", 0o600, f"{file}: its first line is empty"),
        (PASSWORD, 0o640, f"{file}: others may read this password; chmod 600 '{file}'"),
        ("wrong\n", 0o600, f"does not know user {USER} with this password; write the right one"),
    ):
        if content is not None:
            file.write_text(content)
            file.chmod(mode)
        for command, code in (("check", 1), ("serve", 2), ("migrate", 2)):
            said = call(command, "--config", config)
            assert said.code == code
            assert said.err.startswith("xdsi: registry.password_file: ")
            assert words in said.err and "Traceback" not in said.err
            assert not content or content.strip() not in said.err.replace(words, "")
    file.write_text(f"{PASSWORD}\nsecond line\n")
    assert call("migrate", "--config", config).code == 0
    assert call("check", "--config", config).code == 0
    assert PASSWORD not in config.read_text()


@pytest.mark.proves("SEC-T-173")
@pytest.mark.parametrize(
    "address", ["postgresql://xdsi:secret@h/x", "postgresql://h/x?user=xdsi&password=secret"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(
    call: Run, tmp_path: Path, address: str
) -> None:
    config = change(init(tmp_path / "a node"), database=f'"{address}"')
    said = call("check", "--config", config)
    assert said.code == 2
    assert "registry.database: holds a password; put it into a file" in said.complaint
    assert "secret" not in said.complaint


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "no address of a database; use sqlite:///file.db or postgresql"),
        ("postgresql://u@h:port/x", "no address of a database"),
        ("mysql://u@h/x", "mysql: not supported; use sqlite"),
        ("postgresql://u@127.0.0.1:{port}/x", "nobody answers at 127.0.0.1:{port} "),
        ("postgresql://u@no.such.host.invalid/x", "nobody answers at no.such.host.invalid:5432 "),
        ("sqlite:///lost/x.db", "lost/x.db: its folder is missing; run: mkdir -p "),
        ("sqlite:///xdsi.toml", "xdsi.toml: holds something else than an SQLite database"),
        ("sqlite:///.", "is a folder; give the name of a file"),
    ],
    ids=["no URL", "port", "product", "closed port", "host", "folder", "other file", "a folder"],
)
def test_check_and_serve_say_what_is_wrong_with_a_database(
    call: Run, tmp_path: Path, address: str, words: str
) -> None:
    port = closed_port()
    config = change(init(tmp_path / "a node"), database=f'"{address.format(port=port)}"')
    for command, code in (("check", 1), ("serve", 2)):
        said = call(command, "--config", config)
        assert said.code == code
        assert said.complaint.startswith("xdsi: registry.database: ")
        assert words.format(port=port) in said.complaint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("/{name}?", "has no database nowhere; make it as docs/operators.md shows"),
        ("//{user}@", "has no user nobody_known; make it as docs/operators.md shows"),
    ],
    ids=["database", "user"],
)
def test_check_says_what_a_server_lacks(
    call: Run, postgresql: str, tmp_path: Path, change: str, words: str
) -> None:
    pattern = change.format(name=r"\w+", user=r"\w+").replace("?", r"\?")
    other = change.format(name="nowhere", user="nobody_known")
    config = at_server(init(tmp_path / "a node"), re.sub(pattern, other, postgresql))
    said = call("check", "--config", config)
    assert said.code == 1
    assert words in said.err.splitlines()[0]


def test_check_says_that_a_user_may_not_make_tables(
    call: Run, postgresql_server: PostgreSQL, postgresql: str, tmp_path: Path
) -> None:
    postgresql_server.execute("CREATE ROLE reader LOGIN")
    config = at_server(init(tmp_path / "a node"), postgresql.replace("postgres@/", "reader@/"))
    try:
        said = call("migrate", "--config", config)
    finally:
        postgresql_server.execute("DROP ROLE reader")
    assert said.code == 2
    assert "permission denied for schema public; make user reader" in said.complaint


def test_new_sqlite_files_are_their_owners_alone(
    call: Run, tmp_path: Path, engines: Callable[..., Engine]
) -> None:
    with engines(f"sqlite:///{tmp_path / 'new.db'}").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE one (id INTEGER)")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("new.db*")}
    assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm"), 0o600)


def test_check_finds_a_database_that_others_may_read(call: Run, tmp_path: Path) -> None:
    config = init(tmp_path / "a node")
    file = config.parent / "registry.db"
    file.chmod(0o644)
    assert call("check", "--config", config).code == 0, "its folder keeps others away"
    config.parent.chmod(0o755)
    said = call("check", "--config", config)
    assert said.code == 1 and said.complaint.startswith(f"xdsi: registry.database: {file}: others")
    subprocess.run(shlex.split(said.complaint.partition("run: ")[2]), check=True)
    assert call("check", "--config", config).code == 0


def test_check_and_serve_find_a_port_that_is_taken(call: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = change(init(tmp_path / "a node"), port=str(port))
        for command, code in (("check", 1), ("serve", 2)):
            said = call(command, "--config", config)
            assert said.code == code
            assert f"server.port: cannot listen on 127.0.0.1:{port}" in said.complaint
            assert said.complaint.endswith("choose another port")
    assert call("check", "--config", config).code == 0
