"""Working through an archive's pieces: the slot's own thread always, helpers while there are threads and
memory.

The slot's thread never depends on a helper, so every archive progresses however busy the shared threads are.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from runtime.worker.budget import ByteBudget, Grant
from runtime.worker.download.archive_bytes import ByteStream
from runtime.worker.large import stream_entry
from runtime.worker.plan import Wanted
from runtime.worker.run import Run
from runtime.worker.small import is_small, put_block
from runtime.worker.spans import Span

BLOCK_BYTES = 512 * 1024
BLOCK_OUTPUT_BYTES = 2 * 1024 * 1024
_BLOCK_ENTRIES = 64


def work_through(run: Run, helpers: ThreadPoolExecutor, budget: ByteBudget, connections: int) -> None:
    """Fetch, extract and upload everything in `run.pieces`; returns when the last object is visible.

    Raises the first error of any thread, or what the scope ended with. By then no thread touches the run.
    """
    lane_bytes = run.part_bytes + BLOCK_BYTES
    futures: list[Future[None]] = []
    try:
        for _ in range(min(connections, len(run.pieces)) - 1):
            grant = budget.try_acquire(lane_bytes)
            if grant is None:
                break
            future = helpers.submit(_help, run)
            future.add_done_callback(partial(_release, grant))
            futures.append(future)
        _lane(run)
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


def _help(run: Run) -> None:
    try:
        _lane(run)
    except BaseException as error:
        run.scope.fail(error)
        raise


def _lane(run: Run) -> None:
    while True:
        try:
            piece = run.pieces.popleft()
        except IndexError:
            return
        for span in piece:
            _fetch_span(run, span)


def _fetch_span(run: Run, span: Span) -> None:
    stream = run.archive.stream(span.start, span.stop)
    try:
        block: list[Wanted] = []
        raw = output = 0
        for wanted in span.entries:
            if not is_small(wanted):
                _send_block(run, stream, block, output)
                block, raw, output = [], 0, 0
                stream.skip(wanted.start - stream.position)
                stream_entry(run, wanted, stream)
                continue
            raw += wanted.stop - (block[-1].stop if block else wanted.start)
            output += wanted.entry.size
            block.append(wanted)
            if raw >= BLOCK_BYTES or output >= BLOCK_OUTPUT_BYTES or len(block) == _BLOCK_ENTRIES:
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
