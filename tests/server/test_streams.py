"""Documents on their way: whole or cut, never in memory, nothing left behind."""

import base64
import os
import re
import threading
import time

import pytest

from tests.server import dialect
from tests.server.dialect import include, mtom_type, multipart, part, request, root

MIB = 1 << 20


def upload(node, size):
    """Send a document of so many octets, in pieces."""
    message = dialect.provide_message([include("doc@x")])
    frame = multipart(root(message.envelope), part(b"", "<doc@x>"))
    cut = frame.rindex(b"\r\n--")
    length = len(frame) + size
    block = os.urandom(MIB)
    with node.connect() as connection:
        connection.socket.settimeout(60)
        connection.send(request("/repository", b"", mtom_type(), length=length), frame[:cut])
        for _ in range(size // MIB):
            connection.send(block)
        connection.send(frame[cut:])
        assert connection.receive().outcome == "Success"
    (node.folder / "published" / message.names[0]).unlink()


def download(node, size, packaging="mtom"):
    message = dialect.retrieve_message(f"size:{size}")
    with node.connect() as connection:
        connection.socket.settimeout(60)
        if packaging == "mtom":
            connection.send(request("/repository", multipart(root(message)), mtom_type()))
        else:
            connection.send(request("/repository", message))
        status, headers = connection.head()
        assert status == 200
        left = int(dict(headers)["content-length"]) - len(connection.buffer)
        assert left > size - MIB
        room = bytearray(MIB)
        while left > 0:
            count = connection.socket.recv_into(room)
            assert count
            left -= count


def at_once(count, work, *args):
    failed = []

    def run():
        try:
            work(*args)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed[0]


@pytest.mark.proves("SEC-T-041", "RET-063")
@pytest.mark.parametrize("work", [upload, download], ids=["up", "down"])
def test_memory_does_not_grow_with_the_document(make_node, work):
    node = make_node()
    for _ in range(3):
        work(node, MIB)
    small = node.peak
    work(node, 256 * MIB)
    assert node.peak - small < 16 * MIB
    at_once(8, work, node, MIB)
    small = node.peak
    at_once(8, work, node, 32 * MIB)
    assert node.peak - small < 16 * MIB


def test_memory_of_an_answer_in_simple_soap(make_node):
    node = make_node()
    download(node, MIB, "simple")
    small = node.peak
    download(node, 64 * MIB, "simple")
    assert node.peak - small < 16 * MIB


@pytest.mark.proves("SEC-T-041", "SEC-T-038")
def test_memory_of_an_inline_document(make_node):
    node = make_node()
    small = dialect.provide_message([base64.b64encode(bytes(MIB)).decode()])
    assert node.post("/repository", small.envelope).outcome == "Success"
    before = node.peak
    big = dialect.provide_message([base64.b64encode(bytes(64 * MIB)).decode()])
    assert node.post("/repository", big.envelope).outcome == "Success"
    assert node.peak - before < 16 * MIB
    assert node.published(big.names[0]) == bytes(64 * MIB)


@pytest.mark.proves("SEC-T-029")
@pytest.mark.parametrize("packaging", ["mtom", "simple"])
@pytest.mark.parametrize(
    "kind",
    ["rotten:3000000:1500000", "rotten-nosize:3000000:1500000", "short:1000000"],
)
def test_source_that_fails_cuts_the_connection(node, kind, packaging):
    message = dialect.retrieve_message(kind, "text:after")
    body, media = (message, dialect.SIMPLE)
    if packaging == "mtom":
        body, media = multipart(root(message)), mtom_type()
    with node.connect() as connection:
        connection.send(request("/repository", body, media))
        answer = connection.receive()
        assert not answer.is_whole
        assert not answer.body.rstrip().endswith((b"--", b"Envelope>"))
        assert connection.is_closed()
    ticket = answer.header("x-request-id")
    assert node.line(ticket)["status"] == "cut"
    assert node.line(ticket, "incident")["traceback"]


@pytest.mark.proves("SEC-T-058")
def test_source_that_fails_before_anything_was_sent_makes_a_fault(node):
    body = multipart(root(dialect.retrieve_message("rotten:1000:0")))
    answer = node.post("/repository", body, mtom_type())
    assert (answer.status, answer.fault, answer.is_mtom) == (500, ("Receiver",), True)
    assert node.line(answer.header("x-request-id"), "incident")["traceback"]


@pytest.mark.proves("RET-017", "RET-037")
def test_documents_that_cannot_be_opened_are_errors_of_the_answer(node):
    names = ["unopened:1", "text:a", "unopened:2", "text:b"]
    answer = node.post(
        "/repository", multipart(root(dialect.retrieve_message(*names))), mtom_type()
    )
    assert answer.outcome == "PartialSuccess"
    assert [content for _, content in answer.parts[1:]] == [b"a", b"b"]
    assert re.findall(rb'location="(.*?)"', answer.body) == [b"unopened:1", b"unopened:2"]
    line = node.line(answer.header("x-request-id"))
    assert (line["status"], line["codes"]) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])


