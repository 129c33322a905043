"""A job's end: the files that the metadata expects are counted against those that have arrived.

A count that agrees settles it: what has arrived has metadata, so equal numbers of different paths are the
same paths. Several archives may hold one path, so there the paths' digest has to agree as well. Only where
they do not are the names compared, and the missing ones written beside the manifests.

The count goes on from page to page under a lease, and from process to process by the cursor in the ledger.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from runtime.shared import tracing
from runtime.shared.consumer import Delivery, Done, Outcome, Yield
from runtime.shared.consumer.sqs_limits import MAX_DELAY_S
from runtime.shared.ledger import CountClaim, JobCount, JobState, Ledger
from runtime.shared.reporting import JobReporter
from runtime.shared.sizes import MIB
from runtime.worker.count.arrived import arrived_entries, manifest_entries
from runtime.worker.count.expected import ExpectedFile, ExpectedFiles
from runtime.worker.manifest.manifest import JSON_LINES
from runtime.worker.manifest.paths import MODULUS
from runtime.worker.manifest.publish import Publisher
from runtime.worker.metrics import WorkerMetrics

_PAGES_PER_SAVE = 10
# Longer counts are handed on, so that no slot is held by one job.
_LONGEST_STEP_S = 60.0
_CHUNK_BYTES = MIB

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JobCounter:
    """Thread-safe. `metadata_wait_s`: how long after the files the metadata may be written."""

    ledger: Ledger
    reporter: JobReporter
    metrics: WorkerMetrics
    expected: ExpectedFiles
    publisher: Publisher
    manifest_prefix: str
    scratch: Path
    metadata_wait_s: float
    owner: str
    lease_s: float
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def settle(self, state: JobState, delivery: Delivery) -> Outcome:
        """Count the job and say what became of it, if it has ended and nobody has said so.

        A redelivery asks again and goes on where it was. Raises Busy while another process counts, LeaseLost,
        Cancelled, EventNotSent, OSError, sqlite3.Error, botocore's errors.
        """
        if not state.ended or state.end_announced:
            return Done()
        claim = self.ledger.claim_count(state, owner=self.owner, lease_s=self.lease_s)
        delivery.keep_alive(lambda: self.ledger.renew_count(claim, self.lease_s))
        done = False
        try:
            with tracing.span("count"):
                outcome = self._settle(state, claim, delivery)
            done = isinstance(outcome, Done)
            return outcome
        finally:
            if not delivery.cancellation.lost:
                self.ledger.release_count(claim, done=done)

    def _settle(self, state: JobState, claim: CountClaim, delivery: Delivery) -> Outcome:
        wait_s = claim.first_look_at + self.metadata_wait_s - self.clock()
        if wait_s > 0:
            return Yield("metadata-may-be-late", delay_s=min(wait_s, MAX_DELAY_S))
        counted = self._count(state, claim, delivery)
        if counted is None:
            return Yield("counting")
        count = self._compared(state, counted, delivery)
        outcome = self.reporter.say(state, count)
        if outcome is None:
            # Said by now, or changed under the count: a task redriven, the job sent again.
            return Yield("job-changed", delay_s=1)
        self.metrics.job(outcome)
        return Done()

    def _count(self, state: JobState, claim: CountClaim, delivery: Delivery) -> CountClaim | None:
        """The claim with the whole partition counted; None when others are to have the slot first."""
        began = self.monotonic()
        names = _needs_names(state)
        for number, page in enumerate(self.expected.count(state.export_job_id, claim.cursor, names=names), 1):
            delivery.cancellation.raise_if_set()
            delivery.progressed()
            claim = replace(
                claim,
                cursor=page.last or claim.cursor,
                expected=claim.expected + page.items,
                paths_digest=(claim.paths_digest + page.paths_digest) % MODULUS,
            )
            if page.last is None:
                return claim
            late = self.monotonic() - began > _LONGEST_STEP_S
            if late or number % _PAGES_PER_SAVE == 0:
                self.ledger.save_count(claim)
            if late:
                break
        return None

    def _compared(self, state: JobState, counted: CountClaim, delivery: Delivery) -> JobCount:
        """The verdict's numbers; the missing files' names are written when there are any."""
        key = f"{self.manifest_prefix}{state.export_job_id}/missing.jsonl"
        same = counted.expected == state.totals.get("in_s3", 0) and (
            not _needs_names(state) or counted.paths_digest == state.totals.get("paths_digest", 0) % MODULUS
        )
        if same and state.run == 1:
            return JobCount(counted.expected, 0)
        with tempfile.TemporaryFile(dir=self._scratch()) as names:
            count = JobCount(counted.expected, 0)
            if not same:
                count = self._write_missing(state.export_job_id, names, delivery)
            if count.missing or state.run > 1:
                # An earlier run may have left a list that is no longer true.
                self.publisher.publish(
                    key,
                    lambda: _chunks(names),
                    JSON_LINES,
                    lambda: self.ledger.renew_count(counted, self.lease_s),
                )
        return replace(count, missing_key=key) if count.missing else count

    def _write_missing(self, export_job_id: str, names: IO[bytes], delivery: Delivery) -> JobCount:
        """Compare by name, in memory of one page and a bounded cache."""
        expected = missing = 0

        def files() -> Iterator[ExpectedFile]:
            nonlocal expected
            for page in self.expected.files(export_job_id):
                delivery.cancellation.raise_if_set()
                delivery.progressed()
                expected += len(page)
                yield from page

        with arrived_entries(self._scratch()) as arrived:
            prefix = f"{self.manifest_prefix}{export_job_id}/"
            for entries in manifest_entries(self.publisher.s3, self.publisher.bucket, prefix):
                arrived.add(_watched(entries, delivery))
            for absence in arrived.absences(files()):
                names.write(absence.line())
                missing += 1
        return JobCount(expected, missing)

    def _scratch(self) -> Path:
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self.scratch


def _needs_names(state: JobState) -> bool:
    return state.tasks_done > 1


def _watched(entries: Iterator[Any], delivery: Delivery) -> Iterator[Any]:
    for number, entry in enumerate(entries):
        if number % 1_000 == 0:
            delivery.cancellation.raise_if_set()
            delivery.progressed()
        yield entry


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
