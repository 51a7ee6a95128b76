"""Who is to blame when an answer breaks off."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from xdsi.server.exchange import Exchange, Reply
from xdsi.server.faults import NotRead
from xdsi.server.flow import Flow
from xdsi.server.send import Outgoing


def send(body: Iterator[bytes], patience: float, delays: dict[bytes, float]) -> list[bytes]:
    """What is sent of a body when the client takes so long for some blocks."""
    sent: list[bytes] = []

    async def take(message: Any) -> None:
        await asyncio.sleep(delays.get(message.get("body"), 0))
        sent.append(message.get("body", b"head"))

    async def inside() -> None:
        flow = Flow(1)
        exchange = Exchange("POST", "/repository", "127.0.0.1")
        outgoing = Outgoing(take, exchange, lambda: False, flow, patience)  # type: ignore[arg-type]
        try:
            await outgoing.reply(Reply(200, (), body, None, first=next(body)), closes=False)
        finally:
            await asyncio.to_thread(flow.close)

    asyncio.run(inside())
    return sent


def blocks(*, fails: Exception | None = None) -> Iterator[bytes]:
    yield b"1"
    yield b"2"
    if fails is not None:
        raise fails
    yield b"3"


@pytest.mark.proves("SEC-T-161")
def test_a_client_that_takes_no_block_is_not_waited_for() -> None:
    with pytest.raises(NotRead):
        send(blocks(), 0.05, {b"1": 5.0})


def test_one_that_is_slow_and_goes_on_is() -> None:
    assert send(blocks(), 0.5, {b"1": 0.2, b"2": 0.2, b"3": 0.2}) == [b"head", *blocks(), b""]


@pytest.mark.proves("SEC-T-029")
def test_a_source_that_stands_still_is_no_fault_of_the_client() -> None:
    with pytest.raises(TimeoutError, match="archive"):
        send(blocks(fails=TimeoutError("the archive")), 0.5, {})
