"""The attributes of the four object kinds: where each stands in ebRIM, its type, who must send it.

How to read a row: `name` is the field of the dataclass in `xdsi.model.objects`; `ihe` the name in
the framework (used in error texts); `place` and `key` say where it stands; `type` names a class of
`xdsi.model.values` or `xdsi.model.objects` ("str" is plain text); `many` allows several values;
`need` gives the optionality per transaction. Slots that no row names are extra metadata.
Source: ITI TF-3 4.2.3, 4.2.5, tables 4.3.1-3 and 4.3.2.1-2 (MD-013 to MD-031, MD-103 to MD-160).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Place(Enum):
    """Where an attribute stands in the ebRIM object."""

    XML = "XML attribute of the object; key is its name"
    SLOT = "Slot; key is its name"
    CODE = "coded Classification; key is its classificationScheme"
    AUTHOR = "author Classification; key is its classificationScheme"
    IDENTIFIER = "ExternalIdentifier; key is its identificationScheme"
    NAME = "Name"
    DESCRIPTION = "Description"
    NODE = "label Classification; key is its classificationNode"


class Need(Enum):
    """Optionality (MD table legends). STABLE_ONLY is R3: required if Stable, else forbidden."""

    REQUIRED = "R"
    IF_KNOWN = "R2"
    OPTIONAL = "O"
    FORBIDDEN = "X"
    STABLE_ONLY = "R3"


COLUMNS = ("ITI-41", "ITI-42", "ITI-61", "XDR", "query")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of one object kind.

    label: fixed Name of an ExternalIdentifier (MD-025 to MD-031); empty elsewhere
    rule: id of its row in the requirements
    """

    name: str
    ihe: str
    place: Place
    key: str
    type: str
    many: bool
    need: Mapping[str, Need]
    rule: str
    label: str = ""


def _row(
    rule: str, name: str, ihe: str, place: Place, key: str, type_: str, needs: str, label: str = ""
) -> Attribute:
    """A table row; a type ending in `*` may occur several times."""
    need = MappingProxyType(dict(zip(COLUMNS, map(Need, needs.split()), strict=True)))
    many = type_.endswith("*")
    return Attribute(name, ihe, place, key, type_.rstrip("*"), many, need, rule, label)


_X, _S, _C = Place.XML, Place.SLOT, Place.CODE
_A, _I = Place.AUTHOR, Place.IDENTIFIER

