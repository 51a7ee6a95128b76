"""ITI-62 on both databases: what a removal takes along, and what keeps it from happening."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from registry import iti57, iti62, iti92, removal
from registry.schema import association, fragment, object_, object_value, unique_id
from registry.unit import Stored, Unit
from tests import samples
from tests.registry.conftest import LEVEL_2, Maker, Registry
from tests.registry.test_races import WON, together
from tests.registry.updates import request, revised
from xdsi.model.errors import XDSError, leaves
from xdsi.model.messages import RemoveRequest, Submission
from xdsi.model.objects import Association, DocumentEntry, Folder
from xdsi.model.values import DTM, SHA1
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

REFERENCED, ORPHANED = "ReferencesExistException", "XDSUnreferencedObjectException"
UNRESOLVED = "UnresolvedReferenceException"


def remove(registry: Registry, objects: Iterable[Any], limit: int = 5_000) -> None:
    """objects: of the model, or ids."""
    ids = tuple(each if isinstance(each, str) else each.entry_uuid for each in objects)
    answer = iti62.remove(RemoveRequest(ids), registry.call, registry.units, limit)
    assert answer.errors == ()


def errors(registry: Registry, sent: RemoveRequest, limit: int = 5_000) -> list[XDSError]:
    with pytest.raises(ExceptionGroup) as caught:
        iti62.remove(sent, registry.call, registry.units, limit)
    return list(leaves(caught.value))  # type: ignore[arg-type]


def refused(registry: Registry, make: Maker, *objects: Any) -> list[tuple[str, str]]:
    """(code, location) of the findings; nothing has changed."""
    ids = tuple(each if isinstance(each, str) else each.entry_uuid for each in objects)
    before = registry.history(make.patient)
    found = errors(registry, RemoveRequest(ids))
    assert registry.history(make.patient) == before
    return [(each.code, each.location) for each in found]


def everything(*sent: Submission) -> list[Any]:
    return [
        obj
        for each in sent
        for obj in (*each.submission_sets, *each.entries, *each.folders, *each.associations)
    ]


def counts(registry: Registry) -> list[int]:
    """Rows of all tables that hold objects."""
    tables = (object_, fragment, association, object_value, unique_id)
    return [registry.units.rows(select(func.count()).select_from(table))[0][0] for table in tables]


@pytest.mark.proves("LC-120", "LC-125", "LC-126", "LC-132", "REG-132", "LC-005")
def test_a_whole_submission_is_removed_and_may_come_again(registry: Registry, make: Maker) -> None:
    before = counts(registry)
    folder, entry = make.folder(), samples.full_document_entry(patient_id=make.patient)
    sent = make.submission([entry], folders=[folder], filed=[(folder, entry)])
    registry.register(sent)
    remove(registry, everything(sent))
    assert registry.history(make.patient) == []
    assert counts(registry) == before
    for query, slot in (
        (queries.GET_DOCUMENTS, single("$XDSDocumentEntryUniqueId", str(entry.unique_id))),
        (queries.GET_ASSOCIATIONS, single("$uuid", entry.entry_uuid)),
    ):
        assert registry.ids(query, slot, LEVEL_2) == []
    late = make.entry()
    link = samples.association(urns.APND, late, entry)
    answer = registry.refused(make.submission([late], associations=[link]))
    assert answer == [(UNRESOLVED, "REG-061")]
    # ids and uniqueIds are free, for another content too
    registry.register(sent)
    remove(registry, everything(sent))
    registry.register(make.submission([make.entry(unique_id=entry.unique_id, hash=SHA1("1" * 40))]))


@pytest.mark.proves("LC-122", "LC-006")
def test_an_unknown_id_is_refused(registry: Registry, make: Maker) -> None:
    sent = make.submission()
    registry.register(sent)
    unknown = [samples.new_uuid(), "Document01", ""]
    answer = refused(registry, make, *everything(sent), *unknown)
    assert answer == [(UNRESOLVED, each) for each in unknown]


@pytest.mark.proves("LC-123", "LC-125")
def test_what_is_referred_to_stays(registry: Registry, make: Maker) -> None:
    folder, entry = make.folder(), make.entry()
    sent = make.submission([entry], folders=[folder], filed=[(folder, entry)])
    registry.register(sent)
    assert refused(registry, make, entry) == [(REFERENCED, entry.entry_uuid)] * 2
    own = sent.submission_set
    assert refused(registry, make, own) == [(REFERENCED, own.entry_uuid)] * 3
    # the set's HasMember of a membership holds that one
    filing = next(each for each in sent.associations if each.source_object == folder.entry_uuid)
    assert (REFERENCED, filing.entry_uuid) in refused(registry, make, filing)
    addendum = make.entry()
    link = samples.association(urns.APND, addendum, entry)
    registry.register(make.submission([addendum], associations=[link]))
    answer = refused(registry, make, *everything(sent))
    assert answer == [(REFERENCED, entry.entry_uuid)]


@pytest.mark.proves("LC-124")
def test_nothing_is_left_without_associations(registry: Registry, make: Maker) -> None:
    sent = make.submission()
    registry.register(sent)
    (member,) = sent.associations
    answer = refused(registry, make, member)
    assert set(answer) == {
        (ORPHANED, sent.entries[0].entry_uuid), (ORPHANED, sent.submission_set.entry_uuid)
    }  # fmt: skip
    answer = refused(registry, make, member, sent.submission_set)
    assert answer == [(ORPHANED, sent.entries[0].entry_uuid)]


@pytest.mark.proves("LC-123", "LC-128", "LC-126")
def test_a_relationship_goes_alone_and_its_effects_stay(registry: Registry, make: Maker) -> None:
    old, new = make.entry(), make.entry()
    registry.register(make.submission([old]))
    link = samples.association(urns.RPLC, new, old)
    registry.register(make.submission([new], associations=[link]))
    remove(registry, [link, link])
    assert registry.status(old.entry_uuid) == urns.DEPRECATED
    links = registry.associations(new.entry_uuid, old.entry_uuid)
    assert {each.association_type for each in links} == {urns.HAS_MEMBER}


@pytest.mark.proves("LC-125", "LC-126")
def test_an_original_goes_and_its_replacement_stays(registry: Registry, make: Maker) -> None:
    old, new = make.entry(), make.entry()
    first = make.submission([old])
    registry.register(first)
    link = samples.association(urns.RPLC, new, old)
    second = make.submission([new], associations=[link])
    registry.register(second)
    remove(registry, [*everything(first), link])
    left = {each.entry_uuid for each in registry.history(make.patient)}
    assert left == {each.entry_uuid for each in everything(second)} - {link.entry_uuid}
    assert registry.status(new.entry_uuid) == urns.APPROVED


@pytest.mark.proves("LC-126")
def test_a_chain_goes_in_one_request(registry: Registry, make: Maker) -> None:
    before, sent, last = counts(registry), [], None
    for type_ in (None, urns.APND, urns.RPLC, urns.XFRM_RPLC):
        entry = make.entry()
        links = [samples.association(type_, entry, last)] if type_ and last else []
        if type_ == urns.RPLC:
            links = [samples.association(type_, entry, sent[0].entries[0])]
        sent.append(make.submission([entry], associations=links))
        registry.register(sent[-1])
        last = entry
    remove(registry, reversed(everything(*sent)))
    assert registry.history(make.patient) == []
    assert counts(registry) == before


@pytest.mark.proves("LC-129", "LC-124")
def test_a_folder_that_loses_a_member_is_touched(
    registry: Registry, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, entry = make.folder(), make.entry()
    sent = make.submission([entry], folders=[folder], filed=[(folder, entry)])
    registry.register(sent)
    filing = next(each for each in sent.associations if each.source_object == folder.entry_uuid)
    named = next(each for each in sent.associations if each.target_object == filing.entry_uuid)
    monkeypatch.setattr(registry.units, "_clock", lambda: datetime(2033, 4, 5, tzinfo=UTC))
    remove(registry, [filing, named])
    assert registry.folder(folder.entry_uuid).last_update_time == DTM("20330405000000")
    slot = single("$XDSFolderEntryUUID", folder.entry_uuid)
    assert registry.ids(queries.GET_FOLDER_AND_CONTENTS, slot) == [folder.entry_uuid]


@pytest.mark.proves("LC-132", "REG-094", "REG-092")
def test_a_unique_id_is_free_with_its_last_bearer(registry: Registry, make: Maker) -> None:
    first = make.submission()
    registry.register(first)
    value = first.entries[0].unique_id
    second = make.submission([make.entry(unique_id=value)])
    registry.register(second)
    other = make.submission([make.entry(unique_id=value, hash=SHA1("1" * 40))])
    remove(registry, everything(first))
    assert registry.refused(other) == [("XDSNonIdenticalHash", "REG-092")]
    remove(registry, everything(second))
    registry.register(other)


@pytest.mark.proves("LC-127", "LC-123")
def test_versions_are_removed_one_by_one(registry: Registry, make: Maker) -> None:
    first = make.entry()
    registry.register(make.submission([first]))
    second = revised(first)
    sent = request(make, second)
    registry.register(sent, by=iti57.update)
    assert refused(registry, make, second) == [(REFERENCED, second.entry_uuid)]
    remove(registry, everything(sent))
    slot = single("$XDSDocumentEntryLogicalID", first.entry_uuid)
    # the one that is left is the latest one, Deprecated as it was
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [first.entry_uuid]
    assert registry.status(first.entry_uuid) == urns.DEPRECATED
    up = request(make, statuses=[(first, "Deprecated", "Approved")])
    registry.register(up, by=iti57.update)
    again = revised(first)
    registry.register(request(make, again), by=iti57.update)
    assert registry.entry(again.entry_uuid).version == "2"


@pytest.mark.proves("LC-127", "LC-108", "REG-092", "REG-094")
def test_the_hash_of_the_version_left_counts_again(registry: Registry, make: Maker) -> None:
    first = make.entry()
    registry.register(make.submission([first]))
    corrected = revised(first, hash=SHA1("a" * 40))
    sent = request(make, corrected)
    registry.register(sent, by=iti92.update)
    old = make.submission([make.entry(unique_id=first.unique_id)])
    assert registry.refused(old) == [("XDSNonIdenticalHash", "REG-092")]
    remove(registry, everything(sent))
    new = make.submission([make.entry(unique_id=first.unique_id, hash=SHA1("a" * 40))])
    assert registry.refused(new) == [("XDSNonIdenticalHash", "REG-092")]
    registry.register(old)


@pytest.mark.proves("MD-072", "LC-127", "LC-010")
def test_a_removed_first_version_leaves_its_id_to_later_ones(
    registry: Registry, make: Maker
) -> None:
    first = make.entry()
    sent = make.submission([first])
    registry.register(sent)
    second = revised(first)
    registry.register(request(make, second), by=iti57.update)
    remove(registry, everything(sent))
    again = make.submission([make.entry(entry_uuid=first.entry_uuid)])
    assert registry.refused(again) == [("XDSRegistryMetadataError", "MD-072")]
    third = revised(second)
    registry.register(request(make, third, previous=2), by=iti57.update)
    assert registry.entry(third.entry_uuid).version == "3"


@pytest.mark.proves("LC-123")
def test_what_a_removed_set_registered_may_stay(registry: Registry, make: Maker) -> None:
    """An entry that another association holds outlives the set that brought it."""
    folder, entry = make.folder(), make.entry()
    registry.register(make.submission(folders=[folder]))
    brought = make.submission([entry])
    registry.register(brought)
    registry.register(make.submission(filed=[(folder.entry_uuid, entry.entry_uuid)]))
    remove(registry, [brought.submission_set, *brought.associations])
    kinds = [type(each) for each in registry.history(make.patient)]
    assert kinds.count(DocumentEntry) == kinds.count(Folder) == 1
    links = registry.associations(entry.entry_uuid)
    assert [each.source_object for each in links] == [folder.entry_uuid]
    assert all(isinstance(each, Association) for each in links)


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        pytest.param(RemoveRequest(has_query=True), "LC-121", id="query"),
        pytest.param(RemoveRequest(("a",), scope="urn:example:scope"), "LC-121", id="scope"),
        pytest.param(RemoveRequest(), "LC-120", id="nothing"),
        pytest.param(RemoveRequest(("a", "b", "c")), "SEC-T-051", id="too many"),
    ],
)
@pytest.mark.proves("LC-120", "LC-121", "SEC-T-051")
def test_a_request_is_refused(sqlite_registry: Registry, sent: RemoveRequest, rule: str) -> None:
    found = errors(sqlite_registry, sent, limit=2)
    assert ("XDSRegistryError", rule) in [(each.code, each.rule) for each in found]


@pytest.mark.proves("LC-121")
def test_the_default_scope_may_be_written(registry: Registry, make: Maker) -> None:
    sent = make.submission()
    registry.register(sent)
    ids = tuple(each.entry_uuid for each in everything(sent))
    asked = RemoveRequest(ids, scope=urns.DELETE_ALL)
    assert iti62.remove(asked, registry.call, registry.units, 10).errors == ()
    assert registry.history(make.patient) == []


@pytest.mark.proves("SEC-T-012", "LC-124")
def test_two_removals_at_once_leave_nothing_alone(registry: Registry, make: Maker) -> None:
    """Each would leave the entry its other membership."""
    for _ in range(6):
        entry = make.entry()
        first = make.submission([entry])
        registry.register(first)
        second = make.submission(references=[entry.entry_uuid], folders=[make.folder()])
        registry.register(second)
        member = next(e for e in second.associations if e.target_object == entry.entry_uuid)
        outcomes = together(
            [
                lambda: remove(registry, [first.submission_set, *first.associations]),  # noqa: B023
                lambda: remove(registry, [member]),  # noqa: B023
            ]
        )
        assert sorted(outcomes) == [WON, ORPHANED]
        assert len(registry.associations(entry.entry_uuid)) == 1


@pytest.mark.proves("SEC-T-012", "LC-123")
def test_a_removal_and_a_relationship_at_once(registry: Registry, make: Maker) -> None:
    for _ in range(6):
        sent, late = make.submission(), make.entry()
        registry.register(sent)
        link = samples.association(urns.APND, late, sent.entries[0])
        adding = make.submission([late], associations=[link])
        outcomes = together(
            [
                lambda: remove(registry, everything(sent)),  # noqa: B023
                lambda: registry.register(adding),  # noqa: B023
            ]
        )
        assert set(outcomes) in ({WON, REFERENCED}, {WON, UNRESOLVED})


@pytest.mark.proves("SEC-T-011", "LC-132")
def test_a_claim_is_never_released_under_a_submission(registry: Registry, make: Maker) -> None:
    for _ in range(6):
        sent = make.submission()
        registry.register(sent)
        value = sent.entries[0].unique_id
        again = make.submission([make.entry(unique_id=value)])
        with ThreadPoolExecutor(2) as pool:
            works = [
                pool.submit(remove, registry, everything(sent)),
                pool.submit(registry.register, again),
            ]
            for each in works:
                each.result(30)
        held = registry.units.rows(select(unique_id.c.value).where(unique_id.c.value == str(value)))
        assert len(held) == 1


@pytest.mark.proves("LC-127", "SEC-T-012")
def test_two_versions_go_at_once_and_the_one_left_is_current(
    registry: Registry, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make.entry()
    registry.register(make.submission([first]))
    second = revised(first)
    third = revised(second)
    earlier = request(make, second, propagation="no")
    later = request(make, third, previous=2, propagation="no")
    for each in (earlier, later):
        registry.register(each, by=iti57.update)
    begun: list[Future[None]] = []
    forget = removal.forget

    def slowly(objects: dict[int, Stored], unit: Unit) -> None:
        """The earlier version is gone, though not for others yet, when the latest goes."""
        forget(objects, unit)
        if not begun:
            begun.append(pool.submit(remove, registry, everything(later)))
            wait(begun, 0.5)

    monkeypatch.setattr(removal, "forget", slowly)
    with ThreadPoolExecutor(1) as pool:
        remove(registry, everything(earlier))
        begun[0].result(30)
    by_lid = single("$XDSDocumentEntryLogicalID", first.entry_uuid)
    assert registry.ids(queries.GET_DOCUMENTS, by_lid) == [first.entry_uuid]


def test_many_objects_go_at_once(registry: Registry, make: Maker) -> None:
    entries = [make.entry() for _ in range(600)]
    sent = make.submission(entries)
    registry.register(sent)
    remove(registry, everything(sent))
    slot = many("$XDSDocumentEntryEntryUUID", [each.entry_uuid for each in entries])
    assert registry.ids(queries.GET_DOCUMENTS, slot, LEVEL_2) == []
