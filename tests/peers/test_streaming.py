"""Documents go through a caller without being held: its memory does not know their size."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.stub import Act, Line, Stub, envelope, http
from tests.peers.test_caller import SUCCESS, include, retrieved
from xdsi.standard.transactions import PROVIDE_AND_REGISTER, RETRIEVE
from xdsi.wire import mtom

MIB = 1 << 20
GROWTH = 4 * MIB  # SEC-T-041, whatever the size of the document


def taking(line: Line) -> None:
    request = line.receive(keep=False)
    assert request is not None
    line.send(http(envelope(PROVIDE_AND_REGISTER, SUCCESS)))


def giving(size: int) -> Act:
    def act(line: Line) -> None:
        line.receive()
        frame = mtom.Frame.new()
        root = envelope(RETRIEVE, retrieved(include("a@x"), mime_type="application/dicom"))
        head = frame.root_head() + root + frame.part_head("a@x")
        total = len(head) + size + len(frame.end())
        kind = frame.content_type_header()
        line.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {total}\r\n\r\n".encode()
        )
        line.send(head)
        block = bytes(range(256)) * 4096
        for at in range(0, size, len(block)):
            line.send(block[: size - at])
        line.send(frame.end())

    return act


def peak(root: Path, *arguments: str) -> tuple[int, int, float]:
    """Octets of memory at most, octets moved, seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.peers.transfer", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    memory, octets, seconds = done.stdout.split()
    return int(memory) * 1024, int(octets), float(seconds)


@pytest.mark.proves("RET-063", "SEC-T-041")
def test_upload_from_a_file_needs_no_memory_for_it(root: Path, tmp_path: Path) -> None:
    peaks = []
    for size in (MIB, 200 * MIB):
        file = tmp_path / "document"
        with file.open("wb") as out:
            out.truncate(size)
        with Stub(taking) as stub:
            memory, moved, _ = peak(root, "up", str(file), stub.address)
        assert moved == size
        peaks.append(memory)
    assert peaks[1] - peaks[0] < GROWTH


@pytest.mark.proves("RET-063", "SEC-T-041")
def test_download_to_the_spool_needs_no_memory_for_it(root: Path, tmp_path: Path) -> None:
    peaks = []
    for size in (MIB, 200 * MIB):
        with Stub(giving(size)) as stub:
            memory, moved, _ = peak(root, "down", str(tmp_path), stub.address)
        assert moved == size
        peaks.append(memory)
    assert peaks[1] - peaks[0] < GROWTH
    assert list(tmp_path.iterdir()) == []
