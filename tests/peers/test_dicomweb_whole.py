"""WADO-RS of a study or series through an archive elsewhere: its own answer, made whole."""

import gc
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from queue import Queue

import pytest

from tests.peers import pacs
from tests.peers.pacs import (
    EXPLICIT,
    LIMITS,
    SERIES,
    SOURCE,
    STUDY,
    Pacs,
    all_of,
    archive,
    call,
    dicom,
    everything,
    uid,
)
from tests.peers.stub import Line
from tests.peers.test_dicomweb_series import FAULTS, FILES, LARGE, ORDERS, lacking, stops_at
from xdsi.actors.imaging import rad107
from xdsi.actors.imaging.source import Source
from xdsi.actors.imaging.web import Place, Web
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.plug import ArchiveError

AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def web(ours: DicomWebArchive) -> Web:
    return Web(Source(SOURCE, ours, LIMITS), "http://node.example/dicom-web")


def asked(node: Web, series: str = SERIES, accept: str = AS_STORED) -> WebAnswer:
    request = WebRequest("GET", (), headers={"accept": accept})
    return rad107.instances(request, call(), Place(STUDY, series), node)


def blocks(answer: WebAnswer) -> Iterator[bytes]:
    for piece in answer.body:
        if isinstance(piece, bytes):
            yield piece
            continue
        reader = piece.open()
        try:
            while block := reader.read(50_000):
                yield block
        finally:
            reader.close()


def files(answer: WebAnswer) -> list[bytes]:
    """The parts of the answer, which must be whole."""
    found = re.search(r'boundary="([^"]+)"', answer.media_type)
    assert found
    body = b"".join(blocks(answer))
    delimiter = b"\r\n--" + found[1].encode()
    before, *parts, end = body.split(delimiter)
    assert (before, end) == (b"", b"--\r\n")
    heads, _, contents = zip(*(part.partition(b"\r\n\r\n") for part in parts), strict=True)
    kinds, _, _ = zip(*(head.partition(b"\r\nContent-Length: ") for head in heads), strict=True)
    assert set(kinds) == {b"\r\nContent-Type: application/dicom"}
    return list(contents)


@pytest.mark.proves("IMG-161", "IMG-175", "UC-125")
@pytest.mark.parametrize("series", ORDERS.values(), ids=ORDERS)
def test_a_series_is_passed_on_as_it_comes_and_nothing_is_asked_before(series: pacs.Answer) -> None:
    with Pacs(FILES, series=series) as there, archive(there) as ours:
        assert sorted(files(asked(web(ours)))) == sorted([*FILES.values(), *OTHERS.get(series, [])])
        assert there.paths == [f"/studies/{STUDY}/series/{SERIES}"]


# of the same series, and so no strangers
OTHERS = {ORDERS["with others"]: [dicom(98), dicom(99)]}


@pytest.mark.proves("IMG-161")
def test_who_names_a_transfer_syntax_is_told_before_what_can_be_sent() -> None:
    wanted = AS_STORED.replace("*", EXPLICIT)
    with Pacs(FILES, series=all_of) as there, archive(there) as ours:
        assert files(asked(web(ours), accept=wanted)) == [*FILES.values()]
        assert there.paths[0].startswith(f"/studies/{STUDY}/series/{SERIES}/instances?")


@pytest.mark.proves("IMG-161")
def test_each_series_of_a_study_comes_in_one_answer() -> None:
    wanted = AS_STORED.replace("*", EXPLICIT)
    with Pacs(FILES, series=all_of) as there, archive(there) as ours:
        assert files(asked(web(ours), "", wanted)) == [*FILES.values()]
        assert (there.whole_series, sorted(there.wanted)) == (1, [1, 20])


def test_an_archive_may_have_said_that_something_is_left_out() -> None:
    def partly(line: Line, contents: list[bytes]) -> None:
        body = b"".join(map(pacs.part, contents[:3])) + pacs.END
        line.send(pacs.http(body, pacs.RELATED, "206 Partial Content"))

    with Pacs(FILES, series=partly) as there, archive(there) as ours:
        assert files(asked(web(ours))) == [*FILES.values()]


def test_what_a_whole_answer_lacks_is_not_there() -> None:
    with Pacs(FILES, series=lacking) as there, archive(there) as ours:
        assert len(files(asked(web(ours)))) == len(FILES) - 2


