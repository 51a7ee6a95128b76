"""Registry Stored Query [ITI-18] at an Initiating Gateway: one answer of many communities.

A query by patient goes to this community and to all partners at the same time, each by the
identifier that it knows the patient by; one by id goes to the community whose home it names. What
came is passed on as it came. Whoever did not answer is named.
Source: ITI TF-2 3.18.4.1.3, 3.38.4.1.3 (XC-050 to XC-067).
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from time import monotonic

from xdsi.actors.gateway import questions
from xdsi.actors.gateway.communities import Communities, Community, Identifier, Own, unknown
from xdsi.actors.gateway.health import unavailable
from xdsi.config import Limits
from xdsi.model.community import Initiating, Partner
from xdsi.model.errors import (
    XDSError,
    XDSMissingHomeCommunityId,
    XDSRegistryError,
    XDSTooManyResults,
    XDSUnknownCommunity,
    XDSUnknownPatientId,
    findings,
    relocated,
    shown,
)
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Fragment
from xdsi.model.values import CX
from xdsi.plug import Call, Handler
from xdsi.standard import urns
from xdsi.standard.queries import HOME, OBJECT_REF, TARGETS
from xdsi.wire import parameters, passing
from xdsi.wire.passing import Answered

# their objects are asked for by others, who must know where (XC-013 to XC-015)
_WITH_HOME = frozenset(("ExtrinsicObject", "RegistryPackage", "ObjectRef"))
_KINDS = _WITH_HOME | {"Association", "Classification"}
_NAMED = 10  # objects named in an error at most
_TOLD = 20  # errors of one community that are passed on


@dataclass(frozen=True, slots=True)
class Asking:
    """What a query needs. pool: where partners are asked"""

    communities: Communities
    identifier: Identifier
    settings: Initiating
    limits: Limits
    pool: Executor


def find(request: QueryRequest, call: Call, asking: Asking) -> QueryAnswer:
    """What the communities found.

    Raises XDSUnknownStoredQuery, XDSMissingHomeCommunityId, XDSUnknownCommunity (XC-052), errors
    of the patient's parameter, and XDSTooManyResults above the limit of all answers together.
    """
    row, home = questions.row_of(request), questions.home_of(request)
    request = replace(
        request,
        parameters=tuple(each for each in request.parameters if each.name != HOME),
        home=None,
    )
    if patients := questions.patients_of(row):
        patient = questions.patient_of(request, row)
        answers = _of_patient(request, call, patient, patients, home, asking)
    elif not home:
        problem = f"required for {row.name}, missing; repeat that of the object it asks for"
        raise XDSMissingHomeCommunityId("AdhocQuery/@home", problem, rule="XC-052")
    else:
        answers = [_of_home(request, call, home, asking)]
    return _bounded(_merged(answers), request, asking.limits)


def _of_home(request: QueryRequest, call: Call, home: str, asking: Asking) -> QueryAnswer:
    """Exactly one community is asked (XC-053)."""
    own = asking.communities.own
    if own is not None and home == str(own.home):
        return _of_own(request, call, own)
    community = asking.communities.by_home.get(home)
    if community is None:
        raise unknown("AdhocQuery/@home", home)
    return _answered(community, replace(request, home=home), call, asking.limits)


def _of_patient(
    request: QueryRequest,
    call: Call,
    patient: str,
    names: frozenset[str],
    home: str,
    asking: Asking,
) -> list[QueryAnswer]:
    """The answers of all that are to be asked, this community's first (XC-054)."""
    own, partners = asking.communities.own, asking.communities.partners
    wanted = frozenset((home,)) if home else questions.targets_of(request)
    is_own_wanted = own is not None and (not wanted or str(own.home) in wanted)
    asked = [each for each in partners if not wanted or not wanted.isdisjoint(each.partner.homes)]
    strange = _unknown(wanted, own, partners, "AdhocQuery/@home" if home else TARGETS)
    if strange and not asked and not is_own_wanted:
        raise strange[0]
    for each in strange:
        each.severity = urns.SEVERITY_WARNING
    call = replace(call, deadline=min(call.deadline, monotonic() + asking.settings.seconds))

    def ask(community: Community) -> QueryAnswer:
        partner = community.partner
        try:
            there = asking.identifier(CX(patient), community, call)
        except XDSError as error:
            return QueryAnswer(errors=(error,))
        # only those that insist on it are told (XC-035)
        at = str(partner.home) if "home-with-patient" in partner.quirks else None
        questions_there = (
            replace(
                request,
                parameters=tuple(
                    parameters.single(each.name, str(cx)) if each.name in names else each
                    for each in request.parameters
                ),
                home=at,
            )
            for cx in there
        )
        return _merged([_answered(community, one, call, asking.limits) for one in questions_there])

    coming = [asking.pool.submit(ask, each) for each in asked]
    answers = [QueryAnswer(errors=strange)] if strange else []
    if own is not None and is_own_wanted:
        answers.append(_of_own(request, call, own))
    wait(coming, call.remaining + 1.0)  # each ends by itself when its time is over
    return answers + [_came(*each) for each in zip(asked, coming, strict=True)]


def _unknown(
    wanted: frozenset[str], own: Own | None, partners: Iterable[Community], where: str
) -> tuple[XDSError, ...]:
    """An error for each home that nobody here has."""
    if not wanted:
        return ()
    known = {home for each in partners for home in each.partner.homes}
    if own is not None:
        known.add(str(own.home))
    return tuple(unknown(where, each) for each in sorted(wanted - known)[:_NAMED])


