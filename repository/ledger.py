"""The ledger: which documents are stored under which uniqueId, and which submissions claim them.

A submission opens its claims before it is registered. Success makes them held, Failure removes
them, and a blob goes with its last claim. While the outcome is unknown a claim stays open and is
settled later (repository.recovery). Source: SEC-T-001 to SEC-T-005, SEC-T-011, REG-030, REG-031.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    and_,
    delete,
    insert,
    select,
    update,
)

from repository.schema import BLOB, CLAIM, HELD, OPEN, STORE
from xdsi.files.custody import FOREVER
from xdsi.model.errors import (
    XDSError,
    XDSRepositoryBusy,
    XDSRepositoryError,
    XDSRepositoryOutOfResources,
    refuse,
)
from xdsi.units import Faults, Listing, Migrations, Prepared, Units, among

_log = logging.getLogger("xdsi.repository")

MIGRATIONS = Migrations("repository", Path(__file__).parent / "migrations")
FAULTS = Faults(XDSRepositoryBusy, XDSRepositoryOutOfResources, XDSRepositoryError)


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored document. name: in the store; size in octets; hashes in lower-case hex.

    seal: None for one of before there were seals
    failing_until: seconds since 1970 until which it is not delivered
    """

    document_unique_id: str
    name: str
    size: int
    sha1: str
    sha256: str
    mime_type: str
    failing_until: int | None = None
    seal: str | None = None

    @property
    def unique_id(self) -> str:
        return self.document_unique_id

    @property
    def checksum(self) -> str:
        return self.seal or self.sha256

    def is_failing(self, now: float) -> bool:
        return self.failing_until is not None and now < self.failing_until


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A claim whose submission's outcome is not known. opened: seconds since 1970."""

    key: str
    blob_id: int
    submission: str
    document_unique_id: str
    opened: int


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction of the ledger. now: seconds since 1970."""

    connection: Connection
    now: int

    @property
    def driver(self) -> Any:
        """The driver's connection, for statements that are prepared."""
        return self.connection.connection.dbapi_connection


def _unit(connection: Connection, now: datetime) -> Unit:
    return Unit(connection, int(now.timestamp()))


_COLUMNS = (
    BLOB.c.document_unique_id,
    BLOB.c.name,
    BLOB.c.size,
    BLOB.c.sha1,
    BLOB.c.sha256,
    BLOB.c.mime_type,
    BLOB.c.failing_until,
    BLOB.c.seal,
)

# rows locked in one order, so that two submissions do not wait for each other
_LOCK = select(BLOB.c.id, *_COLUMNS).order_by(BLOB.c.document_unique_id).with_for_update()

# What every submission asks and writes; executed by SQLAlchemy it was a third of its time.
_FIND = Listing(lambda n: select(*_COLUMNS).where(among(BLOB.c.document_unique_id, n)))
_LOCK_BY_UNIQUE_ID = Listing(lambda n: _LOCK.where(among(BLOB.c.document_unique_id, n)))
_HOLD = Listing(lambda n: update(CLAIM).where(among(CLAIM.c.key, n)).values(state=HELD))


@lru_cache(4)
def _insert_blob(dialect: Dialect) -> Prepared:
    columns = [column.name for column in BLOB.c if column.name not in ("id", "failing_until")]
    return Prepared.of(insert(BLOB).returning(BLOB.c.id), dialect, columns)


@lru_cache(4)
def _insert_claim(dialect: Dialect) -> Prepared:
    return Prepared.of(insert(CLAIM), dialect)


Compare = Callable[[Blob, Blob], Iterable[XDSError]]


