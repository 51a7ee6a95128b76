"""Retrieve Document Set [ITI-43]."""

import os
import time
from dataclasses import replace
from unittest.mock import patch

import pytest

from repository import iti41, iti43
from repository.holdings import Holdings
from tests.files.disks import FailingDisk
from tests.repository import reading
from tests.repository.conftest import MakeHoldings
from tests.repository.ports import CALL, ScriptedRegistry
from tests.samples import HOME, provide
from xdsi.config import Limits
from xdsi.files.blobs import Mismatch
from xdsi.model.errors import (
    XDSDocumentUniqueIdError,
    XDSRepositoryError,
    XDSTooManyResults,
    XDSUnknownRepositoryId,
)
from xdsi.model.messages import DocumentRequest, RetrieveRequest
from xdsi.model.values import HomeCommunityId
from xdsi.standard import urns
from xdsi.units import Prepared

LARGE = 600 << 10  # above what is checked before the answer begins


def store(holdings: Holdings, *contents: bytes, mime_type: str = "text/plain") -> list[str]:
    """Keep documents; their uniqueIds."""
    request = provide(*contents, mime_type=mime_type)
    iti41.provide(request, CALL, holdings, ScriptedRegistry().register)
    return [str(entry.unique_id) for entry in request.submission.entries]


def ask(holdings: Holdings, *requests: DocumentRequest):  # type: ignore[no-untyped-def]
    return iti43.retrieve(RetrieveRequest(requests), CALL, holdings)


def damage(holdings: Holdings, unique_id: str, how: str) -> None:
    path = reading.file(holdings, unique_id)
    data = path.read_bytes()
    changed = {
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "cut": data[:-1],
        "longer": data + b"x",
        "empty": b"",
        "gone": None,
    }[how]
    path.unlink() if changed is None else path.write_bytes(changed)


@pytest.mark.proves("RET-013", "RET-014", "RET-015", "RET-017", "RET-020", "REG-030")
def test_documents_come_with_their_type_size_and_octets(holdings: Holdings) -> None:
    one, two = store(holdings, b"{\\rtf1 not a text", b"", mime_type="application/rtf")
    answer = reading.retrieve(holdings, one, two)
    assert answer.status == urns.SUCCESS
    assert answer.errors == ()
    first, second = answer.documents
    assert first.request == DocumentRequest(holdings.unique_id, one)
    assert (first.mime_type, first.content.size) == ("application/rtf", 17)
    assert reading.everything(first.content) == b"{\\rtf1 not a text"
    assert (second.content.size, reading.everything(second.content)) == (0, b"")
    assert first.new_document_unique_id is first.new_repository_unique_id is None


@pytest.mark.proves("RET-012")
def test_the_home_community_is_echoed_exactly_when_it_was_sent(holdings: Holdings) -> None:
    one, two = store(holdings, b"a", b"b")
    home = HomeCommunityId(f"urn:oid:{HOME}")
    answer = ask(
        holdings,
        DocumentRequest(holdings.unique_id, one, home),  # type: ignore[arg-type]
        DocumentRequest(holdings.unique_id, two),
    )
    assert [each.request.home for each in answer.documents] == [home, None]


@pytest.mark.proves("RET-021", "SEC-T-042")
def test_documents_come_in_the_order_asked_and_once(holdings: Holdings) -> None:
    one, two, three = store(holdings, b"1", b"2", b"3")
    answer = reading.retrieve(holdings, three, one, three, two, one)
    assert [d.request.document_unique_id for d in answer.documents] == [three, one, two]
    assert reading.retrieve(holdings, "nobody", "nobody").errors[1:] == ()


@pytest.mark.proves("RET-017", "RET-019", "RET-030", "SEC-T-126", "REG-154")
def test_some_documents_missing_is_a_partial_success(holdings: Holdings) -> None:
    (one,) = store(holdings, b"1")
    answer = reading.retrieve(holdings, "1.2.3", one)
    assert answer.status == urns.PARTIAL_SUCCESS
    assert [type(error) for error in answer.errors] == [XDSDocumentUniqueIdError]
    assert answer.errors[0].location == "1.2.3"
    assert reading.everything(answer.documents[0].content) == b"1"


@pytest.mark.proves("RET-017", "RET-030", "SEC-T-125", "SEC-T-015")
@pytest.mark.parametrize(
    "unique_id",
    ["1.2.3", "", "../identity", "/etc/passwd", "'; DROP TABLE blob; --", "x\x00", "1" * 5000],
)
def test_an_unknown_document_is_an_error_of_its_own(holdings: Holdings, unique_id: str) -> None:
    answer = reading.retrieve(holdings, unique_id)
    assert answer.status == urns.FAILURE
    (error,) = answer.errors
    assert type(error) is XDSDocumentUniqueIdError
    assert error.location == unique_id
    assert len(error.context) < 400


@pytest.mark.proves("RET-006", "RET-031", "REG-178")
def test_documents_of_another_repository_are_not_looked_for(holdings: Holdings) -> None:
    (one,) = store(holdings, b"1")
    answer = ask(
        holdings,
        DocumentRequest("1.9.9.9", one),
        DocumentRequest(holdings.unique_id, one),
    )
    assert [type(error) for error in answer.errors] == [XDSUnknownRepositoryId]
    assert answer.errors[0].location == one
    assert [each.request.repository_unique_id for each in answer.documents] == [holdings.unique_id]


