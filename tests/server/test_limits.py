"""Every limit of a request, at it and above it, on a node with small ones."""

import base64
import time

import pytest

from tests.server import dialect
from tests.server.conftest import SMALL
from tests.server.dialect import include, mtom_type, multipart, part, request, root

QUERY = dialect.query_message()


def padded(size):
    """A good envelope of exactly so many octets; the padding is many short texts."""
    unit = "<x:p xmlns:x='urn:x'>" + "y" * 2_000 + "</x:p>"
    text = QUERY.decode()
    count = max(0, (size - len(text)) // len(unit) - 1)
    text = text.replace("</s:Header>", unit * count + "</s:Header>")
    rest = size - len(text) - len("<x:p xmlns:x='urn:x'></x:p>")
    text = text.replace("</s:Header>", "<x:p xmlns:x='urn:x'>" + "z" * rest + "</x:p></s:Header>")
    assert len(text) == size
    return text.encode()


@pytest.mark.proves("SEC-T-034")
def test_envelope_at_the_limit(small_node):
    assert small_node.post("/registry", padded(SMALL["envelope"])).outcome == "Success"


@pytest.mark.proves("SEC-T-034", "SEC-T-056")
def test_honest_length_above_all_limits_is_refused_before_reading(small_node):
    with small_node.connect() as connection:
        connection.send(request("/registry", b"", length=SMALL["envelope"] + 1))
        assert connection.head()[0] == 413


@pytest.mark.proves("SEC-T-034")
@pytest.mark.parametrize("size", [SMALL["envelope"] + 1, 20 * SMALL["envelope"]])
def test_envelope_above_the_limit_in_chunks(small_node, size):
    answer = small_node.post("/registry", padded(size), chunks=5000)
    assert (answer.status, answer.fault) == (400, ("Sender",))
    assert "above" in answer.text("//env:Text")


@pytest.mark.proves("SEC-T-034", "WS-057")
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 400)])
def test_root_part_at_and_above_the_limit(small_node, extra, status):
    body = multipart(root(padded(SMALL["envelope"] + extra)))
    assert small_node.post("/registry", body, mtom_type()).status == status


@pytest.mark.proves("SEC-T-034", "SEC-T-038")
def test_inline_documents_do_not_count_for_the_envelope(small_node):
    content = bytes(SMALL["document"])
    message = dialect.provide_message([base64.b64encode(content).decode()])
    assert small_node.post("/repository", message.envelope).outcome == "Success"
    assert small_node.published(message.names[0]) == content


@pytest.mark.proves("SEC-T-038", "SEC-T-040")
@pytest.mark.parametrize("more", [1, 50_000])
def test_inline_document_above_the_limit(small_node, more):
    content = base64.b64encode(bytes(SMALL["document"] + more)).decode()
    message = dialect.provide_message([content])
    answer = small_node.post("/repository", message.envelope)
    assert (answer.status, answer.errors) == (200, ["XDSRepositoryError"])
    assert str(SMALL["document"]) in answer.text("//@codeContext")
    assert small_node.staged == []


def provide(*sizes):
    cids = [f"doc{n}@x" for n, _ in enumerate(sizes)]
    message = dialect.provide_message([include(cid) for cid in cids])
    parts = [part(bytes(size), f"<{cid}>") for size, cid in zip(sizes, cids, strict=True)]
    return message, multipart(root(message.envelope), *parts)


@pytest.mark.proves("SEC-T-040")
@pytest.mark.parametrize(
    ("sizes", "outcome"),
    [
        ((300_000,), "Success"),
        ((300_001,), "Failure"),
        ((300_000, 200_000), "Success"),
        ((300_000, 200_001), "Failure"),
    ],
)
@pytest.mark.parametrize("chunks", [0, 10_000])
def test_document_and_submission(small_node, sizes, outcome, chunks):
    message, body = provide(*sizes)
    answer = small_node.post("/repository", body, mtom_type(), chunks=chunks)
    assert (answer.status, answer.outcome) == (200, outcome)
    assert answer.errors == ["XDSRepositoryError"] * (outcome == "Failure")
    assert (small_node.published(message.names[0]) is None) == (outcome == "Failure")
    assert small_node.staged == []


