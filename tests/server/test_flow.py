"""Work handed over to threads and back."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable
from sys import getswitchinterval, setswitchinterval
from threading import Event, get_ident
from time import sleep

import pytest

from xdsi.server.flow import Flow


def run(test: Callable[[Flow], Awaitable[None]], most: int = 2) -> None:
    async def inside() -> None:
        flow = Flow(most)
        try:
            await test(flow)
        finally:
            await asyncio.to_thread(flow.close)

    asyncio.run(inside())


def test_what_is_done_or_raised_comes_back() -> None:
    async def test(flow: Flow) -> None:
        assert await flow.run(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await flow.run(lambda: 1 // 0)
        assert await flow.run(get_ident) != get_ident()

    run(test)


def test_the_thread_that_was_busy_last_is_the_first_to_get_more() -> None:
    async def test(flow: Flow) -> None:
        release = Event()
        long, short = flow.run(release.wait), flow.run(get_ident)
        first = await short
        assert {await flow.run(get_ident) for _ in range(9)} == {first}
        release.set()
        await long
        assert len({await flow.run(get_ident) for _ in range(9)}) == 1

    run(test)


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_than_so_many_are_at_work_and_all_is_done_in_turn(most: int) -> None:
    guard, busy, peak, order = threading.Lock(), 0, 0, []

    def work(number: int) -> None:
        nonlocal busy, peak
        with guard:
            busy += 1
            peak = max(peak, busy)
            order.append(number)
        sleep(0.005)
        with guard:
            busy -= 1

    async def test(flow: Flow) -> None:
        await asyncio.gather(*(flow.run(lambda n=n: work(n)) for n in range(12)))  # type: ignore[misc]

    run(test, most)
    assert peak == most
    assert sorted(order) == list(range(12))
    assert order == list(range(12)) or most > 1


def test_what_is_cancelled_before_it_begins_is_never_done() -> None:
    done: list[str] = []

    async def test(flow: Flow) -> None:
        release = Event()
        first = flow.run(release.wait)
        given_up, last = flow.run(lambda: done.append("no")), flow.run(lambda: done.append("yes"))
        given_up.cancel()
        release.set()
        await first
        await last

    run(test, most=1)
    assert done == ["yes"]


def test_nor_is_what_is_cancelled_at_once() -> None:
    done: list[str] = []

    async def test(flow: Flow) -> None:
        await flow.run(int)  # its thread waits for work from now on
        flow.run(lambda: done.append("no")).cancel()
        assert await flow.run(lambda: "next") == "next"

    guard = getswitchinterval()
    setswitchinterval(10)  # the thread does not come before the cancellation
    try:
        run(test, most=1)
    finally:
        setswitchinterval(guard)
    assert done == []


def test_what_is_cancelled_while_it_is_done_disturbs_nobody() -> None:
    async def test(flow: Flow) -> None:
        begun, release = Event(), Event()
        work = flow.run(lambda: (begun.set(), release.wait(), 1 // 0))
        await asyncio.to_thread(begun.wait)
        work.cancel()
        release.set()
        assert await flow.run(lambda: "next") == "next"

    run(test, most=1)


def test_closing_waits_for_what_has_begun_and_does_no_more() -> None:
    done: list[int] = []

    async def test(flow: Flow) -> None:
        begun = Event()

        def work(number: int) -> None:
            begun.set()
            sleep(0.05)
            done.append(number)

        first, second = flow.run(lambda: work(1)), flow.run(lambda: work(2))
        await asyncio.to_thread(begun.wait)
        await asyncio.to_thread(flow.close)
        await first
        assert done == [1] and second.cancelled()

    run(test, most=1)


def test_a_thread_that_waits_holds_nothing_of_the_last_piece() -> None:
    class Block:
        pass

    async def test(flow: Flow) -> None:
        block = Block()
        seen = weakref.ref(block)
        works: list[Callable[[], Block]] = [lambda kept=block: kept]  # type: ignore[misc]
        await flow.run(works.pop())
        del block
        await asyncio.sleep(0.05)
        gc.collect()
        assert seen() is None

    run(test)
