"""`xdsi partner`: other communities, and what patients are called there."""

import json
from pathlib import Path
from time import time

import pytest

from tests.cli.conftest import Run
from tests.node import Node, free_port, init, serving
from tests.peers.stub import Stub, http
from xdsi import databases
from xdsi.actors.gateway.known import Known, KnownAs
from xdsi.actors.gateway.schema import DISCOVERY, TABLE
from xdsi.config import load
from xdsi.model.values import CX, HomeCommunityId

NORTH, SOUTH = "2.999.51", "2.999.52"
HERE = "A-1^^^&2.999.7&ISO"
THERE = "N-1^^^&2.999.57&ISO"
GOOD = f"{HERE},North,{THERE}\n"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A community that answers queries and retrieves."""
    config = init(tmp_path_factory.mktemp("there") / "node")
    with config.open("a") as file:
        file.write(f'[gateway]\nhome_community_id = "{NORTH}"\n')
    with serving(config) as node:
        yield node


@pytest.fixture
def config(there: Node, tmp_path: Path) -> Path:
    made = init(tmp_path / "here")
    with made.open("a") as file:
        file.write(
            f"""[gateway]
home_community_id = "2.999.50"
[gateway.initiating]
[[gateway.partners]]
name = "North"
home_community_id = "{NORTH}"
communities = ["2.999.53"]
query = "{there.base}/gateway/responding"
web = "{there.base}/gateway/responding/wado"
discovery = "none"
[[gateway.partners]]
home_community_id = "{SOUTH}"
query = "http://127.0.0.1:{free_port()}/gateway"
seconds = 5
"""
        )
    return made


@pytest.fixture
def ready(call: Run, config: Path) -> Path:
    assert call("migrate", "--config", config).code == 0
    return config


def test_partners_are_listed(call: Run, config: Path) -> None:
    said = call("partner", "list", "--config", config)
    assert said.code == 0
    north, south = said.out.splitlines()
    assert north.startswith(f"North  urn:oid:{NORTH}  http") and "ITI-55" not in north
    assert "ITI-38, ITI-39, RAD-75, ITI-55" in south
    rows = json.loads(call("partner", "list", "--json", "--config", config).out)
    assert [each["home"] for each in rows] == [f"urn:oid:{NORTH}", f"urn:oid:{SOUTH}"]
    assert rows[0]["discovery"] is None and rows[0]["imaging"] == rows[0]["query"]


@pytest.mark.proves("XC-056")
def test_each_service_is_asked_a_harmless_question(call: Run, config: Path) -> None:
    said = call("partner", "test", "--config", config, "--json")
    assert said.code == 1
    rows = json.loads(said.out)
    assert [(each["partner"], each["service"], each["good"]) for each in rows] == [
        ("North", "ITI-38", True),
        ("North", "ITI-39", True),
        ("North", "RAD-75", True),
        ("North", "WADO-RS", True),
        *((f"urn:oid:{SOUTH}", each, False) for each in ("ITI-38", "ITI-39", "RAD-75", "ITI-55")),
    ]
    assert [each["said"] for each in rows[:4]] == [
        "Success",
        "Failure (XDSUnknownRepositoryId)",
        "Failure (XDSUnknownRepositoryId)",
        "HTTP 404",
    ]
    assert all(each["milliseconds"] > 0 for each in rows[:4])
    assert "refused" in rows[4]["said"]
    alone = call("partner", "test", "North", "--config", config)
    assert alone.code == 0 and alone.out.count("good  North") == 4
    assert call("partner", "test", NORTH, "--config", config).code == 0
    unknown = call("partner", "test", "West", "--config", config)
    assert unknown.code == 2 and "West: no partner of this gateway; known are North" in unknown.err


def test_a_service_that_is_not_available_is_not_good(call: Run, config: Path) -> None:
    away = http(b"", "text/plain", "503 Service Unavailable")
    with Stub(lambda line: line.receive() and line.send(away)) as stub:
        text = config.read_text()
        start = text.index("web = ")
        line = text[start : text.index("\n", start)]
        config.write_text(text.replace(line, f'web = "{stub.address}"'))
        said = call("partner", "test", "North", "--config", config, "--json")
    rows = {each["service"]: (each["good"], each["said"]) for each in json.loads(said.out)}
    assert said.code == 1 and rows["WADO-RS"] == (False, "HTTP 503")
    assert rows["ITI-38"][0]


@pytest.mark.proves("XC-030")
def test_an_identifier_is_added_listed_and_removed(call: Run, ready: Path) -> None:
    at = ("--config", ready)
    assert call("partner", "patient", "list", *at).out == ""
    assert call("partner", "patient", "add", HERE, "North", THERE, *at).code == 0
    assert call("partner", "patient", "add", HERE, "2.999.53", THERE, *at).code == 0
    (one, two) = json.loads(call("partner", "patient", "list", "--json", *at).out)
    assert (one["patient"], one["community"], one["identifier"], one["source"]) == (
        HERE, f"urn:oid:{NORTH}", THERE, "table"
    )  # fmt: skip
    assert two["community"] == "urn:oid:2.999.53"
    assert HERE in call("partner", "patient", "list", *at).out
    assert call("partner", "patient", "remove", HERE, "North", *at).code == 0
    again = call("partner", "patient", "remove", HERE, "North", *at)
    assert again.code == 1 and "has no identifier for North" in again.err


def test_what_was_discovered_and_has_expired_is_marked(call: Run, ready: Path) -> None:
    settings, now = load(ready), int(time())
    assert settings.gateway is not None
    with databases.opened(settings, "gateway", settings.gateway) as engine:
        Known(engine).put(
            KnownAs(CX(HERE), HomeCommunityId(f"urn:oid:{home}"), CX(THERE), source, expires)
            for home, source, expires in (
                (NORTH, DISCOVERY, now - 1),
                (SOUTH, DISCOVERY, now + 600),
                ("2.999.53", TABLE, None),
            )
        )
    said = call("partner", "patient", "list", "--config", ready).out.splitlines()
    marks = [each.split("  ")[3:] for each in said]
    assert marks == [["discovery", "expired"], ["discovery"], ["table"]]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a mark"])
def test_many_are_imported(call: Run, ready: Path, tmp_path: Path, mark: str) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(
        f"{mark}patient,community,identifier\n\n{HERE},North,{THERE}\n"
        f'"{HERE.replace("A-1", "A-2")}", urn:oid:{SOUTH} ,{THERE}\n',
        encoding="utf-8",
    )
    said = call("partner", "patient", "import", file, "--config", ready)
    assert (said.code, said.out.strip()) == (0, "2 identifiers imported")
    rows = json.loads(call("partner", "patient", "list", "--json", "--config", ready).out)
    assert [each["community"] for each in rows] == [f"urn:oid:{NORTH}", f"urn:oid:{SOUTH}"]


def test_of_a_file_with_a_bad_line_nothing_is_imported(
    call: Run, ready: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(f"{HERE},North,{THERE}\n{HERE},West,{THERE}\n{HERE},North\nP,North,{THERE}\n")
    said = call("partner", "patient", "import", file, "--config", ready)
    assert said.code == 1
    complaints = said.err.splitlines()
    assert "ids.csv:2: West: no partner" in complaints[0]
    assert "ids.csv:3: expected 3 columns, got 2" in complaints[1]
    assert "ids.csv:4: " in complaints[2]
    assert "3 bad lines; nothing was imported" in complaints[3]
    assert call("partner", "patient", "list", "--config", ready).out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HERE},North,{THERE}\n{HERE},North,N-2{THERE[3:]}\n".encode(), ":2: A-1"),
        (f"{THERE},North,{HERE}\n".encode(), ":1: N-1^^^&2.999.57&ISO is of no domain"),
        (f"{HERE},North,{HERE}\n".encode(), "is it exchanged"),
        (f"{GOOD}\n{HERE},Nördlich,{THERE}\n".encode("latin-1"), ":3: is no UTF-8; save it as"),
        (f"{GOOD}{HERE},North,{THERE}\n".encode("utf-16"), ":1: is no UTF-8; save it as UTF-8"),
        (f"{GOOD}{HERE},North,{THERE}\n".encode("utf-16-be"), ":1: is no UTF-8; save it as UTF-8"),
        (f"{GOOD}\n{HERE},North,{'x' * 200_000}\n".encode(), ":3: is no CSV"),
        (f"{HERE},,{THERE}\n".encode(), ":1: no name: no partner of this gateway"),
    ],
    ids=[
        *("two for one", "foreign patient", "exchanged", "Latin-1", "UTF-16", "without mark"),
        *("too long", "no community"),
    ],
)
def test_what_a_list_must_not_say_is_told_with_its_line(
    call: Run, ready: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "ids.csv"
    file.write_bytes(content)
    done = call("partner", "patient", "import", file, "--config", ready)
    assert done.code == 1
    assert said in done.err and "1 bad lines; nothing was imported" in done.err
    assert call("partner", "patient", "list", "--config", ready).out == ""


def test_a_name_means_one_partner(call: Run, config: Path) -> None:
    for name in (NORTH, f"urn:oid:{NORTH}", "urn:oid:2.999.53"):
        assert call("partner", "test", name, "--config", config).code == 0
    config.write_text(config.read_text().replace("seconds = 5", 'seconds = 5\nname = "North"'))
    assert "'North' is there already" in call("check", "--config", config).err
    said = call("partner", "test", "North", "--config", config)
    assert said.code == 2 and "several partners are called so" in said.err


def test_where_there_are_none_it_is_said_how_to_add_one(call: Run, tmp_path: Path) -> None:
    made = init(tmp_path / "alone")
    with made.open("a") as file:
        file.write('[gateway]\nhome_community_id = "2.999.50"\n[gateway.initiating]\n')
    assert "add [[gateway.partners]] to" in call("partner", "list", "--config", made).err


def test_what_is_missing_is_said(call: Run, tmp_path: Path) -> None:
    plain = init(tmp_path / "plain")
    for action in (("list",), ("test",)):
        said = call("partner", *action, "--config", plain)
        assert said.code == 2 and "has no [gateway] section" in said.err
    said = call("partner", "patient", "list", "--config", plain)
    assert said.code == 2 and "has no [gateway.initiating] section" in said.err
    with plain.open("a") as file:
        file.write('[gateway]\nhome_community_id = "2.999.50"\n[gateway.initiating]\n')
    said = call("partner", "patient", "list", "--config", plain)
    assert said.code == 2 and "xdsi migrate" in said.err
    assert "no partners yet" in call("partner", "list", "--config", plain).err
    assert load(plain).gateway is not None
