"""AdhocQueryRequest and AdhocQueryResponse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import bodies, samples, strategies
from xdsi.model.errors import SoapFault, XDSRegistryError, XDSUnavailableCommunity
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Fragment, ObjectRef, Slot
from xdsi.model.values import HomeCommunityId
from xdsi.standard import urns
from xdsi.standard.namespaces import QUERY, RIM, RS
from xdsi.wire import ebrim, query, unread

NS = {"rim": RIM, "rs": RS, "query": QUERY}
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"

requests = st.builds(
    QueryRequest,
    strategies.uuids,
    st.lists(
        st.builds(
            Slot,
            st.from_regex(r"\$XDS[A-Za-z]{1,20}", fullmatch=True),
            st.lists(strategies.texts(), max_size=3).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
    st.sampled_from([None, "LeafClass", "ObjectRef", "LeafClassWithRepositoryItem"]),
    st.none() | strategies.homes.map(str),
)


def read(text: str) -> QueryRequest:
    return query.query_from_xml(etree.fromstring(text), {})


def request(inner: str, more: str = "") -> str:
    return (
        f'<AdhocQueryRequest xmlns="{QUERY}" xmlns:r="{RIM}" xmlns:rs="{RS}"{more}>'
        f"{inner}</AdhocQueryRequest>"
    )


OPTION = '<ResponseOption returnType="LeafClass"/>'
ADHOC = f'<r:AdhocQuery id="{FIND_DOCUMENTS}"/>'


@given(requests)
@settings(max_examples=60, deadline=None)
def test_request_comes_back(schema: etree.XMLSchema, one: QueryRequest) -> None:
    element = bodies.inline(query.query_to_xml(one))
    schema.assertValid(element)
    assert query.query_from_xml(element, {}) == one


@pytest.mark.proves("SQ-003")
def test_request_has_option_then_query_with_a_slot_per_parameter() -> None:
    one = QueryRequest(FIND_DOCUMENTS, (Slot("$a", ("'x'", "'y'")), Slot("$a", ("1",))))
    element = bodies.inline(query.query_to_xml(one))
    option, adhoc = element
    assert dict(option.attrib) == {"returnType": "LeafClass", "returnComposedObjects": "true"}
    assert adhoc.get("id") == FIND_DOCUMENTS
    assert [slot.get("name") for slot in adhoc] == ["$a", "$a"]


@pytest.mark.proves("SQ-009", "SQ-007", "SQ-010")
def test_paging_and_composition_are_ignored_and_the_id_is_trimmed() -> None:
    text = request(
        "<rs:RequestSlotList/>"
        '<!-- c --><ResponseOption returnType="ObjectRef" returnComposedObjects="false"/>'
        f'<r:AdhocQuery id=" {FIND_DOCUMENTS} "><r:Slot name="$a"><r:ValueList>'
        "<r:Value> 'x' </r:Value></r:ValueList></r:Slot>"
        "<r:QueryExpression queryLanguage='q'/></r:AdhocQuery>",
        ' startIndex="7" maxResults="1" federated="true"',
    )
    assert read(text) == QueryRequest(FIND_DOCUMENTS, (Slot("$a", (" 'x' ",)),), "ObjectRef")


def test_absent_return_type_is_told_apart() -> None:
    assert read(request("<ResponseOption/>" + ADHOC)).return_type is None


@pytest.mark.proves("WS-080")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(request(OPTION), "no AdhocQuery", id="no query"),
        pytest.param(request(ADHOC), "no ResponseOption", id="no option"),
        pytest.param(request(OPTION + ADHOC + ADHOC), "more than one AdhocQuery", id="two"),
        pytest.param(request(OPTION + ADHOC + "<x/>"), "must not hold x", id="foreign child"),
        pytest.param(f'<AdhocQueryResponse xmlns="{QUERY}"/>', "expected", id="another element"),
    ],
)
def test_wrong_frame_is_a_sender_fault(text: str, reason: str) -> None:
    with pytest.raises(SoapFault, match=reason) as found:
        read(text)
    assert found.value.code == "Sender"


def answered(answer: QueryAnswer) -> etree._Element:
    return bodies.inline(query.answer_to_xml(answer))


@pytest.mark.proves("SQ-004", "SQ-005")
def test_answer_has_errors_before_objects(schema: etree.XMLSchema) -> None:
    entry = samples.document_entry(home=HomeCommunityId("urn:oid:1.2.3"))
    reference = ObjectRef(samples.new_uuid(), HomeCommunityId("urn:oid:1.2.3"))
    stored = Fragment(ebrim.to_fragment(samples.folder()))
    answer = QueryAnswer((entry, reference, stored), (XDSUnavailableCommunity("urn:oid:1.2.4"),))
    element = answered(answer)
    schema.assertValid(element)
    errors, objects = element
    assert (errors.tag, objects.tag) == (
        f"{{{RS}}}RegistryErrorList",
        f"{{{RIM}}}RegistryObjectList",
    )
    names = [etree.QName(one).localname for one in objects]
    assert names == ["ExtrinsicObject", "ObjectRef", "RegistryPackage"]
    assert objects[1].get("home") == "urn:oid:1.2.3"
    assert element.get("status") == urns.PARTIAL_SUCCESS
    found = query.answer_from_xml(element, {})
    assert (len(found.objects), len(found.errors)) == (3, 1)
    assert found.objects[1] == reference


@pytest.mark.proves("SQ-013", "SQ-005")
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (QueryAnswer(), urns.SUCCESS),
        (query.failure((XDSRegistryError("x"),)), urns.FAILURE),
    ],
    ids=["nothing found", "failure"],
)
def test_answer_without_objects_has_an_empty_list(
    schema: etree.XMLSchema, answer: QueryAnswer, status: str
) -> None:
    element = answered(answer)
    schema.assertValid(element)
    assert element.get("status") == status
    assert len(element.find("rim:RegistryObjectList", NS)) == 0


@pytest.mark.proves("SQ-013")
def test_client_reads_a_failure_without_object_list() -> None:
    text = (
        f'<AdhocQueryResponse xmlns="{QUERY}" xmlns:rs="{RS}" status="{urns.FAILURE}">'
        '<rs:RegistryErrorList><rs:RegistryError errorCode="XDSRegistryError" codeContext="c"/>'
        "</rs:RegistryErrorList></AdhocQueryResponse>"
    )
    found = query.answer_from_xml(etree.fromstring(text), {})
    assert found.objects == ()
    assert [each.context for each in found.errors] == ["c"]


def test_answer_of_another_element_is_refused() -> None:
    with pytest.raises(SoapFault):
        query.answer_from_xml(etree.fromstring("<x/>"), {})


@pytest.mark.proves("XC-045")
@pytest.mark.parametrize(("status", "count"), [(urns.FAILURE, 0), (urns.PARTIAL_SUCCESS, 1)])
def test_a_failure_brings_no_objects(status: str, count: int) -> None:
    text = (
        f'<q:AdhocQueryResponse xmlns:q="{QUERY}" xmlns:r="{RIM}" xmlns:s="{RS}" status="{status}">'
        '<s:RegistryErrorList><s:RegistryError errorCode="XDSRegistryBusy" codeContext="x"/>'
        '</s:RegistryErrorList><r:RegistryObjectList><r:ObjectRef id="x"/></r:RegistryObjectList>'
        "</q:AdhocQueryResponse>"
    )
    came = unread.parse(text.encode())
    answer = query.unread_answer(came.root, came)
    assert (len(answer.objects), answer.status) == (count, status)
