"""`xdsi fetch`: documents of a patient, or the images of a study, into a folder."""

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from xdsi.cli import failure, fetch_images, options, partners, screen
from xdsi.client import DocumentConsumer, Received
from xdsi.config import ConfigurationError
from xdsi.model.objects import DocumentEntry

HELP = "retrieve documents [ITI-43], size and hash compared, or the images of a study [RAD-69]"


def arguments(parser: argparse.ArgumentParser) -> None:
    partners.add_addresses(parser)
    options.add_patient(parser, required=False)
    parser.add_argument(
        "--document",
        action="append",
        default=[],
        metavar="UNIQUEID",
        help="only this one; may be repeated (all of the patient)",
    )
    parser.add_argument("--into", type=Path, default=Path(), metavar="DIR", help="folder (here)")
    options.add_json(parser)
    fetch_images.arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.into.exists() and not args.into.is_dir():
        raise ConfigurationError(f"--into: {args.into} is a file; give the name of a folder")
    if args.study or args.manifest:
        if args.document:
            raise ConfigurationError("--document: names a document, not images; leave it out")
        with _ending():
            return fetch_images.run(args)
    if given := fetch_images.given(args):
        raise ConfigurationError(f"{given}: of which images? Add --study or --manifest")
    if args.patient is None:
        raise ConfigurationError("--patient: whose documents? (or --study, --manifest for images)")
    with _ending(), partners.consumer(args) as consumer:
        entries = consumer.find_documents(args.patient)
        wanted = set(args.document) or {str(each.unique_id) for each in entries}
        chosen = [each for each in entries if str(each.unique_id) in wanted]
        if lost := sorted(wanted - {str(each.unique_id) for each in chosen}):
            raise failure.NotFound(f"{args.patient} has no document {', '.join(lost)}")
        if not chosen:
            raise failure.NotFound(f"no documents for {args.patient}")
        args.into.mkdir(parents=True, exist_ok=True)
        return _retrieved(consumer, chosen, args)


@contextmanager
def _ending() -> Iterator[None]:
    """SIGTERM breaks off and tidies up, as SIGINT does; the second one ends the process at once."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, before)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _retrieved(
    consumer: DocumentConsumer, entries: Sequence[DocumentEntry], args: argparse.Namespace
) -> int:
    """The exit code; what arrived is told even if something else did not."""
    received: list[Received] = []
    sizes = [str(each.size or "") for each in entries]
    total = sum(map(int, sizes)) if all(map(str.isdecimal, sizes)) else None
    try:
        with (
            failure.writing(args.into, "fetch again"),
            screen.progress("receiving", total) as moved,
        ):
            for each in consumer.retrieve(entries, args.into, moved=moved):
                received.append(each)
    except failure.KINDS as error:
        return failure.told(error, is_json=args.json, received=list(map(_as_dict, received)))
    finally:
        if not args.json:
            _show(received)
    if args.json:
        screen.as_json(list(map(_as_dict, received)))
    return 0 if all(each.is_as_registered for each in received) else 1


def _as_dict(received: Received) -> dict[str, str | int | bool]:
    return {
        "uniqueId": received.request.document_unique_id,
        "file": str(received.path),
        "mimeType": received.mime_type,
        "size": received.size,
        "sha1": received.sha1,
        "asRegistered": received.is_as_registered,
    }


def _show(received: Sequence[Received]) -> None:
    for each in received:
        verdict = "as registered" if each.is_as_registered else "NOT as registered"
        screen.plain(f"{each.path}  {each.size} bytes, {each.mime_type}, {verdict}")
