"""Cross Gateway Retrieve [ITI-39]."""

import threading
from collections.abc import Callable

import pytest

from tests import samples
from tests.actors.gateway.conftest import (
    HOME,
    OTHER_HOME,
    SECOND,
    Community,
    MakeGateway,
    ask,
    document,
    reread,
    serving,
    told,
)
from tests.repository.reading import everything
from xdsi.config import Limits
from xdsi.model.errors import (
    XDSDocumentUniqueIdError,
    XDSError,
    XDSRepositoryBusy,
    XDSRepositoryError,
    XDSUnavailableCommunity,
    XDSWarning,
)
from xdsi.model.messages import DocumentRequest, QueryRequest, RetrieveAnswer, RetrieveRequest
from xdsi.plug import Actor, Call
from xdsi.standard import queries, urns
from xdsi.standard.transactions import CROSS_GATEWAY_QUERY, CROSS_GATEWAY_RETRIEVE, RETRIEVE

ROW = CROSS_GATEWAY_RETRIEVE
FIRST = str(samples.REPOSITORY)


def wanted(uid: str, repository: str = FIRST, home: str | None = HOME) -> DocumentRequest:
    return DocumentRequest(repository, uid, home)


def retrieve(actor: Actor, *asked: DocumentRequest) -> RetrieveAnswer:
    answer: RetrieveAnswer = ask(actor, ROW, RetrieveRequest(asked))
    return answer


def located(uid: str) -> str:
    return f"{HOME} {uid}"


@pytest.mark.proves("XC-019", "XC-040", "XC-044", "XC-021", "RET-013", "RET-014")
def test_documents_come_with_our_home_and_are_else_as_stored(
    responding: Actor, community: Community
) -> None:
    one, two = community.provide(b"{\\rtf1 invented", b"", mime_type="application/rtf")
    answer = retrieve(responding, wanted(two), wanted(one))
    assert (answer.status, answer.errors) == (urns.SUCCESS, ())
    read = reread(ROW, answer).documents
    assert [each.request for each in read] == [wanted(two), wanted(one)]
    assert {each.mime_type for each in read} == {"application/rtf"}
    assert [everything(each.content) for each in read] == [b"", b"{\\rtf1 invented"]


@pytest.mark.proves(
    "XC-038", "XC-017", "XC-018", "XC-044", "XC-042", "XC-043", "RET-032", "SEC-T-124"
)
@pytest.mark.parametrize(
    ("repository", "home", "code", "rule"),
    [
        pytest.param(FIRST, None, "XDSMissingHomeCommunityId", "XC-038", id="no home"),
        pytest.param(FIRST, OTHER_HOME, "XDSUnknownCommunity", "XC-038", id="another home"),
        pytest.param(FIRST, samples.HOME, "XDSUnknownCommunity", "XC-038", id="a bare OID"),
        pytest.param(SECOND, HOME, "XDSUnknownRepositoryId", "XC-043", id="repository"),
        pytest.param(SECOND, None, "XDSMissingHomeCommunityId", "XC-038", id="home comes first"),
    ],
)
def test_what_cannot_be_asked_for_is_an_error_of_its_own(
    responding: Actor,
    community: Community,
    repository: str,
    home: str | None,
    code: str,
    rule: str,
) -> None:
    (one,) = community.provide(b"here")
    bad = wanted("1.2.3", repository, home)
    answer = retrieve(responding, bad, wanted(one), bad)
    assert answer.status == urns.PARTIAL_SUCCESS
    assert told(answer) == [(code, located("1.2.3"))]
    assert answer.errors[0].rule == rule and "1.2.3" in answer.errors[0].context
    assert [everything(each.content) for each in answer.documents] == [b"here"]
    alone = retrieve(responding, bad)
    assert (alone.status, alone.documents) == (urns.FAILURE, ())


@pytest.mark.proves("XC-017", "XC-018", "XC-043")
@pytest.mark.parametrize("uid", ["1.2.3", "an id of 'words', and more", "x" * 5000])
def test_the_errors_of_a_repository_name_home_and_document(responding: Actor, uid: str) -> None:
    answer = retrieve(responding, wanted(uid))
    assert told(answer) == [("XDSDocumentUniqueIdError", located(uid))]
    assert answer.errors[0].rule == "RET-030" and len(answer.errors[0].context) < 500


