"""Retrieve Imaging Document Set [RAD-69], as a function."""

import io
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest

from tests.actors.imaging import samples
from tests.actors.imaging.conftest import CALL
from tests.actors.imaging.folder import FolderArchive
from tests.actors.imaging.samples import Ask, everything, request
from xdsi.actors.imaging import rad69
from xdsi.actors.imaging.source import Source
from xdsi.config import Limits
from xdsi.files.failing import PAUSE, Failing
from xdsi.model.errors import (
    XDSDocumentUniqueIdError,
    XDSError,
    XDSRepositoryBusy,
    XDSRepositoryError,
    XDSTooManyResults,
    XDSUnknownRepositoryId,
)
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content, RetrieveAnswer
from xdsi.plug import ArchiveBusy, ArchiveError, Call
from xdsi.standard import urns

ALL = tuple(samples.NAMES)


def ask(source: Source, *asked: str | Ask, syntaxes: tuple[str, ...] = (samples.EXPLICIT,)):  # type: ignore[no-untyped-def]
    return rad69.retrieve(request(*asked, syntaxes=syntaxes), CALL, source)


def came(answer: RetrieveAnswer) -> list[str]:
    """Names of the instances of an answer."""
    names = {uid: name for name, uid in samples.UIDS.items()}
    return [names[each.request.document_unique_id] for each in answer.documents]


def told(answer: RetrieveAnswer) -> list[tuple[type[XDSError], str]]:
    """Class and location of each error."""
    return [(type(each), each.location) for each in answer.errors]


@pytest.mark.proves("IMG-090", "IMG-092", "IMG-096", "IMG-100", "IMG-101", "IMG-104")
@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("explicit", samples.EXPLICIT),
        ("implicit", samples.IMPLICIT),
        ("big endian", samples.BIG),
        ("rle", samples.RLE),
        ("jpeg 2000", samples.J2K),
        ("jpeg-ls", samples.JPEG_LS),
        ("jpeg", samples.JPEG),
        ("deflated", samples.DEFLATED),
        ("report", samples.EXPLICIT),
        ("plan", samples.IMPLICIT),
    ],
)
def test_an_instance_in_a_listed_syntax_comes_as_it_is_stored(
    source: Source, files: dict[str, Path], name: str, syntax: str
) -> None:
    answer = ask(source, name, syntaxes=("1.2.3", samples.EXPLICIT, syntax))
    assert (answer.status, answer.errors) == (urns.SUCCESS, ())
    (document,) = answer.documents
    assert document.mime_type == "application/dicom"
    assert document.content.size == files[name].stat().st_size
    assert everything(document.content.open()) == files[name].read_bytes()


@pytest.mark.proves("IMG-091")
def test_ids_are_echoed_and_home_only_when_it_was_sent(source: Source) -> None:
    answer = ask(source, Ask("explicit", home="urn:oid:1.2.3"), "report")
    assert [each.request.home for each in answer.documents] == ["urn:oid:1.2.3", None]
    assert {each.request.repository_unique_id for each in answer.documents} == {samples.SOURCE}


@pytest.mark.proves("IMG-086", "SEC-T-042")
def test_instances_come_in_the_order_asked_and_once(source: Source) -> None:
    answer = ask(source, "report", "explicit", "report", Ask("explicit", home="urn:oid:1.2"))
    assert came(answer) == ["report", "explicit"]
    unknown = Ask("explicit", uid="1.2.3")
    assert len(ask(source, unknown, unknown).errors) == 1


@pytest.mark.proves("IMG-085", "IMG-110", "IMG-092", "IMG-093")
def test_another_source_is_not_answered_for(source: Source, archive: FolderArchive) -> None:
    answer = ask(source, Ask("explicit", source="1.2.999"), "report")
    assert answer.status == urns.PARTIAL_SUCCESS
    assert came(answer) == ["report"]
    assert told(answer) == [(XDSUnknownRepositoryId, samples.UIDS["explicit"])]
    assert samples.SOURCE in answer.errors[0].context
    assert archive.asked == [samples.OTHERS]


