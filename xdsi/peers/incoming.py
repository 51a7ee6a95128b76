"""Answers of partners: read as they come, as untrusted as any request (SEC-T-167).

The envelope is collected up to its limit, documents go to a sink: the attached ones and those that
stand as base64 in the envelope alike.
"""

from collections.abc import Iterable
from typing import Protocol

from xdsi.config import Limits
from xdsi.model.errors import SoapFault
from xdsi.model.messages import Staged, as_bytes
from xdsi.plug import Staging, StagingFile
from xdsi.wire import inline, mime
from xdsi.wire.media import MediaType, Packaging, media_type, packaging
from xdsi.wire.safexml import XmlLimits


def xml_limits(limits: Limits) -> XmlLimits:
    """The bounds of one envelope."""
    return XmlLimits(
        envelope=limits.envelope,
        depth=limits.depth,
        attributes=limits.attributes,
        namespaces=limits.namespaces,
        elements=limits.elements,
        text=limits.text,
    )


class Sink(Protocol):
    """What becomes of the documents of an answer: each begins, is written, ends."""

    def begin(self, content_id: str | None, size: int | None, /) -> None:
        """size: octets it says it has"""

    def write(self, data: bytes, /) -> None: ...
    def end(self) -> None: ...


class Kept:
    """Documents that wait in a spool until the answer is there; without one they are thrown away.

    parts: by Content-ID
    """

    def __init__(self, spool: Staging | None) -> None:
        self.parts: dict[str, Staged] = {}
        self._spool = spool
        self._nameless: list[Staged] = []  # no xop:Include can name them (RET-064)
        self._file: StagingFile | None = None
        self._id: str | None = None

    def begin(self, content_id: str | None, size: int | None, /) -> None:
        self._id = content_id
        self._file = None if self._spool is None else self._spool.create()

    def write(self, data: bytes, /) -> None:
        if self._file is not None:
            self._file.write(data)

    def end(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        staged = file.finish()
        if self._id is None:
            self._nameless.append(staged)
        else:
            self.parts[self._id] = staged

    def discard(self) -> None:
        """Remove every document received so far."""
        if self._file is not None:
            self._file.discard()
            self._file = None
        if self._spool is not None:
            self._spool.discard((*self.parts.values(), *self._nameless))


class Incoming:
    """One answer while it is received; of no use after an exception but for `discard`.

    content_type: parsed header of the answer; anything but SOAP raises UnsupportedMediaType
    sink: where documents go
    documents: most documents there may be
    may_hold_documents: the envelope may hold inline documents, so it is searched for them
    All methods raise SoapFault for what breaks a rule or a limit, and what the spool raises.
    """

    def __init__(
        self,
        content_type: MediaType,
        sink: Sink,
        limits: Limits,
        *,
        documents: int,
        may_hold_documents: bool,
    ) -> None:
        self.charset = content_type.charset
        self._sink, self._limits, self._documents = sink, limits, documents
        self._envelope = bytearray()
        self._inline = (
            inline.InlineDocuments(xml_limits(limits), documents=documents)
            if may_hold_documents
            else None
        )
        self._has_envelope = False
        self._size = self._total = self._count = 0
        self._scanner: mime.Scanner | None = None
        self._part: mime.PartStart | None = None
        if packaging(content_type) is Packaging.MTOM:
            bounds = mime.MimeLimits(
                parts=min(limits.parts, documents + 1),
                header_block=limits.part_header_block,
                headers=limits.part_headers,
            )
            self._scanner = mime.mtom_scanner(content_type, bounds, by_length=True)

    def feed(self, data: bytes) -> None:
        """The next bytes of the answer's body."""
        if self._scanner is None:
            self._root(data)
            return
        for event in self._scanner.feed(data):
            self._mime(event)

    def close(self) -> None:
        """Everything has arrived."""
        if self._scanner is not None:
            for event in self._scanner.close():
                self._mime(event)
        self._end_envelope()

    @property
    def is_multipart(self) -> bool:
        """Documents follow the envelope as parts."""
        return self._scanner is not None

    @property
    def envelope(self) -> bytes | None:
        """Without its inline documents; None until it is there as a whole."""
        return bytes(self._envelope) if self._has_envelope else None

    def _end_envelope(self) -> None:
        if not self._has_envelope:
            self._has_envelope = True
            if self._inline is not None:
                self._take(self._inline.close())

    def _mime(self, event: mime.Event) -> None:
        match event:
            case mime.PartStart():
                self._part = event
                if not event.is_root:
                    self._begin(event.content_id, event.size)
                elif event.content_type is not None:
                    self.charset = media_type(event.content_type).charset
            case mime.PartData(data):
                if self._part is not None and self._part.is_root:
                    self._root(as_bytes(data))
                else:
                    self._content(as_bytes(data))
            case mime.PartEnd():
                if self._part is not None and not self._part.is_root:
                    self._sink.end()
                else:
                    self._end_envelope()
                self._part = None

    def _root(self, data: bytes) -> None:
        if self._inline is None:
            self._keep(data)
        else:
            self._take(self._inline.feed(data))

    def _take(self, events: Iterable[inline.Event]) -> None:
        for event in events:
            match event:
                case inline.Kept(data):
                    self._keep(data)
                case inline.DocumentStart(content_id):
                    self._begin(content_id, None)
                case inline.DocumentData(data):
                    self._content(data)
                case inline.DocumentEnd():
                    self._sink.end()

    def _keep(self, data: bytes) -> None:
        if len(self._envelope) + len(data) > self._limits.envelope:
            raise SoapFault("Sender", f"the envelope is above {self._limits.envelope} bytes")
        self._envelope += data

    def _begin(self, content_id: str | None, size: int | None) -> None:
        self._count, self._size = self._count + 1, 0
        if self._count > self._documents:
            raise SoapFault("Sender", f"more than the {self._documents} documents asked for")
        if size is not None and size > self._limits.document:
            raise SoapFault("Sender", f"one document above {self._limits.document} bytes")
        self._sink.begin(content_id, size)

    def _content(self, data: bytes) -> None:
        self._size += len(data)
        self._total += len(data)
        for size, limit, what in (
            (self._size, self._limits.document, "one document"),
            (self._total, self._limits.submission, "all documents"),
        ):
            if size > limit:
                raise SoapFault("Sender", f"{what} above {limit} bytes")
        self._sink.write(data)
