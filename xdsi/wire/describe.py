"""What a document says of itself, in terms a DocumentEntry can be filled with.

Everything here comes from the document; codes that an affinity domain sets (class, practice
setting, facility) do not.
Source: IMG-020 to IMG-065 (IHE RAD TF-3 4.68.4.1.2.3); ITI TF-3 4.2.3.2.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

from xdsi.model.manifest import CodedConcept, IssuedId, PatientHeader, ReferencedRequest
from xdsi.model.report import CdaHeader, Organization, PersonName, Professional, ReportCode
from xdsi.model.study import StudyHeader
from xdsi.standard import anatomy, cda, dicom
from xdsi.standard.formats import Coded
from xdsi.standard.kinds import DocumentKind
from xdsi.wire import cda as cda_wire
from xdsi.wire import dicomshapes as shapes
from xdsi.wire import fhirdocument, instances, kosreader, pdf
from xdsi.wire.sniff import kind_of
from xdsi.wire.times import dtm_from_dicom, dtm_from_fhir, plain_date

# DICOM names, HL7 designators and OIDs of code systems
CODE_SYSTEMS = MappingProxyType(
    {"LN": cda.LOINC, "SCT": cda.SNOMED_CT, "DCM": dicom.DCM, "DCMUID": dicom.UID_REGISTRY}
)


@dataclass(frozen=True, slots=True)
class DescribedAuthor:
    """An author in wire form: person as XCN, institution as XON; "" when not known."""

    person: str = ""
    institution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Facts of one document. Times are DTM; "" or () means the document does not say.

    patient_ids: ids with issuer OIDs, the main one first; patient_name: as PID-5
    type_code: of the document or of its procedure; schemes are OIDs where known
    accessions, orders: numbers with issuers; modalities: DICOM codes of acquisition (CID 29)
    regions: anatomic; procedures: what was done, where the profile wants it beside them
    sop_class: of a DICOM instance, whose format it is
    replaces: whether it says that it replaces an earlier document (IMG-065)
    """

    kind: DocumentKind
    sop_class: Coded | None = None
    unique_id: str = ""
    creation_time: str = ""
    title: str = ""
    patient_ids: tuple[IssuedId, ...] = ()
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    study_instance_uids: tuple[str, ...] = ()
    accessions: tuple[IssuedId, ...] = ()
    orders: tuple[IssuedId, ...] = ()
    modalities: tuple[str, ...] = ()
    regions: tuple[Coded, ...] = ()
    procedures: tuple[Coded, ...] = ()
    type_code: Coded | None = None
    confidentiality: Coded | None = None
    service_start: str = ""
    service_stop: str = ""
    authors: tuple[DescribedAuthor, ...] = ()
    legal_authenticator: str = ""
    language: str = ""
    replaces: bool = False

    @property
    def mime_type(self) -> str:
        return self.kind.mime_type

    @property
    def format(self) -> Coded:
        return self.sop_class or self.kind.format


def describe(path: Path) -> Described:
    """What the document at `path` says of itself.

    A manifest without modalities gets those that its SOP classes imply. Where a PDF or text does
    not say when it was made, the file's time of change stands for it.
    Raises InvalidDocumentContent for a document that is broken, OSError for an unreadable file.
    """
    kind = kind_of(path)
    return _DESCRIBERS[kind](path)


