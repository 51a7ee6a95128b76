"""CDA reports: made in the order of the schema, read back, read carefully from strangers."""

import base64
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.wire.reports import FRAME, PATIENT, STUDY, TEXT
from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import IssuedId, PatientHeader
from xdsi.model.report import InstanceIdentifier, Organization, PersonName, ReportCode
from xdsi.standard import cda as names
from xdsi.wire import cda

HL7 = "{" + names.HL7_V3 + "}"
REPORT = cda.imaging_report(FRAME, TEXT, STUDY)
WRAPPED = cda.wrapped_report(FRAME, "Befund:\nunauffällig", STUDY)

# Children in the order the CDA R2 schema demands; only elements that reports use are listed.
ORDER = {
    "ClinicalDocument": "realmCode typeId templateId id code title effectiveTime "
    "confidentialityCode languageCode setId versionNumber copyTime recordTarget author "
    "dataEnterer informant custodian informationRecipient legalAuthenticator authenticator "
    "participant inFulfillmentOf documentationOf relatedDocument authorization componentOf "
    "component",
    "patientRole": "realmCode typeId templateId id addr telecom patient providerOrganization",
    "patient": "realmCode typeId templateId id name administrativeGenderCode birthTime",
    "author": "realmCode typeId templateId functionCode time assignedAuthor",
    "assignedAuthor": "realmCode typeId templateId id code addr telecom assignedPerson "
    "assignedAuthoringDevice representedOrganization",
    "assignedEntity": "realmCode typeId templateId id code addr telecom assignedPerson "
    "representedOrganization",
    "legalAuthenticator": "realmCode typeId templateId time signatureCode assignedEntity",
    "representedOrganization": "realmCode typeId templateId id name telecom addr",
    "representedCustodianOrganization": "realmCode typeId templateId id name telecom addr",
    "order": "realmCode typeId templateId id code priorityCode",
    "serviceEvent": "realmCode typeId templateId id code effectiveTime performer",
    "parentDocument": "realmCode typeId templateId id code text setId versionNumber",
    "section": "realmCode typeId templateId id code title text confidentialityCode languageCode "
    "subject author informant entry component",
    "act": "realmCode typeId templateId id code text statusCode priorityCode effectiveTime "
    "subject specimen performer author informant participant entryRelationship",
    "observation": "realmCode typeId templateId id code derivationExpr text statusCode "
    "effectiveTime value entryRelationship",
    "code": "originalText qualifier translation",
    "qualifier": "name value",
}


def tree(content: bytes) -> etree._Element:
    return etree.fromstring(content)


def children(element: etree._Element) -> Iterator[str]:
    return (str(child.tag).removeprefix(HL7) for child in element)


def read(content: bytes, **options: object) -> object:
    return cda.read_header(io.BytesIO(content), **options)  # type: ignore[arg-type]


def document(inside: str = "", body: str = "<component><nonXMLBody/></component>") -> bytes:
    return (
        f'<ClinicalDocument xmlns="{names.HL7_V3}"><id root="1.2.3"/>{inside}{body}'
        "</ClinicalDocument>"
    ).encode()


# --- made


@pytest.mark.parametrize(
    "content", [REPORT, WRAPPED, cda.imaging_report(replace(FRAME, replaces=FRAME.id), TEXT, STUDY)]
)
@pytest.mark.proves("IMG-060", "IMG-061", "IMG-062")
def test_children_stand_in_the_order_of_the_schema(content: bytes) -> None:
    seen = set()
    for element in tree(content).iter():
        name = str(element.tag).removeprefix(HL7)
        order = ORDER.get(name)
        if order is None:
            continue
        seen.add(name)
        places = [order.split().index(child) for child in children(element)]
        assert places == sorted(places), name
    assert {"ClinicalDocument", "patientRole", "serviceEvent", "order"} <= seen


@pytest.mark.proves("IMG-061", "IMG-062", "EHN-034", "EHN-041", "EHN-045", "EHN-047", "EHN-053")
def test_report_has_the_sections_of_radiology() -> None:
    sections = tree(REPORT).findall(f".//{HL7}section")
    found = [
        (
            section.findtext(f"{HL7}title"),
            section.find(f"{HL7}code").get("code"),  # type: ignore[union-attr]
            [each.get("root") for each in section.findall(f"{HL7}templateId")],
            [each.text for each in section.findall(f"{HL7}text/{HL7}paragraph")],
        )
        for section in sections
    ]
    assert [(code, templates) for _, code, templates, _ in found] == [
        ("55752-0", ["1.2.840.10008.9.2"]),
        ("55115-0", []),
        ("55111-9", ["1.2.840.10008.9.3"]),
        ("18834-2", ["1.2.840.10008.9.4"]),
        ("59776-5", ["2.16.840.1.113883.10.20.6.1.2"]),
        ("19005-8", ["1.2.840.10008.9.5"]),
        ("18783-1", []),
        ("121181", ["2.16.840.1.113883.10.20.6.1.1"]),
    ]
    assert found[4][3] == ["Ventricles < normal > size.", "No bleeding."]
    assert all(title for title, *_ in found)


