"""What a transfer of any size costs in memory: the server's peak (VmHWM) after small transfers
against the same after large ones.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree

from bench import messages, samples
from bench.images import PER_REQUEST, SMALL, USUAL, Series, frame_size, stored
from bench.measure import KIB, MIB, Line, Report, Sizes
from bench.messages import Message
from bench.node import Served, node
from bench.transfer import exchange

ROW, IMAGES = "memory", "memory-images"
_MOST = 16.0  # MiB
_WARM = 6  # rounds of small transfers before the first look, so that pools and arenas are there
_PATIENT = samples.patient(1)
_EACH = 512 * KIB  # octets of each of many images
Make = Callable[[int], Series]  # so many octets in all


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is sent at once, so many times, of so many octets each.

    is_download: it asks for what is stored meanwhile, so another process has stored it; each time
        the same. What goes up is new each time
    """

    asked: Callable[[Served, int, int], Sequence[Message]]
    is_download: bool = False


def memory(sizes: Sizes, folder: Path, report: Report) -> None:
    """Upload attached, upload inline, download; one and eight at once."""
    size = f"{sizes.large // MIB} MiB"
    kinds = {
        f"upload of {size}, attached": _Kind(
            lambda _, size, count: [
                messages.provide_message(_PATIENT, size)[0] for _ in range(count)
            ]
        ),
        f"upload of {size}, inline base64": _Kind(
            lambda _, size, count: [
                messages.inline_message(_PATIENT, size)[0] for _ in range(count)
            ]
        ),
        f"download of {size}": _Kind(_stored, True),
    }
    _measure(ROW, kinds, sizes, folder, report)


def of_images(sizes: Sizes, folder: Path, report: Report) -> None:
    """RAD-69 and WADO-RS of one image and of many, STOW-RS; one and eight at once."""
    size = f"{sizes.large // MIB} MiB"
    kinds = {
        f"{name}, {what}": _Kind(partial(_fetched, ask, make), True)
        for name, ask in (("RAD-69", Series.rad69_message), ("WADO-RS", Series.wado_message))
        for what, make in (
            (f"one instance of {size}", Series.of_size),
            (f"{sizes.instances} CT instances of {USUAL} x {USUAL}", partial(_ct, sizes)),
            (f"{size} in instances of 512 KiB", _many),
        )
    }
    for what, make in (("one instance", Series.of_size), ("many instances", _as_many_as_go)):
        kinds[f"STOW-RS of {size}, {what}"] = _Kind(partial(_sent, make))
    _measure(IMAGES, kinds, sizes, folder, report)


def _measure(
    row: str, kinds: Mapping[str, _Kind], sizes: Sizes, folder: Path, report: Report
) -> None:
    for number, (name, kind) in enumerate(kinds.items()):
        for count in sizes.at_once:
            report.tell(f"memory: {name}, {count} at once")
            place = folder / f"{number}-{count}"
            report.add(_growth(row, name, kind, count, sizes, place))
            rmtree(place)


def _stored(server: Served, size: int, count: int) -> Sequence[Message]:
    """Requests for a document that is there from now on."""
    message, document = messages.provide_message(_PATIENT, size)
    exchange(server.port, message)
    return [messages.retrieve_message(document)] * count


def _fetched(
    ask: Callable[[Series], Message], make: Make, server: Served, size: int, count: int
) -> Sequence[Message]:
    """Requests for images that are there from now on."""
    return [ask(stored(make(size), server))] * count


def _sent(make: Make, _: Served, size: int, count: int) -> Sequence[Message]:
    """Images that go up, each series in one request."""
    return [message for _ in range(count) for message in make(size).store_messages()]


def _many(size: int) -> Series:
    return Series.of_size(size, max(1, size // _EACH))


def _ct(sizes: Sizes, size: int) -> Series:
    """A whole one where much is asked for, else two images of it."""
    return Series.new(2 if size == sizes.small else sizes.instances, USUAL)


def _as_many_as_go(size: int) -> Series:
    """In one request."""
    return Series.of_size(size, min(PER_REQUEST, size // frame_size(SMALL)))


def _growth(row: str, name: str, kind: _Kind, count: int, sizes: Sizes, place: Path) -> Line:
    ready: dict[int, Sequence[Message]] = {}
    if kind.is_download:
        with node(place) as first:
            for size in (sizes.small, sizes.large):
                ready[size] = kind.asked(first, size, count)
    with node(place) as server, ThreadPoolExecutor(count) as threads:

        def transfer(size: int) -> None:
            asked = ready.get(size) or kind.asked(server, size, count)
            list(threads.map(partial(exchange, server.port), asked))

        for _ in range(_WARM):
            transfer(sizes.small)
        before = server.peak()
        transfer(sizes.large)
        after = server.peak()
    growth = (after - before) / MIB
    return Line(
        row,
        f"{name}, {count} at once",
        "MiB",
        before / MIB,
        after / MIB,
        growth,
        _MOST,
        is_most=True,
        note=f"growth in MiB; the floor is {sizes.small / MIB:g} MiB, {count} at once",
    )
