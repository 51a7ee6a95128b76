"""Parts of a manifest's header: elements, codes, patients, requests, as pydicom data sets.

Source: DICOM PS3.3 8, 10.14, 10.17, C.17-3c (KOS-015, KOS-016, KOS-023, KOS-024, KOS-040 to
KOS-047, MADO-020 to MADO-030).
"""

from collections.abc import Iterable

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from xdsi.model.manifest import CodedConcept, IssuedId, PatientHeader, ReferencedRequest
from xdsi.standard import dicom
from xdsi.wire.times import plain_date


def put(target: Dataset, tag: int, vr: str, value: object) -> None:
    # values of other systems are copied, not judged: an id must stay what it is in the images
    target[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)


def put_raw(target: Dataset, tag: int, items: bytes) -> None:
    """A sequence as the bytes of its items; parsed only by who looks into it."""
    target[tag] = RawDataElement(Tag(tag), "SQ", len(items), items, 0, False, True)


def put_codes(target: Dataset, tag: int, concepts: Iterable[CodedConcept]) -> None:
    items = Sequence()
    for concept in concepts:
        item = Dataset()
        # a code longer than SH goes to its own attribute (PS3.3 8.1)
        if len(concept.value) <= 16:
            put(item, dicom.CODE_VALUE, "SH", concept.value)
        else:
            put(item, dicom.LONG_CODE_VALUE, "UC", concept.value)
        put(item, dicom.CODING_SCHEME_DESIGNATOR, "SH", concept.scheme)
        put(item, dicom.CODE_MEANING, "LO", concept.meaning)
        items.append(item)
    put(target, tag, "SQ", items)


def _put_issuer(target: Dataset, tag: int, issued: IssuedId) -> None:
    if not issued.issuer and not issued.issuer_uid:
        return
    item = Dataset()
    if issued.issuer_uid:
        put(item, dicom.UNIVERSAL_ENTITY_ID, "UT", issued.issuer_uid)
        put(item, dicom.UNIVERSAL_ENTITY_ID_TYPE, "CS", issued.issuer_type or "ISO")
    else:
        put(item, dicom.LOCAL_NAMESPACE_ENTITY_ID, "UT", issued.issuer)
    put(target, tag, "SQ", Sequence([item]))


def put_patient(target: Dataset, patient: PatientHeader, issuer: str) -> None:
    put(target, dicom.PATIENT_NAME, "PN", patient.name)
    put(target, dicom.PATIENT_ID, "LO", patient.id.value)
    put(target, dicom.PATIENT_BIRTH_DATE, "DA", plain_date(patient.birth_date))
    put(target, dicom.PATIENT_SEX, "CS", patient.sex if patient.sex in ("M", "F", "O") else "")
    known = with_issuer(patient.id, issuer)
    if known.issuer:
        put(target, dicom.ISSUER_OF_PATIENT_ID, "LO", known.issuer)
    if known.issuer_uid:
        _put_issuer(target, dicom.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE, known)


def put_other_ids(target: Dataset, patient: PatientHeader, issuer: str) -> None:
    """Every id of the patient, the main one again first (MADO-023)."""
    main = with_issuer(patient.id, issuer)
    items = []
    for known in dict.fromkeys((main, *patient.other_ids)):
        item = Dataset()
        put(item, dicom.PATIENT_ID, "LO", known.value)
        if known.issuer:
            put(item, dicom.ISSUER_OF_PATIENT_ID, "LO", known.issuer)
        put(item, dicom.TYPE_OF_PATIENT_ID, "CS", "TEXT")
        if known.issuer_uid:
            _put_issuer(item, dicom.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE, known)
        if known.value:
            items.append(item)
    put(target, dicom.OTHER_PATIENT_IDS_SEQUENCE, "SQ", Sequence(items))


def put_accession(target: Dataset, accession: IssuedId) -> None:
    put(target, dicom.ACCESSION_NUMBER, "SH", accession.value)
    _put_issuer(target, dicom.ISSUER_OF_ACCESSION_NUMBER_SEQUENCE, accession)


def with_issuer(known: IssuedId, issuer: str) -> IssuedId:
    if not issuer or not known.value or known.issuer_uid:
        return known
    return IssuedId(known.value, known.issuer, issuer, "ISO")


def request_item(request: ReferencedRequest) -> Dataset:
    """An item of the Referenced Request Sequence, its type 2 attributes always there."""
    item = Dataset()
    put(item, dicom.STUDY_INSTANCE_UID, "UI", request.study_instance_uid)
    put(item, dicom.REFERENCED_STUDY_SEQUENCE, "SQ", Sequence())
    put_accession(item, request.accession)
    put(item, dicom.PLACER_ORDER_NUMBER, "LO", request.placer_order.value)
    put(item, dicom.FILLER_ORDER_NUMBER, "LO", request.filler_order.value)
    _put_issuer(item, dicom.ORDER_PLACER_IDENTIFIER_SEQUENCE, request.placer_order)
    _put_issuer(item, dicom.ORDER_FILLER_IDENTIFIER_SEQUENCE, request.filler_order)
    put(item, dicom.REQUESTED_PROCEDURE_ID, "SH", request.requested_procedure_id)
    description = request.requested_procedure_description
    put(item, dicom.REQUESTED_PROCEDURE_DESCRIPTION, "LO", description[:64])
    put_codes(item, dicom.REQUESTED_PROCEDURE_CODE_SEQUENCE, request.requested_procedure_codes)
    return item