def _came(community: Community, coming: Future[QueryAnswer]) -> QueryAnswer:
    if coming.done():
        return coming.result()
    coming.cancel()
    return QueryAnswer(errors=(unavailable(community.partner, "no answer in time"),))


def _of_own(request: QueryRequest, call: Call, own: Own) -> QueryAnswer:
    """What this community has, under its home (XC-024)."""
    answer = _asked(own.query, request, call)
    return replace(
        answer,
        objects=passing.at_home(answer.objects, own.home),
        errors=_named(answer.errors, str(own.home)),
    )


def _asked(query: Handler, request: QueryRequest, call: Call) -> QueryAnswer:
    """Its answer; errors are listed, those of an unknown patient are no errors here (XC-058)."""
    try:
        answer: QueryAnswer = query(request, call)
    except (XDSError, ExceptionGroup) as error:
        answer = QueryAnswer(errors=findings(error))
    errors = tuple(each for each in answer.errors if each.code != XDSUnknownPatientId.code)
    is_partial = answer.is_partial or all(each.is_warning for each in errors)
    return replace(answer, errors=errors, is_partial=is_partial)


def _answered(
    community: Community, request: QueryRequest, call: Call, limits: Limits
) -> QueryAnswer:
    """What a partner answers, as far as it may answer that: what it does too much is its own loss,
    and never that of others (XC-055, XC-066).
    """
    partner = community.partner
    answer = _asked(community.query, request, call)
    objects, errors = _checked(answer.objects, partner)
    where = {"rule": "XC-066", "location": str(partner.home)}
    if len(objects) > (most := _most(request, limits)):
        many = f"answers {len(objects)} objects, at most {most} are passed on; ask it for less"
        errors = (*errors, XDSTooManyResults(partner.title, many, **where))
        answer, objects = replace(answer, is_partial=False), ()
    told = _named(answer.errors, str(partner.home))
    if len(told) > _TOLD:
        rest = f"tells of {len(told) - _TOLD} further errors, which are not listed"
        told = (*told[:_TOLD], XDSRegistryError(partner.title, rest, **where))
    return replace(answer, objects=objects, errors=(*errors, *told))


def _named(errors: Iterable[XDSError], home: str) -> tuple[XDSError, ...]:
    """Each says where it is from, at least by its community."""
    return tuple(each if each.location else relocated(each, home) for each in errors)


def _checked(
    objects: Iterable[Answered], partner: Partner
) -> tuple[tuple[Answered, ...], tuple[XDSError, ...]]:
    """Objects that may be passed on, each once, and what is said of the others (XC-059, XC-060).

    Only a community of the partner may be named as their home: whoever could name another one
    would answer for it. Ids may be those of another community's objects (XC-067).
    """
    kept: dict[tuple[str, str, str], Answered] = {}
    homeless, strange, foreign = list[str](), list[str](), list[str]()
    for each in objects:
        if not isinstance(each, Fragment):  # they are never read here
            continue
        head = passing.head(each)
        home = head.home
        if head.kind not in _KINDS:
            foreign.append(head.kind)
            continue
        if "bare-home" in partner.quirks and home and not home.startswith(urns.OID_PREFIX):
            home = urns.OID_PREFIX + home
        if "no-home" in partner.quirks:
            home = home or str(partner.home)
        if head.kind not in _WITH_HOME and not home:
            kept.setdefault((head.kind, head.id, ""), each)
        elif not home:
            homeless.append(head.id)
        elif home not in partner.homes:
            strange.append(head.id)
        else:
            moved = each if home == head.home else passing.under(each, home)
            kept.setdefault((head.kind, head.id, home), moved)
    errors: list[XDSError] = []
    where = {"location": str(partner.home)}
    if homeless:
        problem = f"answers objects without home, which are left out: {_ids(homeless)}"
        errors.append(XDSMissingHomeCommunityId(partner.title, problem, rule="XC-059", **where))
    if strange:
        problem = f"answers objects of communities that are not its own: {_ids(strange)}"
        errors.append(XDSUnknownCommunity(partner.title, problem, rule="XC-060", **where))
    if foreign:
        problem = f"answers what no registry holds: {_ids(foreign)}"
        errors.append(XDSRegistryError(partner.title, problem, rule="XC-060", **where))
    return tuple(kept.values()), tuple(errors)


def _ids(ids: Sequence[str]) -> str:
    text = ", ".join(shown(each, 64) for each in ids[:_NAMED])
    return text if len(ids) <= _NAMED else f"{text} and {len(ids) - _NAMED} more"


def _merged(answers: Sequence[QueryAnswer]) -> QueryAnswer:
    """All successes and all failures (XC-055, XC-062)."""
    return QueryAnswer(
        tuple([one for each in answers for one in each.objects]),
        tuple([error for each in answers for error in each.errors]),
        is_partial=any(each.is_partial or each.objects for each in answers),
    )


def _most(request: QueryRequest, limits: Limits) -> int:
    """Objects of an answer."""
    is_reference = request.return_type == OBJECT_REF
    return limits.ref_results if is_reference else limits.leaf_results


def _bounded(answer: QueryAnswer, request: QueryRequest, limits: Limits) -> QueryAnswer:
    if len(answer.objects) > (most := _most(request, limits)):
        raise XDSTooManyResults(
            "AdhocQuery",
            f"{len(answer.objects)} objects in all communities, at most {most} are answered; "
            "ask for less, or one community after the other",
            rule="XC-066",
        )
    return answer
