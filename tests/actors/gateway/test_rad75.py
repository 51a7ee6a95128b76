"""Cross Gateway Retrieve Imaging Document Set [RAD-75]: the matrix of IMG-141 and its errors."""

from pathlib import Path

import pytest

from tests.actors.gateway.conftest import (
    CALL,
    HOME,
    OTHER_HOME,
    SECOND,
    Community,
    MakeGateway,
    ask,
    handler,
    reread,
    told,
)
from tests.actors.imaging import samples
from tests.actors.imaging.folder import FolderArchive
from tests.actors.imaging.samples import Ask, request
from tests.repository.reading import everything
from xdsi import config
from xdsi.actors import imaging
from xdsi.config import Limits
from xdsi.model.errors import XDSRepositoryError
from xdsi.model.imaging import ImagingRequest
from xdsi.model.messages import RetrieveAnswer
from xdsi.plug import Actor, Call, Handler
from xdsi.standard import urns
from xdsi.standard.transactions import CROSS_GATEWAY_RETRIEVE_IMAGING, RETRIEVE_IMAGING

ROW = CROSS_GATEWAY_RETRIEVE_IMAGING
RLE, REPORT = samples.UIDS["rle"], samples.UIDS["report"]
SYNTAXES = (samples.EXPLICIT, samples.RLE)


def own(name: str = "", **more: str) -> Ask:
    return Ask(name, **{"home": HOME, **more})


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Handler:
    """Another imaging source, with instances of its own under the same ids."""
    folder = tmp_path_factory.mktemp("second")
    samples.fill(folder)
    actor = imaging.actor(config.Imaging(SECOND), Limits(), FolderArchive(folder))
    return handler(actor, RETRIEVE_IMAGING)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return samples.fill(tmp_path_factory.mktemp("files"))


def retrieve(actor: Actor, *asked: Ask, syntaxes: tuple[str, ...] = SYNTAXES) -> RetrieveAnswer:
    answer: RetrieveAnswer = ask(actor, ROW, request(*asked, syntaxes=syntaxes))
    return answer


def came(answer: RetrieveAnswer) -> list[tuple[str, str]]:
    """(source, SOP Instance UID) of what came."""
    return [
        (each.request.repository_unique_id, each.request.document_unique_id)
        for each in answer.documents
    ]


@pytest.mark.proves("IMG-137", "IMG-138", "IMG-090", "IMG-135", "IMG-141", "XC-114")
def test_instances_of_one_source_come_unchanged_with_our_home(
    responding: Actor, files: dict[str, Path]
) -> None:
    answer = retrieve(responding, own("report"), own("rle"), own("report"))
    assert (answer.status, answer.errors) == (urns.SUCCESS, ())
    read = reread(ROW, answer).documents
    assert came(answer) == [(samples.SOURCE, REPORT), (samples.SOURCE, RLE)]
    assert {(each.mime_type, each.request.home) for each in read} == {("application/dicom", HOME)}
    assert [everything(each.content) for each in read] == [
        files[name].read_bytes() for name in ("report", "rle")
    ]


@pytest.mark.proves("IMG-141", "IMG-132")
def test_any_of_the_listed_syntaxes_will_do(responding: Actor) -> None:
    answer = retrieve(responding, own("rle"), syntaxes=("1.2.3", samples.RLE))
    assert came(answer) == [(samples.SOURCE, RLE)]


ERRORS = [
    pytest.param(own("rle", uid="1.2.3"), "XDSDocumentUniqueIdError", id="unknown instance"),
    pytest.param(own("rle"), "XDSRepositoryError", id="no syntax that fits"),
    pytest.param(own("rle", source="1.2.999"), "XDSUnknownRepositoryId", id="unknown source"),
    pytest.param(own("rle", home=OTHER_HOME), "XDSUnknownCommunity", id="other community"),
    pytest.param(Ask("rle"), "XDSMissingHomeCommunityId", id="no community"),
]


@pytest.mark.proves("IMG-116", "IMG-134", "IMG-136", "IMG-139", "IMG-141", "IMG-093", "XC-018",
    "XC-116", "IMG-135", "IMG-084",
)  # fmt: skip
@pytest.mark.parametrize(("bad", "code"), ERRORS)
def test_an_instance_that_cannot_come_has_an_error_and_the_others_come(
    responding: Actor, bad: Ask, code: str
) -> None:
    uid = bad.instance.document.document_unique_id
    # the report has no pixels, so that it comes whatever is listed
    syntaxes = ("1.2.3",) if code == "XDSRepositoryError" else SYNTAXES
    answer = retrieve(responding, bad, own("report"), syntaxes=syntaxes)
    assert answer.status == urns.PARTIAL_SUCCESS
    assert told(answer) == [(code, f"{HOME} {uid}")]
    assert uid in answer.errors[0].context
    assert came(answer) == [(samples.SOURCE, REPORT)]
    alone = retrieve(responding, bad, syntaxes=syntaxes)
    assert (alone.status, alone.documents, told(alone)) == (urns.FAILURE, (), told(answer))


