"""Values of metadata attributes: the wire text, what is wrong with it, and its parts.

A value keeps the text exactly as received, so that what is returned equals what was submitted
(REG-131) and a repository can pass on what only the registry may judge (REG-027). `problem` says
in one sentence what is wrong, or is None; parts such as `DTM.earliest` ask for a value without
problem. `parse` is for our own input and raises.
Source: ITI TF-3 4.2.3.1.7, table 4.2.3.1.7-2 (MD-083 to MD-099).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar, Self
from urllib.parse import urlsplit

from xdsi.standard import urns

_OID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
_UUID = re.compile(urns.UUID_PREFIX + r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_DTM = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,5}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY = re.compile(r"(?:\[[^]]+\]|[^][@:]+)(?::[0-9]*)?")
_USER = re.compile(r"//[^/]*@")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"\\[FSRTE]\\")


def is_oid(text: str) -> bool:
    """MD-089: arcs of digits without leading zeros, at least two, at most 64 characters."""
    return len(text) <= 64 and _OID.fullmatch(text) is not None


def is_uid(text: str) -> bool:
    """Digits and dots, at most 64: leading zeros occur and do no harm (SEC-T-152)."""
    return 0 < len(text) <= 64 and text.isascii() and text.replace(".", "").isdigit()


def is_uuid(text: str) -> bool:
    """MD-066, MD-091: `urn:uuid:` and lower-case hex."""
    return _UUID.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """A URL that can be asked by HTTP, without a user in it: secrets stand in files."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
        host.encode("idna")
    except ValueError:  # brackets, a port that is none, a part of the host empty or too long
        return False
    is_whole = url.scheme in ("http", "https") and bool(host) and port != 0
    return is_whole and _AUTHORITY.fullmatch(url.netloc) is not None and not _BLANK.search(text)


def without_user(address: str) -> str:
    """An address as it may be shown: one that is refused for the user in it has a password too."""
    return _USER.sub("//…@", address)


def is_base(text: str) -> bool:
    """An address below which a service has its paths, without query."""
    return is_address(text) and not {"?", "#"} & set(text)


