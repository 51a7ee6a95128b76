"""Imaging sources for tests: in this process, and as a node."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.actors.imaging import samples
from tests.actors.imaging.folder import FolderArchive
from tests.actors.imaging.stores import embedded
from tests.files.conftest import quick_path  # noqa: F401 (fixture)
from xdsi.actors.imaging.source import Source
from xdsi.actors.imaging.store import ImageStore
from xdsi.config import Limits
from xdsi.plug import Call

CALL = Call.internal(1e6)


MakeStore = Callable[..., ImageStore]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Instances by name, in one folder."""
    return samples.fill(tmp_path_factory.mktemp("images"))


@pytest.fixture
def archive(files: dict[str, Path]) -> FolderArchive:
    return FolderArchive(files["rle"].parent)


@pytest.fixture
def source(archive: FolderArchive) -> Source:
    return Source(samples.SOURCE, archive, Limits())


@pytest.fixture
def make_store(quick_path: Path) -> Iterator[MakeStore]:  # noqa: F811 (the fixture)
    """Opens the archive of this test, any number of times: the same files and index."""
    with ExitStack() as stack:
        yield lambda url="", **how: stack.enter_context(embedded(quick_path, url, **how))


@pytest.fixture
def images(make_store: MakeStore) -> ImageStore:
    """An empty archive on SQLite."""
    return make_store()
