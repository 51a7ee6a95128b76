"""GET at a web service of ours: what comes back is a good answer or an ArchiveError.

Connections are kept, nothing is followed, nothing is unpacked, and every body has an end.
Source: SEC-T-032, SEC-T-048, SEC-T-166, SEC-T-167; DICOM PS3.18 8.5 (status codes).
"""

from base64 import b64encode
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests

from xdsi.config import Limits
from xdsi.model.errors import one_line
from xdsi.peers.caller import Pace
from xdsi.peers.errors import is_stale, is_unconnected, reason
from xdsi.peers.session import Body, CutOff, Patience, get
from xdsi.plug import ArchiveBusy, ArchiveError, Call

_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_NOTHING = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class NotThere(ArchiveError):
    """The archive says that it has no such thing."""


class NotConnected(ArchiveError):
    """No connection to the archive can be made."""


class NotAcceptable(ArchiveError):
    """The archive cannot send it in a form that was asked for."""


@dataclass(frozen=True, slots=True)
class Login:
    """Basic authentication. password_file: read anew for each request, so it can be changed."""

    user: str
    password_file: Path

    def header(self) -> str:
        """Raises ArchiveError when the file cannot be read."""
        try:
            password = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ArchiveError(f"its password cannot be read: {one_line(str(error))}") from error
        return "Basic " + b64encode(f"{self.user}:{password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Web:
    """A web service.

    base: http or https URL from the configuration, without user and query
    session: from `open_session`
    """

    base: str
    session: requests.Session
    login: Login | None = None
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        url = urlsplit(self.base)
        is_plain = url.hostname and not ("@" in url.netloc or url.query or url.fragment)
        if url.scheme not in ("http", "https") or not is_plain:
            raise ValueError(f"{self.base} is no http or https address of a service")

    def answering(self, call: Call) -> Patience:
        """For an answer that the caller waits for."""
        return Patience(call.deadline, self.pace.pause, cancelled=call.cancelled)

    def streaming(self, call: Call) -> Patience:
        """For one that may take any time once it comes, as long as it moves (SEC-T-048)."""
        return Patience(
            call.deadline,
            self.pace.pause,
            grace=self.limits.body_grace,
            rate=self.limits.body_rate,
            cancelled=call.cancelled,
        )

    def get(self, path: str, accept: str, patience: Patience) -> requests.Response:
        """The head of a good answer, its body still on the line; the caller closes it.

        path: below `base`, with its query, made of safe characters alone
        Raises NotThere for 404 and 410, NotAcceptable for 406, ArchiveBusy for 429 and 503, else
        ArchiveError.
        """
        answer = self.ask(path, accept, patience)
        try:
            _check(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def ask(self, path: str, accept: str, patience: Patience) -> requests.Response:
        """As `get`, whatever its status.

        Raises NotConnected when there is no connection, else ArchiveError when there is no answer.
        """
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "xdsi"}
        if self.login is not None:
            headers["Authorization"] = self.login.header()
        try:
            return self._ask(f"{self.base.rstrip('/')}{path}", headers, patience)
        except TimeoutError as error:
            raise ArchiveError(str(error)) from None
        except requests.RequestException as error:
            kind = NotConnected if is_unconnected(error) else ArchiveError
            raise kind(reason(error)) from error

    def _ask(self, url: str, headers: dict[str, str], patience: Patience) -> requests.Response:
        try:
            return get(self.session, url, headers, patience, self.pace.connect)
        except requests.ConnectionError as error:
            if not is_stale(error):
                raise
            return get(self.session, url, headers, patience, self.pace.connect)


def take(body: Body, size: int) -> bytes:
    """The next piece of an answer, b"" behind it. Raises ArchiveError when it is cut off."""
    try:
        return body.read(size)
    except CutOff as error:
        raise ArchiveError(reason(error)) from error


def _check(answer: requests.Response) -> None:
    status = answer.status_code
    if status in _NOTHING:
        raise NotThere(f"HTTP {status}")
    if status == HTTPStatus.NOT_ACCEPTABLE:
        raise NotAcceptable(f"HTTP {status}")
    if status in _BUSY:
        raise ArchiveBusy(f"HTTP {status}")
    if status in _REFUSED:
        raise ArchiveError(f"HTTP {status}; it does not let us in")
    if 300 <= status < 400:
        raise ArchiveError(f"HTTP {status}; redirects are never followed")
    if status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.PARTIAL_CONTENT):
        raise ArchiveError(f"HTTP {status}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ArchiveError("a packed answer, though none was asked for")
