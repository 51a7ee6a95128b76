"""An archive that is killed before any step of a keep or a removal (tests/killing.py)."""

import shutil
import sys
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, event

from tests import killing
from tests.actors.imaging.stores import embedded
from tests.actors.imaging.studies import CALL, everything, instance, keep, leftovers, published
from tests.files.disks import HookedDisk
from tests.killing import Steps
from xdsi.actors.imaging.store import Outcome
from xdsi.files.blobs import PREFIXES

ACKNOWLEDGED = "acknowledged"
STUDY = "1.2.3"
OLD, NEW = (
    instance(StudyInstanceUID=STUDY, SOPInstanceUID=f"{STUDY}.1", PatientName=f"Example^{name}")
    for name in ("Old", "New")
)


def run(scenario: str, folder: Path, steps: Steps) -> None:
    with embedded(folder, calls=HookedDisk(steps), other_data_set="replace") as store:
        engine: Engine = store.index._units.engine
        event.listen(engine, "before_cursor_execute", lambda *_: steps())
        if scenario == "remove":
            store.remove(STUDY)
        else:
            keep(store, NEW)
        (folder / ACKNOWLEDGED).touch()


def check(scenario: str, folder: Path) -> list[str]:
    is_acknowledged = (folder / ACKNOWLEDGED).exists()
    broken = []
    before = set() if scenario == "keep" else {OLD}
    after = set() if scenario == "remove" else {NEW}
    with embedded(folder) as store:

        def there() -> set[bytes]:
            found = store.instances(STUDY, None, None, CALL)
            return {everything(store.open(each, CALL)) for each in found}

        if there() not in ([after] if is_acknowledged else [before, after]):
            broken.append(f"{len(there())} instances, and not those of before or after")
        store.staging.sweep(-5)
        for prefix in {name[:2] for name in published(store)} & set(PREFIXES):
            store.custody.compare(prefix, orphans=-5)
        broken += leftovers(store)
        if there() not in (before, after):
            broken.append("the sweep took an instance")
        (again,) = keep(store, NEW)
        if again.outcome is Outcome.REFUSED and there() != {OLD}:
            broken.append(f"sent again: {again.reason}")
    return broken


def main(folder: Path, scenario: str) -> None:
    before = folder / "before"
    before.mkdir()
    with embedded(before) as store:
        if scenario != "keep":
            keep(store, OLD)
    killing.before_each_step(
        folder,
        scenario,
        partial(shutil.copytree, before),
        partial(run, scenario),
        partial(check, scenario),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
