"""init, serve, check, migrate and patient, as an operator types them."""

import json
import re
import shlex
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Run, program
from tests.node import Node, change, free_port, fresh_patient, init, serving, wait_for
from xdsi.config import addresses, load
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.plug import Call
from xdsi.standard.transactions import RETRIEVE_IMAGING


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return init(tmp_path / "a node")


def sql(config: Path, database: str, statement: str) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(config.parent / database)
    rows = connection.execute(statement).fetchall()
    connection.commit()
    connection.close()
    return rows


def test_new_node_serves_as_it_is(call: Run, tmp_path: Path) -> None:
    said = call("init", tmp_path / "a node")
    assert said.code == 0 and said.err == ""
    command = shlex.split(said.out.splitlines()[-1].partition(":")[2])
    assert command[:2] == ["xdsi", "serve"]
    config = Path(command[command.index("--config") + 1])
    assert config.parent.stat().st_mode & 0o077 == 0  # it will hold patient data
    said = call("check", "--config", config)
    assert said.code == 0 and said.out == "good: this configuration can serve\n"
    change(config, port=str(free_port()))
    with serving(config) as node:
        with urllib.request.urlopen(f"{node.base}/health/ready", timeout=10) as answer:
            assert answer.status == 200
        assert node.stop() == 0
    assert "Traceback" not in node.log_file.read_text()


def test_two_nodes_get_ids_of_their_own(call: Run, tmp_path: Path) -> None:
    found = set()
    for name in ("one", "two"):
        assert call("init", tmp_path / name).code == 0
        made = load(tmp_path / name / "xdsi.toml")
        assert made.registry is not None and made.repository is not None
        assert made.imaging is not None
        found |= {made.repository.unique_id, *made.registry.assigning_authorities}
        found.add(made.imaging.unique_id)
    assert len(found) == 6


def test_new_node_is_an_imaging_source(real_node: Node) -> None:
    section = real_node.settings.imaging
    assert section is not None
    wanted = DocumentRequest(section.unique_id, "1.2.3.4")
    asked = ImagingRequest((InstanceRequest("1.2", "1.2.3", wanted),), ("1.2.840.10008.1.2.1",))
    with open_session() as session:
        source = Caller(RETRIEVE_IMAGING, f"{real_node.base}/imaging", session)
        answer = source(asked, Call.internal())
    assert [each.code for each in answer.errors] == ["XDSDocumentUniqueIdError"]


def test_new_node_serves_images_in_plain_http(real_node: Node) -> None:
    address = f"{real_node.base}/dicom-web/studies/2.999.1/instances"
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.status == 204
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(address.removesuffix("/instances"), timeout=10)
    uids = "studyUID=2.999.1&seriesUID=2.999.2&objectUID=2.999.3"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{real_node.base}/wado?requestType=WADO&{uids}", timeout=10)


def test_node_may_be_an_imaging_source_alone(config: Path) -> None:
    text = config.read_text()
    kept = "[server]" + text.partition("[server]")[2].partition("[registry]")[0]
    config.write_text(kept + "[imaging]" + text.partition("[imaging]")[2])
    with serving(config) as node:
        with urllib.request.urlopen(f"{node.base}/imaging?wsdl", timeout=10) as answer:
            assert f'location="{node.base}/imaging"'.encode() in answer.read()
        served = addresses(node.settings, node.base)
        assert {*served} == {"imaging", "dicom-web", "wado", "health", "metrics"}
        assert served["dicom-web"] == f"{node.base}/dicom-web"


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "XDSI@127.0.0.1:104"), ("::1", "XDSI@[::1]:104")]
)
def test_where_images_are_taken_is_told(config: Path, host: str, address: str) -> None:
    change(config, archive=f'"embedded"\ndicom_host = "{host}"\ndicom_port = 104')
    assert addresses(load(config), "http://localhost")["c-store"] == address


