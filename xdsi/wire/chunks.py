"""Documents that are made while they are read."""

from collections.abc import Generator


class ChunkReader:
    """Chunks of any size as a `Reader`."""

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, n: int, /) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        data, self._rest = bytes(self._rest[:n]), self._rest[n:]
        return data

    def close(self) -> None:
        self._rest = memoryview(b"")
        self._chunks.close()
