"""The rules as a table: a good submission, its smallest edit, and what is said about it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from registry import rules
from registry.known import Domain, Known
from registry.schema import Kind, PatientState, Status
from registry.unit import Claim, Stored, StoredPatient
from tests import samples
from xdsi.model.errors import (
    UnresolvedReferenceException,
    XDSError,
    XDSPatientIdDoesNotMatch,
    XDSRegistryDeprecatedDocumentError,
    XDSRegistryDuplicateUniqueIdInMessage,
    XDSRegistryMetadataError,
    XDSUnknownPatientId,
)
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry
from xdsi.model.values import CX, DTM, OID, Identifier
from xdsi.standard import rules as explained
from xdsi.standard import urns

ENTRY, SECOND, FOLDER, SET = (
    samples.document_entry(),
    samples.document_entry(),
    samples.folder(),
    samples.submission_set(),
)
GOOD = samples.submission([ENTRY, SECOND], folders=[FOLDER], filed=[(FOLDER, ENTRY)], set_=SET)
MEMBERSHIP, _, FOLDER_MEMBERSHIP, FILING_MEMBERSHIP, FILING = GOOD.associations

# objects of a registry that knows the patients of the samples
OLD, OLD_FOLDER, OLD_SET, ON_DEMAND, OLD_LINK = (samples.new_uuid() for _ in range(5))
PATIENTS = {
    str(cx): StoredPatient(number, str(cx), PatientState.ACTIVE)
    for number, cx in enumerate((samples.PATIENT, samples.OTHER_PATIENT))
}


def stored(uuid: str, kind: Kind, **changes: object) -> Stored:
    one = Stored(1, uuid, kind, Status.APPROVED, False, str(samples.PATIENT))
    return replace(one, **changes)  # type: ignore[arg-type]


OBJECTS = {
    OLD: stored(OLD, Kind.DOCUMENT_ENTRY),
    OLD_FOLDER: stored(OLD_FOLDER, Kind.FOLDER),
    OLD_SET: stored(OLD_SET, Kind.SUBMISSION_SET),
    ON_DEMAND: stored(ON_DEMAND, Kind.DOCUMENT_ENTRY, is_on_demand=True),
    OLD_LINK: stored(OLD_LINK, Kind.ASSOCIATION, cx=None),
}
KNOWN = Known(patients=PATIENTS, objects=OBJECTS)

Edit = Callable[[Submission], Submission]
Expected = list[tuple[type[XDSError], str]]

METADATA = XDSRegistryMetadataError
STRANGER = samples.new_patient()
UNRESOLVED = UnresolvedReferenceException


def findings(submission: Submission, known: Known = KNOWN, domain: Domain = Domain()) -> Expected:
    found = (
        *rules.of_size(submission, domain),
        *rules.of_message(submission, domain),
        *rules.of_registry(submission, known, domain),
    )
    # every finding can be looked up and names the object as sent, or the whole submission
    ids = {each.entry_uuid for each in rules.objects_of(submission)} | {""}
    assert all(each.rule in explained.RULES and each.location in ids for each in found), found
    assert all(each.context.isprintable() for each in found)
    return [(type(each), each.rule) for each in found]


def entry(**changes: object) -> Edit:
    """Change the first entry."""
    return lambda sent: replace(
        sent,
        entries=(replace(sent.entries[0], **changes), *sent.entries[1:]),  # type: ignore[arg-type]
    )


def set_(**changes: object) -> Edit:
    return lambda sent: replace(
        sent, submission_sets=(replace(sent.submission_set, **changes),)  # type: ignore[arg-type]
    )  # fmt: skip


def folder(**changes: object) -> Edit:
    return lambda sent: replace(
        sent, folders=(replace(sent.folders[0], **changes),)  # type: ignore[arg-type]
    )  # fmt: skip


def without(*associations: Association) -> Edit:
    return lambda sent: replace(
        sent,
        associations=tuple(each for each in sent.associations if each not in associations),
    )


def link(association: Association, **changes: object) -> Edit:
    """Change one association."""
    return lambda sent: replace(
        sent,
        associations=tuple(
            replace(each, **changes) if each == association else each  # type: ignore[arg-type]
            for each in sent.associations
        ),
    )


def plus(*associations: Association, entries: tuple[DocumentEntry, ...] = ()) -> Edit:
    return lambda sent: replace(
        sent,
        associations=(*sent.associations, *associations),
        entries=(*sent.entries, *entries),
    )


def relation(type_: str, source: object, target: object, **changes: object) -> Edit:
    return plus(samples.association(type_, source, target, **changes))


def both(*edits: Edit) -> Edit:
    def edit(sent: Submission) -> Submission:
        for each in edits:
            sent = each(sent)
        return sent

    return edit


def nothing(sent: Submission) -> Submission:
    return sent


CASES: list[tuple[str, Edit, Expected]] = [
    ("good", nothing, []),
    # structure
    ("REG-050 none", lambda sent: replace(sent, submission_sets=()), [
        (METADATA, "REG-050"),
        *[(UNRESOLVED, "REG-061")] * 4,
    ]),
    ("REG-050 two", lambda sent: replace(
        sent, submission_sets=(SET, samples.submission_set())), [(METADATA, "REG-050")]),
    ("REG-052 missing", without(MEMBERSHIP), [(METADATA, "REG-052")]),
    ("REG-052 twice", plus(samples.has_member(SET, ENTRY)), [(METADATA, "REG-052")]),
    ("REG-052 folder", without(FOLDER_MEMBERSHIP), [(METADATA, "REG-052")]),
    ("REG-053", without(FILING_MEMBERSHIP), [(METADATA, "REG-053")]),
    ("REG-054", lambda sent: replace(
        sent, entries=(), folders=(), associations=()), [(METADATA, "REG-054")]),
    ("REG-054 reference alone", lambda sent: replace(sent, entries=(), folders=(), associations=(
        samples.has_member(SET, OLD, submission_set_status="Reference"),)),
        [(METADATA, "REG-054")]),
    ("REG-055 missing", link(MEMBERSHIP, submission_set_status=None), [(METADATA, "REG-055")]),
    ("REG-055 Reference", link(MEMBERSHIP, submission_set_status="Reference"),
        [(METADATA, "REG-055")]),
    ("REG-055 other", link(MEMBERSHIP, submission_set_status="original"),
        [(METADATA, "REG-055")]),
    ("REG-055 Original for stored",
        plus(samples.has_member(SET, OLD, submission_set_status="Original")),
        [(METADATA, "REG-055")]),
    ("REG-055 on folder", link(FOLDER_MEMBERSHIP, submission_set_status="Original"),
        [(METADATA, "REG-055")]),
    ("REG-055 on filing", link(FILING, submission_set_status="Original"),
        [(METADATA, "REG-055")]),
    ("REG-055 on relationship", relation(urns.XFRM, SECOND, OLD, submission_set_status="Original"),
        [(METADATA, "REG-055")]),
    ("REG-055 good reference",
        plus(samples.has_member(SET, OLD, submission_set_status="Reference")), []),
    ("REG-056 short", relation("RPLC", SECOND, OLD), [(METADATA, "REG-056")]),
    ("REG-056 capital S", relation("urn:ihe:iti:2007:AssociationType:Signs", SECOND, OLD),
        [(METADATA, "REG-056")]),
    ("REG-056 update", relation(urns.UPDATE_AVAILABILITY_STATUS, SET, OLD),
        [(METADATA, "REG-056")]),
    ("REG-056 submit", relation(urns.SUBMIT_ASSOCIATION, SET, OLD_LINK),
        [(METADATA, "REG-056")]),
    ("REG-057 itself", relation(urns.APND, ENTRY, ENTRY), [(METADATA, "REG-057")]),
    ("REG-057 set in itself", plus(samples.has_member(SET, SET)),
        [(METADATA, "REG-057"), (METADATA, "REG-057")]),
    ("REG-057 set as target", plus(samples.has_member(FOLDER, SET)),
        [(METADATA, "REG-053"), (METADATA, "REG-057")]),
    ("REG-057 set replaces", relation(urns.RPLC, SET, OLD),
        [(METADATA, "REG-057"), (UNRESOLVED, "REG-110")]),
    ("REG-057 entry holds entry", plus(samples.has_member(ENTRY, SECOND)),
        [(METADATA, "REG-053"), (METADATA, "REG-057")]),
    ("REG-057 membership of membership", plus(samples.has_member(SET, MEMBERSHIP)),
        [(METADATA, "REG-057")]),
    ("REG-057 stored association", plus(samples.has_member(SET, OLD_LINK)),
        [(METADATA, "REG-057")]),
    ("REG-057 replaces folder", relation(urns.RPLC, SECOND, OLD_FOLDER),
        [(METADATA, "REG-057")]),
    ("MD-061", plus(samples.has_member(FOLDER, OLD_FOLDER)),
        [(METADATA, "REG-053"), (METADATA, "MD-061")]),
    ("MD-060 source", plus(samples.has_member(OLD_SET, FOLDER)),
        [(METADATA, "REG-053"), (METADATA, "MD-060")]),
    ("MD-060 target", relation(urns.XFRM, SECOND, OLD_SET),
        [(METADATA, "REG-057"), (METADATA, "MD-060")]),
    ("REG-058 on-demand", entry(object_type=urns.ON_DEMAND_DOCUMENT), [(METADATA, "REG-058")]),
    ("REG-058 unknown", entry(object_type="text"), [(METADATA, "REG-058")]),
    ("REG-059 lid", entry(logical_id=OLD), [(METADATA, "REG-059")]),
    ("REG-059 folder", folder(logical_id=OLD_FOLDER), [(METADATA, "REG-059")]),
    ("REG-059 slot", link(MEMBERSHIP, previous_version="1"), [(METADATA, "REG-059")]),
    ("REG-059 same", entry(logical_id=ENTRY.entry_uuid), []),
    # ids and references
    ("REG-060", lambda sent: replace(sent, folders=(
        *sent.folders, replace(samples.folder(), entry_uuid=FOLDER.entry_uuid))),
        [(METADATA, "REG-060")]),
    ("MD-066", lambda sent: replace(
        sent, associations=(*sent.associations, samples.association(
            urns.RPLC, SECOND, OLD, entry_uuid=OLD.upper().replace("URN:UUID", "urn:uuid")))),
        [(METADATA, "MD-066")]),
    ("MD-072", lambda sent: replace(sent, associations=(
        *sent.associations, samples.association(urns.RPLC, SECOND, OLD, entry_uuid=OLD_LINK))),
        [(METADATA, "MD-072")]),
    ("REG-061", relation(urns.RPLC, SECOND, samples.new_uuid()), [(UNRESOLVED, "REG-061")]),
    ("REG-061 source", plus(samples.has_member(samples.new_uuid(), OLD)),
        [(METADATA, "REG-053"), (UNRESOLVED, "REG-061")]),
    ("REG-062", relation(urns.APND, SECOND, "Document01"), [(UNRESOLVED, "REG-062")]),
    # attributes
    ("REG-070 entry", entry(class_code=None), [(METADATA, "REG-070")]),
    ("REG-070 set", set_(content_type_code=None), [(METADATA, "REG-070")]),
    ("REG-070 folder", folder(codes=()), [(METADATA, "REG-070")]),
    ("REG-071", entry(creation_time=DTM("2024-01-02")), [(METADATA, "REG-071")]),
    ("REG-072", entry(is_limited=True), [(METADATA, "REG-072")]),
    ("REG-073", entry(service_stop_time=DTM("2023")), [(METADATA, "REG-073")]),
    # patients
    ("REG-080", both(set_(patient_id=STRANGER), folder(patient_id=STRANGER), lambda sent: replace(
        sent, entries=tuple(replace(each, patient_id=STRANGER) for each in sent.entries))),
        [(XDSUnknownPatientId, "REG-080")]),
    ("REG-082 entry", entry(patient_id=samples.OTHER_PATIENT),
        [(XDSPatientIdDoesNotMatch, "REG-082")]),
    ("REG-082 folder", folder(patient_id=samples.OTHER_PATIENT),
        [(XDSPatientIdDoesNotMatch, "REG-082")]),
    ("REG-082 set", set_(patient_id=samples.OTHER_PATIENT),
        [(XDSPatientIdDoesNotMatch, "REG-082")] * 3),
    ("REG-087", entry(source_patient_id=STRANGER), []),
    # uniqueIds
    ("REG-096 entries", entry(unique_id=SECOND.unique_id),
        [(XDSRegistryDuplicateUniqueIdInMessage, "REG-096")]),
    ("REG-096 kinds",
        both(entry(unique_id=Identifier("1.2.3.99")), set_(unique_id=OID("1.2.3.99"))),
        [(XDSRegistryDuplicateUniqueIdInMessage, "REG-096")]),
    # relationships
    ("RPLC good", relation(urns.RPLC, SECOND, OLD), []),
    ("XFRM in message", relation(urns.XFRM, SECOND, ENTRY), []),
    ("APND in message", relation(urns.APND, SECOND, ENTRY), []),
    ("signs in message", relation(urns.SIGNS, SECOND, ENTRY), []),
    ("snapshot good", relation(urns.IS_SNAPSHOT_OF, SECOND, ON_DEMAND), []),
    ("REG-110 stored", relation(urns.APND, OLD, ENTRY), [(UNRESOLVED, "REG-110")]),
    ("REG-110 folder", relation(urns.RPLC, FOLDER, OLD), [(UNRESOLVED, "REG-110")]),
    ("REG-111 RPLC", relation(urns.RPLC, SECOND, ENTRY), [(UNRESOLVED, "REG-111")]),
    ("REG-111 XFRM_RPLC", relation(urns.XFRM_RPLC, SECOND, ENTRY), [(UNRESOLVED, "REG-111")]),
    ("REG-111 snapshot", relation(urns.IS_SNAPSHOT_OF, SECOND, ENTRY), [(UNRESOLVED, "REG-111")]),
    ("REG-116", relation(urns.IS_SNAPSHOT_OF, SECOND, OLD), [(METADATA, "REG-116")]),
    ("REG-118 in message",
        both(relation(urns.XFRM, ENTRY, OLD), relation(urns.APND, SECOND, ENTRY)),
        [(METADATA, "REG-118")]),
    ("MD-174 good", relation(urns.XFRM, SECOND, OLD, documentation=samples.CORRECTED), []),
    ("MD-174", link(MEMBERSHIP, documentation=samples.CORRECTED), [(METADATA, "MD-174")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
@pytest.mark.proves(
    *("REG-050", "REG-052", "REG-053", "REG-054", "REG-055", "REG-056", "REG-057", "REG-058"),
    *("REG-059", "REG-060", "REG-061", "REG-062", "REG-070", "REG-071", "REG-072", "REG-073"),
    *("REG-080", "REG-082", "REG-087", "REG-096", "REG-110", "REG-111", "REG-116", "REG-118"),
    *("MD-032", "MD-058", "MD-059", "MD-060", "MD-061", "MD-068", "MD-167", "MD-168"),
    *("MD-063", "MD-170", "MD-173", "LC-032", "REG-008", "REG-165", "REG-167", "SEC-T-106"),
)
def test_rule(edit: Edit, expected: Expected) -> None:
    assert findings(edit(GOOD)) == expected


STORED_CASES: list[tuple[str, Known, Edit, Expected]] = [
    ("REG-081 merged", replace(KNOWN, patients={
        str(samples.PATIENT): StoredPatient(1, str(samples.PATIENT), PatientState.MERGED)}),
        nothing, [(XDSUnknownPatientId, "REG-081")]),
    ("REG-083 folder", replace(KNOWN, objects={
        OLD_FOLDER: stored(OLD_FOLDER, Kind.FOLDER, cx=str(samples.OTHER_PATIENT))}),
        both(link(FILING, source_object=OLD_FOLDER)), [(XDSPatientIdDoesNotMatch, "REG-083")]),
    ("REG-084", replace(KNOWN, objects={
        OLD: stored(OLD, Kind.DOCUMENT_ENTRY, cx=str(samples.OTHER_PATIENT))}),
        relation(urns.APND, SECOND, OLD), [(XDSPatientIdDoesNotMatch, "REG-084")]),
    ("REG-086", replace(KNOWN, objects={
        OLD: stored(OLD, Kind.DOCUMENT_ENTRY, cx=str(samples.OTHER_PATIENT))}),
        plus(samples.has_member(SET, OLD, submission_set_status="Reference")), []),
    ("REG-097", replace(KNOWN, claims={
        str(ENTRY.unique_id): Claim(str(ENTRY.unique_id), Kind.DOCUMENT_ENTRY, None, None)}),
        nothing, [(METADATA, "REG-097")]),
    ("REG-100 entry", replace(KNOWN, objects={
        OLD: stored(OLD, Kind.DOCUMENT_ENTRY, status=Status.DEPRECATED)}),
        link(FILING, target_object=OLD), [(XDSRegistryDeprecatedDocumentError, "REG-100")]),
    ("REG-100 folder", replace(KNOWN, objects={
        OLD_FOLDER: stored(OLD_FOLDER, Kind.FOLDER, status=Status.DEPRECATED)}),
        link(FILING, source_object=OLD_FOLDER), [(METADATA, "REG-100")]),
    ("REG-112 snapshot", replace(KNOWN, objects={
        ON_DEMAND: stored(
            ON_DEMAND, Kind.DOCUMENT_ENTRY, status=Status.DEPRECATED, is_on_demand=True)}),
        relation(urns.IS_SNAPSHOT_OF, SECOND, ON_DEMAND),
        [(XDSRegistryDeprecatedDocumentError, "REG-112")]),
    ("REG-114", replace(KNOWN, folders={
        OLD: (stored(OLD_FOLDER, Kind.FOLDER, cx=str(samples.OTHER_PATIENT)),)}),
        relation(urns.RPLC, SECOND, OLD), [(XDSPatientIdDoesNotMatch, "REG-114")]),
    ("REG-118", replace(KNOWN, transformations=frozenset({OLD})),
        relation(urns.APND, SECOND, OLD), [(METADATA, "REG-118")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "edit", "expected"),
    [case[1:] for case in STORED_CASES],
    ids=[case[0] for case in STORED_CASES],
)
@pytest.mark.proves(
    *("REG-081", "REG-083", "REG-084", "REG-086", "REG-097", "REG-100", "REG-112", "REG-114"),
    *("REG-118", "PIF-035", "MD-169"),
)
def test_rule_about_what_is_stored(known: Known, edit: Edit, expected: Expected) -> None:
    assert findings(edit(GOOD), known) == expected


DOMAIN = Domain(
    assigning_authorities=frozenset({samples.PATIENT_DOMAIN}),
    repositories=frozenset({str(samples.REPOSITORY)}),
    mime_types=frozenset({"text/plain", "application/dicom"}),
    objects=9,
)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(nothing, [], id="good"),
        pytest.param(entry(mime_type="text/goofy"), [(METADATA, "REG-074")], id="REG-074"),
        pytest.param(entry(repository_unique_id=OID("1.2")), [(METADATA, "REG-079")], id="REG-079"),
        pytest.param(
            plus(samples.association(urns.RPLC, SECOND, OLD)),
            [(METADATA, "SEC-T-051")],
            id="SEC-T-051",
        ),
    ],
)
@pytest.mark.proves("REG-074", "REG-079", "SEC-T-051")
def test_rule_of_the_domain(edit: Edit, expected: Expected) -> None:
    assert findings(edit(GOOD), KNOWN, DOMAIN) == expected


def test_without_lists_the_domain_takes_anything() -> None:
    assert findings(entry(mime_type="text/goofy", repository_unique_id=OID("1.2"))(GOOD)) == []


@pytest.mark.proves("REG-080", "REG-177")
def test_an_unknown_patient_is_named_with_the_reason() -> None:
    foreign = CX("TEST-9^^^&1.2.3&ISO")
    for cx, reason in ((samples.new_patient(), "identity feed"), (foreign, "not of this domain")):
        sent = samples.submission([samples.document_entry(patient_id=cx)])
        (error,) = rules.of_registry(sent, KNOWN, DOMAIN)
        assert error.code == "XDSUnknownPatientId"
        assert str(cx) in error.context
        assert reason in error.context
    assert samples.PATIENT_DOMAIN in error.context  # says what would be accepted


@pytest.mark.proves("SEC-T-105")
def test_all_findings_are_reported_at_once() -> None:
    edit = both(
        entry(class_code=None, mime_type=None),
        set_(source_id=None),
        without(MEMBERSHIP),
        relation(urns.RPLC, SECOND, samples.new_uuid()),
    )
    assert [rule for _, rule in findings(edit(GOOD))] == [
        "REG-052", "REG-070", "REG-070", "REG-070", "REG-061"
    ]  # fmt: skip


def test_findings_of_the_reader_come_first() -> None:
    found = XDSRegistryMetadataError("x", "y", rule="REG-051")
    assert next(iter(rules.of_message(replace(GOOD, findings=(found,)), Domain()))) is found


def test_an_id_that_the_reader_has_found_is_not_said_twice() -> None:
    twice = replace(samples.folder(), entry_uuid=FOLDER.entry_uuid)
    said = XDSRegistryMetadataError("x", "y", rule="REG-060", location=FOLDER.entry_uuid)
    sent = replace(GOOD, folders=(*GOOD.folders, twice), findings=(said,))
    assert findings(sent) == [(METADATA, "REG-060")]
