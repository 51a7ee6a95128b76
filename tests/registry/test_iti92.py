"""ITI-92 on both databases: what a restricted update changes, and what it does not."""

from dataclasses import replace
from typing import Any

import pytest

from registry import iti57, iti92
from tests import samples
from tests.registry.conftest import LEVEL_2, Maker, Registry
from tests.registry.updates import request, revised, status
from xdsi.model.messages import Submission
from xdsi.model.objects import DocumentEntry, InternationalString, Slot
from xdsi.model.values import (
    CX,
    DTM,
    OID,
    SHA1,
    XCN,
    Availability,
    CXi,
    Field,
    Identifier,
    Language,
    Size,
)
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

METADATA = "XDSRegistryMetadataError"
UNMODIFIABLE = "UnmodifiableMetadataError"
INVALID = "XDSInvalidRequestException"
ANNOTATION = "XDSMetadataAnnotationError"
UPDATE = "XDSMetadataUpdateError"
RECONCILIATION = "XDSPatientIDReconciliationError"


def stored(registry: Registry, make: Maker, **changes: Any) -> DocumentEntry:
    entry = make.entry(**changes)
    registry.register(make.submission([entry]))
    return entry


def update(registry: Registry, sent: Submission) -> None:
    assert registry.register(sent, by=iti92.update).errors == ()


def refused(registry: Registry, make: Maker, sent: Submission) -> list[tuple[str, str]]:
    """(code, rule) of the findings; nothing has changed."""
    before = registry.history(make.patient)
    found = registry.refused(sent, by=iti92.update)
    assert registry.history(make.patient) == before
    return found


