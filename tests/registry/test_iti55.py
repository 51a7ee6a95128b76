"""Discovery through both codecs and the handler, on both databases."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

import registry
from registry import MIGRATIONS, iti55
from tests import samples
from tests.databases import PostgreSQL
from tests.registry.test_actor import over_the_wire
from xdsi.config import Limits
from xdsi.config import Registry as Settings
from xdsi.model.discovery import (
    Address,
    Discovery,
    DiscoveryAnswer,
    DiscoveryRequest,
    PatientMatch,
    PatientQuery,
    PersonName,
)
from xdsi.model.identity import (
    Act,
    Demographics,
    IdentityEvent,
    IdentityMessage,
    InstanceId,
    Wrapper,
)
from xdsi.model.manifest import IssuedId
from xdsi.model.values import HomeCommunityId
from xdsi.plug import Actor, Call
from xdsi.standard.discovery import ADDRESS_REQUESTED, SEX_REQUESTED
from xdsi.standard.transactions import PATIENT_ADDED, PATIENT_DISCOVERY, PATIENT_MERGED
from xdsi.units import engine, migrate

OWN, NATION, THEIRS = samples.PATIENT_DOMAIN, "1.2.3.77", "1.2.4.1"
HOME, ASKING = HomeCommunityId("urn:oid:1.2.3.9"), HomeCommunityId("urn:oid:1.2.4.9")
WRAPPER = Wrapper(InstanceId("1.2.4.5"), InstanceId("1.2.4"), InstanceId("1.2.3"), "P", ASKING)


def own(value: str) -> IssuedId:
    return IssuedId(value, "", OWN, "ISO")


def national(value: str) -> IssuedId:
    return IssuedId(value, "", NATION, "ISO")


ERIKA = Demographics(
    "Müller", "Erika Maria", "19700102", "F", "1 Invented Street", "Town", None, "1010", "AT",
    (national("N-1"),),
)  # fmt: skip
PEOPLE = {
    "erika": ERIKA,
    # her twins, of whom little is known
    "anna": Demographics("Example", "Anna", "20010203", "F", city="Town"),
    "otto": Demographics("Example", "Otto", "20010203", "M", city="Village"),
    "first": Demographics("Same", "Name", "19500505", "F"),
    "second": Demographics("Same", "Name", "19500505", "F"),
    "unnamed": Demographics(other_ids=(national("N-2"),)),
    "nameless": Demographics(birth_date="19700102", sex="F"),
    "half a name": Demographics(family="Half", birth_date="19700102", sex="F"),
    "two words": Demographics("Van Dyck", "Vera", "19750506", "F"),
    "year": Demographics("Sparse", "Sid", "1960", "M"),
    "merged": Demographics("Gone", "Gina", "19801112", "F", other_ids=(national("N-3"),)),
    "survivor": Demographics("Stays", "Gina", "19801112", "F"),
    "odd & id^": Demographics("Odd", "Ida", "19990909", "F"),
}


class Asked:
    """A registry that was fed, asked with any settings."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.actors: dict[tuple[object, ...], Actor] = {}
        one = engine(url)
        migrate(one, MIGRATIONS)
        one.dispose()
        for name, told in PEOPLE.items():
            self.feed(PATIENT_ADDED, IdentityEvent(Act.ADD, (own(name),), (), told))
        merge = IdentityEvent(Act.MERGE, (own("survivor"),), (own("merged"),))
        self.feed(PATIENT_MERGED, merge)

    def close(self) -> None:
        for each in self.actors.values():
            each.close()

    def actor(self, **discovery: Any) -> Actor:
        """With these settings, kept for later."""
        key = tuple(discovery.items())
        if key not in self.actors:
            self.actors[key] = self._made(discovery)
        return self.actors[key]

    def _made(self, discovery: dict[str, Any]) -> Actor:
        given = {"match": "exact", "home_community_id": "1.2.3.9", **discovery}
        settings = Settings(
            assigning_authorities=(OWN,), feed_v3=True, discovery=Discovery(**given)
        )
        return registry.actor(settings, Limits(), engine(self.url))

    def feed(self, row: Any, event: IdentityEvent) -> None:
        message = IdentityMessage(Wrapper(InstanceId(samples.new_oid())), event)
        assert over_the_wire(self.actor(), row, message).is_accepted

    def ask(
        self, query: PatientQuery, wrapper: Wrapper = WRAPPER, **discovery: Any
    ) -> DiscoveryAnswer:
        answer: DiscoveryAnswer = over_the_wire(
            self.actor(**discovery), PATIENT_DISCOVERY, DiscoveryRequest(query, wrapper)
        )
        assert answer.query == query
        assert answer.wrapper == replace(wrapper, receiver_home=HOME)
        return answer

    def found(self, query: PatientQuery, **discovery: Any) -> dict[str, int | None]:
        """Degrees of the patients found."""
        answer = self.ask(query, **discovery)
        assert answer.errors == () and answer.requested == ()
        assert {(each.home, each.is_locator) for each in answer.matches} <= {(HOME, False)}
        return {each.id.value: each.degree for each in answer.matches}

    def refused(self, query: PatientQuery, **more: Any) -> tuple[str | None, list[str]]:
        """Problem and rules."""
        answer = self.ask(query, **more)
        assert answer.status == "Failure" and answer.matches == () and answer.requested == ()
        shown = " ".join(each.context for each in answer.errors)
        assert "Müller" not in shown and "1970" not in shown
        return answer.problem, [each.context.rpartition("[")[2][:-1] for each in answer.errors]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    url = f"sqlite:///{tmp_path_factory.mktemp('discovery') / 'registry.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_server").create()
    one = Asked(url)
    yield one
    one.close()


