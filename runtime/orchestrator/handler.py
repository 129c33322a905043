"""One message on `export-jobs`: several jobs are fanned out, one job is listed.

Every fault has its outcome.

| what                                  | outcome                                                            |
|---------------------------------------|--------------------------------------------------------------------|
| not the contract                      | park (malformed-message)                                           |
| job unknown (404)                     | park (unknown-job)                                                 |
| one id among others is not one        | that id alone is parked (malformed-message)                        |
| export failed / expired or gone (410) | park (export-failed / export-expired)                              |
| listing that goes round, or on        | retry; park (listing-loop / listing-too-long) when it stays so     |
| record that is no file                | rejected with its reason; the job does not complete                |
| export pending / running              | yield, pauses doubling to 15 min; park (export-not-ready) at last  |
| API, secret or AWS in trouble, 429    | retry; park (retries-exhausted) after the longest outage           |
"""

import json
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runtime.orchestrator.listing import JobLister, ListingFault
from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared import logs, tracing
from runtime.shared.circuits import CircuitOpen
from runtime.shared.consumer import Delivery, Done, FailureRun, Outcome, Park, Retry, Yield
from runtime.shared.consumer.backoff import MAX_PAUSE_S
from runtime.shared.consumer.queues import FIRST_SEEN
from runtime.shared.contracts import (
    ExportJobs,
    ExportJobsMessage,
    InvalidMessage,
    ParkReason,
    parse_export_jobs,
)
from runtime.shared.events import EventNotSent
from runtime.shared.export_api import ApiError, ExportApi, Gone, NotFound
from runtime.shared.ledger import (
    AlreadyFinished,
    Busy,
    JobClaim,
    JobLedger,
    JobState,
    MessageLedger,
    Place,
    place_of_body,
    place_of_job,
)
from runtime.shared.reporting import JobReporter
from runtime.shared.sending import NotSent, Outgoing, send_all

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_log = logging.getLogger(__name__)