@pytest.mark.proves("RET-034", "SEC-T-042", "REG-174")
def test_a_request_above_the_limit_is_refused(make_holdings: MakeHoldings) -> None:
    holdings = make_holdings()
    assert holdings.limits.retrieve_documents == 1000
    assert len(reading.retrieve(holdings, *(["1.2"] * 1000)).errors) == 1
    with pytest.raises(XDSTooManyResults, match="limit of 1000"):
        reading.retrieve(holdings, *(["1.2"] * 1001))
    few = replace(holdings, limits=Limits(retrieve_documents=1))
    with pytest.raises(XDSTooManyResults):
        reading.retrieve(few, "1", "2")


def test_the_ledger_is_asked_once(holdings: Holdings) -> None:
    wanted = store(holdings, *(bytes([n]) for n in range(50)))
    with patch.object(Prepared, "rows", autospec=True, side_effect=Prepared.rows) as asked:
        assert len(reading.retrieve(holdings, *wanted).documents) == 50
    assert asked.call_count == 1


@pytest.mark.proves("RET-037", "SEC-T-007", "RET-017")
@pytest.mark.parametrize("how", ["flipped", "cut", "longer", "empty", "gone"])
def test_a_damaged_document_is_an_error_and_others_are_served(
    holdings: Holdings, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = store(holdings, b"good", b"bad!")
    damage(holdings, bad, how)
    for _ in range(2):
        answer = reading.retrieve(holdings, bad, good)
        assert answer.status == urns.PARTIAL_SUCCESS
        (error,) = answer.errors
        assert type(error) is XDSRepositoryError
        assert error.location == bad
        assert reading.everything(answer.documents[0].content) == b"good"
    alarms = [each for each in caplog.records if each.levelname == "ERROR"]
    assert len(alarms) == 1
    assert bad in alarms[0].getMessage()


@pytest.mark.proves("RET-037", "SEC-T-007")
def test_a_large_damaged_document_breaks_off_and_is_an_error_from_then_on(
    holdings: Holdings,
) -> None:
    data = os.urandom(LARGE)
    (bad,) = store(holdings, data)
    damage(holdings, bad, "flipped")
    (document,) = reading.retrieve(holdings, bad).documents
    with pytest.raises(Mismatch):
        reading.everything(document.content)
    (error,) = reading.retrieve(holdings, bad).errors
    assert type(error) is XDSRepositoryError


def test_a_large_document_passes(holdings: Holdings) -> None:
    data = os.urandom(LARGE)
    (one,) = store(holdings, data)
    assert reading.served(holdings, one) == data


@pytest.mark.proves("SEC-T-007")
def test_small_documents_are_checked_before_only_up_to_a_sum(
    holdings: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iti43, "_CHECKED_TOGETHER", 5)
    one, two = store(holdings, b"1234", b"5678")
    damage(holdings, one, "flipped")
    damage(holdings, two, "flipped")
    answer = reading.retrieve(holdings, one, two)
    assert [error.location for error in answer.errors] == [one]
    with pytest.raises(Mismatch):
        reading.everything(answer.documents[0].content)


@pytest.mark.proves("RET-037", "REG-166")
def test_an_unreadable_document_is_tried_again_after_a_while(
    make_holdings: MakeHoldings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = FailingDisk()
    holdings = make_holdings(fault.disk())
    (one,) = store(holdings, os.urandom(LARGE))
    (document,) = reading.retrieve(holdings, one).documents
    fault.arm(name="pread")
    with pytest.raises(OSError, match="Input/output"):
        reading.everything(document.content)
    fault.arm()
    assert type(reading.retrieve(holdings, one).errors[0]) is XDSRepositoryError
    later = time.time() + 120
    monkeypatch.setattr(time, "time", lambda: later)
    assert reading.served(holdings, one) is not None


def test_a_document_removed_after_the_plan_was_made_breaks_off(holdings: Holdings) -> None:
    (one,) = store(holdings, os.urandom(LARGE))
    (document,) = reading.retrieve(holdings, one).documents
    damage(holdings, one, "gone")
    with pytest.raises(FileNotFoundError):
        document.content.open()
    assert type(reading.retrieve(holdings, one).errors[0]) is XDSRepositoryError


@pytest.mark.proves("RET-035", "SEC-T-017")
def test_a_lost_ledger_is_an_error_of_the_whole_request(
    holdings: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(ids: object) -> None:
        raise XDSRepositoryError("database", "cannot be reached")

    monkeypatch.setattr(holdings.ledger, "find", lost)
    with pytest.raises(XDSRepositoryError):
        reading.retrieve(holdings, "1.2.3")


def test_readers_release_their_files(holdings: Holdings) -> None:
    wanted = store(holdings, b"small", os.urandom(LARGE))
    before = reading.descriptors(holdings)
    for document in reading.retrieve(holdings, *wanted).documents:
        reading.everything(document.content)
        reader = document.content.open()
        reader.read(1)
        reader.close()
    assert reading.descriptors(holdings) == before
