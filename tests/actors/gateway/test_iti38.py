"""Cross Gateway Query [ITI-38]."""

from dataclasses import replace

import pytest
from lxml import etree

from tests import samples
from tests.actors.gateway.conftest import (
    CALL,
    HOME,
    OTHER_HOME,
    Community,
    MakeGateway,
    ask,
    handler,
    reread,
    told,
    written,
)
from tests.registry.conftest import Maker, all_of
from xdsi.model.errors import XDSRegistryError
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Association, DocumentEntry, Folder, ObjectRef, Slot, SubmissionSet
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Actor, Call
from xdsi.standard import namespaces as ns
from xdsi.standard import queries, urns
from xdsi.standard.queries import STORED_QUERIES, StoredQuery
from xdsi.standard.transactions import CROSS_GATEWAY_QUERY, REGISTER_ON_DEMAND, STORED_QUERY
from xdsi.wire import query, unread
from xdsi.wire.parameters import many, single

ROW = CROSS_GATEWAY_QUERY
BY_PATIENT = {
    each.id
    for each in (
        queries.FIND_DOCUMENTS,
        queries.FIND_DOCUMENTS_BY_REFERENCE_ID,
        queries.FIND_SUBMISSION_SETS,
        queries.FIND_FOLDERS,
        queries.GET_ALL,
        queries.FIND_DOCUMENTS_BY_TITLE,
    )
}


@pytest.fixture(scope="module")
def patient(community: Community) -> CX:
    """Somebody with an object of every kind, one of them submitted under another home."""
    make = Maker(samples.new_patient())
    folder, entry = make.folder(), make.entry(home=HomeCommunityId(OTHER_HOME))
    community.register(
        make.submission([entry, make.entry(mime_type="text/x>y")], folders=[folder],
                        filed=[(folder, entry)])
    )  # fmt: skip
    return make.patient


@pytest.fixture(scope="module")
def entry(community: Community, patient: CX) -> DocumentEntry:
    request = QueryRequest(queries.GET_ALL.id, all_of(patient))
    answer = reread(STORED_QUERY, handler(community.registry, STORED_QUERY)(request, CALL))
    return next(each for each in answer.objects if isinstance(each, DocumentEntry))


def find(patient: CX, returns: str = "LeafClass", home: str | None = None) -> QueryRequest:
    """GetAll of a patient."""
    return QueryRequest(queries.GET_ALL.id, all_of(patient), returns, home)


def get(uuid: str, home: str | None = HOME, *slots: Slot) -> QueryRequest:
    """GetDocuments of one entry."""
    given = (single("$XDSDocumentEntryEntryUUID", uuid), *slots)
    return QueryRequest(queries.GET_DOCUMENTS.id, given, "LeafClass", home)


def by(query: StoredQuery, home: str | None) -> QueryRequest:
    """A query without its parameters."""
    return QueryRequest(query.id, (), "ObjectRef", home)


@pytest.mark.proves("XC-013", "XC-015", "XC-029", "XC-040", "XC-008", "XC-021")
def test_every_object_carries_our_home_and_is_else_as_the_registry_has_it(
    responding: Actor, community: Community, patient: CX
) -> None:
    answer = reread(ROW, ask(responding, ROW, find(patient)))
    assert answer.status == urns.SUCCESS
    assert {type(each) for each in answer.objects} == {
        DocumentEntry, SubmissionSet, Folder, Association
    }  # fmt: skip
    assert {str(each.home) for each in answer.objects} == {HOME}
    there = handler(community.registry, STORED_QUERY)(find(patient), CALL)
    there = reread(STORED_QUERY, there).objects
    assert {str(each.home) for each in there} == {"None", OTHER_HOME}
    assert [replace(each, home=None) for each in answer.objects] == [
        replace(each, home=None) for each in there
    ]


@pytest.mark.proves("XC-014")
def test_every_objectref_carries_our_home(responding: Actor, patient: CX) -> None:
    answer = reread(ROW, ask(responding, ROW, find(patient, "ObjectRef")))
    assert len(answer.objects) > 3
    assert all(isinstance(each, ObjectRef) for each in answer.objects)
    assert {str(each.home) for each in answer.objects} == {HOME}


# as a registry of another make might write it, with what our model does not know
FOREIGN = f'''<q:AdhocQueryResponse xmlns:q="{ns.QUERY}" status="{urns.SUCCESS}">
<r:RegistryObjectList xmlns:r="{ns.RIM}" xmlns:x="urn:example:x">
  <!-- first -->
  <r:ExtrinsicObject x:home="there" id='a>b' home='{OTHER_HOME}' mimeType="home=&quot;">
    <r:Slot name="odd" slotType="x"><r:ValueList><r:Value>&lt;1&gt; é</r:Value></r:ValueList>
    </r:Slot><r:Classification id="c" classificationScheme="urn:example:unknown" x:y="z"/>
  </r:ExtrinsicObject>
  <r:Identifiable xmlns:i="{ns.XSI}" i:type="r:AssociationType1" id="d"/>
  <ObjectRef xmlns="{ns.RIM}" id="e"/>
</r:RegistryObjectList></q:AdhocQueryResponse>'''


