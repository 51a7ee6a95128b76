"""XML from strangers."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xdsi.model.errors import SoapFault
from xdsi.wire import safexml
from xdsi.wire.safexml import XmlLimits

LIMITS = XmlLimits()


def refused(data: bytes, charset: str | None = None, limits: XmlLimits = LIMITS) -> str:
    """The reason of the fault; the message must be one line without parser internals."""
    with pytest.raises(SoapFault) as fault:
        safexml.parse(data, charset=charset, limits=limits)
    reason = fault.value.reason
    assert (fault.value.code, fault.value.status) == ("Sender", 400)
    assert len(reason) < 300
    assert not any(word in reason.lower() for word in ("libxml", "lxml", "huge", "expat", ".c:"))
    return reason


# Any DOCTYPE

LAUGHS = b'<!DOCTYPE a [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12)
)
DOCTYPES = {
    "empty": b"<!DOCTYPE a><a/>",
    "internal": b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    "in attribute": b'<!DOCTYPE a [<!ENTITY x "y">]><a b="&x;"/>',
    "unused": b'<!DOCTYPE a [<!ENTITY x "y">]><a/>',
    "external": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
    "file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    "public": b'<!DOCTYPE a PUBLIC "-//X//Y" "x.dtd"><a/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><a/>',
    "attribute defaults": b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
    "expansion bomb": LAUGHS + b"]><a>&m;</a>",
    "behind declaration": b'<?xml version="1.0"?>\n<!DOCTYPE a><a/>',
    "behind comment": b"<!-- <a> --><!DOCTYPE a><a/>",
    "behind instruction": b"<?x <a> ?>\r\n\t<!DOCTYPE a><a/>",
    "behind the root's start": b"<a><!DOCTYPE a></a>",
    "behind the root": b"<a/><!DOCTYPE a>",
    "lower case": b"<!doctype a><a/>",
    "unfinished": b"<!DOCTYPE a",
}


@pytest.mark.proves("SEC-T-070", "WS-043")
@pytest.mark.parametrize("data", DOCTYPES.values(), ids=DOCTYPES.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_doctype_is_refused(data: bytes, encoding: str) -> None:
    begin = time.process_time()
    reason = refused(data.decode().encode(encoding))
    assert time.process_time() - begin < 1
    assert ("DOCTYPE" in reason) or b"<a" in data.partition(b"<!")[0] or b"doctype" in data


@pytest.mark.parametrize(
    "data",
    [
        b"<a><![CDATA[<!DOCTYPE a>]]></a>",
        b"<a><!-- <!DOCTYPE a> --></a>",
        b"<!-- <!DOCTYPE a> --><a/>",
    ],
    ids=["CDATA", "comment", "comment in front"],
)
def test_a_doctype_that_is_none_is_data(data: bytes) -> None:
    assert safexml.parse(data).tag == "a"


# Encodings

TEXT = "<a>grün €𝄞</a>"


def declared(name: str) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>{TEXT}'


GOOD_ENCODINGS = {
    "UTF-8": (TEXT.encode(), None),
    "UTF-8 with mark": (TEXT.encode("utf-8-sig"), None),
    "UTF-8 with mark, declared": (declared("utf-8").encode("utf-8-sig"), "UTF-8"),
    "UTF-8 declared": (declared("UTF-8").encode(), "utf-8"),
    "version only": (f"<?xml version='1.0'?>{TEXT}".encode(), "Utf-8"),
    "standalone": (f"<?xml version='1.0' standalone='yes' ?>{TEXT}".encode(), None),
    "UTF-16 little": (("\ufeff" + TEXT).encode("utf-16-le"), None),
    "UTF-16 big": (("\ufeff" + TEXT).encode("utf-16-be"), "utf-16"),
    "UTF-16 declared": (declared("UTF-16").encode("utf-16"), "UTF-16"),
}


@pytest.mark.proves("SEC-T-073", "WS-042")
@pytest.mark.parametrize(("data", "charset"), GOOD_ENCODINGS.values(), ids=GOOD_ENCODINGS.keys())
def test_utf_8_and_utf_16_are_read(data: bytes, charset: str | None) -> None:
    assert safexml.parse(data, charset=charset).text == "grün €𝄞"


PLAIN = b"<a/>"
BAD_ENCODINGS = {
    "charset UTF-16, bytes UTF-8": (PLAIN, "utf-16"),
    "charset UTF-8, bytes UTF-16": ("<a/>".encode("utf-16"), "utf-8"),
    "charset unknown": (PLAIN, "x-unknown"),
    "charset empty": (PLAIN, ""),
    "charset Latin 1": (PLAIN, "iso-8859-1"),
    "charset UTF-7": (PLAIN, "utf-7"),
    "declared UTF-16, bytes UTF-8": (declared("UTF-16").encode(), None),
    "declared UTF-8, bytes UTF-16": (declared("UTF-8").encode("utf-16"), None),
    "declared Latin 1": (declared("ISO-8859-1").encode(), None),
    "declared UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-', None),
    "declared unknown": (declared("klingon").encode(), None),
    "declared EBCDIC": ('<?xml version="1.0" encoding="cp037"?><a/>'.encode("cp037"), None),
    "EBCDIC": ("<a/>".encode("cp037"), None),
    "UTF-7": (b"+ADw-a/+AD4-", None),
    "UTF-16 without mark": ("<a/>".encode("utf-16-le"), None),
    "UTF-16 big without mark": ("<a/>".encode("utf-16-be"), None),
    "UTF-32": ("<a/>".encode("utf-32"), None),
    "UTF-32 without mark": ("<a/>".encode("utf-32-be"), None),
    "two marks": (b"\xef\xbb\xbf\xef\xbb\xbf<a/>", None),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', None),
    "declaration malformed": (b'<?xml encoding="utf-8"?><a/>', None),
    "declaration doubled": (b'<?xml version="1.0"?><?xml version="1.0"?><a/>', None),
    "declaration late": (b' <?xml version="1.0"?><a/>', None),
    "byte that is no UTF-8": (b"<a>\xff</a>", None),
    "overlong UTF-8": (b"<a>\xc0\xbc</a>", None),
    "surrogate in UTF-8": (b"<a>\xed\xa0\x80</a>", None),
    "cut character": (b"<a>\xe2\x82</a>", None),
    "half a surrogate pair": (
        b"\xff\xfe" + "<a>\ud800</a>".encode("utf-16-le", "surrogatepass"),
        None,
    ),
    "odd number of bytes": ("<a/>".encode("utf-16") + b"\n", None),
}


@pytest.mark.proves("SEC-T-073")
@pytest.mark.parametrize(("data", "charset"), BAD_ENCODINGS.values(), ids=BAD_ENCODINGS.keys())
def test_other_encodings_and_contradictions_are_refused(data: bytes, charset: str | None) -> None:
    refused(data, charset)


# Not XML

BROKEN = {
    "nothing": b"",
    "blanks": b"  \n",
    "text": b"hello",
    "truncated": b"<a><b></b>",
    "truncated tag": b"<a><b",
    "wrong end tag": b"<a></b>",
    "NUL": b"<a>\0</a>",
    "control character": b"<a>\x01</a>",
    "control character by number": b"<a>&#1;</a>",
    "U+FFFE": "<a>\ufffe</a>".encode(),
    "attribute twice": b'<a b="1" b="2"/>',
    "attribute twice by namespace": b'<a xmlns:x="u" xmlns:y="u" x:b="1" y:b="2"/>',
    "prefix not declared": b"<x:a/>",
    "attribute prefix not declared": b'<a x:b="1"/>',
    "prefix undeclared again": b'<x:a xmlns:x="u"><b xmlns:x=""/></x:a>',
    "entity not declared": b"<a>&x;</a>",
    "ampersand": b"<a>a & b</a>",
    "two roots": b"<a/><a/>",
    "text behind the root": b"<a/>x",
    "attribute without quotes": b"<a b=c/>",
    "less-than in attribute": b'<a b="<"/>',
    "end of CDATA in text": b"<a>]]></a>",
    "double hyphen in comment": b"<a><!-- -- --></a>",
    "open comment": b"<a><!-- </a>",
    "open CDATA": b"<a><![CDATA[</a>",
}


@pytest.mark.proves("SEC-T-074")
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    refused(data)


@pytest.mark.proves("SEC-T-074", "WS-084")
def test_the_fault_names_line_and_kind_of_damage() -> None:
    assert refused(b"<a>\n<secret>\n</b></a>") == (
        "the envelope is not well-formed XML in line 3: tag name mismatch"
    )


# Limits


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def attributes(count: int) -> bytes:
    return b"<a%s/>" % b"".join(b' a%d=""' % i for i in range(count))


def declarations(count: int) -> bytes:
    return b"<a%s/>" % b"".join(b' xmlns:n%d="u"' % i for i in range(count))


def text(size: int) -> bytes:
    return b"<a><b>%s</b></a>" % (b"x" * size)


def attribute(size: int) -> bytes:
    return b'<a b="%s"/>' % (b"x" * size)


def elements(count: int) -> bytes:
    return b"<a>%s</a>" % (b"<b/>" * (count - 1))


SMALL = XmlLimits(elements=1000)
LIMIT_CASES = {
    "depth": (nested, 64, LIMITS, "inside each other"),
    "attributes": (attributes, 64, LIMITS, "attributes"),
    "declarations": (declarations, 64, LIMITS, "namespace declarations"),
    "text": (text, 65536, LIMITS, "one text"),
    "attribute": (attribute, 65536, LIMITS, "one attribute"),
    "elements": (elements, 1000, SMALL, "elements"),
}


@pytest.mark.proves("SEC-T-035", "SEC-T-036", "SEC-T-037")
@pytest.mark.parametrize("extra", [b"", b"<!-- c -->", b"<?p i?>"], ids=["plain", "comment", "pi"])
@pytest.mark.parametrize("case", LIMIT_CASES.values(), ids=LIMIT_CASES.keys())
def test_limits_hold_to_the_one(case: tuple, extra: bytes) -> None:  # type: ignore[type-arg]
    make, limit, limits, what = case
    safexml.parse(make(limit) + extra, limits=limits)
    assert what in refused(make(limit + 1) + extra, limits=limits)


@pytest.mark.proves("SEC-T-035", "SEC-T-036", "SEC-T-037", "SEC-T-072")
@pytest.mark.parametrize(
    "data",
    [
        nested(255),
        nested(1_000_000),
        attributes(100_000),
        attributes(1_000_000),
        declarations(100_000),
        text(12_000_000),
        attribute(12_000_000),
        elements(4_000_000),
        b"<a>" + b"x<!---->" * 1_000_000 + b"</a>",
        b"<a>" + b"x<?p?>" * 1_000_000 + b"</a>",
        b"<a>" + b"<![CDATA[x]]>" * 1_000_000 + b"</a>",
        b"<a>" + b"&#120;" * 1_000_000 + b"</a>",
        b"<" + b"n" * 10_000_000 + b"/>",
        b"<a" + b" " * 10_000_000 + b'b="c"><d></a>',
        b"<a><!--" + b"-x" * 5_000_000 + b"</a>",
        b"<!--x-->" * 1_000_000,
    ],
    ids=["depth 255", "depth", "attributes 1e5", "attributes 1e6", "declarations", "text",
         "attribute", "elements", "text by comments", "text by instructions", "text by CDATA",
         "text by references", "name", "blanks", "open comment", "comments"],
)  # fmt: skip
def test_floods_end_in_a_second(data: bytes) -> None:
    begin = time.process_time()
    refused(data)
    assert time.process_time() - begin < 1


MEASURE = """
import resource
from xdsi.model.errors import SoapFault
from xdsi.wire import safexml
floods = [
    b"<a>" + b"<b/>" * 4_000_000 + b"</a>",
    b"<a>" * 2_000_000 + b"</a>" * 2_000_000,
    b"<a" + b"".join(b' a%d=""' % i for i in range(1_000_000)) + b"/>",
    b"<a" + b"".join(b' a%d=""' % i for i in range(90_000)) + b"/>",
    b"<a>" + b"x<!---->" * 2_000_000 + b"</a>",
    b"<a>" + b"x" * 16_000_000 + b"</a>",
]
safexml.parse(b"<a/>")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for flood in floods:
    try:
        safexml.parse(flood)
    except SoapFault:
        print("refused")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.proves("SEC-T-072")
