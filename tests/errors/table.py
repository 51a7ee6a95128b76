"""What a row of the error table is.

A row: requirement ids, the smallest edit of the good message of its transaction, and one error of
the answer: code, rule, location, parts of codeContext. Ids are those of the catalogue, and `1.3`
for row 3 of section 1 of the checklist, `3 hash` for the row that begins so, `7 ITI-62.1` for row 1
of the table about ITI-62 in section 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.errors.message import Edit
from xdsi.standard import urns

METADATA = "XDSRegistryMetadataError"
UNRESOLVED = "UnresolvedReferenceException"
DEPRECATED = "XDSRegistryDeprecatedDocumentError"
MISMATCH = "XDSPatientIdDoesNotMatch"
UNKNOWN = "XDSUnknownPatientId"
REPOSITORY = "XDSRepositoryMetadataError"


@dataclass(frozen=True, slots=True)
class Error:
    """One error of an answer.

    rule: at the end of codeContext, or "" where the standard fixes the whole text
    parts: of codeContext
    also: rules of further errors that the edit brings along; the answer holds no others
    """

    code: str
    rule: str
    location: str
    parts: tuple[str, ...] = ()
    also: frozenset[str] = frozenset()
    severity: str = urns.SEVERITY_ERROR

    @property
    def rules(self) -> frozenset[str]:
        return self.also | {self.rule}


def error(code: str, rule: str, location: str, *parts: str, also: str = "") -> Error:
    """also: rules, with blanks between them"""
    return Error(code, rule, location, parts, frozenset(also.split()))


def warning(code: str, rule: str, location: str, *parts: str) -> Error:
    return replace(error(code, rule, location, *parts), severity=urns.SEVERITY_WARNING)


# the edit does no harm in this transaction
ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Row:
    """found: what a transaction answers, by its id; left out: the edit means nothing there.

    steps: of the check that refuses, by transaction, 0 where left out; one step hides the others
    alone: why the row cannot be put together with another one; empty: it can
    """

    ids: tuple[str, ...]
    name: str
    edit: Edit
    found: Mapping[str, Error | str]
    steps: Mapping[str, int] = field(default_factory=dict)
    alone: str = ""

    def of(self, transaction: str) -> Error | str | None:
        return self.found.get(transaction)

    def step(self, transaction: str) -> int:
        return self.steps.get(transaction, 0)


# the repository refuses by itself, so that the registry does not come to speak
EARLY = {"ITI-41": 1}


def row(
    ids: str,
    name: str,
    edit: Edit,
    found: Error,
    *,
    at_41: Error | str | None = None,
    alone: str = "",
) -> Row:
    """A row of both transactions. ids: with `; ` between them; at_41: where it differs"""
    answers = {"ITI-42": found, "ITI-41": found if at_41 is None else at_41}
    steps = EARLY if isinstance(at_41, Error) else {}
    return Row(tuple(ids.split("; ")), name, edit, answers, steps, alone)


def of_repository(ids: str, name: str, edit: Edit, found: Error) -> Row:
    """A row of ITI-41 alone."""
    return Row(tuple(ids.split("; ")), name, edit, {"ITI-41": found}, EARLY)


def accepted(ids: str, name: str, edit: Edit, said: Error | None = None) -> Row:
    """A row that must not be refused. said: a warning of the answer"""
    answer = said or ACCEPTED
    answers = {"ITI-42": answer, "ITI-41": answer}
    return Row(tuple(ids.split("; ")), name, edit, answers, alone=_CHANGES)


def at(
    transactions: str,
    ids: str,
    name: str,
    edit: Edit,
    found: Error | str,
    *,
    step: int = 0,
    alone: str = "",
) -> Row:
    """A row of these transactions, with blanks between them."""
    answers = dict.fromkeys(transactions.split(), found)
    alone = alone or (_CHANGES if found == ACCEPTED else "")
    return Row(tuple(ids.split("; ")), name, edit, answers, dict.fromkeys(answers, step), alone)


_CHANGES = "it changes the content"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an id has no row. tests: `file::function` where it is shown instead."""

    text: str
    tests: tuple[str, ...] = ()


def elsewhere(*tests: str, text: str = "an effect, not an error") -> Reason:
    return Reason(text, tests)
