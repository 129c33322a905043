"""A large entry: extracted as it arrives and sent in parts, or in one request when it fits into one.

The thread that reads also inflates and hashes; sending runs on the upload threads. Memory holds the part
being filled and the parts in flight, both within the archive's grant.
"""

import time

from runtime.worker.archive import EntryReader, EntryRejected
from runtime.worker.archive.methods import STORED
from runtime.worker.archive.records import LOCAL
from runtime.worker.download.archive_bytes import ByteStream
from runtime.worker.plan import Wanted
from runtime.worker.run import Run
from runtime.worker.sink import Sink
from runtime.worker.stored import Resumed, find_resumed
from runtime.worker.uploads import part_size

_READ_BYTES = 64 * 1024


def stream_entry(run: Run, wanted: Wanted, stream: ByteStream) -> None:
    """Fetch, extract, verify and upload one entry; the stream stands at its local header.

    Raises as the stream and the store do, or what the scope ended with; a bad entry is rejected.
    """
    entry = wanted.entry
    resumable = entry.method == STORED and entry.size > part_size(entry.size, run.part_bytes)
    resumed = find_resumed(run, wanted) if resumable and run.archive.identity.etag else None
    try:
        _transfer(run, wanted, stream, Sink(run, wanted, resumable=resumable, resumed=resumed), resumed)
    except EntryRejected as error:
        if resumed is None:
            run.rejected(wanted.result, error.outcome, error.text)
            return
        # The fault may lie in what the earlier attempt left behind: read the entry afresh before judging it.
        again = run.archive.stream(wanted.start, wanted.stop)
        try:
            stream_entry(run, wanted, again)
        finally:
            again.close()


def _transfer(run: Run, wanted: Wanted, stream: ByteStream, sink: Sink, resumed: Resumed | None) -> None:
    try:
        reader = EntryReader(wanted.entry, run.limits)
        if resumed is not None:
            _skip(reader, stream, resumed)
            run.resumed(resumed.checkpoint.size)
        _extract(run, wanted, stream, reader, sink)
        sink.finish()
    except EntryRejected:
        sink.reject()
        raise
    except BaseException:
        sink.interrupt()
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


def _extract(run: Run, wanted: Wanted, stream: ByteStream, reader: EntryReader, sink: Sink) -> None:
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
            sink.write(chunk, reader.crc32)
        fetching += fetched - started
        extracting += time.monotonic() - fetched
    reader.close()
    run.timings.add("download", fetching)
    run.timings.add("extract", extracting)
