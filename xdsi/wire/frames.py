"""Frames of an instance as arrays, and arrays as compressed frames.

numpy and the codecs are imported where the first frame needs them: together they take 0.4 s and
16 MiB, which a node that never transcodes should not pay for when it starts.
Source: DICOM PS3.3 C.7.6.3, PS3.5 8, A.4, G (RLE).
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdsi.standard import dicom
from xdsi.wire.codestreams import CodeStream, described
from xdsi.wire.dicomparts import Span, Stored, Unreadable, frames_of, size_of
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.transfersyntax import SYNTAXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_FAILURES = (RuntimeError, ValueError, TypeError, MemoryError, OverflowError, ArithmeticError)
_SUBSAMPLED = "YBR_FULL_422"
_FULL = frozenset({"YBR_FULL", _SUBSAMPLED})
_TRANSFORMED = frozenset({"YBR_RCT", "YBR_ICT"})  # undone by every decoder of JPEG 2000
_RLE_SEGMENTS = 15
_SMOOTH = (dicom.JPEG_BASELINE, dicom.JPEG_EXTENDED)


@dataclass(frozen=True, slots=True)
class Format:
    """How pixel data is written (PS3.3 C.7.6.3). planar: colours one after the other."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def is_subsampled(self) -> bool:
        """Whether two neighbours share their colour: Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2)."""
        return self.samples == 3 and self.photometric == _SUBSAMPLED

    @property
    def bits(self) -> int:
        """Of one frame that is not compressed."""
        samples = 2 if self.is_subsampled else self.samples
        return self.rows * self.columns * samples * self.allocated

    @property
    def decoded_bits(self) -> int:
        """Of one frame that was compressed: all samples at full resolution."""
        return self.rows * self.columns * self.samples * self.allocated


def format_of(stored: Stored, limits: PixelLimits) -> Format:
    """Raises Unreadable where a value is missing or beyond a limit."""
    if stored.pixels is None:
        raise Unreadable("has no pixel data")
    text = stored.text(dicom.NUMBER_OF_FRAMES) or "1"
    made = Format(
        rows=stored.number(dicom.ROWS),
        columns=stored.number(dicom.COLUMNS),
        samples=stored.number(dicom.SAMPLES_PER_PIXEL) or 1,
        allocated=stored.number(dicom.BITS_ALLOCATED),
        # real numbers have all their bits and do not say so
        stored=stored.number(dicom.BITS_STORED) or stored.number(dicom.BITS_ALLOCATED),
        signed=stored.number(dicom.PIXEL_REPRESENTATION) == 1,
        photometric=stored.text(dicom.PHOTOMETRIC_INTERPRETATION),
        planar=stored.number(dicom.PLANAR_CONFIGURATION) == 1,
        # as text: a length limit in front, since int() of a long one takes its time
        frames=int(text) if text.isdecimal() and len(text) < 10 else 0,
    )
    if not (made.rows and made.columns and made.frames):
        raise Unreadable("has pixel data without rows, columns or a number of frames")
    if made.samples not in (1, 3) or made.allocated not in (1, 8, 16, 32, 64):
        raise Unreadable(f"has {made.samples} samples of {made.allocated} bits a pixel")
    if not 0 < made.stored <= made.allocated:
        raise Unreadable(f"stores {made.stored} bits in {made.allocated}")
    if made.decoded_bits // 8 > limits.frame:
        raise Unreadable(f"has a frame of {made.decoded_bits // 8} octets, above the limit")
    if made.frames > limits.frames:
        raise Unreadable(f"has {made.frames} frames, above the limit of {limits.frames}")
    return made


def native_span(stored: Stored) -> Span:
    """All pixel data that is not compressed, words turned as wide as its samples are."""
    if stored.pixels is None:
        raise Unreadable("has no pixel data")
    span, octets = stored.pixels.span, stored.number(dicom.BITS_ALLOCATED) // 8
    if span.width == 1 or octets not in (4, 8):
        return span
    return Span(span.offset, span.length, octets)


