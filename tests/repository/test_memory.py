"""Nothing holds a document in memory."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xdsi.files.blobs import LocalStore, VerifyingReader
from xdsi.files.staging import StagingArea

MIB = 1 << 20
threads = ThreadPoolExecutor(2)
store = LocalStore(Path(sys.argv[1]) / "store")
area = StagingArea(store.staging, 1 << 32, threads)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB

def transfer(size):
    incoming = area.create()
    for at in range(size):
        incoming.write(bytes([at % 251]) * MIB)
    staged = incoming.finish()
    (name,) = store.publish([staged])
    staged.discard()
    reader = VerifyingReader(store.open(name), staged.size, staged.sha256, print)
    assert sum(map(len, iter(lambda: reader.read(MIB), b""))) == size * MIB
    reader.close()
    store.remove([name])

transfer(1)
before = peak()
transfer(256)
print(peak() - before)
"""


@pytest.mark.proves("RET-063", "SEC-T-041")
def test_a_document_of_any_size_costs_the_same_memory(quick_path: Path, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(quick_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 16 * 1024
