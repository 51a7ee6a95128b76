"""A remote actor behaves like a local handler, and every fault of it like a clear error."""

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from zeep.plugins import HistoryPlugin, Plugin

from tests import samples
from tests.peers.stub import SOAP_TYPE, Act, Line, Received, Stub, envelope, http, multipart
from xdsi.config import Limits
from xdsi.model.errors import XDSRegistryNotAvailable
from xdsi.model.messages import (
    Content,
    DocumentRequest,
    QueryRequest,
    RegistryAnswer,
    RetrieveRequest,
)
from xdsi.peers import session as peer_session
from xdsi.peers.caller import Caller, Pace
from xdsi.peers.errors import BrokenAnswer, Faulted, PeerError, Unreachable
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import CODECS, Call
from xdsi.standard import namespaces as ns
from xdsi.standard import urns
from xdsi.standard.transactions import (
    PROVIDE_AND_REGISTER,
    REGISTER,
    RETRIEVE,
    STORED_QUERY,
    Transaction,
)

SUCCESS = f'<rs:RegistryResponse xmlns:rs="{ns.RS}" status="{urns.SUCCESS}"/>'.encode()
QUERY = QueryRequest("urn:example:query")
RETRIEVAL = RetrieveRequest(
    (DocumentRequest("1.2.3", "2.25.1"), DocumentRequest("1.2.3", "2.25.2"))
)
PACE = Pace(connect=2, pause=5)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as one:
        yield one


@contextmanager
def partner(act: Act) -> Iterator[Stub]:
    with Stub(act) as stub:
        yield stub


def answering(make: Callable[[Received], bytes], seen: list[Received] | None = None) -> Act:
    """Answers every request on a connection with what `make` gives."""

    def act(line: Line) -> None:
        while (request := line.receive()) is not None:
            if seen is not None:
                seen.append(request)
            line.send(make(request))

    return act


def success(row: Transaction) -> Callable[[Received], bytes]:
    return lambda request: http(envelope(row, SUCCESS, request.message_id))


def body_of(request: Received) -> etree._Element:
    (child,) = etree.fromstring(request.body).find(ns.tag(ns.SOAP12, "Body"))
    return child


def retrieved(*documents: bytes, mime_type: str = "text/plain") -> bytes:
    """A RetrieveDocumentSetResponse with these pieces as content of its Documents."""
    pieces = [
        f'<xds:RetrieveDocumentSetResponse xmlns:xds="{ns.XDS}">'.encode(),
        SUCCESS,
    ]
    for number, content in enumerate(documents, 1):
        pieces.append(
            b"<xds:DocumentResponse><xds:RepositoryUniqueId>1.2.3</xds:RepositoryUniqueId>"
            b"<xds:DocumentUniqueId>2.25.%d</xds:DocumentUniqueId>"
            b"<xds:mimeType>%s</xds:mimeType><xds:Document>%s</xds:Document>"
            b"</xds:DocumentResponse>" % (number, mime_type.encode(), content)
        )
    pieces.append(b"</xds:RetrieveDocumentSetResponse>")
    return b"".join(pieces)


def include(cid: str) -> bytes:
    return f'<xop:Include xmlns:xop="{ns.XOP}" href="cid:{cid}"/>'.encode()


def read(content: Any) -> bytes:
    reader = content.open()
    try:
        return b"".join(iter(lambda: reader.read(1000), b""))
    finally:
        reader.close()


