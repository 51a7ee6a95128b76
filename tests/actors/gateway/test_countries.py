"""Two countries: consumers of the one ask the other, in processes of their own.

`north` has reports and images of its patients; a consumer in `here` asks the Initiating Gateway for
the same people under other identifiers. Beside it stand partners that are not as they should be.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
import requests
import zeep
from zeep.transports import Transport

from tests.actors.imaging.studies import new_uid, study
from tests.cli.conftest import program
from tests.feed import Mllp, adt
from tests.node import AUTHORITY, Node, change, free_port, fresh_patient, init, serving, wait_for
from tests.peers.stub import SOAP_TYPE, Line, Stub, envelope, http
from tests.repository.reading import everything
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest, QueryRequest, RetrieveRequest
from xdsi.model.values import CX
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import namespaces as ns
from xdsi.standard import queries, urns
from xdsi.standard.transactions import (
    CROSS_GATEWAY_QUERY,
    RETRIEVE,
    RETRIEVE_IMAGING,
    STORED_QUERY,
    Transaction,
)
from xdsi.wire.parameters import many, single

NORTH, HERE = "urn:oid:2.999.51", "urn:oid:2.999.50"
THERE = "2.999.57"  # domain of the identifiers in the north
REPORT = b"An invented report of the north.\n"
MIB = 1 << 20


@dataclass(frozen=True)
class Person:
    """Somebody who has an identifier in both countries, which only discovery connects."""

    here: CX
    there: CX
    name: str


def told(node: Node, patient: CX, name: str) -> None:
    """The identity feed of a country tells of somebody."""
    registry = node.settings.registry
    assert registry is not None and registry.feed_port is not None
    with Mllp(registry.feed_port) as feed:
        assert feed.ask(adt("A01", str(patient), name=f"{name}^Erika")).code == "AA"


def fed(folder: Path, authority: str) -> Path:
    return change(
        init(folder), feed_port=str(free_port()), assigning_authorities=f'["{authority}"]'
    )


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    config = fed(tmp_path_factory.mktemp("north") / "node", THERE)
    home = NORTH.removeprefix("urn:oid:")
    change(config, match='"exact"', home_community_id=f'"{home}"')
    with config.open("a") as file:
        file.write(f'[gateway]\nhome_community_id = "{home}"\n')
    with serving(config) as node:
        yield node


@pytest.fixture(scope="module")
def person(north: Node, here: Node) -> Person:
    name = f"Example{uuid4().hex[:8]}"
    one = Person(fresh_patient(), fresh_patient(THERE), name)
    told(north, one.there, name)
    told(here, one.here, name)
    return one


class Partners:
    """What is wrong with each, by home."""

    def __init__(self) -> None:
        self.released = Event()

    def html(self, line: Line) -> None:
        while line.receive(keep=False) is not None:
            line.send(http(b"<html>It works!</html>", "text/html", "502 Bad Gateway"))

    def fault(self, line: Line) -> None:
        from xdsi.model.errors import SoapFault
        from xdsi.wire import soap

        while line.receive(keep=False) is not None:
            body = soap.fault_envelope(
                SoapFault("Receiver", "no"), relates_to=None, message_id="urn:x:1", incident="i"
            )
            line.send(http(body, SOAP_TYPE, "500 Oops"))

    def slow(self, line: Line) -> None:
        line.receive(keep=False)
        self.released.wait(30)

    def cut(self, line: Line) -> None:
        line.receive(keep=False)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\nContent-Length: 999\r\n\r\n<"
        line.send(head.encode())

    def huge(self, line: Line) -> None:
        line.receive(keep=False)
        line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {SOAP_TYPE}\r\n\r\n".encode())
        try:
            while not self.released.is_set():
                line.send(b"<" + bytes(1 << 16))
        except OSError:
            return

    def entities(self, line: Line) -> None:
        line.receive(keep=False)
        line.send(http(b'<!DOCTYPE x [<!ENTITY a "a">]>' + _found(HERE)))

    def thief(self, line: Line) -> None:
        """Answers objects of other communities, and of none."""
        while line.receive(keep=False) is not None:
            line.send(http(_found(NORTH, HERE, None)))


def _found(*homes: str | None) -> bytes:
    objects = "".join(
        f'<rim:ObjectRef id="urn:uuid:{uuid4()}"' + (f' home="{home}"/>' if home else "/>")
        for home in homes
    )
    body = (
        f'<query:AdhocQueryResponse xmlns:query="{ns.QUERY}" xmlns:rim="{ns.RIM}" '
        f'status="{urns.SUCCESS}"><rim:RegistryObjectList>{objects}</rim:RegistryObjectList>'
        "</query:AdhocQueryResponse>"
    )
    return envelope(CROSS_GATEWAY_QUERY, body.encode())


BAD = ("html", "fault", "slow", "cut", "huge", "entities", "thief")
HOMES = {name: f"urn:oid:2.999.6{number}" for number, name in enumerate((*BAD, "dead"))}


@pytest.fixture(scope="module")
def here(north: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The country whose consumers ask. Only `north` is asked by patient discovery."""
    config = fed(tmp_path_factory.mktemp("here") / "node", AUTHORITY)
    partners, stubs = Partners(), {}
    for name in BAD:
        stubs[name] = Stub(getattr(partners, name))
    text = f"""[gateway]
home_community_id = "{HERE.removeprefix("urn:oid:")}"
[gateway.initiating]
[[gateway.partners]]
name = "North"
home_community_id = "{NORTH.removeprefix("urn:oid:")}"
query = "{north.base}/gateway/responding"
web = "{north.base}/gateway/responding/wado"
"""
    addresses = {name: each.address for name, each in stubs.items()}
    addresses["dead"] = f"http://127.0.0.1:{free_port()}/"
    for name, address in addresses.items():
        text += f"""[[gateway.partners]]
name = "{name}"
home_community_id = "{HOMES[name].removeprefix("urn:oid:")}"
query = "{address}"
discovery = "none"
domains = ["{AUTHORITY}"]
seconds = 2
failures = 1000
"""
    with config.open("a") as file:
        file.write(text)
    program("migrate", "--config", config)
    try:
        with serving(config) as node:
            yield node
    finally:
        partners.released.set()
        for each in stubs.values():
            each.close()


