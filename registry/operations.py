"""What an update asks for: its operations, and what is wrong with how they are written.

An update is a submission whose SubmissionSet says by its associations what is to be done:
HasMember with PreviousVersion: a new version; UpdateAvailabilityStatus: another status of what is
registered; SubmitAssociation: a new association between registered objects. References are
compared as sent. `Manner` is what ITI-57 and ITI-92 do differently.
Source: Metadata Update and Restricted Metadata Update supplements (LC-020 to LC-049, LC-100).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from registry import rules
from registry.findings import refuse
from registry.known import Described, Domain, described_of
from xdsi.model.checks import attribute_findings
from xdsi.model.errors import (
    UnmodifiableMetadataError,
    XDSError,
    XDSInvalidRequestException,
    XDSMetadataAnnotationError,
    XDSMetadataIdentifierError,
    XDSMetadataUpdateError,
    XDSMetadataUpdateOperationError,
)
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, Folder
from xdsi.model.values import is_uuid
from xdsi.standard import urns

Found = Iterator[XDSError]
# error class and rule
Refusal = tuple[type[XDSError], str]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a transaction refuses.

    initial: a version that is the first one; member: the set's HasMember is missing or wrong
    unique_id: the uniqueId changes; twice: two updates of one object; empty: no operation
    is_restricted: only entries are updated, and not in everything
    """

    empty: Refusal
    initial: Refusal
    member: Refusal
    unique_id: Refusal
    twice: Refusal
    is_restricted: bool = False


UPDATE = Manner(
    empty=(XDSMetadataUpdateOperationError, "LC-030"),
    initial=(XDSMetadataUpdateError, "LC-021"),
    member=(XDSMetadataUpdateOperationError, "LC-023"),
    unique_id=(XDSMetadataUpdateError, "LC-051"),
    twice=(XDSMetadataUpdateOperationError, "LC-026"),
)
RESTRICTED = Manner(
    empty=(XDSInvalidRequestException, "LC-100"),
    initial=(XDSInvalidRequestException, "LC-101"),
    member=(XDSMetadataAnnotationError, "LC-102"),
    unique_id=(XDSMetadataIdentifierError, "LC-104"),
    twice=(XDSMetadataUpdateOperationError, "LC-112"),
    is_restricted=True,
)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be made. previous: number of the one it supersedes.

    propagates: associations of that one go on with this one (LC-056)
    """

    obj: DocumentEntry | Folder
    member: Association
    previous: int
    propagates: bool

    @property
    def lid(self) -> str:
        return str(self.obj.logical_id)


@dataclass(frozen=True, slots=True)
class Operations:
    """Those that are written as they should be.

    statuses: UpdateAvailabilityStatus associations; links: associations to be stored
    members: the set's HasMembers of such links, where sent
    """

    versions: tuple[NewVersion, ...]
    statuses: tuple[Association, ...]
    links: tuple[Association, ...]
    members: tuple[Association, ...]


def operations(submission: Submission, manner: Manner) -> Operations:
    """What can be read of a submission with one set, of what the transaction allows."""
    own = submission.submission_set.entry_uuid
    members = _members(submission)
    versions = tuple(
        NewVersion(
            obj,
            member,
            int(member.previous_version or 0),
            member.association_propagation != "no",
        )
        for obj in _versioned(submission)
        for member in members[obj.entry_uuid][:1]
        if _is_good(obj, member)
    )
    if manner.is_restricted:
        return Operations(versions, (), (), ())
    submitted = _submitted(submission)
    return Operations(
        versions,
        tuple(_of_type(submission, urns.UPDATE_AVAILABILITY_STATUS, own)),
        tuple(each for each in submission.associations if each.entry_uuid in submitted),
        tuple(link for id_ in submitted for link in members[id_][:1]),
    )


def _is_good(obj: DocumentEntry | Folder, member: Association) -> bool:
    is_later = obj.logical_id != obj.entry_uuid and is_uuid(obj.logical_id or "")
    return is_later and not any(_of_member(obj, member))


def _versioned(submission: Submission) -> tuple[DocumentEntry | Folder, ...]:
    return *submission.entries, *submission.folders


def _of_type(submission: Submission, type_: str, source: str) -> Iterator[Association]:
    return (
        each
        for each in submission.associations
        if each.association_type == type_ and each.source_object == source
    )


def _members(submission: Submission) -> defaultdict[str, list[Association]]:
    """The set's HasMembers by what they lead to."""
    found: defaultdict[str, list[Association]] = defaultdict(list)
    for each in _of_type(submission, urns.HAS_MEMBER, submission.submission_set.entry_uuid):
        found[each.target_object].append(each)
    return found


