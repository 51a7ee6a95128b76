"""Retrieve Imaging Document Set [RAD-69].

The answer is a plan; the instances stream after it. What can be known beforehand is: that an
instance is there, in the series and study named, and that it can be sent in a transfer syntax asked
for. One that fails later cuts the answer and is remembered (`xdsi.files.failing`).
"""

from collections.abc import Collection
from functools import partial

from xdsi.actors.imaging.source import (
    Source,
    check_number,
    found,
    has_pixels,
    stored_syntax,
    unanswered,
    unreadable,
    while_streaming,
)
from xdsi.model.errors import XDSError, XDSRepositoryError, shown
from xdsi.model.imaging import HeldInstance, ImagingRequest, InstanceRequest
from xdsi.model.messages import Content, RetrieveAnswer, RetrievedDocument
from xdsi.plug import ArchiveError, Call
from xdsi.standard.dicom import EXPLICIT_LITTLE_ENDIAN, MEDIA_TYPE
from xdsi.wire.transcoding import CannotTranscode, transcoded
from xdsi.wire.transfersyntax import SYNTAXES, chosen


def retrieve(request: ImagingRequest, call: Call, source: Source) -> RetrieveAnswer:
    """The instances asked for, each once, in the order asked (RAD TF-2 4.69.4.2, IMG-086).

    Raises XDSTooManyResults above the limit.
    """
    check_number(len(request.instances), source.limits)
    wanted: dict[tuple[str, ...], InstanceRequest] = {}
    for each in request.instances:
        document = each.document
        ids = (document.repository_unique_id, document.document_unique_id)
        wanted.setdefault((*ids, each.study_instance_uid, each.series_instance_uid), each)
    documents: list[RetrievedDocument] = []
    errors: list[XDSError] = []
    listed = frozenset(request.transfer_syntaxes)
    later = while_streaming(call)
    for asked, held in zip(wanted.values(), found(wanted.values(), call, source), strict=True):
        try:
            if isinstance(held, XDSError):
                raise held
            content = sendable(held, listed, call, later, source)
        except XDSError as error:
            errors.append(error)
        else:
            documents.append(RetrievedDocument(asked.document, MEDIA_TYPE, content))
    return RetrieveAnswer(tuple(documents), tuple(errors))


def sendable(
    held: HeldInstance, listed: Collection[str], call: Call, later: Call, source: Source
) -> Content:
    """The instance in a transfer syntax that may come. Raises the error that is told of it.

    later: the same call as of when it is sent (`while_streaming`)
    """
    uid = held.sop_instance_uid
    try:
        stored = stored_syntax(held, call, source)
        target = chosen(stored, has_pixels=has_pixels(held), listed=listed)
        if target is None:
            raise _no_syntax(uid, stored, listed)
        if (uid, target) in source.failing:
            raise unreadable(uid)
        if target == stored:
            content = source.archive.open(held, later)
        else:
            file = partial(source.archive.file, held, later)
            content = transcoded(file, target, source.pixels)
    except CannotTranscode as error:
        raise _no_syntax(uid, stored, listed, str(error)) from error
    except ArchiveError as error:
        raise unanswered(uid, error) from error
    except OSError as error:
        raise unreadable(uid) from error
    return source.failing.watched(content, (uid, target))


def _no_syntax(uid: str, stored: str, listed: Collection[str], why: str = "") -> XDSError:
    asked = shown(", ".join(sorted(listed)))
    reason = f" ({why})" if why else ""
    is_read = stored in SYNTAXES and EXPLICIT_LITTLE_ENDIAN not in listed
    return XDSRepositoryError(
        uid,
        f"stored in transfer syntax {stored}, cannot be sent in any of {asked}{reason}; "
        f"list the stored one{' or Explicit VR Little Endian' if is_read else ''}",
        rule="IMG-112",
        location=uid,
    )
