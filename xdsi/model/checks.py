"""What is wrong with the attributes of one object, seen alone.

Read here are the columns of `xdsi.standard.attributes` (who must send what), the values'
own problems, and the few rules that join attributes of one object. What needs the other objects
of a submission, the registry or the affinity domain stands in `registry.rules`.
Source: ITI TF-3 4.2.3, 4.3.1; checklist sections 2 and 3 (REG-070 to REG-073).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from xdsi.model.errors import XDSError, XDSRegistryMetadataError
from xdsi.model.objects import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    InternationalString,
    RegistryObject,
    SubmissionSet,
)
from xdsi.model.values import Field, Value, is_uuid
from xdsi.standard import attributes, urns
from xdsi.standard.attributes import Attribute, Need, Place

Finding = XDSRegistryMetadataError

_ROWS: Mapping[type, tuple[Attribute, ...]] = MappingProxyType(
    {
        DocumentEntry: attributes.DOCUMENT_ENTRY,
        SubmissionSet: attributes.SUBMISSION_SET,
        Folder: attributes.FOLDER,
        Association: attributes.ASSOCIATION,
    }
)

# what to add where a required attribute is missing
_REMEDIES = MappingProxyType(
    {
        Place.XML: "add the XML attribute {key}",
        Place.SLOT: "add a Slot named {key}",
        Place.CODE: "add a Classification with classificationScheme {key}",
        Place.AUTHOR: "add a Classification with classificationScheme {key}",
        Place.IDENTIFIER: "add an ExternalIdentifier with identificationScheme {key}",
        Place.NAME: "add a Name",
        Place.DESCRIPTION: "add a Description",
        Place.NODE: "add a Classification with classificationNode {key}",
    }
)

# longest title in characters, by kind (MD-075, MD-076)
_TITLES: Mapping[type, tuple[int, str]] = MappingProxyType(
    {DocumentEntry: (127, "MD-075"), SubmissionSet: (255, "MD-076"), Folder: (256, "MD-076")}
)

_AT_MOST_ONCE = ("PID-7", "PID-8")  # MD-133
_URI_PART = re.compile(r"([0-9]{1,4})\|")


def attribute_findings(obj: RegistryObject, column: str = "ITI-42") -> Iterator[XDSError]:
    """Every finding of one object, in the order of the attribute table.

    column: whose demands count, one of `attributes.COLUMNS`
    """
    for row in _ROWS[type(obj)]:
        value = getattr(obj, row.name)
        is_absent = not value or (isinstance(value, InternationalString) and _is_blank(value))
        need = row.need[column]
        if is_absent:
            if need is Need.REQUIRED or (need is Need.STABLE_ONLY and not _is_on_demand(obj)):
                remedy = _REMEDIES[row.place].format(key=row.key)
                yield _finding(obj, row.ihe, f"required, missing; {remedy}", "REG-070")
            continue
        if need is Need.FORBIDDEN or (need is Need.STABLE_ONLY and _is_on_demand(obj)):
            rule = "REG-072" if row.place is Place.NODE else row.rule
            yield _finding(obj, row.ihe, f"must not be present in {column}", rule)
        for one in value if isinstance(value, tuple) else (value,):
            if (check := _CHECKS.get(Value if isinstance(one, Value) else type(one))) is not None:
                for attribute, problem, shown, rule in check(row, one):
                    yield _finding(obj, attribute, problem, rule, shown)
    for attribute, problem, shown, rule in _of_object(obj):
        yield _finding(obj, attribute, problem, rule, shown)


# attribute, problem, value to show, rule
_Problem = tuple[str, str, str | None, str]


def _is_on_demand(obj: RegistryObject) -> bool:
    return isinstance(obj, DocumentEntry) and obj.is_on_demand


def _is_blank(text: InternationalString) -> bool:
    return not any(one.value.strip() for one in text.strings)


def name_of(obj: RegistryObject) -> str:
    """What the object is called in error texts: its uniqueId, or its id as sent."""
    unique_id = None if isinstance(obj, Association) else obj.unique_id
    return ((str(unique_id) if unique_id else "") or obj.entry_uuid)[:256] or "(no id)"


def _finding(
    obj: RegistryObject, attribute: str, problem: str, rule: str, value: str | None = None
) -> XDSError:
    what = f"{name_of(obj)} {type(obj).__name__}.{attribute}"
    return Finding(what, problem, rule=rule, location=obj.entry_uuid, value=value)


def _of_value(row: Attribute, value: Value) -> Iterator[_Problem]:
    if (problem := value.problem) is not None:
        yield row.ihe, problem, value.text, "REG-071"


def _of_code(row: Attribute, code: Code) -> Iterator[_Problem]:
    """A Code is complete (MD-094); whether it is allowed is the affinity domain's business."""
    if not code.code:
        yield row.ihe, "code missing; fill nodeRepresentation", None, "MD-094"
    if not code.scheme:
        problem = f"coding scheme missing; add a Slot named {attributes.CODING_SCHEME_SLOT}"
        yield row.ihe, problem, code.code, "MD-094"
    if code.display is None or _is_blank(code.display):
        yield row.ihe, "display name missing; add a Name", code.code, "MD-094"


