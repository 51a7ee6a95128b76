"""The only place that turns exceptions into answers, and the only broad `except`.

Findings about content become the RegistryErrorList of the transaction with HTTP 200, a
`SoapFault` becomes a fault, anything else a Receiver fault that tells nothing but an incident id;
the log has the rest under that id (SEC-T-055 to SEC-T-058, WS-080 to WS-084).
"""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from xdsi.model.errors import (
    SoapFault,
    XDSError,
    XDSRepositoryBusy,
    XDSRepositoryOutOfResources,
    is_given_up,
    leaves,
    told,
)
from xdsi.model.identity import Acknowledgement
from xdsi.model.web import WebError
from xdsi.plug import CODECS, Call, Feed, Route
from xdsi.server import answer, log
from xdsi.server.exchange import Exchange, Reply
from xdsi.standard import hl7
from xdsi.wire import hl7v2
from xdsi.wire.body import Element, Parts
from xdsi.wire.hl7v2 import Header, Refused

Refusal = XDSError | ExceptionGroup[Exception]  # findings instead of a request


class HttpError(Exception):
    """A request refused below SOAP: status and one line for the caller (SEC-T-056)."""

    def __init__(self, status: int, reason: str, *headers: tuple[bytes, bytes]) -> None:
        self.status, self.reason, self.headers = status, reason, headers
        super().__init__(f"{status}: {reason}")


class Busy(HttpError):
    """Too much in flight (SEC-T-049)."""

    def __init__(self) -> None:
        super().__init__(
            503, "too many requests in flight; try again in a second", (b"retry-after", b"1")
        )


class NotRead(Exception):
    """The client does not read its answer, or has gone away."""


def read(route: Route, body: Element, parts: Parts) -> tuple[Any, Refusal | None]:
    """A request, or what is found instead of one. Raises SoapFault."""
    try:
        return CODECS[route.transaction.id].read_request(body, parts), None
    except (XDSError, ExceptionGroup) as error:
        return None, error


def answered(
    route: Route, request: Any, call: Call, exchange: Exchange, refusal: Refusal | None = None
) -> Any:
    """What the handler answers, or the Failure that its findings make.

    refusal: found while the request was received or read; the handler is not asked then
    Raises SoapFault, and whatever is no finding.
    """
    try:
        if refusal is not None:
            raise refusal
        exchange.ids = log.ids_of(request)
        outcome = route.handler(request, call)
    except (XDSError, ExceptionGroup) as error:
        outcome = CODECS[route.transaction.id].failure(_findings(error))
    for each in outcome.errors:  # raised or collected; before others take their place
        told(each)
    if route.located is not None and outcome.errors:
        outcome = replace(outcome, errors=tuple(map(route.located, outcome.errors)))
    _note(outcome, exchange)
    return outcome


def fed(
    feed: Feed, message: bytes, header: Header, exchange: Exchange, call: Call
) -> Acknowledgement | Refused:
    """What an HL7 v2 message is acknowledged with, whatever happens on the way (PIF-055)."""
    answer: Acknowledgement | Refused
    try:
        answer = _fed(feed, message, header, call)
    except Refused as error:
        answer = error.with_traceback(None)
    except Exception:  # noqa: BLE001 - the last resort of SEC-T-058
        log.incident(exchange)
        problem = f"internal error (incident {exchange.ticket})"
        answer = Refused(hl7.INTERNAL, problem, is_rejected=True)
    if isinstance(answer, Acknowledgement):
        _note(answer, exchange)
    else:
        note_refusal(answer, exchange)
    return answer


def note_refusal(answer: Refused, exchange: Exchange) -> None:
    """What log and record say of an HL7 v2 message that was not looked into."""
    exchange.outcome = "refused" if answer.is_rejected else "Failure"
    exchange.codes, exchange.findings = (str(answer.condition),), (str(answer),)


def _fed(feed: Feed, message: bytes, header: Header, call: Call) -> Acknowledgement:
    if not hl7v2.listed(feed.senders, header):
        problem = "MSH-3 and MSH-4 name no source of this registry"
        raise Refused(hl7.INTERNAL, problem, "MSH^1^3", is_rejected=True)
    event = hl7v2.event_from_er7(message, header)
    try:
        answer: Acknowledgement = feed.handler(event, call)
    except (XDSError, ExceptionGroup) as error:
        return Acknowledgement(tuple(map(told, _findings(error))))
    return answer


def _findings(error: Refusal) -> tuple[XDSError, ...]:
    """All findings in the order raised; what is none of them is raised instead."""
    found = []
    for each in leaves(error):
        if not isinstance(each, XDSError):
            raise each if isinstance(each, SoapFault) else error
        found.append(each)
    return tuple(found)


def _note(outcome: Any, exchange: Exchange) -> None:
    exchange.outcome = outcome.status.rpartition(":")[2]
    if outcome.errors:
        exchange.codes = tuple(dict.fromkeys(error.code for error in outcome.errors))
        exchange.findings = tuple(
            f"{error.code}: {error.context}" + (f" at {error.location}" if error.location else "")
            for error in outcome.errors
        )


async def settled(work: Awaitable[Reply], exchange: Exchange) -> Reply:
    """The reply, whatever happens on the way to it.

    Exceptions that end the process or the task pass through.
    """
    try:
        return await work
    except HttpError as error:
        exchange.outcome = "refused"
        return answer.text(error.status, error.reason, *error.headers)
    except WebError as error:
        return _failure(error, exchange)
    except SoapFault as error:
        return _fault(error, exchange)
    except XDSError as error:  # of plain HTTP: transactions have answered theirs
        return _failure(_web_error(error), exchange)
    except Exception:  # noqa: BLE001 - the last resort of SEC-T-058
        log.incident(exchange)
        return _fault(SoapFault("Receiver", "internal error"), exchange)


def _fault(error: SoapFault, exchange: Exchange) -> Reply:
    exchange.outcome, exchange.codes = "Fault", _codes(error)
    exchange.findings = (str(error),)
    try:
        if not exchange.is_plain:
            return answer.fault(error, exchange)
        return answer.text(error.status, f"{error.reason} (incident {exchange.ticket})")
    except Exception:  # noqa: BLE001 - as above
        log.incident(exchange)
        return answer.text(500, f"internal error (incident {exchange.ticket})")


def _failure(error: WebError, exchange: Exchange) -> Reply:
    exchange.outcome, exchange.findings = "Failure", (str(error),)
    headers = ((name.lower().encode(), value.encode()) for name, value in error.headers)
    return answer.text(error.status, error.reason, *headers)


def _web_error(error: XDSError) -> WebError:
    if error.rule == "SEC-T-040":
        return WebError(413, error.context)
    if isinstance(error, XDSRepositoryBusy | XDSRepositoryOutOfResources):
        return WebError(503, error.context, ("Retry-After", "60"))
    return WebError(500, error.context)


def _codes(error: SoapFault) -> tuple[str, ...]:
    return (error.code, *(code.rpartition("}")[2] for code in error.subcodes))


async def sent(work: Awaitable[None], exchange: Exchange) -> None:
    """Wait for an answer to be sent. What breaks off is never ended cleanly (SEC-T-029)."""
    try:
        await work
    except NotRead:
        exchange.outcome = "gone"
    except Exception as error:  # noqa: BLE001 - as above
        if is_given_up(error):
            exchange.outcome = "gone"
            return
        exchange.outcome = "cut"
        log.incident(exchange)
