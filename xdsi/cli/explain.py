"""`xdsi explain REG-070`: what a rule asks and how to satisfy it."""

import argparse

from xdsi.cli import options, screen
from xdsi.config import ConfigurationError
from xdsi.standard import rules

HELP = "say in plain words what a rule id of an error asks for"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", nargs="?", metavar="ID", help="rule id, e.g. REG-070; none: all")
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.rule is None:
        chosen = tuple(rules.RULES.values())
    else:
        name = args.rule.strip("[] ").upper()  # as an error shows it: [REG-070]
        if name not in rules.RULES:
            near = ", ".join(rules.nearest(name))
            others = f"; near it: {near}" if near else ""
            raise ConfigurationError(f"no rule {args.rule}{others}")
        chosen = (rules.RULES[name],)
    if args.json:
        screen.as_json(
            [
                {"id": r.id, "demand": r.demand, "remedy": r.remedy, "source": r.source}
                for r in chosen
            ]
        )
        return 0
    for each in chosen:
        rows = (("asks:", each.demand), ("do:", each.remedy), ("source:", each.source))
        screen.block(each.id, rows)
    return 0
