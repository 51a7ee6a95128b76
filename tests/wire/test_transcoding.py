"""Instances in another transfer syntax: the same pixels, the same attributes, bounded cost."""

import io
import struct
import subprocess
import tracemalloc
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from tests.wire.pixelfiles import (
    LIMITS,
    PART10,
    SECONDARY_CAPTURE,
    brought,
    chunks,
    damaged,
    element,
    image,
    ramp,
    written,
)
from tests.wire.studies import FILES
from xdsi.standard import dicom
from xdsi.wire import recoding
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.transcoding import CannotTranscode, transcoded

EXPLICIT, J2K, RLE = dicom.EXPLICIT_LITTLE_ENDIAN, dicom.JPEG_2000_LOSSLESS, dicom.RLE_LOSSLESS
IMPLICIT = dicom.IMPLICIT_LITTLE_ENDIAN
TARGETS = {"explicit": EXPLICIT, "jpeg-2000": J2K, "rle": RLE, "implicit": IMPLICIT}
WRITING = {dicom.PHOTOMETRIC_INTERPRETATION, dicom.PLANAR_CONFIGURATION, dicom.PIXEL_DATA}

# Files of pydicom that cannot be brought into any other syntax than their own, and why.
BROKEN = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "no code stream",
    "MR_truncated.dcm": "(7FE0,0010) beyond what contains it",
    "rtplan_truncated.dcm": "(300A,00B0) beyond what contains it",
    "meta_missing_tsyntax.dcm": "is in no syntax",
    "DICOMDIR-nooffset": "longer than its sequence",
}
# Compressed forms that there are not.
UNCOMPRESSIBLE = {
    "nested_priv_SQ.dcm": "without rows",
    "badVR.dcm": "number of frames",  # "1A"
    "liver_1frame.dcm": "single bits",
    "liver_expb_1frame.dcm": "single bits",
}
DEEP = "32 bits, too many for JPEG 2000"
# pydicom's plug-ins for these are GPL or fail on 12 bits: judged by dcmtk below
NO_JUDGE = {"JPEG-lossy.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm"}


def reason(path: Path, target: str) -> str | None:
    """Why a file cannot be brought into a syntax; None where it can."""
    if path.name in BROKEN:
        return BROKEN[path.name]
    if target in (J2K, RLE) and path.name in UNCOMPRESSIBLE:
        return UNCOMPRESSIBLE[path.name]
    bits = pydicom.dcmread(path, specific_tags=["BitsAllocated", "Rows"]).get("BitsAllocated")
    syntax = pydicom.dcmread(path, specific_tags=[]).file_meta.TransferSyntaxUID
    return DEEP if target == J2K and bits == 32 and syntax != J2K else None


# The media folder holds many more of one kind.
CASES = [name for name in PART10 if "dicomdirtests" not in name or "DICOMDIR" in name]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("IMG-101", "IMG-104", "IMG-105")
def test_pixels_and_attributes_are_those_that_pydicom_reads(name: str, target: str) -> None:
    path, uid = PART10[name], TARGETS[target]
    if why := reason(path, uid):
        with pytest.raises(CannotTranscode) as caught:
            brought(path, uid)
        assert why in str(caught.value)
        return
    data = brought(path, uid)
    if path.name == "badVR.dcm":  # pydicom refuses its values
        assert data.endswith(path.read_bytes()[-6000:])
        return
    stored, made = pydicom.dcmread(path), pydicom.dcmread(io.BytesIO(data))
    assert made.file_meta.TransferSyntaxUID == uid
    named = stored.file_meta.get("MediaStorageSOPInstanceUID") or stored.get("SOPInstanceUID", "")
    assert made.file_meta.MediaStorageSOPInstanceUID == named
    for theirs in stored:
        if theirs.tag not in WRITING and theirs.tag.element:  # not group lengths
            ours = made[theirs.tag]
            lost_its_vr = uid == IMPLICIT and theirs.tag.is_private and ours.VR != theirs.VR
            assert lost_its_vr or ours.value == theirs.value, theirs.tag
    assert set(made.keys()) <= set(stored.keys()) | WRITING
    if "PixelData" in stored and path.name not in NO_JUDGE | set(UNCOMPRESSIBLE):
        assert np.array_equal(pixel_array(made), pixel_array(stored))


