"""An archive over a folder of DICOM files, as they lie there."""

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.errors import InvalidDicomError

from tests.actors.imaging.samples import everything
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content, Staged
from xdsi.model.study import StudyHeader
from xdsi.plug import Call
from xdsi.wire import instances


def held(path: Path) -> HeldInstance:
    """What is known of one file."""
    header = pydicom.dcmread(path, stop_before_pixels=True)
    whole = pydicom.dcmread(path, specific_tags=["NumberOfFrames", "PixelData"])
    frames = int(header.get("NumberOfFrames") or 1) if "PixelData" in whole else 0
    return HeldInstance(
        str(header.StudyInstanceUID),
        str(header.SeriesInstanceUID),
        str(header.SOPInstanceUID),
        str(header.SOPClassUID),
        str(header.file_meta.TransferSyntaxUID),
        path.stat().st_size,
        frames,
        path.name,
    )


@dataclass(slots=True)
class FolderArchive:
    """Looks at its files once. asked: the series it was asked for, in order.

    before: called with each series it is asked for, and may raise
    """

    folder: Path
    before: Callable[[str], None] = lambda series: None
    asked: list[str] = field(default_factory=list)
    opened: int = 0
    index: list[HeldInstance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.index = [held(path) for path in sorted(self.folder.glob("*.dcm"))]

    def instances(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call, /
    ) -> Sequence[HeldInstance]:
        self.asked.append(series or "")
        self.before(series or "")
        return [
            each
            for each in self.index
            if each.study_instance_uid == study
            and series in (None, each.series_instance_uid)
            and (wanted is None or each.sop_instance_uid in wanted)
        ]

    def whole(self, study: str, series: str | None, call: Call, /) -> None:
        """Its instances are told of first."""

    def open(self, instance: HeldInstance, call: Call, /) -> Content:
        return Content(instance.size, lambda: self.file(instance, call))

    def file(self, instance: HeldInstance, call: Call, /) -> BinaryIO:
        self.opened += 1
        return (self.folder / instance.key).open("rb")

    def study(self, study: str, call: Call, /) -> StudyHeader | None:
        files = [self.folder / each.key for each in self.index if each.study_instance_uid == study]
        try:
            return instances.read_study(files) if files else None
        except InvalidDocumentContent:
            return None

    def keep(
        self, staged: Sequence[Staged], call: Call, *, fits: Callable[[HeldInstance], str]
    ) -> Sequence["Kept"]:
        """Take files in."""
        return [self._kept(each, fits) for each in staged]

    def _kept(self, staged: Staged, fits: Callable[[HeldInstance], str]) -> "Kept":
        path = self.folder / f"{staged.sha1}.dcm"
        path.write_bytes(everything(staged.open()))
        try:
            one = held(path)
        except (InvalidDicomError, AttributeError):
            path.unlink()
            return Kept(None, CANNOT_UNDERSTAND)
        if fits(one):
            path.unlink()
            return Kept(one, MISMATCH)
        self.index.append(one)
        return Kept(one, 0)


CANNOT_UNDERSTAND, MISMATCH = 0xC000, 0xA900


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a file."""

    instance: HeldInstance | None
    status: int


@dataclass(frozen=True, slots=True)
class OneSeries:
    """An archive with as many instances of `size` octets as anybody asks for."""

    size: int

    def instances(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call, /
    ) -> Sequence[HeldInstance]:
        from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

        kind = (str(CTImageStorage), str(ExplicitVRLittleEndian), self.size)
        return [HeldInstance(study, series or "", uid, *kind) for uid in wanted or ()]

    def whole(self, study: str, series: str | None, call: Call, /) -> None:
        """Its instances are told of first."""

    def open(self, instance: HeldInstance, call: Call, /) -> Content:
        return Content(self.size, lambda: _Zeros(self.size))

    def file(self, instance: HeldInstance, call: Call, /) -> BinaryIO:
        return io.BytesIO()

    def study(self, study: str, call: Call, /) -> StudyHeader | None:
        return None


@dataclass(slots=True)
class _Zeros:
    left: int

    def read(self, n: int, /) -> bytes:
        count = min(n, self.left)
        self.left -= count
        return bytes(count)

    def close(self) -> None:
        pass
