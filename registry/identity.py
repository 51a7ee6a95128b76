"""What an identity feed does: patients become known, and two become one.

Both forms of the feed (`registry.iti8`, `registry.iti44`) and the operator come here. A merge locks
both patients exclusively, so a submission that was committed before it follows it and one after it
is refused (PIF-040); it rewrites the patient of all objects, so no query follows chains.
Source: ITI TF-2 3.8.4.1.4, 3.8.4.2.4, 3.44.4.1.4, 3.44.4.2.4 (PIF-001 to PIF-004, PIF-020 to
PIF-040).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from sqlalchemy import bindparam, delete, or_, select, update

from registry.schema import PatientState, comparable, demographics, object_, other_id, patient
from registry.unit import StoredPatient, Unit
from xdsi import config
from xdsi.model.errors import XDSError, XDSRegistryError, XDSUnknownPatientId, refuse
from xdsi.model.identity import Act, Demographics, IdentityEvent, cx_of, cx_with
from xdsi.model.manifest import IssuedId
from xdsi.model.values import CX
from xdsi.units import Units

LONGEST = 250  # characters of one demographic value, and of an identifier (PIF-021)

_REFUSED = "identity event refused"


@dataclass(frozen=True, slots=True)
class Authorities:
    """The assigning authorities of the affinity domain.

    oids: empty: any; namespaces: OID by the namespace id that stands for it in HL7 v2
    """

    oids: frozenset[str] = frozenset()
    namespaces: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: config.Registry) -> "Authorities":
        return cls(frozenset(settings.assigning_authorities), config.namespaces(settings))

    def resolved(self, given: IssuedId) -> CX | None:
        """The identifier as metadata has it (PIF-004); None for one of another domain (PIF-003).

        Raises XDSUnknownPatientId where the parts of the authority contradict each other (PIF-021),
        or one is missing and cannot be filled in (PIF-022).
        """
        oid = self._oid(given)
        if oid is None or (self.oids and oid not in self.oids):
            return None
        cx = cx_with(given.value, oid)
        if (problem := cx.problem) is not None:
            raise XDSUnknownPatientId("patient", problem, value=str(cx), rule="PIF-004")
        if len(str(cx)) > LONGEST:
            problem = f"an identifier with its authority has at most {LONGEST} characters"
            raise XDSUnknownPatientId("patient", problem, value=str(cx), rule="PIF-021")
        return cx

    def _oid(self, given: IssuedId) -> str | None:
        if given.issuer_uid:
            # an OID of this domain is one without its type too (PIF-022)
            is_own = not given.issuer_type and given.issuer_uid in self.oids
            if given.issuer_type != "ISO" and not is_own:
                return None
            own = {name for name, oid in self.namespaces.items() if oid == given.issuer_uid}
            named = self.namespaces.get(given.issuer, given.issuer_uid)
            if given.issuer and (named != given.issuer_uid or (own and given.issuer not in own)):
                problem = f"namespace {given.issuer} and OID {given.issuer_uid} differ"
                raise XDSUnknownPatientId("assigning authority", problem, rule="PIF-021")
            return given.issuer_uid
        if given.issuer:
            return self.namespaces.get(given.issuer)
        if len(self.oids) != 1:
            problem = "missing, and this domain has not exactly one"
            raise XDSUnknownPatientId(
                "assigning authority", problem, value=given.value, rule="PIF-022"
            )
        (only,) = self.oids
        return only


def receive(event: IdentityEvent, units: Units[Unit], authorities: Authorities) -> None:
    """Do what an event says, as a whole or not at all; it is durable on return.

    Raises every finding at once as an ExceptionGroup, and the errors of `Units.run`.
    """
    refuse(event.findings, _REFUSED)
    about = _about(event, authorities)
    if event.act is Act.MERGE:
        subsumed = _only(event.subsumed, "subsumed identifier", authorities)
        survivor = _only(event.ids, "surviving identifier", authorities)
        units.run(lambda unit: merge(unit, subsumed, survivor, about))
        return
    if not event.ids:
        problem = "missing; a patient needs an identifier"
        raise XDSRegistryError("patient identifier", problem, rule="PIF-025")
    own = [cx for each in event.ids if (cx := authorities.resolved(each)) is not None]
    if own and event.act is Act.UPDATE:
        units.run(lambda unit: tell(unit, own, about))
    elif own:  # else it is of another domain, and nobody's error (PIF-025)
        units.run(lambda unit: admit(unit, own, about))


def admit(unit: Unit, ids: Sequence[CX], about: Demographics = Demographics()) -> list[str]:
    """Make identifiers known that are not; those that are new. Raises for merged ones (PIF-026)."""
    values = [comparable(str(each)) for each in ids]
    known = unit.patients(values)
    new = [value for value in values if value not in known]
    if new:
        unit.admit(new)
        known = unit.patients(values)
    refuse(
        (
            XDSUnknownPatientId(
                "patient identifier",
                "was merged into another one, which cannot be undone; use the surviving one",
                value=value,
                rule="PIF-026",
            )
            for value, each in known.items()
            if not each.is_active
        ),
        _REFUSED,
    )
    _keep(unit, known.values(), about)
    return new


def tell(unit: Unit, ids: Sequence[CX], about: Demographics) -> None:
    """Keep the demographics of those that are known and active (PIF-024)."""
    known = unit.patients([comparable(str(each)) for each in ids])
    _keep(unit, [each for each in known.values() if each.is_active], about)


_LOCK = (
    select(patient.c.id, patient.c.cx, patient.c.state)
    .where(patient.c.cx.in_(bindparam("values", expanding=True)))
    .order_by(patient.c.id)
    .with_for_update()
)
_MOVE = (
    update(object_)
    .where(object_.c.patient == bindparam("subsumed"))
    .values(patient=bindparam("survivor"))
)
# with the subsumed one all that had been merged into it
_SUBSUME = (
    update(patient)
    .where(or_(patient.c.id == bindparam("subsumed"), patient.c.survivor == bindparam("subsumed")))
    .values(state=PatientState.MERGED, survivor=bindparam("survivor_id"))
)


def merge(unit: Unit, subsumed: CX, survivor: CX, about: Demographics = Demographics()) -> None:
    """All objects of one patient become those of another; its identifier is unknown from now on.

    Raises the findings of PIF-032 as an ExceptionGroup; nothing is changed then.
    """
    old, new = comparable(str(subsumed)), comparable(str(survivor))
    rows = unit.connection.execute(_LOCK, {"values": [old, new]})
    known = {row.cx: StoredPatient(row.id, row.cx, PatientState(row.state)) for row in rows}
    refuse(_refusals(old, new, known), _REFUSED)
    from_, to = known[old].id, known[new].id
    unit.connection.execute(_MOVE, {"subsumed": from_, "survivor": to})
    unit.connection.execute(_SUBSUME, {"subsumed": from_, "survivor_id": to})
    _forget(unit, from_)
    _keep(unit, [known[new]], about)


def _refusals(old: str, new: str, known: Mapping[str, StoredPatient]) -> Iterator[XDSError]:
    """PIF-032 (c) to (f)."""
    if old == new:
        problem = "must not be the subsumed one"
        yield XDSRegistryError("surviving identifier", problem, value=new, rule="PIF-032")
        return
    for name, value in (("subsumed identifier", old), ("surviving identifier", new)):
        stored = known.get(value)
        if stored is None:
            problem = "not known here; the feed must bring it first"
        elif not stored.is_active:
            problem = "was merged into another one already"
        else:
            continue
        yield XDSUnknownPatientId(name, problem, value=value, rule="PIF-032")


def _only(ids: Sequence[IssuedId], name: str, authorities: Authorities) -> CX:
    """The one identifier of this domain (PIF-031, PIF-032 a and b)."""
    if not ids:
        raise XDSRegistryError(name, "missing", rule="PIF-030")
    own = {str(cx): cx for each in ids if (cx := authorities.resolved(each)) is not None}
    if not own:
        raise XDSUnknownPatientId(
            name,
            "its assigning authority is not of this domain",
            value=ids[0].value,
            rule="PIF-032",
        )
    if len(own) > 1:
        problem = f"one merge names one pair of identifiers, got {len(own)}"
        raise XDSRegistryError(name, problem, rule="PIF-031")
    return next(iter(own.values()))


# demographics


def _about(event: IdentityEvent, authorities: Authorities) -> Demographics:
    """With the identifiers of other domains that came beside those of ours."""
    foreign = tuple(each for each in event.ids if authorities.resolved(each) is None)
    told = event.demographics
    return replace(told, other_ids=(*told.other_ids, *foreign))


def _keep(unit: Unit, patients: Iterable[StoredPatient], about: Demographics) -> None:
    """What was told last counts; who tells nothing leaves it as it is."""
    if about == Demographics():
        return
    row = {name: _kept(getattr(about, name)) for name in TOLD}
    others = sorted({cx for each in about.other_ids if (cx := universal(each)) is not None})
    for each in patients:
        _forget(unit, each.id)
        unit.connection.execute(demographics.insert(), {"patient": each.id, **row})
        if others:
            rows = [{"patient": each.id, "cx": cx} for cx in others]
            unit.connection.execute(other_id.insert(), rows)


def _kept(text: str | None) -> str | None:
    """What a column takes: no control character, of which PostgreSQL refuses one."""
    if text is None:
        return None
    plain = "".join(each if each.isprintable() else " " for each in text[:LONGEST])
    return comparable(" ".join(plain.split())) or None


def universal(given: IssuedId) -> str | None:
    """An identifier that means the same everywhere, as CX."""
    cx = cx_of(given)
    return None if cx is None or len(str(cx)) > LONGEST else comparable(str(cx))


def _forget(unit: Unit, number: int) -> None:
    for table in (demographics, other_id):
        unit.connection.execute(delete(table).where(table.c.patient == number))


TOLD = tuple(each.name for each in fields(Demographics) if each.name != "other_ids")
