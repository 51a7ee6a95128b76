"""A repository that is killed before any of its steps and restarted (tests/killing.py)."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import registry
import repository
from repository import iti41, recovery
from repository.holdings import Holdings
from repository.schema import METADATA
from tests import killing
from tests.files.disks import HookedDisk
from tests.killing import Steps
from tests.repository import reading
from tests.repository.ports import CALL
from tests.samples import REPOSITORY, document_entry, staged, submission, submission_set
from xdsi import config
from xdsi.config import Limits
from xdsi.model.errors import XDSDuplicateUniqueIdInRegistry, XDSUnknownPatientId, leaves
from xdsi.model.messages import (
    Document,
    ProvideRequest,
    QueryAnswer,
    QueryRequest,
    RegistryAnswer,
    Submission,
)
from xdsi.model.objects import ObjectRef, Slot
from xdsi.model.values import OID, Identifier
from xdsi.plug import Call
from xdsi.standard.queries import GET_DOCUMENTS, OBJECT_REF
from xdsi.units import engine, migrate
from xdsi.wire import parameters

CONTENTS = (b"first", b"second" * 50_000)


class Stepping:
    """A ledger or store whose every call is a step before and a step after."""

    def __init__(self, thing: Any, steps: Steps) -> None:
        self._thing, self._steps = thing, steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._steps()
            result = found(*arguments, **options)
            self._steps()
            return result

        return call


class FileRegistry:
    """A registry whose submissions are files: committed by one rename."""

    def __init__(self, folder: Path, steps: Steps, refuses: bool = False) -> None:
        self.folder, self.steps, self.refuses = folder, steps, refuses
        folder.mkdir(exist_ok=True)

    def documents(self) -> dict[str, str]:
        """SHA-1 by uniqueId of all that is registered."""
        found: dict[str, str] = {}
        for path in self.folder.glob("*.json"):
            found |= json.loads(path.read_text())
        return found

    def register(self, sent: Submission, call: Call) -> RegistryAnswer:
        self.steps()
        file = self.folder / f"{sent.submission_set.unique_id}.json"
        if self.refuses:
            raise XDSUnknownPatientId("patient", "unknown")
        if file.exists():
            raise XDSDuplicateUniqueIdInRegistry("set", "known")
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps({str(e.unique_id): str(e.hash) for e in sent.entries}))
        draft.rename(file)
        self.steps()
        return RegistryAnswer()

    def query(self, request: QueryRequest, call: Call) -> QueryAnswer:
        (value,) = parameters.literals(request.parameters[0])
        known = {*self.documents(), *(path.stem for path in self.folder.glob("*.json"))}
        return QueryAnswer((ObjectRef(value),) if value in known else ())


class RealRegistry:
    """The registry of this project in the same process, a step before and after its commit."""

    def __init__(self, folder: Path, steps: Steps) -> None:
        made = engine(f"sqlite:///{folder / 'registry.db'}")
        migrate(made, registry.MIGRATIONS)
        settings = config.Registry(unknown_patients="admit")
        self.actor, self.steps = registry.actor(settings, Limits(), made), steps

    def documents(self) -> dict[str, str]:
        return {
            f"1.2.{n}": hashlib.sha1(data).hexdigest()
            for n, data in enumerate(CONTENTS)
            if self.query(_get_documents(f"1.2.{n}"), CALL).objects
        }

    def register(self, sent: Submission, call: Call) -> RegistryAnswer:
        self.steps()
        answer: RegistryAnswer = self.actor.routes[0].handler(sent, call)
        self.steps()
        return answer

    def query(self, request: QueryRequest, call: Call) -> QueryAnswer:
        answer: QueryAnswer = self.actor.routes[1].handler(request, call)
        return answer


def _get_documents(unique_id: str) -> QueryRequest:
    slot = Slot("$XDSDocumentEntryUniqueId", (f"({parameters.string(unique_id)})",))
    return QueryRequest(GET_DOCUMENTS.id, (slot,), return_type=OBJECT_REF)


def registry_of(folder: Path, steps: Steps, refuses: bool = False) -> FileRegistry | RealRegistry:
    """The registry of a scenario, told by the folder's name."""
    if folder.name.startswith(provide_and_register.__name__):
        return RealRegistry(folder, steps)
    return FileRegistry(folder / "registry", steps, refuses)


def opened(folder: Path, steps: Steps, unnamed: bool = True) -> Holdings:
    """The repository, each call of the disk and each use of the ledger a step."""
    made = engine(f"sqlite:///{folder / 'ledger.db'}")
    METADATA.create_all(made)
    settings = config.Repository(str(REPOSITORY), store=folder / "store", free_bytes=0)
    holdings = repository.opened(
        settings, Limits(request_seconds=-5.0), made, calls=HookedDisk(steps)
    )
    holdings.staging.unnamed = unnamed
    steps.count = 0  # opening is another story
    return replace(holdings, ledger=Stepping(holdings.ledger, steps))  # type: ignore[arg-type]


