"""Plain HTTP passed on to another service."""

from collections.abc import Callable, Iterator
from threading import Event

import pytest
import requests

from tests.peers.stub import Line, Stub, http
from tests.repository.reading import everything
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.peers.forward import Forward
from xdsi.peers.session import open_session
from xdsi.peers.web import Web
from xdsi.plug import Call

ASKED = WebRequest("GET", ("studies", "1.2", "frames", "1,2"), (("accept", "a/b;c=d"),))


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as one:
        yield one


def forward(stub: Stub, session: requests.Session, request: WebRequest = ASKED) -> WebAnswer:
    return Forward(Web(stub.address, session))(request, Call.internal())


def saying(answer: bytes, seen: list[object] | None = None) -> Callable[[Line], None]:
    def act(line: Line) -> None:
        request = line.receive()
        if seen is not None:
            seen.append(request)
        line.send(answer)

    return act


@pytest.mark.proves("IMG-172", "IMG-175")
@pytest.mark.parametrize("status", [200, 206, 404, 406, 410, 503])
def test_what_it_says_of_the_images_is_passed_on(session: requests.Session, status: int) -> None:
    seen: list[object] = []
    answer = http(b"body", "a/b", f"{status} x", "Warning: 299 x\r\nSet-Cookie: a=b\r\n")
    headers = {"accept": "multipart/related", "cookie": "c", "authorization": "secret"}
    request = WebRequest("GET", ASKED.segments, ASKED.query, headers)
    with Stub(saying(answer, seen)) as stub:
        got = forward(stub, session, request)
        assert everything(got.body[0]) == b"body"  # type: ignore[arg-type]
    assert (got.status, got.media_type, got.headers) == (status, "a/b", (("warning", "299 x"),))
    (asked,) = seen
    assert asked.line == "GET /actor/studies/1.2/frames/1,2?accept=a%2Fb%3Bc%3Dd HTTP/1.1"  # type: ignore[attr-defined]
    assert asked.head["accept"] == "multipart/related"  # type: ignore[attr-defined]
    assert not {"cookie", "authorization"} & asked.head.keys()  # type: ignore[attr-defined]


@pytest.mark.proves("SEC-T-166", "IMG-174")
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (http(b"", "a/b", "302 x", "Location: http://127.0.0.1:9/\r\n"), 502),
        (http(b"secret", "a/b", "401 x"), 502),
        (http(b"oops", "a/b", "500 x"), 502),
        (http(b"x", "a/b", extra="Content-Encoding: gzip\r\n"), 502),
        (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nno length", 502),
        (b"nonsense\r\n\r\n", 504),
        (b"", 504),
    ],
)
def test_what_is_no_answer_is_a_fault_of_what_lies_behind(
    session: requests.Session, answer: bytes, status: int
) -> None:
    with Stub(saying(answer)) as stub, pytest.raises(WebError) as refused:
        forward(stub, session)
    assert refused.value.status == status
    assert "secret" not in refused.value.reason


@pytest.mark.proves("IMG-175", "SEC-T-029")
def test_a_cut_is_never_a_clean_end(session: requests.Session) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"
    for answer in (
        head + b"Content-Length: 100\r\n\r\nhalf",
        head + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ):
        with Stub(saying(answer)) as stub:
            got = forward(stub, session)
            with pytest.raises(OSError, match="broke off"):
                everything(got.body[0])  # type: ignore[arg-type]


@pytest.mark.proves("IMG-175")
def test_the_first_octet_is_out_before_the_last_is_in(session: requests.Session) -> None:
    first_is_read = Event()

    def act(line: Line) -> None:
        line.receive()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 8\r\n\r\nhalf")
        assert first_is_read.wait(20)
        line.send(b"rest")

    with Stub(act) as stub:
        reader = forward(stub, session).body[0].open()  # type: ignore[union-attr]
        assert reader.read(100) == b"half"
        first_is_read.set()
        assert reader.read(100) == b"rest" and reader.read(100) == b""