def _manifest(path: Path) -> Described:
    manifest = kosreader.read_manifest(path, what=path.name)
    classes = dict.fromkeys(each.sop_class_uid for _, _, each in manifest.references())
    implied = dict.fromkeys(map(dicom.MODALITY_OF_CLASS.get, classes))
    told = manifest.descriptors
    created = dtm_from_dicom(
        manifest.instance_creation_date, manifest.instance_creation_time, manifest.timezone
    ) or dtm_from_dicom(manifest.content_date, manifest.content_time, manifest.timezone)
    # one with descriptors has the institution as XON (MADO-027)
    maker, *parts = (manifest.institution_name or manifest.manufacturer).split("^")
    uids = [manifest.study_instance_uid, *(each.study_instance_uid for each in manifest.studies)]
    procedures = _coded(told.procedures if told else ())
    return Described(
        kind=DocumentKind.MADO_MANIFEST if told else DocumentKind.MANIFEST,
        unique_id=manifest.sop_instance_uid,
        creation_time=created,
        title=manifest.study_description or _description(manifest.requests),
        **_patient(manifest.patient),
        study_instance_uids=tuple(dict.fromkeys(filter(None, uids))),
        accessions=manifest.accessions,
        orders=manifest.placer_orders,
        modalities=_acquired(told.modalities if told else ()) or tuple(filter(None, implied)),
        regions=_coded(told.regions if told else ()),
        procedures=procedures,
        type_code=next(iter((*procedures, *_procedure(manifest.requests, ()))), None),
        service_start=dtm_from_dicom(manifest.study_date, manifest.study_time, manifest.timezone),
        authors=(DescribedAuthor(institution=xon(maker, *parts[8:9])),) if maker else (),
    )


def of_study(facts: Described, study: StudyHeader) -> Described:
    """The same of a manifest, with what its study tells beside it: modalities, of which SOP classes
    let only guess, regions and procedures (IMG-032 to IMG-036).
    """
    regions = _coded(each.region for each in study.series if each.region)
    procedures = _procedure(study.requests, study.procedure_codes)
    return replace(
        facts,
        modalities=_acquired(study.modalities) or facts.modalities,
        regions=tuple(dict.fromkeys((*facts.regions, *regions, *body_parts(*study.body_parts)))),
        procedures=tuple(dict.fromkeys((*facts.procedures, *procedures))),
        type_code=facts.type_code or next(iter(procedures), None),
    )


def _instance(path: Path) -> Described:
    item = instances.header(path).data
    offset = item.text(dicom.TIMEZONE_OFFSET_FROM_UTC)
    requests = item.made(dicom.REQUEST_ATTRIBUTES_SEQUENCE, ReferencedRequest)
    codes = item.made(dicom.PROCEDURE_CODE_SEQUENCE, CodedConcept)
    numbers = (shapes.accession(item), *(each.accession for each in requests))
    institution, study = item.text(dicom.INSTITUTION_NAME), item.uid(dicom.STUDY_INSTANCE_UID)
    sop_class = item.uid(dicom.SOP_CLASS_UID)
    return Described(
        kind=DocumentKind.DICOM,
        # as for manifests: the SOP class is the format
        sop_class=Coded(sop_class, dicom.UID_REGISTRY, item.text(dicom.SERIES_DESCRIPTION)),
        unique_id=item.uid(dicom.SOP_INSTANCE_UID),
        creation_time=dtm_from_dicom(
            item.text(dicom.INSTANCE_CREATION_DATE),
            item.text(dicom.INSTANCE_CREATION_TIME),
            offset,
        ),
        title=item.text(dicom.STUDY_DESCRIPTION),
        **_patient(shapes.patient(item)),
        study_instance_uids=(study,) if study else (),
        accessions=tuple(dict.fromkeys(each for each in numbers if each.value)),
        orders=tuple(
            dict.fromkeys(each.placer_order for each in requests if each.placer_order.value)
        ),
        modalities=_acquired((item.text(dicom.MODALITY),)),
        regions=body_parts(item.text(dicom.BODY_PART_EXAMINED)),
        type_code=next(iter(_procedure(requests, codes)), None),
        service_start=dtm_from_dicom(
            item.text(dicom.STUDY_DATE), item.text(dicom.STUDY_TIME), offset
        ),
        authors=(DescribedAuthor(institution=xon(institution)),) if institution else (),
    )


