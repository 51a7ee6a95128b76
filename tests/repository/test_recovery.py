"""What a repository does by itself: settle, sweep, compare, verify."""

import io
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repository import iti41, recovery, verify
from repository.holdings import Holdings
from tests.repository import reading
from tests.repository.conftest import MakeHoldings
from tests.repository.ports import CALL, ScriptedRegistry, raising
from tests.samples import provide, submission_set
from xdsi.config import Limits
from xdsi.files.blobs import LocalStore
from xdsi.files.sightings import Sightings
from xdsi.model.errors import (
    XDSError,
    XDSRegistryBusy,
    XDSRegistryError,
    XDSRegistryNotAvailable,
    XDSStoredQueryParamNumber,
)
from xdsi.model.messages import ProvideRequest, QueryAnswer, QueryRequest
from xdsi.plug import Call
from xdsi.standard.queries import GET_DOCUMENTS, GET_SUBMISSION_SET_AND_CONTENTS, OBJECT_REF

AT_ONCE = Limits(request_seconds=-5.0)


@pytest.fixture
def holdings(make_holdings: MakeHoldings) -> Holdings:
    """One for which every open claim is old."""
    return make_holdings(limits=AT_ONCE)


def id_of(request: ProvideRequest) -> str:
    return str(request.submission.entries[0].unique_id)


def unanswered(
    holdings: Holdings, registry: ScriptedRegistry, *, arrived: bool, content: bytes = b"abc"
) -> ProvideRequest:
    """A submission whose answer got lost, on the way there or on the way back."""
    request = provide(content)
    if arrived:
        registry.after = raising(ConnectionError("lost"))
    else:
        registry.before = raising(ConnectionError("lost"))
    with pytest.raises(XDSRegistryNotAvailable):
        iti41.provide(request, CALL, holdings, registry.register)
    registry.before = registry.after = lambda: None
    return request


@pytest.mark.proves("SEC-T-001", "SEC-T-003")
def test_a_submission_that_arrived_is_held(holdings: Holdings, registry: ScriptedRegistry) -> None:
    request = unanswered(holdings, registry, arrived=True)
    assert recovery.settle(holdings, registry.query) == 1
    assert holdings.ledger.open_claims(1e12) == ()
    assert reading.served(holdings, id_of(request)) == b"abc"
    assert recovery.settle(holdings, registry.query) == 0


