"""RetrieveDocumentSetRequest and RetrieveDocumentSetResponse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import bodies, samples, strategies
from xdsi.model.errors import SoapFault, XDSDocumentUniqueIdError, XDSWarning
from xdsi.model.messages import (
    DocumentRequest,
    RetrieveAnswer,
    RetrievedDocument,
    RetrieveRequest,
)
from xdsi.standard import urns
from xdsi.standard.namespaces import RS, XDS, XOP
from xdsi.wire import retrieve

texts = strategies.texts(min_size=1).map(str.strip).filter(bool)
requests = st.builds(
    RetrieveRequest,
    st.lists(
        st.builds(DocumentRequest, texts, texts, st.none() | texts), min_size=1, max_size=4
    ).map(tuple),
)
ONE = DocumentRequest("1.2.3", "2.25.1")
AT_HOME = DocumentRequest("1.2.3", "2.25.2", "urn:oid:1.2.4")


def read(text: str) -> RetrieveRequest:
    return retrieve.retrieve_from_xml(etree.fromstring(text), {})


def request(inner: str) -> str:
    return f'<RetrieveDocumentSetRequest xmlns="{XDS}">{inner}</RetrieveDocumentSetRequest>'


@pytest.mark.proves("RET-003", "WS-017")
@given(requests)
@settings(max_examples=60, deadline=None)
def test_request_comes_back(schema: etree.XMLSchema, one: RetrieveRequest) -> None:
    element = bodies.inline(retrieve.retrieve_to_xml(one))
    schema.assertValid(element)
    assert retrieve.retrieve_from_xml(element, {}) == one


@pytest.mark.proves("RET-004")
def test_children_of_a_request_in_schema_order() -> None:
    (asked,) = bodies.inline(retrieve.retrieve_to_xml(RetrieveRequest((AT_HOME,))))
    assert [etree.QName(child).localname for child in asked] == [
        "HomeCommunityId",
        "RepositoryUniqueId",
        "DocumentUniqueId",
    ]


def test_children_are_read_in_any_order_and_trimmed() -> None:
    text = request(
        "<DocumentRequest><!-- c --><DocumentUniqueId>\n 2.25.1 </DocumentUniqueId>"
        "<HomeCommunityId/><RepositoryUniqueId>1.2.3</RepositoryUniqueId></DocumentRequest>"
    )
    assert read(text).documents == (ONE,)


REPOSITORY = "<RepositoryUniqueId>1</RepositoryUniqueId>"
DOCUMENT_ID = "<DocumentUniqueId>2</DocumentUniqueId>"
IDS = REPOSITORY + DOCUMENT_ID


@pytest.mark.proves("WS-080")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(request(""), "without DocumentRequest", id="empty"),
        pytest.param(
            request(f"<DocumentRequest>{REPOSITORY}</DocumentRequest>"),
            "needs",
            id="no document id",
        ),
        pytest.param(
            request(f"<DocumentRequest>{DOCUMENT_ID}</DocumentRequest>"),
            "needs",
            id="no repository",
        ),
        pytest.param(
            request(f"<DocumentRequest>{IDS}</DocumentRequest><x/>"), "not hold x", id="foreign"
        ),
        pytest.param("<x/>", "expected", id="another element"),
    ],
)
def test_wrong_frame_is_a_sender_fault(text: str, reason: str) -> None:
    with pytest.raises(SoapFault, match=reason) as found:
        read(text)
    assert found.value.code == "Sender"


ANSWER = RetrieveAnswer(
    (
        RetrievedDocument(ONE, "text/plain", samples.content(b"one")),
        RetrievedDocument(AT_HOME, "application/pdf", samples.content(b"\x00\xff"), "1.2.9", "9"),
    ),
    (
        XDSDocumentUniqueIdError("2.25.3", location="2.25.3"),
        XDSWarning("late", location="2.25.1"),
    ),
)


@pytest.mark.proves("RET-010", "RET-011", "RET-012", "RET-013", "RET-014", "RET-016")
def test_answer_has_response_then_documents(schema: etree.XMLSchema) -> None:
    element = bodies.inline(retrieve.answer_to_xml(ANSWER))
    schema.assertValid(element)
    response, first, second = element
    assert response.tag == f"{{{RS}}}RegistryResponse"
    assert response.get("requestId") is None
    assert [etree.QName(child).localname for child in first] == [
        "RepositoryUniqueId",
        "DocumentUniqueId",
        "mimeType",
        "Document",
    ]
    assert [(etree.QName(child).localname, child.text) for child in second] == [
        ("HomeCommunityId", "urn:oid:1.2.4"),
        ("RepositoryUniqueId", "1.2.3"),
        ("DocumentUniqueId", "2.25.2"),
        ("NewRepositoryUniqueId", "1.2.9"),
        ("NewDocumentUniqueId", "9"),
        ("mimeType", "application/pdf"),
        ("Document", "AP8="),
    ]


@pytest.mark.proves("RET-018", "RET-019")
def test_errors_name_their_document() -> None:
    element = bodies.inline(retrieve.answer_to_xml(ANSWER))
    found = {
        (one.get("location"), one.get("severity")) for one in element.iter(f"{{{RS}}}RegistryError")
    }
    assert found == {("2.25.3", urns.SEVERITY_ERROR), ("2.25.1", urns.SEVERITY_WARNING)}


@pytest.mark.proves("RET-019")
def test_every_missing_document_is_told() -> None:
    """Unlike findings of a submission, errors here are matched to documents one by one."""
    found = tuple(XDSDocumentUniqueIdError(str(n), location=str(n)) for n in range(1000))
    element = bodies.inline(retrieve.answer_to_xml(retrieve.failure(found)))
    assert len(list(element.iter(f"{{{RS}}}RegistryError"))) == 1000


@pytest.mark.proves("RET-017", "IMG-094")
@pytest.mark.parametrize(
    ("documents", "errors", "status"),
    [
        (ANSWER.documents, (), urns.SUCCESS),
        (ANSWER.documents, ANSWER.errors[1:], urns.SUCCESS),
        (ANSWER.documents, ANSWER.errors, urns.PARTIAL_SUCCESS),
        ((), ANSWER.errors, urns.FAILURE),
    ],
    ids=["all", "all with a remark", "some", "none"],
)
def test_status(
    schema: etree.XMLSchema,
    documents: tuple[RetrievedDocument, ...],
    errors: tuple[XDSDocumentUniqueIdError, ...],
    status: str,
) -> None:
    element = bodies.inline(retrieve.answer_to_xml(RetrieveAnswer(documents, errors)))
    schema.assertValid(element)
    assert element[0].get("status") == status
    assert retrieve.answer_from_xml(element, {}).status == status


@pytest.mark.proves("RET-015")
@pytest.mark.parametrize("way", ["attached", "inline"])
def test_answer_comes_back_either_way(way: str) -> None:
    body = retrieve.answer_to_xml(ANSWER)
    element, parts = bodies.attached(body) if way == "attached" else (bodies.inline(body), {})
    found = retrieve.answer_from_xml(element, parts)
    for one, sent in zip(found.documents, ANSWER.documents, strict=True):
        assert (one.request, one.mime_type) == (sent.request, sent.mime_type)
        assert one.new_document_unique_id == sent.new_document_unique_id
        assert one.new_repository_unique_id == sent.new_repository_unique_id
        assert one.content.size == sent.content.size
        assert one.content.open().read(99) == sent.content.open().read(99)
    assert [each.code for each in found.errors] == ["XDSDocumentUniqueIdError", "XDSWarning"]


def response(document: str) -> etree._Element:
    return etree.fromstring(
        f'<RetrieveDocumentSetResponse xmlns="{XDS}" xmlns:x="{XOP}">'
        f'<r:RegistryResponse xmlns:r="{RS}" status="{urns.SUCCESS}"/>'
        f"<DocumentResponse>{IDS}<mimeType>text/plain</mimeType>{document}</DocumentResponse>"
        "</RetrieveDocumentSetResponse>"
    )


def test_inline_base64_may_be_wrapped() -> None:
    (one,) = retrieve.answer_from_xml(response("<Document>b25\n l</Document>"), {}).documents
    assert one.content.open().read(9) == b"one"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("<Document>b2</Document>", "base64"),
        ("<Document>b25=l</Document>", "base64"),
        ("<Document>ä</Document>", "base64"),
        ('<Document><x:Include href="cid:9"/></Document>', "not in the message"),
        ("", "no Document"),
    ],
    ids=["short", "padding inside", "foreign letter", "part missing", "no document"],
)
def test_broken_document_is_refused(document: str, reason: str) -> None:
    with pytest.raises(SoapFault, match=reason):
        retrieve.answer_from_xml(response(document), {})
