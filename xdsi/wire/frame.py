"""The outer elements of a body: finding them, and the fault when they are not there.

What is wrong inside registry objects is no fault but a finding (WS-080, WS-083).
"""

from xdsi.model.errors import SoapFault
from xdsi.wire.body import Element


def local(name: str) -> str:
    """`RegistryResponse` of `{namespace}RegistryResponse`."""
    return name.rpartition("}")[2]


def expect(element: Element, name: str) -> None:
    """Raises SoapFault unless the body's element is the one with this Clark name."""
    if element.tag != name:
        raise SoapFault("Sender", f"Body holds {element.tag!s}, expected {name}")


def only(parent: Element, name: str) -> Element:
    """The one child with this Clark name. Raises SoapFault for none or several."""
    found = list(parent.iterchildren(name))
    if len(found) != 1:
        count = "no" if not found else "more than one"
        raise SoapFault("Sender", f"{local(str(parent.tag))} has {count} {local(name)}")
    return found[0]


def allow(parent: Element, *names: str) -> None:
    """Raises SoapFault when a child element has none of these Clark names."""
    for child in parent:
        if child.tag not in names and isinstance(child.tag, str):
            name = local(child.tag)
            if name in map(local, names):
                name += f" of the namespace '{child.tag[1:].partition('}')[0]}'"
            raise SoapFault("Sender", f"{local(str(parent.tag))} must not hold {name}")
