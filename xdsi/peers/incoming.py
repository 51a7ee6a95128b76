"""Answers of partners: read as they come, as untrusted as any request (SEC-T-167).

The envelope is collected up to its limit, documents go to the spool: the attached ones and those
that stand as base64 in the envelope alike.
"""

from collections.abc import Iterable

from xdsi.config import Limits
from xdsi.model.errors import SoapFault
from xdsi.model.messages import Staged
from xdsi.plug import Staging, StagingFile
from xdsi.wire import inline, mime
from xdsi.wire.body import Parts
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


class Incoming:
    """One answer while it is received; of no use after an exception but for `discard`.

    content_type: parsed header of the answer; anything but SOAP raises UnsupportedMediaType
    spool: where documents go; None: they are counted against the limits and thrown away
    documents: most documents there may be
    may_hold_documents: the envelope may hold inline documents, so it is searched for them
    All methods raise SoapFault for what breaks a rule or a limit, and what the spool raises.
    """

    def __init__(
        self,
        content_type: MediaType,
        spool: Staging | None,
        limits: Limits,
        *,
        documents: int,
        may_hold_documents: bool,
    ) -> None:
        self.charset = content_type.charset
        self._spool, self._limits, self._documents = spool, limits, documents
        self._envelope = bytearray()
        self._inline = (
            inline.InlineDocuments(xml_limits(limits), documents=documents)
            if may_hold_documents
            else None
        )
        self._inline_id = ""  # Content-ID of the inline document that is being received
        self._parts: dict[str, Staged] = {}
        self._nameless: list[Staged] = []
        self._file: StagingFile | None = None
        self._size = self._total = self._count = 0
        self._scanner: mime.Scanner | None = None
        self._part: mime.PartStart | None = None
        if packaging(content_type) is Packaging.MTOM:
            bounds = mime.MimeLimits(
                parts=min(limits.parts, documents + 1),
                header_block=limits.part_header_block,
                headers=limits.part_headers,
            )
            self._scanner = mime.mtom_scanner(content_type, bounds)

    def feed(self, data: bytes) -> None:
        """The next bytes of the answer's body."""
        if self._scanner is None:
            self._root(data)
            return
        for event in self._scanner.feed(data):
            self._mime(event)

    def close(self) -> tuple[bytes, Parts]:
        """The envelope and the documents by Content-ID, once everything has arrived."""
        if self._scanner is not None:
            for event in self._scanner.close():
                self._mime(event)
        if self._inline is not None:
            self._take(self._inline.close())
        return bytes(self._envelope), self._parts

    def discard(self) -> None:
        """Remove every document received so far."""
        if self._file is not None:
            self._file.discard()
            self._file = None
        if self._spool is not None:
            self._spool.discard((*self._parts.values(), *self._nameless))

    def _mime(self, event: mime.Event) -> None:
        match event:
            case mime.PartStart():
                self._part = event
                if not event.is_root:
                    self._begin()
                elif event.content_type is not None:
                    self.charset = media_type(event.content_type).charset
            case mime.PartData(data):
                if self._part is not None and self._part.is_root:
                    self._root(bytes(data))
                else:
                    self._content(bytes(data))
            case mime.PartEnd():
                if self._part is not None and not self._part.is_root:
                    self._end(self._part.content_id)
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
                    self._inline_id = content_id
                    self._begin()
                case inline.DocumentData(data):
                    self._content(data)
                case inline.DocumentEnd():
                    self._end(self._inline_id)

    def _keep(self, data: bytes) -> None:
        if len(self._envelope) + len(data) > self._limits.envelope:
            raise SoapFault("Sender", f"the envelope is above {self._limits.envelope} bytes")
        self._envelope += data

    def _begin(self) -> None:
        self._count, self._size = self._count + 1, 0
        if self._count > self._documents:
            raise SoapFault("Sender", f"more than the {self._documents} documents asked for")
        self._file = None if self._spool is None else self._spool.create()

    def _content(self, data: bytes) -> None:
        self._size += len(data)
        self._total += len(data)
        for size, limit, what in (
            (self._size, self._limits.document, "one document"),
            (self._total, self._limits.submission, "all documents"),
        ):
            if size > limit:
                raise SoapFault("Sender", f"{what} above {limit} bytes")
        if self._file is not None:
            self._file.write(data)

    def _end(self, content_id: str | None) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        staged = file.finish()
        if content_id is None:
            self._nameless.append(staged)  # no xop:Include can name it (RET-064)
        else:
            self._parts[content_id] = staged
