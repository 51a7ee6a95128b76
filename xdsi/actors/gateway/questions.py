"""What a query between communities asks: which community, and about whom.

Source: ITI TF-2 3.38.4.1.2 (XC-010, XC-012, XC-026, XC-031, XC-039).
"""

from collections.abc import Iterator

from xdsi.model.errors import (
    XDSRegistryError,
    XDSStoredQueryMissingParam,
    XDSStoredQueryParamNumber,
    XDSUnknownStoredQuery,
)
from xdsi.model.messages import QueryRequest
from xdsi.standard.queries import HOME, STORED_QUERIES, TARGETS, Comparison, StoredQuery
from xdsi.wire import parameters
from xdsi.wire.parameters import ParameterError


def row_of(request: QueryRequest) -> StoredQuery:
    """Raises XDSUnknownStoredQuery."""
    known = STORED_QUERIES.get(request.query_id)
    if known is None:
        problem = "no stored query between communities has this id"
        raise XDSUnknownStoredQuery("AdhocQuery", problem, value=request.query_id, rule="XC-026")
    return known


def patients_of(row: StoredQuery) -> frozenset[str]:
    """Names of the parameters that hold patient identifiers; none for queries by id."""
    return frozenset(each.name for each in row.parameters if each.test is Comparison.PATIENT)


def patient_of(request: QueryRequest, row: StoredQuery) -> str:
    """The identifier as it was sent, whatever it looks like.

    Raises XDSStoredQueryMissingParam, XDSStoredQueryParamNumber, XDSRegistryError.
    """
    (parameter,) = (each for each in row.parameters if each.test is Comparison.PATIENT)
    name, given = parameter.name, list(_literals(request, parameter.name))
    if not given:
        problem = f"required for {row.name}, missing"
        raise XDSStoredQueryMissingParam(name, problem, rule=parameter.rule)
    if len(given) > 1:
        problem = f"takes one value, got {len(given)}"
        raise XDSStoredQueryParamNumber(name, problem, rule="SQ-052")
    return given[0]


def targets_of(request: QueryRequest) -> frozenset[str]:
    """Homes of the communities that alone are to be asked; empty: all (XC-031, XC-032)."""
    return frozenset(each.strip() for each in _literals(request, TARGETS))


def _literals(request: QueryRequest, name: str) -> Iterator[str]:
    for slot in request.parameters:
        if slot.name == name:
            try:
                yield from parameters.literals(slot)
            except ParameterError as error:
                raise XDSRegistryError(name, error.problem, rule="SQ-020") from error


def home_of(request: QueryRequest) -> str:
    """The home that is asked for, "" for none; some send it as a parameter (XC-010)."""
    slots = (each.values for each in request.parameters if each.name == HOME)
    texts = (request.home or "", *next(slots, ()))
    return next(filter(None, (text.strip("()' \t\r\n") for text in texts)), "")
