"""What the documents say of settings, commands and fields is what the program has."""

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest

from xdsi import config
from xdsi.cli import COMMANDS, parser
from xdsi.model import community
from xdsi.server import log, record
from xdsi.server.exchange import Exchange

SECTIONS = {
    "server": config.Server,
    "registry": config.Registry,
    "registry.value_sets": config.ValueSets,
    "registry.discovery": config.Discovery,
    "repository": config.Repository,
    "imaging": config.Imaging,
    "imaging.share": config.Share,
    "gateway": config.Gateway,
    "gateway.initiating": community.Initiating,
    "gateway.partners": community.Partner,
    "limits": config.Limits,
}
DOCUMENTS = ("README.md", "docs/operators.md", "docs/testers.md")


@pytest.fixture(scope="session")
def operators(root: Path) -> str:
    return (root / "docs" / "operators.md").read_text(encoding="utf-8")


def as_toml(value: object) -> str:
    """A default as the reference writes it."""
    if value is dataclasses.MISSING:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (str, Path)):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`[{', '.join(json.dumps(each) for each in value)}]`"
    return f"`{value}`"


@pytest.mark.parametrize("section", SECTIONS)
def test_reference_has_every_key_with_its_default(operators: str, section: str) -> None:
    part = operators.partition(f"### [{section}]\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", part, re.MULTILINE)
    assert rows == [
        (each.name, as_toml(each.default))
        for each in dataclasses.fields(SECTIONS[section])
        if f"{section}.{each.name}" not in SECTIONS  # it has a table of its own
    ]


def test_reference_has_every_section(operators: str) -> None:
    hidden = {"folder", "file"}
    sections = {each.name for each in dataclasses.fields(config.Config)} - hidden
    told = set(re.findall(r"^### \[([\w.]+)\]$", operators, re.MULTILINE))
    assert told == set(SECTIONS)
    assert {each for each in told if "." not in each} == sections


def test_log_fields_are_told(operators: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.request_line(Exchange())
    fields = set(json.loads(capsys.readouterr().err))
    table = operators.partition("| Field | Meaning |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert told == fields - {"event"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_in_the_documents_can_be_parsed(root: Path, name: str) -> None:
    """Every `xdsi …` line of a code block names options that exist."""
    blocks = re.findall(r"```\n(.*?)```", (root / name).read_text(encoding="utf-8"), re.DOTALL)
    lines = [
        line.partition("#")[0].strip().removeprefix(".venv/bin/")
        for block in blocks
        for line in block.splitlines()
    ]
    commands = [line for line in lines if line.startswith("xdsi ")]
    assert commands
    for command in commands:
        words = [
            "A^^^&1.2&ISO" if word == "CX" or "&<" in word
            else "urn:uuid:11111111-1111-4111-8111-111111111111" if word.startswith("urn:uuid:")
            else word
            for word in shlex.split(command)[1:]
        ]  # fmt: skip
        assert parser().parse_args(words), command


def test_links_lead_somewhere(root: Path) -> None:
    for name in DOCUMENTS:
        text = (root / name).read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([\w./-]+)?(#[\w-]+)?\)", text):
            file = (root / name).parent / target if target else root / name
            assert file.is_file(), target
            if anchor:
                heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor[1:] in {head.lower().replace(" ", "-") for head in heads}


def test_readme_and_help_know_the_same_commands(root: Path) -> None:
    text = "".join((root / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    assert {name for name in COMMANDS if f"xdsi {name}" not in text} - {"demo"} == set()


def test_record_is_described_as_it_is(root: Path) -> None:
    text = (root / "docs" / "testers.md").read_text(encoding="utf-8")
    assert record.KEPT == 1 << 20 and "documents up to 1 MiB" in text
    assert config.Server().record_bytes == 256 << 20 and "256 MiB" in text
