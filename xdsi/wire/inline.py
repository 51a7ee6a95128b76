"""Documents that stand as base64 inside the envelope, taken out while it streams through.

The envelope passes byte for byte, except that the text of each Document becomes an xop:Include
whose content is handed out decoded. Whoever reads the envelope afterwards sees attachments
only. An empty Document, and one with an xop:Include already, stay as they are.

Expat says where things begin and end. Once it is inside the text of a Document, whole chunks
without `<` and `&` go past it to the base64 decoder, which is what makes big documents fast.
Source: ITI TF-2 V.8.2 (all mixtures of inline and optimised), RET-061, REG-004; SEC-T-034,
SEC-T-035, SEC-T-037, SEC-T-038, SEC-T-070.
"""

import codecs
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from xml.parsers import expat

from xdsi.model.errors import SoapFault
from xdsi.standard import namespaces as ns
from xdsi.wire import mime, mtom, safexml
from xdsi.wire.safexml import XmlLimits

_DOCUMENT = f"{ns.XDS} Document"
_SLICE = 64 * 1024  # bytes given to expat at once: bounds what one call can keep or undo
_NAME = re.compile(rb"Document[ \t\r\n/>]")


@dataclass(frozen=True, slots=True)
class Kept:
    """The next bytes of the envelope; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DocumentStart:
    """A document begins; its xop:Include names this Content-ID."""

    cid: str


@dataclass(frozen=True, slots=True)
class DocumentData:
    """Decoded content of the current document; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DocumentEnd:
    """The current document is complete."""


Event = Kept | DocumentStart | DocumentData | DocumentEnd


def may_hold_documents(data: bytes) -> bool:
    """False when a whole envelope surely has no Document element, so needs no pre-pass."""
    return _NAME.search(data) is not None or b"\0" in data[:4]


class _Mode(Enum):
    OUTSIDE = auto()  # of any Document
    FRESH = auto()  # in a Document that has shown nothing but white space
    TEXT = auto()  # in the base64 text of a Document
    AS_IS = auto()  # in a Document with child elements


