"""What a submission is judged by: the affinity domain, and what the registry holds of it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from registry.schema import Kind, comparable
from registry.unit import Claim, Stored, StoredPatient, Unit
from registry.valuesets import ValueSets
from xdsi import config
from xdsi.model.messages import Submission
from xdsi.model.objects import DocumentEntry, Folder, RegistryObject, SubmissionSet
from xdsi.model.values import CX, is_uuid
from xdsi.standard import urns

Described = SubmissionSet | DocumentEntry | Folder


@dataclass(frozen=True, slots=True)
class Domain:
    """What the affinity domain demands; empty: anything.

    admits: an unknown patient becomes known with its first submission
    reapproves: an update may make Approved again what was replaced (LC-072)
    """

    admits: bool = False
    reapproves: bool = True
    assigning_authorities: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()
    mime_types: frozenset[str] = frozenset()
    objects: int = 5_000
    value_sets: ValueSets = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        settings: config.Registry,
        objects: int = 5_000,
        value_sets: ValueSets = MappingProxyType({}),
    ) -> "Domain":
        """The domain of a configuration.

        objects: limit of a submission (SEC-T-051); value_sets: see `registry.valuesets.load`
        """
        return cls(
            admits=settings.unknown_patients == "admit",
            reapproves=settings.replaced_documents == "reapprovable",
            assigning_authorities=frozenset(settings.assigning_authorities),
            repositories=frozenset(settings.repositories),
            mime_types=frozenset(settings.mime_types),
            objects=objects,
            value_sets=value_sets,
        )

    def accepts(self, patient: CX) -> bool:
        """Whether an identifier is of this domain."""
        return not self.assigning_authorities or patient.authority in self.assigning_authorities


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry holds of all that a submission names.

    patients: by identifier; objects: by UUID; claims: by uniqueId
    lids: UUIDs of the submission's own objects that are logical ids of the registry
    transformations: UUIDs of the referenced entries that came by XFRM or XFRM_RPLC
    folders: by UUID of an entry that is replaced, or replaces, the Approved folders it is in
    """

    patients: Mapping[str, StoredPatient] = field(default_factory=dict)
    objects: Mapping[str, Stored] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    lids: frozenset[str] = frozenset()
    transformations: frozenset[str] = frozenset()
    folders: Mapping[str, tuple[Stored, ...]] = field(default_factory=dict)


def objects_of(submission: Submission) -> tuple[RegistryObject, ...]:
    """All objects in the order of the model."""
    return (
        *submission.submission_sets,
        *submission.entries,
        *submission.folders,
        *submission.associations,
    )


def described_of(submission: Submission) -> tuple[Described, ...]:
    """The objects with patient and uniqueId."""
    return *submission.submission_sets, *submission.entries, *submission.folders


def known_to(unit: Unit, submission: Submission, domain: Domain) -> Known:
    """What the registry holds of all that the submission names, kept from changing until the end.

    Where the domain admits unknown patients, those of the submission are known afterwards.
    """
    # first, as a merge does: so neither waits for what the other holds (PIF-040)
    patients = _patients(unit, submission, domain)
    objects = unit.objects(_uuids(submission))
    by_number = {each.id: each.uuid for each in objects.values()}
    targets: defaultdict[str, set[int]] = defaultdict(set)
    for each in submission.associations:
        target = objects.get(each.target_object)
        if target is not None and target.kind is Kind.DOCUMENT_ENTRY:
            targets[each.association_type].add(target.id)
    replaced = set().union(*(targets[type_] for type_ in urns.REPLACEMENTS))
    # those of an update may be in Folders already
    replacing = {
        source.id
        for each in submission.associations
        if each.association_type in urns.REPLACEMENTS
        and (source := objects.get(each.source_object)) is not None
    }
    folders: defaultdict[str, list[Stored]] = defaultdict(list)
    for link in unit.incoming(replaced | replacing, (urns.HAS_MEMBER,)):
        if link.source.kind is Kind.FOLDER and link.source.is_approved:
            folders[by_number[link.target]].append(link.source)
    return Known(
        patients=patients,
        objects=objects,
        claims=unit.claims(
            {comparable(str(each.unique_id)) for each in described_of(submission) if each.unique_id}
        ),
        # a first version may have been removed: its UUID is still that of the later ones
        lids=unit.lids(
            {each.entry_uuid for each in objects_of(submission) if is_uuid(each.entry_uuid)}
            - objects.keys()
        ),
        transformations=frozenset(
            by_number[each] for each in unit.transformations(targets[urns.APND])
        ),
        folders={uuid: tuple(found) for uuid, found in folders.items()},
    )


def _uuids(submission: Submission) -> set[str]:
    named = {each.entry_uuid for each in objects_of(submission)}
    for each in submission.associations:
        named |= {each.source_object, each.target_object}
    return {each for each in named if is_uuid(each)}


def _patients(unit: Unit, submission: Submission, domain: Domain) -> dict[str, StoredPatient]:
    named = {
        comparable(str(each.patient_id)): each.patient_id
        for each in described_of(submission)
        if each.patient_id and each.patient_id.problem is None
    }
    known = unit.patients(named)
    new = {value for value, cx in named.items() if value not in known and domain.accepts(cx)}
    if domain.admits and new:
        unit.admit(new)
        known = unit.patients(named)
    return known
