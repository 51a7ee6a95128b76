"""The results for people and for keeping: a table, and JSON with the facts of the machine.

No names of machines, users or folders are kept.
"""

import json
import os
import platform
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measure import Line, Sizes
from xdsi import __version__

FOLDER = Path(__file__).parent / "results"
_PACKAGES = ("granian", "lxml", "spyne", "SQLAlchemy")


def machine(folder: Path) -> dict[str, Any]:
    """What the figures depend on. folder: where the data lies."""
    room = os.statvfs(folder)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo"),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release().partition("-")[0],
        "file_system": file_system(folder),
        "disk_free_bytes": room.f_bavail * room.f_frsize,
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "xdsi": __version__,
        **{name.lower(): version(name) for name in _PACKAGES},
    }


def file_system(folder: Path) -> str:
    """Kind of file system a folder lies on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    place = folder.resolve()
    found = [(len(point), kind) for point, kind in mounts if place.is_relative_to(Path(point))]
    return max(found)[1] if found else ""


def _first(pattern: str, file: str) -> str:
    found = re.search(pattern, Path(file).read_text())
    return found[1].strip() if found else ""


def show(lines: Iterable[Line], console: Console) -> None:
    """The table, and one of the further figures where lines have some."""
    lines = list(lines)
    table = Table("work", "unit", title="ours beside the floor, medians")
    for name in ("floor", "ours", "ratio", "asked", "met"):
        table.add_column(name, justify="right", no_wrap=True)
    last = ""
    for line in lines:
        if last and line.row != last:
            table.add_section()
        last = line.row
        table.add_row(
            line.work,
            line.unit,
            _figure(line.floor),
            _figure(line.ours),
            _ratio(line, line.ratio),
            ""
            if line.demand is None
            else f"{'≤' if line.is_most else '≥'} {_ratio(line, line.demand)}",
            {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}[line.is_met],
        )
    console.print(table)
    if any(line.figures for line in lines):
        console.print(_further(lines))


def _further(lines: Iterable[Line]) -> Table:
    shown = [line for line in lines if line.figures]
    names = dict.fromkeys(name for line in shown for each in line.figures for name in each.values)
    table = Table("work", "unit", "at", title="further figures")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for line in shown:
        for number, each in enumerate(line.figures):
            first = ("", "") if number else (line.work, line.unit)
            values = (_figure(each.values.get(name)) for name in names)
            table.add_row(*first, each.at, *values)
        table.add_section()
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(line: Line, value: float | None) -> str:
    if value is None:
        return ""
    if line.unit == "MiB":
        return f"+{value:.1f} MiB"
    return f"{value:.2f}"


def keep(
    lines: Iterable[Line], facts: dict[str, Any], sizes: Sizes, mode: str, file: Path | None
) -> Path:
    """Write the JSON; the file it lies in."""
    now = datetime.now(UTC)
    path = file or FOLDER / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "time": now.isoformat(timespec="seconds"),
        "mode": mode,
        "machine": facts,
        "sizes": asdict(sizes),
        "lines": [{**asdict(line), "is_met": line.is_met} for line in lines],
    }
    path.write_text(json.dumps(_short(found), indent=1, ensure_ascii=False) + "\n")
    return path


def _short(value: Any) -> Any:
    """Figures with five digits are enough."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_short(each) for each in value]
    return value
