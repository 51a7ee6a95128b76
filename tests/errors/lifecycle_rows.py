"""Rows about updates, restricted updates, removals and On-Demand entries (lifecycle.md; checklist
section 7). Their good messages stand in `lifecycle`."""

from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace

from tests import bodies, samples
from tests.errors import attribute_rows, content_rows, stored, structure_rows
from tests.errors.content_rows import STRANGER
from tests.errors.lifecycle import (
    ASKING,
    LINK,
    OF_LINK,
    OF_PILE,
    OF_SPARE,
    SUBMITTING,
    naming,
    scope,
    sparing,
)
from tests.errors.message import (
    FIRST,
    FOLDER,
    OF_FIRST,
    OF_FOLDER,
    RELATION,
    SECOND,
    SET,
    Edit,
    Message,
    association,
    both,
    edit,
    identifier,
    no_code,
    patients,
    relation,
    slot,
    without,
    xml,
)
from tests.errors.structure_rows import ONLY_ONE, second_set
from tests.errors.table import (
    ACCEPTED,
    METADATA,
    MISMATCH,
    UNKNOWN,
    UNRESOLVED,
    Error,
    Reason,
    Row,
    at,
    elsewhere,
    error,
)
from xdsi.model.messages import Submission
from xdsi.model.values import OID
from xdsi.standard import urns
from xdsi.wire import submit

UPDATE, OPERATION = "XDSMetadataUpdateError", "XDSMetadataUpdateOperationError"
VERSION, RECONCILIATION = "XDSMetadataVersionError", "XDSPatientIDReconciliationError"
INVALID, ANNOTATION = "XDSInvalidRequestException", "XDSMetadataAnnotationError"
UNMODIFIABLE, LOCAL = "UnmodifiableMetadataError", "LocalPolicyRestrictionError"
OTHER_ID, OTHER_TYPE = "XDSMetadataIdentifierError", "XDSObjectTypeError"
REFERENCED, ORPHANED = "ReferencesExistException", "XDSUnreferencedObjectException"
GENERAL = "XDSRegistryError"

A57, A92, A61, A62 = "ITI-57", "ITI-92", "ITI-61", "ITI-62"
PREVIOUS, PROPAGATION, STATUS = "PreviousVersion", "AssociationPropagation", "SubmissionSetStatus"
ORIGINAL, NEW = "OriginalStatus", "NewStatus"
OTHER, ZEROS = str(stored.OTHER), "0" * 40
MEMBER = {FIRST: OF_FIRST, FOLDER: OF_FOLDER}


def unseen(id_: str, change: Edit) -> Edit:
    """An edit after which the version is not compared with the registry."""
    return Edit(change.change, change.touches | {id_, MEMBER[id_]})


def version_of(lid: str, unique_id: str, id_: str = FIRST) -> Edit:
    """As the next version of something else."""
    return both(xml(id_, "lid", lid), identifier(id_, "uniqueId", unique_id))


def content(name: str, value: str) -> Edit:
    """Another hash or size; the two are compared together."""
    return Edit(slot(FIRST, name, value).change, frozenset({f"{FIRST}.hash", f"{FIRST}.size"}))


def statuses(id_: str, before: str, after: str) -> Edit:
    return both(slot(id_, ORIGINAL, before), slot(id_, NEW, after))


def up(target: str, id_: str = OF_SPARE) -> Edit:
    """Approves an object again."""
    change = both(
        xml(id_, "targetObject", target), statuses(id_, urns.DEPRECATED, urns.APPROVED)
    )  # fmt: skip
    return Edit(change.change, frozenset({id_}))


def down(target: str, id_: str = OF_SPARE) -> Edit:
    return Edit(xml(id_, "targetObject", target).change, frozenset({id_}))


def joining(type_: str, source: str, target: str) -> Edit:
    """Another association submitted."""
    change = both(
        xml(LINK, "associationType", type_),
        xml(LINK, "sourceObject", source),
        xml(LINK, "targetObject", target),
    )
    return Edit(change.change, frozenset({LINK}))


def _emptied(message: Message) -> None:
    for each in list(message.list):
        if each.get("id") != SET:
            message.list.remove(each)


def _two_numbers(message: Message) -> None:
    slot(OF_FIRST, PREVIOUS, "1", "1").change(message)


def _folder(message: Message) -> None:
    """A Folder's next version, with its membership."""
    box = samples.folder(
        entry_uuid=FOLDER,
        patient_id=stored.PATIENT,
        logical_id=stored.SHELF,
        unique_id=OID(stored.SHELF_ID),
    )
    slots = {"submission_set_status": "Original", "previous_version": "1"}
    link = samples.has_member(SET, FOLDER, entry_uuid=OF_FOLDER, **slots)
    made = bodies.inline(submit.submission_to_xml(Submission((), (), (box,), (link,))))
    (listed,) = made
    message.list.extend(list(listed))


def _stable(message: Message) -> None:
    entry = samples.document_entry(entry_uuid=FIRST, patient_id=stored.PATIENT)
    made = bodies.inline(submit.submission_to_xml(Submission((), (entry,), (), ())))
    (listed,) = made
    old = message.object(FIRST)
    message.list.replace(old, deepcopy(listed[0]))