@pytest.mark.proves("IMG-133", "IMG-115", "XC-115", "IMG-141", "IMG-085")
def test_two_sources_give_one_answer(make_gateway: MakeGateway, second: Handler) -> None:
    actor = make_gateway(retrieve_imaging={SECOND: second})
    answer = retrieve(
        actor,
        own("rle", source=SECOND),
        own("report"),
        own("rle"),
        own("rle", uid="1.2.3", source=SECOND),
    )
    assert came(answer) == [(SECOND, RLE), (samples.SOURCE, REPORT), (samples.SOURCE, RLE)]
    assert (answer.status, told(answer)) == (
        urns.PARTIAL_SUCCESS,
        [("XDSDocumentUniqueIdError", f"{HOME} 1.2.3")],
    )


@pytest.mark.proves("IMG-132", "IMG-133", "IMG-084", "XC-114")
def test_a_source_is_asked_as_the_gateway_was(make_gateway: MakeGateway) -> None:
    """Studies, series, home and transfer syntaxes as they came, for its own instances."""
    asked = []

    def source(request: ImagingRequest, call: Call) -> RetrieveAnswer:
        asked.append(request)
        return RetrieveAnswer()

    actor = make_gateway(retrieve_imaging={SECOND: source})
    theirs = own("rle", source=SECOND), own("rle", study="1.2", series="1.2.3", source=SECOND)
    retrieve(actor, theirs[0], own("report"), theirs[1], theirs[0])
    assert asked == [request(*theirs, syntaxes=SYNTAXES)]


@pytest.mark.proves("IMG-118", "IMG-140", "IMG-141", "IMG-136", "XC-057")
def test_a_source_that_does_not_answer_costs_its_own_instances(
    make_gateway: MakeGateway,
) -> None:
    def silent(request: ImagingRequest, call: Call) -> RetrieveAnswer:
        raise XDSRepositoryError("RAD-69", "no answer: it stood still", rule="XC-070")

    actor = make_gateway(retrieve_imaging={SECOND: silent})
    answer = retrieve(actor, own("rle", source=SECOND), own("report"))
    assert came(answer) == [(samples.SOURCE, REPORT)]
    assert told(answer) == [("XDSRepositoryError", f"{HOME} {RLE}")]
    assert RLE in answer.errors[0].context and "no answer" in answer.errors[0].context


@pytest.mark.proves("IMG-113", "IMG-114", "IMG-136")
@pytest.mark.parametrize(
    ("asked", "syntaxes", "location"),
    [
        pytest.param(own("rle", study=""), SYNTAXES, f"{HOME} {RLE}", id="study"),
        pytest.param(own("rle", source=""), SYNTAXES, f"{HOME} {RLE}", id="source"),
        pytest.param(own("rle"), ("",), HOME, id="syntax"),
    ],
)
def test_what_is_empty_is_refused_with_our_home(
    responding: Actor, asked: Ask, syntaxes: tuple[str, ...], location: str
) -> None:
    answer = retrieve(responding, asked, syntaxes=syntaxes)
    assert (answer.status, told(answer)) == (urns.FAILURE, [("XDSRepositoryError", location)])


@pytest.mark.proves("IMG-111")
def test_an_instance_in_the_wrong_series_too_is_told(responding: Actor) -> None:
    answer = retrieve(responding, own("rle"), own("rle", series="1.2.3"))
    assert came(answer) == [(samples.SOURCE, RLE)]
    assert told(answer) == [("XDSDocumentUniqueIdError", f"{HOME} {RLE}")]


@pytest.mark.proves("SEC-T-042")
def test_a_request_above_the_limit_is_refused(make_gateway: MakeGateway) -> None:
    actor = make_gateway(limits=Limits(imaging_documents=1))
    assert told(retrieve(actor, own("rle"), own("report"))) == [("XDSTooManyResults", HOME)]


def test_the_source_itself_is_not_changed_by_the_gateway(community: Community) -> None:
    source = handler(community.imaging, RETRIEVE_IMAGING)
    answer = source(request(Ask("rle", uid="1.2.3")), CALL)
    assert told(answer) == [("XDSDocumentUniqueIdError", "1.2.3")]
