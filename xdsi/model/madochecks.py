"""What a manifest with descriptors (MADO) lacks, and where it contradicts itself.

Nothing here stands in the way of using a manifest: all of it is worth a warning. A row says what
the profile wants of every manifest; in the order of header, study, series, instances.
Source: IHE RAD MADO 6.X.2 (MADO-012, MADO-020 to MADO-031, MADO-040 to MADO-076, MADO-132 to
MADO-137; mado.md section 9).
"""

from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import TypeVar

from xdsi.model.manifest import (
    InstanceDescriptor,
    Manifest,
    Remark,
    SeriesDescriptor,
    StudyDescriptors,
)
from xdsi.standard import dicom

T = TypeVar("T")

# rule -> what is missing when the test says so
_HEADER: dict[str, tuple[str, Callable[[Manifest], bool]]] = {
    "MADO-020": ("Patient ID", lambda m: not m.patient.id.value),
    "MADO-021": (
        "Issuer of Patient ID Qualifiers Sequence with a Universal Entity ID",
        lambda m: not m.patient.id.issuer_uid,
    ),
    "MADO-023": (
        "Other Patient IDs Sequence that repeats the Patient ID",
        lambda m: m.patient.id.value not in {each.value for each in m.patient.other_ids},
    ),
    "MADO-024": ("Study Date or Study Time", lambda m: not (m.study_date and m.study_time)),
    "MADO-025": ("accession number", lambda m: not m.accessions),
    "MADO-026": (
        "issuer of an accession number",
        lambda m: any(not each.issuer_uid for each in m.accessions),
    ),
    "MADO-027": (
        "Manufacturer or Institution Name",
        lambda m: not (m.manufacturer and m.institution_name),
    ),
    "MADO-028": ("Referenced Request Sequence", lambda m: not m.requests),
    "MADO-030": (
        "issuer of a placer order number",
        lambda m: any(not each.issuer_uid for each in m.placer_orders),
    ),
    "MADO-031": ("Timezone Offset From UTC", lambda m: not m.timezone),
}
_STUDY: dict[str, tuple[str, Callable[[StudyDescriptors], bool]]] = {
    "MADO-132": ("Modality of the study", lambda d: not d.modalities),
    "MADO-134": ("Target Region of the study", lambda d: not d.regions),
    "MADO-045": ("Number of Study Related Series", lambda d: d.series_count is None),
}
_SERIES: dict[str, tuple[str, Callable[[SeriesDescriptor], bool]]] = {
    "MADO-050": ("Modality", lambda s: not s.modality),
    "MADO-051": ("Series Date or Series Time", lambda s: not (s.date and s.time)),
    "MADO-052": ("Series Description", lambda s: not s.description),
    "MADO-053": ("Series Number", lambda s: not s.number),
    "MADO-054": ("Series Instance UID", lambda s: not s.series_instance_uid),
    "MADO-055": ("Target Region", lambda s: not s.regions),
    "MADO-056": ("Number of Series Related Instances", lambda s: s.instance_count is None),
}
_INSTANCE: dict[str, tuple[str, Callable[[InstanceDescriptor], bool]]] = {
    "MADO-061": ("Instance Number", lambda i: not i.number),
    "MADO-062": (
        "Document Title of a key object note",
        lambda i: i.sop_class_uid == dicom.KEY_OBJECT_SELECTION and i.title is None,
    ),
}
# Wanted only where the study itself has them: a creator may have nothing to write.
CONDITIONAL = MappingProxyType(
    dict.fromkeys(
        ("MADO-051", "MADO-052", "MADO-053", "MADO-055", "MADO-061"), "if the study has it"
    )
)


def remarks(manifest: Manifest) -> Iterator[Remark]:
    """All that is missing, contradicts or was written another way; nothing for a plain manifest."""
    if manifest.descriptors is None:
        return
    yield from missing(manifest)
    yield from contradictions(manifest)
    yield from manifest.descriptors.departures


def missing(manifest: Manifest) -> Iterator[Remark]:
    """The descriptors and header values that are not there (MADO-151); those that depend on the
    study say so."""
    told = manifest.descriptors
    if told is None:
        return
    for rule, (name, is_missing) in _HEADER.items():
        if is_missing(manifest):
            yield Remark(rule, f"no {name}")
    for rule, (name, lacks) in _STUDY.items():
        if lacks(told):
            yield Remark(rule, f"no {name}")
    yield from _counted(_SERIES, told.series, "series")
    instances = [each for series in told.series for each in series.instances]
    yield from _counted(_INSTANCE, instances, "instances")


def _counted(
    rows: dict[str, tuple[str, Callable[[T], bool]]], things: Sequence[T], kind: str
) -> Iterator[Remark]:
    for rule, (name, lacks) in rows.items():
        if lacking := sum(map(lacks, things)):
            depends = f" ({CONDITIONAL[rule]})" if rule in CONDITIONAL else ""
            yield Remark(rule, f"no {name} in {lacking} of {len(things)} {kind}{depends}")


def contradictions(manifest: Manifest) -> Iterator[Remark]:
    """Where descriptors, reference tree and header do not tell the same."""
    told = manifest.descriptors
    if told is None:
        return
    if len(manifest.studies) > 1:
        yield Remark("MADO-012", f"{len(manifest.studies)} studies, one manifest describes one")
    yield from _study_contradictions(manifest, told)
    tree: dict[str, set[str]] = {}
    for _, series, instance in manifest.references():
        tree.setdefault(series.series_instance_uid, set()).add(instance.sop_instance_uid)
    for each in told.series:
        yield from _series_contradictions(each, tree.get(each.series_instance_uid, set()))


def _study_contradictions(manifest: Manifest, told: StudyDescriptors) -> Iterator[Remark]:
    in_groups = {each.modality for each in told.series if each.modality}
    acquired = in_groups & dicom.ACQUISITION_MODALITIES
    stated = set(told.modalities)
    if in_groups and stated and not acquired <= stated <= in_groups:
        yield Remark(
            "MADO-132",
            f"the study has {_list(stated)}, its series have {_list(in_groups)}",
        )
    others = stated - dicom.ACQUISITION_MODALITIES
    if others and stated & dicom.ACQUISITION_MODALITIES:
        yield Remark("MADO-105", f"{_list(others)} counts as modality of acquisition")
    in_tree = len({series.series_instance_uid for _, series, _ in manifest.references()})
    if told.series_count is not None and told.series_count != in_tree:
        yield Remark("MADO-045", f"{told.series_count} series stated, {in_tree} referenced")
    if len(told.series) != in_tree:
        yield Remark("MADO-076", f"{len(told.series)} series described, {in_tree} referenced")
    dates = [each.date for each in told.series if each.date]
    if dates and manifest.study_date > max(dates):
        yield Remark("MADO-024", "Study Date is later than the dates of all series")


def _series_contradictions(series: SeriesDescriptor, in_tree: set[str]) -> Iterator[Remark]:
    where = f"series {series.series_instance_uid}"
    if series.instance_count is not None and series.instance_count != len(in_tree):
        yield Remark(
            "MADO-056",
            f"{where}: {series.instance_count} instances stated, {len(in_tree)} referenced",
        )
    beyond = {each.sop_instance_uid for each in series.instances} - in_tree
    if beyond:
        yield Remark("MADO-070", f"{where}: {len(beyond)} instances described, not referenced")


def _list(values: set[str]) -> str:
    return ", ".join(sorted(values))