@dataclass(frozen=True, slots=True)
class Value:
    """Text of one attribute value. Subclasses say what a good one looks like."""

    text: str
    expected: ClassVar[str] = "text"
    one_line: ClassVar[bool] = True

    def __str__(self) -> str:
        return self.text

    @property
    def problem(self) -> str | None:
        """What is wrong, as `expected …` in one sentence; None for a good value."""
        if self.one_line and _CONTROL.search(self.text) is not None:  # SEC-T-112
            return f"expected {self.expected}, without control characters"
        return None if self._is_good() else f"expected {self.expected}"

    def _is_good(self) -> bool:
        return bool(self.text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checked value. Raises ValueError with the problem and the text."""
        value = cls(text)
        if (problem := value.problem) is not None:
            raise ValueError(f"{cls.__name__} {problem}, got '{text[:256]}'")
        return value


class OID(Value):
    """MD-089."""

    __slots__ = ()
    expected = "an OID of at most 64 characters without prefix, such as 1.2.40.0.13"

    def _is_good(self) -> bool:
        return is_oid(self.text)


class HomeCommunityId(Value):
    """MD-090: `urn:oid:` and an OID."""

    __slots__ = ()
    expected = "urn:oid: followed by an OID of at most 64 characters"

    def _is_good(self) -> bool:
        oid = self.text.removeprefix(urns.OID_PREFIX)
        return oid != self.text and is_oid(oid)


class Identifier(Value):
    """MD-088: opaque, 1 to 256 characters, no control characters (SEC-T-112)."""

    __slots__ = ()
    expected = "1 to 256 characters"

    def _is_good(self) -> bool:
        return 0 < len(self.text) <= 256


class SHA1(Value):
    """MD-092: 40 hex digits in either case; compare `lower`."""

    __slots__ = ()
    expected = "40 hexadecimal digits"

    def _is_good(self) -> bool:
        return re.fullmatch(r"[0-9A-Fa-f]{40}", self.text) is not None

    @property
    def lower(self) -> str:
        return self.text.lower()


class Size(Value):
    """MD-093, MD-126: octets, decimal digits."""

    __slots__ = ()
    expected = "a decimal number of octets, digits only"

    def _is_good(self) -> bool:
        return re.fullmatch(r"[0-9]{1,18}", self.text) is not None

    def __int__(self) -> int:
        return int(self.text)


class Language(Value):
    """MD-115: RFC 5646 tag."""

    __slots__ = ()
    expected = "a language tag such as en or de-AT"

    def _is_good(self) -> bool:
        return _LANGUAGE.fullmatch(self.text) is not None


class Availability(Value):
    """MD-044."""

    __slots__ = ()
    expected = f"{urns.ONLINE} or {urns.OFFLINE}"

    def _is_good(self) -> bool:
        return self.text in (urns.ONLINE, urns.OFFLINE)


class DTM(Value):
    """MD-087: `YYYY[MM[DD[hh[mm[ss]]]]]` in UTC; keeps its precision."""

    __slots__ = ()
    expected = "YYYY[MM[DD[hh[mm[ss]]]]] in UTC, digits only, a real date"

    def _is_good(self) -> bool:
        if _DTM.fullmatch(self.text) is None:
            return False
        try:
            self._instant()
        except ValueError:
            return False
        return True

    def _instant(self) -> datetime:
        t = self.earliest
        year, month, day = int(t[:4]), int(t[4:6]), int(t[6:8])
        return datetime(year, month, day, int(t[8:10]), int(t[10:12]), int(t[12:]), tzinfo=UTC)

    @property
    def earliest(self) -> str:
        """The earliest instant it may mean, as 14 digits (SQ-031)."""
        return self.text + "00000101000000"[len(self.text) :]

    @classmethod
    def of(cls, moment: datetime) -> "DTM":
        """To the second, in UTC."""
        return cls(moment.astimezone(UTC).strftime("%Y%m%d%H%M%S"))


class CX(Value):
    """MD-083: `id^^^&OID&ISO` and nothing else."""

    __slots__ = ()
    expected = "id^^^&OID&ISO"

    def _is_good(self) -> bool:
        parts = self.text.split("^")
        if len(parts) != 4 or not parts[0] or parts[1] or parts[2]:
            return False
        return _is_authority(parts[3]) and _escapes_well(parts[0])

    @property
    def id(self) -> str:
        return self.text.split("^", 1)[0]

    @property
    def authority(self) -> str:
        """OID of the assigning authority."""
        return self.text.rsplit("^", 1)[1].split("&")[1]


class CXi(Value):
    """MD-084, MD-085: `id^^^[authority]^type`."""

    __slots__ = ()
    expected = "id^^^&OID&ISO^type or id^^^^type, as the type demands"

    def _is_good(self) -> bool:
        parts = self.text.split("^")
        if len(parts) != 5 or not parts[0] or parts[1] or parts[2] or not parts[4]:
            return False
        authority = parts[3]
        if authority and parts[4] in urns.REFERENCE_ID_TYPES_WITHOUT_AUTHORITY:
            return False
        if authority:
            return "&" not in authority or _is_authority(authority, with_namespace=True)
        return not urns.REFERENCE_ID_TYPES.get(parts[4], False)

    @property
    def id(self) -> str:
        return self.text.split("^", 1)[0]

    @property
    def type(self) -> str:
        return self.text.rsplit("^", 1)[1]


class XCN(Value):
    """MD-096: a person or a software; needs an id (component 1) or a family name (2)."""

    __slots__ = ()
    expected = "a person id or a family name, as id^family^given…^^^^^^&OID&ISO"

    def _is_good(self) -> bool:
        parts = self.text.split("^")
        has_name = len(parts) > 1 and bool(parts[1].split("&")[0])
        if not (parts[0] or has_name):
            return False
        authority = parts[8] if len(parts) > 8 else ""
        return not authority or "&" not in authority or _is_authority(authority)


class XON(Value):
    """MD-097: an organisation; the name is required."""

    __slots__ = ()
    expected = "an organisation name, with its id as Name^^^^^^^^^OID or Name^^^^^&OID&ISO^^^^id"

    def _is_good(self) -> bool:
        parts = [*self.text.split("^"), *[""] * 10]
        if not parts[0]:
            return False
        return not parts[9] or is_oid(parts[9]) or _is_authority(parts[5])


class XTN(Value):
    """MD-098: `^^Internet^address`, or a telephone number with its type."""

    __slots__ = ()
    expected = "^^Internet^name@host, or a telephone as ^^type^^country^area^number"

    def _is_good(self) -> bool:
        parts = [*self.text.split("^"), *[""] * 8]
        if parts[2] == "Internet":
            return "@" in parts[3] and parts[1] in ("", "NET")
        return bool(parts[2] and parts[6])


class Recipient(Value):
    """MD-144: `XON|XCN|XTN`, at least one part."""

    __slots__ = ()
    expected = "organisation|person|telecommunication with at least one part filled"

    def _is_good(self) -> bool:
        parts = self.text.split("|")
        kinds: tuple[type[Value], ...] = (XON, XCN, XTN)
        if len(parts) > 3 or not any(parts):
            return False
        pairs = zip(kinds, parts, strict=False)
        return all(kind(part).problem is None for kind, part in pairs if part)


class Field(Value):
    """MD-099: `PID-n|value`."""

    __slots__ = ()
    one_line = False  # an address may have line ends
    expected = "PID-n|value"

    def _is_good(self) -> bool:
        return re.match(r"PID-[0-9]+\|", self.text) is not None

    @property
    def field(self) -> str:
        """`PID-5` of `PID-5|Muster^Max`."""
        return self.text.split("|", 1)[0]


def _is_authority(text: str, *, with_namespace: bool = False) -> bool:
    """`&OID&ISO`. with_namespace: a namespace id may stand in front."""
    parts = text.split("&")
    if len(parts) != 3 or (parts[0] and not with_namespace):
        return False
    return is_oid(parts[1]) and parts[2] == "ISO"


def _escapes_well(text: str) -> bool:
    """A backslash only in the escapes of delimiters (TF-3 4.2.3.1.7)."""
    return "\\" not in text or "\\" not in _ESCAPE.sub("", text)


VALUE_TYPES: MappingProxyType[str, Callable[[str], Value]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            *(OID, HomeCommunityId, Identifier, SHA1, Size, Language, Availability, DTM),
            *(CX, CXi, XCN, XON, XTN, Recipient, Field),
        )
    }
)