def _submitted(submission: Submission) -> dict[str, Association]:
    """SubmitAssociation associations by what they lead to."""
    own = submission.submission_set.entry_uuid
    found = _of_type(submission, urns.SUBMIT_ASSOCIATION, own)
    return {each.target_object: each for each in found}


# what is wrong with them


def of_message(submission: Submission, domain: Domain, manner: Manner) -> Found:
    """What can be seen without the registry."""
    yield from _read(submission, manner)
    if (count := len(submission.submission_sets)) != 1:
        problem = f"exactly one SubmissionSet is needed, got {count}"
        error = XDSInvalidRequestException if manner.is_restricted else XDSMetadataUpdateError
        yield refuse(None, "Submission", problem, "LC-020", error=error)
        return
    own = submission.submission_set
    if own.logical_id not in (None, "", own.entry_uuid):
        problem = "a SubmissionSet has no later versions; leave lid out"
        yield refuse(own, "logicalID", problem, "LC-012", own.logical_id, manner.initial[0])
    yield from _complete(submission)
    yield from rules.of_update(submission, domain)
    yield from _versions(submission, manner)
    yield from _associations(submission, manner)
    if not (_versioned(submission) or submission.associations):
        yield _refused(None, "Submission", "asks for no operation", manner.empty)
    elif manner.is_restricted and not submission.entries:
        problem = "brings no new version of a DocumentEntry"
        yield _refused(None, "Submission", problem, manner.empty)


def _refused(
    obj: Any, attribute: str, problem: str, refusal: Refusal, value: str | None = None
) -> XDSError:
    error, rule = refusal
    return refuse(obj, attribute, problem, rule, value, error)


def _read(submission: Submission, manner: Manner) -> Found:
    """Findings of the reader; a slot of an operation with several values is a broken operation."""
    for each in submission.findings:
        slot = each.what.rpartition(".")[2]
        if each.rule == "REG-071" and slot in _UPDATE_SLOTS.values():
            of_status = XDSMetadataUpdateOperationError, "LC-066"
            error, rule = of_status if slot in _STATUS_SLOTS else manner.member
            yield error(each.what, each.problem, rule=rule, location=each.location)
        else:
            yield each


_STATUS_SLOTS = frozenset({"OriginalStatus", "NewStatus"})
_UPDATE_SLOTS = {
    "submission_set_status": "SubmissionSetStatus",
    "previous_version": "PreviousVersion",
    "association_propagation": "AssociationPropagation",
    "original_status": "OriginalStatus",
    "new_status": "NewStatus",
}


def _complete(submission: Submission) -> Found:
    """LC-025, LC-060, LC-111; whether a logical id may stand is asked elsewhere."""
    for obj in (*described_of(submission), *submission.associations):
        is_on_demand = isinstance(obj, DocumentEntry) and obj.is_on_demand
        for found in attribute_findings(obj, "ITI-61" if is_on_demand else "ITI-42"):
            if found.rule != "MD-178":
                yield found


def _versions(submission: Submission, manner: Manner) -> Found:
    """LC-021 to LC-023, LC-026, LC-101, LC-102, LC-112."""
    if manner.is_restricted:
        for folder in submission.folders:
            problem = "a Folder is updated with ITI-57"
            yield refuse(folder, "", problem, "LC-100", error=XDSMetadataUpdateError)
    members = _members(submission)
    counts = Counter(each.logical_id for each in _versioned(submission))
    for obj in submission.entries if manner.is_restricted else _versioned(submission):
        lid = obj.logical_id
        if not lid or lid == obj.entry_uuid:
            problem = "a new version has the lid of its earlier ones; a first one comes by ITI-42"
            yield _refused(obj, "logicalID", problem, manner.initial, lid)
        elif not is_uuid(lid):
            error, _ = manner.initial
            yield refuse(obj, "logicalID", "must be a UUID URN", "LC-022", lid, error)
        elif counts.pop(lid, 0) > 1:
            problem = "several versions of one logical object; send one request for each"
            yield _refused(obj, "logicalID", problem, manner.twice, lid)
        own = members[obj.entry_uuid]
        if len(own) != 1:
            problem = f"needs exactly one HasMember from the SubmissionSet, got {len(own)}"
            yield _refused(obj, "", problem, manner.member)
        for attribute, problem, value in _of_member(obj, own[0]) if own else ():
            yield _refused(own[0], attribute, problem, manner.member, value)


def _of_member(obj: Described, member: Association) -> Iterator[tuple[str, str, str | None]]:
    """Attribute, problem and value of what is wrong with a HasMember of a new version."""
    previous, propagation = member.previous_version, member.association_propagation
    if previous is None:
        yield "PreviousVersion", "missing; add the number of the version to be superseded", None
    elif not (previous.isascii() and previous.isdecimal() and len(previous) < 10):
        yield "PreviousVersion", "must be a version number", previous
    status = member.submission_set_status
    # Folders are made members without this slot (MD-168)
    if status != "Original" and not (status is None and isinstance(obj, Folder)):
        yield "SubmissionSetStatus", "must be Original", status
    if propagation not in (None, "yes", "no"):
        yield "AssociationPropagation", "must be yes or no", propagation
    for name in ("original_status", "new_status"):
        if getattr(member, name) is not None:
            yield _UPDATE_SLOTS[name], "is no slot of a HasMember", None
    for slot in member.extra:
        yield slot.name, "is no slot of an update", None


