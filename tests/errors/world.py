"""A registry and a repository with something in them, asked the way the server asks them.

Stored through the transactions, but for what none of them brings: an entry in a Folder of another
patient, which is written into the tables.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lxml import etree
from sqlalchemy import select, update

import registry
import repository
from registry import patients
from registry.schema import metadata, object_, patient
from repository.schema import BLOB
from tests import samples
from tests.errors import stored
from tests.errors.message import Message
from tests.registry.conftest import Maker
from tests.registry.updates import request
from xdsi import config
from xdsi.config import Limits
from xdsi.model.messages import Document, ProvideRequest, Submission
from xdsi.model.objects import DocumentEntry, Folder
from xdsi.model.values import CX, OID, Identifier
from xdsi.plug import CODECS, Actor, Call
from xdsi.server.exchange import Exchange
from xdsi.server.faults import answered, read
from xdsi.standard import urns
from xdsi.standard.namespaces import RS
from xdsi.standard.transactions import (
    REGISTER,
    REGISTER_ON_DEMAND,
    STORED_QUERY,
    UPDATE,
    Transaction,
)
from xdsi.units import engine, migrate

CODES = Path(__file__).parents[1] / "codes.xml"
# numbers of codes are no content: they may outlive what they were given for
_CONTENT = [
    select(each).order_by(*each.primary_key.columns)
    for each in metadata.sorted_tables
    if each.name != "code"
]
_BLOBS = select(BLOB.c.name).order_by(BLOB.c.name)
STRICT: Any = {
    name: "strict" for name in config.ValueSets.__dataclass_fields__ if name != "files"
}  # fmt: skip
MIME_TYPES = ("text/plain", "application/dicom")


@dataclass(frozen=True, slots=True)
class Said:
    """One RegistryError as it stands in the answer."""

    code: str
    context: str
    severity: str
    location: str

    @property
    def rule(self) -> str:
        """The rule at the end of the context; empty where the standard fixes the text."""
        return self.context.rpartition("[")[2].rstrip("]") if self.context.endswith("]") else ""


class World:
    """Both actors and what they hold."""

    def __init__(self, folder: Path) -> None:
        limits = Limits()
        settings = config.Registry(
            without=(),
            assigning_authorities=(stored.PATIENT_DOMAIN,),
            repositories=(str(samples.REPOSITORY),),
            mime_types=MIME_TYPES,
            value_sets=config.ValueSets((CODES,), **STRICT),
        )
        self.documents = folder / "documents"
        self.engine = engine(f"sqlite:///{folder / 'registry.db'}")
        migrate(self.engine, registry.MIGRATIONS)
        self.registry = registry.actor(settings, limits, self.engine)
        self.ledger = engine(f"sqlite:///{folder / 'repository.db'}")
        migrate(self.ledger, repository.MIGRATIONS)
        handlers = {route.transaction: route.handler for route in self.registry.routes}
        self.repository = repository.actor(
            config.Repository(str(samples.REPOSITORY), store=self.documents, free_bytes=0),
            limits,
            self.ledger,
            handlers[REGISTER],
            handlers[STORED_QUERY],
        )
        _fill(self, settings)
        self._content, self._files = self._read(), self._named()

    def close(self) -> None:
        self.repository.close()
        self.registry.close()

    def send(self, message: Message, transaction: Transaction) -> tuple[str, list[Said]]:
        """Status in a word, and the errors, read from the answer's own text."""
        actor: Actor = self.repository if transaction.carries_documents else self.registry
        (route,) = (each for each in actor.routes if each.transaction is transaction)
        body, parts = message.provided() if transaction.carries_documents else (message.root, {})
        # through text, so that nothing but what can be sent arrives
        sent = etree.fromstring(etree.tostring(body))
        request, refusal = read(route, sent, parts)
        outcome = answered(route, request, Call.internal(), Exchange(), refusal)
        (text,) = CODECS[transaction.id].write_answer(outcome)
        assert isinstance(text, bytes)
        return said(etree.fromstring(text))

    def has_changed(self, *, with_files: bool = True) -> bool:
        """Whether registry or repository hold anything else than at the last call.

        with_files: false after what the repository takes no part in: the files are not looked at
        """
        before, self._content = (self._content, self._files), self._read()
        if with_files:
            self._files = self._named()
        return before != (self._content, self._files)

    def _read(self) -> tuple[Any, ...]:
        """All rows; they come in the order of their keys."""
        with self.engine.connect() as connection:
            rows = [connection.execute(each).fetchall() for each in _CONTENT]
        with self.ledger.connect() as connection:
            rows.append(connection.execute(_BLOBS).fetchall())
        return tuple(rows)

    def _named(self) -> list[str]:
        """The names of all files."""
        return sorted(name for _, _, names in os.walk(self.documents) for name in names)

    def store(self, submission: Submission, content: bytes = samples.CONTENT) -> None:
        """Keep a submission through the repository, every entry with the same octets."""
        documents = [
            Document(each.entry_uuid, samples.staged(content)) for each in submission.entries
        ]
        (route, *_) = self.repository.routes
        request = ProvideRequest(submission, tuple(documents))
        assert route.handler(request, Call.internal()).errors == ()

    def tell(self, transaction: Transaction, submission: Submission) -> None:
        """Have the registry do a submission or an update."""
        (route,) = (each for each in self.registry.routes if each.transaction is transaction)
        assert route.handler(submission, Call.internal()).errors == ()


