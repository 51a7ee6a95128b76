"""What keeps a command from going on, as people and programs are told it.

With --json it is one document too: `error` says it in one line, `codes` has the error codes of the
other side; what a command did before stands beside them.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xdsi.cli import screen
from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSError, XDSRepositoryOutOfResources, findings
from xdsi.peers.errors import PeerError


class NotFound(Exception):
    """What was asked for is not there, in one line."""


# ExceptionGroup: of XDSErrors
Failure = NotFound | ConfigurationError | PeerError | XDSError | ExceptionGroup[Exception] | OSError
KINDS = (NotFound, ConfigurationError, PeerError, XDSError, ExceptionGroup, OSError)

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing(into: Path, then: str) -> Iterator[None]:
    """Around what is received into a folder. then: what can be done once it takes it

    Raises ConfigurationError when the folder cannot be written.
    """
    try:
        yield
    except (OSError, XDSRepositoryOutOfResources) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cause.errno is None:
            raise  # a bound of ours
        once = "there is room" if cause.errno in _FULL else "that is mended"
        raise ConfigurationError(f"{into}: {cause.strerror}; {then} once {once}") from error


def told(error: Failure, *, is_json: bool, **done: Any) -> int:
    """Say why a command did not go on; its exit code. done: what it did before, for programs

    Raises a group that holds something else than XDSErrors.
    """
    codes: list[str] = []
    match error:
        case XDSError() | ExceptionGroup():
            found = findings(error)
            for each in found:
                screen.finding(each)
            codes = [each.code for each in found]
            text = " | ".join(map(_line, found))
        case PeerError():
            text = f"{error}; does it run, and is the address right?"
        case OSError():
            text = f"{error.filename or 'a file'}: {error.strerror or error}"
        case _:
            text = str(error)
    if not codes:
        screen.fail(text)
    if is_json:
        screen.as_line({"error": text, "codes": codes, **done})
    return 1 if codes or isinstance(error, NotFound) else 2


def _line(error: XDSError) -> str:
    return ": ".join((*getattr(error, "__notes__", ()), f"{error.code} {error.context}"))
