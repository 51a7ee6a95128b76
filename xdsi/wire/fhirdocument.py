"""FHIR documents (a Bundle in JSON) about imaging: manifests (MADO) and reports.

Read leniently, for a DocumentEntry: what is not there, or not as it should be, is left out.
References are resolved by string equality, since published examples have no valid URNs.
Source: FHIR R4 Bundle, Composition, ImagingStudy; IHE RAD MADO 6.X.3 (IMG-024, MADO-080 to
MADO-091, MADO-130 to MADO-146).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import CodedConcept, IssuedId
from xdsi.model.report import PersonName
from xdsi.standard import urns

SIZE_LIMIT = 64 << 20  # bytes
_REGION = "https://profiles.ihe.net/RAD/MADO/StructureDefinition/MadoAnatomicalRegionExtension"
_MANIFEST_PROFILE = "MadoFhirBundle"
_WADO = "dicom-wado-rs"
_SEXES = {"male": "M", "female": "F", "other": "O"}
_STUDY_SYSTEM = "urn:dicom:uid"
# code systems by URL, as DICOM calls them
_SYSTEMS = {
    "http://loinc.org": "LN",
    "http://snomed.info/sct": "SCT",
    "http://dicom.nema.org/resources/ontology/DCM": "DCM",
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality": "2.16.840.1.113883.5.25",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirDocument:
    """What a document says of itself. Times are FHIR's, codes have DICOM's names of systems.

    is_manifest: whether it tells where the instances of a study are
    """

    is_manifest: bool
    identifier: str = ""
    made: str = ""
    title: str = ""
    language: str = ""
    patient_ids: tuple[IssuedId, ...] = ()
    patient_name: PersonName | None = None
    birth_date: str = ""
    sex: str = ""
    study_instance_uids: tuple[str, ...] = ()
    accessions: tuple[IssuedId, ...] = ()
    orders: tuple[IssuedId, ...] = ()
    modalities: tuple[str, ...] = ()
    regions: tuple[CodedConcept, ...] = ()
    type: CodedConcept | None = None
    confidentiality: str = ""
    started: str = ""
    author: PersonName | None = None
    institution: str = ""
    institution_oid: str = ""


def is_document(path: Path) -> bool:
    """Whether a file is a FHIR document. Raises OSError."""
    try:
        bundle = _loaded(path)
    except ValueError:
        return False
    return (bundle.get("resourceType"), bundle.get("type")) == ("Bundle", "document")


def read_document(path: Path) -> FhirDocument:
    """The document in a file. Raises InvalidDocumentContent, OSError."""
    try:
        return _document(_loaded(path))
    except ValueError as error:
        raise InvalidDocumentContent(path.name, f"is no FHIR document: {error}") from None


def _loaded(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"larger than the {SIZE_LIMIT} bytes allowed")
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _document(bundle: dict[str, Any]) -> FhirDocument:
    entries = [each for each in _list(bundle, "entry") if isinstance(each.get("resource"), dict)]
    resources = [each["resource"] for each in entries]
    composition = _first(resources, "Composition")
    patient = _first(resources, "Patient")
    studies = [each for each in resources if each.get("resourceType") == "ImagingStudy"]
    requests = [each for each in resources if each.get("resourceType") == "ServiceRequest"]
    authors = [_resolved(each, entries) for each in _list(composition, "author")]
    person = next((each for each in authors if each.get("resourceType") != "Organization"), {})
    organization = _first(authors, "Organization")
    numbers = [(_type(each), _issued(each)) for each in _numbers(studies, requests)]
    codings = [code for each in studies for code in _modalities(each)]
    names = _list(patient, "name")
    is_manifest = _is_manifest(bundle, resources, studies)
    study_title = _text(studies[0], "description") if studies and is_manifest else ""
    return FhirDocument(
        is_manifest=is_manifest,
        identifier=_text(_dict(bundle, "identifier"), "value").removeprefix(urns.OID_PREFIX),
        made=_text(bundle, "timestamp") or _text(composition, "date"),
        title=study_title or _text(composition, "title"),
        language=_text(composition, "language") or _text(bundle, "language"),
        patient_ids=tuple(_issued(each) for each in _list(patient, "identifier")),
        patient_name=_name(names[0]) if names else None,
        birth_date=_text(patient, "birthDate"),
        sex=_SEXES.get(_text(patient, "gender"), ""),
        study_instance_uids=tuple(
            dict.fromkeys(
                _text(each, "value").removeprefix(urns.OID_PREFIX)
                for study in studies
                for each in _list(study, "identifier")
                if _text(each, "system") == _STUDY_SYSTEM
            )
        ),
        accessions=tuple(dict.fromkeys(each for kind, each in numbers if kind == "ACSN")),
        orders=tuple(dict.fromkeys(each for kind, each in numbers if kind == "PLAC")),
        modalities=tuple(dict.fromkeys(_text(each, "code") for each in codings)),
        regions=tuple(dict.fromkeys(code for each in studies for code in _regions(each))),
        type=next(iter(_concepts(_dict(composition, "type"))), None),
        confidentiality=_text(composition, "confidentiality"),
        started=min(filter(None, (_text(each, "started") for each in studies)), default=""),
        author=_author(person),
        institution=_text(organization, "name"),
        institution_oid=next(
            (
                _text(each, "value").removeprefix(urns.OID_PREFIX)
                for each in _list(organization, "identifier")
                if _text(each, "value").startswith(urns.OID_PREFIX)
            ),
            "",
        ),
    )


def _is_manifest(
    bundle: dict[str, Any], resources: list[dict[str, Any]], studies: list[dict[str, Any]]
) -> bool:
    """By its profile, or as a study with the service that gives its instances and no report."""
    profiles = _dict(bundle, "meta").get("profile")
    if isinstance(profiles, list) and any(_MANIFEST_PROFILE in str(each) for each in profiles):
        return True
    services = (
        _text(_dict(each, "connectionType"), "code")
        for each in resources
        if each.get("resourceType") == "Endpoint"
    )
    return bool(studies) and _WADO in services and not _first(resources, "DiagnosticReport")


# --- parts; each gives something empty for what is missing or of another type


def _list(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _dict(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found.strip() if isinstance(found, str) else ""


def _first(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next((each for each in resources if each.get("resourceType") == kind), {})


def _resolved(reference: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The resource in the document, else what the reference itself shows."""
    target = _text(reference, "reference")
    for each in entries:
        resource: dict[str, Any] = each["resource"]
        names = (_text(each, "fullUrl"), f"{resource.get('resourceType')}/{resource.get('id')}")
        if target and target in names:
            return resource
    kind, shown = _text(reference, "type"), _text(reference, "display")
    return {"resourceType": kind, "name": shown if kind == "Organization" else [{"text": shown}]}


