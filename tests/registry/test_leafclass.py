"""Every stored query answers objects that the response validator of a tool accepts."""

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from tests import bodies, samples, validator
from tests.registry.conftest import Maker, Registry, all_of
from xdsi.model.objects import Slot
from xdsi.model.values import CX
from xdsi.standard import queries, urns
from xdsi.standard.queries import StoredQuery
from xdsi.wire import query as wire
from xdsi.wire.parameters import many, single

DE, FD, SS = "$XDSDocumentEntry", "$XDSFolder", "$XDSSubmissionSet"


@pytest.fixture
def stored(registry: Registry, make: Maker) -> dict[str, Any]:
    """Symbolic ids, a replacement inside a folder, a transformation, an addendum."""
    folder = make.folder()
    old = samples.full_document_entry(patient_id=make.patient)
    registry.register(make.submission([old], folders=[folder], filed=[(folder, old)]))
    # sent with ids that the registry has to replace, and made from the second message
    new, made = make.entry(entry_uuid="Document01"), make.entry(entry_uuid="Document02")
    links = [
        samples.association(urns.RPLC, new, old, entry_uuid="as91"),
        samples.association(urns.XFRM, made, new, entry_uuid="as92"),
    ]
    box = make.folder(entry_uuid="Folder01")
    later = make.submission(
        [new, made], folders=[box], filed=[(box, made)], associations=links,
        set_=make.set(entry_uuid="Set01"),
    )  # fmt: skip
    registry.register(
        replace(
            later,
            associations=tuple(
                replace(each, submission_set_status="Original")
                if each.target_object.startswith("Document") and each.source_object == "Set01"
                else each
                for each in later.associations
            ),
        )
    )
    return {"folder": folder, "old": old, "set": later.submission_set, "made": made}


def slots(query: StoredQuery, stored: dict[str, Any], patient: CX) -> tuple[Slot, ...]:
    """Arguments that find something of every kind the query returns."""
    old, folder = stored["old"], stored["folder"]
    both = (urns.APPROVED, urns.DEPRECATED)
    documents = (single(DE + "PatientId", str(patient)), many(DE + "Status", both))
    reference = many(DE + "ReferenceIdList", [str(old.reference_ids[0])])
    folders = (single(FD + "PatientId", str(patient)), many(FD + "Status", [urns.APPROVED]))
    given: dict[StoredQuery, tuple[Slot, ...]] = {
        queries.FIND_DOCUMENTS: documents,
        queries.FIND_DOCUMENTS_BY_REFERENCE_ID: (*documents, reference),
        queries.FIND_DOCUMENTS_BY_TITLE: (*documents, many(DE + "Title", ["%"])),
        queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: documents,
        queries.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS: (*documents, reference),
        queries.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: folders,
        queries.FIND_SUBMISSION_SETS: (
            single(SS + "PatientId", str(patient)),
            many(SS + "Status", [urns.APPROVED]),
        ),
        queries.FIND_FOLDERS: folders,
        queries.GET_ALL: all_of(patient),
        queries.GET_DOCUMENTS: (many(DE + "EntryUUID", [old.entry_uuid]),),
        queries.GET_FOLDERS: (many(FD + "EntryUUID", [folder.entry_uuid]),),
        queries.GET_ASSOCIATIONS: (many("$uuid", [old.entry_uuid, folder.entry_uuid]),),
        queries.GET_DOCUMENTS_AND_ASSOCIATIONS: (many(DE + "EntryUUID", [old.entry_uuid]),),
        queries.GET_SUBMISSION_SETS: (many("$uuid", [old.entry_uuid]),),
        queries.GET_SUBMISSION_SET_AND_CONTENTS: (
            single(SS + "UniqueId", str(stored["set"].unique_id)),
        ),
        queries.GET_FOLDER_AND_CONTENTS: (single(FD + "EntryUUID", folder.entry_uuid),),
        queries.GET_FOLDERS_FOR_DOCUMENT: (single(DE + "EntryUUID", old.entry_uuid),),
        queries.GET_RELATED_DOCUMENTS: (
            single(DE + "EntryUUID", old.entry_uuid),
            many("$AssociationTypes", [urns.RPLC]),
        ),
    }
    return given[query]


@pytest.mark.proves(
    *("SQ-070", "SQ-072", "SQ-199", "MD-012", "MD-069", "MD-071", "MD-117", "MD-166", "MD-181")
)
@pytest.mark.parametrize("query", queries.EVERY_QUERY.values(), ids=lambda query: str(query.name))
def test_answers_pass_the_validator(
    registry: Registry, stored: dict[str, Any], patient: CX, query: StoredQuery
) -> None:
    answer = bodies.inline(
        wire.answer_to_xml(registry.ask(query, *slots(query, stored, patient)))
    )  # fmt: skip
    assert list(validator.faults(answer)) == []
    (listed,) = answer.iterchildren("{*}RegistryObjectList")
    assert {validator.kind(each) for each in listed} == set(query.returns)


def test_the_validator_sees_what_is_missing(
    sqlite_registry: Registry, make: Maker, patient: CX
) -> None:
    """A validator that finds nothing wrong with anything would prove nothing."""
    sqlite_registry.register(make.submission([make.entry()]))
    sound = wire.answer_to_xml(sqlite_registry.ask(queries.GET_ALL, *all_of(patient)))
    text = b"".join(piece for piece in sound if isinstance(piece, bytes)).decode()
    for old, new, says in (
        (' lid="', ' x="', "lid"),
        ("rim:VersionInfo", "rim:Description", "VersionInfo"),
        (' status="urn:oasis', ' status="Approved" x="', "status"),
        (' objectType="urn:oasis', ' x="', "objectType"),
        ('name="hash"', 'name="x"', "lacks ['hash']"),
        (' classifiedObject="urn', ' classifiedObject="', "Classification of another object"),
        (' registryObject="urn', ' registryObject="', "ExternalIdentifier of another object"),
        (' mimeType="', ' x="', "mimeType"),
        ('id="urn:uuid:', 'id="', "no lower-case UUID"),
    ):
        assert old in text, old
        found = list(validator.faults(etree.fromstring(text.replace(old, new))))
        assert any(says in each for each in found), (says, found)
