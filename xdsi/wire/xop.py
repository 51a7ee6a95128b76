"""Documents inside a body and beside it: xop:Include, inline base64, MTOM parts.

Source: XOP 1.0; ITI TF-2 V.8 (RET-061, SEC-T-094).
"""

import base64
import binascii
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xdsi.model.errors import SoapFault
from xdsi.model.messages import Content
from xdsi.standard.namespaces import XOP, tag
from xdsi.wire import mime, mtom
from xdsi.wire.body import Attachment, Element, Parts
from xdsi.wire.frame import local

_INCLUDE = tag(XOP, "Include")


def content_id(element: Element) -> str | None:
    """Which part holds the document of this element; None when it has no Include.

    Raises SoapFault for several Includes, for anything beside one, and for every href but `cid:`.
    """
    includes = list(element.iterchildren(_INCLUDE))
    name = local(str(element.tag))
    if not includes:
        if any(isinstance(child.tag, str) for child in element):
            raise SoapFault("Sender", f"{name} holds another element than xop:Include")
        return None
    beside = (element.text or "") + "".join(child.tail or "" for child in element)
    others = [child for child in element if isinstance(child.tag, str)]
    if len(others) > 1 or beside.strip():
        raise SoapFault("Sender", f"{name} holds something beside one xop:Include")
    return mime.cid(includes[0].get("href", ""))


def text_of(element: Element) -> str:
    """The element's own text, comments taken out."""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def inline(element: Element) -> Content:
    """The document that stands as base64 in the element itself, in memory.

    Raises SoapFault when it is no base64.
    """
    try:
        data = base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        name = local(str(element.tag))
        raise SoapFault("Sender", f"{name} holds neither xop:Include nor base64") from error
    return Content(len(data), lambda: io.BytesIO(data))


def content(element: Element, parts: Parts) -> Content:
    """The document of this element, attached or inline.

    Raises SoapFault as `content_id` and `inline`, and for a part that did not come.
    """
    cid = content_id(element)
    if cid is None:
        return inline(element)
    part = parts.get(cid)
    if part is None:
        raise SoapFault("Sender", "xop:Include names a part that is not in the message")
    return Content(part.size, part.open)


@dataclass(frozen=True, slots=True)
class Multipart:
    """An envelope and the documents behind it; its pieces can be gone through again and again.

    root: the envelope, with an xop:Include for each document
    What stands around a document is written when it is its turn: an answer has thousands (bench:
    memory-images).
    """

    frame: mtom.Frame
    root: bytes
    attachments: Sequence[Attachment]

    def __iter__(self) -> Iterator[bytes | Content]:
        yield self.frame.root_head()
        yield self.root
        for number, each in enumerate(self.attachments):
            yield self.frame.part_head(
                self.frame.part_id(number), each.mime_type, each.content.size
            )
            yield each.content
        yield self.frame.end()


def multipart(frame: mtom.Frame, envelope: Iterable[bytes | Attachment]) -> Multipart:
    """The message of this envelope (WS-051, RET-060)."""
    root: list[bytes] = []
    attachments: list[Attachment] = []
    for piece in envelope:
        if isinstance(piece, bytes):
            root.append(piece)
        else:
            root.append(frame.include(len(attachments)).encode())
            attachments.append(piece)
    return Multipart(frame, b"".join(root), attachments)
