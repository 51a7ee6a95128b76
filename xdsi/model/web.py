"""Requests and answers of services that speak plain HTTP: DICOMweb, WADO.

Source: RFC 9110; DICOM PS3.18 8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsi.model.messages import Content, Staged


class WebError(Exception):
    """A request refused: HTTP status and one line for the caller; never patient data."""

    def __init__(self, status: int, reason: str, *headers: tuple[str, str]) -> None:
        self.status, self.reason, self.headers = status, reason, headers
        super().__init__(f"{status}: {reason}")


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request below the path of its resource.

    segments: of the path below it, percent-decoded, none of them empty
    query: parameters in order, decoded; names as sent
    headers: values by lower-case name, several of one name joined by ", "
    documents: what came in the body, one for each part, already staged; none yet when the route
        is chosen
    """

    method: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[Staged, ...] = ()


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """One answer.

    body: pieces in order; documents among them stream (see `Content`)
    ids: unique ids it is about, for the log
    """

    status: int
    media_type: str
    body: tuple[bytes | Content, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    ids: tuple[str, ...] = ()
