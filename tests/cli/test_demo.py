"""`xdsi demo`: the main job from an empty folder, again in the same one, and out of the way."""

import json
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Said, program
from tests.node import XDSI, environment, free_port, wait_for


@dataclass(frozen=True, slots=True)
class Twice:
    """Two demos in one folder; the places where they may leave something."""

    folder: Path
    said: tuple[Said, Said]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    folder = tmp_path_factory.mktemp("demo")
    for name in ("a blank", "home"):
        (folder / name).mkdir()

    def run() -> Said:
        return program(
            "demo", "--exit", "--folder", "the demo", "--port", str(free_port()),
            cwd=folder / "a blank", HOME=str(folder / "home"), TMPDIR=str(folder),
        )  # fmt: skip

    return Twice(folder, (run(), run()))


def test_demo_does_the_main_job_as_often_as_one_likes(twice: Twice) -> None:
    """Reports as CDA and PDF and a manifest, of an invented patient and a real study."""
    patients = set()
    for said in twice.said:
        assert (said.code, said.err) == (0, "")
        for step in ("ITI-41", "ITI-42", "ITI-18", "ITI-43", "RAD-69", "WADO-WS"):
            assert f"{step} " in said.out
        assert "7 of 7 images, byte for byte as stored" in said.out
        assert "the picture that the original gives" in said.out
        assert "3 documents, size and hash compared" in said.out
        assert said.out.count(" equal") == 3
        assert "11 real images" in said.out
        series = re.findall(r"series (\S+)\n +(\d+) instance", said.out)
        assert len(series) == 3 and sum(int(count) for _, count in series) == 11
        patients |= set(re.findall(r"FindDocuments of (\S+):", said.out))
        assert "\x1b" not in said.out
    assert len(patients) == 4


@pytest.mark.proves("UC-150", "UC-151")
def test_demo_crosses_a_border(twice: Twice) -> None:
    """Found, read and fetched; then a source is stopped, and what it has is named."""
    for said in twice.said:
        abroad = said.out.partition("Across the border")[2].partition("How to go on")[0]
        for step in ("ITI-55", "ITI-18", "ITI-38", "ITI-43", "ITI-39", "RAD-69", "RAD-75"):
            assert f"{step} " in abroad
        assert abroad.count("3 documents of urn:oid:2.25.") == 2
        assert "the report: Normal finding." in abroad
        assert "7 images, byte for byte as stored" in abroad
        assert "7 images do not come: its source does not answer there" in abroad
        assert "XDSRepositoryError" in abroad and "Connection refused" in abroad
    logs = twice.folder / "a blank" / "the demo"
    asked = [json.loads(line) for line in (logs / "north.log").read_text().splitlines()]
    transactions = {line["transaction"] for line in asked if line["event"] == "request"}
    assert transactions >= {"ITI-55", "ITI-38", "ITI-39", "RAD-75"}


def test_demo_stays_in_its_folder(twice: Twice) -> None:
    names = {each.name: [inner.name for inner in each.iterdir()] for each in twice.folder.iterdir()}
    assert names == {"a blank": ["the demo"], "home": []}
    log = (twice.folder / "a blank" / "the demo" / "node.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    told = [(line["transaction"], line["status"]) for line in lines if line["event"] == "request"]
    # a source is stopped at the end of each run, and its images are asked for in two requests
    assert Counter(told)["RAD-69", "Failure"] == 4
    assert Counter(status for _, status in told) == {"Success": len(told) - 4, "Failure": 4}


def test_commands_it_proposes_can_be_typed(twice: Twice) -> None:
    out = twice.said[1].out
    lines = out[out.index("How to go on") :].splitlines()
    serve, find, _ = (line.strip() for line in lines if " serve " in line or " find " in line)
    with subprocess.Popen(
        serve, shell=True, stdout=subprocess.PIPE, text=True, env=environment(),
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as node:  # fmt: skip
        try:
            assert node.stdout is not None
            assert node.stdout.readline().strip() == "ready"
            done = subprocess.run(find, shell=True, capture_output=True, text=True, check=False)
            assert done.stdout.count("uniqueId") == 3, done.stderr
        finally:
            os.killpg(node.pid, signal.SIGTERM)


def test_node_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    assert program("init", tmp_path / "x" / "node").code == 0
    (tmp_path / "x" / "node" / "registry.db").unlink()
    said = program("demo", "--exit", "--folder", tmp_path / "x", "--port", str(free_port()))
    assert (said.code, said.err) == (0, "")


def test_port_given_and_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = program("demo", "--exit", "--folder", tmp_path / "x", "--port", str(port))
    assert said.code == 2
    assert said.err.count("\n") == 1 and said.err.startswith("xdsi: server.port: ")
    assert str(port) in said.err


def test_usual_port_taken_leads_to_another_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        except OSError:
            pass  # somebody else has it: all the better
        said = program("demo", "--exit", "--folder", tmp_path / "x")
    assert said.code == 0
    (port,) = re.findall(r"answers at http://127.0.0.1:(\d+), as port 8080 is taken\n", said.out)
    assert port != "8080"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_demo_takes_its_node_with_it(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    demo = subprocess.Popen(
        [*XDSI, "demo", "--folder", str(tmp_path / "x"), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if "keeps running" in line:
                break
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        demo.send_signal(number)
        _, err = demo.communicate(timeout=60)
    finally:
        demo.kill()
    assert err == ""
    assert demo.returncode == (0 if number == signal.SIGINT else 128 + number)

    def is_gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    assert wait_for(is_gone)
