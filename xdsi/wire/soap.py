"""SOAP 1.2 envelopes and WS-Addressing headers: read, judge, write.

Reading a request is strict, since what follows trusts it; reading an answer is lenient where
nothing depends on it. Writing yields bytes around a body made of ready pieces, each value
escaped.
Source: SOAP 1.2 part 1, WS-Addressing 1.0 core and SOAP binding, ITI TF-2 V.3.2;
WS-030 to WS-040, SEC-T-036, SEC-T-055, SEC-T-080 to SEC-T-085.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lxml import etree

from xdsi.model.errors import SoapFault, one_line, shown
from xdsi.standard import namespaces as ns
from xdsi.standard.namespaces import tag
from xdsi.wire import addressing
from xdsi.wire.addressing import Addressing, AddressingFault

HEADER_BLOCKS_MAX = 64  # SEC-T-036
DETAIL_MAX = 1024  # characters kept of a received reason or detail

_ENVELOPE, _HEADER, _BODY, _FAULT = (
    tag(ns.SOAP12, name) for name in ("Envelope", "Header", "Body", "Fault")
)
_SECURITY = tag(ns.WSSE, "Security")
_UNDERSTOOD = addressing.HEADERS | {_SECURITY}

_ROLE = ns.SOAP12 + "/role/"
_ROLE_NAME, _MUST_UNDERSTAND = tag(ns.SOAP12, "role"), tag(ns.SOAP12, "mustUnderstand")
_OUR_ROLES = ("", _ROLE + "ultimateReceiver", _ROLE + "next")
_BOOLEAN = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message that has passed the rules of SOAP and WS-Addressing.

    action, message_id, relates_to, to: values without white space around; None when absent
    reply_to, fault_to: the addresses; None when absent, which means anonymous (XC-079)
    body: the only child of Body
    headers: all header blocks in order
    has_security: there is a wsse:Security block, for whatever role
    """

    action: str
    message_id: str | None
    body: etree._Element
    reply_to: str | None = None
    fault_to: str | None = None
    relates_to: str | None = None
    to: str | None = None
    headers: tuple[etree._Element, ...] = ()
    has_security: bool = False


class ReceivedFault(Exception):
    """The SOAP fault another node answered with.

    code: local name of the fault code, `Sender`, `Receiver`, ...
    subcodes: Clark names, outermost first
    reason, detail: text in one line, cut at 1,024 characters
    action, relates_to: of the envelope, None when absent
    """

    def __init__(
        self,
        code: str,
        subcodes: tuple[str, ...],
        reason: str,
        detail: str,
        *,
        action: str | None = None,
        relates_to: str | None = None,
    ) -> None:
        self.code, self.subcodes, self.reason, self.detail = code, subcodes, reason, detail
        self.action, self.relates_to = action, relates_to
        super().__init__(f"{code}: {reason}")


def read_envelope(
    root: etree._Element,
    *,
    understood: Collection[str] = (),
    anonymous_only: bool = True,
) -> Envelope:
    """The request in a parsed envelope; message_id is never None.

    root: from `safexml.parse`, so without comments and processing instructions
    understood: Clark names of further header blocks the transaction knows
    anonymous_only: refuse a ReplyTo or FaultTo other than anonymous (SEC-T-084)
    Raises SoapFault: VersionMismatch, MustUnderstand, or Sender with the subcodes of
    WS-Addressing where it has one.
    """
    blocks, body = _frame(root)
    ours = _aimed_at_us(blocks, _UNDERSTOOD | frozenset(understood))
    if body.tag == _FAULT:
        raise SoapFault("Sender", "a Fault is no request")
    found = addressing.addressing(ours)
    addressing.demand(found)
    if anonymous_only:
        addressing.demand_anonymous(found)
    return _envelope(found, blocks, body)


def read_response(root: etree._Element) -> Envelope:
    """The answer in a parsed envelope. Only Action is demanded of the addressing headers.

    Raises ReceivedFault when the body is a Fault, SoapFault when the envelope breaks a rule.
    """
    blocks, body = _frame(root)
    ours = [block for block in blocks if _role(block) in _OUR_ROLES]
    found = addressing.addressing(ours, addressing.HEADERS - set(addressing.ENDPOINTS))
    if body.tag == _FAULT:
        raise _received(body, found)
    if found.action is None:
        raise AddressingFault(
            "wsa:Action is missing in the answer",
            addressing.HEADER_REQUIRED,
            problem_header=addressing.ACTION,
        )
    return _envelope(found, blocks, body)


def message_id_of(root: etree._Element) -> str | None:
    """The MessageID, however broken the envelope is otherwise, for RelatesTo of its fault."""
    block = root.find(f"{{*}}Header/{addressing.MESSAGE_ID}")
    text = "" if block is None else (block.text or "").strip()
    return text if text and len(text.encode()) <= addressing.VALUE_MAX else None


