"""The imaging consumer over WADO-URI: a node, and archives that do not do as they should."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.client.test_imaging import held, instances, wanted
from tests.client.test_imaging_by_web import FILES, SOURCE, of
from tests.node import Node
from tests.orthanc import Orthanc
from tests.peers import pacs
from tests.peers.pacs import SERIES, STUDY, dicom, uid
from tests.peers.stub import Line, Received, Stub
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import Fetched, Missing, Wanted
from xdsi.standard.dicom import SYNTAXES_IN_USE

__all__ = ["instances"]
TITLE = "ELSEWHERE"


def from_archive(
    asked: tuple[Wanted, ...], base: str, into: Path, syntaxes: tuple[str, ...] | None = None
) -> list[Fetched | Missing]:
    into.mkdir(exist_ok=True)
    asked = tuple(replace(each, retrieve_ae_title=TITLE) for each in asked)
    with ImagingConsumer({SOURCE: "http://127.0.0.1:9"}, archives={TITLE: base}) as consumer:
        return list(consumer.fetch(asked, into, syntaxes=syntaxes or SYNTAXES_IN_USE))


@pytest.mark.proves("IMG-150", "IMG-153", "IMG-197", "UC-105")
def test_an_archive_is_asked_by_wado_uri_under_its_ae_title(
    real_node: Node, instances: dict[str, bytes], tmp_path: Path
) -> None:
    asked = wanted(real_node, instances)
    before = len(real_node.requests("RAD-55"))
    results = from_archive(asked, f"{real_node.base}/wado", tmp_path)
    assert all(isinstance(each, Fetched) for each in results)
    assert held(tmp_path) == instances
    assert len(real_node.requests("RAD-55")) == before + len(instances)
    assert list(tmp_path.glob("xdsi-spool-*")) == []


@dataclass
class Uris:
    """An archive that knows WADO-URI alone."""

    answer: Callable[[Line, bytes], None] = lambda line, content: line.send(
        pacs.http(content, "application/dicom")
    )

    def __post_init__(self) -> None:
        self.asked: list[Received] = []
        self.stub = Stub(self._act)

    def _act(self, line: Line) -> None:
        while (request := line.receive()) is not None:
            self.asked.append(request)
            query = parse_qs(urlsplit(request.line.split()[1]).query)
            self.answer(line, FILES[int(query["objectUID"][0].rpartition(".")[2])])


@pytest.mark.proves("IMG-150", "IMG-151", "IMG-154")
def test_what_stands_in_a_request_by_wado_uri(tmp_path: Path) -> None:
    there = Uris()
    with there.stub as stub:
        from_archive(of(1), stub.address, tmp_path / "any")
        from_archive(of(1), stub.address, tmp_path / "one", (pacs.EXPLICIT, pacs.IMPLICIT))
    assert held(tmp_path / "any") == held(tmp_path / "one") == {uid(1): FILES[1]}
    whole = f"requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID={uid(1)}"
    whole += "&contentType=application/dicom"
    queries = [each.line.split()[1].partition("?")[2] for each in there.asked]
    assert queries == [whole, f"{whole}&transferSyntax={pacs.EXPLICIT}"]
    assert {each.head["accept"] for each in there.asked} == {"application/dicom"}


SAID_BY_URI = {
    "gone": (pacs.status(410), "the source has it no longer, or not in this series"),
    "a picture": (
        lambda line, _: line.send(pacs.http(b"\xff\xd8\xff", "image/jpeg")),
        "no whole answer from the source: it sends 'image/jpeg', not application/dicom",
    ),
    "another instance": (
        lambda line, _: line.send(pacs.http(dicom(99), "application/dicom")),
        "no whole answer from the source: it sends another instance",
    ),
    "another syntax": (
        lambda line, _: line.send(pacs.http(dicom(1, syntax=pacs.IMPLICIT), "application/dicom")),
        "the source cannot send it in a transfer syntax asked for",
    ),
}


@pytest.mark.proves("IMG-155", "UC-107", "SEC-T-167")
@pytest.mark.parametrize(("fault", "reason"), SAID_BY_URI.values(), ids=SAID_BY_URI)
def test_why_one_does_not_come_by_wado_uri(
    fault: Callable[[Line, bytes], None], reason: str, tmp_path: Path
) -> None:
    with Uris(fault).stub as stub:
        (missing,) = from_archive(of(1), stub.address, tmp_path, (pacs.EXPLICIT,))
    assert isinstance(missing, Missing) and missing.reason == reason
    assert held(tmp_path) == {}


@pytest.mark.proves("IMG-150", "IMG-154")
def test_orthanc_is_understood(orthanc: Orthanc, tmp_path: Path) -> None:
    orthanc.put(FILES[1], FILES[2])
    results = from_archive(of(1, 2, 3), f"{orthanc.base}/wado", tmp_path)
    assert held(tmp_path) == {uid(n): FILES[n] for n in (1, 2)}
    (missing,) = (each for each in results if isinstance(each, Missing))
    assert missing.wanted.sop_instance_uid == uid(3)
