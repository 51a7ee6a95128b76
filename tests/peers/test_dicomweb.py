"""An archive elsewhere: what it holds, how its bytes are passed on, and all that it does wrong."""

import gc
import itertools
import subprocess
import sys
from contextlib import suppress
from queue import Queue

import pytest

from tests.peers import pacs
from tests.peers.pacs import (
    END,
    EXPLICIT,
    LIMITS,
    SERIES,
    SOURCE,
    STUDY,
    Answer,
    Pacs,
    archive,
    call,
    dicom,
    everything,
    held,
    request,
    uid,
)
from tests.peers.stub import Line, http
from xdsi.actors.imaging import rad69
from xdsi.actors.imaging.source import Source
from xdsi.config import Limits
from xdsi.model.messages import Content
from xdsi.peers import delivery
from xdsi.peers.delivery import AHEAD
from xdsi.plug import ArchiveBusy, ArchiveError, Call

FILES = {number: dicom(number) for number in range(1, 9)}
LARGE = {number: dicom(number, 1 << 20) for number in range(1, 5)}
DEMANDING = Limits(body_grace=0.3, body_rate=900_000)


# How an instance may be sent --------------------------------------------------------------------


def bare(line: Line, content: bytes) -> None:
    line.send(http(content, "application/dicom"))


def chunked(line: Line, content: bytes) -> None:
    body = pacs.part(content) + END
    line.send(pacs.head())
    for at in range(0, len(body), 7_001):
        line.send(pacs.chunk(body[at : at + 7_001]))
    line.send(b"0\r\n\r\n")


def without_last_line_end(line: Line, content: bytes) -> None:
    line.send(http(pacs.part(content) + END.rstrip(), pacs.RELATED))


def with_preamble(line: Line, content: bytes) -> None:
    line.send(http(b"for old readers\r\n" + pacs.part(content) + END, pacs.RELATED))


@pytest.mark.proves("IMG-161", "IMG-175", "UC-125")
@pytest.mark.parametrize("sent", [pacs.whole, bare, chunked, without_last_line_end, with_preamble])
def test_an_instance_is_passed_on_octet_by_octet(sent: Answer) -> None:
    with Pacs(LARGE, {1: sent}) as there, archive(there) as ours:
        assert everything(ours.open(held(1), call())) == LARGE[1]
        with ours.file(held(1), call()) as file:
            assert file.read() == LARGE[1]
            file.seek(128)
            assert file.read(4) == b"DICM"
        (asked, _) = (each.head["accept"] for each in there.asked)
        assert asked == 'multipart/related; type="application/dicom"; transfer-syntax=*'


# What is wrong at once --------------------------------------------------------------------------


def answering(body: bytes, kind: str = pacs.RELATED, extra: str = "") -> Answer:
    return lambda line, _: line.send(http(body, kind, extra=extra))


def endless_by_nature(line: Line, content: bytes) -> None:
    line.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\n\r\n" + content)
    line.sock.close()


def no_answer(line: Line, content: bytes) -> None:
    line.sock.close()


def silent(line: Line, content: bytes) -> None:
    line.receive()


REFUSED = {
    "unauthorized": (pacs.status(401), "HTTP 401; it does not let us in"),
    "forbidden": (pacs.status(403), "HTTP 403; it does not let us in"),
    "gone": (pacs.status(410), "HTTP 410"),
    "unknown": (pacs.status(404), "HTTP 404"),
    "not as stored": (pacs.status(406), "HTTP 406"),
    "broken": (pacs.status(500), "HTTP 500"),
    "redirect": (
        pacs.status(302, "Location: http://127.0.0.1:9/\r\n"),
        "HTTP 302; redirects are never followed",
    ),
    "page": (answering(b"<html>welcome</html>", "text/html"), "it sends 'text/html'"),
    "page in a part": (
        answering(pacs.part(b"<html></html>", "text/html") + END),
        "a part of its answer is 'text/html'",
    ),
    "no type": (
        lambda line, content: line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        "it sends no Content-Type",
    ),
    "no boundary": (answering(b"", "multipart/related"), "it sends 'multipart/related'"),
    "other boundary": (answering(b"--x\r\n\r\n--x--\r\n"), "the boundary named in Content-Type"),
    "no part": (answering(END), "the body has no part"),
    "another instance": (answering(pacs.part(FILES[7]) + END), "it sends another instance"),
    "no DICOM": (answering(pacs.part(b"x" * 500) + END), "is no DICOM file"),
    "empty": (answering(pacs.part(b"") + END), "is no DICOM file"),
    "packed": (
        answering(b"\x1f\x8b", pacs.RELATED, "Content-Encoding: gzip\r\n"),
        "a packed answer, though none was asked for",
    ),
    "no length": (endless_by_nature, "its answer does not say how long it is"),
    "no answer": (no_answer, "it closed the connection without an answer"),
    "silence": (silent, "it stood still"),
    "no HTTP": (lambda line, _: line.send(b"SSH-2.0-x\r\n\r\n"), "it does not speak HTTP"),
}