@pytest.mark.proves("REG-006", "WS-031", "WS-032", "WS-034", "WS-050")
def test_registration_is_sent_as_simple_soap_and_read_back_alike(
    session: requests.Session, official: etree.XMLSchema
) -> None:
    seen: list[Received] = []
    submission = samples.submission([samples.full_document_entry()], folders=[samples.folder()])
    with partner(answering(success(REGISTER), seen)) as stub:
        answer = Caller(REGISTER, stub.address, session)(submission, Call.internal())
    assert answer == RegistryAnswer()
    (request,) = seen
    assert request.head["content-type"].startswith(f"{ns.SOAP_MEDIA_TYPE};")
    assert request.head["content-length"] == str(len(request.body))
    header = etree.fromstring(request.body).find(ns.tag(ns.SOAP12, "Header"))
    action = header.find(ns.tag(ns.WSA, "Action"))
    assert (action.text, action.get(ns.tag(ns.SOAP12, "mustUnderstand"))) == (REGISTER.action, "1")
    assert header.findtext(f"{{{ns.WSA}}}ReplyTo/{{{ns.WSA}}}Address") == ns.WSA_ANONYMOUS
    assert header.findtext(ns.tag(ns.WSA, "To")) == stub.address
    body = body_of(request)
    official.assertValid(etree.fromstring(etree.tostring(body)))
    assert CODECS[REGISTER.id].read_request(body, {}) == submission


@pytest.mark.proves("REG-001", "RET-060", "WS-051")
@pytest.mark.parametrize("size_is_known", [True, False], ids=["length", "chunked"])
def test_documents_are_sent_as_parts_in_order(
    session: requests.Session, size_is_known: bool
) -> None:
    seen: list[Received] = []
    contents = (b"", b"first\r\n--not a boundary", os.urandom(200_000))
    request = samples.provide(*contents, as_source=True)
    if not size_is_known:
        request = replace(
            request,
            documents=tuple(
                replace(one, content=Content(None, one.content.open)) for one in request.documents
            ),
        )
    with partner(answering(success(PROVIDE_AND_REGISTER), seen)) as stub:
        answer = Caller(PROVIDE_AND_REGISTER, stub.address, session)(request, Call.internal())
    assert answer == RegistryAnswer()
    (got,) = seen
    assert ("content-length" in got.head) == size_is_known
    assert ("transfer-encoding" in got.head) != size_is_known
    kind = got.head["content-type"]
    assert kind.startswith(f'{ns.MULTIPART_RELATED}; type="{ns.XOP_MEDIA_TYPE}"')
    boundary = kind.partition('boundary="')[2].partition('"')[0].encode()
    _, root, *parts, end = got.body.split(b"--" + boundary)
    assert end == b"--\r\n"
    assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts] == list(contents)
    ids = re.findall(rb'href="cid:([^"]+)"', root)
    assert [re.search(rb"Content-ID: <([^>]+)>", part)[1] for part in parts] == ids


def test_connection_is_kept_between_calls(session: requests.Session) -> None:
    with partner(answering(success(REGISTER))) as stub:
        caller = Caller(REGISTER, stub.address, session)
        for _ in range(5):
            caller(samples.submission(), Call.internal())
        assert stub.connections == 1


def test_callers_of_one_session_may_work_at_once(session: requests.Session) -> None:
    seen: list[Received] = []
    with partner(answering(success(REGISTER), seen)) as stub, ThreadPoolExecutor(8) as pool:
        caller = Caller(REGISTER, stub.address, session)
        answers = list(pool.map(lambda _: caller(samples.submission(), Call.internal()), range(40)))
    assert answers == [RegistryAnswer()] * 40
    assert len({request.message_id for request in seen}) == 40


@pytest.mark.parametrize("row", [STORED_QUERY, REGISTER], ids=["question", "submission"])
def test_only_a_question_is_repeated_over_a_closed_connection(
    row: Transaction, session: requests.Session
) -> None:
    """A submission may have been taken: only its sender can decide to repeat it (SEC-T-008)."""
    body, request = {
        STORED_QUERY.id: (QUERIED, QUERY),
        REGISTER.id: (SUCCESS, samples.submission()),
    }[row.id]

    def act(line: Line) -> None:
        line.receive()
        if line.number > 1:
            line.send(http(envelope(row, body)))

    with partner(act) as stub:
        caller = Caller(row, stub.address, session)
        if row is STORED_QUERY:
            assert caller(request, Call.internal()).status == urns.SUCCESS
            assert stub.connections == 2
        else:
            with pytest.raises(XDSRegistryNotAvailable, match="closed the connection"):
                caller(request, Call.internal())
            assert stub.connections == 1


