"""DocumentEntry, SubmissionSet, Folder and Association.

Field names and their place on the wire stand in `xdsi.standard.attributes`; None means absent.
Ids are UUID URNs, or symbolic within a submission. Change an object with `dataclasses.replace`.
Source: ITI TF-3 4.1, 4.2.
"""

from dataclasses import dataclass, field

from xdsi.model.values import (
    CX,
    DTM,
    OID,
    SHA1,
    XCN,
    XON,
    XTN,
    Availability,
    CXi,
    Field,
    HomeCommunityId,
    Identifier,
    Language,
    Recipient,
    Size,
)
from xdsi.standard import urns


@dataclass(frozen=True, slots=True)
class Slot:
    """A named list of texts, as in ebRIM. type: optional slotType."""

    name: str
    values: tuple[str, ...]
    type: str | None = None


@dataclass(frozen=True, slots=True)
class LocalizedString:
    """value in language `lang` (None: not stated, en-US by schema)."""

    value: str
    lang: str | None = None
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class InternationalString:
    """One text in one or several languages; `str()` gives the first."""

    strings: tuple[LocalizedString, ...]

    def __str__(self) -> str:
        return self.strings[0].value if self.strings else ""

    @classmethod
    def of(cls, text: str, lang: str | None = None) -> "InternationalString":
        return cls((LocalizedString(text, lang),))


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value (MD-094). None marks a part that was not sent; id is the Classification's."""

    code: str | None
    scheme: str | None
    display: InternationalString | None
    id: str = field(default="", compare=False)
    extra: tuple[Slot, ...] = ()

    @classmethod
    def of(cls, code: str, scheme: str, display: str) -> "Code":
        return cls(code, scheme, InternationalString.of(display))


@dataclass(frozen=True, slots=True)
class Author:
    """One author (MD-161 to MD-165). Values of different fields do not correspond by position."""

    persons: tuple[XCN, ...] = ()
    institutions: tuple[XON, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecommunications: tuple[XTN, ...] = ()
    id: str = field(default="", compare=False)
    extra: tuple[Slot, ...] = ()


# ids of the ExternalIdentifiers of an object, as (attribute name, id)
IdentifierIds = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """MD-103 to MD-132. size in octets, times in UTC."""

    entry_uuid: str
    object_type: str = urns.STABLE_DOCUMENT
    mime_type: str | None = None
    status: str | None = None
    home: HomeCommunityId | None = None
    logical_id: str | None = None
    version: str | None = None
    creation_time: DTM | None = None
    hash: SHA1 | None = None
    language_code: Language | None = None
    legal_authenticator: XCN | None = None
    reference_ids: tuple[CXi, ...] = ()
    repository_unique_id: OID | None = None
    service_start_time: DTM | None = None
    service_stop_time: DTM | None = None
    size: Size | None = None
    source_patient_id: CX | None = None
    source_patient_info: tuple[Field, ...] = ()
    uri: tuple[str, ...] = ()
    document_availability: Availability | None = None
    title: InternationalString | None = None
    comments: InternationalString | None = None
    authors: tuple[Author, ...] = ()
    class_code: Code | None = None
    confidentiality_codes: tuple[Code, ...] = ()
    event_codes: tuple[Code, ...] = ()
    format_code: Code | None = None
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    type_code: Code | None = None
    is_limited: bool = False
    patient_id: CX | None = None
    unique_id: Identifier | None = None
    extra: tuple[Slot, ...] = ()
    identifier_ids: IdentifierIds = field(default=(), compare=False)

    @property
    def is_on_demand(self) -> bool:
        return self.object_type == urns.ON_DEMAND_DOCUMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSet:
    """MD-138 to MD-150."""

    entry_uuid: str
    status: str | None = None
    home: HomeCommunityId | None = None
    logical_id: str | None = None
    version: str | None = None
    submission_time: DTM | None = None
    intended_recipients: tuple[Recipient, ...] = ()
    title: InternationalString | None = None
    comments: InternationalString | None = None
    authors: tuple[Author, ...] = ()
    content_type_code: Code | None = None
    is_limited: bool = False
    patient_id: CX | None = None
    source_id: OID | None = None
    unique_id: OID | None = None
    extra: tuple[Slot, ...] = ()
    identifier_ids: IdentifierIds = field(default=(), compare=False)
    label_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """MD-151 to MD-160."""

    entry_uuid: str
    status: str | None = None
    home: HomeCommunityId | None = None
    logical_id: str | None = None
    version: str | None = None
    last_update_time: DTM | None = None
    title: InternationalString | None = None
    comments: InternationalString | None = None
    codes: tuple[Code, ...] = ()
    is_limited: bool = False
    patient_id: CX | None = None
    unique_id: OID | None = None
    extra: tuple[Slot, ...] = ()
    identifier_ids: IdentifierIds = field(default=(), compare=False)
    label_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """MD-166 to MD-177, with the slots of Metadata Update (MD-050, MD-051)."""

    entry_uuid: str
    association_type: str
    source_object: str
    target_object: str
    status: str | None = None
    home: HomeCommunityId | None = None
    logical_id: str | None = None
    version: str | None = None
    submission_set_status: str | None = None
    previous_version: str | None = None
    association_propagation: str | None = None
    original_status: str | None = None
    new_status: str | None = None
    title: InternationalString | None = None
    comments: InternationalString | None = None
    documentation: Code | None = None
    extra: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object named by id only."""

    id: str
    home: HomeCommunityId | None = None


@dataclass(frozen=True, slots=True)
class Fragment:
    """An object already in wire form: one element, only the prefix `rim` left undeclared."""

    xml: bytes


RegistryObject = DocumentEntry | SubmissionSet | Folder | Association
