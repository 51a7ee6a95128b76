"""WADO-RS across communities: what a Retrieve URL may say."""

import pytest

from xdsi.actors.gateway.xcwado import WebSource
from xdsi.model.web import WebAnswer

BASE = "https://pacs.example/dicom-web"


@pytest.mark.proves("IMG-163", "IMG-171")
@pytest.mark.parametrize(
    ("url", "is_its_own"),
    [
        (BASE, True),
        ("PACS.example/dicom-web/", True),
        (f"{BASE}/studies/1.2.3", True),
        (f"{BASE}/studies/1.2.3/series/1.2.3.4", True),
        ("", True),
        ("https://pacs.example/other", False),
        ("https://pacs.example.evil/dicom-web", False),
        ("https://evil.example/dicom-web/studies/1.2.3", False),
        (f"https://evil.example/{BASE}", False),
    ],
)
def test_a_retrieve_url_is_one_of_the_source(url: str, is_its_own: bool) -> None:
    source = WebSource(lambda request, call: WebAnswer(404, "text/plain"), (BASE,))
    assert source.is_at(url) == is_its_own
