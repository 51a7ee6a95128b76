"""The images of a study by its manifest, as their users fetch them."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydicom.dataset import Dataset

from tests.actors.imaging import studies
from tests.actors.imaging.studies import new_uid
from tests.cli.conftest import Run
from tests.node import XDSI, Node, environment, fresh_patient
from tests.peers.pacs import RELATED, part
from tests.peers.stub import Line, Stub
from tests.server.dialect import wait_for
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import Missing, Wanted, chosen, remaining
from xdsi.peers.spool import Spool
from xdsi.standard import dicom
from xdsi.wire.kos import make_manifest, read_manifest, write_manifest


@dataclass(frozen=True, slots=True)
class Study:
    """A study that the node serves. instances: octets by SOP Instance UID; manifest: its file"""

    uid: str
    series: tuple[str, str]
    instances: dict[str, bytes]
    manifest: Path
    files: Path
    patient: str = field(default_factory=lambda: str(fresh_patient()))

    @property
    def source(self) -> str:
        """Retrieve Location UID of its manifest."""
        return chosen(read_manifest(self.manifest))[0].source

    def of(self, series: str) -> dict[str, bytes]:
        """Its instances of one series."""
        return {uid: data for uid, data in self.instances.items() if uid.startswith(f"{series}.")}


@pytest.fixture(scope="module")
def study(real_node: Node, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two series, three images and one; in the node's archive, its manifest submitted."""
    from xdsi.cli import main

    uid = new_uid()
    series = (f"{uid}1", f"{uid}2")
    instances = studies.study(uid, {series[0]: 3, series[1]: 1})
    folder = tmp_path_factory.mktemp("study")
    files = folder / "files"
    files.mkdir()
    for number, data in enumerate(instances.values()):
        (files / f"{number}.dcm").write_bytes(data)
    section = real_node.settings.imaging
    assert section is not None
    manifest = folder / "manifest.dcm"
    write_manifest(
        make_manifest(files.iterdir(), retrieve_location_uid=section.unique_id), manifest
    )
    made = Study(uid, series, instances, manifest, files)
    at = ["--config", str(real_node.config)]
    assert main(["import", str(files), *at]) == 0
    assert main(["submit", str(manifest), "--patient", made.patient, *at]) == 0
    return made


@pytest.fixture
def fetch(call: Run, real_node: Node, study: Study, tmp_path: Path) -> Any:
    """`xdsi fetch`, of this study unless it says otherwise, into a folder of its own."""
    which = ("--study", study.uid, "--patient", study.patient, "--config", real_node.config)
    return partial(call, "fetch", "--into", tmp_path / "into", *which)


