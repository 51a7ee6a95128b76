"""The actor as the assembly sees it: routes, readiness, patients."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from lxml import etree

import registry
from registry import MIGRATIONS, patients
from registry.known import Domain
from tests import samples
from tests.databases import PostgreSQL
from xdsi.config import REGISTRY_OPTIONS, ConfigurationError, Limits, from_mapping
from xdsi.config import Registry as Settings
from xdsi.model.errors import XDSError, leaves
from xdsi.model.messages import QueryRequest
from xdsi.model.values import CX
from xdsi.plug import CODECS, Actor, Call
from xdsi.standard import queries, urns
from xdsi.standard.transactions import REGISTER, REGISTER_ON_DEMAND, STORED_QUERY
from xdsi.units import engine, migrate
from xdsi.wire.parameters import many, single

Made = Callable[..., Actor]


@pytest.fixture
def actor(database: str) -> Iterator[Made]:
    made: list[Actor] = []

    def make(limits: Limits = Limits(), **settings: Any) -> Actor:
        one = engine(database, statement_seconds=limits.statement_seconds)
        migrate(one, MIGRATIONS)
        made.append(registry.actor(Settings(**settings), limits, one))
        return made[-1]

    yield make
    for each in made:
        each.close()


def over_the_wire(actor: Actor, transaction: Any, request: Any) -> Any:
    """What a caller elsewhere gets, through both codecs."""
    codec = CODECS[transaction.id]
    (handler,) = (each.handler for each in actor.routes if each.transaction is transaction)
    read = codec.read_request(etree.fromstring(b"".join(codec.write_request(request))), {})
    try:
        answer = handler(read, Call.internal())
    except (XDSError, ExceptionGroup) as error:
        answer = codec.failure(tuple(leaves(error)))  # type: ignore[arg-type]
    return codec.read_answer(etree.fromstring(b"".join(codec.write_answer(answer))), {})


def test_it_serves_registration_and_queries(actor: Made) -> None:
    one = actor(unknown_patients="admit", without=())
    assert (one.name, one.path, one.contract) == ("registry", "/registry", "registry")
    served = {each.transaction.id for each in one.routes}
    assert served == {"ITI-18", "ITI-42", "ITI-51", "ITI-57", "ITI-61", "ITI-62", "ITI-92"}
    entry = samples.document_entry(patient_id=samples.new_patient())
    assert over_the_wire(one, REGISTER, samples.submission([entry])).status == urns.SUCCESS
    request = QueryRequest(
        queries.FIND_DOCUMENTS.id,
        (
            single("$XDSDocumentEntryPatientId", str(entry.patient_id)),
            many("$XDSDocumentEntryStatus", [urns.APPROVED]),
        ),
    )
    (found,) = over_the_wire(one, STORED_QUERY, request).objects
    assert found.unique_id == entry.unique_id


@pytest.mark.proves("LC-149")
def test_options_may_be_left_out(actor: Made) -> None:
    one = actor()  # nothing that changes what others have registered
    assert {each.transaction.id for each in one.routes} == {"ITI-18", "ITI-42", "ITI-51", "ITI-61"}
    one = actor(without=REGISTRY_OPTIONS)
    assert {each.transaction.id for each in one.routes} == {"ITI-18", "ITI-42"}
    one = actor(without=("on-demand",))
    assert REGISTER_ON_DEMAND not in {each.transaction for each in one.routes}
    with pytest.raises(ConfigurationError, match="'x' is none of"):
        from_mapping({"registry": {"without": ["x"]}}, Path())


@pytest.mark.proves("LC-072")
def test_the_configuration_says_whether_what_was_replaced_rests() -> None:
    assert Domain.of(Settings()).reapproves
    assert not Domain.of(Settings(replaced_documents="final")).reapproves


@pytest.mark.proves("REG-141")
def test_a_failure_carries_its_errors(actor: Made) -> None:
    one = actor(unknown_patients="refuse")
    answer = over_the_wire(one, REGISTER, samples.submission())
    assert answer.status == urns.FAILURE
    assert [each.code for each in answer.errors] == ["XDSUnknownPatientId"]
    answer = over_the_wire(one, STORED_QUERY, QueryRequest("x"))
    assert (answer.status, answer.objects) == (urns.FAILURE, ())


@pytest.mark.proves("REG-080", "PIF-001")
def test_a_patient_the_operator_added_is_known(actor: Made, database: str) -> None:
    settings = Settings(unknown_patients="refuse", assigning_authorities=(samples.PATIENT_DOMAIN,))
    one = actor(unknown_patients="refuse", assigning_authorities=settings.assigning_authorities)
    with_engine = engine(database)
    try:
        assert patients.add(with_engine, samples.PATIENT, settings)
        assert not patients.add(with_engine, samples.PATIENT, settings)
        assert patients.list_(with_engine) == (patients.Patient(samples.PATIENT, "active"),)
        for wrong, why in ((CX("17"), "expected"), (CX("17^^^&1.2.3&ISO"), "not of this domain")):
            with pytest.raises(XDSError, match=why):
                patients.add(with_engine, wrong, settings)
    finally:
        with_engine.dispose()
    assert over_the_wire(one, REGISTER, samples.submission()).status == urns.SUCCESS
    other = samples.submission([samples.document_entry(patient_id=samples.OTHER_PATIENT)])
    answer = over_the_wire(one, REGISTER, other)
    assert [each.code for each in answer.errors] == ["XDSUnknownPatientId"]


@pytest.mark.proves("PIF-006")
def test_admitting_stops_at_foreign_authorities(actor: Made) -> None:
    one = actor(unknown_patients="admit", assigning_authorities=(samples.PATIENT_DOMAIN,))
    assert over_the_wire(one, REGISTER, samples.submission()).status == urns.SUCCESS
    entry = samples.document_entry(patient_id=CX("17^^^&1.2.3&ISO"))
    answer = over_the_wire(one, REGISTER, samples.submission([entry]))
    assert [each.code for each in answer.errors] == ["XDSUnknownPatientId"]
    assert "not of this domain" in answer.errors[0].context


@pytest.mark.proves("REG-130")
def test_a_refused_submission_admits_no_patient(actor: Made, database: str) -> None:
    one = actor(unknown_patients="admit")
    bad = samples.submission([samples.document_entry(class_code=None)])
    assert over_the_wire(one, REGISTER, bad).status == urns.FAILURE
    with_engine = engine(database)
    assert patients.list_(with_engine) == ()
    with_engine.dispose()


@pytest.mark.proves("SEC-T-017")
def test_a_lost_database_shows_in_readiness_and_answers_and_heals(
    own_postgresql: PostgreSQL,
) -> None:
    one = engine(own_postgresql.create())
    migrate(one, MIGRATIONS)
    actor = registry.actor(Settings(unknown_patients="admit"), Limits(), one)
    try:
        assert actor.ready() == ()
        own_postgresql.stop()
        try:
            (problem,) = actor.ready()
            assert "cannot be reached" in problem
            began = monotonic()
            answer = over_the_wire(actor, REGISTER, samples.submission())
            assert [each.code for each in answer.errors] == ["XDSRegistryError"]
            request = QueryRequest(
                queries.GET_DOCUMENTS.id, (single("$XDSDocumentEntryUniqueId", "1.2"),)
            )
            answer = over_the_wire(actor, STORED_QUERY, request)
            assert [each.code for each in answer.errors] == ["XDSRegistryError"]
            assert monotonic() - began < 5
        finally:
            own_postgresql.start()
        assert actor.ready() == ()
        answer = over_the_wire(actor, REGISTER, samples.submission())
        assert answer.status == urns.SUCCESS
    finally:
        actor.close()
