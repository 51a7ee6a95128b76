"""The communities that consumers of this one ask: this one itself, and its partners.

Source: ITI TF-1 18.2, 18.3.3; TF-2 3.18.4.1.3 (XC-022, XC-053, XC-054, XC-061).
"""

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from xdsi.actors.gateway.health import Health
from xdsi.actors.gateway.sources import Relayed, Source, Sources, without_home
from xdsi.actors.gateway.xcwado import Ask, WebSource
from xdsi.files.failing import Failing
from xdsi.model.community import Partner
from xdsi.model.errors import (
    XDSError,
    XDSUnavailableCommunity,
    XDSUnknownCommunity,
    XDSUnknownPatientId,
    shown,
)
from xdsi.model.messages import DocumentRequest
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call, Handler
from xdsi.standard import transactions, urns

_SERVICES = {
    "query": transactions.CROSS_GATEWAY_QUERY,
    "retrieve": transactions.CROSS_GATEWAY_RETRIEVE,
    "retrieve_imaging": transactions.CROSS_GATEWAY_RETRIEVE_IMAGING,
    "discover": transactions.PATIENT_DISCOVERY,
}


@dataclass(frozen=True, slots=True)
class Community:
    """A partner and how it is asked; a service it does not have is None."""

    partner: Partner
    query: Handler
    retrieve: Source | None = None
    retrieve_imaging: Source | None = None
    discover: Handler | None = None
    web: Ask | None = None
    healths: tuple[Health, ...] = field(init=False)

    def __post_init__(self) -> None:
        turns = BoundedSemaphore(self.partner.connections)
        healths = []
        for name, row in _SERVICES.items():
            handler = getattr(self, name)
            if handler is None:
                continue
            healths.append(health := Health(self.partner, row.id, turns))
            if isinstance(handler, Relayed):
                watched = Relayed(health.watched(handler.alone), health.watched(handler.beside))
                object.__setattr__(self, name, watched)
            else:
                object.__setattr__(self, name, health.watched(handler))
        if self.web is not None:
            healths.append(health := Health(self.partner, transactions.WADO_RS, turns))
            object.__setattr__(self, "web", health.watched_web(self.web))
        object.__setattr__(self, "healths", tuple(healths))


# What a patient is called in a community, and in others that its gateway answers for, once or more.
# Raises the warning of `not_asked`, and XDSUnavailableCommunity where it had to be asked for it.
Identifier = Callable[[CX, Community, Call], tuple[CX, ...]]


@dataclass(frozen=True, slots=True)
class Own:
    """This community.

    query: ITI-18 at its registry
    retrieve: ITI-43 by repositoryUniqueId; retrieve_imaging: RAD-69 by that of the imaging source
    web: sources that also answer WADO-RS, by Retrieve Location UID
    """

    home: HomeCommunityId
    query: Handler
    retrieve: Mapping[str, Source]
    retrieve_imaging: Mapping[str, Source]
    web: Mapping[str, WebSource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Communities:
    """All that can be asked. own: None where what this one has is no part of the answers."""

    own: Own | None
    partners: tuple[Community, ...]

    @property
    def by_home(self) -> dict[str, Community]:
        return {home: each for each in self.partners for home in each.partner.homes}


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Who has which document, all communities together: a `Directory`.

    own: sources of this community; partners: by home, with the handler of what is retrieved
    """

    own: Sources | None
    partners: Mapping[str, tuple[Community, Source | None]]
    transaction: str
    pool: Executor
    limit: int
    failing: Failing = field(default_factory=Failing)

    def source_of(self, document: DocumentRequest) -> tuple[Hashable, Source] | XDSError:
        """XC-051, XC-052, XC-061, IMG-132."""
        uid = document.document_unique_id
        if document.home is None:
            return without_home(document)
        if self.own is not None and document.home == str(self.own.home):
            return self.own.source_of(document)
        if document.home not in self.partners:
            return unknown(f"{shown(uid)} HomeCommunityId", document.home, uid)
        community, handler = self.partners[document.home]
        if handler is None:
            partner = community.partner
            problem = f"{uid} is not to be had: no address for {self.transaction} is configured"
            return XDSUnavailableCommunity(
                context=f"{partner.title}: {problem}", location=uid, rule="XC-056"
            )
        return community.partner.home, handler


def unknown(what: str, home: str, location: str = "") -> XDSUnknownCommunity:
    """No partner has this home (XC-052)."""
    problem = "no community that this gateway asks; repeat the home as it was answered"
    return XDSUnknownCommunity(what, problem, value=home, rule="XC-052", location=location)


def not_asked(partner: Partner, why: str) -> XDSUnknownPatientId:
    """A warning: nobody is asked for a patient by an identifier of another domain (XC-030)."""
    error = XDSUnknownPatientId(
        partner.title, f"was not asked, since {why}", rule="XC-030", location=str(partner.home)
    )
    error.severity = urns.SEVERITY_WARNING
    return error
