"""From files to a submission: what the documents say, what the user adds, and sensible defaults.

The user's word wins over the document's, the document's over a default. What nobody knows is
left out; the registry names it.
Source: IMG-020 to IMG-052 (IHE RAD TF-3 4.68.4.1.2.3), ITI TF-3 table 4.3.1-3.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from uuid import uuid4

from xdsi.model.manifest import IssuedId
from xdsi.model.messages import Content, Document, ProvideRequest, Reader, Submission
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    InternationalString,
    SubmissionSet,
)
from xdsi.model.study import StudyHeader
from xdsi.model.values import (
    CX,
    DTM,
    OID,
    XCN,
    XON,
    CXi,
    Field,
    Identifier,
    Language,
)
from xdsi.standard import cda, dicom, kinds, urns
from xdsi.standard.formats import Coded
from xdsi.wire.describe import Described, DescribedAuthor, body_parts, describe, of_study

# Codes of an entry that no document tells; affinity domains set their own (`--code`). Those that
# depend on the kind of document stand in `xdsi.standard.kinds`.
_COMMON = MappingProxyType(
    {
        "confidentialityCode": Code.of("N", cda.CONFIDENTIALITY, "normal"),
        "healthcareFacilityTypeCode": Code.of("22232009", cda.SNOMED_CT, "Hospital"),
        "practiceSettingCode": Code.of("394914008", cda.SNOMED_CT, "Radiology"),
        "contentTypeCode": Code.of(*kinds.RADIOLOGY_REPORT),
    }
)
CODED = ("classCode", "typeCode", "formatCode", *_COMMON)


class Reference(NamedTuple):
    """The imaging study a document belongs to, where the document itself cannot say so.

    modalities: of acquisition, as DICOM codes; body_parts: Body Part Examined terms
    """

    study_instance_uid: str = ""
    accession: IssuedId | None = None
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()


NO_REFERENCE = Reference()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user adds; None and () leave it to document and defaults.

    patient: affinity-domain identifier of every object
    source_id: OID of the submitting system
    source_patient: the patient's identifier at the source; default: the document's, else patient
    codes: IHE attribute name -> code, for names in CODED
    replaces: entryUUIDs of the entries that the (single) document replaces
    study: that of the (single) manifest, which tells more of it
    """

    patient: CX
    source_id: OID
    source_patient: CX | None = None
    title: str | None = None
    language: str | None = None
    author: str | None = None
    institution: str | None = None
    codes: Mapping[str, Code] = field(default_factory=dict)
    reference: Reference = NO_REFERENCE
    service_start: str | None = None
    replaces: tuple[str, ...] = ()
    study: StudyHeader | None = None


def provide_request(
    files: Sequence[Path], wishes: Wishes, *, remark: Callable[[str], None] = lambda text: None
) -> ProvideRequest:
    """One submission of all files; ids are new, except those the documents bring.

    remark: told of a document that says something else than the submission (IMG-065)
    Raises InvalidDocumentContent for a broken document, OSError for an unreadable file,
    ValueError when one document is to be replaced by several.
    """
    if wishes.replaces and len(files) != 1:
        raise ValueError("a replacement takes exactly one document")
    described = [describe(file) for file in files]
    if wishes.study is not None:
        described = [of_study(facts, wishes.study) for facts in described]
    for file, facts in zip(files, described, strict=True):
        if facts.replaces and not wishes.replaces:
            remark(f"{file.name} replaces another document by its own words, this submission none")
    entries = tuple(document_entry(facts, wishes) for facts in described)
    submission_set = _submission_set(wishes, entries[0].authors)
    members = [_member(submission_set, entry) for entry in entries]
    members += (
        Association(
            entry_uuid=uuid4().urn,
            association_type=urns.RPLC,
            source_object=entries[0].entry_uuid,
            target_object=replaced,
        )
        for replaced in wishes.replaces
    )
    submission = Submission((submission_set,), entries, (), tuple(members))
    return ProvideRequest(submission, tuple(map(_document, entries, files)))


def withdrawal(entries: Iterable[str], patient: CX, source_id: OID) -> Submission:
    """An update [ITI-57] that makes current entries Deprecated, with nothing in their place.

    entries: their entryUUIDs
    Source: Metadata Update supplement, Update DocumentEntry availabilityStatus (LC-020 ff.)
    """
    submission_set = _submission_set(Wishes(patient, source_id), ())
    return Submission(
        (submission_set,),
        associations=tuple(
            Association(
                entry_uuid=uuid4().urn,
                association_type=urns.UPDATE_AVAILABILITY_STATUS,
                source_object=submission_set.entry_uuid,
                target_object=each,
                original_status=urns.APPROVED,
                new_status=urns.DEPRECATED,
            )
            for each in entries
        ),
    )


def _submission_set(wishes: Wishes, authors: tuple[Author, ...]) -> SubmissionSet:
    return SubmissionSet(
        entry_uuid=uuid4().urn,
        submission_time=DTM.of(datetime.now(UTC)),
        authors=authors,
        content_type_code=_code("contentTypeCode", None, wishes),
        patient_id=wishes.patient,
        source_id=wishes.source_id,
        unique_id=OID(_new_oid()),
    )


