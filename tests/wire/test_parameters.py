"""Stored-query values: what a parameter's text means, and how one is written."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdsi.model.objects import Slot
from xdsi.wire.parameters import (
    VALUE_LENGTH,
    Bare,
    ParameterError,
    code,
    code_and_scheme,
    literals,
    many,
    number,
    single,
    string,
)

MEANINGS = [
    # rules, Values of the slot, items
    (["SQ-021"], ["'abc'"], ["abc"]),
    (["SQ-021"], ["123"], ["123"]),
    (["SQ-021"], ["'Children''s Hospital'"], ["Children's Hospital"]),
    (["SQ-021"], ["''''"], ["'"]),
    ([], ["''"], [""]),
    (["SQ-022"], ["('a')"], ["a"]),
    (["SQ-022"], ["('a','b','c')"], ["a", "b", "c"]),
    (["SQ-022"], ["(1,2)"], ["1", "2"]),
    (["SQ-023"], ["('a','b')", "('c')"], ["a", "b", "c"]),
    (["SQ-025"], ["'a'", "'b'"], ["a", "b"]),
    (["SQ-010"], [" \n( 'a' ,\t'b' ) "], ["a", "b"]),
    (["SQ-010"], ["  'a'  "], ["a"]),
    ([], ["(' a ')"], [" a "]),
    ([], ["('a,b','(c)','d''(')"], ["a,b", "(c)", "d'("]),
    ([], ["('\"')"], ['"']),
    (["SQ-029"], ["20240101"], ["20240101"]),
    (["SQ-029"], ["'20240101'"], ["20240101"]),
    (["SQ-042"], ["'st3498702^^^&1.3.6.1.4.1.21367.2005.3.7&ISO'"],
     ["st3498702^^^&1.3.6.1.4.1.21367.2005.3.7&ISO"]),
    (["SQ-025"], ["st3498702^^^&1.3.6.1.4.1.21367.2005.3.7&ISO"],
     ["st3498702^^^&1.3.6.1.4.1.21367.2005.3.7&ISO"]),
    ([], ["()"], []),
    ([], [""], []),
    ([], [], []),
    ([], ["('%Muster%','a_b\\')"], ["%Muster%", "a_b\\"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "items"),
    [
        pytest.param(values, items, marks=pytest.mark.proves(*rules), id=" ".join(values) or "none")
        for rules, values, items in MEANINGS
    ],
)
def test_meaning(values: list[str], items: list[str]) -> None:
    assert list(literals(Slot("$p", tuple(values)))) == items


def test_bare_items_are_told_apart() -> None:
    quoted, bare = literals(Slot("$p", ("('1',2)",)))
    assert (type(quoted), type(bare)) == (str, Bare)


@pytest.mark.proves("SQ-026")
def test_double_quotes_only_when_lenient() -> None:
    slot = Slot("$p", ('("a""b","it\'s")',))
    assert literals(slot, is_lenient=True) == ('a"b', "it's")
    with pytest.raises(ParameterError):
        literals(slot)


BROKEN = [
    "'abc",
    "abc'",
    "'a'b'",
    "'a' 'b'",
    "'a'x",
    "('a'",
    "'a')",
    "('a',)",
    "(,'a')",
    "('a',,'b')",
    "('a''b)",
    "(('a'))",
    "('a')('b')",
    "('a'),('b')",
    "'a','b'",
    "1,2",
    "(",
    ")",
    "'",
    "(')",
    "(a'b)",
    "don't",
    "'" + "x" * 255 + "'",
]


@pytest.mark.proves("SEC-T-120", "WS-083")
@pytest.mark.parametrize("value", BROKEN)
def test_broken_value_is_refused_with_the_name_of_its_parameter(value: str) -> None:
    with pytest.raises(ParameterError, match=r"^\$XDSDocumentEntryStatus: ") as found:
        literals(Slot("$XDSDocumentEntryStatus", ("'good'", value)))
    assert found.value.name == "$XDSDocumentEntryStatus"


@pytest.mark.proves("SQ-024")
def test_value_of_256_characters_is_the_longest() -> None:
    assert len(literals(Slot("$p", ("'" + "x" * 254 + "'",)))[0]) == 254
    with pytest.raises(ParameterError, match="257 characters"):
        literals(Slot("$p", ("'" + "x" * 255 + "'",)))


@given(st.lists(st.text(max_size=24), max_size=40))
@settings(max_examples=100, deadline=None)
@pytest.mark.proves("SQ-022", "SQ-023", "SQ-024")
def test_list_comes_back(texts: list[str]) -> None:
    slot = many("$p", texts)
    assert literals(slot) == tuple(texts)
    assert all(len(value) <= VALUE_LENGTH for value in slot.values)
    assert all(value[0] + value[-1] == "()" for value in slot.values)


@given(st.text(max_size=120))
def test_string_comes_back(text: str) -> None:
    assert literals(single("$p", text)) == (text,)


def test_number_stands_bare() -> None:
    assert number("$p", "20240101").values == ("20240101",)


def test_splits_only_where_it_must() -> None:
    slot = many("$p", ["x" * 60] * 8)
    assert [len(value) for value in slot.values] == [2 + 4 * 62 + 3, 2 + 4 * 62 + 3]


def test_string_too_long_for_any_value_is_refused() -> None:
    assert many("$p", ["x" * 252]).values == (f"({string('x' * 252)})",)
    with pytest.raises(ValueError, match="longer than 252"):
        many("$p", ["x" * 253])


@pytest.mark.proves("SQ-027")
def test_code_and_scheme() -> None:
    assert code_and_scheme("$p", "CT^^1.2.840.10008.2.16.4") == ("CT", "1.2.840.10008.2.16.4")
    assert code("CT", "1.2") == "CT^^1.2"


@pytest.mark.proves("SQ-028")
@pytest.mark.parametrize("text", ["CT", "CT^^", "^^1.2", "CT^x^1.2", "CT^1.2", "", "^^", "a^^b^^c"])
def test_code_needs_both_parts(text: str) -> None:
    with pytest.raises(ParameterError, match=r"'code\^\^scheme'"):
        code_and_scheme("$p", text)


@pytest.mark.proves("SEC-T-120")
@pytest.mark.parametrize(
    "value", ["(" * 256, "'" * 255, "'" * 256, "(" + "''," * 84 + "'", "," * 256]
)
def test_hostile_values_take_no_time(value: str) -> None:
    """A hundred lists of 1,000 Values each: linear means well below a second."""
    slot = Slot("$p", (value,))
    begin = perf_counter()
    for _ in range(2000):
        try:
            literals(slot)
        except ParameterError:
            continue
    assert perf_counter() - begin < 5
