"""Initiating Gateway and Initiating Imaging Gateway: what consumers here ask of other communities.

XDS Affinity Domain option: ITI-18, ITI-43 and RAD-69, answered for all communities together.
Source: ITI TF-1 18.2.1; RAD TF-1 29.3 (XC-050, XC-051, IMG-132).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

from xdsi.actors.gateway import iti18, iti39, rad75, xcwado
from xdsi.actors.gateway.communities import Communities, Everywhere, Identifier
from xdsi.actors.gateway.iti18 import Asking
from xdsi.actors.gateway.sources import Sources
from xdsi.config import Limits
from xdsi.model.community import Initiating
from xdsi.plug import Actor, Route
from xdsi.standard import transactions, urns

_THREADS = 256  # that wait for partners, at most


def actor(
    communities: Communities,
    identifier: Identifier,
    settings: Initiating,
    limits: Limits,
    *,
    close: Callable[[], None] = lambda: None,
) -> Actor:
    """The Initiating Gateway actor.

    identifier: what a patient is called in a community
    close: releases what the handlers hold
    """
    # enough for all requests at once, so that a partner that is slow keeps nobody from others
    most = min(_THREADS, limits.threads * max(len(communities.partners), 1))
    pool = ThreadPoolExecutor(most, "initiating")
    own = communities.own

    def everywhere(name: str, transaction: str, limit: int) -> Everywhere:
        sources = None if own is None else Sources(own.home, getattr(own, name), pool, limit)
        handlers = {home: (each, getattr(each, name)) for home, each in communities.by_home.items()}
        return Everywhere(sources, handlers, transaction, pool, limit)

    documents = everywhere("retrieve", "ITI-39", limits.retrieve_documents)
    images = everywhere("retrieve_imaging", "RAD-75", limits.imaging_documents)

    prefix = urns.OID_PREFIX
    here = "" if own is None else str(own.home).removeprefix(prefix)
    web = partial(
        xcwado.ask,
        partners={
            home.removeprefix(prefix): each.web
            for home, each in communities.by_home.items()
            if each.web is not None
        },
        own=None if own is None else xcwado.responding(here, own.web),
        home=here,
    )
    healths = [health for each in communities.partners for health in each.healths]

    def end() -> None:
        pool.shutdown(cancel_futures=True)
        close()

    return Actor(
        name="initiating",
        path="/gateway/initiating",
        contract="gateway-initiating",
        routes=(
            Route(
                transactions.STORED_QUERY,
                partial(iti18.find, asking=Asking(communities, identifier, settings, limits, pool)),
            ),
            Route(transactions.RETRIEVE, partial(iti39.retrieve, repositories=documents)),
            Route(transactions.RETRIEVE_IMAGING, partial(rad75.retrieve, images=images)),
        ),
        resources=(xcwado.resource("/gateway/initiating/wado", web),),
        waits=True,
        notes=lambda: tuple(filter(None, (each.note for each in healths))),
        measures=lambda: chain.from_iterable(each.measures() for each in healths),
        close=end,
    )
