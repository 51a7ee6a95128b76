"""`xdsi serve`: run the node of a configuration."""

import argparse
from dataclasses import replace
from pathlib import Path

from xdsi import app
from xdsi.cli import options, screen

HELP = "run the node; prints its addresses once it is ready"


def arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config(parser)
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="keep every exchange for a tester; it holds patient data",
    )


def run(args: argparse.Namespace) -> int:
    config = options.config(args)
    if args.record is not None:
        config = replace(config, server=replace(config.server, record=args.record.resolve()))
    if config.server.record is not None:
        screen.err.print(
            "[yellow]recording[/yellow] every exchange, patient data included, into "
            + screen.escape(str(config.server.record))
        )
    app.serve(config, ready)
    return 0


def ready(addresses: dict[str, str]) -> None:
    """Tell where the node answers."""
    screen.say("[green]ready[/green]")
    for name, address in addresses.items():
        screen.plain(f"  {name:<10} {address}")
    screen.out.file.flush()
