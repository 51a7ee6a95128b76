"""The embedded archive in a folder of a test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdsi import config
from xdsi.actors.imaging.schema import METADATA
from xdsi.actors.imaging.store import ImageStore, opened
from xdsi.config import Limits
from xdsi.files.disk import Disk
from xdsi.units import engine


@contextmanager
def embedded(
    folder: Path,
    url: str = "",
    *,
    calls: Disk = os,
    limits: Limits | None = None,
    **settings: object,
) -> Iterator[ImageStore]:
    """The archive in a folder; url: of its index, SQLite in that folder if not given."""
    database = engine(url or f"sqlite:///{folder / 'index.db'}")
    METADATA.create_all(database)
    given = {"store": folder / "images", "free_bytes": 0, **settings}
    section = config.Imaging("1.2.3.4.5.4000", **given)  # type: ignore[arg-type]
    store = opened(section, limits or Limits(), database, calls=calls)
    try:
        yield store
    finally:
        store.close()
        database.dispose()
