"""CDA R2 documents: reading a header, making imaging reports.

One pass of expat in pieces: the header becomes a small tree, of the body only section codes and
the entries of an object catalog are noted, so memory does not follow the size of the document.
A document type declaration is refused, therefore no entity but the five of XML can occur and
nothing is ever fetched.
Source: HL7 CDA R2; DICOM PS3.20 7.1, 8.2; IMG-021, IMG-060 to IMG-065.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.report import (
    CdaHeader,
    InstanceIdentifier,
    Organization,
    PersonName,
    Professional,
    RelatedDocument,
    ReportCode,
    Service,
)
from xdsi.model.values import is_oid
from xdsi.standard import cda
from xdsi.wire.cdamaker import ReportFrame, ReportText, imaging_report, wrapped_report
from xdsi.wire.times import dtm_from_hl7

__all__ = ["ReportFrame", "ReportText", "imaging_report", "read_header", "wrapped_report"]

_CHUNK = 64 << 10  # bytes
_MARKUP_LIMIT = 1 << 20  # bytes of one tag, comment or instruction
_HEADER_NODES = 20_000
_HEADER_TEXT = 1 << 20  # characters
_DEPTH = 200
_NOTED = 10_000  # sections and studies kept of a body
DEFAULT_SIZE_LIMIT = 512 << 20  # bytes


class _Refused(Exception):
    """Carries the sentence; becomes InvalidDocumentContent at the edge."""


class _Node:
    """One element of the header."""

    __slots__ = ("attributes", "children", "name", "pieces")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[_Node] = []
        self.pieces: list[str] = []

    def get(self, attribute: str) -> str:
        return self.attributes.get(attribute, "").strip()

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())

    def all(self, *path: str) -> Iterator["_Node"]:
        """The descendants at the end of a path of names."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.all(*path[1:])

    def one(self, *path: str) -> "_Node | None":
        return next(self.all(*path), None)


_NONE = _Node("", {})


class _Act:
    """An entry of the body that may belong to an object catalog."""

    __slots__ = ("code", "depth", "ids", "qualifier")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.code = self.qualifier = ""
        self.ids: list[str] = []


class _Handler:
    """Collects the header and notes of the body while expat walks the document."""

    def __init__(self) -> None:
        self.root: _Node | None = None
        self.path: list[_Node] = []
        self.names: list[str] = []
        self.nodes = self.characters = 0
        self.acts: list[_Act] = []
        self.studies: list[str] = []
        self.modalities: dict[str, None] = {}
        self.sites: dict[ReportCode, None] = {}
        self.sections: list[str] = []
        self.is_structured = False
        self.body_media_type = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.names.append(name.removeprefix(cda.HL7_V3 + " "))
        depth = len(self.names)
        if depth > _DEPTH:
            raise _Refused(f"nests elements deeper than {_DEPTH}")
        if depth == 1 and name != f"{cda.HL7_V3} ClinicalDocument":
            raise _Refused("is no CDA document: the root element is not ClinicalDocument")
        if depth > 1 and self.names[1] == "component":
            self._body(self.names[-1], depth, attributes)
            return
        self.nodes += 1
        if self.nodes > _HEADER_NODES:
            raise _Refused(f"has a header of more than {_HEADER_NODES} elements")
        node = _Node(self.names[-1], attributes)
        if self.path:
            self.path[-1].children.append(node)
        else:
            self.root = node
        self.path.append(node)

    def _body(self, name: str, depth: int, attributes: dict[str, str]) -> None:
        parent = self.names[-2]
        if depth == 3:
            self.is_structured = self.is_structured or name == "structuredBody"
        elif name == "text" and parent == "nonXMLBody":
            self.body_media_type = attributes.get("mediaType", "text/plain")
        elif name == "targetSiteCode" and len(self.sites) < 100 and attributes.get("code"):
            self.sites[
                ReportCode(
                    attributes["code"],
                    attributes.get("codeSystem", ""),
                    attributes.get("displayName", ""),
                )
            ] = None
        elif name == "act":
            self.acts.append(_Act(depth))
        elif name == "code" and parent == "section" and len(self.sections) < _NOTED:
            self.sections.append(attributes.get("code", ""))
        elif self.acts and name == "value" and parent == "qualifier":
            self.acts[-1].qualifier = attributes.get("code", "")
        elif self.acts and depth == self.acts[-1].depth + 1:
            act = self.acts[-1]
            if name == "code":
                act.code = attributes.get("code", "")
            elif name == "id" and len(act.ids) < 8 and "extension" not in attributes:
                act.ids.append(attributes.get("root", ""))

    def end(self, name: str) -> None:
        depth = len(self.names)
        self.names.pop()
        if depth > 1 and len(self.path) < depth:
            if self.acts and self.acts[-1].depth == depth:
                act = self.acts.pop()
                if act.code == cda.CATALOG_STUDY.code and len(self.studies) < _NOTED:
                    self.studies.extend(act.ids)
                elif act.code == cda.CATALOG_SERIES.code and len(self.modalities) < 100:
                    self.modalities[act.qualifier] = None
            return
        self.path.pop()

    def text(self, data: str) -> None:
        if len(self.path) != len(self.names) or not self.path:
            return
        self.characters += len(data)
        if self.characters > _HEADER_TEXT:
            raise _Refused(f"has a header of more than {_HEADER_TEXT} characters")
        self.path[-1].pieces.append(data)

    def doctype(self, *_: object) -> None:
        raise _Refused("has a document type declaration, which is not accepted")


