"""WADO-RS across communities [RAD-107 by way of gateways, XC-WADO].

`…/homeCommunityId/{oid}/RetrieveLocationUID/{oid}/studies/{study}…`: the Initiating Gateway sends
it on to the community, whose Responding Gateway asks the source. Bodies stream through unchanged.
`retrieveurl` never says where to ask: it may only name an address that is configured for the
source.
Source: MADO App. XA, X.5 (IMG-170 to IMG-175).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from xdsi.model.values import is_oid, is_uid
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call, Resource, WebRoute
from xdsi.standard import transactions

Ask = Callable[[WebRequest, Call], WebAnswer]

HOME, LOCATION, _STUDIES = "homeCommunityId", "RetrieveLocationUID", ("studies", "study")
_URL = "retrieveurl"
_PLAIN = re.compile(r"[A-Za-z0-9.,_-]+")


@dataclass(frozen=True, slots=True)
class WebSource:
    """A source of this community.

    ask: for a path from `studies` on; addresses: under which manifests may name it
    """

    ask: Ask
    addresses: tuple[str, ...] = ()

    def is_at(self, url: str) -> bool:
        """Whether a Retrieve URL is one of its own, with or without scheme, study and series
        (IMG-163); "" is none.
        """
        return not url or _bare(url) in map(_bare, self.addresses)


def _bare(url: str) -> str:
    base = re.sub(r"/studies(/.*)?$", "", re.sub(r"^https?://", "", url).rstrip("/"))
    return base.rstrip("/").lower()


@dataclass(frozen=True, slots=True)
class _Asked:
    """home, location: OIDs without `urn:oid:` (IMG-171); rest: of the path, from `studies` on"""

    home: str
    location: str
    rest: tuple[str, ...]


def _asked(request: WebRequest) -> _Asked:
    """Raises WebError 404 for another path, 400 for what is none of its values."""
    names, values, rest = request.segments[0:4:2], request.segments[1:4:2], request.segments[4:]
    if names != (HOME, LOCATION) or len(rest) < 2 or rest[0] not in _STUDIES:
        raise WebError(
            404,
            f"expected {HOME}/OID/{LOCATION}/OID/studies/UID below the address of the gateway",
        )
    if not all(map(is_oid, values)):
        raise WebError(400, f"{HOME} and {LOCATION} are OIDs, without urn:oid:")
    if not is_uid(rest[1]) or not all(map(_PLAIN.fullmatch, rest)):
        raise WebError(400, "the path names no study, series or instance by UIDs")
    return _Asked(values[0], values[1], ("studies", *rest[1:]))


def _of_source(request: WebRequest, rest: tuple[str, ...]) -> WebRequest:
    query = tuple(each for each in request.query if each[0].lower() != _URL)
    return replace(request, segments=rest, query=query)


def respond(
    request: WebRequest, call: Call, home: str, sources: Mapping[str, WebSource]
) -> WebAnswer:
    """What the source of this community answers (IMG-173, IMG-174).

    Raises WebError.
    """
    asked = _asked(request)
    if asked.home != home:
        raise WebError(404, f"{asked.home} is not this community, which is {home}")
    source = sources.get(asked.location)
    if source is None:
        raise WebError(404, f"{asked.location} is no imaging source of this community")
    urls = [value for name, value in request.query if name.lower() == _URL]
    if not all(map(source.is_at, urls)):
        raise WebError(400, f"{_URL} is not an address of that source; leave it out")
    return source.ask(_of_source(request, asked.rest), call)


def ask(
    request: WebRequest, call: Call, partners: Mapping[str, Ask], own: Ask | None, home: str
) -> WebAnswer:
    """What the community answers, sent the same path and query (IMG-172). Raises WebError.

    partners: by home; own: for what this community has
    """
    asked = _asked(request)
    if own is not None and asked.home == home:
        return own(request, call)
    there = partners.get(asked.home)
    if there is None:
        raise WebError(404, f"{asked.home} is no community that this gateway asks for images")
    path = (HOME, asked.home, LOCATION, asked.location, *asked.rest)
    return there(replace(request, segments=path), call)


def resource(path: str, handler: Ask) -> Resource:
    """Served at that path."""
    return Resource(path, ("GET", "HEAD"), lambda _request: WebRoute(transactions.WADO_RS, handler))


def responding(home: str, sources: Mapping[str, WebSource]) -> Ask:
    return partial(respond, home=home, sources=sources)
