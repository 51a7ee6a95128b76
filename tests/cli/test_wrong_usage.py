"""Whatever is wrong: one line on stderr that says what, the right exit code, no traceback."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run, program
from tests.node import XDSI, Node, free_port, fresh_patient
from xdsi.cli import COMMANDS

PATIENT = str(fresh_patient())
NOWHERE = "http://127.0.0.1:9/nothing"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with some files that are of no use."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.txt").write_text("hello\n")
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICMxx")
    (tmp_path / "cut.xml").write_text('<ClinicalDocument xmlns="urn:hl7-org:v3"><id')
    (tmp_path / "bad.toml").write_text("[registry\n")
    (tmp_path / "unknown.toml").write_text("[registry]\ncolour = 1\n")
    (tmp_path / "section.toml").write_text("[elsewhere]\n")
    (tmp_path / "type.toml").write_text('[server]\nport = "many"\n')
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "missing.toml").write_text("[repository]\nregistry = 'local'\n")
    (tmp_path / "password.toml").write_text(
        '[registry]\ndatabase = "postgresql+psycopg://me:secret@localhost/x"\n'
    )
    (tmp_path / "mysql.toml").write_text('[registry]\ndatabase = "mysql://localhost/x"\n')
    (tmp_path / "proxy.toml").write_text('[server]\nproxies = ["proxy.example"]\n')
    (tmp_path / "nowhere.toml").write_text(
        '[registry]\ndatabase = "postgresql+psycopg://me@127.0.0.1:9/x"\n'
    )
    return tmp_path


P = ("--patient", PATIENT)
CASES = [
    ("no command", [], ["COMMAND", "--help"]),
    ("unknown command", ["bogus"], ["bogus", "submit"]),
    ("unknown option", ["serve", "--bogus"], ["--bogus"]),
    ("no configuration", ["serve"], ["xdsi.toml", "xdsi init"]),
    ("not that configuration", ["check", "--config", "x.toml"], ["x.toml", "no such file"]),
    ("a folder as configuration", ["check", "--config", "."], [".: Is a directory"]),
    ("no TOML", ["serve", "--config", "bad.toml"], ["bad.toml", "line 1"]),
    ("unknown key", ["serve", "--config", "unknown.toml"], ["registry.colour", "mime_types"]),
    ("unknown section", ["serve", "--config", "section.toml"], ["elsewhere", "repository"]),
    ("wrong type", ["serve", "--config", "type.toml"], ["server.port", "'many'"]),
    ("bad proxy", ["serve", "--config", "proxy.toml"], ["server.proxies", "'proxy.example'"]),
    ("missing key", ["serve", "--config", "missing.toml"], ["repository.unique_id", "required"]),
    ("nothing to serve", ["serve", "--config", "empty.toml"], ["nothing to serve", "[registry]"]),
    ("password", ["serve", "--config", "password.toml"], ["registry.password_file"]),
    ("database kind", ["serve", "--config", "mysql.toml"], ["registry.database", "sqlite"]),
    ("database away", ["migrate", "--config", "nowhere.toml"], ["registry.database"]),
    ("migrate nothing", ["migrate"], ["xdsi.toml"]),
    ("init without folder", ["init"], ["DIR"]),
    ("init on a file", ["init", "note.txt"], ["note.txt", "folder"]),
    ("init bad port", ["init", "n", "--port", "70000"], ["--port", "70000"]),
    ("init no number", ["init", "n", "--port", "x"], ["--port"]),
    ("init bad OID", ["init", "n", "--assigning-authority", "x.y"], ["--assigning-authority"]),
    ("no action", ["patient"], ["ACTION"]),
    ("bad CX", ["patient", "add", "P-1"], ["id^^^&OID&ISO", "'P-1'"]),
    ("no files", ["submit", *P], ["FILE"]),
    ("no patient", ["submit", "note.txt"], ["--patient"]),
    ("bad patient", ["find", "--patient", "P-1"], ["--patient", "id^^^&OID&ISO"]),
    ("no such file", ["submit", "lost.pdf", *P], ["lost.pdf: No such file"]),
    ("folder", ["submit", ".", *P], [".: Is a directory"]),
    ("no node known", ["submit", "note.txt", *P], ["xdsi.toml"]),
    ("bad OID", ["submit", "note.txt", *P, "--source-id", "x"], ["--source-id", "OID", "'x'"]),
    ("bad study", ["submit", "note.txt", *P, "--study", "1.02"], ["--study"]),
    ("bad accession", ["submit", "note.txt", *P, "--accession", "a^b"], ["--accession", "a^b"]),
    ("bad code", ["submit", "note.txt", *P, "--code", "typeCode=a^b"], ["CODE^SCHEME^DISPLAY"]),
    ("bad coded", ["submit", "note.txt", *P, "--code", "colour=a^b^c"], ["classCode", "colour"]),
    ("bad time", ["submit", "note.txt", *P, "--service-start", "now"], ["YYYY", "'now'"]),
    ("bad language", ["submit", "note.txt", *P, "--language", "x y"], ["--language"]),
    ("bad target", ["submit", "note.txt", *P, "--replace", "abc"], ["--replace", "urn:uuid:"]),
    ("two for one", ["submit", "note.txt", "note.txt", *P, "--replace",
     "urn:uuid:11111111-1111-4111-8111-111111111111"], ["one document"]),
    ("bad address", ["submit", "note.txt", *P, "--repository", "x"], ["http", "'x'"]),
    ("bad port", ["find", *P, "--registry", "http://h:99999/"], ["--registry", "http or https"]),
    ("bad host", ["find", *P, "--registry", "http://a..b/"], ["--registry", "http or https"]),
    ("nobody there", ["submit", "note.txt", *P, "--repository", NOWHERE], [NOWHERE, "refused"]),
    ("no registry", ["find", *P, "--registry", NOWHERE], [NOWHERE, "refused"]),
    ("no CA", ["find", *P, "--registry", NOWHERE, "--ca", "no.pem"], ["--ca", "no.pem"]),
    ("no PEM", ["find", *P, "--registry", NOWHERE, "--ca", "note.txt"], ["--ca", "PEM"]),
    ("key alone", ["find", *P, "--registry", NOWHERE, "--key", "note.txt"], ["--certificate"]),
    ("no AE title", ["fetch", "--wado-uri", NOWHERE], ["--wado-uri", "AE title", NOWHERE]),
    ("parameters", ["fetch", "--wado-uri", f"A={NOWHERE}?x=1"], ["--wado-uri", "without"]),
    ("no images", ["fetch", "--wado-uri", f"A={NOWHERE}"], ["--wado-uri", "--manifest"]),
    ("no manifest", ["fetch", "--manifest", "no.dcm"], ["no.dcm: No such file"]),
    ("a folder as manifest", ["fetch", "--manifest", "."], [".: Is a directory"]),
    ("nothing to show", ["manifest", "show", "no.dcm"], ["no.dcm: No such file"]),
    ("nothing to check", ["manifest", "check", "no.dcm"], ["no.dcm: No such file"]),
    ("unknown rule", ["explain", "REG-7"], ["REG-7", "REG-07"]),
    ("no record", ["replay", "lost"], ["lost: No such file"]),
    ("not a record", ["replay", "note.txt"], ["note.txt", "not a recorded exchange"]),
    ("busy", ["watch", ".", "--every", "-1"], ["--every", "expected 0 or more", "'-1'"]),
    ("no pause", ["watch", ".", "--every", "0"], ["--every", "expected more than 0", "'0'"]),
    ("endless", ["watch", ".", "--every", "inf"], ["--every", "'inf'"]),
    ("no time", ["watch", ".", "--settle", "nan"], ["--settle", "'nan'"]),
    ("no seconds", ["watch", ".", "--settle", "soon"], ["--settle", "seconds, got 'soon'"]),
    ("past", ["watch", ".", "--again", "-0.5"], ["--again", "'-0.5'"]),
    ("demo on a file", ["demo", "--exit", "--folder", "note.txt/x"], ["note.txt"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_wrong_usage_is_one_line_and_exit_code_2(
    call: Run, folder: Path, arguments: list[str], words: list[str]
) -> None:
    said = call(*arguments)
    assert said.code == 2
    if arguments[:1] != ["demo"]:
        assert said.complaint.startswith("xdsi: ")
    assert [word for word in words if word not in said.err] == []
    assert "Traceback" not in said.err and "secret" not in said.err


FAILURES: list[tuple[str, list[str], int, list[str]]] = [
    ("usage", ["find", "--patient", "P-1"], 2, []),
    ("configuration", ["find", *P], 2, []),
    ("nobody there", ["find", *P, "--registry", NOWHERE], 2, []),
    ("no manifest", ["fetch", "--manifest", "no.dcm"], 2, []),
    ("no file", ["submit", "no.pdf", *P], 2, []),
    ("bad file", ["manifest", "show", "cut.dcm"], 1, ["InvalidDocumentContent"]),
    ("no folder", ["import", "no"], 2, []),
    ("no rule", ["explain", "REG-7"], 2, []),
    ("nothing to watch", ["watch", "."], 2, []),
]


@pytest.mark.parametrize(
    ("arguments", "code", "codes"), [c[1:] for c in FAILURES], ids=[c[0] for c in FAILURES]
)
def test_failure_is_a_document_for_programs_too(
    call: Run, folder: Path, arguments: list[str], code: int, codes: list[str]
) -> None:
    plain = call(*arguments)
    said = call(*arguments, "--json")
    assert (said.code, said.err) == (plain.code, plain.err) and plain.code == code
    assert plain.out == ""
    document = json.loads(said.out)
    assert document.keys() == {"error", "codes"} and document["codes"] == codes
    assert said.err == f"{'' if codes else 'xdsi: '}{document['error']}\n"
    assert said.out.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "rule"), [("cut.dcm", "KOS-133"), ("cut.xml", "")], ids=["DICOM", "CDA"]
)
def test_broken_document_is_named_and_not_sent(
    call: Run, folder: Path, name: str, rule: str
) -> None:
    said = call("submit", name, *P, "--repository", NOWHERE)
    assert said.code == 1
    assert said.complaint.startswith(f"InvalidDocumentContent {name}: ")
    assert rule in said.err


def test_init_never_overwrites_a_configuration(call: Run, folder: Path) -> None:
    (folder / "xdsi.toml").write_text("mine")
    said = call("init", folder)
    assert said.code == 2 and "exists already" in said.complaint
    assert (folder / "xdsi.toml").read_text() == "mine"


def test_taken_port_says_so(call: Run, real_node: Node) -> None:
    said = call("serve", "--config", real_node.config)
    assert said.code == 2
    assert "server.port" in said.complaint and "another port" in said.complaint


def test_node_that_is_not_running_is_a_plain_sentence(call: Run, folder: Path) -> None:
    assert call("init", folder / "n", "--port", str(free_port())).code == 0
    config = folder / "n" / "xdsi.toml"
    for command in (["submit", "note.txt"], ["find"], ["fetch"]):
        said = call(*command, "--config", config, *P)
        assert said.code == 2
        assert "Connection refused; does it run" in said.complaint


def test_partner_without_soap_is_a_plain_sentence(call: Run, real_node: Node) -> None:
    said = call("find", *P, "--registry", f"{real_node.base}/nothing")
    assert said.code == 2
    assert "is the address right?" in said.complaint


@pytest.mark.parametrize("command", [(), *((each,) for each in COMMANDS), ("patient", "add")])
def test_help_tells_every_option_in_80_columns(
    call: Run, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = call(*command, "--help")
    assert said.code == 0 and said.err == ""
    assert said.out.startswith(" ".join(("usage: xdsi", *command)))
    assert max(map(len, said.out.splitlines())) <= 80


def test_version_is_told(call: Run) -> None:
    said = call("--version")
    assert said.code == 0 and said.out.startswith("xdsi ")


def test_program_ends_with_the_same_codes() -> None:
    assert program("explain", "REG-070").code == 0
    said = program("explain", "nonsense")
    assert said.code == 2 and said.err.startswith("xdsi: no rule")
    assert "Traceback" not in program("find").err


def test_reader_that_stops_reading_is_no_error() -> None:
    process = subprocess.Popen(
        [*XDSI, "explain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert err == ""
