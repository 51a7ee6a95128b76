"""What is installed: the wheel, and the editable tree."""

import sys
import zipfile
from pathlib import Path

import pytest

import xdsi
from tests.install.conftest import PACKAGES, copy_tree, environment, run

MODULES = ("registry", "repository", "xdsi", "xdsi.wsdl")


def files_to_install(tree: Path) -> set[str]:
    """Every file of the packages, by the name it has when installed."""
    return {
        (Path("xdsi/wsdl") if folder == "wsdl" else Path(folder))
        .joinpath(file.relative_to(tree / folder))
        .as_posix()
        for folder in PACKAGES
        for file in (tree / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"xdsi/py.typed", "xdsi/wsdl/registry.wsdl", "registry/migrations/__init__.py"} <= names
    assert files_to_install(wheel.parent / "source") - names == set()


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names - files_to_install(wheel.parent / "source") == set()


def test_modules_import_from_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    print(importlib.import_module(name).__file__)\n"
    )
    done = run(installed, "-I", "-c", program, *MODULES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.split()]
    assert len(files) == len(MODULES)
    assert all(file.is_relative_to(installed.parent.parent) for file in files), files


def test_installed_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    done = run(installed.with_name("xdsi"), "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"xdsi {xdsi.__version__}\n"), done.stderr


WSDL = "import importlib.resources as r; assert (r.files('xdsi.wsdl') / 'registry.wsdl').is_file()"


def test_pytest_from_the_root_finds_the_wsdl(root: Path, tmp_path: Path) -> None:
    probe = tmp_path / "test_probe.py"
    probe.write_text(f"def test_probe():\n    {WSDL}\n")
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", root, "-c", root / "setup.cfg"]
    done = run(sys.executable, "-m", "pytest", *options, probe, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("inside", [True, False], ids=["in the tree", "elsewhere"])
def test_editable_install_finds_the_wsdl(tmp_path: Path, inside: bool) -> None:
    tree = copy_tree(tmp_path / "with a blank" / "tree")
    python = environment(tmp_path / "environment")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--editable"]
    # Built by this environment's setuptools, which the new one sees.
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    done = run(*pip, *options, tree, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(
        python, "-c", f"{WSDL}; import xdsi; print(xdsi.__file__)", cwd=tree if inside else tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == tree / "xdsi" / "__init__.py"
