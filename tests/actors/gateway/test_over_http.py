"""Gateways as their operators run them: a whole node, and a gateway of its own in front of it.

`near` serves registry, repository, images and gateway; `far` is a gateway alone, which asks `near`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from tests import samples
from tests.actors.gateway.conftest import HOME
from tests.actors.imaging.studies import new_uid, study
from tests.cli.conftest import program
from tests.node import Node, free_port, fresh_patient, init, serving, wait_for
from tests.peers.stub import Line, Stub, envelope, multipart
from tests.peers.test_caller import include, retrieved
from tests.repository.reading import everything
from tests.server import dialect
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import Content, Document, DocumentRequest, QueryRequest, RetrieveRequest
from xdsi.model.objects import ObjectRef
from xdsi.peers.caller import Caller
from xdsi.peers.errors import Unreachable
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import namespaces as ns
from xdsi.standard import queries, urns
from xdsi.standard.transactions import (
    CROSS_GATEWAY_QUERY,
    CROSS_GATEWAY_RETRIEVE,
    CROSS_GATEWAY_RETRIEVE_IMAGING,
    PROVIDE_AND_REGISTER,
    RETRIEVE,
    Transaction,
)
from xdsi.wire import query as wire
from xdsi.wire import retrieve
from xdsi.wire.parameters import many, single

PATIENT = fresh_patient()
CONTENTS = (b"An invented report.\n", os.urandom(3 << 20))
EXPLICIT = "1.2.840.10008.1.2.1"
DEAD = "1.2.3.4.5.1666"  # of a repository and of an imaging source, where nobody answers
ENDLESS = "1.2.3.4.5.1667"
BREAKING = "1.2.3.4.5.1668"
MIB = 1 << 20


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    config = init(tmp_path_factory.mktemp("near") / "node")
    with config.open("a") as file:
        file.write(f'[gateway]\nhome_community_id = "{samples.HOME}"\n')
    with serving(config) as node:
        yield node


class Endless:
    """A repository whose one document never ends. left: whether who asked has gone"""

    def __init__(self) -> None:
        self.left = Event()

    def __call__(self, line: Line) -> None:
        while line.receive(keep=False) is not None:
            root = envelope(RETRIEVE, retrieved(include("1@x")))
            body, kind = multipart(root, ("1@x", b"@begun@"))
            try:
                line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
                line.send(body[: body.index(b"@begun@") + 7])
                while not self.left.wait(0.05):
                    line.send(bytes(1000))
            except OSError:
                self.left.set()


class Breaking:
    """A repository that never gets to the end of its even documents."""

    def __call__(self, line: Line) -> None:
        request = line.receive()
        assert request is not None
        numbers = re.findall(rb"DocumentUniqueId>2\.25\.(\d)<", request.body)
        cids = [f"{number.decode()}@x" for number in numbers]
        root = envelope(RETRIEVE, retrieved(*map(include, cids)))
        for place, number in enumerate(numbers, 1):  # the ids that were asked for
            root = root.replace(b"2.25.%d<" % place, b"2.25.#%s<" % number)
        body, kind = multipart(root.replace(b"#", b""), *((cid, bytes(MIB)) for cid in cids))
        for cid in {"2@x", "4@x"}.intersection(cids):
            body = body[: body.index(f"<{cid}>".encode()) + 1000]
        line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + body)


@pytest.fixture(scope="module")
def endless() -> Endless:
    return Endless()


@pytest.fixture(scope="module")
def far(near: Node, endless: Endless, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    config = tmp_path_factory.mktemp("far") / "xdsi.toml"
    dead = f"http://127.0.0.1:{free_port()}"
    with Stub(endless) as stub, Stub(Breaking()) as breaking:
        repositories = {near.repository_id: f"{near.base}/repository", DEAD: dead}
        repositories |= {ENDLESS: stub.address, BREAKING: breaking.address}
        images = {source_id(near): f"{near.base}/imaging", DEAD: dead}
        config.write_text(
            f"""[server]
