"""What a submission must fulfil, in the standard's order. Every rule yields all its findings.

`of_message` looks at the submission alone, `of_registry` at it and at what is `Known`. References
are compared as sent: an id is that of an object of the message, or a UUID of the registry.
Source: ITI TF-2 3.42.4.1.3, TF-3 4.1.4, 4.2.1, 4.2.2 (register.md section 3).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from registry import valuesets
from registry.association_rules import association_findings
from registry.findings import refuse, what
from registry.known import Described, Domain, Known, described_of, objects_of
from registry.schema import Kind, comparable
from registry.unit import Claim
from xdsi.model.checks import attribute_findings
from xdsi.model.errors import (
    XDSDuplicateUniqueIdInRegistry,
    XDSError,
    XDSNonIdenticalHash,
    XDSNonIdenticalSize,
    XDSPatientIdDoesNotMatch,
    XDSRegistryDuplicateUniqueIdInMessage,
    XDSUnknownPatientId,
    shown,
)
from xdsi.model.messages import Submission
from xdsi.model.objects import DocumentEntry, Folder
from xdsi.model.values import is_uuid
from xdsi.standard import urns

Found = Iterator[XDSError]


def of_size(submission: Submission, domain: Domain) -> Found:
    """SEC-T-051: asked first, since a submission beyond the limit is not looked into."""
    if (count := len(objects_of(submission))) > domain.objects:
        yield refuse(
            None, "Submission", f"{count} objects, allowed are {domain.objects}", "SEC-T-051"
        )


def of_message(submission: Submission, domain: Domain, column: str = "ITI-42") -> Found:
    """What can be seen without the registry. column: the transaction, as in `attributes.COLUMNS`"""
    yield from submission.findings
    for rule in (*_MESSAGE, _ENTRY_TYPES[column], _first, _ids):
        yield from rule(submission)
    for obj in objects_of(submission):
        yield from attribute_findings(obj, column)
    yield from _domain(submission, domain)
    yield from _one_patient(submission)
    yield from _unique_ids_in_message(submission)


def of_registry(submission: Submission, known: Known, domain: Domain) -> Found:
    """What needs the registry."""
    yield from _new_uuids(submission, known)
    yield from _patients(submission, known, domain)
    yield from _unique_ids_in_registry(submission, known)
    yield from association_findings(submission, known)
    yield from _folder_copies(submission, known, domain)


def of_update(submission: Submission, domain: Domain) -> Found:
    """What an update shares with a first submission, seen without the registry (LC-020)."""
    yield from _ids(submission)
    yield from _domain(submission, domain)
    yield from _one_patient(submission)
    yield from _unique_ids_in_message(submission)


def of_update_in_registry(submission: Submission, known: Known, domain: Domain) -> Found:
    """The same, with the registry; only the set's uniqueId is a new one (LC-020, LC-059)."""
    yield from _new_uuids(submission, known)
    yield from _patients(submission, known, domain)
    yield from _unique_ids_in_registry(replace(submission, entries=(), folders=()), known)
    yield from _folder_copies(submission, known, domain)


def _folder_copies(submission: Submission, known: Known, domain: Domain) -> Found:
    """SEC-T-051 for the associations that replacements bring along (REG-114): two per Folder."""
    count = 2 * sum(
        len(known.folders.get(each.target_object, ()))
        for each in submission.associations
        if each.association_type in urns.REPLACEMENTS
    )
    if count > domain.objects:
        problem = f"replacements enter Folders by {count} associations, allowed are"
        yield refuse(None, "Submission", f"{problem} {domain.objects}", "SEC-T-051")


# structure


def _one_set(submission: Submission) -> Found:
    """REG-050."""
    if (count := len(submission.submission_sets)) != 1:
        yield refuse(
            None, "Submission", f"exactly one SubmissionSet is needed, got {count}", "REG-050"
        )


def _not_empty(submission: Submission) -> Found:
    """REG-054: a membership alone counts when a Folder gets an entry."""
    sets = {each.entry_uuid for each in submission.submission_sets}
    filed = any(
        each.association_type == urns.HAS_MEMBER and each.source_object not in sets
        for each in submission.associations
    )
    if not (submission.entries or submission.folders or filed):
        problem = "empty; add a DocumentEntry, a Folder or a Folder membership"
        yield refuse(None, "Submission", problem, "REG-054")


def _each_is_member(submission: Submission) -> Found:
    """REG-052, REG-053."""
    if len(submission.submission_sets) != 1:
        return
    own = submission.submission_set.entry_uuid
    members = Counter(
        each.target_object
        for each in submission.associations
        if each.association_type == urns.HAS_MEMBER and each.source_object == own
    )
    described: tuple[Described, ...] = (*submission.entries, *submission.folders)
    for obj in described:
        if (count := members[obj.entry_uuid]) != 1:
            problem = f"needs exactly one HasMember from the SubmissionSet, got {count}"
            yield refuse(obj, "", problem, "REG-052")
    for each in submission.associations:
        is_filing = each.association_type == urns.HAS_MEMBER and each.source_object != own
        if is_filing and (count := members[each.entry_uuid]) != 1:
            problem = f"needs exactly one HasMember from the SubmissionSet, got {count}"
            yield refuse(each, "", problem, "REG-053")


