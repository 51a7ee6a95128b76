"""Studies out of many instances: rejections, several at once, metadata, folders, DICOMDIR."""

import io
import itertools
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.wire.studies import CT, FOLDER, code, pydicom_studies, write
from tests.wire.test_kos import judged
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.study import StudyHeader
from xdsi.standard import anatomy, dicom
from xdsi.wire import dicomjson, kos
from xdsi.wire.dicomfolder import Passed, files_of
from xdsi.wire.instances import NoSingleStudy, header, read_studies, read_study

KO = dicom.KEY_OBJECT_SELECTION
STUDIES = pydicom_studies()


def evidence(*instances: tuple[str, str]) -> Sequence:
    """(series, instance) pairs of study 1.2.3."""
    study = Dataset()
    study.StudyInstanceUID = "1.2.3"
    study.ReferencedSeriesSequence = Sequence()
    for series_uid, uid in instances:
        series, one = Dataset(), Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, uid
        series.SeriesInstanceUID, series.ReferencedSOPSequence = series_uid, Sequence([one])
        study.ReferencedSeriesSequence.append(series)
    return Sequence([study])


def note(path: Path, title: tuple[str, str], *instances: tuple[str, str], **values: Any) -> Path:
    return write(
        path,
        **{
            "SOPClassUID": KO,
            "SOPInstanceUID": "1.2.3.9.1",
            "SeriesInstanceUID": "1.2.3.9",
            "SeriesNumber": 9,
            "Modality": "KO",
            "ConceptNameCodeSequence": Sequence([code(title[0], "DCM", title[1])]),
            "CurrentRequestedProcedureEvidenceSequence": evidence(*instances),
            **values,
        },
    )


def uids(study: StudyHeader) -> list[str]:
    return [each.sop_instance_uid for series in study.series for each in series.instances]


# --- rejection notes


@pytest.mark.parametrize("title", dicom.REJECTION_TITLES.items(), ids=lambda t: t[0][0])
@pytest.mark.parametrize("first", [True, False], ids=["note first", "note last"])
@pytest.mark.proves("KOS-006")
def test_rejected_instances_and_their_note_are_left_out(
    title: tuple[tuple[str, str], str], first: bool, tmp_path: Path
) -> None:
    (value, _), meaning = title
    wrong = {"PatientName": "Wrong^Walter", "AccessionNumber": "WRONG"}
    files = [
        write(tmp_path / "1", SOPInstanceUID="1.2.3.1.1", **wrong),
        write(tmp_path / "2", SOPInstanceUID="1.2.3.1.2", InstanceNumber=2, AccessionNumber="A"),
        note(tmp_path / "3", (value, meaning), ("1.2.3.1", "1.2.3.1.1"), ("1.2.3.1", "1.2.3.1.77")),
    ]
    study = read_study(files[::-1] if first else files)
    assert uids(study) == ["1.2.3.1.2"]
    [rejection] = study.rejections
    assert (rejection.title.meaning, rejection.note_uid, rejection.sop_instance_uids) == (
        meaning,
        "1.2.3.9.1",
        ("1.2.3.1.1",),
    )
    assert study.patient.name == "Test^Tessa"
    assert [each.accession.value for each in study.requests] == ["A"]


@pytest.mark.proves("KOS-006", "MADO-157")
def test_other_notes_are_instances_as_all_others(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "1"),
        note(tmp_path / "2", ("113000", "Of Interest"), ("1.2.3.1", "1.2.3.1.1.1")),
    ]
    study = read_study(files)
    assert uids(study) == ["1.2.3.1.1.1", "1.2.3.9.1"]
    assert study.rejections == ()


def test_of_a_study_of_which_nothing_is_left_no_manifest_is_made(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "1"),
        note(tmp_path / "2", ("113001", "Rejected"), ("1.2.3.1", "1.2.3.1.1.1")),
    ]
    study = read_study(files)
    assert (study.series, len(study.rejections)) == ((), 1)
    with pytest.raises(NoSingleStudy, match=r"leave no instance of study 1\.2\.3"):
        kos.manifest_of(study, retrieve_location_uid="2.999.1")


@pytest.mark.proves("KOS-009", "MADO-040")
@pytest.mark.parametrize("value", ["113030", "113031", "ddd001", "131560"])
def test_a_manifest_is_known_by_its_title(value: str, tmp_path: Path) -> None:
    files = [write(tmp_path / "1"), note(tmp_path / "2", (value, "Manifest with Description"))]
    assert uids(read_study(files)) == ["1.2.3.1.1.1"]


# --- what series tell


