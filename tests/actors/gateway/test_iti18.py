"""Registry Stored Query [ITI-18] at an Initiating Gateway."""

from threading import Event
from typing import Any

import pytest

from tests import samples
from tests.actors.gateway.conftest import HOME, Community, ask, handler, reread
from tests.actors.gateway.partners import (
    NORTH,
    SOUTH,
    Scripted,
    answered,
    community,
    entry,
    finding,
    gateway,
    own,
    silent,
)
from tests.registry.conftest import Maker
from xdsi.actors.gateway.communities import not_asked
from xdsi.config import Limits
from xdsi.model.community import Initiating
from xdsi.model.errors import (
    XDSError,
    XDSRegistryBusy,
    XDSRegistryError,
    XDSUnknownPatientId,
    relocated,
)
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Slot
from xdsi.model.values import CX
from xdsi.plug import UNREAD_QUERY, Actor, Call
from xdsi.standard import queries, urns
from xdsi.standard.queries import STORED_QUERIES, Comparison, StoredQuery
from xdsi.standard.transactions import STORED_QUERY
from xdsi.wire import passing
from xdsi.wire.parameters import many, single

EAST = "urn:oid:2.999.53"
SOMEBODY = "P-1^^^&2.999.50&ISO"
ID = "urn:uuid:0f9c2d9e-0000-4000-8000-000000000001"
FIND = QueryRequest(
    queries.FIND_DOCUMENTS.id,
    (
        single("$XDSDocumentEntryPatientId", SOMEBODY),
        many("$XDSDocumentEntryStatus", [urns.APPROVED]),
    ),
)
GET = QueryRequest(queries.GET_DOCUMENTS.id, (many("$XDSDocumentEntryEntryUUID", [ID]),))
BY_ID = [each for each in STORED_QUERIES.values()
         if all(one.test is not Comparison.PATIENT for one in each.parameters)]  # fmt: skip


def query(actor: Actor, request: QueryRequest = FIND) -> QueryAnswer:
    answer: QueryAnswer = ask(actor, STORED_QUERY, request)
    return answer


def homes(answer: QueryAnswer) -> list[str]:
    return [passing.head(each).home for each in answer.objects]  # type: ignore[arg-type]


def ids(answer: QueryAnswer) -> list[str]:
    return [passing.head(each).id for each in answer.objects]  # type: ignore[arg-type]


def codes(answer: QueryAnswer) -> list[str]:
    return [each.code for each in answer.errors]


def failing(error: XDSError) -> Scripted:
    return Scripted(QueryAnswer(errors=(error,)))


OUTCOMES = {
    "good": lambda: finding(entry("N", NORTH)),
    "empty": finding,
    "partial": lambda: finding(entry("N", NORTH), errors=(XDSRegistryBusy("x", "y"),)),
    "partial-empty": lambda: Scripted(
        QueryAnswer(errors=(XDSRegistryBusy("x", "y"),), is_partial=True)
    ),
    "failure": lambda: failing(XDSRegistryBusy("x", "y")),
    "silent": silent,
    "unknown": lambda: failing(XDSUnknownPatientId("x", "y")),
}
GONE = "XDSUnavailableCommunity"


