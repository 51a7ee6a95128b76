"""What can become of a call besides an answer, and what lies behind it.

None of these says that the partner did nothing: without an answer the outcome is unknown.
"""

import ssl
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import urllib3.exceptions

from xdsi.model.errors import one_line
from xdsi.wire.soap import ReceivedFault


class PeerError(Exception):
    """The partner gave no answer of the transaction.

    address: where it was asked; for logs, not for other partners
    problem: what happened, in one line, without address
    """

    def __init__(self, address: str, problem: str) -> None:
        self.address, self.problem = address, one_line(problem)
        super().__init__(f"{address}: {self.problem}")


class Unreachable(PeerError):
    """No connection, or the connection ended or fell silent before the answer was whole."""


class BrokenAnswer(PeerError):
    """Something came back that is no answer of this transaction: HTML, garbage, too much."""


class Faulted(PeerError):
    """The partner answered with a SOAP fault; `fault` has its code, subcodes and reason."""

    def __init__(self, address: str, fault: ReceivedFault) -> None:
        super().__init__(address, f"SOAP fault {fault}")
        self.fault = fault


def is_stale(error: BaseException) -> bool:
    """The connection was closed before a byte of an answer came."""
    closed = (RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return any(isinstance(inner, closed) for inner in _chain(error))


def is_unconnected(error: BaseException) -> bool:
    """No connection ever stood: whatever else is asked there will fare no better."""
    closed = (urllib3.exceptions.ConnectTimeoutError, ssl.SSLError)  # a refused one is the former
    return any(isinstance(inner, closed) for inner in _chain(error))


def reason(error: BaseException) -> str:
    """What went wrong at the bottom of a chain of wrapped exceptions, without addresses."""
    for inner in _chain(error):
        match inner:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not accepted: {inner.verify_message}"
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return "it closed the connection in TLS; does it ask for a client certificate?"
            case ssl.SSLError(reason="TLSV13_ALERT_CERTIFICATE_REQUIRED"):
                return "it asks for a client certificate"
            case ssl.SSLError():
                return f"TLS failed: {inner.reason or inner.strerror}"
            case urllib3.exceptions.NewConnectionError():
                continue  # an OSError inside says why; it only looks like a time-out
            case urllib3.exceptions.ConnectTimeoutError():
                return "no connection in time"
            case TimeoutError() if "handshake" in str(inner):
                return "its TLS handshake took too long"
            case TimeoutError():
                # over TLS: "The read operation timed out"
                return "it stood still" if str(inner).endswith("timed out") else str(inner)
            case RemoteDisconnected():
                return "it closed the connection without an answer"
            case OSError(strerror=str(text)):
                return text
            case urllib3.exceptions.IncompleteRead() | IncompleteRead():
                return "the answer ended early"
            case urllib3.exceptions.ProtocolError() if "prematurely" in str(inner):
                return "the answer ended early"
            case HTTPException():
                return f"it does not speak HTTP ({type(inner).__name__})"
    return type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions inside an exception, innermost last; ours and theirs hide them variously."""
    while error is not None:
        yield error
        inside = getattr(error, "reason", None)
        if not isinstance(inside, BaseException):
            inside = next((a for a in error.args if isinstance(a, BaseException)), None)
        error = inside or error.__cause__ or error.__context__
