"""`xdsi migrate`: bring the databases to this version's schema."""

import argparse

from xdsi import app
from xdsi.cli import options, screen

HELP = "bring the databases of a configuration to this version; safe to repeat"


def arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def run(args: argparse.Namespace) -> int:
    steps = app.migrate(options.config(args), dry_run=args.dry_run)
    for step in steps:
        screen.plain(("would run " if args.dry_run else "ran ") + step)
    if not steps:
        screen.say("nothing to do: every database is at this version")
    return 0
