"""Domains that the tests share: registry in the process, and registry in another process."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from lxml import etree

from tests import samples
from tests.e2e.nodes import Domain, Node, make, xdsi
from xdsi.model.values import CX
from xdsi.peers.session import open_session

# Limits small enough to be reached; document and submission are the same, so that a
# Content-Length can tell that both are exceeded.
LIMIT = 3_000_000
SMALL = {
    "document": LIMIT,
    "submission": LIMIT,
    "envelope": 200_000,
    "parts": 10,
    "part_header_block": 1_000,
    "body_grace": 5.0,
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `xdsi init` makes."""
    folder = tmp_path_factory.mktemp("template") / "node"
    xdsi("init", folder, "--port", "8080", "--assigning-authority", samples.PATIENT_DOMAIN)
    return folder


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with open_session() as one:
        yield one


@pytest.fixture(scope="session")
def local(
    template: Path, tmp_path_factory: pytest.TempPathFactory, session: requests.Session
) -> Iterator[Domain]:
    """One process is registry and repository."""
    folder = tmp_path_factory.mktemp("local") / "node"
    node = Node(make(template, folder, {"limits": SMALL})).start()
    yield Domain(node, node, session)
    node.end()


@pytest.fixture(scope="session")
def remote(
    template: Path, tmp_path_factory: pytest.TempPathFactory, session: requests.Session
) -> Iterator[Domain]:
    """A repository that registers with another process."""
    folder = tmp_path_factory.mktemp("remote")
    registry = Node(make(template, folder / "registry", {}, "repository")).launch()
    settings = {"repository": {"registry": f"{registry.address}/registry"}, "limits": SMALL}
    repository = Node(make(template, folder / "repository", settings, "registry")).start()
    registry.await_ready()
    yield Domain(repository, registry, session)
    repository.end()
    registry.end()


@pytest.fixture(scope="session", params=["local", "remote"])
def domain(request: pytest.FixtureRequest) -> Domain:
    one: Domain = request.getfixturevalue(request.param)
    return one


@pytest.fixture(scope="session")
def strict(
    template: Path, tmp_path_factory: pytest.TempPathFactory, session: requests.Session
) -> Iterator[Domain]:
    """Its registry refuses patients it was not told of."""
    folder = tmp_path_factory.mktemp("strict") / "node"
    settings = {"registry": {"unknown_patients": "refuse"}, "limits": SMALL}
    path = make(template, folder, settings)
    xdsi("patient", "add", str(samples.PATIENT), "--config", path)
    node = Node(path).start()
    yield Domain(node, node, session)
    node.end()


@pytest.fixture(scope="session")
def strict_remote(
    strict: Domain,
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    session: requests.Session,
) -> Iterator[Domain]:
    folder = tmp_path_factory.mktemp("strict-remote") / "node"
    settings = {"repository": {"registry": f"{strict.registry.address}/registry"}}
    node = Node(make(template, folder, settings, "registry")).start()
    yield Domain(node, strict.registry, session)
    node.end()


@pytest.fixture
def make_node(template: Path, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Makes nodes that end with the test; not started."""
    made: list[Node] = []

    def one(settings: dict[str, dict[str, object]] | None = None, *drop: str) -> Node:
        made.append(Node(make(template, tmp_path / f"node{len(made)}", settings, *drop)))
        return made[-1]

    yield one
    for each in made:
        each.end()
        shutil.rmtree(each.store, ignore_errors=True)  # big; configuration and log stay


@pytest.fixture
def patient() -> CX:
    return samples.new_patient()


@pytest.fixture(scope="session")
def schema(shared: Path) -> etree.XMLSchema:
    """The published schemas in one."""
    return etree.XMLSchema(etree.parse(shared / "schema" / "xds-all.xsd"))
