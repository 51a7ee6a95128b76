"""Bodies made of parts of one type, as DICOM's web services send them.

Source: RFC 2387; DICOM PS3.18 8.6.1.2.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from xdsi.model.messages import Content, Octets, Reader
from xdsi.standard import namespaces as ns

Piece = bytes | Content


@dataclass(frozen=True, slots=True)
class Related:
    """What stands around the parts. boundary: random, so that no content can hold it"""

    type: str
    boundary: str

    @classmethod
    def of(cls, type_: str) -> "Related":
        return cls(type_, f"xdsi-{secrets.token_hex(20)}")

    @property
    def media_type(self) -> str:
        """Of the whole body."""
        return f'{ns.MULTIPART_RELATED}; type="{self.type}"; boundary="{self.boundary}"'

    def head(self, transfer_syntax: str = "", size: int | None = None) -> bytes:
        """What stands before the content of a part.

        size: octets of it; told, it spares who reads them the search for their end
        """
        kind = f"{self.type}; transfer-syntax={transfer_syntax}" if transfer_syntax else self.type
        length = "" if size is None else f"\r\nContent-Length: {size}"
        return f"\r\n--{self.boundary}\r\nContent-Type: {kind}{length}\r\n\r\n".encode("ascii")

    @property
    def end(self) -> bytes:
        """What stands behind the last part."""
        return f"\r\n--{self.boundary}--\r\n".encode("ascii")

    def body(self, parts: Iterable[Content]) -> tuple[Piece, ...]:
        """The pieces of a body of these parts."""
        made: list[Piece] = []
        heads: dict[int | None, bytes] = {}  # one object for each: most images are alike
        for part in parts:
            if part.size not in heads:
                heads[part.size] = self.head(size=part.size)
            made += (heads[part.size], part)
        return (*made, self.end)

    def coming(self, parts: Iterable[Content]) -> Content:
        """The body of parts that are not there before it is read. parts: gone through once"""
        return Content(None, lambda: _Coming(self, iter(parts)))


class _Coming:
    """Reads one part after the other."""

    def __init__(self, around: Related, parts: Iterator[Content]) -> None:
        self._around, self._parts = around, parts
        self._part: Reader | None = None
        self._is_over = False

    def read(self, n: int, /) -> Octets:
        if self._part is not None:
            if block := self._part.read(n):
                return block
            self._let_go()
        if self._is_over:
            return b""
        if (part := next(self._parts, None)) is None:
            self._is_over = True
            return self._around.end
        self._part = part.open()
        return self._around.head()

    def _let_go(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            part.close()

    def close(self) -> None:
        self._let_go()
        self._is_over = True
