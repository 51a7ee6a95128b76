"""`xdsi import FOLDER`: DICOM files into the node's own archive."""

import argparse
from pathlib import Path

from xdsi import app
from xdsi.actors.imaging.importing import Result, Skipped, Tally, Unreadable, import_folder
from xdsi.actors.imaging.store import Kept, Outcome
from xdsi.cli import failure, options, screen
from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSRepositoryOutOfResources

HELP = "take the DICOM files below a folder into the node's archive of images"

_LISTED = 1_000  # files that --json names


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder, or one file")
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    if not args.folder.exists():
        raise ConfigurationError(f"{args.folder}: no such file or folder")
    refused: list[tuple[str, str]] = []
    config = options.config(args)
    with app.image_store(config) as store, screen.counting("importing") as moved:

        def told(path: Path, result: Result) -> None:
            moved(1)
            if (reason := _reason(result)) is None:
                return
            refused[_LISTED:] = [(str(path), reason)]
            if not args.json:
                screen.fail(f"{path}: {reason}")

        try:
            tally = import_folder(store, args.folder, told)
        except XDSRepositoryOutOfResources as error:
            where = config.imaging.store if config.imaging else ""
            raise ConfigurationError(f"imaging.store {where}: {error.problem}") from error
    if tally.skipped[Skipped.DIRECTORY_RECORD] and not args.folder.is_dir():
        raise failure.NotFound(f"{args.folder}: names images, but has none; give its folder")
    problems = tally.outcomes[Outcome.REFUSED] + tally.unreadable
    if args.json:
        screen.as_json(
            {
                **{each.value: tally.outcomes[each] for each in Outcome},
                "unreadable": tally.unreadable,
                "skipped": {each.name.lower(): tally.skipped[each] for each in Skipped},
                "studies": sorted(tally.studies),
                "problems": [{"file": file, "reason": why} for file, why in refused[:_LISTED]],
            }
        )
    else:
        _say(tally)
    return 1 if problems else 0


def _reason(result: Result) -> str | None:
    """Why a file that was looked at was not taken in."""
    match result:
        case Kept(outcome=Outcome.REFUSED) | Unreadable():
            return result.reason
    return None


def _say(tally: Tally) -> None:
    rows = [(each.value, str(tally.outcomes[each])) for each in Outcome]
    rows += [("unreadable", str(tally.unreadable))] if tally.unreadable else []
    rows += [(f"skipped, {each.value}", str(number)) for each, number in tally.skipped.items()]
    screen.block(f"{len(tally.studies)} studies", rows)
