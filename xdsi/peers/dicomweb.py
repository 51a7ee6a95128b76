"""The instances of an imaging source in any archive that speaks DICOMweb.

Archives seldom tell the transfer syntax before the bytes. Instances of one class in one series are
nearly always stored alike, so the first and the last are looked at, and all where these differ.
Where that was wrong, the bytes tell before any of them is passed on: the instance is refused, and
from then on known better.
Source: DICOM PS3.18 8.3.4, 10.4, 10.6; IMG-118, IMG-119, IMG-161, IMG-175, SEC-T-127, SEC-T-167.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from math import inf
from threading import TIMEOUT_MAX, Lock
from time import monotonic
from typing import BinaryIO, Literal
from weakref import WeakValueDictionary

from xdsi import config
from xdsi.config import ConfigurationError, Limits
from xdsi.model.errors import shown
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content
from xdsi.model.study import StudyHeader, StudyState
from xdsi.model.values import is_uid
from xdsi.peers import qido
from xdsi.peers.delivery import Delivery, copied
from xdsi.peers.scratch import NoRoom, Room, Scratch, readable
from xdsi.peers.session import Tls, open_session
from xdsi.peers.wado import Coming, Parts, path_of, series_path
from xdsi.peers.web import Login, NotConnected, Web
from xdsi.peers.whole import Whole
from xdsi.plug import ArchiveBusy, ArchiveError, Call

_FRESH = 60.0  # seconds a listing of a series counts
_LISTED = 100_000  # instances in all listings
_WORTH = 8  # instances; fewer are asked for one by one
_THREADS = 32  # asking ahead, for all answers of this process
_REQUESTS = 1_000  # series of requests that are planned at a moment
_REMEMBERED = 50_000  # transfer syntaxes
_MIXED = ""  # stands for the transfer syntax of a group that has several
_TRIES = 3  # rounds of looking, until an instance tells the transfer syntax of its group
_READY_SECONDS, _READY_KEPT = 3.0, 10.0


class DicomWebArchive:
    """An `xdsi.plug.Archive` over a DICOMweb service.

    relay: `spool`: an instance lies here as a whole before it is promised to anybody
    spool_bytes: of all that lies here at a moment; what has no room is streamed
    """

    def __init__(
        self,
        web: Web,
        relay: Literal["stream", "spool"] = "stream",
        spool_bytes: int = 8 << 30,
    ) -> None:
        self._web, self._relay, self._room = web, relay, Room(spool_bytes)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="archive")
        self._deliveries: WeakValueDictionary[str, Delivery] = WeakValueDictionary()
        self._guard = Lock()
        self._syntaxes, self._series, self._wanted = _Syntaxes(), _Listings(), _Wanted()
        self._asked = -_READY_KEPT
        self._problems: tuple[str, ...] = ()

    def instances(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call, /
    ) -> Sequence[HeldInstance]:
        """See `Archive`; no identifier but a UID ever stands in an address."""
        if wanted is not None:
            wanted = frozenset(filter(is_uid, wanted))
        if not is_uid(study) or not is_uid(series or study) or wanted == frozenset():
            return ()
        told = self._series.of(study, series, wanted) or self._asked_for(
            study, series, wanted, call
        )
        held = [each for each in told if wanted is None or each.sop_instance_uid in wanted]
        if self._relay == "stream":
            self._wanted.note(call.ticket, held)
        return tuple(self._with_syntax(held, call))

    def _asked_for(
        self, study: str, series: str | None, wanted: Collection[str] | None, call: Call
    ) -> tuple[HeldInstance, ...]:
        """What it tells; of a whole series that is kept for a while."""
        if wanted is not None and len(wanted) == 1:
            return qido.held(self._web, study, series, wanted, call)
        is_often_asked = series and wanted is not None
        with self._series.turn(study, series or "", call) if is_often_asked else nullcontext():
            told = self._series.of(study, series, wanted)  # another may just have asked
            if told is None:
                told = qido.held(self._web, study, series, wanted, call)
                self._series.note(told)
        return told

    def whole(self, study: str, series: str | None, call: Call, /) -> Whole | None:
        """See `Archive`; whatever is wrong with the answer is told better by asking singly."""
        if self._relay == "spool" or not (is_uid(study) and is_uid(series or study)):
            return None
        later = replace(call, deadline=inf)
        try:
            path, patience = path_of(study, series), self._web.streaming(call)
            parts = Parts(self._web, path, patience, qido.MOST)
            with ExitStack() as steps:
                steps.callback(parts.close)
                if parts.is_all and (first := parts.next()) is not None:
                    steps.pop_all()
                    listed = partial(self.instances, study, series, None, later)
                    one = partial(self._coming, call=later)
                    return Whole(parts, first, study, series, listed, one)
        except NotConnected:
            raise
        except ArchiveError:
            pass
        return None

    def open(self, instance: HeldInstance, call: Call, /) -> Content:
        """See `Archive`; the first ones of an answer are asked for at once."""
        with self._guard:
            delivery = self._deliveries.get(call.ticket)
            if delivery is None:
                wanted = partial(self._wanted.of, call.ticket)
                delivery = Delivery(self._coming, self._all_of, wanted, self._threads, self._room)
                self._deliveries[call.ticket] = delivery
        give = delivery.spool if self._relay == "spool" else delivery.stream
        return give(instance, call)

    def file(self, instance: HeldInstance, call: Call, /) -> BinaryIO:
        """See `Archive`."""
        as_it_comes = instance._replace(transfer_syntax_uid=None)  # the reader sees it
        try:
            file = Scratch(self._room)
            try:
                copied(self._coming(as_it_comes, call), file)
            except BaseException:
                file.close()
                raise
        except NoRoom as error:
            raise ArchiveBusy(str(error)) from error
        return readable(file)

    def study(self, study: str, call: Call, /) -> StudyHeader | None:
        """See `Archive`."""
        return qido.study_header(self._web, study, call) if is_uid(study) else None

    def states(self, since: date, call: Call) -> Iterator[StudyState]:
        """How the studies since that date stand. Raises ArchiveError."""
        return qido.study_states(self._web, since, call)

    def ready(self) -> tuple[str, ...]:
        """Empty when the archive can be searched, else what is wrong; asked not too often."""
        now = monotonic()
        if now - self._asked >= _READY_KEPT:
            self._problems = ()
            try:
                qido.check(self._web, Call.internal(_READY_SECONDS))
            except ArchiveError as error:
                self._problems = (f"the archive at {self._web.base} cannot be searched: {error}",)
            self._asked = now
        return self._problems

    def close(self) -> None:
        """Give up the connections and all that waits for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._web.session.close()

    def _coming(self, instance: HeldInstance, call: Call) -> Coming:
        """Raises ArchiveError, also for another transfer syntax than the one that was told."""
        coming = Coming(self._web, instance, self._web.streaming(call))
        self._syntaxes.note(instance, coming.syntax)
        if instance.transfer_syntax_uid in (None, coming.syntax):
            return coming
        coming.close()
        raise ArchiveBusy(
            f"it comes in transfer syntax {shown(coming.syntax, 64)}, "
            f"not in {instance.transfer_syntax_uid} as was expected"
        )

    def _all_of(self, first: HeldInstance, wanted: int, call: Call) -> Parts | None:
        """One answer with the whole series; None if most of it would be for nothing."""
        total = self._series.total(first.study_instance_uid, first.series_instance_uid)
        if wanted < _WORTH or wanted * 4 < total * 3:
            return None
        return Parts(self._web, series_path(first), self._web.streaming(call), 2 * total)

    def _with_syntax(self, held: Sequence[HeldInstance], call: Call) -> Iterator[HeldInstance]:
        """The same, each with the transfer syntax it is told or believed to be stored in.

        What stays unknown could not be had; whoever wants it will hear why.
        """
        tried: set[str] = set()
        for _ in range(_TRIES):
            unknown = [
                each
                for each in held
                if self._syntaxes.of(each) is None and each.sop_instance_uid not in tried
            ]
            first = {_group(each): each for each in reversed(unknown)}
            last = {_group(each): each for each in unknown}
            alone = [each for each in unknown if self._syntaxes.is_mixed(each)]
            looked_at = {
                each.sop_instance_uid: each for each in (*first.values(), *last.values(), *alone)
            }
            tried.update(looked_at)
            list(self._threads.map(partial(self._look, call), looked_at.values()))
        for each in held:
            yield each._replace(transfer_syntax_uid=self._syntaxes.of(each))

    def _look(self, call: Call, held: HeldInstance) -> None:
        with suppress(ArchiveError), closing(self._coming(held, call)):
            pass


