"""A stored instance taken apart into pieces of an explicit or implicit little endian data set.

Elements that are already written so stay where they are and are only pointed to (`Span`); all
others are written anew, except long values, which are pointed to as well.
So the memory taken does not grow with the file. Every byte is foreign: lengths, nesting and
counts are bounded.
Source: DICOM PS3.5 7 (data sets), A.4 (encapsulation), A.5 (deflated), PS3.10 7 (group 0002);
SEC-T-150.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import groupby
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, NamedTuple, cast

from xdsi.standard import dicom
from xdsi.wire.dicomparts import (
    LONG_FORM,
    WORDS,
    Element,
    Head,
    Piece,
    PixelElement,
    Span,
    Stored,
    Unreadable,
    head,
    name_of,
    read,
    size_of,
    turned,
)
from xdsi.wire.pixels import PixelLimits

_PREAMBLE = 132
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_POINTED_TO = 64 << 10  # octets from which on a value is not copied
_CHUNK = 1 << 20
_INFLATED_IN_MEMORY = 16 << 20
_META_LIMIT = 64 << 10
_FRAGMENTS_A_FRAME = 4
_ELEMENT = 128  # octets that remembering an element takes

# What an implicit value becomes where the dictionary leaves a choice (PS3.5 A.1, PS3.6).
_CHOICES = {"OB or OW": b"OW", "US or OW": b"OW", "US or SS or OW": b"OW"}
_PIXELS = frozenset({dicom.PIXEL_DATA, dicom.FLOAT_PIXEL_DATA, dicom.DOUBLE_FLOAT_PIXEL_DATA})
_WANTED = frozenset({dicom.SOP_CLASS_UID, dicom.SOP_INSTANCE_UID, dicom.EXTENDED_OFFSET_TABLE})


def taken_apart(open_: Callable[[], BinaryIO], limits: PixelLimits, write: Head = head) -> Stored:
    """A stored Part 10 file; `close` the result. Raises Unreadable, OSError.

    write: heads of elements, `head` or `implicit_head`
    """
    file = open_()
    try:
        meta, start = _meta(file)
        syntax = meta.get(dicom.TRANSFER_SYNTAX_UID, (b"", b""))[1].decode("latin_1").strip("\0 ")
        if syntax == dicom.DEFLATED_LITTLE_ENDIAN:
            with file as deflated:
                file = _inflated(deflated, start, limits)
            start = 0
        walk = _Walk(file, file.seek(0, 2), limits, _encoding(file, start, syntax), write)
        return walk.stored(start, syntax, meta)
    except BaseException:
        file.close()
        raise


def _meta(file: BinaryIO) -> tuple[dict[int, tuple[bytes, bytes]], int]:
    """Group 0002 (VR and value by tag) and the offset behind it."""
    file.seek(0)
    content = file.read(_PREAMBLE + _META_LIMIT)
    if content[128:_PREAMBLE] != b"DICM":
        raise Unreadable("is no DICOM file: no DICM at offset 128")
    found, at = {}, _PREAMBLE
    while content[at : at + 2] == b"\2\0" and len(content) - at >= 12:
        _, number, vr, length = struct.unpack_from("<HH2sH", content, at)
        at += 8
        if vr not in WORDS:
            raise Unreadable("has a group 0002 that is not Explicit VR Little Endian")
        if vr in LONG_FORM:
            (length,) = struct.unpack_from("<I", content, at)
            at += 4
        if at + length > len(content):
            raise Unreadable(f"has a value of {length} octets in its group 0002")
        found[0x00020000 | number] = (vr, content[at : at + length])
        at += length
        group_length = found.get(0x00020000, (b"", b""))[1]
        if len(group_length) == 4 and at >= _PREAMBLE + 12 + int.from_bytes(group_length, "little"):
            break  # what follows a deflated data set may look like group 0002
    return found, at


def _inflated(file: BinaryIO, start: int, limits: PixelLimits) -> BinaryIO:
    """A deflated data set, on disk where it is large."""
    target = SpooledTemporaryFile(_INFLATED_IN_MEMORY)  # noqa: SIM115 - closed by `Stored.close`
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        file.seek(start)
        while not stream.eof and (chunk := stream.unconsumed_tail or file.read(_CHUNK)):
            target.write(stream.decompress(chunk, _CHUNK))
            if target.tell() > limits.frame:
                raise Unreadable(f"inflates to more than {limits.frame} octets")
    except zlib.error:
        target.close()
        raise Unreadable("has a deflated data set that cannot be inflated") from None
    except BaseException:
        target.close()
        raise
    return cast(BinaryIO, target)


class _Encoding(NamedTuple):
    explicit: bool
    order: str


_EXPLICIT, _IMPLICIT, _BIG = _Encoding(True, "<"), _Encoding(False, "<"), _Encoding(True, ">")


def _encoding(file: BinaryIO, start: int, syntax: str) -> _Encoding:
    """How the data set is written, seen in its first element where syntax and data differ."""
    if syntax == dicom.EXPLICIT_BIG_ENDIAN:
        return _BIG
    file.seek(start + 4)
    return _EXPLICIT if file.read(2) in WORDS else _IMPLICIT


class _Walk:
    """One pass over one data set, counting what it costs."""

    def __init__(
        self, file: BinaryIO, size: int, limits: PixelLimits, code: _Encoding, write: Head
    ) -> None:
        self.file, self.size, self.limits = file, size, limits
        self.code, self.write = code, write
        # whole elements are pointed to, nothing is written anew
        self.copies = code is (_EXPLICIT if write is head else _IMPLICIT)
        self.steps = 0
        self.kept = 0

    def stored(self, at: int, syntax: str, meta: dict[int, tuple[bytes, bytes]]) -> Stored:
        elements: list[Element] = []
        values: dict[int, bytes] = {}
        pixels: PixelElement | None = None
        signed = False
        while at < self.size:
            tag, vr, length, start = self.head(at, self.size, self.code, signed)
            if tag in _PIXELS:
                pixels = self.pixel_element(tag, vr, length, start)
                at = pixels.span.offset + pixels.span.length
                continue
            pieces, end = self.element(tag, vr, length, start, self.size, self.code, 0, signed)
            if tag >> 16 == 0x0028 or tag in _WANTED:
                if 0 < (long := end - start) <= _POINTED_TO or tag == dicom.EXTENDED_OFFSET_TABLE:
                    self.keep(long)
                    values[tag] = turned(read(self.file, start, long), self.width(vr))
                if tag == dicom.PIXEL_REPRESENTATION:
                    signed = values.get(tag) == b"\1\0"
            if tag & 0xFFFF or self.copies:  # lengths of groups written anew are no longer true
                self.keep(_ELEMENT)
                elements.append(Element(tag, [Span(at, end - at)] if self.copies else pieces))
            at = end
        return Stored(self.file, syntax, meta, tuple(elements), values, pixels, self.write)

    def width(self, vr: bytes) -> int:
        return WORDS[vr] if self.code is _BIG else 1

    def keep(self, octets: int) -> None:
        self.kept += octets
        if self.kept > self.limits.header:
            raise Unreadable(f"has more than {self.limits.header} octets besides pixel data")

    def step(self) -> None:
        self.steps += 1
        if self.steps > self.limits.elements:
            raise Unreadable(f"has more than {self.limits.elements} elements")

    def head(self, at: int, end: int, code: _Encoding, signed: bool) -> tuple[int, bytes, int, int]:
        """Tag, VR, length and start of the value of the element at an offset."""
        self.step()
        if end - at < 8:
            raise Unreadable(f"ends after {end} octets, in the middle of an element")
        data = read(self.file, at, 8)
        group, number = struct.unpack_from(code.order + "HH", data)
        tag, start = group << 16 | number, at + 8
        if group == 0xFFFE:
            return tag, b"", struct.unpack_from(code.order + "I", data, 4)[0], start
        if not code.explicit:
            vr, (length,) = _implied(tag, signed), struct.unpack_from("<I", data, 4)
        else:
            vr, length = data[4:6], struct.unpack_from(code.order + "H", data, 6)[0]
            if vr not in WORDS:
                raise Unreadable(f"has an undefined value representation in {name_of(tag)}")
            if vr in LONG_FORM:
                (length,) = struct.unpack(code.order + "I", read(self.file, at + 8, 4))
                start += 4
        if length != _UNDEFINED and start + length > end:
            raise Unreadable(f"has a length in {name_of(tag)} beyond what contains it")
        return tag, vr, length, start

    def element(
        self, tag: int, vr: bytes, length: int, start: int, end: int, code: _Encoding, depth: int,
        signed: bool,
    ) -> tuple[list[Piece], int]:  # fmt: skip
        """One element written anew, and the offset behind it."""
        if not vr:
            raise Unreadable("has an item or delimiter where an element must stand")
        if length != _UNDEFINED and vr != b"SQ":
            behind, inner = start + length, self.value(vr, start, length, code)
        elif vr not in (b"SQ", b"UN"):
            if self.write is not head:
                raise Unreadable(f"has encapsulated data in {name_of(tag)}, which needs its VR")
            behind = start + sum(8 + each.length for each in self.fragments(start, end)) + 8
            inner = [Span(start, behind - start)]
        else:
            # without length, UN holds a sequence in Implicit VR Little Endian (PS3.5 6.2.2 note 2)
            within = _IMPLICIT if vr == b"UN" else code
            open_ended = length == _UNDEFINED
            stop = end if open_ended else start + length
            inner, behind = self.items(tag, start, stop, within, depth, open_ended, signed)
            if vr == b"UN":
                inner = [Span(start, behind - start)]
            elif not open_ended:
                length = size_of(inner)
        return ([] if self.copies else [self.write(tag, vr, length), *inner]), behind

    def value(self, vr: bytes, start: int, length: int, code: _Encoding) -> list[Piece]:
        width = WORDS[vr] if code is _BIG else 1
        if self.copies or length > _POINTED_TO:
            return [Span(start, length, width)]
        self.keep(length)
        return [turned(read(self.file, start, length), width)]

    def items(
        self, tag: int, at: int, end: int, code: _Encoding, depth: int, delimited: bool,
        signed: bool,
    ) -> tuple[list[Piece], int]:  # fmt: skip
        """The items of a sequence written anew, and the offset behind it."""
        if depth >= self.limits.nesting:
            raise Unreadable(f"nests sequences deeper than {self.limits.nesting}")
        made: list[Piece] = []
        while at < end:
            found, _, length, start = self.head(at, end, code, signed)
            if found == _SEQUENCE_END and delimited:
                return _joined([*made, struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)]), start
            if found != _ITEM:
                raise Unreadable(f"has no item where one must stand in {name_of(tag)}")
            stop = end if length == _UNDEFINED else start + length
            if stop > end:
                raise Unreadable(f"has an item in {name_of(tag)} longer than its sequence")
            inner, at = self.item(start, stop, code, depth, length == _UNDEFINED, signed)
            if self.copies:
                continue
            if length != _UNDEFINED:
                length = size_of(inner)
            made += struct.pack("<HHI", 0xFFFE, 0xE000, length), *inner
        if delimited:
            raise Unreadable(f"ends inside {name_of(tag)}")
        return _joined(made), at

    def item(
        self, at: int, end: int, code: _Encoding, depth: int, delimited: bool, signed: bool
    ) -> tuple[list[Piece], int]:
        made: list[Piece] = []
        while at < end:
            tag, vr, length, start = self.head(at, end, code, signed)
            if tag == _ITEM_END and delimited:
                return [*made, struct.pack("<HHI", 0xFFFE, 0xE00D, 0)], start
            pieces, behind = self.element(tag, vr, length, start, end, code, depth + 1, signed)
            if tag == dicom.PIXEL_REPRESENTATION and length == 2:
                signed = read(self.file, start, 2) in (b"\1\0", b"\0\1")
            if tag & 0xFFFF:
                made += pieces
            at = behind
        if delimited:
            raise Unreadable("ends inside a sequence item")
        return made, at

    def fragments(self, at: int, end: int) -> Iterator[Span]:
        """The items of encapsulated data, the offset table first (PS3.5 A.4)."""
        while True:
            tag, _, length, start = self.head(at, end, _EXPLICIT, False)
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM:
                raise Unreadable("has encapsulated data without items")
            at = start + length
            if at > end:
                raise Unreadable(f"ends before the {at - end} last octets of a fragment")
            yield Span(start, length)

    def pixel_element(self, tag: int, vr: bytes, length: int, start: int) -> PixelElement:
        if length != _UNDEFINED:
            return PixelElement(tag, vr, Span(start, length, self.width(vr)), None)
        if self.code is _BIG:
            raise Unreadable("has encapsulated pixel data in a data set that cannot hold any")
        found: list[Span] = []
        for each in self.fragments(start, self.size):
            if len(found) > self.limits.frames * _FRAGMENTS_A_FRAME:
                raise Unreadable(f"has more than {len(found)} fragments of pixel data")
            found.append(each)
        if not found:
            raise Unreadable("has encapsulated pixel data without offset table")
        behind = found[-1].offset + found[-1].length + 8
        return PixelElement(tag, vr, Span(start, behind - start), tuple(found))


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The same with neighbouring octets in one piece."""
    made: list[Piece] = []
    for is_span, group in groupby(pieces, lambda each: isinstance(each, Span)):
        neighbours = list(group)
        made += neighbours if is_span else [b"".join(cast(list[bytes], neighbours))]
    return made


def _implied(tag: int, signed: bool) -> bytes:
    """The VR of an element that does not name it (PS3.5 A.1, 6.2.2)."""
    # pydicom brings numpy with it, and a node that reads no implicit file should start without
    from pydicom.datadict import dictionary_VR

    if tag & 0xFFFF == 0:
        return b"UL"
    if tag >> 16 & 1:  # private: only the reservation of a block is known
        return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else b"UN"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return b"UN"
    if vr == "US or SS":
        return b"SS" if signed else b"US"
    known = _CHOICES.get(vr) or vr.encode()
    return known if known in WORDS else b"UN"
