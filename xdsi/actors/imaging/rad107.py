"""WADO-RS Retrieve [RAD-107]: instances, metadata, frames and bulk data.

The answer is a plan, as in RAD-69: what cannot be sent is left out before the answer begins, and
one that fails later cuts it. Pictures are in `xdsi.actors.imaging.pictures`.
Source: DICOM PS3.18 10.4; IMG-160 to IMG-165.
"""

from collections.abc import Generator, Iterable, Sequence
from functools import partial

from xdsi.actors.imaging.rad69 import sendable
from xdsi.actors.imaging.source import (
    Source,
    stored_syntax,
    unanswered,
    unreadable,
    while_streaming,
)
from xdsi.actors.imaging.web import Place, Web, held, ids, place_of
from xdsi.model.errors import XDSError, told
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import ArchiveError, Call
from xdsi.standard import namespaces as ns
from xdsi.standard.dicom import EXPLICIT_LITTLE_ENDIAN, MEDIA_TYPE, PIXEL_DATA
from xdsi.wire import jsonmodel, webframes
from xdsi.wire.accept import accepted, covers
from xdsi.wire.chunks import ChunkReader
from xdsi.wire.media import MediaType
from xdsi.wire.related import Related
from xdsi.wire.transcoding import CannotTranscode
from xdsi.wire.transfersyntax import SYNTAXES
from xdsi.wire.webframes import NoSuchFrame

AS_STORED = "*"
_METADATA = "metadata"  # stands for the transfer syntax among what fails
_MOST_FRAMES = 10_000
_MOST_SYNTAXES = 16  # tried for each instance


def wishes(request: WebRequest) -> tuple[MediaType, ...]:
    """What the client takes, most wanted first; the query parameter counts before the header."""
    # a plus that nobody escaped has become a blank
    asked = [value.replace(" ", "+") for name, value in request.query if name == "accept"]
    return accepted(", ".join(asked) or request.headers.get("accept", ""))


def _parts(wish: MediaType) -> str:
    """The type of the parts that a range asks for; "" where it is no multipart."""
    if covers(wish.type, ns.MULTIPART_RELATED):
        return (wish.get("type") or "*/*").lower()
    return ""


