"""HL7 v3 messages of the identity feed, judged by the official schemas."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests import strategies
from xdsi.model.errors import SoapFault, XDSRegistryBusy, XDSRegistryError, XDSUnknownPatientId
from xdsi.model.identity import (
    Acknowledgement,
    Act,
    Demographics,
    IdentityEvent,
    IdentityMessage,
    InstanceId,
    Wrapper,
)
from xdsi.model.manifest import IssuedId
from xdsi.standard.namespaces import HL7V3, tag
from xdsi.wire.patientfeed import (
    IDS,
    acknowledgement_from_xml,
    acknowledgement_to_xml,
    failure,
    message_from_xml,
    message_to_xml,
)

OWN = IssuedId("T-1", "", "1.2.3", "ISO")
OTHER = IssuedId("77", "", "1.2.9", "ISO")
WRAPPER = Wrapper(
    InstanceId("1.2.3.4", "MESSAGE-1"), InstanceId("1.2.3.5"), InstanceId("1.2.3.6"), "T"
)
TOLD = Demographics(
    "Example", "Erika M.", "19700131", "F", "1 Street", "Town", "State", "1010", "AT", (OTHER,)
)
NAMES = {
    Act.ADD: "PRPA_IN201301UV02",
    Act.REVISE: "PRPA_IN201302UV02",
    Act.MERGE: "PRPA_IN201304UV02",
}


def message(act: Act = Act.ADD, **changes: object) -> IdentityMessage:
    subsumed = (IssuedId("T-2", "", "1.2.3", "ISO"),) if act is Act.MERGE else ()
    event = IdentityEvent(act, (OWN,), subsumed, TOLD)
    return IdentityMessage(WRAPPER, replace(event, **changes))  # type: ignore[arg-type]


def written(one: IdentityMessage) -> etree._Element:
    (body,) = message_to_xml(one)
    assert isinstance(body, bytes)
    return etree.fromstring(body)


def read(root: etree._Element) -> IdentityMessage:
    return message_from_xml(root, {})


@pytest.mark.proves("PIF-061", "PIF-064", "PIF-065", "PIF-066", "PIF-067", "PIF-068", "WS-027")
@pytest.mark.parametrize("told", [TOLD, Demographics()], ids=["told", "nameless"])
@pytest.mark.parametrize("act", NAMES)
def test_messages_follow_the_schemas_and_come_back(
    act: Act, told: Demographics, judged: Callable[[etree._Element], None]
) -> None:
    one = message(act, demographics=told)
    root = written(one)
    judged(root)
    assert root.tag == tag(HL7V3, NAMES[act])
    assert read(root) == one


texts = strategies.texts(1).map(lambda text: " ".join(text.split())).filter(bool)
issued = st.builds(IssuedId, texts, st.just(""), strategies.oids, st.just("ISO"))


@given(
    st.builds(
        Demographics,
        texts | st.none(),
        texts | st.none(),
        st.none() | st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0")),
        st.sampled_from([None, "M", "F", "UN"]),
        *[texts | st.none()] * 5,
        st.lists(issued, max_size=3).map(tuple),
    ),
    st.lists(issued, min_size=1, max_size=3).map(tuple),
    st.sampled_from([*NAMES]),
)
def test_any_text_comes_back(told: Demographics, ids: tuple[IssuedId, ...], act: Act) -> None:
    one = message(act, demographics=told, ids=ids, subsumed=ids[:1] if act is Act.MERGE else ())
    assert read(written(one)) == one


SAMPLE = f"""
<PRPA_IN201301UV02 xmlns="{HL7V3}" ITSVersion="XML_1.0">
  <id root="22a0f9e0-4454-11dc-a6be-3603d6866807"/>
  <creationTime value="20261124120000"/>
  <interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201301UV02"/>
  <processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="AL"/>
  <receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE">
    <id root="1.2.840.114350.1.13.99999.4567"/></device></receiver>
  <sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE">
    <id root="1.2.840.114350.1.13.99998.8734"/></device></sender>
  <controlActProcess classCode="CACT" moodCode="EVN">
    <code code="PRPA_TE201301UV02" codeSystem="2.16.840.1.113883.1.6"/>
    <subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">
      <id nullFlavor="NA"/><statusCode code="active"/>
      <subject1 typeCode="SBJ"><patient classCode="PAT">
        <id root="1.2.3" extension="34827K410"/>
        <id root="1.2.9" extension=" 8 "/><id root="2.25.1"/><id nullFlavor="UNK"/>
        <statusCode code="active"/>
        <patientPerson classCode="PSN" determinerCode="INSTANCE">
          <name use="ABC"><family>Stage</family></name>
          <name use="L"><given>Erika</given><given>Maria</given><family qualifier="BR">
             Example</family></name>
          <administrativeGenderCode code="F"/><birthTime value="19570323101500+0100"/>
          <addr use="HP"><houseNumber>7</houseNumber><streetName>Invented Street</streetName>
            <city>Town</city></addr>
          <asOtherIDs classCode="PAT"><id root="2.16.840.1.113883.4.1" extension="999"/>
            <scopingOrganization classCode="ORG" determinerCode="INSTANCE">
              <id root="2.16.840.1.113883.4.1"/></scopingOrganization></asOtherIDs>
        </patientPerson>
        <providerOrganization classCode="ORG" determinerCode="INSTANCE">
          <id root="1.2.840.114350.1.13.99998.8734"/><name>Invented Hospital</name>
          <contactParty classCode="CON"><telecom value="tel:+0"/></contactParty>
        </providerOrganization>
      </patient></subject1>
      <custodian typeCode="CST"><assignedEntity classCode="ASSIGNED">
        <id root="1.2.840.114350.1.13.99998.8734"/></assignedEntity></custodian>
    </registrationEvent></subject>
  </controlActProcess>