class ExportJobsHandler:
    """The consumer's handler and its parking hook."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        *,
        owner: str,
        sqs: "SQSClient",
        api: ExportApi,
        ledger: JobLedger,
        messages: MessageLedger,
        reporter: JobReporter,
        lister: JobLister,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._settings = settings
        self._owner = owner
        self._sqs = sqs
        self._api = api
        self._ledger = ledger
        self._messages = messages
        self._reporter = reporter
        self._lister = lister
        self._utc_now = utc_now
        self._uniform = uniform

    def __call__(self, delivery: Delivery) -> Outcome:
        try:
            parsed = parse_export_jobs(delivery.body)
        except InvalidMessage as error:
            return Park(error.reason, str(error))
        message = parsed.message
        # The message's id stands in for a missing correlation id; it is written into what is sent on.
        delivery.correlation_id = message.correlation_id or delivery.message_id
        logs.bind(correlation_id=delivery.correlation_id)
        for sentence in parsed.ignored:
            _log.warning("A field of the message is not usable: %s", sentence)
        try:
            if _is_one_job(parsed):
                return self._job(message, message.export_job_ids[0], delivery)
            return self._fan_out(parsed, delivery)
        except Busy as busy:
            return Yield("busy", delay_s=busy.retry_after_s)
        except NotFound as error:
            reason = ParkReason.EXPORT_EXPIRED if isinstance(error, Gone) else ParkReason.UNKNOWN_JOB
            return Park(reason, str(error))
        except (ApiError, CircuitOpen) as error:
            return Retry(reason=_kebab(error), error=str(error), at_least_s=error.retry_after_s)
        except ListingFault as fault:
            return (
                Park(fault.reason, str(fault))
                if fault.final
                else Retry(reason=fault.reason, error=str(fault))
            )
        except (NotSent, EventNotSent, ClientError, BotoCoreError) as error:
            return Retry(reason="aws-error", error=f"{type(error).__name__}: {error}")

    def on_retry(self, delivery: Delivery, retry: Retry, run: FailureRun) -> FailureRun:
        """Record a failure beside the job, and say how long it has been failing."""
        place = _place(delivery.body, parse_export_jobs(delivery.body))
        return self._messages.failed(place, retry.reason, retry.error, anew=delivery.has_advanced) or run

    def on_parked(self, delivery: Delivery, reason: str, error: str) -> None:
        """Record and announce the job's failure before its message goes to the dead-letter queue."""
        text = logs.without_queries(error)
        try:
            parsed = parse_export_jobs(delivery.body)
        except InvalidMessage:
            parsed = None
        if parsed is None or not _is_one_job(parsed):
            place = place_of_body(delivery.body)
            self._messages.parked(place, reason, text, first_seen=delivery.first_seen)
            return
        message = parsed.message
        correlation_id = delivery.correlation_id or message.correlation_id or delivery.message_id
        state = self._ledger.park_job(message.export_job_ids[0], reason, text, correlation_id=correlation_id)
        self._reporter.ask_for_count(state)

    def _fan_out(self, parsed: ExportJobs, delivery: Delivery) -> Outcome:
        """One message per job, so that each is retried and parked on its own.

        What is no id travels the same way, as it came, and is parked when it is received.
        """
        attributes = {FIRST_SEEN: delivery.first_seen.isoformat(), **tracing.carrier()}
        message = parsed.message
        queues = self._settings.export_jobs_queues
        priority = message.priority or queues.priority_at(delivery.queue_url)
        shared = {"correlation_id": delivery.correlation_id, "priority": priority}
        common = {name: value for name, value in shared.items() if value is not None}
        send_all(
            self._sqs,
            queues.url_of(priority),
            (
                Outgoing(
                    json.dumps({"export_job_ids": [job], **common}), group_id=group, attributes=attributes
                )
                for job, group in (
                    *((job, job) for job in message.export_job_ids),
                    *((value, None) for value in parsed.rejected),
                )
            ),
        )
        if parsed.rejected:
            _log.warning("%d of the message's ids are none; each is parked by itself", len(parsed.rejected))
        _log.info("Fanned out to %d jobs", len(message.export_job_ids))
        return Done()

    def _job(self, message: ExportJobsMessage, job: str, delivery: Delivery) -> Outcome:
        logs.bind(export_job_id=job)
        tracing.current().set(export_job_id=job)
        lease_s = self._settings.visibility_timeout_s
        try:
            with tracing.span("claim"):
                claim = self._ledger.claim_job(
                    job,
                    owner=self._owner,
                    lease_s=lease_s,
                    correlation_id=delivery.correlation_id or delivery.message_id,
                    sent_at=delivery.first_seen.timestamp(),
                )
        except AlreadyFinished as finished:
            _log.info("The job has been listed before (%s)", finished.status)
            self._reporter.ask_for_count(self._ledger.job_state(job))
            return Done()
        delivery.correlation_id = claim.correlation_id
        logs.bind(correlation_id=claim.correlation_id)
        delivery.keep_alive(lambda: self._ledger.renew_job(claim, lease_s))
        end: Outcome | JobState | None = None
        try:
            with tracing.span("list", first_page=claim.listing.pages) as listing:
                end = self._list(message, claim, delivery)
                if isinstance(end, JobState):
                    listing.set(tasks=end.tasks_total)
        finally:
            # The end of a listing ends its claim as well.
            if not isinstance(end, JobState):
                self._ledger.release_job(claim)
        if not isinstance(end, JobState):
            return end
        _log.info("Listed %d tasks", end.tasks_total)
        self._reporter.ask_for_count(end)
        return Done()

    def _list(self, message: ExportJobsMessage, claim: JobClaim, delivery: Delivery) -> Outcome | JobState:
        """Where the job is once it has been listed, or what becomes of its message instead."""
        status = self._api.job_status(claim.export_job_id, wait=delivery.cancellation.wait)
        delivery.cancellation.raise_if_set()
        match status:
            case "failed":
                return Park(ParkReason.EXPORT_FAILED, "the Export API says that the export failed")
            case "expired":
                return Park(ParkReason.EXPORT_EXPIRED, "the Export API says that the export has expired")
            case "pending" | "running":
                return self._not_ready(status, claim.export_job_id)
            case "completed":
                queued_as = self._settings.export_jobs_queues.priority_at(delivery.queue_url)
                return self._lister.run(claim, delivery, message.priority or queued_as)

    def _not_ready(self, status: str, job: str) -> Outcome:
        wait = self._messages.waited(place_of_job(job), status)
        waited_s = wait.age_s(self._utc_now())
        if waited_s >= self._settings.not_ready_max_wait_s:
            return Park(ParkReason.EXPORT_NOT_READY, f"still {status} after {waited_s:.0f} s")
        pause = min(MAX_PAUSE_S, self._settings.not_ready_base_s * 2.0 ** min(wait.count - 1, 30))
        return Yield("not-ready", delay_s=self._uniform(pause * 0.8, pause))


def _is_one_job(parsed: ExportJobs) -> bool:
    return len(parsed.message.export_job_ids) + len(parsed.rejected) == 1


def _place(body: str, parsed: ExportJobs) -> Place:
    """Where the ledger remembers what became of the message."""
    return place_of_job(parsed.message.export_job_ids[0]) if _is_one_job(parsed) else place_of_body(body)


def _kebab(error: Exception) -> str:
    """RateLimited → rate-limited."""
    name = type(error).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
