"""The Image Library of a manifest with descriptors (MADO): written in one dialect, read in all.

Published examples depart from the profile in many ways; whatever can be understood is, and told as
a departure.
Source: IHE RAD MADO 6.X.2.9; PS3.16 TID 1600, 1601, 1602; DICOM CP-2595 (MADO-040 to MADO-076;
mado.md section 9).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from xdsi.model.manifest import (
    CodedConcept,
    ContentItem,
    InstanceDescriptor,
    ManifestInstance,
    ManifestStudy,
    Remark,
    SeriesDescriptor,
    StudyDescriptors,
)
from xdsi.standard import dicom, mado
from xdsi.standard.mado import Concept, Dialect
from xdsi.wire.kostree import contained, element, item

_Coded = CodedConcept | Concept


# --- writing


def root_items(descriptors: StudyDescriptors, dialect: Dialect) -> tuple[bytes, bytes]:
    """What the content of the root gains: items before its references, and behind them."""
    ahead = b"".join(
        _code(mado.PROCEDURE_CODE, each, relation=b"HAS CONCEPT MOD")
        for each in descriptors.procedures
    )
    return ahead, _library(descriptors, dialect)


def display_uri(url: str, dialect: Dialect | None) -> tuple[bytes, bytes]:
    """The address of a viewer: elements around the UID of a referenced study (MADO-035)."""
    if not url:
        return b"", b""
    value = url.encode("ascii")
    if dialect and dialect.display_tag:
        return b"", element(dialect.display_tag, b"UR", value)
    block = mado.PRIVATE_BLOCKS[0]
    owner = element(mado.private_creator(block), b"LO", mado.PRIVATE_CREATOR.encode("ascii"))
    return owner + element(mado.private_display_uri(block), b"UR", value), b""


def _library(study: StudyDescriptors, dialect: Dialect) -> bytes:
    parts = [_code(mado.MODALITY, _modality(each)) for each in study.modalities]
    parts += [_code(mado.TARGET_REGION, each) for each in study.regions]
    if study.series_count is not None:
        parts.append(_count(dialect.study_series, study.series_count, mado.SERIES_UNIT))
    parts += [_group(each, dialect) for each in study.series]
    return _container(mado.IMAGE_LIBRARY, b"".join(parts))


def _group(series: SeriesDescriptor, dialect: Dialect) -> bytes:
    parts = []
    if series.modality:
        parts.append(_code(mado.MODALITY, _modality(series.modality)))
    if series.date:
        parts.append(_value(dialect.series_date, b"DATE", dicom.DATE, b"DA", series.date))
    if series.time:
        parts.append(_value(dialect.series_time, b"TIME", dicom.TIME, b"TM", series.time))
    if series.description:
        parts.append(_text(dialect.series_description, series.description))
    if series.number:
        parts.append(_text(mado.SERIES_NUMBER, series.number))
    parts.append(
        _value(mado.SERIES_INSTANCE_UID, b"UIDREF", dicom.UID, b"UI", series.series_instance_uid)
    )
    parts += [
        _code(mado.TARGET_REGION, each) if each.value else _text(mado.TARGET_REGION, each.meaning)
        for each in series.regions
    ]
    if series.laterality:
        parts.append(_code(mado.LATERALITY, series.laterality))
    if series.instance_count is not None:
        parts.append(_count(dialect.series_instances, series.instance_count, mado.INSTANCES_UNIT))
    parts += [
        contained(each.sop_class_uid, each.sop_instance_uid, _instance(each))
        for each in series.instances
    ]
    return _container(mado.IMAGE_LIBRARY_GROUP, b"".join(parts))


def _instance(instance: InstanceDescriptor) -> bytes:
    parts = b""
    if instance.frames is not None:
        parts += _count(mado.NUMBER_OF_FRAMES, instance.frames, mado.FRAMES_UNIT)
    if instance.number:
        parts += _text(mado.INSTANCE_NUMBER, instance.number)
    if instance.title:
        parts += _code(mado.DOCUMENT_TITLE, instance.title)
    if instance.description:
        parts += _text(mado.KEY_OBJECT_DESCRIPTION, instance.description)
    return parts


def _modality(code: str) -> CodedConcept:
    return CodedConcept(code, "DCM", code)


def _coded(tag: int, concept: _Coded) -> bytes:
    """A code sequence of one item; a code longer than SH has its own attribute (PS3.3 8.1)."""
    value = concept.value.encode()
    parts = b""
    if value and len(concept.value) <= 16:
        parts += element(dicom.CODE_VALUE, b"SH", value)
    if concept.scheme:
        parts += element(dicom.CODING_SCHEME_DESIGNATOR, b"SH", concept.scheme[:16].encode())
    parts += element(dicom.CODE_MEANING, b"LO", (concept.meaning or concept.value)[:64].encode())
    if len(concept.value) > 16:
        parts += element(dicom.LONG_CODE_VALUE, b"UC", value)
    return element(tag, b"SQ", item(parts))


def _content(
    concept: Concept, kind: bytes, *values: bytes, relation: bytes = b"HAS ACQ CONTEXT"
) -> bytes:
    """A content item; its value stands behind its concept, as the tags rise."""
    return item(
        element(dicom.RELATIONSHIP_TYPE, b"CS", relation)
        + element(dicom.VALUE_TYPE, b"CS", kind)
        + _coded(dicom.CONCEPT_NAME_CODE_SEQUENCE, concept)
        + b"".join(values)
    )


def _container(concept: Concept, content: bytes) -> bytes:
    return _content(
        concept,
        b"CONTAINER",
        element(dicom.CONTINUITY_OF_CONTENT, b"CS", b"SEPARATE"),
        element(dicom.CONTENT_SEQUENCE, b"SQ", content),
        relation=b"CONTAINS",
    )


def _code(concept: Concept, code: _Coded, relation: bytes = b"HAS ACQ CONTEXT") -> bytes:
    return _content(concept, b"CODE", _coded(dicom.CONCEPT_CODE_SEQUENCE, code), relation=relation)


def _value(concept: Concept, kind: bytes, tag: int, vr: bytes, value: str) -> bytes:
    return _content(concept, kind, element(tag, vr, value.encode()))


def _text(concept: Concept, text: str) -> bytes:
    return _value(concept, b"TEXT", dicom.TEXT_VALUE, b"UT", text)


def _count(concept: Concept, count: int, unit: Concept) -> bytes:
    measured = item(
        _coded(dicom.MEASUREMENT_UNITS_CODE_SEQUENCE, unit)
        + element(dicom.NUMERIC_VALUE, b"DS", str(count).encode("ascii"))
    )
    return _content(concept, b"NUM", element(dicom.MEASURED_VALUE_SEQUENCE, b"SQ", measured))


# --- reading


def unwrapped(content: tuple[ContentItem, ...]) -> tuple[ContentItem, ...]:
    """The content of the root; some writers put a second root around it."""
    if len(content) == 1 and content[0].value_type == "CONTAINER":
        [only] = content
        if _meant(only) not in (mado.IMAGE_LIBRARY, mado.IMAGE_LIBRARY_GROUP):
            return only.items
    return content


class _Reading:
    """What one pass over the content tree collects besides the descriptors."""

    def __init__(self, studies: Iterable[ManifestStudy]) -> None:
        self.studies = studies
        self.series: dict[str, str] | None = None  # by SOP Instance UID, once it is needed
        self.dialects: dict[str, None] = {}
        self.departures: dict[Remark, None] = {}

    def departs(self, rule: str, text: str) -> None:
        self.departures[Remark(rule, text)] = None

    def series_of(self, instances: Iterable[InstanceDescriptor]) -> str:
        """The series in which the reference tree has one of these; "" when it has none."""
        if self.series is None:
            self.series = {
                each.sop_instance_uid: series.series_instance_uid
                for study in self.studies
                for series in study.series
                for each in series.instances
            }
        found = (self.series.get(each.sop_instance_uid, "") for each in instances)
        return next(filter(None, found), "")

    def meant(self, content: ContentItem) -> Concept | None:
        if content.concept and (name := mado.dialect_of(content.concept.value)):
            self.dialects[name] = None
        return _meant(content)


def read_descriptors(
    root: CodedConcept | None,
    content: tuple[ContentItem, ...],
    studies: Iterable[ManifestStudy],
) -> StudyDescriptors | None:
    """The descriptors in the content of a root; None where it has none.

    root: the title of the document; studies: the reference tree, for groups that do not name their
    series
    """
    reading = _Reading(studies)
    inner = unwrapped(content)
    if inner is not content:
        reading.departs("MADO-074", "a second root container stands around the content")
    library = [each for each in inner if reading.meant(each) is mado.IMAGE_LIBRARY]
    is_titled = root is not None and mado.concept(*_parts(root)) is mado.TITLE
    if not library and not is_titled:
        return None
    if root and (name := mado.dialect_of(root.value)):
        reading.dialects[name] = None
    if not library:
        reading.departs("MADO-040", "the title promises descriptors, no Image Library holds them")
    parts = [part for each in library for part in each.items]
    modalities, regions, series = [], [], []
    series_count = None
    for each in parts:
        meant = reading.meant(each)
        if meant is mado.IMAGE_LIBRARY_GROUP:
            series.append(_read_group(each, reading))
        elif meant is mado.MODALITY and each.code:
            modalities.append(each.code.value or each.code.meaning)
        elif meant is mado.TARGET_REGION:
            regions.append(_region(each))
        elif meant is mado.STUDY_SERIES:
            series_count = _read_count(each, "MADO-045", reading)
    _told(library, reading)
    return StudyDescriptors(
        modalities=tuple(dict.fromkeys(modalities)),
        regions=tuple(filter(None, dict.fromkeys(regions))),
        procedures=tuple(
            each.code for each in inner if each.code and _meant(each) is mado.PROCEDURE_CODE
        ),
        series_count=series_count,
        series=tuple(series),
        dialect=next(iter(reading.dialects), ""),
        departures=tuple(reading.departures),
    )


def _read_group(group: ContentItem, reading: _Reading) -> SeriesDescriptor:
    found = SeriesDescriptor("")
    regions = []
    texts: dict[Concept, str] = {}
    instances: list[InstanceDescriptor] = []
    pending: list[ContentItem] = []  # of an instance, but beside it: they stand before theirs
    for each in group.items:
        if each.reference:
            if pending:
                reading.departs(
                    "MADO-061", "items of an instance stand before its reference, not below it"
                )
            instances.append(_read_instance(each.reference, (*pending, *each.items), reading))
            pending = []
            continue
        meant = reading.meant(each)
        if meant in _OF_INSTANCES:
            pending.append(each)
        elif meant is mado.TARGET_REGION:
            regions.append(_region(each))
        elif meant is mado.LATERALITY:
            found = replace(found, laterality=each.code)
        elif meant is mado.SERIES_INSTANCES:
            count = _read_count(each, "MADO-056", reading)
            found = replace(found, instance_count=count)
        elif meant:
            texts.setdefault(meant, _words(each))
    return replace(
        found,
        series_instance_uid=texts.get(mado.SERIES_INSTANCE_UID) or reading.series_of(instances),
        modality=texts.get(mado.MODALITY, ""),
        date=texts.get(mado.SERIES_DATE, ""),
        time=texts.get(mado.SERIES_TIME, ""),
        description=texts.get(mado.SERIES_DESCRIPTION, ""),
        number=texts.get(mado.SERIES_NUMBER, ""),
        regions=tuple(filter(None, regions)),
        instances=tuple(instances),
    )


_OF_INSTANCES = (
    mado.NUMBER_OF_FRAMES,
    mado.INSTANCE_NUMBER,
    mado.DOCUMENT_TITLE,
    mado.KEY_OBJECT_DESCRIPTION,
)


def _read_instance(
    where: ManifestInstance, items: Iterable[ContentItem], reading: _Reading
) -> InstanceDescriptor:
    number, frames, title, description = "", None, None, ""
    for each in items:
        meant = reading.meant(each)
        if meant is mado.INSTANCE_NUMBER:
            number = each.text
        elif meant is mado.NUMBER_OF_FRAMES:
            frames = _read_count(each, "MADO-060", reading)
        elif meant is mado.DOCUMENT_TITLE:
            title = each.code
        elif meant is mado.KEY_OBJECT_DESCRIPTION:
            description = each.text
    return InstanceDescriptor(
        where.sop_class_uid, where.sop_instance_uid, number, frames, title, description
    )


def _parts(code: CodedConcept) -> tuple[str, str, str]:
    return code.value, code.scheme, code.meaning


def _meant(content: ContentItem) -> Concept | None:
    return mado.concept(*_parts(content.concept)) if content.concept else None


def _words(content: ContentItem) -> str:
    """A text, or what stands for one in a code: its value for a modality, else its meaning."""
    if not content.code:
        return content.text
    if _meant(content) is mado.MODALITY:
        return content.code.value or content.code.meaning
    return content.code.meaning or content.code.value


def _region(content: ContentItem) -> CodedConcept | None:
    if content.code:
        return content.code
    return CodedConcept("", "", content.text) if content.text else None


def _read_count(content: ContentItem, rule: str, reading: _Reading) -> int | None:
    """A number, where a text stands instead its first digits (mado.md 9, 2)."""
    if content.value_type != "NUM":
        reading.departs(rule, f"a number is written as {content.value_type or 'no value type'}")
    digits = re.search(r"(?<!\d)\d{1,12}(?!\d)", content.text)
    return int(digits[0]) if digits else None


def _told(library: Iterable[ContentItem], reading: _Reading) -> None:
    """What is not needed to understand the tree is told where it is wrong."""
    for each in _walked(library):
        if not each.relationship:
            reading.departs("MADO-074", "a content item has no relationship type")
        elif "_" in each.relationship:
            reading.departs("MADO-074", f"a relationship type is {each.relationship[:32]}")
        if each.value_type == "CONTAINER" and each.text != "SEPARATE":
            reading.departs("MADO-072", "a container has no Continuity Of Content SEPARATE")


def _walked(items: Iterable[ContentItem]) -> Iterator[ContentItem]:
    for each in items:
        yield each
        yield from _walked(each.items)
