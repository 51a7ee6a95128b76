"""The body of an answer as it comes over the line."""

from collections.abc import Callable, Iterator
from math import inf
from time import monotonic

import pytest
import requests

from tests.peers.stub import Line, Stub
from xdsi.peers.errors import reason
from xdsi.peers.session import Body, CutOff, Patience, get, open_session

BODY = bytes(range(256)) * 1000
HEAD = b"HTTP/1.1 200 OK\r\n"
TOLD = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n5\r\nabcde\r\n0\r\n\r\n" % (
    len(BODY) - 5,
    BODY[:-5],
)
UNTIL_CLOSED = HEAD + b"Connection: close\r\n\r\n" + BODY


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as one:
        yield one


def answering(answer: bytes, connections: list[int]) -> Callable[[Line], None]:
    """Until the answer is one that ends the connection."""

    def act(line: Line) -> None:
        while (request := line.receive()) is not None:
            connections.append(request.connection)
            line.send(answer)
            if b"close" in answer[:80]:
                return

    return act


def body(session: requests.Session, stub: Stub) -> Body:
    patience = Patience(inf, 5.0)
    answer = get(session, stub.address, {}, patience, 5.0)
    patience.moving()
    return Body(answer, patience)


def read(of: Callable[[int], bytes], n: int = 1000) -> bytes:
    return b"".join(iter(lambda: of(n), b""))


@pytest.mark.parametrize("way", ["read", "read1"])
@pytest.mark.parametrize(
    ("answer", "whole", "lines"),
    [(TOLD, BODY, 1), (CHUNKED, BODY[:-5] + b"abcde", 1), (UNTIL_CLOSED, BODY, 3)],
    ids=["told", "chunked", "until-closed"],
)
def test_all_of_it_comes_and_the_connection_is_used_again(
    session: requests.Session, way: str, answer: bytes, whole: bytes, lines: int
) -> None:
    connections: list[int] = []
    with Stub(answering(answer, connections)) as stub:
        for _ in range(3):
            one = body(session, stub)
            of = getattr(one, way)
            assert read(of) == whole
            assert of(10) == b""
    assert len(set(connections)) == lines


@pytest.mark.parametrize("way", ["read", "read1"])
def test_whose_length_is_told_is_let_go_with_its_last_octet(
    session: requests.Session, way: str
) -> None:
    connections: list[int] = []
    with Stub(answering(TOLD, connections)) as stub:
        for _ in range(3):
            one = body(session, stub)
            left = len(BODY)
            while left:
                left -= len(getattr(one, way)(left))
    assert len(set(connections)) == 1


@pytest.mark.proves("SEC-T-029", "SEC-T-167")
@pytest.mark.parametrize("way", ["read", "read1"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (TOLD[:-1], "the answer ended early"),
        (CHUNKED[:-20], "the answer ended early"),
        (CHUNKED[:-5], "the answer ended early"),
        (CHUNKED.replace(b"abcde\r\n0", b"abcde\r\nx"), "the answer ended early"),
    ],
    ids=["told", "in-a-chunk", "no-last-chunk", "no-number"],
)
def test_what_is_cut_never_ends(
    session: requests.Session, way: str, answer: bytes, why: str
) -> None:
    def act(line: Line) -> None:
        line.receive()
        line.send(answer)

    with Stub(act) as stub, pytest.raises(CutOff) as failed:
        read(getattr(body(session, stub), way))
    assert reason(failed.value) == why


@pytest.mark.proves("SEC-T-048")
def test_one_that_stands_still_is_given_up(session: requests.Session) -> None:
    def act(line: Line) -> None:
        line.receive()
        line.send(TOLD[:1000])
        line.receive()

    with Stub(act) as stub:
        patience = Patience(monotonic() + 0.5, 0.5)
        one = Body(get(session, stub.address, {}, patience, 5.0), patience)
        with pytest.raises(CutOff) as failed:
            read(one.read)
        session.close()
    assert reason(failed.value) in ("it stood still", "the time for it is over")
