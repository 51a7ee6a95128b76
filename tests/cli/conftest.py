"""The command line as a function, as a program, and as a program on a terminal."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from tests.node import XDSI, environment
from xdsi.cli import main


class Said(NamedTuple):
    """What a command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr; nothing on stdout, no traceback."""
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


Run = Callable[..., Said]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Run:
    """`xdsi ARGUMENTS` in this process."""

    def run(*arguments: str | Path) -> Said:
        capfd.readouterr()
        try:
            code = main([str(each) for each in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        return Said(code, *capfd.readouterr())

    return run


def program(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> Said:
    """`xdsi ARGUMENTS` as a program whose output is piped."""
    done = subprocess.run(
        [*XDSI, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=cwd,
        env=environment(**variables),
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def terminal(*arguments: str | Path, columns: int = 80, **variables: str) -> tuple[int, str]:
    """`xdsi ARGUMENTS` on a terminal: exit code and all that was shown."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*XDSI, *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(**{"TERM": "xterm-256color", **variables}),
    )
    os.close(slave)
    shown, end = b"", monotonic() + 100
    try:
        while monotonic() < end:
            ready, _, _ = select.select([master], [], [], 1)
            if not ready:
                continue
            try:
                data = os.read(master, 65536)
            except OSError:  # Linux says EIO when the other side is closed
                break
            if not data:
                break
            shown += data
        return process.wait(10), shown.decode()
    finally:
        process.kill()
        process.wait(10)
        os.close(master)
