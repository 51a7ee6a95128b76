"""A partner that does what it is told, byte by byte: no HTTP library repairs its faults."""

import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_RDWR, socket
from threading import Thread
from typing import Any

from xdsi.standard import namespaces as ns
from xdsi.standard.transactions import Transaction
from xdsi.wire import mtom, soap

CHUNK = 1 << 16
SOAP_TYPE = f"{ns.SOAP_MEDIA_TYPE}; charset=UTF-8"


@dataclass(frozen=True)
class Received:
    """One request. head: lower-case names; body: whole, unless only `size` was asked for."""

    line: str
    head: dict[str, str]
    body: bytes
    size: int
    connection: int

    @property
    def message_id(self) -> str:
        found = self.body.partition(b"<wsa:MessageID>")[2].partition(b"<")[0].decode()
        assert found
        return found


class Line:
    """The partner's end of one connection."""

    def __init__(self, sock: socket, number: int) -> None:
        self.sock, self.number, self._rest = sock, number, b""

    def receive(self, keep: bool = True) -> Received | None:
        """The next request; None when the connection ends before one."""
        while b"\r\n\r\n" not in self._rest:
            if not (data := self.sock.recv(CHUNK)):
                return None
            self._rest += data
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        names = dict(field.split(": ", 1) for field in fields)
        found = {name.lower(): value for name, value in names.items()}
        size, kept = 0, []
        for data in self._body(found):
            size += len(data)
            if keep:
                kept.append(data)
        return Received(line, found, b"".join(kept), size, self.number)

    def _take(self) -> bytes:
        data, self._rest = self._rest or self.sock.recv(CHUNK), b""
        if not data:
            raise ConnectionError("the request was cut")
        return data

    def _body(self, head: dict[str, str]) -> Iterable[bytes]:
        if "content-length" in head:
            left = int(head["content-length"])
            while left:
                data = self._take()
                self._rest = data[left:]
                yield data[:left]
                left -= len(data[:left])
            return
        while "transfer-encoding" in head:
            while b"\r\n" not in self._rest:
                self._rest += self.sock.recv(CHUNK)
            size, _, self._rest = self._rest.partition(b"\r\n")
            left = int(size, 16) + 2
            chunk = b""
            while len(chunk) < left:
                chunk += self._take()
            self._rest = chunk[left:]
            if left == 2:
                return
            yield chunk[: left - 2]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


Act = Callable[[Line], Any]


def http(
    body: bytes, content_type: str = SOAP_TYPE, status: str = "200 OK", extra: str = ""
) -> bytes:
    """An HTTP answer as it stands on the line."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


def envelope(row: Transaction, body: bytes, relates_to: str | None = None) -> bytes:
    """A simple answer of this transaction."""
    head = soap.open_envelope(
        action=row.answer_action, message_id="urn:example:1", relates_to=relates_to
    )
    return soap.envelope((body,), head)


def multipart(root: bytes, *parts: tuple[str, bytes]) -> tuple[bytes, str]:
    """An MTOM body and its Content-Type."""
    frame = mtom.Frame.new()
    pieces = [frame.root_head(), root]
    for cid, content in parts:
        pieces += (frame.part_head(cid), content)
    return b"".join((*pieces, frame.end())), frame.content_type_header()


class Stub:
    """Acts on each connection until that ends; `received` has every request that was answered."""

    def __init__(self, act: Act, tls: ssl.SSLContext | None = None) -> None:
        self._act, self._tls = act, tls
        self._listener = socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._open: list[socket] = []
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}/actor"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            self._threads.append(Thread(target=self._serve, args=(sock, self.connections)))
            self._threads[-1].start()

    def _serve(self, sock: socket, number: int) -> None:
        with suppress(OSError), sock:
            sock.settimeout(20)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            with sock:
                self._act(Line(sock, number))

    def close(self) -> None:
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)
            with suppress(OSError):
                sock.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> "Stub":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