@pytest.mark.proves("XC-029", "XC-028", "XC-013", "XC-014", "XC-015")
def test_objects_of_a_foreign_registry_go_on_as_they_came(make_gateway: MakeGateway) -> None:
    came = unread.parse(FOREIGN.encode())

    def remote(request: QueryRequest, call: Call) -> QueryAnswer:
        return query.unread_answer(came.root, came)

    answer = ask(make_gateway(query=remote), ROW, find(samples.PATIENT))
    sent = list(written(ROW, answer)[-1])
    assert [each.attrib.pop("home") for each in sent] == [HOME] * 3
    expected = [each for each in came.root[-1] if isinstance(each.tag, str)]
    expected[0].attrib.pop("home")
    assert [canonical(each) for each in sent] == [canonical(each) for each in expected]


def canonical(element: etree._Element) -> bytes:
    text: bytes = etree.tostring(element, method="c14n", exclusive=True, with_tail=False)
    return text


@pytest.mark.proves("XC-013", "XC-014", "XC-016", "XC-045")
def test_objects_that_were_read_carry_our_home(make_gateway: MakeGateway) -> None:
    found = (samples.document_entry(), ObjectRef(samples.new_uuid(), HomeCommunityId(OTHER_HOME)))
    errors = (XDSRegistryError("the archive", "is away", location="x"),)

    def registry(request: QueryRequest, call: Call) -> QueryAnswer:
        return QueryAnswer(found, errors)

    answer = ask(make_gateway(query=registry), ROW, find(samples.PATIENT))
    assert [str(each.home) for each in reread(ROW, answer).objects] == [HOME] * 2
    assert answer.status == urns.PARTIAL_SUCCESS
    assert told(answer) == [("XDSRegistryError", HOME)]


@pytest.mark.proves("XC-012", "XC-037", "XC-016", "XC-039", "XC-026")
@pytest.mark.parametrize("query", STORED_QUERIES.values(), ids=lambda each: each.name)
def test_home_is_demanded_of_queries_without_a_patient(
    responding: Actor, query: StoredQuery
) -> None:
    """Before their parameters are looked at, of which there are none here."""
    answer = ask(responding, ROW, by(query, None))
    code = "XDSStoredQueryMissingParam" if query.id in BY_PATIENT else "XDSMissingHomeCommunityId"
    assert {*told(answer)} == {(code, HOME)}
    assert (answer.status, answer.objects) == (urns.FAILURE, ())
    own = ask(responding, ROW, by(query, HOME))
    assert {*told(own)} == {("XDSStoredQueryMissingParam", HOME)}


@pytest.mark.proves("XC-035", "XC-036", "XC-016", "XC-011")
@pytest.mark.parametrize(
    "home", [OTHER_HOME, samples.HOME, HOME + ".1", HOME.upper(), "x" * 5000, "urn:oid:"]
)
@pytest.mark.parametrize("query", [queries.FIND_DOCUMENTS, queries.GET_DOCUMENTS])
def test_the_home_of_others_is_unknown(responding: Actor, query: StoredQuery, home: str) -> None:
    answer = ask(responding, ROW, by(query, home))
    assert told(answer) == [("XDSUnknownCommunity", HOME)]
    assert answer.errors[0].rule == "XC-036" and len(answer.errors[0].context) < 500
    assert (answer.status, answer.objects) == (urns.FAILURE, ())


@pytest.mark.proves("XC-010", "XC-021", "XC-035")
@pytest.mark.parametrize("home", [HOME, f" {HOME}\t"])
def test_our_own_home_is_accepted(
    responding: Actor, patient: CX, entry: DocumentEntry, home: str
) -> None:
    assert len(ask(responding, ROW, find(patient, home=home)).objects) > 3
    (one,) = reread(ROW, ask(responding, ROW, get(entry.entry_uuid, home))).objects
    assert one.entry_uuid == entry.entry_uuid


@pytest.mark.proves("XC-010")
def test_home_as_a_parameter_is_understood_and_not_passed_on(
    make_gateway: MakeGateway, entry: DocumentEntry
) -> None:
    asked = []

    def registry(request: QueryRequest, call: Call) -> QueryAnswer:
        asked.append(request)
        return QueryAnswer()

    actor = make_gateway(query=registry)
    for given in (f"('{HOME}')", HOME, f"'{HOME}'"):
        ask(actor, ROW, get(entry.entry_uuid, None, Slot(queries.HOME, (given,))))
    assert asked == [replace(get(entry.entry_uuid), home=None)] * 3
    other = Slot(queries.HOME, (f"('{OTHER_HOME}')",))
    assert told(ask(actor, ROW, get(entry.entry_uuid, None, other))) == [
        ("XDSUnknownCommunity", HOME)
    ]
    none = Slot(queries.HOME, ("()",))
    assert told(ask(actor, ROW, get(entry.entry_uuid, None, none))) == [
        ("XDSMissingHomeCommunityId", HOME)
    ]


