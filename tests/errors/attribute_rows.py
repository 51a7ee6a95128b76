"""Rows about attributes: required ones, formats, codes (register.md 3.3)."""

from collections.abc import Iterator
from dataclasses import replace

from lxml import etree

from tests.errors.message import (
    FIRST,
    FOLDER,
    RELATION,
    SECOND,
    SET,
    Edit,
    attribute,
    child,
    code,
    edit,
    identifier,
    inner,
    limited,
    no_code,
    of_identifier,
    patients,
    slot,
    xml,
)
from tests.errors.table import ACCEPTED, METADATA, REPOSITORY, Error, Row, accepted, error, row

ENTRY, SET_, BOX = "DocumentEntry", "SubmissionSet", "Folder"
CODES = (
    "classCode",
    "confidentialityCode",
    "formatCode",
    "healthcareFacilityTypeCode",
    "practiceSettingCode",
    "typeCode",
)


def _no_title(element: etree._Element) -> None:
    child("Name")(element)


def _title(id_: str) -> Edit:
    return edit(lambda message: _no_title(message.object(id_)), f"{id_}.title")


# 2: required attributes, one message each

_ABSENT: tuple[tuple[str, str, str, Edit, Error | str | None], ...] = (
    *((ENTRY, FIRST, name, no_code(FIRST, name), None) for name in CODES),
    *(
        (ENTRY, FIRST, name, slot(FIRST, name), None)
        for name in ("creationTime", "languageCode", "sourcePatientId")
    ),
    # the repository adds them
    *(
        (ENTRY, FIRST, name, slot(FIRST, name), ACCEPTED)
        for name in ("hash", "size", "repositoryUniqueId")
    ),
    (ENTRY, FIRST, "mimeType", xml(FIRST, "mimeType", None), None),
    (ENTRY, FIRST, "objectType", xml(FIRST, "objectType", None), None),
    (ENTRY, FIRST, "patientId", identifier(FIRST, "patientId", None), None),
    (ENTRY, FIRST, "uniqueId", identifier(FIRST, "uniqueId", None),
        # it keeps documents by it
        error(REPOSITORY, "REG-070", FIRST, f"{FIRST} DocumentEntry.uniqueId", "missing")),
    (SET_, SET, "contentTypeCode", no_code(SET, "contentTypeCode"), None),
    (SET_, SET, "submissionTime", slot(SET, "submissionTime"), None),
    (SET_, SET, "patientId", identifier(SET, "patientId", None), None),
    (SET_, SET, "sourceId", identifier(SET, "sourceId", None), None),
    (SET_, SET, "uniqueId", identifier(SET, "uniqueId", None), None),
    (BOX, FOLDER, "codeList", no_code(FOLDER, "codeList"), None),
    (BOX, FOLDER, "title", _title(FOLDER), None),
    (BOX, FOLDER, "patientId", identifier(FOLDER, "patientId", None), None),
    (BOX, FOLDER, "uniqueId", identifier(FOLDER, "uniqueId", None), None),
    *(
        ("Association", RELATION, name, xml(RELATION, name, None), None)
        for name in ("associationType", "sourceObject", "targetObject")
    ),
)  # fmt: skip
_TABLES = {ENTRY: "2 DocumentEntry (Stable)", SET_: "2 SubmissionSet", BOX: "2 Folder"}


def _absent() -> Iterator[Row]:
    for kind, id_, name, change, at_41 in _ABSENT:
        found = error(METADATA, "REG-070", id_, f"{kind}.{name}", "required, missing; add")
        ids = f"REG-070; {_TABLES.get(kind, '2 Association')}"
        yield row(ids, f"{kind} without {name}", change, found, at_41=at_41)


# 3: formats

CX, DTM = "3 patientId, sourcePatientId (CX)", (
    "3 creationTime, serviceStartTime, serviceStopTime, submissionTime, lastUpdateTime (DTM)"
)  # fmt: skip
OID = "3 repositoryUniqueId, sourceId, SubmissionSet.uniqueId, Folder.uniqueId"
REFERENCES = "urn:ihe:iti:xds:2013:referenceIdList"
AVAILABLE = "urn:ihe:iti:2010:DocumentAvailability:Online"

