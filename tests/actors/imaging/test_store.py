"""The embedded archive: what it takes in, keeps, heals, refuses and gives up."""

import io
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.actors.imaging.conftest import MakeStore
from tests.actors.imaging.studies import (
    CALL,
    everything,
    instance,
    keep,
    leftovers,
    new_uid,
    note,
    published,
    sample,
    study,
)
from tests.files.disks import FailingDisk
from tests.samples import MemoryStaged
from xdsi.actors.imaging.schema import INSTANCE
from xdsi.actors.imaging.store import ImageStore, Outcome
from xdsi.config import ConfigurationError, Limits
from xdsi.model.errors import (
    InvalidDocumentContent,
    XDSRepositoryError,
    XDSRepositoryOutOfResources,
)
from xdsi.model.imaging import HeldInstance
from xdsi.plug import ArchiveError
from xdsi.standard import dicom
from xdsi.wire.archived import archived

NEW, KNOWN, REPLACED, REFUSED = Outcome


def held(store: ImageStore, uid: str) -> HeldInstance:
    entry = store.index.find([uid])[uid]
    (one,) = store.instances(entry.study_instance_uid, None, {uid}, CALL)
    return one


def given_out(store: ImageStore, uid: str) -> bytes:
    return everything(store.open(held(store, uid), CALL))


def file_of(store: ImageStore, uid: str) -> Path:
    name = store.index.find([uid])[uid].name
    return store.files.staging.parent / "documents" / name[:2] / name


CT = instance()
REFUSALS = {
    "empty": (b"", "is empty"),
    "text": (b"no image at all" * 100, "no DICOM file"),
    "no preamble": (CT[132:], "no DICOM file"),
    "cut in the pixel data": (CT[:-1], "ends before the 1 last bytes of (7FE0,0010)"),
    "cut in the header": (CT[:700], "ends"),
    "cut in group 0002": (CT[:150], "ends"),
    "DICOMDIR": (sample("DICOMDIR").read_bytes(), "directory record (DICOMDIR)"),
    "no study": (instance(StudyInstanceUID=None), "lacks a Study Instance UID"),
    "no series": (instance(SeriesInstanceUID=None), "lacks a Series Instance UID"),
    "no instance": (
        CT.replace(b"\x08\x00\x18\x00UI", b"\x08\x00\x19\x00UI"),
        "lacks a SOP Instance UID",
    ),
    "path-like UID": (
        CT.replace(b"1.3.6.1.4.1.5962.1.2.1.", b"../../../../../../etc/."),
        "Study Instance UID is no UID",
    ),
    "no transfer syntax": (
        CT.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI"),
        "lacks a Transfer Syntax UID",
    ),
    "undefined VR": (CT.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00??"), "representation"),
}


@pytest.mark.proves("SEC-T-150", "SEC-T-152")
@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_instance_is_refused_with_its_reason(images: ImageStore, case: str) -> None:
    data, reason = REFUSALS[case]
    (kept,) = keep(images, data)
    assert kept.outcome is REFUSED
    assert kept.status == dicom.CANNOT_UNDERSTAND
    assert reason in kept.reason
    assert images.index.is_empty()
    assert leftovers(images) == []


@pytest.mark.parametrize(("depth", "outcome"), [(60, NEW), (65, REFUSED), (5_000, REFUSED)])
@pytest.mark.proves("SEC-T-150")
def test_sequences_may_nest_so_deep(images: ImageStore, depth: int, outcome: Outcome) -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    tag = b"\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff"
    ends = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    head, pixels = CT[: (at := CT.index(b"\xe0\x7f\x10\x00OW"))], CT[at:]
    (kept,) = keep(images, head + (tag + item) * depth + ends * depth + pixels)
    assert kept.outcome is outcome


@pytest.mark.proves("SEC-T-150")
def test_a_deflate_bomb_is_refused(images: ImageStore) -> None:
    file = instance("image_dfl.dcm")
    start = 132 + 12 + int.from_bytes(file[140:144], "little")
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = stream.compress(bytes(80 << 20)) + stream.flush()
    (kept,) = keep(images, file[:start] + bomb)
    assert "inflates to more than" in kept.reason


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, len(CT)), flip=st.integers(0, 255), cut=st.booleans())
def test_no_octet_can_upset_the_reader(position: int, flip: int, cut: bool) -> None:
    """A file with one octet changed, or cut there, is refused or told; nothing else happens."""
    data = CT[:position] if cut else CT[:position] + bytes([flip]) + CT[position + 1 :]
    with open(os.memfd_create("instance"), "w+b") as file:
        file.write(data)
        file.flush()
        try:
            told = archived(file)
        except InvalidDocumentContent:
            return
        assert len(told.header) < len(data) or len(data) < 2_000


