"""Our schemas and the published ones judge every message alike."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from lxml import etree

from xdsi.standard import namespaces as ns

CORPUS = Path(__file__).parent / "corpus"
MESSAGES = sorted(file.stem for file in CORPUS.glob("*.xml"))
LONG, VERY_LONG = "x" * 257, "x" * 1025
LIST = "<rim:RegistryObjectList/>"

# how a message is broken: message, name of the fault, what stands there, what stands there instead
BROKEN = (
    ("submit-every-kind", "object without id", 'id="Document01" mimeType', "mimeType"),
    ("submit-every-kind", "mimeType too long", "application/pdf", LONG),
    ("submit-every-kind", "slot without name", '<rim:Slot name="hash">', "<rim:Slot>"),
    ("submit-every-kind", "slot name too long", 'name="hash"', f'name="{LONG}"'),
    ("submit-every-kind", "value too long", "<rim:Value>de-CH<", f"<rim:Value>{LONG}<"),
    ("submit-every-kind", "slot, two lists", "<rim:ValueList>", "<rim:ValueList/><rim:ValueList>"),
    ("submit-every-kind", "unknown attribute", 'mimeType="', 'colour="red" mimeType="'),
    ("submit-every-kind", "unknown element", "<rim:Description>", "<rim:X/><rim:Description>"),
    ("submit-every-kind", "text between objects", "<rim:Association id", "? <rim:Association id"),
    ("submit-every-kind", "title too long", "Invented report", VERY_LONG),
    ("submit-every-kind", "association without target", 'targetObject="Folder01"', ""),
    ("submit-every-kind", "identifier too long", 'value="2.25.1001"', f'value="{LONG}"'),
    ("submit-every-kind", "identifier without value", 'value="2.25.1001"', ""),
    ("submit-every-kind", "classification of nothing", 'classifiedObject="Folder01"', ""),
    ("submit-every-kind", "code too long", 'tation="History"', f'tation="{LONG}"'),
    ("submit-every-kind", "two titles", "<rim:Description>", "<rim:Name/><rim:Description>"),
    ("submit-every-kind", "description before title", "<rim:Name>", "<rim:Description/><rim:Name>"),
    ("submit-version", "isOpaque no boolean", 'isOpaque="1"', 'isOpaque="yes"'),
    ("submit-version", "version too long", 'versionName="2"', 'versionName="12345678901234567"'),
    ("submit-version", "slot without list", "<rim:ValueList/>", ""),
    ("submit-languages", "no language tag", 'xml:lang="el"', 'xml:lang="not a language"'),
    ("submit-xsi-type", "unknown type", "rim:AssociationType1", "rim:MarriageType"),
    ("submit-xsi-type", "type without its attribute", 'associationType="', 'objectType="'),
    ("submit-empty-list", "no list", LIST, ""),
    ("submit-empty-list", "two lists", LIST, LIST + LIST),
    ("submit-empty-list", "foreign namespace", "xsd:lcm:3.0", "xsd:lcm:2.0"),
    ("provide-two-documents", "document without id", 'Document id="Document01"', "Document"),
    ("provide-two-documents", "no base64", "SW52ZW50ZWQ=", "SW52ZW50ZWQ"),
    ("provide-no-document", "no submission", "lcm:SubmitObjectsRequest", "lcm:Submission"),
    ("query-object-refs", "unknown returnType", "ObjectRef", "Everything"),
    ("query-object-refs", "foreign option", "<query:ResponseOption", "<rim:ResponseOption"),
    ("query-object-refs", "no query id", "id=", "lid="),
    ("query-every-attribute", "maxResults no number", 'maxResults="-1"', 'maxResults="all"'),
    ("query-expression", "no query language", "queryLanguage=", "objectType="),
    ("answer-nothing-found", "no object list", LIST, ""),
    ("answer-nothing-found", "no status", "status=", "requestId="),
    ("answer-failure", "error without code", "errorCode=", "location="),
    ("response-bare-error", "error without context", 'codeContext=""', ""),
    ("response-failure", "error list misspelt", "RegistryErrorList", "ErrorList"),
    ("retrieve-one", "repository misspelt", "RepositoryUniqueId", "RepositoryId"),
    ("retrieve-one", "document id too long", "2.25.1001", LONG),
    ("retrieve-several", "home last", "HomeCommunityId", "DocumentUniqueId"),
    ("imaging-one", "study without UID", ' studyInstanceUID="1.2.3.1"', ""),
    ("imaging-one", "series without UID", ' seriesInstanceUID="1.2.3.1.1"', ""),
    ("imaging-one", "no syntaxes", "TransferSyntaxUIDList", "TransferSyntaxes"),
    ("imaging-one", "document of another namespace", ' xmlns="urn:ihe:iti:xds-b:2007"', ""),
    ("imaging-one", "syntax misspelt", "TransferSyntaxUID>", "TransferSyntax>"),
    ("imaging-several", "no instances", "xds:DocumentRequest", "xds:Document"),
    ("retrieved-two", "no media type", "<xds:mimeType>text/plain</xds:mimeType>", ""),
    ("retrieved-two", "no registry response", "rs:RegistryResponse", "rs:RegistryRequest"),
)  # fmt: skip

# lawful ebRIM that no XDS message holds (MD-001 to MD-011): left out of our schema
NOT_XDS = (
    ("an organisation", '<rim:ObjectRef id="urn:example:1"/>', '<rim:Organization id="o"/>'),
    (
        "a link",
        '<rim:ObjectRef id="urn:example:1"/>',
        '<rim:ExternalLink id="l" externalURI="urn:example:2"/>',
    ),
)


def message(name: str) -> etree._Element:
    return etree.parse(CORPUS / f"{name}.xml").getroot()


@pytest.mark.proves("REG-002", "RET-003", "RET-004", "RET-011", "SQ-003", "SQ-004", "SQ-005",
    "IMG-080", "IMG-081", "IMG-082", "IMG-083",
)  # fmt: skip
@pytest.mark.parametrize("name", MESSAGES)
def test_lawful_message_is_accepted_by_both(
    name: str, official: etree.XMLSchema, ours: etree.XMLSchema
) -> None:
    official.assertValid(message(name))
    ours.assertValid(message(name))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [pytest.param(name, old, new, id=f"{name}-{fault}") for name, fault, old, new in BROKEN],
)
def test_broken_message_is_refused_by_both(
    name: str, old: str, new: str, official: etree.XMLSchema, ours: etree.XMLSchema
) -> None:
    text = (CORPUS / f"{name}.xml").read_text(encoding="utf-8")
    assert old in text
    broken = etree.fromstring(text.replace(old, new).encode())
    assert not official.validate(broken)
    assert not ours.validate(broken)


def mutants(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Every message one small change away: an element or attribute gone, twice, moved, odd."""
    for at, element in enumerate(root.iter()):
        where = f"{at} {etree.QName(element).localname}"
        for key in element.attrib:
            for change, value in (("", None), ("empty", ""), ("long", LONG), ("blank", "a b")):
                changed = deepcopy(root)
                target = list(changed.iter())[at]
                del target.attrib[key]
                if value is not None:
                    target.set(key, value)
                yield f"{where}/@{key} {change or 'gone'}", changed
        for change in ("gone", "twice", "emptied", "text", "moved", "unknown attribute"):
            changed = deepcopy(root)
            target = list(changed.iter())[at]
            parent = target.getparent()
            if change == "emptied":
                del target[:]
            elif change == "text":
                target.text = "x" + (target.text or "")
            elif change == "unknown attribute":
                target.set("unknown", "1")
            elif parent is None:
                continue
            elif change == "gone":
                parent.remove(target)
            elif change == "twice":
                target.addnext(deepcopy(target))
            elif (following := target.getnext()) is not None:
                following.addnext(target)
            yield f"{where} {change}", changed


