"""HTTP below SOAP: methods, paths, headers, framing."""

import socket
from contextlib import closing, suppress

import pytest

from tests.server import dialect
from tests.server.dialect import request
from xdsi.config import Address
from xdsi.server.listen import _listen

QUERY = dialect.query_message()
GOOD = request("/registry", QUERY)


def with_headers(*lines, body=QUERY, length=True):
    head = ["POST /registry HTTP/1.1", "Host: localhost", f"Content-Type: {dialect.SIMPLE}"]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*head, *lines, "", "")).encode("latin-1") + body


def still_good(node):
    assert node.exchange(GOOD).outcome == "Success"


def plain(answer, status):
    assert answer.status == status, answer.body
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("x-request-id")
    return answer


@pytest.mark.proves("SEC-T-056")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_on_a_soap_path(node, method):
    answer = dialect.exchange(
        node.address, request("/registry", b"", None, method=method), method=method
    )
    assert answer.status == 405
    assert answer.header("allow") == "POST"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_other_methods_on_a_page(node, path):
    answer = plain(node.post(path, b"x"), 405)
    assert answer.header("allow") == "GET, HEAD"


def test_head_of_a_page_has_no_body(node):
    with node.connect() as connection:
        connection.send(request("/health/live", b"", None, method="HEAD"))
        assert connection.receive(method="HEAD").status == 200
        connection.send(request("/health/live", b"", None, method="GET"))
        assert connection.receive(method="GET").body == b"live\n"


@pytest.mark.proves("SEC-T-056")
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/xml",
        "text/xml; charset=utf-8",
        "application/xml",
        "application/json",
        "multipart/form-data; boundary=a",
        'multipart/related; boundary=a; type="text/xml"',
        "",
        "nonsense",
    ],
)
def test_media_types_that_are_not_served(node, kind):
    plain(node.post("/registry", QUERY, kind), 415)


def test_two_content_types(node):
    message = with_headers("Content-Type: application/soap+xml")
    plain(node.exchange(message), 415)


@pytest.mark.proves("SEC-T-098")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_content_codings(node, coding):
    plain(node.exchange(with_headers(f"Content-Encoding: {coding}")), 415)


def test_identity_is_no_coding(node):
    assert node.exchange(with_headers("Content-Encoding: identity")).outcome == "Success"


@pytest.mark.proves("SEC-T-056")
def test_unknown_expectation(node):
    plain(node.exchange(with_headers("Expect: the-worst")), 417)


@pytest.mark.proves("SEC-T-163")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/registry/",
        "/registry/../repository",
        "/%72egistry",
        "/registry%2f",
        "/registry%00",
        "//registry",
        "/Registry",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/health",
        "/health/live/",
        "/docs",
    ],
)
def test_paths_that_are_not_published(node, path):
    message = request(path, QUERY)
    plain(node.exchange(message), 404)
    plain(node.get(path), 404)


@pytest.mark.proves("SEC-T-030", "SEC-T-056")
@pytest.mark.parametrize(
    ("octets", "status"), [(8 * 1024, 404), (8 * 1024 + 1, 414), (60_000, 414), (100_000, 414)]
)
def test_request_line(node, octets, status):
    path = "/" + "a" * (octets - len("GET / HTTP/1.1"))
    assert node.get(path).status == status
    assert node.get("/?" + path[2:]).status == status


@pytest.mark.proves("SEC-T-030", "SEC-T-056")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([f"X-{n}: a" for n in range(97)], 200, id="100-headers"),
        pytest.param([f"X-{n}: a" for n in range(98)], 431, id="101-headers"),
        pytest.param([f"X-{n}: a" for n in range(1000)], 431, id="1000-headers"),
        pytest.param(["X-A: " + "a" * 65_000], 200, id="65-KB"),
        pytest.param(["X-A: " + "a" * 65_536], 431, id="above-64-KiB"),
        pytest.param(["X-A: " + "a" * 300_000], 431, id="300-KB"),
    ],
)
def test_header_block(node, headers, status):
    with node.connect() as connection:
        connection.send(with_headers(*headers))
        assert connection.head()[0] == status
    still_good(node)


