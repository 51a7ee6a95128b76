"""Callers and zeep clients against the node's own server, over real connections."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import zeep
from zeep.transports import Transport

from tests import samples
from tests.wsdl.messages import typed_submission
from xdsi.model.errors import XDSMissingDocument
from xdsi.model.messages import DocumentRequest, QueryRequest, RegistryAnswer, RetrieveRequest
from xdsi.peers.caller import Caller
from xdsi.peers.errors import Faulted, Unreachable
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import urns
from xdsi.standard.transactions import (
    PROVIDE_AND_REGISTER,
    REGISTER,
    RETRIEVE,
    STORED_QUERY,
    Transaction,
)


@pytest.fixture(scope="module")
def node(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base address of a running node with scripted handlers (`tests.server.node`)."""
    folder = tmp_path_factory.mktemp("node")
    arguments = [sys.executable, "-m", "tests.server.node", str(folder), "{}"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(arguments, cwd=root, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        assert address, (folder / "log").read_text(encoding="utf-8")
        yield address
        process.terminate()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with open_session() as one:
        yield one


def path(row: Transaction) -> str:
    return "/repository" if row.is_mtom else "/registry"


def caller(
    row: Transaction, node: str, session: requests.Session, spool: Spool | None = None
) -> Caller:
    return Caller(row, node + path(row), session, spool=spool)


def test_registration(node: str, session: requests.Session) -> None:
    register = caller(REGISTER, node, session)
    assert register(samples.submission(), Call.internal()) == RegistryAnswer()
    titled = samples.submission_set(title=samples.InternationalString.of("warn"))
    answer = register(samples.submission(set_=titled), Call.internal())
    assert answer.status == urns.SUCCESS
    assert [(each.code, each.is_warning) for each in answer.errors] == [
        ("XDSExtraMetadataNotSaved", True)
    ]


def test_query(node: str, session: requests.Session) -> None:
    ask = caller(STORED_QUERY, node, session)
    (entry,) = ask(QueryRequest("any"), Call.internal()).objects
    assert entry.object_type == urns.STABLE_DOCUMENT
    refused = ask(QueryRequest("error:x"), Call.internal())
    assert [each.code for each in refused.errors] == ["XDSUnknownStoredQuery"]
    with pytest.raises(Faulted) as caught:
        ask(QueryRequest("fault"), Call.internal())
    assert caught.value.fault.code == "Sender"


def test_documents_up_and_down_are_the_same_bytes(node: str, session: requests.Session) -> None:
    contents = (b"", b"\r\n--x\r\n", os.urandom(3_000_000))
    request = samples.provide(*contents, as_source=True)
    answer = caller(PROVIDE_AND_REGISTER, node, session)(request, Call.internal())
    assert answer == RegistryAnswer()
    wanted = RetrieveRequest(
        tuple(
            DocumentRequest("1.2.3", document.id.rpartition(":")[2])
            for document in request.documents
        )
    )
    with Spool() as spool:
        got = caller(RETRIEVE, node, session, spool)(wanted, Call.internal())
        assert got.status == urns.SUCCESS
        assert [one.request for one in got.documents] == list(wanted.documents)
        for one, content in zip(got.documents, contents, strict=True):
            reader = one.content.open()
            assert reader.read(len(content) + 1) == content
            reader.close()


@pytest.mark.proves("REG-034")
def test_findings_of_the_repository_come_back(node: str, session: requests.Session) -> None:
    request = samples.provide(b"one", b"two", as_source=True)
    less = type(request)(request.submission, request.documents[:1])
    answer = caller(PROVIDE_AND_REGISTER, node, session)(less, Call.internal())
    (error,) = answer.errors
    assert isinstance(error, XDSMissingDocument)


def test_partial_success_and_unknown_size(node: str, session: requests.Session) -> None:
    wanted = RetrieveRequest(
        tuple(DocumentRequest("1.2.3", each) for each in ("nosize:70000", "missing"))
    )
    with Spool() as spool:
        answer = caller(RETRIEVE, node, session, spool)(wanted, Call.internal())
        assert answer.status == urns.PARTIAL_SUCCESS
        assert [one.content.size for one in answer.documents] == [70000]
        assert [each.location for each in answer.errors] == ["missing"]


@pytest.mark.proves("SEC-T-029")
@pytest.mark.parametrize(
    "document", ["rotten:5000000:1000000", "rotten-nosize:5000000:1000000", "short:3000000"]
)
def test_document_that_fails_on_the_way_is_never_taken_for_whole(
    document: str, node: str, session: requests.Session
) -> None:
    with Spool() as spool:
        retrieve = caller(RETRIEVE, node, session, spool)
        with pytest.raises(Unreachable, match="cut off"):
            retrieve(RetrieveRequest((DocumentRequest("1.2.3", document),)), Call.internal())
        assert os.listdir(spool.folder) == []


@pytest.mark.parametrize("name", ["registry", "repository"])
def test_zeep_builds_a_client_from_the_running_node(name: str, node: str) -> None:
    with requests.Session() as session:
        client = zeep.Client(f"{node}/{name}?wsdl", transport=Transport(session=session))
    (service,) = client.wsdl.services.values()
    (port,) = service.ports.values()
    assert port.binding_options["address"] == f"{node}/{name}"


@pytest.mark.proves("SQ-001", "REG-007")
def test_zeep_alone_registers_and_queries(node: str) -> None:
    """A client generated from our contract, with its own envelopes and typed objects."""
    with requests.Session() as session:
        client = zeep.Client(f"{node}/registry?wsdl", transport=Transport(session=session))
        registered = client.service[REGISTER.operation](RegistryObjectList=typed_submission(client))
        assert registered.status == urns.SUCCESS, [
            each.codeContext for each in registered.RegistryErrorList.RegistryError
        ]
        answer = client.service[STORED_QUERY.operation](
            ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
            AdhocQuery={"id": "urn:example:any"},
        )
    assert answer.status == urns.SUCCESS
    ((kind, entry),) = (next(iter(e.items())) for e in answer.RegistryObjectList["_value_1"])
    assert kind == "ExtrinsicObject"
    assert entry.objectType == urns.STABLE_DOCUMENT
