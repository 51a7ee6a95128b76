"""Manifests: made from real studies, judged by foreign tools, read back; foreign ones read."""

import io
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.wire.studies import CT, FOLDER, SR, code, issuer, pydicom_studies, write
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import CodedConcept, IssuedId, Manifest, ManifestInstance, PatientHeader
from xdsi.model.study import InstanceHeader, SeriesHeader, StudyHeader
from xdsi.model.values import is_oid
from xdsi.standard import dicom
from xdsi.wire import kos
from xdsi.wire.dicomfile import Limits

NOW = datetime(2026, 3, 4, 22, 30, 15, tzinfo=UTC)
WHERE = {"retrieve_location_uid": "1.2.40.0.13.7", "retrieve_ae_title": "XDSI"}
SITE = kos.Site(
    institution_name="Hospital of Nowhere",
    patient_id_issuer="1.2.40.0.13.8",
    accession_issuer="1.2.40.0.13.9",
    order_issuer="1.2.40.0.13.10",
)
STUDIES = pydicom_studies()
# what dsrdump says about every manifest (KOS-090)
CONSTANT = {
    "W: The VR checker does not support this Specific Character Set: ISO_IR 192",
    "W: Check for template constraints not yet supported",
}


def made(files: list[Path], **options: object) -> Dataset:
    return kos.make_manifest(files, **{**WHERE, "now": NOW, "site": SITE, **options})  # type: ignore[arg-type]


