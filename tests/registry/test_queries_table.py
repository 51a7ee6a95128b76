"""The stored-query rows against the catalogue of requirements."""

import re
from pathlib import Path

import pytest

from xdsi.standard import queries
from xdsi.standard.queries import MULTI_PATIENT_QUERIES, STORED_QUERIES, Comparison

# parameters that come with Metadata Update: section 5 of the catalogue
UPDATE = ("SQ-190", "SQ-194", "SQ-195", "SQ-196")
NAMES = re.compile(r"`(\$?[A-Za-z…$]+)`")


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| SQ-")
    ]


def section(text: str, title: str) -> str:
    return text.partition(title)[2].partition("\n### ")[0]


@pytest.mark.proves("SQ-008")
def test_every_query_of_iti_18_is_there(shared: Path) -> None:
    text = (shared / "spec" / "stored-queries.md").read_text()
    wanted = {
        row[0]: (row[1], row[2].strip("`"))
        for row in rows(section(text, "## 4. Queries"))
        if "ITI-51" not in row[1]
    }
    ours = {each.rule: (each.name, each.id) for each in STORED_QUERIES.values()}
    title = ours.pop("SQ-096")
    assert wanted == ours
    (extensions,) = (line for line in text.splitlines() if line.startswith("SQ-096"))
    for name, id_ in (title, *((e.name, e.id) for e in MULTI_PATIENT_QUERIES.values())):
        assert f"{name} `{id_}`" in extensions or f"{name} (ITI-51) | `{id_}`" in text


@pytest.mark.parametrize(
    ("query", "title"),
    [
        pytest.param(queries.FIND_DOCUMENTS, "### 4.1", id="FindDocuments"),
        pytest.param(queries.FIND_SUBMISSION_SETS, "### 4.2", id="FindSubmissionSets"),
        pytest.param(queries.FIND_FOLDERS, "### 4.3", id="FindFolders"),
        pytest.param(queries.GET_ALL, "### 4.4", id="GetAll"),
    ],
)
@pytest.mark.proves("SQ-008", "SQ-020")
def test_every_parameter_is_there(shared: Path, query: queries.StoredQuery, title: str) -> None:
    text = (shared / "spec" / "stored-queries.md").read_text()
    wanted = {}
    for row in rows(section(text, title)):
        first, *others = NAMES.findall(row[1])
        need = next(at for at, cell in enumerate(row) if at > 1 and cell in ("R", "O"))
        notes = row[need + 2]
        how = (row[need] == "R", row[need + 1] == "M", "AO" in notes)
        compares = {
            Comparison.CODE: notes.startswith("C"),
            Comparison.LIKE: notes.startswith("LK"),
        }
        names = [first, first.removesuffix("From") + "To"] if others else [first]
        for name in names:
            wanted[name] = (row[0], *how, compares)
    assert wanted == {
        each.name: (
            each.rule,
            each.is_required,
            each.is_many,
            each.is_and_able,
            {test: each.test is test for test in (Comparison.CODE, Comparison.LIKE)},
        )
        for each in query.parameters
        if each.rule not in UPDATE
    }
