"""HL7 v2 messages of the patient identity feed, and their acknowledgements [ITI-8].

The library splits a segment; it is given those that are read, of a bounded length. Headers are
read before it, so that every message can be answered, and escapes after it: its own reader repeats
`\\.sp999999999\\` as often as it is told.
Source: ITI TF-2 3.8.4, C.2; HL7 v2.3.1 chapter 2 (PIF-010 to PIF-031, PIF-050 to PIF-055).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import hl7

from xdsi.model.errors import XDSError, XDSUnknownPatientId
from xdsi.model.identity import (
    Acknowledgement,
    Act,
    Demographics,
    IdentityEvent,
    birth_date,
)
from xdsi.model.manifest import IssuedId
from xdsi.standard import hl7 as tables
from xdsi.wire.mllp import END, START

ACTS = MappingProxyType(
    {"A01": Act.ADD, "A04": Act.ADD, "A05": Act.ADD, "A08": Act.UPDATE, "A40": Act.MERGE}
)
IDS = 100  # identifiers of one patient in a message
SEGMENT = 64 * 1024  # characters of one that is read: as a tree it takes some hundred times that
LONGEST = 256  # characters of a field that is echoed, and of a text

_REQUIRED = (3, 4, 5, 6, 7, 9, 10, 11, 12)  # PIF-013
_FIELDS = 24  # of a header, then the rest
_SEXES = MappingProxyType({"M": "M", "F": "F", "O": "UN", "A": "UN"})
_STANDARD = "|^~\\&"
_FRAME = {START[0]: None, END[0]: None}


class Refused(Exception):
    """A message that is not looked into any further (PIF-050 to PIF-055).

    is_rejected: AR instead of AE; condition: of HL7 table 0357
    location: segment^sequence^field[^repetition^component], where it is known
    """

    def __init__(
        self, condition: int, text: str, location: str = "", *, is_rejected: bool = False
    ) -> None:
        self.condition, self.text, self.location = condition, text, location
        self.is_rejected = is_rejected
        super().__init__(f"{condition}: {text}")


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as it came, undecoded: one character for each octet.

    delimiters: field, component, repetition, escape, subcomponent
    fields: MSH-n at n; "" where there is none
    is_sound: the message begins with a header that can be read
    """

    delimiters: str = _STANDARD
    fields: tuple[str, ...] = ()
    is_sound: bool = False

    def field(self, number: int) -> str:
        return self.fields[number] if number < len(self.fields) else ""

    def component(self, field: int, number: int) -> str:
        """Of the first repetition."""
        text = self.field(field).split(self.delimiters[2])[0]
        parts = text.split(self.delimiters[1])
        return parts[number - 1] if number <= len(parts) else ""

    @property
    def event(self) -> str:
        return self.component(9, 2)


def header_of(message: bytes) -> Header:
    """The header of a message, as far as there is one. Never raises."""
    segment = message.lstrip(b"\r\n").split(b"\r", 1)[0].decode("latin_1")
    if not segment.startswith("MSH") or len(segment) < 8:
        return Header()
    separator = segment[3]
    fields = ("MSH", separator, *segment[4:].split(separator, _FIELDS))
    encoding = fields[2]
    delimiters = separator + encoding[:4]
    if len(encoding) not in (4, 5) or len(set(delimiters)) < 5 or not _are_signs(delimiters):
        return Header()
    return Header(delimiters, tuple(fields), is_sound=True)


def _are_signs(delimiters: str) -> bool:
    return all(each.isascii() and each.isprintable() and not each.isalnum() for each in delimiters)


def event_from_er7(message: bytes, header: Header) -> IdentityEvent:
    """What a message tells. header: from `header_of`. Raises Refused."""
    _judge(header)
    text = _decoded(message.lstrip(b"\r\n"), header)
    segments = re.split("\r\n?", text)
    reader = _Reader(header.delimiters, _codec(header))
    act = ACTS[header.event]
    pid = _segment(segments, "PID", header)
    ids = tuple(reader.ids(pid, 3))
    if not ids:
        raise Refused(tables.FIELD_MISSING, "PID-3 holds no identifier", "PID^1^3")
    subsumed: tuple[IssuedId, ...] = ()
    if act is Act.MERGE:
        subsumed = tuple(reader.ids(_segment(segments, "MRG", header), 1))
        if not subsumed:
            raise Refused(tables.FIELD_MISSING, "MRG-1 holds no identifier", "MRG^1^1")
    return IdentityEvent(act, ids, subsumed, reader.demographics(pid))


