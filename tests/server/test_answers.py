"""What answers look like: actions, relations, packaging, contracts, errors."""

import re

import pytest

from tests.server import dialect
from tests.server.dialect import include, mtom_type, multipart, part, root
from xdsi.standard import transactions
from xdsi.standard.transactions import TRANSACTIONS

MESSAGE_ID = "urn:uuid:0aa4b2b3-1111-4f57-8d57-aaaaaaaaaaaa"


def _request(row):
    """Path, body and media type of a good request of a transaction, packaged as it wants."""
    match row.id:
        case "ITI-42":
            return "/registry", dialect.envelope(
                dialect.submit_body(), row.action, message_id=MESSAGE_ID
            )
        case "ITI-18":
            return "/registry", dialect.query_message(message_id=MESSAGE_ID)
        case "ITI-41":
            message = dialect.provide_message([include("doc@x")], message_id=MESSAGE_ID)
            return "/repository", multipart(root(message.envelope), part(b"x", "<doc@x>"))
        case "ITI-43":
            message = dialect.retrieve_message("text:a", message_id=MESSAGE_ID)
            return "/repository", multipart(root(message))
    raise AssertionError(row.id)


SERVED = ("ITI-18", "ITI-41", "ITI-42", "ITI-43")


@pytest.mark.proves(
    *("WS-001", "WS-003", "WS-004", "WS-005", "WS-014", "WS-015", "WS-016", "WS-017", "WS-020"),
    *("WS-021", "WS-030", "WS-031", "WS-033", "WS-040", "WS-050", "WS-051", "WS-052", "WS-082"),
    *("RET-001", "RET-002"),
)
@pytest.mark.parametrize("name", SERVED)
def test_answer_of_each_transaction(node, name):
    row = TRANSACTIONS[name]
    path, body = _request(row)
    kind = mtom_type() if row.is_mtom else dialect.SIMPLE
    answer = node.post(path, body, kind)
    assert answer.status == 200
    assert answer.is_mtom == row.is_mtom
    envelope = answer.envelope
    assert envelope.tag == f"{{{dialect.SOAP12}}}Envelope"
    (action,) = envelope.xpath("//env:Header/wsa:Action", namespaces=dialect.NAMES)
    assert action.text == row.answer_action
    assert action.get(f"{{{dialect.SOAP12}}}mustUnderstand") == "1"
    assert answer.text("//env:Header/wsa:RelatesTo") == MESSAGE_ID
    fresh = answer.text("//env:Header/wsa:MessageID")
    assert fresh is not None and re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", fresh)
    assert fresh != MESSAGE_ID
    (body_child,) = envelope.xpath("//env:Body/*", namespaces=dialect.NAMES)
    assert body_child.tag == row.answer_tag


@pytest.mark.proves("WS-033")
def test_message_ids_are_fresh(node):
    found = {
        node.post("/registry", dialect.query_message()).text("//wsa:MessageID") for _ in range(5)
    }
    assert len(found) == 5


