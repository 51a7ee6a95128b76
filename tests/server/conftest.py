"""A real node for the tests: one for the session, and others with settings of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.server import dialect

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class RunningNode:
    """A node in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    folder: Path
    log_file: Path
    workers: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def staged(self) -> list[str]:
        return os.listdir(self.folder / "staging")

    @property
    def names(self) -> set[str]:
        """Of all that is published."""
        return set(os.listdir(self.folder / "published"))

    def published(self, name: str) -> bytes | None:
        path = self.folder / "published" / name
        return path.read_bytes() if path.exists() else None

    @property
    def log(self) -> list[dict[str, Any]]:
        """The whole lines: the last may be half written."""
        *whole, _ = self.log_file.read_text().split("\n")
        return [json.loads(line) for line in whole]

    def line(self, ticket: str | None, event: str = "request") -> dict[str, Any]:
        """The log line of a ticket; waits for it."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [e for e in self.log if e.get("ticket") == ticket and e["event"] == event]
            return bool(found)

        assert dialect.wait_for(is_there), f"no {event} line for {ticket}"
        return found[0]

    @property
    def descriptors(self) -> list[str]:
        """What its descriptors are."""
        found = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except FileNotFoundError:
                continue
        return found

    def opened_since(self, before: list[str]) -> list[str]:
        """Descriptors beside those; one of an earlier client may have been closed meanwhile."""
        return sorted((Counter(self.descriptors) - Counter(before)).elements())

    @property
    def peak(self) -> int:
        """VmHWM in octets."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def get(self, path: str, **more: Any) -> dialect.Response:
        return dialect.get(self.address, path, **more)

    def post(
        self, path: str, body: bytes, kind: str | None = dialect.SIMPLE, **more: Any
    ) -> dialect.Response:
        return dialect.post(self.address, path, body, kind, **more)

    def exchange(self, message: bytes) -> dialect.Response:
        return dialect.exchange(self.address, message)

    def connect(self) -> dialect.Connection:
        return dialect.Connection(self.address)


def start(folder: Path, *, wait: bool = True, **options: Any) -> RunningNode:
    """options: `limits` and `server`, see tests/server/node.py."""
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / "log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.node", str(folder), json.dumps(options)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    node = RunningNode(process, "", folder, log_file)
    if wait:
        assert process.stdout is not None
        node.address = process.stdout.readline().strip()
        assert node.address, f"the node did not start: {log_file.read_text()}"
    return node


def finish(node: RunningNode) -> None:
    if node.process.poll() is None:
        node.process.kill()
    node.process.wait(10)
    if node.process.stdout is not None:
        node.process.stdout.close()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """The node most tests share, with the limits as they are delivered."""
    running = start(tmp_path_factory.mktemp("node"))
    yield running
    finish(running)


@pytest.fixture(scope="session")
def small_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node with small limits, so that they can be reached."""
    running = start(tmp_path_factory.mktemp("small"), limits=SMALL)
    yield running
    finish(running)


SMALL = {
    "header_seconds": 2.0,
    "body_grace": 0.4,
    "body_rate": 20_000,
    "envelope": 100_000,
    "depth": 20,
    "attributes": 10,
    "namespaces": 10,
    "elements": 1_000,
    "text": 5_000,
    "parts": 5,
    "part_header_block": 1_000,
    "part_headers": 6,
    "document": 300_000,
    "submission": 500_000,
    "in_flight": 3,
}


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[Callable[..., RunningNode]]:
    """Starts nodes with settings of their own; they end with the test."""
    started: list[RunningNode] = []

    def make(**options: Any) -> RunningNode:
        started.append(start(tmp_path / f"node{len(started)}", **options))
        return started[-1]

    yield make
    for each in started:
        finish(each)


def until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