def test_identity_of_the_imaging_source_is_an_oid(call: Run, config: Path) -> None:
    section = load(config).imaging
    assert section is not None
    config.write_text(config.read_text().replace(section.unique_id, "CT"))
    said = call("check", "--config", config)
    assert said.complaint == "xdsi: imaging.unique_id: expected an OID, got 'CT'"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("patient_authorities", '["HOSPITAL"]', "imaging.patient_authorities"),
        ("patient_issuer", '"HOSPITAL"', "imaging.patient_issuer"),
        ("without_classes", '["CT"]', "imaging.share.without_classes"),
    ],
)
def test_what_is_published_is_named_by_oids(
    call: Run, config: Path, key: str, value: str, told: str
) -> None:
    said = call("check", "--config", change(config, **{key: value}))
    assert said.complaint.startswith(f"xdsi: {told}: expected an OID, got ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_ends_cleanly(config: Path, number: signal.Signals) -> None:
    with serving(config) as node:
        node.process.send_signal(number)
        assert node.process.wait(20) == 0
        assert [line["event"] for line in node.log] == ["stopping"]


def test_node_keeps_what_it_has_over_a_restart(call: Run, config: Path, tmp_path: Path) -> None:
    note, patient = tmp_path / "note.txt", str(fresh_patient())
    note.write_text("An invented note.\n")
    node = ("--config", config, "--patient", patient)
    with serving(config) as first:
        assert call("submit", note, *node).code == 0
        assert first.stop() == 0
    with serving(config):
        said = call("fetch", *node, "--into", tmp_path / "into")
    assert said.code == 0 and "as registered" in said.out


@pytest.mark.parametrize("database", ["registry", "repository"])
def test_older_schema_is_refused_with_the_command_that_helps(
    call: Run, config: Path, database: str
) -> None:
    for name in ("", "-wal", "-shm"):
        (config.parent / f"{database}.db{name}").unlink(missing_ok=True)
    for command in ("serve", "check"):
        said = call(command, "--config", config)
        assert said.code == (2 if command == "serve" else 1)
        assert f"{database}: the database lacks" in said.complaint
    helping = shlex.split(said.complaint.partition("run: ")[2])
    assert helping[:2] == ["xdsi", "migrate"]

    said = call(*helping[1:], "--dry-run")
    assert said.code == 0 and said.out.startswith(f"would run {database} ")
    steps = said.out.replace("would run", "ran")
    assert call("check", "--config", config).code == 1, "a dry run changes nothing"
    said = call(*helping[1:])
    assert (said.code, said.out) == (0, steps)
    said = call(*helping[1:])
    assert said.code == 0 and said.out.startswith("nothing to do")
    assert call("check", "--config", config).code == 0


def test_newer_schema_is_refused_and_left_alone(call: Run, config: Path) -> None:
    sql(config, "registry.db", "UPDATE registry_version SET version_num = '9999'")
    for command in ("serve", "migrate", "check"):
        said = call(command, "--config", config)
        assert said.code == (1 if command == "check" else 2)
        assert "newer version" in said.complaint and "9999" in said.complaint
    assert sql(config, "registry.db", "SELECT version_num FROM registry_version") == [("9999",)]


BROKEN = [
    ("host", {"host": '"0.0.0.0"'}, "server.host: 0.0.0.0 can be reached by others"),
    ("port", {"port": "70000"}, "server.port: expected 0 to 65535"),
    ("public_url", {"public_url": '"example.org"'}, "server.public_url: expected an http"),
    ("certificate", {"certificate": '"lost.pem"', "key": '"lost.key"'}, "server.certificate:"),
    ("workers", {"host": '"127.0.0.1"\nworkers = 2'}, "server.workers: 2 processes cannot"),
    ("no workers", {"host": '"127.0.0.1"\nworkers = 0'}, "server.workers: expected 1 or more"),
    ("PEM", {"certificate": '"xdsi.toml"', "key": '"xdsi.toml"'}, "no PEM files"),
    ("authority", {"assigning_authorities": '["nobody"]'}, "registry.assigning_authorities"),
    ("unique_id", {"unique_id": '"x"'}, "repository.unique_id: expected an OID, got 'x'"),
    ("registry", {"registry": '"nowhere"'}, "repository.registry: expected 'local' or"),
    ("sources", {"sources": '["us"]'}, "repository.sources: expected OIDs, got 'us'"),
    ("store", {"store": '"xdsi.toml"'}, "repository.store: cannot write"),
    ("one store", {"store": '"images"'}, "imaging.store: is the folder of repository.store"),
    ("archive", {"archive": '"nowhere"'}, "imaging.archive: expected 'embedded' or the http"),
    ("limit", {"document": "0"}, "limits.document: expected more than 0"),
    ("database", {"database": '"sqlite:///lost/x.db"'}, "registry.database: "),
    ("codes", {"files": '["lost.xml"]'}, "lost.xml: No such file"),
    ("broken codes", {"files": '["xdsi.toml"]'}, "xdsi.toml: the file is not well-formed XML"),
    ("no codes", {"class_code": '"warn"'}, "registry.value_sets.class_code: 'warn', but no file"),
    ("feed", {"feed_host": '"0.0.0.0"', "feed_port": "2575"}, "registry.feed_host: 0.0.0.0 can be"),
    ("memory", {"database": '"sqlite://"'}, "registry.database: sqlite: needs a file"),
]


@pytest.mark.parametrize(("settings", "words"), [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN])
def test_check_explains_what_is_wrong(
    call: Run, config: Path, settings: dict[str, str], words: str
) -> None:
    change(config, **settings)
    said = call("check", "--config", config)
    assert said.code == 1 and said.out == ""
    assert words in said.err and "Traceback" not in said.err
    told = call("check", "--config", config, "--json")
    assert told.code == 1
    assert [f"xdsi: {each}" for each in json.loads(told.out)] == said.err.splitlines()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"feed_port": "0"}, "registry.feed_port: expected 1 to 65535, got 0"),
        ({"feed_port": "2575", "assigning_authorities": "[]"}, "needs registry.assigning_auth"),
        ({"feed_senders": '["APPLICATION"]'}, "expected application|facility, got 'APPLICATION'"),
        ({"authority_namespaces": '["X"]'}, "expected NAME=OID with an OID of registry.assigning"),
        ({"authority_namespaces": '["X=1.2.3"]'}, "got 'X=1.2.3'"),
    ],
    ids=["port", "any domain", "sender", "namespace", "namespace of another domain"],
)
def test_feed_that_cannot_be_is_refused(
    call: Run, config: Path, settings: dict[str, str], words: str
) -> None:
    change(config, **settings)
    for command in ("check", "serve"):
        said = call(command, "--config", config)
        assert said.code == 2 and words in said.complaint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('match = "exact"', "home_community_id: expected an OID without urn:oid:, got ''"),
        (
            'match = "exact"\nhome_community_id = "urn:oid:1.2"',
            "home_community_id: expected an OID",
        ),
        ('match = "fuzzy"', 'match: expected "off" or "exact" or "close", got \'fuzzy\''),
        ('required = ["shoes"]', 'required: expected "sex" or "address", got \'shoes\''),
        ("minimum = 101", "minimum: expected 0 to 100, got 101"),
        ("candidates = 0", "candidates: expected 1 to 100, got 0"),
    ],
    ids=["no community", "a URN", "match", "attribute", "minimum", "candidates"],
)
def test_discovery_that_cannot_be_is_refused(
    call: Run, config: Path, settings: str, words: str
) -> None:
    text = config.read_text().replace(
        "[registry.discovery]\n", f"[registry.discovery]\n{settings}\n"
    )
    config.write_text(text)
    said = call("check", "--config", config)
    assert said.code == 2 and f"registry.discovery.{words}" in said.complaint


