"""DICOM constants of manifests and images: UIDs, tags, titles, value types by SOP class.

Source: DICOM PS3.3 C.17.6, PS3.6 (tags, UIDs), PS3.16 CID 29, CID 7010, TID 2010
(KOS-001 to KOS-006, KOS-076).
"""

from types import MappingProxyType

from xdsi.standard import mado

UID_REGISTRY = "1.2.840.10008.2.6.1"  # coding scheme of SOP Class UIDs (IMG-020)
DCM = "1.2.840.10008.2.16.4"  # coding scheme of the DICOM controlled terminology

MEDIA_TYPE = "application/dicom"

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
IMPLEMENTATION_CLASS_UID = "2.25.123681790105665384711826195351203491425"  # of this project
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"

# Titles under which a KOS is shared as a manifest (KOS-005; MADO-040): (code, scheme) -> meaning.
MANIFEST_TITLES = MappingProxyType(
    {
        ("113030", "DCM"): "Manifest",
        ("113031", "DCM"): "Signed Manifest",
    }
    | {
        (each.title.value, each.title.scheme): each.title.meaning
        for each in mado.DIALECTS.values()
        if each.title
    }
)

# Titles of notes that take instances back (KOS-006; RAD TF-3 IOCM).
REJECTION_TITLES = MappingProxyType(
    {
        ("113001", "DCM"): "Rejected for Quality Reasons",
        ("113037", "DCM"): "Rejected for Patient Safety Reasons",
        ("113038", "DCM"): "Incorrect Modality Worklist Entry",
        ("113039", "DCM"): "Data Retention Policy Expired",
    }
)

# Those of the plain manifest, which XDS-I.b alone defines.
PLAIN_TITLES = frozenset({("113030", "DCM"), ("113031", "DCM")})

# Status of a C-STORE, and failure reason of a STOW-RS (PS3.4 B.2.3, PS3.7 C, PS3.18 I.2.2).
STORED = 0x0000
PROCESSING_FAILURE = 0x0110
OUT_OF_RESOURCES = 0xA700
DATA_SET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