@pytest.mark.proves("IMG-101")
@pytest.mark.parametrize("of_known_length", [True, False])
def test_sequences_without_vr_are_those_there_were(of_known_length: bool) -> None:
    inner, outer = Dataset(), Dataset()
    inner.CodeValue, inner.LongCodeValue = "1", "x" * 70_000
    outer.PurposeOfReferenceCodeSequence = [inner, inner]
    outer.ReferencedSOPInstanceUID = "1.2.3"
    file = image(ramp((4, 4), "u2", 16), ReferencedImageSequence=[outer, outer])
    item = pydicom.dcmread(io.BytesIO(file))
    for each in (item, *item.ReferencedImageSequence):
        for one in each:
            one.is_undefined_length = one.VR == "SQ" and not of_known_length
    file = written(item, EXPLICIT)
    made = brought(file, IMPLICIT)
    assert pydicom.dcmread(io.BytesIO(made)) == item
    again = brought(made, EXPLICIT)
    assert again[data_set(again) :] == file[data_set(file) :]


@pytest.mark.proves("IMG-101")
def test_compressed_pixels_in_an_item_have_no_form_without_vr() -> None:
    icon = pydicom.dcmread(io.BytesIO(image(SMALL, [bytes(64)], dicom.JPEG_BASELINE)))
    file = image(SMALL, IconImageSequence=[icon])
    with pytest.raises(CannotTranscode, match=r"\(7FE0,0010\), which needs its VR"):
        brought(file, IMPLICIT)


def test_enough_files_were_compared() -> None:
    assert len(CASES) > 90
    assert {path.name for path in PART10.values()} >= {*BROKEN, *UNCOMPRESSIBLE, *NO_JUDGE}


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "693_J2KI.dcm", "rtdose_rle.dcm"])
@pytest.mark.proves("IMG-096", "IMG-101")
def test_all_in_front_of_the_pixels_stays_byte_for_byte(name: str) -> None:
    stored = (FILES / name).read_bytes()
    in_front = stored[data_set(stored) : stored.rindex(b"\xe0\x7f\x10\x00")]
    for group in (0x00280000, 0x7FE00000):  # their lengths are no longer true
        at = in_front.find(element(group, b"UL", b"", 4))
        in_front = in_front if at < 0 else in_front[:at] + in_front[at + 12 :]
    made = brought(stored, EXPLICIT)
    assert made[data_set(made) :].startswith(in_front)


def data_set(file: bytes) -> int:
    """Where it begins: behind group 0002."""
    return 144 + int(struct.unpack_from("<I", file, 140)[0])


@pytest.mark.parametrize(
    "name", ["MR_small_jp2klossless.dcm", "CT_small.dcm", "SC_rgb_rle_2frame.dcm", "test-SR.dcm"]
)
@pytest.mark.proves("IMG-096")
def test_a_file_in_its_own_syntax_keeps_its_data_set(name: str) -> None:
    stored = (FILES / name).read_bytes()
    made = brought(stored, pydicom.dcmread(FILES / name).file_meta.TransferSyntaxUID)
    assert made[data_set(made) :] == stored[data_set(stored) :]


@pytest.mark.parametrize(
    ("name", "photometric"),
    [
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", "RGB"),  # YBR_FULL_422, lossy
        ("SC_jpeg_no_color_transform.dcm", "RGB"),
        ("examples_jpeg2k.dcm", "RGB"),  # YBR_RCT
        ("SC_ybr_full_422_uncompressed.dcm", "YBR_FULL_422"),
        ("MR_small_RLE.dcm", "MONOCHROME2"),
    ],
)
@pytest.mark.proves("IMG-101")
def test_colours_are_named_as_they_are_written(name: str, photometric: str) -> None:
    made = pydicom.dcmread(io.BytesIO(brought(FILES / name, EXPLICIT)))
    assert made.PhotometricInterpretation == photometric
    assert made.get("PlanarConfiguration") == (None if photometric.startswith("MONO") else 0)


