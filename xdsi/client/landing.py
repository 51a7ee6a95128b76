"""Where retrieved instances come down: received into a spool, linked to their place when whole.

An instance is known by its own header, not by what the other side calls it. So one that arrived
before the connection broke is kept as well.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.messages import Content, Reader, Staged, as_bytes
from xdsi.peers.spool import Spool, SpooledDocument, SpoolFile
from xdsi.standard import dicom
from xdsi.wire import instances

_CHUNK = 1 << 20


class Landing:
    """A `Staging` for the instances of one answer.

    places: SOP Instance UID -> path of those that were asked for
    sizes: octets of those that have come
    """

    def __init__(
        self, into: Path, places: Mapping[str, Path], moved: Callable[[int], None]
    ) -> None:
        self.places, self.sizes = places, dict[str, int]()
        self._moved, self._spool = moved, Spool(into, sys.maxsize)  # the disk is the bound
        self._staged: dict[Callable[[], Reader], SpooledDocument] = {}

    def create(self) -> "_Arriving":
        return _Arriving(self._spool.create(), self._moved, self._staged)

    def discard(self, staged: Iterable[Staged], /) -> None:
        """The answer broke off: whole instances in it are kept all the same. Never raises."""
        for each in staged:
            if isinstance(each, SpooledDocument):
                with suppress(OSError):
                    self._settle(each)
                self._spool.discard((each,))

    def land(self, documents: Iterable[Content]) -> None:
        """Give what was received its place. Raises OSError."""
        for each in documents:
            staged = self._staged.get(each.open)
            self._settle(self._written(each) if staged is None else staged)

    def _written(self, content: Content) -> SpooledDocument:
        """A document that came inside the envelope."""
        file, reader = self.create(), content.open()
        try:
            while chunk := reader.read(_CHUNK):
                file.write(as_bytes(chunk))
        finally:
            reader.close()
        return file.finish()

    def _settle(self, staged: SpooledDocument) -> None:
        """Link it to its place. What is no instance that was asked for is left to the spool."""
        try:
            uid = instances.header(staged.path).data.uid(dicom.SOP_INSTANCE_UID)
        except InvalidDocumentContent:
            return
        if (place := self.places.get(uid)) is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            staged.path.replace(place)
            self.sizes[uid] = staged.size

    def __enter__(self) -> "Landing":
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()


class _Arriving:
    """An instance while it is received."""

    def __init__(
        self,
        file: SpoolFile,
        moved: Callable[[int], None],
        staged: dict[Callable[[], Reader], SpooledDocument],
    ) -> None:
        self._file, self._moved, self._staged = file, moved, staged

    def write(self, data: bytes, /) -> None:
        self._file.write(data)
        self._moved(len(data))

    def finish(self) -> SpooledDocument:
        staged = self._file.finish()
        assert isinstance(staged, SpooledDocument)  # noqa: S101 - what a spool gives
        self._staged[staged.open] = staged
        return staged

    def discard(self) -> None:
        self._file.discard()
