"""One frame of an instance as a picture for the screen.

Done: modality and VOI transformations of the instance and of its functional groups, windows asked
for, all photometric interpretations that images of today use, region, size, quality. Not done:
overlays, annotation (nothing is burnt in), presentation states, shutters, pixel aspect ratios
other than 1, ICC profiles, and moving pictures of several frames.
Pillow, numpy and pydicom are imported where the first picture is made, see `xdsi.wire.frames`.
Source: DICOM PS3.18 8.3.5, PS3.3 C.7.6.3, C.11.1, C.11.2; IMG-162, IMG-184.
"""

import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from xdsi.standard import wado
from xdsi.wire.dicomparts import Stored, Unreadable, size_of
from xdsi.wire.frames import Frames, format_of
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.recoding import taken_apart
from xdsi.wire.transfersyntax import SYNTAXES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from pydicom.dataset import Dataset

    Array = NDArray[Any]

# media type -> Pillow's name of it
MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
_QUALITY = 90
_DEEP = 1 << 16  # from so many different values on, a table of them does not pay
_HEADER_GROUPS = frozenset({0x0028, 0x5200})
# What a header full of nonsense makes pydicom and the arithmetic raise.
_FAILURES = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError, MemoryError,
    OSError, EOFError,
)  # fmt: skip


class CannotRender(Exception):
    """One line that says why there is no picture.

    code: of `xdsi.standard.wado` (IMG-184)
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the picture is to be like.

    media_type: image/jpeg, image/png or image/gif
    frame: from 1; None: the only one
    rows, columns: the box it must fit into, the aspect kept; None: as it is
    window: (centre, width); None: as the instance says, else all values
    region: left, top, right, bottom as parts of 1 of the stored picture; None: all of it
    quality: 1 to 100, of JPEG alone
    """

    media_type: str = "image/jpeg"
    frame: int | None = None
    rows: int | None = None
    columns: int | None = None
    window: tuple[float, float] | None = None
    region: tuple[float, float, float, float] | None = None
    quality: int | None = None


def rendered(open_: Callable[[], BinaryIO], wish: Rendering, limits: PixelLimits) -> bytes:
    """The encoded picture of one frame.

    open_: the stored file, seekable; closed here
    Raises CannotRender, OSError.
    """
    _judge(wish)
    try:
        with closing(taken_apart(open_, limits)) as stored:
            index = _index(stored, wish, limits)
            frames = Frames(stored, limits)
            array, header = frames[index], _header(stored, limits)
    except Unreadable as why:
        raise CannotRender(f"the stored file {why}", wado.PROCESSING_FAILURE) from None
    try:
        picture = _picture(array, frames, header, index, wish)
        return _encoded(_placed(picture, wish, limits), wish)
    except _FAILURES as failure:
        reason = f"the picture cannot be made: {str(failure)[:80]}"
        raise CannotRender(reason, wado.PROCESSING_FAILURE) from None


def _judge(wish: Rendering) -> None:
    if wish.media_type not in MEDIA_TYPES:
        known = ", ".join(MEDIA_TYPES)
        raise CannotRender(
            f"no pictures of type {wish.media_type}, only {known}", wado.NO_SUCH_TYPE
        )
    for name, size in (("rows", wish.rows), ("columns", wish.columns)):
        if size is not None and size < 1:
            raise _bad(f"{name} must be at least 1")
    if wish.window and not wish.window[1] > 0:
        raise _bad("the width of the window must be above 0")
    if wish.region:
        left, top, right, bottom = wish.region
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise _bad("the region must be left, top, right, bottom between 0 and 1")
    if wish.quality is not None and not 1 <= wish.quality <= 100:
        raise _bad("the quality must be 1 to 100")


def _bad(reason: str) -> CannotRender:
    return CannotRender(reason, wado.BAD_PARAMETER)


