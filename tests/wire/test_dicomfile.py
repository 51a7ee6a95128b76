"""The DICOM reader: the same values as pydicom, and no harm from any bytes."""

import io
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from tests.wire.studies import FILES, write
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import IssuedId, Manifest, PatientHeader
from xdsi.model.study import InstanceHeader, SeriesHeader, StudyHeader
from xdsi.standard import dicom
from xdsi.wire import charsets, instances, kos
from xdsi.wire.dicomfile import Limits, Shape, read_header

PREAMBLE = b"\0" * 128 + b"DICM"
CHARSETS = FILES.parent / "charset_files"
TEXTS = (
    dicom.SOP_CLASS_UID,
    dicom.SOP_INSTANCE_UID,
    dicom.STUDY_INSTANCE_UID,
    dicom.STUDY_DATE,
    dicom.STUDY_DESCRIPTION,
    dicom.MODALITY,
    dicom.PATIENT_NAME,
    dicom.PATIENT_ID,
    dicom.BODY_PART_EXAMINED,
    dicom.SERIES_NUMBER,
)
WANTED = Shape(frozenset(TEXTS), until=0x0040FFFF)
# Their data sets begin with a group below 8, which no instance may have.
NO_INSTANCES = {"meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"}


def part10_files() -> dict[str, Path]:
    """Every file of pydicom's own folders that calls itself DICOM."""
    found = {}
    for path in sorted([*FILES.rglob("*"), *CHARSETS.glob("*.dcm")]):
        if path.is_file() and path.name not in NO_INSTANCES:
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM":
                    found[path.relative_to(FILES.parent).as_posix()] = path
    return found


PART10 = part10_files()


def as_text(value: object) -> str:
    if isinstance(value, MultiValue):
        return "\\".join(map(str, value))
    return "" if value is None else str(value)


@pytest.mark.parametrize("name", PART10)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.proves("KOS-010", "KOS-080")
def test_values_are_those_that_pydicom_reads(name: str) -> None:
    try:
        expected = pydicom.dcmread(PART10[name], stop_before_pixels=True)
    except InvalidDicomError:
        pytest.fail("pydicom refuses its own file")
    item = read_header(PART10[name], WANTED, limits=Limits(size=1 << 40)).data
    for tag in TEXTS:
        theirs = expected[tag].value if tag in expected else None
        # trailing empty component groups are padding to pydicom
        assert item.text(tag).rstrip("=") == as_text(theirs).strip().rstrip("="), hex(tag)


def test_enough_files_were_compared() -> None:
    assert len(PART10) > 150


@pytest.mark.parametrize(
    ("declared", "raw", "text"),
    [
        pytest.param("", b"Doe^John ", "Doe^John", id="padding"),
        pytest.param("ISO_IR 100", b"Gr\xf6\xdfe", "Größe", id="latin 1"),
        pytest.param("ISO_IR 192", "Größe".encode(), "Größe", id="utf-8"),
        pytest.param("NO SUCH SET", "Größe".encode(), "Größe", id="unknown, utf-8"),
        pytest.param("NO SUCH SET", b"Gr\xf6\xdfe", "Größe", id="unknown, latin 1"),
        pytest.param("ISO_IR 192", b"Gr\xf6e", "Gr\ufffde", id="wrong"),
        pytest.param("\\ISO 2022 IR 87", b"\x1b$B\x3b\x33\x45\x44\x1b(B^A", "山田^A", id="kanji"),
        pytest.param("\\ISO 2022 IR 100", b"A\x1b-A\xf6^B\x1b-Q\xf6", "Aö^B-Qö", id="bad escape"),
    ],
)
def test_text_is_read_whatever_its_set(declared: str, raw: bytes, text: str) -> None:
    assert charsets.decoded(raw, charsets.codecs_of(declared)) == text


@given(st.binary(max_size=60), st.sampled_from(sorted(dicom.CHARACTER_SETS)))
@pytest.mark.proves("SEC-T-150")
def test_no_bytes_break_the_decoding(raw: bytes, declared: str) -> None:
    codecs = charsets.codecs_of(declared.replace("ISO_IR", "ISO 2022 IR") + "\\ISO 2022 IR 87")
    assert isinstance(charsets.decoded(raw, codecs), str)


