"""Symbolic ids become UUIDs, everywhere alike."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest
from lxml import etree

from tests import bodies, samples
from xdsi.model.ids import with_ids
from xdsi.model.messages import Submission
from xdsi.model.values import is_uuid
from xdsi.wire import submit


def counting() -> Callable[[], str]:
    numbers: Iterator[int] = count(1)
    return lambda: f"urn:uuid:00000000-0000-4000-8000-{next(numbers):012d}"


def symbolic() -> Submission:
    """Everything named by symbols, as most sources do it."""
    entry = samples.document_entry(
        entry_uuid="Document01",
        class_code=replace(samples.REPORTS, id="cl01"),
        authors=(replace(samples.AUTHOR, id="cl02"),),
        event_codes=(replace(samples.CT, id="cl03"), replace(samples.MR, id="")),
        identifier_ids=(("patient_id", "ei01"), ("unique_id", "ei02")),
    )
    box = samples.folder(entry_uuid="Folder01", label_id="la01")
    one = samples.submission_set(entry_uuid="SubmissionSet01")
    found = samples.submission([entry], folders=[box], filed=[(box, entry)], set_=one)
    names = {member.entry_uuid: f"as{n:02d}" for n, member in enumerate(found.associations)}
    members = tuple(
        replace(
            member,
            entry_uuid=names[member.entry_uuid],
            target_object=names.get(member.target_object, member.target_object),
        )
        for member in found.associations
    )
    return replace(found, associations=members)


@pytest.mark.proves("MD-069", "MD-071")
def test_no_symbolic_id_is_left_anywhere() -> None:
    element = bodies.inline(submit.submission_to_xml(with_ids(symbolic())))
    names = ("id", "classifiedObject", "registryObject", "sourceObject", "targetObject")
    ids = [one.get(name) for one in element.iter() for name in names if one.get(name)]
    assert len(ids) > 50
    assert [id_ for id_ in ids if not is_uuid(id_)] == []


@pytest.mark.proves("MD-069")
def test_one_symbol_is_one_uuid() -> None:
    found = with_ids(symbolic())
    entry, box, one = found.entries[0], found.folders[0], found.submission_set
    ends = {(member.source_object, member.target_object) for member in found.associations}
    filed = next(m for m in found.associations if m.source_object == box.entry_uuid)
    assert ends == {
        (one.entry_uuid, entry.entry_uuid),
        (one.entry_uuid, box.entry_uuid),
        (one.entry_uuid, filed.entry_uuid),
        (box.entry_uuid, entry.entry_uuid),
    }


def test_different_symbols_are_different_uuids() -> None:
    element = bodies.inline(submit.submission_to_xml(with_ids(symbolic())))
    ids = [one.get("id") for one in element.iter(etree.Element) if one.get("id")]
    assert len(set(ids)) == len(ids)


@pytest.mark.proves("MD-069")
def test_valid_uuids_stay() -> None:
    once = with_ids(symbolic())
    assert with_ids(once, fresh=_never) == once
    again = with_ids(once, fresh=_never).entries[0]
    assert again.identifier_ids == once.entries[0].identifier_ids
    assert again.class_code is not None
    assert once.entries[0].class_code is not None
    assert again.class_code.id == once.entries[0].class_code.id


def _never() -> str:
    raise AssertionError("no id was missing")


def test_same_source_gives_the_same_submission() -> None:
    submission = symbolic()
    first = submit.submission_to_xml(with_ids(submission, counting()))
    assert first == submit.submission_to_xml(with_ids(submission, counting()))


def test_nested_objects_without_id_get_one_each() -> None:
    entry = with_ids(samples.submission([samples.full_document_entry()])).entries[0]
    ids = [code.id for code in (*entry.event_codes, *entry.confidentiality_codes)]
    assert all(map(is_uuid, ids))
    assert len(set(ids)) == len(ids)
    assert [name for name, _ in entry.identifier_ids] == ["patient_id", "unique_id"]


def test_logical_id_equal_to_the_symbol_follows_it() -> None:
    entry = samples.document_entry(entry_uuid="Document01", logical_id="Document01")
    found = with_ids(samples.submission([entry])).entries[0]
    assert found.logical_id == found.entry_uuid


def test_dangling_symbol_stays_for_the_rules_to_find() -> None:
    member = samples.has_member("Folder99", "Document99")
    found = with_ids(samples.submission(associations=[member]))
    assert found.associations[-1].source_object == "Folder99"
    assert found.associations[-1].target_object == "Document99"


def test_nothing_else_changes() -> None:
    submission = symbolic()
    found = with_ids(submission)
    entry = replace(found.entries[0], entry_uuid="Document01")
    assert entry == submission.entries[0]
    assert found.findings == submission.findings
