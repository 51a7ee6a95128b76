"""The gateway of a node: what it asks, in this process or at addresses."""

from collections.abc import Callable, Iterator, Sequence

from xdsi.actors import gateway
from xdsi.config import Config, ConfigurationError, Gateway
from xdsi.model.discovery import Discovery
from xdsi.model.errors import XDSRegistryError, XDSRepositoryError
from xdsi.model.values import HomeCommunityId, is_address, is_oid
from xdsi.peers.caller import Caller
from xdsi.peers.session import Tls, open_session
from xdsi.peers.spool import Spool
from xdsi.plug import UNREAD_QUERY, Actor, Handler
from xdsi.standard import urns
from xdsi.standard.transactions import (
    PATIENT_DISCOVERY,
    RETRIEVE,
    RETRIEVE_IMAGING,
    STORED_QUERY,
    Transaction,
)


def actor(config: Config, section: Gateway, local: Callable[[Transaction], Handler]) -> Actor:
    """The Responding Gateway.

    local: the handler of a transaction in this process
    Raises ConfigurationError.
    """
    session = open_session(Tls(section.ca, section.certificate, section.key))
    spool = _spool(section)

    def at(row: Transaction, address: str) -> Caller:
        return Caller(
            row,
            address,
            session,
            spool=spool,
            limits=config.limits,
            # never that the community is not available, which is for those that ask it (XC-057)
            unavailable=(XDSRepositoryError if row.is_mtom else XDSRegistryError, "XC-070"),
            # what is found goes on as it comes (XC-029)
            codec=UNREAD_QUERY if row is STORED_QUERY else None,
        )

    def sources(row: Transaction, given: Sequence[str], own: str | None) -> dict[str, Handler]:
        found: dict[str, Handler] = {} if own is None else {own: local(row)}
        return found | {oid: at(row, url) for oid, url in map(_pair, given)}

    def close() -> None:
        session.close()
        if spool is not None:
            spool.close()

    is_local = section.registry == "local"
    discover = None if _discovery(config) is None else local(PATIENT_DISCOVERY)
    return gateway.actor(
        HomeCommunityId(urns.OID_PREFIX + section.home_community_id),
        config.limits,
        query=local(STORED_QUERY) if is_local else at(STORED_QUERY, section.registry),
        retrieve=sources(RETRIEVE, section.repositories, _own(config, "repositories")),
        retrieve_imaging=sources(RETRIEVE_IMAGING, section.imaging, _own(config, "imaging")),
        discover=discover,
        close=close,
    )


def _discovery(config: Config) -> Discovery | None:
    """That of the gateway's registry, if it is in this process and tells of its patients."""
    if config.gateway is None or config.gateway.registry != "local" or config.registry is None:
        return None
    settings = config.registry.discovery
    return None if settings.match == "off" else settings


def _spool(section: Gateway) -> Spool | None:
    """Where documents of remote sources wait; None when there are none."""
    if not section.repositories and not section.imaging:
        return None
    try:
        section.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
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
            f"got '{section.registry}'"
        )
    if section.spool_bytes <= 0:
        yield "gateway.spool_bytes: expected more than 0"
    for name in ("repositories", "imaging"):
        taken = {_own(config, name)}
        for text in getattr(section, name):
            oid, url = _pair(text)
            if not is_oid(oid) or not is_address(url):
                yield f"gateway.{name}: expected OID=URL with an http or https URL, got '{text}'"
            elif oid in taken:
                yield f"gateway.{name}: {oid} is there already; name each once, its own not at all"
            taken.add(oid)
    taken = {section.home_community_id}
    for number, partner in enumerate(section.partners, 1):
        where = f"gateway.partners[{number}]"
        yield from (f"{where}.{problem}" for problem in partner.problems)
        for oid in (partner.home_community_id, *partner.communities):
            if oid in taken:
                yield f"{where}: {oid} is there already; each community has one gateway"
            taken.add(oid)
    if section.initiating is not None:
        for key in ("seconds", "expiry_hours"):
            if getattr(section.initiating, key) <= 0:
                yield f"gateway.initiating.{key}: expected more than 0"
