"""Good objects and submissions for every test: change one thing and see what happens.

Each call gives new ids unless told otherwise. The patients are invented; codes are those of the
Connectathon code file, so that a domain configured with it accepts them.
    entry = document_entry(title=None)              # all that ITI-42 demands, without a title
    request = submission([entry], folders=[f])      # a set and every HasMember that is needed
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from xdsi.model.messages import Content, Document, ProvideRequest, Submission
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    InternationalString,
    SubmissionSet,
)
from xdsi.model.values import (
    CX,
    DTM,
    OID,
    SHA1,
    XCN,
    XON,
    XTN,
    CXi,
    Field,
    Identifier,
    Language,
    Recipient,
    Size,
)
from xdsi.standard import urns

PATIENT_DOMAIN = "1.3.6.1.4.1.21367.13.20.1000"
PATIENT = CX(f"TEST-0001^^^&{PATIENT_DOMAIN}&ISO")
OTHER_PATIENT = CX(f"TEST-0002^^^&{PATIENT_DOMAIN}&ISO")
SOURCE_PATIENT = CX("INVENTED-77^^^&1.2.3.4.999&ISO")
REPOSITORY = OID("1.2.3.4.5.1000")
SOURCE = OID("1.2.3.4.5.2000")
HOME = "1.2.3.4.5.3000"
DEMO = "1.3.6.1.4.1.21367.2017.3"  # coding scheme of the Connectathon's own codes

REPORTS = Code.of("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports")
IMAGES = Code.of("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images")
NORMAL = Code.of("N", "2.16.840.1.113883.5.25", "normal")
RESTRICTED = Code.of("R", "2.16.840.1.113883.5.25", "restricted")
CT = Code.of("CT", "1.2.840.10008.2.16.4", "Computed Tomography")
MR = Code.of("MR", "1.2.840.10008.2.16.4", "Magnetic Resonance")
TEXT = Code.of("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3", "RAD TEXT")
HOSPITAL = Code.of("22232009", "2.16.840.1.113883.6.96", "Hospital")
RADIOLOGY = Code.of("309964003", "2.16.840.1.113883.6.96", "Radiology department (environment)")
REPORT = Code.of("11528-7", "2.16.840.1.113883.6.1", "Radiology Report")
STUDY = Code.of("18748-4", "2.16.840.1.113883.6.1", "Diagnostic imaging study")
REFERRALS = Code.of("Referrals", DEMO, "Referrals")
CORRECTED = Code.of("Corrected_Information", DEMO, "Corrected Information")

AUTHOR = Author(
    persons=(XCN("7^Example^Erika^^^Dr.^^^&1.2.3.4.999&ISO"),),
    institutions=(
        XON("Invented Hospital^^^^^&1.2.3.4.9&ISO^^^^1"),
        XON("Ward^^^^^^^^^1.2.3.4.9.2"),
    ),
    roles=("Author",),
    specialties=("Radiology",),
    telecommunications=(XTN("^^Internet^erika@example.org"),),
)
CONTENT = b"An invented report: nothing in it is real.\n"


def new_uuid() -> str:
    """A fresh id in URN form."""
    return uuid4().urn


def new_oid() -> str:
    """A fresh OID of at most 44 characters."""
    return f"2.25.{uuid4().int}"


def new_patient() -> CX:
    """A patient no other test knows."""
    return CX(f"TEST-{uuid4().hex[:12]}^^^&{PATIENT_DOMAIN}&ISO")


def document_entry(content: bytes = CONTENT, **changes: Any) -> DocumentEntry:
    """A Stable entry for `content` with every attribute that ITI-42 demands, and some more."""
    entry = DocumentEntry(
        entry_uuid=new_uuid(),
        mime_type="text/plain",
        creation_time=DTM("20240102030405"),
        hash=SHA1(hashlib.sha1(content).hexdigest()),
        language_code=Language("de-AT"),
        repository_unique_id=REPOSITORY,
        service_start_time=DTM("202401011200"),
        service_stop_time=DTM("202401011230"),
        size=Size(str(len(content))),
        source_patient_id=SOURCE_PATIENT,
        source_patient_info=(
            Field(f"PID-3|{SOURCE_PATIENT}"),
            Field("PID-5|Example^Patient"),
            Field("PID-7|19700101"),
            Field("PID-8|F"),
        ),
        title=InternationalString.of("Invented report", "en"),
        authors=(AUTHOR,),
        class_code=REPORTS,
        confidentiality_codes=(NORMAL,),
        event_codes=(CT,),
        format_code=TEXT,
        healthcare_facility_type_code=HOSPITAL,
        practice_setting_code=RADIOLOGY,
        type_code=REPORT,
        patient_id=PATIENT,
        unique_id=Identifier(new_oid()),
    )
    return replace(entry, **changes)


def full_document_entry(**changes: Any) -> DocumentEntry:
    """An entry that fills every attribute a Stable entry may have."""
    given: dict[str, Any] = {
        "legal_authenticator": XCN("8^Example^Emil^^^^^^&1.2.3.4.999&ISO"),
        "reference_ids": (
            CXi("2013001^^^&1.2.3.4.5.6&ISO^urn:ihe:iti:xds:2013:accession"),
            CXi("1.2.3.45.678^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
        ),
        "uri": ("report.txt",),
        "comments": InternationalString.of("Made for a test", "en"),
        "confidentiality_codes": (NORMAL, RESTRICTED),
        "event_codes": (CT, MR),
        "authors": (AUTHOR, Author(persons=(XCN("^Imaging Software"),))),
    }
    return document_entry(**{**given, **changes})


def submission_set(**changes: Any) -> SubmissionSet:
    """A set with every attribute that ITI-42 demands."""
    one = SubmissionSet(
        entry_uuid=new_uuid(),
        submission_time=DTM("20240102040506"),
        intended_recipients=(
            Recipient("Invented Clinic|^Example^Rita|^^Internet^rita@example.org"),
        ),
        title=InternationalString.of("Invented submission", "en"),
        authors=(AUTHOR,),
        content_type_code=HOSPITAL,
        patient_id=PATIENT,
        source_id=SOURCE,
        unique_id=OID(new_oid()),
    )
    return replace(one, **changes)


def folder(**changes: Any) -> Folder:
    """A folder with every attribute that ITI-42 demands."""
    one = Folder(
        entry_uuid=new_uuid(),
        title=InternationalString.of("Invented folder", "en"),
        codes=(REFERRALS,),
        patient_id=PATIENT,
        unique_id=OID(new_oid()),
    )
    return replace(one, **changes)


def association(type_: str, source: object, target: object, **changes: Any) -> Association:
    """source, target: objects of the model, or ids."""
    one = Association(
        entry_uuid=new_uuid(),
        association_type=type_,
        source_object=_id(source),
        target_object=_id(target),
    )
    return replace(one, **changes)


def has_member(source: object, target: object, **changes: Any) -> Association:
    """A membership; of an entry in a set with SubmissionSetStatus Original."""
    if isinstance(source, SubmissionSet) and isinstance(target, DocumentEntry):
        changes = {"submission_set_status": "Original", **changes}
    return association(urns.HAS_MEMBER, source, target, **changes)


def submission(
    entries: Iterable[DocumentEntry] = (),
    *,
    folders: Iterable[Folder] = (),
    associations: Iterable[Association] = (),
    filed: Iterable[tuple[object, object]] = (),
    references: Iterable[str] = (),
    set_: SubmissionSet | None = None,
) -> Submission:
    """A complete submission: one entry if nothing is given, and all memberships of the set.

    associations: relationships to send along
    filed: (folder, entry) pairs, objects or ids; each becomes the folder's HasMember and the
        set's membership in it
    references: ids of registered entries that the set includes by reference
    """
    entries, folders = tuple(entries), tuple(folders)
    associations, filed, references = tuple(associations), tuple(filed), tuple(references)
    if not (entries or folders or associations or filed or references):
        entries = (document_entry(),)
    patients = {one.patient_id for one in (*entries, *folders)}
    one = set_ or submission_set(**({"patient_id": patients.pop()} if len(patients) == 1 else {}))
    in_folders = [has_member(box, entry) for box, entry in filed]
    members = [has_member(one, each) for each in (*entries, *folders, *in_folders)]
    members += [has_member(one, each, submission_set_status="Reference") for each in references]
    return Submission((one,), entries, folders, (*members, *in_folders, *associations))


@dataclass(frozen=True, slots=True)
class MemoryStaged:
    """A received document held in memory; satisfies `xdsi.model.messages.Staged`."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def sha1(self) -> str:
        return hashlib.sha1(self.data).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.data)


def staged(data: bytes = CONTENT) -> MemoryStaged:
    """A document as the server hands it to a repository."""
    return MemoryStaged(data)


def content(data: bytes = CONTENT) -> Content:
    """A document as a source or a repository gives it out."""
    return Content(len(data), lambda: io.BytesIO(data))


def provide(*documents: bytes, as_source: bool = False, **changes: Any) -> ProvideRequest:
    """ITI-41 with one entry per document, without the attributes that the repository adds.

    as_source: documents are `Content`, for a client; otherwise staged, as a handler gets them
    changes: of every entry, e.g. `patient_id`
    """
    documents = documents or (CONTENT,)
    given = {"hash": None, "size": None, "repository_unique_id": None, **changes}
    entries = [document_entry(data, **given) for data in documents]
    make = content if as_source else staged
    return ProvideRequest(
        submission(entries),
        tuple(
            Document(entry.entry_uuid, make(data))
            for entry, data in zip(entries, documents, strict=True)
        ),
    )


def _id(thing: object) -> str:
    return thing if isinstance(thing, str) else thing.entry_uuid  # type: ignore[attr-defined]