# Tags by PS3.6 keyword. Only those that this project reads or writes by hand.
FILE_META_INFORMATION_GROUP_LENGTH = 0x00020000
FILE_META_INFORMATION_VERSION = 0x00020001
MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
TRANSFER_SYNTAX_UID = 0x00020010
META_IMPLEMENTATION_CLASS_UID = 0x00020012
META_IMPLEMENTATION_VERSION_NAME = 0x00020013
REFERENCED_FILE_ID = 0x00041500
RECORD_IN_USE = 0x00041410
DIRECTORY_RECORD_SEQUENCE = 0x00041220
SPECIFIC_CHARACTER_SET = 0x00080005
INSTANCE_CREATION_DATE = 0x00080012
INSTANCE_CREATION_TIME = 0x00080013
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
SERIES_DATE = 0x00080021
CONTENT_DATE = 0x00080023
STUDY_TIME = 0x00080030
SERIES_TIME = 0x00080031
CONTENT_TIME = 0x00080033
ACCESSION_NUMBER = 0x00080050
ISSUER_OF_ACCESSION_NUMBER_SEQUENCE = 0x00080051
RETRIEVE_AE_TITLE = 0x00080054
MODALITY = 0x00080060
MANUFACTURER = 0x00080070
INSTITUTION_NAME = 0x00080080
REFERRING_PHYSICIAN_NAME = 0x00080090
CODE_VALUE = 0x00080100
CODING_SCHEME_DESIGNATOR = 0x00080102
CODE_MEANING = 0x00080104
MAPPING_RESOURCE = 0x00080105
LONG_CODE_VALUE = 0x00080119
URN_CODE_VALUE = 0x00080120
TIMEZONE_OFFSET_FROM_UTC = 0x00080201
STUDY_DESCRIPTION = 0x00081030
PROCEDURE_CODE_SEQUENCE = 0x00081032
SERIES_DESCRIPTION = 0x0008103E
REFERENCED_STUDY_SEQUENCE = 0x00081110
REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE = 0x00081111
REFERENCED_SERIES_SEQUENCE = 0x00081115
REFERENCED_SOP_CLASS_UID = 0x00081150
REFERENCED_SOP_INSTANCE_UID = 0x00081155
RETRIEVE_URL = 0x00081190
REFERENCED_SOP_SEQUENCE = 0x00081199
ANATOMIC_REGION_SEQUENCE = 0x00082218
AVAILABLE_TRANSFER_SYNTAX_UID = 0x00083002
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
TYPE_OF_PATIENT_ID = 0x00100022
ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE = 0x00100024
PATIENT_BIRTH_DATE = 0x00100030
PATIENT_SEX = 0x00100040
OTHER_PATIENT_IDS_SEQUENCE = 0x00101002
BODY_PART_EXAMINED = 0x00180015
STUDY_INSTANCE_UID = 0x0020000D
NUMBER_OF_STUDY_RELATED_SERIES = 0x00201206
NUMBER_OF_STUDY_RELATED_INSTANCES = 0x00201208
SERIES_INSTANCE_UID = 0x0020000E
STUDY_ID = 0x00200010
SERIES_NUMBER = 0x00200011
INSTANCE_NUMBER = 0x00200013
SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
PLANAR_CONFIGURATION = 0x00280006
LATERALITY = 0x00200060
IMAGE_LATERALITY = 0x00200062
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
BITS_STORED = 0x00280101
PIXEL_REPRESENTATION = 0x00280103
REQUESTED_PROCEDURE_DESCRIPTION = 0x00321060
REQUESTED_PROCEDURE_CODE_SEQUENCE = 0x00321064
ORDER_PLACER_IDENTIFIER_SEQUENCE = 0x00400026
ORDER_FILLER_IDENTIFIER_SEQUENCE = 0x00400027
LOCAL_NAMESPACE_ENTITY_ID = 0x00400031
UNIVERSAL_ENTITY_ID = 0x00400032
UNIVERSAL_ENTITY_ID_TYPE = 0x00400033
REQUEST_ATTRIBUTES_SEQUENCE = 0x00400275
MEASUREMENT_UNITS_CODE_SEQUENCE = 0x004008EA
REQUESTED_PROCEDURE_ID = 0x00401001
PLACER_ORDER_NUMBER = 0x00402016
FILLER_ORDER_NUMBER = 0x00402017
RELATIONSHIP_TYPE = 0x0040A010
VALUE_TYPE = 0x0040A040
CONCEPT_NAME_CODE_SEQUENCE = 0x0040A043
CONTINUITY_OF_CONTENT = 0x0040A050
DATE = 0x0040A121
TIME = 0x0040A122
UID = 0x0040A124
TEXT_VALUE = 0x0040A160
CONCEPT_CODE_SEQUENCE = 0x0040A168
MEASURED_VALUE_SEQUENCE = 0x0040A300
NUMERIC_VALUE = 0x0040A30A
REFERENCED_REQUEST_SEQUENCE = 0x0040A370
CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE = 0x0040A375
CONTENT_TEMPLATE_SEQUENCE = 0x0040A504
IDENTICAL_DOCUMENTS_SEQUENCE = 0x0040A525
CONTENT_SEQUENCE = 0x0040A730
TEMPLATE_IDENTIFIER = 0x0040DB00
RETRIEVE_URI = 0x0040E010
RETRIEVE_LOCATION_UID = 0x0040E011
EXTENDED_OFFSET_TABLE = 0x7FE00001
EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00002
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009
PIXEL_DATA = 0x7FE00010

# Storage SOP classes by acquisition modality; "" where one class serves several modalities.
# UIDs without their common root. DICOS and DICONDE classes are images too, but not of patients.
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_IMAGES = {
    "CR": "1",
    "CT": "2 2.1 2.2",
    "DX": "1.1 1.1.1",
    "ES": "77.1.1 77.1.1.1",
    "GM": "77.1.2 77.1.2.1",
    "IO": "1.3 1.3.1",
    "IVOCT": "14.1 14.2",
    "MG": "1.2 1.2.1 13.1.3 13.1.4 13.1.5",
    "MR": "4 4.1 4.3 4.4",
    "NM": "5 20",
    "OP": "77.1.5.1 77.1.5.2 77.1.5.5 77.1.5.6",
    "OPT": "77.1.5.4",
    "PA": "6.3",
    "PT": "128 128.1 130",
    "RF": "12.2 12.2.1",
    "RTIMAGE": "481.1 481.23 481.24",
    "SM": "77.1.3 77.1.6",
    "US": "3 3.1 6 6.1 6.2",
    "XA": "12.1 12.1.1 12.3 13.1.1",
    "XC": "77.1.4 77.1.4.1",
    "": "7 7.1 7.2 7.3 7.4 13.1.2 30 66.4 77.1 77.2 77.1.5.7 77.1.7 77.1.8 77.1.9 81.1 82.1 "
    "501.1 501.2.1 501.2.2 601.1 601.2",
}
_WAVEFORMS = {
    "ECG": "9.1.1 9.1.2 9.1.3 9.1.4",
    "EEG": "9.7.1 9.7.4",
    "EMG": "9.7.2",
    "EOG": "9.7.3",
    "EPS": "9.3.1",
    "HD": "9.2.1 9.5.1",
    "POS": "9.8.1",
    "RESP": "9.6.1 9.6.2",
    "": "9.1 9.4.1 9.4.2",
}