def judge_syntax(stored: Stored) -> None:
    """Raises Unreadable where the bytes of the file cannot be what its syntax says."""
    row = SYNTAXES.get(stored.syntax)
    if row is None:
        raise Unreadable(f"is in {stored.syntax or 'no syntax'}, which is not decoded here")
    if stored.pixels and bool(row.decoder) != (stored.pixels.fragments is not None):
        raise Unreadable("has pixel data that is not encoded as its transfer syntax says")


class Frames:
    """The frames of one instance. Its header is judged at once, a frame when it is asked for.

    photometric: what the arrays are in, which is not always what the file says of itself
    keeps_colours: lossy ones that are stored as YBR_FULL stay so, instead of becoming RGB
    """

    def __init__(self, stored: Stored, limits: PixelLimits, *, keeps_colours: bool = False) -> None:
        judge_syntax(stored)
        self.format = format_of(stored, limits)
        self.stored, self.limit = stored, limits.frame
        if stored.pixels is None:
            raise Unreadable("has no pixel data")
        self.pixels = stored.pixels
        self.fragments: tuple[tuple[Span, ...], ...] = ()
        if stored.pixels.fragments is None:
            if self.format.bits * self.format.frames > stored.pixels.span.length * 8:
                raise Unreadable("has less pixel data than its header says")
            self.photometric = self.format.photometric.replace(_SUBSAMPLED, "YBR_FULL")
            return
        if self.format.allocated == 1:
            raise Unreadable("has single bits in compressed frames")
        self._judge_size(limits)
        self.fragments = frames_of(stored, self.format.frames)
        self.photometric = self._decoded_photometric(keeps_colours)
        if stored.syntax != dicom.RLE_LOSSLESS:
            self.code_stream(0)

    def __getitem__(self, index: int) -> "Array":
        """One frame as (rows, columns) or (rows, columns, 3). Raises Unreadable, OSError."""
        try:
            if self.fragments:
                return _DECODERS[self.stored.syntax](self, index)
            return self._native(index)
        except _FAILURES as failure:
            raise Unreadable(
                f"has a frame {index + 1} that cannot be decoded: {str(failure)[:80]}"
            ) from None

    def code_stream(self, index: int) -> CodeStream:
        """The compressed octets of a frame, which tell what the header tells."""
        code = described(self.encoded(index))
        form = self.format
        if code is None:
            raise Unreadable(f"has a frame {index + 1} that is no code stream read here")
        if (code.rows, code.columns, code.samples) != (form.rows, form.columns, form.samples):
            raise Unreadable(
                f"has a frame {index + 1} of {code.columns} by {code.rows} pixels "
                f"where its header says {form.columns} by {form.rows}"
            )
        if code.precision > form.allocated:
            raise Unreadable(f"has a frame {index + 1} of {code.precision} bits, above its header")
        return code

    def encoded(self, index: int) -> bytes:
        fragments = self.fragments[index]
        if size_of(fragments) > self.limit:
            raise Unreadable(f"has a frame {index + 1} of more than {self.limit} octets")
        return b"".join(chunk for each in fragments for chunk in self.stored.octets(each))

    def _judge_size(self, limits: PixelLimits) -> None:
        decoded = self.format.decoded_bits // 8 * self.format.frames
        if decoded > max(limits.frame, limits.factor * self.pixels.span.length):
            raise Unreadable(f"has pixel data that grows to more than {limits.factor} times")

    def _decoded_photometric(self, keeps_colours: bool) -> str:
        said = self.format.photometric
        if self.stored.syntax in _SMOOTH and self.format.samples == 3:
            return "YBR_FULL" if keeps_colours and said in _FULL else "RGB"
        if said in _TRANSFORMED:
            return "RGB"
        return said.replace(_SUBSAMPLED, "YBR_FULL")

    def _native(self, index: int) -> "Array":
        import numpy as np

        form = self.format
        if form.allocated == 1:
            first = form.bits * index
            data = b"".join(self.octets(first // 8, (first + form.bits + 7) // 8))
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            return bits[first % 8 :][: form.bits].reshape(form.rows, form.columns)
        size = form.bits // 8
        data = b"".join(self.octets(size * index, size * (index + 1)))
        kind = {dicom.FLOAT_PIXEL_DATA: "f", dicom.DOUBLE_FLOAT_PIXEL_DATA: "f"}.get(
            self.pixels.tag, "i" if form.signed else "u"
        )
        flat = np.frombuffer(data, f"<{kind}{form.allocated // 8}")
        if form.is_subsampled:
            if form.columns % 2:
                raise Unreadable("has subsampled colours in an odd number of columns")
            quads = flat.reshape(-1, 4)
            return quads[:, [0, 2, 3, 1, 2, 3]].reshape(form.rows, form.columns, 3)
        if form.samples == 1:
            return flat.reshape(form.rows, form.columns)
        if form.planar:
            return flat.reshape(3, form.rows, form.columns).transpose(1, 2, 0)
        return flat.reshape(form.rows, form.columns, 3)

    def octets(self, start: int, end: int) -> Iterator[bytes]:
        """Of pixel data that is not compressed, as little endian, in chunks.

        A word that is to be turned is read whole.
        """
        span = native_span(self.stored)
        first = start - start % span.width
        last = min(end + -end % span.width, span.length)
        skip, left = start - first, end - start
        for chunk in self.stored.octets(Span(span.offset + first, last - first, span.width)):
            yield (piece := chunk[skip : skip + left])
            skip, left = 0, left - len(piece)


def _in_container(frames: Frames, code: CodeStream, array: "Array") -> "Array":
    """Samples as wide as the header says; a sign that the code stream does not know is kept."""
    import numpy as np

    form = frames.format
    if form.signed and not code.signed and code.precision < form.allocated:
        spare = form.allocated - code.precision
        wide = array.astype(f"<u{form.allocated // 8}") << spare
        return np.asarray(wide.view(f"<i{form.allocated // 8}") >> spare)
    kind = f"<{'i' if form.signed else 'u'}{form.allocated // 8}"
    if array.dtype.itemsize * 8 == form.allocated:
        return array.view(kind)
    return array.astype(kind)


def _jpeg(frames: Frames, index: int) -> "Array":
    """Lossy colours come out as RGB, which all can show, unless they are kept as they are.

    Which they are is said by the marker of Adobe, else by the header (PS3.5 8.2.1).
    """
    import imagecodecs

    code = frames.code_stream(index)
    if code.samples == 1:
        return _in_container(frames, code, imagecodecs.jpeg8_decode(code.content))
    smooth = frames.stored.syntax in _SMOOTH
    is_ybr = smooth and (frames.format.photometric in _FULL or code.adobe == 1)
    colours = "YCBCR" if is_ybr else "RGB"
    wanted = "YCBCR" if smooth and frames.photometric == "YBR_FULL" else "RGB"
    array = imagecodecs.jpeg8_decode(code.content, colorspace=colours, outcolorspace=wanted)
    return _in_container(frames, code, array)


def _jpeg_ls(frames: Frames, index: int) -> "Array":
    """CharLS (2.4.3) may take some 8 s to find out that a frame is damaged, other threads going on.

    One frame in 10,000 damaged ones does so; it ends in an error, and with it the instance.
    """
    import imagecodecs

    code = frames.code_stream(index)
    return _in_container(frames, code, imagecodecs.jpegls_decode(code.content))


def _jpeg_2000(frames: Frames, index: int) -> "Array":
    import imagecodecs

    code = frames.code_stream(index)
    return _in_container(frames, code, imagecodecs.jpeg2k_decode(code.content, planar=False))


def _htj2k(frames: Frames, index: int) -> "Array":
    import imagecodecs

    code = frames.code_stream(index)
    return _in_container(frames, code, imagecodecs.htj2k_decode(code.content, planar=False))


def _rle(frames: Frames, index: int) -> "Array":
    """PS3.5 G: a segment for each octet of each sample, the highest first."""
    import imagecodecs
    import numpy as np

    form, data = frames.format, frames.encoded(index)
    octets, pixels = form.allocated // 8, form.rows * form.columns
    if len(data) < 64:
        raise Unreadable(f"has a frame {index + 1} without RLE header")
    number, *offsets = struct.unpack_from("<16I", data)
    if not number == form.samples * octets <= _RLE_SEGMENTS:
        raise Unreadable(f"has a frame {index + 1} of {number} RLE segments")
    planes = np.zeros((form.samples, pixels, octets), np.uint8)
    for each in range(number):
        end = offsets[each + 1] if each + 1 < number else len(data)
        if not 64 <= offsets[each] <= end <= len(data):
            raise Unreadable(f"has a frame {index + 1} with RLE segments out of order")
        sample, octet = divmod(each, octets)
        segment = imagecodecs.packbits_decode(data[offsets[each] : end], out=pixels)
        if len(segment) != pixels:
            raise Unreadable(f"has a frame {index + 1} with an RLE segment cut short")
        planes[sample, :, octets - 1 - octet] = np.frombuffer(segment, np.uint8)
    kind = f"<{'i' if form.signed else 'u'}{octets}"
    array = planes.view(kind).reshape(form.samples, form.rows, form.columns)
    return array[0] if form.samples == 1 else array.transpose(1, 2, 0)


# by the name of the decoder in the table of transfer syntaxes
_BY_NAME: dict[str, Callable[[Frames, int], "Array"]] = {
    "jpeg": _jpeg,
    "jpeg-ls": _jpeg_ls,
    "jpeg-2000": _jpeg_2000,
    "htj2k": _htj2k,
    "rle": _rle,
}
_DECODERS = {uid: _BY_NAME[row.decoder] for uid, row in SYNTAXES.items() if row.decoder}


def jpeg_2000_frame(array: "Array", bits: int, *, decorrelate: bool) -> bytes:
    """Reversibly encoded.

    decorrelate: RGB is written as YBR_RCT, which every decoder undoes
    bits: stored ones; where a value needs more, as with overlays in unused bits, all are kept
    """
    import imagecodecs
    import numpy as np

    array = np.ascontiguousarray(array)
    low, high = int(array.min()), int(array.max())
    signed = array.dtype.kind == "i"
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    fits = least <= low and high <= most
    return bytes(
        imagecodecs.jpeg2k_encode(
            array,
            codecformat="j2k",
            reversible=True,
            level=0,
            mct=decorrelate,
            bitspersample=bits if fits else array.dtype.itemsize * 8,
        )
    )


def rle_frame(array: "Array") -> bytes:
    """PS3.5 G: every row begins a new run."""
    import imagecodecs
    import numpy as np

    if array.ndim == 2:
        array = array[:, :, None]
    octets = array.dtype.itemsize
    if array.shape[2] * octets > _RLE_SEGMENTS:
        raise Unreadable("has more octets a pixel than RLE has segments")
    planes = np.ascontiguousarray(array).view(np.uint8)
    planes = planes.reshape(*array.shape, octets)
    segments = []
    for sample in range(array.shape[2]):
        for octet in reversed(range(octets)):
            rows = np.ascontiguousarray(planes[:, :, sample, octet])
            data = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in rows)
            segments.append(data + b"\0" * (len(data) % 2))
    offsets = [64 + sum(map(len, segments[:each])) for each in range(len(segments))]
    table = [len(segments), *offsets, *[0] * (_RLE_SEGMENTS - len(segments))]
    return struct.pack("<16I", *table) + b"".join(segments)
