"""A community: real registry, repository and imaging source, and the gateway in front of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

import registry
import repository
from tests import bodies, samples
from tests.actors.imaging import samples as images
from tests.actors.imaging.folder import FolderArchive
from xdsi import config
from xdsi.actors import imaging
from xdsi.actors.gateway import responding
from xdsi.actors.gateway.communities import Own
from xdsi.config import Limits
from xdsi.model.messages import (
    Content,
    DocumentRequest,
    ProvideRequest,
    RetrieveAnswer,
    RetrievedDocument,
    RetrieveRequest,
    Submission,
)
from xdsi.model.values import HomeCommunityId
from xdsi.plug import CODECS, Actor, Call, Handler
from xdsi.server import faults
from xdsi.server.exchange import Exchange
from xdsi.standard import transactions
from xdsi.standard.transactions import Transaction
from xdsi.units import engine, migrate

HOME = f"urn:oid:{samples.HOME}"
OTHER_HOME = "urn:oid:1.2.3.4.5.9999"
SECOND = "1.2.3.4.5.1001"  # a repository, or an imaging source, beside the first one
CALL = Call.internal(1e6)


def handler(actor: Actor, row: Transaction) -> Handler:
    return next(each.handler for each in actor.routes if each.transaction is row)


@dataclass(frozen=True, slots=True)
class Community:
    """Actors in this process. `gateway` makes a Responding Gateway in front of them."""

    registry: Actor
    repository: Actor
    imaging: Actor

    def gateway(
        self,
        *,
        query: Handler | None = None,
        retrieve: dict[str, Handler] | None = None,
        retrieve_imaging: dict[str, Handler] | None = None,
        limits: Limits = Limits(),
    ) -> Actor:
        """query: instead of the registry; the others: beside the first of their kind"""
        own = handler(self.repository, transactions.RETRIEVE)
        source = handler(self.imaging, transactions.RETRIEVE_IMAGING)
        community = Own(
            HomeCommunityId(HOME),
            query=query or handler(self.registry, transactions.STORED_QUERY),
            retrieve={str(samples.REPOSITORY): own, **(retrieve or {})},
            retrieve_imaging={images.SOURCE: source, **(retrieve_imaging or {})},
        )
        return responding.actor(community, limits)

    def register(self, submission: Submission) -> None:
        """ITI-42."""
        assert handler(self.registry, transactions.REGISTER)(submission, CALL).errors == ()

    def provide(self, *contents: bytes, **changes: Any) -> list[str]:
        """ITI-41; uniqueIds of what is stored."""
        request: ProvideRequest = samples.provide(*contents, **changes)
        row = transactions.PROVIDE_AND_REGISTER
        assert handler(self.repository, row)(request, CALL).errors == ()
        return [str(each.unique_id) for each in request.submission.entries]


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    folder: Path = tmp_path_factory.mktemp("community")
    images.fill(folder)
    limits, opened = Limits(), {}
    for name, wanted in (("registry", registry.MIGRATIONS), ("ledger", repository.MIGRATIONS)):
        opened[name] = engine(f"sqlite:///{folder / name}.db")
        migrate(opened[name], wanted)
    one = registry.actor(config.Registry(unknown_patients="admit"), limits, opened["registry"])
    two = repository.actor(
        config.Repository(str(samples.REPOSITORY), store=folder / "store", free_bytes=0),
        limits,
        opened["ledger"],
        handler(one, transactions.REGISTER),
        handler(one, transactions.STORED_QUERY),
    )
    three = imaging.actor(config.Imaging(images.SOURCE), limits, FolderArchive(folder))
    yield Community(one, two, three)
    for each in (three, two, one):
        each.close()


MakeGateway = Callable[..., Actor]


@pytest.fixture
def make_gateway(community: Community) -> Iterator[MakeGateway]:
    made: list[Actor] = []

    def make(**how: Any) -> Actor:
        made.append(community.gateway(**how))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(name="responding")
def plain_gateway(make_gateway: MakeGateway) -> Actor:
    """The gateway of the community as it is."""
    return make_gateway()


def ask(actor: Actor, row: Transaction, request: Any) -> Any:
    """What the server is given to answer: the request is read from its XML, errors are located."""
    route = next(each for each in actor.routes if each.transaction is row)
    body = bodies.inline(CODECS[row.id].write_request(request))
    read, refusal = faults.read(route, body, {})
    return faults.answered(route, read, CALL, Exchange(), refusal)


def reread(row: Transaction, answer: Any) -> Any:
    """The answer as a partner reads it, documents inline."""
    return CODECS[row.id].read_answer(written(row, answer), {})


def written(row: Transaction, answer: Any) -> etree._Element:
    return bodies.inline(CODECS[row.id].write_answer(answer))


def told(answer: Any) -> list[tuple[str, str]]:
    """(code, location) of each error."""
    return [(each.code, each.location) for each in answer.errors]


def document(
    asked: DocumentRequest, data: bytes = b"x", mime_type: str = "text/plain", **new: str
) -> RetrievedDocument:
    content: Content = samples.content(data)
    return RetrievedDocument(asked, mime_type, content, **new)


def serving(**contents: bytes) -> Handler:
    """A second repository with these documents, which knows no errors."""

    def retrieve(request: RetrieveRequest, call: Call) -> RetrieveAnswer:
        return RetrieveAnswer(
            tuple(
                document(each, contents[each.document_unique_id])
                for each in request.documents
                if each.document_unique_id in contents
            )
        )

    return retrieve
