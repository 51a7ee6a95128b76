"""The archive behind an imaging source, and looking for what a request names.

The archive is asked once for each series. One that does not answer makes an error of each instance
of that series; others are still served.
Source: imaging.md 3.5 (IMG-110 to IMG-119).
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from xdsi.config import Limits
from xdsi.files.failing import Failing
from xdsi.model.errors import (
    InvalidDocumentContent,
    XDSDocumentUniqueIdError,
    XDSError,
    XDSRepositoryBusy,
    XDSRepositoryError,
    XDSTooManyResults,
    XDSUnknownRepositoryId,
    shown,
)
from xdsi.model.imaging import HeldInstance, InstanceRequest
from xdsi.model.values import is_uid
from xdsi.plug import Archive, ArchiveBusy, ArchiveError, Call
from xdsi.standard.dicom import IMAGE_STORAGE
from xdsi.wire import dicomfile
from xdsi.wire.dicomfile import Shape
from xdsi.wire.pixels import PixelLimits

_log = logging.getLogger("xdsi.imaging")

_HEAD = 64 << 10  # octets; group 0002 is far shorter
_NOTHING = Shape(until=0)

Held = Mapping[str, HeldInstance]  # by SOP Instance UID


@dataclass(frozen=True, slots=True)
class Source:
    """What the transactions share. unique_id: the only RepositoryUniqueId answered (IMG-085)."""

    unique_id: str
    archive: Archive
    limits: Limits
    failing: Failing = field(default_factory=Failing)
    pixels: PixelLimits = field(default_factory=PixelLimits)


def check_number(number: int, limits: Limits) -> None:
    """Raises XDSTooManyResults above the limit; duplicates count."""
    if number > limits.imaging_documents:
        raise XDSTooManyResults(
            f"{number} instances",
            f"more than the limit of {limits.imaging_documents}; ask in several requests",
            rule="SEC-T-042",
        )


def found(
    asked: Iterable[InstanceRequest], call: Call, source: Source
) -> Iterator[HeldInstance | XDSError]:
    """What the archive holds for each, in the same order, or the error that is its answer."""
    wanted = [(each, _refused(each, source)) for each in asked]
    series: dict[tuple[str, str], set[str]] = {}
    for each, error in wanted:
        if error is None:
            members = series.setdefault((each.study_instance_uid, each.series_instance_uid), set())
            members.add(each.document.document_unique_id)
    held = {key: _held(*key, uids, call, source) for key, uids in series.items()}
    for each, error in wanted:
        yield error or _one(each, held)


def _refused(asked: InstanceRequest, source: Source) -> XDSError | None:
    """Why the archive need not be asked: another source, or ids that no instance has."""
    location = asked.document.document_unique_id
    if asked.document.repository_unique_id != source.unique_id:
        return XDSUnknownRepositoryId(
            f"{shown(location)} RepositoryUniqueId",
            f"not this imaging source, which is {source.unique_id}; "
            "take the Retrieve Location UID of the manifest",
            value=asked.document.repository_unique_id,
            rule="IMG-110",
            location=location,
        )
    uids = (asked.study_instance_uid, asked.series_instance_uid, location)
    return None if all(map(is_uid, uids)) else _unknown(asked)


def _unknown(asked: InstanceRequest) -> XDSDocumentUniqueIdError:
    location = asked.document.document_unique_id
    return XDSDocumentUniqueIdError(
        "DocumentUniqueId",
        f"not available here in series {shown(asked.series_instance_uid)} "
        f"of study {shown(asked.study_instance_uid)}",
        value=location,
        rule="IMG-111",
        location=location,
    )


def _held(
    study: str, series: str, wanted: set[str], call: Call, source: Source
) -> Held | ArchiveError:
    if call.cancelled() or not call.remaining:
        return ArchiveBusy("no time was left to ask the archive; ask for fewer series at once")
    try:
        instances = source.archive.instances(study, series, wanted, call)
    except ArchiveError as error:
        _log.error("series %s: %s", series, error)
        return error.with_traceback(None)
    return {
        each.sop_instance_uid: each
        for each in instances
        if (each.study_instance_uid, each.series_instance_uid) == (study, series)
    }


def _one(
    asked: InstanceRequest, held: Mapping[tuple[str, str], Held | ArchiveError]
) -> HeldInstance | XDSError:
    uid = asked.document.document_unique_id
    answer = held[asked.study_instance_uid, asked.series_instance_uid]
    if isinstance(answer, ArchiveError):
        return unanswered(uid, answer)
    return answer.get(uid) or _unknown(asked)


def unanswered(uid: str, error: ArchiveError) -> XDSError:
    """What is told of an instance about which the archive did not answer."""
    if isinstance(error, ArchiveBusy):
        return XDSRepositoryBusy(
            uid, f"not now ({error}); ask again later", rule="IMG-119", location=uid
        )
    return XDSRepositoryError(
        uid, f"the archive does not answer ({error})", rule="IMG-118", location=uid
    )


def unreadable(uid: str) -> XDSError:
    """What is told of an instance that is known and cannot be read."""
    return XDSRepositoryError(
        uid,
        "is known, but could not be read to its end; it is tried again in a minute",
        rule="RET-037",
        location=uid,
    )


def has_pixels(held: HeldInstance) -> bool:
    """Whether it is an image: by its frames, or by its class where these are not told (IMG-102)."""
    if held.frames is not None:
        return held.frames > 0
    return held.sop_class_uid in IMAGE_STORAGE


def while_streaming(call: Call) -> Call:
    """The call of what is read after the handler: sending has no total time-out (SEC-T-048)."""
    return replace(call, deadline=math.inf)


def stored_syntax(held: HeldInstance, call: Call, source: Source) -> str:
    """The transfer syntax an instance is kept in; the file tells it where the archive did not.

    Raises ArchiveError, OSError.
    """
    if held.transfer_syntax_uid is not None:
        return held.transfer_syntax_uid
    head = b""
    with closing(source.archive.open(held, call).open()) as reader:
        while len(head) < _HEAD and (block := reader.read(_HEAD - len(head))):
            head += block
    try:
        limits = dicomfile.Limits()
        return dicomfile.read(head, _NOTHING, what="the instance", limits=limits).transfer_syntax
    except InvalidDocumentContent as error:
        raise OSError(error.context) from error
