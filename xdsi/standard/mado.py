"""Codes of the manifest with descriptors (MADO) in the dialects that are in circulation.

The profile is in trial use: its own codes are temporary, examples carry placeholders, and DICOM
has assigned codes to all concepts but the title. One dialect is written, all are read.
Source: IHE RAD MADO rev. 1.1, 6.X.2; DICOM CP-2595; PS3.16 TID 1600, 1601, 1602, 2010
(MADO-035, MADO-040 to MADO-063, MADO-074).
"""

from types import MappingProxyType
from typing import NamedTuple

PRIVATE_CREATOR = "IHE_MADO_PRIVATE"  # of group 000D, while Display URI has no tag (MADO-035)
DISPLAY_URI = 0x0040E012
PRIVATE_BLOCKS = range(0x10, 0x100)


def private_creator(block: int) -> int:
    """The tag that names the owner of a private block."""
    return 0x000D0000 + block


def private_display_uri(block: int) -> int:
    return 0x000D0001 + (block << 8)


class Concept(NamedTuple):
    """A coded concept: code value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


# Concepts that are called the same in every dialect.
IMAGE_LIBRARY = Concept("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Concept("126200", "DCM", "Image Library Group")
PROCEDURE_CODE = Concept("121023", "DCM", "Procedure Code")
MODALITY = Concept("121139", "DCM", "Modality")
TARGET_REGION = Concept("123014", "DCM", "Target Region")
LATERALITY = Concept("111027", "DCM", "Laterality")
SERIES_NUMBER = Concept("113607", "DCM", "Series Number")
SERIES_INSTANCE_UID = Concept("112002", "DCM", "Series Instance UID")
NUMBER_OF_FRAMES = Concept("121140", "DCM", "Number of Frames")
INSTANCE_NUMBER = Concept("113609", "DCM", "Instance Number")
DOCUMENT_TITLE = Concept("121144", "DCM", "Document Title")
KEY_OBJECT_DESCRIPTION = Concept("113012", "DCM", "Key Object Description")

# Units of the two counts (UCUM annotations).
SERIES_UNIT = Concept("{series}", "UCUM", "series")
INSTANCES_UNIT = Concept("{instances}", "UCUM", "instances")
FRAMES_UNIT = Concept("{frames}", "UCUM", "frames")


class Dialect(NamedTuple):
    """What the concepts of the profile itself are called.

    title: None where no code is assigned yet, so that whoever writes this dialect gives one
    display_tag: of the Display URI; 0: the private element
    """

    name: str
    title: Concept | None
    series_description: Concept
    series_date: Concept
    series_time: Concept
    series_instances: Concept
    study_series: Concept
    display_tag: int = 0

    @property
    def concepts(self) -> tuple[Concept, ...]:
        return tuple(each for each in self if isinstance(each, Concept))


_TITLE = "Manifest with Description"
_DESCRIPTION = "Series Description"
_DATE = "Series Date"
_TIME = "Series Time"
_INSTANCES = "Number of Series Related Instances"
_SERIES = "Number of Study Related Series"
DIALECTS = MappingProxyType(
    {
        each.name: each
        for each in (
            Dialect(
                "trial",
                Concept("MADOTEMP001", "99IHE", _TITLE),
                Concept("MADOTEMP002", "99IHE", _DESCRIPTION),
                Concept("MADOTEMP003", "99IHE", _DATE),
                Concept("MADOTEMP004", "99IHE", _TIME),
                Concept("MADOTEMP007", "99IHE", _INSTANCES),
                Concept("MADOTEMP009", "99IHE", _SERIES),
            ),
            Dialect(
                "placeholder",
                Concept("ddd001", "DCM", _TITLE),
                Concept("ddd002", "DCM", _DESCRIPTION),
                Concept("ddd003", "DCM", _DATE),
                Concept("ddd004", "DCM", _TIME),
                Concept("ddd007", "DCM", _INSTANCES),
                Concept("ddd009", "DCM", _SERIES),
            ),
            Dialect(
                "dicom",
                None,
                Concept("131563", "DCM", _DESCRIPTION),
                Concept("131561", "DCM", _DATE),
                Concept("131562", "DCM", _TIME),
                Concept("131564", "DCM", _INSTANCES),
                Concept("131565", "DCM", _SERIES),
                display_tag=DISPLAY_URI,
            ),
        )
    }
)
TRIAL = DIALECTS["trial"]

# The same without a code: what a reader takes them for.
TITLE = Concept("", "", _TITLE)
SERIES_DESCRIPTION = Concept("", "", _DESCRIPTION)
SERIES_DATE = Concept("", "", _DATE)
SERIES_TIME = Concept("", "", _TIME)
SERIES_INSTANCES = Concept("", "", _INSTANCES)
STUDY_SERIES = Concept("", "", _SERIES)
_OWN = (TITLE, SERIES_DESCRIPTION, SERIES_DATE, SERIES_TIME, SERIES_INSTANCES, STUDY_SERIES)
COMMON = (
    IMAGE_LIBRARY,
    IMAGE_LIBRARY_GROUP,
    PROCEDURE_CODE,
    MODALITY,
    TARGET_REGION,
    LATERALITY,
    SERIES_NUMBER,
    SERIES_INSTANCE_UID,
    NUMBER_OF_FRAMES,
    INSTANCE_NUMBER,
    DOCUMENT_TITLE,
    KEY_OBJECT_DESCRIPTION,
)
_BY_MEANING = {each.meaning.lower(): each for each in (*COMMON, *_OWN)}
_BY_VALUE = {each.value: each for each in COMMON} | {
    each.value: _BY_MEANING[each.meaning.lower()]
    for dialect in DIALECTS.values()
    for each in dialect.concepts
}


def concept(value: str, scheme: str, meaning: str) -> Concept | None:
    """What a code means here, whatever its dialect; None for what the profile does not know.

    No two dialects give one code value two meanings, so a missing or wrong scheme does no harm; a
    code not yet known is told by its meaning.
    """
    return _BY_VALUE.get(value) or _BY_MEANING.get(meaning.strip().lower())


_DIALECT_OF = {each.value: of.name for of in DIALECTS.values() for each in of.concepts}


def dialect_of(value: str) -> str:
    """The dialect that has this code; "" for one that all have, or none."""
    return _DIALECT_OF.get(value, "")
