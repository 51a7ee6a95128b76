"""Files of accepted codes, in the XML form that Connectathon tools use.

    <Codes>
      <CodeType name="classCode" classScheme="urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a">
        <Code code="REPORTS" codingScheme="1.3.6.1.4.1.19376.1.2.6.1" display="Reports"/>
      </CodeType>
      <CodeType name="mimeType"><Code code="application/pdf"/></CodeType>
      <CodingScheme id="1.2.840.10008.2.16.4" same="DCM"/>
    </Codes>

`CodingScheme` is ours: both names of the scheme count as one (MD-100). Other elements and
attributes are read past.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from xdsi.model.errors import SoapFault
from xdsi.wire import safexml
from xdsi.wire.body import Element
from xdsi.wire.frame import local


@dataclass(frozen=True, slots=True)
class AcceptedCode:
    """A line of a file. scheme: empty where the attribute has none, such as mimeType."""

    code: str
    scheme: str
    display: str


@dataclass(frozen=True, slots=True)
class CodeFile:
    """What a file accepts.

    codes: by classScheme of the CodeType, or by its name where it has no classScheme
    same: another name of a coding scheme -> its name in this file
    """

    codes: dict[str, tuple[AcceptedCode, ...]]
    same: dict[str, str]


def codes_from_xml(data: bytes) -> CodeFile:
    """The codes of a file. Raises ValueError, in one sentence, for one that cannot be used."""
    try:
        root = safexml.parse(data)
    except SoapFault as error:
        raise ValueError(error.reason.replace("the envelope", "the file")) from None
    if local(str(root.tag)) != "Codes":
        raise ValueError(f"expected the element Codes, got {local(str(root.tag))}")
    codes: dict[str, tuple[AcceptedCode, ...]] = {}
    same: dict[str, str] = {}
    for child in root:
        if local(str(child.tag)) == "CodeType":
            key = child.get("classScheme") or _needed(child, "name")
            codes[key] = (*codes.get(key, ()), *_codes(child))
        elif local(str(child.tag)) == "CodingScheme":
            same[_needed(child, "same")] = _needed(child, "id")
    if not codes:
        raise ValueError("holds no CodeType")
    return CodeFile(codes, same)


def _codes(element: Element) -> Iterator[AcceptedCode]:
    has_schemes = bool(element.get("classScheme"))
    for child in element:
        if local(str(child.tag)) == "Code":
            scheme = _needed(child, "codingScheme") if has_schemes else child.get("codingScheme")
            yield AcceptedCode(_needed(child, "code"), scheme or "", child.get("display") or "")


def _needed(element: Element, name: str) -> str:
    if not (value := element.get(name)):
        what = f"{local(str(element.tag))} in line {element.sourceline}"
        raise ValueError(f"{what} has no {name}")
    return value
