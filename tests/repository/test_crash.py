"""A repository that ends at any moment, and one whose disk is full."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import killing

# scenario -> fewest steps it must have, so that a hook that got lost is noticed
SCENARIOS = {
    "provide": 18,
    "provide_named": 18,
    "provide_and_register": 18,
    "be_refused": 20,
    "provide_again": 18,
    "settle": 8,
}


@pytest.mark.proves("SEC-T-001", "SEC-T-003", "SEC-T-004", "SEC-T-005", "SEC-T-008", "REG-031")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_before_any_step_it_keeps_its_promises(quick_path: Path, scenario: str) -> None:
    steps = killing.outcomes("tests.repository.crash", quick_path, scenario)
    assert [each for each in steps if not each["reached"] or each["broken"]] == []
    assert len(steps) >= SCENARIOS[scenario]


FULL_DISK = """
import io, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xdsi.files.blobs import LocalStore
from xdsi.files.staging import StagingArea
from xdsi.model.errors import XDSRepositoryOutOfResources

folder, MIB = Path(sys.argv[1]), 1 << 20
assert os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize == 64 * MIB
store = LocalStore(folder / "store", 0)
area = StagingArea(store.staging, 1 << 30, ThreadPoolExecutor(2), unnamed=sys.argv[2] == "unnamed")
free = lambda: os.statvfs(folder).f_bavail
stage = lambda size: area.stage(lambda: io.BytesIO(bytes(size)))
store.admit()
first = stage(40 * MIB)
(kept,) = store.publish([first])
first.discard()
before, handles = free(), len(os.listdir("/proc/self/fd"))
for _ in range(3):
    try:
        stage(40 * MIB)
    except XDSRepositoryOutOfResources as error:
        assert "ENOSPC" in error.context
    else:
        raise AssertionError("a full disk took it")
    assert free() == before, "space of the refused one is free again"
    assert len(os.listdir("/proc/self/fd")) == handles
filler = folder / "filler"
with filler.open("wb") as file:
    file.write(bytes(free() * 4096 - MIB))
try:
    store.admit()
except XDSRepositoryOutOfResources:
    pass
else:
    raise AssertionError("less than 2 % are free")
assert store.size(kept) == 40 * MIB
filler.unlink()
store.admit()
again = stage(20 * MIB)
store.publish([again])
reader = store.open(kept)
assert sum(map(len, iter(lambda: reader.read(MIB), b""))) == 40 * MIB
print("done")
"""


@pytest.mark.proves("SEC-T-016", "SEC-T-018", "SEC-T-183")
@pytest.mark.parametrize("kind", ["unnamed", "named"])
def test_a_full_disk_refuses_leaves_nothing_and_recovers_by_itself(
    tmp_path: Path, root: Path, kind: str
) -> None:
    mount = 'mount -t tmpfs -o size=64m,mode=700 tmpfs "$1"'
    unshare = ["unshare", "-rm", "sh", "-c"]
    probe = [*unshare, mount, "sh", str(tmp_path)]
    try:
        subprocess.run(probe, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"needs the right to mount in a namespace of its own (unshare -rm): {error}")
    done = subprocess.run(
        [*unshare, mount + ' && exec "$2" -c "$3" "$1" "$4"', "sh", str(tmp_path), sys.executable,
         FULL_DISK, kind],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert done.stdout == "done\n", done.stderr