def _judge(header: Header) -> None:
    """PIF-012 to PIF-016, PIF-052, PIF-055."""
    if not header.is_sound:
        raise Refused(
            tables.SEGMENT_SEQUENCE,
            "a message begins with MSH, its separator and four encoding characters",
            is_rejected=True,
        )
    if header.component(9, 1) != "ADT":
        raise Refused(tables.TYPE, "the feed takes ADT", "MSH^1^9^1^1", is_rejected=True)
    if header.event not in ACTS:
        problem = f"the feed takes {', '.join(ACTS)}"
        raise Refused(tables.EVENT, problem, "MSH^1^9^1^2", is_rejected=True)
    if header.component(12, 1) not in tables.VERSIONS:
        problem = f"the feed takes {', '.join(sorted(tables.VERSIONS))}"
        raise Refused(tables.VERSION, problem, "MSH^1^12", is_rejected=True)
    for number in _REQUIRED:
        if not header.field(number):
            raise Refused(tables.FIELD_MISSING, f"MSH-{number} is empty", f"MSH^1^{number}")
    if header.component(11, 1) not in tables.PROCESSING:
        raise Refused(tables.PROCESSING_ID, "expected P, T or D", "MSH^1^11", is_rejected=True)


def _codec(header: Header) -> str:
    name = header.field(18).split(header.delimiters[2])[0].strip()
    codec = tables.CHARACTER_SETS.get(name)
    if codec is None:
        problem = "the feed takes ASCII, 8859/1 to 8859/9, 8859/15 and UNICODE UTF-8"
        raise Refused(tables.TABLE_VALUE, problem, "MSH^1^18")
    return codec


def _decoded(message: bytes, header: Header) -> str:
    codec = _codec(header)
    try:
        return message.decode(codec)
    except UnicodeDecodeError:
        problem = (
            "the message is not in the character set that MSH-18 names, or in UTF-8 without it"
        )
        raise Refused(tables.DATA_TYPE, problem, "MSH^1^18", is_rejected=True) from None


def _segment(segments: Iterable[str], name: str, header: Header) -> Any:
    """The only segment of a name, split."""
    separator = header.delimiters[0]
    found = [each for each in segments if each.split(separator, 1)[0] == name]
    if len(found) != 1:
        problem = (
            f"{name} is missing" if not found else f"more than one {name}; send each by itself"
        )
        raise Refused(tables.SEGMENT_SEQUENCE, problem, name)
    if len(found[0]) > SEGMENT:
        raise Refused(tables.DATA_TYPE, f"{name} is longer than {SEGMENT} characters", name)
    # the library wants a header in front, to know the delimiters by
    return hl7.parse(f"MSH{separator}{header.delimiters[1:]}{separator}\r{found[0]}")[1]


class _Reader:
    """Values of the segments of one message."""

    def __init__(self, delimiters: str, codec: str) -> None:
        escape = re.escape(delimiters[3])
        self._escapes = re.compile(f"{escape}([^{escape}]*){escape}").sub
        self._delimiters = dict(zip("FSRET", delimiters, strict=True))
        self._codec = codec

    def ids(self, segment: Any, field: int) -> Iterator[IssuedId]:
        """The CX of a field that have an id. Raises Refused when there are too many."""
        found = _repetitions(segment, field)
        if len(found) > IDS:
            where = f"{segment[0]}^1^{field}"
            raise Refused(tables.DATA_TYPE, f"more than {IDS} identifiers", where)
        for each in found:
            if _part(_part(each, 0), 1) is not None:
                # half an identifier would be somebody else's
                problem = "an identifier holds a subcomponent delimiter; escape it"
                raise Refused(tables.DATA_TYPE, problem, f"{segment[0]}^1^{field}")
            if value := self._text(each, 1):
                namespace, oid, kind = (self._text(each, 4, part) for part in (1, 2, 3))
                yield IssuedId(value, namespace or "", oid or "", kind or "")

    def demographics(self, pid: Any) -> Demographics:
        """Of the legal name and the first address."""
        names, addresses = _repetitions(pid, 5), _repetitions(pid, 11)
        legal = [each for each in names if self._text(each, 7) in ("L", None)]
        name, address = (legal or names or [None])[0], (addresses or [None])[0]
        given = filter(None, (self._text(name, 2), self._text(name, 3)))
        birth = self._text((_repetitions(pid, 7) or [None])[0], 1) or ""
        sex = self._text((_repetitions(pid, 8) or [None])[0], 1) or ""
        return Demographics(
            family=self._text(name, 1),
            given=" ".join(given) or None,
            birth_date=birth_date(birth),
            sex=_SEXES.get(sex.upper()),
            street=self._text(address, 1),
            city=self._text(address, 3),
            state=self._text(address, 4),
            postal_code=self._text(address, 5),
            country=self._text(address, 6),
            other_ids=(*self._others(pid, 2), *self._others(pid, 4)),
        )

    def _others(self, pid: Any, field: int) -> list[IssuedId]:
        """As far as they can be read: nothing hangs on them."""
        found: list[IssuedId] = []
        with suppress(Refused):
            found.extend(self.ids(pid, field))
        return found

    def _text(self, repetition: Any, component: int, subcomponent: int = 1) -> str | None:
        """A value without escapes; None where there is none, or the one that deletes."""
        value = _part(_part(repetition, component - 1), subcomponent - 1)
        if not isinstance(value, str):
            value = "" if value is None else str(value)
        plain = self._escapes(self._plain, value).strip()
        return None if plain in ("", '""') else plain

    def _plain(self, found: re.Match[str]) -> str:
        """What an escape stands for; highlighting and layout for nothing."""
        name = found[1]
        if name.startswith("X"):
            try:
                return bytes.fromhex(name[1:]).decode(self._codec, "replace")
            except ValueError:
                return ""
        return self._delimiters.get(name, "")


