"""Parsers of the program open, fetch and expand nothing."""

import ast
import configparser
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.architecture.house import modules, tree

# What a parser of libxml2 must be told (SEC-T-071).
SAFE = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
}
# They take no parser with settings of ours, or read files by name.
NEVER = {"iterparse", "XMLPullParser", "HTMLParser", "parse", "XMLID", "XML", "XInclude"}
# Reads again what lxml has just written from our own tree.
OWN = {("xdsi.wire.cdamaker", "fromstring")}


def calls(file: Path) -> list[tuple[str, ast.Call]]:
    """Calls of functions of lxml.etree, by name."""
    return [
        (node.func.attr, node)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "etree"
    ]


@pytest.mark.proves("SEC-T-071")
def test_every_parser_is_told_to_stay_inside() -> None:
    found = []
    for name, file in modules().items():
        module = name.removesuffix(".py").replace("/", ".")
        for function, call in calls(file):
            assert function not in NEVER, f"{name}:{call.lineno}"
            if function == "XMLParser":
                given = {
                    each.arg: each.value.value
                    for each in call.keywords
                    if each.arg and isinstance(each.value, ast.Constant)
                }
                assert {key: given.get(key) for key in SAFE} == SAFE, f"{name}:{call.lineno}"
                found.append(module)
            elif function == "fromstring" and (module, function) not in OWN:
                assert len(call.args) == 2, f"{name}:{call.lineno}: no parser given"
                found.append(module)
    assert found  # else this test looks in the wrong place


@pytest.mark.proves("SEC-T-071")
def test_lxml_is_new_enough_to_obey(root: Path) -> None:
    """Older ones read local files through the defaults of iterparse."""
    settings = configparser.ConfigParser()
    settings.read(root / "setup.cfg")
    (demanded,) = re.findall(
        r"^lxml >= ([\d.]+)", settings["options"]["install_requires"], re.MULTILINE
    )
    for text in (demanded, version("lxml")):
        assert [int(each) for each in text.split(".")[:3]] >= [6, 1, 0]
