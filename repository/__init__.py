"""Document Repository: keeps documents, registers their metadata, gives them out again."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from sqlalchemy import Engine

from repository import iti41, iti43, recovery
from repository.holdings import Holdings
from repository.ledger import MIGRATIONS, Ledger
from xdsi import config
from xdsi.config import Limits
from xdsi.files.blobs import LocalStore
from xdsi.files.custody import Custody
from xdsi.files.disk import Disk
from xdsi.files.staging import StagingArea
from xdsi.model.errors import XDSError
from xdsi.plug import Actor, Handler, Route
from xdsi.standard import transactions

__all__ = ["MIGRATIONS", "actor", "opened"]

_log = logging.getLogger("xdsi.repository")

_HASHING_THREADS = 4


def actor(
    settings: config.Repository, limits: Limits, engine: Engine, register: Handler, query: Handler
) -> Actor:
    """The Document Repository actor.

    engine: of the ledger, whose tables are there (MIGRATIONS)
    register, query: ITI-42 and ITI-18, local handlers or callers of a remote registry. Refusals
        are raised or returned as errors; anything else means that the outcome is unknown.
    `close` disposes of the engine, and does not need the database.
    Raises ConfigurationError when store and ledger do not belong together, OSError.
    """
    holdings = opened(settings, limits, engine)

    def close() -> None:
        with ExitStack() as steps:  # last one first, and every one whatever became of the others
            steps.callback(engine.dispose)
            steps.callback(holdings.staging.hashing.shutdown)
            steps.callback(_close_ledger, holdings.ledger)
            steps.callback(holdings.staging.close)

    provide = partial(
        iti41.provide,
        holdings=holdings,
        register=register,
        is_remote=settings.registry != "local",
        sources=frozenset(settings.sources),
        manifest_check=settings.manifest_check,
    )
    return Actor(
        name="repository",
        path="/repository",
        contract="repository",
        routes=(
            Route(transactions.PROVIDE_AND_REGISTER, provide),
            Route(transactions.RETRIEVE, partial(iti43.retrieve, holdings=holdings)),
        ),
        staging=holdings.staging,
        admit=holdings.store.admit,
        ready=partial(holdings.custody.ready, "repository"),
        run=partial(recovery.running, holdings, query, settings.settle_seconds),
        close=close,
    )


def opened(
    settings: config.Repository, limits: Limits, engine: Engine, *, calls: Disk = os
) -> Holdings:
    """Store, staging area and ledger of the configuration. Raises as `actor`."""
    store = LocalStore(settings.store, settings.free_bytes, calls=calls)
    ledger = Ledger(engine, patience=limits.statement_seconds)
    Custody(store, ledger).bind("repository")
    hashing = ThreadPoolExecutor(_HASHING_THREADS, thread_name_prefix="hashing")
    staging = StagingArea(store.staging, limits.document, hashing, calls=calls)
    return Holdings(settings.unique_id, store, staging, ledger, limits)


def _close_ledger(ledger: Ledger) -> None:
    try:
        ledger.close()
    except XDSError as error:
        _log.error("claims of registered submissions stay open till the next start: %s", error)
