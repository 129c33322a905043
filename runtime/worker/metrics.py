"""The worker's metrics about its work, in the names that the dashboards and alarms use."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.ledger.types import JobOutcome
from runtime.shared.metrics import Metrics
from runtime.worker.fetch.hosts import HostTotals
from runtime.worker.manifest.manifest import Manifest

_MOST_HOSTS = 20
"""With metrics of their own, which are paid for; a vendor serves its archives from a few."""
_UPLOADS = frozenset({"PutObject", "UploadPart"})


class WorkerMetrics:
    """Thread-safe."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._tasks = 0

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """One more task is being worked on during the block."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            self._tasks += by
            self._metrics.gauge("TasksInFlight", self._tasks, "Count")

    def archive(self, manifest: Manifest) -> None:
        """One archive, or part of one, has been brought in."""
        add = self._metrics.add
        for metric, stage in (
            ("DownloadDuration", "download_s"),
            ("ExtractionDuration", "extract_s"),
            ("UploadDuration", "upload_s"),
        ):
            add(metric, manifest.timings.get(stage, 0.0), "Seconds")
        add("UploadSuccess", manifest.outcomes.get("uploaded", 0))
        add("BytesDownloaded", manifest.bytes_fetched, "Bytes")
        add("BytesUploaded", manifest.bytes_uploaded, "Bytes")
        add("BytesSaved", manifest.bytes_saved, "Bytes")
        add("EntriesMatched", manifest.matched)
        add("EntriesRejected", manifest.rejected)
        add("EntriesWithoutMetadata", manifest.without_metadata)

    def job(self, outcome: JobOutcome) -> None:
        """A job has come to its end."""
        self._metrics.add(f"Jobs{outcome.capitalize()}")

    def failure(self, error: Exception) -> None:
        """A task failed; when it was S3 that did not take an object, after the retries, that is counted."""
        if isinstance(error, AwsError | AwsUnreachable) and error.operation in _UPLOADS:
            self._metrics.add("UploadFailure")


class HostMetrics:
    """The bytes from each download host, and how often it fails, as they grow: asked before each flush."""

    def __init__(self, metrics: Metrics, totals: Callable[[], Mapping[str, HostTotals]]) -> None:
        self._metrics = metrics
        self._totals = totals
        self._told: dict[str, HostTotals] = {}

    def __call__(self) -> None:
        """Add what has changed since the last time."""
        for host, now in self._totals().items():
            if now == (0, 0) or (host not in self._told and len(self._told) >= _MOST_HOSTS):
                continue
            before = self._told.get(host, HostTotals(0, 0))
            self._told[host] = now
            if now != before:
                # CloudWatch takes ASCII alone as a dimension's value.
                name = host.encode("ascii", "backslashreplace").decode()
                self._metrics.add("BytesFromHost", now.bytes - before.bytes, "Bytes", host=name)
                self._metrics.add("FailuresOfHost", now.failures - before.failures, host=name)