def _by_uid(rows: dict[str, str]) -> dict[str, str]:
    return {
        _STORAGE_ROOT + uid: modality for modality, uids in rows.items() for uid in uids.split()
    }


IMAGE_STORAGE = MappingProxyType(_by_uid(_IMAGES))
WAVEFORM_STORAGE = MappingProxyType(_by_uid(_WAVEFORMS))
MODALITY_OF_CLASS = MappingProxyType(
    {uid: m for uid, m in {**IMAGE_STORAGE, **WAVEFORM_STORAGE}.items() if m}
)

# CID 29: what may stand in eventCodeList as modality, with its meaning; KO, PR, SR, SEG and the like
# may not (IMG-033)
MODALITIES = MappingProxyType(
    {
        "AR": "Autorefraction",
        "BDUS": "Ultrasound Bone Densitometry",
        "BI": "Biomagnetic Imaging",
        "BMD": "Bone Mineral Densitometry",
        "CFM": "Confocal Microscopy",
        "CR": "Computed Radiography",
        "CT": "Computed Tomography",
        "DG": "Diaphanography",
        "DMS": "Dermoscopy",
        "DX": "Digital Radiography",
        "ECG": "Electrocardiography",
        "EEG": "Electroencephalography",
        "EMG": "Electromyography",
        "EOG": "Electrooculography",
        "EPS": "Cardiac Electrophysiology",
        "ES": "Endoscopy",
        "GM": "General Microscopy",
        "HD": "Hemodynamic Waveform",
        "IO": "Intra-oral Radiography",
        "IVOCT": "Intravascular Optical Coherence Tomography",
        "IVUS": "Intravascular Ultrasound",
        "KER": "Keratometry",
        "LEN": "Lensometry",
        "LS": "Laser Scan",
        "MG": "Mammography",
        "MR": "Magnetic Resonance",
        "NM": "Nuclear Medicine",
        "OAM": "Ophthalmic Axial Measurements",
        "OCT": "Optical Coherence Tomography",
        "OP": "Ophthalmic Photography",
        "OPM": "Ophthalmic Mapping",
        "OPT": "Ophthalmic Tomography",
        "OPTBSV": "Ophthalmic Tomography B-scan Volume Analysis",
        "OPTENF": "Ophthalmic Tomography En Face",
        "OPV": "Ophthalmic Visual Field",
        "OSS": "Optical Surface Scanner",
        "PA": "Photoacoustic",
        "POS": "Position Sensor",
        "PT": "Positron emission tomography",
        "PX": "Panoramic X-Ray",
        "RESP": "Respiratory Waveform",
        "RF": "Radiofluoroscopy",
        "RG": "Radiographic imaging",
        "RTIMAGE": "RT Image",
        "SM": "Slide Microscopy",
        "SRF": "Subjective Refraction",
        "TG": "Thermography",
        "US": "Ultrasound",
        "VA": "Visual Acuity",
        "XA": "X-Ray Angiography",
        "XC": "External-camera Photography",
    }
)
ACQUISITION_MODALITIES = frozenset(MODALITIES)

# Modality of a class -> modalities that are stored in the same class, by the field's habit.
SAME_CLASSES = MappingProxyType(
    {
        "CR": ("DX", "IO", "MG", "PX", "RG", "BMD"),
        "DX": ("CR", "IO", "MG", "PX", "RG", "BMD"),
        "IO": ("DX", "PX", "CR"),
        "MG": ("CR", "DX"),
        "CT": ("PT", "NM", "IO"),
        "US": ("BDUS", "IVUS"),
        "XA": ("RF", "CT"),
        "RF": ("XA",),
        "NM": ("PT",),
        "PT": ("CT", "NM", "MR"),
        "GM": ("SM", "CFM"),
        "SM": ("GM", "CFM"),
        "ES": ("XC", "OP", "GM"),
        "XC": ("DMS", "ES", "GM", "OP"),
        "OP": ("XC", "OPM"),
        "OPT": ("OCT", "OPTBSV", "OPTENF"),
        "IVOCT": ("OCT",),
    }
)


