"""Kill a process before each of its steps, and look whether its promises hold.

A module that does so is run as `python -m MODULE FOLDER SCENARIO` and calls `before_each_step`; its
test calls `outcomes`.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KILLED = 42
MOST = 200  # steps of a scenario


class Steps:
    """Counts steps and ends the process before the one it is told, at once."""

    def __init__(self, last: int = 0) -> None:
        self.last, self.count = last, 0

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self.last:
            os._exit(KILLED)


def before_each_step(
    folder: Path,
    scenario: str,
    prepare: Callable[[Path], object],
    work: Callable[[Path, Steps], object],
    check: Callable[[Path], list[str]],
) -> None:
    """One JSON line a step, and `{"step": N, "reached": false}` for the first there is not.

    prepare: makes the folder that a step has for itself, named by scenario and step
    work: takes the steps there, in a process of its own
    check: what is broken afterwards, in another one; nothing when every promise holds
    """
    for step in range(1, MOST):
        place, found = folder / f"{scenario}{step}", folder / f"{scenario}{step}.json"
        prepare(place)
        code = _child(lambda: work(place, Steps(step)))  # noqa: B023 (called here)
        if code == 0:
            print(json.dumps({"step": step, "reached": False}))
            return
        checked = _child(lambda: found.write_text(json.dumps(check(place))))  # noqa: B023
        broken = ["the check failed"] if checked else json.loads(found.read_text())
        print(json.dumps({"step": step, "reached": code == KILLED, "broken": broken}), flush=True)


def _child(work: Callable[[], object]) -> int:
    """Exit code of a forked process that does the work."""
    if (pid := os.fork()) == 0:
        try:
            work()
        except BaseException:  # told by the exit code, and on stderr
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def outcomes(module: str, folder: Path, scenario: str) -> list[dict[str, Any]]:
    """The lines of a module for the steps that there are."""
    done = subprocess.run(
        [sys.executable, "-m", module, str(folder), scenario],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    sys.stderr.write(done.stderr)  # which a test that fails shows
    assert done.returncode == 0
    *steps, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert not last["reached"], f"more than {MOST} steps"
    return steps
