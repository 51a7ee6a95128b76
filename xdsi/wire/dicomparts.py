"""The parts of a DICOM file as pieces: octets in memory, or where they lie in the file.

Source: DICOM PS3.5 6.2 (value representations), 7.1 (elements), A.4 (fragments and frames).
"""

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from xdsi.standard import dicom

_CHUNK = 1 << 20
_CODES = {2: "H", 4: "I", 8: "Q"}
# Octets of the words of a value, by VR: what changes places between byte orders. Those of the
# second table have a length of 32 bits.
_SHORT = dict.fromkeys("AE AS CS DA DS DT IS LO LT PN SH ST TM UI".split(), 1) | {
    "AT": 2, "SS": 2, "US": 2, "FL": 4, "SL": 4, "UL": 4, "FD": 8,
}  # fmt: skip
_LONG = dict.fromkeys("OB SQ UC UN UR UT".split(), 1) | {
    "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "SV": 8, "UV": 8,
}  # fmt: skip
WORDS = {vr.encode(): words for vr, words in (_SHORT | _LONG).items()}
LONG_FORM = frozenset(vr.encode() for vr in _LONG)


class Unreadable(Exception):
    """One line that says why a file or its pixels cannot be read."""


@dataclass(frozen=True, slots=True)
class Span:
    """Octets of the file, left where they are; each word of `width` octets is to be turned."""

    offset: int
    length: int
    width: int = 1


Piece = bytes | Span
Head = Callable[[int, bytes, int], bytes]  # of tag, VR and length


class Element(NamedTuple):
    """One element of a data set, as Explicit VR Little Endian unless `Stored` says otherwise."""

    tag: int
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data is. fragments: of encapsulated data, else None.

    span: the value, or everything behind the element's head where it is encapsulated
    """

    tag: int
    vr: bytes
    span: Span
    fragments: tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A file taken apart.

    meta: values of group 0002; elements: all others but pixel data, in order
    values: short values of group 0028 and what else is needed, little endian
    head: what the heads of `elements` are written with
    """

    file: BinaryIO
    syntax: str
    meta: dict[int, tuple[bytes, bytes]]
    elements: tuple[Element, ...]
    values: dict[int, bytes]
    pixels: PixelElement | None
    head: Head

    def octets(self, piece: Piece) -> Iterator[bytes]:
        """A piece as it is written, in chunks."""
        if isinstance(piece, bytes):
            yield piece
            return
        for offset in range(0, piece.length, _CHUNK):
            data = read(self.file, piece.offset + offset, min(_CHUNK, piece.length - offset))
            yield turned(data, piece.width)

    def text(self, tag: int) -> str:
        return self.values.get(tag, b"").decode("latin_1").strip("\0 ")

    def number(self, tag: int) -> int:
        """The first of the US values; 0 where there is none."""
        value = self.values.get(tag, b"")
        return int.from_bytes(value[:2], "little")

    def close(self) -> None:
        self.file.close()


def size_of(pieces: Iterable[Piece]) -> int:
    return sum(len(each) if isinstance(each, bytes) else each.length for each in pieces)


def head(tag: int, vr: bytes, length: int) -> bytes:
    """The head of an element in Explicit VR Little Endian."""
    group, number = tag >> 16, tag & 0xFFFF
    if vr in LONG_FORM:
        return struct.pack("<HH2sHI", group, number, vr, 0, length)
    if length > 0xFFFF:  # PS3.5 6.2.2: too long for its VR
        return struct.pack("<HH2sHI", group, number, b"UN", 0, length)
    return struct.pack("<HH2sH", group, number, vr, length)


def implicit_head(tag: int, vr: bytes, length: int) -> bytes:
    """The head of an element in Implicit VR Little Endian."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


def read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise Unreadable(f"ends after {offset + len(data)} octets, in the middle of an element")
    return data


def turned(data: bytes, width: int) -> bytes:
    """Each word of `width` octets the other way round; an odd rest stays."""
    if width == 1:
        return data
    whole = len(data) - len(data) % width
    words = array(_CODES[width], data[:whole])
    words.byteswap()
    return words.tobytes() + data[whole:]


def frames_of(stored: Stored, number: int) -> tuple[tuple[Span, ...], ...]:
    """The fragments of each of `number` frames of encapsulated pixel data (PS3.5 A.4)."""
    if stored.pixels is None or stored.pixels.fragments is None:
        raise Unreadable("has no encapsulated pixel data")
    table, *fragments = stored.pixels.fragments
    if number == 1:
        return (tuple(fragments),)
    if len(fragments) == number:
        return tuple((each,) for each in fragments)
    if len(fragments) < number:
        raise Unreadable(f"has {len(fragments)} fragments for {number} frames")
    extended = stored.values.get(dicom.EXTENDED_OFFSET_TABLE, b"")
    width, length = (8, len(extended)) if extended else (4, table.length)
    if length != number * width:
        raise Unreadable(f"has {len(fragments)} fragments for {number} frames and no offset table")
    raw = extended or read(stored.file, table.offset, table.length)
    offsets = struct.unpack(f"<{number}{'Q' if width == 8 else 'I'}", raw)
    # an offset counts from the first item behind the table
    base = table.offset + table.length
    position = {each.offset - 8 - base: index for index, each in enumerate(fragments)}
    try:
        starts = [position[offset] for offset in offsets]
    except KeyError:
        raise Unreadable("has an offset table that does not fit its fragments") from None
    if starts[0] != 0 or any(one >= other for one, other in pairwise(starts)):
        raise Unreadable("has an offset table that is not in order")
    return tuple(tuple(fragments[one:other]) for one, other in pairwise([*starts, len(fragments)]))


def name_of(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
