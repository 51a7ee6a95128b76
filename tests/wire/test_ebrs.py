"""RegistryResponse and RegistryErrorList."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import bodies, strategies
from xdsi.model.errors import (
    SoapFault,
    UnresolvedReferenceException,
    XDSError,
    XDSExtraMetadataNotSaved,
    XDSRegistryMetadataError,
    received,
)
from xdsi.model.messages import RegistryAnswer
from xdsi.standard import urns
from xdsi.standard.namespaces import RS
from xdsi.wire import ebrs

ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"

errors = st.builds(
    received,
    st.sampled_from(sorted(XDSError.by_code)) | strategies.texts().filter(bool),
    strategies.texts(max_size=400),
    st.sampled_from([ERROR, WARNING]),
    strategies.texts(),
)


def element(answer: RegistryAnswer) -> etree._Element:
    return bodies.inline(ebrs.answer_to_xml(answer))


def told(error: XDSError) -> tuple[str, str, str]:
    return error.code, error.context, error.severity


@pytest.mark.proves("REG-142", "MD-043")
@given(st.lists(errors, max_size=6).map(tuple))
@settings(max_examples=60, deadline=None)
def test_errors_come_back(schema: etree.XMLSchema, found: tuple[XDSError, ...]) -> None:
    written = element(RegistryAnswer(found))
    schema.assertValid(written)
    again = ebrs.answer_from_xml(written, {}).errors
    assert sorted(map(told, again)) == sorted(map(told, found))
    assert [each.is_warning for each in again] == sorted(each.is_warning for each in found)
    for error in written.iter(f"{{{RS}}}RegistryError"):
        assert set(error.attrib) == {"errorCode", "codeContext", "severity", "location"}
        assert error.text is None


@pytest.mark.proves("REG-140", "MD-042")
def test_success_without_remarks_has_no_error_list() -> None:
    written = element(RegistryAnswer())
    assert len(written) == 0
    assert dict(written.attrib) == {
        "status": "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
    }


CASES = [
    ((XDSExtraMetadataNotSaved("urn:example:x"),), urns.SUCCESS, WARNING),
    ((XDSRegistryMetadataError("x"),), urns.FAILURE, ERROR),
    ((XDSExtraMetadataNotSaved("x"), XDSRegistryMetadataError("y")), urns.FAILURE, ERROR),
]


@pytest.mark.proves("REG-141", "REG-143")
@pytest.mark.parametrize(("found", "status", "worst"), CASES, ids=["warning", "error", "both"])
def test_status_and_highest_severity(
    schema: etree.XMLSchema, found: tuple[XDSError, ...], status: str, worst: str
) -> None:
    written = element(RegistryAnswer(found))
    schema.assertValid(written)
    assert written.get("status") == status
    assert written[0].get("highestSeverity") == worst
    assert ebrs.answer_from_xml(written, {}).status == status


def test_context_is_one_line_and_location_the_id_as_sent() -> None:
    error = XDSRegistryMetadataError(
        "1.2 DocumentEntry.title", "bad", value="a\nb\u202e", rule="REG-071", location="Document01"
    )
    (found,) = element(RegistryAnswer((error,))).iter(f"{{{RS}}}RegistryError")
    assert found.get("codeContext") == (
        "1.2 DocumentEntry.title: bad, got 'a\\u000ab\\u202e' [REG-071]"
    )
    assert found.get("location") == "Document01"
    assert found.get("errorCode") == "XDSRegistryMetadataError"


@pytest.mark.parametrize(("count", "entries"), [(99, 99), (100, 100), (101, 101), (5000, 101)])
def test_at_most_100_findings_then_one_that_counts_the_rest(count: int, entries: int) -> None:
    found = tuple(XDSRegistryMetadataError(f"{number}") for number in range(count))
    listed = ebrs.answer_from_xml(element(RegistryAnswer(found)), {}).errors
    assert len(listed) == entries
    if count > 100:
        assert listed[-1].context.startswith(f"{count - 100} further findings")
        assert not listed[-1].is_warning


def test_the_limit_never_hides_why_a_request_failed() -> None:
    warnings = [XDSExtraMetadataNotSaved(f"urn:example:{number}") for number in range(150)]
    found = (*warnings, UnresolvedReferenceException("Document01"))
    written = element(RegistryAnswer(found))
    assert written[0].get("highestSeverity") == ERROR
    assert ebrs.answer_from_xml(written, {}).errors[0].code == "UnresolvedReferenceException"


def test_received_errors_pass_unchanged() -> None:
    """Code, context, severity and location, own codes of the sender included."""
    text = (
        f'<r:RegistryResponse xmlns:r="{RS}" status="{urns.FAILURE}"><r:RegistryErrorList>'
        f'<r:RegistryError errorCode="MyOwnError" codeContext="a &lt; b" location="doc 1"/>'
        f'<r:RegistryError errorCode="XDSRegistryError" codeContext="" severity="{WARNING}"/>'
        "</r:RegistryErrorList></r:RegistryResponse>"
    )
    answer = ebrs.answer_from_xml(etree.fromstring(text), {})
    expected = [("MyOwnError", "a < b", ERROR), ("XDSRegistryError", "", WARNING)]
    assert [told(each) for each in answer.errors] == expected
    assert [each.location for each in answer.errors] == ["doc 1", ""]
    again = ebrs.answer_from_xml(element(answer), {})
    assert [told(each) for each in again.errors] == expected


def test_received_errors_that_are_none_are_made_some() -> None:
    text = (
        f'<r:RegistryResponse xmlns:r="{RS}" status="{urns.FAILURE}"><r:RegistryErrorList>'
        f'<r:RegistryError errorCode="" codeContext="x" severity="Foo"/>'
        f'<r:RegistryError errorCode="{"Long" * 2000}" codeContext="y"/>'
        "</r:RegistryErrorList></r:RegistryResponse>"
    )
    first, second = ebrs.answer_from_xml(etree.fromstring(text), {}).errors
    assert told(first) == ("XDSRegistryError", "x", ERROR)
    assert second.code == "Long" * 64


def test_failure_without_an_error_is_still_a_failure() -> None:
    text = f'<RegistryResponse xmlns="{RS}" status="{urns.FAILURE}"/>'
    answer = ebrs.answer_from_xml(etree.fromstring(text), {})
    assert answer.status == urns.FAILURE
    assert [each.code for each in answer.errors] == ["XDSRegistryError"]


def test_another_element_is_a_fault() -> None:
    with pytest.raises(SoapFault, match="expected"):
        ebrs.answer_from_xml(etree.fromstring("<RegistryResponse/>"), {})
