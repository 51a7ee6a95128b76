"""RetrieveImagingDocumentSetRequest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import bodies, strategies
from xdsi.model.errors import SoapFault, XDSRepositoryError
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.standard.namespaces import RAD, XDS
from xdsi.wire import imagingretrieve

texts = strategies.texts(min_size=1).map(str.strip).filter(bool)
documents = st.builds(DocumentRequest, texts, texts, st.none() | texts)
uids = st.sampled_from(["1.2.3", "1.2.4", "1.2.5"])
requests = st.builds(
    ImagingRequest,
    st.lists(st.builds(InstanceRequest, uids, uids, documents), min_size=1, max_size=6).map(tuple),
    st.lists(texts, min_size=1, max_size=3).map(tuple),
)
IDS = (
    "<x:RepositoryUniqueId>1.2.3.800</x:RepositoryUniqueId>"
    "<x:DocumentUniqueId>1.2.3.1.1.7</x:DocumentUniqueId>"
)
DOCUMENT = f"<x:DocumentRequest>{IDS}</x:DocumentRequest>"
SERIES = f'<SeriesRequest seriesInstanceUID="1.2.3.1.1">{DOCUMENT}</SeriesRequest>'
STUDY = f'<StudyRequest studyInstanceUID="1.2.3.1">{SERIES}</StudyRequest>'
LIST = "<TransferSyntaxUIDList><TransferSyntaxUID>1.2</TransferSyntaxUID></TransferSyntaxUIDList>"
GOOD = STUDY + LIST
ASKED = ImagingRequest(
    (InstanceRequest("1.2.3.1", "1.2.3.1.1", DocumentRequest("1.2.3.800", "1.2.3.1.1.7")),),
    ("1.2",),
)


def read(inner: str) -> ImagingRequest:
    text = (
        f'<RetrieveImagingDocumentSetRequest xmlns="{RAD}" xmlns:x="{XDS}">'
        f"{inner}</RetrieveImagingDocumentSetRequest>"
    )
    return imagingretrieve.imaging_from_xml(etree.fromstring(text), {})


@pytest.mark.proves("IMG-070", "IMG-071", "IMG-080", "IMG-081", "IMG-082", "IMG-083")
@given(requests)
@settings(max_examples=60, deadline=None)
def test_request_comes_back(schema: etree.XMLSchema, one: ImagingRequest) -> None:
    element = bodies.inline(imagingretrieve.imaging_to_xml(one))
    schema.assertValid(element)
    assert imagingretrieve.imaging_from_xml(element, {}) == one


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(GOOD, id="as it should be"),
        pytest.param(LIST + STUDY, id="list first"),
        pytest.param(GOOD.replace(">1.2<", ">\n 1.2\t<"), id="white space around a syntax"),
        pytest.param(
            GOOD.replace('"1.2.3.1"', '" 1.2.3.1 "').replace("7</x", "7\n</x"), id="around ids"
        ),
        pytest.param(
            GOOD.replace(
                IDS,
                "<!-- c --><x:DocumentUniqueId>1.2.3.1.1.7</x:DocumentUniqueId>"
                "<x:RepositoryUniqueId>1.2.3.800</x:RepositoryUniqueId><x:HomeCommunityId/>",
            ),
            id="ids in another order, no home",
        ),
    ],
)
def test_request_is_read_leniently(inner: str) -> None:
    assert read(inner) == ASKED


@pytest.mark.proves("IMG-113", "IMG-080", "IMG-081", "IMG-082", "IMG-083", "IMG-087")
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(STUDY, "", "no StudyRequest", id="no study"),
        pytest.param(SERIES, "", "no SeriesRequest", id="no series"),
        pytest.param(DOCUMENT, "", "no DocumentRequest", id="no instance: a whole series"),
        pytest.param(' studyInstanceUID="1.2.3.1"', "", "no attribute studyIn", id="no study UID"),
        pytest.param(' seriesInstanceUID="1.2.3.1.1"', "", "no attribute se", id="no series UID"),
        pytest.param(IDS[:54], "", "needs RepositoryUniqueId", id="no repository"),
        pytest.param(IDS[54:], "", "needs RepositoryUniqueId and Doc", id="no document"),
        pytest.param(LIST, "", "no TransferSyntaxUIDList", id="no syntaxes"),
        pytest.param(LIST, LIST + LIST, "more than one Transfer", id="two lists"),
        pytest.param("TransferSyntaxUID>1.2</TransferSyntaxUID>", "x/>", "not hold x", id="other"),
        pytest.param(LIST, "<TransferSyntaxUIDList/>", "no TransferSyntaxUID", id="empty list"),
        pytest.param("x:DocumentRequest", "DocumentRequest", f"namespace '{RAD}'", id="namespace"),
        pytest.param("</x:DocumentReq", "<y/></x:DocumentReq", "not hold y", id="beside the ids"),
    ],
)
def test_wrong_frame_is_a_sender_fault(old: str, new: str, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(SoapFault, match=reason) as found:
        read(GOOD.replace(old, new))
    assert found.value.code == "Sender"


@pytest.mark.proves("IMG-113", "IMG-114", "IMG-080", "IMG-081", "IMG-082", "IMG-083")
@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({'"1.2.3.1"': '""'}, ["StudyRequest/@studyInstanceUID"]),
        ({'"1.2.3.1.1"': '" "'}, ["SeriesRequest/@seriesInstanceUID"]),
        (
            {'"1.2.3.1"': '""', '"1.2.3.1.1"': '""'},
            ["StudyRequest/@studyInstanceUID", "SeriesRequest/@seriesInstanceUID"],
        ),
        ({">1.2.3.800<": "><"}, ["RepositoryUniqueId"]),
        ({">1.2.3.1.1.7<": "><"}, ["DocumentUniqueId"]),
        ({">1.2<": "> <"}, ["TransferSyntaxUID"]),
        ({">1.2<": "><", ">1.2.3.800<": "><"}, ["TransferSyntaxUID", "RepositoryUniqueId"]),
    ],
    ids=["study", "series", "both", "repository", "document", "syntax", "syntax and repository"],
)
def test_empty_values_are_errors_of_their_own(changes: dict[str, str], names: list[str]) -> None:
    inner = GOOD
    for old, new in changes.items():
        inner = inner.replace(old, new)
    with pytest.raises(ExceptionGroup) as found:
        read(inner)
    errors = found.value.exceptions
    assert [each.what for each in errors] == names  # type: ignore[attr-defined]
    assert {type(each) for each in errors} == {XDSRepositoryError}
    where = "" if "DocumentUniqueId" in names or names == ["TransferSyntaxUID"] else "1.2.3.1.1.7"
    assert errors[-1].location == where  # type: ignore[attr-defined]


def test_errors_about_empty_values_are_not_without_end() -> None:
    with pytest.raises(ExceptionGroup) as found:
        read(GOOD.replace(DOCUMENT, DOCUMENT * 500).replace('"1.2.3.1"', '""'))
    assert len(found.value.exceptions) == 100
