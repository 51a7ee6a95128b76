"""Content-Type values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdsi.model.errors import SoapFault
from xdsi.wire import media
from xdsi.wire.media import MediaType, Packaging, UnsupportedMediaType, media_type

MTOM = 'multipart/related; type="application/xop+xml"; '

READ = {
    "bare": ("application/soap+xml", MediaType("application/soap+xml")),
    "case of type and names": (
        "Application/SOAP+XML; CharSet=UTF-8",
        MediaType("application/soap+xml", (("charset", "UTF-8"),)),
    ),
    "quoted": (
        'application/soap+xml;action="urn:a;b \\"c\\"";charset="utf-8"',
        MediaType("application/soap+xml", (("action", 'urn:a;b "c"'), ("charset", "utf-8"))),
    ),
    "blanks everywhere": (
        " multipart/related ;  boundary = abc ; start=<root@x> ",
        MediaType("multipart/related", (("boundary", "abc"), ("start", "<root@x>"))),
    ),
    "unquoted tspecials": (
        "multipart/related; boundary=----=_Part_1?2:3/4; type=application/xop+xml",
        MediaType(
            "multipart/related",
            (("boundary", "----=_Part_1?2:3/4"), ("type", "application/xop+xml")),
        ),
    ),
    "semicolons without parameter": (
        "application/soap+xml; ; charset=utf-8;",
        MediaType("application/soap+xml", (("charset", "utf-8"),)),
    ),
    "empty quoted": ('a/b; boundary=""', MediaType("a/b", (("boundary", ""),))),
}


@pytest.mark.parametrize(("value", "expected"), READ.values(), ids=READ.keys())
def test_content_types_are_read(value: str, expected: MediaType) -> None:
    assert media_type(value) == expected


@pytest.mark.proves("SEC-T-056")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "soap",
        "/",
        "text/xml; charset=utf-8",
        "text/xml,application/soap+xml",
        "application/soap+xml charset=utf-8",
        "application/octet-stream",
        "multipart/form-data; boundary=a",
        'multipart/related; boundary=a; type=""',
        'multipart/related; boundary=a; type="text/xml"',
        'multipart/related; boundary=a; type="application/dicom"',
    ],
)
def test_other_media_types_are_answered_415(value: str) -> None:
    with pytest.raises(UnsupportedMediaType) as fault:
        media.packaging(media_type(value))
    assert fault.value.status == 415


@pytest.mark.proves("SEC-T-056", "WS-050", "WS-051")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("application/soap+xml", Packaging.SIMPLE),
        ("application/soap+xml; charset=UTF-8; action=x", Packaging.SIMPLE),
        (MTOM + "boundary=a", Packaging.MTOM),
        ("multipart/related; boundary=a; type=Application/XOP+XML", Packaging.MTOM),
        ('multipart/related; type="application/xop+xml; x=y"; boundary=a', Packaging.MTOM),
        (MTOM + 'start-info="strange thing"; boundary=a', Packaging.MTOM),
        ("multipart/related; boundary=a", Packaging.MTOM),
    ],
)
def test_both_packagings_are_recognised(value: str, expected: Packaging) -> None:
    assert media.packaging(media_type(value)) is expected


@pytest.mark.proves("SEC-T-090")
@pytest.mark.parametrize(
    "parameter",
    [
        "",
        "boundary=",
        'boundary=""',
        'boundary="' + "b" * 71 + '"',
        "boundary=" + "b" * 7000,
        "boundary=a; boundary=b",
        "boundary=a; Boundary=a",
        'boundary="a "',
        'boundary="a\tb"',
        'boundary="gr\u00fcn"',
        'boundary="a',
        'boundary="a"b',
        "boundary",
        "=a",
    ],
)
def test_bad_boundaries_are_sender_faults(parameter: str) -> None:
    with pytest.raises(SoapFault) as fault:
        media.boundary(media_type(MTOM + parameter))
    assert (fault.value.code, fault.value.status) == ("Sender", 400)


@pytest.mark.proves("SEC-T-039")
@pytest.mark.parametrize("boundary", ["b", "b" * 70, "a b:=?/", "'()+_,-./:=?"])
def test_boundaries_up_to_70_characters_are_used_as_they_are(boundary: str) -> None:
    assert media.boundary(media_type(f'{MTOM}boundary="{boundary}"')) == boundary.encode()


def test_a_parameter_given_twice_is_no_guess() -> None:
    parsed = media_type("application/soap+xml; charset=utf-8; charset=utf-16")
    with pytest.raises(SoapFault, match="charset is given twice"):
        _ = parsed.charset


TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@given(TOKEN, TOKEN, st.lists(st.tuples(TOKEN, VALUE), max_size=5))
def test_written_values_read_back(kind: str, sub: str, params: list[tuple[str, str]]) -> None:
    value = MediaType(f"{kind}/{sub}", tuple(params))
    assert media_type(str(value)) == value


@given(st.text(max_size=80) | st.text('a/b;="\\ \t<>@:?', max_size=80))
def test_any_text_is_read_or_refused(value: str) -> None:
    try:
        read: MediaType | SoapFault = media_type(value)
    except SoapFault as fault:
        read = fault
    assert read.status in (400, 415) if isinstance(read, SoapFault) else "/" in read.type


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ['"' + "\\" * 30000, "=" * 30000, "; " * 15000, '"a"' * 10000])
def test_long_values_take_linear_time(text: str) -> None:
    with pytest.raises(SoapFault):
        media.boundary(media_type(MTOM + "boundary=" + text))
