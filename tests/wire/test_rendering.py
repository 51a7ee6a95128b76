"""Pictures of frames: the shades and colours of the standard, in the size asked for."""

import io
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_windowing
from pydicom.sequence import Sequence

from tests.wire.pixelfiles import LIMITS, PART10, damaged, image, ramp, written
from tests.wire.studies import FILES
from tests.wire.test_transcoding import BROKEN, rle
from xdsi.standard import dicom, wado
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.rendering import MEDIA_TYPES, CannotRender, Rendering, rendered


def picture(
    file: bytes | Path, wish: Rendering | None = None, limits: PixelLimits = LIMITS, **wishes: Any
) -> Image.Image:
    """The picture, as PNG unless something else is wished for."""
    wish = wish or Rendering(**{"media_type": "image/png", **wishes})
    data = rendered(
        lambda: io.BytesIO(file) if isinstance(file, bytes) else file.open("rb"), wish, limits
    )
    made = Image.open(io.BytesIO(data))
    assert made.format == MEDIA_TYPES[wish.media_type]
    return made


def shades(file: bytes | Path, **wishes: Any) -> np.ndarray[Any, Any]:
    return np.asarray(picture(file, **wishes))


def refused(file: bytes | Path, limits: PixelLimits = LIMITS, **wishes: Any) -> CannotRender:
    with pytest.raises(CannotRender) as caught:
        picture(file, limits=limits, **wishes)
    return caught.value


SHAPELESS = {*BROKEN, "badVR.dcm", "nested_priv_SQ.dcm"}


def is_image(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        item = pydicom.dcmread(path)
    return "PixelData" in item and path.name not in SHAPELESS


IMAGES = {name: path for name, path in PART10.items() if is_image(path)}
WITHOUT_FRAME = {"rtdose.dcm", "rtdose_rle.dcm", "rtdose_expb.dcm", "examples_ybr_color.dcm",
                 "SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit_2frame.dcm",
                 "SC_rgb_rle_32bit_2frame.dcm"}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("IMG-162")
def test_every_image_has_a_picture_of_its_size(name: str) -> None:
    header = pydicom.dcmread(IMAGES[name], stop_before_pixels=True)
    number = int(header.get("NumberOfFrames", 1))
    made = picture(IMAGES[name], Rendering(frame=number))
    assert made.size == (header.Columns, header.Rows)
    assert made.format == "JPEG"  # the default


@pytest.mark.parametrize("name", PART10)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("IMG-184")
def test_everything_else_is_refused_with_its_code(name: str) -> None:
    if name in IMAGES and PART10[name].name not in WITHOUT_FRAME:
        return
    error = refused(PART10[name])
    if PART10[name].name in WITHOUT_FRAME:
        assert error.code == wado.FRAME_NEEDED
    elif PART10[name].name in SHAPELESS:
        assert error.code in (wado.PROCESSING_FAILURE, wado.NOT_IN_THIS_TYPE)
    else:
        assert (error.code, error.reason) == (wado.NOT_IN_THIS_TYPE, "the instance is no image")


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "693_J2KI.dcm"])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("IMG-162")
def test_shades_are_those_of_the_standard(name: str) -> None:
    """pydicom windows to the range of the stored values, here brought to 256 shades."""
    item = pydicom.dcmread(FILES / name)
    if "WindowWidth" not in item:
        item.WindowCenter, item.WindowWidth = 40, 400
    values = apply_modality_lut(item.pixel_array, item).astype(float)
    windowed = apply_windowing(values, item)
    least, most = apply_windowing(np.array([-1e9, 1e9]), item)
    expected = (windowed - least) / (most - least) * 255
    window = (float(np.ravel(item.WindowCenter)[0]), float(np.ravel(item.WindowWidth)[0]))
    assert np.abs(shades(FILES / name, window=window) - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    "name",
    ["examples_rgb_color.dcm", "examples_jpeg2k.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_rle.dcm",
     "SC_rgb_dcmtk_+eb+cy+s2.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle_16bit.dcm"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("IMG-162")
def test_colours_are_those_that_pydicom_shows(name: str) -> None:
    item = pydicom.dcmread(FILES / name)
    if name == "SC_rgb_jpeg_gdcm.dcm":  # the same picture, which pydicom cannot decode
        item = pydicom.dcmread(FILES / "SC_rgb_rle.dcm")
    expected = pixel_array(item) >> item.BitsStored - 8
    assert np.array_equal(shades(FILES / name), expected)


@pytest.mark.proves("IMG-162")
def test_palette_and_subsampled_colours() -> None:
    palette = pydicom.dcmread(FILES / "examples_palette.dcm")
    expected = apply_color_lut(palette.pixel_array, palette) >> 8
    assert np.array_equal(shades(FILES / "examples_palette.dcm"), expected)
    subsampled = FILES / "SC_ybr_full_422_uncompressed.dcm"
    expected = pixel_array(pydicom.dcmread(subsampled)).astype(int)
    assert np.abs(shades(subsampled) - expected).max() <= 1


GREY = ramp((16, 16), "u1", 8)


@pytest.mark.proves("IMG-162")
def test_monochrome1_is_shown_inverted() -> None:
    assert np.array_equal(shades(image(GREY)), GREY)
    assert np.array_equal(shades(image(GREY, PhotometricInterpretation="MONOCHROME1")), 255 - GREY)


def lut(first: int, bits: int, entries: list[int]) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(entries), first, bits])
    item.add_new(0x00283006, "US", entries)
    return Sequence([item])


