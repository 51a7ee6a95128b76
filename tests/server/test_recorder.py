"""The folder of recorded exchanges: whose files, how private, how much of an exchange."""

import hashlib
import io
import stat
from dataclasses import dataclass

import pytest

from tests.server import dialect
from xdsi.server import record
from xdsi.server.exchange import Exchange
from xdsi.server.record import Recorder

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A document in staging. fails: where reading it fails: open, read, or never"""

    content: bytes
    fails: str = "never"

    @property
    def size(self):
        return len(self.content)

    @property
    def sha1(self):
        return hashlib.sha1(self.content).hexdigest()

    sha256 = sha1

    def open(self):
        if self.fails == "open":
            raise FileNotFoundError(2, "No such file or directory")
        return Broken() if self.fails == "read" else io.BytesIO(self.content)


class Broken(io.BytesIO):
    def read(self, size=-1):
        raise OSError(5, "Input/output error")


def test_files_of_others_are_neither_counted_nor_removed(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir(mode=0o700)
    names = ("notes.txt", "000.txt", "20260101-ITI-41.txt", "zzz.md")
    for name in names:
        (folder / name).write_bytes(bytes(3000))
    for _ in range(4):  # each finds what those before have left
        recorder = Recorder(folder, 2000)
        for _ in range(3):
            recorder.keep(Exchange(transaction="ITI-18", request=bytes(500)))
    assert {path.name for path in folder.iterdir()} >= set(names)
    ours = [path for path in folder.iterdir() if path.name not in names]
    assert 1 <= len(ours) <= 3
    assert sum(path.stat().st_size for path in ours) <= 2000


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o770])
def test_folder_open_to_others_is_refused_and_left_as_it_is(tmp_path, mode):
    tmp_path.chmod(mode)
    with pytest.raises(PermissionError, match="chmod 700"):
        Recorder(tmp_path, 1000)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


def test_new_folder_is_private(tmp_path):
    Recorder(tmp_path / "a" / "b", 1000)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch(mode=0o600)
    with pytest.raises(NotADirectoryError):
        Recorder(tmp_path / "file", 1000)


def test_documents_of_one_exchange_share_a_budget():
    documents = {f"{n}@x": Document(bytes(MIB)) for n in range(11)}
    documents["big@x"] = Document(bytes(MIB + 1))
    found = record.parts(documents, "ticket")
    assert [each.content_id for each in found] == list(documents)
    assert all(each.sha1 and each.size >= MIB for each in found)
    assert [each.content is not None for each in found] == [True] * 8 + [False] * 4


@pytest.mark.parametrize("fails", ["open", "read"])
def test_document_that_cannot_be_read_is_listed_and_logged(fails, capsys):
    found = record.parts({"a@x": Document(b"a", fails), "b@x": Document(b"b")}, "the-ticket")
    assert [each.content for each in found] == [None, b"b"]
    said = capsys.readouterr().err
    assert '"not recorded"' in said and "the-ticket" in said


def test_request_is_answered_though_it_cannot_be_recorded(make_node, tmp_path):
    folder = tmp_path / "records"
    node = make_node(server={"record": str(folder)})
    folder.rmdir()
    for _ in range(3):
        answer = node.post("/registry", dialect.query_message())
        assert answer.outcome == "Success"
        line = node.line(answer.header("x-request-id"), "not recorded")
        assert line["problem"] == "No such file or directory"
    assert "xdsi_in_flight 0.0" in node.get("/metrics").body.decode()


def test_node_does_not_start_with_a_folder_open_to_others(make_node, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    folder.chmod(0o755)
    node = make_node(server={"record": str(folder)}, wait=False)
    assert node.process.wait(20) != 0
    assert f"server.record: {folder}: is open to other users" in node.log_file.read_text()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
