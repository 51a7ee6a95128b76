"""The databases of a node: which there are, how they are reached, what is wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

import registry
import repository
from xdsi import config as configuration
from xdsi import server
from xdsi.actors.gateway import known
from xdsi.actors.imaging import store
from xdsi.config import Config, ConfigurationError
from xdsi.ownership import ForeignPackages
from xdsi.units import engines
from xdsi.units.advice import trouble
from xdsi.units.engines import UnusableDatabase
from xdsi.units.migrations import Migrations, SchemaMismatch

Section = (
    configuration.Registry
    | configuration.Repository
    | configuration.Imaging
    | configuration.Gateway
)


def sections(config: Config) -> list[tuple[str, Section, Migrations]]:
    """The present actors with tables: name, section, migrations."""
    rows: list[tuple[str, Section | None, Migrations]] = [
        ("registry", config.registry, registry.MIGRATIONS),
        ("repository", config.repository, repository.MIGRATIONS),
        ("imaging", embedded_archive(config), store.MIGRATIONS),
        ("gateway", initiating(config), known.MIGRATIONS),
    ]
    return [(name, section, steps) for name, section, steps in rows if section is not None]


def embedded_archive(config: Config) -> configuration.Imaging | None:
    """The imaging source, if its archive is the embedded one."""
    section = config.imaging
    return section if section is not None and section.archive == "embedded" else None


def initiating(config: Config) -> configuration.Gateway | None:
    """The gateway, if it asks other communities."""
    section = config.gateway
    return section if section is not None and section.initiating is not None else None


def make_engine(config: Config, name: str, section: Section) -> Engine:
    """Connections to the database of a section. Raises ConfigurationError."""
    try:
        return engines.engine(
            section.database,
            section.password_file,
            folder=config.folder,
            statement_seconds=config.limits.statement_seconds,
        )
    except UnusableDatabase as error:
        raise ConfigurationError(f"{name}.{error.setting}: {error}") from error


@contextmanager
def opened(config: Config, name: str, section: Section) -> Iterator[Engine]:
    """The same until the end of the block; what goes wrong in it is a ConfigurationError too."""
    engine = make_engine(config, name, section)
    try:
        yield engine
    except (SQLAlchemyError, UnusableDatabase) as error:
        setting, problem = trouble(error, section.database, section.password_file, config.folder)
        raise ConfigurationError(f"{name}.{setting}: {problem}") from error
    finally:
        engine.dispose()


@contextmanager
def plain_errors(config: Config) -> Iterator[None]:
    """What keeps a node from starting, as one sentence for its operator."""
    try:
        yield
    except SchemaMismatch as error:
        text = str(error)
        if config.file is not None:  # the command that helps is named in full
            text = text.replace("xdsi migrate", f"xdsi migrate --config {quote(str(config.file))}")
        raise ConfigurationError(text) from error
    except (ForeignPackages, UnusableDatabase, server.CannotServe) as error:
        raise ConfigurationError(str(error)) from error
