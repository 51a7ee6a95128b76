"""Scripted partners of an Initiating Gateway, as functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.actors.gateway.conftest import HOME
from xdsi.actors.gateway import initiating
from xdsi.actors.gateway.communities import Communities, Community, Identifier, Own
from xdsi.config import Limits
from xdsi.model.community import Initiating, Partner
from xdsi.model.errors import XDSError, XDSUnavailableCommunity
from xdsi.model.messages import QueryAnswer
from xdsi.model.objects import Fragment
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Actor, Call, Handler
from xdsi.standard.namespaces import RIM

NORTH, SOUTH = "urn:oid:2.999.51", "urn:oid:2.999.52"


def answered(kind: str, id: str, home: str | None) -> Fragment:
    """An object as a partner answers it."""
    at = "" if home is None else f' home="{home}"'
    return Fragment(f'<rim:{kind} xmlns:rim="{RIM}" id="{id}"{at}/>'.encode())


def entry(id: str, home: str | None) -> Fragment:
    return answered("ExtrinsicObject", id, home)


class Scripted:
    """A handler that keeps what it is asked. answer: what it says, or raises"""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, list[Any]()

    def __call__(self, request: Any, call: Call) -> Any:
        self.asked.append(request)
        answer = self.answer(request, call) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def finding(*objects: Fragment, errors: tuple[XDSError, ...] = ()) -> Scripted:
    return Scripted(QueryAnswer(objects, errors))


def silent() -> Scripted:
    return Scripted(XDSUnavailableCommunity("ITI-38", "no answer: refused", rule="XC-056"))


def partner(home: str = NORTH, **keys: Any) -> Partner:
    return Partner(home.removeprefix("urn:oid:"), "http://127.0.0.1:9/", **keys)


def community(home: str, query: Handler | None = None, **how: Any) -> Community:
    """how: settings of the partner, and its other handlers."""
    names = ("retrieve", "retrieve_imaging", "discover")
    handlers = {name: how.pop(name) for name in names if name in how and callable(how[name])}
    return Community(partner(home, **how), query or finding(), **handlers)


def numbered(patient: CX, community: Community, call: Call) -> tuple[CX, ...]:
    """Everybody is known everywhere, under the home as authority."""
    return (CX(f"{patient.id}^^^&{community.partner.home_community_id}&ISO"),)


def own(query: Handler | None = None, **retrieve: dict[str, Handler]) -> Own:
    return Own(
        HomeCommunityId(HOME),
        query or finding(),
        retrieve.get("retrieve", {}),
        retrieve.get("retrieve_imaging", {}),
    )


@contextmanager
def gateway(
    *communities: Community,
    own: Own | None = None,
    identifier: Identifier = numbered,
    settings: Initiating = Initiating(),
    limits: Limits = Limits(),
) -> Iterator[Actor]:
    actor = initiating.actor(Communities(own, communities), identifier, settings, limits)
    try:
        yield actor
    finally:
        actor.close()