def bytes_of(item: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    item.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    out = io.BytesIO()
    pydicom.dcmwrite(out, item, enforce_file_format=True)
    return out.getvalue()


def reread(item: Dataset) -> Dataset:
    """As pydicom sees the written file."""
    return pydicom.dcmread(io.BytesIO(kos.manifest_bytes(item)))


def judged(program: str, path: Path) -> tuple[int, list[str]]:
    done = subprocess.run([program, str(path)], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    return done.returncode, [line for line in lines if line.strip()]


@pytest.fixture
def numbered(tmp_path: Path) -> list[Path]:
    """A study of two series with every attribute a manifest takes over, in no order."""
    request = Dataset()
    request.AccessionNumber = "A-77"
    request.IssuerOfAccessionNumberSequence = Sequence([issuer("1.2.40.0.13.99")])
    request.PlacerOrderNumberImagingServiceRequest = "P-5"
    request.RequestedProcedureID = "RP1"
    request.RequestedProcedureDescription = "CT Schädel"
    request.RequestedProcedureCodeSequence = Sequence([code("30799-1", "LN", "CT Head")])
    common = {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Größe^Jürgen",
        "PatientBirthDate": "19610203",
        "PatientSex": "M",
        "StudyDate": "20260301",
        "StudyTime": "081500",
        "TimezoneOffsetFromUTC": "+0100",
        "StudyDescription": "Schädel nativ",
        "StudyID": "S1",
        "ReferringPhysicianName": "Haus^Anna^^Dr.",
        "SeriesDate": "19990101",
        "ContentDate": "19990102",
        "ContentTime": "010203",
        "RequestAttributesSequence": Sequence([request]),
    }
    rows = [("2", "10"), ("2", "9"), ("1", "2"), ("1", "1"), ("1", "10")]
    return [
        write(
            tmp_path / f"{series}-{number}.dcm",
            SeriesInstanceUID=f"1.2.3.{series}",
            SOPInstanceUID=f"1.2.3.{series}.{number}",
            SeriesNumber=series,
            InstanceNumber=number,
            **common,
        )
        for series, number in rows
    ]


# --- foreign judges


@pytest.mark.needs("dciodvfy")
@pytest.mark.proves("KOS-090")
@pytest.mark.parametrize("name", STUDIES)
def test_dciodvfy_finds_no_error(name: str, tmp_path: Path) -> None:
    kos.write_manifest(made(STUDIES[name]), tmp_path / "kos.dcm")
    status, lines = judged("dciodvfy", tmp_path / "kos.dcm")
    assert (status, [line for line in lines if line.startswith("Error")]) == (0, [])
    assert "KeyObjectSelectionDocument" in lines


@pytest.mark.needs("dsrdump")
@pytest.mark.proves("KOS-090", "KOS-105")
@pytest.mark.parametrize("name", STUDIES)
def test_dsrdump_says_its_two_constant_lines(name: str, tmp_path: Path) -> None:
    kos.write_manifest(made(STUDIES[name]), tmp_path / "kos.dcm")
    status, lines = judged("dsrdump", tmp_path / "kos.dcm")
    assert {line for line in lines if line[:3] in ("E: ", "W: ", "F: ")} == CONSTANT
    assert status == 0


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.proves("KOS-090", "KOS-045")
def test_both_accept_requests_with_orders(numbered: list[Path], tmp_path: Path) -> None:
    kos.write_manifest(made(numbered), tmp_path / "kos.dcm")
    status, lines = judged("dciodvfy", tmp_path / "kos.dcm")
    assert (status, [line for line in lines if line.startswith("Error")]) == (0, [])
    assert {line for line in judged("dsrdump", tmp_path / "kos.dcm")[1] if line[1:2] == ":"} == (
        CONSTANT
    )


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.proves("KOS-091")
def test_retrieve_url_is_a_warning_of_dciodvfy_only(tmp_path: Path) -> None:
    item = made(STUDIES["CT_small.dcm"], retrieve_url="https://images.example/dicom-web")
    kos.write_manifest(item, tmp_path / "kos.dcm")
    status, lines = judged("dciodvfy", tmp_path / "kos.dcm")
    assert status == 0
    assert [line for line in lines if "Retrieve URL" in line and "not present" in line]
    assert {line for line in judged("dsrdump", tmp_path / "kos.dcm")[1] if line[1:2] == ":"} == (
        CONSTANT
    )


def without(name: str) -> Callable[[Dataset], None]:
    return lambda item: delattr(item, name)


def within(name: str, value: object) -> Callable[[Dataset], None]:
    return lambda item: setattr(item, name, value)


def first_series(item: Dataset) -> Dataset:
    [study] = item.CurrentRequestedProcedureEvidenceSequence
    return study.ReferencedSeriesSequence[0]


def drop_places(item: Dataset) -> None:
    for series in item.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence:
        del series.RetrieveLocationUID, series.RetrieveAETitle


def drop_issuers(item: Dataset) -> None:
    del item.IssuerOfAccessionNumberSequence
    del item.ReferencedRequestSequence[0].IssuerOfAccessionNumberSequence


def another_study(item: Dataset) -> None:
    other = made(STUDIES["MR_small.dcm"])
    for name in ("CurrentRequestedProcedureEvidenceSequence", "ContentSequence"):
        item[name].value.extend(other[name].value)


# What is wrong -> how to do it, whether dciodvfy finds an error, exit code of dsrdump and the worst
# line of its own (F, E or W). Rows that nobody finds need checks of our own.
DAMAGES: dict[str, tuple[Callable[[Dataset], object], bool, int, str]] = {
    "KOS-093 content beyond CRPES": (
        lambda item: first_series(item).ReferencedSOPSequence.pop(), True, 0, ""),
    "KOS-093 no CRPES": (without("CurrentRequestedProcedureEvidenceSequence"), True, 0, ""),
    "KOS-093 empty CRPES": (
        within("CurrentRequestedProcedureEvidenceSequence", Sequence()), True, 0, "W"),
    "KOS-094 CRPES beyond content": (lambda item: item.ContentSequence.pop(), False, 0, ""),
    "KOS-095 no place": (drop_places, False, 0, ""),
    "KOS-096 another title": (
        within("ConceptNameCodeSequence", Sequence([code("113000", "DCM", "Of Interest")])),
        False, 0, ""),
    "KOS-096 unknown title": (
        within("ConceptNameCodeSequence", Sequence([code("X1", "99TEST", "Something")])),
        False, 0, ""),
    "KOS-097 another modality": (within("Modality", "CT"), True, 0, "E"),
    "KOS-097 no modality": (without("Modality"), True, 1, "F"),
    "KOS-098 no Instance Number": (without("InstanceNumber"), True, 0, "W"),
    "KOS-098 no Content Date": (without("ContentDate"), True, 0, "W"),
    "KOS-098 no Referenced PPS": (
        without("ReferencedPerformedProcedureStepSequence"), True, 0, "W"),
    "KOS-098 no Requested Procedure ID": (
        lambda item: delattr(item.ReferencedRequestSequence[0], "RequestedProcedureID"),
        True, 0, ""),
    "KOS-099 no Continuity": (without("ContinuityOfContent"), True, 1, "F"),
    "KOS-100 CONTINUOUS": (within("ContinuityOfContent", "CONTINUOUS"), False, 0, ""),
    "KOS-100 no template": (without("ContentTemplateSequence"), False, 0, "W"),
    "KOS-101 leading zero": (within("SeriesInstanceUID", "1.2.03"), True, 0, "W"),
    "KOS-102 series of the images": (
        lambda item: setattr(item, "SeriesInstanceUID", first_series(item).SeriesInstanceUID),
        False, 0, ""),
    "KOS-103 no issuer": (drop_issuers, False, 0, ""),
    "KOS-103 no Identical Documents": (another_study, False, 0, ""),
    "KOS-104 no content": (within("ContentSequence", Sequence()), True, 0, ""),
}  # fmt: skip


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.filterwarnings("ignore:.*VR UI")
@pytest.mark.proves(
    "KOS-063",
    "KOS-093",
    "KOS-094",
    "KOS-095",
    "KOS-096",
    "KOS-097",
    "KOS-098",
    "KOS-099",
    "KOS-100",
    "KOS-101",
    "KOS-102",
    "KOS-103",
    "KOS-104",
    "KOS-105",
)
def test_what_the_judges_find_and_what_not(
    damage: str, numbered: list[Path], tmp_path: Path
) -> None:
    harm, is_error, status, letter = DAMAGES[damage]
    item = made(numbered)
    harm(item)
    kos.write_manifest(item, tmp_path / "kos.dcm")
    found, lines = judged("dciodvfy", tmp_path / "kos.dcm")
    assert (found, any(line.startswith("Error") for line in lines)) == (int(is_error), is_error)
    found, lines = judged("dsrdump", tmp_path / "kos.dcm")
    own = {line[0] for line in lines if line[1:3] == ": " and line not in CONSTANT}
    worst = next((each for each in "FEW" if each in own), "")
    assert (found, worst) == (status, letter), lines


# --- made manifests


@pytest.mark.proves("KOS-001", "KOS-002", "KOS-003", "KOS-012", "KOS-017", "KOS-083", "IMG-013")
def test_file_is_a_key_object_selection_in_explicit_little_endian() -> None:
    content = kos.manifest_bytes(made(STUDIES["CT_small.dcm"]))
    item = pydicom.dcmread(io.BytesIO(content))
    assert content[128:132] == b"DICM"
    assert item.SOPClassUID == item.file_meta.MediaStorageSOPClassUID == dicom.KEY_OBJECT_SELECTION
    assert item.SOPInstanceUID == item.file_meta.MediaStorageSOPInstanceUID
    assert item.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert item.file_meta.ImplementationClassUID
    assert item.Modality == "KO"


@pytest.mark.proves("KOS-004", "KOS-005", "KOS-028", "KOS-029", "KOS-030", "KOS-070")
def test_root_is_a_manifest_container_of_template_2010() -> None:
    item = reread(made(STUDIES["CT_small.dcm"]))
    assert (item.ValueType, item.ContinuityOfContent) == ("CONTAINER", "SEPARATE")
    [title] = item.ConceptNameCodeSequence
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == (
        "113030",
        "DCM",
        "Manifest",
    )
    [template] = item.ContentTemplateSequence
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "2010")


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.proves(
    "KOS-007", "KOS-008", "KOS-009", "KOS-032", "KOS-050", "KOS-051", "KOS-052", "KOS-054"
)
def test_tree_names_every_instance_of_the_study_once(name: str) -> None:
    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path in STUDIES[name]]
    item = reread(made(STUDIES[name]))
    [study] = item.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == item.StudyInstanceUID == sources[0].StudyInstanceUID
    series = [each.SeriesInstanceUID for each in study.ReferencedSeriesSequence]
    assert len(series) == len(set(series))
    assert item.SeriesInstanceUID not in series
    listed = [
        (each.SeriesInstanceUID, one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for each in study.ReferencedSeriesSequence
        for one in each.ReferencedSOPSequence
    ]
    expected = {(each.SeriesInstanceUID, each.SOPClassUID, each.SOPInstanceUID) for each in sources}
    assert sorted(listed) == sorted(expected)
    assert item.SOPInstanceUID not in {uid for _, _, uid in listed}
    assert {each.RetrieveLocationUID for each in study.ReferencedSeriesSequence} == {
        "1.2.40.0.13.7"
    }
    assert {each.RetrieveAETitle for each in study.ReferencedSeriesSequence} == {"XDSI"}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.proves("KOS-034", "KOS-075", "KOS-077", "KOS-078")
def test_content_and_evidence_name_the_same_instances(name: str) -> None:
    item = reread(made(STUDIES[name]))
    [study] = item.CurrentRequestedProcedureEvidenceSequence
    evidence = [
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for each in study.ReferencedSeriesSequence
        for one in each.ReferencedSOPSequence
    ]
    content = [
        (one.ReferencedSOPSequence[0].ReferencedSOPClassUID,
         one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for one in item.ContentSequence
    ]  # fmt: skip
    assert content == evidence
    assert {one.RelationshipType for one in item.ContentSequence} == {"CONTAINS"}
    assert not any("ConceptNameCodeSequence" in one for one in item.ContentSequence)
    assert not any("ContentSequence" in one for one in item.ContentSequence)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CT_small.dcm", "IMAGE"),
        ("examples_ybr_color.dcm", "IMAGE"),
        ("liver_1frame.dcm", "IMAGE"),
        ("waveform_ecg.dcm", "WAVEFORM"),
        ("rtplan.dcm", "COMPOSITE"),
        ("reportsi.dcm", "COMPOSITE"),
        ("rtdose.dcm", "COMPOSITE"),
    ],
)
@pytest.mark.proves("KOS-076")
def test_value_type_follows_the_sop_class(name: str, kind: str) -> None:
    assert [each.ValueType for each in made(STUDIES[name]).ContentSequence] == [kind]


