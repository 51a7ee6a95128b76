"""A node whose images lie in a foreign archive: Orthanc, which speaks DICOMweb alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.actors.imaging.studies import everything, new_uid, study
from tests.node import Node, change, init, serving
from tests.orthanc import Orthanc
from tests.peers.pacs import Pacs, dicom
from xdsi import app, checking
from xdsi.config import Config, load
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import urns
from xdsi.standard.transactions import RETRIEVE_IMAGING

EXPLICIT = "1.2.840.10008.1.2.1"
STUDY = new_uid()
SERIES = f"{STUDY}.1"
FILES = study(STUDY, {SERIES: 12, f"{STUDY}.2": 1})

needs_orthanc = pytest.mark.needs("Orthanc")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> Iterator[Node]:
    orthanc.put(*FILES.values())
    config = init(tmp_path_factory.mktemp("elsewhere") / "node")
    with serving(change(config, archive=json.dumps(orthanc.dicom_web))) as node:
        yield node


@needs_orthanc
@pytest.mark.proves("UC-125", "IMG-092", "IMG-096")
def test_a_series_comes_over_rad69(node: Node) -> None:
    assert node.settings.imaging
    asked = [
        InstanceRequest(STUDY, SERIES, DocumentRequest(node.settings.imaging.unique_id, uid))
        for uid in (*FILES, "1.2.3")
        if uid.startswith(f"{SERIES}.") or uid == "1.2.3"
    ]
    with open_session() as session, Spool() as spool:
        source = Caller(RETRIEVE_IMAGING, f"{node.base}/imaging", session, spool=spool)
        answer = source(ImagingRequest(tuple(asked), (EXPLICIT,)), Call.internal())
        assert answer.status == urns.PARTIAL_SUCCESS
        assert [(e.code, e.location) for e in answer.errors] == [
            ("XDSDocumentUniqueIdError", "1.2.3")
        ]
        assert [everything(each.content) for each in answer.documents] == [
            FILES[each.document.document_unique_id] for each in asked[:-1]
        ]


@needs_orthanc
@pytest.mark.proves("UC-125", "IMG-161", "IMG-175")
def test_a_study_comes_over_wado_rs_and_an_instance_over_wado_uri(node: Node) -> None:
    accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    answer = requests.get(f"{node.base}/dicom-web/studies/{STUDY}", headers=accept, timeout=30)
    assert answer.status_code == 200
    assert all(file in answer.content for file in FILES.values())
    uid, file = next(iter(FILES.items()))
    place = f"requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID={uid}"
    answer = requests.get(
        f"{node.base}/wado?{place}&contentType=application/dicom&transferSyntax={EXPLICIT}",
        timeout=30,
    )
    assert (answer.status_code, answer.content) == (200, file)


def alone(folder: Path, **settings: str) -> Config:
    """A node that is an imaging source and nothing else."""
    lines = [f"{key} = {value}" for key, value in settings.items()]
    file = folder / "xdsi.toml"
    file.write_text("\n".join(["[server]", "port = 0", "[imaging]", 'unique_id = "1.2"', *lines]))
    return load(file)


@pytest.mark.proves("IMG-118")
def test_a_node_is_ready_and_its_check_content_while_its_archive_answers(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    password.chmod(0o600)
    with Pacs({1: dicom(1)}) as there:
        config = alone(
            tmp_path,
            archive=json.dumps(there.base),
            archive_user='"node"',
            archive_password_file='"password"',
            relay='"spool"',
        )
        assert list(checking.check(config)) == []
        (actor,) = app.actors(config)
        assert actor.ready() == ()
        actor.close()
        assert {each.head["authorization"] for each in there.asked} == {"Basic bm9kZTpzZWNyZXQ="}
    problem = f"the archive at {there.base} cannot be searched: Connection refused"
    assert list(checking.check(config)) == [f"imaging.archive: {problem}"]
    (actor,) = app.actors(config)
    assert actor.ready() == (problem,)
    actor.close()


@pytest.mark.proves("SEC-T-166", "SEC-T-173")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"archive": '"ftp://host"'}, "imaging.archive: expected 'embedded' or the http or https"),
        ({"archive": '"https://u:p@host/x"'}, "imaging.archive: no user here; give archive_user"),
        ({"archive": '"https://host/x?y=1"'}, "imaging.archive: expected 'embedded' or the http"),
        ({"archive_user": '"node"'}, "imaging.archive_user, imaging.archive_password_file: give"),
        ({"archive_ca": '"lost.pem"'}, "imaging.archive_ca: "),
        ({"spool_bytes": "0"}, "imaging.spool_bytes: expected more than 0"),
        (
            {"archive_user": '"node"', "archive_password_file": '"xdsi.toml"'},
            "imaging.archive_password_file: ",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_check_explains_what_is_wrong_with_an_archive(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    config = alone(tmp_path, **{"archive": '"http://127.0.0.1:9/x"', **settings})
    (tmp_path / "xdsi.toml").chmod(0o644)
    assert any(line.startswith(said) for line in checking.check(config))
