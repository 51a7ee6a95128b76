"""Lives of objects as hypothesis comes up with them: what always holds, whatever was asked.

Each step registers, updates, changes statuses, submits associations or removes, with objects and
versions that may or may not fit. It is done as a whole or refused with codes of the framework.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from registry import iti42, iti57, iti61, iti62, iti92
from registry.schema import Kind, Status, association, object_, unique_id
from tests import samples
from tests.registry.conftest import LEVEL_2, STATUSES, Maker, Registry, all_of
from tests.registry.updates import request, revised
from xdsi.model.errors import XDSError, leaves
from xdsi.model.messages import RemoveRequest, Submission
from xdsi.model.objects import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

LIVES = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RELATIONSHIPS = sorted(urns.RELATIONSHIPS)
SHORT = st.sampled_from(["Approved", "Deprecated"])


class Life:
    """One patient's objects, and steps that are drawn."""

    def __init__(self, registry: Registry, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.registry, self.draw = registry, draw
        self.make = Maker(samples.new_patient())

    def history(self) -> list[RegistryObject]:
        return self.registry.history(self.make.patient)

    def pick(self, *kinds: type) -> Any:
        """One of the objects there are, or a new one of the kind."""
        found = [each for each in self.history() if isinstance(each, kinds)]
        if kinds == (DocumentEntry,):
            found.append(self.make.entry())
        return self.draw(st.sampled_from(found)) if found else self.make.folder()

    def step(self) -> None:
        how, sent = self.draw(st.sampled_from(self._steps()))()
        before = self.history()
        try:
            how(sent)
        except (XDSError, ExceptionGroup) as error:
            found = list(leaves(error))
            assert found
            assert all(isinstance(each, XDSError) for each in found), found
            assert self.history() == before
        self.check()

    def _steps(self) -> list[Callable[[], tuple[Callable[[Any], Any], Any]]]:
        return [self.register, self.relate, self.update, self.update, self.status, self.link,
                self.remove]  # fmt: skip

    def submit(self, by: Any) -> Callable[[Submission], Any]:
        return lambda sent: self.registry.register(sent, by=by)

    def register(self) -> tuple[Callable[[Any], Any], Any]:
        if self.draw(st.booleans()):
            return self.submit(iti61.register), self.make.submission([self.make.on_demand()])
        folder, entry = self.make.folder(), self.make.entry()
        sent = self.make.submission([entry], folders=[folder], filed=[(folder, entry)])
        return self.submit(iti42.register), sent

    def relate(self) -> tuple[Callable[[Any], Any], Any]:
        new, type_ = self.make.entry(), self.draw(st.sampled_from(RELATIONSHIPS))
        link = samples.association(type_, new, self.pick(DocumentEntry))
        return self.submit(iti42.register), self.make.submission([new], associations=[link])

    def update(self) -> tuple[Callable[[Any], Any], Any]:
        old = [self.pick(DocumentEntry, Folder) for _ in range(self.draw(st.integers(1, 2)))]
        versions = {each.version for each in old}
        sent = request(
            self.make,
            *(revised(each) for each in old),
            previous=self.draw(st.sampled_from([*versions, "1", "2"])),
            propagation=self.draw(st.sampled_from([None, "yes", "no"])),
            statuses=[(old[0], "Approved", "Deprecated")] if self.draw(st.booleans()) else (),
        )
        return self.submit(self.draw(st.sampled_from([iti57.update, iti92.update]))), sent

    def status(self) -> tuple[Callable[[Any], Any], Any]:
        target = self.pick(DocumentEntry, Folder, Association, SubmissionSet)
        sent = request(self.make, statuses=[(target, self.draw(SHORT), self.draw(SHORT))])
        return self.submit(iti57.update), sent

    def link(self) -> tuple[Callable[[Any], Any], Any]:
        type_ = self.draw(st.sampled_from([urns.HAS_MEMBER, *RELATIONSHIPS]))
        source, target = self.pick(DocumentEntry, Folder), self.pick(DocumentEntry)
        sent = request(self.make, links=[samples.association(type_, source, target)])
        return self.submit(iti57.update), sent

    def remove(self) -> tuple[Callable[[Any], Any], Any]:
        ids = [each.entry_uuid for each in self.history()]
        chosen = set(self.draw(st.lists(st.sampled_from(ids), max_size=4))) if ids else set()
        if self.draw(st.booleans()):
            # with everything that hangs on it
            links = [each for each in self.history() if isinstance(each, Association)]
            for _ in links:
                chosen |= {
                    id_
                    for each in links
                    if {each.source_object, each.target_object} & chosen
                    for id_ in (each.entry_uuid, each.source_object)
                }
        registry = self.registry
        return (
            lambda sent: iti62.remove(sent, registry.call, registry.units, 5_000),
            RemoveRequest(tuple(chosen)),
        )

    def check(self) -> None:
        """What always holds."""
        rows = self.registry.units.rows(
            select(object_).where(object_.c.uuid.in_([each.entry_uuid for each in self.history()]))
        )
        versions: defaultdict[str, dict[int, Any]] = defaultdict(dict)
        for row in rows:
            versions[row.lid][row.version] = row
        for of_one in versions.values():
            latest = max(of_one)
            for number, row in of_one.items():
                assert row.is_current == (number == latest)
                assert row.is_current or row.status == Status.DEPRECATED
                assert row.kind != Kind.ASSOCIATION or number == 1
        ids = {row.id: row for row in rows}
        ties = self.registry.units.rows(select(association).where(association.c.id.in_(list(ids))))
        # no association without its ends, and no entry or Folder without any association
        held = {end for tie in ties for end in (tie.source, tie.target)}
        assert held <= ids.keys()
        assert {row.id for row in rows if row.kind in (Kind.DOCUMENT_ENTRY, Kind.FOLDER)} <= held
        values = {row.unique_id for row in rows if row.unique_id}
        claims = self.registry.units.rows(
            select(unique_id.c.value).where(unique_id.c.value.in_(values))
        )
        assert {row.value for row in claims} == values
        self.compare(rows)

    def compare(self, rows: Any) -> None:
        """What queries show is what the tables hold."""
        shown = self.registry.everything(self.make.patient)
        visible = {
            row.uuid
            for row in rows
            if row.status == Status.APPROVED or (row.kind == Kind.DOCUMENT_ENTRY and row.is_current)
        }
        assert {each.entry_uuid for each in shown} <= visible
        entries = {row.uuid for row in rows if row.kind == Kind.DOCUMENT_ENTRY}
        assert {each.entry_uuid for each in shown} >= visible & entries
        patient = single("$XDSDocumentEntryPatientId", str(self.make.patient))
        kinds = all_of(self.make.patient)[-1]
        given_ = patient, many("$XDSDocumentEntryStatus", STATUSES), kinds
        found = self.registry.ids(queries.FIND_DOCUMENTS, *given_)
        assert set(found) == visible & entries
        assert set(self.registry.ids(queries.FIND_DOCUMENTS, *given_, LEVEL_2)) == entries


@LIVES
@given(data=st.data())
@pytest.mark.proves("LC-006", "LC-010", "LC-012", "LC-126", "REG-130", "SQ-191", "SQ-192")
def test_whatever_happens_the_registry_is_whole(registry: Registry, data: st.DataObject) -> None:
    life = Life(registry, data.draw)
    registry.register(life.make.submission())
    for _ in range(8):
        life.step()


FIELDS = {
    "logical_id": ["", "x", samples.new_uuid()],
    "entry_uuid": ["", "same", samples.new_uuid()],
    "association_type": ["", urns.HAS_MEMBER, urns.RPLC, urns.SUBMIT_ASSOCIATION,
                         urns.UPDATE_AVAILABILITY_STATUS],
    "source_object": ["", "same", samples.new_uuid()],
    "target_object": ["", "same", samples.new_uuid()],
    "previous_version": [None, "", "2", "x"],
    "new_status": [None, "", urns.APPROVED],
    "patient_id": [None],
    "unique_id": [None],
    "object_type": ["", urns.ON_DEMAND_DOCUMENT],
    "hash": [None],
    "size": [None],
}  # fmt: skip


@LIVES
@given(data=st.data())
@pytest.mark.proves("LC-006", "LC-090", "LC-091")
def test_a_broken_update_is_refused_and_never_breaks(
    registry: Registry, data: st.DataObject
) -> None:
    make = Maker(samples.new_patient())
    first, folder = make.entry(), make.folder()
    registry.register(make.submission([first], folders=[folder]))
    link = samples.association(urns.HAS_MEMBER, folder, first)
    new = data.draw(st.sampled_from([(), (revised(first),), (revised(first), revised(folder))]))
    sent = request(make, *new, statuses=[(folder, "Approved", "Deprecated")], links=[link])
    for _ in range(data.draw(st.integers(1, 3))):
        sent = broken(sent, data.draw)
    before = registry.history(make.patient)
    by = data.draw(st.sampled_from([iti57.update, iti92.update]))
    found: list[BaseException] = []
    try:
        registry.register(sent, by=by)
    except ExceptionGroup as error:
        found += leaves(error)
    assert all(isinstance(each, XDSError) for each in found), found
    assert found == [] or registry.history(make.patient) == before


def broken(sent: Submission, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Submission:
    """With one field of one object changed, or without one object."""
    part = draw(st.sampled_from(["submission_sets", "entries", "folders", "associations"]))
    objects = list(getattr(sent, part))
    if not objects:
        return sent
    at = draw(st.integers(0, len(objects) - 1))
    fields = [name for name in FIELDS if hasattr(objects[at], name)]
    if draw(st.integers(0, 5)) == 0:
        del objects[at]
    else:
        name = draw(st.sampled_from(fields))
        objects[at] = replace(objects[at], **{name: draw(st.sampled_from(FIELDS[name]))})
    return replace(sent, **{part: tuple(objects)})
