"""What is asked of an imaging source, what it answers, and what an archive says it holds.

What a study has by the thousand is a tuple, made in a third of a data class's time (bench:
rad69-orthanc).
Source: RAD TF-2 4.69.5; DICOM PS3.18 10.4; DICOM PS3.18-2015 6.4.2 for what is rendered.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from xdsi.model.errors import XDSError
from xdsi.model.messages import Content, DocumentRequest, status_with_partial


class InstanceRequest(NamedTuple):
    """One instance with the study and series it is asked for in (IMG-080 to IMG-082).

    document: its source as repository_unique_id, its SOP Instance UID as document_unique_id
    """

    study_instance_uid: str
    series_instance_uid: str
    document: DocumentRequest


@dataclass(frozen=True, slots=True)
class ImagingRequest:
    """RAD-69, RAD-75: instances in the order asked, duplicates as sent.

    transfer_syntaxes: those that may come, in no order of preference (IMG-083)
    """

    instances: tuple[InstanceRequest, ...]
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RenderedInstance:
    """One instance to be rendered (IMG-182). What is not sent is None.

    content_types: those that may come, in order of preference
    region: left, top, right, bottom as parts of 1
    frame: from 1
    """

    instance: InstanceRequest
    content_types: tuple[str, ...]
    annotation: str | None = None
    rows: int | None = None
    columns: int | None = None
    region: tuple[Decimal, ...] | None = None
    window_width: Decimal | None = None
    window_center: Decimal | None = None
    image_quality: int | None = None
    presentation_uid: str | None = None
    presentation_series_uid: str | None = None
    anonymize: str | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class RenderedRequest:
    """RetrieveRenderedImagingDocumentSet: instances in the order asked."""

    instances: tuple[RenderedInstance, ...]


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """One RenderedDocumentResponse (IMG-183); ids and parameters of the request are echoed."""

    request: RenderedInstance
    mime_type: str
    content: Content


@dataclass(frozen=True, slots=True)
class RenderedAnswer:
    """What was rendered, and what could not be; status as in RAD-69 (IMG-092)."""

    documents: tuple[RenderedDocument, ...] = ()
    errors: tuple[XDSError, ...] = ()

    @property
    def status(self) -> str:
        return status_with_partial(self.documents, self.errors)


class HeldInstance(NamedTuple):
    """One instance that an archive holds, as it is stored.

    transfer_syntax_uid: None where the archive tells it only with the bytes
    size: octets of its Part 10 file as stored, None where the archive does not tell
    frames: 0 for an instance without pixel data, None where that is not known
    key: the archive's own name of it, for the archive alone
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str | None = None
    size: int | None = None
    frames: int | None = None
    key: str = ""
