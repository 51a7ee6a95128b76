"""ProvideAndRegisterDocumentSetRequest and its documents."""

from collections.abc import Mapping

import pytest
from lxml import etree

from tests import bodies, samples
from tests.samples import MemoryStaged
from xdsi.model.errors import SoapFault
from xdsi.model.messages import ProvideRequest
from xdsi.model.objects import Slot
from xdsi.standard.namespaces import LCM, RIM, XDS, XOP
from xdsi.wire import provide
from xdsi.wire.body import Attachment

PART = samples.staged(b"one")
OTHER = samples.staged(b"two")


def message(*documents: str, entries: int = 1) -> str:
    objects = "".join(
        f'<r:ExtrinsicObject id="D{number}" objectType="x"/>' for number in range(1, entries + 1)
    )
    return (
        f'<ProvideAndRegisterDocumentSetRequest xmlns="{XDS}" xmlns:r="{RIM}" xmlns:x="{XOP}">'
        f'<l:SubmitObjectsRequest xmlns:l="{LCM}"><r:RegistryObjectList>{objects}'
        f"</r:RegistryObjectList></l:SubmitObjectsRequest>{''.join(documents)}"
        "</ProvideAndRegisterDocumentSetRequest>"
    )


def read(text: str, parts: Mapping[str, MemoryStaged]) -> ProvideRequest:
    return provide.provide_from_xml(etree.fromstring(text), parts)


def document(id_: str, inner: str) -> str:
    return f'<Document id="{id_}">{inner}</Document>'


def include(href: str) -> str:
    return f'<x:Include href="{href}"/>'


@pytest.mark.proves("REG-002", "REG-003", "WS-015")
def test_submission_then_documents_by_entry_id(schema: etree.XMLSchema) -> None:
    request = samples.provide(b"one", b"", b"three" * 50_000, as_source=True)
    body = provide.provide_to_xml(request)
    schema.assertValid(bodies.inline(body))
    first, *documents = bodies.inline(body)
    assert first.tag == f"{{{LCM}}}SubmitObjectsRequest"
    assert [one.get("id") for one in documents] == [
        entry.entry_uuid for entry in request.submission.entries
    ]
    assert {one.tag for one in documents} == {f"{{{XDS}}}Document"}


@pytest.mark.proves("WS-054")
def test_only_octets_of_documents_travel_as_parts() -> None:
    """What is base64 by chance, with its white space, stays text to the letter."""
    text = "QUJD\n REVG\r="
    extra = (Slot("urn:example:signature", (text,)),)
    request = samples.provide(b"ABC", as_source=True, extra=extra)
    body = provide.provide_to_xml(request)
    assert [bodies.octets(each) for each in body if isinstance(each, Attachment)] == [b"ABC"]
    element, parts = bodies.attached(body)
    assert len(list(element.iter(f"{{{XOP}}}Include"))) == len(parts) == 1
    (entry,) = provide.provide_from_xml(element, parts).submission.entries
    assert entry.extra == extra


def test_request_comes_back() -> None:
    request = samples.provide(b"one", b"two")
    element, parts = bodies.attached(provide.provide_to_xml(request))
    found = provide.provide_from_xml(element, parts)
    assert found == request


def test_attachment_tells_the_type_of_its_entry() -> None:
    body = provide.provide_to_xml(samples.provide(mime_type="application/pdf"))
    assert [one.mime_type for one in body if isinstance(one, Attachment)] == ["application/pdf"]


@pytest.mark.proves("REG-011")
def test_submission_without_document() -> None:
    assert read(message(entries=0), {}).documents == ()


