"""The multipart scanner and the frame we write."""

import base64
import itertools
import os
import random
import re
import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xdsi.model.errors import SoapFault
from xdsi.wire import mime
from xdsi.wire import mtom as written
from xdsi.wire.media import boundary, media_type
from xdsi.wire.mime import MimeLimits, PartData, PartEnd, PartStart, Scanner
from xdsi.wire.mtom import Frame

Part = tuple[PartStart, bytes]


def scanned(chunks: Iterable[bytes], scanner: Scanner) -> list[Part]:
    """The parts of a body; fails when events are out of order."""
    parts: list[Part] = []
    start: PartStart | None = None
    content = b""

    def take(event: mime.Event) -> None:
        nonlocal start, content
        match event:
            case PartStart():
                assert start is None
                start, content = event, b""
            case PartData(data):
                assert start is not None
                assert len(data)
                content += data
            case PartEnd():
                assert start is not None
                parts.append((start, content))
                start = None

    for chunk in chunks:
        for event in scanner.feed(chunk):
            take(event)
    for event in scanner.close():
        take(event)
    assert start is None
    return parts


def whole(body: bytes, mark: bytes = b"b", **options: object) -> list[Part]:
    return scanned([body], Scanner(mark, **options))  # type: ignore[arg-type]


def contents(parts: list[Part]) -> list[bytes]:
    return [content for _, content in parts]


def bytewise(body: bytes) -> Iterator[bytes]:
    return (body[i : i + 1] for i in range(len(body)))


def one_part(content: bytes, *headers: bytes) -> bytes:
    return (
        b"--b\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + content + b"\r\n--b--\r\n"
    )


# What is a delimiter and what is not

BODIES: dict[str, tuple[bytes, list[bytes]]] = {
    "one part": (b"--b\r\n\r\nx\r\n--b--\r\n", [b"x"]),
    "no line end at the end": (b"--b\r\n\r\nx\r\n--b--", [b"x"]),
    "blanks behind the last": (b"--b\r\n\r\nx\r\n--b-- \t", [b"x"]),
    "blanks and CR behind the last": (b"--b\r\n\r\nx\r\n--b-- \r", [b"x"]),
    "preamble": (b"hello\r\n--b\r\n\r\nx\r\n--b--\r\n", [b"x"]),
    "preamble with look-alikes": (b"--bb\r\n --b\r\n--b\r\n\r\nx\r\n--b--\r\n", [b"x"]),
    "empty line first": (b"\r\n--b\r\n\r\nx\r\n--b--\r\n", [b"x"]),
    "epilogue": (b"--b\r\n\r\nx\r\n--b--\r\nbye\r\n--b\r\n\r\ny\r\n--b--\r\n", [b"x"]),
    "blanks behind delimiters": (b"--b \t\r\n\r\nx\r\n--b  \r\n\r\ny\r\n--b--  \r\n", [b"x", b"y"]),
    "empty part": (b"--b\r\n\r\n\r\n--b--\r\n", [b""]),
    "part of headers alone": (b"--b\r\nA: b\r\n\r\n--b\r\n\r\n--b--\r\n", [b"", b""]),
    "no headers, no blank line twice": (b"--b\r\n\r\n--b--\r\n", [b""]),
    "content ends in CR": (b"--b\r\n\r\nx\r\r\n--b--\r\n", [b"x\r"]),
    "content ends in line ends": (b"--b\r\n\r\nx\r\n\r\n\r\n--b--\r\n", [b"x\r\n\r\n"]),
    "content begins with line ends": (b"--b\r\n\r\n\r\n\r\nx\r\n--b--\r\n", [b"\r\n\r\nx"]),
    "LF alone is content": (b"--b\r\n\r\nx\n--b--\n\r\n--b--\r\n", [b"x\n--b--\n"]),
    "CR alone is content": (b"--b\r\n\r\nx\r--b--\r\r\n--b--\r\n", [b"x\r--b--\r"]),
    "longer word": (b"--b\r\n\r\n\r\n--bc\r\n\r\n--b--\r\n", [b"\r\n--bc\r\n"]),
    "text behind": (b"--b\r\n\r\n\r\n--b c\r\n\r\n--b--\r\n", [b"\r\n--b c\r\n"]),
    "text behind the last": (b"--b\r\n\r\n\r\n--b--c\r\n\r\n--b--\r\n", [b"\r\n--b--c\r\n"]),
    "one hyphen": (b"--b\r\n\r\n\r\n--b-\r\n\r\n--b--\r\n", [b"\r\n--b-\r\n"]),
    "three hyphens": (b"--b\r\n\r\n\r\n--b---\r\n\r\n--b--\r\n", [b"\r\n--b---\r\n"]),
    "inside a line": (b"--b\r\n\r\nx --b\r\n\r\n--b--\r\n", [b"x --b\r\n"]),
    "CR but no LF": (b"--b\r\n\r\n\r\n--b\rx\r\n--b--\r\n", [b"\r\n--b\rx"]),
    "too many blanks": (
        b"--b\r\n\r\n\r\n--b" + b" " * 1025 + b"\r\n\r\n--b--\r\n",
        [b"\r\n--b" + b" " * 1025 + b"\r\n"],
    ),
    "a multipart inside": (
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\ny\r\n--c--\r\n--b--",
        [b"--c\r\n\r\ny\r\n--c--"],
    ),
}


