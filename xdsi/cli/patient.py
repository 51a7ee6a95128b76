"""`xdsi patient add|merge|list`: the patients a registry knows, without an identity feed."""

import argparse
from pathlib import Path

from xdsi import app
from xdsi.cli import options, screen

HELP = "add a patient identifier to the registry, merge two, or list the known ones"


def arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config(parser)
    # the option may stand on either side of the action
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make a patient known", parents=[shared])
    add.add_argument("patient", type=options.patient, metavar="CX", help="id^^^&authority&ISO")
    add.set_defaults(act=_add)
    merging = actions.add_parser(
        "merge", help="give one patient's documents to another, for good", parents=[shared]
    )
    merging.add_argument("subsumed", type=options.patient, metavar="OLD", help="will be unknown")
    merging.add_argument("survivor", type=options.patient, metavar="NEW", help="gets everything")
    merging.set_defaults(act=_merge)
    listing = actions.add_parser("list", help="list known patients", parents=[shared])
    options.add_json(listing)
    listing.set_defaults(act=_list)


def run(args: argparse.Namespace) -> int:
    code: int = args.act(args)
    return code


def _add(args: argparse.Namespace) -> int:
    is_new = app.add_patient(options.config(args), args.patient)
    screen.plain(f"{args.patient}: {'added' if is_new else 'known already'}")
    return 0


def _merge(args: argparse.Namespace) -> int:
    app.merge_patients(options.config(args), args.subsumed, args.survivor)
    screen.plain(f"{args.subsumed}: merged into {args.survivor}")
    return 0


def _list(args: argparse.Namespace) -> int:
    patients = app.list_patients(options.config(args))
    if args.json:
        screen.as_json(
            [
                {"id": str(each.id), "state": each.state}
                | ({"survivor": str(each.survivor)} if each.survivor else {})
                for each in patients
            ]
        )
        return 0
    for each in patients:
        into = f" into {each.survivor}" if each.survivor else ""
        screen.plain(f"{each.id}  {each.state}{into}")
    if not patients:
        screen.err.print("no patients yet; add one with: xdsi patient add CX")
    return 0
