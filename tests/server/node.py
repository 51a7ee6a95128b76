"""A node with scripted actors behind the real server, run as a process of its own.

    python -m tests.server.node FOLDER '{"limits": {...}, "server": {...}}'

Prints its address when it is ready. Real codecs and a real staging folder; the handlers do what
the ids in the request tell them (see `Query` names and `retrieve`).
"""

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from tests.server.dialect import SECRET
from xdsi.config import Address, Limits, Server
from xdsi.model import errors
from xdsi.model.errors import SoapFault
from xdsi.model.identity import Acknowledgement
from xdsi.model.messages import (
    Content,
    Fragment,
    QueryAnswer,
    RegistryAnswer,
    RetrieveAnswer,
    RetrievedDocument,
)
from xdsi.model.web import WebAnswer, WebError
from xdsi.plug import CODECS, Actor, Feed, Resource, Route, WebRoute
from xdsi.server import dispatch, faults, serve
from xdsi.standard import transactions
from xdsi.standard.namespaces import RIM

FULL = "full"  # a file of this name in FOLDER: the disk is full


@dataclass(frozen=True, slots=True)
class StagedFile:
    path: Path
    size: int
    sha1: str
    sha256: str

    def open(self) -> Any:
        return self.path.open("rb")


class ReceivingFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("wb", buffering=0)
        self.size = 0
        self.sha1, self.sha256 = hashlib.sha1(), hashlib.sha256()

    def write(self, data: bytes) -> None:
        if data.startswith(b"BROKEN DISK"):
            self.discard()
            raise errors.XDSRepositoryOutOfResources("disk", "is full; try later")
        if data.startswith(b"BROKEN CODE"):
            raise ZeroDivisionError(SECRET)
        self.file.write(data)
        self.sha1.update(data)
        self.sha256.update(data)
        self.size += len(data)

    def finish(self) -> StagedFile:
        os.fsync(self.file.fileno())
        self.file.close()
        return StagedFile(self.path, self.size, self.sha1.hexdigest(), self.sha256.hexdigest())

    def discard(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


class Folder:
    """Staging in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> ReceivingFile:
        return ReceivingFile(self.folder / uuid4().hex)

    def discard(self, staged: Any) -> None:
        for each in staged:
            each.path.unlink(missing_ok=True)


class Zeros:
    """A document of any size that costs nothing; `fails` after so many octets."""

    def __init__(self, size: int, fails: int | None = None, pause: float = 0.0) -> None:
        self.left, self.fails, self.done, self.pause = size, fails, 0, pause
        self.is_closed = False

    def read(self, n: int) -> bytes:
        time.sleep(self.pause)
        if self.fails is not None and self.done >= self.fails:
            raise OSError("bits have rotted")
        data = bytes(min(n, self.left))
        self.left -= len(data)
        self.done += len(data)
        return data

    def close(self) -> None:
        self.is_closed = True


def register(request: Any, call: Any) -> RegistryAnswer:
    """ITI-42: Success, or what the SubmissionSet's title says."""
    if request.findings:
        raise ExceptionGroup("refused", request.findings)
    title = str(request.submission_sets[0].title or "")
    if title == "warn":
        return RegistryAnswer((errors.XDSExtraMetadataNotSaved("slot", "was not kept"),))
    return RegistryAnswer()


def take(event: Any, call: Any) -> Acknowledgement:
    """ITI-8: what the first identifier says."""
    name, _, value = event.ids[0].value.partition(":")
    match name:
        case "raise":
            raise ZeroDivisionError(SECRET)
        case "group-mixed":
            raise ExceptionGroup("found", [errors.XDSRegistryError("a", "b"), ValueError(SECRET)])
        case "unknown":
            raise errors.XDSUnknownPatientId("id", "is not known", rule="PIF-032")
        case "busy":
            raise errors.XDSRegistryBusy("database", "no turn")
        case "slow":
            time.sleep(float(value))
    return Acknowledgement()


LEAF = (
    f'<rim:ExtrinsicObject xmlns:rim="{RIM}" id="urn:uuid:11111111-1111-4111-8111-111111111111" '
    'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"><rim:Name/></rim:ExtrinsicObject>'
).encode()


def query(request: Any, call: Any) -> QueryAnswer:
    """ITI-18: one fixed entry, or what the query id says."""
    name, _, value = request.query_id.partition(":")
    match name:
        case "raise":
            raise ZeroDivisionError(SECRET)
        case "raise-base":
            raise RecursionError(SECRET)
        case "error":
            raise errors.XDSUnknownStoredQuery("query", "is not known", value=value, rule="SQ-001")
        case "group":
            raise ExceptionGroup(
                "found",
                [
                    errors.XDSStoredQueryMissingParam("$a", "is missing"),
                    ExceptionGroup("deeper", [errors.XDSStoredQueryParamNumber("$b", "twice")]),
                ],
            )
        case "group-mixed":
            raise ExceptionGroup("found", [errors.XDSRegistryError("a", "b"), ValueError(SECRET)])
        case "fault":
            raise SoapFault("Sender", "the frame is wrong")
        case "unwritable":
            return QueryAnswer((object(),))  # type: ignore[arg-type]
        case "slow":
            time.sleep(float(value))
        case "wait":
            # until the caller has gone away
            while not call.cancelled() and call.remaining:
                time.sleep(0.02)
            Path(value).write_text("gone" if call.cancelled() else "still there")
        case "big":
            return QueryAnswer((Fragment(LEAF),) * int(value))
        case "twenty":
            return TWENTY
    return QueryAnswer((Fragment(LEAF),))


TWENTY = QueryAnswer((Fragment(LEAF.replace(b"<rim:Name/>", b"<rim:Name/>" + b" " * 5500)),) * 20)


def actors(folder: Path, senders: Sequence[str] = ()) -> list[Actor]:
    staging, published = folder / "staging", folder / "published"
    for each in (staging, published):
        each.mkdir(exist_ok=True)

    def provide(request: Any, call: Any) -> RegistryAnswer:
        """ITI-41: publish by entry id; leave documents alone when a title says so."""
        known = {entry.entry_uuid for entry in request.submission.entries}
        found: list[errors.XDSError] = []
        found += [
            errors.XDSMissingDocumentMetadata("part", "no entry", value=s) for s in request.strays
        ]
        given = {document.id for document in request.documents}
        found += [
            errors.XDSMissingDocumentMetadata("Document", "no entry", value=each)
            for each in sorted(given - known)
        ]
        found += [
            errors.XDSMissingDocument("entry", "no document", value=each)
            for each in sorted(known - given)
        ]
        errors.refuse(found)
        titles = {str(entry.title) for entry in request.submission.entries}
        if "handler fails" in titles:
            raise ZeroDivisionError(SECRET)
        if "slow" in titles:
            time.sleep(1)
        for document in request.documents:
            os.link(document.content.path, published / document.id.rpartition(":")[2])
        return RegistryAnswer()

    def retrieve(request: Any, call: Any) -> RetrieveAnswer:
        """ITI-43: see `content`, or a published name."""
        documents, failed = [], []
        for each in request.documents:
            kind, *values = each.document_unique_id.split(":")
            try:
                documents.append(
                    RetrievedDocument(each, "application/dicom", content(kind, values))
                )
            except OSError:
                failed.append(
                    errors.XDSDocumentUniqueIdError(
                        "document", "is not here", location=each.document_unique_id
                    )
                )
        return RetrieveAnswer(tuple(documents), tuple(failed))

    lost = set[str]()

    def content(kind: str, values: list[str]) -> Content:
        """`size:N`, `nosize:N`, `rotten:N:AFTER`, `slow:N:PAUSE`, `text:TEXT`; `unopened:NAME`,
        which cannot be opened, as is known from then on.
        """

        def missing() -> Zeros:
            lost.add(values[0])
            raise OSError("lost")

        match kind:
            case "unopened":
                if values[0] in lost:
                    raise OSError("lost")
                return Content(1000, missing)
            case "size":
                return Content(int(values[0]), lambda: Zeros(int(values[0])))
            case "nosize":
                return Content(None, lambda: Zeros(int(values[0])))
            case "rotten":
                size, fails = map(int, values)
                return Content(size, lambda: Zeros(size, fails))
            case "rotten-nosize":
                size, fails = map(int, values)
                return Content(None, lambda: Zeros(size, fails))
            case "short":
                return Content(int(values[0]) + 1, lambda: Zeros(int(values[0])))
            case "slow":
                return Content(
                    int(values[0]), lambda: Zeros(int(values[0]), None, float(values[1]))
                )
            case "text":
                data = values[0].encode()
                return Content(len(data), lambda: io.BytesIO(data))
        path = published / kind
        return Content(path.stat().st_size, lambda: path.open("rb"))

    def route(request: Any) -> WebRoute:
        if request.segments[:1] == ("nowhere",):
            raise WebError(404, "no such thing")
        if "refused" in request.headers.get("content-type", ""):
            raise WebError(415, "not taken here")
        return WebRoute("WEB-POST" if request.method == "POST" else "WEB", web)

    def web(request: Any, call: Any) -> WebAnswer:
        """`/web/KIND[/VALUE...]`: contents as of `retrieve`, `echo`, or something that fails."""
        kind, *values = request.segments or ("echo",)
        match kind:
            case "raise":
                raise ZeroDivisionError(SECRET)
            case "refuse":
                raise WebError(int(values[0]), "is not given", ("Retry-After", "7"))
            case "full":
                raise errors.XDSRepositoryOutOfResources("disk", "is full; try later")
            case "busy":
                raise errors.XDSRepositoryBusy("database", "no turn; try later")
            case "slow":
                time.sleep(float(values[0]))
            case "nothing":
                return WebAnswer(204, "")
            case "some":
                return WebAnswer(206, "text/plain", (b"a", b"b"), ids=("1.2.3",))
            case "keep":
                for name, document in zip(values, request.documents, strict=True):
                    os.link(document.path, published / name)
            case "pieces":
                found = []
                for each in values:
                    with suppress(OSError):
                        found.append(content(*_split(each)))
                status = 200 if len(found) == len(values) else 206
                return WebAnswer(status, "text/plain", (b"<", *found, b">"), (("X-More", "yes"),))
        told = {
            "method": request.method,
            "segments": request.segments,
            "query": request.query,
            "agent": request.headers.get("x-agent"),
            "documents": [(each.size, each.sha1) for each in request.documents],
        }
        return WebAnswer(200, "application/json", (json.dumps(told).encode(),))

    def _split(text: str) -> tuple[str, list[str]]:
        kind, *values = text.split(":")
        return kind, values

    def admit() -> None:
        if (folder / FULL).exists():
            raise errors.XDSRepositoryOutOfResources("store", "has no room; try later")

    def ready() -> tuple[str, ...]:
        return ("the disk is full",) if (folder / FULL).exists() else ()

    return [
        Actor(
            name="registry",
            path="/registry",
            contract="registry",
            feed=Feed(take, tuple(senders)),
            routes=(
                Route(transactions.REGISTER, register),
                Route(transactions.STORED_QUERY, query),
            ),
        ),
        Actor(
            name="initiating",
            path="/initiating",
            contract="gateway-initiating",
            routes=(Route(transactions.STORED_QUERY, query),),
            waits=True,
        ),
        Actor(
            name="repository",
            path="/repository",
            contract="repository",
            routes=(
                Route(transactions.PROVIDE_AND_REGISTER, provide),
                Route(transactions.RETRIEVE, retrieve),
            ),
            resources=(
                Resource("/web", ("GET", "HEAD", "POST"), route),
                Resource("/web/deep", ("GET", "HEAD"), lambda _: WebRoute("DEEP", web)),
            ),
            staging=Folder(staging),
            admit=admit,
            ready=ready,
        ),
    ]


def sabotage(target: str) -> None:
    """Let a function of the project, named with its dots, raise what nobody expects."""
    names = target.split(".")
    for cut in range(len(names) - 1, 0, -1):
        with suppress(ImportError):
            holder: Any = import_module(".".join(names[:cut]))
            break
    for name in names[cut:-1]:
        holder = getattr(holder, name)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError(SECRET)

    original = getattr(holder, names[-1])
    setattr(holder, names[-1], broken)
    for codec_id, codec in CODECS.items():
        changed = {
            each.name: broken for each in fields(codec) if getattr(codec, each.name) is original
        }
        dispatch.CODECS = faults.CODECS = (
            MappingProxyType({**dispatch.CODECS, codec_id: replace(codec, **changed)})
            if changed
            else dispatch.CODECS
        )


def main() -> None:
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    if "broken" in options:
        sabotage(options["broken"])
    server = replace(Server(port=0), **options.get("server", {}))
    for name in ("certificate", "key", "client_ca", "record"):
        if (value := getattr(server, name)) is not None:
            server = replace(server, **{name: Path(value)})
    limits = replace(Limits(), **options.get("limits", {}))
    with suppress(KeyboardInterrupt):
        serve(
            lambda: actors(folder, options.get("senders", ())),
            server,
            limits,
            on_ready=lambda address: print(address, flush=True),
            feed=Address("127.0.0.1", options["feed"]) if "feed" in options else None,
        )


if __name__ == "__main__":
    main()