def person(family: str, given: str, born: str, **more: Any) -> PatientQuery:
    return PatientQuery(InstanceId("1.2.4.5", "Q"), (PersonName(family, given),), born, **more)


def by_id(*ids: IssuedId, **more: Any) -> PatientQuery:
    return PatientQuery(InstanceId("1.2.4.5", "Q"), ids=ids, **more)


TOWN = Address("1 Invented Street", "Town", None, "1010", "AT")
# query -> patients found in an exact match
EXACT = {
    "name and birth date": (person("Müller", "Erika", "19700102"), {"erika": 100}),
    "without accents, in capitals": (person("MULLER", "ERIKA MARIA", "19700102"), {"erika": 100}),
    "as in the passport": (person("Mueller", "Erika M.", "19700102"), {"erika": 100}),
    "all that is known": (
        person("Müller", "Erika", "19700102", sex="F", addresses=(TOWN,), ids=(national("N-1"),)),
        {"erika": 100},
    ),
    "one of two names": (
        replace(person("Müller", "Erika", "19700102"),
                names=(PersonName("Else"), PersonName("Müller", "Erika"))),
        {"erika": 100},
    ),
    "one of two addresses": (
        person("Müller", "Erika", "19700102", addresses=(Address(city="X"), TOWN)),
        {"erika": 100},
    ),
    "another family name": (person("Miller", "Erika", "19700102"), {}),
    "more of a family name": (person("Müller Example", "Erika", "19700102"), {}),
    "less of a family name": (person("Van", "Vera", "19750506"), {}),
    "less, as an initial": (person("Van D", "Vera", "19750506"), {}),
    "a family name of two words": (person("van dyck", "Vera", "19750506"), {"two words": 100}),
    "a street of the same beginning": (
        person("Müller", "Erika", "19700102", addresses=(replace(TOWN, street="1 Invented"),)), {},
    ),
    "another given name": (person("Müller", "Erik", "19700102"), {}),
    "another birth date": (person("Müller", "Erika", "19700103"), {}),
    "day and month exchanged": (person("Müller", "Erika", "19700201"), {}),
    "another sex": (person("Müller", "Erika", "19700102", sex="M"), {}),
    "another address": (
        person("Müller", "Erika", "19700102", addresses=(Address(city="Village"),)), {},
    ),
    "another identifier of a domain": (
        person("Müller", "Erika", "19700102", ids=(national("N-9"),)), {},
    ),
    "the identifier of who asks": (
        person("Müller", "Erika", "19700102", ids=(IssuedId("7", "", THEIRS, "ISO"),)),
        {"erika": 100},
    ),
    "a telephone nobody knows": (
        person("Müller", "Erika", "19700102", telecoms=("tel:1",)), {"erika": 96},
    ),
    "nobody": (person("No", "Body", "19700102", sex="F"), {}),
    "somebody whose given name is not known": (person("Half", "A", "19700102", sex="F"), {}),
    "somebody by the family name": (
        replace(person("Half", "", "19700102"), names=(PersonName("Half"),)),
        {"half a name": 100},
    ),
    "own identifier": (by_id(own("erika")), {"erika": 100}),
    "national identifier": (by_id(national("N-1")), {"erika": 100}),
    "both identifiers": (by_id(own("erika"), national("N-1")), {"erika": 100}),
    "contradicting identifiers": (by_id(own("erika"), national("N-9")), {}),
    "an unknown identifier": (by_id(national("N-9")), {}),
    "identifier and sex": (by_id(national("N-1"), sex="F"), {"erika": 100}),
    "identifier and another sex": (by_id(national("N-1"), sex="M"), {}),
    "identifier and less of the birth date": (by_id(own("erika"), birth_date="1970"),
                                              {"erika": 88}),
    "somebody without demographics": (by_id(national("N-2")), {"unnamed": 100}),
    "the same with demographics": (
        person("Any", "Body", "19700102", ids=(national("N-2"),)), {"unnamed": 79},
    ),
    "an identifier with delimiters": (by_id(own("odd & id^")), {"odd & id^": 100}),
    "merged": (person("Gone", "Gina", "19801112"), {}),
    "merged, by identifier": (by_id(own("merged")), {}),
    "merged, by national identifier": (by_id(national("N-3")), {}),
    "survivor": (person("Stays", "Gina", "19801112"), {"survivor": 100}),
    "a birth date that is not known so well": (person("Sparse", "Sid", "19600101"), {}),
    "an own identifier, and a domain of no OID": (
        by_id(own("erika"), IssuedId("1", "", "x", "ISO")), {"erika": 100},
    ),
    "minimum that is not reached": (
        person("Müller", "Erika", "19700102", telecoms=("tel:1",), minimum_degree=97), {},
    ),
    "minimum that is": (
        person("Müller", "Erika", "19700102", telecoms=("tel:1",), minimum_degree=96),
        {"erika": 96},
    ),
}  # fmt: skip