@pytest.mark.proves("KOS-076")
def test_table_of_classes_knows_every_image_and_waveform_of_the_dictionary() -> None:
    root = "1.2.840.10008.5.1.4.1.1."
    names = {
        uid: row[0]
        for uid, row in pydicom._uid_dict.UID_dictionary.items()
        if row[1] == "SOP Class" and uid.startswith(root)
    }
    images = {uid for uid, name in names.items() if "Image Storage" in name}
    waveforms = {uid for uid, name in names.items() if "Waveform Storage" in name}
    assert images <= set(dicom.IMAGE_STORAGE)
    assert waveforms == set(dicom.WAVEFORM_STORAGE)
    assert set(dicom.IMAGE_STORAGE) <= set(names)
    assert dicom.value_type("1.2.40.0.13.private.class") == "COMPOSITE"
    assert set(dicom.MODALITY_OF_CLASS.values()) <= dicom.ACQUISITION_MODALITIES


@pytest.mark.proves(
    "KOS-010",
    "KOS-013",
    "KOS-014",
    "KOS-018",
    "KOS-019",
    "KOS-020",
    "KOS-021",
    "KOS-023",
    "KOS-024",
    "KOS-026",
    "KOS-081",
)
def test_header_is_the_study_of_the_images_in_utf8(numbered: list[Path]) -> None:
    item = reread(made(numbered))
    assert item.SpecificCharacterSet == "ISO_IR 192"
    assert (item.PatientName, item.PatientID) == ("Größe^Jürgen", "T-1")
    assert (item.PatientBirthDate, item.PatientSex) == ("19610203", "M")
    assert (item.StudyDate, item.StudyTime) == ("20260301", "081500")
    assert (item.StudyID, item.StudyDescription) == ("S1", "Schädel nativ")
    assert item.ReferringPhysicianName == "Haus^Anna^^Dr."
    assert (item.Manufacturer, item.InstitutionName) == ("xdsi", "Hospital of Nowhere")
    [patient_issuer] = item.IssuerOfPatientIDQualifiersSequence
    assert patient_issuer.UniversalEntityID == "1.2.40.0.13.8"
    assert patient_issuer.UniversalEntityIDType == "ISO"
    # 22:30 UTC is half past eleven in the zone of the images, and so are all times of the manifest
    assert item.TimezoneOffsetFromUTC == "+0100"
    assert (item.ContentDate, item.ContentTime) == ("20260304", "233015")
    assert "SeriesDate" not in item