class Ledger:
    """Every method raises XDSRepositoryBusy, XDSRepositoryOutOfResources or XDSRepositoryError
    when the database does not do its part; nothing was changed then.
    """

    def __init__(self, engine: Engine, *, patience: float = 5.0) -> None:
        self._units = Units(engine, _unit, FAULTS, patience=patience)
        # by key, how many claims: of submissions running here, and of those to be marked as held
        self._running: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._guard = Lock()

    def find(self, document_unique_ids: Iterable[str]) -> dict[str, Blob]:
        """The blobs that are there, by uniqueId, in one query."""
        ids = tuple(document_unique_ids)
        if not ids:
            return {}
        rows = self._units.fetch(*_FIND.of(ids, self._units.engine.dialect))
        return {row[0]: _blob(row) for row in rows}

    def claim(
        self, submission: str, blobs: Sequence[Blob], compare: Compare
    ) -> tuple[str, tuple[str, ...]]:
        """Find or insert the blobs and open one claim on each, all or nothing.

        submission: uniqueId of the SubmissionSet
        compare: what is wrong with a new blob beside the known one of its uniqueId
        Returns the claims' key, and names of the store that nothing refers to any more. The
        submission counts as running until `leave`.
        Raises an ExceptionGroup of what `compare` found.
        """
        key = token_hex(16)
        done = self._take_done()

        def work(unit: Unit) -> tuple[tuple[str, ...], int]:
            held = _mark_held(unit, done)
            known = _locked(unit, [blob.document_unique_id for blob in blobs])
            pairs = [
                (known[new.document_unique_id], new)
                for new in blobs
                if new.document_unique_id in known
            ]
            refuse(error for (_, old), new in pairs for error in compare(old, new))
            spare = [_keep(unit, blob_id, old, new) for (blob_id, old), new in pairs]
            ids = [blob_id for (blob_id, _), _ in pairs]
            ids += _inserted(unit, [b for b in blobs if b.document_unique_id not in known])
            claim = {"key": key, "submission": submission, "state": OPEN, "opened": unit.now}
            _insert_claim(unit.connection.dialect).insert(
                unit.driver, [{**claim, "blob_id": blob_id} for blob_id in ids]
            )
            return tuple(spare), held

        with self._guard:
            self._running[key] = len(blobs)
        try:
            spare, held = self._units.run(work)
        except BaseException:
            self._put_back(done)
            self.leave(key)
            raise
        _see_all_held(done, held)
        return key, spare

    def leave(self, key: str) -> None:
        """The submission does not run any more, whatever became of it."""
        with self._guard:
            self._running.pop(key, None)

    def is_running(self, key: str) -> bool:
        """Whether the submission with this key runs in this process or has just succeeded."""
        with self._guard:
            return key in self._running or key in self._done

    def hold(self, key: str) -> None:
        """The submission is registered. Written with the next claims, by `flush` or on closing.

        A crash before that leaves the claims open, and the registry is asked about them.
        """
        with self._guard:
            self._done[key] = self._running.get(key, 1)

    def flush(self) -> None:
        """Write what `hold` was told."""
        if not (done := self._take_done()):
            return
        try:
            held = self._units.run(lambda unit: _mark_held(unit, done))
        except BaseException:
            self._put_back(done)
            raise
        _see_all_held(done, held)

    def release(self, key: str, blob_id: int | None = None) -> tuple[str, ...]:
        """Remove the claims with this key, or one of them, and every blob nobody claims then.

        Returns names of the store that nothing refers to any more.
        """
        mine = CLAIM.c.key == key if blob_id is None else _one(key, blob_id)

        def work(unit: Unit) -> tuple[str, ...]:
            connection = unit.connection
            # The blob rows are locked before anything is counted: whoever opens a claim on one of
            # them at this moment waits, or has been counted.
            blobs = _by_unique_id(
                connection.execute(_LOCK.where(BLOB.c.id.in_(select(CLAIM.c.blob_id).where(mine))))
            )
            connection.execute(delete(CLAIM).where(mine))
            ids = {blob_id: blob.name for blob_id, blob in blobs.values()}
            claimed = select(CLAIM.c.blob_id).where(CLAIM.c.blob_id.in_(ids))
            free = ids.keys() - set(connection.execute(claimed).scalars())
            connection.execute(delete(BLOB).where(BLOB.c.id.in_(free)))
            return tuple(ids[blob_id] for blob_id in free)

        return self._units.run(work)

    def keep(self, key: str, blob_id: int) -> None:
        """One claim is held: its submission proved to be registered."""
        self._units.run(
            lambda unit: unit.connection.execute(
                update(CLAIM).where(_one(key, blob_id)).values(state=HELD)
            ).close()
        )

    def open_claims(self, before: float = FOREVER, limit: int = 10_000) -> tuple[OpenClaim, ...]:
        """Claims opened before that time (seconds since 1970), oldest first."""
        rows = self._units.rows(
            select(
                CLAIM.c.key,
                CLAIM.c.blob_id,
                CLAIM.c.submission,
                BLOB.c.document_unique_id,
                CLAIM.c.opened,
            )
            .join(BLOB, BLOB.c.id == CLAIM.c.blob_id)
            .where(CLAIM.c.state == OPEN, CLAIM.c.opened < int(before))
            .order_by(CLAIM.c.opened)
            .limit(limit)
        )
        return tuple(_open_claim(row) for row in rows)

    def fail(self, name: str, until: int = FOREVER) -> None:
        """Do not deliver this document before that time (seconds since 1970)."""
        self._units.run(lambda unit: _set_failing(unit, name, until))

    def recover(self, name: str) -> None:
        """Deliver it again: its bytes proved to be right."""
        self._units.run(lambda unit: _set_failing(unit, name, None))

    def named(self, prefix: str) -> tuple[Blob, ...]:
        """The blobs whose name begins with `prefix` (hex digits), by name."""
        # "g" follows every hex digit
        rows = self._units.rows(
            select(*_COLUMNS)
            .where(BLOB.c.name >= prefix, BLOB.c.name < prefix + "g")
            .order_by(BLOB.c.name)
        )
        return tuple(_blob(row) for row in rows)

    def identity(self) -> str | None:
        """Of the document store it belongs to; None for a new ledger."""
        rows = self._units.rows(select(STORE.c.identity))
        return rows[0][0] if rows else None

    def identify(self, identity: str) -> str:
        """Bind a new ledger to a store; the identity it has, which another node may have given."""

        def work(unit: Unit) -> str:
            given: str | None = unit.connection.execute(select(STORE.c.identity)).scalar()
            if given is None:
                unit.connection.execute(insert(STORE).values(only=1, identity=identity))
            return given or identity

        return self._units.run(work)

    def is_empty(self) -> bool:
        """Whether it has no record of any document."""
        return not self._units.rows(select(BLOB.c.id).limit(1))

    def close(self) -> None:
        """Write what `hold` was told and let go of the database; the engine stays its maker's."""
        try:
            self.flush()
        finally:
            self._units.close()

    def _take_done(self) -> dict[str, int]:
        with self._guard:
            done, self._done = self._done, {}
        return done

    def _put_back(self, done: Mapping[str, int]) -> None:
        with self._guard:
            self._done.update(done)


