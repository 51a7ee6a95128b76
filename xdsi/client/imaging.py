"""The images that a manifest names: an Imaging Document Consumer [RAD-69, RAD-107, RAD-55].

    wanted = chosen(read_manifest(path), home=None)
    with ImagingConsumer({source_oid: "https://…/imaging"}) as consumer:
        for each in consumer.fetch(remaining(wanted, folder), folder): ...   # Fetched or Missing

Several requests run at a time, each for some instances of one source, so that what has arrived is
there whatever becomes of the rest, and the next run asks only for what is missing. A source whose
DICOMweb service is known is asked by WADO-RS, one with a WADO-URI service by that, any other by
RAD-69.
Source: RAD TF-2 4.55, 4.69, 4.107; IMG-084 to IMG-087, IMG-196, IMG-197; UC-104 to UC-107.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from types import MappingProxyType

from xdsi.client import words
from xdsi.client.byweb import Service, WebSource, base_of
from xdsi.client.landing import Landing
from xdsi.client.wanted import Fetched, Missing, Wanted, estimate
from xdsi.model.errors import XDSError, refuse
from xdsi.model.imaging import (
    ImagingRequest,
    InstanceRequest,
    RenderedAnswer,
    RenderedInstance,
    RenderedRequest,
)
from xdsi.model.messages import DocumentRequest, RetrieveAnswer
from xdsi.peers.caller import Caller
from xdsi.peers.errors import PeerError
from xdsi.peers.session import Tls, open_session
from xdsi.peers.spool import Spool, sweep
from xdsi.plug import ArchiveError, Call
from xdsi.standard import dicom
from xdsi.standard.transactions import RETRIEVE_IMAGING, RETRIEVE_RENDERED

_HOUR = 3600.0
_CHUNK = 1 << 20
_LEAST, _MOST = 4, 200  # instances of one request
_MOST_OCTETS = 1_000_000_000  # about
_EACH = 4  # requests per stream at least, where there is enough to ask for


class ImagingConsumer:
    """Fetches instances from their sources.

    sources: Retrieve Location UID -> address for RAD-69
    gateway: address of an Initiating Imaging Gateway, for other sources of what has a home
    services: Retrieve Location UID -> base of a WADO-RS service, which is asked first
    archives: Retrieve AE Title -> address of a WADO-URI service, which is asked next
    follows: go where the Retrieve URLs of manifests lead for all others; whoever makes manifests
        then chooses which hosts are contacted
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        tls: Tls = Tls(),
        *,
        gateway: str | None = None,
        services: Mapping[str, str] = MappingProxyType({}),
        archives: Mapping[str, str] = MappingProxyType({}),
        follows: bool = False,
    ) -> None:
        self._sources, self._gateway = dict(sources), gateway
        self._services, self._archives = dict(services), dict(archives)
        self._follows = follows
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
        sweep(into)
        is_over = Event()
        reachable = []
        for each in wanted:
            if not each.has_uids:
                yield Missing(each, words.NO_UID)
            elif self._service(each) or self._address(each):
                reachable.append(each)
            else:
                yield Missing(each, words.no_address(each.source))
        pool = ThreadPoolExecutor(streams, "fetch")
        try:
            parts = [
                pool.submit(self._part, part, into, tuple(syntaxes), moved, is_over.is_set)
                for part in _parts(reachable, streams, self._service)
            ]
            for part in as_completed(parts):
                yield from part.result()
        finally:
            is_over.set()
            pool.shutdown(cancel_futures=True)

    def _service(self, wanted: Wanted) -> Service | None:
        """What is asked over the web, if anything is."""
        if wanted.source not in self._services and wanted.retrieve_ae_title in self._archives:
            return Service(self._archives[wanted.retrieve_ae_title], is_uri=True)
        told = wanted.retrieve_url if self._follows else ""
        base = base_of(self._services.get(wanted.source, told))
        return Service(base) if base else None

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
        """One request, or what it takes of one source."""
        places = {each.sop_instance_uid: each.path(into) for each in wanted}
        call = replace(Call.internal(_HOUR), cancelled=is_over)
        with Landing(into, places, moved) as landing:
            if service := self._service(wanted[0]):
                source = WebSource(service, self._session, syntaxes)
                failed = source.fetch(wanted, landing, call)
                return [_by_web(each, landing, failed) for each in wanted]
            request = ImagingRequest(tuple(map(_request, wanted)), syntaxes)
            address = self._address(wanted[0])
            assert address is not None  # noqa: S101 - only what can be reached is asked for
            fetch = Caller(RETRIEVE_IMAGING, address, self._session, spool=landing)
            said: Mapping[str, XDSError] = {}
            silence = words.NOTHING_SAID
            try:
                answer: RetrieveAnswer = fetch(request, call)
            except PeerError as error:
                silence = words.no_answer(error)
            else:
                landing.land(each.content for each in answer.documents)
                said = {each.location or "": each for each in answer.errors if not each.is_warning}
            return [_outcome(each, landing, said, silence) for each in wanted]


def _by_web(
    wanted: Wanted, landing: Landing, failed: Mapping[str, ArchiveError]
) -> Fetched | Missing:
    uid = wanted.sop_instance_uid
    if (size := landing.sizes.get(uid)) is not None:
        return Fetched(wanted, landing.places[uid], size)
    error = failed.get(uid, ArchiveError("it sends another instance"))
    return Missing(wanted, words.web_reason(error), str(error))


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


def _parts(
    wanted: Sequence[Wanted], streams: int, service_of: Callable[[Wanted], Service | None]
) -> Iterator[Sequence[Wanted]]:
    """Requests of one source each, small enough that every stream gets some.

    Over the web also of one series each, which may come as a whole if most of it is wanted.
    """
    groups: dict[tuple[Service | None, str, str], list[Wanted]] = {}
    for each in wanted:
        service = service_of(each)
        where = (each.series_instance_uid, "") if service else (each.source, each.home or "")
        groups.setdefault((service, *where), []).append(each)
    size = max(_LEAST, min(_MOST, -(-len(wanted) // (streams * _EACH))))
    for (service, *_), group in groups.items():
        if service and service.gives_all(group):
            yield group
        else:
            yield from _pieces(group, size)


def _pieces(group: Iterable[Wanted], size: int) -> Iterator[Sequence[Wanted]]:
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
