"""`xdsi watch`: studies are published when they are quiet; a restart loses and repeats nothing."""

import errno
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_publish import current, node
from tests.client.imagestudies import Study
from tests.node import AUTHORITY, XDSI, Node, environment
from xdsi.model.values import CX
from xdsi.wire.dicomfile import is_part10

__all__ = ["node"]

NOW = ("--once", "--settle", "0", "--json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


@pytest.fixture
def study(folder: Path) -> Study:
    made = Study(folder / "one")
    made.add_series(1, 2)
    return made


class Watching:
    """`xdsi watch --once` with a state of its own."""

    def __init__(self, call: Run, node: Node, state: Path) -> None:
        self.call, self.node, self.state = call, node, state

    def once(self, *more: str | Path, code: int = 0) -> list[tuple[str, str]]:
        """Study and outcome of each line."""
        said = self.call("watch", *more, "--config", self.node.config, "--state", self.state, *NOW)
        assert said.code == code, said.err
        lines = [json.loads(line) for line in said.out.splitlines()]
        return [(each["study"], each["outcome"]) for each in lines]


@pytest.fixture
def watching(call: Run, node: Node, tmp_path: Path) -> Watching:
    return Watching(call, node, tmp_path / "state.db")


@pytest.mark.proves("IMG-012", "IMG-014", "IMG-016", "UC-122", "UC-152")
def test_folder(watching: Watching, folder: Path, study: Study) -> None:
    (folder / "notes.txt").write_text("no DICOM\n")
    assert watching.once(folder) == [(study.uid, "new")]
    assert watching.once(folder) == []
    study.add_series(3, 1)
    other = Study(folder / "two")
    other.add(1, 1)
    assert sorted(watching.once(folder)) == sorted([(study.uid, "replaced"), (other.uid, "new")])
    study.reject((1, 1))
    assert watching.once(folder) == [(study.uid, "replaced")]
    for each in study.folder.iterdir():
        each.unlink()
    assert watching.once(folder) == [(study.uid, "stale")]
    assert watching.once(folder) == []
    assert len(current(watching.node, study)) == 1
    study.add(1, 1)
    assert watching.once(folder) == [(study.uid, "replaced")]


@pytest.mark.proves("IMG-015")
def test_study_that_is_gone_is_withdrawn_on_demand(
    watching: Watching, folder: Path, study: Study
) -> None:
    Study(folder / "two").add(1, 1)
    watching.once(folder)
    for each in study.folder.iterdir():
        each.unlink()
    assert watching.once(folder, "--withdraw") == [(study.uid, "withdrawn")]
    assert current(watching.node, study) == []


def test_empty_folder_is_taken_for_a_disk_that_is_away(
    watching: Watching, folder: Path, study: Study
) -> None:
    watching.once(folder)
    for each in study.folder.iterdir():
        each.unlink()
    assert watching.once(folder, "--withdraw", code=1) == [(None, "failed")]
    assert len(current(watching.node, study)) == 1


def test_a_file_that_cannot_be_read_stops_nothing(
    watching: Watching, folder: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    watching.once(folder)
    bad = study.folder / "1-1.dcm"
    content = bad.read_bytes()
    monkeypatch.setattr("xdsi.wire.dicomfolder.is_part10", partial(broken, content[:132]))
    bad.write_bytes(content + b"\0" * 8)
    other = Study(folder / "two")
    other.add(1, 1, PatientName="Another^Anna")
    (other.folder / "1-1.dcm").write_bytes(b"\1" + (other.folder / "1-1.dcm").read_bytes()[1:])
    said = watching.call(
        "watch", folder, "--config", watching.node.config, "--state", watching.state, *NOW
    )
    assert said.code == 0
    assert f"{bad}: Input/output error; what is known of it stays" in said.err
    assert [json.loads(line)["study"] for line in said.out.splitlines()] == [other.uid]
    assert len(current(watching.node, study)) == 1


def broken(head: bytes, data: bytes) -> bool:
    """A disk that fails at this one place."""
    if data == head:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return is_part10(data)


@pytest.mark.proves("UC-122", "UC-152")
def test_archive(watching: Watching, call: Run, study: Study) -> None:
    config = ("--config", watching.node.config)
    call("import", study.folder, *config)
    assert (study.uid, "new") in watching.once()
    assert watching.once() == []
    call("import", study.add(2, 1), *config)
    assert watching.once() == [(study.uid, "replaced")]
    call("import", study.reject((1, 1)), *config)
    assert watching.once() == [(study.uid, "replaced")]
    call("images", "remove", study.uid, "--instance", study.instance(2, 1), *config)
    assert watching.once() == [(study.uid, "replaced")]


def test_lost_state_repeats_nothing(watching: Watching, folder: Path, study: Study) -> None:
    watching.once(folder)
    watching.state.unlink()
    assert watching.once(folder) == [(study.uid, "unchanged")]


def test_state_is_its_owners_and_of_one_folder(
    watching: Watching, call: Run, folder: Path, study: Study, tmp_path: Path
) -> None:
    watching.once(folder)
    assert watching.state.stat().st_mode & 0o077 == 0
    said = call(
        "watch", tmp_path, "--config", watching.node.config, "--state", watching.state, *NOW
    )
    assert said.code == 2
    assert f"is the state of watching folder {folder}" in json.loads(said.out)["error"]


def test_study_in_motion_waits(watching: Watching, call: Run, folder: Path, study: Study) -> None:
    said = call(
        "watch", folder, "--config", watching.node.config, "--state", watching.state, "--once",
        "--settle", "3600",
    )  # fmt: skip
    assert (said.code, said.out, said.err) == (0, "", "")
    os.utime(study.folder / "1-1.dcm", (0, 0))  # the time of its content, not of its arrival
    assert current(watching.node, study) == []


def test_failure_of_one_study_does_not_stop_the_others(
    watching: Watching, folder: Path, study: Study
) -> None:
    foreign = Study(folder / "foreign", "2.999.1")
    foreign.add(1, 1)
    broken = folder / "broken.dcm"
    broken.write_bytes((foreign.folder / "1-1.dcm").read_bytes()[:300])
    assert sorted(watching.once(folder, code=1)) == sorted(
        [(foreign.uid, "failed"), (study.uid, "new")]
    )
    # it waits for half a minute, then longer
    assert watching.once(folder) == []
    foreign.authority = AUTHORITY
    foreign.add(1, 1)
    assert watching.once(folder) == [(foreign.uid, "new")]


@pytest.fixture
def process(node: Node, folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    watch = subprocess.Popen(
        [
            *XDSI, "watch", str(folder), "--config", str(node.config), "--settle", "0",
            "--every", "0.2", "--state", str(tmp_path / "state.db"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    yield watch
    if watch.poll() is None:
        watch.kill()
    watch.communicate()


@pytest.mark.proves("UC-122")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_process_publishes_and_ends_cleanly(
    node: Node, folder: Path, study: Study, process: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"{study.uid}: new, 2 instances, manifest ")
    study.add(2, 1)
    assert "replaced (gained 1, lost 0)" in process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.proves("IMG-014")
@pytest.mark.parametrize("withdraw", [True, False], ids=["withdrawn", "told"])
def test_a_corrected_patient_leaves_no_manifest_under_the_wrong_one(
    watching: Watching, folder: Path, study: Study, withdraw: bool
) -> None:
    more = ("--withdraw",) if withdraw else ()
    wrong = CX(f"{study.patient}^^^&{AUTHORITY}&ISO")
    assert watching.once(folder, *more) == [(study.uid, "new")]
    study.patient += "-right"
    study.add_series(1, 2)
    outcome = "withdrawn" if withdraw else "stale"
    assert watching.once(folder, *more) == [(study.uid, "new"), (study.uid, outcome)]
    assert len(current(watching.node, study)) == 1
    assert len(current(watching.node, study, wrong)) == (not withdraw)
    assert watching.once(folder, *more) == []
