"""Invented images, made from one that comes with pydicom, and the requests that store and fetch
them.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BytesIO
from itertools import islice

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from bench import messages, samples
from bench.messages import Message, Run
from bench.node import Served
from bench.transfer import exchange
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.standard.dicom import EXPLICIT_LITTLE_ENDIAN
from xdsi.wire.related import Related

SMALL, USUAL = 128, 512  # rows and columns of a CT: pydicom's, and what scanners make
_DICOM = "application/dicom"
_MULTI_FRAME = UID("1.2.840.10008.5.1.4.1.1.7.3")
_FIRST = 100_000_001  # number of the first instance
PER_REQUEST = 500  # instances stored at once; the node takes 1,000 parts


@dataclass(frozen=True, slots=True)
class Series:
    """One series. instances: their SOP Instance UIDs; side: rows and columns of each frame"""

    study: str
    series: str
    instances: tuple[str, ...]
    side: int
    frames: int

    @classmethod
    def new(cls, instances: int, side: int = SMALL, frames: int = 1) -> "Series":
        uids = tuple(samples.new_oid() for _ in range(instances))
        return cls(samples.new_oid(), samples.new_oid(), uids, side, frames)

    @classmethod
    def of_size(cls, octets: int, instances: int = 1) -> "Series":
        """As many octets of pixels in all."""
        return cls.new(instances, SMALL, octets // instances // frame_size(SMALL))

    @property
    def octets(self) -> int:
        """Of all files together."""
        return sum(len(block) * times for block, times in self._file(0)) * len(self.instances)

    @property
    def path(self) -> str:
        """Below a DICOMweb service."""
        return f"/studies/{self.study}/series/{self.series}"

    def _file(self, number: int) -> tuple[Run, Run]:
        """One instance as a Part 10 file: all before the pixels, then frame by frame."""
        head, placeholders = _head(self.side, self.frames)
        values = (self.study, self.series, self.instances[number], str(_FIRST + number))
        for placeholder, value in zip(placeholders, values, strict=True):
            head = head.replace(placeholder.encode(), value.encode())
        return (head, 1), (messages.block(frame_size(self.side)), self.frames)

    def store_messages(self) -> Iterator[Message]:
        """STOW-RS of all of it, as many requests as that takes."""
        numbers = iter(range(len(self.instances)))
        while some := list(islice(numbers, PER_REQUEST)):
            yield self._store_message(some)

    def single_messages(self, path: str) -> Iterator[Message]:
        """A POST of each instance alone, as Orthanc takes them."""
        for number in range(len(self.instances)):
            runs = self._file(number)
            length = sum(len(block) * times for block, times in runs)
            yield Message(((messages.http_head(path, _DICOM, length), 1), *runs))

    def _store_message(self, numbers: Sequence[int]) -> Message:
        around = Related.of(_DICOM)
        runs: list[Run] = []
        for number in numbers:
            runs += ((around.head(), 1), *self._file(number))
        runs.append((around.end, 1))
        length = sum(len(block) * times for block, times in runs)
        head = messages.http_head("/dicom-web/studies", around.media_type, length)
        return Message(((head, 1), *runs), expects=b'"00081199"')

    def request(self, home: str | None = None) -> ImagingRequest:
        """RAD-69 of all of it, as it is stored; home: of its community"""
        source = partial(DocumentRequest, samples.IMAGING_SOURCE, home=home)
        asked = tuple(InstanceRequest(self.study, self.series, source(u)) for u in self.instances)
        return ImagingRequest(asked, (EXPLICIT_LITTLE_ENDIAN,))

    def rad69_message(self) -> Message:
        return messages.imaging_message(self.request())

    def wado_message(self) -> Message:
        """WADO-RS of all of it, as it is stored."""
        head = (
            f"GET /dicom-web{self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f'Accept: multipart/related; type="{_DICOM}"; transfer-syntax=*\r\n\r\n'
        )
        return Message(((head.encode(), 1),), expects=b"DICM")


def stored(series: Series, server: Served) -> Series:
    """The same; the node has it from now on."""
    for each in series.store_messages():
        exchange(server.port, each)
    return series


def frame_size(side: int) -> int:
    """Octets of a frame."""
    return side * side * 2


@lru_cache
def _head(side: int, frames: int) -> tuple[bytes, tuple[str, str, str, str]]:
    """What stands before the pixels, and what is to be replaced in it.

    That is the UID of study, series and instance, and its number, all as long as each other's.
    """
    item = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    uids = (samples.new_oid(), samples.new_oid(), samples.new_oid())
    item.StudyInstanceUID, item.SeriesInstanceUID, item.SOPInstanceUID = map(UID, uids)
    item.InstanceNumber = number = "900000077"
    item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID
    item.Rows = item.Columns = side
    if frames > 1:
        item.SOPClassUID = item.file_meta.MediaStorageSOPClassUID = _MULTI_FRAME
        item.NumberOfFrames = frames
    del item[0xFFFCFFFC]  # padding behind the pixels
    item.PixelData = b"\0\0"
    file = BytesIO()
    item.save_as(file, enforce_file_format=True)
    size = struct.pack("<I", frames * frame_size(side))
    return file.getvalue()[:-6] + size, (*uids, number)
