"""`xdsi manifest show FILE`: what an imaging manifest says."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xdsi.cli import options, screen
from xdsi.model.madochecks import remarks
from xdsi.model.manifest import CodedConcept, IssuedId, Manifest, ManifestSeries, SeriesDescriptor
from xdsi.standard import dicom
from xdsi.wire.kos import read_manifest

HELP = "show study, series, number of instances, descriptors and where to fetch"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    with args.file.open("rb") as file:
        manifest = read_manifest(file, what=args.file.name)
    if args.json:
        screen.as_json(_as_dict(manifest))
        return 0
    screen.block(args.file.name, ((name, text) for name, text in _head(manifest) if text))
    for study in manifest.studies:
        title = f"\nstudy {study.study_instance_uid}" if len(manifest.studies) > 1 else "\nseries"
        screen.rows(title, list(_table(manifest, study.series)))
    for each in remarks(manifest):
        screen.warn(f"{each.rule} {each.text}")
    return 0


def _head(manifest: Manifest) -> Iterator[tuple[str, str]]:
    told = manifest.descriptors
    yield "title", _concept(manifest.title)
    yield "document", manifest.sop_instance_uid
    yield "study", manifest.study_instance_uid
    yield "described as", manifest.study_description
    yield "date", f"{manifest.study_date} {manifest.study_time} {manifest.timezone}".strip()
    yield "patient", f"{_issued(manifest.patient.id)} {manifest.patient.name}"
    for each in manifest.accessions:
        yield "accession", _issued(each)
    for each in manifest.placer_orders:
        yield "order", _issued(each)
    yield "made by", " ".join(filter(None, (manifest.manufacturer, manifest.institution_name)))
    for study in manifest.studies:
        if study.viewer_url:
            yield "viewer", study.viewer_url
    for copy in manifest.identical_documents:
        yield "copy", f"{copy.sop_instance_uid} in study {copy.study_instance_uid}"
    if told:
        yield "modality", ", ".join(told.modalities)
        yield "region", ", ".join(map(_concept, told.regions))
        yield "procedure", ", ".join(map(_concept, told.procedures))
        yield "descriptors", f"MADO, {told.dialect or 'unknown'} codes"
    yield "instances", str(manifest.instance_count)


def _table(manifest: Manifest, series: tuple[ManifestSeries, ...]) -> Iterator[tuple[str, ...]]:
    yield "number", "modality", "instances", "description", "region", "series", "from"
    described = _described(manifest)
    for each in series:
        told = described.get(each.series_instance_uid) or SeriesDescriptor("")
        yield (
            told.number,
            told.modality or _implied(each),
            str(len(each.instances)),
            told.description,
            ", ".join(map(_concept, told.regions)),
            each.series_instance_uid,
            " ".join(
                filter(None, (each.retrieve_location_uid, each.retrieve_ae_title, _url(each)))
            ),
        )


def _described(manifest: Manifest) -> dict[str, SeriesDescriptor]:
    told = manifest.descriptors
    return {each.series_instance_uid: each for each in told.series} if told else {}


def _implied(series: ManifestSeries) -> str:
    """The modality that SOP classes tell where nothing else does."""
    found = (dicom.MODALITY_OF_CLASS.get(each.sop_class_uid) for each in series.instances)
    return ", ".join(dict.fromkeys(filter(None, found)))


def _url(series: ManifestSeries) -> str:
    return series.retrieve_url or series.retrieve_uri


def _concept(concept: CodedConcept | None) -> str:
    return (concept.meaning or concept.value) if concept else ""


def _issued(known: IssuedId) -> str:
    issuer = known.issuer_uid or known.issuer
    return f"{known.value} ({issuer})" if issuer else known.value


def _as_dict(manifest: Manifest) -> dict[str, Any]:
    """For JSON: the header, the tree with what is known of each series, what is remarked."""
    described = _described(manifest)
    told = manifest.descriptors
    return {
        "title": asdict(manifest.title) if manifest.title else None,
        "uniqueId": manifest.sop_instance_uid,
        "study": manifest.study_instance_uid,
        "description": manifest.study_description,
        "date": manifest.study_date,
        "time": manifest.study_time,
        "timezone": manifest.timezone,
        "patient": asdict(manifest.patient),
        "accessions": [asdict(each) for each in manifest.accessions],
        "orders": [asdict(each) for each in manifest.placer_orders],
        "descriptors": {
            "dialect": told.dialect,
            "modalities": told.modalities,
            "regions": [asdict(each) for each in told.regions],
            "procedures": [asdict(each) for each in told.procedures],
        }
        if told
        else None,
        "studies": [
            {
                "study": study.study_instance_uid,
                "viewer": study.viewer_url,
                "series": [_series(each, described) for each in study.series],
            }
            for study in manifest.studies
        ],
        "remarks": [{"rule": each.rule, "text": each.text} for each in remarks(manifest)],
    }


def _series(series: ManifestSeries, described: dict[str, SeriesDescriptor]) -> dict[str, Any]:
    told = described.get(series.series_instance_uid) or SeriesDescriptor("")
    instances = {each.sop_instance_uid: each for each in told.instances}
    return {
        "series": series.series_instance_uid,
        "number": told.number,
        "modality": told.modality or _implied(series),
        "description": told.description,
        "date": told.date,
        "time": told.time,
        "regions": [asdict(each) for each in told.regions],
        "laterality": asdict(told.laterality) if told.laterality else None,
        "locationUid": series.retrieve_location_uid,
        "aeTitle": series.retrieve_ae_title,
        "url": _url(series),
        "instances": [
            {
                "instance": each.sop_instance_uid,
                "sopClass": each.sop_class_uid,
                "number": known.number if known else "",
                "frames": known.frames if known else None,
                "title": asdict(known.title) if known and known.title else None,
                "description": known.description if known else "",
            }
            for each in series.instances
            for known in (instances.get(each.sop_instance_uid),)
        ],
    }
