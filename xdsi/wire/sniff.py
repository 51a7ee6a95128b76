"""What kind of document a file is, by its content; names and extensions count for nothing.

Source: DICOM PS3.10 7.1; HL7 CDA R2; ISO 32000-1 7.5.2; FHIR R4 documents; IMG-020 to IMG-024.
"""

import codecs
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

from xdsi.model.errors import InvalidDocumentContent
from xdsi.standard import cda, dicom
from xdsi.standard.kinds import DocumentKind
from xdsi.wire import fhirdocument
from xdsi.wire.dicomfile import Limits, Shape, is_part10, read_header
from xdsi.wire.pdf import is_pdf

_HEAD = 64 << 10  # bytes a decision is made on


_SOP_CLASS = Shape(frozenset({dicom.SOP_CLASS_UID}), until=dicom.SOP_CLASS_UID)
_BY_SOP_CLASS = {
    dicom.KEY_OBJECT_SELECTION: DocumentKind.MANIFEST,
    dicom.MEDIA_STORAGE_DIRECTORY: DocumentKind.DICOM_DIRECTORY,
}


def kind_of(path: Path) -> DocumentKind:
    """The kind of one file. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return next(
        (kind for looks_like, of in _TESTS if looks_like(head) and (kind := of(path, head))),
        DocumentKind.OTHER,
    )


def _dicom_kind(path: Path, head: bytes) -> DocumentKind:
    """By the data set's SOP class, or the file's where the data set does not tell."""
    try:
        file = read_header(path, _SOP_CLASS, limits=Limits(size=_HEAD))
    except InvalidDocumentContent:
        return DocumentKind.DICOM
    sop_class = file.data.uid(dicom.SOP_CLASS_UID)
    sop_class = sop_class or file.meta.uid(dicom.MEDIA_STORAGE_SOP_CLASS_UID)
    return _BY_SOP_CLASS.get(sop_class, DocumentKind.DICOM)


def _xml_kind(path: Path, head: bytes) -> DocumentKind | None:
    """By the root element; None for what only begins like XML."""
    roots: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, attributes: roots.append(name)
    try:
        parser.Parse(head, False)
    except (expat.ExpatError, ValueError, LookupError):
        if not roots:
            return None
    if not roots:
        return None
    return DocumentKind.CDA if roots[0] == f"{cda.HL7_V3} ClinicalDocument" else DocumentKind.XML


def _json_kind(path: Path, head: bytes) -> DocumentKind | None:
    """A FHIR document; other JSON is text."""
    return DocumentKind.FHIR if fhirdocument.is_document(path) else None


def _is_object(head: bytes) -> bool:
    return head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; a character cut at the end of the head does no harm."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c >= " " or c in "\t\r\n\f" for c in text) and "\x7f" not in text


def _is_markup(head: bytes) -> bool:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    return start.startswith((b"<", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def _always(kind: DocumentKind) -> Callable[[Path, bytes], DocumentKind | None]:
    return lambda path, head: kind


# The first row that fits decides: what a file may begin with, and its kind.
_TESTS: tuple[tuple[Callable[[bytes], bool], Callable[[Path, bytes], DocumentKind | None]], ...] = (
    (is_part10, _dicom_kind),
    (_is_markup, _xml_kind),
    (is_pdf, _always(DocumentKind.PDF)),
    (_is_object, _json_kind),
    (_is_text, _always(DocumentKind.TEXT)),
)