def _index(stored: Stored, wish: Rendering, limits: PixelLimits) -> int:
    """The frame asked for, from 0."""
    if stored.pixels is None:
        raise CannotRender("the instance is no image", wado.NOT_IN_THIS_TYPE)
    if stored.syntax not in SYNTAXES:
        reason = f"the image is stored in {stored.syntax}, which is not decoded here"
        raise CannotRender(reason, wado.NOT_IN_THIS_TYPE)
    number = format_of(stored, limits).frames
    if wish.frame is None:
        if number > 1:
            raise CannotRender(f"the image has {number} frames: name one", wado.FRAME_NEEDED)
        return 0
    if not 1 <= wish.frame <= number:
        raise CannotRender(f"the image has frames 1 to {number} only", wado.NO_SUCH_FRAME)
    return wish.frame - 1


def _header(stored: Stored, limits: PixelLimits) -> "Dataset":
    """The elements that say how pixels are shown."""
    from pydicom.filereader import read_dataset

    wanted = [
        piece
        for each in stored.elements
        if each.tag >> 16 in _HEADER_GROUPS
        for piece in each.pieces
    ]
    if size_of(wanted) > limits.header:
        raise Unreadable(f"has more than {limits.header} octets about its pixels")
    content = b"".join(chunk for piece in wanted for chunk in stored.octets(piece))
    return read_dataset(io.BytesIO(content), is_implicit_VR=False, is_little_endian=True)


def _picture(
    array: "Array", frames: Frames, header: "Dataset", index: int, wish: Rendering
) -> "Image":
    """The whole frame with 8 bits a sample, grey or RGB."""
    import numpy as np
    from PIL import Image
    from pydicom.pixels.processing import apply_color_lut

    form, colours = frames.format, frames.photometric
    if form.samples == 3:
        if colours not in ("RGB", "YBR_FULL"):
            raise CannotRender(f"colours in {colours} are not shown here", wado.NOT_IN_THIS_TYPE)
        shallow = (array >> max(form.stored - 8, 0)).astype(np.uint8)
        if colours == "RGB":
            return Image.fromarray(np.ascontiguousarray(shallow))
        return Image.merge(
            "YCbCr",
            [Image.fromarray(np.ascontiguousarray(shallow[..., each])) for each in range(3)],
        ).convert("RGB")
    if colours == "PALETTE COLOR":
        painted = apply_color_lut(_stored_bits(array, form.stored), header)
        return Image.fromarray((painted >> 8 * (painted.dtype.itemsize - 1)).astype(np.uint8))
    if not colours.startswith("MONOCHROME"):
        raise CannotRender(f"pixels in {colours} are not shown here", wado.NOT_IN_THIS_TYPE)
    grey = _grey(_stored_bits(array, form.stored), header, index, wish.window)
    return Image.fromarray(255 - grey if colours == "MONOCHROME1" else grey)


def _stored_bits(array: "Array", bits: int) -> "Array":
    """Values without what else lies in their upper bits, an overlay of old say."""
    spare = array.dtype.itemsize * 8 - bits
    return array << spare >> spare if spare and array.dtype.kind in "iu" else array


def _grey(
    array: "Array", header: "Dataset", index: int, window: tuple[float, float] | None
) -> "Array":
    """Stored values as shades from 0 to 255: each value that occurs is looked at once."""
    import numpy as np

    padding = header.get("PixelPaddingValue")
    shown = array[array != padding] if isinstance(padding, int) else array
    shown = shown if shown.size else array
    with np.errstate(all="ignore"):
        low, high = np.nanmin(array), np.nanmax(array)
        extent = np.array([np.nanmin(shown), np.nanmax(shown)])
        if array.dtype.kind in "iu" and int(high) - int(low) < _DEEP:
            values = np.arange(int(low), int(high) + 1)
            table = _shades(values, extent, header, index, window)
            return np.asarray(table[array.astype(np.int64) - int(low)])
        return _shades(array, extent, header, index, window)


