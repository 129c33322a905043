"""The job's own item: which run it is in, who lists it, how far the listing is, and how many tasks it has.

A job that is sent again after its end begins another run: its counts start anew, and each task that the fresh
listing names is opened again. The index `jobs-by-status` finds jobs by `job_status`, latest `status_since`
first; only job items carry these two, and they are written only when the status is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from . import leases
from .expressions import PARTITION, SORT, Change, absent_or
from .table import MAX_TRANSACTION, ConditionRefused, Item, LedgerTable
from .types import (
    FAILING,
    WAITING,
    AlreadyFinished,
    JobClaim,
    JobState,
    LeaseLost,
    ListingState,
    Recorded,
    totals_of,
)

JOB = "JOB"
ERROR_CHARACTERS = 1_000
_TIMES = ("created_at", "run_started_at", "finished_at")
# What the next run of a job leaves as it is, or sets itself.
_OF_EVERY_RUN = frozenset(
    (PARTITION, SORT, "created_at", "updated_at", "expires_at", "owner", "token", "lease_until", "generation")
)
# What the next run of a job takes from its tasks.
_OF_ONE_RUN = (
    "counted", "summary", "finished_at", "reason", "error", "parked_part", "split_parts", "parts_done",
    *FAILING,
)  # fmt: skip


def of_run(run: int) -> ConditionBase:
    """The item belongs to this run; one that says nothing is from before there were several."""
    same = Attr("run").eq(run)
    return same | Attr("run").not_exists() if run == 1 else same


class JobLedger:
    """The job's own item: the orchestrator writes it, and both services ask about it."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def claim_job(
        self, export_job_id: str, *, owner: str, lease_s: float, correlation_id: str, sent_at: float = 0.0
    ) -> JobClaim:
        """The right to list the job. Raises AlreadyFinished (the listing is complete) | Busy.

        `sent_at` (epoch seconds) is when the message that asks was first sent. A job whose end had been said
        by then begins another run; a message from before brings nothing new, however often it is delivered.
        """
        try:
            item = leases.take(
                self._table,
                export_job_id,
                JOB,
                owner=owner,
                lease_s=lease_s,
                allowed=Attr("listing_complete").not_exists()
                & (Attr("announced").not_exists() | Attr("finished_at").gte(round(sent_at, 3))),
                change=self._status("listing"),
                # The first correlation id stays: a hand-over or a second message must not split the trail.
                defaults={
                    "correlation_id": correlation_id,
                    "run": 1,
                    "tasks_total": 0,
                    "tasks_done": 0,
                    "tasks_parked": 0,
                },
                remove=("reason", "error"),
            )
        except leases.NotOurs as refusal:
            ended = refusal.item
            if "announced" not in ended or float(ended.get("finished_at", sent_at)) >= sent_at:
                raise AlreadyFinished(str(ended.get("status", "listed"))) from refusal
            item = self._next_run(export_job_id, ended, owner, lease_s, correlation_id)
        return JobClaim(
            export_job_id=export_job_id,
            generation=int(item["generation"]),
            owner=owner,
            correlation_id=str(item["correlation_id"]),
            listing=ListingState(
                cursor=item.get("cursor"),
                pages=int(item.get("pages", 0)),
                barren=int(item.get("barren_pages", 0)),
                rejected=int(item.get("records_rejected", 0)),
                rejections=tuple(item.get("rejections", ())),
            ),
            run=int(item["run"]),
        )

    def _next_run(
        self, export_job_id: str, ended: Item, owner: str, lease_s: float, correlation_id: str
    ) -> Item:
        """Begin the job again: nothing of the run that has ended stays on its item."""
        change = {
            **self._status("listing"),
            "correlation_id": correlation_id,
            "run": int(ended.get("run", 1)) + 1,
            "run_started_at": self._table.clock(),
            "tasks_total": 0,
            "tasks_done": 0,
            "tasks_parked": 0,
        }
        try:
            return leases.take(
                self._table,
                export_job_id,
                JOB,
                owner=owner,
                lease_s=lease_s,
                allowed=absent_or("generation", ended.get("generation")),
                change=change,
                defaults={},
                remove=tuple(ended.keys() - change.keys() - _OF_EVERY_RUN),
            )
        except leases.NotOurs as refusal:
            # Somebody was faster, and has ended the listing since.
            raise AlreadyFinished(str(refusal.item.get("status", "listed"))) from refusal

    def _status(self, status: str) -> dict[str, Any]:
        return {"status": status, "job_status": status, "status_since": self._table.clock()}

    def renew_job(self, claim: JobClaim, lease_s: float) -> None:
        """Raises LeaseLost."""
        leases.renew(self._table, claim.export_job_id, JOB, claim.generation, lease_s)

    def release_job(self, claim: JobClaim, status: str = "waiting") -> None:
        """The lease ends now; `status` is what a reader of the ledger sees until the next claim."""
        held = Attr("generation").eq(claim.generation) & Attr("lease_until").gt(0)
        change = {**self._status(status), "lease_until": 0}
        try:
            self._table.update(Change(job=claim.export_job_id, key=JOB, set=change, when=held))
        except ConditionRefused:
            return

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
        listed = self._listed if claim.run == 1 else self._reopened
        while new:
            changes = [listed(claim, task_id, files[task_id], page) for task_id in new]
            try:
                self._table.transact([*changes, self._counter(claim, {"tasks_total": len(new)})])
            except ConditionRefused as refusal:
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
        add = {
            "tasks_total": 1,
            **({f"tasks_{counted}": 1, **totals_of(item.get("summary", {}))} if counted else {}),
        }
        try:
            self._table.transact(
                [self._listed(claim, task_id, file_id, page, item), self._counter(claim, add)]
            )
        except ConditionRefused as refusal:
            self._require_claim(claim, refusal, position=1)
            fresh = self._table.get(claim.export_job_id, f"TASK#{task_id}") or {}
            if not fresh.get("listed"):
                self._count_early(claim, task_id, file_id, page, fresh)

    def _listed(
        self, claim: JobClaim, task_id: str, file_id: str, page: int, before: Item | None = None
    ) -> Change:
        when: ConditionBase = Attr("item").not_exists()
        if before:
            # Exactly as it was read, so that a completion in between is not miscounted.
            when = Attr("listed").not_exists() & absent_or("counted", before.get("counted"))
        return Change(
            job=claim.export_job_id,
            key=f"TASK#{task_id}",
            set={"listed": True, "page": page, "run": claim.run},
            defaults={"status": "listed", "file_id": file_id, "created_at": self._table.clock()},
            when=when,
        )

    def _reopened(self, claim: JobClaim, task_id: str, file_id: str, page: int) -> Change:
        """The task as a later run lists it: new, or as if it were; parts of an earlier split are stale."""
        return Change(
            job=claim.export_job_id,
            key=f"TASK#{task_id}",
            set={"listed": True, "page": page, "run": claim.run, "status": "listed", "parts_sent": False},
            defaults={"file_id": file_id, "created_at": self._table.clock()},
            add={"epoch": 1},
            remove=_OF_ONE_RUN,
            when=Attr("run").not_exists() | Attr("run").lt(claim.run),
        )

    @staticmethod
    def _counter(claim: JobClaim, add: Mapping[str, int]) -> Change:
        return Change(job=claim.export_job_id, key=JOB, add=add, when=Attr("generation").eq(claim.generation))

    @staticmethod
    def _require_claim(claim: JobClaim, refusal: ConditionRefused, *, position: int) -> None:
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
        """The last page has been sent; from now on the job may complete, and the claim is over.

        Raises LeaseLost.
        """
        item = self._fenced(
            claim,
            set={
                "listing_complete": True,
                "lease_until": 0,
                **self._status("processing"),
                **_so_far(listing),
            },
            remove=("cursor", "barren_pages", *FAILING, *WAITING),
        )
        return _state_of(claim.export_job_id, item)

    def _fenced(self, claim: JobClaim, *, set: Mapping[str, Any], remove: Sequence[str] = ()) -> Item:  # noqa: A002
        change = Change(
            job=claim.export_job_id,
            key=JOB,
            set=set,
            remove=remove,
            when=Attr("generation").eq(claim.generation),
        )
        try:
            return self._table.update(change)
        except ConditionRefused as refusal:
            raise LeaseLost(f"the listing of job {claim.export_job_id} was taken over") from refusal

    def park_job(self, export_job_id: str, reason: str, error: str, *, correlation_id: str) -> JobState:
        """The job can never be listed as it is. No effect when it has been listed.

        Raises LeaseLost while somebody is listing it.
        """
        now = self._table.clock()
        try:
            self._table.update(
                Change(
                    job=export_job_id,
                    key=JOB,
                    set={
                        **self._status("failed"),
                        "reason": reason,
                        "error": error[:ERROR_CHARACTERS],
                    },
                    defaults={"created_at": now, "correlation_id": correlation_id, "run": 1},
                    # Whoever sends it again wants to see whether the vendor's loop is gone.
                    remove=("barren_pages", *FAILING, *WAITING),
                    when=Attr("listing_complete").not_exists() & leases.free(now),
                )
            )
        except ConditionRefused as refusal:
            if not refusal.items[0].get("listing_complete"):
                raise LeaseLost(f"job {export_job_id} is being listed") from refusal
        return self.job_state(export_job_id)

    def job_state(self, export_job_id: str) -> JobState:
        """Where the job is, consistently read; status `unknown` when the ledger has never heard of it."""
        return _state_of(export_job_id, self._table.get(export_job_id, JOB) or {})


def _state_of(export_job_id: str, item: Item) -> JobState:
    return JobState(
        export_job_id=export_job_id,
        status=str(item.get("status", "unknown")),
        listing_complete=bool(item.get("listing_complete", False)),
        tasks_total=int(item.get("tasks_total", 0)),
        tasks_done=int(item.get("tasks_done", 0)),
        tasks_parked=int(item.get("tasks_parked", 0)),
        run=int(item.get("run", 1)),
        correlation_id=str(item.get("correlation_id", "")),
        reason=str(item.get("reason", "")),
        error=str(item.get("error", "")),
        announced=str(item.get("announced", "")),
        totals=totals_of(item),
        times={name: float(item[name]) for name in _TIMES if name in item},
        records_rejected=int(item.get("records_rejected", 0)),
        rejections=tuple(item.get("rejections", ())),
    )


def _so_far(listing: ListingState) -> dict[str, Any]:
    return {
        "pages": listing.pages,
        "records_rejected": listing.rejected,
        "rejections": list(listing.rejections),
    }
