"""Objects as stored bytes, and as they are answered.

Stored: the start tag as if Approved, and the body, which is all children up to the value of the
patientId identifier. Written from columns: status, the slots of `ebrim.volatile_slots`, the patient
and what follows it. So a change of those is a change of columns, and an answer is a join.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from registry.schema import AVAILABILITIES, KIND_OF, KINDS, Kind, Status
from xdsi.model.objects import Association, DocumentEntry, Fragment, ObjectRef, RegistryObject
from xdsi.standard import urns
from xdsi.standard.namespaces import RIM
from xdsi.wire import ebrim, safexml
from xdsi.wire.ebrim_reader import objects_from_list
from xdsi.wire.text import quoted

# stands for the patient where text is cut; no other text of an identifier looks like it
_PATIENT = "[patient]"


def _identifier(kind: Kind, object_id: str, identifier_id: str) -> tuple[bytes, bytes]:
    """The patientId identifier before and after its value; nothing for an Association."""
    patient = None if kind is Kind.ASSOCIATION else _PATIENT
    text = ebrim.patient_identifier(KINDS[kind], object_id, patient, identifier_id)
    before, _, after = text.partition(_PATIENT.encode())
    return before, after


def stored(obj: RegistryObject, lid: str, version: int) -> tuple[bytes, bytes]:
    """Start tag and body of a version of an object whose ids are UUIDs."""
    before, _ = _identifier(KIND_OF[type(obj)], obj.entry_uuid, ebrim.identifier_id(obj))
    return _start(obj, lid), ebrim.children(replace(obj, version=str(version))) + before


def _start(obj: RegistryObject, lid: str) -> bytes:
    common: dict[str, Any] = {
        "id": obj.entry_uuid,
        "lid": lid,
        "status": urns.APPROVED,
        "home": str(obj.home) if obj.home else None,
    }
    if isinstance(obj, DocumentEntry):
        common |= {"object_type": obj.object_type, "mime_type": obj.mime_type}
    elif isinstance(obj, Association):
        common |= {
            "association_type": obj.association_type,
            "source": obj.source_object,
            "target": obj.target_object,
        }
    return ebrim.start_tag(type(obj), **common)


_APPROVED, _DEPRECATED = urns.APPROVED.encode(), urns.DEPRECATED.encode()
_END = {int(kind): _identifier(kind, "", "")[1] + ebrim.end_tag(KINDS[kind]) for kind in Kind}
_AVAILABILITY = MappingProxyType(
    {
        number: ebrim.volatile_slots(document_availability=value)
        for value, number in AVAILABILITIES.items()
    }
)


def fragments(rows: Iterable[Sequence[Any]]) -> tuple[Fragment, ...]:
    """One fragment for each row of `search.LEAF`, in their order."""
    made = []
    patients = {None: b""}
    approved, end = int(Status.APPROVED), _END
    for kind, status, time, availability, cx, start, body in rows:
        if (patient := patients.get(cx)) is None:
            patient = patients[cx] = quoted(cx).encode()
        if status != approved:
            # before it stand ids alone, so the first hit is the status
            start = start.replace(_APPROVED, _DEPRECATED, 1)
        if time is not None:
            start += ebrim.volatile_slots(last_update_time=time)
        if availability is not None:
            start += _AVAILABILITY[availability]
        made.append(Fragment(b"".join((start, body, patient, end[kind]))))
    return tuple(made)


def objects(fragments: Iterable[Fragment]) -> tuple[RegistryObject, ...]:
    """What fragments hold."""
    pieces = (f'<x xmlns:rim="{RIM}">'.encode(), *[each.xml for each in fragments], b"</x>")
    found, _ = objects_from_list(safexml.parse(b"".join(pieces)))
    return tuple(each for each in found if not isinstance(each, ObjectRef))
