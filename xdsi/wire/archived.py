"""What an archive notes of a DICOM file when it takes it in.

The whole file is looked through, so that one that was cut short is not taken for an instance. Its
header is kept abridged, to tell of a study without opening its files.
Source: DICOM PS3.10 7, PS3.3 C.12.1; IMG-016, SEC-T-150, SEC-T-152.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from xdsi.model.errors import InvalidDocumentContent, shown
from xdsi.model.manifest import CodedConcept
from xdsi.model.study import StudyHeader
from xdsi.model.values import is_uid
from xdsi.standard import dicom
from xdsi.wire import instances
from xdsi.wire.dicomfile import Item, Limits, Shape, read
from xdsi.wire.dicomsurvey import survey

# Deeper than a manifest may nest: structured reports do. The time is for whatever lies on the disk
# of a busy machine, not for a caller who waits.
_LIMITS = Limits(size=64 << 20, nesting=64, seconds=10.0)

_PIXELS = frozenset({dicom.FLOAT_PIXEL_DATA, dicom.DOUBLE_FLOAT_PIXEL_DATA, dicom.PIXEL_DATA})


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance that a rejection note names."""

    study_instance_uid: str
    sop_instance_uid: str


_REFERENCED = Shape(
    frozenset({dicom.REFERENCED_SOP_INSTANCE_UID}),
    make=lambda item: item.uid(dicom.REFERENCED_SOP_INSTANCE_UID),
)
_SERIES = Shape(
    sequences={dicom.REFERENCED_SOP_SEQUENCE: _REFERENCED},
    make=lambda item: item.made(dicom.REFERENCED_SOP_SEQUENCE, str),
)
_STUDY = Shape(
    frozenset({dicom.STUDY_INSTANCE_UID}),
    {dicom.REFERENCED_SERIES_SEQUENCE: _SERIES},
    make=lambda item: tuple(
        Reference(item.uid(dicom.STUDY_INSTANCE_UID), uid)
        for series in item.made(dicom.REFERENCED_SERIES_SEQUENCE, tuple)
        for uid in series
    ),
)
_WANTED = Shape(
    frozenset(
        {
            dicom.SOP_CLASS_UID,
            dicom.SOP_INSTANCE_UID,
            dicom.STUDY_INSTANCE_UID,
            dicom.SERIES_INSTANCE_UID,
            dicom.SERIES_NUMBER,
            dicom.INSTANCE_NUMBER,
            dicom.NUMBER_OF_FRAMES,
        }
    ),
    {
        dicom.CONCEPT_NAME_CODE_SEQUENCE: instances.HEADER.sequences[
            dicom.CONCEPT_NAME_CODE_SEQUENCE
        ],
        dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE: _STUDY,
    },
    noted=_PIXELS,
)


@dataclass(frozen=True, slots=True)
class Archived:
    """One instance. Numbers are None where they are absent or unreadable.

    frames: 0 without pixel data; start: octets of the file before its data set
    rejects: instances that are no longer to be shown, of a rejection note (IMG-016)
    header: its small elements, for `study_of`
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    series_number: int | None
    instance_number: int | None
    frames: int
    start: int
    rejects: tuple[Reference, ...]
    header: bytes


def archived(file: BinaryIO) -> Archived:
    """What there is to note of a file. Raises InvalidDocumentContent for one not to be kept."""
    look = survey(file, _WANTED, what="the file", limits=_LIMITS)
    if instances.is_directory(look.file):
        raise InvalidDocumentContent("the file", "is a directory record (DICOMDIR)", rule="KOS-120")
    data = look.file.data
    return Archived(
        _uid(data, "Study Instance UID", dicom.STUDY_INSTANCE_UID),
        _uid(data, "Series Instance UID", dicom.SERIES_INSTANCE_UID),
        _uid(data, "SOP Instance UID", dicom.SOP_INSTANCE_UID),
        _uid(data, "SOP Class UID", dicom.SOP_CLASS_UID),
        _uid(look.file.meta, "Transfer Syntax UID", dicom.TRANSFER_SYNTAX_UID),
        _number(data.text(dicom.SERIES_NUMBER)),
        _number(data.text(dicom.INSTANCE_NUMBER)),
        max(1, _number(data.text(dicom.NUMBER_OF_FRAMES)) or 1)
        if _PIXELS & data.values.keys()
        else 0,
        look.start,
        tuple(_rejects(data)),
        zlib.compress(look.abridged, 6),
    )


def is_directory_record(head: bytes) -> bool:
    """Whether a file that begins with these octets, group 0002 among them, is a DICOMDIR."""
    try:
        return instances.is_directory(read(head, Shape(until=0), what="the file", limits=_LIMITS))
    except InvalidDocumentContent:
        return False


def study_of(
    headers: Iterable[tuple[str, bytes]], notes: Iterable[tuple[str, bytes]] = ()
) -> StudyHeader | None:
    """The study that instances make up; None where there are only manifests.

    headers: SOP Instance UID and `Archived.header` of each; notes: of the rejection notes of other
        studies that name some of them
    Raises NoSingleStudy, InvalidDocumentContent.
    """
    found = instances.studies_of(
        ((uid, _item(uid, header)) for uid, header in headers),
        (_item(uid, header) for uid, header in notes),
    )
    return instances.single(found) if found else None


def _item(uid: str, header: bytes) -> Item:
    return read(zlib.decompress(header), instances.NOTE, what=uid, limits=_LIMITS).data


def _uid(item: Item, name: str, tag: int) -> str:
    uid = item.uid(tag)
    if not is_uid(uid):
        problem = f"its {name} is no UID: {shown(uid)}" if uid else f"lacks a {name}"
        raise InvalidDocumentContent("the file", problem, rule="SEC-T-152")
    return uid


_MOST = 2**31 - 1  # of an integer string (PS3.5 6.2)


def _number(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if -_MOST <= number <= _MOST else None


def _rejects(item: Item) -> Iterator[Reference]:
    title = item.first(dicom.CONCEPT_NAME_CODE_SEQUENCE, CodedConcept)
    if (
        item.uid(dicom.SOP_CLASS_UID) == dicom.KEY_OBJECT_SELECTION
        and title is not None
        and (title.value, title.scheme) in dicom.REJECTION_TITLES
    ):
        for study in item.made(dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, tuple):
            yield from study
