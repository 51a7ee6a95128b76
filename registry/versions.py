"""What an accepted update does: new versions, other statuses, associations that go on.

`affected` looks and `apply` changes, both inside the unit of work; `prepare` needs no database.
Source: Metadata Update supplement (LC-010 to LC-015, LC-053 to LC-057, LC-070, LC-077, LC-084).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select

from registry import fragments, lifecycle
from registry.codes import Codes
from registry.known import Known, objects_of
from registry.operations import NewVersion, Operations
from registry.schema import (
    ASSOCIATION_TYPES,
    Kind,
    Status,
    comparable,
    fragment,
    object_,
    patient,
)
from registry.search import LEAF
from registry.unit import Stored, Tie, Unit
from registry.update_rules import Affected, Carried, End, Targets
from xdsi.model.ids import random_uuid, with_ids
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, RegistryObject
from xdsi.model.values import DTM
from xdsi.standard import urns

_HAS_MEMBER = ASSOCIATION_TYPES[urns.HAS_MEMBER]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An update ready to be stored. ids: UUIDs by the ids that were sent."""

    stored: lifecycle.Prepared
    ids: Mapping[str, str]


def prepare(submission: Submission, asked: Operations, codes: Codes) -> Prepared:
    """Rows of an update that has passed the rules of the message.

    What is stored: the set, the new versions with their HasMembers, the submitted associations,
    each that files an entry with a HasMember of its own. The associations that only say what is
    to be done are not (MD-039, MD-040).
    """
    settled = with_ids(submission)
    pairs = zip(objects_of(submission), objects_of(settled), strict=True)
    ids = {sent.entry_uuid: given.entry_uuid for sent, given in pairs}
    kept = {
        ids[each.entry_uuid]
        for each in (
            *asked.links,
            *asked.members,
            *(version.member for version in asked.versions),
        )
    }
    own = settled.submission_set.entry_uuid
    named = {each.target_object for each in asked.members}
    added = tuple(
        lifecycle.has_member(own, ids[each.entry_uuid])
        for each in asked.links
        if each.association_type == urns.HAS_MEMBER and each.entry_uuid not in named
    )
    associations = tuple(each for each in settled.associations if each.entry_uuid in kept)
    stored = replace(settled, associations=(*associations, *added))
    versions = {ids[each.obj.entry_uuid]: (each.lid, each.previous + 1) for each in asked.versions}
    return Prepared(lifecycle.prepare(stored, codes, versions), ids)


def affected(asked: Operations, known: Known, unit: Unit, is_restricted: bool) -> Affected:
    """What an update touches, kept from changing until the end."""
    latest = unit.current(sorted({each.lid for each in asked.versions}))
    superseded = {latest[each.lid].id: each for each in asked.versions if each.lid in latest}
    entries = {}
    if is_restricted:
        found = stored_objects(unit, superseded)
        entries = {
            version.lid: one
            for id_, version in superseded.items()
            if isinstance(one := found[id_], DocumentEntry)
        }
    linked = (known.objects.get(each.target_object) for each in asked.statuses)
    ends = {
        end.id
        for link in asked.links
        for id_ in (link.source_object, link.target_object)
        if (end := known.objects.get(id_)) is not None
    }
    approved = {
        end.id
        for each in asked.statuses
        if each.new_status == urns.APPROVED and (end := known.objects.get(each.target_object))
    }
    return Affected(
        latest,
        tuple(_carried(superseded, unit)),
        _links({each.id for each in linked if each and each.kind is Kind.ASSOCIATION}, unit),
        tuple(unit.ties(ends | approved)),
        entries,
        _shared({stored.unique_id: lid for lid, stored in latest.items()}, unit)
        if is_restricted
        else frozenset(),
    )


def _carried(superseded: Mapping[int, NewVersion], unit: Unit) -> Iterable[Carried]:
    """LC-056, LC-057, LC-077.

    Memberships in SubmissionSets stay behind, and so does what leads to an earlier version of
    something else: the association has been carried on with that one already.
    """
    ties = [each for each in unit.ties(superseded) if each.status is Status.APPROVED]
    ends = {end for each in ties for end in (each.source, each.target)}
    others = unit.numbered(ends - superseded.keys())

    def end(number: int) -> End | None:
        version = superseded.get(number)
        if version is not None:
            return version if version.propagates else None
        return others[number] if others[number].is_current else None

    for tie in ties:
        source, target = end(tie.source), end(tie.target)
        if source is None or target is None:
            continue
        if isinstance(source, Stored) and source.kind is Kind.SUBMISSION_SET:
            continue
        yield Carried(tie, source, target)


