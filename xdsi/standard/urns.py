"""Constants of metadata.md sections 1.1, 1.4 and 1.5 that are no attribute of one object kind.

Source: ITI TF-3 4.2.2, 4.2.4, 4.2.5 (MD-001 to MD-012, MD-032 to MD-044).
"""

from types import MappingProxyType

# how URNs of each kind begin (MD-066, MD-081, MD-090)
UUID_PREFIX = "urn:uuid:"
OID_PREFIX = "urn:oid:"
IHE_PREFIX = "urn:ihe:"

# object types (MD-001, MD-002, MD-008 to MD-011)
STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ON_DEMAND_DOCUMENT = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
REGISTRY_PACKAGE_TYPE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage"
ASSOCIATION_TYPE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"
CLASSIFICATION_TYPE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification"
EXTERNAL_IDENTIFIER_TYPE = (
    "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:ExternalIdentifier"
)

# classification nodes (MD-003 to MD-007)
SUBMISSION_SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER_NODE = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
LIMITED_METADATA_NODES = frozenset(
    {
        "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
        "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
        "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
    }
)

# association types (MD-032 to MD-040)
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
APND = "urn:ihe:iti:2007:AssociationType:APND"
XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
UPDATE_AVAILABILITY_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
SUBMIT_ASSOCIATION = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"

RELATIONSHIPS = frozenset({RPLC, XFRM, APND, XFRM_RPLC, SIGNS, IS_SNAPSHOT_OF})
REPLACEMENTS = frozenset({RPLC, XFRM_RPLC})

# availability, response status, severity (MD-041 to MD-044)
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
STATUSES = frozenset({APPROVED, DEPRECATED})
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
SEVERITY_ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
SEVERITY_WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
ONLINE = "urn:ihe:iti:2010:DocumentAvailability:Online"
OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Offline"

# the one scope of a removal (LC-121)
DELETE_ALL = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteAll"

# the SHA-1 of no octets: content of a delayed assembly (MD-136)
EMPTY_SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

# CXi.5 identifier types of referenceIdList; True: an assigning authority is demanded (MD-085)
REFERENCE_ID_TYPES = MappingProxyType(
    {
        "urn:ihe:iti:xds:2013:uniqueId": False,
        "urn:ihe:iti:xds:2013:accession": False,
        "urn:ihe:iti:xds:2013:referral": True,
        "urn:ihe:iti:xds:2013:order": True,
        "urn:ihe:iti:xdw:2013:workflowInstanceId": False,
        "urn:ihe:iti:xds:2016:studyInstanceUID": False,
        "urn:ihe:iti:xds:2015:encounterId": True,
    }
)
REFERENCE_ID_TYPES_WITHOUT_AUTHORITY = frozenset(
    {"urn:ihe:iti:xdw:2013:workflowInstanceId", "urn:ihe:iti:xds:2016:studyInstanceUID"}
)
ACCESSION = "urn:ihe:iti:xds:2013:accession"
ORDER = "urn:ihe:iti:xds:2013:order"
STUDY_INSTANCE_UID = "urn:ihe:iti:xds:2016:studyInstanceUID"
