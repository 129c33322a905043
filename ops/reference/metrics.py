"""docs/reference/metrics.md: what the services measure of themselves.

tests/unit/ops/reference/test_metrics.py finds the names in the code and holds this list against them.
"""

from ops.reference.pages import page, section, table

ORCHESTRATOR, WORKER, BOTH = "orchestrator", "worker", "both"
METRICS: dict[str, tuple[str, str, str]] = {
    "MessagesProcessed": (BOTH, "count", "Messages that were settled, whatever became of them"),
    "SuspectFailures": (BOTH, "count", "Failures that a version or its settings can cause"),
    "FailingSeconds": (BOTH, "seconds", "How long a piece of work has been failing, at each failure"),
    "ApiLatency": (BOTH, "seconds", "One call of the Export API, from the question to the answer's end"),
    "ApiErrors": (BOTH, "count", "Calls of the Export API that failed"),
    "CircuitState": (
        BOTH,
        "level",
        "0 closed, 0.5 half-open, 1 open; the highest, and each by the dimension `dependency`",
    ),
    "CircuitChanges": (BOTH, "count", "Circuits that changed their state"),
    "TasksDispatched": (ORCHESTRATOR, "count", "Archives that were put on `download-tasks`"),
    "RecordsRejected": (ORCHESTRATOR, "count", "Records of listings that are no files"),
    "TasksInFlight": (WORKER, "level", "Archives in hand"),
    "DownloadDuration": (WORKER, "seconds", "Thread time that one archive's bytes took to come"),
    "ExtractionDuration": (WORKER, "seconds", "Thread time that one archive took to inflate and verify"),
    "UploadDuration": (WORKER, "seconds", "Thread time that one archive's objects took to send"),
    "UploadSuccess": (WORKER, "count", "Files that were put into S3"),
    "UploadFailure": (WORKER, "count", "Objects that S3 did not take after all attempts"),
    "BytesDownloaded": (WORKER, "bytes", "Compressed bytes that came over the network"),
    "BytesFromHost": (WORKER, "bytes", "Compressed bytes that came from each download host, by `host`"),
    "FailuresOfHost": (WORKER, "count", "Downloads that failed for reasons of the host, by `host`"),
    "BytesUploaded": (WORKER, "bytes", "Bytes that were sent to S3"),
    "BytesSaved": (WORKER, "bytes", "Compressed bytes that an earlier attempt had brought in already"),
    "EntriesMatched": (WORKER, "count", "Files of archives that are in S3 now"),
    "EntriesRejected": (WORKER, "count", "Files of archives that were rejected, without metadata included"),
    "EntriesWithoutMetadata": (WORKER, "count", "Files of archives that nobody expects"),
    "JobsCompleted": (WORKER, "count", "Jobs whose every expected file is in S3"),
    "JobsIncomplete": (WORKER, "count", "Jobs that ended with files missing"),
    "JobsFailed": (WORKER, "count", "Jobs that could not be listed, or of which archives are parked"),
}


def render() -> str:
    sections = {
        "Both services": BOTH,
        "Orchestrator": ORCHESTRATOR,
        "Worker": WORKER,
    }
    return page(
        "Metrics",
        "Namespace `ExportProcessing`, dimensions `service` and `environment`, written to the logs in "
        "CloudWatch's embedded metric format every `METRICS_INTERVAL_S`. The dashboard and the "
        "[alarms](alarms.md) read them beside those of SQS, ECS and DynamoDB.",
        *(
            section(
                title,
                table(
                    ("metric", "unit", "meaning"),
                    (
                        (f"`{name}`", unit, meaning)
                        for name, (who, unit, meaning) in METRICS.items()
                        if who == service
                    ),
                ),
            )
            for title, service in sections.items()
        ),
    )
