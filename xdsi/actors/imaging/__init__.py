"""Imaging Document Source: gives out the images that manifests name."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from xdsi import config
from xdsi.actors.imaging import rad69, rendered
from xdsi.actors.imaging.dicomweb import resources
from xdsi.actors.imaging.source import Source
from xdsi.actors.imaging.web import Keep
from xdsi.config import Limits
from xdsi.plug import Actor, Archive, Route, Staging
from xdsi.standard import transactions

__all__ = ["actor"]


def actor(
    settings: config.Imaging,
    limits: Limits,
    archive: Archive,
    *,
    public_url: str = "",
    staging: Staging | None = None,
    keep: Keep | None = None,
    admit: Callable[[], None] | None = None,
    ready: Callable[[], tuple[str, ...]] = tuple,
    run: Callable[[], AbstractContextManager[None]] | None = None,
    close: Callable[[], None] = lambda: None,
) -> Actor:
    """The Imaging Document Source actor.

    archive: where the instances lie
    public_url: where addresses in answers begin; without it they begin at their path
    staging, keep: how the archive takes instances
    admit, ready, run, close: as of `Actor`, for the archive
    """
    source = Source(settings.unique_id, archive, limits)
    return Actor(
        name="imaging",
        path="/imaging",
        contract="imaging",
        routes=(
            Route(transactions.RETRIEVE_IMAGING, partial(rad69.retrieve, source=source)),
            Route(transactions.RETRIEVE_RENDERED, partial(rendered.render, source=source)),
        ),
        resources=resources(source, public_url, keep=keep),
        staging=staging,
        admit=admit,
        ready=ready,
        run=run,
        close=close,
    )
