"""What people see: colours on a terminal, plain lines elsewhere (NO_COLOR is honoured by rich).

Nothing is cut to the width of the terminal: identifiers are there to be copied.
"""

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from xdsi.model.errors import XDSError
from xdsi.standard.transactions import Transaction

__all__ = [
    "as_json",
    "as_line",
    "block",
    "counting",
    "escape",
    "fail",
    "finding",
    "plain",
    "prepare",
    "progress",
    "rows",
    "say",
    "warn",
]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def prepare() -> None:
    """Characters that the terminal's encoding lacks become a question mark, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """One line with rich markup; foreign text in it is escaped by the caller."""
    out.print(text)


def plain(text: str) -> None:
    """One line of foreign text, shown as it is."""
    out.print(text, markup=False)


def step(name: str, text: str, *, inner: bool = False) -> None:
    """Something that has been done; name: of its transaction, where it is one."""
    indent = "    " if inner else ""
    say(f"{indent}[green]✔[/green] [bold]{name}[/bold]  {escape(text)}")


def named(transaction: Transaction) -> str:
    """Id and title, as the framework has them."""
    return f"{transaction.id} {transaction.title}"


def block(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A title and, indented, names and values in two columns; several values: several rows."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    out.print(title, style="bold", markup=False)
    for name, value in listed:
        out.print(f"  {name:<{width}}  {value}", markup=False)


def rows(title: str, table: Sequence[Sequence[str]]) -> None:
    """A title and lines of as many columns; the first line names them, empty columns are gone."""
    head, *lines = table
    kept = [at for at in range(len(head)) if any(line[at] for line in lines)]
    widths = {at: max(len(line[at]) for line in table) for at in kept}
    out.print(title, style="bold", markup=False)
    for line in table:
        text = "  ".join(line[at].ljust(widths[at]) for at in kept)
        out.print(f"  {text}".rstrip(), markup=False, style="dim" if line is head else None)


def warn(text: str) -> None:
    """What somebody should know although the work was done."""
    err.print(f"[yellow]note:[/yellow] {escape(text)}")


def fail(text: str) -> None:
    """Why a command could not run."""
    err.print(f"[red]xdsi:[/red] {escape(text)}")


def finding(error: XDSError) -> None:
    """One entry of an error list; a note of the exception names the file it is about."""
    colour = "yellow" if error.is_warning else "red"
    about = "".join(f"{escape(each)}: " for each in getattr(error, "__notes__", ()))
    err.print(f"[{colour}]{escape(error.code)}[/{colour}] {about}{escape(error.context)}")


def as_json(value: Any) -> None:
    """For programs: one JSON document on stdout, never wrapped or coloured."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def as_line(value: Any) -> None:
    """The same in one line, at once."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while it is a terminal; gives a function that is told octets done.

    total: octets, None when not known
    """
    if not err.is_terminal:
        yield lambda _octets: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda octets: bar.advance(task, octets)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """As `progress`, for things whose number nobody knows before."""
    if not err.is_terminal:
        yield lambda _things: None
        return
    columns = (TextColumn("{task.description} {task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda things: bar.advance(task, things)
