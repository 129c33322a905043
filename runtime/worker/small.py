"""Small entries: a block of them is fetched by one thread, then extracted, verified and sent by another.

Per object there is one signature, one system call to send and one to receive. A few requests are in flight
per thread, so the service's latency is hidden without more threads.
"""

import hashlib
import time
from collections import deque
from collections.abc import Sequence

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import EntryRejected, read_entry
from runtime.worker.aws.client import Exchange
from runtime.worker.net.wire import Buffer
from runtime.worker.plan import Wanted
from runtime.worker.run import Run

MAX_RAW_BYTES = 256 * 1024
MAX_SIZE = 1024 * 1024
_REQUESTS_IN_FLIGHT = 8


def is_small(wanted: Wanted) -> bool:
    return wanted.stop - wanted.start <= MAX_RAW_BYTES and wanted.entry.size <= MAX_SIZE


def put_block(run: Run, block: memoryview, base: int, entries: Sequence[Wanted]) -> None:
    """Extract and upload the entries in `block`, which begins at byte `base` of the archive.

    Raises AwsError, AwsUnreachable, or what the scope ended with; an entry that is not as it should be is
    rejected.
    """
    started = time.monotonic()
    in_flight: deque[tuple[Wanted, Exchange]] = deque()
    try:
        for wanted in entries:
            data = _verified(run, block[wanted.start - base : wanted.stop - base], wanted)
            if data is None:
                continue
            if len(in_flight) == _REQUESTS_IN_FLIGHT:
                _finish(run, *in_flight.popleft())
            expected = wanted.expected
            about = run.describe(expected)
            in_flight.append(
                (
                    wanted,
                    run.uploader.store.start_put(
                        wanted.key,
                        (data,),
                        run.scope,
                        crc=wanted.entry.crc32,
                        sha256=expected.sha256,
                        about=about,
                    ),
                )
            )
        while in_flight:
            _finish(run, *in_flight.popleft())
    finally:
        for _, exchange in in_flight:
            run.uploader.store.drop(exchange, run.scope)
        run.timings.add("upload", time.monotonic() - started)


def _verified(run: Run, raw: memoryview, wanted: Wanted) -> Buffer | None:
    """The entry's bytes once CRC-32, size and SHA-256 agree; None when it was rejected."""
    try:
        data = read_entry(wanted.entry, raw, run.limits)
    except EntryRejected as error:
        run.rejected(wanted.result, error.outcome, error.text)
        return None
    expected = wanted.expected.sha256
    if expected is not None and (found := hashlib.sha256(data).hexdigest()) != expected:
        run.rejected(wanted.result, EntryOutcome.CHECKSUM_MISMATCH, f"its SHA-256 is {found}, not {expected}")
        return None
    return data


def _finish(run: Run, wanted: Wanted, exchange: Exchange) -> None:
    run.uploader.store.finish(exchange, run.scope)
    run.uploaded(wanted.result, wanted.expected.sha256)
