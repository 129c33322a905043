"""What both services read from their environment, checked once before anything else happens.

`load()` either returns a complete, valid settings object or ends the process with exit code 2 after naming
every variable that is missing or wrong; no queue has been touched by then. Every duration is a number of
seconds.
"""

import sys
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from runtime.shared.consumer.backoff import MAX_PAUSE_S
from runtime.shared.contracts import Priority
from runtime.shared.export_api.profile import VendorProfile
from runtime.shared.priorities import PriorityQueues
from runtime.shared.setting_types import HttpUrl, HttpUrlOrNone, NonEmpty, Seconds

EXIT_CONFIGURATION = 2

# SQS and ECS own these limits; a value beyond them fails at the first call instead of at start-up.
SQS_VISIBILITY_CAP_S = 43_200.0
SQS_WAIT_CAP_S = 20.0
PROTECTION_CAP_MINUTES = 2_880


Weight = Annotated[int, Field(ge=1, le=100)]


class CommonSettings(VendorProfile):
    """Variables that the orchestrator and the worker share; the field name in upper case is the variable."""

    # env_ignore_empty: a task definition writes "" where it means "the default".
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    service_mode: Literal["orchestrator", "worker"]
    """Each service narrows this to its own name, so that the wrong image command cannot start."""
    environment: NonEmpty
    ledger_table_name: NonEmpty
    ledger_retention_days: Annotated[float, Field(gt=0)] = 30
    download_tasks_queue_url: HttpUrl
    download_tasks_high_queue_url: HttpUrlOrNone = ""
    download_tasks_low_queue_url: HttpUrlOrNone = ""
    """Of their own only where the environment has priorities; else all work travels on the one above."""
    priority_weight_high: Weight = 8
    priority_weight_normal: Weight = 4
    priority_weight_low: Weight = 1
    """Shares of the slots while queues of all priorities have work."""
    event_bus_name: NonEmpty = "default"

    breaker_failures: Annotated[int, Field(ge=1)] = 5
    breaker_reset_s: Seconds = 30

    slots: Annotated[int, Field(ge=1, le=1_000)]
    poll_wait_s: Annotated[float, Field(ge=0, le=SQS_WAIT_CAP_S)] = 20
    visibility_timeout_s: Annotated[float, Field(ge=1, lt=SQS_VISIBILITY_CAP_S)] = 300
    heartbeat_interval_s: Seconds = 60
    max_receive_count: Annotated[int, Field(ge=1)] = 5
    """Receives that may end with a crash before a message is parked as `crash-loop`; the queue's redrive
    policy allows a few more.
    """
    handover_after_s: Annotated[float, Field(gt=0, lt=SQS_VISIBILITY_CAP_S)] = 39_600
    retry_base_s: Seconds = 10
    retry_max_s: Annotated[float, Field(gt=0, le=MAX_PAUSE_S)] = MAX_PAUSE_S
    longest_outage_s: Seconds = 259_200
    """How long transient failures of one piece of work may go on before it is parked."""

    stop_timeout_s: Seconds = 120
    stop_margin_s: Annotated[float, Field(ge=0)] = 15
    protection_minutes: Annotated[int, Field(ge=1, le=PROTECTION_CAP_MINUTES)] = 120

    health_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    liveness_limit_s: Seconds = 120
    stall_limit_s: Seconds = 1_800

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_namespace: NonEmpty = "ExportProcessing"
    metrics_interval_s: Seconds = 10

    @property
    def download_tasks_queues(self) -> PriorityQueues:
        return PriorityQueues(
            normal=self.download_tasks_queue_url,
            high=self.download_tasks_high_queue_url,
            low=self.download_tasks_low_queue_url,
        )

    @property
    def priority_weights(self) -> dict[Priority, int]:
        return {
            "high": self.priority_weight_high,
            "normal": self.priority_weight_normal,
            "low": self.priority_weight_low,
        }

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.heartbeat_interval_s > self.visibility_timeout_s / 2:
            raise ValueError(
                "HEARTBEAT_INTERVAL_S must be at most half of VISIBILITY_TIMEOUT_S, "
                "so that one failed heartbeat does not lose the message"
            )
        if self.stop_margin_s >= self.stop_timeout_s:
            raise ValueError("STOP_MARGIN_S must be smaller than STOP_TIMEOUT_S")
        if self.liveness_limit_s <= self.poll_wait_s:
            raise ValueError(
                "LIVENESS_LIMIT_S must be longer than POLL_WAIT_S, or every idle poll looks like a deadlock"
            )
        return self


S = TypeVar("S", bound=CommonSettings)


def load(settings: type[S]) -> S:
    """The settings from the environment.

    Exits with code 2 and one line per fault on stderr when anything is missing or wrong, SERVICE_MODE naming
    the other service included.
    """
    try:
        return settings()
    except ValidationError as error:
        print("The configuration is not usable:", file=sys.stderr)  # noqa: T201  logging is not configured yet
        for fault in error.errors(include_url=False, include_input=False):
            print(f"  {_sentence(fault)}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CONFIGURATION)


def _sentence(fault: ErrorDetails) -> str:
    variable = "_".join(str(part) for part in fault["loc"]).upper()
    if not variable:
        return fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        return f"{variable} is not set"
    # The value itself stays out of the output: some of these are addresses with credentials in them.
    return f"{variable}: {fault['msg'].removeprefix('Value error, ')}"