def test_floods_are_refused_before_they_fill_memory() -> None:
    run = [sys.executable, "-c", MEASURE]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    *refusals, growth = done.stdout.split()
    assert refusals == ["refused"] * 6
    assert int(growth) < 64 * 1024  # KiB


@pytest.mark.proves("SEC-T-034")
def test_size_of_the_envelope_is_limited() -> None:
    limits = XmlLimits(envelope=1000)
    safexml.parse(b"<a>%s</a>" % (b" " * 993), limits=limits)
    assert "1000 bytes" in refused(b"<a>%s</a>" % (b" " * 994), limits=limits)


def test_sixteen_mebibytes_are_read() -> None:
    data = b"<a>%s</a>" % (b"<b>xxxxxxxxxxxxxxxx</b>" * 700_000)
    assert len(safexml.parse(data)) == 700_000


@pytest.mark.parametrize("equals", [1, 70, 5000])
def test_equals_signs_in_values_are_no_attributes(equals: int) -> None:
    assert safexml.parse(b'<a b="%s"/>' % (b"=" * equals)).get("b") == "=" * equals


# What carries no data


@pytest.mark.proves("SEC-T-075")
@pytest.mark.parametrize(
    "data",
    [b"<a>do<!-- x -->ctor</a>", b"<a>do<?x y?>ctor</a>", b"<a><![CDATA[do]]>ctor</a>",
     b"<!-- x --><a><!-- y -->doctor<!-- z --></a><!-- end -->", b"<?x?><a>d&#111;ctor</a>"],
)  # fmt: skip
def test_comments_and_instructions_never_cut_a_value(data: bytes) -> None:
    root = safexml.parse(data)
    assert root.text == "doctor"
    assert len(root) == 0
    assert root.getprevious() is None
    assert root.getnext() is None


