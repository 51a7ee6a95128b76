"""The demo across a border: a professional here reads what country North has of a patient.

North is a community of its own: registry, repository and gateway in one node, its imaging source in
another one behind it. Between the countries there is mutual TLS, by certificates made for the demo.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from uuid import uuid4

from xdsi import app
from xdsi.actors.imaging.importing import import_folder
from xdsi.cli import demo_images, demo_pki, init, sample, screen
from xdsi.cli.demo_node import Node, free_port, serving, stop
from xdsi.cli.demo_pki import Pki
from xdsi.client import DocumentConsumer, DocumentSource, compose
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import Fetched, Missing, chosen, is_manifest
from xdsi.config import Config, load
from xdsi.model.errors import XDSError, refuse
from xdsi.model.identity import (
    Acknowledgement,
    Act,
    Demographics,
    IdentityEvent,
    IdentityMessage,
    InstanceId,
    Wrapper,
    issued,
)
from xdsi.model.manifest import Manifest
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX
from xdsi.peers.caller import Caller
from xdsi.peers.session import Tls, open_session
from xdsi.plug import Call
from xdsi.standard import transactions as t
from xdsi.wire.kos import read_manifest

NORTH, HERE = "north", "here"

_NODE = Template("""# Country North: its registry, its repository and its gateway.
[server]
port = $port
certificate = "../pki/north.pem"
key = "../pki/north.key"
client_ca = "../pki/ca.pem"

[registry]
assigning_authorities = ["$authority"]
unknown_patients = "admit"
feed_v3 = true

[registry.discovery]
match = "exact"
home_community_id = "$home"

[repository]
unique_id = "$repository"

[gateway]
home_community_id = "$home"
imaging = ["$source=http://127.0.0.1:$images/imaging"]
""")

_IMAGES = Template("""# The imaging source of country North.
[server]
port = $images

[imaging]
unique_id = "$source"
""")

_PARTNER = Template("""
[gateway]
home_community_id = "$own"

[gateway.initiating]

