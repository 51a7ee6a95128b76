"""Hashing beside the work."""

import hashlib
import threading
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdsi.files.hashing import Digests


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 1, 5, 70_000, 65_536, 65_535]), max_size=30))
def test_the_order_of_chunks_of_any_size_is_kept(hashing: Executor, sizes: list[int]) -> None:
    digests, whole = Digests(hashing, hashlib.sha1(), hashlib.sha256()), b""
    for n, size in enumerate(sizes):
        data = bytes([n]) * size
        digests.update(data)
        whole += data
    assert digests.hex() == (hashlib.sha1(whole).hexdigest(), hashlib.sha256(whole).hexdigest())
    assert digests.hex() == digests.hex()


def test_more_streams_than_threads_take_turns() -> None:
    """One thread serves streams that never pause, and nobody waits for ever."""
    chunk = bytes(1 << 20)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(6) as feeders:
        streams = [Digests(one, hashlib.sha256()) for _ in range(6)]

        def feed(digests: Digests) -> tuple[str, ...]:
            for _ in range(20):
                digests.update(chunk)
            return digests.hex()

        found = set(feeders.map(feed, streams))
    assert found == {(hashlib.sha256(chunk * 20).hexdigest(),)}


@pytest.mark.proves("SEC-T-041")
def test_a_stream_that_is_hashed_slowly_waits_instead_of_piling_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, begun, fed = threading.Event(), threading.Event(), []

    def slow(self: Digests, data: bytes) -> None:
        begun.set()
        gate.wait(10)

    monkeypatch.setattr(Digests, "_add", slow)
    with ThreadPoolExecutor(1) as one:
        digests = Digests(one, hashlib.sha256())

        def feed() -> None:
            for n in range(20):
                digests.update(bytes(1 << 20))
                fed.append(n)
                begun.wait(10)

        feeder = threading.Thread(target=feed)
        feeder.start()
        feeder.join(0.3)
        assert feeder.is_alive()
        assert len(fed) == 2
        gate.set()
        feeder.join(10)
        assert len(fed) == 20
        digests.hex()


@pytest.mark.proves("SEC-T-041")
def test_what_no_thread_begins_is_hashed_by_who_brings_it() -> None:
    gate, data = threading.Event(), bytes(1 << 20)
    with ThreadPoolExecutor(1) as one:
        busy = one.submit(gate.wait, 30)
        digests = Digests(one, hashlib.sha256())
        for _ in range(3):
            digests.update(data)
        assert digests._size == 0
        assert digests.hex() == (hashlib.sha256(data * 3).hexdigest(),)
        assert not busy.done()
        gate.set()


def test_what_has_begun_is_finished_while_the_threads_close() -> None:
    threads = ThreadPoolExecutor(1)
    digests = Digests(threads, hashlib.sha256())
    for _ in range(12):
        digests.update(bytes(1 << 20))
    threads.shutdown(wait=False)
    assert digests.hex() == (hashlib.sha256(bytes(12 << 20)).hexdigest(),)
    with pytest.raises(RuntimeError):
        digests.update(bytes(1 << 20))
