"""The files of docker/ fit the programs that read them, as far as that shows without an engine."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xdsi.config import load


def test_node_reads_its_configuration(root: Path) -> None:
    config = load(root / "docker" / "xdsi.toml")
    assert config.server.proxies
    assert config.registry is not None
    assert config.repository is not None
    assert config.registry.password_file == Path("/run/secrets/database-password")


def test_image_runs_as_its_own_user_and_is_asked_whether_it_lives(root: Path) -> None:
    lines = (root / "docker" / "Dockerfile").read_text().splitlines()
    assert lines.index("USER xdsi") < next(n for n, line in enumerate(lines) if "CMD" in line)
    assert any("/health/live" in line for line in lines)


def test_every_file_the_image_and_the_services_name_is_there(root: Path) -> None:
    recipe = (root / "docker" / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", recipe, re.MULTILINE)
    sources = [root / name for line in copied for name in line.split()]
    services = (root / "docker" / "compose.yaml").read_text()
    mounted = [root / "docker" / name for name in re.findall(r"- \./(?!pki/)([^:]+):", services)]
    assert len(sources) >= 8
    assert len(mounted) >= 4
    assert [path for path in sources + mounted if not path.exists()] == []


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that the user who runs PostgreSQL can reach, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="xdsi-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.needs("pg_ctl")
@pytest.mark.parametrize(
    ("setting", "value"),
    [("fsync", "on"), ("synchronous_commit", "on"), ("log_statement", "none")],
)
def test_postgresql_reads_its_settings(root: Path, data: Path, setting: str, value: str) -> None:
    bin_folder = Path(str(shutil.which("pg_ctl"))).resolve().parent
    shutil.copy(root / "docker" / "postgresql.conf", data)
    done = subprocess.run(
        [bin_folder / "postgres", "-D", data, "-C", setting],
        user="postgres" if os.geteuid() == 0 else None,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, value), done.stderr
