"""Hostile and broken envelopes at the wire: a Sender fault each, and the node goes on.

The parser's own rules have their tests beside it; here every one is seen from outside.
"""

import re
import time

import pytest

from tests.server import dialect
from tests.server.dialect import mtom_type, multipart, root

QUERY = dialect.query_message().decode()
HEADER_END = "</s:Header>"


def refused(node, body, *fault, kind=dialect.SIMPLE, status=400):
    answer = node.post("/registry", body if isinstance(body, bytes) else body.encode(), kind)
    assert answer.status == status, answer.body
    assert answer.fault[: len(fault)] == fault
    assert answer.header("content-type").startswith("application/soap+xml")
    assert node.post("/registry", dialect.query_message()).outcome == "Success"
    return answer


def with_doctype(dtd):
    return f"<!DOCTYPE s:Envelope {dtd}>{QUERY}"


def deep(levels):
    return QUERY.replace("<s:Body>", "<s:Body>" + "<a>" * levels + "</a>" * levels)


@pytest.mark.proves("SEC-T-070", "WS-043")
@pytest.mark.parametrize(
    "dtd",
    [
        "[]",
        '[<!ENTITY a "x">]',
        '[<!ENTITY a SYSTEM "file:///etc/passwd">]',
        '[<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]',
        'SYSTEM "http://127.0.0.1:9/x.dtd"',
        'PUBLIC "a" "http://127.0.0.1:9/x.dtd"',
        '[<!ATTLIST x a CDATA "b">]',
        '[<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]',
    ],
)
def test_doctype(node, dtd):
    refused(node, with_doctype(dtd), "Sender")
    refused(node, "<!-- first -->" + with_doctype(dtd), "Sender")
    mtom = node.post("/registry", multipart(root(with_doctype(dtd).encode())), mtom_type())
    assert (mtom.status, mtom.fault) == (400, ("Sender",))


@pytest.mark.proves("SEC-T-072", "SEC-T-035", "SEC-T-037")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(deep(100_000), id="depth"),
        pytest.param(
            QUERY.replace(
                "<s:Body>", "<s:Body" + "".join(f' a{i}=""' for i in range(100_000)) + ">"
            ),
            id="attributes",
        ),
        pytest.param(
            QUERY.replace(
                "<s:Body>", "<s:Body" + "".join(f' xmlns:n{i}="u"' for i in range(100_000)) + ">"
            ),
            id="namespaces",
        ),
        pytest.param(QUERY.replace("<s:Body>", f"<s:Body a='{'x' * 9_000_000}'>"), id="attribute"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body>" + "x" * 15_000_000), id="text"),
    ],
)
def test_floods_are_refused_fast(node, body):
    before = time.monotonic()
    refused(node, body, "Sender")
    assert time.monotonic() - before < 5


@pytest.mark.proves("SEC-T-073")
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(QUERY.encode("utf-7"), "application/soap+xml; charset=UTF-7", id="utf-7"),
        pytest.param(
            ('<?xml version="1.0" encoding="UTF-7"?>' + QUERY).encode("utf-7"),
            "application/soap+xml",
            id="utf-7-declared",
        ),
        pytest.param(QUERY.encode("cp037"), "application/soap+xml", id="ebcdic"),
        pytest.param(QUERY.encode(), "application/soap+xml; charset=nonsense", id="unknown"),
        pytest.param(QUERY.encode("utf-16"), dialect.SIMPLE, id="charset-utf-8-bytes-utf-16"),
        pytest.param(
            ('<?xml version="1.0" encoding="ISO-8859-1"?>' + QUERY).encode(),
            dialect.SIMPLE,
            id="declaration-disagrees",
        ),
        pytest.param(QUERY.encode("utf-16-le"), "application/soap+xml", id="utf-16-without-mark"),
        pytest.param(QUERY.encode("utf-32"), "application/soap+xml", id="utf-32"),
        pytest.param(QUERY.encode().replace(b"urn:uuid:14", b"\xff\xfe"), dialect.SIMPLE, id="bad"),
    ],
)
def test_encodings_that_are_not_accepted(node, body, kind):
    refused(node, body, "Sender", kind=kind)


@pytest.mark.proves("SEC-T-074", "WS-080")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("   ", id="blank"),
        pytest.param("hello", id="no-xml"),
        pytest.param(QUERY[:-20], id="truncated"),
        pytest.param(QUERY.replace("</s:Body>", ""), id="not-closed"),
        pytest.param(QUERY + "<more/>", id="second-root"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body>\x01"), id="illegal-character"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body>&#0;"), id="illegal-reference"),
        pytest.param(QUERY.replace("<s:Body>", '<s:Body a="1" a="2">'), id="attribute-twice"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body><u:x/>"), id="undeclared-prefix"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body>&nbsp;"), id="unknown-entity"),
        pytest.param('<?xml version="1.1"?>' + QUERY, id="xml-1.1"),
    ],
)
def test_not_well_formed(node, body):
    refused(node, body, "Sender")


