"""Multipart bodies: an incremental scanner for reading, a frame for writing.

The scanner searches whole chunks for the delimiter and hands content on as slices of them,
decoded from its transfer encoding; only what may be the beginning of a delimiter waits for the
next chunk. Reading is lenient (any order, any transfer encoding that loses nothing), writing
strict (random boundary, exact length).
Source: RFC 2046 5.1, RFC 2387, RFC 2392, ITI TF-2 V.8 and V.9.3; RET-060 to RET-062,
SEC-T-039, SEC-T-090 to SEC-T-097.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from xdsi.model.errors import SoapFault, shown
from xdsi.model.messages import Octets
from xdsi.standard import namespaces as ns
from xdsi.wire import media
from xdsi.wire.media import MediaType, UnsupportedMediaType, media_type

PADDING = 1024  # blanks tolerated between a delimiter and the end of its line, bytes

_HEADER = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,18}")
_ONCE = ("content-id", "content-type", "content-transfer-encoding")
_PASSED_ON = ("7bit", "8bit", "binary")  # transfer encodings that change nothing


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """Bounds of a multipart body (SEC-T-039).

    parts: number of parts; in the answer of a retrieve the documents asked for + 1
    header_block: bytes of the headers of one part
    headers: number of headers of one part
    preamble: bytes before the first boundary
    """

    parts: int = 1001
    header_block: int = 16 * 1024
    headers: int = 32
    preamble: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins.

    index: 0 for the first part of the body
    is_root: the part that holds the envelope
    headers: lower-case name and value, unfolded, in order
    content_id: without angle brackets, percent-decoded once; None when absent
    content_type: header value as sent; None when absent
    transfer_encoding: lower case; the PartData that follow are decoded from it already
    size: octets of the content, where parts are read by length and this one says it
    """

    index: int
    is_root: bool
    headers: tuple[tuple[str, str], ...]
    content_id: str | None
    content_type: str | None
    transfer_encoding: str
    size: int | None = None

    def header(self, name: str) -> str | None:
        """The first header of this name (any case), None when absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)


class PartData(NamedTuple):
    """Decoded content of the current part; never empty."""

    data: Octets


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The current part is complete."""


Event = PartStart | PartData | PartEnd


