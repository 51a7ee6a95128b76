"""What the header of an imaging report says, and where its body points to.

Times are DTM (UTC, digits), "" stands for an empty or absent text value.
Source: HL7 CDA R2; IMG-021, IMG-023, IMG-060 to IMG-065.
"""

from dataclasses import dataclass
from typing import NamedTuple


class InstanceIdentifier(NamedTuple):
    """An HL7 II."""

    root: str
    extension: str = ""

    def __str__(self) -> str:
        """`root^extension`, or the root alone (IMG-021)."""
        return f"{self.root}^{self.extension}" if self.extension else self.root


class ReportCode(NamedTuple):
    """An HL7 CD."""

    code: str
    scheme: str
    display: str = ""


class Organization(NamedTuple):
    name: str
    ids: tuple[InstanceIdentifier, ...] = ()


class PersonName(NamedTuple):
    """An HL7 PN in parts; text is what stood outside of parts."""

    family: str = ""
    given: tuple[str, ...] = ()
    prefix: str = ""
    suffix: str = ""
    text: str = ""


class Professional(NamedTuple):
    """An author or authenticator, with the institution they act for."""

    ids: tuple[InstanceIdentifier, ...] = ()
    name: PersonName | None = None
    organization: Organization | None = None
    time: str = ""


class Service(NamedTuple):
    """A documented service: for an imaging report the study (IMG-063).

    translations: beside its code, of imaging reports modalities and body parts
    """

    ids: tuple[InstanceIdentifier, ...] = ()
    code: ReportCode | None = None
    start: str = ""
    stop: str = ""
    translations: tuple[ReportCode, ...] = ()


class RelatedDocument(NamedTuple):
    """RPLC, APND or XFRM and the document it is about (IMG-065)."""

    type_code: str
    ids: tuple[InstanceIdentifier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CdaHeader:
    """A CDA R2 document without its text.

    orders: ids of inFulfillmentOf/order; accession numbers in imaging reports
    study_instance_uids: from the services and from the object catalog of the body
    modalities: of the series in that catalog; target_sites: of the procedures in the body
    section_codes: codes of the sections in document order, nested ones included
    body_media_type: of an unstructured body, "" for a structured one
    """

    id: InstanceIdentifier | None = None
    set_id: InstanceIdentifier | None = None
    version: str = ""
    template_ids: tuple[InstanceIdentifier, ...] = ()
    code: ReportCode | None = None
    title: str = ""
    effective_time: str = ""
    confidentiality: ReportCode | None = None
    language: str = ""
    patient_ids: tuple[InstanceIdentifier, ...] = ()
    patient_name: PersonName | None = None
    birth_time: str = ""
    gender: str = ""
    authors: tuple[Professional, ...] = ()
    custodian: Organization | None = None
    legal_authenticator: Professional | None = None
    orders: tuple[InstanceIdentifier, ...] = ()
    services: tuple[Service, ...] = ()
    related: tuple[RelatedDocument, ...] = ()
    study_instance_uids: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    target_sites: tuple[ReportCode, ...] = ()
    section_codes: tuple[str, ...] = ()
    is_structured: bool = False
    body_media_type: str = ""

    @property
    def service_start(self) -> str:
        """The earliest start of its services; times without common precision compare as text."""
        return min((each.start for each in self.services if each.start), default="")

    @property
    def service_stop(self) -> str:
        return max((each.stop for each in self.services if each.stop), default="")
