"""DICOM files from a WADO-RS service, handed on while they come.

The first octets of each are looked at before anything is given out: they tell which instance it is
and its transfer syntax. Memory is constant, and the service is read only as fast as we are.
Source: DICOM PS3.18 10.4.1.1.1, 8.6.1; RFC 2387; IMG-161, IMG-175, SEC-T-029, SEC-T-167.
"""

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from time import monotonic
from typing import NamedTuple

import requests

from xdsi.model.errors import InvalidDocumentContent, SoapFault, shown
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Octets
from xdsi.model.values import is_uid
from xdsi.peers.session import Body, Patience
from xdsi.peers.web import Web, take
from xdsi.plug import ArchiveError
from xdsi.standard import dicom
from xdsi.standard import namespaces as ns
from xdsi.wire import dicomfile, dicomparts, media, mime
from xdsi.wire.dicomfile import Shape


def accept(syntax: str) -> str:
    """What is taken, for a header. syntax: a transfer syntax, or * for whatever it is stored in"""
    return f'{ns.MULTIPART_RELATED}; type="{dicom.MEDIA_TYPE}"; transfer-syntax={syntax}'


ACCEPT = accept("*")

_BLOCK = 128 * 1024  # octets taken from the line at once; as many as are wanted where they come
_BRISK = 0.25  # in less than so many seconds
_HEAD = 16 * 1024  # octets; an instance says who it is far sooner
_AROUND = 64 * 1024  # octets that may stand between and behind the files
_NAMES = Shape(frozenset({dicom.SOP_INSTANCE_UID}), until=dicom.SOP_INSTANCE_UID)


def path_of(study: str, series: str | None) -> str:
    """Where a study or series is, below the base of the service."""
    return f"/studies/{study}" + (f"/series/{series}" if series else "")


def series_path(held: HeldInstance) -> str:
    """Where the series of an instance is, below the base of the service."""
    return path_of(held.study_instance_uid, held.series_instance_uid)


# how the elements that name an instance begin in most files
_MARKS = tuple(
    dicomparts.head(tag, b"UI", 0)[:6]
    for tag in (
        dicom.TRANSFER_SYNTAX_UID,
        dicom.MEDIA_STORAGE_SOP_INSTANCE_UID,
        dicom.SOP_INSTANCE_UID,
    )
)


class Named(NamedTuple):
    """What the first octets of a file say. head: these octets"""

    uid: str
    syntax: str
    head: bytes


class Parts:
    """The DICOM files of one answer, one after the other.

    most: how many there may be; accepted: the Accept header
    All methods raise ArchiveError; it is of no use afterwards.
    """

    def __init__(
        self, web: Web, path: str, patience: Patience, most: int, accepted: str = ACCEPT
    ) -> None:
        self._limit, self._patience = web.limits.document, patience
        self._wanted, self._is_brisk = _BLOCK, False
        self._answer = web.get(path, accepted, patience)
        self._body = Body(self._answer, patience)
        patience.moving()
        self._stopped = monotonic()
        try:
            self._events = _events(iter(self._block, b""), self._answer, most)
        except BaseException:
            self._answer.close()
            raise
        self._rest: Octets = b""
        self._size, self._is_within = 0, False

    @property
    def is_all(self) -> bool:
        """Whether it says that nothing is left out."""
        return self._answer.status_code == HTTPStatus.OK

    def next(self) -> Named | None:
        """Go on to the next file; None when there is none, and the answer has come to its end."""
        while self.read(_BLOCK):
            pass
        block = next(self._events, b"")
        if block == b"":
            return None
        self._size, self._is_within = 0, block is not None
        self._rest = block or b""
        while len(self._rest) < _HEAD and self._is_within:
            self._rest = b"".join((self._rest, self._more()))
        return _named(bytes(self._rest[:_HEAD]))

    def read(self, n: int, /) -> Octets:
        """Of the file that `next` went on to; b"" when it has come to its end."""
        self._wanted = n
        block = self._rest or (self._more() if self._is_within else b"")
        self._rest = block[n:]
        return block[:n] if self._rest else block

    def close(self) -> None:
        """A connection whose answer was read to its end is used again."""
        self._answer.close()

    def _block(self) -> bytes:
        started = monotonic()
        self._patience.rested(started - self._stopped)
        try:
            return take(self._body, self._wanted if self._is_brisk else _BLOCK)
        finally:
            self._stopped = monotonic()
            self._is_brisk = self._stopped - started < _BRISK

    def _more(self) -> Octets:
        block = next(self._events, None)
        if block is None:
            self._is_within = False
            return b""
        self._size += len(block)
        if self._size > self._limit:
            raise ArchiveError(f"what it sends is above {self._limit} bytes")
        return block


