"""Provide and Register Document Set-b [ITI-41].

The order of the steps keeps the promises of SEC-T-001 to SEC-T-005: staged and synced while
received, published, entered in the ledger with an open claim, registered, answered.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from repository import manifests, rules
from repository.holdings import Holdings
from repository.ledger import Blob, Ledger
from xdsi.config import Check, Limits
from xdsi.files import disk
from xdsi.files.blobs import Mismatch, StoreAway
from xdsi.files.staging import StagedDocument, StagingArea
from xdsi.model.errors import (
    XDSError,
    XDSRegistryError,
    XDSRegistryNotAvailable,
    XDSRepositoryBusy,
    XDSRepositoryOutOfResources,
    leaves,
    refuse,
)
from xdsi.model.messages import Document, ProvideRequest, RegistryAnswer, Submission
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import OID, SHA1, Size
from xdsi.plug import Call, Handler

_log = logging.getLogger("xdsi.repository")

# After these the submission may be registered all the same: a registry that lost its database
# during the commit does not know, and says XDSRegistryError.
_DOUBTFUL = (XDSRegistryNotAvailable, XDSRegistryError)
# for an entry without mimeType, which the registry will refuse
_NO_MIME_TYPE = "application/octet-stream"

Pair = tuple[DocumentEntry, StagedDocument]


def provide(
    request: ProvideRequest,
    call: Call,
    holdings: Holdings,
    register: Handler,
    *,
    is_remote: bool = False,
    sources: Collection[str] = (),
    manifest_check: Check = "warn",
) -> RegistryAnswer:
    """Keep the documents and register the submission, or neither (ITI TF-2 3.41.4.1.3).

    register: ITI-42, here or elsewhere
    is_remote: the registry gets the submission as a message, which cannot carry findings
    sources: sourceIds whose submissions are taken; none: any
    manifest_check: what becomes of imaging manifests that are wrong
    Raises what a rule or the registry found, the latter unchanged (REG-034), and
    XDSRegistryNotAvailable when the outcome is unknown: the identical message may then be sent
    again (SEC-T-008).
    """
    submission = request.submission
    with ExitStack() as running:
        with _received(rules.pairs(request), holdings.staging) as pairs:
            known = _known(pairs, holdings.ledger)
            found = list(_findings(request, pairs, known, holdings.limits))
            found += rules.source(submission, sources)
            if is_remote:
                found += rules.unreadable(submission)
            found += manifests.findings(pairs, call, manifest_check)
            refuse(found, "submission refused by the repository")
            if not pairs:  # REG-011
                return _with(found, _registered(submission, call, register))
            _doubt_lost(known, holdings)
            key = _kept(submission, pairs, holdings)
            running.callback(holdings.ledger.leave, key)
            completed = _completed(submission, pairs, holdings.unique_id)
        try:
            answer = _registered(completed, call, register)
        except (XDSError, ExceptionGroup) as error:
            if not _is_doubtful(error):
                _forget(key, holdings)
            raise
        holdings.ledger.hold(key)
    return _with(found, answer)


def _with(warnings: Sequence[XDSError], answer: RegistryAnswer) -> RegistryAnswer:
    """The registry's answer, after what only this side could see."""
    return replace(answer, errors=(*warnings, *answer.errors))


@contextmanager
def _received(
    pairs: Iterable[tuple[DocumentEntry, Document]], staging: StagingArea
) -> Iterator[tuple[Pair, ...]]:
    """The entries with their documents staged here.

    Documents that the server received are; those of a caller in the process are staged now.
    """
    own: list[StagedDocument] = []
    found: list[Pair] = []
    try:
        for entry, document in pairs:
            content = document.content
            if not isinstance(content, StagedDocument):
                content = staging.stage(content.open)
                own.append(content)
            found.append((entry, content))
        yield tuple(found)
    finally:
        staging.discard(own)


def _known(pairs: tuple[Pair, ...], ledger: Ledger) -> dict[str, Blob]:
    """What is stored already under the uniqueIds of the entries."""
    ids = (entry.unique_id for entry, _ in pairs)
    return ledger.find(str(each) for each in ids if each is not None and each.problem is None)


def _findings(
    request: ProvideRequest, pairs: tuple[Pair, ...], known: Mapping[str, Blob], limits: Limits
) -> Iterator[XDSError]:
    """REG-020 to REG-026, SEC-T-040, SEC-T-112, in one pass."""
    yield from rules.partners(request)
    yield from rules.extent((staged for _, staged in pairs), limits)
    for entry, staged in pairs:
        yield from rules.identifier(entry)
        yield from rules.content(entry, staged)
    yield from rules.duplicates(request.submission)
    for entry, staged in pairs:
        if old := known.get(str(entry.unique_id)):
            yield from rules.differences(old, _blob(entry, staged, ""), entry.entry_uuid)


