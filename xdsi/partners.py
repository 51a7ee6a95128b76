"""How the partners of a gateway are asked, and tried.

Source: ITI TF-2 3.38, 3.39, 3.55; RAD TF-2 4.75; design.md section 4 (relay).
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import requests

from xdsi.actors.gateway import iti55, xcwado
from xdsi.actors.gateway.communities import Community
from xdsi.actors.gateway.sources import Relayed, Source
from xdsi.config import Config, ConfigurationError, Gateway
from xdsi.model.community import SERVICES, Partner
from xdsi.model.errors import XDSError, XDSUnavailableCommunity
from xdsi.model.identity import Demographics
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest, QueryRequest, RetrieveRequest
from xdsi.model.values import CX, HomeCommunityId
from xdsi.model.web import WebError, WebRequest
from xdsi.peers.caller import Caller, Pace, Relaying
from xdsi.peers.errors import reason
from xdsi.peers.forward import Forward
from xdsi.peers.session import Tls, open_session
from xdsi.peers.spool import Spool
from xdsi.peers.web import Web
from xdsi.plug import UNREAD_QUERY, Call, Handler
from xdsi.standard import dicom, queries, urns
from xdsi.standard.transactions import (
    CROSS_GATEWAY_QUERY,
    CROSS_GATEWAY_RETRIEVE,
    CROSS_GATEWAY_RETRIEVE_IMAGING,
    PATIENT_DISCOVERY,
    Transaction,
)
from xdsi.wire.parameters import many, single

_NOBODYS = "2.999"  # the OID of examples, under which nobody is registered


def relayed(
    at: Callable[[Relaying], Handler], relay: Literal["auto", "stream", "spool"], spool: Spool
) -> Relayed:
    """A source elsewhere, whose documents are passed on as that says."""
    streamed, fetched = at(Relaying(spool.room)), at(Relaying(spool.room, is_fetched=True))
    return Relayed(
        alone=fetched if relay == "spool" else streamed,
        beside=streamed if relay == "stream" else fetched,
    )


class Partners:
    """How the partners of a gateway are asked; spool: for their documents."""

    def __init__(self, config: Config, section: Gateway, spool: Spool) -> None:
        self._limits, self._section, self._spool = config.limits, section, spool
        self._sessions: dict[Tls, requests.Session] = {}

    def community(self, partner: Partner) -> Community:
        """All its services. Raises ConfigurationError."""
        discovery = partner.address("discovery")
        return Community(
            partner,
            query=self.caller(CROSS_GATEWAY_QUERY, partner, partner.query),
            retrieve=self._source(CROSS_GATEWAY_RETRIEVE, partner, "retrieve"),
            retrieve_imaging=self._source(CROSS_GATEWAY_RETRIEVE_IMAGING, partner, "imaging"),
            web=self.web(partner),
            discover=None
            if discovery is None
            else self.caller(PATIENT_DISCOVERY, partner, discovery),
        )

    def web(self, partner: Partner) -> Forward | None:
        """WADO-RS, where it has it. Raises ConfigurationError."""
        if (base := partner.address("web")) is None:
            return None
        pace = Pace(connect=min(5.0, partner.seconds), pause=partner.seconds)
        return Forward(Web(base, self.session(partner), pace=pace, limits=self._limits))

    def _source(self, row: Transaction, partner: Partner, service: str) -> Source | None:
        if (address := partner.address(service)) is None:
            return None
        return relayed(partial(self.caller, row, partner, address), partner.relay, self._spool)

    def caller(
        self, row: Transaction, partner: Partner, address: str, relay: Relaying | None = None
    ) -> Caller:
        """One transaction at one partner. Raises ConfigurationError."""
        return Caller(
            row,
            address,
            self.session(partner),
            pace=Pace(connect=min(5.0, partner.seconds), pause=partner.seconds),
            spool=self._spool,
            relay=relay,
            limits=self._limits,
            unavailable=(XDSUnavailableCommunity, "XC-056"),
            codec=UNREAD_QUERY if row is CROSS_GATEWAY_QUERY else None,
        )

    def session(self, partner: Partner) -> requests.Session:
        """Connections kept to all partners of the same TLS settings. Raises ConfigurationError."""
        tls = self.tls(partner)
        if tls not in self._sessions:
            try:
                self._sessions[tls] = open_session(tls)
            except (OSError, ssl.SSLError) as error:
                raise ConfigurationError(
                    f"gateway.partners: the certificate files of {partner.title} cannot be used: "
                    f"{error}"
                ) from error
        return self._sessions[tls]

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    def tls(self, partner: Partner) -> Tls:
        """Whom we trust and what we show, of the partner or of the gateway."""
        section = self._section
        own = partner if partner.certificate is not None else section
        return Tls(partner.ca or section.ca, own.certificate, own.key, partner.check_host)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a harmless question.

    service: its transaction; seconds: round trip, None without an answer
    said: status of the answer, or why there was none; certificate: whose, and until when
    """

    partner: Partner
    service: str
    address: str
    is_good: bool
    said: str
    seconds: float | None = None
    certificate: str | None = None


