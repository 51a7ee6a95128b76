"""What a transfer of any size costs in memory: the server's peak (VmHWM) after small transfers
against the same after large ones.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shutil import rmtree

from bench import messages, samples
from bench.images import PER_REQUEST, SMALL, Series, frame_size, stored
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
# what is asked at once, so many times, of so many octets each
Asked = Callable[[Served, int, int], Sequence[Message]]


def memory(sizes: Sizes, folder: Path, report: Report) -> None:
    """Upload attached, upload inline, download; one and eight at once."""
    kinds: dict[str, Asked] = {
        "upload, attached": lambda _, size, count: [
            messages.provide_message(_PATIENT, size)[0] for _ in range(count)
        ],
        "upload, inline base64": lambda _, size, count: [
            messages.inline_message(_PATIENT, size)[0] for _ in range(count)
        ],
        "download": _stored,
    }
    _measure(ROW, kinds, sizes, folder, report)


def of_images(sizes: Sizes, folder: Path, report: Report) -> None:
    """RAD-69 and WADO-RS of one image and of many, STOW-RS; one and eight at once."""
    kinds: dict[str, Asked] = {
        "RAD-69, one instance": partial(_fetched, Series.rad69_message, Series.of_size),
        "RAD-69, instances of 512 KiB": partial(_fetched, Series.rad69_message, _many),
        "WADO-RS, one instance": partial(_fetched, Series.wado_message, Series.of_size),
        "WADO-RS, instances of 512 KiB": partial(_fetched, Series.wado_message, _many),
        "STOW-RS, one instance": partial(_sent, Series.of_size),
        "STOW-RS, many instances": partial(_sent, _as_many_as_go),
    }
    _measure(IMAGES, kinds, sizes, folder, report)


def _measure(
    row: str, kinds: Mapping[str, Asked], sizes: Sizes, folder: Path, report: Report
) -> None:
    for number, (kind, asked) in enumerate(kinds.items()):
        for count in sizes.at_once:
            report.tell(f"memory: {kind}, {count} at once")
            place = folder / f"{number}-{count}"
            report.add(_growth(row, kind, asked, count, sizes, place))
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


def _as_many_as_go(size: int) -> Series:
    """In one request."""
    return Series.of_size(size, min(PER_REQUEST, size // frame_size(SMALL)))


def _growth(row: str, kind: str, asked: Asked, count: int, sizes: Sizes, place: Path) -> Line:
    with node(place) as server, ThreadPoolExecutor(count) as threads:

        def transfer(size: int) -> None:
            # messages are made for each: what is sent up has new uniqueIds
            list(threads.map(partial(exchange, server.port), asked(server, size, count)))

        for _ in range(_WARM):
            transfer(sizes.small)
        before = server.peak()
        transfer(sizes.large)
        after = server.peak()
    growth = (after - before) / MIB
    return Line(
        row,
        f"{kind}, {sizes.large // MIB} MiB, {count} at once",
        "MiB",
        before / MIB,
        after / MIB,
        growth,
        _MOST,
        is_most=True,
        note=f"growth in MiB; the floor is {sizes.small / MIB:g} MiB, {count} at once",
    )
