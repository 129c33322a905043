"""The settings that both services read from their environment, checked before anything else happens.

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
from runtime.shared.consumer.sqs_limits import MAX_VISIBILITY_S, MAX_WAIT_S
from runtime.shared.contracts import Priority
from runtime.shared.export_api.profile import VendorProfile
from runtime.shared.priorities import PriorityQueues
from runtime.shared.setting_types import HttpUrl, HttpUrlOrNone, NonEmpty, Seconds

EXIT_CONFIGURATION = 2

# ECS owns this limit; a value beyond it fails at the first call instead of at start-up.
PROTECTION_CAP_MINUTES = 2_880


Weight = Annotated[int, Field(ge=1, le=100)]


class CommonSettings(VendorProfile):
    """Variables that the orchestrator and the worker share; the field name in upper case is the variable."""

    # env_ignore_empty: a task definition writes "" where it means "the default".
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    service_mode: Literal["orchestrator", "worker"]
    """Which service this process is. Each narrows it to its own name, so that the wrong image command cannot
    start.
    """
    environment: NonEmpty
    """The environment's name, in logs, metrics, events and the names of what is deployed."""
    ledger_table_name: NonEmpty
    """The DynamoDB table that holds jobs, tasks, checkpoints and circuits."""
    ledger_retention_days: Annotated[float, Field(gt=0)] = 30
    """Days that an ended job, task or message stays in the ledger. Raise it to look back further; it must
    outlast the longest wait in a queue and its DLQ.
    """
    download_tasks_queue_url: HttpUrl
    """Where tasks of normal priority are; all tasks where the environment has no priorities."""
    download_tasks_high_queue_url: HttpUrlOrNone = ""
    """Tasks of high priority; empty: they travel with the normal ones."""
    download_tasks_low_queue_url: HttpUrlOrNone = ""
    """Tasks of low priority; empty: they travel with the normal ones."""
    priority_weight_high: Weight = 8
    """Share of the slots that high priority gets while queues of all priorities have work. Raise it when
    urgent jobs wait behind others.
    """
    priority_weight_normal: Weight = 4
    """Share of the slots that normal priority gets while queues of all priorities have work."""
    priority_weight_low: Weight = 1
    """Share of the slots that low priority gets while queues of all priorities have work; never none, so that
    it goes on too.
    """
    event_bus_name: NonEmpty = "default"
    """The EventBridge bus that events go to."""

    breaker_failures: Annotated[int, Field(ge=1)] = 5
    """Failures in a row that open a dependency's circuit for the fleet; half of twice as many calls within a
    minute do too. Raise it for a vendor that fails often and briefly.
    """
    breaker_reset_s: Seconds = 30
    """Seconds until one task probes a dependency whose circuit is open. Raise it when probes burden the
    vendor.
    """

    slots: Annotated[int, Field(ge=1, le=1_000)]
    """Messages in hand at once, at most. Raise it where CPU and memory are idle and the queue waits; a worker
    takes fewer while its head-room is less.
    """
    poll_wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 20
    """Seconds that one receive waits for messages, whole ones; 20 is SQS's most and costs the fewest calls.
    Lower it only in tests.
    """
    visibility_timeout_s: Annotated[float, Field(ge=1, lt=MAX_VISIBILITY_S)] = 300
    """Seconds that a message stays hidden after each heartbeat, and how long a claim lasts: the wait after a
    crash. Lower it for a quicker return, at the price of more calls.
    """
    heartbeat_interval_s: Seconds = 60
    """Seconds between extensions of a message in hand; at most half of VISIBILITY_TIMEOUT_S. Lower it where
    calls to SQS fail often.
    """
    max_receive_count: Annotated[int, Field(ge=1)] = 5
    """Receives that may end with a crash before a message is parked as `crash-loop`; the queue's redrive
    policy allows a few more. Raise it where tasks are often killed.
    """
    handover_after_s: Annotated[float, Field(gt=0, lt=MAX_VISIBILITY_S)] = 39_600
    """Seconds after which work in hand is saved and its message given back, before SQS's 12 hours end. Lower
    it to move long work more often.
    """
    retry_base_s: Seconds = 10
    """Seconds that the first pause after a transient failure is drawn from; each further failure doubles it.
    Raise it to burden what fails less.
    """
    retry_max_s: Annotated[float, Field(gt=0, le=MAX_PAUSE_S)] = MAX_PAUSE_S
    """The longest of those pauses in seconds. Lower it for a quicker return after a long outage, at the price
    of more tries during it.
    """
    longest_outage_s: Seconds = 259_200
    """Seconds that transient failures of one piece of work may go on before it is parked. Raise it before an
    outage that is announced as longer.
    """

    stop_timeout_s: Seconds = 120
    """Seconds between SIGTERM and SIGKILL, as the task definition has them; Fargate allows 120."""
    stop_margin_s: Annotated[float, Field(ge=0)] = 15
    """Seconds of STOP_TIMEOUT_S kept for flushing deletes, metrics and logs. Raise it if "Stopped" is missing
    from the logs of stopped tasks.
    """
    protection_minutes: Annotated[int, Field(ge=1, le=PROTECTION_CAP_MINUTES)] = 120
    """Minutes of ECS scale-in protection that each request asks for, renewed at half of them. Keep it above
    HANDOVER_AFTER_S.
    """

    health_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port of the health endpoints; the container's health check asks it. 0: any free one, for tests."""
    liveness_limit_s: Seconds = 120
    """Seconds that the poll loop or the heartbeat may stand still before the process counts as dead and is
    replaced; above POLL_WAIT_S.
    """
    stall_limit_s: Seconds = 1_800
    """Seconds that all slots may go without progress before the process counts as dead. Raise it if healthy
    tasks are replaced during long waits.
    """

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least severe lines that are written. DEBUG for a short search only: it costs."""
    metrics_namespace: NonEmpty = "ExportProcessing"
    """CloudWatch's namespace of all metrics; alarms and dashboard read it."""
    metrics_interval_s: Seconds = 10
    """Seconds between two writes of metrics to the log. Raise it to write fewer lines; alarms look at whole
    minutes.
    """

    tracing: Literal["off", "otlp", "xray", "file"] = "off"
    """Where spans are sent: nowhere; to an OTLP/HTTP receiver; to X-Ray's own, signed; or into a file."""
    tracing_endpoint: HttpUrlOrNone = ""
    """The receiver, such as http://localhost:4318/v1/traces; where empty, X-Ray of the region."""
    tracing_file: str = ""
    """Gets a line of OTLP's JSON for each batch of spans."""
    tracing_sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the traces begun here that are recorded; a message that brings a trace is recorded as the
    trace's beginning decided. Raise it to follow every job, at up to 6 % of the orchestrator's CPU.
    """

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
        if self.tracing == "otlp" and not self.tracing_endpoint:
            raise ValueError("TRACING is otlp, and TRACING_ENDPOINT does not say where to send it")
        if self.tracing == "file" and not self.tracing_file:
            raise ValueError("TRACING is file, and TRACING_FILE does not say which")
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
