"""What a patient is called in another community: of the same domain, told, or discovered.

Nothing is ever guessed: where several patients fit, or none, the community is not asked for
documents. What an operator has told wins over what was discovered, and is never written over.
Source: ITI TF-2 3.38.4.1.2.2, 3.55 (XC-030, XC-103, XC-104).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic, time

from xdsi.actors.gateway import iti55
from xdsi.actors.gateway.communities import Community
from xdsi.actors.gateway.known import Known, KnownAs
from xdsi.actors.gateway.schema import DISCOVERY
from xdsi.model.community import IDENTIFIERS
from xdsi.model.discovery import PatientMatch
from xdsi.model.errors import XDSUnavailableCommunity
from xdsi.model.identity import Demographics, cx_of
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call

NOBODY_SECONDS = 60.0  # a community that did not find a patient is not asked again
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
    _nobody: dict[tuple[str, str], float] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def __call__(self, patient: CX, community: Community, call: Call) -> tuple[CX, ...]:
        """Of the first source that has any. Raises XDSUnavailableCommunity, and as `Known`."""
        partner = community.partner
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
            there = _each_once(each[source] for each in kept if self._counts(each.get(source)))
            if there or source == DISCOVERY:
                return there or self._discovered(patient, community, call)
        return ()

    def _counts(self, kept: KnownAs | None) -> bool:
        return kept is not None and not kept.is_expired(self.clock())

    def _discovered(self, patient: CX, community: Community, call: Call) -> tuple[CX, ...]:
        """What the community answers [ITI-55], kept until it expires."""
        partner, key = community.partner, (str(patient), str(community.partner.home))
        if community.discover is None or self._nobody.get(key, 0.0) > monotonic():
            return ()
        person = self.demographics(patient)
        if person is None:
            return ()
        try:
            matches = iti55.ask(patient, person, self.home, community, call)
        except XDSUnavailableCommunity as error:
            if error.fault != "Sender":
                raise
            matches = ()  # it does not offer patient discovery, or not for such a patient
        expires = int(self.clock() + self.seconds)
        fits = _by_home(matches, partner.homes, partner.home)
        found = [
            KnownAs(patient, home, cx, DISCOVERY, expires, match.degree, match.is_locator)
            for home in map(HomeCommunityId, partner.homes)
            if home in fits
            for match, cx in (fits[home],)
            if cx.authority not in self.domains or cx.authority in partner.domains
        ]
        self.known.put(found)
        if not found:
            self._note(key)
        return _each_once(found)

    def _note(self, key: tuple[str, str]) -> None:
        with self._guard:
            while len(self._nobody) >= _MOST:
                del self._nobody[next(iter(self._nobody))]
            self._nobody[key] = monotonic() + NOBODY_SECONDS


def _each_once(found: Iterable[KnownAs]) -> tuple[CX, ...]:
    return tuple(dict.fromkeys(each.identifier for each in found))


def _by_home(
    matches: Sequence[PatientMatch], homes: Sequence[str], own: HomeCommunityId
) -> dict[HomeCommunityId, tuple[PatientMatch, CX]]:
    """The one patient of each community that the partner may answer for (XC-104)."""
    found: dict[HomeCommunityId, list[tuple[PatientMatch, CX]]] = {}
    for each in matches:
        home, cx = each.home or own, cx_of(each.id)
        if str(home) in homes and cx is not None:
            found.setdefault(home, []).append((each, cx))
    return {home: few[0] for home, few in found.items() if len({cx for _, cx in few}) == 1}
