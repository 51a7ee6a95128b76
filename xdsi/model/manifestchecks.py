"""What is wrong with an imaging manifest, alone and against its DocumentEntry.

Errors make a manifest useless or contradict its entry; warnings leave it usable. The findings come
in the order of kos-manifest.md section 10. Never compared: patientId, which is the affinity
domain's own (IMG-048).
Source: IHE RAD TF-3 4.68.4.1.2.3; IMG-020, IMG-033, IMG-042 to IMG-047.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xdsi.model import manifestobject as alone
from xdsi.model.errors import shown
from xdsi.model.manifest import IssuedId, Manifest
from xdsi.model.manifestobject import Finding
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX
from xdsi.standard import dicom, urns
from xdsi.standard.formats import MANIFEST


class CurrentManifest(NamedTuple):
    """An Approved manifest that is registered already and not replaced by the one at hand."""

    unique_id: str
    study_instance_uids: tuple[str, ...]
    retrieve_location_uids: tuple[str, ...]


def says_manifest(entry: DocumentEntry) -> bool:
    """Whether the formatCode calls the document a manifest (IMG-020)."""
    return entry.format_code is not None and entry.format_code.code == MANIFEST.code


def findings(
    manifest: Manifest,
    entry: DocumentEntry | None = None,
    *,
    current: Iterable[CurrentManifest] = (),
) -> Iterator[Finding]:
    """Everything wrong with a manifest as it was read, KOS-121 to KOS-132.

    entry: None checks the manifest alone
    current: manifests registered already that this one does not replace
    """
    if entry is not None:
        yield from _format(entry)
        yield from _unique_id(manifest, entry)
    yield from alone.file_meta(manifest)
    yield from alone.title(manifest)
    yield from alone.required(manifest)
    yield from alone.uids(manifest)
    yield from alone.root(manifest)
    yield from alone.places(manifest)
    yield from alone.content(manifest)
    yield from alone.descriptors(manifest)
    yield from alone.locations(manifest)
    if entry is not None:
        yield from _patient(manifest, entry)
        yield from _references(manifest, entry)
    yield from alone.issuers(manifest)
    if entry is not None:
        yield from _modalities(manifest, entry)
    yield from alone.studies(manifest)
    yield from _current(manifest, current)


def _format(entry: DocumentEntry) -> Iterator[Finding]:
    code = entry.format_code
    if code is None or (code.code, code.scheme) == MANIFEST[:2]:
        return
    yield Finding(
        "KOS-121",
        "warning",
        "DocumentEntry.formatCode",
        "a Key Object Selection document has another format",
        f"send {MANIFEST.code} of the coding scheme {MANIFEST.scheme}",
        f"{code.code or ''}^^{code.scheme or ''}",
        about_entry=True,
    )


def _unique_id(manifest: Manifest, entry: DocumentEntry) -> Iterator[Finding]:
    uid = manifest.sop_instance_uid
    if str(entry.unique_id or "") == uid:
        return
    yield Finding(
        "KOS-122",
        "error",
        "DocumentEntry.uniqueId",
        f"is not the SOP Instance UID, which is {shown(uid)}",
        "send the SOP Instance UID of the manifest, not that of the study",
        str(entry.unique_id or ""),
        about_entry=True,
    )


def _patient(manifest: Manifest, entry: DocumentEntry) -> Iterator[Finding]:
    """Without values: they are the patient's, and both sides have them."""
    patient = manifest.patient
    given = entry.source_patient_id
    ids = [each for each in (patient.id, *patient.other_ids) if each.value]
    # an entry that repeats the domain's identifier knows none of the source
    if given is None or given.problem is not None or given == entry.patient_id:
        ids = []
    if ids and given is not None and not any(_is_same(each, given) for each in ids):
        yield _contradiction("sourcePatientId", "Patient ID (0010,0020) and its issuer")
    told = {each.field: str(each).partition("|")[2] for each in entry.source_patient_info}
    families = {_letters(group.split("^")[0]) for group in patient.name.split("=")} - {""}
    family = _letters(re.split(r"[\^&]", told.get("PID-5", ""))[0])
    if family and families and family not in families:
        yield _contradiction("sourcePatientInfo PID-5", "Patient's Name (0010,0010)")
    born, header = told.get("PID-7", "")[:8], patient.birth_date.replace(".", "")[:8]
    if len(born) == len(header) == 8 and born != header:
        yield _contradiction("sourcePatientInfo PID-7", "Patient's Birth Date (0010,0030)")
    sexes = (told.get("PID-8", ""), patient.sex)
    if all(each in ("M", "F", "O") for each in sexes) and sexes[0] != sexes[1]:
        yield _contradiction("sourcePatientInfo PID-8", "Patient's Sex (0010,0040)")