def _filed_once(submission: Submission) -> Found:
    """MD-058: no entry is put into a Folder twice."""
    filed = Counter(
        (each.source_object, each.target_object)
        for each in submission.associations
        if each.association_type == urns.HAS_MEMBER
    )
    sets = {each.entry_uuid for each in submission.submission_sets}
    for each in submission.associations:
        pair = each.source_object, each.target_object
        if each.source_object not in sets and filed.pop(pair, 0) > 1:
            problem = "another HasMember of the message joins the same two objects"
            yield refuse(each, "", problem, "REG-057")


def _association_types(submission: Submission) -> Found:
    """REG-056, REG-059, and slots that belong to other transactions (LC-032)."""
    for each in submission.associations:
        type_ = each.association_type
        if type_ in _ELSEWHERE:
            problem = "belongs to ITI-57"
            yield refuse(each, "associationType", problem, "REG-056", type_)
        elif type_ and type_ != urns.HAS_MEMBER and type_ not in urns.RELATIONSHIPS:
            problem = "not an association type of the framework; write its full URN"
            yield refuse(each, "associationType", problem, "REG-056", type_)
        for name, slot in _UPDATE_SLOTS:
            if getattr(each, name) is not None:
                yield refuse(each, slot, "belongs to ITI-57", "REG-059")


_ELSEWHERE = frozenset({urns.UPDATE_AVAILABILITY_STATUS, urns.SUBMIT_ASSOCIATION})
_UPDATE_SLOTS = (
    ("previous_version", "PreviousVersion"),
    ("association_propagation", "AssociationPropagation"),
    ("original_status", "OriginalStatus"),
    ("new_status", "NewStatus"),
)


def _own_ends(submission: Submission) -> Found:
    """REG-057, as far as the message shows."""
    sets = {each.entry_uuid for each in submission.submission_sets}
    for each in submission.associations:
        if each.source_object and each.source_object == each.target_object:
            yield refuse(each, "", "source and target are the same object", "REG-057")
        if each.target_object in sets:
            yield refuse(each, "targetObject", "a SubmissionSet is never the target", "REG-057")
        if each.source_object in sets and each.association_type in urns.RELATIONSHIPS:
            problem = "only HasMember starts at a SubmissionSet"
            yield refuse(each, "sourceObject", problem, "REG-057")


def _stable(submission: Submission) -> Found:
    """REG-058."""
    for entry in submission.entries:
        if entry.is_on_demand:
            problem = "On-Demand entries are registered with ITI-61"
            yield refuse(entry, "objectType", problem, "REG-058")
        elif entry.object_type and entry.object_type != urns.STABLE_DOCUMENT:
            problem = f"must be {urns.STABLE_DOCUMENT}"
            yield refuse(entry, "objectType", problem, "REG-058", entry.object_type)


def _on_demand(submission: Submission) -> Found:
    """LC-140."""
    if not submission.entries:
        problem = "ITI-61 brings at least one On-Demand entry"
        yield refuse(None, "Submission", problem, "LC-140")
    for entry in submission.entries:
        if not entry.is_on_demand:
            problem = (
                f"must be {urns.ON_DEMAND_DOCUMENT}; Stable entries are registered with ITI-42"
            )
            yield refuse(entry, "objectType", problem, "LC-140", entry.object_type)


_ENTRY_TYPES = {"ITI-42": _stable, "ITI-61": _on_demand}


def _first(submission: Submission) -> Found:
    """REG-059."""
    for obj in objects_of(submission):
        if obj.logical_id and obj.logical_id != obj.entry_uuid:
            problem = "differs from id: a new version is sent with ITI-57; leave lid out"
            yield refuse(obj, "logicalID", problem, "REG-059", obj.logical_id)


def _ids(submission: Submission) -> Found:
    """REG-060; what the reader of the message has found already is not said twice."""
    said = {each.location for each in submission.findings if each.rule in _ID_RULES}
    seen: set[str] = set()
    for obj in objects_of(submission):
        id_ = obj.entry_uuid
        if id_ and id_ not in said:
            if id_ in seen:
                yield refuse(obj, "id", "occurs more than once in the message", "REG-060", id_)
            if is_uuid(id_.lower()) and not is_uuid(id_):
                problem = "the hex digits of a UUID URN are in lower case"
                yield refuse(obj, "id", problem, "MD-066", id_)
        seen.add(id_)


_ID_RULES = frozenset({"REG-060", "MD-066", "MD-072"})


def _new_uuids(submission: Submission, known: Known) -> Found:
    """MD-072: a UUID names one object for ever."""
    for obj in objects_of(submission):
        if obj.entry_uuid in known.objects or obj.entry_uuid in known.lids:
            problem = "names an object of the registry already; take a fresh one"
            yield refuse(obj, "id", problem, "MD-072", obj.entry_uuid)


# attributes that the affinity domain restricts


