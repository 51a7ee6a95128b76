"""What the import contract cannot see: names, sizes, literals and the package list."""

import ast
import re

import pytest

from tests.architecture.house import PACKAGE_FOLDERS, ROOT, listed, modules, tree

MODULES = modules()
LONGEST = 450
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}
# What only xdsi.standard may spell out: a URN of these kinds or its prefix, and any UUID. A text
# for people may speak of "urn:uuid: ids".
LITERAL = re.compile(
    r"urn:(?:uuid|oasis|ihe):(?:\S|$)|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
    re.IGNORECASE,
)

# What skips a module as a whole: a worker of a run in several processes does not tell of it, so the
# gap would be in no list (tests/plugins/gaps.py).
WHOLE_MODULE = {"importorskip", "allow_module_level"}
TESTS = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "tests").rglob("*.py"))}


def docstrings(module: ast.Module) -> set[ast.AST]:
    """Strings that stand alone: they document, nothing is computed from them."""
    return {node.value for node in ast.walk(module) if isinstance(node, ast.Expr)}


def literals(module: ast.Module) -> list[tuple[int, str]]:
    """(line, text) of every string or bytes constant that only the standard's tables may hold."""
    texts = docstrings(module)
    return [
        (node.lineno, str(node.value))
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and node not in texts
        and LITERAL.search(str(node.value))
    ]


@pytest.mark.parametrize("path", [path for path in MODULES if "xdsi/standard/" not in path])
def test_urns_and_uuids_stand_in_standard_only(path: str) -> None:
    assert literals(tree(MODULES[path])) == []


@pytest.mark.parametrize(
    "source",
    [
        'x = "urn:ihe:iti:2007:RetrieveDocumentSet"',
        'x = f"urn:uuid:{value}"',
        'x = b"urn:oasis:names:tc"',
        'x = ("7edca82f-054d-47f2-a032-9b2a5b5186c1",)',
    ],
)
def test_a_literal_is_seen(source: str) -> None:
    assert literals(ast.parse(source))


@pytest.mark.parametrize("path", MODULES)
def test_module_is_short_enough_to_read(path: str) -> None:
    lines = MODULES[path].read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST


@pytest.mark.parametrize("path", MODULES)
def test_module_name_says_what_is_inside(path: str) -> None:
    assert VAGUE.isdisjoint(MODULES[path].relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", [path for path in MODULES if "__init__" not in path])
def test_module_says_what_it_is_for(path: str) -> None:
    assert ast.get_docstring(tree(MODULES[path]))


def names(module: ast.Module) -> set[str]:
    """Every name that the code reads, imports or gives an argument by."""
    fields = {ast.Name: "id", ast.Attribute: "attr", ast.alias: "name", ast.keyword: "arg"}
    return {getattr(node, fields[type(node)]) for node in ast.walk(module) if type(node) in fields}


@pytest.mark.parametrize("path", TESTS)
def test_no_module_of_tests_is_skipped_as_a_whole(path: str) -> None:
    assert names(tree(TESTS[path])).isdisjoint(WHOLE_MODULE)


@pytest.mark.parametrize(
    "source",
    [
        'pytest.importorskip("moon")',
        "from pytest import importorskip as need",
        'pytest.skip("no moon", allow_module_level=True)',
    ],
)
def test_a_skip_of_a_module_is_seen(source: str) -> None:
    assert not names(ast.parse(source)).isdisjoint(WHOLE_MODULE)


def test_packages_of_setup_cfg_are_the_folders() -> None:
    installed = {
        ".".join([package, *file.relative_to(ROOT / folder).parent.parts])
        for folder, package in PACKAGE_FOLDERS.items()
        for file in (ROOT / folder).rglob("*.py")
    }
    assert listed("options", "packages") == sorted(installed)