class Base64Decoder:
    """Decodes base64 fed in pieces of any size; white space is allowed anywhere.

    Raises SoapFault Sender, naming `what`, for other characters and for wrong padding.
    """

    __slots__ = ("_ended", "_rest", "_what")

    def __init__(self, what: str) -> None:
        self._what, self._rest, self._ended = what, b"", False

    def feed(self, data: Octets) -> bytes:
        """The bytes that are complete by now."""
        text = self._rest + data if self._rest else bytes(data)
        if b"\n" in text or b" " in text or b"\r" in text or b"\t" in text:
            text = text.translate(None, b" \t\r\n")
        if self._ended and text:
            raise self._broken()
        whole = len(text) & ~3
        self._rest, text = text[whole:], text[:whole]
        self._ended = self._ended or text.endswith(b"=")
        # binascii alone lets a group of padding pass behind a full one.
        if (self._ended and self._rest) or text.find(b"=", 0, max(0, len(text) - 2)) >= 0:
            raise self._broken()
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            raise self._broken() from None

    def close(self) -> None:
        """Raises SoapFault Sender when the last group of four is incomplete."""
        if self._rest:
            raise self._broken()

    def _broken(self) -> SoapFault:
        return SoapFault("Sender", f"{self._what}: broken base64; encode and send it again")


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class Scanner:
    """Splits a multipart body fed in chunks of any size.

    boundary: 1 to 70 characters, see `media.boundary`
    start: value of the `start` parameter; None makes the first part the root
    root_type: media type the root part must have; None accepts every type
    by_length: a part that says its Content-Length is not searched for the boundary, which must
        then stand behind it; for answers alone, since others may read a request by its boundary

    Read the events of one `feed` to the end before the next. The events of `close` count too:
    a body may end right behind the final boundary, without a line end. All methods raise
    SoapFault Sender for a body that breaks the rules; the scanner is of no use afterwards.
    A part that is itself a multipart is content like any other: no recursion (SEC-T-097).
    """

    def __init__(
        self,
        boundary: bytes,
        limits: MimeLimits = MimeLimits(),
        *,
        start: str | None = None,
        root_type: str | None = None,
        by_length: bool = False,
    ) -> None:
        if not 1 <= len(boundary) <= media.BOUNDARY_MAX:
            raise SoapFault("Sender", f"boundary of {len(boundary)} characters; use 1 to 70")
        self._limits, self._root_type, self._by_length = limits, root_type, by_length
        self._start = None if start is None else _content_id(start)
        self._delimiter = b"\r\n--" + boundary
        # Matches a delimiter line (group 1: the final one), or with group 2 what may become
        # one with the next chunk. Possessive: each byte is looked at a bounded number of times.
        self._line = re.compile(
            re.escape(self._delimiter)
            + rb"(?:(--)?+[ \t]{0,%d}+(?:(?=\r\n)|(?=(\r?\Z)))|(?=(-\Z)))" % PADDING
        )
        self._state = _State.PREAMBLE
        self._buffer = b"\r\n"  # lets a boundary at the very start look like all others
        self._blank = 0  # bytes of the blank line, in front of content, still in the buffer
        self._before = 0  # bytes of preamble
        self._sure = 0  # bytes of content still to come by its length
        self._is_told = False  # where the content of this part ends
        self._parts = 0
        self._ids: set[str] = set()
        self._root_seen = False
        self._decoder: Base64Decoder | None = None

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the next bytes of the body bring."""
        buffer = self._buffer + data if self._buffer else data
        view = memoryview(buffer)
        at = 0  # everything before is dealt with
        while self._state is not _State.EPILOGUE:
            if self._state is _State.HEADERS:
                end = buffer.find(b"\r\n\r\n", at)
                self._check_block((len(buffer) if end < 0 else end) - at - 2)
                if end < 0:
                    break
                yield self._part(buffer[at + 2 : end])
                # The line end of the blank line may at once be that of the next delimiter.
                self._state, at, self._blank = _State.CONTENT, end + 2, 2
            if self._sure:
                begin = at + self._blank
                end = min(begin + self._sure, len(buffer))
                if begin >= end:
                    break
                yield PartData(view[begin:end])
                self._sure -= end - begin
                at, self._blank = end, 0
                if self._sure:  # and so no boundary in what is there
                    break
            cut, line = self._delimiter_line(buffer, at)
            if cut > at:
                if self._is_told and cut > at + self._blank:
                    raise SoapFault("Sender", f"part {self._parts} is not as long as it says")
                if self._state is _State.CONTENT:
                    yield from self._content(view[at + self._blank : cut])
                else:
                    self._check_preamble(cut - at)
                at, self._blank = cut, 0
            if line is None:
                break
            if self._state is _State.CONTENT:
                yield self._end()
            self._state = _State.EPILOGUE if line[1] else _State.HEADERS
            self._is_told = False
            at = line.end()
        self._buffer = b"" if self._state is _State.EPILOGUE else buffer[at:]

    def close(self) -> tuple[Event, ...]:
        """The last events; raises SoapFault Sender unless final boundary and root were there."""
        last: tuple[Event, ...] = ()
        if self._state in (_State.PREAMBLE, _State.CONTENT):
            line = self._line.match(self._buffer)
            if line is not None and line[1]:
                if self._state is _State.CONTENT:
                    last = (self._end(),)
                self._state = _State.EPILOGUE
        if self._state is _State.PREAMBLE:
            raise SoapFault("Sender", "the boundary named in Content-Type is not in the body")
        if self._state is not _State.EPILOGUE:
            raise SoapFault("Sender", "the body ends before its final boundary; send it again")
        if not self._root_seen:
            is_empty = self._parts == 0
            raise SoapFault(
                "Sender", "the body has no part" if is_empty else "start names no part of the body"
            )
        return last

    def _delimiter_line(self, buffer: bytes, at: int) -> tuple[int, re.Match[bytes] | None]:
        """Where content ends for now, and the delimiter line there if it is complete."""
        near = buffer.find(self._delimiter, at)
        if near >= 0:
            # The expression steps over look-alikes much faster than a loop around find.
            line = self._line.search(buffer, near)
            if line is not None:
                complete = line[2] is None and line[3] is None
                return line.start(), line if complete else None
        tail = buffer.rfind(b"\r", max(at, len(buffer) - len(self._delimiter) + 1))
        if tail >= 0 and self._delimiter.startswith(buffer[tail:]):
            return tail, None
        return len(buffer), None

    def _part(self, block: bytes) -> PartStart:
        if self._parts >= self._limits.parts:
            raise SoapFault("Sender", f"more than {self._limits.parts} parts in the body")
        head = _head(block, self._limits.headers)
        if head.doubled:
            raise SoapFault("Sender", f"part {self._parts + 1} has {head.doubled} twice")
        if head.content_id is not None and head.content_id in self._ids:
            raise SoapFault("Sender", f"two parts have the Content-ID {shown(head.content_id)}")
        self._ids.update({head.content_id} if head.content_id else ())
        is_root = self._parts == 0 if self._start is None else head.content_id == self._start
        self._decoder = self._decoder_for(head.encoding)
        size = head.length if self._by_length and self._decoder is None else None
        self._sure, self._is_told = size or 0, size is not None
        part = PartStart(
            self._parts, is_root, head.headers, head.content_id, head.kind, head.encoding, size
        )
        if is_root:
            self._root_seen = True
            self._check_root(part)
        self._parts += 1
        return part

    def _decoder_for(self, encoding: str) -> Base64Decoder | None:
        if encoding in _PASSED_ON:
            return None
        if encoding == "base64":
            return Base64Decoder(f"part {self._parts + 1}")
        raise SoapFault(
            "Sender",
            f"part {self._parts + 1} has the transfer encoding {shown(encoding, 80)}; "
            "use binary, 8bit, 7bit or base64",
        )

    def _content(self, data: memoryview) -> Iterator[PartData]:
        decoded = self._decoder.feed(data) if self._decoder else data
        if len(decoded):
            yield PartData(decoded)

    def _end(self) -> PartEnd:
        if self._decoder:
            self._decoder.close()
        return PartEnd()

    def _check_block(self, size: int) -> None:
        if size > self._limits.header_block:
            raise SoapFault(
                "Sender",
                f"headers of part {self._parts + 1} above {self._limits.header_block} bytes",
            )

    def _check_preamble(self, size: int) -> None:
        self._before += size
        if self._before > self._limits.preamble:
            raise SoapFault(
                "Sender",
                f"no boundary in the first {self._limits.preamble} bytes of the body; "
                "Content-Type may name another one",
            )

    def _check_root(self, part: PartStart) -> None:
        if self._root_type is None:
            return
        try:
            found = media_type(part.content_type or "").type
        except UnsupportedMediaType:
            found = part.content_type or ""
        if found != self._root_type:
            raise SoapFault(
                "Sender", f"root part is {shown(found, 80)}; it must be {self._root_type}"
            )


def mtom_scanner(
    content_type: MediaType, limits: MimeLimits = MimeLimits(), *, by_length: bool = False
) -> Scanner:
    """The scanner for an MTOM body with this Content-Type.

    by_length: see `Scanner`
    Raises SoapFault Sender for a missing, bad or repeated boundary or start (SEC-T-090, 093).
    """
    return Scanner(
        media.boundary(content_type),
        limits,
        start=content_type.get("start"),
        root_type=ns.XOP_MEDIA_TYPE,
        by_length=by_length,
    )


class _Head(NamedTuple):
    """What the headers of a part say.

    length: octets; what is not one number says nothing
    doubled: a header that is there twice and must not be, "" for none
    """

    headers: tuple[tuple[str, str], ...]
    content_id: str | None
    kind: str | None
    encoding: str
    length: int | None
    doubled: str


@lru_cache(16)  # the parts of a series mostly have the same
def _head(block: bytes, limit: int) -> _Head:
    """Of a header block without its last line end."""
    headers = tuple(_headers(block, limit))
    names = [name for name, _ in headers]
    first = dict(reversed(headers))
    length = first.get("content-length", "")
    is_length = names.count("content-length") == 1 and _LENGTH.fullmatch(length)
    return _Head(
        headers,
        _content_id(first["content-id"]) if "content-id" in first else None,
        first.get("content-type"),
        first.get("content-transfer-encoding", "7bit").lower(),
        int(length) if is_length else None,
        next((name for name in _ONCE if names.count(name) > 1), ""),
    )


def _headers(block: bytes, limit: int) -> Iterator[tuple[str, str]]:
    """Names in lower case and values."""
    text = block.decode("latin-1")
    if not text:
        return
    unfolded = re.sub(r"\r\n(?=[ \t])", "", text)
    if re.search(r"[\r\n\0]", unfolded.replace("\r\n", "")):
        raise SoapFault("Sender", "a part header holds a lone CR or LF, or NUL")
    lines = unfolded.split("\r\n")
    if len(lines) > limit:
        raise SoapFault("Sender", f"a part has {len(lines)} headers, above {limit}")
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise SoapFault("Sender", f"{shown(line, 80)} is no part header (Name: value)")
        yield header[1].lower(), header[2].strip(" \t")


def _content_id(value: str) -> str | None:
    """A Content-ID as references name it: no brackets, percent-decoded once; None if empty."""
    value = value.strip()
    if value.startswith("<") and value.endswith(">"):
        value = value[1:-1]
    return unquote(value) or None


def cid(href: str) -> str:
    """The Content-ID that an xop:Include names, percent-decoded once (RFC 2392, RET-061).

    Raises SoapFault Sender for an empty reference and any other scheme: nothing else is ever
    followed (SEC-T-094).
    """
    scheme, _, rest = href.strip().partition(":")
    if scheme.lower() != "cid" or not rest:
        raise SoapFault("Sender", f"xop:Include href {shown(href, 80)}; only cid: is followed")
    return unquote(rest)