def _is_same(ours: IssuedId, given: CX) -> bool:
    return ours.value == given.id and ours.issuer_oid in ("", given.authority)


def _letters(name: str) -> str:
    """What of a name counts in a comparison: no case, no blanks, no HL7 escapes."""
    return "".join(filter(str.isalnum, re.sub(r"\\[A-Z]\\", "", name).casefold()))


def _contradiction(attribute: str, header: str) -> Finding:
    return Finding(
        "KOS-128", "warning", f"DocumentEntry.{attribute}", f"contradicts {header} of the manifest",
        "see whether both are of one patient, and send what the header says", about_entry=True,
    )  # fmt: skip


def _references(manifest: Manifest, entry: DocumentEntry) -> Iterator[Finding]:
    known = {(each.type, each.id) for each in entry.reference_ids if each.problem is None}
    studies = (manifest.study_instance_uid, *(each.study_instance_uid for each in manifest.studies))
    numbers = (each.value for each in manifest.accessions)
    for kind, name, values in (
        (urns.STUDY_INSTANCE_UID, "Study Instance UID", studies),
        (urns.ACCESSION, "accession number", numbers),
    ):
        lacking = [each for each in dict.fromkeys(values) if each and (kind, each) not in known]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            yield Finding(
                "KOS-129", "warning", "DocumentEntry.referenceIdList",
                f"lacks the {name} {shown(lacking[0])}{more} of the manifest",
                f"add it with type {kind}, else searches by it find nothing", about_entry=True,
            )  # fmt: skip


def _modalities(manifest: Manifest, entry: DocumentEntry) -> Iterator[Finding]:
    possible: set[str] = set()
    for sop_class in {each.sop_class_uid for _, _, each in manifest.references()}:
        modality = dicom.modality_of(sop_class)
        if modality is None:
            continue  # reports and the like say nothing
        if not modality:
            return  # a class for any modality
        possible |= {modality, *dicom.SAME_CLASSES.get(modality, ())}
    for code in entry.event_codes:
        if code.scheme not in ("DCM", dicom.DCM) or code.code not in dicom.MODALITIES:
            continue
        if possible and code.code not in possible:
            yield Finding(
                "KOS-130", "warning", "DocumentEntry.eventCodeList",
                "a modality that the referenced SOP classes cannot have",
                "send the modalities of the study, such as " + ", ".join(sorted(possible)),
                code.code, about_entry=True,
            )  # fmt: skip


def _current(ours: Manifest, current: Iterable[CurrentManifest]) -> Iterator[Finding]:
    studies = {each.study_instance_uid for each in ours.studies}
    places = {each.retrieve_location_uid for study in ours.studies for each in study.series} - {""}
    for other in current:
        if (
            other.unique_id != ours.sop_instance_uid
            and studies & {*other.study_instance_uids}
            and places & {*other.retrieve_location_uids}
        ):
            yield Finding(
                "KOS-132", "warning", "manifest",
                "the same source shares another current manifest of this study",
                "replace it (RPLC) instead of adding one", other.unique_id,
            )  # fmt: skip
