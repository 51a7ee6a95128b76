"""What keeps a configuration from serving, one sentence each: `xdsi check`, and before `serve`."""

import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from shlex import quote

from registry import valuesets
from xdsi import config as configuration
from xdsi import databases, gateways, server
from xdsi.actors.imaging import peers
from xdsi.config import Config, ConfigurationError, Limits
from xdsi.model.values import is_address, is_base, is_oid, without_user
from xdsi.ownership import ForeignPackages, refuse_foreign_packages
from xdsi.peers import dicomweb
from xdsi.peers.session import Tls
from xdsi.units import migrations


def check(config: Config) -> Iterator[str]:
    """Everything that keeps this configuration from serving, one sentence each."""
    try:
        refuse_foreign_packages()
    except ForeignPackages as error:
        yield str(error)
    yield from before_serving(config)
    yield from _check_values(config)
    for name, section, wanted in databases.sections(config):
        yield from _check_file(config, name, section)
        try:
            with databases.plain_errors(config), databases.opened(config, name, section) as engine:
                migrations.require_current(engine, wanted)
        except ConfigurationError as error:
            yield str(error)


def before_serving(config: Config) -> Iterator[str]:
    """The findings that a server would not come upon by itself."""
    yield from _check_sections(config)
    yield from _check_workers(config)
    yield from _check_keys(config)
    yield from _check_value_sets(config)
    yield from gateways.check(config)


def _check_sections(config: Config) -> Iterator[str]:
    if not any((config.registry, config.repository, config.imaging, config.gateway)):
        yield "nothing to serve: add a [registry], [repository], [imaging] or [gateway] section"


def _check_values(config: Config) -> Iterator[str]:
    yield from _check_server(config.server)
    if (feed := configuration.feed(config)) is not None:
        listening = replace(config.server, host=feed.host, port=feed.port)
        for look in (server.check_exposure, server.check_port):
            try:
                look(listening, server.FEED)
            except server.CannotServe as error:
                yield str(error)
    for each in fields(config.limits):
        if getattr(config.limits, each.name) <= 0:
            yield f"limits.{each.name}: expected more than 0"
    if config.registry is not None:
        for name in ("assigning_authorities", "repositories"):
            for oid in getattr(config.registry, name):
                if not is_oid(oid):
                    yield f"registry.{name}: expected OIDs, got '{oid}'"
    if config.repository is not None:
        yield from _check_repository(config.repository)
    if config.imaging is not None:
        yield from _check_imaging(config.imaging)
        if config.repository is not None and config.imaging.store == config.repository.store:
            yield "imaging.store: is the folder of repository.store; give it one of its own"
    if (gateway := config.gateway) is not None:
        files = (gateway.ca, gateway.certificate, gateway.key)
        yield from _check_tls("gateway", *files, "ca certificate key")
        for number, partner in enumerate(gateway.partners, 1):
            files = (partner.ca, partner.certificate, partner.key)
            yield from _check_tls(f"gateway.partners[{number}]", *files, "ca certificate key")


def _check_value_sets(config: Config) -> Iterator[str]:
    """Files of codes are there and hold what is to be checked."""
    if config.registry is not None:
        try:
            valuesets.load(config.registry.value_sets)
        except ConfigurationError as error:
            yield str(error)


def _check_workers(config: Config) -> Iterator[str]:
    """SQLite has one writing process (SEC-T-014)."""
    if config.server.workers < 1:
        yield f"server.workers: expected 1 or more, got {config.server.workers}"
    if config.server.workers > 1:
        for name, section, _ in databases.sections(config):
            if section.database.startswith("sqlite"):
                yield (
                    f"server.workers: {config.server.workers} processes cannot share SQLite; "
                    f"set workers = 1, or {name}.database to PostgreSQL"
                )


def _check_keys(config: Config) -> Iterator[str]:
    """Private keys and passwords are their owner's alone (SEC-T-173)."""
    keys = {"server.key": config.server.key}
    if config.repository is not None:
        keys["repository.registry_key"] = config.repository.registry_key
    if config.imaging is not None:
        keys["imaging.archive_key"] = config.imaging.archive_key
        keys["imaging.archive_password_file"] = config.imaging.archive_password_file
    if config.gateway is not None:
        keys["gateway.key"] = config.gateway.key
        for number, partner in enumerate(config.gateway.partners, 1):
            keys[f"gateway.partners[{number}].key"] = partner.key
    for name, path in keys.items():
        if path is not None and path.is_file() and path.stat().st_mode & 0o077:
            yield f"{name}: {path}: others may read it; chmod 600 {quote(str(path))}"