def test_good_and_bad_files_together_have_results_in_their_order(images: ImageStore) -> None:
    one, two = instance(SOPInstanceUID="1.2.3.1"), instance(SOPInstanceUID="1.2.3.2")
    results = keep(images, one, b"x", two, one, CT[:-1])
    assert [each.outcome for each in results] == [NEW, REFUSED, NEW, KNOWN, REFUSED]
    assert [each.instance and each.instance.sop_instance_uid for each in results] == [
        "1.2.3.1", None, "1.2.3.2", "1.2.3.1", None,
    ]  # fmt: skip
    assert leftovers(images) == []


@pytest.mark.proves("IMG-096")
def test_the_same_data_set_is_known(images: ImageStore) -> None:
    """Also behind another group 0002, which names only who wrote the file."""
    other = pydicom.dcmread(io.BytesIO(CT))
    other.file_meta.SourceApplicationEntityTitle = "ANOTHER"
    out = io.BytesIO()
    other.save_as(out, enforce_file_format=True)
    (first,), (same,), (again,) = keep(images, CT), keep(images, CT), keep(images, out.getvalue())
    assert [first.outcome, same.outcome, again.outcome] == [NEW, KNOWN, KNOWN]
    assert first.instance == same.instance == again.instance
    assert given_out(images, first.instance.sop_instance_uid) == CT  # type: ignore[union-attr]
    assert leftovers(images) == []


CORRECTED = instance(PatientName="Example^Corrected")
MOVED = instance(StudyInstanceUID="1.2.3.4", SeriesInstanceUID="1.2.3.4.1")
UID = str(pydicom.dcmread(io.BytesIO(CT)).SOPInstanceUID)
SHORTENED = instance(PatientName="E")


@pytest.mark.proves("SEC-T-005")
@pytest.mark.parametrize("other", [CORRECTED, MOVED, SHORTENED])
def test_another_data_set_under_a_known_uid_is_refused(images: ImageStore, other: bytes) -> None:
    first, second = keep(images, CT, other)
    assert (first.outcome, second.outcome) == (NEW, REFUSED)
    assert second.status == dicom.PROCESSING_FAILURE
    assert "another data set" in second.reason
    assert given_out(images, UID) == CT
    assert leftovers(images) == []


@pytest.mark.parametrize("other", [CORRECTED, MOVED])
def test_or_replaces_it_where_the_operator_says_so(make_store: MakeStore, other: bytes) -> None:
    images = make_store(other_data_set="replace")
    keep(images, CT)
    before = held(images, UID)
    with closing(images.open(before, CALL).open()) as reader:
        begun = reader.read(1000)
        (result,) = keep(images, other)
        assert result.outcome is REPLACED
        rest = b"".join(iter(lambda: reader.read(1 << 20), b""))
    assert begun + rest == CT, "who was reading reads on"
    assert given_out(images, UID) == other
    assert len(published(images)) == 1
    assert (images.study(before.study_instance_uid, CALL) is None) == (other is MOVED)
    with pytest.raises(OSError, match="gone"):
        images.open(before, CALL)
    assert given_out(images, UID) == other, "which keeps nothing back"
    assert leftovers(images) == []


def forget_seals(images: ImageStore) -> None:
    """As files were indexed before there were seals."""
    with images.index._units.engine.begin() as connection:
        connection.execute(INSTANCE.update().values(seal=None))


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
    "cut": lambda data: data[:-2],
    "longer": lambda data: data + b"\0\0",
    "gone": lambda data: None,
}


