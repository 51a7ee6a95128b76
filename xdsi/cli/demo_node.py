"""Nodes of the demo, each in a process of its own."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import NoReturn

from xdsi.config import ConfigurationError

START_SECONDS = 60
STOP_SECONDS = 40

Node = subprocess.Popen[str]


def free_port(port: int = 0) -> int:
    """This port of the loopback, or another one if somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def serving(config: Path, log: Path) -> Iterator[tuple[Node, str]]:
    """A node in a process of its own, and its base address. Stopped at the end."""
    command = [sys.executable, "-m", "xdsi", "serve", "--config", str(config)]
    with log.open("ab") as errors:
        node = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, _terminated),
        # a shell without job control starts programs in the background with it ignored
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    try:
        yield node, _base(node, log)
    finally:
        stop(node)
        for number, handler in before.items():
            signal.signal(number, handler)


def stop(node: Node) -> None:
    """End it in peace, or else by force."""
    node.send_signal(signal.SIGTERM)
    try:
        node.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        node.kill()
        node.wait()


def _terminated(number: int, _frame: object) -> NoReturn:
    """SIGTERM leaves by way of `finally`, so that no node stays behind."""
    raise SystemExit(128 + number)


def _base(node: Node, log: Path) -> str:
    """Wait for the address that `serve` prints. Raises ConfigurationError with its last words."""
    lines: Queue[str | None] = Queue()

    def read() -> None:
        assert node.stdout is not None  # noqa: S101
        for line in node.stdout:
            lines.put(line)
        lines.put(None)

    Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=START_SECONDS)
        except Empty:
            raise ConfigurationError(f"the node did not start; see {log}") from None
        if line is None:
            raise ConfigurationError(_last_words(log))
        if "/health/ready" in line:
            return line.split()[-1].removesuffix("/health/ready")


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("xdsi: ") if lines else f"the node did not start; see {log}"
