"""What the orchestrator reads from its environment beyond the common settings."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.shared.setting_types import HttpUrl, Seconds
from runtime.shared.settings import CommonSettings


class OrchestratorSettings(CommonSettings):
    """The field name in upper case is the variable."""

    service_mode: Literal["orchestrator"] = "orchestrator"
    slots: Annotated[int, Field(ge=1, le=1_000)] = 8

    export_jobs_queue_url: HttpUrl
    export_jobs_dlq_url: HttpUrl

    not_ready_base_s: Seconds = 30
    """First pause before a job that is not ready is looked at again; it doubles up to 15 minutes."""
    not_ready_max_wait_s: Seconds = 259_200
    """How long a job may stay pending or running at the vendor before it counts as failed."""