def request(submission_id: str) -> ProvideRequest:
    """Always the same documents."""
    entries = [
        document_entry(data, entry_uuid=f"e{n}", unique_id=Identifier(f"1.2.{n}"))
        for n, data in enumerate(CONTENTS)
    ]
    sent = submission(entries, set_=submission_set(unique_id=OID(submission_id)))
    return ProvideRequest(
        sent, tuple(Document(f"e{n}", staged(data)) for n, data in enumerate(CONTENTS))
    )


def provide(folder: Path, steps: Steps, refuses: bool = False, unnamed: bool = True) -> None:
    holdings = opened(folder, steps, unnamed)
    port = registry_of(folder, steps, refuses)
    with suppress(XDSUnknownPatientId):
        iti41.provide(request("9.1"), CALL, holdings, port.register)
        (folder / "acknowledged").touch()
    steps()
    holdings.ledger.close()
    steps()


def provide_named(folder: Path, steps: Steps) -> None:
    provide(folder, steps, unnamed=False)


def provide_and_register(folder: Path, steps: Steps) -> None:
    """With the project's own registry."""
    provide(folder, steps)


def be_refused(folder: Path, steps: Steps) -> None:
    provide(folder, steps, refuses=True)


def provide_again(folder: Path, steps: Steps) -> None:
    """The same documents in a second submission, whose registration is refused."""
    provide(folder, Steps())
    holdings = opened(folder, steps)
    port = FileRegistry(folder / "registry", steps, refuses=True)
    with suppress(XDSUnknownPatientId):
        iti41.provide(request("9.2"), CALL, holdings, port.register)
    holdings.ledger.close()


def settle(folder: Path, steps: Steps) -> None:
    """Recovery itself, after a crash before registration."""
    if (pid := os.fork()) == 0:
        holdings = opened(folder, Steps())

        def crash(sent: Submission, call: Call) -> RegistryAnswer:
            os._exit(0)

        iti41.provide(request("9.1"), CALL, holdings, crash)
    os.waitpid(pid, 0)
    holdings = opened(folder, steps)
    port = FileRegistry(folder / "registry", steps)
    recovery.settle(holdings, port.query, patience=-5)
    steps()


SCENARIOS: dict[str, Callable[[Path, Steps], None]] = {
    each.__name__: each
    for each in (provide, provide_named, provide_and_register, be_refused, provide_again, settle)
}


def check(folder: Path) -> list[str]:
    """What is broken after a restart; empty when every promise holds."""
    broken: list[str] = []
    holdings = opened(folder, Steps())
    port = registry_of(folder, Steps())

    def look(when: str) -> None:
        registered = port.documents()
        for unique_id, sha1 in registered.items():
            data = reading.served(holdings, unique_id)
            if data is None or hashlib.sha1(data).hexdigest() != sha1:
                broken.append(f"{when}: {unique_id} is registered but not served (SEC-T-003)")
        if (folder / "acknowledged").exists() and len(registered) != len(CONTENTS):
            broken.append(f"{when}: acknowledged but not registered (SEC-T-001)")

    def look_for_leftovers(when: str) -> None:
        recovery.settle(holdings, port.query, patience=-5)
        holdings.staging.sweep(-5)
        for prefix in {name[:2] for name in reading.names(holdings)}:
            holdings.custody.compare(prefix, orphans=-5)
        if reading.staged(holdings):
            broken.append(f"{when}: staging is not empty (SEC-T-004)")
        if reading.names(holdings) != reading.recorded(holdings):
            broken.append(f"{when}: files and records differ (SEC-T-004)")
        stored = {blob.document_unique_id for blob in holdings.ledger.named("")}
        if stored - port.documents().keys():
            broken.append(f"{when}: stored but claimed by nobody (SEC-T-004)")
        if holdings.ledger.open_claims(1e12):
            broken.append(f"{when}: open claims are left")

    look("restarted")
    look_for_leftovers("restarted")
    look("settled")
    known = bool(port.documents())
    try:
        iti41.provide(request("9.1"), CALL, holdings, port.register)
        if known:
            broken.append("sent again: taken twice")
    except (XDSDuplicateUniqueIdInRegistry, ExceptionGroup) as error:
        codes = {type(each) for each in leaves(error)}
        if not known or codes != {XDSDuplicateUniqueIdInRegistry}:
            broken.append(f"sent again: {codes} (SEC-T-008)")
    look("sent again")
    holdings.ledger.flush()
    look_for_leftovers("sent again")
    look("at the end")
    return broken


if __name__ == "__main__":
    name = sys.argv[2]
    killing.before_each_step(Path(sys.argv[1]), name, Path.mkdir, SCENARIOS[name], check)
