"""Arguments that several commands share, and the types of their values.

Nothing heavy is imported here, so that a command that needs little starts at once.
"""

import argparse
from collections.abc import Callable
from math import nan
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import NamedTuple
from urllib.parse import urlsplit

from xdsi.config import Config, load
from xdsi.model.objects import Code
from xdsi.model.values import CX, DTM, OID, Language, Value, is_address, is_oid, is_uid, is_uuid

CONFIG = Path("xdsi.toml")


class KnownRepository(NamedTuple):
    """--repository: its repositoryUniqueId, if given, and its address."""

    unique_id: str | None
    address: str


def add_config(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--config", type=Path, default=CONFIG, metavar="FILE", help=f"configuration ({CONFIG})"
    )


def config(args: argparse.Namespace) -> Config:
    """Raises ConfigurationError."""
    return load(args.config)


def add_json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document, for programs")


def add_patient(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--patient",
        type=patient,
        required=required,
        metavar="CX",
        help="patient identifier, id^^^&authority&ISO, in quotes",
    )


def _valued(kind: type[Value]) -> Callable[[str], str]:
    """A check for argparse by a type of metadata."""

    def check(text: str) -> str:
        if (problem := kind(text).problem) is not None:
            raise argparse.ArgumentTypeError(f"{problem}, got '{text}'")
        return text

    return check


oid, dtm, language = _valued(OID), _valued(DTM), _valued(Language)


def number(text: str) -> int:
    """For argparse: 1 or more."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got '{text}'")
    return int(text)


def seconds(text: str) -> float:
    """For argparse: 0 or more, and no more than can be waited for."""
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not 0 <= value <= TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"expected 0 or more seconds, got '{text}'")
    return value


def pause(text: str) -> float:
    """For argparse: more than 0 seconds."""
    if not (value := seconds(text)):
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds, got '{text}'")
    return value


def uid(text: str) -> str:
    """For argparse: a UID as images have it, leading zeros included."""
    if not is_uid(text):
        raise argparse.ArgumentTypeError(f"expected a UID of digits and dots, got '{text}'")
    return text


def uuid(text: str) -> str:
    """For argparse: an entryUUID."""
    if not is_uuid(text):
        raise argparse.ArgumentTypeError(
            f"expected urn:uuid: and a UUID in lower case, got '{text}'"
        )
    return text


def patient(text: str) -> CX:
    """For argparse."""
    value = CX(text)
    if value.problem is not None:
        raise argparse.ArgumentTypeError(f"{value.problem}, got '{text}'")
    return value


def address(text: str) -> str:
    """For argparse: the URL of a service."""
    if not is_address(text):
        raise argparse.ArgumentTypeError(f"expected an http or https address, got '{text}'")
    return text


def gateway(text: str) -> str:
    """An address, or "" for that of the configuration."""
    return text and address(text)


def repository(text: str) -> KnownRepository:
    """For argparse: [OID=]URL."""
    unique_id, separator, url = text.partition("=")
    if separator and is_oid(unique_id):
        return KnownRepository(unique_id, address(url))
    return KnownRepository(None, address(text))


def archive(text: str) -> tuple[str, str]:
    """For argparse: AE=URL, an AE title and the address of its WADO-URI service."""
    title, separator, url = text.partition("=")
    if not separator or not title.strip():
        raise argparse.ArgumentTypeError(f"expected AE=URL with an AE title, got '{text}'")
    if urlsplit(address(url)).query:
        raise argparse.ArgumentTypeError(f"expected an address without parameters, got '{url}'")
    return title.strip(), url


def code(text: str) -> Code:
    """For argparse: CODE^SCHEME^DISPLAY."""
    parts = text.split("^")
    if len(parts) != 3 or not all(parts):
        raise argparse.ArgumentTypeError(f"expected CODE^SCHEME^DISPLAY, got '{text}'")
    return Code.of(*parts)
