"""ITI-42 on both databases: what a submission leaves behind, and what a refused one does not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from registry import iti57
from registry.known import Domain
from tests import samples
from tests.registry.conftest import Maker, Registry, by_kind
from tests.registry.updates import request
from xdsi.model.objects import Association, DocumentEntry, Folder, Slot, SubmissionSet
from xdsi.model.values import CX, DTM, SHA1, HomeCommunityId, Identifier, Size, is_uuid
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single


def relation(type_: str, source: object, target: object) -> Association:
    return samples.association(type_, source, target)


def stored(registry: Registry, make: Maker, **changes: object) -> DocumentEntry:
    """An entry in the registry."""
    entry = make.entry(**changes)
    registry.register(make.submission([entry]))
    return entry


@pytest.mark.proves("REG-009", "REG-131", "SQ-070", "SQ-071", "MD-082", "MD-185")
def test_everything_registered_comes_back(registry: Registry, make: Maker, patient: CX) -> None:
    entry = samples.full_document_entry(
        patient_id=patient,
        home=HomeCommunityId(f"urn:oid:{samples.HOME}"),
        extra=(Slot("urn:example:extra", ("one", "two")),),
    )
    folder = make.folder()
    sent = make.submission([entry, make.entry()], folders=[folder], filed=[(folder, entry)])
    registry.register(sent)
    found = {each.entry_uuid: each for each in registry.everything(patient)}
    for each in (*sent.submission_sets, *sent.entries, *sent.folders, *sent.associations):
        back = found.pop(each.entry_uuid)
        own = {"status": urns.APPROVED, "logical_id": each.entry_uuid, "version": "1"}
        if isinstance(each, Folder):
            own["last_update_time"] = back.last_update_time  # type: ignore[union-attr,assignment]
        assert back == replace(each, **own)  # type: ignore[arg-type]
    assert found == {}


@pytest.mark.proves("MD-069", "MD-071", "MD-185")
def test_symbolic_ids_become_uuids_everywhere(registry: Registry, make: Maker, patient: CX) -> None:
    entry = make.entry(entry_uuid="Document01")
    one = make.set(entry_uuid="Set01")
    member = samples.has_member(one, entry, entry_uuid="as01")
    registry.register(replace(make.submission([entry], set_=one), associations=(member,)))
    found = {type(each): each for each in registry.everything(patient)}
    assert all(is_uuid(each.entry_uuid) for each in found.values())
    link = found[Association]
    assert isinstance(link, Association)
    assert link.source_object == found[SubmissionSet].entry_uuid
    assert link.target_object == found[DocumentEntry].entry_uuid
    (fragment,) = registry.ask(
        queries.GET_DOCUMENTS,
        single("$XDSDocumentEntryEntryUUID", found[DocumentEntry].entry_uuid),
    ).objects
    assert b"Document01" not in fragment.xml  # type: ignore[union-attr]


@pytest.mark.proves(
    *("REG-078", "MD-104", "MD-139", "MD-151", "MD-178", "MD-179", "MD-184", "MD-187")
)
def test_submitted_status_and_version_are_ignored(
    registry: Registry, make: Maker, patient: CX
) -> None:
    entry = make.entry(status=urns.DEPRECATED, version="7")
    one = make.set(status=urns.DEPRECATED)
    box = make.folder(status="urn:example:closed", version="2")
    sent = make.submission(
        [replace(entry, logical_id=entry.entry_uuid)], folders=[box], filed=[(box, entry)], set_=one
    )
    links = tuple(replace(each, status=urns.DEPRECATED) for each in sent.associations)
    registry.register(replace(sent, associations=links))
    found = registry.everything(patient)
    assert by_kind(found) == {DocumentEntry: 1, SubmissionSet: 1, Folder: 1, Association: 4}
    for each in found:
        assert (each.status, each.version) == (urns.APPROVED, "1")
        assert each.logical_id == each.entry_uuid


@pytest.mark.proves("REG-011")
def test_a_submission_may_bring_folders_alone(registry: Registry, make: Maker, patient: CX) -> None:
    folder = make.folder()
    registry.register(make.submission(folders=[folder]))
    entry = stored(registry, make)
    registry.register(make.submission(filed=[(folder.entry_uuid, entry.entry_uuid)]))
    kinds = by_kind(registry.everything(patient))
    # HasMembers: set to folder, set to entry, folder to entry, set to the latter
    assert kinds == {Folder: 1, DocumentEntry: 1, SubmissionSet: 3, Association: 4}


@pytest.mark.proves("REG-130", "REG-132", "SEC-T-002")
def test_a_refused_submission_leaves_nothing_and_may_be_repeated(
    registry: Registry, make: Maker, patient: CX
) -> None:
    good, bad = make.entry(), make.entry(repository_unique_id=None)
    sent = make.submission([good, bad])
    assert registry.refused(sent) == [("XDSRegistryMetadataError", "REG-070")]
    assert registry.everything(patient) == []
    slot = single("$XDSDocumentEntryUniqueId", str(good.unique_id))
    assert registry.ids(queries.GET_DOCUMENTS, slot) == []
    mended = replace(sent, entries=(good, replace(bad, repository_unique_id=samples.REPOSITORY)))
    registry.register(mended)
    assert by_kind(registry.everything(patient))[DocumentEntry] == 2


@pytest.mark.proves("REG-104", "REG-130")
def test_a_refused_replacement_changes_neither_status_nor_folder(
    registry: Registry, make: Maker
) -> None:
    folder, old = make.folder(), make.entry()
    registry.register(make.submission([old], folders=[folder], filed=[(folder, old)]))
    before = registry.folder(folder.entry_uuid).last_update_time
    new = make.entry(class_code=None)
    clock, registry.units._clock = registry.units._clock, lambda: datetime(2033, 1, 1, tzinfo=UTC)
    try:
        replacing = make.submission([new], associations=[relation(urns.RPLC, new, old)])
        assert registry.refused(replacing) == [("XDSRegistryMetadataError", "REG-070")]
    finally:
        registry.units._clock = clock
    assert registry.status(old.entry_uuid) == urns.APPROVED
    assert registry.folder(folder.entry_uuid).last_update_time == before


# uniqueIds


@pytest.mark.proves("REG-094", "SEC-T-008", "SQ-063")
def test_an_identical_document_is_accepted_once_more(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    second = stored(registry, make, unique_id=first.unique_id, hash=SHA1(str(first.hash).upper()))
    slot = single("$XDSDocumentEntryUniqueId", str(first.unique_id))
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [first.entry_uuid, second.entry_uuid]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"hash": SHA1("0" * 40)}, ["XDSNonIdenticalHash"], id="hash"),
        pytest.param({"size": Size("1")}, ["XDSNonIdenticalSize"], id="size"),
        pytest.param(
            {"hash": SHA1("0" * 40), "size": Size("1")},
            ["XDSNonIdenticalHash", "XDSNonIdenticalSize"],
            id="both",
        ),
    ],
)
@pytest.mark.proves("REG-092", "REG-093", "REG-098", "REG-160", "SEC-T-107")
def test_a_changed_document_needs_a_new_unique_id(
    registry: Registry, make: Maker, changes: dict[str, object], expected: list[str]
) -> None:
    first = stored(registry, make)
    errors = registry.errors(make.submission([make.entry(unique_id=first.unique_id, **changes)]))
    assert [each.code for each in errors] == expected
    assert all(each.context.startswith(str(first.unique_id)) for each in errors)


@pytest.mark.proves("REG-090", "REG-091", "REG-155", "SEC-T-108", "SEC-T-008")
def test_a_set_and_a_folder_need_a_unique_id_that_nobody_has(
    registry: Registry, make: Maker
) -> None:
    folder, sent = make.folder(), make.submission()
    registry.register(sent)
    registry.register(make.submission(folders=[folder]))
    taken = {
        "SubmissionSet": sent.submission_set.unique_id,
        "DocumentEntry": sent.entries[0].unique_id,
        "Folder": folder.unique_id,
    }
    for kind, value in taken.items():
        (error,) = registry.errors(make.submission(set_=make.set(unique_id=value)))
        assert (error.code, error.rule) == ("XDSDuplicateUniqueIdInRegistry", "REG-090")
        assert kind in error.context
        assert str(value) in error.context
        again = make.submission(folders=[make.folder(unique_id=value)])
        assert registry.refused(again) == [("XDSDuplicateUniqueIdInRegistry", "REG-091")]


@pytest.mark.proves("REG-095")
def test_an_entry_does_not_take_the_unique_id_of_a_folder(registry: Registry, make: Maker) -> None:
    folder = make.folder()
    registry.register(make.submission(folders=[folder]))
    entry = make.entry(unique_id=Identifier(str(folder.unique_id)))
    assert registry.refused(make.submission([entry])) == [("XDSRegistryMetadataError", "REG-095")]


@pytest.mark.proves("MD-072")
def test_a_uuid_names_one_object_for_ever(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    again = make.submission([make.entry(entry_uuid=first.entry_uuid)])
    assert registry.refused(again) == [("XDSRegistryMetadataError", "MD-072")]
    assert registry.entry(first.entry_uuid).unique_id == first.unique_id


@pytest.mark.proves("MD-070")
def test_an_assigned_uuid_is_permanent(registry: Registry, make: Maker, patient: CX) -> None:
    first = make.entry(entry_uuid="Document01")
    registry.register(make.submission([first]))
    slot = single("$XDSDocumentEntryUniqueId", str(first.unique_id))
    (uuid,) = registry.ids(queries.GET_DOCUMENTS, slot)
    new = make.entry(entry_uuid="Document01")
    registry.register(make.submission([new], associations=[relation(urns.RPLC, new, uuid)]))
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [uuid]
    assert registry.status(uuid) == urns.DEPRECATED


@pytest.mark.proves("MD-177", "REG-092", "REG-094")
def test_a_replacement_has_a_new_unique_id_unless_it_is_identical(
    registry: Registry, make: Maker
) -> None:
    old = stored(registry, make)
    other = make.entry(b"other bytes", unique_id=old.unique_id)
    found = registry.refused(
        make.submission([other], associations=[relation(urns.RPLC, other, old)])
    )
    assert {code for code, _ in found} == {"XDSNonIdenticalHash", "XDSNonIdenticalSize"}
    assert registry.status(old.entry_uuid) == urns.APPROVED
    same = make.entry(unique_id=old.unique_id)
    registry.register(make.submission([same], associations=[relation(urns.RPLC, same, old)]))
    assert registry.status(old.entry_uuid) == urns.DEPRECATED


# replacement and what follows from it


@pytest.mark.proves("REG-113", "MD-175")
@pytest.mark.parametrize("type_", [urns.RPLC, urns.XFRM_RPLC], ids=["RPLC", "XFRM_RPLC"])
def test_a_replacement_deprecates_its_target_and_all_that_hangs_on_it(
    registry: Registry, make: Maker, type_: str
) -> None:
    old = stored(registry, make)
    child, grandchild, signature, new = (make.entry() for _ in range(4))
    addendum = make.entry()
    for each, how, on in (
        (child, urns.XFRM, old),
        (addendum, urns.APND, old),
        (grandchild, urns.XFRM, child),
        (signature, urns.SIGNS, old),
    ):
        registry.register(make.submission([each], associations=[relation(how, each, on)]))
    deep = make.entry()
    registry.register(make.submission([deep], associations=[relation(urns.APND, deep, addendum)]))
    assert registry.status(old.entry_uuid) == urns.APPROVED  # XFRM and APND leave it so
    registry.register(make.submission([new], associations=[relation(type_, new, old)]))
    statuses = {
        each.entry_uuid: registry.status(each.entry_uuid)
        for each in (old, child, addendum, grandchild, deep, signature, new)
    }
    assert list(statuses.values()) == [urns.DEPRECATED] * 5 + [urns.APPROVED] * 2


@pytest.mark.proves("REG-113")
def test_what_an_update_deprecated_hides_nothing_from_a_replacement(
    registry: Registry, make: Maker
) -> None:
    old = stored(registry, make)
    addendum, deep, new = (make.entry() for _ in range(3))
    for each, how, on in ((addendum, urns.APND, old), (deep, urns.XFRM, addendum)):
        registry.register(make.submission([each], associations=[relation(how, each, on)]))
    change = request(make, statuses=[(addendum, "Approved", "Deprecated")])
    registry.register(change, by=iti57.update)
    assert registry.status(deep.entry_uuid) == urns.APPROVED
    registry.register(make.submission([new], associations=[relation(urns.RPLC, new, old)]))
    assert registry.status(deep.entry_uuid) == urns.DEPRECATED


@pytest.mark.proves("REG-114", "REG-101")
def test_a_replacement_enters_the_folders_of_its_target(
    registry: Registry, make: Maker, patient: CX, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, old = [make.folder(), make.folder()], make.entry()
    filed = [(folder, old) for folder in folders]
    registry.register(make.submission([old], folders=folders, filed=filed))
    new, one = make.entry(), make.set()
    monkeypatch.setattr(registry.units, "_clock", lambda: datetime(2033, 4, 5, tzinfo=UTC))
    registry.register(
        make.submission([new], associations=[relation(urns.RPLC, new, old)], set_=one)
    )
    for folder in folders:
        members = [
            each
            for each in registry.associations(folder.entry_uuid)
            if each.source_object == folder.entry_uuid
        ]
        # the original stays a member
        assert {each.target_object for each in members} == {old.entry_uuid, new.entry_uuid}
        (added,) = (each for each in members if each.target_object == new.entry_uuid)
        assert added.association_type == urns.HAS_MEMBER
        (link,) = registry.associations(added.entry_uuid)
        assert (link.association_type, link.source_object) == (urns.HAS_MEMBER, one.entry_uuid)
        assert registry.folder(folder.entry_uuid).last_update_time == DTM("20330405000000")


@pytest.mark.proves("REG-115")
def test_a_replacement_enters_a_folder_once(registry: Registry, make: Maker, patient: CX) -> None:
    folder, old = make.folder(), make.entry()
    registry.register(make.submission([old], folders=[folder], filed=[(folder, old)]))
    new = make.entry()
    registry.register(
        make.submission(
            [new],
            associations=[relation(urns.RPLC, new, old)],
            filed=[(folder.entry_uuid, new)],
        )
    )
    found = registry.associations(new.entry_uuid)
    assert [each.source_object for each in found].count(folder.entry_uuid) == 1


@pytest.mark.proves("REG-121")
def test_several_entries_of_one_submission_may_replace_one(registry: Registry, make: Maker) -> None:
    old = stored(registry, make)
    new = [make.entry(), make.entry()]
    registry.register(
        make.submission(new, associations=[relation(urns.RPLC, each, old) for each in new])
    )
    assert registry.status(old.entry_uuid) == urns.DEPRECATED
    found = [each.association_type for each in registry.associations(old.entry_uuid)]
    assert found.count(urns.RPLC) == 2


@pytest.mark.proves("REG-122", "MD-174")
def test_documentation_of_a_relationship_comes_back(registry: Registry, make: Maker) -> None:
    old = stored(registry, make)
    new = make.entry()
    link = replace(relation(urns.XFRM, new, old), documentation=samples.CORRECTED)
    registry.register(make.submission([new], associations=[link]))
    (found,) = (
        each for each in registry.associations(new.entry_uuid) if each.association_type == urns.XFRM
    )
    assert found.documentation == samples.CORRECTED


@pytest.mark.parametrize(
    "type_",
    [urns.RPLC, urns.XFRM_RPLC, urns.XFRM, urns.APND, urns.SIGNS],
    ids=lambda type_: type_.rsplit(":", 1)[-1],
)
@pytest.mark.proves("REG-112", "REG-119", "REG-164", "SEC-T-110", "MD-062")
def test_a_deprecated_entry_gets_no_further_relationship(
    registry: Registry, make: Maker, type_: str
) -> None:
    old = stored(registry, make)
    new, late = make.entry(), make.entry()
    registry.register(make.submission([new], associations=[relation(urns.RPLC, new, old)]))
    sent = make.submission([late], associations=[relation(type_, late, old)])
    ((code, rule),) = registry.refused(sent)
    assert code == "XDSRegistryDeprecatedDocumentError"
    assert rule == ("REG-112" if type_ in urns.REPLACEMENTS else "REG-119")


@pytest.mark.proves("REG-100", "REG-120", "REG-164")
def test_a_deprecated_entry_is_neither_filed_nor_referenced(
    registry: Registry, make: Maker
) -> None:
    folder, old, new = make.folder(), stored(registry, make), make.entry()
    registry.register(make.submission([new], associations=[relation(urns.RPLC, new, old)]))
    filing = make.submission(folders=[folder], filed=[(folder, old.entry_uuid)])
    assert registry.refused(filing) == [("XDSRegistryDeprecatedDocumentError", "REG-100")]
    reference = make.submission([make.entry()], references=[old.entry_uuid])
    assert registry.refused(reference) == [("XDSRegistryDeprecatedDocumentError", "REG-120")]


# folders


@pytest.mark.proves("REG-101", "REG-102", "REG-103", "MD-156", "MD-186")
def test_the_registry_alone_sets_the_time_of_a_folder(
    registry: Registry, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(year: int) -> None:
        monkeypatch.setattr(registry.units, "_clock", lambda: datetime(year, 1, 1, tzinfo=UTC))

    def time() -> str:
        return str(registry.folder(folder.entry_uuid).last_update_time)

    folder = make.folder(last_update_time=DTM("19990101000000"))
    at(2031)
    registry.register(make.submission(folders=[folder]))
    assert time() == "20310101000000"
    at(2032)
    entry = stored(registry, make)
    assert time() == "20310101000000"
    registry.register(make.submission(filed=[(folder.entry_uuid, entry.entry_uuid)]))
    assert time() == "20320101000000"
    at(2033)
    registry.register(make.submission([make.entry()], references=[entry.entry_uuid]))
    assert time() == "20320101000000"
    new = make.entry()
    registry.register(make.submission([new], filed=[(folder.entry_uuid, new)]))
    assert time() == "20330101000000"


@pytest.mark.proves("MD-172", "MD-170", "REG-101")
@pytest.mark.parametrize("is_entry_new", [True, False], ids=["new entry", "stored entry"])
@pytest.mark.parametrize("is_folder_new", [True, False], ids=["new folder", "stored folder"])
def test_four_ways_to_fill_a_folder(
    registry: Registry, make: Maker, is_folder_new: bool, is_entry_new: bool
) -> None:
    box, entry = make.folder(), make.entry()
    if not is_folder_new:
        registry.register(make.submission(folders=[box]))
    if not is_entry_new:
        registry.register(make.submission([entry]))
    sent = make.submission(
        [entry] if is_entry_new else (),
        folders=[box] if is_folder_new else (),
        filed=[(box.entry_uuid, entry.entry_uuid)],
    )
    registry.register(sent)
    (filing,) = (
        each
        for each in registry.associations(box.entry_uuid)
        if each.source_object == box.entry_uuid
    )
    assert (filing.association_type, filing.target_object) == (urns.HAS_MEMBER, entry.entry_uuid)
    (member,) = registry.associations(filing.entry_uuid)
    assert member.source_object == sent.submission_set.entry_uuid


# patients


@pytest.mark.proves("REG-083", "REG-084", "REG-161", "SEC-T-109")
def test_objects_of_two_patients_are_not_joined(registry: Registry, make: Maker) -> None:
    other = Maker(samples.new_patient())
    theirs, folder = stored(registry, other), other.folder()
    registry.register(other.submission(folders=[folder]))
    new = make.entry()
    replacing = make.submission([new], associations=[relation(urns.RPLC, new, theirs)])
    assert registry.refused(replacing) == [("XDSPatientIdDoesNotMatch", "REG-084")]
    assert registry.status(theirs.entry_uuid) == urns.APPROVED
    entry = stored(registry, make)
    filing = make.submission(filed=[(folder.entry_uuid, entry.entry_uuid)])
    assert registry.refused(filing) == [("XDSPatientIdDoesNotMatch", "REG-083")]


@pytest.mark.proves("MD-059", "MD-171", "REG-083")
def test_nobody_changes_the_folder_of_another_patient(registry: Registry, make: Maker) -> None:
    other = Maker(samples.new_patient())
    theirs, folder = stored(registry, other), other.folder()
    registry.register(other.submission(folders=[folder]))
    filing = make.submission(filed=[(folder.entry_uuid, theirs.entry_uuid)])
    assert registry.refused(filing) == [("XDSPatientIdDoesNotMatch", "REG-083")]
    one = make.set()
    taking = make.submission(
        [make.entry()],
        set_=one,
        associations=[samples.association(urns.HAS_MEMBER, one.entry_uuid, folder.entry_uuid)],
    )
    assert registry.refused(taking) == [("XDSPatientIdDoesNotMatch", "REG-083")]


@pytest.mark.proves("MD-062", "REG-100", "REG-119")
@pytest.mark.parametrize("type_", [urns.APND, urns.XFRM, urns.SIGNS])
def test_what_a_submission_replaces_gets_nothing_else_from_it(
    registry: Registry, make: Maker, type_: str
) -> None:
    old, folder = stored(registry, make), make.folder()
    new, second = make.entry(), make.entry()
    both = make.submission(
        [new, second],
        associations=[relation(urns.RPLC, new, old), relation(type_, second, old)],
    )
    assert registry.refused(both) == [("XDSRegistryMetadataError", "REG-119")]
    filing = make.submission(
        [new],
        folders=[folder],
        filed=[(folder, old)],
        associations=[relation(urns.RPLC, new, old)],
    )
    assert registry.refused(filing) == [("XDSRegistryMetadataError", "REG-100")]


@pytest.mark.proves("SEC-T-051")
def test_replacements_do_not_multiply_beyond_the_limit(registry: Registry, make: Maker) -> None:
    old, folders = make.entry(), [make.folder() for _ in range(3)]
    registry.register(
        make.submission([old], folders=folders, filed=[(folder, old) for folder in folders])
    )
    new = [make.entry(), make.entry()]
    replacing = make.submission(new, associations=[relation(urns.RPLC, each, old) for each in new])
    small = Domain(admits=True, objects=11)
    assert registry.refused(replacing, small) == [("XDSRegistryMetadataError", "SEC-T-051")]
    registry.register(replacing, Domain(admits=True, objects=12))


@pytest.mark.proves("REG-086", "MD-169")
def test_a_set_may_refer_to_an_entry_of_another_patient(registry: Registry, make: Maker) -> None:
    theirs = stored(registry, Maker(samples.new_patient()))
    one = make.set()
    registry.register(make.submission([make.entry()], references=[theirs.entry_uuid], set_=one))
    links = registry.associations(theirs.entry_uuid)
    (link,) = (each for each in links if each.source_object == one.entry_uuid)
    assert link.submission_set_status == "Reference"


# references to the registry


@pytest.mark.proves("REG-061", "REG-062", "REG-110", "REG-111", "REG-153", "SEC-T-110")
def test_references_that_lead_nowhere(registry: Registry, make: Maker) -> None:
    old, new = stored(registry, make), make.entry()
    nowhere = samples.new_uuid()
    cases = {
        ("REG-061",): relation(urns.RPLC, new, nowhere),
        ("REG-062",): relation(urns.RPLC, new, "nothing"),
        ("REG-110",): relation(urns.RPLC, old, old),
    }
    cases[("REG-110",)] = relation(urns.APND, stored(registry, make), old)
    cases[("REG-111",)] = relation(urns.RPLC, new, new2 := make.entry())
    for rules, link in cases.items():
        entries = [new, new2] if rules == ("REG-111",) else [new]
        found = registry.refused(make.submission(entries, associations=[link]))
        assert found == [("UnresolvedReferenceException", rule) for rule in rules], rules


@pytest.mark.proves("REG-057", "MD-060")
def test_a_stored_set_gets_no_further_associations(registry: Registry, make: Maker) -> None:
    earlier = make.submission()
    registry.register(earlier)
    new = make.entry()
    link = samples.has_member(earlier.submission_set, new)
    found = registry.refused(make.submission([new], associations=[link]))
    # it is no folder membership either, so it would need a member's HasMember
    assert ("XDSRegistryMetadataError", "MD-060") in found
    new = make.entry()
    link = relation(urns.RPLC, new, earlier.submission_set)
    found = registry.refused(make.submission([new], associations=[link]))
    assert found == [("XDSRegistryMetadataError", rule) for rule in ("REG-057", "MD-060")]


@pytest.mark.proves("REG-118", "MD-176")
def test_nothing_is_appended_to_a_transformation(registry: Registry, make: Maker) -> None:
    old, made = stored(registry, make), make.entry()
    registry.register(make.submission([made], associations=[relation(urns.XFRM, made, old)]))
    late = make.entry()
    sent = make.submission([late], associations=[relation(urns.APND, late, made)])
    assert registry.refused(sent) == [("XDSRegistryMetadataError", "REG-118")]
    # replacing it is legal
    registry.register(make.submission([late], associations=[relation(urns.RPLC, late, made)]))


@pytest.mark.proves("REG-116")
def test_a_snapshot_is_made_of_an_on_demand_entry(registry: Registry, make: Maker) -> None:
    stable, new = stored(registry, make), make.entry()
    sent = make.submission([new], associations=[relation(urns.IS_SNAPSHOT_OF, new, stable)])
    assert registry.refused(sent) == [("XDSRegistryMetadataError", "REG-116")]


@pytest.mark.proves("MD-131", "MD-134")
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("1.2.3.4.{}", id="OID"),
        pytest.param("1.2.3.4^{}", id="root^extension"),
        pytest.param("urn:uuid:00000000-0000-4000-8000-{}", id="UUID"),
        pytest.param("https://example.org/a?b={}#c", id="URI"),
    ],
)
def test_unique_ids_of_every_form(registry: Registry, make: Maker, form: str) -> None:
    value = Identifier(form.format(samples.new_oid()[-12:]))
    entry = stored(registry, make, unique_id=value)
    again = stored(registry, make, unique_id=value)
    slot = many("$XDSDocumentEntryUniqueId", [str(value)])
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [entry.entry_uuid, again.entry_uuid]


@pytest.mark.proves("SEC-T-112")
def test_odd_identifiers_are_plain_data(registry: Registry, make: Maker) -> None:
    value = """x';DROP TABLE object;--/../%_\\"<&>"""
    entry = stored(registry, make, unique_id=Identifier(value))
    slot = many("$XDSDocumentEntryUniqueId", [value])
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [entry.entry_uuid]
    assert registry.entry(entry.entry_uuid).unique_id == Identifier(value)