@pytest.mark.proves("SEC-T-075", "SEC-T-076")
@pytest.mark.parametrize(
    "change",
    [
        ("<s:Envelope", '<?xml-stylesheet href="http://127.0.0.1:9/a.xsl"?><s:Envelope'),
        (
            "<s:Envelope",
            '<s:Envelope xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
            'i:schemaLocation="urn:a http://127.0.0.1:9/a.xsd"',
        ),
        ("<s:Body>", '<s:Body xml:base="http://127.0.0.1:9/" id="a" href="#a">'),
    ],
)
def test_what_could_lead_outside_is_ignored(node, change):
    changed = QUERY.replace(*change)
    assert changed != QUERY
    assert node.post("/registry", changed.encode()).outcome == "Success"


@pytest.mark.proves("SEC-T-075")
def test_xinclude_is_no_body(node):
    body = re.sub(
        "<s:Body>.*</s:Body>",
        '<s:Body><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" '
        'href="file:///etc/passwd"/></s:Body>',
        QUERY,
    )
    answer = refused(node, body, "Sender", "ActionNotSupported")
    assert b"root:" not in answer.body


# SOAP and WS-Addressing


@pytest.mark.proves("SEC-T-080", "WS-080")
@pytest.mark.parametrize(
    "namespace", ["http://schemas.xmlsoap.org/soap/envelope/", "urn:another:envelope"]
)
def test_other_envelope_namespace(node, namespace):
    answer = refused(node, QUERY.replace(dialect.SOAP12, namespace), "VersionMismatch", status=500)
    upgrade = answer.envelope.xpath(
        "//env:Header/env:Upgrade/env:SupportedEnvelope/@qname", namespaces=dialect.NAMES
    )
    assert upgrade == ["env:Envelope"]
    assert answer.text("//wsa:Action").endswith("/addressing/soap/fault")


def block(attributes):
    return QUERY.replace(HEADER_END, f'<x:Unheard xmlns:x="urn:x" {attributes}/>{HEADER_END}')


@pytest.mark.proves("SEC-T-081", "WS-037")
@pytest.mark.parametrize(
    "role",
    [
        "",
        's:role="http://www.w3.org/2003/05/soap-envelope/role/next"',
        's:role="http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"',
    ],
)
@pytest.mark.parametrize("must", ["1", "true"])
def test_header_that_must_be_understood(node, must, role):
    body = block(f's:mustUnderstand="{must}" {role}')
    answer = refused(node, body, "MustUnderstand", status=500)
    names = answer.envelope.xpath("//env:NotUnderstood/@qname", namespaces=dialect.NAMES)
    assert [name.rpartition(":")[2] for name in names] == ["Unheard"]


@pytest.mark.proves("SEC-T-081")
@pytest.mark.parametrize(
    "attributes",
    [
        "",
        's:mustUnderstand="0"',
        's:mustUnderstand="false"',
        's:mustUnderstand="1" s:role="urn:somebody:else"',
        's:mustUnderstand="1" s:role="http://www.w3.org/2003/05/soap-envelope/role/none"',
    ],
)
def test_header_that_need_not_be_understood(node, attributes):
    assert node.post("/registry", block(attributes).encode()).outcome == "Success"


_BODY = re.compile("<s:Body>.*</s:Body>")


@pytest.mark.proves("SEC-T-082", "WS-040")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_BODY.sub("", QUERY), id="no-body"),
        pytest.param(_BODY.sub(r"\g<0>\g<0>", QUERY), id="two-bodies"),
        pytest.param(_BODY.sub("<s:Body/>", QUERY), id="empty-body"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body><a/>"), id="two-children"),
        pytest.param(QUERY.replace("<s:Body>", "<s:Body>text"), id="text-in-body"),
        pytest.param(
            re.sub("(<s:Header>.*</s:Header>)(<s:Body>.*</s:Body>)", r"\2\1", QUERY),
            id="header-behind-body",
        ),
        pytest.param(re.sub("(<s:Header>.*</s:Header>)", r"\1\1", QUERY), id="two-headers"),
        pytest.param(
            _BODY.sub(
                "<s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault></s:Body>",
                QUERY,
            ),
            id="a-fault",
        ),
        pytest.param("<a/>", id="no-envelope"),
    ],
)
def test_envelope_of_another_shape(node, body):
    refused(node, body, "Sender")


