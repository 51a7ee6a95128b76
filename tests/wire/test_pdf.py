"""PDF: what the writer writes is a correct file, what the reader finds is what stands there."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xdsi.model.errors import InvalidDocumentContent
from xdsi.wire import pdf

MADE = datetime(2026, 3, 4, 10, 30, tzinfo=timezone(timedelta(hours=1)))


def saved(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "report.pdf").write_bytes(content)
    return tmp_path / "report.pdf"


def check_structure(content: bytes) -> int:
    """Every offset of the table leads to its object, every stream is as long as it says.

    Returns the number of pages.
    """
    start = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    table = content[start:]
    head = re.match(rb"xref\n0 (\d+)\n", table)
    assert head
    count = int(head[1])
    rows = table[head.end() : head.end() + 20 * count]
    assert rows[:20] == b"0000000000 65535 f \n"
    for number in range(1, count):
        row = rows[20 * number : 20 * number + 20]
        assert row[10:] == b" 00000 n \n"
        assert content[int(row[:10]) :].startswith(b"%d 0 obj\n" % number)
    assert f"/Size {count}".encode() in table
    for found in re.finditer(rb"<< /Length (\d+) >>\nstream\n", content):
        after = found.end() + int(found[1])
        assert content[after : after + 10] == b"\nendstream"
    assert content.endswith(b"%%EOF\n")
    [pages] = re.findall(rb"/Count (\d+)", content)
    return int(pages)


@pytest.mark.parametrize(("lines", "pages"), [(0, 1), (1, 1), (46, 1), (47, 2), (200, 5)])
@pytest.mark.proves("IMG-022")
def test_file_structure_is_correct_for_any_length(lines: int, pages: int) -> None:
    content = pdf.text_pdf("Report", [f"Line {n}" for n in range(lines)], made=MADE)
    assert content.startswith(b"%PDF-1.4\n")
    assert check_structure(content) == pages


@given(st.text(max_size=40), st.lists(st.text(max_size=300), max_size=8))
@settings(max_examples=80, deadline=None)
def test_any_text_makes_a_correct_file(title: str, lines: list[str]) -> None:
    content = pdf.text_pdf(title, lines, made=MADE)
    check_structure(content)
    assert pdf.is_pdf(content)


@pytest.mark.parametrize(
    "title",
    ["CT head", "Befund (endgültig)", "a \\ b ) c (", "Łódź 漢字", ""],
)
@pytest.mark.proves("IMG-022", "IMG-037", "IMG-049")
def test_information_is_read_back(title: str, tmp_path: Path) -> None:
    path = saved(tmp_path, pdf.text_pdf(title, ["x"], made=MADE, author="Dr. Vera Vorbild"))
    assert pdf.read_info(path) == pdf.PdfInfo(title, "20260304093000", "Dr. Vera Vorbild")


@pytest.mark.needs("pdftotext")
@pytest.mark.proves("IMG-022")
def test_poppler_reads_the_text(tmp_path: Path) -> None:
    lines = ["Schädel € nativ (ohne)", *[f"Line {n}" for n in range(100)]]
    path = saved(tmp_path, pdf.text_pdf("Befund", lines, made=MADE))
    program = shutil.which("pdftotext")
    assert program
    done = subprocess.run(
        [program, "-layout", "-enc", "UTF-8", str(path), "-"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    text = done.stdout.decode("utf-8")
    assert [line.strip() for line in text.splitlines() if line.strip()] == ["Befund", *lines]
    assert done.stderr == b""


def test_long_lines_are_wrapped_and_unknown_letters_marked() -> None:
    content = pdf.text_pdf("T", ["word " * 60, "漢"], made=MADE)
    shown = re.findall(rb"\(([^)]*)\) Tj T\*", content)
    assert len(shown) == 5
    assert all(len(each) <= 88 for each in shown)
    assert shown[-1] == b"?"


OTHER = """%PDF-1.7
9 0 obj
<< /Producer (X) /CreationDate(D:20250102030405-05'00') /Title <FEFF00420065006600 75006E0064> >>
endobj
"""


@pytest.mark.parametrize(
    ("content", "info"),
    [
        pytest.param(
            OTHER + "trailer\n<< /Size 10 /Info 9 0 R >>\nstartxref\n0\n%%EOF",
            ("Befund", "20250102080405"),
            id="hex title, other order",
        ),
        pytest.param(
            OTHER + "12 0 obj\n<< /Type /XRef /Info 9 0 R >>\nstream\n"
            + "x" * 6000 + "\nendstream\nendobj\nstartxref\n129\n%%EOF",
            ("Befund", "20250102080405"),
            id="cross-reference stream",
        ),
        pytest.param(
            OTHER + "9 0 obj\n<< /Title (Newer \\(2\\)\\040\\344\\\n!) >>\nendobj\n"
            "trailer\n<< /Info 9 0 R >>\nstartxref\n0\n%%EOF",
            ("Newer (2) ä!", ""),
            id="the later of two revisions",
        ),
        pytest.param(
            OTHER + "trailer\n<< /Info 9 0 R /Encrypt 8 0 R >>\nstartxref\n0\n%%EOF",
            ("", ""),
            id="encrypted",
        ),
        pytest.param(OTHER + "trailer\n<< >>\nstartxref\n0\n%%EOF", ("", ""), id="no information"),
        pytest.param(
            OTHER + "trailer\n<< /Info 77 0 R >>\nstartxref\n999999999999\n%%EOF",
            ("", ""),
            id="dangling",
        ),
        pytest.param("%PDF-1.4", ("", ""), id="nothing but a head"),
    ],
)  # fmt: skip
def test_information_of_other_writers(content: str, info: tuple[str, str], tmp_path: Path) -> None:
    found = pdf.read_info(saved(tmp_path, content.encode("latin_1")))
    assert (found.title, found.created) == info


@given(st.binary(max_size=300))
@example(b"\\8 \\2)")
@example(b"\\")
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_reader(tail: bytes) -> None:
    value = pdf._value(b"<< /Title (" + tail, b"Title")
    assert isinstance(value, str)
    assert isinstance(pdf._value(b"<< /Title <" + tail, b"Title"), str)


def test_junk_before_the_head_is_accepted_and_other_files_are_not(tmp_path: Path) -> None:
    assert pdf.is_pdf(b"\r\nHTTP/1.1 200\r\n\r\n%PDF-1.4")
    assert not pdf.is_pdf(b"\0" * 2000 + b"%PDF-1.4")
    with pytest.raises(InvalidDocumentContent, match="is no PDF"):
        pdf.read_info(saved(tmp_path, b"PK\x03\x04"))
    with pytest.raises(InvalidDocumentContent, match="cannot be read"):
        pdf.read_info(tmp_path / "none.pdf")


def test_the_stamp_is_utc() -> None:
    content = pdf.text_pdf("T", [], made=datetime(2026, 3, 4, 23, 59, tzinfo=UTC))
    assert b"/CreationDate (D:20260304235900+00'00')" in content
