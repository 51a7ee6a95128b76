"""Sections of a configuration: parsed TOML into frozen dataclasses.

A field's type says what its value must be. One without default is required, a key that is no field
is refused. A field that is a dataclass is a section within, a tuple of them an array of tables.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_MOST = 1e9  # of numbers with a fraction: seconds, hours or octets a second; clocks take no more


class ConfigurationError(Exception):
    """The configuration cannot be used; the text says where, what and how to mend it."""


def read(kind: type, data: Mapping[str, Any], where: str, folder: Path) -> Any:
    """A dataclass of this kind. Raises ConfigurationError in one sentence.

    where: name of the section with a dot behind it, for the sentence; folder: where relative file
    names start
    """
    hints = get_type_hints(kind)
    known = {each.name: each for each in fields(kind)}
    for key in data:
        if key not in known:
            names = ", ".join(sorted(known.keys() - {"folder", "file"}))
            raise ConfigurationError(f"{where}{key}: unknown key; known here: {names}")
    for name, each in known.items():
        if name not in data and each.default is MISSING and each.default_factory is MISSING:
            raise ConfigurationError(f"{where}{name}: required, missing")
    values = {key: _value(hints[key], value, where + key, folder) for key, value in data.items()}
    files = {
        name: folder / each.default
        for name, each in known.items()
        if isinstance(each.default, Path)
    }
    return kind(**{**files, **values})


def _value(hint: Any, value: Any, where: str, folder: Path) -> Any:
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"{where}: expected a section [{where}]")
        return read(hint, value, where + ".", folder)  # type: ignore[arg-type]
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            choices = " or ".join(f'"{each}"' for each in get_args(hint))
            raise ConfigurationError(f"{where}: expected {choices}, got {value!r}")
        return value
    if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
        if not isinstance(value, list):
            raise ConfigurationError(f"{where}: expected tables [[{where}]]")
        kind = get_args(hint)[0]
        return tuple(
            _value(kind, each, f"{where}[{number}]", folder) for number, each in enumerate(value, 1)
        )
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ConfigurationError(f"{where}: expected a list of texts, got {value!r}")
        return tuple(folder / each if get_args(hint)[0] is Path else each for each in value)
    if hint is Path:
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{where}: expected a file name, got {value!r}")
        return folder / value
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise ConfigurationError(f"{where}: expected {hint.__name__}, got {value!r}")
    if hint is float and not abs(value) <= _MOST:
        raise ConfigurationError(f"{where}: expected a number up to {_MOST:.0f}, got {value}")
    return value
