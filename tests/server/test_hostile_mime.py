"""Hostile and broken multipart bodies at the wire: a Sender fault, nothing staged or published."""

import pytest

from tests.server import dialect
from tests.server.dialect import BOUNDARY, include, mtom_type, multipart, part, root

DOCUMENT = b"x" * 70_000


def provide(*cids):
    return dialect.provide_message([include(cid) for cid in cids])


def refused(node, message, body, kind=None, **more):
    """A Sender fault in the packaging of the request, and nothing left."""
    before = len(node.log)
    answer = node.post("/repository", body, kind or mtom_type(), **more)
    assert answer.status == 400, answer.body
    assert answer.fault == ("Sender",)
    assert answer.is_mtom
    assert all(node.published(name) is None for name in message.names)
    assert node.staged == []
    assert len(node.log) >= before
    return answer


def whole(message, *parts):
    return multipart(root(message.envelope), *(parts or (part(DOCUMENT, "<doc@x>"),)))


@pytest.mark.proves("SEC-T-090", "WS-056", "WS-080")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param('multipart/related; type="application/xop+xml"', id="missing"),
        pytest.param(mtom_type('""'), id="empty"),
        pytest.param(mtom_type(f'"{"x" * 71}"'), id="above-70"),
        pytest.param(mtom_type('"another"'), id="not-in-the-body"),
        pytest.param(mtom_type() + f'; boundary="{BOUNDARY}"', id="given-twice"),
        pytest.param(mtom_type('"a\u00e4"'), id="not-ascii"),
    ],
)
def test_boundary(node, kind):
    message = provide("doc@x")
    refused(node, message, whole(message), kind)


@pytest.mark.proves("SEC-T-091")
@pytest.mark.parametrize(
    "cut", [10, 30, 1000, len(DOCUMENT), len(DOCUMENT) + 200], ids=lambda n: f"last-{n}"
)
def test_body_that_ends_too_early(node, cut):
    message = provide("doc@x")
    refused(node, message, whole(message)[:-cut])


@pytest.mark.proves("SEC-T-091")
def test_connection_that_ends_too_early(node):
    message = provide("doc@x")
    request = dialect.request("/repository", whole(message), mtom_type())
    with node.connect() as connection:
        connection.send(request[:-1000])
    assert dialect.wait_for(lambda: node.staged == [])
    assert node.published(message.names[0]) is None


@pytest.mark.proves("SEC-T-092")
def test_text_that_looks_like_a_boundary(node):
    content = b"\r\n".join(
        (
            b"--" + BOUNDARY.encode() + b"x",
            b"a--" + BOUNDARY.encode(),
            b"\n--" + BOUNDARY.encode(),
            b"--" + BOUNDARY.encode()[:-1],
            b"-" * 100_000,
        )
    )
    message = provide("doc@x")
    answer = node.post(
        "/repository", whole(message, part(content, "<doc@x>")), mtom_type(), chunks=4093
    )
    assert answer.outcome == "Success"
    assert node.published(message.names[0]) == content


@pytest.mark.proves("SEC-T-093")
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param(mtom_type(start='"<nobody@x>"'), None, id="start-names-no-part"),
        pytest.param(
            mtom_type(),
            (b'application/xop+xml; charset=UTF-8; type="application/soap+xml"', b"text/xml"),
            id="root-of-another-type",
        ),
        pytest.param(
            f"multipart/related; boundary={BOUNDARY}",
            (b'application/xop+xml; charset=UTF-8; type="application/soap+xml"', b"text/xml"),
            id="no-type-and-root-of-another-type",
        ),
        pytest.param(mtom_type() + '; start="<root@test>"', None, id="start-twice"),
    ],
)
def test_root_part(node, kind, change):
    message = provide("doc@x")
    body = whole(message)
    refused(node, message, body.replace(*change) if change else body, kind)


@pytest.mark.proves("SEC-T-093", "SEC-T-090")
def test_no_part_at_all(node):
    message = provide("doc@x")
    refused(node, message, f"--{BOUNDARY}--\r\n".encode())


@pytest.mark.proves("SEC-T-094")
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([part(b"1", "<doc@x>"), part(b"2", "<doc@x>")], id="content-id-twice"),
        pytest.param([part(b"1", "<doc@x>"), part(b"2", "<doc%40x>")], id="twice-when-decoded"),
        pytest.param([part(b"1", "<doc@x>"), part(b"2", None)], id="content-id-missing"),
        pytest.param([part(b"1", "<root@test>")], id="content-id-of-the-root"),
    ],
)
def test_content_ids(node, parts):
    message = provide("doc@x")
    refused(node, message, whole(message, *parts))


