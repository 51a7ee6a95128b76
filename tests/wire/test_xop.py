"""References from a body to the parts of its message."""

import pytest

from xdsi.model.errors import SoapFault
from xdsi.standard import namespaces as ns
from xdsi.wire import safexml, xop

XOP = f'<i:Include xmlns:i="{ns.XOP}" href="{{}}"/>'


@pytest.mark.proves("SEC-T-094", "RET-061")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (XOP.format("cid:a%40b"), "a@b"),
        ("", None),
        ("QUJD", None),
        (f" {XOP.format('cid:a')}\n", "a"),
    ],
)
def test_the_reference_of_a_document_is_found(content: str, expected: str | None) -> None:
    assert xop.content_id(safexml.parse(f"<d>{content}</d>".encode())) == expected


@pytest.mark.proves("SEC-T-094")
@pytest.mark.parametrize(
    "content",
    [
        XOP.format(""),
        XOP.format("cid:"),
        XOP.format("http://127.0.0.1/x"),
        XOP.format("file:///etc/passwd"),
        f'<i:Include xmlns:i="{ns.XOP}"/>',
        XOP.format("cid:a") * 2,
        XOP.format("cid:a") + "<x/>",
        XOP.format("cid:a") + "QUJD",
        "QUJD" + XOP.format("cid:a"),
        "<x/>",
        '<i:Include xmlns:i="urn:other" href="cid:a"/>',
    ],
)
def test_a_bad_reference_is_refused(content: str) -> None:
    with pytest.raises(SoapFault) as fault:
        xop.content_id(safexml.parse(f"<d>{content}</d>".encode()))
    assert fault.value.code == "Sender"
