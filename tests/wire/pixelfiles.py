"""Instances with pixel data: pydicom's own files, and small ones made to order."""

import io
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from tests.wire.studies import FILES
from xdsi.model.messages import Content
from xdsi.standard import dicom
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.transcoding import transcoded

LIMITS = PixelLimits()
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def part10_files() -> dict[str, Path]:
    """All files of pydicom that are DICOM, by name."""
    found = {}
    for path in sorted(FILES.parent.rglob("*")):
        if path.is_file() and path.parent.name != "palettes":
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM":
                    found[path.relative_to(FILES.parent).as_posix()] = path
    return found


PART10 = part10_files()


def image(
    array: np.ndarray[Any, Any],
    frames: list[bytes] | None = None,
    syntax: str = dicom.EXPLICIT_LITTLE_ENDIAN,
    **values: Any,
) -> bytes:
    """A file of a frame, or with `frames` of these compressed ones. `values` win; None removes."""
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.1.1.1"
    item.StudyInstanceUID, item.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    item.PatientName, item.PatientID, item.Modality = "Test^Tessa", "T-1", "OT"
    item.Rows, item.Columns = array.shape[:2]
    item.SamplesPerPixel = 3 if array.ndim == 3 else 1
    item.PhotometricInterpretation = "RGB" if array.ndim == 3 else "MONOCHROME2"
    if array.ndim == 3:
        item.PlanarConfiguration = 0
    item.BitsAllocated = item.BitsStored = array.dtype.itemsize * 8
    item.HighBit = item.BitsStored - 1
    item.PixelRepresentation = int(array.dtype.kind == "i")
    if frames is not None:
        if len(frames) > 1:
            item.NumberOfFrames = len(frames)
        item.PixelData = encapsulate(frames)
        item["PixelData"].VR = "OB"
        item["PixelData"].is_undefined_length = True
    else:
        item.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
        item["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    for keyword, value in values.items():
        if value is None:
            delattr(item, keyword)
        else:
            setattr(item, keyword, value)
    return written(item, syntax)


def written(item: Dataset, syntax: str) -> bytes:
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    target = io.BytesIO()
    pydicom.dcmwrite(target, item, enforce_file_format=True)
    return target.getvalue()


def chunks(content: Content) -> Iterator[bytes]:
    reader = content.open()
    try:
        while data := reader.read(1 << 20):
            yield data
    finally:
        reader.close()


def brought(file: bytes | Path, target: str, limits: PixelLimits = LIMITS) -> bytes:
    """The file in another syntax, its promised size compared."""
    content = transcoded(
        lambda: io.BytesIO(file) if isinstance(file, bytes) else file.open("rb"), target, limits
    )
    data = b"".join(chunks(content))
    assert content.size in (None, len(data))
    return data


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """An element in Explicit VR Little Endian, with a length that may lie."""
    long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT")
    form = "<HH2sxxI" if long else "<HH2sH"
    size = len(value) if length is None else length
    return struct.pack(form, tag >> 16, tag & 0xFFFF, vr, size) + value


def ramp(shape: tuple[int, ...], kind: str, bits: int) -> np.ndarray[Any, Any]:
    """Values over the whole range of so many bits."""
    low = -(1 << bits - 1) if kind[0] == "i" else 0
    flat = np.linspace(low, low + (1 << bits) - 1, int(np.prod(shape)))
    return flat.round().astype(f"<{kind}").reshape(shape)


def damaged(path: Path, number: int = 40) -> Iterator[bytes]:
    """The file with octets behind its preamble changed, the same ones each time."""
    whole, chance = path.read_bytes(), random.Random(path.name)
    for _ in range(number):
        made = bytearray(whole)
        for _ in range(chance.choice([1, 5, 30])):
            made[chance.randrange(132, len(made))] = chance.randrange(256)
        yield bytes(made)
