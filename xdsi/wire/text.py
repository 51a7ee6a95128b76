"""Text on its way into XML."""

import re

# What must not stand in a message as it is. Carriage returns, tabs and line ends would be
# normalised by the reader's parser; the rest of the controls cannot stand in XML at all.
_ILLEGAL = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_IN_TEXT = re.compile(f"[&<>\r{_ILLEGAL}]").sub
_IN_ATTRIBUTE = re.compile(f'[&<>"\t\n\r{_ILLEGAL}]').sub
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    if (entity := _ENTITIES.get(character)) is None:
        raise ValueError(f"the character U+{ord(character):04X} cannot stand in XML")
    return entity


def escaped(text: str) -> str:
    """Text of an element. Raises ValueError for a character that XML cannot carry."""
    return _IN_TEXT(_entity, text)


def quoted(text: str) -> str:
    """Text of an attribute, without the quotes. Raises ValueError as `escaped` does."""
    return _IN_ATTRIBUTE(_entity, text)
