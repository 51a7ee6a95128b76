"""MTOM messages we write: what stands around the parts, and the references to them.

Source: XOP 1.0; RFC 2387, RFC 2392; ITI TF-2 V.8 (RET-060).
"""

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote

from xdsi.standard import namespaces as ns

_INCLUDE = f'<xop:Include xmlns:xop="{ns.XOP}" href="%s"/>'
_PLAIN_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")


def href(content_id: str) -> str:
    """The `cid:` reference to a part (RFC 2392)."""
    return "cid:" + quote(content_id, safe="@.-_~!$*+,;=:")


def include(content_id: str) -> str:
    """The xop:Include that stands for a part; it needs no declaration around it."""
    return _INCLUDE % href(content_id)


def new_content_id() -> str:
    """A fresh Content-ID, without brackets."""
    return f"{secrets.token_hex(16)}@xdsi"


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes around the parts of an MTOM message we write (RET-060).

    The body is `root_head`, envelope, then for each attachment `part_head` and its content,
    then `end`. All pieces have a known length, so Content-Length can be told before sending.
    boundary: random, so that no content can hold it
    root_id: Content-ID of the root part, without brackets
    """

    boundary: str
    root_id: str

    @classmethod
    def new(cls) -> "Frame":
        return cls(f"xdsi-{secrets.token_hex(20)}", new_content_id())

    def content_type_header(self) -> str:
        """Value of the Content-Type header of the message."""
        return (
            f'{ns.MULTIPART_RELATED}; type="{ns.XOP_MEDIA_TYPE}"; start="<{self.root_id}>"; '
            f'start-info="{ns.SOAP_MEDIA_TYPE}"; boundary="{self.boundary}"'
        )

    def part_id(self, number: int) -> str:
        """Content-ID of an attachment, without brackets. number: from 0 on"""
        return f"{number}-{self.root_id}"

    def include(self, number: int) -> str:
        """The xop:Include for an attachment; nothing in its id needs to be quoted."""
        return _INCLUDE % f"cid:{self.part_id(number)}"

    def root_head(self) -> bytes:
        """What stands before the envelope."""
        kind = f'{ns.XOP_MEDIA_TYPE}; charset=UTF-8; type="{ns.SOAP_MEDIA_TYPE}"'
        return self._head(kind, self.root_id)

    def part_head(
        self,
        content_id: str,
        content_type: str = "application/octet-stream",
        size: int | None = None,
    ) -> bytes:
        """What stands before the content of an attachment.

        content_type: a mimeType; one that cannot stand in a header becomes octet-stream, since
        the envelope says the true one.
        size: octets of the content; told, it spares who reads them the search for their end
        """
        if not _PLAIN_TYPE.fullmatch(content_type):
            content_type = "application/octet-stream"
        return b"\r\n" + self._head(content_type, content_id, size)

    def end(self) -> bytes:
        """What stands behind the last part."""
        return f"\r\n--{self.boundary}--\r\n".encode("ascii")

    def _head(self, content_type: str, content_id: str, size: int | None = None) -> bytes:
        length = "" if size is None else f"Content-Length: {size}\r\n"
        return (
            f"--{self.boundary}\r\n"
            f"Content-Type: {content_type}\r\n"
            "Content-Transfer-Encoding: binary\r\n"
            f"{length}Content-ID: <{content_id}>\r\n\r\n"
        ).encode("ascii")
