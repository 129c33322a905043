"""Says what became of a job, once: whoever finds it finished tries, a conditional write picks one.

A crash between that write and the event is healed by the message of whoever crashed: it comes back and asks
again.
"""

import logging
from typing import Any

from runtime.shared.events import DetailType, EventBus, iso
from runtime.shared.ledger import JobLedger, JobState, WorkUnit
from runtime.shared.ledger.types import JobOutcome
from runtime.shared.logs import without_queries

# How long a caller has to send the event before another may; well below any visibility time-out.
_SAYING_S = 15.0
_ERROR_CHARACTERS = 1_000
_DETAIL_TYPE: dict[JobOutcome, DetailType] = {
    "completed": "Export Job Completed",
    "failed": "Export Job Failed",
}

_log = logging.getLogger(__name__)


class JobReporter:
    """Both services use it: the orchestrator after a listing, the worker after a task."""

    def __init__(self, ledger: JobLedger, bus: EventBus) -> None:
        self._ledger = ledger
        self._bus = bus

    def report(self, state: JobState) -> None:
        """Send the job's event if it is finished and nobody has; call it again on every redelivery.

        Raises Busy while another caller is at it (answer with Yield: it may die without having said it),
        EventNotSent, or botocore's errors.
        """
        while (outcome := state.outcome) is not None and state.announced != outcome:
            if self._ledger.begin_announcement(state, outcome, _SAYING_S):
                self._say(state, outcome)
                return
            state = self._ledger.job_state(state.export_job_id)

    def report_job(self, export_job_id: str) -> None:
        """The same for a job whose state is not at hand."""
        self.report(self._ledger.job_state(export_job_id))

    def task_parked(self, unit: WorkUnit, reason: str, error: str, *, correlation_id: str) -> None:
        """Send the task's event. A task parked again for the same reason repeats its event id. Raises
        EventNotSent.
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

    def _say(self, state: JobState, outcome: JobOutcome) -> None:
        detail: dict[str, Any] = {
            "export_job_id": state.export_job_id,
            "correlation_id": state.correlation_id,
            "status": outcome,
            "tasks_total": state.tasks_total,
            "tasks_done": state.tasks_done,
            "tasks_parked": state.tasks_parked,
            "reason": state.reason or None,
            "error": without_queries(state.error) or None,
            "started_at": iso(state.times.get("created_at")),
        }
        try:
            self._bus.put(_DETAIL_TYPE[outcome], state.export_job_id, detail)
        except Exception:
            self._ledger.end_announcement(state.export_job_id, outcome, said=False)
            raise
        self._ledger.end_announcement(state.export_job_id, outcome, said=True)
        _log.info("Job %s: %d of %d tasks done", outcome, state.tasks_done, state.tasks_total)
