"""The orchestrator's settings beyond the common ones, read from its environment."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runtime.shared.consumer import SourceQueue
from runtime.shared.priorities import PriorityQueues
from runtime.shared.setting_types import HttpUrl, HttpUrlOrNone, Seconds
from runtime.shared.settings import CommonSettings


class OrchestratorSettings(CommonSettings):
    """The field name in upper case is the variable."""

    service_mode: Literal["orchestrator"] = "orchestrator"
    """Which service this process is; another value does not start."""
    slots: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Jobs in hand at once, at most. Raise it where jobs wait in the queue and the vendor bears more calls.
    """

    export_jobs_queue_url: HttpUrl
    """Where jobs of normal priority are; all jobs where the environment has no priorities."""
    export_jobs_dlq_url: HttpUrl
    """Where what can never succeed of it is parked."""
    export_jobs_high_queue_url: HttpUrlOrNone = ""
    """Jobs of high priority; empty: they travel with the normal ones."""
    export_jobs_high_dlq_url: HttpUrlOrNone = ""
    """The DLQ of that queue; set together with it."""
    export_jobs_low_queue_url: HttpUrlOrNone = ""
    """Jobs of low priority; empty: they travel with the normal ones."""
    export_jobs_low_dlq_url: HttpUrlOrNone = ""
    """The DLQ of that queue; set together with it."""

    not_ready_base_s: Seconds = 30
    """Seconds until a job that is not ready is first looked at again; the pause doubles up to 15 minutes.
    Raise it for a vendor that is slow to prepare exports.
    """
    not_ready_max_wait_s: Seconds = 259_200
    """Seconds that a job may stay pending or running at the vendor before it counts as failed."""

    @property
    def export_jobs_queues(self) -> PriorityQueues:
        return PriorityQueues(
            normal=self.export_jobs_queue_url,
            high=self.export_jobs_high_queue_url,
            low=self.export_jobs_low_queue_url,
        )

    @property
    def sources(self) -> list[SourceQueue]:
        """The queues that the orchestrator consumes from."""
        dlqs = PriorityQueues(
            normal=self.export_jobs_dlq_url,
            high=self.export_jobs_high_dlq_url,
            low=self.export_jobs_low_dlq_url,
        )
        return self.export_jobs_queues.sources(dlqs, self.priority_weights)

    @model_validator(mode="after")
    def _a_queue_has_its_dlq(self) -> Self:
        for name in ("high", "low"):
            queue, dlq = (getattr(self, f"export_jobs_{name}_{kind}_url") for kind in ("queue", "dlq"))
            if bool(queue) != bool(dlq):
                raise ValueError(
                    f"EXPORT_JOBS_{name.upper()}_QUEUE_URL and its DLQ's are set together or not"
                )
        return self
