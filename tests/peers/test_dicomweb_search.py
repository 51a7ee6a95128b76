"""An archive elsewhere: what it says it holds, and whether it lets us in."""

import json
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.peers import pacs
from tests.peers.pacs import (
    CT,
    EXPLICIT,
    IMPLICIT,
    JSON,
    LIMITS,
    SERIES,
    SOURCE,
    STUDY,
    Pacs,
    archive,
    call,
    dicom,
    everything,
    held,
    request,
    uid,
)
from tests.peers.stub import Line, Received, Stub, http
from xdsi.actors.imaging import rad69
from xdsi.actors.imaging.source import Source
from xdsi.peers import dicomweb
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.peers.session import open_session
from xdsi.peers.web import Login, Web
from xdsi.plug import ArchiveBusy, ArchiveError, Call

FILES = {number: dicom(number) for number in range(1, 9)}


def numbers(found: Any) -> list[int]:
    return [int(each.sop_instance_uid.rpartition(".")[2]) for each in found]


# Searching --------------------------------------------------------------------------------------


def test_a_search_is_sorted_and_needs_no_second_request_when_all_is_found() -> None:
    files = {n: FILES[n] for n in (8, 3, 5)}
    with Pacs(files) as there, archive(there) as ours:
        found = ours.instances(STUDY, SERIES, {uid(n) for n in files}, call())
        assert numbers(found) == [3, 5, 8]
        assert [path.partition("?")[0] for path in there.paths if "?" in path] == [
            f"/studies/{STUDY}/series/{SERIES}/instances"
        ]
        assert {(each.sop_class_uid, each.frames) for each in found} == {(CT, 1)}


def test_an_archive_may_tell_a_few_at_a_time() -> None:
    with Pacs(FILES, pages=3) as there, archive(there) as ours:
        assert numbers(ours.instances(STUDY, SERIES, None, call())) == [*FILES]
        assert numbers(ours.instances(STUDY, None, {uid(2), uid(8)}, call())) == [2, 8]


def test_those_who_want_one_series_at_once_are_told_of_it_once() -> None:
    """As several requests of one consumer do; a search may take an archive seconds."""

    def slowly(request: Received) -> bytes:
        time.sleep(0.3)
        return http(rows, JSON)

    with Pacs(FILES) as there, archive(there) as ours, ThreadPoolExecutor(4) as pool:
        rows = json.dumps([there._row(n, every=False) for n in FILES]).encode()
        there.search = slowly
        parts = ({uid(n) for n in list(FILES)[at::4]} for at in range(4))
        asked = [pool.submit(ours.instances, STUDY, SERIES, part, call()) for part in parts]
        assert sorted(n for each in asked for n in numbers(each.result())) == [*FILES]
        assert len([path for path in there.paths if "?" in path]) == 1
        assert len(ours._series.turns) == 0


def test_who_has_no_time_left_does_not_wait_for_others() -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        wanted = {uid(n) for n in FILES}
        with (
            ours._series.turn(STUDY, SERIES, call()),
            pytest.raises(ArchiveBusy, match="others ask it for the same series"),
        ):
            ours.instances(STUDY, SERIES, wanted, Call.internal(0.1))
        assert numbers(ours.instances(STUDY, SERIES, wanted, call())) == [*FILES]


def test_an_archive_that_always_tells_the_same_comes_to_an_end() -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        rows = json.dumps([there._row(n, every=False) for n in (1, 2)]).encode()
        there.search = lambda _: http(rows, JSON)
        assert numbers(ours.instances(STUDY, SERIES, None, call())) == [1, 2]
        assert len([path for path in there.paths if "?" in path]) == 2


def test_an_address_with_nothing_behind_it_is_not_ready() -> None:
    with Pacs(FILES) as there, archive(f"{there.base}/wrong") as ours:
        there.search = lambda _: http(b"", "text/html", "404 Not Found")
        assert "cannot be searched: HTTP 404" in ours.ready()[0]


def test_without_numbers_the_order_is_that_of_the_archive() -> None:
    told = ("0020000D", "0020000E", "00080018", "00080016")
    files = {n: FILES[n] for n in (3, 1, 2)}
    with Pacs(files, told=told, pages=2) as there, archive(there) as ours:
        assert numbers(ours.instances(STUDY, None, None, call())) == [3, 1, 2]


def test_metadata_tell_what_a_search_leaves_out() -> None:
    with Pacs(FILES, told=("00080018",)) as there, archive(there) as ours:
        found = ours.instances(STUDY, SERIES, {uid(1), uid(2)}, call())
        assert numbers(found) == [1, 2]
        assert {each.sop_class_uid for each in found} == {CT}
        assert there.paths[1] == f"/studies/{STUDY}/series/{SERIES}/metadata"