def _associations(submission: Submission, manner: Manner) -> Found:
    """Every association belongs to an operation (LC-030, LC-045, LC-065, LC-066, LC-085)."""
    own = submission.submission_set.entry_uuid
    versions = {each.entry_uuid for each in _versioned(submission)}
    links = {each.entry_uuid: each for each in submission.associations}
    submitted, members = _submitted(submission), _members(submission)
    filings = {
        id_
        for id_ in submitted
        if (link := links.get(id_)) is not None and link.association_type == urns.HAS_MEMBER
    }
    for each in submission.associations:
        type_, is_own = each.association_type, each.source_object == own
        if type_ in _OPERATIONS:
            if manner.is_restricted:
                error = _OPERATIONS[type_]
                problem = "ITI-92 changes attributes of DocumentEntries alone"
                yield refuse(each, "associationType", problem, "LC-100", type_, error)
                continue
            if not is_own:
                problem = "must be the SubmissionSet of the request"
                yield refuse(each, "sourceObject", problem, "LC-065", each.source_object,
                             XDSMetadataUpdateError)  # fmt: skip
            if type_ == urns.UPDATE_AVAILABILITY_STATUS:
                yield from _status_slots(each)
            elif each.target_object not in links:
                problem = "must be an association of the request"
                yield refuse(each, "targetObject", problem, "LC-080", each.target_object,
                             XDSMetadataUpdateError)  # fmt: skip
        elif each.entry_uuid in submitted and not manner.is_restricted:
            yield from _link(each)
        elif is_own and type_ == urns.HAS_MEMBER and each.target_object in filings:
            yield from _link(each)
            if len(members[each.target_object]) > 1:
                problem = "another HasMember of the SubmissionSet leads to the same association"
                yield refuse(each, "targetObject", problem, "LC-030", each.target_object,
                             XDSMetadataUpdateOperationError)  # fmt: skip
        elif not (is_own and type_ == urns.HAS_MEMBER and each.target_object in versions):
            problem = (
                "belongs to no operation; a new association between registered objects needs a "
                "SubmitAssociation from the SubmissionSet"
            )
            yield refuse(each, "", problem, "LC-030", error=XDSMetadataUpdateOperationError)


_OPERATIONS: dict[str, type[XDSError]] = {
    urns.UPDATE_AVAILABILITY_STATUS: UnmodifiableMetadataError,
    urns.SUBMIT_ASSOCIATION: XDSMetadataUpdateError,
}


def _status_slots(association: Association) -> Found:
    """LC-066."""

    def wrong(slot: str, problem: str, value: str | None = None) -> XDSError:
        return refuse(association, slot, problem, "LC-066", value, XDSMetadataUpdateOperationError)

    given = (association.original_status, association.new_status)
    for slot, value in zip(("OriginalStatus", "NewStatus"), given, strict=True):
        if value not in urns.STATUSES:
            problem = "missing" if value is None else "not an availabilityStatus; write its URN"
            yield wrong(slot, problem, value)
    if given[0] is not None and given[0] == given[1]:
        yield wrong("NewStatus", "must differ from OriginalStatus", given[1])
    for name in ("submission_set_status", "previous_version", "association_propagation"):
        if getattr(association, name) is not None:
            yield wrong(_UPDATE_SLOTS[name], "is no slot of a change of status")
    for slot_ in association.extra:
        yield wrong(slot_.name, "is no slot of a change of status")


def _link(association: Association) -> Found:
    """LC-030, LC-085."""
    type_ = association.association_type
    if type_ != urns.HAS_MEMBER and type_ not in urns.RELATIONSHIPS:
        problem = "not an association that can be submitted; write the full URN"
        yield refuse(association, "associationType", problem, "LC-030", type_,
                     XDSMetadataUpdateOperationError)  # fmt: skip
    if association.logical_id and association.logical_id != association.entry_uuid:
        problem = "an association has no later versions; submit it as a new one"
        yield refuse(association, "logicalID", problem, "LC-085", association.logical_id,
                     XDSMetadataUpdateError)  # fmt: skip
    for name, slot in _UPDATE_SLOTS.items():
        if getattr(association, name) is not None:
            problem = "is no slot of a submitted association"
            yield refuse(association, slot, problem, "LC-030",
                         error=XDSMetadataUpdateOperationError)  # fmt: skip
