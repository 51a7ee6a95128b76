"""A node whose imaging source keeps its images itself, from outside."""

import io
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE

from tests.actors.imaging.studies import everything, new_uid, study
from tests.actors.imaging.test_cstore import data_set
from tests.cli.conftest import program
from tests.node import Node, free_port, init, serving
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard.transactions import RETRIEVE_IMAGING

EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    config = init(tmp_path_factory.mktemp("node") / "images")
    config.write_text(
        config.read_text().replace("[imaging]", f"[imaging]\ndicom_port = {free_port()}")
    )
    with serving(config) as node:
        yield node


def fetched(node: Node, study_uid: str, series: str, *uids: str) -> dict[str, bytes]:
    """Part 10 files by SOP Instance UID, over RAD-69."""
    assert node.settings.imaging
    source_id = node.settings.imaging.unique_id
    wanted = tuple(
        InstanceRequest(study_uid, series, DocumentRequest(source_id, uid)) for uid in uids
    )
    with open_session() as session, Spool() as spool:
        source = Caller(RETRIEVE_IMAGING, f"{node.base}/imaging", session, spool=spool)
        answer = source(ImagingRequest(wanted, (EXPLICIT,)), Call.internal())
        assert answer.errors == ()
        return {
            each.request.document_unique_id: everything(each.content) for each in answer.documents
        }


@pytest.mark.proves("IMG-096")
def test_what_was_imported_while_it_serves_comes_out_unchanged(node: Node, tmp_path: Path) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 3})
    for name, file in files.items():
        (tmp_path / name).write_bytes(file)
    said = program("import", tmp_path, "--config", node.config)
    assert (said.code, said.err) == (0, "")
    assert re.search(r"new +3\n", said.out)
    found = fetched(node, uid, f"{uid}.1", *files)
    assert found.keys() == files.keys()
    assert {name: data_set(file) for name, file in found.items()} == {
        name: data_set(file) for name, file in files.items()
    }


@pytest.mark.proves("IMG-096")
def test_what_came_by_c_store_or_stow_comes_out_over_rad69(node: Node) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 2})
    first, second = files
    assert node.settings.imaging and node.settings.imaging.dicom_port
    sender = AE("CT1")
    sender.add_requested_context(pydicom.dcmread(io.BytesIO(files[first])).SOPClassUID, EXPLICIT)
    association = sender.associate("127.0.0.1", node.settings.imaging.dicom_port, ae_title="XDSI")
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(files[first]))).Status == 0
    association.release()
    request = urllib.request.Request(
        f"{node.base}/dicom-web/studies/{uid}",
        data=files[second],
        headers={"Content-Type": "application/dicom", "Accept": "application/dicom+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    found = fetched(node, uid, f"{uid}.1", first, second)
    assert {name: data_set(file) for name, file in found.items()} == {
        name: data_set(file) for name, file in files.items()
    }


def test_it_says_what_keeps_it_from_taking_images(tmp_path: Path) -> None:
    config = init(tmp_path / "images")
    config.write_text(
        config.read_text().replace(
            "[imaging]", '[imaging]\ndicom_port = 11112\ndicom_host = "0.0.0.0"'
        )
    )
    said = program("check", "--config", config)
    assert said.code == 1
    assert "imaging.dicom_host: 0.0.0.0 can be reached by others" in said.err
    said = program("serve", "--config", config)
    assert (said.code, "dicom_peers" in said.complaint) == (2, True)
