"""Tests name requirements that exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, tree
from tests.plugins.requirements import ID, catalogue

TESTS = sorted((ROOT / "tests").rglob("*.py"))


def claimed(file: Path) -> list[str]:
    """Ids that the ``proves`` marks of a file name as literals."""
    return [
        argument.value
        for call in ast.walk(tree(file))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.proves")
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_ids_have_the_right_form(file: Path) -> None:
    assert [one for one in claimed(file) if not (isinstance(one, str) and ID.fullmatch(one))] == []


def test_ids_stand_in_the_catalogue(shared: Path) -> None:
    known = {one for ids in catalogue(shared / "spec").values() for one in ids}
    unknown = {
        f"{file.relative_to(ROOT)}: {one}"
        for file in TESTS
        for one in claimed(file)
        if one not in known
    }
    assert unknown == set()


def test_the_catalogue_is_read_completely(shared: Path) -> None:
    readme = (shared / "spec" / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| ([\w-]+)\.md \| [A-Z-]+ \| (\d+) \|", readme, re.MULTILINE))
    read = {name: str(len(set(ids))) for name, ids in catalogue(shared / "spec").items()}
    assert read == stated
