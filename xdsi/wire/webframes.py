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
from xdsi.wire.dicomparts import LONG_FORM, Stored, Unreadable, frames_of, size_of
from xdsi.wire.frames import Frames, format_of, native_span
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
    """Frames by number, from 1, in one body; without numbers all of them.

    around: the parts they become; None for one frame by itself
    syntax: the one they are stored in, or Explicit VR Little Endian
    The header is looked at now, pixels when the content is read.
    Raises NoSuchFrame, CannotTranscode, OSError.
    """
    try:
        with closing(taken_apart(open_, limits)) as stored:
            numbers = numbers or range(1, format_of(stored, limits).frames + 1)
            pick, total = _picked(stored, numbers, limits, syntax)
    except Unreadable as why:
        raise CannotTranscode(f"the stored file {why}") from None
    size = total + (0 if around is None else len(numbers) * len(around.head(syntax)))
    size += 0 if around is None else len(around.end)

    def chunks() -> Generator[bytes, None, None]:
        try:
            with closing(taken_apart(open_, limits)) as stored:
                octets = pick(stored)
                for number in numbers:
                    if around is not None:
                        yield around.head(syntax)
                    yield from octets(number)
                if around is not None:
                    yield around.end
        except Unreadable as why:
            raise OSError(f"the stored file {why}") from None

    return Content(size, lambda: ChunkReader(chunks()))


Pick = Callable[[Stored], Callable[[int], Iterable[bytes]]]


def _picked(
    stored: Stored, numbers: Sequence[int], limits: PixelLimits, syntax: str
) -> tuple[Pick, int]:
    """What gives a frame by its number out of the file opened again; octets of all asked for."""
    form = format_of(stored, limits)
    if beyond := [each for each in numbers if not 0 < each <= form.frames]:
        raise NoSuchFrame(f"frame {beyond[0]} is asked for, and there are {form.frames}")
    assert stored.pixels is not None  # noqa: S101 - they have a format
    if stored.pixels.fragments is None:
        Frames(stored, limits)  # which judges whether they are there
        length, rest = divmod(form.bits, 8)
        if rest and form.frames > 1:
            raise Unreadable("has frames that do not begin with an octet")
        length += bool(rest)

        def native(file: Stored) -> Callable[[int], Iterable[bytes]]:
            held = Frames(file, limits)
            return lambda number: held.octets((number - 1) * length, number * length)

        return native, length * len(numbers)
    if syntax == stored.syntax:
        held = frames_of(stored, form.frames)

        def as_stored(file: Stored) -> Callable[[int], Iterable[bytes]]:
            return lambda number: (
                chunk for span in held[number - 1] for chunk in file.octets(span)
            )

        return as_stored, sum(size_of(held[each - 1]) for each in numbers)
    Frames(stored, limits)  # which judges whether they can be decoded
    if form.is_subsampled and form.columns % 2:
        raise Unreadable("has subsampled colours in an odd number of columns")

    def decoded(file: Stored) -> Callable[[int], Iterable[bytes]]:
        held = Frames(file, limits, keeps_colours=True)
        return lambda number: (_described(held, number - 1),)

    return decoded, form.bits // 8 * len(numbers)


def _described(frames: Frames, index: int) -> bytes:
    """A decoded frame, written as the header of the stored instance says.

    A whole instance gets a header that fits its pixels; a frame has none. Viewers read it by the
    metadata, which tell the colours and planes of the stored instance. Those of JPEG 2000
    (YBR_RCT, YBR_ICT) have no other form than RGB, and are read so.
    """
    import numpy as np

    array, form = frames[index], frames.format
    if form.is_subsampled:
        pairs = array.reshape(-1, 2, 3)
        shared = pairs[:, :, 1:].mean(axis=1).round().astype(array.dtype)
        return np.concatenate((pairs[:, :, 0], shared), axis=1).tobytes()
    if form.planar and form.samples == 3:
        return array.transpose(2, 0, 1).tobytes()
    return array.tobytes()


def bulk_data(open_: Callable[[], BinaryIO], tag: int, limits: PixelLimits) -> Content | None:
    """The value of a binary element of the data set, little endian; None where there is none.

    Raises CannotTranscode for pixel data that is compressed, OSError.
    """
    try:
        with closing(taken_apart(open_, limits)) as stored:
            if stored.pixels is not None and stored.pixels.tag == tag:
                if stored.pixels.fragments is not None:
                    raise CannotTranscode("its pixel data is compressed; ask for its frames")
                size, head = native_span(stored).length, 0
            else:
                found = [each for each in stored.elements if each.tag == tag]
                if not found:
                    return None
                first = found[0].pieces[0]
                octets = first if isinstance(first, bytes) else next(stored.octets(first))
                head = 12 if octets[4:6] in LONG_FORM else 8
                size = size_of(found[0].pieces) - head
    except Unreadable as why:
        raise OSError(f"the stored file {why}") from None

    def chunks() -> Generator[bytes, None, None]:
        try:
            with closing(taken_apart(open_, limits)) as stored:
                if not head and stored.pixels is not None:
                    yield from stored.octets(native_span(stored))
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
