"""The imaging consumer against a node, through a connection that breaks off."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.actors.imaging import studies
from tests.actors.imaging.studies import new_uid
from tests.node import Node
from xdsi import app
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import Fetched, Missing, Wanted, remaining


@contextmanager
def cutting(port: int, octets: int) -> Iterator[int]:
    """A relay that ends each connection after so many octets of answers; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", port), 10) as far:
            near.settimeout(10)
            far.settimeout(10)
            Thread(target=upward, args=(near, far), daemon=True).start()
            left = octets
            with suppress(OSError):
                while left and (data := far.recv(min(left, 65536))):
                    near.sendall(data)
                    left -= len(data)
                near.shutdown(socket.SHUT_RDWR)

    def upward(near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(scope="module")
def instances(real_node: Node) -> dict[str, bytes]:
    """A series of twelve in the node's archive, by SOP Instance UID."""
    uid = new_uid()
    made = studies.study(uid, {f"{uid}1": 12})
    with app.image_store(real_node.settings) as store:
        studies.keep(store, *made.values())
    return made


def wanted(node: Node, instances: dict[str, bytes]) -> tuple[Wanted, ...]:
    section = node.settings.imaging
    assert section is not None
    ct = "1.2.840.10008.5.1.4.1.1.2"
    series = next(iter(instances)).rpartition(".")[0]
    return tuple(Wanted(series[:-1], series, uid, ct, section.unique_id) for uid in instances)


def held(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.glob("*/*.dcm")}


@pytest.mark.proves("UC-105", "IMG-087", "IMG-097")
def test_what_came_before_the_connection_broke_is_kept(
    real_node: Node, instances: dict[str, bytes], tmp_path: Path
) -> None:
    asked = wanted(real_node, instances)
    size = len(instances[asked[0].sop_instance_uid])
    port = int(real_node.base.rpartition(":")[2])
    with (
        cutting(port, size + size // 2) as broken,
        ImagingConsumer({asked[0].source: f"http://127.0.0.1:{broken}/imaging"}) as consumer,
    ):
        results = list(consumer.fetch(asked, tmp_path, streams=1))
    # of each request for four the first was whole
    assert sorted(map(type, results), key=str) == [Fetched] * 3 + [Missing] * 9
    kept = held(tmp_path)
    assert len(kept) == 3 and kept.items() <= instances.items()
    assert list(tmp_path.glob("xdsi-spool-*")) == []

    left = remaining(asked, tmp_path)
    assert len(left) == 9
    with ImagingConsumer({asked[0].source: f"{real_node.base}/imaging"}) as consumer:
        assert all(isinstance(each, Fetched) for each in consumer.fetch(left, tmp_path))
    assert held(tmp_path) == instances and remaining(asked, tmp_path) == ()


@pytest.mark.proves("UC-016", "UC-105")
def test_a_fetch_given_up_keeps_what_it_has(
    real_node: Node, instances: dict[str, bytes], tmp_path: Path
) -> None:
    asked = wanted(real_node, instances)
    with ImagingConsumer({asked[0].source: f"{real_node.base}/imaging"}) as consumer:
        results = consumer.fetch(asked, tmp_path, streams=1)
        with closing(results):
            first = next(results)
        assert isinstance(first, Fetched) and first.path.read_bytes() in instances.values()
    assert held(tmp_path).items() <= instances.items()
    assert list(tmp_path.glob("xdsi-spool-*")) == []