@pytest.mark.parametrize(
    "nothing",
    [http(b"", JSON, "204 No Content"), http(b"[]", JSON), http(b"", "text/html", "404 Not Found")],
    ids=["204", "empty", "404"],
)
def test_nothing_is_told_in_several_ways(nothing: bytes) -> None:
    with Pacs(FILES, search=lambda _: nothing) as there, archive(there) as ours:
        assert ours.instances(STUDY, SERIES, None, call()) == ()


def strange(**values: Any) -> bytes:
    row = {
        "0020000D": STUDY, "0020000E": SERIES, "00080018": uid(1), "00080016": CT, **values
    }  # fmt: skip
    return json.dumps([{k: {"vr": "UI", "Value": [v]} for k, v in row.items()}]).encode()


@pytest.mark.proves("SEC-T-127", "SEC-T-167")
@pytest.mark.parametrize(
    "row",
    [
        {"0020000D": "1.2.3"},
        {"0020000E": "1.2.3"},
        {"00080018": "1.2.3"},
        {"00080018": "../../../etc/passwd"},
        {"00080018": "1." * 40},
        {"00080018": ""},
    ],
    ids=str,
)
def test_what_was_not_asked_for_is_not_taken(row: dict[str, str]) -> None:
    with Pacs(FILES, search=lambda _: http(strange(**row), JSON)) as there, archive(there) as ours:
        assert ours.instances(STUDY, SERIES, {uid(1)}, call()) == ()
        assert not there.wanted


@pytest.mark.proves("SEC-T-127")
@pytest.mark.parametrize(
    "bad", ["..", "../..", "1.2/3", "1.2?x=1", "1.2%2F", "", "x", "1" * 65, "1.2\r\n"]
)
def test_no_identifier_but_a_uid_stands_in_an_address(bad: str) -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        assert ours.instances(bad, SERIES, None, call()) == ()
        assert ours.instances(STUDY, bad or "x", None, call()) == ()
        assert ours.instances(STUDY, SERIES, {bad}, call()) == ()
        assert ours.study(bad, call()) is None
        assert not there.asked


def forever(line: Line) -> None:
    line.receive()
    line.send(pacs.head(JSON) + pacs.chunk(b"["))
    row = strange()[1:-1] + b","
    while True:
        line.send(pacs.chunk(row * 1_000))


SEARCHES = {
    "HTML": (http(b"<html></html>", "text/html"), "is no JSON array"),
    "object": (http(b"{}", JSON), "is no JSON array"),
    "cut": (http(strange()[:-9], JSON), "ends too early"),
    "model": (http(b'[{"00080018": 5}]', JSON), "is not in the DICOM JSON model"),
    "deep": (http(b"[" + b'{"00080018":' * 5_000, JSON), "nests deeper"),
    "redirect": (
        http(b"", JSON, "301 Moved Permanently", "Location: http://127.0.0.1:9/\r\n"),
        "redirects are never followed",
    ),
    "unauthorized": (http(b"", JSON, "401 Unauthorized"), "HTTP 401; it does not let us in"),
    "too many": (http(b"", JSON, "413 Payload Too Large"), "HTTP 413"),
    "two lengths": (http(b"[]", JSON, extra="Content-Length: 9\r\n"), "InvalidHeader"),
}


@pytest.mark.proves("IMG-118", "SEC-T-166", "SEC-T-167")
@pytest.mark.parametrize(("answer", "said"), SEARCHES.values(), ids=SEARCHES)
def test_what_is_no_answer_to_a_search_is_an_error(answer: bytes, said: str) -> None:
    with Pacs(FILES, search=lambda _: answer) as there, archive(there) as ours:
        with pytest.raises(ArchiveError, match=said):
            ours.instances(STUDY, SERIES, None, call())
        assert said in ours.ready()[0]


@pytest.mark.proves("SEC-T-048")
def test_an_endless_search_ends_with_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stub(forever) as there, archive(there.address) as ours:
        with pytest.raises(ArchiveError, match="the time for it is over"):
            ours.instances(STUDY, SERIES, None, Call.internal(0.5))
        monkeypatch.setattr("xdsi.peers.qido._OCTETS", 1_000_000)
        with pytest.raises(ArchiveError, match="above 1000000 bytes"):
            ours.instances(STUDY, SERIES, None, call())


def test_nobody_there() -> None:
    with Stub(lambda line: None) as there:
        address = there.address
    with archive(address) as ours:
        with pytest.raises(ArchiveError, match="Connection refused"):
            ours.instances(STUDY, SERIES, None, call())
        with pytest.raises(ArchiveError, match=r"no time left|the time for it is over"):
            ours.instances(STUDY, SERIES, None, Call.internal(0))


