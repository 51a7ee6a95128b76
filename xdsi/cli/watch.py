"""`xdsi watch [FOLDER]`: studies are published when they have changed and are quiet again."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import FrameType

from xdsi import app
from xdsi.actors.imaging.store import ImageStore
from xdsi.cli import options, screen, sharing
from xdsi.client import watchstate
from xdsi.client.publishing import Publication
from xdsi.client.watching import Folder, Watch, Watched
from xdsi.client.watchstate import State
from xdsi.model.study import StudyHeader, StudyState
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.plug import Call

HELP = "keep the manifests of all studies of an archive or a folder current"

_ARCHIVE_SECONDS = 600.0
_STATE = "watch.db"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="folder of DICOM files (the archive of the configuration)",
    )
    parser.add_argument(
        "--settle",
        type=options.seconds,
        default=60.0,
        metavar="SECONDS",
        help="for which a study must be quiet before it is published (60)",
    )
    parser.add_argument(
        "--every",
        type=options.pause,
        default=15.0,
        metavar="SECONDS",
        help="between two looks (15)",
    )
    parser.add_argument(
        "--again",
        type=options.seconds,
        default=3600.0,
        metavar="SECONDS",
        help="between two looks at all there is, which see what was removed (3600)",
    )
    parser.add_argument(
        "--days",
        type=int,
        default=7,
        metavar="NUMBER",
        help="age of the studies that a DICOMweb archive is searched for (7)",
    )
    parser.add_argument("--once", action="store_true", help="look once, publish what is due, end")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help=f"what is remembered between looks ({_STATE} beside the configuration)",
    )
    parser.add_argument("--json", action="store_true", help="each line one JSON object")
    sharing.arguments(parser)


def run(args: argparse.Namespace) -> int:
    what = (
        f"folder {args.folder.resolve()}" if args.folder else f"archive of {args.config.resolve()}"
    )
    file = args.state or args.config.resolve().parent / _STATE
    with (
        sharing.publisher(args) as publisher,
        watchstate.opened(file, what) as state,
        _watched(args, state) as watched,
    ):
        watch = Watch(
            watched,
            publisher,
            state,
            lambda done: _tell(args, done),
            lambda study, error, pause: _complain(args, study, error, pause),
            args.settle,
            0.0 if args.folder else args.again,  # a folder is looked through each time anyhow
        )
        with _ending() as stop:
            if args.once:
                return 0 if watch.turn(stop) else 1
            watch.run(stop, args.every)
    return 0


@contextmanager
def _watched(args: argparse.Namespace, state: State) -> Iterator[Watched]:
    if args.folder:
        yield Folder(args.folder, state, screen.warn)
        return
    with app.archive(options.config(args)) as archive:
        if isinstance(archive, ImageStore):
            yield _Embedded(archive)
        else:
            yield _Elsewhere(archive, args.days)


@dataclass(frozen=True, slots=True)
class _Embedded:
    """The node's own archive: `xdsi.client.watching.Watched`."""

    store: ImageStore
    tells_all: bool = True

    def states(self, since: float | None, turn: int) -> Iterator[StudyState]:
        return self.store.states(since)

    def study(self, uid: str) -> StudyHeader | None:
        return self.store.study(uid, Call.internal(_ARCHIVE_SECONDS))


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A DICOMweb archive, which tells of changes only by numbers: `Watched`.

    A correction may leave them as they are, so every study is due again each day.
    """

    archive: DicomWebArchive
    days: int
    tells_all: bool = False

    def states(self, since: float | None, turn: int) -> Iterator[StudyState]:
        today = datetime.now(UTC).date()
        first = today - timedelta(days=self.days)
        for each in self.archive.states(first, Call.internal(_ARCHIVE_SECONDS)):
            yield replace(each, mark=f"{each.mark}/{today:%Y%m%d}")

    def study(self, uid: str) -> StudyHeader | None:
        return self.archive.study(uid, Call.internal(_ARCHIVE_SECONDS))


@contextmanager
def _ending() -> Iterator[Event]:
    """Set by the first SIGTERM or SIGINT; the second one ends the process at once."""
    stop = Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _tell(args: argparse.Namespace, done: Publication) -> None:
    sharing.remarks(done)
    if args.json:
        screen.as_line(sharing.as_dict(done))
    else:
        screen.plain(sharing.line(done))
        sys.stdout.flush()


def _complain(args: argparse.Namespace, study: str, error: Exception, pause: float | None) -> None:
    why = sharing.reason(error)
    if args.json:
        outcome = {"study": study or None, "outcome": "failed"}
        screen.as_line({**outcome, "reason": why, "againIn": pause})
        return
    again = f"; again in {pause:.0f} seconds" if pause else ""
    screen.fail(f"{study or 'cannot look'}: {why}{again}")
