"""Services in plain HTTP at the wire: paths, methods, bodies, streams, and whatever is odd."""

import hashlib
import json
import time

import pytest

from tests.server import dialect
from tests.server.conftest import SMALL
from tests.server.dialect import SECRET, multipart, part, request

MIB = 1 << 20
STOW = f'multipart/related; type="application/dicom"; boundary={dialect.BOUNDARY}'


def told(answer):
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def is_plain(answer):
    """One line of text."""
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.body.count(b"\n") == 1 and answer.body.endswith(b"\n")
    assert SECRET.encode() not in answer.body
    return True


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/web", []),
        ("/web/echo", ["echo"]),
        ("/web/echo/1.2.3/x", ["echo", "1.2.3", "x"]),
        ("/web/echo/a%20b%C3%A4%25", ["echo", "a bä%"]),
        ("/web/echo/%2541", ["echo", "%41"]),  # decoded once
        ("/web/echo/a+b;c=d", ["echo", "a+b;c=d"]),
        ("/web/echo/...", ["echo", "..."]),
    ],
)
def test_segments_of_the_path(node, path, segments):
    assert told(node.get(path))["segments"] == segments


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("a=1&b=2&a=3", [["a", "1"], ["b", "2"], ["a", "3"]]),
        ("contentType=application%2Fdicom", [["contentType", "application/dicom"]]),
        ("a=b+c%2Bd", [["a", "b c+d"]]),
        ("&&empty=&flag&x=y=z&", [["empty", ""], ["flag", ""], ["x", "y=z"]]),
        ("na%C3%AFve=%E3%80%80", [["naïve", "\u3000"]]),
    ],
)
def test_query(node, query, pairs):
    assert told(node.get(f"/web/echo?{query}"))["query"] == pairs


def test_headers_of_one_name_are_joined(node):
    answer = node.get("/web/echo", headers=("X-Agent: a", "x-agent: b"))
    assert told(answer)["agent"] == "a, b"


@pytest.mark.proves("SEC-T-163")
@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web//echo",
        "/web/echo/",
        "/web/./echo",
        "/web/../etc/passwd",
        "/web/%2e%2e/etc",
        "/web/%2E/echo",
        "/web/a%2Fb",
        "/web/a%5Cb",
        "/web/a%00b",
        "/web/a%0D%0Ab",
        "/web/a%7F",
        "/web/a%C2%85",
        "/web/%",
        "/web/%zz",
        "/web/%C3",
        "/web/%C0%AE%C0%AE",
        "/web/echo?a=%",
        "/web/echo?a=%00",
        "/web/echo?%ff=1",
    ],
)
def test_odd_addresses_are_refused(node, path):
    answer = node.get(path)
    assert (answer.status, is_plain(answer)) == (400, True)


@pytest.mark.proves("SEC-T-163")
@pytest.mark.parametrize("path", ["/webb", "/we", "/%77eb/echo", "/web%2Fecho", "/WEB", "//web"])
def test_other_paths_are_not_there(node, path):
    assert node.get(path).status == 404


def test_longest_path_wins_and_names_the_transaction(node):
    for path, segments, transaction in [
        ("/web/deep", [], "DEEP"),
        ("/web/deep/echo", ["echo"], "DEEP"),
        ("/web/deeper", ["deeper"], "WEB"),
    ]:
        answer = node.get(path)
        assert told(answer)["segments"] == segments
        line = node.line(answer.header("x-request-id"))
        assert (line["transaction"], line["status"]) == (transaction, "Success")


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/web/echo", "PUT", "GET, HEAD, POST"),
        ("/web/echo", "DELETE", "GET, HEAD, POST"),
        ("/web/deep/echo", "POST", "GET, HEAD"),
    ],
)
def test_other_methods(node, path, method, allow):
    answer = node.exchange(request(path, method=method))
    assert (answer.status, answer.header("allow"), is_plain(answer)) == (405, allow, True)


