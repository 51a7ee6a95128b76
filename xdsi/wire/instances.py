"""Headers of ordinary DICOM instances, and the studies that a set of them makes up.

Only the part of a file before its pixel data is read, and of each header only what a manifest
needs is kept. A study takes its general attributes from its first instance by series and instance
number, its requests from all of them; what a rejection note of the study names is left out.
Source: DICOM PS3.3 C.7.2.1, C.7.3.1; KOS-006, KOS-052, KOS-080, KOS-081, KOS-085; IMG-030 to
IMG-047; RAD TF-3 Imaging Object Change Management.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import (
    CodedConcept,
    ContentItem,
    IssuedId,
    ManifestStudy,
    ReferencedRequest,
)
from xdsi.model.study import InstanceHeader, Rejection, SeriesHeader, StudyHeader
from xdsi.model.values import is_uid
from xdsi.standard import dicom, mado
from xdsi.wire import dicomshapes as shapes
from xdsi.wire.dicomfile import DicomFile, Item, Limits, Shape, read_header
from xdsi.wire.kosreader import CONTENT, EVIDENCE
from xdsi.wire.times import plain_date, plain_time

_LIMITS = Limits()  # of the header; an instance itself may be of any size

_STUDY_VALUES = frozenset(
    {
        dicom.STUDY_INSTANCE_UID,
        dicom.STUDY_ID,
        dicom.STUDY_DATE,
        dicom.STUDY_TIME,
        dicom.STUDY_DESCRIPTION,
        dicom.TIMEZONE_OFFSET_FROM_UTC,
        dicom.REFERRING_PHYSICIAN_NAME,
        dicom.INSTITUTION_NAME,
        dicom.INSTANCE_CREATION_DATE,
        dicom.INSTANCE_CREATION_TIME,
    }
)
HEADER = Shape(
    _STUDY_VALUES
    | shapes.PATIENT_VALUES
    | shapes.REQUEST_VALUES
    | {
        dicom.SOP_CLASS_UID,
        dicom.SOP_INSTANCE_UID,
        dicom.SERIES_INSTANCE_UID,
        dicom.SERIES_NUMBER,
        dicom.INSTANCE_NUMBER,
        dicom.MODALITY,
        dicom.SERIES_DESCRIPTION,
        dicom.SERIES_DATE,
        dicom.SERIES_TIME,
        dicom.LATERALITY,
        dicom.IMAGE_LATERALITY,
        dicom.BODY_PART_EXAMINED,
        dicom.NUMBER_OF_FRAMES,
    },
    {
        **shapes.PATIENT_SEQUENCES,
        **shapes.REQUEST_SEQUENCES,
        dicom.PROCEDURE_CODE_SEQUENCE: shapes.CODE,
        dicom.ANATOMIC_REGION_SEQUENCE: shapes.CODE,
        dicom.REQUEST_ATTRIBUTES_SEQUENCE: shapes.REQUEST,
        dicom.CONCEPT_NAME_CODE_SEQUENCE: shapes.CODE,
    },
    until=dicom.CONCEPT_NAME_CODE_SEQUENCE,
)
# A key object note is small and says what it is about only further behind.
NOTE = Shape(
    HEADER.values,
    {
        **HEADER.sequences,
        dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE: EVIDENCE,
        dicom.CONTENT_SEQUENCE: CONTENT,
    },
    until=dicom.CONTENT_SEQUENCE,
)


class NoSingleStudy(ValueError):
    """The files given do not make up one study of one patient; the text says why."""


def header(path: Path) -> DicomFile:
    """The wanted part of one instance (`HEADER`, `NOTE`). Raises InvalidDocumentContent."""
    file = read_header(path, HEADER, limits=_LIMITS)
    if file.data.uid(dicom.SOP_CLASS_UID) == dicom.KEY_OBJECT_SELECTION:
        return read_header(path, NOTE, limits=_LIMITS)
    return file


def read_study(files: Iterable[Path]) -> StudyHeader:
    """The one study that these files make up.

    Raises as `read_studies`, and NoSingleStudy for several.
    """
    return single(read_studies(files))


def read_studies(files: Iterable[Path]) -> tuple[StudyHeader, ...]:
    """The studies that these files make up, in the order of their UIDs.

    A directory (DICOMDIR) and manifests are no part of a study and are left out; an instance given
    twice counts once.
    Raises InvalidDocumentContent for a file that is no DICOM instance; NoSingleStudy for none of
    any study, and as `studies_of`.
    """
    found = studies_of(
        (path.name, file.data) for path in files if not is_directory(file := header(path))
    )
    if not found:
        raise NoSingleStudy("no DICOM instance among the files")
    return found


def single(studies: tuple[StudyHeader, ...]) -> StudyHeader:
    """The only study of these. Raises NoSingleStudy for none and for several."""
    if not studies:
        raise NoSingleStudy("no DICOM instance among the files")
    if len(studies) > 1:
        names = ", ".join(each.study_instance_uid for each in studies[:5])
        raise NoSingleStudy(f"{len(studies)} studies, one manifest describes one: {names}")
    return studies[0]


def studies_of(
    items: Iterable[tuple[str, Item]], notes: Iterable[Item] = ()
) -> tuple[StudyHeader, ...]:
    """The studies of instances whose headers come one by one, read with `HEADER` or `NOTE`.

    items: what errors call an instance, and its header; manifests are no part of a study
    notes: headers of rejection notes of other studies, which may name instances of these
    Raises InvalidDocumentContent for a UID that is none, NoSingleStudy for a study of several
    patients, or one UID for different things.
    """
    found: dict[str, _Found] = {}
    rejections: dict[str, list[Rejection]] = {}
    for note in notes:
        for study, rejection in _rejections(note):
            rejections.setdefault(study, []).append(rejection)
    shared = _Shared()
    for name, item in items:
        if is_manifest(item):
            continue
        each = _found(name, item, shared)
        known = found.setdefault(each.instance.sop_instance_uid, each)
        if known is not each and not known.is_same(each):
            raise NoSingleStudy(
                f"{name} and {known.name} have one SOP Instance UID "
                f"{each.instance.sop_instance_uid} for different instances"
            )
        if known is each:
            for study, rejection in _rejections(item):
                rejections.setdefault(study, []).append(rejection)
    members: dict[str, list[_Found]] = {}
    for each in sorted(found.values(), key=lambda each: each.order):
        members.setdefault(each.study.study_instance_uid, []).append(each)
    return tuple(_study(members[uid], rejections.get(uid, [])) for uid in sorted(members))


@dataclass(slots=True)
class _Shared:
    """Facts met so far: the same object for all instances that tell the same."""

    studies: dict[StudyHeader, StudyHeader] = field(default_factory=dict)
    series: dict[SeriesHeader, SeriesHeader] = field(default_factory=dict)
    requests: dict[tuple[ReferencedRequest, ...], tuple[ReferencedRequest, ...]] = field(
        default_factory=dict
    )


@dataclass(slots=True)
class _Found:
    """One instance while they are sorted; facts of study and series are one object for all alike.

    study, series: the headers as this instance tells them, without series and instances
    """

    name: str
    study: StudyHeader
    series: SeriesHeader
    instance: InstanceHeader
    requests: tuple[ReferencedRequest, ...]

    @property
    def order(self) -> tuple[int, str, int, str]:
        return (
            _number(self.series.number),
            self.series.series_instance_uid,
            _number(self.instance.number),
            self.instance.sop_instance_uid,
        )

    def is_same(self, other: "_Found") -> bool:
        return (
            self.study.study_instance_uid,
            self.series.series_instance_uid,
            self.instance.sop_class_uid,
        ) == (
            other.study.study_instance_uid,
            other.series.series_instance_uid,
            other.instance.sop_class_uid,
        )


def _study(found: list[_Found], notes: list[Rejection]) -> StudyHeader:
    """One study of instances in order; what was rejected tells nothing about it either, unless
    nothing else is left.
    """
    there = {each.instance.sop_instance_uid for each in found}
    rejected = {uid for note in notes for uid in (note.note_uid, *note.sop_instance_uids)}
    left = [each for each in found if each.instance.sop_instance_uid not in rejected]
    patients = {each.study.patient.id.value: each.name for each in left or found}
    if len(patients) > 1:
        names = ", ".join(list(patients.values())[:5])
        raise NoSingleStudy(f"the study has {len(patients)} different Patient IDs, see {names}")
    series: dict[str, list[_Found]] = {}
    for each in left:
        series.setdefault(each.series.series_instance_uid, []).append(each)
    return replace(
        (left or found)[0].study,
        series=tuple(map(_series_of, series.values())),
        requests=_distinct(dict.fromkeys(one for each in left for one in each.requests)),
        rejections=tuple(
            replace(
                each, sop_instance_uids=tuple(uid for uid in each.sop_instance_uids if uid in there)
            )
            for each in notes
        ),
    )


def _series_of(found: list[_Found]) -> SeriesHeader:
    """Images of both sides make a series of both."""
    sides = {each.series.laterality for each in found}
    side = "B" if sides == {"L", "R"} else sides.pop() if len(sides) == 1 else ""
    return replace(
        found[0].series, instances=tuple(each.instance for each in found), laterality=side
    )


def _rejections(item: Item) -> Iterator[tuple[str, Rejection]]:
    """What a note takes back (KOS-006), by Study Instance UID; in its own study itself as well.

    Nothing for every other instance.
    """
    title = item.first(dicom.CONCEPT_NAME_CODE_SEQUENCE, CodedConcept)
    if (
        item.uid(dicom.SOP_CLASS_UID) != dicom.KEY_OBJECT_SELECTION
        or title is None
        or (title.value, title.scheme) not in dicom.REJECTION_TITLES
    ):
        return
    named: dict[str, list[str]] = {item.uid(dicom.STUDY_INSTANCE_UID): []}
    for study in item.made(dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, ManifestStudy):
        for series in study.series:
            uids = named.setdefault(study.study_instance_uid, [])
            uids += (each.sop_instance_uid for each in series.instances)
    for uid, instances in named.items():
        yield (
            uid,
            Rejection(title, item.uid(dicom.SOP_INSTANCE_UID), tuple(dict.fromkeys(instances))),
        )


def is_directory(file: DicomFile) -> bool:
    """Whether a file is a DICOMDIR; its data set has no SOP class, so group 0002 tells."""
    return file.meta.uid(dicom.MEDIA_STORAGE_SOP_CLASS_UID) == dicom.MEDIA_STORAGE_DIRECTORY


def is_manifest(item: Item) -> bool:
    """Whether a data set read with `HEADER` is a KOS shared as a manifest (KOS-005, KOS-009)."""
    title = item.first(dicom.CONCEPT_NAME_CODE_SEQUENCE, CodedConcept)
    if item.uid(dicom.SOP_CLASS_UID) != dicom.KEY_OBJECT_SELECTION or title is None:
        return False
    return (title.value, title.scheme) in dicom.MANIFEST_TITLES or (
        mado.concept(title.value, title.scheme, title.meaning) is mado.TITLE
    )


def _found(name: str, item: Item, shared: _Shared) -> _Found:
    uids = {}
    for label, tag in (
        ("SOP Class UID", dicom.SOP_CLASS_UID),
        ("SOP Instance UID", dicom.SOP_INSTANCE_UID),
        ("Study Instance UID", dicom.STUDY_INSTANCE_UID),
        ("Series Instance UID", dicom.SERIES_INSTANCE_UID),
    ):
        uids[tag] = item.uid(tag)
        if not is_uid(uids[tag]):
            raise InvalidDocumentContent(
                f"{name} {label}",
                "required to be a UID of at most 64 digits and dots",
                value=uids[tag],
                rule="KOS-054",
            )
    study = _study_header(uids[dicom.STUDY_INSTANCE_UID], item)
    series = _series_header(uids[dicom.SERIES_INSTANCE_UID], item)
    requests = tuple(_requests(item, study.study_instance_uid))
    return _Found(
        name,
        shared.studies.setdefault(study, study),
        shared.series.setdefault(series, series),
        InstanceHeader(
            uids[dicom.SOP_CLASS_UID],
            uids[dicom.SOP_INSTANCE_UID],
            item.text(dicom.INSTANCE_NUMBER),
            item.text(dicom.NUMBER_OF_FRAMES),
            *_note(item),
        ),
        shared.requests.setdefault(requests, requests),
    )


def _note(item: Item) -> tuple[CodedConcept | None, str]:
    """Title and description of a key object note (MADO-062, MADO-063)."""
    if item.uid(dicom.SOP_CLASS_UID) != dicom.KEY_OBJECT_SELECTION:
        return None, ""
    described = mado.KEY_OBJECT_DESCRIPTION.value
    return (
        item.first(dicom.CONCEPT_NAME_CODE_SEQUENCE, CodedConcept),
        next(
            (
                each.text
                for each in item.made(dicom.CONTENT_SEQUENCE, ContentItem)
                if each.concept and each.concept.value == described
            ),
            "",
        ),
    )


def _number(text: str) -> int:
    """Absent and unreadable numbers come last."""
    try:
        return int(text)
    except ValueError:
        return sys.maxsize


def _study_header(uid: str, item: Item) -> StudyHeader:
    return StudyHeader(
        study_instance_uid=uid,
        patient=shapes.patient(item),
        series=(),
        study_id=item.text(dicom.STUDY_ID),
        date=item.text(dicom.STUDY_DATE),
        time=item.text(dicom.STUDY_TIME),
        timezone=item.text(dicom.TIMEZONE_OFFSET_FROM_UTC),
        description=item.text(dicom.STUDY_DESCRIPTION),
        referring_physician=item.text(dicom.REFERRING_PHYSICIAN_NAME).rstrip("=^"),
        institution_name=item.text(dicom.INSTITUTION_NAME),
        procedure_codes=item.made(dicom.PROCEDURE_CODE_SEQUENCE, CodedConcept),
    )


def _series_header(uid: str, item: Item) -> SeriesHeader:
    return SeriesHeader(
        uid,
        (),
        item.text(dicom.SERIES_NUMBER),
        item.text(dicom.MODALITY),
        item.text(dicom.SERIES_DESCRIPTION),
        item.text(dicom.BODY_PART_EXAMINED),
        plain_date(item.text(dicom.SERIES_DATE)),
        plain_time(item.text(dicom.SERIES_TIME)),
        item.first(dicom.ANATOMIC_REGION_SEQUENCE, CodedConcept),
        item.text(dicom.LATERALITY) or item.text(dicom.IMAGE_LATERALITY),
    )


def _requests(item: Item, study: str) -> Iterable[ReferencedRequest]:
    """The requests an instance was made for: its Request Attributes, and its own accession number.

    Those attributes may lack the number that stands once in the header, and the other way round.
    """
    own = shapes.accession(item)
    listed = item.made(dicom.REQUEST_ATTRIBUTES_SEQUENCE, ReferencedRequest)
    for each in listed:
        yield replace(
            each,
            study_instance_uid=study,
            accession=each.accession if each.accession.value else own,
        )
    if own.value and not any(each.accession.value in ("", own.value) for each in listed):
        yield ReferencedRequest(
            study,
            own,
            IssuedId(item.text(dicom.PLACER_ORDER_NUMBER)),
            IssuedId(item.text(dicom.FILLER_ORDER_NUMBER)),
            requested_procedure_codes=item.made(
                dicom.REQUESTED_PROCEDURE_CODE_SEQUENCE, CodedConcept
            ),
        )


def _distinct(requests: Iterable[ReferencedRequest]) -> tuple[ReferencedRequest, ...]:
    """One request per pair of accession and order number, the fullest of each (KOS-031)."""
    pairs: dict[tuple[str, str], ReferencedRequest] = {}
    for each in sorted(requests, key=lambda each: (-len(str(each)), str(each))):
        pairs.setdefault((each.accession.value, each.placer_order.value), each)
    with_order = {accession for accession, order in pairs if order}
    return tuple(
        pairs[pair]
        for pair in sorted(pairs)
        if any(pair) and (pair[1] or pair[0] not in with_order)
    )
