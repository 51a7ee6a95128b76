"""HL7 v3 messages of the patient identity feed, and their acknowledgement [ITI-44].

Reading is lenient: what is asked of a message is what an event needs. What lacks becomes a finding
of the event, so that it is told in the acknowledgement (PIF-073). Writing follows the schemas.
Source: ITI TF-2 3.44.4, Appendix O (PIF-060 to PIF-073).
"""

from collections.abc import Iterator
from types import MappingProxyType

from xdsi.model.errors import SoapFault, XDSError, XDSRegistryError
from xdsi.model.identity import Acknowledgement, Act, Demographics, IdentityEvent, IdentityMessage
from xdsi.model.manifest import IssuedId
from xdsi.standard.namespaces import HL7V3, tag
from xdsi.wire import hl7v3
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.frame import expect, local
from xdsi.wire.hl7v3 import found

IDS = 100  # identifiers of one patient in a message

_ACTS = MappingProxyType(
    {
        "PRPA_IN201301UV02": Act.ADD,
        "PRPA_IN201302UV02": Act.REVISE,
        "PRPA_IN201304UV02": Act.MERGE,
    }
)
_NAMES = MappingProxyType({act: name for name, act in _ACTS.items()})


# requests


def message_from_xml(element: Element, parts: Parts) -> IdentityMessage:
    """An event with its wrapper. parts: not looked at. Raises SoapFault for another element."""
    name = local(str(element.tag))
    if name not in _ACTS or element.tag != tag(HL7V3, name):
        raise SoapFault("Sender", f"{name} is no message of the identity feed")
    findings = list(_shape(element, name))
    (registration, *_) = (
        *found(element, "controlActProcess", "subject", "registrationEvent"), None
    )  # fmt: skip
    ids: list[IssuedId] = []
    subsumed: list[IssuedId] = []
    told = Demographics()
    if registration is not None:
        patients = list(found(registration, "subject1", "patient"))
        if len(patients) != 1:
            findings.append(_finding("patient", f"one is needed, got {len(patients)}", "PIF-065"))
        for patient in patients[:1]:
            ids = list(hl7v3.issued(found(patient, "id")))
            told = hl7v3.demographics(patient)
        subsumed = list(hl7v3.issued(found(registration, *_SUBSUMED)))
    if len(ids) > IDS or len(told.other_ids) > IDS:
        findings.append(_finding("patient.id", f"more than {IDS}", "PIF-067"))
    event = IdentityEvent(_ACTS[name], tuple(ids), tuple(subsumed), told, tuple(findings))
    return IdentityMessage(hl7v3.wrapper(element), event)


_SUBSUMED = ("replacementOf", "priorRegistration", "subject1", "priorRegisteredRole", "id")


def _shape(element: Element, name: str) -> Iterator[XDSError]:
    """PIF-064 to PIF-066."""
    interactions = [each.get("extension", "") for each in found(element, "interactionId")]
    if interactions != [name]:
        yield _finding("interactionId", f"expected one with extension {name}", "PIF-064")
    events = list(found(element, "controlActProcess", "subject", "registrationEvent"))
    if len(events) != 1:
        problem = f"one in controlActProcess.subject is needed, got {len(events)}"
        yield _finding("registrationEvent", problem, "PIF-065")
        return
    code = hl7v3.codes(element, "controlActProcess", "code")
    if code not in ([], [name.replace("_IN", "_TE")]):
        problem = f"expected {name.replace('_IN', '_TE')}"
        yield _finding("controlActProcess.code", problem, "PIF-065")
    count = len(list(found(events[0], "replacementOf")))
    if count != (_ACTS[name] is Act.MERGE):
        problem = "one is needed" if _ACTS[name] is Act.MERGE else "none is allowed"
        yield _finding("replacementOf", f"{problem}, got {count}", "PIF-066")


def _finding(what: str, problem: str, rule: str) -> XDSError:
    return XDSRegistryError(what, problem, rule=rule)


def message_to_xml(message: IdentityMessage) -> Body:
    """The interaction element of an event in one piece."""
    event, wrapper = message.event, message.wrapper
    name = _NAMES[event.act]
    prior = ""
    if event.act is Act.MERGE:
        subsumed = "".join(hl7v3.ii(*hl7v3.pair(each)) for each in event.subsumed)
        prior = (
            '<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN">'
            '<statusCode code="obsolete"/><subject1 typeCode="SBJ">'
            f'<priorRegisteredRole classCode="PAT">{subsumed}</priorRegisteredRole></subject1>'
            "</priorRegistration></replacementOf>"
        )
    content = (
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        f'<code code="{name.replace("_IN", "_TE")}" codeSystem="{hl7v3.INTERACTIONS}"/>'
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">'
        '<id nullFlavor="NA"/><statusCode code="active"/>'
        f'<subject1 typeCode="SBJ">{_patient(event)}</subject1>'
        '<custodian typeCode="CST"><assignedEntity classCode="ASSIGNED">'
        f"{hl7v3.ii(wrapper.sender.root, wrapper.sender.extension)}</assignedEntity></custodian>"
        f"{prior}</registrationEvent></subject></controlActProcess>"
    )
    return (hl7v3.message(name, wrapper, "AL", content),)


def _patient(event: IdentityEvent) -> str:
    ids = "".join(hl7v3.ii(*hl7v3.pair(each)) for each in event.ids)
    return (
        f'<patient classCode="PAT">{ids}<statusCode code="active"/>'
        f"{hl7v3.person(event.demographics)}"
        f"{hl7v3.provider([each.issuer_uid for each in event.ids])}</patient>"
    )


# acknowledgements


def failure(errors: tuple[XDSError, ...]) -> Acknowledgement:
    """Of a message of which nothing is known."""
    return Acknowledgement(errors)


def acknowledgement_to_xml(answer: Acknowledgement) -> Body:
    """CA, or CE and CR with a detail for each error; in one piece (PIF-071, PIF-072)."""
    code = "CA" if answer.is_accepted else "CR" if answer.is_rejected else "CE"
    content = hl7v3.acknowledgement(code, answer.wrapper, answer.errors)
    return (hl7v3.message(hl7v3.ACKNOWLEDGEMENT, hl7v3.back(answer.wrapper), "NE", content),)


def acknowledgement_from_xml(element: Element, parts: Parts) -> Acknowledgement:
    """Errors as told; of a refusal without one, an error saying so. parts: not looked at.

    Raises SoapFault for another element.
    """
    expect(element, tag(HL7V3, hl7v3.ACKNOWLEDGEMENT))
    told = hl7v3.codes(element, "acknowledgement", "typeCode")
    errors: list[XDSError] = []
    if told not in (["CA"], ["AA"]):
        errors = hl7v3.errors(element)
        if not errors:
            problem = f"acknowledged with {' '.join(told) or 'nothing'}"
            errors.append(XDSRegistryError("message", problem, rule="PIF-071"))
    return Acknowledgement(tuple(errors), hl7v3.answered(element))
