"""The life of documents over HTTP: replaced, appended, transformed, signed, filed.

Entries come by ITI-41, what has no document by ITI-42; every state is looked at through several
stored queries, as LeafClass and as ObjectRef.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests import samples
from tests.e2e.nodes import Domain
from xdsi.model.messages import Document, ProvideRequest
from xdsi.model.objects import (
    Association,
    DocumentEntry,
    Folder,
    RegistryObject,
    SubmissionSet,
)
from xdsi.model.values import CX
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single

STATUSES = (urns.APPROVED, urns.DEPRECATED)
STABLE = many("$XDSDocumentEntryType", [urns.STABLE_DOCUMENT])


class Life:
    """One patient's documents in a domain."""

    def __init__(self, domain: Domain, patient: CX) -> None:
        self.domain, self.patient = domain, patient
        self.contents: dict[str, bytes] = {}

    def entry(self, text: str) -> DocumentEntry:
        content = text.encode()
        made = samples.document_entry(
            content, patient_id=self.patient, hash=None, size=None, repository_unique_id=None
        )
        self.contents[str(made.unique_id)] = content
        return made

    def provide(self, *entries: DocumentEntry, **parts: Any) -> list[str]:
        """ITI-41; codes of the errors."""
        one = samples.submission_set(patient_id=self.patient)
        sent = samples.submission(entries, set_=one, **parts)
        documents = tuple(
            Document(each.entry_uuid, samples.staged(self.contents[str(each.unique_id)]))
            for each in entries
        )
        return [error.code for error in self.domain.provide(ProvideRequest(sent, documents)).errors]

    def register(self, **parts: Any) -> list[str]:
        """ITI-42 without documents; codes of the errors."""
        one = samples.submission_set(patient_id=self.patient)
        answer = self.domain.register(samples.submission((), set_=one, **parts))
        return [error.code for error in answer.errors]

    def relate(self, type_: str, target: DocumentEntry, text: str) -> DocumentEntry:
        """A new document, related to a registered one."""
        new = self.entry(text)
        assert self.provide(new, associations=[samples.association(type_, new, target)]) == []
        return new

    # what the registry says

    def statuses(self, *entries: DocumentEntry) -> list[str]:
        """By GetDocuments and, the same, by FindDocuments."""
        slot = many("$XDSDocumentEntryEntryUUID", [each.entry_uuid for each in entries])
        got = {each.entry_uuid: each for each in self.domain.find(queries.GET_DOCUMENTS, slot)}
        for status in STATUSES:
            wanted = {id_ for id_, each in got.items() if each.status == status}
            found = {each.entry_uuid for each in self.find(status)}
            assert found & got.keys() == wanted
        return [str(got[each.entry_uuid].status).rpartition(":")[2] for each in entries]

    def find(self, *statuses: str) -> list[RegistryObject]:
        return self.domain.find(
            queries.FIND_DOCUMENTS,
            single("$XDSDocumentEntryPatientId", str(self.patient)),
            many("$XDSDocumentEntryStatus", statuses),
        )

    def related(self, entry: DocumentEntry, *types: str) -> set[tuple[str, str, str]]:
        """GetRelatedDocuments: (type, source, target); all entries at the ends come along."""
        found = self.domain.find(
            queries.GET_RELATED_DOCUMENTS,
            single("$XDSDocumentEntryEntryUUID", entry.entry_uuid),
            many("$AssociationTypes", types or sorted(urns.RELATIONSHIPS)),
        )
        links = {ends(each) for each in found if isinstance(each, Association)}
        entries = {each.entry_uuid for each in found if isinstance(each, DocumentEntry)}
        assert entries == {end for _, *both in links for end in both}
        return links

    def folder(self, folder: Folder) -> tuple[Folder, set[str]]:
        """GetFolderAndContents: the folder and its entries, with one membership for each."""
        found = self.domain.find(
            queries.GET_FOLDER_AND_CONTENTS, single("$XDSFolderUniqueId", str(folder.unique_id))
        )
        entries = {each.entry_uuid for each in found if isinstance(each, DocumentEntry)}
        links = [ends(each) for each in found if isinstance(each, Association)]
        assert sorted(links) == sorted(
            (urns.HAS_MEMBER, folder.entry_uuid, each) for each in entries
        )
        (one,) = (each for each in found if isinstance(each, Folder))
        return one, entries

    def folders_of(self, entry: DocumentEntry) -> set[str]:
        """GetFoldersForDocument."""
        slot = single("$XDSDocumentEntryUniqueId", str(entry.unique_id))
        found = self.domain.find(queries.GET_FOLDERS_FOR_DOCUMENT, slot)
        return {each.entry_uuid for each in found}

    def set_of(self, entry: DocumentEntry) -> list[RegistryObject]:
        """GetSubmissionSetAndContents of the set that brought an entry."""
        found = self.domain.find(queries.GET_SUBMISSION_SETS, many("$uuid", [entry.entry_uuid]))
        (one,) = (each for each in found if isinstance(each, SubmissionSet))
        slot = single("$XDSSubmissionSetEntryUUID", one.entry_uuid)
        return self.domain.find(queries.GET_SUBMISSION_SET_AND_CONTENTS, slot)

    def delivers(self, *entries: DocumentEntry) -> bool:
        """Deprecated ones are delivered too (RET-036)."""
        ids = [str(each.unique_id) for each in entries]
        return self.domain.retrieve(*ids) == {id_: self.contents[id_] for id_ in ids}


