"""Inline documents taken out of a streaming envelope."""

import base64
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xdsi.model.errors import SoapFault
from xdsi.standard import namespaces as ns
from xdsi.wire import safexml, xop
from xdsi.wire.inline import (
    DocumentData,
    DocumentEnd,
    DocumentStart,
    Event,
    InlineDocuments,
    Kept,
    may_hold_documents,
)
from xdsi.wire.safexml import XmlLimits

Separated = tuple[bytes, dict[str, bytes]]
DOCUMENT = "{urn:ihe:iti:xds-b:2007}Document"


def separated(
    chunks: Iterable[bytes | memoryview], inline: InlineDocuments | None = None
) -> Separated:
    """The kept envelope and the documents; fails when events are out of order."""
    inline = inline or InlineDocuments()
    kept, documents, open_cid = b"", dict[str, bytes](), ""

    def take(event: Event) -> None:
        nonlocal kept, open_cid
        match event:
            case Kept(data):
                assert data
                assert not open_cid
                kept += data
            case DocumentStart(cid):
                assert not open_cid
                assert cid not in documents
                open_cid, documents[cid] = cid, b""
            case DocumentData(data):
                assert data
                documents[open_cid] += data
            case DocumentEnd():
                assert open_cid
                open_cid = ""

    for chunk in chunks:
        for event in inline.feed(chunk):
            take(event)
    for event in inline.close():
        take(event)
    assert not open_cid
    return kept, documents


