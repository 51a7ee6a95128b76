"""Provide and Register Document Set-b [ITI-41]."""

import errno
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from repository import iti41
from repository.holdings import Holdings
from tests.files.disks import FailingDisk
from tests.repository import reading
from tests.repository.conftest import MakeHoldings
from tests.repository.ports import CALL, ScriptedRegistry, raising
from tests.samples import (
    OTHER_PATIENT,
    REPOSITORY,
    SOURCE,
    association,
    document_entry,
    folder,
    provide,
    staged,
    submission,
    submission_set,
)
from xdsi.config import Limits
from xdsi.files.blobs import PREFIXES, StoreAway
from xdsi.model.errors import (
    XDSError,
    XDSExtraMetadataNotSaved,
    XDSMissingDocument,
    XDSMissingDocumentMetadata,
    XDSNonIdenticalHash,
    XDSNonIdenticalSize,
    XDSRegistryBusy,
    XDSRegistryError,
    XDSRegistryMetadataError,
    XDSRegistryNotAvailable,
    XDSRepositoryDuplicateUniqueIdInMessage,
    XDSRepositoryError,
    XDSRepositoryMetadataError,
    XDSRepositoryOutOfResources,
    XDSUnknownPatientId,
    leaves,
    received,
)
from xdsi.model.messages import Document, ProvideRequest, RegistryAnswer, Submission
from xdsi.model.objects import Slot
from xdsi.model.values import OID, SHA1, Identifier, Size
from xdsi.plug import Call
from xdsi.standard import urns


def send(
    request: ProvideRequest,
    holdings: Holdings,
    registry: ScriptedRegistry,
    *,
    is_remote: bool = False,
) -> RegistryAnswer:
    return iti41.provide(request, CALL, holdings, registry.register, is_remote=is_remote)


def refused(
    request: ProvideRequest, holdings: Holdings, registry: ScriptedRegistry, **how: bool
) -> list[XDSError]:
    """The errors of a submission that must fail."""
    with pytest.raises((XDSError, ExceptionGroup)) as caught:
        send(request, holdings, registry, **how)
    found = [each for each in leaves(caught.value) if isinstance(each, XDSError)]
    assert len(found) == len(list(leaves(caught.value)))
    return found


def entry_of(request: ProvideRequest, **changes: object) -> ProvideRequest:
    """The request with its first entry changed."""
    first, *others = request.submission.entries
    entries = (replace(first, **changes), *others)  # type: ignore[arg-type]
    return replace(request, submission=replace(request.submission, entries=entries))


def ids(request: ProvideRequest) -> list[str]:
    return [str(entry.unique_id) for entry in request.submission.entries]


def assert_nothing_is_left(holdings: Holdings) -> None:
    assert reading.names(holdings) == set()
    assert reading.recorded(holdings) == set()
    assert reading.staged(holdings) == []
    assert holdings.ledger.open_claims(1e12) == ()


# what arrives


