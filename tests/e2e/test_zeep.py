"""A client that knows the served contracts alone: zeep registers, asks, submits, retrieves."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from tests import samples
from tests.e2e import nodes
from tests.e2e.nodes import Domain
from tests.registry.conftest import Maker
from tests.registry.updates import request, revised
from xdsi.model.messages import ProvideRequest, Submission
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX
from xdsi.standard import namespaces as ns
from xdsi.standard import queries, transactions, urns
from xdsi.standard.attributes import DOCUMENT_ENTRY

ROWS = {row.name: row.key for row in DOCUMENT_ENTRY}


class Contracts:
    """Clients of the contracts of both actors."""

    def __init__(self, domain: Domain, session: requests.Session) -> None:
        def client(row: transactions.Transaction) -> zeep.Client:
            return zeep.Client(f"{domain.address(row)}?wsdl", transport=Transport(session=session))

        self.registry = client(transactions.REGISTER)
        self.repository = client(transactions.PROVIDE_AND_REGISTER)

    def call(self, row: transactions.Transaction, **content: Any) -> Any:
        client = self.repository if row.is_mtom else self.registry
        return client.service[row.operation](**content)


@pytest.fixture(scope="module")
def contracts(local: Domain) -> Iterator[Contracts]:
    with requests.Session() as session:
        yield Contracts(local, session)


def typed(client: zeep.Client, text: str) -> list[Any]:
    """The objects of a submission, made of the types that zeep has generated."""
    (listed,) = etree.fromstring(text.encode()).iter(ns.tag(ns.RIM, "RegistryObjectList"))
    found = []
    for each in listed:
        kind = etree.QName(each).localname
        element = client.get_element(ns.tag(ns.RIM, kind))
        found.append({kind: element.parse(each, client.wsdl.types)})
    return found


def slots(obj: Any) -> dict[str, list[str]]:
    return {each.name: list(each.ValueList.Value) for each in obj.Slot}


def identifier(obj: Any, name: str) -> str:
    """Value of an ExternalIdentifier."""
    (found,) = (e for e in obj.ExternalIdentifier if e.identificationScheme == ROWS[name])
    return str(found.value)


def ask(contracts: Contracts, row: queries.StoredQuery, **slots_: str) -> list[Any]:
    """(kind, typed object) pairs of a LeafClass answer."""
    answer = contracts.call(
        transactions.STORED_QUERY,
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={
            "id": row.id,
            "Slot": [
                {"name": f"${name}", "ValueList": {"Value": [value]}}
                for name, value in slots_.items()
            ],
        },
    )
    assert answer.status == urns.SUCCESS, answer
    return [next(iter(each.items())) for each in answer.RegistryObjectList["_value_1"]]


@pytest.mark.proves("SQ-001", "SQ-011", "REG-006", "REG-007", "WS-074")
def test_registers_and_reads_typed_objects(
    contracts: Contracts, local: Domain, patient: CX
) -> None:
    entry = samples.full_document_entry(patient_id=patient)
    folder = samples.folder(patient_id=patient)
    submission = samples.submission([entry], folders=[folder], filed=[(folder, entry)])
    objects = typed(contracts.registry, nodes.register_body(submission))
    answer = contracts.call(transactions.REGISTER, RegistryObjectList={"_value_1": objects})
    assert answer.status == urns.SUCCESS, answer
    again = contracts.call(transactions.REGISTER, RegistryObjectList={"_value_1": objects})
    assert again.status == urns.FAILURE
    codes = {each.errorCode for each in again.RegistryErrorList.RegistryError}
    assert "XDSDuplicateUniqueIdInRegistry" in codes
    found = ask(
        contracts,
        queries.GET_SUBMISSION_SET_AND_CONTENTS,
        XDSSubmissionSetUniqueId=f"'{submission.submission_set.unique_id}'",
    )
    kinds = sorted(kind for kind, _ in found)
    # memberships: of the entry, of the folder, the filing, and of the filing
    assert kinds == [*["Association"] * 4, "ExtrinsicObject", *["RegistryPackage"] * 2]
    (got,) = (obj for kind, obj in found if kind == "ExtrinsicObject")
    assert (got.id, got.mimeType, got.status) == (entry.entry_uuid, "text/plain", urns.APPROVED)
    assert got.Name.LocalizedString[0].value == "Invented report"
    assert slots(got)["hash"] == [str(entry.hash)]
    assert slots(got)["sourcePatientInfo"] == [str(each) for each in entry.source_patient_info]
    assert identifier(got, "unique_id") == str(entry.unique_id)
    assert identifier(got, "patient_id") == str(patient)
    authors = [e for e in got.Classification if e.classificationScheme == ROWS["authors"]]
    assert [slots(each)["authorPerson"] for each in authors] == [
        [str(one) for one in author.persons] for author in entry.authors
    ]


@pytest.mark.proves("REG-004", "WS-052", "WS-055", "RET-015", "RET-063", "RET-014", "SEC-T-038")
def test_submits_and_retrieves_inline(contracts: Contracts, local: Domain, patient: CX) -> None:
    """zeep speaks simple SOAP alone, so the answer is simple and holds the documents inline."""
    contents = (b"x", b"\x00\xff" * 50_000, b"an invented text\r\n")
    request: ProvideRequest = samples.provide(*contents, patient_id=patient)
    client = contracts.repository
    objects = typed(client, nodes.register_body(request.submission))
    answer = contracts.call(
        transactions.PROVIDE_AND_REGISTER,
        SubmitObjectsRequest={"RegistryObjectList": {"_value_1": objects}},
        Document=[
            {"_value_1": content, "id": document.id}
            for document, content in zip(request.documents, contents, strict=True)
        ],
    )
    assert answer.status == urns.SUCCESS, answer
    entries: tuple[DocumentEntry, ...] = request.submission.entries
    found = ask(
        contracts,
        queries.FIND_DOCUMENTS,
        XDSDocumentEntryPatientId=f"'{patient}'",
        XDSDocumentEntryStatus=f"('{urns.APPROVED}')",
    )
    by_id = {identifier(obj, "unique_id"): slots(obj) for _, obj in found}
    assert by_id.keys() == {str(each.unique_id) for each in entries}
    got = contracts.call(
        transactions.RETRIEVE,
        DocumentRequest=[
            {"RepositoryUniqueId": slots_["repositoryUniqueId"][0], "DocumentUniqueId": id_}
            for id_, slots_ in by_id.items()
        ],
    )
    assert got.RegistryResponse.status == urns.SUCCESS
    received = {each.DocumentUniqueId: each for each in got.DocumentResponse}
    for entry, content in zip(entries, contents, strict=True):
        id_ = str(entry.unique_id)
        assert (received[id_].Document or b"") == content
        assert received[id_].mimeType == "text/plain"
        assert by_id[id_]["size"] == [str(len(content))]
        assert by_id[id_]["hash"] == [hashlib.sha1(content).hexdigest()]


@pytest.mark.proves("RET-017", "RET-019", "RET-030", "RET-031", "SEC-T-126")
def test_reads_what_was_not_delivered(contracts: Contracts, local: Domain, patient: CX) -> None:
    request = samples.provide(b"here", patient_id=patient)
    assert local.provide(request).errors == ()
    here, elsewhere = str(request.submission.entries[0].unique_id), samples.new_oid()
    got = contracts.call(
        transactions.RETRIEVE,
        DocumentRequest=[
            {"RepositoryUniqueId": local.repository_id, "DocumentUniqueId": elsewhere},
            {"RepositoryUniqueId": local.repository_id, "DocumentUniqueId": here},
            {"RepositoryUniqueId": "1.2.3.4.5.6", "DocumentUniqueId": here},
        ],
    )
    assert got.RegistryResponse.status == urns.PARTIAL_SUCCESS
    assert [each.DocumentUniqueId for each in got.DocumentResponse] == [here]
    errors = got.RegistryResponse.RegistryErrorList.RegistryError
    assert [(each.errorCode, each.location) for each in errors] == [
        ("XDSDocumentUniqueIdError", elsewhere),
        ("XDSUnknownRepositoryId", here),
    ]


@pytest.mark.proves("LC-001", "LC-003", "LC-004", "SQ-002", "WS-074")
def test_updates_and_removes_typed_objects(contracts: Contracts, patient: CX) -> None:
    make = Maker(patient)

    def send(row: transactions.Transaction, submission: Submission) -> Any:
        objects = typed(contracts.registry, nodes.register_body(submission))
        return contracts.call(row, RegistryObjectList={"_value_1": objects}).status

    offer, first = make.on_demand(), make.entry()
    offered, brought = make.submission([offer]), make.submission([first])
    second = revised(first)
    third = revised(second)
    updated, restricted = request(make, second), request(make, third, previous=2)
    for row, sent in (
        (transactions.REGISTER_ON_DEMAND, offered),
        (transactions.REGISTER, brought),
        (transactions.UPDATE, updated),
        (transactions.RESTRICTED_UPDATE, restricted),
    ):
        assert send(row, sent) == urns.SUCCESS
    ((_, got),) = ask(
        contracts, queries.GET_DOCUMENTS, XDSDocumentEntryUniqueId=f"('{first.unique_id}')"
    )
    assert (got.id, got.lid, got.VersionInfo.versionName) == (
        third.entry_uuid, first.entry_uuid, "3"
    )  # fmt: skip
    answer = contracts.call(
        transactions.MULTI_PATIENT_QUERY,
        ResponseOption={"returnType": "ObjectRef", "returnComposedObjects": True},
        AdhocQuery={
            "id": queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS.id,
            "Slot": [
                {"name": name, "ValueList": {"Value": [value]}}
                for name, value in (
                    ("$XDSDocumentEntryPatientId", f"('{patient}')"),
                    ("$XDSDocumentEntryStatus", f"('{urns.APPROVED}')"),
                )
            ],
        },
    )
    (only,) = answer.RegistryObjectList["_value_1"]
    assert only["ObjectRef"].id == third.entry_uuid
    ids = [
        each.entry_uuid
        for sent in (brought, updated, restricted)
        for each in (*sent.submission_sets, *sent.entries, *sent.associations)
    ]
    refs = {"ObjectRef": [{"id": each} for each in ids]}
    removed = contracts.call(transactions.REMOVE_METADATA, ObjectRefList=refs)
    assert removed.status == urns.SUCCESS, removed
    again = contracts.call(transactions.REMOVE_METADATA, ObjectRefList=refs)
    codes = [each.errorCode for each in again.RegistryErrorList.RegistryError]
    assert codes == ["UnresolvedReferenceException"] * len(ids)
