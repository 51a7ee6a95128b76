"""XML from strangers: parsed without DTD, network or recovery, inside fixed limits.

How a normal message stays cheap: every limit that libxml2 does not know itself is first judged
by a test that works at the speed of a byte search and errs only on the safe side (no run of
bytes between two `<` long enough, no comment, no declaration). Only a message that does not
pass it is walked through event by event, and only that walk refuses.
Source: XML 1.0, SOAP 1.2 part 1 section 5 (no DTD); WS-042, WS-043, SEC-T-034 to SEC-T-037,
SEC-T-070 to SEC-T-076.
"""

import codecs
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from lxml import etree

from xdsi.model.errors import SoapFault, shown


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """Bounds of one envelope.

    envelope: bytes, inline documents not counted (SEC-T-034)
    depth: elements inside each other, the root counted (SEC-T-035)
    attributes, namespaces: per element; namespace declarations count as the latter (SEC-T-035)
    elements: in the whole message (SEC-T-036)
    text: characters of one attribute, or of the text between two tags (SEC-T-037)
    token: bytes of one tag, comment or processing instruction while streaming
    """

    envelope: int = 16 * 1024 * 1024
    depth: int = 64
    attributes: int = 64
    namespaces: int = 64
    elements: int = 1_000_000
    text: int = 64 * 1024
    token: int = 1024 * 1024


_DECLARED = (b"<?xml ", b"<?xml\t", b"<?xml\r", b"<?xml\n")
_DECLARATION = re.compile(
    rb"""<\?xml [ \t\r\n]+ version [ \t\r\n]* = [ \t\r\n]* (["'])([A-Za-z0-9._:-]+)\1
    (?: [ \t\r\n]+ encoding [ \t\r\n]* = [ \t\r\n]* (["'])([A-Za-z0-9._:-]+)\3 )?
    (?: [ \t\r\n]+ standalone [ \t\r\n]* = [ \t\r\n]* ("yes"|'yes'|"no"|'no') )?
    [ \t\r\n]* \?>""",
    re.VERBOSE,
)
# White space, comments and processing instructions, then a DOCTYPE: the only place for one.
_DOCTYPE = re.compile(rb"(?:[ \t\r\n]++|<!--(?s:.*?)-->|<\?(?s:.*?)\?>)*+<!DOCTYPE")
_ERRORS = {
    code: re.sub(r"^(NS_)?(ERR|WAR)_", "", name).lower().replace("_", " ")
    for name, code in vars(etree.ErrorTypes).items()
    if re.match(r"(NS_)?(ERR|WAR)_", name) and isinstance(code, int)
}
_DEEPEST = 257  # elements inside each other that libxml2 lets pass where it makes no tree


class _Nothing:
    """Takes what a parser finds, and wants none of it."""

    def close(self) -> None: ...