@pytest.mark.proves("MADO-057")
@pytest.mark.parametrize(
    ("sides", "expected"),
    [("L", "L"), ("LL", "L"), ("LR", "B"), ("B", "B"), (" ", ""), ("L ", "")],
)
def test_side_of_a_series_is_that_of_all_its_images(
    sides: str, expected: str, tmp_path: Path
) -> None:
    files = [
        write(tmp_path / str(n), SOPInstanceUID=f"1.2.3.1.{n}", ImageLaterality=side.strip())
        for n, side in enumerate(sides)
    ]
    assert read_study(files).series[0].laterality == expected


@pytest.mark.proves("MADO-055", "MADO-134")
def test_regions_are_those_of_the_terminology() -> None:
    from pydicom.sr import _concepts_dict

    known = {
        (value, meaning)
        for concepts in _concepts_dict.concepts["SCT"].values()
        for value, (meaning, _) in concepts.items()
    }
    parts = {
        (part.value, part.meaning)
        for term, (part, _) in anatomy.BODY_PARTS.items()
        if term not in anatomy.REGIONS
    }
    assert parts - known == set()
    assert len({each.value for each in anatomy.REGIONS.values()}) == 10
    assert all(regions for _, regions in anatomy.BODY_PARTS.values())
    assert anatomy.body_part("c-spine") == anatomy.body_part("CSPINE") is not None
    assert [each.meaning for each in anatomy.regions_of("416775004")] == [
        "Upper trunk",
        "Lower trunk",
    ]
    assert anatomy.regions_of("1") == ()


@pytest.mark.proves("MADO-132")
def test_acquisition_modalities_are_those_of_the_context_group() -> None:
    from pydicom.sr.codedict import codes

    group = codes.CID29
    known = {getattr(group, name).value for name in group.dir()}
    assert known <= dicom.ACQUISITION_MODALITIES


# --- several studies


def two(tmp_path: Path, **second: Any) -> tuple[StudyHeader, ...]:
    first = write(tmp_path / "1", AccessionNumber="A1")
    values = {
        "StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.4.1", "SOPInstanceUID": "1.2.4.1.1",
        "AccessionNumber": "A2",
    }  # fmt: skip
    return read_studies([write(tmp_path / "2", **{**values, **second}), first])


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.proves("KOS-033", "KOS-060", "KOS-061", "KOS-092")
def test_identical_documents_lie_in_each_study_and_name_each_other(tmp_path: Path) -> None:
    made = kos.identical_manifests(two(tmp_path), retrieve_location_uid="1.2.3.7")
    read = [kos.read_manifest(kos.manifest_bytes(each)) for each in made]
    assert [each.study_instance_uid for each in read] == ["1.2.3", "1.2.4"]
    assert len({each.sop_instance_uid for each in read}) == 2
    assert len({each.series_instance_uid for each in read}) == 2
    for own, other in (read, read[::-1]):
        [copy] = own.identical_documents
        assert (copy.study_instance_uid, copy.series_instance_uid, copy.sop_instance_uid) == (
            other.study_instance_uid,
            other.series_instance_uid,
            other.sop_instance_uid,
        )
        assert copy.sop_class_uid == KO
    assert read[0].studies == read[1].studies
    assert read[0].content == read[1].content
    assert [each.study_instance_uid for each in read[0].studies] == ["1.2.3", "1.2.4"]
    assert [each.value for each in read[0].accessions] == ["A1", "A2"]
    for each in made:
        kos.write_manifest(each, tmp_path / "kos.dcm")
        status, lines = judged("dciodvfy", tmp_path / "kos.dcm")
        assert (status, [line for line in lines if line.startswith("Error")]) == (0, [])
        assert any("Identical Docs" in line for line in judged("dsrdump", tmp_path / "kos.dcm")[1])


@pytest.mark.parametrize(
    ("second", "text"),
    [
        pytest.param({"PatientID": "T-2"}, "2 patients", id="two patients"),
        pytest.param(
            {"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.8"}, "two studies", id="one"
        ),
    ],
)
@pytest.mark.proves("KOS-060")
def test_what_cannot_have_identical_documents_is_refused(
    second: dict[str, str], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=text):
        kos.identical_manifests(two(tmp_path, **second), retrieve_location_uid="1.2.3.7")


@pytest.mark.proves("KOS-062")
def test_for_sharing_each_study_has_its_own(tmp_path: Path) -> None:
    studies = two(tmp_path)
    made = [kos.manifest_of(each, retrieve_location_uid="1.2.3.7") for each in studies]
    read = [kos.read_manifest(kos.manifest_bytes(each)) for each in made]
    assert [[s.study_instance_uid for s in each.studies] for each in read] == [["1.2.3"], ["1.2.4"]]
    assert not any(each.identical_documents for each in read)