def _report(path: Path) -> Described:
    header = cda_wire.read_header(path, what=path.name)
    signer = header.legal_authenticator
    translations = [code for each in header.services for code in each.translations]
    return Described(
        kind=_report_kind(header),
        unique_id=str(header.id) if header.id else "",
        creation_time=header.effective_time,
        title=header.title,
        patient_ids=tuple(
            IssuedId(each.extension, "", each.root, "ISO")
            for each in header.patient_ids
            if each.extension
        ),
        patient_name=_pid5(header.patient_name),
        birth_date=header.birth_time[:8],
        sex=cda.SEX_OF_GENDER.get(header.gender, ""),
        study_instance_uids=header.study_instance_uids,
        accessions=tuple(
            IssuedId(each.extension, "", each.root, "ISO")
            for each in header.orders
            if each.extension
        ),
        modalities=_acquired((*(each.code for each in translations), *header.modalities)),
        regions=tuple(
            dict.fromkeys(
                Coded(*each)
                for each in (*filter(_is_region, translations), *header.target_sites)
                if each.scheme == cda.SNOMED_CT
            )
        ),
        type_code=Coded(*header.code) if header.code else None,
        confidentiality=Coded(*header.confidentiality) if header.confidentiality else None,
        service_start=header.service_start,
        service_stop=header.service_stop,
        authors=tuple(
            DescribedAuthor(_xcn(each), _organization(each.organization)) for each in header.authors
        ),
        legal_authenticator=_xcn(signer) if signer else "",
        language=header.language,
        replaces=any(each.type_code == "RPLC" for each in header.related),
    )


def _is_region(code: ReportCode) -> bool:
    """Whether a code beside the procedure's names a body part, and no other procedure."""
    return bool(anatomy.regions_of(code.code))


def _report_kind(header: CdaHeader) -> DocumentKind:
    """By its template or headings, or by what it wraps (IMG-021, IMG-023, IMG-061, IMG-062)."""
    if not header.is_structured:
        is_pdf = header.body_media_type == "application/pdf"
        return DocumentKind.WRAPPED_PDF if is_pdf else DocumentKind.WRAPPED_TEXT
    templates = {each.root for each in header.template_ids}
    if templates & {*cda.IMAGING_REPORT_TEMPLATES} or (
        cda.IMAGING_HEADINGS.intersection(header.section_codes)
    ):
        return DocumentKind.IMAGING_REPORT
    return DocumentKind.CDA


def _fhir(path: Path) -> Described:
    found = fhirdocument.read_document(path)
    author = _xcn(Professional(name=found.author)) if found.author else ""
    institution = xon(found.institution, found.institution_oid)
    types = _coded((found.type,)) if found.type else ()
    return Described(
        kind=DocumentKind.FHIR_MANIFEST if found.is_manifest else DocumentKind.FHIR,
        unique_id=found.identifier,
        creation_time=dtm_from_fhir(found.made),
        title=found.title,
        patient_ids=tuple(each for each in found.patient_ids if each.value),
        patient_name=_pid5(found.patient_name),
        birth_date=dtm_from_fhir(found.birth_date),
        sex=found.sex,
        study_instance_uids=tuple(filter(None, found.study_instance_uids)),
        accessions=tuple(each for each in found.accessions if each.value),
        orders=tuple(each for each in found.orders if each.value),
        modalities=_acquired(found.modalities),
        regions=_coded(found.regions),
        type_code=next(iter(types), None),
        confidentiality=(
            Coded(found.confidentiality, cda.CONFIDENTIALITY, found.confidentiality)
            if found.confidentiality
            else None
        ),
        service_start=dtm_from_fhir(found.started),
        authors=(DescribedAuthor(author, institution),) if author or institution else (),
        language=found.language,
    )


def _pdf(path: Path) -> Described:
    info = pdf.read_info(path)
    return Described(
        kind=DocumentKind.PDF,
        creation_time=info.created or _changed(path),
        title=info.title,
    )


def _plain(kind: DocumentKind) -> Callable[[Path], Described]:
    return lambda path: Described(kind=kind, creation_time=_changed(path))


