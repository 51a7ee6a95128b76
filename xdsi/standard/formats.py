"""Format codes of the documents that a submitter may hand over.

Source: IMG-020 to IMG-024 (IHE RAD TF-3 4.68.4.1.2.3; MADO 6.X.3); IHE format code system (mime
type sufficient, XDS-SD).
"""

from typing import NamedTuple

from xdsi.standard import dicom

IHE_FORMAT_CODES = "1.3.6.1.4.1.19376.1.2.3"


class Coded(NamedTuple):
    """A coded value as it stands in a DocumentEntry."""

    code: str
    scheme: str
    display: str


MANIFEST = Coded(dicom.KEY_OBJECT_SELECTION, dicom.UID_REGISTRY, "Key Object Selection Document")
RAD_TEXT = Coded("urn:ihe:rad:TEXT", IHE_FORMAT_CODES, "RAD TEXT")
RAD_PDF = Coded("urn:ihe:rad:PDF", IHE_FORMAT_CODES, "RAD PDF")
RAD_CDA = Coded(
    "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013",
    IHE_FORMAT_CODES,
    "RAD XDS-I",
)
XDS_SD_PDF = Coded("urn:ihe:iti:xds-sd:pdf:2008", IHE_FORMAT_CODES, "ITI XDS-SD PDF")
MIME_TYPE_SUFFICIENT = Coded(
    "urn:ihe:iti:xds:2017:mimeTypeSufficient", IHE_FORMAT_CODES, "mimeType Sufficient"
)
MADO_FHIR = Coded(
    "urn:ihe:rad:MADO:fhir-manifest:2026",
    "1.3.6.1.4.1.19376.1.2.7.1",  # the value set, which the profile names instead of the system
    "MADO FHIR manifest",
)
