"""Registry objects as ebRIM text (`xdsi.wire.ebrim_reader` is the way back).

Three forms of one object:
- `to_request`: as a source sends it: what is absent stays absent, ids as they are;
- `to_fragment`: as a registry answers: with `lid`, VersionInfo and UUIDs only, without
  limitedMetadata labels (MD-117, MD-181);
- the pieces of `to_fragment`, for a registry that stores an object as bytes and the rest as
  columns. These concatenated are the fragment, in schema order:

      start_tag(kind, id=…, lid=…, status=…, …)
      volatile_slots(last_update_time=…, document_availability=…)
      children(obj)           unchanging: slots, Name, Description, VersionInfo, Classifications,
                              ExternalIdentifiers; made once, at registration
      patient_identifier(kind, object_id, patient_id, identifier_id)
      end_tag(kind)

Before that, `xdsi.model.ids.with_ids` gives every object and nested object its UUID.
VersionInfo is among the children because a new version is a new row with new bytes. A fragment
uses the one prefix `rim`, declared by whoever puts it into a message.
Source: ITI TF-3 4.2; ebRIM 3.0 schema (child order: Slot*, Name, Description, VersionInfo,
Classification*, ExternalIdentifier*).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from xdsi.model.ids import random_uuid
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    InternationalString,
    ObjectRef,
    RegistryObject,
    Slot,
)
from xdsi.model.values import is_uuid
from xdsi.standard import urns
from xdsi.standard.attributes import CODING_SCHEME_SLOT
from xdsi.wire.layout import AUTHOR_CELLS, LAYOUTS, Cell, Kind, Layout, layout_of
from xdsi.wire.text import escaped, quoted

# Slots written from columns, since they may change while the object lives.
VOLATILE = frozenset({"last_update_time", "document_availability"})
PATIENT = "patient_id"
FIRST_VERSION = "1"


def _kept(id_: str) -> str:
    """The id as it is, or a new one where there is none."""
    return id_ or random_uuid()


def _settled(id_: str) -> str:
    """The id if it is a UUID, else a new one: answers know no symbolic ids (MD-069)."""
    return id_ if is_uuid(id_) else random_uuid()


def to_fragment(obj: RegistryObject) -> bytes:
    """One element as a registry answers it; the ids the object itself holds must be UUIDs."""
    layout = layout_of(obj)
    start = _start(layout, [(cell.key, getattr(obj, cell.name)) for cell in layout.xml.values()])
    if obj.logical_id is None:
        start = start.removesuffix(">") + f' lid="{quoted(obj.entry_uuid)}">'
    pieces = [start, _volatile(obj, layout)]
    _add_children(pieces, obj, layout, _settled, obj.version or FIRST_VERSION)
    pieces += _patient(obj, layout, _settled), f"</rim:{layout.element}>"
    return "".join(pieces).encode()


def to_request(obj: RegistryObject) -> bytes:
    """One element as a source sends it: nothing is added but ids that are missing."""
    layout = layout_of(obj)
    start = _start(layout, [(cell.key, getattr(obj, cell.name)) for cell in layout.xml.values()])
    pieces = [start, _volatile(obj, layout)]
    _add_children(pieces, obj, layout, _kept, obj.version, is_request=True)
    pieces += _patient(obj, layout, _kept), f"</rim:{layout.element}>"
    return "".join(pieces).encode()


def reference(ref: ObjectRef) -> bytes:
    """The rim:ObjectRef element."""
    home = f' home="{quoted(str(ref.home))}"' if ref.home else ""
    return f'<rim:ObjectRef id="{quoted(ref.id)}"{home}/>'.encode()


def start_tag(
    kind: Kind,
    *,
    id: str,
    lid: str,
    status: str,
    home: str | None = None,
    object_type: str | None = None,
    mime_type: str | None = None,
    association_type: str | None = None,
    source: str | None = None,
    target: str | None = None,
) -> bytes:
    """The start tag of an answered object.

    object_type, mime_type: of a DocumentEntry; association_type, source, target: of an Association
    """
    values = [("id", id), ("lid", lid), ("status", status), ("home", home)]
    if kind is DocumentEntry:
        values += ("objectType", object_type), ("mimeType", mime_type)
    elif kind is Association:
        values.append(("associationType", association_type))
        values += ("sourceObject", source), ("targetObject", target)
    return _start(LAYOUTS[kind], values).encode()


def volatile_slots(
    *, last_update_time: str | None = None, document_availability: str | None = None
) -> bytes:
    """The slots that may change: of a Folder and of a DocumentEntry; b"" for nothing."""
    pieces: list[str] = []
    given = {"lastUpdateTime": last_update_time, "documentAvailability": document_availability}
    for name, value in given.items():
        if value is not None:
            _add_slot(pieces, name, (value,))
    return "".join(pieces).encode()


def children(obj: RegistryObject) -> bytes:
    """What never changes between `volatile_slots` and `patient_identifier`.

    The version is 1 unless the object has one. Nested ids that are no UUIDs become new ones.
    """
    pieces: list[str] = []
    _add_children(pieces, obj, layout_of(obj), _settled, obj.version or FIRST_VERSION)
    return "".join(pieces).encode()


def patient_identifier(
    kind: Kind, object_id: str, patient_id: str | None, identifier_id: str
) -> bytes:
    """The patientId ExternalIdentifier; b"" for None, which is all an Association has.

    identifier_id: the ExternalIdentifier's own id, see `identifier_id`
    """
    if patient_id is None:
        return b""
    cell = _PATIENT_CELLS[kind]
    return _identifier(cell, object_id, patient_id, identifier_id).encode()


def end_tag(kind: Kind) -> bytes:
    """The end tag."""
    return _END_TAGS[kind]


def identifier_id(obj: RegistryObject, name: str = PATIENT) -> str:
    """Id of the ExternalIdentifier that holds attribute `name`; empty where none was sent."""
    if isinstance(obj, Association):
        return ""
    return dict(obj.identifier_ids).get(name, "")


_END_TAGS = {kind: f"</rim:{layout.element}>".encode() for kind, layout in LAYOUTS.items()}


_PATIENT_CELLS: Mapping[Kind, Cell] = {
    kind: cell
    for kind, layout in LAYOUTS.items()
    for cell in layout.identifiers.values()
    if cell.name == PATIENT
}


def _start(layout: Layout, values: Sequence[tuple[str, object]]) -> str:
    """values: by name of the XML attribute; None and empty ones are left out."""
    pieces = [f"<rim:{layout.element}"]
    for key, value in values:
        if value and (text := str(value)):
            pieces.append(f' {key}="{quoted(text)}"')
    if layout.object_type:
        pieces.append(f' objectType="{layout.object_type}"')
    pieces.append(">")
    return "".join(pieces)


# start of the slots that have a place in the table, by name
_SLOT_STARTS = {
    name: f'<rim:Slot name="{quoted(name)}"><rim:ValueList>'
    for cells in (
        *[layout.slots for layout in LAYOUTS.values()],
        AUTHOR_CELLS,
        (CODING_SCHEME_SLOT,),
    )
    for name in cells
}


def _add_slot(pieces: list[str], name: str, values: Iterable[object]) -> None:
    """A slot of the table."""
    pieces.append(_SLOT_STARTS[name])
    for value in values:
        pieces.append(f"<rim:Value>{escaped(str(value))}</rim:Value>")
    pieces.append("</rim:ValueList></rim:Slot>")


def _add_slots(pieces: list[str], slots: tuple[Slot, ...]) -> None:
    """Slots that no table names."""
    for slot in slots:
        kind = f' slotType="{quoted(slot.type)}"' if slot.type is not None else ""
        pieces.append(f'<rim:Slot name="{quoted(slot.name)}"{kind}><rim:ValueList>')
        pieces += [f"<rim:Value>{escaped(value)}</rim:Value>" for value in slot.values]
        pieces.append("</rim:ValueList></rim:Slot>")


def _volatile(obj: RegistryObject, layout: Layout) -> str:
    pieces: list[str] = []
    for key, cell in layout.slots.items():
        if cell.name in VOLATILE and (value := getattr(obj, cell.name)) is not None:
            _add_slot(pieces, key, (value,))
    return "".join(pieces)


def _add_text(pieces: list[str], tag: str, text: InternationalString | None) -> None:
    """tag: Name or Description; nothing is written for None."""
    if text is None:
        return
    pieces.append(f"<rim:{tag}>")
    for one in text.strings:
        lang = f' xml:lang="{quoted(one.lang)}"' if one.lang is not None else ""
        charset = f' charset="{quoted(one.charset)}"' if one.charset is not None else ""
        pieces.append(f'<rim:LocalizedString{lang}{charset} value="{quoted(one.value)}"/>')
    pieces.append(f"</rim:{tag}>")


def _add_children(
    pieces: list[str],
    obj: RegistryObject,
    layout: Layout,
    settle: Callable[[str], str],
    version: str | None,
    is_request: bool = False,
) -> None:
    """settle: gives the id to write for a nested id; version: None writes no VersionInfo.

    is_request: with the limitedMetadata label
    """
    for key, cell in layout.slots.items():
        value = getattr(obj, cell.name)
        if value is None or value == () or cell.name in VOLATILE:
            continue
        _add_slot(pieces, key, value if cell.many else (value,))
    _add_slots(pieces, obj.extra)
    _add_text(pieces, "Name", obj.title)
    _add_text(pieces, "Description", obj.comments)
    if version is not None:
        pieces.append(f'<rim:VersionInfo versionName="{quoted(version)}"/>')
    object_id = quoted(obj.entry_uuid)
    for scheme, cell in layout.authors.items():
        for author in getattr(obj, cell.name):
            _add_author(pieces, scheme, object_id, author, settle)
    for scheme, cell in layout.codes.items():
        value = getattr(obj, cell.name)
        for code in value if cell.many else (value,):
            if code is not None:
                _add_code(pieces, scheme, object_id, code, settle)
    if layout.label and not isinstance(obj, DocumentEntry | Association):
        _add_label(pieces, layout.label, object_id, settle(obj.label_id))
    for node, cell in layout.nodes.items():
        if is_request and getattr(obj, cell.name):
            _add_label(pieces, node, object_id, random_uuid())
    if isinstance(obj, Association):
        return
    ids = dict(obj.identifier_ids)
    for cell in layout.identifiers.values():
        if cell.name != PATIENT and (value := getattr(obj, cell.name)) is not None:
            id_ = settle(ids.get(cell.name, ""))
            pieces.append(_identifier(cell, obj.entry_uuid, str(value), id_))


_CLASSIFICATION = f'<rim:Classification objectType="{urns.CLASSIFICATION_TYPE}"'


def _add_label(pieces: list[str], node: str, object_id: str, id_: str) -> None:
    pieces.append(
        f'{_CLASSIFICATION} id="{quoted(id_)}" classifiedObject="{object_id}"'
        f' classificationNode="{node}"/>'
    )


def _classification(scheme: str, object_id: str, id_: str, node_representation: str | None) -> str:
    """The start tag; object_id comes quoted."""
    code = ""
    if node_representation is not None:
        code = f' nodeRepresentation="{quoted(node_representation)}"'
    return (
        f'{_CLASSIFICATION} id="{quoted(id_)}" classificationScheme="{scheme}"'
        f' classifiedObject="{object_id}"{code}>'
    )


def _add_author(
    pieces: list[str], scheme: str, object_id: str, author: Author, settle: Callable[[str], str]
) -> None:
    """nodeRepresentation stands there empty: consumers expect it (MD-161)."""
    pieces.append(_classification(scheme, object_id, settle(author.id), ""))
    for slot, cell in AUTHOR_CELLS.items():
        if values := getattr(author, cell.name):
            _add_slot(pieces, slot, values)
    _add_slots(pieces, author.extra)
    pieces.append("</rim:Classification>")


def _add_code(
    pieces: list[str], scheme: str, object_id: str, code: Code, settle: Callable[[str], str]
) -> None:
    pieces.append(_classification(scheme, object_id, settle(code.id), code.code))
    if code.scheme is not None:
        _add_slot(pieces, CODING_SCHEME_SLOT, (code.scheme,))
    _add_slots(pieces, code.extra)
    _add_text(pieces, "Name", code.display)
    pieces.append("</rim:Classification>")


def _patient(obj: RegistryObject, layout: Layout, settle: Callable[[str], str]) -> str:
    if isinstance(obj, Association) or obj.patient_id is None:
        return ""
    cell = _PATIENT_CELLS[layout.kind]
    return _identifier(cell, obj.entry_uuid, str(obj.patient_id), settle(identifier_id(obj)))


def _identifier(cell: Cell, object_id: str, value: str, id_: str) -> str:
    return (
        f'<rim:ExternalIdentifier objectType="{urns.EXTERNAL_IDENTIFIER_TYPE}"'
        f' id="{quoted(id_)}" registryObject="{quoted(object_id)}"'
        f' identificationScheme="{cell.key}" value="{quoted(value)}"><rim:Name>'
        f'<rim:LocalizedString value="{cell.label}"/></rim:Name></rim:ExternalIdentifier>'
    )
