"""What associations must fulfil, given what the registry holds (TF-2 3.42.4.1.3.4, .5; TF-3 4.2.2).

References are compared as sent: an id is that of an object of the message, or a UUID of the
registry. A rule about an end that is not there stays silent: `references` speaks.
"""

from collections.abc import Iterator

from registry.findings import deprecated, refuse, unresolved, what
from registry.known import Known, objects_of
from registry.schema import Kind, comparable
from registry.unit import Stored
from xdsi.model.errors import (
    XDSError,
    XDSPatientIdDoesNotMatch,
    shown,
)
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, RegistryObject
from xdsi.model.values import is_uuid
from xdsi.standard import urns

Found = Iterator[XDSError]


def association_findings(submission: Submission, known: Known) -> Found:
    """All findings about associations, in their order."""
    ends = _Ends(submission, known)
    for each in submission.associations:
        yield from _references(each, ends)
        if each.association_type == urns.HAS_MEMBER:
            yield from _membership(each, ends)
        elif each.association_type in urns.RELATIONSHIPS:
            yield from _submission_set_status(each, None)
            yield from _relationship(each, ends)
        yield from _stored_sets(each, ends)


class _Ends:
    """The objects that associations join: of the message first, then of the registry."""

    def __init__(self, submission: Submission, known: Known) -> None:
        self.submission, self.known = submission, known
        # packages without a label, say: they are in the message, and found as broken
        self.unread = {each.location for each in submission.findings}
        self.sent = {each.entry_uuid: each for each in objects_of(submission) if each.entry_uuid}
        self.replaced = {
            each.target_object
            for each in submission.associations
            if each.association_type in urns.REPLACEMENTS
        }
        # made from another one by an association of this message
        self.transformations = known.transformations | {
            each.source_object
            for each in submission.associations
            if each.association_type in (urns.XFRM, urns.XFRM_RPLC)
        }

    def find(self, id_: str) -> RegistryObject | Stored | None:
        """The object an id names."""
        return self.sent.get(id_) or self.known.objects.get(id_)


def _kind(obj: RegistryObject | Stored) -> str:
    return obj.kind.title if isinstance(obj, Stored) else type(obj).__name__


def _references(association: Association, ends: _Ends) -> Found:
    """REG-061, REG-062."""
    for attribute, id_ in (
        ("sourceObject", association.source_object),
        ("targetObject", association.target_object),
    ):
        if not id_ or id_ in ends.unread or ends.find(id_) is not None:
            continue
        if is_uuid(id_):
            problem = "names no object of the message or the registry"
            yield unresolved(association, attribute, problem, "REG-061")
        else:
            problem = "no object of the message has this symbolic id"
            yield unresolved(association, attribute, problem, "REG-062")


def _stored_sets(association: Association, ends: _Ends) -> Found:
    """REG-057, MD-060: a stored SubmissionSet gets no further associations."""
    for attribute, id_ in (
        ("sourceObject", association.source_object),
        ("targetObject", association.target_object),
    ):
        end = ends.find(id_)
        if isinstance(end, Stored) and end.kind is Kind.SUBMISSION_SET:
            problem = "a SubmissionSet gets no associations after its own submission"
            yield refuse(association, attribute, problem, "MD-060", id_)


# memberships


def _membership(association: Association, ends: _Ends) -> Found:
    """REG-055, REG-057, REG-083, REG-100, REG-120."""
    source, target = ends.find(association.source_object), ends.find(association.target_object)
    if source is None or target is None or _kind(target) == "SubmissionSet":
        return
    yield from _membership_kinds(association, source, target, ends)
    is_set_entry = _kind(source) == "SubmissionSet" and _kind(target) == "DocumentEntry"
    yield from _submission_set_status(association, target if is_set_entry else None)
    if is_set_entry and isinstance(target, Stored) and not target.is_approved:
        yield deprecated(association, target, "REG-120")
    if _kind(source) == "Folder" and _kind(target) == "DocumentEntry":
        yield from _filing(association, source, target, ends)
    if _kind(source) == "SubmissionSet" and isinstance(target, Stored):
        yield from _stored_folder(association, source, target)


def _membership_kinds(
    association: Association,
    source: RegistryObject | Stored,
    target: RegistryObject | Stored,
    ends: _Ends,
) -> Found:
    """REG-057: what may be a member of what (MD-032, MD-061)."""
    kinds = _kind(source), _kind(target)
    if kinds == ("SubmissionSet", "Association") and isinstance(target, Association):
        inner = ends.find(target.source_object), ends.find(target.target_object)
        # an end that is not there has been found already
        is_filing = target.association_type == urns.HAS_MEMBER and all(
            each is None or _kind(each) == kind for each, kind in zip(inner, _FILING, strict=True)
        )
        if not is_filing:
            problem = "only a Folder's HasMember to a DocumentEntry may be a member of the set"
            yield refuse(association, "", problem, "REG-057")
    elif kinds not in _MEMBERS:
        rule = "MD-061" if kinds == ("Folder", "Folder") else "REG-057"
        problem = f"HasMember must not lead from a {kinds[0]} to a {kinds[1]}"
        if kinds[1] == "Association":
            problem += " of the registry"
        yield refuse(association, "", problem, rule)


_FILING = ("Folder", "DocumentEntry")
_MEMBERS = frozenset({("SubmissionSet", "DocumentEntry"), ("SubmissionSet", "Folder"), _FILING})


