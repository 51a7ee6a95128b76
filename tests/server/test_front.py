"""Who may call: decided by the address of the peer, so the application is asked directly."""

import asyncio
from pathlib import Path

import pytest

from tests.server import dialect, node
from xdsi.config import Limits, Server
from xdsi.server.app import application


def status(app, peer, path="/registry", method="POST"):
    body = dialect.query_message()
    headers = {"host": "x", "content-type": dialect.SIMPLE, "content-length": str(len(body))}
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "client": (peer, 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.proves("SEC-T-164")
@pytest.mark.parametrize(
    ("peer", "mutual", "expected"),
    [
        ("127.0.0.1", False, 200),
        ("::1", False, 200),
        ("::ffff:127.0.0.1", False, 200),
        ("10.0.0.5", False, 200),
        ("::ffff:10.0.0.5", False, 200),
        ("10.0.0.6", False, 403),
        ("2001:db8::1", False, 403),
        ("", False, 403),
        ("10.0.0.6", True, 200),
    ],
)
def test_without_certificates_only_this_machine_and_the_proxies_are_served(
    tmp_path, peer, mutual, expected
):
    settings = Server(proxies=("10.0.0.5",), client_ca=Path("ca.pem") if mutual else None)
    app = application(node.actors(tmp_path), settings, Limits())
    assert status(app, peer) == expected
    assert status(app, peer, "/health/live", "GET") == 200
    app.rest()
