"""What is wrong with an imaging manifest by itself.

What foreign validators are silent about (KOS-094 to KOS-096, KOS-102, KOS-103) is checked here
too, under the requirement that is broken. A finding counts what it is about and shows the first,
so their number does not follow the manifest's size.
Source: DICOM PS3.3 A.35.4, C.17.6; IHE RAD TF-3 4.68.4.1.2.1 (kos-manifest.md sections 1 to 6).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from xdsi.model import madochecks
from xdsi.model.errors import one_line, shown
from xdsi.model.manifest import Manifest
from xdsi.model.values import is_oid, is_uid
from xdsi.standard import dicom
from xdsi.standard.rules import RULES

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    what: the object and attribute; problem: what is wrong; remedy: what to do; value: as it stands
    about_entry: whether it is the DocumentEntry that contradicts the manifest
    """

    rule: str
    level: Level
    what: str
    problem: str
    remedy: str
    value: str | None = None
    about_entry: bool = False

    def __str__(self) -> str:
        got = "" if self.value is None else f", got {shown(self.value)}"
        return one_line(f"{self.what}: {self.problem}; {self.remedy}{got} [{self.rule}]")


def file_meta(manifest: Manifest) -> Iterator[Finding]:
    for name, said, true in (
        ("Media Storage SOP Class UID (0002,0002)", manifest.file_sop_class_uid,
         manifest.sop_class_uid),
        ("Media Storage SOP Instance UID (0002,0003)", manifest.file_sop_instance_uid,
         manifest.sop_instance_uid),
    ):  # fmt: skip
        if said != true:
            yield Finding(
                "KOS-123", "warning", name, f"differs from the data set, which has {shown(true)}",
                "write the same UID into both", said,
            )  # fmt: skip


def title(manifest: Manifest) -> Iterator[Finding]:
    title = manifest.title
    if title is not None and (title.value, title.scheme) not in dicom.MANIFEST_TITLES:
        yield Finding(
            "KOS-124",
            "warning",
            "Concept Name Code Sequence (0040,A043)",
            "the document title is none of a manifest",
            "use 113030 DCM Manifest, or share the document as what it is",
            f"{title.value}^{title.meaning}^{title.scheme}",
        )


def required(manifest: Manifest) -> Iterator[Finding]:
    """Type 1 attributes of sections 2 to 6."""
    for name, value, expected in (
        ("SOP Instance UID (0008,0018)", manifest.sop_instance_uid, ""),
        ("Content Date (0008,0023)", manifest.content_date, ""),
        ("Content Time (0008,0033)", manifest.content_time, ""),
        ("Modality (0008,0060)", manifest.modality, "KO"),
        ("Study Instance UID (0020,000D)", manifest.study_instance_uid, ""),
        ("Series Instance UID (0020,000E)", manifest.series_instance_uid, ""),
        ("Series Number (0020,0011)", manifest.series_number, ""),
        ("Instance Number (0020,0013)", manifest.instance_number, ""),
        ("Value Type (0040,A040)", manifest.value_type, "CONTAINER"),
        ("Concept Name Code Sequence (0040,A043)", manifest.title, ""),
        ("Continuity Of Content (0040,A050)", manifest.continuity, ""),
    ):
        if not value:
            yield _missing(name)
        elif expected and value != expected:
            yield Finding("KOS-125", "error", name, f"must be {expected}", "correct it", str(value))
    yield from _required_below(manifest)


def _required_below(manifest: Manifest) -> Iterator[Finding]:
    tree = "Current Requested Procedure Evidence Sequence (0040,A375)"
    if not manifest.instance_count:
        yield _missing(tree, "list every instance that is shared")
    if not any(item.reference for item in manifest.content):
        yield _missing("Content Sequence (0040,A730)", "list every instance that is shared")
    series = [each for study in manifest.studies for each in study.series]
    for name, lacking in (
        ("Study Instance UID (0020,000D)",
         sum(not each.study_instance_uid for each in manifest.studies)),
        ("Series Instance UID (0020,000E)", sum(not each.series_instance_uid for each in series)),
        ("Referenced SOP Class UID (0008,1150)",
         sum(not each.sop_class_uid for _, _, each in manifest.references())),
    ):  # fmt: skip
        if lacking:
            yield _missing(f"{tree} {name}", f"add it; {lacking} times it is not there")
    if any(not each.study_instance_uid for each in manifest.requests):
        yield _missing("Referenced Request Sequence (0040,A370) Study Instance UID (0020,000D)")


def _missing(what: str, remedy: str = "add it") -> Finding:
    return Finding("KOS-125", "error", what, "required, missing", remedy)


def uids(manifest: Manifest) -> Iterator[Finding]:
    uids = dict.fromkeys(manifest.uids())
    foreign = [uid for uid in uids if not is_uid(uid)]
    if foreign:
        yield Finding(
            "SEC-T-152",
            "error",
            f"{len(foreign)} of {len(uids)} UIDs",
            "not digits and dots, 64 at most",
            "correct them where the manifest is made",
            foreign[0],
        )
    if sloppy := [uid for uid in uids if is_uid(uid) and not is_oid(uid)]:
        yield Finding(
            "KOS-054",
            "warning",
            f"{len(sloppy)} of {len(uids)} UIDs",
            "a component is empty or has a leading zero",
            "correct them where the manifest is made",
            sloppy[0],
        )