def test_a_study_is_told_by_its_metadata() -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        found = ours.study(STUDY, call())
        assert found is not None
        (series,) = found.series
        assert [each.sop_instance_uid for each in series.instances] == [uid(n) for n in FILES]
    with (
        Pacs({}) as there,
        archive(there) as ours,
        pytest.raises(ArchiveError, match="no DICOM instance"),
    ):
        ours.study(STUDY, call())


# Transfer syntaxes ------------------------------------------------------------------------------


def syntaxes(ours: DicomWebArchive) -> list[str | None]:
    return [each.transfer_syntax_uid for each in ours.instances(STUDY, SERIES, None, call())]


def test_a_transfer_syntax_that_is_told_is_not_looked_for() -> None:
    with Pacs(FILES, syntaxes=dict.fromkeys(FILES, IMPLICIT)) as there, archive(there) as ours:
        assert syntaxes(ours) == [IMPLICIT] * len(FILES)
        assert not there.wanted


def test_first_and_last_of_a_series_tell_the_transfer_syntax_of_all() -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        assert syntaxes(ours) == syntaxes(ours) == [EXPLICIT] * len(FILES)
        assert sorted(there.wanted) == [1, 8]


def test_one_that_cannot_be_had_tells_nothing_about_others() -> None:
    with Pacs(FILES, {1: pacs.status(500), 8: pacs.status(404)}) as there, archive(there) as ours:
        assert syntaxes(ours) == [EXPLICIT] * len(FILES)
    with Pacs(FILES, dict.fromkeys(FILES, pacs.status(404))) as there, archive(there) as ours:
        assert syntaxes(ours) == [None] * len(FILES)
        answer = rad69.retrieve(request(1, 2), call(), Source(SOURCE, ours, LIMITS))
        assert [(e.code, e.rule) for e in answer.errors] == [("XDSRepositoryError", "IMG-118")] * 2


def test_a_mixed_series_is_looked_at_as_a_whole() -> None:
    mixed = {n: dicom(n, syntax=IMPLICIT if n % 3 else EXPLICIT) for n in range(1, 7)}
    with Pacs(mixed) as there, archive(there) as ours:
        expected = [IMPLICIT if n % 3 else EXPLICIT for n in mixed]
        assert syntaxes(ours) == syntaxes(ours) == expected
        assert sorted(there.wanted) == [*mixed]


@pytest.mark.proves("IMG-096", "IMG-119")
def test_a_wrong_belief_is_corrected_before_anything_of_it_is_sent() -> None:
    mixed = {n: dicom(n, syntax=IMPLICIT if n == 2 else EXPLICIT) for n in range(1, 4)}
    both = request(*mixed, syntaxes=(EXPLICIT, IMPLICIT))
    with Pacs(mixed) as there, archive(there) as ours:
        source = Source(SOURCE, ours, LIMITS)
        first = rad69.retrieve(both, call(), source)
        assert [(e.code, e.location) for e in first.errors] == [("XDSRepositoryBusy", uid(2))]
        assert [everything(each.content) for each in first.documents] == [mixed[1], mixed[3]]
        again = rad69.retrieve(both, call(), source)
        assert not again.errors
        assert [everything(each.content) for each in again.documents] == [*mixed.values()]


# Who we are, and whether it is there ------------------------------------------------------------


def test_the_password_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n", encoding="utf-8")
    with Pacs(FILES) as there, archive(there, login=Login("node", file)) as ours:
        everything(ours.open(held(1), call()))
        file.write_text("sécond", encoding="utf-8")
        ours.instances(STUDY, SERIES, set(), call())
        ours.study(STUDY, call())
        given = [each.head["authorization"] for each in there.asked]
        assert [b64decode(each.removeprefix("Basic ")).decode() for each in given] == [
            "node:first",
            "node:sécond",
        ]
        file.unlink()
        with pytest.raises(ArchiveError, match="its password cannot be read"):
            ours.study(STUDY, call())


@pytest.mark.parametrize(
    "base", ["ftp://host", "http://", "http://user@host/x", "https://host/x?y=1", "/dicom-web"]
)
def test_the_address_must_be_one_of_a_service(base: str) -> None:
    with open_session() as session, pytest.raises(ValueError, match="is no http or https address"):
        Web(base, session)


def test_readiness_is_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pacs(FILES) as there, archive(there) as ours:
        assert ours.ready() == ours.ready() == ()
        assert there.paths == ["/studies?0020000D=2.25.0&limit=1"]
        there.search = lambda _: http(b"", JSON, "500 Internal Server Error")
        now = dicomweb.monotonic()
        monkeypatch.setattr(dicomweb, "monotonic", lambda: now + 60)
        assert ours.ready() == (f"the archive at {there.base} cannot be searched: HTTP 500",)
