"""What changes the rows of the index of images, inside a unit of work.

Rows are locked and made in one order, so that two works cannot wait for each other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select

from xdsi.actors.imaging.schema import HEADER, INSTANCE, REJECTION, SERIES, STUDY
from xdsi.wire.archived import Archived

_LAST = 1 << 31  # in the order of numbers: above every DICOM integer
_STAMP = 10  # hex digits of a file's name, so that those of a million files stay below 2**63
LIST = 500  # values of one IN; longer lists are split


@dataclass(frozen=True, slots=True)
class Addition:
    """A published file to be indexed. replaces: name of the file in whose place it comes."""

    instance: Archived
    name: str
    size: int
    sha256: str
    seal: str
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """Inside a transaction. now: seconds since 1970"""

    connection: Connection
    now: int


def unit_of(connection: Connection, now: datetime) -> Unit:
    return Unit(connection, int(now.timestamp()))


def _pairs(rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    return {first: second for first, second in rows}  # noqa: C416 (rows are no tuples to mypy)


def lists(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """In pieces that one IN takes."""
    return (values[at : at + LIST] for at in range(0, len(values), LIST))


def locked(unit: Unit, uids: Sequence[str]) -> dict[str, str]:
    """Names by SOP Instance UID, of those that are there; locked in one order."""
    found: dict[str, str] = {}
    for some in lists(sorted(uids)):
        statement = (
            select(INSTANCE.c.sop_instance_uid, INSTANCE.c.name)
            .where(INSTANCE.c.sop_instance_uid.in_(some))
            .order_by(INSTANCE.c.sop_instance_uid)
            .with_for_update()
        )
        found.update(_pairs(unit.connection.execute(statement)))
    return found


def delete_(unit: Unit, chosen: ColumnElement[bool]) -> set[int]:
    """Remove instances; the series they were in."""
    connection = unit.connection
    series = set(connection.execute(select(INSTANCE.c.series_id).where(chosen)).scalars())
    connection.execute(delete(INSTANCE).where(chosen))
    return series


def prune(unit: Unit, series: Collection[int]) -> None:
    """Remove those of these series that are empty, and studies that are empty then.

    Whoever adds to one of them at this moment makes this a lost race, by the foreign key.
    """
    connection = unit.connection
    for some in lists(sorted(series)):
        studies = set(
            connection.execute(select(SERIES.c.study_id).where(SERIES.c.id.in_(some))).scalars()
        )
        connection.execute(
            delete(SERIES).where(
                SERIES.c.id.in_(some), ~exists().where(INSTANCE.c.series_id == SERIES.c.id)
            )
        )
        connection.execute(
            delete(STUDY).where(
                STUDY.c.id.in_(studies), ~exists().where(SERIES.c.study_id == STUDY.c.id)
            )
        )


def insert_(unit: Unit, additions: Sequence[Addition]) -> None:
    """New instances in one order, so that two works cannot wait for each other."""
    ordered = sorted(additions, key=lambda each: each.instance.sop_instance_uid)
    studies = _studies(unit, {each.instance.study_instance_uid for each in ordered})
    series = _series(unit, [each.instance for each in ordered], studies)
    rows = [
        {
            "series_id": series[
                studies[each.instance.study_instance_uid], each.instance.series_instance_uid
            ],
            "sop_instance_uid": each.instance.sop_instance_uid,
            "sop_class_uid": each.instance.sop_class_uid,
            "transfer_syntax_uid": each.instance.transfer_syntax_uid,
            "number": _place(each.instance.instance_number),
            "frames": each.instance.frames,
            "name": each.name,
            "size": each.size,
            "sha256": each.sha256,
            "seal": each.seal,
            "start": each.instance.start,
            "stored": unit.now,
            "stamp": int(each.name[-_STAMP:], 16),
        }
        for each in ordered
    ]
    made = insert(INSTANCE).returning(INSTANCE.c.name, INSTANCE.c.id)
    ids: dict[str, int] = _pairs(unit.connection.execute(made, rows))
    unit.connection.execute(
        insert(HEADER),
        [{"instance_id": ids[each.name], "content": each.instance.header} for each in ordered],
    )
    rejections = {
        (ids[each.name], one.sop_instance_uid): one.study_instance_uid
        for each in ordered
        for one in each.instance.rejects
    }
    if rejections:
        unit.connection.execute(
            insert(REJECTION),
            [
                {"note_id": note, "sop_instance_uid": uid, "study_instance_uid": study}
                for (note, uid), study in rejections.items()
            ],
        )


def _place(number: int | None) -> int:
    return _LAST if number is None else number


def _studies(unit: Unit, uids: Collection[str]) -> dict[str, int]:
    """Id by Study Instance UID; new ones are made."""
    known: dict[str, int] = {}
    for some in lists(sorted(uids)):
        statement = select(STUDY.c.study_instance_uid, STUDY.c.id)
        found = unit.connection.execute(statement.where(STUDY.c.study_instance_uid.in_(some)))
        known.update(_pairs(found))
    if new := [{"study_instance_uid": uid} for uid in sorted(set(uids) - known.keys())]:
        made = insert(STUDY).returning(STUDY.c.study_instance_uid, STUDY.c.id)
        known.update(_pairs(unit.connection.execute(made, new)))
    return known


def _series(
    unit: Unit, instances: Iterable[Archived], studies: Mapping[str, int]
) -> dict[tuple[int, str], int]:
    """Id by id of the study and Series Instance UID; new ones are made."""
    wanted = {
        (studies[each.study_instance_uid], each.series_instance_uid): _place(each.series_number)
        for each in instances
    }
    columns = (SERIES.c.study_id, SERIES.c.series_instance_uid, SERIES.c.id)
    known: dict[tuple[int, str], int] = {}
    for some in lists(sorted({uid for _, uid in wanted})):
        statement = select(*columns).where(
            SERIES.c.study_id.in_({study for study, _ in wanted}),
            SERIES.c.series_instance_uid.in_(some),
        )
        found = unit.connection.execute(statement)
        known.update({(study, uid): id_ for study, uid, id_ in found})
    new = [
        {"study_id": study, "series_instance_uid": uid, "number": wanted[study, uid]}
        for study, uid in sorted(wanted.keys() - known.keys())
    ]
    if new:
        found = unit.connection.execute(insert(SERIES).returning(*columns), new)
        known.update({(study, uid): id_ for study, uid, id_ in found})
    return known