@pytest.mark.proves("IMG-101", "IMG-105")
def test_a_lossy_image_stays_marked_as_one() -> None:
    lossy = pydicom.dcmread(FILES / "JPEG2000.dcm")
    lossy.LossyImageCompression, lossy.LossyImageCompressionRatio = "01", "12.5"
    made = pydicom.dcmread(io.BytesIO(brought(written(lossy, dicom.JPEG_2000), EXPLICIT)))
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 12.5)
    assert made.SOPInstanceUID == lossy.SOPInstanceUID


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize(("kind", "bits"), [("u1", 8), ("u2", 12), ("u2", 16), ("i2", 16)])
@pytest.mark.proves("IMG-101")
def test_jpeg_lossless_of_every_predictor(kind: str, bits: int, predictor: int) -> None:
    pixels = ramp((9, 11), kind, bits)
    frame = imagecodecs.jpeg8_encode(
        pixels.view(f"u{pixels.itemsize}"), lossless=True, predictor=predictor, bitspersample=bits
    )
    made = brought(image(pixels, [frame], dicom.JPEG_LOSSLESS, BitsStored=bits), EXPLICIT)
    assert np.array_equal(pydicom.dcmread(io.BytesIO(made)).pixel_array, pixels)


@pytest.mark.parametrize("shape", [(32, 24), (32, 24, 3)], ids=["grey", "colour"])
@pytest.mark.parametrize(("kind", "bits"), [("u1", 8), ("u2", 12), ("i2", 16)])
@pytest.mark.proves("IMG-101")
def test_htj2k(kind: str, bits: int, shape: tuple[int, ...]) -> None:
    pixels = ramp(shape, kind, bits)
    frame = imagecodecs.htj2k_encode(pixels, reversible=True)
    made = brought(image(pixels, [frame], dicom.HTJ2K_LOSSLESS, BitsStored=bits), EXPLICIT)
    assert np.array_equal(pydicom.dcmread(io.BytesIO(made)).pixel_array, pixels)


@pytest.mark.parametrize("target", [J2K, RLE])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)], ids=["grey", "colour"])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2"])
@pytest.mark.proves("IMG-101")
def test_compressed_without_loss_whatever_the_samples(
    kind: str, shape: tuple[int, ...], target: str
) -> None:
    pixels = ramp(shape, kind, 8 * int(kind[1]))
    made = pydicom.dcmread(io.BytesIO(brought(image(pixels), target)))
    assert np.array_equal(pixel_array(made), pixels)


@pytest.mark.proves("IMG-101")
def test_an_overlay_in_unused_bits_survives_jpeg_2000() -> None:
    pixels = ramp((16, 16), "u2", 16)
    made = brought(image(pixels, BitsStored=12, HighBit=11), J2K)
    assert np.array_equal(pixel_array(pydicom.dcmread(io.BytesIO(made)), raw=True), pixels)


def several(frames: list[list[bytes]], *, table: bool, extended: bool = False) -> bytes:
    """A file whose frames lie in several fragments each."""
    file = image(ramp((8, 8), "u1", 8), [b"??"] * len(frames), RLE)
    offsets, body = [], b""
    for fragments in frames:
        offsets.append(len(body))
        body += b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(e)) + e for e in fragments)
    basic = struct.pack(f"<{len(offsets)}I", *offsets) if table else b""
    front = file[: file.rindex(b"\xe0\x7f\x10\x00")]
    if extended:
        front += element(dicom.EXTENDED_OFFSET_TABLE, b"OV", b"")[:8] + struct.pack(
            f"<I{len(offsets)}Q", 8 * len(offsets), *offsets
        )
    head = element(dicom.PIXEL_DATA, b"OB", b"", 0xFFFFFFFF)
    first = struct.pack("<HHI", 0xFFFE, 0xE000, len(basic)) + basic
    return front + head + first + body + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def rle(pixels: np.ndarray[Any, Any]) -> bytes:
    made = pydicom.dcmread(io.BytesIO(image(pixels)))
    made.compress(RLE, encoding_plugin="pydicom")
    return next(iter(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)))


