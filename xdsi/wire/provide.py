"""xds:ProvideAndRegisterDocumentSetRequest: the message of ITI-41.

Source: ITI TF-2 3.41.4.1.2 (REG-002 to REG-004), V.8; SEC-T-094, SEC-T-095.
"""

from xdsi.model.errors import SoapFault
from xdsi.model.messages import Content, Document, ProvideRequest, Staged
from xdsi.standard.namespaces import LCM, XDS, tag
from xdsi.wire import submit, xop
from xdsi.wire.body import Attachment, Body, Element, Parts
from xdsi.wire.frame import allow, expect, only
from xdsi.wire.text import quoted

TAG = tag(XDS, "ProvideAndRegisterDocumentSetRequest")
_SUBMIT, _DOCUMENT = tag(LCM, "SubmitObjectsRequest"), tag(XDS, "Document")

_START = f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS}">'.encode()
_END = b"</xds:ProvideAndRegisterDocumentSetRequest>"
UNKNOWN_TYPE = "application/octet-stream"


def provide_from_xml(element: Element, parts: Parts) -> ProvideRequest:
    """The submission, each Document with the part its Include names, and the parts left over.

    Documents come as parts only: whoever receives has put inline base64 aside before, since it
    may be of any size; an element without content is a document of no octets. A Document of a
    known entry whose part is missing is left out, so that the repository misses it (REG-020).
    Raises SoapFault for a wrong frame and for an Include that breaks the rules of XOP.
    """
    expect(element, TAG)
    allow(element, _SUBMIT, _DOCUMENT)
    submission = submit.submission_from_xml(only(element, _SUBMIT), parts)
    entries = {entry.entry_uuid for entry in submission.entries}
    documents: list[Document] = []
    taken: set[str] = set()
    for child in element.iterchildren(_DOCUMENT):
        id_ = child.get("id", "")
        cid = xop.content_id(child)
        if cid is None:
            if xop.text_of(child).strip():
                raise SoapFault("Sender", "Document holds text where xop:Include is expected")
            documents.append(Document(id_, xop.inline(child)))
            continue
        if cid in taken:
            raise SoapFault("Sender", "two Documents include the same part")
        taken.add(cid)
        if (staged := parts.get(cid)) is not None:
            documents.append(Document(id_, staged))
        elif id_ not in entries:
            raise SoapFault("Sender", "xop:Include names a part that is not in the message")
    strays = tuple(cid for cid in parts if cid not in taken)
    return ProvideRequest(submission, tuple(documents), strays)


def provide_to_xml(request: ProvideRequest) -> Body:
    """The element in pieces, documents between them in their order."""
    types = {entry.entry_uuid: entry.mime_type for entry in request.submission.entries}
    pieces: list[bytes | Attachment] = [_START, *submit.submission_to_xml(request.submission)]
    for document in request.documents:
        pieces.append(f'<xds:Document id="{quoted(document.id)}">'.encode())
        mime_type = types.get(document.id) or UNKNOWN_TYPE
        pieces.append(Attachment(_content(document.content), mime_type))
        pieces.append(b"</xds:Document>")
    pieces.append(_END)
    return tuple(pieces)


def _content(content: Staged | Content) -> Content:
    return content if isinstance(content, Content) else Content(content.size, content.open)
