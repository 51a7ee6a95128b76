"""`xdsi demo`: the main job on real input, step by step.

A hospital submits an imaging report, as CDA and as PDF, and the manifest of a real study; a
consumer finds, retrieves and compares them, reads the manifest and fetches images by it. The
images come with pydicom; the patient is invented.
"""

import argparse
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from shlex import quote
from threading import Thread
from typing import NoReturn

from rich.table import Table

from xdsi import app
from xdsi.actors.imaging.importing import import_folder
from xdsi.cli import demo_images, init, sample, screen
from xdsi.client import DocumentConsumer, DocumentSource, Received, compose
from xdsi.client.imaging import ImagingConsumer
from xdsi.config import Config, ConfigurationError, load
from xdsi.model.manifest import Manifest
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX
from xdsi.standard import transactions as t
from xdsi.standard.dicom import KEY_OBJECT_SELECTION
from xdsi.wire.kos import read_manifest

HELP = "run a node and do the main job on real input; Ctrl-C ends it"
_PORT = 8080
_START_SECONDS = 60
_STOP_SECONDS = 40

Node = subprocess.Popen[str]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exit", action="store_true", help="end by itself")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="where everything lies that the demo makes (demo)",
    )
    parser.add_argument(
        "--port", type=int, help=f"where the node listens ({_PORT}, or a free one if it is taken)"
    )


def run(args: argparse.Namespace) -> int:
    folder = args.folder.resolve()
    screen.say(f"Everything the demo makes lies under [bold]{screen.escape(str(folder))}[/bold]\n")
    path = _configured(folder / "node" / "xdsi.toml", args.port)
    config = load(path)
    with _node(path, folder / "node.log") as (node, base):
        is_elsewhere = args.port is None and not base.endswith(f":{_PORT}")
        why = f", as port {_PORT} is taken" if is_elsewhere else ""
        screen.step("serve", f"the node answers at {base}{why}")
        patient, study, good = _main_job(config, base, folder)
        _how_to_go_on(path, folder, base, patient, study)
        if not args.exit:
            _stay(node, folder)
    return 0 if good else 1


def _stay(node: Node, folder: Path) -> None:
    """Until Ctrl-C. Raises ConfigurationError when the node ends by itself."""
    try:
        screen.say("\nThe node keeps running for a look; [bold]Ctrl-C[/bold] ends it.")
        node.wait()
    except KeyboardInterrupt:
        screen.say("\nending")
    else:
        raise ConfigurationError(f"the node has stopped; see {folder / 'node.log'}")


def _configured(path: Path, port: int | None) -> Path:
    """The demo's configuration, made if it is not there, with a port that can be had."""
    wanted = port or _free_port(_PORT)
    if not path.exists():
        init.create(path.parent, wanted, init.fresh_oid())
        screen.step("init", "a registry, a repository and an imaging source, empty")
    else:
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(?m)^port = \d+$", f"port = {wanted}", text), encoding="utf-8")
        app.migrate(load(path))  # it may be of an earlier version
        screen.step("init", "the node of an earlier run is used again")
    return path


