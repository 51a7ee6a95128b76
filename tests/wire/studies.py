"""Studies for manifest tests: pydicom's own test files, and small ones made to order."""

from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
FOLDER = FILES / "dicomdirtests"
CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"

# name -> files of one study, as pydicom ships them
SINGLE = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "rtdose.dcm", "waveform_ecg.dcm",
          "reportsi.dcm", "liver_1frame.dcm", "examples_ybr_color.dcm")  # fmt: skip


def pydicom_studies() -> dict[str, list[Path]]:
    """Every study of pydicom's media folder, and some files that are a study of their own."""
    found: dict[str, list[Path]] = {}
    for path in sorted(each for each in FOLDER.rglob("*") if each.is_file()):
        try:
            header = pydicom.dcmread(path, specific_tags=["StudyInstanceUID"])
        except InvalidDicomError:
            continue
        if "StudyInstanceUID" in header:
            found.setdefault(f"study-{header.StudyInstanceUID[-8:]}", []).append(path)
    found.update({name: [FILES / name] for name in SINGLE})
    return found


def write(path: Path, syntax: str = "1.2.840.10008.1.2.1", **values: Any) -> Path:
    """A small CT instance without pixels; `values` are set, None removes an attribute."""
    item = Dataset()
    item.SOPClassUID = CT
    item.SOPInstanceUID = "1.2.3.1.1.1"
    item.StudyInstanceUID = "1.2.3"
    item.SeriesInstanceUID = "1.2.3.1"
    item.PatientID = "T-1"
    item.PatientName = "Test^Tessa"
    item.Modality = "CT"
    item.SeriesNumber = 1
    item.InstanceNumber = 1
    for name, value in values.items():
        if value is None:
            delattr(item, name)
        else:
            setattr(item, name, value)
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID
    item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID
    pydicom.dcmwrite(path, item, enforce_file_format=True)
    return path


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def issuer(oid: str) -> Dataset:
    item = Dataset()
    item.UniversalEntityID, item.UniversalEntityIDType = oid, "ISO"
    return item