def instances(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """A study, series or instance as DICOM files; 206 where some cannot be sent (IMG-161)."""
    wanted = [
        (bool(_parts(each)), each.get("transfer-syntax") or EXPLICIT_LITTLE_ENDIAN)
        for each in wishes(request)
        if covers(_parts(each) or each.type, MEDIA_TYPE) and (_parts(each) or place.instance)
    ]
    if not wanted:
        single = ", or application/dicom" if place.instance else ""
        kind = f'{ns.MULTIPART_RELATED}; type="{MEDIA_TYPE}"{single}'
        raise WebError(406, f"here is {kind}; name the transfer syntax as transfer-syntax")
    if wanted[0] == (True, AS_STORED) and (whole := _whole(place, call, web.source)):
        return whole
    found = held(place, call, web.source)
    syntaxes = tuple(dict.fromkeys(syntax for _, syntax in wanted))[:_MOST_SYNTAXES]
    contents: list[Content] = []
    errors: list[XDSError] = []
    later = while_streaming(call)
    for each in found:
        try:
            contents.append(_content(each, syntaxes, call, later, web.source))
        except XDSError as error:
            errors.append(told(error))
    if not contents:
        raise errors[0]
    status, headers = _status(errors, len(found))
    if not wanted[0][0]:
        return WebAnswer(status, MEDIA_TYPE, tuple(contents), headers, ids(place))
    around = Related.of(MEDIA_TYPE)
    return WebAnswer(status, around.media_type, around.body(contents), headers, ids(place))


def _whole(place: Place, call: Call, source: Source) -> WebAnswer | None:
    """All of a study or series as the archive sends it, where that can be.

    When it fails in the middle, the same request gets a plan the next time.
    """
    key = (place.series or place.study, AS_STORED)
    if place.instance or key in source.failing:
        return None
    whole = source.archive.whole(place.study, place.series or None, call)
    if whole is None:
        return None
    around = Related.of(MEDIA_TYPE)
    parts = (source.failing.watched(content, (uid, AS_STORED)) for uid, content in whole)
    body = source.failing.watched(around.coming(parts), key)
    return WebAnswer(200, around.media_type, (body,), (), ids(place))


def _content(
    instance: HeldInstance, syntaxes: Sequence[str], call: Call, later: Call, source: Source
) -> Content:
    """In the first of these syntaxes that works. Raises the error of the first."""
    refusals = []
    for syntax in syntaxes:
        try:
            if syntax == AS_STORED:
                return _as_stored(instance, later, source)
            return sendable(instance, (syntax,), call, later, source)
        except XDSError as error:
            refusals.append(error)
    raise refusals[0]


def _as_stored(instance: HeldInstance, later: Call, source: Source) -> Content:
    key = (instance.sop_instance_uid, AS_STORED)
    if key in source.failing:
        raise unreadable(instance.sop_instance_uid)
    try:
        content = source.archive.open(instance, later)
    except ArchiveError as error:
        raise unanswered(instance.sop_instance_uid, error) from error
    except OSError as error:
        raise unreadable(instance.sop_instance_uid) from error
    return source.failing.watched(content, key)


def _status(errors: Sequence[XDSError], number: int) -> tuple[int, tuple[tuple[str, str], ...]]:
    """200, or 206 with what is missing (IMG-164)."""
    if not errors:
        return 200, ()
    reason = errors[0].context.encode("ascii", "replace").decode().translate({34: 39, 92: 47})
    text = f"{len(errors)} of {number} instances cannot be sent: {reason[:300]}"
    return 206, (("Warning", f'299 xdsi "{text}"'),)


def metadata(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """The headers of all instances as DICOM JSON, one after the other (IMG-162)."""
    check_json(request)
    found = held(place, call, web.source)
    failing = web.source.failing
    kept: list[HeldInstance] = []
    errors: list[XDSError] = []
    for each in found:
        if (each.sop_instance_uid, _METADATA) in failing:
            errors.append(unreadable(each.sop_instance_uid))
        else:
            kept.append(each)
    if not kept:
        raise errors[0]
    status, headers = _status(errors, len(found))
    later = while_streaming(call)
    content = Content(None, lambda: ChunkReader(_headers(kept, later, web)))
    return WebAnswer(status, jsonmodel.MEDIA_TYPE, (content,), headers, ids(place))


def check_json(request: WebRequest) -> None:
    """Raises WebError 406 for a client that does not take JSON."""
    kinds = (jsonmodel.MEDIA_TYPE, "application/json")
    if not any(covers(wish.type, kind) for wish in wishes(request) for kind in kinds):
        raise WebError(406, f"here is {jsonmodel.MEDIA_TYPE}")


def _headers(
    instances: Iterable[HeldInstance], call: Call, web: Web
) -> Generator[bytes, None, None]:
    source, before = web.source, b"["
    for each in instances:
        uri = f"{web.base}{place_of(each).path}/bulkdata"
        try:
            file = partial(source.archive.file, each, call)
            model = jsonmodel.metadata(file, uri, source.pixels)
        except (OSError, ArchiveError) as error:
            source.failing.note((each.sop_instance_uid, _METADATA), error)
            raise OSError(str(error)) from error
        yield before + jsonmodel.text(model)
        before = b","
    yield b"]"


def frames(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """Frames of an instance, uncompressed or as they are stored (IMG-162)."""
    numbers = frame_numbers(place.others["frames"])
    (instance,) = held(place, call, web.source)
    try:
        stored = stored_syntax(instance, call, web.source)
        form = _frame_form(request, stored, len(numbers))
        return _frames(instance, numbers, form, call, web.source)
    except OSError as error:
        raise unreadable(place.instance) from error


def _frames(
    instance: HeldInstance,
    numbers: Sequence[int],
    form: tuple[str, str, bool],
    call: Call,
    source: Source,
) -> WebAnswer:
    """These frames, or all where there are no numbers. Raises OSError."""
    kind, syntax, is_multipart = form
    around = Related.of(kind) if is_multipart else None
    file = partial(source.archive.file, instance, while_streaming(call))
    try:
        content = webframes.frames(file, numbers, around, source.pixels, syntax=syntax)
    except NoSuchFrame as error:
        raise WebError(404, str(error)) from error
    except CannotTranscode as error:
        raise WebError(406, str(error)) from error
    media_type = kind if around is None else around.media_type
    return WebAnswer(200, media_type, (content,), (), ids(place_of(instance)))


def frame_numbers(text: str) -> tuple[int, ...]:
    """Raises WebError 400 for what is no list of frame numbers."""
    listed = text.split(",")
    if not all(each.isascii() and each.isdigit() and len(each) < 10 for each in listed):
        raise WebError(400, "frames: expected numbers from 1 on, with commas between them")
    if len(listed) > _MOST_FRAMES:
        raise WebError(400, f"frames: more than {_MOST_FRAMES}; ask in several requests")
    return tuple(map(int, listed))


def _frame_form(request: WebRequest, stored: str, number: int) -> tuple[str, str, bool]:
    """Media type and transfer syntax of frames, and whether they are parts of a multipart."""
    own = webframes.MEDIA_TYPES.get(stored)
    row = SYNTAXES.get(stored)
    # what is not compressed has no VR, and its words come as little endian out of every file
    as_stored = stored if row is None or row.decoder else EXPLICIT_LITTLE_ENDIAN
    for wish in wishes(request):
        kind, asked = _parts(wish) or wish.type, wish.get("transfer-syntax")
        if not _parts(wish) and number > 1:
            continue
        if covers(kind, webframes.OCTETS) and asked in (None, EXPLICIT_LITTLE_ENDIAN):
            return webframes.OCTETS, EXPLICIT_LITTLE_ENDIAN, bool(_parts(wish))
        if covers(kind, webframes.OCTETS) and asked in (AS_STORED, stored):
            return webframes.OCTETS, as_stored, bool(_parts(wish))
        if own is not None and covers(kind, own) and asked in (None, AS_STORED, stored):
            return own, stored, bool(_parts(wish))
    stored_form = "" if own is None else f", or {own}"
    raise WebError(406, f"frames are here in {webframes.OCTETS}{stored_form}, as multipart/related")


def bulk_data(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """One binary value that metadata leave out; of compressed pixel data a part for each frame."""
    text = place.others["bulkdata"]
    if len(text) != 8 or set(text.upper()) - set("0123456789ABCDEF"):
        raise WebError(400, "bulkdata: expected a tag, eight hexadecimal digits")
    tag = int(text, 16)
    (instance,) = held(place, call, web.source)
    try:
        stored = stored_syntax(instance, call, web.source)
        if tag == PIXEL_DATA and stored in webframes.MEDIA_TYPES:
            # where nobody tells how many there are, they may be several
            form = _frame_form(request, stored, instance.frames or 2)
            return _frames(instance, (), form, call, web.source)
        return _value(request, tag, instance, call, web.source)
    except OSError as error:
        raise unreadable(place.instance) from error


def _value(
    request: WebRequest, tag: int, instance: HeldInstance, call: Call, source: Source
) -> WebAnswer:
    """One binary value by itself. Raises OSError."""
    wanted = [
        wish for wish in wishes(request) if covers(_parts(wish) or wish.type, webframes.OCTETS)
    ]
    if not wanted:
        raise WebError(406, f"bulk data is here in {webframes.OCTETS}")
    file = partial(source.archive.file, instance, while_streaming(call))
    try:
        content = webframes.bulk_data(file, tag, source.pixels)
    except CannotTranscode as error:
        raise WebError(406, str(error)) from error
    if content is None:
        raise WebError(404, "the instance has no such element")
    place = place_of(instance)
    if not _parts(wanted[0]):
        return WebAnswer(200, webframes.OCTETS, (content,), (), ids(place))
    around = Related.of(webframes.OCTETS)
    return WebAnswer(200, around.media_type, around.body((content,)), (), ids(place))
