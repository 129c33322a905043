"""Working through an archive's pieces, on the slot's own thread and on helpers.

Helpers join while there are threads and memory.

The slot's thread never depends on a helper, so every archive progresses however busy the shared threads are.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from runtime.shared import logs, tracing
from runtime.worker.bounds.budget import ByteBudget, Grant
from runtime.worker.fetch.archive import ByteStream
from runtime.worker.fetch.read_ahead import BLOCK_BYTES, ReadAheadStream
from runtime.worker.plan.spans import ByteSpan
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.large_entry import stream_entry
from runtime.worker.transfer.memory import BLOCK_OUTPUT_BYTES, BLOCK_RAW_BYTES, LEAST_BLOCK_RAW_BYTES
from runtime.worker.transfer.small_entries import is_small, put_block
from runtime.worker.transfer.transfer import Transfer

_BLOCK_ENTRIES = 64
_BLOCK_S = 0.5  # what reading a block may take
_AHEAD_FROM_BYTES = 4 * BLOCK_BYTES


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """The means of a transfer beside the slot's own thread.

    Shared threads while some are idle, memory while there is some to spare, and a number of connections.
    """

    helpers: ThreadPoolExecutor
    idle_helpers: threading.Semaphore
    memory: ByteBudget
    connections: int
    lane_bytes: int

    def take_helpers(self, most: int) -> int:
        """So many idle threads, at most; each to be given back by `idle_helpers.release()`."""
        return sum(1 for _ in range(most) if self.idle_helpers.acquire(blocking=False))

    @contextmanager
    def ahead(self, transfer: Transfer, wanted: Wanted, pieces: int) -> Iterator[ByteStream | None]:
        """A stream over several connections for a long entry, when the pieces leave connections to spare."""
        depth = self.connections // pieces
        if depth < 2 or not transfer.archive.ranged or wanted.stop - wanted.start < _AHEAD_FROM_BYTES:
            yield None
            return
        helpers = self.take_helpers(depth)
        try:
            grant = self.memory.try_acquire(helpers * BLOCK_BYTES) if helpers > 1 else None
            if grant is None:
                yield None
                return
            with grant:
                start, stop = wanted.start, wanted.stop
                stream = ReadAheadStream(transfer.archive.stream, start, stop, self.helpers, helpers)
                try:
                    yield stream
                finally:
                    stream.close()
        finally:
            for _ in range(helpers):
                self.idle_helpers.release()


def work_through(transfer: Transfer, lanes: Lanes) -> None:
    """Fetch, extract and upload everything in `transfer.pieces`; returns when the last object is visible.

    Raises the first error of any thread, or what the scope ended with. By then no thread touches it.
    """
    pieces = max(1, len(transfer.pieces))
    futures: list[Future[None]] = []
    try:
        with tracing.span("fetch", pieces=len(transfer.pieces)) as fetching:
            for _ in range(lanes.take_helpers(min(lanes.connections, pieces) - 1)):
                grant = lanes.memory.try_acquire(lanes.lane_bytes)
                if grant is None:
                    lanes.idle_helpers.release()
                    continue
                future = lanes.helpers.submit(logs.carry(_help), transfer, lanes, pieces)
                future.add_done_callback(partial(_release, grant, lanes))
                futures.append(future)
            fetching.set(helpers=len(futures))
            _lane(transfer, lanes, pieces)
            for future in futures:
                if not future.cancel():  # still queued behind other archives: nothing is left for it to do
                    future.result()
        transfer.uploader.window.drain()
    except BaseException as error:
        transfer.scope.fail(error)
        for future in futures:
            if not future.cancel():
                future.exception()
        transfer.uploader.window.settle()
        transfer.scope.check()
        raise


def _release(grant: Grant, lanes: Lanes, _: Future[None]) -> None:
    grant.release()
    lanes.idle_helpers.release()


def _help(transfer: Transfer, lanes: Lanes, pieces: int) -> None:
    try:
        _lane(transfer, lanes, pieces)
    except BaseException as error:
        transfer.scope.fail(error)
        raise


def _lane(transfer: Transfer, lanes: Lanes, pieces: int) -> None:
    while True:
        try:
            piece = transfer.pieces.popleft()
        except IndexError:
            return
        for span in piece:
            _fetch_span(transfer, span, lanes, pieces)


def _fetch_span(transfer: Transfer, span: ByteSpan, lanes: Lanes, pieces: int) -> None:
    stream = transfer.archive.stream(span.start, span.stop)
    try:
        block: list[Wanted] = []
        raw = output = 0
        for wanted in span.entries:
            if not is_small(wanted):
                _send_block(transfer, stream, block, output)
                block, raw, output = [], 0, 0
                with lanes.ahead(transfer, wanted, pieces) as ahead:
                    if ahead is not None:
                        stream.close()
                        stream_entry(transfer, wanted, ahead)
                    else:
                        stream.skip(wanted.start - stream.position)
                        stream_entry(transfer, wanted, stream)
                continue
            raw += wanted.stop - (block[-1].stop if block else wanted.start)
            output += wanted.entry.size
            block.append(wanted)
            if raw >= transfer.block_bytes or output >= BLOCK_OUTPUT_BYTES or len(block) == _BLOCK_ENTRIES:
                _send_block(transfer, stream, block, output)
                block, raw, output = [], 0, 0
        _send_block(transfer, stream, block, output)
    finally:
        stream.close()


def _send_block(transfer: Transfer, stream: ByteStream, entries: list[Wanted], output: int) -> None:
    if not entries:
        return
    stream.skip(entries[0].start - stream.position)
    base = stream.position
    block = memoryview(bytearray(entries[-1].stop - base))
    started = time.monotonic()
    stream.read_exactly(block)
    took = time.monotonic() - started
    transfer.timings.add("download", took)
    if took > _BLOCK_S:
        transfer.block_bytes = max(LEAST_BLOCK_RAW_BYTES, transfer.block_bytes // 2)
    elif took < _BLOCK_S / 2:
        transfer.block_bytes = min(BLOCK_RAW_BYTES, transfer.block_bytes * 2)
    transfer.uploader.submit(lambda: put_block(transfer, block, base, entries), len(block) + output)