@pytest.mark.parametrize(
    ("href", "cid"),
    [
        pytest.param("cid:a@b", "a@b", id="plain"),
        pytest.param("CID:a@b", "a@b", id="scheme in capitals"),
        pytest.param("cid:a%40b", "a@b", id="percent-encoded"),
        pytest.param("cid:a%2540b", "a%40b", id="decoded once only"),
        pytest.param("cid:%C3%A4", "ä", id="UTF-8"),
        pytest.param("cid:../../etc", "../../etc", id="path parts are text"),
        pytest.param(" cid:a@b ", "a@b", id="blanks around"),
    ],
)
@pytest.mark.proves("RET-061", "SEC-T-094")
def test_include_names_its_part(href: str, cid: str) -> None:
    found = read(message(document("D1", include(href))), {cid: PART})
    assert [(one.id, one.content) for one in found.documents] == [("D1", PART)]
    assert found.strays == ()


def test_white_space_and_comments_around_an_include_are_nothing() -> None:
    inner = f"\n <!-- here --> {include('cid:1')}\n"
    assert len(read(message(document("D1", inner)), {"1": PART}).documents) == 1


FAULTS = [
    pytest.param([document("D1", include("http://127.0.0.1/x"))], "cid:", id="http"),
    pytest.param([document("D1", include("file:///etc/passwd"))], "cid:", id="file"),
    pytest.param([document("D1", include(""))], "cid:", id="empty href"),
    pytest.param([document("D1", "<x:Include/>")], "cid:", id="no href"),
    pytest.param([document("D1", include("cid:"))], "cid:", id="empty cid"),
    pytest.param([document("D1", "AA==" + include("cid:1"))], "beside", id="text before"),
    pytest.param([document("D1", include("cid:1") + "AA==")], "beside", id="text behind"),
    pytest.param([document("D1", include("cid:1") + include("cid:2"))], "beside", id="two"),
    pytest.param([document("D1", include("cid:1") + "<b/>")], "beside", id="sibling element"),
    pytest.param([document("D1", "<b/>")], "another element", id="another element"),
    pytest.param(
        [document("D1", include("cid:1")), document("D2", include("cid:1"))],
        "same part",
        id="one part twice",
    ),
    pytest.param([document("Dx", include("cid:9"))], "not in the message", id="dangling, no entry"),
    pytest.param([document("D1", "AA==")], "text", id="text left in the envelope"),
    pytest.param(["<Other/>"], "must not hold Other", id="foreign child"),
]


@pytest.mark.proves("SEC-T-094", "WS-080")
@pytest.mark.parametrize(("documents", "reason"), FAULTS)
def test_broken_reference_is_a_sender_fault(documents: list[str], reason: str) -> None:
    with pytest.raises(SoapFault, match=reason) as found:
        read(message(*documents, entries=2), {"1": PART, "2": OTHER})
    assert found.value.code == "Sender"


@pytest.mark.proves("SEC-T-094")
def test_entry_whose_bytes_are_missing_has_no_document() -> None:
    """So the repository answers XDSMissingDocument."""
    assert read(message(document("D1", include("cid:gone"))), {}).documents == ()


@pytest.mark.parametrize("inner", ["", " \n "], ids=["empty", "blank"])
@pytest.mark.proves("REG-004")
def test_an_empty_element_is_a_document_of_no_octets(inner: str) -> None:
    (one,) = read(message(document("D1", inner)), {}).documents
    assert (one.id, one.content.size, one.content.open().read(1)) == ("D1", 0, b"")


def test_parts_that_no_document_names_are_strays() -> None:
    found = read(message(document("D1", include("cid:1"))), {"0": OTHER, "1": PART, "2": OTHER})
    assert found.strays == ("0", "2")


def test_document_of_no_entry_is_kept_for_the_repository_to_refuse() -> None:
    found = read(message(document("Dx", include("cid:1"))), {"1": PART})
    assert [one.id for one in found.documents] == ["Dx"]


def test_without_submission_is_a_fault() -> None:
    with pytest.raises(SoapFault, match="no SubmitObjectsRequest"):
        read(f'<ProvideAndRegisterDocumentSetRequest xmlns="{XDS}"/>', {})
