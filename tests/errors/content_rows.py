"""Rows about what the registry holds: patients, uniqueIds, Folders, targets (register.md 3.4 ff.),
and about documents and their entries (checklist section 5)."""

from tests import samples
from tests.errors import stored
from tests.errors.message import (
    CONTENTS,
    FIRST,
    FOLDER,
    REFERENCE,
    RELATION,
    SECOND,
    SET,
    Edit,
    Message,
    association,
    both,
    edit,
    identifier,
    into,
    octets,
    patients,
    relation,
    slot,
    xml,
)
from tests.errors.table import (
    DEPRECATED,
    METADATA,
    MISMATCH,
    REPOSITORY,
    UNKNOWN,
    UNRESOLVED,
    accepted,
    error,
    of_repository,
    row,
)
from xdsi.standard import urns

STRANGER = f"TEST-9999^^^&{stored.PATIENT_DOMAIN}&ISO"
FOREIGN = "TEST-0001^^^&1.2.3.4.777&ISO"
OTHER = str(stored.OTHER)
TAKEN = "XDSDuplicateUniqueIdInRegistry"
TWICE, TWICE_41 = (f"XDS{each}DuplicateUniqueIdInMessage" for each in ("Registry", "Repository"))
PLAIN_HASH = samples.staged(stored.PLAIN_OCTETS).sha1


def of_set(message: Message) -> str:
    return message.text(SET, "uniqueId")


def same_as_set(id_: str) -> Edit:
    """The uniqueId of the SubmissionSet."""
    return edit(
        lambda message: message.identifier(id_, "uniqueId").set("value", of_set(message)),
        f"{id_}.uniqueId",
        f"{SET}.uniqueId",
    )


def plain(id_: str, size: str | None = None) -> Edit:
    """The document that is registered already, under its uniqueId."""
    return both(
        identifier(id_, "uniqueId", stored.PLAIN_ID),
        slot(id_, "hash", PLAIN_HASH),
        slot(id_, "size", size or str(len(stored.PLAIN_OCTETS))),
        octets(id_, stored.PLAIN_OCTETS),
    )


def upper(message: Message) -> None:
    for value in message.slot(FIRST, "hash").iter("{*}Value"):
        value.text = str(value.text).upper()


def _stranger(message: Message) -> None:
    message.documents["Document09"] = b"?"


def _folder_alone(message: Message) -> None:
    for each in list(message.list):
        if each.get("id") not in (SET, FOLDER, "as-folder"):
            message.list.remove(each)
    message.documents.clear()


def _filing_alone(message: Message) -> None:
    for each in list(message.list):
        if each.get("id") != SET:
            message.list.remove(each)
    message.documents.clear()
    into(stored.BOX, stored.NEWER).change(message)


