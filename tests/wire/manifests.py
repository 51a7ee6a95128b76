"""One good manifest with its entry, and smallest edits of them."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests import samples
from tests.wire.reports import FRAME, STUDY
from tests.wire.studies import code
from xdsi.model.manifestchecks import CurrentManifest
from xdsi.model.manifestobject import Finding
from xdsi.model.objects import Code, DocumentEntry
from xdsi.model.values import CX, CXi, Field, Identifier
from xdsi.standard import dicom, urns
from xdsi.wire import kos, manifestcheck
from xdsi.wire.dicomfile import Limits

PLACE = "1.2.40.0.13.7"
SITE = kos.Site(institution_name="Hospital of Nowhere", order_issuer="1.2.40.0.13.10")


def dataset() -> Dataset:
    """A manifest about which nobody has anything to say."""
    made = kos.manifest_of(
        STUDY,
        retrieve_location_uid=PLACE,
        retrieve_ae_title="XDSI",
        now=FRAME.made,
        site=SITE,
    )
    # as others see it: everything parsed
    return pydicom.dcmread(io.BytesIO(kos.manifest_bytes(made)))


def file_of(item: Dataset) -> bytes:
    out = io.BytesIO()
    pydicom.dcmwrite(out, item, enforce_file_format=False)
    return out.getvalue()


def entry_of(item: Dataset, **changes: Any) -> DocumentEntry:
    """The entry that says of the manifest what the manifest says."""
    patient = CX("T-1^^^&1.2.40.0.13.8&ISO")
    entry = samples.document_entry(
        mime_type="application/dicom",
        format_code=Code.of(dicom.KEY_OBJECT_SELECTION, dicom.UID_REGISTRY, "KOS"),
        unique_id=Identifier(str(item.SOPInstanceUID)),
        source_patient_id=patient,
        source_patient_info=(
            Field(f"PID-3|{patient}"),
            Field("PID-5|Prüfling^Petra^Maria^^Dr."),
            Field("PID-7|19610203"),
            Field("PID-8|F"),
        ),
        reference_ids=(
            CXi(f"1.2.3^^^^{urns.STUDY_INSTANCE_UID}"),
            CXi(f"A-77^^^&1.2.40.0.13.9&ISO^{urns.ACCESSION}"),
        ),
        event_codes=(samples.CT,),
        hash=None,
        size=None,
        repository_unique_id=None,
    )
    return replace(entry, **changes)


def found(
    content: bytes,
    entry: DocumentEntry | None = None,
    *,
    current: tuple[CurrentManifest, ...] = (),
    limits: Limits = Limits(),
) -> list[Finding]:
    return list(
        manifestcheck.check(
            lambda: io.BytesIO(content), len(content), entry, current=current, limits=limits
        )
    )


# --- edits of the data set

Edit = Callable[[Dataset], object]


def nothing(item: Dataset) -> None:
    """The good manifest."""


def without(name: str) -> Edit:
    return lambda item: delattr(item, name)


def within(name: str, value: object) -> Edit:
    return lambda item: setattr(item, name, value)


def titled(value: str, scheme: str) -> Edit:
    return within("ConceptNameCodeSequence", Sequence([code(value, scheme, "A title")]))


def series_of(item: Dataset) -> Iterator[Dataset]:
    for study in item.CurrentRequestedProcedureEvidenceSequence:
        yield from study.ReferencedSeriesSequence


def first_series(item: Dataset) -> Dataset:
    return next(series_of(item))


def in_first_series(name: str, value: object) -> Edit:
    return lambda item: setattr(first_series(item), name, value)


def in_first_reference(name: str, value: object) -> Edit:
    return lambda item: setattr(first_series(item).ReferencedSOPSequence[0], name, value)


def in_every_series(name: str) -> Edit:
    def edit(item: Dataset) -> None:
        for series in series_of(item):
            delattr(series, name)

    return edit


def another_study(item: Dataset) -> None:
    """A second study, with its images in both lists."""
    other = dataset()
    [study] = other.CurrentRequestedProcedureEvidenceSequence
    study.StudyInstanceUID = "1.2.4"
    for number, series in enumerate(series_of(other)):
        series.SeriesInstanceUID = f"1.2.4.{number}"
        for reference in series.ReferencedSOPSequence:
            reference.ReferencedSOPInstanceUID = reference.ReferencedSOPInstanceUID.replace(
                "1.2.3.", "1.2.4.", 1
            )
    for content in other.ContentSequence:
        [reference] = content.ReferencedSOPSequence
        reference.ReferencedSOPInstanceUID = reference.ReferencedSOPInstanceUID.replace(
            "1.2.3.", "1.2.4.", 1
        )
    for name in ("CurrentRequestedProcedureEvidenceSequence", "ContentSequence"):
        item[name].value.extend(other[name].value)
