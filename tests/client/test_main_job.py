"""DocumentSource and DocumentConsumer against a node as its users run it."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from tests.node import Node, fresh_patient
from xdsi.cli import sample
from xdsi.client import DocumentConsumer, DocumentSource, NoAnswer, Received, compose
from xdsi.model.errors import XDSError, XDSExtraMetadataNotSaved, leaves
from xdsi.model.messages import (
    Content,
    Document,
    DocumentRequest,
    ProvideRequest,
    QueryRequest,
    RegistryAnswer,
)
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX, OID, SHA1, HomeCommunityId, Identifier, Size
from xdsi.standard import urns
from xdsi.wire.kos import read_manifest

WISHES = compose.Wishes(patient=CX("P^^^&2.999.7&ISO"), source_id=OID("2.999.8"))


@pytest.fixture
def source(real_node: Node) -> Iterator[DocumentSource]:
    with real_node.source() as made:
        yield made


@pytest.fixture
def consumer(real_node: Node) -> Iterator[DocumentConsumer]:
    with real_node.consumer() as made:
        yield made


def note(folder: Path, text: str = "An invented note.\n") -> Path:
    path = folder / "note.txt"
    path.write_text(text)
    return path


def provide(source: DocumentSource, patient: CX, *files: Path) -> ProvideRequest:
    request = compose.provide_request(files, replace(WISHES, patient=patient))
    assert source.provide(request) == ()
    return request


def codes(found: BaseException) -> list[str]:
    return [each.code for each in leaves(found) if isinstance(each, XDSError)]


@pytest.mark.proves("IMG-053")
def test_the_main_job(
    source: DocumentSource, consumer: DocumentConsumer, real_node: Node, tmp_path: Path
) -> None:
    """Submit a report as CDA and PDF and a manifest, find, retrieve, compare, read the manifest."""
    patient = fresh_patient()
    made = sample.make(tmp_path / "sent", patient)
    for _, file, wishes in made.submissions:
        assert source.provide(compose.provide_request([file], wishes)) == ()
    entries = consumer.find_documents(patient)
    assert len(entries) == 3
    into = tmp_path / "into"
    into.mkdir()
    received = list(consumer.retrieve(entries, into))
    sent = {file.read_bytes() for _, file, _ in made.submissions}
    assert {each.path.read_bytes() for each in received} == sent
    for each in received:
        content = each.path.read_bytes()
        entry = each.entry
        assert entry is not None and entry.hash is not None and entry.size is not None
        assert each.is_as_registered
        assert str(entry.repository_unique_id) == real_node.repository_id
        assert (each.size, int(entry.size)) == (len(content), len(content))
        assert each.sha1 == entry.hash.lower == hashlib.sha1(content).hexdigest()
        assert each.mime_type == entry.mime_type
        assert each.request.document_unique_id == str(entry.unique_id)
    (kos,) = (each.path for each in received if each.path.suffix == ".dcm")
    manifest = read_manifest(kos)
    listed = {
        reference.sop_instance_uid: (study.study_instance_uid, series.series_instance_uid)
        for study, series, reference in manifest.references()
    }
    images = [pydicom.dcmread(path, stop_before_pixels=True) for path in sample._files()]
    assert listed == {
        image.SOPInstanceUID: (image.StudyInstanceUID, image.SeriesInstanceUID) for image in images
    }
    assert len(listed) == len(list(made.images.iterdir())) == 11


def test_report_leads_to_its_study(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    for _, file, wishes in sample.make(tmp_path, patient).submissions:
        source.provide(compose.provide_request([file], wishes))
    entries = consumer.find_documents(patient)
    references = [
        {str(each) for each in entry.reference_ids if urns.STUDY_INSTANCE_UID in str(each)}
        for entry in entries
    ]
    assert len(references) == 3 and len(references[0]) == 1
    assert references[0] == references[1] == references[2]
    # report and images are about one person, as far as they say
    told = {part for each in entries for part in map(str, each.source_patient_info)}
    assert {part for part in told if part.startswith(("PID-5", "PID-8"))} == {
        "PID-5|Doe^Peter", "PID-8|M"
    }  # fmt: skip


def test_files_are_told_as_they_arrive(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(3 << 20))
    provide(source, patient, big, note(tmp_path))
    moved: list[int] = []
    into = tmp_path / "into"
    into.mkdir()
    received = list(consumer.retrieve(consumer.find_documents(patient), into, moved=moved.append))
    assert len(moved) > 2
    assert sum(moved) == sum(each.size for each in received) == (3 << 20) + 18
    assert len(list(into.iterdir())) == 2  # nothing temporary stays


def test_earlier_files_are_never_overwritten(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    provide(source, patient, note(tmp_path))
    entries = consumer.find_documents(patient)
    into = tmp_path / "into"
    into.mkdir()
    first, second = (next(consumer.retrieve(entries, into)) for _ in range(2))
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize(
    "unique_id",
    ["../../../up", "/etc/passwd", "..", ".hidden", "-rf", "a b/c\\d", "x" * 256, "NUL:", "ümläut"],
)
def test_file_names_are_never_steered_by_ids(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path, unique_id: str
) -> None:
    patient = fresh_patient()
    # ids are used once: this node keeps them for other runs of this test's cases
    strange = unique_id[:200] + fresh_patient().id
    request = compose.provide_request([note(tmp_path)], replace(WISHES, patient=patient))
    (entry,) = request.submission.entries
    entry = replace(entry, unique_id=Identifier(strange))
    submission = replace(request.submission, entries=(entry,))
    assert source.provide(replace(request, submission=submission)) == ()
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    (received,) = consumer.retrieve(consumer.find_documents(patient), into)
    assert received.request.document_unique_id == strange
    assert received.path.parent == into and received.path.is_file()
    assert not received.path.name.startswith((".", "-"))
    assert len(received.path.name) < 120 and received.path.name.isascii()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deep", "note.txt"]
    assert [each.name for each in into.iterdir()] == [received.path.name]


def test_refusal_is_raised_with_all_its_errors(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    request = compose.provide_request([note(tmp_path)], replace(WISHES, patient=patient))
    (entry,) = request.submission.entries
    bad = replace(entry, class_code=None, type_code=None)
    submission = replace(request.submission, entries=(bad,))
    with pytest.raises(ExceptionGroup) as refused:
        source.provide(replace(request, submission=submission))
    found = list(leaves(refused.value))
    assert len(found) == 2
    for each, name in zip(found, ("classCode", "typeCode"), strict=True):
        assert isinstance(each, XDSError) and name in each.context
        assert each.location == entry.entry_uuid and not each.is_warning
    assert consumer.find_documents(patient) == ()


def test_missing_document_is_refused(source: DocumentSource, tmp_path: Path) -> None:
    request = compose.provide_request([note(tmp_path)], replace(WISHES, patient=fresh_patient()))
    with pytest.raises(ExceptionGroup) as refused:
        source.provide(replace(request, documents=()))
    assert codes(refused.value) == ["XDSMissingDocument"]


def test_warnings_come_with_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node gives none today; what a partner says is passed on."""
    warning = XDSExtraMetadataNotSaved("slot", "was not kept")
    with DocumentSource("http://127.0.0.1:9/repository") as source:
        monkeypatch.setattr(source, "_provide", lambda request, call: RegistryAnswer((warning,)))
        request = compose.provide_request([note(tmp_path)], WISHES)
        assert source.provide(request) == (warning,)


