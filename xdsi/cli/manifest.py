"""`xdsi manifest ACTION`: imaging manifests (DICOM KOS) on this machine; one module an action."""

import argparse
from importlib import import_module

HELP = "make an imaging manifest (KOS, MADO) from DICOM files, show what one says, or check it"

# each is a module `manifest_<name>` of this package with HELP, arguments(parser) and run(args)
ACTIONS = ("make", "show", "check")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name in ACTIONS:
        module = import_module(f"xdsi.cli.manifest_{name}")
        action = actions.add_parser(name, help=module.HELP, description=module.HELP)
        module.arguments(action)
        action.set_defaults(act=module.run)


def run(args: argparse.Namespace) -> int:
    code: int = args.act(args)
    return code
