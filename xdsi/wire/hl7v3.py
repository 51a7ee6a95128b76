"""What HL7 v3 messages of patients have in common: wrapper, identifiers, persons, refusals.

Reading is lenient and yields what is there; writing follows the schemas.
Source: ITI TF-2 Appendix O, 3.44.4, 3.55.4 (PIF-064, PIF-067, XC-009, XC-091).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from xdsi.model.errors import XDSError, received
from xdsi.model.identity import SEXES, Demographics, InstanceId, Wrapper, birth_date
from xdsi.model.manifest import IssuedId
from xdsi.model.values import HomeCommunityId
from xdsi.standard import urns
from xdsi.standard.namespaces import HL7V3, tag
from xdsi.wire.body import Element
from xdsi.wire.text import escaped, quoted

INTERACTIONS = "2.16.840.1.113883.1.6"


# reading


def found(element: Element, *path: str) -> Iterator[Element]:
    """The elements at a path of local names below an element."""
    if not path:
        yield element
        return
    for child in element.iterchildren(tag(HL7V3, path[0])):
        yield from found(child, *path[1:])


def codes(element: Element, *path: str) -> list[str]:
    """The `code` of each element at a path, "" where it has none."""
    return [each.get("code", "").strip() for each in found(element, *path)]


def oid(root: str) -> str:
    """An OID as it should stand in `root`: some write it as a URN."""
    return root.strip().removeprefix(urns.OID_PREFIX)


def issued(elements: Iterator[Element]) -> Iterator[IssuedId]:
    """PIF-067: of a domain named by an OID; an II without extension names no patient."""
    for each in elements:
        if value := each.get("extension", "").strip():
            yield IssuedId(value, "", oid(each.get("root", "")), "ISO")


def instance_id(element: Element, *path: str) -> InstanceId:
    """The first II at a path; an empty one where there is none."""
    for each in found(element, *path):
        return InstanceId(each.get("root"), each.get("extension"))
    return InstanceId()


def community(element: Element, *path: str) -> HomeCommunityId | None:
    """The first community that an II at a path names by its root alone (XC-009)."""
    for each in found(element, *path):
        if root := oid(each.get("root", "")):
            return HomeCommunityId(urns.OID_PREFIX + root)
    return None


def wrapper(element: Element) -> Wrapper:
    """The transmission wrapper of an interaction."""
    return Wrapper(
        id=instance_id(element, "id"),
        sender=instance_id(element, "sender", "device", "id"),
        receiver=instance_id(element, "receiver", "device", "id"),
        processing_code=(codes(element, "processingCode") or [""])[0] or "P",
        sender_home=community(element, "sender", *_COMMUNITY),
        receiver_home=community(element, "receiver", *_COMMUNITY),
    )


_COMMUNITY = ("device", "asAgent", "representedOrganization", "id")


def answered(element: Element) -> Wrapper:
    """The wrapper of the message that an acknowledgement or an answer is about."""
    own = wrapper(element)
    return Wrapper(
        id=instance_id(element, "acknowledgement", "targetMessage", "id"),
        sender=own.receiver,
        receiver=own.sender,
        processing_code=own.processing_code,
        sender_home=own.receiver_home,
        receiver_home=own.sender_home,
    )


def words(parent: Element | None, *names: str) -> str | None:
    """Texts of the children with these names, joined."""
    if parent is None:
        return None
    children = (each for name in names for each in found(parent, name))
    texts = ("".join(map(str, each.itertext())).split() for each in children)
    return " ".join(word for each in texts for word in each) or None


def address(element: Element | None) -> dict[str, str | None]:
    """The parts of an AD, by the fields of Demographics."""
    street = words(element, "streetAddressLine") or words(element, "streetName", "houseNumber")
    return {
        "street": street,
        "city": words(element, "city"),
        "state": words(element, "state"),
        "postal_code": words(element, "postalCode"),
        "country": words(element, "country"),
    }


def sex(element: Element, *path: str) -> str | None:
    """The first known administrative gender at a path."""
    told = (each.upper() for each in codes(element, *path))
    return next((each for each in told if each in SEXES), None)


def demographics(patient: Element) -> Demographics:
    """Who a Patient is."""
    (person, *_) = (*found(patient, "patientPerson"), None)
    if person is None:
        return Demographics()
    names = list(found(person, "name"))
    legal = [each for each in names if "L" in each.get("use", "L").split()]
    (name, *_) = (*legal, *names, None)
    (place, *_) = (*found(person, "addr"), *found(patient, "addr"), None)
    births = [each.get("value", "") for each in found(person, "birthTime")]
    return Demographics(
        family=words(name, "family"),
        given=words(name, "given"),
        birth_date=birth_date("".join(births[:1])),
        sex=sex(person, "administrativeGenderCode"),
        **address(place),
        other_ids=tuple(issued(found(person, "asOtherIDs", "id"))),
    )


def errors(element: Element) -> list[XDSError]:
    """Those that the acknowledgement inside an element tells."""
    told = []
    for each in found(element, "acknowledgement", "acknowledgementDetail", "text"):
        text = " ".join("".join(map(str, each.itertext())).split())
        code, _, context = text.partition(": ")
        known = code in XDSError.by_code
        told.append(
            received(
                code if known else "XDSRegistryError",
                context if known else text,
                urns.SEVERITY_ERROR,
                "",
            )
        )
    return told


# writing


def parts(**texts: str | None) -> str:
    """Elements by name, of those that have a text."""
    return "".join(f"<{name}>{escaped(text)}</{name}>" for name, text in texts.items() if text)


def address_parts(
    street: str | None,
    city: str | None,
    state: str | None,
    postal_code: str | None,
    country: str | None,
) -> str:
    """What stands in an AD."""
    return parts(
        streetAddressLine=street, city=city, state=state, postalCode=postal_code, country=country
    )


def person(told: Demographics, nameless: str = "NI") -> str:
    """The patientPerson. nameless: why it has no name, if it has none."""
    name = parts(family=told.family, given=told.given)
    place = address_parts(told.street, told.city, told.state, told.postal_code, told.country)
    others = "".join(
        f'<asOtherIDs classCode="PAT">{ii(*pair(each))}'
        '<scopingOrganization classCode="ORG" determinerCode="INSTANCE">'
        f"{ii(each.issuer_uid)}</scopingOrganization></asOtherIDs>"
        for each in told.other_ids
    )
    return "".join(
        (
            '<patientPerson classCode="PSN" determinerCode="INSTANCE">',
            f"<name>{name}</name>" if name else f'<name nullFlavor="{nameless}"/>',
            f'<administrativeGenderCode code="{quoted(told.sex)}"/>' if told.sex else "",
            f'<birthTime value="{quoted(told.birth_date)}"/>' if told.birth_date else "",
            f"<addr>{place}</addr>" if place else "",
            others,
            "</patientPerson>",
        )
    )


def provider(roots: Sequence[str]) -> str:
    """The providerOrganization, named by the domains of the patient's identifiers (PIF-068)."""
    ids = "".join(ii(root) for root in dict.fromkeys(roots))
    return (
        f'<providerOrganization classCode="ORG" determinerCode="INSTANCE">{ids}'
        '<contactParty classCode="CON"/></providerOrganization>'
    )