@pytest.mark.proves("IMG-196", "KOS-051")
def test_series_may_be_at_different_places(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "1"),
        write(tmp_path / "2", SeriesInstanceUID="1.2.3.2", SOPInstanceUID="1.2.3.2.1"),
    ]
    other = kos.Place("1.2.3.8", "OTHER", "https://other.example/rs")
    wishes = {"retrieve_location_uid": "1.2.3.7", "elsewhere": {"1.2.3.2": other}}
    made = kos.make_manifest(files, **wishes)  # type: ignore[arg-type]
    [study] = kos.read_manifest(kos.manifest_bytes(made)).studies
    assert [
        (each.retrieve_location_uid, each.retrieve_ae_title, each.retrieve_url)
        for each in study.series
    ] == [("1.2.3.7", "", ""), ("1.2.3.8", "OTHER", "https://other.example/rs")]
    with pytest.raises(ValueError, match="Retrieve Location UID"):
        kos.make_manifest(files, retrieve_location_uid="1.2", elsewhere={"1.2.3.2": kos.Place("")})


# --- DICOMweb metadata


def as_json(files: Iterable[Path]) -> bytes:
    """As an archive answers: no pixel data, bulk data as addresses."""
    sets = []
    for path in files:
        item = pydicom.dcmread(path, stop_before_pixels=True)
        for element in item:
            if element.VR in ("OB", "OW", "UN"):
                del item[element.tag]
        del item.file_meta
        sets.append(item.to_json_dict())
    return json.dumps(sets).encode()


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def from_json(*answers: Iterable[bytes]) -> tuple[StudyHeader, ...]:
    return dicomjson.studies(answers)


@pytest.mark.parametrize("name", [each for each in STUDIES if each != "waveform_ecg.dcm"])
@pytest.mark.proves("MADO-152")
@pytest.mark.filterwarnings("ignore")
def test_metadata_tells_the_same_as_the_files(name: str) -> None:
    [study] = from_json(pieces(as_json(STUDIES[name]), 1000))
    assert study == read_study(STUDIES[name])


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.proves("MADO-152")
def test_pieces_of_any_size_and_several_answers_make_one_study(size: int, tmp_path: Path) -> None:
    files = [
        write(tmp_path / "1", SpecificCharacterSet="ISO_IR 192", PatientName="Größe^Jürgen=山田"),
        write(tmp_path / "2", SeriesInstanceUID="1.2.3.2", SOPInstanceUID="1.2.3.2.1",
              SpecificCharacterSet="ISO_IR 192", PatientName="Größe^Jürgen=山田"),
        note(tmp_path / "3", ("113001", "Rejected"), ("1.2.3.2", "1.2.3.2.1")),
    ]  # fmt: skip
    [study] = from_json(*(pieces(as_json([each]), size) for each in files), [b" [ ] "])
    assert study == read_study(files)
    assert study.patient.name == "Größe^Jürgen=山田"
    assert uids(study) == ["1.2.3.1.1.1"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no JSON array"),
        (b"<html>", "no JSON array"),
        (b"[", "ends too early"),
        (b"[ ", "ends too early"),
        (b'{"00080018": {}}', "no JSON array"),
        (b"[1, 2]", "no JSON array of objects"),
        (b"[{}", "ends too early"),
        (b'[{"00080018": {"vr": "UI", "Value": ["1.2', "ends too early"),
        (b"[{},]", "no JSON array of objects"),
        (b"[{} {}]", "no JSON array of objects"),
        (b'[{"a": tru}]', "is no JSON"),
        (b'[{"00080018": 5}]', "DICOM JSON model"),
        (b'[{"00080018": {"Value": 5}}]', "DICOM JSON model"),
        (b'[{"00080018": {"Value": [true]}}]', "DICOM JSON model"),
        (b'[{"00081032": {"Value": ["x"]}}]', "DICOM JSON model"),
        (b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "nests deeper"),
        (b'[{"a": "\xff"}]', "no UTF-8"),
    ],
    ids=str,
)
@pytest.mark.proves("KOS-133", "SEC-T-150")
def test_broken_metadata_is_refused_in_one_sentence(content: bytes, text: str) -> None:
    with pytest.raises(InvalidDocumentContent, match=text) as refused:
        list(dicomjson.headers([content]))
    assert "KOS-133" in refused.value.context


def test_a_data_set_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomjson, "_LIMIT", 100_000)
    endless = itertools.chain([b'[{"a": "'], itertools.repeat(b"x" * 1000))
    with pytest.raises(InvalidDocumentContent, match="more than 100000 characters"):
        from_json(endless)


def test_huge_numbers_cost_nothing() -> None:
    with pytest.raises(InvalidDocumentContent, match="KOS-054"):
        from_json([b'[{"00200013": {"vr": "IS", "Value": [' + b"9" * 100_000 + b"]}}]"])


