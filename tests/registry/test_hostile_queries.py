"""Queries with anything in their parameters: metacharacters are data, and lists have an end.

Each parameter of each query in turn holds what must count as nothing but text, beside good values
for whatever else the query requires.
"""

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests import samples
from tests.registry.conftest import Maker, Registry
from xdsi.model.errors import XDSError, leaves
from xdsi.model.objects import ObjectRef, Slot
from xdsi.model.values import CXi
from xdsi.standard import urns
from xdsi.standard.queries import EVERY_QUERY, Comparison, Parameter, StoredQuery
from xdsi.wire.parameters import many

# of SQL, of LIKE and GLOB, and of the places that values are bound to
HOSTILE = ("x' OR '1'='1", "'; DROP TABLE object; --", "\\", "*", "? :limit %(limit)s $1 {0}")
# but for patterns
WILDCARDS = ("%", "_")
# nothing special, and no object has it; what is hostile must do the same
HARMLESS = "nothing"

# what such texts do, by the test of their parameter: select nothing, or be ignored, or be refused
SELECTS_NOTHING, IGNORED = "selects nothing", "ignored"
EFFECTS: Mapping[Comparison, str] = {
    Comparison.PATIENT: SELECTS_NOTHING,
    Comparison.TEXT: SELECTS_NOTHING,
    Comparison.CODE: SELECTS_NOTHING,
    Comparison.LIKE: SELECTS_NOTHING,
    Comparison.CONTENT: SELECTS_NOTHING,
    Comparison.ASSOCIATION_TYPE: SELECTS_NOTHING,
    Comparison.STATUS: IGNORED,
    Comparison.TYPE: IGNORED,
    Comparison.AVAILABILITY: IGNORED,
    Comparison.SINCE: "SQ-029",
    Comparison.BEFORE: "SQ-029",
    Comparison.LEVEL: "SQ-190",
}
PATTERNS = (Comparison.LIKE, Comparison.CONTENT)
# what finds something, where it is not taken from what is stored
FIXED = {
    **dict.fromkeys(PATTERNS, "%"),
    Comparison.SINCE: "1990",
    Comparison.BEFORE: "2100",
    Comparison.STATUS: urns.APPROVED,
    Comparison.TYPE: urns.STABLE_DOCUMENT,
    Comparison.ASSOCIATION_TYPE: urns.APND,
    Comparison.LEVEL: "2",
    Comparison.AVAILABILITY: urns.ONLINE,
}
STUDY = "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID"
Good = Callable[[Parameter], str]


def value(parameter: Parameter, text: str) -> str:
    """A text in the form that the parameter demands."""
    if parameter.test is Comparison.PATIENT:
        escaped = text.replace("\\", "\\E\\")
        return f"{escaped}^^^&{samples.PATIENT_DOMAIN}&ISO"
    return f"{text}^^{text}" if parameter.test is Comparison.CODE else text


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest) -> tuple[Registry, Good]:
    """A registry, and a value by which a parameter finds something there."""
    registry: Registry = request.getfixturevalue(f"{request.param}_registry")
    make = Maker(samples.new_patient())
    box, entry, addendum = make.folder(), make.entry(reference_ids=(CXi(STUDY),)), make.entry()
    sent = make.submission([entry], folders=[box], filed=[(box, entry)])
    registry.register(sent)
    link = samples.association(urns.APND, addendum, entry)
    registry.register(make.submission([addendum], associations=[link]))

    def good(parameter: Parameter) -> str:
        if parameter.test in FIXED:
            return FIXED[parameter.test]
        obj = {"SubmissionSet": sent.submission_set, "Folder": box}.get(parameter.kind, entry)
        name = "entry_uuid" if parameter.attribute == "logical_id" else parameter.attribute
        found = getattr(obj, name)
        one = found[0] if isinstance(found, tuple) else found
        return f"{one.code}^^{one.scheme}" if parameter.test is Comparison.CODE else str(one)

    return registry, good


def others(query: StoredQuery, parameter: Parameter, good: Good) -> Iterator[Slot]:
    """What a query needs besides one parameter to find something."""
    for each in query.parameters:
        is_needed = each.is_required or each.name in (*query.either[:1], *query.some[:1])
        excludes = {each.name, parameter.name} <= set(query.either)
        if is_needed and each is not parameter and not excludes:
            yield many(each.name, [good(each)])


def outcome(registry: Registry, query: StoredQuery, *slots: Slot) -> list[str] | set[str]:
    """Ids of what was found, or the rules that refused."""
    try:
        refs = registry.ask(query, *slots, returns="ObjectRef").objects
    except (XDSError, ExceptionGroup) as error:
        return {each.rule if isinstance(each, XDSError) else repr(each) for each in leaves(error)}
    return [each.id for each in refs if isinstance(each, ObjectRef)]


@pytest.mark.proves("SEC-T-120", "SQ-038")
@pytest.mark.parametrize("query", EVERY_QUERY.values(), ids=lambda query: query.name)
def test_metacharacters_are_data(filled: tuple[Registry, Good], query: StoredQuery) -> None:
    registry, good = filled
    for parameter in query.parameters:
        given = tuple(others(query, parameter, good))

        def asked(text: str, name: str = parameter.name, given: tuple[Slot, ...] = given) -> object:
            return outcome(registry, query, *given, many(name, [text]))

        found, harmless = asked(good(parameter)), asked(value(parameter, HARMLESS))
        assert isinstance(found, list), parameter
        assert found, parameter
        effect = EFFECTS[parameter.test]
        if effect == SELECTS_NOTHING:
            assert isinstance(harmless, list), parameter
            assert len(harmless) < len(found), parameter
        elif effect == IGNORED and parameter.is_required:
            assert harmless == {"SQ-054"}, parameter
        elif effect == IGNORED:
            assert harmless == outcome(registry, query, *given), parameter
        else:
            assert harmless == {effect}, parameter
        for text in HOSTILE if parameter.test in PATTERNS else HOSTILE + WILDCARDS:
            assert asked(value(parameter, text)) == harmless, (parameter, text)


LIMIT = 1_000
# one for each way in which a list is compared
LISTS = {
    "patients": ("FindDocumentsForMultiplePatients", "$XDSDocumentEntryPatientId"),
    "ids": ("GetDocuments", "$XDSDocumentEntryUniqueId"),
    "ids of any kind": ("GetAssociations", "$uuid"),
    "codes": ("FindDocuments", "$XDSDocumentEntryClassCode"),
    "codes of many": ("FindDocuments", "$XDSDocumentEntryEventCodeList"),
    "texts of many": ("FindDocumentsByReferenceId", "$XDSDocumentEntryReferenceIdList"),
}


@pytest.mark.proves("SEC-T-043", "SQ-023")
@pytest.mark.parametrize(("query", "name"), LISTS.values(), ids=LISTS)
def test_lists_end_at_their_limit(filled: tuple[Registry, Good], query: str, name: str) -> None:
    registry, good = filled
    (row,) = (each for each in EVERY_QUERY.values() if each.name == query)
    (parameter,) = (each for each in row.parameters if each.name == name)
    given = tuple(others(row, parameter, good))
    last = STUDY if parameter.test is Comparison.LIKE else good(parameter)

    def asked(count: int) -> object:
        texts = [value(parameter, f"{HARMLESS}{number}") for number in range(count - 1)]
        return outcome(registry, row, *given, many(name, [*texts, last]))

    found = asked(1)
    assert isinstance(found, list)
    assert found
    assert asked(LIMIT) == found
    for count in (LIMIT + 1, 20 * LIMIT):
        assert asked(count) == {"SEC-T-043"}
