"""`xdsi publish`: a line for each study, exit codes, rules; from a folder and from the archive."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Run
from tests.client.imagestudies import Study
from tests.node import AUTHORITY, Node, change, free_port, fresh_patient, init, serving
from tests.peers.pacs import STUDY, Pacs, dicom
from xdsi.model.values import CX
from xdsi.wire.kos import read_manifest


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the embedded archive."""
    port = free_port()
    config = init(tmp_path_factory.mktemp("imaging"), port)
    public = f'"http://127.0.0.1:{port}"'
    change(config, without_descriptions='["*dose*"]', public_url=public)
    with serving(config) as running:
        yield running


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study(tmp_path / "study")
    made.add_series(1, 2)
    made.add_series(2, 1, SeriesDescription="Dose Report", Modality="SR")
    return made


def current(node: Node, study: Study, patient: CX | None = None) -> list[str]:
    patient = patient or CX(f"{study.patient}^^^&{AUTHORITY}&ISO")
    with node.consumer() as consumer:
        found = consumer.find_by_reference(patient, study.uid)
    return [str(each.unique_id) for each in found]


@pytest.mark.proves("UC-120", "UC-124")
def test_folder_is_published_in_one_line(node: Node, study: Study, call: Run) -> None:
    said = call("publish", study.folder, "--config", node.config)
    assert (said.code, said.err) == (0, "")
    (manifest,) = current(node, study)
    assert said.out == f"{study.uid}: new, 2 instances, 1 not shared, manifest {manifest}\n"
    study.add(1, 3)
    (study.folder / "1-1.dcm").unlink()
    said = call("publish", study.folder, "--config", node.config)
    assert said.out.startswith(f"{study.uid}: replaced (gained 1, lost 1), 1 not shared, manifest ")
    (manifest,) = current(node, study)
    said = call("publish", study.folder, "--config", node.config, "--json")
    assert json.loads(said.out)["studies"] == [
        {
            "study": study.uid,
            "outcome": "unchanged",
            "manifest": manifest,
            "gained": 0,
            "lost": 0,
            "leftOut": 1,
            "replaced": [],
            "notes": [],
            "warnings": [],
        }
    ]


@pytest.mark.proves("UC-120")
def test_study_of_a_dicomweb_archive_is_published_by_its_metadata(
    node: Node, call: Run, tmp_path: Path
) -> None:
    config = node.config.with_name("elsewhere.toml")
    config.write_text(node.config.read_text())
    patient = str(fresh_patient())
    with Pacs({n: dicom(n) for n in (1, 2, 3)}) as there:
        change(config, archive=json.dumps(there.base))
        said = call("publish", STUDY, "--config", config, "--patient", patient)
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(f"{STUDY}: new, 3 instances")
    said = call("publish", STUDY, "--config", config, "--patient", patient)
    assert said.code == 2
    assert said.complaint.endswith("the archive does not tell of it (Connection refused)")


@pytest.mark.proves("IMG-014")
def test_study_under_the_wrong_patient_is_published_under_the_right_one(
    node: Node, study: Study, call: Run
) -> None:
    wrong, right = fresh_patient(), fresh_patient()
    at = (study.folder, "--config", node.config, "--patient")
    assert call("publish", *at, str(wrong)).code == 0
    said = call("publish", *at, str(right), "--was", str(wrong))
    assert said.code == 1
    assert f"{study.uid}: new" in said.out and f"{study.uid}: still shared" in said.out
    assert str(wrong) in said.err
    said = call("publish", *at, str(right), "--was", str(wrong), "--withdraw")
    assert (said.code, said.out.count(study.uid)) == (0, 2), said.err
    assert [len(current(node, study, each)) for each in (wrong, right)] == [0, 1]


@pytest.mark.proves("UC-120")
def test_a_study_that_is_none_keeps_no_other_from_being_published(
    node: Node, study: Study, call: Run, tmp_path: Path
) -> None:
    mixed = Study(tmp_path / "mixed")
    mixed.add(1, 1)
    mixed.add(1, 2, PatientID="T-somebody-else")
    for each in (study, mixed):
        assert call("import", each.folder, "--config", node.config).code == 0
    said = call("publish", mixed.uid, study.uid, "--config", node.config, "--json")
    assert said.code == 1
    told = json.loads(said.out)
    assert [each["study"] for each in told["studies"]] == [study.uid]
    ((failed, why),) = [(each["study"], each["reason"]) for each in told["failed"]]
    assert failed == mixed.uid and "2 different Patient IDs" in why
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{node.base}/dicom-web/studies?StudyInstanceUID={mixed.uid}")
    assert refused.value.code == 409 and "2 different Patient IDs" in refused.value.read().decode()


