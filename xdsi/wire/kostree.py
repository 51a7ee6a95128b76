"""The two big sequences of a manifest as finished bytes, Explicit VR Little Endian.

Data sets for 20,000 instances would cost seconds to build and again to write; the bytes of both
sequences take a tenth of one.
Source: DICOM PS3.5 7.1.2, 7.5; PS3.3 C.17-3, C.17.3 (kos-manifest.md sections 4 and 6).
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from xdsi.model.study import SeriesHeader, StudyHeader
from xdsi.standard import dicom

_LONG = frozenset({b"SQ", b"UR", b"UT", b"UC"})  # VRs with a length of four bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where the images are (IMG-190 to IMG-192)."""

    location_uid: str
    ae_title: str = ""
    url: str = ""


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """An element of even length, padded as its VR wants."""
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    if vr in _LONG:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def item(content: bytes) -> bytes:
    """A sequence item of known length."""
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def reference(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """The Referenced SOP Sequence's item for one instance."""
    return item(
        element(dicom.REFERENCED_SOP_CLASS_UID, b"UI", sop_class_uid.encode("ascii"))
        + element(dicom.REFERENCED_SOP_INSTANCE_UID, b"UI", sop_instance_uid.encode("ascii"))
    )


def evidence(
    studies: Iterable[StudyHeader],
    place_of: Callable[[SeriesHeader], Place],
    around: tuple[bytes, bytes] = (b"", b""),
) -> bytes:
    """The items of the Current Requested Procedure Evidence Sequence (kos-manifest.md 4).

    around: elements before and behind the Study Instance UID of each study
    """
    return b"".join(
        item(
            element(
                dicom.REFERENCED_SERIES_SEQUENCE,
                b"SQ",
                b"".join(_series(each, place_of(each)) for each in study.series),
            )
            + around[0]
            + element(dicom.STUDY_INSTANCE_UID, b"UI", study.study_instance_uid.encode("ascii"))
            + around[1]
        )
        for study in studies
    )


def _series(series: SeriesHeader, place: Place) -> bytes:
    ahead = b""
    if place.ae_title:
        ahead += element(dicom.RETRIEVE_AE_TITLE, b"AE", place.ae_title.encode("ascii"))
    if place.url:
        ahead += element(dicom.RETRIEVE_URL, b"UR", place.url.encode("ascii"))
    return item(
        ahead
        + element(
            dicom.REFERENCED_SOP_SEQUENCE,
            b"SQ",
            b"".join(
                reference(each.sop_class_uid, each.sop_instance_uid) for each in series.instances
            ),
        )
        + element(dicom.SERIES_INSTANCE_UID, b"UI", series.series_instance_uid.encode("ascii"))
        + element(dicom.RETRIEVE_LOCATION_UID, b"UI", place.location_uid.encode("ascii"))
    )


def contained(sop_class_uid: str, sop_instance_uid: str, below: bytes = b"") -> bytes:
    """A content item that references an instance, by value type (KOS-075, KOS-076).

    below: the items of its own content
    """
    kind = dicom.value_type(sop_class_uid).encode("ascii")
    return item(
        element(dicom.REFERENCED_SOP_SEQUENCE, b"SQ", reference(sop_class_uid, sop_instance_uid))
        + _CONTAINS
        + element(dicom.VALUE_TYPE, b"CS", kind)
        + (element(dicom.CONTENT_SEQUENCE, b"SQ", below) if below else b"")
    )


_CONTAINS = element(dicom.RELATIONSHIP_TYPE, b"CS", b"CONTAINS")


def content(studies: Iterable[StudyHeader]) -> bytes:
    """The items of the Content Sequence: every instance once (KOS-077, KOS-078)."""
    return b"".join(
        contained(each.sop_class_uid, each.sop_instance_uid)
        for study in studies
        for series in study.series
        for each in series.instances
    )