def test_check_tells_everything_at_once(call: Run, config: Path) -> None:
    change(config, host='"0.0.0.0"', unique_id='"x"', document="-1")
    assert len(call("check", "--config", config).err.splitlines()) == 3


@pytest.mark.parametrize(
    "setting",
    [
        {"host": '"127.0.0.1"\nworkers = 2'},
        {"host": '"0.0.0.0"'},
        {"certificate": '"xdsi.toml"', "key": '"xdsi.toml"'},
        {"files": '["lost.xml"]'},
    ],
    ids=["workers on SQLite", "open to all", "no certificate", "no codes"],
)
def test_serve_refuses_what_check_finds(call: Run, config: Path, setting: dict[str, str]) -> None:
    change(config, **setting)
    said = call("serve", "--config", config)
    assert said.code == 2 and said.complaint.startswith(("xdsi: server.", "xdsi: registry."))


def test_store_of_another_node_is_refused(call: Run, config: Path, tmp_path: Path) -> None:
    with serving(config) as node:
        node.stop()
    other = init(tmp_path / "other")
    with serving(other) as node:
        node.stop()
    change(config, store=json.dumps(str(tmp_path / "other" / "documents")))
    said = program("serve", "--config", config)
    assert said.code == 2 and "do not belong together" in said.complaint


