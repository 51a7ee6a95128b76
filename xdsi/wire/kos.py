"""The DICOM manifest: a Key Object Selection document made from a study, and read.

Source: DICOM PS3.3 A.35.4, C.17.6; PS3.16 TID 2010; IHE RAD TF-3 4.68.4.1.2.1 (kos-manifest.md
sections 1 to 7).
"""

import hashlib
import io
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Required, TypedDict, Unpack

from pydicom import dcmwrite
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Sequence_
from pydicom.uid import UID

from xdsi.model.descriptors import descriptors_of
from xdsi.model.manifest import CodedConcept, IssuedId, ReferencedRequest
from xdsi.model.study import StudyHeader
from xdsi.model.values import is_oid
from xdsi.standard import dicom
from xdsi.standard.mado import Dialect
from xdsi.wire import kostree
from xdsi.wire.instances import NoSingleStudy, read_study
from xdsi.wire.kosparts import (
    put,
    put_accession,
    put_codes,
    put_other_ids,
    put_patient,
    put_raw,
    request_item,
    with_issuer,
)
from xdsi.wire.kosreader import read_manifest
from xdsi.wire.kostree import Place
from xdsi.wire.mado import display_uri, root_items
from xdsi.wire.times import da_tm, plain_date, plain_time, zone

__all__ = [
    "Making",
    "NoSingleStudy",
    "Place",
    "Site",
    "Wishes",
    "identical_manifests",
    "make_manifest",
    "manifest_bytes",
    "manifest_of",
    "new_uid",
    "read_manifest",
    "write_manifest",
]


@dataclass(frozen=True, slots=True)
class Site:
    """What the maker of a manifest adds to what the images say.

    institution_oid: stands with the name in a manifest with descriptors (MADO-027)
    timezone: offset for images without (0008,0201), +hhmm
    patient_id_issuer, accession_issuer, order_issuer: OIDs for numbers that came without issuer
    """

    manufacturer: str = "xdsi"
    institution_name: str = ""
    institution_oid: str = ""
    timezone: str = "+0000"
    patient_id_issuer: str = ""
    accession_issuer: str = ""
    order_issuer: str = ""


DEFAULT_SITE = Site()


class Making(TypedDict, total=False):
    """How manifests of one imaging document source are to be made.

    retrieve_url: its WADO-RS base
    elsewhere: Series Instance UID -> place, of series that are not there
    uid_root: root of new UIDs, else they are 2.25 UIDs; now: when it is made (aware; default now)
    mado: dialect in which descriptors are written; without one it is a plain manifest
    viewer_url: where a person can look at the study (Display URI)
    """

    retrieve_ae_title: str | None
    retrieve_url: str | None
    elsewhere: Mapping[str, Place]
    uid_root: str | None
    now: datetime | None
    site: Site
    mado: Dialect | None
    viewer_url: str


class Wishes(Making):
    """As `Making`; retrieve_location_uid: OID of the imaging document source."""

    retrieve_location_uid: Required[str]


def make_manifest(files: Iterable[Path], **wishes: Unpack[Wishes]) -> Dataset:
    """A manifest of the study that these DICOM files make up.

    Two runs differ in UIDs and times only, whatever the order of the files.
    Raises InvalidDocumentContent for an unreadable file, ValueError (NoSingleStudy) for files of
    several studies or patients, or for a wish that has no place in a manifest.
    Source: kos-manifest.md sections 1 to 7.
    """
    return manifest_of(read_study(files), **wishes)


def manifest_of(study: StudyHeader, **wishes: Unpack[Wishes]) -> Dataset:
    """As `make_manifest`, for a study already read."""
    return _manifest(study, (study,), **wishes)


def identical_manifests(
    studies: Sequence[StudyHeader], **wishes: Unpack[Wishes]
) -> tuple[Dataset, ...]:
    """One manifest of several studies of a patient, as DICOM has it: a copy in each of them.

    All reference all studies, and each names the others (KOS-060, KOS-061). For sharing, every
    study has a manifest of its own instead (KOS-062).
    Raises ValueError also for one study, several patients, or descriptors wished for (MADO-012).
    """
    if len({each.study_instance_uid for each in studies}) < 2:
        raise ValueError("a manifest with identical documents is of two studies or more")
    patients = {(each.patient.id.value, each.patient.id.issuer_uid) for each in studies}
    if len(patients) > 1:
        raise NoSingleStudy(f"the studies are of {len(patients)} patients, a manifest is of one")
    if wishes.get("mado"):
        raise ValueError("a manifest with descriptors is of one study (MADO-012)")
    made = tuple(_manifest(each, studies, **wishes) for each in studies)
    for manifest in made:
        others = Sequence_(_identical(other) for other in made if other is not manifest)
        put(manifest, dicom.IDENTICAL_DOCUMENTS_SEQUENCE, "SQ", others)
    return made


