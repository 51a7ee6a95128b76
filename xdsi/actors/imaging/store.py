"""The embedded archive of an imaging source: DICOM files in a folder, their index in a database.

Files are stored byte for byte. The order of the steps keeps what is promised: received and synced,
looked through, published under a name no client chose, indexed in one step, answered. A crash in
between leaves a file without a row, which is removed after an hour; when rows are replaced or
removed the file goes after the row.
Source: SEC-T-001, SEC-T-004, SEC-T-015, SEC-T-018, SEC-T-029; IMG-014, IMG-016, IMG-096.
"""

import errno
import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from threading import Lock
from typing import BinaryIO

from sqlalchemy import Engine

from xdsi import config
from xdsi.actors.imaging.index import MIGRATIONS, Entry, Index, key_of, read_key
from xdsi.actors.imaging.indexing import Addition
from xdsi.config import Limits
from xdsi.files import disk, upkeep
from xdsi.files.blobs import LocalStore
from xdsi.files.custody import Custody
from xdsi.files.disk import Disk
from xdsi.files.staging import StagedDocument, StagingArea
from xdsi.model.errors import InvalidDocumentContent, XDSError, XDSRepositoryBusy
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content, Reader, Staged
from xdsi.model.study import StudyHeader, StudyState
from xdsi.plug import ArchiveBusy, ArchiveError, Call, StudyUnclear
from xdsi.standard import dicom
from xdsi.wire import archived
from xdsi.wire.archived import Archived
from xdsi.wire.instances import NoSingleStudy

__all__ = ["MIGRATIONS", "ImageStore", "Kept", "Outcome", "opened"]

_log = logging.getLogger("xdsi.imaging")

_HASHING_THREADS = 4
_CHUNK = 1 << 20
_UPKEEP_SECONDS = 30.0
# A file read in any order is first read whole and held against its hash; one that was right a
# moment ago is not read again, or each frame of a large instance would cost a reading of all.
_TRUSTED_SECONDS = 600.0
_TRUSTED = 10_000


class Outcome(Enum):
    """What became of a file."""

    NEW = "new"
    KNOWN = "known"  # the same data set was there already
    REPLACED = "replaced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Kept:
    """The result for one file.

    instance: as the archive holds it; None for one refused that could not be read
    status: of a C-STORE, failure reason of a STOW-RS (`xdsi.standard.dicom`)
    reason: why it was refused, one line without patient data
    """

    outcome: Outcome
    instance: HeldInstance | None
    status: int = dicom.STORED
    reason: str = ""


Fits = Callable[[HeldInstance], str]