def test_only_a_few_of_them_are_waited_for(node):
    names = [f"unopened:{number}" for number in "34567"]
    body = multipart(root(dialect.retrieve_message(*names)))
    outcomes = [node.post("/repository", body, mtom_type()).status for _ in range(2)]
    assert outcomes == [500, 200]


def test_document_of_unknown_size_is_sent_in_chunks(node):
    body = multipart(root(dialect.retrieve_message("nosize:1000000", "text:b")))
    answer = node.post("/repository", body, mtom_type())
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.header("content-length") is None
    assert answer.is_whole
    assert [len(content) for _, content in answer.parts[1:]] == [1_000_000, 1]


def test_many_small_documents(node):
    names = [f"text:{number:05}" for number in range(1000)]
    answer = node.post(
        "/repository", multipart(root(dialect.retrieve_message(*names))), mtom_type()
    )
    assert [f"text:{content.decode()}" for _, content in answer.parts[1:]] == names


def test_empty_document(node):
    answer = node.post(
        "/repository", multipart(root(dialect.retrieve_message("size:0"))), mtom_type()
    )
    assert answer.parts[1][1] == b""
    message = dialect.provide_message([include("doc@x")])
    body = multipart(root(message.envelope), part(b"", "<doc@x>"))
    assert node.post("/repository", body, mtom_type()).outcome == "Success"
    assert node.published(message.names[0]) == b""


@pytest.mark.proves("SEC-T-161")
def test_client_that_goes_away_while_it_receives(node):
    before = node.descriptors
    for _ in range(5):
        with node.connect() as connection:
            message = multipart(root(dialect.retrieve_message("size:200000000")))
            connection.send(request("/repository", message, mtom_type()))
            status, headers = connection.head()
            assert status == 200
        line = node.line(dict(headers)["x-request-id"])
        assert (line["status"], line["bytes_out"] < 100_000_000) == ("gone", True)
    assert dialect.wait_for(lambda: node.opened_since(before) == []), node.opened_since(before)
    assert node.post("/registry", dialect.query_message()).outcome == "Success"


@pytest.mark.proves("SEC-T-161")
def test_client_that_does_not_read_is_given_up(small_node):
    before = small_node.descriptors
    with small_node.connect() as connection:
        message = multipart(root(dialect.retrieve_message("size:200000000")))
        connection.send(request("/repository", message, mtom_type()))
        _, headers = connection.head()
        time.sleep(1.2)
        answered = small_node.line(dict(headers)["x-request-id"])
        assert answered["status"] == "gone"
        assert answered["bytes_out"] < 100_000_000
    assert dialect.wait_for(lambda: small_node.opened_since(before) == [])


@pytest.mark.proves("SEC-T-091")
def test_nothing_is_left_after_everything_that_can_go_wrong(node):
    def broken_off(cut):
        message = dialect.provide_message([include("a@x"), include("b@x")])
        body = multipart(
            root(message.envelope), part(bytes(600_000), "<a@x>"), part(bytes(600_000), "<b@x>")
        )
        with node.connect() as connection:
            connection.send(request("/repository", body, mtom_type())[: -len(body) + cut])

    before = node.descriptors
    for cut in (10, 5_000, 100_000, 700_000, 1_100_000):
        broken_off(cut)
    for name in ("raise", "fault", "error:x"):
        node.post("/registry", dialect.query_message(name))
    assert dialect.wait_for(lambda: node.opened_since(before) == []), node.opened_since(before)
    assert node.staged == []