# fmt: off
DOCUMENT_ENTRY = (
    _row("MD-109", "entry_uuid", "entryUUID", _X, "id", "str", "R R R R R"),
    _row("MD-119", "object_type", "objectType", _X, "objectType", "str", "R R R R R"),
    _row("MD-118", "mime_type", "mimeType", _X, "mimeType", "str", "R R R R R"),
    _row("MD-104", "status", "availabilityStatus", _X, "status", "str", "O O O O R"),
    _row("MD-114", "home", "homeCommunityId", _X, "home", "HomeCommunityId", "O O O O O"),
    _row("MD-178", "logical_id", "logicalID", _X, "lid", "str", "O O O O R"),
    _row("MD-108", "creation_time", "creationTime", _S, "creationTime", "DTM", "R R X R2 R3"),
    _row("MD-112", "hash", "hash", _S, "hash", "SHA1", "O R X O R3"),
    _row("MD-115", "language_code", "languageCode", _S, "languageCode", "Language", "R R R R2 R"),
    _row("MD-116", "legal_authenticator", "legalAuthenticator", _S, "legalAuthenticator", "XCN", "O O O O O"),
    _row("MD-122", "reference_ids", "referenceIdList", _S, "urn:ihe:iti:xds:2013:referenceIdList", "CXi*", "O O O O O"),
    _row("MD-123", "repository_unique_id", "repositoryUniqueId", _S, "repositoryUniqueId", "OID", "O R R O R"),
    _row("MD-124", "service_start_time", "serviceStartTime", _S, "serviceStartTime", "DTM", "R2 R2 O R2 R2"),
    _row("MD-125", "service_stop_time", "serviceStopTime", _S, "serviceStopTime", "DTM", "R2 R2 O R2 R2"),
    _row("MD-126", "size", "size", _S, "size", "Size", "O R X O R3"),
    _row("MD-127", "source_patient_id", "sourcePatientId", _S, "sourcePatientId", "CX", "R R R R2 R"),
    _row("MD-128", "source_patient_info", "sourcePatientInfo", _S, "sourcePatientInfo", "Field*", "O O O R2 O"),
    _row("MD-132", "uri", "URI", _S, "URI", "str*", "O O O O O"),
    _row("MD-180", "document_availability", "documentAvailability", _S, "documentAvailability", "Availability", "O O O O O"),
    _row("MD-129", "title", "title", Place.NAME, "", "InternationalString", "O O O O O"),
    _row("MD-106", "comments", "comments", Place.DESCRIPTION, "", "InternationalString", "O O O O O"),
    _row("MD-103", "authors", "author", _A, "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "Author*", "R2 R2 R2 R2 R2"),
    _row("MD-105", "class_code", "classCode", _C, "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a", "Code", "R R R R2 R"),
    _row("MD-107", "confidentiality_codes", "confidentialityCode", _C, "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f", "Code*", "R R R R2 R"),
    _row("MD-110", "event_codes", "eventCodeList", _C, "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4", "Code*", "O O O O O"),
    _row("MD-111", "format_code", "formatCode", _C, "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d", "Code", "R R R R2 R"),
    _row("MD-113", "healthcare_facility_type_code", "healthcareFacilityTypeCode", _C, "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "Code", "R R R R2 R"),
    _row("MD-121", "practice_setting_code", "practiceSettingCode", _C, "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead", "Code", "R R R R2 R"),
    _row("MD-130", "type_code", "typeCode", _C, "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983", "Code", "R R R R2 R"),
    _row("MD-117", "is_limited", "limitedMetadata", Place.NODE, "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85", "bool", "X X X R X"),
    _row("MD-120", "patient_id", "patientId", _I, "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", "CX", "R R R R2 R", "XDSDocumentEntry.patientId"),
    _row("MD-131", "unique_id", "uniqueId", _I, "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "Identifier", "R R R R R", "XDSDocumentEntry.uniqueId"),
)

SUBMISSION_SET = (
    _row("MD-142", "entry_uuid", "entryUUID", _X, "id", "str", "R R R R R"),
    _row("MD-139", "status", "availabilityStatus", _X, "status", "str", "O O O O R"),
    _row("MD-143", "home", "homeCommunityId", _X, "home", "HomeCommunityId", "O O O O O"),
    _row("MD-181", "logical_id", "logicalID", _X, "lid", "str", "O O O O R"),
    _row("MD-148", "submission_time", "submissionTime", _S, "submissionTime", "DTM", "R R R R R"),
    _row("MD-144", "intended_recipients", "intendedRecipient", _S, "intendedRecipient", "Recipient*", "O O O R2 O"),
    _row("MD-149", "title", "title", Place.NAME, "", "InternationalString", "O O O O O"),
    _row("MD-140", "comments", "comments", Place.DESCRIPTION, "", "InternationalString", "O O O O O"),
    _row("MD-138", "authors", "author", _A, "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d", "Author*", "R2 R2 R2 R2 R2"),
    _row("MD-141", "content_type_code", "contentTypeCode", _C, "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", "Code", "R R R R2 R"),
    _row("MD-145", "is_limited", "limitedMetadata", Place.NODE, "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707", "bool", "X X X R X"),
    _row("MD-146", "patient_id", "patientId", _I, "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "CX", "R R R R2 R", "XDSSubmissionSet.patientId"),
    _row("MD-147", "source_id", "sourceId", _I, "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832", "OID", "R R R R R", "XDSSubmissionSet.sourceId"),
    _row("MD-150", "unique_id", "uniqueId", _I, "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "OID", "R R R R R", "XDSSubmissionSet.uniqueId"),
)

FOLDER = (
    _row("MD-154", "entry_uuid", "entryUUID", _X, "id", "str", "R R R R R"),
    _row("MD-151", "status", "availabilityStatus", _X, "status", "str", "O O O O R"),
    _row("MD-155", "home", "homeCommunityId", _X, "home", "HomeCommunityId", "O O O O O"),
    _row("MD-178", "logical_id", "logicalID", _X, "lid", "str", "O O O O R"),
    _row("MD-156", "last_update_time", "lastUpdateTime", _S, "lastUpdateTime", "DTM", "O O O O O"),
    _row("MD-159", "title", "title", Place.NAME, "", "InternationalString", "R R R O R"),
    _row("MD-153", "comments", "comments", Place.DESCRIPTION, "", "InternationalString", "O O O O O"),
    _row("MD-152", "codes", "codeList", _C, "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5", "Code*", "R R R R2 R"),
    _row("MD-157", "is_limited", "limitedMetadata", Place.NODE, "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03", "bool", "X X X R X"),
    _row("MD-158", "patient_id", "patientId", _I, "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", "CX", "R R R R2 R", "XDSFolder.patientId"),
    _row("MD-160", "unique_id", "uniqueId", _I, "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a", "OID", "R R R R R", "XDSFolder.uniqueId"),
)

ASSOCIATION = (
    _row("MD-166", "entry_uuid", "id", _X, "id", "str", "R R R R R"),
    _row("MD-166", "association_type", "associationType", _X, "associationType", "str", "R R R R R"),
    _row("MD-166", "source_object", "sourceObject", _X, "sourceObject", "str", "R R R R R"),
    _row("MD-166", "target_object", "targetObject", _X, "targetObject", "str", "R R R R R"),
    _row("MD-166", "status", "availabilityStatus", _X, "status", "str", "O O O O R"),
    _row("MD-166", "home", "homeCommunityId", _X, "home", "HomeCommunityId", "O O O O O"),
    _row("MD-178", "logical_id", "logicalID", _X, "lid", "str", "O O O O R"),
    _row("MD-050", "submission_set_status", "SubmissionSetStatus", _S, "SubmissionSetStatus", "str", "O O O O O"),
    _row("MD-050", "previous_version", "PreviousVersion", _S, "PreviousVersion", "str", "O O O O O"),
    _row("MD-050", "association_propagation", "AssociationPropagation", _S, "AssociationPropagation", "str", "O O O O O"),
    _row("MD-051", "original_status", "OriginalStatus", _S, "OriginalStatus", "str", "O O O O O"),
    _row("MD-051", "new_status", "NewStatus", _S, "NewStatus", "str", "O O O O O"),
    _row("MD-166", "title", "Name", Place.NAME, "", "InternationalString", "O O O O O"),
    _row("MD-166", "comments", "Description", Place.DESCRIPTION, "", "InternationalString", "O O O O O"),
    _row("MD-174", "documentation", "associationDocumentation", _C, "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3", "Code", "O O O O O"),
)
# fmt: on

# sub-slots of an author Classification: slot name, field of Author, type (MD-048, MD-162);
# only authorPerson is limited to one value
AUTHOR_SLOTS = (
    ("authorPerson", "persons", "XCN"),
    ("authorInstitution", "institutions", "XON"),
    ("authorRole", "roles", "str"),
    ("authorSpecialty", "specialties", "str"),
    ("authorTelecommunication", "telecommunications", "XTN"),
)
CODING_SCHEME_SLOT = "codingScheme"