def held(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by SOP Instance UID."""
    return {path.stem: path.read_bytes() for path in folder.glob("into/*/*.dcm")}


@pytest.mark.proves("UC-104", "UC-105", "UC-154", "IMG-087", "IMG-190", "IMG-195")
def test_a_study_is_fetched_by_its_manifest(fetch: Any, study: Study, tmp_path: Path) -> None:
    said = fetch("--list")
    assert said.code == 0 and held(tmp_path) == {}
    rows = [line for line in said.out.splitlines() if any(uid in line for uid in study.series)]
    assert len(rows) == 2 and all("no description" in row and "CT" in row for row in rows)
    assert re.search(r"\b3\b.*\b0\b.*MB", rows[0])

    said = fetch()
    assert said.code == 0, said.err
    assert held(tmp_path) == study.instances
    assert {path.parent.name for path in tmp_path.glob("into/*/*.dcm")} == set(study.series)
    assert list((tmp_path / "into").glob("xdsi-spool-*")) == []


@pytest.mark.proves("UC-105")
def test_what_is_there_is_not_asked_for_again(
    fetch: Any, study: Study, real_node: Node, tmp_path: Path
) -> None:
    assert fetch("--series", study.series[1], "--json").code == 0
    assert held(tmp_path) == study.of(study.series[1])
    assert fetch().code == 0
    lost = next(iter(study.of(study.series[0])))
    (tmp_path / "into" / study.series[0] / f"{lost}.dcm").unlink()
    said = fetch("--json")
    (again,) = json.loads(said.out)["fetched"]
    assert again["instance"] == lost and held(tmp_path) == study.instances
    asked = real_node.requests("RAD-69")[-1]["ids"]
    assert lost in asked and not set(asked) & (study.instances.keys() - {lost})


@pytest.mark.proves("UC-105")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["TERM", "INT", "KILL"],
)
def test_a_fetch_that_is_ended_leaves_no_part_of_an_image(
    call: Run, study: Study, real_node: Node, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """At the latest the next one does away with it."""
    (image,) = study.of(study.series[1]).values()

    def drip(line: Line) -> None:
        line.receive()
        line.send(f"HTTP/1.1 200 OK\r\nContent-Type: {RELATED}\r\n\r\n".encode())
        line.send(part(image)[: len(image) // 2])
        with suppress(OSError):
            while True:
                line.send(bytes(1 << 16))
                time.sleep(0.05)

    into = tmp_path / "into"
    options = ("--manifest", study.manifest, "--series", study.series[1], "--into", into)
    with Stub(drip) as source:
        process = subprocess.Popen(
            [*XDSI, "fetch", *map(str, options), "--wado", f"{study.source}={source.address}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        try:
            assert wait_for(lambda: any(f.stat().st_size for f in into.glob("*/*/tmp*")), 30)
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (code, "")
    assert bool(list(into.iterdir())) == (number is signal.SIGKILL)
    assert call("fetch", *options, "--config", real_node.config).code == 0
    assert held(tmp_path) == study.of(study.series[1])
    assert [each.name for each in into.iterdir()] == [study.series[1]]


@pytest.mark.proves("UC-105")
def test_a_full_disk_is_told_and_the_same_command_goes_on(
    fetch: Any, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [2 * max(map(len, study.instances.values()))]

    def take(_: Spool, size: int) -> None:
        left[0] -= size
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    why = (
        f"{tmp_path / 'into'}: No space left on device; "
        "the same command goes on where it stopped once there is room"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "take", take)
        said = fetch("--streams", "1")
        come = held(tmp_path)
        assert 0 < len(come) < len(study.instances)
        assert (said.code, said.err) == (2, f"xdsi: {why}\n")
        assert f"fetched {len(come)} instances, {sum(map(len, come.values()))} bytes" in said.out
        left = [2 * max(map(len, study.instances.values()))]
        said = fetch("--streams", "1", "--json")
    document = json.loads(said.out)
    assert said.code == 2 and document["error"] == why and document["missing"] == []
    fetched = {each["instance"] for each in document["fetched"]}
    assert fetched and fetched == held(tmp_path).keys() - come.keys()
    assert fetch().code == 0 and held(tmp_path) == study.instances


@pytest.mark.proves("UC-105", "IMG-163", "IMG-192", "IMG-197", "MADO-007")
def test_a_study_is_fetched_over_wado_rs(
    call: Run, study: Study, real_node: Node, tmp_path: Path
) -> None:
    """By a service that is named, or where the manifest says, once that is allowed."""
    source, base = str(uuid4().int), f"{real_node.base}/dicom-web"
    manifest = tmp_path / "manifest.dcm"
    place = {"retrieve_location_uid": f"2.25.{source}", "retrieve_url": base}
    write_manifest(make_manifest(study.files.iterdir(), **place), manifest)
    fetch = partial(call, "fetch", "--manifest", manifest, "--config", tmp_path / "none.toml")
    said = fetch("--into", tmp_path / "into", "--imaging", "1.2.3=http://127.0.0.1:9/imaging")
    assert said.code == 1
    assert f"give --imaging 2.25.{source}=URL or --wado 2.25.{source}=URL" in said.err
    assert f"--retrieve-urls to go to '{base}'" in said.err
    before = len(real_node.requests("RAD-107"))
    for number, options in enumerate((("--wado", f"2.25.{source}={base}"), ("--retrieve-urls",))):
        into = tmp_path / str(number)
        said = fetch("--into", into / "into", *options)
        assert said.code == 0, said.err
        assert held(into) == study.instances
    assert len(real_node.requests("RAD-107")) == before + 8

    place["retrieve_url"] = "http://127.0.0.1:9/dicom-web"  # nobody is there
    write_manifest(make_manifest(study.files.iterdir(), **place), manifest)
    said = fetch("--into", tmp_path / "none", "--retrieve-urls")
    assert said.code == 1 and "no whole answer from the source" in said.out
    assert "is not known" not in said.err


@pytest.mark.proves("UC-105", "IMG-150", "IMG-153")
def test_a_study_is_fetched_over_wado_uri(
    call: Run, study: Study, real_node: Node, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.dcm"
    place = {"retrieve_location_uid": "2.25.7", "retrieve_ae_title": "OLD ARCHIVE"}
    write_manifest(make_manifest(study.files.iterdir(), **place), manifest)
    fetch = partial(call, "fetch", "--manifest", manifest, "--config", tmp_path / "none.toml")
    said = fetch("--into", tmp_path / "into", "--wado-uri", f"OLD ARCHIVE={real_node.base}/wado")
    assert said.code == 0, said.err
    assert held(tmp_path) == study.instances
    nobody = "OLD ARCHIVE=http://127.0.0.1:9/wado"
    said = fetch("--into", tmp_path / "none", "--wado-uri", nobody)
    assert said.code == 1 and "no whole answer from the source" in said.out
    assert "is not known" not in said.err
    said = fetch("--into", tmp_path / "none", "--wado-uri", nobody.replace("OLD", "OTHER"))
    assert said.code == 1 and "where source 2.25.7 answers is not known" in said.err


@pytest.mark.proves("UC-107", "UC-153", "IMG-093")
def test_what_the_source_lacks_is_named_and_the_rest_comes(
    fetch: Any, call: Run, study: Study, real_node: Node, tmp_path: Path
) -> None:
    """The manifest names one instance more than the source has."""
    files = tmp_path / "more"
    shutil.copytree(study.files, files)
    more = f"{study.series[0]}.99"
    (files / "more.dcm").write_bytes(
        studies.instance(
            StudyInstanceUID=study.uid, SeriesInstanceUID=study.series[0], SOPInstanceUID=more
        )
    )
    section = real_node.settings.imaging
    assert section is not None
    manifest = tmp_path / "manifest.dcm"
    write_manifest(
        make_manifest(files.iterdir(), retrieve_location_uid=section.unique_id), manifest
    )
    into = tmp_path / "into"
    said = call(
        "fetch", "--manifest", manifest, "--into", into, "--json", "--config", real_node.config
    )
    assert said.code == 1 and held(tmp_path) == study.instances
    (missing,) = json.loads(said.out)["missing"]
    assert missing["instance"] == more
    assert missing["reason"] == "the source has it no longer, or not in this series"
    assert missing["said"].startswith("XDSDocumentUniqueIdError: ")


@pytest.mark.proves("UC-105", "UC-107", "KOS-054")
def test_leading_zeros_do_no_harm_and_what_has_no_uid_is_missing(
    call: Run, study: Study, real_node: Node, tmp_path: Path
) -> None:
    """One image and its series have leading zeros, the series of another has no UID."""

    def sloppily(data: bytes) -> bytes:
        return data.replace(b".107.12", b".007.02").replace(b".107", b".007")

    series = f"{study.series[0]}.107"
    image = studies.instance(
        StudyInstanceUID=study.uid, SeriesInstanceUID=series, SOPInstanceUID=f"{series}.12"
    )
    file = tmp_path / "sloppy.dcm"
    file.write_bytes(sloppily(image))
    assert call("import", file, "--config", real_node.config).code == 0
    data = make_manifest(study.files.iterdir(), retrieve_location_uid=study.source)
    listed = data.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    (nameless,) = [each for each in listed if each.SeriesInstanceUID == study.series[1]]
    sloppy = deepcopy(nameless)
    nameless.SeriesInstanceUID = ""
    sloppy.SeriesInstanceUID = series
    sloppy.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = f"{series}.12"
    listed.append(sloppy)
    manifest = tmp_path / "manifest.dcm"
    write_manifest(data, manifest)
    manifest.write_bytes(sloppily(manifest.read_bytes()))
    series = f"{study.series[0]}.007"
    options = ("--manifest", manifest, "--into", tmp_path / "into", "--config", real_node.config)
    said = call("fetch", *options, "--json")
    (lost,) = study.of(study.series[1])
    assert said.code == 1
    assert held(tmp_path) == {**study.of(study.series[0]), f"{series}.02": file.read_bytes()}
    (missing,) = json.loads(said.out)["missing"]
    assert (missing["series"], missing["instance"]) == ("", lost)
    assert missing["reason"] == "the manifest names it, its series or its study by no UID"
    assert call("fetch", *options, "--series", series).code == 0
    assert f"missing {lost}: the manifest names it" in call("fetch", *options).out


@pytest.mark.parametrize("uid", ["../1.2.3", "1/2", "", "1.2\0", "1" * 65])
@pytest.mark.proves("SEC-T-152")
def test_what_has_no_uid_is_never_looked_for(tmp_path: Path, uid: str) -> None:
    bad = Wanted("1.2", "1.2.1", uid, dicom.KEY_OBJECT_SELECTION, "1.2.3")
    (tmp_path / "1.2.3.dcm").touch()
    (tmp_path / "1.2.1").mkdir()
    asked = (bad, replace(bad, sop_instance_uid="1.2.3", series_instance_uid=uid))
    assert remaining(asked, tmp_path) == asked
    with ImagingConsumer({"1.2.3": "http://127.0.0.1:9"}) as consumer:
        (missing,) = consumer.fetch([bad], tmp_path)
    assert isinstance(missing, Missing) and "by no UID" in missing.reason


@pytest.mark.proves("UC-157", "IMG-112")
def test_the_text_tells_which_transfer_syntaxes_exist(
    fetch: Any, study: Study, tmp_path: Path
) -> None:
    said = fetch("--syntax", dicom.JPEG_2000, "--series", study.series[1])
    assert said.code == 1 and held(tmp_path) == {}
    assert "cannot send it like this" in said.out
    assert dicom.EXPLICIT_LITTLE_ENDIAN in said.out
    assert fetch("--syntax", dicom.EXPLICIT_LITTLE_ENDIAN, "--series", study.series[1]).code == 0
    assert held(tmp_path) == study.of(study.series[1])


@dataclass(frozen=True, slots=True)
class Noted:
    """A note of one image of the study. key: its UID; manifest: lists both"""

    key: str
    note: Dataset
    manifest: Path
    files: Path

    @property
    def uid(self) -> str:
        return str(self.note.SOPInstanceUID)

    def manifest_without(self, study: Study, uid: str) -> Path:
        """One that does not list this image."""
        left = [each for each in self.files.iterdir() if each.read_bytes() != study.instances[uid]]
        manifest = self.files.parent / "less.dcm"
        write_manifest(make_manifest(left, retrieve_location_uid=study.source), manifest)
        return manifest


@pytest.fixture
def noted(call: Run, study: Study, real_node: Node, tmp_path: Path) -> Noted:
    files, key = tmp_path / "files", next(iter(study.instances))
    shutil.copytree(study.files, files)
    note = make_manifest(
        [path for path in files.iterdir() if path.read_bytes() == study.instances[key]],
        retrieve_location_uid=study.source,
    )
    note.ConceptNameCodeSequence[0].CodeValue = "113000"
    note.ConceptNameCodeSequence[0].CodeMeaning = "Of Interest"
    write_manifest(note, files / "note.dcm")
    assert call("import", files / "note.dcm", "--config", real_node.config).code == 0
    manifest = tmp_path / "manifest.dcm"
    write_manifest(make_manifest(files.iterdir(), retrieve_location_uid=study.source), manifest)
    return Noted(key, note, manifest, files)


@pytest.mark.proves("UC-014", "MADO-157")
def test_key_images_come_with_their_note(
    call: Run, study: Study, real_node: Node, noted: Noted, tmp_path: Path
) -> None:
    """A note of the study names one of its images."""
    said = call(
        *("fetch", "--manifest", noted.manifest, "--key-images"),
        *("--into", tmp_path / "into", "--config", real_node.config),
    )
    assert said.code == 0, said.err
    assert held(tmp_path).keys() == {noted.key, noted.uid}

    # the series limits the images, not where notes of them lie
    of_key = next(uid for uid in study.series if noted.key in study.of(uid))
    said = call(
        *("fetch", "--manifest", noted.manifest, "--key-images", "--series", of_key),
        *("--into", tmp_path / "one" / "into", "--config", real_node.config),
    )
    assert said.code == 0, said.err
    assert held(tmp_path / "one").keys() == {noted.key, noted.uid}


@pytest.mark.proves("UC-014", "UC-107")
def test_a_key_image_that_the_manifest_does_not_list_is_missing(
    call: Run, study: Study, real_node: Node, noted: Noted, tmp_path: Path
) -> None:
    fetch = partial(
        *(call, "fetch", "--manifest", noted.manifest_without(study, noted.key), "--key-images"),
        *("--into", tmp_path / "into", "--config", real_node.config),
    )
    said = fetch("--json")
    assert said.code == 1 and held(tmp_path).keys() == {noted.uid}
    (missing,) = json.loads(said.out)["missing"]
    assert missing["instance"] == noted.key
    assert missing["reason"] == "a key object note names it, but the manifest does not"
    said = fetch()
    assert f"missing {noted.key}: a key object note names it" in said.out and said.err == ""
    other = next(uid for uid in study.series if noted.key not in study.of(uid))
    assert fetch("--series", other).code == 0


@pytest.mark.proves("UC-014")
def test_what_a_note_takes_back_is_no_key_image(
    call: Run, real_node: Node, noted: Noted, tmp_path: Path
) -> None:
    noted.note.ConceptNameCodeSequence[0].CodeValue = "113001"
    place = tmp_path / "into" / str(noted.note.SeriesInstanceUID) / f"{noted.uid}.dcm"
    place.parent.mkdir(parents=True)
    write_manifest(noted.note, place)
    said = call(
        *("fetch", "--manifest", noted.manifest, "--key-images"),
        *("--into", tmp_path / "into", "--config", real_node.config),
    )
    assert said.code == 0 and held(tmp_path).keys() == {noted.uid}


NOBODY = "NOBODY^^^&2.999.7&ISO"
USAGE: list[tuple[str, tuple[str, ...], str]] = [
    ("no patient", ("--study", "1.2.3"), "--study: needs --patient"),
    ("neither", (), "--patient: whose documents?"),
    ("streams", ("--study", "1.2.3", "--streams", "0"), "expected 1 or more"),
    ("both", ("--study", "1.2.3", "--manifest", "x"), "not allowed with argument --study"),
    ("document", ("--study", "1.2.3", "--document", "1.2"), "--document: names a document"),
    ("list of nothing", ("--patient", NOBODY, "--list"), "--list: of which images?"),
    ("series of nothing", ("--patient", NOBODY, "--series", "1.2"), "--series: of which"),
    ("notes of nothing", ("--patient", NOBODY, "--key-images"), "--key-images: of which"),
    ("syntax of nothing", ("--patient", NOBODY, "--syntax", "1.2"), "--syntax: of which"),
    ("source without OID", ("--imaging", "http://localhost/i"), "needs the Retrieve Location UID"),
]


@pytest.mark.parametrize(("options", "text"), [pytest.param(*row[1:], id=row[0]) for row in USAGE])
def test_wrong_usage_is_one_line(
    call: Run, study: Study, real_node: Node, options: tuple[str, ...], text: str, tmp_path: Path
) -> None:
    if "--imaging" in options:
        options += ("--manifest", str(study.manifest))
    said = call("fetch", *options, "--config", real_node.config, "--into", tmp_path)
    assert said.code == 2 and text in said.err.splitlines()[0 - 1]


def test_an_unknown_study_or_series_is_told(fetch: Any, call: Run, real_node: Node) -> None:
    said = fetch("--series", "1.2.3")
    assert said.code == 1 and "the manifest has no series 1.2.3" in said.complaint
    whom = ("--patient", str(fresh_patient()), "--config", real_node.config)
    said = call("fetch", "--study", "1.2.3", *whom)
    assert said.code == 1 and "no manifest of study 1.2.3" in said.complaint
    said = call("fetch", "--study", "1.2.3", *whom, "--json")
    assert said.code == 1 and "no manifest of study 1.2.3" in json.loads(said.out)["error"]


@pytest.mark.proves("UC-107")
def test_a_source_without_address_and_one_that_is_away(study: Study, tmp_path: Path) -> None:
    wanted = chosen(read_manifest(study.manifest))
    with ImagingConsumer({}) as consumer:
        results = list(consumer.fetch(wanted, tmp_path))
    assert {each.reason for each in results} == {  # type: ignore[union-attr]
        f"no address is known of its source {wanted[0].source}"
    }
    with ImagingConsumer({wanted[0].source: "http://127.0.0.1:9"}) as consumer:
        results = list(consumer.fetch(wanted, tmp_path))
    assert len(results) == len(wanted)
    assert all("no whole answer from the source" in each.reason for each in results)  # type: ignore[union-attr]
    assert list(tmp_path.iterdir()) == []
