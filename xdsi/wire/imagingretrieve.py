"""rad:RetrieveImagingDocumentSetRequest: RAD-69 and RAD-75.

The answer is that of ITI-43 (`xdsi.wire.retrieve`). Elements may come in any order, ids with white
space around them. An element or attribute that is missing is a fault, an empty one an error of its
own (IMG-113, IMG-114).
Source: RAD TF-2 4.69.5; XDS-I.b schema (IMG-080 to IMG-087).
"""

from collections.abc import Iterable, Iterator, Set
from itertools import chain, groupby, islice

from xdsi.model.errors import SoapFault, XDSError, XDSRepositoryError, refuse
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.standard.namespaces import RAD, XDS, tag
from xdsi.wire import ebrs, retrieve
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.frame import allow, expect, local, only
from xdsi.wire.text import escaped, quoted

_REQUEST = tag(RAD, "RetrieveImagingDocumentSetRequest")
_DOCUMENT = tag(XDS, "DocumentRequest")
_SYNTAXES, _SYNTAX = tag(RAD, "TransferSyntaxUIDList"), tag(RAD, "TransferSyntaxUID")
_REPOSITORY, _ID = "RepositoryUniqueId", "DocumentUniqueId"

# Clark names of what names a document, in order
IDS = (tag(XDS, "HomeCommunityId"), tag(XDS, _REPOSITORY), tag(XDS, _ID))
_ALLOWED = frozenset(IDS)
STUDY_UID, SERIES_UID = "studyInstanceUID", "seriesInstanceUID"
_NAMES = (f"StudyRequest/@{STUDY_UID}", f"SeriesRequest/@{SERIES_UID}", _REPOSITORY, _ID)


def imaging_from_xml(element: Element, parts: Parts) -> ImagingRequest:
    """The instances asked for, in order, and the transfer syntaxes they may come in.

    parts: not looked at. Raises SoapFault for a wrong frame, XDSRepositoryErrors for empty values.
    """
    expect(element, _REQUEST)
    listed = only(element, _SYNTAXES)
    allow(listed, _SYNTAX)
    syntaxes = tuple([text(each) for each in some(listed, _SYNTAX)])
    instances = [
        asked for asked, _ in requested(element, RAD, _DOCUMENT, _ALLOWED, beside=_SYNTAXES)
    ]
    refuse_empty(instances, _empty_syntaxes(syntaxes))
    return ImagingRequest(tuple(instances), syntaxes)


def requested(
    element: Element, namespace: str, document: str, allowed: Set[str], beside: str = ""
) -> Iterator[tuple[InstanceRequest, Element]]:
    """Every instance named below the studies and series of a request, with its element.

    namespace: of StudyRequest and SeriesRequest; document: Clark name of the element in a series
    allowed: Clark names of what that may hold; beside: of what may stand beside the studies
    Raises SoapFault for a wrong frame.
    """
    study_tag, series_tag = tag(namespace, "StudyRequest"), tag(namespace, "SeriesRequest")
    allow(element, study_tag, beside)
    for study in some(element, study_tag):
        allow(study, series_tag)
        study_uid = _attribute(study, STUDY_UID)
        for series in some(study, series_tag):
            allow(series, document)
            series_uid = _attribute(series, SERIES_UID)
            for each in some(series, document):
                yield InstanceRequest(study_uid, series_uid, _ids(each, allowed)), each


def refuse_empty(asked: Iterable[InstanceRequest], others: Iterable[XDSError] = ()) -> None:
    """Raise XDSRepositoryErrors for ids that are empty (IMG-113), together with `others`.

    Enough of them to see what is wrong: the request is refused as a whole.
    """
    empty = (error for each in asked for error in _empty(each))
    refuse(islice(chain(others, empty), ebrs.LIMIT), "request refused")


def some(parent: Element, name: str) -> list[Element]:
    """The children with this Clark name. Raises SoapFault for none."""
    found = list(parent.iterchildren(name))
    if not found:
        raise SoapFault("Sender", f"{local(str(parent.tag))} has no {local(name)}")
    return found


def text(element: Element) -> str:
    """Its text without the white space around it."""
    return (element.text or "").strip()


def _attribute(element: Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise SoapFault("Sender", f"{local(str(element.tag))} has no attribute {name}")
    return value.strip()


def _ids(element: Element, allowed: Set[str]) -> DocumentRequest:
    # the first of each name; one walk, since a study has hundreds (bench: rad69-ct)
    found = {child.tag: child.text or "" for child in reversed(element)}
    if not found.keys() <= allowed:
        allow(element, *allowed)
    home, repository, document = map(found.get, IDS)
    if repository is None or document is None:
        raise SoapFault("Sender", f"{local(str(element.tag))} needs {_REPOSITORY} and {_ID}")
    return DocumentRequest(repository.strip(), document.strip(), (home or "").strip() or None)


def _empty(asked: InstanceRequest) -> Iterator[XDSError]:
    """An error for each value of an instance that is there and empty."""
    document = asked.document
    values = (
        asked.study_instance_uid,
        asked.series_instance_uid,
        document.repository_unique_id,
        document.document_unique_id,
    )
    if all(values):
        return
    for name, value in zip(_NAMES, values, strict=True):
        if not value:
            yield XDSRepositoryError(
                name,
                "is empty; take it from the manifest",
                rule="IMG-113",
                location=document.document_unique_id,
            )


def _empty_syntaxes(syntaxes: tuple[str, ...]) -> Iterator[XDSError]:
    for uid in syntaxes:
        if not uid:
            yield XDSRepositoryError(
                "TransferSyntaxUID",
                "is empty; give the UID of a transfer syntax, or leave the element out",
                rule="IMG-114",
            )


def imaging_to_xml(request: ImagingRequest) -> Body:
    """The RetrieveImagingDocumentSetRequest element in one piece."""
    pieces = [f'<rad:RetrieveImagingDocumentSetRequest xmlns:rad="{RAD}" xmlns:xds="{XDS}">']
    written = ((each, retrieve.request_to_xml(each.document)) for each in request.instances)
    pieces += nested(written, "rad")
    pieces.append("<rad:TransferSyntaxUIDList>")
    pieces += (
        f"<rad:TransferSyntaxUID>{escaped(uid)}</rad:TransferSyntaxUID>"
        for uid in request.transfer_syntaxes
    )
    pieces.append("</rad:TransferSyntaxUIDList></rad:RetrieveImagingDocumentSetRequest>")
    return ("".join(pieces).encode(),)


def nested(written: Iterable[tuple[InstanceRequest, str]], prefix: str) -> Iterator[str]:
    """StudyRequest and SeriesRequest elements around what is written for each instance.

    Neighbours of one series share them.
    """
    for study, of_study in groupby(written, lambda each: each[0].study_instance_uid):
        yield f'<{prefix}:StudyRequest {STUDY_UID}="{quoted(study)}">'
        for series, members in groupby(of_study, lambda each: each[0].series_instance_uid):
            yield f'<{prefix}:SeriesRequest {SERIES_UID}="{quoted(series)}">'
            yield from (text for _, text in members)
            yield f"</{prefix}:SeriesRequest>"
        yield f"</{prefix}:StudyRequest>"
