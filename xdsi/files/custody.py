"""Files and the records an actor has of them: bound together, compared, kept back when damaged.

A file is kept back for good only on proof (RET-037). A store that is away for a moment, or another
one in its place, proves nothing, and a process without descriptors or a disk that stumbles proves
little.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import Protocol

from xdsi.config import ConfigurationError
from xdsi.files.blobs import PREFIXES, DocumentStore, Mismatch, StoreAway, VerifyingReader
from xdsi.files.sightings import Sightings
from xdsi.model.errors import XDSError, shown
from xdsi.model.messages import Reader

_log = logging.getLogger("xdsi.files")

FOREVER = 1 << 40  # later than any clock
# SEC-T-004: published files without a record
ORPHANS = 3600.0
# A document that could not be read is tried again after this many seconds.
_PAUSE = 60
_CHUNK = 256 << 10  # octets read at once


class Record(Protocol):
    """One file as recorded. unique_id: of its document; name: in the store.

    size in octets
    checksum: its seal or SHA-256 (`xdsi.files.seals`)
    failing_until: seconds since 1970 until which it is not delivered
    """

    @property
    def unique_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def checksum(self) -> str: ...
    @property
    def failing_until(self) -> int | None: ...


class Records(Protocol):
    """The tables of an actor that keeps files. Every method raises the actor's XDSErrors."""

    def identity(self) -> str | None:
        """Of the store they belong to; None for new ones."""

    def identify(self, identity: str, /) -> str:
        """Bind new ones to a store; the identity they have, which another node may have given."""

    def is_empty(self) -> bool:
        """Whether there is no record of any file."""

    def named(self, prefix: str, /) -> Sequence[Record]:
        """Of the files whose name begins so."""

    def fail(self, name: str, until: int, /) -> None:
        """Do not deliver this file before that time (seconds since 1970)."""


@dataclass(frozen=True, slots=True)
class Custody:
    """A store with the records of its files.

    sightings: of files without record, by whoever does the timer's work
    """

    store: DocumentStore
    records: Records
    sightings: Sightings = field(default_factory=Sightings)

    def bind(self, actor: str) -> None:
        """See that the two belong together: with other records every file would be an orphan.

        Also tells a store whose disk is not mounted from an empty one.
        actor: its section of the configuration. Raises ConfigurationError.
        """
        ours, theirs = self.store.identity(), self.records.identity()
        if ours is not None and ours == theirs:
            return
        is_new = ours is None and (theirs is None or self.records.is_empty())
        has_new_records = ours is not None and theirs is None and _is_empty(self.store)
        if not (is_new or has_new_records):
            raise ConfigurationError(
                f"{actor}: store and database do not belong together; is the right disk mounted, "
                f"and is {actor}.database the one that was used with this store?"
            )
        identity = self.records.identify(ours or theirs or token_hex(16))
        if ours is None:
            self.store.identify(identity)

    def is_complete(self) -> bool:
        """Whether the store that belongs to the records is in its place. Raises as they."""
        identity = self.records.identity()
        return identity is not None and self.store.identity() == identity

    def ready(self, actor: str) -> tuple[str, ...]:
        """What keeps it from working, in one line; empty when nothing does."""
        try:
            is_there = self.is_complete()
        except XDSError as error:
            return (f"{actor}: {error.context}",)
        return () if is_there else (f"{actor}: the document store is not there",)

    def see(self, record: Record) -> None:
        """Raises OSError when its file is not there in its size, which is reported before."""
        try:
            size = self.store.size(record.name)
            if size is None:
                raise Mismatch("its file is gone")
            if size != record.size:
                raise Mismatch(f"{size} octets instead of {record.size}")
        except OSError as error:
            self.report(record, error)
            raise

    def open(self, record: Record) -> Reader:
        """A reader that fails rather than give the last octet of wrong bytes. Raises OSError."""
        report = partial(self.report, record)
        try:
            source = self.store.open(record.name)
        except OSError as error:
            report(error)
            raise
        return VerifyingReader(source, record.size, record.checksum, report)

    def check(self, record: Record) -> None:
        """Read it all. Raises OSError when its bytes are not the recorded ones."""
        with closing(self.open(record)) as reader:
            while reader.read(_CHUNK):
                pass

    def report(self, record: Record, error: OSError) -> None:
        """Withhold, as far as the records can be reached. Never raises."""
        try:
            self.withhold(record, error)
        except XDSError as lost:
            _log.error("document %s: could not be marked: %s", shown(record.unique_id), lost)

    def withhold(self, record: Record, error: OSError) -> None:
        """Raise the alarm and keep the document back as long as the error justifies.

        Wrong or absent bytes for good, unreadable ones a while, and not at all when the store is
        not there: it may be back at once. Raises as the records.
        """
        _log.error("document %s: %s; not delivered", shown(record.unique_id), error.strerror)
        if isinstance(error, StoreAway) or not self.is_complete():
            return
        is_proof = isinstance(error, (Mismatch, FileNotFoundError))
        self.records.fail(record.name, FOREVER if is_proof else int(time.time()) + _PAUSE)

    def compare(self, prefix: str, *, orphans: float = ORPHANS) -> tuple[int, int]:
        """Hold one part of the store against the records: files removed, files missing.

        orphans: seconds for which a file without record is watched and then removed (SEC-T-004)
        A record without file is reported and not delivered. Nothing is done while the store is
        not there. Raises as the records, and OSError.
        """
        if not self.is_complete():
            _log.error("the document store is not there")
            return 0, 0
        # Files first: what is published afterwards cannot look like an orphan.
        files = set(self.store.names(prefix))
        records = {record.name: record for record in self.records.named(prefix)}
        watched = self.sightings.look(prefix, files - records.keys())
        spare = [name for name, seconds in watched.items() if seconds >= orphans]
        self.store.remove(spare)
        missing = [
            record
            for name, record in records.items()
            if name not in files and record.failing_until is None and self.store.size(name) is None
        ]
        for record in missing:
            self.withhold(record, Mismatch("its file is gone"))
        return len(spare), len(missing)


def _is_empty(store: DocumentStore) -> bool:
    return not any(True for prefix in PREFIXES for _ in store.names(prefix))
