"""FHIR documents: what they say of themselves, however incomplete they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.bundles import MANIFEST, REPORT, bundle
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import IssuedId
from xdsi.standard import cda
from xdsi.standard.kinds import DocumentKind
from xdsi.wire import fhirdocument
from xdsi.wire.describe import Described, DescribedAuthor, describe
from xdsi.wire.sniff import kind_of


def described(value: Any, folder: Path) -> Described:
    (folder / "document").write_text(json.dumps(value), encoding="utf-8")
    return describe(folder / "document")


@pytest.mark.proves("IMG-024", "MADO-080", "MADO-082", "MADO-084", "MADO-086", "MADO-150")
def test_a_manifest_describes_itself(tmp_path: Path) -> None:
    found = described(MANIFEST, tmp_path)
    assert found.kind is DocumentKind.FHIR_MANIFEST
    assert found.mime_type == "application/fhir+json"
    assert found.format[:2] == (
        "urn:ihe:rad:MADO:fhir-manifest:2026",
        "1.3.6.1.4.1.19376.1.2.7.1",
    )
    assert found.unique_id == "2.999.24.1"
    assert (found.creation_time, found.service_start) == ("20260304093000", "20260304071500")
    assert (found.title, found.language) == ("CT head", "de-AT")
    assert found.patient_ids == (IssuedId("T-1", "", "1.2.40.0.13.8", "ISO"),)
    assert (found.patient_name, found.birth_date, found.sex) == ("Test^Tessa", "19610203", "F")
    assert found.study_instance_uids == ("1.2.3",)
    assert found.accessions == (IssuedId("A-77", "", "1.2.40.0.13.9", "ISO"),)
    assert found.orders == (IssuedId("P-5", "", "1.2.40.0.13.10", "ISO"),)
    assert found.modalities == ("CT",)
    assert found.regions == (("774007", cda.SNOMED_CT, "Head and neck"),)
    assert found.type_code == ("18748-4", cda.LOINC, "Diagnostic imaging study")
    assert found.authors == (DescribedAuthor("^Converter", "Praxis^^^^^^^^^1.2.40.0.13.7"),)


@pytest.mark.proves("IMG-032", "IMG-033", "IMG-049", "IMG-051")
def test_a_report_describes_itself(tmp_path: Path) -> None:
    found = described(REPORT, tmp_path)
    assert found.kind is DocumentKind.FHIR
    assert (found.mime_type, found.format.code) == (
        "application/fhir+json",
        "urn:ihe:iti:xds:2017:mimeTypeSufficient",
    )
    assert found.title == "CT head: report"
    assert found.study_instance_uids == ("1.2.3",)
    assert found.confidentiality == ("R", cda.CONFIDENTIALITY, "R")
    assert found.authors[0].person == "^Vorbild^Vera^^^Dr."


@pytest.mark.proves("MADO-150", "MADO-122")
def test_a_manifest_is_known_by_what_it_holds(tmp_path: Path) -> None:
    bare = bundle(endpoint=True)
    assert described(bare, tmp_path).kind is DocumentKind.FHIR_MANIFEST
    assert described(bundle(endpoint=False), tmp_path).kind is DocumentKind.FHIR
    assert described(bundle(endpoint=True, report=True), tmp_path).kind is DocumentKind.FHIR


@pytest.mark.proves("IMG-024", "MADO-082", "MADO-150")
def test_a_published_manifest_describes_itself(shared: Path) -> None:
    path = shared / "samples" / "mado" / "ihe-study101-bundle.json"
    found = describe(path)
    assert found.kind is DocumentKind.FHIR_MANIFEST
    assert found.study_instance_uids == ("1.2.250.1.59.40211.22756022.2.1.101",)
    assert (found.creation_time, found.service_start) == ("20260619150057", "20220822063117")
    assert found.modalities == ("CT",)
    assert [each.code for each in found.regions] == ["774007"]
    assert [each.value for each in found.accessions] == ["1731954284869428"]
    assert found.title == "Study A"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param('{"resourceType":"Bundle","type":"document"}', DocumentKind.FHIR, id="bare"),
        pytest.param('\ufeff {"type":"document","resourceType":"Bundle"}', DocumentKind.FHIR,
                     id="any order, with a mark"),
        pytest.param('{"resourceType": "Bundle", "type": "batch"}', DocumentKind.TEXT, id="batch"),
        pytest.param('{"resourceType": "Patient"}', DocumentKind.TEXT, id="no bundle"),
        pytest.param('{"resourceType": "Bundle", ', DocumentKind.TEXT, id="cut"),
        pytest.param("{ is a brace", DocumentKind.TEXT, id="text"),
        pytest.param('{"a":' * 100_000, DocumentKind.TEXT, id="nested"),
    ],
)  # fmt: skip
@pytest.mark.proves("IMG-024")
def test_only_documents_are_told_from_other_texts(
    text: str, kind: DocumentKind, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text(text, encoding="utf-8")
    assert kind_of(tmp_path / "x") is kind


def test_what_is_no_document_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("[]")
    with pytest.raises(InvalidDocumentContent, match="x: is no FHIR document: not a JSON object"):
        fhirdocument.read_document(tmp_path / "x")


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a document stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in inner:
        found.append((*at, key))
        if isinstance(each, dict | list):
            found += paths(each, (*at, key))
    return found


PLACES = paths(MANIFEST)


@given(
    st.sampled_from(PLACES),
    st.one_of(st.none(), st.integers(), st.text(max_size=5), st.just([]), st.just({}),
              st.just([[]]), st.just(["x"]), st.just({"coding": "x"})),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
@pytest.mark.proves("MADO-151")
def test_a_document_with_anything_anywhere_is_described(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], value: Any
) -> None:
    document = json.loads(json.dumps(MANIFEST))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    path = tmp_path_factory.getbasetemp() / "fhir"
    path.write_text(json.dumps(document))
    if kind_of(path) is DocumentKind.FHIR:
        assert describe(path).mime_type == "application/fhir+json"
