"""Messages as different senders write them, and a raw socket to send them through.

Nothing here uses the project's own writers for what is on trial: every byte of HTTP, MIME and
SOAP is set by the test.
"""

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from lxml import etree

from tests import samples
from xdsi.model.messages import DocumentRequest as Wanted
from xdsi.model.messages import QueryRequest, RetrieveRequest
from xdsi.standard import transactions
from xdsi.standard.namespaces import SOAP12, WSA
from xdsi.wire import query, retrieve, submit

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
SIMPLE = "application/soap+xml; charset=UTF-8"
BOUNDARY = "MIMEBoundary_1"
SECRET = "secret-path-/var/lib/xdsi"  # what the node raises; it must never reach a caller
NAMES = {"env": SOAP12, "wsa": WSA, "rs": "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"}


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_whole: bool = True

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_mtom(self) -> bool:
        return (self.header("content-type") or "").startswith("multipart/related")

    @property
    def parts(self) -> list[tuple[dict[str, str], bytes]]:
        """Headers and content of each part, split by hand."""
        kind = self.header("content-type") or ""
        boundary = kind.partition('boundary="')[2].partition('"')[0].encode()
        pieces = (b"\r\n" + self.body).split(b"\r\n--" + boundary)
        assert pieces[0] == b"" and pieces[-1] == b"--\r\n", "not a whole multipart body"
        found = []
        for piece in pieces[1:-1]:
            head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            lines = (line.split(": ", 1) for line in head.decode().split("\r\n"))
            found.append(({name.lower(): value for name, value in lines}, content))
        return found

    @property
    def envelope(self) -> etree._Element:
        return etree.fromstring(self.parts[0][1] if self.is_mtom else self.body)

    def text(self, path: str) -> str | None:
        """Text of the first element at an XPath with the usual prefixes."""
        found = self.envelope.xpath(path, namespaces=NAMES)
        if not found:
            return None
        return found[0] if isinstance(found[0], str) else found[0].text

    @property
    def outcome(self) -> str | None:
        """Status of the answer in a word."""
        found = self.text("//env:Body/*/@status | //env:Body/*/rs:RegistryResponse/@status")
        return found and found.rpartition(":")[2]

    @property
    def errors(self) -> list[str]:
        return [str(e) for e in self.envelope.xpath("//@errorCode", namespaces=NAMES)]

    @property
    def fault(self) -> tuple[str, ...]:
        """Local names of the fault code and its subcodes; () when it is no fault."""
        values = self.envelope.xpath("//env:Fault/env:Code//env:Value", namespaces=NAMES)
        return tuple(value.text.rpartition(":")[2] for value in values)


class Connection:
    """One TCP connection to the node."""

    def __init__(self, address: str, seconds: float = 15.0) -> None:
        self.host = urlsplit(address).netloc
        host, _, port = self.host.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), seconds)
        self.buffer = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def _more(self) -> bool:
        try:
            data = self.socket.recv(1 << 20)
        except (ConnectionResetError, BrokenPipeError):
            return False
        self.buffer += data
        return bool(data)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            if not self._more():
                raise EOFError
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Status and headers; raises EOFError when the connection ends before them."""
        status = int(self.line().split()[1])
        headers = []
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(": ")
            headers.append((name.lower(), value))
        return status, tuple(headers)

    def receive(self, *, method: str = "POST") -> Response:
        status, headers = self.head()
        named = dict(headers)
        if method == "HEAD" or status in (100, 204):
            return Response(status, headers, b"")
        if named.get("transfer-encoding") == "chunked":
            body, is_whole = self._chunked()
        else:
            size = int(named["content-length"])
            while len(self.buffer) < size and self._more():
                pass
            body, self.buffer = self.buffer[:size], self.buffer[size:]
            is_whole = len(body) == size
        return Response(status, headers, body, is_whole)

    def _chunked(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while size := int(self.line(), 16):
                while len(self.buffer) < size + 2:
                    if not self._more():
                        return body + self.buffer, False
                body, self.buffer = body + self.buffer[:size], self.buffer[size + 2 :]
            self.line()
        except EOFError:
            return body, False
        return body, True

    def is_closed(self, seconds: float = 5.0) -> bool:
        """Whether the node ends the connection; octets that still come are dropped."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 20):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


