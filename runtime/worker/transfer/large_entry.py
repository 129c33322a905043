"""A large entry: extracted as it arrives and sent in parts, or in one request when it fits into one.

The thread that reads also inflates and hashes, and sends what is sent as it comes; parts that are gathered
are sent by the upload threads. Whatever interrupts it, the entry is resumed at the last part that
arrived.
"""

import logging
import random
import time
from dataclasses import dataclass

from runtime.shared import tracing
from runtime.shared.sizes import MIB
from runtime.worker.archive import EntryReader, EntryRejected
from runtime.worker.archive.data_errors import corrupt
from runtime.worker.archive.methods import STORED
from runtime.worker.fetch.archive import ByteStream
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.entry_parts import PartLost
from runtime.worker.transfer.entry_upload import EntryUpload
from runtime.worker.transfer.memory import part_size
from runtime.worker.transfer.resume import Resumed, find_resumed, forget
from runtime.worker.transfer.second_look import look_again
from runtime.worker.transfer.transfer import Transfer

_log = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024
_LEAST_READ_BYTES = 4 * 1024
_READ_S = 0.5  # what a read may take: S3 is sent something before it loses its patience
_LOSSES = 6  # in a row, with no part arriving between them
_PAUSE_S = 2.0
# Going on in the middle of an entry costs a tenth of the speed of inflating it: not worth it for what is read
# again from its beginning within this time.
_RESTART_S = 10.0
# Such an entry has a span of its own: there are few of them, and the time they take is to be seen.
_TRACED_BYTES = 64 * MIB


def stream_entry(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    """Fetch, extract, verify and upload one entry; the stream stands at its local header.

    Raises as the stream and the store do, or what the scope ended with; a bad entry is rejected.
    """
    if wanted.entry.size < _TRACED_BYTES:
        _judge(transfer, wanted, stream)
        return
    with tracing.span("entry", entry=wanted.entry.name[:1_024], bytes=wanted.entry.size):
        _judge(transfer, wanted, stream)


def _judge(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    try:
        try:
            _resume_or_begin(transfer, wanted, stream)
        except EntryRejected as refused:
            look_again(transfer.archive, wanted, refused, lambda anew: _begin(transfer, wanted, anew))
    except EntryRejected as judged:
        transfer.rejected(wanted.result, judged.outcome, judged.text)


def _resume_or_begin(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    resumed = find_resumed(transfer, wanted) if _can_be_resumed(transfer, wanted) else None
    if resumed is None:
        _begin(transfer, wanted, stream)
        return
    try:
        _go_on(transfer, wanted, stream, resumed)
    except EntryRejected:
        # The fault may lie in what the earlier attempt left behind: read the entry afresh before judging it.
        again = transfer.archive.stream(wanted.start, wanted.stop)
        try:
            _begin(transfer, wanted, again)
        finally:
            again.close()


def _begin(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    _go_on(transfer, wanted, stream, None)


def _can_be_resumed(transfer: Transfer, wanted: Wanted) -> bool:
    return wanted.entry.size > part_size(wanted.entry.size) and bool(transfer.archive.identity.etag)


def _worth_resuming(transfer: Transfer, wanted: Wanted) -> bool:
    """Whether beginning the entry again would cost more than being able to go on in its middle."""
    quick = transfer.rate is not None and wanted.entry.size < transfer.rate * _RESTART_S
    return not quick and _can_be_resumed(transfer, wanted)


def _go_on(transfer: Transfer, wanted: Wanted, stream: ByteStream, resumed: Resumed | None) -> None:
    """From the beginning or the resumed place to the end, over parts that are lost on the way."""
    lost = _stream(transfer, wanted, stream, resumed)
    losses = 1
    while lost is not None:
        if losses > _LOSSES:
            raise lost.cause
        transfer.scope.wait(random.uniform(0, _PAUSE_S))  # noqa: S311 -- spreads retries, guards nothing
        again = transfer.archive.stream(wanted.start, wanted.stop)
        try:
            next_lost = _stream(transfer, wanted, again, lost.place, patient=True)
        finally:
            again.close()
        losses = 1 if next_lost is not None and next_lost.reached > lost.reached else losses + 1
        lost = next_lost


@dataclass(frozen=True)
class _Lost:
    """A part did not arrive, and from where to go on."""

    cause: Exception
    place: Resumed | None

    @property
    def reached(self) -> int:
        return self.place.checkpoint.size if self.place is not None else 0


def _stream(
    transfer: Transfer,
    wanted: Wanted,
    stream: ByteStream,
    resumed: Resumed | None,
    *,
    patient: bool = False,
) -> _Lost | None:
    """None when the entry is through; its last parts may still be on their way."""
    resumable = resumed is not None or _worth_resuming(transfer, wanted)
    reader = EntryReader(wanted.entry, transfer.limits, resumable=resumable)
    if resumed is not None:
        state = resumed.checkpoint.reader
        try:
            reader.resume(state)
        except ValueError as error:
            forget(transfer, wanted, resumed.checkpoint.upload_id)
            raise corrupt(f"it cannot be resumed: {error}") from error
        stream.skip(state.offset)
        transfer.resumed(state.consumed)
        _log.info("Resumed inside an entry", extra={"entry": wanted.entry.name[:1_024], "at": state.produced})
    upload = EntryUpload(transfer, wanted, reader, resumed=resumed, patient=patient)
    try:
        _extract(transfer, wanted, stream, reader, upload)
        upload.finish()
    except PartLost as lost:
        _log.info("A part of %s did not arrive: %s", wanted.entry.name, lost)
        return _Lost(lost.cause, upload.lost())
    except EntryRejected:
        upload.reject()
        raise
    except BaseException:
        upload.interrupt()
        raise
    return None


def _extract(
    transfer: Transfer, wanted: Wanted, stream: ByteStream, reader: EntryReader, upload: EntryUpload
) -> None:
    buffer = memoryview(bytearray(_READ_BYTES))
    fetching = extracting = 0.0
    stored = wanted.entry.method == STORED
    length = _LEAST_READ_BYTES
    while not reader.finished and stream.position < wanted.stop:
        # A stored entry's output is its input: the buffer goes on to S3 and cannot be filled again.
        view = memoryview(bytearray(length)) if stored else buffer[:length]
        view = view[: min(len(view), wanted.stop - stream.position)]
        started = time.monotonic()
        stream.read_exactly(view)
        fetched = time.monotonic()
        for chunk in reader.feed(view):
            upload.write(chunk)
        fetching += fetched - started
        extracting += time.monotonic() - fetched
        length = _next_length(length, fetched - started)
    reader.close()
    transfer.timings.add("download", fetching)
    transfer.timings.add("extract", extracting)


def _next_length(length: int, took: float) -> int:
    """How much to read at once, after reading `length` bytes took so many seconds."""
    if took > _READ_S:
        return max(_LEAST_READ_BYTES, length // 2)
    return min(_READ_BYTES, length * 2) if took < _READ_S / 2 else length
