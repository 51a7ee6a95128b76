"""The good message that every row of the table edits, and the edits.

A message is the tree of a SubmitObjectsRequest: a SubmissionSet `Set01` with two documents,
`Document01` filed in the new Folder `Folder01`, and `Document02` as a transformation of an entry of
the registry; another entry of the registry is a member by reference. All ids are symbolic. An edit
says what it touches, so that two rows can be put together when they touch different things.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

from lxml import etree

from tests import bodies, samples
from tests.errors import stored
from tests.samples import MemoryStaged
from xdsi.model.messages import Submission
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX, SHA1, Size
from xdsi.standard import attributes, urns
from xdsi.standard.namespaces import RIM, XDS, XOP
from xdsi.wire import submit

SET, FIRST, SECOND, FOLDER = "Set01", "Document01", "Document02", "Folder01"
# associations of the good message
OF_FIRST, OF_SECOND, OF_FOLDER = "as-first", "as-second", "as-folder"
FILING, OF_FILING, REFERENCE, RELATION = "as-filing", "as-member", "as-reference", "as-relation"
INTO = "as-into"  # see `into`

CONTENTS = {
    FIRST: b"A first invented report.\n",
    SECOND: b"The second invented report.\n",
}

_ROWS = {
    SET: attributes.SUBMISSION_SET,
    FIRST: attributes.DOCUMENT_ENTRY,
    SECOND: attributes.DOCUMENT_ENTRY,
    FOLDER: attributes.FOLDER,
    RELATION: attributes.ASSOCIATION,
    OF_FIRST: attributes.ASSOCIATION,
}


def _tag(name: str) -> str:
    return f"{{{RIM}}}{name}"


@dataclass(slots=True)
class Message:
    """root: the SubmitObjectsRequest; documents: octets by the id of their entry."""

    root: etree._Element
    documents: dict[str, bytes]

    def object(self, id_: str) -> etree._Element:
        (found,) = (each for each in self.list if each.get("id") == id_)
        return found

    @property
    def list(self) -> etree._Element:
        (found,) = self.root.iterchildren(_tag("RegistryObjectList"))
        return found

    def slot(self, id_: str, name: str) -> etree._Element:
        return _only(self.object(id_).findall(f"{_tag('Slot')}[@name='{name}']"))

    def code(self, id_: str, name: str) -> etree._Element:
        """The first Classification of a coded attribute or of the author."""
        scheme = _key(id_, name)
        path = f"{_tag('Classification')}[@classificationScheme='{scheme}']"
        found = self.object(id_).find(path)
        assert found is not None
        return found

    def identifier(self, id_: str, name: str) -> etree._Element:
        path = f"{_tag('ExternalIdentifier')}[@identificationScheme='{_key(id_, name)}']"
        return _only(self.object(id_).findall(path))

    def text(self, id_: str, name: str) -> str:
        """An identifier's value."""
        return str(self.identifier(id_, name).get("value"))

    def provided(self) -> tuple[etree._Element, dict[str, MemoryStaged]]:
        """The request of ITI-41, and its parts."""
        root = etree.Element(f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest")
        root.append(deepcopy(self.root))
        parts = {}
        for number, (id_, content) in enumerate(self.documents.items()):
            document = etree.SubElement(root, f"{{{XDS}}}Document", id=id_)
            etree.SubElement(document, f"{{{XOP}}}Include", href=f"cid:{number}")
            parts[str(number)] = samples.staged(content)
        return root, parts


def good(patient: CX = stored.PATIENT, *, is_joined: bool = True) -> Message:
    """The good message, with new uniqueIds.

    is_joined: with the relationship and the membership that lead to the registry
    """
    first = samples.full_document_entry(entry_uuid=FIRST, patient_id=patient)
    first = _of(first, CONTENTS[FIRST])
    second = _of(
        samples.document_entry(entry_uuid=SECOND, patient_id=patient), CONTENTS[SECOND]
    )  # fmt: skip
    box = samples.folder(entry_uuid=FOLDER, patient_id=patient)
    one = samples.submission_set(entry_uuid=SET, patient_id=patient)
    filing = samples.has_member(box, first, entry_uuid=FILING)
    links = [
        samples.has_member(one, first, entry_uuid=OF_FIRST),
        samples.has_member(one, second, entry_uuid=OF_SECOND),
        samples.has_member(one, box, entry_uuid=OF_FOLDER),
        filing,
        samples.has_member(one, filing, entry_uuid=OF_FILING),
    ]
    if is_joined:
        status = {"submission_set_status": "Reference"}
        links.append(samples.has_member(one, stored.OLD, entry_uuid=REFERENCE, **status))
        documented = {"documentation": samples.CORRECTED}
        links.append(
            samples.association(
                urns.XFRM, second, stored.PLAIN, entry_uuid=RELATION, **documented
            )
        )  # fmt: skip
    made = Submission((one,), (first, second), (box,), tuple(links))
    return Message(bodies.inline(submit.submission_to_xml(made)), dict(CONTENTS))


def _of(entry: DocumentEntry, content: bytes) -> DocumentEntry:
    staged = samples.staged(content)
    return replace(entry, hash=SHA1(staged.sha1), size=Size(str(staged.size)))


def _only(found: Iterable[etree._Element]) -> etree._Element:
    (one,) = found
    return one


def _key(id_: str, name: str) -> str:
    (row,) = (each for each in _ROWS[id_] if each.ihe == name)
    return row.key


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a message. touches: `object` or `object.part`, see `clashes`."""

    change: Callable[[Message], object]
    touches: frozenset[str]

    def clashes(self, other: "Edit") -> bool:
        """Whether both change the same thing, or one the whole of what the other changes."""
        return any(
            one == two or one.startswith(two + ".") or two.startswith(one + ".")
            for one in self.touches
            for two in other.touches
        )


def edit(change: Callable[[Message], object], *touches: str) -> Edit:
    return Edit(change, frozenset(touches))


def both(*edits: Edit) -> Edit:
    def change(message: Message) -> None:
        for each in edits:
            each.change(message)

    return Edit(change, frozenset().union(*(each.touches for each in edits)))


def xml(id_: str, name: str, value: str | None) -> Edit:
    """An XML attribute of an object; None takes it away."""
    touched = {f"{id_}.{name}", *(f"{id_}.{each}" for each in _HANGS_ON.get(name, ()))}
    if name in _WHOLE:
        touched.add(id_)
    return edit(lambda message: _set(message.object(id_), name, value), *touched)


# rules about the one hang on the other
_WHOLE = frozenset({"id", "associationType", "sourceObject", "targetObject"})
_HANGS_ON = {"objectType": ("creationTime", "hash", "size", "uniqueId")}


def _set(element: etree._Element, name: str, value: str | None) -> None:
    if value is None:
        del element.attrib[name]
    else:
        element.set(name, value)


def slot(id_: str, name: str, *values: str) -> Edit:
    """A Slot with these values, whether it was there or not; none takes it away."""

    def change(message: Message) -> None:
        found = message.object(id_).findall(f"{_tag('Slot')}[@name='{name}']")
        for each in found:
            message.object(id_).remove(each)
        if values:
            message.object(id_).insert(0, _slot(name, *values))

    return edit(change, f"{id_}.{name}")


def _slot(name: str, *values: str) -> etree._Element:
    made = etree.Element(_tag("Slot"), name=name)
    listed = etree.SubElement(made, _tag("ValueList"))
    for value in values:
        etree.SubElement(listed, _tag("Value")).text = value
    return made


def code(id_: str, name: str, change: Callable[[etree._Element], object]) -> Edit:
    """Change the first Classification of a coded attribute or of the author."""
    return edit(lambda message: change(message.code(id_, name)), f"{id_}.{name}")


def no_code(id_: str, name: str) -> Edit:
    """Without any Classification of the attribute."""

    def change(message: Message) -> None:
        path = f"{_tag('Classification')}[@classificationScheme='{_key(id_, name)}']"
        for each in message.object(id_).findall(path):
            message.object(id_).remove(each)

    return edit(change, f"{id_}.{name}")


def again(id_: str, name: str) -> Edit:
    """The Classification a second time, under an id of its own."""

    def change(message: Message) -> None:
        found = message.code(id_, name)
        copy = deepcopy(found)
        copy.set("id", f"{name}-again")
        found.addnext(copy)

    return edit(change, f"{id_}.{name}")


def inner(name: str, *values: str) -> Callable[[etree._Element], object]:
    """Change a Slot of a Classification; no values take it away."""

    def change(element: etree._Element) -> None:
        for each in element.findall(f"{_tag('Slot')}[@name='{name}']"):
            element.remove(each)
        if values:
            element.insert(0, _slot(name, *values))

    return change


def attribute(name: str, value: str | None) -> Callable[[etree._Element], object]:
    return lambda element: _set(element, name, value)


def child(name: str) -> Callable[[etree._Element], object]:
    """Take the first child of that name away."""

    def change(element: etree._Element) -> None:
        found = element.find(_tag(name))
        assert found is not None
        element.remove(found)

    return change


def identifier(id_: str, name: str, value: str | None) -> Edit:
    """The value of an ExternalIdentifier; None takes the whole away."""

    def change(message: Message) -> None:
        found = message.identifier(id_, name)
        if value is None:
            message.object(id_).remove(found)
        else:
            found.set("value", value)

    # a uniqueId that two objects get is a fault of its own
    return edit(change, f"{id_}.{name}", *([value] if value and name == "uniqueId" else ()))


def of_identifier(id_: str, name: str, change: Callable[[etree._Element], object]) -> Edit:
    return edit(lambda message: change(message.identifier(id_, name)), f"{id_}.{name}")


def patients(value: str) -> Edit:
    """Every patientId of the message, and so what it may be joined with in the registry."""
    change = both(*(identifier(each, "patientId", value) for each in (SET, FIRST, SECOND, FOLDER)))
    return Edit(change.change, change.touches | {INTO, RELATION})


def label(id_: str, change: Callable[[etree._Element], object]) -> Edit:
    """Change the Classification that says what kind of package it is."""

    def found(message: Message) -> object:
        path = f"{_tag('Classification')}[@classificationNode]"
        return change(_only(message.object(id_).findall(path)))

    return edit(found, f"{id_}.label")


def limited(id_: str, node: str) -> Edit:
    """With the limitedMetadata label of a kind."""

    def change(message: Message) -> None:
        made = etree.Element(
            _tag("Classification"),
            id=f"limited-{id_}",
            classifiedObject=id_,
            classificationNode=node,
        )
        message.list.append(made)

    return edit(change, f"{id_}.limitedMetadata")


def without(id_: str) -> Edit:
    """An object taken away."""
    return edit(lambda message: message.list.remove(message.object(id_)), id_)


def association(id_: str, type_: str, source: str, target: str, status: str = "") -> Edit:
    """One association more. status: its SubmissionSetStatus"""

    def change(message: Message) -> None:
        made = etree.SubElement(
            message.list,
            _tag("Association"),
            id=id_,
            associationType=type_,
            sourceObject=source,
            targetObject=target,
        )
        if status:
            made.append(_slot("SubmissionSetStatus", status))

    # without a label there is no such end
    return edit(change, id_, f"{source}.label", f"{target}.label")


def relation(type_: str, target: str) -> Edit:
    """The relationship of Document02 as another type, to another target."""

    def change(message: Message) -> None:
        message.object(RELATION).set("associationType", type_)
        message.object(RELATION).set("targetObject", target)

    return edit(change, RELATION, f"{target}.status")


def into(folder: str, entry: str) -> Edit:
    """One filing more, with its membership of the set; its ends are Approved and of one patient."""
    change = both(
        association(INTO, urns.HAS_MEMBER, folder, entry),
        association("as-of-into", urns.HAS_MEMBER, SET, INTO),
    )
    ends = {f"{each}.{name}" for each in (folder, entry) for name in ("patientId", "status")}
    return Edit(change.change, change.touches | ends)


def renamed(old: str, new: str) -> Edit:
    """Another id of an object, wherever it stands."""

    def change(message: Message) -> None:
        for element in message.root.iter(etree.Element):
            for name, value in element.items():
                if value == old:
                    element.set(name, new)
        if old in message.documents:
            message.documents[new] = message.documents.pop(old)

    return edit(change, old, OF_FIRST, FILING, OF_FILING)


def octets(id_: str, content: bytes | None) -> Edit:
    """The document alone: other octets, or none."""

    def change(message: Message) -> None:
        if content is None:
            del message.documents[id_]
        else:
            message.documents[id_] = content

    # what the entry says is compared with them
    return edit(change, *(f"{id_}.{each}" for each in ("octets", "hash", "size")))


def copied(message: Message) -> tuple[etree._Element, dict[str, bytes]]:
    """What the message is now, to be sent later."""
    return deepcopy(message.root), dict(message.documents)
