"""SOAP 1.2 envelopes and WS-Addressing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xdsi.model.errors import SoapFault
from xdsi.standard import namespaces as ns
from xdsi.standard.namespaces import tag
from xdsi.wire import addressing, safexml, soap
from xdsi.wire.addressing import AddressingFault
from xdsi.wire.soap import Envelope, ReceivedFault

ACTION = "<a:Action>urn:ihe:iti:2007:RegistryStoredQuery</a:Action>"
MESSAGE_ID = "<a:MessageID>urn:uuid:1</a:MessageID>"
ANONYMOUS = f"<a:Address>{ns.WSA_ANONYMOUS}</a:Address>"
REPLY_TO = f"<a:ReplyTo>{ANONYMOUS}</a:ReplyTo>"
GOOD = ACTION + MESSAGE_ID + REPLY_TO
SECURITY = f'<w:Security xmlns:w="{ns.WSSE}" s:mustUnderstand="1"/>'
ROLE = ns.SOAP12 + "/role/"


def wrapped(inner: str, namespace: str = ns.SOAP12, name: str = "Envelope") -> etree._Element:
    data = f'<s:{name} xmlns:s="{namespace}" xmlns:a="{ns.WSA}">{inner}</s:{name}>'
    return safexml.parse(data.encode())


def request(headers: str = GOOD, body: str = "<r xmlns='urn:r'/>") -> etree._Element:
    return wrapped(f"<s:Header>{headers}</s:Header><s:Body>{body}</s:Body>")


def refused(root: etree._Element, **options: bool) -> SoapFault:
    with pytest.raises(SoapFault) as fault:
        soap.read_envelope(root, **options)
    return fault.value


# A good request


@pytest.mark.proves("WS-030", "WS-033", "WS-034", "WS-040", "XC-006")
@pytest.mark.parametrize("must", ["", ' s:mustUnderstand="1"', ' s:mustUnderstand="true"'])
def test_a_request_is_read(must: str) -> None:
    envelope = soap.read_envelope(
        request(
            ACTION.replace(">urn", f"{must}>\n urn").replace("</", "\n</")
            + MESSAGE_ID
            + REPLY_TO
            + "<a:To>https://registry.example/registry</a:To>"
        )
    )
    assert envelope.action == "urn:ihe:iti:2007:RegistryStoredQuery"
    assert envelope.message_id == "urn:uuid:1"
    assert envelope.reply_to == ns.WSA_ANONYMOUS
    assert envelope.to == "https://registry.example/registry"
    assert (envelope.relates_to, envelope.fault_to, envelope.has_security) == (None, None, False)
    assert envelope.body.tag == "{urn:r}r"
    assert len(envelope.headers) == 4


@pytest.mark.proves("WS-032", "XC-079")
@pytest.mark.parametrize(
    "reply_to", ["", REPLY_TO, REPLY_TO.replace("ReplyTo>", 'ReplyTo s:mustUnderstand="1">', 1)]
)
def test_reply_to_may_be_absent_or_mandatory(reply_to: str) -> None:
    envelope = soap.read_envelope(request(ACTION + MESSAGE_ID + reply_to))
    assert envelope.reply_to == (ns.WSA_ANONYMOUS if reply_to else None)


@pytest.mark.proves("WS-037", "WS-041")
def test_a_security_header_counts_as_understood() -> None:
    envelope = soap.read_envelope(request(GOOD + SECURITY))
    assert envelope.has_security
    assert envelope.headers[-1].tag == tag(ns.WSSE, "Security")


@pytest.mark.proves("WS-039")
def test_to_is_not_judged() -> None:
    assert soap.read_envelope(request(GOOD + "<a:To>urn:elsewhere</a:To>")).to == "urn:elsewhere"


# The frame


@pytest.mark.proves("SEC-T-080", "WS-080")
@pytest.mark.parametrize("namespace", [ns.SOAP11, "http://www.w3.org/2001/12/soap-envelope", "u"])
def test_other_soap_versions_are_a_version_mismatch(namespace: str) -> None:
    fault = refused(wrapped("<s:Body><r/></s:Body>", namespace))
    assert (fault.code, fault.status) == ("VersionMismatch", 500)


def test_an_envelope_without_namespace_is_a_version_mismatch() -> None:
    assert refused(safexml.parse(b"<Envelope/>")).code == "VersionMismatch"


BODY = "<s:Body><r/></s:Body>"
HEADER = f"<s:Header>{GOOD}</s:Header>"
FRAMES = {
    "no envelope": wrapped(HEADER + BODY, name="Envelop"),
    "another root": safexml.parse(b"<a/>"),
    "nothing in it": wrapped(""),
    "no Body": wrapped(HEADER),
    "two Bodies": wrapped(HEADER + BODY + BODY),
    "two Headers": wrapped(HEADER + HEADER + BODY),
    "Header behind Body": wrapped(BODY + HEADER),
    "stranger behind Body": wrapped(HEADER + BODY + "<x/>"),
    "stranger before Body": wrapped(HEADER + "<x/>" + BODY),
    "Body of another namespace": wrapped(HEADER + "<Body><r/></Body>"),
    "empty Body": wrapped(HEADER + "<s:Body/>"),
    "blank Body": wrapped(HEADER + "<s:Body> </s:Body>"),
    "text alone in Body": wrapped(HEADER + "<s:Body>x</s:Body>"),
    "text in Body": wrapped(HEADER + "<s:Body><r/>x</s:Body>"),
    "two in Body": request(body="<r/><r/>"),
    "text in Envelope": wrapped("x" + HEADER + BODY),
    "text between": wrapped(HEADER + "x" + BODY),
    "text in Header": wrapped("<s:Header>x</s:Header>" + BODY),
    "text behind a header": request(GOOD + "x"),
    "header without namespace": request(GOOD + "<x/>"),
    "Fault as request": request(body="<s:Fault/>"),
    "mustUnderstand no boolean": request(GOOD + '<x xmlns="u" s:mustUnderstand="yes"/>'),
}


@pytest.mark.proves("SEC-T-082", "WS-040")
@pytest.mark.parametrize("root", FRAMES.values(), ids=FRAMES.keys())
def test_a_bad_frame_is_a_sender_fault(root: etree._Element) -> None:
    fault = refused(root)
    assert (fault.code, fault.status, fault.subcodes) == ("Sender", 400, ())


@pytest.mark.proves("SEC-T-036")
@pytest.mark.parametrize(("count", "is_good"), [(64, True), (65, False), (5000, False)])
def test_number_of_header_blocks_is_limited(count: int, is_good: bool) -> None:
    root = request(GOOD + "<x xmlns='u'/>" * (count - 3))
    if is_good:
        assert len(soap.read_envelope(root).headers) == count
    else:
        assert "64 header blocks" in refused(root).reason


# mustUnderstand


def block(name: str = "x", must: str | None = "1", role: str | None = None) -> str:
    attributes = "" if must is None else f' s:mustUnderstand="{must}"'
    attributes += "" if role is None else f' s:role="{role}"'
    return f'<{name} xmlns="urn:u"{attributes}/>'


@pytest.mark.proves("SEC-T-081", "WS-037")
@pytest.mark.parametrize("must", ["1", "true", " true "])
@pytest.mark.parametrize("role", [None, "", ROLE + "ultimateReceiver", ROLE + "next"])
def test_a_mandatory_unknown_header_is_refused(must: str, role: str | None) -> None:
    fault = refused(request(GOOD + block("x", must, role) + block("y") + block("x")))
    assert (fault.code, fault.status) == ("MustUnderstand", 500)
    assert fault.not_understood == ("{urn:u}x", "{urn:u}y")


@pytest.mark.proves("SEC-T-081", "WS-037")
@pytest.mark.parametrize(
    ("must", "role"),
    [("0", None), ("false", None), (None, None), ("1", ROLE + "none"), ("1", "urn:other"),
     ("true", ROLE + "none"), ("no boolean", "urn:other")],
)  # fmt: skip
def test_other_unknown_headers_are_ignored(must: str | None, role: str | None) -> None:
    assert soap.read_envelope(request(GOOD + block("x", must, role))).message_id == "urn:uuid:1"


@pytest.mark.proves("WS-037")
def test_a_transaction_may_know_further_headers() -> None:
    root = request(GOOD + block("x"))
    assert soap.read_envelope(root, understood={"{urn:u}x"}).action
    assert refused(root).code == "MustUnderstand"


@pytest.mark.proves("WS-037")
def test_an_unknown_name_of_the_addressing_namespace_is_not_understood() -> None:
    fault = refused(request(GOOD + '<a:Bogus s:mustUnderstand="1"/>'))
    assert fault.not_understood == (tag(ns.WSA, "Bogus"),)


def test_must_understand_is_judged_before_addressing() -> None:
    assert refused(request(block())).code == "MustUnderstand"


# Addressing

REQUIRED = (addressing.HEADER_REQUIRED,)
CARDINALITY = (addressing.INVALID_HEADER, addressing.INVALID_CARDINALITY)
ONLY_ANONYMOUS = (addressing.INVALID_HEADER, addressing.ONLY_ANONYMOUS)
NO_ADDRESS = (addressing.INVALID_HEADER, addressing.MISSING_ADDRESS)


def endpoint(name: str, address: str) -> str:
    return f"<a:{name}><a:Address>{address}</a:Address></a:{name}>"


HEADERS = {
    "no Action": (MESSAGE_ID + REPLY_TO, REQUIRED, "Action"),
    "empty Action": ("<a:Action> </a:Action>" + MESSAGE_ID, REQUIRED, "Action"),
    "Action for another role": (
        ACTION.replace(">", ' s:role="urn:other">', 1) + MESSAGE_ID, REQUIRED, "Action",
    ),
    "Action of another namespace": (ACTION.replace("a:", "s:") + MESSAGE_ID, REQUIRED, "Action"),
    "no header at all": ("", REQUIRED, "Action"),
    "no MessageID": (ACTION + REPLY_TO, REQUIRED, "MessageID"),
    "empty MessageID": (ACTION + "<a:MessageID/>", REQUIRED, "MessageID"),
    "two Actions": (GOOD + ACTION, CARDINALITY, "Action"),
    "two MessageIDs": (GOOD + MESSAGE_ID, CARDINALITY, "MessageID"),
    "two ReplyTos": (GOOD + REPLY_TO, CARDINALITY, "ReplyTo"),
    "two Tos": (GOOD + "<a:To>u</a:To><a:To>u</a:To>", CARDINALITY, "To"),
    "two FaultTos": (GOOD + endpoint("FaultTo", ns.WSA_ANONYMOUS) * 2, CARDINALITY, "FaultTo"),
    "ReplyTo without address": (ACTION + MESSAGE_ID + "<a:ReplyTo/>", NO_ADDRESS, "ReplyTo"),
    "ReplyTo with empty address": (
        ACTION + MESSAGE_ID + endpoint("ReplyTo", " "), NO_ADDRESS, "ReplyTo",
    ),
    "ReplyTo with two addresses": (
        ACTION + MESSAGE_ID + f"<a:ReplyTo>{ANONYMOUS * 2}</a:ReplyTo>", NO_ADDRESS, "ReplyTo",
    ),
    "ReplyTo elsewhere": (
        ACTION + MESSAGE_ID + endpoint("ReplyTo", "http://127.0.0.1/x"), ONLY_ANONYMOUS, "ReplyTo",
    ),
    "ReplyTo nowhere": (
        ACTION + MESSAGE_ID + endpoint("ReplyTo", ns.WSA + "/none"), ONLY_ANONYMOUS, "ReplyTo",
    ),
    "FaultTo elsewhere": (
        GOOD + endpoint("FaultTo", "http://127.0.0.1/x"), ONLY_ANONYMOUS, "FaultTo",
    ),
}  # fmt: skip


@pytest.mark.proves("SEC-T-083", "SEC-T-084", "WS-036")
@pytest.mark.parametrize(("headers", "subcodes", "problem"), HEADERS.values(), ids=HEADERS.keys())
def test_bad_addressing_is_answered_as_ws_addressing_says(
    headers: str, subcodes: tuple[str, ...], problem: str
) -> None:
    fault = refused(request(headers))
    assert isinstance(fault, AddressingFault)
    assert (fault.code, fault.status) == ("Sender", 400)
    assert fault.subcodes == subcodes
    assert fault.problem_header == tag(ns.WSA, problem)


@pytest.mark.proves("WS-036", "SEC-T-083")
def test_a_request_without_header_lacks_its_action() -> None:
    assert refused(wrapped("<s:Body><r/></s:Body>")).subcodes == REQUIRED


def test_other_addresses_are_handed_on_where_the_caller_judges_them() -> None:
    root = request(
        ACTION
        + MESSAGE_ID
        + endpoint("ReplyTo", "https://peer.example/r")
        + endpoint("FaultTo", "https://peer.example/f")
    )
    envelope = soap.read_envelope(root, anonymous_only=False)
    assert envelope.reply_to == "https://peer.example/r"
    assert envelope.fault_to == "https://peer.example/f"


def with_value(name: str, value: str) -> etree._Element:
    if name == "MessageID":
        return request(f"{ACTION}<a:MessageID>{value}</a:MessageID>")
    if name == "Action":
        return request(f"{MESSAGE_ID}<a:Action>{value}</a:Action>")
    if name == "ReplyTo":
        return request(ACTION + MESSAGE_ID + endpoint("ReplyTo", value))
    return request(f"{GOOD}<a:{name}>{value}</a:{name}>")


@pytest.mark.proves("SEC-T-085")
@pytest.mark.parametrize("name", ["MessageID", "To", "RelatesTo", "Action", "ReplyTo"])
def test_addressing_values_are_limited_to_a_kibibyte(name: str) -> None:
    soap.read_envelope(with_value(name, "u" * 1024), anonymous_only=False)
    for value in ("u" * 1025, "ü" * 513, "u" * 60_000):
        fault = refused(with_value(name, value), anonymous_only=False)
        assert (fault.code, fault.subcodes) == ("Sender", ())
        assert "1024 bytes" in fault.reason


def test_an_element_inside_an_addressing_value_is_refused() -> None:
    assert refused(with_value("MessageID", "urn:<x/>uuid:1")).code == "Sender"


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ("<a:RelatesTo>u</a:RelatesTo>", "u"),
        (f"<a:RelatesTo RelationshipType='{ns.WSA}/reply'>u</a:RelatesTo>", "u"),
        ("<a:RelatesTo RelationshipType='urn:x'>u</a:RelatesTo>", None),
        ("<a:RelatesTo RelationshipType='urn:x'>u</a:RelatesTo><a:RelatesTo>v</a:RelatesTo>", "v"),
    ],
)
def test_relates_to_is_the_reply_relationship(blocks: str, expected: str | None) -> None:
    assert soap.read_envelope(request(GOOD + blocks)).relates_to == expected


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (request(), "urn:uuid:1"),
        (request(MESSAGE_ID + MESSAGE_ID), "urn:uuid:1"),
        (wrapped(f"<s:Header>{MESSAGE_ID}</s:Header>", ns.SOAP11), "urn:uuid:1"),
        (wrapped(f"<s:Body/><s:Header>{MESSAGE_ID}</s:Header>"), "urn:uuid:1"),
        (request(ACTION), None),
        (with_value("MessageID", "u" * 1025), None),
        (with_value("MessageID", " "), None),
        (safexml.parse(b"<a/>"), None),
    ],
)
def test_the_message_id_is_found_in_broken_envelopes(
    root: etree._Element, expected: str | None
) -> None:
    assert soap.message_id_of(root) == expected


# What we write


def written(fault: SoapFault, incident: str | None = None) -> bytes:
    return soap.fault_envelope(
        fault, relates_to="u:<1>", message_id="urn:uuid:9", incident=incident
    )


FAULTS = {
    "Sender": SoapFault("Sender", "bad <thing> & more"),
    "Receiver": SoapFault("Receiver", "unexpected \x00 \n error"),
    "VersionMismatch": SoapFault("VersionMismatch", "send SOAP 1.2"),
    "MustUnderstand": SoapFault(
        "MustUnderstand", "no", not_understood=("{urn:u?a='b'&c}x", "{urn:v}y", "z", "{urn:v}y2")
    ),
    "security": SoapFault("Sender", "no", subcodes=(tag(ns.WSSE, "InvalidSecurity"),)),
    "foreign subcode": SoapFault("Sender", "no", subcodes=("{urn:f}Code", "Plain")),
    "action": addressing.action_not_supported("urn:<x>"),
    "address": addressing.invalid_address(addressing.REPLY_TO, "not an address we know"),
    "cardinality": AddressingFault("twice", *CARDINALITY, problem_header=tag(ns.WSA, "To")),
}


@pytest.fixture(scope="session")
def envelope_schema(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared / "schema/w3c/soap12-envelope.xsd"))


@pytest.fixture(scope="session")
def addressing_schema(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared / "schema/w3c/ws-addr.xsd"))


@pytest.mark.proves("WS-030")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_valid_by_the_official_schemas(
    fault: SoapFault, envelope_schema: etree.XMLSchema, addressing_schema: etree.XMLSchema
) -> None:
    root = safexml.parse(written(fault, "T-1"))
    envelope_schema.assertValid(root)
    checked = 0
    for element in root.iter(f"{{{ns.WSA}}}*"):
        if element.getparent().tag in (tag(ns.SOAP12, "Header"), tag(ns.SOAP12, "Detail")):
            addressing_schema.assertValid(etree.fromstring(etree.tostring(element)))
            checked += 1
    assert checked >= 3


@pytest.mark.proves("WS-033", "WS-038", "SEC-T-083", "SEC-T-085")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_faults_read_back(fault: SoapFault) -> None:
    with pytest.raises(ReceivedFault) as received:
        soap.read_response(safexml.parse(written(fault, "T-1")))
    back = received.value
    assert (back.code, back.subcodes) == (fault.code, fault.subcodes)
    assert back.reason == f"{fault.reason} (incident T-1)"
    assert back.relates_to == "u:<1>"
    is_addressing = any(code.startswith(f"{{{ns.WSA}}}") for code in fault.subcodes)
    assert back.action == (ns.WSA_FAULT if is_addressing else ns.WSA_SOAP_FAULT)


@pytest.mark.proves("SEC-T-080")
def test_a_version_mismatch_tells_what_is_supported() -> None:
    root = safexml.parse(written(FAULTS["VersionMismatch"]))
    element = root.find(f".//{{{ns.SOAP12}}}Upgrade/{{{ns.SOAP12}}}SupportedEnvelope")
    assert element is not None
    prefix, name = element.get("qname", "").split(":")
    assert (element.nsmap[prefix], name) == (ns.SOAP12, "Envelope")


@pytest.mark.proves("SEC-T-081")
def test_a_must_understand_fault_names_the_headers() -> None:
    root = safexml.parse(written(FAULTS["MustUnderstand"]))
    found = []
    for element in root.iter(f"{{{ns.SOAP12}}}NotUnderstood"):
        prefix, _, name = element.get("qname", "").rpartition(":")
        found.append(tag(element.nsmap[prefix], name) if prefix else name)
    assert tuple(found) == FAULTS["MustUnderstand"].not_understood


@pytest.mark.proves("SEC-T-083", "SEC-T-084")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("cardinality", "wsa:To"), ("address", "wsa:ReplyTo")],
)
def test_an_addressing_fault_names_its_header(name: str, expected: str) -> None:
    root = safexml.parse(written(FAULTS[name]))
    assert root.findtext(f".//{{{ns.WSA}}}ProblemHeaderQName") == expected


@pytest.mark.proves("SEC-T-083")
def test_an_unsupported_action_is_named() -> None:
    root = safexml.parse(written(FAULTS["action"]))
    assert root.findtext(f".//{{{ns.WSA}}}ProblemAction/{{{ns.WSA}}}Action") == "urn:<x>"


XML_TEXT = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=30)


@pytest.mark.proves("WS-031", "WS-033", "WS-042", "SEC-T-085")
@pytest.mark.proves("XC-006")
@given(XML_TEXT, XML_TEXT, st.none() | XML_TEXT, st.none() | XML_TEXT)
def test_answers_hold_what_was_put_in(
    action: str, message_id: str, relates_to: str | None, to: str | None
) -> None:
    head = soap.open_envelope(
        action=action, message_id=message_id, relates_to=relates_to, to=to, reply_to="urn:back"
    )
    root = safexml.parse(soap.envelope((b'<r xmlns="urn:r">', b"</r>"), head), charset="UTF-8")
    header = root[0]
    expected = {"Action": action, "MessageID": message_id, "RelatesTo": relates_to, "To": to}
    for name, value in expected.items():
        text = header.findtext(tag(ns.WSA, name), None)
        assert text == (value if value is None else only_xml(value))
    assert header[0].get(tag(ns.SOAP12, "mustUnderstand")) == "1"
    assert header.find(tag(ns.WSA, "ReplyTo")).get(tag(ns.SOAP12, "mustUnderstand")) is None
    assert header.findtext(f"{tag(ns.WSA, 'ReplyTo')}/{tag(ns.WSA, 'Address')}") == "urn:back"
    assert [child.tag for child in root[1]] == ["{urn:r}r"]


def only_xml(value: str) -> str:
    return "".join(
        c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in value
    )


@pytest.mark.proves("WS-031", "WS-032", "WS-034")
def test_our_requests_are_good_requests(
    envelope_schema: etree.XMLSchema, addressing_schema: etree.XMLSchema
) -> None:
    head = soap.open_envelope(
        action="urn:a",
        message_id="urn:uuid:1",
        reply_to=ns.WSA_ANONYMOUS,
        headers=SECURITY.replace(" s:", " env:").encode(),
    )
    root = safexml.parse(soap.envelope((b"<r/>",), head))
    envelope_schema.assertValid(root)
    for element in root[0].iterchildren(f"{{{ns.WSA}}}*"):
        addressing_schema.assertValid(etree.fromstring(etree.tostring(element)))
    envelope = soap.read_envelope(root)
    assert (envelope.action, envelope.has_security) == ("urn:a", True)


def test_a_surrogate_in_a_reason_cannot_break_the_fault() -> None:
    fault = SoapFault("Receiver", "\ud800 \ufffe")
    assert safexml.parse(written(fault)) is not None


# Answers received


@pytest.mark.proves("WS-031")
def test_an_answer_needs_little() -> None:
    envelope = soap.read_response(request(ACTION))
    assert isinstance(envelope, Envelope)
    assert (envelope.message_id, envelope.relates_to) == (None, None)
    assert envelope.action == "urn:ihe:iti:2007:RegistryStoredQuery"


def test_an_answer_may_carry_what_is_no_concern_of_ours() -> None:
    headers = ACTION + block() + "<a:ReplyTo/>" + "<a:RelatesTo>urn:uuid:1</a:RelatesTo>"
    assert soap.read_response(request(headers)).relates_to == "urn:uuid:1"


@pytest.mark.parametrize("root", [request(""), FRAMES["two Bodies"], FRAMES["empty Body"]])
def test_a_bad_answer_is_refused(root: etree._Element) -> None:
    with pytest.raises(SoapFault):
        soap.read_response(root)


def received(fault: str) -> ReceivedFault:
    with pytest.raises(ReceivedFault) as raised:
        soap.read_response(request("", f"<s:Fault>{fault}</s:Fault>"))
    return raised.value


def test_a_foreign_fault_is_read() -> None:
    fault = received(
        "<s:Code><s:Value>s:Receiver</s:Value>"
        "<s:Subcode><s:Value xmlns:q='urn:q'>q:Busy</s:Value>"
        "<s:Subcode><s:Value>u:Undeclared</s:Value></s:Subcode></s:Subcode></s:Code>"
        "<s:Reason><s:Text xml:lang='en'> much\n to do </s:Text></s:Reason>"
        "<s:Detail><d>try <b>later</b></d></s:Detail>"
    )
    assert (fault.code, fault.subcodes) == ("Receiver", ("{urn:q}Busy", "Undeclared"))
    assert (fault.reason, fault.detail) == ("much to do", "try later")


@pytest.mark.parametrize("inner", ["", "<s:Code/>", "<faultcode>s:Client</faultcode>", "text"])
def test_a_fault_without_its_parts_is_still_a_fault(inner: str) -> None:
    fault = received(inner)
    assert (fault.code, fault.subcodes, fault.reason, fault.detail) == ("", (), "", "")


def test_long_faults_are_cut() -> None:
    fault = received(f"<s:Reason><s:Text>{'x' * 5000}</s:Text></s:Reason>")
    assert len(fault.reason) == 1024
