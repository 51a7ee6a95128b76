"""Cross Gateway Query [ITI-38].

Answered by the registry of this community; every object goes out under its homeCommunityId.
Source: ITI TF-2 3.38.
"""

from dataclasses import replace
from uuid import uuid4

from xdsi.actors.gateway import questions
from xdsi.model.errors import (
    XDSMissingHomeCommunityId,
    XDSUnknownCommunity,
)
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Slot
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call, Handler
from xdsi.standard.queries import HOME
from xdsi.wire import parameters, passing
from xdsi.wire.parameters import ParameterError

_NOBODYS = "2.999"  # the OID of examples, under which nobody is registered


def find(request: QueryRequest, call: Call, home: HomeCommunityId, query: Handler) -> QueryAnswer:
    """What the registry finds, as this community's (TF-2 3.38.4.1.3).

    query: ITI-18 at the registry; it gets every parameter, known or not (XC-029)
    Raises the errors of the registry, and those of a home that is missing or another's. The query
    id is looked at first, then home, then the rest (XC-039).
    """
    row = questions.row_of(request)
    given = questions.home_of(request)
    if given not in ("", str(home)):
        raise XDSUnknownCommunity(
            "AdhocQuery/@home",
            f"not a community of this gateway, which serves {home}",
            value=given,
            rule="XC-036",
        )
    patients = questions.patients_of(row)
    if not given and not patients:
        problem = f"required for {row.name}, missing; repeat that of the object it asks for"
        raise XDSMissingHomeCommunityId("AdhocQuery/@home", problem, rule="XC-037")
    passed_on = tuple(
        _possible(each) if each.name in patients else each
        for each in request.parameters
        if each.name != HOME
    )
    answer: QueryAnswer = query(replace(request, parameters=passed_on, home=None), call)
    return replace(answer, objects=passing.at_home(answer.objects, home))


def _possible(patient: Slot) -> Slot:
    """What cannot be an identifier is asked for as one that nobody has.

    So both are answered alike, by whatever policy the registry has, and nobody learns which forms
    identifiers have here (XC-034).
    """
    try:
        texts = parameters.literals(patient)
    except ParameterError:
        return patient  # not the identifier is wrong but how it is written down
    if all(CX(text).problem is None for text in texts):
        return patient
    return parameters.single(patient.name, f"{uuid4().hex}^^^&{_NOBODYS}&ISO")