@pytest.mark.proves("XC-094", "XC-095", "XC-101", "XC-103", "XC-107")
@pytest.mark.parametrize(("query", "expected"), EXACT.values(), ids=EXACT)
def test_exact_match(asked: Asked, query: PatientQuery, expected: dict[str, int]) -> None:
    assert asked.found(query) == expected


CLOSE = {
    "misspelt": (person("Muler", "Erica", "19700102"), {"erika"}),
    "day and month exchanged": (person("Müller", "Erika", "19700201"), {"erika"}),
    "both": (person("Muler", "Erica", "19700201"), set()),
    "another sex": (person("Müller", "Erika", "19700102", sex="M"), {"erika"}),
    "moved": (person("Müller", "Erika", "19700102", addresses=(Address(city="X"),)), {"erika"}),
    "another family name": (person("Schmidt", "Erika", "19700102"), set()),
    "less of a family name": (person("Van", "Vera", "19750506"), {"two words"}),
    "another given name": (person("Müller", "Ursula", "19700102"), set()),
    "the twin": (person("Example", "Anna", "20010203"), {"anna"}),
    "another identifier": (person("Müller", "Erika", "19700102", ids=(own("x"),)), set()),
    "another birth date": (by_id(own("erika"), birth_date="19710102"), set()),
    "merged": (person("Gone", "Gina", "19801112"), set()),
}


