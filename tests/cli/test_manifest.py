"""`xdsi manifest make` and `show`."""

import json
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.cli.conftest import Run
from tests.wire.studies import FOLDER, write
from tests.wire.test_studies import note
from xdsi.cli import manifest
from xdsi.wire.kos import read_manifest

AT = ("--location", "1.2.3.7")
FULL = ("--mado", "--patient-issuer", "1.2.3.8", "--accession-issuer", "1.2.3.9",
        "--institution", "Invented Hospital")  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    common = {"StudyDate": "20260301", "StudyTime": "0815", "BodyPartExamined": "HEAD"}
    write(folder / "1", SeriesDescription="Head", **common)
    write(
        folder / "2", SOPInstanceUID="1.2.3.2.1", SeriesInstanceUID="1.2.3.2", SeriesNumber=2,
        SeriesDescription="Head, thin", **common,
    )  # fmt: skip
    return folder


@pytest.mark.proves("MADO-151", "MADO-152")
def test_what_was_made_is_shown(call: Run, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "kos.dcm"
    said = call("manifest", "make", study, *AT, "--ae", "SOURCE", *FULL, "--out", out)
    assert said.code == 0
    assert said.out == f"{out}: study 1.2.3, 2 series, 2 instances\n"
    assert "MADO-051 no Series Date or Series Time in 2 of 2 series" in said.err
    said = call("manifest", "show", out)
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert ["modality", "CT"] in lines
    assert ["region", "Head", "and", "neck"] in lines
    assert ["descriptors", "MADO,", "trial", "codes"] in lines
    assert ["1", "CT", "1", "Head", "Head", "1.2.3.1", "1.2.3.7", "SOURCE"] in lines
    assert ["2", "CT", "1", "Head,", "thin", "Head", "1.2.3.2", "1.2.3.7", "SOURCE"] in lines
    assert "MADO-051" in said.err


def test_both_speak_json(call: Run, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "kos.dcm"
    made = json.loads(call("manifest", "make", study, *AT, *FULL, "--out", out, "--json").out)
    [one] = made["manifests"]
    assert (one["study"], one["instances"]) == ("1.2.3", 2)
    shown = json.loads(call("manifest", "show", out, "--json").out)
    assert shown["uniqueId"] == one["uniqueId"]
    [tree] = shown["studies"]
    assert [each["description"] for each in tree["series"]] == ["Head", "Head, thin"]
    assert tree["series"][0]["instances"][0]["instance"] == "1.2.3.1.1.1"
    assert [each["rule"] for each in shown["remarks"]] == ["MADO-051"]


@pytest.mark.proves("IMG-190", "IMG-191", "IMG-192", "IMG-196")
def test_series_elsewhere_and_a_plain_manifest(call: Run, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "kos.dcm"
    elsewhere = "1.2.3.2=1.2.3.99,OTHER,https://other.example/rs"
    said = call("manifest", "make", study, *AT, "--elsewhere", elsewhere, "--out", out)
    assert (said.code, said.err) == (0, "")
    found = read_manifest(out)
    assert found.descriptors is None
    assert [
        (each.retrieve_location_uid, each.retrieve_ae_title, each.retrieve_url)
        for each in found.studies[0].series
    ] == [("1.2.3.7", "", ""), ("1.2.3.99", "OTHER", "https://other.example/rs")]


@pytest.mark.proves("KOS-006")
def test_what_is_left_out_is_said(call: Run, study: Path, tmp_path: Path) -> None:
    note(study / "3", ("113001", "Rejected for Quality Reasons"), ("1.2.3.2", "1.2.3.2.1"))
    (study / "notes.txt").write_text("no image")
    said = call("manifest", "make", study, *AT, "--out", tmp_path / "kos.dcm")
    assert said.code == 0
    assert "1 instances left out: Rejected for Quality Reasons (note 1.2.3.9.1)" in said.err
    assert "1 passed over, no DICOM: " in said.err


@pytest.mark.parametrize(("kind", "studies", "copies"), [("each", 1, 0), ("identical", 2, 1)])
@pytest.mark.proves("KOS-060", "KOS-062")
def test_several_studies_go_to_a_folder(
    call: Run, study: Path, tmp_path: Path, kind: str, studies: int, copies: int
) -> None:
    write(study / "4", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1",
          SOPInstanceUID="1.2.4.1.1")  # fmt: skip
    out = tmp_path / "made"
    assert call("manifest", "make", study, *AT, "--several", kind, "--out", out).code == 0
    assert sorted(each.name for each in out.iterdir()) == ["1.2.3.dcm", "1.2.4.dcm"]
    for path in out.iterdir():
        found = read_manifest(path)
        assert (len(found.studies), len(found.identical_documents)) == (studies, copies)
    said = call("manifest", "make", study, *AT, "--out", tmp_path / "one.dcm")
    assert said.code == 2
    assert "2 studies, one manifest describes one" in said.complaint
    assert "--several" in said.complaint


def test_files_a_directory_lacks_are_exit_code_1(call: Run, tmp_path: Path) -> None:
    listed = tmp_path / "DICOMDIR"
    listed.write_bytes((FOLDER / "TINY_ALPHA" / "DICOMDIR").read_bytes())
    item = pydicom.dcmread(listed)
    names = next(each.ReferencedFileID for each in item.DirectoryRecordSequence
                 if "ReferencedFileID" in each)  # fmt: skip
    tmp_path.joinpath(*names).parent.mkdir(parents=True)
    write(tmp_path.joinpath(*names))
    said = call("manifest", "make", listed, *AT, "--out", tmp_path / "kos.dcm")
    assert said.code == 1
    assert "in the DICOMDIR, but not there" in said.err
    assert read_manifest(tmp_path / "kos.dcm").instance_count == 1


@pytest.mark.parametrize("action", manifest.ACTIONS)
def test_help_of_every_action_fits(call: Run, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = call("manifest", action, "--help")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--location", "ACME"], ["--location", "ACME"]),
        ([*AT, "--url", "ftp://x"], ["--url", "http"]),
        ([*AT, "--ae", "A" * 17], ["AE title"]),
        ([*AT, "--elsewhere", "1.2.3.2"], ["--elsewhere"]),
        ([*AT, "--elsewhere", "1.2.3.77=1.2.3.4"], ["a series that is not there: 1.2.3.77"]),
        ([*AT, "--timezone", "CET"], ["time zone", "CET"]),
        ([*AT, "--uid-root", "1.2." + "3" * 50], ["UID root"]),
        ([*AT, "--mado", "--dialect", "dicom"], ["no code in the dialect 'dicom'"]),
        ([*AT, "--mado", "--dialect", "latin"], ["--dialect", "trial"]),
        ([*AT, "--title", "x"], ["CODE^SCHEME^DISPLAY"]),
        ([*AT, "--several", "identical"], ["two studies or more"]),
    ],
    ids=lambda each: " ".join(map(str, each))[:40],
)
def test_wrong_usage_is_one_line(
    call: Run, study: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    said = call("manifest", "make", study, "--out", tmp_path / "kos.dcm", *options)
    assert said.code == 2
    assert [word for word in words if word not in said.complaint] == []
    assert not (tmp_path / "kos.dcm").exists()


def test_title_of_the_final_dialect_is_given(call: Run, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "kos.dcm"
    title = "131560^DCM^Manifest with Description"
    said = call("manifest", "make", study, *AT, *FULL, "--dialect", "dicom", "--title", title,
                "--out", out)  # fmt: skip
    assert said.code == 0
    found = read_manifest(out)
    assert found.title is not None
    assert (found.title.value, found.title.scheme) == ("131560", "DCM")
    assert found.descriptors is not None and found.descriptors.dialect == "dicom"


@pytest.mark.parametrize("name", ["note.txt", "image"])
def test_what_is_no_manifest_is_refused(call: Run, study: Path, tmp_path: Path, name: str) -> None:
    path = study / "1" if name == "image" else tmp_path / name
    if name != "image":
        path.write_text("no manifest")
    said = call("manifest", "show", path)
    assert said.code == 1
    assert said.complaint.startswith("InvalidDocumentContent ")


def test_copies_and_orders_are_shown(call: Run, study: Path, tmp_path: Path) -> None:
    asked = Dataset()
    asked.AccessionNumber, asked.PlacerOrderNumberImagingServiceRequest = "A-1", "P-5"
    write(study / "1", RequestAttributesSequence=Sequence([asked]))
    write(study / "4", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1",
          SOPInstanceUID="1.2.4.1.1")  # fmt: skip
    out = tmp_path / "made"
    call("manifest", "make", study, *AT, "--several", "identical", "--out", out)
    said = call("manifest", "show", out / "1.2.4.dcm")
    assert "in study 1.2.3" in said.out
    assert "A-1" in said.out and "P-5" in said.out
    assert "study 1.2.3\n" in said.out and "study 1.2.4\n" in said.out
