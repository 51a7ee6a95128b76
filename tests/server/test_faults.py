"""Whatever goes wrong, and wherever: the caller gets an answer that tells nothing, the log all."""

import pytest

from tests.server import dialect
from tests.server.dialect import SECRET, include, mtom_type, multipart, part, root


def receiver_fault(node, answer):
    """A Receiver fault with an incident id under which the log has the traceback."""
    assert (answer.status, answer.fault) == (500, ("Receiver",)), answer.body
    ticket = answer.header("x-request-id")
    assert answer.text("//env:Reason/env:Text") == f"internal error (incident {ticket})"
    assert SECRET.encode() not in answer.body
    assert b"Error" not in answer.body
    incident = node.line(ticket, "incident")
    assert any(SECRET in line or "Error" in line for line in incident["traceback"])
    assert node.line(ticket)["status"] == "Fault"
    assert node.staged == []


@pytest.mark.proves("SEC-T-057", "SEC-T-058", "WS-084", "WS-080")
@pytest.mark.parametrize("what", ["raise", "raise-base", "group-mixed", "unwritable"])
def test_exception_in_handler_and_codec(node, what):
    receiver_fault(node, node.post("/registry", dialect.query_message(what)))
    mtom = node.post("/registry", multipart(root(dialect.query_message(what))), mtom_type())
    assert mtom.is_mtom
    receiver_fault(node, mtom)


@pytest.mark.proves("SEC-T-057", "SEC-T-058")
def test_exception_while_a_document_is_written(node):
    message = dialect.provide_message([include("doc@x")])
    for content in (b"BROKEN CODE", b"BROKEN CODE" + bytes(1_000_000)):
        body = multipart(root(message.envelope), part(content, "<doc@x>"))
        receiver_fault(node, node.post("/repository", body, mtom_type()))


@pytest.mark.proves("SEC-T-058", "SEC-T-091")
def test_exception_of_the_handler_leaves_no_document(node):
    message = dialect.provide_message([include("doc@x")], title="handler fails")
    body = multipart(root(message.envelope), part(b"x" * 1_000_000, "<doc@x>"))
    receiver_fault(node, node.post("/repository", body, mtom_type()))
    assert node.published(message.names[0]) is None


@pytest.mark.parametrize("more", [0, 2_000_000])
@pytest.mark.parametrize("order", ["root-first", "root-last"])
def test_disk_that_fails_is_an_error_of_the_transaction(node, more, order):
    message = dialect.provide_message([include("doc@x")])
    parts = [root(message.envelope), part(b"BROKEN DISK" + bytes(more), "<doc@x>")]
    body = multipart(*(parts if order == "root-first" else parts[::-1]))
    answer = node.post("/repository", body, mtom_type())
    assert (answer.status, answer.errors) == (200, ["XDSRepositoryOutOfResources"])
    assert answer.is_mtom
    assert node.staged == []


@pytest.mark.proves("WS-080")
def test_fault_of_a_handler(node):
    answer = node.post("/registry", dialect.query_message("fault"))
    assert (answer.status, answer.fault) == (400, ("Sender",))
    assert answer.text("//env:Text").startswith("the frame is wrong")


STAGES = {
    "checks": "xdsi.server.front.check",
    "intake": "xdsi.server.app.Intake",
    "scanner": "xdsi.wire.mime.Scanner.feed",
    "parser": "xdsi.wire.safexml.parse",
    "envelope": "xdsi.wire.soap.read_envelope",
    "request-codec": "xdsi.wire.retrieve.retrieve_from_xml",
    "ids": "xdsi.server.log.ids_of",
    "answer-codec": "xdsi.wire.retrieve.answer_to_xml",
    "packaging": "xdsi.wire.soap.open_envelope",
    "frame": "xdsi.wire.mtom.Frame.new",
    "writing-of-the-fault": "xdsi.wire.soap.fault_envelope",
}


@pytest.mark.proves("SEC-T-058")
@pytest.mark.parametrize("stage", STAGES)
def test_exception_at_every_stage(make_node, stage):
    node = make_node(broken=STAGES[stage])
    body = multipart(root(dialect.retrieve_message("gone")))
    if stage == "writing-of-the-fault":
        body = body[:-30]
    answer = node.post("/repository", body, mtom_type())
    ticket = answer.header("x-request-id")
    assert answer.status == 500
    assert ticket.encode() in answer.body
    assert SECRET.encode() not in answer.body
    assert any(SECRET in line for line in node.line(ticket, "incident")["traceback"])
    assert node.process.poll() is None


@pytest.mark.proves("SEC-T-018")
@pytest.mark.parametrize("order", ["root-first", "root-last"])
def test_full_disk_refuses_submissions_only(make_node, order):
    node = make_node()
    (node.folder / "full").touch()
    message = dialect.provide_message([include("doc@x")])
    parts = [root(message.envelope), part(bytes(5_000_000), "<doc@x>")]
    body = multipart(*(parts if order == "root-first" else parts[::-1]))
    answer = node.post("/repository", body, mtom_type())
    assert (answer.status, answer.errors) == (200, ["XDSRepositoryOutOfResources"])
    assert answer.is_mtom
    assert node.staged == []
    retrieve = multipart(root(dialect.retrieve_message("text:a")))
    assert node.post("/repository", retrieve, mtom_type()).outcome == "Success"
    simple = dialect.provide_message(["QUJD"])
    refused = node.post("/repository", simple.envelope)
    assert refused.errors == ["XDSRepositoryOutOfResources"]
    assert node.get("/health/ready").status == 503
    (node.folder / "full").unlink()
    assert node.post("/repository", simple.envelope).outcome == "Success"
    assert node.get("/health/ready").status == 200


@pytest.mark.proves("SEC-T-018")
def test_full_disk_is_told_before_the_documents_are_sent(make_node):
    node = make_node()
    (node.folder / "full").touch()
    message = dialect.provide_message([include("doc@x")])
    body = multipart(root(message.envelope), part(bytes(5_000_000), "<doc@x>"))
    with node.connect() as connection:
        connection.send(dialect.request("/repository", body, mtom_type())[:1_000_000])
        answer = connection.receive()
    assert answer.errors == ["XDSRepositoryOutOfResources"]
    assert node.staged == []


@pytest.mark.proves("SEC-T-161")
def test_handler_learns_that_the_caller_has_gone(node, tmp_path):
    told = tmp_path / "told"
    with node.connect() as connection:
        message = dialect.query_message(f"wait:{told}")
        connection.send(dialect.request("/registry", message))
        assert not dialect.wait_for(told.exists, 0.3)
    assert dialect.wait_for(lambda: told.exists() and told.read_text() == "gone")