def ends(one: Association) -> tuple[str, str, str]:
    return one.association_type, one.source_object, one.target_object


def ids(objects: Iterable[Any]) -> set[str]:
    return {each.entry_uuid for each in objects}


@pytest.fixture
def life(domain: Domain, patient: CX) -> Life:
    return Life(domain, patient)


@pytest.mark.proves(
    "REG-113", "REG-084", "RET-036", "SQ-092", "SQ-158", "SQ-161", "SQ-084", "SQ-080", "REG-112",
    "REG-164",
)  # fmt: skip
@pytest.mark.parametrize("type_", sorted(urns.REPLACEMENTS))
def test_replacement_deprecates_what_it_replaces(life: Life, type_: str) -> None:
    old = life.entry("first edition")
    assert life.provide(old) == []
    addendum = life.relate(urns.APND, old, "addendum")
    transformed = life.relate(urns.XFRM, old, "transformed")
    signature = life.relate(urns.SIGNS, old, "signature")
    assert life.statuses(old, addendum, transformed, signature) == ["Approved"] * 4
    new = life.relate(type_, old, "second edition")
    assert life.statuses(old, addendum, transformed, signature, new) == [
        "Deprecated", "Deprecated", "Deprecated", "Approved", "Approved",
    ]  # fmt: skip
    assert life.related(old) == {
        (urns.APND, addendum.entry_uuid, old.entry_uuid),
        (urns.XFRM, transformed.entry_uuid, old.entry_uuid),
        (urns.SIGNS, signature.entry_uuid, old.entry_uuid),
        (type_, new.entry_uuid, old.entry_uuid),
    }
    assert life.related(new, urns.APND) == set()
    assert life.delivers(old, addendum, transformed, signature, new)
    # what is Deprecated stays so, and takes nothing new
    for again in (type_, urns.APND, urns.XFRM, urns.SIGNS):
        late = life.entry("too late")
        link = samples.association(again, late, old)
        assert life.provide(late, associations=[link]) == ["XDSRegistryDeprecatedDocumentError"]
        assert life.find(*STATUSES) and late.entry_uuid not in ids(life.find(*STATUSES))


@pytest.mark.proves("REG-118", "SQ-161", "SQ-162")
def test_relations_that_change_nothing(life: Life) -> None:
    report = life.entry("report")
    assert life.provide(report) == []
    addendum = life.relate(urns.APND, report, "addendum")
    transformed = life.relate(urns.XFRM, report, "as another format")
    signature = life.relate(urns.SIGNS, addendum, "signature of the addendum")
    assert life.statuses(report, addendum, transformed, signature) == ["Approved"] * 4
    assert life.related(addendum) == {
        (urns.APND, addendum.entry_uuid, report.entry_uuid),
        (urns.SIGNS, signature.entry_uuid, addendum.entry_uuid),
    }
    assert life.related(report, urns.HAS_MEMBER) == set()
    illegal = life.entry("addendum of a transformation")
    link = samples.association(urns.APND, illegal, transformed)
    assert life.provide(illegal, associations=[link]) == ["XDSRegistryMetadataError"]


