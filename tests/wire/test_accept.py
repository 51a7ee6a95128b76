"""Accept headers as clients write them."""

import pytest

from xdsi.wire.accept import accepted, covers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ["*/*"]),
        ("  ", ["*/*"]),
        ("image/png", ["image/png"]),
        ("image/png;q=0.2, image/gif, image/jpeg; q=0.9", ["image/gif", "image/jpeg", "image/png"]),
        ("text/html;q=0, image/png", ["image/png"]),
        ("text/html;q=0", []),
        ("nonsense, image/png;q=x, IMAGE/Gif", ["image/gif"]),
        ("a/b;q=nan, c/d;q=-1, e/f;q=2", []),
        (
            'multipart/related; type="application/dicom"; transfer-syntax=*;q=0.5, a/b;x="1,2"',
            ['a/b; x="1,2"', 'multipart/related; type="application/dicom"; transfer-syntax="*"'],
        ),
        ('a/b;x="' + "," * 60_000, []),
    ],
)
def test_most_wanted_first(value, expected):
    assert [str(each) for each in accepted(value)] == expected


@pytest.mark.parametrize(
    ("range_", "kind", "is_held"),
    [
        ("*/*", "image/png", True),
        ("image/*", "image/png", True),
        ("image/png", "image/png", True),
        ("image/png", "image/gif", False),
        ("text/*", "image/png", False),
    ],
)
def test_ranges(range_, kind, is_held):
    assert covers(range_, kind) == is_held
