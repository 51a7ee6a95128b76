"""Answered objects as gateways pass them on: what their start tags say, and under which home.

Source: ITI TF-2 3.38.4.1.3 (XC-013 to XC-015, XC-023, XC-024).
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from xdsi.model.objects import Fragment, ObjectRef, RegistryObject
from xdsi.model.values import HomeCommunityId

Answered = RegistryObject | ObjectRef | Fragment


def at_home(objects: Iterable[Answered], home: HomeCommunityId) -> tuple[Answered, ...]:
    """Answered objects of one community, whatever home they had before (XC-013, XC-014)."""
    return tuple(
        [
            under(one, str(home)) if isinstance(one, Fragment) else replace(one, home=home)
            for one in objects
        ]
    )


_HOME = b' home="'


def under(fragment: Fragment, home: str) -> Fragment:
    """An object under a home, which needs no escaping.

    In values neither quotes nor > stand as they are, so that texts can be looked for.
    An element that was read and written out again is like that too.
    """
    xml = fragment.xml
    given = xml.find(_HOME, 0, xml.index(b">"))
    if given >= 0:
        xml = xml[:given] + xml[xml.index(b'"', given + len(_HOME)) + 1 :]
    name = xml.index(b" ")
    return Fragment(b"".join((xml[:name], _HOME, home.encode(), b'"', xml[name:])))


@dataclass(frozen=True, slots=True)
class Head:
    """What the start tag of an object says; kind: local name, such as ExtrinsicObject."""

    kind: str
    id: str
    home: str


_START = re.compile(rb"<(?:[^\s:>]+:)?([^\s/>]+)([^>]*)>")
_ATTRIBUTE = re.compile(rb'\s(id|home)="([^"]*)"')


def head(fragment: Fragment) -> Head:
    """Texts are "" where they are not given."""
    start = _START.match(fragment.xml)
    if start is None:
        raise ValueError("no element")
    given = {name: html.unescape(text.decode()) for name, text in _ATTRIBUTE.findall(start[2])}
    return Head(start[1].decode(), given.get(b"id", ""), given.get(b"home", "").strip())