@pytest.mark.proves("IMG-118", "SEC-T-048", "SEC-T-166", "SEC-T-167")
@pytest.mark.parametrize(("fault", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_at_once_is_told_before_anything_is_sent(fault: Answer, said: str) -> None:
    with Pacs(FILES, {1: fault}) as there, archive(there) as ours:
        for attempt in (ours.open, ours.file):
            with pytest.raises(ArchiveError) as caught:
                attempt(held(1), call())
            assert said in str(caught.value)
            assert there.base not in str(caught.value)
        assert everything(ours.open(held(2), call())) == FILES[2]


@pytest.mark.proves("IMG-119")
@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_archive_may_be_asked_again(code: int) -> None:
    with Pacs(FILES, {1: pacs.status(code)}) as there, archive(there) as ours:
        with pytest.raises(ArchiveBusy):
            ours.open(held(1), call())
        there.search = lambda _: http(b"", "text/html", f"{code} Busy")
        with pytest.raises(ArchiveBusy):
            ours.instances(STUDY, SERIES, None, call())


# What is wrong later ----------------------------------------------------------------------------


def stops(line: Line, content: bytes) -> None:
    body = pacs.part(content) + END
    line.send(http(body, pacs.RELATED)[:-300_000])
    line.sock.close()


def stops_between_chunks(line: Line, content: bytes) -> None:
    line.send(pacs.head() + pacs.chunk(pacs.part(content)[:500_000]))
    line.sock.close()


def no_final_boundary(line: Line, content: bytes) -> None:
    line.send(http(pacs.part(content), pacs.RELATED))


def falls_silent(line: Line, content: bytes) -> None:
    line.send(http(pacs.part(content) + END, pacs.RELATED)[:500_000])
    line.receive()


def drips(line: Line, content: bytes) -> None:
    body = http(pacs.part(content) + END, pacs.RELATED)
    line.send(body[:200_000])
    for at in itertools.count(200_000, 100):
        line.send(body[at : at + 100])
        line.sock.settimeout(0.05)
        try:
            if not line.sock.recv(1):
                return
        except TimeoutError:
            pass


def endless(line: Line, content: bytes) -> None:
    line.send(pacs.head() + pacs.chunk(pacs.part(content)[:-2]))
    while True:
        line.send(pacs.chunk(bytes(pacs.CHUNK)))


def endless_behind_the_end(line: Line, content: bytes) -> None:
    line.send(pacs.head() + pacs.chunk(pacs.part(content) + END))
    while True:
        line.send(pacs.chunk(bytes(pacs.CHUNK)))


def two_parts(line: Line, content: bytes) -> None:
    line.send(http(pacs.part(content) + pacs.part(content) + END, pacs.RELATED))


LATER = {
    "stops": (stops, "ended early"),
    "stops between chunks": (stops_between_chunks, "the archive did not send it to its end"),
    "no final boundary": (no_final_boundary, "ends before its final boundary"),
    "falls silent": (falls_silent, "it stood still"),
    "endless": (endless, "above 2097152 bytes"),
    "endless behind the end": (endless_behind_the_end, "does not end where its last file ends"),
    "two parts": (two_parts, "more than 1 parts"),
}


@pytest.mark.proves("SEC-T-029", "SEC-T-032", "SEC-T-048", "SEC-T-167")
@pytest.mark.parametrize(("fault", "said"), LATER.values(), ids=LATER)
def test_what_breaks_off_never_ends_cleanly(fault: Answer, said: str) -> None:
    with Pacs(LARGE, {1: fault}) as there, archive(there) as ours:
        content = ours.open(held(1), call())
        with pytest.raises(OSError, match=said):
            everything(content)
        with pytest.raises(ArchiveError, match=said):
            ours.file(held(1), call())
        assert everything(ours.open(held(2), call())) == LARGE[2]
        assert ours._room.taken == 0


@pytest.mark.proves("SEC-T-032", "SEC-T-048")
def test_an_archive_that_drips_is_given_up() -> None:
    with Pacs(LARGE, {1: drips}) as there, archive(there, limits=DEMANDING) as ours:
        content = ours.open(held(1), call())
        with pytest.raises(OSError, match="below 900000 bytes per second"):
            everything(content)


@pytest.mark.proves("SEC-T-048")
def test_a_slow_client_is_no_fault_of_the_archive() -> None:
    """It reads once in a while; the archive would have sent at once."""
    now = [0.0]
    with Pacs(LARGE) as there, archive(there) as ours, pytest.MonkeyPatch.context() as patch:
        content = ours.open(held(1), call())
        patch.setattr("xdsi.peers.session.monotonic", lambda: now[0])
        patch.setattr("xdsi.peers.wado.monotonic", lambda: now[0])
        patch.setattr("xdsi.peers.delivery.monotonic", lambda: now[0])
        reader, got = content.open(), b""
        while block := reader.read(100_000):
            got += block
            now[0] += 1_000
        reader.close()
        assert got == LARGE[1]


def test_a_caller_who_has_gone_ends_it() -> None:
    gone = [False]
    with Pacs(LARGE, {1: drips}) as there, archive(there) as ours:
        content = ours.open(held(1), Call("t", float("inf"), cancelled=lambda: gone[0]))
        reader = content.open()
        assert reader.read(10)
        gone[0] = True
        with pytest.raises(OSError, match="the caller has gone"):
            everything(Content(None, lambda: reader))


# RAD-69 -----------------------------------------------------------------------------------------


@pytest.mark.proves("IMG-092", "IMG-093", "IMG-096", "IMG-118", "UC-125")
def test_streamed_what_stops_cuts_the_answer_and_is_told_when_it_is_asked_again() -> None:
    files = {n: dicom(n, 1 << 20) for n in range(1, 8)}
    with Pacs(files, {6: stops}) as there, archive(there) as ours:
        source = Source(SOURCE, ours, LIMITS)
        first = rad69.retrieve(request(*files), call(), source)
        assert not first.errors
        sending = (everything(each.content) for each in first.documents)
        assert [*itertools.islice(sending, 5)] == [files[n] for n in range(1, 6)]
        with pytest.raises(OSError, match="ended early"):
            next(sending)
        again = rad69.retrieve(request(*files), call(), source)
        assert [(e.code, e.location, e.rule) for e in again.errors] == [
            ("XDSRepositoryError", uid(6), "RET-037")
        ]
        assert [everything(each.content) for each in again.documents] == [
            files[n] for n in files if n != 6
        ]


@pytest.mark.proves("IMG-092", "IMG-093", "IMG-118", "UC-125")
def test_spooled_what_stops_is_told_and_all_others_come() -> None:
    files = {n: dicom(n, 1 << 20) for n in range(1, 8)}
    faults = {3: stops, 4: pacs.status(503), 6: no_final_boundary}
    with Pacs(files, faults) as there, archive(there, relay="spool") as ours:
        source = Source(SOURCE, ours, LIMITS)
        answer = rad69.retrieve(request(*files), call(), source)
        assert [(e.code, e.location) for e in answer.errors] == [
            ("XDSRepositoryError", uid(3)),
            ("XDSRepositoryBusy", uid(4)),
            ("XDSRepositoryError", uid(6)),
        ]
        good = [files[n] for n in files if n not in faults]
        assert [each.content.size for each in answer.documents] == [len(each) for each in good]
        assert ours._room.taken == sum(map(len, good))
        assert [everything(each.content) for each in answer.documents] == good
        del answer
        gc.collect()
        assert ours._room.taken == 0


def test_what_has_no_room_is_streamed() -> None:
    with Pacs(LARGE) as there, archive(there, relay="spool", spool_bytes=2_500_000) as ours:
        answer = rad69.retrieve(request(*LARGE), call(), Source(SOURCE, ours, LIMITS))
        assert not answer.errors
        sizes = [each.content.size for each in answer.documents]
        assert sizes == [len(LARGE[1]), len(LARGE[2]), None, None]
        assert [everything(each.content) for each in answer.documents] == [*LARGE.values()]
        with pytest.raises(ArchiveBusy, match="more than 2500000 bytes in temporary files"):
            ours.file(held(1), call())


@pytest.mark.parametrize("read", [0, 1, 3])
def test_an_answer_that_is_cut_leaves_nothing_open(read: int) -> None:
    begun: list[int] = []
    ended: Queue[int] = Queue()

    def half(line: Line, content: bytes) -> None:
        begun.append(line.number)
        line.send(http(pacs.part(content) + END, pacs.RELATED)[:200_000])
        with suppress(ConnectionResetError):  # there was more to read
            assert line.sock.recv(1) == b""
        ended.put(line.number)

    with Pacs(LARGE, dict.fromkeys(LARGE, half)) as there, archive(there) as ours:
        answer = rad69.retrieve(request(*LARGE), call(), Source(SOURCE, ours, LIMITS))
        readers = [each.content.open() for each in answer.documents[:read]]
        while readers:
            readers[-1].read(1_000)
            readers.pop().close()
        del answer
        gc.collect()
        assert len(begun) >= len(LARGE)
        assert sorted(ended.get(timeout=5) for _ in begun) == sorted(begun)


# Connections and reading ahead ------------------------------------------------------------------


def test_connections_are_kept() -> None:
    with Pacs({n: dicom(n) for n in range(1, 41)}) as there, archive(there) as ours:
        for _ in range(2):
            answer = rad69.retrieve(request(*there.files), call(), Source(SOURCE, ours, LIMITS))
            for each in answer.documents:
                everything(each.content)
        assert there.stub.connections <= 2 * AHEAD + 2
        searches = [path for path in there.paths if "?" in path]
        assert len(searches) == 1  # however many instances; the second request knows the series
        assert len(there.wanted) <= 2 * len(there.files) + 2


def test_the_next_instances_are_asked_for_while_one_is_sent() -> None:
    files = {n: dicom(n) for n in range(1, 21)}
    with Pacs(files) as there, archive(there) as ours:
        one = call()
        contents = [ours.open(held(n, EXPLICIT), one) for n in files]
        assert there.wanted == [*range(1, AHEAD + 1)]  # those whose errors can be told
        everything(contents[0])
        assert everything(contents[1]) == files[2]
        ours._threads.submit(int).result()
        assert set(there.wanted) <= {*range(1, AHEAD + 3)}
        assert [everything(each) for each in contents[2:]] == [*files.values()][2:]
        assert sorted(there.wanted) == [*files]


def test_what_waited_long_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        one = call()
        contents = [ours.open(held(n), one) for n in (1, 2)]
        now = delivery.monotonic()
        monkeypatch.setattr(delivery, "monotonic", lambda: now + 60)
        assert [everything(each) for each in contents] == [FILES[1], FILES[2]]
        assert there.wanted == [1, 2, 1, 2]


def test_content_may_be_read_more_than_once() -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        content = ours.open(held(1), call())
        assert [everything(content), everything(content)] == [FILES[1]] * 2


# Memory -----------------------------------------------------------------------------------------


def growth(base: str, number: int) -> int:
    """Octets of memory that reading one instance costs a process at most."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.peers.reading", base, str(number)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.proves("IMG-175", "SEC-T-041")
def test_memory_does_not_know_the_size_of_an_instance() -> None:
    begin = dicom(2, 1 << 20)
    block = pacs.chunk(bytes(1 << 20))

    def large(line: Line, content: bytes) -> None:
        line.send(pacs.head() + pacs.chunk(pacs.part(begin)[:-2]))
        for _ in range(300):
            line.send(block)
        line.send(pacs.chunk(b"\r\n" + END) + b"0\r\n\r\n")

    with Pacs({1: dicom(1, 1 << 20), 2: begin}, {2: large}) as there:
        assert growth(there.base, 2) - growth(there.base, 1) < 4 << 20
