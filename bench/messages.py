"""Requests as they go over the wire, made by the project's own codec.

A large request is told in runs of a block that is sent over and over, so that nobody ever holds it.
"""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import uuid4

from bench import samples
from bench.measure import KIB, MIB
from xdsi.model.imaging import ImagingRequest
from xdsi.model.messages import ProvideRequest, QueryRequest, RetrieveRequest, Submission
from xdsi.model.values import CX
from xdsi.plug import CODECS
from xdsi.standard import namespaces as ns
from xdsi.standard.queries import MULTI_PATIENT_QUERIES
from xdsi.standard.transactions import (
    MULTI_PATIENT_QUERY,
    PROVIDE_AND_REGISTER,
    RETRIEVE,
    RETRIEVE_IMAGING,
    STORED_QUERY,
    Transaction,
)
from xdsi.wire import mtom, soap
from xdsi.wire.body import Attachment

_REPLY_TO = "http://www.w3.org/2005/08/addressing/anonymous"
SIMPLE = f"{ns.SOAP_MEDIA_TYPE}; charset=UTF-8"

Asked = QueryRequest | RetrieveRequest | ImagingRequest | Submission
Run = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Message:
    """An HTTP request: blocks, each so many times.

    expects: stands among the first octets of a good answer
    """

    runs: tuple[Run, ...]
    expects: bytes = b"Success"

    def pieces(self) -> Iterator[bytes]:
        for block, times in self.runs:
            for _ in range(times):
                yield block

    def whole(self) -> bytes:
        """All of it; only for small ones."""
        return b"".join(self.pieces())


@lru_cache
def block(size: int) -> bytes:
    """Octets that nothing can compress; the same at each call."""
    return os.urandom(size)


def query(of: CX) -> bytes:
    """The envelope of ITI-18 FindDocuments for a patient."""
    return query_envelope(samples.find_documents(of))


def query_envelope(request: QueryRequest) -> bytes:
    """The envelope of ITI-18 or ITI-51."""
    of_several = request.query_id in MULTI_PATIENT_QUERIES
    return b"".join(_envelope(MULTI_PATIENT_QUERY if of_several else STORED_QUERY, request))


def query_message(of: CX) -> bytes:
    """The same as an HTTP request."""
    body = query(of)
    return http_head("/registry", SIMPLE, len(body)) + body


def retrieve_message(document: str) -> Message:
    """ITI-43 of one document, answered with MTOM."""
    return attached("/repository", RETRIEVE, samples.retrieve(document))


def imaging_message(request: ImagingRequest) -> Message:
    """RAD-69, answered with MTOM."""
    asked = attached("/imaging", RETRIEVE_IMAGING, request)
    return replace(asked, expects=b"ResponseStatusType:Success")


def simple(path: str, transaction: Transaction, request: Asked) -> Message:
    """A request without documents, as simple SOAP."""
    body = b"".join(_envelope(transaction, request))
    return Message(((http_head(path, SIMPLE, len(body)) + body, 1),))


def attached(path: str, transaction: Transaction, request: Asked) -> Message:
    """A request without documents, as MTOM."""
    frame = mtom.Frame.new()
    pieces = _envelope(transaction, request)
    body = b"".join((frame.root_head(), *pieces, frame.end()))
    return Message(((http_head(path, frame.content_type_header(), len(body)) + body, 1),))


def provide_message(of: CX, size: int) -> tuple[Message, str]:
    """ITI-41 of one attached document, and the document's uniqueId."""
    one, times = _parts(size)
    request = samples.provide(of, size, one)
    return provided(request, (one, times)), _unique_id(request)


def provided(request: ProvideRequest, document: Run) -> Message:
    """ITI-41 of a request with one document, attached."""
    frame, cid = mtom.Frame.new(), mtom.new_content_id()
    before, after = _around(request, mtom.include(cid).encode())
    kind = request.submission.entries[0].mime_type or "text/plain"
    head = frame.root_head() + before + after + frame.part_head(cid, kind)
    tail = frame.end()
    block, times = document
    length = len(head) + len(block) * times + len(tail)
    http = http_head("/repository", frame.content_type_header(), length)
    return Message(((http + head, 1), document, (tail, 1)))


def inline_message(of: CX, size: int) -> tuple[Message, str]:
    """The same with the document as base64 in the envelope."""
    one, times = _parts(size, 3)
    request = samples.provide(of, len(one) * times, one)
    before, after = _around(request, b"")
    # base64 of a block that three divides can be repeated
    text = base64.b64encode(one)
    length = len(before) + len(text) * times + len(after)
    http = http_head("/repository", SIMPLE, length)
    return Message(((http + before, 1), (text, times), (after, 1))), _unique_id(request)


def _parts(size: int, divisor: int = 1) -> tuple[bytes, int]:
    """A block and how often it makes a document of about that size."""
    length = min(size, MIB if divisor == 1 else 768 * KIB)
    length -= length % divisor
    if divisor == 1 and size % length:
        raise ValueError(f"a document of {size} octets is not made of blocks of {length}")
    return block(length), size // length


def _around(request: ProvideRequest, document: bytes) -> tuple[bytes, bytes]:
    """The envelope up to the document and from it on; `document` stands before the cut."""
    before: list[bytes] = []
    after: list[bytes] = []
    target = before
    for piece in CODECS[PROVIDE_AND_REGISTER.id].write_request(request):
        if isinstance(piece, Attachment):
            target.append(document)
            target = after
        else:
            target.append(piece)
    after.append(soap.CLOSE_ENVELOPE)
    return _opened(PROVIDE_AND_REGISTER) + b"".join(before), b"".join(after)


def _envelope(transaction: Transaction, request: Asked) -> list[bytes]:
    body = CODECS[transaction.id].write_request(request)
    texts = [piece for piece in body if isinstance(piece, bytes)]
    return [_opened(transaction), *texts, soap.CLOSE_ENVELOPE]


def _opened(transaction: Transaction) -> bytes:
    return soap.open_envelope(action=transaction.action, message_id=uuid4().urn, reply_to=_REPLY_TO)


def http_head(path: str, kind: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _unique_id(request: ProvideRequest) -> str:
    return str(request.submission.entries[0].unique_id)
