"""Instances brought from one transfer syntax into another, without loss.

Only the pixel data and the attributes that tell how it is written change; lossy images keep what
says that they are (IMG-101, IMG-105).
Source: DICOM PS3.5 8.2, A.4; PS3.10 7.1; IMG-096, IMG-104.
"""

import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from xdsi.model.messages import Content
from xdsi.standard import dicom
from xdsi.wire.chunks import ChunkReader
from xdsi.wire.dicomparts import (
    Element,
    Piece,
    Span,
    Stored,
    Unreadable,
    head,
    implicit_head,
    size_of,
)
from xdsi.wire.frames import Frames, jpeg_2000_frame, judge_syntax, native_span, rle_frame
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.recoding import taken_apart
from xdsi.wire.transfersyntax import SYNTAXES

_LONGEST = 0xFFFFFFFE  # octets of a value with a length
_UNDEFINED = 0xFFFFFFFF
_ITEM = struct.Struct("<HHI")
_END = _ITEM.pack(0xFFFE, 0xE0DD, 0)
# Of the stored pixel data alone: offsets, and the lengths of the groups that change.
_UNTRUE = (
    dicom.EXTENDED_OFFSET_TABLE,
    dicom.EXTENDED_OFFSET_TABLE_LENGTHS,
    dicom.PHOTOMETRIC_INTERPRETATION & 0xFFFF0000,
    dicom.PIXEL_DATA & 0xFFFF0000,
)
_OF_THE_WRITER = {
    dicom.META_IMPLEMENTATION_CLASS_UID: (b"UI", dicom.IMPLEMENTATION_CLASS_UID.encode()),
    dicom.META_IMPLEMENTATION_VERSION_NAME: (b"SH", b"XDSI"),
}


class CannotTranscode(Exception):
    """One line that says why an instance cannot be sent in the syntax asked for."""


