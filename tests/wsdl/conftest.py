"""Both schema sets, and the contracts as a server hands them out."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from xdsi import wsdl
from xdsi.standard import namespaces as ns

IMPORTS = {
    ns.LCM: "lcm.xsd",
    ns.QUERY: "query.xsd",
    ns.RS: "rs.xsd",
    ns.XDS: "xds-b.xsd",
    ns.RAD: "xdsi-b.xsd",
    ns.WADO_WS: "wado-ws.xsd",
}


@pytest.fixture(scope="session")
def official(shared: Path) -> etree.XMLSchema:
    """The published schemas in one."""
    return etree.XMLSchema(etree.parse(shared / "schema" / "xds-all.xsd"))


@pytest.fixture(scope="session")
def ours(root: Path) -> etree.XMLSchema:
    """Our schemas in one, read from their folder."""
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{name}"/>'
        for namespace, name in IMPORTS.items()
    )
    text = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        f'targetNamespace="urn:example:all">{imports}</xs:schema>'
    )
    return etree.XMLSchema(etree.fromstring(text, base_url=str(root / "wsdl" / "all.xsd")))


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """Base address of a server whose `/<contract>?wsdl` and `?xsd=NAME` give the contracts."""

    class Contracts(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            address = f"http://127.0.0.1:{self.server.server_address[1]}{url.path}"
            asked = parse_qs(url.query, keep_blank_values=True)
            body = (
                wsdl.document(url.path.removeprefix("/"), address)
                if "wsdl" in asked
                else wsdl.schema(asked.get("xsd", [""])[0], address)
            )
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Contracts)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join(5)
    server.server_close()
