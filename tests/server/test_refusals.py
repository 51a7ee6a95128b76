"""A refusal leaves nothing in memory of how it came about."""

import gc
import weakref
from collections.abc import Iterator
from time import monotonic
from typing import Any, NoReturn

import pytest

from bench.messages import query_envelope
from xdsi.config import Limits
from xdsi.model.errors import XDSError, XDSRegistryError, XDSTooManyResults, refuse
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.plug import Actor, Call, Route
from xdsi.server.dispatch import Dispatcher
from xdsi.server.exchange import Exchange
from xdsi.standard.queries import GET_ALL
from xdsi.standard.transactions import STORED_QUERY


class Rows:
    """What a handler has at hand."""


def alone(_rows: Rows) -> NoReturn:
    raise XDSTooManyResults("query", "too many")


def several(_rows: Rows) -> NoReturn:
    refuse([XDSTooManyResults("query", "too many"), XDSRegistryError("query", "and more")])
    raise AssertionError


def after_another(rows: Rows) -> NoReturn:
    try:
        alone(rows)
    except XDSTooManyResults as error:
        raise XDSRegistryError("query", "refused") from error


def collected(rows: Rows) -> QueryAnswer:
    errors: list[XDSError] = []
    try:
        alone(rows)
    except XDSTooManyResults as error:
        errors.append(error)
    return QueryAnswer(errors=tuple(errors))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Only what nobody refers to goes away: the collector looks seldom at what is old."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("refused", [alone, several, after_another, collected])
def test_what_a_handler_had_at_hand_goes_with_its_refusal(refused: Any, uncollected: None) -> None:
    seen: list[weakref.ref[Rows]] = []

    def handler(_request: QueryRequest, _call: Call) -> Any:
        rows = Rows()
        seen.append(weakref.ref(rows))
        return refused(rows)

    actor = Actor("registry", "/registry", "registry", (Route(STORED_QUERY, handler),))
    dispatcher, exchange = Dispatcher(actor, Limits()), Exchange()
    found = dispatcher.open(query_envelope(QueryRequest(GET_ALL.id, ())), "UTF-8", exchange)
    answer = dispatcher.answer(found, {}, Call("ticket", monotonic() + 60))
    assert isinstance(answer.body, bytes) and b"Failure" in answer.body
    assert seen and seen[0]() is None
