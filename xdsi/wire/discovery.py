"""Query and answer of Cross Gateway Patient Discovery, HL7 v3 [ITI-55].

Reading is lenient: what lacks or contradicts becomes a finding of the request, to be told in the
answer. Values with a nullFlavor, and names without a part, count as not sent. Writing follows the
schemas.
Source: ITI TF-2 3.55.4 (XC-009, XC-090 to XC-107).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from lxml import etree

from xdsi.model.discovery import (
    Address,
    DiscoveryAnswer,
    DiscoveryRequest,
    PatientMatch,
    PatientQuery,
    PersonName,
    problem_of,
)
from xdsi.model.errors import XDSError, XDSRegistryError
from xdsi.model.identity import birth_date
from xdsi.model.manifest import IssuedId
from xdsi.standard import discovery as standard
from xdsi.standard.namespaces import HL7V3, XSI, tag
from xdsi.wire import hl7v3
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.frame import expect
from xdsi.wire.hl7v3 import found
from xdsi.wire.text import escaped, quoted

VALUES = 100  # of one query

_QUERY, _ANSWER = "PRPA_IN201305UV02", "PRPA_IN201306UV02"
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
_DASHED = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")

T = TypeVar("T")


# queries


def query_from_xml(element: Element, parts: Parts) -> DiscoveryRequest:
    """A query with its wrapper. parts: not looked at. Raises SoapFault for another element."""
    expect(element, tag(HL7V3, _QUERY))
    asked = list(found(element, "controlActProcess", "queryByParameter"))
    query = _query(asked[0]) if asked else PatientQuery()
    findings = tuple(_shape(element, asked, query))
    return DiscoveryRequest(query, hl7v3.wrapper(element), findings)


def _shape(element: Element, asked: list[Element], query: PatientQuery) -> Iterator[XDSError]:
    interactions = [each.get("extension", "") for each in found(element, "interactionId")]
    if interactions != [_QUERY]:
        problem = f"expected one with extension {_QUERY}"
        yield XDSRegistryError("interactionId", problem, rule="XC-091")
    if hl7v3.codes(element, "controlActProcess", "code") not in ([], ["PRPA_TE201305UV02"]):
        problem = "expected PRPA_TE201305UV02"
        yield XDSRegistryError("controlActProcess.code", problem, rule="XC-092")
    if len(asked) != 1:
        problem = f"one in controlActProcess is needed, got {len(asked)}"
        yield XDSRegistryError("queryByParameter", problem, rule="XC-093")
        return
    if len(list(found(asked[0], "parameterList"))) != 1:
        yield XDSRegistryError("parameterList", "one is needed", rule="XC-093")
    names = found(asked[0], "parameterList", "livingSubjectName", "value")
    if any("SRCH" in each.get("use", "").split() for each in names):
        problem = "must not have use SRCH; send it as it is written"
        yield XDSRegistryError("LivingSubjectName", problem, rule="XC-096")
    many = (query.names, query.ids, query.addresses, query.telecoms, query.mothers_names)
    more = (query.birth_places, query.birth_addresses, query.care_provider_ids)
    if sum(map(len, (*many, *more))) > VALUES:
        yield XDSRegistryError("parameterList", f"more than {VALUES} values", rule="XC-095")


def _query(element: Element) -> PatientQuery:
    def values(name: str) -> Iterator[Element]:
        each: Element
        for each in found(element, "parameterList", name, "value"):
            if each.get("nullFlavor") is None:
                yield each

    def texts(name: str) -> tuple[str, ...]:
        return _told(" ".join("".join(map(str, each.itertext())).split()) for each in values(name))

    sexes = (hl7v3.sex(each) for each in values("livingSubjectAdministrativeGender"))
    births = (_birth(each) for each in values("livingSubjectBirthTime"))
    degrees = found(element, "matchCriterionList", "minimumDegreeMatch", "value")
    return PatientQuery(
        id=hl7v3.instance_id(element, "queryId"),
        names=_told(map(_name, values("livingSubjectName"))),
        birth_date=next((each for each in births if each), None),
        sex=next((each for each in sexes if each), None),
        ids=tuple(hl7v3.issued(values("livingSubjectId"))),
        addresses=_told(map(_address, values("patientAddress"))),
        telecoms=_told(each.get("value", "").strip() for each in values("patientTelecom")),
        mothers_names=_told(map(_name, values("mothersMaidenName"))),
        birth_places=texts("livingSubjectBirthPlaceName"),
        birth_addresses=_told(map(_address, values("livingSubjectBirthPlaceAddress"))),
        care_provider_ids=tuple(hl7v3.issued(values("principalCareProviderId"))),
        minimum_degree=_number(degrees),
        initial_quantity=_number(found(element, "initialQuantity")),
        is_deferred=hl7v3.codes(element, "responsePriorityCode")[:1] == ["D"],
        copy=etree.tostring(element, encoding="utf-8", with_tail=False),
    )


def _told(values: Iterable[T]) -> tuple[T, ...]:
    """Those that say anything."""
    nothing = ("", PersonName(), Address())
    return tuple(each for each in values if each not in nothing)


def _name(element: Element) -> PersonName:
    return PersonName(hl7v3.words(element, "family"), hl7v3.words(element, "given"))


def _address(element: Element) -> Address:
    return Address(**hl7v3.address(element))


def _birth(element: Element) -> str | None:
    """Of a day, or of an interval as much as both ends have in common."""
    ends = [
        each.get("value", "").strip()
        for each in (element, *(one for name in _POINTS for one in found(element, name)))
    ]
    dates = [_DASHED.sub(r"\1\2\3", each) for each in ends if each]
    if not dates:
        return None
    pairs = zip(min(dates), max(dates), strict=False)
    common = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
    return birth_date(min(dates)[:common])


_POINTS = ("center", "low", "high")


def _number(elements: Iterator[Element]) -> int | None:
    """An INT, in its attribute or, as some write it, as text."""
    for each in elements:
        text = each.get("value", each.text or "").strip()
        if _NUMBER.fullmatch(text):
            return int(text)
    return None


def query_to_xml(request: DiscoveryRequest) -> Body:
    """The interaction element of a query in one piece."""
    content = (
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        f'<code code="PRPA_TE201305UV02" codeSystem="{hl7v3.INTERACTIONS}"/>'
        f"{_query_xml(request.query)}</controlActProcess>"
    )
    return (hl7v3.message(_QUERY, request.wrapper, "AL", content),)


def _query_xml(query: PatientQuery) -> str:
    if query.copy is not None:
        return query.copy.decode()
    quantity = query.initial_quantity
    return "".join(
        (
            "<queryByParameter>",
            hl7v3.ii(query.id.root, query.id.extension, "queryId"),
            '<statusCode code="new"/><responseModalityCode code="R"/>',
            f'<responsePriorityCode code="{"D" if query.is_deferred else "I"}"/>',
            "" if quantity is None else f'<initialQuantity value="{quantity}"/>',
            _criterion(query.minimum_degree),
            "<parameterList>",
            *(
                f"<{name}>{values}<semanticsText>{text}</semanticsText></{name}>"
                for name, text in standard.PARAMETERS.items()
                for values in _values(query, name)
            ),
            "</parameterList></queryByParameter>",
        )
    )


def _criterion(degree: int | None) -> str:
    if degree is None:
        return ""
    return (
        f"<matchCriterionList><minimumDegreeMatch>{_typed_int(degree)}"
        "<semanticsText>MinimumDegreeMatch</semanticsText></minimumDegreeMatch>"
        "</matchCriterionList>"
    )


def _typed_int(number: int | None) -> str:
    told = 'nullFlavor="NI"' if number is None else f'value="{number}"'
    return f'<value xmlns:xsi="{XSI}" xsi:type="INT" {told}/>'


def _values(query: PatientQuery, name: str) -> Iterator[str]:
    """The values of each element of a parameter: names have one each (XC-095)."""

    def together(values: Iterable[T], written: Callable[[T], str]) -> Iterator[str]:
        if text := "".join(map(written, values)):
            yield text

    match name:
        case "livingSubjectAdministrativeGender":
            sexes = [query.sex] if query.sex else []
            yield from together(sexes, lambda each: f'<value code="{quoted(each)}"/>')
        case "livingSubjectBirthPlaceAddress":
            yield from together(query.birth_addresses, _address_xml)
        case "livingSubjectBirthPlaceName":
            yield from together(query.birth_places, lambda each: f"<value>{escaped(each)}</value>")
        case "livingSubjectBirthTime":
            births = [query.birth_date] if query.birth_date else []
            yield from together(births, lambda each: f'<value value="{quoted(each)}"/>')
        case "livingSubjectId":
            yield from map(_id_xml, query.ids)
        case "livingSubjectName":
            yield from map(_name_xml, query.names)
        case "mothersMaidenName":
            yield from map(_name_xml, query.mothers_names)
        case "patientAddress":
            yield from together(query.addresses, _address_xml)
        case "patientTelecom":
            yield from together(query.telecoms, lambda each: f'<value value="{quoted(each)}"/>')
        case "principalCareProviderId":
            yield from map(_id_xml, query.care_provider_ids)


def _name_xml(name: PersonName) -> str:
    return f"<value>{hl7v3.parts(family=name.family, given=name.given)}</value>"


def _address_xml(place: Address) -> str:
    told = place.street, place.city, place.state, place.postal_code, place.country
    return f"<value>{hl7v3.address_parts(*told)}</value>"


def _id_xml(given: IssuedId) -> str:
    return hl7v3.ii(*hl7v3.pair(given), "value")


# answers


def failure(errors: tuple[XDSError, ...]) -> DiscoveryAnswer:
    """To a query of which nothing is known."""
    return DiscoveryAnswer(problem=problem_of(errors), errors=errors)


def answer_to_xml(answer: DiscoveryAnswer) -> Body:
    """One of the cases of XC-107, with a copy of the query; in one piece."""
    if answer.query.is_deferred:
        return (_not_deferred(answer),)
    is_failure = bool(answer.errors)
    code = "OK" if answer.matches or answer.requested else "NF"
    query = answer.query
    content = "".join(
        (
            hl7v3.acknowledgement("AE" if is_failure else "AA", answer.wrapper, answer.errors),
            '<controlActProcess classCode="CACT" moodCode="EVN">',
            f'<code code="PRPA_TE201306UV02" codeSystem="{hl7v3.INTERACTIONS}"/>',
            *(_match_xml(each, query) for each in answer.matches),
            _issues(answer),
            f"<queryAck>{hl7v3.ii(query.id.root, query.id.extension, 'queryId')}",
            '<statusCode code="deliveredResponse"/>',
            f'<queryResponseCode code="{"AE" if is_failure else code}"/></queryAck>',
            f"{_query_xml(query)}</controlActProcess>",
        )
    )
    return (hl7v3.message(_ANSWER, hl7v3.back(answer.wrapper), "NE", content),)


def _not_deferred(answer: DiscoveryAnswer) -> bytes:
    """All that is said to who asked for an answer at another time (XC-106)."""
    kind = f'<code code="{standard.NOT_DEFERRED}" codeSystem="{standard.DETAILS}"/>'
    content = hl7v3.acknowledgement("AE", answer.wrapper, answer.errors, kind)
    return hl7v3.message(hl7v3.ACKNOWLEDGEMENT, hl7v3.back(answer.wrapper), "NE", content)


def _match_xml(match: PatientMatch, query: PatientQuery) -> str:
    home = hl7v3.ii(None) if match.home is None else hl7v3.ii(hl7v3.oid(str(match.home)))
    locator = standard.IS_LOCATOR if match.is_locator else standard.NO_LOCATOR
    nameless = "NA" if query.ids and not query.has_demographics else "NI"  # XC-102
    return "".join(
        (
            '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">',
            '<id nullFlavor="NA"/><statusCode code="active"/><subject1 typeCode="SBJ">',
            f'<patient classCode="PAT">{hl7v3.ii(*hl7v3.pair(match.id))}',
            '<statusCode code="active"/>',
            hl7v3.person(match.demographics, nameless),
            hl7v3.provider([match.id.issuer_uid]),
            '<subjectOf1 typeCode="SBJ"><queryMatchObservation classCode="OBS" moodCode="EVN">',
            f'<code code="{standard.DEGREE}"/>{_typed_int(match.degree)}',
            "</queryMatchObservation></subjectOf1></patient></subject1>",
            f'<custodian typeCode="CST"><assignedEntity classCode="ASSIGNED">{home}',
            f'<code code="{locator}" codeSystem="{standard.LOCATOR}"/></assignedEntity>',
            "</custodian></registrationEvent></subject>",
        )
    )


def _issues(answer: DiscoveryAnswer) -> str:
    """Attributes that are asked for, or the problem."""
    orders = "".join(
        '<triggerFor typeCode="TRIG"><actOrderRequired classCode="ACT" moodCode="RQO">'
        f'<code code="{quoted(each)}" codeSystem="{standard.REQUESTED}"/>'
        "</actOrderRequired></triggerFor>"
        for each in answer.requested
    )
    problem = "" if answer.problem is None else (
        '<mitigatedBy typeCode="MITGT"><detectedIssueManagement classCode="ACT" moodCode="EVN">'
        f'<code code="{quoted(answer.problem)}" codeSystem="{standard.PROBLEMS}"/>'
        "</detectedIssueManagement></mitigatedBy>"
    )  # fmt: skip
    if not (orders or problem):
        return ""
    return (
        '<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN">'
        f'<code code="{standard.ISSUE}" codeSystem="{standard.ISSUES}"/>{problem}{orders}'
        "</detectedIssueEvent></reasonOf>"
    )


def answer_from_xml(element: Element, parts: Parts) -> DiscoveryAnswer:
    """An answer; of a refusal without a word, an error saying so. parts: not looked at.

    Raises SoapFault for another element.
    """
    expect(element, tag(HL7V3, _ANSWER))
    act = ("controlActProcess",)
    event = (*act, "reasonOf", "detectedIssueEvent")
    issues = (*event, "mitigatedBy", "detectedIssueManagement")
    (problem, *_) = (*filter(None, hl7v3.codes(element, *issues, "code")), None)
    acknowledged = hl7v3.codes(element, "acknowledgement", "typeCode")
    response = hl7v3.codes(element, *act, "queryAck", "queryResponseCode")
    errors: list[XDSError] = []
    if acknowledged not in (["AA"], ["CA"]) or response not in (["OK"], ["NF"]):
        errors = hl7v3.errors(element)
        if not errors:
            told = hl7v3.words(next(found(element, *issues), None), "text")
            code = " ".join((*acknowledged, *response)) or "nothing"
            reason = told or problem or "no reason told"
            errors.append(XDSRegistryError("query", f"{code}: {reason}", rule="XC-107"))
    events = found(element, *act, "subject", "registrationEvent")
    (copy, *_) = (*map(_query, found(element, *act, "queryByParameter")), PatientQuery())
    return DiscoveryAnswer(
        matches=() if errors else tuple(match for each in events for match in _match(each)),
        requested=tuple(
            filter(None, hl7v3.codes(element, *event, "triggerFor", "actOrderRequired", "code"))
        ),
        problem=problem,
        errors=tuple(errors),
        query=copy,
        wrapper=hl7v3.answered(element),
    )


def _match(event: Element) -> Iterator[PatientMatch]:
    """None where there is no identifier to ask on with."""
    (locator, *_) = (*hl7v3.codes(event, "custodian", "assignedEntity", "code"), "")
    for patient in found(event, "subject1", "patient"):
        for given in list(hl7v3.issued(found(patient, "id")))[:1]:
            observed = found(patient, "subjectOf1", "queryMatchObservation", "value")
            yield PatientMatch(
                id=given,
                home=hl7v3.community(event, "custodian", "assignedEntity", "id"),
                demographics=hl7v3.demographics(patient),
                degree=_number(observed),
                is_locator=locator == standard.IS_LOCATOR,
            )
