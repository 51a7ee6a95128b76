"""What a file is, and what it says of itself for a DocumentEntry."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sequence import Sequence

from tests.wire.reports import FRAME, PATIENT, STUDY, TEXT
from tests.wire.studies import FOLDER, code, issuer, pydicom_studies, write
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import IssuedId
from xdsi.model.values import CX, DTM, XCN, XON
from xdsi.standard import cda as cda_names
from xdsi.standard import dicom, mado
from xdsi.standard.kinds import DocumentKind
from xdsi.wire import cda, describe, kos, pdf
from xdsi.wire.describe import DescribedAuthor, escaped, xon
from xdsi.wire.sniff import kind_of

SITE = kos.Site(institution_name="Hospital of Nowhere", timezone="+0100")
MANIFEST = kos.manifest_bytes(
    kos.manifest_of(STUDY, retrieve_location_uid="1.2.40.0.13.7", now=FRAME.made, site=SITE)
)
REPORT = cda.imaging_report(FRAME, TEXT, STUDY)
PDF = pdf.text_pdf("Befund", ["x"], made=FRAME.made)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(MANIFEST, DocumentKind.MANIFEST, id="manifest"),
        pytest.param((FOLDER / "DICOMDIR").read_bytes(), DocumentKind.DICOM_DIRECTORY, id="dir"),
        pytest.param((FOLDER.parent / "CT_small.dcm").read_bytes(), DocumentKind.DICOM, id="CT"),
        pytest.param(MANIFEST[:200], DocumentKind.DICOM, id="broken DICOM"),
        pytest.param(REPORT, DocumentKind.CDA, id="CDA"),
        pytest.param(b"\xef\xbb\xbf" + REPORT, DocumentKind.CDA, id="CDA with mark"),
        pytest.param(REPORT.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
                     DocumentKind.CDA, id="CDA in UTF-16"),
        pytest.param(b"<ClinicalDocument/>", DocumentKind.XML, id="no CDA namespace"),
        pytest.param(b"<a/> and then no XML", DocumentKind.XML, id="XML then junk"),
        pytest.param(b"<3 is a heart", DocumentKind.TEXT, id="text that begins like XML"),
        pytest.param(PDF, DocumentKind.PDF, id="PDF"),
        pytest.param(b"\n\n" + PDF, DocumentKind.PDF, id="PDF after blank lines"),
        pytest.param("Befund: unauffällig\r\n".encode(), DocumentKind.TEXT, id="text"),
        pytest.param(b"x" * 65535 + "ä".encode(), DocumentKind.TEXT, id="cut letter"),
        pytest.param("Schädel".encode("latin_1"), DocumentKind.OTHER, id="no UTF-8"),
        pytest.param(b"PK\x03\x04", DocumentKind.OTHER, id="zip"),
        pytest.param(b"", DocumentKind.OTHER, id="empty"),
    ],
)  # fmt: skip
@pytest.mark.proves("IMG-020", "IMG-021", "IMG-022")
def test_kind_is_seen_in_the_content(content: bytes, kind: DocumentKind, tmp_path: Path) -> None:
    (tmp_path / "document.xyz").write_bytes(content)
    assert kind_of(tmp_path / "document.xyz") is kind


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (MANIFEST, "application/dicom"),
        ((FOLDER / "DICOMDIR").read_bytes(), "application/dicom"),
        (REPORT, "text/xml"),
        (b"<a/>", "text/xml"),
        (PDF, "application/pdf"),
        (b"text", "text/plain"),
        (b"\0", "application/octet-stream"),
    ],
    ids=["manifest", "directory", "CDA", "XML", "PDF", "text", "other"],
)
def test_every_kind_has_media_type_and_format(
    content: bytes, mime_type: str, tmp_path: Path
) -> None:
    found = described_as(content, tmp_path)
    assert found.mime_type == mime_type
    assert found.format.code
    assert found.format.scheme
    assert len(found.creation_time) == 14


@given(st.binary(max_size=200), st.sampled_from([b"", b"<", b"%PDF-", b"\0" * 128 + b"DICM"]))
@settings(deadline=None)
def test_every_file_has_a_kind(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "kind"
    path.write_bytes(head + tail)
    assert kind_of(path) in DocumentKind


def described_as(content: bytes, tmp_path: Path) -> describe.Described:
    (tmp_path / "document").write_bytes(content)
    return describe.describe(tmp_path / "document")


@pytest.mark.proves("IMG-020", "IMG-032", "IMG-033", "IMG-037", "IMG-038")
def test_a_manifest_describes_itself(tmp_path: Path) -> None:
    found = described_as(MANIFEST, tmp_path)
    assert found.mime_type == "application/dicom"
    assert found.format[:2] == (dicom.KEY_OBJECT_SELECTION, "1.2.840.10008.2.6.1")
    assert found.unique_id == pydicom.dcmread(tmp_path / "document").SOPInstanceUID
    assert found.creation_time == "20260304093000"
    assert found.service_start == "20260304071500"
    assert found.service_stop == ""
    assert found.patient_ids == (IssuedId("T-1", "", "1.2.40.0.13.8", "ISO"),)
    # DICOM has the prefix before the suffix, PID-5 after it
    assert found.patient_name == "Prüfling^Petra^Maria^^Dr."
    assert (found.birth_date, found.sex) == ("19610203", "F")
    assert found.study_instance_uids == ("1.2.3",)
    assert found.accessions == (IssuedId("A-77", "", "1.2.40.0.13.9", "ISO"),)
    assert [each.value for each in found.orders] == ["P-5"]
    # the report object of the study gives no modality
    assert found.modalities == ("CT",)
    assert found.authors == (DescribedAuthor(institution="Hospital of Nowhere"),)


@pytest.mark.proves("IMG-020", "IMG-038")
def test_a_foreign_manifest_describes_itself(shared: Path) -> None:
    found = describe.describe(shared / "samples" / "mado" / "ihe-mado-kos-a.dcm")
    assert found.unique_id == "1.2.250.1.59.40211.22756022.2.3.101.259.31"
    assert (found.title, found.service_start) == ("Study A", "20260224152310")
    assert found.authors == (DescribedAuthor(institution="IHE Demo"),)
    assert [(each.value, each.issuer_oid) for each in found.accessions] == [
        ("1731954284869428", "1.3.6.1.4.1.19376.1.1.100.2")
    ]


@pytest.mark.proves("IMG-032", "IMG-033", "IMG-037", "IMG-038", "IMG-049")
def test_an_instance_describes_itself(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.dcm",
        InstanceCreationDate="20260304",
        InstanceCreationTime="001500",
        StudyDate="20260303",
        StudyTime="2350",
        TimezoneOffsetFromUTC="+0100",
        StudyDescription="CT head",
        BodyPartExamined="HEAD",
        AccessionNumber="A-1",
        IssuerOfAccessionNumberSequence=Sequence([issuer("1.2.40.0.13.9")]),
        ProcedureCodeSequence=Sequence([code("30799-1", "LN", "CT Head")]),
        IssuerOfPatientIDQualifiersSequence=Sequence([issuer("1.2.40.0.13.8")]),
        InstitutionName="Hospital & Co",
    )
    found = describe.describe(path)
    assert found.format[:2] == ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.2.6.1")
    assert (found.creation_time, found.service_start) == ("20260303231500", "202603032250")
    assert (found.title, found.modalities) == ("CT head", ("CT",))
    assert found.regions == (("69536005", cda_names.SNOMED_CT, "Head"),)
    assert found.accessions == (IssuedId("A-1", "", "1.2.40.0.13.9", "ISO"),)
    assert found.patient_ids == (IssuedId("T-1", "", "1.2.40.0.13.8", "ISO"),)
    assert found.type_code == ("30799-1", cda_names.LOINC, "CT Head")
    assert found.authors == (DescribedAuthor(institution="Hospital \\T\\ Co"),)


@pytest.mark.parametrize("modality", ["KO", "PR", "SR", "SEG", ""])
@pytest.mark.proves("IMG-033")
def test_only_acquisition_modalities_count(modality: str, tmp_path: Path) -> None:
    assert describe.describe(write(tmp_path / "a.dcm", Modality=modality)).modalities == ()


@pytest.mark.proves("IMG-023", "IMG-037", "IMG-038", "IMG-049", "IMG-050")
def test_a_report_describes_itself(tmp_path: Path) -> None:
    found = described_as(REPORT, tmp_path)
    assert (found.mime_type, found.format.code, found.format.scheme) == (
        "text/xml",
        "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013",
        "1.3.6.1.4.1.19376.1.2.3",
    )
    assert found.unique_id == "1.2.40.0.13.5^R-2026-1"
    assert found.creation_time == "20260304093000"
    assert found.service_start == "20260304071500"
    assert (found.title, found.language) == ("CT head & neck", "de-AT")
    assert found.patient_ids == (PATIENT.id,)
    assert found.patient_name == "Prüfling^Petra^Maria^^Dr."
    assert (found.birth_date, found.sex) == ("19610203", "F")
    assert found.study_instance_uids == ("1.2.3",)
    assert found.accessions == (IssuedId("A-77", "", "1.2.40.0.13.9", "ISO"),)
    assert found.modalities == ("CT",)
    assert found.type_code == ("18748-4", cda_names.LOINC, "Diagnostic imaging study")
    assert found.confidentiality
    assert found.confidentiality[:2] == ("N", cda_names.CONFIDENTIALITY)
    [author] = found.authors
    assert author.person == "V-7^Vorbild^Vera^^^Dr.^^^&1.2.40.0.13.6&ISO"
    assert author.institution == "Praxis \\T\\ Partner^^^^^^^^^1.2.40.0.13.7"
    assert XCN(author.person).problem is None
    assert XON(author.institution).problem is None
    assert found.legal_authenticator == author.person


@pytest.mark.parametrize(
    ("content", "format_code"),
    [
        pytest.param(cda.wrapped_report(FRAME, "x", STUDY), "urn:ihe:rad:TEXT", id="wrapped text"),
        pytest.param(
            cda.wrapped_report(FRAME, "x", STUDY).replace(b"text/plain", b"application/pdf"),
            "urn:ihe:iti:xds-sd:pdf:2008",
            id="wrapped PDF",
        ),
    ],
)
@pytest.mark.proves("IMG-021")
def test_an_unstructured_report_has_its_own_format(
    content: bytes, format_code: str, tmp_path: Path
) -> None:
    found = described_as(content, tmp_path)
    assert (found.format.code, found.mime_type) == (format_code, "text/xml")
    assert found.study_instance_uids == ("1.2.3",)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param(lambda text: text, DocumentKind.IMAGING_REPORT, id="as made"),
        pytest.param(
            lambda text: re.sub(rb"<templateId[^>]*/>", b"", text), DocumentKind.IMAGING_REPORT,
            id="by its headings",
        ),
        pytest.param(
            lambda text: re.sub(rb"<code [^>]*/>", b"", re.sub(rb"<templateId[^>]*/>", b"", text)),
            DocumentKind.CDA, id="sections of something else",
        ),
    ],
)  # fmt: skip
@pytest.mark.proves("IMG-023", "IMG-061", "IMG-062")
def test_structured_headings_make_an_imaging_report(
    change: Callable[[bytes], bytes], kind: DocumentKind, tmp_path: Path
) -> None:
    assert described_as(change(REPORT), tmp_path).kind is kind


@pytest.mark.proves("IMG-033", "IMG-034", "IMG-063")
def test_a_wrapped_report_tells_modality_and_region_of_its_study(tmp_path: Path) -> None:
    series = replace(STUDY.series[0], body_part="HEAD")
    study = replace(STUDY, series=(series, STUDY.series[1]))
    found = described_as(cda.wrapped_report(FRAME, "x", study), tmp_path)
    assert found.kind is DocumentKind.WRAPPED_TEXT
    assert found.modalities == ("CT",)
    assert found.regions == (("69536005", cda_names.SNOMED_CT, "Head"),)


@pytest.mark.proves("IMG-020", "IMG-032", "IMG-033", "IMG-034", "IMG-036", "MADO-153")
def test_a_manifest_with_descriptors_tells_more(tmp_path: Path) -> None:
    series = replace(STUDY.series[0], body_part="HEAD")
    study = replace(STUDY, series=(series, STUDY.series[1]))
    made = kos.manifest_of(study, retrieve_location_uid="1.2.3.9", site=SITE, mado=mado.TRIAL)
    found = described_as(kos.manifest_bytes(made), tmp_path)
    assert found.kind is DocumentKind.MADO_MANIFEST
    assert found.format == described_as(MANIFEST, tmp_path).format
    assert found.modalities == ("CT",)
    assert found.regions == (("774007", cda_names.SNOMED_CT, "Head and neck"),)
    assert found.procedures == (("30799-1", cda_names.LOINC, "CT Head"),)
    assert found.type_code == ("30799-1", cda_names.LOINC, "CT Head")


@pytest.mark.proves("IMG-034")
def test_a_body_part_that_is_no_term_gives_no_region(tmp_path: Path) -> None:
    assert describe.describe(write(tmp_path / "a.dcm", BodyPartExamined="KOPF")).regions == ()


@pytest.mark.proves("IMG-022")
def test_a_pdf_describes_itself(tmp_path: Path) -> None:
    found = described_as(PDF, tmp_path)
    assert (found.mime_type, found.format.code) == ("application/pdf", "urn:ihe:rad:PDF")
    assert (found.title, found.creation_time, found.unique_id) == ("Befund", "20260304093000", "")


def test_a_file_that_says_nothing_has_the_time_of_its_change(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("Befund")
    os.utime(tmp_path / "note.txt", (1_772_616_600, 1_772_616_600))
    found = describe.describe(tmp_path / "note.txt")
    assert (found.mime_type, found.creation_time) == ("text/plain", "20260304093000")
    assert found.format.code == "urn:ihe:iti:xds:2017:mimeTypeSufficient"
    (tmp_path / "old.pdf").write_bytes(b"%PDF-1.4")
    os.utime(tmp_path / "old.pdf", (1_772_616_600, 1_772_616_600))
    assert describe.describe(tmp_path / "old.pdf").creation_time == "20260304093000"


@pytest.mark.proves("KOS-133")
def test_a_broken_manifest_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.dcm").write_bytes(MANIFEST[:-20])
    with pytest.raises(InvalidDocumentContent, match=r"^InvalidDocumentContent: broken\.dcm: ends"):
        describe.describe(tmp_path / "broken.dcm")


@given(st.text(max_size=30), st.text(max_size=30))
def test_delimiters_in_names_stay_data(name: str, other: str) -> None:
    for text in (escaped(name), escaped(other)):
        assert not set("^|~&") & set(text)
        assert CX(f"x{text}^^^&1.2.3&ISO").problem is None
    assert xon(name, "1.2.3").count("^") == (9 if name else 0)


INSTANCES = {path.name: path for files in pydicom_studies().values() for path in files}


@pytest.mark.parametrize("name", INSTANCES)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("IMG-037", "IMG-038")
def test_times_of_real_instances_are_dtm(name: str) -> None:
    header = pydicom.dcmread(INSTANCES[name], stop_before_pixels=True)
    found = describe.describe(INSTANCES[name])
    assert (found.kind, found.unique_id) == (DocumentKind.DICOM, header.SOPInstanceUID)
    assert bool(found.service_start) == bool(header.get("StudyDate"))
    assert bool(found.creation_time) == bool(header.get("InstanceCreationDate"))
    for time in (found.creation_time, found.service_start):
        assert time == "" or DTM(time).problem is None
