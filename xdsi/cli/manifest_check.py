"""`xdsi manifest check FILE...`: what is wrong with imaging manifests, and what to do."""

import argparse
from pathlib import Path

from xdsi.cli import options, screen
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifestchecks import CurrentManifest
from xdsi.model.manifestobject import Finding
from xdsi.standard.rules import RULES
from xdsi.wire import manifestcheck

HELP = "check manifests (KOS) and explain every finding; several: against each other too"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    known = {path: _current(path) for path in args.files if len(args.files) > 1}
    found = {path: _findings(path, known) for path in args.files}
    if args.json:
        screen.as_json(
            [
                {"file": str(path), "findings": [_as_dict(each) for each in findings]}
                for path, findings in found.items()
            ]
        )
    else:
        for path, findings in found.items():
            _show(path, findings)
    is_wrong = any(each.level == "error" for findings in found.values() for each in findings)
    return 1 if is_wrong else 0


def _current(path: Path) -> CurrentManifest | None:
    try:
        return manifestcheck.as_current(path)
    except InvalidDocumentContent:
        return None  # its own check says why


def _findings(path: Path, known: dict[Path, CurrentManifest | None]) -> tuple[Finding, ...]:
    others = [each for other, each in known.items() if other != path and each is not None]
    return tuple(manifestcheck.check(lambda: path.open("rb"), path.stat().st_size, current=others))


def _as_dict(finding: Finding) -> dict[str, str | None]:
    row = RULES[finding.rule]
    return {
        "rule": finding.rule,
        "level": finding.level,
        "object": finding.what,
        "value": finding.value,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "asks": row.demand,
        "source": row.source,
    }


def _show(path: Path, findings: tuple[Finding, ...]) -> None:
    if not findings:
        screen.say(f"[green]good[/green]: {screen.escape(str(path))}")
        return
    screen.plain(str(path))
    for each in findings:
        colour = "red" if each.level == "error" else "yellow"
        screen.say(f"[{colour}]{each.level}[/{colour}] {screen.escape(str(each))}")
        row = RULES[each.rule]
        screen.plain(f"  {each.rule} asks: {row.demand} ({row.source})")
