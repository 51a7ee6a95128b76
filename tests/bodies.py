"""Bodies as codecs write them, turned into what a receiver reads."""

import base64

from lxml import etree

from tests.samples import MemoryStaged
from xdsi.standard.namespaces import XOP
from xdsi.wire.body import Attachment, Body, Element


def octets(attachment: Attachment) -> bytes:
    """The document of an attachment."""
    reader = attachment.content.open()
    try:
        return b"".join(iter(lambda: reader.read(65536), b""))
    finally:
        reader.close()


def inline(body: Body) -> Element:
    """The element with documents as base64, as simple SOAP carries it."""
    pieces = [
        piece if isinstance(piece, bytes) else base64.b64encode(octets(piece)) for piece in body
    ]
    return etree.fromstring(b"".join(pieces))


def attached(body: Body) -> tuple[Element, dict[str, MemoryStaged]]:
    """The element with an xop:Include per document, and the parts, as MTOM carries them."""
    pieces: list[bytes] = []
    parts: dict[str, MemoryStaged] = {}
    for piece in body:
        if isinstance(piece, bytes):
            pieces.append(piece)
            continue
        cid = f"{len(parts)}@test"
        parts[cid] = MemoryStaged(octets(piece))
        pieces.append(
            f'<xop:Include xmlns:xop="{XOP}" href="cid:{len(parts) - 1}%40test"/>'.encode()
        )
    return etree.fromstring(b"".join(pieces)), parts
