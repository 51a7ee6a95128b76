"""HL7 v3 events through both codecs and the handler, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

import registry
from registry import MIGRATIONS, patients
from tests import samples
from tests.databases import PostgreSQL
from tests.registry.test_actor import over_the_wire
from xdsi.config import Limits
from xdsi.config import Registry as Settings
from xdsi.model.identity import (
    Acknowledgement,
    Act,
    Demographics,
    IdentityEvent,
    IdentityMessage,
    InstanceId,
    Wrapper,
)
from xdsi.model.manifest import IssuedId
from xdsi.model.values import CX
from xdsi.plug import Actor
from xdsi.standard.transactions import (
    PATIENT_ADDED,
    PATIENT_FEED,
    PATIENT_MERGED,
    PATIENT_REVISED,
    REGISTER,
)
from xdsi.units import engine, migrate

OWN = samples.PATIENT_DOMAIN
SENDER, RECEIVER = InstanceId("1.2.3.4.5", "FEED"), InstanceId("1.2.3.4.6")
ROWS = {Act.ADD: PATIENT_ADDED, Act.REVISE: PATIENT_REVISED, Act.MERGE: PATIENT_MERGED}


class Fed:
    """A registry that takes the feed."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.engine = engine(url)
        migrate(self.engine, MIGRATIONS)
        made = Settings(assigning_authorities=(OWN,), feed_v3=True, **settings)
        self.actor: Actor = registry.actor(made, Limits(), self.engine)

    def send(
        self, act: Act, *ids: IssuedId, subsumed: tuple[IssuedId, ...] = (), **wrapper: Any
    ) -> Acknowledgement:
        own = Wrapper(InstanceId(samples.new_oid()), SENDER, RECEIVER)
        told = Demographics(family="Example")
        message = IdentityMessage(own, IdentityEvent(act, ids, subsumed, told))
        answer: Acknowledgement = over_the_wire(self.actor, ROWS[act], message)
        assert answer.wrapper == own
        return answer

    def refused(self, *args: Any, **more: Any) -> list[str]:
        """The errors with their rules; nothing was changed."""
        before = self.known()
        answer = self.send(*args, **more)
        assert not answer.is_accepted and self.known() == before
        return [f"{each.code} {each.context.rpartition('[')[2]}" for each in answer.errors]

    def known(self) -> dict[CX, tuple[str, CX | None]]:
        return {each.id: (each.state, each.survivor) for each in patients.list_(self.engine)}

    def register(self, patient: CX) -> list[str]:
        entry = samples.document_entry(patient_id=patient)
        answer = over_the_wire(self.actor, REGISTER, samples.submission([entry]))
        return [each.code for each in answer.errors]


@pytest.fixture
def fed(database: str) -> Iterator[Fed]:
    one = Fed(database)
    yield one
    one.actor.close()


def issued(cx: CX) -> IssuedId:
    return IssuedId(cx.id, "", cx.authority, "ISO")


@pytest.mark.proves("PIF-001", "PIF-067", "PIF-069", "PIF-071")
@pytest.mark.parametrize("act", [Act.ADD, Act.REVISE])
def test_added_and_revised_patients_are_known(fed: Fed, act: Act) -> None:
    patient, other = samples.new_patient(), IssuedId("8", "", "9.9.9", "ISO")
    assert fed.register(patient) == ["XDSUnknownPatientId"]
    assert fed.send(act, other).is_accepted
    assert fed.register(patient) == ["XDSUnknownPatientId"]
    for _ in range(2):
        assert fed.send(act, other, issued(patient)).is_accepted
        assert fed.register(patient) == []
    assert fed.known() == {patient: ("active", None)}


def test_an_id_with_delimiters_is_the_one_of_metadata(fed: Fed) -> None:
    assert fed.send(Act.ADD, IssuedId("7&8^", "", OWN, "ISO")).is_accepted
    assert fed.register(CX(rf"7\T\8\S\^^^&{OWN}&ISO")) == []


@pytest.mark.proves("PIF-070", "PIF-073", "REG-081")
def test_resolved_duplicates_are_merged(fed: Fed) -> None:
    old, new = samples.new_patient(), samples.new_patient()
    for each in (old, new):
        assert fed.send(Act.ADD, issued(each)).is_accepted
    assert fed.send(Act.MERGE, issued(new), subsumed=(issued(old),)).is_accepted
    assert fed.known() == {old: ("merged", new), new: ("active", None)}
    assert fed.register(old) == ["XDSUnknownPatientId"]
    assert fed.register(new) == []
    unknown = "XDSUnknownPatientId PIF-032]"
    foreign, stranger = IssuedId("7", "", "9.9.9", "ISO"), issued(samples.new_patient())
    for survivor, subsumed, expected in (
        (new, issued(old), unknown),
        (old, issued(new), unknown),
        (new, issued(new), "XDSRegistryError PIF-032]"),
        (new, stranger, unknown),
        (new, foreign, unknown),
    ):
        assert fed.refused(Act.MERGE, issued(survivor), subsumed=(subsumed,)) == [expected]
    assert fed.refused(Act.MERGE, issued(new)) == ["XDSRegistryError PIF-030]"]
    assert fed.refused(Act.ADD, issued(old)) == ["XDSUnknownPatientId PIF-026]"]
    assert fed.refused(Act.ADD) == ["XDSRegistryError PIF-025]"]


@pytest.mark.proves("PIF-005")
@pytest.mark.parametrize(
    ("devices", "heard"),
    [(("1.2.3.4.5^FEED",), True), (("1.2.3.4.5",), True), (("1.2.3.4.5^OTHER", "1.2"), False)],
    ids=["device", "root", "others"],
)
def test_only_listed_devices_are_heard(
    database: str, devices: tuple[str, ...], heard: bool
) -> None:
    fed = Fed(database, feed_devices=devices)
    try:
        if heard:
            assert fed.send(Act.ADD, issued(samples.PATIENT)).is_accepted
        else:
            assert fed.refused(Act.ADD, issued(samples.PATIENT)) == ["XDSRegistryError PIF-005]"]
    finally:
        fed.actor.close()


def test_without_the_setting_there_is_no_feed(sqlite: str) -> None:
    one = engine(sqlite)
    actor = registry.actor(Settings(), Limits(), one)
    assert not {each.transaction for each in actor.routes} & set(PATIENT_FEED)
    assert actor.feed is None
    actor.close()


@pytest.mark.proves("SEC-T-017")
def test_a_lost_database_is_no_finding_about_the_message(own_postgresql: PostgreSQL) -> None:
    fed = Fed(own_postgresql.create())
    try:
        own_postgresql.stop()
        try:
            answer = fed.send(Act.ADD, issued(samples.PATIENT))
            assert not answer.is_accepted and "again" in answer.errors[0].context
        finally:
            own_postgresql.start()
        assert fed.send(Act.ADD, issued(samples.PATIENT)).is_accepted
    finally:
        fed.actor.close()
