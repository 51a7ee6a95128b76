"""Races at one registry: many writers at the same moment, and what must hold afterwards.

    python -m tests.registry.race [--rounds 500] [--seconds 900] [--writers 64]
        [--only RACE] [--on sqlite|postgresql|servers]

runs every race so many rounds (SEC-T-186) or so many seconds in all, whatever comes first: threads
in this process on SQLite and on PostgreSQL, and three servers on one PostgreSQL database. The first
thing that does not hold ends it. The suite runs some rounds of the same races.
"""

import argparse
import glob
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event
from time import monotonic

from registry.codes import Codes
from registry.identity import merge
from registry.known import Domain
from registry.unit import open_units
from tests import samples
from tests.databases import PostgreSQL
from tests.node import free_port, serving
from tests.plugins.gaps import SYSTEM_FOLDERS
from tests.registry.conftest import DOMAIN, Maker, Registry
from xdsi.model.errors import leaves, refuse
from xdsi.model.messages import QueryAnswer, QueryRequest, RegistryAnswer, Submission
from xdsi.model.objects import Folder, RegistryObject, Slot
from xdsi.model.values import DTM
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.plug import Call
from xdsi.standard import queries, urns
from xdsi.standard.queries import StoredQuery
from xdsi.standard.transactions import REGISTER, STORED_QUERY
from xdsi.wire.parameters import single

WRITERS = 64
SERVERS = 3
WON = "Success"
DEPRECATED = "XDSRegistryDeprecatedDocumentError"
DUPLICATE = "XDSDuplicateUniqueIdInRegistry"
OTHER_HASH = "XDSNonIdenticalHash"
OTHER_KIND = "XDSRegistryMetadataError"
UNKNOWN_PATIENT = "XDSUnknownPatientId"


def together(works: Sequence[Callable[[], object]]) -> list[str]:
    """Outcome of each work, all begun at once: WON or the codes of its errors."""
    start = Barrier(len(works), timeout=20)

    def one(work: Callable[[], object]) -> str:
        start.wait()
        try:
            work()
        except Exception as error:
            return ",".join(sorted({getattr(each, "code", repr(each)) for each in leaves(error)}))
        return WON

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


@dataclass
class Clock:
    """Goes forth and back by hours: submissions come in another order than their times."""

    told: list[datetime] = field(default_factory=list)

    def __call__(self) -> datetime:
        self.told.append(datetime.now(UTC) + timedelta(seconds=random.randrange(-40_000, 40_000)))
        return self.told[-1]


