"""What an accepted submission does: rows for its objects, and effects on what is there.

`prepare` needs no database and runs once; `apply` runs inside the unit of work, maybe several
times. Source: ITI TF-2 3.42.4.1.3.3.5, .4 to .7 (REG-078, REG-101 to REG-122).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from registry import fragments
from registry.codes import Codes, Pair
from registry.known import Known, described_of, objects_of
from registry.schema import (
    ASSOCIATION_TYPES,
    AVAILABILITIES,
    KIND_OF,
    Kind,
    Many,
    Status,
    comparable,
    object_,
)
from registry.unit import Unit
from xdsi.model.ids import random_uuid
from xdsi.model.messages import Submission
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    RegistryObject,
    SubmissionSet,
)
from xdsi.model.values import DTM, CXi, Value
from xdsi.standard import urns

# columns of `object` that hold an attribute of the same name, by kind
_CODES: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        DocumentEntry: (
            "class_code",
            "type_code",
            "practice_setting_code",
            "healthcare_facility_type_code",
            "format_code",
        ),
        SubmissionSet: ("content_type_code",),
        Folder: (),
        Association: (),
    }
)
_TIMES: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        DocumentEntry: ("creation_time", "service_start_time", "service_stop_time"),
        SubmissionSet: ("submission_time",),
        Folder: (),
        Association: (),
    }
)
_TEXTS: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        DocumentEntry: ("unique_id", "repository_unique_id"),
        SubmissionSet: ("unique_id", "source_id"),
        Folder: ("unique_id",),
        Association: (),
    }
)
# attributes with several values, each in rows of `object_value`
_MANY: Mapping[type, tuple[tuple[str, Many], ...]] = MappingProxyType(
    {
        DocumentEntry: (
            ("confidentiality_codes", Many.CONFIDENTIALITY_CODES),
            ("event_codes", Many.EVENT_CODES),
            ("authors", Many.AUTHORS),
            ("reference_ids", Many.REFERENCE_IDS),
        ),
        SubmissionSet: (("authors", Many.AUTHORS),),
        Folder: (("codes", Many.CODES),),
        Association: (),
    }
)
_EMPTY = MappingProxyType(dict.fromkeys(column.name for column in object_.columns))

# logical id and number
Version = tuple[str, int]
_FIRST: Mapping[str, Version] = MappingProxyType({})
_APPROVED: Mapping[str, Status] = MappingProxyType({})


@dataclass(slots=True)
class _Rows:
    """Rows for one kind of table each; numbers of objects still missing."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    fragments: list[dict[str, Any]] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    # by position of the object they belong to
    owners: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission ready to be stored: its objects with UUIDs alone, and their rows."""

    submission: Submission
    rows: _Rows


def prepare(
    submission: Submission, codes: Codes, versions: Mapping[str, Version] = _FIRST
) -> Prepared:
    """Rows of a submission that has passed the rules of the message.

    submission: with UUIDs alone, see `xdsi.model.ids.with_ids`
    codes: are interned now, in a transaction of their own
    versions: by UUID, of objects that are no first versions (MD-178, MD-179)
    """
    objects = objects_of(submission)
    numbers = codes.interned({pair for obj in objects for pair in _pairs(obj)})
    rows = _Rows()
    for obj in objects:
        _add(rows, obj, numbers, versions.get(obj.entry_uuid))
    return Prepared(submission, rows)


def apply(
    prepared: Prepared,
    known: Known,
    unit: Unit,
    carried: Sequence[Association] = (),
    statuses: Mapping[str, Status] = _APPROVED,
) -> None:
    """Store the objects as Approved and change what they affect.

    carried: associations to be stored as well, whose effects have happened before
    statuses: by UUID, of objects that are not Approved
    Raises LostRace when a replaced entry is no longer Approved.
    """
    submission = prepared.submission
    stored = {
        **known.objects,
        **{folder.uuid: folder for each in known.folders.values() for folder in each},
    }
    replaced = {
        known.objects[each.target_object].id
        for each in submission.associations
        if each.association_type in urns.REPLACEMENTS
    }
    _deprecate(replaced, unit)
    rows, added = prepared.rows, (*carried, *_folder_copies(submission, known))
    if added:
        rows = _Rows([*rows.objects], [*rows.fragments], rows.values, rows.owners)
        for association in added:
            _add(rows, association, {})
    now = str(DTM.of(unit.now))
    numbers = {uuid: each.id for uuid, each in stored.items()}
    _insert(rows, submission, added, known, unit, now, numbers, statuses)
    filed = {
        stored[each.source_object].id
        for each in (*submission.associations, *added)
        if each.association_type == urns.HAS_MEMBER
        and each.source_object in stored
        and stored[each.source_object].kind is Kind.FOLDER
    }
    unit.touch(filed, now)


def _deprecate(entries: set[int], unit: Unit) -> None:
    """The replaced entries, and all that hangs on them by APND or XFRM, to any depth (REG-113).

    What an update has deprecated stays so, and what hangs on that goes with the others.
    """
    seen, approved = set[int](), entries
    while entries:
        unit.deprecate(approved)
        seen |= entries
        links = unit.incoming(entries, (urns.XFRM, urns.APND))
        found = {link.source.id: link.source for link in links if link.source.is_current}
        entries = found.keys() - seen
        approved = {id_ for id_ in entries if found[id_].is_approved}


def _folder_copies(submission: Submission, known: Known) -> tuple[Association, ...]:
    """Memberships of replacements in the folders of what they replace (REG-114, REG-115)."""
    filed = {
        (each.source_object, each.target_object)
        for each in submission.associations
        if each.association_type == urns.HAS_MEMBER
    } | {(folder.uuid, entry) for entry, found in known.folders.items() for folder in found}
    own = submission.submission_set.entry_uuid
    added: list[Association] = []
    for each in submission.associations:
        if each.association_type not in urns.REPLACEMENTS:
            continue
        for folder in known.folders.get(each.target_object, ()):
            if (folder.uuid, each.source_object) not in filed:
                filed.add((folder.uuid, each.source_object))
                member = has_member(folder.uuid, each.source_object)
                added += member, has_member(own, member.entry_uuid)
    return tuple(added)


def has_member(source: str, target: str) -> Association:
    return Association(
        entry_uuid=random_uuid(),
        association_type=urns.HAS_MEMBER,
        source_object=source,
        target_object=target,
    )


def _insert(
    rows: _Rows,
    submission: Submission,
    added: Sequence[Association],
    known: Known,
    unit: Unit,
    now: str,
    by_uuid: dict[str, int],
    statuses: Mapping[str, Status],
) -> None:
    """The rows of all objects, with numbers and patients filled in.

    now: DTM text; by_uuid: numbers of stored objects, to which the new ones are added
    """
    numbers = unit.reserve(len(rows.objects))
    by_uuid.update((row["uuid"], id_) for row, id_ in zip(rows.objects, numbers, strict=True))
    own = by_uuid[submission.submission_set.entry_uuid]
    objects = [
        {
            **row,
            "id": id_,
            "status": statuses.get(row["uuid"], Status.APPROVED),
            "submission": own,
            "patient": known.patients[row["patient"]].id if row["patient"] else None,
            "last_update_time": now if row["kind"] == Kind.FOLDER else None,
        }
        for row, id_ in zip(rows.objects, numbers, strict=True)
    ]
    unit.insert(
        objects,
        [{**row, "object": id_} for row, id_ in zip(rows.fragments, numbers, strict=True)],
        [
            {
                "id": by_uuid[each.entry_uuid],
                "type": ASSOCIATION_TYPES[each.association_type],
                "source": by_uuid[each.source_object],
                "target": by_uuid[each.target_object],
            }
            for each in (*submission.associations, *added)
        ],
        [
            {**row, "object": numbers[owner]}
            for row, owner in zip(rows.values, rows.owners, strict=True)
        ],
        list(_claims(submission, known)),
    )


def _claims(submission: Submission, known: Known) -> Iterator[dict[str, Any]]:
    """uniqueIds that nobody holds yet; an identical document's is held already (REG-094)."""
    for obj in described_of(submission):
        value = comparable(str(obj.unique_id))
        if value in known.claims:
            continue
        entry = obj if isinstance(obj, DocumentEntry) else None
        yield {
            "value": value,
            "kind": KIND_OF[type(obj)],
            "sha1": entry.hash.lower if entry and entry.hash else None,
            "size": int(entry.size) if entry and entry.size else None,
        }


