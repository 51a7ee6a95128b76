"""What an invented patient has: reports and manifests of some years, filed, corrected, added to.

A course is a list of submissions that ITI-42 takes one after the other. Courses of one length have
one structure and differ in what they say: codes, times, authors, titles.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

from bench import samples
from xdsi.model.messages import Submission
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    InternationalString,
    SubmissionSet,
)
from xdsi.model.values import CX, DTM, OID, XCN, XON, CXi, Identifier
from xdsi.standard import urns

VARIANTS = 8  # courses that differ
# reference ids hold so many digits, which are an id's own
DIGITS = 20

_SNOMED, _LOINC = "2.16.840.1.113883.6.96", "2.16.840.1.113883.6.1"
_IHE, _DICOM = "1.3.6.1.4.1.19376.1.2.6.1", "1.2.840.10008.2.16.4"
REPORTS, _IMAGES = Code.of("REPORTS", _IHE, "Reports"), Code.of("IMAGES", _IHE, "Images")
_TEXT = Code.of("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3", "RAD TEXT")
_KOS = Code.of("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1", "KOS")
_STUDY = Code.of("18748-4", _LOINC, "Diagnostic imaging study")
_REPORT_TYPES = (
    Code.of("11528-7", _LOINC, "Radiology Report"),
    Code.of("24727-0", _LOINC, "CT Head W contrast IV"),
    Code.of("30746-2", _LOINC, "Portable XR Chest AP"),
    Code.of("24604-1", _LOINC, "MG Breast Diagnostic Limited Views"),
)
_MODALITIES = tuple(
    Code.of(code, _DICOM, name)
    for code, name in (
        ("CT", "Computed Tomography"),
        ("MR", "Magnetic Resonance"),
        ("US", "Ultrasound"),
        ("DX", "Digital Radiography"),
        ("MG", "Mammography"),
        ("NM", "Nuclear Medicine"),
    )
)
CT = _MODALITIES[0]
_REGIONS = tuple(
    Code.of(code, _SNOMED, name)
    for code, name in (
        ("69536005", "Head structure"),
        ("51185008", "Thoracic structure"),
        ("818983003", "Abdomen"),
        ("72696002", "Knee region structure"),
    )
)
_PLACES = (
    (Code.of("22232009", _SNOMED, "Hospital"), Code.of("394914008", _SNOMED, "Radiology")),
    (Code.of("33022008", _SNOMED, "Clinic"), Code.of("394579002", _SNOMED, "Cardiology")),
    (Code.of("309964003", _SNOMED, "Department"), Code.of("394801008", _SNOMED, "Trauma")),
)
_NORMAL = Code.of("N", "2.16.840.1.113883.5.25", "normal")
_RESTRICTED = Code.of("R", "2.16.840.1.113883.5.25", "restricted")
_CASE = Code.of("Referrals", "1.3.6.1.4.1.21367.2017.3", "Referrals")
_NAMES = ("Example^Erika", "Muster^Max", "Invented^Ines", "Sample^Sven", "Nobody^Nora")


class Course:
    """The submissions of one invented patient.

    of: the patient; entries: how many there are; variant: what they say
    """

    def __init__(self, of: CX, entries: int, variant: int) -> None:
        self.of, self.entries = of, entries
        self._random = Random(variant)
        self._hospital = variant % 7 + 1
        self._place = _PLACES[variant % len(_PLACES)]
        self._time = datetime(2015 + variant, 1, 7, 8, 30)
        self._left = entries

    def submissions(self) -> Iterator[Submission]:
        """In the order in which they are to be registered."""
        steps: tuple[Callable[..., Submission], ...] = (
            self._case, self._correction, self._pair, self._addendum, self._pair
        )  # fmt: skip
        last: list[DocumentEntry] = []
        folder: Folder | None = None
        number = 0
        while self._left > 0:
            made = steps[number % len(steps)](last, folder)
            last = list(made.entries) if len(made.entries) > 1 else last
            folder = made.folders[0] if made.folders else folder
            number += 1
            yield made

    def _case(self, _last: list[DocumentEntry], _folder: Folder | None) -> Submission:
        """A folder with the first report and manifest of a case."""
        folder = Folder(
            entry_uuid=uuid4().urn,
            title=InternationalString.of(f"Invented case of {self._time:%Y}", "en"),
            codes=(_CASE, self._random.choice(_MODALITIES)),
            patient_id=self.of,
            unique_id=OID(samples.new_oid()),
        )
        return self._sent(self._study(2), folder=folder)

    def _pair(self, _last: list[DocumentEntry], folder: Folder | None) -> Submission:
        """A report and its manifest, into the folder of the case."""
        return self._sent(self._study(2), into=folder)

    def _correction(self, last: list[DocumentEntry], _folder: Folder | None) -> Submission:
        (new,) = self._study(1)
        return self._sent([new], links=[(urns.RPLC, new, last[0])])

    def _addendum(self, last: list[DocumentEntry], _folder: Folder | None) -> Submission:
        (new,) = self._study(1)
        return self._sent([new], links=[(urns.APND, new, last[0])])

    def _study(self, count: int) -> list[DocumentEntry]:
        """A report, and a manifest if there is to be a second entry, of one study."""
        self._time += timedelta(days=self._random.randrange(20, 90), minutes=7)
        title = InternationalString.of(f"Invented study of {self._time:%Y-%m-%d}", "en")
        modality, region = self._random.choice(_MODALITIES), self._random.choice(_REGIONS)
        references = (
            CXi(f"{_digits()}^^^&1.2.3.4.5.6&ISO^{urns.ACCESSION}"),
            CXi(f"1.2.3.45.{_digits()}^^^^{urns.STUDY_INSTANCE_UID}"),
        )
        name = self._random.choice(_NAMES)
        confidentiality = _RESTRICTED if self._random.random() < 0.1 else _NORMAL
        made = []
        for number in range(min(count, self._left)):
            is_report = number == 0
            kind = self._random.choice(_REPORT_TYPES) if is_report else _STUDY
            made.append(
                replace(
                    samples.received(samples.document_entry(self.of)),
                    mime_type="application/pdf" if is_report else "application/dicom",
                    creation_time=_dtm(self._time + timedelta(hours=2)),
                    service_start_time=_dtm(self._time),
                    service_stop_time=_dtm(self._time + timedelta(minutes=25)),
                    reference_ids=references,
                    title=title,
                    authors=(self._author(name),),
                    class_code=REPORTS if is_report else _IMAGES,
                    type_code=kind,
                    format_code=_TEXT if is_report else _KOS,
                    confidentiality_codes=(confidentiality,),
                    event_codes=(modality, region),
                    healthcare_facility_type_code=self._place[0],
                    practice_setting_code=self._place[1],
                    unique_id=Identifier(samples.new_oid()),
                )
            )
        self._left -= len(made)
        return made

    def _author(self, name: str) -> Author:
        return Author(
            persons=(XCN(f"{self._hospital}^{name}^^^Dr.^^^&1.2.3.4.999&ISO"),),
            institutions=(XON(f"Invented Hospital {self._hospital}^^^^^&1.2.3.4.9&ISO^^^^1"),),
            roles=("Author",),
            specialties=("Radiology",),
        )

    def _sent(
        self,
        entries: list[DocumentEntry],
        folder: Folder | None = None,
        into: Folder | None = None,
        links: list[tuple[str, DocumentEntry, DocumentEntry]] = [],  # noqa: B006 (not changed)
    ) -> Submission:
        (one,) = samples.submission(self.of, 0).submission_sets
        one = replace(
            one,
            submission_time=_dtm(self._time + timedelta(hours=3)),
            authors=(self._author(_NAMES[self._hospital % len(_NAMES)]),),
        )
        box = folder or into
        filed = [_link(urns.HAS_MEMBER, box, each) for each in entries] if box else []
        folders = () if folder is None else (folder,)
        members = [_member(one, each, "Original") for each in (*entries, *folders, *filed)]
        related = [_link(*each) for each in links]
        return Submission((one,), tuple(entries), folders, (*members, *filed, *related))


def _dtm(time: datetime) -> DTM:
    return DTM(time.strftime("%Y%m%d%H%M%S"))


def _digits() -> str:
    return f"{uuid4().int % 10**DIGITS:0{DIGITS}}"


_Object = SubmissionSet | DocumentEntry | Folder | Association


def _link(type_: str, source: _Object, target: _Object) -> Association:
    return Association(
        entry_uuid=uuid4().urn,
        association_type=type_,
        source_object=source.entry_uuid,
        target_object=target.entry_uuid,
    )


def _member(one: SubmissionSet, each: _Object, status: str) -> Association:
    made = _link(urns.HAS_MEMBER, one, each)
    is_entry = isinstance(each, DocumentEntry)
    return replace(made, submission_set_status=status) if is_entry else made
