"""Queries and answers of patient discovery, judged by the official schemas."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests import strategies
from xdsi.model.discovery import (
    Address,
    DiscoveryAnswer,
    DiscoveryRequest,
    PatientMatch,
    PatientQuery,
    PersonName,
)
from xdsi.model.errors import (
    SoapFault,
    XDSRegistryBusy,
    XDSRegistryError,
    XDSRegistryOutOfResources,
)
from xdsi.model.identity import Demographics, InstanceId, Wrapper
from xdsi.model.manifest import IssuedId
from xdsi.model.values import HomeCommunityId
from xdsi.standard import discovery as standard
from xdsi.standard.namespaces import HL7V3, tag
from xdsi.wire.discovery import (
    VALUES,
    answer_from_xml,
    answer_to_xml,
    failure,
    query_from_xml,
    query_to_xml,
)

Judge = Callable[[etree._Element], None]
NS = {"h": HL7V3}

OWN, OTHER = IssuedId("A-1", "", "1.2.3", "ISO"), IssuedId("77", "", "1.2.9", "ISO")
HOME, ASKING = HomeCommunityId("urn:oid:1.2.3.9"), HomeCommunityId("urn:oid:1.2.4.9")
WRAPPER = Wrapper(
    InstanceId("1.2.3.4", "MESSAGE-1"), InstanceId("1.2.4"), InstanceId("1.2.3"), "T", ASKING, HOME
)
PLACE = Address("1 Invented Street", "Town", "State", "1010", "AT")
QUERY = PatientQuery(
    InstanceId("1.2.4.5", "Q-1"),
    (PersonName("Example", "Erika"), PersonName("Sample", "Erika")),
    "19700131",
    "F",
    (OTHER, IssuedId("78", "", "1.2.9", "ISO")),
    (PLACE, Address(city="Elsewhere")),
    ("tel:+43-0", "mailto:erika@example.org"),
    (PersonName("Maiden"),),
    ("Birthtown",),
    (Address(city="Birthtown", country="AT"),),
    (IssuedId("D-1", "", "1.2.5", "ISO"),),
    80,
    5,
)
BY_ID = PatientQuery(InstanceId("1.2.4.5", "Q-2"), ids=(OTHER,))
TOLD = Demographics(
    "Example", "Erika M.", "19700131", "F", "1 Street", "Town", "State", "1010", "AT", (OTHER,)
)
MATCH = PatientMatch(OWN, HOME, TOLD, 97)


def element(body: tuple[object, ...]) -> etree._Element:
    (text,) = body
    assert isinstance(text, bytes)
    return etree.fromstring(text)


def asked(query: PatientQuery, wrapper: Wrapper = WRAPPER) -> etree._Element:
    return element(query_to_xml(DiscoveryRequest(query, wrapper)))


def answered(answer: DiscoveryAnswer) -> etree._Element:
    return element(answer_to_xml(answer))


def read(text: str) -> DiscoveryRequest:
    return query_from_xml(etree.fromstring(text), {})


def code(root: etree._Element, path: str) -> list[str]:
    found = root.xpath("/".join(f"h:{each}" for each in path.split("/")) + "/@code", namespaces=NS)
    return [str(each) for each in found]


@pytest.mark.proves("XC-009", "XC-090", "XC-091", "XC-092", "XC-093", "XC-095", "XC-097")
@pytest.mark.parametrize("query", [QUERY, BY_ID, PatientQuery()], ids=["all", "id", "nothing"])
def test_queries_follow_the_schema_and_come_back(query: PatientQuery, judged: Judge) -> None:
    root = asked(query)
    judged(root)
    assert root.tag == tag(HL7V3, "PRPA_IN201305UV02")
    assert query_from_xml(root, {}) == DiscoveryRequest(query, WRAPPER)
    assert code(root, "acceptAckCode") == ["AL"]
    assert code(root, "controlActProcess/queryByParameter/responsePriorityCode") == ["I"]
    path = "h:sender/h:device/h:asAgent/h:representedOrganization/h:id"
    (home,) = root.xpath(path, namespaces=NS)
    assert dict(home.attrib) == {"root": "1.2.4.9"}


texts = strategies.texts(1).map(lambda text: " ".join(text.split())).filter(bool)
perhaps = st.none() | texts
issued = st.builds(IssuedId, texts, st.just(""), strategies.oids, st.just("ISO"))
names = st.builds(PersonName, perhaps, perhaps).filter(lambda each: each != PersonName())
places = st.builds(Address, *[perhaps] * 5).filter(lambda each: each != Address())
days = st.none() | st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0"))
sexes = st.sampled_from([None, "M", "F", "UN"])
instance_ids = st.builds(InstanceId, strategies.oids, perhaps)


def some(one: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(one, max_size=2).map(tuple)


queries = st.builds(
    PatientQuery,
    *(instance_ids, some(names), days, sexes, some(issued), some(places), some(texts)),
    *(some(names), some(texts), some(places), some(issued)),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 1000),
    st.booleans(),
)
people = st.builds(Demographics, perhaps, perhaps, days, sexes, *[perhaps] * 5, some(issued))
matches = st.builds(
    PatientMatch,
    issued,
    strategies.homes | st.none(),
    people,
    st.none() | st.integers(0, 100),
    st.booleans(),
)


@given(queries)
def test_any_query_comes_back(query: PatientQuery) -> None:
    assert query_from_xml(asked(query), {}) == DiscoveryRequest(query, WRAPPER)


@given(queries, some(matches))
def test_any_answer_comes_back(query: PatientQuery, found: tuple[PatientMatch, ...]) -> None:
    answer = DiscoveryAnswer(found, query=replace(query, is_deferred=False), wrapper=WRAPPER)
    assert answer_from_xml(answered(answer), {}) == answer


BUSY = XDSRegistryBusy("database", "busy")
# answer -> acknowledgement, response code, number of matches
CASES = {
    "one": (DiscoveryAnswer((MATCH,)), "AA", "OK", 1),
    "several": (
        DiscoveryAnswer((MATCH, replace(MATCH, home=ASKING, degree=None, is_locator=True))),
        "AA", "OK", 2,
    ),
    "more attributes": (
        DiscoveryAnswer(requested=(standard.SEX_REQUESTED, standard.ADDRESS_REQUESTED)),
        "AA", "OK", 0,
    ),
    "none": (DiscoveryAnswer(), "AA", "NF", 0),
    "error": (
        DiscoveryAnswer(problem="AnswerNotAvailable", errors=(XDSRegistryError("a", "<b> & c"),)),
        "AE", "AE", 0,
    ),
}  # fmt: skip


@pytest.mark.proves("XC-100", "XC-101", "XC-103", "XC-107")
@pytest.mark.parametrize(("answer", "acknowledged", "response", "count"), CASES.values(), ids=CASES)
def test_answers_follow_the_schema_and_come_back(
    answer: DiscoveryAnswer, acknowledged: str, response: str, count: int, judged: Judge
) -> None:
    one = replace(answer, query=QUERY, wrapper=WRAPPER)
    root = answered(one)
    judged(root)
    assert code(root, "acceptAckCode") == ["NE"]
    assert code(root, "acknowledgement/typeCode") == [acknowledged]
    assert code(root, "controlActProcess/code") == ["PRPA_TE201306UV02"]
    assert code(root, "controlActProcess/queryAck/queryResponseCode") == [response]
    event = "controlActProcess/subject/registrationEvent"
    assert code(root, f"{event}/subject1/patient/statusCode") == ["active"] * count
    locators = [standard.IS_LOCATOR if each.is_locator else standard.NO_LOCATOR
                for each in one.matches]  # fmt: skip
    assert code(root, f"{event}/custodian/assignedEntity/code") == locators
    assert not root.xpath("//h:replacementOf | //h:resultTotalQuantity", namespaces=NS)
    back = answer_from_xml(root, {})
    told = [(each.code, each.context) for each in back.errors]
    assert told == [(each.code, each.context) for each in one.errors]
    assert replace(back, errors=()) == replace(one, errors=())


@pytest.mark.proves("XC-107")
@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (BUSY, "ResponderBusy"),
        (XDSRegistryOutOfResources("disk", "full"), "InternalError"),
        (XDSRegistryError("query", "bad"), "AnswerNotAvailable"),
    ],
    ids=["busy", "full", "bad"],
)
def test_a_failure_has_the_code_of_its_kind(
    error: XDSRegistryError, problem: str, judged: Judge
) -> None:
    root = answered(failure((error,)))
    judged(root)
    back = answer_from_xml(root, {})
    assert (back.problem, back.status, back.matches) == (problem, "Failure", ())


@pytest.mark.proves("XC-106")
def test_who_asks_for_an_answer_later_is_told_that_there_is_none(judged: Judge) -> None:
    query = replace(QUERY, is_deferred=True)
    problem = "only I is offered, an answer at once"
    error = XDSRegistryError("responsePriorityCode", problem)
    root = answered(DiscoveryAnswer(errors=(error,), query=query, wrapper=WRAPPER))
    judged(root)
    assert etree.QName(root).localname == "MCCI_IN000002UV01"
    assert code(root, "acknowledgement/typeCode") == ["AE"]
    (detail,) = root.xpath("h:acknowledgement/h:acknowledgementDetail", namespaces=NS)
    assert detail.get("typeCode") == "E"
    assert code(root, "acknowledgement/acknowledgementDetail/code") == ["NS250"]
    assert problem in detail.findtext("h:text", namespaces=NS)


@pytest.mark.proves("XC-102")
@pytest.mark.parametrize(
    ("query", "flavor"),
    [(BY_ID, "NA"), (QUERY, "NI"), (replace(BY_ID, sex="F"), "NI")],
    ids=["identifier alone", "everything", "identifier and sex"],
)
def test_a_name_is_not_applicable_only_for_an_identifier(query: PatientQuery, flavor: str) -> None:
    match = PatientMatch(OWN, HOME)
    root = answered(DiscoveryAnswer((match,), query=query))
    (name,) = root.xpath("//h:patientPerson/h:name", namespaces=NS)
    assert dict(name.attrib) == {"nullFlavor": flavor}


# as other systems write it: prefixes, types, URNs, intervals, dashes, several values
FOREIGN = """
<hl7:PRPA_IN201305UV02 xmlns:hl7="urn:hl7-org:v3" ITSVersion="XML_1.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <hl7:id root="35423ed1-4ec9-4ea1-a5a0-1f5e8f8f0001"/>
  <hl7:creationTime value="20261124120000"/>
  <hl7:interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201305UV02"/>
  <hl7:processingCode code="P"/><hl7:processingModeCode code="T"/><hl7:acceptAckCode code="AL"/>
  <hl7:receiver typeCode="RCV"><hl7:device classCode="DEV" determinerCode="INSTANCE">
    <hl7:id root="1.2.3"/></hl7:device></hl7:receiver>
  <hl7:sender typeCode="SND"><hl7:device classCode="DEV" determinerCode="INSTANCE">
    <hl7:id root="1.2.4"/><hl7:asAgent classCode="AGNT"><hl7:representedOrganization
      classCode="ORG" determinerCode="INSTANCE"><hl7:id root="urn:oid:1.2.4.9"/>
    </hl7:representedOrganization></hl7:asAgent></hl7:device></hl7:sender>
  <hl7:controlActProcess classCode="CACT" moodCode="EVN">
    <hl7:code code="PRPA_TE201305UV02" codeSystem="2.16.840.1.113883.1.6"/>
    <hl7:queryByParameter>
      <hl7:queryId root="1.2.4.5" extension="18204"/><hl7:statusCode code="new"/>
      <hl7:responseModalityCode code="R"/><hl7:responsePriorityCode code="I"/>
      <hl7:matchCriterionList><hl7:minimumDegreeMatch>
        <hl7:value xsi:type="hl7:INT" value="75"/><hl7:semanticsText/>
      </hl7:minimumDegreeMatch></hl7:matchCriterionList>
      <hl7:parameterList>
        <hl7:livingSubjectAdministrativeGender><hl7:value nullFlavor="UNK"/>
          <hl7:value code="f"/><hl7:semanticsText/></hl7:livingSubjectAdministrativeGender>
        <hl7:livingSubjectBirthTime><hl7:value xsi:type="hl7:IVL_TS">
          <hl7:low value="19700131"/><hl7:high value="19700131235959"/></hl7:value>
          <hl7:semanticsText/></hl7:livingSubjectBirthTime>
        <hl7:livingSubjectId><hl7:value root="urn:oid:1.2.9" extension=" 77 "/>
          <hl7:value root="1.2.8"/><hl7:semanticsText/></hl7:livingSubjectId>
        <hl7:livingSubjectName><hl7:value xsi:type="hl7:PN"><hl7:given>Erika</hl7:given>
          <hl7:given>Maria</hl7:given><hl7:family>Example</hl7:family></hl7:value>
          <hl7:value nullFlavor="NA"/><hl7:semanticsText/></hl7:livingSubjectName>
        <hl7:patientAddress><hl7:value><hl7:streetName>Invented Street</hl7:streetName>
          <hl7:houseNumber>7</hl7:houseNumber><hl7:city>Town</hl7:city></hl7:value>
          <hl7:semanticsText/></hl7:patientAddress>
      </hl7:parameterList>
    </hl7:queryByParameter>
  </hl7:controlActProcess>
