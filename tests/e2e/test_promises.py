"""What a repository promises when things go wrong around it: races, a registry that does not
answer or is away, a full disk, a process that is killed.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from registry.schema import Kind
from repository.schema import HELD, OPEN
from tests import samples
from tests.e2e import nodes
from tests.e2e.nodes import Domain, Node
from tests.e2e.proxy import Relay
from tests.server import dialect
from xdsi.client import NoAnswer
from xdsi.model.messages import Document, ProvideRequest, Submission
from xdsi.model.values import CX, Identifier
from xdsi.standard import queries, transactions, urns
from xdsi.wire.parameters import many

MakeNode = Callable[..., Node]
QUICK = {"settle_seconds": 0.2}


def states(node: Node) -> list[str]:
    """Of all claims."""
    return [state for (state,) in node.select("repository", "SELECT state FROM claim")[0]]


def symbolic(content: bytes, patient: CX) -> ProvideRequest:
    """A submission whose objects have symbolic ids, so that it brings no UUIDs of its own."""
    entry = samples.document_entry(
        content,
        entry_uuid="Document01",
        patient_id=patient,
        hash=None,
        size=None,
        repository_unique_id=None,
    )
    one = samples.submission_set(entry_uuid="SubmissionSet01", patient_id=patient)
    member = samples.has_member(one, entry, entry_uuid="as01")
    sent = Submission((one,), (entry,), (), (member,))
    return ProvideRequest(sent, (Document("Document01", samples.staged(content)),))


def unique_id(request: ProvideRequest) -> str:
    return str(request.submission.entries[0].unique_id)


def codes(domain: Domain, request: ProvideRequest) -> list[str]:
    return [each.code for each in domain.provide(request).errors]


def registered(domain: Domain, request: ProvideRequest) -> int:
    """How many entries have the uniqueId."""
    slot = many("$XDSDocumentEntryUniqueId", [unique_id(request)])
    return len(domain.find(queries.GET_DOCUMENTS, slot))


@pytest.mark.proves("REG-031", "REG-036", "SEC-T-005", "SEC-T-008", "REG-090")
def test_of_two_identical_submissions_at_once_one_is_taken_and_stays_served(
    domain: Domain, patient: CX
) -> None:
    def provide(request: ProvideRequest) -> list[str]:
        return codes(domain, request)

    with ThreadPoolExecutor(2) as pool:
        for n in range(6):
            request = symbolic(b"the same %d" % n, patient)
            answers = sorted(pool.map(provide, (request, request)))
            assert answers == [[], ["XDSDuplicateUniqueIdInRegistry"]]
            id_ = unique_id(request)
            assert domain.retrieve(id_) == {id_: b"the same %d" % n}
            assert registered(domain, request) == 1
            # and once more, after the fact
            assert provide(request) == ["XDSDuplicateUniqueIdInRegistry"]
            assert domain.retrieve(id_) == {id_: b"the same %d" % n}


@pytest.mark.proves("SEC-T-005", "REG-025", "SEC-T-107")
def test_of_two_documents_with_one_id_at_once_one_is_taken(domain: Domain, patient: CX) -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(4):
            id_ = Identifier(samples.new_oid())
            both = [
                samples.provide(content, patient_id=patient, unique_id=id_)
                for content in (b"first", b"other")
            ]
            answers = list(pool.map(lambda each: codes(domain, each), both))
            assert sorted(answers) == [[], ["XDSNonIdenticalHash"]]
            winner = both[answers.index([])]
            content = b"first" if winner is both[0] else b"other"
            assert domain.retrieve(id_) == {str(id_): content}
            assert registered(domain, winner) == 1


@pytest.mark.proves("SEC-T-006", "REG-133")
def test_of_many_replacements_at_once_one_is_taken(domain: Domain, patient: CX) -> None:
    old = samples.provide(b"old", patient_id=patient)
    assert codes(domain, old) == []
    target = old.submission.entries[0].entry_uuid

    def replacing(n: int) -> ProvideRequest:
        request = samples.provide(b"new %d" % n, patient_id=patient)
        link = samples.association(urns.RPLC, request.submission.entries[0], target)
        links = (*request.submission.associations, link)
        return replace(request, submission=replace(request.submission, associations=links))

    requests_ = [replacing(n) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda each: codes(domain, each), requests_))
    assert sorted(answers) == [[], *[["XDSRegistryDeprecatedDocumentError"]] * 5]
    for request, answer in zip(requests_, answers, strict=True):
        assert registered(domain, request) == (not answer)
        assert bool(domain.retrieve(unique_id(request))) == (not answer)


@pytest.mark.proves("REG-035", "SEC-T-008", "SEC-T-004", "SEC-T-003", "REG-168", "SEC-T-001")
def test_registry_down_or_silent_after_it_committed(
    make_node: MakeNode, session: requests.Session, patient: CX
) -> None:
    registry = make_node({}, "repository").start()
    with Relay(registry.settings["server"]["port"]) as relay:
        repository = make_node(
            {
                "repository": {
                    "registry": f"http://127.0.0.1:{relay.port}/registry",
                    "settle_seconds": 0.2,
                },
                # claims are asked about once no request could still be running
                "limits": {"request_seconds": 3.0},
            },
            "registry",
        ).start()
        domain = Domain(repository, registry, session)
        # the registry commits, its answer is lost
        relay.loses.set()
        lost = symbolic(b"its answer is lost", patient)
        assert codes(domain, lost) == ["XDSRegistryNotAvailable"]
        assert relay.lost.is_set()
        assert registered(domain, lost) == 1
        id_ = unique_id(lost)
        assert domain.retrieve(id_) == {id_: b"its answer is lost"}  # SEC-T-003
        relay.loses.clear()
        # the registry commits and says nothing, the connection stays open
        relay.holds.set()
        held = symbolic(b"its answer never comes", patient)
        began = time.monotonic()
        assert codes(domain, held) == ["XDSRegistryNotAvailable"]
        assert time.monotonic() - began < 10  # request_seconds, and some
        relay.holds.clear()
        assert registered(domain, held) == 1
        # the registry is away
        assert registry.stop() == 0
        away = symbolic(b"sent in vain", patient)
        assert codes(domain, away) == ["XDSRegistryNotAvailable"]
        assert states(repository).count(OPEN) >= 1
        # it comes back: identical messages may be sent again, whatever became of the first
        registry.start()
        assert codes(domain, away) == []
        assert codes(domain, lost) == ["XDSDuplicateUniqueIdInRegistry"]
        assert codes(domain, held) == ["XDSDuplicateUniqueIdInRegistry"]
        for request in (lost, held, away):
            assert registered(domain, request) == 1
        # and every claim is settled
        nodes.wait_until(lambda: set(states(repository)) == {HELD}, 15)
        found = {
            unique_id(lost): b"its answer is lost",
            unique_id(held): b"its answer never comes",
            unique_id(away): b"sent in vain",
        }
        assert domain.retrieve(*found) == found
        assert repository.files()[1] == []
        assert repository.stop() == 0


@pytest.mark.proves("SEC-T-016", "SEC-T-018", "SEC-T-183", "REG-038", "REG-169")
def test_full_disk(make_node: MakeNode, session: requests.Session, patient: CX) -> None:
    node = make_node()
    node.store.mkdir(mode=0o700, exist_ok=True)
    mount = 'mount -t tmpfs -o size=64m,mode=700 tmpfs "$0" && exec "$@"'
    wrapper = ("unshare", "-rm", "sh", "-c", mount, str(node.store))
    try:
        subprocess.run([*wrapper, "true"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"needs the right to mount in a namespace of its own (unshare -rm): {error}")
    node.wrapper = wrapper
    node.start()
    domain = Domain(node, node, session)
    seen = Path(f"/proc/{node.pid}/root{node.store}")  # the node's own file system
    mib = 1 << 20

    def free() -> int:
        found = os.statvfs(seen)
        assert found.f_blocks * found.f_frsize == 64 * mib
        return found.f_bavail * found.f_frsize

    def files() -> list[Path]:
        return sorted(each for each in seen.rglob("*") if each.is_file() and each.name != "lock")

    kept = samples.provide(bytes(30 * mib), patient_id=patient)
    assert codes(domain, kept) == []
    domain.retrieve(unique_id(kept))
    rows, before, handles, names = domain.stored(), free(), domain.handles(), files()
    for _ in range(2):
        too_big = samples.provide(bytes(40 * mib), patient_id=patient)
        assert codes(domain, too_big) == ["XDSRepositoryOutOfResources"]
        assert dialect.wait_for(lambda: free() == before), "space is free again"
        assert (domain.stored(), files()) == (rows, names)
        assert domain.settles_to(handles)
    filler = seen / "filler"
    filler.write_bytes(bytes(before - mib))  # less than 2 % are left
    small = samples.provide(b"small", patient_id=patient)
    assert codes(domain, small) == ["XDSRepositoryOutOfResources"]
    assert domain.retrieve(unique_id(kept))  # what is there is still served
    assert domain.stored() == rows
    filler.unlink()
    assert codes(domain, small) == []
    assert domain.retrieve(unique_id(small)) == {unique_id(small): b"small"}


# killed at any moment


class Writers:
    """Threads that submit until told to stop, and remember what was acknowledged."""

    def __init__(self, domain: Domain, count: int) -> None:
        self.domain = domain
        self.acknowledged: dict[str, bytes] = {}
        self.doubtful: dict[str, bytes] = {}
        self.refused: list[list[str]] = []
        self._stop = Event()
        self._threads = [Thread(target=self._write, args=(n,)) for n in range(count)]
        for each in self._threads:
            each.start()

    def _write(self, number: int) -> None:
        content = b"%d " % number * (1 << (number % 8) * 2)
        while not self._stop.is_set():
            request = samples.provide(content, content + b"!", patient_id=samples.new_patient())
            sent = {
                str(entry.unique_id): data
                for entry, data in zip(
                    request.submission.entries, (content, content + b"!"), strict=True
                )
            }
            try:
                answer = self.domain.provide(request)
            except NoAnswer:
                self.doubtful |= sent
                time.sleep(0.05)
                continue
            if answer.errors:
                self.doubtful |= sent
                self.refused.append([each.code for each in answer.errors])
            else:
                self.acknowledged |= sent

    def stop_soon(self) -> None:
        self._stop.set()

    def stop(self) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(30)


def check(domain: Domain, written: Writers) -> None:
    """Nothing acknowledged is lost, nothing is there in half (SEC-T-001 to SEC-T-003)."""
    assert domain.retrieve(*written.acknowledged) == written.acknowledged
    kinds, ends, fragments, ids_ = domain.registry.select(
        "registry",
        "SELECT kind, COUNT(*) FROM object GROUP BY kind",
        "SELECT COUNT(*) FROM association",
        "SELECT COUNT(*) FROM fragment",
        f"SELECT unique_id FROM object WHERE kind = {Kind.DOCUMENT_ENTRY}",
    )
    # every submission of the writers is one set, two entries, two memberships
    count = dict(kinds)
    sets = count[Kind.SUBMISSION_SET]
    assert count == {
        Kind.SUBMISSION_SET: sets, Kind.DOCUMENT_ENTRY: 2 * sets, Kind.ASSOCIATION: 2 * sets
    }  # fmt: skip
    assert (ends, fragments) == ([(2 * sets,)], [(5 * sets,)])
    # every entry that is visible has its document
    names = [id_ for (id_,) in ids_]
    assert domain.retrieve(*names).keys() == set(names)


@pytest.mark.proves("SEC-T-001", "SEC-T-002", "SEC-T-003", "REG-130")
@pytest.mark.parametrize("kind", ["local", "remote"])
def test_killed_under_load_it_keeps_what_it_acknowledged(
    make_node: MakeNode, session: requests.Session, kind: str
) -> None:
    if kind == "local":
        node = make_node({"repository": QUICK}).start()
        domain, victims = Domain(node, node, session), [node] * 4
    else:
        registry = make_node({}, "repository").start()
        settings = {"repository": {"registry": f"{registry.address}/registry", **QUICK}}
        repository = make_node(settings, "registry").start()
        domain, victims = Domain(repository, registry, session), [repository, registry]
    for n, victim in enumerate(victims):
        writers = Writers(domain, 8)
        nodes.wait_until(lambda: len(writers.acknowledged) > 10, 20)  # noqa: B023
        time.sleep(0.07 * n)
        victim.stop(signal.SIGKILL)
        writers.stop_soon()
        victim.start()
        writers.stop()
        check(domain, writers)


@pytest.mark.proves("SEC-T-019", "SEC-T-001")
def test_told_to_end_under_load_it_finishes_what_it_took(
    make_node: MakeNode, session: requests.Session
) -> None:
    node = make_node().start()
    domain = Domain(node, node, session)
    writers = Writers(domain, 8)
    nodes.wait_until(lambda: len(writers.acknowledged) > 10, 20)
    # an upload that is half way when the signal comes is finished and acknowledged
    late = samples.provide(bytes(400_000), patient_id=samples.PATIENT)
    text = nodes.provide_body(late, [dialect.include("part0@test")])
    message = nodes.envelope(transactions.PROVIDE_AND_REGISTER, text)
    body = dialect.multipart(dialect.root(message), dialect.part(bytes(400_000), "<part0@test>"))
    whole = dialect.request("/repository", body, dialect.mtom_type())
    with dialect.Connection(node.address) as connection:
        connection.send(whole[:300_000])
        time.sleep(0.2)
        assert node.process is not None
        node.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.send(whole[300_000:])
        assert connection.receive().outcome == "Success"
    assert node.ended(20) == 0
    writers.stop()
    assert writers.refused == []
    node.start()
    writers.acknowledged[unique_id(late)] = bytes(400_000)
    assert domain.retrieve(*writers.acknowledged) == writers.acknowledged
    assert set(states(node)) == {HELD}
    assert node.files()[1] == []