def said(answer: etree._Element) -> tuple[str, list[Said]]:
    """Status and errors of a RegistryResponse, whose frame is checked on the way (REG-140 ff.)."""
    assert answer.tag == f"{{{RS}}}RegistryResponse"
    status = answer.get("status", "")
    found = [
        Said(
            each.attrib["errorCode"],
            each.attrib["codeContext"],
            each.attrib["severity"],
            each.get("location", ""),
        )
        for each in answer.iter(f"{{{RS}}}RegistryError")
    ]
    is_failure = any(each.severity == urns.SEVERITY_ERROR for each in found)
    assert status == (urns.FAILURE if is_failure else urns.SUCCESS)
    lists = list(answer)
    assert len(lists) == bool(found)
    for each in lists:
        worst = urns.SEVERITY_ERROR if is_failure else urns.SEVERITY_WARNING
        assert each.get("highestSeverity", worst) == worst
        assert all(not one.text and not len(one) for one in each)
    return status.rpartition(":")[2], found


def _fill(world: World, settings: config.Registry) -> None:
    for each in (stored.PATIENT, stored.OTHER, stored.MERGED):
        patients.add(world.engine, each, settings)
    patients.merge(world.engine, stored.MERGED, stored.PATIENT, settings)
    _fill_by_repository(world)
    _fill_by_updates(world)
    # the rules let no transaction lead there (LC-059, LC-078, LC-083)
    with world.engine.begin() as connection:
        other = select(patient.c.id).where(patient.c.cx == str(stored.OTHER)).scalar_subquery()
        connection.execute(
            update(object_).where(object_.c.uuid == stored.STRAY_BOX).values(patient=other)
        )


def _entry(uuid: str, content: bytes = samples.CONTENT, **changes: Any) -> DocumentEntry:
    given = {"entry_uuid": uuid, "patient_id": stored.PATIENT, **changes}
    return samples.document_entry(content, **given)


def _box(uuid: str, patient_id: CX = stored.PATIENT, **changes: Any) -> Folder:
    return samples.folder(entry_uuid=uuid, patient_id=patient_id, **changes)


def _named(submission: Submission, *uuids: str) -> Submission:
    """With these ids for the first associations."""
    links = submission.associations
    named = (
        replace(each, entry_uuid=uuid) for each, uuid in zip(links, uuids, strict=False)
    )  # fmt: skip
    return replace(submission, associations=(*named, *links[len(uuids) :]))


