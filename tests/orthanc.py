"""Orthanc with its DICOMweb plug-in, as a foreign archive for tests.

It listens on all interfaces whatever its settings say, so it runs in a network namespace of its
own, where there is nothing but its loopback. Bytes come and go by a unix socket between a relay in
there and one on 127.0.0.1 here. All of it ends when the pipe to it closes.
"""

import fcntl
import json
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, AF_UNIX, SHUT_RDWR, SHUT_WR, create_connection, socket
from threading import Thread

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
PORT = 8042
NAMESPACE = ("unshare", "--map-root-user", "--net", "--fork", "--kill-child")
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40


@dataclass(frozen=True)
class Orthanc:
    """A running one. base: http address without a path"""

    base: str

    @property
    def dicom_web(self) -> str:
        return f"{self.base}/dicom-web"

    def put(self, *files: bytes) -> None:
        """Store DICOM files; they are there when it returns."""
        for each in files:
            with urllib.request.urlopen(f"{self.base}/instances", each, 30) as answer:
                assert answer.status == 200


def has_namespaces() -> bool:
    """Whether a process may have a network of its own here."""
    return not subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One for the whole run; empty at its start."""
    if not has_namespaces():
        pytest.skip("needs a private network namespace, which unshare is refused here")
    folder = tmp_path_factory.mktemp("orthanc")
    inside = subprocess.Popen(
        [*NAMESPACE, sys.executable, "-m", "tests.orthanc", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert inside.stdin is not None and inside.stdout is not None
    listener = socket(AF_INET)
    try:
        said = inside.stdout.readline()
        assert said == "ready\n", (folder / "log").read_text()
        listener.bind(("127.0.0.1", 0))
        relay(listener, lambda: unix(folder / "socket"))
        yield Orthanc(f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        _end(listener)
        inside.stdin.close()
        inside.wait(20)
        inside.stdout.close()


def unix(path: Path) -> socket:
    """A connection to a unix socket."""
    made = socket(AF_UNIX)
    made.connect(str(path))
    return made


def bring_up(device: bytes) -> None:
    """A network device of the namespace this process is in."""
    with socket() as any_socket:
        flags = struct.pack("16sh14x", device, _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, flags)


def _end(sock: socket) -> None:
    with suppress(OSError):
        sock.shutdown(SHUT_RDWR)
    sock.close()


def relay(listener: socket, connect: Callable[[], socket]) -> None:
    """Pass every connection on to one made by `connect`, until the listener is closed."""
    listener.listen(64)

    def accepting() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = connect()
            except OSError:
                near.close()
                continue
            left = [near, far]
            for source, target in ((near, far), (far, near)):
                Thread(target=_pump, args=(source, target, left), daemon=True).start()

    Thread(target=accepting, daemon=True).start()


def _pump(source: socket, target: socket, left: list[socket]) -> None:
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    with suppress(OSError):
        while count := source.recv_into(buffer):
            target.sendall(view[:count])
    with suppress(OSError):
        target.shutdown(SHUT_WR)
    left.pop()
    if not left:  # the second of the two directions
        source.close()
        target.close()


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """In a namespace of its own: Orthanc with all it keeps in a folder; its process."""
    bring_up(b"lo")
    settings = {
        "Name": "TEST",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": PORT,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": False,
        "Plugins": [PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            ["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        while True:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/system"):
                break
            if server.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield server.pid
    finally:
        server.kill()  # nothing of it is kept
        server.wait(10)


def main(folder: Path) -> None:
    """In the namespace: Orthanc and a relay to it, until stdin ends."""
    with served(folder), socket(AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        relay(listener, lambda: create_connection(("127.0.0.1", PORT)))
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
