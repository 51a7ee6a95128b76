"""A study as the headers of its DICOM instances tell it: what a manifest is made from."""

from dataclasses import dataclass

from xdsi.model.manifest import CodedConcept, PatientHeader, ReferencedRequest


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """One instance. number and frames are as in the header, "" when absent.

    title, description: of a key object note
    """

    sop_class_uid: str
    sop_instance_uid: str
    number: str = ""
    frames: str = ""
    title: CodedConcept | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """One series with its instances in the order of their numbers.

    region: Anatomic Region, where the images carry a code beside or instead of a body part
    laterality: R, L, B or U, of the series or of all its images
    """

    series_instance_uid: str
    instances: tuple[InstanceHeader, ...]
    number: str = ""
    modality: str = ""
    description: str = ""
    body_part: str = ""
    date: str = ""
    time: str = ""
    region: CodedConcept | None = None
    laterality: str = ""


@dataclass(frozen=True, slots=True)
class StudyState:
    """How a study stands in an archive, to see whether it has changed.

    mark: another one whenever the study has gained, lost or corrected instances
    changed: when that was, in seconds since 1970; None where the archive does not tell
    """

    study_instance_uid: str
    mark: str
    changed: float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A note that takes instances of the study back, so that they are not shared.

    sop_instance_uids: of the instances it took out, in no order
    """

    title: CodedConcept
    note_uid: str
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyHeader:
    """One study: general attributes of its first instance, requests of all, series in order.

    Dates and times keep DICOM's form, in the zone `timezone` (+hhmm, "" when not said).
    rejections: what is left out of `series`, and why
    """

    study_instance_uid: str
    patient: PatientHeader
    series: tuple[SeriesHeader, ...]
    study_id: str = ""
    date: str = ""
    time: str = ""
    timezone: str = ""
    description: str = ""
    referring_physician: str = ""
    institution_name: str = ""
    procedure_codes: tuple[CodedConcept, ...] = ()
    requests: tuple[ReferencedRequest, ...] = ()
    rejections: tuple[Rejection, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The distinct modalities of the series, in order."""
        return tuple(dict.fromkeys(each.modality for each in self.series if each.modality))

    @property
    def body_parts(self) -> tuple[str, ...]:
        """The distinct body parts of the series, in order."""
        return tuple(dict.fromkeys(each.body_part for each in self.series if each.body_part))