def tried(config: Config, section: Gateway, partner: Partner) -> Iterator[Tried]:
    """Each service of a partner, asked about somebody whom nobody knows."""
    home = HomeCommunityId(urns.OID_PREFIX + section.home_community_id)
    with Spool() as spool, closing(Partners(config, section, spool)) as partners:
        certificates: dict[str, str | None] = {}
        for service, (row, question) in _questions(home, partner).items():
            if (address := partner.address(service)) is None:
                continue
            if address not in certificates:
                certificates[address] = _certificate(address, partners.tls(partner), partner)
            ask = partners.caller(row, partner, address)
            yield _tried(partner, SERVICES[service], ask, question, certificates[address])
        if (web := partners.web(partner)) is not None:
            base = web.web.base
            yield _tried_web(partner, web, _certificate(base, partners.tls(partner), partner))


def _tried(
    partner: Partner, service: str, ask: Caller, question: Any, certificate: str | None
) -> Tried:
    started = monotonic()
    try:
        answer = ask(question, Call.internal(partner.seconds))
    except (XDSError, ExceptionGroup) as error:
        said = getattr(error, "context", str(error))
        return Tried(partner, service, ask.address, False, said, None, certificate)
    seconds = monotonic() - started
    said = answer.status.rpartition(":")[2]
    if codes := ", ".join(dict.fromkeys(each.code for each in answer.errors)):
        said += f" ({codes})"
    return Tried(partner, service, ask.address, True, said, seconds, certificate)


def _tried_web(partner: Partner, ask: Forward, certificate: str | None) -> Tried:
    """That it knows no such study is an answer."""
    path = (xcwado.HOME, partner.home_community_id, xcwado.LOCATION, _NOBODYS, "studies", _NOBODYS)
    started = monotonic()
    try:
        status = ask(WebRequest("GET", path), Call.internal(partner.seconds)).status
    except WebError as error:
        service, said = SERVICES["web"], error.reason
        return Tried(partner, service, ask.web.base, False, said, None, certificate)
    said, seconds = f"HTTP {status}", monotonic() - started
    is_good = status < 500
    return Tried(partner, SERVICES["web"], ask.web.base, is_good, said, seconds, certificate)


def _questions(home: HomeCommunityId, partner: Partner) -> dict[str, tuple[Transaction, Any]]:
    """A question to each service."""
    nobody = CX(f"{uuid4().hex}^^^&{_NOBODYS}&ISO")
    asked = DocumentRequest(_NOBODYS, f"{_NOBODYS}.1", str(partner.home))
    find = queries.FIND_DOCUMENTS
    return {
        "query": (
            CROSS_GATEWAY_QUERY,
            QueryRequest(
                find.id,
                (
                    single("$XDSDocumentEntryPatientId", str(nobody)),
                    many("$XDSDocumentEntryStatus", (urns.APPROVED,)),
                ),
                queries.OBJECT_REF,
                str(partner.home) if "home-with-patient" in partner.quirks else None,
            ),
        ),
        "retrieve": (CROSS_GATEWAY_RETRIEVE, RetrieveRequest((asked,))),
        "imaging": (
            CROSS_GATEWAY_RETRIEVE_IMAGING,
            ImagingRequest(
                (InstanceRequest(_NOBODYS, f"{_NOBODYS}.2", asked),),
                (dicom.EXPLICIT_LITTLE_ENDIAN,),
            ),
        ),
        "discovery": (
            PATIENT_DISCOVERY,
            iti55.question(
                nobody,
                Demographics(family="Nobody", given="No", birth_date="19000101", sex="F"),
                home,
                partner.home,
            ),
        ),
    }


def _certificate(address: str, tls: Tls, partner: Partner) -> str | None:
    """Whose it is and until when, or what is wrong with it; None without TLS."""
    url = urlsplit(address)
    if url.scheme != "https" or url.hostname is None:
        return None
    try:
        with (
            socket.create_connection((url.hostname, url.port or 443), partner.seconds) as plain,
            tls.context().wrap_socket(plain, server_hostname=url.hostname) as sock,
        ):
            told: Any = sock.getpeercert() or {}
    except (OSError, ssl.SSLError) as error:
        return f"not seen: {reason(error)}"
    names = [value for part in told.get("subject", ()) for _, value in part]
    return f"of {', '.join(names)} until {told.get('notAfter', 'nobody knows when')}"
