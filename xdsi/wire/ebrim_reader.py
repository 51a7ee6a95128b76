"""ebRIM elements into registry objects (`xdsi.wire.ebrim` is the way out).

Read leniently: any prefixes, comments, order of objects, labels nested or beside their package,
`rim:Identifiable` with xsi:type. What the model cannot hold, and what is broken in form, becomes
a finding; values themselves are not judged (`xdsi.model.checks` does that). The first of two
things of which there may be one is taken.
Source: ITI TF-3 4.2.1 to 4.2.3; findings as MD-052 to MD-073, REG-051, REG-060.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from xdsi.model.errors import XDSError
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    InternationalString,
    LocalizedString,
    ObjectRef,
    RegistryObject,
    Slot,
)
from xdsi.model.values import HomeCommunityId
from xdsi.standard import urns
from xdsi.standard.attributes import CODING_SCHEME_SLOT
from xdsi.standard.namespaces import RIM, XML, XSI, tag
from xdsi.wire.body import Element
from xdsi.wire.findings import (
    EnoughFound,
    Message,
    Reading,
    check_extra_name,
    check_id,
    check_length,
    check_nested,
    check_object_type,
    check_version,
    named,
    unexpected,
    wrong_order,
)
from xdsi.wire.frame import local
from xdsi.wire.layout import AUTHOR_CELLS, LAYOUTS, Cell, Cells, Layout

_SLOT, _VALUE = tag(RIM, "Slot"), tag(RIM, "Value")
_NAME, _DESCRIPTION = tag(RIM, "Name"), tag(RIM, "Description")
_LOCALIZED = tag(RIM, "LocalizedString")
_VERSION = tag(RIM, "VersionInfo")
_CLASSIFICATION, _IDENTIFIER = tag(RIM, "Classification"), tag(RIM, "ExternalIdentifier")
_LANG = tag(XML, "lang")
_XSI_TYPE = tag(XSI, "type")

# what stands in a RegistryObjectList, by element name and by the xsi:type that says the same
_EXTRINSIC, _PACKAGE = tag(RIM, "ExtrinsicObject"), tag(RIM, "RegistryPackage")
_ASSOCIATION, _OBJECT_REF = tag(RIM, "Association"), tag(RIM, "ObjectRef")
_GENERAL = frozenset({tag(RIM, "Identifiable"), tag(RIM, "RegistryObject")})
_BY_TYPE = MappingProxyType(
    {
        "ExtrinsicObjectType": _EXTRINSIC,
        "RegistryPackageType": _PACKAGE,
        "AssociationType1": _ASSOCIATION,
        "ClassificationType": _CLASSIFICATION,
        "ObjectRefType": _OBJECT_REF,
    }
)

# the schema's order of children
_ORDER: Mapping[object, int] = {
    name: rank
    for rank, name in enumerate(
        (_SLOT, _NAME, _DESCRIPTION, _VERSION, _CLASSIFICATION, _IDENTIFIER)
    )
}
_TEXTS = {1: ("Name", "title"), 2: ("Description", "comments")}

_LABELS = MappingProxyType({one.label: one for one in LAYOUTS.values() if one.label})


def objects_from_list(
    element: Element,
) -> tuple[tuple[RegistryObject | ObjectRef, ...], tuple[XDSError, ...]]:
    """What a rim:RegistryObjectList holds, in its order, and what is wrong with its form.

    Loose Classifications are labels of other objects and give no object of their own.
    """
    message = Message()
    found: list[RegistryObject | ObjectRef] = []
    with suppress(EnoughFound):
        found += _read_list(element, message)
    return tuple(found), (*message.findings, *message.remarks)


def _read_list(element: Element, message: Message) -> Iterator[RegistryObject | ObjectRef]:
    listed = [(_kind_tag(child), child) for child in element if isinstance(child.tag, str)]
    for name, child in listed:
        if name == _CLASSIFICATION:
            _read_loose_label(child, message)
    known = {child.get("id") for name, child in listed if name in (_EXTRINSIC, _PACKAGE)}
    for target in sorted(message.labels.keys() - known):
        message.find(
            f"{named(target)} Classification",
            "classifiedObject names no object of the message that takes a label; nest the "
            "Classification in the object or correct classifiedObject",
            "MD-053",
            target,
        )
    for name, child in listed:
        if (one := _read_listed(name, child, message)) is not None:
            yield one


def _kind_tag(element: Element) -> str:
    """The element's name, or the one its xsi:type stands for."""
    name = str(element.tag)
    if name in _GENERAL and (type_ := element.get(_XSI_TYPE)):
        prefix, colon, local = type_.strip().rpartition(":")
        if element.nsmap.get(prefix if colon else None) == RIM:
            return _BY_TYPE.get(local, name)
    return name