@pytest.mark.proves("XC-054", "XC-055", "XC-056", "XC-058", "XC-062")
@pytest.mark.parametrize(
    ("north", "south", "status", "found", "told"),
    [
        ("good", "good", urns.SUCCESS, ["N", "S"], []),
        ("good", "empty", urns.SUCCESS, ["N"], []),
        ("empty", "empty", urns.SUCCESS, [], []),
        ("good", "failure", urns.PARTIAL_SUCCESS, ["N"], ["XDSRegistryBusy"]),
        ("empty", "failure", urns.PARTIAL_SUCCESS, [], ["XDSRegistryBusy"]),
        ("good", "silent", urns.PARTIAL_SUCCESS, ["N"], [GONE]),
        ("empty", "silent", urns.PARTIAL_SUCCESS, [], [GONE]),
        ("partial", "good", urns.PARTIAL_SUCCESS, ["N", "S"], ["XDSRegistryBusy"]),
        ("partial-empty", "failure", urns.PARTIAL_SUCCESS, [], ["XDSRegistryBusy"] * 2),
        ("failure", "silent", urns.FAILURE, [], ["XDSRegistryBusy", GONE]),
        ("silent", "silent", urns.FAILURE, [], [GONE, GONE]),
        ("unknown", "unknown", urns.SUCCESS, [], []),
        ("unknown", "good", urns.SUCCESS, ["S"], []),
        ("unknown", "silent", urns.PARTIAL_SUCCESS, [], [GONE]),
    ],
)
def test_answers_become_one(
    north: str, south: str, status: str, found: list[str], told: list[str]
) -> None:
    first, second = OUTCOMES[north](), OUTCOMES[south]()
    if south == "good":
        second = finding(entry("S", SOUTH))
    with gateway(community(NORTH, first), community(SOUTH, second)) as actor:
        answer = query(actor)
        again = reread(STORED_QUERY, answer)
    assert (answer.status, ids(answer), codes(answer)) == (status, found, told)
    assert again.errors == () or [each.code for each in again.errors] == told


@pytest.mark.proves("XC-056")
def test_who_did_not_answer_is_named() -> None:
    with gateway(community(NORTH, silent(), name="North"), own=own()) as actor:
        (error,) = query(actor).errors
    assert error.context.startswith(f"{NORTH} (North): ITI-38: no answer: refused")
    assert error.location == NORTH


@pytest.mark.proves("XC-062")
def test_errors_are_passed_on_as_they_came() -> None:
    warning = relocated(XDSRegistryError("old", "index"), NORTH, "said there")
    warning.severity = urns.SEVERITY_WARNING
    with gateway(community(NORTH, finding(errors=(warning,)))) as actor:
        answer = query(actor)
    (error,) = answer.errors
    assert (error.context, error.location, error.is_warning) == ("said there", NORTH, True)
    assert answer.status == urns.SUCCESS


@pytest.mark.proves("XC-028", "XC-030", "XC-035", "XC-054")
def test_each_is_asked_by_the_identifier_it_knows() -> None:
    north, south, here = finding(), finding(), finding()
    strange = Slot("$Unknown", ("'1'",))
    asked = QueryRequest(FIND.query_id, (*FIND.parameters, strange), "ObjectRef")
    quirk = community(SOUTH, south, quirks=("home-with-patient",))
    with gateway(community(NORTH, north), quirk, own=own(here)) as actor:
        assert query(actor, asked).status == urns.SUCCESS
    (there,) = north.asked
    assert there.parameters == (
        single("$XDSDocumentEntryPatientId", "P-1^^^&2.999.51&ISO"),
        FIND.parameters[1],
        strange,
    )
    assert (there.query_id, there.return_type, there.home) == (FIND.query_id, "ObjectRef", None)
    assert south.asked[0].home == SOUTH
    assert here.asked == [asked]


@pytest.mark.proves("XC-030")
@pytest.mark.parametrize("patient", [SOMEBODY, "P-1", "P^^^&x&ISO"])
def test_where_no_identifier_is_known_nobody_is_asked(patient: str) -> None:
    north, here = finding(), finding()
    asked = QueryRequest(
        FIND.query_id, (single("$XDSDocumentEntryPatientId", patient), FIND.parameters[1])
    )

    def unknown(patient: CX, community: Community, call: Call) -> tuple[CX, ...]:
        raise not_asked(community.partner, "nobody knows it")

    with gateway(community(NORTH, north), own=own(here), identifier=unknown) as actor:
        answer = query(actor, asked)
    assert (answer.status, codes(answer)) == (urns.SUCCESS, ["XDSUnknownPatientId"])
    assert answer.errors[0].is_warning and "nobody knows it [XC-030]" in answer.errors[0].context
    assert patient not in answer.errors[0].context
    assert (north.asked, here.asked) == ([], [asked])