# one of each shape: more of the same would only take time
@pytest.mark.parametrize(
    "name",
    [
        "answer-failure",
        "answer-object-refs",
        "imaging-one",
        "provide-no-document",
        "query-every-attribute",
        "query-expression",
        "remove-objects",
        "response-failure",
        "response-slots",
        "retrieve-several",
        "retrieved-on-demand",
        "retrieved-some",
        "submit-default-namespace",
        "submit-languages",
        "submit-members-inside-package",
        "submit-relationship",
        "submit-request-slots",
        "submit-version",
        "submit-xsi-type",
    ],
)
def test_every_small_change_is_judged_alike(
    name: str, official: etree.XMLSchema, ours: etree.XMLSchema
) -> None:
    verdicts = {
        change: (official.validate(changed), ours.validate(changed))
        for change, changed in mutants(message(name))
    }
    assert {change for change, (theirs, our) in verdicts.items() if theirs != our} == set()
    assert {theirs for theirs, _ in verdicts.values()} == {True, False}


@pytest.mark.parametrize(
    ("old", "new"), [(old, new) for _, old, new in NOT_XDS], ids=[n for n, *_ in NOT_XDS]
)
def test_object_kinds_outside_xds_are_the_known_difference(
    old: str, new: str, official: etree.XMLSchema, ours: etree.XMLSchema
) -> None:
    text = (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{ns.LCM}" xmlns:rim="{ns.RIM}">'
        f"<rim:RegistryObjectList>{old}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )
    ours.assertValid(etree.fromstring(text))
    other = etree.fromstring(text.replace(old, new))
    official.assertValid(other)
    assert not ours.validate(other)
