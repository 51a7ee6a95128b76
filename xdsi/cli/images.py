"""`xdsi images remove STUDY`: instances out of the node's own archive."""

import argparse
from pathlib import Path

from xdsi import app
from xdsi.cli import options, screen

HELP = "remove a study, a series or an instance from the node's archive of images"


def arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config(parser)
    # the option may stand on either side of the action
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    remove = actions.add_parser("remove", help="remove for good", parents=[shared])
    remove.add_argument("study", type=options.oid, metavar="STUDY", help="Study Instance UID")
    remove.add_argument("--series", type=options.oid, metavar="UID", help="only this series")
    remove.add_argument("--instance", type=options.oid, metavar="UID", help="only this instance")


def run(args: argparse.Namespace) -> int:
    with app.image_store(options.config(args)) as store:
        number = store.remove(args.study, args.series, args.instance)
    screen.plain(f"{args.study}: {number} instance(s) removed")
    return 0 if number else 1
