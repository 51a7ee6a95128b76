"""The DICOM files that a user means: files, folders, and what a DICOMDIR lists.

Source: DICOM PS3.10 8.2 (file ids), PS3.3 F.3.2 (directory records).
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xdsi.model.errors import InvalidDocumentContent
from xdsi.standard import dicom
from xdsi.wire.dicomfile import Item, Limits, Shape, is_part10, read, read_header


def _file_id(record: Item) -> str | None:
    """The file of a directory record; None for one without, or no longer in use."""
    if record.values.get(dicom.RECORD_IN_USE) == b"\0\0":
        return None
    return record.text(dicom.REFERENCED_FILE_ID) or None


_HEAD = 132  # bytes that tell a DICOM file
_DIRECTORY_SIZE = 256 << 20  # bytes; a DICOMDIR has about one kilobyte an instance
_DIRECTORY = Shape(
    sequences={
        dicom.DIRECTORY_RECORD_SEQUENCE: Shape(
            frozenset({dicom.REFERENCED_FILE_ID, dicom.RECORD_IN_USE}),
            make=_file_id,
        )
    },
    until=dicom.DIRECTORY_RECORD_SEQUENCE,
)
_META = Shape(until=0)


@dataclass(slots=True)
class Passed:
    """What was met on the way and is no part of the study.

    missing: files that a DICOMDIR names and that are not there; foreign: of a folder, no DICOM
    """

    missing: list[Path] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)


def files_of(paths: Iterable[Path], passed: Passed) -> Iterator[Path]:
    """Files as they are given, those of a folder and all folders in it, those of a DICOMDIR.

    One by one, in an order that depends on names alone; what is passed over is noted in `passed`.
    Raises OSError for what cannot be read, InvalidDocumentContent for a broken DICOMDIR.
    """
    for path in paths:
        if path.is_dir():
            yield from _folder(path, passed)
        elif _is_directory(path):
            yield from _listed(path, passed)
        else:
            yield path


def below(folder: Path) -> Iterator[Path]:
    """The files below a folder; links to folders are not followed, they may lead round."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda each: each.name)
    for each in found:
        if each.is_dir(follow_symlinks=False):
            yield from below(Path(each.path))
        elif _is_file(each):
            yield Path(each.path)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def is_dicom(path: Path) -> bool:
    """Whether a file begins as a DICOM file does. Raises OSError, which names it."""
    try:
        with path.open("rb") as file:
            return is_part10(file.read(_HEAD))
    except OSError as error:
        # to read does not say what
        raise OSError(error.errno, error.strerror, str(path)) from error


def _folder(folder: Path, passed: Passed) -> Iterator[Path]:
    for path in below(folder):
        if is_dicom(path):
            yield path
        else:
            passed.foreign.append(path)


def _is_directory(path: Path) -> bool:
    if not is_dicom(path):
        return False
    try:
        meta = read_header(path, _META, limits=Limits()).meta
    except InvalidDocumentContent:
        return False
    return meta.uid(dicom.MEDIA_STORAGE_SOP_CLASS_UID) == dicom.MEDIA_STORAGE_DIRECTORY


def _listed(directory: Path, passed: Passed) -> Iterator[Path]:
    limits = Limits(size=_DIRECTORY_SIZE, seconds=60)
    data = read(directory, _DIRECTORY, what=directory.name, limits=limits).data
    folders = _Folders()
    for file_id in dict.fromkeys(data.made(dicom.DIRECTORY_RECORD_SEQUENCE, str)):
        names = [part.strip() for part in file_id.split("\\")]
        if any(name in ("", ".", "..") or "/" in name or "\0" in name for name in names):
            raise InvalidDocumentContent(
                directory.name, "names a file outside its folder", value=file_id, rule="SEC-T-152"
            )
        found = folders.file(directory.parent, names)
        if found is None:
            passed.missing.append(directory.parent.joinpath(*names))
        else:
            yield found


class _Folders:
    """Finds files by names whose capitals may differ: media are copied to disks that have none."""

    def __init__(self) -> None:
        self.known: dict[Path, dict[str, str]] = {}

    def file(self, folder: Path, names: list[str]) -> Path | None:
        path = folder
        for name in names:
            if not (path / name).exists():
                name = self._names(path).get(name.upper(), name)
            path /= name
        return path if path.is_file() else None

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self.known:
            listed = os.listdir(folder) if folder.is_dir() else []
            self.known[folder] = {each.upper(): each for each in listed}
        return self.known[folder]