def _parser(target: Any) -> etree.XMLParser:
    """target: takes what is found, instead of a tree."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        recover=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        target=target,
    )


def _nests(depth: int) -> bool:
    try:
        etree.fromstring(b"<a>" * depth + b"</a>" * depth, _parser(_Nothing()))
    except etree.XMLSyntaxError:
        return False
    return True


# lxml may have been built with another libxml2 than ours
_IS_BOUNDED = _nests(_DEEPEST) and not _nests(_DEEPEST + 1)


class _Own(threading.local):
    """What each thread has for itself.

    To make a parser takes as long as to parse a small envelope. An expression lets one thread
    after the other use it, each of which then waits for the interpreter as well.
    """

    def __init__(self) -> None:
        self._deeper: dict[int, etree.XPath] = {}
        self.strict = _parser(None)
        self.treeless = _parser(_Nothing())

    def deeper_than(self, depth: int) -> etree.XPath:
        """Tells whether more elements are inside each other."""
        if depth not in self._deeper:
            self._deeper[depth] = etree.XPath(f"boolean({'/*' * (depth + 1)})")
        return self._deeper[depth]


_own = _Own()


def parse(
    data: bytes, *, charset: str | None = None, limits: XmlLimits = XmlLimits()
) -> etree._Element:
    """The root element of a message, without comments and processing instructions.

    data: the whole envelope
    charset: parameter of its Content-Type, None when absent
    Raises SoapFault Sender for everything that is not plain well-formed XML inside the limits;
    nothing is ever opened, fetched or expanded.
    """
    if len(data) > limits.envelope:
        raise SoapFault("Sender", f"the envelope is above {limits.envelope} bytes")
    body = utf8(data, charset)
    if _DOCTYPE.match(body):
        raise doctype_refused()
    if is_walked := _needs_walk(body, limits):
        _walk(body, limits)
    try:
        root = etree.fromstring(body, _own.strict)
    except etree.XMLSyntaxError as error:
        raise not_well_formed(
            _ERRORS.get(getattr(error, "code", None) or 0, ""), error.lineno
        ) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise doctype_refused()
    if not is_walked and _own.deeper_than(limits.depth)(root):
        raise above("elements inside each other", limits.depth)
    return root


def is_plain(text: bytes, limits: XmlLimits) -> bool:
    """Whether `parse` would take a message without comments and instructions, found without a tree.

    text: in UTF-8, see `utf8`; of more or less than one element the elements are judged
    False where that is not known. Raises SoapFault Sender for floods.
    """
    if not _IS_BOUNDED or len(text) > limits.envelope or _needs_walk(text, limits):
        return False
    # the parser's own bound is made ours by elements around; with a tree it is one less
    around = max(1, _DEEPEST - limits.depth)
    try:
        etree.fromstring(b"<a>" * around + text + b"</a>" * around, _own.treeless)
    except etree.XMLSyntaxError:
        return False
    return not _own.treeless.error_log  # of namespaces it only tells


def utf8(data: bytes, charset: str | None = None) -> bytes:
    """The message in UTF-8 without byte-order mark and XML declaration.

    Accepts UTF-8 with or without byte-order mark and UTF-16 with one. Raises SoapFault Sender
    for any other encoding, and when mark, declaration and charset disagree (SEC-T-073).
    """
    encoding = encoding_of(data[:4])
    if charset is not None:
        check_encoding(charset, encoding, "charset of Content-Type")
    if encoding == "utf-16":
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:
            raise not_well_formed("broken UTF-16", 0) from None
    else:
        data = data.removeprefix(codecs.BOM_UTF8)
    if data.startswith(codecs.BOM_UTF8):
        raise SoapFault("Sender", "the envelope has two byte-order marks")
    if not data.startswith(_DECLARED):
        return data
    declaration = _DECLARATION.match(data)
    if declaration is None:
        raise SoapFault("Sender", "the XML declaration is malformed")
    name = declaration[4]
    check_declaration(declaration[2].decode(), None if name is None else name.decode(), encoding)
    data = data[declaration.end() :]
    if data.startswith(_DECLARED):
        raise SoapFault("Sender", "the envelope has two XML declarations")
    return data


def encoding_of(head: bytes) -> str:
    """`utf-8` or `utf-16`, judged by the first four bytes.

    Raises SoapFault Sender for UTF-16 without byte-order mark and for UTF-32.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) or b"\0\0" in head[:4]:
        raise SoapFault("Sender", "the envelope is not in UTF-8 or UTF-16")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise SoapFault("Sender", "the envelope is in UTF-16 without byte-order mark; put one")
    return "utf-8"


def check_declaration(version: str, name: str | None, actual: str) -> None:
    """Raises SoapFault Sender unless an XML declaration says 1.0 and the actual encoding."""
    if version != "1.0":
        raise SoapFault("Sender", f"XML version {shown(version, 40)}; send 1.0")
    if name is not None:
        check_encoding(name, actual, "encoding of the XML declaration")


