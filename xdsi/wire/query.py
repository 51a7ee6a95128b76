"""query:AdhocQueryRequest and query:AdhocQueryResponse: ITI-18, ITI-38 and ITI-51.

Source: ITI TF-2 3.18.4.1.2, TF-3 4.2.4 (SQ-003 to SQ-013).
"""

from xdsi.model.errors import XDSError
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Fragment, ObjectRef, RegistryObject, Slot
from xdsi.standard import urns
from xdsi.standard.namespaces import QUERY, RIM, RS, tag
from xdsi.wire import ebrim, ebrs, unread
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.ebrim_reader import objects_from_list, slot_values
from xdsi.wire.frame import allow, expect, only
from xdsi.wire.text import escaped, quoted

_REQUEST, _ANSWER = tag(QUERY, "AdhocQueryRequest"), tag(QUERY, "AdhocQueryResponse")
_OPTION, _QUERY = tag(QUERY, "ResponseOption"), tag(RIM, "AdhocQuery")
_REQUEST_SLOTS, _SLOT = tag(RS, "RequestSlotList"), tag(RIM, "Slot")
_LIST = tag(RIM, "RegistryObjectList")


def query_from_xml(element: Element, parts: Parts) -> QueryRequest:
    """Parameters as received; only the query id is trimmed (SQ-010). parts: not looked at.

    Paging attributes and returnComposedObjects are ignored (SQ-007, SQ-009).
    Raises SoapFault where ResponseOption or AdhocQuery is missing or doubled.
    """
    expect(element, _REQUEST)
    allow(element, _REQUEST_SLOTS, _OPTION, _QUERY)
    query = only(element, _QUERY)
    return QueryRequest(
        query_id=query.get("id", "").strip(),
        parameters=tuple(
            [Slot(one.get("name", ""), slot_values(one)) for one in query.iterchildren(_SLOT)]
        ),
        return_type=only(element, _OPTION).get("returnType"),
        home=query.get("home"),
    )


def query_to_xml(request: QueryRequest) -> Body:
    """The AdhocQueryRequest element in one piece."""
    kind = "" if request.return_type is None else f' returnType="{quoted(request.return_type)}"'
    home = "" if request.home is None else f' home="{quoted(request.home)}"'
    pieces = [
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">',
        f'<query:ResponseOption{kind} returnComposedObjects="true"/>',
        f'<rim:AdhocQuery id="{quoted(request.query_id)}"{home}>',
    ]
    for slot in request.parameters:
        pieces.append(f'<rim:Slot name="{quoted(slot.name)}"><rim:ValueList>')
        pieces += [f"<rim:Value>{escaped(value)}</rim:Value>" for value in slot.values]
        pieces.append("</rim:ValueList></rim:Slot>")
    pieces.append("</rim:AdhocQuery></query:AdhocQueryRequest>")
    return ("".join(pieces).encode(),)


def failure(errors: tuple[XDSError, ...]) -> QueryAnswer:
    """The answer to a query that failed as a whole: no objects."""
    return QueryAnswer(errors=errors)


def answer_to_xml(answer: QueryAnswer) -> Body:
    """The AdhocQueryResponse element; its object list is there even when empty.

    In pieces, so that whoever frames the answer copies a large one once.
    """
    start = (
        f'<query:AdhocQueryResponse xmlns:query="{QUERY}" xmlns:rim="{RIM}"'
        f' status="{answer.status}">'
    )
    return (
        start.encode() + ebrs.error_list(answer.errors) + b"<rim:RegistryObjectList>",
        *[one.xml if isinstance(one, Fragment) else _answered(one) for one in answer.objects],
        b"</rim:RegistryObjectList></query:AdhocQueryResponse>",
    )


def _answered(one: RegistryObject | ObjectRef) -> bytes:
    return ebrim.reference(one) if isinstance(one, ObjectRef) else ebrim.to_fragment(one)


def answer_from_xml(element: Element, parts: Parts) -> QueryAnswer:
    """Objects and errors. A missing object list is an empty one (SQ-013). parts: not looked at.

    What is wrong with the form of an answered object is read past.
    Raises SoapFault for another element.
    """
    expect(element, _ANSWER)
    objects: list[RegistryObject | ObjectRef | Fragment] = []
    for listed in element.iterchildren(_LIST):
        objects += objects_from_list(listed)[0]
    return QueryAnswer(tuple(objects), ebrs.errors_of(element))


def unread_answer(element: Element, came: unread.Answer) -> QueryAnswer:
    """As `answer_from_xml`, each object as it came: for those who pass them on.

    What the model does not know goes on too (XC-029); only what is no object at all does not, nor
    what stands in a Failure (XC-045).
    """
    expect(element, _ANSWER)
    status = element.get("status")
    objects = () if status == urns.FAILURE else came.objects(element)
    return QueryAnswer(objects, ebrs.errors_of(element), status == urns.PARTIAL_SUCCESS)
