"""Frames and bulk data as they go out in plain HTTP."""

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRBigEndian

from tests.repository.reading import everything
from tests.wire.pixelfiles import LIMITS, PART10, image, ramp
from xdsi.standard import dicom
from xdsi.wire.dicomparts import Unreadable
from xdsi.wire.frames import Frames, rle_frame
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.recoding import taken_apart
from xdsi.wire.transcoding import CannotTranscode
from xdsi.wire.webframes import bulk_data, frames

PIXELS = 0x7FE00010


def big_endian(kind: str, shape: tuple[int, int], number: int) -> tuple[bytes, bytes]:
    """A file of some frames, and its pixels as little endian."""
    values = np.arange(shape[0] * shape[1] * number, dtype=kind)
    little = values.tobytes()
    # 8 bits in words of 16: the words are the other way round
    big = (values.view("u2") if values.itemsize == 1 else values).byteswap().tobytes()
    array = values[: shape[0] * shape[1]].reshape(shape)
    more = {"NumberOfFrames": number, "PixelData": big}
    file = image(array, syntax=str(ExplicitVRBigEndian), **more)
    return file.replace(b"\x7f\xe0\x00\x10OB", b"\x7f\xe0\x00\x10OW"), little


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize(
    ("kind", "shape"), [("u1", (3, 3)), ("u2", (3, 3)), ("u4", (3, 3))], ids=["8", "16", "32"]
)
def test_words_of_big_endian_files_are_turned(kind: str, shape: tuple[int, int]) -> None:
    """Frames of nine octets begin in the middle of a word."""
    file, little = big_endian(kind, shape, 4)
    length = len(little) // 4

    def open_() -> io.BytesIO:
        return io.BytesIO(file)

    for number in (1, 2, 4):
        one = frames(open_, [number], None, LIMITS, syntax=dicom.EXPLICIT_LITTLE_ENDIAN)
        assert one.size == length
        assert everything(one) == little[(number - 1) * length : number * length]
    whole = bulk_data(open_, PIXELS, LIMITS)
    assert whole is not None and whole.size == len(little)
    assert everything(whole) == little


def uncompressed(file: bytes) -> bytes:
    """The first frame."""
    return everything(
        frames(lambda: io.BytesIO(file), [1], None, LIMITS, syntax=dicom.EXPLICIT_LITTLE_ENDIAN)
    )


def read_by_header(file: bytes, frame: bytes) -> np.ndarray[Any, Any]:
    """The frame as who knows nothing but the stored header understands it."""
    item = pydicom.dcmread(io.BytesIO(file))
    item.file_meta.TransferSyntaxUID = dicom.EXPLICIT_LITTLE_ENDIAN
    item.NumberOfFrames, item.PixelData = 1, frame
    item["PixelData"].is_undefined_length = False
    return pixel_array(item, raw=True)


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", 0),  # YBR_FULL
        ("SC_rgb_dcmtk_+eb+cy+s2.dcm", 0),  # YBR_FULL_422
        ("examples_ybr_color.dcm", 5),  # the same with finer colours
        ("SC_rgb_dcmtk_+eb+cr.dcm", 0),  # RGB
        ("SC_rgb_rle.dcm", 0),
    ],
)
def test_colours_of_a_decoded_frame_are_those_of_the_header(name: str, most: int) -> None:
    file = PART10[f"test_files/{name}"].read_bytes()
    one = read_by_header(file, uncompressed(file)).astype(int)
    expected = pixel_array(io.BytesIO(file), raw=True, index=0)
    assert np.abs(one - expected).max() <= most


@pytest.mark.proves("IMG-162")
def test_colours_that_only_jpeg_2000_has_come_as_rgb() -> None:
    file = PART10["test_files/examples_jpeg2k.dcm"].read_bytes()
    assert uncompressed(file) == pydicom.dcmread(io.BytesIO(file)).pixel_array.tobytes()


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_planes_of_a_decoded_frame_are_those_of_the_header(kind: str) -> None:
    array = ramp((4, 5, 3), kind, 8)
    file = image(array, [rle_frame(array)], dicom.RLE_LOSSLESS, PlanarConfiguration=1)
    assert uncompressed(file) == array.transpose(2, 0, 1).tobytes()
    assert (read_by_header(file, uncompressed(file)) == array).all()


def test_subsampled_colours_in_an_odd_number_of_columns_have_no_form() -> None:
    array = ramp((4, 5, 3), "u1", 8)
    file = image(
        array, [rle_frame(array)], dicom.RLE_LOSSLESS, PhotometricInterpretation="YBR_FULL_422"
    )
    with pytest.raises(CannotTranscode, match="odd number of columns"):
        uncompressed(file)


@pytest.mark.proves("SEC-T-150")
def test_a_compressed_frame_is_no_larger_than_one_may_be() -> None:
    array = np.zeros((8, 8), np.uint8)
    file = image(array, [bytes(4096)], dicom.JPEG_BASELINE)
    stored = taken_apart(lambda: io.BytesIO(file), LIMITS)
    with pytest.raises(Unreadable, match="a frame 1 of more than 1024 octets"):
        Frames(stored, PixelLimits(frame=1024))


@pytest.mark.proves("SEC-T-150")
def test_a_table_of_offsets_is_read_only_where_it_fits() -> None:
    array = np.zeros((8, 8), np.uint8)
    file = image(array, [b"\xff\xd8" * 4] * 3, dicom.JPEG_BASELINE, NumberOfFrames=2)
    stored = taken_apart(lambda: io.BytesIO(file), LIMITS)
    with pytest.raises(Unreadable, match="3 fragments for 2 frames and no offset table"):
        Frames(stored, LIMITS)
