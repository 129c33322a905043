"""Working through an archive's pieces: the slot's own thread always, helpers while there are threads and
memory.

The slot's thread never depends on a helper, so every archive progresses however busy the shared threads are.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from runtime.worker.budget import ByteBudget, Grant
from runtime.worker.download.ahead import BLOCK_BYTES, AheadStream
from runtime.worker.download.archive_bytes import ByteStream
from runtime.worker.large import stream_entry
from runtime.worker.plan import Wanted
from runtime.worker.run import Run
from runtime.worker.small import is_small, put_block
from runtime.worker.spans import Span

BLOCK_RAW_BYTES = 512 * 1024
BLOCK_OUTPUT_BYTES = 2 * 1024 * 1024
_BLOCK_ENTRIES = 64
_AHEAD_FROM_BYTES = 4 * BLOCK_BYTES


@dataclass(frozen=True)
class Lanes:
    """What a run may use beside the slot's own thread: shared threads, memory, and a number of
    connections.
    """

    helpers: ThreadPoolExecutor
    memory: ByteBudget
    connections: int

    @contextmanager
    def ahead(self, run: Run, wanted: Wanted, pieces: int) -> Iterator[ByteStream | None]:
        """A stream over several connections for a long entry, when the pieces leave connections to spare."""
        depth = self.connections // pieces
        if depth < 2 or not run.archive.ranged or wanted.stop - wanted.start < _AHEAD_FROM_BYTES:
            yield None
            return
        grant = self.memory.try_acquire(depth * BLOCK_BYTES)
        if grant is None:
            yield None
            return
        with grant:
            stream = AheadStream(run.archive.stream, wanted.start, wanted.stop, self.helpers, depth)
            try:
                yield stream
            finally:
                stream.close()


def work_through(run: Run, lanes: Lanes) -> None:
    """Fetch, extract and upload everything in `run.pieces`; returns when the last object is visible.

    Raises the first error of any thread, or what the scope ended with. By then no thread touches the run.
    """
    lane_bytes = run.part_bytes + BLOCK_RAW_BYTES
    pieces = max(1, len(run.pieces))
    futures: list[Future[None]] = []
    try:
        for _ in range(min(lanes.connections, pieces) - 1):
            grant = lanes.memory.try_acquire(lane_bytes)
            if grant is None:
                break
            future = lanes.helpers.submit(_help, run, lanes, pieces)
            future.add_done_callback(partial(_release, grant))
            futures.append(future)
        _lane(run, lanes, pieces)
        for future in futures:
            if not future.cancel():  # still queued behind other archives: nothing is left for it to do
                future.result()
        run.uploader.window.drain()
    except BaseException as error:
        run.scope.fail(error)
        for future in futures:
            if not future.cancel():
                future.exception()
        run.uploader.window.settle()
        run.scope.check()
        raise


def _release(grant: Grant, _: Future[None]) -> None:
    grant.release()


def _help(run: Run, lanes: Lanes, pieces: int) -> None:
    try:
        _lane(run, lanes, pieces)
    except BaseException as error:
        run.scope.fail(error)
        raise


def _lane(run: Run, lanes: Lanes, pieces: int) -> None:
    while True:
        try:
            piece = run.pieces.popleft()
        except IndexError:
            return
        for span in piece:
            _fetch_span(run, span, lanes, pieces)


def _fetch_span(run: Run, span: Span, lanes: Lanes, pieces: int) -> None:
    stream = run.archive.stream(span.start, span.stop)
    try:
        block: list[Wanted] = []
        raw = output = 0
        for wanted in span.entries:
            if not is_small(wanted):
                _send_block(run, stream, block, output)
                block, raw, output = [], 0, 0
                with lanes.ahead(run, wanted, pieces) as ahead:
                    if ahead is not None:
                        stream.close()
                        stream_entry(run, wanted, ahead)
                    else:
                        stream.skip(wanted.start - stream.position)
                        stream_entry(run, wanted, stream)
                continue
            raw += wanted.stop - (block[-1].stop if block else wanted.start)
            output += wanted.entry.size
            block.append(wanted)
            if raw >= BLOCK_RAW_BYTES or output >= BLOCK_OUTPUT_BYTES or len(block) == _BLOCK_ENTRIES:
                _send_block(run, stream, block, output)
                block, raw, output = [], 0, 0
        _send_block(run, stream, block, output)
    finally:
        stream.close()


def _send_block(run: Run, stream: ByteStream, entries: list[Wanted], output: int) -> None:
    if not entries:
        return
    stream.skip(entries[0].start - stream.position)
    base = stream.position
    block = memoryview(bytearray(entries[-1].stop - base))
    with run.timings.stage("download"):
        stream.read_exactly(block)
    run.uploader.submit(lambda: put_block(run, block, base, entries), len(block) + output)