def modality_of(sop_class_uid: str) -> str | None:
    """The modality a class is of; "" for a class of any, None for what no modality acquires."""
    return IMAGE_STORAGE.get(sop_class_uid, WAVEFORM_STORAGE.get(sop_class_uid))


def value_type(sop_class_uid: str) -> str:
    """The content item type that references an instance of this class (KOS-076)."""
    if sop_class_uid in IMAGE_STORAGE:
        return "IMAGE"
    return "WAVEFORM" if sop_class_uid in WAVEFORM_STORAGE else "COMPOSITE"


# Specific Character Set term -> Python codec (PS3.3 C.12.1.1.2). A term with code extensions
# ("ISO 2022 IR n") names the same set as "ISO_IR n".
CHARACTER_SETS = MappingProxyType(
    {
        "": "latin_1",
        "ISO_IR 6": "latin_1",
        "ISO_IR 13": "shift_jis",
        "ISO_IR 58": "gb2312",
        "ISO_IR 87": "iso2022_jp",
        "ISO_IR 100": "latin_1",
        "ISO_IR 101": "iso8859_2",
        "ISO_IR 109": "iso8859_3",
        "ISO_IR 110": "iso8859_4",
        "ISO_IR 126": "iso8859_7",
        "ISO_IR 127": "iso8859_6",
        "ISO_IR 138": "iso8859_8",
        "ISO_IR 144": "iso8859_5",
        "ISO_IR 148": "iso8859_9",
        "ISO_IR 149": "euc_kr",
        "ISO_IR 159": "iso2022_jp_2",
        "ISO_IR 166": "tis_620",
        "ISO_IR 192": "utf_8",
        "ISO_IR 203": "iso8859_15",
        "GB18030": "gb18030",
        "GBK": "gbk",
    }
)

# Escape sequence -> codec of what follows (PS3.3 tables C.12-3, C.12-4). The Japanese codecs of
# Python want the sequence itself in front of the text.
ESCAPES = MappingProxyType(
    {
        b"\x1b(B": "latin_1",
        b"\x1b(J": "shift_jis",
        b"\x1b)I": "shift_jis",
        b"\x1b-A": "latin_1",
        b"\x1b-B": "iso8859_2",
        b"\x1b-C": "iso8859_3",
        b"\x1b-D": "iso8859_4",
        b"\x1b-F": "iso8859_7",
        b"\x1b-G": "iso8859_6",
        b"\x1b-H": "iso8859_8",
        b"\x1b-L": "iso8859_5",
        b"\x1b-M": "iso8859_9",
        b"\x1b-T": "tis_620",
        b"\x1b-b": "iso8859_15",
        b"\x1b$B": "iso2022_jp",
        b"\x1b$(D": "iso2022_jp_2",
        b"\x1b$)A": "gb2312",
        b"\x1b$)C": "euc_kr",
    }
)
ESCAPE_KEPT = frozenset({"iso2022_jp", "iso2022_jp_2"})

# What a consumer that only keeps images may take: everything that is in use (IMG-083).
SYNTAXES_IN_USE = (
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    DEFLATED_LITTLE_ENDIAN,
    JPEG_2000_LOSSLESS,
    JPEG_2000,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    RLE_LOSSLESS,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    HTJ2K,
    EXPLICIT_BIG_ENDIAN,
)

# Octets of one instance by modality, uncompressed, about (UC-050 to UC-055).
_USUAL_SIZES = MappingProxyType(
    {
        "CR": 15_000_000,
        "CT": 530_000,
        "DX": 20_000_000,
        "MG": 60_000_000,
        "MR": 200_000,
        "NM": 500_000,
        "PT": 100_000,
        "SM": 400_000_000,
        "US": 5_000_000,
        "XA": 20_000_000,
    }
)
_USUAL_IMAGE, _USUAL_OTHER = 1_000_000, 20_000


def usual_size(sop_class_uid: str) -> int:
    """Octets that an instance of this class has, about; what is no image is small."""
    if sop_class_uid not in IMAGE_STORAGE:
        return _USUAL_OTHER
    return _USUAL_SIZES.get(MODALITY_OF_CLASS.get(sop_class_uid, ""), _USUAL_IMAGE)