@pytest.mark.proves("KOS-011", "KOS-020")
def test_creation_time_crosses_midnight_with_its_zone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", TimezoneOffsetFromUTC="+0530")
    item = made([path])
    assert (item.InstanceCreationDate, item.InstanceCreationTime) == ("20260305", "040015")
    assert item.TimezoneOffsetFromUTC == "+0530"
    path = write(tmp_path / "b.dcm")
    assert made([path]).TimezoneOffsetFromUTC == "+0000"


@pytest.mark.proves("KOS-022", "KOS-041", "KOS-082", "KOS-025", "KOS-027")
def test_type_2_attributes_stand_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", AccessionNumber="A1", PatientName="")
    item = reread(made([path]))
    for name in (
        "StudyDate", "StudyTime", "ReferringPhysicianName", "PatientName", "PatientBirthDate",
        "PatientSex", "StudyID",
    ):  # fmt: skip
        assert name in item
        assert not item[name].value
    assert len(item.ReferencedPerformedProcedureStepSequence) == 0
    [request] = item.ReferencedRequestSequence
    assert len(request.ReferencedStudySequence) == 0
    assert request.RequestedProcedureID is None or request.RequestedProcedureID == ""
    assert "RequestedProcedureID" in request
    assert (item.SeriesNumber, item.InstanceNumber) == (1, 1)


@pytest.mark.proves(
    "KOS-015",
    "KOS-016",
    "KOS-031",
    "KOS-040",
    "KOS-042",
    "KOS-043",
    "KOS-044",
    "KOS-046",
    "KOS-047",
)
def test_one_request_stands_in_the_header_and_in_its_sequence(numbered: list[Path]) -> None:
    item = reread(made(numbered))
    assert item.AccessionNumber == "A-77"
    assert item.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.40.0.13.99"
    [request] = item.ReferencedRequestSequence
    assert request.StudyInstanceUID == "1.2.3"
    assert (request.AccessionNumber, request.PlacerOrderNumberImagingServiceRequest) == (
        "A-77",
        "P-5",
    )
    assert request.OrderPlacerIdentifierSequence[0].UniversalEntityID == "1.2.40.0.13.10"
    assert request.FillerOrderNumberImagingServiceRequest == ""
    assert request.RequestedProcedureID == "RP1"
    assert request.RequestedProcedureDescription == "CT Schädel"
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "30799-1"


