"""A strict node that lives by its HL7 v2 feed: one process on SQLite, several on PostgreSQL."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.feed import SENDER, Ack, Mllp, adt
from tests.node import AUTHORITY, Node, change, free_port, fresh_patient, init, serving, wait_for
from tests.samples import new_oid
from xdsi.app import list_patients, migrate
from xdsi.cli import main
from xdsi.client import compose
from xdsi.config import addresses, load
from xdsi.model.discovery import DiscoveryRequest, PatientQuery, PersonName
from xdsi.model.errors import leaves
from xdsi.model.identity import (
    Acknowledgement,
    Act,
    IdentityEvent,
    IdentityMessage,
    InstanceId,
    Wrapper,
)
from xdsi.model.manifest import IssuedId
from xdsi.model.values import CX, OID, HomeCommunityId
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.plug import Call
from xdsi.standard.transactions import (
    PATIENT_ADDED,
    PATIENT_DISCOVERY,
    PATIENT_MERGED,
    PATIENT_REVISED,
    Transaction,
)

OWN = "1.2.3.9"
HOME, ASKING = HomeCommunityId(f"urn:oid:{OWN}"), HomeCommunityId("urn:oid:1.2.4.9")


def configured(folder: Path) -> Path:
    """A node that refuses unknown patients and takes a feed."""
    config = init(folder)
    with config.open("a") as file:
        file.write(f'[gateway]\nhome_community_id = "{OWN}"\n')
    return change(
        config,
        unknown_patients='"refuse"',
        feed_port=str(free_port()),
        feed_senders=f'["{SENDER}"]',
        authority_namespaces=f'["INVENTED={AUTHORITY}"]',
        feed_v3="true",
        feed_devices='["1.2.3.4.5"]',
        match='"exact"',
        home_community_id=f'"{OWN}"',
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    config = configured(tmp_path_factory.mktemp("feed") / "node")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_server").create()
        text = config.read_text()
        for name in ("registry", "repository", "imaging"):
            text = text.replace(f'"sqlite:///{name}.db"', f'"{url}"')
        config.write_text(text.replace("[server]\n", "[server]\nworkers = 2\n"))
        migrate(load(config))
    with serving(config) as running:
        yield running


def port(node: Node) -> int:
    section = node.settings.registry
    assert section is not None and section.feed_port is not None
    return section.feed_port


def tell(node: Node, message: str) -> Ack:
    with Mllp(port(node)) as feed:
        return feed.ask(message)


def tell_v3(
    node: Node, row: Transaction, event: IdentityEvent, sender: str = "1.2.3.4.5"
) -> Acknowledgement:
    wrapper = Wrapper(InstanceId(new_oid()), InstanceId(sender), InstanceId("1.2.3.4.6"))
    with open_session() as session:
        caller = Caller(row, f"{node.base}/registry", session)
        answer = caller(IdentityMessage(wrapper, event), Call.internal())
    assert isinstance(answer, Acknowledgement) and answer.wrapper == wrapper
    return answer


def submit(node: Node, patient: CX, folder: Path) -> list[str]:
    """Codes of the answer to a document for a patient; none: it is registered."""
    file = folder / "note.txt"
    file.write_text("An invented note.\n")
    wishes = compose.Wishes(patient=patient, source_id=OID("1.2.3.4.5"))
    with node.source() as source:
        try:
            source.provide(compose.provide_request([file], wishes))
        except ExceptionGroup as error:
            return [getattr(each, "code", repr(each)) for each in leaves(error)]
    return []


def count(node: Node, patient: CX) -> int:
    with node.consumer() as consumer:
        return len(consumer.find_documents(patient))


@pytest.mark.proves("PIF-001", "PIF-003", "PIF-017", "PIF-022", "PIF-023", "PIF-024")
def test_only_what_the_feed_brought_may_have_documents(node: Node, tmp_path: Path) -> None:
    patient = fresh_patient()
    unknown = ["XDSUnknownPatientId"]
    assert submit(node, patient, tmp_path) == unknown
    for message in (
        adt("A08", str(patient)),
        adt("A01", f"{patient.id}^^^ELSEWHERE"),
        adt("A01", f"{patient.id}^^^&9.9.9&ISO"),
    ):
        assert tell(node, message).code == "AA"
        assert submit(node, patient, tmp_path) == unknown
    answer = tell(node, adt("A01", f"{patient.id}^^^INVENTED&9.9.9&ISO"))
    assert answer.code == "AE" and answer.conditions == [("", "204")]
    assert submit(node, patient, tmp_path) == unknown
    for event in ("A04", "A01", "A05"):
        assert tell(node, adt(event, f"8^^^ELSEWHERE~{patient.id}^^^INVENTED")).code == "AA"
        assert submit(node, patient, tmp_path) == []
    assert count(node, patient) == 3


@pytest.mark.proves("PIF-032", "PIF-034", "PIF-035", "PIF-036", "PIF-053", "REG-081")
def test_a_merge_shows_in_queries_and_submissions(node: Node, tmp_path: Path) -> None:
    old, new, last = fresh_patient(), fresh_patient(), fresh_patient()
    with Mllp(port(node)) as feed:
        for patient in (old, new, last):
            assert feed.ask(adt("A01", str(patient))).code == "AA"
            assert submit(node, patient, tmp_path) == []
        assert feed.ask(adt("A40", str(new), mrg=str(old))).code == "AA"
        assert (count(node, old), count(node, new), count(node, last)) == (0, 2, 1)
        assert submit(node, old, tmp_path) == ["XDSUnknownPatientId"]
        assert submit(node, new, tmp_path) == []
        assert feed.ask(adt("A40", str(last), mrg=f"{new.id}^^^INVENTED")).code == "AA"
        assert (count(node, new), count(node, last)) == (0, 4)
        for message in (
            adt("A40", str(last), mrg=str(old)),
            adt("A40", str(old), mrg=str(last)),
            adt("A40", str(last), mrg=str(last)),
            adt("A40", str(last), mrg=str(fresh_patient())),
            adt("A40", str(fresh_patient()), mrg=str(last)),
            adt("A40", str(last), mrg="7^^^&9.9.9&ISO"),
            adt("A01", str(old)),
        ):
            answer = feed.ask(message)
            assert answer.code == "AE" and answer.conditions[0][1] in ("204", "205")
        assert (count(node, new), count(node, last)) == (0, 4)


@pytest.mark.proves(
    *("PIF-060", "PIF-061", "PIF-062", "PIF-069", "PIF-070", "PIF-071", "PIF-073", "WS-011")
)
def test_hl7_v3_feeds_the_same_patients(node: Node, tmp_path: Path) -> None:
    old, new = fresh_patient(), fresh_patient()
    ids = {each: IssuedId(each.id, "", each.authority, "ISO") for each in (old, new)}

    tell = partial(tell_v3, node)
    assert not tell(PATIENT_ADDED, IdentityEvent(Act.ADD, (ids[old],)), "9.9.9").is_accepted
    assert submit(node, old, tmp_path) == ["XDSUnknownPatientId"]
    assert tell(PATIENT_ADDED, IdentityEvent(Act.ADD, (ids[old],))).is_accepted
    assert tell(PATIENT_REVISED, IdentityEvent(Act.REVISE, (ids[new],))).is_accepted
    for each in (old, new):
        assert submit(node, each, tmp_path) == []
    merge = IdentityEvent(Act.MERGE, (ids[new],), (ids[old],))
    assert tell(PATIENT_MERGED, merge).is_accepted
    assert (count(node, old), count(node, new)) == (0, 2)
    refused = tell(PATIENT_MERGED, merge)
    assert [each.code for each in refused.errors] == ["XDSUnknownPatientId"]
    assert "[PIF-032]" in refused.errors[0].context


@pytest.mark.proves("XC-009", "XC-090", "XC-100", "XC-107", "SEC-T-059")
@pytest.mark.parametrize("path", ["registry", "gateway/responding"])
def test_a_patient_of_the_feed_is_discovered(node: Node, path: str) -> None:
    patient, name = fresh_patient(), f"Example{uuid4().hex[:8]}"
    assert tell(node, adt("A01", str(patient), name=f"{name}^Erika")).code == "AA"
    query = PatientQuery(InstanceId("1.2.4.5", "Q"), (PersonName(name, "Erika"),), "19700101", "F")
    wrapper = Wrapper(InstanceId(new_oid()), InstanceId("1.2.4"), InstanceId("1.2.3"), "P", ASKING)
    with open_session() as session:
        caller = Caller(PATIENT_DISCOVERY, f"{node.base}/{path}", session)
        answer = caller(DiscoveryRequest(query, wrapper), Call.internal())
        nobody = replace(query, names=(PersonName("No", "Body"),))
        none = caller(DiscoveryRequest(nobody, wrapper), Call.internal())
        vague = caller(DiscoveryRequest(replace(query, names=()), wrapper), Call.internal())
    (match,) = answer.matches
    assert (match.id, match.home) == (IssuedId(patient.id, "", patient.authority, "ISO"), HOME)
    assert (match.demographics.family, match.demographics.city, match.degree) == (name, "Town", 100)
    assert answer.query == query and answer.wrapper == replace(wrapper, receiver_home=HOME)
    assert (none.status, none.matches, none.errors) == ("Success", (), ())
    assert (vague.status, vague.problem) == ("Failure", "AnswerNotAvailable")
    lines = [each for each in node.requests("ITI-55") if each["path"] == f"/{path}"]
    assert [each["status"] for each in lines] == ["Success", "Success", "Failure"]
    assert name not in node.log_file.read_text()


def test_many_connections_feed_at_once(node: Node) -> None:
    patients = [fresh_patient() for _ in range(40)]

    def bring(some: list[CX]) -> list[str]:
        with Mllp(port(node)) as feed:
            return [feed.ask(adt("A04", str(each))).code for each in some]

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(bring, [patients[at::8] for at in range(8)]))
    assert codes == [["AA"] * 5] * 8
    known = {each.id for each in list_patients(node.settings)}
    assert set(patients) <= known


@pytest.mark.proves("PIF-005")
def test_a_stranger_changes_nothing(node: Node) -> None:
    patient = fresh_patient()
    answer = tell(node, adt("A01", str(patient), f3="STRANGER"))
    assert answer.code == "AR"
    assert patient not in {each.id for each in list_patients(node.settings)}


def test_recorded_messages_are_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, folder = configured(tmp_path / "node"), tmp_path / "record"
    patient = fresh_patient()
    own = IssuedId(patient.id, "", patient.authority, "ISO")
    with serving(config, "--record", str(folder)) as node:
        tell_v3(node, PATIENT_ADDED, IdentityEvent(Act.ADD, (own,)))
        tell_v3(node, PATIENT_MERGED, IdentityEvent(Act.MERGE, (own,), (own,)))
        tell(node, adt("A01", str(patient)))
        with open_session() as session:
            query = DiscoveryRequest(PatientQuery(InstanceId("1.2.4.5", "Q"), ids=(own,)))
            answer = Caller(PATIENT_DISCOVERY, f"{node.base}/registry", session)(
                query, Call.internal()
            )
        assert [each.id for each in answer.matches] == [own]
        assert wait_for(lambda: len(list(folder.glob("*.txt"))) == 4)
        for name, code in (("ITI-44-301", 0), ("ITI-44-304", 0), ("ITI-8", 2), ("ITI-55", 0)):
            file = min(folder.glob(f"*-{name}-*"))
            assert main(["replay", str(file), "--config", str(config)]) == code
    said = capsys.readouterr()
    assert said.out.count("the same") == 3 and "PIF-032" in said.out
    assert "MLLP client" in said.err


@pytest.mark.proves("PIF-017")
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    config = configured(tmp_path / "node")
    patient, gone = fresh_patient(), fresh_patient()
    with serving(config) as node:
        served = addresses(node.settings, node.base)
        assert served["feed"] == f"mllp://127.0.0.1:{port(node)}"
        with Mllp(port(node)) as feed:
            for message in (adt("A01", str(patient)), adt("A01", str(gone)),
                            adt("A40", str(patient), mrg=str(gone))):  # fmt: skip
                assert feed.ask(message).code == "AA"
            node.process.send_signal(signal.SIGKILL)
            node.process.wait(10)
    found = {each.id: (each.state, each.survivor) for each in list_patients(load(config))}
    assert found == {patient: ("active", None), gone: ("merged", patient)}