</hl7:PRPA_IN201305UV02>
"""


@pytest.mark.proves("XC-009", "XC-100")
def test_a_foreign_query_is_read_and_repeated(judged: Judge) -> None:
    root = etree.fromstring(FOREIGN.replace("urn:oid:", ""))
    judged(root)
    found = query_from_xml(root, {})
    assert read(FOREIGN) == found
    assert found.findings == () and found.wrapper.sender_home == ASKING
    assert found.query == PatientQuery(
        InstanceId("1.2.4.5", "18204"),
        (PersonName("Example", "Erika Maria"),),
        "19700131",
        "F",
        (OTHER,),
        (Address("Invented Street 7", "Town"),),
        minimum_degree=75,
    )
    answer = answered(DiscoveryAnswer((MATCH,), query=found.query, wrapper=found.wrapper))
    judged(answer)
    (sent,) = root.xpath("//h:queryByParameter", namespaces=NS)
    (copy,) = answer.xpath("h:controlActProcess/h:queryByParameter", namespaces=NS)
    assert etree.tostring(copy, method="c14n", exclusive=True, with_tail=False) == etree.tostring(
        sent, method="c14n", exclusive=True, with_tail=False
    )
    assert copy.getprevious().tag == tag(HL7V3, "queryAck")  # type: ignore[union-attr]


INTERVAL = '<hl7:low value="19700131"/><hl7:high value="19700131235959"/>'
BIRTHS = {
    "a day": ('<hl7:center value="19700131"/>', "19700131"),
    "dashes": ('<hl7:low value="1970-01-31"/>', "19700131"),
    "a month": ('<hl7:low value="19700101"/><hl7:high value="19700131"/>', "197001"),
    "a year": ('<hl7:low value="19700101"/><hl7:high value="19701231"/>', "1970"),
    "ends of two precisions": ('<hl7:low value="19700101"/><hl7:high value="1970"/>', "1970"),
    "years": ('<hl7:low value="1970"/><hl7:high value="1980"/>', None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("ends", "expected"), BIRTHS.values(), ids=BIRTHS)
def test_a_birth_date_is_what_both_ends_share(ends: str, expected: str | None) -> None:
    assert read(FOREIGN.replace(INTERVAL, ends)).query.birth_date == expected


MANY = '<hl7:value root="1.2.9" extension="1"/>' * VALUES
ASKED = FOREIGN[FOREIGN.index("<hl7:queryByParameter>") : FOREIGN.index("</hl7:controlAct")]
LISTED = FOREIGN[FOREIGN.index("<hl7:parameterList>") : FOREIGN.index("</hl7:queryByParam")]
# message -> rules of the findings
FINDINGS = {
    "another interaction": (FOREIGN.replace('extension="PRPA_IN201305UV02"', 'extension="X"'),
                            ["XC-091"]),
    "another trigger": (FOREIGN.replace("PRPA_TE201305UV02", "PRPA_TE201306UV02"), ["XC-092"]),
    "no query": (FOREIGN.replace(ASKED, ""), ["XC-093"]),
    "two queries": (FOREIGN.replace(ASKED, ASKED + ASKED), ["XC-093"]),
    "no parameters": (FOREIGN.replace(LISTED, ""), ["XC-093"]),
    "nothing": (f'<PRPA_IN201305UV02 xmlns="{HL7V3}"/>', ["XC-091", "XC-093"]),
    "a search term": (FOREIGN.replace('xsi:type="hl7:PN"', 'use="L SRCH"'), ["XC-096"]),
    "too many values": (FOREIGN.replace('<hl7:value root="1.2.8"/>', MANY), ["XC-095"]),
}  # fmt: skip


@pytest.mark.proves("XC-091", "XC-092", "XC-093", "XC-095", "XC-096")
@pytest.mark.parametrize(("text", "rules"), FINDINGS.values(), ids=FINDINGS)
def test_what_lacks_is_a_finding(text: str, rules: list[str]) -> None:
    assert [each.rule for each in read(text).findings] == rules


def test_another_element_is_a_fault() -> None:
    for text in ("<PRPA_IN201305UV02/>", f'<PRPA_IN201301UV02 xmlns="{HL7V3}"/>'):
        with pytest.raises(SoapFault):
            read(text)
        with pytest.raises(SoapFault):
            answer_from_xml(etree.fromstring(text), {})


# answers as others give them: changes of one of ours -> errors, number of matches
ODD = {
    "refused without a word": ('code="AA"', 'code="AE"', ["query: AE OK: no reason told"], 0),
    "an unknown response": ('Code code="OK"', 'Code code="X"', ["query: AA X: no reason told"], 0),
    "acknowledged as the feed is": ('code="AA"', 'code="CA"', [], 1),
    "a patient without identifier": ('<id root="1.2.3" extension="A-1"/>', "", [], 0),
}


@pytest.mark.parametrize(("old", "new", "errors", "count"), ODD.values(), ids=ODD)
def test_odd_answers_are_understood(old: str, new: str, errors: list[str], count: int) -> None:
    (text,) = answer_to_xml(DiscoveryAnswer((MATCH,), query=QUERY, wrapper=WRAPPER))
    assert isinstance(text, bytes) and old in text.decode()
    back = answer_from_xml(etree.fromstring(text.decode().replace(old, new)), {})
    assert [each.context.partition(" [")[0] for each in back.errors] == errors
    assert len(back.matches) == count


def test_a_problem_of_a_network_of_its_own_is_kept() -> None:
    error = DiscoveryAnswer(problem="X", errors=(XDSRegistryError("a", "b"),), query=QUERY)
    (text,) = answer_to_xml(error)
    assert isinstance(text, bytes)
    told = text.decode().replace(
        f'code="X" codeSystem="{standard.PROBLEMS}"/>',
        'code="PrivacyViolation" codeSystem="1.3.6.1.4.1.12559.11.10.1.3.2.2.1"/>'
        "<text>not told to you</text>",
    )
    start, end = told.index("<acknowledgementDetail"), told.index("</acknowledgement>")
    back = answer_from_xml(etree.fromstring(told[:start] + told[end:]), {})
    assert back.problem == "PrivacyViolation" and "not told to you" in back.errors[0].context
