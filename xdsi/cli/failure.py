"""What keeps a command from going on, in words for those who called it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSRepositoryOutOfResources

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