def _manifest(
    study: StudyHeader,
    together: Sequence[StudyHeader],
    *,
    retrieve_location_uid: str,
    retrieve_ae_title: str | None = None,
    retrieve_url: str | None = None,
    elsewhere: Mapping[str, Place] = MappingProxyType({}),
    uid_root: str | None = None,
    now: datetime | None = None,
    site: Site = DEFAULT_SITE,
    mado: Dialect | None = None,
    viewer_url: str = "",
) -> Dataset:
    """A manifest that lies in `study` and references all studies `together`."""
    for each in together:
        if not each.series:
            raise NoSingleStudy(
                f"rejection notes leave no instance of study {each.study_instance_uid}"
            )
    place = _checked(Place(retrieve_location_uid, retrieve_ae_title or "", retrieve_url or ""))
    places = {uid: _checked(each) for uid, each in elsewhere.items()}
    offset = study.timezone if zone(study.timezone) else site.timezone
    if zone(offset) is None:
        raise ValueError(f"the time zone must be an offset such as +0100, got '{offset}'")
    title = _title(mado)
    instance_uid, series_uid = new_uid(uid_root), new_uid(uid_root)
    date, time = da_tm(now or datetime.now(UTC), offset)
    requests = tuple(_with_issuers(each, site) for of in together for each in of.requests)
    if mado:
        requests = _with_accessions(study, requests, site)
    accessions = tuple(dict.fromkeys(each.accession for each in requests if each.accession.value))
    manifest = Dataset()
    for tag, vr, value in (
        (dicom.SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192"),
        (dicom.INSTANCE_CREATION_DATE, "DA", date),
        (dicom.INSTANCE_CREATION_TIME, "TM", time),
        (dicom.SOP_CLASS_UID, "UI", dicom.KEY_OBJECT_SELECTION),
        (dicom.SOP_INSTANCE_UID, "UI", instance_uid),
        (dicom.STUDY_DATE, "DA", plain_date(study.date)),
        (dicom.STUDY_TIME, "TM", plain_time(study.time)),
        (dicom.CONTENT_DATE, "DA", date),
        (dicom.CONTENT_TIME, "TM", time),
        (dicom.MODALITY, "CS", "KO"),
        (dicom.MANUFACTURER, "LO", site.manufacturer),
        (dicom.REFERRING_PHYSICIAN_NAME, "PN", study.referring_physician),
        (dicom.TIMEZONE_OFFSET_FROM_UTC, "SH", offset),
        (dicom.REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, "SQ", Sequence_()),
        (dicom.STUDY_INSTANCE_UID, "UI", study.study_instance_uid),
        (dicom.SERIES_INSTANCE_UID, "UI", series_uid),
        (dicom.STUDY_ID, "SH", study.study_id),
        (dicom.SERIES_NUMBER, "IS", "1"),
        (dicom.INSTANCE_NUMBER, "IS", "1"),
        (dicom.VALUE_TYPE, "CS", "CONTAINER"),
        (dicom.CONTINUITY_OF_CONTENT, "CS", "SEPARATE"),
    ):
        put(manifest, tag, vr, value)
    if institution := _institution(site, mado):
        put(manifest, dicom.INSTITUTION_NAME, "LO", institution)
    if study.description:
        put(manifest, dicom.STUDY_DESCRIPTION, "LO", study.description[:64])
    put_patient(manifest, study.patient, site.patient_id_issuer)
    if mado:
        put_other_ids(manifest, study.patient, site.patient_id_issuer)
    # several accession numbers stand in the requests only (KOS-015)
    only = accessions[0] if len(accessions) == 1 else IssuedId("")
    put_accession(manifest, only)
    put_codes(manifest, dicom.CONCEPT_NAME_CODE_SEQUENCE, (title,))
    template = Dataset()
    put(template, dicom.MAPPING_RESOURCE, "CS", "DCMR")
    put(template, dicom.TEMPLATE_IDENTIFIER, "CS", "2010")
    put(manifest, dicom.CONTENT_TEMPLATE_SEQUENCE, "SQ", Sequence_([template]))
    if requests:
        items = Sequence_([request_item(each) for each in requests])
        put(manifest, dicom.REFERENCED_REQUEST_SEQUENCE, "SQ", items)
    put_raw(
        manifest,
        dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
        kostree.evidence(
            together,
            lambda series: places.get(series.series_instance_uid, place),
            display_uri(_url("viewer", viewer_url), mado),
        ),
    )
    ahead, behind = root_items(descriptors_of(study), mado) if mado else (b"", b"")
    content = ahead + kostree.content(together) + behind
    put_raw(manifest, dicom.CONTENT_SEQUENCE, content)
    # what is raw is written as it stands only when data set and file agree on the encoding
    manifest.set_original_encoding(False, True, convert_encodings("ISO_IR 192"))
    manifest.file_meta = FileMetaDataset()
    manifest.file_meta.MediaStorageSOPClassUID = UID(dicom.KEY_OBJECT_SELECTION)
    manifest.file_meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    manifest.file_meta.TransferSyntaxUID = UID(dicom.EXPLICIT_LITTLE_ENDIAN)
    return manifest


def write_manifest(manifest: Dataset, target: Path | BinaryIO) -> None:
    """Write a made manifest as a Part 10 file, Explicit VR Little Endian (KOS-003, KOS-083)."""
    dcmwrite(target, manifest, enforce_file_format=True)


def manifest_bytes(manifest: Dataset) -> bytes:
    """A made manifest as the bytes of its file."""
    target = io.BytesIO()
    write_manifest(manifest, target)
    return target.getvalue()


def new_uid(root: str | None = None) -> str:
    """A UID nobody else has: below `root`, or a random UUID below 2.25 (KOS-084).

    Raises ValueError for a root that is no OID or leaves less than 20 digits.
    """
    if not root:
        return f"2.25.{uuid.uuid4().int}"
    room = 63 - len(root)
    if not is_oid(root) or room < 20:
        raise ValueError(f"the UID root must be an OID of at most 43 characters, got '{root}'")
    digits = min(room, 38)
    return f"{root}.{10 ** (digits - 1) + secrets.randbelow(9 * 10 ** (digits - 1))}"


def _checked(place: Place) -> Place:
    if not is_oid(place.location_uid):
        raise ValueError(f"the Retrieve Location UID must be an OID, got '{place.location_uid}'")
    if len(place.ae_title) > 16 or not place.ae_title.isascii() or "\\" in place.ae_title:
        raise ValueError(f"an AE title has at most 16 plain characters, got '{place.ae_title}'")
    _url("Retrieve", place.url)
    return place


def _url(name: str, url: str) -> str:
    if url and not (url.isascii() and url.startswith(("http://", "https://"))):
        raise ValueError(f"the {name} URL must be an http or https URL, got '{url}'")
    return url


def _title(mado: Dialect | None) -> CodedConcept:
    if mado is None:
        return CodedConcept("113030", "DCM", "Manifest")
    if mado.title is None:
        raise ValueError(
            f"the title of a manifest has no code in the dialect '{mado.name}' yet: give one"
        )
    return CodedConcept(*mado.title)


def _institution(site: Site, mado: Dialect | None) -> str:
    """With its OID as XON where descriptors are written and both fit (MADO-027)."""
    named = f"{site.institution_name}^^^^^^^^^{site.institution_oid}"
    return named if mado and site.institution_oid and len(named) <= 64 else site.institution_name


def _with_accessions(
    study: StudyHeader, requests: tuple[ReferencedRequest, ...], site: Site
) -> tuple[ReferencedRequest, ...]:
    """Requests that all have an accession number, one made for the study where none is known.

    The number follows from the study, so that a replaced manifest and the report have it too
    (MADO-025).
    """
    if any(each.accession.value for each in requests):
        return requests
    digest = hashlib.sha256(study.study_instance_uid.encode()).hexdigest()
    number = with_issuer(IssuedId(f"X{digest[:15].upper()}"), site.accession_issuer)
    if not requests:
        none = IssuedId("")
        return (ReferencedRequest(study.study_instance_uid, number, none, none),)
    return tuple(replace(each, accession=number) for each in requests)


def _identical(manifest: Dataset) -> Dataset:
    """The reference to a copy (KOS-060)."""
    copy, series, study = Dataset(), Dataset(), Dataset()
    put(copy, dicom.REFERENCED_SOP_CLASS_UID, "UI", dicom.KEY_OBJECT_SELECTION)
    put(copy, dicom.REFERENCED_SOP_INSTANCE_UID, "UI", manifest[dicom.SOP_INSTANCE_UID].value)
    put(series, dicom.REFERENCED_SOP_SEQUENCE, "SQ", Sequence_([copy]))
    put(series, dicom.SERIES_INSTANCE_UID, "UI", manifest[dicom.SERIES_INSTANCE_UID].value)
    put(study, dicom.REFERENCED_SERIES_SEQUENCE, "SQ", Sequence_([series]))
    put(study, dicom.STUDY_INSTANCE_UID, "UI", manifest[dicom.STUDY_INSTANCE_UID].value)
    return study


def _with_issuers(request: ReferencedRequest, site: Site) -> ReferencedRequest:
    return replace(
        request,
        accession=with_issuer(request.accession, site.accession_issuer),
        placer_order=with_issuer(request.placer_order, site.order_issuer),
    )