@pytest.mark.proves("IMG-111", "IMG-092", "IMG-093")
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Ask("explicit", uid="1.2.3"), id="unknown instance"),
        pytest.param(Ask("explicit", series=samples.OTHERS), id="another series"),
        pytest.param(Ask("explicit", series="1.2.3"), id="unknown series"),
        pytest.param(Ask("explicit", study="1.2.3"), id="another study"),
        pytest.param(Ask("explicit", uid="../../etc/passwd"), id="path"),
        pytest.param(Ask("explicit", uid="1" * 65), id="too long"),
        pytest.param(Ask("explicit", series="*"), id="series with a wildcard"),
        pytest.param(Ask("explicit", study="1.2\n3"), id="study with a line end"),
    ],
)
def test_an_instance_not_in_its_place_is_an_error_of_its_own(source: Source, wrong: Ask) -> None:
    location = wrong.instance.document.document_unique_id
    answer = ask(source, "report", wrong)
    assert answer.status == urns.PARTIAL_SUCCESS
    assert told(answer) == [(XDSDocumentUniqueIdError, location)]
    alone = ask(source, wrong)
    assert (alone.status, alone.documents) == (urns.FAILURE, ())
    assert "\n" not in alone.errors[0].context


def test_ids_that_no_instance_has_never_reach_the_archive(
    source: Source, archive: FolderArchive
) -> None:
    ask(source, Ask("explicit", uid="../x"), Ask("explicit", series=".."), Ask("rle", study="a/b"))
    assert archive.asked == []


@dataclass(slots=True)
class Careless(FolderArchive):
    """An archive that looks at neither series nor what is wanted."""

    def instances(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call, /
    ) -> Sequence[HeldInstance]:
        return self.index


@pytest.mark.proves("IMG-111")
def test_an_archive_that_gives_more_is_not_believed(archive: FolderArchive) -> None:
    careless = Source(samples.SOURCE, Careless(archive.folder), Limits())
    answer = ask(careless, Ask("explicit", series=samples.OTHERS), "report")
    assert told(answer) == [(XDSDocumentUniqueIdError, samples.UIDS["explicit"])]
    assert came(answer) == ["report"]


@pytest.mark.proves("IMG-100", "IMG-112", "IMG-115", "IMG-103", "IMG-105", "IMG-093")
@pytest.mark.parametrize(
    "syntaxes",
    [
        pytest.param(("1.2.3.4",), id="unknown"),
        pytest.param((samples.VIDEO,), id="nothing can be brought into it"),
        pytest.param((samples.JPEG,), id="lossy"),
        pytest.param((samples.BIG,), id="retired"),
        pytest.param(("1.2.840.10008.1.2.4.94",), id="JPIP"),
        pytest.param(("no syntax",), id="no UID"),
    ],
)
def test_without_a_common_syntax_each_instance_is_an_error(
    source: Source, syntaxes: tuple[str, ...]
) -> None:
    answer = ask(source, "explicit", "rle", syntaxes=syntaxes)
    assert (answer.status, answer.documents) == (urns.FAILURE, ())
    assert told(answer) == [
        (XDSRepositoryError, samples.UIDS["explicit"]),
        (XDSRepositoryError, samples.UIDS["rle"]),
    ]
    for stored, error in zip((samples.EXPLICIT, samples.RLE), answer.errors, strict=True):
        assert stored in error.context and syntaxes[0] in error.context


@pytest.mark.proves("IMG-112")
@pytest.mark.parametrize(
    ("stored", "listed", "advice"),
    [
        (samples.RLE, samples.JPEG, "the stored one or Explicit VR Little Endian"),
        ("1.2.3.4", samples.JPEG, "the stored one"),
        ("1.2.3.4", samples.EXPLICIT, "the stored one"),
    ],
)
def test_what_is_advised_helps(
    source: Source, archive: FolderArchive, stored: str, listed: str, advice: str
) -> None:
    archive.index = [each._replace(transfer_syntax_uid=stored) for each in archive.index]
    (error,) = ask(source, "rle", syntaxes=(listed,)).errors
    assert error.context.endswith(f"; list {advice} [IMG-112]")


@pytest.mark.proves("IMG-100", "IMG-101", "IMG-105")
@pytest.mark.parametrize(
    ("name", "syntaxes", "target"),
    [
        ("rle", (samples.JPEG, samples.EXPLICIT), samples.EXPLICIT),
        ("jpeg 2000", (samples.EXPLICIT,), samples.EXPLICIT),
        ("jpeg-ls", (samples.RLE, samples.EXPLICIT), samples.EXPLICIT),
        ("implicit", (samples.EXPLICIT, samples.J2K), samples.EXPLICIT),
        ("big endian", (samples.RLE,), samples.RLE),
        ("explicit", (samples.J2K,), samples.J2K),
        ("explicit", (samples.IMPLICIT,), samples.IMPLICIT),
        ("rle", (samples.IMPLICIT, samples.JPEG), samples.IMPLICIT),
        ("deflated", (samples.IMPLICIT,), samples.IMPLICIT),
    ],
)
def test_an_instance_is_brought_into_a_listed_syntax_without_loss(
    source: Source, files: dict[str, Path], name: str, syntaxes: tuple[str, ...], target: str
) -> None:
    (document,) = ask(source, name, syntaxes=syntaxes).documents
    data = everything(document.content.open())
    assert document.content.size in (None, len(data))
    item, stored = pydicom.dcmread(io.BytesIO(data)), pydicom.dcmread(files[name])
    assert item.file_meta.TransferSyntaxUID == target
    assert item.SOPInstanceUID == stored.SOPInstanceUID == samples.UIDS[name]
    assert (item.pixel_array == stored.pixel_array).all()


