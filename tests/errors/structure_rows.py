"""Rows about the structure of a submission, ids and references (register.md 3.1, 3.2)."""

from copy import deepcopy

from lxml import etree

from tests import samples
from tests.errors import stored
from tests.errors.message import (
    FILING,
    FIRST,
    FOLDER,
    OF_FILING,
    OF_FIRST,
    OF_FOLDER,
    REFERENCE,
    RELATION,
    SECOND,
    SET,
    Edit,
    Message,
    again,
    association,
    attribute,
    both,
    code,
    edit,
    inner,
    label,
    of_identifier,
    relation,
    renamed,
    slot,
    without,
    xml,
)
from tests.errors.table import METADATA, UNRESOLVED, accepted, error, row, warning
from xdsi.standard import urns

HM = urns.HAS_MEMBER
UPPER = "urn:uuid:ABCDEF00-0000-4000-8000-000000000000"
NEW = "urn:uuid:00000000-0000-4000-8000-00000000aaaa"
STATUS = "SubmissionSetStatus"


def second_set(message: Message) -> None:
    copy = deepcopy(message.object(SET))
    for each in copy.iter(etree.Element):
        if each.get("id"):
            each.set("id", f"two-{each.get('id')}")
        for name in ("classifiedObject", "registryObject"):
            if each.get(name):
                each.set(name, f"two-{SET}")
    message.list.append(copy)
    other = message.object(f"two-{SET}")
    for each in other:
        if each.get("value") == message.text(SET, "uniqueId"):
            each.set("value", samples.new_oid())


def _emptied(message: Message) -> None:
    for each in list(message.list):
        if each.get("id") not in (SET, REFERENCE):
            message.list.remove(each)
    message.documents.clear()


def _loose(message: Message) -> None:
    """The label of the Folder beside it."""
    folder = message.object(FOLDER)
    (found,) = (each for each in folder if each.get("classificationNode"))
    message.list.insert(0, found)


def _documented(message: Message) -> None:
    """The documentation of the relationship on a membership too."""
    copy = deepcopy(message.code(RELATION, "associationDocumentation"))
    copy.set("id", "documented")
    copy.set("classifiedObject", OF_FIRST)
    message.object(OF_FIRST).append(copy)


def _slot_twice(message: Message) -> None:
    found = message.slot(FIRST, "languageCode")
    found.addnext(deepcopy(found))


def _lost_slot(element: etree._Element) -> None:
    inner("urn:example:lost", "x")(element)


def twice(name: str, source: str, target: str, status: str = "") -> Edit:
    """One HasMember more."""
    return association(f"as-{name}", HM, source, target, status)


ONLY_ONE = "other rules of structure wait for the SubmissionSet"

