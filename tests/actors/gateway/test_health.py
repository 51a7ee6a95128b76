"""How partners did, and when they are left alone."""

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Barrier, BoundedSemaphore, Event, Thread
from time import monotonic
from typing import Any

import pytest

from tests import samples
from tests.actors.gateway.conftest import CALL, document
from tests.actors.gateway.partners import NORTH, Scripted, finding, partner, silent
from tests.repository.reading import everything
from xdsi.actors.gateway.health import Health
from xdsi.model.errors import GivenUp, XDSRegistryBusy, XDSUnavailableCommunity
from xdsi.model.messages import (
    Content,
    DocumentRequest,
    QueryAnswer,
    RetrieveAnswer,
    RetrievedDocument,
)
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call

ASKED = DocumentRequest(str(samples.REPOSITORY), "1.2.3", NORTH)


@dataclass(slots=True)
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def health_of(
    clock: Callable[[], float] = monotonic, service: str = "ITI-38", **settings: Any
) -> Health:
    there = partner(**settings)
    return Health(there, service, BoundedSemaphore(there.connections), clock)


def refusal(health: Health, handler: Any, call: Call = CALL) -> str:
    with pytest.raises(XDSUnavailableCommunity) as raised:
        health.watched(handler)("?", call)
    return raised.value.context


@pytest.mark.proves("XC-056", "XC-066")
def test_one_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    clock, there = Clock(), silent()
    health = health_of(clock, failures=2, pause_seconds=30)
    for _ in range(2):
        assert "no answer: refused" in refusal(health, there)
    clock.now += 29
    told = refusal(health, there)
    assert "failed 2 times in a row; the next try is in 1 s" in told and "refused" in told
    assert len(there.asked) == 2 and health.is_paused
    clock.now += 1
    assert "no answer: refused" in refusal(health, there)
    assert "not asked" in refusal(health, finding())
    clock.now += 30
    assert health.watched(finding())("?", CALL) == QueryAnswer()
    assert not health.is_paused
    assert health.watched(finding())("?", CALL) == QueryAnswer()
    figures = health.figures
    assert (figures.successes, figures.failures, figures.in_a_row) == (2, 3, 0)
    assert figures.last_success is not None and figures.last_failure is not None


def test_while_one_request_tries_it_again_others_wait_for_no_answer() -> None:
    clock, tried, released = Clock(), Event(), Event()
    health = health_of(clock, failures=1, pause_seconds=30)
    refusal(health, silent())
    clock.now += 30

    def slow(request: Any, call: Call) -> QueryAnswer:
        tried.set()
        released.wait(20)
        return QueryAnswer()

    trying = Thread(target=health.watched(slow), args=("?", CALL))
    trying.start()
    assert tried.wait(20)
    try:
        assert "not asked" in refusal(health, finding())
    finally:
        released.set()
        trying.join(20)
    assert health.watched(finding())("?", CALL) == QueryAnswer()


def test_who_tries_it_again_and_leaves_costs_no_pause() -> None:
    clock = Clock()
    health = health_of(clock, failures=1, pause_seconds=30)
    refusal(health, silent())
    clock.now += 30
    refusal(health, silent(), replace(CALL, cancelled=lambda: True))
    assert health.watched(finding())("?", CALL) == QueryAnswer()


def test_errors_are_answers_and_a_caller_that_left_says_nothing() -> None:
    health = health_of(failures=1)
    with pytest.raises(XDSRegistryBusy):
        health.watched(Scripted(XDSRegistryBusy("x", "y")))("?", CALL)
    refusal(health, silent(), replace(CALL, cancelled=lambda: True))
    assert (health.figures.successes, health.figures.failures) == (1, 0)


@pytest.mark.proves("XC-056", "XC-066")
def test_a_fault_about_what_one_user_asked_concerns_nobody_else() -> None:
    health = health_of(failures=1)
    told = XDSUnavailableCommunity("ITI-38", "no answer: SOAP fault Sender: P-1 is odd")
    told.fault = "Sender"
    assert "P-1 is odd" in refusal(health, Scripted(told))
    assert health.watched(finding())("?", CALL) == QueryAnswer()
    told.fault = "Receiver"
    assert "P-1 is odd" in refusal(health, Scripted(told))
    assert "P-1" not in (text := refusal(health, finding())) and "(Receiver)" in text
    assert "P-1" not in health.note and "ITI-38" in health.note


