"""The project's Python files, as the tests of this folder see them."""

import ast
from configparser import ConfigParser
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Folder in the tree -> package it is installed as.
PACKAGE_FOLDERS = {
    "registry": "registry",
    "repository": "repository",
    "xdsi": "xdsi",
    "wsdl": "xdsi.wsdl",
}


def modules() -> dict[str, Path]:
    """Path inside the project -> file, for every module of the packages."""
    return {
        file.relative_to(ROOT).as_posix(): file
        for folder in PACKAGE_FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
    }


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def settings() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def listed(section: str, option: str) -> list[str]:
    """The lines of a list in setup.cfg."""
    return settings()[section][option].split()
