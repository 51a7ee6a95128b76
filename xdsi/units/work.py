"""Units of work: all or nothing, durable before anybody is answered.

PostgreSQL: an ordinary transaction in the caller's thread. SQLite has one writer, so works queue:
whoever comes first leads, does all that wait, each inside its own SAVEPOINT, and ends with one
COMMIT, hence one fsync. Nobody is answered before it, not even those who failed: what they saw may
have been another's uncommitted change.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, NoReturn, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

from xdsi.units.engines import start_statement
from xdsi.units.faults import DATABASE_ERRORS, Faults, Verdict, verdict
from xdsi.units.prepared import Prepared

ATTEMPTS = 5  # SEC-T-013
LARGEST_GROUP = 64
PAUSE = 0.01  # seconds, doubling with every attempt
NO_TURN = "no turn within {:g} s; nothing was changed, try again later"

U = TypeVar("U")
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


class Units(Generic[U]):
    """The units of work of one actor on one database.

    make_unit: the actor's unit from a connection inside a transaction and the time
    faults: what the caller is told when the database fails
    patience: longest wait for a turn at SQLite, and the limit named in errors, in seconds
    clock: the only clock of a unit
    """

    def __init__(
        self,
        engine: Engine,
        make_unit: Callable[[Connection, datetime], U],
        faults: Faults,
        *,
        patience: float = 5.0,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.engine, self.faults, self.patience = engine, faults, patience
        self._make_unit, self._clock = make_unit, clock
        self._transactions = engine.execution_options(isolation_level="READ COMMITTED")
        self._waiting: deque[_Job[U]] = deque()
        # connections of `fetch`: as many as ever read at once, the last one first
        self._idle: list[PoolProxiedConnection] = []
        self._turn = Lock()
        driver: Any = engine.dialect.loaded_dbapi
        # `Prepared` goes to the driver itself, so its errors come as they are
        self._errors = (*DATABASE_ERRORS, driver.Error)
        self._writer: Connection | None = None
        self._once = self._grouped if engine.dialect.name == "sqlite" else self._alone

    def run(self, work: Callable[[U], T]) -> T:
        """What `work` returns, once it is committed; what it raises, with nothing changed.

        `work` may run several times and so touches nothing but its unit. A lost unique-key race,
        a deadlock, a serialization failure or LostRace runs it again on fresh data.
        Raises the actor's busy, full and lost errors.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(work)
            except self._errors as error:
                if verdict(error) is not Verdict.AGAIN or attempt == ATTEMPTS:
                    self._refuse(error)
            time.sleep(PAUSE * 2**attempt * random.random())  # noqa: S311 (jitter)
        raise AssertionError("unreachable")

    def rows(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """All rows of one SELECT, read in AUTOCOMMIT: one consistent view of committed data.

        Raises the actor's busy, full and lost errors.
        """
        for is_last in (False, True):
            try:
                with self.engine.connect() as connection:
                    return connection.execute(statement, parameters).fetchall()
            except self._errors as error:
                # a kept connection of a server that restarted: the pool is fresh now
                if is_last or not _is_stale(error):
                    self._refuse(error)
        raise AssertionError("unreachable")

    def fetch(self, statement: Prepared, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """As `rows`, past SQLAlchemy's own execution, which would double the time of a query."""
        for is_last in (False, True):
            try:
                reader = self._reader()
            except self._errors as error:
                self._refuse(error)
            connection: Any = reader.dbapi_connection
            start_statement(reader)
            try:
                found = statement.rows(connection, values)
            except self._errors as error:
                is_stale = bool(getattr(connection, "closed", False))
                if is_stale:
                    # the server went away, and with it all that are kept
                    reader.invalidate(error)
                    self._close_idle()
                    self.engine.dispose()
                reader.close()
                if is_last or not is_stale:
                    self._refuse(error)
            except BaseException:
                reader.close()
                raise
            else:
                self._idle.append(reader)
                return found
        raise AssertionError("unreachable")

    def _reader(self) -> PoolProxiedConnection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.engine.raw_connection()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in AUTOCOMMIT for several statements, each with a view of its own.

        Raises the actor's busy, full and lost errors.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except self._errors as error:
            self._refuse(error)

    def close(self) -> None:
        """Let go of the connections kept; the engine belongs to who made it."""
        self._close_idle()
        with self._turn:
            self._drop()

    def _refuse(self, error: Exception) -> NoReturn:
        told = self.faults.told(error, self.patience)
        if told is None:
            raise error
        raise told from error

    # PostgreSQL

    def _alone(self, work: Callable[[U], T]) -> T:
        for is_last in (False, True):
            with self._transactions.connect() as connection:
                transaction = connection.begin()
                try:
                    result = work(self._make_unit(connection, self._clock()))
                except BaseException as error:
                    # a kept connection of a server that restarted, and so are all that are kept
                    is_stale = _is_stale(error) or bool(
                        getattr(connection.connection.dbapi_connection, "closed", False)
                    )
                    if is_stale:
                        connection.invalidate()
                        self.engine.dispose()
                    with suppress(DBAPIError):
                        transaction.rollback()
                    if is_stale and not is_last:
                        continue
                    raise
                try:
                    transaction.commit()
                except DBAPIError as error:
                    if verdict(error) is Verdict.LOST:
                        raise self.faults.unknown_outcome() from error
                    raise
                return result
        raise AssertionError("unreachable")

    # SQLite

    def _grouped(self, work: Callable[[U], T]) -> T:
        job: _Job[U] = _Job(work)
        self._waiting.append(job)
        if not self._turn.acquire(timeout=self.patience):
            with suppress(ValueError):
                self._waiting.remove(job)
                raise self.faults.busy(
                    "database",
                    f"no turn within {self.patience:g} s; nothing was changed, try again",
                )
            self._turn.acquire()  # taken meanwhile: its end is near
        try:
            if not job.is_settled:
                self._lead(job)
        finally:
            self._turn.release()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def _lead(self, own: "_Job[U]") -> None:
        """Settle all jobs that wait; those in `taken` are not settled yet."""
        taken: list[_Job[U]] = []
        try:
            # a full group may have left the leader's own job out
            while not own.is_settled:
                if self._commit_together(taken):
                    taken.clear()
        except BaseException:
            # not an error of a job (such as an interrupt): the others lead themselves
            self._drop()
            self._waiting.extendleft(job for job in reversed(taken) if job is not own)
            with suppress(ValueError):
                self._waiting.remove(own)  # its caller is told that it was not done
            raise

    def _commit_together(self, taken: list["_Job[U]"]) -> bool:
        """One transaction for `taken` and what else waits. False: it must be done again."""
        try:
            connection = self._writing()
            control(connection, "BEGIN IMMEDIATE")
            done = 0
            while done < len(taken) or done < LARGEST_GROUP:
                if done == len(taken):
                    try:
                        taken.append(self._waiting.popleft())
                    except IndexError:
                        break
                job = taken[done]
                if not self._do(job, connection):
                    # SQLite gave up the whole transaction, not this job's part alone
                    taken.remove(job)
                    job.is_settled = True
                    self._drop()
                    return not taken
                done += 1
            control(connection, "COMMIT")
        except self._errors as error:
            self._drop()
            if not taken:  # could not even begin
                with suppress(IndexError):
                    while True:
                        taken.append(self._waiting.popleft())
            for job in taken:
                job.result, job.error = None, error
        for job in taken:
            job.is_settled = True
        return True

    def _do(self, job: "_Job[U]", connection: Connection) -> bool:
        """Result or error of one job, its changes undone in case of error.

        False when the surrounding transaction is gone as well.
        """
        control(connection, "SAVEPOINT work")
        try:
            job.result = job.work(self._make_unit(connection, self._clock()))
            job.error = None
        except Exception as error:  # noqa: BLE001 (handed to the thread it belongs to)
            job.result, job.error = None, error
            if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                return False
            control(connection, "ROLLBACK TO work")
        control(connection, "RELEASE work")
        return True

    def _writing(self) -> Connection:
        if self._writer is None:
            self._writer = self.engine.connect()
        return self._writer

    def _drop(self) -> None:
        """Forget the writing connection and whatever it had not committed."""
        if self._writer is not None:
            with suppress(DBAPIError):
                self._writer.invalidate()
                self._writer.close()
            self._writer = None


def control(connection: Connection, statement: str) -> None:
    """Begin, end or mark SQLite's transaction, by the driver itself: a tenth of SQLAlchemy's cost.

    Raises the driver's errors.
    """
    pooled: Any = connection.connection
    start_statement(pooled)
    pooled.dbapi_connection.execute(statement)


class _Job(Generic[U]):
    """A work that waits for its turn. result and error hold once it is settled."""

    __slots__ = ("error", "is_settled", "result", "work")

    def __init__(self, work: Callable[[U], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: Exception | None = None
        self.is_settled = False


def _is_stale(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
