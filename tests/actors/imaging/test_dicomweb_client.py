"""DICOMweb and WADO-URI on a real port, asked by a foreign client."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image

from tests.actors.imaging import samples
from tests.actors.imaging.node import Node, running
from tests.actors.imaging.samples import EXPLICIT, JPEG, MR, RLE, STUDY, UIDS
from tests.server.dialect import wait_for

NEW = "1.2.826.0.1.3680043.8.498.5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    samples.fill(folder)
    return folder


@pytest.fixture(scope="module")
def node(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(str(folder), tmp_path_factory.mktemp("log") / "log") as one:
        yield one


@pytest.fixture(scope="module")
def base(node: Node) -> str:
    return node.base


@pytest.fixture(scope="module")
def client(base: str) -> DICOMwebClient:
    return DICOMwebClient(f"{base}/dicom-web")


def original(folder: Path, name: str) -> pydicom.Dataset:
    return pydicom.dcmread(folder / f"{UIDS[name]}.dcm")


@pytest.mark.proves("IMG-001", "IMG-160", "IMG-161")
def test_study_series_and_instance(client, folder):
    found = client.retrieve_study(STUDY)
    assert {str(each.SOPInstanceUID) for each in found} == set(UIDS.values())
    assert {str(each.file_meta.TransferSyntaxUID) for each in found} == {EXPLICIT}
    stored = list(client.iter_series(STUDY, MR, media_types=(("application/dicom", "*"),)))
    syntaxes = {str(each.file_meta.TransferSyntaxUID) for each in stored}
    assert len(stored) == 6 and RLE in syntaxes
    one = client.retrieve_instance(
        STUDY, MR, UIDS["rle"], media_types=(("application/dicom", RLE),)
    )
    assert one == original(folder, "rle")


@pytest.mark.proves("IMG-162")
def test_metadata(client, folder):
    model = client.retrieve_instance_metadata(STUDY, MR, UIDS["rle"])
    told = pydicom.Dataset.from_json(model, lambda *_: b"")
    assert told.PatientName == original(folder, "rle").PatientName
    assert len(client.retrieve_study_metadata(STUDY)) == len(UIDS)


@pytest.mark.proves("IMG-160")
def test_bulk_data_where_metadata_say(client, base, folder):
    model = client.retrieve_instance_metadata(STUDY, MR, UIDS["explicit"])
    (content,) = client.retrieve_bulkdata(base + model["7FE00010"]["BulkDataURI"])
    assert content == original(folder, "explicit").PixelData
    model = client.retrieve_instance_metadata(STUDY, MR, UIDS["rle"])
    (content,) = client.retrieve_bulkdata(base + model["7FE00010"]["BulkDataURI"])
    assert content == original(folder, "rle").pixel_array.tobytes()


@pytest.mark.proves("IMG-162")
def test_frames(client, folder):
    item = original(folder, "two frames")
    uids = (STUDY, item.SeriesInstanceUID, item.SOPInstanceUID)
    found = client.retrieve_instance_frames(*uids, [2, 1])
    expected = item.pixel_array[::-1]
    assert found == [each.tobytes() for each in expected]
    kinds = (("application/octet-stream", "*"),)
    encoded = client.retrieve_instance_frames(*uids, [1, 2], media_types=kinds)
    assert encoded == list(pydicom.encaps.generate_frames(item.PixelData, number_of_frames=2))


@pytest.mark.proves("IMG-162")
def test_pictures(client):
    content = client.retrieve_instance_rendered(
        STUDY, MR, UIDS["rle"], media_types=("image/png",), params={"viewport": "32,32"}
    )
    assert Image.open(io.BytesIO(content)).size == (32, 32)
    uid = UIDS["two frames"]
    one = client.retrieve_instance_frames_rendered(STUDY, samples.OTHERS, uid, [2])
    assert np.asarray(Image.open(io.BytesIO(one))).shape[:2] == (100, 100)


def test_search(client):
    found = client.search_for_instances(STUDY, search_filters={"SOPInstanceUID": UIDS["rle"]})
    assert [each["00080018"]["Value"] for each in found] == [[UIDS["rle"]]]
    assert len(client.search_for_instances(STUDY, MR, limit=2, offset=1)) == 2
    assert client.search_for_series("1.2.3") == []


def test_store_then_retrieve(client):
    items = [pydicom.dcmread(samples.FILES / "CT_small.dcm") for _ in range(3)]
    for number, item in enumerate(items):
        item.StudyInstanceUID = NEW
        uid = f"{NEW}.{number}"
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = uid
    told = client.store_instances(items, study_instance_uid=NEW)
    assert len(told.ReferencedSOPSequence) == 3
    assert "FailedSOPSequence" not in told
    stored = {str(each.SOPInstanceUID): each for each in client.retrieve_study(NEW)}
    assert stored == {str(each.SOPInstanceUID): each for each in items}
    (study,) = client.search_for_studies(search_filters={"StudyInstanceUID": NEW})
    assert study["00201208"]["Value"] == [3]
    (series,) = client.search_for_series(NEW)
    assert series["00080060"]["Value"] == ["CT"]


@pytest.mark.proves("IMG-001", "IMG-150", "IMG-154", "IMG-155")
@pytest.mark.parametrize("kind", ["application/dicom", "application%2Fdicom"])
def test_instance_by_uri(base, folder, node, kind):
    address = (
        f"{base}/wado?requestType=WADO&studyUID={STUDY}&seriesUID={MR}&objectUID={UIDS['rle']}"
        f"&contentType={kind}&transferSyntax={RLE}"
    )
    path = folder / f"{UIDS['rle']}.dcm"
    answer = requests.get(address, timeout=10)
    assert answer.headers["Content-Type"] == "application/dicom"
    assert answer.headers["Content-Length"] == str(path.stat().st_size)
    assert answer.content == path.read_bytes()
    line = logged(node, answer)
    assert (line["transaction"], line["path"], line["status"]) == ("RAD-55", "/wado", "Success")
    assert line["ids"] == [STUDY, MR, UIDS["rle"]]


def logged(node: Node, answer: requests.Response) -> dict[str, Any]:
    """The log line of a request."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        ticket = answer.headers["X-Request-Id"]
        found[:] = [each for each in node.lines if each.get("ticket") == ticket]
        return bool(found)

    assert wait_for(is_there)
    return found[0]


@pytest.mark.proves("IMG-164")
def test_transactions_and_outcomes_are_logged(base, node):
    study = f"{base}/dicom-web/studies/{STUDY}"
    some = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=' + JPEG}
    kind = {"Content-Type": "application/dicom"}
    for answer, status, transaction, outcome in [
        (requests.get(study, timeout=10), 200, "RAD-107", "Success"),
        (requests.head(study, timeout=10), 200, "RAD-107", "Success"),
        (requests.get(study, headers=some, timeout=10), 206, "RAD-107", "PartialSuccess"),
        (requests.get(f"{base}/dicom-web/studies/1.2.3", timeout=10), 404, "RAD-107", "Failure"),
        (requests.get(f"{study}/instances", timeout=10), 200, "QIDO-RS", "Success"),
        (requests.post(study, b"no DICOM", headers=kind, timeout=10), 409, "STOW-RS", "Failure"),
        (requests.delete(study, timeout=10), 405, None, "refused"),
    ]:
        line = logged(node, answer)
        assert (answer.status_code, line["transaction"]) == (status, transaction)
        assert line["status"] == outcome
    warning = requests.get(study, headers=some, timeout=10).headers["Warning"]
    assert warning.startswith('299 xdsi "')
