"""Answers that are passed on: cut from the text or taken from the tree, the same comes out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xdsi.model.errors import SoapFault
from xdsi.standard import urns
from xdsi.standard.namespaces import QUERY, RIM
from xdsi.wire import passing, safexml, unread
from xdsi.wire.safexml import XmlLimits


def answer(listed: str, prefix: str = "rim", more: str = "") -> bytes:
    """An AdhocQueryResponse in an envelope; more: declarations of the envelope"""
    name, declared = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
    return (
        f'<env:Envelope xmlns:env="urn:example:env"{more}><env:Body>'
        f'<query:AdhocQueryResponse xmlns:query="{QUERY}" {declared}="{RIM}" '
        f'status="{urns.SUCCESS}">'
        f"<{name}RegistryObjectList>{listed}</{name}RegistryObjectList>"
        "</query:AdhocQueryResponse></env:Body></env:Envelope>"
    ).encode()


ENTRY = (
    '<rim:ExtrinsicObject id="urn:uuid:1" home="urn:oid:2.999.1" mimeType="a/b">'
    '<rim:Slot name="x>y"><rim:ValueList><rim:Value>ä &lt; &amp; > \'"</rim:Value></rim:ValueList>'
    "</rim:Slot><rim:Name/></rim:ExtrinsicObject>"
)
REFERENCE = '<rim:ObjectRef id="urn:uuid:2" home="urn:oid:2.999.1"/>'
OTHER = "urn:example:other"
CUT = {
    "one": answer(ENTRY),
    "two kinds": answer(ENTRY + REFERENCE + REFERENCE),
    "printed": answer(f"\r\n  {ENTRY}\n\t{REFERENCE}\n"),
    "none": answer(""),
    "blanks": answer(" \n"),
    "another prefix": answer(ENTRY.replace("rim:", "ns4.x-y:"), "ns4.x-y"),
    "no prefix": answer(ENTRY.replace("rim:", ""), ""),
    "declared again": answer(ENTRY.replace(" id=", f' xmlns:rim="{RIM}" xmlns:q="{QUERY}" id=')),
    "no prefix, declared again": answer(
        ENTRY.replace("rim:", "").replace(" id=", f' xmlns="{RIM}" id='), ""
    ),
    "declared outside": answer(
        ENTRY.replace("<rim:Slot ", '<rim:Slot o:x="1" '), more=f' xmlns:o="{OTHER}"'
    ),
    "text of the list's name": answer(ENTRY.replace("ä", "RegistryObjectList")),
    "a value like a declaration": answer(ENTRY.replace("a/b", f"x xmlns:rim={OTHER}")),
    "a blank before the end": answer(REFERENCE.replace("/>", " />")),
    "a name that begins alike": answer(ENTRY.replace("rim:Name", "rim:Extrinsic")),
    "a name within beyond ASCII": answer(ENTRY.replace("rim:Name", "rim:Größe")),
    "with a declaration of XML": b'<?xml version="1.0" encoding="UTF-8"?>\n' + answer(ENTRY),
    "UTF-16": answer(ENTRY).decode().encode("utf-16"),
    "quoted in the declaration": answer(ENTRY, more=' xmlns:o="urn:a?b&amp;c"'),
}
WHOLE = {
    "a comment": answer(f"<!-- x -->{ENTRY}"),
    "a section": answer(ENTRY.replace("ä", "<![CDATA[<rim:ObjectRef/>]]>")),
    "an instruction": answer(f"<?x y?>{ENTRY}"),
    "text between": answer(f"{ENTRY}x{REFERENCE}"),
    "single quotes": answer(ENTRY.replace('"a/b"', "'a/b'")),
    "> in a value": answer(ENTRY.replace('"a/b"', '"a>b"')),
    "a line end in a value": answer(ENTRY.replace("a/b", "a\n/b")),
    "a line end in the start tag": answer(ENTRY.replace(" mimeType", "\n mimeType")),
    "a blank in the end tag": answer(ENTRY + REFERENCE).replace(
        b"</rim:ExtrinsicObject>", b"</rim:ExtrinsicObject >"
    ),
    "one in another": answer(ENTRY.replace("<rim:Name/>", f"<rim:Name>{ENTRY}</rim:Name>")),
    "another prefix than the list": answer(ENTRY.replace("rim:", "r:"), more=f' xmlns:r="{RIM}"'),
    "the prefix is another one's": answer(ENTRY.replace(" id=", f' xmlns:rim="{OTHER}" id=')),
    "the list declares": answer(ENTRY).replace(
        b"<rim:RegistryObjectList>", b'<rim:RegistryObjectList xmlns:o="urn:example:o">'
    ),
    "two lists": answer(ENTRY).replace(
        b"</query:",
        f"<rim:RegistryObjectList>{REFERENCE}</rim:RegistryObjectList></query:".encode(),
    ),
    "a name beyond ASCII": answer(REFERENCE.replace("ObjectRef", "Verknüpfung")),
    "an empty list": answer("").replace(
        b"<rim:RegistryObjectList></rim:RegistryObjectList>", b"<rim:RegistryObjectList/>"
    ),
    "no list": answer("").replace(b"<rim:RegistryObjectList></rim:RegistryObjectList>", b""),
}
ELSEWHERE = {
    "a list that is none of ebRIM": answer(ENTRY).replace(RIM.encode(), OTHER.encode()),
    "a list elsewhere": answer(ENTRY).replace(b"query:", b"env:"),
}


def objects(came: unread.Answer) -> list[tuple[str, str, passing.Head]]:
    """Kind, canonical form and start tag of each; each must be an element by itself."""
    found = []
    for response in came.root.iter(f"{{{QUERY}}}AdhocQueryResponse"):
        for one in came.objects(response):
            read = etree.fromstring(one.xml)
            canonical = etree.canonicalize(one.xml.decode(), rewrite_prefixes=True)
            moved = etree.fromstring(passing.under(one, "urn:oid:2.999.2").xml)
            assert moved.get("home") == "urn:oid:2.999.2"
            found.append((read.tag, canonical, passing.head(one)))
    return found


@pytest.mark.proves("XC-029")
@pytest.mark.parametrize("data", (CUT | WHOLE | ELSEWHERE).values(), ids=(CUT | WHOLE | ELSEWHERE))
def test_objects_go_on_as_they_came(data: bytes) -> None:
    assert objects(unread.parse(data)) == objects(unread.whole(data))


@pytest.mark.parametrize("data", CUT.values(), ids=CUT)
def test_no_tree_is_made_of_the_objects(data: bytes) -> None:
    (listed,) = unread.parse(data).root.iter(f"{{{RIM}}}RegistryObjectList")
    assert len(listed) == 0


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_a_tree_is_made_of_what_looks_unusual(data: bytes) -> None:
    roots = [read(data).root for read in (unread.parse, unread.whole)]
    first, second = (etree.tostring(each, method="c14n") for each in roots)
    assert first == second


BROKEN = {
    "not closed": answer(ENTRY.replace("</rim:Slot>", "")),
    "closed twice": answer(ENTRY.replace("<rim:Name/>", "</rim:Name>")),
    "crossed": answer(ENTRY.replace("</rim:Slot><rim:Name/>", "<rim:Name></rim:Slot></rim:Name>")),
    "a prefix without declaration": answer(ENTRY.replace("rim:Name", "x:Name")),
    "an attribute without declaration": answer(ENTRY.replace("mimeType", "x:mimeType")),
    "an attribute twice": answer(ENTRY.replace("mimeType", "id")),
    "an entity": answer(ENTRY.replace("ä", "&ouml;")),
    "an octet that is no UTF-8": answer(ENTRY).replace("ä".encode(), b"\xe4"),
    "a character that is none": answer(ENTRY.replace("ä", "&#1;")),
    "two roots": answer(ENTRY) + b"<a/>",
    "roots around": b"</a><a>" + answer(ENTRY) + b"</a><a>",
    "text behind": answer(ENTRY) + b"x",
    "a DOCTYPE": b"<!DOCTYPE a>" + answer(ENTRY),
    "another encoding": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + answer(ENTRY),
}


@pytest.mark.proves("SEC-T-167")
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_refused_either_way(data: bytes) -> None:
    for read in (unread.parse, unread.whole):
        with pytest.raises(SoapFault):
            read(data)


def deep(elements: int) -> bytes:
    """So many elements inside each other, the envelope counted."""
    inner = elements - 5
    return answer(f"<rim:A>{'<rim:B>' * inner}{'</rim:B>' * inner}</rim:A>")


@pytest.mark.proves("SEC-T-035", "SEC-T-036", "SEC-T-037", "SEC-T-034", "SEC-T-167")
@pytest.mark.parametrize(
    ("limits", "good", "bad"),
    [
        (XmlLimits(), deep(64), deep(65)),
        (XmlLimits(depth=9), deep(9), deep(10)),
        (XmlLimits(depth=1000), deep(256), deep(257)),
        (XmlLimits(envelope=len(answer(ENTRY))), answer(ENTRY), answer(ENTRY + " ")),
        (
            XmlLimits(text=300),
            answer(ENTRY.replace("ä", "a" * 270)),
            answer(ENTRY.replace("ä", "a" * 301)),
        ),
        (XmlLimits(elements=9), answer(ENTRY), answer(ENTRY + REFERENCE)),
        (
            XmlLimits(attributes=3),
            answer(ENTRY),
            answer(ENTRY.replace(" id=", ' objectType="x" id=')),
        ),
    ],
    ids=["depth", "less depth", "more depth", "size", "text", "elements", "attributes"],
)
def test_the_limits_are_the_same(limits: XmlLimits, good: bytes, bad: bytes) -> None:
    assert objects(unread.parse(good, limits=limits)) == objects(unread.whole(good, limits=limits))
    for read in (unread.parse, unread.whole):
        with pytest.raises(SoapFault):
            read(bad, limits=limits)


@pytest.mark.proves("SEC-T-035")
def test_a_parser_of_other_bounds_is_not_relied_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert safexml._IS_BOUNDED
    monkeypatch.setattr(safexml, "_IS_BOUNDED", False)
    came = unread.parse(CUT["one"])
    assert len(list(came.root.iter(f"{{{RIM}}}ExtrinsicObject"))) == len(objects(came)) == 1


MARKS = "< </ > /> <!-- --> <![CDATA[ ]]> <?x?> = \" ' & ; : x rim: xmlns <a> </a> <rim:Name/>"
TAGS = ("ExtrinsicObject>", "RegistryObjectList>", "ObjectRef/>")
PIECES = (*MARKS.split(), " ", "\n", "", *(f"<rim:{each}" for each in TAGS), *TAGS)
MESSAGES = tuple((CUT | WHOLE).values())


@given(
    st.sampled_from(MESSAGES),
    st.lists(
        st.tuples(st.integers(0, 999), st.integers(0, 30), st.sampled_from(PIECES)), max_size=4
    ),
)
def test_whatever_comes_is_taken_or_refused_as_with_the_tree(
    data: bytes, changes: list[tuple[int, int, str]]
) -> None:
    for place, size, piece in changes:
        at = place * len(data) // 1000
        data = data[:at] + piece.encode() + data[at + size :]
    try:
        expected = objects(unread.whole(data))
    except SoapFault as fault:
        with pytest.raises(SoapFault, match=re.escape(fault.reason)):
            unread.parse(data)
    else:
        assert objects(unread.parse(data)) == expected
