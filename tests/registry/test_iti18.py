"""ITI-18 on both databases: what each parameter selects, and what a query answers with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from registry import iti57, iti92
from registry.iti18 import Policy
from registry.schema import PatientState, object_
from registry.schema import patient as patients
from tests import samples
from tests.registry.conftest import STATUSES, Maker, Registry, all_of, by_kind
from tests.registry.updates import request, revised
from xdsi import config
from xdsi.model.errors import XDSError, leaves
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    Fragment,
    InternationalString,
    ObjectRef,
    Slot,
    SubmissionSet,
)
from xdsi.model.values import CX, DTM, OID, XCN, XON, Availability, CXi, Identifier
from xdsi.standard import queries, urns
from xdsi.standard.queries import EVERY_QUERY, StoredQuery
from xdsi.wire.parameters import code, many, number, single

FIND = queries.FIND_DOCUMENTS
DE = "$XDSDocumentEntry"


def of(patient: CX, *slots: Slot, query: StoredQuery = FIND) -> tuple[Slot, ...]:
    """Arguments of a Find query for Approved objects of a patient."""
    names = [each.name for each in query.parameters]
    patient_name = next(each for each in names if each.endswith("PatientId"))
    status = next(each for each in names if each.endswith("Status"))
    return single(patient_name, str(patient)), many(status, [urns.APPROVED]), *slots


def coded(name: str, *codes: Code) -> Slot:
    return many(name, [code(each.code or "", each.scheme or "") for each in codes])


def refused(registry: Registry, query: StoredQuery, *slots: Slot, **how: Any) -> list[XDSError]:
    with pytest.raises((XDSError, ExceptionGroup)) as caught:
        registry.ask(query, *slots, **how)
    return list(leaves(caught.value))  # type: ignore[arg-type]


def codes_of(found: list[XDSError]) -> list[tuple[str, str]]:
    return [(each.code, each.rule) for each in found]


@pytest.fixture
def three(registry: Registry, make: Maker) -> list[DocumentEntry]:
    """Three entries that differ in whatever a query may ask for; the last one has no times."""
    entries = [
        make.entry(
            creation_time=DTM("20240301"),
            service_start_time=DTM("202403"),
            service_stop_time=DTM("2024030112"),
            authors=(
                Author(persons=(XCN("7^Example^Erika^^^Dr."),)),
                Author(persons=(XCN("9^Other"),)),
            ),
            confidentiality_codes=(samples.NORMAL, samples.RESTRICTED),
            event_codes=(samples.CT, samples.MR),
            reference_ids=(CXi("A_1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession"),),
        ),
        make.entry(
            creation_time=DTM("20240302"),
            service_start_time=DTM("20240315"),
            service_stop_time=DTM("20240316"),
            class_code=samples.IMAGES,
            type_code=samples.STUDY,
            practice_setting_code=samples.HOSPITAL,
            healthcare_facility_type_code=samples.RADIOLOGY,
            format_code=samples.REPORT,
            authors=(Author(persons=(XCN("8^example^Erika"),)),),
            confidentiality_codes=(samples.RESTRICTED,),
            event_codes=(samples.MR,),
            reference_ids=(
                CXi("AB1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession"),
                CXi("1.2.3.45^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
            ),
        ),
        make.entry(
            creation_time=DTM("2024"),
            service_start_time=None,
            service_stop_time=None,
            authors=(),
            event_codes=(),
        ),
    ]
    for each in entries:
        registry.register(make.submission([each]))
    return entries


# a Slot of FindDocuments -> positions in `three`
SELECTIONS: list[tuple[str, list[Slot], list[int]]] = [
    ("nothing more", [], [0, 1, 2]),
    ("class", [coded(DE + "ClassCode", samples.IMAGES)], [1]),
    ("class, either", [coded(DE + "ClassCode", samples.IMAGES, samples.REPORTS)], [0, 1, 2]),
    ("type", [coded(DE + "TypeCode", samples.STUDY)], [1]),
    ("practice setting", [coded(DE + "PracticeSettingCode", samples.HOSPITAL)], [1]),
    ("facility", [coded(DE + "HealthcareFacilityTypeCode", samples.RADIOLOGY)], [1]),
    ("format", [coded(DE + "FormatCode", samples.REPORT)], [1]),
    ("unknown code", [coded(DE + "ClassCode", Code.of("x", "1.2.3", ""))], []),
    ("known and unknown code", [
        coded(DE + "ClassCode", Code.of("x", "1", ""), samples.IMAGES)], [1]),
    ("code of another scheme", [many(DE + "ClassCode", ["IMAGES^^1.2.3"])], []),
    ("event", [coded(DE + "EventCodeList", samples.CT)], [0]),
    ("events, or", [coded(DE + "EventCodeList", samples.CT, samples.MR)], [0, 1]),
    ("events, and", [coded(DE + "EventCodeList", each) for each in (samples.CT, samples.MR)], [0]),
    ("events, or and", [
        coded(DE + "EventCodeList", samples.CT, samples.MR),
        coded(DE + "EventCodeList", samples.MR)], [0, 1]),
    ("confidentiality, and", [
        coded(DE + "ConfidentialityCode", samples.NORMAL),
        coded(DE + "ConfidentialityCode", samples.RESTRICTED)], [0]),
    ("confidentiality", [coded(DE + "ConfidentialityCode", samples.RESTRICTED)], [0, 1]),
    ("two parameters", [
        coded(DE + "EventCodeList", samples.MR), coded(DE + "ClassCode", samples.REPORTS)], [0]),
    ("list split over Values", [Slot(DE + "ClassCode", (
        f"('{samples.IMAGES.code}^^{samples.IMAGES.scheme}')",
        f"('{samples.REPORTS.code}^^{samples.REPORTS.scheme}')"))], [0, 1, 2]),
    ("many without parentheses", [Slot(DE + "ClassCode", (
        f"'{samples.IMAGES.code}^^{samples.IMAGES.scheme}'",))], [1]),
    # times: from <= value < to, the earliest instant on both sides
    ("created from", [number(DE + "CreationTimeFrom", "20240302")], [1]),
    ("created from, equal", [number(DE + "CreationTimeFrom", "20240301000000")], [0, 1]),
    ("created to, excluded", [number(DE + "CreationTimeTo", "20240302")], [0, 2]),
    ("created to, month", [number(DE + "CreationTimeTo", "202403")], [2]),
    ("created, quoted", [single(DE + "CreationTimeFrom", "20240302")], [1]),
    ("created between", [
        number(DE + "CreationTimeFrom", "20240101"),
        number(DE + "CreationTimeTo", "20240302")], [0, 2]),
    ("start from", [number(DE + "ServiceStartTimeFrom", "20240310")], [1, 2]),
    ("start to", [number(DE + "ServiceStartTimeTo", "20240310")], [0, 2]),
    ("stop from", [number(DE + "ServiceStopTimeFrom", "2024030113")], [1, 2]),
    ("stop to", [number(DE + "ServiceStopTimeTo", "2024030113")], [0, 2]),
    # patterns
    ("author", [many(DE + "AuthorPerson", ["%Example%"])], [0]),
    ("author, case", [many(DE + "AuthorPerson", ["%example%"])], [1]),
    ("author, second", [many(DE + "AuthorPerson", ["9^%"])], [0]),
    ("author, whole", [many(DE + "AuthorPerson", ["9^Other"])], [0]),
    ("author, part", [many(DE + "AuthorPerson", ["Other"])], []),
    ("author, or", [many(DE + "AuthorPerson", ["9^Other", "8%", "nobody"])], [0, 1]),
    ("author, one character", [many(DE + "AuthorPerson", ["_^example^Erika"])], [1]),
    ("author, backslash", [many(DE + "AuthorPerson", ["%\\%"])], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("slots", "expected"), [case[1:] for case in SELECTIONS], ids=[case[0] for case in SELECTIONS]
)
@pytest.mark.proves(
    *("SQ-022", "SQ-023", "SQ-025", "SQ-027", "SQ-029", "SQ-030", "SQ-031", "SQ-032", "SQ-034"),
    *("SQ-035", "SQ-037", "SQ-038", "SQ-039", "SQ-041", "SQ-080", "SQ-100", "SQ-101", "SQ-102"),
    *("SQ-103", "SQ-104", "SQ-105", "SQ-106", "SQ-107", "SQ-108", "SQ-109", "SQ-110", "SQ-111"),
    *("SQ-112", "SQ-074", "SQ-076"),
)
def test_find_documents_selects(
    registry: Registry,
    patient: CX,
    three: list[DocumentEntry],
    slots: list[Slot],
    expected: list[int],
) -> None:
    wanted = [three[position].entry_uuid for position in expected]
    assert registry.ids(FIND, *of(patient, *slots)) == wanted


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([["A_1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession"]], [0, 1], id="pattern"),
        pytest.param([["1.2.3.45^^^^urn:ihe:iti:xds:2016:studyInstanceUID"]], [1], id="study"),
        pytest.param([["%accession"]], [0, 1], id="any accession"),
        pytest.param([["1.2.3.45"]], [], id="not whole"),
        pytest.param([["%accession"], ["%studyInstanceUID"]], [1], id="and, other value"),
        pytest.param([["1.2.3.45%", "A_1%"]], [0, 1], id="or"),
    ],
)
@pytest.mark.proves("SQ-093", "SQ-170", "SQ-171", "SQ-172")
def test_find_documents_by_reference_id(
    registry: Registry,
    patient: CX,
    three: list[DocumentEntry],
    values: list[list[str]],
    expected: list[int],
) -> None:
    slots = [many(DE + "ReferenceIdList", each) for each in values]
    query = queries.FIND_DOCUMENTS_BY_REFERENCE_ID
    assert registry.ids(query, *of(patient, *slots)) == [three[at].entry_uuid for at in expected]


@pytest.mark.proves("SQ-038", "SEC-T-121")
def test_a_backslash_in_a_pattern_is_data(registry: Registry, make: Maker, patient: CX) -> None:
    names = ["^Back\\slash", "^Back%", "^Backslash"]
    for name in names:
        entry = make.entry(authors=(Author(persons=(XCN(name),)),))
        registry.register(make.submission([entry]))

    def found(pattern: str) -> int:
        return len(registry.ids(FIND, *of(patient, many(DE + "AuthorPerson", [pattern]))))

    assert found("%\\%") == 1
    assert found("^Back\\_lash") == 1
    assert found("^Back_slash") == 1
    assert found("^Back%") == 3


@pytest.mark.proves("SQ-039", "MD-101")
def test_texts_compare_in_composed_form(registry: Registry, make: Maker, patient: CX) -> None:
    composed, decomposed = "^M\u00fcller", "^Mu\u0308ller"
    for name in (composed, decomposed):
        entry = make.entry(authors=(Author(persons=(XCN(name),)),))
        registry.register(make.submission([entry]))
        assert registry.entry(entry.entry_uuid).authors[0].persons == (XCN(name),)
    for name in (composed, decomposed, "^M_ller"):
        found = registry.ids(FIND, *of(patient, many(DE + "AuthorPerson", [name])))
        assert len(found) == 2


@pytest.mark.proves("SQ-021", "SQ-042")
def test_a_quote_inside_a_text(registry: Registry, make: Maker, patient: CX) -> None:
    odd = Code.of("Children's", "1.2.3", "Children's")
    registry.register(make.submission([make.entry(class_code=odd)]))
    assert len(registry.ids(FIND, *of(patient, coded(DE + "ClassCode", odd)))) == 1
    bare = Slot(DE + "PatientId", (str(patient),))
    assert len(registry.ids(FIND, bare, *of(patient)[1:])) == 1


@pytest.mark.proves("SQ-054", "SQ-112")
def test_status_selects_and_unknown_values_are_ignored(
    registry: Registry, make: Maker, patient: CX
) -> None:
    old, new = make.entry(), make.entry()
    registry.register(make.submission([old]))
    link = samples.association(urns.RPLC, new, old)
    registry.register(make.submission([new], associations=[link]))

    def found(*statuses: str) -> list[str]:
        return registry.ids(FIND, of(patient)[0], many(DE + "Status", statuses))

    assert found(urns.APPROVED) == [new.entry_uuid]
    assert found(urns.DEPRECATED) == [old.entry_uuid]
    assert found(*STATUSES, "urn:example:other") == [old.entry_uuid, new.entry_uuid]
    errors = refused(registry, FIND, of(patient)[0], many(DE + "Status", ["Approved"]))
    assert codes_of(errors) == [("XDSStoredQueryMissingParam", "SQ-054")]


def make_on_demand(registry: Registry, entry: DocumentEntry) -> None:
    """As ITI-61 would have registered it."""
    change = update(object_).where(object_.c.uuid == entry.entry_uuid)
    registry.units.run(
        lambda unit: unit.connection.execute(change.values(is_on_demand=True, creation_time=None))
    )


@pytest.mark.proves("SQ-033", "SQ-055", "SQ-057", "SQ-113")
def test_on_demand_entries_are_found_when_asked_for(
    registry: Registry, make: Maker, patient: CX
) -> None:
    stable, on_demand = make.entry(), make.entry()
    registry.register(make.submission([stable, on_demand]))
    make_on_demand(registry, on_demand)

    def found(*types: str) -> set[str]:
        slots = [many(DE + "Type", types)] if types else []
        late = number(DE + "CreationTimeFrom", "2024")
        return set(registry.ids(FIND, *of(patient, late, *slots)))

    assert found() == {stable.entry_uuid}
    assert found(urns.STABLE_DOCUMENT) == {stable.entry_uuid}
    assert found(urns.ON_DEMAND_DOCUMENT) == {on_demand.entry_uuid}
    both = {stable.entry_uuid, on_demand.entry_uuid}
    assert found(urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT) == both
    slot = single(DE + "EntryUUID", on_demand.entry_uuid)
    assert registry.ids(queries.GET_DOCUMENTS, slot) == [on_demand.entry_uuid]


# what is wrong with a query

PATIENT = CX(f"NOBODY^^^&{samples.PATIENT_DOMAIN}&ISO")
ERRORS: list[tuple[str, StoredQuery, tuple[Slot, ...], list[tuple[str, str]]]] = [
    ("nothing given", FIND, (), [("XDSStoredQueryMissingParam", "SQ-051")] * 2),
    ("empty list", FIND, (of(PATIENT)[0], Slot(DE + "Status", ("()",))),
        [("XDSStoredQueryMissingParam", "SQ-054")]),
    ("two patients", FIND, (
        Slot(DE + "PatientId", (f"('{PATIENT}','{PATIENT}')",)), of(PATIENT)[1]),
        [("XDSStoredQueryParamNumber", "SQ-052")]),
    ("patient in two slots", FIND, (*of(PATIENT), of(PATIENT)[0]),
        [("XDSStoredQueryParamNumber", "SQ-036")]),
    ("class code in two slots", FIND, of(
        PATIENT, coded(DE + "ClassCode", samples.CT), coded(DE + "ClassCode", samples.MR)),
        [("XDSStoredQueryParamNumber", "SQ-036")]),
    ("malformed patient", FIND, (single(DE + "PatientId", "17"), of(PATIENT)[1]),
        [("XDSRegistryError", "SQ-042")]),
    ("code without scheme", FIND, of(PATIENT, many(DE + "ClassCode", ["REPORTS"])),
        [("XDSRegistryError", "SQ-027")]),
    ("code with empty scheme", FIND, of(PATIENT, many(DE + "ClassCode", ["REPORTS^^"])),
        [("XDSRegistryError", "SQ-027")]),
    ("bad time", FIND, of(PATIENT, number(DE + "CreationTimeFrom", "2024-01")),
        [("XDSRegistryError", "SQ-029")]),
    ("open quote", FIND, of(PATIENT, Slot(DE + "ClassCode", ("('a^^b",))),
        [("XDSRegistryError", "SQ-020")]),
    ("open parenthesis", FIND, of(PATIENT, Slot(DE + "ClassCode", ("('a^^b'",))),
        [("XDSRegistryError", "SQ-020")]),
    ("long value", FIND, of(PATIENT, Slot(DE + "ClassCode", (f"('{'x' * 300}^^b')",))),
        [("XDSRegistryError", "SQ-020")]),
    ("nine percent signs", FIND, of(PATIENT, many(DE + "AuthorPerson", ["%a" * 9])),
        [("XDSRegistryError", "SEC-T-121")]),
    ("many patterns", FIND, of(PATIENT, many(DE + "AuthorPerson", ["%a"] * 101)),
        [("XDSRegistryError", "SEC-T-121")]),
    ("many values", FIND, of(PATIENT, many(DE + "ClassCode", ["a^^b"] * 1001)),
        [("XDSRegistryError", "SEC-T-043")]),
    ("many slots", FIND, (*of(PATIENT), *[Slot("$x", ("1",))] * 99),
        [("XDSRegistryError", "SEC-T-043")]),
    ("two findings", FIND, (of(PATIENT)[1], many(DE + "ClassCode", ["x"])),
        [("XDSRegistryError", "SQ-027"), ("XDSStoredQueryMissingParam", "SQ-051")]),
    ("neither id", queries.GET_DOCUMENTS, (), [("XDSStoredQueryMissingParam", "SQ-053")]),
    ("both ids", queries.GET_DOCUMENTS, (
        single(DE + "EntryUUID", "a"), single(DE + "UniqueId", "b")),
        [("XDSStoredQueryParamNumber", "SQ-053")]),
    ("broken id", queries.GET_DOCUMENTS, (Slot(DE + "EntryUUID", ("('a'",)),),
        [("XDSRegistryError", "SQ-020")]),
    ("two sets", queries.GET_SUBMISSION_SET_AND_CONTENTS, (
        many("$XDSSubmissionSetUniqueId", ["1.2", "1.3"]),),
        [("XDSStoredQueryParamNumber", "SQ-052")]),
    ("no uuid", queries.GET_ASSOCIATIONS, (), [("XDSStoredQueryMissingParam", "SQ-051")]),
    ("two authors of a set", queries.FIND_SUBMISSION_SETS, of(
        PATIENT, many("$XDSSubmissionSetAuthorPerson", ["a", "b"]),
        query=queries.FIND_SUBMISSION_SETS),
        [("XDSStoredQueryParamNumber", "SQ-052")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "slots", "expected"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS]
)
@pytest.mark.proves(
    *("SQ-024", "SQ-028", "SQ-036", "SQ-051", "SQ-052", "SQ-053", "SQ-123", "REG-172", "REG-173"),
    *("SEC-T-043", "SEC-T-120", "SEC-T-121", "SEC-T-122"),
)
def test_a_query_is_refused(
    sqlite_registry: Registry,
    query: StoredQuery,
    slots: tuple[Slot, ...],
    expected: list[tuple[str, str]],
) -> None:
    assert codes_of(refused(sqlite_registry, query, *slots)) == expected


@pytest.mark.proves("SQ-051", "SQ-052", "SEC-T-120")
def test_a_refusal_names_the_parameter(sqlite_registry: Registry) -> None:
    for name, _, slots, _ in ERRORS:
        if name in ("malformed patient", "bad time", "open quote", "class code in two slots"):
            (error,) = refused(sqlite_registry, FIND, *slots)
            assert "$XDSDocumentEntry" in error.context


@pytest.mark.proves("SQ-006", "SQ-012")
@pytest.mark.parametrize(
    "returns", [None, "", "RegistryObject", "LeafClassWithRepositoryItem", "leafclass"]
)
def test_another_return_type_is_refused(sqlite_registry: Registry, returns: str | None) -> None:
    (error,) = refused(sqlite_registry, FIND, *of(PATIENT), returns=returns)
    assert error.code == "XDSRegistryError"


@pytest.mark.proves("SQ-050", "REG-179", "SEC-T-122")
@pytest.mark.parametrize(
    "id_",
    [
        "",
        "x" * 300,
    ],
)
def test_an_unknown_query_is_refused(sqlite_registry: Registry, id_: str) -> None:
    (error,) = refused(sqlite_registry, replace(FIND, id=id_))
    assert error.code == "XDSUnknownStoredQuery"


@pytest.mark.proves("SQ-040", "SQ-065", "SQ-064")
def test_unknown_parameters_and_home_have_no_effect(
    registry: Registry, make: Maker, patient: CX
) -> None:
    registry.register(make.submission())
    slots = of(patient, Slot("$homeCommunityId", ("'x'",)), Slot("$Other", ("((",)))
    assert len(registry.ids(FIND, *slots)) == 1
    home = f"urn:oid:{samples.HOME}"
    assert len(registry.ask(FIND, *of(patient), home=home).objects) == 1


@pytest.mark.proves("SQ-190")
@pytest.mark.parametrize("level", ["0", "3", "'two'", "1.5"])
def test_a_metadata_level_is_1_or_2(sqlite_registry: Registry, level: str) -> None:
    slots = of(PATIENT, number("$MetadataLevel", level))
    assert codes_of(refused(sqlite_registry, FIND, *slots)) == [("XDSRegistryError", "SQ-190")]
    for good in ("1", "2", "'2'", "(1)"):
        assert sqlite_registry.ids(FIND, *of(PATIENT, number("$MetadataLevel", good))) == []


@pytest.mark.proves("SQ-190")
def test_every_query_but_one_knows_the_level() -> None:
    without = {
        query.name
        for query in EVERY_QUERY.values()
        if "$MetadataLevel" not in {each.name for each in query.parameters}
    }
    assert without == {"FindSubmissionSets"}


@pytest.mark.proves("SQ-191", "SQ-192", "SQ-196", "MD-044", "MD-180")
def test_what_is_offline_shows_on_level_2(registry: Registry, make: Maker, patient: CX) -> None:
    folder = make.folder()
    here, away, unsaid = (
        make.entry(document_availability=each)
        for each in (Availability(urns.ONLINE), Availability(urns.OFFLINE), None)
    )
    filed = [(folder, each) for each in (here, away, unsaid)]
    registry.register(make.submission([here, away, unsaid], folders=[folder], filed=filed))
    level, ids = number("$MetadataLevel", "2"), [e.entry_uuid for e in (here, away, unsaid)]

    def found(*slots: Slot) -> list[int]:
        return [ids.index(each) for each in registry.ids(FIND, *of(patient, *slots))]

    online, offline = (
        many(DE + "DocumentAvailability", [each]) for each in (urns.ONLINE, urns.OFFLINE)
    )
    assert found() == found(online) == [0, 2]
    assert found(offline) == []
    assert found(level) == [0, 1, 2]
    assert found(level, online) == [0, 2]
    assert found(level, offline) == [1]
    assert found(level, many(DE + "DocumentAvailability", ["urn:example:x"])) == [0, 1, 2]
    slot = single("$XDSFolderEntryUUID", folder.entry_uuid)
    query = queries.GET_FOLDER_AND_CONTENTS
    assert ids[1] not in registry.ids(query, slot)
    assert len(registry.ids(query, slot)) == 5
    assert len(registry.ids(query, slot, level)) == 7
    away_only = single(DE + "EntryUUID", ids[1])
    assert registry.ids(queries.GET_DOCUMENTS, away_only) == []
    assert registry.ids(queries.GET_DOCUMENTS, away_only, level) == [ids[1]]


@pytest.mark.proves("SQ-053", "SQ-194")
def test_a_logical_id_excludes_other_ids(sqlite_registry: Registry) -> None:
    for query, kind in ((queries.GET_DOCUMENTS, DE), (queries.GET_FOLDERS, "$XDSFolder")):
        for other in ("EntryUUID", "UniqueId"):
            slots = single(kind + "LogicalID", "a"), single(kind + other, "b")
            found = refused(sqlite_registry, query, *slots)
            assert codes_of(found) == [("XDSStoredQueryParamNumber", "SQ-053")]


LENIENT = Policy(is_lenient=True)


@pytest.mark.proves("SQ-026", "SQ-012")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param('("{0}","{1}")', id="double quotes"),
        pytest.param("('{0},{1}')", id="several codes in one text"),
        pytest.param('"{0},{1}"', id="both, without parentheses"),
        pytest.param("(" + "'{0}'," * 9 + "'{1}')", id="a long list in one Value"),
    ],
)
def test_a_lenient_registry_reads_what_field_systems_write(
    registry: Registry, patient: CX, three: list[DocumentEntry], value: str
) -> None:
    written = [code(e.code or "", e.scheme or "") for e in (samples.IMAGES, samples.REPORTS)]
    slots = of(patient, Slot(DE + "ClassCode", (value.format(*written),)))
    assert refused(registry, FIND, *slots)[0].code == "XDSRegistryError"
    assert len(registry.ask(FIND, *slots, policy=LENIENT).objects) == 3
    answer = registry.ask(FIND, *slots, policy=LENIENT, returns=None)
    assert all(isinstance(each, Fragment) for each in answer.objects)


@pytest.mark.proves("SQ-024", "SQ-026")
def test_a_lenient_registry_reads_no_text_of_any_length(sqlite_registry: Registry) -> None:
    slots = of(PATIENT, Slot(DE + "AuthorPerson", ("('" + "x_" * 30_000 + "')",)))
    found = refused(sqlite_registry, FIND, *slots, policy=LENIENT)
    assert codes_of(found) == [("XDSRegistryError", "SQ-020")]


@pytest.mark.proves("SQ-026")
def test_a_comma_in_a_code_stays_in_it(registry: Registry, make: Maker, patient: CX) -> None:
    odd = Code.of("a,b", "1.2.3", "odd")
    registry.register(make.submission([make.entry(class_code=odd)]))
    slots = of(patient, coded(DE + "ClassCode", odd))
    assert len(registry.ask(FIND, *slots, policy=LENIENT).objects) == 1


@pytest.mark.proves("SEC-T-043", "SQ-026")
def test_leniency_counts_every_code(sqlite_registry: Registry) -> None:
    values = ",".join(["a^^b"] * 40)
    slots = of(PATIENT, many(DE + "ClassCode", [values] * 30))
    (error,) = refused(sqlite_registry, FIND, *slots, policy=LENIENT)
    assert error.rule == "SEC-T-043"


@pytest.mark.proves("SQ-056", "SQ-173", "SQ-198", "SQ-050")
def test_options_that_are_not_offered(registry: Registry, make: Maker, patient: CX) -> None:
    entry = make.entry(document_availability=Availability(urns.OFFLINE))
    registry.register(make.submission([entry]))
    policy = Policy.of(
        config.Registry(without=("on-demand", "reference-id", *UPDATES)), config.Limits()
    )

    def found(*slots: Slot) -> int:
        return len(registry.ask(FIND, *of(patient, *slots), policy=policy).objects)

    level = number("$MetadataLevel", "2")
    assert len(registry.ids(FIND, *of(patient, level))) == 1
    assert registry.ids(FIND, *of(patient)) == []
    # where there is no level 2, level 1 must not hide what nobody would find then
    assert found(level) == found() == 1
    registry.register(make.submission())
    other = many(DE + "Type", [urns.ON_DEMAND_DOCUMENT])
    assert registry.ids(FIND, *of(patient, other)) == []
    assert found(other) == found() == 2
    for query in (
        queries.FIND_DOCUMENTS_BY_REFERENCE_ID,
        queries.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS,
    ):
        (error,) = refused(registry, query, *of(patient), policy=policy)
        assert error.code == "XDSUnknownStoredQuery"


UPDATES = ("metadata-update", "restricted-update")


@pytest.mark.proves("LC-013", "LC-113", "SQ-194", "SQ-197")
@pytest.mark.parametrize("other", UPDATES)
def test_what_either_update_supersedes_can_be_found(
    registry: Registry, make: Maker, other: str
) -> None:
    """other: the one that is not offered."""
    policy = Policy.of(config.Registry(without=(other,)), config.Limits())
    entry = make.entry()
    registry.register(make.submission([entry]))
    by = iti57.update if other == "restricted-update" else iti92.update
    registry.register(request(make, revised(entry)), by=by)
    slots = of(make.patient)[0], many(DE + "Status", STATUSES)
    level = number("$MetadataLevel", "2")
    assert len(registry.ask(FIND, *slots, policy=policy).objects) == 1
    assert len(registry.ask(FIND, *slots, level, policy=policy).objects) == 2
    versions = single(DE + "LogicalID", entry.entry_uuid)
    found = registry.ask(queries.GET_DOCUMENTS, versions, level, policy=policy)
    assert len(found.objects) == 2


# who is asked about


@pytest.mark.proves("SQ-058", "REG-177")
def test_an_unknown_patient_follows_the_policy(registry: Registry) -> None:
    assert registry.ids(FIND, *of(PATIENT)) == []
    policy = Policy(refuses_unknown_patient=True)
    (error,) = refused(registry, FIND, *of(PATIENT), policy=policy)
    assert error.code == "XDSUnknownPatientId"
    assert str(PATIENT) in error.context


def test_a_known_patient_without_documents_is_no_error(
    registry: Registry, make: Maker, patient: CX
) -> None:
    registry.register(make.submission(folders=[make.folder()]))
    answer = registry.ask(FIND, *of(patient), policy=Policy(refuses_unknown_patient=True))
    assert answer.objects == ()


@pytest.mark.proves("SQ-059", "PIF-034", "PIF-036", "REG-085", "PIF-037")
def test_a_merged_patient_is_found_under_the_survivor(
    registry: Registry, make: Maker, patient: CX
) -> None:
    old, survivor = make.entry(), Maker(samples.new_patient())
    registry.register(make.submission([old]))
    registry.register(survivor.submission())

    def merge(unit: Any) -> None:
        known = unit.patients([str(patient), str(survivor.patient)])
        ids = known[str(patient)].id, known[str(survivor.patient)].id
        unit.connection.execute(
            update(patients)
            .where(patients.c.id == ids[0])
            .values(state=PatientState.MERGED, survivor=ids[1])
        )
        unit.connection.execute(
            update(object_).where(object_.c.patient == ids[0]).values(patient=ids[1])
        )

    registry.units.run(merge)
    assert registry.ids(FIND, *of(patient)) == []
    (error,) = refused(registry, FIND, *of(patient), policy=Policy(refuses_unknown_patient=True))
    assert error.code == "XDSUnknownPatientId"
    found = registry.find(FIND, *of(survivor.patient))
    assert [each.patient_id for each in found] == [survivor.patient] * 2  # type: ignore[union-attr]
    assert found[0].source_patient_id == old.source_patient_id  # type: ignore[union-attr]
    # an old entry is replaced by one of the survivor, not by one of the merged patient
    new = survivor.entry()
    link = samples.association(urns.RPLC, new, old)
    assert registry.refused(make.submission()) == [("XDSUnknownPatientId", "REG-081")]
    registry.register(survivor.submission([new], associations=[link]))


@pytest.mark.proves("SQ-060", "SQ-061", "SQ-062", "REG-171", "SEC-T-123")
def test_leaf_class_shows_one_patient(registry: Registry, make: Maker) -> None:
    other = Maker(samples.new_patient())
    sent = [make.submission(folders=[make.folder()], entries=[make.entry()]),
            other.submission(folders=[other.folder()], entries=[other.entry()])]  # fmt: skip
    for each in sent:
        registry.register(each)
    entries = [each.entries[0].entry_uuid for each in sent]
    folders = [each.folders[0].entry_uuid for each in sent]
    cases = [
        (queries.GET_DOCUMENTS, many(DE + "EntryUUID", entries), True),
        (queries.GET_DOCUMENTS_AND_ASSOCIATIONS, many(DE + "EntryUUID", entries), True),
        (queries.GET_FOLDERS, many("$XDSFolderEntryUUID", folders), True),
        (queries.GET_SUBMISSION_SETS, many("$uuid", entries), True),
        (queries.GET_ASSOCIATIONS, many("$uuid", entries), False),
    ]
    for query, slot, is_single in cases:
        assert len(registry.ask(query, slot, returns="ObjectRef").objects) >= 2
        if is_single:
            (error,) = refused(registry, query, slot)
            assert error.code == "XDSResultNotSinglePatient"
        else:
            assert len(registry.find(query, slot)) >= 2


@pytest.mark.proves("SQ-068", "REG-174", "SEC-T-044")
def test_more_results_than_allowed_are_refused(
    registry: Registry, patient: CX, three: list[DocumentEntry]
) -> None:
    for limits, expected in (
        (Policy(leafs=3, refs=3), {"LeafClass": True, "ObjectRef": True}),
        (Policy(leafs=2, refs=3), {"LeafClass": False, "ObjectRef": True}),
        (Policy(leafs=3, refs=2), {"LeafClass": True, "ObjectRef": False}),
    ):
        for returns, is_answered in expected.items():
            if is_answered:
                answer = registry.ask(FIND, *of(patient), returns=returns, policy=limits)
                assert len(answer.objects) == 3
            else:
                (error,) = refused(registry, FIND, *of(patient), returns=returns, policy=limits)
                assert error.code == "XDSTooManyResults"


# the other queries


@pytest.mark.proves("SQ-081", "SQ-120", "SQ-121", "SQ-122", "SQ-123", "SQ-124", "SQ-125")
def test_find_submission_sets(registry: Registry, make: Maker, patient: CX) -> None:
    query = queries.FIND_SUBMISSION_SETS
    sets = [
        make.set(source_id=OID("1.2.3"), submission_time=DTM("2023")),
        make.set(
            submission_time=DTM("20240505"),
            content_type_code=samples.REFERRALS,
            authors=(Author(persons=(XCN("^Solo"),)),),
        ),
    ]
    for each in sets:
        registry.register(make.submission(set_=each))

    def found(*slots: Slot) -> list[int]:
        ids = registry.ids(query, *of(patient, *slots, query=query))
        return [[each.entry_uuid for each in sets].index(id_) for id_ in ids]

    assert found() == [0, 1]
    assert found(many("$XDSSubmissionSetSourceId", ["1.2.3", "1.2.4"])) == [0]
    assert found(number("$XDSSubmissionSetSubmissionTimeFrom", "2024")) == [1]
    assert found(number("$XDSSubmissionSetSubmissionTimeTo", "2024")) == [0]
    assert found(single("$XDSSubmissionSetAuthorPerson", "%Solo")) == [1]
    assert found(coded("$XDSSubmissionSetContentType", samples.REFERRALS)) == [1]
    assert all(
        isinstance(each, SubmissionSet) for each in registry.find(query, *of(patient, query=query))
    )


@pytest.mark.proves("SQ-082", "SQ-130", "SQ-131", "SQ-132", "SQ-133")
def test_find_folders(registry: Registry, make: Maker, patient: CX) -> None:
    query = queries.FIND_FOLDERS
    folders = [make.folder(), make.folder(codes=(samples.REFERRALS, samples.REPORT))]
    registry.register(make.submission(folders=folders))

    def found(*slots: Slot) -> int:
        return len(registry.ids(query, *of(patient, *slots, query=query)))

    assert found() == 2
    assert found(coded("$XDSFolderCodeList", samples.REPORT)) == 1
    assert found(coded("$XDSFolderCodeList", samples.REPORT, samples.REFERRALS)) == 2
    both = [coded("$XDSFolderCodeList", each) for each in (samples.REPORT, samples.REFERRALS)]
    assert found(*both) == 1
    assert found(number("$XDSFolderLastUpdateTimeFrom", "2020")) == 2
    assert found(number("$XDSFolderLastUpdateTimeTo", "2020")) == 0


@pytest.mark.proves(
    "SQ-083", "SQ-140", "SQ-141", "SQ-142", "SQ-143", "SQ-144", "SQ-145", "SQ-146", "SQ-147"
)
def test_get_all(registry: Registry, make: Maker, patient: CX) -> None:
    folder, one = make.folder(), make.entry()
    other = make.entry(format_code=samples.REPORT, confidentiality_codes=(samples.RESTRICTED,))
    registry.register(make.submission([one, other], folders=[folder], filed=[(folder, one)]))
    everything = registry.everything(patient)
    assert by_kind(everything) == {SubmissionSet: 1, DocumentEntry: 2, Folder: 1, Association: 5}
    query = queries.GET_ALL

    def found(*slots: Slot, drop: str = "") -> dict[type, int]:
        given = [each for each in all_of(patient) if each.name != drop]
        return by_kind(registry.find(query, *given, *slots))

    # limits entries alone; associations stay with one end
    limited = found(coded(DE + "FormatCode", samples.REPORT))
    assert limited == {SubmissionSet: 1, DocumentEntry: 1, Folder: 1, Association: 5}
    assert found(coded(DE + "ConfidentialityCode", samples.NORMAL)) == limited
    deprecated = many("$XDSSubmissionSetStatus", [urns.DEPRECATED])
    without_sets = found(deprecated, drop=deprecated.name)
    # the set's link to a membership has no end among what is found
    assert without_sets == {DocumentEntry: 2, Folder: 1, Association: 4}
    assert registry.ids(query, *all_of(patient)) == [each.entry_uuid for each in everything]
    make_on_demand(registry, one)
    assert found(drop=DE + "Type")[DocumentEntry] == 1
    assert found()[DocumentEntry] == 2


@pytest.mark.proves("SQ-084", "SQ-150", "SQ-165")
def test_get_documents(registry: Registry, three: list[DocumentEntry]) -> None:
    query = queries.GET_DOCUMENTS
    uuids = [each.entry_uuid for each in three]
    assert (
        registry.ids(query, many(DE + "EntryUUID", [*uuids[1:], samples.new_uuid()])) == uuids[1:]
    )
    values = [str(each.unique_id) for each in three]
    assert registry.ids(query, many(DE + "UniqueId", [values[0], "1.2.3.4"])) == uuids[:1]
    assert registry.ids(query, many(DE + "UniqueId", ["' OR 1=1 --"])) == []


@pytest.mark.proves("SQ-085", "SQ-151")
def test_get_folders(registry: Registry, make: Maker) -> None:
    folder = make.folder()
    registry.register(make.submission(folders=[folder]))
    for slot in (
        single("$XDSFolderEntryUUID", folder.entry_uuid),
        single("$XDSFolderUniqueId", str(folder.unique_id)),
    ):
        assert registry.ids(queries.GET_FOLDERS, slot) == [folder.entry_uuid]


@pytest.fixture
def linked(registry: Registry, make: Maker) -> dict[str, Any]:
    """A set with an entry in a folder, a second entry, and a replacement of the first."""
    folder, first, second, new = make.folder(), make.entry(), make.entry(), make.entry()
    sent = make.submission([first, second], folders=[folder], filed=[(folder, first)])
    registry.register(sent)
    link = samples.association(urns.XFRM, new, second)
    later = make.submission([new], associations=[link], references=[first.entry_uuid])
    registry.register(later)
    return {"folder": folder, "first": first, "second": second, "new": new, "sent": sent,
            "later": later, "link": link}  # fmt: skip


def sent_links(linked: dict[str, Any]) -> dict[str, str]:
    members = linked["sent"].associations
    names = ("set first", "set second", "set folder", "set filing", "filing")
    return {name: each.entry_uuid for name, each in zip(names, members, strict=True)}


@pytest.mark.proves("SQ-086", "SQ-087", "SQ-152", "SQ-153", "SQ-073")
def test_get_associations_and_documents(registry: Registry, linked: dict[str, Any]) -> None:
    first, names = linked["first"], sent_links(linked)
    reference = next(
        each for each in linked["later"].associations if each.target_object == first.entry_uuid
    )
    touching = {names["set first"], names["filing"], reference.entry_uuid}
    found = registry.ids(queries.GET_ASSOCIATIONS, many("$uuid", [first.entry_uuid]))
    assert set(found) == touching
    found = registry.ids(
        queries.GET_DOCUMENTS_AND_ASSOCIATIONS, many(DE + "UniqueId", [str(first.unique_id)])
    )
    assert set(found) == touching | {first.entry_uuid}


@pytest.mark.proves("SQ-088", "SQ-154", "SQ-164")
def test_get_submission_sets(registry: Registry, linked: dict[str, Any]) -> None:
    names, query = sent_links(linked), queries.GET_SUBMISSION_SETS
    own, later = (linked[each].submission_set.entry_uuid for each in ("sent", "later"))
    found = registry.ids(
        query, many("$uuid", [linked["second"].entry_uuid, linked["folder"].entry_uuid])
    )
    assert set(found) == {own, names["set second"], names["set folder"]}
    found = registry.ids(query, many("$uuid", [linked["first"].entry_uuid]))
    assert set(found) > {own, later, names["set first"]}
    assert len(found) == 4
    assert registry.ids(query, many("$uuid", [own])) == []


@pytest.mark.proves("SQ-089", "SQ-155", "SQ-160", "SQ-163")
def test_get_submission_set_and_contents(registry: Registry, linked: dict[str, Any]) -> None:
    query, sent, names = queries.GET_SUBMISSION_SET_AND_CONTENTS, linked["sent"], sent_links(linked)
    slot = single("$XDSSubmissionSetUniqueId", str(sent.submission_set.unique_id))
    everything = {
        each.entry_uuid
        for each in (*sent.submission_sets, *sent.entries, *sent.folders, *sent.associations)
    }
    assert set(registry.ids(query, slot)) == everything
    # without the entries no association is left that leads to one
    none = coded(DE + "FormatCode", samples.CT)
    found = set(registry.ids(query, slot, none))
    assert found == {
        sent.submission_set.entry_uuid, linked["folder"].entry_uuid, names["set folder"]
    }  # fmt: skip
    # a reference counts as content
    later = linked["later"]
    slot = single("$XDSSubmissionSetEntryUUID", later.submission_set.entry_uuid)
    found = set(registry.ids(query, slot))
    assert linked["first"].entry_uuid in found
    # the relationship is no member of the set
    assert linked["link"].entry_uuid not in found
    make_on_demand(registry, linked["first"])
    assert linked["first"].entry_uuid not in registry.ids(query, slot)
    types = many(DE + "Type", [urns.ON_DEMAND_DOCUMENT])
    found = registry.ids(query, slot, types)
    assert linked["first"].entry_uuid in found
    assert linked["new"].entry_uuid not in found


@pytest.mark.proves("SQ-090", "SQ-156")
def test_get_folder_and_contents(registry: Registry, linked: dict[str, Any]) -> None:
    query, folder = queries.GET_FOLDER_AND_CONTENTS, linked["folder"]
    slot = single("$XDSFolderEntryUUID", folder.entry_uuid)
    filing = sent_links(linked)["filing"]
    assert set(registry.ids(query, slot)) == {
        folder.entry_uuid, linked["first"].entry_uuid, filing
    }  # fmt: skip
    none = coded(DE + "ConfidentialityCode", samples.RESTRICTED)
    assert registry.ids(query, slot, none) == [folder.entry_uuid]


@pytest.mark.proves("SQ-091", "SQ-157")
def test_get_folders_for_document(registry: Registry, linked: dict[str, Any]) -> None:
    query = queries.GET_FOLDERS_FOR_DOCUMENT
    first, second = linked["first"], linked["second"]
    found = registry.ids(query, single(DE + "UniqueId", str(first.unique_id)))
    assert found == [linked["folder"].entry_uuid]
    assert registry.ids(query, single(DE + "EntryUUID", second.entry_uuid)) == []


@pytest.mark.proves("SQ-092", "SQ-158", "SQ-161", "SQ-162", "SQ-166", "SQ-163")
def test_get_related_documents(registry: Registry, make: Maker, linked: dict[str, Any]) -> None:
    query = queries.GET_RELATED_DOCUMENTS
    second, new, link = linked["second"], linked["new"], linked["link"]
    last = make.entry()
    further = samples.association(urns.APND, last, second)
    far = make.entry()
    registry.register(make.submission([last], associations=[further]))
    registry.register(
        make.submission([far], associations=[samples.association(urns.XFRM, far, last)])
    )

    def found(start: DocumentEntry, *types: str, more: tuple[Slot, ...] = ()) -> set[str]:
        slot = single(DE + "EntryUUID", start.entry_uuid)
        return set(registry.ids(query, slot, many("$AssociationTypes", types), *more))

    transformed = {second.entry_uuid, new.entry_uuid, link.entry_uuid}
    assert found(second, urns.XFRM) == transformed
    assert found(new, urns.XFRM) == transformed
    both = transformed | {last.entry_uuid, further.entry_uuid}
    assert found(second, urns.XFRM, urns.APND) == both
    assert found(second, urns.HAS_MEMBER) == set()
    assert found(second, urns.RPLC) == set()
    make_on_demand(registry, new)
    assert found(second, urns.XFRM) == set()
    types = many(DE + "Type", [urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT])
    assert found(second, urns.XFRM, more=(types,)) == transformed


@pytest.mark.proves("SQ-096", "SQ-038", "SQ-039", "SQ-068")
def test_find_documents_by_title(registry: Registry, make: Maker, patient: CX) -> None:
    query = queries.FIND_DOCUMENTS_BY_TITLE
    titles = ["CT of the head", "MR of the head", "M\u00fcller's CT", None]
    ward = Author(institutions=(XON("Ward 7^^^^^^^^^1.2.3"),))
    entries = [
        make.entry(
            title=InternationalString.of(each) if each else None,
            authors=(samples.AUTHOR, ward) if each and each.startswith("M") else (samples.AUTHOR,),
        )
        for each in titles
    ]
    for each in entries:
        registry.register(make.submission([each]))
    ids = [each.entry_uuid for each in entries]

    def found(*patterns: str, more: tuple[Slot, ...] = ()) -> list[int]:
        slots = of(patient, many(DE + "Title", patterns), *more)
        return [ids.index(each) for each in registry.ids(query, *slots)]

    assert found("%") == [0, 1, 2]
    assert found("%head") == [0, 1]
    assert found("CT%", "%CT") == [0, 2]
    assert found("CT of the hea_") == [0]
    assert found("ct%") == []
    assert found("Mu\u0308ller's CT") == [2]
    institution = many(DE + "AuthorInstitution", ["Ward 7%"])
    assert found("%", more=(institution,)) == [1, 2]
    assert found("%head", more=(institution, coded(DE + "ClassCode", samples.REPORTS))) == [1]
    assert codes_of(refused(registry, query, *of(patient))) == [
        ("XDSStoredQueryMissingParam", "SQ-051")
    ]
    # what must be looked at is bounded, not what comes out of it
    slots = of(patient, many(DE + "Title", ["CT%"]))
    for returns in ("LeafClass", "ObjectRef"):
        (error,) = refused(registry, query, *slots, returns=returns, policy=Policy(leafs=3))
        assert error.code == "XDSTooManyResults"


# the answers


@pytest.mark.proves("SQ-072", "MD-012", "MD-181", "SQ-199")
def test_an_answered_object_has_all_that_validators_look_for(
    registry: Registry, make: Maker, patient: CX, elements: Callable[[bytes], Any]
) -> None:
    folder, entry = make.folder(), make.entry()
    registry.register(make.submission([entry], folders=[folder], filed=[(folder, entry)]))
    answer = registry.ask(queries.GET_ALL, *all_of(patient))
    assert len(answer.objects) == 7
    for one in answer.objects:
        assert isinstance(one, Fragment)
        element = elements(one.xml)
        assert element.get("lid") == element.get("id")
        assert element.get("status") == urns.APPROVED
        assert element.find("{*}VersionInfo").get("versionName") == "1"
        own = element.get("id")
        for nested in element.iter("{*}Classification"):
            assert nested.get("classifiedObject") == own
            assert nested.get("objectType") == urns.CLASSIFICATION_TYPE
        for nested in element.iter("{*}ExternalIdentifier"):
            assert nested.get("registryObject") == own
            assert nested.get("objectType") == urns.EXTERNAL_IDENTIFIER_TYPE
        if element.tag.endswith("RegistryPackage"):
            nodes = [each.get("classificationNode") for each in element.iter("{*}Classification")]
            assert len(set(nodes) & {urns.SUBMISSION_SET_NODE, urns.FOLDER_NODE}) == 1


@pytest.mark.proves("SQ-074", "SQ-075")
def test_object_refs_name_what_leaf_class_returns(
    registry: Registry, patient: CX, three: list[DocumentEntry]
) -> None:
    answer = registry.ask(FIND, *of(patient), returns="ObjectRef")
    assert answer.objects == tuple(ObjectRef(each.entry_uuid) for each in three)
    leafs = registry.ask(FIND, *of(patient)).objects
    assert all(isinstance(each, Fragment) for each in leafs)


def test_a_unique_id_of_two_entries_finds_both(registry: Registry, make: Maker) -> None:
    value = Identifier(samples.new_oid())
    for _ in range(2):
        registry.register(make.submission([make.entry(unique_id=value)]))
    assert len(registry.ids(queries.GET_DOCUMENTS, single(DE + "UniqueId", str(value)))) == 2