def _free_port(port: int) -> int:
    """This port of the loopback, or another one if somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


def _main_job(config: Config, base: str, folder: Path) -> tuple[CX, str, bool]:
    """The patient and the study of the demo, and whether everything came back as it was sent."""
    assert config.registry is not None and config.repository is not None  # noqa: S101, PT018
    if config.imaging is None:
        raise ConfigurationError(
            f"{folder / 'node'} is of an earlier version, without [imaging]; remove it, or give "
            "another --folder"
        )
    patient = sample.patient(config.registry.assigning_authorities[0])
    made = sample.make(folder / "sent" / patient.id, patient, kept_at=config.imaging.unique_id)
    originals = demo_images.originals(made.images)
    screen.step("make", f"a report (CDA and PDF) and a manifest of {len(originals)} real images")
    with app.image_store(config) as store:
        import_folder(store, made.images)
    screen.step("import", f"{len(originals)} images into the archive of the imaging source")

    with DocumentSource(f"{base}/repository") as source:
        for title, file, wishes in made.submissions:
            source.provide(compose.provide_request([file], wishes))
            screen.step(screen.named(t.PROVIDE_AND_REGISTER), f"{title}: {file.name}")
            screen.step(screen.named(t.REGISTER), "the repository registers it", inner=True)

    repositories = {config.repository.unique_id: f"{base}/repository"}
    with DocumentConsumer(f"{base}/registry", repositories) as consumer:
        entries = consumer.find_documents(patient)
        screen.step(
            screen.named(t.STORED_QUERY), f"FindDocuments of {patient}: {len(entries)} documents"
        )
        into = folder / "received" / patient.id
        into.mkdir(parents=True)
        received = list(consumer.retrieve(entries, into))
    screen.step(screen.named(t.RETRIEVE), f"{len(received)} documents, size and hash compared")

    manifest = next(each for each in received if _is_manifest(each.entry))
    study = read_manifest(manifest.path)
    screen.step("read", f"the manifest of study {study.study_instance_uid}")
    _series(study)
    screen.say("")
    with ImagingConsumer({config.imaging.unique_id: f"{base}/imaging"}) as images:
        good = demo_images.fetch(images, study, originals, into)
    _summary(received)
    whole = len(received) == len(entries) == len(made.submissions)
    good = good and whole and all(each.is_as_registered for each in received)
    return patient, study.study_instance_uid, good


def _is_manifest(entry: DocumentEntry | None) -> bool:
    code = entry.format_code if entry is not None else None
    return code is not None and code.code == KEY_OBJECT_SELECTION


def _series(manifest: Manifest) -> None:
    screen.say("\n[bold]What the manifest says[/bold]")
    for study in manifest.studies:
        for series in study.series:
            screen.plain(f"  series {series.series_instance_uid}")
            screen.plain(
                f"    {len(series.instances)} instance(s), to be retrieved from "
                f"{series.retrieve_location_uid}"
            )


def _summary(received: Sequence[Received]) -> None:
    table = Table("submitted", "found as", "retrieved", "SHA-1", "size, hash")
    for each in received:
        title = str(each.entry.title) if each.entry is not None else each.path.name
        table.add_row(
            screen.escape(title.partition(":")[0]),
            each.mime_type,
            f"{each.size} bytes",
            each.sha1[:8],
            "[green]equal[/green]" if each.is_as_registered else "[red]DIFFERENT[/red]",
        )
    screen.say("\n[bold]Submitted, found, retrieved[/bold]")
    screen.out.print(table)


def _how_to_go_on(path: Path, folder: Path, base: str, patient: CX, study: str) -> None:
    program = Path(sys.argv[0])
    xdsi = f"{quote(sys.executable)} -m xdsi" if program.suffix == ".py" else quote(str(program))
    node = f"--config {quote(str(path))}"
    screen.say("\n[bold]How to go on[/bold]")
    for line in (
        f"{xdsi} serve {node}",
        f"{xdsi} find {node} --patient {quote(str(patient))} --details",
        f"{xdsi} fetch {node} --patient {quote(str(patient))} --study {study} "
        f"--into {quote(str(folder / 'images'))}",
        f"{xdsi} submit {quote(str(folder / 'sent' / patient.id / 'report.pdf'))} {node} "
        f"--patient {quote(str(patient))}",
        f"{xdsi} explain REG-070",
        f"contracts: {base}/registry?wsdl  {base}/repository?wsdl  {base}/imaging?wsdl",
        f"what came in: {folder / 'node.log'}",
    ):
        screen.plain(f"  {line}")


@contextmanager
def _node(config: Path, log: Path) -> Iterator[tuple[Node, str]]:
    """A node in a process of its own, and its base address. Stopped at the end."""
    command = [sys.executable, "-m", "xdsi", "serve", "--config", str(config)]
    with log.open("ab") as errors:
        node = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, _terminated),
        # a shell without job control starts programs in the background with it ignored
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    try:
        yield node, _base(node, log)
    finally:
        node.send_signal(signal.SIGTERM)
        try:
            node.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminated(number: int, _frame: object) -> NoReturn:
    """SIGTERM leaves by way of `finally`, so that no node stays behind."""
    raise SystemExit(128 + number)


def _base(node: Node, log: Path) -> str:
    """Wait for the address that `serve` prints. Raises ConfigurationError with its last words."""
    lines: Queue[str | None] = Queue()

    def read() -> None:
        assert node.stdout is not None  # noqa: S101
        for line in node.stdout:
            lines.put(line)
        lines.put(None)

    Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_START_SECONDS)
        except Empty:
            raise ConfigurationError(f"the node did not start; see {log}") from None
        if line is None:
            raise ConfigurationError(_last_words(log))
        if "/health/ready" in line:
            return line.split()[-1].removesuffix("/health/ready")


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("xdsi: ") if lines else f"the node did not start; see {log}"
