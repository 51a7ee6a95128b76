"""A foreign distribution that owns a root package of ours is refused."""

from pathlib import Path

import pytest

from tests.install.conftest import run
from xdsi.ownership import ROOT_PACKAGES, ForeignPackages, refuse_foreign_packages


def distribution(folder: Path, name: str, package: str) -> None:
    """What pip leaves in site-packages for a distribution with one package."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n")


def test_our_own_packages_are_accepted() -> None:
    refuse_foreign_packages()


def test_a_foreign_distribution_with_other_packages_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "elsewhere", "registries")
    monkeypatch.syspath_prepend(tmp_path)
    refuse_foreign_packages()


@pytest.mark.parametrize("package", ROOT_PACKAGES)
def test_a_foreign_owner_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    distribution(tmp_path, "elsewhere", package)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ForeignPackages, match=rf"{package} \(also installed by elsewhere\)"):
        refuse_foreign_packages()


@pytest.mark.parametrize("command", ["check", "serve"])
def test_installed_command_refuses_a_foreign_owner(
    installed: Path, tmp_path: Path, command: str
) -> None:
    xdsi = installed.with_name("xdsi")
    done = run(xdsi, "init", "node", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (site,) = (installed.parent.parent / "lib").glob("python*/site-packages")
    distribution(site, "elsewhere", "registry")
    done = run(xdsi, command, "--config", "node/xdsi.toml", cwd=tmp_path, timeout=30)
    assert done.returncode != 0
    assert "registry (also installed by elsewhere)" in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
