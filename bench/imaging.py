"""Images over HTTP by RAD-69 (MTOM) and WADO-RS, beside the sockets by hand: from the embedded
archive, and from a DICOMweb archive behind the node.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.documents import floor_server, get
from bench.images import SMALL, USUAL, Series, stored
from bench.measure import MIB, Report, Sizes, compared, take_turns
from bench.messages import Message
from bench.node import Served, node, running
from bench.transfer import TransferFailed, exchange

LARGE = {"rad69-large": "RAD-69", "wado-rs-large": "WADO-RS"}
CT = {"rad69-ct": "RAD-69", "wado-rs-ct": "WADO-RS"}
ARCHIVE = {"rad69-archive": "RAD-69", "wado-rs-archive": "WADO-RS"}
_ASKED: dict[str, Callable[[Series], Message]] = {
    "RAD-69": Series.rad69_message,
    "WADO-RS": Series.wado_message,
}
_AT_LEAST = 0.75


@dataclass(slots=True)
class _Arm:
    """One way to fetch a series. first: milliseconds to the first octet, of each time"""

    server: Served
    message: Message
    octets: int
    first: list[float] = field(default_factory=list)

    def rate(self) -> float:
        """Megabytes (10^6 octets) of the instances a second."""
        done = exchange(self.server.port, self.message)
        if done.octets < self.octets:
            raise TransferFailed(f"{done.octets} octets, of {self.octets} in the instances")
        self.first.append(done.first * 1000)
        return self.octets / done.seconds / 1e6


def large(row: str, sizes: Sizes, folder: Path, report: Report) -> None:
    """One large instance of the embedded archive."""
    _embedded(row, LARGE[row], [Series.of_size(sizes.large)], sizes.transfers, folder, report)


def ct(row: str, sizes: Sizes, folder: Path, report: Report) -> None:
    """A CT of many small instances of the embedded archive."""
    _embedded(row, CT[row], _cts(sizes), sizes.rounds, folder, report)


def archive(row: str, sizes: Sizes, folder: Path, report: Report) -> None:
    """The same through a DICOMweb archive, which is a node as well."""
    with node(folder / "archive") as there:
        through(row, ARCHIVE[row], there, stored, sizes, folder, report)


def through(
    row: str,
    way: str,
    there: Served,
    store: Callable[[Series, Served], object],
    sizes: Sizes,
    folder: Path,
    report: Report,
) -> None:
    """Series that lie in an archive with DICOMweb at /dicom-web. way: RAD-69 or WADO-RS"""
    kind = row.rpartition("-")[2]
    with (
        node(folder / "node", f"http://127.0.0.1:{there.port}/dicom-web") as ours,
        running("bench.relay", str(there.port), log=folder / "relay.log") as relay,
    ):
        for series, rounds in (
            *((each, sizes.rounds) for each in _cts(sizes)),
            (Series.of_size(sizes.large), sizes.transfers),
        ):
            store(series, there)
            arms = (
                _Arm(relay, series.wado_message(), series.octets),
                _Arm(ours, _ASKED[way](series), series.octets),
            )
            _compare(row, f"{way} through {kind}, {_named(series)}", arms, rounds, report)


def _cts(sizes: Sizes) -> list[Series]:
    return [Series.new(sizes.instances, side) for side in (SMALL, USUAL)]


def _embedded(
    row: str, way: str, every: Sequence[Series], rounds: int, folder: Path, report: Report
) -> None:
    for number, series in enumerate(every):
        place = folder / f"node-{number}"
        with node(place) as ours:
            stored(series, ours)
            with floor_server(folder, place / "images" / "documents") as floor:
                arms = (
                    _Arm(floor, get("/read"), series.octets),
                    _Arm(ours, _ASKED[way](series), series.octets),
                    _Arm(floor, get("/checked"), series.octets),
                )
                _compare(row, f"{way}, {_named(series)}", arms, rounds, report)


def _named(series: Series) -> str:
    many = len(series.instances)
    if many == 1:
        return f"one instance of {series.octets // MIB} MiB"
    return f"{many} CT instances of {series.side} x {series.side}"


def _compare(row: str, work: str, arms: Sequence[_Arm], rounds: int, report: Report) -> None:
    """Floor, ours and, if there is one, another floor that checks SHA-256."""
    for each in arms:  # once, so that all find the files in memory
        each.rate()
        each.first.clear()
    report.tell(f"{work}, {rounds} rounds")
    figures = take_turns([each.rate for each in arms], rounds)
    report.add(compared(row, work, "MB/s", [each[:2] for each in figures], _AT_LEAST))
    if len(arms) == 3:
        pairs = [(checked, ours) for _, ours, checked in figures]
        report.add(compared(row, "… beside the floor with SHA-256", "MB/s", pairs))
    pairs = list(zip(arms[0].first, arms[1].first, strict=True))
    report.add(compared(row, "… time to the first octet", "ms", pairs))


def rows() -> Iterator[tuple[str, Callable[[Sizes, Path, Report], None]]]:
    """Every row here."""
    for course, names in ((large, LARGE), (ct, CT), (archive, ARCHIVE)):
        for name in names:
            yield name, partial(course, name)
