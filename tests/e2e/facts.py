"""What a registry object says, read from its XML by hand: no codec of the project takes part.

Ids are left out, since the registry replaces symbolic ones; so are status and version, which the
registry gives. Everything else that was sent must come back (REG-131, SQ-071).
"""

from collections import Counter

from lxml import etree

from xdsi.standard.namespaces import RIM, XSI

Fact = tuple[object, ...]

_R = f"{{{RIM}}}"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# what the repository adds, and what the registry writes
REPOSITORY_SLOTS = frozenset({"hash", "size", "repositoryUniqueId"})
LABELS = "classificationNode"


def objects(element: etree._Element) -> list[etree._Element]:
    """The objects of every RegistryObjectList, labels that stand beside them left out."""
    return [
        child
        for listed in element.iter(f"{_R}RegistryObjectList")
        for child in listed.iterchildren(tag=etree.Element)
        if child.tag not in (f"{_R}Classification", f"{_R}ObjectRef")
    ]


def kind(obj: etree._Element) -> str:
    type_ = obj.get(f"{{{XSI}}}type", "").rpartition(":")[2]
    return type_.removesuffix("1").removesuffix("Type") or etree.QName(obj).localname


def slots(element: etree._Element) -> Counter[Fact]:
    return Counter(
        ("Slot", slot.get("name"), tuple(text(value) for value in slot.iter(f"{_R}Value")))
        for slot in element.iterchildren(f"{_R}Slot")
    )


def text(element: etree._Element) -> str:
    return "".join(element.itertext(with_tail=False)) if not len(element) else _joined(element)


def _joined(element: etree._Element) -> str:
    """Text around comments."""
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    return "".join(pieces)


def strings(element: etree._Element) -> Counter[Fact]:
    return Counter(
        (name, one.get(_LANG), one.get("value"))
        for name in ("Name", "Description")
        for child in element.iterchildren(f"{_R}{name}")
        for one in child.iterchildren(f"{_R}LocalizedString")
    )


def of(obj: etree._Element) -> Counter[Fact]:
    """The facts of one object."""
    found: Counter[Fact] = Counter({("kind", kind(obj)): 1})
    for name in ("mimeType", "associationType", "home"):
        if obj.get(name) is not None:
            found["attribute", name, obj.get(name)] += 1
    if kind(obj) == "ExtrinsicObject":
        found["attribute", "objectType", obj.get("objectType")] += 1
    found += slots(obj) + strings(obj)
    for one in obj.iterchildren(f"{_R}Classification"):
        if one.get("classificationNode"):
            continue
        inner = frozenset((slots(one) + strings(one)).items())
        scheme = one.get("classificationScheme")
        found["Classification", scheme, one.get("nodeRepresentation"), inner] += 1
    for one in obj.iterchildren(f"{_R}ExternalIdentifier"):
        inner = frozenset(strings(one).items())
        found["Identifier", one.get("identificationScheme"), one.get("value"), inner] += 1
    return found


def without(found: Counter[Fact], *names: str) -> Counter[Fact]:
    """Facts but for some slots."""
    return Counter(
        {fact: n for fact, n in found.items() if not (fact[0] == "Slot" and fact[1] in names)}
    )
