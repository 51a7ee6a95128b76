"""Updates and removals over HTTP: versions, statuses, On-Demand entries, what is gone.

Requests leave through the callers; every answer is that of a node in a process of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests import samples
from tests.e2e.nodes import Domain, Node, wait_until
from tests.registry.conftest import LEVEL_2, Maker
from tests.registry.updates import request, revised
from xdsi.model.messages import QueryAnswer, QueryRequest, RegistryAnswer, RemoveRequest
from xdsi.model.objects import DocumentEntry, InternationalString, Slot
from xdsi.model.values import CX, DTM
from xdsi.peers.caller import Caller
from xdsi.peers.errors import Faulted
from xdsi.plug import Call
from xdsi.standard import queries, transactions, urns
from xdsi.standard.queries import StoredQuery
from xdsi.standard.transactions import Transaction
from xdsi.wire.parameters import many, single

CONTENT = b"an invented report"
STATUS = many("$XDSDocumentEntryStatus", [urns.APPROVED])


def send(domain: Domain, row: Transaction, sent: Any) -> list[str]:
    """Codes of the errors."""
    answer: RegistryAnswer = domain.caller(row)(sent, Call.internal())
    assert (answer.status == urns.SUCCESS) == (answer.errors == ())
    return [error.code for error in answer.errors]


def refused(domain: Domain, row: Transaction, sent: Any) -> list[str]:
    """As `send`; nothing has changed."""
    before = domain.stored()
    codes = send(domain, row, sent)
    assert domain.stored() == before
    return codes


@pytest.fixture
def make(patient: CX) -> Maker:
    return Maker(patient)


@pytest.fixture
def entry(domain: Domain, make: Maker) -> DocumentEntry:
    """An entry whose document is stored."""
    sent = samples.provide(CONTENT, patient_id=make.patient)
    assert domain.provide(sent).errors == ()
    slot = single("$XDSDocumentEntryUniqueId", str(sent.submission.entries[0].unique_id))
    (one,) = domain.find(queries.GET_DOCUMENTS, slot)
    assert isinstance(one, DocumentEntry)
    return one


def versions(domain: Domain, entry: DocumentEntry) -> list[tuple[str | None, str]]:
    """Number and status of all versions; the latest one is what level 1 shows."""
    slot = single("$XDSDocumentEntryLogicalID", str(entry.logical_id))
    found = domain.find(queries.GET_DOCUMENTS, slot, LEVEL_2)
    assert domain.find(queries.GET_DOCUMENTS, slot) == found[-1:]
    return [(each.version, str(each.status).rpartition(":")[2]) for each in found]


@pytest.mark.proves(
    *("LC-001", "LC-002", "LC-005", "LC-006", "LC-013", "LC-024", "LC-040", "LC-041", "LC-053"),
    *("LC-103", "LC-106", "LC-109", "WS-007", "WS-010", "WS-016", "SQ-191", "SQ-194"),
)
def test_an_entry_lives_through_versions(domain: Domain, make: Maker, entry: DocumentEntry) -> None:
    title = InternationalString.of("Corrected", "en")
    second = revised(entry, title=title)
    assert send(domain, transactions.UPDATE, request(make, second)) == []
    assert versions(domain, entry) == [("1", "Deprecated"), ("2", "Approved")]
    late = request(make, revised(entry))
    assert refused(domain, transactions.UPDATE, late) == ["XDSMetadataVersionError"]
    assert refused(domain, transactions.RESTRICTED_UPDATE, late) == ["XDSMetadataVersionError"]
    down = request(make, statuses=[(second, "Approved", "Deprecated")])
    assert send(domain, transactions.UPDATE, down) == []
    third = revised(second, creation_time=DTM("2023"), status=urns.DEPRECATED)
    assert send(domain, transactions.RESTRICTED_UPDATE, request(make, third, previous=2)) == []
    assert versions(domain, entry) == [
        ("1", "Deprecated"), ("2", "Deprecated"), ("3", "Deprecated")
    ]  # fmt: skip
    moved = revised(third, repository_unique_id=samples.REPOSITORY)
    sent = request(make, moved, previous=3)
    assert refused(domain, transactions.RESTRICTED_UPDATE, sent) == ["UnmodifiableMetadataError"]
    # whatever its metadata say, the document is the one that came
    unique_id = str(entry.unique_id)
    assert domain.retrieve(unique_id) == {unique_id: CONTENT}


@pytest.mark.proves(
    "LC-003", "LC-122", "LC-123", "LC-124", "LC-126", "LC-130", "LC-131", "WS-008", "WS-018"
)
def test_what_is_removed_is_gone(domain: Domain, make: Maker, entry: DocumentEntry) -> None:
    assert send(domain, transactions.UPDATE, request(make, revised(entry))) == []
    everything = (
        single("$patientId", str(make.patient)),
        *(
            many(f"$XDS{kind}Status", [urns.APPROVED, urns.DEPRECATED])
            for kind in ("DocumentEntry", "SubmissionSet", "Folder")
        ),
        LEVEL_2,
    )
    ids = tuple(each.entry_uuid for each in domain.find(queries.GET_ALL, *everything))
    assert len(ids) == 6
    for sent, code in (
        (ids[:1], "ReferencesExistException"),
        ((*ids, samples.new_uuid()), "UnresolvedReferenceException"),
        ((), "XDSRegistryError"),
    ):
        assert code in refused(domain, transactions.REMOVE_METADATA, RemoveRequest(sent))
    assert send(domain, transactions.REMOVE_METADATA, RemoveRequest(ids)) == []
    # what is gone from the tables is told in the log
    wait_until(
        lambda: any(
            each["transaction"] == "ITI-62" and each["ids"] == list(ids)
            for each in domain.registry.log
            if each["event"] == "request"
        )
    )
    assert domain.find(queries.GET_ALL, *everything) == []
    unique_id = str(entry.unique_id)
    assert domain.retrieve(unique_id) == {unique_id: CONTENT}


@pytest.mark.proves("LC-004", "LC-140", "LC-142", "WS-006", "SQ-055", "REG-058")
def test_an_on_demand_entry_is_offered(domain: Domain, make: Maker) -> None:
    offer = make.on_demand()
    assert send(domain, transactions.REGISTER_ON_DEMAND, make.submission([offer])) == []
    patient = single("$XDSDocumentEntryPatientId", str(make.patient))
    types = many("$XDSDocumentEntryType", [urns.ON_DEMAND_DOCUMENT])
    assert domain.find(queries.FIND_DOCUMENTS, patient, STATUS) == []
    (found,) = domain.find(queries.FIND_DOCUMENTS, patient, STATUS, types)
    assert found.entry_uuid == offer.entry_uuid
    for row, sent in (
        (transactions.REGISTER_ON_DEMAND, make.submission([make.entry()])),
        (transactions.REGISTER, make.submission([make.on_demand()])),
    ):
        assert set(refused(domain, row, sent)) == {"XDSRegistryMetadataError"}


@pytest.mark.proves("SQ-002", "SQ-094", "SQ-097", "SQ-180", "SQ-182", "WS-002", "WS-014")
def test_several_patients_are_asked_about_at_once(domain: Domain) -> None:
    makers = [Maker(samples.new_patient()) for _ in range(3)]
    for each in makers:
        assert domain.register(each.submission()).errors == ()

    def ask(row: Transaction, query: StoredQuery, *slots: Slot) -> QueryAnswer:
        answer: QueryAnswer = domain.caller(row)(QueryRequest(query.id, slots), Call.internal())
        return answer

    own, several = transactions.MULTI_PATIENT_QUERY, queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS
    patients = many("$XDSDocumentEntryPatientId", [str(each.patient) for each in makers])
    answer = ask(own, several, patients, STATUS)
    assert {each.patient_id for each in answer.objects} == {each.patient for each in makers}  # type: ignore[union-attr]
    for row, query, slots, code in (
        (own, several, (STATUS,), "XDSStoredQueryMissingParam"),
        (own, queries.FIND_DOCUMENTS, (patients, STATUS), "XDSUnknownStoredQuery"),
        (transactions.STORED_QUERY, several, (patients, STATUS), "XDSUnknownStoredQuery"),
    ):
        answer = ask(row, query, *slots)
        assert [each.code for each in answer.errors] == [code]


@pytest.mark.proves("LC-149", "WS-036")
def test_what_is_not_offered_is_a_fault(make_node: Callable[..., Node], domain: Domain) -> None:
    node = make_node({"registry": {"without": ["on-demand", "remove-metadata"]}}).start()
    make = Maker(samples.new_patient())
    offer = make.submission([make.on_demand()])
    for row, sent in (
        (transactions.REGISTER_ON_DEMAND, offer),
        (transactions.REMOVE_METADATA, RemoveRequest(("a",))),
    ):
        caller = Caller(row, f"{node.address}/registry", domain.session)
        with pytest.raises(Faulted, match="is not served at this address"):
            caller(sent, Call.internal())
    with_it = replace(domain, registry=node)
    assert with_it.register(make.submission()).errors == ()
