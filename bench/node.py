"""Nodes and floors as processes of their own, on free ports of 127.0.0.1.

python -m bench.node FOLDER ARCHIVE      serve the node of a folder until SIGTERM

ARCHIVE: `embedded`, or the DICOMweb address where its imaging source has the images
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import samples
from xdsi import app
from xdsi.config import Config, Imaging, Limits, Registry, Repository, Server

_ROOT = Path(__file__).parent.parent
_END_SECONDS = 40
EMBEDDED = "embedded"


def config(folder: Path, archive: str = EMBEDDED) -> Config:
    """A node with registry, repository and imaging source in a folder.

    Patients come with their submissions.
    """
    return Config(
        server=Server(port=0),
        limits=replace(Limits(), request_seconds=600.0),
        registry=Registry(database=f"sqlite:///{folder / 'registry.db'}", unknown_patients="admit"),
        repository=Repository(
            samples.REPOSITORY,
            database=f"sqlite:///{folder / 'repository.db'}",
            store=folder / "documents",
            free_bytes=0,
        ),
        imaging=Imaging(
            samples.IMAGING_SOURCE,
            archive=archive,
            database=f"sqlite:///{folder / 'imaging.db'}",
            store=folder / "images",
            free_bytes=0,
        ),
        folder=folder,
    )


def made(folder: Path) -> Config:
    """The node of a folder, its databases made or brought up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = config(folder)
    app.migrate(settings)
    return settings


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    pid: int
    port: int

    def peak(self) -> int:
        """See `peak`."""
        return peak(self.pid)


def peak(process: int) -> int:
    """The most memory a process has ever held resident (VmHWM), in octets."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise RuntimeError("this system does not tell VmHWM")
    return int(found[1]) * 1024


@contextmanager
def running(module: str, *arguments: str, log: Path) -> Iterator[Served]:
    """`python -m module …`, which prints its address or port first; ended when the block ends.

    Raises RuntimeError with the end of its log when it does not come up.
    """
    command = [sys.executable, "-m", module, *arguments]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"(\d+)\s*$", line)
        if found is None:
            raise RuntimeError(f"{module} did not start: {log.read_text()[-2000:]}")
        yield Served(process.pid, int(found[1]))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def node(folder: Path, archive: str = EMBEDDED) -> Iterator[Served]:
    """The node of a folder, in a process of its own."""
    made(folder)
    with running("bench.node", str(folder), archive, log=folder / "node.log") as served:
        yield served


def _ready(addresses: dict[str, str]) -> None:
    print(addresses["health"].rpartition("/health")[0], flush=True)


if __name__ == "__main__":
    os.umask(0o077)
    app.serve(config(Path(sys.argv[1]), sys.argv[2]), _ready)
