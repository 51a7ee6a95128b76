"""A whole node as its users run it: `xdsi init`, then `xdsi serve` as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.server.dialect import wait_for
from xdsi.cli.init import create
from xdsi.client import DocumentConsumer, DocumentSource
from xdsi.config import Config, load
from xdsi.model.values import CX

XDSI = (sys.executable, "-m", "xdsi")
AUTHORITY = "2.999.7"


@dataclass(slots=True)
class Node:
    """A running node. config: its xdsi.toml; log_file: what it writes to stderr."""

    process: subprocess.Popen[str]
    config: Path
    base: str
    log_file: Path

    @property
    def settings(self) -> Config:
        return load(self.config)

    @property
    def repository_id(self) -> str:
        section = self.settings.repository
        assert section is not None
        return section.unique_id

    @property
    def log(self) -> list[dict[str, Any]]:
        """The structured lines of its log, once nothing is added: they come after their answers."""
        size = -1
        while size != (size := self.log_file.stat().st_size):
            time.sleep(0.2)
        lines = self.log_file.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def requests(self, transaction: str) -> list[dict[str, Any]]:
        """Log lines of the requests of one transaction."""
        return [each for each in self.log if each.get("transaction") == transaction]

    def source(self) -> DocumentSource:
        return DocumentSource(f"{self.base}/repository")

    def consumer(self) -> DocumentConsumer:
        return DocumentConsumer(
            f"{self.base}/registry", {self.repository_id: f"{self.base}/repository"}
        )

    def stop(self, seconds: float = 30) -> int:
        """End it by SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fresh_patient(authority: str = AUTHORITY) -> CX:
    """Somebody invented, whom no other test knows."""
    return CX(f"T-{uuid4().hex[:12]}^^^&{authority}&ISO")


def environment(**changes: str) -> dict[str, str]:
    """Variables of a plain user: no colours asked for, none forbidden."""
    foreign = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "TERM": "dumb", **changes}


def init(folder: Path, port: int | None = None) -> Path:
    """A new node in `folder`; its configuration."""
    return create(folder, port or free_port(), AUTHORITY)


def change(config: Path, **settings: str) -> Path:
    """Set keys of the file to TOML values, wherever they stand, commented out or not."""
    text = config.read_text()
    for key, value in settings.items():
        text, count = re.subn(rf"(?m)^(# )?{key} = .*$", f"{key} = {value}", text, count=1)
        assert count, key
    config.write_text(text)
    return config


@contextmanager
def serving(config: Path, *options: str, inside: Sequence[str] = ()) -> Iterator[Node]:
    """The node of a configuration, until the end of the block.

    inside: what stands before the command
    """
    log_file = config.parent / "log"
    with log_file.open("a") as log:
        process = subprocess.Popen(
            [*inside, *XDSI, "serve", "--config", str(config), *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(),
        )
    assert process.stdout is not None
    try:
        base = ""
        for line in process.stdout:
            if "/health/ready" in line:
                base = line.split()[-1].removesuffix("/health/ready")
            if "/metrics" in line:
                break
        assert base, log_file.read_text()
        yield Node(process, config, base, log_file)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="session")
def real_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests that do not need their own; each takes patients of its own."""
    folder = tmp_path_factory.mktemp("node") / "with a blank"
    with serving(init(folder)) as node:
        yield node


__all__ = ["Node", "change", "fresh_patient", "init", "real_node", "serving", "wait_for"]
