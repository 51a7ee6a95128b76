"""ITI-51 on both databases: queries for several patients, and for none in particular."""

import pytest

from registry import iti18, iti51
from registry.iti18 import Policy
from tests import samples
from tests.registry.conftest import Maker, Registry
from tests.registry.test_iti18 import DE, coded, codes_of, refused
from xdsi.model.errors import XDSError
from xdsi.model.messages import QueryRequest
from xdsi.model.objects import Code, Slot
from xdsi.model.values import CXi
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, number, single

DOCUMENTS = queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS
FOLDERS = queries.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS
REFERENCES = queries.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS
STATUS = many(DE + "Status", [urns.APPROVED])
MISSING = "XDSStoredQueryMissingParam"


def own_code() -> Code:
    """A code that no other test knows."""
    return Code.of(samples.new_oid(), samples.new_oid(), "own")


@pytest.fixture
def makers() -> list[Maker]:
    return [Maker(samples.new_patient()) for _ in range(3)]


def patients(name: str, makers: list[Maker]) -> Slot:
    return many(name, [str(each.patient) for each in makers])


@pytest.mark.proves("SQ-094", "SQ-180", "SQ-183", "SQ-184")
def test_documents_of_several_patients(registry: Registry, makers: list[Maker]) -> None:
    event, facility, class_ = own_code(), own_code(), own_code()
    changes = ({"event_codes": (event,)}, {"healthcare_facility_type_code": facility},
               {"class_code": class_})  # fmt: skip
    entries = [one.entry(**each) for one, each in zip(makers, changes, strict=True)]
    for one, entry in zip(makers, entries, strict=True):
        registry.register(one.submission([entry]))

    def found(*slots: Slot) -> list[int]:
        ids = [each.entry_uuid for each in entries]
        return [ids.index(each) for each in registry.ids(DOCUMENTS, STATUS, *slots)]

    name = DE + "PatientId"
    assert found(patients(name, makers)) == [0, 1, 2]
    assert found(patients(name, makers[1:])) == [1, 2]
    assert found(single(name, str(makers[0].patient))) == [0]
    assert found(patients(name, [*makers[:1], Maker(samples.new_patient())])) == [0]
    # patients are not needed where a code says what is looked for
    assert found(coded(DE + "EventCodeList", event)) == [0]
    assert found(coded(DE + "HealthcareFacilityTypeCode", facility)) == [1]
    assert found(coded(DE + "ClassCode", class_)) == [2]
    assert found(patients(name, makers), coded(DE + "ClassCode", class_)) == [2]
    assert found(patients(name, makers), number(DE + "CreationTimeFrom", "2030")) == []


@pytest.mark.proves("SQ-095", "SQ-181", "SQ-184")
def test_folders_of_several_patients(registry: Registry, makers: list[Maker]) -> None:
    code = own_code()
    folders = [each.folder(codes=(code,)) for each in makers]
    for one, folder in zip(makers, folders, strict=True):
        registry.register(one.submission(folders=[folder]))
    ids = [each.entry_uuid for each in folders]
    status = many("$XDSFolderStatus", [urns.APPROVED])
    assert registry.ids(FOLDERS, status, patients("$XDSFolderPatientId", makers[:2])) == ids[:2]
    assert registry.ids(FOLDERS, status, coded("$XDSFolderCodeList", code)) == ids


@pytest.mark.proves("SQ-096")
def test_documents_of_several_patients_by_reference(
    registry: Registry, makers: list[Maker]
) -> None:
    study = f"{samples.new_oid()}^^^^{urns.STUDY_INSTANCE_UID}"
    entries = [each.entry(reference_ids=(CXi(study),)) for each in makers]
    for one, entry in zip(makers, entries, strict=True):
        registry.register(one.submission([entry]))
    slot = many(DE + "ReferenceIdList", [study])
    assert registry.ids(REFERENCES, STATUS, slot) == [each.entry_uuid for each in entries]
    assert codes_of(refused(registry, REFERENCES, STATUS)) == [
        (MISSING, "SQ-051"), (MISSING, "SQ-182")
    ]  # fmt: skip


@pytest.mark.proves("SQ-180", "SQ-181", "SQ-182", "SQ-051")
def test_something_must_be_given(sqlite_registry: Registry) -> None:
    times = number(DE + "CreationTimeFrom", "2024")
    type_ = coded(DE + "TypeCode", samples.STUDY)
    assert codes_of(refused(sqlite_registry, DOCUMENTS, STATUS, times, type_)) == [
        (MISSING, "SQ-182")
    ]
    status = many("$XDSFolderStatus", [urns.APPROVED])
    assert codes_of(refused(sqlite_registry, FOLDERS, status)) == [(MISSING, "SQ-182")]
    patient = single(DE + "PatientId", str(samples.PATIENT))
    assert codes_of(refused(sqlite_registry, DOCUMENTS, patient)) == [(MISSING, "SQ-051")]
    # one that cannot be read is no second finding
    broken = many(DE + "ClassCode", ["x"])
    assert codes_of(refused(sqlite_registry, DOCUMENTS, STATUS, broken)) == [
        ("XDSRegistryError", "SQ-027")
    ]


@pytest.mark.proves("SQ-058", "SQ-068")
def test_policies_hold_here_too(registry: Registry, makers: list[Maker]) -> None:
    for each in makers:
        registry.register(each.submission())
    slot = patients(DE + "PatientId", makers)
    (error,) = refused(registry, DOCUMENTS, STATUS, slot, policy=Policy(leafs=2))
    assert error.code == "XDSTooManyResults"
    nobody = patients(DE + "PatientId", [Maker(samples.new_patient())])
    assert registry.ids(DOCUMENTS, STATUS, nobody) == []
    policy = Policy(refuses_unknown_patient=True)
    (error,) = refused(registry, DOCUMENTS, STATUS, nobody, policy=policy)
    assert error.code == "XDSUnknownPatientId"


@pytest.mark.proves("SQ-097", "SQ-050")
def test_each_transaction_has_its_own_queries(sqlite_registry: Registry) -> None:
    own = sqlite_registry
    for find, known in (
        (iti18.find, queries.MULTI_PATIENT_QUERIES),
        (iti51.find, queries.STORED_QUERIES),
    ):
        for id_ in known:
            with pytest.raises(XDSError) as caught:
                find(QueryRequest(id_), own.call, own.units, own.codes, own.searches, Policy())
            assert caught.value.code == "XDSUnknownStoredQuery"
