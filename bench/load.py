"""A load generator: so many connections, kept alive, each sending its next request when the last
answer is complete. A process of its own that imports next to nothing.

    python -m bench.load PORT CONNECTIONS FILE     FILE: pickled list of whole HTTP requests

Prints JSON: seconds for all of them, and the milliseconds of each.
"""

import asyncio
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

_BUFFER = 1 << 18
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Load:
    """What a run gave. milliseconds: of each request, in the order of the answers."""

    seconds: float
    milliseconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.milliseconds) / self.seconds


def load(port: int, connections: int, requests: Sequence[bytes], folder: Path) -> Load:
    """Send every request once. Raises RuntimeError when one is not answered with Success."""
    file = folder / "requests"
    file.write_bytes(pickle.dumps(list(requests)))
    command = [sys.executable, "-m", "bench.load", str(port), str(connections), str(file)]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, timeout=_SECONDS + 30
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-2000:])
    found = json.loads(done.stdout)
    return Load(found["seconds"], tuple(found["milliseconds"]))


class _Connection(asyncio.BufferedProtocol):
    """One connection; answers are counted, not kept."""

    def __init__(self, requests: Iterator[bytes], milliseconds: list[float]) -> None:
        self._requests, self._milliseconds = requests, milliseconds
        self._buffer = bytearray(_BUFFER)
        self._head = b""
        self._left = -1
        self._started = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def start(self) -> None:
        """Send the next request, or end."""
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self._head, self._left = b"", -1
        self._started = perf_counter()
        self._transport.write(request)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._left < 0:
            self._head += self._buffer[:nbytes]
            at = self._head.find(b"\r\n\r\n")
            # the status of the answer stands among its first octets
            if at < 0 or (len(self._head) - at < 1024 and b"Success" not in self._head):
                return
            self._begun(at)
        else:
            self._left -= nbytes
        if self._left == 0:
            self._milliseconds.append((perf_counter() - self._started) * 1000)
            self.start()

    def _begun(self, at: int) -> None:
        head = self._head[:at].lower()
        if not head.startswith(b"http/1.1 200") or b"Success" not in self._head:
            self._fail(self._head[:2000].decode("latin-1"))
            return
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        self._left = int(length) - (len(self._head) - at - 4)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed")

    def _fail(self, problem: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(problem))


async def _run(port: int, connections: int, requests: Sequence[bytes]) -> None:
    loop = asyncio.get_running_loop()
    waiting, milliseconds = iter(requests), list[float]()
    opened = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            lambda: _Connection(waiting, milliseconds), "127.0.0.1", port
        )
        opened.append(protocol)
    async with asyncio.timeout(_SECONDS):
        started = perf_counter()
        for each in opened:
            each.start()
        await asyncio.gather(*(each.done for each in opened))
        seconds = perf_counter() - started
    print(json.dumps({"seconds": seconds, "milliseconds": milliseconds}))


if __name__ == "__main__":
    asyncio.run(
        _run(int(sys.argv[1]), int(sys.argv[2]), pickle.loads(Path(sys.argv[3]).read_bytes()))
    )