def _blob(row: Sequence[Any]) -> Blob:
    return Blob(*row)


def _open_claim(row: Sequence[Any]) -> OpenClaim:
    return OpenClaim(*row)


def _one(key: str, blob_id: int) -> ColumnElement[bool]:
    return and_(CLAIM.c.key == key, CLAIM.c.blob_id == blob_id)


def _mark_held(unit: Unit, keys: Iterable[str]) -> int:
    """How many claims have these keys; all of them are held now."""
    if not (given := tuple(keys)):
        return 0
    statement, binds = _HOLD.of(given, unit.connection.dialect)
    return statement.change(unit.driver, binds)


def _see_all_held(done: Mapping[str, int], held: int) -> None:
    """A document registered without a claim may be gone: nobody else would notice (SEC-T-003)."""
    if (missing := sum(done.values()) - held) > 0:
        _log.error(
            "%d claims of registered submissions are gone, and perhaps their documents; keys: %s",
            missing,
            " ".join(done),
        )


def _locked(unit: Unit, document_unique_ids: Collection[str]) -> dict[str, tuple[int, Blob]]:
    """Id and blob by uniqueId, of those that are there."""
    if not document_unique_ids:
        return {}
    statement, binds = _LOCK_BY_UNIQUE_ID.of(document_unique_ids, unit.connection.dialect)
    return _by_unique_id(statement.rows(unit.driver, binds))


def _by_unique_id(rows: Iterable[Sequence[Any]]) -> dict[str, tuple[int, Blob]]:
    return {row[1]: (row[0], _blob(row[1:])) for row in rows}


def _keep(unit: Unit, blob_id: int, old: Blob, new: Blob) -> str:
    """The name that is not needed: the new one, or the old one where its bytes were lost."""
    if old.failing_until is None:
        return new.name
    unit.connection.execute(
        update(BLOB)
        .where(BLOB.c.id == blob_id)
        .values(name=new.name, seal=new.seal, failing_until=None)
    )
    return old.name


def _inserted(unit: Unit, blobs: Iterable[Blob]) -> list[int]:
    """Ids of new rows, inserted in one order so that two submissions cannot wait for each other."""
    values = [
        {
            "document_unique_id": blob.document_unique_id,
            "name": blob.name,
            "size": blob.size,
            "sha1": blob.sha1,
            "sha256": blob.sha256,
            "seal": blob.seal,
            "mime_type": blob.mime_type,
            "stored": unit.now,
        }
        for blob in sorted(blobs, key=lambda blob: blob.document_unique_id)
    ]
    statement = _insert_blob(unit.connection.dialect)
    return [row[0] for value in values for row in statement.rows(unit.driver, value)]


def _set_failing(unit: Unit, name: str, until: int | None) -> None:
    unit.connection.execute(update(BLOB).where(BLOB.c.name == name).values(failing_until=until))