[[gateway.partners]]
name = "North"
home_community_id = "$home"
query = "$query"
ca = "../pki/ca.pem"
certificate = "../pki/here.pem"
key = "../pki/here.key"
""")


@dataclass(frozen=True, slots=True)
class North:
    """The other country. node, images: its two configurations"""

    folder: Path
    pki: Pki
    node: Config
    images: Config

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.node.server.port}"

    @property
    def tls(self) -> Tls:
        """As somebody of that country."""
        return self.pki.tls(NORTH)


def configured(folder: Path) -> North:
    """Country North with empty databases, or those of an earlier run, and new certificates."""
    node, images = folder / "north" / "xdsi.toml", folder / "north-images" / "xdsi.toml"
    names = ("authority", "home", "repository", "source")
    ids = dict(zip(names, (init.fresh_oid() for _ in names), strict=True))
    if node.exists():
        ids |= _ids(load(node), load(images))
    ports = {"port": str(free_port()), "images": str(free_port())}
    for path, template in ((node, _NODE), (images, _IMAGES)):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(template.substitute(ids | ports), encoding="utf-8")
        app.migrate(load(path))
    return North(folder, demo_pki.make(folder / "pki", NORTH, HERE), load(node), load(images))


def _ids(node: Config, images: Config) -> dict[str, str]:
    assert node.registry and node.repository  # noqa: S101, PT018
    assert node.gateway and images.imaging  # noqa: S101, PT018
    return {
        "authority": node.registry.assigning_authorities[0],
        "home": node.gateway.home_community_id,
        "repository": node.repository.unique_id,
        "source": images.imaging.unique_id,
    }


def partnered(path: Path, north: North) -> None:
    """Make the node of this configuration ask North too."""
    text = path.read_text(encoding="utf-8")
    query = f"{north.base}/gateway/responding"
    if load(path).gateway is None:
        assert north.node.gateway is not None  # noqa: S101
        home = north.node.gateway.home_community_id
        text = re.sub(r"(?m)^# feed_v3 = true$", "feed_v3 = true", text)
        text += _PARTNER.substitute(own=init.fresh_oid(), home=home, query=query)
    else:
        text = re.sub(r'(?m)^query = "https://127.*"$', f'query = "{query}"', text)
    path.write_text(text, encoding="utf-8")
    app.migrate(load(path))


@contextmanager
def running(north: North) -> Iterator[Node]:
    """Country North; gives the node of its imaging source."""
    images = north.folder / "north-images"
    with (
        serving(images / "xdsi.toml", north.folder / "north-images.log") as (source, _),
        serving(north.folder / "north" / "xdsi.toml", north.folder / "north.log"),
    ):
        screen.step("serve", f"country North answers at {north.base}, with mutual TLS")
        yield source


def play(north: North, source: Node, here: Config, base: str) -> tuple[CX, bool]:
    """The patient as known here, and whether everything came as it was sent."""
    screen.say("\n[bold]Across the border[/bold]")
    family = "Example" + uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))[:8]
    assert north.node.registry and here.registry and north.images.imaging  # noqa: S101, PT018
    there = sample.patient(north.node.registry.assigning_authorities[0])
    known_as = sample.patient(here.registry.assigning_authorities[0])
    folder = north.folder / "north" / "sent" / there.id
    made = sample.make(folder, there, kept_at=north.images.imaging.unique_id)
    _tell(north.base, north.tls, there, family)
    _tell(base, Tls(), known_as, family)
    screen.step(screen.named(t.PATIENT_ADDED), f"both countries know {family}, by ids of their own")
    with app.image_store(north.images) as store:
        import_folder(store, made.images)
    with DocumentSource(f"{north.base}/repository", north.tls) as hospital:
        for title, file, wishes in made.submissions:
            hospital.provide(compose.provide_request([file], wishes))
            screen.step(screen.named(t.PROVIDE_AND_REGISTER), f"in North: {title}")

    gateway, into = f"{base}/gateway/initiating", north.folder / "received" / known_as.id
    into.mkdir(parents=True)
    with (
        DocumentConsumer(gateway, {}, gateway=gateway, told=_said) as consumer,
        ImagingConsumer({}, gateway=gateway) as images,
    ):
        entries = _found(consumer, known_as)
        screen.step(screen.named(t.PATIENT_DISCOVERY), "what North calls this patient", inner=True)
        screen.step(screen.named(t.CROSS_GATEWAY_QUERY), "what North has", inner=True)
        received = list(consumer.retrieve(entries, into))
        screen.step(screen.named(t.RETRIEVE), f"{len(received)} documents, size and hash compared")
        screen.step(screen.named(t.CROSS_GATEWAY_RETRIEVE), "North sent them", inner=True)
        good = len(received) == len(made.submissions)
        good = good and all(each.is_as_registered for each in received)
        _read(next(each.path for each in received if each.mime_type == "text/xml"))
        manifest, home = next(
            (read_manifest(each.path), str(each.entry.home))
            for each in received
            if each.entry is not None and is_manifest(each.entry)
        )
        originals = demo_images.originals(made.images)
        results = _fetched(images, manifest, home, into)
        equal = [each for each in results if demo_images.is_equal(each, originals)]
        verdict = "byte for byte as stored" if len(equal) == len(results) else "NOT as stored"
        screen.step(screen.named(t.RETRIEVE_IMAGING), f"{len(equal)} images, {verdict}")
        screen.step(screen.named(t.CROSS_GATEWAY_RETRIEVE_IMAGING), "North sent them", inner=True)
        good = good and 0 < len(equal) == len(results)

        stop(source)
        screen.step("stop", "the imaging source of North")
        still = _found(consumer, known_as)
        lost = [
            each
            for each in _fetched(images, manifest, home, into / "again")
            if isinstance(each, Missing)
        ]
        screen.step(
            screen.named(t.RETRIEVE_IMAGING), f"{len(lost)} images do not come: {lost[0].reason}"
        )
        screen.plain(f"    {lost[0].said}")
    return known_as, good and len(still) == len(entries) and len(lost) == len(results)


def _tell(base: str, tls: Tls, patient: CX, family: str) -> None:
    """The identity feed of a country [ITI-44]."""
    about = Demographics(family, "Erika", "19700101", "F", city="Invented Town")
    event = IdentityEvent(Act.ADD, (issued(patient),), demographics=about)
    oid = f"2.25.{uuid4().int}"
    wrapper = Wrapper(InstanceId(oid), InstanceId(oid), InstanceId(patient.authority))
    with open_session(tls) as session:
        feed = Caller(t.PATIENT_ADDED, f"{base}/registry", session)
        answer: Acknowledgement = feed(IdentityMessage(wrapper, event), Call.internal())
    refuse(answer.errors, "the identity feed was refused")


def _said(error: XDSError) -> None:
    screen.plain(f"    {error.code}: {error.context}")


def _found(consumer: DocumentConsumer, patient: CX) -> list[DocumentEntry]:
    entries = list(consumer.find_documents(patient))
    homes = {str(each.home) for each in entries}
    screen.step(
        screen.named(t.STORED_QUERY),
        f"FindDocuments of {patient}: {len(entries)} documents of {', '.join(homes)}",
    )
    return entries


def _read(report: Path) -> None:
    """The impression of the report, as the professional reads it."""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", report.read_text(encoding="utf-8")))
    found = re.search(r"study impression (.+?\.)", text)
    screen.step("read", f"the report: {found[1] if found else report}")


def _fetched(
    images: ImagingConsumer, manifest: Manifest, home: str, into: Path
) -> list[Fetched | Missing]:
    """The largest series."""
    series = max(manifest.studies[0].series, key=lambda each: len(each.instances))
    into.mkdir(exist_ok=True)
    return list(
        images.fetch(chosen(manifest, home=home, series=(series.series_instance_uid,)), into)
    )
