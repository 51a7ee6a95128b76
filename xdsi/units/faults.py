"""What a database error means for the caller: run again, busy, full, or out of reach.

Everything else is a mistake of ours and passes unchanged.
Source: SEC-T-011, SEC-T-013, SEC-T-016, SEC-T-017, SEC-T-045.
"""

from dataclasses import dataclass
from enum import Enum

from sqlalchemy.exc import DBAPIError, TimeoutError

from xdsi.model.errors import XDSError
from xdsi.units.engines import UnusableDatabase


class Verdict(Enum):
    """What to do about a database error."""

    AGAIN = "a lost race, a deadlock or a serialization failure: run the work on fresh data"
    BUSY = "a lock or a statement took too long, or no connection was free"
    FULL = "no space or no memory"
    LOST = "the database cannot be reached, or its files cannot be read or written"


class LostRace(Exception):
    """Raised by a work that finds its data changed under it: it is run again on fresh data."""


# what SQLAlchemy and new connections raise for a database's moods, and works for a lost race
DATABASE_ERRORS = (DBAPIError, TimeoutError, LostRace, UnusableDatabase)


@dataclass(frozen=True, slots=True)
class Faults:
    """The error classes an actor answers with when its database fails (SEC-T-013 to SEC-T-017)."""

    busy: type[XDSError]
    full: type[XDSError]
    lost: type[XDSError]

    def told(self, error: BaseException, seconds: float) -> XDSError | None:
        """The error for the caller; None when the database is not to blame.

        seconds: the limit of one statement, for the text
        """
        found = verdict(error)
        if found is None:
            return None
        kind, problem, rule = {
            Verdict.AGAIN: (self.busy, "too many changes of the same data at once", "REG-134"),
            Verdict.BUSY: (
                self.busy,
                f"no connection or no answer within {seconds:g} s",
                "SEC-T-045",
            ),
            Verdict.FULL: (self.full, "no space or memory left", "SEC-T-016"),
            Verdict.LOST: (self.lost, "cannot be reached", "SEC-T-017"),
        }[found]
        return kind("database", f"{problem}; nothing was changed, try again later", rule=rule)

    def unknown_outcome(self) -> XDSError:
        """For a commit whose answer got lost (SEC-T-008)."""
        return self.lost(
            "database",
            "lost while it committed, so the outcome is unknown; send the identical message again",
            rule="SEC-T-017",
        )


# primary result codes (sqlite.org/rescode.html), and the extended ones of lost races
_SQLITE = {
    5: Verdict.BUSY,  # BUSY
    6: Verdict.BUSY,  # LOCKED
    7: Verdict.FULL,  # NOMEM
    8: Verdict.LOST,  # READONLY
    9: Verdict.BUSY,  # INTERRUPT: the statement's time was over
    10: Verdict.LOST,  # IOERR
    11: Verdict.LOST,  # CORRUPT
    13: Verdict.FULL,  # FULL
    14: Verdict.LOST,  # CANTOPEN
    26: Verdict.LOST,  # NOTADB
    787: Verdict.AGAIN,  # CONSTRAINT_FOREIGNKEY
    1555: Verdict.AGAIN,  # CONSTRAINT_PRIMARYKEY
    2067: Verdict.AGAIN,  # CONSTRAINT_UNIQUE
}

# SQLSTATE, or its class of two characters (PostgreSQL manual, appendix A)
_POSTGRESQL = {
    "23503": Verdict.AGAIN,  # foreign_key_violation: the row was removed meanwhile
    "23505": Verdict.AGAIN,  # unique_violation
    "40001": Verdict.AGAIN,  # serialization_failure
    "40P01": Verdict.AGAIN,  # deadlock_detected
    "55P03": Verdict.BUSY,  # lock_not_available
    "57014": Verdict.BUSY,  # query_canceled: statement_timeout
    "53300": Verdict.BUSY,  # too_many_connections
    "25006": Verdict.LOST,  # read_only_sql_transaction: a standby
    "08": Verdict.LOST,  # connection exceptions
    "28": Verdict.LOST,  # authentication
    "3D": Verdict.LOST,  # database does not exist
    "53": Verdict.FULL,  # disk_full, out_of_memory
    "57": Verdict.LOST,  # shutdown, crash, starting up
    "58": Verdict.LOST,  # system errors
    "XX": Verdict.LOST,  # corrupted
}


def verdict(error: BaseException) -> Verdict | None:
    """What the error of SQLAlchemy or a driver means; None when the database is not to blame."""
    if isinstance(error, LostRace):
        return Verdict.AGAIN
    if isinstance(error, UnusableDatabase):
        return Verdict.LOST
    if isinstance(error, TimeoutError):  # of the pool
        return Verdict.BUSY
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Verdict.LOST
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code) or _SQLITE.get(code & 0xFF)
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # psycopg has no SQLSTATE when no connection came to stand, whatever the server said
        if type(cause).__name__ not in _SILENT:
            return None
        return Verdict.BUSY if any(each in str(cause) for each in _CROWDED) else Verdict.LOST
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])


# of SQLSTATE 53300, in a server that speaks English
_CROWDED = ("too many clients", "too many connections", "connection slots are reserved")
_SILENT = frozenset({"OperationalError", "ConnectionTimeout", "InterfaceError"})
