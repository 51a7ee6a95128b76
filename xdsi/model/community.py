"""Other communities, as the operator of a gateway knows them: the sections of [gateway].

Source: ITI TF-1 18, TF-2 3.38, 3.39 (XC-022, XC-030, XC-050 to XC-069); RAD TF-2 4.75.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from xdsi.model.values import HomeCommunityId, is_address, is_base, is_oid, without_user
from xdsi.standard import urns

# Where the identifier comes from that a patient has in another community, in this order.
IDENTIFIERS = ("same-domain", "table", "discovery")

# What known field systems do otherwise, and is then put up with.
QUIRKS = MappingProxyType(
    {
        "bare-home": "writes homeCommunityIds as OIDs without urn:oid:",
        "no-home": "answers objects without home; they are taken as its own",
        "home-with-patient": "wants its home in queries by patient as well",
    }
)

# Service of a partner -> transaction that is asked there.
SERVICES = MappingProxyType(
    {
        "query": "ITI-38",
        "retrieve": "ITI-39",
        "imaging": "RAD-75",
        "discovery": "ITI-55",
        "web": "WADO-RS",
    }
)


@dataclass(frozen=True, slots=True)
class Initiating:
    """An Initiating Gateway, which consumers of this community ask; [gateway.initiating].

    local: what the own registry and sources have is part of every answer
    seconds: for a question to all communities together
    expiry_hours: how long identifiers are used that patient discovery found
    """

    local: bool = True
    seconds: float = 30.0
    expiry_hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Partner:
    """One community; a table [[gateway.partners]].

    home_community_id: its OID, without `urn:oid:`; name: for people, in errors and figures
    communities: OIDs of others that its gateway answers for
    query, retrieve, imaging, discovery: addresses of ITI-38, ITI-39, RAD-75 and ITI-55; those of
        retrieve, imaging and discovery are that of query where they are not given, "none" where
        there is no such service
    web: base address for RAD-107 across communities
    ca, certificate, key: PEM files instead of those of [gateway]
    check_host: its certificate must name its host; off only where `ca` is for it alone
    client_ca, client_subject: of the certificate with which it calls, where a proxy passes that on:
        PEM file of the authorities that may have issued it, and its subject as RFC 4514 writes it
    seconds: for one answer, and without any progress of its documents
    connections: requests at the same time
    failures, pause_seconds: after so many failures in a row it is not asked for a while
    relay: documents go on while they come (`stream`), or are fetched first (`spool`); `auto`
        streams where it is the only one that is asked
    identifiers: where its identifier of a patient comes from, of `IDENTIFIERS`
    domains: OIDs of patient identifiers that both communities use
    quirks: of `QUIRKS`
    """

    home_community_id: str
    query: str
    name: str = ""
    communities: tuple[str, ...] = ()
    retrieve: str = ""
    imaging: str = ""
    discovery: str = ""
    web: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    check_host: bool = True
    client_ca: Path | None = None
    client_subject: str = ""
    seconds: float = 15.0
    connections: int = 8
    failures: int = 3
    pause_seconds: float = 30.0
    relay: Literal["auto", "stream", "spool"] = "auto"
    identifiers: tuple[str, ...] = IDENTIFIERS
    domains: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()

    @property
    def home(self) -> HomeCommunityId:
        return HomeCommunityId(urns.OID_PREFIX + self.home_community_id)

    @property
    def homes(self) -> tuple[str, ...]:
        """All that its gateway answers for, as metadata names them."""
        oids = dict.fromkeys((self.home_community_id, *self.communities))
        return tuple(urns.OID_PREFIX + oid for oid in oids)

    @property
    def title(self) -> str:
        """For people: the name, else the home."""
        return self.name or str(self.home)

    def address(self, service: str) -> str | None:
        """Where a service of `SERVICES` is asked; None where there is none."""
        given: str = getattr(self, service)
        if service != "web":
            given = given or self.query
        return None if given in ("", "none") else given

    @property
    def problems(self) -> Iterator[str]:
        """Keys that cannot be as they are, and why."""
        for oid in (self.home_community_id, *self.communities):
            if not is_oid(oid):
                key = "home_community_id" if oid == self.home_community_id else "communities"
                yield f"{key}: expected an OID without {urns.OID_PREFIX}, got '{oid}'"
        for service in SERVICES:
            address: str = getattr(self, service)
            if service != "query" and address in ("", "none"):
                continue
            got = f"got '{without_user(address)}'"
            if not is_address(address):
                yield f"{service}: expected an http or https address without user, {got}"
            elif service == "web" and not is_base(address):
                yield f"{service}: expected the base of a service, without query, {got}"
        for name, known in (("identifiers", IDENTIFIERS), ("quirks", tuple(QUIRKS))):
            for each in getattr(self, name):
                if each not in known:
                    yield f"{name}: {each!r} is none of {', '.join(known)}"
        for oid in self.domains:
            if not is_oid(oid):
                yield f"domains: expected OIDs, got '{oid}'"
        for each in fields(self):
            value = getattr(self, each.name)
            if type(value) in (int, float) and value <= 0:
                yield f"{each.name}: expected a number above 0, got {value}"
        if (self.certificate is None) != (self.key is None):
            yield "certificate and key go together; give both"
