"""What a repository does by itself, at the start and by timer: settle, sweep, compare.

Nothing is deleted on a doubt: a claim goes only when the registry says that neither its document
nor its submission is known, and only long after any request could still be running. How long is
measured by watching, never by the clock on the wall (xdsi.files.sightings).
Source: threats.md section 1, write order, step 7; SEC-T-004, SEC-T-021.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from repository.holdings import Holdings
from repository.ledger import OpenClaim
from xdsi.files import upkeep
from xdsi.model.errors import (
    XDSError,
    XDSRegistryBusy,
    XDSRegistryNotAvailable,
    leaves,
    refuse,
    shown,
)
from xdsi.model.messages import QueryAnswer, QueryRequest
from xdsi.model.objects import Slot
from xdsi.plug import Call, Handler
from xdsi.standard.queries import (
    GET_DOCUMENTS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    OBJECT_REF,
    StoredQuery,
)
from xdsi.wire import parameters

_log = logging.getLogger("xdsi.repository")

# A claim is asked about when no caller waits any more, and given up only so much later: a remote
# registry may still have the submission in a queue.
PATIENCE = 1800.0
# Questions of one round that the registry may refuse: one about a strange id must not keep the
# others waiting, but a registry that refuses all of them need not be asked ten thousand times.
_REFUSALS = 20

_NO_ANSWER = (XDSRegistryNotAvailable, XDSRegistryBusy)


def settle(holdings: Holdings, query: Handler, *, patience: float = PATIENCE) -> int:
    """Ask the registry about open claims older than the longest request; how many were settled.

    query: ITI-18, here or elsewhere
    patience: seconds for which a claim the registry knows nothing of is watched and then given up
    Stops at the first question without an answer. Raises as the ledger.
    """
    ledger = holdings.ledger
    ledger.flush()
    claims = [claim for claim in ledger.open_claims() if not ledger.is_running(claim.key)]
    watched = holdings.sightings.look("claims", (claim.key for claim in claims))
    longest = holdings.limits.request_seconds
    now = time.time()
    # Asking early does no harm, so the clock may decide that; what it dates wrongly is asked about
    # after having been watched.
    due = [c for c in claims if c.opened < now - longest or watched[c.key] > longest]
    # With refused questions in front every time the others would wait for ever.
    random.shuffle(due)
    settled = refused = 0
    for claim in due:
        try:
            is_registered = _is_registered(claim, query)
        except (XDSError, ExceptionGroup) as error:
            _log.warning(
                "submission %s cannot be settled, the registry says: %s",
                shown(claim.submission),
                "; ".join(str(each) for each in leaves(error)),
            )
            refused += 1
            if refused == _REFUSALS or any(isinstance(e, _NO_ANSWER) for e in leaves(error)):
                break
            continue
        if is_registered:
            ledger.keep(claim.key, claim.blob_id)
        elif watched[claim.key] >= patience:
            _log.warning("submission %s never arrived at the registry", shown(claim.submission))
            holdings.store.remove(ledger.release(claim.key, claim.blob_id))
        else:
            continue
        settled += 1
    return settled


def _is_registered(claim: OpenClaim, query: Handler) -> bool:
    """Whether the registry knows the document and the submission that brought it.

    Both, because another submission may have registered the same document, and a repeated one
    the same set. ObjectRefs, because documents of several patients may share a uniqueId.
    """
    return _is_known(GET_DOCUMENTS, f"({parameters.string(claim.document_unique_id)})", query) and (
        claim.submission != ""  # no registry takes a set without uniqueId
        and _is_known(GET_SUBMISSION_SET_AND_CONTENTS, parameters.string(claim.submission), query)
    )


def _is_known(row: StoredQuery, value: str, query: Handler) -> bool:
    """Whether the query by uniqueId finds anything. Raises XDSError, or ExceptionGroup of them."""
    _, by_unique_id, *_ = row.either
    # what an update has hidden, such as an entry that is Offline, is registered all the same
    slots = (Slot(by_unique_id, (value,)), parameters.number("$MetadataLevel", "2"))
    request = QueryRequest(row.id, slots, return_type=OBJECT_REF)
    answer: QueryAnswer = query(request, Call.internal())
    refuse(answer.errors, "query refused")
    return bool(answer.objects)


def running(holdings: Holdings, query: Handler, seconds: float) -> AbstractContextManager[None]:
    """Settle, sweep and compare in a thread, at once and every `seconds`."""
    turns = upkeep.shares(seconds)

    def steps() -> Iterator[Callable[[], object]]:
        yield lambda: settle(holdings, query)
        yield lambda: holdings.staging.sweep(2 * holdings.limits.request_seconds)
        yield from (partial(holdings.custody.compare, prefix) for prefix in next(turns))

    return upkeep.running("repository", seconds, steps)
