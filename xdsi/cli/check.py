"""`xdsi check`: what is wrong with a configuration, before it serves."""

import argparse

from xdsi import checking
from xdsi.cli import options, screen

HELP = "explain what is wrong with a configuration and what to do"


def arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    findings = list(checking.check(options.config(args)))
    if args.json:
        screen.as_json(findings)
    for each in findings:
        screen.fail(each)
    if not findings and not args.json:
        screen.say("[green]good[/green]: this configuration can serve")
    return 1 if findings else 0