def bytewise(data: bytes) -> Iterator[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({c % (len(data) + 1) for c in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


def envelope(*documents: str, head: str = "") -> str:
    inside = "".join(
        f'<x:Document id="d{i}">{text}</x:Document>' for i, text in enumerate(documents)
    )
    return (
        f'{head}<s:Envelope xmlns:s="{ns.SOAP12}"><s:Body><x:Request xmlns:x="{ns.XDS}">'
        f"<x:Other>QUJD</x:Other>{inside}<y:Document xmlns:y='urn:y'>QUJD</y:Document>"
        "<!-- grün --></x:Request></s:Body></s:Envelope>"
    )


def resolved(kept: bytes, documents: dict[str, bytes]) -> list[bytes]:
    """Content of each xds:Document that has a reference, in the order of the envelope."""
    found = []
    for element in safexml.parse(kept).iter(DOCUMENT):
        cid = xop.content_id(element)
        if cid is not None:
            assert not element.text
            found.append(documents[cid])
    assert len(found) == len(documents)
    return found


# What is a document's text

TEXTS = {
    "plain": ("QUJD", b"ABC"),
    "padded": ("QUI=", b"AB"),
    "lines": ("\nQU\r\nJD\t RA = =\n", b"ABCD"),
    "blanks in front": ("   \n  QUJD", b"ABC"),
    "reference": ("QU&#x4a;D", b"ABC"),
    "reference first": ("&#81;UJD", b"ABC"),
    "CDATA": ("<![CDATA[QUJD]]>", b"ABC"),
    "CDATA in the middle": ("QU<![CDATA[J]]>D", b"ABC"),
    "blank, then CDATA": (" <![CDATA[ QUJD]]>", b"ABC"),
    "comment in front": ("<!-- c -->QUJD", b"ABC"),
    "comment in the middle": ("QU<!-- JD -->JD", b"ABC"),
    "instruction in the middle": ("QU<?x JD?>JD", b"ABC"),
    "all at once": (" <!--a-->\n<![CDATA[Q]]><!--b-->U<?c?>&#74;D<!--d--> ", b"ABC"),
}


@pytest.mark.proves("REG-004", "RET-061")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("text", "content"), TEXTS.values(), ids=TEXTS.keys())
def test_text_of_documents_is_decoded(text: str, content: bytes, encoding: str) -> None:
    data = envelope(text, "", text).encode(encoding)
    for chunks in ([data], bytewise(data)):
        assert resolved(*separated(chunks)) == [content, content]


AS_IS = {
    "empty": "",
    "blank": " \n\t ",
    "comment": "<!-- QUJD -->",
    "empty CDATA": "<![CDATA[]]>",
    "Include": f'<p:Include xmlns:p="{ns.XOP}" href="cid:a"/>',
    "Include between blanks": f'\n <p:Include xmlns:p="{ns.XOP}" href="cid:a"/>\n ',
    "Include with content": f'<p:Include xmlns:p="{ns.XOP}" href="cid:a"><z>QUJD</z></p:Include>',
    "Include and text": f'<p:Include xmlns:p="{ns.XOP}" href="cid:a"/>QUJD',
    "Document in Document": "<x:Document>QUJD</x:Document>",
}


@pytest.mark.proves("WS-053")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", AS_IS.values(), ids=AS_IS.keys())
def test_other_documents_stay_byte_for_byte(text: str, encoding: str) -> None:
    data = envelope(text).encode(encoding)
    for chunks in ([data], bytewise(data)):
        assert separated(chunks) == (data, {})


@pytest.mark.proves("WS-053", "REG-004")
def test_inline_and_referenced_documents_mix() -> None:
    include = AS_IS["Include"]
    kept, documents = separated([envelope(include, "QUJD", include).encode()])
    references = [xop.content_id(e) for e in safexml.parse(kept).iter(DOCUMENT)]
    assert references == ["a", *documents, "a"]
    assert list(documents.values()) == [b"ABC"]


def test_all_around_documents_passes_byte_for_byte() -> None:
    head = "<?xml version='1.0'  encoding='UTF-8'?>\r\n<!-- grün --><?p i?>\r\n"
    data = envelope("QUJD", head=head).encode("utf-8-sig")
    kept, documents = separated(bytewise(data))
    (cid,) = documents
    include = f'<xop:Include xmlns:xop="{ns.XOP}" href="cid:{cid}"/>'.encode()
    assert kept == data.replace(b'"d0">QUJD<', b'"d0">' + include + b"<")


def test_slices_of_a_buffer_may_be_fed() -> None:
    data = memoryview(envelope(base64.b64encode(bytes(100_000)).decode()).encode())
    chunks = (data[i : i + 7000] for i in range(0, len(data), 7000))
    assert resolved(*separated(chunks)) == [bytes(100_000)]


def test_names_of_parts_cannot_be_known_beforehand() -> None:
    data = envelope("QUJD").encode()
    assert len({cid for _ in range(10) for cid in separated([data])[1]}) == 10


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (envelope("QUJD").encode(), True),
        ("<Document xmlns='urn:ihe:iti:xds-b:2007'\n>".encode("utf-16"), True),
        (b"<a:Document/>", True),
        (b"<DocumentEntry/>", False),
        (b"<query:AdhocQueryRequest/>", False),
    ],
)
def test_queries_need_no_pre_pass(data: bytes, expected: bool) -> None:
    assert may_hold_documents(data) is expected


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.sampled_from([b"", b"\n", b"\r\n", b" "]))),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_chunking_agrees_with_a_tree(
    documents: list[tuple[bytes, bytes]], cuts: list[int], encoding: str
) -> None:
    texts = [base64.encodebytes(data).replace(b"\n", gap).decode() for data, gap in documents]
    data = envelope(*texts).encode(encoding)
    kept, found = separated(cut(data, cuts))
    tree = etree.fromstring(data)
    expected = [base64.b64decode(e.text or "") for e in tree.iter(DOCUMENT)]
    assert resolved(kept, found) == [content for content in expected if content]
    reduced = safexml.parse(kept)
    for each in (*tree.iter(DOCUMENT), *reduced.iter(DOCUMENT)):
        each.text = None
        del each[:]
    comments = tree.xpath("//comment()")
    for comment in comments:
        comment.getparent().remove(comment)
    assert etree.tostring(reduced, method="c14n") == etree.tostring(tree, method="c14n")


# What is refused


def refused(chunks: Iterable[bytes], limits: XmlLimits = XmlLimits()) -> str:
    with pytest.raises(SoapFault) as fault:
        separated(chunks, InlineDocuments(limits))
    assert (fault.value.code, fault.value.status) == ("Sender", 400)
    return fault.value.reason


@pytest.mark.proves("SEC-T-096", "SEC-T-094")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Q", "Document 2: broken base64"),
        ("QUJ", "Document 2: broken base64"),
        ("QUJDRA", "Document 2: broken base64"),
        ("QUI=QUJD", "Document 2: broken base64"),
        ("QUJ*", "Document 2: broken base64"),
        ("grün", "Document 2: broken base64"),
        ("hello world", "Document 2: broken base64"),
        ("QUJD<x:a/>", "both text and elements"),
        (f'QUJD<p:Include xmlns:p="{ns.XOP}" href="cid:a"/>', "both text and elements"),
        ("QU\0D", "not well-formed"),
        ("QU&x;", "not well-formed"),
    ],
)
def test_what_is_no_base64_is_refused(text: str, reason: str) -> None:
    data = envelope("QUJD", text).encode()
    assert reason in refused([data])
    assert reason in refused(bytewise(data))


