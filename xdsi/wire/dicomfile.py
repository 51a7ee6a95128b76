"""Reading of DICOM Part 10 files without building data sets.

A `Shape` says which elements of a data set are wanted and what each item of its sequences
becomes; everything else is passed over without a copy. An item is turned into what its shape
makes of it as soon as it ends, so a large tree never stands in memory twice. Every byte is
foreign: lengths, nesting, counts and time are bounded, and whatever is wrong ends in one
InvalidDocumentContent with one sentence.
Source: DICOM PS3.5 section 7 (encoding) and A.5 (deflated), PS3.10 section 7 (file meta);
KOS-080, KOS-113, KOS-133, SEC-T-150.
"""

import math
import mmap
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from xdsi.model.errors import InvalidDocumentContent
from xdsi.standard import dicom, urns
from xdsi.wire.charsets import codecs_of, decoded
from xdsi.wire.dicomencoding import BYTES, STREAM, Encoding
from xdsi.wire.stream import Stream

T = TypeVar("T")

_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PREAMBLE = 132
_FIRST_READ = 128 << 10  # bytes; holds the header of nearly every instance
_VALUE_LIMIT = 1 << 20  # bytes of one wanted value; texts of a header are far shorter
_INFLATED_LIMIT = 64 << 20

Source = Path | str | bytes | BinaryIO | Stream
Octets = bytes | mmap.mmap | Stream


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may cost (KOS-113, SEC-T-150).

    size: bytes of the file; instances: references of the evidence tree; nesting: depth of
    sequences; seconds: time allowed, and seconds_per_thousand more for each 1,000 references met,
    but never more than at_most.
    """

    size: int = 64 << 20
    instances: int = 250_000
    nesting: int = 16
    seconds: float = 2.0
    seconds_per_thousand: float = 0.1
    at_most: float = math.inf


class Item:
    """The wanted elements of a data set or sequence item: raw values and made items, by tag."""

    __slots__ = ("codecs", "sequences", "values")

    def __init__(self, codecs: tuple[str, ...] = ()) -> None:
        self.values: dict[int, bytes] = {}
        self.sequences: dict[int, list[object]] = {}
        self.codecs = codecs

    def text(self, tag: int) -> str:
        """The value as text without padding; "" when absent."""
        value = self.values.get(tag)
        return decoded(value, self.codecs) if value else ""

    def uid(self, tag: int) -> str:
        """The value as UID without padding, and without the prefix of a URN; "" when absent."""
        value = self.values.get(tag)
        return value.decode("latin_1").strip("\0 ").removeprefix(urns.OID_PREFIX) if value else ""

    def made(self, tag: int, kind: type[T]) -> tuple[T, ...]:
        """What the shape made of the items of a sequence; empty when absent."""
        found = self.sequences.get(tag)
        return tuple([each for each in found if isinstance(each, kind)]) if found else ()

    def first(self, tag: int, kind: type[T]) -> T | None:
        """What the shape made of the first item of a sequence."""
        found = self.made(tag, kind)
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Shape:
    """What is wanted of a data set or of the items of a sequence.

    values: tags of plain elements; sequences: tags of sequences with the shape of their items;
    make: called with each finished item, None leaves it out; until: the last tag looked at.
    noted: tags of plain elements of which it counts only that they are there, kept without value.
    """

    values: frozenset[int] = frozenset()
    sequences: Mapping[int, "Shape"] = field(default_factory=dict)
    make: Callable[[Item], object] = lambda item: item
    until: int = _UNDEFINED
    noted: frozenset[int] = frozenset()


class DicomFile(NamedTuple):
    """A file as read: group 0002 and the wanted part of its data set."""

    meta: Item
    transfer_syntax: str
    data: Item


_META = Shape(
    frozenset(
        {
            0x00020000,
            dicom.MEDIA_STORAGE_SOP_CLASS_UID,
            dicom.MEDIA_STORAGE_SOP_INSTANCE_UID,
            dicom.TRANSFER_SYNTAX_UID,
        }
    ),
    until=0x0002FFFF,
)
_NOTHING = Shape(make=lambda item: None)


class _Malformed(Exception):
    """Carries the sentence; becomes InvalidDocumentContent at the edge."""


class _Ended(_Malformed):
    """The bytes at hand end too early; the file may have more."""


class _TooMuch(_Malformed):
    """A limit is reached: nobody knows what is wrong with the rest."""


def is_part10(head: bytes) -> bool:
    """Whether a file that begins with these (at least 132) bytes is a DICOM Part 10 file."""
    return head[128:_PREAMBLE] == b"DICM"


def read(source: Source, shape: Shape, *, what: str = "manifest", limits: Limits) -> DicomFile:
    """The wanted part of a whole file.

    Raises InvalidDocumentContent: no Part 10 file, beyond a limit (KOS-113), or not readable.
    """
    return parsed(_content(source, what, limits.size), shape, what, limits).file


def read_header(path: Path, shape: Shape, *, limits: Limits) -> DicomFile:
    """The wanted part of an instance of any size, reading no more of it than `shape.until` needs.

    Raises InvalidDocumentContent as `read` does; what lies behind `until` is not looked at.
    """
    wanted = _FIRST_READ
    try:
        with path.open("rb") as file:
            head = file.read(wanted)
            while True:
                try:
                    return parsed(head, shape, path.name, limits, more_may_follow=True).file
                except _Ended as ended:
                    rest = file.read(wanted * 7) if len(head) < limits.size else b""
                    if not rest:
                        raise invalid(path.name, str(ended)) from None
                    head += rest
                    wanted = len(head)
    except OSError as error:
        raise invalid(path.name, f"cannot be read: {error.strerror}") from None


def _content(source: Source, what: str, size: int) -> bytes | Stream:
    content: bytes | Stream
    try:
        if isinstance(source, bytes | Stream):
            content = source
        elif isinstance(source, Path | str):
            with open(source, "rb") as file:
                content = file.read(size + 1)
        else:
            content = source.read(size + 1)
    except OSError as error:
        raise invalid(what, f"cannot be read: {error.strerror}") from None
    if len(content) > size:
        raise invalid(what, f"is larger than the {size} bytes allowed", rule="KOS-113")
    return content


def invalid(what: str, sentence: str, rule: str = "KOS-133") -> InvalidDocumentContent:
    return InvalidDocumentContent(what, sentence, rule=rule)


class Parsed(NamedTuple):
    """start: octets before the data set; content: what its offsets count in, inflated if need be"""

    file: DicomFile
    start: int
    content: Octets


def parsed(
    content: Octets, shape: Shape, what: str, limits: Limits,
    *, more_may_follow: bool = False, marks: list[tuple[int, int]] | None = None,
) -> Parsed:  # fmt: skip
    """marks: gets tag and offset of each element of the data set itself"""
    try:
        if not is_part10(content[:_PREAMBLE]):
            raise invalid(what, "is no DICOM file: no DICM at offset 128", rule="KOS-120")
        meta, start, reader = Item(), _PREAMBLE, _Reader(content, limits)
        if content[start : start + 2] == b"\2\0":
            start = reader.elements(meta, _META, start, len(content), reader.codes.explicit)
        syntax, at = meta.uid(dicom.TRANSFER_SYNTAX_UID), start
        if syntax == dicom.DEFLATED_LITTLE_ENDIAN:
            # deflated bytes may look like an element of group 0002: only its length is sure
            length = meta.values.get(0x00020000, b"")
            if len(length) == 4:
                start = _PREAMBLE + 12 + int.from_bytes(length, "little")
            if len(content) - start > limits.size:
                raise _TooMuch(f"has more than {limits.size} bytes of deflated data set")
            reader, at = _Reader(_inflated(content[start:]), limits), 0
        data, code = Item(), reader.encoding(at, syntax)
        reader.elements(data, shape, at, len(reader.content), code, marks=marks)
    except _Ended as ended:
        if more_may_follow:
            raise
        raise invalid(what, str(ended)) from None
    except _TooMuch as limit:
        raise invalid(what, str(limit), rule="KOS-113") from None
    except _Malformed as malformed:
        raise invalid(what, str(malformed)) from None
    return Parsed(DicomFile(meta, syntax, data), start, reader.content)


def _inflated(content: bytes) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = stream.decompress(content, _INFLATED_LIMIT)
    except zlib.error:
        raise _Malformed("has a deflated data set that cannot be inflated") from None
    if stream.unconsumed_tail:
        raise _TooMuch(f"inflates to more than {_INFLATED_LIMIT} bytes")
    return data


class _Reader:
    """One pass over one data set, counting what it costs."""

    def __init__(self, content: Octets, limits: Limits) -> None:
        self.content = content
        self.codes = STREAM if isinstance(content, Stream) else BYTES
        self.limits = limits
        self.started = time.monotonic()
        self.steps = 0
        self.references = 0

    def encoding(self, start: int, syntax: str) -> Encoding:
        """The encoding of the data set, seen in its first element where syntax and data differ."""
        if syntax == dicom.EXPLICIT_BIG_ENDIAN:
            return self.codes.big
        vr = self.content[start + 4 : start + 6]
        return self.codes.explicit if vr in _SHORT or vr in _LONG else self.codes.implicit

    def elements(
        self, item: Item, shape: Shape, at: int, end: int, code: Encoding, depth: int = 0,
        delimited: bool = False, marks: list[tuple[int, int]] | None = None,
    ) -> int:  # fmt: skip
        """Read elements into `item` up to `end`, or to the delimiter of an item without length.

        Returns the offset behind what was read.
        """
        content, explicit, head = self.content, code.explicit, code.head
        values, until, steps = shape.values, shape.until, 0
        vr = b""
        while at < end:
            if end - at < 8:
                raise self._cut(end, "in the middle of an element")
            steps += 1
            if not steps & 1023:
                self._look()
            start = at + 8
            if explicit:
                group, element, vr, length = head(content, at)
            else:
                group, element, length = head(content, at)
            tag = group << 16 | element
            if tag > until:
                return at
            if marks is not None:
                marks.append((tag, at))
            if group == 0xFFFE:
                if tag == _ITEM_END and delimited:
                    return start
                raise _Malformed("has an item or delimiter where an element must stand")
            if vr in _SHORT:
                # nearly every element: neither a sequence nor without length
                at = start + length
                if at > end:
                    raise self._overrun(at, tag)
                if tag in values or tag == dicom.SPECIFIC_CHARACTER_SET:
                    _keep(item, tag, content[start:at])
                continue
            if explicit:
                if vr not in _LONG:
                    raise _Malformed(f"has an undefined value representation in {_name(tag)}")
                if end - at < 12:
                    raise self._cut(end, "in the middle of an element")
                length, start = code.long(content, at + 8)[0], at + 12
            inner = shape.sequences.get(tag)
            if length == _UNDEFINED:
                if vr not in (b"SQ", b"UN", b""):
                    at = self._fragments(start, end, code)
                    if tag in shape.noted:
                        item.values[tag] = b""
                    continue
                within = self.codes.implicit if vr == b"UN" else code  # PS3.5 6.2.2 note 2
                made, at = self._items(
                    tag, inner or _NOTHING, item, start, end, within, depth, True
                )
                if inner:
                    item.sequences[tag] = made
                continue
            at = start + length
            if at > end:
                raise self._overrun(at, tag)
            if inner and vr in (b"SQ", b"UN", b""):
                within = self.codes.implicit if vr == b"UN" else code
                made, _ = self._items(tag, inner, item, start, at, within, depth, False)
                item.sequences[tag] = made
            elif tag in shape.noted:
                item.values[tag] = b""
            elif tag in values or tag == dicom.SPECIFIC_CHARACTER_SET:
                if length > _VALUE_LIMIT:
                    raise _TooMuch(f"has a value of {length} bytes in {_name(tag)}")
                _keep(item, tag, content[start:at])
        if delimited:
            raise self._cut(end, "inside a sequence item")
        return at

    def _items(
        self, tag: int, shape: Shape, parent: Item, at: int, end: int, code: Encoding, depth: int,
        delimited: bool,
    ) -> tuple[list[object], int]:  # fmt: skip
        """The items of one sequence, made, and the offset behind it."""
        if depth >= self.limits.nesting:
            # an error, not a limit: no template of a manifest nests like that (KOS-133)
            raise _Malformed(f"nests sequences deeper than {self.limits.nesting}")
        content = self.content
        found: list[object] = []
        counted = tag == dicom.REFERENCED_SOP_SEQUENCE
        while at < end:
            if end - at < 8:
                raise self._cut(end, "in the middle of a sequence")
            group, element, length = code.item(content, at)
            start = at + 8
            if group << 16 | element == _SEQUENCE_END:
                return found, start if delimited else end
            if group << 16 | element != _ITEM:
                raise _Malformed(f"has no item where one must stand in {_name(tag)}")
            self._step()
            if counted:
                self.references += 1
            item = Item(parent.codecs)
            if length == _UNDEFINED:
                at = self.elements(item, shape, start, end, code, depth + 1, True)
            else:
                at = start + length
                if at > end:
                    raise self._overrun(at, tag)
                if shape is not _NOTHING:
                    self.elements(item, shape, start, at, code, depth + 1)
            made = shape.make(item)
            if made is not None:
                found.append(made)
        if delimited:
            raise self._cut(end, "inside a sequence")
        return found, at

    def _fragments(self, at: int, end: int, code: Encoding) -> int:
        """The offset behind encapsulated data (PS3.5 A.4)."""
        while end - at >= 8:
            self._step()
            group, element, length = code.item(self.content, at)
            if group << 16 | element == _SEQUENCE_END:
                return at + 8
            if group << 16 | element != _ITEM:
                raise _Malformed("has encapsulated data without items")
            at += 8 + length
        raise self._cut(end, "inside encapsulated data")

    def _cut(self, end: int, where: str) -> _Malformed:
        """What ends too early: the file, or only something within it."""
        return _Ended(f"ends {where}") if end >= len(self.content) else _Malformed(f"ends {where}")

    def _overrun(self, at: int, tag: int) -> _Malformed:
        if at > len(self.content):
            return _Ended(f"ends before the {at - len(self.content)} last bytes of {_name(tag)}")
        return _Malformed(f"has a length in {_name(tag)} beyond what contains it")

    def _step(self) -> None:
        self.steps += 1
        if not self.steps & 1023:
            self._look()

    def _look(self) -> None:
        """Compare what was spent with the limits."""
        limits = self.limits
        # the tree, the content and a library of descriptors each name every instance once
        if self.references > 3 * limits.instances:
            raise _TooMuch(f"references more than {limits.instances} instances")
        allowed = limits.seconds + limits.seconds_per_thousand * self.references / 1000
        allowed = min(allowed, limits.at_most)
        if time.monotonic() - self.started > allowed:
            raise _TooMuch(f"takes longer than {allowed:.1f} s to read")


def _keep(item: Item, tag: int, value: bytes) -> None:
    item.values[tag] = value
    if tag == dicom.SPECIFIC_CHARACTER_SET:
        item.codecs = codecs_of(value.decode("latin_1").strip("\0 "))


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