# What its first bytes show decides who describes a document; of others the file's time is told.
_DESCRIBERS: Mapping[DocumentKind, Callable[[Path], Described]] = MappingProxyType(
    {
        **{kind: _plain(kind) for kind in DocumentKind},
        DocumentKind.MANIFEST: _manifest,
        DocumentKind.DICOM: _instance,
        DocumentKind.CDA: _report,
        DocumentKind.FHIR: _fhir,
        DocumentKind.PDF: _pdf,
    }
)


def _changed(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y%m%d%H%M%S")


def _description(requests: tuple[ReferencedRequest, ...]) -> str:
    return next(
        (each.requested_procedure_description for each in requests
         if each.requested_procedure_description), ""
    )  # fmt: skip


def _procedure(
    requests: tuple[ReferencedRequest, ...], codes: tuple[CodedConcept, ...]
) -> tuple[Coded, ...]:
    """The procedures of the study, or what was requested (IMG-032)."""
    return _coded((*codes, *(code for each in requests for code in each.requested_procedure_codes)))


def _coded(concepts: Iterable[CodedConcept]) -> tuple[Coded, ...]:
    """As an entry has them; a meaning without a code is none."""
    return tuple(
        dict.fromkeys(
            Coded(each.value, CODE_SYSTEMS.get(each.scheme, each.scheme), each.meaning)
            for each in concepts
            if each.value
        )
    )


def _acquired(modalities: Iterable[str]) -> tuple[str, ...]:
    """Those of acquisition, each once: KO, PR, SR and the like are none (IMG-033)."""
    return tuple(each for each in dict.fromkeys(modalities) if each in dicom.MODALITIES)


def body_parts(*terms: str) -> tuple[Coded, ...]:
    """The codes of Body Parts Examined; of those that are no term there is none (IMG-034)."""
    found = (anatomy.body_part(each) for each in terms)
    return tuple(Coded(each.value, cda.SNOMED_CT, each.meaning) for each in found if each)


class _PatientFacts(TypedDict):
    patient_ids: tuple[IssuedId, ...]
    patient_name: str
    birth_date: str
    sex: str


def _patient(patient: PatientHeader) -> _PatientFacts:
    ids = (patient.id, *patient.other_ids)
    family, given, middle, prefix, suffix = ([*patient.name.split("=")[0].split("^"), *[""] * 5])[
        :5
    ]
    name = PersonName(family, tuple(filter(None, (given, middle))), prefix, suffix)
    return {
        "patient_ids": tuple(dict.fromkeys(each for each in ids if each.value)),
        "patient_name": _pid5(name),
        "birth_date": plain_date(patient.birth_date),
        "sex": patient.sex if patient.sex in ("M", "F", "O") else "",
    }


# --- HL7 v2 forms (MD-096, MD-097; PID-5)

_DELIMITERS = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})


def escaped(text: str) -> str:
    """Text as one component: delimiters escaped, control characters gone."""
    return "".join(c for c in text if c.isprintable()).translate(_DELIMITERS)


def xon(name: str, oid: str = "") -> str:
    """An organisation as XON; "" without a name."""
    if not name:
        return ""
    return f"{escaped(name)}^^^^^^^^^{oid}" if oid else escaped(name)


def _name_parts(name: PersonName | None) -> list[str]:
    """family, given, further given, suffix, prefix: HL7 v2 has the suffix first, DICOM last."""
    if name is None:
        return [""] * 5
    given, *more = name.given or ("",)
    family = name.family or ("" if given else name.text)
    return [escaped(each) for each in (family, given, " ".join(more), name.suffix, name.prefix)]


def _pid5(name: PersonName | None) -> str:
    return "^".join(_name_parts(name)).rstrip("^")


def _xcn(person: Professional) -> str:
    """A person as XCN: the first id that has an issuer, and the name."""
    known = next((each for each in person.ids if each.extension), None)
    parts = [escaped(known.extension) if known else "", *_name_parts(person.name), "", ""]
    if known:
        parts.append(f"&{known.root}&ISO")
    return "^".join(parts).rstrip("^")


def _organization(organization: Organization | None) -> str:
    if organization is None:
        return ""
    return xon(
        organization.name, next((each.root for each in organization.ids if not each.extension), "")
    )
