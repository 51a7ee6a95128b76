"""Imaging manifests are looked into as they arrive (kos-manifest.md section 10).

The answer tells what makes a manifest useless and what of the entry contradicts it, in one error or
warning for each document (REG-037); what is only odd within the manifest goes to the log, since
some sources take any error list for a failure.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xdsi.config import Check
from xdsi.files import disk
from xdsi.model.errors import InvalidDocumentContent, XDSError, shown
from xdsi.model.manifestobject import Finding
from xdsi.model.messages import Staged
from xdsi.model.objects import DocumentEntry
from xdsi.plug import Call
from xdsi.standard import urns
from xdsi.wire import manifestcheck
from xdsi.wire.dicomfile import Limits

_log = logging.getLogger("xdsi.repository")

_LIMITS = Limits()
_SHARE = 4  # of the time a request has left: what checking all its manifests may take
_TOLD = 10  # findings in one error


def findings(
    pairs: Iterable[tuple[DocumentEntry, Staged]], call: Call, how: Check
) -> Iterator[XDSError]:
    """What the manifests of a submission are told: refused ("strict") or taken with a warning.

    Raises XDSRepositoryError or XDSRepositoryOutOfResources when a staged document is not readable.
    """
    if how == "off":
        return
    until = time.monotonic() + call.remaining / _SHARE
    for entry, staged in pairs:
        if not manifestcheck.is_candidate(entry):
            continue
        limits = replace(_LIMITS, at_most=max(0.0, until - time.monotonic()))
        try:
            found = tuple(manifestcheck.check(staged.open, staged.size, entry, limits=limits))
        except OSError as error:
            raise disk.failure(error, "reading a manifest") from error
        told = [each for each in found if each.level == "error" or each.about_entry]
        if told:
            yield _error(entry, told, how)
        if others := dict.fromkeys(each.rule for each in found if each not in told):
            _log.warning("manifest %s: %s", shown(str(entry.unique_id)), ", ".join(others))


def _error(entry: DocumentEntry, told: Sequence[Finding], how: Check) -> XDSError:
    texts = [str(each) for each in told[:_TOLD]]
    if len(told) > _TOLD:
        texts.append(f"and {len(told) - _TOLD} more")
    worst = next((each for each in told if each.level == "error"), told[0])
    error = InvalidDocumentContent(
        context=f"{entry.unique_id}: {' | '.join(texts)}",
        rule=worst.rule,
        location=entry.entry_uuid,
    )
    if how == "warn" or worst.level == "warning":
        error.severity = urns.SEVERITY_WARNING
    return error