@pytest.mark.proves("XC-095")
@pytest.mark.parametrize(("query", "expected"), CLOSE.values(), ids=CLOSE)
def test_close_match(asked: Asked, query: PatientQuery, expected: set[str]) -> None:
    found = asked.found(query, match="close")
    assert set(found) == expected
    assert all(degree is not None and 75 <= degree <= 100 for degree in found.values())


def test_a_worse_match_has_a_lower_degree(asked: Asked) -> None:
    degrees = [asked.found(CLOSE[name][0], match="close")["erika"]
               for name in ("misspelt", "day and month exchanged", "another sex")]  # fmt: skip
    degrees.append(asked.found(CLOSE["less of a family name"][0], match="close")["two words"])
    assert all(degree is not None and degree < 100 for degree in degrees)
    assert asked.found(CLOSE["misspelt"][0], match="close", minimum=99) == {}


@pytest.mark.proves("XC-101", "XC-102")
def test_a_match_tells_what_is_known(asked: Asked) -> None:
    (match,) = asked.ask(by_id(national("N-1"))).matches
    assert match == PatientMatch(own("erika"), HOME, ERIKA, 100)


# query -> fields that are told
TOLD: dict[str, tuple[PatientQuery, set[str]]] = {
    "identifier alone": (by_id(own("erika")), set()),
    "a shared identifier": (by_id(national("N-1")), {"other_ids"}),
    "name and birth date": (
        person("Müller", "Erika", "19700102"), {"family", "given", "birth_date"},
    ),
    "sex and address": (
        by_id(own("erika"), sex="F", addresses=(Address(city="Town"),)),
        {"sex", "street", "city", "postal_code", "country"},
    ),
}  # fmt: skip


@pytest.mark.proves("XC-102")
@pytest.mark.parametrize(("query", "expected"), TOLD.values(), ids=TOLD)
def test_no_more_is_told_than_was_asked(
    asked: Asked, query: PatientQuery, expected: set[str]
) -> None:
    (match,) = asked.ask(query, disclose="asked").matches
    told = {each.name for each in fields(match.demographics)
            if getattr(match.demographics, each.name)}  # fmt: skip
    assert told == expected


SAME = person("Same", "Name", "19500505")


@pytest.mark.proves("XC-107")
@pytest.mark.parametrize(
    ("query", "requested"),
    [
        (SAME, (SEX_REQUESTED, ADDRESS_REQUESTED)),
        (replace(SAME, sex="F"), (ADDRESS_REQUESTED,)),
        (replace(SAME, addresses=(TOWN,)), (SEX_REQUESTED,)),
    ],
    ids=["nothing more", "sex", "address"],
)
def test_several_are_told_apart_by_more_attributes(
    asked: Asked, query: PatientQuery, requested: tuple[str, ...]
) -> None:
    answer = asked.ask(query)
    assert (answer.status, answer.matches, answer.requested) == ("Success", (), requested)


@pytest.mark.proves("XC-107")
def test_never_more_than_the_configured_number(asked: Asked) -> None:
    everything = replace(SAME, sex="F", addresses=(TOWN,))
    assert asked.refused(everything) == ("AnswerNotAvailable", ["XC-107"])
    assert set(asked.found(everything, candidates=2)) == {"first", "second"}
    # what the asker would like has no effect
    assert asked.ask(replace(SAME, initial_quantity=2)).matches == ()
    assert len(asked.found(replace(SAME, initial_quantity=1), candidates=2)) == 2


@pytest.mark.proves("XC-107")
def test_required_attributes_are_asked_for_whether_anybody_fits_or_not(asked: Asked) -> None:
    for query in (person("Müller", "Erika", "19700102"), person("No", "Body", "19700102")):
        answer = asked.ask(query, required=("sex",))
        assert (answer.matches, answer.requested) == ((), (SEX_REQUESTED,))
        both = asked.ask(query, required=("address", "sex"))
        assert both.requested == (SEX_REQUESTED, ADDRESS_REQUESTED)
    query = person("Müller", "Erika", "19700102", sex="F")
    assert asked.found(query, required=("sex",)) == {"erika": 100}
    # with an identifier they may lack, and then only it finds anybody
    shared = replace(person("Müller", "Erika", "19700102"), ids=(national("N-1"),))
    assert asked.found(shared, required=("sex",)) == {"erika": 100}
    foreign = replace(shared, ids=(IssuedId("7", "", THEIRS, "ISO"),))
    assert asked.found(foreign) == {"erika": 100}
    assert asked.found(foreign, required=("sex",)) == {}


