"""Documents that are read from front to back without standing in memory."""

import errno

from xdsi.model.messages import Reader, as_bytes

_CHUNK = 256 << 10  # bytes read at a time
_BEHIND = 64  # bytes kept for a second look


class Stream:
    """A document of `size` bytes read once, forward: only a window of it is in memory.

    Slices like bytes, as long as they begin no more than a few bytes before the last one.
    """

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader, self._size = reader, size
        self._window, self._at, self._end = b"", 0, 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, end = part.start or 0, part.stop
        if end is None or end > self._end:
            end = self._size if end is None else min(end, self._size)
            self._advance(start, end)
        at = self._at
        return self._window[start - at : end - at]

    def _advance(self, start: int, end: int) -> None:
        keep = max(start - _BEHIND, self._at)
        pieces = [self._window[keep - self._at :]]
        at = self._end
        while at < end:
            piece = as_bytes(self._reader.read(_CHUNK))
            if not piece:
                raise OSError(errno.EIO, "shorter than announced")
            if at + len(piece) > keep:
                pieces.append(piece[max(keep - at, 0) :])
            at += len(piece)
        self._window, self._at, self._end = b"".join(pieces), keep, at
