"""The patients a registry knows, as an operator sees them; for those without an identity feed.

Source: ITI TF-2 3.42.4.1.3.3.2 (REG-080, REG-081); PIF-006.
"""

from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Engine, select

from registry import identity
from registry.known import Domain
from registry.schema import PatientState, patient
from registry.unit import Unit, open_units
from xdsi import config
from xdsi.model.errors import XDSUnknownPatientId
from xdsi.model.values import CX

_LONGEST = 256  # characters that metadata can carry (MD-073)


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient. state: `active` or `merged`; survivor: of a merged one."""

    id: CX
    state: str
    survivor: CX | None = None


def add(engine: Engine, patient_id: CX, settings: config.Registry) -> bool:
    """Make a patient known. False if it was already.

    Raises XDSUnknownPatientId for an identifier that no submission could use, in an ExceptionGroup
    for one that was merged away.
    """
    _check(patient_id, settings)

    def work(unit: Unit) -> bool:
        return bool(identity.admit(unit, [patient_id]))

    with closing(open_units(engine)) as units:
        return units.run(work)


def merge(engine: Engine, subsumed: CX, survivor: CX, settings: config.Registry) -> None:
    """Make all objects of `subsumed` those of `survivor`; this cannot be undone (PIF-039).

    Raises XDSUnknownPatientId and the ExceptionGroup of `identity.merge`.
    """
    for each in (subsumed, survivor):
        _check(each, settings)
    with closing(open_units(engine)) as units:
        units.run(lambda unit: identity.merge(unit, subsumed, survivor))


def _check(patient_id: CX, settings: config.Registry) -> None:
    problem = patient_id.problem
    if problem is None and not Domain.of(settings).accepts(patient_id):
        problem = f"the assigning authority {patient_id.authority} is not of this domain"
    if problem is None and len(str(patient_id)) > _LONGEST:
        problem = f"an identifier with its authority has at most {_LONGEST} characters"
    if problem is not None:
        raise XDSUnknownPatientId("patient", problem, value=str(patient_id), rule="REG-080")


def list_(engine: Engine) -> tuple[Patient, ...]:
    """All patients in the order in which they became known."""
    other = patient.alias()
    rows = open_units(engine).rows(
        select(patient.c.cx, patient.c.state, other.c.cx.label("survivor"))
        .select_from(patient.outerjoin(other, other.c.id == patient.c.survivor))
        .order_by(patient.c.id)
    )
    return tuple(
        Patient(
            CX(row.cx),
            PatientState(row.state).name.lower(),
            CX(row.survivor) if row.survivor is not None else None,
        )
        for row in rows
    )
