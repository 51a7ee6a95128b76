"""What an update must fulfil, given what the registry holds (LC-024 to LC-085, LC-103 to LC-115).

References are compared as sent; what is superseded, propagated and re-stated is planned here and
done by `registry.versions`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry import rules
from registry.findings import refuse
from registry.known import Domain, Known
from registry.operations import Manner, NewVersion, Operations
from registry.schema import ASSOCIATION_TYPES, KIND_OF, Kind, Status, comparable
from registry.unit import Stored, Tie
from xdsi.model.errors import (
    LocalPolicyRestrictionError,
    UnmodifiableMetadataError,
    UnresolvedReferenceException,
    XDSError,
    XDSMetadataUpdateError,
    XDSMetadataUpdateOperationError,
    XDSMetadataVersionError,
    XDSObjectTypeError,
    XDSPatientIDReconciliationError,
    shown,
)
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, Folder
from xdsi.standard import urns

Found = Iterator[XDSError]
End = NewVersion | Stored

_HAS_MEMBER = ASSOCIATION_TYPES[urns.HAS_MEMBER]
_REPLACEMENTS = frozenset(ASSOCIATION_TYPES[each] for each in urns.REPLACEMENTS)


@dataclass(frozen=True, slots=True)
class Carried:
    """An association of a superseded version that goes on with the new one (LC-056)."""

    tie: Tie
    source: End
    target: End


@dataclass(frozen=True, slots=True)
class Affected:
    """What the registry holds of all that an update touches.

    latest: by logical id; carried: what is propagated
    links: stored associations whose status is to change, by number, with the object they start at
    ties: associations at the ends of submitted ones and of objects that become Approved again
    entries: the latest versions of entries as objects, by logical id; for restricted updates
    shared: uniqueIds that other logical entries bear as well
    """

    latest: Mapping[str, Stored]
    carried: tuple[Carried, ...]
    links: Mapping[int, tuple[Tie, Stored]]
    ties: tuple[Tie, ...]
    entries: Mapping[str, DocumentEntry]
    shared: frozenset[str]


def of_registry(
    submission: Submission,
    asked: Operations,
    known: Known,
    affected: Affected,
    domain: Domain,
    manner: Manner,
) -> Found:
    """All findings that need the registry."""
    yield from rules.of_update_in_registry(submission, known, domain)
    for version in asked.versions:
        yield from _version(version, affected, known, manner)
    targets = Targets(asked, known, affected)
    yield from _statuses(submission, asked, targets, affected, domain)
    joined: set[tuple[str, str, str]] = set()
    for link in asked.links:
        yield from _link(link, targets, known, affected)
        ends = link.association_type, link.source_object, link.target_object
        if ends in joined:
            problem = "another association of the request joins the two by this type"
            yield refuse(link, "", problem, "LC-082", error=XDSMetadataUpdateError)
        joined.add(ends)
    for carried in affected.carried:
        yield from _carried(carried)
    if (count := 2 * len(affected.carried)) > domain.objects:
        problem = f"propagates {count} associations, allowed are {domain.objects}"
        yield refuse(None, "Submission", problem, "SEC-T-051")


# new versions


def _version(version: NewVersion, affected: Affected, known: Known, manner: Manner) -> Found:
    obj, latest = version.obj, affected.latest.get(version.lid)
    rule = "LC-103" if manner.is_restricted else "LC-024"
    if latest is None or latest.kind is not KIND_OF[type(obj)]:
        problem = f"no {type(obj).__name__} of the registry has this logical id"
        yield refuse(obj, "logicalID", problem, rule, version.lid, XDSMetadataVersionError)
        return
    if latest.version != version.previous:
        yield refuse(
            version.member,
            "PreviousVersion",
            f"the latest version is {latest.version}; look at it and update that one",
            rule,
            str(version.previous),
            XDSMetadataVersionError,
        )
    if obj.unique_id and comparable(str(obj.unique_id)) != latest.unique_id:
        error, rule = manner.unique_id
        problem = f"must stay {latest.unique_id}"
        yield refuse(obj, "uniqueId", problem, rule, str(obj.unique_id), error)
    if manner.is_restricted:
        yield from _restricted(version, latest, affected)
    elif not latest.is_approved:
        rule = "LC-075" if isinstance(obj, Folder) else "LC-050"
        problem = "the latest version is Deprecated; change its status first"
        yield refuse(obj, "", problem, rule, error=XDSMetadataUpdateError)
    if isinstance(obj, DocumentEntry):
        yield from _object_type(obj, latest, manner)
        yield from _content(obj, version, known, affected, manner)


def _object_type(obj: DocumentEntry, latest: Stored, manner: Manner) -> Found:
    """LC-052, LC-105."""
    due = urns.ON_DEMAND_DOCUMENT if latest.is_on_demand else urns.STABLE_DOCUMENT
    if obj.object_type == due:
        return
    problem = f"must stay {due}"
    if manner.is_restricted:
        for error in (XDSObjectTypeError, UnmodifiableMetadataError):
            yield refuse(obj, "objectType", problem, "LC-105", obj.object_type, error)
    else:
        yield refuse(obj, "objectType", problem, "LC-052", obj.object_type, XDSMetadataUpdateError)


def _content(
    obj: DocumentEntry, version: NewVersion, known: Known, affected: Affected, manner: Manner
) -> Found:
    """LC-054, LC-110: hash and size, of which a uniqueId has one each."""
    claim = known.claims.get(comparable(str(obj.unique_id)))
    if claim is None or obj.hash is None or obj.size is None or obj.size.problem:
        return
    if (obj.hash.lower, int(obj.size)) == (claim.sha1, claim.size):
        return
    if manner.is_restricted:
        if claim.value in affected.shared:
            problem = "hash and size must stay, since other entries name the same document"
            yield refuse(obj, "hash", problem, "LC-110", str(obj.hash), LocalPolicyRestrictionError)
    elif (claim.sha1, claim.size) != (urns.EMPTY_SHA1, 0):
        problem = f"hash and size must stay {claim.sha1} and {claim.size}; replace the document"
        yield refuse(obj, "hash", problem, "LC-054", str(obj.hash), XDSMetadataUpdateError)


def _restricted(version: NewVersion, latest: Stored, affected: Affected) -> Found:
    """LC-106, LC-107: values are compared, not texts."""
    new, old = version.obj, affected.entries.get(version.lid)
    if new.patient_id and comparable(str(new.patient_id)) != latest.cx:
        problem = f"must stay {shown(latest.cx or '')}"
        yield refuse(new, "patientId", problem, "LC-107", str(new.patient_id),
                     XDSPatientIDReconciliationError)  # fmt: skip
    if old is None or not isinstance(new, DocumentEntry):
        return
    values = {
        "availabilityStatus": (new.status or old.status, old.status),
        "documentAvailability": (
            str(new.document_availability or urns.ONLINE),
            str(old.document_availability or urns.ONLINE),
        ),
        "repositoryUniqueId": (str(new.repository_unique_id), str(old.repository_unique_id)),
        "sourcePatientId": (str(new.source_patient_id), str(old.source_patient_id)),
    }
    if changed := [name for name, (one, other) in values.items() if one != other]:
        listed = ", ".join(changed)
        problem = "must stay as it is; ITI-92 does not change it"
        yield refuse(new, listed, problem, "LC-106", error=UnmodifiableMetadataError)


def _carried(carried: Carried) -> Found:
    """LC-059, LC-078."""
    version = carried.target if isinstance(carried.target, NewVersion) else carried.source
    one, other = _patient(carried.source), _patient(carried.target)
    if isinstance(version, NewVersion) and one and other and one != other:
        rule = "LC-078" if isinstance(version.obj, Folder) else "LC-059"
        yield refuse(
            version.obj,
            "patientId",
            f"an association goes on with this version and would join patients {shown(one)} and "
            f"{shown(other)}; update its other end too, or send AssociationPropagation no",
            rule,
            error=XDSPatientIDReconciliationError,
        )


def _patient(end: End) -> str:
    """Empty where the version has none, which is found elsewhere."""
    if isinstance(end, NewVersion):
        return comparable(str(end.obj.patient_id or ""))
    return end.cx or ""


# status


class Targets:
    """What the ids of an update name, and the statuses that it leaves behind."""

    def __init__(self, asked: Operations, known: Known, affected: Affected) -> None:
        self._versions = {each.obj.entry_uuid: each for each in asked.versions}
        self._by_lid = {each.lid: each for each in asked.versions}
        self._known, self._affected = known, affected
        self.replaced = {
            each.target_object for each in asked.links if each.association_type in urns.REPLACEMENTS
        }
        self.changes = {
            self.key(end): each
            for each in asked.statuses
            if (end := self.of_status(each.target_object)) is not None
        }

    def find(self, id_: str) -> End | None:
        """A new version of the request, or an object of the registry."""
        return self._versions.get(id_) or self._known.objects.get(id_)

    def of_status(self, id_: str) -> End | None:
        """As `find`; a version that the request supersedes stands for the new one (LC-027)."""
        end = self.find(id_)
        if isinstance(end, Stored) and end.is_current and end.lid in self._by_lid:
            return self._by_lid[end.lid]
        return end

    @staticmethod
    def key(end: End) -> str:
        return end.obj.entry_uuid if isinstance(end, NewVersion) else end.uuid

    def status(self, end: End) -> Status:
        """Once everything is done."""
        if (change := self.changes.get(self.key(end))) is not None:
            return Status(change.new_status == urns.APPROVED)
        if isinstance(end, NewVersion):
            return Status.APPROVED
        is_superseded = end.is_current and end.lid in self._by_lid
        return Status.DEPRECATED if is_superseded else end.status


def _statuses(
    submission: Submission,
    asked: Operations,
    targets: Targets,
    affected: Affected,
    domain: Domain,
) -> Found:
    """LC-027 to LC-029, LC-066 to LC-072, LC-091."""
    own = submission.submission_set.entry_uuid
    counts: Counter[str] = Counter()
    for each in asked.statuses:
        id_ = each.target_object
        end = targets.of_status(id_)
        if id_ == own or (isinstance(end, Stored) and end.kind is Kind.SUBMISSION_SET):
            problem = "the status of a SubmissionSet never changes"
            yield _no_status(each, "targetObject", problem, "LC-029", id_)
            continue
        if end is None:
            problem = "names no object of the registry, by its UUID"
            yield refuse(each, "targetObject", problem, "LC-069", id_, UnresolvedReferenceException)
            continue
        counts[targets.key(end)] += 1
        if counts[targets.key(end)] > 1:
            problem = "another association of the request changes the same status"
            yield refuse(each, "targetObject", problem, "LC-091", id_,
                         XDSMetadataUpdateOperationError)  # fmt: skip
        yield from _status(each, end, affected, domain)


def _no_status(
    association: Association, attribute: str, problem: str, rule: str, value: str | None
) -> XDSError:
    return refuse(association, attribute, problem, rule, value, XDSMetadataUpdateError)


def _status(association: Association, end: End, affected: Affected, domain: Domain) -> Found:
    id_, given = association.target_object, association.original_status
    if isinstance(end, NewVersion):
        if given != urns.APPROVED:
            problem = "the version that the same request makes is Approved"
            yield _no_status(association, "OriginalStatus", problem, "LC-028", given)
        return
    if not end.is_current:
        problem = "is not the latest version"
        yield _no_status(association, "targetObject", problem, "LC-068", id_)
    if (given == urns.APPROVED) != end.is_approved:
        problem = f"the object is {end.status.name.capitalize()}"
        yield _no_status(association, "OriginalStatus", problem, "LC-067", given)
    if end.kind is Kind.ASSOCIATION:
        tie, source = affected.links[end.id]
        if tie.type == _HAS_MEMBER and source.kind is Kind.SUBMISSION_SET:
            problem = "a membership in a SubmissionSet never changes"
            yield _no_status(association, "targetObject", problem, "LC-071", id_)
    is_replaced = any(
        tie.target == end.id and tie.type in _REPLACEMENTS and tie.status is Status.APPROVED
        for tie in affected.ties
    )
    if association.new_status == urns.APPROVED and is_replaced and not domain.reapproves:
        problem = "was replaced, and this domain lets what was replaced rest"
        yield _no_status(association, "NewStatus", problem, "LC-072", id_)


# submitted associations


def _link(link: Association, targets: Targets, known: Known, affected: Affected) -> Found:
    """LC-058, LC-080 to LC-084."""

    def no(attribute: str, problem: str, rule: str, value: str | None = None) -> XDSError:
        return refuse(link, attribute, problem, rule, value, XDSMetadataUpdateError)

    ends = targets.find(link.source_object), targets.find(link.target_object)
    names = (("sourceObject", link.source_object), ("targetObject", link.target_object))
    for (attribute, id_), end in zip(names, ends, strict=True):
        if end is None:
            yield no(attribute, "names no object of the registry, by its UUID", "LC-080", id_)
        elif isinstance(end, NewVersion) and end.propagates:
            problem = "gets its associations by propagation; send AssociationPropagation no"
            yield refuse(link, attribute, problem, "LC-058", id_, XDSMetadataUpdateOperationError)
        elif isinstance(end, Stored) and end.kind is Kind.SUBMISSION_SET:
            yield no(attribute, "must not be a SubmissionSet", "LC-080", id_)
        elif targets.status(end) is not Status.APPROVED:
            problem = "is Deprecated, or superseded by the same request"
            yield no(attribute, problem, "LC-080", id_)
        elif id_ in targets.replaced and not (
            attribute == "targetObject" and link.association_type in urns.REPLACEMENTS
        ):
            problem = "is replaced by the same request; name its replacement"
            yield no(attribute, problem, "LC-080", id_)
    source, target = ends
    if source is None or target is None:
        return
    yield from _kinds(link, source, target, known)
    one, other = _patient(source), _patient(target)
    if one and other and one != other:
        problem = f"joins patients {shown(one)} and {shown(other)}"
        yield refuse(link, "", problem, "LC-083", error=XDSPatientIDReconciliationError)
    both = [end.id for end in ends if isinstance(end, Stored)]
    for tie in affected.ties if len(both) == 2 else ():
        is_same = [tie.source, tie.target] == both
        if is_same and tie.status is Status.APPROVED and tie.type == _type(link):
            yield no("", "an Approved association of this type joins the two already", "LC-082")
            return


def _type(link: Association) -> int | None:
    return ASSOCIATION_TYPES.get(link.association_type)


def _kinds(link: Association, source: End, target: End, known: Known) -> Found:
    """LC-081, and what the type demands besides (REG-116, REG-118)."""

    def refused(attribute: str, problem: str, rule: str) -> XDSError:
        return refuse(link, attribute, problem, rule, error=XDSMetadataUpdateError)

    type_, kinds = link.association_type, (_kind(source), _kind(target))
    wanted = (Kind.DOCUMENT_ENTRY, Kind.DOCUMENT_ENTRY)
    if type_ == urns.HAS_MEMBER:
        wanted = (Kind.FOLDER, Kind.DOCUMENT_ENTRY)
    if kinds != wanted or link.source_object == link.target_object:
        names = " to a ".join(each.title for each in wanted)
        yield refused("", f"must lead from a {names}, not the same one", "LC-081")
    elif type_ in urns.REPLACEMENTS and isinstance(target, NewVersion):
        problem = "is made by the same request; replace it with a request of its own"
        yield refused("targetObject", problem, "LC-080")
    elif type_ == urns.APND and link.target_object in known.transformations:
        problem = "is a transformation; append to the original instead"
        yield refused("targetObject", problem, "REG-118")
    elif type_ == urns.IS_SNAPSHOT_OF and (_is_on_demand(source), _is_on_demand(target)) != (
        False,
        True,
    ):
        yield refused("", "leads from a Stable to an On-Demand entry", "REG-116")


def _kind(end: End) -> Kind:
    return KIND_OF[type(end.obj)] if isinstance(end, NewVersion) else end.kind


def _is_on_demand(end: End) -> bool:
    if isinstance(end, NewVersion):
        return isinstance(end.obj, DocumentEntry) and end.obj.is_on_demand
    return end.is_on_demand
