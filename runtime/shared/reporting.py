"""Says what became of a job, once.

Whoever finds it ended has it counted, and a conditional write picks who speaks.

Only a worker counts, because it reads the metadata and the manifests. Who finds the end elsewhere, or cannot
stay to count, asks for it by a message. A crash anywhere is healed by the message of whoever crashed: it
comes back and asks again.
"""

import logging
from typing import TYPE_CHECKING, Any

from runtime.shared import tracing
from runtime.shared.contracts import JobCountRequest
from runtime.shared.events import DetailType, EventBus, iso
from runtime.shared.ledger import JobCount, JobState, Ledger, WorkUnit
from runtime.shared.ledger.types import JobOutcome
from runtime.shared.logs import without_queries
from runtime.shared.sending import Outgoing, send_all

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# How long a caller has to send the event before another may; well below any visibility time-out.
_SAYING_S = 15.0
_ERROR_CHARACTERS = 1_000
_DETAIL_TYPE: dict[JobOutcome, DetailType] = {
    "completed": "Export Job Completed",
    "incomplete": "Export Job Incomplete",
    "failed": "Export Job Failed",
}

_log = logging.getLogger(__name__)


class JobReporter:
    """Both services ask; the worker says. `tasks_queue_url` is where the workers find what they are asked."""

    def __init__(self, ledger: Ledger, bus: EventBus, sqs: "SQSClient", tasks_queue_url: str) -> None:
        self._ledger = ledger
        self._bus = bus
        self._sqs = sqs
        self._tasks_queue_url = tasks_queue_url

    def ask_for_count(self, state: JobState) -> None:
        """Have the job counted if it has ended and that has not been said; call it on every redelivery.

        Asking twice does no harm: the count has one holder. Raises NotSent or botocore's errors.
        """
        if not state.ended or state.end_announced:
            return
        request = JobCountRequest(
            count_job=state.export_job_id, correlation_id=state.correlation_id or state.export_job_id
        )
        send_all(
            self._sqs,
            self._tasks_queue_url,
            [Outgoing(request.model_dump_json(), group_id=state.export_job_id, attributes=tracing.carrier())],
        )

    def say(self, state: JobState, count: JobCount) -> JobOutcome | None:
        """Send the ended job's event; None when somebody else has, or the job has changed since.

        Raises Busy while another caller is at it (it may die without having said it), EventNotSent, or
        botocore's errors.
        """
        outcome = verdict(state, count)
        if not self._ledger.begin_announcement(state, outcome, count, _SAYING_S):
            return None
        try:
            self._bus.put(_DETAIL_TYPE[outcome], _identity(state), _detail(state, outcome, count))
        except Exception:
            self._ledger.end_announcement(state, outcome, announced=False)
            raise
        self._ledger.end_announcement(state, outcome, announced=True)
        _log.info(
            "Job %s: %d of %d tasks done, %d of %d expected files in S3",
            outcome,
            state.tasks_done,
            state.tasks_total,
            count.present,
            count.expected,
        )
        return outcome

    def task_parked(self, unit: WorkUnit, reason: str, error: str, *, correlation_id: str) -> None:
        """Send the task's event.

        A task parked again for the same reason repeats its event id. Raises EventNotSent.
        """
        self._bus.put(
            "Export Task Parked",
            f"{unit.export_job_id}:{unit.task_id}:{reason}",
            {
                "export_job_id": unit.export_job_id,
                "correlation_id": correlation_id,
                "task_id": unit.task_id,
                "file_id": unit.file_id,
                "part": unit.part,
                "reason": reason,
                "error": without_queries(error)[:_ERROR_CHARACTERS],
            },
        )


def verdict(state: JobState, count: JobCount) -> JobOutcome:
    """The outcome of an ended job, now that it has been counted."""
    if state.failed:
        return "failed"
    return "incomplete" if count.missing else "completed"


def _identity(state: JobState) -> str:
    """The event's identity among those of its type: each run of a job has its own."""
    return state.export_job_id if state.run == 1 else f"{state.export_job_id}:{state.run}"


def _detail(state: JobState, outcome: JobOutcome, count: JobCount) -> dict[str, Any]:
    times = state.times
    return {
        "export_job_id": state.export_job_id,
        "correlation_id": state.correlation_id,
        "status": outcome,
        "run": state.run,
        "tasks_total": state.tasks_total,
        "tasks_done": state.tasks_done,
        "tasks_parked": state.tasks_parked,
        "expected": count.expected,
        "present": count.present,
        "missing": count.missing,
        "missing_key": count.missing_key or None,
        "rejected": state.rejected,
        "records_rejected": state.records_rejected or None,
        "reason": state.reason or None,
        "error": without_queries(state.error) or None,
        "started_at": iso(times.get("run_started_at", times.get("created_at"))),
    }
