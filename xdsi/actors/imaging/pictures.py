"""Pictures of instances and frames over HTTP: WADO-RS rendered, and what WADO-URI shares with it.

Source: DICOM PS3.18 8.3.5, 10.4.1.1.3; IMG-162, IMG-184.
"""

from contextlib import closing
from functools import partial

from xdsi.actors.imaging.rad107 import frame_numbers, wishes
from xdsi.actors.imaging.source import Source, unreadable
from xdsi.actors.imaging.web import Place, Web, held, ids
from xdsi.model.imaging import HeldInstance
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call
from xdsi.standard import dicom, wado
from xdsi.wire.accept import covers
from xdsi.wire.dicomparts import Unreadable
from xdsi.wire.recoding import taken_apart
from xdsi.wire.rendering import MEDIA_TYPES, CannotRender, Rendering, rendered

_LARGEST = 32_768  # pixels of a side
_IGNORED = ("accept", "iccprofile")
_STATUS = {wado.BAD_PARAMETER: 400, wado.UNSUPPORTED_PARAMETER: 400, wado.NO_SUCH_FRAME: 404}


def render(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """An instance of one frame, or a frame, as a picture (IMG-162)."""
    wanted = wishes(request)
    media_type = next(
        (kind for wish in wanted for kind in MEDIA_TYPES if covers(wish.type, kind)), None
    )
    if media_type is None:
        raise WebError(406, f"pictures are here in {', '.join(MEDIA_TYPES)}")
    frame = None
    if "frames" in place.others:
        frame, *more = frame_numbers(place.others["frames"])
        if more:
            raise WebError(406, "one frame becomes one picture; ask for each by itself")
    (instance,) = held(place, call, web.source)
    wish = _wish(request, media_type, frame, instance, call, web.source)
    return WebAnswer(200, media_type, (picture(instance, wish, call, web.source),), (), ids(place))


def picture(instance: HeldInstance, wish: Rendering, call: Call, source: Source) -> bytes:
    """Raises WebError where there is none, XDSRepositoryError where it cannot be read."""
    try:
        return rendered(partial(source.archive.file, instance, call), wish, source.pixels)
    except CannotRender as error:
        raise WebError(_STATUS.get(error.code, 406), error.reason) from error
    except OSError as error:
        raise unreadable(instance.sop_instance_uid) from error


def _wish(
    request: WebRequest,
    media_type: str,
    frame: int | None,
    instance: HeldInstance,
    call: Call,
    source: Source,
) -> Rendering:
    rows = columns = quality = window = region = None
    for name, value in request.query:
        match name:
            case "viewport":
                columns, rows, *cut = _viewport(value)
                if any(each is not None for each in cut):
                    region = _region(cut, instance, call, source)
            case "window":
                window = _window(value)
            case "quality":
                quality = whole(name, value, 100)
            case _ if name not in _IGNORED:
                # what would make another picture must not be passed over in silence
                raise WebError(400, "parameters here are viewport, window and quality")
    return Rendering(media_type, frame, rows, columns, window, region, quality)


def whole(name: str, value: str, most: int = _LARGEST) -> int:
    """A number from 1 on. Raises WebError 400."""
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 0 < int(value) <= most):
        raise WebError(400, f"{name}: expected a number from 1 to {most}")
    return int(value)


def number(name: str, value: str) -> float:
    """Raises WebError 400 for what is no finite number."""
    try:
        found = float(value)
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e15:
        raise WebError(400, f"{name}: expected a number")
    return found


def _window(value: str) -> tuple[float, float]:
    centre, width, *function = value.split(",") if value.count(",") in (1, 2) else ("", "")
    if function and function[0].lower() != "linear":
        raise WebError(400, "window: the only function here is linear")
    found = number("window", centre), number("window", width)
    if found[1] <= 0:
        raise WebError(400, "window: the width is above 0")
    return found


def _viewport(value: str) -> list[int | None]:
    """Width and height, then left, top, width and height of what is cut out, where given."""
    texts = value.split(",")
    if len(texts) not in (2, 6) or not texts[0] or not texts[1]:
        raise WebError(400, "viewport: expected width,height or width,height,x,y,width,height")
    found = [whole("viewport", each) for each in texts[:2]]
    cut = [None if not each else round(number("viewport", each)) for each in texts[2:]]
    return [*found, *cut]


def _region(
    cut: list[int | None], instance: HeldInstance, call: Call, source: Source
) -> tuple[float, float, float, float]:
    """The part of the stored picture, in parts of 1."""
    try:
        file = partial(source.archive.file, instance, call)
        with closing(taken_apart(file, source.pixels)) as stored:
            columns, rows = stored.number(dicom.COLUMNS), stored.number(dicom.ROWS)
    except (Unreadable, OSError) as error:
        raise unreadable(instance.sop_instance_uid) from error
    left, top = cut[0] or 0, cut[1] or 0
    width = columns - left if cut[2] is None else cut[2]
    height = rows - top if cut[3] is None else cut[3]
    if not (0 <= left < left + width <= columns and 0 <= top < top + height <= rows):
        raise WebError(400, f"viewport: the picture is {columns} by {rows}")
    return left / columns, top / rows, (left + width) / columns, (top + height) / rows