def _read_listed(
    name: str, element: Element, message: Message
) -> RegistryObject | ObjectRef | None:
    if name == _EXTRINSIC:
        return _read_object(element, LAYOUTS[DocumentEntry], message)
    if name == _ASSOCIATION:
        return _read_object(element, LAYOUTS[Association], message)
    if name == _PACKAGE:
        layout = _package_layout(element, message)
        return None if layout is None else _read_object(element, layout, message)
    if name == _OBJECT_REF:
        home = element.get("home")
        return ObjectRef(element.get("id", ""), None if home is None else HomeCommunityId(home))
    if name != _CLASSIFICATION:
        object_id = element.get("id", "")
        message.find(
            f"{named(object_id)} {local(name)}",
            "not an object of IHE metadata; send ExtrinsicObject, RegistryPackage, Association "
            "and label Classifications only",
            "MD-057",
            object_id,
        )
    return None


def _read_loose_label(element: Element, message: Message) -> None:
    object_id, target = element.get("id", ""), element.get("classifiedObject", "")
    node = element.get("classificationNode")
    check_id(object_id, f"{named(object_id)} Classification", object_id, message)
    if node is None:
        message.find(
            f"{named(object_id)} Classification",
            "only label Classifications (classificationNode) may stand in the list; nest this "
            "one in the object it describes",
            "MD-055",
            object_id,
        )
        return
    message.check_lost(element, f"{named(target)} Classification", target)
    message.labels.setdefault(target, []).append((node, object_id))


def _package_layout(element: Element, message: Message) -> Layout | None:
    """The layout its label asks for; a finding and None without exactly one kind of label."""
    object_id = element.get("id", "")
    nodes = [one.get("classificationNode") for one in element.iterchildren(_CLASSIFICATION)]
    nodes += [node for node, _ in message.labels.get(object_id, ())]
    kinds = {node for node in nodes if node is not None and node in _LABELS}
    if len(kinds) == 1:
        return _LABELS[kinds.pop()]
    problem = "labelled both as SubmissionSet and as Folder" if kinds else "without label"
    message.find(
        f"{named(object_id)} RegistryPackage",
        f"{problem}; add one Classification with classificationNode "
        f"{urns.SUBMISSION_SET_NODE} (SubmissionSet) or {urns.FOLDER_NODE} (Folder)",
        "REG-051",
        object_id,
    )
    return None


def _attributes(element: Element) -> dict[str, str]:
    return dict(element.items())  # type: ignore[arg-type]  # parsed text is str


def _read_object(element: Element, layout: Layout, message: Message) -> RegistryObject:
    attributes = _attributes(element)
    object_id = attributes.get("id", "")
    values: dict[str, Any] = {"extra": ()}
    for key, cell in layout.xml.items():
        if (text := attributes.get(key)) is not None:
            values[cell.name] = text if cell.make is None else cell.make(text)
    now = Reading(message, layout, object_id, values)
    for name in _NEVER_NONE:
        if name in _FIELDS[layout.kind]:
            values.setdefault(name, "")
    check_id(object_id, now.title, object_id, message)
    check_object_type(now, attributes)
    check_length(now, "mimeType", attributes.get("mimeType", ""))
    identifier_ids: list[tuple[str, str]] = []
    extra: list[Slot] = []
    seen: set[str] = set()
    rank = 0
    for child in element:
        order = _ORDER.get(child.tag)
        if order is None:
            unexpected(now, child)
            continue
        if order < rank:
            wrong_order(now, child)
        rank = order
        if order == 0:
            _read_slot(child, layout.slots, values, extra, seen, now, "")
        elif order == 4:
            _read_classification(child, now)
        elif order == 5:
            _read_identifier(child, now, identifier_ids)
        elif order == 3:
            check_version(now, child)
            values["version"] = child.get("versionName")
        else:
            title, field = _TEXTS[order]
            if field in values:
                now.find(title, "occurs twice", "REG-071")
            else:
                values[field] = _read_text(child, now)
    for node, label_id in message.labels.get(object_id, ()):
        _read_node(node, label_id, now)
    if extra:
        values["extra"] = tuple(extra)
    if identifier_ids:
        values["identifier_ids"] = tuple(identifier_ids)
    for name in _REPEATED[layout.kind]:
        if name in values:
            values[name] = tuple(values[name])
    return layout.kind(**values)