FULL = person("Müller", "Erika", "19700102")
# mode, query -> patients found, or rules of the refusal
MODES: dict[str, tuple[str, PatientQuery, Any]] = {
    "demographics": ("demographics", FULL, {"erika": 100}),
    "demographics with identifier": (
        "demographics", replace(FULL, ids=(own("erika"),)), {"erika": 100},
    ),
    "demographics, identifier alone": ("demographics", by_id(own("erika")), ["XC-094", "XC-094"]),
    "identifier": ("identifier", by_id(own("erika")), {"erika": 100}),
    "identifier with demographics": (
        "identifier", replace(FULL, ids=(own("erika"),)), {"erika": 100},
    ),
    "identifier, demographics alone": ("identifier", FULL, ["XC-094"]),
    "identifier, an unknown one": (
        "identifier", replace(FULL, ids=(IssuedId("7", "", THEIRS, "ISO"),)), {},
    ),
    "nothing": ("both", PatientQuery(), ["XC-094", "XC-094"]),
    "no name": ("both", replace(FULL, names=()), ["XC-094"]),
    "no birth date": ("both", replace(FULL, birth_date=None), ["XC-094"]),
    "a year alone": ("both", replace(FULL, birth_date="1970"), ["XC-094"]),
    "sex alone": ("both", PatientQuery(sex="F"), ["XC-094", "XC-094"]),
}  # fmt: skip


@pytest.mark.proves("XC-094", "XC-107")
@pytest.mark.parametrize(("by", "query", "expected"), MODES.values(), ids=MODES)
def test_modes(asked: Asked, by: str, query: PatientQuery, expected: Any) -> None:
    if isinstance(expected, dict):
        assert asked.found(query, by=by) == expected
    else:
        assert asked.refused(query, by=by) == ("AnswerNotAvailable", expected)


def test_a_query_for_another_community_is_refused(asked: Asked) -> None:
    assert asked.ask(FULL, replace(WRAPPER, receiver_home=HOME)).matches
    other = replace(WRAPPER, receiver_home=ASKING)
    assert asked.refused(FULL, wrapper=other) == ("AnswerNotAvailable", ["MHEU-013"])


def test_a_deferred_answer_is_refused(asked: Asked) -> None:
    request = DiscoveryRequest(replace(FULL, is_deferred=True), WRAPPER)
    routes = asked.actor().routes
    handler = next(each.handler for each in routes if each.transaction is PATIENT_DISCOVERY)
    answer: DiscoveryAnswer = handler(request, Call.internal())
    assert (answer.status, answer.matches, answer.requested) == ("Failure", (), ())
    assert [each.rule for each in answer.errors] == ["XC-106"]


def test_a_crowded_birth_date_is_not_searched(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iti55, "BORN", 1)
    assert asked.refused(SAME) == ("AnswerNotAvailable", ["XC-107"])
    assert asked.found(person("Odd", "Ida", "19990909")) == {"odd & id^": 100}


def test_off_unless_it_is_asked_for(asked: Asked) -> None:
    served = {each.transaction for each in asked.actor(match="off").routes}
    assert PATIENT_DISCOVERY not in served
    assert Settings().discovery.match == "off"


@pytest.mark.proves("XC-107", "SEC-T-017")
def test_a_lost_database_is_no_answer(own_postgresql: PostgreSQL) -> None:
    one = Asked(own_postgresql.create())
    try:
        own_postgresql.stop()
        try:
            answer = one.ask(FULL)
            assert (answer.problem, answer.matches) == ("InternalError", ())
        finally:
            own_postgresql.start()
        assert one.found(FULL) == {"erika": 100}
    finally:
        one.close()
