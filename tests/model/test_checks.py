"""What is wrong with the attributes of one object."""

from dataclasses import replace
from typing import Any

import pytest

from tests import samples
from xdsi.model.checks import attribute_findings
from xdsi.model.errors import XDSRegistryMetadataError
from xdsi.model.objects import Author, Code, InternationalString, RegistryObject
from xdsi.model.values import CX, DTM, OID, SHA1, XCN, XON, Field, HomeCommunityId, Identifier, Size
from xdsi.standard import attributes, urns
from xdsi.standard.attributes import Need


def found(obj: RegistryObject, column: str = "ITI-42") -> list[tuple[str, str]]:
    """Attribute and rule of each finding."""
    return [
        (error.what.rpartition(".")[2], error.rule) for error in attribute_findings(obj, column)
    ]


GOOD = [
    pytest.param(
        samples.document_entry(status=None),
        "ITI-42",
        marks=pytest.mark.proves("MD-056"),
        id="entry",
    ),
    pytest.param(samples.full_document_entry(), "ITI-42", id="full entry"),
    pytest.param(
        samples.document_entry(hash=None, size=None, repository_unique_id=None),
        "ITI-41",
        id="entry of a source",
    ),
    pytest.param(
        samples.document_entry(
            object_type=urns.ON_DEMAND_DOCUMENT, creation_time=None, hash=None, size=None
        ),
        "ITI-61",
        id="on-demand entry",
    ),
    pytest.param(samples.submission_set(), "ITI-42", id="set"),
    pytest.param(samples.folder(), "ITI-42", id="folder"),
    pytest.param(samples.has_member("a", "b"), "ITI-42", id="membership"),
    pytest.param(
        samples.association(urns.RPLC, "a", "b", documentation=samples.CORRECTED),
        "ITI-42",
        id="relationship",
    ),
    pytest.param(samples.document_entry(status="x", version="9"), "ITI-42", id="ignored ones"),
]


@pytest.mark.parametrize(("obj", "column"), GOOD)
def test_good_object(obj: RegistryObject, column: str) -> None:
    assert [str(one) for one in attribute_findings(obj, column)] == []


REQUIRED = {
    "entry": (
        samples.document_entry(),
        {
            "mime_type",
            "creation_time",
            "hash",
            "language_code",
            "repository_unique_id",
            "size",
            "source_patient_id",
            "class_code",
            "confidentiality_codes",
            "format_code",
            "healthcare_facility_type_code",
            "practice_setting_code",
            "type_code",
            "patient_id",
            "unique_id",
            "object_type",
        },
    ),
    "set": (
        samples.submission_set(),
        {
            "submission_time",
            "content_type_code",
            "patient_id",
            "source_id",
            "unique_id",
        },
    ),
    "folder": (
        samples.folder(),
        {"title", "codes", "patient_id", "unique_id"},
    ),
    "association": (
        samples.has_member("a", "b"),
        {"association_type", "source_object", "target_object"},
    ),
}


@pytest.mark.proves("REG-070")
@pytest.mark.parametrize(
    ("obj", "name"),
    [
        pytest.param(obj, name, id=f"{kind} {name}")
        for kind, (obj, names) in REQUIRED.items()
        for name in sorted(names)
    ],
)
def test_required_attribute_is_missed(obj: Any, name: str) -> None:
    value = getattr(obj, name)
    absent = () if isinstance(value, tuple) else "" if isinstance(value, str) else None
    (error,) = attribute_findings(replace(obj, **{name: absent}))
    assert isinstance(error, XDSRegistryMetadataError)
    assert error.problem.startswith("required, missing; add ")
    assert error.rule == "REG-070"
    assert error.location == obj.entry_uuid


@pytest.mark.parametrize(
    "obj", [samples.document_entry(), samples.submission_set(), samples.folder()]
)
def test_nothing_else_is_required(obj: Any) -> None:
    """Every attribute outside the table above may be absent."""
    (names,) = (required for one, required in REQUIRED.values() if type(one) is type(obj))
    for field in ("authors", "title", "comments", "source_patient_info", "service_start_time"):
        if hasattr(obj, field) and field not in names:
            value = getattr(obj, field)
            assert found(replace(obj, **{field: () if isinstance(value, tuple) else None})) == []


def test_error_text_leads_to_the_repair() -> None:
    entry = samples.document_entry(
        class_code=None, unique_id=Identifier("2.25.77"), entry_uuid="Document01"
    )
    (error,) = attribute_findings(entry)
    assert error.context == (
        "2.25.77 DocumentEntry.classCode: required, missing; add a Classification with "
        "classificationScheme urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a [REG-070]"
    )
    assert error.location == "Document01"


@pytest.mark.parametrize("kind", ["document_entry", "submission_set", "folder"])
@pytest.mark.proves("REG-072", "MD-117", "MD-145", "MD-157")
def test_limited_metadata_is_refused_in_xds(kind: str) -> None:
    obj = getattr(samples, kind)(is_limited=True)
    assert found(obj) == [("limitedMetadata", "REG-072")]
    assert ("limitedMetadata", "REG-070") not in found(obj, "XDR")
    assert ("limitedMetadata", "REG-070") in found(replace(obj, is_limited=False), "XDR")


