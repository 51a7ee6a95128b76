"""Studies for publishing: small DICOM files under new UIDs, with patients that nobody else has."""

from pathlib import Path
from uuid import uuid4

from pydicom.sequence import Sequence

from tests.node import AUTHORITY
from tests.wire import studies
from tests.wire.studies import code, issuer
from xdsi.model.study import StudyHeader
from xdsi.wire import dicomfolder, instances

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


class Study:
    """A study in a folder that can grow and change. patient: Patient ID, issued by the domain."""

    def __init__(self, folder: Path, authority: str | None = AUTHORITY) -> None:
        self.folder, self.authority = folder, authority
        folder.mkdir(exist_ok=True)
        self.uid = f"2.25.{uuid4().int}"
        self.patient = f"T-{uuid4().hex[:12]}"

    @property
    def header(self) -> StudyHeader:
        passed = dicomfolder.Passed()
        return instances.read_study(dicomfolder.files_of([self.folder], passed))

    def add(self, series: int, number: int, **values: object) -> Path:
        """An instance of a series; its UID follows from the numbers."""
        values = {
            "SOPInstanceUID": self.instance(series, number),
            "StudyInstanceUID": self.uid,
            "SeriesInstanceUID": f"{self.uid}.{series}",
            "SeriesNumber": series,
            "InstanceNumber": number,
            "PatientID": self.patient,
            "StudyDate": "20260102",
            "StudyTime": "101500",
            **values,
        }
        if self.authority:
            values["IssuerOfPatientIDQualifiersSequence"] = Sequence([issuer(self.authority)])
        return studies.write(self.folder / f"{series}-{number}.dcm", **values)

    def add_series(self, series: int, count: int, **values: object) -> None:
        for number in range(1, count + 1):
            self.add(series, number, **values)

    def instance(self, series: int, number: int) -> str:
        return f"{self.uid}.{series}.{number}"

    def reject(self, *rejected: tuple[int, int], title: str = "113001") -> Path:
        """A note that takes instances back."""
        evidence = [
            _evidence(self.uid, f"{self.uid}.{s}", self.instance(s, n)) for s, n in rejected
        ]
        return self.add(
            90,
            len(list(self.folder.iterdir())),
            SOPClassUID=KEY_OBJECTS,
            Modality="KO",
            ConceptNameCodeSequence=Sequence([code(title, "DCM", "Rejected")]),
            CurrentRequestedProcedureEvidenceSequence=Sequence(evidence),
        )


def _evidence(study: str, series: str, instance: str) -> studies.Dataset:
    top, middle, reference = studies.Dataset(), studies.Dataset(), studies.Dataset()
    reference.ReferencedSOPClassUID = studies.CT
    reference.ReferencedSOPInstanceUID = instance
    middle.SeriesInstanceUID = series
    middle.ReferencedSOPSequence = Sequence([reference])
    top.StudyInstanceUID = study
    top.ReferencedSeriesSequence = Sequence([middle])
    return top
