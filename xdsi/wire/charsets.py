"""Text of DICOM values: the character sets of (0008,0005), with and without code extensions.

Reading never fails: what a set does not know becomes U+FFFD, an unknown set or none at all is
read as UTF-8 and, when it is none, as Latin-1.
Source: DICOM PS3.3 C.12.1.1.2, PS3.5 6.1.
"""

import re

from xdsi.standard.dicom import CHARACTER_SETS, ESCAPE_KEPT, ESCAPES

# the first set is active again from these on (PS3.5 6.1.2.5.3)
_DELIMITER = re.compile(rb"(?=[\r\n\f\t\\^=])")
_LONGEST = max(map(len, ESCAPES))


def codecs_of(specific_character_set: str) -> tuple[str, ...]:
    """Python codecs of the (backslash separated) value of Specific Character Set."""
    terms = (each.strip() for each in specific_character_set.split("\\"))
    plain = (each.replace("ISO 2022 IR ", "ISO_IR ").removeprefix("ISO 2022 ") for each in terms)
    return tuple(CHARACTER_SETS.get(each, "") for each in plain)


def decoded(value: bytes, codecs: tuple[str, ...]) -> str:
    """A text value of any VR without its padding.

    value: the bytes as they stand in the file
    codecs: what `codecs_of` gave for the data set
    """
    value = value.rstrip(b" \0")
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    first = codecs[0] if codecs else ""
    if b"\x1b" not in value:
        return _plain(value, first).strip()
    return "".join(_pieces(value, first)).strip()


def _plain(value: bytes, codec: str) -> str:
    if codec:
        return value.decode(codec, "replace")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin_1")


def _pieces(value: bytes, first: str) -> list[str]:
    """The text between escape sequences, each piece in the set that is active there."""
    head, *escaped = value.split(b"\x1b")
    out = [_plain(head, first)]
    for piece in (b"\x1b" + each for each in escaped):
        escape = next((piece[:n] for n in range(_LONGEST, 2, -1) if piece[:n] in ESCAPES), b"\x1b")
        codec = ESCAPES.get(escape, first)
        if codec in ESCAPE_KEPT:
            # two bytes a character: a byte that looks like a delimiter is none
            out.append(_plain(piece, codec))
            continue
        text, *after = _DELIMITER.split(piece[len(escape) :], maxsplit=1)
        out.append(_plain(text, codec))
        out.extend(_plain(each, first) for each in after)
    return out
