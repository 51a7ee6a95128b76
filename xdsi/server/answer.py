"""Answers on their way out: simple SOAP or MTOM, whole or streamed.

An answer leaves in the packaging its request came in (WS-052, WS-055, WS-056). The envelope is
complete before the first byte goes; documents follow it from their readers. A reader that fails
later raises, and whoever sends must then cut the connection: the final boundary is never sent.
Source: ITI TF-2 V.8, V.9; RET-060, RET-061, RET-063, SEC-T-029.
"""

import binascii
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Lock
from time import monotonic
from uuid import uuid4

from xdsi.model.errors import SoapFault
from xdsi.model.messages import Content, Octets, as_bytes
from xdsi.server.exchange import Exchange, Header, Reply
from xdsi.standard import namespaces as ns
from xdsi.wire import mtom, soap, xop
from xdsi.wire.body import Attachment, Body
from xdsi.wire.media import Packaging

# Octets handed to the connection at once. Time goes by the block and memory by its size, so all
# that stream at a moment share the most (bench: iti43-large, memory; twice as much would be a tenth
# faster and take 10 MiB more). Small documents are gathered to half of that, which is copied once
# more; less for the first octets and where they come slowly (bench: rad69-ct, memory-images).
MOST, LEAST = 1024 * 1024, 64 * 1024
_SLOWLY = 0.25  # seconds

_SIMPLE_TYPE = (b"content-type", f"{ns.SOAP_MEDIA_TYPE}; charset=UTF-8".encode())

Piece = bytes | Content


def reply(body: Body, action: str, exchange: Exchange) -> Reply:
    """The answer of a transaction, HTTP 200.

    action: the answer action of the transaction
    """
    head = soap.open_envelope(action=action, message_id=uuid4().urn, relates_to=exchange.message_id)
    return _packaged((head, *body, soap.CLOSE_ENVELOPE), 200, exchange)


def fault(error: SoapFault, exchange: Exchange) -> Reply:
    """A SOAP fault with the ticket, in the packaging of the request (WS-056)."""
    envelope = soap.fault_envelope(
        error,
        relates_to=exchange.message_id,
        message_id=uuid4().urn,
        incident=exchange.ticket,
    )
    return _packaged((envelope,), error.status, exchange)


def _packaged(body: Sequence[bytes | Attachment], status: int, exchange: Exchange) -> Reply:
    pieces: Iterable[Piece]
    if exchange.packaging is Packaging.MTOM:
        frame = mtom.Frame.new()
        kind = (b"content-type", frame.content_type_header().encode())
        message = xop.multipart(frame, body)
        pieces, exchange.answer = message, (message.root,)
    else:
        kind = _SIMPLE_TYPE
        pieces = [piece if isinstance(piece, bytes) else piece.content for piece in body]
        exchange.answer = tuple([piece for piece in body if isinstance(piece, bytes)])
    return in_pieces(status, (kind,), pieces, is_base64=exchange.packaging is Packaging.SIMPLE)


def in_pieces(
    status: int, headers: tuple[Header, ...], pieces: Iterable[Piece], *, is_base64: bool = False
) -> Reply:
    """A body as a whole where that is at hand, else streamed.

    pieces: gone through several times
    is_base64: documents are encoded on their way
    """
    if not any(isinstance(piece, Content) for piece in pieces):
        whole = b"".join([piece for piece in pieces if isinstance(piece, bytes)])
        return Reply(status, headers, whole, len(whole))
    return Reply(status, headers, _blocks(pieces, is_base64), _size(pieces, is_base64))


def _size(pieces: Iterable[Piece], is_base64: bool) -> int | None:
    total = 0
    for piece in pieces:
        size = len(piece) if isinstance(piece, bytes) else piece.size
        if size is None:
            return None
        total += (size + 2) // 3 * 4 if is_base64 and isinstance(piece, Content) else size
    return total


class _Streams:
    """How many answers stream at the moment, in this process."""

    def __init__(self) -> None:
        self._count, self._guard = 0, Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """While one more streams."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, number: int) -> None:
        with self._guard:
            self._count += number

    @property
    def share(self) -> int:
        """Octets of a block."""
        return max(LEAST, MOST // max(1, self._count))


_streams = _Streams()


def _blocks(pieces: Iterable[Piece], is_base64: bool) -> Iterator[bytes]:
    """The body in blocks from LEAST on. Raises OSError when a document fails."""
    waiting: list[Octets] = []
    size, enough = 0, LEAST
    with _streams.one():
        since = monotonic()
        for piece in pieces:
            if isinstance(piece, bytes):
                parts: Iterator[Octets] = iter((piece,))
            else:
                parts = _base64(piece) if is_base64 else _content(piece)
            for part in parts:
                waiting.append(part)
                size += len(part)
                if size >= enough or (size >= LEAST and monotonic() - since > _SLOWLY):
                    del part
                    yield _joined(waiting)
                    size = 0
                    enough, since = max(LEAST, _streams.share // 2), monotonic()
        if waiting:
            yield _joined(waiting)


def _joined(parts: list[Octets]) -> bytes:
    """All of them, which are let go: until the next block is made nothing holds them twice."""
    block = b"".join(parts) if len(parts) > 1 else as_bytes(parts[0])
    parts.clear()
    return block


def batch(blocks: Iterator[bytes]) -> list[bytes]:
    """The next blocks of a body, none behind the last.

    As many as are worth the way to a thread and back, which costs as much as sending one of them.
    """
    taken: list[bytes] = []
    size, since = 0, monotonic()
    while block := next(blocks, b""):
        taken.append(block)
        size += len(block)
        if size >= _streams.share - LEAST or monotonic() - since > _SLOWLY:
            break
    return taken


def _content(content: Content, most: int = MOST) -> Generator[Octets, None, None]:
    """What a document holds; exactly the promised number of octets, or OSError."""
    total = 0
    with closing(content.open()) as reader:
        while block := reader.read(min(most, _streams.share)):
            total += len(block)
            if content.size is not None and total > content.size:
                break
            yield block
    if content.size is not None and total != content.size:
        raise OSError(f"document gave {total} octets instead of {content.size}")


def _base64(content: Content) -> Iterator[bytes]:
    rest = b""
    with closing(_content(content, LEAST // 4 * 3)) as blocks:
        for block in blocks:
            data = rest + block if rest else as_bytes(block)
            whole = len(data) // 3 * 3
            rest = data[whole:]
            text = binascii.b2a_base64(data[:whole], newline=False)
            del data, block  # or they would stay until this goes on
            if text:
                yield text
    if rest:
        yield binascii.b2a_base64(rest, newline=False)


def text(status: int, message: str, *headers: Header) -> Reply:
    """An answer below SOAP, in plain words."""
    body = f"{message}\n".encode()
    kind = (b"content-type", b"text/plain; charset=utf-8")
    return Reply(status, (kind, *headers), body, len(body))
