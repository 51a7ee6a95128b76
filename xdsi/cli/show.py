"""Metadata as people and programs read it."""

from collections.abc import Iterable, Iterator
from typing import Any

from xdsi.model.objects import Author, Code, DocumentEntry
from xdsi.standard import urns
from xdsi.standard.attributes import DOCUMENT_ENTRY, Attribute


def _text(value: Any) -> str:
    if isinstance(value, Code):
        return f"{value.code}^^{value.scheme} ({value.display})"
    if isinstance(value, Author):
        return ", ".join(map(str, (*value.persons, *value.institutions)))
    return str(value)


def _values(entry: DocumentEntry, row: Attribute) -> tuple[str, ...]:
    value = getattr(entry, row.name)
    if value is None or value == "" or value is False:
        return ()
    return tuple(map(_text, value)) if row.many else (_text(value),)


def attributes(entry: DocumentEntry) -> Iterator[tuple[str, tuple[str, ...]]]:
    """IHE name and values of every attribute present, in the order of the table."""
    for row in DOCUMENT_ENTRY:
        if values := _values(entry, row):
            yield row.ihe, values


def entry_as_dict(entry: DocumentEntry) -> dict[str, Any]:
    """For JSON: a list where the attribute may have several values."""
    many = {row.ihe for row in DOCUMENT_ENTRY if row.many}
    return {name: list(values) if name in many else values[0] for name, values in attributes(entry)}


def details(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    """Rows with all attributes of one entry."""
    for name, values in attributes(entry):
        for number, value in enumerate(values):
            yield ("" if number else name), value


def newest_first(entries: Iterable[DocumentEntry]) -> list[DocumentEntry]:
    """By creationTime; a shorter time counts as its earliest instant."""
    return sorted(entries, key=lambda each: str(each.creation_time or ""), reverse=True)


def title(entry: DocumentEntry) -> str:
    """Date and time in UTC, kind and title of a document in one line."""
    kind = entry.type_code.display if entry.type_code else None
    words = (_moment(str(entry.creation_time or "")), str(kind or ""), str(entry.title or ""))
    return "  ".join(filter(None, words)) or "a document that says nothing of itself"


def summary(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    """Rows that tell one document of a list from the others, with the ids to ask by."""
    if entry.status == urns.DEPRECATED:
        yield "status", "Deprecated"
    size = f", {entry.size} bytes" if entry.size else ""
    yield "content", f"{entry.mime_type}{size}"
    yield "document", str(entry.unique_id)
    yield "entry", entry.entry_uuid


def _moment(text: str) -> str:
    """`2026-11-23 21:46` of a DTM, as far as it goes."""
    if not text.isdigit():
        return text
    date = "-".join(filter(None, (text[:4], text[4:6], text[6:8])))
    return f"{date} {text[8:10]}:{text[10:12]}" if len(text) >= 12 else date
