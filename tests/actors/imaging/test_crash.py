"""An archive that ends at any moment."""

from pathlib import Path

import pytest

from tests import killing

# scenario -> fewest steps it must have, so that a hook that got lost is noticed
SCENARIOS = {"keep": 14, "replace": 16, "remove": 6}


@pytest.mark.proves("SEC-T-001", "SEC-T-002", "SEC-T-004")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_before_any_step_it_keeps_its_promises(quick_path: Path, scenario: str) -> None:
    steps = killing.outcomes("tests.actors.imaging.crash", quick_path, scenario)
    assert [each for each in steps if not each["reached"] or each["broken"]] == []
    assert len(steps) >= SCENARIOS[scenario]
