"""The worker's real path: `ArchiveProcessor` as the service builds it, one thread per export as a slot is.

Settings are the service's defaults but for addresses and names; with more exports than slots, SLOTS is their
number. Queue, lease and events are not part of what is measured; the manifest is written.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks.job import Export, Job, say_done, wait_for_start
from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.contracts import DownloadTask, task_id_for
from runtime.shared.settings import load
from runtime.worker.clients import Clients
from runtime.worker.manifest.manifest import Manifest
from runtime.worker.settings import WorkerSettings
from runtime.worker.wiring import wire_processor

# Not used here, but the worker's settings are whole or refused.
_ELSEWHERE = "http://127.0.0.1:9/"
_REQUIRED = {
    "ENVIRONMENT": "bench",
    "LEDGER_TABLE_NAME": "ledger",
    "DOWNLOAD_TASKS_QUEUE_URL": _ELSEWHERE,
    "DOWNLOAD_TASKS_DLQ_URL": _ELSEWHERE,
    "EXPORT_API_BASE_URL": _ELSEWHERE,
    "EXPORT_API_SECRET_ARN": "unused",
    "DOWNLOAD_ALLOWED_HOSTS": "127.0.0.1",
    "DOWNLOAD_ALLOW_HTTP": "true",
    "DOWNLOAD_ALLOW_PRIVATE_ADDRESSES": "true",
}


def main() -> None:
    job = Job.read()
    os.environ |= {**_REQUIRED, "BUCKET_NAME": job.bucket, "METADATA_TABLE_NAME": job.table}
    os.environ["AWS_ENDPOINT_URL"] = job.endpoint
    slots = max(32, len(job.exports))
    os.environ["SLOTS"] = str(slots)
    processor = wire_processor(load(WorkerSettings), Clients.create(job.bucket))

    def process(export: Export) -> int:
        manifest = processor.process(task_of(export), Cancellation())
        assert isinstance(manifest, Manifest)
        return sum(manifest.outcomes.values()) - manifest.outcomes.get("no-metadata", 0) - manifest.matched

    wait_for_start()
    with ThreadPoolExecutor(slots) as pool:
        rejected = sum(pool.map(process, job.exports))
    if rejected:
        sys.exit(f"{rejected} entries were rejected")
    say_done()
    processor.close()


def task_of(export: Export) -> DownloadTask:
    return DownloadTask(
        task_id=task_id_for(export.export_job_id, export.file_id),
        export_job_id=export.export_job_id,
        file_id=export.file_id,
        file_name=f"{export.file_id}.zip",
        download_url=export.url,
        correlation_id="bench",
    )


if __name__ == "__main__":
    main()
