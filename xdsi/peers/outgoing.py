"""The bytes of a request, documents read while they are sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from xdsi.model.messages import Content, as_bytes
from xdsi.peers.session import Patience
from xdsi.standard import namespaces as ns
from xdsi.wire import soap, xop
from xdsi.wire.body import Body
from xdsi.wire.mtom import Frame

CHUNK = 64 * 1024  # bytes read from a document at once


class SourceFailed(Exception):
    """A document could not be read to its end; the OSError is its cause."""


class Outgoing:
    """Pieces of a request in order; iterate over it once.

    Raises SourceFailed when a document cannot be read or has not the size it promised: the
    request is then never finished cleanly.
    """

    def __init__(self, pieces: tuple[bytes | Content, ...], patience: Patience) -> None:
        self._pieces, self._patience = pieces, patience

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from _read(piece, self._patience)
        self._patience.waiting()


class SizedOutgoing(Outgoing):
    """Pieces of a request whose length is known beforehand, in bytes."""

    def __init__(self, pieces: tuple[bytes | Content, ...], patience: Patience, size: int) -> None:
        super().__init__(pieces, patience)
        self._size = size

    def __len__(self) -> int:
        return self._size


def outgoing(pieces: tuple[bytes | Content, ...], patience: Patience) -> Outgoing:
    """The request in a form that is sent with a Content-Length if that can be known."""
    size = 0
    for piece in pieces:
        length = len(piece) if isinstance(piece, bytes) else piece.size
        if length is None:
            return Outgoing(pieces, patience)
        size += length
    return SizedOutgoing(pieces, patience, size)


@dataclass(frozen=True, slots=True)
class Packed:
    """A request ready to go."""

    content_type: str
    pieces: tuple[bytes | Content, ...]


def simple(head: bytes, body: Body, action: str) -> Packed:
    """Simple SOAP (WS-050); the transactions packaged so carry no documents."""
    texts = tuple(piece for piece in body if isinstance(piece, bytes))
    if len(texts) != len(body):
        raise ValueError("a document in a transaction that is not packaged as MTOM")
    content_type = f'{ns.SOAP_MEDIA_TYPE}; charset=UTF-8; action="{action}"'
    return Packed(content_type, (soap.envelope(texts, head),))


def mtom(head: bytes, body: Body) -> Packed:
    """MTOM/XOP (WS-051, RET-060): one part for each document, in the order of the envelope."""
    frame = Frame.new()
    message = xop.multipart(frame, (head, *body, soap.CLOSE_ENVELOPE))
    return Packed(frame.content_type_header(), tuple(message))


def _read(content: Content, patience: Patience) -> Iterator[bytes]:
    sent = 0
    try:
        reader = content.open()
        try:
            while chunk := reader.read(CHUNK):
                sent += len(chunk)
                if content.size is not None and sent > content.size:
                    raise OSError(f"longer than the {content.size} bytes promised")
                patience.moved(len(chunk))
                yield as_bytes(chunk)
        finally:
            reader.close()
        if content.size is not None and sent < content.size:
            raise OSError(f"{sent} bytes instead of the {content.size} promised")
    except OSError as error:
        raise SourceFailed(str(error)) from error