# --- hostile bytes


def small() -> bytes:
    study = StudyHeader(
        "1.2.3",
        PatientHeader(IssuedId("T-1"), "Test^Tessa"),
        (
            SeriesHeader("1.2.3.1", (InstanceHeader("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.1"),)),
            SeriesHeader("1.2.3.2", (InstanceHeader("1.2.840.10008.5.1.4.1.1.4", "1.2.3.2.1"),)),
        ),
    )
    return kos.manifest_bytes(kos.manifest_of(study, retrieve_location_uid="1.2.3.9"))


SMALL = small()


def outcome(content: bytes) -> Manifest | str:
    """The manifest, or the sentence of its refusal; anything else is a crash."""
    try:
        return kos.read_manifest(content)
    except InvalidDocumentContent as refused:
        return refused.context


@pytest.mark.proves("KOS-133", "SEC-T-150")
def test_a_manifest_cut_anywhere_is_refused_or_read() -> None:
    refused = [end for end in range(len(SMALL)) if isinstance(outcome(SMALL[:end]), str)]
    whole = kos.read_manifest(SMALL)
    assert whole.instance_count == 2
    # only cuts between two elements of the top level leave a readable object
    assert len(refused) > len(SMALL) - 60
    assert all("ends" in str(outcome(SMALL[:end])) for end in (len(SMALL) - 1, len(SMALL) - 9))


@given(st.data())
@settings(max_examples=400, deadline=None)
@pytest.mark.proves("KOS-133", "SEC-T-150")
def test_changed_bytes_never_crash_the_reader(data: st.DataObject) -> None:
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(132, len(content) - 4))
        content[at : at + 4] = data.draw(
            st.one_of(
                st.binary(min_size=4, max_size=4),
                st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0", b"SQ\0\0"]),
            )
        )
    assert outcome(bytes(content))


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
@pytest.mark.proves("KOS-133", "SEC-T-150")
def test_random_data_sets_never_crash_the_reader(content: bytes) -> None:
    assert outcome(PREAMBLE + content)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in (b"SQ", b"UN", b"OB", b"UT"):
        return head + struct.pack("<HI", 0, size) + value
    return head + struct.pack("<H", size) + value


def file_of(data: bytes, syntax: bytes = b"1.2.840.10008.1.2.1") -> bytes:
    syntax += b"\0" * (len(syntax) % 2)
    meta = element(dicom.TRANSFER_SYNTAX_UID, b"UI", syntax)
    length = element(0x00020000, b"UL", struct.pack("<I", len(meta)))
    return PREAMBLE + length + meta + data


