"""What a DICOMweb service holds of a study or series.

A search tells it (QIDO-RS). One that leaves out the SOP class, as old services do, is followed by a
request for the headers themselves. Services bound their answers as they like, so pages are asked
for until one brings nothing new. All of it is foreign: counted, and kept only if it was asked for.
Source: DICOM PS3.18 10.6.1.2, 10.6.3.3, 10.4.1.1.2; SEC-T-127, SEC-T-167.
"""

import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import date
from http import HTTPStatus
from typing import NamedTuple

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.imaging import HeldInstance
from xdsi.model.study import StudyHeader, StudyState
from xdsi.model.values import is_uid
from xdsi.peers.session import Body
from xdsi.peers.wado import path_of
from xdsi.peers.web import NotThere, Web, take
from xdsi.plug import ArchiveError, Call, StudyUnclear
from xdsi.standard import dicom
from xdsi.wire import dicomjson
from xdsi.wire.dicomfile import Item, Shape
from xdsi.wire.instances import NoSingleStudy, single

_JSON = "application/dicom+json"
_PAGE = 5_000  # instances asked for in one search
MOST = 250_000  # instances of one study
_OCTETS = 2 << 30  # of one answer
_BLOCK = 64 * 1024
_NO_STUDY = "2.25.0"  # looked for to see whether the service answers; not all list everything
_NO_PLACE = sys.maxsize  # of what has no number

_INSTANCE = Shape(
    frozenset(
        {
            dicom.STUDY_INSTANCE_UID,
            dicom.SERIES_INSTANCE_UID,
            dicom.SOP_INSTANCE_UID,
            dicom.SOP_CLASS_UID,
            dicom.SERIES_NUMBER,
            dicom.INSTANCE_NUMBER,
            dicom.AVAILABLE_TRANSFER_SYNTAX_UID,
            dicom.NUMBER_OF_FRAMES,
            dicom.ROWS,
        }
    )
)
_STUDY = Shape(
    frozenset(
        {
            dicom.STUDY_INSTANCE_UID,
            dicom.NUMBER_OF_STUDY_RELATED_SERIES,
            dicom.NUMBER_OF_STUDY_RELATED_INSTANCES,
        }
    )
)
_COUNTED = "&".join(f"includefield={tag:08X}" for tag in sorted(_STUDY.values))
_STUDIES = 1_000  # asked for in one search
_FIELDS = "&".join(f"includefield={tag:08X}" for tag in sorted(_INSTANCE.values))


class _Row(NamedTuple):
    """An instance and where it stands: series number and UID, its own number, place told at."""

    order: tuple[int, str, int, int]
    held: HeldInstance


class _TooLittle(Exception):
    """A search does not tell what is needed."""


def held(
    web: Web, study: str, series: str | None, wanted: Collection[str] | None, call: Call
) -> tuple[HeldInstance, ...]:
    """By series and instance number; among others those wanted, of which one alone is told alone.

    All arguments are UIDs. Raises ArchiveError.
    """
    where = path_of(study, series)
    try:
        rows = _searched(web, where, wanted, call)
    except _TooLittle:
        rows = _rows(web, f"{where}/metadata", call, no_rows=0)
    if series is None and any(row.order[0] == _NO_PLACE for row in rows.values()):
        rows = _placed(rows, _series_places(web, where, call))
    return tuple(
        row.held
        for row in sorted(rows.values())
        if row.held.study_instance_uid == study and series in (None, row.held.series_instance_uid)
    )


def study_header(web: Web, study: str, call: Call) -> StudyHeader | None:
    """The headers of a study; None for one that is not there. Raises ArchiveError."""
    what = f"the metadata of study {study}"
    try:
        return single(
            dicomjson.studies([_body(web, f"/studies/{study}/metadata", call)], what=what)
        )
    except NotThere:
        return None
    except (InvalidDocumentContent, NoSingleStudy) as error:
        raise StudyUnclear(str(error)) from error


def study_states(web: Web, since: date, call: Call) -> Iterator[StudyState]:
    """How the studies since that date stand, as far as a search tells: by their numbers of series
    and instances. Raises ArchiveError.
    """
    seen: set[str] = set()
    while len(seen) < MOST:
        before = len(seen)
        query = f"/studies?StudyDate={since:%Y%m%d}-&{_COUNTED}&limit={_STUDIES}&offset={before}"
        try:
            for item in dicomjson.items(_body(web, query, call), _STUDY, what="what it answers"):
                uid = item.uid(dicom.STUDY_INSTANCE_UID)
                if is_uid(uid) and uid not in seen:
                    seen.add(uid)
                    counts = (
                        item.text(dicom.NUMBER_OF_STUDY_RELATED_SERIES),
                        item.text(dicom.NUMBER_OF_STUDY_RELATED_INSTANCES),
                    )
                    yield StudyState(uid, "/".join(counts))
        except NotThere:
            return
        except InvalidDocumentContent as error:
            raise ArchiveError(error.context) from error
        # some give less at a time than is asked for, and one that knows no offset the same again
        if len(seen) == before:
            return


