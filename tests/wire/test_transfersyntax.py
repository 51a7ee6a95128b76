"""Which transfer syntax an instance is sent in."""

import subprocess
import sys

import pytest
from pydicom.uid import UID

from xdsi.standard import dicom
from xdsi.wire.transfersyntax import SYNTAXES, chosen

EXPLICIT = dicom.EXPLICIT_LITTLE_ENDIAN
IMPLICIT = dicom.IMPLICIT_LITTLE_ENDIAN
DEFLATED = dicom.DEFLATED_LITTLE_ENDIAN
BIG = dicom.EXPLICIT_BIG_ENDIAN
JPEG, JPEG_LOSSLESS = dicom.JPEG_BASELINE, dicom.JPEG_LOSSLESS_SV1
J2K, J2K_LOSSLESS, RLE = dicom.JPEG_2000, dicom.JPEG_2000_LOSSLESS, dicom.RLE_LOSSLESS
JPIP = "1.2.840.10008.1.2.4.94"
MPEG = "1.2.840.10008.1.2.4.102"
PRIVATE = "1.2.826.0.1.3680043.9.9999.1"


@pytest.mark.parametrize(
    ("stored", "listed", "sent"),
    [
        pytest.param(EXPLICIT, [EXPLICIT], EXPLICIT, id="as stored"),
        pytest.param(JPEG, [EXPLICIT, JPEG], JPEG, id="stored before explicit"),
        pytest.param(J2K, [J2K, J2K_LOSSLESS], J2K, id="lossy as stored"),
        pytest.param(JPEG, [RLE, J2K_LOSSLESS, EXPLICIT], EXPLICIT, id="explicit first"),
        pytest.param(EXPLICIT, [RLE, J2K_LOSSLESS], J2K_LOSSLESS, id="then the smallest"),
        pytest.param(JPEG_LOSSLESS, [RLE], RLE, id="rle last"),
        pytest.param(EXPLICIT, [J2K, J2K_LOSSLESS], J2K_LOSSLESS, id="lossless before lossy"),
        pytest.param(EXPLICIT, [JPEG], None, id="no lossy target"),
        pytest.param(JPEG, [J2K], None, id="no lossy to lossy"),
        pytest.param(BIG, [BIG, EXPLICIT], BIG, id="big endian as stored"),
        pytest.param(BIG, [EXPLICIT], EXPLICIT, id="big endian read"),
        pytest.param(EXPLICIT, [BIG], None, id="big endian not written"),
        pytest.param(EXPLICIT, [IMPLICIT, DEFLATED], IMPLICIT, id="implicit"),
        pytest.param(JPEG, [IMPLICIT, RLE], RLE, id="implicit last"),
        pytest.param(EXPLICIT, [DEFLATED], None, id="deflated not written"),
        pytest.param(MPEG, [MPEG], MPEG, id="video as stored"),
        pytest.param(MPEG, [EXPLICIT], None, id="video not decoded"),
        pytest.param(JPIP, [JPIP], JPIP, id="jpip as stored"),
        pytest.param(JPIP, [EXPLICIT], None, id="jpip not resolved"),
        pytest.param(EXPLICIT, [JPIP], None, id="jpip not offered"),
        pytest.param(PRIVATE, [PRIVATE], PRIVATE, id="private as stored"),
        pytest.param(PRIVATE, [EXPLICIT], None, id="private not read"),
        pytest.param(EXPLICIT, [], None, id="none listed"),
        pytest.param(EXPLICIT, ["1.2.3"], None, id="unknown listed"),
    ],
)
@pytest.mark.proves("IMG-100", "IMG-101", "IMG-103", "IMG-104", "IMG-105")
def test_images_come_as_stored_else_without_loss(
    stored: str, listed: list[str], sent: str | None
) -> None:
    assert chosen(stored, has_pixels=True, listed=listed) == sent
    assert chosen(stored, has_pixels=True, listed=listed[::-1]) == sent  # a list, not an order


@pytest.mark.parametrize(
    ("stored", "listed", "sent"),
    [
        pytest.param(EXPLICIT, [JPEG, J2K], EXPLICIT, id="only compressed ones listed"),
        pytest.param(IMPLICIT, [JPEG], EXPLICIT, id="implicit not listed"),
        pytest.param(IMPLICIT, [JPEG, IMPLICIT], IMPLICIT, id="implicit listed"),
        pytest.param(EXPLICIT, [RLE, IMPLICIT], IMPLICIT, id="implicit listed alone"),
        pytest.param(BIG, [IMPLICIT, EXPLICIT], EXPLICIT, id="both listed"),
        pytest.param(DEFLATED, [EXPLICIT], EXPLICIT, id="deflated not listed"),
        pytest.param(DEFLATED, [DEFLATED], DEFLATED, id="deflated listed"),
        pytest.param(BIG, [JPEG], EXPLICIT, id="big endian"),
        pytest.param(JPEG, [RLE], EXPLICIT, id="compressed syntax, nothing in it"),
        pytest.param(PRIVATE, [JPEG], None, id="private not read"),
    ],
)
@pytest.mark.proves("IMG-102")
def test_the_list_does_not_bind_what_has_no_pixels(
    stored: str, listed: list[str], sent: str | None
) -> None:
    assert chosen(stored, has_pixels=False, listed=listed) == sent


@pytest.mark.proves("IMG-104", "IMG-105")
def test_no_target_is_lossy_or_big_endian() -> None:
    targets = [UID(row.uid) for row in SYNTAXES.values() if row.is_target]
    assert [each.name for each in targets] == [
        "Explicit VR Little Endian",
        "JPEG 2000 Image Compression (Lossless Only)",
        "RLE Lossless",
        "Implicit VR Little Endian",
    ]


@pytest.mark.parametrize("uid", SYNTAXES)
def test_the_table_names_syntaxes_of_the_standard(uid: str) -> None:
    assert UID(uid).is_transfer_syntax
    assert bool(SYNTAXES[uid].decoder) == UID(uid).is_encapsulated


def test_a_node_that_shows_no_picture_loads_no_codec() -> None:
    """They cost 0.4 s and 16 MiB at start."""
    program = (
        "import sys, xdsi.wire.transcoding, xdsi.wire.rendering;"
        "sys.exit(bool({'numpy', 'PIL', 'imagecodecs', 'pydicom'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
