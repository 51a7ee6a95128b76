"""What can be said of a request before its body: the checks below SOAP.

A table of checks in the order they are made; each raises `HttpError`. What the HTTP parser below
refuses by itself (malformed lines, lengths, blanks, folding, NUL) never comes here. Two things it
mends without a trace: a length told twice with the same value is one length, which RFC 9112 6.3
allows, and of a target with a host only the path is left. No request is read in two ways for that,
and nothing here depends on the host.
Source: RFC 9112; SEC-T-030, SEC-T-034, SEC-T-040, SEC-T-056, SEC-T-098, SEC-T-160 to SEC-T-164.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from xdsi.config import Limits
from xdsi.plug import Actor
from xdsi.server.faults import HttpError
from xdsi.wire import media
from xdsi.wire.media import MediaType, UnsupportedMediaType

_ALLOW_POST = (b"allow", b"POST")
_ALLOW_GET = (b"allow", b"GET, HEAD")
# RFC 9110 7.2: a name, or an address in brackets, with or without a port
_HOST = re.compile(r"(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_BASE64 = 1.4  # octets on the wire per octet of a document in base64 with line ends


@dataclass(frozen=True, slots=True)
class Head:
    """Method, path and headers of a request, the names in lower case.

    values: of the headers by name, in order
    line: octets of the request line
    length: Content-Length, None where there is none or it is no number
    """

    method: str
    path: str
    query: str
    version: str
    peer: str
    headers: tuple[tuple[bytes, bytes], ...]
    values: Mapping[bytes, list[str]]
    line: int
    length: int | None

    @classmethod
    def of(cls, scope: Any) -> "Head":
        """From an ASGI scope. The path is taken as sent: an encoded one is none of ours."""
        path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        client = scope.get("client") or ("", 0)
        headers = tuple(scope["headers"])
        values: dict[bytes, list[str]] = {}
        for name, value in headers:
            values.setdefault(name, []).append(value.decode("latin-1"))
        length = values.get(b"content-length", [""])[0]
        return cls(
            method=scope["method"],
            path=path.decode("latin-1"),
            query=query.decode("latin-1"),
            version=scope["http_version"],
            peer=client[0],
            headers=headers,
            values=values,
            line=len(scope["method"]) + len(path) + (len(query) + 1 if query else 0) + 10,
            length=int(length) if length.isascii() and length.isdigit() else None,
        )

    def all(self, name: bytes) -> list[str]:
        """Every value of a header, in order."""
        return self.values.get(name, [])


def _request_line(head: Head, limits: Limits) -> None:
    if head.line > limits.request_line:
        raise HttpError(414, f"request line above {limits.request_line} octets")


def _header_block(head: Head, limits: Limits) -> None:
    if len(head.headers) > limits.header_count:
        raise HttpError(431, f"more than {limits.header_count} headers")
    size = sum(len(name) + len(value) + 4 for name, value in head.headers)
    if size > limits.header_block:
        raise HttpError(431, f"headers above {limits.header_block} octets")


def _host(head: Head, limits: Limits) -> None:
    # The parser puts an empty one where there is none, and calls HTTP/1.0 "1".
    hosts = head.all(b"host")
    if len(hosts) > 1 or (head.version not in ("1", "1.0") and not any(hosts)):
        raise HttpError(400, "a request has exactly one Host header")
    if any(host and _HOST.fullmatch(host) is None for host in hosts):
        raise HttpError(400, "Host is no name or address with or without a port")


def _framing(head: Head, limits: Limits) -> None:
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    if len(lengths) > 1 or (lengths and codings):
        raise HttpError(400, "the length of the body is told more than once")
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit()):
        raise HttpError(400, "Content-Length is no number")
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise HttpError(400, "the only transfer coding understood here is a lone chunked")


def _expectation(head: Head, limits: Limits) -> None:
    if any(value.strip().lower() != "100-continue" for value in head.all(b"expect")):
        raise HttpError(417, "the only expectation understood here is 100-continue")


_CHECKS: tuple[Callable[[Head, Limits], None], ...] = (
    _request_line,
    _header_block,
    _host,
    _framing,
    _expectation,
)


def check(head: Head, limits: Limits) -> None:
    """What holds for every request. Raises HttpError."""
    for each in _CHECKS:
        each(head, limits)


def check_page(head: Head) -> None:
    """A page is only read. Raises HttpError 405."""
    if head.method not in ("GET", "HEAD"):
        raise HttpError(405, "this page is only read; use GET", _ALLOW_GET)


def check_message(head: Head, actor: Actor, limits: Limits) -> MediaType:
    """The media type of a SOAP request. Raises HttpError and SoapFault."""
    if head.method != "POST":
        raise HttpError(405, "SOAP messages are sent by POST; GET is for ?wsdl", _ALLOW_POST)
    kind = _content_type(head, "application/soap+xml")
    try:
        packaging = media.packaging(kind)
    except UnsupportedMediaType as error:
        raise HttpError(415, error.reason) from None
    _length(head, largest(actor, packaging, limits))
    return kind


def check_documents(head: Head, actor: Actor, limits: Limits) -> MediaType | None:
    """The media type of what comes in plain HTTP; None where no body comes.

    Raises HttpError and SoapFault.
    """
    if head.method != "POST":
        if head.length or head.all(b"transfer-encoding"):
            raise HttpError(400, f"{head.method} has no body here")
        return None
    kind = _content_type(head, "multipart/related")
    _length(head, largest(actor, media.Packaging.MTOM, limits))
    return kind


def _content_type(head: Head, example: str) -> MediaType:
    if any(value.strip().lower() != "identity" for value in head.all(b"content-encoding")):
        raise HttpError(415, "content codings are not understood here; send the plain body")
    types = head.all(b"content-type")
    if len(types) != 1:
        raise HttpError(415, f"one Content-Type is needed, such as {example}")
    try:
        return _media_type(types[0])
    except UnsupportedMediaType as error:
        raise HttpError(415, error.reason) from None


def _length(head: Head, most: int) -> None:
    if head.length is not None and head.length > most:
        raise HttpError(413, f"the body is above the limit of {most} octets")


# Senders repeat themselves; only well-formed values are remembered.
_media_type = lru_cache(maxsize=256)(media.media_type)


def largest(actor: Actor, packaging: media.Packaging, limits: Limits) -> int:
    """Octets of a body beyond which every limit would refuse it (SEC-T-034, SEC-T-040)."""
    most = limits.envelope
    if actor.staging is not None:
        most += int(limits.submission * _BASE64)
    if packaging is media.Packaging.MTOM:
        most += limits.parts * limits.part_header_block
    return most


class Proxies:
    """The proxies in front, by address or network; what others say of a caller is dropped."""

    def __init__(self, named: Iterable[str]) -> None:
        self._networks = tuple(map(ip_network, named))

    def peer(self, head: Head) -> str:
        """The caller's address (SEC-T-164)."""
        forwarded = head.all(b"x-forwarded-for") if self._networks else []
        if not forwarded or not self.has(head.peer):
            return head.peer
        return forwarded[-1].rpartition(",")[2].strip()

    def certificate(self, head: Head) -> str | None:
        """The client's, in PEM with percent-encoding, as the proxy has verified it (SEC-015)."""
        verified, certificates = head.all(b"x-client-verify"), head.all(b"x-client-certificate")
        if not self.has(head.peer) or verified != ["SUCCESS"] or len(certificates) != 1:
            return None
        return certificates[0]

    def has(self, address: str) -> bool:
        """Whether one of them has this address."""
        try:
            found = plain_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def admits(self, address: str) -> bool:
        """Whether who calls from there may: where no certificate tells, this machine and they."""
        try:
            return plain_address(address).is_loopback or self.has(address)
        except ValueError:
            return False


def plain_address(text: str) -> IPv4Address | IPv6Address:
    """An address; one of IPv4 as such, though a socket for both tells it as IPv6.

    Raises ValueError.
    """
    found = ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found
