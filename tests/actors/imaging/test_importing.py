"""Folders of files into the archive."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.actors.imaging.studies import CALL, instance, keep, leftovers, new_uid, sample, study
from tests.cli.conftest import Run, call  # noqa: F401 (fixture)
from xdsi.actors.imaging.importing import Result, Skipped, Unreadable, import_folder
from xdsi.actors.imaging.store import ImageStore, Outcome

STUDY = new_uid()
FILES = study(STUDY, {f"{STUDY}.1": 3, f"{STUDY}.2": 2})
OTHER = instance(StudyInstanceUID=STUDY, SOPInstanceUID=next(iter(FILES)), PatientName="Other")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder such as somebody's disc: images, an index, texts, and traps."""
    root = tmp_path / "disc"
    deep = root.joinpath(*["very"] * 40)
    deep.mkdir(parents=True)
    for number, file in enumerate(FILES.values()):
        (deep if number % 2 else root / "very").joinpath(f"IM{number}").write_bytes(file)
    (root / "IM0 (1)").write_bytes(next(iter(FILES.values())))
    (root / "DICOMDIR").write_bytes(sample("DICOMDIR").read_bytes())
    (root / "zz-other").write_bytes(OTHER)
    (root / "zz-cut").write_bytes(OTHER[:-1])
    (root / "README.txt").write_text("An invented disc.")
    (root / "empty").touch()
    (root / "link").symlink_to(root / "zz-cut")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    return root


def test_what_is_dicom_comes_in_and_all_else_is_counted(images: ImageStore, folder: Path) -> None:
    keep(images, next(iter(FILES.values())))
    told: dict[str, Result] = {}
    tally = import_folder(images, folder, lambda path, result: told.update({path.name: result}))
    assert tally.outcomes == {Outcome.NEW: 4, Outcome.KNOWN: 2, Outcome.REFUSED: 2}
    assert tally.skipped == {
        Skipped.NOT_DICOM: 2,
        Skipped.DIRECTORY_RECORD: 1,
        Skipped.LINK: 2,
        Skipped.SPECIAL: 1,
    }
    assert (tally.unreadable, tally.studies) == (0, {STUDY})
    assert "another data set" in told["zz-other"].reason  # type: ignore[union-attr]
    assert "ends before" in told["zz-cut"].reason  # type: ignore[union-attr]
    assert len(told) == 14
    found = images.instances(STUDY, None, None, CALL)
    assert [each.sop_instance_uid for each in found] == [*FILES]
    assert leftovers(images) == []
    again = import_folder(images, folder)
    assert again.outcomes == {Outcome.KNOWN: 6, Outcome.REFUSED: 2}


def test_more_than_a_batch_and_the_archive_s_own_folder(images: ImageStore, tmp_path: Path) -> None:
    uid = new_uid()
    for name, file in study(uid, {f"{uid}.1": 150}).items():
        (tmp_path / name).write_bytes(file)
    own = images.files.staging.parent
    inside = own.parent == tmp_path
    tally = import_folder(images, tmp_path)
    assert tally.outcomes == {Outcome.NEW: 150}
    if not inside:
        tally = import_folder(images, own.parent)
        assert tally.outcomes == {}, "its own files are not even looked at"
    assert leftovers(images) == []


def test_one_file_and_nothing_at_all(images: ImageStore, tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_bytes(OTHER)
    assert import_folder(images, file).outcomes == {Outcome.NEW: 1}
    with pytest.raises(FileNotFoundError):
        import_folder(images, tmp_path / "nowhere")


@pytest.mark.optional("the run of an ordinary user shows it")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(images: ImageStore, folder: Path) -> None:
    (folder / "zz-other").chmod(0)
    (folder / "very").chmod(0)
    told: dict[str, Result] = {}
    tally = import_folder(images, folder, lambda path, result: told.update({path.name: result}))
    (folder / "very").chmod(0o700)
    assert tally.unreadable == 2
    assert told["zz-other"] == told["very"] == Unreadable("Permission denied")


@pytest.fixture
def configuration(tmp_path: Path, call: Run) -> Path:  # noqa: F811 (the fixture)
    file = tmp_path / "node" / "xdsi.toml"
    file.parent.mkdir()
    file.write_text('[imaging]\nunique_id = "1.2.3.4.5"\nfree_bytes = 0\n')
    assert call("migrate", "--config", file).code == 0
    return file


def test_the_command_says_what_came_in_and_what_did_not(
    configuration: Path,
    folder: Path,
    call: Run,  # noqa: F811 (the fixture)
) -> None:
    said = call("import", folder, "--config", configuration, "--json")
    told = json.loads(said.out)
    assert (said.code, said.err) == (1, "")
    assert told["new"] + told["known"] + told["refused"] == 8
    assert told["skipped"] == {"not_dicom": 2, "directory_record": 1, "link": 2, "special": 1}
    assert told["studies"] == [STUDY]
    assert {Path(each["file"]).parent for each in told["problems"]} <= set(folder.rglob("*")) | {
        folder
    }
    assert (configuration.parent / "images").is_dir(), "relative to the configuration"
    with suppress(FileNotFoundError):
        (folder / "zz-other").unlink()
    (folder / "zz-cut").unlink()
    said = call("import", folder, "--config", configuration)
    if any("IM0" in each["file"] for each in told["problems"]):
        return  # the other came first, and the disc disagrees with itself
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == "1 studies"
    assert "symbolic link" in said.out


def test_the_command_needs_a_folder_and_an_archive(
    configuration: Path,
    tmp_path: Path,
    call: Run,  # noqa: F811 (the fixture)
) -> None:
    said = call("import", tmp_path / "nowhere", "--config", configuration)
    assert (said.code, "no such file or folder" in said.complaint) == (2, True)
    other = tmp_path / "other.toml"
    other.write_text('[imaging]\nunique_id = "1.2.3"\narchive = "http://127.0.0.1:1/dicom-web"\n')
    said = call("import", tmp_path, "--config", other)
    assert (said.code, "archive" in said.complaint) == (2, True)


@pytest.mark.proves("SEC-T-018")
def test_too_little_room_is_said_with_key_and_folder(
    configuration: Path,
    folder: Path,
    call: Run,  # noqa: F811 (the fixture)
) -> None:
    configuration.write_text(configuration.read_text().replace("= 0", f"= {1 << 60}"))
    said = call("import", folder, "--config", configuration)
    assert said.code == 2
    assert said.complaint == (
        f"xdsi: imaging.store {configuration.parent / 'images'}: "
        "too little free space (imaging.free_bytes); try again later"
    )
    assert json.loads(call("import", folder, "--config", configuration, "--json").out)["error"]


def test_a_directory_record_is_not_taken_for_its_folder(
    configuration: Path,
    folder: Path,
    call: Run,  # noqa: F811 (the fixture)
) -> None:
    (record,) = folder.rglob("DICOMDIR")
    said = call("import", record, "--config", configuration)
    assert (said.code, said.out) == (1, "")
    assert said.complaint == f"xdsi: {record}: names images, but has none; give its folder"


def test_a_study_is_removed_by_command(
    configuration: Path,
    folder: Path,
    call: Run,  # noqa: F811 (the fixture)
) -> None:
    call("import", folder / "very", "--config", configuration)
    remove = ("images", "remove", STUDY, "--config", configuration)
    assert call(*remove, "--series", f"{STUDY}.2").out == f"{STUDY}: 2 instance(s) removed\n"
    assert call(*remove).out == f"{STUDY}: 3 instance(s) removed\n"
    assert call(*remove).code == 1
    assert call("images", "remove", "../../x", "--config", configuration).code == 2
