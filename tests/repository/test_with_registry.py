"""The repository with the project's own registry in the same process."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine

import registry
from repository import iti41, recovery
from repository.holdings import Holdings
from tests.repository import reading
from tests.repository.conftest import MakeHoldings
from tests.repository.ports import CALL
from tests.samples import CONTENT, provide
from xdsi import config
from xdsi.config import Limits
from xdsi.model.errors import (
    XDSDuplicateUniqueIdInRegistry,
    XDSError,
    XDSNonIdenticalHash,
    XDSNonIdenticalSize,
    XDSRegistryMetadataError,
    XDSRegistryNotAvailable,
    XDSUnknownPatientId,
    leaves,
)
from xdsi.model.messages import (
    ProvideRequest,
    QueryAnswer,
    QueryRequest,
    RegistryAnswer,
    Submission,
)
from xdsi.model.objects import Slot
from xdsi.model.values import Availability, Identifier
from xdsi.plug import Actor, Call
from xdsi.standard import urns
from xdsi.standard.queries import GET_DOCUMENTS
from xdsi.units import migrate
from xdsi.wire import parameters

# of a set that is registered already; the second one because its ids are UUIDs, taken as well
ARRIVED = [XDSDuplicateUniqueIdInRegistry, XDSRegistryMetadataError]


@pytest.fixture
def actor(database: str, engines: Callable[..., Engine]) -> Iterator[Actor]:
    """The registry, on each kind of database in turn; the ledger shares it."""
    engine = engines(database)
    migrate(engine, registry.MIGRATIONS)
    made = registry.actor(config.Registry(unknown_patients="admit"), Limits(), engine)
    yield made
    made.close()


@pytest.fixture
def holdings(make_holdings: MakeHoldings, database: str, actor: Actor) -> Holdings:
    url = database if database.startswith("postgresql") else ""
    return make_holdings(url=url, limits=Limits(request_seconds=-5.0))


def register(actor: Actor) -> Callable[[Submission, Call], RegistryAnswer]:
    return actor.routes[0].handler


def query(actor: Actor) -> Callable[[QueryRequest, Call], QueryAnswer]:
    return actor.routes[1].handler


def entries(actor: Actor, unique_id: str) -> int:
    """How many entries the registry has with this uniqueId."""
    slot = Slot("$XDSDocumentEntryUniqueId", (f"({parameters.string(unique_id)})",))
    return len(query(actor)(QueryRequest(GET_DOCUMENTS.id, (slot,)), CALL).objects)


def id_of(request: ProvideRequest) -> str:
    return str(request.submission.entries[0].unique_id)


def codes(request: ProvideRequest, actor: Actor, holdings: Holdings) -> list[type]:
    """The errors of a submission, none after Success."""
    try:
        iti41.provide(request, CALL, holdings, register(actor))
    except (XDSError, ExceptionGroup) as error:
        return sorted({type(each) for each in leaves(error)}, key=lambda kind: kind.__name__)
    return []


@pytest.mark.proves("REG-028", "REG-029", "REG-033", "SEC-T-003")
def test_what_is_provided_is_registered_and_served(actor: Actor, holdings: Holdings) -> None:
    data = os.urandom(100_000)
    request = provide(data)
    assert codes(request, actor, holdings) == []
    assert entries(actor, id_of(request)) == 1
    assert reading.served(holdings, id_of(request)) == data


@pytest.mark.proves("REG-034", "REG-036", "REG-132", "REG-027")
def test_what_the_registry_refuses_is_not_kept_and_may_come_again(
    actor: Actor, holdings: Holdings
) -> None:
    request = provide()
    bad = replace(request.submission.entries[0], class_code=None)
    refused = replace(request, submission=replace(request.submission, entries=(bad,)))
    assert codes(refused, actor, holdings) == [XDSRegistryMetadataError]
    assert reading.names(holdings) == reading.recorded(holdings) == set()
    assert codes(request, actor, holdings) == []


@pytest.mark.proves("SEC-T-008", "REG-094", "REG-025")
def test_a_repeated_message_says_that_the_first_one_arrived(
    actor: Actor, holdings: Holdings
) -> None:
    request = provide()
    assert codes(request, actor, holdings) == []
    assert codes(request, actor, holdings) == ARRIVED
    assert reading.served(holdings, id_of(request)) == CONTENT
    assert entries(actor, id_of(request)) == 1


@pytest.mark.proves("SEC-T-003", "SEC-T-008")
def test_of_identical_submissions_at_once_one_counts_and_its_document_stays(
    actor: Actor, holdings: Holdings
) -> None:
    for _ in range(4):
        request = provide(b"abc")
        start = threading.Barrier(4)

        def race(_: int) -> list[type]:
            start.wait()  # noqa: B023 (used up in this round)
            return codes(request, actor, holdings)  # noqa: B023

        with ThreadPoolExecutor(4) as threads:
            answers = sorted(threads.map(race, range(4)), key=len)
        assert answers[0] == []
        # who looks for ids before the winner is there finds its UUIDs taken alone
        known = {XDSDuplicateUniqueIdInRegistry, XDSRegistryMetadataError}
        assert all(known & set(found) for found in answers[1:])
        assert entries(actor, id_of(request)) == 1
        assert reading.served(holdings, id_of(request)) == b"abc"
    assert reading.names(holdings) == reading.recorded(holdings)
    holdings.ledger.flush()
    assert holdings.ledger.open_claims(1e12) == ()


@pytest.mark.proves("SEC-T-005", "SEC-T-107")
def test_of_different_documents_at_once_under_one_uniqueid_one_is_the_truth(
    actor: Actor, holdings: Holdings
) -> None:
    for _ in range(4):
        unique_id = provide().submission.entries[0].unique_id
        start = threading.Barrier(6)

        def race(n: int) -> bytes | None:
            data = bytes([n]) * (n % 2 + 1)
            request = provide(data, unique_id=unique_id)  # noqa: B023 (used up in this round)
            start.wait()  # noqa: B023
            found = codes(request, actor, holdings)
            assert {*found} <= {XDSNonIdenticalHash, XDSNonIdenticalSize}
            return None if found else data

        with ThreadPoolExecutor(6) as threads:
            winners = [data for data in threads.map(race, range(6)) if data]
        assert len(winners) == 1
        assert reading.served(holdings, str(unique_id)) == winners[0]
        assert entries(actor, str(unique_id)) == 1


@pytest.mark.proves("SEC-T-001", "SEC-T-003", "SEC-T-004")
@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "lost"])
@pytest.mark.parametrize("unique_id", ["1.2.3", "it's ('one'), two"])
def test_a_lost_answer_is_settled_by_asking(
    actor: Actor, holdings: Holdings, arrived: bool, unique_id: str
) -> None:
    request = provide(b"abc", unique_id=Identifier(unique_id))

    def lossy(sent: Submission, call: Call) -> RegistryAnswer:
        if arrived:
            register(actor)(sent, call)
        raise ConnectionResetError("no answer")

    with pytest.raises(XDSRegistryNotAvailable):
        iti41.provide(request, CALL, holdings, lossy)
    assert reading.served(holdings, unique_id) == b"abc"
    assert recovery.settle(holdings, query(actor), patience=-5) == 1
    assert holdings.ledger.open_claims(1e12) == ()
    assert reading.served(holdings, unique_id) == (b"abc" if arrived else None)
    assert entries(actor, unique_id) == arrived
    assert codes(request, actor, holdings) == (ARRIVED if arrived else [])


@pytest.mark.proves("SEC-T-004", "SQ-191", "SQ-192", "SQ-198")
@pytest.mark.parametrize(
    "without", [(), ("metadata-update", "restricted-update")], ids=["level 2", "no level 2"]
)
def test_what_queries_hide_has_arrived_all_the_same(
    database: str, engines: Callable[..., Engine], holdings: Holdings, without: tuple[str, ...]
) -> None:
    engine = engines(database)
    migrate(engine, registry.MIGRATIONS)
    settings = config.Registry(unknown_patients="admit", without=without)
    actor = registry.actor(settings, Limits(), engine)
    request = provide(b"abc", document_availability=Availability(urns.OFFLINE))

    def lossy(sent: Submission, call: Call) -> RegistryAnswer:
        register(actor)(sent, call)
        raise ConnectionResetError("no answer")

    with pytest.raises(XDSRegistryNotAvailable):
        iti41.provide(request, CALL, holdings, lossy)
    assert entries(actor, id_of(request)) == bool(without)
    assert recovery.settle(holdings, query(actor), patience=-5) == 1
    assert reading.served(holdings, id_of(request)) == b"abc"
    actor.close()


def test_an_unknown_patient_is_the_registry_s_business(
    sqlite: str, engines: Callable[..., Engine], make_holdings: MakeHoldings
) -> None:
    engine = engines(sqlite)
    migrate(engine, registry.MIGRATIONS)
    strict = registry.actor(config.Registry(), Limits(), engine)
    assert codes(provide(), strict, make_holdings()) == [XDSUnknownPatientId]
    strict.close()
