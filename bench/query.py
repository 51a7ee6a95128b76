"""ITI-18 FindDocuments with LeafClass: in process, over HTTP, and in registries of two sizes."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from bench import fill, messages, node, samples
from bench.floor_query import find_documents, opened
from bench.load import load
from bench.measure import Report, Sizes, compared, percentile, take_turns
from bench.node import Served, running
from xdsi import app
from xdsi.config import Limits
from xdsi.plug import Actor, Call, Handler
from xdsi.server.dispatch import Dispatcher
from xdsi.server.exchange import Exchange
from xdsi.standard.transactions import STORED_QUERY

PROCESS, HTTP, SIZE = "iti18", "iti18-http", "iti18-size"
_LISTED = b"<rim:RegistryObjectList>"
_WARM = 50
_SECONDS = 60.0
# Requests of an arm before the other has its turn: few, since other work of the machine comes and
# goes, and the arms are to meet the same.
_TURN = 20
Answer = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Queried:
    """A registry to be asked. patients: how many; answer: bytes in, bytes out; handler: ITI-18."""

    folder: Path
    patients: int
    answer: Answer
    handler: Handler

    def some(self, count: int) -> list[int]:
        """Numbers of patients, the same at each call."""
        return random.Random(18).choices(range(self.patients), k=count)


@contextmanager
def _registry(folder: Path, entries: int, sizes: Sizes, report: Report) -> Iterator[Queried]:
    """A filled registry in this process."""
    report.tell(f"filling a registry with {entries:,} entries")
    patients = fill.fill(folder, entries, sizes.patient_entries)
    actors = app.actors(node.config(folder))
    try:
        actor = next(each for each in actors if each.name == "registry")
        yield Queried(folder, patients, answering(actor), _handler(actor))
    finally:
        for each in reversed(actors):
            each.close()


def _handler(actor: Actor) -> Handler:
    return next(each.handler for each in actor.routes if each.transaction is STORED_QUERY)


def answering(actor: Actor) -> Answer:
    """An envelope's answer through spyne, as the server asks for it."""
    dispatcher = Dispatcher(actor, Limits())

    def answer(envelope: bytes) -> bytes:
        exchange = Exchange()
        found = dispatcher.open(envelope, "UTF-8", exchange)
        call = Call(exchange.ticket, monotonic() + _SECONDS)
        body = dispatcher.answer(found, {}, call).body
        assert isinstance(body, bytes)
        return body

    return answer


def in_process(sizes: Sizes, folder: Path, report: Report) -> None:
    """One thread, floor and node on the same database."""
    with (
        _registry(folder, sizes.entries, sizes, report) as asked,
        closing(opened(str(folder / fill.DATABASE))) as database,
    ):
        patients = [samples.patient(each) for each in asked.some(sizes.queries)]
        envelopes = [messages.query(each) for each in patients]
        requests = [samples.find_documents(each) for each in patients]

        def by_hand(envelope: bytes) -> bytes:
            return find_documents(envelope, database)

        _see_same(by_hand, asked.answer, envelopes[0])
        arms = (
            _arm(by_hand, envelopes),
            _arm(asked.answer, envelopes),
            _arm(lambda each: asked.handler(each, Call.internal()), requests),
        )
        for _ in range(_WARM // _TURN):
            for arm in arms:
                arm()
        count = max(1, sizes.rounds * sizes.queries // _TURN)
        report.tell(f"ITI-18 in the process, {count} short rounds")
        rounds = take_turns(arms, count)
    work = f"ITI-18 FindDocuments, {sizes.patient_entries} LeafClass, in process"
    pairs = [(floor, ours) for floor, ours, _ in rounds]
    report.add(compared(PROCESS, work, "requests/s", pairs, 0.5))
    pairs = [(floor, bare) for floor, _, bare in rounds]
    report.add(compared(PROCESS, "… the handler alone, model to model", "requests/s", pairs))


def _arm(answer: Callable[[Any], object], requests: Sequence[object]) -> Callable[[], float]:
    """Answers a second to the next few requests; all of them take their turn."""
    waiting = cycle(requests)

    def rate() -> float:
        some = list(islice(waiting, _TURN))
        started = perf_counter()
        for request in some:
            answer(request)
        return len(some) / (perf_counter() - started)

    return rate


def _see_same(by_hand: Answer, ours: Answer, envelope: bytes) -> None:
    """The floor is one only as long as it gives the same objects."""
    floor, mine = (answer(envelope).partition(_LISTED)[2] for answer in (by_hand, ours))
    if floor != mine or not mine.count(b"<rim:ExtrinsicObject "):
        raise RuntimeError("ITI-18: the floor's answer is not ours")


def over_http(sizes: Sizes, folder: Path, report: Report) -> None:
    """Kept connections from another process; floor and node on the same server."""
    report.tell(f"filling a registry with {sizes.entries:,} entries")
    patients = fill.fill(folder, sizes.entries, sizes.patient_entries)
    chosen = random.Random(18).choices(range(patients), k=4 * sizes.queries)
    requests = [messages.query_message(samples.patient(each)) for each in chosen]
    floor_log = folder / "floor.log"
    with (
        node.node(folder) as ours,
        running("bench.floor_query", str(folder / fill.DATABASE), log=floor_log) as floor,
    ):

        def rate(server: Served) -> float:
            return load(server.port, sizes.connections, requests, folder).rate

        arms = (partial(rate, floor), partial(rate, ours))
        for arm in arms:
            arm()
        report.tell(f"ITI-18 over HTTP, {sizes.rounds} rounds")
        rounds = take_turns(arms, sizes.rounds)
    work = f"ITI-18 over HTTP, {sizes.connections} connections"
    report.add(compared(HTTP, work, "requests/s", rounds, 0.6))


def by_size(sizes: Sizes, folder: Path, report: Report) -> None:
    """p95 in a larger registry against a smaller one; the rows of both are of the same kind."""
    with (
        _registry(folder / "small", sizes.entries, sizes, report) as small,
        _registry(folder / "large", sizes.many, sizes, report) as large,
    ):
        for each in (small, large):
            for number in each.some(_WARM):
                each.answer(messages.query(samples.patient(number)))
        # other patients in each round: the larger registry is to be asked all over
        several = random.Random(3)

        def p95(asked: Queried) -> float:
            numbers = several.choices(range(asked.patients), k=sizes.queries)
            envelopes = [messages.query(samples.patient(each)) for each in numbers]
            return percentile(_milliseconds(asked.answer, envelopes), 0.95)

        report.tell(f"ITI-18 at two sizes, {sizes.rounds} rounds")
        rounds = take_turns((partial(p95, small), partial(p95, large)), sizes.rounds)
    work = f"ITI-18 at {sizes.many:,} entries, against {sizes.entries:,}"
    report.add(compared(SIZE, work, "ms (p95)", rounds, 1.5, is_most=True))


def _milliseconds(answer: Answer, envelopes: Sequence[bytes]) -> Iterator[float]:
    for each in envelopes:
        started = perf_counter()
        answer(each)
        yield (perf_counter() - started) * 1000
