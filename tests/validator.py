"""What the response validator of a conformance tool wants of a LeafClass answer.

Reads the answer as bytes on the wire, with no help of the project's own codec.
Source: checklist section 6; ITI TF-3 4.2.3, table 4.3.2.1-3.
"""

import re
from collections.abc import Iterator

from lxml import etree

from xdsi.standard.namespaces import RIM

NS = {"rim": RIM}
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STATUSES = {f"urn:oasis:names:tc:ebxml-regrep:StatusType:{s}" for s in ("Approved", "Deprecated")}
REGREP = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
ORDER = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]
SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
LIMITED = {
    "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
    "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
    "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
}

# by kind: Slots, classification schemes, identification schemes that must be there
NEEDED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "DocumentEntry": (
        {
            "creationTime",
            "hash",
            "languageCode",
            "repositoryUniqueId",
            "size",
            "sourcePatientId",
        },
        {
            "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
            "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
            "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
            "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
            "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
            "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
        },
        {
            "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
            "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
        },
    ),
    "SubmissionSet": (
        {"submissionTime"},
        {"urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"},
        {
            "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
            "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
            "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
        },
    ),
    "Folder": (
        {"lastUpdateTime"},
        {"urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"},
        {
            "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
            "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a",
        },
    ),
    "Association": (set(), set(), set()),
}


def local(element: etree._Element) -> str:
    return etree.QName(element).localname


def kind(element: etree._Element) -> str:
    """The kind of an object of the answer; empty for what must not be there."""
    name = local(element)
    if name != "RegistryPackage":
        return {"ExtrinsicObject": "DocumentEntry", "Association": name}.get(name, "")
    nodes = element.xpath("rim:Classification/@classificationNode", namespaces=NS)
    found = [kind for node, kind in ((SET, "SubmissionSet"), (FOLDER, "Folder")) if node in nodes]
    return found[0] if len(found) == 1 else ""


def faults(answer: etree._Element) -> Iterator[str]:
    """What a validator would reject, object by object. answer: the AdhocQueryResponse."""
    (listed,) = answer.iterchildren(f"{{{RIM}}}RegistryObjectList")
    for element in listed:
        what = kind(element)
        if not what:
            yield f"{local(element)} is no object of IHE metadata"
            continue
        for fault in _faults(element, what):
            yield f"{what} {element.get('id')}: {fault}"


def _faults(element: etree._Element, what: str) -> Iterator[str]:
    own = element.get("id", "")
    if not UUID.fullmatch(own):
        yield "id is no lower-case UUID"
    if element.get("status") not in STATUSES:
        yield f"status {element.get('status')}"
    if element.get("lid") != own:
        yield f"lid {element.get('lid')} of a first version"
    versions = element.findall("rim:VersionInfo", NS)
    if [each.get("versionName") for each in versions] != ["1"]:
        yield "VersionInfo missing or not 1"
    names = [local(child) for child in element]
    if [ORDER.index(name) for name in names] != sorted(ORDER.index(name) for name in names):
        yield f"order of children {names}"
    if what != "DocumentEntry" and element.get("objectType") != REGREP + local(element):
        yield f"objectType {element.get('objectType')}"
    yield from _nested(element, own)
    slots = set(element.xpath("rim:Slot/@name", namespaces=NS))
    schemes = set(element.xpath("rim:Classification/@classificationScheme", namespaces=NS))
    identifiers = set(element.xpath("rim:ExternalIdentifier/@identificationScheme", namespaces=NS))
    for needed, there in zip(NEEDED[what], (slots, schemes, identifiers), strict=True):
        if missing := needed - there:
            yield f"lacks {sorted(missing)}"
    if what == "DocumentEntry" and not (element.get("mimeType") and element.get("objectType")):
        yield "mimeType or objectType missing"
    if what == "Association":
        if not all(UUID.fullmatch(element.get(f"{end}Object", "")) for end in ("source", "target")):
            yield "an end is no UUID"
        if not element.get("associationType", "").startswith("urn:"):
            yield "associationType is no URN"
    if LIMITED & set(element.xpath("rim:Classification/@classificationNode", namespaces=NS)):
        yield "limitedMetadata label"


def _nested(element: etree._Element, own: str) -> Iterator[str]:
    parents = {"Classification": "classifiedObject", "ExternalIdentifier": "registryObject"}
    for name, parent in parents.items():
        for nested in element.iterchildren(f"{{{RIM}}}{name}"):
            if not UUID.fullmatch(nested.get("id", "")):
                yield f"{name} without UUID"
            if nested.get(parent) != own:
                yield f"{name} of another object"
            if nested.get("objectType") != REGREP + name:
                yield f"{name} without objectType"
            scheme = nested.get("classificationScheme")
            if name == "Classification" and scheme and nested.get("nodeRepresentation") is None:
                yield "Classification without nodeRepresentation"
            if name == "ExternalIdentifier" and not nested.get("value"):
                yield "ExternalIdentifier without value"
