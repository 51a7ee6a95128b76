"""docker/nginx.conf, run as it is but for paths and ports, before a small stand-in for the node."""

import http.client
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from urllib.parse import quote, unquote

import pytest
import requests

from tests.actors.gateway.test_countries import find
from tests.node import change, fresh_patient, init, serving
from xdsi.peers.caller import Caller
from xdsi.peers.errors import BrokenAnswer
from xdsi.peers.session import Tls, open_session
from xdsi.plug import Call
from xdsi.standard import urns
from xdsi.standard.transactions import CROSS_GATEWAY_QUERY

pytestmark = pytest.mark.needs("nginx", "openssl")

SUITES = (
    "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)


@dataclass
class Node:
    """What the stand-in saw, and what holds its answer back."""

    requests: Queue[http.client.HTTPMessage] = field(default_factory=Queue)
    octets: Queue[bytes] = field(default_factory=Queue)
    go_on: Event = field(default_factory=Event)


class Handler(BaseHTTPRequestHandler):
    """Reports each request; a POST octet by octet, a GET of /slow answered in two halves."""

    protocol_version = "HTTP/1.1"
    node: Node

    def do_GET(self) -> None:
        self.node.requests.put(self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"1")
        self.wfile.flush()
        if self.path == "/slow":
            self.node.go_on.wait(10)
        self.wfile.write(b"2")

    def do_POST(self) -> None:
        self.node.requests.put(self.headers)
        for _ in range(int(self.headers["Content-Length"])):
            self.node.octets.put(self.rfile.read(1))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the default writes to stderr."""


@dataclass(frozen=True)
class Proxy:
    port: int
    pki: Path
    node: Node

    def context(self, certificate: str | None = "client") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.pem"))
        if certificate:
            context.load_cert_chain(
                self.pki / f"{certificate}.pem", self.pki / f"{certificate}.key"
            )
        return context

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        context = context or self.context()
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def configuration(root: Path, folder: Path, pki: Path, port: int, node: int) -> Path:
    """The shipped file with the container's names replaced by this machine's."""
    text = (root / "docker" / "nginx.conf").read_text()
    for name, here in {
        " /tmp/": f" {folder}/",
        "/etc/nginx/tls/": f"{folder}/tls/",
        "listen 8443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server node:8080": f"server 127.0.0.1:{node}",
    }.items():
        assert name in text
        text = text.replace(name, here)
    tls = folder / "tls"
    tls.mkdir()
    shutil.copy(root / "docker" / "ffdhe3072.pem", tls)
    shutil.copy(pki / "server.pem", tls)
    shutil.copy(pki / "server.key", tls)
    shutil.copy(pki / "ca.pem", tls / "partners.pem")
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


def nginx(file: Path, *options: str) -> list[str]:
    return ["nginx", "-e", "stderr", "-p", str(file.parent), "-c", str(file), *options]


def test_nginx_accepts_the_file(root: Path, pki: Path, tmp_path: Path) -> None:
    command = nginx(configuration(root, tmp_path, pki, free_port(), free_port()), "-t")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@contextmanager
def before(node: int, root: Path, folder: Path, pki: Path) -> Iterator[int]:
    """The proxy before the node at that port; its own port."""
    port = free_port()
    file = configuration(root, folder, pki, port, node)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(nginx(file, "-g", "daemon off;"), stderr=log)
    try:
        for _ in range(100):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def running(
    root: Path, pki: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, type[Handler]]]:
    handler = type("ThisHandler", (Handler,), {"node": Node()})
    behind = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=behind.serve_forever, daemon=True)
    thread.start()
    folder = tmp_path_factory.mktemp("nginx")
    try:
        with before(behind.server_port, root, folder, pki) as port:
            yield port, handler
    finally:
        behind.shutdown()
        behind.server_close()
        thread.join(10)


@pytest.fixture
def proxy(running: tuple[int, type[Handler]], pki: Path) -> Iterator[Proxy]:
    port, handler = running
    handler.node = Node()
    yield Proxy(port, pki, handler.node)
    handler.node.go_on.set()


@pytest.mark.proves("SEC-015")
@pytest.mark.parametrize(
    "name",
    ["X-Client-Verify", "X-Client-Certificate", "x-client-certificate", "X_Client_Certificate"],
)
def test_certificate_headers_are_the_proxys_own(proxy: Proxy, name: str) -> None:
    connection = proxy.connect()
    connection.request("GET", "/", headers={name: "forged"})
    assert connection.getresponse().read() == b"12"
    connection.close()
    seen = proxy.node.requests.get(timeout=10)
    assert "forged" not in seen.values()
    assert seen.get_all("X-Client-Verify") == ["SUCCESS"]
    (certificate,) = seen.get_all("X-Client-Certificate", [])
    assert unquote(certificate) == (proxy.pki / "client.pem").read_text()


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
def test_no_word_of_a_client_about_its_address_comes_through(proxy: Proxy, name: str) -> None:
    connection = proxy.connect()
    connection.request("GET", "/", headers={name: "192.0.2.1"})
    connection.getresponse().read()
    connection.close()
    assert "192.0.2.1" not in proxy.node.requests.get(timeout=10).values()


@pytest.mark.parametrize("certificate", [None, "stranger"])
def test_nobody_comes_in_without_a_partners_certificate(
    proxy: Proxy, certificate: str | None
) -> None:
    if certificate:
        # Signed by itself, with the name of a partner.
        subject = ("-subj", "/O=xdsi development/CN=Partner")
        files = ("-keyout", "stranger.key", "-out", "stranger.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files],
            cwd=proxy.pki,
            capture_output=True,
            timeout=60,
            check=True,
        )
    connection = proxy.connect(proxy.context(certificate))
    connection.request("GET", "/")
    assert connection.getresponse().status == 400
    connection.close()
    assert proxy.node.requests.empty()


@pytest.mark.proves("SEC-004")
@pytest.mark.parametrize("suite", SUITES)
def test_suite_of_the_tls_floor_option_is_offered(proxy: Proxy, suite: str) -> None:
    context = proxy.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    connection = proxy.connect(context)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"12"
    assert connection.sock.cipher()[0] == suite
    connection.close()


@pytest.mark.proves("SEC-003")
@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
def test_tls_1_2_is_the_floor(proxy: Proxy, version: str) -> None:
    # openssl itself, since Python warns of the old protocol; level 0 lets it try.
    protocol = (f"-tls{version.replace('.', '_')}", "-cipher", "ALL:@SECLEVEL=0")
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", *protocol],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    agreed = "Cipher is (NONE)" not in done.stdout and "Cipher is " in done.stdout
    assert agreed == (version != "1.1"), done.stdout + done.stderr


def test_a_body_reaches_the_node_while_it_is_still_sent(proxy: Proxy) -> None:
    connection = proxy.connect()
    connection.putrequest("POST", "/repository")
    connection.putheader("Content-Length", "2")
    connection.endheaders()
    connection.send(b"1")
    assert proxy.node.octets.get(timeout=10) == b"1"
    connection.send(b"2")
    assert proxy.node.octets.get(timeout=10) == b"2"
    assert connection.getresponse().status == 204
    connection.close()


def test_an_answer_reaches_the_client_while_it_is_still_made(proxy: Proxy) -> None:
    connection = proxy.connect()
    connection.request("GET", "/slow")
    answer = connection.getresponse()
    assert answer.read(1) == b"1"
    proxy.node.go_on.set()
    assert answer.read() == b"2"
    connection.close()


def test_metrics_are_not_for_partners(proxy: Proxy) -> None:
    connection = proxy.connect()
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 404
    connection.close()
    assert proxy.node.requests.empty()


@pytest.mark.proves("SEC-015", "SEC-T-164")
def test_a_real_node_behind_it_serves_partners_alone(root: Path, pki: Path, tmp_path: Path) -> None:
    config = change(init(tmp_path / "node"), proxies='["127.0.0.1"]')
    with config.open("a") as file:
        file.write(
            f"""[gateway]
home_community_id = "2.999.50"
[[gateway.partners]]
name = "North"
home_community_id = "2.999.51"
query = "https://north.example/"
client_ca = "{pki / "ca.pem"}"
client_subject = "CN=Partner,O=xdsi development"
"""
        )
    folder = tmp_path / "nginx"
    folder.mkdir()
    request = find(fresh_patient())
    with (
        serving(config) as node,
        before(int(node.base.rpartition(":")[2]), root, folder, pki) as port,
    ):
        address = f"https://localhost:{port}/gateway/responding"
        for name, is_served in (("client", True), ("server", False)):
            tls = Tls(pki / "ca.pem", pki / f"{name}.pem", pki / f"{name}.key")
            with open_session(tls) as session:
                gateway = Caller(CROSS_GATEWAY_QUERY, address, session)
                if is_served:
                    assert gateway(request, Call.internal()).status == urns.SUCCESS
                else:  # of the same authority, and another subject
                    with pytest.raises(BrokenAnswer, match="HTTP 403"):
                        gateway(request, Call.internal())
        # past the proxy nobody is heard, whatever it says of itself
        certificate = quote((pki / "client.pem").read_text())
        forged = {"X-Client-Certificate": certificate, "X-Client-Verify": "FAILED"}
        for headers in ({}, forged):
            answer = requests.post(f"{node.base}/gateway/responding", b"", headers=headers)
            assert answer.status_code == 403
        # all else is served as before
        answer = requests.get(f"{node.base}/registry?wsdl")
        assert answer.status_code == 200
        asked = node.requests("ITI-38")
        assert [each["partner"] for each in asked] == ["North"]
        why = [each["why"] for each in node.log if each["event"] == "stranger"]
        assert len(why) == 3 and "CN=localhost" in why[0]
