"""The assembly: from a configuration to databases, actors and a served node.

The only module that knows everyone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Engine

import registry
import repository
from registry import patients
from registry.patients import Patient
from xdsi import checking, databases, gateways, server
from xdsi import config as configuration
from xdsi.actors import imaging
from xdsi.actors.gateway import known
from xdsi.actors.gateway.known import Known, KnownAs
from xdsi.actors.imaging import embedded, store
from xdsi.actors.imaging.store import ImageStore
from xdsi.config import Config, ConfigurationError, Limits
from xdsi.model.community import Partner
from xdsi.model.values import CX, HomeCommunityId
from xdsi.model.web import WebAnswer, WebRequest
from xdsi.ownership import refuse_foreign_packages
from xdsi.partners import Tried, tried
from xdsi.peers import dicomweb
from xdsi.peers.caller import Caller
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.peers.session import Tls, open_session
from xdsi.plug import Actor, Call, Handler
from xdsi.standard.transactions import REGISTER, STORED_QUERY, Transaction
from xdsi.units import migrations


def serve(config: Config, on_ready: Callable[[dict[str, str]], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` gets name -> address of what is served.

    Raises ConfigurationError in one sentence when the node cannot start.
    """
    with databases.plain_errors(config):
        refuse_foreign_packages()
        for problem in checking.before_serving(config):
            raise ConfigurationError(problem)
        for name, section, steps in databases.sections(config):
            with databases.opened(config, name, section) as engine:
                migrations.require_current(engine, steps)
        server.serve(
            lambda: actors(config),
            config.server,
            config.limits,
            on_ready=lambda address: on_ready(configuration.addresses(config, address)),
            feed=configuration.feed(config),
        )


def actors(config: Config) -> tuple[Actor, ...]:
    """The actors of a node, which the caller closes."""
    made: list[Actor] = []
    if config.registry is not None:
        engine = databases.make_engine(config, "registry", config.registry)
        made.append(registry.actor(config.registry, config.limits, engine))
    if config.repository is not None:
        engine = databases.make_engine(config, "repository", config.repository)
        register, query = _registry_ports(config.repository, config.limits, made)
        made.append(repository.actor(config.repository, config.limits, engine, register, query))
    if config.imaging is not None:
        made.append(_imaging(config, config.imaging))
    if config.gateway is not None:
        made += _gateways(config, config.gateway, tuple(made))
    return tuple(made)


def _gateways(
    config: Config, section: configuration.Gateway, made: tuple[Actor, ...]
) -> tuple[Actor, ...]:
    """The gateways, with what is known of patients elsewhere."""
    local, web = partial(_local, made), _dicomweb(made)
    if section.initiating is None:
        return gateways.actors(config, section, local, web)
    kept = Known(databases.make_engine(config, "gateway", section))
    told = (each.demographics for each in made if each.demographics is not None)
    return gateways.actors(config, section, local, web, kept, next(told, lambda patient: None))


def _dicomweb(made: Sequence[Actor]) -> Callable[[WebRequest, Call], WebAnswer] | None:
    """The imaging source as it answers in plain HTTP."""
    resources = (each for actor in made for each in actor.resources)
    found = next((each for each in resources if each.path == "/dicom-web"), None)
    if found is None:
        return None
    route = found.route
    return lambda request, call: route(request).handler(request, call)


def _imaging(config: Config, section: configuration.Imaging) -> Actor:
    """The imaging source with its archive."""
    limits, public_url = config.limits, config.server.public_url
    if section.archive == "embedded":
        engine = databases.make_engine(config, "imaging", section)
        return embedded.actor(section, limits, engine, public_url=public_url)
    elsewhere = dicomweb.opened(section, limits)
    return imaging.actor(
        section,
        limits,
        elsewhere,
        public_url=public_url,
        ready=elsewhere.ready,
        close=elsewhere.close,
    )


def _registry_ports(
    section: configuration.Repository, limits: Limits, made: Sequence[Actor]
) -> tuple[Handler, Handler]:
    """ITI-42 and ITI-18 for a repository: in the process, or at an address."""
    if section.registry == "local":
        return _local(made, REGISTER), _local(made, STORED_QUERY)
    tls = Tls(section.registry_ca, section.registry_certificate, section.registry_key)
    session = open_session(tls)
    return (
        Caller(REGISTER, section.registry, session, limits=limits),
        Caller(STORED_QUERY, section.registry, session, limits=limits),
    )


