"""SubmitObjectsRequest: frame, dialects and what is found wrong with the form of objects."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import bodies, samples, strategies
from xdsi.model.checks import attribute_findings
from xdsi.model.errors import SoapFault, XDSExtraMetadataNotSaved, XDSRegistryMetadataError
from xdsi.model.messages import Submission
from xdsi.model.objects import DocumentEntry, Folder, SubmissionSet
from xdsi.standard import urns
from xdsi.standard.namespaces import LCM, RIM, XSI
from xdsi.wire import ebrs, submit
from xdsi.wire.findings import MOST_FINDINGS

SUBMISSIONS = st.builds(
    Submission,
    *(
        st.lists(kind, max_size=2, unique_by=lambda one: one.entry_uuid).map(tuple)
        for kind in (
            strategies.submission_sets,
            strategies.document_entries,
            strategies.folders,
            strategies.associations,
        )
    ),
)


def read(text: str) -> Submission:
    return submit.submission_from_xml(etree.fromstring(text.encode()), {})


def written(submission: Submission) -> str:
    (body,) = submit.submission_to_xml(submission)
    assert isinstance(body, bytes)
    return body.decode()


def whole() -> Submission:
    """One of everything, with symbolic ids that read well in error texts."""
    entry = samples.full_document_entry(entry_uuid="Document01")
    box = samples.folder(entry_uuid="Folder01")
    one = samples.submission_set(entry_uuid="Set01")
    return samples.submission([entry], folders=[box], filed=[(box, entry)], set_=one)


@given(SUBMISSIONS)
@settings(max_examples=25, deadline=None)
def test_submission_comes_back(schema: etree.XMLSchema, submission: Submission) -> None:
    element = bodies.inline(submit.submission_to_xml(submission))
    schema.assertValid(element)
    found = submit.submission_from_xml(element, {})
    # ids drawn at random may coincide between kinds; that is the one finding there can be
    assert all(one.rule == "REG-060" for one in found.findings)
    assert replace(found, findings=()) == submission


@pytest.mark.proves("REG-006", "MD-057", "WS-016")
def test_request_holds_one_list_of_all_objects(schema: etree.XMLSchema) -> None:
    element = bodies.inline(submit.submission_to_xml(whole()))
    schema.assertValid(element)
    (objects,) = element
    names = [etree.QName(one).localname for one in objects]
    assert names.count("ExtrinsicObject") == 1
    assert names.count("RegistryPackage") == 2
    assert names.count("Association") == len(whole().associations)


FRAMES = [
    pytest.param(f"<a xmlns='{LCM}'/>", "expected .*SubmitObjectsRequest", id="another element"),
    pytest.param(f"<SubmitObjectsRequest xmlns='{RIM}'/>", "expected", id="another namespace"),
    pytest.param(
        f"<SubmitObjectsRequest xmlns='{LCM}'/>", "no RegistryObjectList", id="no object list"
    ),
    pytest.param(
        f"<SubmitObjectsRequest xmlns='{LCM}'><RegistryObjectList xmlns='{RIM}'/>"
        f"<RegistryObjectList xmlns='{RIM}'/></SubmitObjectsRequest>",
        "more than one RegistryObjectList",
        id="two object lists",
    ),
    pytest.param(
        f"<SubmitObjectsRequest xmlns='{LCM}'><RegistryObjectList/></SubmitObjectsRequest>",
        "must not hold RegistryObjectList",
        id="object list of another namespace",
    ),
    pytest.param(
        f"<SubmitObjectsRequest xmlns='{LCM}'><RegistryObjectList xmlns='{RIM}'/>"
        f"<ExtrinsicObject xmlns='{RIM}'/></SubmitObjectsRequest>",
        "must not hold ExtrinsicObject",
        id="object beside the list",
    ),
]


@pytest.mark.proves("WS-080")
@pytest.mark.parametrize(("text", "reason"), FRAMES)
def test_wrong_frame_is_a_sender_fault(text: str, reason: str) -> None:
    with pytest.raises(SoapFault, match=reason) as found:
        read(text)
    assert found.value.code == "Sender"


# --- dialects: other ways to write the same ---


def default_namespace(text: str) -> str:
    return text.replace("xmlns:rim=", "xmlns=").replace("<rim:", "<").replace("</rim:", "</")


def odd_prefixes(text: str) -> str:
    return re.sub(r"(?<=[</:])(rim|lcm)(?=[:=])(?!:3)", lambda found: f"ns0.{found[1]}-x", text)


def pretty(text: str) -> str:
    """White space, comments and processing instructions wherever no text is meant."""
    text = re.sub(r"(<rim:(?!Value>)[^>]*>)", r"\n\t \1<!-- a > b --><?pi x?>\n", text)
    return re.sub(r"(</rim:(?!Value>)[^>]*>)", r"\n<!-- - -->\1\n", text)


def comments_in_values(text: str) -> str:
    return re.sub(r"(<rim:Value>[^<&]?)", r"\1<!-- cut --><?cut?>", text)


def cdata_and_references(text: str) -> str:
    text = re.sub(
        r"<rim:Value>([^<]*)</rim:Value>",
        lambda found: f"<rim:Value><![CDATA[{found[1].replace('&amp;', '&')}]]></rim:Value>",
        text,
    )
    return text.replace("&amp;", "&#x26;")


def single_quotes(text: str) -> str:
    return re.sub(r'="([^"\']*)"', r"='\1'", text)


def objects_backwards(text: str) -> str:
    head, _, rest = text.partition("<rim:RegistryObjectList>")
    inner, _, tail = rest.rpartition("</rim:RegistryObjectList>")
    kinds = "ExtrinsicObject|RegistryPackage|Association"
    found = re.findall(rf"<rim:(?:{kinds}) .*?</rim:(?:{kinds})>", inner)
    assert "".join(found) == inner
    return (
        f"{head}<rim:RegistryObjectList>{''.join(reversed(found))}</rim:RegistryObjectList>{tail}"
    )


LABEL = re.compile(r'<rim:Classification [^>]*classificationNode="[^"]*"/>')


def loose_labels(text: str) -> str:
    """Labels behind all packages, which is where some send them."""
    labels = LABEL.findall(text)
    text = LABEL.sub("", text)
    return text.replace("</rim:RegistryObjectList>", f"{''.join(labels)}</rim:RegistryObjectList>")


def loose_labels_first(text: str) -> str:
    labels = LABEL.findall(text)
    text = LABEL.sub("", text)
    return text.replace("<rim:RegistryObjectList>", f"<rim:RegistryObjectList>{''.join(labels)}")


def xsi_types(text: str) -> str:
    """The base element with the type beside it, as some toolkits serialise substitution groups."""
    for name in ("ExtrinsicObject", "RegistryPackage", "Association"):
        type_ = "AssociationType1" if name == "Association" else f"{name}Type"
        text = text.replace(f"<rim:{name} ", f'<rim:Identifiable xsi:type="rim:{type_}" ')
        text = text.replace(f"</rim:{name}>", "</rim:Identifiable>")
    return text.replace(" xmlns:rim=", f' xmlns:xsi="{XSI}" xmlns:rim=', 1)


def xsi_types_without_prefix(text: str) -> str:
    return xsi_types(text).replace('xsi:type="rim:', f'xmlns="{RIM}" xsi:type="')


def extra_parts(text: str) -> str:
    """A RequestSlotList, and ObjectRefs to existing objects, as ebRS allows."""
    slots = (
        '<rs:RequestSlotList xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0">'
        '<rim:Slot name="urn:example:hint"><rim:ValueList/></rim:Slot></rs:RequestSlotList>'
    )
    reference = f'<rim:ObjectRef id="{samples.new_uuid()}"/>'
    list_ = "<rim:RegistryObjectList>"
    return text.replace(list_, slots + list_ + reference)


def empty_texts(text: str) -> str:
    """A Description and a slot without content say nothing."""
    empty = '<rim:Slot name="legalAuthenticator"><rim:ValueList/></rim:Slot>'
    text = re.sub(r'<rim:Slot name="legalAuthenticator">.*?</rim:Slot>', empty, text)
    return re.sub(r"<rim:Description>.*?</rim:Description>", "<rim:Description/>", text)


def object_types_left_out(text: str) -> str:
    return re.sub(r' objectType="urn:oasis:[^"]*"', "", text)


DIALECTS = [
    pytest.param(default_namespace, id="default namespace"),
    pytest.param(odd_prefixes, id="odd prefixes"),
    pytest.param(pretty, id="white space and comments"),
    pytest.param(comments_in_values, id="comments inside values"),
    pytest.param(cdata_and_references, id="CDATA and character references"),
    pytest.param(single_quotes, id="single quotes"),
    pytest.param(loose_labels, marks=pytest.mark.proves("MD-053"), id="labels after packages"),
    pytest.param(loose_labels_first, marks=pytest.mark.proves("MD-053"), id="labels first"),
    pytest.param(xsi_types, id="Identifiable with xsi:type"),
    pytest.param(xsi_types_without_prefix, id="xsi:type without prefix"),
    pytest.param(extra_parts, id="RequestSlotList and ObjectRef"),
    pytest.param(
        object_types_left_out, marks=pytest.mark.proves("MD-012"), id="no fixed objectType"
    ),
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialect_says_the_same(dialect: Callable[[str], str]) -> None:
    submission = whole()
    text = dialect(written(submission))
    assert text != written(submission)
    assert read(text) == submission


def test_empty_elements_are_absent_attributes() -> None:
    submission = whole()
    entry = replace(submission.entries[0], legal_authenticator=None, comments=None)
    assert read(empty_texts(written(submission))) == replace(submission, entries=(entry,))


def test_order_of_objects_is_kept() -> None:
    submission = whole()
    found = read(objects_backwards(written(submission)))
    assert found.associations == submission.associations[::-1]
    assert found.entries == submission.entries
    assert found.findings == ()


@pytest.mark.proves("MD-067")
@pytest.mark.parametrize(
    "id_", ["Document01", "uuid:7", "URN:UUID:X", "urn:oid:1.2.3", "urn:uuid", "  spaced  "]
)
def test_every_other_text_is_a_symbolic_id(id_: str) -> None:
    entry = samples.document_entry(entry_uuid=id_)
    submission = samples.submission([entry])
    assert read(written(submission)) == submission


def test_both_texts_in_several_languages_are_kept() -> None:
    text = written(whole()).replace(
        "</rim:Name><rim:Description>",
        '<rim:LocalizedString xml:lang="fr" value="Rapport"/></rim:Name><rim:Description>',
    )
    title = read(text).entries[0].title
    assert title is not None
    assert [one.lang for one in title.strings] == ["en", "fr"]


# --- findings ---

NEW = "urn:uuid:00000000-0000-4000-8000-000000000000"


def sub(pattern: str, by: str, *, count: int = 1) -> Callable[[str], str]:
    def change(text: str) -> str:
        changed, done = re.subn(pattern, by, text, count=count)
        assert done, pattern
        return changed

    return change


def doubled(pattern: str) -> Callable[[str], str]:
    """The element twice, with another id where it has one."""

    def change(text: str) -> str:
        found = re.search(pattern, text)
        assert found
        again = re.sub(r' id="[^"]*"', ' id="again"', found[0])
        return text[: found.end()] + again + text[found.end() :]

    return change


def classification(scheme: str) -> str:
    """Pattern of the first Classification with a scheme."""
    return (
        rf'<rim:Classification (?:(?!>).)*classificationScheme="{scheme}".*?</rim:Classification>'
    )


CLASS_CODE = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
SLOT = '<rim:Slot name="{}"><rim:ValueList><rim:Value>x</rim:Value></rim:ValueList></rim:Slot>'
ENTRY_END = "(</rim:ExtrinsicObject>)"
CLASS_SLOT = rf'(classificationScheme="{CLASS_CODE}"[^>]*>)'

# These rules say more than one row shows.
WIDER = {"REG-070", "REG-071", "MD-053", "MD-057"}


def finding(change: Callable[[str], str], rule: str, text: str, *, id: str) -> Any:
    marks = () if rule in WIDER else (pytest.mark.proves(rule),)
    return pytest.param(change, rule, text, marks=marks, id=id)


# change, rule, beginning of codeContext
FINDINGS = [
    finding(
        doubled('<rim:Slot name="creationTime">.*?</rim:Slot>'),
        "MD-064",
        "Document01 DocumentEntry.creationTime: slot occurs twice",
        id="slot twice",
    ),
    finding(
        sub(CLASS_SLOT, r"\1" + SLOT.format("codingScheme")),
        "MD-064",
        "Document01 DocumentEntry.classCode.codingScheme: slot occurs twice",
        id="codingScheme twice",
    ),
    finding(
        sub(
            '(<rim:Slot name="creationTime"><rim:ValueList>)',
            r"\1<rim:Value>2023</rim:Value>",
        ),
        "REG-071",
        "Document01 DocumentEntry.creationTime: one value allowed, got 2",
        id="two values in a single-valued slot",
    ),
    finding(
        sub("(<rim:Value>)1.3.6.1.4.1.19376.1.2.6.1", r"\g<1>x</rim:Value>\1y"),
        "REG-071",
        "Document01 DocumentEntry.classCode.codingScheme: one value allowed, got 2",
        id="two coding schemes",
    ),
    finding(
        doubled(classification(CLASS_CODE)),
        "REG-071",
        "Document01 DocumentEntry.classCode: occurs twice",
        id="single-valued scheme twice",
    ),
    finding(
        sub(CLASS_CODE, "urn:uuid:00000000-0000-0000-0000-000000000000"),
        "MD-065",
        "Document01 DocumentEntry.Classification: classificationScheme unknown",
        id="unknown classification scheme",
    ),
    finding(
        sub(CLASS_CODE, "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"),
        "MD-065",
        "Document01 DocumentEntry.Classification: classificationScheme unknown",
        id="scheme of another kind",
    ),
    finding(
        sub(rf'(classificationScheme="{CLASS_CODE}")', rf'\1 classificationNode="{NEW}"'),
        "MD-065",
        "Document01 DocumentEntry.classCode: has both classificationScheme and",
        id="scheme and node",
    ),
    finding(
        sub(rf'classificationScheme="{CLASS_CODE}"', ""),
        "MD-065",
        "Document01 DocumentEntry.Classification: needs a classificationScheme",
        id="neither scheme nor node",
    ),
    finding(
        sub(rf'classificationScheme="{CLASS_CODE}"', f'classificationNode="{NEW}"'),
        "MD-065",
        f"Document01 DocumentEntry: classificationNode {NEW} is not known",
        id="unknown node",
    ),
    finding(
        sub(UNIQUE_ID, NEW),
        "REG-071",
        "Document01 DocumentEntry.ExternalIdentifier: identificationScheme unknown",
        id="unknown identification scheme",
    ),
    finding(
        doubled(rf'<rim:ExternalIdentifier [^>]*"{UNIQUE_ID}".*?</rim:ExternalIdentifier>'),
        "REG-071",
        "Document01 DocumentEntry.uniqueId: occurs twice",
        id="identifier twice",
    ),
    finding(
        sub(rf'(identificationScheme="{UNIQUE_ID}"[^>]*>)<rim:Name>.*?</rim:Name>', r"\1"),
        "REG-070",
        "Document01 DocumentEntry.uniqueId: ExternalIdentifier without Name",
        id="identifier without name",
    ),
    finding(
        sub(r'<rim:ExtrinsicObject id="Document01"', "<rim:ExtrinsicObject"),
        "REG-060",
        "(no id) DocumentEntry: id missing",
        id="object without id",
    ),
    finding(
        sub(
            rf'id="[^"]*" classificationScheme="{CLASS_CODE}"',
            f'classificationScheme="{CLASS_CODE}"',
        ),
        "REG-060",
        "Document01 DocumentEntry.classCode: id missing",
        id="nested object without id",
    ),
    finding(
        sub(rf'id="[^"]*" (?=classificationScheme="{CLASS_CODE}")', 'id="Document01" '),
        "REG-060",
        "Document01 DocumentEntry.classCode: id occurs more than once",
        id="nested id twice",
    ),
    finding(
        sub('<rim:RegistryPackage id="Folder01"', '<rim:RegistryPackage id="Set01"'),
        "REG-060",
        "Set01 ",
        id="object id twice",
    ),
    finding(
        sub(
            rf'id="[^"]*" (?=classificationScheme="{CLASS_CODE}")',
            'id="urn:uuid:ABCDEF00-0000-4000-8000-000000000000" ',
        ),
        "MD-072",
        "Document01 DocumentEntry.classCode: id malformed",
        id="upper-case id",
    ),
    finding(
        sub(rf'id="[^"]*" (?=classificationScheme="{CLASS_CODE}")', 'id="urn:uuid:1234" '),
        "MD-066",
        "Document01 DocumentEntry.classCode: id malformed",
        id="malformed id",
    ),
    finding(
        sub(
            rf'(classificationScheme="{CLASS_CODE}" classifiedObject=)"Document01"', r'\1"Folder01"'
        ),
        "MD-055",
        "Document01 DocumentEntry.classCode: classifiedObject must be the id",
        id="classifiedObject of another",
    ),
    finding(
        sub(
            rf'registryObject="Document01" identificationScheme="{UNIQUE_ID}"',
            f'registryObject="Set01" identificationScheme="{UNIQUE_ID}"',
        ),
        "MD-055",
        "Document01 DocumentEntry.uniqueId: registryObject must be the id",
        id="registryObject of another",
    ),
    finding(
        sub(r'nodeRepresentation="" ?', ""),
        "MD-161",
        "Set01 SubmissionSet.author: nodeRepresentation missing",
        id="author without nodeRepresentation",
    ),
    finding(
        sub(f'<rim:Classification [^>]*"{urns.FOLDER_NODE}"/>', ""),
        "REG-051",
        "Folder01 RegistryPackage: without label",
        id="package without label",
    ),
    finding(
        sub(
            f'(<rim:Classification [^>]*)"{urns.FOLDER_NODE}"/>',
            rf'\1"{urns.FOLDER_NODE}"/><rim:Classification id="again" '
            rf'classifiedObject="Folder01" classificationNode="{urns.SUBMISSION_SET_NODE}"/>',
        ),
        "REG-051",
        "Folder01 RegistryPackage: labelled both",
        id="package with both labels",
    ),
    finding(
        sub('objectType="urn:oasis:[^"]*:Classification"', 'objectType="urn:example:x"'),
        "MD-010",
        "Set01 SubmissionSet.author: objectType must be",
        id="wrong objectType of a Classification",
    ),
    finding(
        sub('objectType="urn:oasis:[^"]*:ExternalIdentifier"', 'objectType="urn:example:x"'),
        "MD-011",
        "Set01 SubmissionSet.sourceId: objectType must be",
        id="wrong objectType of an ExternalIdentifier",
    ),
    finding(
        sub('objectType="urn:oasis:[^"]*:RegistryPackage"', 'objectType="urn:example:x"'),
        "MD-008",
        "Set01 SubmissionSet.objectType: must be",
        id="wrong objectType of a package",
    ),
    finding(
        sub('objectType="urn:oasis:[^"]*:Association"', 'objectType="urn:example:x"'),
        "MD-009",
        "",
        id="wrong objectType of an association",
    ),
    finding(
        sub("(<rim:Value>)20240102030405", r"\g<1>" + "2" * 257),
        "MD-073",
        "Document01 DocumentEntry.creationTime: longer than 256 characters",
        id="value too long",
    ),
    finding(
        sub('nodeRepresentation="REPORTS"', f'nodeRepresentation="{"c" * 257}"'),
        "MD-073",
        "Document01 DocumentEntry.classCode: longer than 256 characters",
        id="code too long",
    ),
    finding(
        sub('mimeType="text/plain"', f'mimeType="text/{"p" * 257}"'),
        "MD-073",
        "Document01 DocumentEntry.mimeType: longer than 256 characters",
        id="mimeType too long",
    ),
    finding(
        sub(rf'(identificationScheme="{UNIQUE_ID}") value="', rf'\1 value="{"1" * 257}'),
        "MD-073",
        "Document01 DocumentEntry.uniqueId: longer than 256 characters",
        id="identifier too long",
    ),
    finding(
        sub("(<rim:Classification )", rf'<rim:VersionInfo versionName="{"1" * 17}"/>\1'),
        "MD-079",
        "Set01 SubmissionSet.VersionInfo: versionName longer than 16 characters",
        id="versionName too long",
    ),
    finding(
        sub('<rim:Slot name="creationTime">', '<rim:Slot name="creationTim">'),
        "REG-076",
        "Document01 DocumentEntry.creationTim: no slot of a DocumentEntry",
        id="unprefixed slot name",
    ),
    finding(
        sub('<rim:Slot name="creationTime">', '<rim:Slot name="submissionTime">'),
        "REG-076",
        "Document01 DocumentEntry.submissionTime: no slot of a DocumentEntry",
        id="slot of another kind",
    ),
    finding(
        sub('<rim:Slot name="creationTime">', '<rim:Slot name="urn:ihe:iti:mine">'),
        "MD-081",
        "Document01 DocumentEntry.urn:ihe:iti:mine: names in urn:ihe are reserved",
        id="reserved slot name",
    ),
    finding(
        sub('<rim:Slot name="creationTime">', '<rim:Slot name="urn:no good">'),
        "REG-076",
        "Document01 DocumentEntry.urn:no good: the name of extra metadata must be",
        id="slot name no URN",
    ),
    finding(
        sub('<rim:Slot name="creationTime">', "<rim:Slot>"),
        "WS-083",
        "Document01 DocumentEntry.slot: name missing",
        id="slot without name",
    ),
    finding(
        sub(ENTRY_END, SLOT.format("URN:example:late") + r"\1"),
        "WS-083",
        "Document01 DocumentEntry: child element Slot too late",
        id="wrong child order",
    ),
    finding(
        sub(ENTRY_END, r"<rim:Address/>\1"),
        "WS-083",
        "Document01 DocumentEntry: child element Address is not part",
        id="foreign child",
    ),
    finding(
        sub("</rim:RegistryPackage>", "<rim:RegistryObjectList/></rim:RegistryPackage>"),
        "WS-083",
        "Set01 SubmissionSet: child element RegistryObjectList is not part",
        id="members inside a package",
    ),
    finding(
        sub('<rim:LocalizedString xml:lang="en" value=', "<rim:LocalizedString valu="),
        "WS-083",
        "Set01 SubmissionSet: LocalizedString without value",
        id="text without value",
    ),
    finding(
        doubled("<rim:Description>.*?</rim:Description>"),
        "REG-071",
        "Document01 DocumentEntry.Description: occurs twice",
        id="two descriptions",
    ),
    finding(
        sub("(<rim:RegistryObjectList>)", r'\1<rim:Service id="s1"/>'),
        "MD-057",
        "s1 Service: not an object of IHE metadata",
        id="another kind of object",
    ),
    finding(
        sub("(<rim:RegistryObjectList>)", r'\1<ExtrinsicObject id="s1"/>'),
        "MD-057",
        "s1 ExtrinsicObject: not an object of IHE metadata",
        id="object of no namespace",
    ),
    finding(
        sub(
            "(<rim:RegistryObjectList>)",
            r'\1<rim:Classification id="c1" classifiedObject="Nobody" '
            rf'classificationNode="{urns.FOLDER_NODE}"/>',
        ),
        "MD-053",
        "Nobody Classification: classifiedObject names no object",
        id="loose label of nothing",
    ),
    finding(
        sub(
            "(<rim:RegistryObjectList>)",
            r'\1<rim:Classification id="c1" classifiedObject="Document01" '
            rf'classificationScheme="{CLASS_CODE}" nodeRepresentation="x"/>',
        ),
        "MD-055",
        "c1 Classification: only label Classifications",
        id="loose code",
    ),
]


EXTRA = SLOT.format("urn:example:lost")
LOST = [
    pytest.param(
        sub(rf'(<rim:ExternalIdentifier [^>]*"{UNIQUE_ID}"[^>]*>)', rf"\1{EXTRA}"),
        "Document01 DocumentEntry.uniqueId: its 1 Slots are not kept",
        "Document01",
        id="of an identifier",
    ),
    pytest.param(
        sub(
            f'(<rim:Classification [^>]*"{urns.FOLDER_NODE}")/>',
            rf"\1>{EXTRA}</rim:Classification>",
        ),
        "Folder01 Folder.Classification: its 1 Slots are not kept",
        "Folder01",
        id="of a label",
    ),
    pytest.param(
        sub(
            rf'<rim:Classification ([^>]*"{urns.FOLDER_NODE}")/>(.*)(</rim:RegistryObjectList>)',
            rf"\2<rim:Classification \1>{EXTRA}{EXTRA}</rim:Classification>\3",
        ),
        "Folder01 Classification: its 2 Slots are not kept",
        "Folder01",
        id="of a loose label",
    ),
]


@pytest.mark.proves("REG-077", "REG-156", "MD-080", "MD-082")
@pytest.mark.parametrize(("change", "text", "location"), LOST)
def test_extra_metadata_without_room_are_told(
    change: Callable[[str], str], text: str, location: str
) -> None:
    (found,) = read(change(written(whole()))).findings
    assert isinstance(found, XDSExtraMetadataNotSaved)
    assert found.is_warning
    assert found.context.startswith(text)
    assert (found.rule, found.location) == ("REG-077", location)


@pytest.mark.proves("MD-080", "MD-082")
def test_extra_metadata_with_room_are_no_finding() -> None:
    for pattern in ("<rim:ExtrinsicObject [^>]*>", CLASS_SLOT, f'scheme="{AUTHOR}"[^>]*>'):
        change = sub(f"(?i){pattern}", rf"\g<0>{EXTRA}")
        assert read(change(written(whole()))).findings == ()


def test_many_warnings_do_not_end_the_reading() -> None:
    labels = "".join(
        f'<rim:Classification id="l{number}" classifiedObject="Folder01" '
        f'classificationNode="{urns.FOLDER_NODE}">{EXTRA}</rim:Classification>'
        for number in range(MOST_FINDINGS + 5)
    )
    end = "</rim:RegistryObjectList>"
    found = read(written(whole()).replace(end, labels + end))
    assert len(found.findings) == MOST_FINDINGS
    assert len(found.entries) == len(found.folders) == 1


@pytest.mark.proves("WS-083")
@pytest.mark.parametrize(("change", "rule", "text"), FINDINGS)
def test_finding(change: Callable[[str], str], rule: str, text: str) -> None:
    """Broken form is told with object, attribute and rule; the other objects are still read."""
    found = read(change(written(whole())))
    matching = [one for one in found.findings if one.rule == rule]
    assert matching, [str(one) for one in found.findings]
    errors = [one for one in found.findings if not one.is_warning]
    assert all(isinstance(one, XDSRegistryMetadataError) for one in errors)
    assert matching[0].context.startswith(text)
    assert matching[0].context.endswith(f"[{rule}]")
    assert len(found.associations) == len(whole().associations)


@pytest.mark.proves("MD-078", "MD-073")
@pytest.mark.parametrize(
    "before",
    [
        pytest.param("<rim:Value>7", id="XCN.1, in HL7 15"),
        pytest.param("<rim:Value>7^Example", id="XCN.2, in HL7 194"),
        pytest.param("<rim:Value>Invented Hospital", id="XON.1, in HL7 50"),
        pytest.param("<rim:Value>INVENTED-77", id="CX.1, in HL7 15"),
        pytest.param("<rim:Value>^^Internet^erika", id="XTN.4, in HL7 199"),
        pytest.param("<rim:Value>2013001", id="CXi.1, in HL7 15"),
    ],
)
def test_lengths_of_hl7_do_not_count_but_that_of_the_slot(before: str) -> None:
    """before: of a value, up to the component that grows."""
    text = written(whole())
    start = text.index("<rim:ExtrinsicObject")
    start = text.index(before, start)
    value = text[start + len("<rim:Value>") : text.index("</rim:Value>", start)]
    room = 256 - len(value.replace("&amp;", "&"))
    for more, found in ((room, []), (room + 1, ["MD-073"])):
        grown = text[:start] + before + "x" * more + text[start + len(before) :]
        submission = read(grown)
        assert [each.rule for each in submission.findings] == found
        (entry,) = submission.entries
        assert list(attribute_findings(entry)) == []


def test_location_is_the_id_as_sent() -> None:
    change = sub('<rim:Slot name="creationTime">', '<rim:Slot name="creationTim">')
    (found,) = read(change(written(whole()))).findings
    assert found.location == "Document01"


def test_an_endless_id_does_not_blow_up_the_answer() -> None:
    text = written(whole()).replace("Document01", "d" * 60_000)
    for slot in ("creationTime", "languageCode", "hash", "size"):
        text = text.replace(f'"{slot}"', f'"x{slot}"')
    findings = read(text).findings
    assert len(findings) == 4
    assert len(ebrs.error_list(findings)) < 10_000


def test_first_of_two_counts() -> None:
    change = sub(
        "(<rim:ValueList><rim:Value>)20240102030405", r"\g<1>2023</rim:Value><rim:Value>2024"
    )
    assert str(read(change(written(whole()))).entries[0].creation_time) == "2023"


@pytest.mark.proves("REG-051", "MD-054")
def test_unlabelled_package_is_no_object() -> None:
    change = sub(f'<rim:Classification [^>]*"{urns.FOLDER_NODE}"/>', "")
    found = read(change(written(whole())))
    assert found.folders == ()
    assert len(found.submission_sets) == 1


def test_all_findings_of_a_message_are_told() -> None:
    text = written(whole())
    for pattern, by in (("creationTime", "a"), ("submissionTime", "b"), ("languageCode", "c")):
        text = text.replace(f'"{pattern}"', f'"{by}"')
    assert len(read(text).findings) == 3


KINDS = [DocumentEntry, SubmissionSet, Folder]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.proves("MD-117", "MD-145", "MD-157")
def test_loose_limited_metadata_label(kind: type) -> None:
    nodes = dict(
        zip(
            KINDS,
            (
                "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
                "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
                "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
            ),
            strict=True,
        )
    )
    submission = whole()
    target = {DocumentEntry: "Document01", SubmissionSet: "Set01", Folder: "Folder01"}[kind]
    label = (
        f'<rim:Classification id="l1" classifiedObject="{target}" '
        f'classificationNode="{nodes[kind]}"/></rim:RegistryObjectList>'
    )
    found = read(written(submission).replace("</rim:RegistryObjectList>", label))
    objects = (*found.entries, *found.submission_sets, *found.folders)
    assert [type(one) for one in objects if one.is_limited] == [kind]
    assert found.findings == ()


@pytest.mark.proves("SEC-T-051", "SEC-T-072")
@pytest.mark.parametrize(
    ("broken", "count", "rule"),
    [
        pytest.param("<rim:a/>", 1_001, "MD-057", id="findings"),
        pytest.param("<rim:a/>", submit.MOST_OBJECTS + 1, "SEC-T-051", id="objects"),
    ],
)
def test_reading_a_hopeless_message_ends_early(broken: str, count: int, rule: str) -> None:
    text = (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>'
        f"{broken * count}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )
    read = submit.submission_from_xml(etree.fromstring(text), {})
    assert len(read.findings) <= MOST_FINDINGS
    assert {each.rule for each in read.findings} == {rule}
