"""Values of stored-query parameters: strings, numbers and lists of them.

    name    := text of Slot/@name, begins with $
    Value   := item | "(" [item {"," item}] ")"
    item    := "'" text with every ' doubled "'" | bare text (numbers, times)

A list may be split over several Values; its meaning is the whole (SQ-023). White space around
anything is ignored.
Source: ITI TF-2 3.18.4.1.2.3.4 and .5 (SQ-020 to SQ-029).
"""

from collections.abc import Iterable, Iterator

from xdsi.model.objects import Slot

VALUE_LENGTH = 256  # characters (SQ-024)


class ParameterError(ValueError):
    """A parameter that cannot be read. name: of the parameter; problem: in one sentence."""

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"{name}: {problem}")


class Bare(str):
    """An item without quotes, such as a number or a time."""

    __slots__ = ()


def literals(slot: Slot, *, is_lenient: bool = False) -> tuple[str, ...]:
    """All items of all Values in order; those that stood unquoted are `Bare`.

    A single item without parentheses is a list of one (SQ-025). Blank Values give nothing.
    is_lenient: strings may stand in double quotes too, and a Value may be longer (SQ-026)
    Raises ParameterError.
    """
    found: list[str] = []
    for value in map(str.strip, slot.values):
        if len(value) > VALUE_LENGTH and not is_lenient:
            problem = f"a Value of {len(value)} characters, allowed are {VALUE_LENGTH}"
            raise ParameterError(slot.name, f"{problem}; split the list over several Values")
        found += _items(slot.name, value, "'\"" if is_lenient else "'")
    return tuple(found)


def _items(name: str, text: str, quotes: str) -> Iterator[str]:
    """Items of one Value. Every character is looked at a bounded number of times."""
    if not text:
        return
    is_list = text[0] == "("
    if is_list:
        if text[-1] != ")" or len(text) == 1:
            raise ParameterError(name, "the list has no closing parenthesis")
        text = text[1:-1].strip()
        if not text:
            return
    at = 0
    while True:
        item, at = _item(name, text, at, quotes)
        yield item
        at = _after_blanks(text, at)
        if at == len(text):
            return
        if text[at] != ",":
            raise ParameterError(name, "expected a comma between two values")
        if not is_list:
            raise ParameterError(name, "several values must stand in parentheses")
        at = _after_blanks(text, at + 1)


def _item(name: str, text: str, at: int, quotes: str) -> tuple[str, int]:
    """The item that begins at a position, and the position after it."""
    if at < len(text) and text[at] in quotes:
        return _quoted(name, text, at)
    end = text.find(",", at)
    bare = text[at : len(text) if end < 0 else end].strip()
    if not bare:
        raise ParameterError(name, "a value is missing between commas")
    if any(character in bare for character in "'\"()"):
        raise ParameterError(
            name, "a string must stand in single quotes, with quotes in it doubled"
        )
    return Bare(bare), len(text) if end < 0 else end


def _quoted(name: str, text: str, at: int) -> tuple[str, int]:
    quote = text[at]
    pieces: list[str] = []
    start = at + 1
    while True:
        end = text.find(quote, start)
        if end < 0:
            raise ParameterError(name, "a string has no closing quote")
        if text[end + 1 : end + 2] != quote:
            pieces.append(text[start:end])
            return "".join(pieces), end + 1
        pieces.append(text[start : end + 1])
        start = end + 2


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def code_and_scheme(name: str, item: str) -> tuple[str, str]:
    """The parts of `code^^scheme`. Raises ParameterError unless both are there (SQ-027, SQ-028)."""
    parts = item.split("^")
    if len(parts) != 3 or not parts[0] or parts[1] or not parts[2]:
        raise ParameterError(name, "a code is written 'code^^scheme', both parts filled")
    return parts[0], parts[2]


def string(text: str) -> str:
    """A text as an item: in quotes, quotes in it doubled."""
    return "'" + text.replace("'", "''") + "'"


def single(name: str, text: str) -> Slot:
    """A single-valued string parameter."""
    return Slot(name, (string(text),))


def number(name: str, text: str) -> Slot:
    """A number or a time."""
    return Slot(name, (text,))


def many(name: str, texts: Iterable[str]) -> Slot:
    """A list of strings, split over as many Values as their length demands (SQ-023, SQ-024).

    Raises ValueError for a string that fits into no Value.
    """
    values: list[str] = []
    items: list[str] = []
    length = 2  # the parentheses
    for item in map(string, texts):
        if len(item) + 2 > VALUE_LENGTH:
            raise ValueError(f"{name}: a value is longer than {VALUE_LENGTH - 4} characters")
        if items and length + len(item) + 1 > VALUE_LENGTH:
            values.append(f"({','.join(items)})")
            items, length = [], 2
        length += len(item) + (1 if items else 0)
        items.append(item)
    values.append(f"({','.join(items)})")
    return Slot(name, tuple(values))


def code(code_value: str, scheme: str) -> str:
    """The text of a coded value, to be put into `many`."""
    return f"{code_value}^^{scheme}"