def _frame(root: etree._Element) -> tuple[list[etree._Element], etree._Element]:
    """Header blocks and the only child of Body (SEC-T-080, SEC-T-082)."""
    if root.tag != _ENVELOPE:
        name = etree.QName(root)
        if name.localname != "Envelope":
            raise SoapFault("Sender", f"{shown(name.localname, 80)} is no SOAP envelope")
        raise SoapFault(
            "VersionMismatch", f"envelope of {shown(name.namespace or '', 80)}; send SOAP 1.2"
        )
    _no_text(root)
    parts = list(root)
    header = parts.pop(0) if parts and parts[0].tag == _HEADER else None
    blocks = [] if header is None else list(header)
    if len(parts) != 1 or parts[0].tag != _BODY:
        raise SoapFault("Sender", "an envelope holds at most one Header, then one Body, no more")
    if len(blocks) > HEADER_BLOCKS_MAX:
        raise SoapFault("Sender", f"more than {HEADER_BLOCKS_MAX} header blocks")
    if header is not None:
        _no_text(header)
    for block in blocks:
        if not block.tag.startswith("{"):
            raise SoapFault("Sender", f"header block {shown(block.tag, 80)} has no namespace")
    _no_text(parts[0])
    if len(parts[0]) != 1:
        raise SoapFault("Sender", f"Body has {len(parts[0])} children; send exactly one")
    return blocks, parts[0][0]


def _no_text(element: etree._Element) -> None:
    texts = [element.text, *(child.tail for child in element)]
    if any(text and not text.isspace() for text in texts):
        raise SoapFault(
            "Sender", f"{_local(element.tag)} holds text; only elements may stand there"
        )


def _role(block: etree._Element) -> str:
    return (block.get(_ROLE_NAME) or "").strip()


def _aimed_at_us(
    blocks: Iterable[etree._Element], understood: Collection[str]
) -> list[etree._Element]:
    """The blocks for our roles; raises MustUnderstand for a mandatory one unknown (WS-037)."""
    ours, strange = [], []
    for block in blocks:
        if _role(block) not in _OUR_ROLES:
            continue
        ours.append(block)
        flag = block.get(_MUST_UNDERSTAND, "0").strip()
        if flag not in _BOOLEAN:
            raise SoapFault("Sender", f"mustUnderstand {shown(flag, 40)} is no boolean")
        if _BOOLEAN[flag] and block.tag not in understood:
            strange.append(block.tag)
    if strange:
        names = tuple(dict.fromkeys(strange))
        raise SoapFault(
            "MustUnderstand",
            f"header block {shown(names[0], 120)} is not understood here",
            not_understood=names,
        )
    return ours


def _envelope(found: Addressing, blocks: list[etree._Element], body: etree._Element) -> Envelope:
    return Envelope(
        action=found.action or "",
        message_id=found.message_id,
        body=body,
        reply_to=found.reply_to,
        fault_to=found.fault_to,
        relates_to=found.relates_to,
        to=found.to,
        headers=tuple(blocks),
        has_security=any(block.tag == _SECURITY for block in blocks),
    )


def _received(fault: etree._Element, found: Addressing) -> ReceivedFault:
    def names(code: etree._Element | None) -> Iterable[str]:
        while code is not None:
            value = code.find(tag(ns.SOAP12, "Value"))
            if value is not None:
                yield _clark(value)
            code = code.find(tag(ns.SOAP12, "Subcode"))

    def text(path: str) -> str:
        element = fault.find(path)
        return "" if element is None else one_line(" ".join(_text(element).split()))[:DETAIL_MAX]

    code, *subcodes = (*names(fault.find(tag(ns.SOAP12, "Code"))), "")
    return ReceivedFault(
        _local(code),
        tuple(subcodes[:-1]),
        text(f"{tag(ns.SOAP12, 'Reason')}/{tag(ns.SOAP12, 'Text')}"),
        text(tag(ns.SOAP12, "Detail")),
        action=found.action,
        relates_to=found.relates_to,
    )


def _clark(element: etree._Element) -> str:
    """The Clark name of a QName value; the bare value when its prefix is not declared."""
    prefix, _, local = _text(element).rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    return tag(namespace, local) if namespace else local


def _text(element: etree._Element) -> str:
    return "".join(map(str, element.itertext())).strip()


def _local(clark: str) -> str:
    return clark.rpartition("}")[2]


# Writing

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile("[^\t\n !#-%'-;=?-~]")  # what may need a second look
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_TABLE = str.maketrans(_ESCAPES)
_PREFIXES = {ns.SOAP12: "env", ns.WSA: "wsa", ns.WSSE: "wsse"}

