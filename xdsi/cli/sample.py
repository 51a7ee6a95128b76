"""The demo's documents: a radiology report in two forms and the manifest of a real study.

The images are an MR study inside the pydicom package; patient, people and places are invented.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pydicom.data

from xdsi.client import compose
from xdsi.model.manifest import IssuedId
from xdsi.model.report import InstanceIdentifier, Organization
from xdsi.model.study import StudyHeader
from xdsi.model.values import CX, OID
from xdsi.standard.dicom import STUDY_INSTANCE_UID
from xdsi.wire.cdamaker import ReportFrame, ReportText, imaging_report
from xdsi.wire.instances import header, read_study
from xdsi.wire.kos import Site, manifest_of, write_manifest
from xdsi.wire.pdf import text_pdf
from xdsi.wire.times import plain_date

_ROOT = "2.25.20042424242424242424242424242424242"  # of the invented hospital
_SOURCE = OID(f"{_ROOT}.1")
_IMAGES = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "98892003"
_STUDY = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.1"  # one of three in that folder
_ACCESSION = IssuedId("2", "", f"{_ROOT}.2", "ISO")
_HOSPITAL = "Invented General Hospital"
_TITLE = "MR angiography of the brain: report"

_TEXT = ReportText(
    reason="Headache for three weeks. All of this is invented.",
    request="MR angiography of the brain",
    technique="Time-of-flight series and reconstructions, no contrast medium.",
    comparison="No earlier studies.",
    findings="The vessels of the circle of Willis are of normal width. No aneurysm.",
    impression="Normal finding.",
    recommendation="No further imaging needed.",
)


@dataclass(frozen=True, slots=True)
class Made:
    """submissions: title, file and added metadata of each; images: the files of the study."""

    submissions: tuple[tuple[str, Path, compose.Wishes], ...]
    images: Path


def patient(authority: str) -> CX:
    """An invented patient nobody has used yet."""
    return CX(f"DEMO-{uuid4().hex[:8]}^^^&{authority}&ISO")


def make(folder: Path, known_as: CX, *, kept_at: str = f"{_ROOT}.3") -> Made:
    """Write images, report.xml, report.pdf and manifest.dcm about one patient.

    kept_at: Retrieve Location UID of the source that has the images
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(_files()), 1):
        shutil.copyfile(path, images / f"{number:02}.dcm")
    now = datetime.now(UTC)
    study = read_study(sorted(images.iterdir()))
    return Made(
        (
            ("report as CDA R2", _cda(folder, study, now, known_as), _wishes(known_as, None)),
            ("report as PDF", _pdf(folder, now), _wishes(known_as, study)),
            ("manifest of the study", _kos(folder, study, now, kept_at), _wishes(known_as, None)),
        ),
        images,
    )


def _files() -> Iterator[Path]:
    for path in _IMAGES.rglob("*"):
        if path.is_file() and header(path).data.uid(STUDY_INSTANCE_UID) == _STUDY:
            yield path


def _wishes(known_as: CX, study: StudyHeader | None) -> compose.Wishes:
    """A PDF cannot say which study it belongs to; the other documents do."""
    if study is None:
        return compose.Wishes(patient=known_as, source_id=_SOURCE)
    return compose.Wishes(
        patient=known_as,
        source_id=_SOURCE,
        institution=_HOSPITAL,
        reference=compose.Reference(study.study_instance_uid, _ACCESSION, study.modalities),
        service_start=plain_date(study.date),
    )


def _cda(folder: Path, study: StudyHeader, now: datetime, known_as: CX) -> Path:
    frame = ReportFrame(
        id=InstanceIdentifier(f"2.25.{uuid4().int}"),
        made=now,
        title=_TITLE,
        author="Example^Erika^^Dr.",
        author_id=InstanceIdentifier(_ROOT, "erika"),
        institution=Organization(_HOSPITAL, (InstanceIdentifier(_ROOT),)),
    )
    about = replace(study.patient, id=IssuedId(known_as.id, "", known_as.authority, "ISO"))
    path = folder / "report.xml"
    path.write_bytes(imaging_report(frame, _TEXT, study, patient=about, accession=_ACCESSION))
    return path


def _pdf(folder: Path, now: datetime) -> Path:
    lines = [
        f"{heading}: {text}"
        for heading, text in (
            ("Reason", _TEXT.reason),
            ("Technique", _TEXT.technique),
            ("Findings", _TEXT.findings),
            ("Impression", _TEXT.impression),
        )
    ]
    path = folder / "report.pdf"
    path.write_bytes(text_pdf(_TITLE, lines, made=now, author="Erika Example"))
    return path


def _kos(folder: Path, study: StudyHeader, now: datetime, kept_at: str) -> Path:
    site = Site(institution_name=_HOSPITAL, accession_issuer=_ACCESSION.issuer_uid)
    manifest = manifest_of(study, retrieve_location_uid=kept_at, now=now, site=site)
    path = folder / "manifest.dcm"
    write_manifest(manifest, path)
    return path
