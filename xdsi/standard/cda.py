"""CDA R2 constants of imaging reports: namespaces, code systems, templates, sections.

Source: HL7 CDA R2; DICOM PS3.20 7.1, 8, 9 (IMG-060 to IMG-063); HL7 C-CDA (object catalog);
European report sections (EHN-030 to EHN-055).
"""

from types import MappingProxyType
from typing import NamedTuple

HL7_V3 = "urn:hl7-org:v3"
PS3_20 = "urn:dicom-org:ps3-20"

LOINC = "2.16.840.1.113883.6.1"
SNOMED_CT = "2.16.840.1.113883.6.96"
CONFIDENTIALITY = "2.16.840.1.113883.5.25"
ADMINISTRATIVE_GENDER = "2.16.840.1.113883.5.1"

TYPE_ID = ("2.16.840.1.113883.1.3", "POCD_HD000040")

# DICOM sex -> HL7 administrative gender, both ways; O (other) is UN there
GENDER_OF_SEX = MappingProxyType({"M": "M", "F": "F", "O": "UN"})
SEX_OF_GENDER = MappingProxyType({"M": "M", "F": "F", "UN": "O"})

# what an imaging report declares (IMG-062): document and its header parts
IMAGING_REPORT_TEMPLATE = "1.2.840.10008.9.1"
IMAGING_REPORT_TEMPLATES = (
    IMAGING_REPORT_TEMPLATE,
    "1.2.840.10008.9.20",
    "1.2.840.10008.9.21",
)
IMAGING_REPORT_CODE = ("18748-4", "Diagnostic imaging study")


class Section(NamedTuple):
    """One kind of section: code, code system, its name, the template it follows if any."""

    code: str
    system: str
    name: str
    template: str = ""


_DCM = "1.2.840.10008.2.16.4"
CLINICAL_INFORMATION = Section("55752-0", LOINC, "Clinical information", "1.2.840.10008.9.2")
REQUEST = Section("55115-0", LOINC, "Requested imaging studies information")
PROCEDURE = Section("55111-9", LOINC, "Current imaging procedure descriptions", "1.2.840.10008.9.3")
COMPARISON = Section(
    "18834-2", LOINC, "Radiology comparison study observation", "1.2.840.10008.9.4"
)
FINDINGS = Section("59776-5", LOINC, "Procedure findings", "2.16.840.1.113883.10.20.6.1.2")
IMPRESSION = Section("19005-8", LOINC, "Radiology imaging study impression", "1.2.840.10008.9.5")
RECOMMENDATION = Section("18783-1", LOINC, "Radiology study recommendation")
OBJECT_CATALOG = Section("121181", _DCM, "DICOM Object Catalog", "2.16.840.1.113883.10.20.6.1.1")

# Codes of sections that make a structured document an imaging report (IMG-061, CID 7001).
IMAGING_HEADINGS = frozenset(
    {
        each.code
        for each in (CLINICAL_INFORMATION, REQUEST, PROCEDURE, COMPARISON, FINDINGS, IMPRESSION,
                     RECOMMENDATION, OBJECT_CATALOG)
    }
    | set("18782-3 55107-7 55108-5 55109-3 55110-1 55112-7 55113-5 55114-3 18785-6".split())
    | set("121060 121062 121064 121066 121068 121070 121072 121074 121076 121078".split())
)  # fmt: skip

# entries of the object catalog: DCM code, meaning, template
CATALOG_STUDY = Section("113014", _DCM, "Study", "2.16.840.1.113883.10.20.6.2.6")
CATALOG_SERIES = Section("113015", _DCM, "Series", "2.16.840.1.113883.10.20.22.4.63")
CATALOG_INSTANCE_TEMPLATE = "2.16.840.1.113883.10.20.6.2.8"
MODALITY = Section("121139", _DCM, "Modality")