ROWS = (
    # patients
    row("REG-080; 4.1", "patient nobody fed", patients(STRANGER),
        error(UNKNOWN, "REG-080", SET, STRANGER, "identity feed", also="REG-084")),
    row("REG-080", "patient of another domain", patients(FOREIGN),
        error(UNKNOWN, "REG-080", SET, FOREIGN, "assigning authority", also="REG-084")),
    row("REG-081", "patient merged away", patients(str(stored.MERGED)),
        error(UNKNOWN, "REG-081", SET, str(stored.MERGED), "surviving identifier",
              also="REG-084")),
    row("REG-082; 4.2", "entry of another patient", identifier(FIRST, "patientId", OTHER),
        error(MISMATCH, "REG-082", FIRST, "DocumentEntry.patientId", OTHER, str(stored.PATIENT))),
    row("REG-082; 4.2", "Folder of another patient", identifier(FOLDER, "patientId", OTHER),
        error(MISMATCH, "REG-082", FOLDER, "Folder.patientId", OTHER, str(stored.PATIENT))),
    row("REG-082; 4.2", "set of another patient",
        Edit(identifier(SET, "patientId", OTHER).change, patients(OTHER).touches),
        error(MISMATCH, "REG-082", FIRST, "DocumentEntry.patientId", "SubmissionSet.patientId")),
    row("REG-083; 4.3; 8 Folder patient mismatch", "filed in a Folder of another patient",
        into(stored.THEIR_BOX, FIRST),
        error(MISMATCH, "REG-083", "as-into", OTHER, str(stored.PATIENT), "patientId")),
    row("REG-083; 4.3", "registered entry filed in a Folder of another patient",
        into(stored.THEIR_BOX, stored.OLD),
        error(MISMATCH, "REG-083", "as-into", OTHER, str(stored.PATIENT))),
    row("REG-083", "registered entry of another patient filed", into(FOLDER, stored.THEIRS),
        error(MISMATCH, "REG-083", "as-into", OTHER, str(stored.PATIENT))),
    row("REG-084; 4.4", "replacement of another patient's entry",
        relation(urns.RPLC, stored.THEIRS),
        error(MISMATCH, "REG-084", RELATION, OTHER, str(stored.PATIENT))),
    row("REG-084", "addendum to another patient's entry", relation(urns.APND, stored.THEIRS),
        error(MISMATCH, "REG-084", RELATION, OTHER, str(stored.PATIENT))),
    accepted("REG-086", "another patient's entry by reference",
        xml(REFERENCE, "targetObject", stored.THEIRS)),
    accepted("REG-087", "sourcePatientId nobody fed",
        slot(FIRST, "sourcePatientId", "NOBODY^^^&1.2.3.4.5.6.7&ISO")),
    # uniqueIds
    row("REG-090; 4.6", "uniqueId of another set", identifier(SET, "uniqueId", stored.SET_ID),
        error(TAKEN, "REG-090", SET, stored.SET_ID, "SubmissionSet.uniqueId", "a SubmissionSet")),
    row("REG-090; 4.6", "set with the uniqueId of a Folder",
        identifier(SET, "uniqueId", stored.BOX_ID),
        error(TAKEN, "REG-090", SET, stored.BOX_ID, "for a Folder")),
    row("REG-090; 4.6", "set with the uniqueId of a document",
        identifier(SET, "uniqueId", stored.PLAIN_ID),
        error(TAKEN, "REG-090", SET, stored.PLAIN_ID, "for a DocumentEntry")),
    row("REG-091; 4.6", "uniqueId of another Folder",
        identifier(FOLDER, "uniqueId", stored.BOX_ID),
        error(TAKEN, "REG-091", FOLDER, stored.BOX_ID, "Folder.uniqueId", "for a Folder")),
    row("REG-092; 4.7", "uniqueId of other octets",
        identifier(FIRST, "uniqueId", stored.PLAIN_ID),
        error("XDSNonIdenticalHash", "REG-092", FIRST, stored.PLAIN_ID, PLAIN_HASH),
        at_41=error("XDSNonIdenticalHash", "", FIRST, stored.PLAIN_ID)),
    row("REG-093; 4.7", "uniqueId of another size", plain(FIRST, "7"),
        error("XDSNonIdenticalSize", "REG-093", FIRST, stored.PLAIN_ID, "'7'"),
        at_41=error(REPOSITORY, "REG-023", FIRST, "DocumentEntry.size", "'7'")),
    row("REG-098; 4.7", "uniqueId of other and more octets",
        identifier(SECOND, "uniqueId", stored.PLAIN_ID),
        error("XDSNonIdenticalSize", "REG-093", SECOND, stored.PLAIN_ID, also="REG-092"),
        at_41=error("XDSNonIdenticalSize", "", SECOND, stored.PLAIN_ID)),
    accepted("REG-094; 4.7", "the same document again", plain(FIRST)),
    row("REG-095", "entry with the uniqueId of a set", identifier(FIRST, "uniqueId", stored.SET_ID),
        error(METADATA, "REG-095", FIRST, stored.SET_ID, "for a SubmissionSet")),
    row("REG-096; 4.5; 8 Duplicate uniqueId in the message", "uniqueId of set and Folder",
        same_as_set(FOLDER), error(TWICE, "REG-096", FOLDER, "SubmissionSet, Folder"),
        at_41=error(TWICE_41, "REG-026", "", "2 objects")),
    row("REG-096; 4.5", "uniqueId of set and entry", same_as_set(SECOND),
        error(TWICE, "REG-096", SECOND, "SubmissionSet, DocumentEntry"),
        at_41=error(TWICE_41, "REG-026", "", "2 objects")),
    row("REG-097", "Stable entry with the uniqueId of an On-Demand entry",
        identifier(FIRST, "uniqueId", stored.ON_DEMAND_ID),
        error(METADATA, "REG-097", FIRST, stored.ON_DEMAND_ID, "On-Demand")),
    # Folders
    row("REG-100", "Deprecated entry filed", into(FOLDER, stored.GONE),
        error(DEPRECATED, "REG-100", "as-into", stored.GONE, "current one")),
    row("REG-100", "filed in a Deprecated Folder", into(stored.CLOSED, FIRST),
        error(METADATA, "REG-100", "as-into", stored.CLOSED, "Folder is Deprecated")),
    # relationships
    *(
        row("REG-112; 4.9", f"{type_.rpartition(':')[2]} of a Deprecated entry",
            relation(type_, stored.GONE),
            error(DEPRECATED, "REG-112", RELATION, "targetObject", stored.GONE))
        for type_ in (urns.RPLC, urns.XFRM_RPLC)
    ),
    *(
        row("REG-119; 4.9", f"{type_.rpartition(':')[2]} onto a Deprecated entry",
            relation(type_, stored.GONE),
            error(DEPRECATED, "REG-119", RELATION, "targetObject", stored.GONE))
        for type_ in (urns.XFRM, urns.APND, urns.SIGNS)
    ),
    row("REG-114", "replacement of an entry in a Folder of another patient",
        relation(urns.RPLC, stored.STRAYED),
        error(MISMATCH, "REG-114", RELATION, OTHER, str(stored.PATIENT))),
    row("REG-116; 4.13", "snapshot of a Stable entry",
        relation(urns.IS_SNAPSHOT_OF, stored.OLD),
        error(METADATA, "REG-116", RELATION, stored.OLD, "not an On-Demand entry")),
    row("REG-111; 4.13", "snapshot of an entry of the message",
        relation(urns.IS_SNAPSHOT_OF, FIRST),
        error(UNRESOLVED, "REG-111", RELATION, f"'{FIRST}'")),
    row("REG-112; 4.13", "snapshot of a Deprecated On-Demand entry",
        relation(urns.IS_SNAPSHOT_OF, stored.EXPIRED),
        error(DEPRECATED, "REG-112", RELATION, stored.EXPIRED)),
    accepted("4.13", "snapshot of an On-Demand entry",
        relation(urns.IS_SNAPSHOT_OF, stored.ON_DEMAND)),
    row("REG-118", "addendum to a transformation", relation(urns.APND, stored.MADE),
        error(METADATA, "REG-118", RELATION, stored.MADE, "append to the original")),
    row("REG-118", "addendum to a transformation of the message",
        Edit(association("as-late", urns.APND, FIRST, SECOND).change,
             frozenset({"as-late", RELATION})),
        error(METADATA, "REG-118", "as-late", f"'{SECOND}'", "append to the original")),
    row("REG-120", "Deprecated entry by reference", xml(REFERENCE, "targetObject", stored.GONE),
        error(DEPRECATED, "REG-120", REFERENCE, stored.GONE)),
    # documents
    of_repository("5.1", "entry without document", octets(FIRST, None),
        error("XDSMissingDocument", "REG-020", FIRST, f"{FIRST} DocumentEntry")),
    of_repository("5.2", "document without entry", edit(_stranger, "Document09"),
        error("XDSMissingDocumentMetadata", "REG-021", "Document09", "Document09 Document")),
    of_repository("5.3", "other octets than the hash says",
        octets(FIRST, CONTENTS[FIRST].upper()),
        error(REPOSITORY, "REG-022", FIRST, "DocumentEntry.hash", "not the SHA-1")),
    of_repository("5.3", "another size than that of the octets", slot(FIRST, "size", "26"),
        error(REPOSITORY, "REG-023", FIRST, "DocumentEntry.size", "'26'", "which is 25")),
    accepted("3 hash; 5.4", "hash in upper case", edit(upper, f"{FIRST}.hash")),
    accepted("5.8", "Folder alone", edit(_folder_alone, SET)),
    accepted("5.8", "filing of registered objects alone", edit(_filing_alone, SET)),
)  # fmt: skip
