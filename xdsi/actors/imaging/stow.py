"""STOW-RS Store: instances put into the archive.

Source: DICOM PS3.18 10.5.
"""

from collections.abc import Sequence

from xdsi.actors.imaging.rad107 import check_json
from xdsi.actors.imaging.web import Kept, Place, Web, place_of
from xdsi.model.errors import SoapFault
from xdsi.model.imaging import HeldInstance
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call
from xdsi.standard import namespaces as ns
from xdsi.standard.dicom import MEDIA_TYPE
from xdsi.wire import jsonmodel
from xdsi.wire.jsonmodel import Model, attribute
from xdsi.wire.media import media_type


def check(request: WebRequest) -> None:
    """Before the body is read: a type that is taken, and an answer that is. Raises WebError."""
    check_json(request)
    try:
        kind = media_type(request.headers.get("content-type", ""))
        inner = kind.get("type") if kind.type == ns.MULTIPART_RELATED else kind.type
    except SoapFault:
        inner = None
    if (inner or "").lower() != MEDIA_TYPE:
        raise WebError(
            415, f'send {ns.MULTIPART_RELATED}; type="{MEDIA_TYPE}", or {MEDIA_TYPE} alone'
        )


def store(request: WebRequest, call: Call, place: Place, web: Web) -> WebAnswer:
    """Which instances were kept: 200 all, 202 some, 409 none."""
    if web.keep is None:
        raise WebError(503, "this archive takes no instances")
    if not request.documents:
        raise WebError(400, "the body holds no instance")

    def fits(instance: HeldInstance) -> str:
        is_other = place.study not in ("", instance.study_instance_uid)
        return "is of another study than the address names" if is_other else ""

    told = web.keep(request.documents, call, fits=fits)
    kept = [each.instance for each in told if each.instance is not None and not each.status]
    status = 409 if not kept else 200 if len(kept) == len(told) else 202
    uids = tuple(dict.fromkeys(each.study_instance_uid for each in kept))
    body = jsonmodel.text(_answer(told, kept, web))
    return WebAnswer(status, jsonmodel.MEDIA_TYPE, (body,), (), uids)


def _answer(told: Sequence[Kept], kept: Sequence[HeldInstance], web: Web) -> Model:
    """The Store Instances Response Module (PS3.18 I.2)."""
    failed = [each for each in told if each.status]
    named = [{**_reference(each.instance), **_failure(each)} for each in failed if each.instance]
    others = [_failure(each) for each in failed if each.instance is None]
    answer: Model = {}
    if len(studies := {each.study_instance_uid for each in kept}) == 1:
        answer["00081190"] = attribute("UR", web.base + Place(studies.pop()).path)
    if others:
        answer["0008119A"] = attribute("SQ", *others)
    if named:
        answer["00081198"] = attribute("SQ", *named)
    if kept:
        answer["00081199"] = attribute("SQ", *(_stored(each, web) for each in kept))
    return answer


def _reference(each: HeldInstance) -> Model:
    return {
        "00081150": attribute("UI", each.sop_class_uid),
        "00081155": attribute("UI", each.sop_instance_uid),
    }


def _failure(each: Kept) -> Model:
    return {"00081197": attribute("US", each.status)}


def _stored(each: HeldInstance, web: Web) -> Model:
    return {**_reference(each), "00081190": attribute("UR", web.base + place_of(each).path)}