@pytest.mark.proves("SEC-T-040")
def test_far_above_the_limit_is_answered_early_and_cut(small_node):
    message, body = provide(900_000)
    whole = request("/repository", body, mtom_type(), chunks=10_000)
    with small_node.connect() as connection:
        connection.send(whole[: len(whole) * 3 // 4])  # the rest never comes
        answer = connection.receive()
        assert answer.errors == ["XDSRepositoryError"]
        assert answer.header("connection") == "close"
        assert small_node.staged == []


@pytest.mark.proves("SEC-T-040")
def test_honest_length_of_a_submission_above_all_limits(small_node):
    with small_node.connect() as connection:
        connection.send(request("/repository", b"", mtom_type(), length=10**12))
        assert connection.head()[0] == 413


@pytest.mark.proves("SEC-T-035", "SEC-T-036", "SEC-T-037")
@pytest.mark.parametrize(
    ("change", "at_limit"),
    [
        pytest.param(lambda n: "<a>" * n + "</a>" * n, SMALL["depth"] - 2, id="depth"),
        pytest.param(
            lambda n: "<a" + "".join(f" b{i}=''" for i in range(n)) + "/>",
            SMALL["attributes"],
            id="attributes",
        ),
        pytest.param(
            lambda n: "<a" + "".join(f" xmlns:b{i}='u'" for i in range(n)) + "/>",
            SMALL["namespaces"],
            id="namespaces",
        ),
        pytest.param(lambda n: f"<a>{'x' * n}</a>", SMALL["text"], id="text"),
        pytest.param(lambda n: f"<a b='{'x' * n}'/>", SMALL["text"], id="attribute"),
    ],
)
def test_shape_of_the_envelope(small_node, change, at_limit):
    for count, status in ((at_limit, 200), (at_limit + 1, 400), (at_limit * 10, 400)):
        # inside a header block, which stands at depth 3
        inner = change(count - (1 if "<a><a>" in change(2) else 0))
        header = f"<x:h xmlns:x='urn:x'>{inner}</x:h>"
        answer = small_node.post("/registry", dialect.query_message(headers=header))
        assert answer.status == status, (count, answer.body)


@pytest.mark.proves("SEC-T-036")
@pytest.mark.parametrize(("blocks", "status"), [(61, 200), (62, 400), (500, 400)])
def test_header_blocks(node, blocks, status):
    # Action, MessageID and ReplyTo are there already
    headers = "<x:h xmlns:x='urn:x'/>" * blocks
    assert node.post("/registry", dialect.query_message(headers=headers)).status == status


@pytest.mark.proves("SEC-T-036")
def test_elements(small_node):
    few, many = ("<x:h xmlns:x='urn:x'>" + "<a/>" * n + "</x:h>" for n in (900, 1_000))
    assert small_node.post("/registry", dialect.query_message(headers=few)).status == 200
    assert small_node.post("/registry", dialect.query_message(headers=many)).status == 400


@pytest.mark.proves("SEC-T-039", "WS-057")
@pytest.mark.parametrize(("count", "status"), [(4, 200), (5, 400), (50, 400)])
def test_parts(small_node, count, status):
    message, body = provide(*([10] * count))
    answer = small_node.post("/repository", body, mtom_type())
    assert answer.status == status
    assert small_node.staged == []


@pytest.mark.proves("SEC-T-032")
def test_body_that_stalls(small_node):
    before = time.monotonic()
    with small_node.connect() as connection:
        connection.send(request("/registry", QUERY)[:-10])
        assert connection.head()[0] == 408
    assert 0.5 < time.monotonic() - before < 3


@pytest.mark.proves("SEC-T-032")
@pytest.mark.parametrize("packaging", ["simple", "mtom"])
def test_body_that_trickles(small_node, packaging):
    """5 KB a second where 20 are demanded: it ends soon after the grace."""
    message, body = provide(250_000)
    whole = (
        request("/repository", body, mtom_type())
        if packaging == "mtom"
        else request("/registry", padded(90_000))
    )
    before = time.monotonic()
    with small_node.connect() as connection:
        connection.socket.settimeout(0.1)
        for at in range(0, len(whole), 500):
            connection.send(whole[at : at + 500])
            try:
                if connection._more():
                    break
            except TimeoutError:
                continue
        assert connection.head()[0] == 408
    assert time.monotonic() - before < 5
    assert small_node.staged == []


@pytest.mark.proves("SEC-T-032")
def test_slow_but_fast_enough(small_node):
    """40 KB a second where 20 are demanded, for longer than the grace."""
    whole = request("/registry", padded(99_000))
    with small_node.connect() as connection:
        for at in range(0, len(whole), 4000):
            connection.send(whole[at : at + 4000])
            time.sleep(0.1)
        assert connection.receive().outcome == "Success"


@pytest.mark.proves("XC-066", "SEC-T-049")
def test_those_that_wait_for_others_keep_nobody_from_the_rest(make_node):
    node = make_node(limits={"in_flight": 8, "threads": 2})
    slow = request("/initiating", dialect.query_message("slow:2"))
    waiting = [node.connect() for _ in range(4)]
    try:
        for connection in waiting:
            connection.send(slow)
        time.sleep(0.3)
        began = time.monotonic()
        assert node.post("/registry", QUERY).outcome == "Success"
        assert time.monotonic() - began < 1
        assert node.post("/initiating", QUERY).status == 503  # half of all is theirs
        assert [connection.receive().outcome for connection in waiting] == ["Success"] * 4
    finally:
        for connection in waiting:
            connection.socket.close()


@pytest.mark.proves("SEC-T-049")
def test_requests_in_flight(small_node):
    slow = request("/registry", dialect.query_message("slow:1"))
    busy = [small_node.connect() for _ in range(SMALL["in_flight"])]
    try:
        for connection in busy:
            connection.send(slow)
        time.sleep(0.3)
        answer = small_node.post("/registry", QUERY)
        assert answer.status == 503
        assert answer.header("retry-after") == "1"
        assert small_node.get("/health/live").status == 200
        assert [connection.receive().outcome for connection in busy] == ["Success"] * len(busy)
        assert small_node.post("/registry", QUERY).outcome == "Success"
    finally:
        for connection in busy:
            connection.socket.close()
