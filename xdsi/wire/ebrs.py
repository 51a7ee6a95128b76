"""rs:RegistryResponse and the RegistryErrorList of every answer.

Source: ITI TF-3 4.2.4 (REG-140 to REG-146).
"""

from collections.abc import Iterable

from xdsi.model.errors import XDSError, XDSRegistryError, one_line, received
from xdsi.model.messages import RegistryAnswer
from xdsi.standard import urns
from xdsi.standard.namespaces import RS, tag
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.frame import expect
from xdsi.wire.text import quoted

TAG = tag(RS, "RegistryResponse")
LIMIT = 100  # findings in one answer, then one that counts the rest (SEC-T-105)
_CODE = 256  # characters of a foreign code
LOCATION = 1024  # characters of it: ids of any length must not blow up the answer

_ERROR_LIST, _ERROR = tag(RS, "RegistryErrorList"), tag(RS, "RegistryError")


def failure(errors: tuple[XDSError, ...]) -> RegistryAnswer:
    """The answer to a request that failed as a whole."""
    return RegistryAnswer(errors)


def answer_to_xml(answer: RegistryAnswer) -> Body:
    """The RegistryResponse element in one piece."""
    return (response(answer.status, error_list(answer.errors)),)


def answer_from_xml(element: Element, parts: Parts) -> RegistryAnswer:
    """Errors and warnings as sent. Raises SoapFault for another element. parts: not looked at."""
    expect(element, TAG)
    return RegistryAnswer(errors_of(element))


def response(status: str, errors: bytes) -> bytes:
    """A RegistryResponse around what `error_list` gave."""
    start = f'<rs:RegistryResponse xmlns:rs="{RS}" status="{status}"'
    if not errors:
        return start.encode() + b"/>"
    return start.encode() + b">" + errors + b"</rs:RegistryResponse>"


def error_list(errors: Iterable[XDSError], limit: int | None = LIMIT) -> bytes:
    """The RegistryErrorList element, b"" for no errors.

    Errors stand before warnings, so that the limit never hides why a request failed.
    limit: entries before the rest is only counted; None lists all
    """
    ordered = sorted(errors, key=lambda each: each.is_warning)
    if not ordered:
        return b""
    worst = urns.SEVERITY_WARNING if ordered[0].is_warning else urns.SEVERITY_ERROR
    pieces = [f'<rs:RegistryErrorList xmlns:rs="{RS}" highestSeverity="{worst}">']
    pieces += [_entry(each) for each in ordered[:limit]]
    if limit is not None and (hidden := ordered[limit:]):
        rest = f"{len(hidden)} further findings are not listed; correct these first"
        pieces.append(_entry(received(hidden[0].code, rest, hidden[0].severity, "")))
    pieces.append("</rs:RegistryErrorList>")
    return "".join(pieces).encode()


def _entry(error: XDSError) -> str:
    return (
        f'<rs:RegistryError errorCode="{quoted(error.code)}"'
        f' codeContext="{quoted(error.context)}" severity="{quoted(error.severity)}"'
        f' location="{quoted(one_line(error.location[:LOCATION]))}"/>'
    )


def errors_of(element: Element) -> tuple[XDSError, ...]:
    """What an answer's RegistryErrorList says; of a Failure without one, an error saying so.

    What is no warning is an error, whatever it calls itself; what it is called stays short enough
    to be passed on.
    """
    found = tuple(
        received(
            error.get("errorCode", "")[:_CODE] or XDSRegistryError.code,
            error.get("codeContext", ""),
            urns.SEVERITY_WARNING
            if error.get("severity") == urns.SEVERITY_WARNING
            else urns.SEVERITY_ERROR,
            error.get("location", ""),
        )
        for errors in element.iterchildren(_ERROR_LIST)
        for error in errors.iterchildren(_ERROR)
    )
    if element.get("status") == urns.FAILURE and all(each.is_warning for each in found):
        mute = received("XDSRegistryError", "Failure without an error", urns.SEVERITY_ERROR, "")
        return (*found, mute)
    return found
