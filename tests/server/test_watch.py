"""What an operator and a tester see: log lines, health, metrics, recorded exchanges."""

import json
import os
import re
import stat

import pytest

from tests.server import dialect
from tests.server.dialect import include, mtom_type, multipart, part, request, root


def sent(node, *documents):
    message = dialect.provide_message([include(f"{n}@x") for n, _ in enumerate(documents)])
    parts = [part(content, f"<{n}@x>") for n, content in enumerate(documents)]
    return message, multipart(root(message.envelope), *parts)


def test_one_line_per_request_says_what_happened(node):
    body = dialect.query_message("error:x")
    answer = node.post("/registry", body)
    line = node.line(answer.header("x-request-id"))
    assert line["transaction"] == "ITI-18"
    assert line["ids"] == ["error:x"]
    assert (line["http"], line["status"]) == (200, "Failure")
    assert line["codes"] == ["XDSUnknownStoredQuery"]
    assert (line["bytes_in"], line["bytes_out"]) == (len(body), len(answer.body))
    assert line["ms"] > 0
    assert line["peer"] == "127.0.0.1"
    assert line["path"] == "/registry"
    assert len([each for each in node.log if each.get("ticket") == line["ticket"]]) == 1


def test_ids_of_a_submission_without_demographics(node):
    _, body = sent(node, b"x")
    line = node.line(node.post("/repository", body, mtom_type()).header("x-request-id"))
    assert len(line["ids"]) == 2
    assert all(each in body.decode("latin-1") for each in line["ids"])
    text = json.dumps(line)
    assert dialect.samples.PATIENT.id not in text
    assert "Example" not in text


@pytest.mark.proves("SEC-T-059")
def test_what_clients_send_is_escaped_and_cut(node):
    for value in ("a\u202eb\u200fc", "x" * 5_000, "tab\there", "\u001b[31m".replace("\u001b", "")):
        line = node.line(
            node.post("/registry", dialect.query_message(value)).header("x-request-id")
        )
        assert len(line["ids"][0]) <= 257 + 5 * 3
        assert line["ids"][0].isprintable()
    path = "/" + "%0a%1b" + "y" * 1_000 + "?a=%0d"
    line = node.line(node.get(path).header("x-request-id"))
    assert len(line["path"]) == 257
    for raw in node.log_file.read_text().splitlines():
        assert raw.isascii()
        assert raw.isprintable()


@pytest.mark.proves("SEC-T-059")
def test_bodies_are_never_logged(node):
    marker = "NeverInTheLog"
    node.post("/registry", f"<{marker}>".encode())
    node.post("/registry", dialect.query_message(headers=f"<x:h xmlns:x='u'>{marker}</x:h>"))
    _, body = sent(node, marker.encode())
    node.post("/repository", body, mtom_type())
    assert marker not in node.log_file.read_text()


def test_health(make_node):
    node = make_node()
    assert (node.get("/health/live").status, node.get("/health/ready").status) == (200, 200)
    (node.folder / "full").touch()
    ready = node.get("/health/ready")
    assert (ready.status, ready.body) == (503, b"repository: the disk is full\n")
    assert node.get("/health/live").status == 200
    (node.folder / "full").unlink()
    assert node.get("/health/ready").body == b"ready\n"


def test_metrics_count(make_node):
    node = make_node()
    node.post("/registry", dialect.query_message())
    node.post("/registry", dialect.query_message("error:x"))
    node.post("/registry", b"<")
    text = node.get("/metrics").body.decode()
    assert re.search(
        r'xdsi_requests_total\{http="200",status="Success",transaction="ITI-18"\} 1\.0', text
    )
    assert 'xdsi_errors_total{code="XDSUnknownStoredQuery",transaction="ITI-18"} 1.0' in text
    assert 'xdsi_errors_total{code="Sender",transaction="none"} 1.0' in text
    assert 'xdsi_request_seconds_count{transaction="ITI-18"} 2.0' in text
    assert 'xdsi_octets_total{direction="in"}' in text


