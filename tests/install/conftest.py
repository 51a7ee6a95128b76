"""A wheel of this tree, an environment with nothing but it and its dependencies, and a clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

BUILT_FROM = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = ("registry", "repository", "xdsi", "wsdl")


def own_environment() -> dict[str, str]:
    """The variables without those by which an outer make or pytest would speak to an inner one."""
    foreign = ("MAKE", "MFLAGS", "PYTEST_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def run(*command: str | Path, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it says; no input."""
    options: dict[str, object] = {
        "capture_output": True,
        "text": True,
        "timeout": 110,
        "env": own_environment(),
        **more,
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def environment(folder: Path) -> Path:
    """An environment that sees this one's dependencies, but not its editable xdsi.

    A folder named in a .pth file is searched, but .pth files inside it are not read: the
    editable install is one of those. Returns its Python.
    """
    done = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    inside = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=inside))
    seen = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in sorted(seen)))
    return folder / "bin" / "python"


def copy_tree(folder: Path) -> Path:
    """What a build reads, apart from the tree: building leaves files behind."""
    folder.mkdir(parents=True)
    for name in BUILT_FROM:
        shutil.copy(_ROOT / name, folder)
    for name in PACKAGES:
        shutil.copytree(
            _ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    return folder


_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    done = run(*pip, *options, copy_tree(folder / "source"), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The Python of a clean environment with the wheel in it."""
    python = environment(tmp_path / "environment")
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    done = run(*pip, "--no-deps", "--no-index", "--quiet", wheel, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return python


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the project in a path with a blank."""
    # A checkout of another user is cloned as well, say by root.
    settings = tmp_path / "gitconfig"
    settings.write_text("[safe]\n\tdirectory = *\n")
    folder = tmp_path / "with a blank" / "xdsi"
    done = run(
        "git",
        "clone",
        "--quiet",
        _ROOT,
        folder,
        cwd=tmp_path,
        env={**own_environment(), "GIT_CONFIG_GLOBAL": str(settings)},
    )
    if done.returncode != 0 or not (folder / "Makefile").is_file():
        pytest.skip("needs a git checkout of the project with a commit in it")
    return folder
