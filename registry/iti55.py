"""Cross Gateway Patient Discovery [ITI-55].

Answered at once, from what the identity feed told (`registry.discovery`, `registry.matching`). The
deferred and the asynchronous form, correlation times and the feed by queries are not offered.
Source: ITI TF-2 3.55 (XC-090 to XC-107).
"""

from collections.abc import Iterator
from dataclasses import replace

from registry import discovery, identity, matching
from registry.matching import Candidate
from registry.unit import Unit
from xdsi.model.discovery import (
    Discovery,
    DiscoveryAnswer,
    DiscoveryRequest,
    PatientMatch,
    PatientQuery,
    problem_of,
)
from xdsi.model.errors import XDSError, XDSRegistryError, findings, refuse
from xdsi.model.identity import Demographics
from xdsi.plug import Call
from xdsi.standard import discovery as standard
from xdsi.units import Units

BORN = 5_000  # patients of one birth date that are looked through


def find(
    request: DiscoveryRequest, call: Call, units: Units[Unit], settings: Discovery
) -> DiscoveryAnswer:
    """The patients that fit, or attributes that would tell them apart (XC-107).

    Findings are returned, not raised: the answer names the message and repeats the query.
    """
    query = request.query
    wrapper = replace(request.wrapper, receiver_home=settings.home)
    answer = DiscoveryAnswer(query=query, wrapper=wrapper)
    try:
        refuse(_refusals(request, settings), "query refused")
        if _is_by_person(query, settings) and (lacking := _lacking(query, settings.required)):
            return replace(answer, requested=lacking)
        found = _found(query, units, settings)
        if len(found) <= settings.candidates:
            matches = tuple(_match(query, *each, settings) for each in found)
            return replace(answer, matches=matches)
        if more := _lacking(query, tuple(standard.REQUESTABLE)):
            return replace(answer, requested=more)
        problem = f"more than {settings.candidates} fit, and no attribute would tell them apart"
        raise XDSRegistryError("patients", problem, rule="XC-107")
    except (XDSError, ExceptionGroup) as error:
        errors = findings(error)
        return replace(answer, problem=problem_of(errors), errors=errors)


def _refusals(request: DiscoveryRequest, settings: Discovery) -> Iterator[XDSError]:
    """Never with a value: what is asked tells of a patient."""
    yield from request.findings
    query, asked = request.query, request.wrapper.receiver_home
    if asked not in (None, settings.home):
        problem = f"is not {settings.home}, which answers here"
        yield XDSRegistryError("receiver community", problem, value=str(asked), rule="MHEU-013")
    if query.is_deferred:
        problem = "only I is offered, an answer at once"
        yield XDSRegistryError("responsePriorityCode", problem, rule="XC-106")
    if settings.by == "identifier" and not query.ids:
        problem = "patients are looked up by identifier alone here"
        yield XDSRegistryError("LivingSubjectId", problem, rule="XC-094")
    elif _is_by_person(query, settings):
        if not query.names:
            yield XDSRegistryError("LivingSubjectName", "missing", rule="XC-094")
        if len(query.birth_date or "") != len("YYYYMMDD"):
            problem = "missing, or not to the day"
            yield XDSRegistryError("LivingSubjectBirthTime", problem, rule="XC-094")


def _is_by_person(query: PatientQuery, settings: Discovery) -> bool:
    """Whether demographics alone must find the patient."""
    return settings.by == "demographics" or (settings.by == "both" and not query.ids)


def _lacking(query: PatientQuery, names: tuple[str, ...]) -> tuple[str, ...]:
    """Codes of those of the attributes that the query does not have."""
    given = {"sex": query.sex is not None, "address": bool(query.addresses)}
    return tuple(
        code for name, code in standard.REQUESTABLE.items() if name in names and not given[name]
    )


def _found(
    query: PatientQuery, units: Units[Unit], settings: Discovery
) -> list[tuple[Candidate, int]]:
    """Patients with their degrees, the best first."""
    is_close = settings.match == "close"
    minimum = max(settings.minimum, query.minimum_degree or 0)
    degrees = (
        (each, matching.degree(query, each, is_close=is_close))
        for each in _candidates(query, units, settings)
    )
    found = [(each, degree) for each, degree in degrees if degree is not None and degree >= minimum]
    return sorted(found, key=lambda each: (-each[1], each[0].number))


def _candidates(
    query: PatientQuery, units: Units[Unit], settings: Discovery
) -> Iterator[Candidate]:
    seen = set()
    if settings.by != "demographics":
        ids = {cx for each in query.ids if (cx := identity.universal(each)) is not None}
        for each in discovery.known_as(units, ids):
            if each.number not in seen:
                seen.add(each.number)
                yield each
    day = query.birth_date or ""
    is_complete = query.names and len(day) == len("YYYYMMDD")
    if settings.by == "identifier" or not is_complete or _lacking(query, settings.required):
        return
    dates = (day, *matching.swapped(day)) if settings.match == "close" else (day,)
    born = discovery.born(units, dates, BORN + 1)
    if len(born) > BORN:
        problem = f"more than {BORN} patients were born that day; ask by identifier"
        raise XDSRegistryError("LivingSubjectBirthTime", problem, rule="XC-107")
    yield from (each for each in born if each.number not in seen)


def _match(
    query: PatientQuery, candidate: Candidate, degree: int, settings: Discovery
) -> PatientMatch:
    told = candidate.told if settings.disclose == "all" else _asked(query, candidate.told)
    return PatientMatch(candidate.id, settings.home, told, degree)


def _asked(query: PatientQuery, told: Demographics) -> Demographics:
    """Those attributes that the query brought too."""
    named, placed = bool(query.names), bool(query.addresses)
    return Demographics(
        family=told.family if named else None,
        given=told.given if named else None,
        birth_date=told.birth_date if query.birth_date else None,
        sex=told.sex if query.sex else None,
        street=told.street if placed else None,
        city=told.city if placed else None,
        state=told.state if placed else None,
        postal_code=told.postal_code if placed else None,
        country=told.country if placed else None,
        other_ids=tuple(each for each in told.other_ids if each in query.ids),
    )
