"""Messages as different senders write them: all of them are understood."""

import base64
import re

import pytest

from tests.server import dialect
from tests.server.dialect import include, mtom_type, multipart, part, root
from xdsi.standard import transactions

CONTENT = b"An invented document\r\n--MIMEBoundary_1x\r\n\x00\xff\r\n--"
STORED_QUERY, RETRIEVE = transactions.STORED_QUERY, transactions.RETRIEVE


def stored(node, body, kind, names, content=CONTENT, **more):
    """Send an ITI-41 and look at what the handler was given."""
    answer = node.post("/repository", body, kind, **more)
    assert (answer.status, answer.outcome) == (200, "Success"), answer.body
    assert [node.published(name) for name in names] == [content] * len(names)
    assert node.staged == []
    return answer


def provide(*cids, **more):
    return dialect.provide_message([include(cid) for cid in cids], **more)


@pytest.mark.proves("RET-062", "SEC-T-093", "WS-053", "WS-051")
@pytest.mark.parametrize(
    ("kind", "framing"),
    [
        pytest.param(mtom_type(), {}, id="as-the-framework-writes"),
        pytest.param(mtom_type(start=None), {}, id="start-absent"),
        pytest.param(mtom_type(boundary="MIMEBoundary_1"), {}, id="boundary-unquoted"),
        pytest.param(mtom_type(start="<root@test>"), {}, id="start-unquoted"),
        pytest.param(mtom_type(start='"root@test"'), {}, id="start-without-brackets"),
        pytest.param(
            'Multipart/Related; boundary="MIMEBoundary_1"; Start-Info="application/soap+xml"; '
            'START="<root@test>"; TYPE="application/xop+xml"',
            {},
            id="other-order-and-case",
        ),
        pytest.param(
            'multipart/related;type="application/xop+xml";boundary=MIMEBoundary_1', {}, id="bare"
        ),
        pytest.param(
            'multipart/related; start="<root@test>"; boundary=MIMEBoundary_1', {}, id="type-absent"
        ),
        pytest.param("multipart/related; boundary=MIMEBoundary_1", {}, id="boundary-alone"),
        pytest.param(
            mtom_type() + '; action="urn:ihe:iti:2007:SomethingElse"', {}, id="action-wrong"
        ),
        pytest.param(
            mtom_type(boundary='"=_b?c:d"'), {"boundary": "=_b?c:d"}, id="boundary-odd-quoted"
        ),
        pytest.param(
            mtom_type(boundary="=_b?c:d"), {"boundary": "=_b?c:d"}, id="boundary-odd-unquoted"
        ),
        pytest.param(
            mtom_type(boundary=f'"{"x" * 70}"'), {"boundary": "x" * 70}, id="boundary-of-70"
        ),
        pytest.param(mtom_type(), {"preamble": b"For old mail readers."}, id="preamble"),
        pytest.param(mtom_type(), {"epilogue": b"\r\nnothing follows"}, id="epilogue"),
    ],
)
def test_multipart_frame(node, kind, framing):
    message = provide("doc@test")
    body = multipart(root(message.envelope), part(CONTENT, "<doc@test>"), **framing)
    answer = stored(node, body, kind, message.names)
    assert answer.is_mtom


@pytest.mark.proves("RET-061", "RET-062")
@pytest.mark.parametrize(
    ("href", "content_id"),
    [
        ("doc@test", "<doc@test>"),
        ("doc@test", "doc@test"),
        ("doc%40test", "<doc@test>"),
        ("doc@test", "<doc%40test>"),
        ("http://a.example/b=c", "<http://a.example/b=c>"),
        ("5%25", "<5%>"),
    ],
)
def test_content_id_in_all_spellings(node, href, content_id):
    message = provide(href)
    body = multipart(root(message.envelope), part(CONTENT, content_id))
    stored(node, body, mtom_type(), message.names)


