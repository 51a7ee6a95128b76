"""Two invented studies in many transfer syntaxes, made of the files of the pydicom wheel."""

from dataclasses import dataclass
from pathlib import Path

import pydicom

from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest, Reader

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SOURCE = "1.2.826.0.1.3680043.8.498.800"  # RepositoryUniqueId of the imaging source
STUDY = "1.2.826.0.1.3680043.8.498.1"
MR, OTHERS = f"{STUDY}.1", f"{STUDY}.2"  # its series

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
RLE, J2K, JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50"
JPEG_LS = "1.2.840.10008.1.2.4.80"
VIDEO = "1.2.840.10008.1.2.4.102"

# name -> series, file
NAMES = {
    "explicit": (MR, "MR_small.dcm"),
    "implicit": (MR, "MR_small_implicit.dcm"),
    "big endian": (MR, "MR_small_bigendian.dcm"),
    "rle": (MR, "MR_small_RLE.dcm"),
    "jpeg 2000": (MR, "MR_small_jp2klossless.dcm"),
    "jpeg-ls": (MR, "MR_small_jpeg_ls_lossless.dcm"),
    "jpeg": (OTHERS, "SC_rgb_small_odd_jpeg.dcm"),
    "deflated": (OTHERS, "image_dfl.dcm"),
    "two frames": (OTHERS, "SC_rgb_rle_2frame.dcm"),
    "report": (OTHERS, "reportsi.dcm"),
    "plan": (OTHERS, "rtplan.dcm"),
}
UIDS = {name: f"{series}.{at}" for at, (name, (series, _)) in enumerate(NAMES.items(), 1)}


def fill(folder: Path) -> dict[str, Path]:
    """Write every instance, under ids of its own; name -> file."""
    found = {}
    for name, (series, file) in NAMES.items():
        item = pydicom.dcmread(FILES / file)
        item.StudyInstanceUID, item.SeriesInstanceUID = STUDY, series
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = UIDS[name]
        found[name] = folder / f"{UIDS[name]}.dcm"
        item.save_as(found[name])
    return found


@dataclass(frozen=True, slots=True)
class Ask:
    """One instance of a request. series: None for its own"""

    name: str = ""
    series: str | None = None
    study: str = STUDY
    source: str = SOURCE
    home: str | None = None
    uid: str = ""

    @property
    def instance(self) -> InstanceRequest:
        uid = self.uid or UIDS[self.name]
        series = NAMES[self.name][0] if self.series is None else self.series
        return InstanceRequest(self.study, series, DocumentRequest(self.source, uid, self.home))


def request(*asked: str | Ask, syntaxes: tuple[str, ...] = (EXPLICIT,)) -> ImagingRequest:
    """RAD-69 for instances, by their name or in detail."""
    each = [one if isinstance(one, Ask) else Ask(one) for one in asked]
    return ImagingRequest(tuple(one.instance for one in each), syntaxes)


def everything(reader: Reader) -> bytes:
    try:
        return b"".join(iter(lambda: reader.read(1 << 16), b""))
    finally:
        reader.close()
