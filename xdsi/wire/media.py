"""Content-Type header values: strict enough to be safe, lenient where senders are sloppy.

Accepted besides RFC 2045: unquoted values with characters that should be quoted (boundaries
with `=`, `?`, `:`; `start=<a@b>`), any order and case of names, blanks around `=`.
Source: RFC 2045 5.1, RFC 2387, ITI TF-2 V.8 and V.9; SEC-T-056, SEC-T-090, SEC-T-093.
"""

import re
from dataclasses import dataclass
from enum import Enum

from xdsi.model.errors import SoapFault, shown
from xdsi.standard import namespaces as ns

BOUNDARY_MAX = 70  # characters, RFC 2046 5.1.1

_TYPE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?=;|\Z)")
_PARAMETER = re.compile(
    r"""\s*;\s*(?:
        ([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*
        (?: "((?:[^"\\]|\\.)*+)" \s*(?=;|\Z) | ([^\s";][^;"]*+) )
    )?""",
    re.VERBOSE | re.DOTALL,
)
_BOUNDARY = re.compile(r"[ -~]{0,69}[!-~]")


class UnsupportedMediaType(SoapFault):
    """The message has a media type that is not served here (SEC-T-056): HTTP 415."""

    def __init__(self, reason: str) -> None:
        super().__init__("Sender", reason, status=415)


class Packaging(Enum):
    """How an envelope travels (WS-050, WS-051)."""

    SIMPLE = "application/soap+xml"
    MTOM = "multipart/related"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A parsed Content-Type value.

    type: `type/subtype` in lower case
    params: name in lower case and value as sent, in order; repeated ones are all there
    """

    type: str
    params: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """The only value of a parameter, None when absent.

        Raises SoapFault Sender when it is given twice: which one counts would be a guess.
        """
        found = [value for key, value in self.params if key == name]
        if len(found) > 1:
            raise SoapFault("Sender", f"Content-Type parameter {name} is given twice; send it once")
        return found[0] if found else None

    @property
    def charset(self) -> str | None:
        return self.get("charset")

    def __str__(self) -> str:
        """The header value, every parameter quoted."""
        return self.type + "".join(
            '; {}="{}"'.format(name, re.sub(r'["\\]', r"\\\g<0>", value))
            for name, value in self.params
        )


def media_type(value: str) -> MediaType:
    """Parse a Content-Type header value.

    Raises UnsupportedMediaType (415) when there is no `type/subtype`, SoapFault Sender when
    the parameters behind it cannot be read.
    """
    head = _TYPE.match(value)
    if head is None:
        raise UnsupportedMediaType(f"Content-Type {shown(value)} names no media type")
    position, params = head.end(), []
    while position < len(value):
        found = _PARAMETER.match(value, position)
        if found is None:
            raise SoapFault("Sender", f"Content-Type {shown(value)} has a malformed parameter")
        name, quoted, plain = found.groups()
        if name is not None:
            text = plain.rstrip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            params.append((name.lower(), text))
        position = found.end()
        if name is None and value[position:].strip() and value[position] != ";":
            raise SoapFault("Sender", f"Content-Type {shown(value)} has a malformed parameter")
        if not value[position:].strip():
            break
    return MediaType(head[1].lower(), tuple(params))


def packaging(media: MediaType) -> Packaging:
    """Simple SOAP or MTOM; raises UnsupportedMediaType for anything else (SEC-T-056).

    The `type` of a multipart is compared without case and without its own parameters. Some senders
    leave it out; then the root part alone says what it is, which the scanner checks in any case.
    """
    if media.type == ns.SOAP_MEDIA_TYPE:
        return Packaging.SIMPLE
    if media.type == ns.MULTIPART_RELATED:
        named = media.get("type")
        inner = ns.XOP_MEDIA_TYPE if named is None else named.partition(";")[0].strip().lower()
        if inner == ns.XOP_MEDIA_TYPE:
            return Packaging.MTOM
        raise UnsupportedMediaType(
            f"multipart/related with type {shown(inner)}; send type={ns.XOP_MEDIA_TYPE}"
        )
    raise UnsupportedMediaType(
        f"media type {shown(media.type)}; send {ns.SOAP_MEDIA_TYPE}, or {ns.MULTIPART_RELATED} "
        f"with type={ns.XOP_MEDIA_TYPE}"
    )


def boundary(media: MediaType) -> bytes:
    """The boundary of a multipart type, ready for the scanner.

    Raises SoapFault Sender when it is missing, empty, too long or repeated (SEC-T-090).
    """
    value = media.get("boundary")
    if value is None:
        raise SoapFault("Sender", "Content-Type has no boundary; name the one used in the body")
    if not _BOUNDARY.fullmatch(value):
        raise SoapFault(
            "Sender",
            f"Content-Type boundary {shown(value, 80)}; use 1 to {BOUNDARY_MAX} printable ASCII "
            "characters, the last one not a blank",
        )
    return value.encode("ascii")