@pytest.mark.proves("XC-066")
def test_no_more_requests_at_a_time_than_it_takes() -> None:
    health = health_of(connections=2, seconds=0.1)
    inside, released = Barrier(3), Event()

    def slow(request: Any, call: Call) -> QueryAnswer:
        inside.wait(20)
        released.wait(20)
        return QueryAnswer()

    busy = [Thread(target=health.watched(slow), args=("?", CALL)) for _ in range(2)]
    for each in busy:
        each.start()
    inside.wait(20)
    try:
        assert "2 requests wait for it already" in refusal(health, finding())
    finally:
        released.set()
        for each in busy:
            each.join(20)
    assert health.watched(finding())("?", CALL) == QueryAnswer()
    assert health.figures.failures == 0


def test_octets_of_its_documents_are_counted() -> None:
    health = health_of()
    answer = health.watched(Scripted(RetrieveAnswer((document(ASKED, bytes(1000)),))))("?", CALL)
    assert health.figures.octets == 0
    assert everything(answer.documents[0].content) == bytes(1000)
    assert health.figures.octets == 1000


class Broken:
    """A document that breaks off behind its first octets."""

    def __init__(self, error: OSError) -> None:
        self.error, self.is_begun = error, False

    def read(self, n: int, /) -> bytes:
        if self.is_begun:
            raise self.error
        self.is_begun = True
        return b"begun"

    def close(self) -> None:
        pass


@pytest.mark.proves("XC-056", "XC-066")
def test_a_partner_that_breaks_off_again_and_again_is_left_alone_too() -> None:
    health = health_of(failures=2, service="ITI-39")
    broken = RetrievedDocument(ASKED, "text/plain", Content(None, lambda: Broken(OSError("cut"))))
    whole = RetrieveAnswer((document(ASKED, b"x"),))
    lost = XDSUnavailableCommunity(
        "'1.2.3'", "the answer broke off", rule="XC-056", location="1.2.3"
    )
    left = RetrievedDocument(
        ASKED, "text/plain", Content(None, lambda: Broken(GivenUp("who asked has gone")))
    )
    for answer, in_a_row in (
        (RetrieveAnswer((broken,)), 1),
        (whole, 0),
        (RetrieveAnswer((broken,)), 1),
        (RetrieveAnswer((left,)), 1),
        (RetrieveAnswer(errors=(lost, lost)), 2),
    ):
        got: RetrieveAnswer = health.watched(Scripted(answer))("?", CALL)
        for each in got.documents:
            with suppress(OSError):
                everything(each.content)
        assert health.figures.in_a_row == in_a_row
    (error, _) = got.errors
    assert NORTH in error.context and error.location == "1.2.3"
    assert "not asked" in refusal(health, finding())


@pytest.mark.proves("XC-066", "IMG-172")
def test_services_in_plain_http_are_watched_as_well() -> None:
    health = health_of(failures=2, service="RAD-107")
    request = WebRequest("GET", ("studies", "1.2.3"))
    ask = health.watched_web(Scripted(WebAnswer(404, "text/plain", (b"no such study",))))
    assert ask(request, CALL).status == 404
    content = Content(3, lambda: io.BytesIO(b"abc"))
    answer = health.watched_web(Scripted(WebAnswer(200, "x", (b"", content))))(request, CALL)
    assert everything(answer.body[1]) == b"abc"
    assert (health.figures.successes, health.figures.octets) == (2, 3)
    away = health.watched_web(Scripted(WebError(504, "no answer")))
    for status in (504, 504, 503):
        with pytest.raises(WebError) as refused:
            away(request, CALL)
        assert refused.value.status == status
    assert dict(refused.value.headers)["Retry-After"] and "not asked" in refused.value.reason