def _shades(
    values: "Array",
    extent: "Array",
    header: "Dataset",
    index: int,
    window: tuple[float, float] | None,
) -> "Array":
    """PS3.3 C.11.1 (modality), then C.11.2 (values of interest)."""
    import numpy as np
    from pydicom.pixels.processing import apply_modality_lut, apply_voi

    rescale = _group(header, index, "PixelValueTransformationSequence")
    interest = _group(header, index, "FrameVOILUTSequence")

    def modality(numbers: "Array") -> "Array":
        if header.get("ModalityLUTSequence"):
            return apply_modality_lut(numbers, header)
        return numbers * float(rescale.get("RescaleSlope", None) or 1) + float(
            rescale.get("RescaleIntercept", None) or 0
        )

    numbers = modality(values)
    function = "LINEAR"
    if window is None and (luts := header.get("VOILUTSequence")):
        entry_bits = int(luts[0].LUTDescriptor[2])
        shades = apply_voi(np.rint(numbers).astype(np.int64), header) / ((1 << entry_bits) - 1)
    else:
        if window is None and (width := _first(interest.get("WindowWidth"))):
            window = _first(interest.get("WindowCenter")) or 0.0, width
            function = str(interest.get("VOILUTFunction", None) or function)
        if window is None:
            least, most = sorted(float(each) for each in modality(extent))
            window, function = ((least + most) / 2, most - least or 1.0), "LINEAR_EXACT"
        shades = _windowed(numbers, *window, function)
    return np.rint(np.nan_to_num(np.clip(shades, 0, 1)) * 255).astype(np.uint8)


def _windowed(numbers: "Array", centre: float, width: float, function: str) -> "Array":
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, from 0 to 1 and beyond."""
    import numpy as np

    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (numbers - centre) / width)))
    if function == "LINEAR_EXACT" or width < 1:
        return np.asarray((numbers - centre) / width + 0.5)
    if width == 1:
        return np.asarray((numbers > centre - 0.5).astype(float))
    return np.asarray((numbers - (centre - 0.5)) / (width - 1) + 0.5)


def _group(header: "Dataset", index: int, keyword: str) -> "Dataset":
    """Where the attributes of a functional group stand: of the frame, of all, of the instance."""
    for name, item in (
        ("PerFrameFunctionalGroupsSequence", index),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        groups = header.get(name)
        if groups and item < len(groups) and (found := groups[item].get(keyword)):
            return found[0]  # type: ignore[no-any-return]
    return header


def _first(value: Any) -> float | None:
    """The first of one or several decimal strings."""
    if value is None or value == "":
        return None
    return float(value) if isinstance(value, int | float | str) else float(value[0])


def _placed(picture: "Image", wish: Rendering, limits: PixelLimits) -> "Image":
    """The region asked for, in the box asked for."""
    from PIL import Image

    if wish.region:
        left, top, right, bottom = wish.region
        x = min(round(left * picture.width), picture.width - 1)
        y = min(round(top * picture.height), picture.height - 1)
        picture = picture.crop(
            (
                x,
                y,
                max(round(right * picture.width), x + 1),
                max(round(bottom * picture.height), y + 1),
            )
        )
    scales = [
        wanted / real
        for wanted, real in ((wish.columns, picture.width), (wish.rows, picture.height))
        if wanted is not None
    ]
    if not scales:
        return picture
    width, height = (max(1, round(real * min(scales))) for real in (picture.width, picture.height))
    octets = width * height * len(picture.getbands())
    if octets > limits.frame or (octets > limits.enlarged and width > picture.width):
        raise CannotRender(f"a picture of {width} by {height} pixels is too large", wado.TOO_MUCH)
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _encoded(picture: "Image", wish: Rendering) -> bytes:
    target = io.BytesIO()
    settings = {"quality": wish.quality or _QUALITY} if wish.media_type == "image/jpeg" else {}
    picture.save(target, MEDIA_TYPES[wish.media_type], **settings)
    return target.getvalue()
