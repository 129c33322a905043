"""Turns file records into task messages on `download-tasks`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runtime.shared import tracing
from runtime.shared.contracts import DownloadTask, Priority, task_id_for
from runtime.shared.export_api import FileRecord
from runtime.shared.metrics import Metrics
from runtime.shared.priorities import PriorityQueues
from runtime.shared.sending import Outgoing, send_all

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Dispatcher:
    """Sends tasks to the queue of their priority, grouped by job, so that a giant job starves no other."""

    def __init__(self, sqs: "SQSClient", queues: PriorityQueues, metrics: Metrics) -> None:
        self._sqs = sqs
        self._queues = queues
        self._metrics = metrics

    def send(
        self,
        export_job_id: str,
        records: Iterable[FileRecord],
        *,
        correlation_id: str,
        priority: Priority | None,
        run: int,
    ) -> int:
        """Send one task per record.

        Raises NotSent or the client's errors; what went out before stays sent.
        """
        trace = tracing.carrier()
        sent = send_all(
            self._sqs,
            self._queues.url_of(priority),
            (
                Outgoing(
                    DownloadTask(
                        task_id=task_id_for(export_job_id, record.file_id),
                        export_job_id=export_job_id,
                        file_id=record.file_id,
                        file_name=record.name,
                        size=record.size,
                        download_url=record.download_url,
                        correlation_id=correlation_id,
                        priority=priority,
                        run=run if run > 1 else None,
                    ).model_dump_json(exclude_none=True, ensure_ascii=True),
                    group_id=export_job_id,
                    attributes=trace,
                )
                for record in records
            ),
        )
        self._metrics.add("TasksDispatched", sent)
        return sent
