"""Where a large entry's bytes go: hashed, cut into parts, and sent; visible only after the last check."""

import time
from functools import partial

from runtime.shared.buffer import Buffer
from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import EntryReader, EntryRejected, ReaderState
from runtime.worker.bounds.budget import Grant
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.entry_parts import EntryPart, Gathered, StreamedOfMany, StreamedWhole
from runtime.worker.transfer.memory import part_size
from runtime.worker.transfer.multipart import MultipartUpload
from runtime.worker.transfer.resumable_sha256 import ResumableSha256
from runtime.worker.transfer.resume import Progress, Resumed, forget
from runtime.worker.transfer.transfer import Transfer

# Below this a connection fills a part in seconds, and the memory is of more use to another.
_SLOW_BYTES_PER_S = 2_000_000


class EntryUpload:
    """One entry's, as its reader gives it; it cuts the reader's output into parts, and notes where each ends.

    A `patient` one gathers every part, and waits for the memory that takes.
    """

    def __init__(
        self,
        transfer: Transfer,
        wanted: Wanted,
        reader: EntryReader,
        *,
        resumed: Resumed | None = None,
        patient: bool = False,
    ) -> None:
        self._transfer = transfer
        self._wanted = wanted
        self._reader = reader
        self._patient = patient
        self._expected = wanted.expected.sha256
        self._size = wanted.entry.size
        self._part_bytes = part_size(self._size)
        self._part: EntryPart | None = None
        self._part_began = 0.0
        self._number = 0
        self._upload: MultipartUpload | None = None
        self._progress: Progress | None = None
        if resumed is not None:
            self._begin(resumed)
        self._sha256 = _sha256(self._expected, resumed)
        self._part_start = reader.produced
        reader.boundary = min(self._size, self._part_start + self._part_bytes)

    def write(self, chunk: Buffer) -> None:
        """Take the bytes that the reader has just given. Raises PartLost, or what the scope ended with."""
        if self._part is None:
            self._part_began = time.monotonic()
            self._part = self._open_part((self._reader.boundary or 0) - self._part_start)
        if self._sha256 is not None:
            self._sha256.update(chunk)
        self._part.write(chunk)
        if self._size > self._reader.produced == self._reader.boundary:
            self._end_part()

    def _open_part(self, length: int) -> EntryPart:
        transfer, whole = self._transfer, self._size <= self._part_bytes
        upload = None if whole else self._upload or self._begin(None)
        grant = self._grant(length)
        if upload is not None:
            self._number = upload.take_number()
            if grant is None:
                return StreamedOfMany(upload, self._number, length)
            return Gathered(grant, partial(upload.add, self._number))
        if grant is not None:
            return Gathered(grant, self._put_whole)
        return StreamedWhole(
            lambda: transfer.uploader.store.open_put(
                self._wanted.key,
                self._size,
                transfer.scope,
                crc=self._wanted.entry.crc32,
                sha256=self._expected,
                about=transfer.describe(self._wanted.expected),
            ),
            lambda: transfer.uploaded(self._wanted.result),
        )

    def _grant(self, length: int) -> Grant | None:
        """Memory to gather a part of this length; None: it is sent as it comes."""
        memory, rate = self._transfer.memory, self._transfer.rate
        if self._patient:
            return memory.acquire(length, self._transfer.scope, places=0)
        if rate is not None and rate < _SLOW_BYTES_PER_S:
            return None
        return memory.try_acquire(length)

    def _end_part(self) -> None:
        part, reader = self._part, self._reader
        assert part is not None
        assert reader.boundary is not None
        if self._progress is not None:
            self._progress.reached(self._number, *self._state())
        self._part = None
        took = time.monotonic() - self._part_began
        self._transfer.rate = (reader.produced - self._part_start) / max(took, 1e-6)
        self._part_start = reader.produced
        reader.boundary = min(self._size, reader.boundary + self._part_bytes)
        part.finish()

    def _begin(self, resumed: Resumed | None) -> MultipartUpload:
        transfer, wanted = self._transfer, self._wanted
        about = transfer.describe(wanted.expected)
        earlier = (resumed.checkpoint.upload_id, resumed.parts) if resumed is not None else None
        upload = MultipartUpload(transfer.uploader, wanted.key, about, resume=earlier)
        if transfer.archive.identity.etag:
            self._progress = Progress(transfer, wanted, upload.upload_id, resumed)
            upload.on_part = self._progress.arrived
        self._upload = upload
        return upload

    def finish(self) -> None:
        """The ZIP's own checks have passed. Raises EntryRejected when the last one, SHA-256, does not."""
        transfer, wanted = self._transfer, self._wanted
        if self._sha256 is not None and (found := self._sha256.hexdigest()) != self._expected:
            text = f"its SHA-256 is {found}, not {self._expected}"
            raise EntryRejected(EntryOutcome.CHECKSUM_MISMATCH, text)
        if self._part is None and self._upload is None:
            self._part = self._open_part(0)
        if self._part is not None:
            self._end_part()
        if self._upload is None:
            return
        upload, self._upload = self._upload, None

        def done() -> None:
            transfer.uploaded(wanted.result)
            transfer.checkpoints.forget(wanted.key)

        upload.keep = self._worth_keeping
        upload.complete(wanted.entry.crc32, wanted.entry.size, done)

    def _put_whole(self, buffers: list[Buffer], size: int, grant: Grant) -> None:
        transfer, wanted = self._transfer, self._wanted

        def job() -> None:
            store = transfer.uploader.store
            exchange = store.start_put(
                wanted.key,
                buffers,
                transfer.scope,
                crc=wanted.entry.crc32,
                sha256=self._expected,
                about=transfer.describe(wanted.expected),
            )
            store.finish(exchange, transfer.scope)
            transfer.uploaded(wanted.result)

        transfer.uploader.submit(job, size, grant)

    def _state(self) -> tuple[ReaderState | None, bytes | None]:
        """Where the entry could be entered again: the reader's state and the SHA-256's."""
        if self._sha256 is None:
            return self._reader.state(), None
        sha256 = self._sha256.state()
        return (self._reader.state(), sha256) if sha256 is not None else (None, None)

    def _worth_keeping(self) -> bool:
        return self._progress is not None and self._progress.saved

    def lost(self) -> Resumed | None:
        """A part did not arrive: from where to go on, once the parts before it have."""
        self._drop_part()
        upload, self._upload = self._upload, None
        if upload is None:
            return None
        upload.leave()
        place = self._progress.place if self._progress is not None else None
        if place is None:
            forget(self._transfer, self._wanted, upload.upload_id)
        return place

    def interrupt(self) -> None:
        """Nothing becomes visible; what is in S3 stays when a later attempt can resume it.

        Raises what saving the place raises.
        """
        self._drop_part()
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.keep = self._worth_keeping
            try:
                if self._progress is not None:
                    self._progress.save()
            finally:
                upload.abandon()

    def reject(self) -> None:
        """Nothing becomes visible, and nothing stays."""
        self._drop_part()
        if self._upload is not None:
            upload, self._upload = self._upload, None
            if self._progress is not None:
                self._progress.stop()
            upload.abandon()

    def _drop_part(self) -> None:
        if self._part is not None:
            part, self._part = self._part, None
            part.drop()


def _sha256(expected: str | None, resumed: Resumed | None) -> ResumableSha256 | None:
    if expected is None:
        return None
    state = resumed.checkpoint.sha256_state if resumed is not None else None
    return ResumableSha256(bytes.fromhex(state) if state is not None else None)
