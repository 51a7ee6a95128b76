"""RetrieveRenderedImagingDocumentSetRequest and -Response."""

from decimal import Decimal

import pytest
from lxml import etree

from tests import bodies, samples
from xdsi.model.errors import SoapFault, XDSDocumentUniqueIdError, XDSWarning
from xdsi.model.imaging import (
    InstanceRequest,
    RenderedAnswer,
    RenderedDocument,
    RenderedInstance,
    RenderedRequest,
)
from xdsi.model.messages import DocumentRequest
from xdsi.standard import urns, wado
from xdsi.standard.namespaces import WADO_WS, XDS
from xdsi.wire import renderedretrieve

PLAIN = RenderedInstance(
    InstanceRequest("1.2.1", "1.2.1.1", DocumentRequest("1.2.8", "1.2.1.1.1")), ("image/jpeg",)
)
FULL = RenderedInstance(
    InstanceRequest("1.2.1", "1.2.1.2", DocumentRequest("1.2.8", "1.2.1.2.1", "urn:oid:1.2.9")),
    ("image/png", "image/jpeg"),
    annotation="patient",
    rows=64,
    columns=32,
    region=(Decimal(0), Decimal("0.25"), Decimal("0.5"), Decimal(1)),
    window_width=Decimal("400.5"),
    window_center=Decimal(-40),
    image_quality=90,
    presentation_uid="1.2.7",
    presentation_series_uid="1.2.7.1",
    anonymize="yes",
    frame=3,
)
REQUEST = RenderedRequest((PLAIN, FULL))
ANSWER = RenderedAnswer(
    (
        RenderedDocument(PLAIN, "image/jpeg", samples.content(b"one")),
        RenderedDocument(FULL, "image/png", samples.content(b"\x00\xff")),
    ),
    (XDSDocumentUniqueIdError("1.9", location="1.9"),),
)


def written(request: RenderedRequest = REQUEST) -> str:
    return etree.tostring(bodies.inline(renderedretrieve.rendered_to_xml(request))).decode()


def read(text: str) -> RenderedRequest:
    return renderedretrieve.rendered_from_xml(etree.fromstring(text), {})


@pytest.mark.proves("IMG-180", "IMG-182")
def test_request_comes_back() -> None:
    assert read(written()) == REQUEST


@pytest.mark.proves("IMG-182")
def test_request_of_another_product_is_read() -> None:
    """Its spelling: prefixes of its own, a list of character sets, elements left empty."""
    text = (
        f'<w:RetrieveRenderedImagingDocumentSetRequest xmlns:w="{WADO_WS}" xmlns:x="{XDS}">'
        '<w:StudyRequest studyInstanceUID="1.2.1"><w:SeriesRequest seriesInstanceUID="1.2.1.1">'
        "<w:RenderedDocumentRequest><x:RepositoryUniqueId>1.2.8</x:RepositoryUniqueId>"
        "<x:DocumentUniqueId>1.2.1.1.1</x:DocumentUniqueId><w:Rows/>"
        "<w:ContentTypeList><w:ContentType> image/jpeg </w:ContentType></w:ContentTypeList>"
        "<w:CharsetList><w:Charset>UTF-8</w:Charset></w:CharsetList>"
        "</w:RenderedDocumentRequest></w:SeriesRequest></w:StudyRequest>"
        "</w:RetrieveRenderedImagingDocumentSetRequest>"
    )
    assert read(text) == RenderedRequest((PLAIN,))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("wado:ContentTypeList", "wado:Other", "must not hold Other"),
        ("<wado:ContentType>image/jpeg</wado:ContentType>", "", "no ContentType"),
        (' studyInstanceUID="1.2.1"', "", "no attribute studyInstanceUID"),
    ],
)
def test_wrong_frame_is_a_sender_fault(old: str, new: str, reason: str) -> None:
    text = written(RenderedRequest((PLAIN,)))
    assert old in text
    with pytest.raises(SoapFault, match=reason):
        read(text.replace(old, new))