@pytest.mark.proves("IMG-190", "IMG-191", "IMG-192", "MADO-033", "MADO-034")
@pytest.mark.parametrize("location", [None, "1.2.3.4"], ids=["of the node", "of another source"])
def test_manifest_says_where_the_images_are(
    node: Node, study: Study, call: Run, tmp_path: Path, location: str | None
) -> None:
    section = node.settings.imaging
    assert section is not None
    other = ("--location", location) if location else ()
    assert call("publish", study.folder, *other, "--config", node.config).code == 0
    with node.consumer() as consumer:
        patient = CX(f"{study.patient}^^^&{AUTHORITY}&ISO")
        (received,) = consumer.retrieve(consumer.find_documents(patient), tmp_path)
    (_, series, _), *_ = read_manifest(received.path).references()
    assert (series.retrieve_location_uid, series.retrieve_ae_title, series.retrieve_url) == (
        (location, "", "") if location else (section.unique_id, "XDSI", f"{node.base}/dicom-web")
    )


@pytest.mark.proves("IMG-016", "UC-122")
def test_study_of_the_archive_is_published(node: Node, study: Study, call: Run) -> None:
    """An instance rejected for quality is no longer in the manifest (UC-153)."""
    call("import", study.folder, "--config", node.config)
    said = call("publish", study.uid, "--config", node.config)
    assert said.code == 0, said.err
    assert f"{study.uid}: new, 2 instances" in said.out
    note = study.reject((1, 2))
    call("import", note, "--config", node.config)
    said = call("publish", study.uid, "--config", node.config)
    assert f"{study.uid}: replaced (gained 0, lost 1), 2 not shared" in said.out
    call("images", "remove", study.uid, "--config", node.config)
    said = call("publish", study.uid, "--config", node.config)
    assert said.code == 1
    assert "--patient" in said.err
    patient = f"{study.patient}^^^&{AUTHORITY}&ISO"
    said = call("publish", study.uid, "--config", node.config, "--patient", patient)
    assert said.code == 1
    assert said.out.startswith(f"{study.uid}: still shared: nothing is left of it; withdraw")
    withdraw = ("publish", study.uid, "--config", node.config, "--patient", patient, "--withdraw")
    assert call(*withdraw, "--dry-run").code == 1
    assert len(current(node, study)) == 1
    said = call(*withdraw)
    assert (said.code, said.out) == (0, f"{study.uid}: withdrawn\n")
    assert current(node, study) == []
    said = call(*withdraw)
    assert (said.code, "no such study, and no manifest of it is current" in said.complaint) == (
        1,
        True,
    )


def test_dry_run_says_and_sends_nothing(node: Node, study: Study, call: Run) -> None:
    said = call("publish", study.folder, "--config", node.config, "--dry-run")
    assert said.code == 0
    assert said.out.startswith(f"{study.uid}: would be new, 2 instances")
    assert current(node, study) == []


def test_one_study_that_is_refused_does_not_stop_the_others(
    node: Node, study: Study, tmp_path: Path, call: Run
) -> None:
    foreign = Study(tmp_path / "foreign", "2.999.1")
    foreign.add(1, 1)
    said = call("publish", foreign.folder, study.folder, "--config", node.config, "--json")
    told = json.loads(said.out)
    assert said.code == 1
    assert [each["study"] for each in told["studies"]] == [study.uid]
    assert [each["study"] for each in told["failed"]] == [foreign.uid]
    assert "2.999.1" in told["failed"][0]["reason"]
    stranger = fresh_patient()
    said = call(
        "publish", foreign.folder, "--config", node.config, "--patient", stranger,
    )  # fmt: skip
    assert said.code == 0
    assert len(current(node, foreign, stranger)) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "neither a UID nor a folder"),
        (("1.2.3", "--config", "{plain}"), "no [imaging] section; give --location"),
        (("1.2.3", "--config", "{plain}", "--location", "2.999.1"), "[imaging] section"),
    ],
    ids=["no study", "no location", "no archive"],
)
def test_wrong_usage(tmp_path: Path, call: Run, arguments: tuple[str, ...], told: str) -> None:
    plain = init(tmp_path / "plain")
    head, _, rest = plain.read_text().partition("[imaging]")
    plain.write_text(head + rest[rest.index("[limits]") :])
    said = call("publish", *(each.format(plain=plain) for each in arguments))
    assert said.code == 2
    assert told in said.complaint
