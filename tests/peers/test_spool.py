"""The spool: bounded, hashed, empty afterwards."""

import hashlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from xdsi.model.errors import XDSRepositoryOutOfResources
from xdsi.model.messages import Staged
from xdsi.peers.spool import Spool, sweep


def test_document_is_kept_with_size_and_hashes_until_the_end(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        file = spool.create()
        for piece in (b"ab", b"", b"c" * 100_000):
            file.write(piece)
        staged = file.finish()
        content = b"ab" + b"c" * 100_000
        assert staged.size == len(content)
        assert staged.sha1 == hashlib.sha1(content).hexdigest()
        assert staged.sha256 == hashlib.sha256(content).hexdigest()
        for _ in range(2):  # two readers, each from the start
            reader = staged.open()
            assert reader.read(1 << 20) == content
            assert reader.read(1) == b""
            reader.close()
    assert os.listdir(tmp_path) == []
    with pytest.raises(OSError, match="No such file"):
        staged.open()


def test_discarded_documents_give_their_room_back(tmp_path: Path) -> None:
    with Spool(tmp_path, limit=10) as spool:
        for _ in range(3):
            file = spool.create()
            file.write(b"12345678")
            spool.discard([file.finish()])
        unfinished = spool.create()
        unfinished.write(b"12345678")
        unfinished.discard()
        assert os.listdir(spool.folder) == []
        spool.create().write(b"1234567890")


def test_a_document_nobody_refers_to_any_more_gives_its_room_back(tmp_path: Path) -> None:
    with Spool(tmp_path, limit=10) as spool:
        for _ in range(3):
            file = spool.create()
            file.write(b"12345678")
            open_ = file.finish().open
            reader = open_()
            del open_
            assert os.listdir(spool.folder) == []
            assert reader.read(10) == b"12345678"  # who reads it, reads it to its end
            reader.close()


def test_full_spool_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path, limit=10) as spool:
        file = spool.create()
        file.write(b"12345678")
        with pytest.raises(XDSRepositoryOutOfResources, match="more than 10 bytes"):
            file.write(b"123")
        assert os.listdir(spool.folder) == []
        spool.create().write(b"1234567890")


def test_lost_folder_is_out_of_resources(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        os.rmdir(spool.folder)
        with pytest.raises(XDSRepositoryOutOfResources, match="cannot be written: No such file"):
            spool.create()
        os.mkdir(spool.folder)


def test_many_threads_share_one_bound(tmp_path: Path) -> None:
    def fill(_: int) -> bool:
        file = spool.create()
        try:
            for _ in range(10):
                file.write(b"x" * 10)
        except XDSRepositoryOutOfResources:
            return False
        documents.append(file.finish())
        return True

    documents: list[Staged] = []
    with Spool(tmp_path, limit=1000) as spool, ThreadPoolExecutor(8) as pool:
        kept = sum(pool.map(fill, range(40)))
        assert kept <= 10
        assert len(os.listdir(spool.folder)) == kept


@pytest.mark.proves("SEC-T-004")
def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    if (pid := os.fork()) == 0:
        killed = Spool(tmp_path)
        killed.create().write(b"12345678")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    (left,) = tmp_path.iterdir()
    with Spool(tmp_path) as living:
        file = living.create()
        file.write(b"12345678")
        sweep(tmp_path)
        assert not left.exists()
        with closing(file.finish().open()) as reader:
            assert reader.read(10) == b"12345678"
    assert os.listdir(tmp_path) == []


def test_what_is_no_spool_of_somebody_dead_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "xdsi-spool-starting").mkdir()
    (tmp_path / "xdsi-spool-starting" / "lock").touch()
    (tmp_path / "elsewhere" / "documents").mkdir(parents=True)
    (tmp_path / "elsewhere" / "lock").touch()
    (tmp_path / "xdsi-spool-link").symlink_to("elsewhere")
    before = sorted(tmp_path.rglob("*"))
    sweep(tmp_path)
    sweep(tmp_path / "nowhere")
    assert sorted(tmp_path.rglob("*")) == before
