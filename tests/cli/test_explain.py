"""`xdsi explain` knows every rule that an error may name, and docs/rules.md says the same."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.architecture.house import modules, tree
from tests.cli.conftest import Run
from tests.plugins.requirements import ID, catalogue
from xdsi.standard import attributes, rules
from xdsi.standard.attributes import Attribute, Need
from xdsi.standard.rules import RULES

# Tables whose rows carry the id of their own requirement; errors name it only through `row.rule`.
# Ids of transactions only look like them.
TABLES = tuple(
    f"xdsi/standard/{name}.py" for name in ("attributes", "queries", "rules", "transactions")
)


def named() -> dict[str, str]:
    """Rule id -> a place that names it: every text that is nothing but an id."""
    found = {
        node.value: f"{name}:{node.lineno}"
        for name, file in modules().items()
        if name not in TABLES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and ID.fullmatch(node.value)
    }
    rows = (row for table in vars(attributes).values() if isinstance(table, tuple) for row in table)
    for row in rows:
        # what must not be there in some transaction is reported under the id of the row
        if (
            isinstance(row, Attribute)
            and {Need.FORBIDDEN, Need.STABLE_ONLY} & {*row.need.values()}
            and row.place is not attributes.Place.NODE
        ):
            found[row.rule] = f"attribute {row.name}"
    return found


def test_every_rule_an_error_names_is_explained() -> None:
    assert {rule: place for rule, place in named().items() if rule not in RULES} == {}


def test_every_rule_explained_is_named_by_an_error() -> None:
    """A row that no error leads to would only grow old."""
    assert set(RULES) - set(named()) == set()


def test_rules_are_given_to_errors_as_whole_ids() -> None:
    """So the test above sees them: no id is put together from pieces."""
    pieces = [
        f"{name}:{word.lineno}"
        for name, file in modules().items()
        for call in ast.walk(tree(file))
        if isinstance(call, ast.Call)
        for word in (each.value for each in call.keywords if each.arg == "rule")
        if isinstance(word, (ast.JoinedStr, ast.BinOp))
    ]
    assert pieces == []


def test_rules_stand_in_the_catalogue(shared: Path) -> None:
    known = {one for ids in catalogue(shared / "spec").values() for one in ids}
    assert set(RULES) - known == set()


def test_rows_are_sentences_and_alone() -> None:
    rows = list(RULES.values())
    assert len(rows) == len(rules._ROWS)
    for row in rows:
        assert ID.fullmatch(row.id)
        assert row.demand.endswith(".") and row.remedy.endswith("."), row.id
        assert row.demand[0].isupper() or row.demand.split()[0] in _NAMES, row.id
        assert re.match(_SOURCES, row.source), row.id


_SOURCES = (
    r"TF-[23] |RAD TF-|DICOM PS3|(Restricted )?Metadata Update supplement$|"
    r"Remove Metadata and Documents supplement$|ebRIM 3.0 schema$|project$"
)
_NAMES = {"associationType", "classificationScheme", "creationTime", "hash", "mimeType",
          "objectType", "repositoryUniqueId", "returnType", "serviceStartTime", "size",
          "sourceObject", "sourcePatientInfo"}  # fmt: skip


def test_page_in_the_docs_is_the_table(root: Path) -> None:
    assert (root / "docs" / "rules.md").read_text(encoding="utf-8") == rules.page()


@pytest.mark.parametrize("rule", ["REG-070", "reg-070", "[REG-070]"])
def test_rule_is_explained_however_it_is_typed(call: Run, rule: str) -> None:
    said = call("explain", rule)
    assert said.code == 0 and said.err == ""
    row = RULES["REG-070"]
    assert all(text in said.out for text in (row.id, row.demand, row.remedy, row.source))


def test_all_rules_are_listed(call: Run) -> None:
    said = call("explain")
    assert [line for line in said.out.splitlines() if not line.startswith(" ")] == list(RULES)
    told = json.loads(call("explain", "--json").out)
    assert [each["id"] for each in told] == list(RULES)
    assert json.loads(call("explain", "SQ-036", "--json").out) == [
        {"id": "SQ-036", "demand": RULES["SQ-036"].demand, "remedy": RULES["SQ-036"].remedy,
         "source": RULES["SQ-036"].source}
    ]  # fmt: skip


def test_mistyped_rule_leads_to_its_neighbours(call: Run) -> None:
    said = call("explain", "REG-0700")
    assert said.code == 2 and "REG-070" in said.complaint
