"""Which transfer syntax an instance is sent in, and what can be decoded and encoded for it.

Nothing lossy is ever produced: it would need a new SOP Instance UID (IMG-105).
Source: RAD TF-2 4.69.4.2.3; DICOM PS3.5 10, A; IMG-100 to IMG-105.
"""

from collections.abc import Collection
from dataclasses import dataclass

from xdsi.standard import dicom


@dataclass(frozen=True, slots=True)
class Syntax:
    """One transfer syntax.

    decoder: which of `xdsi.wire.frames` reads its frames; "" for pixel data that is not compressed
    is_target: whether stored data may be brought into it; every such syntax is lossless
    """

    uid: str
    decoder: str
    is_target: bool = False


# Targets stand in the order of trying: Explicit VR Little Endian, then what is smallest, and last
# the one that loses the VRs of private elements. A syntax that is not in the table (video, JPIP,
# private ones) is only ever sent as it is stored (IMG-103); big endian is read and never written
# (IMG-104).
_ROWS = (
    Syntax(dicom.EXPLICIT_LITTLE_ENDIAN, "", is_target=True),
    Syntax(dicom.JPEG_2000_LOSSLESS, "jpeg-2000", is_target=True),
    Syntax(dicom.RLE_LOSSLESS, "rle", is_target=True),
    Syntax(dicom.IMPLICIT_LITTLE_ENDIAN, "", is_target=True),
    Syntax(dicom.DEFLATED_LITTLE_ENDIAN, ""),
    Syntax(dicom.EXPLICIT_BIG_ENDIAN, ""),
    Syntax(dicom.JPEG_BASELINE, "jpeg"),
    Syntax(dicom.JPEG_EXTENDED, "jpeg"),
    Syntax(dicom.JPEG_LOSSLESS, "jpeg"),
    Syntax(dicom.JPEG_LOSSLESS_SV1, "jpeg"),
    Syntax(dicom.JPEG_LS_LOSSLESS, "jpeg-ls"),
    Syntax(dicom.JPEG_LS_NEAR_LOSSLESS, "jpeg-ls"),
    Syntax(dicom.JPEG_2000, "jpeg-2000"),
    Syntax(dicom.HTJ2K_LOSSLESS, "htj2k"),
    Syntax(dicom.HTJ2K_LOSSLESS_RPCL, "htj2k"),
    Syntax(dicom.HTJ2K, "htj2k"),
)
SYNTAXES = {row.uid: row for row in _ROWS}


def chosen(stored: str, *, has_pixels: bool, listed: Collection[str]) -> str | None:
    """The transfer syntax to send an instance in; None where none of those listed can be.

    stored: as it is kept; listed: what may come, in no order of preference (IMG-083).
    The list concerns pixel data: without any, Explicit VR Little Endian may always come, and
    Implicit only if it is listed (IMG-102).
    """
    if stored in listed:
        return stored
    if stored not in SYNTAXES:
        return None
    fits = (row.uid for row in _ROWS if row.is_target and row.uid in listed)
    if has_pixels:
        return next(fits, None)
    plain = (each for each in fits if not SYNTAXES[each].decoder)
    return next(plain, dicom.EXPLICIT_LITTLE_ENDIAN)
