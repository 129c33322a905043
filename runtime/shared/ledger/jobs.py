"""The job's own item: who lists it, how far the listing is, how many tasks it has, and what has been said of
it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from . import leases
from .table import MAX_TRANSACTION, Change, Item, LedgerTable, Refused, absent_or
from .types import (
    FAILING,
    WAITING,
    AlreadyFinished,
    Busy,
    JobClaim,
    JobOutcome,
    JobState,
    LeaseLost,
    ListingState,
    Recorded,
)

JOB = "JOB"
ERROR_CHARACTERS = 1_000


class JobLedger:
    """What the orchestrator writes, and what both services ask about a job."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def claim_job(self, export_job_id: str, *, owner: str, lease_s: float, correlation_id: str) -> JobClaim:
        """The right to list the job. Raises AlreadyFinished (the listing is complete) | Busy."""
        try:
            item = leases.take(
                self._table,
                export_job_id,
                JOB,
                owner=owner,
                lease_s=lease_s,
                allowed=Attr("listing_complete").not_exists(),
                change={"status": "listing"},
                # The first correlation id stays: a hand-over or a second message must not split the trail.
                defaults={
                    "correlation_id": correlation_id,
                    "tasks_total": 0,
                    "tasks_done": 0,
                    "tasks_parked": 0,
                },
                remove=("reason", "error"),
            )
        except leases.NotOurs as refusal:
            raise AlreadyFinished(str(refusal.item.get("status", "listed"))) from refusal
        return JobClaim(
            export_job_id,
            int(item["generation"]),
            owner,
            str(item["correlation_id"]),
            ListingState(
                cursor=item.get("cursor"),
                pages=int(item.get("pages", 0)),
                barren=int(item.get("barren_pages", 0)),
                rejected=int(item.get("records_rejected", 0)),
                rejections=tuple(item.get("rejections", ())),
            ),
        )

    def renew_job(self, claim: JobClaim, lease_s: float) -> None:
        """Raises LeaseLost."""
        leases.renew(self._table, claim.export_job_id, JOB, claim.generation, lease_s)

    def release_job(self, claim: JobClaim, status: str = "waiting") -> None:
        """The lease ends now; `status` is what a reader of the ledger sees until the next claim."""
        leases.release(self._table, claim.export_job_id, JOB, claim.generation, status)

    def record_tasks(self, claim: JobClaim, files: Mapping[str, str], page: int) -> Recorded:
        """Count the tasks of one page (task id → file id), each exactly once whatever the API repeats.

        Raises LeaseLost.
        """
        new: list[str] = []
        again: list[str] = []
        ids = list(files)
        # One place in each transaction is the job's own counter.
        for start in range(0, len(ids), MAX_TRANSACTION - 1):
            chunk = ids[start : start + MAX_TRANSACTION - 1]
            known = self._count(claim, {task_id: files[task_id] for task_id in chunk}, page)
            new += [task_id for task_id in chunk if task_id not in known]
            again += [
                task_id
                for task_id, item in known.items()
                if item.get("status") != "done" and int(item.get("page", page)) >= claim.pages
            ]
        return Recorded(tuple(new), tuple(again))

    def _count(self, claim: JobClaim, files: Mapping[str, str], page: int) -> dict[str, Item]:
        """Count what is new and return the items that were there already."""
        known: dict[str, Item] = {}
        new = list(files)
        while new:
            changes = [self._listed(claim, task_id, files[task_id], page, {}) for task_id in new]
            try:
                self._table.transact([*changes, self._counter(claim, {"tasks_total": len(new)})])
            except Refused as refusal:
                self._require_claim(claim, refusal, position=len(new))
                present = {new[position]: item for position, item in refusal.items.items()}
                known |= present
                new = [task_id for task_id in new if task_id not in present]
            else:
                break
        for task_id, item in known.items():
            if not item.get("listed"):
                self._count_early(claim, task_id, files[task_id], page, item)
        return known

    def _count_early(self, claim: JobClaim, task_id: str, file_id: str, page: int, item: Item) -> None:
        """Count a task that a worker met before the listing did (its message came from elsewhere)."""
        counted = item.get("counted")
        add = {"tasks_total": 1, **({f"tasks_{counted}": 1} if counted else {})}
        try:
            self._table.transact(
                [self._listed(claim, task_id, file_id, page, item), self._counter(claim, add)]
            )
        except Refused as refusal:
            self._require_claim(claim, refusal, position=1)
            fresh = self._table.get(claim.export_job_id, f"TASK#{task_id}") or {}
            if not fresh.get("listed"):
                self._count_early(claim, task_id, file_id, page, fresh)

    def _listed(self, claim: JobClaim, task_id: str, file_id: str, page: int, before: Item) -> Change:
        # Absent for a new task; for a known one exactly as read, so that a completion in between is not
        # miscounted.
        when: ConditionBase = Attr("listed").not_exists() & absent_or("counted", before.get("counted"))
        if not before:
            when = when & Attr("item").not_exists()
        return Change(
            claim.export_job_id,
            f"TASK#{task_id}",
            set={"listed": True, "page": page},
            defaults={"status": "listed", "file_id": file_id, "created_at": self._table.clock()},
            when=when,
        )

    @staticmethod
    def _counter(claim: JobClaim, add: Mapping[str, int]) -> Change:
        return Change(claim.export_job_id, JOB, add=add, when=Attr("generation").eq(claim.generation))

    @staticmethod
    def _require_claim(claim: JobClaim, refusal: Refused, *, position: int) -> None:
        if position in refusal.items:
            raise LeaseLost(f"the listing of job {claim.export_job_id} was taken over") from refusal

    def advance(self, claim: JobClaim, listing: ListingState) -> None:
        """The listing has come this far. Raises LeaseLost."""
        self._fenced(
            claim,
            set={"cursor": listing.cursor, "barren_pages": listing.barren, **_so_far(listing)},
            remove=(*FAILING, *WAITING),
        )

    def finish_listing(self, claim: JobClaim, listing: ListingState) -> JobState:
        """The last page has been sent; from now on the job may complete. Raises LeaseLost."""
        self._fenced(
            claim,
            set={
                "listing_complete": True,
                "status": "processing",
                "lease_until": 0,
                **_so_far(listing),
            },
            remove=("cursor", "barren_pages", *FAILING, *WAITING),
        )
        return self.job_state(claim.export_job_id)

    def _fenced(self, claim: JobClaim, *, set: Mapping[str, Any], remove: Sequence[str] = ()) -> None:  # noqa: A002
        change = Change(
            claim.export_job_id, JOB, set=set, remove=remove, when=Attr("generation").eq(claim.generation)
        )
        try:
            self._table.update(change)
        except Refused as refusal:
            raise LeaseLost(f"the listing of job {claim.export_job_id} was taken over") from refusal

    def park_job(self, export_job_id: str, reason: str, error: str, *, correlation_id: str) -> JobState:
        """The job can never be listed as it is. No effect when it has been listed.

        Raises LeaseLost while somebody is listing it.
        """
        now = self._table.clock()
        try:
            self._table.update(
                Change(
                    export_job_id,
                    JOB,
                    set={"status": "failed", "reason": reason, "error": error[:ERROR_CHARACTERS]},
                    defaults={"created_at": now, "correlation_id": correlation_id},
                    # Whoever sends it again wants to see whether the vendor's loop is gone.
                    remove=("barren_pages", *FAILING, *WAITING),
                    when=Attr("listing_complete").not_exists() & leases.free(now),
                )
            )
        except Refused as refusal:
            if not refusal.items[0].get("listing_complete"):
                raise LeaseLost(f"job {export_job_id} is being listed") from refusal
        return self.job_state(export_job_id)

    def job_state(self, export_job_id: str) -> JobState:
        """Where the job is, consistently read; status `unknown` when the ledger has never heard of it."""
        item = self._table.get(export_job_id, JOB) or {}
        return JobState(
            export_job_id,
            str(item.get("status", "unknown")),
            bool(item.get("listing_complete", False)),
            int(item.get("tasks_total", 0)),
            int(item.get("tasks_done", 0)),
            int(item.get("tasks_parked", 0)),
            str(item.get("correlation_id", "")),
            str(item.get("reason", "")),
            str(item.get("error", "")),
            str(item.get("announced", "")),
            {name: float(item[name]) for name in ("created_at", "finished_at") if name in item},
            records_rejected=int(item.get("records_rejected", 0)),
            rejections=tuple(item.get("rejections", ())),
        )

    def begin_announcement(self, state: JobState, outcome: JobOutcome, lease_s: float) -> bool:
        """Decide who says it: true for exactly one caller at a time, false when it has been said or changed
        since.

        Raises Busy while another caller is saying it, because that caller may yet die without having said it.
        """
        now = self._table.clock()
        unchanged = (
            absent_or("listing_complete", state.listing_complete or None)
            & absent_or("reason", state.reason or None)
            & (Attr("announced").not_exists() | Attr("announced").ne(outcome))
            & (Attr("announcing_until").not_exists() | Attr("announcing_until").lte(round(now, 3)))
        )
        for counter in ("tasks_total", "tasks_done", "tasks_parked"):
            value = getattr(state, counter)
            equal = Attr(counter).eq(value)
            unchanged = unchanged & (equal if value else (equal | Attr(counter).not_exists()))
        change = Change(
            state.export_job_id,
            JOB,
            set={"status": outcome, "announcing_until": now + lease_s, "finished_at": now},
            when=unchanged,
        )
        try:
            self._table.update(change)
        except Refused as refusal:
            item = refusal.items[0]
            if item.get("announced") != outcome and float(item.get("announcing_until", 0)) > now:
                raise Busy(max(0.1, float(item["announcing_until"]) - now)) from refusal
            return False
        return True

    def end_announcement(self, export_job_id: str, outcome: JobOutcome, *, said: bool) -> None:
        """Record that the event is out, or give the next caller its turn at once when it could not be
        sent.
        """
        self._table.update(
            Change(
                export_job_id, JOB, set={"announced": outcome} if said else {}, remove=("announcing_until",)
            )
        )


def _so_far(listing: ListingState) -> dict[str, Any]:
    return {
        "pages": listing.pages,
        "records_rejected": listing.rejected,
        "rejections": list(listing.rejections),
    }
