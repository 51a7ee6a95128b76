"""The imaging consumer over WADO-RS: against a node, and archives that do not do as they should."""

from pathlib import Path

import pytest

from tests.client.test_imaging import cutting, held, instances, wanted
from tests.node import Node
from tests.peers import pacs
from tests.peers.pacs import CT, SERIES, STUDY, Pacs, all_of, dicom, uid
from tests.peers.stub import Line
from xdsi.client.byweb import base_of
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import Fetched, Missing, Wanted, remaining

__all__ = ["instances"]
SOURCE = "1.2.826.0.1.3680043.8.498.801"
FILES = {n: dicom(n) for n in range(1, 13)}


def from_web(
    asked: tuple[Wanted, ...], base: str, into: Path, syntaxes: tuple[str, ...] | None = None
) -> list[Fetched | Missing]:
    into.mkdir(exist_ok=True)
    with ImagingConsumer({}, services={asked[0].source: base}) as consumer:
        if syntaxes:
            return list(consumer.fetch(asked, into, syntaxes=syntaxes))
        return list(consumer.fetch(asked, into))


def of(*numbers: int, in_series: int = 12, url: str = "") -> tuple[Wanted, ...]:
    return tuple(Wanted(STUDY, SERIES, uid(n), CT, SOURCE, None, url, in_series) for n in numbers)


@pytest.mark.proves("IMG-161", "IMG-197", "UC-105")
def test_a_series_comes_in_one_answer(
    real_node: Node, instances: dict[str, bytes], tmp_path: Path
) -> None:
    asked = wanted(real_node, instances)
    before = len(real_node.requests("RAD-107"))
    results = from_web(asked, f"{real_node.base}/dicom-web", tmp_path)
    assert all(isinstance(each, Fetched) for each in results)
    assert held(tmp_path) == instances
    assert len(real_node.requests("RAD-107")) == before + 1
    assert list(tmp_path.glob("xdsi-spool-*")) == []


@pytest.mark.proves("UC-105")
def test_a_few_are_asked_for_by_name(
    real_node: Node, instances: dict[str, bytes], tmp_path: Path
) -> None:
    asked = wanted(real_node, instances)[3:6]
    before = len(real_node.requests("RAD-107"))
    from_web(asked, f"{real_node.base}/dicom-web/", tmp_path)
    assert held(tmp_path) == {
        one.sop_instance_uid: instances[one.sop_instance_uid] for one in asked
    }
    assert len(real_node.requests("RAD-107")) == before + 3