def test_check_finds_a_store_that_others_may_read(call: Run, config: Path) -> None:
    store = config.parent / "documents"
    store.mkdir(mode=0o755)
    store.chmod(0o755)
    said = call("check", "--config", config)
    assert said.code == 1
    command = shlex.split(said.complaint.partition("run: ")[2])
    subprocess.run(command, check=True)
    assert call("check", "--config", config).code == 0


@pytest.mark.proves("SEC-T-173")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
@pytest.mark.parametrize("name", ["server.key", "repository.registry_key"])
def test_private_key_that_others_may_read_is_refused(
    call: Run, config: Path, name: str, mode: int
) -> None:
    key = config.parent / "node.key"
    key.write_text("no real key")
    key.chmod(mode)
    section, _, setting = name.partition(".")
    first = f"[{section}]"
    pair = f'{setting} = "node.key"\n{setting.replace("key", "certificate")} = "node.key"'
    config.write_text(config.read_text().replace(first, f"{first}\n{pair}", 1))
    said = call("serve", "--config", config)
    assert said.code == 2
    assert said.complaint == f"xdsi: {name}: {key}: others may read it; chmod 600 '{key}'"
    assert said.complaint in call("check", "--config", config).err.splitlines()
    key.chmod(0o600)
    assert "others may read" not in call("check", "--config", config).err