@pytest.mark.proves("EHN-052", "EHN-103", "EHN-104")
def test_catalog_names_images_by_uid_and_no_place() -> None:
    catalog = tree(REPORT).findall(f".//{HL7}section")[-1]
    uids = [each.get("root") for each in catalog.iter(f"{HL7}id")]
    assert uids == ["1.2.3", "1.2.3.1", "1.2.3.1.1", "1.2.3.1.2", "1.2.3.2", "1.2.3.2.1"]
    assert b"http" not in etree.tostring(catalog).replace(b"urn:hl7-org:v3", b"")


def test_sections_without_text_are_left_out() -> None:
    short = cda.imaging_report(FRAME, cda.ReportText(impression="Normal."), STUDY)
    header = cda.read_header(io.BytesIO(short))
    assert header.section_codes == ("19005-8", "121181")


@pytest.mark.proves("IMG-060", "IMG-021")
def test_wrapped_text_is_utf8_in_base64() -> None:
    [text] = tree(WRAPPED).findall(f"{HL7}component/{HL7}nonXMLBody/{HL7}text")
    assert dict(text.attrib) == {"mediaType": "text/plain", "representation": "B64"}
    assert base64.b64decode(text.text or "").decode("utf-8") == "Befund:\nunauffällig"


# --- read back


@pytest.mark.proves(
    "IMG-021",
    "IMG-063",
    "EHN-001",
    "EHN-002",
    "EHN-003",
    "EHN-004",
    "EHN-008",
    "EHN-010",
    "EHN-011",
    "EHN-012",
    "EHN-014",
    "EHN-015",
    "EHN-016",
    "EHN-017",
    "EHN-019",
    "EHN-021",
    "EHN-022",
    "EHN-024",
    "EHN-025",
    "EHN-031",
)
def test_header_says_what_went_in() -> None:
    header = cda.read_header(io.BytesIO(REPORT))
    assert str(header.id) == "1.2.40.0.13.5^R-2026-1"
    assert header.title == "CT head & neck"
    assert header.effective_time == "20260304093000"
    assert header.code == ReportCode("18748-4", names.LOINC, "Diagnostic imaging study")
    assert header.confidentiality == ReportCode("N", names.CONFIDENTIALITY)
    assert header.language == "de-AT"
    assert header.patient_ids == (InstanceIdentifier("1.2.40.0.13.8", "T-1"),)
    assert header.patient_name == PersonName("Prüfling", ("Petra", "Maria"), "Dr.")
    assert (header.birth_time, header.gender) == ("19610203", "F")
    [author] = header.authors
    assert author.name == PersonName("Vorbild", ("Vera",), "Dr.")
    assert author.ids == (InstanceIdentifier("1.2.40.0.13.6", "V-7"),)
    praxis = Organization("Praxis & Partner", (InstanceIdentifier("1.2.40.0.13.7"),))
    assert author.organization == header.custodian == praxis
    assert header.legal_authenticator == author
    assert header.orders == (InstanceIdentifier("1.2.40.0.13.9", "A-77"),)
    [service] = header.services
    assert (service.start, service.stop) == ("20260304071500", "")
    assert service.code == ReportCode("30799-1", names.LOINC, "CT Head")
    assert header.study_instance_uids == ("1.2.3",)
    assert header.modalities == ("CT", "SR")
    assert header.is_structured
    assert header.template_ids[0].root == "1.2.840.10008.9.1"