@pytest.mark.proves("XC-040", "XC-041", "RET-021")
def test_several_repositories_give_one_answer_source_by_source(
    make_gateway: MakeGateway, community: Community
) -> None:
    one, two = community.provide(b"one", b"two")
    actor = make_gateway(retrieve={SECOND: serving(a=b"A", b=b"B")})
    asked = [wanted("b", SECOND), wanted(two), wanted("a", SECOND), wanted(one)]
    answer = retrieve(actor, *asked, *asked)
    come = [asked[0], asked[2], asked[1], asked[3]]
    assert (answer.status, [each.request for each in answer.documents]) == (urns.SUCCESS, come)
    assert [everything(each.content) for each in answer.documents] == [b"B", b"A", b"two", b"one"]


@pytest.mark.proves("XC-041")
def test_the_same_id_in_two_repositories_is_two_documents(
    make_gateway: MakeGateway, community: Community
) -> None:
    (uid,) = community.provide(b"here")
    actor = make_gateway(retrieve={SECOND: serving(**{uid: b"there"})})
    answer = retrieve(actor, wanted(uid, SECOND), wanted(uid))
    assert [everything(each.content) for each in answer.documents] == [b"there", b"here"]


@pytest.mark.proves("XC-041")
def test_repositories_are_asked_at_the_same_time(make_gateway: MakeGateway) -> None:
    together = threading.Barrier(3)

    def slow(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        together.wait(20)  # none answers before all are asked
        return RetrieveAnswer(tuple(document(each) for each in request.documents))

    ids = ("1.1", "1.2", "1.3")
    actor = make_gateway(retrieve=dict.fromkeys(ids, slow))
    answer = retrieve(actor, *(wanted("x", each) for each in ids))
    assert len(answer.documents) == 3


def raising(*errors: Exception) -> Callable[[RetrieveRequest, Call], RetrieveAnswer]:
    def act(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("refused", errors)

    return act


@pytest.mark.proves("XC-042", "XC-043", "XC-044", "XC-057", "XC-017")
def test_a_repository_that_fails_costs_its_own_documents(
    make_gateway: MakeGateway, community: Community
) -> None:
    (one,) = community.provide(b"here")
    actor = make_gateway(retrieve={SECOND: raising(XDSRepositoryBusy("ITI-43", "no answer"))})
    answer = retrieve(actor, wanted("9.1", SECOND), wanted(one), wanted("9.2", SECOND))
    assert answer.status == urns.PARTIAL_SUCCESS
    assert [each.request for each in answer.documents] == [wanted(one)]
    assert told(answer) == [("XDSRepositoryBusy", located(each)) for each in ("9.1", "9.2")]
    assert [each.context for each in answer.errors] == [
        "'9.1': ITI-43: no answer", "'9.2': ITI-43: no answer"
    ]  # fmt: skip
    assert "Unavailable" not in str(answer.errors)


@pytest.mark.proves("XC-057")
def test_that_a_community_is_not_available_is_never_said_here(make_gateway: MakeGateway) -> None:
    """By whatever is behind the gateway."""
    away = raising(XDSUnavailableCommunity("9.1", "its gateway is away", location="9.1"))
    actor = make_gateway(retrieve={SECOND: away}, query=away)
    answer = retrieve(actor, wanted("9.1", SECOND))
    assert told(answer) == [("XDSRepositoryError", located("9.1"))]
    assert answer.errors[0].context == "9.1: its gateway is away"
    found = ask(actor, CROSS_GATEWAY_QUERY, QueryRequest(queries.GET_ALL.id))
    assert told(found) == [("XDSRegistryError", HOME)]


def test_what_no_repository_may_raise_is_not_taken_for_its_answer(
    make_gateway: MakeGateway,
) -> None:
    for error in (ZeroDivisionError(), ExceptionGroup("", [XDSError("x"), ZeroDivisionError()])):
        actor = make_gateway(retrieve={SECOND: raising(error)})
        with pytest.raises((ZeroDivisionError, ExceptionGroup)):
            retrieve(actor, wanted("a", SECOND), wanted("b"))


@pytest.mark.proves("XC-042", "XC-017", "XC-018", "XC-019", "RET-021")
def test_the_answer_of_a_remote_repository_is_completed(make_gateway: MakeGateway) -> None:
    """It sends what it was not asked, the same twice, under another home; and says too little."""
    stray, other = DocumentRequest("9.9", "stray"), DocumentRequest("9.9", "9.1", OTHER_HOME)
    errors = (
        XDSDocumentUniqueIdError(context="gone: 9.3", location=f"{OTHER_HOME} 9.3"),
        XDSWarning(context="old", location="9.1"),
        XDSRepositoryError(context="a disk is away", location="/var/lib/x"),
        XDSRepositoryError(context="and another"),
    )

    def remote(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        return RetrieveAnswer(
            (document(stray), document(other, b"first"), document(other, b"second")), errors
        )

    actor = make_gateway(retrieve={SECOND: remote})
    answer = retrieve(actor, *(wanted(f"9.{n}", SECOND) for n in range(1, 5)))
    assert [each.request for each in answer.documents] == [wanted("9.1", SECOND)]
    assert everything(answer.documents[0].content) == b"first"
    assert [(each.context, each.location) for each in answer.errors] == [
        ("gone: 9.3", located("9.3")),
        ("'9.1': old", located("9.1")),
        ("'9.2': a disk is away", located("9.2")),
        ("'9.4': a disk is away", located("9.4")),
        ("and another", HOME),
    ]


@pytest.mark.proves("XC-042")
def test_what_a_repository_passes_over_in_silence_is_told(make_gateway: MakeGateway) -> None:
    actor = make_gateway(retrieve={SECOND: serving(a=b"A")})
    answer = retrieve(actor, wanted("a", SECOND), wanted("zz", SECOND))
    assert answer.status == urns.PARTIAL_SUCCESS
    assert told(answer) == [("XDSRepositoryError", located("zz"))]
    assert answer.errors[0].rule == "XC-042" and "'zz'" in answer.errors[0].context


@pytest.mark.proves("XC-044")
def test_warnings_leave_a_success(make_gateway: MakeGateway) -> None:
    def remote(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        documents = tuple(document(each) for each in request.documents)
        return RetrieveAnswer(documents, (XDSWarning(context="slow today"),))

    answer = retrieve(make_gateway(retrieve={SECOND: remote}), wanted("a", SECOND))
    assert (answer.status, told(answer)) == (urns.SUCCESS, [("XDSWarning", HOME)])


@pytest.mark.proves("XC-076", "XC-074", "XC-075", "RET-040")
def test_documents_on_demand_keep_their_new_ids(make_gateway: MakeGateway) -> None:
    def remote(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        (asked,) = request.documents
        new = {"new_document_unique_id": "2.25.9", "new_repository_unique_id": "2.25.8"}
        return RetrieveAnswer((document(asked, b"made now", **new),))

    (got,) = reread(
        ROW, retrieve(make_gateway(retrieve={SECOND: remote}), wanted("a", SECOND))
    ).documents
    assert got.request == wanted("a", SECOND)
    assert (got.new_document_unique_id, got.new_repository_unique_id) == ("2.25.9", "2.25.8")


@pytest.mark.proves("XC-020")
def test_a_repository_itself_still_answers_without_a_home(community: Community) -> None:
    (one,) = community.provide(b"here")
    answer = ask(community.repository, RETRIEVE, RetrieveRequest((wanted(one, home=None),)))
    assert answer.documents[0].request.home is None


@pytest.mark.proves("SEC-T-042", "XC-017")
def test_a_request_above_the_limit_is_refused(make_gateway: MakeGateway) -> None:
    actor = make_gateway(limits=Limits(retrieve_documents=2))
    answer = retrieve(actor, *[wanted("a")] * 3)
    assert told(answer) == [("XDSTooManyResults", HOME)]
    assert [code for code, _ in told(retrieve(actor, *[wanted("a")] * 2))] == [
        "XDSDocumentUniqueIdError"
    ]