def test_record_folder_that_others_may_read_is_refused(
    call: Run, config: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    said = call("serve", "--config", config, "--record", folder)
    assert said.code == 2
    assert f"xdsi: server.record: {folder}: is open to other users" in said.err
    change(config, host=f'"127.0.0.1"\nrecord = "{folder}"')
    said = call("check", "--config", config)
    assert said.code == 1 and "chmod 700" in said.complaint
    assert folder.stat().st_mode & 0o777 == 0o755


def test_patients_are_added_once_and_listed(call: Run, config: Path) -> None:
    at = ("--config", config)
    said = call("patient", *at, "list")
    assert (said.code, said.out) == (0, "") and "xdsi patient add" in said.err
    patient = str(fresh_patient())
    assert call("patient", "add", patient, *at).out == f"{patient}: added\n"
    assert call("patient", "add", patient, *at).out == f"{patient}: known already\n"
    assert call("patient", "list", *at).out == f"{patient}  active\n"
    said = call("patient", "list", "--json", *at)
    assert json.loads(said.out) == [{"id": patient, "state": "active"}]
    for wrong, why in (
        ("P^^^&1.2.3&ISO", "1.2.3"),
        (patient.replace("^", "9" * 256 + "^", 1), "256"),
    ):
        said = call("patient", "add", wrong, *at)
        assert said.code == 1 and why in said.complaint and "[REG-080]" in said.complaint


def test_patients_are_merged_once_and_for_all(call: Run, config: Path, tmp_path: Path) -> None:
    old, new, at = str(fresh_patient()), str(fresh_patient()), ("--config", config)
    note = tmp_path / "note.txt"
    note.write_text("An invented note.\n")
    with serving(config):
        for patient in (old, new):
            assert call("submit", note, *at, "--patient", patient).code == 0
        said = call("patient", "merge", old, new, *at)
        assert (said.code, said.out) == (0, f"{old}: merged into {new}\n")
        assert len(json.loads(call("find", *at, "--patient", new, "--json").out)) == 2
        assert json.loads(call("find", *at, "--patient", old, "--json").out) == []
        said = call("submit", note, *at, "--patient", old)
        assert said.code == 1 and "[REG-081]" in said.complaint
    assert call("patient", "list", *at).out == f"{old}  merged into {new}\n{new}  active\n"
    assert json.loads(call("patient", "list", *at, "--json").out) == [
        {"id": old, "state": "merged", "survivor": new},
        {"id": new, "state": "active"},
    ]
    for wrong in ((old, new), (new, old), (new, new), (new, str(fresh_patient()))):
        said = call("patient", "merge", *wrong, *at)
        assert said.code == 1 and "[PIF-032]" in said.complaint
    said = call("patient", "add", old, *at)
    assert said.code == 1 and "[PIF-026]" in said.complaint
    said = call("patient", "merge", new, "P^^^&1.2.3&ISO", *at)
    assert said.code == 1 and "[REG-080]" in said.complaint


def test_registry_that_refuses_strangers_takes_added_patients(
    call: Run, config: Path, tmp_path: Path
) -> None:
    change(config, unknown_patients='"refuse"')
    note, patient = tmp_path / "note.txt", str(fresh_patient())
    note.write_text("An invented note.\n")
    with serving(config):
        submit = ("submit", note, "--config", config, "--patient", patient)
        said = call(*submit)
        assert said.code == 1 and said.err.startswith("XDSUnknownPatientId ")
        assert call("patient", "add", patient, "--config", config).code == 0
        assert call(*submit).code == 0


@pytest.mark.proves("SEC-T-059")
def test_each_request_is_one_structured_line_without_demographics(
    call: Run, real_node: Node, tmp_path: Path
) -> None:
    note, patient = tmp_path / "note.txt", fresh_patient()
    note.write_text("Somebody Secret\n")
    node = ("--config", real_node.config, "--patient", patient)
    start = len(real_node.log_file.read_text())
    assert call("submit", note, *node, "--title", "Secret", "--author", "^Secret^Mr").code == 0
    assert call("find", *node).code == 0
    assert call("fetch", *node, "--into", tmp_path / "x").code == 0
    assert call("submit", note, "--config", real_node.config, "--patient", "Q^^^&1.2&ISO").code == 1
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{real_node.base}/registry%0a%1b[31m", timeout=10)
    text = ""

    def is_written() -> bool:
        nonlocal text
        text = real_node.log_file.read_text()[start:]
        return text.count("\n") >= 6

    assert wait_for(is_written)
    assert patient.id not in text and "Secret" not in text and "Q^^^" not in text
    assert "\x1b" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    fields = {
        "time", "event", "ticket", "transaction", "peer", "partner", "method", "path", "http",
        "status", "codes", "ids", "bytes_in", "bytes_out", "ms",
    }  # fmt: skip
    assert [set(line) for line in lines] == [fields] * 6
    *good, failed, lost = lines
    assert [line["transaction"] for line in good] == ["ITI-41", "ITI-18", "ITI-18", "ITI-43"]
    assert {line["status"] for line in good} == {"Success"}
    assert (lost["http"], lost["status"], lost["transaction"]) == (404, "refused", None)
    assert (failed["status"], failed["codes"]) == ("Failure", ["XDSUnknownPatientId"])
    for line in lines:
        assert re.fullmatch("[0-9a-f]{32}", line["ticket"])
        assert line["peer"] == "127.0.0.1" and line["event"] == "request"
        assert line["bytes_out"] > 0 and line["ms"] > 0
    assert len({line["ticket"] for line in lines}) == 6
