"""Cross Gateway Patient Discovery: who is asked for, who was found, and who may be [ITI-55].

Source: ITI TF-2 3.55 (XC-090 to XC-107).
"""

from dataclasses import dataclass, field
from typing import Literal

from xdsi.model.errors import XDSError, XDSRegistryBusy
from xdsi.model.identity import Demographics, InstanceId, Wrapper, is_ours
from xdsi.model.manifest import IssuedId
from xdsi.model.values import HomeCommunityId, is_oid
from xdsi.standard import discovery as standard
from xdsi.standard import urns


@dataclass(frozen=True, slots=True)
class PersonName:
    """Words of a name; None where there are none."""

    family: str | None = None
    given: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """None where it was not told."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class PatientQuery:
    """Who is asked for. Several names, addresses or telecoms: any of them (XC-095).

    id: of the query itself
    birth_date: YYYY, YYYYMM or YYYYMMDD; sex: one of `identity.SEXES`
    minimum_degree: 0 to 100; initial_quantity: has no effect (XC-093)
    is_deferred: the answer shall come later, in a message of its own
    copy: the element as received, which the answer repeats (XC-100)
    """

    id: InstanceId = field(default_factory=InstanceId)
    names: tuple[PersonName, ...] = ()
    birth_date: str | None = None
    sex: str | None = None
    ids: tuple[IssuedId, ...] = ()
    addresses: tuple[Address, ...] = ()
    telecoms: tuple[str, ...] = ()
    mothers_names: tuple[PersonName, ...] = ()
    birth_places: tuple[str, ...] = ()
    birth_addresses: tuple[Address, ...] = ()
    care_provider_ids: tuple[IssuedId, ...] = ()
    minimum_degree: int | None = None
    initial_quantity: int | None = None
    is_deferred: bool = False
    copy: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def has_demographics(self) -> bool:
        """Whether it asks by anything but identifiers."""
        return any(
            (
                self.names,
                self.birth_date,
                self.sex,
                self.addresses,
                self.telecoms,
                self.mothers_names,
                self.birth_places,
                self.birth_addresses,
            )
        )


@dataclass(frozen=True, slots=True)
class DiscoveryRequest:
    """ITI-55. findings: what is wrong with the form of the message.

    The community that asks and the one that is asked stand in the wrapper (XC-097).
    """

    query: PatientQuery
    wrapper: Wrapper = field(default_factory=Wrapper)
    findings: tuple[XDSError, ...] = ()


@dataclass(frozen=True, slots=True)
class PatientMatch:
    """One patient found.

    id: the one to use in queries for documents (XC-101)
    home: the community that answers these; not always the one that was asked (XC-104)
    degree: how well it matches, 0 to 100; None where not told
    is_locator: the community knows where else the patient has documents
    """

    id: IssuedId
    home: HomeCommunityId | None
    demographics: Demographics = field(default_factory=Demographics)
    degree: int | None = None
    is_locator: bool = False


def problem_of(errors: tuple[XDSError, ...]) -> str | None:
    """The code under which errors are told; None without one."""
    if not errors:
        return None
    if any(isinstance(each, XDSRegistryBusy) for each in errors):
        return standard.BUSY
    return standard.INTERNAL if any(map(is_ours, errors)) else standard.NOT_AVAILABLE


@dataclass(frozen=True, slots=True)
class DiscoveryAnswer:
    """ITI-55: matches, or attributes that would tell several apart, or a problem (XC-107).

    query, wrapper: of the request
    requested: codes of these attributes
    problem: code, of the standard or of a network of its own
    """

    matches: tuple[PatientMatch, ...] = ()
    requested: tuple[str, ...] = ()
    problem: str | None = None
    errors: tuple[XDSError, ...] = ()
    query: PatientQuery = PatientQuery()
    wrapper: Wrapper = field(default_factory=Wrapper)

    @property
    def status(self) -> str:
        """In the words of the log."""
        return "Failure" if self.errors else "Success"


@dataclass(frozen=True, slots=True)
class Discovery:
    """Whom a registry tells other communities about; the subsection [registry.discovery].

    match: `off`; `exact`: nothing that is asked for may differ from what is known; `close`: it may,
        as far as `minimum` allows
    by: what patients are looked up by: their `demographics`, an `identifier` that both communities
        know, or `both`
    required: what a query by demographics must bring besides name and birth date: `sex`, `address`
    minimum: degree of match, 0 to 100, below which nobody is found
    candidates: patients in an answer at most; for more of them further attributes are asked for
    disclose: `all` that is known of a patient found, or only the attributes `asked` for
    home_community_id: OID of the community of the patients, without `urn:oid:`
    """

    match: Literal["off", "exact", "close"] = "off"
    by: Literal["demographics", "identifier", "both"] = "both"
    required: tuple[str, ...] = ()
    minimum: int = 75
    candidates: int = 1
    disclose: Literal["all", "asked"] = "all"
    home_community_id: str = ""

    @property
    def problem(self) -> str | None:
        """The first key that cannot be as it is, and why; None when all can."""
        for name in self.required:
            if name not in standard.REQUESTABLE:
                names = " or ".join(f'"{each}"' for each in standard.REQUESTABLE)
                return f"required: expected {names}, got '{name}'"
        if not 0 <= self.minimum <= 100:
            return f"minimum: expected 0 to 100, got {self.minimum}"
        if not 0 < self.candidates <= 100:
            return f"candidates: expected 1 to 100, got {self.candidates}"
        if self.match != "off" and not is_oid(self.home_community_id):
            given = self.home_community_id
            return f"home_community_id: expected an OID without {urns.OID_PREFIX}, got '{given}'"
        return None

    @property
    def home(self) -> HomeCommunityId:
        """The community as metadata names it (XC-009)."""
        return HomeCommunityId(urns.OID_PREFIX + self.home_community_id)


OFF = Discovery()