def _blob(entry: DocumentEntry, staged: StagedDocument, name: str) -> Blob:
    return Blob(
        document_unique_id=str(entry.unique_id),
        name=name,
        size=staged.size,
        sha1=staged.sha1,
        sha256=staged.sha256,
        mime_type=entry.mime_type or _NO_MIME_TYPE,
        seal=staged.seal,
    )


def _kept(submission: Submission, pairs: tuple[Pair, ...], holdings: Holdings) -> str:
    """Publish the documents and claim them; the key of the claims.

    Raises XDSNonIdenticalHash and XDSNonIdenticalSize when another submission was faster.
    """
    store, ledger = holdings.store, holdings.ledger
    names = store.publish([staged for _, staged in pairs])
    blobs = [_blob(entry, staged, name) for (entry, staged), name in zip(pairs, names, strict=True)]
    locations = {
        blob.document_unique_id: entry.entry_uuid
        for blob, (entry, _) in zip(blobs, pairs, strict=True)
    }
    sets = submission.submission_sets
    try:
        key, spare = ledger.claim(
            str(sets[0].unique_id) if sets else "",
            blobs,
            lambda old, new: rules.differences(old, new, locations[new.document_unique_id]),
        )
    except (ExceptionGroup, XDSRepositoryBusy, XDSRepositoryOutOfResources):
        # Not after other failures: the ledger may have committed, and then it names these files.
        _remove(names, holdings)
        raise
    _remove(spare, holdings)
    return key


def _doubt_lost(known: Mapping[str, Blob], holdings: Holdings) -> None:
    """Mark known blobs whose file is gone or cut, so that the claim takes the new one instead.

    Raises XDSRepositoryOutOfResources or XDSRepositoryError when that cannot be found out: the
    known document may be good, and stays as it is.
    """
    for blob in known.values():
        try:
            is_there = holdings.store.size(blob.name) == blob.size
            if not is_there and not holdings.custody.is_complete():
                raise StoreAway
        except OSError as error:
            raise disk.failure(error, "looking for a known document") from error
        if not is_there and blob.failing_until is None:
            holdings.custody.withhold(blob, Mismatch("its file is lost or cut"))


def _completed(submission: Submission, pairs: tuple[Pair, ...], unique_id: str) -> Submission:
    """With our repositoryUniqueId, hash and size (REG-028, REG-029), else unchanged (REG-032)."""
    # The checks have passed, so there is a pair for each entry, in the same order.
    entries = tuple(
        replace(
            entry,
            repository_unique_id=OID(unique_id),
            hash=entry.hash or SHA1(staged.sha1),
            size=entry.size or Size(str(staged.size)),
        )
        for entry, staged in pairs
    )
    return replace(submission, entries=entries)


def _registered(submission: Submission, call: Call, register: Handler) -> RegistryAnswer:
    """The registry's Success. Raises its errors, and XDSRegistryNotAvailable where it gave none."""
    try:
        answer: RegistryAnswer = register(submission, call)
        refuse(answer.errors, "submission refused by the registry")
    except (XDSError, ExceptionGroup) as error:
        found = tuple(each for each in leaves(error) if isinstance(each, XDSError))
        if len(found) < sum(1 for _ in leaves(error)):
            raise _no_answer() from error
        if _is_doubtful(error) and not any(
            isinstance(each, XDSRegistryNotAvailable) for each in found
        ):
            # SEC-T-017; the registry's own errors stay in front, unchanged
            raise ExceptionGroup("outcome unknown", [*found, _no_answer()]) from error
        raise
    except Exception as error:  # whatever broke: nobody said what became of it
        raise _no_answer() from error
    return answer


def _no_answer() -> XDSRegistryNotAvailable:
    return XDSRegistryNotAvailable(
        "registry",
        "gave no certain answer, so the submission may be registered or not; "
        "send the identical message again",
        rule="REG-035",
    )


def _is_doubtful(error: BaseException) -> bool:
    return any(isinstance(each, _DOUBTFUL) for each in leaves(error))


def _forget(key: str, holdings: Holdings) -> None:
    """The submission is refused: undo its claims, and what nobody else claims (REG-036)."""
    try:
        _remove(holdings.ledger.release(key), holdings)
    except XDSError as error:
        # The claims stay open and are settled later; the registry's answer counts now.
        _log.warning("claims of a refused submission stay open: %s", error)


def _remove(names: Iterable[str], holdings: Holdings) -> None:
    """Remove documents no record names; what stays is swept as such."""
    try:
        holdings.store.remove(tuple(names))
    except OSError:
        _log.warning("documents without record stay until swept", exc_info=True)
