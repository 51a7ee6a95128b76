"""An imaging source as a node of its own.

    python -m tests.actors.imaging.node FOLDER      the files of a folder, which takes more
    python -m tests.actors.imaging.node OCTETS      a series without end of instances of that size

Prints its address when it is ready.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.actors.imaging.folder import FolderArchive, OneSeries
from tests.actors.imaging.samples import SOURCE
from tests.server.node import Folder
from xdsi import server
from xdsi.actors import imaging
from xdsi.config import Imaging, Limits, Server
from xdsi.plug import Actor


@dataclass(frozen=True, slots=True)
class Node:
    process: "subprocess.Popen[str]"
    base: str
    log_file: Path

    @property
    def address(self) -> str:
        return f"{self.base}/imaging"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The whole ones: the last may be half written."""
        *whole, _ = self.log_file.read_text().split("\n")
        return [json.loads(each) for each in whole]

    @property
    def peak(self) -> int:
        """VmHWM in octets."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@contextmanager
def running(what: str, log_file: Path) -> Iterator[Node]:
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.actors.imaging.node", what],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).resolve().parents[3],
        )
    assert process.stdout is not None
    try:
        base = process.stdout.readline().strip()
        assert base, log_file.read_text()
        yield Node(process, base, log_file)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def actor(what: str) -> Actor:
    settings, limits = Imaging(SOURCE), Limits()
    if what.isdigit():
        return imaging.actor(settings, limits, OneSeries(int(what)))
    archive = FolderArchive(Path(what))
    staging: Any = Folder(Path(mkdtemp(dir=what)))
    return imaging.actor(settings, limits, archive, staging=staging, keep=archive.keep)


def main(what: str) -> None:
    with suppress(KeyboardInterrupt):
        server.serve(
            lambda: [actor(what)],
            Server(port=0),
            Limits(),
            on_ready=lambda address: print(address, flush=True),
        )


if __name__ == "__main__":
    main(sys.argv[1])