def _local(made: Sequence[Actor], transaction: Transaction) -> Handler:
    routes = (route for actor in made for route in actor.routes)
    return next(route.handler for route in routes if route.transaction is transaction)


def migrate(config: Config, *, dry_run: bool = False) -> list[str]:
    """Bring every database to this version; the steps taken, or that would be taken."""
    steps: list[str] = []
    with databases.plain_errors(config):
        for name, section, wanted in databases.sections(config):
            with databases.opened(config, name, section) as engine:
                taken = migrations.migrate(engine, wanted, dry_run=dry_run)
                steps += (f"{name} {step}" for step in taken)
    return steps


def add_patient(config: Config, patient: CX) -> bool:
    """Make a patient known to the registry; False if it was. Raises XDSUnknownPatientId."""
    with _registry_engine(config) as engine:
        return patients.add(engine, patient, _registry(config))


def merge_patients(config: Config, subsumed: CX, survivor: CX) -> None:
    """One patient of the registry goes into another. Raises the errors of `patients.merge`."""
    with _registry_engine(config) as engine:
        patients.merge(engine, subsumed, survivor, _registry(config))


def list_patients(config: Config) -> list[Patient]:
    """Every patient the registry knows."""
    with _registry_engine(config) as engine:
        return list(patients.list_(engine))


def put_identifiers(config: Config, given: Iterable[tuple[CX, str, CX]]) -> None:
    """What patients are called elsewhere: patient, home of the community, identifier there."""
    with _known(config) as kept:
        kept.put(KnownAs(patient, HomeCommunityId(home), cx) for patient, home, cx in given)


def remove_identifier(config: Config, patient: CX, home: str) -> bool:
    """Forget what a community calls a patient; False if there was nothing."""
    with _known(config) as kept:
        return kept.remove(patient, HomeCommunityId(home))


def list_identifiers(config: Config) -> Sequence[KnownAs]:
    """All that is known of patients elsewhere."""
    with _known(config) as kept:
        return kept.list_()


@contextmanager
def _known(config: Config) -> Iterator[Known]:
    if (section := databases.initiating(config)) is None:
        raise ConfigurationError("this configuration has no [gateway.initiating] section")
    with databases.plain_errors(config), databases.opened(config, "gateway", section) as engine:
        migrations.require_current(engine, known.MIGRATIONS)
        yield Known(engine)


def try_partner(config: Config, partner: Partner) -> Iterator[Tried]:
    """What becomes of a harmless question to each service of a partner that answers queries."""
    if config.gateway is None:
        raise ConfigurationError("this configuration has no [gateway] section")
    return tried(config, config.gateway, partner)


def _registry(config: Config) -> configuration.Registry:
    if config.registry is None:
        raise ConfigurationError("this configuration has no [registry] section")
    return config.registry


@contextmanager
def _registry_engine(config: Config) -> Iterator[Engine]:
    section = _registry(config)
    with databases.plain_errors(config), databases.opened(config, "registry", section) as engine:
        migrations.require_current(engine, registry.MIGRATIONS)
        yield engine


@contextmanager
def image_store(config: Config) -> Iterator[ImageStore]:
    """The embedded archive of the imaging source, which may be served at the same time."""
    if (section := databases.embedded_archive(config)) is None:
        raise ConfigurationError(
            'this configuration has no [imaging] section with archive = "embedded"'
        )
    with databases.plain_errors(config), databases.opened(config, "imaging", section) as engine:
        migrations.require_current(engine, store.MIGRATIONS)
        images = store.opened(section, config.limits, engine)
        try:
            yield images
        finally:
            images.close()


@contextmanager
def archive(config: Config) -> Iterator[ImageStore | DicomWebArchive]:
    """Where the images of the imaging source lie: its own archive, or one elsewhere."""
    if config.imaging is None or config.imaging.archive == "embedded":
        with image_store(config) as images:
            yield images
        return
    elsewhere = dicomweb.opened(config.imaging, config.limits)
    try:
        yield elsewhere
    finally:
        elsewhere.close()
