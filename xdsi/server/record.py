"""Exchanges kept for a tester: what was sent, what was answered, why.

One file per exchange, readable as text, with a capped total size; the oldest go first. It holds
patient data: folder 0700, files 0600, off by default.

    xdsi exchange 1
    {"ticket": ..., "parts": [...], "findings": [...], "sections": [["request head", 312], ...]}
    === request head
    ...

Line 2 is JSON; it tells of each section its name and its length in octets, in order. A section
starts behind its title line and ends with a line end that does not count.
"""

import errno
import json
import os
import re
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from xdsi.config import Server
from xdsi.model.errors import one_line
from xdsi.model.messages import Staged
from xdsi.server import log
from xdsi.server.exchange import MLLP, Exchange, Header, Part
from xdsi.standard import namespaces as ns
from xdsi.wire import mtom
from xdsi.wire.media import Packaging

MAGIC = b"xdsi exchange 1\n"
KEPT = 1024 * 1024  # octets; bigger documents are listed with size and hash only
KEPT_TOGETHER = 8 * KEPT  # octets of the documents of one exchange; the others are listed
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[A-Za-z0-9-]+-[0-9a-f]{32}\.txt")
_REQUEST_HEAD, _REQUEST, _ANSWER = "request head", "request envelope", "answer envelope"
_PART = "part "


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exchange read back.

    facts: line 2 without the sections
    parts: content of the documents that were small enough to be kept, by Content-ID
    """

    facts: dict[str, Any]
    head: bytes
    request: bytes
    answer: bytes
    parts: dict[str, bytes]


def parts(documents: Mapping[str, Staged], ticket: str) -> list[Part]:
    """Documents for the record, by Content-ID, with their content while they are small.

    May block. One that cannot be read is listed, and the log says so.
    """
    left, found = KEPT_TOGETHER, []
    for content_id, document in documents.items():
        content = None
        if document.size <= min(KEPT, left):
            try:
                with closing(document.open()) as reader:
                    content = b"".join(iter(lambda: reader.read(KEPT), b""))
                left -= len(content)
            except OSError as error:
                _not_recorded(ticket, error)
        found.append(Part(content_id, document.size, document.sha1, content))
    return found


def check(folder: Path) -> None:
    """Raises OSError when a folder that exists cannot hold records, which are private."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is no folder")
    if mode & 0o077:
        command = f"chmod 700 {quote(str(folder))}"
        raise PermissionError(
            errno.EPERM, f"is open to other users; give another folder, or run: {command}"
        )


