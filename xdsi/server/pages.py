"""What is served to GET: health, metrics, contracts.

Source: web-services.md section 6; SEC-T-017, SEC-T-056.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

import xdsi.wsdl as wsdl
from xdsi.plug import Actor
from xdsi.server import answer
from xdsi.server.exchange import Reply
from xdsi.server.faults import HttpError

LIVE, READY, METRICS = "/health/live", "/health/ready", "/metrics"

_XML = (b"content-type", b"text/xml; charset=utf-8")
_METRICS_TYPE = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
NO_STORE = (b"cache-control", b"no-store")


def live() -> Reply:
    """The process answers."""
    return answer.text(200, "live", NO_STORE)


def ready(actors: Sequence[Actor], *, is_draining: bool) -> Reply:
    """200 when every actor can work, with notes; else 503 with what is wrong.

    May block on databases.
    """
    problems = [f"{actor.name}: {line}" for actor in actors for line in actor.ready()]
    if is_draining:
        problems.append("the node is stopping")
    if problems:
        return answer.text(503, "\n".join(problems), NO_STORE)
    notes = [f"{actor.name}: {line}" for actor in actors for line in actor.notes()]
    return answer.text(200, "\n".join(("ready", *notes)), NO_STORE)


def metrics(text: bytes) -> Reply:
    """The counters of this process."""
    return Reply(200, (_METRICS_TYPE, NO_STORE), text, len(text))


def contract(actor: Actor, query: str, public_url: str) -> Reply | None:
    """The WSDL or a schema of an actor; None when the query asks for neither.

    Raises HttpError 404 for a schema that is not there.
    """
    asked = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    address = public_url.rstrip("/") + actor.path
    if "wsdl" in asked:
        body = wsdl.document(actor.contract, address)
    elif "xsd" in asked:
        found = wsdl.schema(asked["xsd"], address)
        if found is None:
            raise HttpError(404, "no such schema; the WSDL names those that are here")
        body = found
    else:
        return None
    return Reply(200, (_XML,), body, len(body))
