"""What the ebRIM reader finds wrong with the form of objects, collected while it reads.

Each finding is an XDSRegistryMetadataError; `location` is the id of the object as it was sent.
Source: ITI TF-3 4.2.3.1 (MD-055 to MD-081, REG-060, REG-076); WS-083.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from xdsi.model.errors import (
    XDSError,
    XDSExtraMetadataNotSaved,
    XDSRegistryMetadataError,
    shown,
)
from xdsi.model.objects import Association
from xdsi.model.values import is_uuid
from xdsi.standard import urns
from xdsi.standard.namespaces import RIM, tag
from xdsi.wire.body import Element
from xdsi.wire.frame import local
from xdsi.wire.layout import Layout

LONG_NAME = 256  # characters (MD-073)
MOST_FINDINGS = 1_000  # an answer shows 100; reading on would only cost time and memory
VERSION_NAME = 16  # characters (MD-079)
_SLOT = tag(RIM, "Slot")
_CONTENT_VERSION = tag(RIM, "ContentVersionInfo")
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{1,31}:[^\s\x00-\x20<>\"{}|\\^`]+", re.IGNORECASE)


class EnoughFound(Exception):
    """The message is broken in more places than anybody wants to know."""


@dataclass(slots=True)
class Message:
    """What is known of the message while its objects are read.

    ids: every id seen, to find doubles; labels: nodes of loose Classifications by object id
    remarks: warnings, apart because they never end the reading
    """

    findings: list[XDSError] = field(default_factory=list)
    remarks: list[XDSError] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    labels: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def find(
        self, what: str, problem: str, rule: str, location: str, value: str | None = None
    ) -> None:
        self.findings.append(
            XDSRegistryMetadataError(what, problem, rule=rule, location=location, value=value)
        )
        if len(self.findings) >= MOST_FINDINGS:
            raise EnoughFound

    def check_lost(self, element: Element, what: str, location: str) -> None:
        """Slots of an element that the model has no room for (REG-077)."""
        names = [each.get("name", "") for each in element.iterchildren(_SLOT)]
        if names and len(self.remarks) < MOST_FINDINGS:
            problem = f"its {len(names)} Slots are not kept, the first is {shown(names[0])}"
            self.remarks.append(
                XDSExtraMetadataNotSaved(what, problem, rule="REG-077", location=location)
            )


@dataclass(slots=True)
class Reading:
    """One object while it is read. values: fields of the dataclass to be."""

    message: Message
    layout: Layout
    id: str
    values: dict[str, Any]

    def find(self, attribute: str, problem: str, rule: str, value: str | None = None) -> None:
        what = f"{self.title}.{attribute}" if attribute else self.title
        self.message.find(what, problem, rule, self.id, value)

    @property
    def title(self) -> str:
        """The object as error texts name it."""
        return f"{named(self.id)} {self.layout.title}"


def named(id_: str) -> str:
    """An id as sent, for an error text; cut, since nothing limits its length."""
    return id_[:LONG_NAME] or "(no id)"


def check_id(id_: str, what: str, location: str, message: Message) -> None:
    """There, once in the message, and well formed if it is to be a UUID (MD-066, MD-072)."""
    if not id_:
        message.find(what, "id missing; give it a UUID URN or a symbolic id", "REG-060", location)
    elif id_ in message.ids:
        message.find(
            what, "id occurs more than once in the message", "REG-060", location, value=id_
        )
    else:
        message.ids.add(id_)
        if id_.startswith(urns.UUID_PREFIX) and not is_uuid(id_):
            message.find(
                what,
                "id malformed; urn:uuid: is followed by 8-4-4-4-12 hex digits in lower case",
                "MD-072" if is_uuid(id_.lower()) else "MD-066",
                location,
                value=id_,
            )


def check_object_type(now: Reading, attributes: dict[str, str]) -> None:
    """A fixed @objectType may be absent, but must not be another one (MD-008, MD-009)."""
    sent = attributes.get("objectType")
    if now.layout.object_type and sent is not None and sent != now.layout.object_type:
        rule = "MD-009" if now.layout.kind is Association else "MD-008"
        now.find("objectType", f"must be {now.layout.object_type}", rule, sent)


def check_nested(
    attributes: dict[str, str], title: str, back: str, type_: str, rule: str, now: Reading
) -> None:
    """What Classifications and ExternalIdentifiers share. back: the attribute naming the parent."""
    check_id(attributes.get("id", ""), f"{now.title}.{title}", now.id, now.message)
    if (parent := attributes.get(back)) != now.id:
        now.find(title, f"{back} must be the id of the object around it", "MD-055", parent)
    if (sent := attributes.get("objectType")) is not None and sent != type_:
        now.find(title, f"objectType must be {type_}", rule, sent)


def unexpected(now: Reading, child: Element) -> None:
    """Comments and processing instructions are nothing; other elements would be lost."""
    if isinstance(child.tag, str) and child.tag != _CONTENT_VERSION:
        now.find("", f"child element {local(child.tag)} is not part of IHE metadata", "WS-083")


def wrong_order(now: Reading, child: Element) -> None:
    order = "Slot, Name, Description, VersionInfo, Classification, ExternalIdentifier"
    now.find("", f"child element {local(str(child.tag))} too late; the order is {order}", "WS-083")


def check_length(now: Reading, attribute: str, value: str) -> None:
    """MD-073."""
    if len(value) > LONG_NAME:
        now.find(attribute, f"longer than {LONG_NAME} characters", "MD-073", value)


def check_version(now: Reading, element: Element) -> None:
    """MD-079; what version is sent has no effect (MD-179)."""
    if len(name := element.get("versionName", "")) > VERSION_NAME:
        problem = f"versionName longer than {VERSION_NAME} characters"
        now.find("VersionInfo", problem, "MD-079", name)


def check_extra_name(name: str, inside: str, now: Reading) -> None:
    """Extra metadata are named by a URN outside urn:ihe: (MD-081, REG-076)."""
    check_length(now, inside + "slot name", name)
    if not name:
        now.find(inside + "slot", "name missing", "WS-083")
    elif name.lower().startswith(urns.IHE_PREFIX):
        now.find(
            inside + name, "names in urn:ihe are reserved and this one is not defined", "MD-081"
        )
    elif not name.lower().startswith("urn:"):
        now.find(
            inside + name,
            f"no slot of a {now.layout.title}; name extra metadata by a URN",
            "REG-076",
        )
    elif _URN.fullmatch(name) is None:
        now.find(inside + name, "the name of extra metadata must be a valid URN", "REG-076")
