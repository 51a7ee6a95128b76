"""Taking objects out of the tables.

What a removed object has done stays done (LC-128). Of a logical object the latest version that is
left becomes the current one (LC-127).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Delete, bindparam, delete, exists, func, select, update

from registry.schema import association, comparable, fragment, object_, object_value, unique_id
from registry.unit import BATCH, Stored, Unit
from registry.versions import stored_objects
from xdsi.model.objects import DocumentEntry


def forget(objects: Mapping[int, Stored], unit: Unit) -> None:
    """Remove objects; nothing that stays may name them, see `iti62`.

    objects: by number, kept from changing
    """
    values = {each.unique_id for each in objects.values() if each.unique_id}
    for some in _batches(objects):
        given = {"objects": some}
        # what a removed set registered, and may stay, is then registered by itself
        unit.connection.execute(_DISOWN, given)
        for statement in (_ASSOCIATION, _VALUE, _FRAGMENT):
            unit.connection.execute(statement, given)
    for some in _batches(objects):
        unit.connection.execute(_OBJECT, {"objects": some})
    for some in _batches({each.lid for each in objects.values() if each.is_current}):
        # first waits for those who remove earlier versions, then looks at what they left
        unit.connection.execute(_VERSIONS, {"lids": some})
        unit.connection.execute(_PROMOTE, {"lids": some})
        _restate(some, unit)
    for some in _batches(values):
        # first waits for those who rely on the claims, then looks at what they did
        unit.connection.execute(_CLAIMS, {"values": some})
        unit.connection.execute(_RELEASE, {"values": some})


def _restate(lids: Collection[str], unit: Unit) -> None:
    """The hash and size of a version that is current again hold for its uniqueId (LC-054)."""
    ids = unit.connection.execute(_CURRENT, {"lids": lids}).scalars().all()
    for one in stored_objects(unit, ids).values():
        if isinstance(one, DocumentEntry) and one.hash and one.size:
            unit.restate(comparable(str(one.unique_id)), one.hash.lower, int(one.size))


def _batches(values: Iterable[Any]) -> Iterable[Collection[Any]]:
    listed = sorted(values)
    return (listed[at : at + BATCH] for at in range(0, len(listed), BATCH))


def _deleting(column: Any) -> Delete:
    return delete(column.table).where(column.in_(bindparam("objects", expanding=True)))


_ASSOCIATION, _VALUE = _deleting(association.c.id), _deleting(object_value.c.object)
_FRAGMENT, _OBJECT = _deleting(fragment.c.object), _deleting(object_.c.id)
_DISOWN = (
    update(object_)
    .where(object_.c.submission.in_(bindparam("objects", expanding=True)))
    .values(submission=object_.c.id)
)
_OTHER = object_.alias("other")
_OF_LIDS = object_.c.lid.in_(bindparam("lids", expanding=True))
_VERSIONS = select(object_.c.id).where(_OF_LIDS).order_by(object_.c.id).with_for_update()
_CURRENT = select(object_.c.id).where(_OF_LIDS, object_.c.is_current)
_PROMOTE = (
    update(object_)
    .where(
        _OF_LIDS,
        object_.c.version
        == select(func.max(_OTHER.c.version))
        .where(_OTHER.c.lid == object_.c.lid)
        .correlate(object_)
        .scalar_subquery(),
    )
    .values(is_current=True)
)
_VALUES = unique_id.c.value.in_(bindparam("values", expanding=True))
_CLAIMS = select(unique_id.c.value).where(_VALUES).order_by(unique_id.c.value).with_for_update()
_RELEASE = delete(unique_id).where(
    _VALUES, ~exists().where(object_.c.unique_id == unique_id.c.value)
)
