"""The floor of ITI-18: FindDocuments with lxml, the DB-API and a join, and nothing else.

It checks nothing, knows one query and answers what the real one answers.

    python -m bench.floor_query DATABASE     the same as an ASGI application on the same server
"""

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any
from uuid import uuid4

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from lxml import etree

from xdsi.config import Limits
from xdsi.model.objects import DocumentEntry
from xdsi.standard import namespaces as ns
from xdsi.standard import urns
from xdsi.standard.namespaces import tag
from xdsi.standard.transactions import STORED_QUERY
from xdsi.wire import ebrim, soap

_SLOT, _VALUE = tag(ns.RIM, "Slot"), tag(ns.RIM, "Value")
_MESSAGE_ID = tag(ns.WSA, "MessageID")
_STATEMENT = """
SELECT fragment.start, fragment.body
FROM object JOIN fragment ON fragment.object = object.id
WHERE object.patient = (SELECT id FROM patient WHERE cx = ? AND state = 1)
AND object.kind = 1 AND object.status = 1 AND object.is_on_demand = 0
ORDER BY object.id LIMIT 5001
"""
_A, _B, _C = "(A)", "(B)", "(C)"  # stand for values in ready texts
_HEAD = (
    soap.open_envelope(action=STORED_QUERY.answer_action, message_id=_A, relates_to=_B)
    + (
        f'<query:AdhocQueryResponse xmlns:query="{ns.QUERY}" xmlns:rim="{ns.RIM}" '
        f'status="{urns.SUCCESS}"><rim:RegistryObjectList>'
    ).encode()
)
_TAIL = b"</rim:RegistryObjectList></query:AdhocQueryResponse>" + soap.CLOSE_ENVELOPE
_CONTENT_TYPE = (b"content-type", f"{ns.SOAP_MEDIA_TYPE}; charset=UTF-8".encode())


def _split(text: bytes, *values: str) -> tuple[bytes, ...]:
    """The pieces of a text around the values, which occur in this order."""
    pieces = []
    for value in values:
        before, _, text = text.partition(value.encode())
        pieces.append(before)
    return (*pieces, text)


_HEAD_1, _HEAD_2, _HEAD_3 = _split(_HEAD, _A, _B)
# what follows the patient, with which the stored body of an entry ends
_END = _split(ebrim.patient_identifier(DocumentEntry, "", _C, ""), _C)[1] + ebrim.end_tag(
    DocumentEntry
)


def opened(path: str) -> sqlite3.Connection:
    """A connection for one thread."""
    return sqlite3.connect(path, isolation_level=None)


def find_documents(envelope: bytes, database: sqlite3.Connection) -> bytes:
    """The answer to an ITI-18 envelope with FindDocuments."""
    root = etree.fromstring(envelope)
    slots = {slot.get("name"): slot.findtext(f".//{_VALUE}") for slot in root.iter(_SLOT)}
    message_id = next(root.iter(_MESSAGE_ID)).text or ""
    patient = (slots["$XDSDocumentEntryPatientId"] or "").strip("'")
    shown = patient.replace("&", "&amp;").encode()
    pieces = [_HEAD_1, uuid4().urn.encode(), _HEAD_2, message_id.encode(), _HEAD_3]
    for start, body in database.execute(_STATEMENT, (patient,)).fetchall():
        pieces += start, body, shown, _END
    pieces.append(_TAIL)
    return b"".join(pieces)


class Floor:
    """`find_documents` as an ASGI application, in a pool of as many threads as the node has."""

    def __init__(self, path: str) -> None:
        self._path, self._kept = path, local()
        self._threads = ThreadPoolExecutor(Limits().threads)

    def _answer(self, envelope: bytes) -> bytes:
        if not hasattr(self._kept, "database"):
            self._kept.database = opened(self._path)
        return find_documents(envelope, self._kept.database)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        chunks = []
        while True:
            message = await receive()
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(self._threads, self._answer, b"".join(chunks))
        length = (b"content-length", str(len(body)).encode())
        headers = [_CONTENT_TYPE, length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def serve(path: Path, port: int) -> None:
    """Serve until the process is ended."""
    server = Server(
        Floor(str(path)),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(max_buffer_size=128 * 1024),
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    await asyncio.sleep(0.3)
    print(port, flush=True)
    await serving


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), _free_port()))