def check_encoding(name: str, actual: str, where: str) -> None:
    """Raises SoapFault Sender unless `name`, found at `where`, is the actual encoding."""
    if name.strip().lower() != actual:
        raise SoapFault(
            "Sender",
            f"{where} is {shown(name, 40)}, the bytes are {actual.upper()}; "
            "send UTF-8, or UTF-16 with byte-order mark",
        )


def doctype_refused() -> SoapFault:
    """The fault for a DOCTYPE (SEC-T-070)."""
    return SoapFault("Sender", "the envelope has a DOCTYPE; SOAP forbids it, send none")


def above(what: str, limit: int) -> SoapFault:
    """The fault for more than a limit allows (SEC-T-034 to SEC-T-037)."""
    return SoapFault("Sender", f"more than {limit} {what} in the envelope")


def not_well_formed(what: str, line: int | None) -> SoapFault:
    """The fault for broken XML; `what` comes from the parser, never from the message."""
    place = f" in line {line}" if line else ""
    return SoapFault("Sender", f"the envelope is not well-formed XML{place}: {what or 'broken'}")


def _long_runs(body: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Start and end of each `<` with at least so many bytes behind it and no other `<`.

    All others are stepped over by leaps to the last `<` that is near enough.
    """
    at = body.find(b"<")
    while at >= 0:
        near = body.rfind(b"<", at + 1, at + least + 1)
        if near < 0:
            near = body.find(b"<", at + 1)
            end = len(body) if near < 0 else near
            if end - at > least:
                yield at, end
        at = near


def _needs_walk(body: bytes, limits: XmlLimits) -> bool:
    """False only if no limit but depth can be exceeded; raises SoapFault Sender for floods."""
    # An element takes four bytes (`<a/>`), so big messages alone need a count. Comments and
    # the like are in it: near the limit the walk tells, far above it nobody needs to know.
    must_walk = False
    if len(body) > 4 * limits.elements:
        tags = body.count(b"<") - body.count(b"</")
        if tags > 2 * limits.elements:
            raise above("elements", limits.elements)
        must_walk = tags > limits.elements
    # one byte is looked for faster than two
    must_walk = must_walk or any(mark in body and b"<" + mark in body for mark in (b"!", b"?"))
    fewest = min(limits.attributes, limits.namespaces)
    # a tag with n attributes or declarations has at least 5 n bytes: ` a=""`
    least = max(1, 5 * (min(fewest, limits.text // 5) + 1))
    for start, end in _long_runs(body, least):
        size = end - start
        if size > limits.token + limits.text:
            raise above("bytes in one tag and the text behind it", limits.token + limits.text)
        must_walk = must_walk or size > limits.text or body.count(b"=", start, end) > fewest
    return must_walk


def _walk(body: bytes, limits: XmlLimits) -> None:
    """Judge every element and text of a message; raises SoapFault Sender."""
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    depth = elements = text = 0

    def start(name: str, attributes: list[str]) -> None:
        nonlocal depth, elements, text
        depth, elements, text = depth + 1, elements + 1, 0
        if depth > limits.depth:
            raise above("elements inside each other", limits.depth)
        if elements > limits.elements:
            raise above("elements", limits.elements)
        if attributes:
            declared = sum(n == "xmlns" or n.startswith("xmlns:") for n in attributes[::2])
            if declared > limits.namespaces:
                raise above("namespace declarations on one element", limits.namespaces)
            if len(attributes) // 2 - declared > limits.attributes:
                raise above("attributes on one element", limits.attributes)
            if max(map(len, attributes)) > limits.text:
                raise above("characters in one attribute", limits.text)

    def end(name: str) -> None:
        nonlocal depth, text
        depth, text = depth - 1, 0

    def characters(data: str) -> None:
        nonlocal text
        text += len(data)
        if text > limits.text:
            raise above("characters in one text", limits.text)

    def doctype(*_: object) -> None:
        raise doctype_refused()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise not_well_formed(expat.ErrorString(error.code), error.lineno) from None
