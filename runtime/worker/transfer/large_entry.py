"""A large entry: extracted as it arrives and sent in parts, or in one request when it fits into one.

The thread that reads also inflates and hashes; sending runs on the upload threads. Memory holds the part
being filled and the parts in flight, both within the archive's grant.
"""

import time

from runtime.worker.archive import EntryReader, EntryRejected
from runtime.worker.archive.methods import STORED
from runtime.worker.archive.records import LOCAL
from runtime.worker.fetch.archive import ByteStream
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.entry_upload import EntryUpload
from runtime.worker.transfer.multipart import part_size
from runtime.worker.transfer.resume import Resumed, find_resumed
from runtime.worker.transfer.second_look import look_again
from runtime.worker.transfer.transfer import Transfer

_READ_BYTES = 64 * 1024


def stream_entry(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    """Fetch, extract, verify and upload one entry; the stream stands at its local header.

    Raises as the stream and the store do, or what the scope ended with; a bad entry is rejected.
    """
    try:
        try:
            _resume_or_begin(transfer, wanted, stream)
        except EntryRejected as refused:
            look_again(transfer.archive, wanted, refused, lambda anew: _begin(transfer, wanted, anew))
    except EntryRejected as judged:
        transfer.rejected(wanted.result, judged.outcome, judged.text)


def _resume_or_begin(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    resumed = find_resumed(transfer, wanted) if _resumable(transfer, wanted) else None
    if resumed is None:
        _begin(transfer, wanted, stream)
        return
    try:
        upload = EntryUpload(transfer, wanted, resumable=True, resumed=resumed)
        _stream(transfer, wanted, stream, upload, resumed)
    except EntryRejected:
        # The fault may lie in what the earlier attempt left behind: read the entry afresh before judging it.
        again = transfer.archive.stream(wanted.start, wanted.stop)
        try:
            _begin(transfer, wanted, again)
        finally:
            again.close()


def _begin(transfer: Transfer, wanted: Wanted, stream: ByteStream) -> None:
    upload = EntryUpload(transfer, wanted, resumable=_resumable(transfer, wanted))
    _stream(transfer, wanted, stream, upload, None)


def _resumable(transfer: Transfer, wanted: Wanted) -> bool:
    entry = wanted.entry
    long_enough = entry.size > part_size(entry.size, transfer.part_bytes)
    return entry.method == STORED and long_enough and bool(transfer.archive.identity.etag)


def _stream(
    transfer: Transfer, wanted: Wanted, stream: ByteStream, upload: EntryUpload, resumed: Resumed | None
) -> None:
    try:
        reader = EntryReader(wanted.entry, transfer.limits)
        if resumed is not None:
            _skip(reader, stream, resumed)
            transfer.resumed(resumed.checkpoint.size)
        _extract(transfer, wanted, stream, reader, upload)
        upload.finish()
    except EntryRejected:
        upload.reject()
        raise
    except BaseException:
        upload.interrupt()
        raise


def _skip(reader: EntryReader, stream: ByteStream, resumed: Resumed) -> None:
    """Read the local header, and go on behind the bytes that are in S3 already."""
    fixed = bytearray(LOCAL.size)
    stream.read_exactly(memoryview(fixed))
    rest = bytearray(int.from_bytes(fixed[26:28], "little") + int.from_bytes(fixed[28:30], "little"))
    stream.read_exactly(memoryview(rest))
    for _ in reader.feed(fixed + rest):
        pass
    reader.skip_stored(resumed.checkpoint.size, resumed.checkpoint.crc32)
    stream.skip(resumed.checkpoint.size)


def _extract(
    transfer: Transfer, wanted: Wanted, stream: ByteStream, reader: EntryReader, upload: EntryUpload
) -> None:
    buffer = memoryview(bytearray(_READ_BYTES))
    fetching = extracting = 0.0
    stored = wanted.entry.method == STORED
    while not reader.finished and stream.position < wanted.stop:
        # A stored entry's output is its input: the buffer goes on to S3 and cannot be filled again.
        view = memoryview(bytearray(len(buffer))) if stored else buffer
        view = view[: min(len(view), wanted.stop - stream.position)]
        started = time.monotonic()
        stream.read_exactly(view)
        fetched = time.monotonic()
        for chunk in reader.feed(view):
            upload.write(chunk, reader.crc32)
        fetching += fetched - started
        extracting += time.monotonic() - fetched
    reader.close()
    transfer.timings.add("download", fetching)
    transfer.timings.add("extract", extracting)
