"""A message on `download-tasks` becomes an outcome: claim, process, complete; or retry, park, hand over.

The effect is durable before the message is let go: objects, then the manifest, then the ledger, then the
delete. Every write after the claim is fenced by it.

| what                                                    | outcome                                         |
|---------------------------------------------------------|-------------------------------------------------|
| not the contract, another schema version                | park (malformed-message, …)                     |
| not a ZIP, truncated, contradictory, over the limits    | park (its reason)                               |
| URL on a host or address that is not allowed            | park (download-forbidden)                       |
| the API does not know the file any more                 | park (unknown-file)                             |
| another worker has it                                   | yield                                           |
| API, download, S3, DynamoDB or scratch disk in trouble  | retry; park after the longest outage            |
| an entry that is not as it should be                    | a rejected entry; the task is done all the same |
| the job's last task is done, or a message says so       | what has arrived is counted, an event says it   |
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from runtime.shared import logs, tracing
from runtime.shared.consumer import Delivery, Done, FailureRun, Outcome, Park, Retry, Yield
from runtime.shared.consumer.sqs_limits import MAX_DELAY_S
from runtime.shared.contracts import DownloadTask, InvalidMessage, JobCountRequest, parse_download_task
from runtime.shared.ledger import (
    AlreadyFinished,
    Claim,
    Duplicate,
    Ledger,
    MessageLedger,
    Place,
    Superseded,
    WorkUnit,
    place_of_body,
)
from runtime.shared.ledger.counts import COUNT
from runtime.shared.reporting import JobReporter
from runtime.worker.count.counter import JobCounter
from runtime.worker.fetch.errors import ArchiveChanged
from runtime.worker.metrics import WorkerMetrics
from runtime.worker.outcomes import outcome_of
from runtime.worker.parts import LedgerCheckpoints, TaskParts, released, summary_of, unit_of, whole_of
from runtime.worker.processor import ArchiveProcessor, TooLarge
from runtime.worker.transfer.checkpoints import Checkpoints

_FIRST_LOOK = "first_look_at"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DownloadHandler:
    """The consumer's handler and its parking hook; thread-safe."""

    processor: ArchiveProcessor
    ledger: Ledger
    messages: MessageLedger
    reporter: JobReporter
    parts: TaskParts
    counter: JobCounter
    owner: str
    lease_s: float
    metadata_wait_s: float
    metrics: WorkerMetrics
    clock: Callable[[], float] = time.time

    def __call__(self, delivery: Delivery) -> Outcome:
        """Raises Cancelled and LeaseLost, which the consumer knows how to settle."""
        try:
            task = parse_download_task(delivery.body)
        except InvalidMessage as error:
            return Park(error.reason, str(error))
        delivery.correlation_id = task.correlation_id
        logs.bind(correlation_id=task.correlation_id)
        with self.metrics.in_flight():
            try:
                if isinstance(task, JobCountRequest):
                    logs.bind(export_job_id=task.count_job)
                    tracing.current().set(export_job_id=task.count_job)
                    return self.counter.settle(self.ledger.job_state(task.count_job), delivery)
                ids = {"export_job_id": task.export_job_id, "task_id": task.task_id, "file_id": task.file_id}
                logs.bind(**ids)
                tracing.current().set(**ids)
                return self._work(delivery, task)
            except Exception as error:
                delivery.cancellation.raise_if_set()
                self.metrics.failure(error)
                outcome = outcome_of(error)
                if outcome is None:
                    raise
                return outcome

    def on_retry(self, delivery: Delivery, retry: Retry, run: FailureRun) -> FailureRun:
        """Record a failure beside the task, and say how long it has been failing."""
        place = _place(parse_download_task(delivery.body))
        return self.messages.failed(place, retry.reason, retry.error, anew=delivery.has_advanced) or run

    def on_parked(self, delivery: Delivery, reason: str, error: str) -> None:
        """Record a parking before the dead-letter queue is written.

        Raises EventNotSent, botocore's errors.
        """
        try:
            task = parse_download_task(delivery.body)
        except InvalidMessage:
            place = place_of_body(delivery.body)
            self.messages.parked(place, reason, error, first_seen=delivery.first_seen)
            return
        if isinstance(task, JobCountRequest):
            self.messages.parked(_place(task), reason, error, first_seen=delivery.first_seen)
            return
        unit = unit_of(task)
        state = self.ledger.park(unit, reason, error)
        self.reporter.task_parked(unit, reason, error, correlation_id=task.correlation_id)
        self.reporter.ask_for_count(state)

    def _work(self, delivery: Delivery, task: DownloadTask) -> Outcome:
        unit = unit_of(task)
        try:
            with tracing.span("claim"):
                claim = self.ledger.claim(
                    unit, owner=self.owner, lease_s=self.lease_s, message=delivery.lineage
                )
        except AlreadyFinished:
            return self._already_finished(task, unit)
        except Duplicate as copy:
            _log.info("Dropped: %s", copy)
            return Done()
        except Superseded as stale:
            # The archive changed under its parts. If whoever was to plan it afresh died, that is ours to do.
            return self._work(delivery, whole_of(task)) if stale.task_open else Done()
        delivery.worked_on = True
        _log.info("Claimed", extra={"attempt": claim.generation, "received": delivery.receive_count})
        delivery.keep_alive(lambda: self.ledger.renew(claim, self.lease_s))
        try:
            with released(self.ledger, claim, unless=lambda: delivery.cancellation.lost):
                if claim.split is not None:
                    return self.parts.resume(task, claim, claim.split)
                return self._process(delivery, task, claim)
        except ArchiveChanged as error:
            # Only of a part: the split was made for another archive.
            _log.warning("The archive changed under its parts and is planned afresh: %s", error)
            self.ledger.restart_split(claim)
            return self._work(delivery, whole_of(task))

    def _process(self, delivery: Delivery, task: DownloadTask, claim: Claim) -> Outcome:
        result = self.processor.process(
            task,
            delivery.cancellation,
            progressed=delivery.progressed,
            fence=lambda: self.ledger.renew(claim, self.lease_s),
            checkpoints=Checkpoints(LedgerCheckpoints(self.ledger, claim, delivery.advanced)),
            advanced=delivery.advanced,
            may_split=task.part is None,
        )
        if isinstance(result, TooLarge):
            return self.parts.send(task, claim, self.ledger.split(claim, result.ranges))
        self.metrics.archive(result)
        _log.info("Done", extra={"summary": summary_of(result)})
        if result.without_metadata and (later := self._look_again(delivery)):
            return later
        if task.part is None:
            with tracing.span("complete"):
                job = self.ledger.complete(claim, summary_of(result))
            return self.counter.settle(job, delivery)
        with tracing.span("complete", part=task.part.index):
            state = self.ledger.complete_part(claim, summary_of(result))
        return self.parts.join(task) if state.finished else Done()

    def _already_finished(self, task: DownloadTask, unit: WorkUnit) -> Outcome:
        """A redelivery: see to it that what follows from the end has happened too."""
        if task.part is not None and self.ledger.parts_state(unit).finished:
            return self.parts.join(task)
        self.reporter.ask_for_count(self.ledger.job_state(task.export_job_id))
        return Done()

    def _look_again(self, delivery: Delivery) -> Yield | None:
        """Later, where metadata may come after the files: what has arrived is in S3 and is skipped then."""
        first_look = delivery.progress.get(_FIRST_LOOK)
        since = first_look if isinstance(first_look, (int, float)) else self.clock()
        wait_s = since + self.metadata_wait_s - self.clock()
        if wait_s <= 0:
            return None
        return Yield("metadata-may-be-late", {_FIRST_LOOK: since}, min(wait_s, MAX_DELAY_S))


def _place(task: DownloadTask | JobCountRequest) -> Place:
    """Where the ledger remembers what became of the message."""
    if isinstance(task, JobCountRequest):
        return Place(task.count_job, COUNT)
    unit = unit_of(task)
    return Place(unit.export_job_id, unit.key)
