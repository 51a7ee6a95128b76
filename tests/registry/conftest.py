"""A registry on each kind of database, shared by the tests of a session.

Samples bring new ids and `patient` is a new one for every test, so tests do not meet each other.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from registry import MIGRATIONS, iti18, iti42, iti51
from registry.codes import Codes
from registry.iti18 import Policy
from registry.known import Domain
from registry.search import Searches
from registry.unit import open_units
from tests import bodies, samples
from tests.databases import PostgreSQL
from xdsi.model.errors import XDSError, leaves
from xdsi.model.messages import QueryAnswer, QueryRequest, RegistryAnswer, Submission
from xdsi.model.objects import (
    Association,
    DocumentEntry,
    Folder,
    ObjectRef,
    RegistryObject,
    Slot,
    SubmissionSet,
)
from xdsi.model.values import CX
from xdsi.plug import Call
from xdsi.standard import queries, urns
from xdsi.standard.namespaces import RIM
from xdsi.standard.queries import StoredQuery
from xdsi.units import engine, migrate
from xdsi.wire import query as wire
from xdsi.wire.parameters import many, number, single

DOMAIN = Domain(admits=True)
Submitting = Callable[..., RegistryAnswer]


class Registry:
    """The handlers, called as functions."""

    def __init__(self, url: str) -> None:
        self.engine = engine(url)
        migrate(self.engine, MIGRATIONS)
        self.units = open_units(self.engine)
        self.codes = Codes(self.units)
        self.searches = Searches(self.engine.dialect)
        self.call = Call.internal(3600)

    def close(self) -> None:
        self.units.close()
        self.engine.dispose()

    def register(
        self, submission: Submission, domain: Domain = DOMAIN, by: Submitting = iti42.register
    ) -> RegistryAnswer:
        """by: the handler of another transaction with the same request."""
        return by(submission, self.call, self.units, self.codes, domain)

    def refused(
        self, submission: Submission, domain: Domain = DOMAIN, by: Submitting = iti42.register
    ) -> list[tuple[str, str]]:
        """(code, rule) of all findings."""
        return [(each.code, each.rule) for each in self.errors(submission, domain, by)]

    def errors(
        self, submission: Submission, domain: Domain = DOMAIN, by: Submitting = iti42.register
    ) -> list[XDSError]:
        with pytest.raises(ExceptionGroup) as caught:
            self.register(submission, domain, by)
        found = list(leaves(caught.value))
        assert all(isinstance(each, XDSError) for each in found), found
        return found  # type: ignore[return-value]

    def ask(
        self,
        query: StoredQuery,
        *slots: Slot,
        returns: str | None = "LeafClass",
        policy: Policy = Policy(),
        home: str | None = None,
    ) -> QueryAnswer:
        request = QueryRequest(query.id, slots, returns, home)
        find = iti51.find if query.id in queries.MULTI_PATIENT_QUERIES else iti18.find
        return find(request, self.call, self.units, self.codes, self.searches, policy)

    def find(self, query: StoredQuery, *slots: Slot) -> list[RegistryObject]:
        """Objects as a consumer reads them."""
        body = bodies.inline(wire.answer_to_xml(self.ask(query, *slots)))
        answer = wire.answer_from_xml(body, {})
        assert answer.errors == ()
        return list(answer.objects)  # type: ignore[arg-type]

    def ids(self, query: StoredQuery, *slots: Slot) -> list[str]:
        """UUIDs as LeafClass and, the same ones, as ObjectRef (SQ-074)."""
        leafs = [each.entry_uuid for each in self.find(query, *slots)]
        refs = self.ask(query, *slots, returns="ObjectRef").objects
        assert [each.id for each in refs if isinstance(each, ObjectRef)] == leafs
        assert len(set(leafs)) == len(leafs)
        return leafs

    def everything(self, patient: CX) -> list[RegistryObject]:
        """All objects of a patient and all associations at them."""
        return self.find(queries.GET_ALL, *all_of(patient))

    def history(self, patient: CX) -> list[RegistryObject]:
        """As `everything`, with what updates have hidden."""
        both = many("$XDSAssociationStatus", STATUSES)
        return self.find(queries.GET_ALL, *all_of(patient), LEVEL_2, both)

    def entry(self, uuid: str) -> DocumentEntry:
        slot = single("$XDSDocumentEntryEntryUUID", uuid)
        (one,) = self.find(queries.GET_DOCUMENTS, slot, LEVEL_2)
        assert isinstance(one, DocumentEntry)
        return one

    def status(self, uuid: str) -> str | None:
        return self.entry(uuid).status

    def folder(self, uuid: str) -> Folder:
        (one,) = self.find(queries.GET_FOLDERS, single("$XDSFolderEntryUUID", uuid), LEVEL_2)
        assert isinstance(one, Folder)
        return one

    def associations(self, *uuids: str) -> list[Association]:
        """All associations at these objects."""
        found = self.find(queries.GET_ASSOCIATIONS, many("$uuid", uuids))
        return [each for each in found if isinstance(each, Association)]


STATUSES = (urns.APPROVED, urns.DEPRECATED)
LEVEL_2 = number("$MetadataLevel", "2")


def all_of(patient: CX) -> tuple[Slot, ...]:
    """Arguments of GetAll for everything."""
    return (
        single("$patientId", str(patient)),
        *(
            many(f"$XDS{kind}Status", STATUSES)
            for kind in ("DocumentEntry", "SubmissionSet", "Folder")
        ),
        many("$XDSDocumentEntryType", (urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT)),
    )


def by_kind(objects: list[RegistryObject]) -> dict[type, int]:
    kinds: dict[type, int] = {}
    for each in objects:
        kinds[type(each)] = kinds.get(type(each), 0) + 1
    return kinds


@pytest.fixture(scope="session")
def sqlite_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder: Path = tmp_path_factory.mktemp("registry")
    one = Registry(f"sqlite:///{folder / 'registry.db'}")
    yield one
    one.close()


@pytest.fixture(scope="session")
def postgresql_registry(postgresql_server: PostgreSQL) -> Iterator[Registry]:
    one = Registry(postgresql_server.create())
    yield one
    one.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest) -> Registry:
    one: Registry = request.getfixturevalue(f"{request.param}_registry")
    return one


@pytest.fixture
def patient() -> CX:
    return samples.new_patient()


class Maker:
    """Samples of one patient."""

    def __init__(self, patient: CX) -> None:
        self.patient = patient

    def entry(self, content: bytes = samples.CONTENT, **changes: Any) -> DocumentEntry:
        return samples.document_entry(content, **{"patient_id": self.patient, **changes})

    def on_demand(self, **changes: Any) -> DocumentEntry:
        given = {"creation_time": None, "hash": None, "size": None}
        return self.entry(**{"object_type": urns.ON_DEMAND_DOCUMENT, **given, **changes})

    def folder(self, **changes: Any) -> Folder:
        return samples.folder(**{"patient_id": self.patient, **changes})

    def set(self, **changes: Any) -> SubmissionSet:
        return samples.submission_set(**{"patient_id": self.patient, **changes})

    def submission(self, entries: Any = (), **parts: Any) -> Submission:
        parts.setdefault("set_", self.set())
        if not entries and not parts.keys() & {"folders", "associations", "filed", "references"}:
            entries = [self.entry()]
        return samples.submission(entries, **parts)


@pytest.fixture
def make(patient: CX) -> Maker:
    return Maker(patient)


@pytest.fixture
def elements() -> Callable[[bytes], Any]:
    """Reads a fragment as an element."""
    return lambda xml: etree.fromstring(b'<x xmlns:rim="%s">%s</x>' % (RIM.encode(), xml))[0]
