"""`xdsi publish` and `xdsi watch` over an archive that speaks DICOMweb."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import Run
from tests.node import AUTHORITY, Node, change, fresh_patient, init, serving
from tests.peers.pacs import JSON, STUDY, Pacs, dicom
from tests.peers.stub import Received, http

UIDS = "0020000D"


class Archive(Pacs):
    """A PACS that can be searched for studies, page by page."""

    def __init__(self) -> None:
        super().__init__(self.made(1, 2))
        self.search = self.studies

    @staticmethod
    def made(*numbers: int) -> dict[int, bytes]:
        return {number: dicom(number, StudyDate="20260102") for number in numbers}

    def studies(self, request: Received) -> bytes:
        query = parse_qs(urlsplit(request.line.split()[1]).query)
        assert query["StudyDate"][0].endswith("-")
        row = {
            UIDS: {"vr": "UI", "Value": [STUDY]},
            "00201206": {"vr": "IS", "Value": [1]},
            "00201208": {"vr": "IS", "Value": [len(self.files)]},
        }
        return http(json.dumps([row] if query["offset"] == ["0"] else []).encode(), JSON)


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive() as made:
        yield made


@pytest.fixture
def node(tmp_path: Path, archive: Archive) -> Iterator[Node]:
    config = init(tmp_path / "node")
    change(config, archive=json.dumps(archive.base), patient_issuer=json.dumps(AUTHORITY))
    with serving(config) as running:
        yield running


@pytest.mark.proves("UC-120", "UC-122", "UC-152")
def test_study_is_published_and_watched(node: Node, archive: Archive, call: Run) -> None:
    config = ("--config", node.config)
    said = call("publish", STUDY, *config, "--patient", fresh_patient())
    assert said.code == 0, said.err
    assert said.out.startswith(f"{STUDY}: new, 2 instances")

    def watch() -> list[str]:
        said = call("watch", *config, "--once", "--settle", "0", "--json")
        assert said.code == 0, said.err
        outcomes = [json.loads(line)["outcome"] for line in said.out.splitlines()]
        return [each for each in outcomes if each != "unchanged"]  # at midnight

    assert watch() == ["new"]  # of the patient whom the header names
    assert watch() == []
    archive.files |= archive.made(3)
    assert watch() == ["replaced"]


def test_archive_that_does_not_answer_is_told(node: Node, archive: Archive, call: Run) -> None:
    archive.search = lambda _: http(b"", "text/html", "503 Busy")
    said = call("watch", "--config", node.config, "--once")
    assert said.code == 1
    assert "cannot look: HTTP 503" in said.complaint
