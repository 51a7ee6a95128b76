"""What an imaging manifest (DICOM Key Object Selection document) says.

Its descriptors (MADO) are the same for the DICOM form, which keeps them in the Image Library of its
content tree, and the FHIR form, which keeps them in an ImagingStudy.

All text is decoded, UIDs are dotted strings without padding, "" stands for an empty or absent
text value. Dates and times keep DICOM's form (YYYYMMDD, HHMMSS[.ffffff], local time of
`timezone`); `xdsi.wire.times` makes DTM of them.
Source: DICOM PS3.3 A.35.4, C.17.6.2; kos-manifest.md sections 2 to 6; IHE RAD MADO 6.X.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodedConcept:
    """One item of a DICOM code sequence (PS3.3 8)."""

    value: str
    scheme: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class IssuedId:
    """An identifier with who issued it (PS3.3 10.17): label and universal id, mostly an OID."""

    value: str
    issuer: str = ""
    issuer_uid: str = ""
    issuer_type: str = ""

    @property
    def issuer_oid(self) -> str:
        """The issuer when it is named by an OID, else ""."""
        return self.issuer_uid if self.issuer_type in ("ISO", "") else ""


@dataclass(frozen=True, slots=True)
class PatientHeader:
    """The patient as the object itself names them (KOS-023, KOS-024)."""

    id: IssuedId
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    other_ids: tuple[IssuedId, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferencedRequest:
    """One accession and order pair (KOS-040 to KOS-047)."""

    study_instance_uid: str
    accession: IssuedId
    placer_order: IssuedId
    filler_order: IssuedId
    requested_procedure_id: str = ""
    requested_procedure_description: str = ""
    requested_procedure_codes: tuple[CodedConcept, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestInstance:
    """One referenced instance."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class ManifestSeries:
    """One referenced series at one place (IMG-190 to IMG-193)."""

    series_instance_uid: str
    instances: tuple[ManifestInstance, ...]
    retrieve_location_uid: str = ""
    retrieve_ae_title: str = ""
    retrieve_url: str = ""
    retrieve_uri: str = ""


@dataclass(frozen=True, slots=True)
class ManifestStudy:
    """One referenced study. A series stands twice when two places hold parts of it.

    viewer_url: Display URI, for a person to open; never fetched unasked (MADO-158)
    """

    study_instance_uid: str
    series: tuple[ManifestSeries, ...]
    viewer_url: str = ""


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One item below the root of the content tree (KOS-070 to KOS-078).

    text: the value of a TEXT, DATE, TIME, UIDREF or NUM item, the continuity of a CONTAINER
    """

    relationship: str
    value_type: str
    concept: CodedConcept | None = None
    code: CodedConcept | None = None
    text: str = ""
    reference: ManifestInstance | None = None
    items: tuple["ContentItem", ...] = ()


@dataclass(frozen=True, slots=True)
class IdenticalDocument:
    """A copy of the manifest in another study (KOS-060)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class InstanceDescriptor:
    """One instance. title and description are those of a key object note (MADO-060 to MADO-063).

    number: "" when absent; frames: None for a single frame or where it is not told
    """

    sop_class_uid: str
    sop_instance_uid: str
    number: str = ""
    frames: int | None = None
    title: CodedConcept | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SeriesDescriptor:
    """One series (MADO-050 to MADO-057).

    modality: its DICOM code; regions: codes, or a text as meaning alone
    instance_count: as stated, None where it is not
    """

    series_instance_uid: str
    instances: tuple[InstanceDescriptor, ...] = ()
    modality: str = ""
    date: str = ""
    time: str = ""
    description: str = ""
    number: str = ""
    regions: tuple[CodedConcept, ...] = ()
    laterality: CodedConcept | None = None
    instance_count: int | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about a manifest that is not as its profile has it, and the rule that says so."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class StudyDescriptors:
    """The study (MADO-132 to MADO-137), its series, and how the form was read.

    modalities: DICOM codes; regions: of the short list; procedures: a code or a meaning alone
    series_count: as stated, None where it is not
    dialect: name of the code dialect, "" where no code tells
    departures: what was written another way and understood all the same
    """

    modalities: tuple[str, ...] = ()
    regions: tuple[CodedConcept, ...] = ()
    procedures: tuple[CodedConcept, ...] = ()
    series_count: int | None = None
    series: tuple[SeriesDescriptor, ...] = ()
    dialect: str = ""
    departures: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A Key Object Selection document: header, reference tree, content.

    studies: the reference tree, duplicates merged; empty when the object has none
    repeated: references left out because the tree had named the instance before
    descriptors: None for a plain manifest
    file_sop_class_uid, file_sop_instance_uid: what group 0002 says of them
    value_type, continuity, template: of the root of the content tree
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    title: CodedConcept | None
    patient: PatientHeader
    modality: str = ""
    accession: IssuedId = IssuedId("")
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    instance_creation_date: str = ""
    instance_creation_time: str = ""
    content_date: str = ""
    content_time: str = ""
    timezone: str = ""
    manufacturer: str = ""
    institution_name: str = ""
    referring_physician: str = ""
    series_number: str = ""
    instance_number: str = ""
    requests: tuple[ReferencedRequest, ...] = ()
    studies: tuple[ManifestStudy, ...] = ()
    content: tuple[ContentItem, ...] = ()
    identical_documents: tuple[IdenticalDocument, ...] = ()
    repeated: int = 0
    descriptors: StudyDescriptors | None = None
    file_sop_class_uid: str = ""
    file_sop_instance_uid: str = ""
    value_type: str = ""
    continuity: str = ""
    template: str = ""

    def references(self) -> Iterator[tuple[ManifestStudy, ManifestSeries, ManifestInstance]]:
        """Every instance of the tree with its series and study, in order."""
        for study in self.studies:
            for series in study.series:
                for instance in series.instances:
                    yield study, series, instance

    def uids(self) -> Iterator[str]:
        """Every UID that names the object or something of its tree, as often as it stands there."""
        own = (self.sop_instance_uid, self.study_instance_uid, self.series_instance_uid)
        yield from filter(None, (*own, *self._tree_uids()))

    def _tree_uids(self) -> Iterator[str]:
        for study in self.studies:
            yield study.study_instance_uid
            for series in study.series:
                yield series.series_instance_uid
                for instance in series.instances:
                    yield instance.sop_instance_uid
                    yield instance.sop_class_uid

    @property
    def instance_count(self) -> int:
        return sum(len(series.instances) for study in self.studies for series in study.series)

    @property
    def accessions(self) -> tuple[IssuedId, ...]:
        """Every distinct accession number with its issuer (IMG-042)."""
        found = (self.accession, *(request.accession for request in self.requests))
        return tuple(dict.fromkeys(each for each in found if each.value))

    @property
    def placer_orders(self) -> tuple[IssuedId, ...]:
        """Every distinct placer order number with its issuer (IMG-043)."""
        found = (request.placer_order for request in self.requests)
        return tuple(dict.fromkeys(each for each in found if each.value))
