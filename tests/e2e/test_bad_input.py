"""What comes in wrong: the answer, nothing stored, nothing held, and the next request works.

The table is sent to a node that is its own registry and to a repository whose registry is another
process. A case makes its message for the domain it is sent to.
"""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests import samples
from tests.e2e import nodes
from tests.e2e.conftest import LIMIT
from tests.e2e.nodes import Domain
from tests.server import dialect
from xdsi.model.messages import ProvideRequest
from xdsi.model.values import CX, SHA1, Identifier, Size
from xdsi.standard import transactions, urns

PROVIDE, REGISTER = transactions.PROVIDE_AND_REGISTER, transactions.REGISTER
SENT = b"Bytes of an invented document.\r\n--MIMEBoundary\r\n\x00\xff" * 20


@dataclass(frozen=True, slots=True)
class Sent:
    """One HTTP request. chunks: octets a chunk instead of a Content-Length.

    cut: bytes after which the connection ends; head_only: the body is never sent
    """

    path: str
    body: bytes
    kind: str = dialect.mtom_type()
    chunks: int = 0
    cut: int | None = None
    head_only: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """fault: local names of code and subcodes; errors: codes of a Failure; else only the status."""

    http: int
    fault: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def a_request(**changes: Any) -> ProvideRequest:
    return samples.provide(SENT, **{"patient_id": samples.new_patient(), **changes})


def packed(
    request: ProvideRequest,
    *contents: bytes,
    change: Callable[[str], str] = str,
    row: transactions.Transaction = PROVIDE,
    extra: tuple[bytes, ...] = (),
    **more: Any,
) -> Sent:
    """ITI-41 as MTOM. change: of the body's XML; row: whose action it names."""
    contents = contents or (SENT,)
    includes = [dialect.include(f"part{n}@test") for n in range(len(contents))]
    text = change(nodes.provide_body(request, includes))
    parts = [dialect.part(data, f"<part{n}@test>") for n, data in enumerate(contents)]
    body = dialect.multipart(dialect.root(nodes.envelope(row, text)), *parts, *extra)
    return Sent("/repository", body, **more)


def with_entry(request: ProvideRequest, **changes: Any) -> ProvideRequest:
    (entry,) = request.submission.entries
    submission = replace(request.submission, entries=(replace(entry, **changes),))
    return replace(request, submission=submission)


def broken(_: Domain) -> Sent:
    return packed(a_request(), change=lambda text: text.replace("</rim:Name>", "</rim:Nam>", 1))


def document_type(_: Domain) -> Sent:
    sent = packed(a_request())
    return replace(sent, body=sent.body.replace(b"<s:Env", b'<!DOCTYPE x [<!ENTITY e "y">]><s:Env'))


def cut_root(_: Domain) -> Sent:
    text = nodes.provide_body(a_request(), [dialect.include("part0@test")])
    half = nodes.envelope(PROVIDE, text)[:2000]
    part = dialect.part(SENT, "<part0@test>")
    return Sent("/repository", dialect.multipart(dialect.root(half), part))


def two_bodies(_: Domain) -> Sent:
    sent = packed(a_request())
    again = b"</s:Body><s:Body><a/></s:Body></s:Envelope>"
    return replace(sent, body=sent.body.replace(b"</s:Body></s:Envelope>", again))


def wrong_action(_: Domain) -> Sent:
    return packed(a_request(), row=transactions.RETRIEVE)


def elsewhere(_: Domain) -> Sent:
    return packed(a_request(), row=transactions.STORED_QUERY)


def no_part(_: Domain) -> Sent:
    return packed(a_request(), change=lambda text: text.replace("part0@test", "missing@test"))


def dangling(_: Domain) -> Sent:
    """The Include's part is not there, nor any other."""
    text = nodes.provide_body(a_request(), [dialect.include("missing@test")])
    return Sent("/repository", dialect.multipart(dialect.root(nodes.envelope(PROVIDE, text))))


def stray(_: Domain) -> Sent:
    return packed(a_request(), extra=(dialect.part(b"nobody's", "<stray@test>"),))


def no_entry(_: Domain) -> Sent:
    request = a_request()
    (document,) = request.documents
    return packed(replace(request, documents=(replace(document, id="Nobody01"),)))


