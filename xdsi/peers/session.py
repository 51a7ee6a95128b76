"""Connections to partners: kept open, TLS with our certificate, nothing followed or inherited.

A socket that stands still ends the exchange, and so does one that drips: every single read and
write asks the `Patience` of its exchange how long it may take.
Source: SEC-001 to SEC-012, SEC-T-032, SEC-T-048, SEC-T-166; design.md section 4.
"""

import io
import select
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from http.cookiejar import DefaultCookiePolicy
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from xdsi.model.errors import GivenUp

BUFFER = 64 * 1024  # bytes taken from a socket at once
LOOK_UP = 0.5  # seconds after which a caller that has gone is noticed
IDLE = 4.0  # seconds; servers close idle connections after 5 and more


@dataclass(frozen=True, slots=True)
class Tls:
    """Who is trusted and who we are, PEM files.

    ca: the only authorities trusted; None: those of the system
    certificate, key: shown to the partner; None: none, which partners normally refuse
    check_host: the certificate must name the host; off only where `ca` is pinned to the partner
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    check_host: bool = True

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or higher, certificates always verified. Raises OSError, ssl.SSLError."""
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.check_host
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class Patience:
    """How long one exchange may go on; all times in seconds of the monotonic clock.

    until: when it must be over
    pause: longest time without any progress
    grace, rate: after `grace` at least `rate` bytes per second on average while `moving`
    cancelled: true once nobody waits for the answer
    line: the answer, below the layers that requests and urllib3 put around it
    """

    line: HTTPResponse

    def __init__(
        self,
        until: float,
        pause: float,
        *,
        grace: float = inf,
        rate: float = 0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.until, self.pause = until, pause
        self._grace, self._rate, self._cancelled = grace, rate, cancelled
        self._since, self._bytes, self._is_moving = monotonic(), 0, True

    def waiting(self) -> None:
        """The request is out. Its documents may have taken long; the answer's head may not."""
        self.until = min(self.until, monotonic() + self.pause)
        self._is_moving = False

    def moving(self) -> None:
        """The answer's documents arrive: no total time any more, but a rate."""
        self.until = inf
        self._since, self._bytes, self._is_moving = monotonic(), 0, True

    def seconds(self) -> float:
        """For the next step. Raises TimeoutError when there is no time left for one."""
        now = monotonic()
        if self._cancelled():
            raise GivenUp("given up, since the caller has gone")
        if now >= self.until:
            raise TimeoutError("the time for it is over")
        spent = now - self._since
        if self._is_moving and spent > self._grace and self._bytes < self._rate * spent:
            raise TimeoutError(f"below {self._rate:g} bytes per second")
        return min(self.pause, self.until - now)

    def moved(self, count: int | None) -> None:
        """Bytes of the body went over the line."""
        self._bytes += count or 0

    def rested(self, seconds: float) -> None:
        """That long we did not want anything: no fault of the partner."""
        self._since += seconds


# of the exchange this thread is in; requests passes nothing of ours down to the socket
_current: ContextVar[Patience] = ContextVar("patience")


class _Patient(io.RawIOBase):
    """The reading side of a socket, each read as long as the patience allows."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock, self._patience = raw, sock, _current.get()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """What is there is taken at once: to ask first costs as much as to take it.

        Each way into the system lets go of the interpreter, which others then take.
        """
        until = monotonic() + self._patience.seconds()
        if self._sock.gettimeout() != 0:
            self._sock.settimeout(0)
        while True:
            try:
                count: int = self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(until)
            else:
                self._patience.moved(count)
                return count

    def _wait(self, until: float) -> None:
        """For more, looking up now and then whether anybody still waits for it."""
        if (left := until - monotonic()) <= 0:
            raise TimeoutError("timed out")
        self._poll.poll(min(left, self._patience.seconds(), LOOK_UP) * 1000)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Patient(raw, sock), BUFFER)
        _current.get().line = self


class CutOff(OSError):
    """An answer did not come to its end; the exception inside says why (`errors.reason`)."""


class Body:
    """The body of an answer, read past requests and urllib3. Reading raises CutOff.

    To go through their layers takes a tenth of the time of a thread that passes blocks on.
    """

    def __init__(self, response: requests.Response, patience: Patience) -> None:
        self._response, self._line = response, patience.line

    def read(self, n: int, /) -> bytes:
        """n octets, fewer at the end, b"" behind it."""
        return self._taken(self._line.read, n)

    def read1(self, n: int, /) -> bytes:
        """As `read`, with fewer where no more are there yet."""
        return self._taken(self._line.read1, n)

    def _taken(self, read: Callable[[int], bytes], n: int) -> bytes:
        try:
            block = read(n)
            if not block or self._line.length == 0 or self._line.isclosed():
                self._end()
        except (HTTPException, OSError) as error:
            self._response.close()
            raise CutOff(error) from error
        return block

    def _end(self) -> None:
        """Let the connection be used again."""
        if self._line.length:
            raise IncompleteRead(b"", self._line.length)
        self._line.close()
        self._response.raw.release_conn()


def _send(connection: "_Connection | _SecureConnection", data: Any) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(_current.get().seconds())
    HTTPConnection.send(connection, data)
    connection.used = monotonic()


def _is_connected(connection: "_Connection | _SecureConnection") -> bool:
    """Good for another request. A partner that closes idle connections might be about to."""
    is_fresh = monotonic() - connection.used < IDLE
    return is_fresh and bool(HTTPConnection.is_connected.__get__(connection))


class _Connection(HTTPConnection):
    response_class = _Response
    used = 0.0
    send = _send
    is_connected = property(_is_connected)


class _SecureConnection(HTTPSConnection):
    response_class = _Response
    used = 0.0
    send = _send
    is_connected = property(_is_connected)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def __init__(self, tls: Tls, connections: int) -> None:
        self._tls = tls
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = self._tls.context()
        super().init_poolmanager(
            *args,
            **kwargs,
            ssl_context=context,
            assert_hostname=None if self._tls.check_host else False,
        )
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def open_session(tls: Tls = Tls(), connections: int = 32) -> requests.Session:
    """Connections kept for any number of callers and threads; close it at the end.

    connections: how many are kept open to one partner; more are opened when needed
    Raises OSError or ssl.SSLError for certificate files that cannot be used.
    """
    session = requests.Session()
    session.trust_env = False  # no proxies, no .netrc, no CA from the environment
    session.verify = True if tls.ca is None else str(tls.ca)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.clear()
    session.adapters.clear()
    adapter = _Adapter(tls, connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def post(
    session: requests.Session,
    address: str,
    body: Any,
    headers: dict[str, str],
    patience: Patience,
    connect: float,
) -> requests.Response:
    """One POST; comes back with the head of the answer, the rest still on the socket.

    body: bytes, or an iterable of bytes, with `__len__` if its length is known
    connect: seconds for the connection to stand
    Raises TimeoutError before anything is sent when no time is left, requests.RequestException
    when the partner does not answer.
    """
    return _exchange(session, "POST", address, body, headers, patience, connect)


def get(
    session: requests.Session,
    address: str,
    headers: dict[str, str],
    patience: Patience,
    connect: float,
) -> requests.Response:
    """One GET, as `post`."""
    patience.waiting()
    return _exchange(session, "GET", address, None, headers, patience, connect)


def _exchange(
    session: requests.Session,
    method: str,
    address: str,
    body: Any,
    headers: dict[str, str],
    patience: Patience,
    connect: float,
) -> requests.Response:
    timeout = (min(connect, patience.seconds()), patience.seconds())
    token = _current.set(patience)
    try:
        return session.request(
            method,
            address,
            data=body,
            headers=headers,
            timeout=timeout,
            stream=True,
            allow_redirects=False,
        )
    finally:
        _current.reset(token)