class Threads(Registry):
    """The handlers in this process. url: of its database, for what no transaction can do."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.units.close()
        self.url, self.clock = url, Clock()
        self.units = open_units(self.engine, clock=self.clock)
        self.codes = Codes(self.units)


class Servers(Registry):
    """ITI-42 and ITI-18 at several servers in turn."""

    def __init__(self, url: str, addresses: Sequence[str]) -> None:
        super().__init__(url)
        self.url = url
        self._session = open_session()
        self._register = [Caller(REGISTER, each, self._session) for each in addresses]
        self._query = [Caller(STORED_QUERY, each, self._session) for each in addresses]

    def close(self) -> None:
        self._session.close()
        super().close()

    def register(self, submission: Submission, domain: Domain = DOMAIN) -> RegistryAnswer:
        answer: RegistryAnswer = random.choice(self._register)(submission, Call.internal())
        refuse(answer.errors, "refused")
        return answer

    def find(self, query: StoredQuery, *slots: Slot) -> list[RegistryObject]:
        request = QueryRequest(query.id, slots)
        answer: QueryAnswer = random.choice(self._query)(request, Call.internal())
        refuse(answer.errors, "refused")
        return list(answer.objects)  # type: ignore[arg-type]


Door = Threads | Servers


def race(door: Door, sent: Sequence[Submission]) -> list[str]:
    return together([lambda each=each: door.register(each) for each in sent])  # type: ignore[misc]


def winner(outcomes: Sequence[str], *losers: str) -> int:
    """The one that won, where all others lost for one of these reasons."""
    found = Counter(outcomes)
    assert found[WON] == 1, found
    assert found.keys() <= {WON, *losers}, found
    return outcomes.index(WON)


# the races: each takes a door, a maker of samples of a new patient, and the number of writers


def contents_of_one_document(door: Door, make: Maker, writers: int) -> None:
    value = make.entry().unique_id
    sent = [
        make.submission([make.entry(b"content %03d" % number, unique_id=value)])
        for number in range(writers)
    ]
    won = winner(race(door, sent), OTHER_HASH)
    slot = single("$XDSDocumentEntryUniqueId", str(value))
    assert [each.hash for each in door.find(queries.GET_DOCUMENTS, slot)] == [  # type: ignore[union-attr]
        sent[won].entries[0].hash
    ]


def sets_of_one_unique_id(door: Door, make: Maker, writers: int) -> None:
    value = make.set().unique_id
    sent = [make.submission(set_=make.set(unique_id=value)) for _ in range(writers)]
    won = winner(race(door, sent), DUPLICATE)
    stored = {each.entry_uuid for each in door.everything(make.patient)}
    assert len(stored) == 3
    assert sent[won].entries[0].entry_uuid in stored


def folders_of_one_unique_id(door: Door, make: Maker, writers: int) -> None:
    value = make.folder().unique_id
    sent = [make.submission(folders=[make.folder(unique_id=value)]) for _ in range(writers)]
    won = winner(race(door, sent), DUPLICATE)
    slot = single("$XDSFolderUniqueId", str(value))
    assert [each.entry_uuid for each in door.find(queries.GET_FOLDERS, slot)] == [
        sent[won].folders[0].entry_uuid
    ]


def kinds_with_one_unique_id(door: Door, make: Maker, writers: int) -> None:
    value = make.set().unique_id
    sent = [
        (
            lambda n: make.submission([make.entry(b"content %03d" % n, unique_id=value)]),
            lambda _: make.submission(set_=make.set(unique_id=value)),
            lambda _: make.submission(folders=[make.folder(unique_id=value)]),
        )[number % 3](number)
        for number in range(writers)
    ]
    winner(race(door, sent), DUPLICATE, OTHER_HASH, OTHER_KIND)


def replacements_of_one_document(door: Door, make: Maker, writers: int) -> None:
    old = make.entry()
    door.register(make.submission([old]))
    sent = []
    for number in range(writers):
        new = make.entry()
        type_ = urns.XFRM_RPLC if number % 2 else urns.RPLC
        sent.append(make.submission([new], associations=[samples.association(type_, new, old)]))
    won = winner(race(door, sent), DEPRECATED)
    assert door.status(old.entry_uuid) == urns.DEPRECATED
    successors = [
        each.source_object
        for each in door.associations(old.entry_uuid)
        if each.association_type in urns.REPLACEMENTS
    ]
    assert successors == [sent[won].entries[0].entry_uuid]


def replacements_of_two_documents(door: Door, make: Maker, writers: int) -> None:
    """One set replaces both; the sets name them in different orders."""
    pair = [make.entry(), make.entry()]
    door.register(make.submission(pair))
    sent = []
    for number in range(writers):
        new = [make.entry(), make.entry()]
        links = [samples.association(urns.RPLC, *each) for each in zip(new, pair, strict=True)]
        sent.append(make.submission(new, associations=links[:: -1 if number % 2 else 1]))
    won = winner(race(door, sent), DEPRECATED)
    links_stored = door.associations(*(each.entry_uuid for each in pair))
    assert {each.source_object for each in links_stored if each.association_type == urns.RPLC} == {
        each.entry_uuid for each in sent[won].entries
    }


def additions_to_one_folder(door: Door, make: Maker, writers: int) -> None:
    """All win; lastUpdateTime never goes back, though the clocks do."""
    box = make.folder()
    door.register(make.submission(folders=[box]))
    sent = []
    for _ in range(writers):
        entry = make.entry()
        sent.append(make.submission([entry], filed=[(box.entry_uuid, entry)]))
    times, is_over = [_updated(door, box)], Event()

    def watch() -> None:
        while not is_over.is_set():
            times.append(_updated(door, box))

    if isinstance(door, Threads):
        door.clock.told.clear()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            outcomes = race(door, sent)
        finally:
            is_over.set()
        watching.result()
    assert Counter(outcomes) == {WON: writers}
    times.append(_updated(door, box))
    assert times == sorted(times)
    if isinstance(door, Threads):
        assert times[-1] == max(times[0], *(DTM.of(each).earliest for each in door.clock.told))
    members = [
        each for each in door.associations(box.entry_uuid) if each.source_object == box.entry_uuid
    ]
    assert len(members) == writers


def _updated(door: Door, box: Folder) -> str:
    time = door.folder(box.entry_uuid).last_update_time
    assert time is not None
    return time.earliest


def additions_to_two_folders(door: Door, make: Maker, writers: int) -> None:
    """Each writer adds to both, one half of them in the other order: nobody waits for ever."""
    boxes = [make.folder(), make.folder()]
    door.register(make.submission(folders=boxes))
    sent = []
    for number in range(writers):
        entry = make.entry()
        filed = [(box.entry_uuid, entry) for box in boxes[:: -1 if number % 2 else 1]]
        sent.append(make.submission([entry], filed=filed))
    assert Counter(race(door, sent)) == {WON: writers}
    for box in boxes:
        links = door.associations(box.entry_uuid)
        assert sum(each.source_object == box.entry_uuid for each in links) == writers


def submissions_while_their_patient_is_merged(door: Door, make: Maker, writers: int) -> None:
    """Whatever is acknowledged follows the merge, whatever comes later is refused (PIF-040)."""
    survivor = Maker(samples.new_patient())
    for one in (make, survivor):
        door.register(one.submission())
    sent = [make.submission() for _ in range(writers - 1)]
    units = open_units(door.engine)
    outcomes = together(
        [
            lambda: units.run(lambda unit: merge(unit, make.patient, survivor.patient)),
            *(lambda each=each: door.register(each) for each in sent),  # type: ignore[misc]
        ]
    )
    units.close()
    assert outcomes[0] == WON
    found = Counter(outcomes[1:])
    assert found.keys() <= {WON, UNKNOWN_PATIENT}, found
    assert together([lambda: door.register(make.submission())]) == [UNKNOWN_PATIENT]
    assert door.everything(make.patient) == []
    # of each submission a set, an entry and a membership
    stored = {each.entry_uuid for each in door.everything(survivor.patient)}
    assert len(stored) == 3 * (2 + found[WON])
    acknowledged = {
        each.entries[0].entry_uuid
        for each, outcome in zip(sent, outcomes[1:], strict=True)
        if outcome == WON
    }
    assert acknowledged <= stored


Race = Callable[[Door, Maker, int], None]
# race -> requirements it proves
RACES: Mapping[Race, tuple[str, ...]] = {
    contents_of_one_document: ("SEC-T-005", "SEC-T-011"),
    sets_of_one_unique_id: ("REG-090", "SEC-T-008", "SEC-T-011"),
    folders_of_one_unique_id: ("SEC-T-011",),
    kinds_with_one_unique_id: ("SEC-T-011",),
    replacements_of_one_document: ("REG-133", "SEC-T-006", "SEC-T-012"),
    replacements_of_two_documents: ("SEC-T-006", "SEC-T-012", "SEC-T-013"),
    additions_to_one_folder: ("SEC-T-021",),
    additions_to_two_folders: ("SEC-T-013",),
    submissions_while_their_patient_is_merged: ("PIF-040",),
}
CONFIGURATION = """\
[server]
port = {port}
[registry]
database = "{url}"
unknown_patients = "admit"
"""


@contextmanager
def servers(url: str, folder: Path) -> Iterator[Servers]:
    """Several servers on one database, each a process of its own."""
    with ExitStack() as stack:
        Registry(url).close()  # makes the tables
        addresses = []
        for number in range(SERVERS):
            file = folder / f"server{number}" / "xdsi.toml"
            file.parent.mkdir(mode=0o700)
            file.write_text(CONFIGURATION.format(port=free_port(), url=url))
            addresses.append(f"{stack.enter_context(serving(file)).base}/registry")
        door = Servers(url, addresses)
        stack.callback(door.close)
        yield door


@contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """A server of our own."""
    found = [place for each in SYSTEM_FOLDERS for place in sorted(glob.glob(each))]
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *found])
    server = PostgreSQL(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Door]:
    """kind: one of DOORS."""
    with ExitStack() as stack:
        if kind == "sqlite":
            door: Door = Threads(f"sqlite:///{folder / 'registry.db'}")
            stack.callback(door.close)
        else:
            place = Path(tempfile.mkdtemp(prefix="xdsi-pg-"))
            stack.callback(shutil.rmtree, place)
            url = stack.enter_context(postgresql(place)).create()
            if kind == "servers":
                door = stack.enter_context(servers(url, folder))
            else:
                door = Threads(url)
                stack.callback(door.close)
        yield door


DOORS = ("sqlite", "postgresql", "servers")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything held, 1 when something did not."""
    names = {each.__name__: each for each in RACES}
    parser = argparse.ArgumentParser("python -m tests.registry.race")
    parser.add_argument("--rounds", type=int, default=500, help="of each race at each door (500)")
    parser.add_argument("--seconds", type=float, default=900, help="for everything (900)")
    parser.add_argument("--writers", type=int, default=WRITERS, help=f"at once ({WRITERS})")
    parser.add_argument("--only", action="append", choices=names, metavar="RACE")
    parser.add_argument("--on", action="append", choices=DOORS)
    args = parser.parse_args(arguments)
    doors, chosen = args.on or DOORS, args.only or list(names)
    began = monotonic()
    for number, kind in enumerate(doors, 1):
        with (
            tempfile.TemporaryDirectory(prefix="xdsi-race-") as made,
            opened(kind, Path(made)) as door,
        ):
            # each door has its share of the time, and so has each of its races
            until = began + args.seconds * number / len(doors)
            for left, name in zip(range(len(chosen), 0, -1), chosen, strict=True):
                started = monotonic()
                share = started + (until - started) / left
                rounds = 0
                while rounds < args.rounds and (monotonic() < share or not rounds):
                    try:
                        names[name](door, Maker(samples.new_patient()), args.writers)
                    except Exception:
                        print(f"{kind}: {name}: does not hold in round {rounds + 1}", flush=True)
                        traceback.print_exc()
                        return 1
                    rounds += 1
                spent = monotonic() - started
                print(f"{kind:<11} {name:<42} {rounds:>4} rounds held, {spent:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