def _add(
    rows: _Rows,
    obj: RegistryObject,
    numbers: Mapping[Pair, int],
    version: Version | None = None,
) -> None:
    kind = type(obj)
    # the first version, whatever was sent (MD-178, MD-179)
    lid, number = version or (obj.entry_uuid, 1)
    row: dict[str, Any] = {
        **_EMPTY,
        "uuid": obj.entry_uuid,
        "kind": KIND_OF[kind],
        "lid": lid,
        "version": number,
        "is_current": True,
    }
    for name in _CODES[kind]:
        if (code := getattr(obj, name)) is not None:
            row[name] = numbers[_pair(code)]
    for name in _TIMES[kind]:
        if (time := getattr(obj, name)) is not None:
            row[name] = time.earliest
    for name in _TEXTS[kind]:
        if (text := getattr(obj, name)) is not None:
            row[name] = comparable(str(text))
    if isinstance(obj, DocumentEntry):
        row["is_on_demand"] = obj.is_on_demand
        row["availability"] = AVAILABILITIES.get(str(obj.document_availability))
    if not isinstance(obj, Association):
        row["patient"] = comparable(str(obj.patient_id))
    for name, attribute in _MANY[kind]:
        for position, value in enumerate(_values(getattr(obj, name), numbers)):
            rows.values.append({"attribute": attribute, "position": position, **value})
            rows.owners.append(len(rows.objects))
    rows.objects.append(row)
    start, body = fragments.stored(obj, lid, number)
    rows.fragments.append({"start": start, "body": body})


def _values(
    values: Sequence[Code | Author | CXi], numbers: Mapping[Pair, int]
) -> Iterator[dict[str, Any]]:
    for value in values:
        if isinstance(value, Code):
            yield {"code": numbers[_pair(value)], "text": None}
        else:
            texts: tuple[Value, ...] = value.persons if isinstance(value, Author) else (value,)
            for text in texts:
                yield {"code": None, "text": comparable(str(text))}


def _pair(code: Code) -> Pair:
    return code.code or "", code.scheme or ""


def _pairs(obj: RegistryObject) -> Iterator[Pair]:
    """All (code, scheme) of an object that become numbers."""
    for name in _CODES[type(obj)]:
        if (code := getattr(obj, name)) is not None:
            yield _pair(code)
    for name, _ in _MANY[type(obj)]:
        for value in getattr(obj, name):
            if isinstance(value, Code):
                yield _pair(value)