@pytest.mark.proves("SEC-T-075")
def test_inclusions_and_bases_stay_plain_data() -> None:
    data = (
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude" xml:base="http://127.0.0.1:9/"'
        b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="u file:///x">'
        b'<?xml-stylesheet href="http://127.0.0.1:9/s.xsl"?>'
        b'<xi:include href="file:///etc/hostname" parse="text"/></a>'
    )
    root = safexml.parse(data)
    assert [child.tag for child in root] == ["{http://www.w3.org/2001/XInclude}include"]
    assert root[0].text is None


@pytest.mark.proves("SEC-T-076")
def test_id_and_href_stay_plain_data() -> None:
    root = safexml.parse(b'<a><b id="1" href="#2"/><b id="2" href="#1"/><c href="#9"/></a>')
    assert [dict(child.attrib) for child in root] == [
        {"id": "1", "href": "#2"}, {"id": "2", "href": "#1"}, {"href": "#9"},
    ]  # fmt: skip


NAMES = st.sampled_from(["a", "b", "{urn:x}c", "{urn:y}d"])
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


def tree(name: str, attribute: str, text: str, children: list[etree._Element]) -> etree._Element:
    element = etree.Element(name, {"k": attribute})
    element.text = text
    element.extend(children)
    return element


TREES = st.recursive(
    st.builds(tree, NAMES, TEXTS, TEXTS, st.just([])),
    lambda inner: st.builds(tree, NAMES, TEXTS, TEXTS, st.lists(inner, max_size=3)),
    max_leaves=8,
)


@given(TREES, st.sampled_from(["utf-8", "utf-16"]), st.booleans())
def test_messages_read_as_they_were_written(
    root: etree._Element, encoding: str, has_declaration: bool
) -> None:
    is_declared = has_declaration or encoding == "utf-16"
    data = etree.tostring(root, encoding=encoding, xml_declaration=is_declared)
    read = safexml.parse(data, charset=encoding)
    assert etree.tostring(read, method="c14n") == etree.tostring(root, method="c14n")


@given(st.binary(max_size=60) | st.text("<>a/!-[]?&;:='\" \n", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        root = safexml.parse(data)
    except SoapFault as fault:
        assert fault.code == "Sender"  # noqa: PT017
    else:
        assert isinstance(root.tag, str)
