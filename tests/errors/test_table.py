"""Every rule of a submission, an update and a removal by its error: each row alone, and in pairs.

In the process, through the codecs and the actors' handlers; a handful over HTTP stands in
test_over_http.py.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from tests.errors import (
    attribute_rows,
    content_rows,
    lifecycle,
    lifecycle_rows,
    message,
    reasons,
    structure_rows,
    world,
)
from tests.errors.table import ACCEPTED, Error, Row
from tests.errors.world import Said, World
from tests.plugins.requirements import DEFINITION, ID
from xdsi.standard import rules, urns
from xdsi.standard.transactions import TRANSACTIONS

ROWS = (
    *structure_rows.ROWS,
    *attribute_rows.ROWS,
    *content_rows.ROWS,
    *lifecycle_rows.ROWS,
)
REASONS = {**reasons.REASONS, **lifecycle_rows.REASONS}
IDS = Path(__file__).with_name("ids.txt")
# where the catalogue lists the ids: file, number of the section; and all of lifecycle.md
SECTIONS = (
    ("register", 3),
    *(("metadata-validation-checklist", number) for number in range(1, 9)),
)
# transactions and their good messages
GOOD = {
    "ITI-42": message.good,
    "ITI-41": message.good,
    "ITI-57": lifecycle.updating,
    "ITI-92": lifecycle.restricted,
    "ITI-62": lifecycle.removing,
    "ITI-61": lifecycle.offering,
}
# rules for whose breach the standard has no code (LC-121)
GENERAL = frozenset({"LC-120", "LC-121"})
# what they bring is new every time, and leaves everything else as it was
SUBMITTING = ("ITI-42", "ITI-41")
PAIRS = {"ITI-42": 150, "ITI-41": 150}  # of the others
MOST_PAIRS = 80
SEED = 42


@pytest.fixture(scope="module")
def node() -> Iterator[World]:
    with world.opened() as one:
        yield one


def fresh(node: World, name: str) -> AbstractContextManager[World]:
    """A world that an accepted message of the transaction may use up."""
    return nullcontext(node) if name in SUBMITTING else world.opened()


def listed() -> list[str]:
    """The ids of ids.txt."""
    lines = IDS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def catalogued(folder: Path, name: str, number: int) -> Iterator[str]:
    """The ids of a section of the catalogue."""
    text = (folder / f"{name}.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {number}\. .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, (name, number)
    table = ""
    for cell, next_ in re.findall(r"^\| (.*?) \| (.*?) \|", section[0], re.MULTILINE):
        if ID.fullmatch(cell):
            yield cell
        # the other table of register.md says what the rules are about
        elif name == "register":
            continue
        elif cell == "#":
            title = re.match(r"ITI-\d+", next_)
            table = f" {title[0]}" if title else ""
        elif cell not in ("Object", "Attribute", "Case"):
            yield f"{number}{table}.{cell}" if cell.isdigit() else f"{number} {cell}"


def of_transaction(name: str) -> Iterator[tuple[str, Row]]:
    for number, each in enumerate(ROWS):
        if each.of(name) is not None:
            yield f"{number} {each.ids[0]} {each.name}", each


def proven(row: Row, name: str) -> set[str]:
    """Requirements of the catalogue that a row shows: its ids, and the rule that spoke."""
    found = row.of(name)
    ids = {*row.ids, found.rule if isinstance(found, Error) else ""}
    return {each for each in ids if ID.fullmatch(each)}


SINGLES = [
    pytest.param(
        name,
        each,
        id=f"{name} {title}",
        marks=pytest.mark.proves(*sorted(proven(each, name))),
    )
    for name in GOOD
    for title, each in of_transaction(name)
]


def pairs(name: str) -> list[tuple[str, Row, Row]]:
    """Rows that do not touch the same thing, and of which neither hides the other."""
    rows = [
        (title, each)
        for title, each in of_transaction(name)
        if not each.alone and isinstance(each.of(name), Error)
    ]
    found = [
        (f"{one} + {other}", first, second)
        for (one, first), (other, second) in combinations(rows, 2)
        if not first.edit.clashes(second.edit) and first.step(name) == second.step(name)
    ]
    return Random(SEED).sample(found, min(len(found), PAIRS.get(name, MOST_PAIRS)))


DOUBLES = [
    pytest.param(name, first, second, id=f"{name} {title}")
    for name in GOOD
    for title, first, second in pairs(name)
]


def expect(found: list[Said], wanted: Error) -> None:
    """One of the errors is the one wanted, in all that a caller reads."""
    fitting = [
        each
        for each in found
        if (each.code, each.rule, each.location) == (wanted.code, wanted.rule, wanted.location)
        and all(part in each.context for part in wanted.parts)
    ]
    assert fitting, (wanted, found)
    assert all(each.severity == wanted.severity for each in fitting)


def decent(found: list[Said]) -> None:
    """What no error may be (REG-144 to REG-146)."""
    for each in found:
        assert each.code not in ("XDSRegistryError", "XDSRepositoryError") or each.rule in GENERAL
        assert each.context.isprintable()
        assert "Traceback" not in each.context and "site-packages" not in each.context
        assert 'File "' not in each.context
        for content in message.CONTENTS.values():
            assert content.decode().strip() not in each.context
        assert each.rule in rules.RULES or each.context == each.context.split()[0]


@pytest.mark.proves(
    *("REG-034", "REG-130", "REG-140", "REG-141", "REG-142", "REG-143", "REG-144", "REG-146"),
    *("LC-005", "LC-006", "SEC-T-105"),
)
@pytest.mark.parametrize(("name", "row"), SINGLES)
def test_row(node: World, name: str, row: Row) -> None:
    sent, wanted = GOOD[name](), row.of(name)
    row.edit.change(sent)
    with fresh(node, name) if wanted == ACCEPTED else nullcontext(node) as one:
        status, found = one.send(sent, TRANSACTIONS[name])
        has_changed = one.has_changed(
            with_files=name == "ITI-41"
        )  # before any assert, for the next row's sake
    decent(found)
    if isinstance(wanted, Error):
        expect(found, wanted)
        assert {each.rule for each in found} == wanted.rules
    else:
        assert found == []
    is_refused = isinstance(wanted, Error) and wanted.severity == urns.SEVERITY_ERROR
    assert status == ("Failure" if is_refused else "Success")
    assert has_changed is not is_refused


@pytest.mark.proves("SEC-T-105", "REG-130", "REG-141")
@pytest.mark.parametrize(("name", "first", "second"), DOUBLES)
def test_pair(node: World, name: str, first: Row, second: Row) -> None:
    sent = GOOD[name]()
    first.edit.change(sent)
    second.edit.change(sent)
    status, found = node.send(sent, TRANSACTIONS[name])
    has_changed = node.has_changed(
        with_files=name == "ITI-41"
    )  # before any assert, for the next row's sake
    decent(found)
    wanted = [each for row in (first, second) if isinstance(each := row.of(name), Error)]
    for each in wanted:
        expect(found, each)
    # what one brings along the other may take away
    assert {each.rule for each in found} <= wanted[0].rules | wanted[1].rules
    assert status == "Failure"
    assert not has_changed


@pytest.mark.proves("LC-005")
@pytest.mark.parametrize("name", GOOD)
def test_good_message_is_good(node: World, name: str) -> None:
    """Otherwise the rows would prove little."""
    with fresh(node, name) as one:
        assert one.send(GOOD[name](), TRANSACTIONS[name]) == ("Success", [])
        assert one.has_changed()


@pytest.mark.proves("REG-132")
@pytest.mark.parametrize("name", SUBMITTING)
def test_ids_of_a_refused_message_are_free(node: World, name: str) -> None:
    """Checklist 5.11, and for every tenth row."""
    for _, row in [*of_transaction(name)][::10]:
        if row.of(name) == ACCEPTED or row.alone:
            continue
        sent = message.good()
        text, documents = message.copied(sent)
        row.edit.change(sent)
        assert node.send(sent, TRANSACTIONS[name])[0] == "Failure"
        assert not node.has_changed()
        assert node.send(message.Message(text, documents), TRANSACTIONS[name]) == ("Success", [])
        assert node.has_changed()


def test_every_id_has_a_row_or_a_reason() -> None:
    with_row = {id_ for each in ROWS for id_ in each.ids}
    assert set(listed()) - with_row - set(REASONS) == set()
    assert with_row - set(listed()) == set()
    assert set(REASONS) - set(listed()) == set()
    assert set(REASONS) & with_row == set()  # a reason that is none any more


def test_ids_are_those_of_the_catalogue(shared: Path) -> None:
    folder = shared / "spec"
    assert listed() == [
        *(id_ for name, number in SECTIONS for id_ in catalogued(folder, name, number)),
        *DEFINITION.findall((folder / "lifecycle.md").read_text(encoding="utf-8")),
    ]


def test_reasons_name_tests_that_exist(root: Path) -> None:
    for id_, reason in REASONS.items():
        assert reason.text, id_
        for test in reason.tests:
            file, _, function = test.partition("::")
            text = (root / "tests" / file).read_text(encoding="utf-8")
            assert f"def {function}(" in text, (id_, test)


def test_both_updates_have_the_rows_of_the_checklist() -> None:
    for number in range(1, 13):
        id_ = f"7.{number}"
        found = {name for name in GOOD for _, each in of_transaction(name) if id_ in each.ids}
        # there the other update changes all that this one must leave alone
        assert found == ({"ITI-92"} if number == 7 else {"ITI-57", "ITI-92"}), id_


def test_names_of_rows_are_their_own() -> None:
    for name in GOOD:
        names = [each.name for _, each in of_transaction(name)]
        assert len(names) == len(set(names)), name
