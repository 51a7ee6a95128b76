"""Slow and idle clients: they cost others nothing and are given up in time."""

import resource
import socket
import struct
import time
from contextlib import ExitStack

import pytest

from tests.server import dialect
from tests.server.conftest import SMALL
from tests.server.dialect import include, mtom_type, multipart, part, request, root


@pytest.mark.proves("SEC-T-161")
def test_half_requests_held_open_do_not_hold_up_others(node):
    message = dialect.provide_message([include("doc@x")])
    upload = request(
        "/repository",
        multipart(root(message.envelope), part(bytes(900_000), "<doc@x>")),
        mtom_type(),
    )
    with ExitStack() as stack:
        for number in range(50):
            connection = stack.enter_context(node.connect())
            connection.send(b"POST /registry HTTP/1.1\r\nHost: a\r\nX-Slow: "[: 5 + number])
        for number in range(30):
            connection = stack.enter_context(node.connect())
            connection.send(upload[: 300 + number * 25_000])
        for _ in range(3):
            before = time.monotonic()
            assert node.post("/registry", dialect.query_message()).outcome == "Success"
            assert node.get("/health/live").status == 200
            assert time.monotonic() - before < 1
    assert dialect.wait_for(lambda: node.staged == [])


@pytest.mark.proves("SEC-T-031", "SEC-T-033")
def test_headers_that_do_not_end_and_idle_connections_are_closed(small_node):
    limit = SMALL["header_seconds"]
    with ExitStack() as stack:
        silent, half, trickle, idle = (stack.enter_context(small_node.connect()) for _ in range(4))
        half.send(b"POST /registry HTTP/1.1\r\nHost: a\r\n")
        idle.send(request("/registry", dialect.query_message()))
        assert idle.receive().outcome == "Success"
        before = time.monotonic()
        while time.monotonic() - before < 0.7 * limit:
            time.sleep(0.2)
            trickle.send(b"P" if time.monotonic() - before < 0.4 else b"X")
        for connection in (silent, half, trickle, idle):
            assert connection.is_closed(before + 4 * limit - time.monotonic())
        assert 0.8 * limit < time.monotonic() - before < 4 * limit


@pytest.mark.proves("SEC-T-031", "SEC-T-033")
def test_headers_and_the_next_request_may_take_their_time(small_node):
    whole = request("/registry", dialect.query_message())
    with small_node.connect() as connection:
        for _ in range(2):
            time.sleep(SMALL["header_seconds"] / 4)
            connection.send(whole[:40])
            time.sleep(SMALL["header_seconds"] / 4)
            connection.send(whole[40:])
            assert connection.receive().outcome == "Success"


IDLE = 10_000


@pytest.fixture
def descriptors():
    """As many as the test holds connections; the node raises its own limit by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE + 500:
        pytest.skip(f"needs {IDLE + 500} descriptors, and ulimit -Hn is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.proves("SEC-T-050", "SEC-T-161")
@pytest.mark.optional("not every machine lets a user have so many descriptors")
def test_idle_connections_leave_room(node, descriptors):
    """Each is closed when its time is over, so the oldest goes first (SEC-T-033)."""
    before = len(node.descriptors)
    with ExitStack() as stack:
        for _ in range(IDLE):
            held = stack.enter_context(node.connect()).socket
            # closed at once and for good, so that no port is kept from later tests
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert len(node.descriptors) > before + IDLE * 0.9
        for _ in range(3):
            began = time.monotonic()
            assert node.post("/registry", dialect.query_message()).outcome == "Success"
            assert node.get("/health/live").status == 200
            assert time.monotonic() - began < 1
    assert dialect.wait_for(lambda: len(node.descriptors) <= before, 20)
