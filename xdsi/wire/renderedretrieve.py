"""wado:RetrieveRenderedImagingDocumentSetRequest and -Response.

Retired from DICOM in 2017, still in products. Parameters are read into their types and written
back as what was asked for.
Source: DICOM PS3.18-2015 6.4.2 (IMG-180 to IMG-184).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from xdsi.model.errors import SoapFault, XDSError, XDSRepositoryError
from xdsi.model.imaging import (
    InstanceRequest,
    RenderedAnswer,
    RenderedDocument,
    RenderedInstance,
    RenderedRequest,
)
from xdsi.model.messages import DocumentRequest
from xdsi.standard import wado
from xdsi.standard.namespaces import RS, WADO_WS, XDS, tag
from xdsi.wire import ebrs, xop
from xdsi.wire.body import Attachment, Body, Element, Parts
from xdsi.wire.frame import expect, only
from xdsi.wire.imagingretrieve import IDS, nested, refuse_empty, requested, some, text
from xdsi.wire.text import escaped

_REQUEST = tag(WADO_WS, "RetrieveRenderedImagingDocumentSetRequest")
_ANSWER = tag(WADO_WS, "RetrieveRenderedImagingDocumentSetResponse")
_ONE_REQUEST = tag(WADO_WS, "RenderedDocumentRequest")
_ONE_ANSWER = tag(WADO_WS, "RenderedDocumentResponse")
_TYPES, _TYPE = tag(WADO_WS, "ContentTypeList"), tag(WADO_WS, "ContentType")
_CHARSETS = tag(WADO_WS, "CharsetList")  # of rendered text, which is not offered
_HOME, _REPOSITORY, _ = IDS
_SOURCE_ID = tag(WADO_WS, "SourceDocumentUniqueId")
_MIME_TYPE, _DOCUMENT = tag(XDS, "mimeType"), tag(XDS, "Document")
_RESPONSE = tag(RS, "RegistryResponse")


def _number(value: str) -> int:
    """Raises ValueError."""
    if not (value.isascii() and value.isdigit() and 0 < len(value) <= 9 and int(value)):
        raise ValueError
    return int(value)


def _decimal(value: str) -> Decimal:
    """Raises ValueError."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite() or len(value) > 32:
        raise ValueError
    return number


def _region(value: str) -> tuple[Decimal, ...]:
    """Raises ValueError."""
    left, top, right, bottom = corners = tuple(map(_decimal, value.split(",")))
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError
    return corners


@dataclass(frozen=True, slots=True)
class Parameter:
    """A child of RenderedDocumentRequest, echoed in the response.

    read: raises ValueError for what is not `expected`
    """

    name: str
    field: str
    read: Callable[[str], Any] = str
    expected: str = ""


_WHOLE, _REAL = "a whole number from 1", "a number"
# in the order of the schema
PARAMETERS = (
    Parameter("Annotation", "annotation"),
    Parameter("Rows", "rows", _number, _WHOLE),
    Parameter("Columns", "columns", _number, _WHOLE),
    Parameter("Region", "region", _region, "left,top,right,bottom as parts of 1"),
    Parameter("WindowWidth", "window_width", _decimal, _REAL),
    Parameter("WindowCenter", "window_center", _decimal, _REAL),
    Parameter("ImageQuality", "image_quality", _number, _WHOLE),
    Parameter("PresentationUID", "presentation_uid"),
    Parameter("PresentationSeriesUID", "presentation_series_uid"),
    Parameter("Anonymize", "anonymize"),
    Parameter("FrameNumber", "frame", _number, _WHOLE),
)
_NAMES = tuple(tag(WADO_WS, row.name) for row in PARAMETERS)
_ALLOWED = frozenset({*IDS, *_NAMES, _TYPES, _CHARSETS})


def rendered_from_xml(element: Element, parts: Parts) -> RenderedRequest:
    """The instances to be rendered, in order. parts: not looked at.

    Raises SoapFault for a wrong frame, XDSErrors for empty ids and for parameters that are none.
    """
    expect(element, _REQUEST)
    found: list[RenderedInstance] = []
    wrong: list[XDSError] = []
    for asked, each in requested(element, WADO_WS, _ONE_REQUEST, _ALLOWED):
        values, errors = _parameters(each, asked.document.document_unique_id)
        wrong += errors
        types = tuple([text(one) for one in some(only(each, _TYPES), _TYPE)])
        found.append(RenderedInstance(asked, types, **values))
    refuse_empty((each.instance for each in found), wrong)
    return RenderedRequest(tuple(found))


