"""Watching an archive or a folder: studies that have changed and are quiet again are published.

Source: use-cases.md UC-122; IMG-012, IMG-014.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from xdsi.client.publishing import Publication, Publisher
from xdsi.client.watchstate import GONE, Due, FileSeen, State
from xdsi.model.errors import InvalidDocumentContent, XDSError
from xdsi.model.study import StudyHeader, StudyState
from xdsi.peers.errors import PeerError
from xdsi.plug import ArchiveError
from xdsi.standard import dicom
from xdsi.wire import dicomfolder, instances

# what may go wrong with one study or one look; the next may do better
FAILURES = (XDSError, ExceptionGroup, PeerError, ArchiveError, OSError, ValueError)

_OVERLAP = 60.0  # seconds; what is stored counts from the start of storing it
_STAMP = 1 << 40  # so that the stamps of a million files add up to less than 2**63


class Watched(Protocol):
    """Where studies are. Both raise ArchiveError, OSError or XDSError.

    tells_all: whether a study that a look at all there is does not show is gone
    """

    @property
    def tells_all(self) -> bool: ...

    def states(self, since: float | None, turn: int) -> Iterator[StudyState]:
        """Those that gained something since then, maybe others; None: all there are."""

    def study(self, uid: str) -> StudyHeader | None:
        """None for one that is not there."""


@dataclass(slots=True)
class Folder:
    """The DICOM files in a folder and all below.

    problem: told of a file that cannot be read, once; as long as that lasts it counts as it was
    """

    path: Path
    state: State
    problem: Callable[[str], None]
    tells_all: bool = field(default=True, init=False)
    _unread: set[Path] = field(default_factory=set, init=False)

    def states(self, since: float | None, turn: int) -> Iterator[StudyState]:
        """See `Watched`; only new and changed files are opened."""
        if not self.path.is_dir():
            raise NotADirectoryError(20, "is no folder", str(self.path))
        for path in dicomfolder.below(self.path):
            try:
                self._look_at(path, turn)
            except FileNotFoundError:  # gone in this moment
                continue
            except OSError as error:
                self.state.keep_file(os.fsencode(path), turn)
                if path not in self._unread:
                    self.problem(f"{path}: {error.strerror}; what is known of it stays")
                self._unread.add(path)
            else:
                self._unread.discard(path)
        yield from self.state.studies_of_files(turn)

    def _look_at(self, path: Path, turn: int) -> None:
        seen = _seen(path)
        if not self.state.knows_file(seen, turn):
            self.state.note_file(seen, turn, self._study_of(path))

    def _study_of(self, path: Path) -> str:
        try:
            if not dicomfolder.is_dicom(path):
                return ""
            file = instances.header(path)
        except InvalidDocumentContent as error:
            self.problem(f"{path}: {error.context}")
            return ""
        if instances.is_directory(file) or instances.is_manifest(file.data):
            return ""
        return file.data.uid(dicom.STUDY_INSTANCE_UID)

    def study(self, uid: str) -> StudyHeader | None:
        """See `Watched`."""
        files = self.state.files(uid)
        return instances.read_study(files) if files else None


def _seen(path: Path) -> FileSeen:
    there = path.stat()
    name = os.fsencode(path)
    text = b"%s/%d/%d/%d" % (name, there.st_size, there.st_mtime_ns, there.st_ctime_ns)
    digest = hashlib.sha256(text).digest()
    # what is copied in may keep an old time of its content, never of its entry
    changed = max(there.st_mtime, there.st_ctime)
    return FileSeen(name, int.from_bytes(digest[:8], "big") % _STAMP, changed)


@dataclass(slots=True)
class Watch:
    """One watch: looks, and publishes what is due.

    told: gets what became of a study; failed: gets the study that failed, why, and in how many
        seconds it is tried again; without study and seconds a look that failed
    settle: seconds for which a study must be quiet; again: seconds between looks at all there is
    """

    watched: Watched
    publisher: Publisher
    state: State
    told: Callable[[Publication], None]
    failed: Callable[[str, Exception, float | None], None]
    settle: float
    again: float
    clock: Callable[[], float] = time.time
    _complaint: str = field(default="", init=False)
    _looked: float | None = field(default=None, init=False)
    _looked_at_all: float | None = field(default=None, init=False)

    def turn(self, stop: Event) -> bool:
        """Look once and publish what is due; whether nothing failed."""
        is_good = self._look()
        due = self.state.next_due(began := self.clock())
        while due is not None and not stop.is_set():
            is_good = self._publish(due) and is_good
            due = self.state.next_due(began)
        return is_good

    def run(self, stop: Event, every: float) -> None:
        """Turn after turn until `stop` is set."""
        while not stop.is_set():
            self.turn(stop)
            stop.wait(every)

    def _look(self) -> bool:
        now = self.clock()
        at_all = self._looked_at_all is None or now - self._looked_at_all >= self.again
        since = None if at_all or self._looked is None else self._looked - _OVERLAP
        try:
            with self.state.look() as turn:
                for each in self.watched.states(since, turn):
                    self.state.saw(each, turn, now, self.settle)
                is_sure = at_all and self.watched.tells_all
                is_there = not is_sure or self.state.missed(turn, now, self.settle)
        except FAILURES as error:
            problem: Exception | None = error
        else:
            problem = None if is_there else OSError("no study is there any more; is it mounted?")
            self._looked = now
            self._looked_at_all = now if at_all else self._looked_at_all
        if problem is not None and str(problem) != self._complaint:
            self.failed("", problem, None)
        self._complaint = str(problem or "")
        return problem is None

    def _publish(self, due: Due) -> bool:
        try:
            published = self._published(due)
        except FAILURES as error:
            self.failed(due.study, error, self.state.failed(due, self.clock()))
            return False
        self.state.done(due, published[0].patient if published else None)
        for each in published:
            self.told(each)
        return True

    def _published(self, due: Due) -> list[Publication]:
        """Nothing for a study that went before it was ever published; two for one that turns out to
        be another patient's than it was published under.
        """
        study = None if due.mark == GONE else self.watched.study(due.study)
        if study is None:
            return [] if due.patient is None else [self.publisher.gone(due.study, due.patient)]
        done = self.publisher.publish(study, lambda: self.watched.study(due.study))
        old = self.publisher.moved(due.study, due.patient, done.patient) if due.patient else None
        return [done] if old is None else [done, old]
