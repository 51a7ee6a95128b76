"""QIDO-RS Search: studies, series and instances.

A study is found by its UID; what else is said of it must fit. What is asked and cannot be looked
for is refused, never passed over.
Source: DICOM PS3.18 10.6.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from xdsi.actors.imaging.rad107 import check_json
from xdsi.actors.imaging.web import Place, Web, check_uid, ids, place_of
from xdsi.model.imaging import HeldInstance
from xdsi.model.study import SeriesHeader, StudyHeader
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call
from xdsi.wire import jsonmodel
from xdsi.wire.jsonmodel import Model, attribute

T = TypeVar("T")
# keyword or tag -> what it asks for
_KEYS = {
    name: field
    for field, names in {
        "study": "StudyInstanceUID 0020000D",
        "patient": "PatientID 00100020",
        "accession": "AccessionNumber 00080050",
        "date": "StudyDate 00080020",
        "modality": "ModalitiesInStudy 00080061",
        "series": "SeriesInstanceUID 0020000E",
        "series modality": "Modality 00080060",
        "instance": "SOPInstanceUID 00080018",
        "class": "SOPClassUID 00080016",
        "limit": "limit",
        "offset": "offset",
    }.items()
    for name in names.split()
}
_IGNORED = ("includefield", "fuzzymatching", "accept")
_OF_STUDIES = frozenset(("study", "patient", "accession", "date", "modality", "limit", "offset"))
_OF_SERIES = frozenset(("study", "series", "series modality", "limit", "offset"))
_OF_INSTANCES = frozenset(("study", "series", "instance", "class", "limit", "offset"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")


def studies(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """The study that the query names, if it is as the query says."""
    given = _given(request, _OF_STUDIES)
    limit, offset = _page(given)
    if "study" not in given:
        raise WebError(
            400,
            "studies are found here by StudyInstanceUID, other keys only narrow that; "
            "take it from the manifest",
        )
    first, last = _dates(given.get("date", ""))
    study = web.source.archive.study(given["study"], call)
    found = [study] if study is not None and _matches(study, given, first, last) else []
    return _answer((_study(each, web) for each in _paged(found, limit, offset)), place)


def series(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """The series of a study."""
    given = _given(request, _OF_SERIES)
    limit, offset = _page(given)
    study = web.source.archive.study(place.study, call)
    found = [
        each
        for each in (study.series if study is not None and _fits(place, given) else ())
        if given.get("series", each.series_instance_uid) == each.series_instance_uid
        and given.get("series modality", each.modality) == each.modality
    ]
    told = (_series(place.study, each, web) for each in _paged(found, limit, offset))
    return _answer(told, place)


def instances(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """The instances of a study or series."""
    given = _given(request, _OF_INSTANCES)
    limit, offset = _page(given)
    wanted = (given["instance"],) if "instance" in given else None
    series = place.series or given.get("series")
    there: Sequence[HeldInstance] = ()
    if _fits(place, given):
        there = web.source.archive.instances(place.study, series, wanted, call)
    found = [each for each in there if given.get("class", each.sop_class_uid) == each.sop_class_uid]
    told = (_instance(each, web) for each in _paged(found, limit, offset))
    return _answer(told, place)


def _fits(place: Place, given: dict[str, str]) -> bool:
    """Whether keys that the path has values for say the same."""
    return given.get("study", place.study) == place.study and (
        not place.series or given.get("series", place.series) == place.series
    )


def _answer(found: Iterable[Model], place: Place) -> WebAnswer:
    listed = [dict(sorted(each.items())) for each in found]
    if not listed:
        return WebAnswer(204, "", (), (), ids(place))
    return WebAnswer(200, jsonmodel.MEDIA_TYPE, (jsonmodel.text(listed),), (), ids(place))


def _given(request: WebRequest, known: frozenset[str]) -> dict[str, str]:
    check_json(request)
    given: dict[str, str] = {}
    for name, value in request.query:
        if name.lower() in _IGNORED or not value:
            continue
        field = _KEYS.get(name)
        if field not in known or field in given:
            problem = "given twice" if field in given else "no key of this search here"
            raise WebError(400, f"a parameter is {problem}; keys are attributes by keyword or tag")
        if field in ("study", "series", "instance", "class"):
            check_uid(field, value)
        elif "*" in value or "?" in value:
            raise WebError(400, f"{field}: there are no wildcards here")
        given[field] = value
    return given


def _page(given: dict[str, str]) -> tuple[int | None, int]:
    """Limit, where one is asked for, and offset."""
    for name in ("limit", "offset"):
        text = given.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise WebError(400, f"{name}: expected a number")
    limit = int(given["limit"]) if "limit" in given else None
    return limit, int(given.get("offset", 0))


def _paged(found: Sequence[T], limit: int | None, offset: int) -> Sequence[T]:
    return found[offset:] if limit is None else found[offset : offset + limit]


def _dates(value: str) -> tuple[str, str]:
    first, separator, last = value.partition("-")
    dates = (first, last if separator else first)
    if not all(
        not each or (len(each) == 8 and each.isascii() and each.isdigit()) for each in dates
    ):
        raise WebError(400, "StudyDate: expected YYYYMMDD, or two of them with - between")
    return dates


def _matches(study: StudyHeader, given: dict[str, str], first: str, last: str) -> bool:
    accessions = {each.accession.value for each in study.requests}
    return (
        given.get("patient", study.patient.id.value) == study.patient.id.value
        and ("accession" not in given or given["accession"] in accessions)
        and (not first or study.date >= first)
        and (not last or "" < study.date <= last)
        and ("modality" not in given or given["modality"] in study.modalities)
    )


def _study(study: StudyHeader, web: Web) -> Model:
    patient = study.patient
    accessions = (each.accession.value for each in study.requests)
    return {
        "00080020": attribute("DA", study.date),
        "00080030": attribute("TM", study.time),
        "00080050": attribute("SH", next(accessions, "")),
        "00080061": attribute("CS", *study.modalities),
        "00080090": attribute("PN", study.referring_physician),
        "00080201": attribute("SH", study.timezone),
        "00081030": attribute("LO", study.description),
        "00081190": attribute("UR", web.base + Place(study.study_instance_uid).path),
        "00100010": attribute("PN", patient.name),
        "00100020": attribute("LO", patient.id.value),
        "00100030": attribute("DA", patient.birth_date),
        "00100040": attribute("CS", patient.sex),
        "0020000D": attribute("UI", study.study_instance_uid),
        "00200010": attribute("SH", study.study_id),
        "00201206": attribute("IS", len(study.series)),
        "00201208": attribute("IS", sum(len(each.instances) for each in study.series)),
    }


def _series(study: str, series: SeriesHeader, web: Web) -> Model:
    return {
        "00080060": attribute("CS", series.modality),
        "0008103E": attribute("LO", series.description),
        "00081190": attribute("UR", web.base + Place(study, series.series_instance_uid).path),
        "0020000D": attribute("UI", study),
        "0020000E": attribute("UI", series.series_instance_uid),
        "00200011": attribute("IS", *_whole(series.number)),
        "00201209": attribute("IS", len(series.instances)),
    }


def _instance(each: HeldInstance, web: Web) -> Model:
    return {
        "00080016": attribute("UI", each.sop_class_uid),
        "00080018": attribute("UI", each.sop_instance_uid),
        "00081190": attribute("UR", web.base + place_of(each).path),
        "00083002": attribute("UI", each.transfer_syntax_uid),
        "0020000D": attribute("UI", each.study_instance_uid),
        "0020000E": attribute("UI", each.series_instance_uid),
        "00280008": attribute("IS", each.frames or None),
    }


def _whole(text: str) -> Iterator[int]:
    if _INTEGER.fullmatch(text):
        yield int(text)
