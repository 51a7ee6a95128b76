"""Identity events on both databases: who becomes known, who becomes whom, and who never does."""

import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from string import ascii_letters
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from registry import identity, iti57
from registry.identity import Authorities
from registry.iti18 import Policy
from registry.known import Domain
from registry.schema import PatientState, demographics, other_id
from registry.schema import patient as patients
from tests import samples
from tests.registry import updates
from tests.registry.conftest import Maker, Registry
from tests.registry.test_races import WON, together
from xdsi.model.errors import XDSError, leaves
from xdsi.model.identity import Act, Demographics, IdentityEvent
from xdsi.model.manifest import IssuedId
from xdsi.model.values import CX
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

OWN = samples.PATIENT_DOMAIN
AUTHORITIES = Authorities(frozenset({OWN}), {"INVENTED": OWN, "ELSEWHERE": "1.2.3"})
STRICT = Domain(assigning_authorities=frozenset({OWN}))


def issued(cx: CX) -> IssuedId:
    return IssuedId(cx.id, "", cx.authority, "ISO")


def add(*ids: CX, act: Act = Act.ADD, **about: Any) -> IdentityEvent:
    return IdentityEvent(act, tuple(map(issued, ids)), demographics=Demographics(**about))


def merge(subsumed: CX, survivor: CX, **about: Any) -> IdentityEvent:
    told = Demographics(**about)
    return IdentityEvent(Act.MERGE, (issued(survivor),), (issued(subsumed),), told)


