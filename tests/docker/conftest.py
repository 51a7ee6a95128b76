"""A development PKI made by the script of docker/."""

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pki(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    script = root / "docker" / "dev-pki.sh"
    done = subprocess.run(
        ["sh", script, folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder
