"""Services in plain HTTP: from path, query and body to the handler of a resource, and back.

A request takes the way of a SOAP request: the same checks, slots, threads and staging; only what
is read and written differs. Documents in the body are split as they come.
Source: RFC 3986 2.1, 3.3; RFC 9110; DICOM PS3.18 8; SEC-T-163.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import unquote_to_bytes

from xdsi.config import Limits
from xdsi.model.web import WebAnswer, WebRequest
from xdsi.plug import Actor, Call, Resource
from xdsi.server import answer, front
from xdsi.server.documents import Documents
from xdsi.server.exchange import Exchange, Reply
from xdsi.server.faults import HttpError
from xdsi.server.front import Head
from xdsi.standard import namespaces as ns
from xdsi.wire import media, mime
from xdsi.wire.mime import MimeLimits, PartData, PartStart

Table = tuple[tuple[Actor, Resource], ...]

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")


def table(actors: Sequence[Actor]) -> Table:
    """The resources of all actors, the longest path first."""
    found = [(actor, resource) for actor in actors for resource in actor.resources]
    return tuple(sorted(found, key=lambda each: -len(each[1].path)))


def find(resources: Table, path: str) -> tuple[Actor, Resource] | None:
    """What is served at a path as sent."""
    return next((each for each in resources if f"{path}/".startswith(f"{each[1].path}/")), None)


class Intake:
    """One request as worker threads take it in; they use it as they do `receive.Intake`.

    held: nothing of a body stays in memory
    """

    held = 0

    def __init__(
        self, actor: Actor, resource: Resource, head: Head, limits: Limits, exchange: Exchange
    ) -> None:
        """Raises HttpError, SoapFault and WebError before a body is read."""
        if head.method not in resource.methods:
            allowed = ", ".join(resource.methods)
            raise HttpError(405, f"here work {allowed}", (b"allow", allowed.encode()))
        self._request, self._exchange = _request(head, resource.path), exchange
        self._route = resource.route(self._request)
        exchange.transaction = self._route.transaction
        kind = front.check_documents(head, actor, limits)
        self._documents = Documents(actor, limits)
        self._left = self._most = front.largest(actor, media.Packaging.MTOM, limits)
        self._parts = 0
        self._scanner: mime.Scanner | None = None
        if kind is not None and kind.type == ns.MULTIPART_RELATED:
            bounds = MimeLimits(limits.parts, limits.part_header_block, limits.part_headers)
            self._scanner = mime.Scanner(media.boundary(kind), bounds)

    def feed(self, chunks: Iterable[bytes]) -> bool:
        """Take the next chunks; true when nothing that may follow can change the answer.

        Raises HttpError and SoapFault.
        """
        for chunk in filter(None, chunks):
            # Whatever it is: blanks in base64 and what follows the last part lead to no event.
            self._left -= len(chunk)
            if self._left < 0:
                raise HttpError(413, f"the body is above the limit of {self._most} octets")
            if self._scanner is not None:
                self._take(self._scanner.feed(chunk))
            else:
                if not self._parts:
                    self._start()
                self._documents.write(chunk)
        return self._documents.refusal is not None

    def finish(self, call: Call) -> Reply:
        """The answer. Raises HttpError, SoapFault, WebError and whatever is no finding."""
        documents = self._documents
        if documents.refusal is None:
            if self._scanner is not None:
                self._take(self._scanner.close())
            else:
                documents.end()
        if documents.refusal is not None:
            raise documents.refusal
        request = replace(self._request, documents=tuple(documents.parts.values()))
        return self._answered(request, call)

    def _answered(self, request: WebRequest, call: Call) -> Reply:
        reply = _reply(self._route.handler(request, call), self._exchange)
        if isinstance(reply.body, bytes):
            return reply
        return replace(reply, again=partial(self._answered, request, call))

    def discard(self) -> None:
        """Release staging and whatever is open. Never raises."""
        self._documents.discard()

    def _take(self, events: Iterable[mime.Event]) -> None:
        for event in events:
            if isinstance(event, PartData):
                self._documents.write(event.data)
            elif isinstance(event, PartStart):
                self._start()
            else:
                self._documents.end()

    def _start(self) -> None:
        self._parts += 1
        self._documents.start(f"part {self._parts}")


def _request(head: Head, path: str) -> WebRequest:
    segments = tuple(_text(each) for each in head.path[len(path) + 1 :].split("/"))
    if segments == ("",) and head.path == path:
        segments = ()
    if any(each in ("", ".", "..") or "/" in each or "\\" in each for each in segments):
        raise HttpError(400, "a segment of the path is empty, of dots or has a slash in it")
    query = []
    for pair in filter(None, head.query.split("&")):
        name, _, value = pair.replace("+", " ").partition("=")
        query.append((_text(name), _text(value)))
    headers = {name.decode("latin-1"): ", ".join(values) for name, values in head.values.items()}
    return WebRequest(head.method, segments, tuple(query), headers)


def _text(value: str) -> str:
    """Percent-decoded once. Raises HttpError 400 for what is no text."""
    try:
        text = unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise HttpError(400, "the address has octets that are no UTF-8") from None
    if _BROKEN_ESCAPE.search(value) or _CONTROL.search(text):
        raise HttpError(400, "the address has a broken percent-escape or a control character")
    return text


def _reply(made: WebAnswer, exchange: Exchange) -> Reply:
    exchange.ids = made.ids
    if made.status >= 300:
        exchange.outcome = "Failure"
    else:
        exchange.outcome = "PartialSuccess" if made.status in (202, 206) else "Success"
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in made.headers]
    if made.media_type:
        headers.insert(0, (b"content-type", made.media_type.encode("latin-1")))
    reply = answer.in_pieces(made.status, tuple(headers), made.body)
    if made.status == 204:
        return replace(reply, size=None)  # no length is told then (RFC 9110 8.6)
    return replace(reply, body=b"") if exchange.method == "HEAD" else reply
