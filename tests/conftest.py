"""Fixtures every test may use."""

from pathlib import Path

import pytest

pytest_plugins = [
    "tests.plugins.gaps",
    "tests.plugins.requirements",
    "tests.databases",
    "tests.node",
    "tests.orthanc",
]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with official schemas and samples beside the project, where there is one."""
    folder = ROOT.parent / "shared"
    if not (folder / "schema").is_dir():
        pytest.skip("needs the official schemas in ../shared/schema")
    return folder
