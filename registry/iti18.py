"""Registry Stored Query [ITI-18].

Source: ITI TF-2 3.18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import bindparam, select

from registry.arguments import Argument, Bounds, arguments
from registry.codes import Codes
from registry.fragments import fragments
from registry.schema import PatientState, patient
from registry.search import LEAF, Searches
from registry.selection import selected
from registry.unit import Unit
from xdsi import config
from xdsi.config import Limits
from xdsi.model.errors import (
    XDSRegistryError,
    XDSResultNotSinglePatient,
    XDSTooManyResults,
    XDSUnknownPatientId,
    XDSUnknownStoredQuery,
)
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import ObjectRef
from xdsi.plug import Call
from xdsi.standard.queries import (
    LEAF_CLASS,
    OBJECT_REF,
    OPTION_PARAMETERS,
    OPTION_QUERIES,
    STORED_QUERIES,
    Comparison,
    StoredQuery,
)
from xdsi.units import Units


@dataclass(frozen=True, slots=True)
class Policy:
    """What the affinity domain and the operator have decided about queries.

    refuses_unknown_patient: else the answer to such a query is empty (SQ-058)
    leafs, refs: objects in an answer at most, by returnType; slots, values: of a query at most
    is_lenient: double quotes, several codes in one text, Values of any length and no returnType
        are taken (SQ-026)
    ignored: names of parameters; unknown: ids of queries, of options that are not offered
    hides_offline: level 1 hides Offline entries; where there is no level 2, nobody would find them
    """

    refuses_unknown_patient: bool = False
    leafs: int = 5_000
    refs: int = 100_000
    slots: int = 100
    values: int = 1_000
    is_lenient: bool = False
    ignored: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    hides_offline: bool = True

    @classmethod
    def of(cls, settings: config.Registry, limits: Limits) -> "Policy":
        without = set(settings.without)
        if "restricted-update" not in without:
            # it makes versions too, which must be found (LC-013, LC-113)
            without.discard("metadata-update")
        ignored = (OPTION_PARAMETERS.get(each, ()) for each in without)
        unknown = (OPTION_QUERIES.get(each, ()) for each in without)
        return cls(
            settings.unknown_patient_in_query == "error",
            limits.leaf_results,
            limits.ref_results,
            limits.query_slots,
            limits.query_values,
            settings.lenient_queries,
            frozenset(chain.from_iterable(ignored)),
            frozenset(query.id for query in chain.from_iterable(unknown)),
            "metadata-update" not in without,
        )


def find(
    request: QueryRequest,
    call: Call,
    units: Units[Unit],
    codes: Codes,
    searches: Searches,
    policy: Policy,
    known: Mapping[str, StoredQuery] = STORED_QUERIES,
) -> QueryAnswer:
    """The objects a query selects, in the order of their registration.

    known: the queries of the transaction, by id
    `home` is accepted and has no effect (SQ-064). Raises all findings of a query at once, and the
    errors of `Units.fetch`.
    """
    query = known.get(request.query_id)
    if query is None or query.id in policy.unknown:
        problem = "no stored query of this transaction has this id"
        raise XDSUnknownStoredQuery("AdhocQuery", problem, value=request.query_id, rule="SQ-050")
    returns = request.return_type or (LEAF_CLASS if policy.is_lenient else "")
    if returns not in (LEAF_CLASS, OBJECT_REF):
        raise XDSRegistryError(
            "ResponseOption.returnType",
            f"expected {LEAF_CLASS} or {OBJECT_REF}",
            value=returns,
            rule="SQ-012" if request.return_type is None else "SQ-006",
        )
    is_leaf = returns == LEAF_CLASS
    bounds = Bounds(policy.slots, policy.values, policy.is_lenient, policy.ignored)
    given = arguments(query, request.parameters, bounds)
    is_read = any(each.parameter.test is Comparison.CONTENT for each in given.values())
    limit = policy.leafs if is_leaf or is_read else policy.refs
    statement, values = searches.search(
        query, given, codes.known, limit + 1, is_leaf or is_read, policy.hides_offline
    )
    rows = units.fetch(statement, values)
    if len(rows) > limit:
        problem = f"more than {limit} objects of {returns}; narrow the query"
        raise XDSTooManyResults(query.name, problem, rule="SQ-068")
    if not rows and policy.refuses_unknown_patient:
        _refuse_unknown(given, units)
    if is_read:
        return QueryAnswer(selected(rows, given.values(), is_leaf))
    if not is_leaf:
        return QueryAnswer(tuple(ObjectRef(row[0]) for row in rows))
    if query.is_single_patient:
        _refuse_several_patients(query, rows)
    return QueryAnswer(fragments(rows))


def _refuse_several_patients(query: StoredQuery, rows: Sequence[Any]) -> None:
    """SQ-060; associations have no patient."""
    if len({row[_CX] for row in rows} - {None}) > 1:
        problem = f"the answer would show several patients; ask with {OBJECT_REF} or fewer ids"
        raise XDSResultNotSinglePatient(query.name, problem, rule="SQ-060")


_CX = LEAF.index(patient.c.cx)
_PATIENT = select(patient.c.id).where(
    patient.c.cx == bindparam("cx"), patient.c.state == PatientState.ACTIVE
)


def _refuse_unknown(given: dict[str, Argument], units: Units[Unit]) -> None:
    """SQ-058, SQ-059."""
    for name, argument in given.items():
        if argument.parameter.test is not Comparison.PATIENT:
            continue
        for value in argument.groups[0]:
            if not units.rows(_PATIENT, {"cx": value}):
                raise XDSUnknownPatientId(name, "not known here", value=value, rule="SQ-058")