@pytest.mark.proves("SEC-T-083", "WS-036", "WS-038", "SEC-T-055", "XC-007")
@pytest.mark.parametrize(
    ("change", "subcodes"),
    [
        (("(?s)<wsa:.*</wsa:[A-Za-z]+>", ""), ["MessageAddressingHeaderRequired"]),
        (("<wsa:Action.*</wsa:Action>", ""), ["MessageAddressingHeaderRequired"]),
        (("<wsa:Action.*</wsa:Action>", "<wsa:Action/>"), ["MessageAddressingHeaderRequired"]),
        (("<wsa:MessageID>.*</wsa:MessageID>", ""), ["MessageAddressingHeaderRequired"]),
        (
            ("<wsa:Action.*</wsa:Action>", r"\g<0>\g<0>"),
            ["InvalidAddressingHeader", "InvalidCardinality"],
        ),
        (
            ("<wsa:MessageID>.*</wsa:MessageID>", r"\g<0>\g<0>"),
            ["InvalidAddressingHeader", "InvalidCardinality"],
        ),
        ((">urn:ihe:iti:2007:RegistryStoredQuery<", ">urn:x<"), ["ActionNotSupported"]),
        (
            (">urn:ihe:iti:2007:RegistryStoredQuery<", ">urn:ihe:iti:2007:RetrieveDocumentSet<"),
            ["ActionNotSupported"],
        ),
        (
            (">urn:ihe:iti:2007:RegistryStoredQuery<", ">urn:ihe:iti:2007:RegisterDocumentSet-b<"),
            ["ActionNotSupported"],
        ),
    ],
)
def test_addressing_that_breaks_a_rule(node, change, subcodes):
    changed = re.sub(*change, QUERY)
    assert changed != QUERY
    answer = refused(node, changed, "Sender", *subcodes)
    assert answer.text("//wsa:Action") == "http://www.w3.org/2005/08/addressing/fault"
    mtom = node.post("/registry", multipart(root(changed.encode())), mtom_type())
    assert (mtom.status, mtom.is_mtom, mtom.fault[1:]) == (400, True, tuple(subcodes))


@pytest.mark.proves("SEC-T-084", "WS-060")
@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/steal", "http://www.w3.org/2005/08/addressing/none", "file:///etc/passwd"],
)
def test_answers_go_nowhere_else(node, name, address):
    header = f"<wsa:{name}><wsa:Address>{address}</wsa:Address></wsa:{name}>"
    more = {"reply_to": header} if name == "ReplyTo" else {"headers": header}
    body = dialect.query_message(**more)
    refused(node, body, "Sender", "InvalidAddressingHeader", "OnlyAnonymousAddressSupported")


@pytest.mark.proves("SEC-T-085")
@pytest.mark.parametrize("name", ["MessageID", "To", "RelatesTo"])
def test_addresses_above_1_kib(node, name):
    if name == "MessageID":
        body = dialect.query_message(message_id="x" * 1025)
    else:
        body = dialect.query_message(headers=f"<wsa:{name}>{'x' * 1025}</wsa:{name}>")
    refused(node, body, "Sender")


@pytest.mark.proves("WS-039")
def test_to_is_not_checked(node):
    body = dialect.query_message(headers="<wsa:To>http://elsewhere.example/registry</wsa:To>")
    assert node.post("/registry", body).outcome == "Success"


@pytest.mark.proves("WS-080", "WS-083")
def test_body_whose_frame_is_wrong(node):
    empty = '<AdhocQueryRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"/>'
    refused(node, _BODY.sub(f"<s:Body>{empty}</s:Body>", QUERY), "Sender")


@pytest.mark.proves("WS-082", "SEC-T-055")
def test_faults_have_the_status_of_their_code(node):
    found = {}
    for body in (
        QUERY[:-5],
        QUERY.replace(dialect.SOAP12, "urn:x"),
        block('s:mustUnderstand="1"'),
        dialect.query_message("raise").decode(),
    ):
        answer = node.post("/registry", body.encode())
        found[answer.fault[0]] = answer.status
    assert found == {"Sender": 400, "VersionMismatch": 500, "MustUnderstand": 500, "Receiver": 500}


@pytest.mark.proves("WS-038")
def test_relates_to_stands_in_faults_wherever_the_message_id_could_be_read(node):
    message_id = "urn:uuid:0aa4b2b3-1111-4f57-8d57-aaaaaaaaaaaa"
    body = dialect.query_message(message_id=message_id).decode()
    for changed in (
        body.replace(":RegistryStoredQuery<", ":Nothing<"),
        body.replace("<s:Body>", "<s:Body><a/>"),
        re.sub("<wsa:Action.*</wsa:Action>", "", body),
    ):
        answer = node.post("/registry", changed.encode())
        assert answer.status == 400
        assert answer.text("//wsa:RelatesTo") == message_id