class Recorder:
    """Writes exchanges into a folder. `keep` may be called from any thread.

    most: octets of all records together; each process counts its own
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._lock = threading.Lock()
        check(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # what others have put there is not ours to count or remove
        found = sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name))
        self._files = deque((path, path.stat().st_size) for path in found)
        self._total = sum(size for _, size in self._files)

    @classmethod
    def of(cls, server: Server) -> "Recorder | None":
        """The recorder that the configuration asks for. Raises OSError."""
        if server.record is None:
            return None
        return cls(server.record, server.record_bytes // max(1, server.workers))

    def keep(self, exchange: Exchange) -> None:
        """Write one exchange; the oldest make room for it. What fails is logged."""
        sections = [
            (_REQUEST_HEAD, _head(exchange)),
            (_REQUEST, exchange.request),
            *(
                (_PART + each.content_id, each.content)
                for each in exchange.parts
                if each.content is not None
            ),
            (_ANSWER, b"".join(exchange.answer)),
        ]
        facts = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "ticket": exchange.ticket,
            "transaction": exchange.transaction,
            "peer": exchange.peer,
            "http": exchange.http,
            "status": exchange.outcome,
            "packaging": exchange.packaging.name,
            "parts": [
                {"content_id": each.content_id, "size": each.size, "sha1": each.sha1}
                for each in exchange.parts
            ],
            "findings": exchange.findings,
        }
        data = _written(facts, sections)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._folder / f"{stamp}-{exchange.transaction or 'none'}-{exchange.ticket}.txt"
        try:
            with self._lock:
                self._make_room(len(data))
                # under another name until it is whole, since testers watch the folder
                partial = path.with_suffix(".part")
                descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                try:
                    with os.fdopen(descriptor, "wb") as file:
                        file.write(data)
                    partial.rename(path)
                except OSError:
                    partial.unlink(missing_ok=True)
                    raise
                self._files.append((path, len(data)))
                self._total += len(data)
        except OSError as error:
            _not_recorded(exchange.ticket, error)

    def _make_room(self, size: int) -> None:
        while self._files and self._total + size > self._most:
            path, gone = self._files.popleft()
            self._total -= gone
            path.unlink(missing_ok=True)


def _not_recorded(ticket: str, error: OSError) -> None:
    log.event("not recorded", ticket=ticket, problem=error.strerror or type(error).__name__)


def load(path: Path) -> Recorded:
    """Read a recorded exchange back. Raises ValueError when the file is none, OSError."""
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise ValueError(f"{path}: not a recorded exchange")
    line, _, rest = data[len(MAGIC) :].partition(b"\n")
    facts = json.loads(line)
    found: dict[str, bytes] = {}
    for name, size in facts.pop("sections"):
        _, _, rest = rest.partition(b"\n")
        found[name], rest = rest[:size], rest[size + 1 :]
        if len(found[name]) != size:
            raise ValueError(f"{path}: section {name!r} is cut short")
    parts = {
        name.removeprefix(_PART): content
        for name, content in found.items()
        if name.startswith(_PART)
    }
    return Recorded(facts, found[_REQUEST_HEAD], found[_REQUEST], found[_ANSWER], parts)


def message(recorded: Recorded) -> tuple[str, bytes]:
    """Content-Type and body that send a recorded request again, in the packaging it had.

    The envelope is the one that came; documents that stood in it stand there again, others go as
    attachments under the Content-IDs they had.
    Raises ValueError when there is no envelope, or a document was too big to be kept.
    """
    if not recorded.head:
        raise ValueError("a message of the HL7 v2 feed is sent again by an MLLP client, not here")
    if not recorded.request:
        raise ValueError("nothing to send: the request was refused before its envelope was whole")
    listed = [part["content_id"] for part in recorded.facts["parts"]]
    if missing := [content_id for content_id in listed if content_id not in recorded.parts]:
        raise ValueError(
            f"document {missing[0]} was not kept: only documents up to {KEPT} octets are, "
            f"and {KEPT_TOGETHER} of one exchange"
        )
    if recorded.facts["packaging"] == Packaging.SIMPLE.name:
        return _content_type(recorded.head), _inlined(recorded.request, recorded.parts)
    frame = mtom.Frame.new()
    pieces = [frame.root_head(), recorded.request]
    for content_id in listed:
        pieces += (frame.part_head(content_id), recorded.parts[content_id])
    return frame.content_type_header(), b"".join((*pieces, frame.end()))


def _inlined(envelope: bytes, parts: Mapping[str, bytes]) -> bytes:
    """The envelope with its documents back in their places, in the encoding it has."""
    for content_id, content in parts.items():
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            place = mtom.include(content_id).encode(codec)
            if place in envelope:
                text = b64encode(content).decode("ascii")
                envelope = envelope.replace(place, text.encode(codec))
                break
    return envelope


def _content_type(head: bytes) -> str:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.strip().decode("latin-1")
    return f"{ns.SOAP_MEDIA_TYPE}; charset=UTF-8"


def _written(facts: dict[str, Any], sections: Sequence[tuple[str, bytes]]) -> bytes:
    listed = {**facts, "sections": [(name, len(content)) for name, content in sections]}
    lines = [MAGIC, json.dumps(listed, ensure_ascii=False).encode(), b"\n"]
    for name, content in sections:
        lines += (f"=== {one_line(name)}\n".encode(), content, b"\n")
    return b"".join(lines)


def _head(exchange: Exchange) -> bytes:
    if exchange.method == MLLP:
        return b""  # a message of the feed has none
    headers: tuple[Header, ...] = exchange.head
    first = f"{exchange.method} {exchange.path} HTTP/1.1\r\n".encode()
    return first + b"".join(name + b": " + value + b"\r\n" for name, value in headers)
