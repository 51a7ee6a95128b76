"""ITI-41 and ITI-43 of one large document over HTTP (MTOM), beside socket loops by hand."""

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bench import messages, samples
from bench.measure import MIB, Report, Sizes, compared, take_turns
from bench.messages import Message
from bench.node import Served, node, running
from bench.transfer import exchange, files_below

UPLOAD, DOWNLOAD = "iti41-large", "iti43-large"
_PATIENT = samples.patient(1)
_AT_LEAST = 0.75


def upload(sizes: Sizes, folder: Path, report: Report) -> None:
    """ITI-41: received, split, hashed twice, synced, registered."""
    size = sizes.large
    by_hand = folder / "by-hand"
    by_hand.mkdir()
    with node(folder / "node") as ours, floor_server(by_hand, by_hand / "none") as floor:

        def send(server: Served) -> float:
            message, _ = messages.provide_message(_PATIENT, size)
            return _rate(size, server, message)

        def clear() -> None:
            remove_documents(folder / "node", by_hand)

        send(ours), send(floor)
        clear()
        report.tell(f"ITI-41 of {size // MIB} MiB, {sizes.transfers} rounds")
        arms = (partial(send, floor), partial(send, ours))
        rounds = take_turns(arms, sizes.transfers, clear)
    work = f"ITI-41 of {size // MIB} MiB, MTOM over HTTP"
    report.add(compared(UPLOAD, work, "MB/s", rounds, _AT_LEAST))


def download(sizes: Sizes, folder: Path, report: Report) -> None:
    """ITI-43: read, hash checked while streaming, sent."""
    size = sizes.large
    with node(folder / "node") as ours:
        message, document = messages.provide_message(_PATIENT, size)
        exchange(ours.port, message)
        (file,) = documents(folder / "node")
        with floor_server(folder, file) as floor:
            asked = {
                "floor": (floor, get("/checked")),
                "ours": (ours, messages.retrieve_message(document)),
                "sendfile": (floor, get("/sendfile")),
            }
            arms = [partial(_rate, size, *each) for each in asked.values()]
            for arm in arms:  # once, so that all find the file in memory
                arm()
            report.tell(f"ITI-43 of {size // MIB} MiB, {sizes.transfers} rounds")
            rounds = take_turns(arms, sizes.transfers)
    work = f"ITI-43 of {size // MIB} MiB, MTOM over HTTP"
    pairs = [(by_hand, mine) for by_hand, mine, _ in rounds]
    report.add(compared(DOWNLOAD, work, "MB/s", pairs, _AT_LEAST))
    pairs = [(kernel, mine) for _, mine, kernel in rounds]
    report.add(compared(DOWNLOAD, "… beside sendfile, unchecked", "MB/s", pairs))


def floor_server(folder: Path, file: Path) -> AbstractContextManager[Served]:
    """The sockets by hand, as a process."""
    return running("bench.transfer", str(folder), str(file), log=folder / "floor.log")


def documents(folder: Path) -> list[Path]:
    """Files of the documents that the node of a folder has published."""
    return files_below(folder / "documents" / "documents")


def remove_documents(folder: Path, by_hand: Path | None = None) -> None:
    """Make room; the node is not asked for these again."""
    found = documents(folder)
    if by_hand is not None:
        found += (each for each in by_hand.iterdir() if each.suffix != ".log")
    for each in found:
        each.unlink()


def _rate(size: int, server: Served, message: Message) -> float:
    """Megabytes (10^6 octets) of the document a second."""
    return size / exchange(server.port, message).seconds / 1e6


def get(path: str) -> Message:
    """A GET of the floor's server."""
    return Message(((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(), 1),))
