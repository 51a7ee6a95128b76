"""The command `xdsi`: one module a subcommand, this one only chooses.

Exit codes: 0 done; 1 the other side answered Failure, or something was found wrong; 2 the command
could not run (usage, configuration, files, nobody answers).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import NoReturn

import xdsi
from xdsi.cli import failure, screen
from xdsi.config import ConfigurationError

# each is a module of this package with HELP, arguments(parser) and run(args) -> exit code
COMMANDS = (
    "init",
    "serve",
    "demo",
    "migrate",
    "check",
    "submit",
    "find",
    "fetch",
    "manifest",
    "publish",
    "watch",
    "import",
    "images",
    "patient",
    "partner",
    "explain",
    "replay",
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a --help away."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message} (see {self.prog} --help)")


def parser(wanted: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line with these commands; a module is loaded only when it is wanted."""
    top = _Parser(
        prog="xdsi",
        description="An IHE XDS.b / XDS-I.b node: registry, repository and their clients.",
        epilog="exit codes: 0 done, 1 refused or something found wrong, 2 could not run",
    )
    top.add_argument("--version", action="version", version=f"xdsi {xdsi.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in wanted:
        module = import_module(f"xdsi.cli.{name}{'_' * iskeyword(name)}")
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong becomes one line on stderr and an exit code."""
    screen.prepare()
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        return _ran(given)
    except BrokenPipeError:
        # whoever read us has seen enough; the interpreter must not try to write the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _ran(given: Sequence[str]) -> int:
    wanted = given[:1] if given[:1] and given[0] in COMMANDS else COMMANDS
    args = argparse.Namespace(json="--json" in given)  # to be known where the rest is wrong
    try:
        code: int = parser(wanted).parse_args(given, args).run(args)
    except BrokenPipeError:
        raise
    except failure.KINDS as error:
        return failure.told(error, is_json=args.json)
    return code
