"""The served contracts: names as published, an address of our own, nothing but known files."""

import re
from pathlib import Path

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from xdsi import wsdl
from xdsi.standard import namespaces as ns
from xdsi.standard import transactions
from xdsi.standard.transactions import TRANSACTIONS, Transaction

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP12_BINDING = "http://schemas.xmlsoap.org/wsdl/soap12/"
PUBLISHED = {
    "registry": "XDS.b_DocumentRegistry.wsdl",
    "repository": "XDS.b_DocumentRepository.wsdl",
    "imaging": "XDS-I.b_ImagingDocumentSource.wsdl",
    "gateway-responding": "XCARespondingGateway.wsdl",
    "gateway-initiating": "XCAInitiatingGateway.wsdl",
}
# supplements, and transactions that the one published file leaves out
APART = {
    "registry": (
        transactions.MULTI_PATIENT_QUERY,
        transactions.UPDATE,
        transactions.REGISTER_ON_DEMAND,
        transactions.REMOVE_METADATA,
        transactions.RESTRICTED_UPDATE,
        *transactions.PATIENT_FEED,
        transactions.PATIENT_DISCOVERY,
    ),
    "repository": (),
    "imaging": (transactions.RETRIEVE_RENDERED,),
    "gateway-responding": (
        transactions.CROSS_GATEWAY_RETRIEVE_IMAGING,
        transactions.PATIENT_DISCOVERY,
    ),
    "gateway-initiating": (transactions.RETRIEVE_IMAGING,),
}
ADDRESS = "http://127.0.0.1:9/endpoint"

Names = frozenset[tuple[str, ...]]


def names(root: etree._Element) -> Names:
    """Whatever a client could have been generated from, namespaces resolved."""

    def resolved(element: etree._Element, attribute: str) -> str:
        prefix, _, local = element.get(attribute, "").rpartition(":")
        return f"{{{element.nsmap[prefix or None]}}}{local}"

    def each(path: str) -> list[etree._Element]:
        return root.findall(path, {"w": WSDL, "s": SOAP12_BINDING})

    def owner(element: etree._Element) -> str:
        return element.getparent().get("name")

    found: set[tuple[str, ...]] = {
        ("definitions", root.get("name"), root.get("targetNamespace")),
        *(
            ("part", owner(part), part.get("name"), resolved(part, "element"))
            for part in each("w:message/w:part")
        ),
        *(("port type", each_.get("name")) for each_ in each("w:portType")),
        *(
            (
                "operation",
                owner(operation),
                operation.get("name"),
                *(
                    value
                    for direction in ("input", "output")
                    for side in operation.findall(f"{{{WSDL}}}{direction}")
                    for value in (
                        resolved(side, "message"),
                        side.get(ns.tag(ns.WSAW, "Action")),
                    )
                ),
            )
            for operation in each("w:portType/w:operation")
        ),
        *(
            (
                "binding",
                binding.get("name"),
                resolved(binding, "type"),
                style.get("style"),
                style.get("transport"),
            )
            for binding in each("w:binding")
            for style in binding.findall(f"{{{SOAP12_BINDING}}}binding")
        ),
        *(
            (
                "bound",
                owner(operation),
                operation.get("name"),
                *(
                    soap.get("soapAction")
                    for soap in operation.findall(f"{{{SOAP12_BINDING}}}operation")
                ),
                *(body.get("use") for body in operation.iter(f"{{{SOAP12_BINDING}}}body")),
            )
            for operation in each("w:binding/w:operation")
        ),
        *(
            ("port", owner(port), port.get("name"), resolved(port, "binding"))
            for port in each("w:service/w:port")
        ),
    }
    return frozenset(found)


@pytest.mark.proves("SQ-011", "WS-070", "WS-072", "XC-002", "XC-003", "RET-007", "WS-073")
@pytest.mark.parametrize("name", sorted(wsdl.DOCUMENTS))
def test_names_actions_and_elements_are_those_published(name: str, shared: Path) -> None:
    ours = etree.fromstring(wsdl.document(name, ADDRESS))
    theirs = etree.parse(shared / "schema" / "wsdl" / PUBLISHED[name]).getroot()
    assert names(theirs) <= names(ours)
    # beyond it: what was published apart, under the names of the rows
    added = {each[2] for each in names(ours) - names(theirs) if each[0] in ("operation", "bound")}
    assert added == {row.operation for row in APART[name]}
    required = [
        each.get("soapActionRequired") for each in ours.iter(f"{{{SOAP12_BINDING}}}operation")
    ]
    assert required
    assert set(required) == {"false"}


@pytest.mark.proves("XC-113", "IMG-130")
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("gateway-responding", "XCA-I_RespondingGateway.wsdl"),
        ("gateway-initiating", "XCA-I_InitiatingGateway.wsdl"),
    ],
)
def test_names_of_the_imaging_gateways_are_those_published(
    name: str, published: str, shared: Path
) -> None:
    """But for the namespace of the names themselves: two contracts are one here."""

    def merged(name: tuple[str, ...]) -> tuple[str, ...]:
        if name[0] == "part":  # its element stays where it is
            return name
        return tuple(each.replace(f"{{{ns.RAD}}}", f"{{{ns.XDS}}}") for each in name)

    ours = etree.fromstring(wsdl.document(name, ADDRESS))
    file = shared / "schema" / "wsdl" / published
    theirs = {merged(each) for each in names(etree.parse(file).getroot())}
    assert {each for each in theirs - names(ours) if each[0] != "definitions"} == set()


