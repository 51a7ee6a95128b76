"""ITI-42 with a fault at every point where it touches the database, on SQLite.

The points are found by counting: the first, the second and so on, until a submission gets through.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from registry import iti57, iti62
from tests import samples
from tests.registry.conftest import Maker, Registry, by_kind
from tests.registry.updates import request, revised
from xdsi.model.errors import XDSError, XDSRegistryError, XDSRegistryOutOfResources
from xdsi.model.messages import RemoveRequest
from xdsi.model.objects import Association, DocumentEntry, Folder, SubmissionSet
from xdsi.model.values import CX
from xdsi.standard import urns
from xdsi.units import Prepared
from xdsi.units.work import control

WHOLE = {SubmissionSet: 2, DocumentEntry: 2, Folder: 1, Association: 8}


@contextmanager
def acting_before(number: int, act: Callable[[], None]) -> Iterator[list[str]]:
    """Do something just before the statement of that number; gives the statements so far."""
    seen: list[str] = []

    def watched(real: Any, statement: Callable[[Any, Any], str]) -> Any:
        def run(self: Any, *args: Any, **options: Any) -> Any:
            seen.append(statement(self, args))
            if len(seen) == number:
                act()
            return real(self, *args, **options)

        return run

    with (
        patch.object(Prepared, "rows", watched(Prepared.rows, lambda self, _: self.sql)),
        patch.object(Prepared, "insert", watched(Prepared.insert, lambda self, _: self.sql)),
        patch.object(Connection, "execute", watched(Connection.execute, lambda _, a: str(a[0]))),
        patch("xdsi.units.work.control", watched(control, lambda _, a: str(a[0]))),
    ):
        yield seen


def replacement(make: Maker, old: DocumentEntry) -> Any:
    new = make.entry()
    return make.submission([new], associations=[samples.association(urns.RPLC, new, old)])


def filed(make: Maker) -> tuple[Any, DocumentEntry]:
    folder, old = make.folder(), make.entry()
    return make.submission([old], folders=[folder], filed=[(folder, old)]), old


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(13, XDSRegistryOutOfResources, id="disk full"),
        pytest.param(10, XDSRegistryError, id="i/o error"),
    ],
)
@pytest.mark.proves("REG-130", "REG-132", "REG-104", "SEC-T-002", "SEC-T-016", "REG-169")
def test_a_fault_at_any_point_leaves_nothing(
    sqlite_registry: Registry, code: int, expected: type[XDSError]
) -> None:
    def fail() -> None:
        error = sqlite3.OperationalError("fault")
        error.sqlite_errorcode = code
        raise OperationalError("", None, error)

    points = 0
    make = Maker(samples.new_patient())
    first, old = filed(make)
    sqlite_registry.register(first)
    before = sqlite_registry.everything(make.patient)
    sent = replacement(make, old)
    for number in count(1):
        try:
            with acting_before(number, fail):
                sqlite_registry.register(sent)
        except expected:
            points += 1
            assert sqlite_registry.everything(make.patient) == before
        else:
            break
    # begin, savepoint, what is known, effects, rows, release, commit
    assert points > 15
    assert by_kind(sqlite_registry.everything(make.patient)) == WHOLE
    assert sqlite_registry.status(old.entry_uuid) == urns.DEPRECATED


@pytest.mark.parametrize("how", ["update", "removal"])
@pytest.mark.proves("LC-006", "LC-126", "SEC-T-002")
def test_a_fault_in_an_update_or_a_removal_leaves_nothing(
    sqlite_registry: Registry, how: str
) -> None:
    def fail() -> None:
        error = sqlite3.OperationalError("fault")
        error.sqlite_errorcode = 10
        raise OperationalError("", None, error)

    own, make = sqlite_registry, Maker(samples.new_patient())
    sent, entry = filed(make)
    own.register(sent)
    before = own.history(make.patient)
    objects = (*sent.submission_sets, *sent.entries, *sent.folders, *sent.associations)
    removing = RemoveRequest(tuple(each.entry_uuid for each in objects))
    updating = request(make, revised(entry), statuses=[(sent.folders[0], "Approved", "Deprecated")])

    def act() -> None:
        if how == "update":
            own.register(updating, by=iti57.update)
        else:
            iti62.remove(removing, own.call, own.units, 100)

    points = 0
    for number in count(1):
        try:
            with acting_before(number, fail):
                act()
        except XDSRegistryError:
            points += 1
            assert own.history(make.patient) == before
        else:
            break
    assert points > 10
    assert own.history(make.patient) != before


CRASH = """
import os, sys
from tests.registry.conftest import Maker, Registry
from tests.registry.test_faults import acting_before, filed, replacement
from xdsi.model.values import CX
url, patient, number = sys.argv[1:]
registry, make = Registry(url), Maker(CX(patient))
first, old = filed(make)
registry.register(first)
with acting_before(int(number), lambda: os._exit(9)) as seen:
    registry.register(replacement(make, old))
"""


@pytest.mark.proves("SEC-T-001", "SEC-T-002", "REG-130")
def test_a_crash_leaves_nothing_half_done(
    tmp_path: Path, root: Path, sqlite_registry: Registry
) -> None:
    make = Maker(samples.new_patient())
    sent, old = filed(make)
    sqlite_registry.register(sent)
    with acting_before(0, lambda: None) as seen:
        sqlite_registry.register(replacement(make, old))
    assert seen[-1] == "COMMIT"

    def crash(number: int) -> tuple[int, dict[type, int]]:
        """Exit code, and what is found after a restart."""
        url, patient = f"sqlite:///{tmp_path / f'{number}.db'}", samples.new_patient()
        ended = subprocess.run(
            [sys.executable, "-c", CRASH, url, str(patient), str(number)],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert ended.returncode in (0, 9), ended.stderr
        again = Registry(url)
        try:
            found = by_kind(again.everything(CX(str(patient))))
            again.register(Maker(samples.new_patient()).submission())
        finally:
            again.close()
        return ended.returncode, found

    first = {SubmissionSet: 1, DocumentEntry: 1, Folder: 1, Association: 4}
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(crash, (len(seen) // 2, len(seen) - 1, len(seen), 0)))
    assert outcomes[:-1] == [(9, first)] * (len(outcomes) - 1)
    assert outcomes[-1] == (0, WHOLE)