def group(**values: Any) -> Sequence:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])


def frame_group(slope: float, window: tuple[float, float]) -> Dataset:
    item = Dataset()
    item.PixelValueTransformationSequence = group(RescaleSlope=slope, RescaleIntercept=0)
    item.FrameVOILUTSequence = group(WindowCenter=window[0], WindowWidth=window[1])
    return item


@pytest.mark.parametrize(
    ("values", "wishes", "value", "shade"),
    [
        pytest.param({}, {}, 0, 0, id="all values, lowest"),
        pytest.param({}, {}, 255, 255, id="all values, highest"),
        pytest.param({"PixelPaddingValue": 255}, {}, 254, 255, id="padding left out"),
        pytest.param({}, {"window": (100, 101)}, 50, 1, id="window asked for"),
        pytest.param({}, {"window": (100, 101)}, 49, 0, id="below the window"),
        pytest.param({}, {"window": (100, 1)}, 100, 255, id="window of one, above"),
        pytest.param({}, {"window": (100, 1)}, 99, 0, id="window of one, below"),
        pytest.param({"WindowCenter": 100, "WindowWidth": 50}, {}, 74, 0, id="own window"),
        pytest.param({"WindowCenter": [100, 9], "WindowWidth": [50, 9]}, {}, 126, 255, id="first"),
        pytest.param(
            {"WindowCenter": 100, "WindowWidth": 50}, {"window": (0, 10)}, 74, 255,
            id="asked for before own",
        ),
        pytest.param(
            {"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "SIGMOID"}, {}, 100, 128,
            id="sigmoid",
        ),
        pytest.param(
            {"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "LINEAR_EXACT"}, {}, 125,
            255, id="linear exact",
        ),
        pytest.param(
            {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 0.5, "WindowWidth": 101},
            {}, 50, 128, id="rescaled",
        ),
        pytest.param(
            {"RescaleSlope": -1, "RescaleIntercept": 0}, {}, 0, 255, id="rescaled, falling",
        ),
        pytest.param(
            {"ModalityLUTSequence": lut(0, 16, [1000 - each for each in range(256)])}, {}, 0, 255,
            id="modality table",
        ),
        pytest.param(
            {"VOILUTSequence": lut(100, 8, [0, 77, 255])}, {}, 101, 77, id="table of interest",
        ),
        pytest.param(
            {"VOILUTSequence": lut(100, 8, [0, 77, 255])}, {}, 250, 255, id="above the table",
        ),
        pytest.param(
            {"SharedFunctionalGroupsSequence": [frame_group(2, (100.5, 201))]}, {}, 50, 128,
            id="shared functional group",
        ),
        pytest.param(
            {"SharedFunctionalGroupsSequence": [frame_group(1, (0, 1))],
             "PerFrameFunctionalGroupsSequence": [frame_group(2, (100.5, 201))]},
            {}, 50, 128, id="functional group of the frame",
        ),
    ],
)  # fmt: skip
@pytest.mark.proves("IMG-162", "IMG-152")
def test_shade_of_a_value(
    values: dict[str, Any], wishes: dict[str, Any], value: int, shade: int
) -> None:
    file = image(GREY, **values)
    assert set(shades(file, **wishes)[value == GREY].tolist()) == {shade}


@pytest.mark.parametrize("kind", ["i2", "u4", "i4"])
@pytest.mark.proves("IMG-162")
def test_deep_and_signed_values_fill_the_shades(kind: str) -> None:
    made = shades(image(ramp((64, 64), kind, 8 * int(kind[1]))))
    assert (made.min(), made.max()) == (0, 255)
    assert np.all(np.diff(made.ravel().astype(int)) >= 0)


@pytest.mark.proves("IMG-162")
def test_an_overlay_in_upper_bits_is_not_taken_for_a_value() -> None:
    clean = ramp((16, 16), "u2", 12)
    marked = clean | 0x8000
    expected = shades(image(clean, BitsStored=12, HighBit=11))
    assert np.array_equal(shades(image(marked, BitsStored=12, HighBit=11)), expected)


@pytest.mark.proves("IMG-162")
def test_real_numbers_are_shown() -> None:
    item = pydicom.dcmread(io.BytesIO(image(ramp((4, 4), "u4", 32))))
    values = np.linspace(-1, 1, 16, dtype="<f4")
    values[0] = np.nan
    del item.PixelData, item.PixelRepresentation, item.BitsStored, item.HighBit
    item.FloatPixelData = values.tobytes()
    made = shades(written(item, dicom.EXPLICIT_LITTLE_ENDIAN))
    assert (made.min(), made.max()) == (0, 255)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.proves("IMG-162")
def test_every_type_shows_the_frame_asked_for(media_type: str) -> None:
    frames = [GREY, GREY[::-1].copy()]
    file = image(GREY, [rle(each) for each in frames], dicom.RLE_LOSSLESS)
    for number, expected in enumerate(frames, start=1):
        made = picture(file, Rendering(media_type, frame=number, quality=100)).convert("L")
        assert np.abs(np.asarray(made).astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("wishes", "size"),
    [
        pytest.param({"columns": 32}, (32, 16), id="columns"),
        pytest.param({"rows": 4}, (8, 4), id="rows"),
        pytest.param({"rows": 100, "columns": 32}, (32, 16), id="box too high"),
        pytest.param({"rows": 4, "columns": 100}, (8, 4), id="box too wide"),
        pytest.param({"rows": 1, "columns": 1}, (1, 1), id="nearly nothing"),
        pytest.param({"region": (0.5, 0, 1, 1)}, (8, 8), id="half"),
        pytest.param({"region": (0, 0, 0.001, 0.001)}, (1, 1), id="a pixel at least"),
        pytest.param({"region": (0.5, 0, 1, 1), "rows": 16}, (16, 16), id="half, larger"),
    ],
)
@pytest.mark.proves("IMG-152", "IMG-162")
def test_size(wishes: dict[str, Any], size: tuple[int, int]) -> None:
    assert picture(image(GREY[:8]), **wishes).size == size


@pytest.mark.proves("SEC-T-150")
def test_a_picture_is_not_enlarged_without_end() -> None:
    small = PixelLimits(enlarged=1_000)
    assert refused(image(GREY), small, columns=40).code == wado.TOO_MUCH
    assert picture(image(GREY), limits=small, columns=31).size[0] == 31
    large = PixelLimits(enlarged=10)
    assert picture(image(GREY), limits=large, columns=8).size[0] == 8, "it is made smaller"


@pytest.mark.proves("IMG-152")
def test_the_region_is_that_part_of_the_picture() -> None:
    part = shades(image(GREY, WindowCenter=128, WindowWidth=256), region=(0.25, 0.5, 0.75, 1))
    assert np.array_equal(part, GREY[8:, 4:12])


@pytest.mark.proves("IMG-152")
def test_quality_is_that_of_jpeg() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8)
    sizes = [
        len(rendered(lambda: io.BytesIO(image(noise)), Rendering(quality=each), LIMITS))
        for each in (10, 90)
    ]
    assert sizes[0] * 2 < sizes[1]


TWO = image(GREY, [rle(GREY)] * 2, dicom.RLE_LOSSLESS)


@pytest.mark.parametrize(
    ("file", "wishes", "code"),
    [
        pytest.param(TWO, {}, wado.FRAME_NEEDED, id="no frame named"),
        pytest.param(TWO, {"frame": 3}, wado.NO_SUCH_FRAME, id="frame behind the last"),
        pytest.param(TWO, {"frame": 0}, wado.NO_SUCH_FRAME, id="frame 0"),
        pytest.param(image(GREY), {"media_type": "image/webp"}, wado.NO_SUCH_TYPE, id="type"),
        pytest.param(image(GREY), {"rows": 0}, wado.BAD_PARAMETER, id="no rows"),
        pytest.param(image(GREY), {"columns": -1}, wado.BAD_PARAMETER, id="fewer columns"),
        pytest.param(image(GREY), {"window": (1, 0)}, wado.BAD_PARAMETER, id="no width"),
        pytest.param(image(GREY), {"window": (1, float("nan"))}, wado.BAD_PARAMETER, id="nan"),
        pytest.param(image(GREY), {"region": (0.5, 0, 0.5, 1)}, wado.BAD_PARAMETER, id="region"),
        pytest.param(image(GREY), {"region": (0, 0, 1, 2)}, wado.BAD_PARAMETER, id="outside"),
        pytest.param(image(GREY), {"quality": 101}, wado.BAD_PARAMETER, id="quality"),
        pytest.param(image(GREY), {"rows": 10**6}, wado.TOO_MUCH, id="a picture of 1 TB"),
        pytest.param(
            image(GREY, [b"x"], "1.2.840.10008.1.2.4.102"), {}, wado.NOT_IN_THIS_TYPE, id="video",
        ),
        pytest.param(
            image(ramp((4, 4, 3), "u1", 8), PhotometricInterpretation="HSV"), {},
            wado.NOT_IN_THIS_TYPE, id="unknown colours",
        ),
        pytest.param(
            image(GREY, PhotometricInterpretation="PALETTE COLOR"), {}, wado.PROCESSING_FAILURE,
            id="palette missing",
        ),
        pytest.param(
            image(GREY, [rle(GREY)[:80]], dicom.RLE_LOSSLESS), {}, wado.PROCESSING_FAILURE,
            id="broken frame",
        ),
        pytest.param(
            image(GREY, VOILUTSequence=lut(0, 8, [])), {}, wado.PROCESSING_FAILURE,
            id="empty table",
        ),
        pytest.param(
            image(GREY, PixelData=None, FloatPixelData=bytes(256)), {}, wado.PROCESSING_FAILURE,
            id="real numbers of 8 bits",
        ),
        pytest.param(b"nothing", {}, wado.PROCESSING_FAILURE, id="no DICOM"),
    ],
)  # fmt: skip
@pytest.mark.proves("IMG-184", "SEC-T-150")
def test_no_picture_has_its_reason(file: bytes, wishes: dict[str, Any], code: str) -> None:
    assert refused(file, **wishes).code == code


@pytest.mark.proves("SEC-T-150")
def test_a_frame_above_the_limit_is_not_decoded() -> None:
    error = refused(image(GREY, [rle(GREY)], dicom.RLE_LOSSLESS), PixelLimits(frame=255))
    assert (error.code, "above the limit" in error.reason) == (wado.PROCESSING_FAILURE, True)


@pytest.mark.proves("SEC-T-150")
def test_the_file_is_closed_whatever_happens() -> None:
    for data in (image(GREY), TWO, b"nothing"):
        file = io.BytesIO(data)
        with suppress(CannotRender):
            rendered(lambda file=file: file, Rendering(), LIMITS)  # type: ignore[misc]
        assert file.closed


@pytest.mark.parametrize(
    "name", ["examples_palette.dcm", "MR_small_jp2klossless.dcm", "SC_rgb_rle_2frame.dcm",
             "SC_ybr_full_422_uncompressed.dcm", "rtdose_rle_1frame.dcm", "liver_1frame.dcm"]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("SEC-T-150")
def test_damaged_files_are_shown_or_refused(name: str) -> None:
    for file in damaged(FILES / name, 20):
        with suppress(CannotRender):
            picture(file, frame=1)
