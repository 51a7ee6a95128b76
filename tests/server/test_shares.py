"""What one caller may take: places for bodies, octets that nobody wants."""

import itertools
from contextlib import ExitStack
from select import select

import pytest

from tests.server import dialect
from tests.server.conftest import SMALL
from tests.server.dialect import include, mtom_type, multipart, part, request, root

QUERY = dialect.query_message()
FEW = {"in_flight": 2, "body_grace": 5.0}
COMING = 8 * FEW["in_flight"]
SHARE = COMING // 4


def half(size=900_000, caller=None):
    """The first half of an upload, more than the server takes at once.

    caller: address that a proxy gives
    """
    message = dialect.provide_message([include("doc@x")])
    body = multipart(root(message.envelope), part(bytes(size), "<doc@x>"))
    whole = request("/repository", body, mtom_type())
    if caller is not None:
        whole = whole.replace(b"\r\n", f"\r\nX-Forwarded-For: {caller}\r\n".encode(), 1)
    return whole[: size // 2]


def held(stack, node, count, callers=(None,)):
    """So many uploads that stay half done; returns when the node has begun with all."""
    connections = [stack.enter_context(node.connect()) for _ in range(count)]
    for connection, caller in zip(connections, itertools.cycle(callers)):
        connection.send(half(caller=caller))
    assert dialect.wait_for(lambda: len(node.staged) == count)
    return connections


@pytest.mark.proves("SEC-T-161", "SEC-T-049")
def test_slow_uploads_take_no_place_of_requests_that_are_worked_on(make_node):
    node = make_node(limits=FEW)
    with ExitStack() as stack:
        held(stack, node, SHARE - 1)  # more than may be worked on at a time
        for _ in range(3):
            assert node.post("/registry", QUERY).outcome == "Success"
        assert "xdsi_in_flight 0.0" in node.get("/metrics").body.decode()


@pytest.mark.proves("SEC-T-161")
def test_one_address_has_a_share_of_the_bodies_that_come_in(make_node):
    node = make_node(limits=FEW)
    with ExitStack() as stack:
        held(stack, node, SHARE)
        answer = node.post("/registry", QUERY)
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        with node.connect() as other:
            other.socket.close()
            address = tuple(node.address.removeprefix("http://").split(":"))
            other.socket = dialect.socket.create_connection(
                (address[0], int(address[1])), 15, ("127.0.0.2", 0)
            )
            other.send(request("/registry", QUERY))
            assert other.receive().outcome == "Success"
    # those that have gone away leave their places and their documents
    assert dialect.wait_for(lambda: node.post("/registry", QUERY).status == 200)
    assert dialect.wait_for(lambda: node.staged == [])


@pytest.mark.proves("SEC-T-049", "SEC-T-164")
def test_behind_a_proxy_every_caller_has_a_share(make_node):
    node = make_node(limits=FEW, server={"proxies": ["127.0.0.1"]})
    with ExitStack() as stack:
        held(stack, node, SHARE + 1, ("192.0.2.1", "192.0.2.2"))
        assert node.post("/registry", QUERY).outcome == "Success"


@pytest.mark.proves("SEC-T-049")
def test_broken_requests_leave_no_place_taken(make_node):
    node = make_node(limits=FEW)
    for _ in range(COMING + 1):
        with node.connect() as connection:
            connection.send(half())
        assert dialect.wait_for(lambda: node.post("/registry", b"<").status == 400)
    assert dialect.wait_for(
        lambda: sum(line.get("path") == "/repository" for line in node.log) == COMING + 1
    )
    assert dialect.wait_for(lambda: node.staged == [])
    with ExitStack() as stack:
        held(stack, node, SHARE - 1)
        assert node.post("/registry", QUERY).outcome == "Success"
        assert "xdsi_in_flight 0.0" in node.get("/metrics").body.decode()


@pytest.mark.proves("SEC-T-161")
def test_envelopes_that_come_slowly_share_a_bounded_memory(make_node):
    node = make_node(limits={"envelope": 1_000_000, "body_grace": 10.0})
    begun = request("/registry", b" " * 900_000, length=1_000_000)
    held = 2 * 256 * 1024  # of each at least: the last batch is still being collected
    with ExitStack() as stack:
        connections = [
            stack.enter_context(node.connect()) for _ in range(32 * 1_000_000 // held + 1)
        ]
        for connection in connections:
            connection.send(begun)
        answered, _, _ = select([each.socket for each in connections], [], [], 5)
        refused = [each for each in connections if each.socket in answered]
        assert 0 < len(refused) < len(connections) // 2
        assert {each.head()[0] for each in refused} == {503}
        assert node.post("/registry", QUERY).outcome == "Success"
    with node.connect() as again:  # what the others held is free
        again.send(request("/registry", QUERY.ljust(900_000)))
        assert again.receive().outcome == "Success"


ALL = SMALL["envelope"] + SMALL["parts"] * SMALL["part_header_block"]  # of a body to /registry
BLANKS = part(b" " * (ALL + SMALL["submission"] * 2), "<stray@x>", encoding="base64")
RETRIEVE = root(dialect.retrieve_message("text:a"))


def stray(size):
    return part(bytes(size), "<stray@x>")


@pytest.mark.proves("SEC-T-034", "SEC-T-040")
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param(
            "/registry", multipart(root(QUERY), stray(SMALL["envelope"] - 5_000)), 200, id="some"
        ),
        pytest.param(
            "/registry", multipart(root(QUERY), stray(SMALL["envelope"] + 1)), 400, id="part"
        ),
        pytest.param(
            "/registry", multipart(root(QUERY), epilogue=bytes(ALL)), 400, id="behind-the-last"
        ),
        pytest.param(
            "/repository", multipart(RETRIEVE, stray(SMALL["submission"])), 200, id="staging-some"
        ),
        pytest.param(
            "/repository", multipart(RETRIEVE, stray(SMALL["submission"] + 1)), 400, id="staging"
        ),
        pytest.param("/repository", multipart(RETRIEVE, BLANKS), 400, id="blanks"),
    ],
)
def test_content_that_nobody_wants_has_a_limit(small_node, path, body, status):
    answer = small_node.post(path, body, mtom_type(), chunks=20_000)
    assert answer.status == status
    assert status == 200 or answer.fault == ("Sender",)


@pytest.mark.proves("SEC-T-034")
def test_part_that_never_ends_is_cut(small_node):
    body = multipart(root(QUERY), stray(50 * SMALL["envelope"]))
    whole = request("/registry", body, mtom_type(), chunks=20_000)
    with small_node.connect() as connection:
        connection.send(whole[: 8 * SMALL["envelope"]])  # the rest never comes
        answer = connection.receive()
        assert (answer.status, answer.header("connection")) == (400, "close")
