"""Whole nodes: made by `xdsi init`, run by `xdsi serve` in processes of their own, stopped by pid.

A `Domain` is a Document Repository and the Document Registry it registers with: one process, or
two that speak ITI-42 to each other. What is stored is read from the disk, beside the node.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from lxml import etree

from tests import samples
from tests.server import dialect
from xdsi.model.messages import (
    DocumentRequest,
    ProvideRequest,
    QueryAnswer,
    QueryRequest,
    RegistryAnswer,
    RetrieveRequest,
    Submission,
)
from xdsi.model.objects import ObjectRef, RegistryObject, Slot
from xdsi.peers.caller import Caller
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import transactions
from xdsi.standard.queries import StoredQuery
from xdsi.standard.transactions import Transaction
from xdsi.wire import provide, query, retrieve, submit
from xdsi.wire.body import Body

ROOT = Path(__file__).resolve().parents[2]
# made once: a new node is a copy with an identity of its own
XDSI = [sys.executable, "-m", "xdsi"]

# rows that say what is registered and stored; codes may be learnt from a refused submission
REGISTRY_ROWS = ("object", "fragment", "association", "unique_id", "patient", "object_value")
LEDGER_ROWS = ("blob",)

Settings = dict[str, dict[str, Any]]


def xdsi(*arguments: str | Path) -> str:
    """What a command prints; fails when it does."""
    done = subprocess.run(
        [*XDSI, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make(template: Path, folder: Path, settings: Settings | None = None, *drop: str) -> Path:
    """A configuration in a new folder.

    template: a folder `xdsi init` made
    settings: keys to set, by section; drop: sections to leave out
    """
    shutil.copytree(template, folder)
    folder.chmod(0o700)
    path = folder / "xdsi.toml"
    wanted: Settings = tomllib.loads(path.read_text())
    wanted["server"]["port"] = free_port()
    wanted["repository"]["unique_id"] = samples.new_oid()
    wanted["repository"]["free_bytes"] = 0
    for name, keys in (settings or {}).items():
        wanted.setdefault(name, {}).update(keys)
    for name in drop:
        del wanted[name]
    path.write_text(
        "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(v)}\n" for key, v in keys.items())
            for name, keys in wanted.items()
        )
    )
    return path


@dataclass(slots=True)
class Node:
    """A node of the configuration `path`; `start` runs it."""

    path: Path
    process: "subprocess.Popen[str] | None" = None
    # in front of the command, e.g. for a namespace of its own
    wrapper: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def settings(self) -> Settings:
        return tomllib.loads(self.path.read_text())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.settings['server']['port']}"

    @property
    def log_file(self) -> Path:
        return self.folder / "node.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def launch(self) -> "Node":
        """Begin to start; `await_ready` waits."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *XDSI, "serve", "--config", str(self.path)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def await_ready(self) -> "Node":
        assert self.process is not None and self.process.stdout is not None
        for line in self.process.stdout:
            if "/metrics" in line:
                return self
        raise AssertionError(f"the node did not start: {self.log_file.read_text()}")

    def start(self) -> "Node":
        return self.launch().await_ready()

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Its exit code after a signal."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.ended(seconds)

    def ended(self, seconds: float = 20) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        code = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def end(self) -> None:
        """For the end of a test."""
        if self.process is not None:
            self.stop(signal.SIGKILL)

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = self.log_file.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def peak(self) -> int:
        """VmHWM in octets."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    @property
    def descriptors(self) -> tuple[list[str], int]:
        """What its descriptors name, and how many more are sockets."""
        names: list[str] = []
        sockets = 0
        for number in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                name = os.readlink(f"/proc/{self.pid}/fd/{number}")
            except FileNotFoundError:
                continue
            if name.startswith("socket:"):
                sockets += 1
            else:
                names.append(name)
        return sorted(names), sockets

    def select(self, database: str, *statements: str) -> list[list[Any]]:
        """What statements select from `registry` or `repository`, all at one moment."""
        url = f"file:{self.folder / database}.db?mode=ro"
        with closing(sqlite3.connect(url, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            return [connection.execute(each).fetchall() for each in statements]

    def rows(self, database: str, *tables: str) -> dict[str, list[Any]]:
        """Content of tables of `registry` or `repository`."""
        found = self.select(database, *(f"SELECT * FROM {each}" for each in tables))
        return {table: sorted(rows, key=repr) for table, rows in zip(tables, found, strict=True)}

    @property
    def store(self) -> Path:
        return self.folder / "documents"

    def files(self) -> tuple[dict[str, int], list[str]]:
        """Octets of each published document, and what lies in staging."""
        published = {
            str(path.relative_to(self.store)): path.stat().st_size
            for path in (self.store / "documents").rglob("*")
            if path.is_file()
        }
        staging = self.store / "staging"
        staged = [
            str(path) for path in staging.rglob("*") if path.is_file() and path.name != "lock"
        ]
        return published, staged


@dataclass(frozen=True, slots=True)
class Domain:
    """A repository, and the registry it registers with; both may be one node."""

    repository: Node
    registry: Node
    session: requests.Session

    @property
    def is_remote(self) -> bool:
        return self.repository is not self.registry

    @property
    def repository_id(self) -> str:
        return str(self.repository.settings["repository"]["unique_id"])

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.repository, self.registry) if self.is_remote else (self.repository,)

    # as a client

    def caller(self, row: Transaction, spool: Spool | None = None) -> Caller:
        return Caller(row, self.address(row), self.session, spool=spool)

    def address(self, row: Transaction) -> str:
        if row.is_mtom:
            return f"{self.repository.address}/repository"
        return f"{self.registry.address}/registry"

    def provide(self, request: ProvideRequest) -> RegistryAnswer:
        """ITI-41."""
        answer: RegistryAnswer = self.caller(transactions.PROVIDE_AND_REGISTER)(
            request, Call.internal()
        )
        return answer

    def register(self, submission: Submission) -> RegistryAnswer:
        """ITI-42, to the registry itself."""
        answer: RegistryAnswer = self.caller(transactions.REGISTER)(submission, Call.internal())
        return answer

    def ask(self, row: StoredQuery, *slots: Slot, returns: str = "LeafClass") -> QueryAnswer:
        """ITI-18."""
        answer: QueryAnswer = self.caller(transactions.STORED_QUERY)(
            QueryRequest(row.id, slots, returns), Call.internal()
        )
        return answer

    def find(self, row: StoredQuery, *slots: Slot) -> list[RegistryObject]:
        """The objects of a query; as ObjectRef it names the same ones (SQ-074)."""
        answer = self.ask(row, *slots)
        assert answer.errors == ()
        found: list[RegistryObject] = list(answer.objects)  # type: ignore[arg-type]
        refs = self.ask(row, *slots, returns="ObjectRef").objects
        assert all(isinstance(each, ObjectRef) for each in refs)
        ids = [each.entry_uuid for each in found]
        assert sorted(each.id for each in refs) == sorted(ids)  # type: ignore[union-attr]
        assert len(set(ids)) == len(ids)
        return found

    def retrieve(self, *ids: object) -> dict[str, bytes]:
        """ITI-43: the documents that came, by uniqueId."""
        if len(ids) > 500:
            return self.retrieve(*ids[:500]) | self.retrieve(*ids[500:])
        wanted = tuple(DocumentRequest(self.repository_id, str(each)) for each in ids)
        with Spool() as spool:
            answer = self.caller(transactions.RETRIEVE, spool)(
                RetrieveRequest(wanted), Call.internal()
            )
            found = {}
            for each in answer.documents:
                reader = each.content.open()
                try:
                    data = b"".join(iter(lambda: reader.read(1 << 20), b""))  # noqa: B023
                finally:
                    reader.close()
                found[each.request.document_unique_id] = data
            return found

    # what the disks say

    def stored(self) -> dict[str, Any]:
        """All that a refused request must leave as it is."""
        found: dict[str, Any] = dict(self.registry.rows("registry", *REGISTRY_ROWS))
        found |= self.repository.rows("repository", *LEDGER_ROWS)
        found["claims"] = len(self.repository.rows("repository", "claim")["claim"])
        found["files"], found["staged"] = self.repository.files()
        return found

    def handles(self) -> tuple[tuple[list[str], int], ...]:
        return tuple(node.descriptors for node in self.nodes)

    def settles_to(self, handles: tuple[tuple[list[str], int], ...]) -> bool:
        """Whether no node soon holds more than it did."""

        def is_so() -> bool:
            return all(
                names == before and sockets <= most
                for (names, sockets), (before, most) in zip(self.handles(), handles, strict=True)
            )

        return dialect.wait_for(is_so)


# messages


def joined(body: Body) -> str:
    return b"".join(piece for piece in body if isinstance(piece, bytes)).decode()


def envelope(row: Transaction, body: str) -> bytes:
    return dialect.envelope(body, row.action)


def register_body(submission: Submission) -> str:
    return joined(submit.submission_to_xml(submission))


def provide_body(request: ProvideRequest, contents: Sequence[str]) -> str:
    """ITI-41 with `contents` as XML inside its Document elements."""
    inner = "".join(
        f'<xds:Document id="{document.id}">{content}</xds:Document>'
        for document, content in zip(request.documents, contents, strict=True)
    )
    text = joined(provide.provide_to_xml(replace_documents(request)))
    return text.replace("</xds:ProvideAndRegister", f"{inner}</xds:ProvideAndRegister", 1)


def replace_documents(request: ProvideRequest) -> ProvideRequest:
    return ProvideRequest(request.submission)


def query_body(row: StoredQuery, *slots: Slot, returns: str = "LeafClass") -> str:
    return joined(query.query_to_xml(QueryRequest(row.id, slots, returns)))


def retrieve_body(repository: str, *ids: str) -> str:
    wanted = tuple(DocumentRequest(repository, each) for each in ids)
    return joined(retrieve.retrieve_to_xml(RetrieveRequest(wanted)))


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def body_of(response: dialect.Response) -> etree._Element:
    """The one child of the answer's Body."""
    (found,) = response.envelope.xpath("//env:Body/*", namespaces=dialect.NAMES)
    return found