port = {free_port()}
[gateway]
home_community_id = "{samples.HOME}"
registry = "{near.base}/registry"
repositories = {[f"{oid}={url}" for oid, url in repositories.items()]}
imaging = {[f"{oid}={url}" for oid, url in images.items()]}
"""
        )
        with serving(config) as node:
            yield node


@pytest.fixture(scope="module", params=["near", "far"])
def node(request: pytest.FixtureRequest) -> Node:
    one: Node = request.getfixturevalue(request.param)
    return one


def source_id(node: Node) -> str:
    assert node.settings.imaging is not None
    return node.settings.imaging.unique_id


def provide(near: Node, *contents: Content | bytes) -> list[str]:
    """uniqueIds of documents that are submitted."""
    small = [each if isinstance(each, bytes) else b"" for each in contents]
    request = samples.provide(*small, as_source=True, patient_id=PATIENT)
    documents = tuple(
        Document(each.id, content) if isinstance(content, Content) else each
        for each, content in zip(request.documents, contents, strict=True)
    )
    request = type(request)(request.submission, documents)
    with open_session() as session:
        submit = Caller(PROVIDE_AND_REGISTER, f"{near.base}/repository", session)
        assert submit(request, Call.internal()).errors == ()
    return [str(each.unique_id) for each in request.submission.entries]


@pytest.fixture(scope="module")
def stored(near: Node) -> list[str]:
    return provide(near, *CONTENTS)


@pytest.fixture(scope="module")
def images(near: Node, tmp_path_factory: pytest.TempPathFactory) -> dict[InstanceRequest, bytes]:
    """Two instances of a study, as they come out."""
    folder, uid = tmp_path_factory.mktemp("images"), new_uid()
    for name, file in study(uid, {f"{uid}.1": 2}).items():
        (folder / name).write_bytes(file)
    assert program("import", folder, "--config", near.config).code == 0
    return {
        InstanceRequest(
            uid, f"{uid}.1", DocumentRequest(source_id(near), path.name, HOME)
        ): path.read_bytes()
        for path in sorted(folder.iterdir())
    }


def wanted(near: Node, uid: str, repository: str = "") -> DocumentRequest:
    return DocumentRequest(repository or near.repository_id, uid, HOME)


def ask(node: Node, row: Transaction, request: Any) -> tuple[Any, list[bytes]]:
    """The answer, and its documents in order."""
    with open_session() as session, Spool() as spool:
        gateway = Caller(row, f"{node.base}/gateway/responding", session, spool=spool)
        answer = gateway(request, Call.internal())
        documents = getattr(answer, "documents", ())
        return answer, [everything(each.content) for each in documents]


FIND = QueryRequest(
    queries.FIND_DOCUMENTS.id,
    (
        single("$XDSDocumentEntryPatientId", str(PATIENT)),
        many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
    ),
)


@pytest.mark.proves("XC-001", "XC-013", "XC-040", "XC-029", "WS-012")
def test_what_is_found_carries_our_home(node: Node, stored: list[str]) -> None:
    answer, _ = ask(node, CROSS_GATEWAY_QUERY, FIND)
    assert {str(each.unique_id) for each in answer.objects} >= {*stored}
    assert {str(each.home) for each in answer.objects} == {HOME}
    refs, _ = ask(
        node, CROSS_GATEWAY_QUERY, QueryRequest(FIND.query_id, FIND.parameters, "ObjectRef")
    )
    assert {str(each.home) for each in refs.objects} == {HOME}
    assert {type(each) for each in refs.objects} == {ObjectRef}


@pytest.mark.proves("XC-019", "XC-040", "XC-041", "XC-004", "WS-013")
def test_what_is_found_is_retrieved(node: Node, near: Node, stored: list[str]) -> None:
    asked = tuple(wanted(near, each) for each in stored)
    answer, documents = ask(node, CROSS_GATEWAY_RETRIEVE, RetrieveRequest(asked))
    assert (answer.status, tuple(documents)) == (urns.SUCCESS, CONTENTS)
    assert tuple(each.request for each in answer.documents) == asked


@pytest.mark.proves("IMG-137", "IMG-138", "IMG-133", "XC-113", "XC-115", "IMG-006")
def test_images_are_retrieved(node: Node, images: dict[InstanceRequest, bytes]) -> None:
    request = ImagingRequest(tuple(images), (EXPLICIT,))
    answer, documents = ask(node, CROSS_GATEWAY_RETRIEVE_IMAGING, request)
    assert (answer.status, documents) == (urns.SUCCESS, [*images.values()])
    assert {each.request.home for each in answer.documents} == {HOME}


@pytest.mark.proves("XC-043", "XC-057", "XC-070", "XC-017", "IMG-118", "IMG-136", "IMG-141")
def test_a_source_where_nobody_answers_costs_its_own_documents(
    far: Node, near: Node, stored: list[str], images: dict[InstanceRequest, bytes]
) -> None:
    request = RetrieveRequest((wanted(near, "1.2.3", DEAD), wanted(near, stored[0])))
    answer, documents = ask(far, CROSS_GATEWAY_RETRIEVE, request)
    assert (answer.status, documents) == (urns.PARTIAL_SUCCESS, [CONTENTS[0]])
    instance = next(iter(images))
    lost = InstanceRequest("1.2", "1.2.3", DocumentRequest(DEAD, "1.2.3", HOME))
    pictures, files = ask(
        far, CROSS_GATEWAY_RETRIEVE_IMAGING, ImagingRequest((lost, instance), (EXPLICIT,))
    )
    assert (pictures.status, files) == (urns.PARTIAL_SUCCESS, [images[instance]])
    for error, row in ((answer.errors, "ITI-43"), (pictures.errors, "RAD-69")):
        assert [(each.code, each.location) for each in error] == [
            ("XDSRepositoryError", f"{HOME} 1.2.3")
        ]
        assert error[0].context.startswith(f"'1.2.3': {row}: no answer: Connection refused;")
        assert error[0].context.endswith("[XC-070]")


@pytest.mark.proves("XC-037", "XC-036", "XC-016", "XC-005", "SEC-T-124")
@pytest.mark.parametrize(
    ("home", "code"),
    [(None, "XDSMissingHomeCommunityId"), ("urn:oid:1.2.3", "XDSUnknownCommunity")],
)
def test_home_is_looked_at(node: Node, home: str | None, code: str) -> None:
    (body,) = wire.query_to_xml(QueryRequest(queries.GET_DOCUMENTS.id, (), "LeafClass", home))
    assert isinstance(body, bytes)
    message = dialect.envelope(body.decode(), CROSS_GATEWAY_QUERY.action)
    answer = dialect.post(node.base, "/gateway/responding", message)
    assert (answer.status, answer.outcome, answer.errors) == (200, "Failure", [code])
    assert answer.text("//wsa:Action") == CROSS_GATEWAY_QUERY.answer_action
    assert answer.text("//wsa:RelatesTo")
    (location,) = answer.envelope.xpath("//*/@location")
    assert location == HOME


@pytest.mark.proves("XC-004", "XC-072")
def test_an_answer_of_errors_alone_is_mtom_too(node: Node, near: Node) -> None:
    body = (
        f'<x:RetrieveDocumentSetRequest xmlns:x="{ns.XDS}"><x:DocumentRequest>'
        f"<x:RepositoryUniqueId>{near.repository_id}</x:RepositoryUniqueId>"
        "<x:DocumentUniqueId>1.2.3</x:DocumentUniqueId>"
        "</x:DocumentRequest></x:RetrieveDocumentSetRequest>"
    )
    envelope = dialect.envelope(body, CROSS_GATEWAY_RETRIEVE.action)
    message = dialect.multipart(dialect.root(envelope))
    answer = dialect.post(node.base, "/gateway/responding", message, dialect.mtom_type())
    assert answer.is_mtom and len(answer.parts) == 1
    assert (answer.status, answer.errors) == (200, ["XDSMissingHomeCommunityId"])
    assert answer.text("//wsa:Action") == CROSS_GATEWAY_RETRIEVE.answer_action


@pytest.mark.proves("IMG-138", "SEC-T-041", "RET-063", "XC-068")
def test_what_is_relayed_is_held_on_disk_and_not_kept(far: Node, near: Node) -> None:
    size = 96 * MIB

    class Zeros:
        def __init__(self) -> None:
            self.left = size

        def read(self, n: int, /) -> bytes:
            count = min(n, self.left)
            self.left -= count
            return bytes(count)

        def close(self) -> None:
            pass

    small, large = provide(near, b"small", Content(size, Zeros))
    for _ in range(3):
        ask(far, CROSS_GATEWAY_RETRIEVE, RetrieveRequest((wanted(near, small),)))
    before = peak(far)
    _, (got,) = ask(far, CROSS_GATEWAY_RETRIEVE, RetrieveRequest((wanted(near, large),)))
    assert len(got) == size
    assert peak(far) - before < 16 * MIB
    (folder,) = (far.config.parent / "spool").glob("*/documents")
    assert wait_for(lambda: not any(folder.iterdir()))


@pytest.mark.proves("XC-068", "SEC-T-029", "XC-042")
def test_what_broke_off_is_kept_back_and_all_others_come(far: Node, near: Node) -> None:
    asked = RetrieveRequest(tuple(wanted(near, f"2.25.{n}", BREAKING) for n in (1, 2, 3)))
    with pytest.raises(Unreachable, match="ended early"):
        ask(far, CROSS_GATEWAY_RETRIEVE, asked)
    answer, got = ask(far, CROSS_GATEWAY_RETRIEVE, asked)
    assert [each.request.document_unique_id for each in answer.documents] == ["2.25.1", "2.25.3"]
    assert got == [bytes(MIB)] * 2
    (error,) = answer.errors
    assert (error.code, error.location) == ("XDSRepositoryError", f"{HOME} 2.25.2")
    assert "[XC-068]" in error.context


@pytest.mark.proves("XC-068", "RET-017")
def test_what_breaks_off_before_anything_was_sent_is_an_error_at_once(
    far: Node, near: Node
) -> None:
    def descriptors() -> int:
        return len(list(Path(f"/proc/{far.process.pid}/fd").iterdir()))

    before = descriptors()
    asked = RetrieveRequest(tuple(wanted(near, f"2.25.{n}", BREAKING) for n in (4, 1, 3)))
    answer, got = ask(far, CROSS_GATEWAY_RETRIEVE, asked)
    assert got == [bytes(MIB)] * 2
    assert [(each.code, each.location) for each in answer.errors] == [
        ("XDSRepositoryError", f"{HOME} 2.25.4")
    ]
    assert wait_for(lambda: descriptors() <= before)
    (folder,) = (far.config.parent / "spool").glob("*/documents")
    assert wait_for(lambda: not any(folder.iterdir()))


@pytest.mark.proves("XC-048", "XC-068")
def test_who_goes_away_is_not_fetched_for(far: Node, near: Node, endless: Endless) -> None:
    asked = (wanted(near, "2.25.1", ENDLESS),)
    (body,) = retrieve.retrieve_to_xml(RetrieveRequest(asked))
    assert isinstance(body, bytes)
    text = dialect.envelope(body.decode(), CROSS_GATEWAY_RETRIEVE.action)
    message = dialect.multipart(dialect.root(text))
    for _ in range(2):  # that somebody has gone says nothing of the source
        endless.left.clear()
        with dialect.Connection(far.base) as connection:
            connection.send(dialect.request("/gateway/responding", message, dialect.mtom_type()))
            while b"@begun@" not in connection.buffer:  # out long before the last octet is in
                assert connection._more()
            assert not endless.left.wait(0.5)  # it is not given up before
        assert endless.left.wait(20)
    assert wait_for(
        lambda: [each["status"] for each in far.requests("ITI-39")[-2:]] == ["gone"] * 2
    )
    (folder,) = (far.config.parent / "spool").glob("*/documents")
    assert wait_for(lambda: not any(folder.iterdir()))


def peak(node: Node) -> int:
    """VmHWM in octets."""
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


# a foreign client, made of the published contracts


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        yield one


def service(session: requests.Session, file: Path, binding: str, node: Node) -> Any:
    client = zeep.Client(str(file), transport=Transport(session=session))
    return client, client.create_service(binding, f"{node.base}/gateway/responding")


@pytest.fixture(scope="module")
def xca(shared: Path, session: requests.Session, near: Node) -> tuple[zeep.Client, Any]:
    file = shared / "schema" / "wsdl" / "XCARespondingGateway.wsdl"
    return service(session, file, f"{{{ns.XDS}}}RespondingGateway_Binding_Soap12", near)


@pytest.mark.proves("XC-003", "XC-019", "WS-074")
def test_a_client_of_the_published_contract_retrieves_typed(
    xca: tuple[zeep.Client, Any], near: Node, stored: list[str]
) -> None:
    _, gateway = xca
    got = gateway.RespondingGateway_CrossGatewayRetrieve(
        DocumentRequest=[
            {
                "HomeCommunityId": HOME,
                "RepositoryUniqueId": near.repository_id,
                "DocumentUniqueId": each,
            }
            for each in (stored[0], "1.2.3")
        ]
    )
    assert got.RegistryResponse.status == urns.PARTIAL_SUCCESS
    (document,) = got.DocumentResponse
    assert (document.HomeCommunityId, document.DocumentUniqueId) == (HOME, stored[0])
    assert document.Document == CONTENTS[0]
    (error,) = got.RegistryResponse.RegistryErrorList.RegistryError
    assert (error.errorCode, error.location) == ("XDSDocumentUniqueIdError", f"{HOME} 1.2.3")


@pytest.mark.proves("XC-003", "XC-010", "XC-012")
def test_a_client_of_the_published_contract_queries(
    xca: tuple[zeep.Client, Any], stored: list[str]
) -> None:
    """Its rim.xsd keeps zeep from reading answers, so they are read as XML."""
    client, gateway = xca
    with client.settings(raw_response=True):
        answer = gateway.RespondingGateway_CrossGatewayQuery(
            ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
            AdhocQuery={
                "id": queries.GET_DOCUMENTS.id,
                "home": HOME,
                "Slot": [
                    {
                        "name": "$XDSDocumentEntryUniqueId",
                        "ValueList": {"_value_1": [{"Value": f"('{stored[0]}')"}]},
                    }
                ],
            },
        )
    root = etree.fromstring(answer.content)
    (found,) = root.iter(ns.tag(ns.RIM, "ExtrinsicObject"))
    assert found.get("home") == HOME


@pytest.mark.proves("XC-113", "IMG-130", "WS-074")
def test_a_client_of_the_published_imaging_contract_retrieves_typed(
    shared: Path, session: requests.Session, near: Node, images: dict[InstanceRequest, bytes]
) -> None:
    file = shared / "schema" / "wsdl" / "XCA-I_RespondingGateway.wsdl"
    _, gateway = service(session, file, f"{{{ns.RAD}}}XCAIRespondingGateway_Binding", near)
    retrieve_typed(gateway, images)


def retrieve_typed(gateway: Any, images: dict[InstanceRequest, bytes]) -> None:
    asked, data = next(iter(images.items()))
    got = gateway.RespondingGateway_CrossGatewayRetrieveImagingDocumentSet(
        StudyRequest=[
            {
                "studyInstanceUID": asked.study_instance_uid,
                "SeriesRequest": [
                    {
                        "seriesInstanceUID": asked.series_instance_uid,
                        "DocumentRequest": [
                            {
                                "HomeCommunityId": HOME,
                                "RepositoryUniqueId": asked.document.repository_unique_id,
                                "DocumentUniqueId": asked.document.document_unique_id,
                            }
                        ],
                    }
                ],
            }
        ],
        TransferSyntaxUIDList={"TransferSyntaxUID": [EXPLICIT]},
    )
    (document,) = got.DocumentResponse
    assert (document.HomeCommunityId, document.mimeType) == (HOME, "application/dicom")
    assert document.Document == data


@pytest.mark.proves("WS-070", "XC-003")
def test_a_client_of_the_served_contract_has_all_three(
    session: requests.Session,
    near: Node,
    stored: list[str],
    images: dict[InstanceRequest, bytes],
) -> None:
    address = f"{near.base}/gateway/responding?wsdl"
    client = zeep.Client(address, transport=Transport(session=session))
    answer = client.service.RespondingGateway_CrossGatewayQuery(
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={
            "id": FIND.query_id,
            "Slot": [
                {"name": each.name, "ValueList": {"Value": [*each.values]}}
                for each in FIND.parameters
            ],
        },
    )
    found = [each["ExtrinsicObject"] for each in answer.RegistryObjectList["_value_1"]]
    assert {each.home for each in found} == {HOME} and len(found) >= len(stored)
    retrieve_typed(client.bind("XCAIRespondingGateway"), images)
