"""What a compressed frame says of itself, read before any decoder sees it.

A decoder takes memory as the code stream asks, not as the data set does: a frame that tells
another size than its instance is refused here.
Source: ISO 10918-1 B.2.2, ISO 14495-1 C.2.2, ISO 15444-1 A.5.1; SEC-T-150.
"""

import struct
from typing import NamedTuple

_JPEG, _J2K = b"\xff\xd8", b"\xff\x4f\xff\x51"
_JP2 = b"\0\0\0\x0cjP  "
_J2K_SEARCHED = 64 << 10  # octets of the boxes in front of a code stream
# Markers of the processes that are read: baseline, extended, lossless, JPEG-LS. Progressive ones
# are not of DICOM, and their scans without number cost time.
_FRAMES = frozenset({0xC0, 0xC1, 0xC3, 0xF7})
_TILES = 4096  # OpenJPEG takes 9 KiB for each before it looks at one
_ADOBE = 0xEE


class CodeStream(NamedTuple):
    """content: the code stream alone; adobe: its colour transform, None where none is named."""

    content: bytes
    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False
    adobe: int | None = None


def described(frame: bytes) -> CodeStream | None:
    """A JPEG, JPEG-LS or JPEG 2000 frame; None for what is not read, or is cut short."""
    try:
        return _jpeg(frame) if frame.startswith(_JPEG) else _j2k(frame)
    except (struct.error, IndexError):
        return None


def _jpeg(frame: bytes) -> CodeStream | None:
    at, adobe = 2, None
    while frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker in _FRAMES:
            precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            return CodeStream(frame, rows, columns, samples, precision, adobe=adobe)
        if marker == _ADOBE and frame[at + 4 : at + 9] == b"Adobe":
            adobe = frame[at + 15]
        at += 2 + length
    return None


def _j2k(frame: bytes) -> CodeStream | None:
    """Of a JP2 file only the code stream is looked at: DICOM has no use for its boxes."""
    if frame.startswith(_JP2):
        frame = frame[max(frame.find(_J2K, 0, _J2K_SEARCHED), 0) :]
    if not frame.startswith(_J2K):
        return None
    right, bottom, left, top, width, height = struct.unpack_from(">6I", frame, 8)
    if not width or not height or -(-right // width) * -(-bottom // height) > _TILES:
        return None
    (samples,) = struct.unpack_from(">H", frame, 40)
    sizes = [struct.unpack_from(">BBB", frame, 42 + 3 * each) for each in range(min(samples, 4))]
    if not sizes or any(each != sizes[0] for each in sizes) or sizes[0][1:] != (1, 1):
        return None  # samples of different kinds, or subsampled ones
    depth = sizes[0][0]
    return CodeStream(
        frame, bottom - top, right - left, samples, (depth & 0x7F) + 1, bool(depth & 0x80)
    )
