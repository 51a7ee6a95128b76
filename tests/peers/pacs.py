"""A DICOMweb archive that does what it is told: right by default, wrong where a test says so."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pydicom
from pydicom.uid import UID

from tests.peers.stub import Line, Received, Stub, http
from xdsi.config import Limits
from xdsi.model.imaging import HeldInstance, ImagingRequest, InstanceRequest
from xdsi.model.messages import Content, DocumentRequest
from xdsi.peers.caller import Pace
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.peers.session import open_session
from xdsi.peers.web import Login, Web
from xdsi.plug import Call

SOURCE = "1.2.826.0.1.3680043.8.498.800"  # RepositoryUniqueId of the imaging source over it
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.7", "1.2.826.0.1.3680043.8.498.7.1"
CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
JSON = "application/dicom+json"
LIMITS = Limits(document=2 << 20)
BOUNDARY = "example-boundary"
RELATED = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
CHUNK = 1 << 16

Answer = Callable[[Line, bytes], None]  # how the archive answers when it is asked for these octets


@cache
def _sample() -> bytes:
    return (Path(pydicom.__file__).parent / "data/test_files/CT_small.dcm").read_bytes()


def uid(number: int) -> str:
    return f"{SERIES}.{number}"


def dicom(number: int, size: int = 0, syntax: str = EXPLICIT, **changes: Any) -> bytes:
    """An instance of the study. size: octets of pixel data, those of the sample if 0"""
    data = pydicom.dcmread(io.BytesIO(_sample()))
    data.remove_private_tags()
    data.PatientID, data.PatientName = "TEST-0001", "Example^Patient"
    data.StudyInstanceUID, data.SeriesInstanceUID = STUDY, SERIES
    data.SOPInstanceUID, data.InstanceNumber = uid(number), number
    if size:
        data.PixelData = bytes(range(256)) * (size // 256)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = UID(syntax)
    out = io.BytesIO()
    data.save_as(out, implicit_vr=syntax == IMPLICIT, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def held(number: int, syntax: str | None = None) -> HeldInstance:
    return HeldInstance(STUDY, SERIES, uid(number), CT, syntax)


def part(content: bytes, content_type: str = "application/dicom") -> bytes:
    return f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def whole(line: Line, content: bytes) -> None:
    """The answer as it should be."""
    line.send(http(part(content) + END, RELATED))


def status(code: int, extra: str = "") -> Answer:
    """No instance, but this."""
    text = f"{code} {HTTPStatus(code).phrase}"
    return lambda line, _: line.send(http(b"<html></html>", "text/html", text, extra))


def head(kind: str = RELATED, extra: str = "Transfer-Encoding: chunked") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{extra}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def all_of(line: Line, contents: list[bytes]) -> None:
    """The answer with a series, as it should be; it ends with the connection."""
    line.send(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + f"Content-Type: {RELATED}\r\n\r\n".encode()
    )
    for each in contents:
        line.send(part(each))
    line.send(END)
    line.sock.close()


@dataclass
class Pacs:
    """files: by number; faults: how some of them are sent.

    told: attributes of a search; pages: instances it tells at once; syntaxes: what it tells of them
    search: answers searches instead
    series: how it sends the parts of a series; none: 404
    """

    files: dict[int, bytes]
    faults: dict[int, Answer] = field(default_factory=dict)
    told: tuple[str, ...] = ("0020000D", "0020000E", "00080018", "00080016", "00200013", "00280010")
    pages: int = 1_000
    syntaxes: Mapping[int, str] = field(default_factory=dict)
    search: Callable[[Received], bytes] | None = None
    series: Callable[[Line, list[bytes]], None] | None = None
    asked: list[Received] = field(default_factory=list)
    stub: Stub = field(init=False)

    def __post_init__(self) -> None:
        self.stub = Stub(self._act)

    @property
    def base(self) -> str:
        return self.stub.address

    @property
    def paths(self) -> list[str]:
        return [each.line.split()[1].removeprefix("/actor") for each in self.asked]

    @property
    def wanted(self) -> list[int]:
        """Instances that were asked for, in order."""
        paths = (path.partition("?")[0] for path in self.paths)
        return [int(each.rpartition(".")[2]) for each in paths if each.count("/") == 6]

    @property
    def whole_series(self) -> int:
        """How often the series was asked for as a whole."""
        return self.paths.count(f"/studies/{STUDY}/series/{SERIES}")

    def _act(self, line: Line) -> None:
        while (request := line.receive()) is not None:
            self.asked.append(request)
            url = urlsplit(request.line.split()[1].removeprefix("/actor"))
            steps = url.path.strip("/").split("/")
            if steps[-1] == "metadata":
                self._tell(line, request, [*self.files], every=True)
            elif len(steps) == 6 and steps[4] == "instances":
                number = int(steps[5].rpartition(".")[2])
                if number not in self.files:
                    status(404)(line, b"")
                else:
                    self.faults.get(number, whole)(line, self.files[number])
            elif len(steps) == 4:
                if self.series is None:
                    status(404)(line, b"")
                else:
                    self.series(line, [*self.files.values()])
            else:
                query = parse_qs(url.query)
                first = int(query.get("offset", ["0"])[0])
                only = query.get("00080018")
                numbers = [n for n in self.files if only is None or uid(n) in only]
                self._tell(line, request, numbers[first : first + self.pages], every=False)

    def _tell(self, line: Line, request: Received, numbers: list[int], *, every: bool) -> None:
        if self.search is not None and not every:
            line.send(self.search(request))
            return
        rows = [self._row(each, every=every) for each in numbers]
        line.send(http(json.dumps(rows).encode(), JSON))

    def _row(self, number: int, *, every: bool) -> dict[str, Any]:
        data = pydicom.dcmread(io.BytesIO(self.files[number]), stop_before_pixels=True)
        row = data.to_json_dict()
        if not every:
            row = {tag: value for tag, value in row.items() if tag in self.told}
        if number in self.syntaxes:
            row["00083002"] = {"vr": "UI", "Value": [self.syntaxes[number]]}
        return row

    def __enter__(self) -> "Pacs":
        return self

    def __exit__(self, *_: object) -> None:
        self.stub.close()


@contextmanager
def archive(
    at: Pacs | str, *, limits: Limits = LIMITS, login: Login | None = None, **how: Any
) -> Iterator[DicomWebArchive]:
    """Our side of it, with little patience. how: as for `DicomWebArchive`"""
    base = at if isinstance(at, str) else at.base
    web = Web(base, open_session(), login, Pace(connect=2, pause=0.5), limits)
    made = DicomWebArchive(web, **how)
    try:
        yield made
    finally:
        made.close()


def call() -> Call:
    return Call.internal(20)


def everything(content: Content, step: int = 50_000) -> bytes:
    """All octets. Raises OSError as the reader does."""
    reader = content.open()
    try:
        return b"".join(iter(lambda: reader.read(step), b""))
    finally:
        reader.close()


def request(*numbers: int, syntaxes: tuple[str, ...] = (EXPLICIT,)) -> ImagingRequest:
    """RAD-69 for instances of the series."""
    asked = (
        InstanceRequest(STUDY, SERIES, DocumentRequest(SOURCE, uid(number))) for number in numbers
    )
    return ImagingRequest(tuple(asked), syntaxes)
