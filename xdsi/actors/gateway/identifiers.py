"""What a patient is called in another community: of the same domain, told, or discovered.

Nothing is ever guessed: where several patients fit, or none, the community is not asked for
documents. What an operator has told wins over what was discovered, and is never written over.
Source: ITI TF-2 3.38.4.1.2.2, 3.55 (XC-030, XC-103, XC-104).
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from time import monotonic, time

from xdsi.actors.gateway import iti55
from xdsi.actors.gateway.communities import Community, not_asked
from xdsi.actors.gateway.known import Known, KnownAs
from xdsi.actors.gateway.schema import DISCOVERY
from xdsi.model.community import IDENTIFIERS
from xdsi.model.discovery import PatientMatch
from xdsi.model.errors import XDSUnavailableCommunity
from xdsi.model.identity import Demographics, cx_of
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call

NOBODY_SECONDS = 60.0  # a community that did not find a patient is not asked again
_MADE_KNOWN = "`xdsi partner patient add` makes one known"
_NONE = f"no identifier of the patient there is known; {_MADE_KNOWN}"
_MOST = 10_000  # such answers that are remembered; the oldest go first


@dataclass(frozen=True, slots=True)
class Identifiers:
    """An `xdsi.actors.gateway.communities.Identifier`.

    demographics: what the own identity feed told of a patient
    seconds: how long a discovered identifier is used
    domains: OIDs of this community's identifiers, where they are known: a partner that tells one of
        them tells nothing, unless it uses that domain too
    """

    home: HomeCommunityId
    known: Known
    demographics: Callable[[CX], Demographics | None]
    seconds: float
    domains: tuple[str, ...] = ()
    clock: Callable[[], float] = time
    _nobody: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def __call__(self, patient: CX, community: Community, call: Call) -> tuple[CX, ...]:
        """Of the first source that has any, at least one.

        Raises XDSUnknownPatientId, a warning, where none has, XDSUnavailableCommunity, and as
        `Known`.
        """
        partner = community.partner
        if patient.problem is not None:  # nobody's anywhere
            raise not_asked(partner, "what is asked for is no identifier of a patient (CX)")
        kept: list[dict[str, KnownAs]] | None = None
        for source in IDENTIFIERS:
            if source not in partner.identifiers:
                continue
            if source == "same-domain":
                if patient.authority in partner.domains:
                    return (patient,)
                continue
            if kept is None:
                kept = [self.known.find(patient, HomeCommunityId(home)) for home in partner.homes]
            known = [each[source] for each in kept if source in each]
            if source == DISCOVERY:
                return self._discovered(patient, community, call, known)
            if known:
                return _each_once(known)
        raise not_asked(partner, _NONE)

    def _discovered(
        self, patient: CX, community: Community, call: Call, known: Sequence[KnownAs]
    ) -> tuple[CX, ...]:
        """What was discovered, or the community answers now [ITI-55], kept until it expires.

        What was found by other demographics than the feed tells now may be somebody else.
        """
        partner = community.partner
        if community.discover is None:
            raise not_asked(partner, _NONE)
        if (person := self.demographics(patient)) is None:
            raise not_asked(partner, f"the identity feed told nothing of the patient, and {_NONE}")
        digest, now = _digest(person), self.clock()
        if good := [each for each in known if each.person == digest and not each.is_expired(now)]:
            return _each_once(good)
        key = (str(patient), f"{partner.home} {digest}")
        until, why = self._nobody.get(key, (0.0, ""))
        if until > monotonic():
            raise not_asked(partner, why)
        found, why = self._asked(patient, person, community, call)
        if not found:
            why += f" (patient discovery, ITI-55); {_MADE_KNOWN}"
            self._note(key, why)
            raise not_asked(partner, why)
        expires = int(now + self.seconds)
        self.known.put([replace(each, expires=expires, person=digest) for each in found], now)
        return _each_once(found)

    def _asked(
        self, patient: CX, person: Demographics, community: Community, call: Call
    ) -> tuple[list[KnownAs], str]:
        """What the partner answers, and why nothing of it can be used if so."""
        partner = community.partner
        why = "it knows no patient like this one"
        try:
            matches = iti55.ask(patient, person, self.home, community, call)
        except XDSUnavailableCommunity as error:
            if error.fault != "Sender":
                raise
            matches, why = (), "it does not offer to look for such a patient"
        fits = _by_home(matches, partner.homes, partner.home)
        found = [
            KnownAs(patient, home, cx, DISCOVERY, None, match.degree, match.is_locator)
            for home in map(HomeCommunityId, partner.homes)
            if len(fits.get(home, ())) == 1
            for match, cx in fits[home]
            if cx.authority not in self.domains or cx.authority in partner.domains
        ]
        if any(len(each) > 1 for each in fits.values()):
            why = "it knows more than one patient like this one"
        elif fits:
            why = "it calls the patient by an identifier of our domain"
        return found, why

    def _note(self, key: tuple[str, str], why: str) -> None:
        with self._guard:
            while len(self._nobody) >= _MOST:
                del self._nobody[next(iter(self._nobody))]
            self._nobody[key] = (monotonic() + NOBODY_SECONDS, why)


def _digest(person: Demographics) -> str:
    return hashlib.sha256(repr(person).encode()).hexdigest()


def _each_once(found: Iterable[KnownAs]) -> tuple[CX, ...]:
    return tuple(dict.fromkeys(each.identifier for each in found))


def _by_home(
    matches: Sequence[PatientMatch], homes: Sequence[str], own: HomeCommunityId
) -> dict[HomeCommunityId, list[tuple[PatientMatch, CX]]]:
    """The patients of each community that the partner may answer for, each once (XC-104)."""
    found: dict[HomeCommunityId, dict[CX, PatientMatch]] = {}
    for each in matches:
        home, cx = each.home or own, cx_of(each.id)
        if str(home) in homes and cx is not None:
            found.setdefault(home, {}).setdefault(cx, each)
    return {home: [(match, cx) for cx, match in few.items()] for home, few in found.items()}