# fields whose type is plain str: an absent XML attribute is an empty text there
_NEVER_NONE = (
    "entry_uuid",
    "object_type",
    "association_type",
    "source_object",
    "target_object",
)
_FIELDS = MappingProxyType(
    {
        layout.kind: frozenset(cell.name for cell in layout.xml.values())
        for layout in LAYOUTS.values()
    }
)
# fields collected over several Classifications
_REPEATED = MappingProxyType(
    {
        layout.kind: tuple(
            cell.name
            for cells in (layout.codes, layout.authors)
            for cell in cells.values()
            if cell.many
        )
        for layout in LAYOUTS.values()
    }
)


def _text(value: Element) -> str:
    """All of its text: a comment in the middle must not cut it short."""
    if not len(value):
        return value.text or ""
    return (value.text or "") + "".join(child.tail or "" for child in value)


def slot_values(element: Element) -> tuple[str, ...]:
    """The texts of a rim:Slot, unchanged."""
    return tuple([_text(value) for values in element for value in values if value.tag == _VALUE])


def _read_slot(
    element: Element,
    cells: Cells,
    values: dict[str, Any],
    extra: list[Slot],
    seen: set[str],
    now: Reading,
    inside: str,
) -> None:
    """inside: `author.` or the like for slots of Classifications, for error texts."""
    name = element.get("name", "")
    if name in seen:
        now.find(inside + name, "slot occurs twice; put all values into one", "MD-064")
        return
    seen.add(name)
    texts = slot_values(element)
    for text in texts:
        check_length(now, inside + name, text)
    cell = cells.get(name)
    if cell is None:
        check_extra_name(name, inside, now)
        extra.append(Slot(name, texts, element.get("slotType")))
    elif texts:
        values[cell.name] = _of_cell(cell, texts, inside + cell.ihe, now)


def _of_cell(cell: Cell, texts: tuple[str, ...], attribute: str, now: Reading) -> Any:
    if cell.many:
        return texts if cell.make is None else tuple([cell.make(text) for text in texts])
    if len(texts) > 1:
        now.find(attribute, f"one value allowed, got {len(texts)}", "REG-071")
    return texts[0] if cell.make is None else cell.make(texts[0])


def _read_text(element: Element, now: Reading) -> InternationalString | None:
    """None without any LocalizedString."""
    strings = []
    for one in element.iter(_LOCALIZED):
        value = one.get("value")
        if value is None:
            now.find("", "LocalizedString without value", "WS-083")
        else:
            strings.append(LocalizedString(value, one.get(_LANG), one.get("charset")))
    return InternationalString(tuple(strings)) if strings else None


def _read_node(node: str, label_id: str, now: Reading) -> None:
    """A Classification by classificationNode: a label."""
    layout = now.layout
    if node == layout.label and layout.label:
        if not now.values.get("label_id"):
            now.values["label_id"] = label_id
    elif (cell := layout.nodes.get(node)) is not None:
        now.values[cell.name] = True
    else:
        now.find("", f"classificationNode {node} is not known for this kind", "MD-065")


