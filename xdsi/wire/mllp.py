"""Frames of the Minimal Lower Layer Protocol: 0x0B, a message, 0x1C 0x0D.

Source: HL7 v2 Transport Specification: MLLP, Release 1; ITI TF-2 C.2.1 (PIF-010).
"""

from collections.abc import Iterator

START, END = b"\x0b", b"\x1c\r"
_FIRST, _LAST = START[0], END[:1]


class BrokenFrame(Exception):
    """What came is no frame, and nothing behind it can be read.

    begun: what has come of a message, maybe nothing
    """

    def __init__(self, problem: str, begun: bytes = b"") -> None:
        self.problem, self.begun = problem, begun
        super().__init__(problem)


class Frames:
    """The messages in what a connection brings, in any pieces. limit: octets of one message."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._is_open = False
        self._seen = 0  # octets of the message without an end in them

    @property
    def is_begun(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._is_open

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete now.

        Line ends between messages are read past. Raises BrokenFrame.
        """
        self._held += data
        while self._begin():
            end = self._held.find(_LAST, self._seen)
            size = len(self._held) if end < 0 else end
            if size > self._limit:
                raise BrokenFrame(f"longer than {self._limit} octets", bytes(self._held))
            if self._held.find(START, self._seen, size) >= 0:
                raise BrokenFrame("0x0B inside a message", bytes(self._held))
            self._seen = size
            if end < 0 or end + 1 == len(self._held):
                return
            if not self._held.startswith(END, end):
                raise BrokenFrame("0x1C without 0x0D behind it", bytes(self._held[:end]))
            message = bytes(self._held[:end])
            del self._held[: end + len(END)]
            self._is_open, self._seen = False, 0
            yield message

    def _begin(self) -> bool:
        if self._is_open:
            return True
        del self._held[: len(self._held) - len(self._held.lstrip(b"\r\n"))]
        if not self._held:
            return False
        if self._held[0] != _FIRST:
            raise BrokenFrame("a message begins with 0x0B")
        del self._held[0]
        self._is_open = True
        return True


def framed(message: bytes) -> bytes:
    """A message in its frame."""
    return START + message + END
