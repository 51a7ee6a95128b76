"""FHIR documents about one invented study."""

from typing import Any

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_REGION = "https://profiles.ihe.net/RAD/MADO/StructureDefinition/MadoAnatomicalRegionExtension"

PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:oid:1.2.40.0.13.8", "value": "T-1"}],
    "name": [{"family": "Test", "given": ["Tessa"]}],
    "gender": "female",
    "birthDate": "1961-02-03",
}
STUDY = {
    "resourceType": "ImagingStudy",
    "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
    "modality": [{"system": _DCM, "code": "CT"}, {"system": _DCM, "code": "KO"}],
    "started": "2026-03-04T08:15:00+01:00",
    "description": "CT head",
    "extension": [
        {
            "url": _REGION,
            "valueCodeableConcept": {
                "coding": [
                    {
                        "system": "http://snomed.info/sct",
                        "code": "774007",
                        "display": "Head and neck",
                    }
                ]
            },
        }
    ],
    "basedOn": [
        {
            "identifier": {
                "type": {"coding": [{"system": _DCM, "code": "121022"}]},
                "system": "urn:oid:1.2.40.0.13.9",
                "value": "A-77",
            }
        }
    ],
    "series": [{"uid": "1.2.3.1", "modality": {"system": _DCM, "code": "CT"}}],
}
ORDER = {
    "resourceType": "ServiceRequest",
    "identifier": [
        {
            "type": {"coding": [{"system": _V2, "code": "PLAC"}]},
            "system": "urn:oid:1.2.40.0.13.10",
            "value": "P-5",
        }
    ],
}
WADO = {"resourceType": "Endpoint", "connectionType": {"code": "dicom-wado-rs"}}
DEVICE = {"resourceType": "Device", "id": "maker", "deviceName": [{"name": "Converter"}]}
DOCTOR = {
    "resourceType": "Practitioner",
    "id": "doctor",
    "name": [{"family": "Vorbild", "given": ["Vera"], "prefix": ["Dr."]}],
}
PRACTICE = {
    "resourceType": "Organization",
    "id": "practice",
    "name": "Praxis",
    "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.40.0.13.7"}],
}


def composition(title: str, *authors: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Composition",
        "language": "de-AT",
        "title": title,
        "type": {
            "coding": [
                {
                    "system": "http://loinc.org",
                    "code": "18748-4",
                    "display": "Diagnostic imaging study",
                }
            ]
        },
        "author": [{"reference": each} for each in authors],
        **more,
    }


def document(identifier: str, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{identifier}"},
        "timestamp": "2026-03-04T10:30:00.123+01:00",
        "entry": [{"resource": each} for each in resources],
        **more,
    }


MANIFEST = document(
    "2.999.24.1",
    composition("A manifest", "Device/maker", "Organization/practice"),
    PATIENT,
    STUDY,
    ORDER,
    WADO,
    DEVICE,
    PRACTICE,
    meta={"profile": ["https://profiles.ihe.net/RAD/MADO/StructureDefinition/MadoFhirBundle"]},
)
REPORT = document(
    "2.999.24.2",
    composition(
        "CT head: report", "Practitioner/doctor", "Organization/practice", confidentiality="R"
    ),
    PATIENT,
    STUDY,
    {"resourceType": "DiagnosticReport"},
    DOCTOR,
    PRACTICE,
)


def bundle(*, endpoint: bool, report: bool = False) -> dict[str, Any]:
    """A document without profile."""
    more = [WADO] * endpoint + [{"resourceType": "DiagnosticReport"}] * report
    return document("2.999.24.3", composition("A document"), STUDY, *more)