def test_the_same_request_may_be_sent_again_when_nobody_answered(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    request = compose.provide_request([note(tmp_path)], replace(WISHES, patient=patient))
    with (
        DocumentSource("http://127.0.0.1:9/repository") as nobody,
        pytest.raises(NoAnswer, match="refused"),
    ):
        nobody.provide(request)
    assert source.provide(request) == ()
    assert len(consumer.find_documents(patient)) == 1


def test_file_that_shrinks_or_goes_is_an_error_and_nothing_is_kept(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    request = compose.provide_request([note(tmp_path)], replace(WISHES, patient=patient))
    (tmp_path / "note.txt").write_text("short")
    with pytest.raises(OSError, match="instead of the 18 promised"):
        source.provide(request)
    (tmp_path / "note.txt").unlink()
    with pytest.raises(OSError, match="No such file"):
        source.provide(request)
    assert consumer.find_documents(patient) == ()


def test_what_is_not_delivered_is_raised_after_the_rest(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    provide(source, patient, note(tmp_path))
    (entry,) = consumer.find_documents(patient)
    lost = replace(entry, unique_id=Identifier("1.2.3.4"))
    elsewhere = replace(entry, repository_unique_id=OID("2.999.66"))
    into = tmp_path / "into"
    into.mkdir()
    arriving = consumer.retrieve([lost, elsewhere, entry], into)
    assert next(arriving).request.document_unique_id == str(entry.unique_id)
    with pytest.raises(ExceptionGroup) as missing:
        next(arriving)
    found = {(each.code, each.location) for each in leaves(missing.value)}  # type: ignore[attr-defined]
    assert found == {
        ("XDSDocumentUniqueIdError", "1.2.3.4"),
        ("XDSUnknownRepositoryId", str(entry.unique_id)),
    }


def test_refused_query_is_raised(consumer: DocumentConsumer) -> None:
    with pytest.raises(ExceptionGroup) as refused:
        consumer.query(QueryRequest("urn:uuid:11111111-1111-4111-8111-111111111111"))
    assert codes(refused.value) == ["XDSUnknownStoredQuery"]


def test_deprecated_entries_come_only_when_asked_for(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    patient = fresh_patient()
    old = provide(source, patient, note(tmp_path)).submission.entries[0]
    wishes = replace(WISHES, patient=patient, replaces=(old.entry_uuid,))
    source.provide(compose.provide_request([note(tmp_path, "Newer.\n")], wishes))
    (current,) = consumer.find_documents(patient)
    assert current.entry_uuid != old.entry_uuid
    both = consumer.find_documents(patient, (urns.APPROVED, urns.DEPRECATED))
    assert {each.entry_uuid: each.status for each in both} == {
        current.entry_uuid: urns.APPROVED,
        old.entry_uuid: urns.DEPRECATED,
    }


def received_as(size: int, content: bytes, entry: DocumentEntry | None) -> Received:
    digest = hashlib.sha1(content).hexdigest()
    return Received(DocumentRequest("1.2", "1.3"), "text/plain", Path("x"), size, digest, entry)


@pytest.mark.parametrize(
    ("size", "sha1", "verdict"),
    [
        ("5", hashlib.sha1(b"hello").hexdigest(), True),
        ("5", hashlib.sha1(b"hello").hexdigest().upper(), True),
        ("6", hashlib.sha1(b"hello").hexdigest(), False),
        ("5", hashlib.sha1(b"other").hexdigest(), False),
        ("many", hashlib.sha1(b"hello").hexdigest(), False),
        (None, hashlib.sha1(b"hello").hexdigest(), True),
        ("5", None, True),
    ],
)
def test_size_and_hash_are_compared_where_both_are_known(
    size: str | None, sha1: str | None, verdict: bool
) -> None:
    entry = DocumentEntry(
        entry_uuid="x",
        size=None if size is None else Size(size),
        hash=None if sha1 is None else SHA1(sha1),
    )
    assert received_as(5, b"hello", entry).is_as_registered is verdict
    assert received_as(5, b"hello", None).is_as_registered


@pytest.mark.proves("RET-051")
def test_placeholders_of_delayed_assembly_are_not_compared() -> None:
    entry = DocumentEntry(
        entry_uuid="x", size=Size("0"), hash=SHA1("da39a3ee5e6b4b0d3255bfef95601890afd80709")
    )
    assert received_as(5, b"hello", entry).is_as_registered


def test_documents_are_asked_for_in_portions(
    consumer: DocumentConsumer, tmp_path: Path, real_node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdsi.client._BATCH", 2)
    asked = len(real_node.requests("ITI-43"))
    entries = [
        DocumentEntry(
            entry_uuid=f"x{number}",
            unique_id=Identifier(f"1.2.3.{number}"),
            repository_unique_id=OID(real_node.repository_id),
        )
        for number in range(5)
    ]
    with pytest.raises(ExceptionGroup) as missing:
        list(consumer.retrieve(entries, tmp_path))
    assert codes(missing.value) == ["XDSDocumentUniqueIdError"] * 5
    lines = real_node.requests("ITI-43")[asked:]
    assert [len(line["ids"]) for line in lines] == [2, 2, 1]


def test_document_from_memory_can_be_sent_too(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    """Content is anything with a size and a way to open it."""
    patient = fresh_patient()
    request = compose.provide_request([note(tmp_path)], replace(WISHES, patient=patient))
    (document,) = request.documents
    other = Document(document.id, Content(None, lambda: io.BytesIO(b"chunked")))
    assert source.provide(replace(request, documents=(other,))) == ()
    (entry,) = consumer.find_documents(patient)
    assert str(entry.size) == "7"


@pytest.mark.proves("RET-005", "RET-012", "MD-188")
def test_home_of_an_entry_goes_along(
    source: DocumentSource, consumer: DocumentConsumer, tmp_path: Path
) -> None:
    """Registered with a home community or without, each document is asked for as it was found."""
    patient, home = fresh_patient(), HomeCommunityId("urn:oid:2.999.9")
    for name, stated in (("at-home", home), ("nowhere", None)):
        file = tmp_path / f"{name}.txt"
        file.write_text(f"An invented note, {name}.\n")
        request = compose.provide_request([file], replace(WISHES, patient=patient))
        entries = tuple(replace(each, home=stated) for each in request.submission.entries)
        submission = replace(request.submission, entries=entries)
        assert source.provide(replace(request, submission=submission)) == ()
    found = consumer.find_documents(patient)
    assert {each.home for each in found} == {home, None}
    into = tmp_path / "into"
    into.mkdir()
    # the repository echoes what it was asked with
    asked = [(each.request.home, each.entry) for each in consumer.retrieve(found, into)]
    assert len(asked) == 2
    for sent, entry in asked:
        assert entry is not None
        assert sent == (None if entry.home is None else str(home))