def _check_file(config: Config, name: str, section: databases.Section) -> Iterator[str]:
    """A SQLite file holds patient data: its own rights or its folder's keep others away."""
    kind, _, file = section.database.partition(":///")
    path = config.folder / file
    if (
        kind.startswith("sqlite")
        and path.is_file()
        and path.stat().st_mode & 0o077
        and path.parent.stat().st_mode & 0o011
    ):
        yield f"{name}.database: {path}: others may read it; run: chmod 600 {quote(str(path))}"


def _check_server(section: configuration.Server) -> Iterator[str]:
    looks = [server.check_exposure, server.check_record]
    if not 0 <= section.port < 65536:
        yield f"server.port: expected 0 to 65535, got {section.port}"
    else:
        looks.append(server.check_port)
    if section.public_url and not is_address(section.public_url):
        given = without_user(section.public_url)
        yield f"server.public_url: expected an http or https address, got '{given}'"
    for look in looks:
        try:
            look(section)
        except server.CannotServe as error:
            yield str(error)
    yield from _check_tls(
        "server", section.client_ca, section.certificate, section.key, "client_ca certificate key"
    )


def _check_repository(section: configuration.Repository) -> Iterator[str]:
    if not is_oid(section.unique_id):
        yield f"repository.unique_id: expected an OID, got '{section.unique_id}'"
    for oid in section.sources:
        if not is_oid(oid):
            yield f"repository.sources: expected OIDs, got '{oid}'"
    if section.registry != "local" and not is_address(section.registry):
        yield (
            "repository.registry: expected 'local' or an http or https address, "
            f"got '{without_user(section.registry)}'"
        )
    yield from _check_tls(
        "repository",
        section.registry_ca,
        section.registry_certificate,
        section.registry_key,
        "registry_ca registry_certificate registry_key",
    )
    yield from _check_store("repository.store", section.store)


def _check_imaging(section: configuration.Imaging) -> Iterator[str]:
    if not is_oid(section.unique_id):
        yield f"imaging.unique_id: expected an OID, got '{section.unique_id}'"
    for name, oids in (
        ("patient_authorities", section.patient_authorities),
        ("patient_issuer", filter(None, [section.patient_issuer])),
        ("share.without_classes", section.share.without_classes),
    ):
        for oid in oids:
            if not is_oid(oid):
                yield f"imaging.{name}: expected an OID, got '{oid}'"
    if section.archive == "embedded":
        yield from _check_store("imaging.store", section.store)
        try:
            peers.check(section)
        except ConfigurationError as error:
            yield str(error)
    else:
        yield from _check_archive(section)


def _check_archive(section: configuration.Imaging) -> Iterator[str]:
    """The archive elsewhere can be asked."""
    problems = list(_check_archive_values(section))
    if not problems:
        elsewhere = dicomweb.opened(section, Limits())
        problems += (f"imaging.archive: {line}" for line in elsewhere.ready())
        elsewhere.close()
    yield from problems


def _check_archive_values(section: configuration.Imaging) -> Iterator[str]:
    if "@" in section.archive.partition("://")[2].partition("/")[0]:
        yield "imaging.archive: no user here; give archive_user and archive_password_file"
    elif not is_base(section.archive):
        yield (
            "imaging.archive: expected 'embedded' or the http or https address of a DICOMweb "
            f"service, got '{section.archive}'"
        )
    if (section.archive_user is None) != (section.archive_password_file is None):
        yield "imaging.archive_user, imaging.archive_password_file: give both or none"
    if section.spool_bytes <= 0:
        yield "imaging.spool_bytes: expected more than 0"
    yield from _check_tls(
        "imaging",
        section.archive_ca,
        section.archive_certificate,
        section.archive_key,
        "archive_ca archive_certificate archive_key",
    )


def _check_store(name: str, store: Path) -> Iterator[str]:
    """A folder of documents can be written to, and is closed to others."""
    existing = next(each for each in (store, *store.parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield (
            f"{name}: cannot write to {existing}; "
            "give another folder, or the node's user the right to"
        )
    elif store.is_dir() and store.stat().st_mode & 0o077:
        command = f"chmod 700 {quote(str(store))}"
        yield f"{name}: {store} is open to other users; run: {command}"


def _check_tls(
    where: str, ca: Path | None, certificate: Path | None, key: Path | None, names: str
) -> Iterator[str]:
    given = dict(zip(names.split(), (ca, certificate, key), strict=True))
    files = {name: path for name, path in given.items() if path is not None}
    lost = [
        f"{where}.{name}: {path} is no file; give the name of a PEM file"
        for name, path in files.items()
        if not path.is_file()
    ]
    yield from lost
    if files and not lost:
        try:
            Tls(ca, certificate, key).context()
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror
            listed = ", ".join(f"{where}.{name}" for name in files)
            yield f"{listed}: no PEM files that fit together ({reason})"
