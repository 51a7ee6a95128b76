"""Imaging manifests as they arrive [RAD-68]: off, warned of, refused."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydicom.dataset import Dataset

from repository import iti41
from repository.holdings import Holdings
from tests import samples
from tests.files.disks import FailingDisk
from tests.repository import reading
from tests.repository.conftest import MakeHoldings
from tests.repository.ports import CALL, ScriptedRegistry
from tests.wire import manifests as m
from tests.wire.studies import FILES
from xdsi.config import Check
from xdsi.model.errors import InvalidDocumentContent, XDSError, XDSRepositoryError, leaves
from xdsi.model.messages import Document, ProvideRequest, RegistryAnswer
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import CX, Identifier
from xdsi.plug import Call
from xdsi.standard import urns

Wrong = Callable[[Dataset], object]


def manifest(edit: Wrong = m.nothing, **changes: Any) -> tuple[DocumentEntry, bytes]:
    """A manifest with its entry; edit: of the manifest, changes: of the entry."""
    item = m.dataset()
    edit(item)
    return m.entry_of(item, **changes), m.file_of(item)


def request(*documents: tuple[DocumentEntry, bytes]) -> ProvideRequest:
    entries = [entry for entry, _ in documents]
    return ProvideRequest(
        samples.submission(entries),
        tuple(Document(e.entry_uuid, samples.staged(content)) for e, content in documents),
    )


def send(
    sent: ProvideRequest, holdings: Holdings, how: Check | None = None, call: Call = CALL
) -> RegistryAnswer:
    options: dict[str, Check] = {} if how is None else {"manifest_check": how}
    return iti41.provide(sent, call, holdings, ScriptedRegistry().register, **options)


def refused(sent: ProvideRequest, holdings: Holdings, how: Check = "strict") -> list[XDSError]:
    with pytest.raises(ExceptionGroup) as caught:
        send(sent, holdings, how)
    return [each for each in leaves(caught.value) if isinstance(each, XDSError)]


WRONG_ID = {"unique_id": Identifier("1.2.3")}


@pytest.mark.proves("IMG-017", "IMG-010", "SEC-T-153")
@pytest.mark.parametrize("how", ["off", "warn", "strict"])
def test_a_good_manifest_is_taken_without_a_word(holdings: Holdings, how: Check) -> None:
    entry, content = manifest()
    assert send(request((entry, content)), holdings, how) == RegistryAnswer()
    assert reading.served(holdings, str(entry.unique_id)) == content


@pytest.mark.proves("IMG-017", "KOS-122", "SEC-T-151", "SEC-T-153")
def test_a_wrong_one_is_taken_with_one_warning_by_default(holdings: Holdings) -> None:
    entry, content = manifest(m.without("ContentDate"), **WRONG_ID)
    answer = send(request((entry, content)), holdings)
    [warning] = answer.errors
    assert answer.status == urns.SUCCESS
    assert (warning.code, warning.severity) == ("InvalidDocumentContent", urns.SEVERITY_WARNING)
    assert warning.context.startswith("1.2.3: DocumentEntry.uniqueId")
    assert "[KOS-122]" in warning.context and "[KOS-125]" in warning.context
    assert warning.location == entry.entry_uuid
    assert reading.served(holdings, "1.2.3") == content


@pytest.mark.proves("REG-037", "IMG-017", "KOS-122", "SEC-T-151")
def test_strictly_it_is_refused_with_one_error_for_each_document(holdings: Holdings) -> None:
    first = manifest(m.without("ContentDate"), unique_id=Identifier("1.2.3"))
    second = manifest(m.in_every_series("RetrieveLocationUID"))
    note = samples.document_entry(b"note", hash=None, size=None, repository_unique_id=None)
    found = refused(request(first, second, (note, b"note")), holdings)
    assert [(type(each), each.location) for each in found] == [
        (InvalidDocumentContent, first[0].entry_uuid),
        (InvalidDocumentContent, second[0].entry_uuid),
    ]
    for each, (entry, _) in zip(found, (first, second), strict=True):
        assert str(entry.unique_id) in each.context
    assert reading.names(holdings) == reading.recorded(holdings) == set()
    assert reading.staged(holdings) == []


@pytest.mark.proves("IMG-017", "REG-037")
def test_a_manifest_is_refused_together_with_all_that_is_wrong(holdings: Holdings) -> None:
    entry, content = manifest(**WRONG_ID)
    sent = request((entry, content))
    extra = replace(sent, strays=("nobody@example.org",))
    assert [each.code for each in refused(extra, holdings)] == [
        "XDSMissingDocumentMetadata",
        "InvalidDocumentContent",
    ]
    found = refused(extra, holdings, "warn")
    assert [each.is_warning for each in found] == [False, True]


@pytest.mark.proves("IMG-017")
def test_switched_off_nothing_is_looked_at(holdings: Holdings) -> None:
    entry, _ = manifest()
    assert send(request((entry, b"no DICOM at all")), holdings, "off") == RegistryAnswer()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"reference_ids": ()}, "KOS-129", id="study and accession number"),
        pytest.param(
            {"source_patient_id": CX("T-2^^^&1.2.40.0.13.8&ISO")}, "KOS-128", id="patient"
        ),
        pytest.param({"format_code": samples.TEXT}, "KOS-121", id="format"),
        pytest.param({"event_codes": (samples.MR,)}, "KOS-130", id="modality"),
    ],
)
@pytest.mark.parametrize("how", ["warn", "strict"])
@pytest.mark.proves("IMG-017", "KOS-121", "KOS-128", "KOS-129", "KOS-130", "SEC-T-151")
def test_what_contradicts_the_entry_is_told_and_never_refused(
    holdings: Holdings, changes: dict[str, Any], rule: str, how: Check
) -> None:
    [warning] = send(request(manifest(**changes)), holdings, how).errors
    assert warning.is_warning and rule in warning.context


@pytest.mark.proves("IMG-048")
def test_patient_id_is_never_compared(holdings: Holdings) -> None:
    sent = request(manifest(patient_id=samples.OTHER_PATIENT))
    assert send(sent, holdings, "strict") == RegistryAnswer()


@pytest.mark.proves("IMG-017", "KOS-124")
def test_what_is_odd_within_a_manifest_goes_to_the_log_alone(
    holdings: Holdings, caplog: pytest.LogCaptureFixture
) -> None:
    entry, content = manifest(m.titled("113000", "DCM"))
    with caplog.at_level(logging.WARNING, "xdsi.repository"):
        assert send(request((entry, content)), holdings, "strict") == RegistryAnswer()
    [record] = caplog.records
    assert record.getMessage() == f"manifest '{entry.unique_id}': KOS-124"


@pytest.mark.parametrize(
    ("mime_type", "format_code", "is_told"),
    [
        pytest.param("application/dicom", None, True, id="media type alone"),
        pytest.param("Application/DICOM; charset=x", samples.TEXT, True, id="with parameters"),
        pytest.param("text/xml", m.entry_of(m.dataset()).format_code, True, id="format alone"),
        pytest.param("text/xml", samples.TEXT, False, id="neither"),
    ],
)
@pytest.mark.proves("KOS-120", "IMG-010")
def test_which_documents_are_looked_into(
    holdings: Holdings, mime_type: str, format_code: Any, is_told: bool
) -> None:
    entry, _ = manifest(mime_type=mime_type, format_code=format_code)
    answer = send(request((entry, b"no DICOM at all")), holdings)
    assert [each.rule for each in answer.errors] == ["KOS-120"] * is_told


@pytest.mark.proves("IMG-010", "SEC-T-153")
def test_images_are_taken_whatever_they_are(holdings: Holdings) -> None:
    for name in ("CT_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "image_dfl.dcm", "no_meta.dcm"):
        content = (FILES / name).read_bytes() if (FILES / name).exists() else b"\0" * 400
        entry, _ = manifest(unique_id=Identifier(samples.new_oid()), format_code=samples.TEXT)
        assert [each.is_warning for each in send(request((entry, content)), holdings).errors] in (
            [], [True],
        )  # fmt: skip
        assert reading.served(holdings, str(entry.unique_id)) == content


@pytest.mark.proves("KOS-113", "SEC-T-150")
def test_many_slow_manifests_cannot_use_up_the_request(holdings: Holdings) -> None:
    """Later ones are not checked, which is told, and all are taken."""
    late = replace(CALL, deadline=time.monotonic() + 0.0)
    item = m.dataset()
    item.private_block(0x0009, "XDSI TEST", create=True)
    for number in range(2000):  # the clock is looked at now and then only
        item.add_new(0x00091000 + number, "LO", "x")
    [warning] = send(request((m.entry_of(item), m.file_of(item))), holdings, "strict", late).errors
    assert warning.is_warning and "[KOS-113]" in warning.context
    assert "was not checked" in warning.context


@pytest.mark.proves("SEC-T-016", "REG-037")
def test_a_manifest_that_the_disk_keeps_back_is_refused(
    make_holdings: MakeHoldings,
) -> None:
    disk = FailingDisk()
    holdings = make_holdings(disk.disk())
    disk.arm(name="pread")
    with pytest.raises(XDSRepositoryError, match="reading a manifest"):
        send(request(manifest()), holdings)
    disk.arm()
    assert reading.names(holdings) == set()
    assert reading.staged(holdings) == []


@pytest.mark.proves("SEC-T-040", "KOS-113")
def test_no_descriptor_is_left_open(holdings: Holdings) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    send(request(manifest()), holdings)
    before = count()
    for edit in (m.nothing, m.without("ContentDate"), m.titled("113000", "DCM")):
        entry, content = manifest(edit, unique_id=Identifier(samples.new_oid()))
        send(request((entry, content)), holdings)
        send(request((replace(entry, unique_id=Identifier(samples.new_oid())), content[:-9])),
             holdings)  # fmt: skip
    assert count() == before


@pytest.mark.proves("IMG-017")
def test_error_texts_stay_readable(holdings: Holdings) -> None:
    """However much is wrong: ten findings, then their number."""

    def ruin(item: Dataset) -> None:
        for name in ("ContentDate", "ContentTime", "Modality", "SeriesNumber", "InstanceNumber",
                     "ValueType", "ContinuityOfContent", "StudyInstanceUID", "SeriesInstanceUID",
                     "ConceptNameCodeSequence"):  # fmt: skip
            delattr(item, name)

    entry, content = manifest(ruin, **WRONG_ID)
    [warning] = send(request((entry, content)), holdings).errors
    assert warning.context.count("[KOS-") == 10
    assert warning.context.endswith("and 1 more")