def root(manifest: Manifest) -> Iterator[Finding]:
    if manifest.continuity not in ("", "SEPARATE"):
        yield Finding(
            "KOS-028", "warning", "Continuity Of Content (0040,A050)", "must be SEPARATE",
            "correct it", manifest.continuity,
        )  # fmt: skip
    if manifest.template != "2010":
        yield Finding(
            "KOS-030", "warning", "Content Template Sequence (0040,A504)",
            "does not name template 2010", "add it with Mapping Resource DCMR", manifest.template,
        )  # fmt: skip


def places(manifest: Manifest) -> Iterator[Finding]:
    """What the object must not share with what it references (section 1, KOS-052)."""
    studies = {study.study_instance_uid for study in manifest.studies}
    series = {each.series_instance_uid for study in manifest.studies for each in study.series}
    if manifest.series_instance_uid and manifest.series_instance_uid in series:
        yield Finding(
            "KOS-007", "warning", "Series Instance UID (0020,000E)",
            "is that of a referenced series", "give the manifest a series of its own",
            manifest.series_instance_uid,
        )  # fmt: skip
    if studies and manifest.study_instance_uid not in studies:
        yield Finding(
            "KOS-008", "warning", "Study Instance UID (0020,000D)",
            "is that of no referenced study", "file the manifest in the study that it describes",
            manifest.study_instance_uid,
        )  # fmt: skip
    if any(
        each.sop_instance_uid == manifest.sop_instance_uid for _, _, each in manifest.references()
    ):
        yield Finding(
            "KOS-009", "warning", "manifest", "lists itself", "leave it out of the evidence",
            manifest.sop_instance_uid,
        )  # fmt: skip
    if manifest.repeated:
        yield Finding(
            "KOS-052", "warning", "Current Requested Procedure Evidence Sequence (0040,A375)",
            f"names {manifest.repeated} instances again", "name each once",
        )  # fmt: skip


def content(manifest: Manifest) -> Iterator[Finding]:
    """KOS-093, KOS-094: evidence and content name the same instances."""
    evidence = dict.fromkeys(each.sop_instance_uid for _, _, each in manifest.references())
    content = dict.fromkeys(
        item.reference.sop_instance_uid for item in manifest.content if item.reference
    )
    for what, where, lacking in (
        ("Content Sequence (0040,A730)", "evidence", [each for each in evidence
                                                      if each not in content]),
        ("Current Requested Procedure Evidence Sequence (0040,A375)", "content",
         [each for each in content if each not in evidence]),
    ):  # fmt: skip
        if lacking and evidence and content:
            yield Finding(
                "KOS-126", "warning", what, f"lacks {len(lacking)} instances of the {where}",
                "name the same instances in both", lacking[0],
            )  # fmt: skip


def locations(manifest: Manifest) -> Iterator[Finding]:
    series = [each for study in manifest.studies for each in study.series]
    missing = [each for each in series if not each.retrieve_location_uid]
    if missing:
        yield Finding(
            "KOS-127",
            "error" if len(missing) == len(series) else "warning",
            "Retrieve Location UID (0040,E011)",
            f"missing in {len(missing)} of {len(series)} series, first "
            f"{shown(missing[0].series_instance_uid)}",
            "add the OID of the imaging document source, or nobody can fetch the images",
        )
    uids = dict.fromkeys(each.retrieve_location_uid for each in series)
    for uid in [uid for uid in uids if uid and not is_oid(uid)][:10]:
        yield Finding(
            "KOS-127", "warning", "Retrieve Location UID (0040,E011)", "is no UID",
            "give the OID of the imaging document source, not its name", uid,
        )  # fmt: skip
    title = manifest.title
    is_plain = title is not None and (title.value, title.scheme) in dicom.PLAIN_TITLES
    if is_plain and series and not any(each.retrieve_ae_title for each in series):
        yield Finding(
            "IMG-191", "warning", "Retrieve AE Title (0008,0054)", "missing in every series",
            "add it if the source answers DICOM queries",
        )  # fmt: skip


def issuers(manifest: Manifest) -> Iterator[Finding]:
    """KOS-103: two hospitals give the same number."""
    bare = [each.value for each in manifest.accessions if not each.issuer_uid]
    if bare:
        yield Finding(
            "KOS-016", "warning", "Issuer of Accession Number Sequence (0008,0051)",
            "missing for an accession number", "add the OID of who gave the number", bare[0],
        )  # fmt: skip


def descriptors(manifest: Manifest) -> Iterator[Finding]:
    """What the profile of manifests with descriptors (MADO) wants besides."""
    for each in madochecks.remarks(manifest):
        remedy = RULES[each.rule].remedy.rstrip(".")
        yield Finding(
            each.rule, "warning", "descriptors", each.text, remedy[:1].lower() + remedy[1:]
        )


def studies(manifest: Manifest) -> Iterator[Finding]:
    studies = [each.study_instance_uid for each in manifest.studies]
    if len(studies) < 2:
        return
    yield Finding(
        "KOS-131", "warning", "Current Requested Procedure Evidence Sequence (0040,A375)",
        f"references {len(studies)} studies", "send one manifest for each study",
    )  # fmt: skip
    copies = {each.study_instance_uid for each in manifest.identical_documents}
    if lacking := [each for each in studies
                   if each not in copies and each != manifest.study_instance_uid]:  # fmt: skip
        yield Finding(
            "KOS-063", "warning", "Identical Documents Sequence (0040,A525)",
            f"names no copy in {len(lacking)} of the other studies",
            "store a copy in each study and list it", lacking[0],
        )  # fmt: skip