def _concepts(concept: dict[str, Any]) -> Iterator[CodedConcept]:
    for each in _list(concept, "coding"):
        system = _text(each, "system")
        name = _SYSTEMS.get(system, system.removeprefix(urns.OID_PREFIX))
        if code := _text(each, "code"):
            yield CodedConcept(code, name, _text(each, "display") or _text(concept, "text"))


def _modalities(study: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A Coding in R4, a CodeableConcept in R5; of the study, then of its series."""
    series = [_dict(each, "modality") for each in _list(study, "series")]
    for each in (*_list(study, "modality"), *series):
        yield from _list(each, "coding") or ([each] if "code" in each else [])


def _regions(study: dict[str, Any]) -> Iterator[CodedConcept]:
    """Of the study where it tells them, else the body sites of its series."""
    found = [
        code
        for each in _list(study, "extension")
        if _text(each, "url") == _REGION
        for code in _concepts(_dict(each, "valueCodeableConcept"))
    ]
    if not found:
        sites = [_dict(each, "bodySite") for each in _list(study, "series")]
        found = [code for each in sites for code in _concepts({"coding": [each]})]
    yield from (each for each in found if each.scheme == "SCT")


def _numbers(
    studies: list[dict[str, Any]], requests: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for study in studies:
        yield from (_dict(each, "identifier") for each in _list(study, "basedOn"))
    for request in requests:
        yield from _list(request, "identifier")


def _type(identifier: dict[str, Any]) -> str:
    """ACSN, PLAC or FILL; DICOM's code of an accession number is one of the first (MADO-086)."""
    codes = {each.value for each in _concepts(_dict(identifier, "type"))}
    return "ACSN" if "121022" in codes else next(iter(codes & {"ACSN", "PLAC", "FILL"}), "")


def _issued(identifier: dict[str, Any]) -> IssuedId:
    system, value = _text(identifier, "system"), _text(identifier, "value")
    if system.startswith(urns.OID_PREFIX):
        return IssuedId(value, "", system.removeprefix(urns.OID_PREFIX), "ISO")
    return IssuedId(value, "", system, "URI" if system else "")


def _name(name: dict[str, Any]) -> PersonName:
    def words(key: str) -> tuple[str, ...]:
        found = name.get(key)
        given = found if isinstance(found, list) else []
        return tuple(each for each in given if isinstance(each, str))

    return PersonName(
        _text(name, "family"),
        words("given"),
        " ".join(words("prefix")),
        " ".join(words("suffix")),
        _text(name, "text"),
    )


def _author(resource: dict[str, Any]) -> PersonName | None:
    """A person, or the device that made the document."""
    names = _list(resource, "name")
    if names:
        return _name(names[0])
    devices = _list(resource, "deviceName")
    return PersonName(text=_text(devices[0], "name")) if devices else None