def opened(section: config.Imaging, limits: Limits) -> DicomWebArchive:
    """The archive of a configuration; the caller closes it. Raises ConfigurationError."""
    login = None
    if section.archive_user is not None and section.archive_password_file is not None:
        login = Login(section.archive_user, section.archive_password_file)
    tls = Tls(section.archive_ca, section.archive_certificate, section.archive_key)
    try:
        web = Web(section.archive, open_session(tls), login, limits=limits)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"imaging.archive: {error}") from error
    return DicomWebArchive(web, section.relay, section.spool_bytes)


def _group(instance: HeldInstance) -> tuple[str, str]:
    return instance.series_instance_uid, instance.sop_class_uid


class _Turn:
    """A lock that is gone when nobody has it."""

    def __init__(self) -> None:
        self.lock = Lock()


@dataclass(frozen=True, slots=True)
class _Listings:
    """What was told of a series a moment ago: large ones are asked for in several requests."""

    told: dict[tuple[str, str], tuple[float, tuple[HeldInstance, ...]]] = field(
        default_factory=dict
    )
    guard: Lock = field(default_factory=Lock)
    turns: WeakValueDictionary[tuple[str, str], "_Turn"] = field(
        default_factory=WeakValueDictionary
    )

    @contextmanager
    def turn(self, study: str, series: str, call: Call) -> Iterator[None]:
        """Those who want the same series at once ask one after the other, so that one is enough.

        Raises ArchiveBusy when the call's time is over before.
        """
        with self.guard:
            turn = self.turns.setdefault((study, series), _Turn())
        if not turn.lock.acquire(timeout=min(call.remaining, TIMEOUT_MAX)):
            raise ArchiveBusy("others ask it for the same series")
        try:
            yield
        finally:
            turn.lock.release()

    def of(
        self, study: str, series: str | None, wanted: Collection[str] | None
    ) -> tuple[HeldInstance, ...] | None:
        """None unless all that is wanted was told of."""
        since, held = self.told.get((study, series or ""), (0.0, ()))
        if wanted is None or monotonic() - since > _FRESH:
            return None
        return held if {each.sop_instance_uid for each in held}.issuperset(wanted) else None

    def total(self, study: str, series: str) -> int:
        return len(self.told.get((study, series), (0.0, ()))[1])

    def note(self, held: Sequence[HeldInstance]) -> None:
        """held: whole series"""
        series: dict[tuple[str, str], list[HeldInstance]] = {}
        for each in held:
            key = (each.study_instance_uid, each.series_instance_uid)
            series.setdefault(key, []).append(each)
        with self.guard:
            for key, members in series.items():
                self.told.pop(key, None)
                self.told[key] = monotonic(), tuple(members)
            while len(self.told) > 1 and sum(len(one) for _, one in self.told.values()) > _LISTED:
                del self.told[next(iter(self.told))]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How many instances of a series a request wants, by its ticket; of the newest requests."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    guard: Lock = field(default_factory=Lock)

    def note(self, ticket: str, held: Sequence[HeldInstance]) -> None:
        with self.guard:
            for series, number in Counter(each.series_instance_uid for each in held).items():
                self.numbers[ticket, series] = number
            while len(self.numbers) > _REQUESTS:
                del self.numbers[next(iter(self.numbers))]

    def of(self, ticket: str, instance: HeldInstance) -> int:
        return self.numbers.get((ticket, instance.series_instance_uid), 0)


@dataclass(frozen=True, slots=True)
class _Syntaxes:
    """Transfer syntaxes seen: of each group, and of each instance of a group that is mixed."""

    seen: dict[tuple[str, str] | str, str] = field(default_factory=dict)
    guard: Lock = field(default_factory=Lock)

    def is_mixed(self, held: HeldInstance) -> bool:
        return self.seen.get(_group(held)) == _MIXED

    def of(self, held: HeldInstance) -> str | None:
        """What is known, told or believed; of a mixed group only what is known."""
        if self.is_mixed(held):
            return self.seen.get(held.sop_instance_uid)
        return held.transfer_syntax_uid or self.seen.get(_group(held))

    def note(self, held: HeldInstance, syntax: str) -> None:
        """held: as it was told or believed to be."""
        with self.guard:
            believed = held.transfer_syntax_uid or self.seen.setdefault(_group(held), syntax)
            if believed != syntax:
                self.seen[_group(held)] = _MIXED
            if held.transfer_syntax_uid != syntax:
                self.seen[held.sop_instance_uid] = syntax
            while len(self.seen) > _REMEMBERED:
                del self.seen[next(iter(self.seen))]
