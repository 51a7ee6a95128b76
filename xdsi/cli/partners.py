"""Whom a command asks: a node of ours by its configuration, or the addresses given."""

import argparse
import ssl
from collections.abc import Iterable
from pathlib import Path

from xdsi.cli import options, screen
from xdsi.cli.options import KnownRepository
from xdsi.client import DocumentConsumer, Tls
from xdsi.config import Config, ConfigurationError, addresses, load


def add_tls(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the trusted authority")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="our certificate, PEM")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key, PEM")


def add_addresses(parser: argparse.ArgumentParser, *, registry: bool = True) -> None:
    """Where to send requests: a node of ours by its configuration, or addresses."""
    group = parser.add_argument_group("whom to ask", "a configuration of ours, or addresses")
    options.add_config(group)
    if registry:
        group.add_argument(
            "--registry",
            type=options.address,
            metavar="URL",
            help="address of the Document Registry",
        )
        add_gateway(group)
    group.add_argument(
        "--repository",
        type=options.repository,
        metavar="[OID=]URL",
        action="append",
        default=[],
        help="address of a Document Repository; with its repositoryUniqueId for retrieves",
    )
    add_tls(group)


def add_gateway(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--gateway",
        nargs="?",
        const="",
        type=options.gateway,
        metavar="URL",
        help="ask all communities, by the Initiating Gateway of the configuration or this one",
    )


# where images are: option, how it is read, what it looks like, what it says
_SOURCES = (
    ("--imaging", options.repository, "OID=URL",
     "address of an imaging source, with the Retrieve Location UID of its manifests"),
    ("--wado", options.repository, "OID=URL",
     "base of its DICOMweb service, which is then asked by WADO-RS [RAD-107]"),
    ("--wado-uri", options.archive, "AE=URL",
     "WADO-URI service of a Retrieve AE Title, for sources without --wado [RAD-55]"),
)  # fmt: skip


def add_sources(parser: argparse._ActionsContainer) -> None:
    for name, kind, form, text in _SOURCES:
        parser.add_argument(name, type=kind, metavar=form, action="append", default=[], help=text)
    parser.add_argument(
        "--retrieve-urls",
        action="store_true",
        help="go by WADO-RS where the Retrieve URLs of the manifest lead",
    )


def tls(args: argparse.Namespace) -> Tls:
    """Raises ConfigurationError for files that cannot be used."""
    names = ("ca", "certificate", "key")
    given = {name: path for name in names if (path := getattr(args, name)) is not None}
    for name, path in given.items():
        if not path.is_file():
            raise ConfigurationError(f"--{name}: {path} is no file")
    if "key" in given and "certificate" not in given:
        raise ConfigurationError("--key: needs --certificate as well")
    chosen = Tls(args.ca, args.certificate, args.key)
    try:
        chosen.context()
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(f"--{name} {path}" for name, path in given.items())
        reason = getattr(error, "reason", None) or error
        raise ConfigurationError(f"{files}: no PEM files that fit together ({reason})") from error
    return chosen


def _base(args: argparse.Namespace) -> tuple[Config, dict[str, str]]:
    node = load(args.config)
    server = node.server
    scheme = "http" if server.certificate is None else "https"
    return node, addresses(node, f"{scheme}://{server.host}:{server.port}")


def base_address(args: argparse.Namespace) -> str:
    """Scheme, host and port of the configured node. Raises ConfigurationError."""
    return _base(args)[1]["health"].removesuffix("/health/ready")


def repository_address(args: argparse.Namespace) -> str:
    """The first repository given, or that of the configuration. Raises ConfigurationError."""
    if args.repository:
        first: KnownRepository = args.repository[0]
        return first.address
    return _served(args, _base(args)[1], "repository")


def gateway_address(args: argparse.Namespace) -> str | None:
    """The Initiating Gateway if all communities are to be asked. Raises ConfigurationError."""
    given: str | None = getattr(args, "gateway", None)
    if given == "":
        return _served(args, _base(args)[1], "initiating", "gateway")
    return given


def registry_address(args: argparse.Namespace) -> str:
    """The gateway or registry given, or the registry of the configuration.

    Raises ConfigurationError.
    """
    if (gateway := gateway_address(args)) is not None:
        return gateway
    given: str | None = args.registry
    return given or _served(args, _base(args)[1], "registry")


def _served(
    args: argparse.Namespace, served: dict[str, str], name: str, option: str | None = None
) -> str:
    """option: that gives the address instead, where it is not the name"""
    if name not in served:
        section = f"gateway.{name}" if option else name
        raise ConfigurationError(
            f"{args.config} has no [{section}] section; give --{option or name} URL"
        )
    return served[name]


def consumer(args: argparse.Namespace) -> DocumentConsumer:
    """A Document Consumer of the addresses given, or of the configuration and those beside it.

    Raises ConfigurationError.
    """
    known: dict[str, str] = {}
    gateway, registry = gateway_address(args), registry_address(args)
    if gateway is not None:
        return DocumentConsumer(registry, known, tls(args), gateway=gateway, told=screen.finding)
    if args.registry is None:
        node, served = _base(args)
        if node.repository is not None:
            known[node.repository.unique_id] = served["repository"]
    for each in getattr(args, "repository", ()):
        if each.unique_id is None:
            raise ConfigurationError(
                f"--repository: retrieves need its repositoryUniqueId, OID={each.address}"
            )
        known[each.unique_id] = each.address
    return DocumentConsumer(registry, known, tls(args))


def imaging_sources(args: argparse.Namespace) -> dict[str, str]:
    """Retrieve Location UID -> address: those given, or the source of the configuration.

    Raises ConfigurationError.
    """
    if gateway_address(args) is not None:
        return {}
    known = _named("--imaging", args.imaging)
    is_told = known or args.wado or args.wado_uri or args.retrieve_urls
    if args.config.exists() or not is_told:
        node, served = _base(args)
        if node.imaging is not None:
            known.setdefault(node.imaging.unique_id, served["imaging"])
    return known


def web_services(args: argparse.Namespace) -> dict[str, str]:
    """Retrieve Location UID -> base of a DICOMweb service. Raises ConfigurationError."""
    return _named("--wado", args.wado)


def _named(option: str, given: Iterable[KnownRepository]) -> dict[str, str]:
    known: dict[str, str] = {}
    for each in given:
        if each.unique_id is None:
            raise ConfigurationError(
                f"{option}: needs the Retrieve Location UID as well, OID={each.address}"
            )
        known[each.unique_id] = each.address
    return known