@pytest.mark.proves("IMG-182")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">64<", ">many<"),
        (">32<", ">0<"),
        (">3<", ">1e3<"),
        (">400.5<", ">NaN<"),
        (">-40<", ">1e99999999999999999999<"),
        (">0,0.25,0.5,1<", ">0,0.25,0.5<"),
        (">0,0.25,0.5,1<", ">0.5,0.25,0.5,1<"),
        (">0,0.25,0.5,1<", ">0,0.25,0.5,2<"),
    ],
)
def test_wrong_parameter_is_told_with_the_code_of_dicom(old: str, new: str) -> None:
    text = written()
    assert old in text
    with pytest.raises(ExceptionGroup) as found:
        read(text.replace(old, new))
    (error,) = found.value.exceptions
    assert (error.code, error.location) == (wado.BAD_PARAMETER, "1.2.1.2.1")  # type: ignore[attr-defined]


@pytest.mark.proves("IMG-113")
def test_empty_ids_and_wrong_parameters_are_told_together() -> None:
    text = written().replace(">64<", "><").replace(">32<", ">x<").replace('"1.2.1"', '""')
    with pytest.raises(ExceptionGroup) as found:
        read(text)
    assert [each.what for each in found.value.exceptions] == [  # type: ignore[attr-defined]
        "Columns",
        "StudyRequest/@studyInstanceUID",
        "StudyRequest/@studyInstanceUID",
    ]


@pytest.mark.proves("IMG-183")
def test_answer_repeats_ids_and_parameters() -> None:
    element = bodies.inline(renderedretrieve.answer_to_xml(ANSWER))
    response, first, second = element
    assert response.get("status") == urns.PARTIAL_SUCCESS
    assert [etree.QName(child).localname for child in first] == [
        "RepositoryUniqueId",
        "SourceDocumentUniqueId",
        "mimeType",
        "Document",
    ]
    assert [(etree.QName(child).localname, child.text) for child in second] == [
        ("HomeCommunityId", "urn:oid:1.2.9"),
        ("RepositoryUniqueId", "1.2.8"),
        ("SourceDocumentUniqueId", "1.2.1.2.1"),
        ("Annotation", "patient"),
        ("Rows", "64"),
        ("Columns", "32"),
        ("Region", "0,0.25,0.5,1"),
        ("WindowWidth", "400.5"),
        ("WindowCenter", "-40"),
        ("ImageQuality", "90"),
        ("PresentationUID", "1.2.7"),
        ("PresentationSeriesUID", "1.2.7.1"),
        ("Anonymize", "yes"),
        ("FrameNumber", "3"),
        ("mimeType", "image/png"),
        ("Document", "AP8="),
    ]


@pytest.mark.proves("IMG-183")
@pytest.mark.parametrize("way", ["attached", "inline"])
def test_answer_comes_back_either_way(way: str) -> None:
    body = renderedretrieve.answer_to_xml(ANSWER)
    element, parts = bodies.attached(body) if way == "attached" else (bodies.inline(body), {})
    found = renderedretrieve.answer_from_xml(element, parts)
    assert [each.code for each in found.errors] == ["XDSDocumentUniqueIdError"]
    for one, sent in zip(found.documents, ANSWER.documents, strict=True):
        assert one.mime_type == sent.mime_type
        assert one.request.instance.document == sent.request.instance.document
        assert one.request.region == sent.request.region
        assert one.request.frame == sent.request.frame
        assert one.content.open().read(9) == sent.content.open().read(9)


def test_status_of_a_failure_and_of_a_remark() -> None:
    assert renderedretrieve.failure(ANSWER.errors).status == urns.FAILURE
    warned = RenderedAnswer(ANSWER.documents, (XDSWarning("late", location="1.2"),))
    assert warned.status == urns.SUCCESS
