"""Remove Metadata [ITI-62].

Source: Remove Metadata and Documents supplement 3.62.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry import removal
from registry.schema import ASSOCIATION_TYPES, Kind
from registry.unit import BATCH, Stored, Tie, Unit
from xdsi.model.errors import (
    ReferencesExistException,
    UnresolvedReferenceException,
    XDSError,
    XDSRegistryError,
    XDSUnreferencedObjectException,
    refuse,
)
from xdsi.model.messages import RegistryAnswer, RemoveRequest
from xdsi.model.values import DTM
from xdsi.plug import Call
from xdsi.standard import urns
from xdsi.units import Units

Found = Iterator[XDSError]
_HAS_MEMBER = ASSOCIATION_TYPES[urns.HAS_MEMBER]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a removal touches, by number.

    removed: the objects named; ends: those of the associations named that are to stay
    ties: all associations at any of these
    """

    removed: Mapping[int, Stored]
    ends: Mapping[int, Stored]
    ties: tuple[Tie, ...]


def remove(request: RemoveRequest, call: Call, units: Units[Unit], objects: int) -> RegistryAnswer:
    """Remove all objects named or none of them; documents stay where they are (LC-126, LC-130).

    objects: at most in one request
    Success is durable. Raises every finding at once as an ExceptionGroup, and the errors of
    `Units.run`.
    """
    refuse(_of_message(request, objects), _REFUSED)
    ids = list(dict.fromkeys(request.ids))

    def work(unit: Unit) -> None:
        named = {
            uuid: each
            for at in range(0, len(ids), BATCH)
            for uuid, each in unit.objects(ids[at : at + BATCH]).items()
        }
        refuse(_resolved(ids, named), _REFUSED)
        scene = _scene(named, unit)
        refuse((*_referenced(scene), *_orphaned(scene)), _REFUSED)
        removal.forget(scene.removed, unit)
        unit.touch(sorted(_folders(scene)), str(DTM.of(unit.now)))

    units.run(work)
    return RegistryAnswer()


_REFUSED = "removal refused"


def _of_message(request: RemoveRequest, objects: int) -> Found:
    """LC-120, LC-121, SEC-T-051."""
    if request.has_query:
        problem = "objects are named one by one, in an ObjectRefList"
        yield XDSRegistryError("AdhocQuery", problem, rule="LC-121")
    if request.scope not in (None, urns.DELETE_ALL):
        problem = f"leave it out; only {urns.DELETE_ALL} is known"
        yield XDSRegistryError("deletionScope", problem, value=request.scope, rule="LC-121")
    if not request.ids:
        yield XDSRegistryError("ObjectRefList", "names no object", rule="LC-120")
    if (count := len(request.ids)) > objects:
        problem = f"{count} objects, allowed are {objects}"
        yield XDSRegistryError("ObjectRefList", problem, rule="SEC-T-051")


def _resolved(ids: list[str], named: Mapping[str, Stored]) -> Found:
    """LC-122."""
    for id_ in ids:
        if id_ not in named:
            yield UnresolvedReferenceException(
                "ObjectRef",
                "no object of the registry has this id",
                value=id_,
                rule="LC-122",
                location=id_,
            )


def _scene(named: Mapping[str, Stored], unit: Unit) -> _Scene:
    """Everything that counts, kept from changing until the end."""
    removed = {each.id: each for each in named.values()}
    links = unit.associations(
        [each.id for each in removed.values() if each.kind is Kind.ASSOCIATION]
    )
    ends = {end for tie in links.values() for end in (tie.source, tie.target)}
    stay = unit.numbered(ends - removed.keys())
    return _Scene(removed, stay, tuple(unit.ties(removed.keys() | stay.keys())))


def _referenced(scene: _Scene) -> Found:
    """LC-123: associations that stay must not name what goes."""
    for tie in scene.ties:
        if tie.id in scene.removed:
            continue
        for end in dict.fromkeys((tie.source, tie.target)):
            if (obj := scene.removed.get(end)) is not None:
                yield ReferencesExistException(
                    f"{obj.uuid} {obj.kind.title}",
                    "an association that is to stay leads from or to it; name that one too",
                    rule="LC-123",
                    location=obj.uuid,
                )


def _orphaned(scene: _Scene) -> Found:
    """LC-124: what stays keeps an association, if it loses one."""
    left = Counter(
        end for tie in scene.ties if tie.id not in scene.removed for end in (tie.source, tie.target)
    )
    for id_, obj in scene.ends.items():
        if not left[id_]:
            yield XDSUnreferencedObjectException(
                f"{obj.uuid} {obj.kind.title}",
                "would be left without any association; name it too",
                rule="LC-124",
                location=obj.uuid,
            )


def _folders(scene: _Scene) -> set[int]:
    """Folders that stay and lose a member (LC-129)."""
    return {
        tie.source
        for tie in scene.ties
        if tie.id in scene.removed
        and tie.type == _HAS_MEMBER
        and tie.source in scene.ends
        and scene.ends[tie.source].kind is Kind.FOLDER
    }