def test_head_is_answered_as_get_without_a_body(node):
    for path in ("/web/echo", "/web/pieces/size:70000000", "/web/pieces/nosize:100"):
        with node.connect() as connection:
            connection.send(request(path, content_type=None, method="HEAD"))
            answer = connection.receive(method="HEAD")
            connection.send(request("/web/some", content_type=None, method="GET"))
            assert connection.receive().body == b"ab"  # the connection goes on
        assert answer.status == 200
        whole = None if "nosize" in path else 70_000_002
        if path != "/web/echo":
            assert answer.header("content-length") == (whole and str(whole))


def test_no_content(node):
    with node.connect() as connection:
        connection.send(request("/web/nothing", content_type=None, method="GET"))
        answer = connection.receive()
        assert (answer.status, answer.header("content-length")) == (204, None)
        connection.send(request("/web/some", content_type=None, method="GET"))
        assert connection.receive().body == b"ab"


def test_partial_answer_and_ids_are_logged(node):
    answer = node.get("/web/some")
    assert (answer.status, answer.body) == (206, b"ab")
    line = node.line(answer.header("x-request-id"))
    assert (line["status"], line["ids"], line["http"]) == ("PartialSuccess", ["1.2.3"], 206)
    assert 'xdsi_requests_total{http="206",status="PartialSuccess",transaction="WEB"}' in (
        node.get("/metrics").body.decode()
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refusal_of_a_handler(node, method):
    answer = node.exchange(request("/web/refuse/410", b"x", "text/plain", method=method))
    if method == "GET":
        answer = node.get("/web/refuse/410")
    assert (answer.status, answer.body) == (410, b"is not given\n")
    assert (answer.header("retry-after"), is_plain(answer)) == ("7", True)
    assert node.line(answer.header("x-request-id"))["status"] == "Failure"


@pytest.mark.proves("SEC-T-057", "SEC-T-058")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_exception_of_a_handler(node, method):
    body = b"x" * 100_000 if method == "POST" else b""
    kind = "text/plain" if method == "POST" else None
    answer = node.exchange(request("/web/raise", body, kind, method=method))
    ticket = answer.header("x-request-id")
    assert (answer.status, is_plain(answer)) == (500, True)
    assert answer.body.decode() == f"internal error (incident {ticket})\n"
    assert any(SECRET in line for line in node.line(ticket, "incident")["traceback"])
    assert node.staged == []


def test_body_is_not_read_before_its_place_is_known(node):
    for path, kind, status in [
        ("/web/nowhere", "text/plain", 404),
        ("/web/echo", "refused/type", 415),
        ("/web/echo", None, 415),
        ("/web/echo", "nonsense", 415),
        ("/web/echo", 'multipart/related; type="application/dicom"', 400),
    ]:
        with node.connect() as connection:
            connection.send(request(path, b"", kind, length=10**6))  # the rest never comes
            answer = connection.receive()
        assert (answer.status, is_plain(answer)) == (status, True)
        assert answer.header("connection") == "close"


def test_get_with_a_body_is_refused(node):
    answer = node.exchange(request("/web/echo", method="GET", headers=("Content-Length: 5",)))
    assert (answer.status, is_plain(answer)) == (400, True)


def digest(content):
    return [len(content), hashlib.sha1(content).hexdigest()]


@pytest.mark.proves("SEC-T-091")
@pytest.mark.parametrize("chunks", [0, 7_000])
def test_documents_are_split_as_they_come(node, chunks):
    contents = [b"one", b"", b"\r\n--" + bytes(300_000), b"last"]
    body = multipart(*(part(each, None, kind="application/dicom") for each in contents))
    answer = node.post("/web/echo", body, STOW, chunks=chunks)
    assert told(answer)["documents"] == [digest(each) for each in contents]
    assert node.line(answer.header("x-request-id"))["bytes_in"] == len(body)
    assert node.staged == []


@pytest.mark.parametrize("content", [b"", b"x", bytes(3 * MIB)], ids=["empty", "small", "large"])
def test_single_document(node, content):
    answer = node.post("/web/echo", content, "application/dicom")
    assert told(answer)["documents"] == ([digest(content)] if content else [])
    assert node.staged == []


def test_documents_that_are_kept_stay(node):
    body = multipart(part(b"one", None), part(b"two", None))
    assert node.post("/web/keep/web-1/web-2", body, STOW).status == 200
    assert (node.published("web-1"), node.published("web-2")) == (b"one", b"two")
    assert node.staged == []


@pytest.mark.proves("SEC-T-090", "SEC-T-091", "SEC-T-096", "SEC-T-097")
@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        multipart(part(b"x" * 100_000, None))[:-4],
        multipart(part(b"x", None, encoding="quoted-printable")),
        multipart(b"no header\r\n\r\nx"),
        multipart(part(b"x", "<a@x>"), part(b"y", "<a@x>")),
        f"--{dialect.BOUNDARY}--\r\n".encode(),
    ],
    ids=["no-boundary", "cut", "encoding", "headers", "same-id", "no-part"],
)
def test_broken_bodies_are_refused(node, body):
    answer = node.post("/web/echo", body, STOW)
    assert (answer.status, is_plain(answer)) == (400, True)
    assert node.staged == []