def _fits(instance: HeldInstance) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file that can be kept."""

    staged: StagedDocument
    instance: Archived

    @property
    def uid(self) -> str:
        return self.instance.sop_instance_uid


class ImageStore:
    """`xdsi.plug.Archive`, and what fills and empties it.

    replaces: whether a file with another data set for a known SOP Instance UID takes the place of
        the one there, instead of being refused
    `keep` and `remove` raise XDSRepositoryBusy, XDSRepositoryOutOfResources or XDSRepositoryError.
    """

    def __init__(
        self,
        files: LocalStore,
        index: Index,
        staging: StagingArea,
        limits: Limits,
        *,
        replaces: bool = False,
    ) -> None:
        self.files, self.index, self.staging, self._limits = files, index, staging, limits
        self.custody = Custody(files, index)
        self._replaces = replaces
        self._trusted: dict[str, float] = {}
        self._guard = Lock()

    # what fills and empties it

    def admit(self) -> None:
        """Raises XDSRepositoryOutOfResources when there is no room for another file."""
        self.files.admit()

    def keep(self, staged: Sequence[Staged], call: Call, *, fits: Fits = _fits) -> tuple[Kept, ...]:
        """Take files in; the result for each, in order. What is kept then survives any crash.

        fits: why an instance is not what was announced, "" for one that is
        When it raises, files may or may not be kept; sent again they are known.
        """
        with ExitStack() as stack:
            results: dict[int, Kept] = {}
            pending: dict[int, _Arrival] = {}
            for at, each in enumerate(staged):
                arrival = self._arrival(each, stack, fits)
                if isinstance(arrival, Kept):
                    results[at] = arrival
                else:
                    pending[at] = arrival
            while pending:
                done = self._round(pending)
                results |= done
                for at in done:
                    del pending[at]
        return tuple(results[at] for at in range(len(staged)))

    def _arrival(self, each: Staged, stack: ExitStack, fits: Fits) -> "_Arrival | Kept":
        if not isinstance(each, StagedDocument):
            each = self.staging.stage(each.open)
            stack.callback(each.discard)
        try:
            with each.file() as file:
                instance = archived.archived(file)
        except InvalidDocumentContent as error:
            return _refused(dicom.CANNOT_UNDERSTAND, error.context)
        except OSError as error:
            raise disk.failure(error, "reading a staged file") from error
        held = _held(_entry(_addition(each, instance)))
        if problem := fits(held):
            return _refused(dicom.DATA_SET_MISMATCH, problem, held)
        return _Arrival(each, instance)

    def _round(self, pending: dict[int, _Arrival]) -> dict[int, Kept]:
        """Settle one file of each instance; those it gives no result for were overtaken."""
        first: dict[str, int] = {}
        for at, each in pending.items():
            first.setdefault(each.uid, at)
        known = self.index.find(first)
        results: dict[int, Kept] = {}
        chosen: dict[int, Entry | None] = {}
        for uid, at in first.items():
            old = known.get(uid)
            if old is not None and (result := self._settled(old, pending[at])):
                results[at] = result
            else:
                chosen[at] = old
        if chosen:
            results |= self._published({at: (pending[at], old) for at, old in chosen.items()})
        return results

    def _settled(self, old: Entry, new: _Arrival) -> Kept | None:
        """The result beside what is there; None for a file that takes its place."""
        if self._is_same(old, new):
            # a good file heals one that was lost or damaged
            return Kept(Outcome.KNOWN, _held(old)) if self._is_sound(old) else None
        if self._replaces:
            return None
        return _refused(
            dicom.PROCESSING_FAILURE,
            "another data set with this SOP Instance UID is kept already",
            _held(old),
        )

    def _is_sound(self, old: Entry) -> bool:
        try:
            self.custody.see(old)
        except OSError:
            return False
        return not old.is_failing

    def _is_same(self, old: Entry, new: _Arrival) -> bool:
        """Whether both are one data set in one encoding; group 0002 names only who wrote it."""
        staged, instance = new.staged, new.instance
        if old.sha256 == staged.sha256:
            return True
        if (old.transfer_syntax_uid, old.size - old.start) != (
            instance.transfer_syntax_uid,
            staged.size - instance.start,
        ):
            return False
        try:
            with closing(self.custody.open(old)) as one, closing(staged.open()) as two:
                return _are_equal(_behind(one, old.start), _behind(two, instance.start))
        except OSError:
            return False

    def _published(self, chosen: dict[int, tuple[_Arrival, Entry | None]]) -> dict[int, Kept]:
        names = self.files.publish([arrival.staged for arrival, _ in chosen.values()])
        additions = {
            at: _addition(arrival.staged, arrival.instance, name, None if old is None else old.name)
            for (at, (arrival, old)), name in zip(chosen.items(), names, strict=True)
        }
        # When this raises the rows may be there all the same: the files are left to the sweep.
        late, spare = self.index.add(tuple(additions.values()))
        lost = [e.name for e in additions.values() if e.instance.sop_instance_uid in late]
        self._discard([*spare, *lost])
        return {
            at: Kept(_outcome(chosen[at]), _held(_entry(each)))
            for at, each in additions.items()
            if each.instance.sop_instance_uid not in late
        }

    def remove(self, study: str, series: str | None = None, instance: str | None = None) -> int:
        """Remove a study, a series or an instance of it; how many instances that were."""
        names = self.index.remove(study, series, instance)
        self._discard(names)
        return len(names)

    def _discard(self, names: Sequence[str]) -> None:
        """Remove files that have no row any more; what stays is swept in an hour."""
        try:
            self.files.remove(names)
        except OSError:
            _log.warning("files could not be removed; tried again later", exc_info=True)

    # xdsi.plug.Archive

    def instances(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call, /
    ) -> Sequence[HeldInstance]:
        with _asked():
            return self.index.shared(study, series, wanted)

    def whole(self, study: str, series: str | None, call: Call, /) -> None:
        """Its index tells faster."""

    def open(self, instance: HeldInstance, call: Call, /) -> Content:
        file = _recorded(instance, self.custody)
        self.custody.see(file)
        return Content(file.size, file.open)

    def file(self, instance: HeldInstance, call: Call, /) -> BinaryIO:
        file = _recorded(instance, self.custody)
        self.custody.see(file)
        if not self._is_trusted(file.name):
            self.custody.check(file)
            self._trust(file.name)
        return self.files.file(file.name)

    def study(self, study: str, call: Call, /) -> StudyHeader | None:
        with _asked():
            headers = self.index.headers(study)
            return archived.study_of(headers, self.index.notes(study)) if headers else None

    def states(self, since: float | None) -> Iterator[StudyState]:
        """How studies stand, each with another mark when it has changed (see `Index.states`).

        Raises ArchiveError.
        """
        with _asked():
            yield from self.index.states(since)

    def _is_trusted(self, name: str) -> bool:
        return self._trusted.get(name, 0.0) > time.monotonic()

    def _trust(self, name: str) -> None:
        with self._guard:
            self._trusted.pop(name, None)
            while len(self._trusted) >= _TRUSTED:
                del self._trusted[next(iter(self._trusted))]
            self._trusted[name] = time.monotonic() + _TRUSTED_SECONDS

    # what the actor needs

    def ready(self) -> tuple[str, ...]:
        """What keeps it from working, in one line; empty when nothing does."""
        return self.custody.ready("imaging")

    def running(self) -> AbstractContextManager[None]:
        """Sweep and compare in a thread while it serves."""
        turns = upkeep.shares(_UPKEEP_SECONDS)

        def steps() -> Iterator[Callable[[], object]]:
            yield lambda: self.staging.sweep(2 * self._limits.request_seconds)
            yield from (partial(self.custody.compare, prefix) for prefix in next(turns))

        return upkeep.running("imaging", _UPKEEP_SECONDS, steps)

    def close(self) -> None:
        """Release staging, threads and connections; the engine stays its maker's."""
        with ExitStack() as steps:
            steps.callback(self.staging.hashing.shutdown)
            steps.callback(self.index.close)
            steps.callback(self.staging.close)


