"""A handful of the rows through a real node: sockets, envelopes, packaging."""

import sqlite3
from contextlib import closing

import pytest
from lxml import etree

from tests.errors import message
from tests.errors.message import Message
from tests.errors.table import Error, Row
from tests.errors.test_table import ROWS, decent, expect
from tests.errors.world import Said, said
from tests.node import Node, fresh_patient
from tests.server import dialect
from tests.server.dialect import Response

# they need nothing in the registry
CHOSEN = (
    "two SubmissionSets",
    "entry not in the set",
    "no SubmissionSetStatus",
    "On-Demand entry",
    "nested id twice",
    "DocumentEntry without classCode",
    "creationTime of Document01: 20240230",
    "limited metadata of Folder01",
    "uniqueId of set and Folder",
)
CHOSEN_ROWS = [each for each in ROWS if "ITI-42" in each.found and each.name in CHOSEN]
ACTIONS = {
    "ITI-42": "urn:ihe:iti:2007:RegisterDocumentSet-b",
    "ITI-41": "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
}


def objects(node: Node) -> int:
    """How many objects the registry holds."""
    with closing(sqlite3.connect(node.config.parent / "registry.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM object").fetchone()
    return int(count)


def post(node: Node, sent: Message, name: str) -> Response:
    """ITI-42 as simple SOAP to the registry, ITI-41 as MTOM to the repository."""
    if name == "ITI-42":
        text = etree.tostring(sent.root).decode()
        return dialect.post(node.base, "/registry", dialect.envelope(text, ACTIONS[name]))
    element, parts = sent.provided()
    envelope = dialect.envelope(etree.tostring(element).decode(), ACTIONS[name])
    documents = (dialect.part(each.data, f"<{cid}>") for cid, each in parts.items())
    body = dialect.multipart(dialect.root(envelope), *documents)
    return dialect.post(node.base, "/repository", body, dialect.mtom_type())


def answer_of(response: Response, name: str) -> tuple[str, list[Said]]:
    """Status and errors, once the frame of the answer is right."""
    assert response.status == 200, response.body[:2000]
    assert response.fault == ()
    assert response.is_mtom == (name == "ITI-41")
    if response.is_mtom:
        assert len(response.parts) == 1
    assert response.text("//env:Header/wsa:Action") == ACTIONS[name] + "Response"
    (element,) = response.envelope.iterfind("{*}Body/*")
    return said(element)


@pytest.mark.proves(
    *("REG-005", "REG-007", "REG-010", "REG-012", "REG-034", "REG-130", "REG-140", "REG-142"),
    *("SEC-T-113", "WS-052", "WS-082"),
)
@pytest.mark.parametrize("name", ["ITI-42", "ITI-41"])
@pytest.mark.parametrize("row", CHOSEN_ROWS, ids=lambda row: str(row.name))
def test_refusal_over_http(real_node: Node, row: Row, name: str) -> None:
    sent = message.good(fresh_patient(), is_joined=False)
    row.edit.change(sent)
    before = objects(real_node)
    status, found = answer_of(post(real_node, sent, name), name)
    wanted = row.of(name)
    assert isinstance(wanted, Error)
    assert status == "Failure"
    decent(found)
    expect(found, wanted)
    assert {each.rule for each in found} == wanted.rules
    assert objects(real_node) == before


@pytest.mark.proves("REG-005", "REG-007", "REG-140")
@pytest.mark.parametrize("name", ["ITI-42", "ITI-41"])
def test_good_message_over_http(real_node: Node, name: str) -> None:
    before = objects(real_node)
    sent = message.good(fresh_patient(), is_joined=False)
    assert answer_of(post(real_node, sent, name), name) == ("Success", [])
    assert objects(real_node) == before + 9


@pytest.mark.proves("SEC-T-113")
def test_removal_is_no_business_of_the_repository(real_node: Node) -> None:
    body = '<RemoveObjectsRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"/>'
    envelope = dialect.envelope(body, "urn:ihe:iti:2010:DeleteDocumentSet")
    response = dialect.post(real_node.base, "/repository", envelope)
    assert (response.status, response.fault) == (400, ("Sender", "ActionNotSupported"))


def test_all_chosen_rows_are_there() -> None:
    assert sorted(CHOSEN) == sorted(each.name for each in CHOSEN_ROWS)
