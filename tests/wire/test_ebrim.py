"""Registry objects in ebRIM: out and back, their place in the schema, pieces for the registry."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import samples, strategies
from xdsi.model.ids import with_ids
from xdsi.model.messages import QueryAnswer
from xdsi.model.objects import (
    Association,
    DocumentEntry,
    Folder,
    Fragment,
    InternationalString,
    LocalizedString,
    ObjectRef,
    RegistryObject,
    Slot,
    SubmissionSet,
)
from xdsi.model.values import CX, DTM, SHA1, Availability, HomeCommunityId, is_uuid
from xdsi.standard import attributes, urns
from xdsi.standard.attributes import Attribute
from xdsi.standard.namespaces import RIM
from xdsi.wire import ebrim, query
from xdsi.wire.ebrim_reader import objects_from_list

NS = {"rim": RIM}


def listed(*elements: bytes) -> etree._Element:
    """A RegistryObjectList around elements."""
    head = f'<rim:RegistryObjectList xmlns:rim="{RIM}">'.encode()
    return etree.fromstring(head + b"".join(elements) + b"</rim:RegistryObjectList>")


def read(*elements: bytes) -> tuple[Any, ...]:
    """The objects; asserts that nothing was found wrong."""
    found, findings = objects_from_list(listed(*elements))
    assert [str(one) for one in findings] == []
    return found


def element(obj: RegistryObject, *, answered: bool = False) -> etree._Element:
    return listed(ebrim.to_fragment(obj) if answered else ebrim.to_request(obj))[0]


@pytest.mark.proves("MD-101", "MD-102", "MD-080")
@given(strategies.objects)
@settings(max_examples=60, deadline=None)
def test_object_comes_back_as_it_was_sent(obj: RegistryObject) -> None:
    assert read(ebrim.to_request(obj)) == (obj,)


@given(strategies.objects)
@settings(max_examples=40, deadline=None)
def test_request_form_is_valid(schema: etree.XMLSchema, obj: RegistryObject) -> None:
    schema.assertValid(listed(ebrim.to_request(obj)))


@given(strategies.objects)
@settings(max_examples=40, deadline=None)
def test_answered_form_is_valid(schema: etree.XMLSchema, obj: RegistryObject) -> None:
    schema.assertValid(listed(ebrim.to_fragment(obj)))


@pytest.mark.proves("SQ-071", "MD-117")
@given(strategies.objects)
@settings(max_examples=60, deadline=None)
def test_answer_says_what_was_registered(obj: RegistryObject) -> None:
    """Only what the registry sets is added, and the limitedMetadata label is gone."""
    (found,) = read(ebrim.to_fragment(obj))
    expected: dict[str, Any] = {
        "logical_id": obj.logical_id or obj.entry_uuid,
        "version": obj.version or "1",
    }
    if not isinstance(obj, Association):
        expected["is_limited"] = False
    assert found == replace(obj, **expected)


SCHEMES = [
    # rule, kind, field, classificationScheme as the framework prints it
    ("MD-013", DocumentEntry, "authors", "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"),
    ("MD-014", DocumentEntry, "class_code", "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"),
    (
        "MD-015",
        DocumentEntry,
        "confidentiality_codes",
        "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    ),
    ("MD-016", DocumentEntry, "event_codes", "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"),
    ("MD-017", DocumentEntry, "format_code", "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"),
    (
        "MD-018",
        DocumentEntry,
        "healthcare_facility_type_code",
        "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    ),
    (
        "MD-019",
        DocumentEntry,
        "practice_setting_code",
        "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    ),
    ("MD-020", DocumentEntry, "type_code", "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"),
    ("MD-021", SubmissionSet, "authors", "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"),
    (
        "MD-022",
        SubmissionSet,
        "content_type_code",
        "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
    ),
    ("MD-023", Folder, "codes", "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"),
    ("MD-024", Association, "documentation", "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"),
]
IDENTIFIERS = [
    # rule, kind, field, identificationScheme, fixed Name
    (
        "MD-025",
        DocumentEntry,
        "patient_id",
        "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
        "XDSDocumentEntry.patientId",
    ),
    (
        "MD-026",
        DocumentEntry,
        "unique_id",
        "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
        "XDSDocumentEntry.uniqueId",
    ),
    (
        "MD-027",
        SubmissionSet,
        "patient_id",
        "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
        "XDSSubmissionSet.patientId",
    ),
    (
        "MD-028",
        SubmissionSet,
        "source_id",
        "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
        "XDSSubmissionSet.sourceId",
    ),
    (
        "MD-029",
        SubmissionSet,
        "unique_id",
        "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
        "XDSSubmissionSet.uniqueId",
    ),
    (
        "MD-030",
        Folder,
        "patient_id",
        "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
        "XDSFolder.patientId",
    ),
    (
        "MD-031",
        Folder,
        "unique_id",
        "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a",
        "XDSFolder.uniqueId",
    ),
]


def full(kind: type) -> Any:
    """An object of the kind with every attribute filled."""
    entry = samples.full_document_entry()
    given = {
        DocumentEntry: entry,
        SubmissionSet: samples.submission_set(),
        Folder: samples.folder(),
        Association: samples.association(
            urns.RPLC, entry, samples.new_uuid(), documentation=samples.CORRECTED
        ),
    }
    return given[kind]


@pytest.mark.parametrize(
    ("kind", "name", "scheme"),
    [pytest.param(*row, marks=pytest.mark.proves(rule), id=rule) for rule, *row in SCHEMES],
)
def test_classification_scheme(kind: type, name: str, scheme: str) -> None:
    obj = full(kind)
    value = getattr(obj, name)
    found = element(obj).findall(f"rim:Classification[@classificationScheme='{scheme}']", NS)
    assert len(found) == (len(value) if isinstance(value, tuple) else 1)
    assert {one.get("classifiedObject") for one in found} == {obj.entry_uuid}


@pytest.mark.parametrize(
    ("kind", "name", "scheme", "label"),
    [pytest.param(*row, marks=pytest.mark.proves(rule), id=rule) for rule, *row in IDENTIFIERS],
)
def test_identification_scheme(kind: type, name: str, scheme: str, label: str) -> None:
    obj = full(kind)
    (found,) = element(obj).findall(f"rim:ExternalIdentifier[@identificationScheme='{scheme}']", NS)
    assert found.get("value") == str(getattr(obj, name))
    assert found.get("registryObject") == obj.entry_uuid
    assert found.find("rim:Name/rim:LocalizedString", NS).get("value") == label


SLOTS = [
    ("MD-045", DocumentEntry, "creation_time", "creationTime"),
    ("MD-045", DocumentEntry, "hash", "hash"),
    ("MD-045", DocumentEntry, "language_code", "languageCode"),
    ("MD-045", DocumentEntry, "legal_authenticator", "legalAuthenticator"),
    ("MD-045", DocumentEntry, "repository_unique_id", "repositoryUniqueId"),
    ("MD-045", DocumentEntry, "service_start_time", "serviceStartTime"),
    ("MD-045", DocumentEntry, "service_stop_time", "serviceStopTime"),
    ("MD-045", DocumentEntry, "size", "size"),
    ("MD-045", DocumentEntry, "source_patient_id", "sourcePatientId"),
    ("MD-045", DocumentEntry, "source_patient_info", "sourcePatientInfo"),
    ("MD-045", DocumentEntry, "uri", "URI"),
    ("MD-045", DocumentEntry, "reference_ids", "urn:ihe:iti:xds:2013:referenceIdList"),
    ("MD-045", DocumentEntry, "document_availability", "documentAvailability"),
    ("MD-046", SubmissionSet, "submission_time", "submissionTime"),
    ("MD-046", SubmissionSet, "intended_recipients", "intendedRecipient"),
    ("MD-047", Folder, "last_update_time", "lastUpdateTime"),
    ("MD-050", Association, "submission_set_status", "SubmissionSetStatus"),
    ("MD-050", Association, "previous_version", "PreviousVersion"),
    ("MD-050", Association, "association_propagation", "AssociationPropagation"),
    ("MD-051", Association, "original_status", "OriginalStatus"),
    ("MD-051", Association, "new_status", "NewStatus"),
]
GIVEN = {
    "last_update_time": DTM("20240102030405"),
    "document_availability": Availability(urns.ONLINE),
    "submission_set_status": "Original",
    "previous_version": "1",
    "association_propagation": "yes",
    "original_status": urns.APPROVED,
    "new_status": urns.DEPRECATED,
}


@pytest.mark.parametrize(
    ("kind", "name", "slot"),
    [pytest.param(*row, marks=pytest.mark.proves(rule), id=row[2]) for rule, *row in SLOTS],
)
def test_slot_name(kind: type, name: str, slot: str) -> None:
    obj = full(kind)
    if name in GIVEN:
        obj = replace(obj, **{name: GIVEN[name]})
    value = getattr(obj, name)
    texts = [one.text for one in element(obj).findall(f"rim:Slot[@name='{slot}']//rim:Value", NS)]
    assert texts == [str(one) for one in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.proves("MD-048", "MD-161", "MD-162")
def test_author_is_one_classification_with_its_slots() -> None:
    found = element(samples.document_entry()).find(
        "rim:Classification[@classificationScheme='urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d']",
        NS,
    )
    assert found.get("nodeRepresentation") == ""
    assert [slot.get("name") for slot in found.findall("rim:Slot", NS)] == [
        "authorPerson",
        "authorInstitution",
        "authorRole",
        "authorSpecialty",
        "authorTelecommunication",
    ]
    assert len(found.findall("rim:Slot[@name='authorInstitution']//rim:Value", NS)) == 2


@pytest.mark.proves("MD-049")
def test_code_holds_its_scheme_in_a_slot_and_its_display_name_as_name() -> None:
    found = element(samples.document_entry()).find(
        "rim:Classification[@classificationScheme='urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a']",
        NS,
    )
    assert found.get("nodeRepresentation") == "REPORTS"
    assert found.findtext("rim:Slot[@name='codingScheme']//rim:Value", None, NS) == (
        "1.3.6.1.4.1.19376.1.2.6.1"
    )
    assert found.find("rim:Name/rim:LocalizedString", NS).get("value") == "Reports"


PACKAGE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage"
KINDS = [
    pytest.param(
        samples.document_entry(),
        "ExtrinsicObject",
        "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        None,
        marks=pytest.mark.proves("MD-001", "MD-052"),
        id="stable entry",
    ),
    pytest.param(
        samples.document_entry(object_type=urns.ON_DEMAND_DOCUMENT),
        "ExtrinsicObject",
        "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",
        None,
        marks=pytest.mark.proves("MD-002"),
        id="on-demand entry",
    ),
    pytest.param(
        samples.submission_set(),
        "RegistryPackage",
        PACKAGE,
        "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
        marks=pytest.mark.proves("MD-003", "MD-008"),
        id="submission set",
    ),
    pytest.param(
        samples.folder(),
        "RegistryPackage",
        PACKAGE,
        "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2",
        marks=pytest.mark.proves("MD-004", "MD-008", "SQ-072"),
        id="folder",
    ),
    pytest.param(
        samples.has_member("a", "b"),
        "Association",
        "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association",
        None,
        marks=pytest.mark.proves("MD-009"),
        id="association",
    ),
]


@pytest.mark.parametrize(("obj", "name", "type_", "label"), KINDS)
@pytest.mark.parametrize("answered", [False, True], ids=["sent", "answered"])
def test_kind_of_object(
    obj: RegistryObject, name: str, type_: str, label: str | None, answered: bool
) -> None:
    found = element(obj, answered=answered)
    assert found.tag == f"{{{RIM}}}{name}"
    assert found.get("objectType") == type_
    nodes = [one.get("classificationNode") for one in found.findall("rim:Classification", NS)]
    assert [node for node in nodes if node] == ([label] if label else [])


@pytest.mark.parametrize(
    ("make", "node"),
    [
        pytest.param(
            samples.document_entry,
            "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
            marks=pytest.mark.proves("MD-005"),
            id="entry",
        ),
        pytest.param(
            samples.submission_set,
            "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
            marks=pytest.mark.proves("MD-006", "MD-145"),
            id="set",
        ),
        pytest.param(
            samples.folder,
            "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
            marks=pytest.mark.proves("MD-007", "MD-157"),
            id="folder",
        ),
    ],
)
@pytest.mark.proves("MD-117")
def test_limited_metadata_is_a_label_that_answers_leave_out(make: Any, node: str) -> None:
    obj = make(is_limited=True)
    path = f"rim:Classification[@classificationNode='{node}']"
    assert element(obj).find(path, NS).get("classifiedObject") == obj.entry_uuid
    assert element(obj, answered=True).find(path, NS) is None
    assert read(ebrim.to_request(obj)) == (obj,)


# What these say of the registry's or the repository's doings is proved there.
BEHAVIOUR = {"MD-104", "MD-112", "MD-123", "MD-139", "MD-151", "MD-156", "MD-178"}
ROWS = [
    pytest.param(
        kind,
        row,
        marks=() if row.rule in BEHAVIOUR else (pytest.mark.proves(row.rule),),
        id=f"{kind.__name__} {row.ihe}",
    )
    for kind, rows in (
        (DocumentEntry, attributes.DOCUMENT_ENTRY),
        (SubmissionSet, attributes.SUBMISSION_SET),
        (Folder, attributes.FOLDER),
        (Association, attributes.ASSOCIATION),
    )
    for row in rows
]
BARE: dict[type, Any] = {
    DocumentEntry: DocumentEntry(entry_uuid="e1"),
    SubmissionSet: SubmissionSet(entry_uuid="s1"),
    Folder: Folder(entry_uuid="f1"),
    Association: samples.has_member("s1", "e1"),
}


@pytest.mark.parametrize(("kind", "row"), ROWS)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_each_attribute_alone_is_carried(kind: type, row: Attribute, data: st.DataObject) -> None:
    """With all its values where the table allows several."""
    value = data.draw(strategies.attribute(row))
    if row.many:
        value += data.draw(strategies.attribute(row))
    obj = replace(BARE[kind], **{row.name: value})
    assert read(ebrim.to_request(obj)) == (obj,)


ORDER = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]


@pytest.mark.parametrize("kind", [DocumentEntry, SubmissionSet, Folder, Association])
def test_children_stand_in_schema_order(kind: type) -> None:
    obj = replace(full(kind), comments=InternationalString.of("why"), version="2")
    for found in (element(obj), element(obj, answered=True)):
        ranks = [ORDER.index(etree.QName(child).localname) for child in found]
        assert ranks == sorted(ranks)


@pytest.mark.proves("MD-010", "MD-011", "MD-012")
def test_nested_objects_always_tell_their_type() -> None:
    found = element(full(DocumentEntry), answered=True)
    classes = {one.get("objectType") for one in found.findall("rim:Classification", NS)}
    assert classes == {"urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification"}
    identifiers = {one.get("objectType") for one in found.findall("rim:ExternalIdentifier", NS)}
    assert identifiers == {
        "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:ExternalIdentifier"
    }


@pytest.mark.proves("MD-181", "SQ-070")
@pytest.mark.parametrize("kind", [DocumentEntry, SubmissionSet, Folder, Association])
def test_answer_has_lid_and_first_version(kind: type) -> None:
    obj = full(kind)
    found = element(obj, answered=True)
    assert found.get("lid") == obj.entry_uuid
    assert found.find("rim:VersionInfo", NS).get("versionName") == "1"
    sent = element(obj)
    assert sent.get("lid") is None
    assert sent.find("rim:VersionInfo", NS) is None


def test_answer_keeps_a_later_version() -> None:
    lid = samples.new_uuid()
    found = element(samples.document_entry(logical_id=lid, version="3"), answered=True)
    assert (found.get("lid"), found.find("rim:VersionInfo", NS).get("versionName")) == (lid, "3")


def test_answer_holds_uuids_only() -> None:
    """Symbolic ids of nested objects go, UUIDs stay."""
    kept = samples.new_uuid()
    obj = samples.document_entry(
        class_code=replace(samples.REPORTS, id="cl01"),
        type_code=replace(samples.REPORT, id=kept),
        identifier_ids=(("patient_id", "ei01"),),
    )
    ids = [one.get("id") for one in element(obj, answered=True) if one.get("id") is not None]
    assert all(is_uuid(id_) for id_ in ids)
    assert kept in ids
    assert len(set(ids)) == len(ids)


def test_request_keeps_ids_as_they_came() -> None:
    obj = samples.document_entry(
        entry_uuid="Document01",
        class_code=replace(samples.REPORTS, id="cl01"),
        identifier_ids=(("patient_id", "ei01"), ("unique_id", "ei02")),
    )
    found = element(obj)
    ids = {one.get("id") for one in found}
    assert {"cl01", "ei01", "ei02"} <= ids
    assert {one.get("registryObject") for one in found.findall("rim:ExternalIdentifier", NS)} == {
        "Document01"
    }


PIECES = [with_ids(samples.submission([samples.full_document_entry()], folders=[samples.folder()]))]
WHOLE = [
    pytest.param(
        replace(
            PIECES[0].entries[0],
            status=urns.APPROVED,
            document_availability=Availability(urns.OFFLINE),
            home=HomeCommunityId("urn:oid:1.2.3"),
        ),
        id="entry",
    ),
    pytest.param(replace(PIECES[0].submission_set, status=urns.APPROVED), id="set"),
    pytest.param(
        replace(
            PIECES[0].folders[0],
            status=urns.DEPRECATED,
            last_update_time=DTM("20240102030405"),
            version="4",
        ),
        id="folder",
    ),
    pytest.param(replace(PIECES[0].associations[0], status=urns.APPROVED), id="association"),
]


@pytest.mark.parametrize("obj", WHOLE)
def test_pieces_make_the_whole(schema: etree.XMLSchema, obj: Any) -> None:
    """What a registry joins from columns and stored bytes says what `to_fragment` says."""
    kind = type(obj)
    patient = None if kind is Association else str(obj.patient_id)
    joined = b"".join(
        (
            ebrim.start_tag(
                kind,
                id=obj.entry_uuid,
                lid=obj.entry_uuid,
                status=obj.status,
                home=None if obj.home is None else str(obj.home),
                object_type=getattr(obj, "object_type", None),
                mime_type=getattr(obj, "mime_type", None),
                association_type=getattr(obj, "association_type", None),
                source=getattr(obj, "source_object", None),
                target=getattr(obj, "target_object", None),
            ),
            ebrim.volatile_slots(
                last_update_time=getattr(obj, "last_update_time", None) and "20240102030405",
                document_availability=getattr(obj, "document_availability", None) and urns.OFFLINE,
            ),
            ebrim.children(obj),
            ebrim.patient_identifier(kind, obj.entry_uuid, patient, ebrim.identifier_id(obj)),
            ebrim.end_tag(kind),
        )
    )
    schema.assertValid(listed(joined))
    assert etree.tostring(listed(joined), method="c14n") == etree.tostring(
        listed(ebrim.to_fragment(obj)), method="c14n"
    )


def test_children_hold_nothing_that_may_change() -> None:
    entry = samples.document_entry(document_availability=Availability(urns.ONLINE))
    box = samples.folder(last_update_time=DTM("20240102030405"))
    stored = ebrim.children(entry) + ebrim.children(box)
    for changing in (
        b"documentAvailability",
        b"lastUpdateTime",
        b"patientId",
        str(samples.PATIENT),
    ):
        assert (changing if isinstance(changing, bytes) else changing.encode()) not in stored


@pytest.mark.proves("MD-087", "MD-092")
def test_values_come_back_to_the_letter() -> None:
    """Short times, upper-case hashes, blanks and unknown characters alike."""
    obj = samples.document_entry(
        creation_time=DTM("2024"),
        hash=SHA1("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
        patient_id=CX(" a&b<c>'\"^^^&1.2&ISO "),
        title=InternationalString(
            (
                LocalizedString("  two\n lines\tand a tab ", "en", "UTF-8"),
                LocalizedString("Ä", "de"),
                LocalizedString("𝔘", None),
            )
        ),
        extra=(
            Slot("urn:example:empty", ()),
            Slot("urn:example:lines", ("a\r\nb", "", "  "), "urn:example:type"),
        ),
    )
    assert read(ebrim.to_request(obj)) == (obj,)
    found = read(ebrim.to_fragment(obj))[0]
    assert replace(found, version=None, logical_id=None) == obj


@pytest.mark.proves("MD-074")
def test_long_comments_are_not_cut() -> None:
    obj = samples.document_entry(comments=InternationalString.of("x" * 5000))
    assert read(ebrim.to_request(obj)) == (obj,)


def test_text_that_no_xml_carries_is_refused() -> None:
    with pytest.raises(ValueError, match=r"U\+0000"):
        ebrim.to_request(samples.document_entry(mime_type="text/\x00"))


def test_fragment_needs_the_prefix_rim_only() -> None:
    answer = query.answer_to_xml(
        QueryAnswer((Fragment(ebrim.to_fragment(full(DocumentEntry))), ObjectRef("urn:x:1")))
    )
    root = etree.fromstring(b"".join(answer))  # type: ignore[arg-type]
    assert {one.prefix for one in root.iter(f"{{{RIM}}}*")} == {"rim"}
