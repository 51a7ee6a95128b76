"""ITI-57 on both databases: versions, statuses, associations, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from registry import iti57, iti61
from registry.known import Domain
from tests import samples
from tests.registry.conftest import DOMAIN, LEVEL_2, Maker, Registry
from tests.registry.updates import request, revised, status
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, Folder, InternationalString, Slot
from xdsi.model.values import CX, DTM, OID, SHA1, Identifier, Size
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

UPDATE = "XDSMetadataUpdateError"
OPERATION = "XDSMetadataUpdateOperationError"
VERSION = "XDSMetadataVersionError"
METADATA = "XDSRegistryMetadataError"
RECONCILIATION = "XDSPatientIDReconciliationError"
TITLE = InternationalString.of("Corrected title", "en")


def stored(registry: Registry, make: Maker, **changes: Any) -> DocumentEntry:
    entry = make.entry(**changes)
    registry.register(make.submission([entry]))
    return entry


def update(registry: Registry, sent: Submission, domain: Domain = DOMAIN) -> None:
    assert registry.register(sent, domain, by=iti57.update).errors == ()


def refused(
    registry: Registry, make: Maker, sent: Submission, domain: Domain = DOMAIN
) -> list[tuple[str, str]]:
    """(code, rule) of the findings; nothing has changed."""
    before = registry.history(make.patient)
    found = registry.refused(sent, domain, by=iti57.update)
    assert registry.history(make.patient) == before
    return found


def found(registry: Registry, patient: CX, *statuses: str) -> list[str]:
    return registry.ids(
        queries.FIND_DOCUMENTS,
        single("$XDSDocumentEntryPatientId", str(patient)),
        many("$XDSDocumentEntryStatus", statuses or [urns.APPROVED]),
    )


def ends(links: list[Association]) -> set[tuple[str, str, str]]:
    return {(each.association_type, each.source_object, each.target_object) for each in links}


# versions


@pytest.mark.proves(
    *("LC-010", "LC-011", "LC-013", "LC-014", "LC-015", "LC-024", "LC-040", "LC-053", "LC-055"),
    *("MD-178", "MD-179", "SQ-191", "SQ-192", "SQ-194", "SQ-197", "SQ-199", "LC-005"),
)
def test_a_new_version_supersedes_the_latest(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    second = revised(first, title=TITLE, status=urns.DEPRECATED, version="77")
    update(registry, request(make, second))
    back, old = registry.entry(second.entry_uuid), registry.entry(first.entry_uuid)
    assert (back.title, back.status, back.version) == (TITLE, urns.APPROVED, "2")
    assert (old.title, old.status, old.version) == (first.title, urns.DEPRECATED, "1")
    assert back.logical_id == old.logical_id == first.entry_uuid
    # level 1 knows the latest alone, whatever is asked
    both = (urns.APPROVED, urns.DEPRECATED)
    assert found(registry, make.patient, *both) == [second.entry_uuid]
    slot = single("$XDSDocumentEntryEntryUUID", first.entry_uuid)
    assert registry.ids(queries.GET_DOCUMENTS, slot) == []
    by_id = single("$XDSDocumentEntryUniqueId", str(first.unique_id))
    assert registry.ids(queries.GET_DOCUMENTS, by_id) == [second.entry_uuid]
    by_lid = single("$XDSDocumentEntryLogicalID", first.entry_uuid)
    assert registry.ids(queries.GET_DOCUMENTS, by_lid) == [second.entry_uuid]
    versions = [first.entry_uuid, second.entry_uuid]
    assert registry.ids(queries.GET_DOCUMENTS, by_lid, LEVEL_2) == versions
    assert registry.ids(queries.GET_DOCUMENTS, by_id, LEVEL_2) == versions
    third = revised(second, title=first.title)
    assert refused(registry, make, request(make, third)) == [(VERSION, "LC-024")]
    update(registry, request(make, third, previous=2))
    assert registry.entry(third.entry_uuid).version == "3"
    assert registry.ids(queries.GET_DOCUMENTS, by_lid, LEVEL_2) == [*versions, third.entry_uuid]


@pytest.mark.proves("LC-025", "REG-131", "LC-010", "MD-069")
def test_a_version_replaces_every_attribute(registry: Registry, make: Maker) -> None:
    first = samples.full_document_entry(patient_id=make.patient)
    registry.register(make.submission([first]))
    second = replace(
        revised(make.entry(unique_id=first.unique_id, class_code=samples.IMAGES), title=TITLE),
        entry_uuid="NewVersion",
        logical_id=first.entry_uuid,
        extra=(Slot("urn:example:extra", ("one",)),),
    )
    update(registry, request(make, second))
    (uuid,) = found(registry, make.patient)
    back = registry.entry(uuid)
    given = {"status": urns.APPROVED, "version": "2", "entry_uuid": uuid}
    assert back == replace(second, **given)
    slot = many("$XDSDocumentEntryClassCode", ["REPORTS^^1.3.6.1.4.1.19376.1.2.6.1"])
    patient = single("$XDSDocumentEntryPatientId", str(make.patient))
    statuses = many("$XDSDocumentEntryStatus", [urns.APPROVED])
    assert registry.ids(queries.FIND_DOCUMENTS, patient, statuses, slot) == []


@pytest.mark.proves("LC-060", "LC-052")
def test_an_on_demand_entry_is_updated_like_a_stable_one(registry: Registry, make: Maker) -> None:
    first = make.on_demand()
    registry.register(make.submission([first]), by=iti61.register)
    bad = revised(first, creation_time=DTM("2024"))
    assert refused(registry, make, request(make, bad)) == [(METADATA, "MD-108")]
    stable = revised(make.entry(unique_id=first.unique_id), logical_id=first.entry_uuid)
    assert (UPDATE, "LC-052") in refused(registry, make, request(make, stable))
    second = revised(first, title=TITLE)
    update(registry, request(make, second))
    assert registry.entry(second.entry_uuid).version == "2"


@pytest.mark.proves("LC-054", "MD-136", "REG-092", "REG-094")
def test_content_changes_only_when_it_was_assembled_late(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    for changes in ({"hash": SHA1("0" * 40)}, {"size": Size("1")}):
        sent = request(make, revised(first, **changes))
        assert refused(registry, make, sent) == [(UPDATE, "LC-054")]
    late = stored(registry, make, hash=SHA1(urns.EMPTY_SHA1), size=Size("0"))
    known = {"hash": SHA1("1" * 40), "size": Size("11")}
    moved = revised(late, repository_unique_id=OID("1.2.3"), **known)
    update(registry, request(make, moved))
    # and so the document is known from now on
    stored(registry, make, unique_id=late.unique_id, **known)
    again = make.submission([make.entry(unique_id=late.unique_id)])
    assert {code for code, _ in registry.refused(again)} == {
        "XDSNonIdenticalHash", "XDSNonIdenticalSize",
    }  # fmt: skip


@pytest.mark.proves("LC-012", "LC-020", "LC-031", "REG-090", "LC-006")
def test_the_set_is_one_as_in_a_submission(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    sent = request(make, revised(first))
    for sets in ((), (sent.submission_set, make.set())):
        assert (UPDATE, "LC-020") in refused(registry, make, replace(sent, submission_sets=sets))
    taken = make.submission()
    registry.register(taken)
    used = replace(sent.submission_set, unique_id=taken.submission_set.unique_id)
    answer = refused(registry, make, replace(sent, submission_sets=(used,)))
    assert answer == [("XDSDuplicateUniqueIdInRegistry", "REG-090")]
    later = replace(sent.submission_set, logical_id=taken.submission_set.entry_uuid)
    answer = refused(registry, make, replace(sent, submission_sets=(later,)))
    assert answer == [(UPDATE, "LC-012")]
    incomplete = replace(sent.submission_set, source_id=None)
    answer = refused(registry, make, replace(sent, submission_sets=(incomplete,)))
    assert answer == [(METADATA, "REG-070")]


VERSIONS: list[tuple[str, dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ("no lid", {"logical_id": None}, {}, [(UPDATE, "LC-021")]),
    ("symbolic lid", {"logical_id": "x"}, {}, [(UPDATE, "LC-022")]),
    ("unknown lid", {"logical_id": samples.new_uuid()}, {}, [(VERSION, "LC-024")]),
    ("other version", {}, {"previous": 2}, [(VERSION, "LC-024")]),
    ("no PreviousVersion", {}, {"previous": None}, [(OPERATION, "LC-023")]),
    ("PreviousVersion no number", {}, {"previous": "1.1"}, [(OPERATION, "LC-023")]),
    ("PreviousVersion too long", {}, {"previous": "1" * 99}, [(OPERATION, "LC-023")]),
    ("wrong set status", {}, {"member": {"submission_set_status": "Reference"}},
        [(OPERATION, "LC-023")]),
    ("no set status", {}, {"member": {"submission_set_status": None}}, [(OPERATION, "LC-023")]),
    ("odd propagation", {}, {"propagation": "maybe"}, [(OPERATION, "LC-023")]),
    ("unknown slot", {}, {"member": {"extra": (Slot("urn:example:x", ("1",)),)}},
        [(OPERATION, "LC-023")]),
    ("slot of a status", {}, {"member": {"new_status": urns.APPROVED}}, [(OPERATION, "LC-023")]),
    ("uniqueId", {"unique_id": Identifier("2.25.99")}, {}, [(UPDATE, "LC-051")]),
    ("objectType", {"object_type": urns.UPDATE_AVAILABILITY_STATUS}, {}, [(UPDATE, "LC-052")]),
    ("no class code", {"class_code": None}, {}, [(METADATA, "REG-070")]),
    ("bad time", {"creation_time": DTM("20249")}, {}, [(METADATA, "REG-071")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "how", "expected"), [row[1:] for row in VERSIONS], ids=[row[0] for row in VERSIONS]
)
@pytest.mark.proves(
    *("LC-006", "LC-021", "LC-022", "LC-023", "LC-024", "LC-025", "LC-051", "LC-052"),
    *("LC-090", "LC-091", "LC-092"),
)
def test_a_version_is_refused(
    registry: Registry,
    make: Maker,
    changes: dict[str, Any],
    how: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    first = stored(registry, make)
    sent = request(make, replace(revised(first), **changes), **how)
    assert refused(registry, make, sent) == expected


@pytest.mark.proves("LC-021", "LC-023", "LC-026", "LC-030", "LC-050")
def test_an_update_that_is_none(registry: Registry, make: Maker) -> None:
    first, folder = stored(registry, make), make.folder()
    registry.register(make.submission(folders=[folder]))
    new = revised(first)
    sent = request(make, new)
    assert refused(registry, make, replace(sent, associations=())) == [(OPERATION, "LC-023")]
    assert refused(registry, make, request(make)) == [(OPERATION, "LC-030")]
    # a first version comes by another transaction
    fresh = replace(make.entry(), logical_id=None)
    assert (UPDATE, "LC-021") in refused(registry, make, request(make, fresh))
    assert (UPDATE, "LC-021") in refused(registry, make, request(make, make.folder()))
    own = replace(fresh, logical_id=fresh.entry_uuid)
    assert (UPDATE, "LC-021") in refused(registry, make, request(make, own))
    twice = refused(registry, make, request(make, new, revised(first)))
    assert (OPERATION, "LC-026") in twice
    # a folder is no version of an entry
    as_entry = revised(make.entry(), logical_id=folder.entry_uuid)
    assert (VERSION, "LC-024") in refused(registry, make, request(make, as_entry))
    # what was replaced has no later versions
    other = make.entry()
    link = samples.association(urns.RPLC, other, first)
    registry.register(make.submission([other], associations=[link]))
    assert refused(registry, make, sent) == [(UPDATE, "LC-050")]


@pytest.mark.proves("LC-032", "REG-059")
def test_updates_do_not_come_by_registration(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    sent = request(make, revised(first), statuses=[(first, "Approved", "Deprecated")])
    assert {code for code, _ in registry.refused(sent)} == {METADATA}
    assert {"REG-056", "REG-059"} <= {rule for _, rule in registry.refused(sent)}


@pytest.mark.proves("REG-074", "REG-079", "LC-020")
def test_what_the_domain_accepts_holds_for_updates_too(registry: Registry, make: Maker) -> None:
    sent = request(make, revised(stored(registry, make)))
    narrow = Domain(
        admits=True,
        mime_types=frozenset({"application/pdf"}),
        repositories=frozenset({"1.2.3"}),
    )
    assert refused(registry, make, sent, narrow) == [(METADATA, "REG-074"), (METADATA, "REG-079")]


# folders


@pytest.mark.proves("LC-042", "LC-056", "LC-077", "MD-156", "REG-101")
def test_a_folder_gets_a_new_version_with_its_members(
    registry: Registry, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, entries = make.folder(), [make.entry(), make.entry()]
    filed = [(folder, each) for each in entries]
    registry.register(make.submission(entries, folders=[folder], filed=filed))
    new = revised(folder, title=TITLE)
    monkeypatch.setattr(registry.units, "_clock", lambda: datetime(2033, 4, 5, tzinfo=UTC))
    sent = request(make, new, member={"submission_set_status": None})
    update(registry, sent)
    back, old = registry.folder(new.entry_uuid), registry.folder(folder.entry_uuid)
    assert (back.version, back.title, back.status) == ("2", TITLE, urns.APPROVED)
    assert back.last_update_time == DTM("20330405000000")
    assert (old.version, old.status) == ("1", urns.DEPRECATED)
    slot = single("$XDSFolderEntryUUID", new.entry_uuid)
    contents = registry.ids(queries.GET_FOLDER_AND_CONTENTS, slot)
    links = [
        each
        for each in registry.associations(new.entry_uuid)
        if each.source_object == new.entry_uuid
    ]
    assert {each.target_object for each in links} == {each.entry_uuid for each in entries}
    assert set(contents) == {
        new.entry_uuid, *(e.entry_uuid for e in entries), *(e.entry_uuid for e in links)
    }  # fmt: skip
    own = sent.submission_set.entry_uuid
    for each in links:
        (named,) = registry.associations(each.entry_uuid)
        assert (named.association_type, named.source_object) == (urns.HAS_MEMBER, own)
    by_lid = single("$XDSFolderLogicalID", folder.entry_uuid)
    assert registry.ids(queries.GET_FOLDERS, by_lid) == [new.entry_uuid]
    assert registry.ids(queries.GET_FOLDERS, by_lid, LEVEL_2) == [
        folder.entry_uuid, new.entry_uuid
    ]  # fmt: skip
    held = single("$XDSDocumentEntryEntryUUID", entries[0].entry_uuid)
    assert registry.ids(queries.GET_FOLDERS_FOR_DOCUMENT, held) == [new.entry_uuid]
    both = registry.ids(queries.GET_FOLDERS_FOR_DOCUMENT, held, LEVEL_2)
    assert both == [folder.entry_uuid, new.entry_uuid]


@pytest.mark.proves("LC-075", "LC-076", "LC-077")
def test_a_folder_is_refused(registry: Registry, make: Maker) -> None:
    folder = make.folder()
    registry.register(make.submission(folders=[folder]))
    other = request(make, revised(folder, unique_id=OID("2.25.77")))
    assert refused(registry, make, other) == [(UPDATE, "LC-051")]
    assert refused(registry, make, request(make, revised(folder), previous=3)) == [
        (VERSION, "LC-024")
    ]
    update(registry, request(make, statuses=[(folder, "Approved", "Deprecated")]))
    assert refused(registry, make, request(make, revised(folder))) == [(UPDATE, "LC-075")]


# propagation


@pytest.fixture
def family(registry: Registry, make: Maker) -> dict[str, Any]:
    """An entry in a folder, with an addendum, and itself a transformation of another one."""
    folder, base = make.folder(), make.entry()
    registry.register(make.submission([base]))
    first, addendum = make.entry(), make.entry()
    made = samples.association(urns.XFRM, first, base, documentation=samples.CORRECTED)
    registry.register(
        make.submission([first], folders=[folder], filed=[(folder, first)], associations=[made])
    )
    added = samples.association(urns.SIGNS, addendum, first)
    registry.register(make.submission([addendum], associations=[added]))
    return {"folder": folder, "base": base, "first": first, "addendum": addendum}


@pytest.mark.proves("LC-056", "LC-059", "REG-101", "REG-122")
@pytest.mark.parametrize("propagation", [None, "yes"])
def test_associations_go_on_with_the_new_version(
    registry: Registry,
    make: Maker,
    family: dict[str, Any],
    propagation: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, addendum, folder = (family[each] for each in ("base", "addendum", "folder"))
    second = revised(family["first"], title=TITLE)
    monkeypatch.setattr(registry.units, "_clock", lambda: datetime(2033, 4, 5, tzinfo=UTC))
    sent = request(make, second, propagation=propagation)
    update(registry, sent)
    links = registry.associations(second.entry_uuid)
    assert ends(links) == {
        (urns.HAS_MEMBER, sent.submission_set.entry_uuid, second.entry_uuid),
        (urns.HAS_MEMBER, folder.entry_uuid, second.entry_uuid),
        (urns.XFRM, second.entry_uuid, base.entry_uuid),
        (urns.SIGNS, addendum.entry_uuid, second.entry_uuid),
    }
    by_type = {each.association_type: each for each in links}
    assert by_type[urns.XFRM].documentation == samples.CORRECTED
    for each in links:
        assert (each.status, each.version) == (urns.APPROVED, "1")
        assert each.logical_id == each.entry_uuid
    (filing,) = (each for each in links if each.source_object == folder.entry_uuid)
    (named,) = registry.associations(filing.entry_uuid)
    assert named.source_object == sent.submission_set.entry_uuid
    assert registry.folder(folder.entry_uuid).last_update_time == DTM("20330405000000")
    # those of the earlier version stay as they are
    assert len(registry.associations(family["first"].entry_uuid)) == 4
    slot = single("$XDSDocumentEntryEntryUUID", second.entry_uuid)
    types = many("$AssociationTypes", sorted(urns.RELATIONSHIPS))
    related = registry.ids(queries.GET_RELATED_DOCUMENTS, slot, types)
    assert {base.entry_uuid, addendum.entry_uuid, second.entry_uuid} < set(related)
    assert family["first"].entry_uuid not in related


@pytest.mark.proves("LC-057")
def test_nothing_goes_on_without_propagation(
    registry: Registry, make: Maker, family: dict[str, Any]
) -> None:
    second = revised(family["first"])
    link = samples.association(urns.SIGNS, family["addendum"], second)
    sent = request(make, second, propagation="no", links=[link])
    update(registry, sent)
    assert ends(registry.associations(second.entry_uuid)) == {
        (urns.HAS_MEMBER, sent.submission_set.entry_uuid, second.entry_uuid),
        (urns.SIGNS, family["addendum"].entry_uuid, second.entry_uuid),
    }


@pytest.mark.proves("LC-056")
def test_deprecated_associations_stay_behind(
    registry: Registry, make: Maker, family: dict[str, Any]
) -> None:
    (signed,) = (
        each
        for each in registry.associations(family["first"].entry_uuid)
        if each.association_type == urns.SIGNS
    )
    update(registry, request(make, statuses=[(signed, "Approved", "Deprecated")]))
    second = revised(family["first"])
    update(registry, request(make, second))
    types = {each.association_type for each in registry.associations(second.entry_uuid)}
    assert types == {urns.HAS_MEMBER, urns.XFRM}


@pytest.mark.proves("LC-056")
def test_two_ends_of_an_association_may_move_at_once(
    registry: Registry, make: Maker, family: dict[str, Any]
) -> None:
    news = [revised(family["first"]), revised(family["addendum"]), revised(family["folder"])]
    update(registry, request(make, *news))
    entry, addendum, folder = (each.entry_uuid for each in news)
    links = [
        each
        for each in registry.associations(entry, addendum, folder)
        if each.association_type == urns.SIGNS or each.source_object == folder
    ]
    assert ends(links) == {
        (urns.SIGNS, addendum, entry), (urns.HAS_MEMBER, folder, entry)
    }  # fmt: skip
    # a further version takes no association with an earlier version of something else along
    third = revised(news[0])
    update(registry, request(make, third, previous=2))
    signs = [e for e in registry.associations(third.entry_uuid) if e.association_type == urns.SIGNS]
    assert [each.source_object for each in signs] == [addendum]


@pytest.mark.proves("LC-058")
def test_propagation_and_submission_exclude_each_other(
    registry: Registry, make: Maker, family: dict[str, Any]
) -> None:
    second = revised(family["first"])
    link = samples.association(urns.APND, family["addendum"], second)
    assert (OPERATION, "LC-058") in refused(registry, make, request(make, second, links=[link]))


@pytest.mark.proves("LC-059", "LC-078", "LC-093", "REG-080")
def test_the_patient_changes_unless_patients_would_mix(
    registry: Registry, make: Maker, family: dict[str, Any]
) -> None:
    other = Maker(samples.new_patient())
    registry.register(other.submission())
    moved = {"patient_id": other.patient}
    second, folder = revised(family["first"], **moved), revised(family["folder"], **moved)
    answer = refused(registry, make, request(make, second))
    assert answer == [(RECONCILIATION, "LC-059")] * 3
    answer = refused(registry, make, request(make, folder))
    assert answer == [(RECONCILIATION, "LC-078")]
    unknown = revised(family["first"], patient_id=samples.new_patient())
    answer = refused(registry, make, request(make, unknown, propagation="no"), Domain(admits=False))
    assert answer == [("XDSUnknownPatientId", "REG-080")]
    update(registry, request(make, second, propagation="no"))
    assert found(registry, other.patient)[-1] == second.entry_uuid
    assert registry.entry(second.entry_uuid).patient_id == other.patient
    assert registry.entry(family["first"].entry_uuid).patient_id == make.patient


@pytest.mark.proves("SQ-060", "LC-059")
def test_versions_of_two_patients_are_not_shown_together(registry: Registry, make: Maker) -> None:
    first, other = stored(registry, make), Maker(samples.new_patient())
    update(registry, request(other, revised(first, patient_id=other.patient)))
    slot = single("$XDSDocumentEntryLogicalID", first.entry_uuid)
    assert len(registry.ids(queries.GET_DOCUMENTS, slot)) == 1
    assert len(registry.ask(queries.GET_DOCUMENTS, slot, LEVEL_2, returns="ObjectRef").objects) == 2
    with pytest.raises(Exception, match="several patients"):
        registry.ask(queries.GET_DOCUMENTS, slot, LEVEL_2)


@pytest.mark.proves("SEC-T-051", "LC-056")
def test_propagation_is_bounded(registry: Registry, make: Maker) -> None:
    folder, entries = make.folder(), [make.entry() for _ in range(4)]
    registry.register(
        make.submission(entries, folders=[folder], filed=[(folder, each) for each in entries])
    )
    sent = request(make, revised(folder))
    answer = refused(registry, make, sent, Domain(admits=True, objects=7))
    assert answer == [(METADATA, "SEC-T-051")]
    # so is what a submitted replacement takes into Folders
    new, many_ = stored(registry, make), [make.folder() for _ in range(4)]
    filed = [(each, entries[0].entry_uuid) for each in many_]
    registry.register(make.submission([make.entry()], folders=many_, filed=filed))
    sent = request(make, links=[samples.association(urns.RPLC, new, entries[0])])
    answer = refused(registry, make, sent, Domain(admits=True, objects=9))
    assert answer == [(METADATA, "SEC-T-051")]


# status


@pytest.mark.proves("LC-041", "LC-043", "LC-070", "SQ-193", "SQ-191")
def test_a_status_changes_without_a_new_version(registry: Registry, make: Maker) -> None:
    entry, folder = make.entry(), make.folder()
    registry.register(make.submission([entry], folders=[folder]))
    changed = [(entry, "Approved", "Deprecated"), (folder, "Approved", "Deprecated")]
    update(registry, request(make, statuses=changed))
    back = registry.entry(entry.entry_uuid)
    assert (back.status, back.version) == (urns.DEPRECATED, "1")
    # Deprecated documents are found by those who ask, Deprecated folders on level 2 alone
    assert found(registry, make.patient) == []
    assert found(registry, make.patient, urns.DEPRECATED) == [entry.entry_uuid]
    slot = single("$XDSFolderEntryUUID", folder.entry_uuid)
    assert registry.ids(queries.GET_FOLDERS, slot) == []
    assert registry.folder(folder.entry_uuid).status == urns.DEPRECATED
    patient = single("$XDSFolderPatientId", str(make.patient))
    statuses = many("$XDSFolderStatus", [urns.DEPRECATED])
    assert registry.ids(queries.FIND_FOLDERS, patient, statuses) == []
    assert registry.ids(queries.FIND_FOLDERS, patient, statuses, LEVEL_2) == [folder.entry_uuid]
    back_again = [(entry, "Deprecated", "Approved"), (folder, "Deprecated", "Approved")]
    update(registry, request(make, statuses=back_again))
    assert found(registry, make.patient) == [entry.entry_uuid]
    assert registry.ids(queries.GET_FOLDERS, slot) == [folder.entry_uuid]


@pytest.mark.proves("LC-044", "LC-071", "SQ-191", "SQ-195", "SQ-192", "MD-156")
def test_the_status_of_an_association_changes(
    registry: Registry, make: Maker, family: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = family["first"], family["folder"]
    links = registry.associations(first.entry_uuid)
    (filing,) = (each for each in links if each.source_object == folder.entry_uuid)
    (signed,) = (each for each in links if each.association_type == urns.SIGNS)
    monkeypatch.setattr(registry.units, "_clock", lambda: datetime(2033, 4, 5, tzinfo=UTC))
    changed = [(filing, "Approved", "Deprecated"), (signed, "Approved", "Deprecated")]
    update(registry, request(make, statuses=changed))
    assert registry.folder(folder.entry_uuid).last_update_time == DTM("20330405000000")
    hidden = {filing.entry_uuid, signed.entry_uuid}
    both = many("$XDSAssociationStatus", [urns.APPROVED, urns.DEPRECATED])
    only = many("$XDSAssociationStatus", [urns.DEPRECATED])
    uuid = single("$uuid", first.entry_uuid)
    entry = single("$XDSDocumentEntryEntryUUID", first.entry_uuid)
    asked = {
        queries.GET_ASSOCIATIONS: (uuid,),
        queries.GET_DOCUMENTS_AND_ASSOCIATIONS: (entry,),
        queries.GET_RELATED_DOCUMENTS: (
            entry, many("$AssociationTypes", sorted(urns.RELATIONSHIPS))
        ),
    }  # fmt: skip
    for query, slots in asked.items():
        own = hidden - ({filing.entry_uuid} if query is queries.GET_RELATED_DOCUMENTS else set())
        for more, expected in (
            ((), set()), ((both,), set()), ((only,), set()), ((LEVEL_2,), set()),
            ((LEVEL_2, both), own), ((LEVEL_2, only), own),
        ):  # fmt: skip
            assert hidden & set(registry.ids(query, *slots, *more)) == expected
    slot = single("$XDSFolderEntryUUID", folder.entry_uuid)
    assert registry.ids(queries.GET_FOLDER_AND_CONTENTS, slot) == [folder.entry_uuid]
    contents = registry.ids(queries.GET_FOLDER_AND_CONTENTS, slot, LEVEL_2, both)
    assert set(contents) == {folder.entry_uuid, first.entry_uuid, filing.entry_uuid}
    assert registry.ids(queries.GET_FOLDERS_FOR_DOCUMENT, entry) == []
    held = registry.ids(queries.GET_FOLDERS_FOR_DOCUMENT, entry, LEVEL_2, both)
    assert held == [folder.entry_uuid]


@pytest.mark.proves("LC-027", "LC-028")
def test_a_status_may_follow_a_new_version(registry: Registry, make: Maker) -> None:
    for named in ("new", "old"):
        first = stored(registry, make)
        second = revised(first)
        target = second if named == "new" else first
        again = request(make, second, statuses=[(target, "Deprecated", "Approved")])
        assert refused(registry, make, again) == [(UPDATE, "LC-028")]
        update(registry, request(make, second, statuses=[(target, "Approved", "Deprecated")]))
        assert registry.entry(second.entry_uuid).status == urns.DEPRECATED
        assert registry.entry(second.entry_uuid).version == "2"
        assert registry.entry(first.entry_uuid).status == urns.DEPRECATED


STATUSES: list[tuple[str, tuple[str, str], dict[str, Any], list[tuple[str, str]]]] = [
    ("is not", ("Deprecated", "Approved"), {}, [(UPDATE, "LC-067")]),
    ("same", ("Approved", "Approved"), {}, [(OPERATION, "LC-066")]),
    ("no URN", ("Approved", "Submitted"), {}, [(OPERATION, "LC-066")]),
    ("no original", ("", "Deprecated"), {"original_status": None},
        [(OPERATION, "LC-066"), (UPDATE, "LC-067")]),
    ("no new", ("Approved", ""), {"new_status": None}, [(OPERATION, "LC-066")]),
    ("other slot", ("Approved", "Deprecated"), {"previous_version": "1"}, [(OPERATION, "LC-066")]),
    ("extra slot", ("Approved", "Deprecated"), {"extra": (Slot("urn:x:y", ("1",)),)},
        [(OPERATION, "LC-066")]),
    ("no such object", ("Approved", "Deprecated"), {"target_object": samples.new_uuid()},
        [("UnresolvedReferenceException", "LC-069")]),
    ("symbolic target", ("Approved", "Deprecated"), {"target_object": "Document01"},
        [("UnresolvedReferenceException", "LC-069")]),
    ("other source", ("Approved", "Deprecated"), {"source_object": samples.new_uuid()},
        [(UPDATE, "LC-065")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statuses", "changes", "expected"),
    [row[1:] for row in STATUSES],
    ids=[row[0] for row in STATUSES],
)
@pytest.mark.proves("LC-006", "LC-065", "LC-066", "LC-067", "LC-069")
def test_a_status_is_refused(
    registry: Registry,
    make: Maker,
    statuses: tuple[str, str],
    changes: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    entry = stored(registry, make)
    sent = request(make)
    link = replace(status(sent.submission_set, entry, *statuses), **changes)
    assert refused(registry, make, replace(sent, associations=(link,))) == expected


@pytest.mark.proves("LC-029", "LC-068", "LC-071", "LC-091")
def test_what_has_no_status_to_change(registry: Registry, make: Maker) -> None:
    sent = make.submission()
    registry.register(sent)
    (first,), down = sent.entries, ("Approved", "Deprecated")
    for target, rule in ((sent.submission_set, "LC-029"), (sent.associations[0], "LC-071")):
        answer = refused(registry, make, request(make, statuses=[(target, *down)]))
        assert answer == [(UPDATE, rule)]
    own = request(make)
    link = status(own.submission_set, own.submission_set, *down)
    assert refused(registry, make, replace(own, associations=(link,))) == [(UPDATE, "LC-029")]
    twice = request(make, statuses=[(first, *down), (first, *down)])
    assert refused(registry, make, twice) == [(OPERATION, "LC-091")]
    update(registry, request(make, revised(first)))
    old = request(make, statuses=[(first, "Deprecated", "Approved")])
    assert refused(registry, make, old) == [(UPDATE, "LC-068")]


@pytest.mark.proves("LC-072")
def test_what_was_replaced_rests_where_the_domain_says_so(registry: Registry, make: Maker) -> None:
    old, new = stored(registry, make), make.entry()
    link = samples.association(urns.RPLC, new, old)
    registry.register(make.submission([new], associations=[link]))
    sent = request(make, statuses=[(old, "Deprecated", "Approved")])
    strict = Domain(admits=True, reapproves=False)
    assert refused(registry, make, sent, strict) == [(UPDATE, "LC-072")]
    update(registry, sent)
    assert registry.status(old.entry_uuid) == urns.APPROVED
    # what was deprecated by hand is free
    other = stored(registry, make)
    update(registry, request(make, statuses=[(other, "Approved", "Deprecated")]), strict)
    update(registry, request(make, statuses=[(other, "Deprecated", "Approved")]), strict)
    assert registry.status(other.entry_uuid) == urns.APPROVED


# submitted associations


@pytest.mark.proves("LC-045", "LC-080", "LC-081", "LC-084", "REG-113", "REG-101", "REG-053")
def test_an_association_is_submitted_with_its_effects(
    registry: Registry, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, signature = (stored(registry, make) for _ in range(3))
    folder, addendum = make.folder(), make.entry()
    link = samples.association(urns.APND, addendum, old)
    registry.register(make.submission([addendum], folders=[folder], associations=[link]))
    monkeypatch.setattr(registry.units, "_clock", lambda: datetime(2033, 4, 5, tzinfo=UTC))
    sent = request(
        make,
        links=[
            samples.association(urns.RPLC, new, old, documentation=samples.CORRECTED),
            samples.association(urns.SIGNS, signature, new, entry_uuid="symbolic"),
            samples.has_member(folder.entry_uuid, new.entry_uuid),
        ],
    )
    update(registry, sent)
    statuses = [registry.status(each.entry_uuid) for each in (old, addendum, new, signature)]
    assert statuses == [urns.DEPRECATED] * 2 + [urns.APPROVED] * 2
    links = registry.associations(new.entry_uuid)
    assert ends(links) >= {
        (urns.RPLC, new.entry_uuid, old.entry_uuid),
        (urns.SIGNS, signature.entry_uuid, new.entry_uuid),
        (urns.HAS_MEMBER, folder.entry_uuid, new.entry_uuid),
    }
    (filing,) = (each for each in links if each.source_object == folder.entry_uuid)
    (named,) = registry.associations(filing.entry_uuid)
    assert named.source_object == sent.submission_set.entry_uuid
    assert registry.folder(folder.entry_uuid).last_update_time == DTM("20330405000000")
    # what only says what is to be done is no object
    own = registry.associations(sent.submission_set.entry_uuid)
    assert {each.association_type for each in own} == {urns.HAS_MEMBER}


@pytest.mark.proves("LC-045", "MD-170")
def test_a_filing_is_named_once(registry: Registry, make: Maker) -> None:
    folder, entry = make.folder(), make.entry()
    registry.register(make.submission([entry], folders=[folder]))
    filing = samples.has_member(folder.entry_uuid, entry.entry_uuid)
    sent = request(make, links=[filing])
    named = samples.has_member(sent.submission_set, filing)
    update(registry, replace(sent, associations=(*sent.associations, named)))
    (found_,) = registry.associations(filing.entry_uuid)
    assert found_.entry_uuid == named.entry_uuid


@pytest.mark.proves("LC-030", "MD-170")
def test_only_a_filing_is_named_and_by_a_plain_membership(registry: Registry, make: Maker) -> None:
    folder, entry, other = make.folder(), make.entry(), make.entry()
    registry.register(make.submission([entry, other], folders=[folder]))
    for link, slots, count in (
        (samples.association(urns.APND, entry, other), {}, 1),
        (samples.has_member(folder, entry), {"previous_version": "1"}, 1),
        (samples.has_member(folder, entry), {}, 2),
    ):
        sent = request(make, links=[link])
        named = [samples.has_member(sent.submission_set, link, **slots) for _ in range(count)]
        sent = replace(sent, associations=(*sent.associations, *named))
        assert refused(registry, make, sent) == [(OPERATION, "LC-030")] * count


@pytest.mark.proves("LC-030", "LC-080", "LC-081", "LC-082", "LC-083", "LC-085", "LC-006")
def test_an_association_is_refused(registry: Registry, make: Maker, family: dict[str, Any]) -> None:
    base, first, addendum, folder = (
        family[each].entry_uuid for each in ("base", "first", "addendum", "folder")
    )
    other = Maker(samples.new_patient())
    foreign = stored(registry, other)
    gone = stored(registry, make)
    update(registry, request(make, statuses=[(gone, "Approved", "Deprecated")]))
    offer = make.on_demand()
    registry.register(make.submission([offer]), by=iti61.register)
    brought = make.submission()
    registry.register(brought)
    own = brought.submission_set.entry_uuid
    link = samples.association
    cases: list[tuple[Association, list[tuple[str, str]]]] = [
        (link(urns.APND, addendum, samples.new_uuid()), [(UPDATE, "LC-080")]),
        (link(urns.APND, "symbolic", base), [(UPDATE, "LC-080")]),
        (link(urns.APND, addendum, gone), [(UPDATE, "LC-080")]),
        (link(urns.APND, own, base), [(UPDATE, "LC-080"), (UPDATE, "LC-081")]),
        (link(urns.HAS_MEMBER, own, base), [(UPDATE, "LC-080"), (UPDATE, "LC-081")]),
        (link(urns.HAS_MEMBER, base, first), [(UPDATE, "LC-081")]),
        (link(urns.APND, folder, first), [(UPDATE, "LC-081")]),
        (link(urns.APND, first, first), [(UPDATE, "LC-081")]),
        (link(urns.SIGNS, addendum, first), [(UPDATE, "LC-082")]),
        (link(urns.HAS_MEMBER, folder, first), [(UPDATE, "LC-082")]),
        (link(urns.APND, addendum, foreign), [(RECONCILIATION, "LC-083")]),
        (link(urns.APND, addendum, first), [(UPDATE, "REG-118")]),
        (link(urns.IS_SNAPSHOT_OF, offer, base), [(UPDATE, "REG-116")]),
        (link("urn:example:other", addendum, base), [(OPERATION, "LC-030")]),
        (
            link(urns.APND, addendum, base, logical_id=samples.new_uuid()),
            [(UPDATE, "LC-085")],
        ),
        (link(urns.APND, addendum, base, new_status="x"), [(OPERATION, "LC-030")]),
    ]
    for one, expected in cases:
        assert refused(registry, make, request(make, links=[one])) == expected, one
    twice = [link(urns.APND, addendum, base) for _ in range(2)]
    assert refused(registry, make, request(make, links=twice)) == [(UPDATE, "LC-082")]
    # one that nobody asks to submit, and a submission of nothing
    lone = request(make)
    one = link(urns.APND, addendum, base)
    assert refused(registry, make, replace(lone, associations=(one,))) == [(OPERATION, "LC-030")]
    nothing = link(urns.SUBMIT_ASSOCIATION, lone.submission_set, one)
    assert refused(registry, make, replace(lone, associations=(nothing,))) == [(UPDATE, "LC-080")]
    elsewhere = replace(nothing, source_object=own)
    answer = refused(registry, make, replace(lone, associations=(elsewhere, one)))
    assert set(answer) == {(UPDATE, "LC-065"), (OPERATION, "LC-030")}


@pytest.mark.proves("LC-080")
def test_an_association_does_not_lead_to_what_the_request_supersedes(
    registry: Registry, make: Maker
) -> None:
    first, other = stored(registry, make), stored(registry, make)
    second = revised(first)
    link = samples.association(urns.APND, other, first)
    sent = request(make, second, propagation="no", links=[link])
    assert refused(registry, make, sent) == [(UPDATE, "LC-080")]
    replacing = samples.association(urns.RPLC, other, second)
    sent = request(make, second, propagation="no", links=[replacing])
    assert refused(registry, make, sent) == [(UPDATE, "LC-080")]


@pytest.mark.proves("LC-080", "LC-084")
def test_what_the_request_replaces_gets_no_association(registry: Registry, make: Maker) -> None:
    one, other, folder = make.entry(), make.entry(), make.folder()
    registry.register(make.submission([one, other], folders=[folder]))
    replacing = samples.association(urns.RPLC, one, other)
    for link in (
        samples.association(urns.RPLC, other, one),
        samples.has_member(folder, other),
        samples.association(urns.APND, other, one),
    ):
        answer = refused(registry, make, request(make, links=[replacing, link]))
        assert set(answer) == {(UPDATE, "LC-080")}
    assert registry.status(other.entry_uuid) == urns.APPROVED


@pytest.mark.proves("LC-082", "LC-084", "REG-114")
def test_a_replacement_stays_in_its_folder_once(registry: Registry, make: Maker) -> None:
    folder, one, other = make.folder(), make.entry(), make.entry()
    filed = [(folder, one), (folder, other)]
    registry.register(make.submission([one, other], folders=[folder], filed=filed))
    update(registry, request(make, links=[samples.association(urns.RPLC, one, other)]))
    links = registry.associations(one.entry_uuid)
    assert sum(each.source_object == folder.entry_uuid for each in links) == 1


def test_a_folder_does_not_stand_for_an_entry(registry: Registry, make: Maker) -> None:
    entry = stored(registry, make)
    folder = replace(make.folder(unique_id=OID("2.25.5")), logical_id=entry.entry_uuid)
    sent = request(make, replace(folder, entry_uuid=samples.new_uuid()))
    assert isinstance(sent.folders[0], Folder)
    assert refused(registry, make, sent) == [(VERSION, "LC-024")]
