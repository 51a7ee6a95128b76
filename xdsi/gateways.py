"""The gateways of a node: what they ask, in this process or at addresses."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import requests

from xdsi.actors.gateway import initiating, responding
from xdsi.actors.gateway.callers import Callers
from xdsi.actors.gateway.communities import Communities, Own
from xdsi.actors.gateway.identifiers import Identifiers
from xdsi.actors.gateway.known import Known
from xdsi.actors.gateway.sources import Source
from xdsi.actors.gateway.xcwado import Ask, WebSource
from xdsi.config import Address, Config, ConfigurationError, Gateway, addresses
from xdsi.model.discovery import Discovery
from xdsi.model.errors import XDSRegistryError, XDSRepositoryError
from xdsi.model.identity import Demographics
from xdsi.model.values import CX, HomeCommunityId, is_address, is_base, is_oid, without_user
from xdsi.partners import Partners, relayed
from xdsi.peers.caller import Caller, Relaying
from xdsi.peers.forward import Forward
from xdsi.peers.session import Tls, open_session
from xdsi.peers.spool import Spool, sweep
from xdsi.peers.web import Web
from xdsi.plug import UNREAD_QUERY, Actor, Handler
from xdsi.standard import urns
from xdsi.standard.transactions import (
    PATIENT_DISCOVERY,
    RETRIEVE,
    RETRIEVE_IMAGING,
    STORED_QUERY,
    Transaction,
)


def actors(
    config: Config,
    section: Gateway,
    local: Callable[[Transaction], Handler],
    web: Ask | None = None,
    known: Known | None = None,
    demographics: Callable[[CX], Demographics | None] = lambda patient: None,
) -> tuple[Actor, ...]:
    """The Responding Gateway, and the Initiating Gateway if there is one.

    local: the handler of a transaction in this process
    web: the imaging source in this process as it answers WADO-RS, from `studies` on
    known: what patients are called elsewhere, closed with the actor; given for the second one
    demographics: what the identity feed told of a patient
    Raises ConfigurationError.
    """
    home = HomeCommunityId(urns.OID_PREFIX + section.home_community_id)
    session = open_session(Tls(section.ca, section.certificate, section.key))
    spool = _spool(section)

    def at(row: Transaction, address: str, relay: Relaying | None = None) -> Caller:
        return Caller(
            row,
            address,
            session,
            spool=spool,
            relay=relay,
            limits=config.limits,
            # never that the community is not available, which is for those that ask it (XC-057)
            unavailable=(XDSRepositoryError if row.is_mtom else XDSRegistryError, "XC-070"),
            # what is found goes on as it comes (XC-029)
            codec=UNREAD_QUERY if row is STORED_QUERY else None,
        )

    def sources(row: Transaction, given: Sequence[str], own: str | None) -> dict[str, Source]:
        found: dict[str, Source] = {} if own is None else {own: local(row)}
        for oid, url in map(_pair, given):
            assert spool is not None  # noqa: S101 - there is one where sources are elsewhere
            found[oid] = relayed(partial(at, row, url), section.relay, spool)
        return found

    def close() -> None:
        session.close()
        if spool is not None:
            spool.close()

    is_local = section.registry == "local"
    discover = None if _discovery(config) is None else local(PATIENT_DISCOVERY)
    own = Own(
        home,
        query=local(STORED_QUERY) if is_local else at(STORED_QUERY, section.registry),
        retrieve=sources(RETRIEVE, section.repositories, _own(config, "repositories")),
        retrieve_imaging=sources(RETRIEVE_IMAGING, section.imaging, _own(config, "imaging")),
        web=_web(config, section, session, web),
    )
    callers = Callers(section.partners)
    made = (responding.actor(own, config.limits, discover=discover, callers=callers, close=close),)
    settings = section.initiating
    if settings is None or spool is None or known is None:
        return made
    partners = Partners(config, section, spool)
    communities = Communities(
        own if settings.local else None, tuple(map(partners.community, section.partners))
    )
    expiry = settings.expiry_hours * 3600
    identifiers = Identifiers(home, known, demographics, expiry, domains(config))

    def end() -> None:
        partners.close()
        known.close()

    return (
        *made,
        initiating.actor(communities, identifiers, settings, config.limits, close=end),
    )


def _web(
    config: Config, section: Gateway, session: requests.Session, local: Ask | None
) -> dict[str, WebSource]:
    """Imaging sources by their Retrieve Location UIDs."""
    found = {}
    if local is not None and config.imaging is not None:
        listening = f"http://{Address(config.server.host, config.server.port)}"
        own = addresses(config, listening)["dicom-web"]
        found[config.imaging.unique_id] = WebSource(local, (own,))
    for oid, url in map(_pair, section.web):
        ask = Forward(Web(url, session, limits=config.limits))
        found[oid] = WebSource(ask, (url,))
    return found


def _discovery(config: Config) -> Discovery | None:
    """That of the gateway's registry, if it is in this process and tells of its patients."""
    if config.gateway is None or config.gateway.registry != "local" or config.registry is None:
        return None
    settings = config.registry.discovery
    return None if settings.match == "off" else settings


