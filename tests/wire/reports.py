"""A report and its study, for tests of the documents."""

from datetime import datetime, timedelta, timezone

from xdsi.model.manifest import CodedConcept, IssuedId, PatientHeader, ReferencedRequest
from xdsi.model.report import InstanceIdentifier, Organization
from xdsi.model.study import InstanceHeader, SeriesHeader, StudyHeader
from xdsi.wire import cda

PATIENT = PatientHeader(
    IssuedId("T-1", "", "1.2.40.0.13.8", "ISO"), "Prüfling^Petra^Maria^Dr.", "19610203", "F"
)
STUDY = StudyHeader(
    "1.2.3",
    PATIENT,
    (
        SeriesHeader(
            "1.2.3.1",
            (
                InstanceHeader("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.1"),
                InstanceHeader("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.2"),
            ),
            modality="CT",
        ),
        SeriesHeader(
            "1.2.3.2",
            (InstanceHeader("1.2.840.10008.5.1.4.1.1.88.11", "1.2.3.2.1"),),
            modality="SR",
        ),
    ),
    date="20260304",
    time="081500",
    timezone="+0100",
    procedure_codes=(CodedConcept("30799-1", "LN", "CT Head"),),
    requests=(
        ReferencedRequest(
            "1.2.3",
            IssuedId("A-77", "", "1.2.40.0.13.9", "ISO"),
            IssuedId("P-5"),
            IssuedId(""),
        ),
    ),
)
FRAME = cda.ReportFrame(
    id=InstanceIdentifier("1.2.40.0.13.5", "R-2026-1"),
    made=datetime(2026, 3, 4, 10, 30, tzinfo=timezone(timedelta(hours=1))),
    title="CT head & neck",
    author="Vorbild^Vera^^Dr.",
    author_id=InstanceIdentifier("1.2.40.0.13.6", "V-7"),
    institution=Organization("Praxis & Partner", (InstanceIdentifier("1.2.40.0.13.7"),)),
    language="de-AT",
)
TEXT = cda.ReportText(
    reason="Headache for three weeks.\nExclude bleeding.",
    request="CT head without contrast",
    technique="Axial slices of 1 mm.",
    comparison="None.",
    findings="Ventricles < normal > size.\nNo bleeding.",
    impression="Normal CT of the head.",
    recommendation="None.",
)
