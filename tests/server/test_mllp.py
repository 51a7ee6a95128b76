"""The HL7 v2 listener: real connections, good messages, bad ones and no messages at all."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.client import MLLPClient

from tests.feed import SENDER, Mllp, adt
from tests.node import free_port
from tests.server import dialect
from tests.server.conftest import RunningNode, finish, start
from tests.server.dialect import SECRET
from xdsi.config import Limits, Server
from xdsi.model.identity import Acknowledgement
from xdsi.plug import Feed
from xdsi.server import application, record
from xdsi.server.mllp import Mllp as Listener
from xdsi.wire.mllp import END, START, framed

LIMITS = {
    "feed_message": 20_000,
    "feed_seconds": 1.0,
    "feed_idle": 2.0,
    "in_flight": 3,
}


class Feeding:
    """A node with a feed."""

    def __init__(self, node: RunningNode, port: int) -> None:
        self.node, self.port = node, port

    def connect(self) -> Mllp:
        return Mllp(self.port)

    def lines(self, control_id: str) -> list[dict[str, Any]]:
        """Log lines of a message; waits for one."""
        assert dialect.wait_for(lambda: any(control_id in e.get("ids", ()) for e in self.node.log))
        return [each for each in self.node.log if control_id in each.get("ids", ())]

    def has_told(self, problem: str) -> bool:
        return dialect.wait_for(
            lambda: any(problem in str(each.get("problem")) for each in self.node.log)
        )

    def is_well(self) -> bool:
        with self.connect() as feed:
            return feed.ask(adt("A01", "well")).code == "AA"


@pytest.fixture(scope="module")
def feeding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feeding]:
    port = free_port()
    node = start(tmp_path_factory.mktemp("feeding"), feed=port, limits=LIMITS)
    yield Feeding(node, port)
    finish(node)


@pytest.fixture
def make_feeding(make_node: Callable[..., RunningNode]) -> Callable[..., Feeding]:
    def make(**options: Any) -> Feeding:
        port = free_port()
        return Feeding(make_node(feed=port, **options), port)

    return make


@pytest.mark.proves("PIF-010", "PIF-051")
def test_messages_of_a_connection_are_answered_in_order(feeding: Feeding) -> None:
    messages = [adt("A01", "slow:0.2", f10="FIRST"), adt("A04", "2", f10="SECOND"),
                adt("A08", "unknown", f10="THIRD"), adt("A01", "4", f10="FOURTH")]  # fmt: skip
    with feeding.connect() as feed:
        feed.send(b"".join(framed(each.encode()) for each in messages))
        answers = [feed.receive() for _ in messages]
    told = [(each.code, each.control_id) for each in answers if each is not None]
    assert told == [("AA", "FIRST"), ("AA", "SECOND"), ("AE", "THIRD"), ("AA", "FOURTH")]


@pytest.mark.proves("PIF-010")
@pytest.mark.parametrize("size", [1, 7])
def test_a_message_may_come_in_pieces(feeding: Feeding, size: int) -> None:
    data = framed(adt("A01", "1").encode())
    with feeding.connect() as feed:
        for at in range(0, len(data), size):
            feed.send(data[at : at + size])
        answer = feed.receive()
    assert answer is not None and answer.code == "AA"


def test_a_foreign_client_is_understood(feeding: Feeding) -> None:
    """That of the library, which frames and reads by itself."""
    with MLLPClient("127.0.0.1", feeding.port) as client:
        for control_id in ("ONE", "TWO"):
            answer = client.send_message(hl7.parse(adt("A01", "1", f10=control_id)))
            parsed = hl7.parse(answer.strip(b"\x0b\x1c\r").decode())
            assert [str(each) for each in parsed.segment("MSA")] == ["MSA", "AA", control_id]


# what the handler does -> (code, condition, status in the log)
OUTCOMES = {
    "1": ("AA", None, "Success"),
    "unknown": ("AE", "204", "Failure"),
    "busy": ("AR", "207", "Failure"),
    "raise": ("AR", "207", "refused"),
    "group-mixed": ("AR", "207", "refused"),
}


@pytest.mark.proves("PIF-053", "PIF-055", "SEC-T-057", "SEC-T-058")
@pytest.mark.parametrize("name", OUTCOMES)
def test_whatever_the_handler_does_is_acknowledged(feeding: Feeding, name: str) -> None:
    code, condition, status = OUTCOMES[name]
    with feeding.connect() as feed:
        answer = feed.ask(adt("A01", name, f10=f"DOES-{name}"))
        assert (answer.code, answer.control_id) == (code, f"DOES-{name}")
        assert [number for _, number in answer.conditions] == ([condition] if condition else [])
        assert SECRET not in answer.text and "Traceback" not in answer.text
        assert feed.ask(adt("A01", "1")).code == "AA"
    (line,) = feeding.lines(f"DOES-{name}")
    assert (line["transaction"], line["method"], line["status"]) == ("ITI-8", "MLLP", status)
    assert line["peer"] == "127.0.0.1" and line["ms"] > 0
    assert line["bytes_in"] > 100 and line["bytes_out"] > 60
    if "incident" in answer.text:
        assert line["ticket"] in answer.text
        feeding.node.line(line["ticket"], "incident")


@pytest.mark.proves("PIF-052", "PIF-055", "SEC-T-059")
def test_a_message_that_is_none_is_rejected_and_the_connection_goes_on(feeding: Feeding) -> None:
    with feeding.connect() as feed:
        for broken in ("", "MSH", "nonsense", "\x00\xff"):
            answer = feed.ask(broken)
            assert (answer.code, answer.control_id) == ("AR", "")
        answer = feed.ask(adt("A03", "Secret Name", name="Secret^Name", f10="CONTROL\x1b[31m"))
        assert answer.code == "AR" and answer.conditions == [("MSH^1^9^1^2", "201")]
        assert feed.ask(adt("A01", "1")).code == "AA"
    assert feeding.lines("CONTROL\\u001b[31m")[0]["status"] == "refused"
    assert "Secret" not in feeding.node.log_file.read_text()


BROKEN = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "0x0B", None),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "0x0B", None),
    "bare message": (adt("A01", "1").encode(), "0x0B", None),
    "endless": (START + adt("A01", "1", f10="LONG").encode() + b"x" * 30_000, "longer", "LONG"),
    "start inside": (START + adt("A01", "1", f10="INSIDE").encode() + START, "inside", "INSIDE"),
    "end without CR": (START + adt("A01", "1", f10="NOCR").encode() + b"\x1cX", "0x1C", "NOCR"),
}


@pytest.mark.proves("PIF-010", "PIF-055")
@pytest.mark.parametrize(("data", "problem", "control_id"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_frame_ends_the_connection(
    feeding: Feeding, data: bytes, problem: str, control_id: str | None
) -> None:
    with feeding.connect() as feed:
        assert feed.ask(adt("A01", "1")).code == "AA"
        feed.send(data)
        if control_id is not None:
            answer = feed.receive()
            assert answer is not None
            assert (answer.code, answer.control_id) == ("AR", control_id)
            assert answer.conditions == [("", "100")]
        assert feed.receive() is None
    assert feeding.has_told(problem)
    assert feeding.is_well()
    assert [each for each in feeding.node.log if each["event"] == "log"] == []


@pytest.mark.proves("PIF-055")
def test_the_answer_arrives_while_the_sender_still_sends(feeding: Feeding) -> None:
    with feeding.connect() as feed:
        sent = START + adt("A01", "1", f10="ENDLESS").encode() + b"x" * 8_000_000
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(feed.send, sent)
            answer = feed.receive()
            sending.result()
    assert answer is not None and (answer.code, answer.control_id) == ("AR", "ENDLESS")


@pytest.mark.proves("SEC-T-161")
def test_slow_and_idle_connections_are_closed(feeding: Feeding) -> None:
    with feeding.connect() as idle, feeding.connect() as slow:
        before = time.monotonic()
        slow.send(START + b"MSH|")
        assert slow.receive() is None
        assert 0.8 < time.monotonic() - before < 1.9
        assert idle.receive() is None
        assert 1.8 < time.monotonic() - before < 6
    assert feeding.has_told("longer than 1 s")
    with feeding.connect() as dripping:
        before = time.monotonic()
        dripping.send(START)
        while time.monotonic() - before < 5 and not _is_closed(dripping):
            with suppress(OSError):
                dripping.send(b"x")
            time.sleep(0.1)
        assert time.monotonic() - before < 3
    assert feeding.is_well()


def _is_closed(feed: Mllp) -> bool:
    """Whether the node has closed a connection that it has not answered on."""
    feed.socket.setblocking(False)
    try:
        return feed.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        feed.socket.settimeout(20)


def test_a_connection_that_breaks_off_leaves_nothing(feeding: Feeding) -> None:
    for rest in (b"", START, START + b"MSH|^~\\&|", framed(adt("A01", "slow:0.2").encode())):
        feed = feeding.connect()
        feed.send(rest)
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        feed.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        feed.close()
    assert dialect.wait_for(lambda: _answers(feeding))
    assert [each for each in feeding.node.log if each["event"] == "log"] == []


def test_connections_are_bounded(make_feeding: Callable[..., Feeding]) -> None:
    feeding = make_feeding(limits={"feed_connections": 3})
    with ExitStack() as held:
        for _ in range(3):
            feed = held.enter_context(feeding.connect())
            assert feed.ask(adt("A01", "1")).code == "AA"
        with feeding.connect() as refused:
            assert refused.receive() is None
    assert dialect.wait_for(lambda: _answers(feeding))


def _answers(feeding: Feeding) -> bool:
    with feeding.connect() as feed:
        feed.send(framed(adt("A01", "1").encode()))
        try:
            return feed.receive() is not None
        except OSError:
            return False


@pytest.mark.proves("SEC-T-049")
def test_more_than_can_be_worked_on_is_rejected(make_feeding: Callable[..., Feeding]) -> None:
    feeding = make_feeding(limits={"in_flight": 1})

    def ask(_: int) -> str:
        with feeding.connect() as feed:
            return feed.ask(adt("A01", "slow:0.7")).code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, range(4))) == ["AA", "AR", "AR", "AR"]


@pytest.mark.proves("PIF-005")
def test_only_listed_senders_are_heard(make_feeding: Callable[..., Feeding]) -> None:
    feeding = make_feeding(senders=[SENDER])
    with feeding.connect() as feed:
        assert feed.ask(adt("A01", "1")).code == "AA"
        answer = feed.ask(adt("A01", "1", f4="ELSEWHERE"))
        assert answer.code == "AR" and answer.conditions == [("MSH^1^3", "207")]


@pytest.mark.proves("SEC-T-164")
@pytest.mark.parametrize(
    ("peer", "proxies", "admitted"),
    [
        ("127.0.0.1", (), True),
        ("::1", (), True),
        ("10.1.2.3", (), False),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("::ffff:127.0.0.1", (), True),  # of a socket for IPv4 and IPv6
        ("::ffff:10.1.2.3", (), False),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",), True),
        ("11.1.2.3", ("10.0.0.0/8",), False),
    ],
)
def test_without_certificates_the_machine_and_proxies_are_let_in(
    peer: str, proxies: tuple[str, ...], admitted: bool
) -> None:
    limits, server = Limits(), Server(proxies=proxies)
    node = application((), server, limits)
    listener = Listener(Feed(lambda event, call: Acknowledgement()), node, server, limits)
    assert listener.admits(peer) is admitted
    node.rest()


@pytest.mark.proves("SEC-T-019")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_message_in_work_is_answered_before_the_node_ends(
    make_feeding: Callable[..., Feeding], workers: int
) -> None:
    feeding = make_feeding(server={"workers": workers})
    with feeding.connect() as idle, feeding.connect() as working:
        assert idle.ask(adt("A01", "1")).code == "AA"
        working.send(framed(adt("A01", "slow:1").encode()))
        time.sleep(0.3)
        feeding.node.process.send_signal(signal.SIGTERM)
        assert idle.receive() is None
        assert dialect.wait_for(lambda: _is_refused(feeding))
        answer = working.receive()
        assert answer is not None and answer.code == "AA"
        assert working.receive() is None
    assert feeding.node.process.wait(10) == 0


def _is_refused(feeding: Feeding) -> bool:
    try:
        feeding.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def test_feed_is_counted(feeding: Feeding) -> None:
    assert feeding.is_well()
    text = feeding.node.get("/metrics").body.decode()
    assert 'xdsi_requests_total{http="0",status="Success",transaction="ITI-8"}' in text


def test_messages_are_recorded(make_feeding: Callable[..., Feeding], tmp_path: Path) -> None:
    folder = tmp_path / "record"
    feeding = make_feeding(server={"record": str(folder)})
    message = adt("A01", "unknown", name="Ex\xe4mple^Erika")
    with feeding.connect() as feed:
        told = feed.ask(message)
        assert feed.ask("nonsense").code == "AR"
    assert dialect.wait_for(lambda: len(list(folder.glob("*.txt"))) == 2)
    files = sorted(folder.glob("*-ITI-8-*.txt"))
    first, second = map(record.load, files)
    assert first.request == message.encode() and first.answer.decode() == told.text
    assert first.facts["status"] == "Failure"
    assert first.facts["findings"] == ["XDSUnknownPatientId: id: is not known [PIF-032]"]
    assert (second.request, second.facts["status"]) == (b"nonsense", "refused")
    assert second.facts["findings"][0].startswith("100: ")
    with pytest.raises(ValueError, match="MLLP client"):
        record.message(first)


def test_a_taken_port_is_told_in_one_sentence(make_node: Callable[..., RunningNode]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        node = make_node(feed=taken.getsockname()[1], wait=False)
        assert node.process.wait(20) != 0
    assert "registry.feed_port: cannot listen on 127.0.0.1:" in node.log_file.read_text()


def test_frames_end_where_they_say(feeding: Feeding) -> None:
    with feeding.connect() as feed:
        feed.send(START + adt("A01", "1").encode())
        feed.send(END[:1])
        time.sleep(0.1)
        feed.send(END[1:])
        answer = feed.receive()
    assert answer is not None and answer.code == "AA"
