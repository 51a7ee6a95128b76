"""Repositories for tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import repository
from repository.holdings import Holdings
from repository.schema import METADATA
from tests.databases import (  # noqa: F401 (fixtures)
    database,
    engines,
    postgresql,
    postgresql_server,
    sqlite,
)
from tests.files.conftest import hashing, quick_path  # noqa: F401 (fixtures)
from tests.repository.ports import ScriptedRegistry
from tests.samples import REPOSITORY
from xdsi import config
from xdsi.files.disk import Disk
from xdsi.units import engine

MakeHoldings = Callable[..., Holdings]


@pytest.fixture
def make_holdings(quick_path: Path) -> Iterator[MakeHoldings]:  # noqa: F811 (the fixture)
    """Opens the repository of this test, any number of times: the same files and ledger."""
    made: list[Holdings] = []
    opened = []

    def make(calls: Disk = os, url: str = "", *, limits: config.Limits | None = None) -> Holdings:
        opened.append(engine(url or f"sqlite:///{quick_path / 'ledger.db'}"))
        METADATA.create_all(opened[-1])
        settings = config.Repository(str(REPOSITORY), store=quick_path / "store", free_bytes=0)
        limits = limits or config.Limits()
        made.append(repository.opened(settings, limits, opened[-1], calls=calls))
        return made[-1]

    yield make
    for each in made:
        each.staging.close()
        each.ledger.close()
        each.staging.hashing.shutdown()
    for one in opened:
        one.dispose()


@pytest.fixture
def holdings(make_holdings: MakeHoldings) -> Holdings:
    """An empty repository on local files and SQLite."""
    return make_holdings()


@pytest.fixture
def registry() -> ScriptedRegistry:
    return ScriptedRegistry()