# id, attribute, object, edit, value as the error shows it
_MALFORMED: tuple[tuple[str, str, str, Edit, str], ...] = (
    *(
        (CX, "sourcePatientId", FIRST, slot(FIRST, "sourcePatientId", value), value)
        for value in (
            "INVENTED-77",
            "x^^^1.2.3",
            "x^^^&abc&ISO",
            "x^^^&1.2.3&DNS",
            "x^^^NS&1.2.3&ISO",
            "^^^&1.2.3&ISO",
            "x^^^&1.2.3&ISO^MR",
        )
    ),
    *(
        (DTM, "creationTime", FIRST, slot(FIRST, "creationTime", value), value)
        for value in (
            "2024-01-02",
            "20240102030405+0100",
            "20240102030405.1",
            "202401020",
            "20240230",
            "2024010224",
        )
    ),
    (DTM, "serviceStartTime", FIRST, slot(FIRST, "serviceStartTime", "x"), "x"),
    (DTM, "serviceStopTime", FIRST, slot(FIRST, "serviceStopTime", "202"), "202"),
    (DTM, "submissionTime", SET, slot(SET, "submissionTime", "2024Z"), "2024Z"),
    (DTM, "lastUpdateTime", FOLDER, slot(FOLDER, "lastUpdateTime", "now"), "now"),
    ("3 languageCode", "languageCode", FIRST, slot(FIRST, "languageCode", ""), ""),
    (OID, "sourceId", SET, identifier(SET, "sourceId", "urn:oid:1.2.3"), "urn:oid:1.2.3"),
    (OID, "uniqueId", SET, identifier(SET, "uniqueId", "1.02.3"), "1.02.3"),
    (OID, "uniqueId", FOLDER, identifier(FOLDER, "uniqueId", "1." + "2" * 63), "1." + "2" * 63),
    ("3 homeCommunityId", "homeCommunityId", FIRST, xml(FIRST, "home", "1.2.3"), "1.2.3"),
    *(
        ("3 authorInstitution, XON", "authorInstitution", FIRST,
            code(FIRST, "author", inner("authorInstitution", value)), value)
        for value in ("^^^", "Clinic^^^^^^^^^abc", "Clinic^^^^^&abc&ISO^^^^7")
    ),
    ("3 authorPerson, legalAuthenticator (XCN)", "authorPerson", SET,
        code(SET, "author", inner("authorPerson", "^^Max")), "^^Max"),
    ("3 authorPerson, legalAuthenticator (XCN)", "legalAuthenticator", FIRST,
        slot(FIRST, "legalAuthenticator", "7^^^^^^^^&abc&ISO"), "7^^^^^^^^&abc&ISO"),
    *(
        ("3 intendedRecipient", "intendedRecipient", SET,
            slot(SET, "intendedRecipient", value), value)
        for value in ("||", "^^|", "||nobody", "|^^Max")
    ),
    ("3 authorTelecommunication (XTN)", "authorTelecommunication", FIRST,
        code(FIRST, "author", inner("authorTelecommunication", "^^Internet^erika")),
        "^^Internet^erika"),
    ("3 sourcePatientInfo", "sourcePatientInfo", FIRST,
        slot(FIRST, "sourcePatientInfo", "Example^Patient"), "Example^Patient"),
    ("3 documentAvailability", "documentAvailability", FIRST,
        slot(FIRST, "documentAvailability", "Online"), "Online"),
    *(
        ("3 referenceIdList", "referenceIdList", FIRST, slot(FIRST, REFERENCES, value), value)
        for value in (
            "2013001",
            "2013001^^^&1.2.3&ISO^",
            "2013001^x^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",
            "7^^^^urn:ihe:iti:xds:2013:order",
            "7^^^^urn:ihe:iti:xds:2013:referral",
            "7^^^^urn:ihe:iti:xds:2015:encounterId",
            "1.2.3^^^&1.2.3&ISO^urn:ihe:iti:xds:2016:studyInstanceUID",
            "1.2.3^^^&1.2.3&ISO^urn:ihe:iti:xdw:2013:workflowInstanceId",
            "7^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order^more",
        )
    ),
)  # fmt: skip


def _malformed() -> Iterator[Row]:
    for id_, name, obj, change, value in _MALFORMED:
        found = error(METADATA, "REG-071", obj, f".{name}: expected ", f"got '{value}'")
        yield row(f"REG-071; {id_}", f"{name} of {obj}: {value[:60]}", change, found)