_HEAD = f'<env:Envelope xmlns:env="{ns.SOAP12}" xmlns:wsa="{ns.WSA}"><env:Header>'.encode()
CLOSE_ENVELOPE = b"</env:Body></env:Envelope>"


def open_envelope(
    *,
    action: str,
    message_id: str,
    relates_to: str | None = None,
    to: str | None = None,
    reply_to: str | None = None,
    headers: bytes = b"",
) -> bytes:
    """Everything before the body's only child; `CLOSE_ENVELOPE` goes behind it. UTF-8.

    headers: further header blocks, ready XML with their own namespace declarations
    Requests give reply_to (WS-032), answers relates_to (WS-033).
    """
    values = (("MessageID", message_id), ("RelatesTo", relates_to), ("To", to))
    blocks = [f'<wsa:Action env:mustUnderstand="1">{escape(action)}</wsa:Action>']
    blocks += [f"<wsa:{name}>{escape(v)}</wsa:{name}>" for name, v in values if v is not None]
    if reply_to is not None:
        blocks.append(f"<wsa:ReplyTo><wsa:Address>{escape(reply_to)}</wsa:Address></wsa:ReplyTo>")
    return b"".join((_HEAD, "".join(blocks).encode(), headers, b"</env:Header><env:Body>"))


def envelope(body: Iterable[bytes], head: bytes) -> bytes:
    """A whole envelope: `head` from `open_envelope` around the pieces of the body."""
    return b"".join((head, *body, CLOSE_ENVELOPE))


def fault_envelope(
    fault: SoapFault, *, relates_to: str | None, message_id: str, incident: str | None = None
) -> bytes:
    """The envelope that tells a fault (WS-038, SEC-T-055, SEC-T-080, SEC-T-081).

    incident: the ticket under which the log has more; it stands at the end of the reason
    """
    action = ns.WSA_SOAP_FAULT
    if any(code.startswith(tag(ns.WSA, "")) for code in fault.subcodes):
        action = ns.WSA_FAULT
    head = open_envelope(
        action=action,
        message_id=message_id,
        relates_to=relates_to,
        headers=_fault_headers(fault).encode(),
    )
    reason = fault.reason if incident is None else f"{fault.reason} (incident {incident})"
    subcodes = "".join(f"<env:Subcode>{_value(code)}" for code in fault.subcodes)
    body = (
        f"<env:Fault><env:Code>{_value(tag(ns.SOAP12, fault.code))}{subcodes}"
        f"{'</env:Subcode>' * len(fault.subcodes)}</env:Code>"
        f'<env:Reason><env:Text xml:lang="en">{escape(reason)}</env:Text></env:Reason>'
        f"{_detail(fault)}</env:Fault>"
    )
    return envelope((body.encode(),), head)


def escape(value: str) -> str:
    """Text for element content or a double-quoted attribute; what XML cannot hold is U+FFFD."""
    if _SPECIAL.search(value) is None:
        return value
    return _NOT_XML.sub("\ufffd", value).translate(_TABLE)


def _fault_headers(fault: SoapFault) -> str:
    if fault.code == "VersionMismatch":
        return '<env:Upgrade><env:SupportedEnvelope qname="env:Envelope"/></env:Upgrade>'
    return "".join(
        '<env:NotUnderstood qname="{}"{}/>'.format(*_qname(name)) for name in fault.not_understood
    )


def _detail(fault: SoapFault) -> str:
    if not isinstance(fault, AddressingFault):
        return ""
    problem = ""
    if fault.problem_header is not None:
        name, declared = _qname(fault.problem_header)
        problem = f"<wsa:ProblemHeaderQName{declared}>{name}</wsa:ProblemHeaderQName>"
    if fault.problem_action is not None:
        action = escape(fault.problem_action)
        problem += f"<wsa:ProblemAction><wsa:Action>{action}</wsa:Action></wsa:ProblemAction>"
    return f"<env:Detail>{problem}</env:Detail>" if problem else ""


def _value(clark: str) -> str:
    name, declared = _qname(clark)
    return f"<env:Value{declared}>{name}</env:Value>"


def _qname(clark: str) -> tuple[str, str]:
    """A Clark name as QName, and the declaration its prefix needs on the element around it."""
    namespace, _, local = clark.rpartition("}")
    namespace = namespace.removeprefix("{")
    if not namespace:
        return escape(local), ""
    prefix = _PREFIXES.get(namespace, "q")
    declared = "" if prefix in ("env", "wsa") else f' xmlns:{prefix}="{escape(namespace)}"'
    return f"{prefix}:{escape(local)}", declared