def test_labels_of_metrics_do_not_grow_with_what_partners_say():
    from xdsi.server.exchange import Exchange
    from xdsi.server.metrics import Metrics

    metrics = Metrics()
    for number in range(100):
        codes = (f"Theirs{number}", "XDSRegistryError", "Sender", "ActionNotSupported")
        metrics.count(Exchange(transaction="ITI-42", codes=codes))
    errors = [line for line in metrics.text().decode().splitlines() if "xdsi_errors_total{" in line]
    assert set(re.findall('code="([^"]*)"', "".join(errors))) == {
        *("other", "XDSRegistryError", "Sender", "ActionNotSupported")
    }


@pytest.fixture
def recording(make_node, tmp_path):
    folder = tmp_path / "records"
    return make_node(server={"record": str(folder), "record_bytes": 40_000}), folder


def recorded(folder, count):
    # Those still being written are named .part.
    assert dialect.wait_for(lambda: len(list(folder.glob("*.txt"))) >= count)
    return sorted(folder.glob("*.txt"))


def test_exchanges_are_kept_and_can_be_sent_again(recording):
    # Only here, so that other tests of this module need not load the server.
    from xdsi.server import record

    node, folder = recording
    message, body = sent(node, b"first", b"second")
    answer = node.post("/repository", body, mtom_type())
    query = dialect.query_message("error:x")
    node.post("/registry", query)
    node.post("/registry", b"<broken")
    files = recorded(folder, 3)
    provided, queried, broken = (record.load(path) for path in files)
    assert provided.request == message.envelope
    assert provided.parts == {"0@x": b"first", "1@x": b"second"}
    assert provided.answer == answer.parts[0][1]
    assert provided.facts["ticket"] == answer.header("x-request-id")
    assert [each["size"] for each in provided.facts["parts"]] == [5, 6]
    assert b"POST /repository HTTP/1.1" in provided.head
    assert queried.facts["findings"] == [
        "XDSUnknownStoredQuery: query: is not known, got 'x' [SQ-001]"
    ]
    assert record.message(queried) == ("application/soap+xml; charset=UTF-8", query)
    assert broken.request == b"<broken"
    assert broken.facts["status"] == "Fault"
    for path in (node.folder / "published").iterdir():
        path.unlink()
    kind, again = record.message(provided)
    assert node.post("/repository", again, kind).outcome == "Success"
    assert [node.published(name) for name in message.names] == [b"first", b"second"]


def test_documents_too_big_for_the_record_are_listed(recording):
    from xdsi.server import record

    node, folder = recording
    _, body = sent(node, bytes(2_000_000))
    node.post("/repository", body, mtom_type())
    (path,) = recorded(folder, 1)
    found = record.load(path)
    assert found.facts["parts"][0]["size"] == 2_000_000
    assert found.parts == {}
    with pytest.raises(ValueError, match="was not kept"):
        record.message(found)
    with pytest.raises(ValueError, match="not a recorded exchange"):
        record.load(node.log_file)


def test_records_are_private_and_bounded(recording):
    node, folder = recording
    for _ in range(60):
        assert node.post("/registry", dialect.query_message()).outcome == "Success"
    assert node.stop() == 0  # all are written then
    assert len(list(folder.iterdir())) > 5
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    sizes = []
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        sizes.append(path.stat().st_size)
    assert sum(sizes) <= 40_000
    assert os.access(folder, os.W_OK)


def test_ready_tells_that_the_node_stops(make_node):
    node = make_node()
    with node.connect() as slow, node.connect() as asking:
        slow.send(request("/registry", dialect.query_message("slow:1")))
        asking.send(b"GET /health/ready HTTP/1.1\r\nHost: a\r\nX-Half: ")
        dialect.wait_for(lambda: False, 0.2)
        node.process.terminate()
        dialect.wait_for(lambda: False, 0.2)
        asking.send(b"1\r\n\r\n")
        answer = asking.receive(method="GET")
        assert (answer.status, answer.body) == (503, b"the node is stopping\n")
        assert slow.receive().outcome == "Success"
