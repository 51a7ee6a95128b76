"""A DICOM file looked through to its end, and its small elements as a file of their own.

What lies behind a header counts as well: a file that was cut short shows only there.
Source: DICOM PS3.10 7.1, PS3.5 7; SEC-T-150.
"""

import mmap
import struct
from typing import BinaryIO, NamedTuple

from xdsi.standard import dicom
from xdsi.wire.dicomfile import DicomFile, Limits, Shape, invalid, parsed


class Survey(NamedTuple):
    """A file looked through to its end.

    start: octets before its data set; abridged: its small elements as a file of their own
    """

    file: DicomFile
    start: int
    abridged: bytes


def survey(file: BinaryIO, shape: Shape, *, what: str, limits: Limits) -> Survey:
    """An instance of any size, every element looked at and large values passed over.

    Raises InvalidDocumentContent as `read`, also for a file that ends within an element.
    """
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _surveyed(content, shape, what, limits)
    except ValueError:  # nothing to map
        raise invalid(what, "is empty", rule="KOS-120") from None
    except OSError as error:
        raise invalid(what, f"cannot be read: {error.strerror}") from None


def _surveyed(content: mmap.mmap, shape: Shape, what: str, limits: Limits) -> Survey:
    marks: list[tuple[int, int]] = []
    found, start, inner = parsed(content, shape, what, limits, marks=marks)
    head = _ABRIDGED_HEAD + _abridged_syntax(found.transfer_syntax)
    ends = (at for _, at in [*marks[1:], (0, len(inner))])
    spans = ((tag, at, end) for (tag, at), end in zip(marks, ends, strict=True))
    return Survey(
        found,
        start,
        head + b"".join(inner[at:end] for tag, at, end in spans if _is_small(tag, end - at)),
    )


# Octets of an element in an abridged file: ordinary texts and codes are less. A key object note
# may name many instances, and says something of itself among its references.
_SMALL = 8 << 10
_LARGER = {
    dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE: 4 << 20,
    dicom.CONTENT_SEQUENCE: 64 << 10,
}
_ABRIDGED_HEAD = bytes(128) + b"DICM"


def _is_small(tag: int, length: int) -> bool:
    """Whether an element belongs into an abridged file: standard ones before the pixel data."""
    if tag >> 16 & 1 or tag >= dicom.PIXEL_DATA & 0xFFFF0000:
        return False
    return length <= _LARGER.get(tag, _SMALL)


def _abridged_syntax(syntax: str) -> bytes:
    """Group 0002 of an abridged file; what was deflated is not any more."""
    uid = (
        dicom.EXPLICIT_LITTLE_ENDIAN if syntax == dicom.DEFLATED_LITTLE_ENDIAN else syntax
    ).encode()
    uid += bytes(len(uid) % 2)
    return struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