def _read_classification(element: Element, now: Reading) -> None:
    attributes = _attributes(element)
    layout, values = now.layout, now.values
    id_ = attributes.get("id", "")
    scheme, node = attributes.get("classificationScheme"), attributes.get("classificationNode")
    cell = layout.codes.get(scheme or "")
    is_author = cell is None and (scheme or "") in layout.authors
    if is_author:
        cell = layout.authors[scheme or ""]
    title = cell.ihe if cell else "Classification"
    check_nested(attributes, title, "classifiedObject", urns.CLASSIFICATION_TYPE, "MD-010", now)
    if scheme is None:
        if node is None:
            now.find(
                "Classification",
                "needs a classificationScheme or a classificationNode",
                "MD-065",
                id_,
            )
        else:
            now.message.check_lost(element, f"{now.title}.Classification", now.id)
            _read_node(node, id_, now)
        return
    if node is not None:
        now.find(title, "has both classificationScheme and classificationNode", "MD-065")
    if cell is None:
        now.find("Classification", "classificationScheme unknown for this kind", "MD-065", scheme)
        return
    one = (
        _read_author(element, attributes, id_, now)
        if is_author
        else _read_code(element, attributes, id_, title, now)
    )
    if cell.many:
        values.setdefault(cell.name, []).append(one)
    elif cell.name in values:
        now.find(title, "occurs twice; one Classification allowed", "REG-071")
    else:
        values[cell.name] = one


def _read_author(element: Element, attributes: dict[str, str], id_: str, now: Reading) -> Author:
    if "nodeRepresentation" not in attributes:
        now.find("author", 'nodeRepresentation missing; write nodeRepresentation=""', "MD-161")
    values: dict[str, Any] = {}
    extra = _read_nested(element, AUTHOR_CELLS, values, "author.", now)
    return Author(**values, id=id_, extra=extra)


def _read_code(
    element: Element, attributes: dict[str, str], id_: str, title: str, now: Reading
) -> Code:
    code = attributes.get("nodeRepresentation")
    check_length(now, title, code or "")
    values: dict[str, Any] = {}
    extra = _read_nested(element, _CODE_CELLS, values, title + ".", now)
    return Code(code, values.get("scheme"), values.get("name"), id_, extra)


_CODE_CELLS: Cells = MappingProxyType(
    {CODING_SCHEME_SLOT: Cell("scheme", CODING_SCHEME_SLOT, CODING_SCHEME_SLOT, False, None)}
)


def _read_nested(
    element: Element, cells: Cells, values: dict[str, Any], inside: str, now: Reading
) -> tuple[Slot, ...]:
    """Slots of a Classification into values, its Name under `name`; extra slots are returned."""
    extra: list[Slot] = []
    seen: set[str] = set()
    rank = 0
    for child in element:
        order = _ORDER.get(child.tag)
        if order is None or order > 3:
            unexpected(now, child)
            continue
        if order < rank:
            wrong_order(now, child)
        rank = order
        if order == 0:
            _read_slot(child, cells, values, extra, seen, now, inside)
        elif order == 1 and cells is _CODE_CELLS:
            values["name"] = _read_text(child, now)
    return tuple(extra)


def _read_identifier(element: Element, now: Reading, identifier_ids: list[tuple[str, str]]) -> None:
    attributes = _attributes(element)
    scheme = attributes.get("identificationScheme", "")
    cell = now.layout.identifiers.get(scheme)
    title = cell.ihe if cell else "ExternalIdentifier"
    check_nested(attributes, title, "registryObject", urns.EXTERNAL_IDENTIFIER_TYPE, "MD-011", now)
    if cell is None:
        now.find(title, "identificationScheme unknown for this kind", "REG-071", scheme)
        return
    if next(element.iter(_LOCALIZED), None) is None:
        now.find(title, f"ExternalIdentifier without Name; its Name is {cell.label}", "REG-070")
    now.message.check_lost(element, f"{now.title}.{title}", now.id)
    value = attributes.get("value")
    if cell.name in now.values:
        now.find(title, "occurs twice; one ExternalIdentifier allowed", "REG-071")
    elif value is not None:
        check_length(now, title, value)
        now.values[cell.name] = value if cell.make is None else cell.make(value)
        identifier_ids.append((cell.name, attributes.get("id", "")))