@pytest.mark.proves("SEC-T-160")
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Content-Length: 5"], id="two-lengths"),
        pytest.param(["X: a\r\n b"], id="folded"),
        pytest.param(["X : a"], id="blank-before-colon"),
        pytest.param([" X: a"], id="blank-before-name"),
        pytest.param(["X: a\rb"], id="bare-cr"),
        pytest.param(["X: a\0b"], id="nul"),
        pytest.param(["X"], id="no-colon"),
        pytest.param([": a"], id="no-name"),
    ],
)
def test_malformed_headers(node, lines):
    refused_and_closed(node, with_headers(*lines))


@pytest.mark.proves("SEC-T-160")
@pytest.mark.parametrize(
    "value", ["-3", "+3", "3, 3", "0x10", "3 3", "", "99999999999999999999999", "3.0", "\u00b2"]
)
def test_malformed_length(node, value):
    refused_and_closed(node, with_headers(f"Content-Length: {value}", length=False))


@pytest.mark.proves("SEC-T-160")
@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked;q=1"],
    ],
)
def test_transfer_codings(node, lines):
    refused_and_closed(node, with_headers(*lines, body=b"0\r\n\r\n", length=False))


@pytest.mark.proves("SEC-T-160")
@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcdef\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
    ],
)
def test_malformed_chunks(node, body):
    message = with_headers("Transfer-Encoding: chunked", body=body, length=False)
    refused_and_closed(node, message)


def refused_and_closed(node, message):
    """400, and nothing behind it on the connection is taken for a request."""
    with node.connect() as connection:
        connection.send(message, request("/health/live", b"", None, method="GET"))
        status, _ = connection.head()
        assert status == 400
        rest = connection.buffer
        connection.socket.settimeout(5)
        while data := _received(connection):
            rest += data
        assert b"HTTP/1.1" not in rest
        assert b"live\n" not in rest
    still_good(node)


def _received(connection):
    try:
        return connection.socket.recv(65536)
    except ConnectionResetError:
        return b""


@pytest.mark.proves("SEC-T-160")
def test_length_beside_chunked_is_never_two_requests(node):
    # The parser below drops the length and ends the connection, as RFC 9112 6.1 allows.
    hidden = request("/health/live", b"", None, method="GET")
    message = with_headers("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + hidden)
    with node.connect() as connection:
        connection.send(message)
        status, headers = connection.head()
        assert status == 400
        assert dict(headers)["connection"] == "close"
        assert connection.is_closed()
    still_good(node)


@pytest.mark.proves("SEC-T-162")
@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET /health/live HTTP/1.1\r\n", id="no-host"),
        pytest.param("GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n", id="two-hosts"),
        pytest.param("GET /health/live HTTP/1.1\r\nHost: a b/c\r\n", id="host-no-name"),
        pytest.param("GET /health/live HTTP/1.1\r\nHost: u@a\r\n", id="host-user"),
        pytest.param("GET /health/live HTTP/1.1\r\nHost: a:b\r\n", id="host-port"),
        pytest.param("GET /health/live HTTP/1.1\r\nHost: [::1\r\n", id="host-bracket"),
        pytest.param("GET /health/live HTTP/2.0\r\nHost: a\r\n", id="unknown-version"),
        pytest.param("GET /health/live HTTP/9\r\nHost: a\r\n", id="odd-version"),
        pytest.param("GET  /health/live  HTTP/1.1\r\nHost: a\r\n", id="blanks"),
        pytest.param("GET\r\nHost: a\r\n", id="no-target"),
        pytest.param("G@T /health/live HTTP/1.1\r\nHost: a\r\n", id="bad-method"),
    ],
)
def test_request_heads_that_are_refused(node, head):
    with node.connect() as connection:
        connection.send(head.encode() + b"\r\n")
        assert connection.head()[0] in (400, 505)
    still_good(node)