def _submission_set_status(
    association: Association, entry: RegistryObject | Stored | None
) -> Found:
    """REG-055. entry: the member, if the association makes an entry a member of the set."""
    given = association.submission_set_status
    if entry is None:
        if given is not None:
            problem = "stands only on a SubmissionSet's HasMember to a DocumentEntry"
            yield refuse(association, "SubmissionSetStatus", problem, "REG-055", given)
        return
    due = "Reference" if isinstance(entry, Stored) else "Original"
    if given != due:
        where = "the registry" if due == "Reference" else "this submission"
        problem = f"must be {due}, since the entry is in {where}"
        yield refuse(association, "SubmissionSetStatus", problem, "REG-055", given)


def _stored_folder(
    association: Association, source: RegistryObject | Stored, target: Stored
) -> Found:
    """A stored Folder in a SubmissionSet: of the same patient, and Approved (MD-171, REG-100)."""
    if target.kind is Kind.FOLDER:
        yield from _same_patient(association, source, target, "REG-083")
        if not target.is_approved:
            problem = "the Folder is Deprecated"
            yield refuse(association, "targetObject", problem, "REG-100", target.uuid)


def _filing(
    association: Association,
    folder: RegistryObject | Stored,
    entry: RegistryObject | Stored,
    ends: _Ends,
) -> Found:
    """REG-083, REG-100; the SubmissionSet is of the same patient too (MD-171)."""
    if isinstance(entry, Stored) and not entry.is_approved:
        yield deprecated(association, entry, "REG-100")
    if isinstance(entry, Stored) and entry.uuid in ends.replaced:
        problem = "is replaced by the same submission; file its replacement"
        yield refuse(association, "targetObject", problem, "REG-100", association.target_object)
    if isinstance(folder, Stored) and not folder.is_approved:
        yield refuse(
            association, "sourceObject", "the Folder is Deprecated", "REG-100", folder.uuid
        )
    if isinstance(folder, Stored) and ends.submission.submission_sets:
        found = tuple(_same_patient(association, ends.submission.submission_set, folder, "REG-083"))
        yield from found
        if found:
            return
    if isinstance(folder, Stored) or isinstance(entry, Stored):
        yield from _same_patient(association, entry, folder, "REG-083")


def _same_patient(
    association: Association,
    one: RegistryObject | Stored,
    other: RegistryObject | Stored,
    rule: str,
) -> Found:
    patients = _patient(one), _patient(other)
    if None not in patients and patients[0] != patients[1]:
        yield XDSPatientIdDoesNotMatch(
            what(association),
            f"{_kind(one)} of {shown(patients[0] or '')} and {_kind(other)} of "
            f"{shown(patients[1] or '')} must have the same patientId",
            rule=rule,
            location=association.entry_uuid,
        )


def _patient(obj: RegistryObject | Stored) -> str | None:
    if isinstance(obj, Stored):
        return obj.cx
    if isinstance(obj, Association) or not obj.patient_id:
        return None
    return comparable(str(obj.patient_id))


# relationships


def _relationship(association: Association, ends: _Ends) -> Found:
    """REG-084, REG-110 to REG-119."""
    type_, target_id = association.association_type, association.target_object
    source = ends.sent.get(association.source_object)
    if source is not None and not isinstance(source, DocumentEntry):
        source = None
    if source is None and ends.find(association.source_object) is not None:
        problem = "a relationship starts at a DocumentEntry of this submission"
        yield unresolved(association, "sourceObject", problem, "REG-110")
    target: RegistryObject | Stored | None = ends.find(target_id)
    if target is None:
        return
    if target_id in ends.sent and type_ in _OF_REGISTRY:
        problem = "must be in the registry already, named by its UUID"
        yield unresolved(association, "targetObject", problem, "REG-111")
        return
    if _kind(target) != "DocumentEntry":
        problem = f"leads to a {_kind(target)}; a relationship joins DocumentEntries"
        yield refuse(association, "targetObject", problem, "REG-057", target_id)
        return
    if isinstance(target, Stored) and not target.is_approved:
        is_replacing = type_ in urns.REPLACEMENTS or type_ == urns.IS_SNAPSHOT_OF
        yield deprecated(association, target, "REG-112" if is_replacing else "REG-119")
    if type_ not in urns.REPLACEMENTS and target_id in ends.replaced:
        problem = "is replaced by the same submission; relate to its replacement"
        yield refuse(association, "targetObject", problem, "REG-119", target_id)
    if type_ == urns.APND and target_id in ends.transformations:
        problem = "is a transformation; append to the original instead"
        yield refuse(association, "targetObject", problem, "REG-118", target_id)
    if type_ == urns.IS_SNAPSHOT_OF and isinstance(target, Stored) and not target.is_on_demand:
        problem = "is not an On-Demand entry"
        yield refuse(association, "targetObject", problem, "REG-116", target_id)
    if type_ == urns.IS_SNAPSHOT_OF and source is not None and source.is_on_demand:
        problem = "a snapshot is a Stable entry"
        yield refuse(association, "sourceObject", problem, "REG-116", association.source_object)
    if source is not None and isinstance(target, Stored):
        yield from _same_patient(association, source, target, "REG-084")
        if type_ in urns.REPLACEMENTS:
            for folder in ends.known.folders.get(target_id, ()):
                yield from _same_patient(association, source, folder, "REG-114")


_OF_REGISTRY = urns.REPLACEMENTS | {urns.IS_SNAPSHOT_OF}