@pytest.mark.parametrize("where", ["basic", "extended"])
@pytest.mark.proves("IMG-101")
def test_frames_in_several_fragments_are_found_by_their_table(where: str) -> None:
    frames = [ramp((8, 8), "u1", 8) // scale for scale in (1, 2, 3)]
    cut = [[data[:32], data[32:]] for data in map(rle, frames)]
    file = several(cut, table=where == "basic", extended=where == "extended")
    made = pydicom.dcmread(io.BytesIO(brought(file, EXPLICIT)))
    assert np.array_equal(made.pixel_array, np.array(frames))
    assert "ExtendedOffsetTable" not in made


@pytest.mark.proves("SEC-T-150")
def test_frames_that_no_table_tells_apart_are_refused() -> None:
    cut = [[data[:32], data[32:]] for data in [rle(ramp((8, 8), "u1", 8))] * 3]
    with pytest.raises(CannotTranscode, match="no offset table"):
        brought(several(cut, table=False), EXPLICIT)


def innermost(item: Dataset) -> Dataset:
    while "ReferencedImageSequence" in item:
        item = item.ReferencedImageSequence[0]
    return item


@pytest.mark.parametrize(
    "syntax",
    [dicom.IMPLICIT_LITTLE_ENDIAN, dicom.EXPLICIT_BIG_ENDIAN, dicom.DEFLATED_LITTLE_ENDIAN],
)
@pytest.mark.proves("IMG-101", "IMG-104")
def test_private_long_and_nested_elements_are_kept(syntax: str) -> None:
    item = pydicom.dcmread(FILES / "CT_small.dcm")
    private = item.private_block(0x0099, "XDSI TEST", create=True)
    private.add_new(1, "UN", bytes(range(256)) * 1024)  # pointed to, not copied
    private.add_new(2, "UN", b"short!")
    inner = Dataset()
    inner.ReferencedFrameNumber, inner.PixelRepresentation = [1, 2, 3], 1
    inner.SmallestImagePixelValue = -5  # US or SS, by the sequence item
    words = np.arange(50_000, dtype="<u2" if syntax != dicom.EXPLICIT_BIG_ENDIAN else ">u2")
    inner.RedPaletteColorLookupTableData = words.tobytes()
    for depth in range(10):
        outer = Dataset()
        outer.ReferencedImageSequence = [inner, Dataset()]
        outer.ReferencedImageSequence.is_undefined_length = depth % 2 == 0
        inner = outer
    item.update(inner)
    item["PixelData"].VR = "OW"
    if syntax == dicom.EXPLICIT_BIG_ENDIAN:
        item.PixelData = np.frombuffer(item.PixelData, "<u2").byteswap().tobytes()
    item.set_original_encoding(None, None)
    target = io.BytesIO()
    item.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    pydicom.dcmwrite(
        target, item, implicit_vr=syntax == dicom.IMPLICIT_LITTLE_ENDIAN,
        little_endian=syntax != dicom.EXPLICIT_BIG_ENDIAN,
    )  # fmt: skip
    stored = pydicom.dcmread(io.BytesIO(target.getvalue()))
    made = pydicom.dcmread(io.BytesIO(brought(target.getvalue(), EXPLICIT)))
    assert np.array_equal(made.pixel_array, stored.pixel_array)
    del stored.PixelData, made.PixelData
    assert innermost(made).RedPaletteColorLookupTableData == words.astype("<u2").tobytes()
    del innermost(made).RedPaletteColorLookupTableData
    del innermost(stored).RedPaletteColorLookupTableData
    assert made == stored
    assert made[0x0099, 0x1001].value == bytes(range(256)) * 1024


# --- limits and hostile bytes


def refused(file: bytes, limits: PixelLimits = LIMITS, target: str = EXPLICIT) -> str:
    with pytest.raises(CannotTranscode) as caught:
        brought(file, target, limits)
    return str(caught.value)


SMALL = ramp((8, 8), "u1", 8)
HEAD = image(SMALL)[: image(SMALL).rindex(b"\xe0\x7f\x10\x00")]
DATA_SET = HEAD[: HEAD.index(element(dicom.SOP_CLASS_UID, b"UI", b"")[:6])]


def nested(depth: int, *, delimited: bool) -> bytes:
    data = b""
    for _ in range(depth):
        if delimited:
            data = (
                struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
                + data
                + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
            )
        else:
            data = struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data
        data = element(0x00081140, b"SQ", data, 0xFFFFFFFF if delimited else None)
    return DATA_SET + data


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    meta = image(SMALL, syntax=dicom.DEFLATED_LITTLE_ENDIAN)
    end = 144 + struct.unpack_from("<I", meta, 140)[0]
    return meta[:end] + stream.compress(data) + stream.flush()


FRAGMENTS = (
    HEAD.replace(EXPLICIT.encode() + b"\0", RLE.encode().ljust(len(EXPLICIT) + 1, b"\0"))
    + element(dicom.PIXEL_DATA, b"OB", b"", 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 5000
    + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
)
WIDE = ramp((128, 128), "u2", 16)
PROGRESSIVE = io.BytesIO()
Image.fromarray(SMALL).save(PROGRESSIVE, "JPEG", progressive=True)


def tiled(pixels: np.ndarray[Any, Any]) -> bytes:
    """A code stream that says it has tiles of one pixel."""
    frame = imagecodecs.jpeg2k_encode(pixels, codecformat="j2k")
    return bytes(frame[:24] + struct.pack(">II", 1, 1) + frame[32:])


@pytest.mark.parametrize(
    ("file", "limits", "why"),
    [
        pytest.param(
            image(SMALL, [rle(SMALL)], RLE, Rows=65535, Columns=65535),
            LIMITS, "above the limit", id="frame of 4 GiB",
        ),
        pytest.param(
            image(SMALL, [imagecodecs.jpeg2k_encode(WIDE, codecformat="j2k")], J2K),
            LIMITS, "where its header says 8 by 8", id="code stream larger than its header",
        ),
        pytest.param(
            image(SMALL, [imagecodecs.jpegls_encode(WIDE)], dicom.JPEG_LS_LOSSLESS,
                  Rows=128, Columns=128),
            LIMITS, "of 16 bits, above its header", id="code stream deeper than its header",
        ),
        pytest.param(
            image(WIDE, [tiled(WIDE)], J2K), LIMITS, "no code stream", id="a tile for each pixel",
        ),
        pytest.param(
            image(SMALL, [PROGRESSIVE.getvalue()], dicom.JPEG_BASELINE), LIMITS, "no code stream",
            id="progressive",
        ),
        pytest.param(
            image(SMALL, [rle(SMALL)] * 9, RLE), replace(LIMITS, frames=8), "9 frames",
            id="frames",
        ),
        pytest.param(
            image(SMALL, [rle(SMALL)], RLE, NumberOfFrames="999999999"), LIMITS,
            "999999999 frames", id="a billion frames",
        ),
        pytest.param(
            image(SMALL, [rle(SMALL)] * 4, RLE, Rows=512, Columns=512),
            replace(LIMITS, frame=1 << 19), "grows to more than 1000 times", id="factor",
        ),
        pytest.param(FRAGMENTS, replace(LIMITS, frames=100), "fragments", id="fragments"),
        pytest.param(
            deflated(b"\0" * (8 << 20)), replace(LIMITS, frame=1 << 20),
            "inflates to more than", id="deflate bomb",
        ),
        pytest.param(nested(65, delimited=True), LIMITS, "deeper than 64", id="65 levels"),
        pytest.param(nested(65, delimited=False), LIMITS, "deeper than 64", id="65, with lengths"),
        pytest.param(nested(5000, delimited=True), LIMITS, "deeper than 64", id="5000 levels"),
        pytest.param(
            DATA_SET + element(0x00091001, b"LO", b"") * 3000, replace(LIMITS, elements=2000),
            "more than 2000 elements", id="elements",
        ),
        pytest.param(
            DATA_SET + element(0x00091001, b"LO", b"") * 3000, replace(LIMITS, header=100_000),
            "octets besides pixel data", id="elements in memory",
        ),
        pytest.param(
            DATA_SET + element(0x00091001, b"UN", b"", 0xFFFFFFF0), LIMITS,
            "(0009,1001) beyond what contains it", id="length beyond the file",
        ),
        pytest.param(
            DATA_SET + element(0x00081140, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 99)),
            LIMITS, "longer than its sequence", id="item beyond its sequence",
        ),
        pytest.param(
            DATA_SET + element(0x00081140, b"SQ", b"", 0xFFFFFFFF), LIMITS,
            "ends inside (0008,1140)", id="endless sequence",
        ),
        pytest.param(
            HEAD + element(dicom.PIXEL_DATA, b"OB", b"", 0xFFFFFFFF), LIMITS,
            "in the middle of an element", id="endless pixel data",
        ),
        pytest.param(
            DATA_SET + element(0x00080005, b"CS", b"") + element(0x00091001, b"XX", b""),
            LIMITS, "undefined value representation",
            id="unknown VR",
        ),
        pytest.param(b"MZ" + bytes(4096), LIMITS, "no DICM at offset 128", id="no DICOM"),
        pytest.param(b"", LIMITS, "no DICM at offset 128", id="empty"),
        pytest.param(
            image(SMALL, [b"no code stream"], J2K), LIMITS, "no code stream", id="noise",
        ),
        pytest.param(
            image(SMALL, [rle(SMALL)], dicom.JPEG_BASELINE), LIMITS, "no code stream",
            id="another syntax",
        ),
        pytest.param(
            image(SMALL, [b"x"], "1.2.840.10008.1.2.4.102"), LIMITS, "not decoded here",
            id="video",
        ),
        pytest.param(image(SMALL, Rows=9), LIMITS, "less pixel data", id="fewer pixels than said"),
        pytest.param(image(SMALL, [rle(SMALL)], RLE, Rows=0), LIMITS, "without rows", id="no rows"),
        pytest.param(
            image(SMALL, [rle(SMALL)], RLE, BitsAllocated=12), LIMITS, "12 bits", id="12 bits",
        ),
        pytest.param(
            image(SMALL, [rle(SMALL)], RLE, SamplesPerPixel=4), LIMITS, "4 samples", id="4 samples",
        ),
    ],
)  # fmt: skip
@pytest.mark.proves("SEC-T-150")
def test_what_costs_too_much_or_lies_is_refused(file: bytes, limits: PixelLimits, why: str) -> None:
    tracemalloc.start()
    try:
        target = EXPLICIT if RLE.encode() in file[:400] else RLE  # an own syntax is only copied
        assert why in refused(file, limits, target)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.proves("SEC-T-150")
def test_a_broken_frame_ends_the_content_without_a_clean_end() -> None:
    good = rle(SMALL)
    file = image(SMALL, [good, good[:70], good], RLE)
    reader = transcoded(lambda: io.BytesIO(file), EXPLICIT, LIMITS).open()
    with pytest.raises(OSError, match="frame 2"):
        deque(iter(partial(reader.read, 1 << 20), b""))
    reader.close()


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_implicit.dcm", "rtplan.dcm"])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("SEC-T-150")
def test_a_file_cut_anywhere_is_refused_or_ends_at_an_element(name: str) -> None:
    whole = (FILES / name).read_bytes()
    for end in range(0, len(whole), 37):
        try:
            made = brought(whole[:end], EXPLICIT)
        except (CannotTranscode, OSError):
            continue
        assert "PixelData" not in pydicom.dcmread(io.BytesIO(made))


def tracked(data: bytes) -> tuple[Callable[[], BinaryIO], list[io.BytesIO]]:
    opened: list[io.BytesIO] = []

    def open_() -> BinaryIO:
        opened.append(io.BytesIO(data))
        return opened[-1]

    return open_, opened


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "image_dfl.dcm", "MR_truncated.dcm"])
def test_every_file_is_closed(name: str) -> None:
    open_, opened = tracked((FILES / name).read_bytes())
    if name == "MR_truncated.dcm":
        with pytest.raises(CannotTranscode):
            transcoded(open_, RLE, LIMITS)
    else:
        content = transcoded(open_, EXPLICIT, LIMITS)
        content.open().close()  # nobody ever read it
        reader = content.open()
        assert reader.read(10)
        reader.close()  # in the middle
        assert b"".join(chunks(content))
    assert opened
    assert all(each.closed for each in opened)


