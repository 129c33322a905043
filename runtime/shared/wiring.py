"""Puts together what both services are made of, from their settings; each entry module adds its handler."""

import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import httpx

from runtime.shared import logs, tracing
from runtime.shared.aws import AwsClients, aws_clients
from runtime.shared.circuits import CircuitConfig, Circuits
from runtime.shared.circuits.announcing import Announcer
from runtime.shared.circuits.store import LedgerCircuits
from runtime.shared.consumer import (
    Admission,
    Consumer,
    ConsumerOptions,
    Crashed,
    Delivery,
    FailureRun,
    Handler,
    Outcome,
    Park,
    ParkedHook,
    Retry,
    RetryHook,
    SourceQueue,
)
from runtime.shared.contracts import NOT_OURS
from runtime.shared.events import EventBus
from runtime.shared.export_api import ExportApi
from runtime.shared.export_api.auth import Guarded, authenticator
from runtime.shared.export_api.credentials import SecretStore
from runtime.shared.export_api.transport import DeadlineTransport
from runtime.shared.ledger import Ledger, MessageLedger
from runtime.shared.ledger.table import LedgerTable
from runtime.shared.lifecycle import StopSignal
from runtime.shared.metrics import Metrics
from runtime.shared.protection import AGENT_URI_VARIABLE, TaskProtection, ecs_agent
from runtime.shared.rate import Pace, Permits
from runtime.shared.reporting import JobReporter
from runtime.shared.settings import CommonSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything shared, ready to use; all of it is thread-safe."""

    settings: CommonSettings
    owner: str
    """Names this process in the ledger's claims."""
    aws: AwsClients
    metrics: Metrics
    protection: TaskProtection
    table: LedgerTable
    ledger: Ledger
    messages: MessageLedger
    reporter: JobReporter
    api: ExportApi
    circuits: Circuits
    stop: StopSignal


def wire_service(settings: CommonSettings) -> Parts:
    """Main thread, once: installs the signal handlers and the log format, creates every client."""
    stop = StopSignal()
    stop.install()
    logs.configure(settings.service_mode, settings.log_level)
    metrics = Metrics(
        namespace=settings.metrics_namespace,
        service=settings.service_mode,
        environment=settings.environment,
        interval_s=settings.metrics_interval_s,
    )
    aws = aws_clients(slots=settings.slots, poll_wait_s=settings.poll_wait_s)
    table = LedgerTable(
        aws.dynamodb, settings.ledger_table_name, retention_days=settings.ledger_retention_days
    )
    ledger = Ledger(table)
    bus = EventBus(aws.events, settings.event_bus_name)
    circuits = Circuits(
        CircuitConfig(
            failures=settings.breaker_failures,
            minimum_calls=2 * settings.breaker_failures,
            reset_s=settings.breaker_reset_s,
            probe_deadline_s=settings.export_api_timeout_s,
        ),
        LedgerCircuits(table),
        Announcer(metrics, bus),
    )
    owner = f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}"
    if settings.tracing != "off":
        # Here, because OpenTelemetry takes a tenth of a second to import, and megabytes.
        from runtime.shared.tracing.starting import start_tracing

        start_tracing(settings, aws.session, owner=owner)
    http = httpx.Client(
        transport=DeadlineTransport(
            connections=settings.slots + 2, deadline_s=settings.export_api_deadline_s
        ),
        timeout=httpx.Timeout(settings.export_api_timeout_s, connect=settings.export_api_connect_timeout_s),
        follow_redirects=False,
        # A proxy or .netrc of the environment must not see or replace the API's credentials.
        trust_env=False,
    )
    api = ExportApi(
        settings,
        http,
        Guarded(
            authenticator(settings, SecretStore(aws.secrets, settings.export_api_secret_arn), http), circuits
        ),
        circuits,
        pace=Pace(table, "export-api", per_s=settings.export_api_calls_per_s),
        permits=Permits(table, "export-api", limit=settings.export_api_concurrent_calls, owner=owner),
        timer=partial(metrics.timer, "ApiLatency"),
        on_error=lambda _kind: metrics.add("ApiErrors"),
    )
    return Parts(
        settings=settings,
        owner=owner,
        aws=aws,
        metrics=metrics,
        protection=TaskProtection(
            ecs_agent(os.environ.get(AGENT_URI_VARIABLE)), minutes=settings.protection_minutes
        ),
        table=table,
        ledger=ledger,
        messages=MessageLedger(table),
        reporter=JobReporter(ledger, bus, aws.sqs, settings.download_tasks_queue_url),
        api=api,
        circuits=circuits,
        stop=stop,
    )


def consumer_for(
    parts: Parts,
    queues: Sequence[SourceQueue],
    handler: Handler,
    *,
    on_retry: RetryHook,
    on_parked: ParkedHook,
    admission: Admission | None = None,
) -> Consumer:
    """The consumer of these queues, as the settings say."""
    settings = parts.settings

    def measured(delivery: Delivery, retry: Retry, run: FailureRun) -> FailureRun:
        known = on_retry(delivery, retry, run)
        parts.metrics.add("FailingSeconds", known.age_s(datetime.now(UTC)), "Seconds")
        return known

    return Consumer(
        queues,
        handler,
        ConsumerOptions(
            service=settings.service_mode,
            slots=settings.slots,
            poll_wait_s=settings.poll_wait_s,
            visibility_s=settings.visibility_timeout_s,
            heartbeat_interval_s=settings.heartbeat_interval_s,
            handover_after_s=settings.handover_after_s,
            max_receive_count=settings.max_receive_count,
            retry_base_s=settings.retry_base_s,
            retry_max_s=settings.retry_max_s,
            give_up_after_s=settings.longest_outage_s,
        ),
        sqs=parts.aws.sqs,
        polling=parts.aws.polling,
        on_retry=measured,
        on_parked=on_parked,
        on_settled=partial(_settled, parts.metrics),
        unit_of_work=_unit_of_work,
        admission=admission,
    )


def count_settled(metrics: Metrics, outcome: Outcome | Crashed) -> None:
    """`SuspectFailures` is what a deployment is rolled back for; bad messages and outages are not in it."""
    metrics.add("MessagesProcessed")
    match outcome:
        case Crashed():
            metrics.add("SuspectFailures")
        case Park(reason=reason) if reason not in NOT_OURS:
            metrics.add("SuspectFailures")


def _settled(metrics: Metrics, outcome: Outcome | Crashed) -> None:
    count_settled(metrics, outcome)
    span = tracing.current()
    span.set(outcome=type(outcome).__name__.lower())
    match outcome:
        case Park() | Retry():
            span.fail(f"{outcome.reason}: {outcome.error}")
        case Crashed(error):
            span.fail(error)


@contextmanager
def _unit_of_work(delivery: Delivery) -> Iterator[None]:
    """Ids on every log line and a span around it all."""
    with (
        tracing.received(
            delivery.trace,
            message_id=delivery.message_id,
            queue=delivery.queue_url.rpartition("/")[2],
            received=delivery.receive_count,
            handovers=delivery.handovers,
        ) as span,
        logs.unit_of_work(message_id=delivery.message_id, trace_id=span.trace_id),
    ):
        delivery.onward_trace = tracing.carried_on(delivery.trace)
        yield
