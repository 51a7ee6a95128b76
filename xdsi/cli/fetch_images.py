"""The images of a study by its manifest: `xdsi fetch --study`, `--manifest` [RAD-69, RAD-107]."""

import argparse
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xdsi.cli import failure, options, partners, screen
from xdsi.client import DocumentConsumer, words
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import (
    Fetched,
    Missing,
    Wanted,
    chosen,
    estimate,
    is_manifest,
    remaining,
)
from xdsi.config import ConfigurationError
from xdsi.model.errors import shown
from xdsi.model.manifest import Manifest, SeriesDescriptor
from xdsi.model.objects import DocumentEntry
from xdsi.standard import dicom
from xdsi.wire.kos import read_manifest

_STREAMS = 4


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest, and the community it came from."""

    manifest: Manifest
    home: str | None = None


def arguments(parser: argparse.ArgumentParser) -> None:
    """Those that choose images instead of documents."""
    group = parser.add_argument_group(
        "images", "the images of a study, by its manifest [RAD-69]; run again, it resumes"
    )
    which = group.add_mutually_exclusive_group()
    which.add_argument("--study", type=options.uid, metavar="UID", help="Study Instance UID")
    which.add_argument(
        "--manifest", type=Path, metavar="FILE", help="a manifest at hand; no patient is needed"
    )
    partners.add_sources(group)
    group.add_argument("--list", action="store_true", help="show the series, fetch nothing")
    group.add_argument(
        "--series",
        type=options.uid,
        action="append",
        default=[],
        metavar="UID",
        help="only this one; may be repeated (all)",
    )
    group.add_argument(
        "--key-images", action="store_true", help="only key object notes and the images they name"
    )
    group.add_argument(
        "--syntax",
        type=options.oid,
        action="append",
        metavar="UID",
        help="transfer syntax that may come; may be repeated (every one in use)",
    )
    group.add_argument(
        "--streams",
        type=options.number,
        default=_STREAMS,
        metavar="N",
        help=f"requests at a time ({_STREAMS})",
    )


def given(args: argparse.Namespace) -> str:
    """The first option of these that chooses among images; "" without one."""
    choices = ("list", "series", "key_images", "syntax")
    ways = ("imaging", "wado", "wado_uri", "retrieve_urls")
    found = (each for each in (*choices, *ways) if getattr(args, each))
    return next((f"--{each.replace('_', '-')}" for each in found), "")


def run(args: argparse.Namespace) -> int:
    found = _from_file(args.manifest) if args.manifest else _from_registry(args)
    if not found:
        raise failure.NotFound(f"no manifest of study {args.study} for {args.patient}")
    if lost := sorted(set(args.series) - _series(found)):
        names = ", ".join(lost)
        raise failure.NotFound(f"the manifest has no series {names}; --list shows those it has")
    if not args.json:
        screen.rows("series", list(_table(found, args.into)))
    if args.list:
        if args.json:
            screen.as_json([_as_dict(each) for each in _wanted(found)])
        return 0
    args.into.mkdir(parents=True, exist_ok=True)
    sources = partners.imaging_sources(args)
    gateway = partners.gateway_address(args)
    services, archives = partners.web_services(args), dict(args.wado_uri)
    with ImagingConsumer(
        sources,
        partners.tls(args),
        gateway=gateway,
        services=services,
        archives=archives,
        follows=args.retrieve_urls,
    ) as consumer:
        before = remaining(_wanted(found), args.into)
        try:
            with failure.writing(args.into, "the same command goes on where it stopped"):
                results = list(_fetched(consumer, found, args))
        except failure.KINDS as error:
            come = list(_come(before, args.into))
            if not args.json:
                _show(come, args.into)
            return failure.told(error, is_json=args.json, **_as_dicts(come))
    if args.json:
        screen.as_json(_as_dicts(results))
    else:
        _show(results, args.into)
    if gateway is None:
        missed = [each for each in results if isinstance(each, Missing)]
        silent = [each for each in missed if each.wanted.retrieve_ae_title not in archives]
        _tell_unknown(silent, {*sources, *services, ""}, args)
    return 1 if any(isinstance(each, Missing) for each in results) else 0


def _from_file(path: Path) -> list[Found]:
    with path.open("rb") as file:
        return [Found(read_manifest(file, what=path.name))]


def _from_registry(args: argparse.Namespace) -> list[Found]:
    """The current manifests of the study: each source may have one [ITI-18, ITI-43]."""
    if args.patient is None:
        raise ConfigurationError("--study: needs --patient as well, or give --manifest FILE")
    with (
        partners.consumer(args) as consumer,
        tempfile.TemporaryDirectory(prefix="xdsi-manifests-") as folder,
        failure.writing(Path(folder), "ask again"),
    ):
        entries = consumer.find_by_reference(args.patient, args.study)
        return list(_read(consumer, filter(is_manifest, entries), Path(folder)))


def _read(
    consumer: DocumentConsumer, entries: Iterable[DocumentEntry], folder: Path
) -> Iterator[Found]:
    for each in consumer.retrieve(entries, folder):
        home = None if each.entry is None or each.entry.home is None else str(each.entry.home)
        yield Found(read_manifest(each.path, what=each.request.document_unique_id), home)


def _series(found: Iterable[Found]) -> set[str]:
    return {each.series_instance_uid for each in _wanted(found)}


def _wanted(found: Iterable[Found], series: Sequence[str] = ()) -> tuple[Wanted, ...]:
    """What these manifests name, each instance once."""
    listed = (one for each in found for one in chosen(each.manifest, home=each.home, series=series))
    return tuple({one.sop_instance_uid: one for one in listed}.values())


def _fetched(
    consumer: ImagingConsumer, found: Sequence[Found], args: argparse.Namespace
) -> Iterator[Fetched | Missing]:
    wanted = _wanted(found, args.series)
    if args.key_images:
        # a note lies in a series of its own, whichever series its images are of
        every = _wanted(found)
        notes = [each for each in every if each.sop_class_uid == dicom.KEY_OBJECT_SELECTION]
        yield from _asked(consumer, notes, args)
        noted = {each.sop_instance_uid: each for each in _noted(notes, args.into)}
        wanted = tuple(each for each in wanted if each.sop_instance_uid in noted)
        listed = {each.sop_instance_uid for each in every}
        for uid, each in noted.items():
            is_asked = not args.series or each.series_instance_uid in args.series
            if is_asked and uid not in listed:
                yield Missing(each, words.NOT_LISTED)
    yield from _asked(consumer, wanted, args)


def _asked(
    consumer: ImagingConsumer, wanted: Sequence[Wanted], args: argparse.Namespace
) -> Iterator[Fetched | Missing]:
    """Those that are not there yet."""
    asked = remaining(wanted, args.into)
    with screen.progress("receiving", estimate(asked)) as moved:
        yield from consumer.fetch(
            asked,
            args.into,
            syntaxes=args.syntax or dicom.SYNTAXES_IN_USE,
            streams=args.streams,
            moved=moved,
        )


def _come(wanted: Iterable[Wanted], into: Path) -> Iterator[Fetched]:
    """Those that are there, whatever became of the request."""
    for each in wanted:
        if each.is_in(into):
            path = each.path(into)
            yield Fetched(each, path, path.stat().st_size)


def _noted(notes: Iterable[Wanted], into: Path) -> Iterator[Wanted]:
    """The instances that key object notes name, as far as they have come.

    Where they are is for the manifest to say. What a note takes back is no key image.
    """
    for path in (each.path(into) for each in notes if each.is_in(into)):
        note = read_manifest(path, what=path.name)
        if (
            note.title is None
            or (note.title.value, note.title.scheme) not in dicom.REJECTION_TITLES
        ):
            for each in chosen(note):
                yield replace(each, source="")


def _table(found: Sequence[Found], into: Path) -> Iterator[tuple[str, ...]]:
    """The series before any image is fetched (UC-104)."""
    wanted = _wanted(found)
    described = {
        one.series_instance_uid: one
        for each in found
        if each.manifest.descriptors is not None
        for one in each.manifest.descriptors.series
    }
    of_series: dict[tuple[str, str], list[Wanted]] = {}
    for one in wanted:
        of_series.setdefault((one.series_instance_uid, one.source), []).append(one)
    yield "number", "modality", "instances", "here", "about", "description", "series", "from"
    for (uid, source), members in of_series.items():
        told = described.get(uid, SeriesDescriptor(uid))
        yield (
            told.number,
            told.modality or _modality(members),
            str(len(members)),
            str(sum(each.is_in(into) for each in members)),
            _megabytes(estimate(members)),
            told.description or "no description",
            uid,
            source or "not said",
        )


def _modality(members: Iterable[Wanted]) -> str:
    """What the SOP classes imply, where no descriptor tells."""
    classes = (dicom.MODALITY_OF_CLASS.get(each.sop_class_uid) for each in members)
    return ", ".join(dict.fromkeys(filter(None, classes)))


def _megabytes(octets: int) -> str:
    return f"{max(1, round(octets / 1e6)):,} MB"


def _tell_unknown(
    missing: Iterable[Missing], known: Collection[str], args: argparse.Namespace
) -> None:
    """Sources that nobody knows an address of."""
    silent = {each.wanted.source: each.wanted for each in missing}
    for source in sorted(silent.keys() - known):
        url = silent[source].retrieve_url
        if url and args.retrieve_urls:
            continue  # it was asked there
        also = f", or --retrieve-urls to go to {shown(url)}" if url else ""
        screen.warn(
            f"where source {source} answers is not known: "
            f"give --imaging {source}=URL or --wado {source}=URL{also}"
        )


def _show(results: Sequence[Fetched | Missing], into: Path) -> None:
    fetched = [each for each in results if isinstance(each, Fetched)]
    missing = [each for each in results if isinstance(each, Missing)]
    for each in missing:
        said = f" ({each.said})" if each.said else ""
        screen.plain(f"missing {each.wanted.sop_instance_uid}: {each.reason}{said}")
    size = sum(each.size for each in fetched)
    screen.plain(f"fetched {len(fetched)} instances, {size} bytes, into {into}")
    if missing:
        screen.plain(f"missing {len(missing)}; the same command asks for these alone")


def _as_dicts(results: Sequence[Fetched | Missing]) -> dict[str, list[dict[str, str | int]]]:
    """The same for programs."""
    return {
        "fetched": [
            {**_as_dict(each.wanted), "file": str(each.path), "size": each.size}
            for each in results
            if isinstance(each, Fetched)
        ],
        "missing": [
            {**_as_dict(each.wanted), "reason": each.reason, "said": each.said}
            for each in results
            if isinstance(each, Missing)
        ],
    }


def _as_dict(wanted: Wanted) -> dict[str, str]:
    return {
        "study": wanted.study_instance_uid,
        "series": wanted.series_instance_uid,
        "instance": wanted.sop_instance_uid,
        "source": wanted.source,
    }
