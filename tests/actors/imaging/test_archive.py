"""The contract of archives: the same studies on board, the same answers.

Each kind of archive has a fixture that gives a `Board`; its name in BOARDS is all it takes to join.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from tests.actors.imaging.stores import embedded
from tests.actors.imaging.studies import (
    CALL,
    everything,
    instance,
    keep,
    new_uid,
    study,
)
from tests.databases import PostgreSQL
from tests.node import init, serving
from tests.orthanc import Orthanc
from xdsi import app
from xdsi.actors.imaging.store import ImageStore, Outcome
from xdsi.config import load
from xdsi.model.imaging import HeldInstance
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.peers.session import open_session
from xdsi.peers.web import Web
from xdsi.plug import Archive
from xdsi.wire.instances import read_study

BOARDS = (
    "embedded_sqlite",
    "embedded_postgresql",
    "another_node",
    pytest.param("foreign", marks=pytest.mark.needs("Orthanc")),
)


@dataclass(frozen=True)
class Board:
    """An archive, and a way to put files on board; they are there when it returns."""

    archive: Archive
    put: Callable[[Mapping[str, bytes]], None]

    def uids(
        self, study: str, series: str | None = None, wanted: set[str] | None = None
    ) -> list[str]:
        found = self.archive.instances(study, series, wanted, CALL)
        return [each.sop_instance_uid for each in found]

    def one(self, study: str, uid: str) -> HeldInstance:
        (held,) = self.archive.instances(study, None, {uid}, CALL)
        return held


def _embedded(store: ImageStore) -> Board:
    def put(files: Mapping[str, bytes]) -> None:
        assert {each.outcome for each in keep(store, *files.values())} == {Outcome.NEW}

    return Board(store, put)


@pytest.fixture(scope="module")
def embedded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with embedded(tmp_path_factory.mktemp("sqlite")) as store:
        yield _embedded(store)


@pytest.fixture(scope="module")
def embedded_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL
) -> Iterator[Board]:
    with embedded(tmp_path_factory.mktemp("postgresql"), postgresql_server.create()) as store:
        yield _embedded(store)


@contextmanager
def _elsewhere(address: str) -> Iterator[DicomWebArchive]:
    archive = DicomWebArchive(Web(address, open_session()))
    try:
        yield archive
    finally:
        archive.close()


@pytest.fixture(scope="module")
def another_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Our own embedded archive, over DICOMweb."""
    config = init(tmp_path_factory.mktemp("another") / "node")
    with (
        serving(config) as node,
        app.image_store(load(config)) as store,
        _elsewhere(f"{node.base}/dicom-web") as archive,
    ):
        yield Board(archive, _embedded(store).put)


@pytest.fixture(scope="module")
def foreign(orthanc: Orthanc) -> Iterator[Board]:
    with _elsewhere(orthanc.dicom_web) as archive:
        yield Board(archive, lambda files: orthanc.put(*files.values()))


