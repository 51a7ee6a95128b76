"""The good messages of ITI-57, ITI-92, ITI-62 and ITI-61, which the rows edit.

They use the ids of `message`, whose edits serve them as well. Each does as much as its transaction
can, so that every edit is small:
ITI-57: `Document01` is the next version of an entry, `Document02` that of an On-Demand entry,
    `Folder01` that of a Folder; the statuses of an entry, a Folder and a relationship change; an
    association is submitted.
ITI-92: `Document01` is the next version of an Approved entry, `Document02` of a Deprecated one.
ITI-61: the submission of ITI-42, of On-Demand entries.
ITI-62: a whole submission is removed.
"""

from dataclasses import replace
from typing import Any

from lxml import etree

from tests import bodies, samples
from tests.errors import message, stored
from tests.errors.message import (
    FIRST,
    FOLDER,
    OF_FIRST,
    OF_FOLDER,
    OF_SECOND,
    SECOND,
    SET,
    Edit,
    Message,
    edit,
)
from xdsi.model.messages import RemoveRequest, Submission
from xdsi.model.objects import Association, DocumentEntry
from xdsi.model.values import OID, Identifier
from xdsi.standard import urns
from xdsi.standard.namespaces import RIM
from xdsi.wire import remove, submit

# changes of status, a submission and what is submitted
OF_SPARE, OF_PILE, OF_LINK = "as-status", "as-box-status", "as-link-status"
SUBMITTING, LINK = "as-submit", "as-link"

_REFS, _REF = f"{{{RIM}}}ObjectRefList", f"{{{RIM}}}ObjectRef"
_ON_DEMAND: dict[str, Any] = {
    "object_type": urns.ON_DEMAND_DOCUMENT, "creation_time": None, "hash": None, "size": None,
}  # fmt: skip


def _message(submission: Submission) -> Message:
    return Message(bodies.inline(submit.submission_to_xml(submission)), {})


def _entry(id_: str, lid: str, unique_id: str, **changes: Any) -> DocumentEntry:
    """The next version of an entry, otherwise as it is."""
    given = {"entry_uuid": id_, "patient_id": stored.PATIENT, "logical_id": lid, **changes}
    return samples.document_entry(unique_id=Identifier(unique_id), **given)


def _member(id_: str, target: str) -> Association:
    slots = {"submission_set_status": "Original", "previous_version": "1"}
    return samples.has_member(SET, target, entry_uuid=id_, **slots)


def _status(id_: str, target: str) -> Association:
    """From Approved to Deprecated."""
    return samples.association(
        urns.UPDATE_AVAILABILITY_STATUS,
        SET,
        target,
        entry_uuid=id_,
        original_status=urns.APPROVED,
        new_status=urns.DEPRECATED,
    )


def updating() -> Message:
    """Of ITI-57."""
    one = samples.submission_set(entry_uuid=SET, patient_id=stored.PATIENT)
    first = _entry(FIRST, stored.OLD, stored.OLD_ID)
    second = _entry(SECOND, stored.ON_DEMAND, stored.ON_DEMAND_ID, **_ON_DEMAND)
    box = samples.folder(
        entry_uuid=FOLDER,
        patient_id=stored.PATIENT,
        logical_id=stored.SHELF,
        unique_id=OID(stored.SHELF_ID),
    )
    links = (
        _member(OF_FIRST, FIRST),
        _member(OF_SECOND, SECOND),
        _member(OF_FOLDER, FOLDER),
        _status(OF_SPARE, stored.SPARE),
        _status(OF_PILE, stored.PILE),
        _status(OF_LINK, stored.MADE_LINK),
        samples.association(urns.SUBMIT_ASSOCIATION, SET, LINK, entry_uuid=SUBMITTING),
        samples.association(urns.APND, stored.LONE, stored.PLAIN, entry_uuid=LINK),
    )
    return _message(Submission((one,), (first, second), (box,), links))


def restricted() -> Message:
    """Of ITI-92."""
    one = samples.submission_set(entry_uuid=SET, patient_id=stored.PATIENT)
    first = _entry(FIRST, stored.OLD, stored.OLD_ID)
    second = _entry(SECOND, stored.GONE, stored.GONE_ID)
    links = _member(OF_FIRST, FIRST), _member(OF_SECOND, SECOND)
    return _message(Submission((one,), (first, second), (), links))


def offering() -> Message:
    """Of ITI-61."""
    stable = submit.submission_from_xml(message.good().root, {})
    entries = tuple(replace(each, **_ON_DEMAND) for each in stable.entries)
    return _message(replace(stable, entries=entries))


def removing() -> Message:
    """Of ITI-62."""
    return Message(bodies.inline(remove.remove_to_xml(RemoveRequest(stored.PARCEL))), {})


# edits of a removal


def naming(id_: str) -> Edit:
    """One id more in the list."""

    def change(sent: Message) -> None:
        (found,) = sent.root.iterchildren(_REFS)
        etree.SubElement(found, _REF, id=id_)

    return edit(change, id_)


def sparing(*ids: str) -> Edit:
    """Ids left out of the list."""

    def change(sent: Message) -> None:
        for found in sent.root.iterchildren(_REFS):
            for each in found.findall(_REF):
                if each.get("id") in ids:
                    found.remove(each)

    return edit(change, *ids)


def _asked(sent: Message) -> None:
    etree.SubElement(sent.root, f"{{{RIM}}}AdhocQuery", id=stored.NOBODY)


ASKING = edit(_asked, "AdhocQuery")


def scope(value: str) -> Edit:
    return edit(lambda sent: sent.root.set("deletionScope", value), "deletionScope")