@pytest.mark.proves("XC-012", "XC-050", "XC-052", "SQ-066", "REG-159", "REG-176")
@pytest.mark.parametrize("row", BY_ID, ids=[each.name for each in BY_ID])
def test_a_query_by_id_needs_its_home(row: StoredQuery) -> None:
    north = finding()
    with gateway(community(NORTH, north), own=own()) as actor:
        missing = query(actor, QueryRequest(row.id))
        unknown = query(actor, QueryRequest(row.id, home="urn:oid:2.999.666"))
        assert query(actor, QueryRequest(row.id, home=NORTH)).status == urns.SUCCESS
    assert (missing.status, codes(missing)) == (urns.FAILURE, ["XDSMissingHomeCommunityId"])
    assert (unknown.status, codes(unknown)) == (urns.FAILURE, ["XDSUnknownCommunity"])
    assert "2.999.666" in unknown.errors[0].context
    assert [each.home for each in north.asked] == [NORTH]


@pytest.mark.proves("XC-010", "XC-011", "XC-053")
def test_a_query_by_id_goes_to_one_community() -> None:
    north, south, here = finding(entry("N", NORTH)), finding(), finding()
    as_slot = QueryRequest(GET.query_id, (*GET.parameters, single("$homeCommunityId", NORTH)))
    with gateway(community(NORTH, north), community(SOUTH, south), own=own(here)) as actor:
        assert homes(query(actor, as_slot)) == [NORTH]
        query(actor, QueryRequest(GET.query_id, GET.parameters, home=HOME))
    assert north.asked == [QueryRequest(GET.query_id, GET.parameters, home=NORTH)]
    assert (south.asked, here.asked) == ([], [GET])


@pytest.mark.proves("XC-021", "XC-022")
def test_a_gateway_may_answer_for_several_communities() -> None:
    north = finding(entry("N", NORTH), entry("E", "urn:oid:2.999.53"))
    with gateway(community(NORTH, north, communities=("2.999.53",))) as actor:
        assert homes(query(actor)) == [NORTH, "urn:oid:2.999.53"]
        query(actor, QueryRequest(GET.query_id, GET.parameters, home="urn:oid:2.999.53"))
    assert north.asked[1].home == "urn:oid:2.999.53"


@pytest.mark.proves("XC-015", "XC-023", "XC-059", "XC-060", "XC-067")
def test_only_objects_at_home_there_are_passed_on() -> None:
    objects = (
        entry("good", NORTH),
        entry("good", NORTH),
        entry("homeless", None),
        answered("RegistryPackage", "set", None),
        answered("ObjectRef", "ref", ""),
        answered("Association", "link", None),
        entry("stolen", SOUTH),
        entry("own", HOME),
        entry("bare", NORTH.removeprefix("urn:oid:")),
    )
    there = finding(entry("good", SOUTH))
    with gateway(community(NORTH, finding(*objects)), community(SOUTH, there), own=own()) as actor:
        answer = query(actor)
    assert answer.status == urns.PARTIAL_SUCCESS
    assert list(zip(ids(answer), homes(answer), strict=True)) == [
        ("good", NORTH), ("link", ""), ("good", SOUTH)
    ]  # fmt: skip
    assert codes(answer) == ["XDSMissingHomeCommunityId", "XDSUnknownCommunity"]
    missing, strange = (each.context for each in answer.errors)
    assert NORTH in missing and "'homeless', 'set', 'ref'" in missing
    assert NORTH in strange and "'stolen', 'own', 'bare'" in strange


def test_of_many_objects_some_are_named() -> None:
    objects = [entry(f"N{number}", None) for number in range(1000)]
    with gateway(community(NORTH, finding(*objects))) as actor:
        (error,) = query(actor).errors
    assert error.context.count("'N") == 10 and "and 990 more" in error.context