def request(
    path: str,
    body: bytes = b"",
    content_type: str | None = SIMPLE,
    *,
    method: str = "POST",
    host: str = "localhost",
    headers: Sequence[str] = (),
    chunks: int = 0,
    length: int | None = None,
) -> bytes:
    """An HTTP request. chunks: octets per chunk instead of a Content-Length."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += headers
    if chunks:
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[at : at + chunks] for at in range(0, len(body), chunks)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    elif method == "POST":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def exchange(address: str, message: bytes, *, method: str = "POST") -> Response:
    with Connection(address) as connection:
        connection.send(message)
        return connection.receive(method=method)


def post(
    address: str, path: str, body: bytes, content_type: str | None = SIMPLE, **more: object
) -> Response:
    return exchange(address, request(path, body, content_type, **more))  # type: ignore[arg-type]


def get(address: str, path: str, **more: object) -> Response:
    return exchange(address, request(path, b"", None, method="GET", **more), method="GET")  # type: ignore[arg-type]


# Envelopes


def envelope(
    body: str,
    action: str | None,
    *,
    message_id: str | None = "",
    reply_to: str = f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>",
    headers: str = "",
    must: str = ' s:mustUnderstand="1"',
) -> bytes:
    """An envelope around ready XML. message_id: None leaves it out, "" makes a fresh one."""
    blocks = [] if action is None else [f"<wsa:Action{must}>{action}</wsa:Action>"]
    if message_id is not None:
        blocks.append(f"<wsa:MessageID>{message_id or uuid4().urn}</wsa:MessageID>")
    return (
        f'<s:Envelope xmlns:s="{SOAP12}" xmlns:wsa="{WSA}"><s:Header>{"".join(blocks)}{reply_to}'
        f"{headers}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _joined(pieces: Iterable[object]) -> str:
    return b"".join(piece for piece in pieces if isinstance(piece, bytes)).decode()


def query_body(query_id: str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d") -> str:
    return _joined(query.query_to_xml(QueryRequest(query_id)))


def submit_body(**changes: object) -> str:
    entry = samples.document_entry()
    sets = [samples.submission_set(**changes)]
    made = samples.submission([entry], set_=sets[0]) if changes else samples.submission([entry])
    return _joined(submit.submission_to_xml(made))


def retrieve_body(*ids: str) -> str:
    wanted = tuple(Wanted("1.2.3.4.5.1000", each) for each in ids)
    return _joined(retrieve.retrieve_to_xml(RetrieveRequest(wanted)))


def query_message(
    query_id: str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", **more: object
) -> bytes:
    return envelope(query_body(query_id), transactions.STORED_QUERY.action, **more)  # type: ignore[arg-type]


def retrieve_message(*ids: str, **more: object) -> bytes:
    return envelope(retrieve_body(*ids), transactions.RETRIEVE.action, **more)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Provide:
    """An ITI-41 message in pieces. names: under which the node publishes the documents."""

    envelope: bytes
    names: tuple[str, ...]


def provide_message(contents: Sequence[str], title: str | None = None, **more: object) -> Provide:
    """ITI-41 with one entry for each of `contents`: XML inside its Document element."""
    changes = {"hash": None, "size": None, "repository_unique_id": None}
    if title is not None:
        changes["title"] = samples.InternationalString.of(title)  # type: ignore[attr-defined]
    entries = [samples.document_entry(**changes) for _ in contents]  # type: ignore[arg-type]
    metadata = _joined(submit.submission_to_xml(samples.submission(entries)))
    documents = "".join(
        f'<Document id="{entry.entry_uuid}">{content}</Document>'
        for entry, content in zip(entries, contents, strict=True)
    )
    body = (
        f'<ProvideAndRegisterDocumentSetRequest xmlns="urn:ihe:iti:xds-b:2007">{metadata}'
        f"{documents}</ProvideAndRegisterDocumentSetRequest>"
    )
    names = tuple(entry.entry_uuid.rpartition(":")[2] for entry in entries)
    return Provide(envelope(body, transactions.PROVIDE_AND_REGISTER.action, **more), names)  # type: ignore[arg-type]


def include(cid: str) -> str:
    return f'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:{cid}"/>'


# Multipart


def part(
    content: bytes,
    cid: str | None,
    *,
    kind: str = "application/octet-stream",
    encoding: str | None = "binary",
    headers: Sequence[str] = (),
) -> bytes:
    """One part behind its delimiter. cid: the whole header value, brackets included."""
    lines = [f"Content-Type: {kind}"]
    if encoding is not None:
        lines.append(f"Content-Transfer-Encoding: {encoding}")
    if cid is not None:
        lines.append(f"Content-ID: {cid}")
    return "\r\n".join((*lines, *headers, "", "")).encode() + content


ROOT_KIND = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'


def root(message: bytes, cid: str | None = "<root@test>", **more: object) -> bytes:
    return part(message, cid, **{"kind": ROOT_KIND, **more})  # type: ignore[arg-type]


def multipart(
    *parts: bytes, boundary: str = BOUNDARY, preamble: bytes = b"", epilogue: bytes = b""
) -> bytes:
    delimiter = b"--" + boundary.encode()
    inner = (b"\r\n" + delimiter + b"\r\n").join(parts)
    lead = preamble + b"\r\n" if preamble else b""
    return lead + delimiter + b"\r\n" + inner + b"\r\n" + delimiter + b"--\r\n" + epilogue


def mtom_type(boundary: str = f'"{BOUNDARY}"', start: str | None = '"<root@test>"') -> str:
    named = "" if start is None else f"; start={start}"
    return (
        f'multipart/related; type="application/xop+xml"{named}; '
        f'start-info="application/soap+xml"; boundary={boundary}'
    )


def wait_for(condition: object, seconds: float = 5.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return bool(condition())  # type: ignore[operator]
