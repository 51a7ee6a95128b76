"""The imaging source on a real port: MTOM, byte identity, cut answers, zeep, memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import zeep
from zeep.transports import Transport

from tests.actors.imaging import samples
from tests.actors.imaging.node import Node, running
from tests.actors.imaging.samples import Ask, everything, request
from tests.server import dialect
from xdsi.model.imaging import ImagingRequest
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import transactions, urns
from xdsi.standard.namespaces import WADO_WS
from xdsi.wire import imagingretrieve

ROW = transactions.RETRIEVE_IMAGING
MIB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    samples.fill(folder)
    return folder


@pytest.fixture(scope="module")
def node(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(str(folder), tmp_path_factory.mktemp("log") / "log") as one:
        yield one


def file(folder: Path, name: str) -> Path:
    return folder / f"{samples.UIDS[name]}.dcm"


def envelope(asked: ImagingRequest) -> bytes:
    (body,) = imagingretrieve.imaging_to_xml(asked)
    assert isinstance(body, bytes)
    return dialect.envelope(body.decode(), ROW.action)


def post(node: Node, asked: ImagingRequest) -> dialect.Response:
    message = dialect.multipart(dialect.root(envelope(asked)))
    return dialect.post(node.base, "/imaging", message, dialect.mtom_type())


@pytest.mark.proves(
    "IMG-001", "IMG-072", "IMG-073", "IMG-074", "IMG-075", "IMG-090", "IMG-096", "IMG-097"
)
def test_instances_come_as_parts_octet_by_octet(node: Node, folder: Path) -> None:
    names = ("report", "rle", "explicit")
    answer = post(node, request(*names, syntaxes=(samples.EXPLICIT, samples.RLE)))
    assert (answer.status, answer.outcome, answer.errors) == (200, "Success", [])
    assert answer.is_mtom and answer.is_whole
    assert answer.text("//wsa:Action") == ROW.answer_action
    root, *parts = answer.parts
    assert {head["content-type"] for head, _ in parts} == {"application/dicom"}
    assert [content for _, content in parts] == [file(folder, n).read_bytes() for n in names]
    includes = answer.envelope.xpath("//*[local-name()='Include']/@href")
    assert [f"<{str(href).removeprefix('cid:')}>" for href in includes] == [
        head["content-id"] for head, _ in parts
    ]


@pytest.mark.proves("IMG-092", "IMG-093")
def test_our_own_client_gets_some_and_the_error_of_the_other(node: Node, folder: Path) -> None:
    with open_session() as session, Spool() as spool:
        answer = Caller(ROW, node.address, session, spool=spool)(
            request("rle", Ask("rle", uid="1.2.3"), syntaxes=(samples.RLE,)), Call.internal()
        )
        assert answer.status == urns.PARTIAL_SUCCESS
        (document,) = answer.documents
        assert everything(document.content.open()) == file(folder, "rle").read_bytes()
        assert [(e.code, e.location) for e in answer.errors] == [
            ("XDSDocumentUniqueIdError", "1.2.3")
        ]


@pytest.mark.proves("IMG-095", "IMG-113", "IMG-114")
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param(request("rle", syntaxes=("1.2.3",)), "XDSRepositoryError", id="syntax"),
        pytest.param(request(Ask("rle", uid="1.2")), "XDSDocumentUniqueIdError", id="unknown"),
        pytest.param(
            request("rle", Ask("rle", study="")), "XDSRepositoryError", id="empty study UID"
        ),
        pytest.param(
            request("report", syntaxes=(samples.EXPLICIT, "")), "XDSRepositoryError", id="empty"
        ),
    ],
)
def test_a_failure_carries_nothing(node: Node, asked: ImagingRequest, code: str) -> None:
    answer = post(node, asked)
    assert (answer.status, answer.outcome) == (200, "Failure")
    assert answer.errors == [code]
    assert len(answer.parts) == 1
    assert not answer.envelope.xpath("//*[local-name()='DocumentResponse']")


@pytest.mark.proves("IMG-113", "IMG-083")
def test_a_missing_list_is_a_sender_fault(node: Node) -> None:
    broken = envelope(request("rle")).replace(b"TransferSyntaxUIDList", b"Syntaxes")
    answer = dialect.post(node.base, "/imaging", broken)
    assert (answer.status, answer.fault) == (400, ("Sender",))


@pytest.mark.proves("IMG-092", "SEC-T-029")
def test_an_instance_that_breaks_cuts_the_answer_and_is_told_the_next_time(
    tmp_path: Path, folder: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    samples.fill(images)
    asked = request("explicit", "report", syntaxes=(samples.EXPLICIT,))
    large = file(images, "explicit")
    with large.open("ab") as growing:  # more than is made ready before the answer begins
        growing.write(bytes(MIB))
    with running(str(images), tmp_path / "log") as node:
        data = large.read_bytes()
        large.write_bytes(data[:-1])
        first = post(node, asked)
        assert first.status == 200 and not first.is_whole
        second = post(node, asked)
        assert (second.outcome, second.errors) == ("PartialSuccess", ["XDSRepositoryError"])
        assert second.parts[1][1] == file(folder, "report").read_bytes()
        assert next(e["status"] for e in node.lines if e["event"] == "request") == "cut"


@pytest.mark.proves("IMG-164")
@pytest.mark.parametrize("what", ["damaged", "gone"])
def test_an_instance_that_cannot_be_read_is_told_in_a_line(tmp_path: Path, what: str) -> None:
    images = tmp_path / "images"
    images.mkdir()
    samples.fill(images)
    place = f"/dicom-web/studies/{samples.STUDY}/series/{samples.MR}/instances"
    with running(str(images), tmp_path / "log") as node:
        broken = file(images, "explicit")
        if what == "gone":
            broken.unlink()
        else:
            broken.write_bytes(broken.read_bytes()[:1000])
        for below in ("", "/metadata"):
            for _ in range(2):
                answer = dialect.get(node.base, f"{place}/{samples.UIDS['explicit']}{below}")
                assert answer.status == 503 and answer.header("retry-after")
                assert answer.body.count(b"\n") == 1 and b"could not be read" in answer.body
        assert dialect.get(node.base, f"{place}/{samples.UIDS['rle']}/metadata").status == 200
        assert not [each for each in node.lines if each["event"] == "incident"]


def test_the_log_names_studies_and_instances(node: Node) -> None:
    ticket = post(node, request("rle", "report")).header("x-request-id")
    assert dialect.wait_for(lambda: any(e.get("ticket") == ticket for e in node.lines))
    (line,) = (e for e in node.lines if e.get("ticket") == ticket and e["event"] == "request")
    assert line["transaction"] == "RAD-69"
    assert line["ids"] == [samples.STUDY, samples.UIDS["rle"], samples.UIDS["report"]]


@pytest.mark.proves("IMG-070", "IMG-071", "IMG-072", "WS-070", "WS-071")
def test_a_client_that_zeep_builds_from_the_contract_retrieves(node: Node, folder: Path) -> None:
    with requests.Session() as session:
        client = zeep.Client(f"{node.address}?wsdl", transport=Transport(session=session))
        document = {
            "RepositoryUniqueId": samples.SOURCE,
            "DocumentUniqueId": samples.UIDS["jpeg 2000"],
        }
        answer = client.service[ROW.operation](
            StudyRequest=[
                {
                    "studyInstanceUID": samples.STUDY,
                    "SeriesRequest": [
                        {"seriesInstanceUID": samples.MR, "DocumentRequest": [document]}
                    ],
                }
            ],
            TransferSyntaxUIDList={"TransferSyntaxUID": [samples.J2K]},
        )
    assert answer.RegistryResponse.status == urns.SUCCESS
    (one,) = answer.DocumentResponse
    assert (one.DocumentUniqueId, one.mimeType) == (
        samples.UIDS["jpeg 2000"],
        "application/dicom",
    )
    assert one.Document == file(folder, "jpeg 2000").read_bytes()


RENDERED = (
    f'<w:RetrieveRenderedImagingDocumentSetRequest xmlns:w="{WADO_WS}" '
    'xmlns:x="urn:ihe:iti:xds-b:2007">'
    f'<w:StudyRequest studyInstanceUID="{samples.STUDY}">'
    f'<w:SeriesRequest seriesInstanceUID="{samples.OTHERS}"><w:RenderedDocumentRequest>'
    f"<x:RepositoryUniqueId>{samples.SOURCE}</x:RepositoryUniqueId>"
    f"<x:DocumentUniqueId>{samples.UIDS['report']}</x:DocumentUniqueId>"
    "<w:ContentTypeList><w:ContentType>image/jpeg</w:ContentType></w:ContentTypeList>"
    "</w:RenderedDocumentRequest></w:SeriesRequest></w:StudyRequest>"
    "</w:RetrieveRenderedImagingDocumentSetRequest>"
)


@pytest.mark.proves("IMG-181", "IMG-184")
@pytest.mark.parametrize(
    "action",
    [transactions.RETRIEVE_RENDERED.action, *transactions.RETRIEVE_RENDERED.older_actions],
)
def test_rendered_images_are_asked_for_by_either_action(node: Node, action: str) -> None:
    answer = dialect.post(node.base, "/imaging", dialect.envelope(RENDERED, action))
    assert (answer.outcome, answer.errors) == ("Failure", ["urn:dicom:wado:0007"])
    assert answer.text("//wsa:Action") == transactions.RETRIEVE_RENDERED.answer_action


def _drained(node: Node, instances: int) -> int:
    """Octets of an answer with so many instances, read as they come."""
    asked = request(*[Ask("rle", uid=f"1.2.3.{n}") for n in range(instances)])
    message = dialect.multipart(dialect.root(envelope(asked)))
    with dialect.Connection(node.base, 60) as connection:
        connection.send(dialect.request("/imaging", message, dialect.mtom_type()))
        status, headers = connection.head()
        assert status == 200
        size = total = int(dict(headers)["content-length"])
        left = total - len(connection.buffer)
        buffer = bytearray(MIB)
        while left:
            count = connection.socket.recv_into(buffer)
            assert count, f"{left} octets are missing"
            left -= count
    return size


@pytest.mark.proves("SEC-T-041", "RET-063")
def test_a_large_series_costs_the_memory_of_a_small_one(tmp_path: Path) -> None:
    size = 512 << 10  # octets of a CT instance
    with running(str(size), tmp_path / "log") as node:
        assert _drained(node, 2) > 2 * size
        before = node.peak
        assert _drained(node, 500) > 500 * size
        assert node.peak - before < 16 * MIB
