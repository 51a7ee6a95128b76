"""Hypothesis strategies for registry objects: every attribute of the table, any legal text.

Values need not be good ones (`xdsi.model.checks` judges), only such that XML and the schema can
carry them: the codec must bring back exactly what went in.
"""

from typing import Any

from hypothesis import strategies as st

from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    InternationalString,
    LocalizedString,
    Slot,
    SubmissionSet,
)
from xdsi.model.values import VALUE_TYPES, HomeCommunityId
from xdsi.standard import attributes, urns
from xdsi.standard.attributes import Attribute, Place

# All of XML: controls other than these three, surrogates and the two non-characters are not.
CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"
) | st.sampled_from("\t\n\r&<>'\"^|~\\")


def texts(min_size: int = 0, max_size: int = 24) -> st.SearchStrategy[str]:
    """Any text that XML can carry."""
    return st.text(CHARACTERS, min_size=min_size, max_size=max_size)


uuids = st.uuids(version=4).map(lambda one: one.urn)
symbolic_ids = st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,12}", fullmatch=True)
ids = uuids | symbolic_ids
oids = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,6})){1,6}", fullmatch=True)
homes = oids.map(lambda oid: HomeCommunityId(f"urn:oid:{oid}"))
statuses = st.sampled_from(sorted(urns.STATUSES))

localized = st.builds(
    LocalizedString,
    texts(),
    st.none() | st.sampled_from(["en", "en-US", "de-AT", "fr"]),
    st.none() | st.just("UTF-8"),
)
international_strings = st.lists(localized, min_size=1, max_size=3).map(
    lambda strings: InternationalString(tuple(strings))
)
slots = st.builds(
    Slot,
    st.from_regex(r"urn:example:[a-z0-9]{1,12}", fullmatch=True),
    st.lists(texts(), max_size=3).map(tuple),
    st.none() | st.just("urn:example:type"),
)
extras = st.lists(slots, max_size=2, unique_by=lambda slot: slot.name).map(tuple)
codes = st.builds(
    Code,
    st.none() | texts(),
    st.none() | texts(),
    st.none() | international_strings,
    extra=extras,
)


def _values(type_: str) -> st.SearchStrategy[Any]:
    kind = VALUE_TYPES.get(type_)
    return texts() if kind is None else texts().map(kind)


authors = st.builds(
    Author,
    **{
        name: st.lists(_values(type_), max_size=2).map(tuple)
        for _, name, type_ in attributes.AUTHOR_SLOTS
    },
    extra=extras,
)

_BY_KEY = {
    "id": ids,
    "home": homes,
    "status": statuses,
    "lid": uuids,
    "objectType": st.sampled_from([urns.STABLE_DOCUMENT, urns.ON_DEMAND_DOCUMENT]),
    "mimeType": texts(min_size=1),
    "associationType": st.sampled_from(sorted({urns.HAS_MEMBER, *urns.RELATIONSHIPS})),
    "sourceObject": ids,
    "targetObject": ids,
}
_BY_TYPE = {
    "Author": authors,
    "Code": codes,
    "InternationalString": international_strings,
    "bool": st.booleans(),
}


def attribute(row: Attribute) -> st.SearchStrategy[Any]:
    """Present values of one attribute of the table."""
    if row.place is Place.XML:
        return _BY_KEY[row.key]
    one = _BY_TYPE[row.type] if row.type in _BY_TYPE else _values(row.type)
    return st.lists(one, min_size=1, max_size=3).map(tuple) if row.many else one


# Fields without which there is no object; `status` and the rest come and go.
_ALWAYS = {"entry_uuid", "object_type", "association_type", "source_object", "target_object"}


def _objects(kind: type, rows: tuple[Attribute, ...]) -> st.SearchStrategy[Any]:
    fields = {row.name: attribute(row) for row in rows}
    always = {name: one for name, one in fields.items() if name in _ALWAYS}
    others = {name: one for name, one in fields.items() if name not in _ALWAYS}
    others |= {"extra": extras, "version": st.from_regex(r"[1-9][0-9]{0,3}", fullmatch=True)}
    return st.fixed_dictionaries(always, optional=others).map(lambda given: kind(**given))


document_entries = _objects(DocumentEntry, attributes.DOCUMENT_ENTRY)
submission_sets = _objects(SubmissionSet, attributes.SUBMISSION_SET)
folders = _objects(Folder, attributes.FOLDER)
associations = _objects(Association, attributes.ASSOCIATION)
objects = document_entries | submission_sets | folders | associations
