"""Cross Gateway Query [ITI-38].

Answered by the registry of this community; every object goes out under its homeCommunityId.
Source: ITI TF-2 3.38.
"""

from dataclasses import replace
from uuid import uuid4

from xdsi.model.errors import (
    XDSMissingHomeCommunityId,
    XDSUnknownCommunity,
    XDSUnknownStoredQuery,
)
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Slot
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call, Handler
from xdsi.standard.queries import HOME, STORED_QUERIES, Comparison
from xdsi.wire import ebrim, parameters
from xdsi.wire.parameters import ParameterError

_NOBODYS = "2.999"  # the OID of examples, under which nobody is registered


def find(request: QueryRequest, call: Call, home: HomeCommunityId, query: Handler) -> QueryAnswer:
    """What the registry finds, as this community's (TF-2 3.38.4.1.3).

    query: ITI-18 at the registry; it gets every parameter, known or not (XC-029)
    Raises the errors of the registry, and those of a home that is missing or another's. The query
    id is looked at first, then home, then the rest (XC-039).
    """
    known = STORED_QUERIES.get(request.query_id)
    if known is None:
        problem = "no stored query between communities has this id"
        raise XDSUnknownStoredQuery("AdhocQuery", problem, value=request.query_id, rule="XC-026")
    given = _home(request)
    if given not in ("", str(home)):
        raise XDSUnknownCommunity(
            "AdhocQuery/@home",
            f"not a community of this gateway, which serves {home}",
            value=given,
            rule="XC-036",
        )
    patients = {each.name for each in known.parameters if each.test is Comparison.PATIENT}
    if not given and not patients:
        problem = f"required for {known.name}, missing; repeat that of the object it asks for"
        raise XDSMissingHomeCommunityId("AdhocQuery/@home", problem, rule="XC-037")
    passed_on = tuple(
        _possible(each) if each.name in patients else each
        for each in request.parameters
        if each.name != HOME
    )
    answer: QueryAnswer = query(replace(request, parameters=passed_on, home=None), call)
    return replace(answer, objects=ebrim.at_home(answer.objects, home))


def _home(request: QueryRequest) -> str:
    """The home that is asked for, "" for none; some send it as a parameter (XC-010)."""
    slots = (each.values for each in request.parameters if each.name == HOME)
    texts = (request.home or "", *next(slots, ()))
    return next(filter(None, (text.strip("()' \t\r\n") for text in texts)), "")


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