@pytest.mark.proves("SEC-T-004")
def test_a_submission_that_never_arrived_goes_after_a_long_while(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    request = unanswered(holdings, registry, arrived=False)
    assert recovery.settle(holdings, registry.query) == 0
    assert reading.served(holdings, id_of(request)) == b"abc", "it may still be in a queue"
    assert recovery.settle(holdings, registry.query, patience=-5) == 1
    assert reading.served(holdings, id_of(request)) is None
    assert reading.names(holdings) == reading.recorded(holdings) == set()
    iti41.provide(request, CALL, holdings, registry.register)


def test_claims_of_running_requests_are_not_asked_about(
    make_holdings: MakeHoldings, registry: ScriptedRegistry
) -> None:
    holdings = make_holdings()
    unanswered(holdings, registry, arrived=True)
    assert recovery.settle(holdings, registry.query, patience=-5) == 0
    assert registry.asked == []
    assert len(holdings.ledger.open_claims(1e12)) == 1


@pytest.mark.proves("SEC-T-003")
def test_a_document_another_submission_brought_stays(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    first = provide(b"abc")
    iti41.provide(first, CALL, holdings, registry.register)
    entry = first.submission.entries[0]
    lost = unanswered(holdings, registry, arrived=False)
    renamed = with_other_ids(lost, entry.unique_id)
    registry.before = raising(ConnectionError("lost"))
    with pytest.raises(XDSRegistryNotAvailable):
        iti41.provide(renamed, CALL, holdings, registry.register)
    registry.before = lambda: None
    assert recovery.settle(holdings, registry.query, patience=-5) == 2
    assert holdings.ledger.open_claims(1e12) == ()
    assert reading.served(holdings, id_of(first)) == b"abc"
    assert reading.served(holdings, id_of(lost)) is None
    assert len(reading.names(holdings)) == 1


def with_other_ids(request: ProvideRequest, unique_id: object) -> ProvideRequest:
    """The request with another document uniqueId and a set of its own."""
    (entry,) = request.submission.entries
    changed = replace(
        request.submission,
        entries=(replace(entry, unique_id=unique_id),),
        submission_sets=(submission_set(),),
    )
    return replace(request, submission=changed)


def test_the_registry_is_asked_for_references_by_unique_id(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    request = unanswered(holdings, registry, arrived=True)
    recovery.settle(holdings, registry.query)
    document, set_ = registry.asked
    assert (document.query_id, set_.query_id) == (
        GET_DOCUMENTS.id,
        GET_SUBMISSION_SET_AND_CONTENTS.id,
    )
    assert {document.return_type, set_.return_type} == {OBJECT_REF}
    assert document.parameters[0].values == (f"('{id_of(request)}')",)
    assert set_.parameters[0].values == (f"'{request.submission.submission_set.unique_id}'",)


@pytest.mark.proves("SEC-T-004")
@pytest.mark.parametrize(
    "error",
    [
        XDSRegistryNotAvailable("registry"),
        XDSRegistryError("database"),
        ExceptionGroup("x", [XDSError("x")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_is_deleted_on_a_doubt(
    holdings: Holdings, registry: ScriptedRegistry, error: Exception
) -> None:
    request = unanswered(holdings, registry, arrived=False)

    def query(request: QueryRequest, call: Call) -> QueryAnswer:
        raise error

    assert recovery.settle(holdings, query, patience=-5) == 0
    returned = [XDSRegistryError("database", "lost")]
    assert recovery.settle(holdings, lambda *_: QueryAnswer((), tuple(returned)), patience=-5) == 0
    assert reading.served(holdings, id_of(request)) == b"abc"


def test_success_not_yet_written_is_written_and_not_asked_about(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    iti41.provide(provide(), CALL, holdings, registry.register)
    assert len(holdings.ledger.open_claims(1e12)) == 1
    assert recovery.settle(holdings, registry.query) == 0
    assert holdings.ledger.open_claims(1e12) == ()
    assert registry.asked == []


def orphan(holdings: Holdings) -> str:
    staged = holdings.staging.stage(lambda: io.BytesIO(b"nobody's"))
    (name,) = holdings.store.publish([staged])
    staged.discard()
    return name


@pytest.mark.proves("SEC-T-004")
def test_published_documents_without_record_go_after_an_hour(
    holdings: Holdings, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = provide(b"abc")
    iti41.provide(request, CALL, holdings, registry.register)
    name = orphan(holdings)
    assert holdings.custody.compare(name[:2]) == (0, 0)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3500)
    assert holdings.custody.compare(name[:2]) == (0, 0)
    monkeypatch.setattr(time, "monotonic", lambda: now + 3700)
    assert holdings.custody.compare(name[:2]) == (1, 0)
    (kept,) = reading.names(holdings)
    assert holdings.custody.compare(kept[:2]) == (0, 0)
    assert reading.served(holdings, id_of(request)) == b"abc"


@pytest.fixture(params=[86400, -86400], ids=["forward", "back"])
def step_the_clock(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Steps the wall clock by a day when called."""
    now = time.time
    return lambda: monkeypatch.setattr(time, "time", lambda: now() + request.param)


@pytest.mark.proves("SEC-T-001", "SEC-T-003", "SEC-T-021")
def test_a_clock_that_steps_while_a_submission_runs_costs_no_document(
    make_holdings: MakeHoldings,
    registry: ScriptedRegistry,
    step_the_clock: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    holdings = make_holdings()

    def step() -> None:
        step_the_clock()
        assert recovery.settle(holdings, registry.query) == 0
        assert recovery.settle(holdings, registry.query, patience=-5) == 0, "it runs here"

    registry.before = step
    request = provide(b"precious")
    iti41.provide(request, CALL, holdings, registry.register)
    recovery.settle(holdings, registry.query)
    assert reading.served(holdings, id_of(request)) == b"precious"
    assert holdings.ledger.open_claims() == ()
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.mark.proves("SEC-T-003", "SEC-T-021")
def test_a_clock_that_steps_costs_no_claim_of_another_process(
    make_holdings: MakeHoldings, registry: ScriptedRegistry, step_the_clock: Callable[[], None]
) -> None:
    holdings, other = make_holdings(), make_holdings()

    def step() -> None:
        step_the_clock()
        assert recovery.settle(other, registry.query) == 0

    registry.before = step
    request = provide(b"precious")
    iti41.provide(request, CALL, holdings, registry.register)
    assert reading.served(holdings, id_of(request)) == b"precious"


@pytest.mark.proves("SEC-T-001", "SEC-T-021")
def test_a_clock_that_steps_between_publishing_and_claiming_costs_no_file(
    holdings: Holdings, step_the_clock: Callable[[], None]
) -> None:
    name = orphan(holdings)
    step_the_clock()
    assert holdings.custody.compare(name[:2]) == (0, 0)
    assert holdings.custody.compare(name[:2]) == (0, 0)
    assert reading.names(holdings) == {name}


@pytest.mark.proves("SEC-T-004", "SEC-T-021")
def test_claims_are_settled_after_being_watched_whatever_the_clock_says(
    make_holdings: MakeHoldings,
    registry: ScriptedRegistry,
    step_the_clock: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holdings = make_holdings()
    request = unanswered(holdings, registry, arrived=False)
    step_the_clock()
    start = time.monotonic()
    for seconds, settled in ((0, 0), (1700, 0), (1900, 1)):
        monkeypatch.setattr(time, "monotonic", lambda at=start + seconds: at)
        assert recovery.settle(holdings, registry.query) == settled
    assert reading.names(holdings) == reading.recorded(holdings) == set()
    assert reading.served(holdings, id_of(request)) is None


def test_what_is_not_seen_at_a_look_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sightings = Sightings()
    looks = ((0, "ab", [0, 0]), (5, "a", [5]), (7, "ab", [7, 0]), (8, "", []), (9, "a", [0]))
    for at, seen, seconds in looks:
        monkeypatch.setattr(time, "monotonic", lambda at=at: at)
        assert list(sightings.look("here", seen).values()) == seconds
        assert list(sightings.look("there", "z").values()) == [at]


@pytest.mark.parametrize(
    ("error", "is_asked_on"),
    [
        (XDSStoredQueryParamNumber("uniqueId"), True),
        (XDSRegistryError("uniqueId"), True),
        (XDSRegistryNotAvailable("registry"), False),
        (XDSRegistryBusy("registry"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_refused_question_does_not_keep_the_others_waiting(
    holdings: Holdings, registry: ScriptedRegistry, error: XDSError, is_asked_on: bool
) -> None:
    requests = [unanswered(holdings, registry, arrived=True) for _ in range(9)]
    bad = id_of(requests[4])

    def query(request: QueryRequest, call: Call) -> QueryAnswer:
        if not is_asked_on or f"('{bad}')" in request.parameters[0].values:
            registry.asked.append(request)
            raise ExceptionGroup("refused", [error])
        return registry.query(request, call)

    assert recovery.settle(holdings, query) == (8 if is_asked_on else 0)
    assert len(registry.asked) == (17 if is_asked_on else 1)
    left = {claim.document_unique_id for claim in holdings.ledger.open_claims()}
    assert bad in left
    assert len(left) == (1 if is_asked_on else 9)
    assert reading.served(holdings, bad) == b"abc"


def test_a_registry_that_refuses_every_question_is_left_alone(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    request = provide(*(bytes([n]) for n in range(30)))
    registry.after = raising(ConnectionError("lost"))
    with pytest.raises(XDSRegistryNotAvailable):
        iti41.provide(request, CALL, holdings, registry.register)

    def query(request: QueryRequest, call: Call) -> QueryAnswer:
        registry.asked.append(request)
        raise XDSRegistryError("database", "lost")

    assert recovery.settle(holdings, query) == 0
    assert len(registry.asked) == 20


@pytest.mark.proves("SEC-T-003")
@pytest.mark.parametrize("how", ["another store", "an empty folder", "nothing"])
def test_a_store_that_is_away_proves_nothing(
    holdings: Holdings, registry: ScriptedRegistry, quick_path: Path, how: str
) -> None:
    request = provide(b"abc")
    iti41.provide(request, CALL, holdings, registry.register)
    (name,) = reading.names(holdings)
    place, away = quick_path / "store", quick_path / "away"
    place.rename(away)
    if how == "another store":
        other = LocalStore(place)
        other.identify("other")
        (place / "documents" / name[:2] / ("0" * 34)).write_bytes(b"not ours to remove")
    elif how == "an empty folder":
        place.mkdir(mode=0o700)
    assert holdings.custody.compare(name[:2], orphans=-5) == (0, 0)
    assert [each.problem is None for each in verify.verify(holdings)] == [False]
    if how == "another store":
        assert (place / "documents" / name[:2] / ("0" * 34)).exists()
    assert reading.served(holdings, id_of(request)) is None
    if place.exists():
        place.rename(quick_path / "wrong")
    away.rename(place)
    assert reading.served(holdings, id_of(request)) == b"abc", "at once"
    assert holdings.custody.compare(name[:2]) == (0, 0)


@pytest.mark.proves("SEC-T-003")
def test_a_record_without_document_is_reported(
    holdings: Holdings, registry: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    request = provide(b"abc")
    iti41.provide(request, CALL, holdings, registry.register)
    (name,) = reading.names(holdings)
    reading.file(holdings, id_of(request)).unlink()
    assert holdings.custody.compare(name[:2]) == (0, 1)
    assert id_of(request) in caplog.text
    assert holdings.custody.compare(name[:2]) == (0, 0), "once"
    assert holdings.ledger.find([id_of(request)])[id_of(request)].is_failing(time.time())


@pytest.mark.proves("SEC-T-004")
def test_the_timer_settles_and_sweeps_until_it_is_stopped(
    holdings: Holdings, registry: ScriptedRegistry, tmp_path: Path
) -> None:
    unanswered(holdings, registry, arrived=True)
    dead = holdings.staging.root / "dead"
    dead.mkdir()
    for name in ("lock", "left"):
        (dead / name).touch()
        os.utime(dead / name, (1, 1))
    with recovery.running(holdings, registry.query, 0.02):
        deadline = time.monotonic() + 10
        while (holdings.ledger.open_claims(1e12) or dead.exists()) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert holdings.ledger.open_claims(1e12) == ()
    assert not dead.exists()


def test_the_timer_outlives_failures_and_stops_promptly(
    holdings: Holdings, registry: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    unanswered(holdings, registry, arrived=True)
    registry.is_silent = True
    with recovery.running(holdings, registry.query, 0.02):
        deadline = time.monotonic() + 10
        while len(registry.asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        registry.is_silent = False
        while holdings.ledger.open_claims(1e12) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert holdings.ledger.open_claims(1e12) == ()
    assert "tried again later" in caplog.text
    start = time.monotonic()
    with recovery.running(holdings, registry.query, 3600):
        pass
    assert time.monotonic() - start < 2


@pytest.mark.proves("SEC-T-007", "SEC-T-185")
def test_every_flipped_bit_is_found_and_none_is_served(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    chance = random.Random(7)
    contents = [chance.randbytes(chance.randrange(1, 300)) for _ in range(1010)]
    request = provide(*contents)
    iti41.provide(request, CALL, holdings, registry.register)
    ids = [str(entry.unique_id) for entry in request.submission.entries]
    paths = {path.name: path for path in holdings.staging.root.parent.rglob("*")}
    for blob in holdings.ledger.find(ids[:1000]).values():
        path = paths[blob.name]
        data = bytearray(path.read_bytes())
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    found = {each.blob.document_unique_id: each.problem for each in verify.verify(holdings)}
    assert {unique_id for unique_id, problem in found.items() if problem} == set(ids[:1000])
    assert len(found) == 1010
    assert reading.retrieve(holdings, *ids[:1000]).documents == ()
    assert len(reading.retrieve(holdings, *ids[1000:]).documents) == 10


def test_a_document_whose_octets_are_right_again_is_delivered_again(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    request = provide(b"abc")
    iti41.provide(request, CALL, holdings, registry.register)
    path = reading.file(holdings, id_of(request))
    for content, problem in ((b"abd", "other octets than recorded"), (b"abc", None)):
        path.write_bytes(content)
        assert [each.problem for each in verify.verify(holdings)] == [problem]
    path.unlink()
    (gone,) = verify.verify(holdings)
    assert gone.problem == "No such file or directory"
    assert reading.served(holdings, id_of(request)) is None
