"""`xdsi demo`: the main job on real input, step by step.

A hospital submits an imaging report, as CDA and as PDF, and the manifest of a real study; a
consumer finds, retrieves and compares them, reads the manifest and fetches images by it. Then a
professional here asks another country for what it has of a patient. The images come with pydicom;
the patients are invented.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shlex import quote

from rich.table import Table

from xdsi import app
from xdsi.actors.imaging.importing import import_folder
from xdsi.cli import demo_countries, demo_images, init, sample, screen
from xdsi.cli.demo_node import Node, free_port, serving
from xdsi.client import DocumentConsumer, DocumentSource, Received, compose
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import is_manifest
from xdsi.config import Config, ConfigurationError, load
from xdsi.model.manifest import Manifest
from xdsi.model.values import CX
from xdsi.standard import transactions as t
from xdsi.wire.kos import read_manifest

HELP = "run a node and do the main job on real input; Ctrl-C ends it"
_PORT = 8080


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
    north = demo_countries.configured(folder)
    demo_countries.partnered(path, north)
    config = load(path)
    with ExitStack() as stack:
        node, base = stack.enter_context(serving(path, folder / "node.log"))
        is_elsewhere = args.port is None and not base.endswith(f":{_PORT}")
        why = f", as port {_PORT} is taken" if is_elsewhere else ""
        screen.step("serve", f"the node answers at {base}{why}")
        patient, study, good = _main_job(config, base, folder)
        source = stack.enter_context(demo_countries.running(north))
        abroad, is_whole = demo_countries.play(north, source, config, base)
        _how_to_go_on(path, folder, base, patient, study, abroad)
        if not args.exit:
            _stay(node, folder)
    return 0 if good and is_whole else 1


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
    wanted = port or free_port(_PORT)
    if not path.exists():
        init.create(path.parent, wanted, init.fresh_oid())
        screen.step("init", "a registry, a repository and an imaging source, empty")
    else:
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(?m)^port = \d+$", f"port = {wanted}", text), encoding="utf-8")
        app.migrate(load(path))  # it may be of an earlier version
        screen.step("init", "the node of an earlier run is used again")
    return path


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

    manifest = next(each for each in received if each.entry and is_manifest(each.entry))
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


def _how_to_go_on(path: Path, folder: Path, base: str, patient: CX, study: str, abroad: CX) -> None:
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
        f"{xdsi} find {node} --gateway --patient {quote(str(abroad))}",
        f"{xdsi} partner test {node}",
        f"{xdsi} explain REG-070",
        f"contracts: {base}/registry?wsdl  {base}/repository?wsdl  {base}/imaging?wsdl",
        f"what came in: {folder / 'node.log'}",
    ):
        screen.plain(f"  {line}")
