"""How well a patient fits a discovery query.

Every attribute asked for has a weight; the degree of match is the share of it that agrees, in
percent. What is not known of the patient counts half, but only an identifier that agrees makes up
for a name or a birth date that is not known. Identifiers of domains in which the patient has none
here do not count: a community that asks sends its own.
Texts are compared without case, accents and punctuation, letters with accents also as travel
documents write them. Of given names the later words may lack or be initials; a family name of which
a part is asked for ("Van" of "Van Dyck") is another one, or, in a close match, one like it.
Source: ITI TF-2 3.55.4.1.2.1 (XC-095); ICAO Doc 9303-3 section 6.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from unicodedata import combining, normalize

from xdsi.model.discovery import Address, PatientQuery, PersonName
from xdsi.model.identity import Demographics
from xdsi.model.manifest import IssuedId

# out of a total that depends on what is asked
FAMILY, GIVEN, BIRTH, SEX, ADDRESS, ID, OTHER = 25, 15, 30, 10, 10, 100, 5

LIKE = 0.8  # names less alike differ
SWAPPED = 0.5  # what a birth date is worth whose day and month are exchanged


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient that may be the one. number: in the tables"""

    number: int
    id: IssuedId
    told: Demographics


@dataclass(frozen=True, slots=True)
class _Share:
    """agrees: 0 to 1; None where it cannot be told; is_essential: may never differ wholly"""

    weight: int
    agrees: float | None
    is_essential: bool = True

    @property
    def worth(self) -> float:
        return self.weight * (0.5 if self.agrees is None else self.agrees)


def degree(query: PatientQuery, candidate: Candidate, *, is_close: bool) -> int | None:
    """0 to 100; None for a patient that is not the one, or of whom nothing can be compared.

    is_close: names may be spelt a little differently, day and month be exchanged, sex and address
    differ; else nothing may
    """
    ids = list(_ids(query.ids, (candidate.id, *candidate.told.other_ids)))
    shares = [*ids, *_traits(query, candidate.told, is_close)]
    is_identified = any(each.agrees for each in ids)
    if any(_refutes(each, is_close, is_identified) for each in shares):
        return None
    total = sum(each.weight for each in shares)
    return int(100 * sum(each.worth for each in shares) / total) if total else None


def _refutes(share: _Share, is_close: bool, is_identified: bool) -> bool:
    if share.agrees is None:
        return share.is_essential and not is_identified
    return share.agrees == 0 and share.is_essential if is_close else share.agrees < 1


def _traits(query: PatientQuery, told: Demographics, is_close: bool) -> Iterator[_Share]:
    if query.names:
        names = [_name(each, told, is_close) for each in query.names]
        yield from max(names, key=_level)
    if query.birth_date is not None:
        yield _Share(BIRTH, _birth(query.birth_date, told.birth_date))
    if query.sex is not None:
        yield _Share(SEX, None if told.sex is None else float(query.sex == told.sex), False)
    if query.addresses:
        places = [_address(each, told, is_close) for each in query.addresses]
        known = [each for each in places if each is not None]
        yield _Share(ADDRESS, max(known, default=None), False)
    # nothing of these is kept
    others = (
        query.telecoms,
        query.mothers_names,
        query.birth_places,
        query.birth_addresses,
        query.care_provider_ids,
    )
    yield from (_Share(OTHER, None, False) for each in others if each)


def _level(shares: Sequence[_Share]) -> float:
    return sum(each.worth for each in shares) / sum(each.weight for each in shares)


def _ids(asked: Sequence[IssuedId], known: Sequence[IssuedId]) -> Iterator[_Share]:
    domains = {each.issuer_uid for each in known}
    for each in asked:
        if each.issuer_uid in domains:
            yield _Share(ID, float(each in known))


def _name(asked: PersonName, told: Demographics, is_close: bool) -> list[_Share]:
    return [
        _Share(weight, text(mine, theirs, is_close))
        for weight, text, mine, theirs in (
            (FAMILY, _text, asked.family, told.family),
            (GIVEN, _given, asked.given, told.given),
        )
        if mine is not None
    ]


def _birth(asked: str, told: str | None) -> float | None:
    if told is None or (asked != told and (asked.startswith(told) or told.startswith(asked))):
        return None  # one is less precise
    if asked == told:
        return 1
    return SWAPPED if told in swapped(asked) else 0


def swapped(day: str) -> tuple[str, ...]:
    """The date with day and month exchanged, if that is another one."""
    other = day[:4] + day[6:8] + day[4:6]
    return (other,) if len(day) == 8 and other != day and day[6:8] <= "12" else ()


def _address(asked: Address, told: Demographics, is_close: bool) -> float | None:
    pairs = (
        (asked.street, told.street),
        (asked.city, told.city),
        (asked.state, told.state),
        (asked.postal_code, told.postal_code),
        (asked.country, told.country),
    )
    known = [
        found
        for mine, theirs in pairs
        if mine is not None and (found := _text(mine, theirs, is_close)) is not None
    ]
    return sum(known) / len(known) if known else None


def _text(asked: str, told: str | None, is_close: bool) -> float | None:
    if told is None:
        return None
    mine, theirs = _folded(asked), _folded(told)
    if any(one == other for one in mine for other in theirs if one):
        return 1
    if not is_close:
        return 0
    is_part = _given(asked, told, is_close=False)
    return LIKE if is_part else _likeness(mine[0], theirs[0])


def _given(asked: str, told: str | None, is_close: bool) -> float | None:
    if told is None:
        return None
    mine, theirs = _folded(asked), _folded(told)
    if any(_agree(one, other) for one in mine for other in theirs):
        return 1
    words = min(len(mine[0]), len(theirs[0]))
    return _likeness(mine[0][:words], theirs[0][:words]) if is_close else 0


def _agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """All words that both have: a second given name need not be told, or be an initial."""
    if not (one and other) or one[0] != other[0]:
        return False
    return all(
        mine == theirs or mine == theirs[:1] or mine[:1] == theirs
        for mine, theirs in zip(one[1:], other[1:], strict=False)
    )


def _likeness(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    matcher = SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False)
    # the quick ones are never below the true one
    if matcher.real_quick_ratio() < LIKE or matcher.quick_ratio() < LIKE:
        return 0
    found = matcher.ratio()
    return found if found >= LIKE else 0


_WORDS = re.compile(r"\w+")
# letters that are none with an accent, as ICAO writes them
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "þ": "th", "ł": "l", "đ": "d", "ð": "d", "ı": "i"})
_PLAIN = str.maketrans({"ø": "o"})
_TRAVEL = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


@lru_cache(4096)
def _folded(text: str) -> tuple[tuple[str, ...], ...]:
    """The words of a text without accents, and as a travel document has them."""
    small = normalize("NFC", text.casefold()).translate(_LETTERS)
    return _bare(small.translate(_PLAIN)), _bare(small.translate(_TRAVEL))


def _bare(text: str) -> tuple[str, ...]:
    letters = "".join(each for each in normalize("NFKD", text) if not combining(each))
    return tuple(_WORDS.findall(letters.replace("'", "").replace("’", "")))