ROWS = (
    row("REG-050; 1.1", "no SubmissionSet", without(SET),
        error(METADATA, "REG-050", "", "exactly one SubmissionSet", "got 0", also="REG-062"),
        alone=ONLY_ONE),
    row("REG-050; 1.1", "two SubmissionSets", edit(second_set, SET),
        error(METADATA, "REG-050", "", "exactly one SubmissionSet", "got 2"), alone=ONLY_ONE),
    row("REG-051; 1.2", "package without label",
        Edit(label(FOLDER, lambda each: each.getparent().remove(each)).change,
             frozenset({FOLDER, OF_FOLDER, FILING, OF_FILING})),
        error(METADATA, "REG-051", FOLDER, "RegistryPackage", "without label")),
    accepted("1.2", "label beside its package", edit(_loose, FOLDER)),
    row("REG-052; 1.3", "entry not in the set", without(OF_FIRST),
        error(METADATA, "REG-052", FIRST, "exactly one HasMember", "got 0")),
    row("REG-052; 1.3", "entry twice in the set",
        both(twice("twice", SET, FIRST, "Original"), xml(OF_FIRST, "id", OF_FIRST)),
        error(METADATA, "REG-052", FIRST, "exactly one HasMember", "got 2")),
    row("REG-052; 1.4", "Folder not in the set", without(OF_FOLDER),
        error(METADATA, "REG-052", FOLDER, "exactly one HasMember", "got 0")),
    row("REG-052; 1.4", "Folder twice in the set",
        both(twice("box", SET, FOLDER), xml(OF_FOLDER, "id", OF_FOLDER)),
        error(METADATA, "REG-052", FOLDER, "exactly one HasMember", "got 2")),
    row("REG-053; 1.5", "filing not in the set", without(OF_FILING),
        error(METADATA, "REG-053", FILING, "exactly one HasMember", "got 0")),
    row("REG-054", "nothing but a reference", edit(_emptied, SET),
        error(METADATA, "REG-054", "", "empty"), alone="nothing is left to edit"),
    row("REG-055; 1.12", "no SubmissionSetStatus", slot(OF_FIRST, STATUS),
        error(METADATA, "REG-055", OF_FIRST, STATUS, "must be Original")),
    row("REG-055; 1.12", "Reference for an entry of the submission",
        slot(OF_FIRST, STATUS, "Reference"),
        error(METADATA, "REG-055", OF_FIRST, STATUS, "must be Original", "'Reference'")),
    row("REG-055; 1.12", "Original for an entry of the registry",
        slot(REFERENCE, STATUS, "Original"),
        error(METADATA, "REG-055", REFERENCE, STATUS, "must be Reference", "'Original'")),
    row("REG-055; 1.12", "another SubmissionSetStatus", slot(OF_FIRST, STATUS, "original"),
        error(METADATA, "REG-055", OF_FIRST, STATUS, "'original'")),
    row("REG-055; 1.12", "two SubmissionSetStatus", slot(OF_FIRST, STATUS, "Original", "Original"),
        error(METADATA, "REG-071", OF_FIRST, STATUS, "one value allowed, got 2")),
    row("REG-055; 1.12", "SubmissionSetStatus of a Folder", slot(OF_FOLDER, STATUS, "Original"),
        error(METADATA, "REG-055", OF_FOLDER, STATUS)),
    row("REG-055; 1.12", "SubmissionSetStatus of a filing", slot(FILING, STATUS, "Original"),
        error(METADATA, "REG-055", FILING, STATUS)),
    row("REG-055; 1.12", "SubmissionSetStatus of a relationship",
        slot(RELATION, STATUS, "Original"), error(METADATA, "REG-055", RELATION, STATUS)),
    row("REG-056; 1.10", "short associationType", xml(RELATION, "associationType", "XFRM"),
        error(METADATA, "REG-056", RELATION, "associationType", "'XFRM'", "full URN")),
    row("REG-056; 1.10", "misspelt associationType",
        xml(RELATION, "associationType", "urn:ihe:iti:2007:AssociationType:Signs"),
        error(METADATA, "REG-056", RELATION, "associationType", "AssociationType:Signs'")),
    row("REG-056; LC-032; 7.13", "UpdateAvailabilityStatus",
        association("as-update", urns.UPDATE_AVAILABILITY_STATUS, SET, stored.OLD),
        error(METADATA, "REG-056", "as-update", "associationType", "ITI-57")),
    row("REG-056; LC-032; 7.13", "SubmitAssociation",
        association("as-submit", urns.SUBMIT_ASSOCIATION, SET, RELATION),
        error(METADATA, "REG-056", "as-submit", "associationType", "ITI-57")),
    row("REG-057; 1.9", "association of an entry with itself",
        association("as-self", urns.APND, FIRST, FIRST),
        error(METADATA, "REG-057", "as-self", "source and target are the same")),
    row("REG-057; 1.6", "SubmissionSet as target", association("as-set", urns.APND, FIRST, SET),
        error(METADATA, "REG-057", "as-set", "targetObject", "never the target")),
    row("REG-057; 1.6", "SubmissionSet appends to an entry",
        association("as-appends", urns.APND, SET, stored.PLAIN),
        error(METADATA, "REG-057", "as-appends", "sourceObject", "only HasMember",
              also="REG-110")),
    row("REG-057; 1.6", "member of an earlier SubmissionSet",
        twice("earlier", stored.FIRST_SET, FIRST, "Original"),
        error(METADATA, "MD-060", "as-earlier", "sourceObject", "own submission",
              also="REG-053")),
    row("REG-057; 1.7", "entry holds an entry", twice("holds", FIRST, SECOND),
        error(METADATA, "REG-057", "as-holds", "from a DocumentEntry to a DocumentEntry",
              also="REG-053")),
    row("REG-057; 1.7", "Folder holds a Folder", twice("boxes", FOLDER, stored.BOX),
        error(METADATA, "MD-061", "as-boxes", "from a Folder to a Folder", also="REG-053")),
    row("REG-057; 1.7", "set holds a relationship", twice("odd", SET, RELATION),
        error(METADATA, "REG-057", "as-odd", "only a Folder's HasMember")),
    row("REG-057", "filed twice",
        both(twice("again", FOLDER, FIRST), twice("of-again", SET, "as-again"),
             xml(FILING, "id", FILING)),
        error(METADATA, "REG-057", FILING, "joins the same two objects")),
    row("REG-058; 1.22", "On-Demand entry", xml(FIRST, "objectType", urns.ON_DEMAND_DOCUMENT),
        error(METADATA, "REG-058", FIRST, "DocumentEntry.objectType", "ITI-61")),
    row("REG-058; 1.22", "unknown objectType", xml(FIRST, "objectType", NEW),
        error(METADATA, "REG-058", FIRST, "DocumentEntry.objectType", NEW, urns.STABLE_DOCUMENT)),
    row("REG-059; LC-032; 7.13", "new version by lid", xml(FIRST, "lid", stored.PLAIN),
        error(METADATA, "REG-059", FIRST, "DocumentEntry.logicalID", stored.PLAIN, "ITI-57")),
    row("REG-059; LC-032; 7.13", "new version by PreviousVersion",
        slot(OF_FIRST, "PreviousVersion", "1"),
        error(METADATA, "REG-059", OF_FIRST, "PreviousVersion", "ITI-57")),
    # ids and references
    row("REG-060; 1.14", "nested id twice", code(FIRST, "classCode", attribute("id", FIRST)),
        error(METADATA, "REG-060", FIRST, ".classCode", "more than once", f"'{FIRST}'")),
    row("REG-060; 1.14", "object id twice", xml(REFERENCE, "id", FILING),
        error(METADATA, "REG-060", FILING, "Association", "more than once", also="REG-057"),
        alone="which of the two is meant elsewhere is open"),
    row("REG-060; 1.15", "association without id", xml(REFERENCE, "id", None),
        error(METADATA, "REG-060", "", "(no id) Association", "id missing", also="REG-070")),
    row("REG-060; 1.15", "Classification without id",
        code(FIRST, "typeCode", attribute("id", None)),
        error(METADATA, "REG-060", FIRST, "DocumentEntry.typeCode", "id missing")),
    row("REG-060; 1.15", "ExternalIdentifier without id",
        of_identifier(SET, "sourceId", attribute("id", None)),
        error(METADATA, "REG-060", SET, "SubmissionSet.sourceId", "id missing")),
    row("REG-060; 1.16", "UUID in upper case", xml(REFERENCE, "id", UPPER),
        error(METADATA, "MD-072", UPPER, "lower case", f"'{UPPER}'")),
    row("REG-060; 1.16", "malformed UUID", code(FOLDER, "codeList", attribute("id", "urn:uuid:12")),
        error(METADATA, "MD-066", FOLDER, "Folder.codeList", "8-4-4-4-12")),
    row("1.17; 4.8", "UUID of a registered association", xml(REFERENCE, "id", stored.LINK),
        error(METADATA, "MD-072", stored.LINK, "Association.id", "registry already", stored.LINK)),
    row("1.17; 4.8", "UUID of a registered entry", renamed(FIRST, stored.PLAIN),
        error(METADATA, "MD-072", stored.PLAIN, "DocumentEntry.id", "registry already"),
        alone="it turns what leads to the registry back into the message"),
    row("1.18", "classifiedObject of another object",
        code(FIRST, "formatCode", attribute("classifiedObject", SECOND)),
        error(METADATA, "MD-055", FIRST, "DocumentEntry.formatCode", "classifiedObject", SECOND)),
    row("1.18", "registryObject of another object",
        of_identifier(FIRST, "uniqueId", attribute("registryObject", SECOND)),
        error(METADATA, "MD-055", FIRST, "DocumentEntry.uniqueId", "registryObject", SECOND)),
    row("1.19", "unknown classificationScheme",
        code(FIRST, "practiceSettingCode", attribute("classificationScheme", NEW)),
        error(METADATA, "MD-065", FIRST, "DocumentEntry.Classification", NEW, also="REG-070")),
    row("1.19", "unknown identificationScheme",
        of_identifier(FOLDER, "uniqueId", attribute("identificationScheme", NEW)),
        error(METADATA, "REG-071", FOLDER, "Folder.ExternalIdentifier", NEW, also="REG-070")),
    row("1.19", "single-valued scheme twice", again(FIRST, "classCode"),
        error(METADATA, "REG-071", FIRST, "DocumentEntry.classCode", "occurs twice")),
    row("1.20", "slot twice", edit(_slot_twice, f"{FIRST}.languageCode"),
        error(METADATA, "MD-064", FIRST, "DocumentEntry.languageCode", "occurs twice")),
    row("1.20", "unprefixed slot", slot(FIRST, "creationTim", "2024"),
        error(METADATA, "REG-076", FIRST, "DocumentEntry.creationTim", "no slot of a")),
    row("1.20", "slot of another kind of object", slot(FOLDER, "submissionTime", "2024"),
        error(METADATA, "REG-076", FOLDER, "Folder.submissionTime", "no slot of a Folder")),
    row("REG-076; 1.20", "undefined urn:ihe: slot", slot(SET, "urn:ihe:iti:mine", "x"),
        error(METADATA, "MD-081", SET, "SubmissionSet.urn:ihe:iti:mine", "reserved")),
    row("REG-076; 1.20", "slot name that is no URN", slot(FIRST, "urn:no good", "x"),
        error(METADATA, "REG-076", FIRST, "DocumentEntry.urn:no good", "valid URN")),
    accepted("1.20; 1.21", "extra metadata", slot(FIRST, "urn:example:extra", "one", "two")),
    accepted("REG-077; 1.21", "extra metadata that are not kept",
        of_identifier(FIRST, "uniqueId", _lost_slot),
        warning("XDSExtraMetadataNotSaved", "REG-077", FIRST, "DocumentEntry.uniqueId",
              "urn:example:lost")),
    row("REG-061; 1.8; 8 Dangling reference in ITI-42", "target that is nowhere",
        xml(RELATION, "targetObject", stored.NOBODY),
        error(UNRESOLVED, "REG-061", RELATION, "targetObject", stored.NOBODY)),
    row("REG-062; 1.8", "symbol that is nowhere", xml(RELATION, "targetObject", "Document09"),
        error(UNRESOLVED, "REG-062", RELATION, "targetObject", "'Document09'")),
    row("REG-062; 1.8", "member that is nowhere",
        both(xml(REFERENCE, "targetObject", "Document09"), slot(REFERENCE, STATUS, "Reference")),
        error(UNRESOLVED, "REG-062", REFERENCE, "targetObject", "'Document09'")),
    row("REG-110; 1.11", "relationship of a registered entry",
        xml(RELATION, "sourceObject", stored.OLD),
        error(UNRESOLVED, "REG-110", RELATION, "sourceObject", stored.OLD)),
    row("REG-111; 1.11", "replacement of an entry of the message", relation(urns.RPLC, FIRST),
        error(UNRESOLVED, "REG-111", RELATION, "targetObject", f"'{FIRST}'")),
    row("REG-111; 1.11", "XFRM_RPLC of an entry of the message", relation(urns.XFRM_RPLC, FIRST),
        error(UNRESOLVED, "REG-111", RELATION, "targetObject", f"'{FIRST}'")),
    accepted("1.11", "signature on an entry of the message", relation(urns.SIGNS, FIRST)),
    row("1.13", "documented membership", edit(_documented, OF_FIRST),
        error(METADATA, "MD-174", OF_FIRST, "associationDocumentation", "HasMember")),
    row("REG-075; 1.13", "documentation outside of the domain",
        code(RELATION, "associationDocumentation", attribute("nodeRepresentation", "Correction")),
        error(METADATA, "REG-075", RELATION, "associationDocumentation",
              "'Correction^^", "nearest in this scheme: Corrected_Information")),
)  # fmt: skip
