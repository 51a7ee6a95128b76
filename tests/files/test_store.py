"""The contract of a document store, and what only files have."""

import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.files.disks import FailingDisk
from xdsi.config import ConfigurationError
from xdsi.files.blobs import PREFIXES, LocalStore, Mismatch, StoreAway, VerifyingReader
from xdsi.files.seals import Seal
from xdsi.files.staging import StagedDocument, StagingArea
from xdsi.model.errors import XDSRepositoryError, XDSRepositoryOutOfResources

DATA = b"not a real report\n" * 1000


class Place:
    """A store and a staging area that belong together."""

    def __init__(self, folder: Path, hashing: Executor, unnamed: bool) -> None:
        self.folder, self.fault = folder, FailingDisk()
        self.store = LocalStore(folder, calls=self.fault.disk())
        self.staging = StagingArea(
            self.store.staging, 1 << 30, hashing, unnamed=unnamed, calls=self.fault.disk()
        )

    def staged(self, data: bytes = DATA) -> StagedDocument:
        return self.staging.stage(lambda: io.BytesIO(data))

    def read(self, name: str) -> bytes:
        reader = self.store.open(name)
        try:
            return b"".join(iter(lambda: reader.read(7000), b""))
        finally:
            reader.close()

    def everything(self) -> list[str]:
        """Names of all documents, as the store tells."""
        return [name for prefix in PREFIXES for name in self.store.names(prefix)]

    def files(self) -> list[Path]:
        """All files there are but the two of the store's own."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path for path in found if path.name not in ("lock", "identity")]


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def place(tmp_path: Path, hashing: Executor, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Every kind of store there is must pass what follows."""
    place = Place(tmp_path / "store", hashing, request.param)
    yield place
    place.staging.close()


@pytest.mark.proves("REG-030", "SEC-T-153")
@pytest.mark.parametrize(
    "data", [b"", b"x", b"\xef\xbb\xbf\r\n\x00\n" * 3, DATA, os.urandom(3 << 20)]
)
def test_a_document_comes_back_octet_for_octet(place: Place, data: bytes) -> None:
    (name,) = place.store.publish([place.staged(data)])
    assert place.read(name) == data
    assert place.store.size(name) == len(data)


def test_documents_of_one_call_get_names_of_their_own(place: Place) -> None:
    names = place.store.publish([place.staged(bytes([n])) for n in range(5)])
    assert [place.read(name) for name in names] == [bytes([n]) for n in range(5)]
    assert sorted(place.everything()) == sorted(names)


def test_nothing_is_published_before_it_is_asked_for(place: Place) -> None:
    staged = place.staged()
    assert place.everything() == []
    staged.discard()
    assert place.files() == []


def test_a_published_document_outlives_its_staging(place: Place) -> None:
    staged = place.staged()
    (name,) = place.store.publish([staged])
    place.staging.discard([staged])
    place.staging.close()
    assert place.read(name) == DATA
    assert len(place.files()) == 1


def test_removing_twice_is_no_error(place: Place) -> None:
    (name,) = place.store.publish([place.staged()])
    place.store.remove([name])
    place.store.remove([name])
    assert place.store.size(name) is None
    assert place.everything() == []
    with pytest.raises(FileNotFoundError):
        place.store.open(name)


def test_a_store_that_is_away_is_no_missing_document(place: Place) -> None:
    (name,) = place.store.publish([place.staged()])
    away = place.folder.rename(place.folder.with_name("away"))
    for act in (place.store.open, place.store.size, lambda name: place.store.remove([name])):
        with pytest.raises(StoreAway, match="not there"):
            act(name)
    away.rename(place.folder)
    assert place.read(name) == DATA


@pytest.mark.proves("SEC-T-015", "SEC-T-125")
@pytest.mark.parametrize("name", ["../../../etc/passwd", "..", "", "aa/../../x", "ab" * 200])
def test_only_names_of_the_store_are_opened(place: Place, name: str) -> None:
    for act in (place.store.open, place.store.size, lambda name: place.store.remove([name])):
        with pytest.raises(OSError, match="not a name of this store"):
            act(name)


def test_an_identity_is_kept(place: Place) -> None:
    assert place.store.identity() is None
    place.store.identify("abc")
    assert place.store.identity() == "abc"


@pytest.mark.proves("SEC-T-016")
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, XDSRepositoryOutOfResources),
        (errno.EDQUOT, XDSRepositoryOutOfResources),
        (errno.EMFILE, XDSRepositoryOutOfResources),
        (errno.ENOMEM, XDSRepositoryOutOfResources),
        (errno.EIO, XDSRepositoryError),
        (errno.EROFS, XDSRepositoryError),
    ],
    ids=lambda value: errno.errorcode.get(value) if isinstance(value, int) else "",
)
def test_a_failure_at_any_call_leaves_nothing(
    place: Place, number: int, expected: type[Exception]
) -> None:
    def run() -> None:
        staged: list[StagedDocument] = []
        try:
            staged.append(place.staged())
            staged.append(place.staged(b"other"))
            place.store.publish(staged)
        finally:
            place.staging.discard(staged)

    before = set(os.listdir("/proc/self/fd"))
    failures: list[Exception] = []
    while not place.files():
        place.fault.arm(len(failures) + 1, number)
        try:
            run()
        except (XDSRepositoryError, XDSRepositoryOutOfResources) as error:
            failures.append(error)
            left = place.files()
            held = set(os.listdir("/proc/self/fd"))
            assert (left, held) == ([], before)
    assert len(failures) >= 10, "open, write, sync twice; folder, two names, sync"
    assert {type(error) for error in failures} == {expected}
    assert not any(str(place.folder) in str(error) for error in failures)
    assert len(place.files()) == 2


