"""Where a large entry's bytes go: hashed, gathered into parts, and sent; visible only after the last
check.
"""

import hashlib

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import EntryRejected
from runtime.worker.buffer import Buffer
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.multipart import MultipartUpload, part_size
from runtime.worker.transfer.resumable_sha256 import ResumableSha256
from runtime.worker.transfer.resume import Progress, Resumed
from runtime.worker.transfer.transfer import Transfer


class EntryUpload:
    """One entry's. `resumable` keeps track of the upload so that a later attempt can go on with it."""

    def __init__(
        self, transfer: Transfer, wanted: Wanted, *, resumable: bool = False, resumed: Resumed | None = None
    ) -> None:
        self._transfer = transfer
        self._wanted = wanted
        self._resumable = resumable
        self._expected = wanted.expected.sha256
        self._part_bytes = part_size(wanted.entry.size, transfer.part_bytes)
        self._gathered: list[Buffer] = []
        self._gathered_size = 0
        self._size = 0
        self._crc32 = 0
        self._sha256 = self._new_sha256(resumed)
        self._upload: MultipartUpload | None = None
        self._progress: Progress | None = None
        if resumed is not None:
            self._size, self._crc32 = resumed.checkpoint.size, resumed.checkpoint.crc32
            self._begin(resumed)

    def _new_sha256(self, resumed: Resumed | None) -> "ResumableSha256 | hashlib._Hash | None":
        if self._expected is None:
            return None
        if not self._resumable:
            return hashlib.sha256()
        state = resumed.checkpoint.sha256_state if resumed is not None else None
        return ResumableSha256(bytes.fromhex(state) if state is not None else None)

    def write(self, chunk: Buffer, crc32: int) -> None:
        """Take the next bytes; `crc32` is that of the entry up to their end."""
        if self._sha256 is not None:
            self._sha256.update(chunk)
        self._gathered.append(chunk)
        self._gathered_size += len(chunk)
        self._size += len(chunk)
        self._crc32 = crc32
        if self._gathered_size >= self._part_bytes and self._wanted.entry.size > self._part_bytes:
            self._send_part()

    def _begin(self, resumed: Resumed | None) -> MultipartUpload:
        transfer, wanted = self._transfer, self._wanted
        about = transfer.describe(wanted.expected)
        earlier = (resumed.checkpoint.upload_id, resumed.parts) if resumed is not None else None
        upload = MultipartUpload(transfer.uploader, wanted.key, about, resume=earlier)
        if self._resumable:
            self._progress = Progress(transfer, wanted, upload.upload_id, resumed)
            upload.on_part = self._progress.arrived
        self._upload = upload
        return upload

    def _send_part(self) -> None:
        upload = self._upload or self._begin(None)
        if self._progress is not None:
            sha256 = self._sha256.state() if isinstance(self._sha256, ResumableSha256) else None
            if sha256 is not None or self._expected is None:
                self._progress.reached(upload.next_number, self._size, self._crc32, sha256)
        gathered, size = self._gathered, self._gathered_size
        self._gathered, self._gathered_size = [], 0
        upload.add(gathered, size)

    def finish(self) -> None:
        """The ZIP's own checks have passed. Raises EntryRejected when the last one, SHA-256, does not."""
        transfer, wanted = self._transfer, self._wanted
        if self._sha256 is not None and (found := self._sha256.hexdigest()) != self._expected:
            text = f"its SHA-256 is {found}, not {self._expected}"
            raise EntryRejected(EntryOutcome.CHECKSUM_MISMATCH, text)
        if self._upload is None:
            self._put_whole()
            return
        if self._gathered:
            self._send_part()
        upload, self._upload = self._upload, None

        def done() -> None:
            transfer.uploaded(wanted.result)
            transfer.checkpoints.forget(wanted.key)

        upload.keep = self._worth_keeping
        upload.complete(wanted.entry.crc32, wanted.entry.size, done)

    def _put_whole(self) -> None:
        transfer, wanted, gathered = self._transfer, self._wanted, self._gathered

        def job() -> None:
            store = transfer.uploader.store
            exchange = store.start_put(
                wanted.key,
                gathered,
                transfer.scope,
                crc=wanted.entry.crc32,
                sha256=self._expected,
                about=transfer.describe(wanted.expected),
            )
            store.finish(exchange, transfer.scope)
            transfer.uploaded(wanted.result)

        transfer.uploader.submit(job, self._gathered_size)

    def _worth_keeping(self) -> bool:
        return self._progress is not None and self._progress.saved

    def interrupt(self) -> None:
        """Nothing becomes visible; what is in S3 stays when a later attempt can go on with it."""
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.keep = self._worth_keeping
            upload.abandon()

    def reject(self) -> None:
        """Nothing becomes visible, and nothing stays."""
        if self._upload is not None:
            upload, self._upload = self._upload, None
            if self._progress is not None:
                self._progress.stop()
            upload.abandon()
