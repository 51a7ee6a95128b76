"""Headers out of `application/dicom+json`, one data set at a time.

An archive answers /studies/{uid}/metadata and searches (QIDO-RS) with one array of all data sets,
easily a hundred megabytes for a large study; only one of them is in memory. A data set becomes
the same `Item` that a file of the same content becomes, so everything behind is shared.
Source: DICOM PS3.18 F.2, 10.4.1.1.2; KOS-080, SEC-T-150.
"""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.study import StudyHeader
from xdsi.standard import dicom
from xdsi.wire.dicomfile import Item, Shape
from xdsi.wire.instances import HEADER, NOTE, studies_of

_LIMIT = 32 << 20  # characters of one data set
_NONE: Mapping[str, Any] = {}
_BLANK = " \t\r\n"
_NESTING = 16
# numbers stay the text they are: nothing here counts, and no foreign digit can cost anything
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def studies(
    answers: Iterable[Iterable[bytes]], *, what: str = "metadata"
) -> tuple[StudyHeader, ...]:
    """The studies that the metadata tells: one answer for all, or one for each series.

    Raises InvalidDocumentContent and NoSingleStudy as `headers` and `studies_of`.
    """
    return studies_of(
        (each.uid(dicom.SOP_INSTANCE_UID) or what, each)
        for answer in answers
        for each in headers(answer, what=what)
    )


def headers(chunks: Iterable[bytes], *, what: str = "metadata") -> Iterator[Item]:
    """The part of each data set that a manifest needs (`HEADER`, `NOTE`), as they come in.

    chunks: the body in order, any size; what: how errors call it
    Raises InvalidDocumentContent for what is no array of data sets in this form.
    """
    return _items(chunks, _header_shape, what)


def items(chunks: Iterable[bytes], shape: Shape, *, what: str) -> Iterator[Item]:
    """The part of each data set that `shape` wants; arguments and errors as those of `headers`."""
    return _items(chunks, lambda data_set: shape, what)


def _items(
    chunks: Iterable[bytes], shape: Callable[[Mapping[str, Any]], Shape], what: str
) -> Iterator[Item]:
    for each in _objects(chunks, what):
        try:
            yield _item(each, shape(each), 0)
        except (AttributeError, TypeError, KeyError, ValueError, RecursionError):
            raise _invalid(what, "is not in the DICOM JSON model") from None


def _header_shape(data_set: Mapping[str, Any]) -> Shape:
    is_note = _values(data_set, dicom.SOP_CLASS_UID) == [dicom.KEY_OBJECT_SELECTION]
    return NOTE if is_note else HEADER


def _invalid(what: str, sentence: str) -> InvalidDocumentContent:
    return InvalidDocumentContent(what, sentence, rule="KOS-133")


def _objects(chunks: Iterable[bytes], what: str) -> Iterator[Mapping[str, Any]]:
    """The members of one JSON array of objects."""
    source = _Text(chunks, what)
    if source.mark() != "[":
        raise _invalid(what, "is no JSON array")
    mark = source.mark()
    if mark == "]":
        return
    if mark:
        source.back()
    mark = ","
    while mark == ",":
        yield source.object()
        mark = source.mark()
        if mark not in (",", "]"):
            raise _invalid(what, "is no JSON array of objects, or ends too early")


class _Text:
    """A window on the text that moves on with what was read."""

    def __init__(self, chunks: Iterable[bytes], what: str) -> None:
        self.chunks = iter(chunks)
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.what = what
        self.window = ""
        self.at = 0

    def more(self) -> bool:
        """Take at least as much again as is unread, so that a retry costs no square."""
        unread = len(self.window) - self.at
        parts = [self.window[self.at :]]
        gained = 0
        try:
            while gained <= unread:
                chunk = next(self.chunks, None)
                parts.append(self.decoder.decode(chunk or b"", chunk is None))
                gained += len(parts[-1])
                if chunk is None:
                    break
        except UnicodeDecodeError:
            raise _invalid(self.what, "is no UTF-8 text") from None
        self.window, self.at = "".join(parts), 0
        return gained > 0

    def mark(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            while self.at < len(self.window):
                self.at += 1
                if (mark := self.window[self.at - 1]) not in _BLANK:
                    return mark
            if not self.more():
                return ""

    def back(self) -> None:
        self.at -= 1

    def object(self) -> Mapping[str, Any]:
        if self.mark() != "{":
            raise _invalid(self.what, "is no JSON array of objects, or ends too early")
        self.back()
        while True:
            try:
                found, self.at = _DECODER.raw_decode(self.window, self.at)
            except RecursionError:
                raise _invalid(self.what, "nests deeper than anybody needs") from None
            except ValueError:
                if len(self.window) - self.at > _LIMIT:
                    raise _invalid(
                        self.what,
                        f"has a broken data set, or one of more than {_LIMIT} characters",
                    ) from None
                if not self.more():
                    raise _invalid(self.what, "is no JSON, or ends too early") from None
            else:
                return found  # type: ignore[no-any-return]  # it begins with a brace


@cache
def _key(tag: int) -> str:
    return f"{tag:08X}"


def _item(data_set: Mapping[str, Any], shape: Shape, depth: int) -> Item:
    item = Item(("utf_8",))
    if depth > _NESTING:
        return item
    for tag in shape.values:
        if values := _values(data_set, tag):
            item.values[tag] = "\\".join(map(_text, values)).encode()
    for tag, inner in shape.sequences.items():
        made = (inner.make(_item(each, inner, depth + 1)) for each in _values(data_set, tag))
        item.sequences[tag] = [each for each in made if each is not None]
    return item


def _values(data_set: Mapping[str, Any], tag: int) -> list[Any]:
    values = data_set.get(_key(tag), _NONE).get("Value") or []
    if not isinstance(values, list):
        raise TypeError
    return values


def _text(value: Any) -> str:
    """A value; null is an empty one, a name an object of its component groups."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    groups = [str(value.get(name) or "") for name in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")
