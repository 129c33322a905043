"""The state that all threads working on one archive share."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runtime.shared.contracts import DownloadTask, EntryOutcome
from runtime.shared.scope import Scope
from runtime.worker.archive import Limits
from runtime.worker.aws.objects import Description, header_safe
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.fetch.archive import ArchiveBytes
from runtime.worker.plan.metadata import Expected
from runtime.worker.plan.results import OpenResult
from runtime.worker.plan.spans import Pieces
from runtime.worker.timings import Timings
from runtime.worker.transfer.checkpoints import Checkpoints
from runtime.worker.transfer.memory import LEAST_BLOCK_RAW_BYTES
from runtime.worker.transfer.multipart import Uploader


@dataclass(kw_only=True)
class Transfer:
    """One archive's payload on its way. Entry results are written by one thread each."""

    task: DownloadTask
    archive: ArchiveBytes
    limits: Limits
    uploader: Uploader
    scope: Scope
    timings: Timings
    memory: ByteBudget
    pieces: Pieces
    advanced: Callable[[], None]
    checkpoints: Checkpoints
    objects_uploaded: int = 0
    bytes_uploaded: int = 0
    bytes_resumed: int = 0
    rate: float | None = None
    """Bytes of output per second that a connection brought last; None: not known yet."""
    block_bytes: int = 2 * LEAST_BLOCK_RAW_BYTES
    """Of the archive, that small entries are read by; as the download's rate goes."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _common: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._common = {
            "export-job-id": header_safe(self.task.export_job_id),
            "file-id": header_safe(self.task.file_id),
            "correlation-id": header_safe(self.task.correlation_id),
        }

    def describe(self, expected: Expected) -> Description:
        """Content type and user metadata of an object, ready to be headers."""
        metadata = self._common
        if expected.sha256 is not None:
            metadata = {**metadata, "sha256": expected.sha256}
        return Description(expected.content_type, metadata)

    def uploaded(self, result: OpenResult) -> None:
        """The object is visible."""
        result.uploaded()
        with self._lock:
            self.objects_uploaded += 1
            self.bytes_uploaded += result.entry.size
        self.advanced()

    def resumed(self, count: int) -> None:
        """So many bytes were found in an unfinished upload and need not be fetched again."""
        with self._lock:
            self.bytes_resumed += count

    @staticmethod
    def rejected(result: OpenResult, outcome: EntryOutcome, detail: str) -> None:
        result.rejected(outcome, detail)
