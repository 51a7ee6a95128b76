"""What patients are called in other communities: of the same domain, told, or discovered."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.actors.gateway.conftest import CALL, HOME
from tests.actors.gateway.partners import NORTH, SOUTH, Scripted, community
from xdsi.actors.gateway import identifiers
from xdsi.actors.gateway.communities import Community
from xdsi.actors.gateway.identifiers import Identifiers
from xdsi.actors.gateway.known import MIGRATIONS, Known, KnownAs
from xdsi.actors.gateway.schema import DISCOVERY, METADATA, TABLE
from xdsi.model.discovery import DiscoveryAnswer, DiscoveryRequest, PatientMatch, PersonName
from xdsi.model.errors import XDSRegistryError, XDSUnavailableCommunity, XDSUnknownPatientId
from xdsi.model.identity import Demographics
from xdsi.model.manifest import IssuedId
from xdsi.model.messages import QueryAnswer
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call
from xdsi.units import migrate

SOMEBODY = CX("P-1^^^&2.999.50&ISO")
THERE, OTHER = CX("N-7^^^&2.999.57&ISO"), CX("N-8^^^&2.999.57&ISO")
PERSON = Demographics("Muster", "Mia", "19700101", "F", "1 Way", "Town", None, "12345", "AT",
                      (IssuedId("4711", "", "2.999.4", "ISO"),))  # fmt: skip


@pytest.fixture
def known(database: str, engines: Callable[..., Engine]) -> Iterator[Known]:
    engine = engines(database)
    migrate(engine, MIGRATIONS)
    one = Known(engine)
    yield one
    one.close()


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Here:
    """Identifiers of this community, with a feed that knows SOMEBODY alone."""

    known: Known
    clock: Clock = field(default_factory=Clock)
    why: str = ""

    def __post_init__(self) -> None:
        self.people = {SOMEBODY: PERSON}
        home, domains = HomeCommunityId(HOME), ("2.999.50",)
        self._of = Identifiers(home, self.known, self._person, 3600.0, domains, self.clock)

    def _person(self, patient: CX) -> Demographics | None:
        return self.people.get(patient)

    def of(self, patient: CX, partner: Community, call: Call = CALL) -> tuple[CX, ...]:
        """None where the community is not asked, which is a warning that says why."""
        try:
            return self._of(patient, partner, call)
        except XDSUnknownPatientId as error:
            warning = error
        assert warning.is_warning and warning.location == NORTH
        assert str(patient) not in warning.context
        self.why = warning.context
        return ()


@pytest.fixture
def here(known: Known) -> Here:
    return Here(known)


def match(cx: CX = THERE, home: str | None = NORTH, **more: Any) -> PatientMatch:
    at = None if home is None else HomeCommunityId(home)
    return PatientMatch(IssuedId(cx.id, "", cx.authority, "ISO"), at, **more)


def north(*matches: PatientMatch, **how: Any) -> tuple[Community, Scripted]:
    discover = Scripted(how.pop("answer", DiscoveryAnswer(matches)))
    return community(NORTH, discover=discover, **how), discover


def told(patient: CX = SOMEBODY, identifier: CX = THERE, **more: Any) -> KnownAs:
    return KnownAs(patient, HomeCommunityId(NORTH), identifier, **more)


def test_migrations_make_the_table_of_the_schema(known: Known) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with known._engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "gateway_version", "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_what_is_kept_is_found_replaced_and_forgotten(known: Known) -> None:
    found = told(source=DISCOVERY, expires=5, degree=90, is_locator=True, person="digest")
    known.put([told(), found, told(identifier=OTHER)])
    home = HomeCommunityId(NORTH)
    assert known.find(SOMEBODY, home) == {TABLE: told(identifier=OTHER), DISCOVERY: found}
    assert known.find(SOMEBODY, HomeCommunityId(SOUTH)) == {}
    assert known.find(OTHER, home) == {}
    assert list(known.list_()) == [found, told(identifier=OTHER)]
    assert known.remove(SOMEBODY, home) and not known.remove(SOMEBODY, home)
    assert list(known.list_()) == []


@pytest.mark.proves("XC-030")
@pytest.mark.parametrize(
    ("sources", "domains", "kept", "expected"),
    [
        (("same-domain", "table", "discovery"), ("2.999.50",), True, SOMEBODY),
        (("table", "discovery"), ("2.999.50",), True, OTHER),
        (("same-domain", "table", "discovery"), ("2.999.51",), True, OTHER),
        (("same-domain", "discovery"), (), True, THERE),
        (("same-domain", "table", "discovery"), (), False, THERE),
        (("discovery", "table"), (), True, OTHER),
        (("same-domain", "table"), (), False, None),
        ((), ("2.999.50",), True, None),
    ],
)
def test_sources_are_asked_in_one_order_each_switchable(
    here: Here, sources: tuple[str, ...], domains: tuple[str, ...], kept: bool, expected: CX | None
) -> None:
    if kept:
        here.known.put([told(identifier=OTHER)])
    partner, _ = north(match(), identifiers=sources, domains=domains)
    assert here.of(SOMEBODY, partner, CALL) == (() if expected is None else (expected,))


@pytest.mark.proves("XC-091", "XC-093", "XC-094", "XC-095", "XC-097", "XC-098")
def test_who_is_asked_for(here: Here) -> None:
    partner, discover = north(match())
    here.of(SOMEBODY, partner, CALL)
    (asked,) = discover.asked
    assert isinstance(asked, DiscoveryRequest)
    query, wrapper = asked.query, asked.wrapper
    assert query.names == (PersonName("Muster", "Mia"),)
    assert (query.birth_date, query.sex) == ("19700101", "F")
    assert query.ids == (IssuedId("P-1", "", "2.999.50", "ISO"), *PERSON.other_ids)
    assert [each.city for each in query.addresses] == ["Town"]
    assert not query.is_deferred
    assert (wrapper.sender_home, wrapper.receiver_home) == (HomeCommunityId(HOME), NORTH_HOME)
    assert wrapper.sender.root == HOME.removeprefix("urn:oid:")


NORTH_HOME = HomeCommunityId(NORTH)


def test_what_was_found_is_kept_until_it_expires(here: Here) -> None:
    partner, discover = north(match(degree=93, is_locator=True))
    for _ in range(3):
        assert here.of(SOMEBODY, partner, CALL) == (THERE,)
    assert len(discover.asked) == 1
    (kept,) = here.known.list_()
    assert (kept.degree, kept.is_locator, kept.source) == (93, True, DISCOVERY)
    here.clock.now += 3601
    discover.answer = DiscoveryAnswer((match(OTHER),))
    assert here.of(SOMEBODY, partner, CALL) == (OTHER,)
    assert len(discover.asked) == 2


@pytest.mark.proves("XC-103", "XC-104")
@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ((), ()),
        ((match(), match()), (THERE,)),
        ((match(), match(OTHER)), ()),
        ((match(home=None),), (THERE,)),
        ((match(home=SOUTH),), ()),
        ((match(home=HOME),), ()),
        ((match(), match(OTHER, SOUTH)), (THERE,)),
        ((match(OTHER, "urn:oid:2.999.53"), match()), (THERE, OTHER)),
        ((match(OTHER, "urn:oid:2.999.53"),), (OTHER,)),
        ((PatientMatch(IssuedId("", "", "2.999.57", "ISO"), NORTH_HOME),), ()),
        ((PatientMatch(IssuedId("x", "", "north", "L"), NORTH_HOME),), ()),
    ],
)
def test_nothing_is_guessed(
    here: Here, matches: tuple[PatientMatch, ...], expected: tuple[CX, ...]
) -> None:
    partner, _ = north(*matches, communities=("2.999.53",))
    assert here.of(SOMEBODY, partner, CALL) == expected
    assert {str(each.community) for each in here.known.list_()} <= {NORTH, "urn:oid:2.999.53"}


def test_who_found_nobody_is_not_asked_again_at_once(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner, discover = north()
    for _ in range(3):
        assert here.of(SOMEBODY, partner, CALL) == ()
    assert len(discover.asked) == 1
    now = identifiers.monotonic()
    monkeypatch.setattr(identifiers, "monotonic", lambda: now + identifiers.NOBODY_SECONDS + 1)
    assert here.of(SOMEBODY, partner, CALL) == ()
    assert len(discover.asked) == 2


def test_what_has_expired_is_forgotten_when_something_is_found(here: Here) -> None:
    here.of(SOMEBODY, north(match())[0])
    here.known.put([told(SOMEBODY, OTHER)])
    here.people[OTHER] = PERSON
    here.clock.now += 3600
    here.of(OTHER, north(match())[0])
    assert [(each.patient, each.source) for each in here.known.list_()] == [
        (OTHER, DISCOVERY),
        (SOMEBODY, TABLE),
    ]


@pytest.mark.proves("XC-103", "XC-104")
def test_what_was_found_by_other_demographics_is_not_used(here: Here) -> None:
    partner, discover = north(match())
    assert here.of(SOMEBODY, partner) == (THERE,)
    here.people[SOMEBODY] = replace(PERSON, birth_date="19700102")
    discover.answer = DiscoveryAnswer((match(OTHER),))
    assert here.of(SOMEBODY, partner) == (OTHER,)
    discover.answer = DiscoveryAnswer()
    del here.people[SOMEBODY]
    assert here.of(SOMEBODY, partner) == ()
    assert "the identity feed told nothing" in here.why


@pytest.mark.proves("XC-030")
@pytest.mark.parametrize(
    ("matches", "why"),
    [
        ((), "it knows no patient like this one"),
        ((match(), match(OTHER)), "it knows more than one patient like this one"),
        ((match(SOMEBODY),), "by an identifier of our domain"),
        (None, "no identifier of the patient there is known"),
    ],
)
def test_why_a_community_is_not_asked(
    here: Here, matches: tuple[PatientMatch, ...] | None, why: str
) -> None:
    partner = community(NORTH) if matches is None else north(*matches)[0]
    for _ in range(2):
        assert here.of(SOMEBODY, partner) == ()
        assert why in here.why and "xdsi partner patient add" in here.why
        here.why = ""


def test_of_whom_nothing_is_known_nobody_is_asked(here: Here) -> None:
    partner, discover = north(match())
    assert here.of(OTHER, partner, CALL) == ()
    assert discover.asked == []


@pytest.mark.proves("XC-107", "XC-056")
@pytest.mark.parametrize(
    "answer",
    [
        DiscoveryAnswer(problem="ResponderBusy"),
        DiscoveryAnswer(errors=(XDSRegistryError("x", "y"),)),
        XDSUnavailableCommunity("ITI-55", "no answer: refused"),
    ],
    ids=["problem", "errors", "silence"],
)
def test_who_does_not_answer_is_named(here: Here, answer: Any) -> None:
    partner, _ = north(answer=answer)
    with pytest.raises(XDSUnavailableCommunity, match=NORTH):
        here.of(SOMEBODY, partner, CALL)


@pytest.mark.proves("XC-107")
@pytest.mark.proves("XC-056", "XC-103")
def test_who_does_not_offer_discovery_is_asked_for_documents_all_the_same(here: Here) -> None:
    refused = XDSUnavailableCommunity("ITI-55", "no answer: SOAP fault Sender: not served")
    refused.fault = "Sender"
    there, discover = north(answer=refused)
    for _ in range(5):
        assert here.of(SOMEBODY, there, CALL) == ()
        assert "does not offer" in here.why
    assert len(discover.asked) == 1
    assert there.query("?", CALL) == QueryAnswer()
    assert not any(each.is_paused for each in there.healths)


@pytest.mark.proves("XC-030")
@pytest.mark.parametrize(
    ("matches", "domains", "expected"),
    [
        ((match(SOMEBODY),), (), ()),
        ((match(CX("P-2^^^&2.999.50&ISO")),), (), ()),
        ((match(SOMEBODY), match(THERE)), (), ()),
        ((match(SOMEBODY),), ("2.999.50",), (SOMEBODY,)),
        ((match(SOMEBODY), match(OTHER, "urn:oid:2.999.53")), (), (OTHER,)),
    ],
    ids=["ours", "another of ours", "both", "of a common domain", "one of two communities"],
)
def test_an_identifier_of_our_own_domain_is_not_theirs(
    here: Here, matches: tuple[PatientMatch, ...], domains: tuple[str, ...], expected: Any
) -> None:
    how = {"communities": ("2.999.53",), "domains": domains, "identifiers": ("discovery",)}
    partner, _ = north(*matches, **how)
    assert here.of(SOMEBODY, partner, CALL) == expected
    assert tuple(each.identifier for each in here.known.list_()) == expected


def test_who_wants_to_know_more_finds_nobody(here: Here) -> None:
    answer = DiscoveryAnswer(requested=("PatientAddressRequested",))
    partner, _ = north(answer=answer)
    assert here.of(SOMEBODY, partner, CALL) == ()


@pytest.mark.proves("XC-030", "XC-104")
def test_communities_behind_one_gateway_are_asked_by_an_identifier_each(here: Here) -> None:
    there, discover = north(
        match(THERE), match(OTHER, home=SOUTH), communities=(SOUTH.removeprefix("urn:oid:"),)
    )
    for _ in range(2):  # found, and kept
        assert here.of(SOMEBODY, there, CALL) == (THERE, OTHER)
    assert len(discover.asked) == 1
    here.known.put([replace(told(identifier=SOMEBODY), community=HomeCommunityId(SOUTH))])
    assert here.of(SOMEBODY, there, CALL) == (SOMEBODY,)


def test_what_an_operator_told_is_never_written_over(here: Here) -> None:
    here.known.put([told(identifier=OTHER)])
    partner, _ = north(match(), identifiers=("discovery",))
    assert here.of(SOMEBODY, partner, CALL) == (THERE,)
    assert here.known.find(SOMEBODY, NORTH_HOME)[TABLE].identifier == OTHER
