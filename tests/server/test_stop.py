"""Starting, stopping, several processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.server import dialect
from tests.server.dialect import include, mtom_type, multipart, part, request, root


@pytest.mark.proves("SEC-T-019")
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_in_flight_is_finished(make_node, workers):
    node = make_node(server={"workers": workers})
    message = dialect.provide_message([include("doc@x")])
    upload = request(
        "/repository",
        multipart(root(message.envelope), part(bytes(900_000), "<doc@x>")),
        mtom_type(),
    )
    download = multipart(root(dialect.retrieve_message("slow:3000000:0.05")))
    with node.connect() as query, node.connect() as sending, node.connect() as receiving:
        query.send(request("/registry", dialect.query_message("slow:1")))
        sending.send(upload[:500_000])
        receiving.send(request("/repository", download, mtom_type()))
        assert receiving.head()[0] == 200
        time.sleep(0.3)
        node.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
            node.get("/health/live")
        assert query.receive().outcome == "Success"
        sending.send(upload[500_000:])
        assert sending.receive().outcome == "Success"
        while receiving._more():
            pass
        assert receiving.buffer.endswith(b"--\r\n")
    assert node.process.wait(10) == 0
    assert node.published(message.names[0]) == bytes(900_000)
    assert node.staged == []


@pytest.mark.proves("SEC-T-019")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_node_stops_at_once(make_node, number):
    node = make_node()
    with node.connect() as idle:
        idle.send(request("/registry", dialect.query_message()))
        assert idle.receive().outcome == "Success"
        before = time.monotonic()
        assert node.stop(number) == 0
        assert time.monotonic() - before < 5


@pytest.mark.proves("SEC-T-019")
def test_drain_time_ends(make_node):
    node = make_node(limits={"drain_seconds": 0.5})
    with node.connect() as connection, node.connect() as half:
        connection.send(request("/registry", dialect.query_message("slow:30")))
        half.send(b"POST /registry HT")
        time.sleep(0.3)
        before = time.monotonic()
        assert node.stop() == 0
        assert time.monotonic() - before < 5


@pytest.mark.proves("SEC-T-019")
def test_handler_whose_caller_has_gone_is_waited_for_no_longer_than_that(make_node):
    node = make_node(limits={"drain_seconds": 0.5})
    with node.connect() as connection:
        connection.send(request("/registry", dialect.query_message("slow:30")))
        time.sleep(0.3)
    before = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - before < 5


@pytest.mark.proves("SEC-T-020")
def test_worker_that_dies_is_replaced(make_node):
    node = make_node(server={"workers": 2})

    def workers():
        return Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()

    first = workers()
    assert len(first) == 2
    with node.connect() as connection:
        connection.send(request("/registry", dialect.query_message("slow:1")))
        time.sleep(0.3)
        busy, other = (int(pid) for pid in first)
        # Whichever holds the slow request, one of both goes on.
        os.kill(busy, signal.SIGKILL)
        before = time.monotonic()
        assert dialect.wait_for(lambda: len(set(workers()) - {str(busy)}) == 2, 2)
        for _ in range(10):
            assert node.post("/registry", dialect.query_message()).outcome == "Success"
        assert time.monotonic() - before < 2
        assert str(other) in workers()
    assert any(line["event"] == "worker died" for line in node.log)
    assert node.stop() == 0


def test_workers_end_with_the_first_process(make_node):
    node = make_node(server={"workers": 2})
    children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
    node.process.kill()
    node.process.wait()

    def all_gone():
        return not any(Path(f"/proc/{pid}").exists() for pid in children)

    assert dialect.wait_for(all_gone, 10)


REFUSAL = """
import json, sys
from pathlib import Path
from xdsi.config import Limits, Server
from xdsi.server import CannotServe, serve
options = json.loads(sys.argv[1])
for name in ("certificate", "key", "client_ca"):
    if name in options:
        options[name] = Path(options[name])
try:
    serve(lambda: (), Server(**options), Limits(), on_ready=print)
except CannotServe as error:
    print(error)
    sys.exit(3)
"""


def refusal(root, **options):
    import json

    done = subprocess.run(
        [sys.executable, "-c", REFUSAL, json.dumps(options)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_port_that_is_taken(root):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = refusal(root, port=taken.getsockname()[1])
    assert "cannot listen on 127.0.0.1:" in told


def test_two_nodes_never_share_a_port(node, root):
    assert "cannot listen" in refusal(root, port=int(node.address.rpartition(":")[2]))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_are_not_served_without_tls(root, host):
    assert "no TLS" in refusal(root, host=host, port=0)
    told = refusal(root, host=host, port=0, certificate="cert.pem", key="key.pem")
    assert "no client_ca" in told


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_certificate_that_is_none(root, tmp_path, content):
    path = tmp_path / "cert.pem"
    path.write_text(content)
    assert "server.certificate" in refusal(root, port=0, certificate=str(path), key=str(path))


def test_address_that_is_not_ours(root):
    told = refusal(root, host="192.0.2.1", port=0, proxies=["127.0.0.1"])
    assert "192.0.2.1" in told