@pytest.mark.parametrize("target", TARGETS)
def test_memory_does_not_grow_with_the_frames(target: str, tmp_path: Path) -> None:
    pixels = ramp((256, 256), "u2", 16)
    syntax = RLE if target == "explicit" else dicom.IMPLICIT_LITTLE_ENDIAN
    (tmp_path / "a.dcm").write_bytes(
        image(pixels, [rle(pixels)] * 100, RLE)
        if syntax == RLE
        else image(pixels, syntax=syntax, NumberOfFrames=100, PixelData=pixels.tobytes() * 100)
    )
    tracemalloc.start()
    try:
        content = transcoded(lambda: (tmp_path / "a.dcm").open("rb"), TARGETS[target], LIMITS)
        octets = sum(map(len, chunks(content)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert target != "explicit" or octets > 100 * pixels.nbytes
    assert peak < 4 << 20  # of 13 MB


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
     "SC_rgb_small_odd_jpeg.dcm", "SC_rgb_jpeg_gdcm.dcm", "MR_small_bigendian.dcm",
     "MR_small_implicit.dcm", "SC_rgb_rle_32bit_2frame.dcm", "image_dfl.dcm"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("SEC-T-150")
def test_damaged_files_are_brought_over_or_refused(name: str) -> None:
    for file in damaged(FILES / name):
        for target in (EXPLICIT, RLE):
            with suppress(CannotTranscode, OSError):
                brought(file, target)


# --- foreign judges


def judged(program: str, *arguments: str) -> str:
    run = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


@pytest.mark.needs("dcmdjpeg", "dcmdjpls", "dcmdrle")
@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("dcmdjpeg", "SC_rgb_jpeg_gdcm.dcm"),
        ("dcmdjpeg", "JPGExtended.dcm"),
        ("dcmdjpeg", "SC_rgb_dcmtk_+eb+cr.dcm"),
        ("dcmdjpls", "MR_small_jpeg_ls_lossless.dcm"),
        ("dcmdrle", "SC_rgb_rle_16bit_2frame.dcm"),
        ("dcmdrle", "rtdose_rle.dcm"),
    ],
)
@pytest.mark.proves("IMG-101")
def test_dcmtk_decodes_the_same_pixels(program: str, name: str, tmp_path: Path) -> None:
    judged(program, str(FILES / name), str(tmp_path / "theirs.dcm"))
    ours = pydicom.dcmread(io.BytesIO(brought(FILES / name, EXPLICIT)))
    theirs = pydicom.dcmread(tmp_path / "theirs.dcm")
    difference = ours.pixel_array.astype(int) - theirs.pixel_array
    # two implementations of the inverse cosine transform may differ by a step
    assert np.abs(difference).max() <= (1 if name == "JPGExtended.dcm" else 0)