def read_header(
    source: Path | BinaryIO,
    *,
    what: str = "CDA document",
    default_offset: str = "",
    size_limit: int = DEFAULT_SIZE_LIMIT,
) -> CdaHeader:
    """The header of a CDA R2 document.

    source: path or binary stream; what: how errors call it
    default_offset: zone (+hhmm) of times that come without one, UTC when ""
    Missing elements are "", None or empty.
    Raises InvalidDocumentContent: not well-formed, no CDA, a DOCTYPE, or beyond a limit.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                handler = _walked(file, size_limit)
        else:
            handler = _walked(source, size_limit)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InvalidDocumentContent(
            what, f"is not well-formed XML: {reason} in line {error.lineno}"
        ) from None
    except OSError as error:
        raise InvalidDocumentContent(what, f"cannot be read: {error.strerror}") from None
    except (_Refused, ValueError, LookupError) as refused:
        # ValueError, LookupError: an encoding that Python's expat does not know
        sentence = str(refused) if isinstance(refused, _Refused) else "has an unknown encoding"
        raise InvalidDocumentContent(what, sentence) from None
    return _header(handler, default_offset)


def _walked(stream: BinaryIO, size_limit: int) -> _Handler:
    handler = _Handler()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = False
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = handler.doctype
    fed = 0
    while chunk := stream.read(_CHUNK):
        fed += len(chunk)
        if fed > size_limit:
            raise _Refused(f"is larger than the {size_limit} bytes allowed")
        parser.Parse(chunk, False)
        # expat keeps an unfinished tag in memory however long it grows
        if fed - max(parser.CurrentByteIndex, 0) > _MARKUP_LIMIT + _CHUNK:
            raise _Refused(f"has a tag or comment of more than {_MARKUP_LIMIT} bytes")
    parser.Parse(b"", True)
    return handler


def _header(handler: _Handler, offset: str) -> CdaHeader:
    root = handler.root or _NONE
    role = root.one("recordTarget", "patientRole") or _NONE
    patient = role.one("patient") or _NONE
    services = tuple(_service(each, offset) for each in root.all("documentationOf", "serviceEvent"))
    authenticator = root.one("legalAuthenticator")
    keeper = root.one("custodian", "assignedCustodian", "representedCustodianOrganization")
    studies = [
        each.root
        for service in services
        for each in service.ids
        if not each.extension and is_oid(each.root)
    ]
    studies += [each for each in handler.studies if is_oid(each)]
    return CdaHeader(
        id=_first(_ids(root)),
        set_id=_first(_ids(root, "setId")),
        version=(root.one("versionNumber") or _NONE).get("value"),
        template_ids=_ids(root, "templateId"),
        code=_code(root.one("code")),
        title=(root.one("title") or _NONE).text,
        effective_time=dtm_from_hl7((root.one("effectiveTime") or _NONE).get("value"), offset),
        confidentiality=_code(root.one("confidentialityCode")),
        language=(root.one("languageCode") or _NONE).get("code"),
        patient_ids=_ids(role),
        patient_name=_name(patient.one("name")),
        birth_time=dtm_from_hl7((patient.one("birthTime") or _NONE).get("value"), offset),
        gender=(patient.one("administrativeGenderCode") or _NONE).get("code"),
        authors=tuple(_professional(each, "assignedAuthor", offset) for each in root.all("author")),
        custodian=_organization(keeper),
        legal_authenticator=(
            _professional(authenticator, "assignedEntity", offset) if authenticator else None
        ),
        orders=_orders(root),
        services=services,
        related=tuple(
            RelatedDocument(each.get("typeCode"), _ids(each.one("parentDocument") or _NONE))
            for each in root.all("relatedDocument")
        ),
        study_instance_uids=tuple(dict.fromkeys(studies)),
        modalities=tuple(filter(None, handler.modalities)),
        target_sites=tuple(handler.sites),
        section_codes=tuple(handler.sections),
        is_structured=handler.is_structured,
        body_media_type=handler.body_media_type,
    )


def _first(ids: tuple[InstanceIdentifier, ...]) -> InstanceIdentifier | None:
    return ids[0] if ids else None


def _ids(node: _Node, name: str = "id") -> tuple[InstanceIdentifier, ...]:
    found = (InstanceIdentifier(each.get("root"), each.get("extension")) for each in node.all(name))
    return tuple(each for each in found if each.root)


def _orders(root: _Node) -> tuple[InstanceIdentifier, ...]:
    """Ids of the orders; PS3.20 has the accession number in an element of its own as well."""
    found = [
        each
        for order in root.all("inFulfillmentOf", "order")
        for name in ("id", f"{cda.PS3_20} accessionNumber")
        for each in _ids(order, name)
    ]
    return tuple(dict.fromkeys(found))


def _code(node: _Node | None) -> ReportCode | None:
    if node is None or not node.get("code"):
        return None
    return ReportCode(node.get("code"), node.get("codeSystem"), node.get("displayName"))


def _name(node: _Node | None) -> PersonName | None:
    if node is None:
        return None
    name = PersonName(
        " ".join(each.text for each in node.all("family")),
        tuple(each.text for each in node.all("given") if each.text),
        " ".join(each.text for each in node.all("prefix")),
        " ".join(each.text for each in node.all("suffix")),
        node.text,
    )
    return name if any(name) else None


def _organization(node: _Node | None) -> Organization | None:
    if node is None:
        return None
    found = Organization((node.one("name") or _NONE).text, _ids(node))
    return found if any(found) else None


def _professional(node: _Node, assigned: str, offset: str) -> Professional:
    entity = node.one(assigned) or _NONE
    device = entity.one("assignedAuthoringDevice", "softwareName")
    name = _name(entity.one("assignedPerson", "name"))
    if name is None and device is not None:
        name = PersonName(text=device.text)
    return Professional(
        _ids(entity),
        name,
        _organization(entity.one("representedOrganization")),
        dtm_from_hl7((node.one("time") or _NONE).get("value"), offset),
    )


def _service(node: _Node, offset: str) -> Service:
    """A point in time is both start and stop (MD-125)."""
    time = node.one("effectiveTime") or _NONE
    low = (time.one("low") or _NONE).get("value") or time.get("value")
    high = (time.one("high") or _NONE).get("value") or time.get("value")
    return Service(
        _ids(node),
        _code(node.one("code")),
        dtm_from_hl7(low, offset),
        dtm_from_hl7(high, offset),
        tuple(code for each in node.all("code", "translation") if (code := _code(each))),
    )