@pytest.mark.proves("KOS-015", "KOS-031")
def test_several_accession_numbers_leave_the_header_empty(tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{n}.dcm", SOPInstanceUID=f"1.2.3.1.{n}", AccessionNumber=f"A-{n}")
        for n in (1, 2, 3)
    ]
    item = reread(made(files))
    assert item.AccessionNumber == ""
    assert "IssuerOfAccessionNumberSequence" not in item
    assert [each.AccessionNumber for each in item.ReferencedRequestSequence] == [
        "A-1",
        "A-2",
        "A-3",
    ]
    issuers = [
        each.IssuerOfAccessionNumberSequence[0].UniversalEntityID
        for each in item.ReferencedRequestSequence
    ]
    assert issuers == ["1.2.40.0.13.9"] * 3


@pytest.mark.proves("KOS-085")
def test_order_is_by_series_and_instance_number(numbered: list[Path]) -> None:
    def listed(files: list[Path]) -> list[str]:
        return [
            each.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for each in made(files).ContentSequence
        ]

    expected = ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.10", "1.2.3.2.9", "1.2.3.2.10"]
    assert listed(numbered) == listed(numbered[::-1]) == expected


@pytest.mark.proves("KOS-084", "KOS-085")
def test_two_runs_differ_in_uids_only(numbered: list[Path]) -> None:
    first, second = made(numbered), made(numbered)
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SOPInstanceUID.startswith("2.25.")
    second.SOPInstanceUID = first.SOPInstanceUID
    second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    second.SeriesInstanceUID = first.SeriesInstanceUID
    assert kos.manifest_bytes(first) == kos.manifest_bytes(second)


@pytest.mark.proves("KOS-054", "KOS-084")
@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=4))
def test_new_uids_are_valid_below_any_root(arcs: list[int]) -> None:
    root = ".".join(map(str, arcs))
    uid = kos.new_uid(root)
    assert is_oid(uid)
    assert uid.startswith(root + ".")
    assert is_oid(kos.new_uid())


@pytest.mark.proves("KOS-084")
@pytest.mark.parametrize("root", ["1.2." + "3" * 41, "1.02.3", "name", "1"])
def test_a_root_without_room_or_form_is_refused(root: str) -> None:
    with pytest.raises(ValueError, match="UID root"):
        kos.new_uid(root)


@pytest.mark.proves("KOS-053")
def test_an_instance_of_an_unknown_class_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", SOPClassUID="1.2.40.0.13.77.1")
    [content] = kos.read_manifest(kos.manifest_bytes(made([path]))).content
    assert content.value_type == "COMPOSITE"
    assert content.reference == ManifestInstance("1.2.40.0.13.77.1", "1.2.3.1.1.1")


@pytest.mark.proves("KOS-080")
def test_source_instances_are_read_up_to_their_pixels_only(tmp_path: Path) -> None:
    whole = STUDIES["CT_small.dcm"][0].read_bytes()
    pixels = whole.index(b"\xe0\x7f\x10\x00")
    (tmp_path / "cut.dcm").write_bytes(whole[:pixels] + b"no pixels here at all")
    assert kos.read_manifest(kos.manifest_bytes(made([tmp_path / "cut.dcm"]))).instance_count == 1


@pytest.mark.proves("KOS-009")
def test_directories_and_earlier_manifests_are_no_part_of_the_study(tmp_path: Path) -> None:
    kos.write_manifest(made(STUDIES["CT_small.dcm"]), tmp_path / "kos.dcm")
    files = [tmp_path / "kos.dcm", FOLDER / "DICOMDIR", *STUDIES["CT_small.dcm"]]
    assert len(made(files).ContentSequence) == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        pytest.param({"StudyInstanceUID": "1.2.4"}, "2 studies", id="two studies"),
        pytest.param({"PatientID": "T-2"}, "2 different Patient IDs", id="two patients"),
        pytest.param(
            {"SOPInstanceUID": "1.2.3.1.1.1", "SOPClassUID": SR},
            "different instances",
            id="one UID",
        ),
    ],
)
@pytest.mark.proves("KOS-052")
def test_files_that_are_no_single_study_are_refused(
    values: dict[str, str], text: str, tmp_path: Path
) -> None:
    files = [
        write(tmp_path / "a.dcm"),
        write(tmp_path / "b.dcm", **{"SOPInstanceUID": "1.2.3.1.1.2", **values}),
    ]
    with pytest.raises(kos.NoSingleStudy, match=text):
        made(files)


def test_no_instance_at_all_is_refused() -> None:
    with pytest.raises(kos.NoSingleStudy, match="no DICOM instance"):
        made([FOLDER / "DICOMDIR"])


@pytest.mark.proves("KOS-054")
def test_an_instance_is_named_as_it_is(tmp_path: Path) -> None:
    """Its UID should have no leading zero; a manifest that names it is remarked on, not refused."""
    with pytest.warns(UserWarning, match="VR UI"):
        path = write(tmp_path / "a.dcm", SOPInstanceUID="1.2.03")
    manifest = kos.read_manifest(kos.manifest_bytes(made([path])))
    assert [each.sop_instance_uid for _, _, each in manifest.references()] == ["1.2.03"]