@pytest.mark.proves("UC-105", "SEC-T-029")
def test_what_came_before_the_connection_broke_is_kept(
    real_node: Node, instances: dict[str, bytes], tmp_path: Path
) -> None:
    asked = wanted(real_node, instances)
    size = len(instances[asked[0].sop_instance_uid])
    port = int(real_node.base.rpartition(":")[2])
    with cutting(port, 3 * size + size // 2) as broken:
        results = from_web(asked, f"http://127.0.0.1:{broken}/dicom-web", tmp_path)
    # at least three of the series, and one or more of those asked for singly afterwards
    kept = held(tmp_path)
    assert len(kept) == sum(isinstance(each, Fetched) for each in results)
    assert len(kept) > 3 and kept.items() <= instances.items()
    from_web(remaining(asked, tmp_path), f"{real_node.base}/dicom-web", tmp_path)
    assert held(tmp_path) == instances
    with cutting(port, size // 2) as broken:
        results = from_web(asked, f"http://127.0.0.1:{broken}/dicom-web", tmp_path / "none")
    assert {each.reason.partition(":")[0] for each in results if isinstance(each, Missing)} == {
        "no whole answer from the source"
    }
    assert len(results) == 12 and remaining(asked, tmp_path / "none") == asked
    assert list(tmp_path.glob("**/xdsi-spool-*")) == []


@pytest.mark.proves("IMG-165", "MADO-010")
def test_an_answer_may_hold_more_and_fewer_than_the_manifest(tmp_path: Path) -> None:
    def strange(line: Line, contents: list[bytes]) -> None:
        all_of(line, [dicom(77), *contents[:4], *contents[6:], *contents[6:8]])

    with Pacs(FILES, {6: pacs.status(410)}, series=strange) as there:
        results = from_web(of(*FILES), there.base, tmp_path)
    assert held(tmp_path) == {uid(n): file for n, file in FILES.items() if n != 6}
    (missing,) = (each for each in results if isinstance(each, Missing))
    assert missing.wanted.sop_instance_uid == uid(6)
    assert missing.reason == "the source has it no longer, or not in this series"
    assert missing.said == "HTTP 410"
    assert there.whole_series == 1 and sorted(there.wanted) == [5, 6]


def endless(line: Line, contents: list[bytes]) -> None:
    line.send(pacs.head())
    for _ in range(10_000):
        line.send(pacs.chunk(pacs.part(contents[0])))


SAID = {
    "busy": (pacs.status(503), "the source needs more time; ask again later"),
    "another syntax": (
        pacs.status(406),
        "the source cannot send it in a transfer syntax asked for",
    ),
    "elsewhere": (
        pacs.status(302, "Location: http://127.0.0.1:9/\r\n"),
        "no whole answer from the source: HTTP 302; redirects are never followed",
    ),
    "another instance": (
        lambda line, _: pacs.whole(line, dicom(99)),
        "no whole answer from the source: it sends another instance",
    ),
}


@pytest.mark.proves("UC-107", "SEC-T-167")
@pytest.mark.parametrize(("fault", "reason"), SAID.values(), ids=SAID)
def test_why_one_is_missing_is_said_in_plain_words(
    fault: pacs.Answer, reason: str, tmp_path: Path
) -> None:
    with Pacs(FILES, {2: fault}) as there:
        results = from_web(of(1, 2, 3), there.base, tmp_path)
    assert [each.reason for each in results if isinstance(each, Missing)] == [reason]
    assert held(tmp_path).keys() == {uid(1), uid(3)}


@pytest.mark.proves("SEC-T-167")
def test_an_answer_without_end_is_left(tmp_path: Path) -> None:
    with Pacs(FILES, series=endless) as there:
        from_web(of(*FILES), there.base, tmp_path)
    assert held(tmp_path) == {uid(n): file for n, file in FILES.items()}


@pytest.mark.proves("UC-107")
def test_what_comes_in_another_transfer_syntax_does_not_land(tmp_path: Path) -> None:
    files = {**FILES, 5: dicom(5, syntax=pacs.IMPLICIT)}
    with Pacs(files, series=all_of) as there:
        results = from_web(of(*files), there.base, tmp_path, (pacs.EXPLICIT,))
    (missing,) = (each for each in results if isinstance(each, Missing))
    assert missing.wanted.sop_instance_uid == uid(5)
    assert missing.reason == "the source cannot send it in a transfer syntax asked for"
    assert pacs.IMPLICIT in missing.said
    assert held(tmp_path) == {uid(n): file for n, file in FILES.items() if n != 5}
    assert there.whole_series == 1 and there.wanted == [5]


def test_only_the_transfer_syntaxes_asked_for_are_accepted(tmp_path: Path) -> None:
    with Pacs(FILES) as there:
        from_web(of(1), there.base, tmp_path / "one", (pacs.EXPLICIT, pacs.IMPLICIT))
        from_web(of(1), there.base, tmp_path / "any")
    kind = 'multipart/related; type="application/dicom"; transfer-syntax='
    assert [each.head["accept"] for each in there.asked] == [
        f"{kind}{pacs.EXPLICIT}, {kind}{pacs.IMPLICIT}",
        f"{kind}*",
    ]


BASES = {
    "https://pacs.example/dicom-web": "https://pacs.example/dicom-web",
    "https://pacs.example/dicom-web/": "https://pacs.example/dicom-web",
    " http://pacs.example:8042/x/studies/1.2/series/3 ": "http://pacs.example:8042/x",
    "https://pacs.example/studies": "https://pacs.example",
    "https://user:secret@pacs.example/dicom-web": "",
    "https://pacs.example/dicom-web?x=1": "",
    "ftp://pacs.example/dicom-web": "",
    "file:///etc/passwd": "",
    "https://[::1/x": "",
    "pacs.example/dicom-web": "",
    "": "",
}


@pytest.mark.proves("IMG-163")
@pytest.mark.parametrize(("url", "base"), BASES.items())
def test_a_retrieve_url_is_a_base(url: str, base: str) -> None:
    assert base_of(url) == base


@pytest.mark.proves("IMG-163", "IMG-197", "SEC-T-166")
@pytest.mark.parametrize("form", ["{}", "{}/", f"{{}}/studies/{STUDY}/series/{SERIES}"])
def test_a_retrieve_url_is_followed_only_if_that_is_wanted(form: str, tmp_path: Path) -> None:
    with Pacs(FILES) as there:
        asked = of(1, 2, url=form.format(there.base))
        with ImagingConsumer({}) as consumer:
            (first, _) = consumer.fetch(asked, tmp_path)
        assert isinstance(first, Missing) and SOURCE in first.reason
        assert there.asked == []
        with ImagingConsumer({}, follows=True) as consumer:
            assert all(isinstance(each, Fetched) for each in consumer.fetch(asked, tmp_path))
        with Pacs(FILES) as other:
            from_web(asked, other.base, tmp_path / "configured")
            assert len(other.asked) == 2, "what is configured counts first"
        assert len(there.asked) == 2


def test_sources_are_asked_each_in_its_way(
    real_node: Node,
    instances: dict[str, bytes],
    tmp_path: Path,
) -> None:
    by_soap = wanted(real_node, instances)
    with (
        Pacs(FILES) as there,
        ImagingConsumer(
            {by_soap[0].source: f"{real_node.base}/imaging"}, services={SOURCE: there.base}
        ) as consumer,
    ):
        results = list(consumer.fetch((*by_soap, *of(1, 2)), tmp_path))
    assert all(isinstance(each, Fetched) for each in results)
    assert len(held(tmp_path)) == len(instances) + 2
