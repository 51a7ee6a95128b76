"""Values of attributes: which texts are good, and their parts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdsi.model.values import (
    CX,
    DTM,
    OID,
    SHA1,
    VALUE_TYPES,
    XCN,
    XON,
    XTN,
    Availability,
    CXi,
    Field,
    HomeCommunityId,
    Identifier,
    Language,
    Recipient,
    Size,
    Value,
    is_address,
    is_base,
    is_uuid,
)

LONG_OID = "1." + "2" * 62  # 64 characters
HASH = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
STUDY = "urn:ihe:iti:xds:2016:studyInstanceUID"
ACCESSION = "urn:ihe:iti:xds:2013:accession"
ORDER = "urn:ihe:iti:xds:2013:order"
REFERRAL = "urn:ihe:iti:xds:2013:referral"
ENCOUNTER = "urn:ihe:iti:xds:2015:encounterId"
WORKFLOW = "urn:ihe:iti:xdw:2013:workflowInstanceId"
DOCUMENT = "urn:ihe:iti:xds:2013:uniqueId"

# rules, type, good texts, bad texts
TABLE: list[tuple[list[str], type[Value], list[str], list[str]]] = [
    (
        ["MD-083"],
        CX,
        ["A-1^^^&1.2.40&ISO", "ä b^^^&1.2&ISO", r"a\S\b^^^&1.2&ISO", r"\E\T\E\^^^&1.2&ISO"],
        [
            "",
            "A-1",
            "^^^&1.2&ISO",
            "A-1^^^1.2",
            "A-1^^^&1.2",
            "A-1^^^&1.2&DNS",
            "A-1^^^&x&ISO",
            "A-1^^^&1.02&ISO",
            "A-1^^^NS&1.2&ISO",
            "A-1^1^^&1.2&ISO",
            "A-1^^M10^&1.2&ISO",
            "A-1^^^&1.2&ISO^PI",
            "A-1^^^&1.2&ISO^",
            r"A\H\1^^^&1.2&ISO",
            r"A\1^^^&1.2&ISO",
            r"A\Z01\^^^&1.2&ISO",
        ],
    ),
    (
        ["MD-084", "MD-085", "MD-086"],
        CXi,
        [
            f"2013001^^^&1.2.3.4.5.6&ISO^{ACCESSION}",
            f"2013001^^^^{ACCESSION}",
            f"1.2.3.45.678^^^^{STUDY}",
            f"ext^^^&1.2.3&ISO^{DOCUMENT}",
            f"1.2.3^^^^{WORKFLOW}",
            f"o1^^^&1.2&ISO^{ORDER}",
            f"r1^^^NAMESPACE^{REFERRAL}",
            f"e1^^^NS&1.2&ISO^{ENCOUNTER}",
            "x^^^^urn:example:local",
        ],
        [
            "",
            "2013001",
            "2013001^^^&1.2&ISO",
            f"^^^&1.2&ISO^{ACCESSION}",
            "2013001^^^&1.2&ISO^",
            f"2013001^1^^&1.2&ISO^{ACCESSION}",
            f"2013001^^1^&1.2&ISO^{ACCESSION}",
            f"2013001^^^&1.2&ISO^{ACCESSION}^more",
            f"2013001^^^&x&ISO^{ACCESSION}",
            f"2013001^^^&1.2&DNS^{ACCESSION}",
            f"o1^^^^{ORDER}",
            f"r1^^^^{REFERRAL}",
            f"e1^^^^{ENCOUNTER}",
            f"1.2.3^^^&1.2&ISO^{STUDY}",
            f"1.2.3^^^&1.2&ISO^{WORKFLOW}",
        ],
    ),
    (
        ["MD-087"],
        DTM,
        ["2024", "202402", "20240229", "2024022923", "202402292359", "20240229235959"],
        [
            "",
            "24",
            "202",
            "20241",
            "202413",
            "202400",
            "20240230",
            "20230229",
            "20240100",
            "2024010124",
            "202401012360",
            "20240101235960",
            "202401012359591",
            "20240101235959+0100",
            "20240101T1200",
            "20240101 ",
            "2024-01-01",
            "20240101120000.5",
            "٢٠٢٤",
            "2024\n",
        ],
    ),
    (
        ["MD-088"],
        Identifier,
        ["1", "1.2.3^x", "urn:uuid:x", "http://example.org/?a='b'", "../../x", "x" * 256],
        ["", "x" * 257, "a\nb", "a\x7f", "a\x00"],
    ),
    (
        ["MD-089", "MD-077"],
        OID,
        ["1.2", "0.9.2342", "2.25.0", LONG_OID],
        [
            "",
            "1",
            "1.",
            ".1",
            "1..2",
            "1.02",
            "01.2",
            "1.2.x",
            " 1.2",
            "urn:oid:1.2",
            LONG_OID + "2",
            "1.2\n",
        ],
    ),
    (
        ["MD-090", "MD-077"],
        HomeCommunityId,
        ["urn:oid:1.2.3", f"urn:oid:{LONG_OID}"],
        ["", "1.2.3", "urn:oid:", "urn:oid:1.02", "URN:OID:1.2", f"urn:oid:{LONG_OID}2"],
    ),
    (
        ["MD-092"],
        SHA1,
        [HASH, HASH.upper()],
        ["", HASH[1:], HASH + "0", HASH[1:] + "g", f" {HASH}"],
    ),
    (["MD-093"], Size, ["0", "1", "007", "9" * 18], ["", "-1", "+1", "1.0", " 1", "1e3", "٣"]),
    (
        [],
        Language,
        ["en", "de-AT", "zh-Hant-TW", "x-klingon"],
        ["", "de_AT", "abcdefghi", "de-", "-", "de-abcdefghi", "1e"],
    ),
    (
        ["MD-096", "MD-165"],
        XCN,
        [
            "^Muster^Max",
            "7^Muster^Max^^^Dr.^^^&1.2.40&ISO",
            "7",
            "7^Muster^^^^^^^NS",
            "^Imaging Software",
            "^Muster^Max^^^^^^^^^^",
        ],
        ["", "^", "^^Max", "^&prefix^Max", "7^Muster^^^^^^^&x&ISO", "7^^^^^^^^&1.2&DNS"],
    ),
    (
        ["MD-097"],
        XON,
        ["Clinic", "Clinic^^^^^^^^^1.2.3", "Clinic^^^^^&1.2&ISO^^^^45", "Clinic^^^^^^^^^"],
        [
            "",
            "^^^^^^^^^1.2.3",
            "Clinic^^^^^^^^^45",
            "Clinic^^^^^&x&ISO^^^^45",
            "Clinic^^^^^&1.2&DNS^^^^4",
        ],
    ),
    (
        ["MD-098"],
        XTN,
        [
            "^^Internet^a@example.org",
            "^NET^Internet^a@b",
            "^^PH^^43^1^5550100",
            "^PRN^PH^^^^5550100^1",
        ],
        [
            "",
            "a@example.org",
            "^^Internet^example.org",
            "^PRN^Internet^a@b",
            "^^^^^^5550100",
            "^^PH",
        ],
    ),
    (
        ["MD-144"],
        Recipient,
        [
            "Clinic",
            "|^Muster^Max",
            "||^^Internet^a@b",
            "Clinic|^Muster|^^Internet^a@b",
            "Clinic||",
            "|7|",
        ],
        ["", "|", "||", "^^|", "|^|", "||a@b", "Clinic|^Muster|^^Internet^a@b|x"],
    ),
    (
        ["MD-099"],
        Field,
        ["PID-3|A^^^&1.2&ISO", "PID-5|Muster^Max", "PID-8|F", "PID-11|"],
        ["", "PID-|x", "PID-5", "PV1-3|x", "pid-5|x", "PID-5 |x"],
    ),
    (
        ["MD-044"],
        Availability,
        [
            "urn:ihe:iti:2010:DocumentAvailability:Online",
            "urn:ihe:iti:2010:DocumentAvailability:Offline",
        ],
        ["", "Online", "urn:ihe:iti:2010:DocumentAvailability:online"],
    ),
]
ROWS = [
    pytest.param(
        kind, text, is_good, marks=pytest.mark.proves(*rules), id=f"{kind.__name__} {text[:40]!r}"
    )
    for rules, kind, good, bad in TABLE
    for texts, is_good in ((good, True), (bad, False))
    for text in texts
]


@pytest.mark.parametrize(("kind", "text", "is_good"), ROWS)
def test_problem(kind: type[Value], text: str, is_good: bool) -> None:
    value = kind(text)
    if is_good:
        assert value.problem is None
        assert kind.parse(text) == value
    else:
        assert value.problem is not None
        assert value.problem.startswith("expected ")
        with pytest.raises(ValueError, match="expected"):
            kind.parse(text)


def test_table_covers_every_type() -> None:
    assert {kind.__name__ for _, kind, _, _ in TABLE} == set(VALUE_TYPES)


@pytest.mark.parametrize("kind", list(VALUE_TYPES.values()), ids=list(VALUE_TYPES))
@given(text=st.text(max_size=300))
def test_any_text_is_kept_and_judged_without_error(kind: type[Value], text: str) -> None:
    value = kind(text)
    assert str(value) == value.text == text
    assert value.problem is None or value.problem.startswith(f"expected {kind.expected}")


@pytest.mark.proves("SEC-T-112")
@pytest.mark.parametrize(
    ("kind", "good"), [(row[1], row[2][0]) for row in TABLE], ids=[row[1].__name__ for row in TABLE]
)
def test_control_characters_are_refused(kind: type[Value], good: str) -> None:
    bad = kind(f"{good}\n").problem
    assert (bad is None) is (kind is Field)


@pytest.mark.proves("MD-066", "MD-091")
@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("urn:uuid:a6e06ca8-0c75-4064-9e5c-88b9045a96f6", True),
        ("urn:uuid:A6E06CA8-0C75-4064-9E5C-88B9045A96F6", False),
        ("a6e06ca8-0c75-4064-9e5c-88b9045a96f6", False),
        ("URN:UUID:a6e06ca8-0c75-4064-9e5c-88b9045a96f6", False),
        ("urn:uuid:a6e06ca80c7540649e5c88b9045a96f6", False),
        ("urn:uuid:a6e06ca8-0c75-4064-9e5c-88b9045a96f6 ", False),
        ("", False),
    ],
)
def test_uuid(text: str, is_good: bool) -> None:
    assert is_uuid(text) is is_good


@pytest.mark.proves("MD-092")
def test_hashes_compare_in_lower_case() -> None:
    assert SHA1(HASH.upper()).lower == HASH


@pytest.mark.parametrize(
    ("text", "earliest"),
    [
        ("2024", "20240101000000"),
        ("202403", "20240301000000"),
        ("20240305", "20240305000000"),
        ("2024030507", "20240305070000"),
        ("202403050708", "20240305070800"),
        ("20240305070809", "20240305070809"),
    ],
)
def test_earliest_instant(text: str, earliest: str) -> None:
    assert DTM(text).earliest == earliest


@pytest.mark.proves("MD-087")
def test_time_of_a_moment_is_in_utc() -> None:
    vienna = timezone(timedelta(hours=1))
    assert DTM.of(datetime(2024, 1, 1, 0, 30, 15, 999, vienna)) == DTM("20231231233015")
    assert DTM.of(datetime(2024, 1, 1, tzinfo=UTC)) == DTM("20240101000000")


@given(st.datetimes(min_value=datetime(1000, 1, 1)))
def test_every_moment_makes_a_good_time(moment: datetime) -> None:
    assert DTM.of(moment.replace(tzinfo=UTC)).problem is None


@pytest.mark.parametrize(
    "text",
    [
        "http://h",
        "HTTPS://h.example./x",
        "http://127.0.0.1:8080/",
        "http://[::1]:80/x",
        "http://ä.b/",
    ],
)
def test_an_address_can_be_asked(text: str) -> None:
    assert is_address(text) and is_base(text)
    assert is_address(f"{text}?x=1") and not is_base(f"{text}?x=1") and not is_base(f"{text}#x")


@pytest.mark.parametrize(
    "text",
    [
        *("", "none", "h", "ftp://h/", "http:///x", "http://u@h/", "http://u:p@h/", "http://@h/"),
        *("http://h:0/", "http://h:99999/", "http://h:x/", "http://[::1", "http://[::1]x/"),
        *("http://a..b/", f"http://{'a' * 64}.b/", "http://h h/", " http://h/", "http://h/\n"),
    ],
)
def test_what_cannot_be_asked_is_no_address(text: str) -> None:
    assert not is_address(text) and not is_base(text)


def test_parts() -> None:
    assert (CX("A-1^^^&1.2&ISO").id, CX("A-1^^^&1.2&ISO").authority) == ("A-1", "1.2")
    assert (CXi(f"1.2^^^^{STUDY}").id, CXi(f"1.2^^^^{STUDY}").type) == ("1.2", STUDY)
    assert Field("PID-5|Muster^Max").field == "PID-5"
    assert int(Size("007")) == 7
