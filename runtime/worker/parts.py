"""A task that is worked on in parts: sending them, and joining what they leave behind.

A huge archive's task is split once, in the ledger; each part is a task message of its own, and whoever ends
the last one makes the whole archive's manifest. Every step can be repeated by whoever finds it undone.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.shared import tracing
from runtime.shared.consumer import Done, Outcome, Retry
from runtime.shared.contracts import DownloadTask
from runtime.shared.ledger import AlreadyFinished, Claim, Ledger, Split, WorkUnit
from runtime.shared.ledger.types import REJECTED
from runtime.shared.priorities import PriorityQueues
from runtime.shared.reporting import JobReporter
from runtime.shared.sending import Outgoing, send_all
from runtime.worker.fetch.errors import ArchiveChanged
from runtime.worker.manifest.join import Joiner
from runtime.worker.manifest.manifest import Manifest
from runtime.worker.plan.parts import part_tasks

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaskParts:
    """Thread-safe."""

    ledger: Ledger
    reporter: JobReporter
    joiner: Joiner
    sqs: "SQSClient"
    queues: PriorityQueues
    owner: str
    lease_s: float

    def resume(self, task: DownloadTask, claim: Claim, split: Split) -> Outcome:
        """The task was split before: make the manifest if its parts are done, else see that they are sent."""
        if self.ledger.parts_state(claim.unit).finished:
            return self._finish(task, claim, split)
        if claim.parts_sent:
            self.ledger.parts_sent(claim)
            return Done()
        return self.send(task, claim, split)

    def send(self, task: DownloadTask, claim: Claim, split: Split) -> Outcome:
        """Sending them twice is harmless: each part is claimed in the ledger before it is worked on."""
        with tracing.span("dispatch", parts=len(split.parts)):
            trace = tracing.carrier()
            messages = [
                Outgoing(
                    part.model_dump_json(exclude_none=True, ensure_ascii=True), part.export_job_id, trace
                )
                for part in part_tasks(task, split)
            ]
            send_all(self.sqs, self.queues.url_of(task.priority), messages)
            self.ledger.parts_sent(claim)
        _log.info("Split into %d parts", len(messages))
        return Done()

    def join(self, task: DownloadTask) -> Outcome:
        """All parts are done: whoever claims the whole task now makes its manifest."""
        whole = whole_of(task)
        try:
            claim = self.ledger.claim(unit_of(whole), owner=self.owner, lease_s=self.lease_s)
        except AlreadyFinished:
            self.reporter.ask_for_count(self.ledger.job_state(task.export_job_id))
            return Done()
        with released(self.ledger, claim):
            return self._finish(whole, claim, claim.split) if claim.split is not None else Done()

    def _finish(self, task: DownloadTask, claim: Claim, split: Split) -> Outcome:
        def fence() -> None:
            self.ledger.renew(claim, self.lease_s)

        try:
            with tracing.span("join", parts=len(split.parts)):
                manifest = self.joiner.join(task, split.epoch, len(split.parts), fence)
        except ArchiveChanged as error:
            self.ledger.restart_split(claim)
            return Retry(reason="archive-changed", error=str(error))
        with tracing.span("complete"):
            self.reporter.ask_for_count(self.ledger.complete(claim, summary_of(manifest)))
        return Done()


@contextmanager
def released(ledger: Ledger, claim: Claim, *, unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """End the lease after the block, so that the next claim does not wait.

    What is done has ended it itself.
    """
    try:
        yield
    except ArchiveChanged:
        raise  # the restart is fenced by the claim
    except BaseException:
        if not unless():
            ledger.release(claim)
        raise
    if not unless():
        ledger.release(claim)


@dataclass(frozen=True)
class LedgerCheckpoints:
    """A claim's checkpoints in the ledger; `advanced` is told of each, as they outlive a failure."""

    ledger: Ledger
    claim: Claim
    advanced: Callable[[], None]

    def load(self, name: str) -> bytes | None:
        # Nobody was here before the first claim.
        return self.ledger.load_checkpoint(self.claim, name) if self.claim.generation > 1 else None

    def save(self, name: str, data: bytes) -> None:
        """Raises LeaseLost."""
        self.ledger.save_checkpoint(self.claim, name, data)
        self.advanced()

    def drop(self, name: str) -> None:
        """Raises LeaseLost."""
        self.ledger.drop_checkpoint(self.claim, name)


def whole_of(task: DownloadTask) -> DownloadTask:
    """The task that a part belongs to."""
    return task.model_copy(update={"part": None})


def unit_of(task: DownloadTask) -> WorkUnit:
    """The task's, or part's, place in the ledger."""
    if task.part is None:
        return WorkUnit(export_job_id=task.export_job_id, task_id=task.task_id, file_id=task.file_id)
    return WorkUnit(
        export_job_id=task.export_job_id,
        task_id=task.task_id,
        file_id=task.file_id,
        part=task.part.index,
        epoch=task.part.epoch,
    )


def summary_of(manifest: Manifest) -> dict[str, int | str]:
    """The summary that the ledger keeps of a manifest: "how did it go" is answered by the job's one query.

    The job adds up the numbers (`TOTALS`).
    """
    return {
        "etag": manifest.archive.etag or "",
        "size": manifest.archive.size,
        "entries": sum(manifest.outcomes.values()),
        "in_s3": manifest.matched,
        "rejected": manifest.rejected,
        "bytes_fetched": manifest.bytes_fetched,
        "bytes_saved": manifest.bytes_saved,
        "bytes_uploaded": manifest.bytes_uploaded,
        "paths_digest": int(manifest.paths_digest, 16),
        **{f"{REJECTED}{reason}": count for reason, count in manifest.rejected_by_reason.items()},
    }
