"""The descriptors that a study's own images give its manifest (MADO).

Source: IHE RAD MADO 6.X.2; PS3.16 TID 1600 to 1602 (MADO-050 to MADO-063, MADO-132 to MADO-137).
"""

from xdsi.model.manifest import (
    CodedConcept,
    InstanceDescriptor,
    SeriesDescriptor,
    StudyDescriptors,
)
from xdsi.model.study import InstanceHeader, SeriesHeader, StudyHeader
from xdsi.standard import anatomy, dicom
from xdsi.standard.mado import Concept


def descriptors_of(study: StudyHeader) -> StudyDescriptors:
    """The descriptors of a study that its images tell.

    The study's modalities are those of acquisition (CID 29) where it has any; its regions those of
    the short list that the body parts of its series lie in.
    """
    series = tuple(_series(each) for each in study.series)
    acquired = [each for each in study.modalities if each in dicom.ACQUISITION_MODALITIES]
    regions = dict.fromkeys(
        region
        for each in series
        for part in each.regions
        for region in anatomy.regions_of(part.value)
    )
    return StudyDescriptors(
        modalities=tuple(acquired) or study.modalities,
        regions=tuple(map(_coded, regions)),
        procedures=procedures(study),
        series_count=len(series),
        series=series,
    )


def procedures(study: StudyHeader) -> tuple[CodedConcept, ...]:
    """Codes of what was done, else of what was asked for (MADO-135)."""
    asked = (code for each in study.requests for code in each.requested_procedure_codes)
    return study.procedure_codes or tuple(dict.fromkeys(asked))


def _coded(concept: Concept) -> CodedConcept:
    return CodedConcept(concept.value, concept.scheme, concept.meaning)


def _series(series: SeriesHeader) -> SeriesDescriptor:
    side = anatomy.LATERALITIES.get(series.laterality)
    return SeriesDescriptor(
        series_instance_uid=series.series_instance_uid,
        instances=tuple(map(_instance, series.instances)),
        modality=series.modality,
        date=series.date,
        time=series.time,
        description=series.description,
        number=series.number,
        regions=_regions(series),
        laterality=_coded(side) if side else None,
        instance_count=len(series.instances),
    )


def _regions(series: SeriesHeader) -> tuple[CodedConcept, ...]:
    """The body part as a code; an unknown one as the text it is (MADO-055)."""
    if not series.body_part:
        return (series.region,) if series.region else ()
    part = anatomy.body_part(series.body_part)
    if part:
        return (_coded(part),)
    return (series.region or CodedConcept("", "", series.body_part),)


def _instance(instance: InstanceHeader) -> InstanceDescriptor:
    frames = number(instance.frames) or 1
    return InstanceDescriptor(
        instance.sop_class_uid,
        instance.sop_instance_uid,
        instance.number,
        frames if frames > 1 else None,
        instance.title,
        instance.description,
    )


def number(text: str) -> int | None:
    """An integer string (IS) as a number; None for what is none."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 12 else None
