"""The import contract of setup.cfg: kept by the tree, and broken by what it is there to refuse."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import PACKAGE_FOLDERS, ROOT, settings

# A line put into a module (a new one, where the floor may be missing) -> the contract it breaks.
VIOLATIONS = [
    ("xdsi/model/added.py", "import xdsi.wire", "Floors"),
    ("xdsi/standard/added.py", "import xdsi.model", "Floors"),
    ("xdsi/server/added.py", "import xdsi.peers", "Floors"),
    ("registry/added.py", "import repository", "Floors"),
    ("repository/added.py", "import xdsi.server", "Floors"),
    ("xdsi/wire/added.py", "import xdsi.ownership", "Floors"),
    ("xdsi/actors/one/added.py", "import xdsi.actors.two.added", "Actors are strangers"),
    ("registry/added.py", "from lxml import etree", "lxml stays in wire and server"),
    ("xdsi/wire/added.py", "import spyne", "spyne and asyncio stay in server"),
    ("registry/added.py", "import asyncio", "spyne and asyncio stay in server"),
    ("xdsi/server/added.py", "import zeep", "zeep stays in peers"),
    ("xdsi/peers/added.py", "import sqlalchemy", "SQLAlchemy stays with the tables"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and the contract, to be broken."""
    for folder in PACKAGE_FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    return tmp_path


def test_imports_go_down_only() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("module", "line", "contract"), VIOLATIONS, ids=lambda value: str(value))
def test_contract_refuses(copy: Path, module: str, line: str, contract: str) -> None:
    if "actors" in module:
        for package in ("xdsi/actors", "xdsi/actors/one", "xdsi/actors/two"):
            (copy / package).mkdir(exist_ok=True)
            (copy / package / "__init__.py").touch()
        (copy / "xdsi/actors/two/added.py").touch()
    (copy / module).write_text(f"{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [text for text in done.stdout.splitlines() if "BROKEN" in text]
    assert [text for text in broken if text.startswith(contract)], done.stdout


def test_every_module_of_xdsi_has_a_floor() -> None:
    layers = settings()["importlinter:contract:floors"]["layers"]
    floors = set(layers.translate(str.maketrans("()|:", "    ")).split())
    modules = {
        f"xdsi.{path.stem}"
        for path in (ROOT / "xdsi").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"xdsi.__init__"}
    assert modules <= floors