@pytest.mark.parametrize(
    ("quirk", "given"), [("bare-home", "2.999.51"), ("no-home", None), ("no-home", "")]
)
def test_what_known_systems_do_otherwise_is_put_up_with(quirk: str, given: str | None) -> None:
    for quirks in ((quirk,), ()):
        there = community(NORTH, finding(entry("N", given)), quirks=quirks)
        with gateway(there) as actor:
            assert homes(query(actor)) == ([NORTH] if quirks else [])


@pytest.mark.proves("XC-031", "XC-032")
@pytest.mark.parametrize(
    ("targets", "asked"),
    [
        ([NORTH], ["north"]),
        ([NORTH, HOME], ["north", "here"]),
        ([SOUTH, NORTH], ["north", "south"]),
        ([], ["north", "south", "here"]),
    ],
)
def test_a_consumer_may_choose_communities(targets: list[str], asked: list[str]) -> None:
    north, south, here = finding(), finding(), finding()
    slots = (many("$targetCommunityIdList", targets),) if targets else ()
    with gateway(community(NORTH, north), community(SOUTH, south), own=own(here)) as actor:
        answer = query(actor, QueryRequest(FIND.query_id, (*FIND.parameters, *slots)))
    assert answer.status == urns.SUCCESS
    names = {"north": north, "south": south, "here": here}
    assert [name for name, each in names.items() if each.asked] == asked


@pytest.mark.proves("XC-030", "XC-054")
def test_several_identifiers_are_several_questions() -> None:
    north = finding(entry("N", NORTH))
    both = (CX("1^^^&2.999.51&ISO"), CX("2^^^&2.999.52&ISO"))
    with gateway(community(NORTH, north), identifier=lambda *_: both) as actor:
        assert homes(query(actor)) == [NORTH] * 2
    assert [each.parameters[0].values for each in north.asked] == [(f"'{cx}'",) for cx in both]


@pytest.mark.proves("XC-031", "XC-052")
def test_a_community_that_is_chosen_and_unknown_is_told() -> None:
    north, nowhere = finding(entry("N", NORTH)), "urn:oid:2.999.666"
    with gateway(community(NORTH, north), own=own()) as actor:
        for targets in ([nowhere], [NORTH, nowhere]):
            slots = (many("$targetCommunityIdList", targets),)
            answer = query(actor, QueryRequest(FIND.query_id, (*FIND.parameters, *slots)))
            assert codes(answer) == ["XDSUnknownCommunity"] and nowhere in answer.errors[0].context
            assert answer.errors[0].is_warning == (NORTH in targets)
            assert homes(answer) == ([NORTH] if NORTH in targets else [])
    assert len(north.asked) == 1


@pytest.mark.proves("XC-055", "XC-066", "UC-151")
def test_what_one_community_does_too_much_takes_nothing_from_others() -> None:
    many_errors = tuple(XDSRegistryError("x", str(n)) for n in range(200))
    with gateway(
        community(
            NORTH, finding(*[entry(f"N{n}", NORTH) for n in range(Limits().leaf_results + 1)])
        ),
        community(SOUTH, finding(entry("S", SOUTH), errors=many_errors)),
        community(EAST, silent()),
    ) as actor:
        answer = query(actor)
    assert homes(answer) == [SOUTH]
    assert answer.status == urns.PARTIAL_SUCCESS
    said = [(each.code, each.location) for each in answer.errors]
    assert said[0] == ("XDSTooManyResults", NORTH) and said[-1] == ("XDSUnavailableCommunity", EAST)
    assert said.count(("XDSRegistryError", SOUTH)) == 21 and len(said) == 23
    assert "180 further errors" in answer.errors[-2].context


