"""What is known of one request on its way through the server, and the answer it gets.

The stages fill an `Exchange` in; log line, metrics and recording read it when all is over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from time import monotonic

from xdsi.wire.media import Packaging

Header = tuple[bytes, bytes]

MLLP = "MLLP"  # stands for the HTTP method where there is none


@dataclass(frozen=True, slots=True)
class Part:
    """A document that came with a request, for the record.

    size: octets
    content: the bytes when they are kept
    """

    content_id: str
    size: int
    sha1: str
    content: bytes | None = None


@dataclass(slots=True)
class Exchange:
    """One request.

    ticket: its name in answers, logs and X-Request-Id
    started: `time.monotonic()` when its headers were complete
    is_plain: errors are told in a line of text, not by a SOAP fault
    partner: who asks, where only partners may
    message_id: wsa:MessageID once the envelope could be read, for RelatesTo
    transaction: id of the row it was dispatched to
    ids: unique ids it is about; never demographics
    outcome: status of the answer in a word: Success, Failure, ..., Fault, or refused, cut, gone
    codes: error codes of the answer
    findings: errors of the answer with rule ids, for the record
    bytes_in, bytes_out: octets of the bodies
    request, answer: the envelopes, where they are recorded; the answer's without documents. Of the
        feed the HL7 v2 messages
    """

    method: str = "POST"
    path: str = ""
    peer: str = ""
    ticket: str = field(default_factory=lambda: token_hex(16))
    started: float = field(default_factory=monotonic)
    packaging: Packaging = Packaging.SIMPLE
    is_plain: bool = False
    head: tuple[Header, ...] = ()
    partner: str | None = None
    message_id: str | None = None
    transaction: str = ""
    ids: tuple[str, ...] = ()
    http: int = 0
    outcome: str = ""
    codes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    request: bytes = b""
    answer: tuple[bytes, ...] = ()
    parts: list[Part] = field(default_factory=list)

    @property
    def milliseconds(self) -> float:
        return (monotonic() - self.started) * 1000


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    size: octets of the body, None when it is not known before it is sent
    body: bytes, or an iterator of them that may block; it is closed when the sending ends
    first: what the iterator gave already, to see that it can begin
    again: asks the handler once more, for a body that cannot begin: what failed is known by then
    """

    status: int
    headers: tuple[Header, ...]
    body: bytes | Iterator[bytes]
    size: int | None = None
    first: bytes = b""
    again: "Callable[[], Reply] | None" = None
