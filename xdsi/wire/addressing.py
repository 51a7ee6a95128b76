"""WS-Addressing 1.0 headers of a message, and the faults it defines.

Source: WS-Addressing 1.0 core and SOAP binding, ITI TF-2 V.3.2; WS-031 to WS-036,
SEC-T-083 to SEC-T-085, XC-079.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from xdsi.model.errors import SoapFault, shown
from xdsi.standard import namespaces as ns
from xdsi.standard.namespaces import tag

VALUE_MAX = 1024  # bytes of MessageID, To, RelatesTo, Action and addresses, SEC-T-085

ACTION = tag(ns.WSA, "Action")
MESSAGE_ID = tag(ns.WSA, "MessageID")
RELATES_TO = tag(ns.WSA, "RelatesTo")
REPLY_TO = tag(ns.WSA, "ReplyTo")
FAULT_TO = tag(ns.WSA, "FaultTo")
FROM = tag(ns.WSA, "From")
TO = tag(ns.WSA, "To")
ENDPOINTS = (REPLY_TO, FAULT_TO, FROM)
SINGLE = (ACTION, MESSAGE_ID, TO, *ENDPOINTS)  # at most one of each
HEADERS = frozenset((*SINGLE, RELATES_TO))

# Subcodes of faults, Clark names (SEC-T-083, SEC-T-084, XC-085).
HEADER_REQUIRED = tag(ns.WSA, "MessageAddressingHeaderRequired")
INVALID_HEADER = tag(ns.WSA, "InvalidAddressingHeader")
INVALID_CARDINALITY = tag(ns.WSA, "InvalidCardinality")
INVALID_ADDRESS = tag(ns.WSA, "InvalidAddress")
MISSING_ADDRESS = tag(ns.WSA, "MissingAddressInEPR")
ONLY_ANONYMOUS = tag(ns.WSA, "OnlyAnonymousAddressSupported")
ACTION_NOT_SUPPORTED = tag(ns.WSA, "ActionNotSupported")
SUBCODES = (
    HEADER_REQUIRED,
    INVALID_HEADER,
    INVALID_CARDINALITY,
    INVALID_ADDRESS,
    MISSING_ADDRESS,
    ONLY_ANONYMOUS,
    ACTION_NOT_SUPPORTED,
)

_REPLY = ns.WSA + "/reply"  # the relationship a RelatesTo has when it names none


class AddressingFault(SoapFault):
    """A Sender fault that WS-Addressing defines, with what its Detail must tell.

    problem_header: Clark name of the header block at fault
    problem_action: the action that is not served
    """

    def __init__(
        self,
        reason: str,
        *subcodes: str,
        problem_header: str | None = None,
        problem_action: str | None = None,
    ) -> None:
        super().__init__("Sender", reason, subcodes=subcodes)
        self.problem_header, self.problem_action = problem_header, problem_action


def action_not_supported(action: str) -> AddressingFault:
    """The fault for an action not served here, or not matching the body (SEC-T-083)."""
    return AddressingFault(
        f"action {shown(action)} is not served at this address or does not fit the body",
        ACTION_NOT_SUPPORTED,
        problem_action=action,
    )


def invalid_address(header: str, reason: str) -> AddressingFault:
    """The fault for a ReplyTo or FaultTo we do not answer to (SEC-T-084, XC-085)."""
    return AddressingFault(reason, INVALID_HEADER, INVALID_ADDRESS, problem_header=header)


@dataclass(frozen=True, slots=True)
class Addressing:
    """Values without white space around; endpoints are their addresses; None when absent."""

    action: str | None = None
    message_id: str | None = None
    relates_to: str | None = None
    to: str | None = None
    reply_to: str | None = None
    fault_to: str | None = None


def addressing(blocks: Iterable[etree._Element], wanted: Iterable[str] = HEADERS) -> Addressing:
    """What the wanted ones of these header blocks say.

    Of several RelatesTo the first that stands for a reply counts.
    Raises SoapFault Sender: repeated headers, endpoints without address, values too long.
    """
    wanted = frozenset(wanted)
    found: dict[str, str] = {}
    for block in blocks:
        name = block.tag
        if name not in wanted:
            continue
        if name == RELATES_TO:
            value = _value(block, name)
            if (block.get("RelationshipType") or _REPLY).strip() == _REPLY:
                found.setdefault(name, value)
            continue
        if name in found:
            raise AddressingFault(
                f"wsa:{_local(name)} is there more than once",
                INVALID_HEADER,
                INVALID_CARDINALITY,
                problem_header=name,
            )
        found[name] = _address(block) if name in ENDPOINTS else _value(block, name)
    return Addressing(
        *(found.get(name) or None for name in (ACTION, MESSAGE_ID, RELATES_TO, TO)),
        *(found.get(name) for name in (REPLY_TO, FAULT_TO)),
    )


def demand(found: Addressing) -> None:
    """Raises the fault for a request without Action or MessageID (WS-036)."""
    for name, value in ((ACTION, found.action), (MESSAGE_ID, found.message_id)):
        if value is None:
            raise AddressingFault(
                f"wsa:{_local(name)} is missing or empty; a request needs one",
                HEADER_REQUIRED,
                problem_header=name,
            )


def demand_anonymous(found: Addressing) -> None:
    """Raises the fault for an answer wanted elsewhere (SEC-T-084)."""
    for name, value in ((REPLY_TO, found.reply_to), (FAULT_TO, found.fault_to)):
        if value not in (None, ns.WSA_ANONYMOUS):
            raise AddressingFault(
                f"wsa:{_local(name)} must be {ns.WSA_ANONYMOUS}; answers leave on the same "
                "connection only",
                INVALID_HEADER,
                ONLY_ANONYMOUS,
                problem_header=name,
            )


def _address(endpoint: etree._Element) -> str:
    addresses = endpoint.findall(tag(ns.WSA, "Address"))
    if len(addresses) != 1 or not (value := _value(addresses[0], endpoint.tag)):
        raise AddressingFault(
            f"wsa:{_local(endpoint.tag)} must hold one Address",
            INVALID_HEADER,
            MISSING_ADDRESS,
            problem_header=endpoint.tag,
        )
    return value


def _value(element: etree._Element, header: str) -> str:
    if len(element):
        raise SoapFault("Sender", f"wsa:{_local(header)} holds an element instead of a value")
    value = (element.text or "").strip()
    if len(value.encode()) > VALUE_MAX:
        raise SoapFault("Sender", f"wsa:{_local(header)} is above {VALUE_MAX} bytes")
    return value


def _local(clark: str) -> str:
    return clark.rpartition("}")[2]