KOS_CLASS = element(dicom.SOP_CLASS_UID, b"UI", dicom.KEY_OBJECT_SELECTION.encode() + b"\0")
OPEN_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
DEEP_KNOWN = (element(dicom.CONTENT_SEQUENCE, b"SQ", b"", 0xFFFFFFFF) + OPEN_ITEM) * 5000
DEEP_PRIVATE = (element(0x00091001, b"SQ", b"", 0xFFFFFFFF) + OPEN_ITEM) * 5000


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(file_of(KOS_CLASS + DEEP_KNOWN), "deeper than 16", id="deep content"),
        pytest.param(file_of(DEEP_PRIVATE), "deeper than 16", id="deep private"),
        pytest.param(
            file_of(KOS_CLASS + element(0x00091001, b"ZZ", b"")),
            r"undefined value representation in \(0009,1001\)",
            id="undefined VR",
        ),
        pytest.param(
            file_of(KOS_CLASS + element(0x00091001, b"OB", b"", 0x7FFFFFFF)),
            r"ends before the \d+ last bytes of \(0009,1001\)",
            id="length beyond the file",
        ),
        pytest.param(
            file_of(
                KOS_CLASS
                + element(
                    dicom.CONTENT_SEQUENCE,
                    b"SQ",
                    b"\xfe\xff\x00\xe0\x40\0\0\0" + element(0x00091001, b"OB", b""),
                )
                + element(0x00411001, b"OB", b"\0" * 64)
            ),
            r"length in \(0040,A730\) beyond what contains it",
            id="item beyond its sequence",
        ),
        pytest.param(
            file_of(KOS_CLASS + element(dicom.CONTENT_SEQUENCE, b"SQ", b"", 0xFFFFFFFF)),
            "ends inside a sequence",
            id="endless sequence",
        ),
        pytest.param(
            file_of(KOS_CLASS + element(0x00091001, b"OB", b"", 0xFFFFFFFF) + b"x" * 20),
            "encapsulated data without items",
            id="fragments that are none",
        ),
        pytest.param(
            file_of(KOS_CLASS + element(dicom.CONTENT_SEQUENCE, b"SQ", b"x" * 16)),
            "no item where one must stand",
            id="sequence of no items",
        ),
        pytest.param(
            file_of(KOS_CLASS + b"\xfe\xff\x0d\xe0\0\0\0\0"),
            "item or delimiter where an element",
            id="stray delimiter",
        ),
        pytest.param(
            file_of(KOS_CLASS + element(dicom.TEXT_VALUE, b"UT", b"") + b"\x40\x00"),
            "ends in the middle of an element",
            id="half a tag",
        ),
        pytest.param(
            file_of(
                KOS_CLASS
                + element(
                    dicom.CONTENT_SEQUENCE,
                    b"SQ",
                    b"\xfe\xff\x00\xe0"
                    + struct.pack("<I", (2 << 20) + 12)
                    + element(dicom.TEXT_VALUE, b"UT", b"x" * (2 << 20)),
                )
            ),
            r"value of 2097152 bytes in \(0040,A160\)",
            id="giant text",
        ),
        pytest.param(
            file_of(b"no deflate stream", b"1.2.840.10008.1.2.1.99"),
            "cannot be inflated",
            id="not deflated",
        ),
    ],
)
@pytest.mark.proves("KOS-113", "KOS-133", "SEC-T-150")
def test_broken_structure_is_refused_with_one_sentence(content: bytes, text: str) -> None:
    with pytest.raises(InvalidDocumentContent, match=text):
        kos.read_manifest(content)


@pytest.mark.proves("SEC-T-150")
def test_a_deflate_bomb_is_refused_before_it_unfolds() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(256)) + packer.flush()
    assert len(bomb) < 2 << 20
    tracemalloc.start()
    with pytest.raises(InvalidDocumentContent, match="inflates to more than 67108864 bytes"):
        kos.read_manifest(file_of(bomb, b"1.2.840.10008.1.2.1.99"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20


@pytest.mark.proves("SEC-T-150", "KOS-113")
def test_millions_of_empty_items_end_within_the_time_allowed() -> None:
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 4_000_000
    content = file_of(KOS_CLASS + element(dicom.CONTENT_SEQUENCE, b"SQ", items))
    started = time.monotonic()
    with pytest.raises(InvalidDocumentContent, match=r"takes longer than 0\.5 s"):
        kos.read_manifest(content, limits=Limits(seconds=0.5))
    assert time.monotonic() - started < 10


def test_a_stream_is_read_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "kos.dcm").write_bytes(SMALL)
    whole = kos.read_manifest(SMALL)
    assert kos.read_manifest(io.BytesIO(SMALL)) == whole
    assert kos.read_manifest(tmp_path / "kos.dcm") == whole
    assert kos.read_manifest(str(tmp_path / "kos.dcm")) == whole


def test_a_header_longer_than_the_first_read_is_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm")
    item = pydicom.dcmread(path)
    block = item.private_block(0x0009, "XDSI TEST", create=True)
    block.add_new(0x01, "OB", b"\0" * 3_000_000)
    item.add_new(0x7FE00010, "OW", b"\0" * 5_000_000)
    item["PixelData"].VR = "OW"
    item.save_as(path)
    assert instances.header(path).data.text(dicom.PATIENT_ID) == "T-1"


def test_a_header_that_never_comes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(file_of(KOS_CLASS + element(0x00091001, b"OB", b"\0" * 300_000, 900_000)))
    with pytest.raises(InvalidDocumentContent, match=r"a\.dcm: ends before the 600000 last bytes"):
        instances.header(path)