def _repetitions(segment: Any, field: int) -> list[Any]:
    found = segment[field] if field < len(segment) else ()
    return [each for each in found if str(each)]


def _part(node: Any, index: int) -> Any:
    """A child of the library's tree; text without delimiters is its own first child."""
    if node is None or isinstance(node, str):
        return node if index == 0 else None
    return node[index] if index < len(node) else None


# acknowledgements


def acknowledgement_to_er7(
    header: Header, answer: Acknowledgement | Refused, now: datetime, control_id: str
) -> bytes:
    """MSH, MSA and an ERR for each problem; in the delimiters and character set of the message.

    header: of the message that is acknowledged; now: UTC; control_id: of this message, ASCII
    """
    problems = _problems(answer)
    code = "AA" if not problems else "AR" if answer.is_rejected else "AE"
    separator, component = header.delimiters[0], header.delimiters[1]
    is_event = re.fullmatch("[A-Z][0-9A-Z]{2}", header.event) is not None
    texts = [_escaped(text, header.delimiters) for _, _, text in problems]
    lines = [
        [
            "MSH",
            header.delimiters[1:],
            *(_echo(header.field(number)) for number in (5, 6, 3, 4)),
            now.strftime("%Y%m%d%H%M%S+0000"),
            "",
            f"ACK{component}{header.event}" if is_event else "ACK",
            control_id,
            _echo(header.field(11)) or "P",
            _echo(header.field(12)) or "2.3.1",
            *("" for _ in range(5)),
            _echo(header.field(18)),
        ],
        ["MSA", code, _echo(header.field(10)), *texts[:1]],
        *(
            [
                "ERR",
                "",
                location.replace("^", component),
                component.join((str(condition), tables.CONDITIONS[condition], "HL70357")),
                "E",
                *("" for _ in range(3)),
                text,
            ]
            for (condition, location, _), text in zip(problems, texts, strict=True)
        ),
    ]
    text = "".join(separator.join(line).rstrip(separator) + "\r" for line in lines)
    return text.encode("latin_1")


def _problems(answer: Acknowledgement | Refused) -> list[tuple[int, str, str]]:
    """Condition, location and text of each."""
    if isinstance(answer, Refused):
        return [(answer.condition, answer.location, answer.text)]
    return [(_condition(each, answer), "", each.context) for each in answer.errors]


def _condition(error: XDSError, answer: Acknowledgement) -> int:
    if answer.is_rejected:
        return tables.INTERNAL
    return tables.UNKNOWN_KEY if isinstance(error, XDSUnknownPatientId) else tables.DUPLICATE_KEY


def _echo(field: str) -> str:
    """As it came, but for the signs of frames: they would end the answer's own."""
    return field[:LONGEST].translate(_FRAME)


def _escaped(text: str, delimiters: str) -> str:
    """Text of ours as a field: ASCII, delimiters escaped."""
    escape = delimiters[3]
    names = dict(zip(delimiters, "FSRET", strict=True))
    plain = text[:LONGEST].encode("ascii", "replace").decode()
    return "".join(f"{escape}{names[one]}{escape}" if one in names else one for one in plain)


def listed(senders: Sequence[str], header: Header) -> bool:
    """Whether MSH-3 and MSH-4 are among `application|facility`; none: anybody (PIF-005)."""
    return not senders or f"{header.component(3, 1)}|{header.component(4, 1)}" in senders
