"""Stories of use-cases.md 7 about images, played from publishing to the files a reader has.

UC-154 and UC-157 are played in test_fetch_images.py.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.actors.imaging import studies
from tests.cli.conftest import Run
from tests.client.imagestudies import Study
from tests.node import Node, fresh_patient
from tests.wire import test_mado
from tests.wire.studies import write
from tests.wire.test_kos import bytes_of, large, reread
from xdsi.standard import mado
from xdsi.wire import kos


class Reader:
    """The commands of one reader. patient: whose documents; into: where files go"""

    def __init__(self, call: Run, node: Node, into: Path) -> None:
        self.call, self.node, self.into = call, node, into
        self.patient = str(fresh_patient())

    @property
    def source_id(self) -> str:
        section = self.node.settings.imaging
        assert section is not None
        return section.unique_id

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        said = self.call(*arguments, "--config", self.node.config)
        assert said.code == code, said
        return said.out

    def publish(self, study: Study) -> None:
        self.run("import", study.folder)
        self.run("publish", study.uid, "--patient", self.patient)

    def submit(self, manifest: Path) -> None:
        self.run("submit", manifest, "--patient", self.patient)

    def found(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.run("find", "--patient", self.patient, "--json")
        )
        return found

    def series(self, study: str) -> list[str]:
        """The rows of the table of series."""
        shown = self.run("fetch", "--list", *self._images(study))
        return [line for line in shown.splitlines() if self.source_id in line]

    def fetch(self, study: str, *more: str | Path, code: int = 0) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(
            self.run("fetch", "--json", *self._images(study), *more, code=code)
        )
        return told

    def held(self) -> dict[str, bytes]:
        """What has come, by SOP Instance UID."""
        return {path.stem: path.read_bytes() for path in self.into.glob("*/*.dcm")}

    def _images(self, study: str) -> tuple[str | Path, ...]:
        return ("--study", study, "--patient", self.patient, "--into", self.into)


@pytest.fixture
def reader(call: Run, real_node: Node, tmp_path: Path) -> Reader:
    return Reader(call, real_node, tmp_path / "into")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "study")


@pytest.mark.proves("UC-152", "MADO-008", "MADO-009", "IMG-002", "IMG-003", "IMG-004", "IMG-014")
def test_a_study_that_gains_a_series_stays_one_study(reader: Reader, study: Study) -> None:
    study.add_series(1, 2)
    study.add_series(2, 1)
    reader.publish(study)
    (first,) = reader.found()
    study.add_series(3, 1)
    reader.publish(study)
    (second,) = reader.found()
    assert second["uniqueId"] != first["uniqueId"]
    assert len(reader.series(study.uid)) == 3
    reader.fetch(study.uid)
    assert len(reader.held()) == 4


@pytest.mark.proves("UC-153", "UC-107", "IMG-016", "IMG-093")
def test_an_instance_rejected_for_quality_is_named_and_the_others_come(
    reader: Reader, study: Study
) -> None:
    """First by the manifest that still names it, then by the one that no longer does."""
    study.add_series(1, 3)
    reader.publish(study)
    reader.run("import", study.reject((1, 2)))
    told = reader.fetch(study.uid, code=1)
    (missing,) = told["missing"]
    assert missing["instance"] == study.instance(1, 2)
    assert missing["said"].startswith("XDSDocumentUniqueIdError: ")
    assert reader.held().keys() == {study.instance(1, 1), study.instance(1, 3)}

    reader.publish(study)
    assert reader.fetch(study.uid)["missing"] == []
    (row,) = reader.series(study.uid)
    assert re.search(r"CT +2 +2 ", row)


# mado.md 9: 1 to 4 and 9
FAULTS = ("number beside", "count as text", "no continuity", "underscores", "KO as modality")


@pytest.mark.proves("UC-155", "MADO-155", "MADO-156")
def test_a_partner_s_manifest_in_trial_codes_with_faults_is_read_and_used(
    reader: Reader, tmp_path: Path
) -> None:
    uid = studies.new_uid()
    instances = studies.study(uid, {f"{uid}1": 2}, SeriesDescription="Head, thin")
    files = tmp_path / "files"
    files.mkdir()
    for name, data in instances.items():
        (files / name).write_bytes(data)
    reader.run("import", files)
    made = kos.make_manifest(
        files.iterdir(), retrieve_location_uid=reader.source_id, mado=mado.TRIAL
    )
    item = reread(made)
    for fault in FAULTS:
        test_mado.DAMAGES[fault][1](item)
    manifest = tmp_path / "manifest.dcm"
    manifest.write_bytes(bytes_of(item))
    reader.submit(manifest)

    (entry,) = reader.found()
    assert entry["uniqueId"] == made.SOPInstanceUID
    (row,) = reader.series(uid)
    assert re.search(r"1 +CT +2 +0 .*Head, thin", row)
    reader.fetch(uid)
    assert reader.held() == instances

    shown = reader.call("manifest", "show", manifest)
    assert shown.code == 0 and "MADO, trial codes" in shown.out
    for fault in FAULTS:
        assert test_mado.DAMAGES[fault][0] in shown.err


@pytest.mark.proves("UC-155", "IMG-194")
def test_a_published_manifest_in_trial_codes_is_taken_and_opened(
    reader: Reader, shared: Path
) -> None:
    """Its images lie elsewhere: that is told of each, and the repository is not asked for them."""
    sample = shared / "samples" / "mado" / "ihe-mado-kos-a.dcm"
    manifest = kos.read_manifest(sample)
    reader.submit(sample)
    uid = manifest.study_instance_uid
    shown = reader.run(
        "fetch", "--list", "--study", uid, "--patient", reader.patient, "--into", reader.into
    )
    assert "Series A1" in shown and "Series A2" in shown
    before = len(reader.node.requests("RAD-69"))
    said = reader.call(
        *("fetch", "--json", "--study", uid, "--patient", reader.patient),
        *("--into", reader.into, "--config", reader.node.config),
    )
    assert said.code == 1
    told = json.loads(said.out)
    places = {series.retrieve_location_uid for _, series, _ in manifest.references()}
    assert {each["reason"] for each in told["missing"]} == {
        f"no address is known of its source {place}" for place in places
    }
    assert all(f"give --imaging {place}=URL" in said.err for place in places)
    assert len(told["missing"]) == 86
    assert len(reader.node.requests("RAD-69")) == before


@pytest.mark.proves("UC-156", "IMG-087")
def test_a_study_of_20000_instances_is_registered_opened_and_fetched_in_chunks(
    reader: Reader, tmp_path: Path
) -> None:
    """The source has one of its twenty series, a small one."""
    header = large(20_000)
    first, second, *others = header.series
    series = replace(first, instances=first.instances[:300])
    second = replace(second, instances=second.instances + first.instances[300:])
    header = replace(header, series=(series, second, *others))
    files = tmp_path / "files"
    files.mkdir()
    same = {"StudyInstanceUID": header.study_instance_uid, "PatientID": "T-1"}
    one = write(
        files / "one", SOPInstanceUID="1" * 64, SeriesInstanceUID=series.series_instance_uid, **same
    )
    template = one.read_bytes()
    one.unlink()
    for each in series.instances:
        uid = each.sop_instance_uid.encode().ljust(64, b"\0")
        (files / each.sop_instance_uid).write_bytes(template.replace(b"1" * 64, uid))
    reader.run("import", files)
    manifest = tmp_path / "manifest.dcm"
    manifest.write_bytes(
        kos.manifest_bytes(kos.manifest_of(header, retrieve_location_uid=reader.source_id))
    )
    reader.submit(manifest)
    rows = reader.series(header.study_instance_uid)
    assert [row.split()[1] for row in rows] == ["300", "1700", *["1000"] * 18]

    before = len(reader.node.requests("RAD-69"))
    told = reader.fetch(header.study_instance_uid, "--series", series.series_instance_uid)
    assert told["missing"] == []
    assert reader.held() == {path.name: path.read_bytes() for path in files.iterdir()}
    assert len(reader.node.requests("RAD-69")) - before > 4