@pytest.mark.proves("SEC-T-001")
def test_a_failed_sync_is_not_tried_again(place: Place) -> None:
    incoming = place.staging.create()
    incoming.write(DATA)
    place.fault.arm(name="fsync")
    with pytest.raises(XDSRepositoryError):
        incoming.finish()
    assert place.fault.seen.count("fsync") == 1
    assert place.files() == []


@pytest.mark.proves("SEC-T-174")
def test_files_and_folders_are_for_the_owner_alone(place: Place) -> None:
    old = os.umask(0)
    try:
        place.store.publish([place.staged()])
        place.store.identify("abc")
        other = StagingArea(place.store.staging, 1, place.staging.hashing)
        other.close()
    finally:
        os.umask(old)
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in [place.folder, *place.folder.rglob("*")]
    }
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


@pytest.mark.proves("SEC-T-174")
@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_a_store_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        LocalStore(folder)


@pytest.mark.proves("SEC-T-174")
def test_a_link_in_place_of_a_document_is_not_followed(place: Place, tmp_path: Path) -> None:
    (name,) = place.store.publish([place.staged()])
    file = next(path for path in place.files() if path.name == name)
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    file.unlink()
    file.symlink_to(secret)
    assert place.store.size(name) is None
    with pytest.raises(OSError, match="symbolic links"):
        place.store.open(name)


@pytest.mark.proves("SEC-T-018")
def test_too_little_free_space_refuses_before_anything_is_read(tmp_path: Path) -> None:
    LocalStore(tmp_path / "store", 0).admit()
    with pytest.raises(XDSRepositoryOutOfResources, match="SEC-T-018"):
        LocalStore(tmp_path / "store", 1 << 60).admit()


@pytest.mark.proves("SEC-T-018")
@pytest.mark.parametrize(("share", "is_refused"), [(0.021, False), (0.019, True)])
def test_two_percent_of_the_disk_stay_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, is_refused: bool
) -> None:
    class Room:
        f_blocks, f_frsize = 1 << 30, 4096
        f_bavail = int((1 << 30) * share)

    store = LocalStore(tmp_path / "store", 1 << 30)
    monkeypatch.setattr(os, "statvfs", lambda path: Room)
    if is_refused:
        with pytest.raises(XDSRepositoryOutOfResources):
            store.admit()
    else:
        store.admit()


Reports = list[OSError]


def sealed(data: bytes) -> str:
    seal = Seal()
    seal.update(data)
    return seal.hexdigest()


CHECKSUMS = {"SHA-256": lambda data: hashlib.sha256(data).hexdigest(), "seal": sealed}


def verifying(stored: bytes, recorded: bytes, kind: str) -> tuple[VerifyingReader, Reports]:
    reports: Reports = []
    checksum = CHECKSUMS[kind](recorded)
    reader = VerifyingReader(io.BytesIO(stored), len(recorded), checksum, reports.append)
    return reader, reports


def test_two_seals_of_one_content_have_nothing_in_common() -> None:
    """A key is used once, so nobody learns from seals which files are the same."""
    one, two = sealed(b"content"), sealed(b"content")
    assert one[:5] == two[:5] == "gmac:"
    assert (one[5:37], one[37:]) != (two[5:37], two[37:]) and one[37:] != two[37:]


KINDS = st.sampled_from(sorted(CHECKSUMS))


def taken(reader: VerifyingReader, sizes: Iterator[int] | Callable[[], int]) -> bytes:
    got = b""
    while data := reader.read(sizes() if callable(sizes) else next(sizes)):
        got += data
    return got


@settings(max_examples=60, deadline=None)
@given(kind=KINDS, document=st.binary(max_size=300), step=st.integers(1, 400))
def test_right_bytes_pass_the_verifying_reader(kind: str, document: bytes, step: int) -> None:
    reader, reports = verifying(document, document, kind)
    assert taken(reader, lambda: step) == document
    assert reader.read(1) == b""
    assert reports == []


@pytest.mark.proves("SEC-T-007")
@settings(max_examples=150, deadline=None)
@given(
    kind=KINDS,
    document=st.binary(min_size=1, max_size=300),
    step=st.integers(1, 400),
    change=st.sampled_from(["flip", "cut", "longer", "empty"]),
    position=st.integers(0, 10_000),
)
def test_wrong_bytes_never_end_cleanly(
    kind: str, document: bytes, step: int, change: str, position: int
) -> None:
    at = position % len(document)
    stored = {
        "flip": document[:at] + bytes([document[at] ^ 1 << position % 8]) + document[at + 1 :],
        "cut": document[:at],
        "longer": document + document[: at + 1],
        "empty": b"",
    }[change]
    reader, reports = verifying(stored, document, kind)
    got: list[bytes] = []
    with pytest.raises(Mismatch):
        got.extend(iter(lambda: reader.read(step), b""))
    assert len(b"".join(got)) < len(document), "the last octet is kept back"
    assert len(reports) == 1
    for _ in range(3):
        with pytest.raises(Mismatch):
            reader.read(step)
    assert len(reports) == 1


@pytest.mark.proves("SEC-T-007")
@pytest.mark.parametrize("at", [0, 1 << 19, (3 << 20) - 1])
@pytest.mark.parametrize("kind", CHECKSUMS)
def test_a_flipped_bit_in_a_large_document_is_found(kind: str, at: int) -> None:
    document = os.urandom(3 << 20)
    stored = bytearray(document)
    stored[at] ^= 1
    reader, reports = verifying(bytes(stored), document, kind)
    with pytest.raises(Mismatch, match="other octets"):
        taken(reader, lambda: 256 << 10)
    assert len(reports) == 1
    good, _ = verifying(document, document, kind)
    assert taken(good, lambda: 256 << 10) == document