def test_a_path_is_read_like_a_stream(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_bytes(REPORT)
    assert cda.read_header(tmp_path / "r.xml") == cda.read_header(io.BytesIO(REPORT))


def test_replacement_names_the_earlier_report() -> None:
    content = cda.imaging_report(
        replace(FRAME, replaces=InstanceIdentifier("1.2.40.0.13.5", "R-0")), TEXT, STUDY
    )
    [related] = cda.read_header(io.BytesIO(content)).related
    assert related == ("RPLC", (InstanceIdentifier("1.2.40.0.13.5", "R-0"),))


def test_other_patient_and_number_than_the_images() -> None:
    patient = PatientHeader(IssuedId("Z-9", "", "1.2.40.0.13.80", "ISO"), "Anders^Anna")
    accession = IssuedId("B-1", "", "1.2.40.0.13.90", "ISO")
    content = cda.imaging_report(FRAME, TEXT, STUDY, patient=patient, accession=accession)
    header = cda.read_header(io.BytesIO(content))
    assert header.patient_ids == (InstanceIdentifier("1.2.40.0.13.80", "Z-9"),)
    assert (header.birth_time, header.gender) == ("", "")
    assert header.orders == (InstanceIdentifier("1.2.40.0.13.90", "B-1"),)


WORDS = st.text(max_size=40) | st.text(st.sampled_from("a&<\x00\x0b\x85\ufffe\uffff^="), max_size=9)


@given(title=WORDS, name=WORDS, findings=WORDS)
@settings(max_examples=60, deadline=None)
def test_any_text_makes_a_readable_report(title: str, name: str, findings: str) -> None:
    content = cda.imaging_report(
        replace(FRAME, title=title),
        cda.ReportText(findings=findings),
        STUDY,
        patient=replace(PATIENT, id=replace(PATIENT.id, value=f"x{name}"), name=name),
    )
    header = cda.read_header(io.BytesIO(content))
    kept = "".join(c for c in title if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))
    assert header.title == " ".join(kept.split())
    assert header.patient_ids[0].extension.startswith("x")
    assert header.study_instance_uids == ("1.2.3",)


# --- strangers


INSTANTS = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(when=INSTANTS, zone=ZONES)
@settings(max_examples=80, deadline=None)
@pytest.mark.proves("EHN-014", "MD-087")
def test_times_become_utc(when: datetime, zone: timezone) -> None:
    when = when.replace(microsecond=0, tzinfo=zone)
    header = cda.read_header(
        io.BytesIO(document(f'<effectiveTime value="{when.strftime("%Y%m%d%H%M%S%z")}"/>'))
    )
    assert header.effective_time == when.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def test_a_time_without_zone_is_in_the_zone_the_caller_names() -> None:
    content = document('<effectiveTime value="202603041000"/>')
    assert cda.read_header(io.BytesIO(content)).effective_time == "202603041000"
    read_there = cda.read_header(io.BytesIO(content), default_offset="+0100")
    assert read_there.effective_time == "202603040900"


@pytest.mark.proves("IMG-063")
def test_a_catalog_alone_gives_the_study() -> None:
    act = (
        '<act><id root="1.2.9"/><id root="1.2.8" extension="no study"/><code code="113014"/>'
        '<entryRelationship><act><id root="1.2.9.1"/><code code="113015"><qualifier>'
        '<name code="121139"/><value code="MR"/></qualifier></code></act></entryRelationship></act>'
    )
    body = (
        "<component><structuredBody><component><section><code code='121181'/><entry>"
        f"{act}</entry></section></component></structuredBody></component>"
    )
    header = cda.read_header(io.BytesIO(document(body=body)))
    assert (header.study_instance_uids, header.modalities) == (("1.2.9",), ("MR",))
    assert header.section_codes == ("121181",)


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(
            '<documentationOf><serviceEvent><id root="1.2.9"/></serviceEvent></documentationOf>',
            id="root without extension",
        ),
        pytest.param(
            '<documentationOf><serviceEvent><id root="1.2.7" extension="X"/><id root="1.2.9"/>'
            "</serviceEvent></documentationOf>",
            id="beside another id",
        ),
        pytest.param(
            '<documentationOf><serviceEvent><id nullFlavor="NI"/></serviceEvent></documentationOf>'
            '<documentationOf><serviceEvent><id root="1.2.9"/></serviceEvent></documentationOf>',
            id="second service",
        ),
        pytest.param(
            '<h:documentationOf xmlns:h="urn:hl7-org:v3"><h:serviceEvent><h:id root="1.2.9"/>'
            "</h:serviceEvent></h:documentationOf>",
            id="prefixes",
        ),
    ],
)
@pytest.mark.proves("IMG-063", "EHN-024")
def test_study_uid_is_found_in_the_services(inside: str) -> None:
    assert cda.read_header(io.BytesIO(document(inside))).study_instance_uids == ("1.2.9",)


def test_accession_number_of_ps3_20_is_an_order_too() -> None:
    inside = (
        '<inFulfillmentOf><order><id root="1.2.5" extension="P-1"/>'
        '<a:accessionNumber xmlns:a="urn:dicom-org:ps3-20" root="1.2.6" extension="A-1"/>'
        "</order></inFulfillmentOf>"
    )
    assert [str(each) for each in cda.read_header(io.BytesIO(document(inside))).orders] == [
        "1.2.5^P-1",
        "1.2.6^A-1",
    ]


