"""Errors a caller is told about: one class per IHE error code, and the SOAP fault below them.

Raise an `XDSError` (or several as one `ExceptionGroup`) for anything about content: it becomes
an entry of the RegistryErrorList with HTTP 200. Raise a `SoapFault` for what lies below: frame,
envelope, addressing, security (web-services.md section 7).
Source: ITI TF-3 4.2.4.1, table 4.2.4.1-2 (REG-140 to REG-179).
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from xdsi.standard import urns


class XDSError(Exception):
    """One entry of a RegistryErrorList.

    what: the thing at fault, machine's part first: `2.25.77 DocumentEntry.classCode`
    problem: what is wrong with it and what to do next, in one line
    value: the offending value as received; shown quoted and shortened
    rule: id of the requirement, e.g. `REG-070`; `xdsi explain` tells more about it
    location: id of the object as the caller sent it, or the DocumentUniqueId in retrieves
    context: the whole codeContext, verbatim, where the standard demands its form
    fault: code of the SOAP fault that another node answered with, where that is what happened
    """

    code: str = "XDSRegistryError"
    severity: str = urns.SEVERITY_ERROR
    fault: str = ""
    by_code: ClassVar[dict[str, type["XDSError"]]] = {}

    def __init_subclass__(cls) -> None:
        cls.code = cls.__dict__.get("code", cls.__name__)
        XDSError.by_code[cls.code] = cls

    def __init__(
        self,
        what: str = "",
        problem: str = "",
        *,
        value: str | None = None,
        rule: str = "",
        location: str = "",
        context: str | None = None,
    ) -> None:
        self.what, self.problem, self.value = what, problem, value
        self.rule, self.location = rule, location
        self.context = one_line(context if context is not None else self._compose())
        super().__init__(f"{self.code}: {self.context}")

    def _compose(self) -> str:
        text = f"{self.what}: {self.problem}" if self.problem else self.what
        if self.value is not None:
            text += f", got {shown(self.value)}"
        return f"{text} [{self.rule}]" if self.rule else text

    @property
    def is_warning(self) -> bool:
        return self.severity == urns.SEVERITY_WARNING


_DEEP = 16  # exceptions inside each other; one may be its own cause


class GivenUp(TimeoutError):
    """Who asked has gone, so that nobody waits any more: no fault of whoever is read from."""


def is_given_up(error: BaseException | None) -> bool:
    """Whether that is what lies behind an exception."""
    for _ in range(_DEEP):
        if error is None or isinstance(error, GivenUp):
            break
        error = error.__cause__
    return isinstance(error, GivenUp)


def one_line(text: str) -> str:
    """Text with control and direction characters made visible, safe for attributes and logs."""
    return "".join(c if c.isprintable() or c == "\u00a0" else f"\\u{ord(c):04x}" for c in text)


def shown(value: str, limit: int = 256) -> str:
    """A received value for an error text: quoted, one line, cut at `limit` characters."""
    cut = value if len(value) <= limit else value[:limit] + "…"
    return f"'{one_line(cut)}'"


class XDSRegistryError(XDSError):
    """No better code fits, at the registry (REG-134)."""


class InvalidDocumentContent(XDSError):
    """Content contradicts the metadata or cannot be read (REG-037)."""


class LocalPolicyRestrictionError(XDSError):
    """A rule of this domain forbids the change (LC-110)."""


class ReferencesExistException(XDSError):
    """An association that stays names what is to be removed (LC-123)."""


class UnmodifiableMetadataError(XDSError):
    """A restricted update changes what it must not (LC-106)."""


class UnresolvedReferenceException(XDSError):
    """A reference names no object (REG-061, REG-062)."""


class XDSDocumentUniqueIdError(XDSError):
    """The document is not available (RET-030)."""


class XDSDuplicateUniqueIdInRegistry(XDSError):
    """A SubmissionSet or Folder uniqueId is taken (REG-090, REG-091)."""


class XDSInvalidRequestException(XDSError):
    """A restricted update is none (LC-101)."""


class XDSMetadataAnnotationError(XDSError):
    """A restricted update lacks its HasMember or PreviousVersion (LC-102)."""


class XDSMetadataIdentifierError(XDSError):
    """A restricted update changes the uniqueId (LC-104)."""


class XDSMetadataUpdateError(XDSError):
    """An operation of an update is not possible (LC-090)."""


class XDSMetadataUpdateOperationError(XDSError):
    """An operation of an update cannot be recognised, or conflicts (LC-091)."""


class XDSMetadataVersionError(XDSError):
    """PreviousVersion is not the latest version (LC-092)."""


class XDSMissingDocument(XDSError):
    """A DocumentEntry came without its document (REG-020)."""


class XDSMissingDocumentMetadata(XDSError):
    """A document came without its DocumentEntry (REG-021)."""


class XDSMissingHomeCommunityId(XDSError):
    """A gateway needs the home community id (REG-159)."""


class XDSNonIdenticalHash(XDSError):
    """The uniqueId is known with another hash (REG-092)."""


class XDSNonIdenticalSize(XDSError):
    """The uniqueId is known with another size (REG-093)."""


class XDSObjectTypeError(XDSError):
    """A restricted update changes the objectType (LC-105)."""


class XDSPatientIDReconciliationError(XDSError):
    """An update would mix patients (LC-093)."""


class XDSPatientIdDoesNotMatch(XDSError):
    """Patient ids differ where they must agree (REG-082 to REG-084)."""


class XDSRegistryBusy(XDSError):
    """Too much activity at the registry (REG-162)."""


class XDSRepositoryBusy(XDSError):
    """Too much activity at the repository (REG-163)."""


class XDSRegistryDeprecatedDocumentError(XDSError):
    """The target is not Approved (REG-112)."""


class XDSRegistryDuplicateUniqueIdInMessage(XDSError):
    """One uniqueId twice in the message (REG-096)."""


class XDSRepositoryDuplicateUniqueIdInMessage(XDSError):
    """One uniqueId twice in the message (REG-026)."""


class XDSRepositoryError(XDSError):
    """No better code fits, at the repository (REG-039)."""


class XDSRegistryMetadataError(XDSError):
    """Metadata refused by the registry (REG-167)."""


class XDSRepositoryMetadataError(XDSError):
    """Metadata refused by the repository (REG-167)."""


class XDSRegistryNotAvailable(XDSError):
    """The repository got no answer from the registry (REG-035)."""


class XDSRegistryOutOfResources(XDSError):
    """The registry lacks resources (REG-169)."""


class XDSRepositoryOutOfResources(XDSError):
    """The repository lacks space, handles or memory (REG-169)."""


class XDSResultNotSinglePatient(XDSError):
    """The answer would span several patients (REG-171)."""


class XDSStoredQueryMissingParam(XDSError):
    """A required query parameter is missing (REG-172)."""


class XDSStoredQueryParamNumber(XDSError):
    """A query parameter occurs too often (REG-173)."""


class XDSTooManyResults(XDSError):
    """Beyond the limit of results (REG-174)."""


class XDSUnavailableCommunity(XDSError):
    """A community cannot be reached (REG-175)."""


class XDSUnknownCommunity(XDSError):
    """The homeCommunityId is not known (REG-176)."""


class XDSUnknownPatientId(XDSError):
    """The patient id is not known (REG-177)."""


class XDSUnknownRepositoryId(XDSError):
    """The repositoryUniqueId is not known (REG-178)."""


class XDSUnknownStoredQuery(XDSError):
    """The query id is not known (REG-179)."""


class XDSUnreferencedObjectException(XDSError):
    """A removal would leave an object without associations (LC-124)."""


class XDSExtraMetadataNotSaved(XDSError):
    """Warning: unknown slots were not kept (REG-077)."""

    severity = urns.SEVERITY_WARNING


class XDSWarning(XDSError):
    """A remark of severity Warning under a code that is otherwise an error."""

    severity = urns.SEVERITY_WARNING


def relocated(error: XDSError, location: str, context: str | None = None) -> XDSError:
    """The same error at another location, with another text if one is given."""
    moved = received(error.code, context or error.context, error.severity, location)
    moved.rule = error.rule
    return moved


def received(code: str, context: str, severity: str, location: str) -> XDSError:
    """The error another actor sent, unchanged (REG-034)."""
    error = XDSError.by_code.get(code, XDSError)(context=context, location=location)
    error.code, error.severity = code, severity
    return error


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The single exceptions of a group, in order; of any other exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def told(error: XDSError) -> XDSError:
    """The same, to be kept in an answer: without the calls it came through.

    One of them is most often what keeps it, so that both, and all that was at hand there, such as
    the rows of a query, would stay in memory until the collector looks at what is old.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def findings(error: XDSError | ExceptionGroup[Exception]) -> tuple[XDSError, ...]:
    """All of them, in order. Raises the error itself when anything in it is none."""
    found = tuple(leaves(error))
    errors = tuple(each for each in found if isinstance(each, XDSError))
    if len(errors) != len(found):
        raise error
    return errors


def refuse(found: Iterable[XDSError], message: str = "refused") -> None:
    """Raise the errors among `found` together with the warnings; nothing when there is no error."""
    everything = tuple(found)
    if any(not each.is_warning for each in everything):
        raise ExceptionGroup(message, everything)


class SoapFault(Exception):
    """A fault below the level of the transactions (WS-080, SEC-T-055).

    code: SOAP 1.2 fault code, `Sender`, `Receiver`, `VersionMismatch` or `MustUnderstand`
    reason: one English line for the caller, free of internals (WS-084)
    subcodes: Clark names, outermost first, e.g. `{wsa}ActionNotSupported`
    not_understood: Clark names of the header blocks of a MustUnderstand fault
    status: HTTP status; 400 for Sender, 500 for all others unless given
    """

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        subcodes: tuple[str, ...] = (),
        not_understood: tuple[str, ...] = (),
        status: int | None = None,
    ) -> None:
        self.code, self.reason = code, one_line(reason)
        self.subcodes, self.not_understood = subcodes, not_understood
        self.status = status or (400 if code == "Sender" else 500)
        super().__init__(f"{code}: {self.reason}")
