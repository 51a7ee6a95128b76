"""The stored queries: parameters, what they compare with, what comes back.

How to read a row: a parameter names its `kind` of object ("" for any) and the `attribute` its
values are compared with by `test`; the text after it is its optionality (R or O), whether it takes
several values (M or -) and whether it may stand in several Slots that are AND-ed (AO). Different
parameters are always AND-ed. `either` are parameters of which exactly one must be given.
Source: ITI TF-2 3.18.4.1.2.3.7, 3.51.4.1.2.1; Metadata Update supplement (SQ-080 to SQ-196).
"""

from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from xdsi.standard import urns

LEAF_CLASS = "LeafClass"
OBJECT_REF = "ObjectRef"

# in the tables of ITI-18, but sent as AdhocQuery/@home (SQ-065)
HOME = "$homeCommunityId"
TARGETS = "$targetCommunityIdList"


class Comparison(Enum):
    """How a parameter's values select objects."""

    PATIENT = "patient identifier, equal"
    TEXT = "one of the texts"
    CODE = "one of the codes, written code^^scheme"
    LIKE = "matches one of the patterns with % and _ (SQ-038)"
    SINCE = "time at or after (SQ-030)"
    BEFORE = "time before (SQ-030)"
    STATUS = "one of the availability statuses (SQ-054)"
    TYPE = "one of the entry types; absent: Stable (SQ-055)"
    ASSOCIATION_TYPE = "one of the association types, full URN (SQ-162)"
    LEVEL = "1 or 2; 2 shows what later versions and updates have hidden (SQ-190 to SQ-193)"
    CONTENT = "as LIKE, but compared with the objects that the other parameters select (SQ-096)"
    AVAILABILITY = "one of the document availabilities; absent ones are Online (SQ-196)"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query. rule: id of its row in the requirements."""

    rule: str
    name: str
    kind: str
    attribute: str
    test: Comparison
    is_required: bool
    is_many: bool
    is_and_able: bool


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """One query.

    returns: kinds of objects in the answer
    either: parameters of which exactly one is given (SQ-053)
    some: parameters of which at least one is given (SQ-180, SQ-181)
    is_single_patient: LeafClass answers show one patient only (SQ-060)
    """

    rule: str
    name: str
    id: str
    returns: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    either: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    is_single_patient: bool = False


ENTRY, SET, FOLDER, ASSOCIATION = "DocumentEntry", "SubmissionSet", "Folder", "Association"


def _row(rule: str, name: str, kind: str, attribute: str, test: Comparison, how: str) -> Parameter:
    need, many, *and_able = how.split()
    return Parameter(
        rule, name, kind, attribute, test, need == "R", many == "M", and_able == ["AO"]
    )


def _range(rule: str, name: str, kind: str, attribute: str) -> tuple[Parameter, Parameter]:
    return (
        _row(rule, name + "From", kind, attribute, Comparison.SINCE, "O -"),
        _row(rule, name + "To", kind, attribute, Comparison.BEFORE, "O -"),
    )


_P, _T, _C = Comparison.PATIENT, Comparison.TEXT, Comparison.CODE
_DE = "$XDSDocumentEntry"

# fmt: off
_LEVEL = _row("SQ-190", "$MetadataLevel", "", "level", Comparison.LEVEL, "O -")
_LINKS = _row("SQ-195", "$XDSAssociationStatus", ASSOCIATION, "status", Comparison.STATUS, "O M")

_FIND_DOCUMENTS = (
    _row("SQ-100", _DE + "PatientId", ENTRY, "patient_id", _P, "R -"),
    _row("SQ-101", _DE + "ClassCode", ENTRY, "class_code", _C, "O M"),
    _row("SQ-102", _DE + "TypeCode", ENTRY, "type_code", _C, "O M"),
    _row("SQ-103", _DE + "PracticeSettingCode", ENTRY, "practice_setting_code", _C, "O M"),
    *_range("SQ-104", _DE + "CreationTime", ENTRY, "creation_time"),
    *_range("SQ-105", _DE + "ServiceStartTime", ENTRY, "service_start_time"),
    *_range("SQ-106", _DE + "ServiceStopTime", ENTRY, "service_stop_time"),
    _row("SQ-107", _DE + "HealthcareFacilityTypeCode", ENTRY, "healthcare_facility_type_code", _C, "O M"),
    _row("SQ-108", _DE + "EventCodeList", ENTRY, "event_codes", _C, "O M AO"),
    _row("SQ-109", _DE + "ConfidentialityCode", ENTRY, "confidentiality_codes", _C, "O M AO"),
    _row("SQ-110", _DE + "AuthorPerson", ENTRY, "authors", Comparison.LIKE, "O M"),
    _row("SQ-111", _DE + "FormatCode", ENTRY, "format_code", _C, "O M"),
    _row("SQ-112", _DE + "Status", ENTRY, "status", Comparison.STATUS, "R M"),
    _row("SQ-113", _DE + "Type", ENTRY, "object_type", Comparison.TYPE, "O M"),
    _row("SQ-196", _DE + "DocumentAvailability", ENTRY, "availability", Comparison.AVAILABILITY, "O M"),
    _LEVEL,
)

_ENTRY_IDS = (
    _row("SQ-150", _DE + "EntryUUID", ENTRY, "entry_uuid", _T, "O M"),
    _row("SQ-150", _DE + "UniqueId", ENTRY, "unique_id", _T, "O M"),
)
_ONE_ENTRY = (
    _row("SQ-157", _DE + "EntryUUID", ENTRY, "entry_uuid", _T, "O -"),
    _row("SQ-157", _DE + "UniqueId", ENTRY, "unique_id", _T, "O -"),
)


def _contents(rule: str) -> tuple[Parameter, ...]:
    """What limits the entries inside a set or a folder."""
    return (
        _row(rule, _DE + "FormatCode", ENTRY, "format_code", _C, "O M"),
        _row(rule, _DE + "ConfidentialityCode", ENTRY, "confidentiality_codes", _C, "O M AO"),
        _row(rule, _DE + "Type", ENTRY, "object_type", Comparison.TYPE, "O M"),
    )


def _either(parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    return tuple(each.name for each in parameters[:2])


FIND_DOCUMENTS = StoredQuery(
    "SQ-080", "FindDocuments", "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", (ENTRY,),
    _FIND_DOCUMENTS,
)
FIND_SUBMISSION_SETS = StoredQuery(
    "SQ-081", "FindSubmissionSets", "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9", (SET,),
    (
        _row("SQ-120", "$XDSSubmissionSetPatientId", SET, "patient_id", _P, "R -"),
        _row("SQ-121", "$XDSSubmissionSetSourceId", SET, "source_id", _T, "O M"),
        *_range("SQ-122", "$XDSSubmissionSetSubmissionTime", SET, "submission_time"),
        _row("SQ-123", "$XDSSubmissionSetAuthorPerson", SET, "authors", Comparison.LIKE, "O -"),
        _row("SQ-124", "$XDSSubmissionSetContentType", SET, "content_type_code", _C, "O M"),
        _row("SQ-125", "$XDSSubmissionSetStatus", SET, "status", Comparison.STATUS, "R M"),
    ),
)
FIND_FOLDERS = StoredQuery(
    "SQ-082", "FindFolders", "urn:uuid:958f3006-baad-4929-a4de-ff1114824431", (FOLDER,),
    (
        _row("SQ-130", "$XDSFolderPatientId", FOLDER, "patient_id", _P, "R -"),
        *_range("SQ-131", "$XDSFolderLastUpdateTime", FOLDER, "last_update_time"),
        _row("SQ-132", "$XDSFolderCodeList", FOLDER, "codes", _C, "O M AO"),
        _row("SQ-133", "$XDSFolderStatus", FOLDER, "status", Comparison.STATUS, "R M"),
        _LEVEL,
    ),
)
GET_ALL = StoredQuery(
    "SQ-083", "GetAll", "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",
    (ENTRY, SET, FOLDER, ASSOCIATION),
    (
        _row("SQ-140", "$patientId", "", "patient_id", _P, "R -"),
        _row("SQ-141", _DE + "Status", ENTRY, "status", Comparison.STATUS, "R M"),
        _row("SQ-142", "$XDSSubmissionSetStatus", SET, "status", Comparison.STATUS, "R M"),
        _row("SQ-143", "$XDSFolderStatus", FOLDER, "status", Comparison.STATUS, "R M"),
        _row("SQ-144", _DE + "FormatCode", ENTRY, "format_code", _C, "O M"),
        _row("SQ-145", _DE + "ConfidentialityCode", ENTRY, "confidentiality_codes", _C, "O M AO"),
        _row("SQ-146", _DE + "Type", ENTRY, "object_type", Comparison.TYPE, "O M"),
        _LINKS,
        _LEVEL,
    ),
)
_ENTRY_LID = _row("SQ-194", _DE + "LogicalID", ENTRY, "logical_id", _T, "O M")
GET_DOCUMENTS = StoredQuery(
    "SQ-084", "GetDocuments", "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", (ENTRY,),
    (*_ENTRY_IDS, _ENTRY_LID, _LEVEL), (*_either(_ENTRY_IDS), _ENTRY_LID.name),
    is_single_patient=True,
)
_FOLDER_IDS = (
    _row("SQ-151", "$XDSFolderEntryUUID", FOLDER, "entry_uuid", _T, "O M"),
    _row("SQ-151", "$XDSFolderUniqueId", FOLDER, "unique_id", _T, "O M"),
)
_FOLDER_LID = _row("SQ-194", "$XDSFolderLogicalID", FOLDER, "logical_id", _T, "O M")
GET_FOLDERS = StoredQuery(
    "SQ-085", "GetFolders", "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4", (FOLDER,),
    (*_FOLDER_IDS, _FOLDER_LID, _LEVEL), (*_either(_FOLDER_IDS), _FOLDER_LID.name),
    is_single_patient=True,
)
GET_ASSOCIATIONS = StoredQuery(
    "SQ-086", "GetAssociations", "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155", (ASSOCIATION,),
    (_row("SQ-152", "$uuid", "", "entry_uuid", _T, "R M"), _LINKS, _LEVEL),
)
GET_DOCUMENTS_AND_ASSOCIATIONS = StoredQuery(
    "SQ-087", "GetDocumentsAndAssociations", "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a",
    (ENTRY, ASSOCIATION), (*_ENTRY_IDS, _LINKS, _LEVEL), _either(_ENTRY_IDS),
    is_single_patient=True,
)
GET_SUBMISSION_SETS = StoredQuery(
    "SQ-088", "GetSubmissionSets", "urn:uuid:51224314-5390-4169-9b91-b1980040715a",
    (SET, ASSOCIATION),
    (_row("SQ-154", "$uuid", "", "entry_uuid", _T, "R M"), _LEVEL),
    is_single_patient=True,
)
_SET_CONTENTS = (
    _row("SQ-155", "$XDSSubmissionSetEntryUUID", SET, "entry_uuid", _T, "O -"),
    _row("SQ-155", "$XDSSubmissionSetUniqueId", SET, "unique_id", _T, "O -"),
    *_contents("SQ-155"),
    _LEVEL,
)
GET_SUBMISSION_SET_AND_CONTENTS = StoredQuery(
    "SQ-089", "GetSubmissionSetAndContents", "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
    (SET, ENTRY, FOLDER, ASSOCIATION), _SET_CONTENTS, _either(_SET_CONTENTS),
    is_single_patient=True,
)
_FOLDER_CONTENTS = (
    _row("SQ-156", "$XDSFolderEntryUUID", FOLDER, "entry_uuid", _T, "O -"),
    _row("SQ-156", "$XDSFolderUniqueId", FOLDER, "unique_id", _T, "O -"),
    *_contents("SQ-156"),
    _LINKS,
    _LEVEL,
)
GET_FOLDER_AND_CONTENTS = StoredQuery(
    "SQ-090", "GetFolderAndContents", "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7",
    (FOLDER, ENTRY, ASSOCIATION), _FOLDER_CONTENTS, _either(_FOLDER_CONTENTS),
    is_single_patient=True,
)
GET_FOLDERS_FOR_DOCUMENT = StoredQuery(
    "SQ-091", "GetFoldersForDocument", "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578", (FOLDER,),
    (*_ONE_ENTRY, _LINKS, _LEVEL), _either(_ONE_ENTRY),
)
GET_RELATED_DOCUMENTS = StoredQuery(
    "SQ-092", "GetRelatedDocuments", "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6",
    (ENTRY, ASSOCIATION),
    (
        *_ONE_ENTRY,
        _row("SQ-158", "$AssociationTypes", ASSOCIATION, "association_type", Comparison.ASSOCIATION_TYPE, "R M"),
        _row("SQ-158", _DE + "Type", ENTRY, "object_type", Comparison.TYPE, "O M"),
        _LINKS,
        _LEVEL,
    ),
    _either(_ONE_ENTRY),
)
FIND_DOCUMENTS_BY_REFERENCE_ID = StoredQuery(
    "SQ-093", "FindDocumentsByReferenceId", "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492", (ENTRY,),
    (
        *_FIND_DOCUMENTS,
        _row("SQ-170", _DE + "ReferenceIdList", ENTRY, "reference_ids", Comparison.LIKE, "R M AO"),
    ),
)
# of later extensions, for those who cannot do without
FIND_DOCUMENTS_BY_TITLE = StoredQuery(
    "SQ-096", "FindDocumentsByTitle", "urn:uuid:ab474085-82b5-402d-8115-3f37cb1e2405", (ENTRY,),
    (
        *_FIND_DOCUMENTS,
        _row("SQ-096", _DE + "Title", ENTRY, "title", Comparison.CONTENT, "R M"),
        _row("SQ-096", _DE + "AuthorInstitution", ENTRY, "author_institution", Comparison.CONTENT, "O M"),
    ),
)


def _of_several(query: StoredQuery, rule: str, name: str, id_: str, *some: str) -> StoredQuery:
    """A query for any number of patients, or none; some: what may stand for them."""
    patient, *others = query.parameters
    patients = replace(patient, rule=rule, is_required=False, is_many=True)
    names = (patient.name, *some)
    return replace(query, rule=rule, name=name, id=id_, parameters=(patients, *others), some=names)


FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS = _of_several(
    FIND_DOCUMENTS, "SQ-094", "FindDocumentsForMultiplePatients",
    "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f",
    _DE + "ClassCode", _DE + "EventCodeList", _DE + "HealthcareFacilityTypeCode",
)
FIND_FOLDERS_FOR_MULTIPLE_PATIENTS = _of_several(
    FIND_FOLDERS, "SQ-095", "FindFoldersForMultiplePatients",
    "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df", "$XDSFolderCodeList",
)
FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS = _of_several(
    FIND_DOCUMENTS_BY_REFERENCE_ID, "SQ-096", "FindDocumentsByReferenceIdForMultiplePatients",
    "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5", _DE + "ReferenceIdList",
)
# fmt: on

# the queries of ITI-18 by id
STORED_QUERIES = MappingProxyType(
    {
        query.id: query
        for query in (
            FIND_DOCUMENTS,
            FIND_SUBMISSION_SETS,
            FIND_FOLDERS,
            GET_ALL,
            GET_DOCUMENTS,
            GET_FOLDERS,
            GET_ASSOCIATIONS,
            GET_DOCUMENTS_AND_ASSOCIATIONS,
            GET_SUBMISSION_SETS,
            GET_SUBMISSION_SET_AND_CONTENTS,
            GET_FOLDER_AND_CONTENTS,
            GET_FOLDERS_FOR_DOCUMENT,
            GET_RELATED_DOCUMENTS,
            FIND_DOCUMENTS_BY_REFERENCE_ID,
            FIND_DOCUMENTS_BY_TITLE,
        )
    }
)

# the queries of ITI-51 by id
MULTI_PATIENT_QUERIES = MappingProxyType(
    {
        query.id: query
        for query in (
            FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS,
            FIND_FOLDERS_FOR_MULTIPLE_PATIENTS,
            FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS,
        )
    }
)

EVERY_QUERY = MappingProxyType({**STORED_QUERIES, **MULTI_PATIENT_QUERIES})

# what an option brings: parameters, else ignored (SQ-056, SQ-198), and queries, else unknown (SQ-173)
OPTION_PARAMETERS = MappingProxyType(
    {
        "on-demand": frozenset({_DE + "Type"}),
        "metadata-update": frozenset(
            parameter.name
            for query in EVERY_QUERY.values()
            for parameter in query.parameters
            if parameter.rule in ("SQ-190", "SQ-194", "SQ-195", "SQ-196")
        ),
    }
)
OPTION_QUERIES = MappingProxyType(
    {
        "reference-id": frozenset(
            {FIND_DOCUMENTS_BY_REFERENCE_ID, FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS}
        )
    }
)

# what the values of these tests may be; others are ignored (SQ-054)
ENTRY_TYPES = frozenset({urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT})