class Feed:
    """Events into one registry."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def send(self, *events: IdentityEvent) -> None:
        for event in events:
            identity.receive(event, self.registry.units, AUTHORITIES)

    def refused(self, event: IdentityEvent) -> list[tuple[str, str]]:
        """(code, rule) of all findings; nothing was changed."""
        before = self.all()
        with pytest.raises((XDSError, ExceptionGroup)) as caught:
            self.send(event)
        assert self.all() == before
        found = list(leaves(caught.value))
        assert all(isinstance(each, XDSError) for each in found)
        return [(each.code, each.rule) for each in found]  # type: ignore[attr-defined]

    def all(self) -> list[Any]:
        rows = [self.registry.units.rows(select(each)) for each in (patients, demographics)]
        return [sorted(map(str, each)) for each in rows]

    def state(self, cx: CX) -> str | None:
        found = self.registry.units.rows(select(patients.c.state).where(patients.c.cx == str(cx)))
        return PatientState(found[0].state).name if found else None

    def about(self, cx: CX) -> dict[str, Any]:
        """What is kept of a patient, without what is not told."""
        rows = self.registry.units.rows(
            select(demographics).join(patients).where(patients.c.cx == str(cx))
        )
        others = self.registry.units.rows(
            select(other_id.c.cx).join(patients).where(patients.c.cx == str(cx))
        )
        kept = {k: v for row in rows for k, v in row._mapping.items() if v and k != "patient"}
        return kept | ({"others": [row.cx for row in others]} if others else {})


@pytest.fixture
def feed(registry: Registry) -> Feed:
    return Feed(registry)


def found(registry: Registry, patient: CX) -> list[str]:
    slots = (
        single("$XDSDocumentEntryPatientId", str(patient)),
        many("$XDSDocumentEntryStatus", (urns.APPROVED, urns.DEPRECATED)),
    )
    return registry.ids(queries.FIND_DOCUMENTS, *slots)


# known


@pytest.mark.proves("PIF-001", "PIF-003", "PIF-023")
def test_only_fed_patients_may_have_documents(
    registry: Registry, feed: Feed, make: Maker, patient: CX
) -> None:
    unknown = [("XDSUnknownPatientId", "REG-080")]
    assert registry.refused(make.submission(), STRICT) == unknown
    feed.send(IdentityEvent(Act.ADD, (IssuedId(patient.id, "", "9.9.9", "ISO"),)))
    assert registry.refused(make.submission(), STRICT) == unknown
    feed.send(add(patient), add(patient))
    registry.register(make.submission(), STRICT)
    assert feed.state(patient) == "ACTIVE"


# case -> (identifier as sent, what it is of: None for another domain)
RESOLVED = {
    "OID": (IssuedId("7", "", OWN, "ISO"), f"7^^^&{OWN}&ISO"),
    "namespace": (IssuedId("7", "INVENTED"), f"7^^^&{OWN}&ISO"),
    "all three": (IssuedId("7", "INVENTED", OWN, "ISO"), f"7^^^&{OWN}&ISO"),
    "OID without type": (IssuedId("7", "", OWN), f"7^^^&{OWN}&ISO"),
    "OID of another without type": (IssuedId("7", "", "9.9.9"), None),
    "nothing": (IssuedId("7"), f"7^^^&{OWN}&ISO"),
    "escaped": (IssuedId("7&8^|~\\", "", OWN, "ISO"), rf"7\T\8\S\\F\\R\\E\^^^&{OWN}&ISO"),
    "namespace unknown": (IssuedId("7", "STRANGE"), None),
    "namespace of another": (IssuedId("7", "ELSEWHERE"), None),
    "OID of another": (IssuedId("7", "", "9.9.9", "ISO"), None),
    "no ISO": (IssuedId("7", "", "hospital.example", "DNS"), None),
}


@pytest.mark.proves("PIF-002", "PIF-003", "PIF-004", "PIF-021", "PIF-022")
@pytest.mark.parametrize(("given", "expected"), RESOLVED.values(), ids=RESOLVED)
def test_authority_is_filled_in(given: IssuedId, expected: str | None) -> None:
    resolved = AUTHORITIES.resolved(given)
    assert (str(resolved) if resolved else None) == expected


@pytest.mark.parametrize(
    ("authorities", "given", "rule"),
    [
        (AUTHORITIES, IssuedId("7", "ELSEWHERE", OWN, "ISO"), "PIF-021"),
        (AUTHORITIES, IssuedId("7", "STRANGE", OWN, "ISO"), "PIF-021"),
        (Authorities(), IssuedId("7"), "PIF-022"),
        (Authorities(frozenset({"1.2", "1.3"})), IssuedId("7"), "PIF-022"),
        (AUTHORITIES, IssuedId("7\n8", "", OWN, "ISO"), "PIF-004"),
        (AUTHORITIES, IssuedId("", "", OWN, "ISO"), "PIF-004"),
    ],
    ids=["two authorities", "two names", "none known", "two known", "control", "no id"],
)
def test_contradicting_authority_is_refused(
    authorities: Authorities, given: IssuedId, rule: str
) -> None:
    with pytest.raises(XDSError) as caught:
        authorities.resolved(given)
    assert caught.value.rule == rule


@pytest.mark.proves("PIF-025")
def test_no_identifier_is_an_error_and_a_foreign_one_is_none(feed: Feed) -> None:
    before = feed.all()
    feed.send(IdentityEvent(Act.ADD, (IssuedId("7", "STRANGE"),)))
    assert feed.all() == before
    assert feed.refused(IdentityEvent(Act.ADD, ())) == [("XDSRegistryError", "PIF-025")]


@pytest.mark.proves("PIF-021")
def test_an_identifier_longer_than_its_field_is_refused_and_a_foreign_one_not_kept(
    registry: Registry, feed: Feed, patient: CX
) -> None:
    # random, as PostgreSQL's index takes what can be compressed
    long = "".join(random.Random(1).choices(ascii_letters, k=5_000))
    assert feed.refused(add(CX(f"{long}^^^&{OWN}&ISO"))) == [("XDSUnknownPatientId", "PIF-021")]
    feed.send(add(patient, CX(f"{long}^^^&1.2.3&ISO"), family="Invented"))
    assert not registry.units.rows(select(other_id.c.cx))


@pytest.mark.proves("PIF-024")
def test_an_update_neither_adds_nor_revives(feed: Feed, patient: CX) -> None:
    feed.send(add(patient, act=Act.UPDATE, family="Example"))
    assert feed.state(patient) is None
    other = samples.new_patient()
    feed.send(add(patient), add(other), merge(patient, other))
    feed.send(add(patient, act=Act.UPDATE, family="Example"))
    assert feed.state(patient) == "MERGED" and feed.about(patient) == {}


@pytest.mark.proves("PIF-026", "PIF-039")
def test_a_merged_identifier_is_not_resurrected(feed: Feed, patient: CX) -> None:
    other, third = samples.new_patient(), samples.new_patient()
    feed.send(add(patient), add(other), merge(patient, other))
    assert feed.refused(add(patient)) == [("XDSUnknownPatientId", "PIF-026")]
    assert feed.refused(add(third, patient)) == [("XDSUnknownPatientId", "PIF-026")]
    assert feed.state(third) is None


# demographics


def test_what_was_told_last_is_kept(feed: Feed, patient: CX) -> None:
    own = {"family": "Example", "given": "Erika", "birth_date": "19700101", "sex": "F"}
    alias = IssuedId("77", "", "1.2.3.4.999", "ISO")
    event = add(patient, **own, other_ids=(alias, IssuedId("x", "LOCAL")))
    feed.send(IdentityEvent(Act.ADD, (*event.ids, IssuedId("8", "", "9.9.9", "ISO")),
                            demographics=event.demographics))  # fmt: skip
    others = ["77^^^&1.2.3.4.999&ISO", "8^^^&9.9.9&ISO"]
    assert feed.about(patient) == {**own, "others": others}
    feed.send(add(patient))
    assert feed.about(patient) == {**own, "others": others}
    feed.send(add(patient, act=Act.UPDATE, family="Sample", city="Invented Town"))
    assert feed.about(patient) == {"family": "Sample", "city": "Invented Town"}
    feed.send(add(patient, act=Act.REVISE, family="x" * 10_000))
    assert feed.about(patient) == {"family": "x" * identity.LONGEST}
    # what no column takes, and one value that is nothing without it
    feed.send(add(patient, family="Ex\x00 am\r\nple\x1b", given="\x00", city="Zu\u0308rich"))
    assert feed.about(patient) == {"family": "Ex am ple", "city": "Zürich"}


def test_a_merge_leaves_the_demographics_of_the_survivor_alone(feed: Feed, patient: CX) -> None:
    other = samples.new_patient()
    feed.send(add(patient, family="Gone"), add(other, family="Stays"), merge(patient, other))
    assert feed.about(patient) == {} and feed.about(other) == {"family": "Stays"}
    third = samples.new_patient()
    feed.send(add(third), merge(other, third, family="Told by the merge"))
    assert feed.about(third) == {"family": "Told by the merge"}


# merges


@pytest.mark.proves("PIF-033", "PIF-034", "PIF-036", "PIF-038", "REG-081", "REG-085")
def test_two_patients_become_one_in_every_query(
    registry: Registry, feed: Feed, make: Maker, patient: CX
) -> None:
    survivor = Maker(samples.new_patient())
    folder, old, new = make.folder(), make.entry(), survivor.entry()
    feed.send(add(patient), add(survivor.patient))
    sets = [
        make.submission([old], folders=[folder], filed=[(folder.entry_uuid, old)]),
        survivor.submission([new]),
    ]
    for each in sets:
        registry.register(each, STRICT)
    everything = {
        each.entry_uuid for one in (patient, survivor.patient) for each in registry.everything(one)
    }
    feed.send(merge(patient, survivor.patient))
    assert {each.entry_uuid for each in registry.everything(survivor.patient)} == everything
    assert registry.everything(patient) == []
    assert found(registry, survivor.patient) == [old.entry_uuid, new.entry_uuid]
    entry = registry.entry(old.entry_uuid)
    assert entry.patient_id == survivor.patient
    assert entry.source_patient_id == old.source_patient_id
    assert entry.source_patient_info == old.source_patient_info
    assert registry.folder(folder.entry_uuid).patient_id == survivor.patient
    by_set = registry.find(
        queries.GET_SUBMISSION_SETS, many("$uuid", [old.entry_uuid, new.entry_uuid])
    )
    ids = {each.patient_id for each in by_set if hasattr(each, "patient_id")}
    assert ids == {survivor.patient}
    assert registry.refused(make.submission(), STRICT) == [("XDSUnknownPatientId", "REG-081")]
    assert registry.refused(make.submission()) == [("XDSUnknownPatientId", "REG-081")]


@pytest.mark.proves("PIF-036")
def test_a_query_for_the_merged_one_follows_the_policy(
    registry: Registry, feed: Feed, patient: CX
) -> None:
    other = samples.new_patient()
    feed.send(add(patient), add(other), merge(patient, other))
    assert found(registry, patient) == []
    slots = (
        single("$XDSDocumentEntryPatientId", str(patient)),
        many("$XDSDocumentEntryStatus", [urns.APPROVED]),
    )
    policy = Policy(refuses_unknown_patient=True)
    with pytest.raises(XDSError) as caught:
        registry.ask(queries.FIND_DOCUMENTS, *slots, policy=policy)
    assert caught.value.code == "XDSUnknownPatientId"


@pytest.mark.proves("PIF-037", "REG-083", "REG-084")
def test_what_was_the_merged_patients_can_be_gone_on_with(
    registry: Registry, feed: Feed, make: Maker, patient: CX
) -> None:
    survivor = Maker(samples.new_patient())
    feed.send(add(patient), add(survivor.patient))
    folder, old, new = make.folder(), make.entry(), survivor.entry()
    registry.register(make.submission([old], folders=[folder]), STRICT)
    link = samples.association(urns.RPLC, new, old)
    replacing = survivor.submission([new], associations=[link])
    assert ("XDSPatientIdDoesNotMatch", "REG-084") in registry.refused(replacing, STRICT)
    feed.send(merge(patient, survivor.patient))
    registry.register(replacing, STRICT)
    assert registry.status(old.entry_uuid) == urns.DEPRECATED
    filed = survivor.entry()
    registry.register(survivor.submission([filed], filed=[(folder.entry_uuid, filed)]), STRICT)


@pytest.mark.proves("PIF-034", "PIF-037")
def test_all_versions_go_along_and_more_can_be_made(
    registry: Registry, feed: Feed, make: Maker, patient: CX
) -> None:
    survivor = Maker(samples.new_patient())
    feed.send(add(patient), add(survivor.patient))
    old = make.entry()
    registry.register(make.submission([old]), STRICT)
    second = updates.revised(old, title=None)
    registry.register(updates.request(make, second), STRICT, iti57.update)
    feed.send(merge(patient, survivor.patient))
    third = updates.revised(second, patient_id=patient)
    refused = registry.refused(updates.request(make, third, previous=2), STRICT, iti57.update)
    assert ("XDSUnknownPatientId", "REG-081") in refused
    third = updates.revised(second, patient_id=survivor.patient)
    registry.register(updates.request(survivor, third, previous=2), STRICT, iti57.update)
    lid = single("$XDSDocumentEntryLogicalID", old.entry_uuid)
    versions = registry.find(queries.GET_DOCUMENTS, lid, single("$MetadataLevel", "2"))
    assert len(versions) == 3
    assert {each.patient_id for each in versions} == {survivor.patient}  # type: ignore[union-attr]
    assert registry.everything(patient) == []


@pytest.mark.proves("PIF-033", "PIF-036")
@pytest.mark.parametrize("order", ["near first", "far first"])
def test_chains_end_at_the_last_survivor(registry: Registry, feed: Feed, order: str) -> None:
    makers = [Maker(samples.new_patient()) for _ in range(4)]
    ids = [each.patient for each in makers]
    feed.send(*map(add, ids))
    entries = [make.entry() for make in makers]
    for make, entry in zip(makers, entries, strict=True):
        registry.register(make.submission([entry]), STRICT)
    pairs = [(ids[0], ids[1]), (ids[1], ids[2]), (ids[2], ids[3])]
    if order == "far first":
        pairs = [pairs[2], (ids[1], ids[3]), (ids[0], ids[3])]
    feed.send(*(merge(*pair) for pair in pairs))
    assert found(registry, ids[3]) == [each.entry_uuid for each in entries]
    number = select(patients.c.id).where(patients.c.cx == str(ids[3])).scalar_subquery()
    rows = registry.units.rows(select(patients.c.cx).where(patients.c.survivor == number))
    assert {row.cx for row in rows} == set(map(str, ids[:3]))


STRANGER = CX(f"TEST-STRANGER^^^&{OWN}&ISO")
FOREIGN = CX("FOREIGN^^^&9.9.9&ISO")
UNKNOWN = ("XDSUnknownPatientId", "PIF-032")
Case = Callable[[CX, CX, CX], IdentityEvent]

# events before it (a, b and c are known), the refused one, its findings
REFUSED: dict[str, tuple[Callable[[CX, CX, CX], list[IdentityEvent]], Case, list[Any]]] = {
    "a subsumed of another domain": (
        lambda a, b, c: [], lambda a, b, c: merge(FOREIGN, b), [UNKNOWN]),
    "b surviving of another domain": (
        lambda a, b, c: [], lambda a, b, c: merge(a, FOREIGN), [UNKNOWN]),
    "c the same": (
        lambda a, b, c: [], lambda a, b, c: merge(a, a), [("XDSRegistryError", "PIF-032")]),
    "d subsumed before": (
        lambda a, b, c: [merge(a, b)], lambda a, b, c: merge(a, c), [UNKNOWN]),
    "d subsumed before, the same again": (
        lambda a, b, c: [merge(a, b)], lambda a, b, c: merge(a, b), [UNKNOWN]),
    "e survivor subsumed before": (
        lambda a, b, c: [merge(a, b)], lambda a, b, c: merge(c, a), [UNKNOWN]),
    "e a circle": (
        lambda a, b, c: [merge(a, b)], lambda a, b, c: merge(b, a), [UNKNOWN]),
    "e a long circle": (
        lambda a, b, c: [merge(a, b), merge(b, c)], lambda a, b, c: merge(c, a), [UNKNOWN]),
    "f subsumed unknown": (
        lambda a, b, c: [], lambda a, b, c: merge(STRANGER, b), [UNKNOWN]),
    "f survivor unknown": (
        lambda a, b, c: [], lambda a, b, c: merge(a, STRANGER), [UNKNOWN]),
    "both wrong": (
        lambda a, b, c: [merge(a, b)], lambda a, b, c: merge(a, STRANGER), [UNKNOWN, UNKNOWN]),
    "two survivors": (
        lambda a, b, c: [],
        lambda a, b, c: IdentityEvent(Act.MERGE, (issued(b), issued(c)), (issued(a),)),
        [("XDSRegistryError", "PIF-031")]),
    "two subsumed": (
        lambda a, b, c: [],
        lambda a, b, c: IdentityEvent(Act.MERGE, (issued(b),), (issued(a), issued(c))),
        [("XDSRegistryError", "PIF-031")]),
    "no subsumed": (
        lambda a, b, c: [],
        lambda a, b, c: IdentityEvent(Act.MERGE, (issued(b),)),
        [("XDSRegistryError", "PIF-030")]),
    "no survivor": (
        lambda a, b, c: [],
        lambda a, b, c: IdentityEvent(Act.MERGE, (), (issued(a),)),
        [("XDSRegistryError", "PIF-030")]),
}  # fmt: skip


@pytest.mark.proves("PIF-030", "PIF-031", "PIF-032", "PIF-039", "PIF-053")
@pytest.mark.parametrize(("before", "event", "findings"), REFUSED.values(), ids=REFUSED)
def test_merge_is_refused_without_change(
    feed: Feed, before: Any, event: Case, findings: list[Any]
) -> None:
    ids = samples.new_patient(), samples.new_patient(), samples.new_patient()
    feed.send(*map(add, ids), *before(*ids))
    assert feed.refused(event(*ids)) == findings


@pytest.mark.proves("PIF-032", "PIF-033", "PIF-036")
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "merge", "register"]), st.integers(0, 3), st.integers(0, 3)
        ),
        max_size=14,
    )
)
def test_any_order_of_events_ends_as_told(
    sqlite_registry: Registry, events: list[tuple[str, int, int]]
) -> None:
    """Against a model: who goes into whom, and whose the documents are."""
    feed = Feed(sqlite_registry)
    makers = [Maker(samples.new_patient()) for _ in range(4)]
    ids = [make.patient for make in makers]
    owned: dict[int, int] = {}  # documents of the active ones
    gone: set[int] = set()
    for what, one, other in events:
        if what == "add":
            good = one not in gone
            event = add(ids[one])
        elif what == "merge":
            good = one != other and one in owned and other in owned
            event = merge(ids[one], ids[other])
        else:
            good = one in owned
        try:
            if what == "register":
                sqlite_registry.register(makers[one].submission(), STRICT)
            else:
                feed.send(event)
        except (XDSError, ExceptionGroup):
            assert not good, (what, one, other)
            continue
        assert good, (what, one, other)
        if what == "add":
            owned.setdefault(one, 0)
        elif what == "register":
            owned[one] += 1
        else:
            owned[other] += owned.pop(one)
            gone.add(one)
    assert [len(found(sqlite_registry, each)) for each in ids] == [
        owned.get(number, 0) for number in range(4)
    ]


# at the same moment


@pytest.mark.proves("PIF-040")
def test_a_submission_follows_the_merge_or_is_refused(registry: Registry, feed: Feed) -> None:
    for _ in range(3):
        make, survivor = Maker(samples.new_patient()), samples.new_patient()
        feed.send(add(make.patient), add(survivor))
        first = make.submission()
        registry.register(first, STRICT)
        sent = [make.submission() for _ in range(12)]
        works: list[Callable[[], object]] = [
            lambda each=each: registry.register(each, STRICT) for each in sent
        ]
        works.insert(6, partial(feed.send, merge(make.patient, survivor)))
        outcome = together(works)
        assert outcome.pop(6) == WON
        assert set(outcome) <= {WON, "XDSUnknownPatientId"}
        assert len(found(registry, survivor)) == 1 + outcome.count(WON)
        assert registry.everything(make.patient) == []


@pytest.mark.proves("PIF-037", "PIF-040")
def test_replacements_meet_a_merge_without_a_wrong_answer(registry: Registry, feed: Feed) -> None:
    """Works that lock entries and a merge that moves them never see half of it."""
    for _ in range(3):
        make, survivor = Maker(samples.new_patient()), Maker(samples.new_patient())
        feed.send(add(make.patient), add(survivor.patient))
        old = [make.entry() for _ in range(8)]
        registry.register(make.submission(old), STRICT)
        works: list[Callable[[], object]] = []
        for each in old:
            new = survivor.entry()
            link = samples.association(urns.RPLC, new, each)
            sent = survivor.submission([new], associations=[link])
            works.append(lambda sent=sent: registry.register(sent, STRICT))
        works.insert(3, partial(feed.send, merge(make.patient, survivor.patient)))
        outcome = together(works)
        assert outcome.pop(3) == WON
        assert set(outcome) <= {WON, "XDSPatientIdDoesNotMatch"}


@pytest.mark.proves("PIF-037", "PIF-040", "REG-084")
@pytest.mark.parametrize("by", ["survivor", "stranger"])
def test_who_waited_for_a_merge_sees_what_it_left(
    registry: Registry, feed: Feed, make: Maker, patient: CX, by: str
) -> None:
    """A replacement that begins while the merge is not committed is judged by what it leaves."""
    survivor, stranger = samples.new_patient(), samples.new_patient()
    feed.send(add(patient), add(survivor), add(stranger))
    sender = Maker(survivor if by == "survivor" else stranger)
    old, new = make.entry(), sender.entry()
    registry.register(make.submission([old]), STRICT)
    link = samples.association(urns.RPLC, new, old)
    replacing = sender.submission([new], associations=[link])
    is_merged = Event()

    def merging(unit: Any) -> None:
        identity.merge(unit, patient, survivor)
        is_merged.set()
        time.sleep(0.5)

    def follow() -> None:
        assert is_merged.wait(10)
        registry.register(replacing, STRICT)

    outcome = together([partial(registry.units.run, merging), follow])
    expected = WON if by == "survivor" else "XDSPatientIdDoesNotMatch"
    assert outcome == [WON, expected]


@pytest.mark.proves("PIF-032", "PIF-040")
def test_merges_in_a_circle_end_with_one_survivor(registry: Registry, feed: Feed) -> None:
    for _ in range(3):
        ids = [samples.new_patient() for _ in range(4)]
        feed.send(*map(add, ids))
        pairs = [*zip(ids, [*ids[1:], ids[0]], strict=True)]
        outcome = together([lambda pair=pair: feed.send(merge(*pair)) for pair in pairs])
        assert set(outcome) <= {WON, "XDSUnknownPatientId"}
        states = Counter(feed.state(each) for each in ids)
        assert states["MERGED"] == outcome.count(WON) <= 3
        ends = {
            row.state
            for row in registry.units.rows(
                select(patients.c.state).where(
                    patients.c.id.in_(
                        select(patients.c.survivor).where(patients.c.cx.in_(map(str, ids)))
                    )
                )
            )
        }
        assert ends == {PatientState.ACTIVE}


def test_a_patient_fed_by_many_at_once_is_known_once(feed: Feed, patient: CX) -> None:
    works = [lambda: feed.send(add(patient, family="Example")) for _ in range(8)]
    assert set(together(works)) == {WON}
    assert feed.about(patient) == {"family": "Example"}
