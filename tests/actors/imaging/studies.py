"""Real DICOM instances under new UIDs, and how archives are filled and looked at.

files = study("1.2.3", {"1.2.3.1": 2, "1.2.3.2": 1})     # bytes by SOP Instance UID
"""

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.samples import MemoryStaged
from xdsi.actors.imaging.store import ImageStore, Kept
from xdsi.model.messages import Content
from xdsi.plug import Call

CALL = Call.internal(3600)
SAMPLE_PATIENT = "TEST-0001"
KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"


def new_uid() -> str:
    return f"2.25.{uuid4().int}"


def sample(name: str) -> Path:
    """A file of the pydicom wheel."""
    path = get_testdata_file(name, download=False)
    assert path
    return Path(str(path))


@cache
def _bytes(name: str) -> bytes:
    return sample(name).read_bytes()


def instance(name: str = "CT_small.dcm", **changes: Any) -> bytes:
    """A sample with other values by keyword; None removes one. Its group 0002 agrees."""
    data = pydicom.dcmread(io.BytesIO(_bytes(name)))
    data.PatientID, data.PatientName = SAMPLE_PATIENT, "Example^Patient"
    data.remove_private_tags()
    data.pop("DataSetTrailingPadding", None)
    for keyword, value in changes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    if data.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in data:
        data["PixelData"].VR = "OB"  # one sample says OW, which strict software mends
    data.file_meta.MediaStorageSOPInstanceUID = data.get("SOPInstanceUID", "1.2.3")
    data.file_meta.MediaStorageSOPClassUID = data.get("SOPClassUID", "1.2.3")
    return _written(data)


def _written(data: Dataset) -> bytes:
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def study(uid: str, series: Mapping[str, int], **changes: Any) -> dict[str, bytes]:
    """Instances by SOP Instance UID, series and instances in the order of their numbers."""
    made = {}
    for number, (series_uid, instances) in enumerate(series.items(), 1):
        for position in range(1, instances + 1):
            sop = f"{series_uid}.{position}"
            made[sop] = instance(
                StudyInstanceUID=uid,
                SeriesInstanceUID=series_uid,
                SOPInstanceUID=sop,
                SeriesNumber=number,
                InstanceNumber=position,
                **changes,
            )
    return made


def note(title: str, study_uid: str, *rejected: str, uid: str = "", kept_in: str = "") -> bytes:
    """A key object selection about instances of a study. kept_in: the study it is of itself"""
    data = pydicom.dcmread(io.BytesIO(_bytes("CT_small.dcm")), stop_before_pixels=True)
    data.remove_private_tags()
    data.PatientID = SAMPLE_PATIENT
    data.SOPClassUID, data.Modality = KEY_OBJECT_SELECTION, "KO"
    data.SOPInstanceUID, data.StudyInstanceUID = uid or new_uid(), kept_in or study_uid
    data.SeriesInstanceUID = new_uid()
    data.SeriesNumber = 99
    for keyword in ("Rows", "Columns", "SamplesPerPixel"):
        delattr(data, keyword)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = title, "DCM", "Title"
    data.ConceptNameCodeSequence = Sequence([code])
    data.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence(study_uid, rejected)])
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    return _written(data)


def _evidence(study_uid: str, instances: tuple[str, ...]) -> Dataset:
    series, top = Dataset(), Dataset()
    references = []
    for uid in instances:
        reference = Dataset()
        reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        reference.ReferencedSOPInstanceUID = uid
        references.append(reference)
    series.SeriesInstanceUID = "1.2.3"
    series.ReferencedSOPSequence = Sequence(references)
    top.StudyInstanceUID = study_uid
    top.ReferencedSeriesSequence = Sequence([series])
    return top


def keep(store: ImageStore, *files: bytes) -> tuple[Kept, ...]:
    """Files taken in, as a caller in the process would bring them."""
    return store.keep([MemoryStaged(each) for each in files], CALL)


def everything(content: Content, step: int = 1 << 16) -> bytes:
    """All octets. Raises OSError as the reader does."""
    reader = content.open()
    try:
        return b"".join(iter(lambda: reader.read(step), b""))
    finally:
        reader.close()


def published(store: ImageStore) -> set[str]:
    """Names of all files there are."""
    return {path.name for path in (store.files.staging.parent / "documents").glob("*/*")}


def leftovers(store: ImageStore) -> list[str]:
    """Staged files, files without a row, and what this process holds open in the store."""
    root = store.files.staging.parent
    found = [str(path) for path in store.staging.root.rglob("*") if path.is_file()]
    found = [each for each in found if not each.endswith("/lock")]
    found += published(store) - {each.name for each in store.index.named("")}
    own = {str(store.staging.folder), str(store.staging.folder / "lock")}
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.startswith(str(root)) and target not in own:
                found.append(target)
    return found
