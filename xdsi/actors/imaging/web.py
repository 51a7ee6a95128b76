"""What an imaging source serves in plain HTTP, by path: DICOMweb at /dicom-web, WADO-URI at /wado.

A row of the table is one address with what answers it. UIDs in a path are checked here; whatever
the archive or an instance refuses becomes the HTTP status that DICOM names for it.
Source: DICOM PS3.18 10.4 to 10.6; imaging.md 5.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from xdsi.actors.imaging.source import Source
from xdsi.model.errors import XDSError, XDSRepositoryBusy
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Staged
from xdsi.model.values import is_uid
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import ArchiveBusy, ArchiveError, Call, StudyUnclear, WebRoute


class Kept(Protocol):
    """What became of a file. instance: None for one that could not be read

    status: 0, or DICOM's reason why it was not kept (PS3.18 I.2.2)
    """

    @property
    def instance(self) -> HeldInstance | None: ...
    @property
    def status(self) -> int: ...


class Keep(Protocol):
    """Puts files into the archive; the result for each, in order.

    fits: why an instance is not what was announced, "" for one that is
    """

    def __call__(
        self, staged: Sequence[Staged], call: Call, *, fits: Callable[[HeldInstance], str]
    ) -> Sequence[Kept]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names. others: what stands behind the instance, such as frames, by name"""

    study: str = ""
    series: str = ""
    instance: str = ""
    others: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Below the base of all, as DICOMweb writes it."""
        named = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        return "".join(f"/{name}/{uid}" for name, uid in named if uid)


@dataclass(frozen=True, slots=True)
class Web:
    """What the handlers share.

    base: address of /dicom-web, for addresses in answers
    keep: None where the archive takes nothing
    """

    source: Source
    base: str
    keep: Keep | None = None


Handler = Callable[[WebRequest, Call, Place, Web], WebAnswer]


@dataclass(frozen=True, slots=True)
class Row:
    """One address. path: `*` where a UID or another value stands"""

    method: str
    path: str
    transaction: str
    handler: Handler

    def place(self, segments: Sequence[str]) -> Place | None:
        """What a path names; None where it is another address."""
        pattern = self.path.split("/") if self.path else []
        if len(pattern) != len(segments) or any(
            part not in ("*", segment) for part, segment in zip(pattern, segments, strict=True)
        ):
            return None
        named = {
            before: segment
            for before, part, segment in zip(pattern, pattern[1:], segments[1:], strict=False)
            if part == "*"
        }
        study, series, instance = (
            named.pop(name, "") for name in ("studies", "series", "instances")
        )
        for uid in filter(None, (study, series, instance)):
            check_uid("path", uid)
        return Place(study, series, instance, named)


def route(request: WebRequest, rows: Sequence[Row], web: Web) -> WebRoute:
    """The row that answers a request. Raises WebError 404 or 405."""
    found = [(row, place) for row in rows if (place := row.place(request.segments)) is not None]
    if not found:
        raise WebError(404, "nothing of DICOMweb is served at this path")
    method = "GET" if request.method == "HEAD" else request.method
    for row, place in found:
        if row.method == method:
            return WebRoute(row.transaction, partial(_answered, row.handler, place, web))
    allowed = ", ".join(row.method for row, _ in found)
    raise WebError(405, f"here works {allowed}", ("Allow", allowed))


def _answered(
    handler: Handler, place: Place, web: Web, request: WebRequest, call: Call
) -> WebAnswer:
    try:
        return handler(request, call, place, web)
    except (ArchiveError, XDSError) as error:
        # it may have been kept by one of the calls it came through (`told`)
        raise _refused(error.with_traceback(None)) from None


def _refused(error: ArchiveError | XDSError) -> WebError:
    """What is told of an archive that does not answer, or of an instance that it cannot give."""
    if isinstance(error, ArchiveBusy | XDSRepositoryBusy):
        return WebError(503, f"not now ({error})", ("Retry-After", "30"))
    if isinstance(error, StudyUnclear):
        return WebError(409, f"the study cannot be told of as one: {error}")
    if isinstance(error, ArchiveError):
        return WebError(503, f"the archive does not answer ({error})", ("Retry-After", "60"))
    if error.rule == "IMG-112":
        return WebError(406, error.context)
    return WebError(503, error.context, ("Retry-After", "60"))


def check_uid(what: str, text: str) -> str:
    """Raises WebError 400 for what no UID is (SEC-T-127)."""
    if not is_uid(text):
        raise WebError(400, f"{what}: expected a UID, digits and dots, at most 64 characters")
    return text


def held(place: Place, call: Call, source: Source) -> Sequence[HeldInstance]:
    """What the archive has at a place. Raises WebError 404 where that is nothing."""
    asked = (place.instance,) if place.instance else None
    found = [
        each
        for each in source.archive.instances(place.study, place.series or None, asked, call)
        if each.study_instance_uid == place.study
        and place.series in ("", each.series_instance_uid)
        and place.instance in ("", each.sop_instance_uid)
    ]
    if not found:
        raise WebError(404, "no such study, series or instance here")
    return found


def place_of(each: HeldInstance) -> Place:
    """Where an instance is."""
    return Place(each.study_instance_uid, each.series_instance_uid, each.sop_instance_uid)


def ids(place: Place) -> tuple[str, ...]:
    """For the log."""
    return tuple(filter(None, (place.study, place.series, place.instance)))