def _domain(submission: Submission, domain: Domain) -> Found:
    """REG-074, REG-075, REG-079."""
    yield from valuesets.findings(objects_of(submission), domain.value_sets)
    for entry in submission.entries:
        if domain.mime_types and entry.mime_type and entry.mime_type not in domain.mime_types:
            problem = f"not accepted in this domain; accepted: {_listed(domain.mime_types)}"
            yield refuse(entry, "mimeType", problem, "REG-074", entry.mime_type)
        repository = entry.repository_unique_id
        if domain.repositories and repository and str(repository) not in domain.repositories:
            problem = "no repository of this domain"
            yield refuse(entry, "repositoryUniqueId", problem, "REG-079", str(repository))


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))


# patients


def _one_patient(submission: Submission) -> Found:
    """REG-082: compared with the SubmissionSet's, or with the first one there is."""
    given = [each for each in described_of(submission) if each.patient_id]
    for obj in given[1:]:
        if _cx(obj) != _cx(given[0]):
            yield XDSPatientIdDoesNotMatch(
                what(obj, "patientId"),
                f"must equal {type(given[0]).__name__}.patientId {shown(str(given[0].patient_id))}",
                value=str(obj.patient_id),
                rule="REG-082",
                location=obj.entry_uuid,
            )


def _patients(submission: Submission, known: Known, domain: Domain) -> Found:
    """REG-080, REG-081: once for each identifier."""
    first: dict[str, Described] = {}
    for obj in described_of(submission):
        # one that is malformed has been found as such
        if obj.patient_id and obj.patient_id.problem is None:
            first.setdefault(_cx(obj), obj)
    for value, obj in first.items():
        patient = known.patients.get(value)
        if patient is not None and patient.is_active:
            continue
        if patient is not None:
            problem, rule = "merged into another patient; use the surviving identifier", "REG-081"
        elif obj.patient_id is not None and not domain.accepts(obj.patient_id):
            problem = (
                f"the assigning authority {obj.patient_id.authority} is not of this domain; "
                f"accepted: {_listed(domain.assigning_authorities)}"
            )
            rule = "REG-080"
        else:
            problem, rule = "not known here; the identity feed must bring it first", "REG-080"
        yield XDSUnknownPatientId(
            what(obj, "patientId"),
            problem,
            value=str(obj.patient_id),
            rule=rule,
            location=obj.entry_uuid,
        )


# uniqueIds


def _unique_ids_in_message(submission: Submission) -> Found:
    """REG-096: once for each uniqueId, whatever the kinds."""
    bearers = defaultdict(list)
    for obj in described_of(submission):
        if obj.unique_id:
            bearers[comparable(str(obj.unique_id))].append(obj)
    for value, objects in bearers.items():
        if len(objects) > 1:
            kinds = ", ".join(type(each).__name__ for each in objects)
            yield XDSRegistryDuplicateUniqueIdInMessage(
                f"{value} uniqueId",
                f"occurs {len(objects)} times in the message ({kinds})",
                rule="REG-096",
                location=objects[1].entry_uuid,
            )


def _unique_ids_in_registry(submission: Submission, known: Known) -> Found:
    """REG-090 to REG-098."""
    for obj in described_of(submission):
        claim = known.claims.get(comparable(str(obj.unique_id))) if obj.unique_id else None
        if claim is None:
            continue
        if isinstance(obj, DocumentEntry):
            yield from _known_document(obj, claim)
        else:
            yield XDSDuplicateUniqueIdInRegistry(
                f"{obj.unique_id} {type(obj).__name__}.uniqueId",
                f"registered already, for a {claim.kind.title}",
                rule="REG-091" if isinstance(obj, Folder) else "REG-090",
                location=obj.entry_uuid,
            )


def _known_document(entry: DocumentEntry, claim: Claim) -> Found:
    """An identical document is welcome once more (REG-094)."""
    if claim.kind is not Kind.DOCUMENT_ENTRY:
        problem = f"registered already, for a {claim.kind.title}"
        yield refuse(entry, "uniqueId", problem, "REG-095")
        return
    if (claim.sha1 is None) != entry.is_on_demand:
        if entry.is_on_demand:
            problem, rule = "registered already, for a Stable entry", "LC-145"
        else:
            problem, rule = "registered already, for an On-Demand entry", "REG-097"
        yield refuse(entry, "uniqueId", problem, rule)
        return
    if entry.hash and entry.hash.lower != claim.sha1:
        yield XDSNonIdenticalHash(
            str(entry.unique_id),
            f"registered with hash {claim.sha1}; a changed document needs a new uniqueId",
            value=str(entry.hash),
            rule="REG-092",
            location=entry.entry_uuid,
        )
    if entry.size and entry.size.problem is None and int(entry.size) != claim.size:
        yield XDSNonIdenticalSize(
            str(entry.unique_id),
            f"registered with size {claim.size}; a changed document needs a new uniqueId",
            value=str(entry.size),
            rule="REG-093",
            location=entry.entry_uuid,
        )


_MESSAGE = (
    _one_set,
    _each_is_member,
    _filed_once,
    _not_empty,
    _association_types,
    _own_ends,
)


def _cx(obj: Described) -> str:
    return comparable(str(obj.patient_id))
