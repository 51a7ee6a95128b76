"""Gateways: questions to many communities, and large documents through both sides of a border."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

from bench import border, messages, samples
from bench.images import Series, stored
from bench.measure import MIB, Line, Report, Sizes, compared, take_turns
from bench.messages import Message
from bench.node import Served, node, running
from bench.transfer import exchange
from xdsi.model.messages import DocumentRequest, RetrieveRequest
from xdsi.standard import urns
from xdsi.standard.transactions import (
    CROSS_GATEWAY_QUERY,
    REGISTER,
    RETRIEVE,
    RETRIEVE_IMAGING,
    STORED_QUERY,
)

FAN_OUT, LARGE, ONE = "gateway-query", "gateway-large", "gateway-one"
_PATIENT = samples.patient(1)
_DELAY = 50  # milliseconds until a community answers
_AT_MOST, _AT_LEAST = 1.5, 0.75
_MEMORY = 16.0  # MiB

_REGISTRY = """[server]
port = 0
[registry]
database = "sqlite:///registry.db"
unknown_patients = "admit"
[gateway]
home_community_id = "{home}"
"""
_GATEWAY = """[server]
port = 0
[limits]
request_seconds = 600.0
[gateway]
home_community_id = "{home}"
registry = "http://127.0.0.1:{port}/registry"
repositories = ["{repository}=http://127.0.0.1:{port}/repository"]
imaging = ["{imaging}=http://127.0.0.1:{port}/imaging"]
"""
_INITIATING = """[gateway.initiating]
local = false
"""
_PARTNER = """[[gateway.partners]]
home_community_id = "{home}"
query = "{address}"
discovery = "none"
domains = ["{domain}"]
seconds = 600.0
"""


@contextmanager
def _gateway(folder: Path, text: str) -> Iterator[Served]:
    folder.mkdir()
    file = folder / "xdsi.toml"
    file.write_text(text)
    with running("bench.border", "serve", str(file), log=folder / "log") as served:
        yield served


def _text(home: str, port: int) -> str:
    return _GATEWAY.format(
        home=home, port=port, repository=samples.REPOSITORY, imaging=samples.IMAGING_SOURCE
    )


def query(sizes: Sizes, folder: Path, report: Report) -> None:
    """ITI-18 for 1, 8 and 32 communities that answer twenty entries each after 50 ms."""
    with running("bench.border", "answer", str(_DELAY), log=folder / "answer.log") as there:
        for number in sizes.communities:
            partners = "".join(
                _PARTNER.format(
                    home=border.home(each),
                    address=f"http://127.0.0.1:{there.port}/{each}",
                    domain=samples.DOMAIN,
                )
                for each in range(1, number + 1)
            )
            text = _text(border.HOME, there.port) + _INITIATING + partners
            with _gateway(folder / str(number), text) as ours, _Posts(there.port, number) as posts:
                asked = messages.query(_PATIENT)
                ask = partial(_asked, ours, asked)
                for arm in (posts.all, ask):  # once, so that connections stand
                    arm()
                report.tell(f"{number} communities, {sizes.rounds} rounds")
                rounds = take_turns((posts.all, ask), sizes.rounds)
            work = f"ITI-18 for {number} communities of 20 entries, each after {_DELAY} ms"
            report.add(compared(FAN_OUT, work, "ms", rounds, _AT_MOST, is_most=True))


def one(sizes: Sizes, folder: Path, report: Report) -> None:
    """Twenty entries: from the registry, by its Responding Gateway, and by both gateways."""
    home = border.home(1)
    with _gateway(folder / "there", _REGISTRY.format(home=home)) as there:
        address = f"http://127.0.0.1:{there.port}/gateway/responding"
        partner = _PARTNER.format(home=home, address=address, domain=samples.DOMAIN)
        text = _text(border.HOME, there.port) + _INITIATING + partner
        with _gateway(folder / "here", text) as here:
            sent = samples.submission(_PATIENT, border.ENTRIES)
            received = replace(sent, entries=tuple(map(samples.received, sent.entries)))
            exchange(there.port, messages.simple("/registry", REGISTER, received))
            asked = samples.find_documents(_PATIENT)
            arms = [
                partial(_answered, served, messages.simple(path, row, asked))
                for served, path, row in (
                    (there, "/registry", STORED_QUERY),
                    (there, "/gateway/responding", CROSS_GATEWAY_QUERY),
                    (here, "/gateway/initiating", STORED_QUERY),
                )
            ]
            for arm in arms:
                arm(10)
            rounds = take_turns([partial(arm, sizes.queries) for arm in arms], sizes.rounds)
    for place, title, demand in (
        (1, "ITI-38 at the Responding Gateway", _AT_MOST),
        (2, "ITI-18 at the Initiating Gateway", None),
    ):
        pairs = [(each[0], each[place]) for each in rounds]
        work = f"{title}, {border.ENTRIES} entries, against ITI-18 at the registry"
        report.add(compared(ONE, work, "ms", pairs, demand, is_most=True))


def _answered(served: Served, message: Message, times: int) -> float:
    """Milliseconds of an answer with all entries, each on a connection of its own."""
    whole = replace(message, expects=b"ResponseStatusType:Success")
    return sum(exchange(served.port, whole).seconds for _ in range(times)) / times * 1000


class _Posts:
    """The floor: plain posts of ready bytes to as many communities, a thread and a kept
    connection each."""

    def __init__(self, port: int, number: int) -> None:
        self._lines = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(number)]
        self._pool = ThreadPoolExecutor(number)
        self._body = messages.query(_PATIENT)

    def all(self) -> float:
        """Milliseconds until all have answered."""
        started = perf_counter()
        list(self._pool.map(self._one, range(1, len(self._lines) + 1)))
        return (perf_counter() - started) * 1000

    def _one(self, number: int) -> None:
        line = self._lines[number - 1]
        line.request("POST", f"/{number}", self._body, {"Content-Type": "application/soap+xml"})
        line.getresponse().read()

    def __enter__(self) -> "_Posts":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for each in self._lines:
            each.close()


def _asked(ours: Served, body: bytes) -> float:
    head = messages.http_head("/gateway/initiating", messages.SIMPLE, len(body))
    return exchange(ours.port, Message(((head + body, 1),))).seconds * 1000


def large(sizes: Sizes, folder: Path, report: Report) -> None:
    """ITI-43 and RAD-69 of one large document through both gateways, beside two byte relays."""
    home = border.home(1)
    with (
        node(folder / "node") as there,
        _gateway(folder / "responding", _text(home, there.port)) as near,
        _gateway(
            folder / "initiating",
            _text(border.HOME, there.port)
            + _INITIATING
            + _PARTNER.format(
                home=home,
                address=f"http://127.0.0.1:{near.port}/gateway/responding",
                domain=samples.DOMAIN,
            ),
        ) as far,
        running("bench.relay", str(there.port), log=folder / "relay-1.log") as inner,
        running("bench.relay", str(inner.port), log=folder / "relay-2.log") as outer,
    ):
        for title, make in (("ITI-43", _document), ("RAD-69", _image)):
            small, most = make(there, sizes.small, home), make(there, sizes.large, home)
            peaks = []
            for _ in range(3):
                exchange(far.port, small[1])
            peaks.append([each.peak() for each in (near, far)])
            arms = (
                partial(_rate, sizes.large, outer, most[0]),
                partial(_rate, sizes.large, far, most[1]),
            )
            for arm in arms:
                arm()
            report.tell(f"{title} of {sizes.large // MIB} MiB, {sizes.transfers} rounds")
            rounds = take_turns(arms, sizes.transfers)
            work = f"{title} of {sizes.large // MIB} MiB through two gateways"
            first = exchange(far.port, most[1]).first * 1000
            note = f"first octet after {first:.0f} ms"
            report.add(compared(LARGE, work, "MB/s", rounds, _AT_LEAST, note=note))
            for place, name in enumerate(("responding", "initiating")):
                before, after = peaks[0][place] / MIB, (near, far)[place].peak() / MIB
                report.add(_growth(f"{title}: memory of the {name} gateway", before, after))


def _growth(work: str, before: float, after: float) -> Line:
    return Line(LARGE, work, "MiB", before, after, after - before, _MEMORY, is_most=True)


def _rate(size: int, server: Served, message: Message) -> float:
    """Megabytes (10^6 octets) a second."""
    return size / exchange(server.port, message).seconds / 1e6


def _document(there: Served, size: int, home: str) -> tuple[Message, Message]:
    """One document there: asked for directly, and through the gateways."""
    message, uid = messages.provide_message(_PATIENT, size)
    exchange(there.port, message)
    at = DocumentRequest(samples.REPOSITORY, uid, urns.OID_PREFIX + home)
    far = messages.attached("/gateway/initiating", RETRIEVE, RetrieveRequest((at,)))
    return messages.retrieve_message(uid), far


def _image(there: Served, size: int, home: str) -> tuple[Message, Message]:
    series = stored(Series.of_size(size), there)
    asked = series.request(urns.OID_PREFIX + home)
    far = messages.attached("/gateway/initiating", RETRIEVE_IMAGING, asked)
    return series.rad69_message(), far
