"""Small entries: a block of them is fetched by one thread, then extracted, verified and sent by another.

Per object there is one signature, one system call to send and one to receive. Some thirty
requests are in flight per thread, so the service's latency is hidden without more threads.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Sequence

from runtime.shared.aws_client.client import Exchange
from runtime.shared.buffer import Buffer
from runtime.shared.contracts import EntryOutcome
from runtime.shared.sizes import MIB
from runtime.worker.archive import EntryRejected, read_entry
from runtime.worker.fetch.archive import ByteStream
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.second_look import look_again
from runtime.worker.transfer.transfer import Transfer

MAX_RAW_BYTES = 256 * 1024
MAX_SIZE = MIB
_REQUESTS_IN_FLIGHT = 32  # per block, so that as many are under way with few threads as with many
# Small entries keep the interpreter busy: more threads than this only take its lock from one another.
# Measured with 2, 4 and 16: 35, 32 and 22 MB/s.
_AT_WORK = threading.BoundedSemaphore(4)


def is_small(wanted: Wanted) -> bool:
    return wanted.stop - wanted.start <= MAX_RAW_BYTES and wanted.entry.size <= MAX_SIZE


def put_block(transfer: Transfer, block: memoryview, base: int, entries: Sequence[Wanted]) -> None:
    """Extract and upload the entries in `block`, which begins at byte `base` of the archive.

    Raises AwsError, AwsUnreachable, or what the scope ended with; an entry that is not as it should be is
    rejected.
    """
    with _AT_WORK:
        _put_block(transfer, block, base, entries)


def _put_block(transfer: Transfer, block: memoryview, base: int, entries: Sequence[Wanted]) -> None:
    started = time.monotonic()
    in_flight: deque[tuple[Wanted, Exchange]] = deque()
    try:
        for wanted in entries:
            data = _verified(transfer, block[wanted.start - base : wanted.stop - base], wanted)
            if data is None:
                continue
            if len(in_flight) == _REQUESTS_IN_FLIGHT:
                _finish(transfer, *in_flight.popleft())
            expected = wanted.expected
            about = transfer.describe(expected)
            in_flight.append(
                (
                    wanted,
                    transfer.uploader.store.start_put(
                        wanted.key,
                        (data,),
                        transfer.scope,
                        crc=wanted.entry.crc32,
                        sha256=expected.sha256,
                        about=about,
                    ),
                )
            )
        while in_flight:
            _finish(transfer, *in_flight.popleft())
    finally:
        for _, exchange in in_flight:
            transfer.uploader.store.drop(exchange, transfer.scope)
        transfer.timings.add("upload", time.monotonic() - started)


def _verified(transfer: Transfer, raw: memoryview, wanted: Wanted) -> Buffer | None:
    """The entry's bytes once CRC-32, size and SHA-256 agree; None when it was rejected."""
    try:
        try:
            data = read_entry(wanted.entry, raw, transfer.limits)
        except EntryRejected as refused:
            data = look_again(transfer.archive, wanted, refused, lambda anew: _read(transfer, wanted, anew))
    except EntryRejected as judged:
        transfer.rejected(wanted.result, judged.outcome, judged.text)
        return None
    expected = wanted.expected.sha256
    if expected is not None and (found := hashlib.sha256(data).hexdigest()) != expected:
        transfer.rejected(
            wanted.result, EntryOutcome.CHECKSUM_MISMATCH, f"its SHA-256 is {found}, not {expected}"
        )
        return None
    return data


def _read(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> Buffer:
    raw = memoryview(bytearray(wanted.stop - wanted.start))
    stream.read_exactly(raw)
    return read_entry(wanted.entry, raw, transfer.limits)


def _finish(transfer: Transfer, wanted: Wanted, exchange: Exchange) -> None:
    transfer.uploader.store.finish(exchange, transfer.scope)
    transfer.uploaded(wanted.result)
