"""`xdsi manifest check`: every finding with its remedy, for people and programs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.wire import manifests as m
from tests.wire.manifests import Edit
from xdsi.standard.rules import RULES


def write(path: Path, edit: Edit = m.nothing) -> Path:
    item = m.dataset()
    edit(item)
    path.write_bytes(m.file_of(item))
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path / "good.dcm")


def test_a_good_manifest_is_called_good(call: Run, good: Path) -> None:
    said = call("manifest", "check", good)
    assert (said.code, said.out, said.err) == (0, f"good: {good}\n", "")


@pytest.mark.proves("KOS-125")
def test_every_finding_of_a_wrong_one_is_explained(call: Run, tmp_path: Path) -> None:
    def ruin(item: m.Dataset) -> None:
        del item.ContentDate
        m.titled("113000", "DCM")(item)

    said = call("manifest", "check", write(tmp_path / "wrong.dcm", ruin))
    assert (said.code, said.err) == (1, "")
    first, warned, asks, missed, more = said.out.splitlines()
    assert first == str(tmp_path / "wrong.dcm")
    assert warned.startswith("warning Concept Name Code Sequence (0040,A043): ")
    assert "use 113030 DCM Manifest" in warned and "[KOS-124]" in warned
    assert RULES["KOS-124"].demand in asks
    assert missed.startswith("error Content Date (0008,0023): required, missing; add it [KOS-125]")
    assert RULES["KOS-125"].source in more


def test_warnings_alone_are_no_failure(call: Run, tmp_path: Path) -> None:
    wrong = write(tmp_path / "title.dcm", m.titled("113000", "DCM"))
    assert call("manifest", "check", wrong).code == 0


def test_programs_read_the_same(call: Run, good: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(good.read_bytes()[:-30])
    said = call("manifest", "check", good, cut, "--json")
    assert said.code == 1
    first, second = json.loads(said.out)
    assert first == {"file": str(good), "findings": []}
    [finding] = second["findings"]
    assert (finding["rule"], finding["level"]) == ("KOS-133", "error")
    assert all(finding[name] for name in ("object", "problem", "remedy", "asks", "source"))


@pytest.mark.proves("KOS-132")
def test_several_are_checked_against_each_other(call: Run, good: Path, tmp_path: Path) -> None:
    said = call("manifest", "check", good, write(tmp_path / "second.dcm"))
    assert said.code == 0
    assert said.out.count("[KOS-132]") == 2


def test_a_file_that_is_not_there_is_said(call: Run, tmp_path: Path) -> None:
    said = call("manifest", "check", tmp_path / "none.dcm")
    assert said.code == 2 and "none.dcm" in said.complaint
