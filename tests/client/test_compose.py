"""From files to a submission: what each kind of document fills, and that the user's word wins."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from xdsi.client import compose
from xdsi.client.compose import Reference, Wishes, provide_request
from xdsi.model.checks import attribute_findings
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import IssuedId, PatientHeader
from xdsi.model.messages import Content
from xdsi.model.objects import Code, DocumentEntry
from xdsi.model.report import InstanceIdentifier, Organization
from xdsi.model.values import CX, OID
from xdsi.standard import urns
from xdsi.wire.cdamaker import ReportFrame, ReportText, imaging_report, wrapped_report
from xdsi.wire.instances import read_study
from xdsi.wire.kos import Site, manifest_of, write_manifest
from xdsi.wire.pdf import text_pdf

PATIENT = CX("P-1^^^&2.999.7&ISO")
WISHES = Wishes(patient=PATIENT, source_id=OID("2.999.8"))
MADE = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
HOSPITAL = Organization("Invented & Sons", (InstanceIdentifier("2.999.9"),))
FRAME = ReportFrame(
    id=InstanceIdentifier("2.999.10", "77"),
    made=MADE,
    title="An invented report",
    author="Example^Erika",
    author_id=InstanceIdentifier("2.999.9", "erika"),
    institution=HOSPITAL,
    language="de-AT",
)
ABOUT = PatientHeader(IssuedId("S-1", "", "2.999.11", "ISO"), "Doe^Jane", "19700102", "F")
ACCESSION = IssuedId("A1", "", "2.999.12", "ISO")


@pytest.fixture
def image() -> Path:
    return Path(str(get_testdata_file("CT_small.dcm")))


@pytest.fixture
def cda(tmp_path: Path, image: Path) -> Path:
    path = tmp_path / "report.xml"
    text = ReportText(findings="Nothing.", impression="Well.")
    path.write_bytes(
        imaging_report(FRAME, text, read_study([image]), patient=ABOUT, accession=ACCESSION)
    )
    return path


@pytest.fixture
def manifest(tmp_path: Path, image: Path) -> Path:
    path = tmp_path / "manifest.dcm"
    site = Site(institution_name="Invented & Sons", accession_issuer="2.999.12")
    made = manifest_of(read_study([image]), retrieve_location_uid="2.999.13", now=MADE, site=site)
    write_manifest(made, path)
    return path


def entry_of(path: Path, wishes: Wishes = WISHES) -> DocumentEntry:
    (entry,) = provide_request([path], wishes).submission.entries
    return entry


def texts(values: object) -> list[str]:
    assert isinstance(values, tuple)
    return [str(each) for each in values]


@pytest.mark.proves("IMG-023", "IMG-030", "IMG-042", "IMG-044", "IMG-047", "IMG-049", "IMG-052")
def test_structured_report_fills_its_entry(cda: Path, image: Path) -> None:
    entry = entry_of(cda)
    study = pydicom.dcmread(image).StudyInstanceUID
    assert entry.mime_type == "text/xml"
    assert entry.format_code is not None
    assert entry.format_code.code == "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"
    assert str(entry.unique_id) == "2.999.10^77"
    assert str(entry.creation_time) == "20240203040506"
    assert str(entry.language_code) == "de-AT"
    assert str(entry.title) == "An invented report"
    assert texts(entry.reference_ids) == [
        f"{study}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "A1^^^&2.999.12&ISO^urn:ihe:iti:xds:2013:accession",
    ]
    assert str(entry.source_patient_id) == "S-1^^^&2.999.11&ISO"
    assert texts(entry.source_patient_info) == [
        "PID-3|S-1^^^&2.999.11&ISO", "PID-5|Doe^Jane", "PID-7|19700102", "PID-8|F",
    ]  # fmt: skip
    (author,) = entry.authors
    assert texts(author.persons) == ["erika^Example^Erika^^^^^^&2.999.9&ISO"]
    assert texts(author.institutions) == [r"Invented \T\ Sons^^^^^^^^^2.999.9"]
    assert str(entry.legal_authenticator).startswith("erika^Example^Erika")
    assert [each.code for each in entry.event_codes] == ["CT"]
    assert entry.class_code is not None and entry.class_code.code == "REPORTS"


@pytest.mark.proves("IMG-021")
def test_wrapped_text_report_has_its_own_format(tmp_path: Path, image: Path) -> None:
    path = tmp_path / "wrapped.xml"
    study = read_study([image])
    path.write_bytes(
        wrapped_report(FRAME, "Nothing seen.", study, patient=ABOUT, accession=ACCESSION)
    )
    entry = entry_of(path)
    assert (entry.mime_type, str(entry.unique_id)) == ("text/xml", "2.999.10^77")
    assert entry.format_code == Code.of("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3", "RAD TEXT")


@pytest.mark.proves("IMG-022", "IMG-033", "IMG-034", "IMG-035")
def test_pdf_says_title_and_time_and_the_user_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(text_pdf("A PDF", ["one line"], made=MADE))
    wishes = replace(
        WISHES,
        reference=Reference("1.2.3.4", ACCESSION, ("CT", "PT"), ("HEAD", "HEAD")),
        institution="Invented",
        service_start="2024",
    )
    entry = entry_of(path, wishes)
    assert entry.mime_type == "application/pdf"
    assert entry.format_code == Code.of("urn:ihe:rad:PDF", "1.3.6.1.4.1.19376.1.2.3", "RAD PDF")
    assert (str(entry.title), str(entry.creation_time)) == ("A PDF", "20240203040506")
    assert OID(str(entry.unique_id)).problem is None
    assert texts(entry.reference_ids) == [
        "1.2.3.4^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "A1^^^&2.999.12&ISO^urn:ihe:iti:xds:2013:accession",
    ]
    assert str(entry.source_patient_id) == str(PATIENT)
    assert str(entry.service_start_time) == "2024"
    assert [(each.code, each.scheme, str(each.display)) for each in entry.event_codes] == [
        ("CT", "1.2.840.10008.2.16.4", "Computed Tomography"),
        ("PT", "1.2.840.10008.2.16.4", "Positron emission tomography"),
        ("69536005", "2.16.840.1.113883.6.96", "Head"),
    ]


@pytest.mark.proves("IMG-020", "IMG-031", "IMG-037", "IMG-038")
def test_manifest_fills_its_entry(manifest: Path, image: Path) -> None:
    entry, kos = entry_of(manifest), pydicom.dcmread(manifest)
    assert entry.mime_type == "application/dicom"
    assert entry.format_code is not None
    assert entry.format_code.code == "1.2.840.10008.5.1.4.1.1.88.59"
    assert entry.format_code.scheme == "1.2.840.10008.2.6.1"
    assert str(entry.unique_id) == kos.SOPInstanceUID
    assert str(entry.creation_time) == "20240203040506"
    assert str(entry.service_start_time) == "20040119122730"  # 07:27:30-0500
    assert entry.class_code is not None and entry.class_code.code == "IMAGES"
    assert entry.type_code is not None and entry.type_code.code == "18748-4"
    assert [each.code for each in entry.event_codes] == ["CT"]
    assert texts(entry.authors[0].institutions) == [r"Invented \T\ Sons"]


def test_image_fills_its_entry(image: Path) -> None:
    entry, data = entry_of(image), pydicom.dcmread(image)
    assert str(entry.unique_id) == data.SOPInstanceUID
    assert entry.format_code is not None
    assert (entry.format_code.code, entry.format_code.scheme) == (
        data.SOPClassUID,
        "1.2.840.10008.2.6.1",
    )
    assert [each.code for each in entry.event_codes] == ["CT"]


@pytest.mark.parametrize(
    ("name", "content", "mime_type"),
    [
        ("note.txt", b"hello\n", "text/plain"),
        ("other.xml", b"<a/>", "text/xml"),
        ("zeros", bytes(50), "application/octet-stream"),
        ("empty", b"", "application/octet-stream"),
    ],
)
def test_anything_else_is_described_by_its_media_type(
    tmp_path: Path, name: str, content: bytes, mime_type: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    entry = entry_of(path)
    assert entry.mime_type == mime_type
    assert entry.format_code is not None
    assert entry.format_code.code == "urn:ihe:iti:xds:2017:mimeTypeSufficient"


@pytest.mark.parametrize("kind", ["cda", "manifest", "image"])
def test_submission_of_every_kind_is_complete(kind: str, request: pytest.FixtureRequest) -> None:
    """But for hash, size and repositoryUniqueId, which the repository adds."""
    made = provide_request([request.getfixturevalue(kind)], WISHES)
    (entry,), sets = made.submission.entries, made.submission.submission_sets
    late = {"hash", "size", "repositoryUniqueId"}
    found = [
        each
        for obj in (entry, *sets, *made.submission.associations)
        for each in attribute_findings(obj)
        if each.what.rpartition(".")[2] not in late
    ]
    assert found == []
    assert {str(obj.patient_id) for obj in (entry, *sets)} == {str(PATIENT)}


def test_users_word_wins(cda: Path) -> None:
    code = Code.of("X", "1.2.3", "An X")
    wishes = Wishes(
        patient=PATIENT,
        source_id=OID("2.999.8"),
        source_patient=CX("M^^^&2.999.14&ISO"),
        title="Mine",
        language="fr",
        author="^Me",
        institution="Ours",
        codes=dict.fromkeys(compose.CODED, code),
        service_start="2001",
    )
    entry = entry_of(cda, wishes)
    assert str(entry.title) == "Mine"
    assert str(entry.language_code) == "fr"
    assert str(entry.source_patient_id) == "M^^^&2.999.14&ISO"
    (author,) = entry.authors
    assert (texts(author.persons), texts(author.institutions)) == (["^Me"], ["Ours"])
    assert str(entry.service_start_time) == "2001"
    submission_set = provide_request([cda], wishes).submission.submission_set
    assert {
        entry.class_code,
        entry.type_code,
        entry.format_code,
        entry.healthcare_facility_type_code,
        entry.practice_setting_code,
        *entry.confidentiality_codes,
        submission_set.content_type_code,
    } == {code}
    # what a code does not replace stays the document's
    assert [each.code for each in entry.event_codes] == ["CT"]


@pytest.mark.parametrize("length", [127, 128, 300])
def test_long_title_is_cut_to_what_an_entry_takes(cda: Path, length: int) -> None:
    title = str(entry_of(cda, replace(WISHES, title="x" * length)).title)
    assert title == "x" * 127


def test_submission_joins_every_entry_to_its_set_and_document(cda: Path, manifest: Path) -> None:
    made = provide_request([cda, manifest], WISHES)
    submission = made.submission
    ids = [entry.entry_uuid for entry in submission.entries]
    assert [each.id for each in made.documents] == ids
    assert [
        (each.association_type, each.source_object, each.target_object, each.submission_set_status)
        for each in submission.associations
    ] == [(urns.HAS_MEMBER, submission.submission_set.entry_uuid, each, "Original") for each in ids]
    for document, path in zip(made.documents, (cda, manifest), strict=True):
        content = document.content
        assert isinstance(content, Content) and content.size == path.stat().st_size
        reader = content.open()
        assert reader.read(1 << 20) == path.read_bytes()
        reader.close()


def test_each_submission_has_ids_of_its_own(cda: Path) -> None:
    one, two = (provide_request([cda], WISHES).submission for _ in range(2))
    assert str(one.submission_set.unique_id) != str(two.submission_set.unique_id)
    assert one.entries[0].entry_uuid != two.entries[0].entry_uuid
    assert str(one.entries[0].unique_id) == str(two.entries[0].unique_id)


def test_replacement_points_to_the_replaced_entry(cda: Path) -> None:
    target = "urn:uuid:11111111-1111-4111-8111-111111111111"
    wishes = replace(WISHES, replaces=(target,))
    submission = provide_request([cda], wishes).submission
    replacing = submission.associations[-1]
    assert (replacing.association_type, replacing.source_object, replacing.target_object) == (
        urns.RPLC,
        submission.entries[0].entry_uuid,
        target,
    )
    with pytest.raises(ValueError, match="exactly one document"):
        provide_request([cda, cda], wishes)


@pytest.mark.proves("IMG-065")
def test_a_report_that_says_it_replaces_another_is_remarked_on(cda: Path) -> None:
    text = cda.read_bytes().replace(
        b"<documentationOf", b'<relatedDocument typeCode="RPLC"/><documentationOf', 1
    )
    cda.write_bytes(text)
    remarks: list[str] = []
    provide_request([cda], WISHES, remark=remarks.append)
    assert len(remarks) == 1 and remarks[0].startswith("report.xml replaces another document")
    target = "urn:uuid:11111111-1111-4111-8111-111111111111"
    provide_request([cda], replace(WISHES, replaces=(target,)), remark=remarks.append)
    assert len(remarks) == 1


def test_broken_and_missing_documents_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(bytes(128) + b"DICM\x02\x00")
    with pytest.raises(InvalidDocumentContent, match=r"broken\.dcm"):
        provide_request([broken], WISHES)
    with pytest.raises(FileNotFoundError):
        provide_request([tmp_path / "lost"], WISHES)
