"""All instances of a study or series, passed on as an archive sends them.

To be told of them first would cost many archives more than to send them. So whoever takes any order
and any transfer syntax gets the archive's own answer, file by file, as far as a file says itself
that it belongs there. What is missing then, or when the answer breaks off, is asked for singly.
Source: DICOM PS3.18 10.4; IMG-161, IMG-175, SEC-T-029, SEC-T-167.
"""

import struct
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content, Octets, Reader
from xdsi.peers.series import Passing
from xdsi.peers.wado import Named, Parts
from xdsi.plug import ArchiveError
from xdsi.standard import dicom
from xdsi.wire.dicomparts import head


class Whole:
    """One answer with all there is; iterate over it once, each content read before the next.

    parts: the answer, which has gone on to `first`
    study, series: what was asked for; series None: the whole study
    listed: what there is; one: asks for an instance; both raise ArchiveError
    """

    def __init__(
        self,
        parts: Parts,
        first: Named,
        study: str,
        series: str | None,
        listed: Callable[[], Sequence[HeldInstance]],
        one: Callable[[HeldInstance], Reader],
    ) -> None:
        self._parts, self._first, self._listed, self._one = parts, first, listed, one
        self._places = [_element(dicom.STUDY_INSTANCE_UID, study)]
        if series:
            self._places.append(_element(dicom.SERIES_INSTANCE_UID, series))
        self._is_broken = self._is_lacking = False
        weakref.finalize(self, parts.close)

    def __iter__(self) -> Iterator[tuple[str, Content]]:
        """SOP Instance UIDs and contents. Raises ArchiveError, OSError."""
        sent: set[str] = set()
        part: Named | None = self._first
        while part is not None:
            if not self._belongs(part):
                self._is_lacking = True
            elif part.uid not in sent:
                sent.add(part.uid)
                yield part.uid, Content(None, partial(self._passing, part.uid))
            part = self._next()
        if self._is_broken or self._is_lacking:
            for uid, held in self._held.items():
                if uid not in sent:
                    yield uid, Content(None, partial(self._one, held))

    def _belongs(self, part: Named) -> bool:
        return all(
            explicit in part.head or implicit in part.head for explicit, implicit in self._places
        )

    def _passing(self, uid: str) -> Reader:
        return Passing(self, partial(self._singly, uid))

    def _next(self) -> Named | None:
        if not self._is_broken:
            try:
                return self._parts.next()
            except ArchiveError:
                self._is_broken = True
        return None

    def read(self, n: int, /) -> Octets:
        """Of the instance that comes at the moment. Raises ArchiveError."""
        try:
            return self._parts.read(n)
        except ArchiveError:
            self._is_broken = True
            raise

    def passed(self) -> None:
        """The instance that comes at the moment is not read any more."""

    @cached_property
    def _held(self) -> dict[str, HeldInstance]:
        return {each.sop_instance_uid: each for each in self._listed()}

    def _singly(self, uid: str) -> Reader:
        if (held := self._held.get(uid)) is None:
            raise ArchiveError("it sends an instance that it does not know of")
        return self._one(held)


def _element(tag: int, uid: str) -> tuple[bytes, bytes]:
    """As it stands in a little endian file, with and without its value representation."""
    value = uid.encode("ascii") + b"\0" * (len(uid) % 2)
    explicit = head(tag, b"UI", len(value))
    return explicit + value, explicit[:4] + struct.pack("<I", len(value)) + value