@pytest.mark.proves("SEC-T-096", "RET-062")
@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "BINARY", None])
def test_transfer_encoding_that_changes_nothing(node, encoding):
    message = provide("doc@test")
    body = multipart(root(message.envelope), part(CONTENT, "<doc@test>", encoding=encoding))
    stored(node, body, mtom_type(), message.names)


@pytest.mark.proves("SEC-T-096", "RET-062")
@pytest.mark.parametrize("where", ["document", "root"])
def test_transfer_encoding_base64(node, where):
    message = provide("doc@test")
    encoded = base64.encodebytes(CONTENT if where == "document" else message.envelope)
    if where == "document":
        parts = (root(message.envelope), part(encoded, "<doc@test>", encoding="base64"))
    else:
        parts = (root(encoded, encoding="Base64"), part(CONTENT, "<doc@test>"))
    stored(node, multipart(*parts), mtom_type(), message.names)


@pytest.mark.proves("RET-062", "SEC-T-093")
def test_root_part_is_not_the_first(node):
    message = provide("a@test", "b@test")
    documents = [part(CONTENT, f"<{name}@test>") for name in "ab"]
    body = multipart(documents[0], root(message.envelope), documents[1])
    stored(node, body, mtom_type(), message.names)


@pytest.mark.proves("WS-053")
def test_inline_and_attached_documents_in_one_message(node):
    inline = base64.b64encode(CONTENT).decode()
    message = dialect.provide_message([include("doc@test"), inline])
    body = multipart(root(message.envelope), part(CONTENT, "<doc@test>"))
    stored(node, body, mtom_type(), message.names)