def domains(config: Config) -> tuple[str, ...]:
    """OIDs of this community's patient identifiers; none where the registry does not say."""
    if config.gateway is None or config.gateway.registry != "local" or config.registry is None:
        return ()
    return config.registry.assigning_authorities


def _spool(section: Gateway) -> Spool | None:
    """Where documents of remote sources wait; None when there are none."""
    if not section.repositories and not section.imaging and section.initiating is None:
        return None
    try:
        section.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(section.spool)
        return Spool(section.spool, section.spool_bytes)
    except OSError as error:
        raise ConfigurationError(f"gateway.spool: {section.spool}: {error.strerror}") from error


def _pair(text: str) -> tuple[str, str]:
    oid, _, url = text.partition("=")
    return oid, url


def _own(config: Config, name: str) -> str | None:
    """The id of the source in this process."""
    section = config.repository if name == "repositories" else config.imaging
    return None if section is None else section.unique_id


def check(config: Config) -> Iterator[str]:
    """What keeps the gateway from working, one sentence each."""
    section = config.gateway
    if section is None:
        return
    home = section.home_community_id
    if not is_oid(home):
        yield f"gateway.home_community_id: expected an OID without {urns.OID_PREFIX}, got '{home}'"
    discovery = _discovery(config)
    if discovery is not None and discovery.home_community_id != home:
        yield (
            f"registry.discovery.home_community_id: expected that of [gateway], {home}, "
            f"got '{discovery.home_community_id}'"
        )
    if section.registry != "local" and not is_address(section.registry):
        yield (
            "gateway.registry: expected 'local' or an http or https address, "
            f"got '{without_user(section.registry)}'"
        )
    if section.spool_bytes <= 0:
        yield "gateway.spool_bytes: expected more than 0"
    for name in ("repositories", "imaging", "web"):
        taken = {_own(config, name)}
        for text in getattr(section, name):
            oid, url = _pair(text)
            got = f"got '{without_user(text)}'"
            if not is_oid(oid) or not is_address(url):
                yield f"gateway.{name}: expected OID=URL with an http or https URL, {got}"
            elif name == "web" and not is_base(url):
                yield f"gateway.web: expected the base of a service, without query, {got}"
            elif oid in taken:
                yield f"gateway.{name}: {oid} is there already; name each once, its own not at all"
            taken.add(oid)
    taken, names = {section.home_community_id}, set[str]()
    for number, partner in enumerate(section.partners, 1):
        where = f"gateway.partners[{number}]"
        yield from (f"{where}.{problem}" for problem in partner.problems)
        for oid in (partner.home_community_id, *partner.communities):
            if oid in taken:
                yield f"{where}: {oid} is there already; each community has one gateway"
            taken.add(oid)
        if partner.name and partner.name in names:
            yield f"{where}.name: '{partner.name}' is there already; call each otherwise"
        names.add(partner.name)
    try:
        if Callers(section.partners) and not config.server.proxies:
            yield (
                "gateway.partners: client_subject is looked for where a proxy passes certificates "
                "on; name it in server.proxies"
            )
    except ConfigurationError as error:
        yield str(error)
    if section.initiating is not None:
        for key in ("seconds", "expiry_hours"):
            value = getattr(section.initiating, key)
            if value <= 0:
                yield f"gateway.initiating.{key}: expected a number above 0, got {value}"