def test_a_device_is_an_author_by_its_software() -> None:
    inside = (
        "<author><assignedAuthor><assignedAuthoringDevice><softwareName>RIS 7</softwareName>"
        "</assignedAuthoringDevice></assignedAuthor></author>"
    )
    [author] = cda.read_header(io.BytesIO(document(inside))).authors
    assert author.name == PersonName(text="RIS 7")


def test_what_is_missing_is_empty() -> None:
    header = cda.read_header(io.BytesIO(document()))
    assert str(header.id) == "1.2.3"
    assert (header.title, header.effective_time, header.authors) == ("", "", ())
    assert (header.patient_name, header.code, header.service_start) == (None, None, "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings_are_those_declared(encoding: str) -> None:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>' + document("<title>Schädel</title>").decode()
    )
    assert cda.read_header(io.BytesIO(text.encode(encoding))).title == "Schädel"


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
    f'<ClinicalDocument xmlns="{names.HL7_V3}"><title>&b;</title></ClinicalDocument>'
)
EXTERNAL = f'<!DOCTYPE x SYSTEM "file:///etc/passwd"><ClinicalDocument xmlns="{names.HL7_V3}"/>'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(LAUGHS.encode(), "document type declaration", id="entities"),
        pytest.param(EXTERNAL.encode(), "document type declaration", id="external subset"),
        pytest.param(b"", "not well-formed XML: no element found in line 1", id="empty"),
        pytest.param(b"plain text", "not well-formed XML", id="text"),
        pytest.param(REPORT[:-30], "not well-formed XML", id="cut in the tail"),
        pytest.param(document("<a>&lt;</b>"), "mismatched tag", id="mismatch"),
        pytest.param(document("&nothing;"), "undefined entity", id="unknown entity"),
        pytest.param(b"<ClinicalDocument/>", "root element is not", id="no namespace"),
        pytest.param(b"<html xmlns='urn:hl7-org:v3'/>", "root element is not", id="another root"),
        pytest.param(
            b'<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding", id="encoding"
        ),
        pytest.param(document("<a>" * 300 + "</a>" * 300), "deeper than 200", id="deep header"),
        pytest.param(
            document(body="<component>" + "<a>" * 300 + "</a>" * 300 + "</component>"),
            "deeper than 200",
            id="deep body",
        ),
        pytest.param(document("<a/>" * 20_001), "more than 20000 elements", id="many elements"),
        pytest.param(
            document("<title>" + "x" * 1_100_000 + "</title>"), "1048576 characters", id="long text"
        ),
        pytest.param(
            document(f'<a b="{"x" * 3_000_000}"/>'), "tag or comment of more", id="long attribute"
        ),
        pytest.param(
            document(f"<!--{'x' * 3_000_000}-->"), "tag or comment of more", id="long comment"
        ),
    ],
)
@pytest.mark.proves("IMG-021")
def test_a_bad_document_is_refused_with_one_sentence(content: bytes, text: str) -> None:
    with pytest.raises(InvalidDocumentContent, match=text) as refused:
        cda.read_header(io.BytesIO(content), what="2.25.77")
    assert refused.value.context.startswith("2.25.77: ")


def test_a_document_beyond_the_limit_is_refused() -> None:
    with pytest.raises(InvalidDocumentContent, match="larger than the 100 bytes"):
        cda.read_header(io.BytesIO(REPORT), size_limit=100)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_changed_bytes_never_crash_the_reader(data: st.DataObject) -> None:
    content = bytearray(REPORT)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 3] = data.draw(st.binary(max_size=6))
    try:
        header = cda.read_header(io.BytesIO(bytes(content)))
    except InvalidDocumentContent as refused:
        content = bytearray(refused.context.encode())
    else:
        assert header.effective_time == "" or len(header.effective_time) <= 14
    assert content


class Endless(io.RawIOBase):
    """A CDA with a body of base64 that is made while it is read."""

    def __init__(self, body: int) -> None:
        head = document("<title>Big</title>", "<component><nonXMLBody><text mediaType='x/y'>")
        self.parts = [head.removesuffix(b"</ClinicalDocument>")]
        self.left = body
        self.tail = [b"</text></nonXMLBody></component></ClinicalDocument>"]

    def read(self, size: int = -1) -> bytes:
        if self.parts:
            return self.parts.pop()
        if self.left > 0:
            self.left -= size
            return b"QUJD" * (size // 4)
        return self.tail.pop() if self.tail else b""


@pytest.mark.proves("IMG-060")
def test_memory_does_not_follow_the_body() -> None:
    tracemalloc.start()
    header = cda.read_header(Endless(100 << 20))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (header.title, header.body_media_type, header.is_structured) == ("Big", "x/y", False)
    assert peak < 2 << 20