def ask(node: Node, row: Transaction, request: Any) -> tuple[Any, list[bytes]]:
    """The answer of the Initiating Gateway, and its documents in order."""
    with open_session() as session, Spool() as spool:
        gateway = Caller(row, f"{node.base}/gateway/initiating", session, spool=spool)
        answer = gateway(request, Call.internal())
        documents = getattr(answer, "documents", ())
        return answer, [everything(each.content) for each in documents]


def find(patient: CX, *targets: str, kind: str = "LeafClass") -> QueryRequest:
    slots = (
        single("$XDSDocumentEntryPatientId", str(patient)),
        many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
    )
    if targets:
        slots += (many("$targetCommunityIdList", targets),)
    return QueryRequest(queries.FIND_DOCUMENTS.id, slots, kind)


def submit(node: Node, patient: CX, folder: Path, content: bytes = REPORT) -> str:
    file = folder / f"{uuid4().hex}.txt"
    file.write_bytes(content)
    said = program("submit", file, "--patient", str(patient), "--config", node.config, "--json")
    assert said.code == 0, said.err
    return str(json.loads(said.out)["documents"][0]["uniqueId"])


@pytest.mark.proves("UC-150", "XC-030", "XC-050", "XC-051", "XC-053", "XC-054", "XC-061")
def test_a_report_is_found_and_read_across_the_border(
    north: Node, here: Node, person: Person, tmp_path: Path
) -> None:
    uid = submit(north, person.there, tmp_path)
    mine = submit(here, person.here, tmp_path, b"of here")
    answer, _ = ask(here, STORED_QUERY, find(person.here, NORTH, HERE))
    assert answer.status == urns.SUCCESS, answer.errors
    entries = {str(each.unique_id): each for each in answer.objects}
    assert {each: str(entries[each].home) for each in entries} == {uid: NORTH, mine: HERE}
    assert str(entries[uid].patient_id) == str(person.there)
    asked = RetrieveRequest(
        tuple(
            DocumentRequest(str(each.repository_unique_id), uid_, str(each.home))
            for uid_, each in entries.items()
        )
    )
    got, contents = ask(here, RETRIEVE, asked)
    found = {each.request.document_unique_id: data
             for each, data in zip(got.documents, contents, strict=True)}  # fmt: skip
    assert (got.status, found) == (urns.SUCCESS, {uid: REPORT, mine: b"of here"})
    assert {each.request.home for each in got.documents} == {NORTH, HERE}

    by_id = QueryRequest(
        queries.GET_DOCUMENTS.id,
        (many("$XDSDocumentEntryEntryUUID", (entries[uid].entry_uuid,)),),
        home=NORTH,
    )
    answer, _ = ask(here, STORED_QUERY, by_id)
    assert [str(each.unique_id) for each in answer.objects] == [uid]