@pytest.mark.proves("IMG-118", "SEC-T-167")
@pytest.mark.parametrize(
    "fault", ["stops in front", "page", "not found", "refused", "empty", "garbage"]
)
def test_whatever_is_wrong_with_the_answer_all_come_singly(fault: str) -> None:
    with Pacs(FILES, series=FAULTS[fault]) as there, archive(there) as ours:
        assert files(asked(web(ours))) == [*FILES.values()]
        assert there.whole_series <= 2


def test_a_study_that_is_nowhere_is_not_found() -> None:
    with Pacs({}) as there, archive(there) as ours, pytest.raises(WebError) as refused:
        asked(web(ours))
    assert refused.value.status == 404


@pytest.mark.proves("SEC-T-127", "SEC-T-167")
@pytest.mark.parametrize("big", [False, True], ids=["another study", "behind too much"])
def test_a_file_that_does_not_say_that_it_belongs_there_is_not_passed_on(big: bool) -> None:
    """Whoever looks at these images takes them for this patient's."""
    stranger = dicom(7, StudyInstanceUID="1.2.3", PatientID="TEST-0002")
    if big:
        long = "x" * 9_000
        stranger = dicom(7, AdditionalPatientHistory=long, PatientComments=long)

    def strange(line: Line, contents: list[bytes]) -> None:
        all_of(line, [*contents[:6], stranger, *contents[7:]])

    with Pacs(FILES, series=strange) as there, archive(there) as ours:
        got = files(asked(web(ours)))
        assert stranger not in got
        assert sorted(got) == sorted(FILES.values()), "the right one was asked for singly"
        assert there.wanted.count(7) == 1


def test_a_study_may_have_several_series() -> None:
    other = dicom(21, SeriesInstanceUID=f"{SERIES}.0")
    with Pacs({**FILES, 21: other}, series=all_of) as there, archive(there) as ours:
        whole = ours.whole(STUDY, SERIES, call())
        assert whole is not None
        assert other not in [everything(content) for _, content in whole]


def test_what_breaks_off_is_completed_and_all_behind_it_come_singly() -> None:
    with Pacs(LARGE, series=partial(stops_at, number=8)) as there, archive(there) as ours:
        assert files(asked(web(ours))) == [*LARGE.values()]
        assert there.whole_series == 1
        assert {*range(8, 16)} <= {*there.wanted}


@pytest.mark.proves("IMG-118", "IMG-164", "SEC-T-029")
def test_what_cannot_be_completed_cuts_the_answer_and_all_others_come_next_time() -> None:
    with (
        Pacs(LARGE, {8: pacs.status(500)}, series=partial(stops_at, number=8)) as there,
        archive(there) as ours,
    ):
        node = web(ours)
        got: list[bytes] = []
        with pytest.raises(OSError, match="HTTP 500"):
            got.extend(blocks(asked(node)))
        assert all(LARGE[n] in b"".join(got) for n in range(1, 8))
        again = asked(node)
        assert again.status == 206
        assert uid(8) in dict(again.headers)["Warning"]
        assert files(again) == [content for n, content in LARGE.items() if n != 8]


def test_spooled_is_spooled() -> None:
    with Pacs(FILES, series=all_of) as there, archive(there, relay="spool") as ours:
        assert files(asked(web(ours))) == [*FILES.values()]
        assert there.whole_series == 0


@pytest.mark.parametrize("read", [0, 1, 5])
def test_an_answer_that_is_given_up_lets_the_line_go(read: int) -> None:
    ended: Queue[bytes] = Queue()

    def half(line: Line, contents: list[bytes]) -> None:
        line.send(pacs.head() + pacs.chunk(b"".join(map(pacs.part, contents))[:400_000]))
        with suppress(ConnectionResetError):  # there was more to read
            ended.put(line.sock.recv(1))
            return
        ended.put(b"")

    with Pacs(LARGE, series=half) as there, archive(there) as ours:
        coming = blocks(asked(web(ours)))
        for _ in range(read):
            next(coming)
        del coming
        gc.collect()
        assert ended.get(timeout=5) == b""


@pytest.mark.proves("IMG-118")
def test_where_there_is_no_connection_it_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pacs({}) as there:
        pass
    with archive(there) as ours:
        node, tried = web(ours), list[str]()
        session = ours._web.session
        request = session.request
        monkeypatch.setattr(
            session,
            "request",
            lambda *args, **more: tried.append(args[0]) or request(*args, **more),
        )
        with pytest.raises(ArchiveError, match="Connection refused"):
            asked(node)
        assert tried == ["GET"]
