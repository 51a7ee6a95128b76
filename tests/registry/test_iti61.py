"""ITI-61 on both databases: On-Demand entries, and what they may be related to."""

from typing import Any

import pytest

from registry import iti61
from tests import samples
from tests.registry.conftest import Maker, Registry
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import DTM, SHA1, Size
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

BOTH = many("$XDSDocumentEntryType", [urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT])
METADATA = "XDSRegistryMetadataError"


def offered(registry: Registry, make: Maker, **changes: Any) -> DocumentEntry:
    """An On-Demand entry in the registry."""
    entry = make.on_demand(**changes)
    registry.register(make.submission([entry]), by=iti61.register)
    return entry


@pytest.mark.proves("LC-140", "LC-144", "LC-148", "SQ-055", "SQ-033")
def test_an_on_demand_entry_is_found_when_asked_for(registry: Registry, make: Maker) -> None:
    entry = offered(registry, make, service_stop_time=None)
    back = registry.entry(entry.entry_uuid)
    assert (back.object_type, back.status) == (urns.ON_DEMAND_DOCUMENT, urns.APPROVED)
    assert (back.creation_time, back.hash, back.size) == (None, None, None)
    patient = single("$XDSDocumentEntryPatientId", str(make.patient))
    status = many("$XDSDocumentEntryStatus", [urns.APPROVED])
    assert registry.ids(queries.FIND_DOCUMENTS, patient, status) == []
    assert registry.ids(queries.FIND_DOCUMENTS, patient, status, BOTH) == [entry.entry_uuid]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"creation_time": DTM("2024")}, [(METADATA, "MD-108")], id="creationTime"),
        pytest.param({"hash": SHA1("0" * 40)}, [(METADATA, "MD-112")], id="hash"),
        pytest.param({"size": Size("7")}, [(METADATA, "MD-126")], id="size"),
        pytest.param({"repository_unique_id": None}, [(METADATA, "REG-070")], id="repository"),
        pytest.param({"class_code": None}, [(METADATA, "REG-070")], id="classCode"),
    ],
)
@pytest.mark.proves("LC-142", "LC-143", "LC-147", "LC-006")
def test_its_attributes_are_checked(
    registry: Registry, make: Maker, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    sent = make.submission([make.on_demand(**changes)])
    assert registry.refused(sent, by=iti61.register) == expected
    assert registry.everything(make.patient) == []


@pytest.mark.proves("LC-140", "LC-141", "REG-058")
def test_stable_entries_come_by_another_transaction(registry: Registry, make: Maker) -> None:
    mixed = make.submission([make.on_demand(), make.entry()])
    assert ("XDSRegistryMetadataError", "LC-140") in registry.refused(mixed, by=iti61.register)
    none = make.submission(folders=[make.folder()])
    assert registry.refused(none, by=iti61.register) == [(METADATA, "LC-140")]
    other = make.submission([make.on_demand()])
    assert (METADATA, "REG-058") in registry.refused(other)
    assert registry.everything(make.patient) == []


@pytest.mark.proves("LC-145", "LC-146", "MD-135", "REG-097")
def test_its_unique_id_may_be_that_of_other_on_demand_entries(
    registry: Registry, make: Maker
) -> None:
    stable = make.entry()
    registry.register(make.submission([stable]))
    again = make.submission([make.on_demand(unique_id=stable.unique_id)])
    assert registry.refused(again, by=iti61.register) == [(METADATA, "LC-145")]
    first = offered(registry, make)
    second = offered(registry, make, unique_id=first.unique_id)
    slot = single("$XDSDocumentEntryUniqueId", str(first.unique_id))
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [first.entry_uuid, second.entry_uuid]
    late = make.submission([make.entry(unique_id=first.unique_id)])
    assert registry.refused(late) == [(METADATA, "REG-097")]


@pytest.mark.proves("LC-141", "LC-148")
def test_it_may_replace_and_be_filed(registry: Registry, make: Maker) -> None:
    stable, folder = make.entry(), make.folder()
    registry.register(make.submission([stable], folders=[folder], filed=[(folder, stable)]))
    first, second = make.on_demand(), make.on_demand()
    for new, old in ((first, stable), (second, first)):
        link = samples.association(urns.RPLC, new, old)
        registry.register(make.submission([new], associations=[link]), by=iti61.register)
        assert registry.status(old.entry_uuid) == urns.DEPRECATED
    assert registry.status(second.entry_uuid) == urns.APPROVED
    found = registry.ids(
        queries.GET_FOLDER_AND_CONTENTS, single("$XDSFolderEntryUUID", folder.entry_uuid), BOTH
    )
    assert {stable.entry_uuid, first.entry_uuid, second.entry_uuid} < set(found)


@pytest.mark.proves("REG-111", "REG-112", "REG-116", "LC-141")
def test_a_snapshot_is_a_stable_entry_of_an_on_demand_one(registry: Registry, make: Maker) -> None:
    offer, stable = offered(registry, make), make.entry()
    link = samples.association(urns.IS_SNAPSHOT_OF, stable, offer)
    registry.register(make.submission([stable], associations=[link]))
    types = many("$AssociationTypes", [urns.IS_SNAPSHOT_OF])
    found = registry.ids(
        queries.GET_RELATED_DOCUMENTS,
        single("$XDSDocumentEntryEntryUUID", offer.entry_uuid), types, BOTH,
    )  # fmt: skip
    assert set(found) == {offer.entry_uuid, stable.entry_uuid, link.entry_uuid}
    wrong = make.on_demand()
    link = samples.association(urns.IS_SNAPSHOT_OF, wrong, offer)
    sent = make.submission([wrong], associations=[link])
    assert registry.refused(sent, by=iti61.register) == [(METADATA, "REG-116")]
    other = make.entry()
    link = samples.association(urns.IS_SNAPSHOT_OF, other, stable)
    assert registry.refused(make.submission([other], associations=[link])) == [
        (METADATA, "REG-116")
    ]
