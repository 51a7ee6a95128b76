"""Requests of ITI-57 and ITI-92."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from tests import samples
from tests.registry.conftest import Maker
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, Folder
from xdsi.standard import urns

Versioned = TypeVar("Versioned", DocumentEntry, Folder)


def revised(old: Versioned, **changes: Any) -> Versioned:
    """A later version of an object."""
    lid = old.logical_id or old.entry_uuid
    return replace(old, **{"entry_uuid": samples.new_uuid(), "logical_id": lid, **changes})


def request(
    make: Maker,
    *new: DocumentEntry | Folder,
    previous: int | str | None = 1,
    propagation: str | None = None,
    statuses: Iterable[tuple[object, str, str]] = (),
    links: Iterable[Association] = (),
    member: dict[str, Any] | None = None,
) -> Submission:
    """An update.

    new: versions to be made, all after version `previous`
    statuses: (object, from, to) with `Approved` and `Deprecated` for short
    links: associations to be submitted; member: changes of every HasMember
    """
    patients = {each.patient_id for each in new}
    one = make.set(**({"patient_id": patients.pop()} if len(patients) == 1 else {}))
    given = {
        "submission_set_status": "Original",
        "previous_version": None if previous is None else str(previous),
        "association_propagation": propagation,
        **(member or {}),
    }
    links = tuple(links)
    return Submission(
        (one,),
        tuple(each for each in new if isinstance(each, DocumentEntry)),
        tuple(each for each in new if isinstance(each, Folder)),
        (
            *(samples.has_member(one, each, **given) for each in new),
            *(status(one, *each) for each in statuses),
            *(samples.association(urns.SUBMIT_ASSOCIATION, one, each) for each in links),
            *links,
        ),
    )


def status(source: object, target: object, before: str, after: str) -> Association:
    """An UpdateAvailabilityStatus."""
    return samples.association(
        urns.UPDATE_AVAILABILITY_STATUS,
        source,
        target,
        original_status=STATUS.get(before, before),
        new_status=STATUS.get(after, after),
    )


STATUS = {"Approved": urns.APPROVED, "Deprecated": urns.DEPRECATED}