def _parameters(element: Element, location: str) -> tuple[dict[str, Any], list[XDSError]]:
    """Fields of the model by name, and what could not be read; empty elements count as absent."""
    values: dict[str, Any] = {}
    wrong: list[XDSError] = []
    for row, name in zip(PARAMETERS, _NAMES, strict=True):
        value = (element.findtext(name) or "").strip()
        if not value:
            continue
        try:
            values[row.field] = row.read(value)
        except ValueError:
            error = XDSRepositoryError(
                row.name, f"expected {row.expected}", value=value, rule="IMG-182", location=location
            )
            error.code = wado.BAD_PARAMETER
            wrong.append(error)
    return values, wrong


def rendered_to_xml(request: RenderedRequest) -> Body:
    """The RetrieveRenderedImagingDocumentSetRequest element in one piece."""
    head = f'<wado:RetrieveRenderedImagingDocumentSetRequest xmlns:wado="{WADO_WS}"'
    pieces = [f'{head} xmlns:xds="{XDS}">']
    written = ((each.instance, _one_request(each)) for each in request.instances)
    pieces += nested(written, "wado")
    pieces.append("</wado:RetrieveRenderedImagingDocumentSetRequest>")
    return ("".join(pieces).encode(),)


def _one_request(one: RenderedInstance) -> str:
    document = one.instance.document
    types = "".join(map(_wado("ContentType"), one.content_types))
    return (
        "<wado:RenderedDocumentRequest>"
        + _source(document)
        + f"<xds:DocumentUniqueId>{escaped(document.document_unique_id)}</xds:DocumentUniqueId>"
        + "".join(_parameters_to_xml(one))
        + f"<wado:ContentTypeList>{types}</wado:ContentTypeList></wado:RenderedDocumentRequest>"
    )


def _source(document: DocumentRequest) -> str:
    home, repository = document.home, escaped(document.repository_unique_id)
    first = "" if home is None else f"<xds:HomeCommunityId>{escaped(home)}</xds:HomeCommunityId>"
    return f"{first}<xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId>"


def _parameters_to_xml(one: RenderedInstance) -> Iterator[str]:
    for row in PARAMETERS:
        value = getattr(one, row.field)
        if value is not None:
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield _wado(row.name)(shown)


def _wado(name: str) -> Callable[[str], str]:
    return lambda value: f"<wado:{name}>{escaped(value)}</wado:{name}>"


def failure(errors: tuple[XDSError, ...]) -> RenderedAnswer:
    """The answer to a request that failed as a whole."""
    return RenderedAnswer(errors=errors)


def answer_to_xml(answer: RenderedAnswer) -> Body:
    """The element in pieces, pictures between them; all errors are listed, as in RAD-69."""
    head = f'<wado:RetrieveRenderedImagingDocumentSetResponse xmlns:wado="{WADO_WS}"'
    before = f'{head} xmlns:xds="{XDS}">'.encode()
    before += ebrs.response(answer.status, ebrs.error_list(answer.errors, limit=None))
    pieces: list[bytes | Attachment] = []
    for one in answer.documents:
        document = one.request.instance.document
        inside = (
            "<wado:RenderedDocumentResponse>"
            + _source(document)
            + _wado("SourceDocumentUniqueId")(document.document_unique_id)
            + "".join(_parameters_to_xml(one.request))
            + f"<xds:mimeType>{escaped(one.mime_type)}</xds:mimeType><xds:Document>"
        )
        pieces += (before + inside.encode(), Attachment(one.content, one.mime_type))
        before = b"</xds:Document></wado:RenderedDocumentResponse>"
    pieces.append(before + b"</wado:RetrieveRenderedImagingDocumentSetResponse>")
    return tuple(pieces)


def answer_from_xml(element: Element, parts: Parts) -> RenderedAnswer:
    """Pictures, attached or inline, and errors. Study and series are not told again.

    Raises SoapFault for a wrong frame and for a picture whose part is missing.
    """
    expect(element, _ANSWER)
    errors = ebrs.errors_of(only(element, _RESPONSE))
    documents = [_rendered(one, parts) for one in element.iterchildren(_ONE_ANSWER)]
    return RenderedAnswer(tuple(documents), errors)


def _rendered(element: Element, parts: Parts) -> RenderedDocument:
    home, repository, source, mime_type = (
        (element.findtext(name) or "").strip()
        for name in (_HOME, _REPOSITORY, _SOURCE_ID, _MIME_TYPE)
    )
    if not (repository and source):
        raise SoapFault("Sender", "RenderedDocumentResponse without the ids of its source")
    values, _ = _parameters(element, source)
    request = RenderedInstance(
        InstanceRequest("", "", DocumentRequest(repository, source, home or None)), (), **values
    )
    return RenderedDocument(request, mime_type, xop.content(only(element, _DOCUMENT), parts))