@pytest.mark.proves(
    "REG-011", "REG-101", "REG-102", "REG-114", "SQ-090", "SQ-091", "SQ-156", "SQ-157",
    "SQ-089", "SQ-160", "SQ-082",
)  # fmt: skip
def test_folders(life: Life) -> None:
    folder = samples.folder(patient_id=life.patient)
    first, second = life.entry("first"), life.entry("second")
    # new, with an entry of its own submission
    assert life.provide(first, folders=[folder], filed=[(folder, first)]) == []
    one, members = life.folder(folder)
    assert members == {first.entry_uuid}
    created = one.last_update_time
    assert created is not None and len(str(created)) == 14
    # existing, for a new entry
    assert life.provide(second, filed=[(folder.entry_uuid, second)]) == []
    # membership alone, of entries that are there already: through either actor (REG-011)
    third, fourth = life.entry("third"), life.entry("fourth")
    assert life.provide(third, fourth) == []
    assert life.register(filed=[(folder.entry_uuid, third.entry_uuid)]) == []
    assert life.provide(filed=[(folder.entry_uuid, fourth.entry_uuid)]) == []
    # a folder alone
    empty = samples.folder(patient_id=life.patient)
    assert life.provide(folders=[empty]) == []
    one, members = life.folder(empty)
    assert members == set() and str(one.last_update_time) >= str(created)
    one, members = life.folder(folder)
    assert members == ids((first, second, third, fourth))
    assert str(one.last_update_time) >= str(created)
    # what replaces an entry enters its folders; the original stays in
    new = life.relate(urns.RPLC, second, "second, corrected")
    _, members = life.folder(folder)
    assert members == ids((first, second, third, fourth, new))
    assert life.folders_of(new) == life.folders_of(second) == {folder.entry_uuid}
    # and the set that brought it names the membership
    contents = life.set_of(new)
    (own,) = (each for each in contents if isinstance(each, SubmissionSet))
    links = {each.entry_uuid: each for each in contents if isinstance(each, Association)}
    entry_link = [e for e in links.values() if e.target_object == new.entry_uuid]
    assert [ends(each) for each in entry_link] == [
        (urns.HAS_MEMBER, own.entry_uuid, new.entry_uuid)
    ]
    found = life.domain.find(
        queries.GET_ASSOCIATIONS, many("$uuid", [folder.entry_uuid, own.entry_uuid])
    )
    filings = [e for e in found if ends(e)[1:] == (folder.entry_uuid, new.entry_uuid)]  # type: ignore[arg-type]
    assert len(filings) == 1
    named = [e for e in found if ends(e)[1:] == (own.entry_uuid, filings[0].entry_uuid)]  # type: ignore[arg-type]
    assert len(named) == 1
    folders = life.domain.find(
        queries.FIND_FOLDERS,
        single("$XDSFolderPatientId", str(life.patient)),
        many("$XDSFolderStatus", [urns.APPROVED]),
    )
    assert ids(folders) == ids((folder, empty))


@pytest.mark.proves("REG-055", "SQ-088", "SQ-154")
def test_a_set_may_include_what_is_registered(life: Life) -> None:
    entry, other = life.entry("kept"), life.entry("brought")
    assert life.provide(entry) == []
    assert life.provide(other, references=[entry.entry_uuid]) == []
    found = life.domain.find(queries.GET_SUBMISSION_SETS, many("$uuid", [entry.entry_uuid]))
    assert len([each for each in found if isinstance(each, SubmissionSet)]) == 2
    links = [each for each in found if isinstance(each, Association)]
    assert sorted(str(each.submission_set_status) for each in links) == ["Original", "Reference"]


@pytest.mark.proves("REG-104", "REG-130", "REG-084")
def test_a_refused_replacement_changes_nothing(life: Life, domain: Domain) -> None:
    folder, old = samples.folder(patient_id=life.patient), life.entry("old")
    assert life.provide(old, folders=[folder], filed=[(folder, old)]) == []
    before = domain.stored()
    new = life.entry("for somebody else")
    somebody = replace(new, patient_id=samples.new_patient())
    link = samples.association(urns.RPLC, somebody, old)
    one = samples.submission_set(patient_id=somebody.patient_id)
    sent = samples.submission([somebody], set_=one, associations=[link])
    document = Document(somebody.entry_uuid, samples.staged(b"for somebody else"))
    answer = domain.provide(ProvideRequest(sent, (document,)))
    assert {error.code for error in answer.errors} == {"XDSPatientIdDoesNotMatch"}
    assert domain.stored() == before
    assert life.statuses(old) == ["Approved"]
