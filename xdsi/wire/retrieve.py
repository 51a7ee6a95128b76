"""xds:RetrieveDocumentSetRequest and -Response: ITI-43 and ITI-39.

Source: ITI TF-2 3.43.5; XDS.b schema (RET-003 to RET-020).
"""

from xdsi.model.errors import SoapFault, XDSError
from xdsi.model.messages import (
    DocumentRequest,
    RetrieveAnswer,
    RetrievedDocument,
    RetrieveRequest,
)
from xdsi.standard.namespaces import RS, XDS, tag
from xdsi.wire import ebrs, xop
from xdsi.wire.body import Attachment, Body, Element, Parts
from xdsi.wire.frame import allow, expect, local, only
from xdsi.wire.text import escaped

_REQUEST, _ANSWER = tag(XDS, "RetrieveDocumentSetRequest"), tag(XDS, "RetrieveDocumentSetResponse")
_DOCUMENT_REQUEST, _DOCUMENT_RESPONSE = tag(XDS, "DocumentRequest"), tag(XDS, "DocumentResponse")
_DOCUMENT = tag(XDS, "Document")
_RESPONSE = tag(RS, "RegistryResponse")

_HOME, _REPOSITORY, _ID = "HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId"


def retrieve_from_xml(element: Element, parts: Parts) -> RetrieveRequest:
    """The documents asked for, in order; ids without the white space around them.

    parts: not looked at (RET-064). Raises SoapFault for a wrong frame: no DocumentRequest, or
    one without its ids.
    """
    expect(element, _REQUEST)
    allow(element, _DOCUMENT_REQUEST)
    documents = tuple([_request(one) for one in element.iterchildren(_DOCUMENT_REQUEST)])
    if not documents:
        raise SoapFault("Sender", "RetrieveDocumentSetRequest without DocumentRequest")
    return RetrieveRequest(documents)


def _request(element: Element) -> DocumentRequest:
    repository, document = _text(element, _REPOSITORY), _text(element, _ID)
    if repository is None or document is None:
        raise SoapFault("Sender", f"{local(str(element.tag))} needs {_REPOSITORY} and {_ID}")
    return DocumentRequest(repository, document, _text(element, _HOME))


def _text(element: Element, name: str) -> str | None:
    """Text of a child; None for none or an empty one."""
    found = element.findtext(tag(XDS, name))
    return found.strip() or None if found is not None else None


def retrieve_to_xml(request: RetrieveRequest) -> Body:
    """The RetrieveDocumentSetRequest element in one piece."""
    pieces = [f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS}">']
    pieces += map(request_to_xml, request.documents)
    pieces.append("</xds:RetrieveDocumentSetRequest>")
    return ("".join(pieces).encode(),)


def request_to_xml(request: DocumentRequest) -> str:
    """One DocumentRequest element, for a parent that declares the prefix xds."""
    return f"<xds:DocumentRequest>{_ids(request)}</xds:DocumentRequest>"


def _ids(request: DocumentRequest) -> str:
    home = "" if request.home is None else _element(_HOME, request.home)
    return (
        home
        + _element(_REPOSITORY, request.repository_unique_id)
        + _element(_ID, request.document_unique_id)
    )


def _element(name: str, text: str) -> str:
    return f"<xds:{name}>{escaped(text)}</xds:{name}>"


def failure(errors: tuple[XDSError, ...]) -> RetrieveAnswer:
    """The answer to a request that failed as a whole: no documents."""
    return RetrieveAnswer(errors=errors)


def answer_to_xml(answer: RetrieveAnswer) -> Body:
    """The element in pieces, documents between them.

    All errors are listed: consumers match them to documents by location (RET-019).
    """
    head = f'<xds:RetrieveDocumentSetResponse xmlns:xds="{XDS}">'.encode()
    head += ebrs.response(answer.status, ebrs.error_list(answer.errors, limit=None))
    pieces: list[bytes | Attachment] = []
    for one in answer.documents:
        text = f"<xds:DocumentResponse>{_ids(one.request)}"
        if one.new_repository_unique_id is not None:
            text += _element("NewRepositoryUniqueId", one.new_repository_unique_id)
        if one.new_document_unique_id is not None:
            text += _element("NewDocumentUniqueId", one.new_document_unique_id)
        text += _element("mimeType", one.mime_type) + "<xds:Document>"
        pieces.append(head + text.encode())
        pieces.append(Attachment(one.content, one.mime_type))
        head = b"</xds:Document></xds:DocumentResponse>"
    pieces.append(head + b"</xds:RetrieveDocumentSetResponse>")
    return tuple(pieces)


def answer_from_xml(element: Element, parts: Parts) -> RetrieveAnswer:
    """Documents, attached or inline, with the ids they were asked by, and errors.

    Inline documents are held in memory. Raises SoapFault for a wrong frame and for a document
    whose part is missing.
    """
    expect(element, _ANSWER)
    errors = ebrs.errors_of(only(element, _RESPONSE))
    documents = [_retrieved(one, parts) for one in element.iterchildren(_DOCUMENT_RESPONSE)]
    return RetrieveAnswer(tuple(documents), errors)


def _retrieved(element: Element, parts: Parts) -> RetrievedDocument:
    return RetrievedDocument(
        request=_request(element),
        mime_type=_text(element, "mimeType") or "",
        content=xop.content(only(element, _DOCUMENT), parts),
        new_repository_unique_id=_text(element, "NewRepositoryUniqueId"),
        new_document_unique_id=_text(element, "NewDocumentUniqueId"),
    )
