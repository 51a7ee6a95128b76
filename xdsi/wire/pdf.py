"""PDF: a small writer for reports of plain text, and the little a PDF says of itself.

The reader looks for the information dictionary only: it parses no streams, so titles of encrypted
or fully compressed files are simply not known.
Source: ISO 32000-1 7.5 (file structure), 7.3.4 (strings), 14.3.3 (information dictionary);
IMG-022.
"""

import mmap
import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from xdsi.model.errors import InvalidDocumentContent
from xdsi.wire.times import dtm_from_pdf

_WIDTH, _HEIGHT = 595, 842  # A4 in points
_MARGIN, _SIZE, _LEADING = 56, 11, 15
_COLUMNS = 88  # characters of Helvetica 11 that surely fit the line for ordinary text
_ROWS = (_HEIGHT - 2 * _MARGIN - 40) // _LEADING

_TAIL = 4096  # bytes before the end in which the last trailer begins
_DICTIONARY = 16384  # bytes looked at for one dictionary
_INFO = re.compile(rb"/Info\s+(\d{1,10})\s+(\d{1,5})\s+R")
_STARTXREF = re.compile(rb"startxref\s+(\d{1,12})")


class PdfInfo(NamedTuple):
    """Title and creation time (DTM); "" where the file does not say."""

    title: str = ""
    created: str = ""
    author: str = ""


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a PDF; readers accept junk before it."""
    return b"%PDF-" in head[:1024]


def text_pdf(title: str, lines: Sequence[str], *, made: datetime, author: str = "") -> bytes:
    """A PDF 1.4 of as many A4 pages as the lines need, in Helvetica.

    made: aware time, stands in the information dictionary
    Long lines are wrapped at blanks. Characters that Windows Latin 1 lacks become `?`.
    """
    rows = [row for line in lines for row in textwrap.wrap(line, _COLUMNS) or [""]]
    pages = [rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS)] or [[]]
    # objects 1 to 5: catalog, page tree, two fonts, information; then a page and its content each
    kids = " ".join(f"{6 + 2 * n} 0 R" for n in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    stamp = made.astimezone(UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode("ascii"),
        font.format("Helvetica").encode("ascii"),
        font.format("Helvetica-Bold").encode("ascii"),
        b"<< /Title " + _text_string(title) + b" /Author " + _text_string(author)
        + b" /Producer (xdsi) /CreationDate " + _literal(stamp.encode("ascii")) + b" >>",
    ]  # fmt: skip
    for number, page in enumerate(pages):
        content = _content(title if number == 0 else "", page)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Resources "
            f"<< /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {7 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    # every entry of the table has exactly 20 bytes
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def _content(title: str, rows: Sequence[str]) -> bytes:
    """The drawing of one page."""
    top = _HEIGHT - _MARGIN - 16
    out = [b"BT"]
    if title:
        out.append(b"/F2 16 Tf %d %d Td %b Tj" % (_MARGIN, top, _literal(_latin(title))))
        out.append(b"/F1 %d Tf %d TL 0 -30 Td" % (_SIZE, _LEADING))
    else:
        out.append(b"/F1 %d Tf %d TL %d %d Td" % (_SIZE, _LEADING, _MARGIN, top))
    out.extend(b"%b Tj T*" % _literal(_latin(row)) for row in rows)
    out.append(b"ET")
    return b"\n".join(out)


def _latin(text: str) -> bytes:
    plain = "".join(c if c.isprintable() or c == "\u00a0" else " " for c in text)
    return plain.encode("cp1252", "replace")


def _literal(text: bytes) -> bytes:
    return b"(" + re.sub(rb"([()\\])", rb"\\\1", text) + b")"


def _text_string(text: str) -> bytes:
    """A text string: ASCII as it is, all else in UTF-16."""
    if text.isascii() and text.isprintable():
        return _literal(text.encode("ascii"))
    return b"<" + (b"\xfe\xff" + text.encode("utf-16-be", "replace")).hex().encode() + b">"


def read_info(path: Path) -> PdfInfo:
    """Title and creation time of a PDF, where they stand in a plain information dictionary.

    Raises InvalidDocumentContent for a file that is no PDF or cannot be read.
    """
    try:
        with path.open("rb") as file:
            if not is_pdf(file.read(1024)):
                raise InvalidDocumentContent(path.name, "is no PDF file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _info(content)
    except OSError as error:
        raise InvalidDocumentContent(path.name, f"cannot be read: {error.strerror}") from None


def _info(content: mmap.mmap) -> PdfInfo:
    tail = content[max(0, len(content) - _TAIL) :]
    trailers = [tail]
    # a cross-reference stream carries the trailer's entries and stands where startxref says
    if starts := _STARTXREF.findall(tail):
        at = int(starts[-1])
        trailers.append(content[at : at + _DICTIONARY])
    references = [each for trailer in trailers for each in _INFO.findall(trailer)]
    if not references or any(b"/Encrypt" in trailer for trailer in trailers):
        return PdfInfo()
    number, generation = references[-1]
    mark = b"\n%b %b obj" % (number, generation)
    at = content.rfind(mark)
    if at < 0:
        at = content.rfind(mark.replace(b"\n", b"\r"))
    if at < 0:
        return PdfInfo()
    dictionary = content[at : at + _DICTIONARY].split(b"endobj")[0]
    return PdfInfo(
        _value(dictionary, b"Title"),
        dtm_from_pdf(_value(dictionary, b"CreationDate")),
        _value(dictionary, b"Author"),
    )


_OCTAL = frozenset(b"%d" % digit for digit in range(8))
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def _value(dictionary: bytes, key: bytes) -> str:
    """The string at a key; "" when there is none."""
    found = re.search(rb"/" + key + rb"\s*(\(|<(?!<))", dictionary)
    if not found:
        return ""
    if found[1] == b"<":
        digits = re.sub(rb"\s", b"", dictionary[found.end() :].split(b">")[0])
        try:
            return _decoded(bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii")))
        except ValueError:
            return ""
    return _decoded(_unescaped(dictionary[found.end() :]))


def _unescaped(text: bytes) -> bytes:
    """A literal string up to its closing parenthesis."""
    out, depth = bytearray(), 1
    for piece in re.findall(rb"\\(?:[0-7]{1,3}|\r\n|.)|[()]|[^\\()]+", text, re.DOTALL):
        if piece == b"(":
            depth += 1
        elif piece == b")":
            depth -= 1
            if not depth:
                break
        if not piece.startswith(b"\\"):
            out += piece
        elif piece[1:2] in _OCTAL:
            out.append(int(piece[1:], 8) & 0xFF)
        elif piece[1:] not in (b"\n", b"\r", b"\r\n"):
            out += _ESCAPES.get(piece[1:], piece[1:])
    return bytes(out)


def _decoded(value: bytes) -> str:
    """A text string: UTF-16 or UTF-8 by its mark, else PDFDocEncoding, near enough Latin 1."""
    if value.startswith((b"\xfe\xff", b"\xff\xfe")):
        text = value.decode("utf-16", "replace")
    elif value.startswith(b"\xef\xbb\xbf"):
        text = value[3:].decode("utf-8", "replace")
    else:
        text = value.decode("cp1252", "replace")
    return " ".join(text.replace("\0", "").split())
