"""RemoveObjectsRequest: what it says, and what is no such request."""

import pytest
from lxml import etree

from tests import bodies
from xdsi.model.errors import SoapFault
from xdsi.model.messages import RemoveRequest
from xdsi.standard import namespaces as ns
from xdsi.standard import urns
from xdsi.wire.remove import remove_from_xml, remove_to_xml


def read(inner: str, attributes: str = "") -> RemoveRequest:
    text = (
        f'<l:RemoveObjectsRequest xmlns:l="{ns.LCM}" xmlns:r="{ns.RIM}" xmlns:rs="{ns.RS}"'
        f" {attributes}>{inner}</l:RemoveObjectsRequest>"
    )
    return remove_from_xml(etree.fromstring(text), {})


@pytest.mark.parametrize(
    "request_",
    [
        RemoveRequest(("urn:uuid:a", "symbolic", "")),
        RemoveRequest(("a",), scope=urns.DELETE_ALL),
        RemoveRequest(()),
        RemoveRequest(("a&<\"'>",)),
    ],
    ids=lambda request: repr(request.ids),
)
@pytest.mark.proves("LC-120", "WS-018")
def test_it_is_read_as_it_was_written(request_: RemoveRequest, schema: etree.XMLSchema) -> None:
    element = bodies.inline(remove_to_xml(request_))
    schema.assertValid(element)
    assert remove_from_xml(element, {}) == request_


@pytest.mark.proves("LC-121")
def test_a_query_and_a_scope_are_seen() -> None:
    query = '<r:AdhocQuery id="q"/>'
    refs = '<r:ObjectRefList><!-- one --><r:ObjectRef id="a" home="urn:oid:1.2"/></r:ObjectRefList>'
    assert read(query + refs) == RemoveRequest(("a",), has_query=True)
    assert read(refs, 'deletionScope="urn:x"') == RemoveRequest(("a",), scope="urn:x")
    assert read("<rs:RequestSlotList/>") == RemoveRequest()


@pytest.mark.parametrize(
    "inner",
    ["<r:ObjectRef id='a'/>", "<r:ObjectRefList><r:Association/></r:ObjectRefList>"],
    ids=["no list", "other object"],
)
@pytest.mark.proves("WS-080")
def test_another_frame_is_a_fault(inner: str) -> None:
    with pytest.raises(SoapFault):
        read(inner)
    with pytest.raises(SoapFault, match="expected"):
        remove_from_xml(etree.fromstring("<x/>"), {})