def _fill_by_repository(world: World) -> None:
    of_one = samples.submission
    old, filed = _entry(stored.OLD, unique_id=Identifier(stored.OLD_ID)), _entry(stored.FILED)
    filled = _box(stored.BOX, unique_id=OID(stored.BOX_ID))
    shelf = _box(stored.SHELF, unique_id=OID(stored.SHELF_ID))
    closed = _box(stored.CLOSED, unique_id=OID(stored.CLOSED_ID))
    first = samples.submission(
        [old, filed],
        folders=[filled, shelf, closed, _box(stored.PILE)],
        filed=[(filled, old), (shelf, filed)],
        set_=samples.submission_set(
            entry_uuid=stored.FIRST_SET,
            unique_id=OID(stored.SET_ID),
            patient_id=stored.PATIENT,
        ),
    )
    world.store(_named(first, stored.LINK))
    for uuid in (stored.PLAIN, stored.TWIN):
        octets, value = stored.PLAIN_OCTETS, Identifier(stored.PLAIN_ID)
        world.store(of_one([_entry(uuid, octets, unique_id=value)]), octets)
    gone = _entry(stored.GONE, unique_id=Identifier(stored.GONE_ID))
    revised = _entry(stored.REVISED, unique_id=Identifier(stored.REVISED_ID))
    world.store(of_one([gone, revised, _entry(stored.SPARE)]))
    world.store(_named(of_one([_entry(stored.LONE)]), stored.LONE_LINK))
    for uuid, type_, target, link in (
        (stored.NEWER, urns.RPLC, stored.GONE, samples.new_uuid()),
        (stored.MADE, urns.XFRM, stored.PLAIN, stored.MADE_LINK),
    ):
        new = _entry(uuid)
        relation = samples.association(type_, new, target, entry_uuid=link)
        world.store(of_one([new], associations=[relation]))
    strayed, lost = _entry(stored.STRAYED), _box(stored.STRAY_BOX)
    world.store(of_one([strayed], folders=[lost], filed=[(lost, strayed)]))
    theirs = _entry(stored.THEIRS, patient_id=stored.OTHER)
    world.store(of_one([theirs], folders=[_box(stored.THEIR_BOX, stored.OTHER)]))
    entry, box = _entry(stored.PARCEL_ENTRY), _box(stored.PARCEL_BOX)
    set_ = samples.submission_set(entry_uuid=stored.PARCEL_SET, patient_id=stored.PATIENT)
    in_box = samples.has_member(box, entry, entry_uuid=stored.IN_BOX)
    parcel = Submission(
        (set_,),
        (entry,),
        (box,),
        (
            samples.has_member(set_, entry, entry_uuid=stored.IN_SET),
            samples.has_member(set_, box, entry_uuid=stored.BOX_IN_SET),
            in_box,
            samples.has_member(set_, in_box, entry_uuid=stored.FILING_IN_SET),
        ),
    )
    world.store(parcel)


def _fill_by_updates(world: World) -> None:
    """What is On-Demand, Deprecated, or of a later version."""
    make = Maker(stored.PATIENT)
    offer = make.on_demand(
        entry_uuid=stored.ON_DEMAND, unique_id=Identifier(stored.ON_DEMAND_ID)
    )  # fmt: skip
    expired = make.on_demand(entry_uuid=stored.EXPIRED)
    world.tell(REGISTER_ON_DEMAND, make.submission([offer, expired]))
    down = [(each, "Approved", "Deprecated") for each in (stored.CLOSED, stored.EXPIRED)]
    latest = _entry(
        stored.LATEST, logical_id=stored.REVISED, unique_id=Identifier(stored.REVISED_ID)
    )  # fmt: skip
    world.tell(UPDATE, request(make, latest, statuses=down))


@contextmanager
def opened() -> Iterator[World]:
    """A world on files in memory where there are such: nothing here is about disks."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=memory, prefix="xdsi-") as folder,
        closing(World(Path(folder))) as world,
    ):
        yield world