@pytest.mark.needs("dcmdrle", "dcmdump")
@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_rgb_color.dcm", "rtdose.dcm"])
@pytest.mark.proves("IMG-101")
def test_dcmtk_reads_what_is_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "rle.dcm").write_bytes(brought(FILES / name, RLE))
    judged("dcmdrle", str(tmp_path / "rle.dcm"), str(tmp_path / "plain.dcm"))
    theirs = pydicom.dcmread(tmp_path / "plain.dcm").pixel_array
    assert np.array_equal(theirs, pydicom.dcmread(FILES / name).pixel_array)
    (tmp_path / "explicit.dcm").write_bytes(brought(FILES / name, EXPLICIT))
    said = judged("dcmdump", str(tmp_path / "explicit.dcm"))
    assert "=LittleEndianExplicit" in said
    assert not [line for line in said.splitlines() if line.startswith(("W:", "E:"))]


def test_many_items_are_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work grows with the items, not with their square."""
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.1.1.1"
    item.SourceImageSequence = [Dataset() for _ in range(2_000)]
    for each in item.SourceImageSequence:
        each.ReferencedSOPInstanceUID = "1.2.3"
    handled = 0
    joined = recoding._joined

    def counted(pieces: list[Any]) -> list[Any]:
        nonlocal handled
        handled += len(pieces)
        return joined(pieces)

    monkeypatch.setattr(recoding, "_joined", counted)
    file = written(item, "1.2.840.10008.1.2")
    recoding.taken_apart(lambda: io.BytesIO(file), LIMITS).close()
    assert 2_000 < handled < 20_000