MODIFIABLE: dict[str, dict[str, Any]] = {
    "author": {"authors": (samples.Author(persons=(XCN("^Somebody"),)),)},
    "classCode": {"class_code": samples.IMAGES},
    "comments": {"comments": InternationalString.of("new", "en")},
    "confidentialityCode": {"confidentiality_codes": (samples.RESTRICTED,)},
    "creationTime": {"creation_time": DTM("2023")},
    "eventCodeList": {"event_codes": (samples.MR,)},
    "extra": {"extra": (Slot("urn:example:extra", ("1",)),)},
    "formatCode": {"format_code": samples.REPORT},
    "hash and size": {"hash": SHA1("a" * 40), "size": Size("7")},
    "healthcareFacilityTypeCode": {"healthcare_facility_type_code": samples.RADIOLOGY},
    "languageCode": {"language_code": Language("fr")},
    "legalAuthenticator": {"legal_authenticator": XCN("^Somebody")},
    "mimeType": {"mime_type": "application/pdf"},
    "practiceSettingCode": {"practice_setting_code": samples.HOSPITAL},
    "referenceIdList": {"reference_ids": (CXi("1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),)},
    "service times": {"service_start_time": None, "service_stop_time": DTM("2025")},
    "sourcePatientInfo": {"source_patient_info": (Field("PID-5|Other^Name"),)},
    "title": {"title": InternationalString.of("new", "en")},
    "typeCode": {"type_code": samples.STUDY},
    "URI": {"uri": ("other.txt",)},
}


@pytest.mark.parametrize("changes", MODIFIABLE.values(), ids=list(MODIFIABLE))
@pytest.mark.proves("LC-108", "LC-113", "LC-005")
def test_an_attribute_is_modified(registry: Registry, make: Maker, changes: dict[str, Any]) -> None:
    first = stored(registry, make)
    second = revised(first, **changes)
    update(registry, request(make, second))
    own = {"status": urns.APPROVED, "version": "2"}
    assert registry.entry(second.entry_uuid) == replace(second, **own)
    assert registry.status(first.entry_uuid) == urns.DEPRECATED
    slot = single("$XDSDocumentEntryLogicalID", first.entry_uuid)
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [second.entry_uuid]


@pytest.mark.proves("LC-109")
def test_a_deprecated_entry_stays_deprecated(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    down = request(make, statuses=[(first, "Approved", "Deprecated")])
    registry.register(down, by=iti57.update)
    second = revised(first, title=None, status=urns.DEPRECATED)
    update(registry, request(make, second))
    back = registry.entry(second.entry_uuid)
    assert (back.status, back.version, back.title) == (urns.DEPRECATED, "2", None)
    patient = single("$XDSDocumentEntryPatientId", str(make.patient))
    for each, expected in ((urns.APPROVED, []), (urns.DEPRECATED, [second.entry_uuid])):
        statuses = many("$XDSDocumentEntryStatus", [each])
        assert registry.ids(queries.FIND_DOCUMENTS, patient, statuses) == expected
    third = revised(second, status=urns.APPROVED)
    assert refused(registry, make, request(make, third, previous=2)) == [(UNMODIFIABLE, "LC-106")]


@pytest.mark.proves("LC-115")
def test_associations_go_on(registry: Registry, make: Maker) -> None:
    folder, first = make.folder(), make.entry()
    registry.register(make.submission([first], folders=[folder], filed=[(folder, first)]))
    second = revised(first, title=None)
    update(registry, request(make, second))
    slot = single("$XDSDocumentEntryEntryUUID", second.entry_uuid)
    assert registry.ids(queries.GET_FOLDERS_FOR_DOCUMENT, slot) == [folder.entry_uuid]


OTHER_TYPE = {"object_type": urns.ON_DEMAND_DOCUMENT, "creation_time": None, "hash": None,
              "size": None}  # fmt: skip
CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ("no lid", {"logical_id": None}, {}, [(INVALID, "LC-101")]),
    ("symbolic lid", {"logical_id": "x"}, {}, [(INVALID, "LC-022")]),
    ("unknown lid", {"logical_id": samples.new_uuid()}, {},
        [("XDSMetadataVersionError", "LC-103")]),
    ("other version", {}, {"previous": 2}, [("XDSMetadataVersionError", "LC-103")]),
    ("no PreviousVersion", {}, {"previous": None}, [(ANNOTATION, "LC-102")]),
    ("uniqueId", {"unique_id": Identifier("2.25.9")}, {},
        [("XDSMetadataIdentifierError", "LC-104")]),
    ("objectType", OTHER_TYPE, {},
        [("XDSObjectTypeError", "LC-105"), (UNMODIFIABLE, "LC-105")]),
    ("availabilityStatus", {"status": urns.DEPRECATED}, {}, [(UNMODIFIABLE, "LC-106")]),
    ("documentAvailability", {"document_availability": Availability(urns.OFFLINE)}, {},
        [(UNMODIFIABLE, "LC-106")]),
    ("repositoryUniqueId", {"repository_unique_id": OID("1.2.3")}, {}, [(UNMODIFIABLE, "LC-106")]),
    ("sourcePatientId", {"source_patient_id": CX("9^^^&1.2.3&ISO")}, {},
        [(UNMODIFIABLE, "LC-106")]),
    ("patientId", {"patient_id": samples.new_patient()}, {}, [(RECONCILIATION, "LC-107")]),
    ("incomplete", {"class_code": None}, {}, [(METADATA, "REG-070")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "how", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
@pytest.mark.proves(
    *("LC-006", "LC-101", "LC-102", "LC-103", "LC-104", "LC-105", "LC-106", "LC-107", "LC-111"),
    *("LC-116",),
)
def test_an_update_is_refused(
    registry: Registry,
    make: Maker,
    changes: dict[str, Any],
    how: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    sent = request(make, replace(revised(stored(registry, make)), **changes), **how)
    assert refused(registry, make, sent) == expected


@pytest.mark.proves("LC-106")
def test_one_finding_lists_all_that_must_stay(registry: Registry, make: Maker) -> None:
    changes = {"repository_unique_id": OID("1.2.3"), "source_patient_id": CX("9^^^&1.2.3&ISO")}
    sent = request(make, revised(stored(registry, make), **changes))
    (error,) = registry.errors(sent, by=iti92.update)
    assert "repositoryUniqueId, sourcePatientId" in error.context


@pytest.mark.proves("LC-106")
def test_values_are_compared_as_they_are_meant(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    same = {"status": urns.APPROVED, "document_availability": Availability(urns.ONLINE)}
    update(registry, request(make, revised(first, **same)))


@pytest.mark.proves("LC-110")
def test_content_that_other_entries_share_stays(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    stored(registry, make, unique_id=first.unique_id)
    sent = request(make, revised(first, hash=SHA1("a" * 40)))
    assert refused(registry, make, sent) == [("LocalPolicyRestrictionError", "LC-110")]
    update(registry, request(make, revised(first, title=None)))


@pytest.mark.proves("LC-100", "LC-102", "LC-112")
def test_other_operations_are_refused(registry: Registry, make: Maker) -> None:
    first, folder = stored(registry, make), make.folder()
    registry.register(make.submission(folders=[folder]))
    new = revised(first)
    down = request(make, new, statuses=[(first, "Approved", "Deprecated")])
    assert refused(registry, make, down) == [(UNMODIFIABLE, "LC-100")]
    link = samples.association(urns.APND, stored(registry, make), first)
    answer = refused(registry, make, request(make, new, links=[link]))
    assert (UPDATE, "LC-100") in answer
    answer = refused(registry, make, request(make, revised(folder)))
    assert answer == [(UPDATE, "LC-100"), (INVALID, "LC-100")]
    alone = request(make)
    only = status(alone.submission_set, first, "Approved", "Deprecated")
    answer = refused(registry, make, replace(alone, associations=(only,)))
    assert set(answer) == {(UNMODIFIABLE, "LC-100"), (INVALID, "LC-100")}
    assert refused(registry, make, request(make)) == [(INVALID, "LC-100")]
    assert (INVALID, "LC-020") in refused(
        registry, make, replace(request(make, new), submission_sets=())
    )
    bare = replace(request(make, new), associations=())
    assert refused(registry, make, bare) == [(ANNOTATION, "LC-102")]
    twice = refused(registry, make, request(make, new, revised(first)))
    assert ("XDSMetadataUpdateOperationError", "LC-112") in twice


@pytest.mark.proves("LC-113", "LC-015")
def test_it_goes_on_where_the_other_update_ended(registry: Registry, make: Maker) -> None:
    first = stored(registry, make)
    second = revised(first)
    registry.register(request(make, second), by=iti57.update)
    third = revised(second, title=None)
    update(registry, request(make, third, previous=2))
    slot = single("$XDSDocumentEntryLogicalID", first.entry_uuid)
    found = registry.find(queries.GET_DOCUMENTS, slot, LEVEL_2)
    assert [each.version for each in found] == ["1", "2", "3"]