# the value sets hold what the samples use
_OUTSIDE = tuple(
    replace(
        row(
            "REG-075; 3 codes",
            f"{name} outside of the domain",
            code(id_, name, attribute("nodeRepresentation", "none-such")),
            error(METADATA, "REG-075", id_, f".{name}: not accepted", "nearest", "'none-such^^"),
        )
    )
    for id_, names in (
        (FIRST, (*CODES, "eventCodeList")),
        (SET, ("contentTypeCode",)),
        (FOLDER, ("codeList",)),
    )
    for name in names
)

LIMITED = {
    FIRST: "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
    SET: "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
    FOLDER: "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
}

ROWS = (
    *_absent(),
    *_malformed(),
    *_OUTSIDE,
    # what identifiers, codes, authors consist of
    row("REG-071; 2 every ExternalIdentifier", "identifier without value",
        identifier(SET, "sourceId", ""), error(METADATA, "REG-071", SET, "SubmissionSet.sourceId")),
    row("REG-070; 2 every ExternalIdentifier", "identifier without Name",
        of_identifier(SET, "uniqueId", child("Name")),
        error(METADATA, "REG-070", SET, "SubmissionSet.uniqueId",
              "its Name is XDSSubmissionSet.uniqueId")),
    row("REG-071; 2 every coded Classification", "code without value",
        code(FIRST, "classCode", attribute("nodeRepresentation", "")),
        error(METADATA, "MD-094", FIRST, "DocumentEntry.classCode", "fill nodeRepresentation")),
    row("REG-071; 2 every coded Classification", "code without display name",
        code(FIRST, "typeCode", child("Name")),
        error(METADATA, "MD-094", FIRST, "DocumentEntry.typeCode", "display name missing")),
    row("REG-071; 2 every coded Classification", "code without scheme",
        code(FIRST, "formatCode", inner("codingScheme")),
        error(METADATA, "MD-094", FIRST, "DocumentEntry.formatCode", "Slot named codingScheme")),
    row("REG-071; 2 every coded Classification", "code of two schemes",
        code(FOLDER, "codeList", inner("codingScheme", "1.3.6.1.4.1.21367.2017.3", "1.2")),
        error(METADATA, "REG-071", FOLDER, "Folder.codeList.codingScheme", "got 2")),
    row("2 author Classification", "author without nodeRepresentation",
        code(FIRST, "author", attribute("nodeRepresentation", None)),
        error(METADATA, "MD-161", FIRST, "DocumentEntry.author", 'nodeRepresentation=""')),
    row("2 author Classification", "author of roles alone",
        code(SET, "author", lambda each: [
            inner(name)(each)
            for name in ("authorPerson", "authorInstitution", "authorTelecommunication")]),
        error(METADATA, "MD-163", SET, "SubmissionSet.author", "at least one of authorPerson")),
    # formats with more to say
    row(f"REG-071; {CX}", "patientId of the whole message malformed", patients("TEST-0001"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.patientId", "got 'TEST-0001'",
              also="REG-084")),
    row("REG-071; 3 hash", "hash that is no SHA-1", slot(FIRST, "hash", "abc"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.hash", "40 hexadecimal digits", "'abc'"),
        at_41=error(REPOSITORY, "REG-022", FIRST, "DocumentEntry.hash", "'abc'")),
    row("REG-071; 3 size", "negative size", slot(FIRST, "size", "-1"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.size", "'-1'"),
        at_41=error(REPOSITORY, "REG-023", FIRST, "DocumentEntry.size", "'-1'")),
    row("REG-071; 3 size", "size with a blank", slot(FIRST, "size", " 25"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.size", "' 25'"),
        at_41=error(REPOSITORY, "REG-023", FIRST, "DocumentEntry.size")),
    row("REG-071; 3 size", "broken size", slot(FIRST, "size", "25.0"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.size", "'25.0'"),
        at_41=error(REPOSITORY, "REG-023", FIRST, "DocumentEntry.size")),
    row("REG-071; 3 languageCode", "languageCode with underscore",
        slot(FIRST, "languageCode", "de_AT"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.languageCode", "'de_AT'", also="REG-075")),
    row(f"REG-071; {OID}", "repositoryUniqueId with prefix",
        slot(FIRST, "repositoryUniqueId", "urn:oid:1.2.3"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.repositoryUniqueId", "without prefix",
              also="REG-079"),
        at_41=ACCEPTED),
    row("REG-071; 3 DocumentEntry.uniqueId", "empty uniqueId", identifier(FIRST, "uniqueId", ""),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.uniqueId", "1 to 256 characters"),
        at_41=error(REPOSITORY, "SEC-T-112", FIRST, "DocumentEntry.uniqueId")),
    row("REG-071; 3 DocumentEntry.uniqueId", "uniqueId of 257 characters",
        identifier(FIRST, "uniqueId", "1" * 257),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.uniqueId", "1 to 256 characters",
              also="MD-073"),
        at_41=error(REPOSITORY, "SEC-T-112", FIRST, "DocumentEntry.uniqueId")),
    accepted("3 DocumentEntry.uniqueId", "opaque uniqueId",
        identifier(FIRST, "uniqueId", "anything; 'of' <any> form, " + "x" * 200)),
    row("REG-073; 3 serviceStartTime > serviceStopTime", "service that ends before it begins",
        slot(SECOND, "serviceStopTime", "2023"),
        error(METADATA, "REG-073", SECOND, "DocumentEntry.serviceStopTime", "'2023'")),
    row("3 sourcePatientInfo", "two dates of birth",
        slot(FIRST, "sourcePatientInfo", "PID-7|1970", "PID-7|1971"),
        error(METADATA, "MD-133", FIRST, "DocumentEntry.sourcePatientInfo", "PID-7 occurs 2")),
    row("3 sourcePatientInfo", "two sexes",
        slot(SECOND, "sourcePatientInfo", "PID-8|F", "PID-8|M"),
        error(METADATA, "MD-133", SECOND, "DocumentEntry.sourcePatientInfo", "PID-8 occurs 2")),
    accepted("3 sourcePatientInfo", "PID fields that should not be there",
        slot(FIRST, "sourcePatientInfo", "PID-2|x", "PID-4|x", "PID-12|x", "PID-19|x")),
    row("3 URI", "URI with doubled numbers", slot(FIRST, "URI", "1|a", "1|b"),
        error(METADATA, "MD-132", FIRST, "DocumentEntry.URI", "1|, 2|")),
    row("3 URI", "URI with a gap", slot(SECOND, "URI", "1|a", "3|b"),
        error(METADATA, "MD-132", SECOND, "DocumentEntry.URI", "1|, 2|")),
    row("REG-071; 3 documentAvailability", "two documentAvailabilities",
        slot(SECOND, "documentAvailability", AVAILABLE, AVAILABLE),
        error(METADATA, "REG-071", SECOND, "documentAvailability", "one value allowed, got 2")),
    # the domain
    *(
        row("REG-072", f"limited metadata of {id_}", limited(id_, node),
            error(METADATA, "REG-072", id_, "limitedMetadata", "must not be present"))
        for id_, node in LIMITED.items()
    ),
    row("REG-074; 3 codes", "mimeType outside of the domain", xml(FIRST, "mimeType", "text/goofy"),
        error(METADATA, "REG-074", FIRST, "DocumentEntry.mimeType", "'text/goofy'", "text/plain")),
    row("REG-075; 3 codes", "scheme outside of the domain",
        code(FIRST, "eventCodeList", inner("codingScheme", "1.2.3.4")),
        error(METADATA, "REG-075", FIRST, "DocumentEntry.eventCodeList", "'CT^^1.2.3.4'",
              "accepted in scheme 1.2.840.10008.2.16.4")),
    row("REG-075", "language outside of the domain", slot(SECOND, "languageCode", "fr"),
        error(METADATA, "REG-075", SECOND, "DocumentEntry.languageCode", "'fr'")),
    accepted("3 codes", "another display name",
        code(FIRST, "classCode", lambda each: each.find(".//{*}LocalizedString").set(
            "value", "Befunde"))),
    row("REG-079", "repository outside of the domain", slot(SECOND, "repositoryUniqueId", "1.2.9"),
        error(METADATA, "REG-079", SECOND, "DocumentEntry.repositoryUniqueId", "'1.2.9'"),
        at_41=ACCEPTED),
)  # fmt: skip
