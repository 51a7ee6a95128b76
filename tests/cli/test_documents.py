"""submit, find and fetch against a running node, as their users type them."""

import errno
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from tests.cli.conftest import Run, Said, program, terminal
from tests.node import AUTHORITY, Node, fresh_patient
from xdsi.cli import sample
from xdsi.model.values import CX
from xdsi.peers.spool import Spool


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CDA, a PDF, a manifest, a CT image and a text."""
    folder = tmp_path_factory.mktemp("sent") / "with a blank"
    sample.make(folder, CX(f"OTHER^^^&{AUTHORITY}&ISO"))
    (folder / "image.dcm").write_bytes(Path(str(get_testdata_file("CT_small.dcm"))).read_bytes())
    (folder / "note.txt").write_text("An invented note.\n")
    return folder


@pytest.fixture
def patient() -> str:
    return str(fresh_patient())


def submit(call: Run, node: Node, patient: str, *more: str | Path) -> Said:
    return call("submit", "--config", node.config, "--patient", patient, *more)


def find(call: Run, node: Node, patient: str, *more: str) -> list[dict[str, object]]:
    said = call("find", "--config", node.config, "--patient", patient, "--json", *more)
    assert said.code == 0, said.err
    found: list[dict[str, object]] = json.loads(said.out)
    return found


@pytest.mark.parametrize(
    ("name", "mime_type", "format_code"),
    [
        ("report.xml", "text/xml", "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"),
        ("report.pdf", "application/pdf", "urn:ihe:rad:PDF"),
        ("manifest.dcm", "application/dicom", "1.2.840.10008.5.1.4.1.1.88.59"),
        ("image.dcm", "application/dicom", "1.2.840.10008.5.1.4.1.1.2"),
        ("note.txt", "text/plain", "urn:ihe:iti:xds:2017:mimeTypeSufficient"),
    ],
)
@pytest.mark.proves("IMG-048")
def test_a_document_of_each_kind_goes_there_and_back(
    call: Run,
    real_node: Node,
    sent: Path,
    patient: str,
    tmp_path: Path,
    name: str,
    mime_type: str,
    format_code: str,
) -> None:
    said = submit(call, real_node, patient, sent / name)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[-1] == f"submitted 1 document(s) for {patient}"
    (entry,) = find(call, real_node, patient)
    assert entry["mimeType"] == mime_type
    assert str(entry["formatCode"]).startswith(format_code + "^^")
    assert str(entry["uniqueId"]) in said.out and str(entry["entryUUID"]) in said.out

    said = call(
        "fetch", "--config", real_node.config, "--patient", patient, "--into", tmp_path, "--json"
    )
    (received,) = json.loads(said.out)
    content = (sent / name).read_bytes()
    assert Path(received["file"]).read_bytes() == content
    assert received == {
        "uniqueId": entry["uniqueId"],
        "file": received["file"],
        "mimeType": mime_type,
        "size": len(content),
        "sha1": hashlib.sha1(content).hexdigest(),
        "asRegistered": True,
    }
    assert [each.name for each in tmp_path.iterdir()] == [Path(received["file"]).name]


@pytest.mark.proves("REG-009")
def test_several_files_are_one_submission(
    call: Run, real_node: Node, sent: Path, patient: str
) -> None:
    files = [sent / "report.pdf", sent / "note.txt"]
    said = submit(call, real_node, patient, *files, "--json")
    told = json.loads(said.out)
    assert told["submitted"] is True and len(told["documents"]) == 2
    assert {each["uniqueId"] for each in find(call, real_node, patient)} == {
        each["uniqueId"] for each in told["documents"]
    }
    assert told["submissionSet"] in real_node.requests("ITI-41")[-1]["ids"]


def test_dry_run_shows_everything_and_sends_nothing(
    call: Run, real_node: Node, sent: Path, patient: str
) -> None:
    before = len(real_node.requests("ITI-41"))
    said = submit(call, real_node, patient, sent / "report.xml", "--dry-run")
    assert said.code == 0
    assert "sourcePatientInfo" in said.out
    assert said.out.splitlines()[-1].startswith("would submit 1 document(s)")
    told = json.loads(
        submit(call, real_node, patient, sent / "note.txt", "--dry-run", "--json").out
    )
    assert told["submitted"] is False
    assert find(call, real_node, patient) == []
    assert len(real_node.requests("ITI-41")) == before


def test_options_win_over_the_document(
    call: Run, real_node: Node, sent: Path, patient: str
) -> None:
    said = submit(
        call, real_node, patient, sent / "report.xml",
        "--title", "Ein Titel", "--language", "de-AT", "--author", "^Doe^Jane",
        "--code", "classCode=X^1.2.3^An X", "--accession", "A1^1.2.3", "--study", "1.2.3.4",
        "--service-start", "20240102", "--source-patient", "S^^^&1.2.9&ISO",
    )  # fmt: skip
    assert said.code == 0, said.err
    (entry,) = find(call, real_node, patient)
    assert entry["title"] == "Ein Titel"
    assert entry["languageCode"] == "de-AT"
    assert entry["author"] == ["^Doe^Jane"]
    assert entry["classCode"] == "X^^1.2.3 (An X)"
    assert entry["serviceStartTime"] == "20240102"
    assert entry["sourcePatientId"] == "S^^^&1.2.9&ISO"
    references = entry["referenceIdList"]
    assert isinstance(references, list)
    assert "A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession" in references
    assert "1.2.3.4^^^^urn:ihe:iti:xds:2016:studyInstanceUID" in references


def test_replaced_document_is_found_only_when_asked_for(
    call: Run, real_node: Node, sent: Path, patient: str
) -> None:
    submit(call, real_node, patient, sent / "report.pdf")
    (old,) = find(call, real_node, patient)
    said = submit(call, real_node, patient, sent / "note.txt", "--replace", str(old["entryUUID"]))
    assert said.code == 0, said.err
    (new,) = find(call, real_node, patient)
    assert new["mimeType"] == "text/plain"
    assert len(find(call, real_node, patient, "--deprecated")) == 2
    said = call("find", "--config", real_node.config, "--patient", patient, "--deprecated")
    (block,) = (each for each in re.split(r"\n(?=\S)", said.out) if "Deprecated" in each)
    assert str(old["entryUUID"]) in block


def test_found_documents_are_listed_newest_first_with_their_ids(
    call: Run, real_node: Node, sent: Path, patient: str
) -> None:
    submit(call, real_node, patient, sent / "image.dcm", sent / "report.pdf")
    said = call("find", "--config", real_node.config, "--patient", patient)
    titles = [line for line in said.out.splitlines() if not line.startswith(" ")]
    assert len(titles) == 2
    assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d  ", titles[0])
    assert titles[1].startswith("2004-01-19 ")
    details = call("find", "--config", real_node.config, "--patient", patient, "--details")
    for entry in find(call, real_node, patient):
        assert str(entry["entryUUID"]) in said.out
        assert str(entry["hash"]) in details.out


def test_refused_submission_says_why_and_keeps_nothing(
    call: Run, real_node: Node, sent: Path
) -> None:
    stranger = "T-1^^^&1.2.3&ISO"
    said = submit(call, real_node, stranger, sent / "note.txt")
    assert said.code == 1
    complaint = said.complaint
    assert complaint.startswith("XDSUnknownPatientId ")
    assert "1.2.3" in complaint and AUTHORITY in complaint and "[REG-080]" in complaint
    assert call("explain", "REG-080").code == 0


def test_refusal_names_the_file_it_is_about(
    call: Run, real_node: Node, sent: Path, patient: str, tmp_path: Path
) -> None:
    submit(call, real_node, patient, sent / "report.xml")
    other = tmp_path / "changed.xml"
    other.write_bytes((sent / "report.xml").read_bytes().replace(b"Headache", b"Toothache"))
    said = submit(call, real_node, patient, sent / "note.txt", other)
    assert said.code == 1
    assert "XDSNonIdenticalHash changed.xml: " in said.err
    assert "note.txt" not in said.err
    assert len(find(call, real_node, patient)) == 1


def test_unknown_target_of_a_replacement_is_refused(
    call: Run, real_node: Node, sent: Path, patient: str
) -> None:
    target = "urn:uuid:11111111-1111-4111-8111-111111111111"
    said = submit(call, real_node, patient, sent / "note.txt", "--replace", target)
    assert said.code == 1
    assert said.complaint.startswith("UnresolvedReferenceException ")


def test_nothing_found_is_no_error_but_nothing_fetched_is(
    call: Run, real_node: Node, patient: str, tmp_path: Path
) -> None:
    said = call("find", "--config", real_node.config, "--patient", patient)
    assert (said.code, said.out) == (0, "") and patient in said.err
    said = call(
        "fetch", "--config", real_node.config, "--patient", patient, "--into", tmp_path / "x"
    )
    assert said.code == 1 and patient in said.complaint
    assert not (tmp_path / "x").exists()


def test_fetch_takes_only_the_documents_named(
    call: Run, real_node: Node, sent: Path, patient: str, tmp_path: Path
) -> None:
    submit(call, real_node, patient, sent / "report.pdf", sent / "note.txt")
    text = next(e for e in find(call, real_node, patient) if e["mimeType"] == "text/plain")
    fetch = ("fetch", "--config", real_node.config, "--patient", patient, "--into", tmp_path)
    said = call(*fetch, "--document", str(text["uniqueId"]))
    assert said.code == 0
    assert [each.suffix for each in tmp_path.iterdir()] == [".txt"]
    said = call(*fetch, "--document", "1.2.3")
    assert said.code == 1 and "1.2.3" in said.complaint


def test_a_full_disk_is_no_answer_of_the_other_side(
    call: Run,
    real_node: Node,
    sent: Path,
    patient: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    submit(call, real_node, patient, sent / "note.txt")
    monkeypatch.setattr(Spool, "take", full)
    said = call("fetch", "--config", real_node.config, "--patient", patient, "--into", tmp_path)
    assert said.code == 2 and list(tmp_path.iterdir()) == []
    assert said.complaint == (
        f"xdsi: {tmp_path}: No space left on device; fetch again once there is room"
    )


def test_addresses_replace_a_configuration(
    call: Run, real_node: Node, sent: Path, patient: str, tmp_path: Path
) -> None:
    registry, repository = f"{real_node.base}/registry", f"{real_node.base}/repository"
    said = call("submit", "--repository", repository, "--patient", patient, sent / "note.txt")
    assert said.code == 0, said.err
    said = call("find", "--registry", registry, "--patient", patient)
    assert said.code == 0 and "text/plain" in said.out
    fetch = ("fetch", "--registry", registry, "--patient", patient, "--into", tmp_path)
    said = call(*fetch, "--repository", f"{real_node.repository_id}={repository}")
    assert said.code == 0, said.err
    said = call(*fetch, "--repository", f"1.2.3={repository}")
    assert said.code == 1
    assert said.complaint.startswith("XDSUnknownRepositoryId document ")
    document = json.loads(call(*fetch, "--repository", f"1.2.3={repository}", "--json").out)
    assert document["codes"] == ["XDSUnknownRepositoryId"] and document["received"] == []
    said = call(*fetch, "--repository", repository)
    assert said.code == 2 and "repositoryUniqueId" in said.complaint


def test_piped_output_is_plain_and_whole(real_node: Node, sent: Path, patient: str) -> None:
    files = sorted(each for each in sent.iterdir() if each.is_file())
    node = ("--config", real_node.config, "--patient", patient)
    assert program("submit", *files, *node).code == 0
    said = program("find", *node, "--details", COLUMNS="80")
    assert said.code == 0 and said.err == ""
    assert "\x1b" not in said.out and "…" not in said.out
    ids = re.findall(r"^  uniqueId +(\S+)$", said.out, re.MULTILINE)
    assert len(ids) == len(files)
    json.loads(program("find", *node, "--json", FORCE_COLOR="1").out)


def test_terminal_gets_colours_unless_it_forbids_them(
    real_node: Node, sent: Path, patient: str
) -> None:
    submit = ("submit", sent / "note.txt", "--config", real_node.config, "--patient", patient)
    code, shown = terminal(*submit)
    assert code == 0 and "\x1b[1m" in shown and patient in shown
    find = ("find", "--registry", "http://127.0.0.1:9/x", "--patient", patient)
    code, shown = terminal(*find)
    assert code == 2 and "\x1b[31m" in shown
    code, shown = terminal(*find, NO_COLOR="1")
    assert code == 2 and "\x1b[31m" not in shown and "xdsi: http://127.0.0.1:9/x" in shown


def test_long_transfers_show_their_progress_on_a_terminal(
    real_node: Node, patient: str, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(100 << 20)
    node = ("--config", real_node.config, "--patient", patient)
    code, shown = terminal("submit", big, *node)
    assert code == 0 and "sending" in shown and "/104.9 MB" in shown, shown
    code, shown = terminal("fetch", *node, "--into", tmp_path / "into")
    assert code == 0 and "receiving" in shown and "/104.9 MB" in shown, shown
    (received,) = (tmp_path / "into").iterdir()
    assert received.stat().st_size == 100 << 20


def test_output_survives_a_terminal_without_unicode(real_node: Node, sent: Path) -> None:
    patient = str(fresh_patient())
    node = ("--config", real_node.config, "--patient", patient)
    title = ("--title", "Прим ✔")
    assert program("submit", sent / "note.txt", *node, *title).code == 0
    said = program("find", *node, PYTHONIOENCODING="latin-1")
    assert said.code == 0 and "???? ?" in said.out
