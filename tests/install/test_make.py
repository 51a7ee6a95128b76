"""The two commands before anything is installed: what they need, and what they say without it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.install.conftest import run
from tests.plugins.gaps import PACKAGES

# All that .ci/venv calls, besides Python.
TOOLS = ("sh", "make", "cat", "cmp", "dirname", "grep", "head", "id", "tail")


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """The files that make an environment, in a path with a blank."""
    folder = tmp_path / "with a blank"
    folder.mkdir()
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(root / name, folder)
    (folder / ".ci").mkdir()
    shutil.copy(root / ".ci" / "venv", folder / ".ci")
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with the tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return folder


def python(machine: Path, name: str, version: str, venv: bool = True) -> None:
    """Pretend that an interpreter is there."""
    script = machine / name
    answer = f"case $2 in *version_info*) echo {version};; *venv*) exit {int(not venv)};; esac"
    script.write_text(f"#!/bin/sh\n{answer}\n")
    script.chmod(0o755)


def check_python(tree: Path, machine: Path, *arguments: str) -> tuple[int, str, list[str]]:
    done = run(
        "make", "check-python", *arguments, cwd=tree, env={"PATH": str(machine), "LC_ALL": "C"}
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    return done.returncode, done.stdout.strip(), said


@pytest.mark.needs("make")
@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3": "3.11"}, "python3"),
        ({"python3": "3.9", "python3.12": "3.12"}, "python3.12"),
        ({"python3": "3.14", "python3.11": "3.11"}, "python3.11"),
        ({"python3.13": "3.13", "python3.12": "3.12"}, "python3.13"),
    ],
    ids=str,
)
def test_first_fitting_python_is_taken(
    tree: Path, machine: Path, there: dict[str, str], taken: str
) -> None:
    for name, version in there.items():
        python(machine, name, version)
    assert check_python(tree, machine) == (0, taken, [])


@pytest.mark.needs("make")
@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({}, ["python3 is not there", "apt-get install python3 python3-venv"]),
        ({"python3": "3.9"}, ["python3 is 3.9", "apt-get install python3 python3-venv"]),
        ({"python3": "3.14"}, ["python3 is 3.14", "3.11, 3.12 or 3.13 is needed"]),
    ],
    ids=["none", "too old", "too new"],
)
def test_missing_python_is_named_in_one_line(
    tree: Path, machine: Path, there: dict[str, str], words: list[str]
) -> None:
    for name, version in there.items():
        python(machine, name, version)
    code, _, said = check_python(tree, machine)
    assert code != 0
    assert len(said) == 1, said
    assert all(word in said[0] for word in words), said


@pytest.mark.needs("make")
@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_missing_venv_is_named_in_one_line(tree: Path, machine: Path, name: str) -> None:
    python(machine, name, "3.12", venv=False)
    code, _, said = check_python(tree, machine)
    assert code != 0
    assert said == [f"{name} lacks venv and ensurepip: apt-get install {name}-venv"]


@pytest.mark.needs("make")
def test_wanted_python_is_not_replaced_by_another(tree: Path, machine: Path) -> None:
    python(machine, "python3", "3.11")
    code, _, said = check_python(tree, machine, "PYTHON=python3.13")
    assert code != 0
    assert len(said) == 1
    assert "python3.13 is not there" in said[0]


@pytest.mark.needs("make")
def test_unreachable_package_index_is_said_in_one_line(tree: Path, tmp_path: Path) -> None:
    (tree / "README.md").touch()
    offline = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }
    done = run("make", "install", f"PYTHON={sys.executable}", cwd=tree, env=offline)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(said) == 1, done.stderr
    assert said[0].startswith("pip cannot reach its package index")
    assert (tree / ".venv" / "pip.log").is_file()


@pytest.mark.needs("make")
@pytest.mark.parametrize(
    ("folder", "extra", "code"),
    [("", "", 0), ("/elsewhere", "", 1), ("", "# changed\n", 1)],
    ids=["unchanged", "moved", "setup.cfg changed"],
)
def test_environment_is_made_again_only_when_it_no_longer_fits(
    tree: Path, machine: Path, folder: str, extra: str, code: int
) -> None:
    """Without any Python on PATH nothing can be made: only a fitting environment passes."""
    (tree / ".venv" / "bin").mkdir(parents=True)
    python(tree / ".venv" / "bin", "python", "3.12")
    parts = [(tree / name).read_text() for name in ("setup.cfg", "pyproject.toml")]
    (tree / ".venv" / "made-from").write_text(f"{folder or tree.resolve()}\n{''.join(parts)}")
    with (tree / "setup.cfg").open("a") as file:
        file.write(extra)
    if extra:
        # The environment stays, and pip is what is called: let it fail.
        (tree / ".venv" / "bin" / "python").write_text(
            "#!/bin/sh\n"
            "case $2 in *version_info*) echo 3.12;; pip) echo ERROR: called >&2; exit 1;; esac\n"
        )
    done = run("make", "install", cwd=tree, env={"PATH": str(machine), "LC_ALL": "C"})
    assert bool(done.returncode) == bool(code), done.stdout + done.stderr
    if extra:
        assert "ERROR: called" in done.stderr
    elif not code:
        assert done.stdout == ""


@pytest.mark.needs("make", "git")
@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "requirements"])
def test_clone_in_a_path_with_a_blank_knows_its_commands(clone: Path, target: str) -> None:
    assert (clone / ".ci" / "run").stat().st_mode & 0o111
    done = run("make", "-n", target, cwd=clone)
    assert done.returncode == 0, done.stderr
    assert ".venv/bin/" in done.stdout
    done = run("make", "check-python", f"PYTHON={sys.executable}", cwd=clone)
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_make_passes_the_demand_on(tree: Path) -> None:
    assert "--require-all" in run("make", "-n", "test", "REQUIRE_ALL=1", cwd=tree).stdout
    assert "--require-all" not in run("make", "-n", "test", cwd=tree).stdout


def test_ci_installs_every_package_the_tests_need(root: Path) -> None:
    script = (root / ".ci" / "run").read_text()
    listed = script[script.index("packages=(") : script.index("\n)")]
    names = " ".join(line.partition("#")[0] for line in listed.splitlines()).split()
    assert set(PACKAGES.values()) - set(names) == set()
