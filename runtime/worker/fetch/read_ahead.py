"""Several connections for one long span: blocks are fetched ahead on shared threads and given out in order.

A single large entry can only be inflated from its beginning to its end, but its bytes can come over more than
one connection. A block whose turn has come and which no thread has taken up yet is fetched by the caller
itself, so nobody ever waits for a thread to become free.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future

from runtime.shared import logs
from runtime.shared.sizes import MIB
from runtime.worker.fetch.archive import ByteStream

BLOCK_BYTES = 4 * MIB

_Block = tuple[int, int, "Future[memoryview]"]


class ReadAheadStream:
    """The bytes [start, stop), with up to `depth` blocks in memory or under way."""

    def __init__(
        self, open_stream: Callable[[int, int], ByteStream], start: int, stop: int, pool: Executor, depth: int
    ) -> None:
        self._open = open_stream
        self._pool = pool
        self._depth = depth
        self._next = start
        self._stop = stop
        self._blocks: deque[_Block] = deque()
        self._current = memoryview(b"")
        self.position = start

    def read_exactly(self, view: memoryview) -> None:
        """Fill `view`. Raises what the streams raise."""
        while view.nbytes:
            if not self._current.nbytes:
                self._current = self._take()
            count = min(len(view), len(self._current))
            view[:count] = self._current[:count]
            self._current, view = self._current[count:], view[count:]
            self.position += count

    def skip(self, count: int) -> None:
        """Go on `count` bytes further; what was fetched for between is dropped."""
        target = self.position + count
        if count <= len(self._current):
            self._current = self._current[count:]
        else:
            self.close()
            self._next = target
        self.position = target

    def close(self) -> None:
        """Nothing more is fetched; returns when no thread is at it any more."""
        blocks, self._blocks = self._blocks, deque()
        self._current = memoryview(b"")
        for _, _, future in blocks:
            if not future.cancel():
                future.exception()

    def _take(self) -> memoryview:
        while len(self._blocks) < self._depth and self._next < self._stop:
            start, stop = self._next, min(self._next + BLOCK_BYTES, self._stop)
            self._blocks.append((start, stop, self._pool.submit(logs.carry(self._fetch), start, stop)))
            self._next = stop
        start, stop, future = self._blocks.popleft()
        return self._fetch(start, stop) if future.cancel() else future.result()

    def _fetch(self, start: int, stop: int) -> memoryview:
        block = memoryview(bytearray(stop - start))
        stream = self._open(start, stop)
        try:
            stream.read_exactly(block)
        finally:
            stream.close()
        return block