</PRPA_IN201301UV02>
"""


def test_a_foreign_message_is_read(judged: Callable[[etree._Element], None]) -> None:
    root = etree.fromstring(SAMPLE)
    judged(root)
    found = read(root)
    assert found.wrapper == Wrapper(
        InstanceId("22a0f9e0-4454-11dc-a6be-3603d6866807"),
        InstanceId("1.2.840.114350.1.13.99998.8734"),
        InstanceId("1.2.840.114350.1.13.99999.4567"),
    )
    assert found.event.findings == ()
    assert found.event.ids == (
        IssuedId("34827K410", "", "1.2.3", "ISO"), IssuedId("8", "", "1.2.9", "ISO"),
    )  # fmt: skip
    assert found.event.demographics == Demographics(
        "Example", "Erika Maria", "19570323", "F", "Invented Street 7", "Town",
        other_ids=(IssuedId("999", "", "2.16.840.1.113883.4.1", "ISO"),),
    )  # fmt: skip


MERGE = etree.tostring(written(message(Act.MERGE))).decode()
PRIOR = MERGE[MERGE.index("<replacementOf") : MERGE.index("</registrationEvent>")]
END = "</registrationEvent>"
EVENT = SAMPLE[SAMPLE.index("<subject typeCode") : SAMPLE.index("</controlActProcess>")]
PATIENT = SAMPLE[SAMPLE.index("<patient ") : SAMPLE.index("</subject1>")]
# message -> rules of the findings
FINDINGS = {
    "another interaction": (SAMPLE.replace('extension="PRPA_IN201301UV02"', 'extension="X"'),
                            ["PIF-064"]),
    "no interaction": (SAMPLE.replace("interactionId", "profileId"), ["PIF-064"]),
    "another trigger": (SAMPLE.replace("PRPA_TE201301UV02", "PRPA_TE201303UV02"), ["PIF-065"]),
    "no event": (SAMPLE.replace("registrationEvent", "other"), ["PIF-065"]),
    "two events": (SAMPLE.replace(EVENT, EVENT + EVENT), ["PIF-065"]),
    "no patient": (SAMPLE.replace(PATIENT, ""), ["PIF-065"]),
    "two patients": (SAMPLE.replace(PATIENT, PATIENT + PATIENT), ["PIF-065"]),
    "nothing": (f'<PRPA_IN201301UV02 xmlns="{HL7V3}"/>', ["PIF-064", "PIF-065"]),
    "replacement in an add": (SAMPLE.replace(END, PRIOR + END), ["PIF-066"]),
    "merge without replacement": (MERGE.replace(PRIOR, ""), ["PIF-066"]),
    "merge with two": (MERGE.replace(PRIOR, PRIOR + PRIOR), ["PIF-066"]),
    "too many identifiers": (SAMPLE.replace('<id root="2.25.1"/>',
                                            '<id root="2.25.1" extension="1"/>' * IDS),
                             ["PIF-067"]),
}  # fmt: skip


@pytest.mark.proves("PIF-064", "PIF-065", "PIF-066")
@pytest.mark.parametrize(("text", "rules"), FINDINGS.values(), ids=FINDINGS)
def test_what_lacks_is_a_finding(text: str, rules: list[str]) -> None:
    found = read(etree.fromstring(text))
    assert [each.rule for each in found.event.findings] == rules


@pytest.mark.parametrize("name", ["PRPA_IN201303UV02", "MCCI_IN000002UV01", "x"])
def test_another_element_is_a_fault(name: str) -> None:
    with pytest.raises(SoapFault):
        read(etree.fromstring(f'<{name} xmlns="{HL7V3}"/>'))
    with pytest.raises(SoapFault):
        read(etree.fromstring("<PRPA_IN201301UV02/>"))
    if not name.startswith("MCCI"):
        with pytest.raises(SoapFault):
            acknowledgement_from_xml(etree.fromstring(f'<{name} xmlns="{HL7V3}"/>'), {})


ERRORS = (XDSUnknownPatientId("<id>", "is & unknown", rule="PIF-032"), XDSRegistryError("a", "b"))
ANSWERS = {
    "accepted": (Acknowledgement(wrapper=WRAPPER), "CA"),
    "refused": (Acknowledgement(ERRORS, WRAPPER), "CE"),
    "not now": (Acknowledgement((XDSRegistryBusy("database", "busy"),), WRAPPER), "CR"),
    "nothing known": (failure(ERRORS), "CE"),
}


@pytest.mark.proves("PIF-071", "PIF-072", "PIF-073")
@pytest.mark.parametrize(("answer", "code"), ANSWERS.values(), ids=ANSWERS)
def test_acknowledgement_follows_the_schema_and_comes_back(
    answer: Acknowledgement, code: str, judged: Callable[[etree._Element], None]
) -> None:
    (body,) = acknowledgement_to_xml(answer)
    assert isinstance(body, bytes)
    root = etree.fromstring(body)
    judged(root)
    path = f"{{{HL7V3}}}acknowledgement/{{{HL7V3}}}typeCode"
    assert root.find(path).get("code") == code  # type: ignore[union-attr]
    assert root.find(tag(HL7V3, "acceptAckCode")).get("code") == "NE"  # type: ignore[union-attr]
    back = acknowledgement_from_xml(root, {})
    assert back.wrapper == answer.wrapper
    told = [(each.code, each.context) for each in back.errors]
    assert told == [(each.code, each.context) for each in answer.errors]
    own = root.find(tag(HL7V3, "id"))
    assert own is not None and own.get("root") not in (None, WRAPPER.id.root)


@pytest.mark.proves("PIF-072")
def test_acknowledgement_goes_back_to_the_sender() -> None:
    (body,) = acknowledgement_to_xml(Acknowledgement(wrapper=WRAPPER))
    assert isinstance(body, bytes)
    root = etree.fromstring(body)
    ids = {
        role: root.find(f"{{{HL7V3}}}{role}/{{{HL7V3}}}device/{{{HL7V3}}}id").get("root")  # type: ignore[union-attr]
        for role in ("sender", "receiver")
    }
    assert ids == {"sender": WRAPPER.receiver.root, "receiver": WRAPPER.sender.root}
    assert root.find(tag(HL7V3, "processingCode")).get("code") == "T"  # type: ignore[union-attr]


def test_a_refusal_without_a_word_is_still_one() -> None:
    text = f'<MCCI_IN000002UV01 xmlns="{HL7V3}"><acknowledgement><typeCode code="CE"/>'
    root = etree.fromstring(text + "</acknowledgement></MCCI_IN000002UV01>")
    answer = acknowledgement_from_xml(root, {})
    assert not answer.is_accepted and "CE" in answer.errors[0].context
