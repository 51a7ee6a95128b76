"""WADO Retrieve [RAD-55]: one instance, named in the query, as a DICOM file or a picture.

Source: RAD TF-2 4.55; DICOM PS3.18 9; IMG-150 to IMG-155.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from xdsi.actors.imaging.pictures import number, picture, whole
from xdsi.actors.imaging.rad69 import sendable
from xdsi.actors.imaging.source import has_pixels, while_streaming
from xdsi.actors.imaging.web import Place, Web, check_uid, held, ids
from xdsi.model.imaging import HeldInstance
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call
from xdsi.standard.dicom import EXPLICIT_LITTLE_ENDIAN, MEDIA_TYPE
from xdsi.wire.accept import accepted, covers
from xdsi.wire.rendering import MEDIA_TYPES, Rendering

_REQUIRED = ("studyUID", "seriesUID", "objectUID")
# what would change the answer, and is not done here
_NOT_DONE = ("annotation", "presentationUID", "presentationSeriesUID")
_OF_PICTURES = "rows columns region windowCenter windowWidth frameNumber imageQuality".split()


def retrieve(request: WebRequest, call: Call, _: Place, web: Web) -> WebAnswer:
    """The instance (IMG-150 to IMG-155)."""
    given = _given(request)
    study, series, instance_uid = (check_uid(name, given[name]) for name in _REQUIRED)
    place = Place(study, series, instance_uid)
    (instance,) = held(place, call, web.source)
    media_type = _media_type(given, request, instance)
    if media_type != MEDIA_TYPE:
        if "transferSyntax" in given:
            raise WebError(400, "transferSyntax: only with contentType=application/dicom")
        body = picture(instance, _wish(given, media_type), call, web.source)
        return WebAnswer(200, media_type, (body,), (), ids(place))
    if unfit := [name for name in _OF_PICTURES if name in given]:
        raise WebError(400, f"{unfit[0]}: only with a picture; this comes as application/dicom")
    syntax = check_uid("transferSyntax", given.get("transferSyntax", EXPLICIT_LITTLE_ENDIAN))
    content = sendable(instance, (syntax,), call, while_streaming(call), web.source)
    return WebAnswer(200, MEDIA_TYPE, (content,), (), ids(place))


def _given(request: WebRequest) -> dict[str, str]:
    given = dict(request.query)
    if len(given) != len(request.query):
        raise WebError(400, "a parameter is given twice")
    if given.get("requestType") != "WADO":
        raise WebError(400, "requestType: expected WADO")
    if missing := [name for name in _REQUIRED if not given.get(name)]:
        raise WebError(400, f"{missing[0]}: required, missing")
    if given.get("anonymize", "no") != "no":
        raise WebError(400, "anonymize: instances are not anonymised here; leave it out")
    if unknown := [name for name in _NOT_DONE if given.get(name)]:
        raise WebError(400, f"{unknown[0]}: is not applied here; leave it out")
    return given


def _media_type(given: Mapping[str, str], request: WebRequest, instance: HeldInstance) -> str:
    """What is sent: of contentType, agreeing with Accept (IMG-150, IMG-151). Else WebError 406.

    Without contentType Accept alone decides. Where that leaves a choice, of one frame comes a
    picture, of everything else the file (PS3.18 9.4).
    """
    has_picture = has_pixels(instance)
    is_one = has_picture and (instance.frames in (None, 1) or bool(given.get("frameNumber")))
    usual = "image/jpeg" if is_one else MEDIA_TYPE
    content_type = given.get("contentType", "").replace(" ", "+")
    has_choice = is_one or (has_picture and content_type)
    possible = (usual, *MEDIA_TYPES, MEDIA_TYPE) if has_choice else (MEDIA_TYPE,)
    asked, taken = accepted(content_type), accepted(request.headers.get("accept", ""))
    first, second = (asked, taken) if content_type else (taken, asked)
    for wish in first:
        for kind in possible:
            if covers(wish.type, kind) and any(covers(each.type, kind) for each in second):
                return kind
    several = "; for a picture name one frame, as frameNumber" if has_picture and not is_one else ""
    kinds = ", ".join(dict.fromkeys(possible))
    raise WebError(406, f"this instance can be had as {kinds}{several}")


def _region(name: str, value: str) -> tuple[float, float, float, float]:
    numbers = [number(name, each) for each in value.split(",")]
    if len(numbers) != 4 or not (0 <= numbers[0] < numbers[2] <= 1 >= numbers[3] > numbers[1] >= 0):
        raise WebError(400, "region: expected left,top,right,bottom from 0.0 to 1.0")
    left, top, right, bottom = numbers
    return left, top, right, bottom


_READERS: Mapping[str, tuple[str, Callable[[str, str], object]]] = MappingProxyType(
    {
        "rows": ("rows", whole),
        "columns": ("columns", whole),
        "frameNumber": ("frame", lambda name, value: whole(name, value, 10**9)),
        "imageQuality": ("quality", lambda name, value: whole(name, value, 100)),
        "region": ("region", _region),
    }
)


def _wish(given: Mapping[str, str], media_type: str) -> Rendering:
    found = {
        field: read(name, given[name])
        for name, (field, read) in _READERS.items()
        if given.get(name)
    }
    if ("windowCenter" in given) != ("windowWidth" in given):
        raise WebError(400, "windowCenter and windowWidth go together")
    if "windowCenter" in given:
        found["window"] = tuple(
            number(each, given[each]) for each in ("windowCenter", "windowWidth")
        )
    return Rendering(media_type, **found)  # type: ignore[arg-type]