@pytest.mark.proves("WS-053", "WS-055", "WS-052")
@pytest.mark.parametrize("size", [len(CONTENT), 300_000, 3_000_000])
def test_inline_document_in_simple_soap(node, size):
    content = (CONTENT * (size // len(CONTENT) + 1))[:size]
    message = dialect.provide_message([base64.b64encode(content).decode()])
    answer = stored(node, message.envelope, dialect.SIMPLE, message.names, content)
    assert not answer.is_mtom


@pytest.mark.parametrize("name", ["CONTENT-ID", "content-id"])
def test_part_header_names_in_any_case(node, name):
    message = provide("doc@test")
    body = multipart(root(message.envelope), part(CONTENT, "<doc@test>"))
    stored(node, body.replace(b"Content-ID", name.encode()), mtom_type(), message.names)


def test_http_header_names_in_any_case(node):
    message = dialect.request("/registry", dialect.query_message())
    upper = re.sub(rb"^[\w-]+:", lambda name: name[0].upper(), message, flags=re.MULTILINE)
    head, _, _ = message.partition(b"\r\n\r\n")
    assert node.exchange(upper[: len(head)] + message[len(head) :]).outcome == "Success"


@pytest.mark.parametrize("chunks", [0, 1, 7, 1_000, 100_000])
@pytest.mark.parametrize("packaging", ["simple", "mtom"])
def test_chunked_and_with_length(node, packaging, chunks):
    if packaging == "simple":
        answer = node.post("/registry", dialect.query_message(), chunks=chunks)
        assert answer.outcome == "Success"
        return
    message = provide("doc@test")
    body = multipart(root(message.envelope), part(CONTENT, "<doc@test>"))
    stored(node, body, mtom_type(), message.names, chunks=chunks)


def test_expect_100_continue(node):
    body = dialect.query_message()
    message = dialect.request("/registry", body, headers=["Expect: 100-continue"])
    with node.connect() as connection:
        connection.send(message.removesuffix(body))
        assert connection.receive().status == 100
        connection.send(body)
        assert connection.receive().outcome == "Success"


def test_several_requests_on_one_connection(node):
    with node.connect() as connection:
        for _ in range(3):
            connection.send(dialect.request("/registry", dialect.query_message()))
            assert connection.receive().outcome == "Success"


@pytest.mark.proves("WS-042", "SEC-T-073")
@pytest.mark.parametrize(
    ("encoding", "kind"),
    [
        ("utf-8", "application/soap+xml"),
        ("utf-8", "application/soap+xml; charset=utf-8"),
        ("utf-8", 'Application/SOAP+XML; Charset="UTF-8"; action="urn:x"'),
        ("utf-8-sig", "application/soap+xml; charset=UTF-8"),
        ("utf-16", "application/soap+xml; charset=UTF-16"),
        ("utf-16", "application/soap+xml"),
    ],
)
def test_character_encodings(node, encoding, kind):
    text = dialect.query_message().decode()
    for declared in ("", f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'):
        answer = node.post("/registry", (declared + text).encode(encoding), kind)
        assert answer.outcome == "Success"
        assert answer.header("content-type") == "application/soap+xml; charset=UTF-8"


@pytest.mark.proves("WS-042", "SEC-T-073", "WS-053")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("size", [len(CONTENT), 300_000])
def test_character_encodings_of_envelopes_with_documents(node, encoding, size):
    content = (CONTENT * (size // len(CONTENT) + 1))[:size]
    inline = dialect.provide_message([base64.b64encode(content).decode()], title="Röntgen 骨")
    text = inline.envelope.decode().encode(encoding)
    stored(node, text, "application/soap+xml", inline.names, content)
    attached = dialect.provide_message([include("doc@test")], title="Röntgen 骨")
    envelope = root(
        attached.envelope.decode().encode(encoding),
        kind=f"application/xop+xml; charset={encoding.removesuffix('-sig')}",
    )
    body = multipart(envelope, part(content, "<doc@test>"))
    stored(node, body, mtom_type(), attached.names, content)


@pytest.mark.proves("WS-050", "WS-024")
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(
            lambda xml: re.sub(r"(</?)s:", r"\1", xml).replace(
                "<Envelope", f'<Envelope xmlns="{dialect.SOAP12}"'
            ),
            id="envelope-in-default-namespace",
        ),
        pytest.param(
            lambda xml: re.sub(r"(</?|xmlns:)(s|wsa|query|rim)(?=[:=])", r"\1x-\2.1", xml).replace(
                " s:must", " x-s.1:must"
            ),
            id="unusual-prefixes",
        ),
        pytest.param(lambda xml: re.sub(r">(?=<)", ">\r\n\t ", xml), id="white-space"),
        pytest.param(
            lambda xml: re.sub(r">(?=<)", "><!-- remark --><?tool data?>", xml, count=6),
            id="comments-and-instructions",
        ),
        pytest.param(lambda xml: xml.replace('="1"', "='true'"), id="must-understand-true"),
    ],
)
def test_ways_to_write_xml(node, rewrite):
    text = dialect.query_message().decode()
    changed = rewrite(text)
    assert changed != text
    assert node.post("/registry", changed.encode()).outcome == "Success"


@pytest.mark.proves("WS-024", "WS-025")
def test_default_namespace_on_every_element(node):
    message = f"""<Envelope xmlns="{dialect.SOAP12}"><Header>
        <Action xmlns="{dialect.WSA}">{RETRIEVE.action}</Action>
        <MessageID xmlns="{dialect.WSA}">urn:uuid:0aa4b2b3-1111-4f57-8d57-aaaaaaaaaaaa</MessageID>
        </Header><Body><RetrieveDocumentSetRequest xmlns="urn:ihe:iti:xds-b:2007"><DocumentRequest>
        <RepositoryUniqueId>1.2.3</RepositoryUniqueId><DocumentUniqueId>text:hello</DocumentUniqueId>
        </DocumentRequest></RetrieveDocumentSetRequest></Body></Envelope>"""
    answer = node.post("/repository", multipart(root(message.encode())), mtom_type())
    assert answer.outcome == "Success"
    assert answer.parts[1][1] == b"hello"


@pytest.mark.proves("WS-032", "WS-034")
@pytest.mark.parametrize("must", ["", *(f' s:mustUnderstand="{v}"' for v in ("0", "1", "true"))])
def test_reply_to_with_and_without_must_understand(node, must):
    reply_to = f"<wsa:ReplyTo{must}><wsa:Address>{dialect.ANONYMOUS}</wsa:Address></wsa:ReplyTo>"
    assert node.post("/registry", dialect.query_message(reply_to=reply_to)).outcome == "Success"


@pytest.mark.proves("WS-032")
def test_reply_to_absent_means_anonymous(node):
    assert node.post("/registry", dialect.query_message(reply_to="")).outcome == "Success"


@pytest.mark.proves("WS-037", "WS-041")
@pytest.mark.parametrize("must", ["1", "true"])
def test_security_header_counts_as_understood(node, must):
    security = (
        '<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/'
        f'oasis-200401-wss-wssecurity-secext-1.0.xsd" s:mustUnderstand="{must}"><w:Anything/>'
        "</w:Security>"
    )
    simple = node.post("/registry", dialect.query_message(headers=security))
    assert simple.outcome == "Success"
    message = dialect.retrieve_message("text:a", headers=security)
    assert node.post("/repository", multipart(root(message)), mtom_type()).outcome == "Success"


@pytest.mark.proves("WS-052", "WS-055")
def test_simple_soap_to_an_mtom_action_is_answered_in_simple_soap(node):
    for size in (0, 1, 2, 3, 200_000, 1_000_001):
        answer = node.post("/repository", dialect.retrieve_message(f"size:{size}", "text:hello"))
        assert answer.status == 200
        assert not answer.is_mtom
        found = answer.envelope.xpath("//*[local-name()='Document']")
        contents = [base64.b64decode(document.text or "") for document in found]
        assert contents == [bytes(size), b"hello"]


@pytest.mark.proves("WS-052", "WS-055")
def test_mtom_to_a_simple_action_is_answered_in_mtom(node):
    body = multipart(root(dialect.query_message()))
    answer = node.post("/registry", body, mtom_type())
    assert answer.outcome == "Success"
    assert answer.is_mtom


@pytest.mark.proves("WS-035")
@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ('application/soap+xml; action="urn:ihe:iti:2007:RegisterDocumentSet-b"', []),
        (dialect.SIMPLE, ['SOAPAction: "urn:ihe:iti:2007:RegisterDocumentSet-b"']),
    ],
)
def test_actions_of_the_transport_are_ignored(node, kind, headers):
    answer = node.post("/registry", dialect.query_message(), kind, headers=headers)
    assert answer.text("//wsa:Action") == STORED_QUERY.answer_action


@pytest.mark.proves("RET-064", "SEC-T-095")
def test_stray_part_of_a_retrieve_is_dropped(node):
    body = multipart(root(dialect.retrieve_message("text:a")), part(b"x" * 500_000, "<stray@x>"))
    assert node.post("/repository", body, mtom_type()).outcome == "Success"
    first = multipart(part(b"x" * 500_000, "<stray@x>"), root(dialect.retrieve_message("text:a")))
    assert node.post("/repository", first, mtom_type()).outcome == "Success"
    assert node.staged == []
    to_registry = multipart(root(dialect.query_message()), part(b"x", "<stray@x>"))
    assert node.post("/registry", to_registry, mtom_type()).outcome == "Success"


@pytest.mark.proves("SEC-T-095")
@pytest.mark.parametrize(
    ("cids", "parts", "code"),
    [
        (("a@x",), ("a@x", "stray@x"), "XDSMissingDocumentMetadata"),
        (("a@x", "gone@x"), ("a@x",), "XDSMissingDocument"),
    ],
)
def test_part_without_document_and_entry_without_part(node, cids, parts, code):
    message = provide(*cids)
    body = multipart(root(message.envelope), *(part(b"x", f"<{cid}>") for cid in parts))
    answer = node.post("/repository", body, mtom_type())
    assert (answer.status, answer.outcome, answer.errors) == (200, "Failure", [code])
    assert node.published(message.names[0]) is None
    assert node.staged == []
