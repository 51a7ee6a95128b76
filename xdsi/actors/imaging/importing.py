"""Files of a folder into the embedded archive.

The tree is walked as it comes, a batch at a time, so that its size does not matter. Links and
special files are not followed: a folder from elsewhere may point anywhere.
"""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from pathlib import Path

from xdsi.actors.imaging.store import ImageStore, Kept, Outcome
from xdsi.files.staging import StagedDocument
from xdsi.plug import Call
from xdsi.wire.archived import is_directory_record
from xdsi.wire.dicomfile import is_part10

# Files staged side by side, so that their syncs share the disk's time; and as many of them become
# one step of the index.
_THREADS = 8
_BATCH = 64
_HEAD = 4 << 10  # octets; group 0002 is shorter


class Skipped(Enum):
    """Why a file was not even looked at as an instance."""

    NOT_DICOM = "no DICOM file"
    DIRECTORY_RECORD = "directory record (DICOMDIR)"
    LINK = "symbolic link"
    SPECIAL = "special file"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or folder that could not be read. reason: of the operating system."""

    reason: str


Result = Kept | Skipped | Unreadable


@dataclass(slots=True)
class Tally:
    """What became of all files of a folder."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    skipped: Counter[Skipped] = field(default_factory=Counter)
    unreadable: int = 0
    studies: set[str] = field(default_factory=set)

    def count(self, result: Result) -> None:
        match result:
            case Kept():
                self.outcomes[result.outcome] += 1
                if result.instance is not None and result.outcome is not Outcome.REFUSED:
                    self.studies.add(result.instance.study_instance_uid)
            case Skipped():
                self.skipped[result] += 1
            case Unreadable():
                self.unreadable += 1


def import_folder(
    store: ImageStore, folder: Path, told: Callable[[Path, Result], None] = lambda *_: None
) -> Tally:
    """Take in every DICOM file below a folder, or one file.

    told: called with each file and its result, in the order of the tree
    Raises OSError where there is nothing to walk, and as `ImageStore.keep`; begun again it finds
    known what was kept.
    """
    tally = Tally()
    found = _walk(folder, store.files.staging.parent.stat())
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="import") as threads:
        while batch := list(islice(found, _BATCH)):
            store.admit()
            for path, result in zip(
                (path for path, _ in batch), _taken(store, batch, threads), strict=True
            ):
                tally.count(result)
                told(path, result)
    return tally


Found = tuple[Path, Skipped | Unreadable | None]


def _walk(folder: Path, own: os.stat_result) -> Iterator[Found]:
    """Every file, and why it is none to be read. own: the store's folder, which is left out."""
    if not folder.is_dir():
        yield folder, _kind(folder.lstat().st_mode)
        return
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            if os.path.samestat(here.stat(), own):
                continue
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(here / entry.name)
                    else:
                        mode = entry.stat(follow_symlinks=False).st_mode
                        yield here / entry.name, _kind(mode)
        except OSError as error:
            if here == folder:
                raise
            yield here, Unreadable(error.strerror or "unreadable")


def _kind(mode: int) -> Skipped | None:
    if stat.S_ISREG(mode):
        return None
    return Skipped.LINK if stat.S_ISLNK(mode) else Skipped.SPECIAL


def _taken(store: ImageStore, batch: Sequence[Found], threads: Executor) -> Iterator[Result]:
    """The results of a batch, in its order."""
    waiting = [threads.submit(_staged, store, path) if why is None else why for path, why in batch]
    running = [each for each in waiting if isinstance(each, Future)]
    wait(running)
    staged = [each.result() for each in running if each.exception() is None]
    documents = [each for each in staged if isinstance(each, StagedDocument)]
    try:
        results = [each.result() if isinstance(each, Future) else each for each in waiting]
        kept = iter(store.keep(documents, Call.internal()))
    finally:
        store.staging.discard(documents)
    return (next(kept) if isinstance(each, StagedDocument) else each for each in results)


def _staged(store: ImageStore, path: Path) -> StagedDocument | Skipped | Unreadable:
    """A file that looks like DICOM, staged. Raises as `StagingArea.stage`."""
    try:
        # neither a link nor a pipe that has taken the file's place since it was seen
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Unreadable(error.strerror or "unreadable")
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return Skipped.SPECIAL
        try:
            head = file.read(_HEAD)
            file.seek(0)
        except OSError as error:
            return Unreadable(error.strerror or "unreadable")
        if not is_part10(head):
            return Skipped.NOT_DICOM
        if is_directory_record(head):
            return Skipped.DIRECTORY_RECORD
        return store.staging.stage(lambda: file)
