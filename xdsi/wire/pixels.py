"""What reading the pixels of one instance may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """How much one instance may cost, whatever it says of itself (SEC-T-150).

    frame: octets of one decoded frame, and of an inflated data set
    enlarged: octets of a picture that is made larger than it is stored, as anybody may ask
    frames: how many of them
    factor: how many times larger than stored the pixel data may become, where it becomes larger
        than one frame may be
    header: octets kept in memory of all that is no pixel data
    elements, nesting: how many, and how deep
    """

    frame: int = 512 << 20
    enlarged: int = 64 << 20
    frames: int = 100_000
    factor: int = 1000
    header: int = 64 << 20
    elements: int = 1_000_000
    nesting: int = 64