@pytest.mark.proves("XC-029", "XC-031", "XC-032")
def test_every_parameter_reaches_the_registry_known_or_not(
    make_gateway: MakeGateway, responding: Actor, patient: CX
) -> None:
    asked = []

    def registry(request: QueryRequest, call: Call) -> QueryAnswer:
        asked.append(request.parameters)
        return QueryAnswer()

    extra = many("$targetCommunityIdList", (HOME, OTHER_HOME)), Slot("$urn:example:x", ("1", "2"))
    request = replace(find(patient), parameters=(*all_of(patient), *extra))
    ask(make_gateway(query=registry), ROW, request)
    assert asked == [request.parameters]
    assert len(ask(responding, ROW, request).objects) > 3


@pytest.mark.proves("XC-026", "XC-027", "XC-039")
@pytest.mark.parametrize(
    "query_id",
    ["", "urn:uuid:00000000-0000-4000-8000-000000000000", *queries.MULTI_PATIENT_QUERIES],
)
@pytest.mark.parametrize("home", [None, HOME, OTHER_HOME])
def test_an_unknown_query_is_told_first(responding: Actor, query_id: str, home: str | None) -> None:
    answer = ask(responding, ROW, QueryRequest(query_id, (), "LeafClass", home))
    assert told(answer) == [("XDSUnknownStoredQuery", HOME)]


@pytest.mark.proves("XC-034")
@pytest.mark.parametrize(
    "patient", ["NOBODY^^^&1.3.6.1.4.1.21367.13.20.1000&ISO", "nonsense", "a^b^c&d"]
)
def test_an_unknown_patient_has_nothing_whatever_the_form(responding: Actor, patient: str) -> None:
    slots = (
        Slot("$XDSDocumentEntryPatientId", (f"'{patient}'",)),
        many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
    )
    answer = ask(responding, ROW, QueryRequest(queries.FIND_DOCUMENTS.id, slots))
    assert (answer.status, answer.objects, answer.errors) == (urns.SUCCESS, (), ())


@pytest.mark.proves("XC-034")
def test_a_registry_is_never_asked_for_what_can_be_no_identifier(
    make_gateway: MakeGateway,
) -> None:
    """It might answer that by another error than an unknown one."""
    asked = []

    def registry(request: QueryRequest, call: Call) -> QueryAnswer:
        asked.extend(request.parameters)
        return QueryAnswer()

    actor = make_gateway(query=registry)
    known = str(samples.PATIENT)
    for text in ("nonsense", known, f"('{known}')", f"('{known}','nonsense')", "'unfinished"):
        slot = Slot("$XDSDocumentEntryPatientId", (text,))
        ask(actor, ROW, QueryRequest(queries.FIND_DOCUMENTS.id, (slot,)))
    values = [each.values[0] for each in asked]
    assert values[1:3] == [known, f"('{known}')"] and values[4] == "'unfinished"
    for each in (values[0], values[3]):
        assert CX(each.strip("'")).problem is None and known not in each


@pytest.mark.parametrize("kind", ["Folder", "SubmissionSet"])
def test_what_is_not_there_is_an_empty_success(responding: Actor, kind: str) -> None:
    query = queries.GET_FOLDERS if kind == "Folder" else queries.GET_SUBMISSION_SET_AND_CONTENTS
    slot = single(f"$XDS{kind}EntryUUID", samples.new_uuid())
    answer = ask(responding, ROW, QueryRequest(query.id, (slot,), "LeafClass", HOME))
    assert (answer.status, answer.objects) == (urns.SUCCESS, ())


@pytest.mark.proves("XC-072", "XC-073", "XC-045")
def test_a_failure_lists_errors_before_an_empty_list(responding: Actor) -> None:
    body = written(ROW, ask(responding, ROW, by(queries.GET_DOCUMENTS, None)))
    assert [each.tag.rpartition("}")[2] for each in body] == [
        "RegistryErrorList", "RegistryObjectList"
    ]  # fmt: skip
    assert len(body[1]) == 0


@pytest.mark.proves("XC-033", "XC-074", "XC-075", "XC-078")
def test_entries_on_demand_and_of_delayed_assembly_pass_through(
    responding: Actor, community: Community
) -> None:
    make = Maker(samples.new_patient())
    delayed, offer = make.entry(b""), make.on_demand()
    community.register(make.submission([delayed]))
    handler(community.registry, REGISTER_ON_DEMAND)(make.submission([offer]), CALL)
    slots = (
        single("$XDSDocumentEntryPatientId", str(make.patient)),
        many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
    )
    kinds = many("$XDSDocumentEntryType", (urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT))

    def found(*parameters: Slot) -> dict[str, DocumentEntry]:
        request = QueryRequest(queries.FIND_DOCUMENTS.id, parameters)
        return {e.entry_uuid: e for e in reread(ROW, ask(responding, ROW, request)).objects}

    assert found(*slots).keys() == {delayed.entry_uuid}
    both = found(*slots, kinds)
    assert both.keys() == {delayed.entry_uuid, offer.entry_uuid}
    assert both[offer.entry_uuid].is_on_demand
    one = both[delayed.entry_uuid]
    assert (str(one.size), str(one.hash)) == ("0", urns.EMPTY_SHA1)
