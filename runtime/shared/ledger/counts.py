"""The end of a job: who counts what has arrived, how far the count is, and who says what came of it.

The count has an item and a lease of its own beside the job's. It stands for the job's tasks as they were when
it began (`basis`): a redriven task or another run makes the next holder begin anew.
"""

from collections.abc import Mapping

from boto3.dynamodb.conditions import Attr

from . import leases
from .expressions import Change, absent_or
from .jobs import JOB, JobLedger, of_run
from .table import ConditionRefused
from .types import FAILING, Busy, CountClaim, JobCount, JobOutcome, JobState, LeaseLost

COUNT = "COUNT"


class CountLedger(JobLedger):
    """Count and announce."""

    def claim_count(self, state: JobState, *, owner: str, lease_s: float) -> CountClaim:
        """The right to count an ended job's files, from where an earlier holder left off. Raises Busy."""
        job, basis = state.export_job_id, _basis(state)
        item = leases.take(
            self._table,
            job,
            COUNT,
            owner=owner,
            lease_s=lease_s,
            allowed=Attr("item").not_exists() | Attr("item").eq(COUNT),
            change={"status": "claimed"},
            defaults={},
        )
        if item.get("basis") != basis:
            item = self._table.update(
                Change(
                    job=job,
                    key=COUNT,
                    set={"basis": basis, "first_look_at": self._table.clock()},
                    remove=("cursor", "expected", "paths_digest", "reason", "error", *FAILING),
                    when=Attr("generation").eq(item["generation"]),
                )
            )
        return CountClaim(
            export_job_id=job,
            generation=int(item["generation"]),
            cursor=str(item.get("cursor", "")),
            expected=int(item.get("expected", 0)),
            paths_digest=int(item.get("paths_digest", 0)),
            first_look_at=float(item["first_look_at"]),
        )

    def renew_count(self, claim: CountClaim, lease_s: float) -> None:
        """Raises LeaseLost."""
        leases.renew(self._table, claim.export_job_id, COUNT, claim.generation, lease_s)

    def release_count(self, claim: CountClaim, *, done: bool) -> None:
        """The lease ends now, so that whoever is asked next does not wait."""
        status = "done" if done else "waiting"
        leases.release(self._table, claim.export_job_id, COUNT, claim.generation, status)

    def save_count(self, claim: CountClaim) -> None:
        """Record how far the count is, for whoever claims it next. Raises LeaseLost."""
        progress = {
            "cursor": claim.cursor,
            "expected": claim.expected,
            "paths_digest": claim.paths_digest,
        }
        change = Change(
            job=claim.export_job_id,
            key=COUNT,
            set=progress,
            remove=FAILING,
            when=Attr("generation").eq(claim.generation),
        )
        try:
            self._table.update(change)
        except ConditionRefused as refusal:
            raise LeaseLost(f"the count of job {claim.export_job_id} was taken over") from refusal

    def begin_announcement(
        self, state: JobState, outcome: JobOutcome, count: JobCount, lease_s: float
    ) -> bool:
        """Decide who says it: true for exactly one caller at a time.

        False when it has been said or the job has changed since `state` was read.

        Raises Busy while another caller is saying it, because that caller may yet die without having said it.
        """
        now = self._table.clock()
        unchanged = (
            of_run(state.run)
            & absent_or("listing_complete", state.listing_complete or None)
            & absent_or("reason", state.reason or None)
            & (Attr("announced").not_exists() | Attr("announced").ne(outcome))
            & (Attr("announcing_until").not_exists() | Attr("announcing_until").lte(round(now, 3)))
        )
        for counter in ("tasks_total", "tasks_done", "tasks_parked"):
            value = getattr(state, counter)
            equal = Attr(counter).eq(value)
            unchanged = unchanged & (equal if value else (equal | Attr(counter).not_exists()))
        verdict: Mapping[str, object] = {
            "announcing_until": now + lease_s,
            "finished_at": now,
            "expected": count.expected,
            "present": count.present,
            "missing": count.missing,
            "missing_key": count.missing_key,
        }
        change = Change(
            job=state.export_job_id, key=JOB, set={**self._status(outcome), **verdict}, when=unchanged
        )
        try:
            self._table.update(change)
        except ConditionRefused as refusal:
            item = refusal.items[0]
            if item.get("announced") != outcome and float(item.get("announcing_until", 0)) > now:
                raise Busy(max(0.1, float(item["announcing_until"]) - now)) from refusal
            return False
        return True

    def end_announcement(self, state: JobState, outcome: JobOutcome, *, announced: bool) -> None:
        """Record that the event is out, or give the next caller its turn at once.

        The latter when it could not be sent.
        """
        change = Change(
            job=state.export_job_id,
            key=JOB,
            set={"announced": outcome} if announced else {},
            remove=("announcing_until",),
            when=of_run(state.run),
        )
        try:
            self._table.update(change)
        except ConditionRefused:
            return  # the job has begun another run, which has an end of its own


def _basis(state: JobState) -> str:
    return f"{state.run}:{state.tasks_total}:{state.tasks_done}:{state.tasks_parked}:{state.reason}"
