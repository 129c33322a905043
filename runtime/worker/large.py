"""A large entry: extracted as it arrives and sent in parts, or in one request when it fits into one.

The thread that reads also inflates and hashes; sending runs on the upload threads. Memory holds the part
being filled and the parts in flight, both within the archive's grant.
"""

import hashlib
import time

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import EntryReader, EntryRejected
from runtime.worker.archive.methods import STORED
from runtime.worker.download.archive_bytes import ByteStream
from runtime.worker.net.wire import Buffer
from runtime.worker.plan import Wanted
from runtime.worker.run import Run
from runtime.worker.uploads import MultipartUpload, part_size

READ_BYTES = 64 * 1024


def stream_entry(run: Run, wanted: Wanted, stream: ByteStream, buffer: memoryview) -> None:
    """Fetch, extract, verify and upload one entry; the stream stands at its local header.

    Raises as the stream and the store do, or what the scope ended with; a bad entry is rejected.
    """
    sink = _Sink(run, wanted)
    try:
        _extract(run, wanted, stream, buffer, sink)
    except EntryRejected as error:
        sink.abandon()
        run.rejected(wanted.result, error.outcome, error.text)
    except BaseException:
        sink.abandon()
        raise


def _extract(run: Run, wanted: Wanted, stream: ByteStream, buffer: memoryview, sink: "_Sink") -> None:
    reader = EntryReader(wanted.entry, run.limits)
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
            sink.write(chunk)
        fetching += fetched - started
        extracting += time.monotonic() - fetched
    reader.close()
    run.timings.add("download", fetching)
    run.timings.add("extract", extracting)
    sink.finish()


class _Sink:
    """Where an entry's bytes go: hashed, gathered into parts, and sent."""

    def __init__(self, run: Run, wanted: Wanted) -> None:
        self._run = run
        self._wanted = wanted
        self._expected = wanted.expected.sha256
        self._sha256 = hashlib.sha256() if self._expected is not None else None
        self._part_bytes = part_size(wanted.entry.size, run.part_bytes)
        self._gathered: list[Buffer] = []
        self._size = 0
        self._upload: MultipartUpload | None = None

    def write(self, chunk: Buffer) -> None:
        if self._sha256 is not None:
            self._sha256.update(chunk)
        self._gathered.append(chunk)
        self._size += len(chunk)
        if self._size >= self._part_bytes and self._wanted.entry.size > self._part_bytes:
            self._send_part()

    def _send_part(self) -> None:
        if self._upload is None:
            about = self._run.describe(self._wanted.expected)
            self._upload = MultipartUpload(self._run.uploader, self._wanted.key, about)
        gathered, size = self._gathered, self._size
        self._gathered, self._size = [], 0
        self._upload.add(gathered, size)

    def finish(self) -> None:
        """Everything has been read and the ZIP's own checks passed. Raises EntryRejected on the last one."""
        entry, result = self._wanted.entry, self._wanted.result
        if self._sha256 is not None and (found := self._sha256.hexdigest()) != self._expected:
            raise EntryRejected(
                EntryOutcome.CHECKSUM_MISMATCH, f"its SHA-256 is {found}, not {self._expected}"
            )
        if self._upload is None:
            self._put_whole()
            return
        if self._gathered:
            self._send_part()
        upload, self._upload = self._upload, None
        upload.complete(entry.crc32, entry.size, lambda: self._run.uploaded(result, self._expected))

    def _put_whole(self) -> None:
        run, wanted, gathered = self._run, self._wanted, self._gathered

        def job() -> None:
            store = run.uploader.store
            about = run.describe(wanted.expected)
            exchange = store.start_put(
                wanted.key,
                gathered,
                run.scope,
                crc=wanted.entry.crc32,
                sha256=self._expected,
                about=about,
            )
            store.finish(exchange, run.scope)
            run.uploaded(wanted.result, self._expected)

        run.uploader.submit(job, self._size)

    def abandon(self) -> None:
        """Nothing of it becomes visible."""
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.abandon()
