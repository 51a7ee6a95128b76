"""Documents of an answer that are passed on while they come."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
import requests

from tests.peers.stub import SOAP_TYPE, Line, Stub, envelope, http, multipart
from tests.peers.test_caller import SUCCESS, include, read, retrieved
from tests.server.dialect import wait_for
from xdsi.config import Limits
from xdsi.model.errors import XDSRepositoryOutOfResources, XDSUnavailableCommunity
from xdsi.model.messages import DocumentRequest, RetrieveAnswer, RetrieveRequest
from xdsi.peers.caller import Caller, Pace, Relaying
from xdsi.peers.errors import BrokenAnswer
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard.transactions import RETRIEVE
from xdsi.wire import mtom

MIB = 1 << 20
ASKED = RetrieveRequest(tuple(DocumentRequest("1.2.3", f"2.25.{n}") for n in (1, 2, 3)))
CONTENTS = {f"{n}@x": os.urandom(3 * MIB + n) for n in (1, 2, 3)}
CIDS = list(CONTENTS)
ROOT = envelope(RETRIEVE, retrieved(*map(include, CIDS)))


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as one:
        yield one


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path) as one:
        yield one


def answering(*order: str, head: bytes = ROOT) -> Callable[[Line], None]:
    """Whole answers with these parts, as long as they are asked for."""
    body, kind = multipart(head, *((cid, CONTENTS[cid]) for cid in order))

    def act(line: Line) -> None:
        while line.receive(keep=False) is not None:
            line.send(http(body, kind))

    return act


def caller(
    stub: Stub, session: requests.Session, spool: Spool, *, fetched: bool = False, **more: object
) -> Caller:
    return Caller(
        RETRIEVE, stub.address, session, spool=spool, relay=Relaying(spool.room, fetched), **more  # type: ignore[arg-type]
    )  # fmt: skip


def held(spool: Spool) -> list[str]:
    return os.listdir(spool.folder)


@pytest.mark.proves("XC-068", "IMG-138")
@pytest.mark.parametrize("fetched", [False, True], ids=["streamed", "fetched"])
@pytest.mark.parametrize("order", [CIDS, CIDS[::-1]], ids=["in order", "the other way round"])
def test_documents_come_whole_in_any_order(
    session: requests.Session, spool: Spool, order: list[str], fetched: bool
) -> None:
    with Stub(answering(*order)) as stub:
        ask = caller(stub, session, spool, fetched=fetched)
        for _ in range(2):
            answer: RetrieveAnswer = ask(ASKED, Call.internal())
            assert [each.content.size is not None for each in answer.documents] == [fetched] * 3
            assert [read(each.content) for each in answer.documents] == list(CONTENTS.values())
            del answer
        assert stub.connections == 1  # it was read to its end, so it is used again
    assert (held(spool), spool.room.taken) == ([], 0)


@pytest.mark.proves("XC-068")
@pytest.mark.parametrize("small", [0, 1, 1000])
def test_many_small_documents(session: requests.Session, spool: Spool, small: int) -> None:
    """Several come at once, also those of which nothing comes."""
    cids = [f"{n}@y" for n in range(300)]
    contents = {cid: os.urandom(small) for cid in cids}
    body, kind = multipart(envelope(RETRIEVE, retrieved(*map(include, cids))), *contents.items())

    def act(line: Line) -> None:
        line.receive()
        line.send(http(body, kind))

    asked = RetrieveRequest(tuple(DocumentRequest("1.2.3", f"2.25.{n}") for n in range(300)))
    with Stub(act) as stub:
        answer = caller(stub, session, spool)(asked, Call.internal())
        assert [read(each.content) for each in answer.documents] == list(contents.values())


@pytest.mark.proves("XC-068", "IMG-138", "XC-048")
def test_the_first_octet_is_out_before_the_last_is_in(
    session: requests.Session, spool: Spool
) -> None:
    first_is_read = Event()

    def act(line: Line) -> None:
        line.receive()
        frame = mtom.Frame.new()
        kind = frame.content_type_header()
        line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode())
        root = envelope(RETRIEVE, retrieved(include("1@x")))
        line.send(frame.root_head() + root + frame.part_head("1@x") + b"begun ")
        assert first_is_read.wait(20)
        line.send(b"ended" + frame.end())
        line.sock.close()

    with Stub(act) as stub:
        answer = caller(stub, session, spool)(ASKED, Call.internal())
        reader = answer.documents[0].content.open()
        begun = reader.read(6)
        assert not first_is_read.is_set() and b"begun ".startswith(begun)
        first_is_read.set()
        rest = b"".join(iter(lambda: reader.read(100), b""))
    assert begun + rest == b"begun ended"
    assert held(spool) == []


def cut_within(cid: str) -> Callable[[Line], None]:
    """The answer is cut in the middle of that document."""
    body, kind = multipart(ROOT, *CONTENTS.items())
    end = body.index(CONTENTS[cid]) + MIB

    def act(line: Line) -> None:
        line.receive()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        line.send(head.encode() + body[:end])

    return act


@pytest.mark.proves("XC-068", "SEC-T-029")
def test_streamed_a_cut_is_never_a_clean_end(session: requests.Session, spool: Spool) -> None:
    with Stub(cut_within("2@x")) as stub:
        answer = caller(stub, session, spool)(ASKED, Call.internal())
        one, two, three = (each.content for each in answer.documents)
        assert read(one) == CONTENTS["1@x"]
        for each in (two, three):
            with pytest.raises(OSError, match="ended"):
                read(each)


@pytest.mark.proves("XC-068", "IMG-140")
@pytest.mark.parametrize("code", [None, XDSUnavailableCommunity])
def test_fetched_a_cut_costs_what_did_not_come(
    session: requests.Session, spool: Spool, code: type[XDSUnavailableCommunity] | None
) -> None:
    more = {} if code is None else {"unavailable": (code, "XC-056")}
    with Stub(cut_within("2@x")) as stub:
        answer = caller(stub, session, spool, fetched=True, **more)(ASKED, Call.internal())
    (one,) = answer.documents
    assert read(one.content) == CONTENTS["1@x"]
    assert [each.location for each in answer.errors] == ["2.25.2", "2.25.3"]
    expected = "XDSRepositoryError" if code is None else code.code
    assert {each.code for each in answer.errors} == {expected}
    assert "broke off" in answer.errors[0].context and "ended early" in answer.errors[0].context
    del answer, one
    assert (held(spool), spool.room.taken) == ([], 0)


@pytest.mark.proves("RET-064")
def test_a_part_that_never_comes(session: requests.Session, spool: Spool) -> None:
    with Stub(answering("1@x", "3@x")) as stub:
        answer = caller(stub, session, spool)(ASKED, Call.internal())
        one, two, three = (each.content for each in answer.documents)
        assert read(one) == CONTENTS["1@x"]
        with pytest.raises(OSError, match="the answer ended before it"):
            read(two)
        assert read(three) == CONTENTS["3@x"]
        fetched = caller(stub, session, spool, fetched=True)(ASKED, Call.internal())
    assert len(fetched.documents) == 2
    assert [each.location for each in fetched.errors] == ["2.25.2"]


@pytest.mark.proves("XC-068")
def test_what_comes_in_the_envelope_is_spooled(session: requests.Session, spool: Spool) -> None:
    simple = envelope(RETRIEVE, retrieved(b"aGFsbG8="))

    def act(line: Line) -> None:
        line.receive()
        line.send(http(simple, SOAP_TYPE))

    with Stub(act) as stub:
        answer = caller(stub, session, spool)(ASKED, Call.internal())
    assert read(answer.documents[0].content) == b"hallo"


@pytest.mark.proves("XC-068")
def test_beyond_the_room_the_rest_goes_on_while_it_comes(
    session: requests.Session, tmp_path: Path
) -> None:
    with Spool(tmp_path, limit=4 * MIB) as spool, Stub(answering(*CIDS)) as stub:
        answer = caller(stub, session, spool, fetched=True)(ASKED, Call.internal())
        assert [each.content.size is None for each in answer.documents] == [False, True, True]
        assert spool.room.taken <= 4 * MIB
        assert [read(each.content) for each in answer.documents] == list(CONTENTS.values())


def saying(size: int) -> Callable[[Line], None]:
    """One document, said to have so many octets."""
    frame, content = mtom.Frame.new(), CONTENTS["1@x"]
    head = envelope(RETRIEVE, retrieved(include("1@x")))
    before = frame.root_head() + head + frame.part_head("1@x", size=size)
    body = before + content + frame.end()

    def act(line: Line) -> None:
        while line.receive(keep=False) is not None:
            line.send(http(body, frame.content_type_header()))

    return act


ONE = RetrieveRequest(ASKED.documents[:1])
SIZE = len(CONTENTS["1@x"])


@pytest.mark.proves("XC-068")
def test_the_size_that_a_document_says_is_known_before_it_comes(
    session: requests.Session, spool: Spool
) -> None:
    with Stub(saying(SIZE)) as stub:
        for fetched in (False, True):
            answer = caller(stub, session, spool, fetched=fetched)(ONE, Call.internal())
            (document,) = answer.documents
            assert document.content.size == SIZE
            assert read(document.content) == CONTENTS["1@x"]
        assert stub.connections == 1


@pytest.mark.proves("SEC-T-029", "SEC-T-167")
@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1, SIZE + 500], ids=["less", "more", "far more"])
def test_a_document_that_has_not_the_size_it_says_never_ends_cleanly(
    session: requests.Session, spool: Spool, size: int
) -> None:
    with Stub(saying(size)) as stub:
        answer = caller(stub, session, spool)(ONE, Call.internal())
        with pytest.raises(OSError, match="broke off"):
            read(answer.documents[0].content)
        fetched = caller(stub, session, spool, fetched=True)(ONE, Call.internal())
    assert fetched.documents == ()
    assert [each.location for each in fetched.errors] == ["2.25.1"]


@pytest.mark.proves("SEC-T-040")
def test_a_document_said_to_be_above_the_limit_is_not_waited_for(
    session: requests.Session, spool: Spool
) -> None:
    with Stub(saying(SIZE)) as stub, pytest.raises(BrokenAnswer, match="one document above"):
        caller(stub, session, spool, limits=Limits(document=MIB))(ONE, Call.internal())


@pytest.mark.proves("SEC-T-039", "SEC-T-040", "SEC-T-167")
@pytest.mark.parametrize(
    ("limits", "count"),
    [
        (Limits(document=MIB), 3),
        (Limits(submission=4 * MIB), 3),
        (Limits(), 1),
    ],
    ids=["document", "all documents", "more than were asked for"],
)
def test_limits_hold_while_documents_are_passed_on(
    session: requests.Session, spool: Spool, limits: Limits, count: int
) -> None:
    asked = RetrieveRequest(ASKED.documents[:count])
    with Stub(answering(*CIDS)) as stub:
        answer = caller(stub, session, spool, limits=limits)(asked, Call.internal())
        with pytest.raises(OSError, match="broke off"):
            [read(each.content) for each in answer.documents]


def test_what_is_no_answer_is_refused_before_any_document(
    session: requests.Session, spool: Spool
) -> None:
    with (
        Stub(answering(*CIDS, head=envelope(RETRIEVE, SUCCESS))) as stub,
        pytest.raises(BrokenAnswer),
    ):
        caller(stub, session, spool)(ASKED, Call.internal())
    assert (held(spool), spool.room.taken) == ([], 0)


class Endless:
    """Sends a document that never ends, until the other side goes away."""

    def __init__(self) -> None:
        self.left = Event()

    def __call__(self, line: Line) -> None:
        line.receive()
        frame = mtom.Frame.new()
        kind = frame.content_type_header()
        line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode())
        root = envelope(RETRIEVE, retrieved(include("1@x")))
        line.send(frame.root_head() + root + frame.part_head("1@x"))
        try:
            while not self.left.wait(0.01):
                line.send(bytes(10_000))
        except OSError:
            self.left.set()


@pytest.mark.proves("XC-048")
def test_the_line_is_let_go_with_the_answer(session: requests.Session, spool: Spool) -> None:
    endless = Endless()
    with Stub(endless) as stub:
        answer = caller(stub, session, spool)(ASKED, Call.internal())
        reader = answer.documents[0].content.open()
        assert reader.read(100)
        gc.disable()  # by nothing but that nobody has it any more
        try:
            del answer, reader
            assert endless.left.wait(10)
        finally:
            gc.enable()
    assert (held(spool), spool.room.taken) == ([], 0)


@pytest.mark.proves("XC-048", "SEC-T-048")
@pytest.mark.parametrize("within", ["head", "document"])
def test_who_has_gone_is_noticed_while_the_partner_is_silent(
    session: requests.Session, spool: Spool, within: str
) -> None:
    """Long before the pause that a partner is granted."""
    asked, gone, released = Event(), Event(), Event()

    def silent(line: Line) -> None:
        line.receive()
        if within == "document":
            frame = mtom.Frame.new()
            kind = frame.content_type_header()
            line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
            root = envelope(RETRIEVE, retrieved(include("1@x")))
            line.send(frame.root_head() + root + frame.part_head("1@x"))
        asked.set()
        gone.set()
        released.wait(20)

    call = Call("t", Call.internal(1000).deadline, gone.is_set)
    with Stub(silent) as stub:
        ask = caller(stub, session, spool, pace=Pace(pause=1000))
        try:
            with pytest.raises(Exception, match="the caller has gone"):
                read(ask(ASKED, call).documents[0].content)
            assert asked.is_set()
        finally:
            released.set()


def test_a_slow_reader_is_no_fault_of_the_partner(
    session: requests.Session, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rate is that of the time it is waited for."""
    limits = Limits(body_grace=0.2, body_rate=100 * MIB)
    with Stub(answering("1@x", head=envelope(RETRIEVE, retrieved(include("1@x"))))) as stub:
        answer = caller(stub, session, spool, limits=limits)(ASKED, Call.internal())
        reader = answer.documents[0].content.open()
        first = reader.read(1000)
        wait_for(lambda: False, 0.5)
        rest = b"".join(iter(lambda: reader.read(MIB), b""))
    assert first + rest == CONTENTS["1@x"]


@pytest.mark.proves("XC-056", "SEC-T-018")
def test_documents_in_front_of_the_root_without_room_are_an_error_of_their_own(
    session: requests.Session, tmp_path: Path
) -> None:
    frame = mtom.Frame.new()
    documents = (frame.part_head(cid) + content for cid, content in CONTENTS.items())
    body = b"".join((*documents, b"\r\n", frame.root_head(), ROOT, frame.end()))

    def act(line: Line) -> None:
        while line.receive(keep=False) is not None:
            line.send(http(body, frame.content_type_header()))

    for limit in (MIB, 16 * MIB):
        with Spool(tmp_path, limit) as spool, Stub(act) as stub:
            ask = caller(stub, session, spool)
            if limit == MIB:
                with pytest.raises(XDSRepositoryOutOfResources, match="no room here"):
                    ask(ASKED, Call.internal())
            else:
                answer: RetrieveAnswer = ask(ASKED, Call.internal())
                assert [read(each.content) for each in answer.documents] == [*CONTENTS.values()]
                del answer
            assert (held(spool), spool.room.taken) == ([], 0)
