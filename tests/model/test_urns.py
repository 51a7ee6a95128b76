"""Constants, as the framework prints them."""

import pytest

from xdsi.standard import urns

_TYPE = "urn:oasis:names:tc:ebxml-regrep:"
CONSTANTS = [
    ("MD-001", urns.STABLE_DOCUMENT, "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"),
    ("MD-002", urns.ON_DEMAND_DOCUMENT, "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"),
    ("MD-003", urns.SUBMISSION_SET_NODE, "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"),
    ("MD-004", urns.FOLDER_NODE, "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"),
    ("MD-008", urns.REGISTRY_PACKAGE_TYPE, _TYPE + "ObjectType:RegistryObject:RegistryPackage"),
    ("MD-009", urns.ASSOCIATION_TYPE, _TYPE + "ObjectType:RegistryObject:Association"),
    ("MD-010", urns.CLASSIFICATION_TYPE, _TYPE + "ObjectType:RegistryObject:Classification"),
    (
        "MD-011",
        urns.EXTERNAL_IDENTIFIER_TYPE,
        _TYPE + "ObjectType:RegistryObject:ExternalIdentifier",
    ),
    ("MD-032", urns.HAS_MEMBER, _TYPE + "AssociationType:HasMember"),
    ("MD-033", urns.RPLC, "urn:ihe:iti:2007:AssociationType:RPLC"),
    ("MD-034", urns.XFRM, "urn:ihe:iti:2007:AssociationType:XFRM"),
    ("MD-035", urns.APND, "urn:ihe:iti:2007:AssociationType:APND"),
    ("MD-036", urns.XFRM_RPLC, "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"),
    ("MD-037", urns.SIGNS, "urn:ihe:iti:2007:AssociationType:signs"),
    ("MD-038", urns.IS_SNAPSHOT_OF, "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"),
    (
        "MD-039",
        urns.UPDATE_AVAILABILITY_STATUS,
        "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus",
    ),
    ("MD-040", urns.SUBMIT_ASSOCIATION, "urn:ihe:iti:2010:AssociationType:SubmitAssociation"),
    ("MD-041", urns.APPROVED, _TYPE + "StatusType:Approved"),
    ("MD-041", urns.DEPRECATED, _TYPE + "StatusType:Deprecated"),
    ("MD-042", urns.SUCCESS, _TYPE + "ResponseStatusType:Success"),
    ("MD-042", urns.FAILURE, _TYPE + "ResponseStatusType:Failure"),
    ("MD-042", urns.PARTIAL_SUCCESS, "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"),
    ("MD-043", urns.SEVERITY_ERROR, _TYPE + "ErrorSeverityType:Error"),
    ("MD-043", urns.SEVERITY_WARNING, _TYPE + "ErrorSeverityType:Warning"),
    ("MD-044", urns.ONLINE, "urn:ihe:iti:2010:DocumentAvailability:Online"),
    ("MD-044", urns.OFFLINE, "urn:ihe:iti:2010:DocumentAvailability:Offline"),
]


@pytest.mark.parametrize(
    ("constant", "text"),
    [
        pytest.param(constant, text, marks=pytest.mark.proves(rule), id=f"{rule} {text[-12:]}")
        for rule, constant, text in CONSTANTS
    ],
)
def test_constant(constant: str, text: str) -> None:
    assert constant == text
