"""Retrieves at an Initiating Gateway: ITI-43 and RAD-69 for all communities together."""

from typing import Any

import pytest

from tests import samples
from tests.actors.gateway.conftest import HOME, ask, document, told
from tests.actors.gateway.partners import NORTH, SOUTH, Scripted, community, gateway, own
from tests.repository.reading import everything
from xdsi.model.errors import (
    XDSDocumentUniqueIdError,
    XDSError,
    XDSUnavailableCommunity,
    relocated,
)
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest, RetrieveAnswer, RetrieveRequest
from xdsi.plug import Call
from xdsi.standard import urns
from xdsi.standard.transactions import RETRIEVE, RETRIEVE_IMAGING

HERE, THERE = str(samples.REPOSITORY), "2.999.61"
GONE = XDSUnavailableCommunity("ITI-39", "no answer: refused", rule="XC-056")


def wanted(*documents: tuple[str | None, str, str]) -> RetrieveRequest:
    return RetrieveRequest(tuple(DocumentRequest(repo, uid, home) for home, repo, uid in documents))


def giving(*errors: XDSError, without: tuple[str, ...] = (), **new: str) -> Scripted:
    """Every document that is asked for, its content the repository and the id."""

    def answer(request: Any, call: Call) -> RetrieveAnswer:
        asked = [
            getattr(each, "document", each)
            for each in getattr(request, "instances", None) or request.documents
        ]
        documents = [
            document(each, f"{each.repository_unique_id} {each.document_unique_id}".encode(), **new)
            for each in asked
            if each.document_unique_id not in without
        ]
        return RetrieveAnswer(tuple(documents), errors)

    return Scripted(answer)


def contents(answer: RetrieveAnswer) -> dict[tuple[str | None, str, str], bytes]:
    return {
        (each.request.home, each.request.repository_unique_id, each.request.document_unique_id):
        everything(each.content)
        for each in answer.documents
    }  # fmt: skip


@pytest.mark.proves("XC-051", "XC-061", "XC-067", "XC-019")
def test_each_community_is_asked_once_for_what_it_has() -> None:
    north, south, here = giving(), giving(), giving()
    documents = [
        (NORTH, THERE, "1.1"),
        (HOME, HERE, "1.1"),
        (SOUTH, THERE, "1.1"),
        (NORTH, HERE, "1.1"),
        (NORTH, THERE, "1.2"),
    ]
    with gateway(
        community(NORTH, retrieve=north),
        community(SOUTH, retrieve=south),
        own=own(retrieve={HERE: here}),
    ) as actor:
        answer = ask(actor, RETRIEVE, wanted(*documents, documents[0]))
        assert contents(answer) == {each: f"{each[1]} {each[2]}".encode() for each in documents}
    assert answer.status == urns.SUCCESS
    assert [len(each.documents) for each in north.asked] == [3]
    assert south.asked == [wanted((SOUTH, THERE, "1.1"))]
    assert here.asked == [wanted((HOME, HERE, "1.1"))]


@pytest.mark.proves("XC-056", "XC-061", "IMG-136")
def test_what_does_not_come_has_an_error_each() -> None:
    refusing = giving(
        relocated(XDSDocumentUniqueIdError("1.2", "gone"), f"{NORTH} 1.2"), without=("1.2",)
    )
    with gateway(
        community(NORTH, retrieve=refusing),
        community(SOUTH, retrieve=Scripted(GONE), name="South"),
        own=own(retrieve={HERE: giving()}),
    ) as actor:
        answer = ask(actor, RETRIEVE, wanted(
            (NORTH, THERE, "1.1"), (NORTH, THERE, "1.2"), (SOUTH, THERE, "1.3"),
            (SOUTH, THERE, "1.4"), (None, THERE, "1.5"), ("urn:oid:2.999.666", THERE, "1.6"),
            (HOME, "2.999.66", "1.7"),
        ))  # fmt: skip
        assert contents(answer) == {(NORTH, THERE, "1.1"): b"2.999.61 1.1"}
    assert answer.status == urns.PARTIAL_SUCCESS
    assert sorted(told(answer), key=lambda each: each[1]) == [
        ("XDSDocumentUniqueIdError", "1.2"),
        ("XDSUnavailableCommunity", "1.3"),
        ("XDSUnavailableCommunity", "1.4"),
        ("XDSMissingHomeCommunityId", "1.5"),
        ("XDSUnknownCommunity", "1.6"),
        ("XDSUnknownRepositoryId", "1.7"),
    ]
    silent = [each.context for each in answer.errors if each.code == "XDSUnavailableCommunity"]
    assert all(f"{SOUTH} (South)" in each for each in silent)


