"""Manifests with descriptors: written, judged by foreign tools, read in every dialect."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.wire.studies import CT, code, issuer, pydicom_studies, write
from tests.wire.test_kos import CONSTANT, bytes_of, judged, reread
from xdsi.model.descriptors import descriptors_of
from xdsi.model.madochecks import contradictions, missing, remarks
from xdsi.model.manifest import (
    CodedConcept,
    InstanceDescriptor,
    IssuedId,
    Manifest,
    PatientHeader,
    Remark,
    SeriesDescriptor,
    StudyDescriptors,
)
from xdsi.model.study import InstanceHeader, SeriesHeader, StudyHeader
from xdsi.standard import dicom, mado
from xdsi.wire import kos, kostree
from xdsi.wire.describe import describe
from xdsi.wire.kosparts import put_raw
from xdsi.wire.mado import root_items

STUDIES = pydicom_studies()
JUDGED = ("CT_small.dcm", "waveform_ecg.dcm", "rtplan.dcm", next(iter(STUDIES)))
KO = dicom.KEY_OBJECT_SELECTION
SITE = kos.Site(
    institution_name="Hospital of Nowhere",
    institution_oid="1.2.40.0.13.11",
    timezone="+0100",
    patient_id_issuer="1.2.40.0.13.8",
    accession_issuer="1.2.40.0.13.9",
    order_issuer="1.2.40.0.13.10",
)
TITLED = mado.DIALECTS["dicom"]._replace(
    title=mado.Concept("99001", "99TEST", "Manifest with Description")
)
DIALECTS = [mado.DIALECTS["trial"], mado.DIALECTS["placeholder"], TITLED]
NAMES = [each.name for each in DIALECTS]


def made(files: list[Path], **wishes: Any) -> Dataset:
    return kos.make_manifest(
        files, **{"retrieve_location_uid": "1.2.3.7", "site": SITE, "mado": mado.TRIAL, **wishes}
    )


def read(item: Dataset) -> Manifest:
    return kos.read_manifest(kos.manifest_bytes(item))


@pytest.fixture
def rich(tmp_path: Path) -> list[Path]:
    """Two series with all that can be described, and a key object note."""
    common = {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": "20260301",
        "StudyTime": "081500",
        "StudyDescription": "Schädel nativ",
        "StudyID": "S1",
        "AccessionNumber": "A-77",
        "ProcedureCodeSequence": Sequence([code("30799-1", "LN", "CT Head")]),
    }
    note = Dataset()
    note.RelationshipType, note.ValueType = "CONTAINS", "TEXT"
    note.ConceptNameCodeSequence = Sequence([code("113012", "DCM", "Key Object Description")])
    note.TextValue = "Blutung links"
    return [
        write(tmp_path / "1", SOPInstanceUID="1.2.3.1.1", SeriesDate="20260301",
              SeriesTime="081600", SeriesDescription="Schädel", BodyPartExamined="HEAD",
              NumberOfFrames=12, **common),
        write(tmp_path / "2", SeriesInstanceUID="1.2.3.2", SOPInstanceUID="1.2.3.2.1",
              SeriesNumber=2, BodyPartExamined="KNEE", Laterality="L", **common),
        write(tmp_path / "3", SeriesInstanceUID="1.2.3.3", SOPInstanceUID="1.2.3.3.1",
              SOPClassUID=KO, Modality="KO", SeriesNumber=3,
              ConceptNameCodeSequence=Sequence([code("113002", "DCM", "For Referring Provider")]),
              ContentSequence=Sequence([note]), **common),
    ]  # fmt: skip


# --- the tables


@pytest.mark.proves("MADO-040", "MADO-041", "MADO-042", "MADO-043", "MADO-044", "MADO-045")
@pytest.mark.parametrize("name", mado.DIALECTS)
def test_every_code_of_every_dialect_is_one_concept(name: str) -> None:
    dialect = mado.DIALECTS[name]
    assert [mado.concept(*each) for each in dialect.concepts] == [
        mado.concept("", "", each.meaning) for each in dialect.concepts
    ]
    assert {mado.dialect_of(each.value) for each in dialect.concepts} == {name}
    values = [each.value for of in mado.DIALECTS.values() for each in of.concepts]
    assert len(values) == len(set(values))


def test_a_code_not_yet_assigned_is_known_by_its_meaning() -> None:
    assert mado.concept("131560", "DCM", "manifest with description ") is mado.TITLE
    assert mado.concept("1", "2", "3") is None


# --- what is written


# all that MADO-075 allows: two of an older edition's value types, and the Retrieve URL
ALLOWED = {
    "Error - Unrecognized enumerated value <NUM> for value 1 of attribute <Value Type>",
    "Error - Unrecognized enumerated value <DATE> for value 1 of attribute <Value Type>",
    "Error - Unrecognized enumerated value <TIME> for value 1 of attribute <Value Type>",
    "Warning - Attribute is not present in standard DICOM IOD - (0x0008,0x1190) UR Retrieve URL ",
    "Warning - Dicom dataset contains attributes not present in standard DICOM IOD - "
    "this is a Standard Extended SOP Class",
}


def complaints(path: Path) -> set[str]:
    """Of dciodvfy, without what it says of values that are those of the images."""
    _, lines = judged("dciodvfy", path)
    own = (line for line in lines if line.startswith(("Error", "Warning")))
    return {line for line in own if "Retired Person Name form" not in line}


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.proves("MADO-072", "MADO-074", "MADO-075")
@pytest.mark.parametrize("name", [*JUDGED, "rich"])
def test_judges_say_what_they_must_and_no_more(name: str, rich: list[Path], tmp_path: Path) -> None:
    item = made(STUDIES.get(name, rich), retrieve_url="https://images.example/dicom-web")
    kos.write_manifest(item, tmp_path / "kos.dcm")
    assert complaints(tmp_path / "kos.dcm") - ALLOWED == set()
    _, lines = judged("dsrdump", tmp_path / "kos.dcm")
    said = {line for line in lines if line[:3] in ("E: ", "W: ", "F: ")} - CONSTANT
    assert all("contains CONTAINER" in line or "Invalid by-value" in line for line in said), said


@pytest.mark.proves(
    "MADO-020", "MADO-021", "MADO-023", "MADO-024", "MADO-025", "MADO-026", "MADO-027", "MADO-028",
    "MADO-029", "MADO-031", "MADO-032", "MADO-033", "MADO-034", "MADO-036",
)  # fmt: skip
def test_header_has_what_the_profile_requires(rich: list[Path]) -> None:
    item = reread(made(rich, retrieve_url="https://images.example/dicom-web"))
    assert (item.PatientID, item.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID) == (
        "T-1",
        "1.2.40.0.13.8",
    )
    [main] = item.OtherPatientIDsSequence
    assert (main.PatientID, main.TypeOfPatientID) == ("T-1", "TEXT")
    [by] = main.IssuerOfPatientIDQualifiersSequence
    assert (by.UniversalEntityID, by.UniversalEntityIDType) == ("1.2.40.0.13.8", "ISO")
    assert (item.StudyDate, item.StudyTime) == ("20260301", "081500")
    assert item.AccessionNumber == "A-77"
    assert item.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.40.0.13.9"
    assert item.Manufacturer == "xdsi"
    assert item.InstitutionName == "Hospital of Nowhere^^^^^^^^^1.2.40.0.13.11"
    assert item.TimezoneOffsetFromUTC == "+0100"
    [request] = item.ReferencedRequestSequence
    assert (request.StudyInstanceUID, request.AccessionNumber) == ("1.2.3", "A-77")
    assert request.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.40.0.13.9"
    assert "PlacerOrderNumberImagingServiceRequest" in request
    [study] = item.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == "1.2.3"
    assert {(s.RetrieveLocationUID, s.RetrieveURL) for s in study.ReferencedSeriesSequence} == {
        ("1.2.3.7", "https://images.example/dicom-web")
    }
    assert list(missing(read(made(rich)))) == [
        Remark("MADO-051", "no Series Date or Series Time in 2 of 3 series (if the study has it)"),
        Remark("MADO-052", "no Series Description in 2 of 3 series (if the study has it)"),
        Remark("MADO-055", "no Target Region in 1 of 3 series (if the study has it)"),
    ]


@pytest.mark.proves("MADO-022", "MADO-023")
def test_national_ids_stand_beside_the_own_one(tmp_path: Path) -> None:
    other = Dataset()
    other.PatientID, other.TypeOfPatientID, other.IssuerOfPatientID = "N-9", "TEXT", "NATION"
    other.IssuerOfPatientIDQualifiersSequence = Sequence([issuer("1.2.40.0.10.1")])
    path = write(
        tmp_path / "a",
        OtherPatientIDsSequence=Sequence([other]),
        IssuerOfPatientID="HOSPITAL",
    )
    item = reread(made([path]))
    assert item.IssuerOfPatientID == "HOSPITAL"
    assert [
        (each.PatientID, each.IssuerOfPatientID, each.IssuerOfPatientIDQualifiersSequence[0]
         .UniversalEntityID)
        for each in item.OtherPatientIDsSequence
    ] == [("T-1", "HOSPITAL", "1.2.40.0.13.8"), ("N-9", "NATION", "1.2.40.0.10.1")]  # fmt: skip


@pytest.mark.proves("MADO-025", "MADO-028")
def test_a_missing_accession_number_is_made_and_stays_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    first, again = reread(made([path])), reread(made([path]))
    assert first.AccessionNumber == again.AccessionNumber
    assert 0 < len(first.AccessionNumber) <= 16
    assert first.ReferencedRequestSequence[0].AccessionNumber == first.AccessionNumber
    assert first.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.40.0.13.9"
    other = write(tmp_path / "b", StudyInstanceUID="1.2.4")
    assert made([other]).AccessionNumber != first.AccessionNumber
    assert "ReferencedRequestSequence" not in made([path], mado=None)


@pytest.mark.proves("MADO-025", "MADO-030")
def test_an_order_without_accession_number_gets_the_one_that_is_made(tmp_path: Path) -> None:
    asked = Dataset()
    asked.PlacerOrderNumberImagingServiceRequest = "P-5"
    item = reread(made([write(tmp_path / "a", RequestAttributesSequence=Sequence([asked]))]))
    [request] = item.ReferencedRequestSequence
    assert request.PlacerOrderNumberImagingServiceRequest == "P-5"
    assert request.OrderPlacerIdentifierSequence[0].UniversalEntityID == "1.2.40.0.13.10"
    assert request.AccessionNumber == item.AccessionNumber != ""


@pytest.mark.proves("MADO-035")
@pytest.mark.parametrize(
    ("dialect", "tag"), [(mado.TRIAL, 0x000D1001), (TITLED, 0x0040E012), (None, 0x000D1001)]
)
def test_viewer_stands_where_its_dialect_has_it(
    dialect: mado.Dialect | None, tag: int, tmp_path: Path
) -> None:
    url = "https://viewer.example/show?study=1.2.3"
    item = made([write(tmp_path / "a")], mado=dialect, viewer_url=url)
    [study] = reread(item).CurrentRequestedProcedureEvidenceSequence
    assert study[tag].value == url
    if tag == 0x000D1001:
        assert study[0x000D0010].value == "IHE_MADO_PRIVATE"
    assert [each.viewer_url for each in read(item).studies] == [url]


@pytest.mark.parametrize(
    ("wishes", "text"),
    [
        ({"mado": mado.DIALECTS["dicom"]}, "no code in the dialect 'dicom' yet"),
        ({"viewer_url": "file:///etc"}, "viewer URL"),
    ],
)
@pytest.mark.proves("MADO-040")
def test_a_wish_that_cannot_be_written_is_refused(
    wishes: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=text):
        made([write(tmp_path / "a")], **wishes)


@pytest.mark.proves(
    "MADO-050", "MADO-051", "MADO-052", "MADO-053", "MADO-054", "MADO-055", "MADO-056", "MADO-057",
    "MADO-060", "MADO-061", "MADO-062", "MADO-063", "MADO-070", "MADO-071", "MADO-130", "MADO-131",
    "MADO-132", "MADO-133", "MADO-134", "MADO-135", "MADO-136", "MADO-137", "MADO-139", "MADO-141",
    "MADO-142", "MADO-151", "MADO-157",
)  # fmt: skip
@pytest.mark.parametrize("dialect", DIALECTS, ids=NAMES)
def test_descriptors_are_those_of_the_images(rich: list[Path], dialect: mado.Dialect) -> None:
    item = made(rich, mado=dialect)
    manifest = read(item)
    assert manifest.sop_instance_uid == item.SOPInstanceUID
    assert (manifest.study_date, manifest.study_time, manifest.timezone) == (
        "20260301", "081500", "+0100",
    )  # fmt: skip
    assert manifest.study_description == "Schädel nativ"
    assert manifest.descriptors == StudyDescriptors(
        modalities=("CT",),
        regions=(
            CodedConcept("774007", "SCT", "Head and neck"),
            CodedConcept("61685007", "SCT", "Lower limb"),
        ),
        procedures=(CodedConcept("30799-1", "LN", "CT Head"),),
        series_count=3,
        series=(
            SeriesDescriptor(
                "1.2.3.1", (InstanceDescriptor(CT, "1.2.3.1.1", "1", 12),), "CT", "20260301",
                "081600", "Schädel", "1", (CodedConcept("69536005", "SCT", "Head"),), None, 1,
            ),
            SeriesDescriptor(
                "1.2.3.2", (InstanceDescriptor(CT, "1.2.3.2.1", "1"),), "CT", number="2",
                regions=(CodedConcept("72696002", "SCT", "Knee"),),
                laterality=CodedConcept("7771000", "SCT", "Left"), instance_count=1,
            ),
            SeriesDescriptor(
                "1.2.3.3",
                (
                    InstanceDescriptor(
                        KO, "1.2.3.3.1", "1", None,
                        CodedConcept("113002", "DCM", "For Referring Provider"), "Blutung links",
                    ),
                ),
                "KO", number="3", instance_count=1,
            ),
        ),
        dialect=dialect.name,
    )  # fmt: skip
    assert list(contradictions(manifest)) == []
    listed = [each.reference for each in manifest.content if each.reference]
    assert listed == [each for _, _, each in manifest.references()]


@pytest.mark.proves("MADO-055", "MADO-134")
def test_an_unknown_body_part_stays_a_text(tmp_path: Path) -> None:
    told = read(made([write(tmp_path / "a", BodyPartExamined="SNOUT")])).descriptors
    assert told is not None
    assert (told.regions, told.series[0].regions) == ((), (CodedConcept("", "", "SNOUT"),))


@pytest.mark.filterwarnings("ignore:The value length")
def test_a_code_of_any_length_is_written(tmp_path: Path) -> None:
    codes = Sequence([code("9" * 40, "L" * 70_000, "M" * 70_000)])
    path = write(tmp_path / "a", "1.2.840.10008.1.2", ProcedureCodeSequence=codes)
    told = read(made([path], mado=TITLED)).descriptors
    assert told is not None
    assert told.procedures == (CodedConcept("9" * 40, "L" * 16, "M" * 64),)


@pytest.mark.proves("MADO-105", "MADO-106", "MADO-135", "MADO-110")
def test_entry_of_a_manifest_is_filled_from_its_descriptors(
    rich: list[Path], tmp_path: Path
) -> None:
    kos.write_manifest(made(rich), tmp_path / "kos.dcm")
    facts = describe(tmp_path / "kos.dcm")
    assert facts.modalities == ("CT",)
    assert [each.code for each in facts.regions] == ["774007", "61685007"]
    assert facts.type_code == ("30799-1", "2.16.840.1.113883.6.1", "CT Head")
    assert [each.institution for each in facts.authors] == [
        "Hospital of Nowhere^^^^^^^^^1.2.40.0.13.11"
    ]


# --- round trip

WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20
)
UIDS = st.lists(st.integers(0, 10**9), min_size=2, max_size=5).map(lambda a: f"1.{a[0]}.{a[1]}")
CODES = st.builds(CodedConcept, WORDS, WORDS.map(lambda w: w[:16]), WORDS)
COUNTS = st.integers(0, 10**9)
INSTANCES = st.builds(
    InstanceDescriptor, UIDS, UIDS, st.just("") | WORDS, st.none() | COUNTS, st.none() | CODES,
    st.just("") | WORDS,
)  # fmt: skip
SERIES = st.builds(
    SeriesDescriptor,
    UIDS,
    st.lists(INSTANCES, max_size=3).map(tuple),
    st.sampled_from(["", "CT", "US", "KO"]),
    st.sampled_from(["", "20260301"]),
    st.sampled_from(["", "0815", "081500.123"]),
    st.just("") | WORDS,
    st.just("") | WORDS,
    st.lists(CODES | st.builds(CodedConcept, st.just(""), st.just(""), WORDS), max_size=2).map(
        tuple
    ),
    st.none() | CODES,
    st.none() | COUNTS,
)
DESCRIPTORS = st.builds(
    StudyDescriptors,
    st.lists(st.sampled_from(["CT", "MR", "US"]), unique=True).map(tuple),
    st.lists(CODES, max_size=2, unique=True).map(tuple),
    st.lists(CODES, max_size=2).map(tuple),
    st.none() | COUNTS,
    st.lists(SERIES, max_size=3).map(tuple),
)
SMALL = StudyHeader(
    "1.2.3",
    PatientHeader(IssuedId("T-1")),
    (SeriesHeader("1.2.3.1", (InstanceHeader(CT, "1.2.3.1.1"),)),),
)


def manifest_with(descriptors: StudyDescriptors, dialect: mado.Dialect) -> Dataset:
    item = kos.manifest_of(SMALL, retrieve_location_uid="1.2.3.7", mado=dialect)
    ahead, behind = root_items(descriptors, dialect)
    put_raw(item, dicom.CONTENT_SEQUENCE, ahead + kostree.content((SMALL,)) + behind)
    return item


@settings(max_examples=60, deadline=None)
@given(DESCRIPTORS, st.sampled_from(DIALECTS))
@pytest.mark.proves("MADO-150", "MADO-151")
def test_descriptors_written_are_read(descriptors: StudyDescriptors, dialect: mado.Dialect) -> None:
    found = read(manifest_with(descriptors, dialect)).descriptors
    assert found is not None
    assert replace(found, dialect=dialect.name) == replace(descriptors, dialect=dialect.name)
    assert found.dialect in (dialect.name, "")  # DICOM's own has no title that would tell


# --- the public samples


@pytest.mark.proves(
    "MADO-035", "MADO-056", "MADO-061", "MADO-072", "MADO-150", "MADO-151", "KOS-074",
)  # fmt: skip
def test_sample_in_trial_codes(shared: Path) -> None:
    manifest = kos.read_manifest(shared / "samples" / "mado" / "ihe-mado-kos-a.dcm")
    told = manifest.descriptors
    assert told is not None
    assert (told.dialect, told.modalities, told.series_count) == ("trial", ("CT",), 2)
    assert told.regions == (CodedConcept("38266002", "SCT", "Entire body as a whole"),)
    first, second = told.series
    assert (first.description, first.number, first.date, first.time) == (
        "Series A1", "1", "20220822", "164758.337000",
    )  # fmt: skip
    assert (first.instance_count, len(first.instances)) == (50, 50)
    assert (second.instance_count, len(second.instances)) == (36, 36)
    assert [each.number for each in first.instances] == [str(n) for n in range(1, 51)]
    assert manifest.studies[0].viewer_url.startswith("https://dicomviewer/IHEInvokeImageDisplay")
    assert {each.rule for each in told.departures} == {"MADO-056", "MADO-061", "MADO-072"}
    assert [each.rule for each in contradictions(manifest)] == ["MADO-024"]


@pytest.mark.proves("MADO-035", "MADO-074", "MADO-150", "MADO-151")
@pytest.mark.filterwarnings("ignore")
def test_sample_in_placeholder_codes(shared: Path) -> None:
    binary = json.loads(
        (shared / "samples" / "mado" / "ihe-study101-kos-binary.json").read_text("utf-8")
    )
    manifest = kos.read_manifest(base64.b64decode(binary["data"]))
    told = manifest.descriptors
    assert told is not None
    assert (told.dialect, told.modalities, told.series_count) == ("placeholder", ("CT",), 2)
    assert [each.value for each in told.regions] == ["774007"]
    assert told.procedures == (CodedConcept("", "", "CT HEAD"),)
    assert [(each.description, each.instance_count) for each in told.series] == [
        ("Series A2", 36),
        ("Series A1", 50),
    ]
    assert (manifest.patient.id.value, manifest.study_instance_uid) == (
        "UV59569735",
        "1.2.250.1.59.40211.22756022.2.1.101",
    )
    assert {series.retrieve_location_uid for _, series, _ in manifest.references()} == {"ACME"}
    assert len([each for each in manifest.content if each.reference]) == 86
    assert {each.rule for each in told.departures} == {"MADO-072", "MADO-074"}


@pytest.mark.proves("MADO-150", "MADO-006")
@pytest.mark.parametrize("name", ["hl7eu-kos-us-manifest.dcm", "hl7eu-kos-mr-of-interest.dcm"])
def test_plain_samples_have_no_descriptors(shared: Path, name: str) -> None:
    manifest = kos.read_manifest(shared / "samples" / "mado" / name)
    assert manifest.descriptors is None
    assert list(remarks(manifest)) == []


# --- what is missing, contradicts, or is written another way


def library(item: Dataset) -> Dataset:
    return item.ContentSequence[-1]


def group(item: Dataset) -> Dataset:
    return next(
        each for each in library(item).ContentSequence
        if each.ConceptNameCodeSequence[0].CodeValue == "126200"
    )  # fmt: skip


def of(container: Dataset, value: str) -> Dataset:
    return next(
        each for each in container.ContentSequence
        if "ConceptNameCodeSequence" in each and each.ConceptNameCodeSequence[0].CodeValue == value
    )  # fmt: skip


def drop(container: Callable[[Dataset], Dataset], value: str) -> Callable[[Dataset], None]:
    def harm(item: Dataset) -> None:
        container(item).ContentSequence.remove(of(container(item), value))

    return harm


def delete(name: str) -> Callable[[Dataset], None]:
    return lambda item: delattr(item, name)


def recount(container: Callable[[Dataset], Dataset], value: str) -> Callable[[Dataset], None]:
    def harm(item: Dataset) -> None:
        of(container(item), value).MeasuredValueSequence[0].NumericValue = "9"

    return harm


def as_tuple(item: Dataset) -> None:
    count = of(group(item), "MADOTEMP007")
    del count.MeasuredValueSequence
    count.ValueType, count.TextValue = "TEXT", '(1, UCUM, "instances")'


def beside(item: Dataset) -> None:
    content = group(item).ContentSequence
    content.insert(len(content) - 1, content[-1].ContentSequence[0])
    del content[-1].ContentSequence


def wrap(item: Dataset) -> None:
    root = Dataset()
    root.ValueType, root.ContentSequence = "CONTAINER", item.ContentSequence
    root.ConceptNameCodeSequence = item.ConceptNameCodeSequence
    item.ContentSequence = Sequence([root])


def also_ko(item: Dataset) -> None:
    again = pydicom.Dataset.from_json(of(library(item), "121139").to_json())
    again.ConceptCodeSequence[0].CodeValue = "KO"
    library(item).ContentSequence.insert(0, again)


def another_instance(item: Dataset) -> None:
    more = pydicom.Dataset.from_json(group(item).ContentSequence[-1].to_json())
    more.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3.99"
    group(item).ContentSequence.append(more)


def unlabelled(item: Dataset) -> None:
    for each in library(item).ContentSequence:
        del each.RelationshipType


def underscored(item: Dataset) -> None:
    of(library(item), "121139").RelationshipType = "HAS_ACQ_CONTEXT"


DAMAGES: dict[str, tuple[str, Callable[[Dataset], None]]] = {
    "no Patient ID": ("MADO-020", lambda item: setattr(item, "PatientID", "")),
    "no issuer": ("MADO-021", delete("IssuerOfPatientIDQualifiersSequence")),
    "no other ids": ("MADO-023", delete("OtherPatientIDsSequence")),
    "no study time": ("MADO-024", delete("StudyTime")),
    "study date of today": ("MADO-024", lambda item: setattr(item, "StudyDate", "20290101")),
    "no accession issuer": ("MADO-026", delete("IssuerOfAccessionNumberSequence")),
    "no institution": ("MADO-027", delete("InstitutionName")),
    "no request": ("MADO-028", delete("ReferencedRequestSequence")),
    "no zone": ("MADO-031", delete("TimezoneOffsetFromUTC")),
    "no library": ("MADO-040", lambda item: item.ContentSequence.pop()),
    "no study modality": ("MADO-132", drop(library, "121139")),
    "no study region": ("MADO-134", drop(library, "123014")),
    "no series count": ("MADO-045", drop(library, "MADOTEMP009")),
    "another series count": ("MADO-045", recount(library, "MADOTEMP009")),
    "no modality": ("MADO-050", drop(group, "121139")),
    "no date": ("MADO-051", drop(group, "MADOTEMP003")),
    "no description": ("MADO-052", drop(group, "MADOTEMP002")),
    "no number": ("MADO-053", drop(group, "113607")),
    "no region": ("MADO-055", drop(group, "123014")),
    "no instance count": ("MADO-056", drop(group, "MADOTEMP007")),
    "another instance count": ("MADO-056", recount(group, "MADOTEMP007")),
    "count as text": ("MADO-056", as_tuple),
    "number beside": ("MADO-061", beside),
    "no instance number": ("MADO-061", lambda item: delattr(
        group(item).ContentSequence[-1], "ContentSequence")),
    "instance beyond the tree": ("MADO-070", another_instance),
    "no continuity": ("MADO-072", lambda item: delattr(library(item), "ContinuityOfContent")),
    "second root": ("MADO-074", wrap),
    "no relationship": ("MADO-074", unlabelled),
    "underscores": ("MADO-074", underscored),
    "KO as modality": ("MADO-105", also_ko),
    "one group less": ("MADO-076", lambda item: library(item).ContentSequence.pop()),
}  # fmt: skip


@pytest.fixture
def simple(tmp_path: Path) -> Dataset:
    """Nothing to remark."""
    path = write(
        tmp_path / "a", StudyDate="20260301", StudyTime="0815", SeriesDate="20260301",
        SeriesTime="0816", SeriesDescription="Head", BodyPartExamined="HEAD", AccessionNumber="A1",
    )  # fmt: skip
    item = reread(made([path], now=datetime(2026, 3, 2, tzinfo=UTC)))
    assert list(remarks(kos.read_manifest(bytes_of(item)))) == []
    return item


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.proves(
    "MADO-020", "MADO-021", "MADO-023", "MADO-024", "MADO-026", "MADO-027", "MADO-028", "MADO-031",
    "MADO-040", "MADO-045", "MADO-050", "MADO-051", "MADO-052", "MADO-053", "MADO-055", "MADO-056",
    "MADO-061", "MADO-070", "MADO-072", "MADO-074", "MADO-076", "MADO-105", "MADO-132", "MADO-134",
    "MADO-151", "MADO-153",
)  # fmt: skip
def test_what_is_amiss_is_told(damage: str, simple: Dataset) -> None:
    rule, harm = DAMAGES[damage]
    whole = kos.read_manifest(bytes_of(simple))
    harm(simple)
    manifest = kos.read_manifest(bytes_of(simple))
    assert rule in {each.rule for each in remarks(manifest)}
    if damage in ("count as text", "number beside", "second root", "no relationship",
                  "underscores", "no continuity"):  # fmt: skip
        assert whole.descriptors is not None
        assert manifest.descriptors is not None
        assert replace(manifest.descriptors, departures=()) == whole.descriptors


@pytest.mark.filterwarnings("ignore:.*VR UI")
def test_uids_written_as_urns_and_names_without_character_set_are_read(simple: Dataset) -> None:
    simple.PatientName = "Größe^Jürgen"
    simple.StudyInstanceUID = "urn:oid:1.2.3"
    [evidence] = simple.CurrentRequestedProcedureEvidenceSequence
    evidence.StudyInstanceUID = "urn:oid:1.2.3"
    content = bytes_of(simple).replace(b"\x08\0\x05\0CS", b"\x08\0\x04\0CS")
    manifest = kos.read_manifest(content)
    assert manifest.patient.name == "Größe^Jürgen"
    assert (manifest.study_instance_uid, manifest.studies[0].study_instance_uid) == (
        "1.2.3",
        "1.2.3",
    )


@pytest.mark.proves("MADO-054")
def test_a_group_that_does_not_name_its_series_is_known_by_its_instances(simple: Dataset) -> None:
    drop(group, "112002")(simple)
    told = kos.read_manifest(bytes_of(simple)).descriptors
    assert told is not None
    assert told.series[0].series_instance_uid == "1.2.3.1"


@pytest.mark.proves("MADO-012", "MADO-071")
def test_a_described_manifest_is_of_one_study(tmp_path: Path) -> None:
    studies = [
        replace(SMALL, study_instance_uid=uid, series=(replace(SMALL.series[0]),))
        for uid in ("1.2.3", "1.2.4")
    ]
    with pytest.raises(ValueError, match="MADO-012"):
        kos.identical_manifests(studies, retrieve_location_uid="1.2.3.7", mado=mado.TRIAL)
    manifest = replace(
        read(kos.manifest_of(SMALL, retrieve_location_uid="1.2.3.7", mado=mado.TRIAL)),
        studies=read(kos.manifest_of(SMALL, retrieve_location_uid="1.2.3.7")).studies * 2,
    )
    assert "MADO-012" in {each.rule for each in contradictions(manifest)}


@pytest.mark.proves("MADO-132")
def test_a_study_without_acquisition_says_what_it_has() -> None:
    series = replace(SMALL.series[0], modality="SR")
    assert descriptors_of(replace(SMALL, series=(series,))).modalities == ("SR",)
    both = (series, replace(series, series_instance_uid="1.2.3.2", modality="MR"))
    assert descriptors_of(replace(SMALL, series=both)).modalities == ("MR",)
