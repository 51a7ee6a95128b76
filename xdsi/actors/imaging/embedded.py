"""The imaging source that keeps its images itself."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from sqlalchemy import Engine

from xdsi import config
from xdsi.actors import imaging
from xdsi.actors.imaging.store import ImageStore, opened
from xdsi.config import Limits
from xdsi.plug import Actor


def actor(
    settings: config.Imaging, limits: Limits, engine: Engine, *, public_url: str = ""
) -> Actor:
    """engine: of the index, whose tables are there; the actor's `close` disposes of it.

    public_url: as of `imaging.actor`
    Raises as `store.opened`.
    """
    images = opened(settings, limits, engine)

    def close() -> None:
        with ExitStack() as steps:
            steps.callback(engine.dispose)
            steps.callback(images.close)

    return imaging.actor(
        settings,
        limits,
        images,
        public_url=public_url,
        staging=images.staging,
        keep=images.keep,
        admit=images.admit,
        ready=images.ready,
        run=partial(_running, images, settings, limits),
        close=close,
    )


@contextmanager
def _running(images: ImageStore, settings: config.Imaging, limits: Limits) -> Iterator[None]:
    """The archive's upkeep, and C-STORE where it is wanted."""
    with images.running():
        if (port := settings.dicom_port) is None:
            yield
            return
        from xdsi.actors.imaging import cstore  # loading it would slow every command down

        with cstore.running(images, settings, port, limits):
            yield