def test_limited_metadata_source_may_leave_much_out() -> None:
    """Column XDR of the table."""
    entry = samples.document_entry(
        is_limited=True, patient_id=None, class_code=None, creation_time=None, language_code=None
    )
    assert found(entry, "XDR") == []


@pytest.mark.parametrize(
    ("name", "rule"), [("creation_time", "MD-108"), ("hash", "MD-112"), ("size", "MD-126")]
)
def test_on_demand_entry_tells_nothing_of_bytes(name: str, rule: str) -> None:
    entry = samples.document_entry(
        object_type=urns.ON_DEMAND_DOCUMENT,
        creation_time=None,
        hash=None,
        size=None,
        status=urns.APPROVED,
        logical_id=samples.new_uuid(),
    )
    value = getattr(samples.document_entry(), name)
    filled = replace(entry, **{name: value})
    ihe = next(row.ihe for row in attributes.DOCUMENT_ENTRY if row.name == name)
    assert found(filled, "ITI-61") == [(ihe, rule)]
    assert found(filled, "query") == [(ihe, rule)]
    assert found(entry, "query") == []


def entry(**changes: Any) -> RegistryObject:
    return samples.document_entry(**changes)


def one_set(**changes: Any) -> RegistryObject:
    return samples.submission_set(**changes)


def authored(**changes: Any) -> RegistryObject:
    return samples.document_entry(authors=(replace(samples.AUTHOR, **changes),))


def titled(length: int) -> InternationalString:
    return InternationalString.of("x" * length)


PLAIN = Code("x", "1.2", InternationalString.of("y"))
BAD = [
    (entry(hash=SHA1("x")), "hash", "REG-071"),
    (entry(size=Size("-1")), "size", "REG-071"),
    (entry(patient_id=CX("x")), "patientId", "REG-071"),
    (entry(patient_id=CX("")), "patientId", "REG-071"),
    (entry(source_patient_id=CX("x^^^NS&1.2&ISO")), "sourcePatientId", "REG-071"),
    (entry(unique_id=Identifier("")), "uniqueId", "REG-071"),
    (entry(unique_id=Identifier("x" * 257)), "uniqueId", "REG-071"),
    (entry(repository_unique_id=OID("urn:oid:1.2")), "repositoryUniqueId", "REG-071"),
    (entry(home=HomeCommunityId("1.2.3")), "homeCommunityId", "REG-071"),
    (entry(creation_time=DTM("2024010")), "creationTime", "REG-071"),
    (entry(legal_authenticator=XCN("^^Max")), "legalAuthenticator", "REG-071"),
    (entry(source_patient_info=(Field("x"),)), "sourcePatientInfo", "REG-071"),
    (one_set(source_id=OID("urn:oid:1.2")), "sourceId", "REG-071"),
    (one_set(unique_id=OID("x")), "uniqueId", "REG-071"),
    (one_set(submission_time=DTM("x")), "submissionTime", "REG-071"),
    (samples.folder(unique_id=OID("x")), "uniqueId", "REG-071"),
    (authored(persons=(XCN(""),)), "authorPerson", "REG-071"),
    (authored(institutions=(XON("^^"),)), "authorInstitution", "REG-071"),
    (authored(roles=("",)), "authorRole", "REG-071"),
    (authored(persons=(XCN("1"), XCN("2"))), "authorPerson", "MD-162"),
    (entry(authors=(Author(roles=("Reader",)),)), "author", "MD-163"),
    (entry(class_code=replace(PLAIN, code=None)), "classCode", "MD-094"),
    (entry(class_code=replace(PLAIN, code="")), "classCode", "MD-094"),
    (entry(class_code=replace(PLAIN, scheme=None)), "classCode", "MD-094"),
    (entry(class_code=replace(PLAIN, display=None)), "classCode", "MD-094"),
    (entry(class_code=replace(PLAIN, display=titled(0))), "classCode", "MD-094"),
    (entry(event_codes=(PLAIN, replace(PLAIN, scheme=""))), "eventCodeList", "MD-094"),
    (samples.folder(codes=(replace(PLAIN, code=""),)), "codeList", "MD-094"),
    (
        samples.association(urns.RPLC, "a", "b", documentation=replace(PLAIN, code="")),
        "associationDocumentation",
        "MD-094",
    ),
    (entry(title=titled(128)), "title", "MD-075"),
    (one_set(title=titled(256)), "title", "MD-076"),
    (samples.folder(title=titled(257)), "title", "MD-076"),
    (samples.folder(title=InternationalString.of("  ")), "title", "REG-070"),
    (
        entry(service_start_time=DTM("20240102"), service_stop_time=DTM("20240101")),
        "serviceStopTime",
        "REG-073",
    ),
    (
        entry(service_start_time=DTM("2024"), service_stop_time=DTM("20231231")),
        "serviceStopTime",
        "REG-073",
    ),
    (
        entry(source_patient_info=(Field("PID-7|1970"), Field("PID-7|1971"))),
        "sourcePatientInfo",
        "MD-133",
    ),
    (
        entry(source_patient_info=(Field("PID-8|F"), Field("PID-8|M"))),
        "sourcePatientInfo",
        "MD-133",
    ),
    (entry(uri=("a", "b")), "URI", "MD-132"),
    (entry(uri=("1|a", "1|b")), "URI", "MD-132"),
    (entry(uri=("1|a", "3|b")), "URI", "MD-132"),
    (entry(logical_id="symbolic"), "logicalID", "MD-178"),
    (
        samples.has_member("a", "b", documentation=samples.CORRECTED),
        "associationDocumentation",
        "MD-174",
    ),
]