@pytest.mark.proves("WS-001", "WS-003", "WS-004", "WS-005", "WS-014", "WS-015", "WS-016", "WS-017",
    "WS-002", "WS-006", "WS-007", "WS-008", "WS-010", "WS-012", "WS-013", "WS-018",
    "SQ-002", "LC-001", "LC-002", "LC-003", "LC-004", "PIF-062", "PIF-063", "WS-011", "IMG-070",
    "IMG-071", "IMG-072", "IMG-073", "IMG-074", "IMG-180", "IMG-181", "IMG-130", "XC-001", "XC-003",
    "XC-113", "XC-090",
)  # fmt: skip
@pytest.mark.parametrize("row", TRANSACTIONS.values(), ids=list(TRANSACTIONS))
def test_row_and_contract_agree(row: Transaction) -> None:
    everything = frozenset().union(
        *(names(etree.fromstring(wsdl.document(name, ADDRESS))) for name in wsdl.DOCUMENTS)
    )
    parts = {each[1]: each[3] for each in everything if each[0] == "part"}
    # some stand in two contracts
    operations = [
        each[3:] for each in everything if each[0] == "operation" and each[2] == row.operation
    ]
    assert operations
    for request, action, answer, answer_action in operations:
        assert (action, answer_action) == (row.action, row.answer_action)
        assert parts[etree.QName(request).localname] == row.request_tag
        assert parts[etree.QName(answer).localname] == row.answer_tag


@pytest.mark.proves("WS-022", "WS-028")
@pytest.mark.parametrize("name", sorted(wsdl.DOCUMENTS))
def test_actions_stand_in_the_namespace_of_addressing(name: str) -> None:
    contract = etree.fromstring(wsdl.document(name, ADDRESS))
    wsdl11 = "{http://schemas.xmlsoap.org/wsdl/}"
    sides = [
        side
        for operation in contract.iterfind(f"{wsdl11}portType/{wsdl11}operation")
        for side in operation
        if side.tag in (wsdl11 + "input", wsdl11 + "output")
    ]
    assert sides
    # as the published contracts do; wsam is for contracts without soapAction
    action = "{http://www.w3.org/2006/05/addressing/wsdl}Action"
    ours = ("urn:ihe:", "urn:hl7-org:v3:", "urn:dicom:wado:ws:2011:")
    assert all(side.get(action, "").startswith(ours) for side in sides)
    assert list(contract.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}binding"))


@pytest.mark.parametrize("name", sorted(wsdl.DOCUMENTS))
def test_only_addresses_differ_from_the_file(name: str, root: Path) -> None:
    address = """https://node.example/x?a="1"&b='<2>'"""
    served = wsdl.document(name, address)
    tree = etree.fromstring(served)
    locations = {each.get("location") for each in tree.iter(f"{{{SOAP12_BINDING}}}address")}
    assert locations == {address}
    references = re.findall(r'schemaLocation="([^"]*)"', served.decode())
    assert references
    blank = re.compile(rb'((?:schemaL| l)ocation=")[^"]*"')
    file = (root / "wsdl" / f"{name}.wsdl").read_bytes()
    assert blank.sub(rb"\1", served) == blank.sub(rb"\1", file)


@pytest.mark.parametrize("name", sorted(wsdl.SCHEMAS))
@pytest.mark.parametrize("address", ["", ADDRESS], ids=["relative", "absolute"])
def test_schema_refers_to_served_schemas_only(name: str, address: str) -> None:
    served = wsdl.schema(name, address)
    assert served is not None
    for reference in re.findall(rb'schemaLocation="([^"]*)"', served):
        asked = reference.decode().removeprefix(f"{address}?xsd=")
        assert asked in wsdl.SCHEMAS


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "RIM.XSD",
        "rim.xsd\0",
        "../wsdl/rim.xsd",
        "/etc/passwd",
        "__init__.py",
        "registry.wsdl",
    ],
)
def test_no_other_name_gives_a_file(name: str) -> None:
    assert wsdl.schema(name) is None
    with pytest.raises(KeyError):
        wsdl.document(name, ADDRESS)


def test_address_with_control_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="control characters"):
        wsdl.document("registry", "http://node.example/\n")


@pytest.mark.parametrize("name", sorted(wsdl.DOCUMENTS))
def test_zeep_builds_a_client_from_what_is_served(name: str, served: str) -> None:
    with requests.Session() as session:
        client = zeep.Client(f"{served}/{name}?wsdl", transport=Transport(session=session))
        ports = [port for each in client.wsdl.services.values() for port in each.ports.values()]
        assert {port.binding_options["address"] for port in ports} == {f"{served}/{name}"}
        bound = {
            each: operation.abstract.wsa_action
            for port in ports
            for each, operation in port.binding.all().items()
        }
    assert bound.items() <= {(row.operation, row.action) for row in TRANSACTIONS.values()}
    numbers = {
        "registry": 11,
        "repository": 2,
        "imaging": 2,
        "gateway-responding": 4,
        "gateway-initiating": 3,
    }
    assert len(bound) == numbers[name]
