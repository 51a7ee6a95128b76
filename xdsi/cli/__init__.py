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
from xdsi.cli import screen
from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSError, leaves
from xdsi.peers.errors import PeerError

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
        screen.fail(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)


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
    args = parser(given[:1] if given[:1] and given[0] in COMMANDS else COMMANDS).parse_args(given)
    try:
        code: int = args.run(args)
    except ConfigurationError as error:
        screen.fail(str(error))
        return 2
    except PeerError as error:
        screen.fail(f"{error}; does it run, and is the address right?")
        return 2
    except (XDSError, ExceptionGroup) as error:
        for each in leaves(error):
            if not isinstance(each, XDSError):
                raise
            screen.finding(each)
        return 1
    except BrokenPipeError:
        # whoever read us has seen enough; the interpreter must not try to write the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        screen.fail(f"{error.filename or 'a file'}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        return 130
    return code
