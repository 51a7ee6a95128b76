"""The attribute table arranged for the ebRIM codec: by kind of object, and by place within it.

Nothing here decides anything; `xdsi.standard.attributes` does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from xdsi.model.objects import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xdsi.model.values import VALUE_TYPES
from xdsi.standard import attributes, urns
from xdsi.standard.attributes import Attribute, Place

Kind = type[DocumentEntry] | type[SubmissionSet] | type[Folder] | type[Association]

# Text of a slot, an XML attribute or an identifier -> value of the field; None keeps the text.
Make = Callable[[str], Any] | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One attribute in its place.

    name: field of the dataclass; ihe: name in the framework; key: as in the attribute table
    """

    name: str
    ihe: str
    key: str
    many: bool
    make: Make
    label: str = ""


Cells = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the attributes of one kind stand.

    element: ebRIM element; title: name of the kind in error texts
    label: classificationNode that marks a RegistryPackage as this kind; empty for others
    object_type: fixed @objectType; empty where it is an attribute of the object
    xml, slots, codes, authors, nodes, identifiers: cells by key
    """

    kind: Kind
    element: str
    title: str
    label: str
    object_type: str
    xml: Cells
    slots: Cells
    codes: Cells
    authors: Cells
    nodes: Cells
    identifiers: Cells


def _cells(rows: tuple[Attribute, ...], place: Place) -> Cells:
    return {
        row.key: Cell(row.name, row.ihe, row.key, row.many, VALUE_TYPES.get(row.type), row.label)
        for row in rows
        if row.place is place
    }


def _layout(
    kind: Kind, element: str, rows: tuple[Attribute, ...], label: str = "", object_type: str = ""
) -> Layout:
    places = (Place.XML, Place.SLOT, Place.CODE, Place.AUTHOR, Place.NODE, Place.IDENTIFIER)
    cells = (_cells(rows, place) for place in places)
    return Layout(kind, element, kind.__name__, label, object_type, *cells)


_PACKAGE = urns.REGISTRY_PACKAGE_TYPE
LAYOUTS: Mapping[Kind, Layout] = MappingProxyType(
    {
        layout.kind: layout
        for layout in (
            _layout(DocumentEntry, "ExtrinsicObject", attributes.DOCUMENT_ENTRY),
            _layout(
                SubmissionSet,
                "RegistryPackage",
                attributes.SUBMISSION_SET,
                urns.SUBMISSION_SET_NODE,
                _PACKAGE,
            ),
            _layout(Folder, "RegistryPackage", attributes.FOLDER, urns.FOLDER_NODE, _PACKAGE),
            _layout(
                Association,
                "Association",
                attributes.ASSOCIATION,
                object_type=urns.ASSOCIATION_TYPE,
            ),
        )
    }
)

# sub-slots of an author Classification, by slot name
AUTHOR_CELLS: Cells = {
    slot: Cell(name, slot, slot, True, VALUE_TYPES.get(type_))
    for slot, name, type_ in attributes.AUTHOR_SLOTS
}


def layout_of(obj: RegistryObject) -> Layout:
    """The layout of an object's kind."""
    return LAYOUTS[type(obj)]
