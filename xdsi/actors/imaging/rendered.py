"""Retrieve Rendered Imaging Document Set (DICOM PS3.18-2015 6.4.2).

Pictures are made before the answer begins, so that one that cannot be made is an error of its own.
They are small; what all of a request may hold is bounded all the same.
"""

import io
from functools import partial

from xdsi.actors.imaging.source import Source, check_number, found, unanswered, unreadable
from xdsi.model.errors import XDSError, XDSRepositoryError
from xdsi.model.imaging import (
    HeldInstance,
    RenderedAnswer,
    RenderedDocument,
    RenderedInstance,
    RenderedRequest,
)
from xdsi.model.messages import Content
from xdsi.plug import ArchiveError, Call
from xdsi.standard import wado
from xdsi.wire.rendering import MEDIA_TYPES, CannotRender, Rendering, rendered

_TOGETHER = 64 << 20  # octets of all pictures of an answer


def render(request: RenderedRequest, call: Call, source: Source) -> RenderedAnswer:
    """The pictures asked for, in the order asked (IMG-182 to IMG-184).

    Raises XDSTooManyResults above the limit.
    """
    check_number(len(request.instances), source.limits)
    documents: list[RenderedDocument] = []
    errors: list[XDSError] = []
    room = _TOGETHER
    instances = found((each.instance for each in request.instances), call, source)
    for asked, held in zip(request.instances, instances, strict=True):
        try:
            if isinstance(held, XDSError):
                raise held
            if room <= 0 or call.cancelled() or not call.remaining:
                raise _refusal(held, wado.TOO_MUCH, "too many pictures; ask for fewer at once")
            wish = _wish(asked, held)
            picture = _picture(held, wish, call, source)
        except XDSError as error:
            errors.append(error)
        else:
            room -= len(picture)
            content = Content(len(picture), partial(io.BytesIO, picture))
            documents.append(RenderedDocument(asked, wish.media_type, content))
    return RenderedAnswer(tuple(documents), tuple(errors))


def _wish(asked: RenderedInstance, held: HeldInstance) -> Rendering:
    """What is to be made. Raises the error that is told when the request rules it out (IMG-184)."""
    listed = (each.partition(";")[0].strip().lower() for each in asked.content_types)
    media_type = next((each for each in listed if each in MEDIA_TYPES), None)
    if media_type is None:
        problem = f"none of the content types asked for is one of {', '.join(MEDIA_TYPES)}"
        raise _refusal(held, wado.NO_SUCH_TYPE, problem)
    if (asked.window_width is None) != (asked.window_center is None):
        raise _refusal(held, wado.BAD_PARAMETER, "WindowWidth and WindowCenter go together")
    # what would make another picture must not be passed over in silence
    if asked.anonymize is not None and asked.anonymize.lower() != "no":
        raise _refusal(held, wado.CANNOT_ANONYMISE, "pictures are not anonymised here")
    if asked.presentation_uid is not None or asked.presentation_series_uid is not None:
        raise _refusal(
            held, wado.UNSUPPORTED_PARAMETER, "presentation states are not applied; leave it out"
        )
    window = region = None
    if asked.window_center is not None and asked.window_width is not None:
        window = (float(asked.window_center), float(asked.window_width))
    if asked.region is not None:
        left, top, right, bottom = map(float, asked.region)
        region = (left, top, right, bottom)
    return Rendering(
        media_type, asked.frame, asked.rows, asked.columns, window, region, asked.image_quality
    )


def _picture(held: HeldInstance, wish: Rendering, call: Call, source: Source) -> bytes:
    uid = held.sop_instance_uid
    try:
        return rendered(partial(source.archive.file, held, call), wish, source.pixels)
    except CannotRender as error:
        raise _refusal(held, error.code, error.reason) from error
    except ArchiveError as error:
        raise unanswered(uid, error) from error
    except OSError as error:
        raise unreadable(uid) from error


def _refusal(held: HeldInstance, code: str, problem: str) -> XDSError:
    """An error under DICOM's own code."""
    uid = held.sop_instance_uid
    error = XDSRepositoryError(uid, problem, rule="IMG-184", location=uid)
    error.code = code
    return error