@pytest.mark.proves("RET-060", "WS-051", "WS-023")
def test_mtom_answer_is_written_strictly(node):
    body = multipart(root(dialect.retrieve_message("text:one", "text:two")))
    answer = node.post("/repository", body, mtom_type())
    kind = answer.header("content-type")
    found = re.fullmatch(
        r'multipart/related; type="application/xop\+xml"; start="<([^>]+)>"; '
        r'start-info="application/soap\+xml"; boundary="[0-9A-Za-z-]+"',
        kind,
    )
    assert found
    (first, _), *others = answer.parts
    assert first["content-id"] == f"<{found[1]}>"
    assert first["content-type"] == (
        'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    )
    includes = list(answer.envelope.iter("{http://www.w3.org/2004/08/xop/include}Include"))
    hrefs = [each.get("href") for each in includes]
    assert [f"cid:{head['content-id'][1:-1]}" for head, _ in others] == hrefs
    assert [content for _, content in others] == [b"one", b"two"]
    assert int(answer.header("content-length")) == len(answer.body)
    again = node.post("/repository", body, mtom_type())
    assert again.header("content-type") != kind


@pytest.mark.proves("WS-051", "RET-060")
def test_mtom_even_when_nothing_is_attached(node):
    answer = node.post(
        "/repository", multipart(root(dialect.retrieve_message("none"))), mtom_type()
    )
    assert answer.is_mtom
    assert len(answer.parts) == 1
    assert answer.outcome == "Failure"


@pytest.mark.proves("WS-081", "WS-082", "SEC-T-055")
@pytest.mark.parametrize(
    ("path", "message", "kind", "codes"),
    [
        (
            "/registry",
            dialect.query_message("error:x"),
            dialect.SIMPLE,
            ["XDSUnknownStoredQuery"],
        ),
        (
            "/registry",
            dialect.query_message("group"),
            dialect.SIMPLE,
            ["XDSStoredQueryMissingParam", "XDSStoredQueryParamNumber"],
        ),
        (
            "/repository",
            multipart(root(dialect.retrieve_message("gone", "lost"))),
            mtom_type(),
            ["XDSDocumentUniqueIdError"] * 2,
        ),
    ],
    ids=["one", "nested-groups", "mtom"],
)
def test_findings_travel_in_an_ordinary_answer(node, path, message, kind, codes):
    answer = node.post(path, message, kind)
    assert (answer.status, answer.outcome, answer.errors) == (200, "Failure", codes)
    assert answer.is_mtom == kind.startswith("multipart")


@pytest.mark.proves("SEC-T-126")
def test_one_bad_item_among_good_ones(node):
    answer = node.post(
        "/repository", multipart(root(dialect.retrieve_message("text:a", "gone"))), mtom_type()
    )
    assert (answer.outcome, answer.errors) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])
    assert [content for _, content in answer.parts[1:]] == [b"a"]


def test_warning_with_success(node):
    title = dialect.samples.InternationalString.of("warn")
    body = dialect.envelope(dialect.submit_body(title=title), transactions.REGISTER.action)
    answer = node.post("/registry", body)
    assert (answer.outcome, answer.errors) == ("Success", ["XDSExtraMetadataNotSaved"])


@pytest.mark.proves("WS-033", "SEC-T-085")
@pytest.mark.parametrize("value", ["a&amp;b&lt;c&gt;", "&quot;'", "x" * 1024, "ä€😀", "]]&gt;"])
def test_message_id_is_echoed_escaped(node, value):
    answer = node.post("/registry", dialect.query_message(message_id=value))
    expected = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    assert answer.text("//wsa:RelatesTo") == expected.replace("&amp;", "&")
    fault = node.post("/registry", dialect.query_message("fault", message_id=value))
    assert fault.text("//wsa:RelatesTo") == expected.replace("&amp;", "&")


@pytest.mark.proves("SEC-T-057")
def test_ticket_in_every_answer_and_no_product_versions(node):
    answers = [
        node.post("/registry", dialect.query_message()),
        node.post("/registry", dialect.query_message("fault")),
        node.post("/registry", b"<a/>", "text/xml"),
        node.get("/nowhere"),
        node.get("/health/live"),
        node.get("/metrics"),
    ]
    tickets = [answer.header("x-request-id") for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{32}", ticket) for ticket in tickets)
    assert len(set(tickets)) == len(tickets)
    assert tickets[1] in answers[1].text("//env:Reason/env:Text")
    for answer in answers:
        assert answer.header("server") == "xdsi"
        assert b"granian" not in answer.body
        assert b"spyne" not in answer.body.lower()


@pytest.mark.proves("WS-074")
@pytest.mark.parametrize(
    ("path", "actor"), [("/registry", "Registry"), ("/repository", "Repository")]
)
def test_contract_names_the_endpoint(node, path, actor):
    answer = node.get(path + "?wsdl")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/xml")
    text = answer.body.decode()
    assert f'location="{node.address}{path}"' in text
    assert f"Document{actor}" in text
    assert node.get(path + "?WSDL").body == answer.body
    names = re.findall(r"\?xsd=([\w.-]+)", text)
    assert names
    for name in names:
        schema = node.get(f"{path}?xsd={name}")
        assert schema.status == 200 and b"schema" in schema.body


def test_host_header_is_never_believed(node):
    answer = node.get("/registry?wsdl", host="evil.example")
    assert b"evil.example" not in answer.body


@pytest.mark.proves("SEC-T-163")
@pytest.mark.parametrize("name", ["../config.py", "..%2fconfig.py", "nothing.xsd", ""])
def test_schema_that_is_not_there(node, name):
    assert node.get(f"/registry?xsd={name}").status == 404
