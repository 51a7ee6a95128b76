"""`serve --record` and `replay`: what a tester sent, and the same again."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.node import Node, change, fresh_patient, init, serving, wait_for
from tests.server import dialect
from xdsi.server.record import Recorded, load, message


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("recording") / "a node"
    with serving(init(folder), "--record", str(folder / "the record")) as running:
        yield running


@pytest.fixture
def patient() -> str:
    return str(fresh_patient())


def record(node: Node) -> list[Path]:
    return sorted((node.config.parent / "the record").glob("*.txt"))


def newest(node: Node, after: int) -> tuple[Path, Recorded]:
    """The exchange behind the first `after` ones."""
    assert wait_for(lambda: len(record(node)) > after)
    path = record(node)[after]
    return path, load(path)


def submit(call: Run, node: Node, patient: str, text: str, tmp_path: Path) -> int:
    note = tmp_path / "note.txt"
    note.write_text(text)
    return call("submit", note, "--config", node.config, "--patient", patient).code


def test_record_keeps_heads_envelopes_parts_and_findings(
    call: Run, node: Node, tmp_path: Path
) -> None:
    before = len(record(node))
    assert submit(call, node, "P^^^&1.2.3&ISO", "hello\n", tmp_path) == 1
    path, kept = newest(node, before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert kept.facts["transaction"] == "ITI-41" and kept.facts["status"] == "Failure"
    assert path.name.endswith(f"ITI-41-{kept.facts['ticket']}.txt")
    assert kept.head.startswith(b"POST /repository HTTP/1.1\r\n")
    assert b"content-type: multipart/related" in kept.head.lower()
    assert b"ProvideAndRegisterDocumentSetRequest" in kept.request
    assert b"XDSUnknownPatientId" in kept.answer
    (part,) = kept.facts["parts"]
    assert part["size"] == 6 and kept.parts[part["content_id"]] == b"hello\n"
    (finding,) = kept.facts["findings"]
    assert finding.startswith("XDSUnknownPatientId: ") and "[REG-080]" in finding
    assert "recording" in node.log_file.read_text()


def test_mtom_request_is_sent_again(call: Run, node: Node, patient: str, tmp_path: Path) -> None:
    before = len(record(node))
    assert submit(call, node, "P^^^&1.2.3&ISO", "hello\n", tmp_path) == 1
    path, _ = newest(node, before)
    said = call("replay", path, "--config", node.config)
    assert said.code == 0 and said.err == ""
    assert said.out.count("HTTP 200 Failure") == 2
    assert said.out.count("[REG-080]") == 2
    assert said.out.splitlines()[-1] == "the same"
    _, again = newest(node, before + 1)
    _, first = newest(node, before)
    assert again.request == first.request and again.parts == first.parts


def test_submission_sent_again_is_a_duplicate(
    call: Run, node: Node, patient: str, tmp_path: Path
) -> None:
    before = len(record(node))
    assert submit(call, node, patient, "hello\n", tmp_path) == 0
    path, _ = newest(node, before)
    said = call("replay", path, "--config", node.config, "--json")
    assert said.code == 1
    told = json.loads(said.out)
    assert told["same"] is False
    assert (told["then"]["status"], told["now"]["status"]) == ("Success", "Failure")
    assert any("[REG-090]" in each for each in told["now"]["findings"])


def test_simple_request_is_sent_again(call: Run, node: Node, patient: str) -> None:
    before = len(record(node))
    assert call("find", "--config", node.config, "--patient", patient).code == 0
    path, kept = newest(node, before)
    assert kept.facts["packaging"] == "SIMPLE"
    said = call("replay", path, "--config", node.config)
    assert said.code == 0 and said.out.count("HTTP 200 Success") == 2
    said = call("replay", path, "--to", f"{node.base}/repository")
    assert said.code == 1 and "different" in said.out, "the repository has no such transaction"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_document_in_the_envelope_stands_there_again(call: Run, node: Node, encoding: str) -> None:
    before = len(record(node))
    text = dialect.provide_message(["aGVsbG8K"]).envelope.decode()
    text = re.sub("^<\\?xml[^>]*>", "", text)
    body = text.encode() if encoding == "utf-8" else ("\ufeff" + text).encode(encoding)
    kind = dialect.SIMPLE if encoding == "utf-8" else "application/soap+xml; charset=utf-16"
    answer = dialect.post(node.base, "/repository", body, kind)
    assert answer.status == 200
    path, kept = newest(node, before)
    assert list(kept.parts.values()) == [b"hello\n"]
    said = call("replay", path, "--config", node.config)
    assert said.code == 0, said.out + said.err
    assert body_of(path) == body
    _, again = newest(node, before + 1)
    assert again.facts["packaging"] == "SIMPLE"
    assert list(again.parts.values()) == [b"hello\n"]


def body_of(path: Path) -> bytes:
    """The body that replaying this exchange sends."""
    return message(load(path))[1]


@pytest.mark.parametrize(
    ("body", "status"), [(b"<nonsense", 400), (b"", 400)], ids=["no XML", "nothing"]
)
def test_fault_is_recorded(call: Run, node: Node, body: bytes, status: int) -> None:
    before = len(record(node))
    assert dialect.post(node.base, "/registry", body, dialect.SIMPLE).status == status
    path, kept = newest(node, before)
    assert kept.facts["status"] == "Fault" and kept.facts["findings"]
    said = call("replay", path, "--config", node.config)
    if body:
        assert said.code == 0 and said.out.splitlines()[-1] == "the same"
    else:
        assert said.code == 2 and "nothing to send" in said.complaint


def test_document_too_large_to_be_kept_is_not_sent_again(
    call: Run, node: Node, patient: str, tmp_path: Path
) -> None:
    before = len(record(node))
    assert submit(call, node, patient, "x" * (9 << 20), tmp_path) == 0
    path, kept = newest(node, before)
    assert kept.parts == {} and kept.facts["parts"][0]["size"] == 9 << 20
    said = call("replay", path, "--config", node.config)
    assert said.code == 2 and "was not kept" in said.complaint


def test_nobody_there_to_replay_to(call: Run, node: Node, patient: str) -> None:
    before = len(record(node))
    assert call("find", "--config", node.config, "--patient", patient).code == 0
    path, _ = newest(node, before)
    said = call("replay", path, "--to", "http://127.0.0.1:9/registry")
    assert said.code == 2 and "refused" in said.complaint


def test_oldest_exchanges_make_room(call: Run, tmp_path: Path, patient: str) -> None:
    config = init(tmp_path / "node")
    change(config, host='"127.0.0.1"\nrecord = "kept"\nrecord_bytes = 15000')
    with serving(config) as node:
        for _ in range(8):
            assert call("find", "--config", config, "--patient", patient).code == 0
        kept = config.parent / "kept"
        assert wait_for(lambda: kept.is_dir() and len(node.requests("ITI-18")) == 8)
        assert wait_for(lambda: 0 < sum(f.stat().st_size for f in kept.glob("*.txt")) <= 15000)
        assert len(list(kept.glob("*.txt"))) < 8


def test_nothing_is_recorded_by_itself(real_node: Node) -> None:
    assert real_node.settings.server.record is None
    assert "recording" not in real_node.log_file.read_text()
