"""zeep with our contracts: typed objects in both directions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from tests.wsdl.messages import typed_submission
from xdsi.standard import namespaces as ns
from xdsi.standard import urns
from xdsi.standard.transactions import REGISTER, STORED_QUERY

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture(scope="module")
def client(served: str) -> Iterator[zeep.Client]:
    with requests.Session() as session:
        yield zeep.Client(f"{served}/registry?wsdl", transport=Transport(session=session))


def test_query_answer_becomes_typed_objects(client: zeep.Client) -> None:
    answer = client.wsdl.types.get_element(STORED_QUERY.answer_tag).parse(
        etree.parse(CORPUS / "answer-leaf-class.xml").getroot(), client.wsdl.types
    )
    assert answer.status == urns.SUCCESS
    found = [next(iter(each.items())) for each in answer.RegistryObjectList["_value_1"]]
    assert [(kind, type(value).__name__) for kind, value in found] == [
        ("ExtrinsicObject", "ExtrinsicObjectType"),
        ("RegistryPackage", "RegistryPackageType"),
        ("RegistryPackage", "RegistryPackageType"),
        ("Association", "AssociationType1"),
        ("ObjectRef", "ObjectRefType"),
    ]
    entry, ref = found[0][1], found[-1][1]
    assert entry.mimeType == "application/pdf"
    assert entry.Name.LocalizedString[0].value == "Invented report"
    # the author's slots: lost where a nested type extends its own parent
    author = entry.Classification[0]
    assert author.id
    assert author.Slot[0].name == "authorPerson"
    assert entry.ExternalIdentifier[1].value == "2.25.1001"
    assert ref.home == "urn:oid:1.2.3"


def test_typed_submission_is_written_as_elements_of_its_kinds(
    client: zeep.Client, official: etree.XMLSchema, ours: etree.XMLSchema
) -> None:
    envelope = client.create_message(
        client.service, REGISTER.operation, RegistryObjectList=typed_submission(client)
    )
    body = envelope.find(ns.tag(ns.SOAP12, "Body"))[0]
    sent = etree.fromstring(etree.tostring(body))
    assert sent.tag == REGISTER.request_tag
    official.assertValid(sent)
    ours.assertValid(sent)
    kinds = [
        etree.QName(each).localname for each in sent.find(ns.tag(ns.RIM, "RegistryObjectList"))
    ]
    assert kinds == ["RegistryPackage", "ExtrinsicObject", "Association", "Classification"]
    assert not [each for each in sent.iter() if each.get(ns.tag(ns.XSI, "type"))]


def test_published_schema_makes_zeep_write_identifiable(
    shared: Path, ours: etree.XMLSchema
) -> None:
    """Why our codecs and our schema read rim:Identifiable with xsi:type."""
    published = zeep.Client(str(shared / "schema" / "wsdl" / "XDS.b_DocumentRegistry.wsdl"))
    association = published.get_type(ns.tag(ns.RIM, "AssociationType1"))(
        id="as1", associationType=urns.HAS_MEMBER, sourceObject="a", targetObject="b"
    )
    envelope = published.create_message(
        published.service, REGISTER.operation, RegistryObjectList={"Identifiable": [association]}
    )
    sent = etree.fromstring(etree.tostring(envelope.find(ns.tag(ns.SOAP12, "Body"))[0]))
    (written,) = sent.find(ns.tag(ns.RIM, "RegistryObjectList"))
    assert etree.QName(written).localname == "Identifiable"
    assert written.get(ns.tag(ns.XSI, "type"), "").endswith(":AssociationType1")
    ours.assertValid(sent)
