"""lcm:RemoveObjectsRequest: the message of ITI-62.

Source: ebRS 3.0 schema; Remove Metadata and Documents supplement (LC-120, LC-121).
"""

from xdsi.model.messages import RemoveRequest
from xdsi.standard.namespaces import LCM, RIM, RS, tag
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.frame import allow, expect
from xdsi.wire.text import quoted

_REQUEST = tag(LCM, "RemoveObjectsRequest")
_SLOTS = tag(RS, "RequestSlotList")
_QUERY, _LIST, _REF = tag(RIM, "AdhocQuery"), tag(RIM, "ObjectRefList"), tag(RIM, "ObjectRef")


def remove_from_xml(element: Element, parts: Parts) -> RemoveRequest:
    """The ids as sent; a query is not looked into. parts: not looked at.

    Raises SoapFault for another element, or another child of it or of its list.
    """
    expect(element, _REQUEST)
    allow(element, _SLOTS, _QUERY, _LIST)
    ids: list[str] = []
    for listed in element.iterchildren(_LIST):
        allow(listed, _REF)
        ids += (each.get("id", "") for each in listed.iterchildren(_REF))
    return RemoveRequest(tuple(ids), element.get("deletionScope"), element.find(_QUERY) is not None)


def remove_to_xml(request: RemoveRequest) -> Body:
    """The element in one piece; a query has no wire form here."""
    scope = "" if request.scope is None else f' deletionScope="{quoted(request.scope)}"'
    refs = "".join(f'<rim:ObjectRef id="{quoted(each)}"/>' for each in request.ids)
    text = (
        f'<lcm:RemoveObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"{scope}>'
        f"<rim:ObjectRefList>{refs}</rim:ObjectRefList></lcm:RemoveObjectsRequest>"
    )
    return (text.encode(),)