@pytest.mark.proves("SEC-T-007", "SEC-T-029", "RET-037")
@pytest.mark.parametrize("how", ["open", "file"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_sealed", [True, False])
def test_damaged_bytes_are_never_given_out_and_healed_by_good_ones(
    images: ImageStore, damage: str, how: str, is_sealed: bool
) -> None:
    keep(images, CT)
    if not is_sealed:
        forget_seals(images)
        assert given_out(images, UID) == CT
    path, damaged = file_of(images, UID), DAMAGES[damage](CT)
    if damaged is None:
        path.unlink()
    else:
        path.write_bytes(damaged)
    one = held(images, UID)

    def take() -> bytes:
        if how == "file":
            with images.file(one, CALL) as file:
                return file.read()
        return everything(images.open(one, CALL), 1_000)

    with pytest.raises(OSError, match=r"octets|gone"):
        take()
    one = held(images, UID)
    with pytest.raises(OSError, match="kept back"):
        images.open(one, CALL)
    with pytest.raises(OSError, match="kept back"):
        images.file(one, CALL)
    (again,) = keep(images, CT)
    assert again.outcome is KNOWN
    assert given_out(images, UID) == CT
    assert leftovers(images) == []


def test_a_file_that_is_gone_unnoticed_is_no_known_one(images: ImageStore) -> None:
    keep(images, CT)
    file_of(images, UID).unlink()
    assert keep(images, CT)[0].outcome is KNOWN
    assert given_out(images, UID) == CT
    assert leftovers(images) == []


def test_another_data_set_heals_nothing(images: ImageStore) -> None:
    keep(images, CT)
    file_of(images, UID).unlink()
    (other,) = keep(images, CORRECTED)
    assert other.outcome is REFUSED


@pytest.mark.proves("SEC-T-004")
def test_files_without_a_row_go_and_rows_without_a_file_are_kept_back(images: ImageStore) -> None:
    keep(images, CT)
    staged = images.staging.stage(lambda: io.BytesIO(b"an orphan"))
    (orphan,) = images.files.publish([staged])
    staged.discard()
    assert images.custody.compare(orphan[:2]) == (0, 0), "it may be about to get its row"
    assert images.custody.compare(orphan[:2], orphans=-1) == (1, 0)
    assert leftovers(images) == []
    path = file_of(images, UID)
    path.unlink()
    assert images.custody.compare(path.name[:2]) == (0, 1)
    with pytest.raises(OSError, match="kept back"):
        images.open(held(images, UID), CALL)


@pytest.mark.proves("SEC-T-016")
def test_a_failure_at_any_call_of_the_disk_leaves_nothing(make_store: MakeStore) -> None:
    disk = FailingDisk()
    images = make_store(calls=disk.disk())
    disk.arm()
    keep(images, CT)
    calls = len(disk.seen)
    images.remove(held(images, UID).study_instance_uid)
    assert calls >= 6
    for at in range(1, calls + 1):
        disk.arm(at)
        with pytest.raises((XDSRepositoryError, XDSRepositoryOutOfResources)):
            keep(images, CT)
        assert leftovers(images) == []
        assert images.index.is_empty()
    disk.arm()
    (kept,) = keep(images, CT)
    assert kept.outcome is NEW


@pytest.mark.proves("SEC-T-018", "SEC-T-040")
def test_limits_of_the_disk_and_of_a_file(make_store: MakeStore) -> None:
    images = make_store(limits=Limits(document=len(CT) - 1), free_bytes=1 << 60)
    with pytest.raises(XDSRepositoryOutOfResources, match=r"free space \(imaging\.free_bytes\)"):
        images.admit()
    with pytest.raises(XDSRepositoryError, match="larger than the limit"):
        keep(images, CT)
    assert leftovers(images) == []


def test_an_index_of_another_folder_is_refused(make_store: MakeStore, tmp_path: Path) -> None:
    keep(make_store(), CT)
    with pytest.raises(ConfigurationError, match=r"imaging\.database"):
        make_store(store=tmp_path / "other")


def test_what_was_announced_differently_is_refused(images: ImageStore) -> None:
    staged = [MemoryStaged(CT), MemoryStaged(MOVED)]
    kept = images.keep(
        staged, CALL, fits=lambda each: "" if each.study_instance_uid == "1.2.3.4" else "not it"
    )
    assert [(each.outcome, each.status, each.reason) for each in kept] == [
        (REFUSED, dicom.DATA_SET_MISMATCH, "not it"),
        (NEW, dicom.STORED, ""),
    ]


@pytest.mark.proves("IMG-016")
@pytest.mark.parametrize("title", ["113001", "113037", "113038", "113039"])
@pytest.mark.parametrize("is_first", [True, False], ids=["note first", "note last"])
def test_what_a_note_rejects_is_not_shared(images: ImageStore, title: str, is_first: bool) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 3})
    first, rejected, last = files
    mark = note(title, uid, rejected, uid=f"{uid}.9")
    keep(images, *([mark, *files.values()] if is_first else [*files.values(), mark]))
    shared = [each.sop_instance_uid for each in images.instances(uid, None, None, CALL)]
    assert shared == [first, last, f"{uid}.9"]
    told = images.study(uid, CALL)
    assert told is not None
    assert rejected not in str(told.series)
    assert [(each.note_uid, each.sop_instance_uids) for each in told.rejections] == [
        (f"{uid}.9", (rejected,))
    ]
    images.remove(uid, instance=f"{uid}.9")
    shared = [each.sop_instance_uid for each in images.instances(uid, None, None, CALL)]
    assert shared == list(files), "the note is gone"


@pytest.mark.proves("IMG-014", "IMG-016")
@pytest.mark.parametrize("is_first", [True, False], ids=["note first", "note last"])
def test_a_note_of_another_study_rejects_as_well(images: ImageStore, is_first: bool) -> None:
    uid, other = new_uid(), new_uid()
    files = study(uid, {f"{uid}.1": 2})
    first, rejected = files
    mark = note("113001", uid, rejected, uid=f"{other}.9", kept_in=other)
    states = []
    for each in ([mark], [*files.values()]) if is_first else ([*files.values()], [mark]):
        keep(images, *each)
        states.append({one.study_instance_uid: one.mark for one in images.states(0)})
    shared = [each.sop_instance_uid for each in images.instances(uid, None, None, CALL)]
    told = images.study(uid, CALL)
    assert told is not None
    assert [each.sop_instance_uid for one in told.series for each in one.instances] == shared
    assert shared == [first]
    assert states[0].get(uid) != states[1][uid]
    images.remove(other)
    told = images.study(uid, CALL)
    assert told is not None and not told.rejections


