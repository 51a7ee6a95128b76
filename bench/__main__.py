"""The command: `python -m bench`, see docs/bench.md."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench import (
    documents,
    foreign,
    gateways,
    imaging,
    manifest,
    memory,
    query,
    results,
    scale,
    submit,
)
from bench.measure import GIB, QUICK, SMALLEST, Report, Sizes

Row = Callable[[Sizes, Path, Report], None]
ROWS: dict[str, Row] = {
    query.PROCESS: query.in_process,
    query.HTTP: query.over_http,
    query.SIZE: query.by_size,
    scale.ROW: scale.scale,
    submit.ROW: submit.small,
    documents.UPLOAD: documents.upload,
    documents.DOWNLOAD: documents.download,
    memory.ROW: memory.memory,
    **dict(imaging.rows()),
    **dict(foreign.rows()),
    manifest.ROW: manifest.manifest,
    memory.IMAGES: memory.of_images,
    gateways.FAN_OUT: gateways.query,
    gateways.ONE: gateways.one,
    gateways.LARGE: gateways.large,
}
_ENTRY_BYTES = 13_000  # of a database per entry, with its share of sets and associations
_SCALE_BYTES = 20_000  # with folders and their associations as well, and the log while it is made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, keep. 0 when every row meets its mark, 1 when one misses it."""
    args = _parser().parse_args(arguments)
    mode, sizes = next(
        (name, sizes)
        for is_chosen, name, sizes in (
            (args.smallest, "smallest", SMALLEST),
            (args.quick, "quick", QUICK),
            (True, "full", Sizes()),
        )
        if is_chosen
    )
    if args.entries:
        sizes = replace(sizes, many=args.entries)
    console = Console(soft_wrap=not sys.stdout.isatty())
    report = Report(lambda text: Console(stderr=True).print(f"[dim]{text}[/dim]"))
    chosen = args.only or list(ROWS)
    with TemporaryDirectory(prefix="xdsi-bench-", dir=args.folder) as place:
        folder = Path(place)
        if problem := _problem(folder, sizes, chosen):
            print(problem, file=sys.stderr)
            return 2
        facts = results.machine(folder)
        if facts["file_system"] in ("tmpfs", "ramfs"):
            report.tell("the data lies in memory: syncing costs nothing here; see --folder")
        for name in chosen:
            row = folder / name
            row.mkdir()
            ROWS[name](sizes, row, report)
            shutil.rmtree(row)
    results.show(report.lines, console)
    console.print(f"kept in {results.keep(report.lines, facts, sizes, mode, args.json)}")
    return int(any(line.is_met is False for line in report.lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m bench", description="Measure ours beside the floor, in one run."
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="256 MiB instead of 1 GiB, fewer rounds")
    size.add_argument(
        "--smallest", action="store_true", help="only see that it runs; the figures mean nothing"
    )
    parser.add_argument(
        "--only", action="append", choices=list(ROWS), metavar="ROW", help=", ".join(ROWS)
    )
    parser.add_argument(
        "--entries", type=int, metavar="N", help=f"of the larger registry ({query.SIZE})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="instead of bench/results/")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="for the data while it runs")
    return parser


def _problem(folder: Path, sizes: Sizes, chosen: Sequence[str]) -> str:
    """Why it cannot run here: what the largest row leaves on the disk at a time."""
    needed = {
        query.PROCESS: sizes.entries * _ENTRY_BYTES,
        query.HTTP: sizes.entries * _ENTRY_BYTES,
        query.SIZE: (sizes.entries + sizes.many) * _ENTRY_BYTES,
        # the registries of one database at a time
        scale.ROW: sum(sizes.scale) * _SCALE_BYTES,
        submit.ROW: GIB // 4,
        documents.UPLOAD: 2 * sizes.large,
        documents.DOWNLOAD: sizes.large,
        memory.ROW: 8 * sizes.large,
        manifest.ROW: GIB // 4,
        memory.IMAGES: 8 * sizes.large,
        gateways.FAN_OUT: GIB // 4,
        gateways.ONE: GIB // 4,
        gateways.LARGE: 4 * sizes.large,
        **dict.fromkeys(imaging.LARGE, sizes.large),
        **dict.fromkeys(imaging.CT, GIB),
        **dict.fromkeys(imaging.ARCHIVE, sizes.large + GIB),
        **dict.fromkeys(foreign.ROWS, sizes.large + GIB),
    }
    most = max(needed[name] for name in chosen)
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize
    # the node refuses documents below a share of the disk
    wanted = most + room.f_blocks * room.f_frsize // 50 + GIB
    if free < wanted:
        return f"{free / GIB:.1f} GiB free, {wanted / GIB:.1f} GiB wanted; see --folder"
    return ""


if __name__ == "__main__":
    sys.exit(main())
