"""Frames, in whatever pieces they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdsi.wire.mllp import END, START, BrokenFrame, Frames, framed

contents = st.binary(max_size=40).map(lambda data: data.translate(None, b"\x0b\x1c"))


@pytest.mark.proves("PIF-010")
@given(
    messages=st.lists(contents, max_size=5),
    between=st.sampled_from([b"", b"\r", b"\n", b"\r\n\r\n"]),
    cuts=st.lists(st.integers(0, 250), max_size=12),
)
def test_messages_come_out_however_they_are_cut(
    messages: list[bytes], between: bytes, cuts: list[int]
) -> None:
    stream = between.join(map(framed, messages)) + between
    ends = [*sorted(cuts), len(stream)]
    frames = Frames(40)
    pieces = [stream[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    assert [each for piece in pieces for each in frames.feed(piece)] == messages
    assert not frames.is_begun


# what comes -> (messages before it, what had begun)
BROKEN = {
    "no start": (b"MSH|", [], b""),
    "HTTP": (b"POST / HTTP/1.1\r\n", [], b""),
    "TLS hello": (b"\x16\x03\x01", [], b""),
    "behind a message": (framed(b"A") + b"B", [b"A"], b""),
    "start inside": (START + b"AB" + START, [], b"AB" + START),
    "start inside, ended": (START + b"A" + START + b"B" + END, [], b"A" + START + b"B" + END),
    "end without CR": (START + b"A\x1cB", [], b"A"),
    "end twice": (START + b"A\x1c\x1c\r", [], b"A"),
    "too long": (START + b"12345678", [], b"12345678"),
    "too long, whole": (framed(b"12345678"), [], b"12345678" + END),
}  # fmt: skip


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize(("data", "good", "begun"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_frame_is_told(data: bytes, good: list[bytes], begun: bytes, piece: int) -> None:
    frames, found = Frames(7), list[bytes]()

    def feed() -> None:
        for at in range(0, len(data), piece):
            for each in frames.feed(data[at : at + piece]):
                found.append(each)  # those before the error count

    with pytest.raises(BrokenFrame) as caught:
        feed()
    assert found == good
    assert begun.startswith(caught.value.begun)
    if piece > len(data):
        assert caught.value.begun == begun


def test_a_message_of_the_limit_is_good_and_nothing_is_looked_at_twice() -> None:
    frames = Frames(1_000_000)
    data = framed(b"x" * 1_000_000)
    found = [each for at in range(0, len(data), 1000) for each in frames.feed(data[at : at + 1000])]
    assert len(found[0]) == 1_000_000
    assert not frames.is_begun
    assert list(frames.feed(START)) == [] and frames.is_begun
