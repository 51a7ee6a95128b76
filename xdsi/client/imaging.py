"""The images that a manifest names: an Imaging Document Consumer [RAD-69].

    wanted = chosen(read_manifest(path), home=None)
    with ImagingConsumer({source_oid: "https://…/imaging"}) as consumer:
        for each in consumer.fetch(remaining(wanted, folder), folder): ...   # Fetched or Missing

Several requests run at a time, each for some instances of one source, so that what has arrived is
there whatever becomes of the rest, and the next run asks only for what is missing.
Source: RAD TF-2 4.69; IMG-084 to IMG-087, IMG-196; UC-104 to UC-107.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

from xdsi.client import words
from xdsi.client.landing import Landing
from xdsi.model.errors import XDSError, refuse
from xdsi.model.imaging import (
    ImagingRequest,
    InstanceRequest,
    RenderedAnswer,
    RenderedInstance,
    RenderedRequest,
)
from xdsi.model.manifest import Manifest
from xdsi.model.messages import DocumentRequest, RetrieveAnswer
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import is_oid
from xdsi.peers.caller import Caller
from xdsi.peers.errors import PeerError
from xdsi.peers.session import Tls, open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import dicom
from xdsi.standard.transactions import RETRIEVE_IMAGING, RETRIEVE_RENDERED

_HOUR = 3600.0
_CHUNK = 1 << 20
_LEAST, _MOST = 4, 200  # instances of one request
_MOST_OCTETS = 1_000_000_000  # about
_EACH = 4  # requests per stream at least, where there is enough to ask for


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instance to be fetched.

    source: Retrieve Location UID of its series (IMG-190)
    home: homeCommunityId of the manifest's entry, where that came from another community
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    source: str
    home: str | None = None

    def path(self, folder: Path) -> Path:
        """Where it lies once it has come."""
        return folder / self.series_instance_uid / f"{self.sop_instance_uid}.dcm"


class Fetched(NamedTuple):
    """One instance that has come. size in octets."""

    wanted: Wanted
    path: Path
    size: int


class Missing(NamedTuple):
    """One instance that has not.

    reason: in plain words; said: what the source said, "" when it said nothing
    """

    wanted: Wanted
    reason: str
    said: str = ""


def is_manifest(entry: DocumentEntry) -> bool:
    """By its code alone: schemes vary in the field (imaging.md 8, 7)."""
    code = entry.format_code
    return code is not None and str(code.code) == dicom.KEY_OBJECT_SELECTION


def chosen(
    manifest: Manifest,
    *,
    home: str | None = None,
    series: Collection[str] = (),
    instances: Collection[str] = (),
) -> tuple[Wanted, ...]:
    """The instances of a manifest, of these series or with these UIDs alone where some are given.

    A UID that is none cannot be asked for and names no file; it is left out.
    """
    return tuple(
        Wanted(
            study.study_instance_uid,
            of.series_instance_uid,
            one.sop_instance_uid,
            one.sop_class_uid,
            of.retrieve_location_uid,
            home,
        )
        for study, of, one in manifest.references()
        if (not series or of.series_instance_uid in series)
        and (not instances or one.sop_instance_uid in instances)
        and is_oid(of.series_instance_uid)
        and is_oid(one.sop_instance_uid)
    )


def remaining(wanted: Iterable[Wanted], folder: Path) -> tuple[Wanted, ...]:
    """Those that are not in the folder yet; a file there is a whole one."""
    return tuple(each for each in wanted if not each.path(folder).exists())


def estimate(wanted: Iterable[Wanted]) -> int:
    """Octets they may have, about; a manifest does not tell (KOS-114)."""
    return sum(dicom.usual_size(each.sop_class_uid) for each in wanted)


class ImagingConsumer:
    """Fetches instances from their sources.

    sources: Retrieve Location UID -> address for RAD-69
    gateway: address of an Initiating Imaging Gateway, for other sources of what has a home
    """

    def __init__(
        self, sources: Mapping[str, str], tls: Tls = Tls(), *, gateway: str | None = None
    ) -> None:
        self._sources, self._gateway = dict(sources), gateway
        self._session = open_session(tls)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> "ImagingConsumer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fetch(
        self,
        wanted: Sequence[Wanted],
        into: Path,
        *,
        syntaxes: Sequence[str] = dicom.SYNTAXES_IN_USE,
        streams: int = 4,
        moved: Callable[[int], None] = lambda _octets: None,
    ) -> Generator[Fetched | Missing, None, None]:
        """Every instance, as it comes or as it turns out to be missing.

        syntaxes: transfer syntaxes that may come; streams: requests at a time
        moved: is told, in any thread, how many octets have arrived since it was called last
        Closing the iterator breaks off what is under way; what has arrived stays.
        Raises OSError, XDSRepositoryOutOfResources when the folder cannot take them.
        """
        is_over = Event()
        reachable = [each for each in wanted if self._address(each) is not None]
        for each in wanted:
            if self._address(each) is None:
                yield Missing(each, words.no_address(each.source))
        pool = ThreadPoolExecutor(streams, "fetch")
        try:
            parts = [
                pool.submit(self._part, part, into, tuple(syntaxes), moved, is_over.is_set)
                for part in _parts(reachable, streams)
            ]
            for part in as_completed(parts):
                yield from part.result()
        finally:
            is_over.set()
            pool.shutdown(cancel_futures=True)

    def _address(self, wanted: Wanted) -> str | None:
        return self._sources.get(wanted.source, self._gateway if wanted.home else None)

    def preview(self, wanted: Wanted, *, most: int = 512, media_type: str = "image/png") -> bytes:
        """A picture of one image, of at most so many rows and columns [WADO-WS].

        Raises KeyError for a source without address, PeerError, an ExceptionGroup of XDSErrors.
        """
        asked = RenderedInstance(_request(wanted), (media_type,), rows=most, columns=most)
        with Spool() as spool:
            render = Caller(
                RETRIEVE_RENDERED, self._sources[wanted.source], self._session, spool=spool
            )
            answer: RenderedAnswer = render(RenderedRequest((asked,)), Call.internal())
            refuse(answer.errors, "no picture came")
            with closing(answer.documents[0].content.open()) as reader:
                return b"".join(iter(partial(reader.read, _CHUNK), b""))

    def _part(
        self,
        wanted: Sequence[Wanted],
        into: Path,
        syntaxes: tuple[str, ...],
        moved: Callable[[int], None],
        is_over: Callable[[], bool],
    ) -> list[Fetched | Missing]:
        """One request [RAD-69]."""
        request = ImagingRequest(tuple(map(_request, wanted)), syntaxes)
        places = {each.sop_instance_uid: each.path(into) for each in wanted}
        with Landing(into, places, moved) as landing:
            address = self._address(wanted[0])
            assert address is not None  # noqa: S101 - only what can be reached is asked for
            fetch = Caller(RETRIEVE_IMAGING, address, self._session, spool=landing)
            said: Mapping[str, XDSError] = {}
            silence = words.NOTHING_SAID
            try:
                answer: RetrieveAnswer = fetch(
                    request, replace(Call.internal(_HOUR), cancelled=is_over)
                )
            except PeerError as error:
                silence = words.no_answer(error)
            else:
                landing.land(each.content for each in answer.documents)
                said = {each.location or "": each for each in answer.errors if not each.is_warning}
            return [_outcome(each, landing, said, silence) for each in wanted]


def _outcome(
    wanted: Wanted, landing: Landing, said: Mapping[str, XDSError], silence: str
) -> Fetched | Missing:
    uid = wanted.sop_instance_uid
    if (size := landing.sizes.get(uid)) is not None:
        return Fetched(wanted, landing.places[uid], size)
    # an error that names no instance is about all that did not come
    error = said.get(uid) or said.get("")
    if error is not None:
        return Missing(wanted, words.reason(error), f"{error.code}: {error.context}")
    return Missing(wanted, silence)


def _request(wanted: Wanted) -> InstanceRequest:
    return InstanceRequest(
        wanted.study_instance_uid,
        wanted.series_instance_uid,
        DocumentRequest(wanted.source, wanted.sop_instance_uid, wanted.home),
    )


def _parts(wanted: Sequence[Wanted], streams: int) -> Iterator[Sequence[Wanted]]:
    """Requests of one source each, small enough that every stream gets some."""
    sources: dict[tuple[str, str | None], list[Wanted]] = {}
    for each in wanted:
        sources.setdefault((each.source, each.home), []).append(each)
    size = max(_LEAST, min(_MOST, -(-len(wanted) // (streams * _EACH))))
    for group in sources.values():
        part: list[Wanted] = []
        octets = 0
        for each in group:
            part.append(each)
            octets += estimate((each,))
            if len(part) == size or octets >= _MOST_OCTETS:
                yield part
                part, octets = [], 0
        if part:
            yield part