def _of_author(row: Attribute, author: Author) -> Iterator[_Problem]:
    if not (author.persons or author.institutions or author.telecommunications):
        slots = "authorPerson, authorInstitution or authorTelecommunication"
        yield row.ihe, f"needs at least one of {slots}", None, "MD-163"
    if len(author.persons) > 1:
        yield "authorPerson", f"one value allowed, got {len(author.persons)}", None, "MD-162"
    for slot, name, _ in attributes.AUTHOR_SLOTS:
        for value in getattr(author, name):
            problem = value.problem if isinstance(value, Value) else None
            if problem is not None or not str(value):
                yield slot, problem or "empty value", str(value), "REG-071"


_CHECKS: Mapping[type, Callable[[Attribute, object], Iterator[_Problem]]] = MappingProxyType(
    {Value: _of_value, Code: _of_code, Author: _of_author}  # type: ignore[dict-item]
)


def _of_object(obj: RegistryObject) -> Iterator[_Problem]:
    """Rules over attributes of one object."""
    if (limit := _TITLES.get(type(obj))) is not None:
        yield from _of_title(obj.title, *limit)
    if obj.logical_id and obj.logical_id != obj.entry_uuid and not is_uuid(obj.logical_id):
        yield "logicalID", "lid must be a UUID URN or absent", obj.logical_id, "MD-178"
    if isinstance(obj, DocumentEntry):
        yield from _of_service_times(obj)
        yield from _of_patient_info(obj.source_patient_info)
        yield from _of_uri(obj.uri)
    elif isinstance(obj, Association):
        yield from _of_documentation(obj)


def _of_title(title: InternationalString | None, limit: int, rule: str) -> Iterator[_Problem]:
    for one in title.strings if title else ():
        if len(one.value) > limit:
            problem = f"{len(one.value)} characters long, allowed are {limit}"
            yield "title", problem, one.value, rule


def _of_service_times(entry: DocumentEntry) -> Iterator[_Problem]:
    """Compared at the coarser precision: 2024 does not precede 20240301 (REG-073)."""
    start, stop = entry.service_start_time, entry.service_stop_time
    if start is None or stop is None or start.problem or stop.problem:
        return
    shared = min(len(start.text), len(stop.text))
    if start.text[:shared] > stop.text[:shared]:
        yield "serviceStopTime", f"before serviceStartTime {start}", stop.text, "REG-073"


def _of_patient_info(fields: Iterable[Field]) -> Iterator[_Problem]:
    counts = Counter(field.field for field in fields)
    for name in _AT_MOST_ONCE:
        if counts[name] > 1:
            yield "sourcePatientInfo", f"{name} occurs {counts[name]} times", None, "MD-133"


def _of_uri(values: tuple[str, ...]) -> Iterator[_Problem]:
    """One value, or parts numbered 1|…, 2|… to be joined in that order (MD-132)."""
    if len(values) < 2:
        return
    found = [_URI_PART.match(value) for value in values]
    numbers = sorted(int(match[1]) for match in found if match)
    if numbers != list(range(1, len(values) + 1)):
        yield "URI", "several values must be parts numbered 1|, 2| and so on", None, "MD-132"


def _of_documentation(association: Association) -> Iterator[_Problem]:
    """Only relationships are documented (TF-3 4.2.2.2)."""
    if association.documentation and association.association_type == urns.HAS_MEMBER:
        yield "associationDocumentation", "not allowed on HasMember", None, "MD-174"
