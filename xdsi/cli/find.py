"""`xdsi find`: the documents of a patient [ITI-18]."""

import argparse

from xdsi.cli import options, partners, screen, show
from xdsi.standard import urns

HELP = "find the documents of a patient [ITI-18 FindDocuments]"


def arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("whom to ask", "a configuration of ours, or an address")
    options.add_config(group)
    group.add_argument(
        "--registry", type=options.address, metavar="URL", help="address of the Document Registry"
    )
    partners.add_gateway(group)
    partners.add_tls(group)
    options.add_patient(parser)
    parser.add_argument("--deprecated", action="store_true", help="replaced ones too")
    parser.add_argument("--details", action="store_true", help="all attributes")
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    statuses = (urns.APPROVED, urns.DEPRECATED) if args.deprecated else (urns.APPROVED,)
    with partners.consumer(args) as consumer:
        entries = show.newest_first(consumer.find_documents(args.patient, statuses))
    if args.json:
        screen.as_json([show.entry_as_dict(each) for each in entries])
        return 0
    rows = show.details if args.details else show.summary
    for each in entries:
        screen.block(show.title(each), rows(each))
    if not entries:
        screen.err.print(f"no documents for {args.patient}", markup=False)
    return 0
