"""`xdsi publish STUDY|FOLDER…`: studies shared, their manifests kept current [RAD-68, ITI-18]."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from xdsi import app
from xdsi.cli import options, screen, sharing
from xdsi.client.publishing import Outcome, Publication, Publisher
from xdsi.client.watching import FAILURES
from xdsi.config import ConfigurationError
from xdsi.model.study import StudyHeader
from xdsi.model.values import is_uid
from xdsi.plug import Archive, ArchiveError, Call, StudyUnclear
from xdsi.wire.dicomfolder import Passed, files_of
from xdsi.wire.instances import read_studies

HELP = "share studies: make their manifests and submit them, or replace what is current [RAD-68]"

_ARCHIVE_SECONDS = 600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "studies",
        nargs="+",
        metavar="STUDY|FOLDER",
        help="Study Instance UID in the archive of the configuration, or a folder of DICOM files",
    )
    parser.add_argument(
        "--patient",
        type=options.patient,
        metavar="CX",
        help="whose the studies are in the domain (as their headers say)",
    )
    parser.add_argument(
        "--was",
        type=options.patient,
        metavar="CX",
        help="under whom they were published by mistake; what is current there is told",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    options.add_json(parser)
    sharing.arguments(parser)


def run(args: argparse.Namespace) -> int:
    for each in args.studies:
        if not is_uid(each) and not Path(each).exists():
            raise ConfigurationError(f"{each}: neither a UID nor a folder or file that is there")
    published: list[Publication] = []
    failed: list[tuple[str, Exception]] = []
    with sharing.publisher(args, args.patient) as publisher, _studies(args) as studies:
        for name, read in studies:
            try:
                done = _published(args, publisher, name, read())
            except FAILURES as error:
                failed.append((name, error))
                screen.fail(f"{name}: {sharing.reason(error)}")
                continue
            published += done
            for each in done:
                sharing.remarks(each)
                if not args.json:
                    would = "would be " if args.dry_run else ""
                    screen.plain(sharing.line(each, would))
    if args.json:
        screen.as_json(
            {
                "dryRun": args.dry_run,
                "studies": [sharing.as_dict(each) for each in published],
                "failed": [
                    {"study": name, "reason": sharing.reason(error)} for name, error in failed
                ],
            }
        )
    if any(isinstance(e, ArchiveError) and not isinstance(e, StudyUnclear) for _, e in failed):
        return 2  # the archive is away, so that nobody can say
    return 1 if failed or any(each.outcome is Outcome.STALE for each in published) else 0


def _published(
    args: argparse.Namespace, publisher: Publisher, name: str, study: StudyHeader | None
) -> list[Publication]:
    careful = replace(publisher, updates=None) if args.dry_run else publisher
    if study is not None:
        done = publisher.planned(study) if args.dry_run else publisher.publish(study)
        old = careful.moved(study.study_instance_uid, args.was, done.patient) if args.was else None
        return [done] if old is None else [done, old]
    if args.patient is None:
        raise ValueError(
            "the archive has no such study; give --patient to see whether it is still shared"
        )
    done = careful.gone(name, args.patient)
    if done.outcome is Outcome.NOTHING:
        raise ValueError("the archive has no such study, and no manifest of it is current")
    return [done]


Read = Callable[[], StudyHeader | None]


@contextmanager
def _studies(args: argparse.Namespace) -> Iterator[Iterable[tuple[str, Read]]]:
    """The studies named, and what reads each: None for one that the archive does not have."""
    folders = [Path(each) for each in args.studies if Path(each).exists()]
    uids = [each for each in args.studies if not Path(each).exists()]
    studies = _in_folders(folders)
    if not uids:
        yield studies
        return
    with app.archive(options.config(args)) as archive:
        yield [*studies, *((uid, partial(_held, archive, uid)) for uid in uids)]


def _in_folders(folders: list[Path]) -> list[tuple[str, Read]]:
    if not folders:
        return []
    passed = Passed()
    try:
        studies = read_studies(files_of(folders, passed))
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    for path in passed.missing:
        screen.warn(f"{path}: named in the DICOMDIR, but not there")
    return [(each.study_instance_uid, partial(_given, each)) for each in studies]


def _given(study: StudyHeader) -> StudyHeader:
    return study


def _held(archive: Archive, uid: str) -> StudyHeader | None:
    try:
        return archive.study(uid, Call.internal(_ARCHIVE_SECONDS))
    except ArchiveError as error:
        raise type(error)(f"the archive does not tell of it ({error})") from error
