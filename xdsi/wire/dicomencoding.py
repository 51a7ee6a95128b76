"""How the elements of a data set are written, and what takes them apart.

Source: DICOM PS3.5 7.1, A.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple


class Encoding(NamedTuple):
    """How elements are written: explicit VR or not, and the unpackers of one byte order.

    head: group, element and the four bytes behind, as VR and short length or as long length
    """

    explicit: bool
    head: Callable[[Any, int], tuple[Any, ...]]
    item: Callable[[Any, int], tuple[int, int, int]]
    long: Callable[[Any, int], tuple[int]]


class Encodings(NamedTuple):
    """The three ways to write a data set, for one kind of content."""

    implicit: Encoding
    explicit: Encoding
    big: Encoding


_Unpack = Callable[[Any, int], tuple[Any, ...]]


def _of_bytes(form: struct.Struct) -> _Unpack:
    return form.unpack_from


def _of_stream(form: struct.Struct) -> _Unpack:
    return lambda content, at: form.unpack(content[at : at + form.size])


def _encodings(unpacker: Callable[[struct.Struct], _Unpack]) -> Encodings:
    def encoding(explicit: bool, order: str) -> Encoding:
        forms = ("HH2sH" if explicit else "HHI", "HHI", "I")
        return Encoding(explicit, *(unpacker(struct.Struct(order + form)) for form in forms))

    return Encodings(encoding(False, "<"), encoding(True, "<"), encoding(True, ">"))


BYTES, STREAM = _encodings(_of_bytes), _encodings(_of_stream)
