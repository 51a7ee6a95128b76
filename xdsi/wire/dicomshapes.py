"""Parts that headers of instances and manifests share: codes, issuers, patients, requests.

Source: DICOM PS3.3 8 (codes), 10.14 and 10.17 (issuers), C.2.2, C.17-3c (KOS-023, KOS-024,
KOS-040 to KOS-047).
"""

from xdsi.model.manifest import CodedConcept, IssuedId, PatientHeader, ReferencedRequest
from xdsi.standard import dicom
from xdsi.wire.dicomfile import Item, Shape


def code(item: Item) -> CodedConcept | None:
    """Long and URN code values stand in for the short one (PS3.3 8.1)."""
    value = (
        item.text(dicom.CODE_VALUE)
        or item.text(dicom.LONG_CODE_VALUE)
        or item.text(dicom.URN_CODE_VALUE)
    )
    if not value:
        return None
    return CodedConcept(
        value, item.text(dicom.CODING_SCHEME_DESIGNATOR), item.text(dicom.CODE_MEANING)
    )


CODE = Shape(
    frozenset(
        {
            dicom.CODE_VALUE,
            dicom.LONG_CODE_VALUE,
            dicom.URN_CODE_VALUE,
            dicom.CODING_SCHEME_DESIGNATOR,
            dicom.CODE_MEANING,
        }
    ),
    make=code,
)
# published manifests have concepts that say no more than their meaning
CODE_OR_MEANING = Shape(
    CODE.values,
    make=lambda item: (
        code(item)
        or CodedConcept(
            "", item.text(dicom.CODING_SCHEME_DESIGNATOR), item.text(dicom.CODE_MEANING)
        )
    ),
)

# an issuer becomes an IssuedId without value
ISSUER = Shape(
    frozenset(
        {
            dicom.LOCAL_NAMESPACE_ENTITY_ID,
            dicom.UNIVERSAL_ENTITY_ID,
            dicom.UNIVERSAL_ENTITY_ID_TYPE,
        }
    ),
    make=lambda item: IssuedId(
        "",
        item.text(dicom.LOCAL_NAMESPACE_ENTITY_ID),
        item.text(dicom.UNIVERSAL_ENTITY_ID),
        item.text(dicom.UNIVERSAL_ENTITY_ID_TYPE),
    ),
)


def issued(item: Item, value: int, issuer: int, label: int = 0) -> IssuedId:
    """The identifier at tag `value` with its issuer (sequence `issuer`, text `label`)."""
    by = item.first(issuer, IssuedId) or IssuedId("")
    name = (item.text(label) if label else "") or by.issuer
    return IssuedId(item.text(value), name, by.issuer_uid, by.issuer_type)


def accession(item: Item) -> IssuedId:
    return issued(item, dicom.ACCESSION_NUMBER, dicom.ISSUER_OF_ACCESSION_NUMBER_SEQUENCE)


def _patient_id(item: Item) -> IssuedId:
    return issued(
        item,
        dicom.PATIENT_ID,
        dicom.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
        dicom.ISSUER_OF_PATIENT_ID,
    )


_PATIENT_ID_VALUES = frozenset({dicom.PATIENT_ID, dicom.ISSUER_OF_PATIENT_ID})
PATIENT_VALUES = _PATIENT_ID_VALUES | {
    dicom.PATIENT_NAME,
    dicom.PATIENT_BIRTH_DATE,
    dicom.PATIENT_SEX,
}
PATIENT_SEQUENCES = {
    dicom.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE: ISSUER,
    dicom.OTHER_PATIENT_IDS_SEQUENCE: Shape(
        _PATIENT_ID_VALUES,
        {dicom.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE: ISSUER},
        make=_patient_id,
    ),
}


def patient(item: Item) -> PatientHeader:
    """The patient of a data set; a name keeps its component groups, trailing empty ones cut."""
    return PatientHeader(
        id=_patient_id(item),
        name=item.text(dicom.PATIENT_NAME).rstrip("=^"),
        birth_date=item.text(dicom.PATIENT_BIRTH_DATE),
        sex=item.text(dicom.PATIENT_SEX),
        other_ids=item.made(dicom.OTHER_PATIENT_IDS_SEQUENCE, IssuedId),
    )


def request(item: Item) -> ReferencedRequest:
    """An item of (0040,A370) or, in images, of (0040,0275)."""
    return ReferencedRequest(
        study_instance_uid=item.uid(dicom.STUDY_INSTANCE_UID),
        accession=accession(item),
        placer_order=issued(
            item, dicom.PLACER_ORDER_NUMBER, dicom.ORDER_PLACER_IDENTIFIER_SEQUENCE
        ),
        filler_order=issued(
            item, dicom.FILLER_ORDER_NUMBER, dicom.ORDER_FILLER_IDENTIFIER_SEQUENCE
        ),
        requested_procedure_id=item.text(dicom.REQUESTED_PROCEDURE_ID),
        requested_procedure_description=item.text(dicom.REQUESTED_PROCEDURE_DESCRIPTION),
        requested_procedure_codes=item.made(dicom.REQUESTED_PROCEDURE_CODE_SEQUENCE, CodedConcept),
    )


REQUEST_VALUES = frozenset(
    {
        dicom.STUDY_INSTANCE_UID,
        dicom.ACCESSION_NUMBER,
        dicom.PLACER_ORDER_NUMBER,
        dicom.FILLER_ORDER_NUMBER,
        dicom.REQUESTED_PROCEDURE_ID,
        dicom.REQUESTED_PROCEDURE_DESCRIPTION,
    }
)
REQUEST_SEQUENCES = {
    dicom.ISSUER_OF_ACCESSION_NUMBER_SEQUENCE: ISSUER,
    dicom.ORDER_PLACER_IDENTIFIER_SEQUENCE: ISSUER,
    dicom.ORDER_FILLER_IDENTIFIER_SEQUENCE: ISSUER,
    dicom.REQUESTED_PROCEDURE_CODE_SEQUENCE: CODE,
}
REQUEST = Shape(REQUEST_VALUES, REQUEST_SEQUENCES, make=request)
