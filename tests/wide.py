"""Two places far apart: two network namespaces, and a line between them with delay and loss.

The line is two tun devices and the process here, which passes packets from one to the other, all of
them late and some never; netem, which does that too, is not in every kernel. In each place
something may listen on 127.0.0.1:8080: that of `far` answers in `near` as FAR, and both answer
here by a unix socket. All of it ends when the pipe to it closes.

    python -m tests.wide near FOLDER SECONDS LOSS
    python -m tests.wide far FOLDER DESCRIPTOR
"""

import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from threading import Thread

import pytest

from tests.orthanc import ROOT, bring_up, relay, unix

PORT = 8080
_NEAR, _FAR = "10.99.0.1", "10.99.0.2"
FAR = f"http://{_FAR}:{PORT}"
_MTU = 1400
_WAITING = 500  # packets; more than that are lost, as on any line
_THIS = (sys.executable, "-m", "tests.wide")
_UNSHARE = ("unshare", "--net", "--fork", "--kill-child")

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCSIFADDR, _SIOCSIFDSTADDR, _SIOCSIFMTU = 0x8916, 0x8918, 0x8922


@dataclass(frozen=True)
class Wide:
    """Both places. enter: what stands before a command that is to run there"""

    line: subprocess.Popen[str]
    places: dict[str, int]
    folder: Path

    def enter(self, place: str) -> tuple[str, ...]:
        target = str(self.places[place])
        return ("nsenter", "--target", target, "--user", "--net", "--preserve-credentials")

    @contextmanager
    def address(self, place: str) -> Iterator[str]:
        """Where what listens there is reached from here."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            relay(listener, lambda: unix(self.folder / place))
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)

    def lose(self, share: float) -> None:
        """From now on so many packets of all."""
        assert self.line.stdin is not None and self.line.stdout is not None
        self.line.stdin.write(f"{share}\n")
        self.line.stdin.flush()
        assert self.line.stdout.readline() == "done\n"


@contextmanager
def wide(folder: Path, seconds: float, loss: float) -> Iterator[Wide]:
    """Skips the test where the machine allows no such places.

    seconds: that a packet is on its way; loss: share of those that never come
    """
    inside = ("unshare", "--map-root-user", *_UNSHARE[1:])
    with (folder / "line.log").open("w") as log:
        line = subprocess.Popen(
            [*inside, *_THIS, "near", str(folder), str(seconds), str(loss)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    assert line.stdin is not None and line.stdout is not None
    try:
        said = line.stdout.readline().split()
        if not said:
            why = (folder / "line.log").read_text().strip().splitlines()[-1:]
            pytest.skip(f"needs network namespaces and tun devices: {why}")
        yield Wide(line, {"near": int(said[0]), "far": int(said[1])}, folder)
    finally:
        line.stdin.close()
        line.wait(20)
        line.stdout.close()


# in the namespaces


def _tun(own: str, other: str) -> int:
    """A device whose only neighbour is the other; its descriptor gives and takes packets."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    name = b"wide"
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name, _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, address in ((_SIOCSIFADDR, own), (_SIOCSIFDSTADDR, other)):
            given = struct.pack("16sH2x4s16x", name, socket.AF_INET, socket.inet_aton(address))
            fcntl.ioctl(control, request, given)
        fcntl.ioctl(control, _SIOCSIFMTU, struct.pack("16si20x", name, _MTU))
    for each in (b"lo", name):
        bring_up(each)
    return fd


def _serve(folder: Path, place: str, *addresses: str) -> None:
    """What listens at 127.0.0.1 of this place is reached by the unix socket and the addresses."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / place))
    listeners = [listener, *(socket.create_server((each, PORT)) for each in addresses)]
    for each in listeners:
        relay(each, lambda: socket.create_connection(("127.0.0.1", PORT)))


def _copy(source: int, target: int) -> None:
    while packet := os.read(source, 65536):
        os.write(target, packet)


@dataclass
class _Line:
    """One direction or both. loss: share of packets that never come"""

    seconds: float
    loss: float

    def pass_on(self, source: int, target: int) -> None:
        waiting: Queue[tuple[float, bytes]] = Queue(_WAITING)
        Thread(target=self._deliver, args=(waiting, target), daemon=True).start()
        chance = random.Random(source)  # the same packets in each run, as far as packets are
        while packet := os.read(source, 65536):
            if chance.random() >= self.loss:
                try:
                    waiting.put_nowait((time.monotonic() + self.seconds, packet))
                except Full:
                    continue

    def _deliver(self, waiting: Queue[tuple[float, bytes]], target: int) -> None:
        while True:
            due, packet = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(target, packet)


def near(folder: Path, seconds: float, loss: float) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    device = _tun(_NEAR, _FAR)
    far_ = subprocess.Popen(
        [*_UNSHARE, *_THIS, "far", str(folder), str(there.fileno())],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=(there.fileno(),),
    )
    there.close()
    assert far_.stdout is not None
    line = _Line(seconds, loss)
    for source, target in ((device, here.fileno()), (here.fileno(), device)):
        Thread(target=line.pass_on, args=(source, target), daemon=True).start()
    _serve(folder, "near")
    print(os.getpid(), far_.stdout.readline().strip(), flush=True)
    for each in sys.stdin:
        line.loss = float(each)
        print("done", flush=True)
    far_.kill()  # it takes no notice of SIGTERM, and what it started ends with it
    far_.wait(10)


def far(folder: Path, descriptor: int) -> None:
    device = _tun(_FAR, _NEAR)
    Thread(target=_copy, args=(descriptor, device), daemon=True).start()
    _serve(folder, "far", _FAR)
    print(os.getpid(), flush=True)
    _copy(device, descriptor)


if __name__ == "__main__":
    if sys.argv[1] == "near":
        near(Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    else:
        far(Path(sys.argv[2]), int(sys.argv[3]))
