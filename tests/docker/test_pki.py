"""The development PKI: what it holds, and what openssl says of it."""

import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("openssl")


def openssl(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("name", "purpose"), [("server", "sslserver"), ("server", "sslclient"), ("client", "sslclient")]
)
def test_certificate_is_good_for_its_purpose(pki: Path, name: str, purpose: str) -> None:
    done = openssl(
        *("verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose", purpose, f"{name}.pem"),
        folder=pki,
    )
    assert (done.returncode, done.stdout) == (0, f"{name}.pem: OK\n"), done.stderr


def test_client_certificate_is_none_for_a_server(pki: Path) -> None:
    done = openssl(
        *("verify", "-CAfile", "ca.pem", "-purpose", "sslserver", "client.pem"), folder=pki
    )
    assert done.returncode != 0


@pytest.mark.parametrize(("option", "value"), [("-checkhost", "localhost"), ("-checkip", "::1")])
def test_server_certificate_names_this_machine(pki: Path, option: str, value: str) -> None:
    done = openssl("x509", "-in", "server.pem", "-noout", option, value, folder=pki)
    assert "does match" in done.stdout


def test_keys_are_for_their_owner_alone(pki: Path) -> None:
    keys = [pki / f"{name}.key" for name in ("ca", "server", "client")]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_a_second_run_replaces_nothing(pki: Path, root: Path) -> None:
    before = {file.name: file.read_bytes() for file in pki.iterdir()}
    done = subprocess.run(
        ["sh", root / "docker" / "dev-pki.sh", pki],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "holds a PKI already" in done.stderr
    assert {file.name: file.read_bytes() for file in pki.iterdir()} == before
