"""An archive that is killed before any step of a keep or a removal.

    python -m tests.actors.imaging.crash FOLDER SCENARIO

Each step runs in a process of its own that ends there at once; the parent then looks whether the
promises hold. One JSON line a step: was it reached, what is broken.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, event

from tests.actors.imaging.stores import embedded
from tests.actors.imaging.studies import CALL, everything, instance, keep, leftovers, published
from tests.files.disks import HookedDisk
from xdsi.actors.imaging.store import Outcome
from xdsi.files.blobs import PREFIXES

KILLED = 9
STUDY = "1.2.3"
OLD, NEW = (
    instance(StudyInstanceUID=STUDY, SOPInstanceUID=f"{STUDY}.1", PatientName=f"Example^{name}")
    for name in ("Old", "New")
)


class Steps:
    """Counts calls of the disk and of the database, and ends the process before the n-th."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(KILLED)


def run(folder: Path, scenario: str, steps: Steps, acknowledged: Path) -> None:
    with embedded(folder, calls=HookedDisk(steps), other_data_set="replace") as store:
        engine: Engine = store.index._units.engine
        event.listen(engine, "before_cursor_execute", lambda *_: steps())
        if scenario == "remove":
            store.remove(STUDY)
        else:
            keep(store, NEW)
        acknowledged.touch()


def check(folder: Path, scenario: str, is_acknowledged: bool) -> list[str]:
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
    (folder / "before").mkdir()
    with embedded(folder / "before") as store:
        if scenario != "keep":
            keep(store, OLD)
    for step in range(1, 100):
        place = folder / f"{scenario}{step}"
        shutil.copytree(folder / "before", place)
        code = child(lambda: run(place, scenario, Steps(step), place / "acknowledged"))  # noqa: B023
        if code == 0:
            print(json.dumps({"step": step, "reached": False}))
            return
        broken = check(place, scenario, (place / "acknowledged").exists())
        print(json.dumps({"step": step, "reached": code == KILLED, "broken": broken}), flush=True)


def child(work: Callable[[], None]) -> int:
    """Exit code of a forked process that does the work."""
    if (pid := os.fork()) == 0:
        try:
            work()
        except BaseException:  # told by the exit code, and on stderr
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
