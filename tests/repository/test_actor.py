"""The repository as the node mounts it."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

import repository
from repository.ledger import Ledger
from tests.repository.ports import CALL, ScriptedRegistry
from tests.samples import REPOSITORY, provide
from xdsi import config
from xdsi.config import ConfigurationError, Limits
from xdsi.model.errors import (
    XDSError,
    XDSRepositoryError,
    XDSRepositoryMetadataError,
    XDSRepositoryOutOfResources,
)
from xdsi.model.messages import DocumentRequest, RetrieveRequest
from xdsi.plug import Actor
from xdsi.units import migrate

Make = Callable[..., Actor]


@pytest.fixture
def make(quick_path: Path, engines: Callable[..., Engine], registry: ScriptedRegistry) -> Make:
    def make(ledger: str = "ledger.db", store: str = "store", **changes: object) -> Actor:
        engine = engines(f"sqlite:///{quick_path / ledger}")
        migrate(engine, repository.MIGRATIONS)
        given = {"store": quick_path / store, "free_bytes": 0, **changes}
        settings = config.Repository(str(REPOSITORY), **given)  # type: ignore[arg-type]
        return repository.actor(settings, Limits(), engine, registry.register, registry.query)

    return make


def test_what_it_serves_and_where(make: Make) -> None:
    actor = make()
    assert (actor.name, actor.path, actor.contract) == ("repository", "/repository", "repository")
    assert [route.transaction.id for route in actor.routes] == ["ITI-41", "ITI-43"]
    assert actor.ready() == ()
    actor.close()


def test_a_document_goes_in_and_comes_out(make: Make) -> None:
    actor = make()
    provide_, retrieve = (route.handler for route in actor.routes)
    request = provide(b"abc")
    with actor.run():  # type: ignore[misc]
        provide_(request, CALL)
        asked = DocumentRequest(str(REPOSITORY), str(request.submission.entries[0].unique_id))
        answer = retrieve(RetrieveRequest((asked,)), CALL)
    assert answer.documents[0].content.open().read(9) == b"abc"
    actor.close()


@pytest.mark.proves("SEC-T-018")
def test_a_full_disk_is_told_before_anything_is_read(make: Make) -> None:
    actor = make(free_bytes=1 << 60)
    with pytest.raises(XDSRepositoryOutOfResources, match=r"free space \(repository\.free_bytes\)"):
        actor.admit()  # type: ignore[misc]
    assert actor.ready() == (), "what is stored can still be retrieved"
    actor.close()


@pytest.mark.parametrize(("registry_at", "is_refused"), [("local", False), ("http://x", True)])
def test_only_a_remote_registry_makes_findings_an_error_here(
    make: Make, registry_at: str, is_refused: bool
) -> None:
    actor = make(registry=registry_at)
    request = provide()
    finding = XDSError("slot", "twice")
    request = replace(request, submission=replace(request.submission, findings=(finding,)))
    if is_refused:
        with pytest.raises(ExceptionGroup) as caught:
            actor.routes[0].handler(request, CALL)
        assert type(caught.value.exceptions[0]) is XDSRepositoryMetadataError
    else:
        actor.routes[0].handler(request, CALL)
    actor.close()


def test_store_and_ledger_that_do_not_belong_together_are_refused(make: Make) -> None:
    one = make()
    one.routes[0].handler(provide(), CALL)
    one.close()
    make().close()
    with pytest.raises(ConfigurationError, match="right disk mounted"):
        make(store="empty")
    with pytest.raises(ConfigurationError, match="right disk mounted"):
        make(ledger="other.db")


def test_an_unused_store_may_get_a_new_ledger_and_the_other_way_round(make: Make) -> None:
    make().close()
    make(ledger="other.db").close()
    make(ledger="other.db", store="other").close()


@pytest.mark.proves("SEC-T-017")
def test_a_store_that_vanished_and_came_back_shows_in_readiness(
    make: Make, quick_path: Path
) -> None:
    actor = make()
    (quick_path / "store").rename(quick_path / "away")
    assert actor.ready() == ("repository: the document store is not there",)
    (quick_path / "away").rename(quick_path / "store")
    assert actor.ready() == ()
    actor.close()


@pytest.mark.proves("SEC-T-019")
def test_closing_without_the_database_lets_go_of_everything(
    make: Make,
    quick_path: Path,
    registry: ScriptedRegistry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lost(ledger: Ledger) -> None:
        raise XDSRepositoryError("database", "cannot be reached")

    threads = set(threading.enumerate())
    disposed: list[object] = []
    monkeypatch.setattr(Engine, "dispose", lambda engine, **_: disposed.append(engine))
    actor = make()
    actor.routes[0].handler(provide(os.urandom(1 << 20)), CALL)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "flush", lost)
        actor.close()
    assert len(disposed) == 1
    left = {each.name for each in set(threading.enumerate()) - threads}
    assert not any(name.startswith("hashing") for name in left)
    assert "stay open till the next start" in caplog.text


@pytest.mark.proves("SEC-T-017")
def test_a_lost_database_shows_in_readiness(
    tmp_path: Path,
    own_postgresql,
    registry: ScriptedRegistry,
    engines: Callable[..., Engine],  # type: ignore[no-untyped-def]
) -> None:
    url = own_postgresql.create()
    engine = engines(url)
    migrate(engine, repository.MIGRATIONS)
    settings = config.Repository(str(REPOSITORY), store=tmp_path / "store", free_bytes=0)
    actor = repository.actor(settings, Limits(), engine, registry.register, registry.query)
    assert actor.ready() == ()
    own_postgresql.stop()
    try:
        start = time.monotonic()
        (problem,) = actor.ready()
        assert time.monotonic() - start < 5
        assert problem.startswith("repository: database")
    finally:
        own_postgresql.start()
    assert actor.ready() == ()
    actor.close()