def test_what_no_registry_holds_is_left_out() -> None:
    with gateway(
        community(NORTH, finding(answered("Foo", "x", NORTH), entry("N", NORTH)))
    ) as actor:
        answer = query(actor)
    assert homes(answer) == [NORTH] and "'Foo'" in answer.errors[0].context


def test_home_of_a_query_by_patient_is_the_one_community_asked() -> None:
    north, south = finding(), finding()
    with gateway(community(NORTH, north), community(SOUTH, south)) as actor:
        query(actor, QueryRequest(FIND.query_id, FIND.parameters, home=SOUTH))
        unknown = query(actor, QueryRequest(FIND.query_id, FIND.parameters, home=HOME))
    assert (north.asked, [each.home for each in south.asked]) == ([], [None])
    assert codes(unknown) == ["XDSUnknownCommunity"]


@pytest.mark.proves("XC-026")
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (QueryRequest("urn:uuid:x"), "XDSUnknownStoredQuery"),
        (QueryRequest(FIND.query_id), "XDSStoredQueryMissingParam"),
        (
            QueryRequest(FIND.query_id, (many(FIND.parameters[0].name, ["a", "b"]),)),
            "XDSStoredQueryParamNumber",
        ),
        (QueryRequest(FIND.query_id, (Slot(FIND.parameters[0].name, ("('a'",)),)),
         "XDSRegistryError"),
    ],
)  # fmt: skip
def test_what_nobody_could_answer_is_refused(request_: QueryRequest, code: str) -> None:
    north = finding()
    with gateway(community(NORTH, north), own=own()) as actor:
        answer = query(actor, request_)
    assert (answer.status, codes(answer), north.asked) == (urns.FAILURE, [code], [])


@pytest.mark.proves("XC-066")
def test_more_than_may_be_answered_is_none() -> None:
    objects = [entry(f"N{number}", NORTH) for number in range(6)]
    limits = Limits(leaf_results=5, ref_results=6)
    with gateway(community(NORTH, finding(*objects)), limits=limits) as actor:
        answer = query(actor)
        references = QueryRequest(FIND.query_id, FIND.parameters, "ObjectRef")
        assert len(query(actor, references).objects) == 6
    assert (answer.status, codes(answer)) == (urns.FAILURE, ["XDSTooManyResults"])


@pytest.mark.proves("XC-066")
def test_who_is_slow_keeps_nobody_from_others() -> None:
    released = Event()

    def slow(request: QueryRequest, call: Any) -> QueryAnswer:
        released.wait(20)
        return QueryAnswer()

    settings = Initiating(seconds=0.1)
    north = community(NORTH, Scripted(slow), name="North")
    try:
        with gateway(north, community(SOUTH, finding(entry("S", SOUTH))), settings=settings) as it:
            answer = query(it)
            released.set()
    finally:
        released.set()
    assert (answer.status, ids(answer), codes(answer)) == (urns.PARTIAL_SUCCESS, ["S"], [GONE])
    assert "no answer in time" in answer.errors[0].context


@pytest.mark.proves("XC-013", "XC-014", "XC-024")
def test_what_this_community_has_has_its_home(community: Community) -> None:
    make = Maker(samples.new_patient())
    folder, one = make.folder(), make.entry()
    community.register(make.submission([one], folders=[folder], filed=[(folder, one)]))
    here = own(handler(community.registry, STORED_QUERY))
    asked = QueryRequest(
        queries.GET_ALL.id,
        (
            single("$patientId", str(make.patient)),
            *(
                many(f"$XDS{kind}Status", [urns.APPROVED])
                for kind in ("DocumentEntry", "SubmissionSet", "Folder")
            ),
        ),
    )
    with gateway(own=here) as actor:
        answer = query(actor, asked)
    assert len(answer.objects) > 3 and set(homes(answer)) == {HOME}
    read = UNREAD_QUERY.write_answer(answer)
    assert HOME.encode() in b"".join(each for each in read if isinstance(each, bytes))
