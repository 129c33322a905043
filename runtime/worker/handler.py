"""A message on `download-tasks` becomes an outcome: claim, process, complete; or retry, park, hand over.

The effect is durable before the message is let go: objects, then the manifest, then the ledger, then the
delete. Every write after the claim is fenced by it.

| what                                                    | outcome                                         |
|---------------------------------------------------------|-------------------------------------------------|
| not the contract, another schema version                | park (malformed-message, …)                     |
| not a ZIP, truncated, contradictory, over the limits    | park (its reason)                               |
| URL on a host or address that is not allowed            | park (download-forbidden)                       |
| the API does not know the file any more                 | park (unknown-file)                             |
| another worker has it; circuit open or API down; 429    | yield (the receive count is not spent)          |
| download, S3, DynamoDB or scratch disk in trouble       | retry; at last parked as retries-exhausted      |
| an entry that is not as it should be                    | a rejected entry; the task is done all the same |
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared import logs
from runtime.shared.consumer import Delivery, Done, Outcome, Park, Retry, Yield
from runtime.shared.contracts import DownloadTask, InvalidMessage, ParkReason, parse_download_task
from runtime.shared.events import EventNotSent
from runtime.shared.export_api import ApiError, CircuitOpen, NotFound, RateLimited
from runtime.shared.ledger import AlreadyFinished, Busy, Claim, Ledger, Split, Superseded, WorkUnit
from runtime.shared.reporting import JobReporter
from runtime.shared.sending import NotSent, Outgoing, send_all
from runtime.worker.archive import ArchiveRejected
from runtime.worker.aws.errors import AwsError, AwsUnreachable
from runtime.worker.checkpoints import Checkpoints
from runtime.worker.download.errors import ArchiveChanged, DownloadFailed, NoScratchSpace
from runtime.worker.download.guard import ForbiddenDownload
from runtime.worker.manifest import Manifest
from runtime.worker.measures import Measures
from runtime.worker.processor import ArchiveProcessor, TooLarge
from runtime.worker.split import Joiner, part_tasks

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_log = logging.getLogger(__name__)

_LEAST_PAUSE_S = 1.0
_DEFAULT_RATE_PAUSE_S = 30.0
_MAX_PAUSE_S = 900.0


@dataclass(frozen=True)
class DownloadHandler:
    """The consumer's handler and its parking hook; thread-safe."""

    processor: ArchiveProcessor
    ledger: Ledger
    reporter: JobReporter
    joiner: Joiner
    sqs: "SQSClient"
    queue_url: str
    owner: str
    lease_s: float
    measures: Measures

    def __call__(self, delivery: Delivery) -> Outcome:
        """Raises Cancelled and LeaseLost, which the consumer knows how to settle."""
        try:
            task = parse_download_task(delivery.body)
        except InvalidMessage as error:
            return Park(error.reason, str(error))
        delivery.correlation_id = task.correlation_id
        logs.bind(
            correlation_id=task.correlation_id,
            export_job_id=task.export_job_id,
            task_id=task.task_id,
            file_id=task.file_id,
        )
        with self.measures.in_flight():
            try:
                return self._work(delivery, task)
            except Exception as error:
                delivery.cancellation.raise_if_set()
                self.measures.failure(error)
                outcome = outcome_of(error)
                if outcome is None:
                    raise
                return outcome

    def on_parked(self, delivery: Delivery, reason: str, error: str) -> None:
        """Record a parking before the dead-letter queue is written. Raises EventNotSent, botocore's
        errors.
        """
        try:
            task = parse_download_task(delivery.body)
        except InvalidMessage:
            return  # it names no task that the ledger could know
        unit = unit_of(task)
        state = self.ledger.park(unit, reason, error)
        self.reporter.task_parked(unit, reason, error, correlation_id=task.correlation_id)
        self.reporter.report(state)

    def _work(self, delivery: Delivery, task: DownloadTask) -> Outcome:
        unit = unit_of(task)
        try:
            claim = self.ledger.claim(unit, owner=self.owner, lease_s=self.lease_s)
        except AlreadyFinished:
            return self._already_finished(task, unit)
        except Superseded as stale:
            # The archive changed under its parts. If whoever was to plan it afresh died, that is ours to do.
            return self._work(delivery, whole_of(task)) if stale.task_open else Done()
        delivery.keep_alive(lambda: self.ledger.renew(claim, self.lease_s))
        try:
            with self._released(claim, unless=lambda: delivery.cancellation.lost):
                if claim.split is not None:
                    return self._continue_split(task, claim, claim.split)
                return self._process(delivery, task, claim)
        except ArchiveChanged as error:
            # Only of a part: the split was made for another archive.
            _log.warning("The archive changed under its parts and is planned afresh: %s", error)
            self.ledger.restart_split(claim)
            return self._work(delivery, whole_of(task))

    @contextmanager
    def _released(self, claim: Claim, *, unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """End the lease after the block, so that the next claim does not wait; what is done has ended it
        itself.
        """
        try:
            yield
        except ArchiveChanged:
            raise  # the restart is fenced by the claim
        except BaseException:
            if not unless():
                self.ledger.release(claim)
            raise
        if not unless():
            self.ledger.release(claim)

    def _process(self, delivery: Delivery, task: DownloadTask, claim: Claim) -> Outcome:
        result = self.processor.process(
            task,
            delivery.cancellation,
            progressed=delivery.progressed,
            fence=lambda: self.ledger.renew(claim, self.lease_s),
            checkpoints=Checkpoints(claim.checkpoint, lambda text: self.ledger.checkpoint(claim, text)),
            may_split=task.part is None,
        )
        if isinstance(result, TooLarge):
            return self._send_parts(task, claim, self.ledger.split(claim, result.ranges))
        self.measures.archive(result)
        if task.part is None:
            self.reporter.report(self.ledger.complete(claim, summary_of(result)))
            return Done()
        state = self.ledger.complete_part(claim, summary_of(result))
        return self._join(task) if state.finished else Done()

    def _already_finished(self, task: DownloadTask, unit: WorkUnit) -> Outcome:
        """A redelivery: see to it that what follows from the end has happened too."""
        if task.part is not None and self.ledger.parts_state(unit).finished:
            return self._join(task)
        self.reporter.report_job(task.export_job_id)
        return Done()

    def _continue_split(self, task: DownloadTask, claim: Claim, split: Split) -> Outcome:
        """The task was split before: make the manifest if its parts are done, else see that they are sent."""
        if self.ledger.parts_state(claim.unit).finished:
            return self._finish(task, claim, split)
        if claim.parts_sent:
            self.ledger.parts_sent(claim)
            return Done()
        return self._send_parts(task, claim, split)

    def _send_parts(self, task: DownloadTask, claim: Claim, split: Split) -> Outcome:
        """Sending them twice is harmless: each part is claimed in the ledger before it is worked on."""
        messages = [
            Outgoing(part.model_dump_json(exclude_none=True), part.export_job_id)
            for part in part_tasks(task, split)
        ]
        send_all(self.sqs, self.queue_url, messages)
        self.ledger.parts_sent(claim)
        _log.info("Split into %d parts", len(messages))
        return Done()

    def _join(self, task: DownloadTask) -> Outcome:
        """All parts are done: whoever claims the whole task now makes its manifest."""
        whole = whole_of(task)
        try:
            claim = self.ledger.claim(unit_of(whole), owner=self.owner, lease_s=self.lease_s)
        except AlreadyFinished:
            self.reporter.report_job(task.export_job_id)
            return Done()
        with self._released(claim):
            return self._finish(whole, claim, claim.split) if claim.split is not None else Done()

    def _finish(self, task: DownloadTask, claim: Claim, split: Split) -> Outcome:
        def fence() -> None:
            self.ledger.renew(claim, self.lease_s)

        try:
            manifest = self.joiner.join(task, split.epoch, len(split.parts), fence)
        except ArchiveChanged as error:
            self.ledger.restart_split(claim)
            return Retry("archive-changed", str(error), delay_s=0)
        self.reporter.report(self.ledger.complete(claim, summary_of(manifest)))
        return Done()


def whole_of(task: DownloadTask) -> DownloadTask:
    """The task that a part belongs to."""
    return task.model_copy(update={"part": None})


def unit_of(task: DownloadTask) -> WorkUnit:
    """The task's, or part's, place in the ledger."""
    if task.part is None:
        return WorkUnit(task.export_job_id, task.task_id, task.file_id)
    return WorkUnit(task.export_job_id, task.task_id, task.file_id, task.part.index, task.part.epoch)


def summary_of(manifest: Manifest) -> dict[str, int | str]:
    """What the ledger keeps of a manifest: enough to answer "how did it go" with the job's one query."""
    return {
        "etag": manifest.archive.etag or "",
        "size": manifest.archive.size,
        "entries": sum(manifest.outcomes.values()),
        "in_s3": manifest.matched,
        "rejected": manifest.rejected,
        "bytes_fetched": manifest.bytes_fetched,
        "bytes_saved": manifest.bytes_saved,
        "bytes_uploaded": manifest.bytes_uploaded,
    }


def outcome_of(error: Exception) -> Outcome | None:
    """What an error asks for; None for one that nobody foresaw."""
    match error:
        case ArchiveRejected():
            return Park(error.reason, error.text)
        case ForbiddenDownload():
            return Park(ParkReason.DOWNLOAD_FORBIDDEN, str(error))
        case NotFound():
            return Park(ParkReason.UNKNOWN_FILE, str(error))
        case Busy():
            return Yield("busy", delay_s=_pause(error.retry_after_s))
        case RateLimited() | CircuitOpen():
            return Yield("export-api-unavailable", delay_s=_pause(error.retry_after_s))
        case ApiError() if error.outage:
            return Yield("export-api-unavailable", delay_s=_pause(error.retry_after_s))
        case ApiError():
            return Retry("export-api-error", str(error), error.retry_after_s)
        case DownloadFailed():
            return Retry("download-failed", str(error), error.retry_after_s)
        case NoScratchSpace():
            return Retry("no-scratch-space", str(error))
        case AwsError() | AwsUnreachable() | ClientError() | BotoCoreError() | NotSent() | EventNotSent():
            return Retry("aws-error", str(error))
        case OSError():
            return Retry("system-error", str(error))
    return None


def _pause(seconds: float | None) -> float:
    wanted = _DEFAULT_RATE_PAUSE_S if seconds is None else seconds
    return min(max(wanted, _LEAST_PAUSE_S), _MAX_PAUSE_S)