@pytest.mark.proves("IMG-112", "IMG-092")
def test_an_instance_that_cannot_be_recoded_fails_alone(changing: Source) -> None:
    damage(changing, "rle", "header")
    answer = ask(changing, "rle", "jpeg 2000")
    assert told(answer) == [(XDSRepositoryError, samples.UIDS["rle"])]
    assert came(answer) == ["jpeg 2000"]


@pytest.mark.proves("SEC-T-029")
def test_a_frame_that_turns_out_broken_is_kept_back_in_that_syntax(changing: Source) -> None:
    damage(changing, "rle", "pixels")
    (document,) = ask(changing, "rle").documents
    with pytest.raises(OSError, match="stored file"):
        everything(document.content.open())
    assert told(ask(changing, "rle")) == [(XDSRepositoryError, samples.UIDS["rle"])]
    assert came(ask(changing, "rle", syntaxes=(samples.RLE,))) == ["rle"]


@pytest.mark.proves("IMG-102")
def test_the_list_concerns_pixel_data_alone(source: Source, files: dict[str, Path]) -> None:
    answer = ask(source, "report", "explicit", syntaxes=(samples.JPEG,))
    assert came(answer) == ["report"]
    assert everything(answer.documents[0].content.open()) == files["report"].read_bytes()
    (plan,) = ask(source, "plan", syntaxes=(samples.JPEG,)).documents
    item = pydicom.dcmread(io.BytesIO(everything(plan.content.open())))
    assert item.file_meta.TransferSyntaxUID == samples.EXPLICIT
    (document,) = ask(source, "report", syntaxes=(samples.IMPLICIT, samples.JPEG)).documents
    item = pydicom.dcmread(io.BytesIO(everything(document.content.open())))
    assert item.file_meta.TransferSyntaxUID == samples.IMPLICIT
    assert item == pydicom.dcmread(files["report"])


@pytest.mark.proves("IMG-100")
@pytest.mark.parametrize("name", ["rle", "deflated", "explicit"])
def test_a_syntax_the_archive_does_not_tell_is_read_from_the_file(
    source: Source, archive: FolderArchive, files: dict[str, Path], name: str
) -> None:
    archive.index = [e._replace(transfer_syntax_uid=None, frames=None) for e in archive.index]
    stored = next(e for e in FolderArchive(archive.folder).index if e.key == files[name].name)
    assert stored.transfer_syntax_uid is not None
    answer = ask(source, name, syntaxes=(stored.transfer_syntax_uid,))
    assert everything(answer.documents[0].content.open()) == files[name].read_bytes()
    assert told(ask(source, name, syntaxes=(samples.VIDEO,)))[0][0] is XDSRepositoryError


@pytest.mark.proves("IMG-118", "IMG-119", "IMG-092")
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ArchiveError("no answer in 5 s"), XDSRepositoryError),
        (ArchiveBusy("fetched from tape"), XDSRepositoryBusy),
    ],
    ids=["silent", "busy"],
)
def test_a_series_the_archive_does_not_answer_for_fails_alone(
    source: Source, archive: FolderArchive, error: ArchiveError, kind: type[XDSError]
) -> None:
    def before(series: str) -> None:
        if series == samples.MR:
            raise error

    archive.before = before
    answer = ask(source, "explicit", "rle", "report")
    assert answer.status == urns.PARTIAL_SUCCESS
    assert came(answer) == ["report"]
    assert told(answer) == [(kind, samples.UIDS["explicit"]), (kind, samples.UIDS["rle"])]
    assert all(str(error) in each.context for each in answer.errors)
    assert ask(source, "explicit").status == urns.FAILURE


@pytest.mark.proves("IMG-119")
def test_when_time_is_up_what_was_not_asked_for_is_told_as_busy(source: Source) -> None:
    late = Call("t", deadline=0.0)
    answer = rad69.retrieve(request("explicit", "report"), late, source)
    assert {kind for kind, _ in told(answer)} == {XDSRepositoryBusy}