def _links(ids: Collection[int], unit: Unit) -> dict[int, tuple[Tie, Stored]]:
    ties = unit.associations(ids)
    sources = unit.numbered({each.source for each in ties.values()})
    return {id_: (tie, sources[tie.source]) for id_, tie in ties.items()}


def _shared(lids: Mapping[str | None, str], unit: Unit) -> frozenset[str]:
    """uniqueIds that entries of other logical ids bear."""
    found = unit.connection.execute(_BEARERS, {"values": [each for each in lids if each]})
    return frozenset(row.unique_id for row in found if lids[row.unique_id] != row.lid)


_BEARERS = (
    select(object_.c.unique_id, object_.c.lid)
    .distinct()
    .where(object_.c.unique_id.in_(bindparam("values", expanding=True)))
)


def stored_objects(unit: Unit, ids: Collection[int]) -> dict[int, RegistryObject]:
    """Stored objects as they are answered, by number."""
    if not ids:
        return {}
    rows = unit.connection.execute(_LEAFS, {"ids": list(ids)}).fetchall()
    found = fragments.objects(fragments.fragments([tuple(row)[1:] for row in rows]))
    return {row[0]: one for row, one in zip(rows, found, strict=True)}


_LEAFS = (
    select(object_.c.id, *LEAF)
    .select_from(object_.outerjoin(patient, patient.c.id == object_.c.patient).join(fragment))
    .where(object_.c.id.in_(bindparam("ids", expanding=True)))
)


def apply(
    prepared: Prepared, asked: Operations, known: Known, touched: Affected, unit: Unit
) -> None:
    """Do all of it. Raises LostRace as `lifecycle.apply`."""
    targets = Targets(asked, known, touched)
    superseded = [touched.latest[each.lid] for each in asked.versions]
    unit.supersede([each.id for each in superseded])
    statuses = {
        prepared.ids[version.obj.entry_uuid]: Status.DEPRECATED
        for version, latest in zip(asked.versions, superseded, strict=True)
        # what is restricted keeps the status (LC-109)
        if not latest.is_approved or targets.status(version) is Status.DEPRECATED
    }
    _mark(asked, targets, touched, unit)
    _restate(asked, known, unit)
    others = {
        end.uuid: end
        for each in touched.carried
        for end in (each.source, each.target)
        if isinstance(end, Stored)
    }
    lifecycle.apply(
        prepared.stored,
        replace(known, objects={**known.objects, **others}),
        unit,
        _copies(prepared, touched.carried, unit),
        statuses,
    )


def _mark(asked: Operations, targets: Targets, touched: Affected, unit: Unit) -> None:
    """LC-070; a Folder whose members change by it is touched (MD-156)."""
    changed: dict[Status, list[int]] = {status: [] for status in Status}
    folders = set()
    for each in asked.statuses:
        end = targets.of_status(each.target_object)
        if not isinstance(end, Stored):
            continue
        changed[Status(each.new_status == urns.APPROVED)].append(end.id)
        if end.kind is Kind.ASSOCIATION:
            tie, source = touched.links[end.id]
            if tie.type == _HAS_MEMBER and source.kind is Kind.FOLDER:
                folders.add(source.id)
    for status, ids in changed.items():
        unit.mark(ids, status)
    unit.touch(sorted(folders), str(DTM.of(unit.now)))


def _restate(asked: Operations, known: Known, unit: Unit) -> None:
    """A new hash and size of a document hold for its uniqueId (LC-054, LC-108)."""
    for version in asked.versions:
        obj = version.obj
        if isinstance(obj, DocumentEntry) and obj.hash and obj.size:
            value, stated = comparable(str(obj.unique_id)), (obj.hash.lower, int(obj.size))
            claim = known.claims[value]
            if (claim.sha1, claim.size) != stated:
                unit.restate(value, *stated)


def _copies(prepared: Prepared, carried: Iterable[Carried], unit: Unit) -> tuple[Association, ...]:
    """The associations that go on, as new ones, each that files an entry with the set's HasMember.

    They say what the old ones said, but for the ends.
    """

    def uuid(end: End) -> str:
        return end.uuid if isinstance(end, Stored) else prepared.ids[end.obj.entry_uuid]

    own = prepared.stored.submission.submission_set.entry_uuid
    old = stored_objects(unit, [each.tie.id for each in carried])
    made: list[Association] = []
    for each in carried:
        one = old[each.tie.id]
        if not isinstance(one, Association):
            continue
        copy = replace(
            one,
            entry_uuid=random_uuid(),
            source_object=uuid(each.source),
            target_object=uuid(each.target),
            documentation=one.documentation and replace(one.documentation, id=random_uuid()),
        )
        made.append(copy)
        if each.tie.type == _HAS_MEMBER:
            made.append(lifecycle.has_member(own, copy.entry_uuid))
    return tuple(made)
