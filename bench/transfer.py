"""Both ends of large transfers by hand: the sender and receiver that every arm shares, and the
floors they are measured against.

    python -m bench.transfer FOLDER FILE     the floor's server: receives into FOLDER, sends FILE

Where FILE is a folder all files below it are sent, one after the other in one answer.
"""

import hashlib
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from bench.measure import KIB, MIB
from bench.messages import Message

_BUFFER = MIB
_ALONE = 64 * KIB  # octets that are hashed faster than they are handed to a helper
_SECONDS = 600.0
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nSuccess"


class TransferFailed(Exception):
    """The other side did not answer as it should; the text shows how."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """How one went. seconds: until the answer was whole; first: until its first octet was there

    octets: of the answer's body, as it came over the line
    """

    seconds: float
    first: float
    octets: int


def exchange(port: int, message: Message) -> Exchanged:
    """Send a request and read its answer past.

    Raises TransferFailed unless the answer is whole and good.
    """
    started = perf_counter()
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
        for piece in message.pieces():
            connection.sendall(piece)
        connection.recv(1, socket.MSG_PEEK)
        first = perf_counter() - started
        head, body = head_and_body(connection)
        if not head.startswith(b"HTTP/1.1 200"):
            raise TransferFailed((head + body)[:2000].decode("latin-1"))
        start, got = _read_past(connection, head, body)
        seconds = perf_counter() - started
    if message.expects not in start:
        raise TransferFailed(start[:2000].decode("latin-1"))
    return Exchanged(seconds, first, got)


def _read_past(connection: socket.socket, head: bytes, body: bytearray) -> tuple[bytes, int]:
    """The first octets of a body, and how many it has."""
    start, got = bytes(body[:4096]), len(body)
    for block in rest_of(connection, head, body):
        if len(start) < 4096:
            start += block[:4096]
        got += len(block)
    return start, got


def rest_of(connection: socket.socket, head: bytes, body: bytearray) -> Iterator[memoryview]:
    """What is still to come of a body, each block good until the next one.

    body: what has come with the head
    Raises TransferFailed if it is cut off.
    """
    length, got = length_of(head), len(body)
    is_chunked = b"chunked" in head.lower()
    end = bytes(body[-len(_LAST_CHUNK) :])
    buffer = memoryview(bytearray(_BUFFER))
    while end != _LAST_CHUNK if length is None else got < length:
        count = connection.recv_into(buffer)
        if not count and length is None and not is_chunked:
            return  # it ends with the connection
        if not count:
            raise TransferFailed(f"cut after {got} octets")
        yield buffer[:count]
        got += count
        end = (end + buffer[max(0, count - len(_LAST_CHUNK)) : count])[-len(_LAST_CHUNK) :]


def head_and_body(connection: socket.socket) -> tuple[bytes, bytearray]:
    """The head of a message, and what has come of its body."""
    got = bytearray()
    while (at := got.find(b"\r\n\r\n")) < 0:
        data = connection.recv(65536)
        if not data:
            raise TransferFailed(f"closed after {len(got)} octets, before the head was whole")
        got += data
    return bytes(got[:at]), got[at + 4 :]


def length_of(head: bytes) -> int | None:
    """Octets of the body; None for one that is chunked."""
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return None


def files_below(folder: Path) -> list[Path]:
    """All files of a folder and those below it."""
    return sorted(each for each in folder.rglob("*") if each.is_file())


# The floors


def serve(folder: Path, file: Path) -> None:
    """One thread a connection, one request each; prints its port."""
    files = files_below(file) if file.is_dir() else [file]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_one, args=(connection, folder, files), daemon=True).start()


def _one(connection: socket.socket, folder: Path, files: Sequence[Path]) -> None:
    with connection:
        head, body = head_and_body(connection)
        path = head.split(b" ", 2)[1]
        if path == b"/sendfile":
            _send_file(connection, files[0])
        elif path == b"/read":
            _read_and_send(connection, files)
        elif path == b"/checked":
            _read_check_and_send(connection, files)
        else:
            _receive(connection, folder, body, length_of(head) or 0)


def _receive(connection: socket.socket, folder: Path, first: bytearray, length: int) -> None:
    """Write what comes; a helper hashes the block before, twice."""
    sha1, sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()

    def both(data: memoryview | bytearray) -> None:
        sha1.update(data)
        sha256.update(data)

    buffers = (memoryview(bytearray(_BUFFER)), memoryview(bytearray(_BUFFER)))
    behind: Future[None] | None = None
    with ThreadPoolExecutor(1) as helper, (folder / uuid4().hex).open("xb", buffering=0) as file:
        both(first)
        file.write(first)
        left, turn = length - len(first), 0
        while left:
            buffer = buffers[turn]
            count = connection.recv_into(buffer, min(left, _BUFFER), socket.MSG_WAITALL)
            if not count:
                return
            data = buffer[:count]
            if behind is not None:
                behind.result()
            behind = helper.submit(both, data)
            file.write(data)
            left, turn = left - count, 1 - turn
        if behind is not None:
            behind.result()
        os.fsync(file.fileno())
    sha1.hexdigest(), sha256.hexdigest()
    connection.sendall(_ANSWER)


def _answer_head(size: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {size + 7}\r\n\r\nSuccess".encode()


def _size(files: Iterable[Path]) -> int:
    return sum(each.stat().st_size for each in files)


def _read_and_send(connection: socket.socket, files: Sequence[Path]) -> None:
    """One after the other, as they are."""
    connection.sendall(_answer_head(_size(files)))
    buffer = memoryview(bytearray(_BUFFER))
    for path in files:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                connection.sendall(buffer[:count])


def _read_check_and_send(connection: socket.socket, files: Sequence[Path]) -> None:
    """Send a block while a helper hashes it; the last one of each leaves when its hash is known."""
    buffers = (memoryview(bytearray(_BUFFER)), memoryview(bytearray(_BUFFER)))
    connection.sendall(_answer_head(_size(files)))
    with ThreadPoolExecutor(1) as helper:
        for path in files:
            sha256 = hashlib.sha256()
            with path.open("rb", buffering=0) as file:
                left = os.fstat(file.fileno()).st_size
                if left <= _ALONE:
                    data = buffers[0][: file.readinto(buffers[0])]
                    sha256.update(data)
                    sha256.hexdigest()
                    connection.sendall(data)
                    continue
                behind: Future[None] | None = None
                turn = 0
                while left:
                    data = buffers[turn][: file.readinto(buffers[turn])]
                    if behind is not None:
                        behind.result()
                    behind = helper.submit(sha256.update, data)
                    left, turn = left - len(data), 1 - turn
                    if not left:
                        behind.result()
                        sha256.hexdigest()
                    connection.sendall(data)


def _send_file(connection: socket.socket, path: Path) -> None:
    with path.open("rb") as file:
        connection.sendall(_answer_head(os.fstat(file.fileno()).st_size))
        connection.sendfile(file)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