def transcoded(open_: Callable[[], BinaryIO], target: str, limits: PixelLimits) -> Content:
    """An instance as a Part 10 file in another transfer syntax.

    open_: the stored file, seekable; closed by whoever reads it here
    target: one of the targets of `xdsi.wire.transfersyntax`
    The header is looked at now; pixels are decoded frame by frame when the content is read. The
    size is known where the target is not compressed. A frame that turns out broken ends the
    content with OSError.
    Raises CannotTranscode, OSError.
    """
    write = implicit_head if target == dicom.IMPLICIT_LITTLE_ENDIAN else head
    try:
        with closing(taken_apart(open_, limits, write)) as stored:
            size = _plan(stored, target, limits).size
    except Unreadable as why:
        raise CannotTranscode(f"the stored file {why}") from None

    def chunks() -> Generator[bytes, None, None]:
        try:
            with closing(taken_apart(open_, limits, write)) as stored:
                yield from _plan(stored, target, limits).chunks()
        except Unreadable as why:
            raise OSError(f"the stored file {why}") from None

    return Content(size, lambda: ChunkReader(chunks()))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is written: pieces in front of the pixels, the pixels, pieces behind them."""

    stored: Stored
    front: tuple[Piece, ...]
    pixels: Callable[[], Iterator[bytes]]
    behind: tuple[Piece, ...]
    pixel_size: int | None

    @property
    def size(self) -> int | None:
        if self.pixel_size is None:
            return None
        return size_of(self.front) + self.pixel_size + size_of(self.behind)

    def chunks(self) -> Iterator[bytes]:
        for piece in self.front:
            yield from self.stored.octets(piece)
        yield from self.pixels()
        for piece in self.behind:
            yield from self.stored.octets(piece)


def _plan(stored: Stored, target: str, limits: PixelLimits) -> _Plan:
    row = SYNTAXES.get(target)
    if row is None or not row.is_target:
        raise Unreadable(f"cannot be brought into {target}")
    judge_syntax(stored)
    start, pixels = _group_2(stored, target), stored.pixels
    if pixels is None:
        return _assembled(stored, start, {}, b"", None, 0)
    if stored.syntax == target:
        form = pixels.span.length if pixels.fragments is None else _UNDEFINED
        begin = stored.head(pixels.tag, pixels.vr, form)
        return _assembled(stored, start, {}, begin, pixels.span, pixels.span.length)
    if row.decoder:
        return _compressed(stored, start, Frames(stored, limits), target)
    if pixels.fragments is None:
        span = native_span(stored)
        begin = stored.head(pixels.tag, pixels.vr, span.length)
        changes = dict.fromkeys(_UNTRUE, b"")
        return _assembled(stored, start, changes, begin, span, span.length)
    return _decompressed(stored, start, Frames(stored, limits))


def _decompressed(stored: Stored, start: bytes, frames: Frames) -> _Plan:
    form = frames.format
    length = form.decoded_bits // 8 * form.frames
    padding = length % 2
    if length + padding > _LONGEST:
        raise Unreadable("has more pixel data than one element can hold uncompressed")

    def chunks() -> Iterator[bytes]:
        for index in range(form.frames):
            yield frames[index].tobytes()
        yield b"\0" * padding

    vr = b"OB" if form.allocated <= 8 else b"OW"
    return _assembled(
        stored,
        start,
        _attributes(frames, frames.photometric, planar=0),
        stored.head(dicom.PIXEL_DATA, vr, length + padding),
        chunks,
        length + padding,
    )


def _compressed(stored: Stored, start: bytes, frames: Frames, target: str) -> _Plan:
    form, photometric = frames.format, frames.photometric
    if frames.pixels.tag != dicom.PIXEL_DATA or form.allocated == 1:
        raise Unreadable("has pixels that have no compressed form: single bits or real numbers")
    if target == dicom.JPEG_2000_LOSSLESS:
        if form.allocated > 16:
            raise Unreadable(f"has samples of {form.allocated} bits, too many for JPEG 2000 here")
        planar = 0
        photometric = "YBR_RCT" if photometric == "RGB" else photometric
    else:
        planar = 1
        if form.samples * form.allocated > 15 * 8:
            raise Unreadable("has more octets a pixel than RLE has segments")

    def encoded(index: int) -> bytes:
        if target == dicom.JPEG_2000_LOSSLESS:
            return jpeg_2000_frame(frames[index], form.stored, decorrelate=photometric == "YBR_RCT")
        return rle_frame(frames[index])

    def chunks() -> Iterator[bytes]:
        yield _ITEM.pack(0xFFFE, 0xE000, 0)  # no offset table: sizes are not known yet
        for index in range(form.frames):
            data = encoded(index)
            data += b"\0" * (len(data) % 2)
            yield _ITEM.pack(0xFFFE, 0xE000, len(data)) + data
        yield _END

    return _assembled(
        stored,
        start,
        _attributes(frames, photometric, planar),
        head(dicom.PIXEL_DATA, b"OB", _UNDEFINED),
        chunks,
        None,
    )


def _attributes(frames: Frames, photometric: str, planar: int) -> dict[int, bytes]:
    """The elements that tell how the pixel data is written now; b"" for one that goes."""
    changes, write = dict.fromkeys(_UNTRUE, b""), frames.stored.head
    if photometric != frames.format.photometric:
        value = photometric.encode() + b" " * (len(photometric) % 2)
        tag = dicom.PHOTOMETRIC_INTERPRETATION
        changes[tag] = write(tag, b"CS", len(value)) + value
    if frames.format.samples > 1:
        tag = dicom.PLANAR_CONFIGURATION
        changes[tag] = write(tag, b"US", 2) + planar.to_bytes(2, "little")
    return changes


def _assembled(
    stored: Stored,
    start: bytes,
    changes: dict[int, bytes],
    begin: bytes,
    pixels: Callable[[], Iterator[bytes]] | Span | None,
    pixel_size: int | None,
) -> _Plan:
    """The whole file. begin: head of the element of the pixel data"""
    added = [Element(tag, [data]) for tag, data in changes.items() if data]
    kept = [each for each in stored.elements if each.tag not in changes]
    # sorted() keeps the order of a file that is in order, and heals one that is not
    elements = sorted([*kept, *added], key=lambda each: each.tag) if added else kept
    mark = stored.pixels.tag if stored.pixels else _UNDEFINED
    front = [piece for each in elements if each.tag < mark for piece in each.pieces]
    behind = [piece for each in elements if each.tag >= mark for piece in each.pieces]

    def chunks() -> Iterator[bytes]:
        if isinstance(pixels, Span):
            yield from stored.octets(pixels)
        elif pixels:
            yield from pixels()

    return _Plan(stored, (start, *front, begin), chunks, tuple(behind), pixel_size)


def _group_2(stored: Stored, target: str) -> bytes:
    """Preamble and group 0002; what the stored file says of its source stays."""
    meta = {
        dicom.FILE_META_INFORMATION_VERSION: (b"OB", b"\0\1"),
        dicom.MEDIA_STORAGE_SOP_CLASS_UID: (b"UI", stored.values.get(dicom.SOP_CLASS_UID, b"")),
        dicom.MEDIA_STORAGE_SOP_INSTANCE_UID: (
            b"UI",
            stored.values.get(dicom.SOP_INSTANCE_UID, b""),
        ),
        **stored.meta,
        **_OF_THE_WRITER,
        dicom.TRANSFER_SYNTAX_UID: (b"UI", target.encode()),
    }
    meta.pop(dicom.FILE_META_INFORMATION_GROUP_LENGTH, None)
    body = b""
    for tag, (vr, value) in sorted(meta.items()):
        value += b"\0" * (len(value) % 2)
        body += head(tag, vr, len(value)) + value
    length = struct.pack("<I", len(body))
    return (
        b"\0" * 128
        + b"DICM"
        + head(dicom.FILE_META_INFORMATION_GROUP_LENGTH, b"UL", 4)
        + length
        + body
    )
