"""Answers to queries whose objects nobody here reads: judged as a whole, passed on as they came.

To make a tree of an answer and to write its objects out again costs three times what it takes to
see that it is well-formed. So objects are cut from the text where it is sure that they end there,
and a tree is made of what is left. Whatever looks unusual takes the way over the tree.
Source: ITI TF-2 3.38.4.1.3 (XC-029); SEC-T-167: the same limits either way.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from lxml import etree

from xdsi.model.errors import SoapFault
from xdsi.model.objects import Fragment
from xdsi.standard.namespaces import RIM, tag
from xdsi.wire import safexml
from xdsi.wire.body import Element
from xdsi.wire.safexml import XmlLimits
from xdsi.wire.text import quoted

_NAME = b"RegistryObjectList>"
# without attributes, which could declare something or hold a >
_LIST = re.compile(rb"<((?:[A-Za-z0-9_.-]+:)?)RegistryObjectList>")
_BLANKS = re.compile(rb"[ \t\r\n]*")
# as programs write them: one blank, double quotes, in values neither < nor > nor line ends
_START = re.compile(
    rb"""(< ((?:[A-Za-z0-9_.-]+:)?) [A-Za-z0-9_.-]+ )
    ( (?: [ ] [A-Za-z0-9_.:-]+ ="[^"<>\t\r\n]*" )*+ [ ]?+ (/?) > )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Object:
    """An element as it stands in the text. start: `<` and its name; tag: the start tag behind it"""

    start: bytes
    tag: bytes
    rest: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The root of a message, and what was cut from it: all objects of its list or none."""

    root: Element
    _cut: tuple[_Object, ...] = ()

    def objects(self, element: Element) -> tuple[Fragment, ...]:
        """Those in the lists of an answer in the root, with all declarations that they stand under.

        What is no object at all is left out.
        """
        found: list[Fragment] = []
        for each in element.iterchildren(tag(RIM, "RegistryObjectList")):
            found += [
                Fragment(etree.tostring(one, encoding="utf-8", with_tail=False))
                for one in each.iterchildren(tag(RIM, "*"))
            ]
            declared = _declarations(each)
            for one in self._cut:
                added = [whole for name, whole in declared if name not in one.tag]
                found.append(Fragment(b"".join((one.start, *added, one.tag, one.rest))))
        return tuple(found)


def parse(data: bytes, *, charset: str | None = None, limits: XmlLimits = XmlLimits()) -> Answer:
    """An answer. data, charset, limits, errors: see `safexml.parse`"""
    if len(data) <= limits.envelope:
        text = safexml.utf8(data, charset)
        if safexml.is_plain(text, limits) and (cut := _cut(text)) is not None:
            rest, objects = cut
            with suppress(SoapFault):  # told below, with the right line
                return Answer(safexml.parse(rest, limits=limits), objects)
    return whole(data, charset=charset, limits=limits)


def whole(data: bytes, *, charset: str | None = None, limits: XmlLimits = XmlLimits()) -> Answer:
    """The same with all objects in the tree."""
    return Answer(safexml.parse(data, charset=charset, limits=limits))


def _cut(text: bytes) -> tuple[bytes, tuple[_Object, ...]] | None:
    """The text without its objects, and these; None where that is not sure.

    In well-formed text without comments, sections and instructions each < begins a tag.
    """
    start = _LIST.search(text)
    if start is None or text.count(_NAME) != 2:
        return None
    prefix = start[1]
    objects: list[_Object] = []
    end = text.rindex(b"<", 0, text.rindex(_NAME))
    at = _blank(text, start.end())
    while at < end:
        one = _START.match(text, at, end)
        if one is None or one[2] != prefix or not _leaves(prefix, one[3]):
            return None
        at = one.end()
        if not one[4]:
            at = text.find(b"</%s>" % one[1][1:], at, end)
            if at < 0 or text.find(one[1], one.end(), at) >= 0:
                return None
            at += len(one[1]) + 2
        objects.append(_Object(one[1], one[3], text[one.end() : at]))
        at = _blank(text, at)
    return text[: start.end()] + text[end:], tuple(objects)


def _blank(text: bytes, at: int) -> int:
    """Where white space ends."""
    found = _BLANKS.match(text, at)
    return found.end() if found is not None else at


def _leaves(prefix: bytes, attributes: bytes) -> bool:
    """Whether a start tag leaves the prefix of its list what it is there."""
    name = _declaration(prefix[:-1].decode())
    return name not in attributes or name + RIM.encode() + b'"' in attributes


def _declaration(prefix: str) -> bytes:
    """How the declaration of a prefix begins, "" for none."""
    return f' xmlns:{prefix}="'.encode() if prefix else b' xmlns="'


def _declarations(element: Element) -> tuple[tuple[bytes, bytes], ...]:
    """All that an element stands under: how each begins, and the whole of it."""
    names = [(_declaration(prefix or ""), uri) for prefix, uri in element.nsmap.items()]
    return tuple([(name, name + f'{quoted(uri)}"'.encode()) for name, uri in names])