@pytest.mark.proves("XC-056")
def test_a_service_that_a_partner_lacks_is_told() -> None:
    with gateway(community(NORTH)) as actor:
        answer = ask(actor, RETRIEVE, wanted((NORTH, THERE, "1.1")))
    assert answer.status == urns.FAILURE
    assert told(answer) == [("XDSUnavailableCommunity", "1.1")]
    assert "no address for ITI-39 is configured" in answer.errors[0].context


@pytest.mark.proves("XC-074", "XC-076")
def test_new_ids_of_on_demand_documents_are_passed_on() -> None:
    new = {"new_document_unique_id": "1.9", "new_repository_unique_id": "2.999.62"}
    with gateway(community(NORTH, retrieve=giving(**new))) as actor:
        (one,) = ask(actor, RETRIEVE, wanted((NORTH, THERE, "1.1"))).documents
    assert (one.new_document_unique_id, one.new_repository_unique_id) == ("1.9", "2.999.62")


def instance(home: str | None, source: str, uid: str, study: str = "1.5") -> InstanceRequest:
    return InstanceRequest(study, "1.6", DocumentRequest(source, uid, home))


@pytest.mark.proves("IMG-117", "IMG-132", "IMG-135", "IMG-139", "IMG-141", "XC-115")
def test_images_of_several_communities_and_sources() -> None:
    north, here = giving(), giving()
    asked = ImagingRequest(
        (
            instance(NORTH, THERE, "1.1"),
            instance(HOME, HERE, "1.2"),
            instance(SOUTH, THERE, "1.3"),
            instance(NORTH, "2.999.62", "1.4", "1.55"),
            instance(HOME, "2.999.66", "1.5"),
            instance("urn:oid:2.999.666", THERE, "1.6"),
        ),
        ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"),
    )
    with gateway(
        community(NORTH, retrieve_imaging=north),
        community(SOUTH, retrieve_imaging=Scripted(GONE)),
        own=own(retrieve_imaging={HERE: here}),
    ) as actor:
        answer = ask(actor, RETRIEVE_IMAGING, asked)
        assert {uid for _, _, uid in contents(answer)} == {"1.1", "1.2", "1.4"}
    assert answer.status == urns.PARTIAL_SUCCESS
    assert sorted(told(answer)) == [
        ("XDSUnavailableCommunity", "1.3"), ("XDSUnknownCommunity", "1.6"),
        ("XDSUnknownRepositoryId", "1.5"),
    ]  # fmt: skip
    assert north.asked == [
        ImagingRequest((asked.instances[0], asked.instances[3]), asked.transfer_syntaxes)
    ]
    assert here.asked == [ImagingRequest((asked.instances[1],), asked.transfer_syntaxes)]


@pytest.mark.proves("XC-067")
def test_the_same_id_in_two_repositories_of_a_partner() -> None:
    """A partner that repeats the repository otherwise is understood where that is unambiguous."""

    def careless(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        return RetrieveAnswer(
            tuple(
                document(DocumentRequest("2.999.0", each.document_unique_id))
                for each in request.documents
            )
        )

    with gateway(community(NORTH, retrieve=Scripted(careless))) as actor:
        one = ask(actor, RETRIEVE, wanted((NORTH, THERE, "1.1")))
        both = ask(actor, RETRIEVE, wanted((NORTH, THERE, "1.1"), (NORTH, HERE, "1.1")))
    assert list(contents(one)) == [(NORTH, THERE, "1.1")]
    assert (both.status, len(both.errors)) == (urns.FAILURE, 2)