@pytest.mark.parametrize("uid", ["ACME", "1." + "2" * 70])
@pytest.mark.proves("KOS-054")
def test_an_instance_with_a_bad_uid_is_refused(uid: str, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="VR UI"):
        path = write(tmp_path / "a.dcm", SOPInstanceUID=uid)
    with pytest.raises(InvalidDocumentContent, match=r"a\.dcm SOP Instance UID.*KOS-054"):
        made([path])


def test_a_file_that_is_no_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(InvalidDocumentContent, match=r"a\.txt: is no DICOM file"):
        made([tmp_path / "a.txt"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"retrieve_location_uid": "ACME"}, "Retrieve Location UID"),
        ({"retrieve_location_uid": ""}, "Retrieve Location UID"),
        ({"retrieve_ae_title": "A" * 17}, "AE title"),
        ({"retrieve_ae_title": "Ä"}, "AE title"),
        ({"retrieve_url": "file:///etc"}, "Retrieve URL"),
        ({"site": kos.Site(timezone="CET")}, "time zone"),
    ],
)
@pytest.mark.proves("KOS-051")
def test_a_place_that_is_none_is_refused(
    options: dict[str, object], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=text):
        made([write(tmp_path / "a.dcm")], **options)


# --- read manifests


@pytest.mark.parametrize("name", STUDIES)
def test_what_was_made_is_read(name: str) -> None:
    item = made(STUDIES[name])
    manifest = kos.read_manifest(kos.manifest_bytes(item))
    assert manifest.sop_instance_uid == manifest.file_sop_instance_uid == item.SOPInstanceUID
    assert manifest.title == CodedConcept("113030", "DCM", "Manifest")
    assert manifest.patient.id.value == item.PatientID
    assert manifest.patient.name == str(item.PatientName)
    assert manifest.instance_count == len(manifest.content) == len(item.ContentSequence)
    assert [each.reference for each in manifest.content] == [
        instance for _, _, instance in manifest.references()
    ]
    assert manifest.repeated == 0


@pytest.mark.parametrize(
    "syntax",
    [
        pytest.param("1.2.840.10008.1.2", id="implicit"),
        pytest.param("1.2.840.10008.1.2.1", id="explicit"),
        pytest.param("1.2.840.10008.1.2.2", id="big-endian"),
        pytest.param("1.2.840.10008.1.2.1.99", id="deflated"),
    ],
)
@pytest.mark.proves("KOS-003")
def test_every_encoding_is_read_the_same(numbered: list[Path], syntax: str) -> None:
    content = kos.manifest_bytes(made(numbered))
    recoded = bytes_of(pydicom.dcmread(io.BytesIO(content)), syntax)
    assert kos.read_manifest(recoded) == kos.read_manifest(content)


def test_sequences_without_length_are_read_the_same(numbered: list[Path]) -> None:
    content = kos.manifest_bytes(made(numbered))
    item = pydicom.dcmread(io.BytesIO(content))

    def unbounded(of: Dataset) -> None:
        for element in of:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for each in element.value:
                    each.is_undefined_length_sequence_item = True
                    unbounded(each)

    unbounded(item)
    recoded = bytes_of(item)
    assert recoded.count(b"\xfe\xff\xdd\xe0") > 15
    assert kos.read_manifest(recoded) == kos.read_manifest(content)


def facts(manifest: Manifest) -> tuple[object, ...]:
    places = {
        (series.retrieve_location_uid, series.retrieve_ae_title, series.retrieve_url)
        for _, series, _ in manifest.references()
    }
    return (
        manifest.title and manifest.title.meaning,
        manifest.instance_count,
        places,
        [each.value for each in manifest.accessions],
        [each.value for each in manifest.placer_orders],
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "hl7eu-kos-mr-of-interest.dcm",
            (
                "Of Interest",
                1,
                {("1.2.40.0.10.1.6.1.1.1.382.2.103.5.4", "NOELGA_QS_SP_RAD", "")},
                ["123445678"],
                [],
            ),
            id="another title",
        ),
        pytest.param(
            "hl7eu-kos-us-manifest.dcm",
            (
                "Manifest",
                2,
                {("1.2.40.0.34.3.1.13157", "STIGLBAUER", "")},
                ["12024052208301"],
                [],
            ),
            id="series UID shared with the images",
        ),
        pytest.param(
            "ihe-mado-kos-a.dcm",
            (
                "Manifest with Description",
                86,
                {
                    ("1.3.6.1.4.1.19376.1.1.200.1", "", "https://dicomserver.com/AET/rs/"),
                    ("1.3.6.1.4.1.19376.1.1.200.2", "", "https://dicomserver.com/AET/rs/"),
                },
                ["1731954284869428"],
                ["5357606535677609"],
            ),
            id="MADO",
        ),
    ],
)
@pytest.mark.proves("KOS-074", "IMG-190", "IMG-191", "IMG-192", "IMG-196")
def test_foreign_manifests_are_read(shared: Path, name: str, expected: tuple[object, ...]) -> None:
    assert facts(kos.read_manifest(shared / "samples" / "mado" / name)) == expected