@pytest.mark.proves("SEC-T-162")
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), id="tls"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="ssh"),
        pytest.param(b"\x0bMSH|^~\\&|A|B\r\x1c\r", id="mllp"),
        pytest.param(bytes(range(256)) * 300, id="noise"),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", id="connect"),
    ],
)
def test_foreign_protocols(node, octets):
    with node.connect() as connection:
        connection.send(octets)
        with suppress(EOFError, ConnectionError):  # closed without a word
            assert connection.head()[0] in (400, 404, 405, 505)
    still_good(node)


@pytest.mark.parametrize("host", ["a", "A-b.example.org:8080", "127.0.0.1:1", "[::1]:80", "a_b"])
def test_hosts_that_are_names(node, host):
    assert node.get("/health/live", host=host).status == 200


def test_length_told_twice_alike_is_one_length(node):
    """The parser below merges equal ones; the bytes are still one request, then another."""
    with node.connect() as connection:
        connection.send(with_headers(f"Content-Length: {len(QUERY)}"), GOOD)
        assert connection.receive().outcome == "Success"
        assert connection.receive().outcome == "Success"


@pytest.mark.proves("SEC-T-162")
def test_target_with_a_foreign_host_leads_nowhere_else(node):
    with node.connect() as connection:
        connection.send(b"GET http://evil.example/registry?wsdl HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = connection.receive(method="GET")
    assert b"evil.example" not in answer.body


def test_http_1_0(node):
    message = with_headers().replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with node.connect() as connection:
        connection.send(message)
        assert connection.receive().outcome == "Success"
        assert connection.is_closed()


@pytest.mark.proves("SEC-T-164")
def test_what_a_proxy_would_say_is_not_believed(node):
    message = with_headers(
        "X-Forwarded-For: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-SSL-Client-S-DN: CN=Somebody",
        "X-Forwarded-Host: evil.example",
    )
    answer = node.exchange(message)
    assert node.line(answer.header("x-request-id"))["peer"] == "127.0.0.1"


@pytest.mark.proves("SEC-T-164")
@pytest.mark.parametrize(
    ("proxies", "expected"),
    [
        (["127.0.0.1"], "203.0.113.9"),
        (["192.0.2.0/24", "127.0.0.0/8"], "203.0.113.9"),
        (["192.0.2.0/24", "::1"], "127.0.0.1"),
    ],
)
def test_what_a_configured_proxy_says_is_logged(make_node, proxies, expected):
    node = make_node(server={"proxies": proxies})
    answer = node.exchange(with_headers("X-Forwarded-For: 198.51.100.1, 203.0.113.9"))
    assert node.line(answer.header("x-request-id"))["peer"] == expected


def test_pipelined_requests_are_answered_in_order(node):
    with node.connect() as connection:
        connection.send(GOOD, request("/health/live", b"", None, method="GET"))
        assert connection.receive().outcome == "Success"
        assert connection.receive(method="GET").body == b"live\n"


def test_request_behind_a_long_answer_does_not_cut_it(node):
    body = dialect.multipart(dialect.root(dialect.retrieve_message("size:20000000")))
    download = request("/repository", body, dialect.mtom_type())
    with node.connect() as connection:
        connection.send(download, request("/health/live", b"", None, method="GET"))
        answer = connection.receive()
        assert answer.is_whole
        assert len(answer.parts[1][1]) == 20_000_000
        assert connection.receive(method="GET").body == b"live\n"


def test_refused_request_does_not_end_the_connection_when_its_body_was_read(node):
    with node.connect() as connection:
        for _ in range(2):
            connection.send(request("/registry", b"<broken"))
            assert connection.receive().status == 400


def test_connections_wait_for_no_acknowledgement() -> None:
    """Else the end of an answer on a kept connection may wait 40 ms for the client's system."""
    with closing(_listen(Address("127.0.0.1", 0), "server.")) as listener:
        listener.setblocking(True)
        with (
            socket.create_connection(listener.getsockname(), 10),
            closing(listener.accept()[0]) as ours,
        ):
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
