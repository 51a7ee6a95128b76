"""Patients of the feed, as discovery looks them up: by birth date or identifier, always by index.

Merged patients are never among them.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, select

from registry.identity import TOLD
from registry.matching import Candidate
from registry.schema import PatientState, comparable, demographics, other_id, patient
from registry.unit import BATCH, Unit
from xdsi.model.identity import Demographics, issued
from xdsi.model.values import CX
from xdsi.units import Listing, Units, among

_COLUMNS = (patient.c.id, patient.c.cx, *(demographics.c[name] for name in TOLD))
_IS_ACTIVE = patient.c.state == PatientState.ACTIVE
# those who were only registered have no demographics
_PEOPLE = patient.outerjoin(demographics, demographics.c.patient == patient.c.id)


def _born(binds: int) -> Select[Any]:
    return (
        select(*_COLUMNS)
        .select_from(patient.join(demographics, demographics.c.patient == patient.c.id))
        .where(among(demographics.c.birth_date, binds), _IS_ACTIVE)
        .limit(bindparam("limit"))
    )


def _known_as(binds: int) -> Select[Any]:
    return select(*_COLUMNS).select_from(_PEOPLE).where(among(patient.c.cx, binds), _IS_ACTIVE)


def _known_elsewhere_as(binds: int) -> Select[Any]:
    return (
        select(*_COLUMNS)
        .select_from(_PEOPLE.join(other_id, other_id.c.patient == patient.c.id))
        .where(among(other_id.c.cx, binds), _IS_ACTIVE)
    )


BORN = Listing(_born)
KNOWN_AS, KNOWN_ELSEWHERE_AS = Listing(_known_as), Listing(_known_elsewhere_as)
OTHER_IDS = Listing(
    lambda binds: (
        select(other_id.c.patient, other_id.c.cx)
        .where(among(other_id.c.patient, binds))
        .order_by(other_id.c.patient, other_id.c.cx)
    )
)


def born(units: Units[Unit], dates: Collection[str], limit: int) -> list[Candidate]:
    """Patients with one of these birth dates; of too many any `limit`. Raises as `Units.fetch`."""
    return _with_ids(units, _candidates(_rows(units, BORN, dates, limit=limit)))


def known_as(units: Units[Unit], ids: Collection[str]) -> list[Candidate]:
    """Patients with one of these identifiers, of this domain or another."""
    rows = [row for each in (KNOWN_AS, KNOWN_ELSEWHERE_AS) for row in _rows(units, each, ids)]
    return _with_ids(units, _candidates(rows))


def _candidates(rows: Sequence[tuple[Any, ...]]) -> list[Candidate]:
    return [Candidate(number, issued(CX(cx)), Demographics(*told)) for number, cx, *told in rows]


def _with_ids(units: Units[Unit], found: Sequence[Candidate]) -> list[Candidate]:
    ids: dict[int, list[CX]] = {}
    numbers = [each.number for each in found]
    for at in range(0, len(numbers), BATCH):
        for number, cx in _rows(units, OTHER_IDS, numbers[at : at + BATCH]):
            ids.setdefault(number, []).append(CX(cx))
    return [
        replace(
            each,
            told=replace(each.told, other_ids=tuple(map(issued, ids[each.number]))),
        )
        if each.number in ids
        else each
        for each in found
    ]


def _rows(
    units: Units[Unit], listing: Listing, values: Collection[Any], **more: Any
) -> list[tuple[Any, ...]]:
    if not values:
        return []
    statement, given = listing.of(values, units.engine.dialect)
    return units.fetch(statement, {**given, **more})


def told(patient: CX, units: Units[Unit]) -> Demographics | None:
    """What the feed told of a patient of this domain; None for one that it does not know."""
    found = _candidates(_rows(units, KNOWN_AS, (comparable(str(patient)),)))
    return found[0].told if found else None
