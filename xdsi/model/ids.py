"""Symbolic ids of a submission become UUIDs (MD-067 to MD-071)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar
from uuid import uuid4

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
from xdsi.model.values import is_uuid
from xdsi.standard import attributes
from xdsi.standard.attributes import Attribute, Place


def random_uuid() -> str:
    """A random id in URN form (RFC 4122 version 4)."""
    return uuid4().urn


def with_ids(submission: Submission, fresh: Callable[[], str] = random_uuid) -> Submission:
    """The submission with a UUID wherever an id stands, nested objects included.

    Valid UUIDs stay. Every other id of an object of the submission gets one from `fresh`, the
    same one in all its places; nested objects without id get their own. A symbolic id that names
    no object of the submission stays, for the rules to find (REG-062).
    The same answers of `fresh` give the same submission.
    """
    taken: dict[str, str] = {}

    def settled(id_: str) -> str:
        if is_uuid(id_):
            return id_
        if not id_:
            return fresh()
        if id_ not in taken:
            taken[id_] = fresh()
        return taken[id_]

    def of(one: _Object) -> _Object:
        return _settled(one, settled, taken)

    objects: tuple[RegistryObject, ...] = (
        *submission.submission_sets,
        *submission.entries,
        *submission.folders,
        *submission.associations,
    )
    # all objects first: an association may stand before the ends it names
    for one in objects:
        if one.entry_uuid:
            settled(one.entry_uuid)
    return replace(
        submission,
        submission_sets=tuple([of(one) for one in submission.submission_sets]),
        entries=tuple([of(one) for one in submission.entries]),
        folders=tuple([of(one) for one in submission.folders]),
        associations=tuple([of(one) for one in submission.associations]),
    )


_Object = TypeVar("_Object", DocumentEntry, SubmissionSet, Folder, Association)

_ROWS: Mapping[type, tuple[Attribute, ...]] = MappingProxyType(
    {
        DocumentEntry: attributes.DOCUMENT_ENTRY,
        SubmissionSet: attributes.SUBMISSION_SET,
        Folder: attributes.FOLDER,
        Association: attributes.ASSOCIATION,
    }
)
_CLASSIFIED = (Place.CODE, Place.AUTHOR)


def _settled(one: _Object, settled: Callable[[str], str], taken: Mapping[str, str]) -> _Object:
    rows = _ROWS[type(one)]
    changes: dict[str, object] = {"entry_uuid": settled(one.entry_uuid)}
    if one.logical_id is not None:
        changes["logical_id"] = taken.get(one.logical_id, one.logical_id)
    for row in rows:
        value = getattr(one, row.name)
        if row.place in _CLASSIFIED and value:
            nested: tuple[Code | Author, ...] = value if row.many else (value,)
            renewed = tuple([replace(each, id=settled(each.id)) for each in nested])
            changes[row.name] = renewed if row.many else renewed[0]
    if isinstance(one, Association):
        for end in ("source_object", "target_object"):
            id_ = getattr(one, end)
            changes[end] = taken.get(id_, id_)
        return replace(one, **changes)  # type: ignore[arg-type]
    ids = dict(one.identifier_ids)
    changes["identifier_ids"] = tuple(
        [
            (row.name, settled(ids.get(row.name, "")))
            for row in rows
            if row.place is Place.IDENTIFIER and getattr(one, row.name) is not None
        ]
    )
    if not isinstance(one, DocumentEntry):
        changes["label_id"] = settled(one.label_id)
    return replace(one, **changes)  # type: ignore[arg-type]
