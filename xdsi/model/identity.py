"""What a patient identity feed tells, whatever form it came in [ITI-8, ITI-44].

Source: ITI TF-2 3.8, 3.44 (PIF-020 to PIF-040, PIF-060 to PIF-073).
"""

import re
from dataclasses import dataclass
from enum import Enum

from xdsi.model.errors import XDSError, XDSRegistryBusy, XDSRegistryOutOfResources
from xdsi.model.manifest import IssuedId
from xdsi.model.values import CX, HomeCommunityId


class Act(Enum):
    """What has become of a patient.

    UPDATE brings demographics alone (A08); REVISE may bring an identifier as well (302).
    """

    ADD = "add"
    UPDATE = "update"
    REVISE = "revise"
    MERGE = "merge"


SEXES = frozenset({"M", "F", "UN"})


def birth_date(text: str) -> str | None:
    """YYYY, YYYYMM or YYYYMMDD of an HL7 time; None for anything shorter."""
    digits = re.match("[0-9]{0,8}", text)
    size = len(digits[0]) // 2 * 2 if digits else 0
    return text[:size] if size >= 4 else None


@dataclass(frozen=True, slots=True)
class Demographics:
    """Who a patient is, for discovery; None where it was not told.

    birth_date: YYYY, YYYYMM or YYYYMMDD; sex: one of SEXES
    other_ids: of other domains
    """

    family: str | None = None
    given: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    other_ids: tuple[IssuedId, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """One event of a feed.

    ids: of the patient, of any domain, as sent; of the survivor in a merge
    subsumed: of a merge
    findings: what is wrong with the form of the message
    """

    act: Act
    ids: tuple[IssuedId, ...]
    subsumed: tuple[IssuedId, ...] = ()
    demographics: Demographics = Demographics()
    findings: tuple[XDSError, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceId:
    """An HL7 v3 II; None where an attribute is not there."""

    root: str | None = None
    extension: str | None = None


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What an HL7 v3 message and its acknowledgement have in common (PIF-064, PIF-072).

    id: of the message; sender, receiver: of their devices
    sender_home, receiver_home: the communities of these, where the message tells (XC-097)
    """

    id: InstanceId = InstanceId()
    sender: InstanceId = InstanceId()
    receiver: InstanceId = InstanceId()
    processing_code: str = "P"
    sender_home: HomeCommunityId | None = None
    receiver_home: HomeCommunityId | None = None


@dataclass(frozen=True, slots=True)
class IdentityMessage:
    """ITI-44."""

    wrapper: Wrapper
    event: IdentityEvent


# delimiters inside an id, as metadata has them (TF-3 4.2.3.1.7)
_SIGNS = dict(zip("FSRTE", "|^~&\\", strict=True))
_ESCAPES = {ord(sign): f"\\{name}\\" for name, sign in _SIGNS.items()}
_ESCAPED = re.compile(r"\\([FSRTE])\\")


def cx_with(value: str, oid: str) -> CX:
    """An id of a domain, as metadata has it, whether it is a good one or not."""
    return CX(f"{value.translate(_ESCAPES)}^^^&{oid}&ISO")


def cx_of(given: IssuedId) -> CX | None:
    """An identifier as metadata has it; None for one that does not mean the same everywhere."""
    cx = cx_with(given.value, given.issuer_uid)
    return cx if given.issuer_type == "ISO" and cx.problem is None else None


def issued(cx: CX) -> IssuedId:
    """An identifier as feeds and discovery have it."""
    value = _ESCAPED.sub(lambda found: _SIGNS[found[1]], cx.id)
    return IssuedId(value, "", cx.authority, "ISO")


def is_ours(error: XDSError) -> bool:
    """A limit or a failure of the node, not a finding about the message."""
    busy = XDSRegistryBusy, XDSRegistryOutOfResources
    return isinstance(error, busy) or error.rule.startswith("SEC-T")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Whether an event was taken. wrapper: of the message that is acknowledged, in ITI-44."""

    errors: tuple[XDSError, ...] = ()
    wrapper: Wrapper = Wrapper()

    @property
    def is_accepted(self) -> bool:
        return not self.errors

    @property
    def is_rejected(self) -> bool:
        """Nothing is wrong with the message itself; it may be sent again."""
        return any(map(is_ours, self.errors))

    @property
    def status(self) -> str:
        """In the words of the log."""
        return "Success" if self.is_accepted else "Failure"