class InlineDocuments:
    """Separates inline documents from an envelope fed in chunks of any size.

    limits: envelope counts what is kept; depth, token and text (white space in front of a
    document) hold while streaming, so memory stays small whatever comes
    documents: how many may be inline

    Read the events of one `feed` to the end before the next; the events of `close` count too.
    All methods raise SoapFault Sender; the object is of no use afterwards.
    """

    def __init__(self, limits: XmlLimits = XmlLimits(), *, documents: int = 1000) -> None:
        self._limits, self._most = limits, documents
        self._secret = secrets.token_hex(16)  # no client can name our parts beforehand
        self._head = b""  # first bytes, until the encoding is known
        self._codec = "utf-8"
        self._parser: expat.XMLParserType | None = None
        self._waiting = bytearray()  # not given to expat yet: it would only look at it again
        self._raw = b""  # given to expat, from byte _base on
        self._base = 0
        self._settled = 0  # everything before this byte is handed on, or was document text
        self._fed = 0  # bytes given to expat
        self._pending = 0  # of them, bytes of a token that is not complete
        self._events: list[Event] = []
        self._mode = _Mode.OUTSIDE
        self._depth = 0
        self._document_depth = 0
        self._documents = 0
        self._content: int | None = None  # byte where the content of a FRESH Document begins
        self._blank = 0  # white space in front of it
        self._in_cdata = False
        self._texts: list[str] = []
        self._decoder = mime.Base64Decoder("Document")
        self._kept = 0

    def feed(self, data: bytes | memoryview) -> Iterator[Event]:
        """What the next bytes of the envelope bring."""
        parser = self._parser
        if parser is None:
            data = self._head = self._head + data
            if len(data) < 4:
                return
            self._parser = parser = self._new_parser(data[:4])
        for at in range(0, len(data), _SLICE):
            yield from self._slice(parser, bytes(data[at : at + _SLICE]))

    def close(self) -> tuple[Event, ...]:
        """The last events; raises SoapFault Sender when the envelope is not whole."""
        parser = self._parser
        if parser is None:
            parser = self._new_parser(self._head)
            self._waiting += self._head
        return tuple(self._parse(parser, bytes(self._waiting), is_final=True))

    def _slice(self, parser: expat.XMLParserType, piece: bytes) -> Iterator[Event]:
        is_fast = self._mode is _Mode.TEXT and self._codec == "utf-8"
        if is_fast and not (self._in_cdata or self._pending or self._waiting):
            ends = [at for at in (piece.find(b"<"), piece.find(b"&")) if at >= 0]
            cut = min(ends, default=len(piece))
            if decoded := self._decoder.feed(piece[:cut]):
                yield DocumentData(decoded)
            piece = piece[cut:]
            if not piece:
                return
        self._waiting += piece
        # A token that does not end is looked at again only when as much again has come;
        # otherwise small chunks of a huge tag would cost quadratic time.
        if len(self._waiting) >= self._pending:
            piece = bytes(self._waiting)
            self._waiting.clear()
            yield from self._parse(parser, piece)

    def _parse(
        self, parser: expat.XMLParserType, piece: bytes, *, is_final: bool = False
    ) -> Iterator[Event]:
        self._raw = self._raw + piece if self._raw else piece
        self._fed += len(piece)
        try:
            parser.Parse(piece, is_final)
        except expat.ExpatError as error:
            raise safexml.not_well_formed(expat.ErrorString(error.code), error.lineno) from None
        # Behind this byte expat has judged nothing yet (or puts judging off: then -1).
        done = self._fed if is_final else max(parser.CurrentByteIndex, self._settled)
        self._pending = self._fed - done
        if self._pending > self._limits.token:
            raise safexml.above("bytes in one tag, comment or instruction", self._limits.token)
        self._flush()
        if self._mode is _Mode.TEXT:
            self._settled = done
        else:
            self._keep(done if self._content is None else self._content)
        self._raw, self._base = self._raw[self._settled - self._base :], self._settled
        yield from self._events
        self._events.clear()

    def _keep(self, end: int) -> None:
        """Hand on the bytes of the envelope before `end`."""
        if data := self._raw[self._settled - self._base : end - self._base]:
            self._hand_on(data)
        self._settled = end

    def _hand_on(self, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > self._limits.envelope:
            raise safexml.above("bytes", self._limits.envelope)
        self._events.append(Kept(data))

    def _flush(self) -> None:
        """Decode the text that has come through expat."""
        if self._texts:
            text = "".join(self._texts)
            self._texts.clear()
            # What is not ASCII is not base64; the decoder says so.
            if decoded := self._decoder.feed(text.encode("ascii", "replace")):
                self._events.append(DocumentData(decoded))

    def _new_parser(self, head: bytes) -> expat.XMLParserType:
        encoding = safexml.encoding_of(head)
        if encoding == "utf-16":
            is_little = head.startswith(codecs.BOM_UTF16_LE)
            self._codec = "utf-16-le" if is_little else "utf-16-be"
        parser = expat.ParserCreate(encoding, " ")
        parser.buffer_text = False  # positions are wanted, those of each piece of text too

        def declaration(version: str, name: str | None, standalone: int) -> None:
            safexml.check_declaration(version, name, encoding)

        def doctype(*_: object) -> None:
            raise safexml.doctype_refused()

        def start(name: str, attributes: dict[str, str]) -> None:
            self._depth += 1
            if self._depth > self._limits.depth:
                raise safexml.above("elements inside each other", self._limits.depth)
            if self._mode is _Mode.OUTSIDE:
                if name == _DOCUMENT:
                    self._mode, self._document_depth = _Mode.FRESH, self._depth
                    self._content, self._blank = None, 0
                    parser.CharacterDataHandler = text
                    parser.StartCdataSectionHandler = cdata
                    parser.EndCdataSectionHandler = cdata_end
            elif self._mode is _Mode.FRESH:
                self._mode, self._content = _Mode.AS_IS, None
                leave()
            elif self._mode is _Mode.TEXT:
                raise SoapFault("Sender", "a Document holds both text and elements")

        def end(name: str) -> None:
            if self._mode is not _Mode.OUTSIDE and self._depth == self._document_depth:
                if self._mode is _Mode.TEXT:
                    self._flush()
                    self._decoder.close()
                    self._events.append(DocumentEnd())
                    self._settled = parser.CurrentByteIndex
                self._mode, self._content = _Mode.OUTSIDE, None
                leave()
            self._depth -= 1

        def text(data: str) -> None:
            if self._mode is _Mode.FRESH:
                if self._content is None:
                    self._content = parser.CurrentByteIndex
                if not data.strip(" \t\r\n"):
                    self._blank += len(data)
                    if self._blank > self._limits.text:
                        raise safexml.above("blanks in front of a document", self._limits.text)
                    return
                self._begin(self._content)
            self._texts.append(data)

        def cdata() -> None:
            self._in_cdata = True
            if self._content is None:
                self._content = parser.CurrentByteIndex

        def cdata_end() -> None:
            self._in_cdata = False

        def leave() -> None:
            parser.CharacterDataHandler = None
            parser.StartCdataSectionHandler = parser.EndCdataSectionHandler = None

        parser.XmlDeclHandler, parser.StartDoctypeDeclHandler = declaration, doctype
        parser.StartElementHandler, parser.EndElementHandler = start, end
        return parser

    def _begin(self, content: int) -> None:
        """The text of a Document has begun: put the reference in its place."""
        self._documents += 1
        if self._documents > self._most:
            raise SoapFault("Sender", f"more than {self._most} inline documents")
        cid = f"inline-{self._documents}@{self._secret}"
        self._keep(content)
        self._hand_on(mtom.include(cid).encode(self._codec))
        self._events.append(DocumentStart(cid))
        self._mode, self._content = _Mode.TEXT, None
        self._decoder = mime.Base64Decoder(f"Document {self._documents}")