@pytest.mark.proves("REG-009", "REG-030", "RET-015", "REG-033")
def test_documents_of_one_submission_can_be_retrieved(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    contents = [b"", b"one", b"\xef\xbb\xbf\r\n\x00", os.urandom(300_000)]
    request = provide(*contents)
    assert send(request, holdings, registry) == RegistryAnswer()
    assert [reading.served(holdings, each) for each in ids(request)] == contents
    assert reading.staged(holdings) == []


@pytest.mark.proves("REG-028", "REG-029", "SEC-T-172", "MD-112", "MD-123")
def test_the_repository_adds_its_id_hash_and_size(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    content = staged(b"abc")
    request = provide(b"abc")
    for sent in (None, OID("1.9.9.9")):
        registry.sets.clear()
        send(entry_of(request, repository_unique_id=sent), holdings, registry)
        (entry,) = registry.seen[-1].entries
        assert entry.repository_unique_id == REPOSITORY
        assert (entry.hash, entry.size) == (SHA1(content.sha1), Size("3"))


@pytest.mark.proves("REG-032", "REG-027")
def test_everything_else_arrives_unchanged(holdings: Holdings, registry: ScriptedRegistry) -> None:
    box = folder(entry_uuid="box")
    extra = (Slot("urn:example:anything", ("kept",)),)
    entry = document_entry(
        b"abc", entry_uuid="symbolic", extra=extra, class_code=None, patient_id=OTHER_PATIENT
    )
    link = association(urns.APND, entry, "urn:uuid:00000000-0000-0000-0000-000000000001")
    sent = submission(
        [entry],
        folders=[box],
        filed=[(box, entry)],
        associations=[link],
        set_=submission_set(entry_uuid="set"),
    )
    send(ProvideRequest(sent, (Document("symbolic", staged(b"abc")),)), holdings, registry)
    (seen,) = registry.seen
    assert seen == sent


@pytest.mark.proves("REG-022", "REG-029")
def test_a_hash_in_upper_case_is_good_and_kept(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    upper = SHA1(staged(b"abc").sha1.upper())
    send(entry_of(provide(b"abc"), hash=upper, size=Size("003")), holdings, registry)
    assert registry.seen[0].entries[0].hash == upper


@pytest.mark.proves("REG-031")
def test_a_document_is_retrievable_before_it_is_registered(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    request = provide(b"abc")
    found: list[bytes | None] = []
    registry.before = lambda: found.append(reading.served(holdings, ids(request)[0]))
    send(request, holdings, registry)
    assert found == [b"abc"]


@pytest.mark.proves("REG-011")
def test_a_submission_without_documents_passes_through(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    sent = submission(folders=[folder()])
    send(ProvideRequest(sent), holdings, registry)
    assert registry.seen == [sent]
    assert_nothing_is_left(holdings)


@pytest.mark.proves("REG-034")
def test_warnings_of_the_registry_come_back_unchanged(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    registry.warnings = (
        XDSExtraMetadataNotSaved("slot", "not kept", location="x"),
        received("urn:foreign:remark", "as it came", urns.SEVERITY_WARNING, ""),
    )
    assert send(provide(), holdings, registry).errors == registry.warnings


def test_documents_of_a_caller_in_the_process_are_taken_too(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    request = provide(b"abc", as_source=True)
    send(request, holdings, registry)
    assert reading.served(holdings, ids(request)[0]) == b"abc"


def test_documents_the_server_staged_are_published_and_released_by_it(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    incoming = holdings.staging.create()
    incoming.write(b"abc")
    content = incoming.finish()
    request = provide(b"abc")
    document = replace(request.documents[0], content=content)
    send(replace(request, documents=(document,)), holdings, registry)
    holdings.staging.discard([content])
    assert reading.served(holdings, ids(request)[0]) == b"abc"
    assert len(reading.descriptors(holdings)) == 2, "the staging folder and its lock"
    assert reading.staged(holdings) == []


# what is refused, and leaves nothing


def _without_document() -> ProvideRequest:
    request = provide(b"one", b"two")
    return replace(request, documents=request.documents[:1])


def _without_entry() -> ProvideRequest:
    request = provide(b"one")
    return replace(request, documents=(*request.documents, Document("other", staged())))


def _two_documents_for_one_entry() -> ProvideRequest:
    request = provide(b"one")
    return replace(request, documents=request.documents * 2)


def _one_document_for_two_entries() -> ProvideRequest:
    entries = [document_entry(b"one", entry_uuid="same") for _ in range(2)]
    return ProvideRequest(submission(entries), (Document("same", staged(b"one")),))


def _same_unique_id(kind: str) -> ProvideRequest:
    request = provide(b"one", b"two")
    taken = request.submission.entries[1].unique_id
    if kind == "entry":
        return entry_of(request, unique_id=taken)
    changes = (
        {"submission_sets": (submission_set(unique_id=OID(str(taken))),)}
        if kind == "set"
        else {"folders": (folder(unique_id=OID(str(taken))),)}
    )
    return replace(request, submission=replace(request.submission, **changes))


OTHER_SHA1 = SHA1(staged(b"other").sha1)

REFUSED = {
    "entry without document": (_without_document, [XDSMissingDocument], "REG-020"),
    "document without entry": (_without_entry, [XDSMissingDocumentMetadata], "REG-021"),
    "second document": (_two_documents_for_one_entry, [XDSMissingDocumentMetadata], "REG-021"),
    "id of two entries": (_one_document_for_two_entries, [XDSMissingDocument], "REG-020"),
    "stray attachment": (
        lambda: replace(provide(), strays=("part@example",)),
        [XDSMissingDocumentMetadata],
        "part@example",
    ),
    "wrong hash": (
        lambda: entry_of(provide(b"abc"), hash=OTHER_SHA1),
        [XDSRepositoryMetadataError],
        "REG-022",
    ),
    "no hash at all": (
        lambda: entry_of(provide(b"abc"), hash=SHA1("x")),
        [XDSRepositoryMetadataError],
        "REG-022",
    ),
    "wrong size": (
        lambda: entry_of(provide(b"abc"), size=Size("4")),
        [XDSRepositoryMetadataError],
        "REG-023",
    ),
    "no number": (
        lambda: entry_of(provide(b"abc"), size=Size("3.0")),
        [XDSRepositoryMetadataError],
        "REG-023",
    ),
    "wrong hash and size": (
        lambda: entry_of(provide(b"abc"), hash=OTHER_SHA1, size=Size("4")),
        [XDSRepositoryMetadataError] * 2,
        "REG-022",
    ),
    "no uniqueId": (
        lambda: entry_of(provide(), unique_id=None),
        [XDSRepositoryMetadataError],
        "uniqueId: required, missing",
    ),
    "uniqueId with control characters": (
        lambda: entry_of(provide(), unique_id=Identifier("1.2\n3")),
        [XDSRepositoryMetadataError],
        "SEC-T-112",
    ),
    "uniqueId of 4,000 characters": (
        lambda: entry_of(provide(), unique_id=Identifier("1" * 4000)),
        [XDSRepositoryMetadataError],
        "SEC-T-112",
    ),
    "uniqueId of two entries": (
        lambda: _same_unique_id("entry"),
        [XDSRepositoryDuplicateUniqueIdInMessage],
        "REG-026",
    ),
    "uniqueId of entry and set": (
        lambda: _same_unique_id("set"),
        [XDSRepositoryDuplicateUniqueIdInMessage],
        "REG-026",
    ),
    "uniqueId of entry and folder": (
        lambda: _same_unique_id("folder"),
        [XDSRepositoryDuplicateUniqueIdInMessage],
        "REG-026",
    ),
}


@pytest.mark.proves(
    "REG-003",
    "REG-020",
    "REG-021",
    "REG-022",
    "REG-023",
    "REG-026",
    "SEC-T-095",
    "SEC-T-106",
    "SEC-T-111",
    "SEC-T-112",
)
@pytest.mark.parametrize(("make", "errors", "text"), REFUSED.values(), ids=REFUSED)
def test_a_submission_that_breaks_a_rule_leaves_nothing(
    holdings: Holdings,
    registry: ScriptedRegistry,
    make,
    errors,
    text,  # type: ignore[no-untyped-def]
) -> None:
    found = refused(make(), holdings, registry)
    assert [type(error) for error in found] == errors
    assert any(text in error.context for error in found)
    assert registry.seen == []
    assert_nothing_is_left(holdings)


@pytest.mark.proves("REG-024")
@pytest.mark.parametrize("source", [OID("1.2.9"), None], ids=["another", "none"])
def test_documents_of_listed_sources_alone(
    holdings: Holdings, registry: ScriptedRegistry, source: OID | None
) -> None:
    def send_from(source: OID | None, *sources: str) -> RegistryAnswer:
        sent = provide()
        one = replace(sent.submission.submission_set, source_id=source)
        sent = replace(sent, submission=replace(sent.submission, submission_sets=(one,)))
        return iti41.provide(sent, CALL, holdings, registry.register, sources=sources)

    with pytest.raises(ExceptionGroup) as caught:
        send_from(source, str(SOURCE), "1.2.3")
    (error,) = leaves(caught.value)
    assert isinstance(error, XDSRepositoryMetadataError)
    assert (error.rule, error.value) == ("REG-024", str(source or ""))
    assert_nothing_is_left(holdings)
    # whom the list names, and everybody where there is none
    assert send_from(SOURCE, str(SOURCE), "1.2.3") == send_from(source) == RegistryAnswer()


def test_all_findings_come_at_once(holdings: Holdings, registry: ScriptedRegistry) -> None:
    request = entry_of(provide(b"one", b"two"), size=Size("9"))
    request = replace(request, documents=request.documents[:1], strays=("part",))
    found = refused(request, holdings, registry)
    assert [type(error) for error in found] == [
        XDSMissingDocument,
        XDSMissingDocumentMetadata,
        XDSRepositoryMetadataError,
    ]


@pytest.mark.proves("SEC-T-112", "SEC-T-015")
@pytest.mark.parametrize(
    "unique_id",
    ["../../etc/passwd", "a/b", 'it\'s "one"', "'; DROP TABLE blob; --", "..", "%_*", "é" * 256],
)
def test_quotes_and_paths_in_a_uniqueid_are_plain_data(
    holdings: Holdings, registry: ScriptedRegistry, unique_id: str
) -> None:
    send(entry_of(provide(b"abc"), unique_id=Identifier(unique_id)), holdings, registry)
    assert reading.served(holdings, unique_id) == b"abc"
    (name,) = reading.names(holdings)
    assert set(name) <= set("0123456789abcdef")


@pytest.mark.proves("SEC-T-040")
@pytest.mark.parametrize(("limit", "is_good"), [(6, True), (5, False)])
def test_documents_together_above_the_limit_are_refused(
    make_holdings: MakeHoldings, registry: ScriptedRegistry, limit: int, is_good: bool
) -> None:
    holdings = make_holdings(limits=Limits(submission=limit))
    if is_good:
        send(provide(b"abc", b"def"), holdings, registry)
        return
    (error,) = refused(provide(b"abc", b"def"), holdings, registry)
    assert type(error) is XDSRepositoryError
    assert "limit of 5" in error.context
    assert_nothing_is_left(holdings)


@pytest.mark.proves("SEC-T-105")
def test_findings_of_the_reader_go_to_the_registry_in_the_process(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    finding = XDSRegistryMetadataError("slot", "twice", rule="MD-064", location="x")
    request = provide()
    request = replace(request, submission=replace(request.submission, findings=(finding,)))
    send(request, holdings, registry)
    assert registry.seen[0].findings == (finding,)


@pytest.mark.proves("SEC-T-105")
def test_findings_are_refused_here_when_the_registry_is_remote(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    finding = XDSRegistryMetadataError("slot", "twice", rule="MD-064", location="x")
    request = provide()
    request = replace(request, submission=replace(request.submission, findings=(finding,)))
    (error,) = refused(request, holdings, registry, is_remote=True)
    assert type(error) is XDSRepositoryMetadataError
    assert (error.context, error.location) == (finding.context, "x")
    assert registry.seen == []
    assert_nothing_is_left(holdings)


@pytest.mark.proves("REG-032", "REG-034", "REG-077")
def test_a_warning_of_the_reader_is_told_when_the_registry_is_remote(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    """The registry cannot see what the message to it no longer carries."""
    lost, theirs = XDSExtraMetadataNotSaved("a", "b"), XDSExtraMetadataNotSaved("c", "d")
    registry.warnings = (theirs,)
    for request in (provide(), ProvideRequest(submission(folders=[folder()]))):
        sent = replace(request, submission=replace(request.submission, findings=(lost,)))
        assert send(sent, holdings, registry, is_remote=True).errors == (lost, theirs)
        assert send(_again(sent), holdings, registry).errors == (theirs,)


def _again(request: ProvideRequest) -> ProvideRequest:
    """The same under another uniqueId of the set."""
    sets = submission_set(), *request.submission.submission_sets[1:]
    return replace(request, submission=replace(request.submission, submission_sets=sets))


# the same uniqueId again


@pytest.mark.proves("REG-025", "REG-030", "SEC-T-008", "REG-094")
def test_an_identical_document_is_taken_again_and_stored_once(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    first = provide(b"abc")
    send(first, holdings, registry)
    before = reading.names(holdings)
    again = entry_of(provide(b"abc"), unique_id=first.submission.entries[0].unique_id)
    send(again, holdings, registry)
    assert reading.names(holdings) == before
    assert len(registry.seen) == 2


@pytest.mark.proves("REG-025", "SEC-T-005", "SEC-T-107")
@pytest.mark.parametrize(
    ("content", "errors"),
    [
        (b"abd", [XDSNonIdenticalHash]),
        (b"abcd", [XDSNonIdenticalSize, XDSNonIdenticalHash]),
    ],
    ids=["hash", "hash and size"],
)
def test_other_octets_under_a_known_uniqueid_are_refused(
    holdings: Holdings, registry: ScriptedRegistry, content: bytes, errors: list[type]
) -> None:
    first = provide(b"abc")
    send(first, holdings, registry)
    unique_id = first.submission.entries[0].unique_id
    other = entry_of(provide(content), unique_id=unique_id)
    found = refused(other, holdings, registry)
    assert [type(error) for error in found] == errors
    assert {error.context for error in found} == {str(unique_id)}
    assert {error.location for error in found} == {other.submission.entries[0].entry_uuid}
    assert reading.served(holdings, str(unique_id)) == b"abc"
    assert len(reading.names(holdings)) == 1
    assert len(registry.seen) == 1


def test_a_document_whose_file_was_lost_is_taken_again(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    first = provide(b"abc")
    send(first, holdings, registry)
    (unique_id,) = ids(first)
    reading.file(holdings, unique_id).unlink()
    again = entry_of(provide(b"abc"), unique_id=Identifier(unique_id))
    send(again, holdings, registry)
    assert reading.served(holdings, unique_id) == b"abc"
    assert reading.names(holdings) == reading.recorded(holdings)


@pytest.mark.proves("SEC-T-005")
def test_of_many_different_documents_at_once_one_is_the_truth(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    for _ in range(5):
        unique_id = provide().submission.entries[0].unique_id
        contents = [bytes([n]) * (n % 3 + 1) for n in range(8)]
        start = threading.Barrier(8)

        def race(content: bytes) -> bytes | None:
            start.wait()  # noqa: B023 (used up in this round)
            try:
                send(entry_of(provide(content), unique_id=unique_id), holdings, registry)  # noqa: B023
            except ExceptionGroup as error:
                kinds = {type(each) for each in error.exceptions}
                assert kinds <= {XDSNonIdenticalHash, XDSNonIdenticalSize}
                return None
            return content

        with ThreadPoolExecutor(8) as threads:
            winners = [content for content in threads.map(race, contents) if content is not None]
        assert len(winners) == 1
        assert reading.served(holdings, str(unique_id)) == winners[0]
    assert reading.names(holdings) == reading.recorded(holdings)
    assert reading.staged(holdings) == []


@pytest.mark.proves("SEC-T-003", "SEC-T-008")
@pytest.mark.parametrize("round_", range(3))
def test_identical_submissions_at_once_keep_the_document_of_the_one_that_counts(
    holdings: Holdings, registry: ScriptedRegistry, round_: int
) -> None:
    request = provide(b"abc")
    together = threading.Barrier(4)
    registry.before = lambda: together.wait() and None

    def race(_: int) -> str:
        try:
            send(request, holdings, registry)
        except ExceptionGroup as error:
            return str(error.exceptions[0].code)  # type: ignore[union-attr]
        return "Success"

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(race, range(4)))
    assert answers == ["Success"] + ["XDSDuplicateUniqueIdInRegistry"] * 3
    assert reading.served(holdings, ids(request)[0]) == b"abc"
    assert len(reading.names(holdings)) == 1
    assert len(holdings.ledger.open_claims(1e12)) == 1, "the winner's, held with the next write"
    holdings.ledger.flush()
    assert holdings.ledger.open_claims(1e12) == ()


# what the registry says


@pytest.mark.proves("REG-034", "REG-036", "REG-132", "SEC-T-004")
def test_a_refusal_of_the_registry_undoes_the_storage(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    errors = [
        XDSUnknownPatientId("patient", "unknown", location="x"),
        XDSExtraMetadataNotSaved("slot", "not kept"),
        received("urn:foreign:error", "as it came", urns.SEVERITY_ERROR, "y"),
    ]
    registry.before = raising(ExceptionGroup("refused", errors))
    request = provide(b"one", b"two")
    assert refused(request, holdings, registry) == errors
    assert_nothing_is_left(holdings)
    registry.before = lambda: None
    send(request, holdings, registry)


@pytest.mark.proves("REG-034")
def test_errors_that_a_registry_returns_count_like_raised_ones(holdings: Holdings) -> None:
    error = XDSUnknownPatientId("patient", "unknown")

    def register(submission: Submission, call: Call) -> RegistryAnswer:
        return RegistryAnswer((error,))

    with pytest.raises(ExceptionGroup) as caught:
        iti41.provide(provide(), CALL, holdings, register)
    assert caught.value.exceptions == (error,)
    assert_nothing_is_left(holdings)


@pytest.mark.proves("REG-036", "SEC-T-003")
def test_a_refusal_keeps_what_an_earlier_submission_stored(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    first = provide(b"abc")
    send(first, holdings, registry)
    registry.before = raising(XDSUnknownPatientId("patient", "unknown"))
    again = entry_of(provide(b"abc", b"new"), unique_id=first.submission.entries[0].unique_id)
    refused(again, holdings, registry)
    assert reading.served(holdings, ids(first)[0]) == b"abc"
    assert reading.served(holdings, ids(again)[1]) is None
    assert len(reading.names(holdings)) == 1


@pytest.mark.proves("REG-035", "SEC-T-008", "SEC-T-003")
@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("reset"),
        TimeoutError("no answer"),
        XDSRegistryNotAvailable("registry", "does not answer"),
        ExceptionGroup("both", [XDSUnknownPatientId("x"), ValueError("broken answer")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_an_answer_the_document_stays_and_the_message_may_be_repeated(
    holdings: Holdings, registry: ScriptedRegistry, error: Exception
) -> None:
    registry.after = raising(error)
    request = provide(b"abc")
    found = refused(request, holdings, registry)
    assert [type(each) for each in found] == [XDSRegistryNotAvailable]
    assert reading.served(holdings, ids(request)[0]) == b"abc"
    registry.after = lambda: None
    (again,) = refused(request, holdings, registry)
    assert again.code == "XDSDuplicateUniqueIdInRegistry", "which tells that the first one arrived"
    assert reading.served(holdings, ids(request)[0]) == b"abc"


@pytest.mark.proves("SEC-T-017", "REG-034", "REG-035")
def test_a_registry_that_lost_its_database_leaves_the_outcome_open(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    lost = XDSRegistryError("database", "lost while it committed")
    registry.after = raising(lost)
    request = provide(b"abc")
    found = refused(request, holdings, registry)
    assert found[0] is lost
    assert [type(each) for each in found] == [XDSRegistryError, XDSRegistryNotAvailable]
    assert reading.served(holdings, ids(request)[0]) == b"abc"


@pytest.mark.proves("REG-034")
def test_a_busy_registry_refuses_for_sure(holdings: Holdings, registry: ScriptedRegistry) -> None:
    registry.before = raising(XDSRegistryBusy("registry", "too much"))
    assert [type(each) for each in refused(provide(), holdings, registry)] == [XDSRegistryBusy]
    assert_nothing_is_left(holdings)


def test_without_documents_a_silent_registry_is_told_too(
    holdings: Holdings, registry: ScriptedRegistry
) -> None:
    registry.before = raising(ConnectionError("reset"))
    request = ProvideRequest(submission(folders=[folder()]))
    assert [type(e) for e in refused(request, holdings, registry)] == [XDSRegistryNotAvailable]


# what the machine does


@pytest.mark.proves("SEC-T-016", "REG-038", "REG-039")
@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, XDSRepositoryOutOfResources), (errno.EIO, XDSRepositoryError)],
    ids=["ENOSPC", "EIO"],
)
def test_a_failure_at_any_call_refuses_and_leaves_nothing(
    make_holdings: MakeHoldings, number: int, expected: type
) -> None:
    fault, registry = FailingDisk(), ScriptedRegistry()
    holdings = make_holdings(fault.disk())
    request = provide(b"abc", bytes(2 << 20))
    before = reading.descriptors(holdings)
    failures = 0
    while not registry.seen:
        fault.arm(failures + 1, number)
        try:
            send(request, holdings, registry)
        except (XDSRepositoryError, XDSRepositoryOutOfResources) as error:
            failures += 1
            fault.arm()
            assert type(error) is expected  # noqa: PT017 (each of many)
            assert_nothing_is_left(holdings)
            assert reading.descriptors(holdings) == before
    assert failures >= 10, "every call until the ledger is reached"
    fault.arm()
    assert [reading.served(holdings, each) for each in ids(request)] == [b"abc", bytes(2 << 20)]


def test_a_file_that_cannot_be_removed_does_not_change_the_answer(
    make_holdings: MakeHoldings, registry: ScriptedRegistry
) -> None:
    fault = FailingDisk()
    holdings = make_holdings(fault.disk())
    registry.before = raising(XDSUnknownPatientId("patient", "unknown"))
    fault.arm(name="unlink")
    assert [type(e) for e in refused(provide(), holdings, registry)] == [XDSUnknownPatientId]
    assert reading.recorded(holdings) == set()
    assert len(reading.names(holdings)) == 1, "swept later"


@pytest.mark.proves("SEC-T-003", "SEC-T-016")
@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (OSError(errno.EMFILE, "no descriptor"), XDSRepositoryOutOfResources),
        (OSError(errno.EIO, "no answer"), XDSRepositoryError),
        (StoreAway(), XDSRepositoryError),
    ],
    ids=["EMFILE", "EIO", "store away"],
)
def test_a_known_document_that_cannot_be_looked_at_stays_as_it_is(
    holdings: Holdings,
    registry: ScriptedRegistry,
    monkeypatch: pytest.MonkeyPatch,
    problem: OSError,
    expected: type[XDSError],
) -> None:
    first = provide(b"abc")
    send(first, holdings, registry)
    (unique_id,) = ids(first)
    known = holdings.ledger.find([unique_id])
    again = entry_of(provide(b"abc"), unique_id=Identifier(unique_id))
    with monkeypatch.context() as patch:
        patch.setattr(holdings.store, "size", raising_with(problem))
        assert [type(each) for each in refused(again, holdings, registry)] == [expected]
    assert holdings.ledger.find([unique_id]) == known
    assert reading.served(holdings, unique_id) == b"abc"
    assert len(registry.seen) == 1
    send(again, holdings, registry)
    assert reading.served(holdings, unique_id) == b"abc"


@pytest.mark.proves("SEC-T-003")
def test_a_known_document_is_not_lost_because_another_store_is_in_its_place(
    holdings: Holdings, registry: ScriptedRegistry, quick_path: Path
) -> None:
    first = provide(b"abc")
    send(first, holdings, registry)
    (unique_id,) = ids(first)
    again = entry_of(provide(b"abc"), unique_id=Identifier(unique_id))
    place = quick_path / "store" / "documents"
    identity = quick_path / "store" / "identity"
    place.rename(quick_path / "away")
    for prefix in PREFIXES:
        (place / prefix).mkdir(parents=True)
    right = identity.read_text()
    identity.write_text("other")
    assert [type(each) for each in refused(again, holdings, registry)] == [XDSRepositoryError]
    assert len(registry.seen) == 1
    shutil.rmtree(place)
    (quick_path / "away").rename(place)
    identity.write_text(right)
    assert reading.served(holdings, unique_id) == b"abc"


@pytest.mark.proves("SEC-T-017")
def test_a_lost_ledger_refuses_before_anything_is_registered(
    holdings: Holdings, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings.ledger, "find", raising_with(XDSRepositoryError("database")))
    assert [type(e) for e in refused(provide(), holdings, registry)] == [XDSRepositoryError]
    assert registry.seen == []
    assert reading.names(holdings) == set()


@pytest.mark.proves("SEC-T-003")
def test_a_ledger_lost_while_committing_keeps_the_files_it_may_name(
    holdings: Holdings, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = holdings.ledger.claim

    def committed_but_unheard(*arguments, **options):  # type: ignore[no-untyped-def]
        real(*arguments, **options)
        raise XDSRepositoryError("database", "lost while it committed")

    monkeypatch.setattr(holdings.ledger, "claim", committed_but_unheard)
    request = provide(b"abc")
    refused(request, holdings, registry)
    assert reading.served(holdings, ids(request)[0]) == b"abc"
    monkeypatch.undo()
    send(request, holdings, registry)
    assert reading.served(holdings, ids(request)[0]) == b"abc"
    assert len(reading.names(holdings)) == 1


def test_claims_that_cannot_be_released_stay_open_for_later(
    holdings: Holdings, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.before = raising(XDSUnknownPatientId("patient", "unknown"))
    monkeypatch.setattr(holdings.ledger, "release", raising_with(XDSRepositoryError("database")))
    assert [type(e) for e in refused(provide(), holdings, registry)] == [XDSUnknownPatientId]
    assert len(holdings.ledger.open_claims(1e12)) == 1


def raising_with(error: Exception):  # type: ignore[no-untyped-def]
    def act(*arguments: object, **options: object) -> None:
        raise error

    return act
