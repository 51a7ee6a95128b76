"""Every kind of imaging document goes through a node and is found by its study [RAD-68]."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from tests.node import Node, fresh_patient
from tests.wire import manifests as m
from tests.wire.bundles import MANIFEST, REPORT
from tests.wire.reports import FRAME, STUDY, TEXT
from xdsi.client import DocumentConsumer, DocumentSource, compose
from xdsi.client.compose import Reference, Wishes
from xdsi.model.errors import XDSError
from xdsi.model.manifest import IssuedId
from xdsi.model.messages import QueryRequest
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX, OID
from xdsi.standard import dicom, mado, queries, urns
from xdsi.wire import cda, kos, parameters, pdf

# What a PDF cannot say and its submitter does.
_REFERENCE = Reference("1.2.3", IssuedId("A-77", "", "1.2.40.0.13.9", "ISO"), ("CT",), ("HEAD",))
_PLAIN = Reference()


def manifest(*, with_descriptors: bool) -> bytes:
    series = replace(STUDY.series[0], body_part="HEAD")
    made = kos.manifest_of(
        replace(STUDY, series=(series, STUDY.series[1])),
        retrieve_location_uid=m.PLACE,
        retrieve_ae_title="XDSI",
        site=m.SITE,
        mado=mado.TRIAL if with_descriptors else None,
    )
    return kos.manifest_bytes(made)


def report() -> bytes:
    return cda.imaging_report(FRAME, TEXT, STUDY)


def wrapped() -> bytes:
    return cda.wrapped_report(FRAME, "Normal.", STUDY)


def text_pdf() -> bytes:
    return pdf.text_pdf("Befund", ["Normal."], made=datetime(2026, 3, 4, tzinfo=UTC))


# kind -> its content, what only the user knows, media type and format of its entry, class
KINDS = {
    "manifest": (
        lambda: manifest(with_descriptors=False), _PLAIN,
        "application/dicom", dicom.KEY_OBJECT_SELECTION, "IMAGES",
    ),
    "manifest with descriptors": (
        lambda: manifest(with_descriptors=True), _PLAIN,
        "application/dicom", dicom.KEY_OBJECT_SELECTION, "IMAGES",
    ),
    "manifest in FHIR": (
        lambda: json.dumps(MANIFEST).encode(), _PLAIN,
        "application/fhir+json", "urn:ihe:rad:MADO:fhir-manifest:2026", "IMAGES",
    ),
    "report with headings": (
        report, _PLAIN,
        "text/xml", "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013", "REPORTS",
    ),
    "wrapped text": (wrapped, _PLAIN, "text/xml", "urn:ihe:rad:TEXT", "REPORTS"),
    "PDF": (text_pdf, _REFERENCE, "application/pdf", "urn:ihe:rad:PDF", "REPORTS"),
    "report in FHIR": (
        lambda: json.dumps(REPORT).encode(), _PLAIN,
        "application/fhir+json", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "REPORTS",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def source(real_node: Node) -> Iterator[DocumentSource]:
    with real_node.source() as made:
        yield made


@pytest.fixture(scope="module")
def consumer(real_node: Node) -> Iterator[DocumentConsumer]:
    with real_node.consumer() as made:
        yield made


def submitted(
    source: DocumentSource, path: Path, patient: CX, reference: Reference = _PLAIN
) -> tuple[DocumentEntry, tuple[XDSError, ...]]:
    wishes = Wishes(patient=patient, source_id=OID("2.999.8"), reference=reference)
    request = compose.provide_request([path], wishes)
    return request.submission.entries[0], source.provide(request)


def found(
    consumer: DocumentConsumer, patient: CX, study: str, modality: str
) -> tuple[DocumentEntry, ...]:
    """By study and modality, as a viewer asks."""
    slots = (
        parameters.single("$XDSDocumentEntryPatientId", str(patient)),
        parameters.many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
        parameters.many(
            "$XDSDocumentEntryReferenceIdList", (f"{study}^^^^{urns.STUDY_INSTANCE_UID}",)
        ),
        parameters.many("$XDSDocumentEntryEventCodeList", (f"{modality}^^{dicom.DCM}",)),
    )
    answer = consumer.query(QueryRequest(queries.FIND_DOCUMENTS_BY_REFERENCE_ID.id, slots))
    return tuple(each for each in answer.objects if isinstance(each, DocumentEntry))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.proves(
    "IMG-009", "IMG-010", "IMG-011", "IMG-020", "IMG-021", "IMG-022", "IMG-023", "IMG-024",
    "IMG-031", "IMG-033", "IMG-035", "IMG-044", "IMG-045", "MADO-105", "MADO-107", "UC-121",
)  # fmt: skip
def test_every_kind_is_submitted_and_found_by_study_and_modality(
    kind: str, source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    make, reference, mime_type, format_code, class_code = KINDS[kind]
    path, patient = tmp_path / "document", fresh_patient()
    content = make()
    # the two reports in CDA and their frame have one id
    if kind == "wrapped text":
        content = content.replace(b"R-2026-1", b"R-2026-2")
    path.write_bytes(content)
    entry, warnings = submitted(source, path, patient, reference)
    assert warnings == ()
    (seen,) = found(consumer, patient, "1.2.3", "CT")
    assert seen.entry_uuid
    assert (seen.mime_type, str(seen.unique_id)) == (mime_type, str(entry.unique_id))
    assert seen.format_code is not None and seen.format_code.code == format_code
    assert seen.class_code is not None and seen.class_code.code == class_code
    assert all(each.display for each in seen.event_codes)
    references = {str(each) for each in seen.reference_ids}
    assert f"A-77^^^&1.2.40.0.13.9&ISO^{urns.ACCESSION}" in references
    assert found(consumer, patient, "1.2.3", "MR") == found(consumer, patient, "1.2.4", "CT") == ()
    into = tmp_path / "into"
    into.mkdir()
    (received,) = consumer.retrieve((seen,), into)
    assert received.is_as_registered and received.path.read_bytes() == content


@pytest.mark.proves(
    "IMG-018", "IMG-039", "IMG-040", "IMG-041", "IMG-042", "IMG-043", "IMG-044", "IMG-046",
    "MADO-100", "MADO-101", "MADO-102", "MADO-103", "MADO-104", "MADO-108", "MADO-109", "MADO-111",
    "MADO-112",
)  # fmt: skip
def test_a_manifest_and_its_report_are_submitted_together_and_linked(
    real_node: Node, source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    """By study, accession number and order; each with what a search asks for."""
    (tmp_path / "report.xml").write_bytes(report().replace(b"R-2026-1", b"R-2026-3"))
    files = [_written(tmp_path, manifest(with_descriptors=True)), tmp_path / "report.xml"]
    patient = fresh_patient()
    request = compose.provide_request(files, Wishes(patient=patient, source_id=OID("2.999.8")))
    assert source.provide(request) == ()
    (images, text) = sorted(consumer.find_documents(patient), key=lambda e: e.mime_type or "")
    shared = {str(each) for each in images.reference_ids} & {str(e) for e in text.reference_ids}
    assert {
        f"1.2.3^^^^{urns.STUDY_INSTANCE_UID}",
        f"A-77^^^&1.2.40.0.13.9&ISO^{urns.ACCESSION}",
    } <= shared
    assert f"P-5^^^&1.2.40.0.13.10&ISO^{urns.ORDER}" in map(str, images.reference_ids)
    for each in (images, text):
        assert (each.patient_id, str(each.source_patient_id)) == (
            patient,
            "T-1^^^&1.2.40.0.13.8&ISO",
        )
        assert each.service_start_time and each.creation_time and not each.service_stop_time
        assert each.class_code and each.type_code and each.practice_setting_code
        assert each.healthcare_facility_type_code and each.format_code
        assert each.repository_unique_id and str(each.repository_unique_id) == (
            real_node.repository_id
        )
    assert [len(each.institutions) for each in images.authors] == [1]


@pytest.mark.proves("IMG-017", "KOS-122", "SEC-T-151")
def test_a_wrong_manifest_is_taken_with_a_warning_over_the_wire(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    item = pydicom.dcmread(_written(tmp_path, manifest(with_descriptors=False)))
    item.SOPInstanceUID = "1.2.3.77"
    m.in_every_series("RetrieveLocationUID")(item)
    patient = fresh_patient()
    entry, [warning] = submitted(source, _written(tmp_path, m.file_of(item)), patient)
    assert (warning.code, warning.severity) == ("InvalidDocumentContent", urns.SEVERITY_WARNING)
    assert warning.context.startswith(f"{entry.unique_id}: ") and "KOS-127" in warning.context
    assert len(consumer.find_documents(patient)) == 1


def _written(folder: Path, content: bytes) -> Path:
    (folder / "manifest.dcm").write_bytes(content)
    return folder / "manifest.dcm"
