"""One manifest of a split archive's: what its parts have written, brought together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from runtime.shared.contracts import DownloadTask
from runtime.shared.sizes import MIB
from runtime.worker.fetch.errors import ArchiveChanged
from runtime.worker.manifest.manifest import JSON_LINES, ArchiveIdentity, Manifest, ManifestKeys
from runtime.worker.manifest.paths import MODULUS
from runtime.worker.manifest.publish import Fence, Publisher

_READ_BYTES = MIB


class Joiner:
    """Makes one manifest of the parts'."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def join(self, task: DownloadTask, epoch: int, count: int, fence: Fence) -> Manifest:
        """Publish the whole archive's manifest and entry lines from its parts; repeating it changes nothing.

        The parts' own files stay: the worker may not delete anything. Raises ArchiveChanged when the parts
        saw different archives, LeaseLost, boto's errors.
        """
        keys = [ManifestKeys.of_part(self._prefix, task, epoch, index) for index in range(count)]
        parts = [Manifest.from_json(self._read(key.manifest)) for key in keys]
        # Not their validators: there are servers of which every node has its own for the same bytes.
        if len({(part.archive.size, part.archive.entries) for part in parts}) > 1:
            raise ArchiveChanged("its parts were read from different archives")
        joined = joined_manifest(task, parts)
        whole = ManifestKeys.of(self._prefix, task.model_copy(update={"part": None}))
        publisher = Publisher(self._s3, self._bucket)
        publisher.publish(whole.entries, self._lines(keys), JSON_LINES, fence)
        publisher.publish(whole.manifest, lambda: [joined.to_json()], "application/json", fence)
        return joined

    def _read(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def _lines(self, keys: Sequence[ManifestKeys]) -> Callable[[], Iterable[bytes]]:
        def chunks() -> Iterator[bytes]:
            for key in keys:
                body = self._s3.get_object(Bucket=self._bucket, Key=key.entries)["Body"]
                yield from body.iter_chunks(_READ_BYTES)

        return chunks


def joined_manifest(task: DownloadTask, parts: Sequence[Manifest]) -> Manifest:
    """Totals over the parts."""
    outcomes: dict[str, int] = {}
    timings: dict[str, float] = {}
    for part in parts:
        for outcome, count in part.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        for stage, seconds in part.timings.items():
            timings[stage] = round(timings.get(stage, 0) + seconds, 3)
    archive: ArchiveIdentity = parts[0].archive
    return Manifest(
        export_job_id=task.export_job_id,
        file_id=task.file_id,
        file_name=task.file_name,
        task_id=task.task_id,
        correlation_id=task.correlation_id,
        archive=archive,
        outcomes=dict(sorted(outcomes.items())),
        bytes_fetched=sum(part.bytes_fetched for part in parts),
        bytes_saved=sum(part.bytes_saved for part in parts),
        bytes_uploaded=sum(part.bytes_uploaded for part in parts),
        timings=timings,
        paths_digest=f"{sum(int(part.paths_digest, 16) for part in parts) % MODULUS:x}",
        parts=len(parts),
        notes=parts[0].notes,
    )