def test_body_that_breaks_off_leaves_nothing(node):
    body = multipart(part(bytes(900_000), None), part(bytes(900_000), None))
    for cut in (100, 500_000, 1_200_000):
        with node.connect() as connection:
            connection.send(request("/web/echo", body, STOW)[: cut + 200])
    assert dialect.wait_for(lambda: node.staged == [])


@pytest.mark.proves("SEC-T-039", "SEC-T-040")
@pytest.mark.parametrize(
    ("sizes", "status"),
    [
        ((300_000,), 200),
        ((300_001,), 413),
        ((300_000, 200_000), 200),
        ((300_000, 200_001), 413),
        ((10,) * 5, 200),
        ((10,) * 6, 400),
    ],
)
def test_limits_of_documents(small_node, sizes, status):
    body = multipart(*(part(bytes(each), None) for each in sizes))
    answer = small_node.post("/web/echo", body, STOW, chunks=10_000)
    assert answer.status == status
    assert status == 200 or is_plain(answer)
    assert small_node.staged == []


@pytest.mark.proves("SEC-T-040")
def test_far_above_the_limit_is_answered_early(small_node):
    whole = request("/web/echo", bytes(900_000), "application/dicom", chunks=10_000)
    with small_node.connect() as connection:
        connection.send(whole[: len(whole) * 3 // 4])  # the rest never comes
        answer = connection.receive()
        assert (answer.status, answer.header("connection")) == (413, "close")
    with small_node.connect() as connection:
        connection.send(request("/web/echo", b"", STOW, length=10**12))
        assert connection.head()[0] == 413
    assert small_node.staged == []


@pytest.mark.proves("SEC-T-032")
def test_body_that_stalls(small_node):
    body = multipart(part(bytes(1_000), None))
    with small_node.connect() as connection:
        connection.send(request("/web/echo", body, STOW)[:-10])
        answer = connection.receive()
    assert (answer.status, is_plain(answer)) == (408, True)
    assert small_node.staged == []


@pytest.mark.proves("SEC-T-018")
def test_full_disk(node):
    """Before the first document, while one is written, as a handler finds it; or no turn yet."""
    (node.folder / "full").touch()
    try:
        early = node.post("/web/echo", b"x", "application/dicom")
    finally:
        (node.folder / "full").unlink()
    late = node.post("/web/echo", b"BROKEN DISK" + bytes(MIB), "application/dicom")
    last = node.get("/web/full")
    for answer in (early, late, last, node.get("/web/busy")):
        assert (answer.status, is_plain(answer)) == (503, True)
        assert answer.header("retry-after")
    assert node.staged == []


@pytest.mark.proves("SEC-T-049")
def test_requests_in_flight(small_node):
    busy = [small_node.connect() for _ in range(SMALL["in_flight"])]
    try:
        for connection in busy:
            connection.send(request("/web/slow/1", content_type=None, method="GET"))
        time.sleep(0.3)
        answer = small_node.get("/web/echo")
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        assert [connection.receive(method="GET").status for connection in busy] == [200] * 3
    finally:
        for connection in busy:
            connection.socket.close()


def test_pieces_stream_with_their_length(node):
    answer = node.get("/web/pieces/size:3000000/text:x/size:0")
    assert (answer.status, answer.header("x-more")) == (200, "yes")
    assert answer.header("content-length") == "3000003"
    assert answer.body == b"<" + bytes(3_000_000) + b"x>"


def test_pieces_of_unknown_length_go_in_chunks(node):
    answer = node.get("/web/pieces/nosize:1000000")
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.is_whole and answer.body == b"<" + bytes(1_000_000) + b">"


@pytest.mark.proves("SEC-T-041")
def test_large_bodies_take_constant_memory(node):
    node.get(f"/web/pieces/size:{MIB}")
    node.post("/web/echo", bytes(MIB), "application/dicom")
    before = node.peak
    with node.connect() as connection:
        connection.send(request(f"/web/pieces/size:{256 * MIB}", content_type=None, method="GET"))
        assert connection.head()[0] == 200
        left = 256 * MIB + 2 - len(connection.buffer)
        while left > 0:
            left -= len(connection.socket.recv(MIB))
    with node.connect() as connection:
        connection.send(request("/web/echo", b"", "application/dicom", length=128 * MIB))
        for _ in range(128):
            connection.send(bytes(MIB))
        assert told(connection.receive())["documents"][0][0] == 128 * MIB
    assert node.peak - before < 16 * MIB


@pytest.mark.proves("SEC-T-029")
@pytest.mark.parametrize(
    "kind", ["rotten:3000000:1500000", "rotten-nosize:3000000:1500000", "short:1000000"]
)
def test_source_that_fails_cuts_the_connection(node, kind):
    with node.connect() as connection:
        connection.send(request(f"/web/pieces/{kind}", content_type=None, method="GET"))
        answer = connection.receive(method="GET")
        assert not answer.is_whole
        assert connection.is_closed()
    ticket = answer.header("x-request-id")
    assert node.line(ticket)["status"] == "cut"
    assert node.line(ticket, "incident")["traceback"]


@pytest.mark.proves("IMG-164")
def test_what_cannot_be_opened_is_left_out_at_once(node):
    answer = node.get("/web/pieces/unopened:web/text:a/unopened:too")
    assert (answer.status, answer.body) == (206, b"<a>")
    assert node.line(answer.header("x-request-id"))["status"] == "PartialSuccess"


@pytest.mark.proves("IMG-164")
@pytest.mark.parametrize("kind", ["rotten:1000:0", "rotten:9000:8000", "text:a/rotten-nosize:9:0"])
def test_source_that_fails_before_anything_was_sent(node, kind):
    answer = node.get(f"/web/pieces/{kind}")
    assert (answer.status, is_plain(answer)) == (503, True)
    assert answer.header("retry-after")
    ticket = answer.header("x-request-id")
    assert node.line(ticket, "unread")["why"] == "bits have rotted"
    assert node.line(ticket)["status"] == "Failure"
    mine = [each["event"] for each in node.log if each.get("ticket") == ticket]
    assert "incident" not in mine


@pytest.mark.proves("SEC-T-161")
def test_client_that_goes_away_stops_the_reading(node):
    before = node.descriptors
    with node.connect() as connection:
        connection.send(request("/web/pieces/size:200000000", content_type=None, method="GET"))
        _, headers = connection.head()
    line = node.line(dict(headers)["x-request-id"])
    assert (line["status"], line["bytes_out"] < 100_000_000) == ("gone", True)
    assert dialect.wait_for(lambda: node.opened_since(before) == [])
