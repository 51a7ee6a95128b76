"""Frames and bulk data of an instance, as they are stored or uncompressed.

Source: DICOM PS3.18 8.7.3 (media types), 10.4.1.1.5 and 10.4.1.1.6.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import BinaryIO

from xdsi.model.messages import Content
from xdsi.standard import dicom
from xdsi.wire.chunks import ChunkReader
from xdsi.wire.dicomparts import Span, Stored, Unreadable, frames_of, size_of
from xdsi.wire.frames import Frames, format_of
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.recoding import taken_apart
from xdsi.wire.related import Related
from xdsi.wire.transcoding import CannotTranscode

OCTETS = "application/octet-stream"
# what a frame is by itself, where its transfer syntax compresses it
MEDIA_TYPES = MappingProxyType(
    {
        dicom.JPEG_BASELINE: "image/jpeg",
        dicom.JPEG_EXTENDED: "image/jpeg",
        dicom.JPEG_LOSSLESS: "image/jpeg",
        dicom.JPEG_LOSSLESS_SV1: "image/jpeg",
        dicom.JPEG_LS_LOSSLESS: "image/jls",
        dicom.JPEG_LS_NEAR_LOSSLESS: "image/jls",
        dicom.JPEG_2000_LOSSLESS: "image/jp2",
        dicom.JPEG_2000: "image/jp2",
        dicom.HTJ2K_LOSSLESS: "image/jphc",
        dicom.HTJ2K_LOSSLESS_RPCL: "image/jphc",
        dicom.HTJ2K: "image/jphc",
        dicom.RLE_LOSSLESS: "image/dicom-rle",
    }
)
_LONG_HEAD = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


class NoSuchFrame(Exception):
    """One line that says which frames there are."""


def frames(
    open_: Callable[[], BinaryIO],
    numbers: Sequence[int],
    around: Related | None,
    limits: PixelLimits,
    *,
    syntax: str,
) -> Content:
    """Frames by number, from 1, in one body.

    around: the parts they become; None for one frame by itself
    syntax: the one they are stored in, or Explicit VR Little Endian
    The header is looked at now, pixels when the content is read.
    Raises NoSuchFrame, CannotTranscode, OSError.
    """
    try:
        with closing(taken_apart(open_, limits)) as stored:
            spans, total = _spans(stored, numbers, limits, syntax)
    except Unreadable as why:
        raise CannotTranscode(f"the stored file {why}") from None
    size = total + (0 if around is None else len(numbers) * len(around.head(syntax)))
    size += 0 if around is None else len(around.end)

    def chunks() -> Generator[bytes, None, None]:
        try:
            with closing(taken_apart(open_, limits)) as stored:
                decoded = None if spans else Frames(stored, limits)
                for at, number in enumerate(numbers):
                    if around is not None:
                        yield around.head(syntax)
                    if decoded is not None:
                        yield decoded[number - 1].tobytes()
                    else:
                        yield from _octets(stored, spans[at])
                if around is not None:
                    yield around.end
        except Unreadable as why:
            raise OSError(f"the stored file {why}") from None

    return Content(size, lambda: ChunkReader(chunks()))


def _spans(
    stored: Stored, numbers: Sequence[int], limits: PixelLimits, syntax: str
) -> tuple[list[Sequence[Span]], int]:
    """Where the frames lie, nowhere if they must be decoded; octets of all of them."""
    form = format_of(stored, limits)
    if beyond := [each for each in numbers if not 0 < each <= form.frames]:
        raise NoSuchFrame(f"frame {beyond[0]} is asked for, and there are {form.frames}")
    assert stored.pixels is not None  # noqa: S101 - they have a format
    if stored.pixels.fragments is None:
        native = Frames(stored, limits).pixels.span
        length, rest = divmod(form.bits, 8)
        if rest and form.frames > 1:
            raise Unreadable("has frames that do not begin with an octet")
        length += bool(rest)
        spans: list[Sequence[Span]] = [
            (Span(native.offset + (each - 1) * length, length, native.width),) for each in numbers
        ]
    elif syntax == stored.syntax:
        held = frames_of(stored, form.frames)
        spans = [held[each - 1] for each in numbers]
    else:
        Frames(stored, limits)  # which judges whether they can be decoded
        return [], form.decoded_bits // 8 * len(numbers)
    return spans, sum(size_of(each) for each in spans)


def _octets(stored: Stored, spans: Iterable[Span]) -> Generator[bytes, None, None]:
    for span in spans:
        yield from stored.octets(span)


def bulk_data(open_: Callable[[], BinaryIO], tag: int, limits: PixelLimits) -> Content | None:
    """The value of a binary element of the data set, little endian; None where there is none.

    Raises CannotTranscode for pixel data that is compressed, OSError.
    """
    try:
        with closing(taken_apart(open_, limits)) as stored:
            if stored.pixels is not None and stored.pixels.tag == tag:
                if stored.pixels.fragments is not None:
                    raise CannotTranscode("its pixel data is compressed; ask for its frames")
                size, head = stored.pixels.span.length, 0
            else:
                found = [each for each in stored.elements if each.tag == tag]
                if not found:
                    return None
                first = found[0].pieces[0]
                octets = first if isinstance(first, bytes) else next(stored.octets(first))
                head = 12 if octets[4:6] in _LONG_HEAD else 8
                size = size_of(found[0].pieces) - head
    except Unreadable as why:
        raise OSError(f"the stored file {why}") from None

    def chunks() -> Generator[bytes, None, None]:
        try:
            with closing(taken_apart(open_, limits)) as stored:
                if not head and stored.pixels is not None:
                    yield from stored.octets(stored.pixels.span)
                    return
                element = next(each for each in stored.elements if each.tag == tag)
                skip = head
                for piece in element.pieces:
                    for chunk in stored.octets(piece):
                        yield chunk[skip:]
                        skip = max(0, skip - len(chunk))
        except Unreadable as why:
            raise OSError(f"the stored file {why}") from None

    return Content(size, lambda: ChunkReader(chunks()))