@pytest.mark.proves("UC-151", "IMG-132", "IMG-138", "XC-115", "IMG-005", "IMG-006", "IMG-007")
def test_a_study_is_fetched_across_the_border(
    north: Node, here: Node, person: Person, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    uid = new_uid()
    images = study(uid, {new_uid(): 3, new_uid(): 2})
    for name, data in images.items():
        (folder / f"{name}.dcm").write_bytes(data)
    at = ("--config", north.config)
    assert program("import", folder, *at).code == 0
    said = program("publish", uid, "--patient", str(person.there), *at)
    assert said.code == 0, said.err
    said = program(
        *("fetch", "--gateway", "--patient", str(person.here), "--study", uid),
        *("--into", tmp_path / "into", "--json", "--config", here.config),
    )
    assert said.code == 0, said.err
    came = {each.stem: each.read_bytes() for each in (tmp_path / "into").glob("*/*.dcm")}
    assert came == images
    assert north.requests("RAD-75") and here.requests("RAD-69")


@pytest.mark.proves(
    "XC-055", "XC-056", "XC-059", "XC-060", "SEC-T-167", "SQ-066", "SQ-067", "REG-175"
)
def test_whatever_partners_answer_the_others_come_and_each_is_named(
    north: Node, here: Node, person: Person, tmp_path: Path
) -> None:
    uid = submit(north, person.there, tmp_path)
    answer, _ = ask(here, STORED_QUERY, find(person.here))
    assert answer.status == urns.PARTIAL_SUCCESS
    assert uid in {str(each.unique_id) for each in answer.objects if hasattr(each, "unique_id")}
    assert {str(each.home) for each in answer.objects} <= {NORTH, HERE}
    said = {each.location: each for each in answer.errors if each.code == "XDSUnavailableCommunity"}
    assert said.keys() == {HOMES[each] for each in HOMES if each != "thief"}
    for name, text in {
        "html": "HTTP 502",
        "fault": "SOAP fault",
        "slow": "",
        "cut": "cut off",
        "huge": "above",
        "entities": "",
        "dead": "refused",
    }.items():
        context = said[HOMES[name]].context
        assert context.startswith(f"{HOMES[name]} ({name}): ITI-38: no answer: ")
        assert text in context
    thefts = [each.code for each in answer.errors if each.location == HOMES["thief"]]
    assert sorted(thefts) == ["XDSMissingHomeCommunityId", "XDSUnknownCommunity"]


@pytest.mark.proves("XC-056", "IMG-140", "IMG-141")
@pytest.mark.parametrize("name", ["html", "dead", "cut", "slow"])
def test_retrieves_name_who_does_not_answer(here: Node, name: str) -> None:
    home = HOMES[name]
    answer, _ = ask(here, RETRIEVE, RetrieveRequest((DocumentRequest("1.2.3", "1.2.4", home),)))
    assert [(each.code, each.location) for each in answer.errors] == [
        ("XDSUnavailableCommunity", "1.2.4")
    ]
    image = InstanceRequest("1.5", "1.6", DocumentRequest("1.2.3", "1.2.4", home))
    answer, _ = ask(here, RETRIEVE_IMAGING, ImagingRequest((image,), ("1.2.840.10008.1.2.1",)))
    assert [each.code for each in answer.errors] == ["XDSUnavailableCommunity"]


@pytest.mark.proves("XC-030", "XC-104")
def test_of_strangers_no_partner_is_asked(here: Node, north: Node) -> None:
    before = len(north.requests("ITI-38"))
    answer, _ = ask(here, STORED_QUERY, find(fresh_patient(), NORTH))
    assert answer.status == urns.SUCCESS and answer.objects == ()
    assert [(each.code, each.is_warning) for each in answer.errors] == [
        ("XDSUnknownPatientId", True)
    ]
    assert len(north.requests("ITI-38")) == before


def test_an_operator_sees_how_partners_do(here: Node, person: Person) -> None:
    ask(here, STORED_QUERY, find(person.here))
    text = requests.get(f"{here.base}/metrics", timeout=10).text
    label = f'{{community="{NORTH}",name="North",service="ITI-38"}}'
    answers = next(each for each in text.splitlines() if each.startswith("xdsi_partner_answers"))
    assert label in answers and float(answers.rpartition(" ")[2]) >= 1
    assert f"xdsi_partner_left_alone{label} 0.0" in text
    dead = 'community="urn:oid:2.999.67",name="dead",service="ITI-38"'
    assert f"xdsi_partner_failures_total{{{dead}}}" in text
    ready = requests.get(f"{here.base}/health/ready", timeout=10)
    assert ready.status_code == 200 and ready.text.startswith("ready")


@pytest.mark.proves("XC-068", "SEC-T-041", "IMG-138")
def test_a_large_document_needs_no_memory_on_its_way(
    north: Node, here: Node, person: Person, tmp_path: Path
) -> None:
    peaks = []
    for size in (MIB, 200 * MIB):
        uid = submit(north, person.there, tmp_path, os.urandom(MIB) * (size // MIB))
        source = RetrieveRequest((DocumentRequest(north.repository_id, uid, NORTH),))
        answer, (data,) = ask(here, RETRIEVE, source)
        assert answer.status == urns.SUCCESS and len(data) == size
        peaks.append(_peak(here))
        del data
    assert peaks[1] - peaks[0] < 16 * MIB
    (folder,) = (here.config.parent / "spool").glob("*/documents")
    assert wait_for(lambda: not any(folder.iterdir()))


def _peak(node: Node) -> int:
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.proves("XC-028", "XC-003", "WS-074")
def test_a_client_of_the_published_contract_asks(
    shared: Path, here: Node, north: Node, person: Person, tmp_path: Path
) -> None:
    uid = submit(north, person.there, tmp_path)
    file = shared / "schema" / "wsdl" / "XCAInitiatingGateway.wsdl"
    with requests.Session() as session:
        client = zeep.Client(str(file), transport=Transport(session=session))
        service = client.create_service(
            f"{{{ns.XDS}}}InitiatingGateway_Binding_Soap12", f"{here.base}/gateway/initiating"
        )
        got = service.DocumentRepository_RetrieveDocumentSet(
            DocumentRequest=[
                {
                    "HomeCommunityId": NORTH,
                    "RepositoryUniqueId": north.repository_id,
                    "DocumentUniqueId": uid,
                }
            ]
        )
    assert got.RegistryResponse.status == urns.SUCCESS
    assert got.DocumentResponse[0].HomeCommunityId == NORTH


@pytest.mark.proves("UC-150", "XC-025")
def test_the_command_line_asks_all_communities(
    north: Node, here: Node, person: Person, tmp_path: Path
) -> None:
    uid = submit(north, person.there, tmp_path)
    at = ("--gateway", "--patient", str(person.here), "--config", here.config)
    said = program("find", *at, "--json")
    assert said.code == 0
    assert uid in {each["uniqueId"] for each in json.loads(said.out)}
    assert said.err.count("XDSUnavailableCommunity") == len(HOMES) - 1
    into = tmp_path / "into"
    said = program("fetch", *at, "--document", uid, "--into", into)
    assert said.code == 0, said.err
    assert [each.read_bytes() for each in into.iterdir()] == [REPORT]


# WADO-RS across the border


@pytest.fixture(scope="module")
def images(north: Node, person: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study in the north; its UID."""
    folder, uid = tmp_path_factory.mktemp("images"), new_uid()
    for name, data in study(uid, {new_uid(): 2}).items():
        (folder / f"{name}.dcm").write_bytes(data)
    assert program("import", folder, "--config", north.config).code == 0
    return uid


def wado(node: Node, uid: str, source: str, *, home: str = NORTH, more: str = "") -> Any:
    home = home.removeprefix("urn:oid:")
    place = f"homeCommunityId/{home}/RetrieveLocationUID/{source}/studies/{uid}{more}"
    return requests.get(f"{node.base}/gateway/initiating/wado/{place}", timeout=30)


@pytest.mark.proves("IMG-170", "IMG-171", "IMG-172", "IMG-173", "IMG-175", "IMG-008")
def test_images_come_by_plain_http_across_the_border(north: Node, here: Node, images: str) -> None:
    assert north.settings.imaging is not None
    source = north.settings.imaging.unique_id
    own = requests.get(f"{north.base}/dicom-web/studies/{images}", timeout=30)
    got = wado(here, images, source)
    assert (got.status_code, own.status_code) == (200, 200)

    def files(answer: requests.Response) -> list[bytes]:
        boundary = answer.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
        parts = answer.content.split(b"--" + boundary)[1:-1]
        return [each.partition(b"\r\n\r\n")[2] for each in parts]

    assert files(got) == files(own) and len(files(got)) == 2
    told = wado(here, images, source, more="/metadata")
    assert [each["0020000D"]["Value"] for each in told.json()] == [[images]] * 2
    spelled = requests.get(got.url.replace("/studies/", "/study/"), timeout=30)
    assert files(spelled) == files(own)
    lines = north.requests("RAD-107")
    assert any(each["path"].startswith("/gateway/responding/wado") for each in lines)


@pytest.mark.proves("IMG-163", "IMG-173")
@pytest.mark.parametrize("more", ["", "{base}/dicom-web", "{base}/dicom-web/studies/{uid}"])
def test_a_source_without_public_name_is_where_it_listens(
    north: Node, here: Node, images: str, more: str
) -> None:
    assert north.settings.imaging is not None and not north.settings.server.public_url
    url = more.format(base=north.base.removeprefix("http://"), uid=images)
    source = north.settings.imaging.unique_id
    assert wado(here, images, source, more=f"?retrieveurl={url}").status_code == 200


@pytest.mark.proves("IMG-170", "IMG-174")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"home": "urn:oid:2.999.666"}, 404),
        ({"home": HOMES["dead"]}, 404),
        ({"source": "2.999.667"}, 404),
        ({"uid": "1.2.3"}, 404),
        ({"uid": "..%2Fx"}, 400),
        ({"home": "x"}, 400),
        ({"source": "x"}, 400),
        ({"more": "/series/1.2?retrieveurl=127.0.0.1:9/x"}, 400),
        ({"more": "?retrieveurl=http://169.254.169.254/latest"}, 400),
        ({"more": "/a%20b"}, 400),
    ],
)
def test_what_nobody_serves_is_refused(
    north: Node, here: Node, images: str, change: dict[str, str], status: int
) -> None:
    assert north.settings.imaging is not None
    asked = {"uid": images, "source": north.settings.imaging.unique_id, **change}
    answer = wado(here, asked.pop("uid"), asked.pop("source"), **asked)
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