def test_the_archive_is_asked_once_for_a_series(source: Source, archive: FolderArchive) -> None:
    answer = ask(source, *ALL, syntaxes=(samples.EXPLICIT, samples.RLE, samples.J2K))
    assert sorted(archive.asked) == [samples.MR, samples.OTHERS]
    assert "explicit" in came(answer)


@pytest.mark.proves("SEC-T-042")
def test_a_request_above_the_limit_is_refused(source: Source) -> None:
    assert source.limits.imaging_documents == 10_000
    few = replace(source, limits=Limits(imaging_documents=3))
    assert ask(few, "report", "report", "report").errors == ()
    with pytest.raises(XDSTooManyResults, match="limit of 3"):
        ask(few, *["report"] * 4)


@pytest.fixture
def changing(files: dict[str, Path], tmp_path: Path) -> Source:
    """A source whose files may be damaged after they were looked at."""
    folder = tmp_path / "images"
    shutil.copytree(files["rle"].parent, folder)
    return Source(samples.SOURCE, FolderArchive(folder), Limits())


def damage(source: Source, name: str, how: str) -> None:
    path = source.archive.folder / f"{samples.UIDS[name]}.dcm"  # type: ignore[attr-defined]
    data = path.read_bytes()
    middle = data.index(b"\xfe\xff\x00\xe0") if how == "pixels" else 0
    changed = {
        "gone": b"",
        "cut": data[:-100],
        "longer": data + b"x",
        "header": data[:400] + bytes(100) + data[500:],
        "pixels": data[: middle + 100] + bytes(5000) + data[middle + 5100 :],
    }[how]
    path.unlink()
    if changed:
        path.write_bytes(changed)


@pytest.mark.proves("RET-037", "SEC-T-029", "IMG-092")
@pytest.mark.parametrize("how", ["cut", "longer", "gone"])
def test_what_fails_while_it_streams_is_kept_back_for_a_minute(changing: Source, how: str) -> None:
    now = [0.0]
    source = replace(changing, failing=Failing(lambda: now[0]))
    damage(source, "explicit", how)
    answer = ask(source, "report", "explicit")
    assert answer.status == urns.SUCCESS
    with pytest.raises(OSError, match=r"promised|No such file"):
        everything(answer.documents[1].content.open())
    again = ask(source, "report", "explicit")
    assert again.status == urns.PARTIAL_SUCCESS
    assert told(again) == [(XDSRepositoryError, samples.UIDS["explicit"])]
    assert came(again) == ["report"]
    now[0] += PAUSE
    assert came(ask(source, "report", "explicit")) == ["report", "explicit"]


class Silent(FolderArchive):
    """An archive that stops answering between plan and stream."""

    def open(self, instance: HeldInstance, call: Call, /) -> Content:
        def gone() -> None:
            raise ArchiveError("connection lost")

        return Content(instance.size, gone)  # type: ignore[arg-type]


def test_an_archive_lost_on_the_way_ends_the_transfer_with_oserror(archive: FolderArchive) -> None:
    source = Source(samples.SOURCE, Silent(archive.folder), Limits())
    answer = ask(source, "report")
    with pytest.raises(OSError, match="connection lost"):
        answer.documents[0].content.open()
    assert ask(source, "report").status == urns.FAILURE


def test_a_reader_is_closed_and_one_not_read_to_its_end_is_no_failure(source: Source) -> None:
    reader = ask(source, "explicit").documents[0].content.open()
    reader.read(10)
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(10)
    assert came(ask(source, "explicit")) == ["explicit"]


def test_what_is_remembered_is_bounded() -> None:
    failing = Failing(lambda: 0.0)
    for number in range(10_005):
        failing.note((str(number), ""), OSError("x"))
    assert ("4", "") not in failing
    assert ("5", "") in failing and ("10004", "") in failing


def test_nothing_is_opened_before_the_answer_begins(source: Source, archive: FolderArchive) -> None:
    ask(source, "explicit", "report")
    assert archive.opened == 0


def test_streaming_has_no_total_time_out(files: dict[str, Path], archive: FolderArchive) -> None:
    """The time for handling a request does not end what is sent afterwards (SEC-T-048)."""
    calls: list[Call] = []

    class Noting(FolderArchive):
        def open(self, instance: HeldInstance, call: Call, /) -> Content:
            calls.append(call)
            return super().open(instance, call)

    rad69.retrieve(
        request("report"),
        Call.internal(5),
        Source(samples.SOURCE, Noting(archive.folder), Limits()),
    )
    assert calls[0].remaining == float("inf")