@pytest.mark.proves("SEC-T-092", "SEC-T-097")
@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES.keys())
def test_only_delimiter_lines_divide(body: bytes, expected: list[bytes]) -> None:
    assert contents(whole(body)) == expected
    assert contents(scanned(bytewise(body), Scanner(b"b"))) == expected


def reference(body: bytes, mark: bytes) -> list[bytes] | None:
    """Parts by one regular split over the whole body; None when the final one is missing."""
    line = re.compile(rb"\r\n--" + re.escape(mark) + rb"(--)?[ \t]{0,1024}(?=\r\n|\Z)")
    found: list[bytes] = []
    at, body = None, b"\r\n" + body
    position = 0
    while (delimiter := line.search(body, position)) is not None:
        if at is not None:
            found.append(body[at : delimiter.start()])
        if delimiter[1]:
            return [part.partition(b"\r\n\r\n")[2] for part in found]
        at = position = delimiter.end()
    return None


ATOMS = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b"--", b"-", b"mark", b"mar", b" ", b"\t", b"x", b"\r\n--mark"]
    )
    | st.binary(max_size=6),
    max_size=12,
).map(b"".join)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A body and its contents, none of them holding a delimiter line."""
    is_delimiter = re.compile(rb"\r\n--mark(--)?[ \t]*(\r\n|\r?\Z)")
    parts = draw(st.lists(ATOMS, min_size=1, max_size=4))
    parts = [b"" if is_delimiter.search(b"\r\n" + p + b"\r\n") else p for p in parts]
    body = b"".join(b"\r\n--mark\r\n\r\n" + p for p in parts) + b"\r\n--mark--\r\n"
    return body, parts


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({c % (len(body) + 1) for c in cuts} | {0, len(body)})
    return [body[a:b] for a, b in itertools.pairwise(at)]


@pytest.mark.proves("SEC-T-092")
@given(bodies(), st.lists(st.integers(0, 10_000), max_size=12))
def test_contents_survive_any_chunking(body: tuple[bytes, list[bytes]], cuts: list[int]) -> None:
    assert contents(scanned(cut(body[0], cuts), Scanner(b"mark"))) == body[1]


@given(ATOMS, st.lists(st.integers(0, 10_000), max_size=12))
@example(b"\r\n--mark--\r\n", [])
@example(b"\r\n\r\n--mark\r\n", [3])
def test_scanner_agrees_with_a_plain_split(noise: bytes, cuts: list[int]) -> None:
    body = b"--mark\r\n\r\n" + noise + b"\r\n--mark\r\n\r\n" + noise + b"\r\n--mark--\r\n"
    try:
        found = contents(scanned(cut(body, cuts), Scanner(b"mark")))
    except SoapFault:  # noise with a delimiter line of its own: headers are then nonsense
        assert re.search(rb"\r\n--mark(--)?[ \t]*\r\n", b"\r\n" + noise + b"\r\n")
    else:
        assert found == reference(body, b"mark")


def by_length(chunks: Iterable[bytes], mark: bytes = b"b") -> list[bytes]:
    return contents(scanned(chunks, Scanner(mark, by_length=True)))


def told(*parts: tuple[int, bytes]) -> bytes:
    """A body whose parts say how long they are."""
    heads = (b"--b\r\nContent-Length: %d\r\n\r\n%s\r\n" % each for each in parts)
    return b"".join(heads) + b"--b--\r\n"


@given(
    st.lists(st.tuples(st.booleans(), ATOMS), min_size=1, max_size=4),
    st.lists(st.integers(0, 10_000), max_size=12),
)
def test_a_length_that_is_told_saves_the_search(
    parts: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    """Whatever stands in the content, even the boundary; parts without one are searched."""
    given_contents = [c if is_told else c.replace(b"mark", b"") for is_told, c in parts]
    body = b"".join(
        b"--mark\r\n"
        + (b"Content-Length: %d\r\n" % len(content) if is_told else b"")
        + b"\r\n"
        + content
        + b"\r\n"
        for (is_told, _), content in zip(parts, given_contents, strict=True)
    )
    assert by_length(cut(body + b"--mark--\r\n", cuts), b"mark") == given_contents


@pytest.mark.proves("SEC-T-092")
@pytest.mark.parametrize("step", [1, 7, 1_000])
@pytest.mark.parametrize(
    "body", [told((3, b"four")), told((5, b"four"), (1, b"1")), told((0, b"x")), told((99, b"x"))]
)
def test_a_part_that_is_not_as_long_as_it_says_is_refused(body: bytes, step: int) -> None:
    chunks = [body[at : at + step] for at in range(0, len(body), step)]
    with pytest.raises(SoapFault, match=r"is not as long as it says|before its final boundary"):
        by_length(chunks)


@pytest.mark.parametrize(
    "length", [b"x", b"-1", b"", b"1" * 19, b"4\r\nContent-Length: 5", b"0x4", "４".encode()]
)
def test_what_is_no_length_says_nothing(length: bytes) -> None:
    assert by_length([one_part(b"four", b"Content-Length: " + length)]) == [b"four"]


def test_only_answers_are_read_by_length() -> None:
    body = told((99, b"x"))
    assert contents(whole(body)) == [b"x"]
    head = Frame.new().part_head("a@x", "text/plain", 7)
    assert b"\r\nContent-Length: 7\r\n" in head


@pytest.mark.proves("SEC-T-090")
def test_a_boundary_at_the_limit_works() -> None:
    mark = b"m" * 70
    assert contents(whole(b"--%s\r\n\r\nx\r\n--%s--" % (mark, mark), mark)) == [b"x"]


@pytest.mark.proves("SEC-T-039", "SEC-T-090")
@pytest.mark.parametrize("mark", [b"", b"m" * 71, b"m" * 100_000])
def test_boundaries_beyond_the_limit_are_refused(mark: bytes) -> None:
    with pytest.raises(SoapFault, match="boundary"):
        Scanner(mark)


# Bodies that end too early

FULL = b"--b\r\nContent-ID: <a>\r\n\r\nsome content\r\n--b--"


@pytest.mark.proves("SEC-T-091")
@pytest.mark.parametrize("length", range(len(FULL)))
def test_a_body_cut_short_is_refused(length: int) -> None:
    with pytest.raises(SoapFault) as fault:
        whole(FULL[:length])
    assert fault.value.code == "Sender"


@pytest.mark.proves("SEC-T-090")
def test_a_body_without_the_boundary_is_refused_early() -> None:
    scanner = Scanner(b"b", MimeLimits(preamble=1000))
    for _ in range(9):
        list(scanner.feed(b"x" * 100))
    with pytest.raises(SoapFault, match="no boundary in the first 1000 bytes"):
        list(scanner.feed(b"x" * 200))


# Headers


@pytest.mark.proves("RET-062", "SEC-T-094")
def test_headers_are_read() -> None:
    part, content = whole(
        one_part(
            b"x",
            b"content-id:<a%40b%2540c>",
            b"CONTENT-TYPE: application/xop+xml;",
            b" charset=UTF-8",
            b"Content-Transfer-Encoding: Binary",
            b"X-Empty:",
        )
    )[0]
    assert part.content_id == "a@b%40c"
    assert part.content_type == "application/xop+xml; charset=UTF-8"
    assert part.transfer_encoding == "binary"
    assert part.header("X-EMPTY") == ""
    assert part.header("absent") is None
    assert (part.index, part.is_root, content) == (0, True, b"x")


def test_headers_may_be_absent() -> None:
    part, _ = whole(one_part(b"x"))[0]
    assert (part.headers, part.content_id, part.content_type) == ((), None, None)
    assert part.transfer_encoding == "7bit"


BROKEN_HEADERS = {
    "no colon": [b"Content-ID <a>"],
    "no name": [b": x"],
    "blank in the name": [b"Content ID: <a>"],
    "NUL": [b"A: b\0c"],
    "NUL in the name": [b"A\0: b"],
    "lone LF": [b"A: b\nB: c"],
    "lone CR": [b"A: b\rB: c"],
    "begins folded": [b" A: b"],
    "Content-ID twice": [b"Content-ID: <a>", b"content-id: <a>"],
    "Content-Type twice": [b"Content-Type: a/b", b"Content-Type: a/b"],
    "transfer encoding twice": [b"Content-Transfer-Encoding: 8bit"] * 2,
    "delimiter among headers": [b"--b"],
    "non-ASCII name": [b"\xc3\xa4: x"],
}


@pytest.mark.proves("SEC-T-097")
@pytest.mark.parametrize("headers", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS.keys())
def test_broken_headers_are_refused(headers: list[bytes]) -> None:
    with pytest.raises(SoapFault) as fault:
        whole(one_part(b"x", *headers))
    assert fault.value.code == "Sender"


def test_what_is_there_twice_is_named_with_its_part() -> None:
    body = b"--b\r\n\r\none\r\n--b\r\nContent-ID: <a>\r\nContent-ID: <b>\r\n\r\ntwo\r\n--b--"
    with pytest.raises(SoapFault, match="part 2 has content-id twice"):
        list(Scanner(b"b").feed(body))


@pytest.mark.proves("SEC-T-039", "SEC-T-097")
@pytest.mark.parametrize(("count", "is_good"), [(32, True), (33, False), (2000, False)])
def test_number_of_headers_is_limited(count: int, is_good: bool) -> None:
    body = one_part(b"x", *(b"H%d: v" % i for i in range(count)))
    if is_good:
        assert len(whole(body)[0][0].headers) == count
    else:
        with pytest.raises(SoapFault, match="headers"):
            whole(body)


@pytest.mark.proves("SEC-T-039", "SEC-T-097")
@pytest.mark.parametrize(("size", "is_good"), [(0, True), (1, False), (10_000_000, False)])
def test_size_of_headers_is_limited(size: int, is_good: bool) -> None:
    body = one_part(b"x", b"H: " + b"v" * (16 * 1024 - 3 + size))
    for chunks in ([body], (body[i : i + 4096] for i in range(0, len(body), 4096))):
        if is_good:
            assert contents(scanned(chunks, Scanner(b"b"))) == [b"x"]
        else:
            with pytest.raises(SoapFault, match="headers of part 1 above 16384 bytes"):
                scanned(chunks, Scanner(b"b"))


@pytest.mark.proves("SEC-T-097")
def test_endless_headers_are_refused_at_the_limit() -> None:
    scanner = Scanner(b"b")
    list(scanner.feed(b"--b\r\n"))
    for _ in range(1638):
        list(scanner.feed(b"A: 345678\r"))
    with pytest.raises(SoapFault, match="headers of part 1"):
        list(scanner.feed(b"A: 345678\r"))


@pytest.mark.proves("SEC-T-039")
@pytest.mark.parametrize(("count", "is_good"), [(1001, True), (1002, False), (20_000, False)])
def test_number_of_parts_is_limited(count: int, is_good: bool) -> None:
    body = b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"
    if is_good:
        assert len(whole(body)) == count
    else:
        with pytest.raises(SoapFault, match="more than 1001 parts"):
            whole(body)


# Which part is the root, and what names the others

ROOT = b"Content-Type: application/xop+xml; charset=UTF-8"


def related(*parts: tuple[bytes, ...]) -> bytes:
    body = b"".join(
        b"--b\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\nx\r\n" for headers in parts
    )
    return body + b"--b--\r\n"


def mtom(body: bytes, start: str = "") -> list[Part]:
    value = f'multipart/related; type="application/xop+xml"; boundary=b; {start}'
    return scanned([body], mime.mtom_scanner(media_type(value)))


@pytest.mark.proves("SEC-T-093", "RET-062")
@pytest.mark.parametrize(
    ("start", "root"),
    [("", 0), ('start="<r@x>"', 1), ("start=r@x", 1), ('start="<r%40x>"', 1)],
    ids=["none", "brackets", "bare", "percent"],
)
def test_start_names_the_root(start: str, root: int) -> None:
    body = related(
        (ROOT, b"Content-ID: <a@x>"), (ROOT, b"Content-ID: <r@x>"), (b"Content-ID: <c>",)
    )
    assert [part.is_root for part, _ in mtom(body, start)] == [i == root for i in range(3)]


NO_ROOT = {
    "start names no part": (related((ROOT, b"Content-ID: <a>")), 'start="<b>"'),
    "start, and no part has an id": (related((ROOT,)), 'start="<a>"'),
    "start given twice": (related((ROOT, b"Content-ID: <a>")), "start=a; start=a"),
    "no part at all": (b"--b--\r\n", ""),
    "root of another type": (related((b"Content-Type: text/xml",)), ""),
    "root without type": (related((b"Content-ID: <a>",)), ""),
    "root is a multipart": (related((b"Content-Type: multipart/related; boundary=c",)), ""),
    "root of a broken type": (related((b"Content-Type: xop",)), ""),
}


@pytest.mark.proves("SEC-T-093")
@pytest.mark.parametrize(("body", "start"), NO_ROOT.values(), ids=NO_ROOT.keys())
def test_a_body_without_root_part_is_refused(body: bytes, start: str) -> None:
    with pytest.raises(SoapFault) as fault:
        mtom(body, start)
    assert (fault.value.code, fault.value.status) == ("Sender", 400)


@pytest.mark.proves("SEC-T-093")
@pytest.mark.parametrize(
    "kind",
    [b"application/xop+xml", b"Application/XOP+XML;charset=utf-8", ROOT[14:] + b';type="odd"'],
)
def test_odd_root_types_are_tolerated(kind: bytes) -> None:
    assert mtom(related((b"Content-Type: " + kind,)))[0][0].is_root


@pytest.mark.proves("SEC-T-094")
@pytest.mark.parametrize("twin", [b"<a@x>", b"a@x", b"<a%40x>"])
def test_a_content_id_may_occur_once(twin: bytes) -> None:
    with pytest.raises(SoapFault, match="two parts have the Content-ID 'a@x'"):
        whole(related((b"Content-ID: <a@x>",), (b"Content-ID: " + twin,)))


@pytest.mark.proves("SEC-T-094")
def test_parts_without_content_id_have_none() -> None:
    parts = whole(related((b"Content-ID: <a>",), (), (), (b"Content-ID: <>",)))
    assert [part.content_id for part, _ in parts] == ["a", None, None, None]


@pytest.mark.proves("SEC-T-094", "RET-061")
@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("cid:a@x", "a@x"),
        ("cid:a%40x", "a@x"),
        ("CID:a%2540x", "a%40x"),
        ("cid:http://x", "http://x"),
    ],
)
def test_references_name_parts_after_one_decoding(href: str, expected: str) -> None:
    assert mime.cid(href) == expected


@pytest.mark.proves("SEC-T-094")
@pytest.mark.parametrize(
    "href", ["", "cid:", "cid", "http://x/a", "file:///etc/passwd", "a@x", "mid:a@x", "#a", ":a"]
)
def test_only_cid_references_are_followed(href: str) -> None:
    with pytest.raises(SoapFault, match="only cid:"):
        mime.cid(href)


@given(st.text(min_size=1, max_size=40))
def test_references_read_back(content_id: str) -> None:
    content_id = content_id.encode("utf-8", "replace").decode()
    assert mime.cid(written.href(content_id)) == content_id


# Transfer encodings


@pytest.mark.proves("SEC-T-096", "RET-062")
@pytest.mark.parametrize("name", [b"binary", b"8bit", b"7bit", b"BINARY", b" 8Bit "])
def test_plain_transfer_encodings_pass(name: bytes) -> None:
    content = bytes(range(256))
    assert contents(whole(one_part(content, b"Content-Transfer-Encoding:" + name))) == [content]


@pytest.mark.proves("SEC-T-096", "RET-062")
@given(st.binary(max_size=300), st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_base64_is_decoded_in_any_chunks(data: bytes, cuts: list[int], has_lines: bool) -> None:
    text = base64.encodebytes(data) if has_lines else base64.b64encode(data)
    body = one_part(text.replace(b"\n", b"\r\n"), b"Content-Transfer-Encoding: base64")
    assert contents(scanned(cut(body, cuts), Scanner(b"b"))) == [data]


@pytest.mark.proves("SEC-T-096")
@pytest.mark.parametrize(
    "text",
    [b"A", b"AA", b"AAA", b"AAAA=", b"AA=A", b"AA==AAAA", b"AAAA====", b"A*AA", b"=", b"AAA\0",
     b"====", b"AAA\xe9", b"AA-_", b"AA=\n=AA", b"AAAA\n="],
)  # fmt: skip
def test_broken_base64_is_refused(text: bytes) -> None:
    body = one_part(text, b"Content-Transfer-Encoding: base64")
    for chunks in ([body], bytewise(body)):
        with pytest.raises(SoapFault, match="part 1: broken base64"):
            scanned(chunks, Scanner(b"b"))


@pytest.mark.proves("SEC-T-096")
@pytest.mark.parametrize("name", [b"quoted-printable", b"x-uuencode", b"gzip", b"", b"base64 x"])
def test_other_transfer_encodings_are_refused(name: bytes) -> None:
    with pytest.raises(SoapFault, match="transfer encoding"):
        whole(one_part(b"x", b"Content-Transfer-Encoding: " + name))


# Speed and memory


HOSTILE = {
    "look-alikes": b"\r\n--bx",
    "look-alikes with blanks": b"\r\n--b" + b" " * 1500 + b"x",
    "final look-alikes": b"\r\n--b--x",
    "line ends": b"\r\n",
    "carriage returns": b"\r",
    "hyphens": b"\r\n--",
}


@pytest.mark.proves("SEC-T-092")
@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_content_costs_little(pattern: bytes) -> None:
    size = 64 * 1024
    chunk = (pattern * (size // len(pattern) + 1))[: size - len(pattern)] + b"x" * len(pattern)
    scanner, found = Scanner(b"b"), 0
    list(scanner.feed(b"--b\r\n\r\n"))
    begin = time.process_time()
    for _ in range(256):
        found += sum(len(event.data) for event in scanner.feed(chunk))  # type: ignore[union-attr]
    assert time.process_time() - begin < 2  # 16 MiB; a loop over single bytes takes longer
    found += sum(len(event.data) for event in scanner.feed(b"\r\n--b--"))  # type: ignore[union-attr]
    assert found == 256 * size


def test_content_is_handed_on_without_waiting() -> None:
    scanner = Scanner(b"mark")
    list(scanner.feed(b"--mark\r\n\r\n"))
    generator = random.Random(1)
    for _ in range(200):
        chunk = generator.randbytes(5000)
        handed = sum(len(e.data) for e in scanner.feed(chunk) if isinstance(e, PartData))
        assert handed >= len(chunk) - len(b"\r\n--mark")


# What we write


@pytest.mark.proves("RET-060", "WS-051")
def test_the_frame_says_what_the_profile_wants() -> None:
    frame = Frame.new()
    value = media_type(frame.content_type_header())
    assert value.type == "multipart/related"
    assert dict(value.params) == {
        "type": "application/xop+xml",
        "start": f"<{frame.root_id}>",
        "start-info": "application/soap+xml",
        "boundary": frame.boundary,
    }
    assert b'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n' in (
        frame.root_head()
    )


@pytest.mark.proves("RET-060", "RET-061")
@given(st.lists(st.binary(max_size=100), max_size=3))
def test_what_we_write_we_read(documents: list[bytes]) -> None:
    frame = Frame.new()
    ids = [written.new_content_id() for _ in documents]
    pieces = [frame.root_head(), b"<envelope/>"]
    for cid, document in zip(ids, documents, strict=True):
        pieces += (frame.part_head(cid, "text/plain"), document)
    pieces.append(frame.end())
    scanner = mime.mtom_scanner(media_type(frame.content_type_header()))
    root, *parts = scanned(pieces, scanner)
    assert root[0].is_root
    assert root[1] == b"<envelope/>"
    assert [part.content_id for part, _ in parts] == ids
    assert contents(parts) == documents


def test_frames_differ() -> None:
    frames = [Frame.new() for _ in range(20)]
    assert len({f.boundary for f in frames} | {f.root_id for f in frames}) == 40
    assert boundary(media_type(frames[0].content_type_header())) == frames[0].boundary.encode()


@pytest.mark.parametrize("kind", ["text/x\r\nX: y", "nonsense", "a/b; c=d", "", "tëxt/plain"])
def test_a_mime_type_cannot_break_the_head(kind: str) -> None:
    head = Frame("b", "r").part_head("c", kind)
    assert b"Content-Type: application/octet-stream\r\n" in head


def test_large_content_passes_unchanged() -> None:
    content = os.urandom(3_000_000)
    body = one_part(content)
    chunks = (body[i : i + 65536] for i in range(0, len(body), 65536))
    assert contents(scanned(chunks, Scanner(b"b"))) == [content]
