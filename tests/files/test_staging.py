"""The staging area: documents while they are received."""

import errno
import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from ctypes import c_int64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdsi.files import disk, staging
from xdsi.files.staging import StagingArea
from xdsi.model.errors import XDSRepositoryError


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def area(
    tmp_path: Path, hashing: Executor, request: pytest.FixtureRequest
) -> Iterator[StagingArea]:
    area = StagingArea(tmp_path / "staging", 1000, hashing, unnamed=request.param)
    yield area
    area.close()


def files(area: StagingArea) -> set[str]:
    return {path.name for path in area.root.rglob("*") if path.is_file()} - {"lock"}


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.proves("RET-063", "SEC-T-172")
@settings(max_examples=40, deadline=None)
@given(chunks=st.lists(st.binary(max_size=200), max_size=8), large=st.booleans())
def test_size_and_hashes_are_those_of_the_octets(
    tmp_path_factory: pytest.TempPathFactory, hashing: Executor, chunks: list[bytes], large: bool
) -> None:
    if large:
        chunks = [chunk * 2000 for chunk in chunks]
    area = StagingArea(tmp_path_factory.mktemp("s") / "staging", 1 << 30, hashing)
    incoming = area.create()
    for chunk in chunks:
        incoming.write(chunk)
    staged = incoming.finish()
    whole = b"".join(chunks)
    assert staged.size == len(whole)
    assert staged.sha1 == hashlib.sha1(whole).hexdigest()
    assert staged.sha256 == hashlib.sha256(whole).hexdigest()
    area.discard([staged])
    area.close()


@pytest.mark.proves("SEC-T-001")
@pytest.mark.parametrize("is_known", [True, False], ids=["linux", "elsewhere"])
def test_a_large_document_goes_to_the_disk_while_it_comes(
    tmp_path: Path, hashing: Executor, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Each octet once, in pieces; the sync at the end is for all of them all the same."""
    asked, synced = [], []

    def begun(fd: int, start: c_int64, length: c_int64, flags: int) -> int:
        asked.append((os.fstat(fd).st_size, start.value, length.value, flags))
        return -1

    monkeypatch.setattr(staging, "_SYNC", 1000)
    monkeypatch.setattr(disk, "_sync_file_range", begun if is_known else None)
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    area = StagingArea(tmp_path / "staging", 10_000, hashing)
    incoming = area.create()
    for _ in range(7):
        incoming.write(bytes(400))
    area.discard([incoming.finish()])
    area.close()
    assert asked == ([(1200, 0, 1200, 2), (2400, 1200, 1200, 2)] if is_known else [])
    assert synced == [2800]


def test_a_staged_document_can_be_read_several_times_at_once(area: StagingArea) -> None:
    staged = area.stage(lambda: io.BytesIO(b"abcdef"))
    one, two = staged.open(), staged.open()
    assert (one.read(3), two.read(6), one.read(9), one.read(1)) == (b"abc", b"abcdef", b"def", b"")
    staged.discard()
    one.close()
    two.close()
    two.close()
    with pytest.raises(OSError, match=r"descriptor|directory"):
        staged.open()


@pytest.mark.proves("SEC-T-040", "SEC-T-038")
@pytest.mark.parametrize(("size", "is_good"), [(1000, True), (1001, False), (50_000, False)])
def test_a_document_above_the_limit_is_refused_and_gone(
    area: StagingArea, size: int, is_good: bool
) -> None:
    incoming = area.create()
    if is_good:
        incoming.write(bytes(size // 2))
        incoming.write(bytes(size - size // 2))
        assert incoming.finish().size == size
        return
    incoming.write(bytes(900))
    with pytest.raises(XDSRepositoryError, match=r"limit of 1000 octets \[SEC-T-040\]"):
        incoming.write(bytes(size - 900))
    assert files(area) == set()


def test_discarding_at_any_time_leaves_nothing(area: StagingArea) -> None:
    before = set(os.listdir("/proc/self/fd"))
    untouched, written = area.create(), area.create()
    written.write(b"abc")
    staged = area.stage(lambda: io.BytesIO(b"abc"))
    for each in (untouched, written, staged):
        each.discard()
        each.discard()
    assert files(area) == set()
    assert set(os.listdir("/proc/self/fd")) == before


def test_many_documents_at_once_leave_descriptors_for_others(
    tmp_path: Path, hashing: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (40, 4096))
    area = StagingArea(tmp_path / "staging", 1000, hashing)
    if not area.unnamed:
        pytest.skip("needs a file system with O_TMPFILE for the temporary folder")
    before = len(os.listdir("/proc/self/fd"))
    staged = [area.stage(lambda: io.BytesIO(b"abc")) for _ in range(1000)]
    assert len(os.listdir("/proc/self/fd")) - before == 10
    assert len(files(area)) == 990
    for each in staged:
        reader = each.open()
        assert reader.read(9) == b"abc"
        reader.close()
    area.discard(staged)
    assert files(area) == set()
    area.close()


@pytest.mark.proves("SEC-T-015")
def test_a_file_system_without_unnamed_files_is_found_out(
    tmp_path: Path, hashing: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refusing(path: object, flags: int, *rest: int, **options: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refusing)
    area = StagingArea(tmp_path / "staging", 1000, hashing)
    assert not area.unnamed
    staged = area.stage(lambda: io.BytesIO(b"abc"))
    assert [len(name) for name in files(area)] == [32]
    staged.discard()
    area.close()


@pytest.mark.proves("SEC-T-004")
def test_the_sweep_leaves_living_processes_alone(tmp_path: Path, hashing: Executor) -> None:
    one = StagingArea(tmp_path / "staging", 1000, hashing, unnamed=False)
    two = StagingArea(tmp_path / "staging", 1000, hashing, unnamed=False)
    staged = one.stage(lambda: io.BytesIO(b"abc"))
    for path in one.folder.iterdir():
        age(path, 1_000_000)
    assert two.sweep(60) == 0
    assert files(one) == {staged.name}
    one.close()
    assert files(two) == set(), "closing leaves nothing"
    two.close()


CHILD = """
import io, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xdsi.files.staging import StagingArea
area = StagingArea(Path(sys.argv[1]), 1000, ThreadPoolExecutor(1), unnamed=False)
area.stage(lambda: io.BytesIO(b"abc"))
area.create().write(b"half")
print(area.folder, flush=True)
time.sleep(60)
"""


@pytest.mark.proves("SEC-T-004")
def test_what_a_killed_process_left_is_swept_once_it_is_old(
    tmp_path: Path, hashing: Executor, root: Path
) -> None:
    area = StagingArea(tmp_path / "staging", 1000, hashing)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(area.root)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as child:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        for path in folder.iterdir():
            age(path, 100)
        assert area.sweep(60) == 0, "its process lives"
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    one, two = sorted(path for path in folder.iterdir() if path.name != "lock")
    age(one, 10)
    assert area.sweep(60) == 1, "the other one is too young"
    assert one.exists()
    assert not two.exists()
    age(one, 100)
    area.sweep(60)
    assert not folder.exists()
    area.close()


def test_a_folder_whose_owner_is_just_starting_is_left_alone(
    tmp_path: Path, hashing: Executor
) -> None:
    area = StagingArea(tmp_path / "staging", 1000, hashing)
    starting = area.root / "starting"
    starting.mkdir()
    assert area.sweep(0) == 0
    assert starting.exists()
    area.close()
