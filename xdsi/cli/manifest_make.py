"""`xdsi manifest make FILE|FOLDER|DICOMDIR… --location OID --out FILE`: manifests of studies."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from xdsi.cli import making, options, screen
from xdsi.config import ConfigurationError
from xdsi.model.madochecks import remarks
from xdsi.model.manifest import Manifest
from xdsi.model.study import StudyHeader
from xdsi.wire import kos
from xdsi.wire.dicomfolder import Passed, files_of
from xdsi.wire.instances import read_studies, single

HELP = "make a manifest from DICOM files, a folder or a DICOMDIR"
_SHOWN = 5  # files of one kind that are named


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", type=Path, nargs="+", metavar="FILE|FOLDER|DICOMDIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the manifest")
    parser.add_argument(
        "--several",
        choices=("each", "identical"),
        help="of several studies: a manifest for each, or one for all with a copy in each; "
        "--out is then a folder",
    )
    options.add_json(parser)
    _add_places(parser.add_argument_group("where the images are"))
    making.add_site(parser)
    making.add_descriptors(parser)


def _add_places(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--location",
        type=options.oid,
        required=True,
        metavar="OID",
        help="of the imaging source that serves them (Retrieve Location UID)",
    )
    making.add_place(group)
    group.add_argument(
        "--elsewhere",
        type=place,
        action="append",
        default=[],
        metavar="SERIES=OID[,AE[,URL]]",
        help="a series that another source serves; may be repeated",
    )


def place(text: str) -> tuple[str, kos.Place]:
    """For argparse: SERIES=OID[,AE[,URL]]."""
    series, _, rest = text.partition("=")
    location, ae_title, url = (*rest.split(",", 2), "", "")[:3]
    return options.oid(series), kos.Place(options.oid(location), ae_title, url)


def run(args: argparse.Namespace) -> int:
    passed = Passed()
    try:
        studies = read_studies(files_of(args.sources, passed))
        made = _made(args, studies)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    written = list(_written(args, made))
    if args.json:
        screen.as_json(
            {
                "manifests": [
                    {
                        "file": str(path),
                        "uniqueId": manifest.sop_instance_uid,
                        "study": manifest.study_instance_uid,
                        "instances": manifest.instance_count,
                        "remarks": [
                            {"rule": each.rule, "text": each.text} for each in remarks(manifest)
                        ],
                    }
                    for path, manifest in written
                ],
                "leftOut": [
                    {"note": each.note_uid, "title": each.title.meaning,
                     "instances": list(each.sop_instance_uids)}
                    for study in studies
                    for each in study.rejections
                ],
                "missing": [str(each) for each in passed.missing],
                "noDicom": [str(each) for each in passed.foreign],
            }
        )  # fmt: skip
    else:
        _tell(written, studies, passed)
    return 1 if passed.missing else 0


def _made(args: argparse.Namespace, studies: tuple[StudyHeader, ...]) -> tuple[Dataset, ...]:
    known = {series.series_instance_uid for study in studies for series in study.series}
    if unknown := dict(args.elsewhere).keys() - known:
        raise ValueError(f"--elsewhere names a series that is not there: {min(unknown)}")
    wishes = kos.Wishes(
        retrieve_location_uid=args.location, elsewhere=dict(args.elsewhere), **making.making(args)
    )
    if args.several == "identical":
        return kos.identical_manifests(studies, **wishes)
    if args.several == "each":
        return tuple(kos.manifest_of(each, **wishes) for each in studies)
    try:
        study = single(studies)
    except ValueError as error:
        hint = "; --several makes one for each" if len(studies) > 1 else ""
        raise ValueError(f"{error}{hint}") from error
    return (kos.manifest_of(study, **wishes),)


def _written(
    args: argparse.Namespace, made: tuple[Dataset, ...]
) -> Iterator[tuple[Path, Manifest]]:
    """Each manifest with its file, read back as others will read it."""
    for each in made:
        content = kos.manifest_bytes(each)
        path = args.out
        if args.several:
            path.mkdir(parents=True, exist_ok=True)
            path /= f"{each.StudyInstanceUID}.dcm"
        path.write_bytes(content)
        yield path, kos.read_manifest(content, what=path.name)


def _tell(
    written: list[tuple[Path, Manifest]], studies: tuple[StudyHeader, ...], passed: Passed
) -> None:
    for path, manifest in written:
        series = sum(len(study.series) for study in manifest.studies)
        screen.plain(
            f"{path}: study {manifest.study_instance_uid}, {series} series, "
            f"{manifest.instance_count} instances"
        )
        for each in remarks(manifest):
            screen.warn(f"{path.name}: {each.rule} {each.text}")
    for study in studies:
        for note in study.rejections:
            screen.warn(
                f"{len(note.sop_instance_uids)} instances left out: {note.title.meaning} "
                f"(note {note.note_uid})"
            )
    _named("in the DICOMDIR, but not there", passed.missing)
    _named("passed over, no DICOM", passed.foreign)


def _named(what: str, files: list[Path]) -> None:
    if files:
        more = ", …" if len(files) > _SHOWN else ""
        screen.warn(f"{len(files)} {what}: {', '.join(map(str, files[:_SHOWN]))}{more}")