@pytest.mark.proves("SEC-T-070")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_doctype_is_refused_at_once(encoding: str) -> None:
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))
    data = f'<!DOCTYPE a [<!ENTITY e0 "x">{entities}]><a>&e12;</a>'.encode(encoding)
    begin = time.process_time()
    assert "DOCTYPE" in refused([data])
    assert "DOCTYPE" in refused(bytewise(data[:60]))
    assert time.process_time() - begin < 1


@pytest.mark.proves("SEC-T-073", "SEC-T-074")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"<a",
        b"x",
        b"<a></b>",
        b"<a/><b/>",
        b"<x:a/>",
        b"<a>\xff</a>",
        "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-32"),
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        '<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        b'<?xml version="1.1"?><a/>',
        envelope("QUJD").encode()[:-5],
        envelope("QUJD").encode()[:200],
    ],
)
def test_broken_envelopes_are_refused(data: bytes) -> None:
    refused([data])
    refused(bytewise(data))


@pytest.mark.proves("SEC-T-034")
def test_the_envelope_limit_counts_what_is_left() -> None:
    limits = XmlLimits(envelope=1000)
    text = base64.b64encode(os.urandom(30_000)).decode()
    kept, _ = separated([envelope(text).encode()], InlineDocuments(limits))
    room = 1000 - len(kept)
    filled = envelope(text).replace("grün", "grün" + "x" * room).encode()
    assert len(separated([filled], InlineDocuments(limits))[0]) == 1000
    assert "1000 bytes" in refused([filled.replace("grün".encode(), "ggrün".encode())], limits)


@pytest.mark.proves("SEC-T-035")
def test_depth_is_limited_while_streaming() -> None:
    good = b"<a>" * 64 + b"</a>" * 64
    assert separated([good])[0] == good
    assert "64 elements inside each other" in refused([b"<a>" * 65])


@pytest.mark.proves("SEC-T-037")
def test_blanks_in_front_of_a_document_are_limited() -> None:
    good = envelope(" " * 65536 + "QUJD").encode()
    assert list(separated([good])[1].values()) == [b"ABC"]
    endless = itertools.chain(
        [envelope("@").encode().split(b"@")[0]], itertools.repeat(b" " * 5000)
    )
    assert "65536 blanks" in refused(endless)


@pytest.mark.proves("SEC-T-034", "SEC-T-072")
@pytest.mark.parametrize("size", [16, 100, 65536, 1_000_000])
@pytest.mark.parametrize("begin", [b"<a b='", b"<a><!--", b"<a><?p ", b"<a"], ids=str)
def test_endless_tags_and_comments_are_refused(begin: bytes, size: int) -> None:
    clock = time.process_time()
    assert "in one tag, comment or instruction" in refused(
        itertools.chain([begin], itertools.repeat(b"x" * size))
    )
    assert time.process_time() - clock < 2


def test_number_of_inline_documents_is_limited() -> None:
    data = envelope("QUJD", "QUJD").encode()
    assert len(separated([data], InlineDocuments(documents=2))[1]) == 2
    with pytest.raises(SoapFault, match="more than 1 inline documents"):
        separated([data], InlineDocuments(documents=1))


# Memory

MEASURE = """
import base64, hashlib, os, resource, sys
from xdsi.wire.inline import DocumentData, InlineDocuments
encoding, has_lines, is_cdata = sys.argv[1], sys.argv[2] == "True", sys.argv[3] == "True"
block = os.urandom(57 * 1000)
text = (base64.encodebytes(block) if has_lines else base64.b64encode(block)).decode()
begin = "<a xmlns='urn:ihe:iti:xds-b:2007'><Document>" + "<![CDATA[" * is_cdata
bare = encoding if encoding == "utf-8" else "utf-16-le"
chunk = text.encode(bare)
inline, size = InlineDocuments(), 0
def take(data):
    global size
    for event in inline.feed(data):
        size += len(event.data) if isinstance(event, DocumentData) else 0
take(begin.encode(encoding))
take(chunk)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(999):
    take(chunk)
take(("]]>" * is_cdata + "</Document></a>").encode(bare))
inline.close()
print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.proves("RET-063")
@pytest.mark.parametrize(
    "arguments",
    [
        ("utf-8", True, False),
        ("utf-8", False, False),
        ("utf-8", False, True),
        ("utf-16", False, False),
    ],
    ids=["lines", "one token", "CDATA", "UTF-16"],
)
def test_a_big_document_needs_no_memory(arguments: tuple[object, ...]) -> None:
    run = [sys.executable, "-c", MEASURE, *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    size, growth = map(int, done.stdout.split())
    assert size == 57_000_000
    assert growth < 4 * 1024  # KiB
