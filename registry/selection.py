"""Parameters on what only the objects themselves say: compared after the statement.

For rare queries: a column for each would cost every submission.
Source: SQ-038, SQ-096.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from registry.arguments import Argument
from registry.fragments import fragments, objects
from registry.schema import comparable
from xdsi.model.objects import DocumentEntry, Fragment, ObjectRef, RegistryObject
from xdsi.standard.queries import Comparison


def selected(
    rows: Sequence[Sequence[Any]], given: Iterable[Argument], is_leaf: bool
) -> tuple[Fragment | ObjectRef, ...]:
    """Those of the objects that fulfil the CONTENT arguments. rows: as `search.LEAF`"""
    wanted = [each for each in given if each.parameter.test is Comparison.CONTENT]
    found = fragments(rows)
    return tuple(
        fragment if is_leaf else ObjectRef(obj.entry_uuid)
        for fragment, obj in zip(found, objects(found), strict=True)
        if all(_fulfils(obj, each) for each in wanted)
    )


def _fulfils(obj: RegistryObject, argument: Argument) -> bool:
    texts = [comparable(each) for each in _texts(obj, argument.parameter.attribute)]
    return all(
        any(like(pattern, text) for pattern in group for text in texts) for group in argument.groups
    )


def _texts(obj: RegistryObject, attribute: str) -> Iterable[str]:
    if not isinstance(obj, DocumentEntry):
        return ()
    if attribute == "title":
        return (each.value for each in obj.title.strings) if obj.title else ()
    return (str(each) for author in obj.authors for each in author.institutions)


def like(pattern: str, text: str) -> bool:
    """Whether the pattern matches the whole text (SQ-038).

    Pieces between percent signs are looked for from left to right, the first place is as good as
    any later one: so there is no way back, and no text that takes long.
    """
    first, *others = pattern.split("%")
    if not others:
        return len(first) == len(text) and _stands(first, text, 0)
    *middle, last = others
    at, end = len(first), len(text) - len(last)
    if end < at or not (_stands(first, text, 0) and _stands(last, text, end)):
        return False
    for piece in middle:
        places = range(at, end - len(piece) + 1)
        place = next((each for each in places if _stands(piece, text, each)), None)
        if place is None:
            return False
        at = place + len(piece)
    return True


def _stands(piece: str, text: str, at: int) -> bool:
    return all(one in ("_", other) for one, other in zip(piece, text[at:], strict=False))
