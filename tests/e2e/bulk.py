"""Big documents up and down, made and checked on the way, and what they cost the server.

    python -m tests.e2e.bulk [MEGABYTES [AT_ONCE]]

starts a node, sends documents of that size attached and inline, retrieves them attached and
inline, and prints by how much VmHWM grew, in MiB, and how fast it went.
"""

import base64
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests import samples
from tests.e2e import nodes
from tests.e2e.nodes import Domain
from tests.server import dialect
from xdsi.model.values import Identifier
from xdsi.peers.session import open_session
from xdsi.standard import transactions

MIB = 1 << 20
# base64 of it has no rest, so that it may be repeated inline as well
BLOCK = os.urandom(768 * 1024)
BLOCK64 = base64.b64encode(BLOCK)
MARK = "0123456789"  # stands where the document comes

Way = Callable[[Domain, str, int], None]


@dataclass(frozen=True, slots=True)
class Whole:
    """A document of `blocks` times BLOCK."""

    blocks: int

    @property
    def size(self) -> int:
        return self.blocks * len(BLOCK)

    @property
    def sha1(self) -> str:
        return _sha1(self.blocks)


_known: dict[int, str] = {}


def _sha1(blocks: int) -> str:
    if blocks not in _known:
        digest = hashlib.sha1()
        for _ in range(blocks):
            digest.update(BLOCK)
        _known[blocks] = digest.hexdigest()
    return _known[blocks]


def _sent(domain: Domain, unique_id: str, blocks: int, *, inline: bool) -> None:
    request = samples.provide(b"", patient_id=samples.PATIENT, unique_id=Identifier(unique_id))
    content = MARK if inline else dialect.include("part0@test")
    message = nodes.envelope(
        transactions.PROVIDE_AND_REGISTER, nodes.provide_body(request, [content])
    )
    if inline:
        block, kind = BLOCK64, dialect.SIMPLE
        before, _, after = message.partition(MARK.encode())
    else:
        block, kind = BLOCK, dialect.mtom_type()
        packed = dialect.multipart(
            dialect.root(message), dialect.part(MARK.encode(), "<part0@test>")
        )
        before, _, after = packed.rpartition(MARK.encode())
    size = len(before) + blocks * len(block) + len(after)
    head = dialect.request("/repository", b"", kind, length=size)
    with dialect.Connection(domain.repository.address, 120) as connection:
        connection.send(head, before)
        for _ in range(blocks):
            connection.send(block)
        connection.send(after)
        answer = connection.receive()
    assert (answer.outcome, answer.errors) == ("Success", []), answer.body[:2000]


def send_attached(domain: Domain, unique_id: str, blocks: int) -> None:
    _sent(domain, unique_id, blocks, inline=False)


def send_inline(domain: Domain, unique_id: str, blocks: int) -> None:
    _sent(domain, unique_id, blocks, inline=True)


def _body(connection: dialect.Connection) -> Iterator[bytes]:
    """The body of an answer as it comes."""
    status, headers = connection.head()
    assert status == 200
    left = int(dict(headers)["content-length"])
    if connection.buffer:
        left -= len(connection.buffer)
        yield connection.buffer
    while left:
        data = connection.socket.recv(1 << 20)
        assert data, f"{left} octets are missing"
        left -= len(data)
        yield data


def _received(domain: Domain, unique_id: str, blocks: int, *, inline: bool) -> None:
    message = nodes.envelope(
        transactions.RETRIEVE, nodes.retrieve_body(domain.repository_id, unique_id)
    )
    kind = dialect.SIMPLE
    if not inline:
        message, kind = dialect.multipart(dialect.root(message)), dialect.mtom_type()
    # what stands in front of the document is small; what follows it even more
    first = BLOCK64[:64] if inline else BLOCK[:64]
    unit = len(BLOCK64 if inline else BLOCK)
    digest, left, rest = hashlib.sha1(), blocks * unit, b""
    with dialect.Connection(domain.repository.address, 120) as connection:
        connection.send(dialect.request("/repository", message, kind))
        head: bytes | None = b""
        for data in _body(connection):
            if head is not None:
                head += data
                at = head.find(first)
                if at < 0:
                    assert len(head) < 1 << 20, head[:2000]
                    continue
                data, head = head[at:], None
            data = data[:left]
            left -= len(data)
            if inline:
                rest += data
                whole = len(rest) // 4 * 4
                data, rest = base64.b64decode(rest[:whole]), rest[whole:]
            digest.update(data)
    assert left == 0
    assert digest.hexdigest() == _sha1(blocks)


def receive_attached(domain: Domain, unique_id: str, blocks: int) -> None:
    _received(domain, unique_id, blocks, inline=False)


def receive_inline(domain: Domain, unique_id: str, blocks: int) -> None:
    _received(domain, unique_id, blocks, inline=True)


WAYS: tuple[Way, ...] = (send_attached, send_inline, receive_attached, receive_inline)


@dataclass(frozen=True, slots=True)
class Cost:
    """way, seconds, and growth of VmHWM in octets since small documents went all ways."""

    way: str
    seconds: float
    growth: int


_WARM = 4


def measure(domain: Domain, blocks: int, at_once: int = 1) -> list[Cost]:
    """Send and retrieve documents of `blocks`, after small ones of one block.

    These go several times, so that threads and their heaps are there: not the first requests are
    looked at, but what the size of a document costs.
    """
    found: list[Cost] = []

    def go(way: Way, ids: list[str], size: int) -> None:
        with ThreadPoolExecutor(len(ids)) as pool:
            list(pool.map(lambda each: way(domain, each, size), ids))

    for size in (*[1] * _WARM, blocks):
        attached, inline = ([samples.new_oid() for _ in range(at_once)] for _ in range(2))
        quiet = domain.repository.peak
        for way in WAYS:
            ids = inline if way is send_inline else attached
            began = time.monotonic()
            go(way, ids, size)
            seconds = time.monotonic() - began
            if size != 1:
                found.append(Cost(way.__name__, seconds, domain.repository.peak - quiet))
    return found


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    at_once = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    blocks = megabytes * 1_000_000 // len(BLOCK)
    with tempfile.TemporaryDirectory() as made, open_session() as session:
        folder = Path(made)
        nodes.xdsi(
            "init", folder / "t", "--port", "8080", "--assigning-authority", samples.PATIENT_DOMAIN
        )
        node = nodes.Node(nodes.make(folder / "t", folder / "node")).start()
        try:
            for cost in measure(Domain(node, node, session), blocks, at_once):
                rate = megabytes * at_once / cost.seconds
                print(f"{cost.way:<17} {rate:6.0f} MB/s  VmHWM +{cost.growth / MIB:.1f} MiB")
        finally:
            node.end()


if __name__ == "__main__":
    main()