def test_connection_idle_for_long_is_not_trusted(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with partner(answering(success(REGISTER))) as stub:
        caller = Caller(REGISTER, stub.address, session)
        caller(samples.submission(), Call.internal())
        monkeypatch.setattr(peer_session, "IDLE", 0.0)
        caller(samples.submission(), Call.internal())
        assert stub.connections == 2


@pytest.mark.proves("REG-034")
def test_errors_of_the_partner_come_back_unchanged(session: requests.Session) -> None:
    text = (
        f'<rs:RegistryResponse xmlns:rs="{ns.RS}" status="{urns.FAILURE}"><rs:RegistryErrorList>'
        '<rs:RegistryError errorCode="XDSUnknownPatientId" codeContext="no such &lt;patient&gt;" '
        f'location="Document01" severity="{urns.SEVERITY_ERROR}"/>'
        "</rs:RegistryErrorList></rs:RegistryResponse>"
    ).encode()
    act = answering(lambda request: http(envelope(REGISTER, text, request.message_id)))
    with partner(act) as stub:
        answer = Caller(REGISTER, stub.address, session)(samples.submission(), Call.internal())
    (error,) = answer.errors
    assert (error.code, error.context, error.location, error.severity) == (
        "XDSUnknownPatientId",
        "no such <patient>",
        "Document01",
        urns.SEVERITY_ERROR,
    )


# how the two documents b"one" and b"two" may arrive
def attached() -> tuple[bytes, str]:
    root = envelope(RETRIEVE, retrieved(include("a@x"), include("b@x")))
    return multipart(root, ("a@x", b"one"), ("b@x", b"two"))


def other_order() -> tuple[bytes, str]:
    root = envelope(RETRIEVE, retrieved(include("a@x"), include("b@x")))
    body, kind = multipart(root, ("b@x", b"two"), ("a@x", b"one"))
    return body, kind


def mixed() -> tuple[bytes, str]:
    return multipart(envelope(RETRIEVE, retrieved(b"b25l", include("b@x"))), ("b@x", b"two"))


def inline() -> tuple[bytes, str]:
    return envelope(RETRIEVE, retrieved(b"b25l", b" dHdv\n")), SOAP_TYPE


@pytest.mark.proves("RET-015", "RET-062", "WS-053")
@pytest.mark.parametrize("made", [attached, other_order, mixed, inline])
def test_retrieved_documents_lie_in_the_spool(
    made: Callable[[], tuple[bytes, str]], session: requests.Session
) -> None:
    body, kind = made()
    with partner(answering(lambda _: http(body, kind))) as stub, Spool() as spool:
        answer = Caller(RETRIEVE, stub.address, session, spool=spool)(RETRIEVAL, Call.internal())
        assert [read(one.content) for one in answer.documents] == [b"one", b"two"]
        assert [one.content.size for one in answer.documents] == [3, 3]
        assert [one.request for one in answer.documents] == list(RETRIEVAL.documents)
        assert stub.connections == 1


def test_part_that_nothing_refers_to_is_ignored(session: requests.Session) -> None:
    root = envelope(RETRIEVE, retrieved(include("a@x")))
    body, kind = multipart(root, ("a@x", b"one"), ("stray@x", b"???"))
    with partner(answering(lambda _: http(body, kind))) as stub, Spool() as spool:
        answer = Caller(RETRIEVE, stub.address, session, spool=spool)(RETRIEVAL, Call.internal())
        assert [read(one.content) for one in answer.documents] == [b"one"]


def fault(code: str = "Receiver", reason: str = "out of order") -> bytes:
    return envelope(
        REGISTER,
        f'<f:Fault xmlns:f="{ns.SOAP12}"><f:Code><f:Value>f:{code}</f:Value></f:Code>'
        f'<f:Reason><f:Text xml:lang="en">{reason}</f:Text></f:Reason></f:Fault>'.encode(),
    )


@pytest.mark.parametrize("status", ["500 Internal Server Error", "400 Bad Request", "200 OK"])
def test_soap_fault_is_an_exception_of_its_own(status: str, session: requests.Session) -> None:
    with (
        partner(answering(lambda _: http(fault(), status=status))) as stub,
        pytest.raises(Faulted, match="out of order") as caught,
    ):
        Caller(STORED_QUERY, stub.address, session)(QUERY, Call.internal())
    assert caught.value.fault.code == "Receiver"


MTOM_TYPE = f'{ns.MULTIPART_RELATED}; type="{ns.XOP_MEDIA_TYPE}"'
OK = b"HTTP/1.1 200 OK\r\n"
HTML = b"<html><body>Log in first</body></html>"
QUERIED = (
    f'<q:AdhocQueryResponse xmlns:q="{ns.QUERY}" status="{urns.SUCCESS}">'
    f'<RegistryObjectList xmlns="{ns.RIM}"/></q:AdhocQueryResponse>'
).encode()
GOOD = envelope(STORED_QUERY, QUERIED)
LOOP = "Location: http://127.0.0.1:9/elsewhere\r\n"

# what comes back, and what is said about it
BROKEN = {
    "HTML": (http(HTML, "text/html"), BrokenAnswer, "HTTP 200 with 'text/html', not a SOAP"),
    "bad gateway": (http(HTML, "text/html", "502 Bad Gateway"), BrokenAnswer, "HTTP 502"),
    "no media type": (OK + b"Content-Length: 0\r\n\r\n", BrokenAnswer, "no Content-Type"),
    "SOAP 1.1": (http(GOOD, "text/xml"), BrokenAnswer, "not a SOAP 1.2 answer"),
    "malformed media type": (http(GOOD, "application/soap+xml; ="), BrokenAnswer, "malformed"),
    "redirect": (http(b"", "text/html", "302 Found", LOOP), BrokenAnswer, "never followed"),
    "kept POST": (http(b"", "text/html", "307 Moved", LOOP), BrokenAnswer, "never followed"),
    "accepted only": (http(b"", SOAP_TYPE, "202 Accepted"), BrokenAnswer, "not well-formed"),
    "packed": (http(GOOD, extra="Content-Encoding: gzip\r\n"), BrokenAnswer, "packed"),
    "no XML": (http(b"{}"), BrokenAnswer, "not well-formed"),
    "DOCTYPE": (http(b"<!DOCTYPE a><a/>"), BrokenAnswer, "DOCTYPE"),
    "no envelope": (http(QUERIED), BrokenAnswer, "no SOAP envelope"),
    "other body": (http(envelope(STORED_QUERY, SUCCESS)), BrokenAnswer, "Response' is no answer"),
    "other message": (http(envelope(STORED_QUERY, QUERIED, "urn:x")), BrokenAnswer, "another"),
    "no status": (http(GOOD.replace(b" status=", b" x=")), BrokenAnswer, "status '' is none"),
    "odd status": (http(GOOD.replace(b":Success", b":Great")), BrokenAnswer, "Great' is none"),
    "error status": (http(GOOD, status="503 Busy"), BrokenAnswer, "HTTP 503 without a SOAP fault"),
    "no boundary": (http(GOOD, MTOM_TYPE), BrokenAnswer, "boundary"),
    "boundary never comes": (
        http(GOOD, MTOM_TYPE + "; boundary=b"),
        BrokenAnswer,
        "boundary",
    ),
    "cut head": (OK + b"Content-", BrokenAnswer, "no Content-Type"),
    "cut body": (http(GOOD)[:-9], Unreachable, "ended early"),
    "cut chunk": (
        f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
        "ff\r\nabc".encode(),
        Unreachable,
        "cut off",
    ),
    "nothing": (b"", Unreachable, "closed the connection without an answer"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n", Unreachable, "does not speak HTTP"),
    "endless header": (OK + b"X: " + b"x" * 100_000, Unreachable, "does not speak HTTP"),
}  # fmt: skip


@pytest.mark.proves("SEC-T-166", "SEC-T-167")
@pytest.mark.parametrize(("sent", "kind", "text"), BROKEN.values(), ids=list(BROKEN))
def test_broken_answer_is_a_clear_error(
    sent: bytes, kind: type[PeerError], text: str, session: requests.Session
) -> None:
    def act(line: Line) -> None:
        line.receive()
        line.send(sent)

    with partner(act) as stub, pytest.raises(kind, match=text) as caught:
        Caller(STORED_QUERY, stub.address, session, pace=PACE)(QUERY, Call.internal())
    assert stub.address in str(caught.value)
    assert stub.address not in caught.value.problem
    assert "\n" not in str(caught.value)


def test_good_answer_comes_after_broken_ones_over_the_same_session(
    session: requests.Session,
) -> None:
    broken = [sent for name, (sent, *_) in BROKEN.items() if name != "nothing"]  # asked again
    sent = iter([*broken, http(GOOD)])

    def act(line: Line) -> None:
        line.receive()
        line.send(next(sent))

    with partner(act) as stub:
        caller = Caller(STORED_QUERY, stub.address, session, pace=PACE)
        for _ in broken:
            with pytest.raises(PeerError):
                caller(QUERY, Call.internal())
        assert caller(QUERY, Call.internal()).objects == ()


@pytest.mark.proves("REG-035")
@pytest.mark.parametrize(
    "sent",
    [b"", http(HTML, "text/html"), http(fault(), status="500 Error")],
    ids=["nothing", "HTML", "fault"],
)
def test_registry_without_an_answer_is_not_available(
    sent: bytes, session: requests.Session
) -> None:
    def act(line: Line) -> None:
        line.receive()
        line.send(sent)

    with partner(act) as stub, pytest.raises(XDSRegistryNotAvailable) as caught:
        Caller(REGISTER, stub.address, session)(samples.submission(), Call.internal())
    assert isinstance(caught.value.__cause__, PeerError)
    assert "127.0.0.1" not in caught.value.context
    assert "may be sent again" in caught.value.context


@pytest.mark.proves("REG-010")
def test_registration_knows_no_partial_success(session: requests.Session) -> None:
    text = SUCCESS.replace(urns.SUCCESS.encode(), urns.PARTIAL_SUCCESS.encode())
    with (
        partner(answering(lambda _: http(envelope(REGISTER, text)))) as stub,
        pytest.raises(XDSRegistryNotAvailable, match="PartialSuccess' is none"),
    ):
        Caller(REGISTER, stub.address, session)(samples.submission(), Call.internal())


@pytest.mark.proves("WS-042")
def test_answer_in_utf_16_is_understood(session: requests.Session) -> None:
    body = GOOD.decode().encode("utf-16")
    sent = http(body, f"{ns.SOAP_MEDIA_TYPE}; charset=utf-16")
    with partner(answering(lambda _: sent)) as stub:
        answer = Caller(STORED_QUERY, stub.address, session)(QUERY, Call.internal())
    assert answer.status == urns.SUCCESS


LEAVES = envelope(
    STORED_QUERY,
    (Path(__file__).parent.parent / "wsdl" / "corpus" / "answer-leaf-class.xml")
    .read_bytes()
    .partition(b"?>")[2],
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_garbled_answer_is_an_answer_or_a_peer_error(
    garbled: tuple[Caller, list[bytes]], data: st.DataObject
) -> None:
    caller, sent = garbled
    at = data.draw(st.integers(0, len(LEAVES)))
    cut = data.draw(st.integers(0, 60))
    sent[:] = [LEAVES[:at] + data.draw(st.binary(max_size=4)) + LEAVES[at + cut :]]
    with suppress(PeerError):
        assert caller(QUERY, Call.internal()).status in urns.SUCCESS


@pytest.fixture
def garbled(session: requests.Session) -> Iterator[tuple[Caller, list[bytes]]]:
    """A caller of a partner that sends the first of a list."""
    sent = [LEAVES]
    with partner(answering(lambda _: http(sent[0]))) as stub:
        yield Caller(STORED_QUERY, stub.address, session), sent


@pytest.mark.proves("REG-035")
def test_refused_connection_is_not_available(session: requests.Session) -> None:
    with partner(lambda _: None) as stub:
        address = stub.address
    with pytest.raises(XDSRegistryNotAvailable, match="Connection refused"):
        Caller(REGISTER, address, session)(samples.submission(), Call.internal())
    with pytest.raises(Unreachable, match="Connection refused"):
        Caller(STORED_QUERY, address, session)(QUERY, Call.internal())


def silent(line: Line) -> None:
    line.receive()
    line.receive()


def dripping(piece: bytes, times: int, done: list[bool] | None = None) -> Act:
    def act(line: Line) -> None:
        line.receive()
        if done is not None:
            done.append(True)
        line.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nContent-Length: 999\r\n".encode()
        )
        for _ in range(times):
            line.send(piece)
            time.sleep(0.1)

    return act


@pytest.mark.parametrize(
    "act",
    [
        silent,
        dripping(b"X: 1\r\n", 60),
        dripping(b"\r\n", 60),
    ],
    ids=["silent", "dripping head", "dripping body"],
)
def test_slow_partner_ends_with_the_deadline(act: Act, session: requests.Session) -> None:
    begin = time.monotonic()
    with partner(act) as stub:
        with pytest.raises(Unreachable):
            Caller(STORED_QUERY, stub.address, session)(QUERY, Call.internal(0.6))
        assert time.monotonic() - begin < 1.5


@pytest.mark.proves("SEC-T-048")
def test_documents_may_take_longer_than_the_call_but_not_stand_still(
    session: requests.Session,
) -> None:
    body, kind = attached()

    def act(line: Line) -> None:
        for stop in (0.0, 1.0):
            line.receive()
            line.send(http(body, kind)[: -len(body)])
            for at in range(0, len(body), 100):
                time.sleep(0.05)
                line.send(body[at : at + 100])
                time.sleep(stop)

    with partner(act) as stub, Spool() as spool:
        caller = Caller(RETRIEVE, stub.address, session, pace=Pace(2, 0.5), spool=spool)
        begin = time.monotonic()
        answer = caller(RETRIEVAL, Call.internal(0.2))
        assert len(answer.documents) == 2
        assert time.monotonic() - begin > 0.2
        with pytest.raises(Unreachable, match="stood still"):
            caller(RETRIEVAL, Call.internal(0.2))


def test_dripping_documents_fall_below_the_lowest_rate(session: requests.Session) -> None:
    body, kind = attached()

    def act(line: Line) -> None:
        line.receive()
        line.send(http(body, kind)[: -len(body)])
        for at in range(len(body)):
            line.send(body[at : at + 1])
            time.sleep(0.05)

    limits = Limits(body_grace=0.3, body_rate=1000)
    with partner(act) as stub, pytest.raises(Unreachable, match="below 1000 bytes per second"):
        Caller(RETRIEVE, stub.address, session, limits=limits)(RETRIEVAL, Call.internal())


def test_call_that_is_given_up_ends(session: requests.Session) -> None:
    gone: list[bool] = []
    call = replace(Call.internal(), cancelled=lambda: bool(gone))
    begin = time.monotonic()
    with partner(dripping(b"X: 1\r\n", 30, gone)) as stub, pytest.raises(Unreachable):
        Caller(STORED_QUERY, stub.address, session)(QUERY, call)
    assert time.monotonic() - begin < 2


def test_no_time_left_asks_nobody(session: requests.Session) -> None:
    with partner(answering(success(STORED_QUERY))) as stub:
        for row, request in ((STORED_QUERY, QUERY), (RETRIEVE, RETRIEVAL)):
            with pytest.raises(Unreachable, match="no time left"):
                Caller(row, stub.address, session)(request, Call.internal(0))
        assert stub.connections == 0


TOO_MUCH = {
    "envelope": (Limits(envelope=2000), inline, "more than 2000 bytes in the envelope"),
    "one document": (Limits(document=2), attached, "one document above 2 bytes"),
    "inline document": (Limits(document=2), inline, "one document above 2 bytes"),
    "all documents": (Limits(submission=5), mixed, "all documents above 5 bytes"),
    "part headers": (Limits(part_header_block=10), attached, "above 10 bytes"),
}


@pytest.mark.proves("SEC-T-167")
@pytest.mark.parametrize(("limits", "made", "text"), TOO_MUCH.values(), ids=list(TOO_MUCH))
def test_too_much_is_refused_and_nothing_is_left(
    limits: Limits,
    made: Callable[[], tuple[bytes, str]],
    text: str,
    session: requests.Session,
) -> None:
    body, kind = made()
    if "2000" in text:
        body += b" " * 2000
    with partner(answering(lambda _: http(body, kind))) as stub, Spool() as spool:
        with pytest.raises(BrokenAnswer, match=text):
            Caller(RETRIEVE, stub.address, session, spool=spool, limits=limits)(
                RETRIEVAL, Call.internal()
            )
        assert os.listdir(spool.folder) == []


@pytest.mark.proves("SEC-T-039")
def test_more_documents_than_asked_for_are_refused(session: requests.Session) -> None:
    root = envelope(RETRIEVE, retrieved(*(include(f"{n}@x") for n in range(3))))
    body, kind = multipart(root, *((f"{n}@x", b"x") for n in range(3)))
    with partner(answering(lambda _: http(body, kind))) as stub, Spool() as spool:
        with pytest.raises(BrokenAnswer, match="more than 3 parts"):
            Caller(RETRIEVE, stub.address, session, spool=spool)(RETRIEVAL, Call.internal())
        assert os.listdir(spool.folder) == []


def test_missing_part_leaves_nothing_in_the_spool(session: requests.Session) -> None:
    root = envelope(RETRIEVE, retrieved(include("a@x"), include("b@x")))
    body, kind = multipart(root, ("a@x", b"one"))
    with partner(answering(lambda _: http(body, kind))) as stub, Spool() as spool:
        with pytest.raises(BrokenAnswer, match="not in the message"):
            Caller(RETRIEVE, stub.address, session, spool=spool)(RETRIEVAL, Call.internal())
        assert os.listdir(spool.folder) == []


def test_document_that_shrinks_cuts_the_request(session: requests.Session) -> None:
    """A request is never finished cleanly around a document that is not what was promised."""
    cut: list[str] = []

    def act(line: Line) -> None:
        try:
            line.receive()
        except (ConnectionError, TimeoutError) as error:
            cut.append(str(error))

    request = samples.provide(b"x" * 1000, as_source=True)
    (document,) = request.documents
    longer = replace(document, content=Content(2000, document.content.open))
    with partner(act) as stub:
        with pytest.raises(OSError, match="1000 bytes instead of the 2000 promised"):
            Caller(PROVIDE_AND_REGISTER, stub.address, session)(
                replace(request, documents=(longer,)), Call.internal()
            )
        deadline = time.monotonic() + 2
        while not cut and time.monotonic() < deadline:
            time.sleep(0.01)
    assert cut == ["the request was cut"]


def test_answer_given_before_the_request_was_read_is_used(session: requests.Session) -> None:
    """A limit at the partner is told while we still send."""

    def act(line: Line) -> None:
        line.sock.recv(1000)
        line.send(
            http(fault("Sender", "too big"), status="413 Too Large", extra="Connection: close\r\n")
        )
        time.sleep(0.3)

    request = samples.provide(b"x" * 5_000_000, as_source=True)
    with partner(act) as stub, pytest.raises(PeerError) as caught:
        Caller(PROVIDE_AND_REGISTER, stub.address, session)(request, Call.internal())
    # whether the answer survives the reset of the connection is up to the network
    assert isinstance(caught.value, Faulted | Unreachable)


@pytest.mark.proves("SEC-T-166")
def test_environment_and_cookies_change_nothing(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    seen: list[Received] = []

    def make(request: Received) -> bytes:
        return http(envelope(STORED_QUERY, QUERIED), extra="Set-Cookie: a=b\r\n")

    with partner(answering(make, seen)) as stub:
        caller = Caller(STORED_QUERY, stub.address, session)
        for _ in range(2):
            caller(QUERY, Call.internal())
    assert [request.line for request in seen] == ["POST /actor HTTP/1.1"] * 2
    assert not [request for request in seen if "cookie" in request.head]
    assert seen[0].head["user-agent"] == "xdsi"


@pytest.mark.parametrize(
    "address",
    ["", "registry", "file:///etc/passwd", "ftp://x/y", "http:///registry", "http://a:b@x/y"],
)
def test_address_must_be_one_of_a_partner(address: str, session: requests.Session) -> None:
    with pytest.raises(ValueError, match="no http or https address"):
        Caller(STORED_QUERY, address, session)


class Stamp(Plugin):  # type: ignore[misc]
    """Adds a header block and an HTTP header, as an assertion or a trace id would be."""

    def egress(self, envelope: Any, http_headers: Any, operation: Any, options: Any) -> Any:
        block = etree.SubElement(envelope.find(ns.tag(ns.SOAP12, "Header")), "{urn:example:p}Stamp")
        block.text = operation.name + " " + options["address"]
        return envelope, {**http_headers, "X-Stamp": "1"}


class Meddler(Plugin):  # type: ignore[misc]
    """Puts something into the body, which is not there yet."""

    def egress(self, envelope: Any, http_headers: Any, operation: Any, options: Any) -> Any:
        etree.SubElement(envelope.find(ns.tag(ns.SOAP12, "Body")), "surprise")


def test_plugin_must_leave_the_body_alone(session: requests.Session) -> None:
    caller = Caller(STORED_QUERY, "http://127.0.0.1:9/x", session, plugins=[Meddler()])
    with pytest.raises(ValueError, match="body of the envelope"):
        caller(QUERY, Call.internal())


def test_operation_outside_our_contracts_is_told_at_once(session: requests.Session) -> None:
    row = replace(STORED_QUERY, operation="DocumentRegistry_Unheard-of")
    with pytest.raises(LookupError, match="no contract has the operation"):
        Caller(row, "http://127.0.0.1:9/x", session)


def test_zeep_plugins_see_head_and_answer(session: requests.Session) -> None:
    seen: list[Received] = []
    history = HistoryPlugin()
    with partner(answering(success(REGISTER), seen)) as stub:
        caller = Caller(REGISTER, stub.address, session, plugins=[Stamp(), history])
        submission = samples.submission()
        assert caller(submission, Call.internal()) == RegistryAnswer()
    (request,) = seen
    stamp = etree.fromstring(request.body).findtext(f"{{{ns.SOAP12}}}Header/{{urn:example:p}}Stamp")
    assert stamp == f"{REGISTER.operation} {stub.address}"
    assert request.head["x-stamp"] == "1"
    assert CODECS[REGISTER.id].read_request(body_of(request), {}) == submission
    received = history.last_received["envelope"]
    assert received.find(f".//{ns.tag(ns.RS, 'RegistryResponse')}") is not None
