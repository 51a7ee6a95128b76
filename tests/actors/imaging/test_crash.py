"""An archive that ends at any moment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# scenario -> fewest steps it must have, so that a hook that got lost is noticed
SCENARIOS = {"keep": 14, "replace": 16, "remove": 6}


@pytest.mark.proves("SEC-T-001", "SEC-T-002", "SEC-T-004")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_before_any_step_it_keeps_its_promises(
    quick_path: Path, root: Path, scenario: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.actors.imaging.crash", str(quick_path), scenario],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    *killed, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert not last["reached"]
    assert [each for each in killed if not each["reached"] or each["broken"]] == [], done.stderr
    assert len(killed) >= SCENARIOS[scenario]
