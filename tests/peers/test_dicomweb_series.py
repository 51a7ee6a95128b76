"""An archive elsewhere gives a whole series in one answer: in any order, and with any fault."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.peers import pacs
from tests.peers.pacs import (
    END,
    EXPLICIT,
    IMPLICIT,
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
    request,
    uid,
)
from tests.peers.stub import Line, http
from xdsi.actors.imaging import rad69
from xdsi.actors.imaging.source import Source
from xdsi.model.messages import RetrieveAnswer
from xdsi.peers.dicomweb import DicomWebArchive

FILES = {n: dicom(n) for n in range(1, 21)}

Series = Callable[[Line, list[bytes]], None]


def asked(ours: DicomWebArchive, *numbers: int) -> RetrieveAnswer:
    syntaxes = (EXPLICIT, IMPLICIT)
    return rad69.retrieve(
        request(*numbers, syntaxes=syntaxes), call(), Source(SOURCE, ours, LIMITS)
    )


def sent(answer: RetrieveAnswer) -> list[bytes]:
    return [everything(each.content) for each in answer.documents]


def reordered(line: Line, contents: list[bytes], order: Callable[[int], int]) -> None:
    all_of(line, [contents[at] for at in sorted(range(len(contents)), key=order)])


ORDERS: dict[str, Series] = {
    "in order": all_of,
    "backwards": partial(reordered, order=lambda at: -at),
    "mixed": partial(reordered, order=lambda at: at * 7 % 20),
    "with others": lambda line, contents: all_of(line, [dicom(99), *contents, dicom(98)]),
    "twice": lambda line, contents: all_of(line, contents + contents),
}


@pytest.mark.proves("IMG-096", "IMG-175", "UC-125")
@pytest.mark.parametrize("series", ORDERS.values(), ids=ORDERS)
def test_a_whole_series_comes_in_one_answer_of_any_order(series: Series) -> None:
    with Pacs(FILES, series=series) as there, archive(there) as ours:
        assert sent(asked(ours, *FILES)) == [*FILES.values()]
        assert there.whole_series == 1
        assert sorted(there.wanted) == [1, 20]  # whose transfer syntax was looked at


def test_what_comes_too_early_and_has_no_room_is_asked_for_singly() -> None:
    with (
        Pacs(FILES, series=ORDERS["backwards"]) as there,
        archive(there, spool_bytes=100_000) as ours,
    ):
        assert sent(asked(ours, *FILES)) == [*FILES.values()]
        assert ours._room.taken == 0


def test_what_is_spooled_is_not_asked_for_with_the_series() -> None:
    with (
        Pacs(FILES, series=all_of) as there,
        archive(there, relay="spool", spool_bytes=6 * len(FILES[1])) as ours,
    ):
        assert sent(asked(ours, *FILES)) == [*FILES.values()]
        assert there.whole_series == 0


def test_nothing_stays_on_disk() -> None:
    with Pacs(FILES, series=ORDERS["backwards"]) as there, archive(there) as ours:
        answer = asked(ours, *FILES)
        for each in answer.documents[:5]:
            everything(each.content)
        assert ours._room.taken > 0
        del answer, each
        assert ours._room.taken == 0


def test_a_few_of_many_are_asked_for_singly() -> None:
    with Pacs(FILES, series=all_of) as there, archive(there) as ours:
        assert sent(asked(ours, *range(1, 15))) == [FILES[n] for n in range(1, 15)]
        assert sent(asked(ours, *range(1, 8))) == [FILES[n] for n in range(1, 8)]
        assert there.whole_series == 0


def lacking(line: Line, contents: list[bytes]) -> None:
    all_of(line, contents[:7] + contents[9:])


def stops_in_front(line: Line, contents: list[bytes]) -> None:
    """In one that comes before any that is wanted from it."""
    line.send(http(pacs.part(contents[0]) + pacs.part(contents[1])[:-30_000], pacs.RELATED)[:-10])
    line.sock.close()


def strangers(line: Line, contents: list[bytes]) -> None:
    line.send(pacs.head())
    for number in range(100, 10_000):
        line.send(
            pacs.chunk(pacs.part(dicom(100).replace(uid(100).encode(), uid(number).encode())))
        )


FAULTS: dict[str, Series] = {
    "lacks two": lacking,
    "stops in front": stops_in_front,
    "strangers without end": strangers,
    "page": lambda line, _: line.send(http(b"<html></html>", "text/html")),
    "not found": lambda line, _: pacs.status(404)(line, b""),
    "refused": lambda line, _: pacs.status(401)(line, b""),
    "empty": lambda line, _: line.send(http(END, pacs.RELATED)),
    "garbage": lambda line, _: line.send(http(pacs.part(b"x" * 500) + END, pacs.RELATED)),
}


@pytest.mark.proves("IMG-118", "SEC-T-167")
@pytest.mark.parametrize("series", FAULTS.values(), ids=FAULTS)
def test_what_the_answer_lacks_is_asked_for_singly(series: Series) -> None:
    with Pacs(FILES, series=series) as there, archive(there) as ours:
        assert sent(asked(ours, *FILES)) == [*FILES.values()]
        assert there.whole_series == 1


@pytest.mark.proves("IMG-118", "IMG-119")
def test_an_archive_that_gives_nothing_is_told_for_each_instance() -> None:
    with Pacs(FILES, series=all_of) as there, archive(there) as ours:
        assert not asked(ours, *FILES).errors
        there.series = lambda line, _: pacs.status(500)(line, b"")
        there.faults.update(dict.fromkeys(FILES, pacs.status(503)))
        answer = asked(ours, *FILES)
        assert [each.location for each in answer.errors] == [*map(uid, FILES)]
        assert not answer.documents
        assert there.wanted[2:] == [1, 2, 3, 4]  # the others were not bothered with


def test_where_one_of_the_first_comes_the_others_may() -> None:
    with Pacs(FILES, series=lambda line, _: pacs.status(500)(line, b"")) as there:
        there.faults.update(dict.fromkeys((2, 3, 4), pacs.status(404)))
        with archive(there) as ours:
            answer = asked(ours, *FILES)
            assert [each.location for each in answer.errors] == [*map(uid, (2, 3, 4))]
            assert sent(answer) == [FILES[n] for n in FILES if n not in (2, 3, 4)]


def stops_at(line: Line, contents: list[bytes], number: int) -> None:
    body = b"".join(map(pacs.part, contents))
    at = len(b"".join(map(pacs.part, contents[:number])))
    line.send(pacs.head() + pacs.chunk(body[: at - 10_000]))
    line.sock.close()


LARGE = {n: dicom(n, 1 << 20) for n in range(1, 16)}


def test_what_breaks_off_while_it_is_passed_on_is_completed_singly() -> None:
    with Pacs(LARGE, series=partial(stops_at, number=8)) as there, archive(there) as ours:
        assert sent(asked(ours, *LARGE)) == [*LARGE.values()]
        assert (there.whole_series, there.wanted.count(8)) == (1, 1)


def test_what_is_completed_is_the_same_instance() -> None:
    with Pacs({**LARGE}, series=partial(stops_at, number=8)) as there, archive(there) as ours:
        documents = asked(ours, *LARGE).documents
        for each in documents[:7]:
            everything(each.content)
        there.files[8] = dicom(8, 1 << 20, PatientComments="another")
        with pytest.raises(OSError, match="other octets when it is asked again"):
            everything(documents[7].content)


@pytest.mark.proves("IMG-092", "IMG-093", "IMG-118", "SEC-T-029")
def test_what_cannot_be_completed_cuts_the_answer_and_all_others_come_next_time() -> None:
    with (
        Pacs(LARGE, {8: pacs.status(500)}, series=partial(stops_at, number=8)) as there,
        archive(there) as ours,
    ):
        source = Source(SOURCE, ours, LIMITS)
        documents = rad69.retrieve(request(*LARGE), call(), source).documents
        sending = (everything(each.content) for each in documents)
        assert [next(sending) for _ in range(7)] == [LARGE[n] for n in range(1, 8)]
        with pytest.raises(OSError, match="HTTP 500"):
            next(sending)
        again = rad69.retrieve(request(*LARGE), call(), source)
        assert [each.location for each in again.errors] == [uid(8)]
        assert sent(again) == [content for n, content in LARGE.items() if n != 8]


def test_one_in_another_transfer_syntax_is_not_passed_on_in_its_place() -> None:
    mixed = {**FILES, 9: dicom(9, syntax=IMPLICIT)}
    with Pacs(mixed, series=all_of) as there, archive(there) as ours:
        answer = asked(ours, *mixed)
        for each in answer.documents[:8]:
            everything(each.content)
        with pytest.raises(OSError, match="as was expected"):
            everything(answer.documents[8].content)
        assert sent(asked(ours, *mixed)) == [*mixed.values()]


def test_several_read_at_once_get_their_own() -> None:
    with Pacs(FILES, series=all_of) as there, archive(there) as ours:
        documents = asked(ours, *FILES).documents
        readers = [each.content.open() for each in documents[4:8]]
        first = [bytes(reader.read(1_000)) for reader in readers]
        rest = [b"".join(iter(partial(reader.read, 9_999), b"")) for reader in readers]
        for reader in readers:
            reader.close()
        assert [a + b for a, b in zip(first, rest, strict=True)] == [FILES[n] for n in range(5, 9)]
        assert ours.instances(STUDY, SERIES, {uid(1)}, call())