@pytest.mark.parametrize(
    ("obj", "attribute", "rule"),
    [
        pytest.param(*row, marks=pytest.mark.proves(row[2]), id=f"{number} {row[1]}")
        for number, row in enumerate(BAD)
    ],
)
def test_finding(obj: RegistryObject, attribute: str, rule: str) -> None:
    assert found(obj) == [(attribute, rule)]


FINE = [
    pytest.param(entry(title=titled(127)), id="title of 127"),
    pytest.param(one_set(title=titled(255)), id="set title of 255"),
    pytest.param(samples.folder(title=titled(256)), id="folder title of 256"),
    pytest.param(entry(comments=titled(5000)), id="long comments"),
    pytest.param(
        entry(service_start_time=DTM("20240301"), service_stop_time=DTM("2024")),
        marks=pytest.mark.proves("REG-073"),
        id="stop less precise than start",
    ),
    pytest.param(
        entry(service_start_time=DTM("2024"), service_stop_time=DTM("2024")), id="one instant"
    ),
    pytest.param(entry(service_stop_time=None), id="no stop"),
    pytest.param(
        entry(source_patient_info=tuple(Field(f"PID-{n}|x") for n in (2, 3, 3, 4, 5, 5, 11, 11))),
        marks=pytest.mark.proves("MD-133"),
        id="PID fields that should not be there are stored",
    ),
    pytest.param(entry(uri=("2|b", "1|a")), id="numbered parts in any order"),
    pytest.param(entry(hash=SHA1("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709")), id="upper hash"),
    pytest.param(
        entry(authors=(Author(institutions=(XON("Clinic"),)),)),
        marks=pytest.mark.proves("MD-163"),
        id="institution alone",
    ),
    pytest.param(
        authored(roles=("Reader", "R1^^^&1.2&ISO"), specialties=("S1^^^&1.2&ISO",)),
        marks=pytest.mark.proves("MD-095", "MD-162"),
        id="roles as text or coded",
    ),
    pytest.param(
        authored(persons=(), institutions=tuple(XON(f"Clinic {n}") for n in range(5))),
        marks=pytest.mark.proves("MD-164"),
        id="counts of sub-attributes need not agree",
    ),
    pytest.param(entry(logical_id=samples.new_uuid()), id="lid of another version"),
    pytest.param(
        entry(
            confidentiality_codes=(
                samples.NORMAL,
                samples.RESTRICTED,
                Code.of("HIV", "2.16.840.1.113883.1.11.20428", "HIV"),
                Code.of("local", "1.2.3", "of nobody else"),
            )
        ),
        marks=pytest.mark.proves("MD-107", "MD-137"),
        id="confidentiality codes in any number and of any scheme",
    ),
    pytest.param(entry(entry_uuid="D1", logical_id="D1"), id="lid as id"),
]


@pytest.mark.parametrize("obj", FINE)
def test_no_finding(obj: RegistryObject) -> None:
    assert found(obj) == []


def test_all_findings_are_told_with_the_value() -> None:
    bad = samples.document_entry(size=Size("x"), hash=SHA1("y"), class_code=None, type_code=None)
    errors = list(attribute_findings(bad))
    assert [error.rule for error in errors] == ["REG-071", "REG-071", "REG-070", "REG-070"]
    assert errors[1].context.endswith("got 'x' [REG-071]")


def test_object_without_unique_id_is_named_by_its_id() -> None:
    (error,) = attribute_findings(samples.document_entry(entry_uuid="Document01", unique_id=None))
    assert error.what == "Document01 DocumentEntry.uniqueId"


def test_table_of_requirements_is_the_columns() -> None:
    """The literal list above agrees with column ITI-42."""
    rows = {
        "entry": attributes.DOCUMENT_ENTRY,
        "set": attributes.SUBMISSION_SET,
        "folder": attributes.FOLDER,
        "association": attributes.ASSOCIATION,
    }
    for kind, (_, names) in REQUIRED.items():
        needed = {row.name for row in rows[kind] if row.need["ITI-42"] is Need.REQUIRED}
        assert needed - {"entry_uuid"} == set(names)