def opened(
    settings: config.Imaging, limits: Limits, engine: Engine, *, calls: Disk = os
) -> ImageStore:
    """The archive of the configuration.

    engine: of the index, whose tables are there (MIGRATIONS)
    Raises ConfigurationError when folder and index do not belong together, OSError.
    """
    files = LocalStore(settings.store, settings.free_bytes, actor="imaging", calls=calls)
    index = Index(engine, patience=limits.statement_seconds)
    Custody(files, index).bind("imaging")
    hashing: Executor = ThreadPoolExecutor(_HASHING_THREADS, thread_name_prefix="hashing")
    staging = StagingArea(files.staging, limits.document, hashing, calls=calls)
    return ImageStore(files, index, staging, limits, replaces=settings.other_data_set == "replace")


@contextmanager
def _asked() -> Iterator[None]:
    """What keeps the archive from answering, as its callers know it."""
    try:
        yield
    except XDSRepositoryBusy as error:
        raise ArchiveBusy(error.context) from error
    except InvalidDocumentContent as error:
        raise StudyUnclear(error.context) from error
    except XDSError as error:
        raise ArchiveError(error.context) from error
    except NoSingleStudy as error:
        raise StudyUnclear(str(error)) from error


def _outcome(chosen: tuple[_Arrival, Entry | None]) -> Outcome:
    arrival, old = chosen
    if old is None:
        return Outcome.NEW
    return Outcome.KNOWN if old.sha256 == arrival.staged.sha256 else Outcome.REPLACED


def _refused(status: int, reason: str, instance: HeldInstance | None = None) -> Kept:
    return Kept(Outcome.REFUSED, instance, status, reason)


def _addition(
    staged: StagedDocument, instance: Archived, name: str = "", replaces: str | None = None
) -> Addition:
    return Addition(instance, name, staged.size, staged.sha256, staged.seal, replaces)


def _entry(addition: Addition) -> Entry:
    instance = addition.instance
    return Entry(
        instance.study_instance_uid,
        instance.series_instance_uid,
        instance.sop_instance_uid,
        instance.sop_class_uid,
        instance.transfer_syntax_uid,
        instance.frames,
        addition.name,
        addition.size,
        addition.sha256,
        instance.start,
        addition.seal,
    )


def _held(entry: Entry) -> HeldInstance:
    """As others see it."""
    return HeldInstance(
        entry.study_instance_uid,
        entry.series_instance_uid,
        entry.sop_instance_uid,
        entry.sop_class_uid,
        entry.transfer_syntax_uid,
        entry.size,
        entry.frames,
        key_of(entry.name, entry.checksum, entry.failing_until),
    )


@dataclass(frozen=True, slots=True)
class _File:
    """What it takes to give a file out: `xdsi.files.custody.Record`.

    No more than that: an answer keeps thousands until they are sent (bench: memory-images).
    """

    unique_id: str
    key: str
    size: int
    custody: Custody

    @property
    def name(self) -> str:
        return read_key(self.key)[0]

    @property
    def checksum(self) -> str:
        return read_key(self.key)[1]

    @property
    def failing_until(self) -> None:
        """One that is kept back has no key."""

    def open(self) -> Reader:
        """Raises OSError."""
        return self.custody.open(self)


def _recorded(instance: HeldInstance, custody: Custody) -> _File:
    """Raises OSError for one that is kept back."""
    if not instance.key or instance.size is None:
        raise OSError(errno.EIO, "its bytes are not those that were stored; it is kept back")
    return _File(instance.sop_instance_uid, instance.key, instance.size, custody)


def _behind(reader: Reader, octets: int) -> Reader:
    while octets and (data := reader.read(octets)):
        octets -= len(data)
    return reader


def _are_equal(one: Reader, two: Reader) -> bool:
    """Of two readers with as many octets each that give all they are asked for."""
    while data := one.read(_CHUNK):
        if data != two.read(len(data)):
            return False
    return True