@pytest.fixture(scope="module", params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    found: Board = request.getfixturevalue(request.param)
    return found


def data_set(file: bytes) -> bytes:
    """What is behind group 0002, which an archive may write anew."""
    with io.BytesIO(file) as stream:
        pydicom.filereader.read_preamble(stream, False)
        pydicom.filereader._read_file_meta_info(stream)
        return stream.read()


def test_instances_come_by_series_and_number(board: Board) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.5": 11, f"{uid}.3": 2, f"{uid}.4": 1})
    board.put(dict(reversed(files.items())))
    assert board.uids(uid) == list(files)
    assert board.uids(uid, f"{uid}.3") == [f"{uid}.3.1", f"{uid}.3.2"]


def test_only_those_wanted_come(board: Board) -> None:
    uid, other = new_uid(), new_uid()
    files = study(uid, {f"{uid}.1": 3, f"{uid}.2": 1})
    strange = study(other, {f"{other}.1": 1})
    board.put(files)
    board.put(strange)
    first, *_, last = files
    assert board.uids(uid, None, {last, first, *strange, "1.2.3.9"}) == [first, last]
    assert board.uids(uid, f"{uid}.1", {last, first}) == [first]
    assert board.uids(uid, None, set()) == []
    many = {f"1.2.3.{n}" for n in range(2_000)}
    assert board.uids(uid, None, {first, *many}) == [first]


def test_what_it_does_not_know_is_nothing(board: Board) -> None:
    uid = new_uid()
    board.put(study(uid, {f"{uid}.1": 1}))
    assert board.uids(new_uid()) == []
    assert board.uids(uid, new_uid()) == []
    assert board.uids(f"{uid}.1", f"{uid}.1") == []
    assert board.archive.study(new_uid(), CALL) is None


@pytest.mark.proves("IMG-096")
@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("CT_small.dcm", 1),
        ("reportsi.dcm", 0),
        ("rtplan.dcm", 0),
        ("SC_rgb_jpeg_dcmtk.dcm", 1),
        ("MR_small_RLE.dcm", 1),
        ("SC_rgb_rle_2frame.dcm", 2),
        ("image_dfl.dcm", 1),
        ("MR_small_bigendian.dcm", 1),
    ],
)
def test_an_instance_is_told_and_given_as_it_is_stored(
    board: Board, name: str, frames: int
) -> None:
    uid, sop = new_uid(), new_uid()
    file = instance(name, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=sop)
    meta = pydicom.dcmread(io.BytesIO(file)).file_meta
    board.put({sop: file})
    held = board.one(uid, sop)
    assert (held.study_instance_uid, held.series_instance_uid) == (uid, f"{uid}.1")
    assert held.sop_class_uid == meta.MediaStorageSOPClassUID
    assert held.transfer_syntax_uid in (meta.TransferSyntaxUID, None)
    assert held.frames in (frames, None)
    content = board.archive.open(held, CALL)
    assert held.size == content.size
    given = everything(content)
    assert data_set(given) == data_set(file)
    assert content.size in (len(given), None)


@pytest.mark.proves("IMG-161")
def test_a_whole_study_is_given_as_it_is_stored_or_told_of_first(board: Board) -> None:
    uid = new_uid()
    place = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.2"}
    files = study(uid, {f"{uid}.1": 3}) | {
        sop: instance(name, **place, SOPInstanceUID=sop)
        for name, sop in (
            ("MR_small_bigendian.dcm", new_uid()),
            ("image_dfl.dcm", new_uid()),
            ("MR_small_RLE.dcm", new_uid()),
        )
    }
    board.put(files)
    assert board.archive.whole(new_uid(), None, CALL) is None
    for series, number in ((None, 6), (f"{uid}.1", 3), (f"{uid}.2", 3)):
        whole = board.archive.whole(uid, series, CALL)
        if whole is not None:
            given = {sop: data_set(everything(content)) for sop, content in whole}
            assert len(given) == number
            assert given == {sop: data_set(files[sop]) for sop in given}


def test_a_file_is_read_in_any_order_and_several_at_once(board: Board) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 4})
    board.put(files)

    def check(sop: str) -> bool:
        held = board.one(uid, sop)
        whole = everything(board.archive.open(held, CALL), 1_000)
        with board.archive.file(held, CALL) as one, board.archive.file(held, CALL) as two:
            one.seek(-10, 2)
            return (one.read(), two.read(132)) == (whole[-10:], whole[:132])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(check, [*files] * 4))


def test_a_study_is_told_as_its_files_tell_it(board: Board, tmp_path: Path) -> None:
    uid = new_uid()
    files = study(uid, {f"{uid}.1": 3, f"{uid}.2": 2}, AccessionNumber="A-1", StudyID="S-1")
    paths = []
    for sop, file in files.items():
        paths.append(tmp_path / sop)
        paths[-1].write_bytes(file)
    board.put(files)
    assert board.archive.study(uid, CALL) == read_study(paths)
