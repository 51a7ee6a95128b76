"""One structured line per request on stderr, and one for each thing nobody expected.

Values of clients are escaped (JSON keeps a line a line; control and direction characters become
visible) and cut; bodies and demographics never appear (SEC-T-059).
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from xdsi.model.discovery import DiscoveryRequest
from xdsi.model.errors import one_line
from xdsi.model.identity import IdentityMessage
from xdsi.model.imaging import ImagingRequest, InstanceRequest, RenderedRequest
from xdsi.model.messages import (
    ProvideRequest,
    QueryRequest,
    RemoveRequest,
    RetrieveRequest,
    Submission,
)
from xdsi.server.exchange import Exchange

LONGEST = 256  # characters of one value
_IDS = 20  # of one request

_writing = threading.Lock()
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def ids_of(request: Any) -> tuple[str, ...]:
    """The unique ids a request is about."""
    found: Iterator[str]
    match request:
        case Submission():
            sets = (each.unique_id for each in request.submission_sets)
            entries = (each.unique_id for each in request.entries)
            folders = (each.unique_id for each in request.folders)
            found = (str(each) for each in (*sets, *entries, *folders) if each is not None)
        case ProvideRequest():
            return ids_of(request.submission)
        case QueryRequest():
            found = (each for each in (request.query_id,))
        case RetrieveRequest():
            found = (each.document_unique_id for each in request.documents)
        case ImagingRequest():
            found = _imaging(request.instances)
        case RenderedRequest():
            found = _imaging([each.instance for each in request.instances])
        case RemoveRequest():
            found = (each for each in request.ids)
        case IdentityMessage() | DiscoveryRequest():
            own = request.wrapper.id
            found = (each for each in (own.extension or own.root,) if each)
        case _:
            return ()
    return tuple(each for each, _ in zip(found, range(_IDS), strict=False))


def _imaging(instances: Sequence[InstanceRequest]) -> Iterator[str]:
    """Studies first: all of them are told before any instance is."""
    yield from dict.fromkeys(each.study_instance_uid for each in instances)
    yield from (each.document.document_unique_id for each in instances)


def request_line(exchange: Exchange) -> None:
    """The line of a finished request."""
    _write(
        {
            "event": "request",
            "ticket": exchange.ticket,
            "transaction": exchange.transaction or None,
            "peer": exchange.peer,
            "partner": exchange.partner,
            "method": exchange.method,
            "path": exchange.path,
            "http": exchange.http,
            "status": exchange.outcome,
            "codes": exchange.codes,
            "ids": exchange.ids,
            "bytes_in": exchange.bytes_in,
            "bytes_out": exchange.bytes_out,
            "ms": round(exchange.milliseconds, 1),
        }
    )


def incident(exchange: Exchange) -> None:
    """The exception that is being handled, with its traceback, under the ticket."""
    _write(
        {
            "event": "incident",
            "ticket": exchange.ticket,
            "transaction": exchange.transaction or None,
        },
        traceback=traceback.format_exc().splitlines(),
    )


def event(name: str, **values: str | int | float) -> None:
    """Anything else worth a line, e.g. that the server stops."""
    _write({"event": name, **values})


class _Lines(logging.Handler):
    """What modules say through `logging`, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        uncut = {}
        if record.exc_info:
            uncut["traceback"] = "".join(traceback.format_exception(*record.exc_info)).splitlines()
        values = {
            "event": "log",
            "logger": record.name,
            "level": record.levelname,
            "message": record.getMessage(),
        }
        _write(values, **uncut)


def install() -> None:
    """Send what is logged through `logging` the same way; call it once per process."""
    root = logging.getLogger()
    if not any(isinstance(each, _Lines) for each in root.handlers):
        root.addHandler(_Lines())
    logging.getLogger("xdsi").setLevel(logging.INFO)


def _write(values: dict[str, Any], **uncut: Any) -> None:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, **{name: _safe(value) for name, value in values.items()}, **uncut}
    text = _encode(line)
    with _writing:
        sys.stderr.write(text + "\n")  # buffered by line, so this is one write


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        cut = value if len(value) <= LONGEST else value[:LONGEST] + "…"
        return cut if cut.isprintable() else one_line(cut)
    if isinstance(value, tuple):
        return [_safe(each) for each in value]
    return value