@pytest.mark.proves("SEC-T-094")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(include("doc@x").replace("cid:doc@x", "http://127.0.0.1:9/x"), id="http"),
        pytest.param(include("doc@x").replace("cid:doc@x", "file:///etc/passwd"), id="file"),
        pytest.param(include("doc@x").replace("cid:doc@x", ""), id="empty"),
        pytest.param(include("doc@x") + "<a/>", id="sibling"),
        pytest.param(include("doc@x") + "text", id="text-beside"),
        pytest.param(include("doc@x") * 2, id="two-includes"),
    ],
)
def test_includes_that_are_never_followed(node, content):
    message = dialect.provide_message([content])
    refused(node, message, whole(message))


@pytest.mark.proves("SEC-T-094", "SEC-T-095")
@pytest.mark.parametrize("cid", ["nobody@x", "root@test"])
def test_include_without_part(node, cid):
    message = provide(cid)
    answer = node.post("/repository", multipart(root(message.envelope)), mtom_type())
    assert (answer.status, answer.errors) == (200, ["XDSMissingDocument"])


@pytest.mark.proves("SEC-T-096")
@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("quoted-printable", DOCUMENT),
        ("x-uuencode", DOCUMENT),
        ("base64", b"!!!not base64!!!"),
        ("base64", b"QUJD="),
        ("base64", b"QUJDR"),
    ],
)
def test_transfer_encodings(node, encoding, content):
    message = provide("doc@x")
    refused(node, message, whole(message, part(content, "<doc@x>", encoding=encoding)))


@pytest.mark.proves("SEC-T-097", "SEC-T-039")
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(part(b"x", "<doc@x>", headers=["X-A: b"] * 31), id="headers-above-32"),
        pytest.param(
            part(b"x", "<doc@x>", headers=["X-A: " + "b" * 17_000]), id="block-above-16-KiB"
        ),
        pytest.param(part(b"x", "<doc@x>", headers=["X-A: b" + "c" * 500_000]), id="far-above"),
        pytest.param(part(b"x", "<doc@x>", headers=["no colon here"]), id="no-colon"),
        pytest.param(part(b"x", "<doc@x>", headers=["X-A: \0"]), id="nul"),
        pytest.param(b"X-Endless: " + b"a" * 100_000, id="headers-without-end"),
        pytest.param(
            part(b"x", "<doc@x>", headers=["Content-Type: text/plain"]), id="header-given-twice"
        ),
    ],
)
def test_part_headers(node, broken):
    message = provide("doc@x")
    refused(node, message, whole(message, broken))


@pytest.mark.proves("SEC-T-039")
def test_headers_at_the_limit(node):
    message = provide("doc@x")
    # three headers are there already
    good = part(b"x", "<doc@x>", headers=[f"X-{n}: b" for n in range(29)])
    assert node.post("/repository", whole(message, good), mtom_type()).outcome == "Success"


@pytest.mark.proves("SEC-T-097")
def test_nested_multipart_is_plain_content(node):
    inner = multipart(part(b"1", "<in@x>"), boundary="inner")
    message = provide("doc@x")
    nested = part(inner, "<doc@x>", kind='multipart/mixed; boundary="inner"')
    assert node.post("/repository", whole(message, nested), mtom_type()).outcome == "Success"
    assert node.published(message.names[0]) == inner


@pytest.mark.proves("SEC-T-099")
@pytest.mark.parametrize(
    ("cid", "errors"),
    [
        pytest.param("../../etc/passwd", [], id="path"),
        pytest.param("a'or'1'='1", [], id="sql"),
        pytest.param("%0d%0aX-Injected: 1", [], id="header"),
        pytest.param("a&b<c>", [], id="markup"),
        # octets in a header field are not the characters of an href
        pytest.param(
            "\u202ereversed", ["XDSMissingDocumentMetadata", "XDSMissingDocument"], id="not-ascii"
        ),
    ],
)
def test_content_id_is_plain_data(node, cid, errors):
    escaped = cid.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    message = dialect.provide_message([include(escaped)])
    # other tests of the session publish on the same node, under names of their own
    before = node.names
    answer = node.post(
        "/repository",
        multipart(root(message.envelope), part(DOCUMENT, f"<{cid}>")),
        mtom_type(),
    )
    assert (answer.status, answer.errors) == (200, errors)
    assert answer.header("x-injected") is None
    assert node.staged == []
    assert node.names - before == (set() if errors else set(message.names))
