"""The plugins of this folder, in runs of their own over a few small tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.requirements import catalogue, table

SETTINGS = """
[pytest]
addopts = --strict-markers
markers =
    proves(*ids): as in the project
    needs(*programs): as in the project
    optional(reason): as in the project
"""


@pytest.fixture
def pytest_run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Runs pytest over one module; returns exit code and output."""
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(module: str, *options: str) -> tuple[int, str]:
        (tmp_path / "test_it.py").write_text(f"import pytest\n{module}")
        plugins = ["-p", "tests.plugins.gaps", "-p", "tests.plugins.requirements"]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *options]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


PASSES = "def test_a(): assert 1 + 1 == 2\n"
# case -> (module, exit code under --require-all, line of the list)
GAPS = {
    "nothing skipped": (PASSES, 0, None),
    "skipped": (PASSES + "def test_b(): pytest.skip('needs a moon')\n", 1, "1  needs a moon"),
    "skipped in a fixture, twice": (
        "@pytest.fixture\ndef moon(): pytest.skip('needs a moon')\n"
        "def test_b(moon): ...\ndef test_c(moon): ...\n",
        1,
        "2  needs a moon",
    ),
    "skipped by a mark": (
        PASSES + "@pytest.mark.skipif(True, reason='no moon')\ndef test_b(): ...\n",
        1,
        "1  no moon",
    ),
    "module skipped": ("pytest.importorskip('moon')\n", 1, "1  could not import 'moon'"),
    "program missing": (
        PASSES + "@pytest.mark.needs('moonshot')\ndef test_b(): ...\n",
        1,
        "1  needs moonshot: apt-get install moon-tools",
    ),
    "optional": (
        PASSES + "@pytest.mark.optional('far')\ndef test_b(): pytest.skip('no moon')\n",
        0,
        "1  no moon (not demanded: far)",
    ),
    "optional and skipped by a mark": (
        PASSES + "@pytest.mark.optional('far')\n"
        "@pytest.mark.skipif(True, reason='no moon')\ndef test_b(): ...\n",
        0,
        "1  no moon (not demanded: far)",
    ),
    "handed over": (
        PASSES + "def test_b(): pytest.skip('needs ../shared/schema')\n",
        0,
        "1  needs ../shared/schema (not demanded: it cannot be installed)",
    ),
    "known to fail": (
        PASSES + "@pytest.mark.xfail(strict=True)\ndef test_b(): assert 1 == 2\n",
        0,
        None,
    ),
}


# A worker does not tell of modules that it skips as a whole, so this project has none.
ALONE = {"module skipped"}
WORKER = ("-p", "xdist", "-n1")


@pytest.mark.parametrize(
    ("module", "code", "line", "options"),
    [
        pytest.param(*row, options, id=f"{name}{', in a worker' if options else ''}")
        for name, row in GAPS.items()
        for options in ((), WORKER)
        if not (options and name in ALONE)
    ],
)
def test_gap_is_listed_and_demanded(  # type: ignore[no-untyped-def]
    pytest_run, module: str, code: int, line: str | None, options: tuple[str, ...]
) -> None:
    module = "from tests.plugins import gaps\ngaps.PACKAGES['moonshot'] = 'moon-tools'\n" + module
    # A module that is skipped as a whole leaves no test: pytest's own code 5.
    empty = 5 if "importorskip" in module else 0
    assert pytest_run(module, *options)[0] == empty
    demanded, said = pytest_run(module, "--require-all", *options)
    assert bool(demanded) == bool(code or empty), said
    assert ("could not run here" in said) == (line is not None)
    if line:
        assert line in said
    assert re.search(r"\d+ (passed|skipped|xfailed).* in [\d.]+s", said.strip().splitlines()[-1])


def test_a_failure_is_not_hidden_by_a_gap(pytest_run) -> None:  # type: ignore[no-untyped-def]
    module = "def test_a(): assert 1 == 2\ndef test_b(): pytest.skip('needs a moon')\n"
    assert pytest_run(module)[0] == 1


def test_a_program_without_a_package_is_a_mistake(pytest_run) -> None:  # type: ignore[no-untyped-def]
    code, said = pytest_run("@pytest.mark.needs('moonshot')\ndef test_a(): ...\n")
    assert code == 1
    assert "names no package for moonshot" in said


def test_programs_of_administrators_are_found() -> None:
    assert "/usr/sbin" in os.environ["PATH"].split(os.pathsep)


@pytest.mark.parametrize("options", [(), WORKER], ids=["alone", "worker"])
def test_requirement_counts_only_when_all_its_tests_pass(  # type: ignore[no-untyped-def]
    pytest_run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    module = """
@pytest.mark.proves("ZZ-001", "ZZ-002")
@pytest.mark.parametrize("case", [1, 2])
def test_a(case): assert case

@pytest.mark.proves("ZZ-002", "ZZ-003")
def test_b(): assert 1 == 2

@pytest.mark.proves("ZZ-004")
def test_c(): pytest.skip("needs a moon")
"""
    _, said = pytest_run(module, "--requirements", "out/report.md", *options)
    assert "1 requirements proved, listed in out/report.md" in said
    report = (tmp_path / "out" / "report.md").read_text()
    assert "| ZZ-001 | test_it.py::test_a |" in report
    assert not re.search("ZZ-00[234]", report)


def test_catalogue_reads_rules_in_tables_and_lists(tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text(
        "| Id | Rule |\n|---|---|\n| AB-001 | see AB-009 |\n- AB-002: item\nAB-003 (T) line\n"
        "| ITI-105 Publish | a transaction |\n| SEC-T-004 | promise |\n"
    )
    (tmp_path / "README.md").write_text("No rules here.\n")
    assert catalogue(tmp_path) == {"one": ["AB-001", "AB-002", "AB-003", "SEC-T-004"]}


def test_report_lists_proven_open_and_unknown_ids() -> None:
    report = table({"one": ["AB-001", "AB-002"]}, {"AB-001": ["t.py::test"], "AB-777": ["u.py"]})
    assert "## one: 1 of 2" in report
    assert "| AB-001 | t.py::test |" in report
    assert "Not proven: AB-002" in report
    assert "not in the catalogue at hand: 1 of 1" in report