def test_descriptions_and_nested_content_are_kept(shared: Path) -> None:
    folder = shared / "samples" / "mado"
    simple = kos.read_manifest(folder / "hl7eu-kos-mr-of-interest.dcm")
    described = [each for each in simple.content if each.value_type == "TEXT"]
    assert [(each.concept and each.concept.value, each.text) for each in described] == [
        ("113012", "Automatic created")
    ]
    mado = kos.read_manifest(folder / "ihe-mado-kos-a.dcm")
    [library] = [each for each in mado.content if each.value_type == "CONTAINER"]
    assert library.concept == CodedConcept("111028", "DCM", "Image Library")
    inside = [each for group in library.items for each in group.items if each.reference is not None]
    assert {each.reference for each in inside} == {one for _, _, one in mado.references()}


def two_studies() -> Dataset:
    """A manifest of two studies; the second stands twice, once with a series already named."""
    first = made(STUDIES["CT_small.dcm"])
    evidence = first.CurrentRequestedProcedureEvidenceSequence
    evidence.extend(made(STUDIES["MR_small.dcm"]).CurrentRequestedProcedureEvidenceSequence)
    again = made(STUDIES["MR_small.dcm"]).CurrentRequestedProcedureEvidenceSequence[0]
    more = Dataset()
    more.ReferencedSOPClassUID, more.ReferencedSOPInstanceUID = CT, "1.2.3.99"
    again.ReferencedSeriesSequence[0].ReferencedSOPSequence.append(more)
    evidence.append(again)
    copy = Dataset()
    copy.StudyInstanceUID = "1.2.3"
    series = Dataset()
    series.SeriesInstanceUID = "1.2.3.4"
    one = Dataset()
    one.ReferencedSOPClassUID = dicom.KEY_OBJECT_SELECTION
    one.ReferencedSOPInstanceUID = "1.2.3.4.5"
    series.ReferencedSOPSequence = Sequence([one])
    copy.ReferencedSeriesSequence = Sequence([series])
    first.IdenticalDocumentsSequence = Sequence([copy])
    return first


@pytest.mark.proves("KOS-033", "KOS-052")
def test_several_studies_are_read_and_repeated_entries_merged() -> None:
    manifest = kos.read_manifest(bytes_of(two_studies()))
    assert [len(study.series) for study in manifest.studies] == [1, 1]
    assert [len(study.series[0].instances) for study in manifest.studies] == [1, 2]
    assert manifest.repeated == 1
    [copy] = manifest.identical_documents
    assert (copy.study_instance_uid, copy.series_instance_uid, copy.sop_instance_uid) == (
        "1.2.3",
        "1.2.3.4",
        "1.2.3.4.5",
    )


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.proves("KOS-092")
def test_judges_accept_two_studies_with_identical_documents(tmp_path: Path) -> None:
    (tmp_path / "kos.dcm").write_bytes(bytes_of(two_studies()))
    assert judged("dciodvfy", tmp_path / "kos.dcm")[0] == 0
    assert any("Identical Docs" in line for line in judged("dsrdump", tmp_path / "kos.dcm")[1])


@pytest.mark.proves("IMG-196")
def test_a_series_at_two_places_stands_once_for_each() -> None:
    item = made(
        STUDIES["study-84872482"] if "study-84872482" in STUDIES else STUDIES[next(iter(STUDIES))]
    )
    [study] = item.CurrentRequestedProcedureEvidenceSequence
    series = study.ReferencedSeriesSequence[0]
    elsewhere = Dataset()
    elsewhere.SeriesInstanceUID = series.SeriesInstanceUID
    elsewhere.RetrieveLocationUID = "1.2.40.0.13.70"
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, "1.2.3.99"
    elsewhere.ReferencedSOPSequence = Sequence([one])
    study.ReferencedSeriesSequence.append(elsewhere)
    places = [
        each.retrieve_location_uid
        for each in kos.read_manifest(bytes_of(item)).studies[0].series
        if each.series_instance_uid == series.SeriesInstanceUID
    ]
    assert places == ["1.2.40.0.13.7", "1.2.40.0.13.70"]


@pytest.mark.proves("IMG-193")
def test_a_retrieve_uri_is_read() -> None:
    item = made(STUDIES["CT_small.dcm"])
    [study] = item.CurrentRequestedProcedureEvidenceSequence
    study.ReferencedSeriesSequence[0].RetrieveURI = "https://images.example/wado?requestType=WADO"
    [(_, series, _)] = kos.read_manifest(bytes_of(item)).references()
    assert series.retrieve_uri == "https://images.example/wado?requestType=WADO"


@pytest.mark.proves("KOS-076")
def test_images_as_composite_are_read() -> None:
    item = made(STUDIES["CT_small.dcm"])
    item.ContentSequence[0].ValueType = "COMPOSITE"
    [content] = kos.read_manifest(bytes_of(item)).content
    assert (content.value_type, content.reference is not None) == ("COMPOSITE", True)