def pair(given: IssuedId) -> tuple[str, str]:
    """Root and extension."""
    return given.issuer_uid, given.value


def ii(root: str | None, extension: str | None = None, name: str = "id") -> str:
    """An II as an element."""
    if root is None:
        return f'<{name} nullFlavor="NI"/>'
    more = "" if extension is None else f' extension="{quoted(extension)}"'
    return f'<{name} root="{quoted(root)}"{more}/>'


def message(name: str, of: Wrapper, accept: str, content: str) -> bytes:
    """An interaction around its content; with an id of its own where the wrapper has none.

    accept: whether an acknowledgement is wanted, `AL` or `NE`
    """
    own = of.id if of.id.root is not None else InstanceId(str(uuid4()).upper())
    devices = "".join(
        f'<{role} typeCode="{code}"><device classCode="DEV" determinerCode="INSTANCE">'
        f"{ii(device.root, device.extension)}{_agent(home)}</device></{role}>"
        for role, code, device, home in (
            ("receiver", "RCV", of.receiver, of.receiver_home),
            ("sender", "SND", of.sender, of.sender_home),
        )
    )
    return (
        f'<{name} xmlns="{HL7V3}" ITSVersion="XML_1.0">{ii(own.root, own.extension)}'
        f'<creationTime value="{datetime.now(UTC):%Y%m%d%H%M%S+0000}"/>'
        f'<interactionId root="{INTERACTIONS}" extension="{name}"/>'
        f'<processingCode code="{quoted(of.processing_code)}"/>'
        f'<processingModeCode code="T"/><acceptAckCode code="{accept}"/>'
        f"{devices}{content}</{name}>"
    ).encode()


def _agent(home: HomeCommunityId | None) -> str:
    """XC-097."""
    if home is None:
        return ""
    return (
        '<asAgent classCode="AGNT"><representedOrganization classCode="ORG" '
        f'determinerCode="INSTANCE">{ii(oid(str(home)))}</representedOrganization></asAgent>'
    )


def back(of: Wrapper) -> Wrapper:
    """The wrapper of what is answered to a message (PIF-072)."""
    return Wrapper(
        sender=of.receiver,
        receiver=of.sender,
        processing_code=of.processing_code,
        sender_home=of.receiver_home,
        receiver_home=of.sender_home,
    )


ACKNOWLEDGEMENT = "MCCI_IN000002UV01"


def acknowledgement(code: str, of: Wrapper, told: Sequence[XDSError], kind: str = "") -> str:
    """PIF-071, XC-107. kind: the code of each detail, an element; most have none"""
    details = "".join(
        f'<acknowledgementDetail typeCode="E">{kind}<text>{escaped(each.code)}: '
        f"{escaped(each.context)}</text></acknowledgementDetail>"
        for each in told
    )
    return (
        f'<acknowledgement><typeCode code="{code}"/><targetMessage>'
        f"{ii(of.id.root, of.id.extension)}</targetMessage>{details}</acknowledgement>"
    )
