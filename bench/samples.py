"""Invented submissions and queries, made by the project's own codec.

An entry has what a radiology report's entry usually has, so that twenty of them make an answer of
about 110 KB.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from xdsi.model.messages import (
    Content,
    Document,
    DocumentRequest,
    ProvideRequest,
    QueryRequest,
    Reader,
    RetrieveRequest,
    Submission,
)
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
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
    CXi,
    Field,
    Identifier,
    Language,
    Size,
)
from xdsi.standard import queries, urns
from xdsi.wire import parameters

DOMAIN = "1.2.3.4.5.77"
REPOSITORY = "1.2.3.4.5.1000"
IMAGING_SOURCE = "1.2.3.4.5.3000"
_SOURCE = "1.2.3.4.5.2000"
_LOINC, _SNOMED = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"
_AUTHORS = (
    Author(
        persons=(XCN("7^Example^Erika^^^Dr.^^^&1.2.3.4.999&ISO"),),
        institutions=(XON("Invented Hospital^^^^^&1.2.3.4.9&ISO^^^^1"),),
        roles=("Author",),
        specialties=("Radiology",),
    ),
)
_REPORT = Code.of("11528-7", _LOINC, "Radiology Report")


def patient(number: int) -> CX:
    """The invented patient of that number."""
    return CX(f"BENCH-{number:07}^^^&{DOMAIN}&ISO")


def new_oid() -> str:
    """A fresh uniqueId; all have the same length, so that one can stand in for another."""
    return f"2.25.1{uuid4().int % 10**37:037}"


def document_entry(of: CX) -> DocumentEntry:
    """The entry of a report, as a source sends it: without hash, size and repository."""
    return DocumentEntry(
        entry_uuid=uuid4().urn,
        mime_type="text/plain",
        creation_time=DTM("20240102030405"),
        language_code=Language("de-AT"),
        legal_authenticator=XCN("8^Example^Emil^^^^^^&1.2.3.4.999&ISO"),
        reference_ids=(
            CXi(f"{uuid4().int % 10**8:08}^^^&1.2.3.4.5.6&ISO^{urns.ACCESSION}"),
            CXi(f"1.2.3.45.{uuid4().int % 10**20:020}^^^^{urns.STUDY_INSTANCE_UID}"),
        ),
        service_start_time=DTM("202401011200"),
        service_stop_time=DTM("202401011230"),
        source_patient_id=CX("INVENTED-77^^^&1.2.3.4.999&ISO"),
        source_patient_info=(
            Field("PID-3|INVENTED-77^^^&1.2.3.4.999&ISO"),
            Field("PID-5|Example^Patient"),
            Field("PID-7|19700101"),
            Field("PID-8|F"),
        ),
        title=InternationalString.of("Invented report", "en"),
        authors=_AUTHORS,
        class_code=Code.of("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
        confidentiality_codes=(Code.of("N", "2.16.840.1.113883.5.25", "normal"),),
        event_codes=(Code.of("CT", "1.2.840.10008.2.16.4", "Computed Tomography"),),
        format_code=Code.of("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1", "KOS"),
        healthcare_facility_type_code=Code.of("22232009", _SNOMED, "Hospital"),
        practice_setting_code=Code.of("394914008", _SNOMED, "Radiology"),
        type_code=_REPORT,
        patient_id=of,
        unique_id=Identifier(new_oid()),
    )


def received(entry: DocumentEntry) -> DocumentEntry:
    """The entry with what a repository adds, of some document."""
    return replace(
        entry,
        hash=SHA1(urns.EMPTY_SHA1[::-1]),
        size=Size("20480"),
        repository_unique_id=OID(REPOSITORY),
    )


def submission(of: CX, entries: int = 1) -> Submission:
    """A set with so many entries, as a source sends it."""
    one = SubmissionSet(
        entry_uuid=uuid4().urn,
        submission_time=DTM("20240102040506"),
        title=InternationalString.of("Invented submission", "en"),
        authors=_AUTHORS,
        content_type_code=_REPORT,
        patient_id=of,
        source_id=OID(_SOURCE),
        unique_id=OID(new_oid()),
    )
    made = tuple(document_entry(of) for _ in range(entries))
    members = tuple(
        Association(
            entry_uuid=uuid4().urn,
            association_type=urns.HAS_MEMBER,
            source_object=one.entry_uuid,
            target_object=each.entry_uuid,
            submission_set_status="Original",
        )
        for each in made
    )
    return Submission((one,), made, (), members)


@dataclass(slots=True)
class BlockReader:
    """A document of one block over and over: any size, no disk. `xdsi.model.messages.Reader`."""

    block: bytes
    left: int

    def read(self, n: int, /) -> bytes:
        at = -self.left % len(self.block)
        data = self.block[at : at + min(n, self.left)]
        self.left -= len(data)
        return data

    def close(self) -> None:
        """Nothing is held."""


def provide(of: CX, size: int, block: bytes) -> ProvideRequest:
    """ITI-41 of one document that repeats `block`, of which `size` is a multiple."""
    made = submission(of)
    opened: Callable[[], Reader] = partial(BlockReader, block, size)
    return ProvideRequest(made, (Document(made.entries[0].entry_uuid, Content(size, opened)),))


def find_documents(of: CX) -> QueryRequest:
    """FindDocuments for all Approved entries of a patient as LeafClass."""
    slots = (
        parameters.single("$XDSDocumentEntryPatientId", str(of)),
        parameters.many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
    )
    return QueryRequest(queries.FIND_DOCUMENTS.id, slots)


def retrieve(document: str) -> RetrieveRequest:
    """ITI-43 of one document of our repository."""
    return RetrieveRequest((DocumentRequest(REPOSITORY, document),))