@pytest.mark.proves("KOS-033", "KOS-050")
def test_a_manifest_without_tree_is_read_as_empty() -> None:
    item = made(STUDIES["CT_small.dcm"])
    del item.CurrentRequestedProcedureEvidenceSequence
    manifest = kos.read_manifest(bytes_of(item))
    assert (manifest.studies, manifest.instance_count, len(manifest.content)) == ((), 0, 1)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"", "no DICM at offset 128", id="empty"),
        pytest.param(b"%PDF-1.4" + b"x" * 200, "no DICM at offset 128", id="pdf"),
        pytest.param(b"\0" * 128 + b"DICM", "is no Key Object Selection", id="only a preamble"),
    ],
)
@pytest.mark.proves("KOS-120", "SEC-T-150")
def test_what_is_no_manifest_is_refused(content: bytes, text: str) -> None:
    with pytest.raises(InvalidDocumentContent, match=text) as refused:
        kos.read_manifest(content, what="2.25.77")
    assert refused.value.context.startswith("2.25.77: ")


def test_an_image_is_no_manifest() -> None:
    with pytest.raises(InvalidDocumentContent, match="KOS-121"):
        kos.read_manifest(STUDIES["CT_small.dcm"][0])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocumentContent, match="No such file"):
        kos.read_manifest(tmp_path / "none.dcm")


@pytest.mark.parametrize(
    "uid", ["../../etc/passwd", "1.2.3'; DROP", "1.2.3/4", "x", "1" * 65, "1.2.²"]
)
@pytest.mark.proves("SEC-T-152")
@pytest.mark.filterwarnings("ignore:.*VR UI")
def test_uids_of_other_characters_are_refused(uid: str) -> None:
    item = made(STUDIES["CT_small.dcm"])
    series = item.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = uid.encode("latin_1").decode(
        "latin_1"
    )
    with pytest.raises(InvalidDocumentContent, match="SEC-T-152"):
        kos.read_manifest(bytes_of(item))


# --- size


def large(instances: int) -> StudyHeader:
    root = "1.2.826.0.1.3680043.8.498.1240683154"
    return StudyHeader(
        root,
        PatientHeader(IssuedId("T-1"), "Test^Tessa"),
        tuple(
            SeriesHeader(
                f"{root}.{series}",
                tuple(
                    InstanceHeader(CT, f"{root}.{series}.{number}.20261123")
                    for number in range(instances // 20)
                ),
            )
            for series in range(20)
        ),
    )


@pytest.mark.proves("KOS-110")
def test_a_manifest_needs_about_240_bytes_an_instance() -> None:
    sizes = [
        len(kos.manifest_bytes(kos.manifest_of(large(n), retrieve_location_uid="1.2.3")))
        for n in (2000, 4000, 20000)
    ]
    assert all(
        230 < (b - a) / n < 270 for (a, b), n in zip(pairwise(sizes), (2000, 16000), strict=True)
    )


def test_twenty_thousand_instances_go_through_without_data_sets() -> None:
    """A data set for each reference would show in what pydicom holds parsed."""
    item = kos.manifest_of(large(20_000), retrieve_location_uid="1.2.3")
    content = kos.manifest_bytes(item)
    assert item.get_item("ContentSequence").is_raw
    assert item.get_item("CurrentRequestedProcedureEvidenceSequence").is_raw
    manifest = kos.read_manifest(content)
    assert (manifest.instance_count, len(manifest.content)) == (20_000, 20_000)


MEASURED = """
import re
from pathlib import Path
from tests.wire.test_kos import large
from xdsi.standard import mado
from xdsi.wire import kos
study = large(20_000)
for dialect in (None, mado.TRIAL):
    made = kos.manifest_of(study, retrieve_location_uid="1.2.3", mado=dialect)
    assert kos.read_manifest(kos.manifest_bytes(made)).instance_count == 20_000
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_making_and_opening_a_large_manifest_stays_within_256_mib(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=root, capture_output=True, timeout=60, check=True
    )
    assert int(done.stdout) < 256 << 10  # KiB


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        pytest.param(Limits(size=1000), "larger than the 1000 bytes", id="size"),
        pytest.param(Limits(instances=999), "more than 999 instances", id="instances"),
        pytest.param(Limits(nesting=2), "deeper than 2", id="nesting"),
        pytest.param(
            Limits(seconds=0, seconds_per_thousand=0), "takes longer than 0.0 s", id="time"
        ),
    ],
)
@pytest.mark.proves("KOS-113", "SEC-T-150")
def test_limits_refuse_with_a_plain_sentence(limits: Limits, text: str) -> None:
    content = kos.manifest_bytes(kos.manifest_of(large(1000), retrieve_location_uid="1.2.3"))
    assert kos.read_manifest(content).instance_count == 1000
    with pytest.raises(InvalidDocumentContent, match=text):
        kos.read_manifest(content, limits=limits)