class Coming:
    """A reader of one instance; made when its first octets are there and are the right ones.

    syntax: the transfer syntax it comes in
    Raises ArchiveError. Reading raises OSError for what is not whole, or above the limit.
    """

    def __init__(self, web: Web, held: HeldInstance, patience: Patience) -> None:
        path = f"{series_path(held)}/instances/{held.sop_instance_uid}"
        self._parts = Parts(web, path, patience, 1)
        try:
            found = self._parts.next()
            if found is None:
                raise ArchiveError("its answer is empty")
            if found.uid != held.sop_instance_uid:
                raise ArchiveError(f"it sends another instance, {shown(found.uid, 64)}")
        except BaseException:
            self.close()
            raise
        self.syntax = found.syntax

    def read(self, n: int, /) -> Octets:
        try:
            block = self._parts.read(n)
            if not block:
                self._parts.next()
        except ArchiveError as error:
            raise OSError(f"the archive did not send it to its end: {error}") from error
        return block

    def close(self) -> None:
        self._parts.close()


def _named(head: bytes) -> Named:
    return _quickly(head) or _read(head)


def _quickly(head: bytes) -> Named | None:
    """Of a file as nearly all are: little endian with value representations, and of one mind."""
    syntax, stored, uid = (_value(head, mark) for mark in _MARKS)
    is_plain = dicomfile.is_part10(head) and uid == stored and is_uid(uid) and is_uid(syntax)
    return Named(uid, syntax, head) if is_plain else None


def _value(head: bytes, mark: bytes) -> str:
    """Of the first element that begins so."""
    if (at := head.find(mark)) < 0:
        return ""
    start = at + len(mark) + 2
    size = int.from_bytes(head[start - 2 : start], "little")
    return head[start : start + size].rstrip(b"\0").decode("latin-1")


def _read(head: bytes) -> Named:
    limits = dicomfile.Limits()
    try:
        file = dicomfile.read(head, _NAMES, what="what it sends", limits=limits)
    except InvalidDocumentContent as error:
        raise ArchiveError(error.context) from error
    if not is_uid(file.transfer_syntax):
        raise ArchiveError("what it sends lacks a transfer syntax")
    return Named(file.data.uid(dicom.SOP_INSTANCE_UID), file.transfer_syntax, head)


def _events(
    blocks: Iterator[bytes], answer: requests.Response, most: int
) -> Iterator[Octets | None]:
    """The octets of the files in pieces, None behind each. blocks: of the answer"""
    given = answer.headers.get("Content-Type", "")
    try:
        kind = media.media_type(given)
        if kind.type == dicom.MEDIA_TYPE:
            _check_end(answer)
            return _bare(blocks)
        if kind.type == ns.MULTIPART_RELATED:
            bounds = mime.MimeLimits(parts=most)
            return _multipart(blocks, mime.Scanner(media.boundary(kind), bounds, by_length=True))
    except SoapFault:
        pass
    raise ArchiveError(
        f"it sends {shown(given, 80) if given else 'no Content-Type'}, not {dicom.MEDIA_TYPE}"
    )


def _check_end(answer: requests.Response) -> None:
    """A bare body that ends with its connection may have been cut anywhere."""
    if "Content-Length" not in answer.headers and not answer.raw.chunked:
        raise ArchiveError("its answer does not say how long it is")


def _bare(blocks: Iterator[bytes]) -> Iterator[Octets | None]:
    yield from blocks
    yield None


def _multipart(blocks: Iterator[bytes], scanner: mime.Scanner) -> Iterator[Octets | None]:
    idle = 0  # octets since the last that were any part's
    try:
        for block in blocks:
            idle += len(block)
            for event in scanner.feed(block):
                idle = 0
                match event:
                    case mime.PartStart():
                        _check_type(event.content_type)
                    case mime.PartData(data):
                        yield data
                    case mime.PartEnd():
                        yield None
            if idle > _AROUND:
                raise ArchiveError("its answer does not end where its last file ends")
        if scanner.close():
            yield None
    except SoapFault as error:
        raise ArchiveError(error.reason) from error


@lru_cache(16)  # the files of a series have the same
def _check_type(given: str | None) -> None:
    if given is None or media.media_type(given).type != dicom.MEDIA_TYPE:
        raise ArchiveError(
            f"a part of its answer is {shown(given or '', 80)}, not {dicom.MEDIA_TYPE}"
        )