def document_entry(facts: Described, wishes: Wishes) -> DocumentEntry:
    """The entry of one document; without hash and size, which the repository adds."""
    source_patient = wishes.source_patient or _issued_cx(facts.patient_ids) or wishes.patient
    start = wishes.service_start or facts.service_start
    return DocumentEntry(
        entry_uuid=uuid4().urn,
        mime_type=facts.mime_type,
        creation_time=DTM(facts.creation_time or DTM.of(datetime.now(UTC)).text),
        language_code=Language(wishes.language or facts.language or "en"),
        legal_authenticator=XCN(facts.legal_authenticator) if facts.legal_authenticator else None,
        reference_ids=tuple(_reference_ids(facts, wishes.reference)),
        service_start_time=DTM(start) if start else None,
        service_stop_time=DTM(facts.service_stop) if facts.service_stop else None,
        source_patient_id=source_patient,
        source_patient_info=tuple(_patient_info(facts, source_patient)),
        title=_title(wishes.title or facts.title),
        authors=_authors(facts.authors, wishes),
        class_code=_code("classCode", facts.kind.class_code, wishes),
        confidentiality_codes=_several("confidentialityCode", facts.confidentiality, wishes),
        event_codes=tuple(_events(facts, wishes.reference)),
        format_code=_code("formatCode", facts.format, wishes),
        healthcare_facility_type_code=_code("healthcareFacilityTypeCode", None, wishes),
        practice_setting_code=_code("practiceSettingCode", None, wishes),
        type_code=_code("typeCode", facts.type_code, wishes) or Code.of(*facts.kind.type_code),
        patient_id=wishes.patient,
        unique_id=Identifier(facts.unique_id or _new_oid()),
    )


def _new_oid() -> str:
    return f"2.25.{uuid4().int}"


def _open(path: Path) -> Reader:
    return path.open("rb", buffering=0)


def _document(entry: DocumentEntry, path: Path) -> Document:
    return Document(entry.entry_uuid, Content(path.stat().st_size, partial(_open, path)))


def _member(submission_set: SubmissionSet, entry: DocumentEntry) -> Association:
    return Association(
        entry_uuid=uuid4().urn,
        association_type=urns.HAS_MEMBER,
        source_object=submission_set.entry_uuid,
        target_object=entry.entry_uuid,
        submission_set_status="Original",
    )


def _code(name: str, found: Coded | None, wishes: Wishes) -> Code | None:
    if name in wishes.codes:
        return wishes.codes[name]
    if found and found.code and found.scheme:
        # a display name is required (MD-094)
        return Code.of(found.code, found.scheme, found.display or found.code)
    return _COMMON.get(name)


def _several(name: str, found: Coded | None, wishes: Wishes) -> tuple[Code, ...]:
    code = _code(name, found, wishes)
    return () if code is None else (code,)


def _events(facts: Described, added: Reference) -> Iterable[Code]:
    """Modalities, regions, procedures (IMG-033 to IMG-036), each once."""
    modalities = dict.fromkeys((*facts.modalities, *added.modalities))
    found = [Coded(each, dicom.DCM, dicom.MODALITIES.get(each, each)) for each in modalities]
    found += (*facts.regions, *body_parts(*added.body_parts), *facts.procedures)
    once: dict[tuple[str, str], Coded] = {}
    for each in found:
        once.setdefault((each.code, each.scheme), each)
    for code, scheme, display in once.values():
        if code and scheme:
            yield Code.of(code, scheme, display or code)


def _title(text: str) -> InternationalString | None:
    return InternationalString.of(text[:127]) if text else None  # MD-075


def _issued_cx(ids: Iterable[IssuedId]) -> CX | None:
    """The first identifier with an OID as issuer, as CX."""
    texts = (CX(f"{each.value}^^^&{each.issuer_oid}&ISO") for each in ids)
    return next((cx for cx in texts if cx.problem is None), None)


def _reference_ids(facts: Described, added: Reference) -> Iterable[CXi]:
    """Study UIDs, accession and order numbers (IMG-042 ff.; MD-085), each once."""
    studies = (*facts.study_instance_uids, added.study_instance_uid)
    numbers = [(each, urns.ACCESSION) for each in (*facts.accessions, added.accession) if each]
    numbers += [(each, urns.ORDER) for each in facts.orders]
    texts = [f"{uid}^^^^{urns.STUDY_INSTANCE_UID}" for uid in studies if uid]
    for number, kind in numbers:
        authority = f"&{number.issuer_oid}&ISO" if number.issuer_oid else ""
        texts.append(f"{number.value}^^^{authority}^{kind}")
    return (value for text in dict.fromkeys(texts) if (value := CXi(text)).problem is None)


def _patient_info(facts: Described, source_patient: CX) -> Iterable[Field]:
    yield Field(f"PID-3|{source_patient}")
    for number, text in ((5, facts.patient_name), (7, facts.birth_date), (8, facts.sex)):
        if text:
            yield Field(f"PID-{number}|{text}")


def _authors(found: Iterable[DescribedAuthor], wishes: Wishes) -> tuple[Author, ...]:
    if wishes.author or wishes.institution:
        found = (DescribedAuthor(wishes.author or "", wishes.institution or ""),)
    return tuple(
        Author(
            persons=(XCN(each.person),) if each.person else (),
            institutions=(XON(each.institution),) if each.institution else (),
        )
        for each in found
        if each.person or each.institution
    )
