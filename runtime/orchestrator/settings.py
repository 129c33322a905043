"""What the orchestrator reads from its environment beyond the common settings."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runtime.shared.consumer import SourceQueue
from runtime.shared.priorities import PriorityQueues
from runtime.shared.setting_types import HttpUrl, HttpUrlOrNone, Seconds
from runtime.shared.settings import CommonSettings


class OrchestratorSettings(CommonSettings):
    """The field name in upper case is the variable."""

    service_mode: Literal["orchestrator"] = "orchestrator"
    slots: Annotated[int, Field(ge=1, le=1_000)] = 8

    export_jobs_queue_url: HttpUrl
    export_jobs_dlq_url: HttpUrl
    export_jobs_high_queue_url: HttpUrlOrNone = ""
    export_jobs_high_dlq_url: HttpUrlOrNone = ""
    export_jobs_low_queue_url: HttpUrlOrNone = ""
    export_jobs_low_dlq_url: HttpUrlOrNone = ""

    not_ready_base_s: Seconds = 30
    """First pause before a job that is not ready is looked at again; it doubles up to 15 minutes."""
    not_ready_max_wait_s: Seconds = 259_200
    """How long a job may stay pending or running at the vendor before it counts as failed."""

    @property
    def export_jobs_queues(self) -> PriorityQueues:
        return PriorityQueues(
            normal=self.export_jobs_queue_url,
            high=self.export_jobs_high_queue_url,
            low=self.export_jobs_low_queue_url,
        )

    @property
    def sources(self) -> list[SourceQueue]:
        """What the orchestrator consumes from."""
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
