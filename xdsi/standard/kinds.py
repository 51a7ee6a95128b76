"""Kinds of documents that a submitter may hand over, and what a DocumentEntry says of each.

Source: IMG-020 to IMG-024, IMG-031, IMG-032 (IHE RAD TF-3 4.68.4.1.2.3; MADO 6.X.3).
"""

from enum import Enum

from xdsi.standard import cda, dicom, formats
from xdsi.standard.formats import Coded

_CLASSES = "1.3.6.1.4.1.19376.1.2.6.1"
REPORTS = Coded("REPORTS", _CLASSES, "Reports")
IMAGES = Coded("IMAGES", _CLASSES, "Images")
RADIOLOGY_REPORT = Coded("11528-7", cda.LOINC, "Radiology Report")
IMAGING_STUDY = Coded(cda.IMAGING_REPORT_CODE[0], cda.LOINC, cda.IMAGING_REPORT_CODE[1])


class DocumentKind(Enum):
    """title, media type and format; class and type where neither document nor user tells them.

    The format of a DICOM instance is its SOP class, which the instance tells.
    """

    MANIFEST = ("imaging manifest (KOS)", dicom.MEDIA_TYPE, formats.MANIFEST, IMAGES)
    MADO_MANIFEST = (
        "imaging manifest with descriptions (MADO, KOS)",
        dicom.MEDIA_TYPE,
        formats.MANIFEST,
        IMAGES,
    )
    FHIR_MANIFEST = (
        "imaging manifest (MADO, FHIR)",
        "application/fhir+json",
        formats.MADO_FHIR,
        IMAGES,
    )
    DICOM = ("DICOM instance", dicom.MEDIA_TYPE, formats.MIME_TYPE_SUFFICIENT, IMAGES)
    DICOM_DIRECTORY = (
        "DICOM directory (DICOMDIR)",
        dicom.MEDIA_TYPE,
        formats.MIME_TYPE_SUFFICIENT,
        REPORTS,
    )
    IMAGING_REPORT = ("imaging report (CDA)", "text/xml", formats.RAD_CDA, REPORTS)
    WRAPPED_TEXT = ("text report wrapped in CDA", "text/xml", formats.RAD_TEXT, REPORTS)
    WRAPPED_PDF = ("PDF wrapped in CDA", "text/xml", formats.XDS_SD_PDF, REPORTS)
    CDA = ("CDA document", "text/xml", formats.MIME_TYPE_SUFFICIENT, REPORTS)
    FHIR = ("FHIR document", "application/fhir+json", formats.MIME_TYPE_SUFFICIENT, REPORTS)
    PDF = ("PDF", "application/pdf", formats.RAD_PDF, REPORTS)
    XML = ("XML other than CDA", "text/xml", formats.MIME_TYPE_SUFFICIENT, REPORTS)
    TEXT = ("plain text", "text/plain", formats.MIME_TYPE_SUFFICIENT, REPORTS)
    OTHER = ("unknown", "application/octet-stream", formats.MIME_TYPE_SUFFICIENT, REPORTS)

    def __init__(self, title: str, mime_type: str, format_: Coded, class_code: Coded) -> None:
        self.title, self.mime_type = title, mime_type
        self.format, self.class_code = format_, class_code
        self.type_code = IMAGING_STUDY if class_code is IMAGES else RADIOLOGY_REPORT
