"""Responding Gateway and Responding Imaging Gateway: what other communities ask of this one.

It keeps nothing: what it asks comes in as handlers, of actors in this process or of remote ones.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from xdsi.actors.gateway import iti38, iti39, rad75, xcwado
from xdsi.actors.gateway.callers import Callers
from xdsi.actors.gateway.communities import Own
from xdsi.actors.gateway.sources import Sources
from xdsi.config import Limits
from xdsi.model.errors import (
    XDSError,
    XDSRegistryError,
    XDSRepositoryError,
    XDSUnavailableCommunity,
    relocated,
)
from xdsi.plug import Actor, Handler, Route
from xdsi.standard import transactions, urns


def actor(
    own: Own,
    limits: Limits,
    *,
    discover: Handler | None = None,
    callers: Callers | None = None,
    close: Callable[[], None] = lambda: None,
) -> Actor:
    """The Responding Gateway actor.

    own: this community
    discover: ITI-55 at the registry, if that answers it: it names this community itself
    callers: the partners that may call; None or empty: whoever is let in here
    close: releases what the handlers hold
    """
    # enough for all requests at once, so that a source that is slow keeps nobody from others
    home, most = own.home, max(len(own.retrieve), len(own.retrieve_imaging), 1)
    pool = ThreadPoolExecutor(limits.threads * most, "gateway")
    repositories = Sources(home, own.retrieve, pool, limits.retrieve_documents)
    images = Sources(home, own.retrieve_imaging, pool, limits.imaging_documents)

    web = xcwado.responding(str(home).removeprefix(urns.OID_PREFIX), own.web)

    def end() -> None:
        pool.shutdown(cancel_futures=True)
        close()

    def of_query(error: XDSError) -> XDSError:
        """XC-016."""
        return relocated(_said_here(error, XDSRegistryError), str(home))

    def of_retrieve(error: XDSError) -> XDSError:
        """XC-017, XC-018, IMG-136: home, then the document it is about."""
        error = _said_here(error, XDSRepositoryError)
        return relocated(error, f"{home} {error.location}".rstrip())

    return Actor(
        name="gateway",
        path="/gateway/responding",
        contract="gateway-responding",
        routes=(
            Route(
                transactions.CROSS_GATEWAY_QUERY,
                partial(iti38.find, home=home, query=own.query),
                of_query,
            ),
            Route(
                transactions.CROSS_GATEWAY_RETRIEVE,
                partial(iti39.retrieve, repositories=repositories),
                of_retrieve,
            ),
            Route(
                transactions.CROSS_GATEWAY_RETRIEVE_IMAGING,
                partial(rad75.retrieve, images=images),
                of_retrieve,
            ),
            *(() if discover is None else (Route(transactions.PATIENT_DISCOVERY, discover),)),
        ),
        resources=(xcwado.resource("/gateway/responding/wado", web),),
        caller=callers or None,
        close=end,
    )


def _said_here(error: XDSError, instead: type[XDSError]) -> XDSError:
    """The error, or what a Responding Gateway says instead of XDSUnavailableCommunity (XC-057).

    A registry or repository that is itself in front of other communities may have sent that.
    """
    if error.code != XDSUnavailableCommunity.code:
        return error
    return instead(context=error.context, location=error.location, rule="XC-070")
