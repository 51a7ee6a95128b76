"""Making imaging reports as CDA R2: sections with headings, or wrapped text.

Made for demonstration, tests and systems that have text only. Element order follows the CDA R2
schema; header links follow PS3.20: accession number in the order, study UID in the service.
Source: HL7 CDA R2; DICOM PS3.20 7.1, 8.2, 9; IMG-060 to IMG-063; EHN-001 to EHN-053.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from xdsi.model.manifest import IssuedId, PatientHeader
from xdsi.model.report import InstanceIdentifier, Organization
from xdsi.model.study import SeriesHeader, StudyHeader
from xdsi.standard import anatomy, cda, dicom
from xdsi.wire.times import plain_date, plain_time, zone

_HL7 = "{" + cda.HL7_V3 + "}"
_NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class ReportText:
    """What a radiologist says; a section with an empty text is left out."""

    reason: str = ""
    request: str = ""
    technique: str = ""
    comparison: str = ""
    findings: str = ""
    impression: str = ""
    recommendation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFrame:
    """The document around the text.

    made: aware time; author: DICOM person name (Family^Given^Middle^Prefix^Suffix)
    author_id, institution: who signs and where; replaces: id of the report this one replaces
    """

    id: InstanceIdentifier
    made: datetime
    title: str
    author: str
    author_id: InstanceIdentifier
    institution: Organization
    language: str = "en-GB"
    confidentiality: str = "N"
    code: tuple[str, str] = cda.IMAGING_REPORT_CODE
    replaces: InstanceIdentifier | None = None


def imaging_report(
    frame: ReportFrame,
    text: ReportText,
    study: StudyHeader,
    *,
    patient: PatientHeader | None = None,
    accession: IssuedId | None = None,
) -> bytes:
    """A CDA R2 imaging report with coded sections and a catalog of the study's instances.

    patient: who it is about when the report knows them otherwise than the images
    accession: number with issuer OID; default those of the study's requests
    Source: IMG-023, IMG-061 to IMG-063.
    """
    sections = [
        _section(kind, words)
        for kind, words in (
            (cda.CLINICAL_INFORMATION, text.reason),
            (cda.REQUEST, text.request),
            (cda.PROCEDURE, text.technique),
            (cda.COMPARISON, text.comparison),
            (cda.FINDINGS, text.findings),
            (cda.IMPRESSION, text.impression),
            (cda.RECOMMENDATION, text.recommendation),
        )
        if words
    ]
    sections.append(_catalog(study))
    body = _e("structuredBody", *(_e("component", each) for each in sections))
    header = _header(frame, study, patient, accession, cda.IMAGING_REPORT_TEMPLATES)
    return _document(*header, _e("component", body))


def wrapped_report(
    frame: ReportFrame,
    text: str,
    study: StudyHeader,
    *,
    patient: PatientHeader | None = None,
    accession: IssuedId | None = None,
) -> bytes:
    """A CDA R2 document around plain text (IMG-021, IMG-060). Arguments as `imaging_report`."""
    encoded = base64.b64encode(text.encode("utf-8")).decode("ascii")
    body = _e("nonXMLBody", _e("text", encoded, mediaType="text/plain", representation="B64"))
    return _document(*_header(frame, study, patient, accession, ()), _e("component", body))


def _e(name: str, *children: "etree._Element | str | None", **attributes: str) -> "etree._Element":
    """An HL7 element. Absent children are left out, strings are text."""
    element = etree.Element(_HL7 + name, {k: _printable(v) for k, v in attributes.items()})
    for child in children:
        if isinstance(child, str):
            element.text = _printable(child)
        elif child is not None:
            element.append(child)
    return element


def _printable(text: str) -> str:
    """Text without the characters XML cannot carry."""
    return _NOT_XML.sub("", text)


def _document(*parts: "etree._Element") -> bytes:
    namespaces = {None: cda.HL7_V3}
    root = etree.Element(_HL7 + "ClinicalDocument", nsmap=namespaces)  # type: ignore[arg-type]
    root.extend(parts)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _header(
    frame: ReportFrame,
    study: StudyHeader,
    patient: PatientHeader | None,
    accession: IssuedId | None,
    templates: Iterable[str],
) -> tuple["etree._Element", ...]:
    """Everything before the body, in the order of the schema."""
    made = _time(frame.made)
    numbers = [accession] if accession else [each.accession for each in study.requests]
    orders = [
        _e("inFulfillmentOf", _e("order", _id(each.issuer_oid, each.value), **_act("RQO")))
        for each in numbers
        if each.value and each.issuer_oid
    ]
    related = frame.replaces and _e(
        "relatedDocument", _e("parentDocument", _id(*frame.replaces)), typeCode="RPLC"
    )
    assigned = (
        _id(*frame.author_id),
        _e("assignedPerson", _name(frame.author)),
        _organization("representedOrganization", frame.institution),
    )
    parts = (
        _id(*cda.TYPE_ID, name="typeId"),
        *(_id(each, name="templateId") for each in templates),
        _id(*frame.id),
        _code("code", frame.code[0], cda.LOINC, frame.code[1]),
        _e("title", frame.title),
        _e("effectiveTime", value=made),
        _code("confidentialityCode", frame.confidentiality, cda.CONFIDENTIALITY),
        _e("languageCode", code=frame.language),
        _e("recordTarget", _patient_role(patient or study.patient)),
        _e("author", _e("time", value=made), _e("assignedAuthor", *assigned)),
        _e(
            "custodian",
            _e(
                "assignedCustodian",
                _organization("representedCustodianOrganization", frame.institution),
            ),
        ),
        _e(
            "legalAuthenticator",
            _e("time", value=made),
            _e("signatureCode", code="S"),
            _e("assignedEntity", *_copies(assigned)),
        ),
        *orders,
        _e("documentationOf", _service(study)),
        related,
    )
    return tuple(each for each in parts if each is not None)


def _act(mood: str) -> dict[str, str]:
    return {"classCode": "ACT", "moodCode": mood}


def _copies(elements: Iterable["etree._Element"]) -> Iterable["etree._Element"]:
    return (etree.fromstring(etree.tostring(each)) for each in elements)


def _id(root: str, extension: str = "", name: str = "id") -> "etree._Element":
    return _e(name, root=root, extension=extension) if extension else _e(name, root=root)


def _code(
    name: str, code: str, system: str, display: str = "", *children: "etree._Element"
) -> "etree._Element":
    attributes = {"code": code, "codeSystem": system}
    if display:
        attributes["displayName"] = display
    return _e(name, *children, **attributes)


def _time(when: datetime) -> str:
    return when.strftime("%Y%m%d%H%M%S%z")


def _name(text: str) -> "etree._Element":
    """An HL7 name of the first component group of a DICOM person name."""
    family, given, middle, prefix, suffix = ([*text.split("=")[0].split("^"), *[""] * 5])[:5]
    parts = (
        ("prefix", prefix),
        ("given", given),
        ("given", middle),
        ("family", family),
        ("suffix", suffix),
    )
    return _e("name", *(_e(name, part) for name, part in parts if part))


def _organization(name: str, organization: Organization) -> "etree._Element":
    return _e(name, *(_id(*each) for each in organization.ids), _e("name", organization.name))


def _patient_role(patient: PatientHeader) -> "etree._Element":
    born = plain_date(patient.birth_date)
    gender = cda.GENDER_OF_SEX.get(patient.sex)
    ids = [each for each in (patient.id, *patient.other_ids) if each.value and each.issuer_oid]
    unknown = _e("id", nullFlavor="UNK")
    return _e(
        "patientRole",
        *([_id(each.issuer_oid, each.value) for each in dict.fromkeys(ids)] or [unknown]),
        _e(
            "patient",
            _name(patient.name),
            _code("administrativeGenderCode", gender, cda.ADMINISTRATIVE_GENDER)
            if gender
            else _e("administrativeGenderCode", nullFlavor="UNK"),
            _e("birthTime", value=born) if born else _e("birthTime", nullFlavor="UNK"),
        ),
    )


def _service(study: StudyHeader) -> "etree._Element":
    code = study.procedure_codes[0] if study.procedure_codes else None
    start = _study_time(study)
    time = _e("effectiveTime", _e("low", value=start)) if start else None
    more = list(_translations(study))
    known = code is not None and code.scheme in _CODE_SYSTEMS
    return _e(
        "serviceEvent",
        _id(study.study_instance_uid),
        _code("code", code.value, _CODE_SYSTEMS[code.scheme], code.meaning, *more)
        if code and known
        else _e("code", *more, nullFlavor="UNK")
        if more
        else None,
        time,
        **_act("EVN"),
    )


def _translations(study: StudyHeader) -> Iterable["etree._Element"]:
    """Modalities and body parts beside the procedure (PS3.20 8.2), so that a search finds them."""
    for modality in study.modalities:
        if meaning := dicom.MODALITIES.get(modality):
            yield _code("translation", modality, dicom.DCM, meaning)
    for term in study.body_parts:
        if part := anatomy.body_part(term):
            yield _code("translation", part.value, cda.SNOMED_CT, part.meaning)


_CODE_SYSTEMS = {"LN": cda.LOINC, "SCT": cda.SNOMED_CT, "DCM": dicom.DCM}


def _study_time(study: StudyHeader) -> str:
    date = plain_date(study.date)
    clock = plain_time(study.time)[:6] if date else ""
    return date + clock + (study.timezone if clock and zone(study.timezone) else "")


def _section(kind: cda.Section, text: str) -> "etree._Element":
    """A section with its heading and one paragraph for each line."""
    paragraphs = (_e("paragraph", line.strip()) for line in text.splitlines() if line.strip())
    return _e(
        "section",
        _id(kind.template, name="templateId") if kind.template else None,
        _code("code", kind.code, kind.system, kind.name),
        _e("title", kind.name),
        _e("text", *paragraphs),
    )


def _catalog(study: StudyHeader) -> "etree._Element":
    """The study, its series and instances, by UID only: where they are stands in the manifest."""
    kind = cda.OBJECT_CATALOG
    start = _study_time(study)
    act = _e(
        "act",
        _id(cda.CATALOG_STUDY.template, name="templateId"),
        _id(study.study_instance_uid),
        _code("code", *_dcm(cda.CATALOG_STUDY)),
        _e("effectiveTime", value=start) if start else None,
        *(_e("entryRelationship", _catalog_series(each), typeCode="COMP") for each in study.series),
        **_act("EVN"),
    )
    return _e(
        "section",
        _id(kind.template, name="templateId"),
        _code("code", kind.code, kind.system, kind.name),
        _e("title", kind.name),
        _e("text", _e("paragraph", f"Study {study.study_instance_uid}")),
        _e("entry", act),
    )


def _catalog_series(series: SeriesHeader) -> "etree._Element":
    qualifier = _e(
        "qualifier",
        _code("name", *_dcm(cda.MODALITY)),
        _code("value", series.modality, dicom.DCM),
    )
    return _e(
        "act",
        _id(cda.CATALOG_SERIES.template, name="templateId"),
        _id(series.series_instance_uid),
        _code("code", *_dcm(cda.CATALOG_SERIES), *([qualifier] if series.modality else [])),
        *(
            _e(
                "entryRelationship",
                _e(
                    "observation",
                    _id(cda.CATALOG_INSTANCE_TEMPLATE, name="templateId"),
                    _id(each.sop_instance_uid),
                    _code("code", each.sop_class_uid, dicom.UID_REGISTRY),
                    classCode="DGIMG",
                    moodCode="EVN",
                ),
                typeCode="COMP",
            )
            for each in series.instances
        ),
        **_act("EVN"),
    )


def _dcm(kind: cda.Section) -> tuple[str, str, str]:
    return kind.code, kind.system, kind.name