@pytest.mark.proves("IMG-014", "IMG-016")
def test_notes_exchanged_in_another_study_change_the_mark(images: ImageStore) -> None:
    uid, other = new_uid(), new_uid()
    files = study(uid, {f"{uid}.1": 3})
    keep(images, *files.values())
    marks = []
    for number, rejected in enumerate(list(files)[:2]):
        images.remove(other)
        keep(images, note("113001", uid, rejected, uid=f"{other}.{number}", kept_in=other))
        marks += [each.mark for each in images.states(0) if each.study_instance_uid == uid]
    assert len(set(marks)) == 2


@pytest.mark.proves("KOS-005")
def test_a_study_of_manifests_alone_is_none_to_share(images: ImageStore) -> None:
    uid = new_uid()
    keep(images, note("113030", uid, f"{uid}.1"))
    assert len(images.instances(uid, None, None, CALL)) == 1
    assert images.study(uid, CALL) is None


def test_other_notes_and_other_studies_reject_nothing(images: ImageStore) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 1})
    (sop,) = files
    keep(images, *files.values(), note("113000", uid, sop), note("113001", new_uid(), sop))
    assert sop in [each.sop_instance_uid for each in images.instances(uid, None, None, CALL)]


@pytest.mark.proves("IMG-014")
def test_a_study_a_series_or_an_instance_is_removed(images: ImageStore) -> None:
    uid, other = new_uid(), new_uid()
    files = study(uid, {f"{uid}.1": 2, f"{uid}.2": 2, f"{uid}.3": 1})
    keep(images, *files.values(), *study(other, {f"{other}.1": 1}).values())

    def left() -> list[str]:
        return [each.sop_instance_uid for each in images.instances(uid, None, None, CALL)]

    assert images.remove(uid, f"{uid}.1", f"{uid}.1.1") == 1
    assert images.remove(uid, f"{uid}.2") == 2
    assert images.remove(other, f"{uid}.3") == 0
    assert left() == [f"{uid}.1.2", f"{uid}.3.1"]
    assert len(published(images)) == 3
    assert images.remove(uid) == 2
    assert images.remove(uid) == 0
    assert images.study(uid, CALL) is None
    assert len(published(images)) == 1
    assert leftovers(images) == []
    assert [each.outcome for each in keep(images, *files.values())] == [NEW] * 5


def test_a_study_of_two_patients_is_told_as_such(images: ImageStore) -> None:
    uid = new_uid()
    one = study(uid, {f"{uid}.1": 1})
    two = study(uid, {f"{uid}.2": 1}, PatientID="TEST-0002")
    keep(images, *one.values(), *two.values())
    assert len(images.instances(uid, None, None, CALL)) == 2
    with pytest.raises(ArchiveError, match="2 different Patient IDs"):
        images.study(uid, CALL)


@pytest.mark.proves("SEC-T-011", "SEC-T-013")
def test_many_senders_of_one_new_study_lose_nothing(make_store: MakeStore, database: str) -> None:
    images = make_store(database)
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 6, f"{uid}.2": 6})

    def send(file: bytes) -> Outcome:
        (kept,) = keep(images, file)
        return kept.outcome

    with ThreadPoolExecutor(6) as threads:
        outcomes = list(threads.map(send, [file for file in files.values() for _ in range(3)]))
    assert [outcomes.count(each) for each in Outcome] == [12, 24, 0, 0]
    assert [each.sop_instance_uid for each in images.instances(uid, None, None, CALL)] == [*files]
    assert leftovers(images) == []


@pytest.mark.proves("SEC-T-017")
def test_an_index_that_is_away_is_told(make_store: MakeStore, quick_path: Path) -> None:
    images = make_store()
    keep(images, CT)
    assert images.ready() == ()
    one = held(images, UID)
    index = quick_path / "index.db"
    images.index.close()
    images.index._units.engine.dispose()
    away = index.rename(quick_path / "away.db")
    index.mkdir()
    with pytest.raises(ArchiveError):
        images.instances(one.study_instance_uid, None, None, CALL)
    with pytest.raises(XDSRepositoryError):
        keep(images, CORRECTED)
    assert len(images.ready()) == 1
    index.rmdir()
    away.rename(index)
    assert images.ready() == ()
    assert given_out(images, UID) == CT