MEASURED = """
import json, re
from pathlib import Path
from xdsi.wire import dicomjson
def answer():
    rest = {f"0018{n:04X}": {"vr": "LT", "Value": ["x" * 700]} for n in range(0x9000, 0x9010)}
    for n in range(6000):
        yield b"[" if n == 0 else b","
        yield json.dumps({
            "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
            "00080018": {"vr": "UI", "Value": [f"1.2.3.1.{n}"]},
            "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
            "0020000E": {"vr": "UI", "Value": ["1.2.3.1"]},
            **rest,
        }).encode()
    yield b"]"
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
[study] = dicomjson.studies([answer()])
assert len(study.series[0].instances) == 6000
print(peak() - before)
"""


@pytest.mark.proves("SEC-T-150", "MADO-152")
def test_metadata_of_a_large_study_is_never_in_memory_as_a_whole(root: Path) -> None:
    """70 MB of it."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=root, capture_output=True, timeout=100, check=True
    )
    assert int(done.stdout) < 24 << 10  # KiB


# --- files, folders, DICOMDIR


@pytest.mark.parametrize(
    "name", ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered"]
)
@pytest.mark.proves("KOS-080")
def test_a_directory_names_the_files(name: str) -> None:
    passed = Passed()
    files = set(files_of([FOLDER / name], passed))
    folders = (FOLDER / part for part in ("77654033", "98892001", "98892003"))
    listed = {each for folder in folders for each in folder.rglob("*") if each.is_file()}
    assert files == listed
    assert (passed.missing, passed.foreign) == ([], [])


def test_files_that_a_directory_lacks_are_told(tmp_path: Path) -> None:
    copytree(FOLDER, tmp_path / "medium")
    for path in sorted((tmp_path / "medium" / "77654033").rglob("*")):
        if path.is_file():
            path.unlink()
    passed = Passed()
    files = list(files_of([tmp_path / "medium" / "DICOMDIR"], passed))
    assert files
    assert all(each.is_file() for each in files)
    assert passed.missing
    assert {each.relative_to(tmp_path / "medium").parts[0] for each in passed.missing} == {
        "77654033"
    }


def directory(path: Path, *ids: list[str] | str) -> Path:
    item = Dataset()
    item.DirectoryRecordSequence = Sequence()
    for each in ids:
        record = Dataset()
        record.RecordInUseFlag = 0xFFFF
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = each
        item.DirectoryRecordSequence.append(record)
    item.DirectoryRecordSequence[-1].RecordInUseFlag = 0
    item.file_meta = pydicom.dataset.FileMetaDataset()
    item.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    item.file_meta.MediaStorageSOPClassUID = dicom.MEDIA_STORAGE_DIRECTORY
    item.file_meta.MediaStorageSOPInstanceUID = "1.2.3.99"
    content = io.BytesIO()
    pydicom.dcmwrite(content, item, enforce_file_format=True)
    path.write_bytes(content.getvalue())
    return path


def test_lost_capitals_and_records_out_of_use_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    path = write(tmp_path / "images" / "im1")
    passed = Passed()
    listed = directory(tmp_path / "DICOMDIR", ["IMAGES", "IM1"], ["IMAGES", "IM2"], ["OLD"])
    assert list(files_of([listed], passed)) == [path]
    assert passed.missing == [tmp_path / "IMAGES" / "IM2"]


@pytest.mark.parametrize("names", [["..", "SECRET"], ["/etc", "passwd"], ["A", "", "B"]])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("SEC-T-152")
def test_a_directory_leads_nowhere_else(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(InvalidDocumentContent, match="outside its folder"):
        list(files_of([directory(tmp_path / "DICOMDIR", names, "X")], Passed()))


def test_a_folder_is_walked_to_the_ground_and_strangers_are_told(tmp_path: Path) -> None:
    deep = tmp_path / "study" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "round").symlink_to(tmp_path / "study")
    files = [write(deep / "2.dcm"), write(tmp_path / "study" / "z.dcm")]
    (deep / "notes.txt").write_text("no image")
    passed = Passed()
    assert list(files_of([tmp_path / "study"], passed)) == files
    assert passed.foreign == [deep / "notes.txt"]


def test_a_file_given_by_name_is_never_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(InvalidDocumentContent, match=r"a\.txt: is no DICOM file"):
        read_studies(files_of([tmp_path / "a.txt"], Passed()))
    with pytest.raises(FileNotFoundError):
        read_studies(files_of([tmp_path / "none"], Passed()))


def test_a_note_is_read_to_its_description(tmp_path: Path) -> None:
    path = note(tmp_path / "1", ("113000", "Of Interest"), ("1.2.3.1", "1.2.3.1.1"))
    tree = header(path).data.sequences
    assert dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE in tree
