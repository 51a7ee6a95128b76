"""Plain HTTP passed on to another service: the same path, its answer while it comes.

Only what the reader of an answer needs is passed on; redirects are never followed, and the address
is that of the configuration alone.
Source: IMG-172, IMG-175; SEC-T-166.
"""

import weakref
from dataclasses import dataclass
from time import monotonic
from urllib.parse import quote, urlencode

import requests

from xdsi.model.messages import Content
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.peers.errors import reason
from xdsi.peers.session import Body, CutOff, Patience
from xdsi.peers.web import Web
from xdsi.plug import ArchiveError, Call

_CHUNK = 256 * 1024
# statuses that say something of what was asked for; any other is a fault of the service
_TOLD = frozenset((200, 206, 400, 404, 406, 410, 416, 429, 503))
_PASSED_ON = ("warning", "retry-after")


@dataclass(frozen=True, slots=True)
class Forward:
    """web: the service"""

    web: Web

    def __call__(self, request: WebRequest, call: Call) -> WebAnswer:
        """Its answer. Raises WebError 502 or 504 where it gives none."""
        path = "".join(f"/{quote(each, safe=',')}" for each in request.segments)
        if request.query:
            path += f"?{urlencode(request.query)}"
        patience = self.web.streaming(call)
        accept = request.headers.get("accept", "*/*")
        try:
            answer = self.web.ask(path, accept, patience)
        except ArchiveError as error:
            raise WebError(504, f"the service behind it does not answer: {error}") from error
        return self._passed_on(answer, patience)

    def _passed_on(self, answer: requests.Response, patience: Patience) -> WebAnswer:
        status, given = answer.status_code, answer.headers
        length = given.get("Content-Length")
        problem = ""
        if status not in _TOLD:
            problem = f"HTTP {status}"
        elif given.get("Content-Encoding", "identity").lower() != "identity":
            problem = "a packed answer, though none was asked for"
        elif length is None and not answer.raw.chunked:
            problem = "an answer that does not say how long it is"
        if problem:
            answer.close()
            raise WebError(502, f"the service behind it sent {problem}")
        passed = tuple((name, given[name]) for name in _PASSED_ON if name in given)
        size = int(length) if length is not None and length.isdigit() else None
        stream = _Stream(answer, patience)
        return WebAnswer(
            status,
            given.get("Content-Type", ""),
            (Content(size, lambda: stream),),
            passed,
        )


class _Stream:
    """The body of an answer; the line is let go with it."""

    def __init__(self, answer: requests.Response, patience: Patience) -> None:
        self._answer, self._body = answer, Body(answer, patience)
        self._patience, self._stopped = patience, monotonic()
        weakref.finalize(self, answer.close)

    def read(self, n: int, /) -> bytes:
        self._patience.rested(monotonic() - self._stopped)
        try:
            return self._body.read1(min(n, _CHUNK))
        except CutOff as error:
            raise OSError(f"the answer broke off: {reason(error)}") from error
        finally:
            self._stopped = monotonic()

    def close(self) -> None:
        self._answer.close()
