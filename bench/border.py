"""Both sides of a border: gateways as processes, and communities that answer with ready bytes.

python -m bench.border serve FILE               the node of a configuration, until SIGTERM
python -m bench.border answer MILLISECONDS      communities by path: POST /1 and so on
"""

import asyncio
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from bench import samples
from xdsi import app
from xdsi.config import load
from xdsi.model.messages import QueryAnswer
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import HomeCommunityId
from xdsi.plug import UNREAD_QUERY
from xdsi.standard import urns
from xdsi.standard.transactions import CROSS_GATEWAY_QUERY
from xdsi.wire import soap

HOME = "2.999.7000"  # of this community; those that answer are below it
ENTRIES = 20
COMMUNITIES = 32


def home(number: int) -> str:
    """OID of a community that answers."""
    return f"{HOME}.{number}"


def answer(number: int) -> bytes:
    """ITI-38 with twenty entries, about 110 KB."""
    at = HomeCommunityId(urns.OID_PREFIX + home(number))
    entries = [_entry(number, at) for _ in range(ENTRIES)]
    body = UNREAD_QUERY.write_answer(QueryAnswer(tuple(entries)))
    head = soap.open_envelope(action=CROSS_GATEWAY_QUERY.answer_action, message_id="urn:x:1")
    pieces = (head, *body, soap.CLOSE_ENVELOPE)
    text = b"".join(each for each in pieces if isinstance(each, bytes))
    kind = b"application/soap+xml; charset=UTF-8"
    http = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(text))
    return http + text


def _entry(number: int, at: HomeCommunityId) -> DocumentEntry:
    entry = samples.received(samples.document_entry(samples.patient(number)))
    return replace(entry, home=at, status=urns.APPROVED)


async def _answering(seconds: float) -> None:
    ready = {number: answer(number) for number in range(1, COMMUNITIES + 1)}

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                number = int(head.split(b" ", 2)[1].strip(b"/"))
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                await asyncio.sleep(seconds)
                writer.write(ready[number])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def _ready(addresses: dict[str, str]) -> None:
    print(addresses["health"].rpartition("/health")[0], flush=True)


if __name__ == "__main__":
    os.umask(0o077)
    if sys.argv[1] == "serve":
        settings = load(Path(sys.argv[2]))
        app.migrate(settings)
        app.serve(settings, _ready)
    else:
        asyncio.run(_answering(float(sys.argv[2]) / 1000))