def check(web: Web, call: Call) -> None:
    """Raises ArchiveError when the service cannot be searched."""
    for _ in _items(web, f"/studies?{dicom.STUDY_INSTANCE_UID:08X}={_NO_STUDY}&limit=1", call):
        pass


def _searched(web: Web, where: str, wanted: Collection[str] | None, call: Call) -> dict[str, _Row]:
    fields = _FIELDS
    if wanted is not None and len(wanted) == 1:
        fields += f"&{dicom.SOP_INSTANCE_UID:08X}={next(iter(wanted))}"
    rows: dict[str, _Row] = {}
    while True:
        query = f"{where}/instances?{fields}&limit={_PAGE}&offset={len(rows)}"
        page = _rows(web, query, call, first=len(rows))
        if page.keys() <= rows.keys():
            return rows
        rows |= page
        if len(rows) > MOST:
            raise ArchiveError(f"it tells of more than {MOST} instances")
        if wanted is not None and rows.keys() >= set(wanted):
            return rows


def _rows(
    web: Web, path: str, call: Call, *, first: int = 0, no_rows: int | None = None
) -> dict[str, _Row]:
    """Instances by UID. first: place of the first; no_rows: frames of one without Rows

    Raises ArchiveError, _TooLittle.
    """
    found: dict[str, _Row] = {}
    try:
        for place, item in enumerate(_items(web, path, call), first):
            if row := _row(item, place, no_rows):
                found[row.held.sop_instance_uid] = row
    except NotThere:
        return {}
    return found


def _series_places(web: Web, where: str, call: Call) -> dict[str, int]:
    """Series numbers, which a search for instances need not tell. Raises ArchiveError."""
    path = f"{where}/series?includefield={dicom.SERIES_NUMBER:08X}&limit={_PAGE}"
    return {
        each.uid(dicom.SERIES_INSTANCE_UID): _place(each.text(dicom.SERIES_NUMBER))
        for each in _items(web, path, call)
    }


def _placed(rows: dict[str, _Row], places: dict[str, int]) -> dict[str, _Row]:
    return {
        uid: row._replace(order=(places.get(row.order[1], row.order[0]), *row.order[1:]))
        for uid, row in rows.items()
    }


def _items(web: Web, path: str, call: Call) -> Iterator[Item]:
    """Raises ArchiveError."""
    try:
        yield from dicomjson.items(_body(web, path, call), _INSTANCE, what="what it answers")
    except InvalidDocumentContent as error:
        raise ArchiveError(error.context) from error


def _body(web: Web, path: str, call: Call) -> Iterator[bytes]:
    patience = web.answering(call)
    with closing(web.get(path, _JSON, patience)) as answer:
        if answer.status_code == HTTPStatus.NO_CONTENT:
            yield b"[]"
        else:
            body, total = Body(answer, patience), 0
            while piece := take(body, _BLOCK):
                total += len(piece)
                if total > _OCTETS:
                    raise ArchiveError(f"its answer is above {_OCTETS} bytes")
                yield piece


def _row(item: Item, place: int, no_rows: int | None) -> _Row | None:
    """None for what is no instance."""
    uid, sop_class = item.uid(dicom.SOP_INSTANCE_UID), item.uid(dicom.SOP_CLASS_UID)
    study, series = item.uid(dicom.STUDY_INSTANCE_UID), item.uid(dicom.SERIES_INSTANCE_UID)
    if not is_uid(uid):
        return None
    if not (is_uid(sop_class) and is_uid(study) and is_uid(series)):
        raise _TooLittle
    syntax = item.uid(dicom.AVAILABLE_TRANSFER_SYNTAX_UID)
    frames = _number(item.text(dicom.NUMBER_OF_FRAMES))
    if frames is None:
        frames = 1 if dicom.ROWS in item.values else no_rows
    order = (
        _place(item.text(dicom.SERIES_NUMBER)),
        series,
        _place(item.text(dicom.INSTANCE_NUMBER)),
        place,
    )
    return _Row(
        order,
        HeldInstance(
            study,
            series,
            uid,
            sop_class,
            # several are what it can be had in, one is what it is stored in
            transfer_syntax_uid=syntax if is_uid(syntax) else None,
            frames=frames,
        ),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _place(text: str) -> int:
    """Absent and unreadable numbers come last; some are negative."""
    number = _number(text.removeprefix("-"))
    if number is None:
        return _NO_PLACE
    return -number if text.startswith("-") else number
