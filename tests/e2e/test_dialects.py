"""One submission as different senders write it, through ITI-42 and ITI-41, then found by ITI-18.

What came back is compared with what was sent as XML, beside the project's own codecs.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4
from xml.sax.saxutils import unescape

import pytest
from lxml import etree

from tests import samples
from tests.e2e import facts, nodes
from tests.e2e.nodes import Domain
from tests.server import dialect
from tests.wire import test_submit as dialects
from xdsi.model.messages import Document, ProvideRequest, Submission
from xdsi.model.objects import InternationalString, Slot
from xdsi.model.values import CX, Identifier
from xdsi.standard import namespaces as ns
from xdsi.standard import queries, transactions, urns
from xdsi.wire.parameters import many, single

R = f"{{{ns.RIM}}}"
CONTENT = samples.CONTENT
# as senders name objects; the last one brings a UUID of its own
IDS = {
    "plain": "{}",
    "looks like a URN": "urn:x-symbol:{}",
    "UUID without its prefix": "7d1c8a2e-0000-4000-8000-{}",
    "blanks and umlauts": "Objekt für {}",
    "own UUIDs": "",
}


def whole(patient: CX, ids: str) -> Submission:
    """One of everything, each attribute filled, with a relationship and a filing."""

    def named(name: str) -> str:
        return ids.format(name) if ids else uuid4().urn

    extra = (Slot("urn:example:extra", ("one", "two & <three>")),)
    entry = samples.full_document_entry(
        entry_uuid=named("Document01"), patient_id=patient, extra=extra
    )
    other = samples.document_entry(
        entry_uuid=named("Document02"),
        patient_id=patient,
        title=InternationalString.of("Ünïcode & <Markup> 'quotes' \"too\"", "de-AT"),
    )
    box = samples.folder(entry_uuid=named("Folder01"), patient_id=patient, extra=extra)
    one = samples.submission_set(entry_uuid=named("Set01"), patient_id=patient)
    link = samples.association(urns.APND, other, entry, documentation=samples.REPORT)
    sent = samples.submission(
        [entry, other], folders=[box], associations=[link], filed=[(box, entry)], set_=one
    )
    renamed = {each.entry_uuid: named(f"as{n}") for n, each in enumerate(sent.associations)}
    associations = tuple(
        replace(
            each,
            entry_uuid=renamed[each.entry_uuid],
            target_object=renamed.get(each.target_object, each.target_object),
        )
        for each in sent.associations
    )
    return replace(sent, associations=associations)


def plain(text: str) -> str:
    return text


def cdata(text: str) -> str:
    """Values in CDATA sections."""
    return re.sub(
        r"<rim:Value>([^<]*)</rim:Value>",
        lambda found: f"<rim:Value><![CDATA[{unescape(found[1])}]]></rim:Value>",
        text,
    )


WRITTEN = {
    "as we write": plain,
    "default namespace": dialects.default_namespace,
    "odd prefixes": dialects.odd_prefixes,
    "white space and comments": dialects.pretty,
    "comments inside values": dialects.comments_in_values,
    "CDATA": cdata,
    "objects backwards": dialects.objects_backwards,
    "labels last": dialects.loose_labels,
    "labels first": dialects.loose_labels_first,
    "xsi:type": dialects.xsi_types,
    "xsi:type without prefix": dialects.xsi_types_without_prefix,
    "slots and references beside": dialects.extra_parts,
}
CASES = [
    *(pytest.param(change, IDS["plain"], id=name) for name, change in WRITTEN.items()),
    *(
        pytest.param(plain, ids, id=f"ids: {name}", marks=pytest.mark.proves("MD-067", "MD-069"))
        for name, ids in IDS.items()
        if ids != IDS["plain"]
    ),
]

_FIXED_BY_REGISTRY = ("lastUpdateTime",)


def found_as_xml(domain: Domain, patient: CX) -> etree._Element:
    """Everything of a patient as LeafClass, raw."""
    kinds = ("DocumentEntry", "SubmissionSet", "Folder")
    statuses = (many(f"$XDS{kind}Status", [urns.APPROVED]) for kind in kinds)
    body = nodes.query_body(queries.GET_ALL, single("$patientId", str(patient)), *statuses)
    message = nodes.envelope(transactions.STORED_QUERY, body)
    response = dialect.post(domain.registry.address, "/registry", message)
    assert (response.status, response.outcome) == (200, "Success"), response.body
    return nodes.body_of(response)


def check_returned(answer: etree._Element, schema: etree.XMLSchema) -> None:
    """metadata-validation-checklist section 6, but for what only gateways and failures show."""
    schema.assertValid(answer)
    for obj in facts.objects(answer):
        is_linked = facts.kind(obj) == "Association"
        assert obj.get("status") == urns.APPROVED or is_linked
        assert obj.get("lid") == obj.get("id")
        (version,) = obj.findall(f"{R}VersionInfo")
        assert version.get("versionName") == "1"
        for each in (obj, *obj.iter(f"{R}Classification", f"{R}ExternalIdentifier")):
            id_ = each.get("id", "")
            assert id_ == UUID(id_.removeprefix("urn:uuid:")).urn
        for each in obj.iter(f"{R}Classification"):
            assert each.get("classifiedObject") == obj.get("id")
        for each in obj.iter(f"{R}ExternalIdentifier"):
            assert each.get("registryObject") == obj.get("id")
            assert each.findall(f"{R}Name/{R}LocalizedString")
        order = [etree.QName(child).localname for child in obj if isinstance(child.tag, str)]
        wanted = ("Slot", "Name", "Description", "VersionInfo", "Classification",
                  "ExternalIdentifier")  # fmt: skip
        assert order == sorted(order, key=wanted.index)
        if is_linked:
            assert obj.get("associationType", "").startswith("urn:")
            for end in ("sourceObject", "targetObject"):
                assert UUID(obj.get(end, "").removeprefix("urn:uuid:")).urn == obj.get(end)
        elif facts.kind(obj) == "RegistryPackage":
            assert len(obj.xpath("*[@classificationNode]")) == 1
        else:
            slots = {fact[1] for fact in facts.slots(obj)}
            assert slots >= {"hash", "size", "repositoryUniqueId", "creationTime", "languageCode"}


def compare(
    submission: Submission, answer: etree._Element, *left_out: str
) -> dict[str, etree._Element]:
    """Every object that was sent, found once with all it said; the ends of associations agree."""
    sent = etree.fromstring(nodes.register_body(submission).encode())
    left = facts.objects(answer)
    paired: dict[str, etree._Element] = {}
    for obj in facts.objects(sent):
        if facts.kind(obj) == "Association":
            continue
        wanted = facts.without(facts.of(obj), *left_out, *_FIXED_BY_REGISTRY)
        same = [
            one
            for one in left
            if facts.without(facts.of(one), *left_out, *_FIXED_BY_REGISTRY) == wanted
        ]
        assert len(same) == 1, (wanted, [facts.of(one) for one in left])
        paired[obj.get("id", "")] = same[0]
        left.remove(same[0])

    def links(found: list[etree._Element]) -> Counter[object]:
        """Associations by kind, facts and the uniqueIds at their ends, to any depth."""
        by_id = {each.get("id"): each for each in found}

        def named(id_: str | None) -> object:
            obj = by_id[id_]
            if facts.kind(obj) != "Association":
                (value,) = obj.xpath(
                    "*[local-name()='ExternalIdentifier']"
                    "[.//@value[contains(., 'uniqueId')]]/@value"
                )
                return str(value)
            ends = named(obj.get("sourceObject")), named(obj.get("targetObject"))
            return (*ends, frozenset(facts.of(obj).items()))

        return Counter(named(e.get("id")) for e in found if facts.kind(e) == "Association")

    assert links(facts.objects(answer)) == links(facts.objects(sent))
    return paired


@pytest.mark.proves(
    "REG-131", "SQ-070", "SQ-071", "SQ-072", "SQ-073", "SQ-083", "SQ-147", "MD-053", "MD-071",
    "MD-181", "REG-122", "SQ-005",
)  # fmt: skip
@pytest.mark.parametrize(("change", "ids"), CASES)
def test_registered_in_any_dialect_found_as_sent(
    local: Domain,
    patient: CX,
    schema: etree.XMLSchema,
    change: Callable[[str], str],
    ids: str,
) -> None:
    submission = whole(patient, ids)
    text = nodes.register_body(submission)
    message = nodes.envelope(transactions.REGISTER, change(text))
    response = dialect.post(local.registry.address, "/registry", message)
    assert (response.outcome, response.errors) == ("Success", []), response.body
    schema.assertValid(nodes.body_of(response))
    answer = found_as_xml(local, patient)
    check_returned(answer, schema)
    paired = compare(submission, answer)
    if not ids:  # MD-069: UUIDs that were sent are kept
        assert all(one.get("id") == id_ for id_, one in paired.items())
        sent = {each.entry_uuid for each in submission.associations}
        back = {e.get("id") for e in facts.objects(answer) if facts.kind(e) == "Association"}
        assert back == sent


# metadata.md section 3, written down here once more so that no writer can leave one out unseen:
# slots, number of Classifications (labels left out), number of ExternalIdentifiers
EVERYTHING = {
    "ExtrinsicObject": (
        {"creationTime", "hash", "languageCode", "legalAuthenticator", "repositoryUniqueId",
         "serviceStartTime", "serviceStopTime", "size", "sourcePatientId", "sourcePatientInfo",
         "URI", "urn:ihe:iti:xds:2013:referenceIdList", "urn:example:extra"},
        11, 2,
    ),
    "SubmissionSet": ({"submissionTime", "intendedRecipient"}, 2, 3),
    "Folder": ({"urn:example:extra"}, 1, 2),
}  # fmt: skip


@pytest.mark.proves("MD-052", "MD-057", "REG-002")
def test_what_the_dialects_say_is_everything(patient: CX) -> None:
    text = nodes.register_body(whole(patient, IDS["plain"]))
    sent = facts.objects(etree.fromstring(text.encode()))
    by_id = {each.get("id"): each for each in sent}
    for id_, name in (("Document01", "ExtrinsicObject"), ("Set01", "SubmissionSet"),
                      ("Folder01", "Folder")):  # fmt: skip
        found = facts.of(by_id[id_])
        slots, classifications, identifiers = EVERYTHING[name]
        assert {fact[1] for fact in found if fact[0] == "Slot"} == slots
        kinds = Counter(fact[0] for fact in found.elements())
        assert kinds["Classification"] == classifications
        assert kinds["Identifier"] == identifiers
        assert kinds["Name"] == 1
        assert kinds["Description"] == (name == "ExtrinsicObject")
    (author, *_) = (
        dict(fact[3])  # type: ignore[call-overload]
        for fact in facts.of(by_id["Document01"])
        if fact[0] == "Classification" and fact[2] == ""
    )
    assert {fact[1] for fact in author if fact[0] == "Slot"} & {"authorPerson"}


ADDED = ("hash", "size", "repositoryUniqueId")


@pytest.mark.proves(
    "REG-028", "REG-029", "REG-032", "REG-131", "SQ-070", "MD-053", "MD-067", "MD-071", "MD-182",
    "MD-183", "REG-003",
)  # fmt: skip
@pytest.mark.parametrize(("change", "ids"), CASES)
def test_provided_in_any_dialect_found_as_sent(
    domain: Domain,
    patient: CX,
    schema: etree.XMLSchema,
    change: Callable[[str], str],
    ids: str,
) -> None:
    submission = whole(patient, ids)
    entries = tuple(
        replace(each, hash=None, size=None, repository_unique_id=samples.REPOSITORY)
        for each in submission.entries
    )
    submission = replace(submission, entries=entries)
    documents = tuple(Document(each.entry_uuid, samples.staged()) for each in entries)
    request = ProvideRequest(submission, documents)
    includes = [dialect.include(f"part{n}@test") for n in range(len(entries))]
    whole_text = nodes.provide_body(request, includes)
    metadata = re.search("<lcm:SubmitObjectsRequest.*</lcm:SubmitObjectsRequest>", whole_text)
    assert metadata
    text = whole_text.replace(metadata[0], change(metadata[0]))
    parts = [dialect.part(CONTENT, f"<part{n}@test>") for n in range(len(entries))]
    message = nodes.envelope(transactions.PROVIDE_AND_REGISTER, text)
    body = dialect.multipart(*reversed(parts), dialect.root(message))
    response = dialect.post(domain.repository.address, "/repository", body, dialect.mtom_type())
    assert response.is_mtom
    assert (response.outcome, response.errors) == ("Success", []), response.body
    schema.assertValid(nodes.body_of(response))
    answer = found_as_xml(domain, patient)
    check_returned(answer, schema)
    paired = compare(submission, answer, *ADDED)
    for each in entries:
        slots = {fact[1]: fact[2] for fact in facts.slots(paired[each.entry_uuid])}
        assert slots["hash"] == (samples.staged().sha1,)
        assert slots["size"] == (str(len(CONTENT)),)
        assert slots["repositoryUniqueId"] == (domain.repository_id,)
    assert domain.retrieve(*(each.unique_id for each in entries)) == {
        str(each.unique_id): CONTENT for each in entries
    }


@pytest.mark.proves("SQ-013", "SQ-005", "REG-141", "REG-142")
def test_answers_that_fail_are_valid_too(domain: Domain, schema: etree.XMLSchema) -> None:
    bad = whole(samples.PATIENT, IDS["plain"])
    bad = replace(bad, entries=tuple(replace(e, class_code=None) for e in bad.entries))
    unknown = many("$XDSDocumentEntryStatus", [urns.APPROVED])
    for path, kind, row, text in (
        ("/registry", dialect.SIMPLE, transactions.REGISTER, nodes.register_body(bad)),
        (
            "/registry",
            dialect.SIMPLE,
            transactions.STORED_QUERY,
            nodes.query_body(queries.FIND_DOCUMENTS, unknown),
        ),
        (
            "/repository",
            dialect.mtom_type(),
            transactions.RETRIEVE,
            nodes.retrieve_body(domain.repository_id, "1.2.3.4.5.6.7"),
        ),
    ):
        message = nodes.envelope(row, text)
        node = domain.registry if path == "/registry" else domain.repository
        if kind != dialect.SIMPLE:
            message = dialect.multipart(dialect.root(message))
        response = dialect.post(node.address, path, message, kind)
        assert (response.status, response.outcome) == (200, "Failure"), response.body
        assert response.errors
        schema.assertValid(nodes.body_of(response))


@pytest.mark.proves("SQ-063", "REG-094", "SQ-074", "REG-030")
def test_an_identical_document_has_two_entries_and_one_file(domain: Domain, patient: CX) -> None:
    id_ = Identifier(samples.new_oid())
    before, _ = domain.repository.files()
    for _ in range(2):
        request = samples.provide(CONTENT, patient_id=patient, unique_id=id_)
        assert domain.provide(request).errors == ()
    after, _ = domain.repository.files()
    assert len(after) == len(before) + 1
    found = domain.find(queries.GET_DOCUMENTS, many("$XDSDocumentEntryUniqueId", [str(id_)]))
    assert len(found) == 2
    assert domain.retrieve(id_) == {str(id_): CONTENT}
