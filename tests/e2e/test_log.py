"""What the nodes have said about all that the other tests sent them, and about one exchange."""

import json

import pytest

from tests import samples
from tests.e2e import nodes
from tests.e2e.nodes import Domain
from tests.server import dialect
from xdsi.model.values import CX
from xdsi.standard import queries, transactions, urns
from xdsi.wire.parameters import many, single

# of the sample patient, its relatives in the code, and what documents are about
DEMOGRAPHICS = ("Example", "19700101", "Erika", "Invented report", "INVENTED-77")


@pytest.mark.proves("SEC-T-059")
def test_log_names_ids_and_nobody(domain: Domain, patient: CX) -> None:
    request = samples.provide(samples.CONTENT, patient_id=patient)
    text = nodes.provide_body(request, [dialect.include("part0@test")])
    message = nodes.envelope(transactions.PROVIDE_AND_REGISTER, text)
    body = dialect.multipart(dialect.root(message), dialect.part(samples.CONTENT, "<part0@test>"))
    for status in ("Success", "Failure"):  # the second time its ids are taken
        response = dialect.post(domain.repository.address, "/repository", body, dialect.mtom_type())
        assert response.outcome == status
        ticket = response.header("x-request-id")

        def line(ticket: str | None = ticket) -> list[dict[str, object]]:
            return [each for each in domain.repository.log if each.get("ticket") == ticket]

        nodes.wait_until(line)
        (found,) = line()
        assert (found["transaction"], found["status"]) == ("ITI-41", status)
        assert str(request.submission.entries[0].unique_id) in str(found["ids"])
    slots = (
        single("$XDSDocumentEntryPatientId", str(patient)),
        many("$XDSDocumentEntryStatus", [urns.APPROVED]),
    )
    assert len(domain.find(queries.FIND_DOCUMENTS, *slots)) == 1
    for node in domain.nodes:
        said = node.log_file.read_text()
        assert [word for word in DEMOGRAPHICS if word in said] == []
        # every line is one record; the last one may just be written
        lines = [json.loads(line) for line in said[: said.rfind("\n")].splitlines()]
        unexpected = [
            each
            for each in lines
            if each["event"] == "incident" or "traceback" in each or each.get("http") == 500
        ]
        assert unexpected == []
