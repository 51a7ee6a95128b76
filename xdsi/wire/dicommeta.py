"""Group 0002 in front of a data set that came without one, which makes it a DICOM file.

Source: DICOM PS3.10 7.1.
"""

import struct

from xdsi.standard import dicom

_VERSION_NAME = "XDSI"


def file_head(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source: str = ""
) -> bytes:
    """Preamble and group 0002. source: AE title of who sent it."""
    rows = [
        _long(0x0001, b"OB", b"\0\1"),
        _short(dicom.MEDIA_STORAGE_SOP_CLASS_UID, b"UI", sop_class_uid),
        _short(dicom.MEDIA_STORAGE_SOP_INSTANCE_UID, b"UI", sop_instance_uid),
        _short(dicom.TRANSFER_SYNTAX_UID, b"UI", transfer_syntax_uid),
        _short(0x00020012, b"UI", dicom.IMPLEMENTATION_CLASS_UID),
        _short(0x00020013, b"SH", _VERSION_NAME),
        _short(0x00020016, b"AE", source) if source else b"",
    ]
    group = b"".join(rows)
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(group)) + group


def _short(tag: int, vr: bytes, text: str) -> bytes:
    """Padded to an even length: UIDs with NUL, texts with a blank."""
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, tag & 0xFFFF, vr, len(value)) + value


def _long(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sxxI", 2, element, vr, len(value)) + value