def _no_entries(message: Message) -> None:
    kept = (SET, FOLDER, "as-folder")
    for each in list(message.list):
        if each.get("id") not in kept:
            message.list.remove(each)


def both_patients(value: str) -> Edit:
    """Every patientId of a restricted update."""
    return both(*(identifier(each, "patientId", value) for each in (SET, FIRST, SECOND)))


WHOLE = "it concerns every object"

_VERSIONS = (
    at(A57, "LC-020; LC-090", "no SubmissionSet", without(SET),
        error(UPDATE, "LC-020", "", "exactly one SubmissionSet", "got 0"), alone=ONLY_ONE),
    at(A57, "LC-020", "two SubmissionSets", edit(second_set, SET),
        error(UPDATE, "LC-020", "", "exactly one SubmissionSet", "got 2"), alone=ONLY_ONE),
    at(A57, "LC-020", "uniqueId of another set", identifier(SET, "uniqueId", stored.SET_ID),
        error("XDSDuplicateUniqueIdInRegistry", "REG-090", SET, stored.SET_ID)),
    at(A57, "LC-012; LC-031", "later version of a SubmissionSet", xml(SET, "lid", stored.FIRST_SET),
        error(UPDATE, "LC-012", SET, "SubmissionSet.logicalID", stored.FIRST_SET)),
    at(A57, "LC-021; 7.3", "entry without lid", unseen(FIRST, xml(FIRST, "lid", None)),
        error(UPDATE, "LC-021", FIRST, "DocumentEntry.logicalID")),
    at(A57, "LC-021; 7.3", "lid equal to id", unseen(FIRST, xml(FIRST, "lid", FIRST)),
        error(UPDATE, "LC-021", FIRST, "DocumentEntry.logicalID", f"'{FIRST}'")),
    at(A57, "LC-021; 7.3", "Folder without lid", unseen(FOLDER, xml(FOLDER, "lid", None)),
        error(UPDATE, "LC-021", FOLDER, "Folder.logicalID")),
    at(A57, "LC-022; 7.3", "symbolic lid", unseen(FIRST, xml(FIRST, "lid", "Document09")),
        error(UPDATE, "LC-022", FIRST, "DocumentEntry.logicalID", "UUID", "'Document09'")),
    at(A57, "LC-023; LC-091; 7.4", "entry that no HasMember names",
        unseen(FIRST, without(OF_FIRST)),
        error(OPERATION, "LC-023", FIRST, "exactly one HasMember", "got 0")),
    at(A57, "LC-023; 7.4", "no PreviousVersion", unseen(FIRST, slot(OF_FIRST, PREVIOUS)),
        error(OPERATION, "LC-023", OF_FIRST, PREVIOUS, "missing")),
    *(
        at(A57, "LC-023", f"PreviousVersion {value}",
            unseen(FIRST, slot(OF_FIRST, PREVIOUS, value)),
            error(OPERATION, "LC-023", OF_FIRST, PREVIOUS, "version number", f"'{value}'"))
        for value in ("1.1", "-1", "one", "١")
    ),
    at(A57, "LC-023", "two PreviousVersions", unseen(FIRST, edit(_two_numbers, OF_FIRST)),
        error(OPERATION, "LC-023", OF_FIRST, PREVIOUS, "one value allowed, got 2")),
    *(
        at(A57, "LC-023", f"SubmissionSetStatus {value}",
            unseen(FIRST, slot(OF_FIRST, STATUS, *value.split())),
            error(OPERATION, "LC-023", OF_FIRST, STATUS, "must be Original"))
        for value in ("", "Reference")
    ),
    at(A57, "LC-023", "SubmissionSetStatus of a Folder",
        unseen(FOLDER, slot(OF_FOLDER, STATUS, "Reference")),
        error(OPERATION, "LC-023", OF_FOLDER, STATUS, "must be Original", "'Reference'")),
    at(A57, "LC-023", "AssociationPropagation maybe",
        unseen(FIRST, slot(OF_FIRST, PROPAGATION, "maybe")),
        error(OPERATION, "LC-023", OF_FIRST, PROPAGATION, "yes or no", "'maybe'")),
    at(A57, "LC-023", "unknown slot", unseen(FIRST, slot(OF_FIRST, "urn:example:slot", "x")),
        error(OPERATION, "LC-023", OF_FIRST, "urn:example:slot", "no slot of an update")),
    at(A57, "LC-023", "slot of a status", unseen(FIRST, slot(OF_FIRST, NEW, urns.APPROVED)),
        error(OPERATION, "LC-023", OF_FIRST, NEW, "no slot of a HasMember")),
    at(A57, "LC-024; LC-092; 7.1", "PreviousVersion too high", slot(OF_FIRST, PREVIOUS, "2"),
        error(VERSION, "LC-024", OF_FIRST, PREVIOUS, "latest version is 1", "'2'")),
    at(A57, "LC-015; LC-024", "PreviousVersion that was superseded",
        unseen(FIRST, version_of(stored.REVISED, stored.REVISED_ID)),
        error(VERSION, "LC-024", OF_FIRST, PREVIOUS, "latest version is 2", "'1'")),
    at(A57, "LC-024; LC-092; 7.1", "unknown logical id",
        unseen(FIRST, xml(FIRST, "lid", stored.NOBODY)),
        error(VERSION, "LC-024", FIRST, "DocumentEntry.logicalID", stored.NOBODY)),
    at(A57, "LC-024", "logical id of a Folder", unseen(FIRST, xml(FIRST, "lid", stored.BOX)),
        error(VERSION, "LC-024", FIRST, "no DocumentEntry", stored.BOX)),
    at(A57, "LC-025; 7.2", "no classCode", no_code(FIRST, "classCode"),
        error(METADATA, "REG-070", FIRST, "DocumentEntry.classCode", "missing")),
    at(A57, "LC-025; 7.2", "no code of the Folder", no_code(FOLDER, "codeList"),
        error(METADATA, "REG-070", FOLDER, "Folder.codeList", "missing")),
    at(A57, "LC-025; 7.2", "no patientId", identifier(FIRST, "patientId", None),
        error(METADATA, "REG-070", FIRST, "DocumentEntry.patientId", "missing")),
    at(A57, "LC-025", "creationTime 20249", slot(FIRST, "creationTime", "20249"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.creationTime", "'20249'")),
    at(A57, "LC-026; 7.9", "two versions of one entry", xml(SECOND, "lid", stored.OLD),
        error(OPERATION, "LC-026", FIRST, "DocumentEntry.logicalID", stored.OLD,
              also="LC-051 LC-052"),
        alone="the other one is compared with what it is no version of"),
    at(A57, "LC-050; 7.10", "version of a Deprecated entry",
        version_of(stored.GONE, stored.GONE_ID),
        error(UPDATE, "LC-050", FIRST, "Deprecated; change its status")),
    at(A57, "LC-051; 7.5", "another uniqueId", identifier(FIRST, "uniqueId", "2.25.99"),
        error(UPDATE, "LC-051", FIRST, "DocumentEntry.uniqueId", stored.OLD_ID, "'2.25.99'")),
    at(A57, "LC-052; 7.6", "On-Demand instead of Stable",
        xml(FIRST, "objectType", urns.ON_DEMAND_DOCUMENT),
        error(UPDATE, "LC-052", FIRST, "DocumentEntry.objectType", urns.STABLE_DOCUMENT,
              also="MD-108 MD-112 MD-126")),
    at(A57, "LC-054", "another hash", content("hash", ZEROS),
        error(UPDATE, "LC-054", FIRST, "DocumentEntry.hash", ZEROS)),
    at(A57, "LC-054", "another size", content("size", "7"),
        error(UPDATE, "LC-054", FIRST, "DocumentEntry.hash", "hash and size must stay")),
    at(A57, "LC-040", "status of a new version", xml(FIRST, "status", urns.DEPRECATED), ACCEPTED),
    at(A57, "LC-040", "nothing propagated", slot(OF_FIRST, PROPAGATION, "no"), ACCEPTED),
    at(A57, "LC-059; LC-093; 7.8", "entry of another patient than its Folder", patients(OTHER),
        error(RECONCILIATION, "LC-059", FIRST, "DocumentEntry.patientId", "would join patients",
              OTHER, str(stored.PATIENT), also="LC-078"), alone=WHOLE),
    at(A57, "LC-078; LC-093; 7.8", "Folder of another patient than its members", patients(OTHER),
        error(RECONCILIATION, "LC-078", FOLDER, "Folder.patientId", "would join patients",
              OTHER, str(stored.PATIENT), also="LC-059"), alone=WHOLE),
    at(A57, "LC-059; 7.8", "another patient, nothing propagated",
        both(patients(OTHER), *(slot(each, PROPAGATION, "no") for each in (OF_FIRST, OF_FOLDER))),
        ACCEPTED),
    at(A57, "LC-059", "patient nobody fed", patients(STRANGER),
        error(UNKNOWN, "REG-080", SET, STRANGER, also="LC-059 LC-078"), alone=WHOLE),
    at(A57, "LC-059; 7.8", "one object of another patient", identifier(FIRST, "patientId", OTHER),
        error(MISMATCH, "REG-082", FIRST, "DocumentEntry.patientId", OTHER, also="LC-059")),
    *(
        at(A57, "LC-060", f"On-Demand entry with {name}", slot(SECOND, name, value),
            error(METADATA, rule, SECOND, f"DocumentEntry.{name}"))
        for name, value, rule in (
            ("creationTime", "2024", "MD-108"), ("hash", ZEROS, "MD-112"), ("size", "7", "MD-126"),
        )
    ),
    at(A57, "LC-075; 7.10", "version of a Deprecated Folder",
        version_of(stored.CLOSED, stored.CLOSED_ID, FOLDER),
        error(UPDATE, "LC-075", FOLDER, "Folder", "Deprecated; change its status")),
    at(A57, "LC-075; 7.5", "another uniqueId of a Folder",
        identifier(FOLDER, "uniqueId", "2.25.99"),
        error(UPDATE, "LC-051", FOLDER, "Folder.uniqueId", stored.SHELF_ID, "'2.25.99'")),
    at(A57, "LC-075; LC-076; 7.1", "unknown Folder",
        unseen(FOLDER, xml(FOLDER, "lid", stored.NOBODY)),
        error(VERSION, "LC-024", FOLDER, "Folder.logicalID", stored.NOBODY)),
    at(A57, "LC-076; 7.1", "PreviousVersion of a Folder too high", slot(OF_FOLDER, PREVIOUS, "3"),
        error(VERSION, "LC-024", OF_FOLDER, PREVIOUS, "latest version is 1", "'3'")),
)  # fmt: skip

_STATUSES = (
    at(A57, "LC-041", "status of a new version by the id of the old one", down(stored.OLD),
        ACCEPTED),
    at(A57, "LC-028", "Approved what the request makes", unseen(FIRST, up(FIRST)),
        error(UPDATE, "LC-028", OF_SPARE, ORIGINAL, "is Approved")),
    at(A57, "LC-029; 7.11", "status of a SubmissionSet", down(stored.FIRST_SET),
        error(UPDATE, "LC-029", OF_SPARE, "targetObject", stored.FIRST_SET)),
    at(A57, "LC-029; 7.11", "status of the own SubmissionSet", down(SET),
        error(UPDATE, "LC-029", OF_SPARE, "targetObject", f"'{SET}'")),
    at(A57, "LC-065", "status changed by another set",
        Edit(xml(OF_SPARE, "sourceObject", stored.FIRST_SET).change, frozenset({OF_SPARE})),
        error(UPDATE, "LC-065", OF_SPARE, "sourceObject", stored.FIRST_SET)),
    at(A57, "LC-066", "no OriginalStatus",
        Edit(slot(OF_SPARE, ORIGINAL).change, frozenset({OF_SPARE})),
        error(OPERATION, "LC-066", OF_SPARE, ORIGINAL, "missing", also="LC-067")),
    at(A57, "LC-066", "no NewStatus", slot(OF_PILE, NEW),
        error(OPERATION, "LC-066", OF_PILE, NEW, "missing")),
    at(A57, "LC-066", "short status", slot(OF_PILE, NEW, "Deprecated"),
        error(OPERATION, "LC-066", OF_PILE, NEW, "write its URN", "'Deprecated'")),
    at(A57, "LC-066", "twice the same status", slot(OF_LINK, NEW, urns.APPROVED),
        error(OPERATION, "LC-066", OF_LINK, NEW, "must differ")),
    at(A57, "LC-066", "two statuses", slot(OF_LINK, NEW, urns.DEPRECATED, urns.DEPRECATED),
        error(OPERATION, "LC-066", OF_LINK, NEW, "one value allowed, got 2")),
    at(A57, "LC-066", "slot of another operation", slot(OF_LINK, PREVIOUS, "1"),
        error(OPERATION, "LC-066", OF_LINK, PREVIOUS, "no slot of a change of status")),
    at(A57, "LC-067; 7.11", "status it does not have", up(stored.SPARE),
        error(UPDATE, "LC-067", OF_SPARE, ORIGINAL, "is Approved", urns.DEPRECATED)),
    at(A57, "LC-068; LC-015; 7.11", "status of an old version", up(stored.REVISED),
        error(UPDATE, "LC-068", OF_SPARE, "targetObject", stored.REVISED, "latest version")),
    *(
        at(A57, "LC-069", f"status of nothing: {name}", down(target, OF_PILE),
            error(UNRESOLVED, "LC-069", OF_PILE, "targetObject", f"'{target}'"))
        for name, target in (("UUID", stored.NOBODY), ("symbol", "Document09"))
    ),
    at(A57, "LC-071", "status of a membership in a set", down(stored.LINK, OF_LINK),
        error(UPDATE, "LC-071", OF_LINK, "targetObject", stored.LINK)),
    at(A57, "LC-041", "what was replaced approved again", up(stored.GONE), ACCEPTED),
    at(A57, "LC-091", "status changed twice", down(stored.SPARE, OF_PILE),
        error(OPERATION, "LC-091", OF_PILE, "targetObject", stored.SPARE),
        alone="it depends on the other change"),
)  # fmt: skip

_LINKS = (
    at(A57, "LC-030; LC-091", "association nobody submits", Edit(without(SUBMITTING).change,
        frozenset({SUBMITTING, LINK})),
        error(OPERATION, "LC-030", LINK, "SubmitAssociation")),
    at(A57, "LC-030", "unknown type of association", xml(LINK, "associationType", "urn:example:x"),
        error(OPERATION, "LC-030", LINK, "associationType", "'urn:example:x'")),
    at(A57, "LC-030", "slot of another operation at an association", slot(LINK, NEW, "x"),
        error(OPERATION, "LC-030", LINK, NEW, "no slot of a submitted association")),
    at(A57, "LC-030", "no operation", edit(_emptied, SET),
        error(OPERATION, "LC-030", "", "asks for no operation"), alone="nothing is left to edit"),
    at(A57, "LC-058", "association of a version that propagates",
        joining(urns.SIGNS, stored.LONE, FIRST),
        error(OPERATION, "LC-058", LINK, "targetObject", f"'{FIRST}'", "propagation"),
        alone="it depends on the version"),
    at(A57, "LC-080; 7.12", "association of nothing",
        joining(urns.APND, stored.NOBODY, stored.PLAIN),
        error(UPDATE, "LC-080", LINK, "sourceObject", stored.NOBODY)),
    at(A57, "LC-080; 7.12", "association with a Deprecated entry",
        joining(urns.APND, stored.LONE, stored.GONE),
        error(UPDATE, "LC-080", LINK, "targetObject", "is Deprecated")),
    at(A57, "LC-080; 7.12", "association with a SubmissionSet",
        joining(urns.APND, stored.LONE, stored.FIRST_SET),
        error(UPDATE, "LC-080", LINK, "targetObject", stored.FIRST_SET, also="LC-081")),
    at(A57, "LC-080", "submission of nothing", Edit(without(LINK).change,
        frozenset({SUBMITTING, LINK})),
        error(UPDATE, "LC-080", SUBMITTING, "targetObject", LINK)),
    at(A57, "LC-081", "entry holds an entry", joining(urns.HAS_MEMBER, stored.LONE, stored.PLAIN),
        error(UPDATE, "LC-081", LINK, "from a Folder to a DocumentEntry")),
    at(A57, "LC-081", "addendum to a Folder", joining(urns.APND, stored.LONE, stored.BOX),
        error(UPDATE, "LC-081", LINK, "from a DocumentEntry to a DocumentEntry")),
    at(A57, "LC-045", "submitted filing",
        joining(urns.HAS_MEMBER, stored.BOX, stored.STRAYED), ACCEPTED),
    at(A57, "LC-082; 7.12", "joined by this type already",
        joining(urns.RPLC, stored.NEWER, stored.GONE),
        error(UPDATE, "LC-082", LINK, "already", also="LC-080")),
    at(A57, "LC-083; LC-093; 7.12", "association of two patients",
        joining(urns.APND, stored.LONE, stored.THEIRS),
        error(RECONCILIATION, "LC-083", LINK, OTHER, str(stored.PATIENT))),
    at(A57, "LC-045", "submitted replacement", joining(urns.RPLC, stored.LONE, stored.PLAIN),
        ACCEPTED),
    at(A57, "LC-085", "later version of an association", xml(LINK, "lid", stored.MADE_LINK),
        error(UPDATE, "LC-085", LINK, "Association.logicalID", stored.MADE_LINK)),
)  # fmt: skip

_RESTRICTED = (
    at(A92, "LC-100; 7.11", "status in a restricted update",
        association(OF_SPARE, urns.UPDATE_AVAILABILITY_STATUS, SET, stored.SPARE),
        error(UNMODIFIABLE, "LC-100", OF_SPARE, "associationType", "DocumentEntries alone")),
    at(A92, "LC-100", "Folder in a restricted update", edit(_folder, FOLDER),
        error("XDSMetadataUpdateError", "LC-100", FOLDER, "ITI-57")),
    at(A92, "LC-100; 7.12", "SubmitAssociation in a restricted update",
        both(association(SUBMITTING, urns.SUBMIT_ASSOCIATION, SET, LINK),
             association(LINK, urns.APND, stored.LONE, stored.PLAIN)),
        error(UPDATE, "LC-100", SUBMITTING, "associationType", also="LC-030")),
    at(A92, "LC-100; LC-116", "nothing to update", edit(_emptied, SET),
        error(INVALID, "LC-100", "", "asks for no operation"), alone="nothing is left to edit"),
    at(A92, "LC-100", "restricted update without SubmissionSet", without(SET),
        error(INVALID, "LC-020", "", "exactly one SubmissionSet", "got 0"), alone=ONLY_ONE),
    at(A92, "LC-101; LC-116; 7.3", "entry without lid", unseen(FIRST, xml(FIRST, "lid", None)),
        error(INVALID, "LC-101", FIRST, "DocumentEntry.logicalID")),
    at(A92, "LC-101; 7.3", "lid equal to id", unseen(FIRST, xml(FIRST, "lid", FIRST)),
        error(INVALID, "LC-101", FIRST, "DocumentEntry.logicalID", f"'{FIRST}'")),
    at(A92, "LC-101; 7.3", "symbolic lid", unseen(FIRST, xml(FIRST, "lid", "Document09")),
        error(INVALID, "LC-022", FIRST, "DocumentEntry.logicalID", "'Document09'")),
    at(A92, "LC-102; LC-116; 7.4", "entry that no HasMember names",
        unseen(FIRST, without(OF_FIRST)),
        error(ANNOTATION, "LC-102", FIRST, "exactly one HasMember", "got 0")),
    at(A92, "LC-102; 7.4", "no PreviousVersion", unseen(FIRST, slot(OF_FIRST, PREVIOUS)),
        error(ANNOTATION, "LC-102", OF_FIRST, PREVIOUS, "missing")),
    at(A92, "LC-102", "two PreviousVersions", unseen(FIRST, edit(_two_numbers, OF_FIRST)),
        error(ANNOTATION, "LC-102", OF_FIRST, PREVIOUS, "one value allowed, got 2")),
    at(A92, "LC-103; LC-116; 7.1", "PreviousVersion too high", slot(OF_FIRST, PREVIOUS, "2"),
        error(VERSION, "LC-103", OF_FIRST, PREVIOUS, "latest version is 1", "'2'")),
    at(A92, "LC-103; 7.1", "unknown logical id", unseen(FIRST, xml(FIRST, "lid", stored.NOBODY)),
        error(VERSION, "LC-103", FIRST, "DocumentEntry.logicalID", stored.NOBODY)),
    at(A92, "LC-104; LC-116; 7.5", "another uniqueId", identifier(FIRST, "uniqueId", "2.25.99"),
        error(OTHER_ID, "LC-104", FIRST, "DocumentEntry.uniqueId", stored.OLD_ID, "'2.25.99'")),
    *(
        at(A92, "LC-105; LC-116; 7.6; 8 objectType changed in ITI-92", f"objectType: {code}",
            xml(FIRST, "objectType", urns.ON_DEMAND_DOCUMENT),
            error(code, "LC-105", FIRST, "DocumentEntry.objectType", urns.STABLE_DOCUMENT,
                  also="MD-108 MD-112 MD-126"))
        for code in (OTHER_TYPE, UNMODIFIABLE)
    ),
    *(
        at(A92, "LC-106; LC-116; 7.7", f"another {name}",
            Edit(change.change, frozenset({FIRST})),
            error(UNMODIFIABLE, "LC-106", FIRST, f"DocumentEntry.{name}", "must stay", also=also))
        for name, change, also in (
            ("availabilityStatus", xml(FIRST, "status", urns.DEPRECATED), ""),
            ("documentAvailability", slot(FIRST, "documentAvailability", urns.OFFLINE), ""),
            ("repositoryUniqueId", slot(FIRST, "repositoryUniqueId", "1.2.3"), "REG-079"),
            ("sourcePatientId", slot(FIRST, "sourcePatientId", "9^^^&1.2.3&ISO"), ""),
        )
    ),
    at(A92, "LC-106", "the same availabilityStatus, written", xml(FIRST, "status", urns.APPROVED),
        ACCEPTED),
    at(A92, "LC-107; LC-116; 7.8", "another patient", both_patients(OTHER),
        error(RECONCILIATION, "LC-107", FIRST, "DocumentEntry.patientId", str(stored.PATIENT),
              also="LC-059"), alone=WHOLE),
    at(A92, "LC-108", "attributes that may change",
        both(slot(FIRST, "languageCode", "en"), slot(FIRST, "hash", ZEROS),
             slot(FIRST, "urn:example:extra", "x")), ACCEPTED),
    at(A92, "7.10", "Deprecated entry, its status written",
        xml(SECOND, "status", urns.DEPRECATED), ACCEPTED),
    at(A92, "LC-110; LC-116", "hash of a document that two entries name",
        both(version_of(stored.PLAIN, stored.PLAIN_ID), content("hash", ZEROS)),
        error(LOCAL, "LC-110", FIRST, "DocumentEntry.hash", "other entries", ZEROS)),
    at(A92, "LC-111; 7.2", "no classCode", no_code(FIRST, "classCode"),
        error(METADATA, "REG-070", FIRST, "DocumentEntry.classCode", "missing")),
    at(A92, "LC-112; 7.9", "two versions of one entry", xml(SECOND, "lid", stored.OLD),
        error(OPERATION, "LC-112", FIRST, "DocumentEntry.logicalID", stored.OLD, also="LC-104"),
        alone="the other one is compared with what it is no version of"),
)  # fmt: skip

_ALL = sparing(*stored.PARCEL)
_REMOVALS = (
    at(A62, "LC-120", "no id", _ALL,
        error(GENERAL, "LC-120", "", "names no object"), step=1),
    at(A62, "LC-121", "query", ASKING,
        error(GENERAL, "LC-121", "", "AdhocQuery", "one by one"), step=1),
    at(A62, "LC-121", "another deletionScope",
        scope("urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteRepositoryItemOnly"),
        error(GENERAL, "LC-121", "", "deletionScope", "ItemOnly"), step=1),
    at(A62, "LC-121", "the default deletionScope", scope(urns.DELETE_ALL), ACCEPTED),
    *(
        at(A62, "LC-122; 7 ITI-62.1", f"nothing: {name}", naming(id_),
            error(UNRESOLVED, "LC-122", id_, "ObjectRef", f"'{id_}'"), step=2)
        for name, id_ in (("UUID", stored.NOBODY), ("symbol", "Document09"))
    ),
    at(A62, "LC-123; LC-125; 7 ITI-62.2", "membership left", sparing(stored.IN_SET),
        error(REFERENCED, "LC-123", stored.PARCEL_ENTRY, "to stay")),
    at(A62, "LC-123; LC-125; 7 ITI-62.2", "membership of the Folder left",
        sparing(stored.BOX_IN_SET),
        error(REFERENCED, "LC-123", stored.PARCEL_BOX, stored.PARCEL_BOX, "Folder")),
    at(A62, "LC-123", "membership of a filing left", sparing(stored.FILING_IN_SET),
        error(REFERENCED, "LC-123", stored.IN_BOX, "Association")),
    at(A62, "LC-125; 7 ITI-62.2", "set alone",
        sparing(*(each for each in stored.PARCEL if each != stored.PARCEL_SET)),
        error(REFERENCED, "LC-123", stored.PARCEL_SET, "SubmissionSet")),
    at(A62, "LC-125; 7 ITI-62.2", "entry alone",
        sparing(*(each for each in stored.PARCEL if each != stored.PARCEL_ENTRY)),
        error(REFERENCED, "LC-123", stored.PARCEL_ENTRY, "DocumentEntry")),
    at(A62, "LC-123; LC-127", "version that associations name", naming(stored.LATEST),
        error(REFERENCED, "LC-123", stored.LATEST, "DocumentEntry")),
    at(A62, "LC-123", "target of a relationship", naming(stored.PLAIN),
        error(REFERENCED, "LC-123", stored.PLAIN, "DocumentEntry")),
    at(A62, "LC-124; 7 ITI-62.3", "only membership of an entry", naming(stored.LONE_LINK),
        error(ORPHANED, "LC-124", stored.LONE, "DocumentEntry", "without any association")),
    at(A62, "LC-124; 7 ITI-62.3", "entry kept without association",
        Edit(sparing(stored.PARCEL_ENTRY).change, frozenset(stored.PARCEL)),
        error(ORPHANED, "LC-124", stored.PARCEL_ENTRY, "DocumentEntry")),
    at(A62, "7 ITI-62.4", "relationship too", naming(stored.MADE_LINK), ACCEPTED),
)  # fmt: skip

_OFFERS = (
    at(A61, "LC-140", "Stable entry among others", edit(_stable, FIRST),
        error(METADATA, "LC-140", FIRST, "DocumentEntry.objectType", urns.ON_DEMAND_DOCUMENT,
              also="MD-108 MD-112 MD-126")),
    at(A61, "LC-140", "no entry", edit(_no_entries, SET),
        error(METADATA, "LC-140", "", "at least one On-Demand entry"),
        alone="nothing is left to edit"),
    at(A61, "LC-141", "replacement of a Stable entry", relation(urns.RPLC, stored.PLAIN), ACCEPTED),
    at(A61, "LC-141", "replacement of an On-Demand entry",
        relation(urns.RPLC, stored.ON_DEMAND), ACCEPTED),
    *(
        at(A61, "LC-142; 2 DocumentEntry (On-Demand, ITI-61)", f"On-Demand entry with {name}",
            slot(FIRST, name, value), error(METADATA, rule, FIRST, f"DocumentEntry.{name}"))
        for name, value, rule in (
            ("creationTime", "2024", "MD-108"), ("hash", ZEROS, "MD-112"), ("size", "7", "MD-126"),
        )
    ),
    at(A61, "LC-143; 2 DocumentEntry (On-Demand, ITI-61)", "no repositoryUniqueId",
        slot(FIRST, "repositoryUniqueId"),
        error(METADATA, "REG-070", FIRST, "DocumentEntry.repositoryUniqueId", "missing")),
    at(A61, "LC-144", "no service times",
        both(slot(FIRST, "serviceStartTime"), slot(FIRST, "serviceStopTime")), ACCEPTED),
    at(A61, "LC-145", "uniqueId of a Stable entry",
        identifier(FIRST, "uniqueId", stored.PLAIN_ID),
        error(METADATA, "LC-145", FIRST, "DocumentEntry.uniqueId", stored.PLAIN_ID)),
    at(A61, "LC-146", "uniqueId of another On-Demand entry",
        identifier(FIRST, "uniqueId", stored.ON_DEMAND_ID), ACCEPTED),
    at(A61, "LC-141; LC-147", "snapshot by an On-Demand entry",
        relation(urns.IS_SNAPSHOT_OF, stored.ON_DEMAND),
        error(METADATA, "REG-116", RELATION)),
)  # fmt: skip


def _shared(
    name: str, ids: str, rows: Iterable[Row], *without: str, rules: Collection[str] = ()
) -> Iterator[Row]:
    """Every third refusal of ITI-42 that another transaction answers alike.

    without: what the rows left out touch, objects or their parts; rules: of rows left out
    """
    alike = []
    for each in rows:
        found = each.of("ITI-42")
        if not isinstance(found, Error) or found.severity != urns.SEVERITY_ERROR:
            continue
        touched = {*each.edit.touches, *(part.partition(".")[0] for part in each.edit.touches)}
        if touched.isdisjoint(without) and found.rule not in rules:
            alike.append((each, found))
    for each, found in alike[::3]:
        yield replace(each, ids=(ids,), found={name: found}, steps={})


def _of(id_: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{id_}.{each}" for each in names)


# a Stable entry alone is a snapshot
_OF_CONTENT = (each for each in content_rows.ROWS if not each.name.startswith("snapshot of a"))
_ALIKE = (
    *_shared(A61, "LC-147",
        (*structure_rows.ROWS, *attribute_rows.ROWS, *_OF_CONTENT),
        *_of(FIRST, "creationTime", "hash", "size", "objectType"),
        # these ask for entries and octets
        rules=("REG-054", "REG-092", "REG-093", "REG-097")),
    *_shared(A57, "LC-025", attribute_rows.ROWS, RELATION,
        *_of(FIRST, "objectType", "patientId", "uniqueId", "hash"), f"{FOLDER}.uniqueId"),
    *_shared(A92, "LC-111", attribute_rows.ROWS, RELATION, FOLDER,
        *_of(FIRST, "objectType", "patientId", "uniqueId", "sourcePatientId",
             "documentAvailability", "repositoryUniqueId"), f"{SECOND}.repositoryUniqueId"),
)  # fmt: skip

ROWS: tuple[Row, ...] = (
    *_VERSIONS,
    *_STATUSES,
    *_LINKS,
    *_RESTRICTED,
    *_REMOVALS,
    *_OFFERS,
    *_ALIKE,
)


def _effect(transaction: str, *names: str) -> Reason:
    """Shown by tests of that transaction."""
    return elsewhere(*(f"registry/test_{transaction}.py::{name}" for name in names))


_OPERATION = Reason(
    "what the good message does", ("errors/test_table.py::test_good_message_is_good",)
)
_CONTRACT = elsewhere("wsdl/test_contracts.py::test_row_and_contract_agree", text="of the contract")
_REFUSAL = Reason("every row", ("errors/test_table.py::test_row",))
_NEW_VERSION = _effect("iti57", "test_a_new_version_supersedes_the_latest")
_REMOVED = _effect("iti62", "test_a_whole_submission_is_removed_and_may_come_again")
_NO_DOCUMENTS = Reason("of ITI-86, which is not there yet")

REASONS: dict[str, Reason] = {
    **dict.fromkeys(("LC-001", "LC-002", "LC-003", "LC-004"), _CONTRACT),
    "LC-007": Reason("names of contracts, which stand in no message; our contract is one document"),
    **dict.fromkeys(("LC-005", "LC-006"), _REFUSAL),
    "LC-010": _NEW_VERSION,
    "LC-011": _NEW_VERSION,
    "LC-013": _NEW_VERSION,
    "LC-014": _NEW_VERSION,
    "LC-027": _effect("iti57", "test_a_status_may_follow_a_new_version"),
    **dict.fromkeys(("LC-042", "LC-043", "LC-044"), _OPERATION),
    "LC-053": _NEW_VERSION,
    "LC-055": _NEW_VERSION,
    "LC-056": _effect("iti57", "test_associations_go_on_with_the_new_version"),
    "LC-057": _effect("iti57", "test_nothing_goes_on_without_propagation"),
    "LC-070": _effect("iti57", "test_a_status_changes_without_a_new_version"),
    "LC-072": _effect("iti57", "test_what_was_replaced_rests_where_the_domain_says_so"),
    "LC-077": _effect("iti57", "test_a_folder_gets_a_new_version_with_its_members"),
    "LC-084": _effect("iti57", "test_an_association_is_submitted_with_its_effects"),
    "LC-109": _effect("iti92", "test_a_deprecated_entry_stays_deprecated"),
    "LC-113": _effect("iti92", "test_it_goes_on_where_the_other_update_ended"),
    "LC-114": Reason("of gateways, which are not there yet"),
    "LC-115": _effect("iti92", "test_associations_go_on"),
    "LC-126": _REMOVED,
    "LC-128": _effect("iti62", "test_a_relationship_goes_alone_and_its_effects_stay"),
    "LC-129": _effect("iti62", "test_a_folder_that_loses_a_member_is_touched"),
    "LC-130": elsewhere("e2e/test_versions.py::test_what_is_removed_is_gone"),
    "LC-131": elsewhere("e2e/test_versions.py::test_what_is_removed_is_gone"),
    "LC-132": _REMOVED,
    "LC-148": _effect("iti61", "test_it_may_replace_and_be_filed"),
    "LC-149": elsewhere(
        "e2e/test_versions.py::test_what_is_not_offered_is_a_fault", text="a SOAP fault"
    ),
    "7.14": _effect(
        "iti57",
        "test_associations_go_on_with_the_new_version",
        "test_nothing_goes_on_without_propagation",
    ),
    "7 ITI-62.5": _effect("iti62", "test_a_chain_goes_in_one_request"),
    "7 ITI-62.6": _effect("iti62", "test_an_original_goes_and_its_replacement_stays"),
    **{f"7 ITI-86.{number}": _NO_DOCUMENTS for number in (1, 2, 3)},
    "8 ITI-61 response action": _CONTRACT,
}