def unfinished(_: Domain) -> Sent:
    sent = packed(a_request())
    return replace(sent, body=sent.body.removesuffix(b"--\r\n"))


def cut(_: Domain) -> Sent:
    sent = packed(a_request(), SENT * 400)
    return replace(sent, cut=len(sent.body) // 2)


def big(octets: int, **more: Any) -> Callable[[Domain], Sent]:
    return lambda _: packed(a_request(), bytes(octets), **more)


def big_inline(octets: int, **more: Any) -> Callable[[Domain], Sent]:
    def make(_: Domain) -> Sent:
        text = nodes.provide_body(a_request(), [base64.b64encode(bytes(octets)).decode()])
        return Sent("/repository", nodes.envelope(PROVIDE, text), dialect.SIMPLE, **more)

    return make


def inline_no_base64(_: Domain) -> Sent:
    text = nodes.provide_body(a_request(), ["no*base64*at*all"])
    return Sent("/repository", nodes.envelope(PROVIDE, text), dialect.SIMPLE)


def with_attributes(**changes: Any) -> Callable[[Domain], Sent]:
    return lambda _: packed(a_request(**changes))


def same_id_other_bytes(domain: Domain) -> Sent:
    """Of the same length."""
    first = a_request()
    domain.provide(first)
    (entry,) = first.submission.entries
    request = with_entry(a_request(patient_id=entry.patient_id), unique_id=entry.unique_id)
    return packed(request, SENT[::-1])


def same_id_longer(domain: Domain) -> Sent:
    first = a_request()
    domain.provide(first)
    (entry,) = first.submission.entries
    request = with_entry(a_request(patient_id=entry.patient_id), unique_id=entry.unique_id)
    return packed(request, SENT + b"x")


def same_set(domain: Domain) -> Sent:
    first = a_request()
    domain.provide(first)
    request = a_request(patient_id=first.submission.entries[0].patient_id)
    (one,) = request.submission.submission_sets
    known = replace(one, unique_id=first.submission.submission_set.unique_id)
    return packed(
        replace(request, submission=replace(request.submission, submission_sets=(known,)))
    )


def same_id_twice(_: Domain) -> Sent:
    id_ = Identifier(samples.new_oid())
    request = samples.provide(SENT, SENT, patient_id=samples.new_patient(), unique_id=id_)
    return packed(request, SENT, SENT)


def one_incomplete(_: Domain) -> Sent:
    """The other entry of the submission is good."""
    request = samples.provide(SENT, SENT, patient_id=samples.new_patient())
    first, second = request.submission.entries
    entries = (first, replace(second, class_code=None))
    return packed(
        replace(request, submission=replace(request.submission, entries=entries)), SENT, SENT
    )


def replaces_nothing(_: Domain) -> Sent:
    patient = samples.new_patient()
    request = a_request(patient_id=patient)
    (entry,) = request.submission.entries
    link = samples.association(urns.RPLC, entry, samples.new_uuid())
    submission = samples.submission([entry], associations=[link])
    return packed(replace(request, submission=submission))


def registered(change: Callable[[str], str], **more: Any) -> Callable[[Domain], Sent]:
    """ITI-42 sent to the registry itself. change: of the envelope's text."""

    def make(_: Domain) -> Sent:
        entry = samples.document_entry(**{"patient_id": samples.new_patient(), **more})
        text = nodes.register_body(samples.submission([entry]))
        message = change(nodes.envelope(REGISTER, text).decode()).encode()
        return Sent("/registry", message, dialect.SIMPLE)

    return make


def swapped(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


SENDER = ("Sender",)
UNSUPPORTED = ("Sender", "ActionNotSupported")
FOREIGN = CX("TEST-0001^^^&1.2.3.4.777&ISO")
TOO_BIG = int(LIMIT * 1.5)
OUT_OF = "</s:Body></s:Envelope>"


def case(id_: str, make: Callable[[Domain], Sent], expected: Expected, *ids: str) -> Any:
    return pytest.param(make, expected, id=id_, marks=[pytest.mark.proves(*ids)] if ids else [])


def fault(*codes: str) -> Expected:
    return Expected(400, fault=codes)


def failure(*codes: str) -> Expected:
    return Expected(200, errors=codes)


CASES = [
    case("broken XML", broken, fault(*SENDER), "SEC-T-074", "WS-080", "WS-056"),
    case("cut XML", cut_root, fault(*SENDER), "SEC-T-074"),
    case("DOCTYPE", document_type, fault(*SENDER), "WS-043"),
    case("two bodies", two_bodies, fault(*SENDER)),
    case("action of another message", wrong_action, fault(*UNSUPPORTED), "WS-036"),
    case("action of another actor", elsewhere, fault(*UNSUPPORTED)),
    case("Include without part", dangling, failure("XDSMissingDocument"), "REG-020"),
    case(
        "Include of another part",
        no_part,
        failure("XDSMissingDocument", "XDSMissingDocumentMetadata"),
        "REG-020", "REG-021", "REG-158",
    ),
    case("stray part", stray, failure("XDSMissingDocumentMetadata"), "SEC-T-095", "RET-064"),
    case(
        "Document without entry",
        no_entry,
        failure("XDSMissingDocument", "XDSMissingDocumentMetadata"),
        "SEC-T-095", "REG-157",
    ),
    case("no final boundary", unfinished, fault(*SENDER), "SEC-T-091"),
    case("cut while sending", cut, Expected(0), "SEC-T-091"),
    case("one octet too many", big(LIMIT + 1), failure("XDSRepositoryError"), "SEC-T-040"),
    case(
        "one octet too many, chunked",
        big(LIMIT + 1, chunks=65536),
        failure("XDSRepositoryError"),
        "SEC-T-040",
    ),
    case(
        "one octet too many, inline",
        big_inline(LIMIT + 1),
        failure("XDSRepositoryError"),
        "SEC-T-038",
    ),
    case("1.5 times, announced", big(TOO_BIG, head_only=True), Expected(413), "SEC-T-040"),
    case(
        "1.5 times, chunked",
        big(TOO_BIG, chunks=65536),
        failure("XDSRepositoryError"),
        "SEC-T-040",
    ),
    case(
        "1.5 times, announced, inline",
        big_inline(TOO_BIG, head_only=True),
        Expected(413),
        "SEC-T-034", "SEC-T-038",
    ),
    case(
        "1.5 times, chunked, inline",
        big_inline(TOO_BIG, chunks=65536),
        failure("XDSRepositoryError"),
        "SEC-T-038",
    ),
    case("no base64", inline_no_base64, fault(*SENDER)),
    case(
        "wrong hash",
        with_attributes(hash=SHA1("0" * 40)),
        failure("XDSRepositoryMetadataError"),
        "REG-022", "SEC-T-111",
    ),
    case(
        "no SHA-1 at all",
        with_attributes(hash=SHA1("abc")),
        failure("XDSRepositoryMetadataError"),
        "REG-022",
    ),
    case(
        "wrong size",
        with_attributes(size=Size("7")),
        failure("XDSRepositoryMetadataError"),
        "REG-023", "SEC-T-111",
    ),
    case(
        "known uniqueId, other octets",
        same_id_other_bytes,
        failure("XDSNonIdenticalHash"),
        "REG-025", "REG-160", "SEC-T-107", "SEC-T-005",
    ),
    case(
        "known uniqueId, longer",
        same_id_longer,
        failure("XDSNonIdenticalHash", "XDSNonIdenticalSize"),
        "REG-025", "REG-160",
    ),
    case(
        "known SubmissionSet",
        same_set,
        failure("XDSDuplicateUniqueIdInRegistry"),
        "REG-090", "REG-155", "SEC-T-108",
    ),
    case(
        "uniqueId twice in the message",
        same_id_twice,
        failure("XDSRepositoryDuplicateUniqueIdInMessage"),
        "REG-026",
    ),
    case(
        "another assigning authority",
        with_attributes(patient_id=FOREIGN),
        failure("XDSUnknownPatientId"),
        "REG-080", "REG-034",
    ),
    case(
        "one entry incomplete",
        one_incomplete,
        failure("XDSRegistryMetadataError"),
        "REG-070", "REG-130", "REG-027", "REG-036",
    ),
    case(
        "replaces what is not there",
        replaces_nothing,
        failure("UnresolvedReferenceException"),
        "REG-111", "REG-153",
    ),
    case(
        "ITI-42: broken XML",
        registered(swapped("</rim:Name>", "</rim:Nam>")),
        fault(*SENDER),
        "SEC-T-074",
    ),
    case(
        "ITI-42: two bodies",
        registered(swapped(OUT_OF, "</s:Body><s:Body><a/></s:Body></s:Envelope>")),
        fault(*SENDER),
    ),
    case(
        "ITI-42: two elements in the body",
        registered(swapped("</s:Body>", "<a/></s:Body>")),
        fault(*SENDER),
    ),
    case(
        "ITI-42: action of another message",
        registered(swapped(REGISTER.action, transactions.STORED_QUERY.action)),
        fault(*UNSUPPORTED),
    ),
    case(
        "ITI-42: another assigning authority",
        registered(str, patient_id=FOREIGN),
        failure("XDSUnknownPatientId"),
        "REG-080", "REG-177",
    ),
    case(
        "ITI-42: attribute missing",
        registered(str, type_code=None),
        failure("XDSRegistryMetadataError"),
        "REG-070", "REG-167",
    ),
]  # fmt: skip


def send(domain: Domain, sent: Sent) -> dialect.Response | None:
    """The answer; None when the connection was cut by us."""
    node = domain.registry if sent.path == "/registry" else domain.repository
    message = dialect.request(sent.path, sent.body, sent.kind, chunks=sent.chunks)
    with dialect.Connection(node.address) as connection:
        if sent.head_only:
            message = message.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        if sent.cut is not None:
            connection.send(message[: sent.cut])
            return None
        with suppress(OSError):  # refused on the way; the answer is there all the same
            connection.send(message)
        return connection.receive()


def refused(domain: Domain, make: Callable[[Domain], Sent], expected: Expected) -> None:
    sent = make(domain)
    domain.provide(a_request(patient_id=samples.PATIENT))  # every connection pool is warm
    before, handles = domain.stored(), domain.handles()
    response = send(domain, sent)
    if response is not None:
        assert response.status == expected.http, response.body[:2000]
        if expected.http in (200, 400):
            assert response.is_mtom == sent.kind.startswith("multipart")
            assert response.fault == expected.fault, response.body[:2000]
            assert sorted(response.errors) == sorted(expected.errors), response.body[:2000]
            assert response.outcome == ("Failure" if expected.errors else None)
    assert dialect.wait_for(lambda: domain.stored() == before), "something stayed"
    assert domain.settles_to(handles), f"{domain.handles()} were {handles}"
    works(domain)


def works(domain: Domain) -> None:
    """The next submission is stored and delivered."""
    request = a_request(patient_id=samples.PATIENT)
    assert domain.provide(request).errors == ()
    id_ = str(request.submission.entries[0].unique_id)
    assert domain.retrieve(id_) == {id_: SENT}


@pytest.mark.proves("WS-082", "REG-130", "SEC-T-004")
@pytest.mark.parametrize(("make", "expected"), CASES)
def test_wrong_input_is_answered_and_leaves_nothing(
    domain: Domain, make: Callable[[Domain], Sent], expected: Expected
) -> None:
    refused(domain, make, expected)


@pytest.mark.proves("REG-080", "REG-177", "REG-034")
@pytest.mark.parametrize("kind", ["strict", "strict_remote"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(with_attributes(), id="ITI-41"),
        pytest.param(registered(str), id="ITI-42"),
    ],
)
def test_unknown_patient_is_refused_where_only_the_feed_makes_patients_known(
    request: pytest.FixtureRequest, kind: str, make: Callable[[Domain], Sent]
) -> None:
    refused(request.getfixturevalue(kind), make, failure("XDSUnknownPatientId"))


@pytest.mark.proves("SEC-T-040", "SEC-T-038", "REG-004")
@pytest.mark.parametrize("make", [big(LIMIT), big(LIMIT, chunks=65536), big_inline(LIMIT)])
def test_a_document_at_the_limit_is_taken(domain: Domain, make: Callable[[Domain], Sent]) -> None:
    response = send(domain, make(domain))
    assert response is not None
    assert (response.outcome, response.errors) == ("Success", [])


@pytest.mark.proves("REG-132", "SEC-T-008")
def test_ids_of_a_refused_submission_are_free(domain: Domain) -> None:
    request = a_request()
    wrong = with_entry(request, hash=SHA1("0" * 40))
    incomplete = with_entry(request, class_code=None)
    for bad in (wrong, incomplete):
        assert domain.provide(bad).errors
    assert domain.provide(request).errors == ()
